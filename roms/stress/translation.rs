//! One processor maps a page to one place or another, and says so to all TLBs; the others look through it.

use super::super::demo::asm::{Ops, a64, load};
use super::boot::{PAGE, WINDOW};
use super::{Test, expect, nothing, vars};
use dynasmrt::{DynasmApi, DynasmLabelApi};

/// The pages, in the data: the one of odd iterations and that of even ones. Each begins with its number.
const PAGES: [u32; 2] = [0x3000, 0x4000];

/// The test.
pub fn test() -> Test {
    Test { name: "translations", lse: false, prepare, work, check: nothing }
}

fn prepare(ops: &mut Ops) {
    for (i, page) in PAGES.into_iter().enumerate() {
        a64!(ops ; add x0, x25, page >> 12, lsl 12 ; mov x1, i as u64 ; str x1, [x0]);
    }
}

fn work(ops: &mut Ops) {
    load(ops, 11, PAGE);
    load(ops, 12, WINDOW);
    a64!(ops
        ; add x10, x28, vars::TABLE3 >> 12, lsl 12
        ; add x13, x25, 3, lsl 12
        ; lsr x14, x12, 12
        ; mov x19, 1
        ; cbz x27, >map
        ; b >look
        ; map:
        // Break before make.
        ; str xzr, [x10]
        ; dsb ish
        ; tlbi vaae1is, x14
        ; dsb ish
        ; and x0, x19, 1
        ; add x0, x13, x0, lsl 12
        ; orr x0, x0, x11
        ; str x0, [x10]
        ; dsb ish
        ; isb
        ; stlr x19, [x25]
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
        ; add x19, x19, 1
        ; cmp x19, x20
        ; b.ls <map
        ; b >done
        ; look:
        ; ldar x1, [x25]
        ; cmp x1, x19
        ; b.hs >there
        ; yield
        ; b <look
        ; there:
        ; isb
        ; ldr x0, [x12]
        ; and x1, x19, 1
    );
    expect(ops, 0, 1, 121);
    a64!(ops
        // What is stored through it arrives in the page.
        ; add x2, x27, 8
        ; str x19, [x12, x2, lsl 3]
        ; add x3, x13, x1, lsl 12
        ; ldr x0, [x3, x2, lsl 3]
    );
    expect(ops, 0, 19, 122);
    a64!(ops
        ; add x3, x25, 64
        ; again: ; ldxr x1, [x3] ; add x1, x1, 1 ; stlxr w2, x1, [x3] ; cbnz w2, <again
        ; add x19, x19, 1
        ; cmp x19, x20
        ; b.hi >done
        ; b <look
        ; done:
    );
}
