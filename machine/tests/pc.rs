//! The boards `pc`, `q35` and `isapc`: our BIOS starts a boot sector that tries its services, from each kind of medium;
//! and the x86-64 demo starts without firmware.

use lyrebird_devices::char::{CharPort, Chardev};
use lyrebird_machine::Machine;
use lyrebird_machine::chardev::{Backend, Chardevs};
use lyrebird_machine::config::*;
use lyrebird_machine::control::{Event, Shutdown};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// What the boot sector asks the debug-exit port for when all is well.
const ALL_WELL: i32 = 0x10 << 1 | 1;

struct File(PathBuf);

impl File {
    fn new(name: &str, bytes: &[u8]) -> File {
        let path = std::env::temp_dir().join(format!("lyrebird-pc-{name}-{}", std::process::id()));
        std::fs::write(&path, bytes).expect("a temporary file");
        File(path)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn config(board: PcBoard, engine: EngineKind) -> Config {
    Config {
        board: Board::Pc(board),
        cpu: CpuConfig { model: "max".into(), features: Vec::new() },
        accel: Accel { engine, ..Accel::default() },
        ram: 64 << 20,
        devices: vec![DeviceConfig::DebugExit { port: 0xF4, len: 4 }],
        ..Config::default()
    }
}

fn drive(file: &File) -> Drive {
    Drive { id: "disk".into(), file: file.0.clone(), format: Some(ImageFormat::Raw), ..Drive::default() }
}

/// Runs a machine to its end, which must come within a minute or two.
fn run(config: Config, chardevs: &dyn Chardevs) -> Shutdown {
    let machine = Machine::build(config, chardevs).expect("the machine");
    let control = machine.control();
    let events = control.subscribe();
    let thread = std::thread::spawn(move || machine.run());
    let end = Instant::now() + Duration::from_secs(150);
    while !thread.is_finished() {
        if Instant::now() > end {
            control.quit(1);
        }
        let _: Result<Event, _> = events.recv_timeout(Duration::from_millis(100));
    }
    thread.join().expect("no panic")
}

/// The boot sector from this medium.
fn boots(name: &str, chipset: PcChipset, engine: EngineKind, medium: DeviceConfig) {
    let image = File::new(name, &lyrebird_roms::boot_test());
    let mut config = config(PcBoard::new(chipset), engine);
    config.drives.push(drive(&image));
    config.devices.push(medium);
    config.serials.push(SerialPort::Chardev("line".into()));
    let terminal = Arc::new(Terminal::default());
    let end = run(config, &Line(Arc::clone(&terminal)));
    let said = terminal.said.lock().expect("no panic");
    assert_eq!(end, Shutdown::Exit(ALL_WELL), "{name}: {}", String::from_utf8_lossy(&said));
}

fn disk() -> DeviceConfig {
    DeviceConfig::Disk {
        id: None,
        drive: Some("disk".into()),
        cdrom: false,
        bus: None,
        unit: None,
        serial: None,
        boot: None,
    }
}

#[test]
fn pc_boots_from_ide() {
    boots("ide", PcChipset::I440fx, EngineKind::Interp, disk());
}

#[test]
fn q35_boots_from_ahci() {
    boots("ahci", PcChipset::Q35, EngineKind::Jit, disk());
}

#[test]
fn pc_boots_from_a_diskette() {
    let medium = DeviceConfig::Floppy { drive: "disk".into(), unit: 0 };
    boots("floppy", PcChipset::I440fx, EngineKind::Jit, medium);
}

#[test]
fn q35_boots_from_virtio() {
    let place = PciPlace::default();
    let medium = DeviceConfig::VirtioBlk { id: None, drive: "disk".into(), serial: None, place };
    boots("virtio", PcChipset::Q35, EngineKind::Interp, medium);
}

#[test]
fn isapc_boots_from_ide() {
    boots("isa", PcChipset::Isa, EngineKind::Interp, disk());
}

/// A serial line that remembers what the guest says.
#[derive(Default)]
struct Terminal {
    said: Mutex<Vec<u8>>,
    port: Mutex<Option<Arc<dyn CharPort>>>,
}

impl Chardev for Terminal {
    fn write(&self, bytes: &[u8]) -> usize {
        self.said.lock().expect("no panic").extend_from_slice(bytes);
        bytes.len()
    }
}

impl Backend for Terminal {
    fn connect(&self, port: Arc<dyn CharPort>) {
        *self.port.lock().expect("no panic") = Some(port);
    }
}

struct Line(Arc<Terminal>);

impl Chardevs for Line {
    fn plug(&self, _: &str, _: &str) -> Option<Arc<dyn Backend>> {
        Some(self.0.clone())
    }
}

/// Starts the demo without firmware, and types `off` at its prompt: it finds the tables and powers off.
fn demo(name: &str, chipset: PcChipset) {
    let kernel = File::new(name, lyrebird_roms::X86_DEMO);
    let mut config = config(PcBoard::new(chipset), EngineKind::Jit);
    config.devices.clear();
    config.smp = Smp::cores(2);
    config.boot.kernel = Some(kernel.0.clone());
    config.serials.push(SerialPort::Chardev("line".into()));
    let terminal = Arc::new(Terminal::default());
    let typist = Arc::clone(&terminal);
    let typing = std::thread::spawn(move || {
        let end = Instant::now() + Duration::from_secs(120);
        while !typist.said.lock().expect("no panic").ends_with(b"lyrebird> ") && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(20));
        }
        let port = typist.port.lock().expect("no panic").clone().expect("a port");
        port.receive(b"off\r");
    });
    let end = run(config, &Line(Arc::clone(&terminal)));
    typing.join().expect("no panic");
    let said = terminal.said.lock().expect("no panic");
    assert_eq!(end, Shutdown::PowerOff, "{}", String::from_utf8_lossy(&said));
}

#[test]
fn the_demo_on_pc() {
    demo("demo-pc", PcChipset::I440fx);
}

#[test]
fn the_demo_on_q35() {
    demo("demo-q35", PcChipset::Q35);
}
