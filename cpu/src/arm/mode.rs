//! The mode word: all that Arm semantics may branch on besides the encoding. Blocks are compiled for one mode.

/// Exception level, bits 1:0.
pub const EL: u32 = 3;
/// Advanced SIMD and floating point trap at this level (CPACR_EL1.FPEN).
pub const FP_TRAP: u32 = 1 << 2;
/// Unaligned accesses fault (SCTLR_EL1.A).
pub const STRICT: u32 = 1 << 3;
/// Data accesses are big-endian (SCTLR_EL1.EE, E0E).
pub const BIG_ENDIAN: u32 = 1 << 4;
/// More than one processor: exclusives must be seen by others.
pub const SMP: u32 = 1 << 5;
/// Software step is active (MDSCR_EL1.SS with debug exceptions enabled).
pub const STEP: u32 = 1 << 6;
/// FPCR asks for what host arithmetic cannot do in place: flush to zero, alternative half precision.
pub const FP_ODD: u32 = 1 << 7;
/// FPCR.DN: default NaN.
pub const FP_DN: u32 = 1 << 8;
/// FPCR.RMode, bits 10:9.
pub const FP_RMODE_LOW: u32 = 9;
/// Misaligned SP raises an exception at this level (SCTLR_EL1.SA, SA0).
pub const SP_CHECK: u32 = 1 << 11;
/// Breakpoints or watchpoints are armed at this level, or PSTATE.IL is set: every instruction and access is looked at.
pub const WATCH: u32 = 1 << 12;
/// TBI: top byte ignored for user addresses, for branch targets.
pub const TBI0: u32 = 1 << 13;
/// TBI for kernel addresses.
pub const TBI1: u32 = 1 << 14;
/// Keys of pointer authentication in use, bits 18:15: IA, IB, DA, DB (SCTLR_EL1.EnIA and so on).
pub const PAUTH_LOW: u32 = 15;
/// Traps of EL0 system instructions that SCTLR_EL1 leaves open, bits 22:19: UCI, UCT, DZE, UMA.
pub const EL0_OPEN_LOW: u32 = 19;
/// BTI checks apply (the model has it).
pub const BTI: u32 = 1 << 23;

/// Debug exceptions are taken at EL1, where PSTATE.D admits them (MDSCR_EL1.KDE).
pub const KDE: u32 = 1 << 24;

/// FPSR.IXC is set, at EL0: an inexact result changes no status. The mode learns of it when it is next computed, so the bit
/// may be clear although IXC is set, never the other way around.
pub const FP_INEXACT: u32 = 1 << 25;

/// Whether the mode is privileged.
#[inline(always)]
pub const fn el(mode: u32) -> u32 {
    mode & EL
}
