//! What a machine must know of a guest architecture: how processors start and sleep, what they tell each other, and what
//! debuggers ask. Everything else here is generic over it; compiled code and `verify` ask for more, see
//! [`crate::engine::translators`].

use crate::config::BuildError;
use crate::control::{RegisterGroup, Translation};
use crate::engine::{self, Engine, Setup};
use lyrebird_cpu::core::{Arch, Core};
use lyrebird_cpu::tlb::BankKey;
use lyrebird_cpu::trace::Disassemble;
use std::fmt::Debug;
use std::sync::Arc;

/// The bytes that an instruction is about to touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// Guest virtual address of the first byte.
    pub address: u64,
    /// How many.
    pub len: u64,
    /// They are read.
    pub read: bool,
    /// They are written.
    pub write: bool,
}

/// A guest architecture that machines can be made of.
pub trait Target: Arch {
    /// A processor model with its switches, as the board and `-cpu` have it.
    type Model: Clone + Send + Sync + 'static;
    /// How a processor starts: at power-on, or when another one starts it.
    type Entry: Clone + Debug + PartialEq + Send + Sync + 'static;
    /// What processors ask of each other; [`Arch::mail`] does it.
    type Mail: Clone + Send + 'static;

    /// What messages and reports call guests of it: `aarch64`.
    const NAME: &'static str;
    /// Bytes of the longest instruction.
    const LONGEST: usize;
    /// Bytes that are one number in the listing of an encoding: 4 where instructions are words.
    const LISTED: usize;
    /// Whether [`Target::accesses`] knows what instructions touch, so that there are watchpoints.
    const WATCHES: bool;
    /// Whether a watchpoint stops the processor behind the instruction that made the access, not at it: what debuggers
    /// expect of the architecture.
    const STOPS_BEHIND: bool;
    /// Whether a wait for interrupts may end for no reason, as when a debugger steps over it.
    const WAITS_MAY_END: bool;
    /// Makes lines of the debug log.
    const LOG_TEXT: Disassemble;

    /// The name of gdb's architecture.
    fn gdb_name(model: &Self::Model) -> &'static str;
    /// The model's name on the command line.
    fn name(model: &Self::Model) -> &str;
    /// The feature bits that decoders and translators see.
    fn features(model: &Self::Model) -> u64;
    /// Makes the engines of a machine, one for each processor. Without a translator, they are interpreters.
    ///
    /// # Errors
    /// When there is no such engine, or the host refuses what it needs.
    fn engines(setup: &Setup<'_, Self>) -> Result<Vec<Box<dyn Engine<Self>>>, BuildError> {
        engine::interpreters(setup)
    }

    /// The state of a processor that starts.
    fn reset(core: &mut Core<Self>, model: &Self::Model, entry: &Self::Entry);
    /// The mail that stands for all that did not fit into a mailbox.
    fn everything() -> Self::Mail;
    /// Which requests end a wait for interrupts in the processor's state. Mail is read in any case.
    fn wakes(core: &Core<Self>) -> u32;
    /// Whether the processor can never do anything again unless another one helps it, and why.
    fn stuck(core: &mut Core<Self>) -> Option<String>;

    /// The register groups; what they hold does not change while the machine exists. The first is what `info registers`
    /// shows.
    fn groups(model: &Self::Model) -> Arc<[RegisterGroup]>;
    /// The values of a group.
    fn read_group(core: &mut Core<Self>, model: &Self::Model, group: usize) -> Option<Vec<u128>>;
    /// Sets a register; false if there is none of that place, or it cannot be written.
    fn write_register(
        core: &mut Core<Self>,
        model: &Self::Model,
        group: usize,
        index: usize,
        value: u128,
    ) -> bool;

    /// An address as watchpoints compare it, without bits that translation ignores; the upper half of the address space is
    /// negative.
    fn plain(address: u64) -> i64 {
        address as i64
    }
    /// What the next instruction touches.
    fn accesses(core: &mut Core<Self>) -> [Option<Access>; 2];
    /// The physical page of a virtual address with the processor's privileges, without side effects.
    fn peek(core: &mut Core<Self>, address: u64) -> Option<u64>;
    /// The walk of the tables for a read, step by step.
    fn walk(core: &mut Core<Self>, address: u64) -> Translation;
    /// The mappings of the current tables, joined to ranges, a line each.
    fn mappings(core: &mut Core<Self>, text: &mut String);
    /// The name of the context whose TLB bank has this key.
    fn tlb_context(key: BankKey) -> String;
    /// The instruction that begins with `bytes`, in the processor's mode, if it were at `at`: its length and text. `None`
    /// if it needs more bytes.
    fn disassemble(core: &Core<Self>, bytes: &[u8], at: u64) -> Option<(usize, String)>;
}
