//! `cargo xtask decoder`: compares the x86 decoder with iced-x86 over many byte strings.

use anyhow::{Result, ensure};
use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use lyrebird_tests::decoding::{Tally, opcodes, random};
use lyrebird_tests::vectors::Rng;

/// Arguments of `cargo xtask decoder`.
#[derive(Parser)]
pub struct Args {
    /// Random byte strings, besides all one- and two-byte opcodes; each is decoded in 16-, 32- and 64-bit code.
    #[arg(long, default_value_t = 10_000_000)]
    strings: u64,
    /// Where the random strings begin.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Strings between two looks at the progress.
const STEP: u64 = 1 << 16;

/// Runs the command.
pub fn run(args: &Args) -> Result<()> {
    let mut rng = Rng::new(args.seed);
    let mut tally = Tally::default();
    for bytes in opcodes(&mut rng) {
        tally.add(&bytes);
    }
    let bar = ProgressBar::new(args.strings);
    bar.set_style(ProgressStyle::with_template("{bar:40} {human_pos} of {human_len} strings, {eta} left")?);
    for n in 0..args.strings {
        tally.add(&random(&mut rng));
        if n % STEP == 0 {
            bar.set_position(n);
        }
    }
    bar.finish_and_clear();
    print!("{}", tally.report());
    ensure!(tally.kinds.is_empty(), "the decoders differ in {} ways", tally.kinds.len());
    println!("{} strings: both decoders agree", tally.strings);
    Ok(())
}
