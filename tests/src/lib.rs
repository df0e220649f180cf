//! Tests that cross crates, and what they share.

pub mod decoding;
pub mod fuzz;
pub mod guest;
pub mod moo;
pub mod restart;
pub mod vectors;
