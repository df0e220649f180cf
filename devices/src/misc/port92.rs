//! System control port A, port 92h: the fast way to A20 and to a reset.
//!
//! After the IBM PS/2 hardware interface technical reference (1988). Both are wires: A20 is at the level of bit 1, and
//! setting bit 0 pulses the reset.
//!
//! Left out on purpose: the security lock, the watchdog and the disk's light.

use crate::bus::device::{BusError, BusResult, Device, Initiator, Io, Size};
use crate::bus::irq::Wire;
use crate::bus::snapshot::{self, StateError};
use serde::{Deserialize, Serialize};

const RESET: u8 = 1 << 0;
const A20: u8 = 1 << 1;

#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
struct State {
    value: u8,
}

/// The port.
pub struct Port92 {
    a20: Wire,
    reset: Wire,
    state: State,
}

impl Port92 {
    /// Bytes of its register file.
    pub const LEN: u64 = 1;

    /// A port that drives `a20` and pulses `reset`. The board ORs A20 with the keyboard controller's.
    pub fn new(a20: Wire, reset: Wire) -> Port92 {
        Port92 { a20, reset, state: State::default() }
    }
}

impl Io for Port92 {
    fn read(&mut self, reg: u64, size: Size, _: Initiator) -> BusResult<u64> {
        match (reg, size) {
            (0, Size::B1) => Ok(self.state.value.into()),
            (0, _) => Err(BusError::BadSize),
            _ => Err(BusError::NoRegister),
        }
    }

    fn write(&mut self, reg: u64, size: Size, value: u64, _: Initiator) -> BusResult<()> {
        match (reg, size) {
            (0, Size::B1) => {}
            (0, _) => return Err(BusError::BadSize),
            _ => return Err(BusError::NoRegister),
        }
        let (old, new) = (self.state.value, value as u8);
        self.state.value = new;
        self.a20.set(new & A20 != 0);
        if new & !old & RESET != 0 {
            self.reset.pulse();
        }
        Ok(())
    }
}

impl Device for Port92 {
    fn name(&self) -> &'static str {
        "port92"
    }
    fn reset(&mut self) {
        self.state = State::default();
        self.a20.clear();
    }
    fn save(&self) -> Result<Vec<u8>, StateError> {
        snapshot::save(&self.state)
    }
    fn load(&mut self, saved: &[u8]) -> Result<(), StateError> {
        self.state = snapshot::load(saved)?;
        self.a20.set(self.state.value & A20 != 0);
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
    use crate::bus::irq::LineSink;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    struct Edges(AtomicU32);
    impl LineSink for Edges {
        fn set_line(&self, _: u32, level: bool) {
            self.0.fetch_add(level.into(), Ordering::Relaxed);
        }
    }

    #[test]
    fn conforms() {
        conformance::check(|| Port92::new(Wire::open(), Wire::open()), Port92::LEN);
    }

    #[test]
    fn a20_and_reset() {
        let (a20, edges) = (Wire::open(), Arc::new(Edges(AtomicU32::new(0))));
        let mut port = Port92::new(a20.clone(), Wire::new("reset", edges.clone(), 0));
        let mut w = |value| port.write(0, Size::B1, value, Initiator::Cpu(0)).unwrap();
        w(2);
        assert!(a20.level());
        w(3);
        w(3);
        assert_eq!(edges.0.load(Ordering::Relaxed), 1, "the edge resets");
        w(0);
        assert!(!a20.level());
    }
}
