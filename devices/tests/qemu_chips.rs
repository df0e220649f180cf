//! Replays port accesses that QEMU 10.0.2's `pc` board was asked over its qtest socket, and expects its answers.
//!
//! A transcript is a text file of lines `wb <port> <value>` and `rb <port> <answer>`, and `sb <port> 0` for
//! reads whose answer depends on time; numbers in hexadecimal. The
//! accesses were drawn at random over the registers of each chip, or are a driver's. Time stands still.
//!
//! Not compared (`sb`) is where QEMU departs from the data sheets and these models do not: the current address and
//! count of the 8237A between two bytes of them, its mask register and the spare page registers, which QEMU does not
//! show; modem deltas as the 16550A leaves loopback, its receiver buffer after the FIFOs were reset; refresh and the
//! unused bits of port 61h; the DAC's mask.

use lyrebird_devices::bus::clock::Clock;
use lyrebird_devices::bus::device::{Initiator, Size, share};
use lyrebird_devices::bus::dma::Dma;
use lyrebird_devices::bus::irq::Wire;
use lyrebird_devices::bus::space::AddressSpace;
use lyrebird_devices::char::Null;
use lyrebird_devices::char::uart16550::Uart16550;
use lyrebird_devices::display::vga::Vga;
use lyrebird_devices::dma::i8237::I8237;
use lyrebird_devices::input::i8042::I8042;
use lyrebird_devices::intc::i8259::I8259;
use lyrebird_devices::misc::port92::Port92;
use lyrebird_devices::misc::pvpanic::Pvpanic;
use lyrebird_devices::time::i8254::I8254;
use lyrebird_devices::time::mc146818::Mc146818;
use lyrebird_devices::time::mc146818::pc::{BootDevice, PcCmos};
use lyrebird_ram::GuestRam;
use std::sync::Arc;

fn board() -> AddressSpace {
    let (ports, clock, open) = (AddressSpace::ports(), Clock::stepped(), Wire::open);
    let add = |at: u64, len: u64, reg: u64, socket: Arc<dyn lyrebird_devices::bus::device::Socket>| {
        let name = socket.name();
        ports.add_registers(name, at, len, reg, socket).unwrap();
    };
    let pic = share(I8259::new(open()));
    add(0x20, 2, 0, pic.clone());
    add(0xa0, 2, I8259::SLAVE, pic.clone());
    add(0x4d0, 2, I8259::ELCR, pic);
    let pit = share(I8254::new(open(), clock.clone()));
    add(0x40, 4, 0, pit.clone());
    add(0x61, 1, I8254::PORT_B, pit);
    let keyboard = share(I8042::new(open(), open(), open(), open()));
    add(0x60, 1, 0, keyboard.clone());
    add(0x64, 1, 1, keyboard);
    let mut rtc = Mc146818::new(open(), clock.clone(), 1_700_000_000);
    let boot = vec![BootDevice::Disk, BootDevice::Floppy, BootDevice::Cd];
    let contents =
        PcCmos { ram_below_4g: 128 << 20, cpus: 1, boot, check_floppy_signature: true, ..PcCmos::default() };
    contents.bytes().into_iter().for_each(|(at, value)| rtc.set_cmos(at, value));
    add(0x70, 2, 0, share(rtc));
    let dma = share(I8237::new(Dma::open()));
    add(0, 0x10, 0, dma.clone());
    add(0xc0, 0x20, I8237::SECOND, dma.clone());
    add(0x80, 0x10, I8237::PAGES, dma);
    add(0x92, 1, 0, share(Port92::new(open(), open())));
    add(Pvpanic::PORT, 1, 0, share(Pvpanic::new(Box::new(|_| {}))));
    add(0x3f8, 8, 0, share(Uart16550::new(open(), Arc::new(Null), clock.clone())));
    let vga = share(Vga::new(GuestRam::new(Vga::VRAM).unwrap(), clock));
    for piece in Vga::PORTS {
        add(piece.at, piece.len, piece.reg, vga.clone());
    }
    ports
}

/// Replays one transcript; the lines that got another answer.
fn replay(transcript: &str) -> Vec<String> {
    let (ports, by) = (board(), Initiator::Cpu(0));
    let mut wrong = Vec::new();
    for (n, line) in (1..).zip(transcript.lines()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let number = |text: &str| u64::from_str_radix(text, 16).unwrap();
        let [verb, port, value] = words[..] else { continue };
        let (port, value) = (number(port), number(value));
        if verb == "wb" {
            ports.write(port, Size::B1, value, by).unwrap();
            continue;
        }
        // The 8042 tells commands from data in a bit that QEMU leaves set.
        let known = if port == 0x64 { !8 } else { !0 };
        let (got, value) = (ports.read(port, Size::B1, by).unwrap() & known, value & known);
        if verb == "rb" && got != value {
            wrong.push(format!("line {n}: {verb} {port:#x}: {got:#x}, QEMU {value:#x}"));
        }
    }
    wrong
}

#[test]
fn answers_as_qemu_does() {
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/qemu_chips");
    let mut all = Vec::new();
    let mut count = 0;
    for file in std::fs::read_dir(directory).unwrap() {
        let path = file.unwrap().path();
        let wrong = replay(&std::fs::read_to_string(&path).unwrap());
        let first = wrong[..wrong.len().min(40)].join("\n");
        if !wrong.is_empty() {
            all.push(format!("{}: {} differences:\n{first}", path.display(), wrong.len()));
        }
        count += 1;
    }
    assert!(all.is_empty(), "{}", all.join("\n"));
    assert_eq!(count, 6);
}
