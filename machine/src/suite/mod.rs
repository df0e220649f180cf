//! Test suites of single instructions, and the bare processors that they run on.
//!
//! Suites are the SingleStepTests of x86 processors in real mode (MOO files and the JSON of the 8086), and our own vectors
//! of what user programs can do. A file has many tests; [`Suite`] finds the files and reads them one by one, and a
//! [`Tester`] runs tests. Bus cycles and prefetch queues are not looked at.

mod bare;
mod engine;
mod json;
mod masks;
mod moo;
mod open;
mod real;
mod test;
mod tester;
pub mod vectors;

pub use engine::Engine;
pub use masks::Masks;
pub use open::{File, Format, Suite, Tests};
pub use real::{Mismatch, Real, Wrong};
pub use test::{Registers, State, Test, reg};
pub use tester::{Difference, Failure, Tester};
