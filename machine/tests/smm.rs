//! System management mode on `pc` and `q35`: a program in the place of firmware opens SMRAM, puts handlers there, causes
//! SMIs by the APM port, moves SMBASE, closes SMRAM and locks it, on both engines.

use lyrebird_machine::Machine;
use lyrebird_machine::chardev::Unplugged;
use lyrebird_machine::config::*;
use lyrebird_machine::control::{Event, Shutdown};
use std::time::{Duration, Instant};

/// What the program asks the debug-exit port for when all is well; other values name the check that failed.
const WELL: u8 = 0x10;

/// out CF8h, `at`; out of one byte to the data port
fn configure(at: u32, value: u8) -> Vec<u8> {
    let port = 0xCFC + (at as u16 & 3);
    let at = 0x8000_0000 | at & !3;
    let [low, high] = port.to_le_bytes();
    let address = at.to_le_bytes();
    [&[0x66, 0xB8][..], &address, &[0xBA, 0xF8, 0x0C, 0x66, 0xEF, 0xB0, value, 0xBA, low, high, 0xEE]]
        .concat()
}

/// Copies from the program's segment to `segment`:8000h.
fn copy(from: u16, segment: u16, len: u16) -> Vec<u8> {
    let mut code = vec![0xB8];
    code.extend(segment.to_le_bytes());
    code.extend([0x8E, 0xC0, 0xBE]);
    code.extend(from.to_le_bytes());
    code.extend([0xBF, 0x00, 0x80, 0xB9]);
    code.extend(len.to_le_bytes());
    code.extend([0xF3, 0x2E, 0xA4]);
    code
}

/// cmp byte [`at`], `value`; on a difference out F4h, `otherwise`
fn expect(at: u16, value: u8, otherwise: u8) -> Vec<u8> {
    let [low, high] = at.to_le_bytes();
    vec![0x80, 0x3E, low, high, value, 0x74, 5, 0xB0, otherwise, 0xE6, 0xF4, 0xF4]
}

/// The same for A000:8100h, which must not be 5Ah.
fn hidden(otherwise: u8) -> Vec<u8> {
    let load = [0xB8, 0x00, 0xA0, 0x8E, 0xD8, 0x80, 0x3E, 0x00, 0x81, 0x5A, 0x75, 5];
    [&load[..], &[0xB0, otherwise, 0xE6, 0xF4, 0xF4, 0x31, 0xC0, 0x8E, 0xD8]].concat()
}

fn smi(command: u8) -> Vec<u8> {
    vec![0xB0, command, 0xE6, 0xB2]
}

/// The firmware's image. `enable` lets APM commands cause SMIs, `smram` is the place of that register.
fn image(enable: Vec<u8>, smram: u32) -> Vec<u8> {
    // inc byte [6000h]; mov dword [3FF00h], A0000h (SMBASE in the 64-bit map); rsm
    let mut first = vec![0xFE, 0x06, 0x00, 0x60];
    first.extend([0x66, 0x67, 0xC7, 0x05, 0x00, 0xFF, 0x03, 0x00, 0x00, 0x00, 0x0A, 0x00, 0x0F, 0xAA]);
    // add byte [6000h], 10; in al, B2h; mov [6001h], al; mov al, cs:[8100h]; mov [6002h], al; rsm
    let mut second = vec![0x80, 0x06, 0x00, 0x60, 10, 0xE4, 0xB2, 0xA2, 0x01, 0x60];
    second.extend([0x2E, 0xA0, 0x00, 0x81, 0xA2, 0x02, 0x60, 0x0F, 0xAA]);
    let code = [
        // cli; xor ax, ax; mov ds, ax; mov ss, ax; mov sp, 7000h; mov byte [6000h], 0
        vec![0xFA, 0x31, 0xC0, 0x8E, 0xD8, 0x8E, 0xD0, 0xBC, 0x00, 0x70, 0xC6, 0x06, 0x00, 0x60, 0x00],
        smi(0),
        expect(0x6000, 0, 0x21),
        enable,
        configure(smram, 0x4A),
        copy(0x1000, 0x3000, first.len() as u16),
        copy(0x1100, 0xA000, second.len() as u16),
        // mov byte es:[8100h], 5Ah
        vec![0x26, 0xC6, 0x06, 0x00, 0x81, 0x5A],
        smi(1),
        expect(0x6000, 1, 0x22),
        configure(smram, 0x0A),
        hidden(0x23),
        smi(7),
        expect(0x6000, 11, 0x24),
        expect(0x6001, 7, 0x25),
        expect(0x6002, 0x5A, 0x26),
        configure(smram, 0x1A),
        configure(smram, 0x4A),
        hidden(0x27),
        smi(8),
        expect(0x6000, 21, 0x28),
        vec![0xB0, WELL, 0xE6, 0xF4, 0xF4],
    ]
    .concat();
    let mut image = vec![0xF4; 0x1_0000];
    for (at, bytes) in
        [(0, &code), (0x1000, &first), (0x1100, &second), (0xFFF0, &vec![0xEA, 0, 0, 0x00, 0xF0])]
    {
        image[at..at + bytes.len()].copy_from_slice(bytes);
    }
    image
}

fn run(chipset: PcChipset, engine: EngineKind, image: &[u8]) -> Shutdown {
    let path =
        std::env::temp_dir().join(format!("lyrebird-smm-{chipset:?}-{engine:?}-{}", std::process::id()));
    std::fs::write(&path, image).expect("a temporary file");
    let mut config = Config {
        board: Board::Pc(PcBoard::new(chipset)),
        cpu: CpuConfig { model: "max".into(), features: Vec::new() },
        accel: Accel { engine, ..Accel::default() },
        ram: 16 << 20,
        devices: vec![DeviceConfig::DebugExit { port: 0xF4, len: 4 }],
        ..Config::default()
    };
    config.boot.bios = Some(path.clone());
    let machine = Machine::build(config, &Unplugged).expect("the machine");
    let _ = std::fs::remove_file(path);
    let control = machine.control();
    let events = control.subscribe();
    let thread = std::thread::spawn(move || machine.run());
    let end = Instant::now() + Duration::from_secs(60);
    while !thread.is_finished() {
        if Instant::now() > end {
            control.quit(1);
        }
        let _: Result<Event, _> = events.recv_timeout(Duration::from_millis(100));
    }
    thread.join().expect("no panic")
}

#[test]
fn handlers_run_in_their_own_memory_on_pc() {
    // APMC_EN in DEVACTB of the power management function.
    let image = image(configure(0xB5B, 2), 0x72);
    for engine in [EngineKind::Interp, EngineKind::Jit] {
        assert_eq!(run(PcChipset::I440fx, engine, &image), Shutdown::Exit(i32::from(WELL) << 1 | 1));
    }
}

#[test]
fn handlers_run_in_their_own_memory_on_q35() {
    let enable = [
        configure(0xF840, 0x01),
        configure(0xF841, 0x06),
        configure(0xF844, 0x80),
        // mov dx, 630h; mov eax, 21h; out dx, eax: APMC_EN and GBL_SMI_EN
        vec![0xBA, 0x30, 0x06, 0x66, 0xB8, 0x21, 0, 0, 0, 0x66, 0xEF],
    ];
    let image = image(enable.concat(), 0x9D);
    for engine in [EngineKind::Interp, EngineKind::Jit] {
        assert_eq!(run(PcChipset::Q35, engine, &image), Shutdown::Exit(i32::from(WELL) << 1 | 1));
    }
}
