//! `cargo xtask boots`: every kernel of `cargo xtask guests`, in every way and on every kind of machine.

mod arm;
mod x86;

use crate::guests::kernel::Kernel;
use crate::paths;
use anyhow::{Result, ensure};

/// Options of `cargo xtask boots`. Each axis can be cut down to the values that are named.
#[derive(clap::Args)]
pub struct Args {
    /// The family of guests.
    #[arg(long, default_value = "arm", value_parser = ["arm", "x86"])]
    family: String,
    /// The emulator, as a command line to append QEMU's options to (default: the release build).
    #[arg(long, value_name = "COMMAND")]
    emulator: Option<String>,
    /// Kernels, as NAME or ARCH-NAME.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    kernels: Vec<String>,
    /// Engines.
    #[arg(long, value_delimiter = ',', default_value = "jit,interp")]
    engines: Vec<String>,
    /// Numbers of processors.
    #[arg(long, value_delimiter = ',', default_value = "1,4")]
    smp: Vec<u32>,
    /// How often each is booted.
    #[arg(long, default_value_t = 1)]
    times: usize,
    /// Arm: what the root file system is on.
    #[arg(long, value_delimiter = ',', default_value = "initrd,disk")]
    media: Vec<String>,
    /// Arm: versions of the interrupt controller.
    #[arg(long, value_delimiter = ',', default_value = "2,3")]
    gics: Vec<u32>,
    /// Arm: processor models.
    #[arg(long, value_delimiter = ',', default_value = "cortex-a53,cortex-a72,max")]
    models: Vec<String>,
    /// x86: boards.
    #[arg(long, value_delimiter = ',', default_value = "pc,q35,microvm")]
    boards: Vec<String>,
    /// x86: how the kernel is started: by the emulator, or by firmware (our BIOS or SeaBIOS) and GRUB.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "direct,bios-disk,bios-cd,seabios-disk,seabios-cd",
        value_parser = ["direct", "bios-disk", "bios-cd", "seabios-disk", "seabios-cd"]
    )]
    ways: Vec<String>,
}

impl Args {
    /// Whether a kernel is among those that are booted.
    fn wants(&self, kernel: &Kernel) -> bool {
        let full = format!("{}-{}", kernel.arch, kernel.name);
        self.kernels.is_empty() || self.kernels.iter().any(|name| name == kernel.name || *name == full)
    }
}

/// One boot, which tells what it took.
struct Boot<'a> {
    name: String,
    run: Box<dyn Fn() -> Result<String> + 'a>,
}

/// Runs all that the options leave, and fails at the end if any boot did.
pub fn run(args: &Args) -> Result<()> {
    let x86 = args.family == "x86";
    if !paths::guests_of(if x86 { "amd64" } else { "arm64" }).is_dir() {
        println!(
            "skipped: there are no guests in {}; make them with `cargo xtask guests`",
            paths::guests().display()
        );
        return Ok(());
    }
    let release = paths::target().join("release/lyrebird");
    let personality = if x86 { "qemu-system-x86_64" } else { "qemu-system-aarch64" };
    let emulator = match &args.emulator {
        Some(command) => command.clone(),
        None => format!("{} {personality}", release.display()),
    };
    ensure!(args.emulator.is_some() || release.exists(), "Build it first: cargo build --release");
    let boots = if x86 { x86::boots(args, &emulator) } else { arm::boots(args, &emulator) };
    let (all, mut failed) = (boots.len() * args.times, 0);
    for (i, boot) in boots.iter().flat_map(|boot| std::iter::repeat_n(boot, args.times)).enumerate() {
        let name = format!("{:>3}/{all} {}", i + 1, boot.name);
        match (boot.run)() {
            Ok(took) => println!("{name}: {took}"),
            Err(error) => {
                failed += 1;
                println!("{name}: FAILED: {error:#}");
            }
        }
    }
    ensure!(failed == 0, "{failed} of {all} boots failed");
    Ok(())
}
