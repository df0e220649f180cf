//! A small benchmark: five loops that an emulator feels differently, each with a checksum that must always be the same
//! and a rate that one can compare.
//!
//! Every kernel does a fixed amount of work in x27 rounds from the same start, and leaves its checksum in x26.

use super::asm::{Ops, a64, load, reg, say};
use super::vars;
use crate::text::{BENCH_HEADING, BENCH_NAMES, CALLS, FLOAT, GOLDEN, INTEGER, MEMORY, VECTOR};
use dynasmrt::{DynasmApi, DynasmLabelApi};

/// Emits the loop of a kernel.
type Kernel = fn(&mut Ops);

/// Emits `->bench` (x0: rounds).
pub fn emit(ops: &mut Ops) {
    a64!(ops
        ; ->bench:
        ; stp x29, x30, [sp, -48]!
        ; stp x24, x25, [sp, 16]
        ; stp x26, x27, [sp, 32]
        ; cmp x0, 1
        ; csinc x27, x0, xzr, hs
    );
    say(ops, BENCH_HEADING);
    let kernels: [(u64, Kernel); 5] =
        [(INTEGER, integer), (CALLS, calls), (MEMORY, memory), (FLOAT, float), (VECTOR, vector)];
    for (name, (passes, kernel)) in BENCH_NAMES.into_iter().zip(kernels) {
        say(ops, name);
        // x24: start, x25: rounds left.
        a64!(ops ; isb ; mrs x24, reg::CNTVCT_EL0 ; mov x25, x27 ; round:);
        kernel(ops);
        a64!(ops ; sub x25, x25, 1 ; cbnz x25, <round);
        load(ops, 0, passes);
        a64!(ops ; bl ->bench_report);
    }
    a64!(ops
        ; ldp x24, x25, [sp, 16]
        ; ldp x26, x27, [sp, 32]
        ; ldp x29, x30, [sp], 48
        ; ret
    );
    report(ops);
    fib(ops);
}

/// Prints the rate, from x0 passes in x27 rounds since x24, and the checksum x26.
fn report(ops: &mut Ops) {
    a64!(ops
        ; ->bench_report:
        ; stp x29, x30, [sp, -32]!
        ; stp x19, x20, [sp, 16]
        ; isb
        ; mrs x1, reg::CNTVCT_EL0
        ; sub x1, x1, x24
        ; cmp x1, 1
        ; csinc x1, x1, xzr, hs
        ; mul x0, x0, x27
        // Tenths of a million a second: passes / 1e5 * frequency / counts, in an order that keeps 64 bits enough.
        ; mrs x2, reg::CNTFRQ_EL0
    );
    load(ops, 3, 100_000);
    a64!(ops
        ; udiv x2, x2, x3
        ; mul x0, x0, x2
        ; udiv x0, x0, x1
        ; mov x3, 10
        ; udiv x19, x0, x3
        ; msub x20, x19, x3, x0
        // Right-aligned to the column's heading.
        ; mov x4, 10000
        ; pad:
        ; cmp x19, x4
        ; b.hs >print
        ; mov w0, b' '.into()
        ; bl ->putc
        ; udiv x4, x4, x3
        ; cmp x4, 1
        ; b.hi <pad
        ; print:
        ; mov x0, x19
        ; bl ->print_dec
    );
    say(ops, ".");
    a64!(ops ; mov x0, x20 ; bl ->print_dec);
    say(ops, "     ");
    a64!(ops ; mov x0, x26 ; mov x4, 16 ; bl ->print_digits);
    say(ops, "\n");
    a64!(ops
        ; ldp x19, x20, [sp, 16]
        ; ldp x29, x30, [sp], 32
        ; ret
    );
}

/// Shifts, multiplications and a branch that depends on them.
fn integer(ops: &mut Ops) {
    load(ops, 0, INTEGER);
    load(ops, 1, 88_172_645_463_325_252);
    load(ops, 2, GOLDEN);
    a64!(ops
        ; mov x26, xzr
        ; pass:
        ; eor x1, x1, x1, lsl 13
        ; eor x1, x1, x1, lsr 7
        ; eor x1, x1, x1, lsl 17
        ; madd x26, x1, x2, x26
        ; tbz x1, 3, >even
        ; ror x26, x26, 9
        ; even:
        ; subs x0, x0, 1
        ; b.ne <pass
    );
}

/// Calls and returns.
fn calls(ops: &mut Ops) {
    a64!(ops ; mov x0, 26 ; bl ->fib ; mov x26, x0);
}

/// x0 = fib(x0), the slow way.
fn fib(ops: &mut Ops) {
    a64!(ops
        ; ->fib:
        ; cmp x0, 2
        ; b.lo >small
        ; stp x30, x19, [sp, -32]!
        ; str x20, [sp, 16]
        ; mov x19, x0
        ; sub x0, x0, 1
        ; bl ->fib
        ; mov x20, x0
        ; sub x0, x19, 2
        ; bl ->fib
        ; add x0, x0, x20
        ; ldr x20, [sp, 16]
        ; ldp x30, x19, [sp], 32
        ; small:
        ; ret
    );
}

/// Loads and stores that hop through an array of 64 KiB.
fn memory(ops: &mut Ops) {
    load(ops, 0, MEMORY);
    load(ops, 1, GOLDEN);
    load(ops, 6, u64::from(vars::ARRAY_SIZE));
    a64!(ops
        ; add x2, x28, vars::ARRAY >> 12, lsl 12
        ; mov x3, xzr
        ; clear:
        ; str x3, [x2, x3]
        ; add x3, x3, 8
        ; cmp x3, x6
        ; b.lo <clear
        ; mov x26, xzr
        ; mov x3, 1
        ; pass:
        ; madd x3, x3, x1, x0
        ; lsr x4, x3, 51
        ; ldr x5, [x2, x4, lsl 3]
        ; eor x5, x5, x3
        ; str x5, [x2, x4, lsl 3]
        ; add x26, x26, x5
        ; subs x0, x0, 1
        ; b.ne <pass
    );
}

/// Double precision: a logistic map, whose last bit matters soon, with a square root and a division.
fn float(ops: &mut Ops) {
    load(ops, 0, FLOAT);
    load(ops, 1, 3.99_f64.to_bits());
    load(ops, 2, 0.3_f64.to_bits());
    a64!(ops
        ; fmov d0, x1
        ; fmov d1, x2
        ; fmov d2, 1.0
        ; movi d3, 0
        ; pass:
        ; fsub d4, d2, d1
        ; fmul d1, d1, d4
        ; fmul d1, d1, d0
        ; fsqrt d5, d1
        ; fadd d6, d1, d2
        ; fdiv d5, d5, d6
        ; fadd d3, d3, d5
        ; subs x0, x0, 1
        ; b.ne <pass
        ; fmov x26, d3
    );
}

/// Four single-precision lanes and four integer lanes a time.
fn vector(ops: &mut Ops) {
    load(ops, 0, VECTOR);
    load(ops, 1, 0x9e37_79b9);
    let pair = |low: f32, high: f32| u64::from(low.to_bits()) | u64::from(high.to_bits()) << 32;
    load(ops, 2, pair(1.0, 2.0));
    load(ops, 3, pair(3.0, -4.0));
    a64!(ops
        ; fmov d1, x2
        ; mov v1.d[1], x3
        ; movi v2.s4, 0
        ; fmov v0.s4, 0.125
        ; dup v3.s4, w1
        ; movi v4.s4, 1
        ; pass:
        // A turn of two coordinates, which neither grow nor vanish.
        ; fmls v1.s4, v2.s4, v0.s4
        ; fmul v5.s4, v1.s4, v0.s4
        ; fadd v2.s4, v2.s4, v5.s4
        ; mul v4.s4, v4.s4, v3.s4
        ; add v4.s4, v4.s4, v3.s4
        ; eor v4.b16, v4.b16, v2.b16
        ; subs x0, x0, 1
        ; b.ne <pass
        ; ext v1.b16, v4.b16, v4.b16, 8
        ; eor v4.b16, v4.b16, v1.b16
        ; fmov x26, d4
    );
}
