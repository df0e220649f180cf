//! A driver, for tests: sets a device up through its registers and drives its rings, correctly or not.

use super::device::{VirtioDevice, features};
use super::mmio::VirtioMmio;
use crate::bus::device::{Initiator, Size, Socket};
use crate::bus::dma::Dma;
use crate::bus::irq::Wire;
use lyrebird_ram::GuestRam;
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(crate) const BASE: u64 = 0x4000_0000;
pub(crate) const RAM: u64 = 8 << 20;
const CPU: Initiator = Initiator::Cpu(0);

pub(crate) struct DriverQueue {
    pub(crate) size: u16,
    pub(crate) desc: u64,
    pub(crate) avail: u64,
    pub(crate) used: u64,
    pub(crate) next: u16,
    seen: u16,
}

pub(crate) struct Driver {
    pub(crate) device: Arc<Mutex<VirtioMmio>>,
    pub(crate) dma: Dma,
    pub(crate) wire: Wire,
    pub(crate) queues: Vec<DriverQueue>,
    pub(crate) features: u64,
    /// Whether requests are put into indirect tables.
    pub(crate) indirect: bool,
    next_free: u64,
}

/// A buffer of a request.
pub(crate) enum Buf<'a> {
    Out(&'a [u8]),
    In(u32),
}

impl Driver {
    /// A driver that has not touched its device.
    pub(crate) fn new(device: impl VirtioDevice + 'static, legacy: bool) -> Driver {
        let dma = Dma::to_ram(GuestRam::new(RAM).unwrap(), BASE).unwrap();
        let wire = Wire::open();
        let device = VirtioMmio::new(Box::new(device), dma.clone(), wire.clone(), legacy);
        let device = crate::bus::device::share(device);
        Driver { device, dma, wire, queues: Vec::new(), features: 0, indirect: false, next_free: BASE }
    }

    /// A driver that accepted everything but `refuse` and has all queues running.
    pub(crate) fn start(device: impl VirtioDevice + 'static, refuse: u64) -> Driver {
        let mut driver = Driver::new(device, false);
        driver.initialise(refuse);
        driver
    }

    pub(crate) fn get(&self, at: u64) -> u32 {
        self.device.read(at, Size::B4, CPU).unwrap() as u32
    }

    pub(crate) fn put(&self, at: u64, value: u32) {
        let _ = self.device.write(at, Size::B4, value.into(), CPU);
    }

    pub(crate) fn config<const N: usize>(&self, offset: u64) -> [u8; N] {
        std::array::from_fn(|i| self.device.read(0x100 + offset + i as u64, Size::B1, CPU).unwrap() as u8)
    }

    pub(crate) fn alloc(&mut self, len: u64) -> u64 {
        let at = self.next_free;
        self.next_free += len.next_multiple_of(16);
        assert!(self.next_free <= BASE + RAM);
        at
    }

    /// The sequence of 3.1.1.
    pub(crate) fn initialise(&mut self, refuse: u64) {
        let legacy = self.get(4) == 1;
        self.put(0x70, 0);
        self.put(0x70, 1 | 2);
        self.put(0x14, 0);
        let mut offered = u64::from(self.get(0x10));
        self.put(0x14, 1);
        offered |= u64::from(self.get(0x10)) << 32;
        self.features = offered & !refuse;
        for half in 0..2 {
            self.put(0x24, half);
            self.put(0x20, (self.features >> (32 * half)) as u32);
        }
        if !legacy {
            self.put(0x70, 1 | 2 | 8);
            assert_eq!(self.get(0x70), 1 | 2 | 8, "features were refused");
        }
        self.next_free = BASE;
        self.queues.clear();
        self.put(0x28, 4096);
        for index in 0.. {
            self.put(0x30, index);
            let size = self.get(0x34).min(64) as u16;
            if size == 0 {
                break;
            }
            let bytes = 16 * u64::from(size);
            let desc = self.alloc(3 * 4096);
            let avail = desc + bytes;
            let used = (avail + 6 + 2 * u64::from(size)).next_multiple_of(4096);
            self.dma.write_bytes(desc, &vec![0; 3 * 4096]).unwrap();
            self.put(0x38, size.into());
            if legacy {
                self.put(0x3C, 4096);
                self.put(0x40, (desc >> 12) as u32);
            } else {
                for (low, value) in [(0x80, desc), (0x90, avail), (0xA0, used)] {
                    self.put(low, value as u32);
                    self.put(low + 4, (value >> 32) as u32);
                }
                self.put(0x44, 1);
            }
            self.queues.push(DriverQueue { size, desc, avail, used, next: 0, seen: 0 });
        }
        self.put(0x70, self.get(0x70) | 4);
    }

    pub(crate) fn needs_reset(&self) -> bool {
        self.get(0x70) & 0x40 != 0
    }

    pub(crate) fn put_desc(&self, table: u64, index: u16, gpa: u64, len: u32, flags: u16, next: u16) {
        let raw = u128::from(gpa) | u128::from(len) << 64 | u128::from(flags) << 96 | u128::from(next) << 112;
        self.dma.write_bytes(table + 16 * u64::from(index), &raw.to_le_bytes()).unwrap();
    }

    /// Makes `head` available without a notification.
    pub(crate) fn offer(&mut self, queue: usize, head: u16) {
        let q = &mut self.queues[queue];
        self.dma.write(q.avail + 4 + 2 * u64::from(q.next % q.size), head).unwrap();
        q.next = q.next.wrapping_add(1);
        self.dma.write(q.avail + 2, q.next).unwrap();
    }

    pub(crate) fn notify(&self, queue: usize) {
        self.put(0x50, queue as u32);
    }

    /// Lays a chain out from descriptor `first` on, offers it, and returns the addresses of its buffers.
    pub(crate) fn submit(&mut self, queue: usize, first: u16, buffers: &[Buf<'_>]) -> Vec<u64> {
        let (desc, size) = (self.queues[queue].desc, self.queues[queue].size);
        let table = if self.indirect { self.alloc(16 * buffers.len() as u64) } else { desc };
        let base = if self.indirect { 0 } else { first };
        let mut addresses = Vec::new();
        for (i, buffer) in buffers.iter().enumerate() {
            let (len, write) = match buffer {
                Buf::Out(bytes) => (bytes.len() as u32, 0),
                Buf::In(len) => (*len, 2),
            };
            let gpa = self.alloc(len.into());
            if let Buf::Out(bytes) = buffer {
                self.dma.write_bytes(gpa, bytes).unwrap();
            }
            let more = u16::from(i + 1 != buffers.len());
            let index = base + i as u16;
            self.put_desc(table, index, gpa, len, write | more, index + 1);
            addresses.push(gpa);
        }
        if self.indirect {
            self.put_desc(desc, first % size, table, 16 * buffers.len() as u32, 4, 0);
        }
        self.offer(queue, first);
        addresses
    }

    /// The next used element, if there is one.
    pub(crate) fn used(&mut self, queue: usize) -> Option<(u16, u32)> {
        let q = &mut self.queues[queue];
        let index: u16 = self.dma.read(q.used + 2).unwrap();
        if index == q.seen {
            return None;
        }
        std::sync::atomic::fence(std::sync::atomic::Ordering::Acquire);
        let element: u64 = self.dma.read(q.used + 4 + 8 * u64::from(q.seen % q.size)).unwrap();
        q.seen = q.seen.wrapping_add(1);
        if self.features & features::EVENT_IDX != 0 {
            self.dma.write(q.avail + 4 + 2 * u64::from(q.size), q.seen).unwrap();
        }
        Some((element as u16, (element >> 32) as u32))
    }

    /// Waits for the next used element.
    pub(crate) fn wait(&mut self, queue: usize) -> (u16, u32) {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            if let Some(used) = self.used(queue) {
                return used;
            }
            assert!(Instant::now() < deadline, "no answer; status {:#x}", self.get(0x70));
            std::thread::yield_now();
        }
    }

    /// Waits for the interrupt and acknowledges it.
    pub(crate) fn wait_interrupt(&self) -> u32 {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !self.wire.level() {
            assert!(Instant::now() < deadline, "no interrupt");
            std::thread::yield_now();
        }
        let status = self.get(0x60);
        self.put(0x64, status);
        status
    }

    /// One whole request: returns what was written to the `In` buffers, and the length the device told.
    pub(crate) fn request(&mut self, queue: usize, buffers: &[Buf<'_>]) -> (Vec<Vec<u8>>, u32) {
        let mark = self.next_free;
        let addresses = self.submit(queue, 0, buffers);
        self.notify(queue);
        let (head, written) = self.wait(queue);
        assert_eq!(head, 0);
        let mut answers = Vec::new();
        for (buffer, gpa) in buffers.iter().zip(addresses) {
            if let Buf::In(len) = buffer {
                let mut bytes = vec![0; *len as usize];
                self.dma.read_bytes(gpa, &mut bytes).unwrap();
                answers.push(bytes);
            }
        }
        self.next_free = mark;
        (answers, written)
    }
}
