//! Interrupts that processors send each other, and timers that end their sleep.
//!
//! Sources: GICv2 (IHI 0048B) chapter 4, GICv3 (IHI 0069H) chapters 9 and 12, Arm ARM D12.2.

use super::super::demo::asm::{Ops, a64, load, reg};
use super::{Test, nothing, vars};
use dynasmrt::{DynasmApi, DynasmLabelApi};

const DISTRIBUTOR: u64 = 0x800_0000;
const CPU_INTERFACE: u64 = 0x801_0000;
const REDISTRIBUTORS: u64 = 0x80a_0000;
/// Private interrupt of the virtual timer.
const TIMER: u32 = 27;
/// The interrupt that processors send.
const SENT: u32 = 3;
/// GICD_SGIR.
const SGIR: u32 = 0xf00;

/// Each processor interrupts the next.
pub fn ring() -> Test {
    Test { name: "interrupts in a ring", lse: false, prepare: zero_taken, work: ring_work, check: nothing }
}

/// Each processor sleeps until its timer wakes it.
pub fn sleep() -> Test {
    Test { name: "timers", lse: false, prepare: zero_taken, work: sleep_work, check: nothing }
}

fn zero_taken(ops: &mut Ops) {
    a64!(ops
        ; add x0, x28, vars::TAKEN
        ; mov x1, vars::CPUS as u64
        ; next: ; str xzr, [x0], 64 ; sub x1, x1, 1 ; cbnz x1, <next
    );
}

/// Sleeps until this processor has taken x19 interrupts; x10 is where they are counted.
fn until_taken(ops: &mut Ops) {
    a64!(ops
        ; wait:
        // Masked, so that none comes between the look and the sleep; it wakes up all the same.
        ; msr daifset, 2
        ; ldr x0, [x10]
        ; cmp x0, x19
        ; b.hs >taken
        ; wfi
        ; msr daifclr, 2
        ; isb
        ; b <wait
        ; taken:
        ; msr daifclr, 2
    );
}

/// x10: where own interrupts are counted; x11: the next processor's number; x12: where its are.
fn ring_work(ops: &mut Ops) {
    a64!(ops
        ; add x10, x28, vars::TAKEN
        ; add x11, x27, 1
        ; cmp x11, x26
        ; csel x11, x11, xzr, lo
        ; add x12, x10, x11, lsl 6
        ; add x10, x10, x27, lsl 6
        ; mov x19, 1
        ; msr daifclr, 2
        ; next:
        // The one before must have been taken, or the two would be one.
        ; ldar x0, [x12]
        ; add x0, x0, 1
        ; cmp x0, x19
        ; b.hs >send
        ; yield
        ; b <next
        ; send:
        ; dsb ish
        ; ldr x0, [x28, vars::GICV3]
        ; mov x1, 1
        ; lsl x1, x1, x11
        ; cbnz x0, >registers
    );
    load(ops, 2, DISTRIBUTOR);
    a64!(ops
        ; lsl x1, x1, 16
        ; orr x1, x1, SENT.into()
        ; str w1, [x2, SGIR]
        ; b >sent
        ; registers:
        ; mov x2, SENT as u64
        ; orr x1, x1, x2, lsl 24
        ; msr ICC_SGI1R_EL1, x1
        ; isb
        ; sent:
    );
    until_taken(ops);
    a64!(ops ; add x19, x19, 1 ; cmp x19, x20 ; b.hi >done ; b <next ; done: ; msr daifset, 2);
}

fn sleep_work(ops: &mut Ops) {
    a64!(ops
        ; add x10, x28, vars::TAKEN
        ; add x10, x10, x27, lsl 6
        ; mov x19, 1
        ; lsr x20, x20, 4
        ; add x20, x20, 1
        ; msr daifclr, 2
        ; next:
        // 8 to 135 microseconds; some are over before the sleep begins.
        ; mrs x0, reg::CNTFRQ_EL0
        ; lsr x0, x0, 17
        ; and x1, x19, 15
        ; madd x0, x0, x1, x0
        ; mrs x1, reg::CNTVCT_EL0
        ; add x0, x0, x1
        ; msr reg::CNTV_CVAL_EL0, x0
        ; mov x0, 1
        ; msr reg::CNTV_CTL_EL0, x0
        ; isb
    );
    until_taken(ops);
    a64!(ops ; add x19, x19, 1 ; cmp x19, x20 ; b.hi >done ; b <next ; done: ; msr daifset, 2);
}

/// S3_0_C12_C11_5.
const ICC_SGI1R_EL1: u32 = 1 << 14 | 12 << 7 | 11 << 3 | 5;

/// Emits `->vectors`, `->gic_shared` and `->gic_own` (x27: this processor's number).
pub fn emit(ops: &mut Ops) {
    a64!(ops ; .align 2048 ; ->vectors:);
    for vector in 0..16 {
        match vector {
            4 => a64!(ops ; b ->synchronous),
            5 => a64!(ops ; b ->interrupt),
            _ => a64!(ops ; mov x0, vector ; b ->unexpected),
        }
        a64!(ops ; .align 128);
    }
    a64!(ops
        // SVC is expected.
        ; ->synchronous:
        ; stp x0, x1, [sp, -16]!
        ; mrs x0, reg::ESR_EL1
        ; lsr x0, x0, 26
        ; cmp x0, 0x15
        ; b.ne ->unexpected
        ; ldp x0, x1, [sp], 16
        ; eret
        ; ->unexpected:
        ; mrs x21, reg::ESR_EL1
        ; mrs x22, reg::ELR_EL1
        ; mov x0, 1
        ; b ->fail
        ; ->interrupt:
        ; stp x0, x1, [sp, -32]!
        ; stp x2, x3, [sp, 16]
        ; ldr x3, [x28, vars::GICV3]
        ; cbnz x3, >registers
    );
    load(ops, 2, CPU_INTERFACE);
    a64!(ops
        ; ldr w0, [x2, 12]
        ; b >acknowledged
        ; registers:
        ; mrs x0, reg::ICC_IAR1_EL1
        ; acknowledged:
        ; and w1, w0, 0x3ff
        ; cmp w1, 1020
        ; b.hs >none
        ; cmp w1, TIMER
        ; b.ne >count
        ; msr reg::CNTV_CTL_EL0, xzr
        ; isb
        ; count:
        ; cbnz x3, >registers
        ; str w0, [x2, 16]
        ; b >ended
        ; registers:
        ; msr reg::ICC_EOIR1_EL1, x0
        ; isb
        ; ended:
        ; add x2, x28, vars::TAKEN
        ; add x2, x2, x27, lsl 6
        ; ldr x0, [x2]
        ; add x0, x0, 1
        ; stlr x0, [x2]
        ; none:
        ; ldp x2, x3, [sp, 16]
        ; ldp x0, x1, [sp], 32
        ; eret
    );
    a64!(ops ; ->gic_shared: ; ldr x0, [x28, vars::GICV3]);
    load(ops, 1, DISTRIBUTOR);
    a64!(ops
        ; mov w2, 1
        // Affinity routing on, group 1 on.
        ; mov w3, 0b1_0010
        ; cmp x0, 0
        ; csel w2, w2, w3, eq
        ; str w2, [x1]
        ; ret
        ; ->gic_own:
        ; ldr x0, [x28, vars::GICV3]
        ; mov w4, 0x80
    );
    load(ops, 3, 1 << TIMER | 1 << SENT);
    a64!(ops ; cbnz x0, >three);
    load(ops, 1, DISTRIBUTOR);
    load(ops, 2, CPU_INTERFACE);
    a64!(ops
        ; strb w4, [x1, 0x400 + TIMER]
        ; strb w4, [x1, 0x400 + SENT]
        ; str w3, [x1, 0x100]
        ; mov w3, 0xf0
        ; str w3, [x2, 4]
        ; mov w3, 1
        ; str w3, [x2]
        ; ret
        ; three:
    );
    load(ops, 1, REDISTRIBUTORS);
    a64!(ops
        ; add x1, x1, x27, lsl 17
        ; ldr w0, [x1, 0x14]
        ; and w0, w0, !2u32
        ; str w0, [x1, 0x14]
        ; asleep:
        ; ldr w0, [x1, 0x14]
        ; tbnz w0, 2, <asleep
        ; add x1, x1, 0x10, lsl 12
        ; str w3, [x1, 0x80]
        ; strb w4, [x1, 0x400 + TIMER]
        ; strb w4, [x1, 0x400 + SENT]
        ; str w3, [x1, 0x100]
        ; mov x3, 7
        ; msr reg::ICC_SRE_EL1, x3
        ; isb
        ; mov x3, 0xf0
        ; msr reg::ICC_PMR_EL1, x3
        ; mov x3, 1
        ; msr reg::ICC_IGRPEN1_EL1, x3
        ; isb
        ; ret
    );
}
