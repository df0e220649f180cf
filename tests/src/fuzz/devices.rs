//! Devices: an input is a list of things that a guest and the world do to them, twelve bytes each.

use super::Scratch;
use lyrebird_devices::block::{Format, ImageOptions, open};
use lyrebird_devices::bus::clock::{Clock, VTime};
use lyrebird_devices::bus::device::{Initiator, Size, share};
use lyrebird_devices::bus::irq::Wire;
use lyrebird_devices::bus::rng::Rng;
use lyrebird_devices::bus::space::AddressSpace;
use lyrebird_devices::char::pl011::Pl011;
use lyrebird_devices::char::{CharPort, Null};
use lyrebird_devices::fw_cfg::FwCfg;
use lyrebird_devices::intc::gicv2::GicV2;
use lyrebird_devices::intc::gicv3::GicV3;
use lyrebird_devices::intc::gicv3::icc::Icc;
use lyrebird_devices::intc::{CpuLine, CpuLines, Intc};
use lyrebird_devices::virtio::blk::{Blk, BlkOptions};
use lyrebird_devices::virtio::console::{Console, Port};
use lyrebird_devices::virtio::device::VirtioDevice;
use lyrebird_devices::virtio::mmio::{LEN as TRANSPORT, VirtioMmio};
use lyrebird_devices::virtio::rng::{Rng as Entropy, RngOptions};
use lyrebird_ram::GuestRam;
use std::sync::Arc;

const RAM: u64 = 0x4000_0000;
const RAM_LEN: u64 = 0x1_0000;
/// Where register blocks begin, one behind the other.
const REGISTERS: u64 = 0x1000_0000;
/// What one input may do.
const OPS: usize = 400;

struct NoCpus;

impl CpuLines for NoCpus {
    fn set(&self, _: usize, _: CpuLine, _: bool) {}
}

/// One thing: what, where, with which value.
pub(super) struct Op {
    pub(super) kind: u8,
    pub(super) size: Size,
    pub(super) cpu: u16,
    pub(super) at: u64,
    pub(super) value: u64,
}

/// The things that an input asks for.
pub(super) fn ops(bytes: &[u8]) -> impl Iterator<Item = Op> {
    bytes.chunks_exact(12).take(OPS).map(|b| {
        let small = u64::from(u32::from_le_bytes([b[6], b[7], b[8], b[9]]));
        let value = match b[5] & 3 {
            0 => small,
            1 => RAM + small % RAM_LEN,
            2 => (small << 32) | small,
            _ => u64::MAX << (small & 63),
        };
        Op {
            kind: b[0],
            size: Size::ALL[usize::from(b[1] & 3)],
            cpu: u16::from(b[1] >> 2 & 3),
            at: u64::from(u32::from_le_bytes([b[2], b[3], b[4], 0])),
            value: value ^ (u64::from(b[10]) << 8) ^ u64::from(b[11]),
        }
    })
}

/// Devices with what the world does to them.
struct Bench {
    space: AddressSpace,
    /// Bytes of registers from [`REGISTERS`] on.
    len: u64,
    clock: Clock,
    /// Anything that only this device has.
    own: Box<dyn Fn(&AddressSpace, &Op)>,
}

impl Bench {
    fn new(len: u64) -> Option<Self> {
        let space = AddressSpace::new();
        space.add_ram("ram", RAM, GuestRam::new(RAM_LEN).ok()?).ok()?;
        Some(Bench { space, len, clock: Clock::stepped(), own: Box::new(|_, _| {}) })
    }

    fn use_it(&self, bytes: &[u8]) {
        let dma = self.space.dma();
        for op in ops(bytes) {
            let (at, by) = (REGISTERS + op.at % self.len, Initiator::Cpu(op.cpu));
            // Drivers use words.
            let word = at & !3;
            match op.kind % 16 {
                0..=2 => drop(self.space.read(word, Size::B4, by)),
                3 => drop(self.space.read(at, op.size, by)),
                4..=7 => drop(self.space.write(word, Size::B4, op.value, by)),
                8 => drop(self.space.write(at, op.size, op.value, by)),
                9..=11 => drop(dma.write((RAM + op.at % RAM_LEN) & !7, op.value)),
                12 => {
                    self.clock.advance_to(VTime(self.clock.now().0.saturating_add(op.value >> 32)));
                    self.clock.run_expired(self.clock.now());
                }
                13 if op.value & 15 == 0 => self.space.sockets().iter().for_each(|s| s.reset()),
                14 if op.value & 3 == 0 => self.save(),
                _ => (self.own)(&self.space, &op),
            }
        }
        self.save();
    }

    /// What is saved can be restored, and is the same then.
    fn save(&self) {
        for socket in self.space.sockets() {
            let state = socket.save().expect("a state that can be saved");
            socket.load(&state).expect("and restored");
        }
        let _ = (self.space.qtree(), self.space.mtree());
    }
}

/// Distributor and processor interfaces of a GICv2 for four processors.
pub fn gicv2(bytes: &[u8]) {
    let cpu = GicV2::DISTRIBUTOR_LEN;
    let Some(mut bench) = Bench::new(cpu + 0x2000) else { return };
    let gic = GicV2::new(4, 256, Arc::new(NoCpus));
    let wires: Vec<Wire> = (0..8).filter_map(|n| gic.clone().spi(n, "line")).collect();
    let added = bench.space.add_device(REGISTERS, GicV2::DISTRIBUTOR_LEN, gic.clone()).is_ok()
        && bench
            .space
            .add_registers("gicc", REGISTERS + cpu, 0x2000, GicV2::CPU_INTERFACE, gic.clone())
            .is_ok();
    assert!(added, "the map is consistent");
    bench.own = Box::new(move |_, op| {
        wires[op.at as usize % wires.len()].set(op.value & 1 != 0);
        let _ = gic.info();
    });
    bench.use_it(bytes);
}

/// Distributor, redistributors and system registers of a GICv3 for four processors.
pub fn gicv3(bytes: &[u8]) {
    let redist = GicV3::DISTRIBUTOR_LEN;
    let len = 4 * GicV3::REDISTRIBUTOR_LEN;
    let Some(mut bench) = Bench::new(redist + len) else { return };
    let gic = GicV3::new(&[0, 1, 2, 3], 256, Arc::new(NoCpus));
    let wires: Vec<Wire> = (0..8).filter_map(|n| gic.clone().spi(n, "line")).collect();
    let added = bench.space.add_device(REGISTERS, GicV3::DISTRIBUTOR_LEN, gic.clone()).is_ok()
        && bench
            .space
            .add_registers("gicr", REGISTERS + redist, len, GicV3::REDISTRIBUTORS, gic.clone())
            .is_ok();
    assert!(added, "the map is consistent");
    bench.own = Box::new(move |_, op| {
        let cpu = usize::from(op.cpu);
        match Icc::from_encoding(if op.at & 1 != 0 { 12 } else { 4 }, op.at as u8 >> 1 & 15, op.at as u8 >> 5)
        {
            Some(register) if op.kind & 16 != 0 => drop(gic.icc_read(cpu, register)),
            Some(register) => drop(gic.icc_write(cpu, register, op.value)),
            None => wires[op.at as usize % wires.len()].set(op.value & 1 != 0),
        }
    });
    bench.use_it(bytes);
}

/// A PL011 that somebody types at.
pub fn pl011(bytes: &[u8]) {
    let Some(mut bench) = Bench::new(Pl011::LEN) else { return };
    let uart = share(Pl011::new(Wire::open(), Arc::new(Null)));
    assert!(bench.space.add_device(REGISTERS, Pl011::LEN, uart.clone()).is_ok(), "the map is consistent");
    bench.own = Box::new(move |_, op| match op.at & 3 {
        0 => uart.receive_break(),
        1 => uart.drain(),
        _ => {
            let room = uart.can_receive();
            let taken = uart.receive(&op.value.to_le_bytes());
            assert!(taken <= 8 && taken >= room.min(8), "room for {room}, taken {taken}");
        }
    });
    bench.use_it(bytes);
}

/// fw_cfg with a file to read and one to write, and its DMA.
pub fn fw_cfg(bytes: &[u8]) {
    let Some(bench) = Bench::new(FwCfg::LEN) else { return };
    let mut device = FwCfg::new(bench.space.dma());
    let added = device.add_file("opt/read", vec![1; 3000]).is_ok()
        && device.add_writable("opt/written", vec![0; 64], Box::new(|_| {})).is_ok()
        && bench.space.add_device(REGISTERS, FwCfg::LEN, share(device)).is_ok();
    assert!(added, "the files are good");
    bench.use_it(bytes);
}

/// Block, console and entropy devices on a modern transport, and a block device on a legacy one.
pub fn virtio(bytes: &[u8]) {
    let Some(mut bench) = Bench::new(4 * TRANSPORT) else { return };
    let Ok(file) = Scratch::new("disk", &[0; 0x1_0000]) else { return };
    let disk = || {
        let options =
            ImageOptions { format: Some(Format::Raw), locking: false, ..ImageOptions::new(&file.0) };
        let image = open(&options).ok()?;
        Some(Box::new(Blk::new(image, BlkOptions { synchronous: true, ..BlkOptions::default() })))
    };
    let (Some(modern), Some(legacy)) = (disk(), disk()) else { return };
    let mut console = Console::new(2);
    let port = Port { console: true, name: String::new(), chardev: Some(Arc::new(Null)) };
    assert!(console.add_port(Some(0), port).is_ok(), "the port is free");
    let entropy = Entropy::new(RngOptions { seed: Some(1), limit: None });
    let devices: [Box<dyn VirtioDevice>; 4] = [modern, Box::new(console), Box::new(entropy), legacy];
    for (i, device) in (0u64..).zip(devices) {
        let transport = VirtioMmio::new(device, bench.space.dma(), Wire::open(), i == 3);
        let added = bench.space.add_device(REGISTERS + i * TRANSPORT, TRANSPORT, share(transport));
        assert!(added.is_ok(), "the map is consistent");
    }
    bench.own = Box::new(start);
    bench.use_it(bytes);
}

/// Sets a queue up over whatever is in RAM, and rings its bell.
fn start(space: &AddressSpace, op: &Op) {
    let base = REGISTERS + op.at % 4 * TRANSPORT;
    let write = |register: u64, value: u64| {
        let _ = space.write(base + register, Size::B4, value, Initiator::Cpu(op.cpu));
    };
    let page = |shift: u32| (RAM + (op.value >> shift) % RAM_LEN) & !15;
    for status in [0, 1, 3] {
        write(0x70, status);
    }
    write(0x24, 1);
    write(0x20, 1);
    write(0x70, 11);
    write(0x28, 4096);
    write(0x30, op.at >> 2 & 3);
    write(0x38, 1 << (op.at >> 4 & 7));
    write(0x40, page(0) >> 12);
    for (register, shift) in [(0x80, 0), (0x90, 8), (0xa0, 16)] {
        write(register, page(shift));
        write(register + 4, 0);
    }
    write(0x44, 1);
    write(0x70, 15);
    write(0x50, op.at >> 2 & 3);
}

/// Random lists, and lists of what drivers do.
pub fn seeds() -> Vec<Vec<u8>> {
    let mut rng = Rng::new(0xD0);
    let mut seeds: Vec<Vec<u8>> =
        (0..8).map(|_| (0..12 * 64).map(|_| rng.draw() as u8).collect::<Vec<u8>>()).collect();
    // Registers in order, each read, set, and cleared.
    let all = (0..128u32).flat_map(|word| {
        let at = (word * 4).to_le_bytes();
        [(0, 0), (4, 0xFF), (4, 0)]
            .map(|(kind, value)| [kind, 0, at[0], at[1], at[2], 0, value, value, 0, 0, 0, 0])
    });
    seeds.push(all.flatten().collect());
    seeds
}
