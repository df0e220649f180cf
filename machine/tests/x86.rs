//! An x86 machine behind the same `Control` as an Arm one: firmware of a few instructions on `microvm`.

use lyrebird_machine::Machine;
use lyrebird_machine::chardev::Unplugged;
use lyrebird_machine::config::{Accel, Board, Boot, Config, CpuConfig, EngineKind, MicrovmBoard, Smp};
use lyrebird_machine::control::*;
use std::sync::Arc;
use std::time::{Duration, Instant};

const ROM: usize = 64 << 10;
/// Where the firmware's work begins in its segment, and its loop.
const START: usize = 0xE000;
const LOOP: u64 = 0xFFFF_E006;

/// Firmware that counts at 502h.
fn firmware() -> Vec<u8> {
    let mut rom = vec![0x90; ROM];
    // mov ax, 1234h; mov [500h], ax; inc word [502h]; jmp back to it
    let code = [0xB8, 0x34, 0x12, 0xA3, 0x00, 0x05, 0xFF, 0x06, 0x02, 0x05, 0xEB, 0xFA];
    rom[START..START + code.len()].copy_from_slice(&code);
    // The reset vector: jmp START.
    let offset = (START as u16).wrapping_sub(0xFFF3).to_le_bytes();
    rom[0xFFF0..0xFFF3].copy_from_slice(&[0xE9, offset[0], offset[1]]);
    rom
}

fn machine(name: &str, engine: EngineKind) -> Machine {
    let path = std::env::temp_dir().join(format!("lyrebird-x86-{name}-{}", std::process::id()));
    std::fs::write(&path, firmware()).expect("a temporary file");
    let config = Config {
        board: Board::Microvm(MicrovmBoard::default()),
        cpu: CpuConfig { model: "max".into(), features: Vec::new() },
        boot: Boot { bios: Some(path.clone()), ..Boot::default() },
        accel: Accel { engine, ..Accel::default() },
        smp: Smp::cores(2),
        ram: 64 << 20,
        start_paused: true,
        ..Config::default()
    };
    let built = Machine::build(config, &Unplugged).expect("the machine");
    std::fs::remove_file(path).expect("the file is there");
    built
}

fn word(control: &dyn Control, at: u64) -> u16 {
    let mut bytes = [0; 2];
    control.read_memory(AddressSpace::Physical, at, &mut bytes).expect("RAM");
    u16::from_le_bytes(bytes)
}

fn register(control: &dyn Control, name: &str) -> u128 {
    let groups = control.register_groups();
    let place = |g: &RegisterGroup| g.registers.iter().position(|r| r.name == name);
    let (group, index) =
        groups.iter().enumerate().find_map(|(n, g)| Some((n, place(g)?))).expect("a register");
    control.read_group(CpuId(0), group).expect("the group")[index]
}

fn counts(control: &dyn Control) {
    let (before, end) = (word(control, 0x502), Instant::now() + Duration::from_secs(60));
    while word(control, 0x502) == before {
        assert!(Instant::now() < end, "the guest does not count");
        std::thread::yield_now();
    }
}

fn runs(name: &str, engine: EngineKind) {
    let machine = machine(name, engine);
    let control: Arc<dyn Control> = machine.control();
    let thread = std::thread::spawn(move || machine.run());
    let events = control.subscribe();
    let stopped = || match wait_for_stop(&events, Duration::from_secs(60)) {
        Some(Event::Stopped { reason, .. }) => reason,
        other => panic!("no stop but {other:?}"),
    };
    assert_eq!(control.guest(), Guest { gdb_name: "i386:x86-64", listed: 1 });
    let cpus = control.cpus();
    assert_eq!((cpus[0].pc, cpus[0].powered, cpus[1].powered), (0xFFFF_FFF0, true, false));
    assert_eq!(register(&*control, "rip"), 0xFFF0);

    control.step(CpuId(0), Others::Hold).expect("it stands still");
    assert_eq!(stopped(), StopReason::StepDone);
    assert_eq!(control.cpus()[0].pc, 0xFFFF_0000 + START as u64);
    let lines = control.disassemble(AddressSpace::Virtual(CpuId(0)), LOOP - 6, 3).expect("instructions");
    let texts: Vec<&str> = lines.iter().map(|l| l.text.as_str()).collect();
    assert_eq!(texts[0], "mov ax, 0x1234");
    assert_eq!((lines[2].address, lines[2].bytes.len()), (LOOP, 4));

    let point = Breakpoint { kind: BreakpointKind::Execute, address: LOOP, len: 1 };
    let id = control.add_breakpoint(point).expect("a breakpoint");
    for _ in 0..2 {
        control.resume().expect("it goes on");
        assert_eq!(stopped(), StopReason::Breakpoint { id, address: LOOP });
    }
    assert_eq!(
        (register(&*control, "rax"), word(&*control, 0x500), word(&*control, 0x502)),
        (0x1234, 0x1234, 1)
    );
    assert!(control.remove_breakpoint(id));

    let watch = Breakpoint { kind: BreakpointKind::Write, address: 0x502, len: 2 };
    assert!(matches!(control.add_breakpoint(watch), Err(ControlError::Unsupported(_))));

    control.resume().expect("it goes on");
    counts(&*control);
    control.pause();
    assert_eq!(stopped(), StopReason::Requested);
    control.reset();
    let end = Instant::now() + Duration::from_secs(60);
    while register(&*control, "rip") != 0xFFF0 {
        assert!(Instant::now() < end, "no reset");
        std::thread::yield_now();
    }
    assert_eq!(register(&*control, "cs"), 0xF000);
    control.resume().expect("it goes on");
    counts(&*control);
    control.powerdown();
    control.quit(3);
    assert_eq!(thread.join().expect("no panic"), Shutdown::Quit(3));
}

#[test]
fn interpreter() {
    runs("interp", EngineKind::Interp);
}

#[test]
fn compiled_code() {
    runs("jit", EngineKind::Jit);
}

#[test]
fn several_processors_are_not_verified() {
    let config = Config {
        board: Board::Microvm(MicrovmBoard::default()),
        accel: Accel { engine: EngineKind::Verify, ..Accel::default() },
        smp: Smp::cores(2),
        start_paused: true,
        ..Config::default()
    };
    let error = Machine::build(config, &Unplugged).err().expect("verify compares one processor");
    assert!(error.to_string().contains("use -smp 1"), "{error}");
}
