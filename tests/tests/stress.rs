//! The stress guest: several processors on the same memory, on every engine.

use anyhow::{Result, ensure};
use lyrebird_machine::config::{
    Accel, Board, Boot, Config, CpuConfig, EngineKind, GicVersion, Semihosting, Smp, VirtBoard,
};
use lyrebird_machine::control::Shutdown;
use lyrebird_roms::stress_arm64;
use lyrebird_tests::guest::Guest;
use std::path::PathBuf;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(300);

fn config(
    name: &str,
    engine: EngineKind,
    gic: GicVersion,
    model: &str,
    rounds: u32,
    times: u32,
) -> Result<Config> {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("stress-{name}.Image"));
    std::fs::write(&path, stress_arm64(rounds, 10, times, 0))?;
    Ok(Config {
        board: Board::Virt(VirtBoard { gic, dump_dtb: None }),
        cpu: CpuConfig { model: model.into(), features: Vec::new() },
        smp: Smp::cores(4),
        ram: 64 << 20,
        boot: Boot { kernel: Some(path), ..Boot::default() },
        accel: Accel { engine, ..Accel::default() },
        semihosting: Semihosting { enabled: true, ..Semihosting::default() },
        ..Config::default()
    })
}

fn passes(config: Config) -> Result<()> {
    let guest = Guest::start(config)?;
    let said = guest.wait_for("all rounds passed\r\n", LIMIT)?;
    ensure!(said.contains("4 processors"), "{said}");
    let end = guest.end(LIMIT)?;
    ensure!(end == Shutdown::Exit(0), "it ended with {end}");
    Ok(())
}

#[test]
fn compiled_code() -> Result<()> {
    passes(config("jit", EngineKind::Jit, GicVersion::V3, "max", 1000, 2000)?)
}

#[test]
fn compiled_code_without_atomics() -> Result<()> {
    passes(config("jit-a53", EngineKind::Jit, GicVersion::V2, "cortex-a53", 4, 2000)?)
}

#[test]
fn interpreter() -> Result<()> {
    passes(config("interp", EngineKind::Interp, GicVersion::V2, "max", 4, 2000)?)
}
