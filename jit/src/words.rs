//! The engine's words of the register file: what compiled code and the engine tell each other.
//!
//! They follow the architecture's words, so that compiled code reaches them off the same base register.

use lyrebird_cpu::slot::Slot;
use lyrebird_cpu::width::{W64, W128};

/// First word that belongs to engines; architectures stay below.
pub const FIRST: u16 = 448;

macro_rules! words { ($($(#[$doc:meta])* $name:ident = $at:literal;)*) => { $(
    $(#[$doc])*
    pub const $name: Slot<W64> = Slot::word(FIRST + $at);
)* } }

words! {
    /// Virtual address of the page whose code runs.
    PAGE = 0;
    /// Host address of the TLB bank for plain accesses.
    BANK = 1;
    /// Host address of the TLB bank for unprivileged accesses.
    USER_BANK = 2;
    /// Host address of the indirect-branch table.
    TABLE = 3;
    /// Host address of the processor's translator while compiled code runs.
    ENGINE = 4;
    /// Host address of the word that asks for attention.
    ATTENTION = 5;
    /// Instructions left, where they are counted.
    BUDGET = 6;
    /// Address of a slow access; first argument of a helper.
    ADDRESS = 7;
    /// What a site is: see [`crate::host::Site`].
    SITE = 8;
    /// Host address after the call that left compiled code.
    RETURN = 9;
    /// Result of a slow path, or value of a slow store; two words.
    VALUE = 10;
    /// Second result of a slow path, or second value; two words.
    VALUE2 = 12;
    /// Second argument of a helper.
    ARG1 = 14;
    /// Third argument of a helper.
    ARG2 = 15;
    /// Operands and result of a vector operation: four pairs of words.
    VECTOR = 16;
    /// Host registers as they were at a site: sixteen words.
    SAVED = 24;
    /// A scratch word.
    SCRATCH = 40;
    /// Its neighbour.
    SCRATCH2 = 41;
    /// Constants of vector lowerings: see [`crate::host::x64::fp::CONSTANTS`]; twelve words.
    CONSTANTS = 42;
    /// Whether the host's MXCSR is the guest's: its control, and exception flags that the status has not got yet.
    MXCSR_LIVE = 54;
    /// Whether the host's x87 holds the guest's.
    X87_LIVE = 55;
}

/// Operand `i` of a vector operation; 3 is its result.
pub const fn vector(i: u16) -> Slot<W128> {
    Slot::word(FIRST + 16 + 2 * i)
}

/// Saved host register `i`.
pub const fn saved(i: u16) -> Slot<W64> {
    Slot::word(FIRST + 24 + (i & 15))
}
