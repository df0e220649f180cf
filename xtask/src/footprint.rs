//! `cargo xtask footprint`: what the program costs its host. Three figures, each with a limit: memory that is resident
//! after a boot besides guest RAM, time from start to the first guest instruction, size of the stripped binary.

use crate::console::{Console, Machine};
use crate::paths;
use crate::shell::Tool;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

/// Resident memory without guest RAM, KiB.
const MOST_RESIDENT: u64 = 64 << 10;
/// From the start of the process to the first guest instruction.
const LATEST_START: Duration = Duration::from_millis(20);
/// Size of the binary, bytes.
const LARGEST_BINARY: u64 = 16 << 20;
/// Starts of which the median counts.
const STARTS: usize = 7;
/// Longest that a boot may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// Options of `cargo xtask footprint`.
#[derive(clap::Args)]
pub struct Args {
    /// The program to measure; the default, the stripped one of `cargo build --profile dist`, is built first.
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
}

/// Measures, prints, and fails if a limit is passed.
pub fn run(args: &Args) -> Result<()> {
    if !paths::arm64().is_dir() {
        println!(
            "skipped: there are no guests in {}; make them with `cargo xtask guests`",
            paths::guests().display()
        );
        return Ok(());
    }
    let binary = match &args.binary {
        Some(file) => file.clone(),
        None => built()?,
    };
    let size = fs::metadata(&binary).with_context(|| format!("Cannot measure {}", binary.display()))?.len();
    let emulator = format!("{} qemu-system-aarch64", binary.display());
    let mut failed = 0;
    let mut verdict = |fits: bool, text: String| {
        failed += u32::from(!fits);
        println!("{} {text}", if fits { "ok  " } else { "OVER" });
    };
    let mib = |kib: u64| kib as f64 / 1024.0;
    let (is, most) = (mib(size >> 10), mib(LARGEST_BINARY >> 10));
    verdict(size < LARGEST_BINARY, format!("binary: {is:.1} MiB (limit {most:.0}), {}", binary.display()));
    let mut starts = (0..STARTS).map(|_| start(&emulator)).collect::<Result<Vec<_>>>()?;
    starts.sort();
    let median = starts[STARTS / 2];
    let (is, most) = (median.as_secs_f64() * 1e3, LATEST_START.as_millis());
    verdict(median < LATEST_START, format!("first guest instruction: after {is:.1} ms (limit {most})"));
    for (engine, cpus) in [("jit", 1), ("jit", 4), ("interp", 1)] {
        let found = resident(&emulator, engine, cpus)?;
        let Resident { anonymous, files, shared, guest } = found;
        let (is, most) = (mib(found.own()), mib(MOST_RESIDENT));
        let text = format!(
            "resident after boot, {engine}, -smp {cpus}: {is:.1} MiB (limit {most:.0}): {:.1} anonymous, {:.1} files, \
             {:.1} code; guest RAM {:.1}",
            mib(anonymous),
            mib(files),
            mib(shared.saturating_sub(guest)),
            mib(guest)
        );
        verdict(found.own() < MOST_RESIDENT, text);
    }
    ensure!(failed == 0, "{failed} limits are passed");
    Ok(())
}

/// Builds the binary that is given to others.
fn built() -> Result<PathBuf> {
    let build = ["build", "--profile", "dist", "--quiet", "--package", "lyrebird"];
    Tool::new("cargo", "cargo").args(build).dir(paths::workspace()).run()?;
    Ok(paths::target().join("dist/lyrebird"))
}

/// Debian's cloud kernel with its initrd.
fn cloud(emulator: &str, engine: &str, cpus: u32) -> Machine {
    let folder = paths::arm64().join("cloud");
    Machine::with(emulator, 3, "max", cpus)
        .kernel(&folder.join("Image"))
        .initrd(&folder.join("initrd.gz"))
        .append("")
        .args(["-accel", engine])
}

/// Time from starting the process to its message about the first instruction of the kernel.
fn start(emulator: &str) -> Result<Duration> {
    let machine = cloud(emulator, "jit", 1).env("RUST_LOG", "lyrebird_machine=debug");
    Console::start(machine, PATIENCE)?.wait_for("Processor 0 begins")
}

/// What is resident, KiB, by the kernel's kinds.
struct Resident {
    anonymous: u64,
    files: u64,
    shared: u64,
    guest: u64,
}

impl Resident {
    /// All but guest RAM.
    fn own(&self) -> u64 {
        (self.anonymous + self.files + self.shared).saturating_sub(self.guest)
    }
}

/// Boots to the shell and reads what is resident then.
fn resident(emulator: &str, engine: &str, cpus: u32) -> Result<Resident> {
    let mut console = Console::start(cloud(emulator, engine, cpus), PATIENCE)?;
    console.wait_for("LYREBIRD-BOOTED")?;
    console.wait_for("/ # ")?;
    let of = |file: &str| fs::read_to_string(format!("/proc/{}/{file}", console.id()));
    let (status, maps) = (of("status")?, of("smaps")?);
    let field =
        |name: &str| kilobytes(&status, name).with_context(|| format!("The host does not tell {name}"));
    let guest = guest(&maps);
    Ok(Resident {
        anonymous: field("RssAnon:")?,
        files: field("RssFile:")?,
        shared: field("RssShmem:")?,
        guest,
    })
}

/// The number of a line `name    number kB`.
fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.trim().strip_suffix(" kB")?.parse().ok()
}

/// Resident kilobytes of guest RAM's mappings in an `smaps` file: those that are to have huge pages.
fn guest(maps: &str) -> u64 {
    let (mut resident, mut sum) = (0, 0);
    for line in maps.lines() {
        if let Some(rss) = kilobytes(line, "Rss:") {
            resident = rss;
        } else if line.strip_prefix("VmFlags:").is_some_and(|flags| flags.split(' ').any(|flag| flag == "hg"))
        {
            sum += resident;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guest_ram_is_told_from_other_mappings() {
        let maps = "7f00-7f80 rw-p 00000000 00:00 0\nSize: 8 kB\nRss:    5 kB\nVmFlags: rd wr mr hg\n\
                    7f90-7fa0 rw-s 00000000 00:01 13 /memfd:lyrebird-code (deleted)\nRss: 3 kB\nVmFlags: rd sh\n\
                    7fb0-7fc0 rw-p 00000000 00:00 0\nRss: 4 kB\nVmFlags: rd wr mr nh\n";
        assert_eq!(guest(maps), 5);
        assert_eq!(kilobytes("VmRSS:\t  12 kB\nRssAnon:\t 7 kB", "RssAnon:"), Some(7));
    }
}
