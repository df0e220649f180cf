//! Tests that cross crates, and what they share.

/// A machine in this process with a scripted person at its serial line.
pub mod guest;
/// The restart rule as an emitter.
pub mod restart;
/// Recorded instruction vectors: their file format, how inputs are made, and the interpreter as their subject.
pub mod vectors;
