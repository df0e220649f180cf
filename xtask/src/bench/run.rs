//! Booting an emulator with the programs and taking down what they print.

use super::programs::{Architecture, Outcome, Programs};
use crate::console::{Console, Machine};
use crate::guests::initrd;
use crate::paths;
use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
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
    /// How often a boot runs them all.
    pub rounds: u32,
    /// More words for the emulator's command line, separated by blanks.
    pub options: &'a str,
    /// Longest that a boot with all its programs may take.
    pub patience: Duration,
}

/// One emulator and all that it has achieved.
pub struct Side {
    /// "subject" or "against".
    pub role: &'static str,
    /// Its command line.
    pub command: String,
    /// Seconds from the start of the process to the guest's first line, one a boot.
    pub boots: Vec<f64>,
    /// What each program did, one outcome a run.
    pub outcomes: BTreeMap<String, Vec<Outcome>>,
    /// Why a program has no outcome.
    pub complaints: BTreeMap<String, String>,
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

/// The machine that boots, runs the programs `names` and powers off.
pub fn machine(command: &str, job: &Job<'_>, names: &[&str]) -> Machine {
    let line = format!("lyre.off lyre.run=\"bench -s {} -r {} {}\"", job.scale, job.rounds, names.join(" "));
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
        Side { role, command: command.to_owned(), boots, outcomes, complaints }
    }

    /// Runs all programs once. If the machine fails in one, that one is noted and another boot does the rest.
    pub fn run(&mut self, job: &Job, number: u32, of: u32) -> Result<()> {
        let bar = ProgressBar::new(job.names.len() as u64);
        bar.set_style(ProgressStyle::with_template("{prefix} {wide_bar} {pos}/{len} {msg} {elapsed}")?);
        bar.set_prefix(format!("run {number}/{of} {:>7}", self.role));
        bar.enable_steady_tick(Duration::from_millis(200));
        // A program that failed before would only fail again.
        let mut left: Vec<&str> = job.names.clone();
        left.retain(|name| !self.complaints.contains_key(*name));
        while !left.is_empty() {
            let before = left.len();
            let result = self.boot(job, &mut left, &bar);
            match (result, left.first()) {
                (Ok(()), None) => {}
                (Ok(()), Some(_)) if left.len() < before => {}
                (Ok(()), Some(name)) => bail!("The guest did not run {name}"),
                (Err(error), Some(name)) if self.boots.is_empty() => {
                    return Err(error.context(format!("`{}` does not boot as far as {name}", self.command)));
                }
                (Err(error), Some(name)) => {
                    self.complaints.insert((*name).to_owned(), error.to_string());
                    left.remove(0);
                }
                (Err(error), None) => return Err(error),
            }
        }
        bar.finish_and_clear();
        Ok(())
    }

    /// Boots once and removes from `left` what has run.
    fn boot(&mut self, job: &Job, left: &mut Vec<&str>, bar: &ProgressBar) -> Result<()> {
        let mut console = Console::start(machine(&self.command, job, left), job.patience)?;
        self.boots.push(console.wait_for("LYREBIRD-BOOTED")?.as_secs_f64());
        console.line()?;
        while let Some(name) = left.first() {
            bar.set_message((*name).to_owned());
            let Some(line) = console.line()? else {
                bail!("The machine ended during {name}");
            };
            if let Some(outcome) = Outcome::parse(&line).filter(|outcome| outcome.name == *name) {
                self.outcomes.entry(outcome.name.clone()).or_default().push(outcome);
                left.remove(0);
                bar.inc(1);
            } else if line.starts_with("LYREBIRD-EXIT") {
                bail!("The programs ended during {name}: {line}");
            }
        }
        // A microvm without ACPI cannot power off.
        if job.architecture == Architecture::Arm64 {
            console.wait_for_end()?;
        }
        Ok(())
    }
}
