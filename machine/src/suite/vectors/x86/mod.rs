//! Vectors of x86 instructions of user programs in 64-bit mode, recorded from a host's processor.
//!
//! A case is an encoding of a row, the seed of the state before it, and what it changed. [`forms()`] and [`input()`] make
//! the same encodings and states on every machine. `cargo xtask vectors host` records, the test `vectors` replays; what is
//! left to processors is masked by [`defined`].

mod case;
pub mod defined;
pub mod file;
mod forms;
mod inputs;
pub mod record;
mod subject;

pub use case::{Change, apply, between, fields};
pub use forms::{Shape, forms, shape};
pub use inputs::input;
pub use record::State;
pub use subject::User;

use file::Row;

/// How a case went wrong.
#[derive(Clone, Debug)]
pub struct Mismatch {
    /// The instruction.
    pub insn: Vec<u8>,
    /// The state before.
    pub before: State,
    /// The state after it that was recorded.
    pub want: State,
    /// The state after it here, or why there is none.
    pub got: Result<State, String>,
    /// Field, recorded value, value here.
    pub differs: Vec<(String, String, String)>,
}

/// What differs between a recorded state and ours after an instruction of a row called `name`.
pub fn differences(name: &str, before: &State, want: &State, got: &State) -> Vec<(String, String, String)> {
    if want == got {
        return Vec::new();
    }
    let mut got = got.clone();
    defined::excuse(name, before, want, &mut got);
    let mask = defined::flags(name);
    let pairs = fields(want, mask).into_iter().zip(fields(&got, mask));
    pairs.filter(|(w, g)| w.1 != g.1).map(|(w, g)| (w.0, w.1, g.1)).collect()
}

/// Runs case `n` of a row.
///
/// # Errors
/// When there is no such case.
pub fn replay(row: &Row, n: usize, subject: &mut User) -> anyhow::Result<Option<Mismatch>> {
    let (insn, before, want) = row.case(n)?;
    let mut after = before.clone();
    let (differs, got) = match subject.run(&insn, &mut after) {
        Ok(()) => (differences(&row.name, &before, &want, &after), Ok(after)),
        Err(why) => (vec![("end".into(), "the next instruction".into(), why.clone())], Err(why)),
    };
    Ok((!differs.is_empty()).then_some(Mismatch { insn, before, want, got, differs }))
}
