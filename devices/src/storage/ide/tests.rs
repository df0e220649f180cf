//! The function as a driver uses it: legacy ports, packets, and the bus master.

use super::*;
use crate::bus::device::Device;
use crate::pci::testing::{Board, check};
use crate::storage::testing::{RamDisk, cdrom, disk};
use parking_lot::Mutex;
use std::sync::Arc;

/// A disk of 1000 sectors as primary master, a CD of 100 blocks as secondary master.
struct Rig {
    board: Board,
    ide: Arc<Mutex<Function<Ide>>>,
    disk: Arc<RamDisk>,
    irqs: [Wire; 2],
}

fn rig() -> Rig {
    let (hd, cd) = (RamDisk::new(1000), RamDisk::new(400));
    let irqs = [Wire::open(), Wire::open()];
    let board = Board::new();
    let function = Ide::function([disk(&hd), None, cdrom(&cd), None], board.dma(), irqs.clone());
    let (board, ide) = board.place(function);
    for (port, len, reg) in PORTS {
        board.io.add_registers("ide", port, len, reg, ide.clone()).unwrap();
    }
    Rig { board, ide, disk: hd, irqs }
}

impl Rig {
    fn get(&self, port: u64) -> u8 {
        self.board.inp(port, Size::B1) as u8
    }

    fn put(&self, port: u64, value: u8) {
        self.board.outp(port, Size::B1, value.into());
    }

    /// A 28-bit command to the disk.
    fn command(&self, command: u8, lba: u32, count: u8) -> u8 {
        let [low, mid, high, top] = lba.to_le_bytes();
        for (reg, value) in [(6, 0xE0 | top), (2, count), (3, low), (4, mid), (5, high), (7, command)] {
            self.put(0x1F0 + reg, value);
        }
        self.get(0x3F6)
    }

    fn words(&self, base: u64, count: usize) -> Vec<u8> {
        (0..count).flat_map(|_| (self.board.inp(base, Size::B2) as u16).to_le_bytes()).collect()
    }

    fn packet(&self, features: u8, limit: u16, packet: [u8; 12]) -> u8 {
        let [low, high] = limit.to_le_bytes();
        for (reg, value) in [(6, 0xA0), (1, features), (4, low), (5, high), (7, 0xA0)] {
            self.put(0x170 + reg, value);
        }
        assert_eq!((self.get(0x376), self.get(0x172)), (0x58, 1));
        for pair in packet.chunks(2) {
            self.board.outp(0x170, Size::B2, u16::from_le_bytes([pair[0], pair[1]]).into());
        }
        self.get(0x376)
    }

    /// Lays a table out at 0x1000 and starts the bus master of channel `index`.
    fn start(&self, index: u64, regions: &[(u32, u32)], to_memory: bool) -> u8 {
        let dma = self.board.dma();
        for (i, &(at, len)) in regions.iter().enumerate() {
            let last = if i + 1 == regions.len() { 1u32 << 31 } else { 0 };
            dma.write(0x1000 + 8 * i as u64, at).unwrap();
            dma.write(0x1004 + 8 * i as u64, len & 0xFFFF | last).unwrap();
        }
        let base = self.board.base(4) + 8 * index;
        self.board.outp(base + 4, Size::B4, 0x1000);
        self.board.outp(base + 2, Size::B1, 6);
        let direction = if to_memory { TO_MEMORY } else { 0 };
        self.board.outp(base, Size::B1, direction.into());
        self.board.outp(base, Size::B1, (direction | START).into());
        let status = self.board.inp(base + 2, Size::B1) as u8;
        self.board.outp(base, Size::B1, 0);
        status
    }
}

#[test]
fn conforms() {
    let (hd, cd) = (RamDisk::new(64), RamDisk::new(64));
    let make =
        || Ide::function([disk(&hd), None, cdrom(&cd), None], Dma::open(), [Wire::open(), Wire::open()]);
    check(make, &[(COMMAND[0], 8), (CONTROL[0], 1), (COMMAND[1], 8), (CONTROL[1], 1), (BUS_MASTER, 16)]);
}

#[test]
fn identify() {
    let rig = rig();
    assert_eq!(rig.command(0xEC, 0, 0), 0x58);
    assert!(rig.irqs[0].level());
    assert_eq!(rig.get(0x1F7), 0x58);
    assert!(!rig.irqs[0].level(), "reading the status acknowledges");
    let bytes = rig.words(0x1F0, 256);
    assert_eq!(rig.get(0x1F7), 0x50);
    assert!(!rig.irqs[0].level(), "nothing follows the last block");
    let word = |i: usize| u16::from_le_bytes([bytes[2 * i], bytes[2 * i + 1]]);
    assert_eq!((word(0), word(60), word(100), word(83) & 0x400), (0x40, 1000, 1000, 0x400));
    assert_eq!(&bytes[20..28], b"MQ0000 1");
    assert_eq!(bytes.iter().fold(0u8, |s, &b| s.wrapping_add(b)), 0);
}

#[test]
fn pio_in_both_directions() {
    let rig = rig();
    assert_eq!(rig.command(0x20, 5, 2), 0x58);
    assert_eq!(rig.words(0x1F0, 256), [5; 512]);
    assert_eq!(rig.get(0x1F7), 0x58);
    assert_eq!(rig.board.inp(0x1F0, Size::B4), 0x0606_0606);
    rig.words(0x1F0, 254);
    assert_eq!(rig.get(0x1F7), 0x50);

    assert_eq!(rig.command(0x30, 9, 2), 0x58);
    assert!(!rig.irqs[0].level(), "the first block is taken without an interrupt");
    (0..256).for_each(|_| rig.board.outp(0x1F0, Size::B2, 0xABCD));
    assert!(rig.irqs[0].level());
    (0..128).for_each(|_| rig.board.outp(0x1F0, Size::B4, 0x1234_5678));
    assert_eq!(rig.get(0x1F7), 0x50);
    assert_eq!(rig.disk.bytes.lock()[9 * 512..9 * 512 + 2], [0xCD, 0xAB]);
    assert_eq!(rig.disk.bytes.lock()[10 * 512 + 508..11 * 512 + 1], [0x78, 0x56, 0x34, 0x12, 11]);

    assert_eq!(rig.command(0xC6, 0, 4), 0x50);
    assert_eq!(rig.command(0xC4, 20, 6), 0x58);
    let bytes = rig.words(0x1F0, 4 * 256);
    assert_eq!((bytes[0], bytes[2047]), (20, 23));
    assert_eq!(rig.words(0x1F0, 2 * 256)[1023], 25);
    assert_eq!(rig.get(0x3F6), 0x50);
}

#[test]
fn addresses() {
    let rig = rig();
    // 48 bits: the older half is written first.
    for (reg, value) in
        [(6, 0x40), (2, 0), (3, 0), (4, 0), (5, 0), (2, 1), (3, 0xE7), (4, 3), (5, 0), (7, 0x24)]
    {
        rig.put(0x1F0 + reg, value);
    }
    assert_eq!(rig.words(0x1F0, 256)[0], 999u16 as u8);
    rig.put(0x3F6, 0x80);
    assert_eq!(rig.get(0x1F3), 0, "the older half");
    // Cylinder 0, head 1, sector 1 is block 63.
    for (reg, value) in [(6, 0xA1), (2, 1), (3, 1), (4, 0), (5, 0), (7, 0x20)] {
        rig.put(0x1F0 + reg, value);
    }
    assert_eq!(rig.words(0x1F0, 256)[0], 63);
    assert_eq!(rig.command(0x20, 999, 2), 0x41);
    assert_eq!(rig.get(0x1F1), 0x10, "beyond the end");
    assert_eq!(rig.command(0xFF, 0, 0), 0x41);
    assert_eq!(rig.get(0x1F1), 4);
    rig.command(0xF8, 0, 0);
    assert_eq!((rig.get(0x1F3), rig.get(0x1F4)), (0xE7, 3));
    rig.command(0xE7, 0, 0);
    assert_eq!(*rig.disk.flushes.lock(), 1);
}

#[test]
fn resets_and_absent_drives() {
    let rig = rig();
    rig.put(0x1F6, 0xB0);
    assert_eq!(rig.get(0x1F7), 0);
    rig.put(0x1F7, 0xEC);
    assert_eq!(rig.get(0x1F7), 0);
    rig.put(0x376, 4);
    assert_eq!(rig.get(0x376), 0x80);
    rig.put(0x376, 0);
    let signature = |base: u64| [2, 3, 4, 5].map(|reg| rig.get(base + reg));
    assert_eq!(signature(0x170), [1, 1, 0x14, 0xEB]);
    assert_eq!(rig.get(0x177), 0);
    rig.put(0x1F7, 0x90);
    assert_eq!(signature(0x1F0), [1, 1, 0, 0]);
    assert_eq!(rig.get(0x1F1), 1);
    rig.put(0x176, 0xA0);
    rig.put(0x177, 0xEC);
    assert_eq!((rig.get(0x177) & 1, rig.get(0x174), rig.get(0x175)), (1, 0x14, 0xEB));
    rig.put(0x3F6, 2);
    rig.command(0xEC, 0, 0);
    assert!(!rig.irqs[0].level(), "nIEN");
    rig.put(0x3F6, 0);
    assert!(rig.irqs[0].level());
}

#[test]
fn the_bus_master() {
    let rig = rig();
    assert_eq!(rig.command(0xC8, 30, 4), 0x58);
    let status = rig.start(0, &[(0x2_0000, 1024), (0x3_0002, 1022), (0x4_0000, 2)], true);
    assert_eq!(status, 4);
    assert!(rig.irqs[0].level());
    assert_eq!(rig.get(0x1F7), 0x50);
    let byte = |at: u64| rig.board.dma().read::<u8>(at).unwrap();
    assert_eq!((byte(0x2_0000), byte(0x2_03FF), byte(0x3_0002), byte(0x4_0001)), (30, 31, 32, 33));
    assert_eq!((byte(0x3_0001), byte(0x4_0002)), (0, 0));

    rig.board.dma().write_bytes(0x2_0000, &[0x77; 512]).unwrap();
    rig.command(0xCA, 50, 1);
    assert_eq!(rig.start(0, &[(0x2_0000, 512)], false), 4);
    assert_eq!(rig.disk.bytes.lock()[50 * 512..51 * 512], [0x77; 512]);

    rig.command(0xC8, 0, 4);
    assert_eq!(rig.start(0, &[(0x2_0000, 512)], true) & 3, 2, "the table is too short");
    assert_eq!(rig.get(0x1F7) & 1, 1);
    rig.command(0xC8, 0, 1);
    assert_eq!(rig.start(0, &[(0x2_0000, 512)], false) & 3, 2, "the wrong way");
    rig.command(0xC8, 0, 1);
    assert_eq!(rig.start(0, &[(0xF000_0000, 512)], true) & 3, 2, "no memory");
}

#[test]
fn packets() {
    let rig = rig();
    assert_eq!(rig.packet(0, 0xFFFE, [0x12, 0, 0, 0, 36, 0, 0, 0, 0, 0, 0, 0]), 0x58);
    assert_eq!((rig.get(0x172), rig.get(0x174)), (2, 36));
    assert!(rig.irqs[1].level());
    let inquiry = rig.words(0x170, 18);
    assert_eq!((inquiry[0], &inquiry[8..16]), (5, &b"LYREBIRD"[..]));
    assert_eq!((rig.get(0x177), rig.get(0x172)), (0x50, 3));

    rig.packet(0, 0xFFFE, [0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(rig.words(0x170, 4), [0, 0, 0, 99, 0, 0, 8, 0]);

    // Two blocks in pieces of 2048 bytes.
    assert_eq!(rig.packet(0, 2048, [0x28, 0, 0, 0, 0, 10, 0, 0, 2, 0, 0, 0]), 0x58);
    assert_eq!(rig.words(0x170, 1024)[..2], [40, 40]);
    assert_eq!((rig.get(0x177), rig.get(0x172)), (0x58, 2));
    assert_eq!(rig.words(0x170, 1024)[2047], 47);
    assert_eq!((rig.get(0x177), rig.get(0x172)), (0x50, 3));

    rig.packet(1, 0, [0xA8, 0, 0, 0, 0, 98, 0, 0, 0, 2, 0, 0]);
    assert_eq!(rig.start(1, &[(0x5_0000, 4096)], true), 4);
    assert_eq!(rig.board.dma().read::<u8>(0x5_0FFF), Ok(399u16 as u8));

    assert_eq!(rig.packet(0, 0xFFFE, [0x28, 0, 0, 0, 0, 99, 0, 0, 2, 0, 0, 0]), 0x41);
    assert_eq!(rig.get(0x171), 0x50);
    rig.packet(0, 18, [3, 0, 0, 0, 18, 0, 0, 0, 0, 0, 0, 0]);
    let sense = rig.words(0x170, 9);
    assert_eq!((sense[2], sense[12]), (5, 0x21));
    assert_eq!(rig.packet(0, 0xFFFE, [0x43, 2, 0, 0, 0, 0, 0, 0, 20, 0, 0, 0]), 0x58);
    let toc = rig.words(0x170, 10);
    assert_eq!(
        (toc[..4].to_vec(), toc[9], toc[14], &toc[17..]),
        (vec![0, 18, 1, 1], 0, 0xAA, &[0, 3, 25][..])
    );
}

#[test]
fn discs_are_changed() {
    let rig = rig();
    let ready = [0; 12];
    let change = |disc: Option<Arc<RamDisk>>| {
        let mut ide = rig.ide.lock();
        let Some(Drive::Cdrom(cd)) = ide.device_mut().drive(2) else { panic!("no CD-ROM") };
        cd.change(disc.map(|d| d as Arc<dyn crate::block::BlockBackend>));
    };
    assert_eq!(rig.packet(0, 0, ready), 0x50);
    change(None);
    assert_eq!((rig.packet(0, 0, ready), rig.get(0x171)), (0x41, 0x20));
    change(Some(RamDisk::new(8)));
    rig.packet(0, 8, [0x4A, 1, 0, 0, 0x10, 0, 0, 0, 8, 0, 0, 0]);
    assert_eq!(rig.words(0x170, 4)[4..6], [2, 2]);
    assert_eq!((rig.packet(0, 0, ready), rig.get(0x171)), (0x41, 0x60), "unit attention");
    assert_eq!(rig.packet(0, 0, ready), 0x50);
}

#[test]
fn a_transfer_goes_on_after_a_snapshot() {
    let (a, b) = (rig(), rig());
    a.command(0x20, 5, 2);
    a.words(0x1F0, 100);
    let saved = a.ide.lock().save().unwrap();
    b.ide.lock().load(&saved).unwrap();
    assert!(b.irqs[0].level());
    assert_eq!(b.words(0x1F0, 156), [5; 312]);
    assert_eq!(b.words(0x1F0, 256), [6; 512]);
    assert_eq!(b.get(0x1F7), 0x50);
}
