//! From the loader's jump, or the firmware's, to the rounds.

use super::super::demo::asm::{Ops, a64, load, reg, say};
use super::super::demo::vars::UART;
use super::vars;
use dynasmrt::{DynasmApi, DynasmLabelApi};

/// SCTLR_EL1 with its fixed bits, the MMU and the caches on.
const SCTLR: u64 = 0x30d0_0800 | 1 | 1 << 2 | 1 << 12;
/// Attribute 0: device memory; attribute 1: cached, write-back.
const MAIR: u64 = 0xff04;
/// 39 bits of virtual address, cached and inner shareable walks, no walks with TTBR1, 40 bits of physical address.
const TCR: u64 = 25 | 1 << 8 | 1 << 10 | 3 << 12 | 1 << 23 | 2 << 32;
/// A GiB of device memory that is never executed.
const DEVICES: u64 = 1 << 54 | 1 << 53 | 1 << 10 | 1;
/// A GiB of cached memory for everything.
const MEMORY: u64 = 0x4000_0000 | 1 << 10 | 3 << 8 | 1 << 2 | 1;
/// Descriptor of a table.
const TABLE: u32 = 3;
/// A page of cached memory that is never executed.
pub const PAGE: u64 = 1 << 54 | 1 << 53 | 1 << 10 | 3 << 8 | 1 << 2 | 3;
/// The address that [`super::translation`] maps to one page or the other: the first of GiB 100.
pub const WINDOW: u64 = 100 << 30;

/// CPU_ON of PSCI (DEN 0022, 5.1.4), 64-bit.
pub const CPU_ON: u64 = 0xC400_0003;

/// Emits `->start` for the first processor and `->other` for all others, with their number in x0.
pub fn emit(ops: &mut Ops) {
    a64!(ops
        ; ->start:
        ; msr daifset, 15
        ; adr x28, ->memory
        ; add x1, x28, vars::DATA >> 12, lsl 12
        ; add x1, x1, 0x14, lsl 12
        ; mov x0, x28
        ; clear:
        ; stp xzr, xzr, [x0], 16
        ; cmp x0, x1
        ; b.lo <clear
        ; add x13, x28, vars::TABLE1 >> 12, lsl 12
        ; add x14, x28, vars::TABLE2 >> 12, lsl 12
        ; add x15, x28, vars::TABLE3 >> 12, lsl 12
    );
    for (at, x) in [(0, DEVICES), (8, MEMORY), (UART, 0x900_0000)] {
        load(ops, 0, x);
        if at == UART {
            a64!(ops ; str x0, [x28, at]);
        } else {
            a64!(ops ; str x0, [x13, at]);
        }
    }
    a64!(ops
        ; orr x0, x14, TABLE.into()
        ; str x0, [x13, (WINDOW >> 30 << 3) as u32]
        ; orr x0, x15, TABLE.into()
        ; str x0, [x14]
        ; mrs x0, reg::ID_AA64ISAR0_EL1
        ; ubfx x0, x0, 20, 4
        ; str x0, [x28, vars::LSE]
        ; mrs x0, reg::ID_AA64PFR0_EL1
        ; ubfx x0, x0, 24, 4
        ; str x0, [x28, vars::GICV3]
        ; mov x0, 1
        ; str x0, [x28, vars::FOUND]
        ; mov x27, 0
        ; bl ->setup
        ; bl ->console_init
        ; bl ->gic_shared
        ; bl ->gic_own
        // All others, as long as there are any.
        ; mov x19, 1
        ; next:
    );
    load(ops, 0, CPU_ON);
    a64!(ops
        ; mov x1, x19
        ; adr x2, ->other
        ; mov x3, x19
        ; hvc 0
        ; cbnz w0, >all
        ; add x19, x19, 1
        ; cmp x19, vars::CPUS
        ; b.lo <next
        ; all:
        ; str x19, [x28, vars::FOUND]
        ; mov x26, x19
        ; dmb ish
        ; add x0, x28, vars::PASSED
        ; mov w1, 1
        ; stlr w1, [x0]
    );
    say(ops, "stress: ");
    a64!(ops ; mov x0, x26 ; bl ->print_dec);
    say(ops, " processors\n");
    a64!(ops
        ; b ->rounds
        ; ->other:
        ; mov x27, x0
        ; adr x28, ->memory
        ; bl ->setup
        ; bl ->gic_own
        // The first processor has counted.
        ; add x0, x28, vars::PASSED
        ; wait:
        ; ldar w1, [x0]
        ; cbnz w1, >counted
        ; wfe
        ; b <wait
        ; counted:
        ; ldr x26, [x28, vars::FOUND]
        ; b ->rounds
        // x27 and x28 are set; changes x0 and x1.
        ; ->setup:
        ; msr spsel, 1
        ; add x0, x28, vars::STACKS >> 12, lsl 12
        ; add x0, x0, vars::STACKS & 0xfff
        ; mov x1, vars::STACK_SIZE as u64
        ; madd x0, x1, x27, x0
        ; mov sp, x0
        ; add x25, x28, vars::DATA >> 12, lsl 12
        ; ldr x26, [x28, vars::FOUND]
        ; adr x0, ->vectors
        ; msr reg::VBAR_EL1, x0
        ; mov x0, 0x300000
        ; msr reg::CPACR_EL1, x0
    );
    for (register, x) in [(reg::MAIR_EL1, MAIR), (reg::TCR_EL1, TCR)] {
        load(ops, 0, x);
        a64!(ops ; msr register, x0);
    }
    a64!(ops
        ; add x0, x28, vars::TABLE1 >> 12, lsl 12
        ; msr reg::TTBR0_EL1, x0
        ; dsb ish
        ; tlbi vmalle1
        ; dsb ish
        ; isb
    );
    load(ops, 0, SCTLR);
    a64!(ops ; msr reg::SCTLR_EL1, x0 ; isb ; ret);
}
