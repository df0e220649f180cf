//! pvpanic: a byte through which a guest says that it panicked.
//!
//! After QEMU's docs/specs/pvpanic.rst. Reading gives the events that the machine understands; writing reports those
//! whose bits are set. At port 505h as an ISA device; the PCI device has the same byte in its BAR 0. It has no state.

use crate::bus::device::{BusError, BusResult, Device, Initiator, Io, Size};
use crate::bus::snapshot::{self, StateError};

/// What a guest reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PanicEvent {
    /// It panicked, and is to be treated as the user asked for.
    Panicked,
    /// It panicked, and is about to run a crash kernel.
    CrashLoaded,
    /// It is about to power off.
    Shutdown,
}

const EVENTS: [(u8, PanicEvent); 3] =
    [(1, PanicEvent::Panicked), (2, PanicEvent::CrashLoaded), (4, PanicEvent::Shutdown)];

/// Hears what a guest reports, under the device's lock.
pub type PanicHook = Box<dyn Fn(PanicEvent) + Send>;

/// The device.
pub struct Pvpanic {
    hook: PanicHook,
}

impl Pvpanic {
    /// Bytes of its register file.
    pub const LEN: u64 = 1;
    /// Its customary port.
    pub const PORT: u64 = 0x505;
    /// What reading it gives; firmware tables say the same.
    pub const SUPPORTED: u8 = 7;

    /// A device that reports to `hook`.
    pub fn new(hook: PanicHook) -> Pvpanic {
        Pvpanic { hook }
    }
}

impl Io for Pvpanic {
    fn read(&mut self, reg: u64, size: Size, _: Initiator) -> BusResult<u64> {
        match (reg, size) {
            (0, Size::B1) => Ok(Self::SUPPORTED.into()),
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
        for (_, event) in EVENTS.iter().filter(|(bit, _)| value as u8 & bit != 0) {
            (self.hook)(*event);
        }
        Ok(())
    }
}

impl Device for Pvpanic {
    fn name(&self) -> &'static str {
        "pvpanic"
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
        conformance::check(|| Pvpanic::new(Box::new(|_| {})), Pvpanic::LEN);
    }

    #[test]
    fn events() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = seen.clone();
        let mut device = Pvpanic::new(Box::new(move |event| log.lock().push(event)));
        assert_eq!(device.read(0, Size::B1, Initiator::Cpu(0)), Ok(7));
        device.write(0, Size::B1, 0xf9, Initiator::Cpu(0)).unwrap();
        device.write(0, Size::B1, 4, Initiator::Cpu(0)).unwrap();
        assert_eq!(*seen.lock(), [PanicEvent::Panicked, PanicEvent::Shutdown]);
    }
}
