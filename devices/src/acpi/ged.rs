//! The generic event device of machines with hardware-reduced ACPI, at the addresses of QEMU's `microvm`.
//!
//! ACPI 6.5, 5.6.9 says what such a device is to the guest; its registers are QEMU's (docs/specs/acpi_hw_reduced_hotplug.rst):
//! a word that says which events are new, and apart from it the bytes SLEEP_CONTROL_REG, SLEEP_STATUS_REG (4.8.3.7) and
//! RESET_REG (4.8.3.6). Left out on purpose: hotplug of memory and processors, so that the only event is the power button.

use crate::bus::device::{BusError, BusResult, Device, Initiator, Io, Size};
use crate::bus::irq::Wire;
use crate::bus::snapshot::{self, StateError};

/// Bit of the selector: the power button was pressed.
pub const POWER_DOWN: u32 = 2;
/// What resets the machine when it is written to RESET_REG.
pub const RESET_VALUE: u8 = 0x42;
/// The sleep type of soft off, for `\_S5`.
pub const S5: u8 = 5;

/// Fields of SLEEP_CONTROL_REG.
const SLP_TYP_SHIFT: u8 = 2;
const SLP_TYP: u8 = 7;
const SLP_EN: u8 = 1 << 5;

/// What a guest asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PowerRequest {
    /// Soft off.
    Off,
    /// A reset of the machine.
    Reset,
}

/// Hears what a guest asks for, under the device's lock.
pub type PowerHook = Box<dyn Fn(PowerRequest) + Send>;

/// The device.
pub struct Ged {
    irq: Wire,
    hook: PowerHook,
    /// Events that the guest has not read yet.
    events: u32,
}

impl Ged {
    /// Where the selector is.
    pub const ADDRESS: u64 = 0xFEA0_0000;
    /// Its bytes.
    pub const LEN: u64 = 4;
    /// Where the sleep and reset registers are.
    pub const REGISTERS: u64 = 0xFEA0_0200;
    /// Their number, a byte each.
    pub const REGISTERS_LEN: u64 = 3;
    /// Register offset at which they are in the socket, to be mapped at [`Ged::REGISTERS`].
    pub const POWER: u64 = 0x200;
    /// SLEEP_CONTROL_REG, SLEEP_STATUS_REG and RESET_REG from there.
    pub const SLEEP_CONTROL: u64 = 0;
    /// It reads as zero: there is no state to wake from.
    pub const SLEEP_STATUS: u64 = 1;
    /// It takes [`RESET_VALUE`].
    pub const RESET: u64 = 2;

    /// A device that pulses `irq` for events and tells `hook` what the guest asks for.
    pub fn new(irq: Wire, hook: PowerHook) -> Ged {
        Ged { irq, hook, events: 0 }
    }

    /// Presses the power button.
    pub fn press_power_button(&mut self) {
        self.events |= POWER_DOWN;
        self.irq.pulse();
    }
}

impl Io for Ged {
    fn read(&mut self, reg: u64, size: Size, by: Initiator) -> BusResult<u64> {
        match (reg, size) {
            (0, Size::B4) => {
                let events = self.events;
                if by != Initiator::Debugger {
                    self.events = 0;
                }
                Ok(events.into())
            }
            (Self::POWER..=0x202, Size::B1) => Ok(0),
            (0..4 | Self::POWER..=0x202, _) => Err(BusError::BadSize),
            _ => Err(BusError::NoRegister),
        }
    }

    fn write(&mut self, reg: u64, size: Size, value: u64, _: Initiator) -> BusResult<()> {
        let value = value as u8;
        match (reg.wrapping_sub(Self::POWER), size) {
            (Self::SLEEP_CONTROL, Size::B1) => {
                if value & SLP_EN != 0 && value >> SLP_TYP_SHIFT & SLP_TYP == S5 {
                    (self.hook)(PowerRequest::Off);
                }
            }
            (Self::SLEEP_STATUS, Size::B1) => {}
            (Self::RESET, Size::B1) => {
                if value == RESET_VALUE {
                    (self.hook)(PowerRequest::Reset);
                }
            }
            (0..=2, _) => return Err(BusError::BadSize),
            // The selector is read only.
            _ if reg < Self::LEN => {}
            _ => return Err(BusError::NoRegister),
        }
        Ok(())
    }
}

impl Device for Ged {
    fn name(&self) -> &'static str {
        "acpi-ged"
    }
    fn reset(&mut self) {
        self.events = 0;
        self.irq.clear();
    }
    fn save(&self) -> Result<Vec<u8>, StateError> {
        snapshot::save(&self.events)
    }
    fn load(&mut self, saved: &[u8]) -> Result<(), StateError> {
        let events: u32 = snapshot::load(saved)?;
        snapshot::require(events & !POWER_DOWN == 0, "an event that there is not")?;
        self.events = events;
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
    use parking_lot::Mutex;
    use std::sync::Arc;

    const CPU: Initiator = Initiator::Cpu(0);

    #[test]
    fn conforms() {
        conformance::check(|| Ged::new(Wire::open(), Box::new(|_| {})), Ged::POWER + Ged::REGISTERS_LEN);
    }

    #[test]
    fn the_button_is_an_event_that_is_read_once() {
        let mut ged = Ged::new(Wire::open(), Box::new(|_| {}));
        ged.press_power_button();
        assert_eq!(ged.read(0, Size::B4, Initiator::Debugger), Ok(POWER_DOWN.into()));
        assert_eq!(ged.read(0, Size::B4, CPU), Ok(POWER_DOWN.into()));
        assert_eq!(ged.read(0, Size::B4, CPU), Ok(0));
        assert_eq!(ged.read(0, Size::B1, CPU), Err(BusError::BadSize));
    }

    #[test]
    fn power() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = seen.clone();
        let mut ged = Ged::new(Wire::open(), Box::new(move |request| log.lock().push(request)));
        let mut put = |reg, value| ged.write(Ged::POWER + reg, Size::B1, value, CPU).unwrap();
        // The type without the enable bit, another type, another value.
        put(Ged::SLEEP_CONTROL, 5 << 2);
        put(Ged::SLEEP_CONTROL, 3 << 2 | 0x20);
        put(Ged::RESET, 1);
        put(Ged::SLEEP_CONTROL, 5 << 2 | 0x20);
        put(Ged::RESET, 0x42);
        assert_eq!(*seen.lock(), [PowerRequest::Off, PowerRequest::Reset]);
    }
}
