//! The PCI functions of `pc` and `q35`, for tests of all of them together.

use lyrebird_devices::acpi::piix4::{self, Piix4Pm, Piix4Wires};
use lyrebird_devices::acpi::pm::PowerWires;
use lyrebird_devices::block::{BlockBackend, BlockInfo};
use lyrebird_devices::bus::clock::Clock;
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
use lyrebird_devices::virtio::blk::{Blk, BlkOptions};
use lyrebird_devices::virtio::pci::{PciOptions, VirtioPci};
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

pub struct Board {
    pub memory: Arc<AddressSpace>,
    pub io: Arc<AddressSpace>,
    pub bus: Arc<PciBus>,
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

/// The functions of `pc`; the disk is the first master, the CD-ROM the second; a virtio disk is in slot 3.
pub fn pc() -> Board {
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
    let options = BlkOptions { synchronous: true, ..BlkOptions::default() };
    let blk = Blk::new(Numbered::new(1000), options);
    let blk = VirtioPci::function(Box::new(blk), board.memory.dma(), PciOptions::default());
    board.bus.plug(Devfn::new(3, 0), blk).unwrap();
    board
}

/// The functions of `q35`; the disk is at port 0, the CD-ROM at port 2.
pub fn q35() -> Board {
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
