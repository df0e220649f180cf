//! Where Arm's registers live in the register file.
//!
//! Words 0 to 63 are the general registers and what instructions touch most, 64 to 127 the vector registers, 128 to
//! 447 the system registers ([`super::sysreg`] gives each its word). Words from 448 belong to engines.

use crate::slot::Slot;
use crate::width::{W32, W64, W128};

/// X0 to X30; `n` is below 31.
#[inline(always)]
pub const fn x(n: u32) -> Slot<W64> {
    Slot::word(n as u16)
}

macro_rules! words { ($($(#[$doc:meta])* $name:ident: $width:ident = $at:literal;)*) => {
    $($(#[$doc])* pub const $name: Slot<$width> = Slot::word($at);)*

    // No word has two meanings.
    const _: () = {
        let (all, mut seen) = ([$($at),*], 0x7FFF_FFFF_u64);
        let mut i = 0;
        while i < all.len() {
            assert!(all[i] < 64 && seen >> all[i] & 1 == 0, "the word has a meaning already");
            seen |= 1 << all[i];
            i += 1;
        }
    };
} }

words! {
    /// The stack pointer in use; the others are in SP_EL0 and SP_EL1.
    SP: W64 = 31;
    /// The program counter.
    PC: W64 = 32;
    /// The condition flags in [`crate::op::nzcv`] form.
    NZCV: W32 = 33;
    /// Address that the exclusive monitor watches, or [`NO_MONITOR`].
    EXCL_ADDR: W64 = 34;
    /// What was loaded from there (low half for a pair).
    EXCL_LOW: W64 = 35;
    /// High half of what a pair loaded.
    EXCL_HIGH: W64 = 36;
    /// PSTATE besides the flags, in SPSR positions (DAIF, SS, IL, PAN, UAO, SSBS, BTYPE, TCO; not M).
    PSTATE: W32 = 37;
    /// `PSTATE.M[3:0]` as in SPSR: the exception level in bits 3:2, SPSel in bit 0.
    MODE: W32 = 38;
    /// FPCR.
    FPCR: W32 = 40;
    /// FPSR.
    FPSR: W32 = 41;
    /// Version of the monitored granule, see [`super::exclusive`].
    EXCL_VERSION: W64 = 42;
    /// High half of what a store-exclusive pair or an atomic exchange stores, on its way to the helper.
    EXCL_NEW_HIGH: W64 = 43;
    /// Bits of a user pointer to data that hold an authentication code; follows TCR_EL1, as the next five do.
    PAC_MASK0: W64 = 44;
    /// The same for kernel pointers.
    PAC_MASK1: W64 = 45;
    /// Bits of a user pointer to code that hold one.
    PAC_MASK0_I: W64 = 46;
    /// The same for kernel pointers.
    PAC_MASK1_I: W64 = 47;
    /// The bit of a pointer to data that says which half it belongs to when it is signed.
    PAC_SELECT: W64 = 48;
    /// The same for pointers to code.
    PAC_SELECT_I: W64 = 49;
    /// How far a stepped instruction is, see [`super::debug`].
    STEP_PROGRESS: W32 = 50;
    /// When the performance monitors last counted, see [`super::pmu`].
    PMU_THEN: W64 = 51;
    /// What they ask for.
    PMU_WANTS: W32 = 52;
    /// Which requests interrupt the guest, see [`crate::core::Arch::POLL_MASK`]; follows PSTATE.I and F.
    POLL_MASK: W32 = 53;
    /// Low half of what an atomic exchange stores, on its way to the helper.
    SWAP_LOW: W64 = 54;
    /// High half of what an atomic exchange expects, and of what it found.
    SWAP_HIGH: W64 = 55;
}

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
