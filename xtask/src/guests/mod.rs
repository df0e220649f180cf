//! `cargo xtask guests`: makes the guests that the README, the tests and the benchmarks boot.
//!
//! Kernels and busybox come from Debian through this machine's own apt, with the Debian sources it is set up for.
//! Below `target/guests/arm64/` there are then, for each kernel of [`kernel::KERNELS`], a folder with `Image` (the
//! kernel as shipped), `initrd.gz` and `version`, and beside them `busybox` and the disk `root.img`. The scripts that
//! the guests run are in `files/` beside this source.

mod apt;
pub mod boot;
mod busybox;
mod debian;
mod disk;
pub mod initrd;
pub mod kernel;
mod packed;

use crate::paths;
use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};
use std::time::Duration;

/// Options of `cargo xtask guests`.
#[derive(clap::Args)]
pub struct Args {
    /// Ask apt for newer packages and make everything anew.
    #[arg(long)]
    refresh: bool,
    /// Also unpack a Debian root file system for arm64 into debian.qcow2 (needs root, debootstrap and qemu-utils).
    #[arg(long)]
    debian: bool,
    /// Afterwards boot every kernel with this emulator, from initrd and from disk, and with --debian install and use
    /// Debian (default: qemu-system-aarch64).
    #[arg(long, value_name = "COMMAND", num_args = 0..=1, default_missing_value = "qemu-system-aarch64")]
    verify: Option<String>,
}

/// Makes what is missing, or all of it with `--refresh`.
pub fn run(args: &Args) -> Result<()> {
    let mut apt = apt::Apt::new(paths::guests(), args.refresh)?;
    let busybox = step("busybox", || busybox::prepare(&mut apt, args.refresh))?;
    for kernel in &kernel::KERNELS {
        step(kernel.name, || {
            let version = kernel.prepare(&mut apt, args.refresh)?;
            initrd::write(&kernel.folder(), &busybox.content)?;
            Ok(version)
        })?;
    }
    step("packed", || packed::prepare(args.refresh))?;
    step("root.img", || disk::prepare(&busybox.content, args.refresh))?;
    if args.debian {
        step("debian", || debian::prepare(&apt, args.refresh))?;
    }
    if let Some(emulator) = &args.verify {
        boot::verify(emulator)?;
        if args.debian {
            debian::verify(emulator)?;
        }
    }
    println!("\nThe guests are in {}. Try one:", paths::arm64().display());
    let cloud = relative(&paths::arm64().join("cloud"));
    let options = "-M virt -cpu max -m 512 -nographic -append console=ttyAMA0";
    println!(
        "    cargo run --release -- qemu-system-aarch64 {options} -kernel {cloud}/Image -initrd {cloud}/initrd.gz"
    );
    Ok(())
}

/// `path` as one would type it in the workspace.
fn relative(path: &std::path::Path) -> String {
    path.strip_prefix(paths::workspace()).unwrap_or(path).display().to_string()
}

/// Runs one step under a spinner, and leaves a line that says what came of it.
fn step<T: ToString>(name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let spinner = ProgressBar::new_spinner().with_message(name.to_owned());
    spinner.set_style(ProgressStyle::with_template("{spinner} {msg} {elapsed}")?);
    spinner.enable_steady_tick(Duration::from_millis(100));
    let result = work();
    spinner.finish_and_clear();
    match &result {
        Ok(done) => println!("{name:>18}  {}", done.to_string()),
        Err(_) => println!("{name:>18}  failed"),
    }
    result
}
