//! The transport, driven through configuration space and regions as drivers do.

use super::*;
use crate::pci::testing::{Board, SLOT, check};
use crate::virtio::rng::{Rng, RngOptions};

const DESC: u64 = 0x1_0000;
const AVAIL: u64 = 0x2_0000;
const USED: u64 = 0x3_0000;
const BUFFER: u64 = 0x4_0000;

fn rng() -> Box<dyn VirtioDevice> {
    Box::new(Rng::new(RngOptions { seed: Some(7), limit: None }))
}

fn board(modern_only: bool) -> (Board, Arc<Mutex<Function<VirtioPci>>>) {
    let board = Board::new();
    let options = PciOptions { modern_only, vectors: None };
    let function = VirtioPci::function(rng(), board.dma(), options);
    board.place(function)
}

/// Offers a buffer of 32 bytes for the device to write.
fn offer(board: &Board, desc: u64, avail: u64, round: u16) {
    let dma = board.dma();
    dma.write(desc, BUFFER).unwrap();
    dma.write(desc + 8, 2u64 << 32 | 32).unwrap();
    dma.write(avail + 4 + 2 * (u64::from(round) % 8), 0u16).unwrap();
    dma.write(avail + 2, round + 1).unwrap();
}

fn used(board: &Board, used: u64) -> u16 {
    board.dma().read(used + 2).unwrap()
}

/// The sequence of 3.1.1 over the modern region at `base`.
fn start_modern(board: &Board, base: u64) {
    let put = |at, size, value| board.put(base + at, size, value);
    put(0x14, Size::B1, 0);
    put(0x14, Size::B1, 3);
    put(8, Size::B4, 1);
    put(0xC, Size::B4, 1);
    put(0x14, Size::B1, 11);
    assert_eq!(board.get(base + 0x14, Size::B1), 11);
    put(0x16, Size::B2, 0);
    put(0x18, Size::B2, 8);
    put(0x20, Size::B4, DESC);
    put(0x24, Size::B4, 0);
    put(0x28, Size::B8, AVAIL);
    put(0x30, Size::B4, USED);
    put(0x1C, Size::B2, 1);
    put(0x14, Size::B1, 15);
}

#[test]
fn conforms() {
    let make = |modern_only| {
        let options = PciOptions { modern_only, vectors: None };
        VirtioPci::function(rng(), Dma::open(), options)
    };
    check(|| make(false), &[(0, 0x20), (1, 0x1000), (4, 0x100), (4, 0x4000)]);
    check(|| make(true), &[(1, 0x1000), (4, 0x4000)]);
}

#[test]
fn looks_like_qemus() {
    let function = VirtioPci::function(rng(), Dma::open(), PciOptions::default());
    let words = [
        (0x00, 0x1005_1AF4),
        (0x04, 0x0010_0000),
        (0x08, 0x00FF_0000),
        (0x10, 1),
        (0x20, 0xC),
        (0x2C, 0x0004_1AF4),
        (0x34, 0x98),
        (0x40, 0x0110_0009),
        (0x44, 4),
        (0x48, 0),
        (0x4C, 0x1000),
        (0x50, 0x0310_4009),
        (0x58, 0x1000),
        (0x60, 0x0410_5009),
        (0x70, 0x0214_6009),
        (0x78, 0x3000),
        (0x80, 4),
        (0x84, 0x0514_7009),
        (0x98, 0x0001_8411),
        (0x9C, 1),
        (0xA0, 0x801),
    ];
    for (at, value) in words {
        assert_eq!(function.config().dword(at), value, "{at:#x}");
    }
    let modern = VirtioPci::function(rng(), Dma::open(), PciOptions { modern_only: true, vectors: None });
    assert_eq!((modern.config().dword(0), modern.config().byte(8)), (0x1044_1AF4, 1));
    assert_eq!(modern.config().dword(0x10), 0);
}

#[test]
fn a_modern_driver_with_the_pin() {
    let (board, function) = board(true);
    let base = board.base(4);
    assert_eq!(board.get(base + 0x12, Size::B2), 1);
    assert_eq!(board.get(base + 0x18, Size::B2), 8);
    start_modern(&board, base);
    for round in 0..20 {
        offer(&board, DESC, AVAIL, round);
        board.put(base + 0x3000, Size::B2, 0);
        assert_eq!(used(&board, USED), round + 1);
        assert!(board.intx());
        assert_eq!(board.get(base + 0x1000, Size::B1), 1);
        assert!(!board.intx(), "reading ISR lowers the pin");
    }
    assert_ne!(board.dma().read::<u64>(BUFFER), Ok(0));
    use crate::bus::device::Device;
    let saved = function.lock().save().unwrap();
    function.lock().reset();
    assert_eq!(board.get(0x1000, Size::B1), 0);
    function.lock().load(&saved).unwrap();
    offer(&board, DESC, AVAIL, 20);
    board.put(base + 0x3000, Size::B2, 0);
    assert_eq!(used(&board, USED), 21);
}

#[test]
fn messages() {
    let (board, _) = board(true);
    let (base, table) = (board.base(4), board.base(1));
    for vector in 0..2 {
        board.put(table + 16 * vector, Size::B8, 0xFEE0_0000);
        board.put(table + 16 * vector + 8, Size::B8, 0x40 + vector);
    }
    board.set_config(SLOT, 0x9A, Size::B2, 0x8000);
    start_modern(&board, base);
    board.put(base + 0x1A, Size::B2, 1);
    board.put(base + 0x10, Size::B2, 9);
    assert_eq!(board.get(base + 0x10, Size::B2), 0xFFFF, "no such vector");
    board.put(base + 0x10, Size::B2, 0);
    assert_eq!(board.get(base + 0x1A, Size::B2), 1);
    offer(&board, DESC, AVAIL, 0);
    board.put(base + 0x3000, Size::B2, 0);
    assert_eq!(*board.log.messages.lock(), [(0xFEE0_0000, 0x41)]);
    assert!(!board.intx());
    // A head outside of the table: the configuration's vector says that the device needs a reset.
    board.dma().write(AVAIL + 4 + 2, 99u16).unwrap();
    board.dma().write(AVAIL + 2, 2u16).unwrap();
    board.put(base + 0x3000, Size::B2, 0);
    assert_eq!(board.log.messages.lock().last(), Some(&(0xFEE0_0000, 0x40)));
    assert_eq!(board.get(base + 0x14, Size::B1) & 0x40, 0x40);
}

#[test]
fn a_legacy_driver() {
    let (board, _) = board(false);
    let io = board.base(0);
    assert_ne!(board.inp(io, Size::B4), 0);
    board.outp(io + 0x12, Size::B1, 3);
    board.outp(io + 4, Size::B4, 0);
    board.outp(io + 0xE, Size::B2, 0);
    assert_eq!(board.inp(io + 0xC, Size::B2), 8);
    board.outp(io + 8, Size::B4, 0x50);
    board.outp(io + 0x12, Size::B1, 7);
    let (desc, avail, ring) = (0x5_0000, 0x5_0080, 0x5_1000);
    for round in 0..3 {
        offer(&board, desc, avail, round);
        board.outp(io + 0x10, Size::B2, 0);
        assert_eq!(used(&board, ring), round + 1);
        assert!(board.intx());
        assert_eq!(board.inp(io + 0x13, Size::B1), 1);
        assert!(!board.intx());
    }
    assert_eq!(board.inp(io + 8, Size::B4), 0x50);
    board.outp(io + 8, Size::B4, 0);
    assert_eq!(board.inp(io + 0x12, Size::B1), 0, "page 0 starts the device over");
}

#[test]
fn the_window_in_configuration_space() {
    let (board, _) = board(true);
    board.set_config(SLOT, 0x88, Size::B1, 4);
    board.set_config(SLOT, 0x8C, Size::B4, 0x12);
    board.set_config(SLOT, 0x90, Size::B4, 2);
    assert_eq!(board.config(SLOT, 0x94, Size::B2), 1, "num_queues");
    board.set_config(SLOT, 0x8C, Size::B4, 0x14);
    board.set_config(SLOT, 0x90, Size::B4, 1);
    board.set_config(SLOT, 0x94, Size::B1, 3);
    assert_eq!(board.get(board.base(4) + 0x14, Size::B1), 3);
    board.set_config(SLOT, 0x90, Size::B4, 8);
    board.set_config(SLOT, 0x94, Size::B4, 0);
    assert_eq!(board.get(board.base(4) + 0x14, Size::B1), 3, "8 bytes are too many");
}
