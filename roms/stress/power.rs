//! Processors that go off and are turned on again, many times.
//!
//! Source: PSCI 1.1 (DEN 0022), 5.1.3 to 5.1.5.

use super::super::demo::asm::{Ops, a64, load};
use super::boot::CPU_ON;
use super::{Test, expect, nothing};
use dynasmrt::DynasmLabelApi;

const CPU_OFF: u64 = 0x8400_0002;
const AFFINITY_INFO: u64 = 0xC400_0004;

/// The test.
pub fn test() -> Test {
    Test { name: "processors off and on", lse: false, prepare: nothing, work, check: nothing }
}

/// x19: iterations left, x23: processor. The others' number and times on are in the data, a line each.
fn work(ops: &mut Ops) {
    a64!(ops
        ; cbz x27, >first
        ; ->off:
    );
    load(ops, 0, CPU_OFF);
    a64!(ops
        ; hvc 0
        // It does not come back.
        ; mov x21, x0
        ; mov x22, xzr
        ; mov x0, 131
        ; b ->fail
        // Where they are turned on: x0 says who, and in bit 8 whether it is the last time.
        ; ->on:
        ; adr x28, ->memory
        ; and x27, x0, 0xff
        ; mov x23, x0
        ; bl ->setup
        ; add x1, x25, x27, lsl 6
        ; ldr x0, [x1]
        ; add x0, x0, 1
        ; str x0, [x1]
        ; tbz x23, 8, ->off
        ; bl ->gic_own
        ; b >done
        ; first:
        ; lsr x19, x20, 4
        ; add x19, x19, 1
        ; next:
        ; mov x23, 1
        ; each:
        ; cmp x23, x26
        ; b.hs >all
        ; wait:
    );
    load(ops, 0, AFFINITY_INFO);
    a64!(ops ; mov x1, x23 ; mov x2, xzr ; hvc 0 ; cmp w0, 1 ; b.eq >is_off ; yield ; b <wait ; is_off:);
    load(ops, 0, CPU_ON);
    a64!(ops
        ; mov x1, x23
        ; adr x2, ->on
        ; cmp x19, 1
        ; cset x3, eq
        ; orr x3, x23, x3, lsl 8
        ; hvc 0
        ; mov w0, w0
        ; mov x1, xzr
    );
    expect(ops, 0, 1, 132);
    a64!(ops
        ; add x23, x23, 1
        ; b <each
        ; all:
        ; sub x19, x19, 1
        ; cbz x19, >done
        ; b <next
        ; done:
    );
}
