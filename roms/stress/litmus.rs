//! Litmus tests: message passing and store buffering, with barriers and with ordered accesses. Even processors are one
//! side, odd ones the other; processors 2k and 2k + 1 play together.

use super::super::demo::asm::{Ops, a64};
use super::{Test, nothing, vars};
use dynasmrt::{DynasmApi, DynasmLabelApi};

/// x10 = the pair's data; `>out` if this processor has no partner.
fn pair(ops: &mut Ops) {
    a64!(ops
        ; orr x0, x27, 1
        ; cmp x0, x26
        ; b.lo >partner
        ; b >out
        ; partner:
        ; lsr x0, x27, 1
        ; add x10, x25, x0, lsl 14
    );
}

/// A store is never seen before one that comes earlier.
pub fn message_passing() -> Test {
    Test { name: "message passing", lse: false, prepare: nothing, work: passing, check: nothing }
}

fn passing(ops: &mut Ops) {
    pair(ops);
    a64!(ops
        ; add x11, x10, 64
        ; add x12, x10, 128
        ; mov x19, 1
        ; tbnz x27, 0, >read
        ; write:
        ; str x19, [x10]
        ; dmb ishst
        ; str x19, [x11]
        ; str x19, [x10, 256]
        ; stlr x19, [x12]
        ; add x19, x19, 1
        ; cmp x19, x20
        ; b.ls <write
        ; b >out
        ; read:
        ; ldr x1, [x11]
        ; dmb ishld
        ; ldr x2, [x10]
        ; cmp x2, x1
        ; b.lo >wrong
        ; ldar x3, [x12]
        ; ldr x4, [x10, 256]
        ; cmp x4, x3
        ; b.lo >wrong
        // Address dependency.
        ; ldr x1, [x11]
        ; eor x5, x1, x1
        ; ldr x2, [x10, x5]
        ; cmp x2, x1
        ; b.lo >wrong
        ; cmp x3, x20
        ; b.lo <read
        ; b >out
        ; wrong:
        ; mov x21, x2
        ; mov x22, x1
        ; mov x0, 91
        ; b ->fail
        ; out:
    );
}

/// Of two processors that store and then look at the other's place, one sees the other's store.
pub fn store_buffering() -> Test {
    Test { name: "store buffering", lse: false, prepare: nothing, work: buffering, check: nothing }
}

/// Places that one batch plays on.
const PLACES: u32 = 256;
/// In the pair's data: where each side stores, what it saw, and where it waits for the other.
const STORED: [u32; 2] = [0, 0x800];
const SEEN: [u32; 2] = [0x1000, 0x1800];
const MEETING: u32 = 0x2000;

/// Waits until the other has come as far: x14 is where this side says so, x15 where the other does. The other may be
/// asleep, but if it is not, both go on at the same moment.
fn meet(ops: &mut Ops) {
    a64!(ops
        ; add x0, x14, x0
        ; add x1, x15, x1
        ; stlr x19, [x0]
        ; again:
        ; mov x2, 200
        ; look:
        ; ldar x0, [x1]
        ; cmp x0, x19
        ; b.hs >met
        ; sub x2, x2, 1
        ; cbnz x2, <look
        ; yield
        ; b <again
        ; met:
    );
}

/// The two meet, play a batch side by side, meet again, and the even one judges. x19 is the number of the batch, which
/// is what is stored, so that nothing is reset; its low bits say how loads are ordered after stores.
fn buffering(ops: &mut Ops) {
    pair(ops);
    a64!(ops
        // x11: own places; x12: the other's; x13: what was seen.
        ; and x0, x27, 1
        ; add x11, x10, x0, lsl 11
        ; add x13, x11, SEEN[0] >> 12, lsl 12
        ; eor x1, x0, 1
        ; add x12, x10, x1, lsl 11
        ; add x14, x10, MEETING >> 12, lsl 12
        ; add x15, x14, x1, lsl 6
        ; add x14, x14, x0, lsl 6
        ; lsr x20, x20, 4
        ; add x20, x20, 3
        ; mov x19, 1
        ; next:
        ; mov x0, xzr
        ; mov x1, xzr
    );
    meet(ops);
    // The odd side begins later, by a time that varies, and plays faster: somewhere they are at the same place.
    a64!(ops
        ; and x7, x27, 1
        ; mov x0, 29
        ; mul x0, x0, x19
        ; and x0, x0, 0x3ff
        ; mul x0, x0, x7
        ; later:
        ; sub x0, x0, 1
        ; tbz x0, 63, <later
        ; eor x7, x7, 1
        ; lsl x7, x7, 2
        ; mov x3, xzr
        ; and x4, x19, 3
        ; cmp x4, 1
        ; b.lo >plain
        ; b.eq >barrier
        ; cmp x4, 2
        ; b.eq >ordered
    );
    let store_and_look = |ops: &mut Ops, between: fn(&mut Ops)| {
        a64!(ops ; play: ; mov x0, x7 ; slower: ; sub x0, x0, 1 ; tbz x0, 63, <slower ; str x19, [x11, x3]);
        between(ops);
        a64!(ops
            ; ldr x1, [x12, x3]
            ; cmp x1, x19
            ; cset x1, hs
            ; str x1, [x13, x3]
            ; add x3, x3, 8
            ; cmp x3, 8 * PLACES
            ; b.lo <play
            ; b >played
        );
    };
    store_and_look(ops, |ops| a64!(ops ; dsb sy));
    a64!(ops ; plain:);
    store_and_look(ops, |_| ());
    a64!(ops ; barrier:);
    store_and_look(ops, |ops| a64!(ops ; dmb ish));
    a64!(ops
        ; ordered:
        ; mov x0, x7
        ; slower:
        ; sub x0, x0, 1
        ; tbz x0, 63, <slower
        ; add x5, x11, x3
        ; add x6, x12, x3
        ; stlr x19, [x5]
        ; ldar x1, [x6]
        ; cmp x1, x19
        ; cset x1, hs
        ; str x1, [x13, x3]
        ; add x3, x3, 8
        ; cmp x3, 8 * PLACES
        ; b.lo <ordered
        ; played:
        ; mov x0, 128
        ; mov x1, 128
    );
    meet(ops);
    a64!(ops
        ; tbnz x27, 0, >judged
        ; mov x3, xzr
        ; add x6, x10, SEEN[0] >> 12, lsl 12
        ; add x7, x6, SEEN[1] - SEEN[0]
        ; judge:
        ; ldr x1, [x6, x3]
        ; ldr x2, [x7, x3]
        ; orr x1, x1, x2
        ; cbnz x1, >right
        ; cbz x4, >weak
        ; mov x21, x19
        ; mov x22, x4
        ; mov x0, 92
        ; b ->fail
        ; weak:
        ; cbnz x27, >right
        ; ldr x0, [x28, vars::WEAK]
        ; add x0, x0, 1
        ; str x0, [x28, vars::WEAK]
        ; right:
        ; add x3, x3, 8
        ; cmp x3, 8 * PLACES
        ; b.lo <judge
        ; judged:
        ; add x19, x19, 1
        ; cmp x19, x20
        ; b.hi >out
        ; b <next
        ; out:
    );
    const { assert!(STORED[1] == 1 << 11) };
}
