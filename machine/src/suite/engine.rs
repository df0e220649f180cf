//! Single instructions on one engine or the other.

use crate::config::EngineKind;
use anyhow::{Result, bail};
use lyrebird_cpu::core::Core;
use lyrebird_jit::cache::Options;
use lyrebird_jit::engine::{Jit, Shared};
use lyrebird_jit::guest::Guest;
use lyrebird_jit::region::Limits;

/// The code cache of a processor that runs single instructions, in bytes.
const CACHE: usize = 4 << 20;

/// What runs the instructions of a processor: its own interpreter, or compiled code of one instruction at a time.
pub struct Engine<A: Guest>(Option<Jit<A>>);

impl<A: Guest> Engine<A> {
    /// An engine for processors with these features.
    ///
    /// # Errors
    /// When the host has no memory for it, or `kind` is none for single instructions.
    pub fn new(kind: EngineKind, features: u64) -> Result<Self> {
        let jit = match kind {
            EngineKind::Interp => None,
            EngineKind::Jit => {
                let limits = Limits { blocks: 1, instructions: 1, overlap: false };
                let options =
                    Options { counting: true, threshold: 0, size: CACHE, limits, ..Options::default() };
                Some(Jit::new(&Shared::new(options, features)?))
            }
            EngineKind::Verify => bail!("suites of single instructions run on interp or jit"),
        };
        Ok(Self(jit))
    }

    /// Executes one instruction, or takes an exception.
    pub fn step(&mut self, core: &mut Core<A>) {
        match &mut self.0 {
            Some(jit) => jit.run(core, 1),
            None => core.run(1),
        };
    }

    /// How many pieces of code were compiled.
    pub fn compiled(&self) -> u64 {
        self.0.as_ref().map_or(0, |jit| jit.counters().regions)
    }
}
