//! What guest processors are: state, decoding, the meaning of every instruction, page-table walks, exceptions, and the
//! interpreter. Knows nothing of JITs, devices or boards, and has no unsafe code.
#![forbid(unsafe_code)]

pub mod arm;
pub mod attention;
pub mod code;
pub mod core;
pub mod emit;
mod handler;
pub mod journal;
mod lazy;
mod memory;
pub mod op;
pub mod places;
pub mod run;
pub mod slot;
pub mod softfloat;
pub mod table;
pub mod tlb;
pub mod trace;
pub mod vec;
pub mod width;
pub mod x86;
