//! Lock-free stacks (R. K. Treiber, "Systems programming: coping with parallelism", 1986) whose nodes go back at once, so
//! that the head often is what it was although the stack is not: an exchange that compares values alone corrupts it.

use super::super::demo::asm::{Ops, a64};
use super::{Test, expect, total};
use dynasmrt::{DynasmApi, DynasmLabelApi};

/// Nodes: fewer than all processors could hold twice.
const NODES: u64 = 5;
/// Where the nodes are in the data, a line of the cache each: next, owner, uses.
const FIRST: u32 = 0x1000;

/// Both ends through exclusives.
pub fn exclusive() -> Test {
    Test {
        name: "stack with exclusives",
        lse: false,
        prepare,
        work: |ops| work(ops, pop_exclusive, push_exclusive),
        check,
    }
}

/// Taken through exclusives, given back through CAS.
pub fn mixed() -> Test {
    Test {
        name: "stack with exclusives and atomics",
        lse: true,
        prepare,
        work: |ops| work(ops, pop_exclusive, push_cas),
        check,
    }
}

/// A head with a tag that counts, through CASP and exclusive pairs.
pub fn tagged() -> Test {
    Test { name: "stack with pairs", lse: true, prepare, work: |ops| work(ops, pop_pair, push_pair), check }
}

fn prepare(ops: &mut Ops) {
    a64!(ops
        ; add x1, x25, FIRST >> 12, lsl 12
        ; mov x2, NODES
        ; mov x3, xzr
        ; next:
        ; str x3, [x1]
        ; mov x3, x1
        ; add x1, x1, 64
        ; sub x2, x2, 1
        ; cbnz x2, <next
        ; str x3, [x25]
    );
}

/// x19: rounds left; x1: the node.
fn work(ops: &mut Ops, pop: fn(&mut Ops), push: fn(&mut Ops)) {
    a64!(ops ; mov x19, x20 ; add x10, x27, 1 ; next:);
    pop(ops);
    a64!(ops ; ldr x4, [x1, 8] ; mov x5, xzr);
    expect(ops, 4, 5, 61);
    a64!(ops
        ; str x10, [x1, 8]
        ; ldr x5, [x1, 16]
        ; add x5, x5, 1
        // Some are held longer.
        ; and x6, x19, 31
        ; hold: ; sub x6, x6, 1 ; tbz x6, 63, <hold
        ; str x5, [x1, 16]
        ; ldr x4, [x1, 8]
    );
    expect(ops, 4, 10, 62);
    a64!(ops ; str xzr, [x1, 8]);
    push(ops);
    a64!(ops ; sub x19, x19, 1 ; cbz x19, >done ; b <next ; done:);
}

fn pop_exclusive(ops: &mut Ops) {
    a64!(ops
        ; again:
        ; ldaxr x1, [x25]
        ; cbz x1, >empty
        ; ldr x2, [x1]
        ; stxr w3, x2, [x25]
        ; cbnz w3, <again
        ; b >got
        ; empty:
        ; clrex
        ; yield
        ; b <again
        ; got:
    );
}

fn push_exclusive(ops: &mut Ops) {
    a64!(ops ; again: ; ldxr x2, [x25] ; str x2, [x1] ; stlxr w3, x1, [x25] ; cbnz w3, <again);
}

fn push_cas(ops: &mut Ops) {
    a64!(ops
        ; ldr x2, [x25]
        ; again:
        ; str x2, [x1]
        ; mov x3, x2
        ; casl x2, x1, [x25]
        ; cmp x2, x3
        ; b.ne <again
    );
}

fn pop_pair(ops: &mut Ops) {
    a64!(ops
        ; again:
        ; tbnz x19, 0, >exclusive
        ; ldp x2, x3, [x25]
        ; cbz x2, >empty
        ; mov x1, x2
        ; mov x8, x2
        ; mov x9, x3
        ; ldr x6, [x1]
        ; add x7, x3, 1
        ; caspal x2, x3, x6, x7, [x25]
        ; cmp x2, x8
        ; ccmp x3, x9, 0, eq
        ; b.ne <again
        ; b >got
        ; exclusive:
        ; ldaxp x1, x3, [x25]
        ; cbz x1, >empty
        ; ldr x6, [x1]
        ; add x7, x3, 1
        ; stlxp w3, x6, x7, [x25]
        ; cbnz w3, <again
        ; b >got
        ; empty:
        ; yield
        ; b <again
        ; got:
    );
}

fn push_pair(ops: &mut Ops) {
    a64!(ops
        ; again:
        ; tbnz x19, 1, >exclusive
        ; ldp x2, x3, [x25]
        ; mov x8, x2
        ; mov x9, x3
        ; str x2, [x1]
        ; mov x6, x1
        ; add x7, x3, 1
        ; caspal x2, x3, x6, x7, [x25]
        ; cmp x2, x8
        ; ccmp x3, x9, 0, eq
        ; b.ne <again
        ; b >put
        ; exclusive:
        ; ldxp x2, x3, [x25]
        ; str x2, [x1]
        ; add x7, x3, 1
        ; stlxp w3, x1, x7, [x25]
        ; cbnz w3, <again
        ; put:
    );
}

/// All nodes are there, and the uses are as many as there were.
fn check(ops: &mut Ops) {
    total(ops);
    a64!(ops
        ; ldr x1, [x25]
        ; mov x2, xzr
        ; mov x3, xzr
        ; next:
        ; cbz x1, >all
        ; ldr x4, [x1, 16]
        ; add x3, x3, x4
        ; add x2, x2, 1
        ; ldr x1, [x1]
        ; cmp x2, 100
        ; b.lo <next
        ; all:
        ; mov x4, NODES
    );
    expect(ops, 2, 4, 63);
    expect(ops, 3, 0, 64);
}
