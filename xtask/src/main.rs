//! `cargo xtask`: the developer's commands. `cargo xtask help` lists them.

mod bench;
mod console;
mod cpio;
mod guests;
mod paths;
mod shell;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Developer commands of the Lyrebird workspace.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Fetch Debian's arm64 kernels and busybox through apt and make initrds and root disks under target/guests.
    Guests(guests::Args),
    /// Run our guest programs on Lyrebird and on QEMU and compare.
    Bench(bench::Args),
}

fn main() -> Result<()> {
    match Cli::parse().command {
        Command::Guests(args) => guests::run(&args),
        Command::Bench(args) => bench::run(&args),
    }
}
