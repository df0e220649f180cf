//! Booting an emulator with the programs, asking for them one by one, and taking down what they print.

use super::programs::{Architecture, Outcome, Programs};
use crate::console::{Console, Machine};
use crate::guests::initrd;
use crate::paths;
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What every boot has in common.
pub struct Job<'a> {
    /// What the guest is.
    pub architecture: Architecture,
    /// The initrd with the programs.
    pub initrd: &'a Path,
    /// The programs to run, in order.
    pub names: Vec<&'a str>,
    /// Multiplier of their work.
    pub scale: u32,
    /// How often each emulator runs them all.
    pub runs: u32,
    /// More words for the emulator's command line, separated by blanks.
    pub options: &'a str,
    /// Longest that a boot, or a program, may take.
    pub patience: Duration,
}

/// One emulator and all that it has achieved.
pub struct Side {
    /// "subject" or "against".
    pub role: &'static str,
    /// Its command line.
    pub command: String,
    /// Seconds from the start of the process to the guest's first line, one a run.
    pub boots: Vec<f64>,
    /// What each program did, one outcome a run.
    pub outcomes: BTreeMap<String, Vec<Outcome>>,
    /// Why a program has no outcome.
    pub complaints: BTreeMap<String, String>,
    /// The machine that waits for the next program's name.
    machine: Option<Console>,
}

/// Writes the cloud kernel's initrd with the programs added, and returns its path.
pub fn initrd(folder: &Path, programs: &Programs) -> Result<PathBuf> {
    let architecture = programs.architecture.name();
    let busybox = fs::read(paths::guests_of(architecture).join("busybox"));
    let busybox = busybox.context("There are no guests yet: run `cargo xtask guests` first")?;
    let mut archive = initrd::archive(&kernel(programs.architecture), &busybox)?;
    archive.file("bin/bench", 0o755, &fs::read(&programs.guest)?);
    let file = folder.join(format!("initrd-{architecture}.gz"));
    fs::write(&file, initrd::compress(&archive.finish())?)?;
    Ok(file)
}

/// The folder of the kernel that runs the programs.
pub fn kernel(architecture: Architecture) -> PathBuf {
    paths::guests_of(architecture.name()).join("cloud")
}

/// The machine that boots, runs `bench` with these `words` and powers off.
pub fn machine(command: &str, job: &Job<'_>, words: &str) -> Machine {
    let line = format!("lyre.off lyre.run=\"bench -s {} {words}\"", job.scale);
    let kernel = kernel(job.architecture);
    let machine = match job.architecture {
        Architecture::Arm64 => Machine::virt(command).kernel(&kernel.join("Image")).append(&line),
        Architecture::Amd64 => {
            Machine::x86(command, "microvm", "max", 1).kernel(&kernel.join("bzImage")).append(&line)
        }
    };
    machine.initrd(job.initrd).args(job.options.split_whitespace())
}

impl Side {
    /// An emulator that has not run yet.
    pub fn new(role: &'static str, command: &str) -> Side {
        let (boots, outcomes, complaints) = Default::default();
        Side { role, command: command.to_owned(), boots, outcomes, complaints, machine: None }
    }

    /// Boots for a run.
    ///
    /// # Errors
    /// When it does not get as far as the programs.
    pub fn boot(&mut self, job: &Job) -> Result<()> {
        self.start(job).map(|seconds| self.boots.push(seconds))
    }

    /// Runs a program. One that the machine fails in is noted and not tried again; another boot does the rest.
    ///
    /// # Errors
    /// When the machine does not boot again.
    pub fn run(&mut self, job: &Job, name: &str) -> Result<()> {
        if self.complaints.contains_key(name) {
            return Ok(());
        }
        if self.machine.is_none() {
            self.start(job)?;
        }
        match self.ask(job, name) {
            Ok(outcome) => self.outcomes.entry(name.to_owned()).or_default().push(outcome),
            Err(error) => {
                self.complaints.insert(name.to_owned(), error.to_string());
                self.machine = None;
            }
        }
        Ok(())
    }

    /// Ends the run's machine.
    ///
    /// # Errors
    /// When it does not power off.
    pub fn end(&mut self, job: &Job) -> Result<()> {
        let Some(mut machine) = self.machine.take() else { return Ok(()) };
        // A microvm without ACPI cannot power off.
        if job.architecture == Architecture::Arm64 {
            machine.patience(job.patience);
            machine.type_line("")?;
            machine.wait_for_end()?;
        }
        Ok(())
    }

    /// Starts the machine; seconds until the guest's first line.
    fn start(&mut self, job: &Job) -> Result<f64> {
        let mut console = Console::start(machine(&self.command, job, "-i"), job.patience)?;
        let booted = console.wait_for("LYREBIRD-BOOTED");
        let booted = booted.with_context(|| format!("`{}` does not boot", self.command))?;
        console.line()?;
        self.machine = Some(console);
        Ok(booted.as_secs_f64())
    }

    /// Has the guest run a program.
    fn ask(&mut self, job: &Job, name: &str) -> Result<Outcome> {
        let machine = self.machine.as_mut().context("The machine is not there")?;
        machine.patience(job.patience);
        machine.type_line(name)?;
        while let Some(line) = machine.line()? {
            if let Some(outcome) = Outcome::parse(&line).filter(|outcome| outcome.name == name) {
                return Ok(outcome);
            } else if line.starts_with("LYREBIRD-EXIT") {
                bail!("The programs ended during {name}: {line}");
            }
        }
        bail!("The machine ended during {name}")
    }
}
