//! Which pages a run touches.

use lyrebird_cpu::core::{NoAnswer, Physical};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// A bus that notes the pages of RAM that are asked for.
pub(super) struct Witness {
    bus: Arc<dyn Physical>,
    /// By physical address: RAM offset, and whether it is writable.
    pages: Mutex<BTreeMap<u64, (u64, bool)>>,
}

impl Witness {
    pub(super) fn new(bus: Arc<dyn Physical>) -> Self {
        Self { bus, pages: Mutex::default() }
    }

    /// The pages.
    pub(super) fn pages(&self) -> BTreeMap<u64, (u64, bool)> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Physical for Witness {
    fn ram(&self, pa: u64) -> Option<(u64, bool)> {
        let found = self.bus.ram(pa)?;
        self.pages.lock().unwrap_or_else(PoisonError::into_inner).insert(pa, found);
        Some(found)
    }
    fn read(&self, cpu: usize, pa: u64, size: u32) -> Result<u64, NoAnswer> {
        self.bus.read(cpu, pa, size)
    }
    fn write(&self, cpu: usize, pa: u64, size: u32, value: u64) -> Result<(), NoAnswer> {
        self.bus.write(cpu, pa, size, value)
    }
}
