//! A board with one of everything, which no processor runs on, and what was done to it last.

use crate::value;
use lyrebird_cpu::x86::X64;
use lyrebird_devices::bus::clock::Clock;
use lyrebird_devices::bus::device::{Initiator, Size, Socket};
use lyrebird_devices::bus::rng::Rng;
use lyrebird_devices::bus::space::AddressSpace;
use lyrebird_devices::char::{CharPort, Chardev};
use lyrebird_devices::input::keys::Key;
use lyrebird_machine::Machine;
use lyrebird_machine::board::Site;
use lyrebird_machine::board::pc::{chipset, microvm};
use lyrebird_machine::chardev::{Backend, Chardevs};
use lyrebird_machine::config::*;
use lyrebird_machine::control::{CpuId, Report, Seat};
use parking_lot::Mutex;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

/// Bytes of RAM.
pub const RAM: u64 = 32 << 20;
const BY: Initiator = Initiator::Cpu(0);
/// What is remembered of what was done.
const REMEMBERED: usize = 48;

/// Which board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Pc,
    Q35,
    Isa,
    Microvm,
}

/// The last accesses.
#[derive(Default)]
pub struct Log {
    step: u64,
    lines: VecDeque<(u64, &'static str, u64, u64, u64)>,
}

impl Log {
    /// One a line.
    pub fn text(&self) -> String {
        let line = |&(step, what, at, size, value): &(u64, &str, u64, u64, u64)| {
            format!("step {step}: {what} {at:#x} {size} {value:#x}\n")
        };
        format!("{}in step {}", self.lines.iter().map(line).collect::<String>(), self.step)
    }
}

thread_local! {
    static LOG: RefCell<Arc<Mutex<Log>>> = RefCell::default();
}

/// A log for a thread.
pub fn log() -> Arc<Mutex<Log>> {
    Arc::default()
}

/// Makes it this thread's.
pub fn keep(log: Arc<Mutex<Log>>) {
    LOG.with(|mine| *mine.borrow_mut() = log);
}

fn note(what: &'static str, at: u64, size: u64, value: u64) {
    LOG.with(|log| {
        let log = log.borrow();
        let mut log = log.lock();
        let step = log.step;
        log.lines.push_back((step, what, at, size, value));
        if log.lines.len() > REMEMBERED {
            log.lines.pop_front();
        }
    });
}

/// A file that goes with the machine.
struct File(PathBuf);

impl File {
    fn new(name: &str, kind: Kind, seed: u64, len: u64) -> File {
        let name = format!("lyrebird-pc-fuzz-{}-{kind:?}-{seed}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let file = std::fs::File::create(&path).expect("a temporary file");
        file.set_len(len).expect("room for it");
        File(path)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A line whose far end takes everything and can be typed at.
#[derive(Default)]
struct Line(Mutex<Option<Arc<dyn CharPort>>>);

impl Chardev for Line {
    fn write(&self, bytes: &[u8]) -> usize {
        bytes.len()
    }
}

impl Backend for Line {
    fn connect(&self, port: Arc<dyn CharPort>) {
        *self.0.lock() = Some(port);
    }
}

#[derive(Default)]
struct Lines(Mutex<Vec<Arc<Line>>>);

impl Chardevs for Lines {
    fn plug(&self, _: &str, _: &str) -> Option<Arc<dyn Backend>> {
        let line = Arc::new(Line::default());
        self.0.lock().push(line.clone());
        Some(line)
    }
}

/// The board.
pub struct Pc {
    pub kind: Kind,
    machine: Machine,
    memory: Arc<AddressSpace>,
    ports: Arc<AddressSpace>,
    loose: Vec<Arc<dyn Socket>>,
    clock: Clock,
    seat: Seat,
    lines: Vec<Arc<Line>>,
    /// Where there is something, as far as it is known; and when it was looked at.
    spans: Mutex<(u64, Spans, Spans)>,
    step: Mutex<u64>,
    files: [File; 4],
}

type Spans = Vec<(u64, u64)>;

/// Steps after which the address map is looked at again.
const STALE: u64 = 64;

impl Pc {
    /// With disk, CD, diskettes, virtio devices and everything that `-device` offers.
    pub fn new(kind: Kind, seed: u64) -> Pc {
        let file = |name, len| File::new(name, kind, seed, len);
        let files = [
            file("disk", 1 << 20),
            file("cd", 400 << 11),
            file("floppy", 1_474_560),
            file("virtio", 1 << 20),
        ];
        let config = config(kind, &files);
        let (lines, clock) = (Lines::default(), Clock::stepped());
        let mut parts = None;
        let machine = Machine::on::<X64>(config, &lines, |site| {
            let Site { config, chardevs, shared, .. } = *site;
            let site = Site { config, chardevs, shared, clock: &clock };
            let built = match &config.board {
                Board::Microvm(board) => microvm::build(&site, board)?,
                Board::Pc(board) => chipset::build(&site, board)?,
                Board::Virt(_) => unreachable!("no board of a PC"),
            };
            parts = Some((
                built.space.clone(),
                built.ports.clone().expect("PCs have ports"),
                built.loose.clone(),
                built.seat.clone(),
            ));
            Ok(built)
        });
        let machine = machine.expect("a machine");
        let (memory, ports, loose, seat) = parts.expect("it was built");
        let lines = lines.0.into_inner();
        let (spans, step) = Default::default();
        Pc { kind, machine, memory, ports, loose, clock, seat, lines, spans, step, files }
    }

    /// Says which step this is.
    pub fn mark(&self, step: u64) {
        *self.step.lock() = step;
        LOG.with(|log| log.borrow().lock().step = step);
    }

    /// Reads a port.
    pub fn inp(&self, port: u64, size: Size) -> u64 {
        note("in", port, size.bytes(), 0);
        self.ports.read(port, size, BY).unwrap_or(u64::MAX)
    }

    /// Writes a port.
    pub fn out(&self, port: u64, size: Size, value: u64) {
        note("out", port, size.bytes(), value & size.mask());
        let _ = self.ports.write(port, size, value & size.mask(), BY);
    }

    /// Reads what lies in memory.
    pub fn load(&self, at: u64, size: Size) -> u64 {
        note("load", at, size.bytes(), 0);
        self.memory.read(at, size, BY).unwrap_or(u64::MAX)
    }

    /// Writes what lies in memory.
    pub fn store(&self, at: u64, size: Size, value: u64) {
        note("store", at, size.bytes(), value & size.mask());
        let _ = self.memory.write(at, size, value & size.mask(), BY);
    }

    /// Eight bytes of RAM.
    pub fn poke(&self, at: u64, value: u64) {
        let _ = self.memory.dma().write(at, value);
    }

    /// Lets time pass, nanoseconds.
    pub fn pass(&self, ns: u64) {
        note("time", 0, 0, ns);
        self.clock.advance_to(self.clock.now() + ns);
        self.clock.run_expired(self.clock.now());
    }

    fn spans(&self) -> (Spans, Spans) {
        let step = *self.step.lock();
        let mut spans = self.spans.lock();
        if spans.1.is_empty() || step.wrapping_sub(spans.0) > STALE {
            *spans = (step, rows(&self.ports.mtree()), rows(&self.memory.mtree()));
        }
        (spans.1.clone(), spans.2.clone())
    }

    /// Ports at which there is something.
    pub fn port_spans(&self) -> Spans {
        self.spans().0
    }

    /// Addresses at which there is something.
    pub fn memory_spans(&self) -> Spans {
        self.spans().1
    }

    /// Slot and function of what is on the PCI bus.
    pub fn functions(&self) -> &'static [u8] {
        match self.kind {
            Kind::Pc => &[0, 8, 9, 11, 16, 24, 32, 40],
            Kind::Q35 => &[0, 8, 16, 24, 32, 0xF8, 0xFA],
            _ => &[],
        }
    }

    /// A register of a function's configuration space, by the ports.
    pub fn config(&self, devfn: u8, reg: u64) -> u64 {
        self.out(0xCF8, Size::B4, 1 << 31 | u64::from(devfn) << 8 | reg);
        self.inp(0xCFC, Size::B4)
    }

    /// Writes one.
    pub fn configure(&self, devfn: u8, reg: u64, value: u64) {
        self.out(0xCF8, Size::B4, 1 << 31 | u64::from(devfn) << 8 | reg);
        self.out(0xCFC, Size::B4, value);
    }

    /// Types at a serial line.
    pub fn receive(&self, rng: &mut Rng) {
        if let Some(line) = self.lines.get(rng.below(self.lines.len() as u64) as usize) {
            let port = line.0.lock().clone();
            if let Some(port) = port {
                let bytes: Vec<u8> = (0..rng.below(64)).map(|_| rng.draw() as u8).collect();
                port.receive(&bytes);
                if rng.below(8) == 0 {
                    port.receive_break();
                }
                port.drain();
            }
        }
    }

    /// Presses keys and moves the mouse.
    pub fn touch(&self, rng: &mut Rng) {
        note("keys", 0, 0, 0);
        if let Some(keys) = &self.seat.keys {
            let all: Vec<Key> = Key::all().collect();
            for _ in 0..rng.below(32) {
                keys.key(all[rng.below(all.len() as u64) as usize], rng.below(2) == 0);
            }
        }
        if let Some(pointer) = &self.seat.pointer {
            pointer.motion(value(rng) as i32, value(rng) as i32, value(rng) as i32);
            pointer.buttons(rng.draw() as u8);
        }
    }

    /// Looks at the screen.
    pub fn draw(&self) {
        note("screen", 0, 0, 0);
        if let Some(screen) = &self.seat.screen {
            let frame = screen.frame();
            assert_eq!(frame.pixels.len() as u64, u64::from(frame.width) * u64::from(frame.height));
            if let Some(text) = screen.text() {
                assert_eq!(text.cells.len() as u64, u64::from(text.columns) * u64::from(text.rows));
            }
        }
    }

    /// Everything that a monitor tells.
    pub fn look(&self) {
        note("reports", 0, 0, 0);
        let control = self.machine.control();
        for report in
            [Report::Mtree, Report::Qtree, Report::Irq, Report::Pci, Report::Block, Report::Mem(CpuId(0))]
        {
            let _ = control.report(report);
        }
        self.draw();
    }

    /// Which of the media something was written to: for a look at how far accesses get.
    pub fn written(&self) -> Vec<&'static str> {
        let names = ["disk", "cd", "floppy", "virtio"];
        let changed = |(_, file): &(&str, &File)| {
            std::fs::read(&file.0).is_ok_and(|bytes| bytes.iter().any(|b| *b != 0))
        };
        names.into_iter().zip(&self.files).filter(changed).map(|(name, _)| name).collect()
    }

    fn sockets(&self) -> Vec<Arc<dyn Socket>> {
        let mut all = self.memory.sockets();
        all.extend(self.ports.sockets());
        all.extend(self.loose.iter().cloned());
        all
    }

    /// Saves all devices, goes on for a moment, and loads them.
    pub fn snapshot(&self, rng: &mut Rng) {
        note("snapshot", 0, 0, 0);
        for socket in self.sockets() {
            let state = socket.save().expect("every device is saved");
            if rng.below(4) == 0 {
                socket.load(&state).expect("every device takes what it saved");
            }
        }
    }

    /// As the machine's reset does it.
    pub fn reset(&self) {
        note("reset", 0, 0, 0);
        self.sockets().iter().for_each(|socket| socket.reset());
    }
}

/// The spans that a map of an address space names.
fn rows(text: &str) -> Spans {
    let row = |line: &str| {
        let (span, _) = line.strip_prefix("    ")?.split_once(' ')?;
        let (first, last) = span.split_once('-')?;
        Some((u64::from_str_radix(first, 16).ok()?, u64::from_str_radix(last, 16).ok()?))
    };
    text.lines().filter_map(row).collect()
}

fn config(kind: Kind, files: &[File; 4]) -> Config {
    let drive = |(id, file): (&str, &File)| Drive {
        id: id.into(),
        file: file.0.clone(),
        format: Some(ImageFormat::Raw),
        ..Drive::default()
    };
    let place = PciPlace::default();
    let disk = |drive: &str, cdrom| DeviceConfig::Disk {
        id: None,
        drive: Some(drive.into()),
        cdrom,
        bus: None,
        unit: None,
        serial: None,
        boot: None,
    };
    let mut devices = vec![
        DeviceConfig::DebugExit { port: 0x501, len: 4 },
        DeviceConfig::Debugcon { port: 0x402, chardev: "debug".into() },
        DeviceConfig::Pvpanic { port: 0x505 },
        DeviceConfig::PcTestdev,
    ];
    if kind != Kind::Microvm {
        devices.extend([disk("disk", false), disk("cd", true)]);
        devices.push(DeviceConfig::Floppy { drive: "floppy".into(), unit: 0 });
    } else {
        devices.clear();
    }
    if kind != Kind::Isa {
        devices.extend([
            DeviceConfig::VirtioBlk { id: None, drive: "virtio".into(), serial: None, place },
            DeviceConfig::VirtioSerial { id: None, max_ports: 31, place },
            DeviceConfig::VirtPort {
                id: None,
                console: true,
                chardev: Some("hvc".into()),
                name: None,
                nr: None,
                bus: None,
            },
            DeviceConfig::VirtioRng { id: None, limit: None, place },
        ]);
    }
    let board = match kind {
        Kind::Pc => Board::Pc(PcBoard::new(PcChipset::I440fx)),
        Kind::Q35 => Board::Pc(PcBoard::new(PcChipset::Q35)),
        Kind::Isa => Board::Pc(PcBoard::new(PcChipset::Isa)),
        Kind::Microvm => Board::Microvm(MicrovmBoard::default()),
    };
    let serial = || SerialPort::Chardev("line".into());
    Config {
        board,
        cpu: CpuConfig { model: "max".into(), features: Vec::new() },
        accel: Accel { engine: EngineKind::Interp, ..Accel::default() },
        ram: RAM,
        drives: ["disk", "cd", "floppy", "virtio"].into_iter().zip(files).map(drive).collect(),
        devices,
        serials: vec![serial(), serial()],
        ..Config::default()
    }
}
