//! The demo guest on every engine, interrupt controller, model and number of processors.

use anyhow::{Context, Result, ensure};
use lyrebird_machine::config::{
    Accel, Board, Boot, Config, CpuConfig, EngineKind, GicVersion, Smp, VirtBoard,
};
use lyrebird_machine::control::{Event, Shutdown, Status};
use lyrebird_roms::{DEMO_CHECKSUMS, demo_arm64};
use lyrebird_tests::guest::Guest;
use std::path::PathBuf;
use std::time::Duration;

const MODELS: [(&str, &str, &str); 6] = [
    ("cortex-a53", "Cortex-A53", "410fd034"),
    ("cortex-a57", "Cortex-A57", "411fd070"),
    ("cortex-a72", "Cortex-A72", "410fd083"),
    ("cortex-a76", "Cortex-A76", "414fd0b1"),
    ("neoverse-n1", "Neoverse-N1", "414fd0c1"),
    ("max", "an emulator's \"max\"", "f0510"),
];
const GICS: [(GicVersion, u32); 2] = [(GicVersion::V2, 2), (GicVersion::V3, 3)];
const LIMIT: Duration = Duration::from_secs(60);
const PROMPT: &str = "lyrebird> ";

/// The demo as a file, since machines boot files.
fn kernel(name: &str) -> Result<PathBuf> {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("demo-{name}.Image"));
    std::fs::write(&path, demo_arm64())?;
    Ok(path)
}

fn config(kernel: PathBuf, engine: EngineKind, model: &str, gic: GicVersion, cpus: u32) -> Config {
    Config {
        board: Board::Virt(VirtBoard { gic, dump_dtb: None }),
        cpu: CpuConfig { model: model.into(), features: Vec::new() },
        smp: Smp::cores(cpus),
        ram: 64 << 20,
        boot: Boot { kernel: Some(kernel), ..Boot::default() },
        accel: Accel { engine, ..Accel::default() },
        ..Config::default()
    }
}

/// Types a command and gives what comes before the next prompt.
fn ask(guest: &Guest, command: &str) -> Result<String> {
    guest.type_text(&format!("{command}\r"))?;
    guest.wait_for(PROMPT, LIMIT)
}

/// The hexadecimal number behind a word.
fn number(text: &str, after: &str) -> Result<u64> {
    let rest = text.split_once(after).with_context(|| format!("no {after:?} in {text:?}"))?.1;
    let digits: String = rest.trim_start_matches("0x").chars().take_while(char::is_ascii_hexdigit).collect();
    Ok(u64::from_str_radix(&digits, 16)?)
}

fn faults(guest: &Guest) -> Result<()> {
    let said = ask(guest, "fault")?;
    // A data abort at the same level, a read, translation fault at level 1 to 3; IL is set.
    let esr = number(&said, "ESR ")?;
    ensure!(esr >> 26 == 0x25 && esr >> 25 & 1 == 1 && esr >> 6 & 1 == 0, "ESR {esr:#x}");
    ensure!(esr & 0x3F == 5, "a gigabyte is missing at level 1, but the fault status is {:#x}", esr & 0x3F);
    ensure!(number(&said, "FAR ")? == 0x7F_DEAD_BEEF, "{said}");
    Ok(())
}

fn everywhere(engine: EngineKind, name: &str) -> Result<()> {
    let kernel = kernel(name)?;
    for (model, part, midr) in MODELS {
        for (gic, version) in GICS {
            for cpus in [1, 2] {
                let what = || format!("{name} {model} GICv{version} -smp {cpus}");
                one(config(kernel.clone(), engine, model, gic, cpus), part, midr, version, cpus)
                    .with_context(what)?;
            }
        }
    }
    Ok(())
}

fn one(config: Config, part: &str, midr: &str, gic: u32, cpus: u32) -> Result<()> {
    let guest = Guest::start(config)?;
    let hello = guest.wait_for(PROMPT, LIMIT)?;
    for wanted in [part, midr, &format!("1 of {cpus}"), "64 MiB", &format!("GICv{gic}"), "level      EL1"] {
        ensure!(hello.contains(wanted), "{wanted:?} is missing from {hello:?}");
    }
    faults(&guest)?;
    ensure!(ask(&guest, "nonsense")?.contains("no such command"));
    guest.type_text("off\r")?;
    let end = guest.end(LIMIT)?;
    ensure!(end == Shutdown::PowerOff, "it ended with {end}");
    Ok(())
}

/// The benchmark's results, the timer and a reset, on one machine of each controller.
fn works(engine: EngineKind, name: &str) -> Result<()> {
    let kernel = kernel(&format!("works-{name}"))?;
    for (gic, version) in GICS {
        let guest = Guest::start(config(kernel.clone(), engine, "max", gic, 1))?;
        guest.wait_for(PROMPT, LIMIT)?;
        let said = ask(&guest, "tick")?;
        let ticks = said.lines().filter(|l| l.contains("ms")).count();
        ensure!(ticks == 5, "{name} GICv{version}: five ticks, but {said:?}");
        if gic == GicVersion::V2 {
            let said = ask(&guest, "bench 1")?;
            for (loop_name, sum) in DEMO_CHECKSUMS {
                let line = said.lines().find(|l| l.contains(loop_name));
                let line = line.with_context(|| format!("no line for {loop_name} in {said:?}"))?;
                ensure!(line.contains(&format!("{sum:x}")), "{name}: {line}, but {sum:#x} is right");
            }
        }
        guest.type_text("reset\r")?;
        guest.wait_for("Lyrebird demo guest", LIMIT)?;
        guest.wait_for(PROMPT, LIMIT)?;
        guest.type_text("off\r")?;
        ensure!(guest.end(LIMIT)? == Shutdown::PowerOff);
    }
    Ok(())
}

#[test]
fn interpreter_on_every_machine() -> Result<()> {
    everywhere(EngineKind::Interp, "interp")
}

#[test]
fn interpreter_works() -> Result<()> {
    works(EngineKind::Interp, "interp")
}

#[test]
fn compiled_code_on_every_machine() -> Result<()> {
    everywhere(EngineKind::Jit, "jit")
}

#[test]
fn compiled_code_works() -> Result<()> {
    works(EngineKind::Jit, "jit")
}

/// With `-no-shutdown` the end is a stop that only a reset undoes; the machine then waits at its beginning.
#[test]
fn a_reset_revives_what_is_off() -> Result<()> {
    let config = config(kernel("revived")?, EngineKind::Jit, "max", GicVersion::V3, 2);
    let guest = Guest::start(Config { no_shutdown: true, ..config })?;
    guest.wait_for(PROMPT, LIMIT)?;
    let (control, events) = (guest.control(), guest.control().subscribe());
    let hear = |wanted: Event| -> Result<()> {
        while events.recv_timeout(LIMIT).with_context(|| format!("not heard: {wanted:?}"))? != wanted {}
        Ok(())
    };
    guest.type_text("off\r")?;
    hear(Event::Shutdown(Shutdown::PowerOff))?;
    ensure!(control.status() == Status::Shutdown(Shutdown::PowerOff));
    ensure!(control.resume().is_err(), "it goes on though it is off");
    control.reset();
    hear(Event::Reset)?;
    ensure!(control.status() == Status::Prelaunch);
    control.resume()?;
    guest.wait_for(PROMPT, LIMIT)?;
    Ok(())
}
