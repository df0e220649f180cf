//! What comparing engines takes of an architecture.

use crate::target::Target;
use lyrebird_cpu::core::Core;
use lyrebird_cpu::journal::SharedTape;
use lyrebird_jit::guest::Guest;

/// An architecture whose engines can be compared.
pub trait Verified: Target + Guest {
    /// Words of the register file that are compared, from the first; those behind them belong to engines.
    const WORDS: usize;

    /// The name of a word of the register file.
    fn word_name(word: usize) -> String;
    /// Puts the tape between the processor and its board.
    fn tape(core: &mut Core<Self>, tape: &SharedTape);
    /// A processor whose board is the tape alone.
    fn bare(tape: &SharedTape) -> Self;
    /// Brings what is derived of the register file up to date after it was replaced.
    fn refresh(core: &mut Core<Self>);
    /// Forgets what was fetched before.
    fn forget_fetches(core: &mut Core<Self>);
    /// A number that moves whenever fetches may translate otherwise than before.
    fn table_changes(core: &Core<Self>) -> u64;
    /// What a processor has besides its registers that changes what code does: words, as reports have them.
    fn extras(core: &Core<Self>) -> Vec<String>;
    /// Whether a word is one of those that [`Verified::extras`] gives.
    fn is_extra(word: &str) -> bool;
    /// Gives it to a processor.
    fn set_extra(core: &mut Core<Self>, word: &str);
}
