//! PL061, Arm's PrimeCell GPIO: eight pins, each an input that can interrupt or an output.
//!
//! After DDI 0190B. Pins that nothing drives are pulled low.
//!
//! Left out on purpose: hardware control of pins (GPIOAFSEL holds what is written), the test registers.

use crate::bus::device::{BusError, BusResult, Device, Initiator, Io, Size, primecell_id, word_access};
use crate::bus::irq::{LineSink, Wire};
use crate::bus::snapshot::{self, StateError};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

/// Registers, from the data sheet's chapter 3.
mod spec {
    /// The data register takes the first 0x400 bytes: bits 9:2 of the address select the pins.
    pub const DATA_LAST: u64 = 0x3fc;
    pub const DIR: u64 = 0x400;
    pub const IS: u64 = 0x404;
    pub const IBE: u64 = 0x408;
    pub const IEV: u64 = 0x40c;
    pub const IE: u64 = 0x410;
    pub const RIS: u64 = 0x414;
    pub const MIS: u64 = 0x418;
    pub const IC: u64 = 0x41c;
    pub const AFSEL: u64 = 0x420;

    pub const PERIPHERAL_ID: [u8; 4] = [0x61, 0x10, 0x04, 0x00];
}
use spec::*;

#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
struct State {
    /// Levels that are driven from outside.
    inputs: u8,
    data: u8,
    dir: u8,
    is: u8,
    ibe: u8,
    iev: u8,
    ie: u8,
    /// Edges seen and not cleared.
    edges: u8,
    afsel: u8,
}

impl State {
    /// Levels of the pins.
    fn pins(&self) -> u8 {
        self.data & self.dir | self.inputs & !self.dir
    }

    /// Raw interrupts: levels as they are, edges as they were seen (section 2.2.4).
    fn raw(&self) -> u8 {
        let levels = !(self.pins() ^ self.iev) & self.is & !self.dir;
        levels | self.edges & !self.is
    }

    fn set_input(&mut self, pin: u32, level: bool) {
        let mask = 1 << (pin & 7);
        if (self.inputs & mask != 0) != level {
            self.inputs ^= mask;
            let wanted = self.ibe & mask != 0 || (self.iev & mask != 0) == level;
            if wanted && self.is & mask == 0 && self.dir & mask == 0 {
                self.edges |= mask;
            }
        }
    }
}

/// The chip. Its inputs are the lines 0 to 7 of its socket (`Mutex<Pl061>`).
pub struct Pl061 {
    irq: Wire,
    outputs: [Wire; 8],
    state: State,
}

impl Pl061 {
    /// Bytes of its register file.
    pub const LEN: u64 = 0x1000;

    /// A chip that drives `irq`, with nothing at its pins.
    pub fn new(irq: Wire) -> Pl061 {
        Pl061 { irq, outputs: std::array::from_fn(|_| Wire::open()), state: State::default() }
    }

    /// Connects pin `pin` (0 to 7) to drive `wire` while it is an output.
    pub fn connect(&mut self, pin: usize, wire: Wire) {
        if let Some(output) = self.outputs.get_mut(pin) {
            *output = wire;
        }
        self.update();
    }

    fn update(&mut self) {
        self.irq.set(self.state.raw() & self.state.ie != 0);
        let driven = self.state.data & self.state.dir;
        for (pin, wire) in self.outputs.iter().enumerate() {
            wire.set(driven >> pin & 1 != 0);
        }
    }
}

impl LineSink for Mutex<Pl061> {
    fn set_line(&self, line: u32, level: bool) {
        let mut chip = self.lock();
        chip.state.set_input(line, level);
        chip.update();
    }
}

impl Io for Pl061 {
    fn read(&mut self, reg: u64, size: Size, _: Initiator) -> BusResult<u64> {
        word_access(reg, size)?;
        let s = &self.state;
        let value = match reg {
            0..=DATA_LAST => s.pins() & (reg >> 2) as u8,
            DIR => s.dir,
            IS => s.is,
            IBE => s.ibe,
            IEV => s.iev,
            IE => s.ie,
            RIS => s.raw(),
            MIS => s.raw() & s.ie,
            AFSEL => s.afsel,
            _ => return primecell_id(reg, PERIPHERAL_ID).ok_or(BusError::NoRegister),
        };
        Ok(value.into())
    }

    fn write(&mut self, reg: u64, size: Size, value: u64, _: Initiator) -> BusResult<()> {
        word_access(reg, size)?;
        let byte = value as u8;
        let s = &mut self.state;
        match reg {
            0..=DATA_LAST => {
                let mask = (reg >> 2) as u8 & s.dir;
                s.data = s.data & !mask | byte & mask;
            }
            DIR => s.dir = byte,
            IS => s.is = byte,
            IBE => s.ibe = byte,
            IEV => s.iev = byte,
            IE => s.ie = byte,
            IC => s.edges &= !byte,
            AFSEL => s.afsel = byte,
            _ => return Err(BusError::NoRegister),
        }
        self.update();
        Ok(())
    }
}

impl Device for Pl061 {
    fn name(&self) -> &'static str {
        "pl061"
    }

    /// The levels of inputs are not the chip's to change.
    fn reset(&mut self) {
        self.state = State { inputs: self.state.inputs, ..State::default() };
        self.update();
    }

    fn save(&self) -> Result<Vec<u8>, StateError> {
        snapshot::save(&self.state)
    }

    fn load(&mut self, saved: &[u8]) -> Result<(), StateError> {
        self.state = snapshot::load(saved)?;
        self.update();
        Ok(())
    }

    fn io(&mut self) -> Option<&mut dyn Io> {
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::conformance;
    use crate::bus::device::{Socket, share};
    use std::sync::Arc;

    const CPU: Initiator = Initiator::Cpu(0);

    struct Bench {
        chip: Arc<Mutex<Pl061>>,
        irq: Wire,
        pins: Vec<Wire>,
    }

    impl Bench {
        fn new() -> Bench {
            let irq = Wire::open();
            let chip = share(Pl061::new(irq.clone()));
            let pins = (0..8).map(|n| Wire::new("pin", chip.clone(), n)).collect();
            Bench { chip, irq, pins }
        }
        fn r(&self, reg: u64) -> u64 {
            self.chip.read(reg, Size::B4, CPU).unwrap()
        }
        fn w(&self, reg: u64, value: u64) {
            self.chip.write(reg, Size::B4, value, CPU).unwrap();
        }
    }

    #[test]
    fn conforms() {
        conformance::check(|| Pl061::new(Wire::open()), Pl061::LEN);
    }

    #[test]
    fn the_address_masks_the_data() {
        let b = Bench::new();
        let led = Wire::open();
        b.chip.lock().connect(1, led.clone());
        b.w(DIR, 0x0f);
        b.w(0x3fc, 0xff);
        assert_eq!(b.r(0x3fc), 0x0f, "inputs do not take data");
        assert!(led.level());
        b.w(0b10 << 2, 0);
        assert_eq!(b.r(0x3fc), 0x0d);
        assert!(!led.level());
        b.pins[7].assert();
        assert_eq!(b.r(0x80 << 2), 0x80);
        assert_eq!(b.r(0x01 << 2), 0x01);
    }

    #[test]
    fn edges() {
        let b = Bench::new();
        b.w(IEV, 0b01);
        b.w(IBE, 0b10);
        b.w(IE, 0b11);
        b.pins[0].assert();
        assert!(b.irq.level());
        b.w(IC, 1);
        assert!(!b.irq.level());
        b.pins[0].clear();
        assert!(!b.irq.level(), "only the rising edge is wanted");
        b.pins[1].pulse();
        assert_eq!((b.r(RIS), b.r(MIS)), (2, 2));
        b.w(IE, 0);
        assert_eq!((b.r(RIS), b.r(MIS)), (2, 0));
        assert!(!b.irq.level());
    }

    #[test]
    fn levels_follow_the_pin() {
        let b = Bench::new();
        b.w(IS, 0b100);
        b.w(IEV, 0b100);
        b.w(IE, 0b100);
        b.pins[2].assert();
        b.w(IC, 0xff);
        assert!(b.irq.level());
        b.pins[2].clear();
        assert!(!b.irq.level());
        b.w(IEV, 0);
        assert!(b.irq.level());
    }
}
