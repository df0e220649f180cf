//! Configuration space of one function: the type 0 header, its write masks, and the capability list.
//!
//! Which bits a guest can write is data beside the bytes; what a write means is the function's business
//! ([`super::function`]).

use crate::bus::snapshot::{StateError, require};

/// Bytes of a conventional function's configuration space.
pub const LEN: usize = 0x100;
/// Bytes of a PCI Express function's.
pub const EXPRESS_LEN: usize = 0x1000;

/// Offsets in the type 0 header (PCI 3.0, 6.1).
pub mod reg {
    /// Command.
    pub const COMMAND: usize = 0x04;
    /// Status.
    pub const STATUS: usize = 0x06;
    /// Header type; bit 7 says that the device has several functions.
    pub const HEADER_TYPE: usize = 0x0E;
    /// The first base address register.
    pub const BAR: usize = 0x10;
    /// Expansion ROM base address.
    pub const ROM: usize = 0x30;
    /// Offset of the first capability.
    pub const CAPABILITIES: usize = 0x34;
    /// Number of the interrupt, for software.
    pub const INTERRUPT_LINE: usize = 0x3C;
    /// Which INTx pin is used: 1 to 4, 0 for none.
    pub const INTERRUPT_PIN: usize = 0x3D;
}

/// Bits of the command register (6.2.2).
pub mod command {
    /// Answers in I/O space.
    pub const IO: u16 = 1;
    /// Answers in memory space.
    pub const MEMORY: u16 = 2;
    /// May use DMA and MSI.
    pub const MASTER: u16 = 4;
    /// Reports system errors.
    pub const SERR: u16 = 0x100;
    /// Does not assert its INTx pin.
    pub const INTX_DISABLE: u16 = 0x400;
}

/// Bits of the status register (6.2.3).
pub mod status {
    /// The INTx pin is, or would be, asserted.
    pub const INTERRUPT: u16 = 8;
    /// There is a capability list.
    pub const CAPABILITIES: u16 = 0x10;
}

/// Capability identifiers (PCI 3.0, appendix H).
pub mod capability {
    /// Power management.
    pub const POWER: u8 = 0x01;
    /// Message signalled interrupts.
    pub const MSI: u8 = 0x05;
    /// Vendor specific.
    pub const VENDOR: u8 = 0x09;
    /// PCI Express.
    pub const EXPRESS: u8 = 0x10;
    /// MSI-X.
    pub const MSIX: u8 = 0x11;
    /// Serial ATA index and data registers.
    pub const SATA: u8 = 0x12;
}

/// Who a function says it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// Vendor.
    pub vendor: u16,
    /// Device.
    pub device: u16,
    /// Revision.
    pub revision: u8,
    /// Base class, subclass, programming interface: 0xBBSSPP.
    pub class: u32,
    /// Subsystem vendor.
    pub subsystem_vendor: u16,
    /// Subsystem.
    pub subsystem: u16,
}

impl Identity {
    /// A function with the subsystem that QEMU gives to its models, 1af4:1100.
    pub const fn new(vendor: u16, device: u16, revision: u8, class: u32) -> Identity {
        Identity { vendor, device, revision, class, subsystem_vendor: 0x1AF4, subsystem: 0x1100 }
    }
}

/// The bytes of a configuration space and what may be done to them.
#[derive(Debug, Clone)]
pub struct ConfigSpace {
    bytes: Box<[u8]>,
    /// Bits that a write replaces.
    writable: Box<[u8]>,
    /// Bits that a write of one clears.
    clears: Box<[u8]>,
    /// Bits that only the device changes.
    volatile: Box<[u8]>,
    /// The bytes at power-on.
    fresh: Box<[u8]>,
    /// Where the next capability goes.
    free: usize,
}

impl ConfigSpace {
    /// A conventional function. Bytes from 0x40 on can be written unless a capability or a register is defined there.
    pub fn new(id: Identity) -> ConfigSpace {
        ConfigSpace::with_len(id, LEN)
    }

    /// A PCI Express function; the extended configuration space is empty.
    pub fn express(id: Identity) -> ConfigSpace {
        ConfigSpace::with_len(id, EXPRESS_LEN)
    }

    fn with_len(id: Identity, len: usize) -> ConfigSpace {
        let zero = || vec![0; len].into_boxed_slice();
        let mut config = ConfigSpace {
            bytes: zero(),
            writable: zero(),
            clears: zero(),
            volatile: zero(),
            fresh: zero(),
            free: 0x40,
        };
        config.define(0x00, &id.vendor.to_le_bytes(), &[]);
        config.define(0x02, &id.device.to_le_bytes(), &[]);
        config.define(0x08, &(id.class << 8 | u32::from(id.revision)).to_le_bytes(), &[]);
        config.define(0x2C, &id.subsystem_vendor.to_le_bytes(), &[]);
        config.define(0x2E, &id.subsystem.to_le_bytes(), &[]);
        let writable =
            command::IO | command::MEMORY | command::MASTER | command::SERR | command::INTX_DISABLE;
        config.define(reg::COMMAND, &[0, 0], &writable.to_le_bytes());
        config.define(reg::INTERRUPT_LINE, &[0], &[0xFF]);
        // Errors that are reported and cleared; nothing here causes them.
        config.clears(reg::STATUS + 1, 0xF9);
        config.define(0x40, &[0; LEN - 0x40], &[0xFF; LEN - 0x40]);
        config
    }

    /// Defines registers at `offset`: power-on values, and which bits can be written (missing bytes: none).
    pub fn define(&mut self, offset: usize, values: &[u8], writable: &[u8]) {
        for (i, &value) in values.iter().enumerate() {
            let at = offset + i;
            set(&mut self.bytes, at, value);
            set(&mut self.fresh, at, value);
            set(&mut self.writable, at, writable.get(i).copied().unwrap_or(0));
        }
    }

    /// Lets a write of ones clear `bits` of the byte at `offset`.
    pub fn clears(&mut self, offset: usize, bits: u8) {
        set(&mut self.clears, offset, bits);
    }

    /// Says that the device changes `bits` of the byte at `offset`, so that they are saved.
    pub fn volatile(&mut self, offset: usize, bits: u8) {
        set(&mut self.volatile, offset, bits);
    }

    /// Adds the capability `id` at `offset`, or at the next free place if that is 0: `body` follows identifier and
    /// link, `writable` says what of it can be written. Returns its offset.
    pub fn add_capability(&mut self, id: u8, offset: usize, body: &[u8], writable: &[u8]) -> usize {
        let at = if offset == 0 { self.free } else { offset };
        let first = self.byte(reg::CAPABILITIES);
        self.define(at, &[id, first], &[]);
        self.define(at + 2, body, writable);
        self.define(reg::CAPABILITIES, &[at as u8], &[]);
        let status = self.byte(reg::STATUS) | status::CAPABILITIES as u8;
        self.define(reg::STATUS, &[status], &[]);
        self.free = self.free.max((at + 2 + body.len()).next_multiple_of(4));
        at
    }

    /// The capability list's entry for `id`: its offset.
    pub fn find_capability(&self, id: u8) -> Option<usize> {
        let mut at = usize::from(self.byte(reg::CAPABILITIES));
        for _ in 0..48 {
            if at < 0x40 {
                return None;
            }
            if self.byte(at) == id {
                return Some(at);
            }
            at = usize::from(self.byte(at + 1)) & !3;
        }
        None
    }

    /// Says which INTx pin is used, 1 (A) to 4 (D).
    pub fn set_pin(&mut self, pin: u8) {
        self.define(reg::INTERRUPT_PIN, &[pin], &[]);
    }

    /// Says that the device has several functions.
    pub fn set_multifunction(&mut self) {
        let kind = self.byte(reg::HEADER_TYPE) | 0x80;
        self.define(reg::HEADER_TYPE, &[kind], &[]);
    }

    /// Bytes of the space.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Never true.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// The byte at `offset`; all ones beyond the end.
    pub fn byte(&self, offset: usize) -> u8 {
        self.bytes.get(offset).copied().unwrap_or(0xFF)
    }

    /// The 16-bit register at `offset`.
    pub fn word(&self, offset: usize) -> u16 {
        u16::from_le_bytes([self.byte(offset), self.byte(offset + 1)])
    }

    /// The 32-bit register at `offset`.
    pub fn dword(&self, offset: usize) -> u32 {
        u32::from(self.word(offset)) | u32::from(self.word(offset + 2)) << 16
    }

    /// The command register.
    pub fn command(&self) -> u16 {
        self.word(reg::COMMAND)
    }

    /// A change by the device itself. The bits must be writable or volatile ones, or they are lost in a snapshot.
    pub fn put(&mut self, offset: usize, value: u8) {
        set(&mut self.bytes, offset, value);
    }

    /// A write by the guest to the byte at `offset`.
    pub fn write_byte(&mut self, offset: usize, value: u8) {
        let mask = |masks: &[u8]| masks.get(offset).copied().unwrap_or(0);
        let (writable, clears) = (mask(&self.writable), mask(&self.clears));
        let old = self.byte(offset);
        set(&mut self.bytes, offset, (old & !writable | value & writable) & !(value & clears));
    }

    /// Power-on values.
    pub fn reset(&mut self) {
        self.bytes.copy_from_slice(&self.fresh);
    }

    /// The bytes, to be saved.
    pub fn saved(&self) -> Vec<u8> {
        self.bytes.to_vec()
    }

    /// What `load` would make of `saved`.
    ///
    /// # Errors
    /// When they are the bytes of another kind of function.
    pub fn checked(&self, saved: &[u8]) -> Result<ConfigSpace, StateError> {
        require(saved.len() == self.bytes.len(), "the configuration space has another length")?;
        let mut new = self.clone();
        for (at, &value) in saved.iter().enumerate() {
            let mask = |masks: &[u8]| masks.get(at).copied().unwrap_or(0);
            let changes = mask(&self.writable) | mask(&self.clears) | mask(&self.volatile);
            let fresh = mask(&self.fresh);
            require((value ^ fresh) & !changes == 0, "a read-only register has another value")?;
            set(&mut new.bytes, at, value);
        }
        Ok(new)
    }
}

fn set(bytes: &mut [u8], at: usize, value: u8) {
    if let Some(byte) = bytes.get_mut(at) {
        *byte = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> ConfigSpace {
        ConfigSpace::new(Identity::new(0x8086, 0x1237, 2, 0x06_0000))
    }

    #[test]
    fn the_header_is_where_it_should_be() {
        let config = config();
        assert_eq!(config.dword(0), 0x1237_8086);
        assert_eq!(config.dword(8), 0x0600_0002);
        assert_eq!(config.dword(0x2C), 0x1100_1AF4);
        assert_eq!(config.byte(0x100), 0xFF);
    }

    #[test]
    fn masks_hold() {
        let mut config = config();
        (0..LEN).for_each(|at| config.write_byte(at, 0xFF));
        assert_eq!(config.dword(0), 0x1237_8086);
        assert_eq!(config.command(), 0x507);
        assert_eq!(config.word(reg::STATUS), 0);
        assert_eq!(config.byte(reg::INTERRUPT_LINE), 0xFF);
        assert_eq!(config.byte(reg::INTERRUPT_PIN), 0);
        config.clears(0x50, 0x0F);
        config.define(0x50, &[0xFF], &[0xF0]);
        config.write_byte(0x50, 0x3C);
        assert_eq!(config.byte(0x50), 0x33);
        config.reset();
        assert_eq!(config.byte(0x50), 0xFF);
    }

    #[test]
    fn capabilities_form_a_list() {
        let mut config = config();
        let power = config.add_capability(capability::POWER, 0, &[2, 0, 0, 0, 0, 0], &[]);
        let vendor = config.add_capability(capability::VENDOR, 0x80, &[3, 0], &[0, 0xFF]);
        assert_eq!((power, vendor), (0x40, 0x80));
        assert_eq!(config.find_capability(capability::POWER), Some(0x40));
        assert_eq!(config.find_capability(capability::MSI), None);
        assert_eq!(config.word(reg::STATUS), 0x10);
        config.write_byte(0x83, 7);
        config.write_byte(0x42, 7);
        assert_eq!((config.byte(0x83), config.byte(0x42)), (7, 2));
    }

    #[test]
    fn other_functions_states_are_refused() {
        let mut config = config();
        config.write_byte(0x40, 9);
        let saved = config.saved();
        assert_eq!(super::tests::config().checked(&saved).unwrap().byte(0x40), 9);
        let mut bad = saved.clone();
        bad[0] = 0;
        assert!(config.checked(&bad).is_err());
        assert!(config.checked(&saved[1..]).is_err());
    }
}
