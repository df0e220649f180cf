//! The mode word: everything besides the encoding that decoding and semantics may branch on. Code is compiled and
//! decoded for one mode; [`super::context::refresh`] keeps it current.

/// Current privilege level, bits 1:0.
pub const CPL: u32 = 3;
/// Code segment's default size: bits 3:2 hold log2 of its bytes (1, 2, 3): 3 is 64-bit mode.
pub const CODE_LOW: u32 = 2;
/// Stack size, likewise (always 3 in 64-bit mode).
pub const STACK_LOW: u32 = 4;
/// CR0.PE.
pub const PE: u32 = 1 << 6;
/// EFLAGS.VM.
pub const VM: u32 = 1 << 7;
/// EFER.LMA: long mode, compatibility mode included.
pub const LMA: u32 = 1 << 8;
/// CS, DS, ES and SS have base 0, limit 4 GiB and are readable, the data ones writable: nothing is added or checked.
/// Always set in 64-bit mode.
pub const FLAT: u32 = 1 << 9;
/// CS has base 0 (the instruction pointer is the linear address) although the others are not flat.
pub const CS_FLAT: u32 = 1 << 10;
/// Alignment checks: CR0.AM, EFLAGS.AC and CPL 3.
pub const ALIGN: u32 = 1 << 11;
/// One instruction at a time: EFLAGS.TF, a shadow of STI or MOV SS, or a segment limit inside of the page.
pub const STEP: u32 = 1 << 12;
/// Data breakpoints are armed: every access is looked at.
pub const WATCH: u32 = 1 << 13;
/// x87 instructions raise #NM: CR0.EM or CR0.TS.
pub const X87_TRAP: u32 = 1 << 14;
/// WAIT raises #NM: CR0.MP and CR0.TS.
pub const WAIT_TRAP: u32 = 1 << 15;
/// SSE instructions raise #UD: CR0.EM or no CR4.OSFXSR.
pub const SSE_UD: u32 = 1 << 16;
/// SSE and AVX instructions raise #NM: CR0.TS.
pub const SSE_NM: u32 = 1 << 17;
/// VEX-encoded vector instructions raise #UD: no CR4.OSXSAVE or XCR0 without SSE and AVX.
pub const AVX_UD: u32 = 1 << 18;
/// There are other processors: locked accesses must be atomic.
pub const SMP: u32 = 1 << 19;
/// MXCSR rounds otherwise than to nearest: bits 21:20 are MXCSR.RC.
pub const RC_LOW: u32 = 20;
/// MXCSR.FTZ or MXCSR.DAZ.
pub const FLUSH: u32 = 1 << 22;
/// A SIMD floating-point exception is unmasked.
pub const SSE_UNMASKED: u32 = 1 << 23;
/// EFLAGS.DF.
pub const DF: u32 = 1 << 24;
/// MMX instructions raise #UD: CR0.EM (#NM as [`X87_TRAP`] otherwise says).
pub const MMX_UD: u32 = 1 << 25;

/// Current privilege level.
#[inline(always)]
pub const fn cpl(mode: u32) -> u32 {
    mode & CPL
}

/// Log2 of the code segment's default size in bytes.
#[inline(always)]
pub const fn code(mode: u32) -> u32 {
    mode >> CODE_LOW & 3
}

/// Log2 of the stack pointer's size in bytes.
#[inline(always)]
pub const fn stack(mode: u32) -> u32 {
    mode >> STACK_LOW & 3
}

/// 64-bit mode.
#[inline(always)]
pub const fn is_64(mode: u32) -> bool {
    code(mode) == 3
}

/// Protected mode without virtual-8086 mode: selectors name descriptors.
#[inline(always)]
pub const fn is_protected(mode: u32) -> bool {
    mode & (PE | VM) == PE
}
