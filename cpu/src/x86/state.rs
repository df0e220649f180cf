//! Where x86's registers live in the register file.
//!
//! Words 0 to 31 are the general registers and what instructions touch most, 32 to 95 segments and control registers,
//! 96 to 127 the x87, 128 to 191 the vector registers, 192 to 319 system registers and MSRs. Words from 448 belong to
//! engines.

use super::insn::HIGH_BYTE;
use crate::slot::Slot;
use crate::width::{W16, W32, W64, W128};

/// A general register, or [`ZERO`] for [`super::insn::NO_REG`].
#[inline(always)]
pub const fn gpr(n: u8) -> Slot<W64> {
    Slot::word(n as u16 & 31)
}

/// A byte register: numbers from [`HIGH_BYTE`] are AH, CH, DH, BH.
#[inline(always)]
pub const fn gpr8(n: u8) -> Slot<crate::width::W8> {
    Slot::byte((n as u16 & 15) * 8 + (n / HIGH_BYTE) as u16)
}

macro_rules! words { ($from:literal to $to:literal; $($(#[$doc:meta])* $name:ident: $width:ident = $at:literal;)*) => {
    $($(#[$doc])* pub const $name: Slot<$width> = Slot::word($at);)*

    // No word has two meanings.
    const _: () = {
        let (all, mut seen) = ([$($at),*], 0u128);
        let mut i = 0;
        while i < all.len() {
            assert!(all[i] >= $from && all[i] < $to && seen >> (all[i] - $from) & 1 == 0, "the word has a meaning already");
            seen |= 1 << (all[i] - $from);
            i += 1;
        }
    };
} }

words! { 4 to 128;
    /// RSP.
    RSP: W64 = 4;
    /// Always zero: the base or index that an address does not have.
    ZERO: W64 = 16;
    /// Linear address of the instruction: CS base plus instruction pointer.
    PC: W64 = 17;
    /// The arithmetic flags in [`super::flags`] form.
    FLAGS: W32 = 18;
    /// EFLAGS besides the arithmetic flags.
    EFLAGS: W32 = 19;
    /// Which requests interrupt the guest, see [`crate::core::Arch::POLL_MASK`].
    POLL_MASK: W32 = 20;
    /// MXCSR besides its exception flags.
    MXCSR: W32 = 21;
    /// Control of vector operations, as [`crate::vec::FpEnv::control`]; follows MXCSR.
    FP_CONTROL: W32 = 22;
    /// Exception flags of vector operations, as [`crate::vec::FpEnv::status`].
    FP_STATUS: W32 = 23;
    /// CR0.
    CR0: W64 = 80;
    /// CR2.
    CR2: W64 = 81;
    /// CR3.
    CR3: W64 = 82;
    /// CR4.
    CR4: W64 = 83;
    /// EFER.
    EFER: W64 = 84;
    /// XCR0.
    XCR0: W64 = 85;
    /// PKRU.
    PKRU: W32 = 86;
    /// FPU control word.
    FCW: W16 = 112;
    /// FPU status word, with TOP.
    FSW: W16 = 113;
    /// FPU tag word in its abridged form: bit n set if register n (physical) is not empty.
    FTW: W16 = 114;
    /// FPU last opcode.
    FOP: W16 = 115;
    /// FPU instruction pointer.
    FIP: W64 = 116;
    /// FPU data pointer.
    FDP: W64 = 117;
    /// FPU code segment in bits 15:0, data segment in bits 31:16.
    FCS_FDS: W32 = 118;
}

/// Selector of a segment register.
#[inline(always)]
pub const fn selector(s: u8) -> Slot<W16> {
    Slot::word(32 + s as u16 % 8)
}
/// Base of a segment; 6 is LDTR, 7 is TR.
#[inline(always)]
pub const fn base(s: u8) -> Slot<W64> {
    Slot::word(40 + s as u16 % 8)
}
/// Limit of a segment, in bytes, granularity applied.
#[inline(always)]
pub const fn limit(s: u8) -> Slot<W32> {
    Slot::word(48 + s as u16 % 8)
}
/// Attributes of a segment: bits 23:8 of the high word of its descriptor, shifted right by 8 (type in bits 3:0, S 4, DPL
/// 6:5, P 7, AVL 12, L 13, D/B 14, G 15); bit 16 says that it is unusable.
#[inline(always)]
pub const fn attributes(s: u8) -> Slot<W32> {
    Slot::word(56 + s as u16 % 8)
}
/// First offset of a segment that may be accessed; above [`high`] if none may.
#[inline(always)]
pub const fn low(s: u8) -> Slot<W64> {
    Slot::word(64 + s as u16 % 8)
}
/// Last offset of a segment that may be read.
#[inline(always)]
pub const fn high(s: u8) -> Slot<W64> {
    Slot::word(72 + s as u16 % 8)
}
/// Last offset of a segment that may be written; below [`low`] for one that may not.
#[inline(always)]
pub const fn write_high(s: u8) -> Slot<W64> {
    Slot::word(88 + s as u16 % 8)
}

/// x87 data register `n`, physical (not relative to TOP): 80 bits in two words, the significand first.
#[inline(always)]
pub const fn fpr(n: u8) -> Slot<W128> {
    Slot::word(96 + 2 * (n as u16 & 7))
}

/// XMM0 to XMM15: the low halves of the YMM registers.
#[inline(always)]
pub const fn xmm(n: u8) -> Slot<W128> {
    Slot::word(128 + 2 * (n as u16 & 15))
}

/// The high halves of YMM0 to YMM15.
#[inline(always)]
pub const fn ymm_high(n: u8) -> Slot<W128> {
    Slot::word(160 + 2 * (n as u16 & 15))
}

/// First word of system registers and MSRs.
pub const SYSREGS: u16 = 192;
/// First word that belongs to engines.
pub const ENGINE: u16 = 448;
