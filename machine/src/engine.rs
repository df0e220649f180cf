//! Engines: what executes a processor's instructions. From above they are the same thing.

use lyrebird_cpu::arm::Arm64;
use lyrebird_cpu::core::Core;
use lyrebird_cpu::run::Exit;
use lyrebird_cpu::trace::BLOCKS;
use lyrebird_jit::engine::Jit;

/// What executes instructions.
pub trait Engine: Send {
    /// Runs up to `budget` instructions, fewer on a request for attention or a wait for interrupts.
    fn run(&mut self, core: &mut Core<Arm64>, budget: u64) -> Exit;
    /// Runs one instruction, without interrupts.
    fn step(&mut self, core: &mut Core<Arm64>) -> Exit {
        core.step()
    }
    /// Counters, for `info jit`.
    fn report(&self) -> String;
    /// What is worth saying at the end of the run.
    fn summary(&self) -> Option<String> {
        None
    }
}

/// The interpreter.
#[derive(Default)]
pub struct Interp;

impl Engine for Interp {
    fn run(&mut self, core: &mut Core<Arm64>, budget: u64) -> Exit {
        if core.trace.shows(BLOCKS) { core.run_shown(budget) } else { core.run(budget) }
    }

    fn report(&self) -> String {
        "The interpreter compiles nothing.\n".into()
    }
}

impl Engine for Jit<Arm64> {
    fn run(&mut self, core: &mut Core<Arm64>, budget: u64) -> Exit {
        Jit::run(self, core, budget)
    }

    fn report(&self) -> String {
        Jit::report(self)
    }
}
