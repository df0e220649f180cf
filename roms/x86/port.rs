//! Port I/O.

use core::arch::asm;

/// Reads a byte from `port`.
pub fn read(port: u16) -> u8 {
    let value;
    // SAFETY: the program owns the machine; no port here starts DMA.
    unsafe { asm!("in al, dx", in("dx") port, out("al") value, options(nomem, nostack, preserves_flags)) };
    value
}

/// Writes a byte to `port`.
pub fn write(port: u16, value: u8) {
    // SAFETY: as in `read`.
    unsafe { asm!("out dx, al", in("dx") port, in("al") value, options(nomem, nostack, preserves_flags)) };
}

/// Reads a halfword from `port`.
pub fn read16(port: u16) -> u16 {
    let value;
    // SAFETY: as in `read`.
    unsafe { asm!("in ax, dx", in("dx") port, out("ax") value, options(nomem, nostack, preserves_flags)) };
    value
}

/// Writes a halfword to `port`.
pub fn write16(port: u16, value: u16) {
    // SAFETY: as in `read`.
    unsafe { asm!("out dx, ax", in("dx") port, in("ax") value, options(nomem, nostack, preserves_flags)) };
}
