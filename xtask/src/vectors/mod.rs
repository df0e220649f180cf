//! `cargo xtask vectors record`: records what every A64 instruction does under `qemu-aarch64`, for `tests/vectors`.

mod host;
mod probe;
mod runner;

use anyhow::{Context, Result, ensure};
use clap::{Parser, Subcommand};
use lyrebird_cpu::arm::{Arm64, a64};
use lyrebird_cpu::core::Core;
use lyrebird_cpu::table::{Row, Table};
use lyrebird_tests::vectors::{Outcome, Rng, file, fitting, input, skipped};
use runner::Runner;
use std::path::PathBuf;

/// Arguments of `cargo xtask vectors`.
#[derive(Parser)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Record rows that have no current recording, under qemu-aarch64 (package qemu-user) and with
    /// aarch64-linux-gnu-gcc (package gcc-aarch64-linux-gnu).
    Record(Record),
    /// Record x86 instructions of user programs on this host's processor.
    Host(host::Args),
    /// Look for words that only one of qemu-aarch64 and our interpreter executes.
    Probe(probe::Args),
}

#[derive(Parser)]
struct Record {
    /// Only the chapters with these names, as the modules of cpu/src/arm/a64 are called.
    chapters: Vec<String>,
    /// Record rows again that have a recording.
    #[arg(long)]
    again: bool,
    /// Cases of a row.
    #[arg(long, default_value_t = 208)]
    cases: usize,
}

/// Of the cases of a row, so many may be undefined encodings.
const UNDEFINED: usize = 8;

/// How often other words are tried for cases that cannot be run.
const ROUNDS: usize = 200;

/// Runs the command.
pub fn run(args: &Args) -> Result<()> {
    match &args.command {
        Command::Record(args) => record(args),
        Command::Host(args) => host::run(args),
        Command::Probe(args) => probe::run(args),
    }
}

/// Records what has no recording.
fn record(record: &Record) -> Result<()> {
    let mut runner = Runner::new()?;
    let table = a64::interp_table();
    let mut failed = Vec::new();
    for (chapter, rows) in a64::chapters::<Core<Arm64>>() {
        if !record.chapters.is_empty() && !record.chapters.iter().any(|c| c == chapter) {
            continue;
        }
        let path = directory().join(format!("{chapter}.vec"));
        let old = if path.exists() && !record.again { file::read(&path)? } else { Vec::new() };
        let mut new = Vec::new();
        for row in &rows {
            if skipped::reason(row.name).is_some() {
                continue;
            }
            if let Some(old) = old.iter().find(|r| r.name == row.name && r.pattern == row.pattern) {
                new.push(old.clone());
                continue;
            }
            match one(&mut runner, table, row, record.cases)
                .with_context(|| format!("{chapter}: {}", row.name))
            {
                Ok(row) => new.push(row),
                Err(e) => failed.push(format!("{e:#}")),
            }
        }
        if new != old && !new.is_empty() {
            file::write(&path, &new)?;
        }
        println!("{chapter}: {} rows", new.len());
    }
    ensure!(failed.is_empty(), "These rows could not be recorded:\n    {}", failed.join("\n    "));
    Ok(())
}

/// Where recordings are kept.
fn directory() -> PathBuf {
    crate::paths::workspace().join("tests/vectors")
}

/// A number that depends on a row alone.
fn seed(row: &Row<Core<Arm64>>) -> u64 {
    let bytes = row.name.bytes().chain(row.pattern.bytes());
    bytes.fold(0xCBF2_9CE4_8422_2325, |h, b| (h ^ b as u64).wrapping_mul(0x100_0000_01B3))
}

/// A random word of the row that can be run.
fn candidate(table: &Table<Core<Arm64>>, row: &Row<Core<Arm64>>, rng: &mut Rng) -> Option<u32> {
    let word = match skipped::templates(row.name) {
        Some(words) => rng.pick(words) | rng.below(32) as u32,
        None => row.value | rng.next_u64() as u32 & !row.mask,
    };
    let word = fitting(word, rng)?;
    let (_, found) = table.find(word, u64::MAX)?;
    (found.name == row.name && found.pattern == row.pattern).then_some(word)
}

/// Records a row.
fn one(
    runner: &mut Runner,
    table: &Table<Core<Arm64>>,
    row: &Row<Core<Arm64>>,
    cases: usize,
) -> Result<file::Row> {
    let seed = seed(row);
    let mut rng = Rng::new(!seed);
    let mut done: Vec<Option<(u32, Outcome)>> = vec![None; cases];
    let mut undefined = 0;
    let most = if row.name == "UDF" { cases } else { UNDEFINED };
    for _ in 0..ROUNDS {
        let mut batch = Vec::new();
        for (i, slot) in done.iter().enumerate() {
            if slot.is_none()
                && let Some(word) = candidate(table, row, &mut rng)
            {
                batch.push((i as u64, word, input(seed.wrapping_add(i as u64), word)));
            }
        }
        if batch.is_empty() && done.iter().all(Option::is_some) {
            break;
        }
        let outcomes = runner.run(&batch)?;
        for ((i, word, _), outcome) in batch.iter().zip(outcomes) {
            match outcome {
                Some(Outcome::Undefined) if undefined == most => {}
                Some(outcome) => {
                    undefined += (outcome == Outcome::Undefined) as usize;
                    done[*i as usize] = Some((*word, outcome));
                }
                None => {}
            }
        }
    }
    let (words, outcomes): (Vec<_>, Vec<_>) = done.into_iter().flatten().unzip();
    ensure!(words.len() == cases, "only {} of {cases} cases could be run", words.len());
    Ok(file::Row { name: row.name.into(), pattern: row.pattern.into(), seed, words, outcomes })
}
