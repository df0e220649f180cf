//! `cargo xtask`: the developer's commands. `cargo xtask help` lists them.

mod bench;
mod bios;
mod boots;
mod checks;
mod console;
mod cpio;
mod decoder;
mod facts;
mod footprint;
mod guests;
mod memtest;
mod monitor;
mod paths;
mod shell;
mod sizes;
mod stress;
mod vectors;

use anyhow::{Context, Result, ensure};
use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Developer commands of the Lyrebird workspace.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Fetch Debian's kernels and busybox through apt and make initrds and root disks under target/guests.
    Guests(guests::Args),
    /// Run our guest programs on Lyrebird and on QEMU and compare.
    Bench(bench::Args),
    /// Boot Debian's kernels in every way, on every kind of machine and every engine.
    Boots(boots::Args),
    /// Run our programs that look at what a processor offers under Linux: debug, for example.
    Checks(checks::Args),
    /// Try our BIOS, our boot sector and the x86 demo in QEMU, if it is installed.
    Bios,
    /// Measure memory, start and size of the program against their limits.
    Footprint(footprint::Args),
    /// Run memtest86+ from its CD over a machine's memory, and keep its screen as a picture.
    Memtest(memtest::Args),
    /// Run the guest that makes all processors work on the same memory at once, and see that nothing goes wrong.
    Stress(stress::Args),
    /// Fail if a source file is longer than the house allows.
    Sizes,
    /// Fail if the documentation does not list the unsafe code and the dependencies that there are.
    Facts,
    /// Do what the continuous integration does: format, sizes, lints, documentation, tests.
    Check,
    /// Compare x86 instructions with the host's processor, those whose mnemonic or chapter contains a name, or all.
    Hostcheck {
        /// A part of a mnemonic (`PADD`), or a chapter (`sse_fp`).
        name: Option<String>,
    },
    /// Compare the x86 decoder with iced-x86 over many byte strings.
    Decoder(decoder::Args),
    /// Record what instructions do, for tests/vectors.
    Vectors(vectors::Args),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Guests(args) => guests::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Boots(args) => boots::run(&args),
        Command::Checks(args) => checks::run(&args),
        Command::Bios => bios::run(),
        Command::Decoder(args) => decoder::run(&args),
        Command::Footprint(args) => footprint::run(&args),
        Command::Memtest(args) => memtest::run(&args),
        Command::Stress(args) => stress::run(&args),
        Command::Sizes => sizes::run(),
        Command::Facts => facts::run(),
        Command::Check => check(),
        Command::Hostcheck { name } => hostcheck(name.as_deref()),
        Command::Vectors(args) => vectors::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Without the backtrace that anyhow would add: what went wrong out there is not in our code.
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the test of `lyrebird-tests` that compares with the host, so that it says what it finds.
fn hostcheck(name: Option<&str>) -> Result<()> {
    let mut cargo = std::process::Command::new("cargo");
    cargo.args(["test", "-p", "lyrebird-tests", "--test", "hostx86", "--", "--nocapture"]);
    if let Some(name) = name {
        cargo.env("HOSTX86", name);
    }
    let status = cargo.current_dir(paths::workspace()).status().context("cargo does not start")?;
    ensure!(status.success(), "instructions differ from the host's");
    Ok(())
}

/// Runs `.ci/run`, which holds the list of what must pass.
fn check() -> Result<()> {
    let script = paths::workspace().join(".ci/run");
    let status = std::process::Command::new(&script).status();
    let status = status.with_context(|| format!("Cannot run {}", script.display()))?;
    ensure!(status.success(), "The check failed; see above");
    Ok(())
}
