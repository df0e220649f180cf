//! What a device is: the chip core ([`Device`]) and its attachment to a bus ([`Socket`]).

use super::clock::{Timer, VTime};
use super::snapshot::StateError;
use parking_lot::Mutex;
use std::sync::{Arc, Weak};

/// Width of one bus access.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Size {
    /// 1 byte.
    B1,
    /// 2 bytes.
    B2,
    /// 4 bytes.
    B4,
    /// 8 bytes.
    B8,
}

impl Size {
    /// All widths, narrowest first.
    pub const ALL: [Size; 4] = [Size::B1, Size::B2, Size::B4, Size::B8];

    /// Bytes of the access: 1, 2, 4 or 8.
    pub const fn bytes(self) -> u64 {
        match self {
            Size::B1 => 1,
            Size::B2 => 2,
            Size::B4 => 4,
            Size::B8 => 8,
        }
    }

    /// The width of `bytes` bytes, if a bus access can have it.
    pub const fn from_bytes(bytes: u64) -> Option<Size> {
        match bytes {
            1 => Some(Size::B1),
            2 => Some(Size::B2),
            4 => Some(Size::B4),
            8 => Some(Size::B8),
            _ => None,
        }
    }

    /// The bits that an access of this width carries.
    pub const fn mask(self) -> u64 {
        u64::MAX >> (64 - 8 * self.bytes())
    }
}

/// Who makes an access. Devices with banked registers (GIC distributors) answer each processor differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Initiator {
    /// The processor with this index, counted from 0 over the machine.
    Cpu(u16),
    /// A person: monitor or debugger.
    Debugger,
}

impl Initiator {
    /// Index of the processor whose banked registers answer; people see those of processor 0.
    pub const fn cpu(self) -> usize {
        match self {
            Initiator::Cpu(n) => n as usize,
            Initiator::Debugger => 0,
        }
    }
}

/// Why an access was not carried out. [`super::space::AddressSpace`] decides what the guest sees of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BusError {
    /// No span holds the address; boards answer with an external abort.
    #[error("Nothing at this address")]
    Unassigned,
    /// The device has no register there, or not in this direction.
    #[error("No such register")]
    NoRegister,
    /// The register exists and takes other widths only.
    #[error("Width not supported by the register")]
    BadSize,
    /// The address is not a multiple of what the register asks for.
    #[error("Unaligned access")]
    Unaligned,
    /// The register exists on hardware and this model leaves it out.
    #[error("Register not implemented")]
    Unimplemented,
}

/// Result of a bus access.
pub type BusResult<T> = Result<T, BusError>;

/// Registers. `reg` is a byte offset from the start of the device's register file; a device whose register file is
/// mapped in several pieces (a GIC's distributor and CPU interface) numbers them one after the other.
pub trait Io {
    /// Reads `size` bytes at `reg`; bits above the width are ignored by the bus.
    fn read(&mut self, reg: u64, size: Size, by: Initiator) -> BusResult<u64>;
    /// Writes the low `size` bytes of `value` at `reg`; bits above the width are zero.
    fn write(&mut self, reg: u64, size: Size, value: u64, by: Initiator) -> BusResult<()>;
}

/// Deadlines. The device owns its [`Timer`]s, sets them, and hears here that one passed.
pub trait Timed {
    /// The timers, in the order of the numbers that [`Timed::expired`] is called with.
    fn timers(&self) -> Vec<Timer>;
    /// Timer `timer` reached its deadline. It is disarmed; `now` is at or after the deadline.
    fn expired(&mut self, timer: usize, now: VTime);
}

/// A chip core. All that a guest can change is in one `State` struct, so that reset, save and load are one line each.
pub trait Device: Send {
    /// Name of the chip, unique per type: used in logs, snapshots and listings.
    fn name(&self) -> &'static str;
    /// Power-on state. Wires are driven to the level that this state asks for, timers disarmed.
    fn reset(&mut self);
    /// The guest-visible state, as bytes that [`Device::load`] of an equally configured device takes.
    fn save(&self) -> Result<Vec<u8>, StateError>;
    /// Replaces the state; drives wires and arms timers accordingly. On an error the state is unchanged.
    fn load(&mut self, saved: &[u8]) -> Result<(), StateError>;
    /// The registers, if it has any.
    fn io(&mut self) -> Option<&mut dyn Io> {
        None
    }
    /// The deadlines, if it has any.
    fn timed(&mut self) -> Option<&mut dyn Timed> {
        None
    }
}

/// A device as the bus holds it: shared between threads, locking inside. Every `Mutex<impl Device>` is one; a device
/// that is also called from elsewhere (an interrupt controller from wires and processors) implements it itself and
/// keeps a single lock.
pub trait Socket: Send + Sync {
    /// See [`Device::name`].
    fn name(&self) -> &'static str;
    /// See [`Device::reset`].
    fn reset(&self);
    /// See [`Device::save`].
    fn save(&self) -> Result<Vec<u8>, StateError>;
    /// See [`Device::load`].
    fn load(&self, saved: &[u8]) -> Result<(), StateError>;
    /// See [`Io::read`].
    fn read(&self, reg: u64, size: Size, by: Initiator) -> BusResult<u64>;
    /// See [`Io::write`].
    fn write(&self, reg: u64, size: Size, value: u64, by: Initiator) -> BusResult<()>;
    /// See [`Timed::expired`].
    fn expired(&self, _timer: usize, _now: VTime) {}
}

impl<D: Device> Socket for Mutex<D> {
    fn name(&self) -> &'static str {
        self.lock().name()
    }
    fn reset(&self) {
        self.lock().reset();
    }
    fn save(&self) -> Result<Vec<u8>, StateError> {
        self.lock().save()
    }
    fn load(&self, saved: &[u8]) -> Result<(), StateError> {
        self.lock().load(saved)
    }
    fn read(&self, reg: u64, size: Size, by: Initiator) -> BusResult<u64> {
        self.lock().io().ok_or(BusError::NoRegister)?.read(reg, size, by)
    }
    fn write(&self, reg: u64, size: Size, value: u64, by: Initiator) -> BusResult<()> {
        self.lock().io().ok_or(BusError::NoRegister)?.write(reg, size, value, by)
    }
    fn expired(&self, timer: usize, now: VTime) {
        if let Some(timed) = self.lock().timed() {
            timed.expired(timer, now);
        }
    }
}

/// Puts a device into its socket, and connects its timers to it.
pub fn share<D: Device + 'static>(mut device: D) -> Arc<Mutex<D>> {
    let timers = device.timed().map(|t| t.timers()).unwrap_or_default();
    let shared = Arc::new(Mutex::new(device));
    for (index, timer) in timers.into_iter().enumerate() {
        let weak: Weak<Mutex<D>> = Arc::downgrade(&shared);
        timer.on_expiry(move |now| {
            if let Some(device) = weak.upgrade() {
                device.expired(index, now);
            }
        });
    }
    shared
}

/// Checks an access to a bank of 32-bit registers as Arm's PrimeCells have it: the offset is that of a register, and
/// narrower accesses reach its low bits.
pub fn word_access(reg: u64, size: Size) -> BusResult<()> {
    if size > Size::B4 {
        Err(BusError::BadSize)
    } else if reg & 3 != 0 {
        Err(BusError::Unaligned)
    } else {
        Ok(())
    }
}

/// Byte `reg` of the PrimeCell identification registers, which spread one byte over each word from offset 0xfe0:
/// four of the peripheral, then `0d f0 05 b1` of the PrimeCell.
pub fn primecell_id(reg: u64, peripheral: [u8; 4]) -> Option<u64> {
    const PRIMECELL: [u8; 4] = [0x0d, 0xf0, 0x05, 0xb1];
    let index = usize::try_from(reg.checked_sub(0xfe0)? / 4).ok()?;
    peripheral.iter().chain(&PRIMECELL).nth(index).map(|&b| u64::from(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths() {
        assert_eq!(Size::B1.mask(), 0xff);
        assert_eq!(Size::B8.mask(), u64::MAX);
        for s in Size::ALL {
            assert_eq!(Size::from_bytes(s.bytes()), Some(s));
        }
        assert_eq!(Size::from_bytes(3), None);
    }

    #[test]
    fn primecell_bytes() {
        let id = |r| primecell_id(r, [0x11, 0x10, 0x14, 0]);
        assert_eq!(id(0xfe0), Some(0x11));
        assert_eq!(id(0xfec), Some(0));
        assert_eq!(id(0xff0), Some(0x0d));
        assert_eq!(id(0xffc), Some(0xb1));
        assert_eq!(id(0x1000), None);
        assert_eq!(id(0xfdc), None);
    }
}
