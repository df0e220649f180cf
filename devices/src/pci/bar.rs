//! Base address registers (PCI 3.0, 6.2.5): what a function wants to have mapped, and where the guest puts it.

use super::config::{ConfigSpace, command, reg};
use crate::bus::span::Span;

/// Number of the expansion ROM among a function's regions; 0 to 5 are the base address registers.
pub const ROM: usize = 6;
/// Regions that a function can have.
pub const COUNT: usize = 7;

/// What kind of address a region has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// I/O ports.
    Io,
    /// 32-bit memory.
    Memory32 {
        /// Reads have no side effects.
        prefetchable: bool,
    },
    /// 64-bit memory; it takes the next register, too.
    Memory64 {
        /// Reads have no side effects.
        prefetchable: bool,
    },
    /// Expansion ROM.
    Rom,
}

/// A region of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bar {
    /// Its kind.
    pub kind: Kind,
    /// Its length, bytes: a power of two, at least 4 for I/O and 16 for memory.
    pub len: u64,
}

impl Bar {
    /// I/O ports.
    pub const fn io(len: u64) -> Bar {
        Bar { kind: Kind::Io, len: len.next_power_of_two() }
    }

    /// 32-bit memory, not prefetchable.
    pub const fn memory(len: u64) -> Bar {
        Bar { kind: Kind::Memory32 { prefetchable: false }, len: len.next_power_of_two() }
    }

    /// 32-bit memory, prefetchable.
    pub const fn prefetchable(len: u64) -> Bar {
        Bar { kind: Kind::Memory32 { prefetchable: true }, len: len.next_power_of_two() }
    }

    /// 64-bit memory, prefetchable.
    pub const fn memory64(len: u64) -> Bar {
        Bar { kind: Kind::Memory64 { prefetchable: true }, len: len.next_power_of_two() }
    }

    /// Expansion ROM.
    pub const fn rom(len: u64) -> Bar {
        Bar { kind: Kind::Rom, len: len.next_power_of_two() }
    }

    /// Whether it is in I/O space.
    pub const fn is_io(self) -> bool {
        matches!(self.kind, Kind::Io)
    }

    /// Offset of its register.
    pub const fn register(index: usize) -> usize {
        if index == ROM { reg::ROM } else { reg::BAR + 4 * index }
    }

    /// Puts its register into a configuration space.
    pub fn define(self, config: &mut ConfigSpace, index: usize) {
        let low: u32 = match self.kind {
            Kind::Io => 1,
            Kind::Memory32 { prefetchable } => u32::from(prefetchable) << 3,
            Kind::Memory64 { prefetchable } => 4 | u32::from(prefetchable) << 3,
            Kind::Rom => 0,
        };
        let mask = !(self.len - 1);
        let at = Bar::register(index);
        let enable = u64::from(self.kind == Kind::Rom);
        config.define(at, &low.to_le_bytes(), &((mask | enable) as u32).to_le_bytes());
        if matches!(self.kind, Kind::Memory64 { .. }) {
            config.define(at + 4, &[0; 4], &((mask >> 32) as u32).to_le_bytes());
        }
    }

    /// Where the guest has put it: `None` while it is not decoded. Address 0 and addresses whose end is the last of
    /// their kind, which sizing writes, count as not decoded.
    pub fn place(self, config: &ConfigSpace, index: usize) -> Option<Span> {
        let at = Bar::register(index);
        let enable = if self.is_io() { command::IO } else { command::MEMORY };
        if config.command() & enable == 0 {
            return None;
        }
        let low = u64::from(config.dword(at));
        let (raw, limit) = match self.kind {
            Kind::Io => (low, 0xFFFF),
            Kind::Memory32 { .. } => (low, 0xFFFF_FFFE),
            Kind::Memory64 { .. } => (low | u64::from(config.dword(at + 4)) << 32, u64::MAX - 1),
            Kind::Rom if low & 1 == 0 => return None,
            Kind::Rom => (low, 0xFFFF_FFFE),
        };
        let base = raw & !(self.len - 1);
        Span::new(base, self.len).ok().filter(|span| base != 0 && span.last() <= limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pci::config::Identity;

    fn put(config: &mut ConfigSpace, at: usize, value: u32) {
        value.to_le_bytes().iter().enumerate().for_each(|(i, &b)| config.write_byte(at + i, b));
    }

    fn config(bars: &[(usize, Bar)]) -> ConfigSpace {
        let mut config = ConfigSpace::new(Identity::new(1, 2, 3, 0xFF_0000));
        bars.iter().for_each(|&(index, bar)| bar.define(&mut config, index));
        put(&mut config, 4, 7);
        config
    }

    #[test]
    fn sizing_tells_kind_and_length() {
        let bars = [
            (0, Bar::io(0x20)),
            (1, Bar::memory(0x1000)),
            (4, Bar::memory64(0x4000)),
            (6, Bar::rom(0x1_0000)),
        ];
        let mut config = config(&bars);
        for at in [0x10, 0x14, 0x18, 0x20, 0x24, 0x30] {
            put(&mut config, at, 0xFFFF_FFFF);
        }
        assert_eq!(config.dword(0x10), 0xFFFF_FFE1);
        assert_eq!(config.dword(0x14), 0xFFFF_F000);
        assert_eq!(config.dword(0x18), 0);
        assert_eq!((config.dword(0x20), config.dword(0x24)), (0xFFFF_C00C, 0xFFFF_FFFF));
        assert_eq!(config.dword(0x30), 0xFFFF_0001);
        for (index, bar) in bars {
            assert_eq!(bar.place(&config, index), None, "{index}");
        }
    }

    #[test]
    fn places_follow_command_and_address() {
        let (io, mem, wide, rom) =
            (Bar::io(0x20), Bar::memory(0x1000), Bar::memory64(0x4000), Bar::rom(0x800));
        let mut config = config(&[(0, io), (1, mem), (2, wide), (6, rom)]);
        let base = |bar: Bar, config: &ConfigSpace, i| bar.place(config, i).map(Span::first);
        assert_eq!(base(mem, &config, 1), None, "address 0");
        put(&mut config, 0x10, 0xC05F);
        put(&mut config, 0x14, 0xFEBF_1234);
        put(&mut config, 0x18, 0x8000_0000);
        put(&mut config, 0x1C, 0x12);
        put(&mut config, 0x30, 0xFEA0_0000);
        assert_eq!(base(io, &config, 0), Some(0xC040));
        assert_eq!(base(mem, &config, 1), Some(0xFEBF_1000));
        assert_eq!(base(wide, &config, 2), Some(0x12_8000_0000));
        assert_eq!(base(rom, &config, 6), None, "not enabled");
        put(&mut config, 0x30, 0xFEA0_0001);
        assert_eq!(base(rom, &config, 6), Some(0xFEA0_0000));
        put(&mut config, 0x10, 0x1_0000);
        assert_eq!(base(io, &config, 0), None, "beyond the ports");
        put(&mut config, 4, 1);
        assert_eq!(base(mem, &config, 1), None, "memory decoding is off");
    }
}
