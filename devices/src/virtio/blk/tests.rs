//! The block device as a driver sees it.

use super::*;
use crate::block::tests::{Scratch, options};
use crate::block::{BlockInfo, open};
use crate::bus::conformance;
use crate::bus::device::{Device, Socket};
use crate::bus::dma::Dma;
use crate::bus::irq::Wire;
use crate::bus::rng::Rng;
use crate::virtio::mmio::{LEN, VirtioMmio};
use crate::virtio::testing::{BASE, Buf, Driver, RAM};
use parking_lot::Mutex;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

/// A disk in memory that counts flushes and fails or panics in places.
#[derive(Default)]
struct Disk {
    bytes: Mutex<Vec<u8>>,
    flushes: AtomicU64,
    read_only: bool,
}

/// Sectors that fail, and that panic.
const BAD: u64 = 1000;
const WORSE: u64 = 1001;
const SECTORS: u64 = 8192;

impl Disk {
    fn new() -> Arc<Disk> {
        Arc::new(Disk {
            bytes: Mutex::new((0..SECTORS * 512).map(|i| (i / 512) as u8).collect()),
            ..Disk::default()
        })
    }

    fn check(&self, offset: u64) -> io::Result<()> {
        assert!(offset / 512 != WORSE, "a fault of the image library");
        if offset / 512 == BAD { Err(io::Error::other("a bad sector")) } else { Ok(()) }
    }
}

impl BlockBackend for Disk {
    fn size(&self) -> u64 {
        SECTORS * 512
    }
    fn read_only(&self) -> bool {
        self.read_only
    }
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.check(offset)?;
        buf.copy_from_slice(&self.bytes.lock()[offset as usize..][..buf.len()]);
        Ok(())
    }
    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        self.check(offset)?;
        self.bytes.lock()[offset as usize..][..buf.len()].copy_from_slice(buf);
        Ok(())
    }
    fn flush(&self) -> io::Result<()> {
        self.flushes.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
    fn discard(&self, offset: u64, _: u64) -> io::Result<()> {
        self.check(offset)
    }
    fn write_zeroes(&self, offset: u64, len: u64, _: bool) -> io::Result<()> {
        self.check(offset)?;
        self.bytes.lock()[offset as usize..][..len as usize].fill(0);
        Ok(())
    }
    fn info(&self) -> BlockInfo {
        BlockInfo {
            file: "test".into(),
            format: "raw",
            backing: Vec::new(),
            read_only: self.read_only,
            size: self.size(),
            temporary: false,
            cache: "writeback",
        }
    }
}

fn header(kind: u32, sector: u64) -> [u8; 16] {
    (u128::from(kind) | u128::from(sector) << 64).to_le_bytes()
}

/// Sends a request with data to write, or room for data to read; returns status and data.
fn transfer(driver: &mut Driver, kind: u32, sector: u64, out: &[u8], room: u32) -> (u8, Vec<u8>) {
    let header = header(kind, sector);
    let mut buffers = vec![Buf::Out(&header)];
    if !out.is_empty() {
        buffers.push(Buf::Out(out));
    }
    if room != 0 {
        buffers.push(Buf::In(room));
    }
    buffers.push(Buf::In(1));
    let (mut answers, written) = driver.request(0, &buffers);
    assert_eq!(written, room + 1);
    let status = answers.pop().unwrap()[0];
    (status, answers.pop().unwrap_or_default())
}

fn both(mut test: impl FnMut(BlkOptions)) {
    for synchronous in [true, false] {
        test(BlkOptions { synchronous, serial: "lyre-disk".into(), ..BlkOptions::default() });
    }
}

#[test]
fn conforms() {
    both(|options| {
        let dma = || Dma::to_ram(lyrebird_ram::GuestRam::new(0x1_0000).unwrap(), 0).unwrap();
        let make = || {
            let blk = Blk::new(Disk::new(), options.clone());
            VirtioMmio::new(Box::new(blk), dma(), Wire::open(), false)
        };
        conformance::check(make, LEN);
    });
}

#[test]
fn reads_and_writes() {
    both(|options| {
        let disk = Disk::new();
        let mut driver = Driver::start(Blk::new(disk.clone(), options), 0);
        assert_eq!(driver.get(8), 2);
        assert_eq!(u64::from_le_bytes(driver.config(0)), SECTORS);
        let (status, data) = transfer(&mut driver, 0, 7, &[], 1024);
        assert_eq!((status, data[0], data[512]), (0, 7, 8));
        let big: Vec<u8> = (0..3 << 20).map(|i| (i / 5000) as u8).collect();
        assert_eq!(transfer(&mut driver, 1, 16, &big, 0).0, 0);
        let (status, data) = transfer(&mut driver, 0, 16, &[], 3 << 20);
        assert_eq!(status, 0);
        assert!(data == big);
        assert!(disk.bytes.lock()[16 * 512..][..3 << 20] == big);
        let (status, id) = transfer(&mut driver, 8, 0, &[], 20);
        assert_eq!((status, &id[..10]), (0, &b"lyre-disk\0"[..]));
        assert_eq!(transfer(&mut driver, 99, 0, &[], 0).0, 2);
    });
}

#[test]
fn what_cannot_be_done_is_an_error() {
    both(|options| {
        let mut driver = Driver::start(Blk::new(Disk::new(), options.clone()), 0);
        for (sector, len) in [
            (BAD, 512),
            (SECTORS, 512),
            (SECTORS - 1, 1024),
            (u64::MAX, 512),
            (u64::MAX / 512, 512),
            (0, 100),
        ] {
            assert_eq!(transfer(&mut driver, 0, sector, &[], len).0, 1, "read of {len} at {sector}");
            assert_eq!(
                transfer(&mut driver, 1, sector, &vec![0; len as usize], 0).0,
                1,
                "write of {len} at {sector}"
            );
        }
        assert_eq!(transfer(&mut driver, 0, 1, &[], 512).0, 0);
        let disk = Arc::new(Disk { read_only: true, ..Disk::default() });
        let mut driver = Driver::start(Blk::new(disk, options), 0);
        assert_eq!(driver.features & (feature::RO | feature::DISCARD), feature::RO);
        assert_eq!(transfer(&mut driver, 1, 0, &[0; 512], 0).0, 1);
        assert_eq!(transfer(&mut driver, 13, 0, &range(0, 8, 0), 0).0, 1);
    });
}

#[test]
fn a_panic_below_is_an_error() {
    both(|options| {
        let mut driver = Driver::start(Blk::new(Disk::new(), options), 0);
        assert_eq!(transfer(&mut driver, 0, WORSE, &[], 512).0, 1);
        assert_eq!(transfer(&mut driver, 0, 1, &[], 512).0, 0);
    });
}

fn range(sector: u64, sectors: u32, flags: u32) -> [u8; 16] {
    (u128::from(sector) | u128::from(sectors) << 64 | u128::from(flags) << 96).to_le_bytes()
}

#[test]
fn discard_and_write_zeroes() {
    both(|options| {
        let disk = Disk::new();
        let mut driver = Driver::start(Blk::new(disk.clone(), options), 0);
        assert_eq!(transfer(&mut driver, 13, 0, &range(3, 2, 1), 0).0, 0);
        assert_eq!(transfer(&mut driver, 13, 0, &range(5, 1, 0), 0).0, 0);
        assert!(disk.bytes.lock()[3 * 512..6 * 512].iter().all(|b| *b == 0));
        assert_eq!(disk.bytes.lock()[6 * 512], 6);
        assert_eq!(transfer(&mut driver, 11, 0, &range(3, 2, 0), 0).0, 0);
        assert_eq!(transfer(&mut driver, 11, 0, &range(3, 2, 1), 0).0, 2, "discard has no flags");
        assert_eq!(transfer(&mut driver, 13, 0, &range(3, 2, 2), 0).0, 2);
        assert_eq!(transfer(&mut driver, 13, 0, &range(SECTORS, 1, 0), 0).0, 1);
        assert_eq!(transfer(&mut driver, 13, 0, &range(0, u32::MAX, 0), 0).0, 1);
        assert_eq!(transfer(&mut driver, 13, 0, &[0; 15], 0).0, 1);
        assert_eq!(transfer(&mut driver, 11, 0, &[range(0, 1, 0), range(2, 1, 0)].concat(), 0).0, 1);
    });
}

#[test]
fn caching_follows_the_driver() {
    both(|options| {
        let flushes = |refuse: u64, writeback: Option<u8>| {
            let disk = Disk::new();
            let mut driver = Driver::start(Blk::new(disk.clone(), options.clone()), refuse);
            if let Some(value) = writeback {
                driver
                    .device
                    .write(
                        0x120,
                        crate::bus::device::Size::B1,
                        value.into(),
                        crate::bus::device::Initiator::Cpu(0),
                    )
                    .unwrap();
                assert_eq!(driver.config::<1>(32), [value]);
            }
            transfer(&mut driver, 1, 0, &[0; 512], 0);
            let after_write = disk.flushes.load(Ordering::Relaxed);
            transfer(&mut driver, 4, 0, &[], 0);
            (after_write, disk.flushes.load(Ordering::Relaxed) - after_write)
        };
        assert_eq!(flushes(0, None), (0, 1));
        assert_eq!(flushes(0, Some(0)), (1, 1));
        assert_eq!(flushes(feature::CONFIG_WCE, None), (0, 1));
        assert_eq!(flushes(feature::CONFIG_WCE | feature::FLUSH, None), (1, 1));
    });
}

#[test]
fn malformed_requests_need_a_reset() {
    both(|options| {
        let mut driver = Driver::start(Blk::new(Disk::new(), options), 0);
        let shapes: [&[Buf<'_>]; 4] = [
            &[Buf::Out(&[0; 15]), Buf::In(1)],
            &[Buf::In(17)],
            &[Buf::Out(&[0; 16])],
            &[Buf::Out(&[0; 600])],
        ];
        for shape in shapes {
            driver.submit(0, 0, shape);
            driver.notify(0);
            driver.wait_interrupt();
            assert!(driver.needs_reset());
            driver.initialise(0);
            assert_eq!(transfer(&mut driver, 0, 1, &[], 512).0, 0);
            driver.wait_interrupt();
        }
    });
}

#[test]
fn many_requests_at_once_and_a_reset_among_them() {
    let disk = Disk::new();
    let mut driver = Driver::start(Blk::new(disk, BlkOptions::default()), 0);
    for round in 0..50 {
        driver.indirect = round % 2 == 0;
        let mut where_to = Vec::new();
        for n in 0..20u16 {
            let head = header(0, n.into());
            let buffers = [Buf::Out(&head[..]), Buf::In(512), Buf::In(1)];
            where_to.push(driver.submit(0, 3 * n, &buffers));
            driver.notify(0);
        }
        if round % 5 == 4 {
            driver.initialise(0);
            continue;
        }
        let mut seen = 0u32;
        for _ in 0..20 {
            let (head, written) = driver.wait(0);
            assert_eq!(written, 513);
            seen |= 1 << (head / 3);
            let at = where_to[usize::from(head) / 3][1];
            assert_eq!(driver.dma.read::<u8>(at), Ok((head / 3) as u8));
        }
        assert_eq!(seen, 0xF_FFFF);
        driver.initialise(0);
    }
}

#[test]
fn a_saved_device_has_no_request_under_way() {
    let mut driver = Driver::start(Blk::new(Disk::new(), BlkOptions::default()), 0);
    for n in 0..20u16 {
        let head = header(0, n.into());
        driver.submit(0, 3 * n, &[Buf::Out(&head[..]), Buf::In(512), Buf::In(1)]);
    }
    driver.notify(0);
    let saved = driver.device.lock().save().unwrap();
    let blk = Blk::new(Disk::new(), BlkOptions::default());
    let mut other = VirtioMmio::new(Box::new(blk), driver.dma.clone(), Wire::open(), false);
    other.load(&saved).unwrap();
    driver.device = crate::bus::device::share(other);
    (0..20).for_each(|_| assert_eq!(driver.wait(0).1, 513));
    assert_eq!(transfer(&mut driver, 0, 9, &[], 512).1[0], 9);
}

/// Noise in descriptors and headers, on a real image with a thread.
#[test]
fn noise_does_no_harm() {
    let dir = Scratch::new("blk-noise");
    let path = dir.file("d", &vec![0; 1 << 20]);
    let disk = open(&options(&path)).unwrap();
    let mut rng = Rng::new(7);
    let mut driver = Driver::start(Blk::new(disk, BlkOptions::default()), 0);
    for _ in 0..3000 {
        let desc = driver.queues[0].desc;
        for index in 0..4u16 {
            let gpa = [BASE + 0x8000, BASE + RAM - 512, desc, rng.draw()][rng.below(4) as usize];
            let len = [1, 16, 512, 4096, 1 << 20, u32::MAX][rng.below(6) as usize];
            let flags = [1, 1, 3, 2, 4][rng.below(5) as usize];
            driver.put_desc(desc, index, gpa, len, flags, index + 1);
        }
        let kind = [0, 1, 4, 8, 11, 13, 77][rng.below(7) as usize];
        let header = header(kind, [0, 5, 2047, 2048, u64::MAX][rng.below(5) as usize]);
        driver.dma.write_bytes(BASE + 0x8000, &header).unwrap();
        driver.offer(0, rng.below(4) as u16);
        driver.notify(0);
        if rng.below(4) == 0 {
            driver.device.lock().save().unwrap();
        }
        if driver.needs_reset() {
            driver.initialise(0);
        }
    }
    driver.initialise(0);
    assert_eq!(transfer(&mut driver, 0, 1, &[], 512).0, 0);
}
