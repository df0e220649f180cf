//! A PC's pair of 8259A interrupt controllers, with the edge/level registers of later chip sets.
//!
//! After Intel's 8259A data sheet (231468-003), and for ELCR the PIIX3 data sheet (290550-002). The slave's output is
//! input 2 of the master. A controller delivers nothing before its initialisation words have been written. A request
//! on an edge-triggered input stays until it is acknowledged, even if the line goes low before, as under QEMU; a
//! level-triggered one goes with its line, and an acknowledge cycle that finds none gives the spurious vector 7.
//!
//! Left out on purpose: MCS-80 mode, buffered mode (a PC has no use for its pin), ICW3 (the cascade is soldered).

use crate::bus::device::{BusError, BusResult, Device, Initiator, Io, Size};
use crate::bus::irq::{LineSink, Wire};
use crate::bus::snapshot::{self, StateError};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::fmt::Write;

/// Command words, from the data sheet's figures 7 and 8.
mod spec {
    pub const ICW1_IC4: u8 = 1 << 0;
    pub const ICW1_SNGL: u8 = 1 << 1;
    pub const ICW1_LTIM: u8 = 1 << 3;
    /// Tells ICW1 from OCW2 and OCW3.
    pub const ICW1: u8 = 1 << 4;
    pub const ICW4_AEOI: u8 = 1 << 1;
    pub const ICW4_SFNM: u8 = 1 << 4;
    /// Tells OCW3 from OCW2.
    pub const OCW3: u8 = 1 << 3;
    pub const OCW3_RIS: u8 = 1 << 0;
    pub const OCW3_RR: u8 = 1 << 1;
    pub const OCW3_P: u8 = 1 << 2;
    pub const OCW3_SMM: u8 = 1 << 5;
    pub const OCW3_ESMM: u8 = 1 << 6;
    pub const OCW2_EOI: u8 = 1 << 5;
    pub const OCW2_SL: u8 = 1 << 6;
    pub const OCW2_R: u8 = 1 << 7;
    /// The master's input that the slave drives.
    pub const CASCADE: u8 = 2;
    /// Inputs whose trigger can be chosen.
    pub const ELCR_MASK: [u8; 2] = [0xf8, 0xde];
}
use spec::*;

/// What the next write to the odd port is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Expect {
    /// Nothing yet: ICW1 has not come since power-on. The mask can be written all the same.
    Reset,
    Icw2,
    Icw3,
    Icw4,
    /// OCW1: ready.
    Mask,
}

/// One controller.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Chip {
    expect: Expect,
    /// Lines by level.
    lines: u8,
    /// Latched edges.
    edges: u8,
    elcr: u8,
    /// In-service and mask registers.
    isr: u8,
    imr: u8,
    icw1: u8,
    base: u8,
    icw4: u8,
    /// Input of lowest priority.
    lowest: u8,
    rotate_on_aeoi: bool,
    special_mask: bool,
    read_isr: bool,
    poll: bool,
}

impl Chip {
    fn power_on(lines: u8) -> Chip {
        Chip {
            expect: Expect::Reset,
            lines,
            edges: 0,
            elcr: 0,
            isr: 0,
            imr: 0,
            icw1: 0,
            base: 0,
            icw4: 0,
            lowest: 7,
            rotate_on_aeoi: false,
            special_mask: false,
            read_isr: false,
            poll: false,
        }
    }

    fn level_triggered(&self) -> u8 {
        if self.icw1 & ICW1_LTIM != 0 { 0xff } else { self.elcr }
    }

    fn irr(&self) -> u8 {
        let level = self.level_triggered();
        self.edges & !level | self.lines & level
    }

    fn set_line(&mut self, n: u8, high: bool) {
        let bit = 1 << n;
        if high {
            self.edges |= bit & !self.lines;
            self.lines |= bit;
        } else {
            self.lines &= !bit;
        }
    }

    /// Rank of the most urgent of `set`: 0 is the highest priority, 8 stands for none.
    fn rank(&self, set: u8) -> u32 {
        let first = (self.lowest + 1) & 7;
        set.rotate_right(first.into()).trailing_zeros()
    }

    fn input(&self, rank: u32) -> u8 {
        (u32::from(self.lowest) + 1 + rank) as u8 & 7
    }

    /// The request that is to be delivered. `master` is that of the pair, for the special fully nested mode.
    fn pending(&self, master: bool) -> Option<u8> {
        if self.expect != Expect::Mask {
            return None;
        }
        let request = self.rank(self.irr() & !self.imr);
        let mut served = self.isr;
        if self.special_mask {
            served &= !self.imr;
        }
        if master && self.icw4 & ICW4_SFNM != 0 {
            served &= !(1 << CASCADE);
        }
        (request < self.rank(served)).then(|| self.input(request))
    }

    fn acknowledge(&mut self, n: u8) {
        let bit = 1 << n;
        self.edges &= !bit;
        if self.icw4 & ICW4_AEOI == 0 {
            self.isr |= bit;
        } else if self.rotate_on_aeoi {
            self.lowest = n;
        }
    }

    fn end(&mut self, n: u8, rotate: bool) {
        self.isr &= !(1 << n);
        if rotate {
            self.lowest = n;
        }
    }

    fn ocw2(&mut self, value: u8) {
        let n = value & 7;
        let rotate = value & OCW2_R != 0;
        match (value & OCW2_EOI != 0, value & OCW2_SL != 0) {
            (true, true) => self.end(n, rotate),
            (true, false) => {
                // A level that the special mask mode masks is not the one that a non-specific end ends.
                let served = if self.special_mask { self.isr & !self.imr } else { self.isr };
                let rank = self.rank(served);
                if rank < 8 {
                    self.end(self.input(rank), rotate);
                }
            }
            (false, true) if rotate => self.lowest = n,
            (false, true) => {}
            (false, false) => self.rotate_on_aeoi = rotate,
        }
    }

    fn ocw3(&mut self, value: u8) {
        self.poll = value & OCW3_P != 0;
        if value & OCW3_RR != 0 {
            self.read_isr = value & OCW3_RIS != 0;
        }
        if value & OCW3_ESMM != 0 {
            self.special_mask = value & OCW3_SMM != 0;
        }
    }

    fn write_even(&mut self, value: u8) {
        if value & ICW1 != 0 {
            *self = Chip {
                expect: Expect::Icw2,
                elcr: self.elcr,
                icw1: value,
                base: self.base,
                ..Chip::power_on(self.lines)
            };
        } else if value & OCW3 != 0 {
            self.ocw3(value);
        } else {
            self.ocw2(value);
        }
    }

    fn write_odd(&mut self, value: u8) {
        self.expect = match self.expect {
            Expect::Reset | Expect::Mask => {
                self.imr = value;
                return;
            }
            Expect::Icw2 => {
                self.base = value & 0xf8;
                match (self.icw1 & ICW1_SNGL != 0, self.icw1 & ICW1_IC4 != 0) {
                    (false, _) => Expect::Icw3,
                    (true, true) => Expect::Icw4,
                    (true, false) => Expect::Mask,
                }
            }
            Expect::Icw3 if self.icw1 & ICW1_IC4 != 0 => Expect::Icw4,
            Expect::Icw3 => Expect::Mask,
            Expect::Icw4 => {
                self.icw4 = value;
                Expect::Mask
            }
        };
    }

    fn read(&mut self, odd: bool, master: bool) -> u8 {
        if std::mem::take(&mut self.poll) {
            return match self.pending(master) {
                Some(n) => {
                    self.acknowledge(n);
                    0x80 | n
                }
                None => 0,
            };
        }
        match (odd, self.read_isr) {
            (true, _) => self.imr,
            (false, true) => self.isr,
            (false, false) => self.irr(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct State {
    master: Chip,
    slave: Chip,
}

/// The pair. Inputs are wires to `Mutex<I8259>`, lines 0 to 15; line 2 is taken by the cascade. Registers: 0 and 1 are
/// the master's (ports 20h and 21h), 2 and 3 the slave's (A0h, A1h), 4 and 5 ELCR (4D0h, 4D1h).
pub struct I8259 {
    intr: Wire,
    state: State,
}

impl I8259 {
    /// Register offset of the slave.
    pub const SLAVE: u64 = 2;
    /// Register offset of the edge/level registers.
    pub const ELCR: u64 = 4;
    /// Bytes of its register file.
    pub const LEN: u64 = 6;

    /// Controllers that drive the processor's INTR.
    pub fn new(intr: Wire) -> I8259 {
        I8259 { intr, state: State { master: Chip::power_on(0), slave: Chip::power_on(0) } }
    }

    fn update(&mut self) {
        let cascade = self.state.slave.pending(false).is_some();
        let master = &mut self.state.master;
        master.set_line(CASCADE, cascade);
        // The slave's output is seen as it is, and not by its edges: it is high for as long as there is anything.
        master.edges = master.edges & !(1 << CASCADE) | u8::from(cascade) << CASCADE;
        self.intr.set(master.pending(true).is_some());
    }

    /// The processor's interrupt acknowledge cycle: the vector of the most urgent request, which is then in service.
    /// A request that has gone meanwhile, or was masked, gives the vector of input 7, of the master or the slave.
    pub fn acknowledge(&mut self) -> u8 {
        let vector = match self.state.master.pending(true) {
            Some(CASCADE) => {
                self.state.master.acknowledge(CASCADE);
                let slave = &mut self.state.slave;
                let n = slave.pending(false);
                if let Some(n) = n {
                    slave.acknowledge(n);
                }
                slave.base + n.unwrap_or(7)
            }
            Some(n) => {
                self.state.master.acknowledge(n);
                self.state.master.base + n
            }
            None => self.state.master.base + 7,
        };
        self.update();
        vector
    }

    /// Whether a request waits for the processor: the level of INTR.
    pub fn pending(&self) -> bool {
        self.state.master.pending(true).is_some()
    }

    /// The registers, as QEMU's `info pic` prints them.
    pub fn info(&self) -> String {
        let mut text = String::new();
        for (n, c) in [&self.state.master, &self.state.slave].into_iter().enumerate() {
            let _ = writeln!(
                text,
                "pic{n}: irr={:02x} imr={:02x} isr={:02x} hprio={} irq_base={:02x} rr_sel={} elcr={:02x} fnm={}",
                c.irr(),
                c.imr,
                c.isr,
                (c.lowest + 1) & 7,
                c.base,
                u8::from(c.read_isr),
                c.elcr,
                c.icw4 >> 4 & 1,
            );
        }
        text
    }

    fn set_input(&mut self, line: u32, level: bool) {
        match line {
            0..8 if line != u32::from(CASCADE) => self.state.master.set_line(line as u8, level),
            8..16 => self.state.slave.set_line(line as u8 - 8, level),
            _ => return,
        }
        self.update();
    }
}

impl LineSink for Mutex<I8259> {
    fn set_line(&self, line: u32, level: bool) {
        self.lock().set_input(line, level);
    }
}

impl Io for I8259 {
    fn read(&mut self, reg: u64, size: Size, _: Initiator) -> BusResult<u64> {
        if size != Size::B1 {
            return Err(BusError::BadSize);
        }
        let State { master, slave } = &mut self.state;
        let value = match reg {
            0 | 1 => master.read(reg == 1, true),
            2 | 3 => slave.read(reg == 3, false),
            4 => master.elcr,
            5 => slave.elcr,
            _ => return Err(BusError::NoRegister),
        };
        self.update();
        Ok(value.into())
    }

    fn write(&mut self, reg: u64, size: Size, value: u64, _: Initiator) -> BusResult<()> {
        if size != Size::B1 {
            return Err(BusError::BadSize);
        }
        let byte = value as u8;
        let State { master, slave } = &mut self.state;
        match reg {
            0 => master.write_even(byte),
            1 => master.write_odd(byte),
            2 => slave.write_even(byte),
            3 => slave.write_odd(byte),
            4 => master.elcr = byte & ELCR_MASK[0],
            5 => slave.elcr = byte & ELCR_MASK[1],
            _ => return Err(BusError::NoRegister),
        }
        self.update();
        Ok(())
    }
}

impl Device for I8259 {
    fn name(&self) -> &'static str {
        "i8259"
    }

    fn reset(&mut self) {
        let State { master, slave } = &mut self.state;
        (*master, *slave) = (Chip::power_on(master.lines), Chip::power_on(slave.lines));
        self.update();
    }

    fn save(&self) -> Result<Vec<u8>, StateError> {
        snapshot::save(&self.state)
    }

    fn load(&mut self, saved: &[u8]) -> Result<(), StateError> {
        let state: State = snapshot::load(saved)?;
        for chip in [&state.master, &state.slave] {
            snapshot::require(chip.lowest < 8 && chip.base & 7 == 0, "a priority or a vector")?;
        }
        self.state = state;
        self.update();
        Ok(())
    }

    fn io(&mut self) -> Option<&mut dyn Io> {
        Some(self)
    }
}

#[cfg(test)]
mod tests;
