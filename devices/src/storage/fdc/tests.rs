//! The controller as a driver uses it.

use super::*;
use crate::block::BlockInfo;
use crate::bus::conformance;
use crate::bus::dma::Dma;
use crate::dma::i8237::{I8237, Line, Moved};
use lyrebird_ram::GuestRam;
use parking_lot::Mutex;
use std::io;

struct Disk {
    bytes: Mutex<Vec<u8>>,
    read_only: bool,
}

impl Disk {
    /// Each sector is full of the low byte of its number.
    fn new(size: usize) -> Arc<Disk> {
        Arc::new(Disk { bytes: Mutex::new((0..size).map(|n| (n / 512) as u8).collect()), read_only: false })
    }
}

impl BlockBackend for Disk {
    fn size(&self) -> u64 {
        self.bytes.lock().len() as u64
    }
    fn read_only(&self) -> bool {
        self.read_only
    }
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let bytes = self.bytes.lock();
        let from = bytes.get(offset as usize..offset as usize + buf.len());
        buf.copy_from_slice(from.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        let mut bytes = self.bytes.lock();
        let to = bytes.get_mut(offset as usize..offset as usize + buf.len());
        to.ok_or(io::ErrorKind::UnexpectedEof)?.copy_from_slice(buf);
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
            file: String::new(),
            format: "raw",
            backing: Vec::new(),
            read_only: self.read_only,
            size: self.size(),
            temporary: false,
            cache: "none",
        }
    }
}

struct Bench {
    fdc: Fdc,
    irq: Wire,
    dma: Arc<Mutex<I8237>>,
    ram: Dma,
    disk: Arc<Disk>,
}

impl Bench {
    fn new(size: usize) -> Bench {
        let ram = Dma::to_ram(GuestRam::new(0x1_0000).unwrap(), 0).unwrap();
        let dma = Arc::new(Mutex::new(I8237::new(ram.clone())));
        let (irq, disk) = (Wire::open(), Disk::new(size));
        let mut fdc = Fdc::new(irq.clone(), Arc::new(Line(dma.clone(), 2)));
        fdc.set_disk(0, Some(disk.clone()));
        let mut b = Bench { fdc, irq, dma, ram, disk };
        // As a driver begins: reset, four senses, specify, data rate.
        b.w(DOR, 0);
        b.w(DOR, 0x1c);
        assert!(b.irq.level());
        for n in 0..4 {
            assert_eq!(b.command(&[8]), [0xc0 | n, 0]);
        }
        assert!(!b.irq.level());
        assert_eq!(b.command(&[3, 0xaf, 2]), []);
        b.w(DIR_CCR, Geometry::of(size as u64).rate);
        b
    }
    fn r(&mut self, reg: u64) -> u8 {
        self.fdc.read(reg, Size::B1, Initiator::Cpu(0)).unwrap() as u8
    }
    fn w(&mut self, reg: u64, value: u8) {
        self.fdc.write(reg, Size::B1, value.into(), Initiator::Cpu(0)).unwrap();
    }
    /// Writes a command and reads its result.
    fn command(&mut self, bytes: &[u8]) -> Vec<u8> {
        for &byte in bytes {
            assert_eq!(self.r(MSR_DSR) & (MSR_RQM | MSR_DIO), MSR_RQM);
            self.w(FIFO, byte);
        }
        self.result()
    }
    fn result(&mut self) -> Vec<u8> {
        let mut result = Vec::new();
        while self.r(MSR_DSR) & MSR_DIO != 0 {
            result.push(self.r(FIFO));
        }
        result
    }
    /// Channel 2 for `count` bytes at address 0.
    fn set_up(&mut self, mode: u8, count: u16) {
        let [low, high] = (count - 1).to_le_bytes();
        let writes = [(0xa, 6), (0xc, 0), (0xb, mode), (4, 0), (4, 0), (5, low), (5, high), (0xa, 2)];
        for (reg, value) in writes {
            Io::write(&mut *self.dma.lock(), reg, Size::B1, u8::into(value), Initiator::Cpu(0)).unwrap();
        }
    }
}

struct NoDma;
impl DmaChannel for NoDma {
    fn is_ready(&self) -> bool {
        true
    }
    fn put(&self, bytes: &[u8]) -> Moved {
        Moved { bytes: bytes.len(), terminal_count: false }
    }
    fn fetch(&self, bytes: &mut [u8]) -> Moved {
        Moved { bytes: bytes.len(), terminal_count: false }
    }
}

#[test]
fn conforms() {
    conformance::check(|| Fdc::new(Wire::open(), Arc::new(NoDma)), Fdc::LEN);
    let with_disk = || {
        let mut fdc = Fdc::new(Wire::open(), Arc::new(NoDma));
        fdc.set_disk(0, Some(Disk::new(360 << 10)));
        fdc
    };
    conformance::check(with_disk, Fdc::LEN);
}

#[test]
fn reads_over_dma() {
    let mut b = Bench::new(1_474_560);
    assert_eq!(b.fdc.kinds(), [Some(FloppyKind::M1_44), None]);
    b.set_up(0x46, 1024);
    // Cylinder 1, head 1, sectors 2 and 3 of 18.
    let result = b.command(&[0xe6, 4, 1, 1, 2, 2, 18, 0x1b, 0xff]);
    assert_eq!(result, [0x04, 0, 0, 1, 1, 4, 2]);
    let sector = (2 + 1) * 18 + 1;
    assert_eq!((b.ram.read::<u8>(0), b.ram.read::<u8>(1023)), (Ok(sector), Ok(sector + 1)));
    // From the last sector of one side to the other.
    b.set_up(0x46, 1024);
    assert_eq!(b.command(&[0xe6, 0, 0, 0, 18, 2, 18, 0x1b, 0xff]), [0x04, 0, 0, 0, 1, 2, 2]);
    assert_eq!((b.ram.read::<u8>(0), b.ram.read::<u8>(512)), (Ok(17), Ok(18)));
    // Beyond the end of the track.
    b.set_up(0x46, 1024);
    assert_eq!(b.command(&[0x66, 0, 0, 0, 18, 2, 18, 0x1b, 0xff])[..2], [0x40, ST1_END]);
    b.set_up(0x46, 512);
    assert_eq!(b.command(&[0x66, 0, 0, 0, 19, 2, 19, 0x1b, 0xff])[..2], [0x40, ST1_NO_DATA]);
}

#[test]
fn interrupts_of_transfers_and_seeks() {
    let mut b = Bench::new(1_474_560);
    for byte in [0x0f, 0, 5] {
        b.w(FIFO, byte);
    }
    assert!(b.irq.level());
    assert_eq!(b.r(MSR_DSR), MSR_RQM | 1);
    assert_eq!(b.command(&[8]), [0x20, 5]);
    assert_eq!((b.irq.level(), b.r(MSR_DSR)), (false, MSR_RQM));
    assert_eq!(b.command(&[8]), [0x80], "there is nothing to sense");
    assert_eq!(b.command(&[4, 0]), [0x28]);
    b.command(&[7, 0]);
    assert_eq!(b.command(&[8]), [0x20, 0]);
    assert_eq!(b.command(&[4, 0]), [0x38]);
    b.command(&[7, 3]);
    assert_eq!(b.command(&[8])[0], 0x73, "no such drive");
    assert_eq!(b.command(&[0x4a, 0]), [0, 0, 0, 0, 0, 1, 2]);
    assert_eq!(b.command(&[0x4a, 4]), [4, 0, 0, 0, 1, 2, 2]);
    assert_eq!(b.command(&[0x4a, 1])[..2], [0x41, ST1_NO_MARK], "an empty drive");
    b.set_up(0x46, 512);
    for byte in [0x46, 0, 0, 0, 1, 2, 18, 0x1b, 0xff] {
        b.w(FIFO, byte);
    }
    assert!(b.irq.level());
    b.r(FIFO);
    assert!(!b.irq.level(), "reading the result clears it");
}

#[test]
fn writes_formats_and_protection() {
    let mut b = Bench::new(737_280);
    b.ram.write_bytes(0, &[0xaa; 512]).unwrap();
    b.set_up(0x4a, 512);
    assert_eq!(b.command(&[0x45, 0, 0, 0, 3, 2, 9, 0x1b, 0xff]), [0, 0, 0, 0, 0, 4, 2]);
    assert_eq!(b.disk.bytes.lock()[2 * 512..3 * 512], [0xaa; 512]);
    b.ram.write_bytes(0, &[1, 0, 1, 2, 1, 0, 2, 2]).unwrap();
    b.set_up(0x4a, 8);
    assert_eq!(b.command(&[0x4d, 0, 2, 2, 0x50, 0xf6])[..2], [0, 0]);
    assert_eq!(b.disk.bytes.lock()[18 * 512..20 * 512], [0xf6; 1024]);
    let protected = Disk { bytes: Mutex::new(vec![0; 737_280]), read_only: true };
    b.fdc.set_disk(0, Some(Arc::new(protected)));
    b.set_up(0x4a, 512);
    assert_eq!(b.command(&[0x45, 0, 0, 0, 3, 2, 9, 0x1b, 0xff])[..2], [0x40, ST1_PROTECTED]);
    assert_eq!(b.command(&[4, 0]), [0x68], "protected, two-sided, at cylinder 1");
}

#[test]
fn without_dma() {
    let mut b = Bench::new(1_474_560);
    b.command(&[3, 0xaf, 3]);
    for byte in [0x46, 0, 0, 0, 17, 2, 18, 0x1b, 0xff] {
        b.w(FIFO, byte);
    }
    assert_eq!(b.r(MSR_DSR), MSR_RQM | MSR_DIO | MSR_NDMA | MSR_CB);
    let bytes: Vec<u8> = (0..1024).map(|_| b.r(FIFO)).collect();
    assert_eq!((bytes[0], bytes[511], bytes[512], bytes[1023]), (16, 16, 17, 17));
    assert_eq!(b.result(), [0x40, ST1_END, 0, 1, 0, 1, 2]);
    for byte in [0x45, 0, 0, 0, 18, 2, 18, 0x1b, 0xff] {
        b.w(FIFO, byte);
    }
    (0..512).for_each(|_| b.w(FIFO, 0x99));
    assert_eq!(b.result()[..2], [0x40, ST1_END]);
    assert_eq!(b.disk.bytes.lock()[17 * 512], 0x99);
}

#[test]
fn data_rate_and_disk_change() {
    let mut b = Bench::new(368_640);
    assert_eq!(b.r(DIR_CCR), DIR_CHANGE);
    b.command(&[0x0f, 0, 1]);
    b.command(&[8]);
    assert_eq!(b.r(DIR_CCR), 0);
    assert_eq!(b.command(&[0x4a, 0])[0], 0);
    b.w(DIR_CCR, 0);
    assert_eq!(b.command(&[0x4a, 0])[..2], [0x40, ST1_NO_MARK], "another rate sees no marks");
    b.fdc.set_disk(0, None);
    assert_eq!(b.r(DIR_CCR), DIR_CHANGE);
    assert_eq!(b.command(&[0x10]), [0x90]);
    assert_eq!(b.command(&[0x94]), [0x10]);
    assert_eq!(b.command(&[0x1f]), [0x80]);
}

#[test]
fn kinds_by_size_and_short_images() {
    let kinds = [368_640, 737_280, 1_228_800, 1_474_560, 2_949_120].map(|size| Geometry::of(size).kind as u8);
    assert_eq!(kinds, [1, 3, 2, 4, 5]);
    let g = Geometry::of(1_474_560);
    assert_eq!(
        (g.offset(0, 0, 1), g.offset(0, 1, 1), g.offset(1, 0, 1)),
        (Some(0), Some(9216), Some(18_432))
    );
    assert_eq!((g.offset(80, 0, 1), g.offset(0, 2, 1), g.offset(0, 0, 0)), (None, None, None));
    let mut b = Bench::new(512);
    b.ram.write_bytes(0, &[1; 1024]).unwrap();
    b.set_up(0x46, 1024);
    assert_eq!(b.command(&[0x46, 0, 0, 0, 1, 2, 18, 0x1b, 0xff])[0], 0);
    assert_eq!((b.ram.read::<u8>(0), b.ram.read::<u8>(512)), (Ok(0), Ok(0)));
}
