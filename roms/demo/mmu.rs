//! Translation on, with 4 KiB granules and every address mapped to itself.
//!
//! Level 1 maps the first GiB as device memory and each GiB of RAM as cached memory; the GiB that holds the image has a
//! table of 2 MiB blocks, and the 2 MiB around the image a table of pages, in which the code cannot be written and
//! nothing else be executed. Source: Arm ARM D8.3 (descriptors), D24.2 (MAIR, TCR).

use super::asm::{Ops, a64, load, reg};
use super::vars;
use dynasmrt::{DynasmApi, DynasmLabelApi};

/// Attribute 0: device memory with early write acknowledgement. Attribute 1: cached, write-back.
const MAIR: u64 = 0xff04;

/// 39 bits of virtual address, cached and inner shareable walks, no walks with TTBR1. The output size is added.
const TCR: u64 = 25 | 1 << 8 | 1 << 10 | 3 << 12 | 1 << 23;

const BLOCK: u64 = 0b01;
const TABLE_OR_PAGE: u64 = 0b11;
const NORMAL: u64 = 1 << 2;
const READ_ONLY: u64 = 0b10 << 6;
const INNER_SHAREABLE: u64 = 0b11 << 8;
const ACCESSED: u64 = 1 << 10;
const NO_EL1_EXECUTE: u64 = 1 << 53;
const NO_EL0_EXECUTE: u64 = 1 << 54;

const DEVICE_BLOCK: u64 = BLOCK | ACCESSED | NO_EL1_EXECUTE | NO_EL0_EXECUTE;
const CODE_PAGE: u64 = TABLE_OR_PAGE | NORMAL | READ_ONLY | INNER_SHAREABLE | ACCESSED | NO_EL0_EXECUTE;
const DATA_PAGE: u64 = TABLE_OR_PAGE | NORMAL | INNER_SHAREABLE | ACCESSED | NO_EL1_EXECUTE | NO_EL0_EXECUTE;
/// A data page with the low bits of a block.
const DATA_BLOCK: u64 = DATA_PAGE & !TABLE_OR_PAGE | BLOCK;

/// SCTLR_EL1 bits M, C and I.
const MMU_AND_CACHES: u64 = 1 | 1 << 2 | 1 << 12;

/// Emits `->mmu_on`.
pub fn emit(ops: &mut Ops) {
    a64!(ops
        ; ->mmu_on:
        ; adr x10, ->image
        ; ldr x11, [x28, vars::RAM_BASE]
        ; ldr x12, [x28, vars::RAM_SIZE]
        // x12: end of RAM, or of what 39 bits reach.
        ; add x12, x11, x12
        ; mov x0, 0x8000000000
        ; cmp x12, x0
        ; csel x12, x12, x0, lo
        ; add x13, x28, vars::TABLE1 >> 12, lsl 12
        ; add x14, x28, vars::TABLE2 >> 12, lsl 12
        ; add x15, x28, vars::TABLE3 >> 12, lsl 12
    );
    load(ops, 0, DEVICE_BLOCK);
    load(ops, 1, DATA_BLOCK);
    a64!(ops
        ; str x0, [x13]
        ; mov x5, 0x40000000
        ; and x2, x11, 0xffffffffc0000000
        ; gigabyte:
        ; orr x3, x2, x1
        ; lsr x4, x2, 30
        ; str x3, [x13, x4, lsl 3]
        ; add x2, x2, x5
        ; cmp x2, x12
        ; b.lo <gigabyte
        // The GiB of the image: blocks of 2 MiB as far as RAM goes.
        ; lsr x4, x10, 30
        ; orr x3, x14, TABLE_OR_PAGE
        ; str x3, [x13, x4, lsl 3]
        ; lsl x2, x4, 30
        ; mov x4, xzr
        ; block:
        ; cmp x2, x12
        ; b.hs >blocks_done
        ; orr x3, x2, x1
        ; str x3, [x14, x4, lsl 3]
        ; add x2, x2, 0x200, lsl 12
        ; add x4, x4, 1
        ; cmp x4, 512
        ; b.lo <block
        ; blocks_done:
        // The 2 MiB of the image: pages.
        ; ubfx x4, x10, 21, 9
        ; orr x3, x15, TABLE_OR_PAGE
        ; str x3, [x14, x4, lsl 3]
        ; and x2, x10, 0xffffffffffe00000
        ; mov x4, xzr
    );
    load(ops, 0, CODE_PAGE);
    load(ops, 1, DATA_PAGE);
    a64!(ops
        ; page:
        // Code is from the image to its memory.
        ; cmp x2, x10
        ; ccmp x2, x28, 2, hs
        ; csel x3, x0, x1, lo
        ; orr x3, x2, x3
        ; str x3, [x15, x4, lsl 3]
        ; add x2, x2, 1, lsl 12
        ; add x4, x4, 1
        ; cmp x4, 512
        ; b.lo <page
    );
    load(ops, 0, MAIR);
    a64!(ops ; msr reg::MAIR_EL1, x0);
    load(ops, 0, TCR);
    a64!(ops
        ; .arch aarch64
        // The output size is what the processor has, up to 48 bits.
        ; mrs x1, reg::ID_AA64MMFR0_EL1
        ; and x1, x1, 15
        ; mov x2, 5
        ; cmp x1, x2
        ; csel x1, x1, x2, lo
        ; orr x0, x0, x1, lsl 32
        ; msr reg::TCR_EL1, x0
        ; msr reg::TTBR0_EL1, x13
        ; dsb ish
        ; tlbi vmalle1
        ; dsb ish
        ; isb
        ; mrs x0, reg::SCTLR_EL1
    );
    load(ops, 1, MMU_AND_CACHES);
    a64!(ops
        ; orr x0, x0, x1
        ; msr reg::SCTLR_EL1, x0
        ; isb
        ; ret
    );
}
