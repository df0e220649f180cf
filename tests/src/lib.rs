//! Tests that cross crates, and what they share.

pub mod decoding;
pub mod fuzz;
pub mod guest;
pub mod hostx86;
pub mod restart;

pub use lyrebird_machine::suite::vectors;
