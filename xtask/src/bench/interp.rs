//! `cargo xtask bench --interp`: how many guest instructions the interpreter alone executes in a second.
//!
//! The interpreter counts every instruction that it executes; the monitor tells the number whenever a program has
//! ended. If Debian's Bochs is installed it then runs the same programs on x86's side. Counts and seconds are differences between two such moments, so they hold all that the processor did in
//! between: the program, and the kernel on its behalf. Seconds are those that the host gave to the processor's thread;
//! those of the clock stand beside them, and hold what other programs took.

use super::programs::{Architecture, Outcome, Program};
use super::run::Job;
use crate::console::Console;
use crate::monitor::Monitor;
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

/// Runs `programs` once, in one boot, prints the table and gives the number of wrong or missing results. Bochs is made
/// ready in `folder`.
pub fn run(
    folder: &Path,
    command: &str,
    job: &Job<'_>,
    programs: &[Program],
    native: &BTreeMap<String, Outcome>,
) -> Result<usize> {
    let (socket, monitor) = Monitor::place();
    let machine = super::run::machine(command, job, &job.names);
    let mut console = Console::start(machine.args(["-accel", "interp", "-monitor", &monitor]), job.patience)?;
    console.wait_for("LYREBIRD-BOOTED")?;
    console.line()?;
    let mut monitor = Monitor::connect(&socket)?;
    println!("{:>10}  {:>15}{:>10}{:>10}{:>10}", "program", "instructions", "seconds", "by clock", "MIPS");
    let thread = console.thread("vcpu0")?;
    let (mut rates, mut ours, mut failures) = (Vec::new(), Vec::new(), 0);
    let mut before = (monitor.instructions()?, ran(&thread)?, Instant::now());
    for program in programs {
        let outcome = Outcome::of(program, &mut console)?;
        let after = (monitor.instructions()?, ran(&thread)?, Instant::now());
        let (count, seconds) = (after.0 - before.0, after.1 - before.1);
        let clock = (after.2 - before.2).as_secs_f64();
        let rate = count as f64 / seconds / 1e6;
        println!("{:>10}  {count:>15}{seconds:>10.3}{clock:>10.3}{rate:>10.1}", program.name);
        if native.get(&program.name).is_some_and(|right| right.checksum != outcome.checksum) {
            println!("{:>12}checksum {}, which is wrong", "", outcome.checksum);
            failures += 1;
        }
        rates.push(rate);
        ours.push(seconds);
        before = after;
    }
    if let Some(mean) = super::report::mean(&rates) {
        println!("\ngeometric mean: {mean:.1} million guest instructions a second");
    }
    // Its processor is free for Bochs.
    drop(console);
    if job.architecture == Architecture::Amd64
        && let Some(theirs) = super::bochs::run(folder, job, programs)?
    {
        println!("\n{:>10}{:>12}{:>12}{:>8}", "program", "seconds", "Bochs's", "times");
        let mut ratios = Vec::new();
        for (seconds, (outcome, bochs)) in ours.iter().zip(theirs) {
            let ratio = bochs / seconds;
            println!("{:>10}{seconds:>12.3}{bochs:>12.3}{ratio:>8.2}", outcome.name);
            if native.get(&outcome.name).is_some_and(|right| right.checksum != outcome.checksum) {
                println!("{:>12}Bochs's checksum is {}, which is wrong", "", outcome.checksum);
            }
            ratios.push(ratio);
        }
        if let Some(mean) = super::report::mean(&ratios) {
            println!("\ngeometric mean: {mean:.2} times as fast as Bochs");
        }
    }
    Ok(failures)
}

/// Seconds that a thread has run, by its directory in /proc.
pub fn ran(thread: &Path) -> Result<f64> {
    let text = std::fs::read_to_string(thread.join("schedstat"))?;
    let nanoseconds: f64 = text.split(' ').next().unwrap_or_default().parse().context("no run time")?;
    Ok(nanoseconds / 1e9)
}
