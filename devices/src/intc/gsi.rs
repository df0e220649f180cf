//! Global system interrupts: lines that any number of devices share, and that end at the 8259s and at the I/O APIC.
//!
//! A line is up while any of its drivers is up. Lines 0 to 15 are the ISA interrupts; they reach the 8259s by their
//! numbers and the I/O APIC too, where line 0 goes to input 2 as the firmware tables of PCs say.

use super::ioapic::IoApic;
use crate::bus::irq::{LineSink, Wire};
use parking_lot::Mutex;
use std::sync::Arc;

const LINES: usize = IoApic::PINS as usize;

/// The lines.
pub struct Gsi {
    /// How many drivers of each line are up.
    up: Mutex<[u32; LINES]>,
    outputs: Vec<Vec<Wire>>,
}

impl Gsi {
    /// Lines from 0 on, each with the inputs that it ends at; at most 24.
    pub fn new(outputs: Vec<Vec<Wire>>) -> Arc<Gsi> {
        Arc::new(Gsi { up: Mutex::new([0; LINES]), outputs })
    }

    /// Lines of a PC: `isa` gives the 8259s' input for a number from 0 to 15.
    pub fn pc(io_apic: &Arc<IoApic>, isa: impl Fn(u32) -> Option<Wire>) -> Arc<Gsi> {
        let outputs = (0..IoApic::PINS).map(|line| {
            let pin = match line {
                0 => Some(2),
                2 => None,
                line => Some(line),
            };
            let io_apic = pin.and_then(|pin| io_apic.clone().input(pin, "gsi"));
            let isa = if line < 16 { isa(line) } else { None };
            isa.into_iter().chain(io_apic).collect()
        });
        Gsi::new(outputs.collect())
    }

    /// A new driver of `line`; an open wire if there is no such line.
    pub fn wire(self: &Arc<Self>, line: u32, label: &str) -> Wire {
        if (line as usize) < self.outputs.len().min(LINES) {
            Wire::new(label, self.clone(), line)
        } else {
            Wire::open()
        }
    }
}

impl LineSink for Gsi {
    fn set_line(&self, line: u32, level: bool) {
        let mut up = self.up.lock();
        let Some(count) = up.get_mut(line as usize) else { return };
        *count = if level { count.saturating_add(1) } else { count.saturating_sub(1) };
        let level = *count != 0;
        // The lock is held so that outputs change in order.
        for wire in self.outputs.get(line as usize).into_iter().flatten() {
            wire.set(level);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intc::MsiSink;

    struct Sent(Mutex<Vec<u32>>);
    impl MsiSink for Sent {
        fn send(&self, _: u64, data: u32) {
            self.0.lock().push(data & 0xff);
        }
    }

    #[test]
    fn drivers_share_a_line() {
        let out = Wire::open();
        let gsi = Gsi::new(vec![vec![], vec![out.clone()]]);
        let (a, b) = (gsi.wire(1, "a"), gsi.wire(1, "b"));
        a.assert();
        b.assert();
        a.clear();
        assert!(out.level());
        b.clear();
        assert!(!out.level());
        gsi.wire(2, "none").assert();
    }

    #[test]
    fn the_timer_goes_to_input_2() {
        use crate::bus::device::{Initiator, Size, Socket};
        let sent = Arc::new(Sent(Mutex::default()));
        let chip = IoApic::new(sent.clone());
        for pin in 0..24 {
            chip.write(0, Size::B4, 0x10 + 2 * pin, Initiator::Cpu(0)).unwrap();
            chip.write(0x10, Size::B4, 0x30 + pin, Initiator::Cpu(0)).unwrap();
        }
        let pic: Vec<Wire> = (0..16).map(|_| Wire::open()).collect();
        let gsi = Gsi::pc(&chip, |n| pic.get(n as usize).cloned());
        gsi.wire(0, "pit").assert();
        gsi.wire(4, "com1").assert();
        gsi.wire(20, "pci").assert();
        assert_eq!(*sent.0.lock(), [0x32, 0x34, 0x44]);
        assert!(pic[0].level() && pic[4].level() && !pic[2].level());
    }
}
