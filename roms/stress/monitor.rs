//! What ends a reservation of this processor: CLREX, an exception's return, another reservation, its own store-exclusive.

use super::super::demo::asm::{Ops, a64};
use super::{Test, expect, nothing};
use dynasmrt::DynasmLabelApi;

/// The test.
pub fn test() -> Test {
    Test { name: "exclusive monitor", lse: false, prepare: nothing, work, check: nothing }
}

fn work(ops: &mut Ops) {
    a64!(ops ; add x10, x25, x27, lsl 7 ; add x11, x10, 64 ; mov x19, x20 ; mov x8, 1 ; mov x9, 0 ; next:);
    a64!(ops ; ldxr x1, [x10] ; clrex ; stxr w2, x8, [x10]);
    expect(ops, 2, 8, 101);
    a64!(ops ; ldxr x1, [x10] ; svc 0 ; stxr w2, x8, [x10]);
    expect(ops, 2, 8, 102);
    a64!(ops ; ldxr x1, [x10] ; ldxr x1, [x11] ; stxr w2, x8, [x10]);
    expect(ops, 2, 8, 103);
    a64!(ops ; stxr w2, x8, [x11]);
    expect(ops, 2, 8, 104);
    a64!(ops ; ldr x1, [x10]);
    expect(ops, 1, 9, 105);
    a64!(ops ; sub x19, x19, 1 ; cbz x19, >done ; b <next ; done:);
}
