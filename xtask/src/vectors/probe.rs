//! `cargo xtask vectors probe`: random words of the whole A64 space, to find instructions that are missing from our
//! table, reserved encodings that it executes, and differences that the recorded rows do not show.

use super::runner::Runner;
use anyhow::Result;
use clap::Parser;
use lyrebird_cpu::arm::a64;
use lyrebird_tests::vectors::{Interp, Mismatch, Outcome, Rng, Subject, fitting, input, skipped};
use std::collections::BTreeMap;

/// Arguments of `cargo xtask vectors probe`.
#[derive(Parser)]
pub(super) struct Args {
    /// How many words to try.
    #[arg(long, default_value_t = 200_000)]
    words: usize,
    /// Seed of the words.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Bits that every word has, with `--mask`.
    #[arg(long, default_value = "0", value_parser = hexadecimal)]
    value: u32,
    /// Which bits `--value` fixes.
    #[arg(long, default_value = "0", value_parser = hexadecimal)]
    mask: u32,
}

fn hexadecimal(text: &str) -> Result<u32, std::num::ParseIntError> {
    u32::from_str_radix(text.trim_start_matches("0x"), 16)
}

/// A random word that a process may run: no exceptions, no system instructions.
fn word(args: &Args, rng: &mut Rng) -> Option<u32> {
    let word = rng.next_u64() as u32 & !args.mask | args.value & args.mask;
    if word >> 24 == 0xD4 || word >> 22 == 0b11_0101_0100 {
        return None;
    }
    let row = a64::interp_table().find(word, u64::MAX);
    if row.is_some_and(|(_, row)| skipped::reason(row.name).is_some()) {
        return None;
    }
    fitting(word, rng)
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<()> {
    let (mut runner, mut interp) = (Runner::new()?, Interp::new()?);
    let mut rng = Rng::new(args.seed);
    let mut found: BTreeMap<String, (usize, Mismatch)> = BTreeMap::new();
    let mut left = args.words;
    while left > 0 {
        let batch: Vec<_> = (0..left.min(512))
            .filter_map(|_| {
                let word = word(args, &mut rng)?;
                let seed = rng.next_u64();
                Some((seed, word, input(seed, word)))
            })
            .collect();
        left -= left.min(512);
        for ((seed, word, before), outcome) in batch.iter().zip(runner.run(&batch)?) {
            let Some(outcome) = outcome else { continue };
            let mut after = before.clone();
            let ours = match interp.run(*word, &mut after) {
                Ok(true) => Outcome::between(before, &after),
                Ok(false) => Outcome::Undefined,
                Err(_) => continue,
            };
            if ours == outcome {
                continue;
            }
            let row = a64::interp_table().find(*word, u64::MAX).map_or("no row", |(_, r)| r.name);
            let class = match (&outcome, &ours) {
                (Outcome::Undefined, _) => format!("only ours: {row}"),
                (_, Outcome::Undefined) => format!("only QEMU: {row}, {:02x}", word >> 24),
                _ => format!("differs: {row}"),
            };
            let mismatch =
                Mismatch { row: row.to_owned(), word: *word, seed: *seed, expected: outcome, got: ours };
            found.entry(class).or_insert((0, mismatch)).0 += 1;
        }
    }
    for (class, (count, first)) in found {
        println!("{count:7} {class}, such as {first}");
    }
    Ok(())
}
