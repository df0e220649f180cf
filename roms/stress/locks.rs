//! Ticket locks around plain counters, and a sequence lock.

use super::super::demo::asm::{Ops, a64};
use super::{Test, expect, nothing, total};
use dynasmrt::DynasmLabelApi;

/// Tickets are taken through exclusives.
pub fn ticket_exclusive() -> Test {
    Test {
        name: "ticket lock with exclusives",
        lse: false,
        prepare: nothing,
        work: |ops| {
            ticket(ops, |ops| {
                a64!(ops ; again: ; ldaxr w1, [x25] ; mov w5, 0x10000 ; add w2, w1, w5 ; stxr w3, w2, [x25] ; cbnz w3, <again);
            });
        },
        check: ticket_check,
    }
}

/// Tickets are taken through LDADDA.
pub fn ticket_atomic() -> Test {
    Test {
        name: "ticket lock with atomics",
        lse: true,
        prepare: nothing,
        work: |ops| ticket(ops, |ops| a64!(ops ; mov w2, 0x10000 ; ldadda w2, w1, [x25])),
        check: ticket_check,
    }
}

/// The low half of the word is who may enter, the high half the next ticket.
fn ticket(ops: &mut Ops, take: fn(&mut Ops)) {
    a64!(ops ; mov x19, x20 ; next:);
    take(ops);
    a64!(ops
        ; lsr w2, w1, 16
        ; and w3, w1, 0xffff
        ; wait:
        ; cmp w2, w3
        ; b.eq >enter
        ; wfe
        ; ldarh w3, [x25]
        ; b <wait
        ; enter:
        ; ldr x4, [x25, 64]
        ; ldr x5, [x25, 128]
    );
    expect(ops, 4, 5, 71);
    a64!(ops
        ; add x4, x4, 1
        ; str x4, [x25, 64]
        ; and x6, x19, 15
        ; hold: ; sub x6, x6, 1 ; tbz x6, 63, <hold
        ; ldr x5, [x25, 128]
        ; add x5, x5, 1
        ; str x5, [x25, 128]
        ; ldrh w1, [x25]
        ; add w1, w1, 1
        ; stlrh w1, [x25]
        ; sev
        ; sub x19, x19, 1
        ; cbz x19, >done
        ; b <next
        ; done:
    );
}

fn ticket_check(ops: &mut Ops) {
    total(ops);
    a64!(ops ; ldr x1, [x25, 64] ; ldr x2, [x25, 128]);
    expect(ops, 1, 0, 72);
    expect(ops, 2, 0, 73);
}

/// The first processor writes three words, all others read them, and never half of them.
pub fn sequence() -> Test {
    Test { name: "sequence lock", lse: false, prepare: nothing, work: sequence_work, check: nothing }
}

fn sequence_work(ops: &mut Ops) {
    a64!(ops
        ; mov x19, x20
        ; cbnz x27, >read
        ; write:
        ; ldr x1, [x25]
        ; add x1, x1, 1
        ; str x1, [x25]
        ; dmb ishst
        ; mvn x2, x19
        ; str x19, [x25, 64]
        ; str x2, [x25, 128]
        ; stp x19, x2, [x25, 192]
        ; dmb ishst
        ; add x1, x1, 1
        ; str x1, [x25]
        ; sub x19, x19, 1
        ; cbnz x19, <write
        ; b >done
        ; read:
        ; ldr x1, [x25]
        ; dmb ishld
        ; ldr x2, [x25, 64]
        ; ldr x3, [x25, 128]
        ; ldp x4, x5, [x25, 192]
        ; dmb ishld
        ; ldr x6, [x25]
        ; cmp x1, x6
        ; b.ne <read
        ; tbnz x1, 0, <read
        ; cbz x1, <read
        ; mvn x3, x3
        ; mvn x5, x5
    );
    expect(ops, 2, 3, 81);
    expect(ops, 2, 4, 82);
    expect(ops, 2, 5, 83);
    a64!(ops ; cmp x2, 1 ; b.eq >done ; b <read ; done:);
}
