//! Breakpoints of front ends on the demo guest: at an interrupt's vector, whatever the engine, and steps.

use anyhow::{Result, bail, ensure};
use lyrebird_machine::config::{Accel, Boot, Config, EngineKind, Smp};
use lyrebird_machine::control::{Breakpoint, BreakpointKind, Control, CpuId, Event, Others, StopReason};
use lyrebird_roms::demo_arm64;
use lyrebird_tests::guest::Guest;
use std::path::PathBuf;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(60);
const PROMPT: &str = "lyrebird> ";

type Events = dyn Fn() -> Result<StopReason>;

fn register(control: &dyn Control, name: &str) -> Result<u64> {
    let groups = control.register_groups();
    for (i, group) in groups.iter().enumerate() {
        if let Some(at) = group.registers.iter().position(|r| r.name == name) {
            return Ok(control.read_group(CpuId(0), i)?[at] as u64);
        }
    }
    bail!("there is no register {name}")
}

fn start(engine: EngineKind, name: &str, cpus: u32) -> Result<(Guest, Box<Events>)> {
    let kernel = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("breakpoints-{name}.Image"));
    std::fs::write(&kernel, demo_arm64())?;
    let guest = Guest::start(Config {
        smp: Smp::cores(cpus),
        ram: 64 << 20,
        boot: Boot { kernel: Some(kernel), ..Boot::default() },
        accel: Accel { engine, ..Accel::default() },
        ..Config::default()
    })?;
    guest.wait_for(PROMPT, LIMIT)?;
    let events = guest.control().subscribe();
    let stopped = move || {
        let end = Instant::now() + LIMIT;
        loop {
            match events.recv_deadline(end)? {
                Event::Stopped { reason, .. } => return Ok(reason),
                Event::Shutdown(why) => bail!("the machine ended: {why}"),
                _ => {}
            }
        }
    };
    guest.control().pause();
    stopped()?;
    Ok((guest, Box::new(stopped)))
}

/// A breakpoint on the vector that timer interrupts take stops there each time, before its first instruction.
fn at_a_vector(engine: EngineKind, name: &str) -> Result<()> {
    let (guest, stopped) = start(engine, name, 1)?;
    let control = guest.control();
    // From EL1 with its own stack pointer: IRQ.
    let vector = register(control, "VBAR_EL1")? + 0x280;
    let id = control.add_breakpoint(Breakpoint { kind: BreakpointKind::Execute, address: vector, len: 4 })?;
    control.resume()?;
    guest.type_text("tick\r")?;
    let mut from = Vec::new();
    for _ in 0..5 {
        let reason = stopped()?;
        ensure!(reason == StopReason::Breakpoint { id, address: vector }, "{reason:?}");
        ensure!(register(control, "pc")? == vector);
        from.push(register(control, "ELR_EL1")?);
        // The instruction there can be stepped: nothing but it happens.
        control.step(CpuId(0), Others::Hold)?;
        ensure!(stopped()? == StopReason::StepDone);
        ensure!(register(control, "pc")? != vector, "the step went nowhere");
        control.resume()?;
    }
    ensure!(from.iter().all(|&pc| pc != vector), "{from:x?}");
    // It stops once, whichever comes first.
    control.pause();
    let last = stopped()?;
    ensure!(matches!(last, StopReason::Requested | StopReason::Breakpoint { .. }), "{last:?}");
    ensure!(control.remove_breakpoint(id));
    control.resume()?;
    guest.wait_for(PROMPT, LIMIT)?;
    Ok(())
}

#[test]
fn interpreter_stops_at_a_vector() -> Result<()> {
    at_a_vector(EngineKind::Interp, "interp")
}

#[test]
fn compiled_code_stops_at_a_vector() -> Result<()> {
    at_a_vector(EngineKind::Jit, "jit")
}

/// A step of one processor with the others running is one instruction of that one.
#[test]
fn others_run_during_a_step() -> Result<()> {
    let (guest, stopped) = start(EngineKind::Jit, "others", 2)?;
    let control = guest.control();
    for others in [Others::Run, Others::Hold, Others::Run] {
        for _ in 0..20 {
            control.step(CpuId(0), others)?;
            ensure!(stopped()? == StopReason::StepDone);
        }
    }
    control.resume()?;
    guest.type_text("nonsense\r")?;
    guest.wait_for("no such command", LIMIT)?;
    Ok(())
}
