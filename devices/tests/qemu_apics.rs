//! Replays accesses that QEMU 10.0.2's `q35` board was asked over its qtest socket, and expects the answers of its I/O
//! APIC and HPET.
//!
//! The transcript has lines `w<size> <address> <value>` and `r<size> <address> <answer>`, sizes `l q`, numbers in
//! hexadecimal. A hash begins a comment. Time stands still, as it does in a QEMU that was not started.
//!
//! Left out of the transcript is where QEMU departs from the manuals: reserved bits of redirection entries hold what is
//! written, and comparators accept routes and FSB delivery that they report absent.

use lyrebird_devices::bus::clock::Clock;
use lyrebird_devices::bus::device::{Initiator, Size, share};
use lyrebird_devices::bus::space::AddressSpace;
use lyrebird_devices::intc::gsi::Gsi;
use lyrebird_devices::intc::ioapic::IoApic;
use lyrebird_devices::intc::lapic::Lapics;
use lyrebird_devices::intc::{X86Lines, X86Signal};
use lyrebird_devices::time::hpet::{Hpet, LegacyGate};
use std::sync::{Arc, Weak};

struct Deaf;
impl X86Lines for Deaf {
    fn signal(&self, _: usize, _: X86Signal) {}
}

#[test]
fn q35_answers_alike() {
    let clock = Clock::stepped();
    let lapics = Lapics::new(&[0], true, clock.clone(), Arc::new(Deaf));
    let io_apic = IoApic::new(lapics.clone());
    let weak: Weak<IoApic> = Arc::downgrade(&io_apic);
    lapics.broadcast_to(weak);
    let gsi = Gsi::pc(&io_apic, |_| None);
    let gate = LegacyGate::new(gsi.wire(0, "irq 0"), gsi.wire(8, "irq 8"));
    let hpet = share(Hpet::new(clock, gate, 0xff_0104, |pin| gsi.wire(pin, "hpet")));
    let space = AddressSpace::new();
    space.add_device(IoApic::ADDRESS, IoApic::LEN, io_apic).unwrap();
    space.add_device(Hpet::ADDRESS, Hpet::LEN, hpet).unwrap();
    let mut wrong = Vec::new();
    for (n, line) in include_str!("qemu_apics/q35.txt").lines().enumerate() {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |n: usize| u64::from_str_radix(words[n], 16).unwrap();
        let size = |word: &str| if word.ends_with('q') { Size::B8 } else { Size::B4 };
        match words[0] {
            "#" => {}
            word if word.starts_with('w') => {
                space.write(number(1), size(word), number(2), Initiator::Cpu(0)).unwrap();
            }
            word => {
                let answer = space.read(number(1), size(word), Initiator::Cpu(0)).unwrap();
                if answer != number(2) {
                    wrong.push(format!("line {}: {line}: answered {answer:x}", n + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
