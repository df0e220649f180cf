//! The virtual timer: off until someone wants ticks, then one interrupt each interval.
//!
//! Source: Arm ARM D12.2. The comparator moves by the interval, so ticks do not drift.

use super::asm::{Ops, a64, enter, leave, load, reg, say};
use super::vars;
use crate::text::{TICK_RATE, TICKS};
use dynasmrt::{DynasmApi, DynasmLabelApi};

/// Emits `->timer_init`, `->timer_interrupt` and the command `->tick`.
pub fn emit(ops: &mut Ops) {
    a64!(ops
        ; ->timer_init:
        ; msr reg::CNTV_CTL_EL0, xzr
        ; ret
        ; ->timer_interrupt:
        ; ldr x0, [x28, vars::TICKS]
        ; add x0, x0, 1
        ; str x0, [x28, vars::TICKS]
        ; ldr x1, [x28, vars::INTERVAL]
        ; mrs x0, reg::CNTV_CVAL_EL0
        ; add x0, x0, x1
        ; msr reg::CNTV_CVAL_EL0, x0
        ; isb
        ; ret
    );
    tick(ops);
}

/// Lets the timer tick a few times, sleeping between ticks, and says when each came. x19: ticks seen, x20: start.
fn tick(ops: &mut Ops) {
    a64!(ops ; ->tick:);
    enter(ops);
    load(ops, 1, TICK_RATE);
    a64!(ops
        ; str xzr, [x28, vars::TICKS]
        ; mrs x0, reg::CNTFRQ_EL0
        ; udiv x0, x0, x1
        ; str x0, [x28, vars::INTERVAL]
        ; isb
        ; mrs x20, reg::CNTVCT_EL0
        ; add x0, x20, x0
        ; msr reg::CNTV_CVAL_EL0, x0
        ; mov x0, 1
        ; msr reg::CNTV_CTL_EL0, x0
        ; mov x19, xzr
        ; next:
        // With interrupts masked WFI still wakes up, and none can come between the look and the sleep.
        ; msr daifset, 2
        ; ldr x0, [x28, vars::TICKS]
        ; cmp x0, x19
        ; b.ne >came
        ; wfi
        ; came:
        ; msr daifclr, 2
        ; isb
        ; ldr x0, [x28, vars::TICKS]
        ; cmp x0, x19
        ; b.eq <next
        ; add x19, x19, 1
    );
    say(ops, "tick ");
    a64!(ops ; mov x0, x19 ; bl ->print_dec);
    say(ops, " after ");
    load(ops, 2, 1000);
    a64!(ops
        ; mrs x0, reg::CNTVCT_EL0
        ; sub x0, x0, x20
        ; mul x0, x0, x2
        ; mrs x1, reg::CNTFRQ_EL0
        ; udiv x0, x0, x1
        ; bl ->print_dec
    );
    say(ops, " ms\n");
    a64!(ops ; cmp x19, TICKS ; b.lo <next ; msr reg::CNTV_CTL_EL0, xzr);
    leave(ops);
}
