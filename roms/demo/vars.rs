//! The guest's memory after its image: variables, translation tables, stack. Offsets count from the label `->memory`,
//! which x28 holds.

/// Address of the device tree.
pub const DTB: u32 = 0;
/// First address of RAM.
pub const RAM_BASE: u32 = 8;
/// Bytes of RAM.
pub const RAM_SIZE: u32 = 16;
/// Processors that the device tree lists.
pub const CPUS: u32 = 24;
/// Address of the PL011.
pub const UART: u32 = 32;
/// Address of the GIC's distributor.
pub const GICD: u32 = 40;
/// Address of the first redistributor (version 3) or of the CPU interface (version 2).
pub const GICC: u32 = 48;
/// 2 or 3.
pub const GIC_VERSION: u32 = 56;
/// How PSCI is called: 'h' for HVC, 's' for SMC.
pub const CONDUIT: u32 = 64;
/// Exception level that the loader entered us at.
pub const FIRST_EL: u32 = 72;
/// Timer interrupts taken.
pub const TICKS: u32 = 80;
/// Counts between timer interrupts.
pub const INTERVAL: u32 = 88;
/// Not zero while an exception is expected: the handler then notes it and skips the instruction.
pub const EXPECTED: u32 = 96;
/// Not zero once the expected exception has come.
pub const CAUGHT: u32 = 104;
/// ESR_EL1 of the exception that came.
pub const ESR: u32 = 112;
/// Its FAR_EL1.
pub const FAR: u32 = 120;
/// Its ELR_EL1.
pub const ELR: u32 = 128;
/// Characters that came from the UART, and characters that were taken.
pub const HEAD: u32 = 136;
/// See [`HEAD`].
pub const TAIL: u32 = 144;
/// The identification registers of [`super::features`], eight bytes each.
pub const ID: u32 = 160;
/// The ring that [`HEAD`] and [`TAIL`] index.
pub const RING: u32 = 256;
/// Bytes in the ring.
pub const RING_SIZE: u32 = 256;
/// The line being typed.
pub const LINE: u32 = 512;
pub use crate::text::LINE_SIZE;
/// Translation tables of levels 1, 2 and 3, a page each.
pub const TABLE1: u32 = 0x1000;
/// See [`TABLE1`].
pub const TABLE2: u32 = 0x2000;
/// See [`TABLE1`].
pub const TABLE3: u32 = 0x3000;
/// The benchmark's array.
pub const ARRAY: u32 = 0x4000;
/// Bytes in the array.
pub const ARRAY_SIZE: u32 = 0x1_0000;
/// The stack grows down from here; this is also the size of all this memory.
pub const STACK_TOP: u32 = 0x1_8000;
