//! The assembler, and the few things that are said in many places.

use dynasmrt::aarch64::Aarch64Relocation;
use dynasmrt::{DynasmApi, DynasmLabelApi, VecAssembler};

/// Assembles A64 instructions, in dynasm's syntax, into the assembler named first.
macro_rules! a64 {
    ($ops:ident $($code:tt)*) => { dynasmrt::dynasm!($ops ; .arch aarch64 $($code)*) };
}

pub(crate) use a64;

/// What every part is assembled into.
pub type Ops = VecAssembler<Aarch64Relocation>;

/// Sets x`register` to `value` in as few moves as there are halfwords that are not zero.
pub fn load(ops: &mut Ops, register: u8, value: u64) {
    a64!(ops ; movz X(register), (value & 0xffff) as u32);
    let halfword = |index: u32| (value >> (16 * index) & 0xffff) as u32;
    if halfword(1) != 0 {
        a64!(ops ; movk X(register), halfword(1), lsl 16);
    }
    if halfword(2) != 0 {
        a64!(ops ; movk X(register), halfword(2), lsl 32);
    }
    if halfword(3) != 0 {
        a64!(ops ; movk X(register), halfword(3), lsl 48);
    }
}

/// Calls `->print` with `text`, which is laid down beside the call.
pub fn say(ops: &mut Ops, text: &str) {
    string(ops, 0, text);
    a64!(ops ; bl ->print);
}

/// Sets x`register` to the address of `text`, which ends with a zero byte.
pub fn string(ops: &mut Ops, register: u8, text: &str) {
    a64!(ops
        ; adr X(register), >text
        ; b >after
        ; text:
        ; .bytes text.as_bytes()
        ; .bytes [0u8]
        ; .align 4
        ; after:
    );
}

/// Enters a routine that calls others.
pub fn enter(ops: &mut Ops) {
    a64!(ops ; stp x29, x30, [sp, -16]! ; mov x29, sp);
}

/// Returns from a routine that began with [`enter`].
pub fn leave(ops: &mut Ops) {
    a64!(ops ; ldp x29, x30, [sp], 16 ; ret);
}

/// The operand of MRS and MSR for the register with these fields (Arm ARM C5.3).
const fn register(op0: u32, op1: u32, crn: u32, crm: u32, op2: u32) -> u32 {
    (op0 & 1) << 14 | op1 << 11 | crn << 7 | crm << 3 | op2
}

/// System registers, by the names of the Arm ARM (DDI 0487) and of the GIC specification (IHI 0069).
pub mod reg {
    use super::register;

    pub const MIDR_EL1: u32 = register(3, 0, 0, 0, 0);
    pub const MPIDR_EL1: u32 = register(3, 0, 0, 0, 5);
    pub const ID_AA64PFR0_EL1: u32 = register(3, 0, 0, 4, 0);
    pub const ID_AA64PFR1_EL1: u32 = register(3, 0, 0, 4, 1);
    pub const ID_AA64ISAR0_EL1: u32 = register(3, 0, 0, 6, 0);
    pub const ID_AA64ISAR1_EL1: u32 = register(3, 0, 0, 6, 1);
    pub const ID_AA64MMFR0_EL1: u32 = register(3, 0, 0, 7, 0);
    pub const SCTLR_EL1: u32 = register(3, 0, 1, 0, 0);
    pub const CPACR_EL1: u32 = register(3, 0, 1, 0, 2);
    pub const TTBR0_EL1: u32 = register(3, 0, 2, 0, 0);
    pub const TCR_EL1: u32 = register(3, 0, 2, 0, 2);
    pub const SPSR_EL1: u32 = register(3, 0, 4, 0, 0);
    pub const ELR_EL1: u32 = register(3, 0, 4, 0, 1);
    pub const CURRENT_EL: u32 = register(3, 0, 4, 2, 2);
    pub const ESR_EL1: u32 = register(3, 0, 5, 2, 0);
    pub const FAR_EL1: u32 = register(3, 0, 6, 0, 0);
    pub const MAIR_EL1: u32 = register(3, 0, 10, 2, 0);
    pub const VBAR_EL1: u32 = register(3, 0, 12, 0, 0);
    pub const ICC_PMR_EL1: u32 = register(3, 0, 4, 6, 0);
    pub const ICC_IAR1_EL1: u32 = register(3, 0, 12, 12, 0);
    pub const ICC_EOIR1_EL1: u32 = register(3, 0, 12, 12, 1);
    pub const ICC_SRE_EL1: u32 = register(3, 0, 12, 12, 5);
    pub const ICC_IGRPEN1_EL1: u32 = register(3, 0, 12, 12, 7);
    pub const CNTFRQ_EL0: u32 = register(3, 3, 14, 0, 0);
    pub const CNTVCT_EL0: u32 = register(3, 3, 14, 0, 2);
    pub const CNTV_CTL_EL0: u32 = register(3, 3, 14, 3, 1);
    pub const CNTV_CVAL_EL0: u32 = register(3, 3, 14, 3, 2);
    pub const VPIDR_EL2: u32 = register(3, 4, 0, 0, 0);
    pub const VMPIDR_EL2: u32 = register(3, 4, 0, 0, 5);
    pub const HCR_EL2: u32 = register(3, 4, 1, 1, 0);
    pub const CPTR_EL2: u32 = register(3, 4, 1, 1, 2);
    pub const SPSR_EL2: u32 = register(3, 4, 4, 0, 0);
    pub const ELR_EL2: u32 = register(3, 4, 4, 0, 1);
    pub const ICC_SRE_EL2: u32 = register(3, 4, 12, 9, 5);
    pub const CNTVOFF_EL2: u32 = register(3, 4, 14, 0, 3);
    pub const CNTHCTL_EL2: u32 = register(3, 4, 14, 1, 0);
}
