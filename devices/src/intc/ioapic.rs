//! 82093AA, the I/O APIC: 24 inputs, each with an entry that says which message its interrupt is.
//!
//! After Intel's data sheet 290566-001, with version 0x20 and the EOI register of the I/O APICs that came later, as
//! QEMU has it. Wires carry what is asserted, so the polarity bit of an entry is kept and changes nothing.
//!
//! Left out on purpose: the APIC bus (delivery status is always idle, arbitration reads as the ID), the IRQ pin
//! assertion register.

use super::{EoiSink, MsiSink};
use crate::bus::device::{BusError, BusResult, Initiator, Size, Socket};
use crate::bus::irq::{LineSink, Wire};
use crate::bus::snapshot::{self, StateError};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::fmt::Write;
use std::sync::Arc;

/// Registers, from the data sheet's chapter 3.
mod spec {
    /// Offsets in the page.
    pub const REGSEL: u64 = 0x00;
    pub const WIN: u64 = 0x10;
    pub const EOI: u64 = 0x40;
    /// Indices.
    pub const ID: u8 = 0x00;
    pub const VERSION: u8 = 0x01;
    pub const ARBITRATION: u8 = 0x02;
    pub const TABLE: u8 = 0x10;

    pub const VERSION_VALUE: u32 = 0x20 | (super::IoApic::PINS - 1) << 16;
    pub const ID_BITS: u32 = 0x0f00_0000;

    /// Fields of an entry.
    pub const LOGICAL: u64 = 1 << 11;
    pub const REMOTE_IRR: u64 = 1 << 14;
    pub const LEVEL: u64 = 1 << 15;
    pub const MASKED: u64 = 1 << 16;
    /// What can be written: vector, modes, polarity, trigger, mask; destination.
    pub const WRITABLE: u64 = 0xff00_0000_0001_afff;
}
use spec::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct State {
    id: u32,
    select: u8,
    entries: [u64; IoApic::PINS as usize],
    /// Levels of the inputs, a bit each.
    lines: u32,
}

impl State {
    fn power_on(lines: u32) -> State {
        State { id: 0, select: 0, entries: [MASKED; IoApic::PINS as usize], lines }
    }
}

struct Core {
    state: State,
    lapics: Arc<dyn MsiSink>,
}

/// The chip.
pub struct IoApic(Mutex<Core>);

impl IoApic {
    /// Inputs.
    pub const PINS: u32 = 24;
    /// Bytes of its register file.
    pub const LEN: u64 = 0x1000;
    /// Where PCs have it.
    pub const ADDRESS: u64 = 0xfec0_0000;

    /// An I/O APIC that sends to `lapics`. Let those tell it of EOI: [`super::lapic::Lapics::broadcast_to`].
    pub fn new(lapics: Arc<dyn MsiSink>) -> Arc<IoApic> {
        Arc::new(IoApic(Mutex::new(Core { state: State::power_on(0), lapics })))
    }

    /// A wire to input `n`; none if there is no such input. An input has one driver: use [`super::gsi::Gsi`] for more.
    pub fn input(self: Arc<Self>, n: u32, label: &str) -> Option<Wire> {
        (n < IoApic::PINS).then(|| Wire::new(label, self, n))
    }

    /// State for `info ioapic`.
    pub fn info(&self) -> String {
        let core = self.0.lock();
        let s = &core.state;
        let mut text =
            format!("ioapic: id {:#x} select {:#x} lines {:#08x}\n", s.id >> 24, s.select, s.lines);
        for (pin, entry) in s.entries.iter().enumerate() {
            let _ = writeln!(
                text,
                " pin {pin:2} {entry:#018x} vector {:#04x} mode {} to {} {:#04x} {}{}{}",
                *entry as u8,
                entry >> 8 & 7,
                if entry & LOGICAL != 0 { "logical" } else { "physical" },
                entry >> 56,
                if entry & LEVEL != 0 { "level" } else { "edge" },
                if entry & MASKED != 0 { " masked" } else { "" },
                if entry & REMOTE_IRR != 0 { " in service" } else { "" },
            );
        }
        text
    }
}

impl Core {
    fn line(&self, pin: usize) -> bool {
        self.state.lines >> pin & 1 != 0
    }

    /// Sends the message of `pin`, as MSI spells it.
    fn send(&self, entry: u64) {
        let address = 0xfee0_0000 | (entry >> 56) << 12 | (entry & LOGICAL) >> 9;
        // Vector, delivery mode; level interrupts are asserted ones.
        let level = if entry & LEVEL != 0 { 0xc000 } else { 0x4000 };
        self.lapics.send(address, (entry & 0x7ff) as u32 | level);
    }

    /// Sends the level interrupt of `pin` if its input asks for one and none is under way.
    fn service_level(&mut self, pin: usize) {
        let line = self.line(pin);
        let Some(entry) = self.state.entries.get_mut(pin) else { return };
        if line && *entry & (LEVEL | MASKED | REMOTE_IRR) == LEVEL {
            // What is not fixed or lowest priority knows no EOI.
            if *entry & 0x600 == 0 {
                *entry |= REMOTE_IRR;
            }
            let entry = *entry;
            self.send(entry);
        }
    }

    fn set_line(&mut self, pin: usize, level: bool) {
        let Some(&entry) = self.state.entries.get(pin) else { return };
        let bit = 1 << pin;
        let rises = level && self.state.lines & bit == 0;
        self.state.lines = self.state.lines & !bit | if level { bit } else { 0 };
        if entry & LEVEL != 0 {
            self.service_level(pin);
        } else if rises && entry & MASKED == 0 {
            // Edges of a masked input are lost.
            self.send(entry);
        }
    }

    fn eoi(&mut self, vector: u8) {
        for pin in 0..IoApic::PINS as usize {
            if let Some(entry) = self.state.entries.get_mut(pin)
                && *entry as u8 == vector
                && *entry & (LEVEL | REMOTE_IRR) == LEVEL | REMOTE_IRR
            {
                *entry &= !REMOTE_IRR;
                self.service_level(pin);
            }
        }
    }

    fn read_indexed(&self) -> u32 {
        match self.state.select {
            ID | ARBITRATION => self.state.id,
            VERSION => VERSION_VALUE,
            index => {
                match index.checked_sub(TABLE).and_then(|n| self.state.entries.get(usize::from(n / 2))) {
                    Some(entry) if index & 1 == 0 => *entry as u32,
                    Some(entry) => (entry >> 32) as u32,
                    None => 0,
                }
            }
        }
    }

    fn write_indexed(&mut self, value: u32) {
        let index = self.state.select;
        if index == ID {
            self.state.id = value & ID_BITS;
            return;
        }
        let Some(n) = index.checked_sub(TABLE) else { return };
        let pin = usize::from(n / 2);
        let Some(entry) = self.state.entries.get_mut(pin) else { return };
        let value = u64::from(value);
        let new = if n & 1 == 0 { *entry & !0xffff_ffff | value } else { *entry & 0xffff_ffff | value << 32 };
        // Guests clear a stuck remote IRR by making the entry edge triggered for a moment.
        let kept = if new & LEVEL != 0 { *entry & REMOTE_IRR } else { 0 };
        *entry = new & WRITABLE | kept;
        self.service_level(pin);
    }
}

impl LineSink for IoApic {
    fn set_line(&self, line: u32, level: bool) {
        self.0.lock().set_line(line as usize, level);
    }
}

impl EoiSink for IoApic {
    fn eoi(&self, vector: u8) {
        self.0.lock().eoi(vector);
    }
}

impl Socket for IoApic {
    fn name(&self) -> &'static str {
        "ioapic"
    }

    fn reset(&self) {
        let mut core = self.0.lock();
        core.state = State::power_on(core.state.lines);
    }

    fn save(&self) -> Result<Vec<u8>, StateError> {
        snapshot::save(&self.0.lock().state)
    }

    fn load(&self, saved: &[u8]) -> Result<(), StateError> {
        let state = snapshot::load(saved)?;
        self.0.lock().state = state;
        Ok(())
    }

    fn read(&self, reg: u64, _: Size, _: Initiator) -> BusResult<u64> {
        let core = self.0.lock();
        match reg {
            REGSEL => Ok(core.state.select.into()),
            WIN => Ok(core.read_indexed().into()),
            _ => Err(BusError::NoRegister),
        }
    }

    fn write(&self, reg: u64, size: Size, value: u64, _: Initiator) -> BusResult<()> {
        let mut core = self.0.lock();
        match (reg, size) {
            (REGSEL, _) => core.state.select = value as u8,
            (WIN, Size::B4 | Size::B8) => core.write_indexed(value as u32),
            (WIN, _) => return Err(BusError::BadSize),
            (EOI, _) => core.eoi(value as u8),
            _ => return Err(BusError::NoRegister),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::clock::Clock;
    use crate::bus::conformance;
    use crate::intc::lapic::Lapics;
    use crate::intc::{X86Lines, X86Signal};
    use std::sync::Weak;

    #[derive(Default)]
    struct Sent(Mutex<Vec<(u64, u32)>>);
    impl MsiSink for Sent {
        fn send(&self, address: u64, data: u32) {
            self.0.lock().push((address, data));
        }
    }

    struct Deaf;
    impl X86Lines for Deaf {
        fn signal(&self, _: usize, _: X86Signal) {}
    }

    const CPU: Initiator = Initiator::Cpu(0);

    fn write(chip: &IoApic, index: u8, value: u32) {
        chip.write(REGSEL, Size::B4, index.into(), CPU).unwrap();
        chip.write(WIN, Size::B4, value.into(), CPU).unwrap();
    }

    fn read(chip: &IoApic, index: u8) -> u32 {
        chip.write(REGSEL, Size::B4, index.into(), CPU).unwrap();
        chip.read(WIN, Size::B4, CPU).unwrap() as u32
    }

    fn entry(chip: &IoApic, pin: u8, value: u64) {
        write(chip, TABLE + 2 * pin + 1, (value >> 32) as u32);
        write(chip, TABLE + 2 * pin, value as u32);
    }

    #[test]
    fn conforms() {
        conformance::check_socket(
            || Arc::into_inner(IoApic::new(Arc::new(Sent::default()))).unwrap(),
            IoApic::LEN,
        );
    }

    #[test]
    fn registers() {
        let chip = IoApic::new(Arc::new(Sent::default()));
        assert_eq!(read(&chip, VERSION), 0x0017_0020);
        write(&chip, ID, u32::MAX);
        assert_eq!((read(&chip, ID), read(&chip, ARBITRATION)), (0x0f00_0000, 0x0f00_0000));
        assert_eq!(read(&chip, TABLE + 46), 0x1_0000);
        entry(&chip, 23, u64::MAX);
        assert_eq!((read(&chip, TABLE + 46), read(&chip, TABLE + 47)), (0x1_afff, 0xff00_0000));
        write(&chip, 0xff, 5);
        assert_eq!(read(&chip, 0xff), 0);
        assert!(chip.clone().input(24, "none").is_none());
        assert!(chip.info().contains("pin 23"));
    }

    #[test]
    fn edges() {
        let sent = Arc::new(Sent::default());
        let chip = IoApic::new(sent.clone());
        let wire = chip.clone().input(4, "com1").unwrap();
        wire.pulse();
        assert!(sent.0.lock().is_empty(), "masked");
        entry(&chip, 4, 3 << 56 | LOGICAL | 0x131);
        wire.assert();
        wire.clear();
        wire.assert();
        assert_eq!(*sent.0.lock(), [(0xfee0_3004, 0x4131); 2]);
    }

    #[test]
    fn levels_wait_for_eoi() {
        let sent = Arc::new(Sent::default());
        let chip = IoApic::new(sent.clone());
        let count = || std::mem::take(&mut *sent.0.lock()).len();
        let wire = chip.clone().input(11, "pci").unwrap();
        wire.assert();
        entry(&chip, 11, 1 << 56 | LEVEL | 0x51);
        assert_eq!(*sent.0.lock(), [(0xfee0_1000, 0xc051)], "a level counts when it is unmasked");
        assert_eq!((count(), read(&chip, TABLE + 22)), (1, 0xc051));
        wire.clear();
        wire.assert();
        assert_eq!(count(), 0, "under way");
        chip.eoi(0x50);
        assert_eq!(count(), 0, "another's EOI");
        chip.eoi(0x51);
        assert_eq!(count(), 1, "the level is still there");
        wire.clear();
        chip.write(spec::EOI, Size::B4, 0x51, CPU).unwrap();
        assert_eq!((count(), read(&chip, TABLE + 22)), (0, 0x8051));
        wire.assert();
        entry(&chip, 11, 0x51);
        assert_eq!(read(&chip, TABLE + 22), 0x51, "an edge entry has no remote IRR");
    }

    #[test]
    fn with_local_apics() {
        let lapics = Lapics::new(&[0, 1], true, Clock::stepped(), Arc::new(Deaf));
        let chip = IoApic::new(lapics.clone());
        let weak: Weak<IoApic> = Arc::downgrade(&chip);
        lapics.broadcast_to(weak);
        for cpu in 0..2 {
            lapics.write(0xf0, Size::B4, 0x1ff, Initiator::Cpu(cpu)).unwrap();
        }
        let wire = chip.clone().input(10, "pci").unwrap();
        entry(&chip, 10, 1 << 56 | LEVEL | 0x51);
        wire.assert();
        assert!(!lapics.pending(0));
        let eoi = || lapics.write(0xb0, Size::B4, 0, Initiator::Cpu(1)).unwrap();
        assert_eq!(lapics.acknowledge(1, || None), Some(0x51));
        eoi();
        assert_eq!(lapics.acknowledge(1, || None), Some(0x51), "sent again by EOI");
        wire.clear();
        eoi();
        assert!(!lapics.pending(1));
    }
}
