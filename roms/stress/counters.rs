//! Counters that all processors count with, in every size and with every instruction that can.

use super::super::demo::asm::{Ops, a64, load};
use super::{Test, expect, nothing, total};
use dynasmrt::DynasmLabelApi;

/// Counters of 1, 2, 4, 8 and 16 bytes, through exclusives.
pub fn exclusive() -> Test {
    Test {
        name: "counters with exclusives",
        lse: false,
        prepare: nothing,
        work: exclusive_work,
        check: exclusive_check,
    }
}

fn exclusive_work(ops: &mut Ops) {
    a64!(ops
        ; mov x19, x20
        ; add x10, x25, 64
        ; add x11, x25, 128
        ; add x12, x25, 192
        ; add x13, x25, 256
        ; next:
        ; b1: ; ldxrb w1, [x25] ; add w1, w1, 1 ; stxrb w2, w1, [x25] ; cbnz w2, <b1
        ; h1: ; ldaxrh w1, [x10] ; add w1, w1, 1 ; stlxrh w2, w1, [x10] ; cbnz w2, <h1
        ; w1: ; ldaxr w1, [x11] ; add w1, w1, 1 ; stxr w2, w1, [x11] ; cbnz w2, <w1
        ; x1: ; ldxr x1, [x12] ; add x1, x1, 1 ; stlxr w2, x1, [x12] ; cbnz w2, <x1
        ; p1: ; ldaxp x1, x3, [x13] ; add x1, x1, 1 ; sub x3, x3, 1 ; stlxp w2, x1, x3, [x13] ; cbnz w2, <p1
        ; sub x19, x19, 1
        ; cbnz x19, <next
    );
}

fn exclusive_check(ops: &mut Ops) {
    total(ops);
    a64!(ops ; and x1, x0, 0xff ; and x2, x0, 0xffff ; neg x3, x0);
    a64!(ops ; ldrb w4, [x25] ; ldrh w5, [x25, 64] ; ldr w6, [x25, 128] ; ldr x7, [x25, 192] ; ldp x8, x9, [x25, 256]);
    for (code, (a, b)) in (1..).zip([(4, 1), (5, 2), (6, 0), (7, 0), (8, 0), (9, 3)]) {
        expect(ops, a, b, code);
    }
}

/// The same through LDADD, CAS and CASP, and bits of each processor's own that are set, cleared and inverted.
pub fn atomic() -> Test {
    Test {
        name: "counters with atomics",
        lse: true,
        prepare: nothing,
        work: atomic_work,
        check: atomic_check,
    }
}

fn atomic_work(ops: &mut Ops) {
    a64!(ops
        ; mov x19, x20
        ; mov x1, 1
        ; lsl x14, x1, x27
        ; add x10, x25, 64
        ; add x11, x25, 128
        ; add x12, x25, 192
        ; add x13, x25, 256
        ; next:
        ; ldaddalb w1, w2, [x25]
        ; ldaddh w1, w2, [x10]
        ; ldaddl w1, w2, [x11]
        ; ldadda x1, x2, [x12]
        // The second bytes of the lines count with CAS.
        ; add x3, x25, 8
        ; add x4, x10, 8
        ; add x5, x11, 8
        ; add x6, x12, 8
        ; ldrb w7, [x3]
        ; b1: ; mov w8, w7 ; add w9, w7, 1 ; casalb w7, w9, [x3] ; cmp w7, w8 ; b.ne <b1
        ; ldrh w7, [x4]
        ; h1: ; mov w8, w7 ; add w9, w7, 1 ; cash w7, w9, [x4] ; cmp w7, w8 ; b.ne <h1
        ; ldr w7, [x5]
        ; w1: ; mov w8, w7 ; add w9, w7, 1 ; casa w7, w9, [x5] ; cmp w7, w8 ; b.ne <w1
        ; ldr x7, [x6]
        ; x1: ; mov x8, x7 ; add x9, x7, 1 ; casl x7, x9, [x6] ; cmp x7, x8 ; b.ne <x1
        ; p1: ; ldp x2, x3, [x13] ; mov x4, x2 ; mov x5, x3 ; add x6, x2, 1 ; sub x7, x3, 1
        ; caspal x2, x3, x6, x7, [x13] ; cmp x2, x4 ; ccmp x3, x5, 0, eq ; b.ne <p1
    );
    // Own bits: set, clear, invert twice; the old value says what this processor left.
    a64!(ops ; add x3, x25, 512 ; mov x4, xzr);
    for (line, code) in [(0, 1), (64, 3)] {
        a64!(ops ; ldsetal x14, x2, [x3] ; and x2, x2, x14);
        expect(ops, 2, 4, code);
        a64!(ops ; ldclr x14, x2, [x3] ; and x2, x2, x14);
        expect(ops, 2, 14, code + 1);
        a64!(ops ; ldeora x14, x2, [x3] ; and x2, x2, x14);
        expect(ops, 2, 4, code + 10);
        a64!(ops ; ldeorl x14, x2, [x3] ; and x2, x2, x14);
        expect(ops, 2, 14, code + 11);
        if line == 0 {
            a64!(ops ; add x3, x25, 576);
        }
    }
    a64!(ops
        // Tokens that are swapped are never lost: their sum stays.
        ; add x3, x25, 640
        ; ldr x2, [x25, 704]
        ; swpal x19, x2, [x3]
        ; add x4, x25, 704
        ; ldaddal x2, x5, [x4]
        ; sub x19, x19, 1
        ; cbz x19, >done
        ; b <next
        ; done:
    );
}

fn atomic_check(ops: &mut Ops) {
    total(ops);
    a64!(ops ; and x1, x0, 0xff ; and x2, x0, 0xffff ; neg x3, x0);
    a64!(ops ; ldrb w4, [x25] ; ldrh w5, [x25, 64] ; ldr w6, [x25, 128] ; ldr x7, [x25, 192]);
    for (code, (a, b)) in (21..).zip([(4, 1), (5, 2), (6, 0), (7, 0)]) {
        expect(ops, a, b, code);
    }
    a64!(ops ; ldrb w4, [x25, 8] ; ldrh w5, [x25, 72] ; ldr w6, [x25, 136] ; ldr x7, [x25, 200] ; ldp x8, x9, [x25, 256]);
    for (code, (a, b)) in (25..).zip([(4, 1), (5, 2), (6, 0), (7, 0), (8, 0), (9, 3)]) {
        expect(ops, a, b, code);
    }
    a64!(ops
        ; ldr x4, [x25, 512]
        ; ldr x5, [x25, 576]
        ; orr x4, x4, x5
        ; mov x5, xzr
    );
    expect(ops, 4, 5, 31);
    // What was swapped out and what is left: each processor put in n + ... + 1.
    a64!(ops
        ; ldr x4, [x25, 640]
        ; ldr x5, [x25, 704]
        ; add x4, x4, x5
        ; add x5, x20, 1
        ; mul x5, x5, x0
        ; lsr x5, x5, 1
    );
    expect(ops, 4, 5, 32);
}

/// Maxima and minima, signed and unsigned: what is found never goes back.
pub fn extremes() -> Test {
    Test {
        name: "extremes with atomics",
        lse: true,
        prepare: extremes_prepare,
        work: extremes_work,
        check: extremes_check,
    }
}

/// The largest number of the test, from which minima come down.
const TOP: u64 = 0x7000_0000;

fn extremes_prepare(ops: &mut Ops) {
    load(ops, 0, TOP);
    a64!(ops ; str x0, [x25, 64] ; str w0, [x25, 192] ; neg x1, x0 ; str x1, [x25, 128] ; mov w0, 0xff80 ; strh w0, [x25, 256]);
}

fn extremes_work(ops: &mut Ops) {
    load(ops, 15, TOP);
    a64!(ops
        ; mov x19, xzr
        ; mov x10, xzr
        ; mov x11, x15
        ; neg x12, x15
        ; mov w13, w15
        ; add x4, x25, 64
        ; add x5, x25, 128
        ; add x6, x25, 192
        ; add x7, x25, 256
        ; next:
        // The values of all processors interleave.
        ; madd x0, x19, x26, x27
        ; sub x1, x15, x0
        ; sub x2, x0, x15
        ; ldumaxal x0, x3, [x25]
        ; cmp x3, x10
        ; b.lo >back
        ; mov x10, x3
        ; ldumina x1, x3, [x4]
        ; cmp x3, x11
        ; b.hi >back
        ; mov x11, x3
        ; ldsmaxl x2, x3, [x5]
        ; cmp x3, x12
        ; b.lt >back
        ; mov x12, x3
        ; ldsmin w1, w3, [x6]
        ; cmp w3, w13
        ; b.gt >back
        ; mov w13, w3
        ; ldsmaxh w0, w3, [x7]
        ; add x19, x19, 1
        ; cmp x19, x20
        ; b.lo <next
        ; b >done
        ; back:
        ; mov x21, x3
        ; mov x22, x19
        ; mov x0, 40
        ; b ->fail
        ; done:
    );
}

fn extremes_check(ops: &mut Ops) {
    load(ops, 15, TOP);
    total(ops);
    a64!(ops
        ; sub x0, x0, 1
        ; sub x1, x15, x0
        ; sub x2, x0, x15
        ; mov w3, w1
        ; ldr x4, [x25]
        ; ldr x5, [x25, 64]
        ; ldr x6, [x25, 128]
        ; ldr w7, [x25, 192]
    );
    for (code, (a, b)) in (41..).zip([(4, 0), (5, 1), (6, 2), (7, 3)]) {
        expect(ops, a, b, code);
    }
}

/// One counter through exclusives and atomics at once.
pub fn mixed() -> Test {
    Test {
        name: "counter with exclusives and atomics",
        lse: true,
        prepare: nothing,
        work: mixed_work,
        check: mixed_check,
    }
}

fn mixed_work(ops: &mut Ops) {
    a64!(ops
        ; mov x19, x20
        ; mov x3, 1
        ; next:
        ; add x4, x19, x27
        ; tbnz x4, 0, >other
        ; x1: ; ldaxr x1, [x25] ; add x1, x1, 1 ; stlxr w2, x1, [x25] ; cbnz w2, <x1
        ; b >counted
        ; other:
        ; tbnz x4, 1, >compare
        ; ldaddal x3, x1, [x25]
        ; b >counted
        ; compare:
        ; ldr x1, [x25]
        ; x1: ; mov x5, x1 ; add x6, x1, 1 ; casal x1, x6, [x25] ; cmp x1, x5 ; b.ne <x1
        ; counted:
        ; sub x19, x19, 1
        ; cbnz x19, <next
    );
}

fn mixed_check(ops: &mut Ops) {
    total(ops);
    a64!(ops ; ldr x1, [x25]);
    expect(ops, 1, 0, 51);
}
