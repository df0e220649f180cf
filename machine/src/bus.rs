//! The physical address space as processors want it: RAM pages without a lock, everything else through the bus.

use lyrebird_cpu::core::{NoAnswer, Physical};
use lyrebird_devices::bus::device::{Initiator, Size};
use lyrebird_devices::bus::space::AddressSpace;
use std::sync::Arc;

/// A piece of the guest's one RAM mapping.
#[derive(Clone, Copy, Debug)]
struct Window {
    base: u64,
    len: u64,
    /// Offset in [`lyrebird_ram::GuestRam`].
    offset: u64,
    writable: bool,
}

/// RAM windows, fixed when the board is built, and the bus behind them.
pub struct PhysicalBus {
    windows: Vec<Window>,
    space: Arc<AddressSpace>,
}

impl PhysicalBus {
    /// A bus with no RAM windows yet.
    pub fn new(space: Arc<AddressSpace>) -> Self {
        Self { windows: Vec::new(), space }
    }

    /// Makes `len` bytes of guest RAM from `offset` visible at `base`.
    pub fn window(&mut self, base: u64, len: u64, offset: u64, writable: bool) {
        self.windows.push(Window { base, len, offset, writable });
    }
}

impl Physical for PhysicalBus {
    #[inline]
    fn ram(&self, pa: u64) -> Option<(u64, bool)> {
        let w = self.windows.iter().find(|w| pa.wrapping_sub(w.base) < w.len)?;
        Some((pa - w.base + w.offset, w.writable))
    }

    fn read(&self, cpu: usize, pa: u64, size: u32) -> Result<u64, NoAnswer> {
        let size = Size::from_bytes(size as u64).ok_or(NoAnswer)?;
        self.space.read(pa, size, Initiator::Cpu(cpu as u16)).map_err(|_| NoAnswer)
    }

    fn write(&self, cpu: usize, pa: u64, size: u32, value: u64) -> Result<(), NoAnswer> {
        let size = Size::from_bytes(size as u64).ok_or(NoAnswer)?;
        self.space.write(pa, size, value, Initiator::Cpu(cpu as u16)).map_err(|_| NoAnswer)
    }
}

/// 64 random bits of the host.
pub(crate) fn random() -> u64 {
    let mut bytes = [0; 8];
    // The host's generator gives up to 256 bytes without fail once it is seeded, which precedes any user program.
    let _ = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    u64::from_le_bytes(bytes)
}
