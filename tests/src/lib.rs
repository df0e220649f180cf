//! Tests that cross crates, and what they share.

/// Recorded instruction vectors: their file format, how inputs are made, and the interpreter as their subject.
pub mod vectors;
