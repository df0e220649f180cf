//! isa-debug-exit: a port through which a guest ends the program, with an exit status of its choice.
//!
//! After QEMU's device of this name: writing `v`, of any width, asks for status `(v << 1) | 1`, so that 0 stays what
//! only a clean power-off gives. It has no state.

use crate::bus::device::{BusError, BusResult, Device, Initiator, Io, Size};
use crate::bus::snapshot::{self, StateError};

/// Hears the exit status, under the device's lock.
pub type ExitHook = Box<dyn Fn(u32) + Send>;

/// The port.
pub struct IsaDebugExit {
    exit: ExitHook,
}

impl IsaDebugExit {
    /// Bytes of its register file, at most: `iosize=` says how many are mapped, `iobase=` where (501h, 2 by default).
    pub const LEN: u64 = 4;

    /// A port that asks `exit` to end the program.
    pub fn new(exit: ExitHook) -> IsaDebugExit {
        IsaDebugExit { exit }
    }
}

impl Io for IsaDebugExit {
    fn read(&mut self, reg: u64, size: Size, _: Initiator) -> BusResult<u64> {
        match (reg, size) {
            (_, Size::B8) => Err(BusError::BadSize),
            (0..Self::LEN, _) => Ok(0),
            _ => Err(BusError::NoRegister),
        }
    }

    fn write(&mut self, reg: u64, size: Size, value: u64, _: Initiator) -> BusResult<()> {
        match (reg, size) {
            (_, Size::B8) => Err(BusError::BadSize),
            (0..Self::LEN, _) => {
                (self.exit)((value as u32) << 1 | 1);
                Ok(())
            }
            _ => Err(BusError::NoRegister),
        }
    }
}

impl Device for IsaDebugExit {
    fn name(&self) -> &'static str {
        "isa-debug-exit"
    }
    fn reset(&mut self) {}
    fn save(&self) -> Result<Vec<u8>, StateError> {
        snapshot::save(&0u8)
    }
    fn load(&mut self, saved: &[u8]) -> Result<(), StateError> {
        snapshot::load::<u8>(saved).map(|_| ())
    }
    fn io(&mut self) -> Option<&mut dyn Io> {
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::conformance;
    use parking_lot::Mutex;
    use std::sync::Arc;

    #[test]
    fn conforms() {
        conformance::check(|| IsaDebugExit::new(Box::new(|_| {})), IsaDebugExit::LEN);
    }

    #[test]
    fn statuses() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = seen.clone();
        let mut exit = IsaDebugExit::new(Box::new(move |status| log.lock().push(status)));
        for (size, value) in [(Size::B1, 0), (Size::B1, 0x31), (Size::B4, 0x1_0000)] {
            exit.write(0, size, value, Initiator::Cpu(0)).unwrap();
        }
        assert_eq!(*seen.lock(), [1, 0x63, 0x2_0001]);
        assert_eq!(exit.read(0, Size::B1, Initiator::Cpu(0)), Ok(0));
    }
}
