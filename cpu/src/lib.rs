//! What guest processors are: state, decoding, the meaning of every instruction, page-table walks, exceptions, and the
//! interpreter. Knows nothing of JITs, devices or boards, and has no unsafe code.
#![forbid(unsafe_code)]

/// Arm processors: AArch64 at EL0 and EL1.
pub mod arm;
/// Which guest RAM holds decoded or translated code.
pub mod code;
/// One virtual processor, and the interpreter's instance of the vocabulary.
pub mod core;
/// The vocabulary of instruction semantics.
pub mod emit;
/// What a run of instructions did, so that it can be taken back.
pub mod journal;
/// Memory accesses that the TLB does not serve.
mod memory;
/// The table of integer operations.
pub mod op;
/// The interpreter's loop and decoded-instruction cache.
pub mod run;
/// The flat register file and its typed cells.
pub mod slot;
/// Software floating point, the reference of every engine.
pub mod softfloat;
/// Decode tables.
pub mod table;
/// The software TLB.
pub mod tlb;
/// The table of vector operations.
pub mod vec;
/// Widths of guest values, as types.
pub mod width;
