//! Where processors wait for each other. Exclusives alone, so that every model has them.

use super::super::demo::asm::{Ops, a64};
use super::vars;
use dynasmrt::{DynasmApi, DynasmLabelApi};

/// Emits `->barrier`, which changes x0 to x5.
pub fn emit(ops: &mut Ops) {
    a64!(ops
        ; ->barrier:
        ; dmb ish
        ; add x4, x28, vars::ARRIVED
        ; add x5, x28, vars::PASSED
        ; ldar w1, [x5]
        ; arrive:
        ; ldaxr w2, [x4]
        ; add w2, w2, 1
        ; stlxr w3, w2, [x4]
        ; cbnz w3, <arrive
        ; cmp w2, w26
        ; b.ne >wait
        ; str wzr, [x4]
        ; add w1, w1, 1
        ; stlr w1, [x5]
        ; dsb ishst
        ; sev
        ; ret
        ; wait:
        ; ldar w2, [x5]
        ; cmp w2, w1
        ; b.ne >passed
        ; wfe
        ; b <wait
        ; passed:
        ; ret
    );
}
