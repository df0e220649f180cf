//! The stress guest for x86-64 on `microvm`: several processors on the same memory, on every engine.

use anyhow::{Result, ensure};
use lyrebird_machine::config::{Accel, Board, Boot, Config, CpuConfig, EngineKind, MicrovmBoard, Smp};
use lyrebird_machine::control::Shutdown;
use lyrebird_roms::{STRESS_X86_TESTS, stress_x86};
use lyrebird_tests::guest::Guest;
use std::path::PathBuf;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(300);

fn config(name: &str, engine: EngineKind, rounds: u32, times: u32) -> Result<Config> {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("stress-x86-{name}.elf"));
    std::fs::write(&path, stress_x86(4, rounds, 10, times, 0))?;
    Ok(Config {
        board: Board::Microvm(MicrovmBoard::default()),
        cpu: CpuConfig { model: "max".into(), features: Vec::new() },
        smp: Smp::cores(4),
        ram: 64 << 20,
        boot: Boot { kernel: Some(path), ..Boot::default() },
        accel: Accel { engine, ..Accel::default() },
        no_reboot: true,
        ..Config::default()
    })
}

fn passes(config: Config) -> Result<()> {
    let guest = Guest::start(config)?;
    let said = guest.wait_for("all rounds passed\r\n", LIMIT)?;
    ensure!(said.contains("4 processors"), "{said}");
    for test in STRESS_X86_TESTS {
        ensure!(said.contains(&format!("{test} ok")), "{test} did not run: {said}");
    }
    let end = guest.end(LIMIT)?;
    ensure!(end == Shutdown::PowerOff, "it ended with {end}");
    Ok(())
}

#[test]
fn compiled_code() -> Result<()> {
    passes(config("jit", EngineKind::Jit, 20, 1000)?)
}

#[test]
fn interpreter() -> Result<()> {
    passes(config("interp", EngineKind::Interp, 4, 1000)?)
}

#[test]
fn processors_that_take_turns() -> Result<()> {
    for (name, engine) in [("jit-turns", EngineKind::Jit), ("interp-turns", EngineKind::Interp)] {
        let mut config = config(name, engine, 1, 100)?;
        config.accel.single_thread = Some(true);
        passes(config)?;
    }
    Ok(())
}
