//! Exception vectors: interrupts, expected faults, and the end for everything else.
//!
//! Source: Arm ARM D1.3.1, table of vector offsets from the vector base address.

use super::asm::{Ops, a64, reg, say};
use super::vars;
use dynasmrt::{DynasmApi, DynasmLabelApi};

/// Emits `->vectors` and the handlers.
pub fn emit(ops: &mut Ops) {
    a64!(ops ; .align 2048 ; ->vectors:);
    for vector in 0..16 {
        match vector {
            4 => a64!(ops ; b ->synchronous),
            5 => a64!(ops ; b ->interrupt),
            _ => a64!(ops ; mov x0, vector ; b ->unexpected),
        }
        a64!(ops ; .align 128);
    }
    synchronous(ops);
    interrupt(ops);
    unexpected(ops);
}

/// A fault that a command provoked: note it, skip the instruction, go on.
fn synchronous(ops: &mut Ops) {
    a64!(ops
        ; ->synchronous:
        ; stp x0, x1, [sp, -16]!
        ; ldr x0, [x28, vars::EXPECTED]
        ; cbz x0, >stray
        ; str xzr, [x28, vars::EXPECTED]
        ; mov x0, 1
        ; str x0, [x28, vars::CAUGHT]
        ; mrs x0, reg::ESR_EL1
        ; mrs x1, reg::FAR_EL1
        ; str x0, [x28, vars::ESR]
        ; str x1, [x28, vars::FAR]
        ; mrs x0, reg::ELR_EL1
        ; str x0, [x28, vars::ELR]
        ; add x0, x0, 4
        ; msr reg::ELR_EL1, x0
        ; ldp x0, x1, [sp], 16
        ; eret
        ; stray:
        ; mov x0, 4
        ; b ->unexpected
    );
}

/// Saves what a routine may change, and lets the GIC say who it was.
fn interrupt(ops: &mut Ops) {
    a64!(ops
        ; ->interrupt:
        ; stp x0, x1, [sp, -160]!
        ; stp x2, x3, [sp, 16]
        ; stp x4, x5, [sp, 32]
        ; stp x6, x7, [sp, 48]
        ; stp x8, x9, [sp, 64]
        ; stp x10, x11, [sp, 80]
        ; stp x12, x13, [sp, 96]
        ; stp x14, x15, [sp, 112]
        ; stp x16, x17, [sp, 128]
        ; stp x29, x30, [sp, 144]
        ; bl ->gic_dispatch
        ; ldp x2, x3, [sp, 16]
        ; ldp x4, x5, [sp, 32]
        ; ldp x6, x7, [sp, 48]
        ; ldp x8, x9, [sp, 64]
        ; ldp x10, x11, [sp, 80]
        ; ldp x12, x13, [sp, 96]
        ; ldp x14, x15, [sp, 112]
        ; ldp x16, x17, [sp, 128]
        ; ldp x29, x30, [sp, 144]
        ; ldp x0, x1, [sp], 160
        ; eret
    );
}

/// x0 is the number of the vector. Says what is known and powers off.
fn unexpected(ops: &mut Ops) {
    a64!(ops ; ->unexpected: ; mov x19, x0);
    say(ops, "\nAn exception that nobody expected: vector ");
    a64!(ops ; mov x0, x19 ; bl ->print_dec);
    for (name, register) in [
        (", ESR ", reg::ESR_EL1),
        (", FAR ", reg::FAR_EL1),
        (", ELR ", reg::ELR_EL1),
        (", SPSR ", reg::SPSR_EL1),
    ] {
        say(ops, name);
        a64!(ops ; mrs x0, register ; bl ->print_hex);
    }
    say(ops, ". Powering off.\n");
    a64!(ops ; b ->off);
}
