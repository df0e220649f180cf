//! Loads that may fault: a fault is caught.

use crate::vectors;
use core::arch::asm;

/// The doubleword at any address, or nothing if loading it faults.
pub fn try_load(address: u64) -> Option<u32> {
    let value: u32;
    vectors::expect();
    // SAFETY: a load from an address that may have any meaning: the user asked for it. If it faults, the handler goes
    // on at the address in r11.
    unsafe {
        asm!(
            "lea r11, [rip + 2f]",
            "mov {value:e}, [{address}]",
            "2:",
            address = in(reg) address, value = out(reg) value, out("r11") _, options(nostack)
        );
    }
    vectors::caught().is_none().then_some(value)
}
