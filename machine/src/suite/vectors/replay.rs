//! Replaying recorded rows on a subject.

use super::file::Row;
use super::{Outcome, Subject, input};
use anyhow::{Result, bail};
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
            Outcome::Done(_) => {
                outcome.changes().iter().map(|(name, value)| format!("{name}={value} ")).collect()
            }
        };
        writeln!(f, "    recorded {}", list(&self.expected))?;
        write!(f, "    got      {}", list(&self.got))
    }
}

/// Runs case `i` of a row; what differs, if anything.
///
/// # Errors
/// When the subject cannot run it, or there is no such case.
pub fn replay_one(row: &Row, i: usize, subject: &mut dyn Subject) -> Result<Option<Mismatch>> {
    let (word, expected) = (row.words.get(i), row.outcomes.get(i));
    let (Some(&word), Some(expected)) = (word, expected) else { bail!("{} has no case {i}", row.name) };
    let seed = row.seed.wrapping_add(i as u64);
    let before = input(seed, word);
    let mut after = before.clone();
    let got = match subject.run(word, &mut after)? {
        true => Outcome::between(&before, &after),
        false => Outcome::Undefined,
    };
    let wrong = got != *expected;
    Ok(wrong.then(|| Mismatch { row: row.name.clone(), word, seed, expected: expected.clone(), got }))
}

/// Runs all cases of a row and gives those that differ.
///
/// # Errors
/// When the subject cannot run a case.
pub fn replay(row: &Row, subject: &mut dyn Subject) -> Result<Vec<Mismatch>> {
    let mut wrong = Vec::new();
    for i in 0..row.words.len() {
        wrong.extend(replay_one(row, i, subject)?);
    }
    Ok(wrong)
}
