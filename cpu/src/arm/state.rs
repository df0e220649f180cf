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
pub const EXCL_VERSION: Slot<W64> = Slot::word(42);
/// High half of what a store-exclusive pair or an atomic exchange stores, on its way to the helper.
pub const EXCL_NEW_HIGH: Slot<W64> = Slot::word(43);
/// Low half of what an atomic exchange stores, on its way to the helper.
pub const SWAP_LOW: Slot<W64> = Slot::word(53);
/// High half of what an atomic exchange expects, and of what it found.
pub const SWAP_HIGH: Slot<W64> = Slot::word(54);
/// Bits of a user pointer to data that hold an authentication code; follows TCR_EL1, as the next five do.
pub const PAC_MASK0: Slot<W64> = Slot::word(44);
/// The same for kernel pointers.
pub const PAC_MASK1: Slot<W64> = Slot::word(45);
/// Bits of a user pointer to code that hold one.
pub const PAC_MASK0_I: Slot<W64> = Slot::word(46);
/// The same for kernel pointers.
pub const PAC_MASK1_I: Slot<W64> = Slot::word(47);
/// The bit of a pointer to data that says which half it belongs to when it is signed.
pub const PAC_SELECT: Slot<W64> = Slot::word(48);
/// The same for pointers to code.
pub const PAC_SELECT_I: Slot<W64> = Slot::word(49);
/// How far a stepped instruction is, see [`super::debug`].
pub const STEP_PROGRESS: Slot<W32> = Slot::word(50);
/// When the performance monitors last counted, see [`super::pmu`].
pub const PMU_THEN: Slot<W64> = Slot::word(51);
/// What they ask for.
pub const PMU_WANTS: Slot<W32> = Slot::word(52);
/// Which requests interrupt the guest, see [`crate::core::Arch::POLL_MASK`]; follows PSTATE.I and F.
pub const POLL_MASK: Slot<W32> = Slot::word(53);
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
