//! `-accel verify`: interpreter and compiled code in lockstep on the real guest.
//!
//! Both run the same number of instructions from the same state; what the first asked of devices and board is on a tape
//! that answers the second, and what it stored is taken back in between. The register files and all that was stored are
//! then compared. On a difference [`narrow`] finds the instruction that makes it, and [`report`] writes a file that
//! [`replay`] runs again.
//!
//! Nothing else changes RAM meanwhile: devices wait while a run is made and repeated, interrupts are taken between runs,
//! and an instruction that reaches a device is a run by itself, during which devices are free. One processor only.

mod lockstep;
mod narrow;
pub mod replay;
mod report;
mod verified;
mod witness;

pub use verified::Verified;

use crate::config::BuildError;
use crate::control::Shutdown;
use crate::engine::Engine;
use crate::shared::{Request, Shared};
use lockstep::{differences, go, take_back};
use lyrebird_cpu::core::{Attention, Core};
use lyrebird_cpu::journal::{self, Journal, SharedTape};
use lyrebird_cpu::run::Exit;
use lyrebird_cpu::slot::RegFile;
use lyrebird_devices::bus::memory::Memory;
use lyrebird_jit::cache::Options;
use lyrebird_jit::engine::{Jit, Shared as Code};
use lyrebird_jit::opt::seeded::{self, Fault};
use lyrebird_jit::region::Limits;
use std::path::PathBuf;
use std::sync::Arc;

/// Instructions of one run.
const RUN: u64 = 4096;
/// What interrupts a processor.
const INTERRUPTS: u32 = Attention::IRQ | Attention::FIQ | Attention::NMI | Attention::SMI;
/// Blocks of one instruction.
const ONE: Limits = Limits { blocks: 1, instructions: 1, overlap: false };

/// Compiled code for all of a run: what is left at its end in blocks of one instruction, since an engine with longer
/// ones would interpret it.
struct Chain<'a, T: Verified>(&'a mut Jit<T>, &'a mut Jit<T>);

impl<T: Verified> Engine<T> for Chain<'_, T> {
    fn run(&mut self, core: &mut Core<T>, budget: u64) -> Exit {
        let icount = core.icount;
        let exit = self.0.run(core, budget);
        match budget - (core.icount - icount).min(budget) {
            left @ 1.. if exit == Exit::Budget => self.1.run(core, left),
            _ => exit,
        }
    }

    fn report(&self) -> String {
        self.0.report()
    }
}

/// Compiled code that counts its instructions exactly.
fn translator<T: Verified>(options: &Options, limits: Limits, features: u64) -> std::io::Result<Jit<T>> {
    let options = Options { counting: true, threshold: 1, limits, ..options.clone() };
    Ok(Jit::new(&Code::new(options, features)?))
}

/// The engine's own options of `-accel verify`.
#[derive(Default)]
pub struct Choice {
    /// A mistake that compiled code is to make.
    pub fault: Option<&'static Fault>,
    /// Where the report goes.
    pub report: Option<PathBuf>,
}

impl Choice {
    /// Reads them.
    ///
    /// # Errors
    /// When one is unknown.
    pub fn read(options: &[(String, String)]) -> Result<Self, BuildError> {
        let mut choice = Self::default();
        for (key, value) in options {
            match key.as_str() {
                "report" => choice.report = Some(value.into()),
                "fault" => {
                    choice.fault = Some(seeded::find(value).ok_or_else(|| {
                        let names: Vec<&str> = seeded::FAULTS.iter().map(|f| f.name).collect();
                        let problem = format!("fault={value}: no such fault; there are {}", names.join(", "));
                        BuildError::Option { option: "accel", problem }
                    })?);
                }
                _ => {
                    let problem = format!("verify has no option `{key}`; its own are report and fault");
                    return Err(BuildError::Option { option: "accel", problem });
                }
            }
        }
        Ok(choice)
    }
}

/// The lockstep engine.
pub struct Verify<T: Verified> {
    compiled: Jit<T>,
    single: Jit<T>,
    options: Options,
    report: Option<PathBuf>,
    shared: Arc<Shared<T>>,
    memory: Arc<Memory>,
    tape: SharedTape,
    outside: Option<Arc<Attention>>,
    instructions: u64,
    runs: u64,
    diverged: bool,
}

impl<T: Verified> Verify<T> {
    /// Compares the interpreter with code compiled under `options`. Devices reach RAM through `memory`. On a difference
    /// the report goes to `report`, by default to a new file in the current folder.
    ///
    /// # Errors
    /// When the host refuses the memory for code.
    pub fn new(
        options: Options,
        features: u64,
        report: Option<PathBuf>,
        shared: &Arc<Shared<T>>,
        memory: Arc<Memory>,
    ) -> std::io::Result<Self> {
        Ok(Self {
            compiled: translator(&Options { whole: true, ..options.clone() }, options.limits, features)?,
            single: translator(&Options { size: 16 << 20, ..options.clone() }, ONE, features)?,
            options,
            report,
            shared: Arc::clone(shared),
            memory,
            tape: SharedTape::default(),
            outside: None,
            instructions: 0,
            runs: 0,
            diverged: false,
        })
    }

    /// Puts tape and journal between the core and the outside.
    fn isolate(&mut self, core: &mut Core<T>) -> Arc<Attention> {
        if let Some(outside) = &self.outside {
            return Arc::clone(outside);
        }
        let outside = std::mem::take(&mut core.attention);
        T::tape(core, &self.tape);
        core.journal = Some(Box::new(Journal::with(Arc::clone(&self.tape))));
        self.outside = Some(Arc::clone(&outside));
        outside
    }

    /// Records a run of the interpreter and repeats it with an engine. How many instructions it had, and what differs;
    /// what the second stored is still to be kept or taken back.
    fn compare(
        &mut self,
        core: &mut Core<T>,
        before: &RegFile,
        count: u64,
        sealed: bool,
    ) -> (u64, Vec<String>) {
        let (icount, walks) = (core.icount, T::table_changes(core));
        if let Some(j) = &mut core.journal {
            (j.sealed, j.refused) = (sealed, false);
        }
        journal::lock(&self.tape).record();
        let mut a = go(core, None, before, 0, count);
        take_back(core, 0);
        let refused = core.journal.as_ref().is_some_and(|j| j.refused);
        if let Some(j) = &mut core.journal {
            (j.sealed, j.refused) = (false, false);
        }
        let count = core.icount - icount;
        if count == 0 {
            return (0, Vec::new());
        }
        if refused {
            // The instruction that was not to happen may have left its mark in translation tables.
            journal::lock(&self.tape).replay(0);
            T::forget_fetches(core);
            a = go(core, None, before, 0, count);
            take_back(core, 0);
        }
        if T::table_changes(core) != walks {
            // What was fetched after a change of the tables must not be known before it.
            T::forget_fetches(core);
        }
        journal::lock(&self.tape).replay(0);
        let mut chain = Chain(&mut self.compiled, &mut self.single);
        let b = go(core, Some(&mut chain), before, 0, count);
        core.icount = icount + count;
        (count, differences::<T>(&a, &b, &journal::lock(&self.tape)))
    }

    /// Finds the instruction that makes the difference, reports it, and ends the machine.
    fn diverged(&mut self, core: &mut Core<T>, before: &RegFile, count: u64, first: Vec<String>) {
        self.diverged = true;
        take_back(core, 0);
        let culprit = narrow::find(self, core, before, count, first);
        let report = report::write(&culprit, core, before, &self.options, self.instructions);
        take_back(core, 0);
        let path = self.report.clone().unwrap_or_else(fresh_name);
        let place = match std::fs::write(&path, &report.text) {
            Ok(()) => format!("; report in {}", path.display()),
            Err(e) => format!("; the report could not be written to {}: {e}", path.display()),
        };
        log::error!("{}", report.summary);
        let what = &report.what;
        let first = culprit.found.first().cloned().unwrap_or_default();
        self.shared.request(Request::Shutdown(Shutdown::Divergence(format!("{what}: {first}{place}"))));
    }
}

/// A name for a report that no file has yet.
fn fresh_name() -> PathBuf {
    let names = (1..10_000).map(|n| PathBuf::from(format!("lyrebird-verify-{n}.txt")));
    let mut free = names.skip_while(|name| name.exists());
    free.next().unwrap_or_else(|| PathBuf::from("lyrebird-verify.txt"))
}

impl<T: Verified> Engine<T> for Verify<T> {
    fn step(&mut self, core: &mut Core<T>) -> Exit {
        self.run(core, 1)
    }

    fn run(&mut self, core: &mut Core<T>, budget: u64) -> Exit {
        let outside = self.isolate(core);
        let memory = Arc::clone(&self.memory);
        let mut left = budget;
        while left > 0 {
            let bits = outside.bits();
            if bits & Attention::STOP != 0 {
                return Exit::Attention;
            }
            if bits & core.reg(T::POLL_MASK) & (INTERRUPTS | Attention::MAIL) != 0 {
                let inside = std::mem::replace(&mut core.attention, Arc::clone(&outside));
                T::interrupt(core);
                core.attention = inside;
                // What it pushed comes before the run.
                if let Some(j) = &mut core.journal {
                    j.keep();
                }
            }
            core.attention.clear(u32::MAX);
            let before = core.file.clone();
            let mut frozen = Some(memory.freeze());
            let (mut count, mut found) = self.compare(core, &before, RUN.min(left), true);
            if count == 0 {
                frozen = None;
                (count, found) = self.compare(core, &before, 1, false);
            }
            if !found.is_empty() {
                self.diverged(core, &before, count, found);
                return Exit::Attention;
            }
            if let Some(j) = &mut core.journal {
                j.keep();
            }
            drop(frozen);
            self.instructions += count;
            self.runs += 1;
            left -= count.min(left);
            if core.halted && outside.bits() & T::wakes(core) == 0 {
                return Exit::Halted;
            }
            core.halted = false;
        }
        Exit::Budget
    }

    fn report(&self) -> String {
        format!(
            "Verified: {} instructions in {} runs\n{}",
            self.instructions,
            self.runs,
            self.compiled.report()
        )
    }

    fn summary(&self) -> Option<String> {
        let end = if self.diverged { "then a divergence" } else { "no divergence" };
        Some(format!("verify: {} instructions compared, {end}", self.instructions))
    }
}
