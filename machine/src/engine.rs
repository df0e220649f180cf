//! Engines: what executes a processor's instructions. From above they are the same thing.

use crate::config::{BuildError, Config, EngineKind};
use crate::shared::Shared;
use crate::target::Target;
use crate::verify::{Choice, Verified, Verify};
use lyrebird_cpu::core::{Arch, Core};
use lyrebird_cpu::run::Exit;
use lyrebird_cpu::trace::BLOCKS;
use lyrebird_devices::bus::memory::Memory;
use lyrebird_jit::cache::Options;
use lyrebird_jit::engine::{Jit, Shared as Code};
use lyrebird_jit::guest::Guest;
use lyrebird_jit::region::Limits;
use std::sync::Arc;

/// What executes instructions.
pub trait Engine<A: Arch>: Send {
    /// Runs up to `budget` instructions, fewer on a request for attention or a wait for interrupts.
    fn run(&mut self, core: &mut Core<A>, budget: u64) -> Exit;
    /// Runs one instruction, without interrupts.
    fn step(&mut self, core: &mut Core<A>) -> Exit {
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

impl<A: Arch> Engine<A> for Interp {
    fn run(&mut self, core: &mut Core<A>, budget: u64) -> Exit {
        if core.trace.shows(BLOCKS) { core.run_shown(budget) } else { core.run(budget) }
    }

    fn report(&self) -> String {
        "The interpreter compiles nothing.\n".into()
    }
}

impl<A: Guest> Engine<A> for Jit<A> {
    fn run(&mut self, core: &mut Core<A>, budget: u64) -> Exit {
        Jit::run(self, core, budget)
    }

    fn report(&self) -> String {
        Jit::report(self)
    }
}

/// What a machine's engines are made for.
pub struct Setup<'a, T: Target> {
    /// The machine; its `accel` says which engine.
    pub config: &'a Config,
    /// Feature bits of its processors.
    pub features: u64,
    /// Run state.
    pub shared: &'a Arc<Shared<T>>,
    /// Through which devices reach RAM.
    pub memory: &'a Arc<Memory>,
}

/// Engines, one for each processor.
pub type Engines<T> = Result<Vec<Box<dyn Engine<T>>>, BuildError>;

impl<T: Target> Setup<'_, T> {
    fn all(&self, make: impl Fn() -> Box<dyn Engine<T>>) -> Vec<Box<dyn Engine<T>>> {
        (0..self.config.smp.cpus.max(1)).map(|_| make()).collect()
    }

    /// Refuses options that no engine has but `verify`.
    fn no_options(&self) -> Result<(), BuildError> {
        match self.config.accel.options.first() {
            Some((key, _)) => Err(refuse(format!("this engine has no option `{key}`"))),
            None => Ok(()),
        }
    }

    /// The translator's options.
    fn options(&self) -> Options {
        let accel = &self.config.accel;
        let mut options = Options { perf: accel.perf_map, ..Options::default() };
        if let Some(mib) = accel.cache_mib {
            options.size = (mib as usize) << 20;
        }
        if accel.one_insn_per_block {
            options.limits = ONE;
        }
        options
    }
}

/// Blocks of one instruction.
const ONE: Limits = Limits { blocks: 1, instructions: 1, overlap: false };

fn refuse(problem: String) -> BuildError {
    BuildError::Option { option: "accel", problem }
}

fn no_code(e: std::io::Error) -> BuildError {
    BuildError::Host(format!("allocate memory for compiled code: {e}"))
}

/// The engines of an architecture that is interpreted only.
///
/// # Errors
/// When another engine is asked for.
pub fn interpreters<T: Target>(setup: &Setup<'_, T>) -> Engines<T> {
    if setup.config.accel.engine != EngineKind::Interp {
        let guest = T::NAME;
        return Err(refuse(format!("{guest} guests can only be interpreted so far; use -accel interp")));
    }
    setup.no_options()?;
    Ok(setup.all(|| Box::new(Interp)))
}

/// The engines of an architecture that can be translated: interpreters or translators.
///
/// # Errors
/// When another engine is asked for, or the host refuses the memory for code.
pub fn translators<T: Target + Guest>(setup: &Setup<'_, T>) -> Engines<T> {
    match setup.config.accel.engine {
        EngineKind::Interp => interpreters(setup),
        EngineKind::Jit => {
            setup.no_options()?;
            let code = Code::new(setup.options(), setup.features).map_err(no_code)?;
            Ok(setup.all(|| Box::new(Jit::new(&code))))
        }
        EngineKind::Verify => {
            let guest = T::NAME;
            Err(refuse(format!("{guest} guests cannot be verified so far; use -accel jit or interp")))
        }
    }
}

/// The engines of an architecture whose engines can be compared.
///
/// # Errors
/// When the options make no engine, or the host refuses the memory for code.
pub fn comparable<T: Verified>(setup: &Setup<'_, T>) -> Engines<T> {
    let config = setup.config;
    if config.accel.engine != EngineKind::Verify {
        return translators(setup);
    }
    if config.smp.cpus > 1 {
        return Err(refuse("-accel verify compares one processor; use -smp 1".into()));
    }
    let choice = Choice::read(&config.accel.options)?;
    let options = Options { fault: choice.fault, ..setup.options() };
    let memory = Arc::clone(setup.memory);
    let verify =
        Verify::new(options, setup.features, choice.report, setup.shared, memory).map_err(no_code)?;
    Ok(vec![Box::new(verify)])
}
