//! The controller as a driver uses it: lists, tables and FISes in memory.

use super::*;
use crate::bus::device::Device;
use crate::pci::testing::{Board, SLOT, check};
use crate::storage::testing::{RamDisk, cdrom, disk};
use parking_lot::Mutex;
use std::sync::Arc;

const LIST: u64 = 0x1_0000;
const RECEIVED: u64 = 0x1_1000;
const TABLES: u64 = 0x1_2000;
const DATA: u64 = 0x4_0000;

struct Rig {
    board: Board,
    ahci: Arc<Mutex<Function<Ahci>>>,
    abar: u64,
    disk: Arc<RamDisk>,
}

/// A disk at port 0 and a CD-ROM at port 2.
fn rig() -> Rig {
    let (hd, cd) = (RamDisk::new(2000), RamDisk::new(400));
    let board = Board::new();
    let function = Ahci::function([disk(&hd), None, cdrom(&cd), None, None, None], board.dma());
    let (board, ahci) = board.place(function);
    let abar = board.base(5);
    let rig = Rig { board, ahci, abar, disk: hd };
    rig.put(GHC, AE | IE);
    rig
}

impl Rig {
    fn get(&self, reg: u64) -> u32 {
        self.board.get(self.abar + reg, Size::B4) as u32
    }

    fn put(&self, reg: u64, value: u32) {
        self.board.put(self.abar + reg, Size::B4, value.into());
    }

    fn port(&self, port: u64, reg: u64) -> u32 {
        self.get(0x100 + 0x80 * port + reg)
    }

    fn set_port(&self, port: u64, reg: u64, value: u32) {
        self.put(0x100 + 0x80 * port + reg, value);
    }

    fn start(&self, port: u64) {
        self.set_port(port, 0x18, 0);
        self.set_port(port, 0x00, LIST as u32);
        self.set_port(port, 0x08, RECEIVED as u32);
        self.set_port(port, 0x18, 0x10);
        self.set_port(port, 0x30, u32::MAX);
        self.set_port(port, 0x10, u32::MAX);
        self.set_port(port, 0x14, 0x7DC0_007F);
        self.set_port(port, 0x18, 0x11);
        assert_eq!(self.port(port, 0x18) & 0xC011, 0xC011);
    }

    /// Builds a command in `slot`: the FIS from byte 2 on, the regions, and a packet.
    fn build(&self, slot: u64, write: bool, fis: &[u8], regions: &[(u64, u32)], packet: &[u8]) {
        let dma = self.board.dma();
        let table = TABLES + 0x400 * slot;
        dma.write_bytes(table, &[0; 0x80]).unwrap();
        dma.write_bytes(table, &[0x27, 0x80]).unwrap();
        dma.write_bytes(table + 2, fis).unwrap();
        dma.write_bytes(table + 0x40, packet).unwrap();
        for (i, &(at, len)) in regions.iter().enumerate() {
            let entry = table + 0x80 + 16 * i as u64;
            dma.write(entry, at).unwrap();
            dma.write(entry + 8, u64::from(len - 1) << 32).unwrap();
        }
        let flags = 5 | u32::from(write) << 6 | (regions.len() as u32) << 16;
        dma.write(LIST + 32 * slot, flags).unwrap();
        dma.write(LIST + 32 * slot + 4, 0u32).unwrap();
        dma.write(LIST + 32 * slot + 8, table).unwrap();
    }

    fn byte(&self, at: u64) -> u8 {
        self.board.dma().read(at).unwrap()
    }
}

/// A FIS from byte 2 on: command, 48-bit address, count.
fn ext(command: u8, lba: u64, count: u16) -> [u8; 12] {
    let l = lba.to_le_bytes();
    let c = count.to_le_bytes();
    [command, 0, l[0], l[1], l[2], 0x40, l[3], l[4], l[5], 0, c[0], c[1]]
}

/// A queued command likewise.
fn queued(command: u8, lba: u64, count: u8, tag: u8) -> [u8; 12] {
    let mut fis = ext(command, lba, u16::from(tag) << 3);
    fis[1] = count;
    fis
}

#[test]
fn conforms() {
    let (hd, cd) = (RamDisk::new(64), RamDisk::new(64));
    let make = || Ahci::function([disk(&hd), None, cdrom(&cd), None, None, None], Dma::open());
    check(make, &[(INDEX, 0x20), (ABAR, ABAR_LEN)]);
}

#[test]
fn looks_like_qemus() {
    let rig = rig();
    for (at, value) in
        [(0, 0x2922_8086), (8, 0x0106_0102), (0x34, 0x80), (0x80, 0x0080_A805), (0xA8, 0x0010_0012)]
    {
        assert_eq!(rig.board.config(SLOT, at, Size::B4), value, "{at:#x}");
    }
    assert_eq!((rig.get(PI), rig.get(VS), rig.get(CAP) & 0x1F), (0x3F, 0x1_0000, 5));
    assert_eq!((rig.port(0, 0x28), rig.port(1, 0x28), rig.port(1, 0x20)), (0x113, 0, 0x7F));
    assert_eq!((rig.port(0, 0x24), rig.port(2, 0x24)), (0x101, 0xEB14_0101));
    let io = rig.board.base(4);
    rig.board.outp(io + 0x10, Size::B4, VS);
    assert_eq!(rig.board.inp(io + 0x14, Size::B4), 0x1_0000);
}

#[test]
fn identify_and_reads() {
    let rig = rig();
    rig.start(0);
    assert_eq!(rig.byte(RECEIVED + 0x40), 0x34, "the signature");
    assert_eq!(rig.port(0, 0x20), 0x150);
    rig.build(0, false, &ext(0xEC, 0, 0), &[(DATA, 512)], &[]);
    rig.set_port(0, 0x38, 1);
    assert_eq!((rig.port(0, 0x38), rig.port(0, 0x10), rig.get(IS)), (0, 2, 1));
    assert!(rig.board.intx());
    assert_eq!((rig.byte(RECEIVED + 0x20), rig.byte(RECEIVED + 0x2F)), (0x5F, 0x50));
    assert_eq!(rig.board.dma().read::<u16>(DATA + 120), Ok(2000));
    rig.set_port(0, 0x10, 2);
    assert!(!rig.board.intx());

    rig.build(3, false, &ext(0x25, 0x101, 4), &[(DATA, 512), (DATA + 0x1000, 1536)], &[]);
    rig.set_port(0, 0x38, 8);
    assert_eq!((rig.port(0, 0x38), rig.port(0, 0x10)), (0, 1));
    assert_eq!((rig.byte(DATA), rig.byte(DATA + 0x1000), rig.byte(DATA + 0x15FF)), (1, 2, 4));
    assert_eq!(rig.board.dma().read::<u32>(LIST + 32 * 3 + 4), Ok(2048));
    assert_eq!(rig.byte(RECEIVED + 0x42), 0x50);

    rig.board.dma().write_bytes(DATA, &[0x99; 1024]).unwrap();
    rig.build(1, true, &ext(0x35, 7, 2), &[(DATA, 1024)], &[]);
    rig.set_port(0, 0x38, 2);
    assert_eq!(rig.disk.bytes.lock()[7 * 512..9 * 512], [0x99; 1024]);
}

#[test]
fn queued_commands() {
    let rig = rig();
    rig.start(0);
    for tag in 0..4u8 {
        let at = DATA + 0x1000 * u64::from(tag);
        rig.build(tag.into(), false, &queued(0x60, u64::from(tag) + 40, 1, tag), &[(at, 512)], &[]);
    }
    rig.set_port(0, 0x34, 0xF);
    rig.set_port(0, 0x38, 0xF);
    assert_eq!((rig.port(0, 0x34), rig.port(0, 0x38), rig.port(0, 0x10)), (0, 0, 8));
    (0..4).for_each(|tag| assert_eq!(rig.byte(DATA + 0x1000 * tag), 40 + tag as u8));
    assert_eq!(rig.byte(RECEIVED + 0x58), 0xA1);

    rig.board.dma().write_bytes(DATA, &[0x55; 512]).unwrap();
    rig.build(0, true, &queued(0x61, 3, 1, 0), &[(DATA, 512)], &[]);
    rig.set_port(0, 0x34, 1);
    rig.set_port(0, 0x38, 1);
    assert_eq!(rig.disk.bytes.lock()[3 * 512], 0x55);
}

#[test]
fn failures_stop_the_list() {
    let rig = rig();
    rig.start(0);
    rig.build(0, false, &ext(0x25, 1999, 2), &[(DATA, 1024)], &[]);
    rig.build(1, false, &ext(0x25, 0, 1), &[(DATA, 512)], &[]);
    rig.set_port(0, 0x38, 3);
    assert_eq!((rig.port(0, 0x38), rig.port(0, 0x10)), (3, 1 | 1 << 30));
    assert_eq!(rig.port(0, 0x20), 0x1041);
    rig.set_port(0, 0x18, 0x10);
    assert_eq!(rig.port(0, 0x38), 0);
    rig.set_port(0, 0x10, u32::MAX);
    rig.set_port(0, 0x18, 0x11);
    rig.set_port(0, 0x38, 2);
    assert_eq!((rig.port(0, 0x38), rig.port(0, 0x10)), (0, 1));
    rig.build(0, false, &ext(0x25, 0, 2), &[(DATA, 512)], &[]);
    rig.set_port(0, 0x38, 1);
    assert_eq!(rig.port(0, 0x20) & 1, 1, "no room");
    rig.start(0);
    rig.set_port(0, 0x00, 0xF000_0000);
    rig.set_port(0, 0x38, 1);
    assert_eq!(rig.port(0, 0x10) & 1 << 29, 1 << 29, "no list");
}

#[test]
fn resets() {
    let rig = rig();
    rig.start(0);
    rig.board.dma().write_bytes(RECEIVED, &[0; 0x100]).unwrap();
    rig.set_port(0, 0x2C, 0x301);
    assert_eq!(rig.port(0, 0x28), 0);
    rig.set_port(0, 0x2C, 0x300);
    assert_eq!((rig.port(0, 0x28), rig.port(0, 0x30)), (0x113, 1 << 26));
    assert_eq!(rig.byte(RECEIVED + 0x40), 0x34);
    // Software reset: a control FIS that sets SRST, and one that clears it.
    rig.build(0, false, &[0; 12], &[], &[]);
    rig.board.dma().write_bytes(TABLES + 1, &[0]).unwrap();
    rig.board.dma().write_bytes(TABLES + 15, &[4]).unwrap();
    rig.set_port(0, 0x38, 1);
    rig.set_port(0, 0x10, u32::MAX);
    rig.board.dma().write_bytes(TABLES + 15, &[0]).unwrap();
    rig.set_port(0, 0x38, 1);
    assert_eq!((rig.port(0, 0x38), rig.port(0, 0x10) & 1, rig.port(0, 0x20)), (0, 1, 0x150));
    rig.put(GHC, AE | HR);
    assert_eq!((rig.get(GHC), rig.port(0, 0x00), rig.port(0, 0x18)), (AE, LIST as u32, 6));
}

#[test]
fn packets_and_messages() {
    let rig = rig();
    rig.board.set_config(SLOT, 0x84, Size::B4, 0xFEE0_0000);
    rig.board.set_config(SLOT, 0x8C, Size::B2, 0x55);
    rig.board.set_config(SLOT, 0x82, Size::B2, 1);
    rig.start(2);
    rig.board.log.messages.lock().clear();
    let read = [0x28, 0, 0, 0, 0, 10, 0, 0, 2, 0, 0, 0];
    rig.build(0, false, &[0xA0, 1, 0, 0, 0, 0xA0, 0, 0, 0, 0, 0, 0], &[(DATA, 4096)], &read);
    rig.set_port(2, 0x38, 1);
    assert_eq!((rig.port(2, 0x38), rig.port(2, 0x10)), (0, 1));
    assert_eq!((rig.byte(DATA), rig.byte(DATA + 4095)), (40, 47));
    assert_eq!(*rig.board.log.messages.lock(), [(0xFEE0_0000, 0x55)]);
    assert!(!rig.board.intx());
    rig.set_port(2, 0x10, u32::MAX);
    rig.build(0, false, &[0xA0, 0, 0, 0, 0, 0xA0, 0, 0, 0, 0, 0, 0], &[], &[0xFF; 12]);
    rig.set_port(2, 0x38, 1);
    assert_eq!((rig.port(2, 0x10), rig.port(2, 0x20)), (1 | 1 << 30, 0x5041));
    let saved = rig.ahci.lock().save().unwrap();
    rig.ahci.lock().reset();
    assert!(!rig.board.memory.is_assigned(rig.abar));
    rig.ahci.lock().load(&saved).unwrap();
    assert_eq!(rig.ahci.lock().save().unwrap(), saved);
}
