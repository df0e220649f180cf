//! Port F0h: how a PC AT's coprocessor errors reach the processor, and how its handler takes them back.
//!
//! After the IBM AT technical reference: FERR# of the processor (the coprocessor's ERROR#) sets interrupt 13, which stays
//! until a program writes to port F0h. Left out on purpose: IGNNE#, and the coprocessor's reset at port F1h.

use crate::bus::device::{BusError, BusResult, Device, Initiator, Io, Size};
use crate::bus::irq::Wire;
use crate::bus::snapshot::{self, StateError};
use serde::{Deserialize, Serialize};

#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
struct State {
    error: bool,
}

/// The port.
pub struct NumericPort {
    irq: Wire,
    state: State,
}

impl NumericPort {
    /// Bytes of its register file.
    pub const LEN: u64 = 1;

    /// A port that drives interrupt 13.
    pub fn new(irq: Wire) -> NumericPort {
        NumericPort { irq, state: State::default() }
    }

    /// An unmasked exception is pending in the coprocessor.
    pub fn error(&mut self) {
        self.set(true);
    }

    fn set(&mut self, error: bool) {
        self.state.error = error;
        self.irq.set(error);
    }
}

impl Io for NumericPort {
    fn read(&mut self, reg: u64, size: Size, _: Initiator) -> BusResult<u64> {
        match (reg, size) {
            (0, Size::B1) => Ok(0xFF),
            (0, _) => Err(BusError::BadSize),
            _ => Err(BusError::NoRegister),
        }
    }

    fn write(&mut self, reg: u64, size: Size, _: u64, _: Initiator) -> BusResult<()> {
        match (reg, size) {
            (0, Size::B1) => self.set(false),
            (0, _) => return Err(BusError::BadSize),
            _ => return Err(BusError::NoRegister),
        }
        Ok(())
    }
}

impl Device for NumericPort {
    fn name(&self) -> &'static str {
        "numeric-port"
    }
    fn reset(&mut self) {
        self.set(false);
    }
    fn save(&self) -> Result<Vec<u8>, StateError> {
        snapshot::save(&self.state)
    }
    fn load(&mut self, saved: &[u8]) -> Result<(), StateError> {
        let state: State = snapshot::load(saved)?;
        self.set(state.error);
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

    #[test]
    fn conforms() {
        conformance::check(|| NumericPort::new(Wire::open()), NumericPort::LEN);
    }

    #[test]
    fn an_error_stays_until_the_handler_writes() {
        let irq = Wire::open();
        let mut port = NumericPort::new(irq.clone());
        port.error();
        assert!(irq.level());
        port.write(0, Size::B1, 0, Initiator::Cpu(0)).unwrap();
        assert!(!irq.level());
    }
}
