//! One processor changes code that all others run.
//!
//! Source: Arm ARM B2.7.4.2, synchronization and coherency issues between data and instruction accesses.

use super::super::demo::asm::{Ops, a64, load, reg};
use super::{Test, expect, nothing};
use dynasmrt::{DynasmApi, DynasmLabelApi};

/// MOVZ W0, #0 and RET.
const MOVZ_W0: u64 = 0x5280_0000;
const RET: u64 = 0xd65f_03c0;
/// B . and NOP.
const LOOP: u64 = 0x1400_0000;
const NOP: u64 = 0xd503_201f;
/// Where the functions are in the data: another page than where the processors meet.
const CODE: u32 = 0x2000;

/// Functions in a page of their own, four of them at different distances, are changed and called.
pub fn called() -> Test {
    Test { name: "patched functions", lse: false, prepare: called_prepare, work: called_work, check: nothing }
}

fn called_prepare(ops: &mut Ops) {
    load(ops, 0, MOVZ_W0);
    load(ops, 1, RET);
    a64!(ops ; add x2, x25, CODE >> 12, lsl 12 ; mov x3, 32 ; next: ; stp w0, w1, [x2], 8 ; sub x3, x3, 1 ; cbnz x3, <next);
    // Nobody has run it.
    a64!(ops ; dsb ish ; ic ialluis ; dsb ish ; isb);
}

/// Makes what was stored at x2 what is executed.
fn publish(ops: &mut Ops) {
    a64!(ops ; dc cvau, x2 ; dsb ish ; ic ivau, x2 ; dsb ish);
}

/// Who has run this iteration's code says so; x19 is its number.
fn acknowledge(ops: &mut Ops) {
    a64!(ops ; add x3, x25, 64 ; again: ; ldxr x1, [x3] ; add x1, x1, 1 ; stlxr w2, x1, [x3] ; cbnz w2, <again);
}

/// Waits until all others have acknowledged iteration x19.
fn all_acknowledged(ops: &mut Ops) {
    a64!(ops
        ; sub x3, x26, 1
        ; mul x3, x3, x19
        ; add x4, x25, 64
        ; wait:
        ; ldar x1, [x4]
        ; cmp x1, x3
        ; b.hs >all
        ; yield
        ; b <wait
        ; all:
    );
}

fn called_work(ops: &mut Ops) {
    load(ops, 11, MOVZ_W0);
    a64!(ops
        ; add x10, x25, CODE >> 12, lsl 12
        ; mov x19, 1
        ; sub x0, x26, 1
        ; cmp x0, x27
        ; b.eq >patch
        ; b >run
        ; patch:
        // One of the functions: 0, 8, 64, 72.
        ; and x1, x19, 1
        ; ubfx x2, x19, 1, 1
        ; lsl x2, x2, 6
        ; orr x2, x2, x1, lsl 3
        ; add x2, x10, x2
        ; and x1, x19, 0xffff
        ; orr w1, w11, w1, lsl 5
        ; str w1, [x2]
        ; and x1, x19, 15
        ; cbz x1, >everything
    );
    publish(ops);
    a64!(ops
        ; b >published
        ; everything:
        ; dc cvau, x2
        ; dsb ish
        ; ic ialluis
        ; dsb ish
        ; published:
        ; stlr x19, [x25]
    );
    all_acknowledged(ops);
    a64!(ops
        ; add x19, x19, 1
        ; cmp x19, x20
        ; b.ls <patch
        ; b >done
        ; run:
        ; ldar x1, [x25]
        ; cmp x1, x19
        ; b.hs >there
        ; yield
        ; b <run
        ; there:
        ; isb
        ; and x1, x19, 1
        ; ubfx x2, x19, 1, 1
        ; lsl x2, x2, 6
        ; orr x2, x2, x1, lsl 3
        ; add x2, x10, x2
        ; blr x2
        ; and x1, x19, 0xffff
        ; mov w0, w0
    );
    expect(ops, 0, 1, 111);
    acknowledge(ops);
    a64!(ops ; add x19, x19, 1 ; cmp x19, x20 ; b.hi >done ; b <run ; done:);
}

/// The instruction after the ISB that the others wait before is changed: wait and code are in one piece.
pub fn in_line() -> Test {
    Test { name: "patched code", lse: false, prepare: nothing, work: in_line_work, check: nothing }
}

fn in_line_work(ops: &mut Ops) {
    load(ops, 11, MOVZ_W0);
    a64!(ops
        ; mov x19, 1
        ; cbz x27, >patch
        ; b >run
        ; patch:
        ; adr x2, ->patched
        ; and x1, x19, 0xffff
        ; orr w1, w11, w1, lsl 5
        ; str w1, [x2]
    );
    publish(ops);
    a64!(ops ; stlr x19, [x25]);
    all_acknowledged(ops);
    a64!(ops
        ; add x19, x19, 1
        ; cmp x19, x20
        ; b.ls <patch
        ; b >done
        ; run:
        ; ldar x1, [x25]
        ; cmp x1, x19
        ; b.hs >there
        ; yield
        ; b <run
        ; there:
        ; isb
        ; ->patched:
        ; movz w0, 0
        ; and x1, x19, 0xffff
        ; mov w0, w0
    );
    expect(ops, 0, 1, 112);
    acknowledge(ops);
    a64!(ops ; add x19, x19, 1 ; cmp x19, x20 ; b.hi >done ; b <run ; done:);
}

/// A branch to itself that the others sit in becomes a NOP: they come out although nothing synchronises them.
pub fn endless() -> Test {
    Test { name: "patched loop", lse: false, prepare: endless_prepare, work: endless_work, check: nothing }
}

fn endless_prepare(ops: &mut Ops) {
    load(ops, 0, LOOP);
    a64!(ops ; adr x2, ->endless ; str w0, [x2]);
    publish(ops);
    a64!(ops ; isb);
}

fn endless_work(ops: &mut Ops) {
    a64!(ops
        ; isb
        ; cbz x27, >patch
        ; ->endless:
        ; b ->endless
        ; b >done
        ; patch:
        // Half a millisecond, so that they are inside.
        ; mrs x0, reg::CNTFRQ_EL0
        ; lsr x0, x0, 11
        ; mrs x1, reg::CNTVCT_EL0
        ; add x0, x0, x1
        ; wait:
        ; mrs x1, reg::CNTVCT_EL0
        ; cmp x1, x0
        ; b.lo <wait
    );
    load(ops, 0, NOP);
    a64!(ops ; adr x2, ->endless ; str w0, [x2]);
    publish(ops);
    a64!(ops ; done:);
}
