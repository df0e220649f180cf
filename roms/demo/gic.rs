//! The interrupt controller, version 2 or 3, with two sources: the virtual timer and the UART.
//!
//! Sources: GICv2 (IHI 0048B) chapter 4, GICv3 (IHI 0069H) chapters 9 and 12.

use super::asm::{Ops, a64, reg};
use super::vars;
use dynasmrt::{DynasmApi, DynasmLabelApi};

/// Private interrupt of the virtual timer.
const TIMER: u32 = 27;
/// Shared interrupt 1, the PL011 of `virt`.
const UART: u32 = 33;
/// Numbers from here on mean that no interrupt is pending.
const SPECIAL: u32 = 1020;
/// Every priority below the mask of 0xf0 goes through.
const PRIORITY: u32 = 0x80;

/// Distributor registers.
mod gicd {
    pub const CTLR: u32 = 0;
    pub const IGROUPR1: u32 = 0x84;
    pub const ISENABLER0: u32 = 0x100;
    pub const ISENABLER1: u32 = 0x104;
    pub const IPRIORITYR: u32 = 0x400;
    pub const ITARGETSR: u32 = 0x800;
    pub const IROUTER: u32 = 0x6000;
}

/// CPU interface registers of version 2.
mod gicc {
    pub const CTLR: u32 = 0;
    pub const PMR: u32 = 4;
    pub const IAR: u32 = 12;
    pub const EOIR: u32 = 16;
}

/// Redistributor registers; the second frame, for private interrupts, begins at 0x10000.
mod gicr {
    pub const WAKER: u32 = 0x14;
    pub const PRIVATE: u32 = 0x1_0000;
    pub const IGROUPR0: u32 = 0x80;
    pub const ISENABLER0: u32 = 0x100;
    pub const IPRIORITYR: u32 = 0x400;
}

/// Emits `->gic_init` and `->gic_dispatch`.
pub fn emit(ops: &mut Ops) {
    a64!(ops
        ; ->gic_init:
        ; ldr x1, [x28, vars::GICD]
        ; ldr x2, [x28, vars::GICC]
        ; ldr x0, [x28, vars::GIC_VERSION]
        ; cmp x0, 3
        ; b.eq ->gic_init_v3
    );
    init_v2(ops);
    init_v3(ops);
    dispatch(ops);
}

/// x1: distributor, x2: CPU interface.
fn init_v2(ops: &mut Ops) {
    a64!(ops
        ; mov w3, PRIORITY
        ; strb w3, [x1, gicd::IPRIORITYR + TIMER]
        ; strb w3, [x1, gicd::IPRIORITYR + UART]
        ; mov w3, 1
        ; strb w3, [x1, gicd::ITARGETSR + UART]
        ; mov w3, 1 << TIMER
        ; str w3, [x1, gicd::ISENABLER0]
        ; mov w3, 1 << (UART - 32)
        ; str w3, [x1, gicd::ISENABLER1]
        ; mov w3, 0xf0
        ; str w3, [x2, gicc::PMR]
        ; mov w3, 1
        ; str w3, [x2, gicc::CTLR]
        ; str w3, [x1, gicd::CTLR]
        ; ret
    );
}

/// x1: distributor, x2: this processor's redistributor. With one security state both groups are ours; ours is 1.
fn init_v3(ops: &mut Ops) {
    a64!(ops
        ; ->gic_init_v3:
        // Affinity routing on, group 1 on.
        ; mov w3, 0b1_0010
        ; str w3, [x1, gicd::CTLR]
        ; mov w3, 1 << (UART - 32)
        ; str w3, [x1, gicd::IGROUPR1]
        ; mov w4, PRIORITY
        ; strb w4, [x1, gicd::IPRIORITYR + UART]
        ; mrs x4, reg::MPIDR_EL1
        ; and x4, x4, 0xffffff
        ; mov x5, u64::from(gicd::IROUTER + 8 * UART)
        ; str x4, [x1, x5]
        ; str w3, [x1, gicd::ISENABLER1]
        // Wake the redistributor: clear ProcessorSleep, await ChildrenAsleep = 0.
        ; ldr w3, [x2, gicr::WAKER]
        ; and w3, w3, !2u32
        ; str w3, [x2, gicr::WAKER]
        ; asleep:
        ; ldr w3, [x2, gicr::WAKER]
        ; tbnz w3, 2, <asleep
        ; add x2, x2, gicr::PRIVATE >> 12, lsl 12
        ; mov w3, 1 << TIMER
        ; str w3, [x2, gicr::IGROUPR0]
        ; mov w4, PRIORITY
        ; strb w4, [x2, gicr::IPRIORITYR + TIMER]
        ; str w3, [x2, gicr::ISENABLER0]
        // The CPU interface is in system registers.
        ; mrs x3, reg::ICC_SRE_EL1
        ; orr x3, x3, 1
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

/// Acknowledges what is pending, serves it, ends it. x19 is the CPU interface, or zero with version 3; x20 what was
/// acknowledged.
fn dispatch(ops: &mut Ops) {
    a64!(ops
        ; ->gic_dispatch:
        ; stp x29, x30, [sp, -32]!
        ; stp x19, x20, [sp, 16]
        ; mov x19, xzr
        ; ldr x0, [x28, vars::GIC_VERSION]
        ; cmp x0, 3
        ; b.eq >registers
        ; ldr x19, [x28, vars::GICC]
        ; ldr w20, [x19, gicc::IAR]
        ; b >acknowledged
        ; registers:
        ; mrs x20, reg::ICC_IAR1_EL1
        ; dsb sy
        ; acknowledged:
        ; and w0, w20, 0x3ff
        ; cmp w0, SPECIAL
        ; b.hs >done
        ; cmp w0, TIMER
        ; b.ne >next
        ; bl ->timer_interrupt
        ; b >end
        ; next:
        ; cmp w0, UART
        ; b.ne >end
        ; bl ->console_interrupt
        ; end:
        ; cbz x19, >registers
        ; str w20, [x19, gicc::EOIR]
        ; b >done
        ; registers:
        ; msr reg::ICC_EOIR1_EL1, x20
        ; isb
        ; done:
        ; ldp x19, x20, [sp, 16]
        ; ldp x29, x30, [sp], 32
        ; ret
    );
}
