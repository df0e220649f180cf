//! What comparing engines takes of an architecture.

use crate::target::Target;
use lyrebird_cpu::core::Core;
use lyrebird_cpu::journal::SharedTape;
use lyrebird_jit::guest::Guest;

/// An architecture whose engines can be compared.
pub trait Verified: Target + Guest {
    /// Words of the register file that are compared, from the first; those behind them belong to engines.
    const WORDS: usize;
    /// What a processor has besides its registers that changes what code does: names of flags, as reports have them.
    const EXTRAS: &'static [&'static str];

    /// The name of a word of the register file.
    fn word_name(word: usize) -> String;
    /// Puts the tape between the processor and its board.
    fn tape(core: &mut Core<Self>, tape: &SharedTape);
    /// A processor whose board is the tape alone.
    fn alone(tape: &SharedTape) -> Self;
    /// Brings what is derived of the register file up to date after it was replaced.
    fn refresh(core: &mut Core<Self>);
    /// Forgets what was fetched before.
    fn forget_fetches(core: &mut Core<Self>);
    /// A number that moves whenever fetches may translate otherwise than before.
    fn table_changes(core: &Core<Self>) -> u64;
    /// Whether one of [`Verified::EXTRAS`] is set.
    fn extra(core: &Core<Self>, name: &str) -> bool;
    /// Sets it.
    fn set_extra(core: &mut Core<Self>, name: &str);
}
