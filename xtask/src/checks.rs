//! `cargo xtask checks`: the programs of `tests/guests/checks`, which look at what a processor offers to Linux programs,
//! on every engine.

use crate::console::{Console, Machine};
use crate::guests::initrd;
use crate::paths;
use crate::shell::Tool;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

/// Longest that a boot with all checks may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// Options of `cargo xtask checks`.
#[derive(clap::Args)]
pub struct Args {
    /// The emulator, as a command line to append QEMU's options to (default: the release build).
    #[arg(long, value_name = "COMMAND")]
    emulator: Option<String>,
    /// Engines; `tcg` is QEMU's.
    #[arg(long, value_delimiter = ',', default_value = "jit,interp")]
    engines: Vec<String>,
    /// Processor models, with their switches after a colon each.
    #[arg(long, value_delimiter = ',', default_value = "max,cortex-a53")]
    models: Vec<String>,
    /// Kernel.
    #[arg(long, default_value = "cloud")]
    kernel: String,
    /// Number of processors.
    #[arg(long, default_value_t = 1)]
    smp: u32,
    /// Checks (default: all).
    names: Vec<String>,
}

/// Runs the checks on every engine and model, and fails at the end if any did.
pub fn run(args: &Args) -> Result<()> {
    let emulator = args.emulator.clone().unwrap_or_else(|| {
        format!("{} qemu-system-aarch64", paths::target().join("release/lyrebird").display())
    });
    let kernel = paths::arm64().join(&args.kernel);
    let initrd = initrd(&kernel)?;
    let mut failed = 0;
    for engine in &args.engines {
        for model in &args.models {
            println!("-accel {engine} -cpu {model}");
            let line = format!("lyre.off lyre.run=\"checks {}\"", args.names.join(" "));
            let machine = Machine::with(&emulator, 3, &model.replace(':', ","), args.smp)
                .args(["-accel", engine])
                .kernel(&kernel.join("Image"))
                .initrd(&initrd)
                .append(&line);
            let mut console = Console::start(machine, PATIENCE)?;
            console.wait_for("LYREBIRD-BOOTED")?;
            let mut ended = false;
            while let Some(line) = console.line()? {
                if let Some(result) = line.strip_prefix("CHECK ") {
                    println!("  {result}");
                    failed += line.contains(" FAILED") as u32;
                }
                ended |= line.starts_with("CHECKS ");
            }
            if !ended {
                println!("  the checks did not come to their end");
                failed += 1;
            }
            console.wait_for_end()?;
        }
    }
    ensure!(failed == 0, "{failed} checks failed");
    Ok(())
}

/// Builds the program and writes the kernel's initrd with it.
fn initrd(kernel: &std::path::Path) -> Result<PathBuf> {
    let folder = paths::target().join("checks");
    fs::create_dir_all(&folder)?;
    let (sources, program) = (paths::workspace().join("tests/guests/checks"), folder.join("checks"));
    let mut files = Vec::new();
    for entry in fs::read_dir(&sources).with_context(|| format!("Cannot read {}", sources.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "c") {
            files.push(path);
        }
    }
    files.sort();
    Tool::new("aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu")
        .args(["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O2", "-static", "-o"])
        .arg(&program)
        .args(&files)
        .run()?;
    let busybox = fs::read(paths::arm64().join("busybox"));
    let busybox = busybox.context("There are no guests yet: run `cargo xtask guests` first")?;
    let mut archive = initrd::archive(kernel, &busybox)?;
    archive.file("bin/checks", 0o755, &fs::read(&program)?);
    let file = folder.join("initrd.gz");
    fs::write(&file, initrd::compress(&archive.finish())?)?;
    Ok(file)
}
