//! What the translator must know of a guest architecture.

use crate::ir::lift::Lift;
use lyrebird_cpu::arm::{Arm64, a64, mode, state};
use lyrebird_cpu::core::Arch;
use lyrebird_cpu::emit::Exec;
use lyrebird_cpu::slot::Slot;
use lyrebird_cpu::table::Table;
use lyrebird_cpu::width::W32;
use std::sync::OnceLock;

/// Records one instruction word.
pub type Recorder<A> = fn(&mut Lift<A>, u32) -> Exec<Lift<A>>;

/// A guest architecture that can be translated.
pub trait Guest: Arch {
    /// Number of 64-bit words, from word 0 of the register file, that may live in host registers. They are read and
    /// written at 64 bits or read at fewer.
    const PINNABLE: u16;
    /// Condition flags in [`lyrebird_cpu::op::nzcv`] form.
    const FLAGS: Slot<W32>;
    /// The row that records `word`, with its name.
    fn recorder(word: u32, features: u64) -> (&'static str, Recorder<Self>);
    /// Modes whose code is always interpreted, because they watch every instruction or access.
    fn interpret_only(mode: u32) -> bool;
    /// Whether floating point rounds to nearest.
    fn plain_fp(mode: u32) -> bool;
    /// Whether floating point may flush denormal numbers.
    fn flushing_fp(mode: u32) -> bool;
    /// Whether several processors run, so that atomics must be locked on the host.
    fn shared(mode: u32) -> bool;
}

impl Guest for Arm64 {
    const PINNABLE: u16 = 32;
    const FLAGS: Slot<W32> = state::NZCV;

    fn recorder(word: u32, features: u64) -> (&'static str, Recorder<Self>) {
        static TABLE: OnceLock<Table<Lift<Arm64>>> = OnceLock::new();
        match TABLE.get_or_init(a64::table).find(word, features) {
            Some((_, row)) => (row.name, row.run),
            None => ("undefined", a64::undefined::<Lift<Arm64>>),
        }
    }

    fn interpret_only(mode: u32) -> bool {
        mode & (mode::STEP | mode::WATCH | mode::BIG_ENDIAN) != 0
    }

    fn plain_fp(mode: u32) -> bool {
        mode & 3 << mode::FP_RMODE_LOW == 0
    }

    fn flushing_fp(mode: u32) -> bool {
        mode & mode::FP_ODD != 0
    }

    fn shared(mode: u32) -> bool {
        mode & mode::SMP != 0
    }
}
