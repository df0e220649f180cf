//! Replaying recorded rows on a subject.

use super::file::Row;
use super::{Change, Outcome, Subject, input};
use anyhow::Result;
use std::fmt;

/// A case whose outcome was not the recorded one.
#[derive(Debug)]
pub struct Mismatch {
    /// The row's name.
    pub row: String,
    /// The instruction word.
    pub word: u32,
    /// The seed of the input.
    pub seed: u64,
    /// What was recorded.
    pub expected: Outcome,
    /// What the subject did.
    pub got: Outcome,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} {:08x} seed {:#x}", self.row, self.word, self.seed)?;
        let list = |outcome: &Outcome| match outcome {
            Outcome::Undefined => "undefined".to_owned(),
            Outcome::Done(changes) => changes.iter().map(|c| format!("{} ", Shown(c))).collect(),
        };
        writeln!(f, "    recorded {}", list(&self.expected))?;
        write!(f, "    got      {}", list(&self.got))
    }
}

/// A change as people read it.
struct Shown<'a>(&'a Change);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Change::X(31, x) => write!(f, "SP={x:x}"),
            Change::X(i, x) => write!(f, "X{i}={x:x}"),
            Change::V(i, x) => write!(f, "V{i}={x:032x}"),
            Change::D(i, x) => write!(f, "V{i}={x:x}"),
            Change::Pc(x) => write!(f, "PC={x:x}"),
            Change::Nzcv(x) => write!(f, "NZCV={x:04b}"),
            Change::Fpsr(x) => write!(f, "FPSR={x:x}"),
            Change::Fpcr(x) => write!(f, "FPCR={x:x}"),
            Change::Memory(at, bytes) => write!(f, "[{at:x}]={bytes:02x?}"),
        }
    }
}

/// Runs all cases of a row and gives those that differ.
///
/// # Errors
/// When the subject cannot run a case.
pub fn replay(row: &Row, subject: &mut dyn Subject) -> Result<Vec<Mismatch>> {
    let mut wrong = Vec::new();
    for (i, (&word, expected)) in row.words.iter().zip(&row.outcomes).enumerate() {
        let seed = row.seed.wrapping_add(i as u64);
        let before = input(seed, word);
        let mut after = before.clone();
        let got = match subject.run(word, &mut after)? {
            true => Outcome::between(&before, &after),
            false => Outcome::Undefined,
        };
        if got != *expected {
            wrong.push(Mismatch { row: row.name.clone(), word, seed, expected: expected.clone(), got });
        }
    }
    Ok(wrong)
}
