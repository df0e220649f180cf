//! `cargo xtask bench --interp`: how many guest instructions the interpreter alone executes in a second.
//!
//! The interpreter counts every instruction that it executes; the monitor tells the number whenever a program has
//! ended. If Debian's Bochs is installed it runs the same programs on x86's side: each right after the interpreter has,
//! while that stands still, so that both find the host alike. Counts and seconds hold all that the processor did
//! meanwhile: the program, and the kernel on its behalf. Seconds are those that the host gave to the processor's thread,
//! and like ratios the median of all runs.

use super::programs::{Architecture, Outcome, Program};
use super::report::{mean, median};
use super::run::Job;
use crate::console::Console;
use crate::monitor::Monitor;
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A booted emulator that runs programs one by one, and stands still in between.
pub struct Emulator {
    console: Console,
    thread: PathBuf,
}

impl Emulator {
    /// Waits until it has booted and stops it; `thread` is the name of its processor's thread.
    ///
    /// # Errors
    /// When it does not boot, or has no such thread.
    pub fn booted(mut console: Console, thread: &str) -> Result<Emulator> {
        console.wait_for("LYREBIRD-BOOTED")?;
        console.line()?;
        let thread = console.thread(thread)?;
        console.pause()?;
        Ok(Emulator { console, thread })
    }

    /// Lets it run until `program` has ended; its seconds. `then` is called before it stops.
    fn run<T>(
        &mut self,
        job: &Job<'_>,
        program: &Program,
        then: impl FnOnce() -> Result<T>,
    ) -> Result<(Outcome, f64, T)> {
        self.console.patience(job.patience);
        let before = ran(&self.thread)?;
        self.console.resume()?;
        let outcome = Outcome::of(program, &mut self.console)?;
        let seconds = ran(&self.thread)? - before;
        let extra = then()?;
        self.console.pause()?;
        Ok((outcome, seconds, extra))
    }
}

/// What the runs of one program gave.
#[derive(Default)]
struct Measured {
    count: u64,
    seconds: Vec<f64>,
    bochs: Vec<f64>,
    ratios: Vec<f64>,
}

/// Runs `programs` as often as the job says, each emulator in one boot, prints the table and gives the number of wrong
/// results. Bochs is made ready in `folder`.
///
/// # Errors
/// When an emulator does not get as far as the last program.
pub fn run(
    folder: &Path,
    command: &str,
    job: &Job<'_>,
    programs: &[Program],
    native: &BTreeMap<String, Outcome>,
) -> Result<usize> {
    let (socket, monitor) = Monitor::place();
    let words = format!("-r {} {}", job.runs, job.names.join(" "));
    let machine = super::run::machine(command, job, &words);
    let console = Console::start(machine.args(["-accel", "interp", "-monitor", &monitor]), job.patience)?;
    let mut subject = Emulator::booted(console, "vcpu0")?;
    subject.console.resume()?;
    let mut monitor = Monitor::connect(&socket)?;
    let mut before = monitor.instructions()?;
    subject.console.pause()?;
    let mut bochs = match job.architecture {
        Architecture::Amd64 => super::bochs::start(folder, job)?,
        Architecture::Arm64 => None,
    };
    let mut measured: Vec<Measured> = programs.iter().map(|_| Measured::default()).collect();
    let mut failures = 0;
    let mut check = |who: &str, outcome: &Outcome| {
        if native.get(&outcome.name).is_some_and(|right| right.checksum != outcome.checksum) {
            println!("{who}: {} has the checksum {}, which is wrong", outcome.name, outcome.checksum);
            failures += 1;
        }
    };
    for _ in 0..job.runs {
        for (program, m) in programs.iter().zip(&mut measured) {
            let (outcome, seconds, count) = subject.run(job, program, || monitor.instructions())?;
            check("The subject", &outcome);
            m.count = count - std::mem::replace(&mut before, count);
            m.seconds.push(seconds);
            if let Some(bochs) = &mut bochs {
                let (outcome, theirs, ()) = bochs.run(job, program, || Ok(()))?;
                check("Bochs", &outcome);
                m.bochs.push(theirs);
                m.ratios.push(theirs / seconds);
            }
        }
    }
    print(programs, measured);
    Ok(failures)
}

fn print(programs: &[Program], measured: Vec<Measured>) {
    println!(
        "{:>10}{:>15}{:>10}{:>8}{:>10}{:>7}",
        "program", "instructions", "seconds", "MIPS", "Bochs's", "times"
    );
    let (mut rates, mut ratios) = (Vec::new(), Vec::new());
    for (program, m) in programs.iter().zip(measured) {
        let seconds = median(m.seconds).unwrap_or(f64::NAN);
        let rate = m.count as f64 / seconds / 1e6;
        print!("{:>10}{:>15}{seconds:>10.3}{rate:>8.1}", program.name, m.count);
        rates.push(rate);
        if let (Some(theirs), Some(ratio)) = (median(m.bochs), median(m.ratios)) {
            print!("{theirs:>10.3}{ratio:>7.2}");
            ratios.push(ratio);
        }
        println!();
    }
    if let Some(mean) = mean(&rates) {
        println!("\ngeometric mean: {mean:.1} million guest instructions a second");
    }
    if let Some(mean) = mean(&ratios) {
        println!("geometric mean: {mean:.2} times as fast as Bochs");
    }
}

/// Seconds that a thread has run, by its directory in /proc.
fn ran(thread: &Path) -> Result<f64> {
    let text = std::fs::read_to_string(thread.join("schedstat"))?;
    let nanoseconds: f64 = text.split(' ').next().unwrap_or_default().parse().context("no run time")?;
    Ok(nanoseconds / 1e9)
}
