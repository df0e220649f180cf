//! Tests that cross crates, and what they share.

pub mod guest;
pub mod restart;
pub mod vectors;
