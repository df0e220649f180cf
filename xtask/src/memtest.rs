//! `cargo xtask memtest`: Debian's memtest86+ from its CD, through our BIOS, until it has passed over all of a small
//! machine's memory once, with a picture of its screen.
//!
//! What it has found is read from its screen by the monitor: the frames' text is that of memtest86+ 6 and 7.

use crate::console::{Console, Machine};
use crate::guests::apt::{Apt, Suite};
use crate::monitor::Monitor;
use crate::paths;
use anyhow::{Context, Result, bail, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const PACKAGE: &str = "memtest86+";
/// The CD inside of the package.
const CD: &str = "usr/lib/memtest86+/memtest86+x64.iso";
/// How often the screen is looked at.
const GLANCE: Duration = Duration::from_millis(500);
/// Longest that the monitor may take to be there.
const START: Duration = Duration::from_secs(20);

/// What a PNG file begins with (ISO/IEC 15948, 5.2).
const PNG: &[u8] = b"\x89PNG\r\n\x1A\n";

/// Options of `cargo xtask memtest`.
#[derive(clap::Args)]
pub struct Args {
    /// The emulator, as a command line to append QEMU's options to (default: the release build).
    #[arg(long, value_name = "COMMAND")]
    subject: Option<String>,
    /// Engine.
    #[arg(long, default_value = "jit")]
    accel: String,
    /// Board.
    #[arg(long, default_value = "pc", value_parser = ["pc", "q35"])]
    board: String,
    /// RAM, in MiB.
    #[arg(long, default_value_t = 64, value_name = "MIB")]
    ram: u32,
    /// Passes to wait for.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    passes: u32,
    /// Longest that it may take, seconds.
    #[arg(long, default_value_t = 1200)]
    patience: u64,
}

/// Runs it, and fails if it finds errors or takes too long.
pub fn run(args: &Args) -> Result<()> {
    let release = paths::target().join("release/lyrebird");
    ensure!(args.subject.is_some() || release.exists(), "Build it first: cargo build --release");
    let subject = args.subject.clone().unwrap_or_else(|| format!("{} qemu-system-x86_64", release.display()));
    let (image, version) = image()?;
    let folder = paths::target().join("memtest");
    fs::create_dir_all(&folder).with_context(|| format!("Cannot make {}", folder.display()))?;
    let picture = folder.join("screen.png");
    if picture.exists() {
        fs::remove_file(&picture)?;
    }
    let (socket, place) = Monitor::place();
    let ram = args.ram.to_string();
    let machine = Machine::x86(&subject, &args.board, "max", 1)
        .args(["-accel", &args.accel, "-m", &ram, "-display", "none", "-monitor", &place])
        .args(["-cdrom", &image.to_string_lossy()]);
    let (start, patience) = (Instant::now(), Duration::from_secs(args.patience));
    let mut console = Console::start(machine, patience)?;
    let mut monitor = connect(&mut console, &socket)?;
    let seen = watch(&mut monitor, args.passes, patience);
    // The picture is of use above all when something is wrong.
    let dumped = monitor.ask(&format!("screendump {}", picture.display()));
    let took = start.elapsed().as_secs();
    let progress = seen.with_context(|| format!("After {took} s; the screen is in {}", picture.display()))?;
    dumped?;
    monitor.quit()?;
    console.wait_for_end()?;
    let drawn = fs::read(&picture).with_context(|| format!("No picture in {}", picture.display()))?;
    ensure!(drawn.starts_with(PNG), "{} is no PNG", picture.display());
    println!(
        "{PACKAGE} {version}, {} MiB, {}, -accel {}: {} full pass{}, {} errors, in {took} s",
        args.ram,
        args.board,
        args.accel,
        progress.passes,
        if progress.passes == 1 { "" } else { "es" },
        progress.errors
    );
    println!("Its screen: {}", picture.display());
    Ok(())
}

/// The CD of Debian's package, fetched unless it is there, and the package's version.
fn image() -> Result<(PathBuf, String)> {
    let mut apt = Apt::new(paths::guests(), "amd64", false)?;
    let package = apt.find(PACKAGE, Suite::Stable)?;
    let image = paths::guests_of("amd64").join("memtest86+.iso");
    let stamp = image.with_extension("version");
    if !image.exists() || fs::read_to_string(&stamp).ok().as_deref() != Some(&package.version) {
        fs::create_dir_all(paths::guests_of("amd64"))?;
        let folder = apt.unpack(&package)?;
        fs::copy(folder.join(CD), &image).with_context(|| format!("{PACKAGE} has no {CD}"))?;
        fs::write(stamp, &package.version)?;
        fs::remove_dir_all(folder)?;
    }
    Ok((image, package.version))
}

/// The monitor, as soon as it is there.
fn connect(console: &mut Console, socket: &Path) -> Result<Monitor> {
    let end = Instant::now() + START;
    while !socket.exists() {
        ensure!(Instant::now() < end, "There is no monitor at {}", socket.display());
        if console.has_ended()? {
            console.wait_for_end()?;
            bail!("The emulator ended at once");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Monitor::connect(socket)
}

/// Looks at the screen until memtest86+ has passed so often, or has found an error.
fn watch(monitor: &mut Monitor, passes: u32, patience: Duration) -> Result<Progress> {
    let bar = ProgressBar::new(u64::from(passes) * 100);
    bar.set_style(ProgressStyle::with_template("{elapsed} {bar:30} {percent:>3}% {msg}")?);
    let end = Instant::now() + patience;
    loop {
        let screen = monitor.ask("info screen")?;
        if let Some(progress) = Progress::read(&screen) {
            bar.set_position(u64::from(progress.passes) * 100 + u64::from(progress.percent));
            bar.set_message(progress.test.clone());
            ensure!(progress.errors == 0, "{PACKAGE} found {} errors:\n{screen}", progress.errors);
            if progress.passes >= passes {
                bar.finish_and_clear();
                return Ok(progress);
            }
        }
        ensure!(Instant::now() < end, "{PACKAGE} took too long. Its screen:\n{screen}");
        std::thread::sleep(GLANCE);
    }
}

/// What the screen tells.
#[derive(Debug, PartialEq, Eq)]
struct Progress {
    /// Passes that are complete.
    passes: u32,
    /// Of the pass that is under way.
    percent: u32,
    errors: u64,
    /// Number and name of the test.
    test: String,
}

impl Progress {
    /// Nothing while it has not begun.
    fn read(screen: &str) -> Option<Progress> {
        let after = |name: &str| screen.split_once(name).map(|(_, rest)| rest.trim_start());
        let digits = |text: &str| {
            let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
            text.get(..end).unwrap_or_default().to_owned()
        };
        let passes = digits(after("Pass:")?).parse().ok()?;
        let errors = digits(after("Errors:")?).parse().ok()?;
        let percent = after("Pass ").and_then(|text| digits(text).parse().ok()).unwrap_or(0);
        let test = after("Test #").and_then(|text| text.lines().next()).unwrap_or_default().trim();
        Some(Progress { passes, percent, errors, test: test.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_screen_is_read() {
        let screen = "      Memtest86+ v6.10      │ Lyrebird Virtual CPU\n\
                      CLK/Temp: 1152MHz           │ Pass 54% #####################\n\
                      L1 Cache:   32KB            │ Test 75% ##############\n\
                      L2 Cache:    2MB            │ Test #7  [Block move]\n\
                      CPU: 1 Cores 1 Threads    SMP: Disabled   │ Time:  0:00:27  Status: Testing  |\n\
                      Using: All Cores                          │ Pass:  3        Errors: 12\n";
        let read = Progress { passes: 3, percent: 54, errors: 12, test: "7  [Block move]".into() };
        assert_eq!(Progress::read(screen), Some(read));
        assert_eq!(Progress::read("Using:                 │ Pass:           Errors:\n"), None);
        assert_eq!(Progress::read("SeaBIOS"), None);
    }
}
