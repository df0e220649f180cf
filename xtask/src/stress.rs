//! `cargo xtask stress`: the guest of `roms/stress`, or of `roms/stress_x86`, for as long as one likes, with the monitor stopping it now and then.
//! Nothing may be lost, torn or seen in a wrong order, and it must go on saying that a test passed.

use crate::console::{Console, Machine};
use crate::monitor::Monitor;
use crate::paths;
use anyhow::{Context, Result, bail, ensure};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long it runs before it is stopped, and how long it then stands.
const BETWEEN: Duration = Duration::from_millis(40);
const STANDS: Duration = Duration::from_millis(3);

/// Options of `cargo xtask stress`.
#[derive(clap::Args)]
pub struct Args {
    /// The emulator, as a command line to append QEMU's options to (default: the release build).
    #[arg(long, value_name = "COMMAND")]
    emulator: Option<String>,
    /// The guest: arm64 or amd64.
    #[arg(long, default_value = "arm64", value_parser = ["arm64", "amd64"])]
    arch: String,
    /// Engine.
    #[arg(long, default_value = "jit")]
    engine: String,
    /// Version of the interrupt controller.
    #[arg(long, default_value_t = 3)]
    gic: u32,
    /// Processor model.
    #[arg(long, default_value = "max")]
    model: String,
    /// Number of processors, up to 7.
    #[arg(long, default_value_t = 4)]
    smp: u32,
    /// How long to run.
    #[arg(long, default_value_t = 600)]
    seconds: u32,
    /// How often each test does its work before the next one's turn comes.
    #[arg(long, default_value_t = 20_000)]
    times: u32,
    /// How often the monitor stops the machine and lets it go on.
    #[arg(long, default_value_t = 0)]
    stops: u32,
    /// Longest that the guest may be silent, seconds.
    #[arg(long, default_value_t = 120)]
    patience: u64,
    /// Parts of the names of the tests to run (default: all).
    tests: Vec<String>,
}

/// Runs, prints how often each test passed, and fails if one did not or if the guest fell silent.
pub fn run(args: &Args) -> Result<()> {
    let x86 = args.arch == "amd64";
    let personality = if x86 { "qemu-system-x86_64" } else { "qemu-system-aarch64" };
    let emulator = args
        .emulator
        .clone()
        .unwrap_or_else(|| format!("{} {personality}", paths::target().join("release/lyrebird").display()));
    let image = paths::target().join(format!("stress-{}.Image", std::process::id()));
    let program = if x86 {
        lyrebird_roms::stress_x86(args.smp, u32::MAX, args.seconds, args.times, args.skip()?)
    } else {
        lyrebird_roms::stress_arm64(u32::MAX, args.seconds, args.times, args.skip()?)
    };
    std::fs::write(&image, program).with_context(|| format!("Cannot write {}", image.display()))?;
    let (socket, place) = Monitor::place();
    let machine = if x86 {
        Machine::x86(&emulator, "microvm", &args.model, args.smp)
    } else {
        Machine::with(&emulator, args.gic, &args.model, args.smp).args(["-semihosting"])
    };
    let machine = machine.args(["-accel", &args.engine, "-monitor", &place]).kernel(&image);
    let (start, patience) = (Instant::now(), Duration::from_secs(args.patience));
    let mut console = Console::start(machine, patience)?;
    console.wait_for(&format!("stress: {} processors", args.smp))?;
    std::fs::remove_file(&image)?;
    let mut monitor = Monitor::connect(&socket)?;
    let (stops, mut stopped) = (args.stops, 0);
    let mut passed = BTreeMap::<String, u32>::new();
    let (mut rounds, mut whole) = (0, false);
    while !whole {
        console.patience(patience);
        let line = match console.line() {
            Ok(Some(line)) => line,
            Ok(None) => bail!("The machine ended without a verdict"),
            Err(silent) => return Err(silent.context(state(&mut monitor))),
        };
        if stopped < stops && start.elapsed() > BETWEEN * stopped {
            monitor.ask("stop")?;
            std::thread::sleep(STANDS);
            monitor.ask("cont")?;
            stopped += 1;
        }
        if let Some(test) = line.strip_suffix(" ok") {
            *passed.entry(test.to_owned()).or_default() += 1;
        } else if line.starts_with("round ") {
            rounds += 1;
        }
        ensure!(!line.contains("FAILED"), "{line}");
        whole = line.contains("all rounds passed");
    }
    console.wait_for_end()?;
    for (test, times) in &passed {
        println!("  {test}: {times} times {}", args.times);
    }
    ensure!(rounds > 0 && stopped == stops, "It ended after {rounds} rounds and {stopped} stops");
    let took = start.elapsed().as_secs();
    println!("{rounds} rounds on {} processors in {took} s, {stopped} stops: nothing wrong", args.smp);
    Ok(())
}

impl Args {
    /// The bits of the tests that are not wanted.
    fn skip(&self) -> Result<u32> {
        let wanted = |name: &str| self.tests.is_empty() || self.tests.iter().any(|part| name.contains(part));
        let names: Vec<_> = if self.arch == "amd64" {
            lyrebird_roms::STRESS_X86_TESTS.to_vec()
        } else {
            lyrebird_roms::stress_arm64_tests().collect()
        };
        ensure!(names.iter().any(|name| wanted(name)), "Tests are: {}", names.join(", "));
        Ok(names.iter().enumerate().filter(|(_, name)| !wanted(name)).map(|(bit, _)| 1 << bit).sum())
    }
}

/// What all processors are at.
fn state(monitor: &mut Monitor) -> String {
    let mut said = String::from("It fell silent");
    for command in ["info status", "info registers -a", "info jit", "info irq"] {
        said.push_str(&format!("\n{command}\n"));
        match monitor.ask(command) {
            Ok(answer) => said.push_str(&answer),
            Err(error) => said.push_str(&error.to_string()),
        }
    }
    said
}
