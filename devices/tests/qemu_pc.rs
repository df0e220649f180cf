//! Replays accesses that QEMU 10.0.2's `pc` and `q35` boards were asked over their qtest socket, and expects the answers.
//!
//! A transcript is a text file of lines `o<size> <port> <value>`, `i<size> <port> <answer>`, `w<size> <address> <value>`
//! and `r<size> <address> <answer>`, sizes `b w l q`, numbers in hexadecimal; `x<size> <port> <count>` reads a port that
//! often and does not look. A hash begins a comment. They are what drivers do, in the order in which they do it.
//!
//! Left out of the transcripts is what the drives call themselves, and where QEMU departs from the manuals and these
//! models do not: sectors beyond the end (IDNF), the length in GET EVENT STATUS, an empty READ TOC of sessions, the
//! upper half of PM1_CNT, PM1_STS right after power-on, and of AHCI: DHRS with a failure, PxCMD's fixed bits, PxSSTS
//! during COMRESET, the status of a drive before its first command. QEMU keeps the size of RAM in the i440FX's DRAMC.

use lyrebird_devices::acpi::piix4::{self, Piix4Pm, Piix4Wires};
use lyrebird_devices::acpi::pm::PowerWires;
use lyrebird_devices::block::{BlockBackend, BlockInfo};
use lyrebird_devices::bus::clock::Clock;
use lyrebird_devices::bus::device::{Initiator, Size};
use lyrebird_devices::bus::irq::Wire;
use lyrebird_devices::bus::shadow::NoShadow;
use lyrebird_devices::bus::space::AddressSpace;
use lyrebird_devices::pci::bus::{Devfn, PciBus, i440fx_swizzle, q35_swizzle};
use lyrebird_devices::pci::host::{self, ConfigPorts};
use lyrebird_devices::pci::i440fx::I440fx;
use lyrebird_devices::pci::ich9::{self, Lpc, LpcWires};
use lyrebird_devices::pci::msi::NoMsi;
use lyrebird_devices::pci::piix3::Piix3;
use lyrebird_devices::pci::pirq::PirqRouter;
use lyrebird_devices::pci::q35::Mch;
use lyrebird_devices::storage::ahci::Ahci;
use lyrebird_devices::storage::ata::Disk;
use lyrebird_devices::storage::atapi::Cdrom;
use lyrebird_devices::storage::drive::Drive;
use lyrebird_devices::storage::ide::{self, Ide};
use lyrebird_ram::GuestRam;
use std::io;
use std::sync::{Arc, Mutex};

/// A disk whose sectors are full of their numbers' low bytes.
struct Numbered(Mutex<Vec<u8>>);

impl Numbered {
    fn new(sectors: usize) -> Arc<Numbered> {
        Arc::new(Numbered(Mutex::new((0..sectors * 512).map(|i| (i / 512) as u8).collect())))
    }
}

impl BlockBackend for Numbered {
    fn size(&self) -> u64 {
        self.0.lock().unwrap().len() as u64
    }
    fn read_only(&self) -> bool {
        false
    }
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        buf.copy_from_slice(&self.0.lock().unwrap()[offset as usize..][..buf.len()]);
        Ok(())
    }
    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        self.0.lock().unwrap()[offset as usize..][..buf.len()].copy_from_slice(buf);
        Ok(())
    }
    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
    fn discard(&self, _: u64, _: u64) -> io::Result<()> {
        Ok(())
    }
    fn write_zeroes(&self, _: u64, _: u64, _: bool) -> io::Result<()> {
        Ok(())
    }
    fn info(&self) -> BlockInfo {
        BlockInfo {
            file: "numbered".into(),
            format: "raw",
            backing: Vec::new(),
            read_only: false,
            size: self.size(),
            temporary: false,
            cache: "writeback",
        }
    }
}

struct Board {
    memory: Arc<AddressSpace>,
    io: Arc<AddressSpace>,
    bus: Arc<PciBus>,
    router: Arc<PirqRouter>,
}

fn board(swizzle: fn(u8, u8) -> u32) -> Board {
    let (memory, io) = (Arc::new(AddressSpace::new()), Arc::new(AddressSpace::ports()));
    memory.add_ram("ram", 0, GuestRam::new(16 << 20).unwrap()).unwrap();
    let router = Arc::new(PirqRouter::new(std::array::from_fn(|_| Wire::open()), Vec::new()));
    let bus = PciBus::new(memory.clone(), io.clone(), Arc::new(NoMsi), swizzle, router.clone());
    let bus = Arc::new(bus);
    let ports = Arc::new(ConfigPorts::new(bus.clone(), Wire::open()));
    io.add_device(host::PORT, host::PORTS, ports).unwrap();
    Board { memory, io, bus, router }
}

fn drives() -> (Option<Drive>, Option<Drive>) {
    let disk = Drive::Disk(Disk::new(Numbered::new(1000), "QM00001"));
    let cd = Drive::Cdrom(Cdrom::new(Some(Numbered::new(400)), "QM00003"));
    (Some(disk), Some(cd))
}

/// The functions of `pc`; the disk is the first master, the CD-ROM the second.
fn pc() -> Board {
    let board = board(i440fx_swizzle);
    let (disk, cd) = drives();
    board.bus.plug(Devfn::new(0, 0), I440fx::function(Arc::new(NoShadow))).unwrap();
    board.bus.plug(Devfn::new(1, 0), Piix3::function(board.router.clone())).unwrap();
    let drives = [disk, None, cd, None];
    let function = Ide::function(drives, board.memory.dma(), [Wire::open(), Wire::open()]);
    let function = board.bus.plug(Devfn::new(1, 1), function).unwrap();
    for (port, len, reg) in ide::PORTS {
        board.io.add_registers("ide", port, len, reg, function.clone()).unwrap();
    }
    let wires = Piix4Wires { sci: Wire::open(), smi: Some(Wire::open()), power: PowerWires::open() };
    let pm = board.bus.plug(Devfn::new(1, 3), Piix4Pm::function(Clock::stepped(), wires)).unwrap();
    for (name, port, len, reg) in [
        ("gpe", piix4::GPE_PORT, piix4::GPE_PORTS, piix4::GPE_REGION),
        ("apm", piix4::APM_PORT, piix4::APM_PORTS, piix4::APM_REGION),
    ] {
        board.io.add_registers(name, port, len, reg, pm.clone()).unwrap();
    }
    board
}

/// The functions of `q35`; the disk is at port 0, the CD-ROM at port 2.
fn q35() -> Board {
    let board = board(q35_swizzle);
    let (disk, cd) = drives();
    board.bus.plug(Devfn::new(0, 0), Mch::function(board.bus.clone(), Arc::new(NoShadow))).unwrap();
    let wires = LpcWires { sci: Wire::open(), smi: Some(Wire::open()), power: PowerWires::open() };
    let lpc = Lpc::function(board.router.clone(), Clock::stepped(), wires);
    let lpc = board.bus.plug(Devfn::new(31, 0), lpc).unwrap();
    board.io.add_registers("apm", ich9::APM_PORT, ich9::APM_PORTS, ich9::APM_REGION, lpc).unwrap();
    let ahci = Ahci::function([disk, None, cd, None, None, None], board.memory.dma());
    board.bus.plug(Devfn::new(31, 2), ahci).unwrap();
    board
}

/// Replays one transcript; the lines that got another answer.
fn replay(board: &Board, transcript: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for (n, line) in (1..).zip(transcript.lines()).filter(|(_, line)| !line.starts_with('#')) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [verb, address, value] = words[..] else { panic!("line {n}: {line}") };
        let number = |text| u64::from_str_radix(text, 16).unwrap_or_else(|_| panic!("line {n}: {text}"));
        let (address, value) = (number(address), number(value));
        let size = match &verb[1..] {
            "b" => Size::B1,
            "w" => Size::B2,
            "l" => Size::B4,
            "q" => Size::B8,
            other => panic!("line {n}: no such size: {other}"),
        };
        let cpu = Initiator::Cpu(0);
        let got = match &verb[..1] {
            "o" => board.io.write(address, size, value, cpu).map(|()| value),
            "w" => board.memory.write(address, size, value, cpu).map(|()| value),
            "i" => board.io.read(address, size, cpu),
            "r" => board.memory.read(address, size, cpu),
            "x" => {
                (0..value).for_each(|_| {
                    let _ = board.io.read(address, size, cpu);
                });
                Ok(value)
            }
            other => panic!("line {n}: no such verb: {other}"),
        };
        if got != Ok(value) {
            wrong.push(format!("line {n}: {verb} {address:#x}: {got:x?}, QEMU {value:#x}"));
        }
    }
    wrong
}

fn check(board: &Board, name: &str, transcript: &str) {
    let wrong = replay(board, transcript);
    let first = wrong[..wrong.len().min(60)].join("\n");
    assert!(wrong.is_empty(), "{name}: {} differences:\n{first}", wrong.len());
}

#[test]
fn pc_answers_as_qemu_does() {
    check(&pc(), "pc", include_str!("qemu_pc/pc.txt"));
}

#[test]
fn q35_answers_as_qemu_does() {
    check(&q35(), "q35", include_str!("qemu_pc/q35.txt"));
}
