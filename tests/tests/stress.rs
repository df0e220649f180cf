//! The stress guest: several processors on the same memory, on every engine; and with somebody at the monitor who stops,
//! steps and resets the machine under that load.

use anyhow::{Context, Result, ensure};
use lyrebird_machine::config::{
    Accel, Board, Boot, Config, CpuConfig, EngineKind, GicVersion, Semihosting, Smp, VirtBoard,
};
use lyrebird_machine::control::{
    AddressSpace, Control, ControlError, CpuId, Event, Others, Shutdown, Status, StopReason, wait_for_stop,
};
use lyrebird_roms::stress_arm64;
use lyrebird_tests::guest::Guest;
use std::path::PathBuf;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(300);
/// Where the guest looks how many rounds to do: behind the header of its image, which is 0x80000 bytes above the base of
/// RAM.
const ROUNDS: u64 = 0x4008_0000 + 64;
/// How often the machine is stopped or reset.
const TIMES: u64 = 200;

fn config(
    name: &str,
    engine: EngineKind,
    gic: GicVersion,
    model: &str,
    rounds: u32,
    times: u32,
) -> Result<Config> {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("stress-{name}.Image"));
    let seconds = if rounds == u32::MAX { u32::MAX } else { 10 };
    std::fs::write(&path, stress_arm64(rounds, seconds, times, 0))?;
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
    comes_to_its_end(Guest::start(config)?)
}

fn comes_to_its_end(guest: Guest) -> Result<()> {
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

#[test]
fn processors_that_take_turns() -> Result<()> {
    for (name, engine) in [("jit-turns", EngineKind::Jit), ("interp-turns", EngineKind::Interp)] {
        let mut config = config(name, engine, GicVersion::V3, "max", 1, 100)?;
        config.accel.single_thread = Some(true);
        passes(config)?;
    }
    Ok(())
}

/// A guest that goes on until it is told to come to its end.
fn endless(name: &str, engine: EngineKind) -> Result<Guest> {
    let guest = Guest::start(config(name, engine, GicVersion::V3, "max", u32::MAX, 300)?)?;
    guest.wait_for("4 processors", LIMIT)?;
    Ok(guest)
}

/// Has the guest end after this round.
fn last_round(guest: &Guest) -> Result<()> {
    Ok(guest.control().write_memory(AddressSpace::Physical, ROUNDS, &1_u32.to_le_bytes())?)
}

fn stop(control: &dyn Control) -> Result<()> {
    let events = control.subscribe();
    control.pause();
    let event = wait_for_stop(&events, LIMIT).context("it does not stop")?;
    ensure!(matches!(&event, Event::Stopped { reason: StopReason::Requested, .. }), "{event:?}");
    ensure!(control.status() == Status::Paused(StopReason::Requested));
    Ok(())
}

/// Some time that is not the same twice in a row, up to 8 ms.
fn a_while(i: u64) {
    std::thread::sleep(Duration::from_micros(i * 2_654_435_761 % 8192));
}

#[test]
fn stopped_and_continued() -> Result<()> {
    let guest = endless("stops", EngineKind::Jit)?;
    for i in 0..TIMES {
        a_while(i);
        stop(guest.control())?;
        guest.control().resume()?;
    }
    last_round(&guest)?;
    let end = guest.wait_for("all rounds passed\r\n", LIMIT).map(drop);
    ensure!(guest.end(LIMIT)? == Shutdown::Exit(0));
    end
}

#[test]
fn reset() -> Result<()> {
    for engine in [EngineKind::Jit, EngineKind::Interp] {
        let guest = endless(&format!("resets-{engine:?}"), engine)?;
        let events = guest.control().subscribe();
        for i in 0..TIMES {
            a_while(i);
            guest.control().reset();
            // The first time, word that it runs may come as well.
            while events.recv_timeout(LIMIT)? != Event::Reset {}
        }
        // What stands still when it is reset waits at its beginning.
        stop(guest.control())?;
        guest.control().reset();
        while events.recv_timeout(LIMIT)? != Event::Reset {}
        ensure!(guest.control().status() == Status::Prelaunch);
        guest.control().resume()?;
        guest.wait_for("4 processors", LIMIT)?;
        last_round(&guest)?;
        guest.wait_for("all rounds passed\r\n", LIMIT)?;
        ensure!(guest.end(LIMIT)? == Shutdown::Exit(0));
    }
    Ok(())
}

/// PC and general registers of all processors.
fn registers(control: &dyn Control) -> Result<Vec<Vec<u128>>> {
    Ok(control.cpus().iter().map(|cpu| control.read_group(cpu.id, 0)).collect::<Result<_, _>>()?)
}

#[test]
fn stepped() -> Result<()> {
    let guest = endless("steps", EngineKind::Jit)?;
    let control = guest.control();
    let events = control.subscribe();
    let (mut steps, mut others_moved) = (0, 0);
    for i in 0..TIMES {
        a_while(i % 16);
        stop(control)?;
        while events.try_recv().is_ok() {}
        let (cpu, others) = (CpuId(i as u32 % 4), if i & 4 == 0 { Others::Hold } else { Others::Run });
        for _ in 0..8 {
            let before = registers(control)?;
            match control.step(cpu, others) {
                Ok(()) => {}
                Err(ControlError::State(why)) if why.contains("is off") => continue,
                Err(e) => return Err(e.into()),
            }
            match wait_for_stop(&events, LIMIT).context("the step does not end")? {
                Event::Stopped { cpu: who, reason: StopReason::StepDone } => ensure!(who == cpu),
                event => anyhow::bail!("{event:?}"),
            }
            steps += 1;
            let after = registers(control)?;
            let moved = (0..4).filter(|&n| n != cpu.0 as usize && before[n] != after[n]).count();
            ensure!(moved == 0 || others == Others::Run, "{moved} processors moved that should not");
            others_moved += moved;
        }
        control.resume()?;
    }
    ensure!(steps > TIMES, "only {steps} steps");
    ensure!(others_moved > 0, "nobody ran beside a step");
    last_round(&guest)?;
    guest.wait_for("all rounds passed\r\n", LIMIT)?;
    ensure!(guest.end(LIMIT)? == Shutdown::Exit(0));
    Ok(())
}
