//! A port for debug output, E9h by custom: what is written goes to a character device, reads say that it is there.
//!
//! After the interface that Bochs and QEMU share. It has no state.

use crate::bus::device::{BusError, BusResult, Device, Initiator, Io, Size};
use crate::bus::snapshot::{self, StateError};
use crate::char::Chardev;
use std::sync::Arc;

/// What reading answers.
const READ_BACK: u64 = 0xe9;

/// The port.
pub struct Debugcon {
    chardev: Arc<dyn Chardev>,
}

impl Debugcon {
    /// Bytes of its register file.
    pub const LEN: u64 = 1;

    /// A port that writes to `chardev`; what that has no room for is lost.
    pub fn new(chardev: Arc<dyn Chardev>) -> Debugcon {
        Debugcon { chardev }
    }
}

impl Io for Debugcon {
    fn read(&mut self, reg: u64, size: Size, _: Initiator) -> BusResult<u64> {
        match (reg, size) {
            (0, Size::B1) => Ok(READ_BACK),
            (0, _) => Err(BusError::BadSize),
            _ => Err(BusError::NoRegister),
        }
    }

    fn write(&mut self, reg: u64, size: Size, value: u64, _: Initiator) -> BusResult<()> {
        match (reg, size) {
            (0, Size::B1) => {
                self.chardev.write(&[value as u8]);
                Ok(())
            }
            (0, _) => Err(BusError::BadSize),
            _ => Err(BusError::NoRegister),
        }
    }
}

impl Device for Debugcon {
    fn name(&self) -> &'static str {
        "isa-debugcon"
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
    use crate::bus::device::share;
    use crate::bus::space::AddressSpace;
    use crate::char::{Capture, Null};

    #[test]
    fn conforms() {
        conformance::check(|| Debugcon::new(Arc::new(Null)), Debugcon::LEN);
    }

    #[test]
    fn prints_and_is_found() {
        let (line, ports) = (Capture::new(), AddressSpace::ports());
        ports.add_device(0xe9, Debugcon::LEN, share(Debugcon::new(line.clone()))).unwrap();
        for byte in *b"hi" {
            ports.write(0xe9, Size::B1, byte.into(), Initiator::Cpu(0)).unwrap();
        }
        assert_eq!(line.take(), b"hi");
        assert_eq!(ports.read(0xe9, Size::B2, Initiator::Cpu(0)), Ok(0xffe9));
    }
}
