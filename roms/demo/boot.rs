//! From the loader's jump to the prompt.

use super::asm::{Ops, a64, load, reg};
use super::vars;
use dynasmrt::{DynasmApi, DynasmLabelApi};

/// SCTLR_EL1 with the MMU off: only the bits that are always one in Armv8.0 (Arm ARM D24.2.175).
const SCTLR_OFF: u64 = 0x30d0_0800;

/// SPSR for EL1 with its own stack pointer and everything masked.
const EL1H_MASKED: u64 = 0x3c5;

/// Emits `->start`, which never returns.
pub fn emit(ops: &mut Ops) {
    a64!(ops
        ; ->start:
        ; msr daifset, 15
        ; mov x27, x0
        ; mrs x26, reg::CURRENT_EL
        ; lsr x26, x26, 2
        ; cmp x26, 2
        ; b.ne ->at_el1
    );
    leave_el2(ops);
    a64!(ops ; ->at_el1:);
    load(ops, 0, SCTLR_OFF);
    a64!(ops
        ; msr reg::SCTLR_EL1, x0
        ; isb
        ; msr spsel, 1
        ; adr x28, ->memory
    );
    load(ops, 1, u64::from(vars::STACK_TOP));
    a64!(ops
        ; add x1, x28, x1
        ; mov sp, x1
        // No loader clears what lies behind the image.
        ; mov x0, x28
        ; clear:
        ; stp xzr, xzr, [x0], 16
        ; cmp x0, x1
        ; b.lo <clear
        ; str x26, [x28, vars::FIRST_EL]
        ; adr x0, ->vectors
        ; msr reg::VBAR_EL1, x0
        // Floating point and SIMD do not trap.
        ; mov x0, 0x300000
        ; msr reg::CPACR_EL1, x0
        ; isb
        ; mov x0, x27
        ; bl ->fdt_read
        ; bl ->mmu_on
        ; bl ->console_init
        ; bl ->gic_init
        ; bl ->timer_init
        ; msr daifclr, 2
        ; bl ->info
        ; b ->shell
    );
}

/// A loader that leaves us at EL2 means us to be a hypervisor; we give EL1 the timers, the GIC and the FPU, and go there.
fn leave_el2(ops: &mut Ops) {
    a64!(ops
        ; mov x0, 0x80000000
        ; msr reg::HCR_EL2, x0
        ; mov x0, 3
        ; msr reg::CNTHCTL_EL2, x0
        ; msr reg::CNTVOFF_EL2, xzr
        ; mov x0, 0x33ff
        ; msr reg::CPTR_EL2, x0
        ; mrs x0, reg::MIDR_EL1
        ; msr reg::VPIDR_EL2, x0
        ; mrs x0, reg::MPIDR_EL1
        ; msr reg::VMPIDR_EL2, x0
        ; mrs x0, reg::ID_AA64PFR0_EL1
        ; ubfx x0, x0, 24, 4
        ; cbz x0, >no_registers
        ; mov x0, 9
        ; msr reg::ICC_SRE_EL2, x0
        ; isb
        ; no_registers:
    );
    load(ops, 0, EL1H_MASKED);
    a64!(ops
        ; msr reg::SPSR_EL2, x0
        ; adr x0, ->at_el1
        ; msr reg::ELR_EL2, x0
        ; eret
    );
}
