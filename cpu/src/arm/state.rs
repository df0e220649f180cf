//! Where Arm's registers live in the register file.
//!
//! Words 0 to 63 are the general registers and what instructions touch most, 64 to 127 the vector registers, 128 to
//! 447 the system registers ([`super::sysreg`] gives each its word). Words from 448 belong to engines.

use crate::slot::Slot;
use crate::width::{W32, W64, W128};

/// X0 to X30; `n` is below 31.
#[inline(always)]
pub const fn x(n: u32) -> Slot<W64> {
    Slot::word(n as u16 & 31)
}

/// The stack pointer in use; the others are in SP_EL0 and SP_EL1.
pub const SP: Slot<W64> = Slot::word(31);
/// The program counter.
pub const PC: Slot<W64> = Slot::word(32);
/// The condition flags in [`crate::op::nzcv`] form.
pub const NZCV: Slot<W32> = Slot::word(33);
/// Address that the exclusive monitor watches, or [`NO_MONITOR`].
pub const EXCL_ADDR: Slot<W64> = Slot::word(34);
/// What was loaded from there (low half for a pair).
pub const EXCL_LOW: Slot<W64> = Slot::word(35);
/// High half of what a pair loaded.
pub const EXCL_HIGH: Slot<W64> = Slot::word(36);
/// PSTATE besides the flags, in SPSR positions (DAIF, SS, IL, PAN, UAO, SSBS, BTYPE, TCO; not M).
pub const PSTATE: Slot<W32> = Slot::word(37);
/// `PSTATE.M[3:0]` as in SPSR: the exception level in bits 3:2, SPSel in bit 0.
pub const MODE: Slot<W32> = Slot::word(38);
/// Version of the monitored granule, see [`super::exclusive`].
pub const EXCL_VERSION: Slot<W32> = Slot::word(42);
/// High half of what a store-exclusive pair stores, on its way to the helper.
pub const EXCL_NEW_HIGH: Slot<W64> = Slot::word(43);
/// Bits of a user pointer that hold an authentication code; follows TCR_EL1.
pub const PAC_MASK0: Slot<W64> = Slot::word(44);
/// The same for kernel pointers.
pub const PAC_MASK1: Slot<W64> = Slot::word(45);
/// FPCR.
pub const FPCR: Slot<W32> = Slot::word(40);
/// FPSR.
pub const FPSR: Slot<W32> = Slot::word(41);

/// An exclusive address that no access has: the monitor is open.
pub const NO_MONITOR: u64 = u64::MAX;

/// V0 to V31.
#[inline(always)]
pub const fn v(n: u32) -> Slot<W128> {
    Slot::word(64 + 2 * (n as u16 & 31))
}

/// First word of the system registers.
pub const SYSREGS: u16 = 128;
/// First word that belongs to engines.
pub const ENGINE: u16 = 448;
