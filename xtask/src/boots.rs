//! `cargo xtask boots`: every kernel of `cargo xtask guests`, from initrd and from disk, on every kind of machine.

use crate::console::Machine;
use crate::guests::boot::boot;
use crate::guests::kernel;
use crate::paths;
use anyhow::{Result, ensure};
use std::path::Path;

/// Options of `cargo xtask boots`. Each axis can be cut down to the values that are named.
#[derive(clap::Args)]
pub struct Args {
    /// The emulator, as a command line to append QEMU's options to (default: the release build).
    #[arg(long, value_name = "COMMAND")]
    emulator: Option<String>,
    /// Kernels.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    kernels: Vec<String>,
    /// What the root file system is on.
    #[arg(long, value_delimiter = ',', default_value = "initrd,disk")]
    media: Vec<String>,
    /// Engines.
    #[arg(long, value_delimiter = ',', default_value = "jit,interp")]
    engines: Vec<String>,
    /// Versions of the interrupt controller.
    #[arg(long, value_delimiter = ',', default_value = "2,3")]
    gics: Vec<u32>,
    /// Numbers of processors.
    #[arg(long, value_delimiter = ',', default_value = "1,4")]
    smp: Vec<u32>,
    /// Processor models.
    #[arg(long, value_delimiter = ',', default_value = "cortex-a53,cortex-a72,max")]
    models: Vec<String>,
    /// How often each is booted.
    #[arg(long, default_value_t = 1)]
    times: usize,
}

/// One boot.
struct Case<'a> {
    kernel: &'a str,
    medium: &'a str,
    engine: &'a str,
    gic: u32,
    cpus: u32,
    model: &'a str,
}

/// Runs all that the options leave, and fails at the end if any boot did.
pub fn run(args: &Args) -> Result<()> {
    if !paths::arm64().is_dir() {
        println!(
            "skipped: there are no guests in {}; make them with `cargo xtask guests`",
            paths::guests().display()
        );
        return Ok(());
    }
    let release = paths::target().join("release/lyrebird");
    let emulator = match &args.emulator {
        Some(command) => command.clone(),
        None => format!("{} qemu-system-aarch64", release.display()),
    };
    ensure!(args.emulator.is_some() || release.exists(), "Build it first: cargo build --release");
    let (cases, mut failed) = (cases(args), 0);
    for (i, case) in cases.iter().enumerate() {
        let Case { kernel, medium, engine, gic, cpus, model } = case;
        let result = one(&emulator, case);
        let name =
            format!("{:>3}/{} {kernel} {medium} {engine} GICv{gic} -smp {cpus} {model}", i + 1, cases.len());
        match result {
            Ok(took) => println!("{name}: {took}"),
            Err(error) => {
                failed += 1;
                println!("{name}: FAILED: {error:#}");
            }
        }
    }
    ensure!(failed == 0, "{failed} of {} boots failed", cases.len());
    Ok(())
}

fn cases(args: &Args) -> Vec<Case<'_>> {
    let wanted = |name: &str| args.kernels.is_empty() || args.kernels.iter().any(|k| k == name);
    let mut cases = Vec::new();
    for kernel in kernel::of("arm64").map(|k| k.name).filter(|name| wanted(name)) {
        for medium in &args.media {
            for engine in &args.engines {
                for &gic in &args.gics {
                    for &cpus in &args.smp {
                        let of = |model| Case { kernel, medium, engine, gic, cpus, model };
                        for model in &args.models {
                            cases.extend((0..args.times).map(|_| of(model.as_str())));
                        }
                    }
                }
            }
        }
    }
    cases
}

fn one(emulator: &str, case: &Case<'_>) -> Result<String> {
    let folder = paths::arm64().join(case.kernel);
    let machine = Machine::with(emulator, case.gic, case.model, case.cpus).args(["-accel", case.engine]);
    boot(machine, case.cpus, Path::new(&folder), "Image", case.medium == "disk")
}
