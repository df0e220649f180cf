//! `cargo xtask guests`: makes the guests that the README, the tests and the benchmarks boot.
//!
//! Kernels and busybox come from Debian through this machine's own apt, with the Debian sources it is set up for.
//! Below `target/guests/`, in `arm64/`, `amd64/` and `i386/`, there are then, for each kernel of [`kernel::KERNELS`], a
//! folder with `Image` or `bzImage` (the kernel as shipped), `initrd.gz`, `version` and, for PCs, a disk and a CD that boot
//! it through GRUB, and beside them `busybox` and the
//! disk `root.img`. The scripts that
//! the guests run are in `files/` beside this source.

pub mod apt;
pub mod boot;
mod busybox;
mod debian;
mod disk;
pub mod grub;
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
    /// Only the guests of these of Debian's architectures.
    #[arg(long, value_name = "ARCH", value_parser = ["arm64", "amd64", "i386"])]
    arch: Vec<String>,
    /// Ask apt for newer packages and make everything anew.
    #[arg(long)]
    refresh: bool,
    /// Also unpack a Debian root file system for arm64 and amd64 into debian.qcow2 (needs root, debootstrap and
    /// qemu-utils).
    #[arg(long)]
    debian: bool,
    /// Afterwards boot every kernel with this emulator, from initrd and from disk, and with --debian install and use
    /// Debian (default: qemu-system-aarch64).
    #[arg(long, value_name = "COMMAND", num_args = 0..=1, default_missing_value = "qemu-system-aarch64")]
    verify: Option<String>,
}

/// Debian's architectures that guests are made for.
const ARCHITECTURES: [&str; 3] = ["arm64", "amd64", "i386"];

/// Makes what is missing, or all of it with `--refresh`.
pub fn run(args: &Args) -> Result<()> {
    let wanted = |arch: &&str| args.arch.is_empty() || args.arch.iter().any(|a| a == arch);
    for arch in ARCHITECTURES.into_iter().filter(wanted) {
        let mut apt = apt::Apt::new(paths::guests(), arch, args.refresh)?;
        let name = |what: &str| format!("{arch} {what}");
        let busybox = step(&name("busybox"), || busybox::prepare(&mut apt, args.refresh))?;
        for kernel in kernel::of(arch) {
            step(&name(kernel.name), || {
                let version = kernel.prepare(&mut apt, args.refresh)?;
                initrd::write(&kernel.folder(), &busybox.content)?;
                Ok(version)
            })?;
            if arch != "arm64" {
                step(&name("grub"), || grub::prepare(&kernel.folder(), args.refresh))?;
            }
        }
        step(&name("root.img"), || disk::prepare(arch, &busybox.content, args.refresh))?;
        if arch == "arm64" {
            step(&name("packed"), || packed::prepare(args.refresh))?;
        }
        if let (true, Some(debian)) = (args.debian, debian::of(arch)) {
            step(&name("debian"), || debian.prepare(&apt, args.refresh))?;
        }
    }
    if let Some(emulator) = &args.verify {
        // An emulator runs one family of guests: the arm64 ones unless others are asked for.
        let arch = ARCHITECTURES.into_iter().find(wanted).unwrap_or(ARCHITECTURES[0]);
        if arch == "arm64" {
            boot::verify(emulator)?;
        }
        if let (true, Some(debian)) = (args.debian, debian::of(arch)) {
            debian.verify(emulator)?;
        }
    }
    println!("\nThe guests are in {}. Try one:", paths::guests().display());
    let try_one = match ARCHITECTURES.into_iter().find(wanted) {
        Some("amd64") => ("x86_64 -M microvm", "console=ttyS0", "bzImage", "amd64/cloud"),
        Some("i386") => ("i386 -M pc", "console=ttyS0", "bzImage", "i386/generic"),
        _ => ("aarch64 -M virt -cpu max", "console=ttyAMA0", "Image", "arm64/cloud"),
    };
    let (program, console, image, folder) = try_one;
    let folder = relative(&paths::guests().join(folder));
    println!(
        "    cargo run --release -- qemu-system-{program} -m 512 -nographic -append {console} -kernel {folder}/{image} \
         -initrd {folder}/initrd.gz"
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
