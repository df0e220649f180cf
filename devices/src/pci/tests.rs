//! The bus as a guest sees it: configuration mechanisms, windows, pins and messages.

use super::bar::Bar;
use super::bus::{Devfn, i440fx_swizzle, q35_swizzle};
use super::config::{ConfigSpace, Identity};
use super::function::{Function, Header, PciDevice};
use super::host::{ConfigPorts, Ecam, PORT, PORTS};
use super::i440fx::I440fx;
use super::intx::Intx;
use super::msi::Msi;
use super::msix::Msix;
use super::piix3::Piix3;
use super::pirq::PirqRouter;
use super::q35::Mch;
use super::testing::{Board, CPU, SLOT, check};
use crate::bus::device::{BusError, BusResult, Initiator, Size};
use crate::bus::irq::Wire;
use crate::bus::shadow::{NoShadow, ShadowControl};
use crate::bus::snapshot::{self, StateError};
use crate::bus::span::Span;
use parking_lot::Mutex;
use std::sync::Arc;

/// Answers with region and offset; a write to region 0 sets the pin and sends message 1.
struct Probe {
    intx: Intx,
    msi: Option<Msi>,
    msix: Option<Msix>,
    last: u64,
}

fn probe(msi: bool) -> Function<Probe> {
    let mut header = Header::new(Identity::new(0x1234, 0x5678, 1, 0xFF_0000));
    header.bar(0, Bar::memory(0x1000));
    header.bar(1, Bar::io(0x10));
    let intx = header.pin(1);
    let msi = msi.then(|| header.msi(0));
    let msix = msi.is_none().then(|| header.msix(0, 3, 2));
    Function::new(header, Probe { intx, msi, msix, last: 0 })
}

impl PciDevice for Probe {
    fn name(&self) -> &'static str {
        "probe"
    }
    fn read(&mut self, region: usize, at: u64, _: Size, _: Initiator) -> BusResult<u64> {
        if region < 2 { Ok((region as u64) << 16 | at) } else { Err(BusError::NoRegister) }
    }
    fn write(&mut self, region: usize, _: u64, _: Size, value: u64, _: Initiator) -> BusResult<()> {
        if region == 0 {
            self.last = value;
            self.intx.set(value != 0);
            if let Some(msi) = &self.msi {
                msi.notify();
            }
            if let Some(msix) = &self.msix {
                msix.notify(value as u16);
            }
        }
        Ok(())
    }
    fn reset(&mut self) {
        self.last = 0;
        self.intx.set(false);
    }
    fn save(&self) -> Result<Vec<u8>, StateError> {
        snapshot::save(&self.last)
    }
    fn load(&mut self, saved: &[u8]) -> Result<(), StateError> {
        self.last = snapshot::load(saved)?;
        self.intx.set(self.last != 0);
        Ok(())
    }
}

#[test]
fn conform() {
    check(|| probe(true), &[(0, 0x1000), (1, 0x10)]);
    check(|| probe(false), &[(0, 0x1000), (1, 0x10), (2, 0x1000)]);
    check(|| I440fx::function(Arc::new(NoShadow)), &[]);
    let router = || Arc::new(PirqRouter::new(std::array::from_fn(|_| Wire::open()), Vec::new()));
    check(|| Piix3::function(router()), &[]);
    check(|| Mch::function(Board::new().bus, Arc::new(NoShadow)), &[]);
    let ports = || ConfigPorts::new(Board::new().bus, Wire::open());
    crate::bus::conformance::check_socket(ports, PORTS);
}

#[test]
fn mechanism_1() {
    let board = Board::new();
    board.bus.plug(SLOT, probe(true)).unwrap();
    assert!(board.bus.plug(SLOT, probe(true)).is_err());
    let ports = Arc::new(ConfigPorts::new(board.bus.clone(), Wire::open()));
    board.io.add_device(PORT, PORTS, ports).unwrap();
    assert_eq!(board.inp(0xCFC, Size::B4), 0xFFFF_FFFF, "not enabled");
    board.outp(0xCF8, Size::B4, 0x8000_0000 | 3 << 11);
    assert_eq!(board.inp(0xCF8, Size::B4), 0x8000_1800);
    assert_eq!(board.inp(0xCFC, Size::B4), 0x5678_1234);
    assert_eq!(board.inp(0xCFE, Size::B2), 0x5678);
    assert_eq!(board.inp(0xCFD, Size::B1), 0x12);
    board.outp(0xCF8, Size::B4, 0x8000_003C | 3 << 11);
    board.outp(0xCFC, Size::B1, 0x0B);
    assert_eq!(board.inp(0xCFC, Size::B2), 0x10B);
    for nobody in [0x8000_0000 | 4 << 11, 0x8000_0100 | 3 << 11, 0x8001_0000 | 3 << 11] {
        board.outp(0xCF8, Size::B4, nobody);
        assert_eq!(board.inp(0xCFC, Size::B4), 0xFFFF_FFFF);
    }
}

#[test]
fn port_cf9_resets() {
    struct Count(Mutex<u32>);
    impl crate::bus::irq::LineSink for Count {
        fn set_line(&self, _: u32, level: bool) {
            *self.0.lock() += u32::from(level);
        }
    }
    let board = Board::new();
    let count = Arc::new(Count(Mutex::new(0)));
    let reset = Wire::new("reset", count.clone(), 0);
    board.io.add_device(PORT, PORTS, Arc::new(ConfigPorts::new(board.bus.clone(), reset))).unwrap();
    board.outp(0xCF9, Size::B1, 2);
    assert_eq!((*count.0.lock(), board.inp(0xCF9, Size::B1)), (0, 2));
    board.outp(0xCF9, Size::B1, 6);
    assert_eq!(*count.0.lock(), 1);
}

#[test]
fn windows_follow_the_registers() {
    let (board, function) = Board::with(probe(true));
    let (mem, io) = (board.base(0), board.base(1));
    assert_eq!(board.get(mem + 0x123, Size::B4), 0x123);
    assert_eq!(board.inp(io + 5, Size::B1), 5);
    board.set_config(SLOT, 0x10, Size::B4, 0xD000_0000);
    assert_eq!(board.get(0xD000_0008, Size::B4), 8);
    assert!(board.memory.read(mem, Size::B4, CPU).is_err());
    board.set_config(SLOT, 0x10, Size::B4, 0x1000);
    board.put(0x1000, Size::B4, 77);
    assert_eq!(board.get(0x1000, Size::B4), 77, "RAM stays where it is");
    board.set_config(SLOT, 0x10, Size::B4, 0xD000_0000);
    board.set_config(SLOT, 4, Size::B2, 1);
    assert!(board.memory.read(0xD000_0000, Size::B4, CPU).is_err());
    assert_eq!(board.inp(io + 5, Size::B1), 5);
    board.set_config(SLOT, 4, Size::B2, 3);
    let saved = crate::bus::device::Device::save(&*function.lock()).unwrap();
    crate::bus::device::Device::reset(&mut *function.lock());
    assert!(!board.memory.is_assigned(0xD000_0000) && !board.io.is_assigned(io));
    crate::bus::device::Device::load(&mut *function.lock(), &saved).unwrap();
    assert!(board.memory.is_assigned(0xD000_0000) && board.io.is_assigned(io));
    let info = board.bus.info();
    assert!(info.contains("BAR0: 32 bit memory at 0xd0000000 [0xd0000fff]"), "{info}");
}

#[test]
fn pins_are_swizzled_shared_and_masked() {
    let (board, _) = Board::with(probe(true));
    let other = Devfn::new(7, 0);
    let second = board.bus.plug(other, probe(true)).unwrap();
    let mem = board.base(0);
    board.put(mem, Size::B4, 1);
    assert!(board.intx());
    assert_eq!(board.config(SLOT, 6, Size::B2) & 8, 8);
    second.lock().device().intx.set(true);
    board.put(mem, Size::B4, 0);
    assert!(board.intx(), "slot 7 shares the line of slot 3");
    board.set_config(other, 4, Size::B2, 0x400);
    assert!(!board.intx());
    assert_eq!(board.config(other, 6, Size::B2) & 8, 8, "the status bit shows it still");
    assert_eq!((i440fx_swizzle(1, 0), i440fx_swizzle(2, 0), i440fx_swizzle(3, 3)), (0, 1, 1));
    assert_eq!((q35_swizzle(0, 0), q35_swizzle(2, 3), q35_swizzle(31, 0), q35_swizzle(30, 1)), (4, 5, 0, 5));
}

#[test]
fn msi_replaces_the_pin() {
    let (board, _) = Board::with(probe(true));
    let (mem, cap) = (board.base(0), 0x40);
    board.set_config(SLOT, cap + 4, Size::B4, 0xFEE0_1000);
    board.set_config(SLOT, cap + 12, Size::B2, 0x4041);
    board.put(mem, Size::B4, 1);
    assert!(board.intx() && board.log.messages.lock().is_empty());
    board.set_config(SLOT, cap + 2, Size::B2, 1);
    assert!(!board.intx());
    board.put(mem, Size::B4, 1);
    assert_eq!(*board.log.messages.lock(), [(0xFEE0_1000, 0x4041)]);
    board.set_config(SLOT, 4, Size::B2, 2);
    board.put(mem, Size::B4, 1);
    assert_eq!(board.log.messages.lock().len(), 1, "not without bus mastering");
}

#[test]
fn msix_masks_and_pending_bits() {
    let (board, _) = Board::with(probe(false));
    let (mem, table) = (board.base(0), board.base(2));
    for vector in 0..3 {
        board.put(table + 16 * vector, Size::B8, 0xFEE0_0000);
        board.put(table + 16 * vector + 8, Size::B4, 0x30 + vector);
    }
    assert_eq!(board.get(table + 16 + 8, Size::B8), 1 << 32 | 0x31);
    board.set_config(SLOT, 0x42, Size::B2, 0x8000);
    assert_eq!(board.config(SLOT, 0x42, Size::B2), 0x8002);
    board.put(mem, Size::B4, 1);
    assert!(board.log.messages.lock().is_empty() && !board.intx());
    assert_eq!(board.get(table + 0x800, Size::B4), 2, "pending");
    board.put(table + 16 + 12, Size::B4, 0);
    assert_eq!(*board.log.messages.lock(), [(0xFEE0_0000, 0x31)]);
    assert_eq!(board.get(table + 0x800, Size::B4), 0);
    board.set_config(SLOT, 0x42, Size::B2, 0xC000);
    board.put(mem, Size::B4, 1);
    assert_eq!(board.log.messages.lock().len(), 1);
    board.set_config(SLOT, 0x42, Size::B2, 0x8000);
    assert_eq!(board.log.messages.lock().len(), 2);
    board.put(mem, Size::B4, 999);
    assert_eq!(board.log.messages.lock().len(), 2);
}

#[derive(Default)]
struct ShadowLog(Mutex<Vec<(u64, u64, bool, bool)>>, Mutex<Vec<(bool, bool)>>);

impl ShadowControl for ShadowLog {
    fn set(&self, span: Span, read: bool, write: bool) {
        self.0.lock().push((span.first(), span.len(), read, write));
    }
    fn smram(&self, there: bool, open: bool) {
        self.1.lock().push((there, open));
    }
}

#[test]
fn pam_and_smram() {
    let shadow = Arc::new(ShadowLog::default());
    let board = Board::new();
    let at = Devfn::new(0, 0);
    let bridge = board.bus.plug(at, I440fx::function(shadow.clone())).unwrap();
    assert_eq!(shadow.0.lock().len(), 13);
    shadow.0.lock().clear();
    board.set_config(at, 0x59, Size::B1, 0x30);
    board.set_config(at, 0x5A, Size::B2, 0x2110);
    let expected = [
        (0xF_0000, 0x1_0000, true, true),
        (0xC_4000, 0x4000, true, false),
        (0xC_8000, 0x4000, true, false),
        (0xC_C000, 0x4000, false, true),
    ];
    assert_eq!(*shadow.0.lock(), expected);
    board.set_config(at, 0x72, Size::B1, 0x4A);
    board.set_config(at, 0x72, Size::B1, 0x1A);
    board.set_config(at, 0x72, Size::B1, 0x4A);
    assert_eq!(board.config(at, 0x72, Size::B1), 0x1A, "locked");
    assert_eq!(*shadow.1.lock(), [(false, false), (true, true), (true, false)]);
    crate::bus::device::Device::reset(&mut *bridge.lock());
    board.set_config(at, 0x72, Size::B1, 0x4A);
    assert_eq!(board.config(at, 0x72, Size::B1), 0x4A);
}

#[test]
fn ecam_moves_with_pciexbar() {
    let board = Board::new();
    let at = Devfn::new(0, 0);
    board.bus.plug(at, Mch::function(board.bus.clone(), Arc::new(NoShadow))).unwrap();
    board.bus.plug(SLOT, probe(true)).unwrap();
    assert!(!board.memory.is_assigned(0xB000_0000));
    board.set_config(at, 0x60, Size::B4, 0xB000_0001);
    assert_eq!(board.get(0xB000_0000 + (3 << 15), Size::B4), 0x5678_1234);
    assert_eq!(board.get(0xB000_0000, Size::B4), 0x29C0_8086);
    assert_eq!(board.get(0xB000_0000 + (3 << 15) + 0x100, Size::B4), 0xFFFF_FFFF, "no extended registers");
    assert_eq!(board.get(0xB010_0000, Size::B8), u64::MAX, "no bus 1");
    board.put(0xB000_0060, Size::B4, 0xE000_0005);
    assert!(!board.memory.is_assigned(0xB000_0000) && !board.memory.is_assigned(0xE400_0000));
    assert_eq!(board.get(0xE000_0000 + (3 << 15), Size::B2), 0x1234);
    let ecam = Ecam::new(board.bus.clone());
    use crate::bus::device::Socket;
    assert_eq!(ecam.read(u64::MAX, Size::B1, CPU), Ok(0xFF));
}

#[test]
fn config_spaces_look_like_qemus() {
    // Words that QEMU 10.0 shows at power-on.
    let board = Board::new();
    let router = Arc::new(PirqRouter::new(std::array::from_fn(|_| Wire::open()), Vec::new()));
    board.bus.plug(Devfn::new(0, 0), I440fx::function(Arc::new(NoShadow))).unwrap();
    board.bus.plug(Devfn::new(1, 0), Piix3::function(router)).unwrap();
    let words = |slot, list: &[(usize, u64)]| {
        for &(at, value) in list {
            assert_eq!(board.config(Devfn::new(slot, 0), at, Size::B4), value, "{slot}: {at:#x}");
        }
    };
    words(
        0,
        &[(0, 0x1237_8086), (4, 0), (8, 0x0600_0002), (0xC, 0), (0x54, 0x1000_0000), (0x70, 0x0002_0000)],
    );
    words(
        1,
        &[(0, 0x7000_8086), (4, 0x0200_0000), (8, 0x0601_0000), (0xC, 0x0080_0000), (0x4C, 0x0003_004D)],
    );
    words(
        1,
        &[(0x60, 0x8080_8080), (0x68, 0x0200), (0x70, 0x80), (0x74, 0x0C0C_0000), (0x78, 2), (0xA8, 0xF)],
    );
    let mut config = ConfigSpace::new(Identity::new(1, 2, 3, 4));
    config.put(0x1000, 1);
}
