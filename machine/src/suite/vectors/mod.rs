//! Instruction vectors: what single instructions do to the processor's state, recorded from another implementation.
//!
//! A case is an instruction word, a state made from a seed, and what the instruction changed. Only the seed and the
//! changes are stored: [`State::new`] and [`place()`] make the same input on every machine, so changing either, or
//! [`Rng`], makes every recording worthless (raise [`file::VERSION`] then).
//!
//! `cargo xtask vectors record` records; the test `vectors` replays.

mod case;
pub mod file;
mod interp;
mod jitted;
mod place;
mod replay;
mod rng;
pub mod skipped;
mod state;
pub mod x86;

pub use case::{Change, Outcome};
pub use interp::Interp;
pub use jitted::Jitted;
pub use place::{fitting, place};
pub use replay::{Mismatch, replay, replay_one};
pub use rng::Rng;
pub use state::{CODE, State, WINDOW, WINDOW_BYTES};

/// Anything that can run one instruction.
pub trait Subject {
    /// Runs the instruction `word` at [`CODE`] on a state, which becomes the state after it. Gives `false` if the
    /// encoding is undefined; the state is then of no interest.
    ///
    /// # Errors
    /// When the subject could not run the instruction at all.
    fn run(&mut self, word: u32, state: &mut State) -> anyhow::Result<bool>;
}

/// The input of a case.
pub fn input(seed: u64, word: u32) -> State {
    let mut rng = Rng::new(seed);
    let mut state = State::new(&mut rng);
    place(word, &mut state, &mut rng);
    state
}
