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
    Slot::word(n as u16)
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
    /// Current privilege level.
    CPL: W32 = 24;
    /// Linear address of the instruction at which interrupts wait, because STI or a load of SS stands before it;
    /// [`NO_SHADOW`] if there is none.
    SHADOW: W64 = 25;
    /// See [`blocked`].
    BLOCKED: W32 = 26;
    /// Conditions for #DB that the instruction in progress met, as DR6 bits.
    DEBUG_PENDING: W32 = 27;
    /// The quotient of a division of 128 bits in progress.
    QUOTIENT: W64 = 28;
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

words! { 192 to 320;
    /// GDTR: base.
    GDT_BASE: W64 = 192;
    /// GDTR: limit.
    GDT_LIMIT: W32 = 193;
    /// IDTR: base.
    IDT_BASE: W64 = 194;
    /// IDTR: limit.
    IDT_LIMIT: W32 = 195;
    /// DR6.
    DR6: W64 = 200;
    /// DR7.
    DR7: W64 = 201;
    /// IA32_DEBUGCTL.
    DEBUGCTL: W64 = 202;
    /// IA32_STAR.
    STAR: W64 = 208;
    /// IA32_LSTAR.
    LSTAR: W64 = 209;
    /// IA32_CSTAR.
    CSTAR: W64 = 210;
    /// IA32_FMASK.
    FMASK: W64 = 211;
    /// IA32_KERNEL_GS_BASE.
    KERNEL_GS_BASE: W64 = 212;
    /// IA32_SYSENTER_CS.
    SYSENTER_CS: W64 = 213;
    /// IA32_SYSENTER_ESP.
    SYSENTER_ESP: W64 = 214;
    /// IA32_SYSENTER_EIP.
    SYSENTER_EIP: W64 = 215;
    /// What the time stamp counter is ahead of virtual time.
    TSC_OFFSET: W64 = 216;
    /// IA32_TSC_ADJUST.
    TSC_ADJUST: W64 = 217;
    /// IA32_TSC_AUX.
    TSC_AUX: W64 = 218;
    /// IA32_PAT.
    PAT: W64 = 219;
    /// IA32_MISC_ENABLE.
    MISC_ENABLE: W64 = 220;
    /// IA32_MTRR_DEF_TYPE.
    MTRR_DEF_TYPE: W64 = 221;
    /// IA32_MCG_STATUS.
    MCG_STATUS: W64 = 222;
    /// IA32_MCG_CTL.
    MCG_CTL: W64 = 223;
    /// IA32_XSS.
    XSS: W64 = 224;
    /// IA32_FEATURE_CONTROL.
    FEATURE_CONTROL: W64 = 225;
    /// IA32_SPEC_CTRL.
    SPEC_CTRL: W64 = 227;
    /// SMBASE.
    SMBASE: W64 = 228;
}

/// DR0 to DR3.
#[inline(always)]
pub const fn dr(n: u8) -> Slot<W64> {
    Slot::word(196 + n as u16 % 4)
}
/// The page-directory-pointer entries that loading CR3 with PAE paging reads.
#[inline(always)]
pub const fn pdpte(n: u8) -> Slot<W64> {
    Slot::word(204 + n as u16 % 4)
}
/// IA32_MTRR_PHYSBASE0, IA32_MTRR_PHYSMASK0, IA32_MTRR_PHYSBASE1 and so on.
#[inline(always)]
pub const fn mtrr_variable(n: u8) -> Slot<W64> {
    Slot::word(232 + n as u16 % 16)
}
/// The eleven fixed-range MTRRs, in the order of their numbers.
#[inline(always)]
pub const fn mtrr_fixed(n: u8) -> Slot<W64> {
    Slot::word(248 + n as u16 % 11)
}

/// [`SHADOW`] when there is none: no instruction lies across the end of the address space.
pub const NO_SHADOW: u64 = u64::MAX;

/// Bits of [`BLOCKED`]: what interrupts wait for.
pub mod blocked {
    /// NMIs wait for IRET.
    pub const NMI: u32 = 1;
    /// The instruction at the PC runs alone, because of [`super::SHADOW`].
    pub const SHADOW: u32 = 2;
    /// The shadow is one of MOV SS or POP SS: debug exceptions and NMIs wait, too.
    pub const STACK: u32 = 4;
    /// The processor is shut down after a triple fault.
    pub const SHUTDOWN: u32 = 8;
    /// System management mode: SMIs wait for RSM.
    pub const SMM: u32 = 16;
    /// NMIs waited for IRET when the SMI came.
    pub const NMI_BEFORE: u32 = 32;
    /// Nothing waits, but the processor: the last instruction was HLT.
    pub const WAITING: u32 = 64;
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
/// First offset of a segment that may be accessed.
#[inline(always)]
pub const fn low(s: u8) -> Slot<W64> {
    Slot::word(64 + s as u16 % 8)
}
/// First offset behind those of a segment that may be read; 0 if none may.
#[inline(always)]
pub const fn high(s: u8) -> Slot<W64> {
    Slot::word(72 + s as u16 % 8)
}
/// First offset behind those of a segment that may be written; 0 if none may.
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
