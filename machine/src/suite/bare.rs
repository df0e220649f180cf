//! What stands around a processor that only runs tests: RAM from address 0 on, and nothing else.

use lyrebird_cpu::core::Physical;
use lyrebird_cpu::x86::Platform;

/// So many bytes of RAM.
pub struct Ram(pub u64);

impl Physical for Ram {
    fn ram(&self, pa: u64) -> Option<(u64, bool)> {
        (pa < self.0).then_some((pa, true))
    }
}

/// An x86 board without devices: its ports read as all ones.
pub struct NoBoard;

impl Platform for NoBoard {}
