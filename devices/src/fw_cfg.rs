//! fw_cfg, QEMU's way to hand named pieces of data to firmware: the memory-mapped form with DMA.
//!
//! After QEMU's docs/specs/fw_cfg.rst. Three registers: data at 0 (any width, bytes in order), selector at 8 (16 bits,
//! big-endian), DMA address at 16 (64 bits, big-endian). Boards add items by key and files by name before the machine
//! runs; each file gets a key, in order of names, and the directory lists them.
//!
//! Left out on purpose: writes through the data register, which QEMU ignores as well.

use crate::bus::device::{BusError, BusResult, Device, Initiator, Io, Size};
use crate::bus::dma::Dma;
use crate::bus::memory::NoMemory;
use crate::bus::snapshot::{self, StateError, require};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Keys of items that boards add, as QEMU numbers them.
pub mod key {
    /// `"QEMU"`; added by the device.
    pub const SIGNATURE: u16 = 0x00;
    /// Version bits: 1 for the registers, 2 for DMA; added by the device.
    pub const ID: u16 = 0x01;
    /// 16 bytes.
    pub const UUID: u16 = 0x02;
    /// Bytes of RAM, 64 bits.
    pub const RAM_SIZE: u16 = 0x03;
    /// Whether there is no screen, 16 bits.
    pub const NOGRAPHIC: u16 = 0x04;
    /// Processors, 16 bits.
    pub const NB_CPUS: u16 = 0x05;
    /// Load address of the kernel, 32 bits.
    pub const KERNEL_ADDR: u16 = 0x07;
    /// Bytes of the kernel, 32 bits.
    pub const KERNEL_SIZE: u16 = 0x08;
    /// Load address of the initial RAM disk, 32 bits.
    pub const INITRD_ADDR: u16 = 0x0a;
    /// Bytes of the initial RAM disk, 32 bits.
    pub const INITRD_SIZE: u16 = 0x0b;
    /// Whether to show a boot menu, 16 bits.
    pub const BOOT_MENU: u16 = 0x0e;
    /// Most processors there can be, 16 bits.
    pub const MAX_CPUS: u16 = 0x0f;
    /// The kernel.
    pub const KERNEL_DATA: u16 = 0x11;
    /// The initial RAM disk.
    pub const INITRD_DATA: u16 = 0x12;
    /// Load address of the kernel's command line, 32 bits.
    pub const CMDLINE_ADDR: u16 = 0x13;
    /// Bytes of the kernel's command line with its final zero, 32 bits.
    pub const CMDLINE_SIZE: u16 = 0x14;
    /// The kernel's command line, with a final zero.
    pub const CMDLINE_DATA: u16 = 0x15;
    /// Load address of an x86 kernel's setup code, 32 bits.
    pub const SETUP_ADDR: u16 = 0x16;
    /// Bytes of an x86 kernel's setup code, 32 bits.
    pub const SETUP_SIZE: u16 = 0x17;
    /// An x86 kernel's setup code.
    pub const SETUP_DATA: u16 = 0x18;
    /// Directory of files; kept by the device.
    pub const FILE_DIR: u16 = 0x19;
    /// Key of the first file.
    pub const FILE_FIRST: u16 = 0x20;
    /// Key bit: the selected item is to be written. Without a meaning today, and ignored.
    pub const WRITE_CHANNEL: u16 = 0x4000;
    /// PCs: whether the 8254 is at input 2 of the I/O APIC, 32 bits.
    pub const IRQ0_OVERRIDE: u16 = 0x8002;
    /// PCs: the HPETs; a count and for each table block, address, shortest period and page protection.
    pub const HPET: u16 = 0x8004;
}

/// Registers and the DMA descriptor.
mod spec {
    pub const DATA_END: u64 = 8;
    pub const SELECTOR: u64 = 8;
    pub const DMA: u64 = 16;
    pub const DMA_LOW: u64 = 20;
    pub const END: u64 = 24;
    /// As I/O ports: a little-endian selector, and data in bytes behind its first byte.
    pub const PORT_SELECTOR: u64 = 0x100;
    pub const PORT_DATA: u64 = 0x101;

    /// What reading the DMA register shows.
    pub const DMA_SIGNATURE: [u8; 8] = *b"QEMU CFG";
    pub const ERROR: u32 = 1 << 0;
    pub const READ: u32 = 1 << 1;
    pub const SKIP: u32 = 1 << 2;
    pub const SELECT: u32 = 1 << 3;
    pub const WRITE: u32 = 1 << 4;
    /// Longest file name with its final zero.
    pub const NAME_LEN: usize = 56;
    /// Most files, so that keys stay below [`super::key::WRITE_CHANNEL`].
    pub const MAX_FILES: usize = 0x1000;
}
use spec::*;

/// Bytes that DMA moves at a time.
const CHUNK: usize = 0x1_0000;

/// A file that cannot be added.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// Longer than 55 bytes, or with a zero byte.
    #[error("{name:?} cannot be a fw_cfg file name")]
    Name {
        /// The name.
        name: String,
    },
    /// Added twice.
    #[error("There is already a fw_cfg file {name:?}")]
    Exists {
        /// The name.
        name: String,
    },
    /// More than there are keys for.
    #[error("Too many fw_cfg files")]
    TooMany,
}

/// Called with the content of a file that the guest wrote, under the device's lock.
pub type WriteHook = Box<dyn Fn(&[u8]) + Send>;

struct Item {
    data: Vec<u8>,
    /// What a reset brings back; present for items that the guest may write.
    initial: Option<Vec<u8>>,
    hook: Option<WriteHook>,
}

impl Item {
    fn fixed(data: Vec<u8>) -> Item {
        Item { data, initial: None, hook: None }
    }

    /// The bytes from `offset` on, at most `len`.
    fn slice(&self, offset: u32, len: usize) -> &[u8] {
        let rest = self.data.get(offset as usize..).unwrap_or_default();
        rest.get(..len).unwrap_or(rest)
    }
}

#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
struct State {
    key: u16,
    offset: u32,
    dma_high: u32,
    /// Content of the items that the guest may write, by key.
    written: Vec<(u16, Vec<u8>)>,
}

/// The device.
pub struct FwCfg {
    dma: Dma,
    items: BTreeMap<u16, Item>,
    /// Sorted by name; the first has key [`key::FILE_FIRST`].
    files: Vec<(String, Item)>,
    state: State,
}

impl FwCfg {
    /// Bytes of its register file.
    pub const LEN: u64 = END;

    /// Register offset of the DMA address register, which is 8 bytes long; x86 has it at port 514h.
    pub const DMA: u64 = DMA;
    /// Register offset of selector and data as x86 has them at port 510h.
    pub const PORTS: u64 = PORT_SELECTOR;
    /// Bytes of them.
    pub const PORTS_LEN: u64 = 2;

    /// A device with no files, that reads and writes descriptors through `dma`.
    pub fn new(dma: Dma) -> FwCfg {
        let mut device = FwCfg { dma, items: BTreeMap::new(), files: Vec::new(), state: State::default() };
        device.add(key::SIGNATURE, *b"QEMU");
        device.add(key::ID, 3u32.to_le_bytes());
        device.write_directory();
        device
    }

    /// Adds an item, in place of one with the same key. Numbers are little-endian.
    pub fn add(&mut self, key: u16, data: impl Into<Vec<u8>>) {
        self.items.insert(key, Item::fixed(data.into()));
    }

    /// Adds a file that the guest reads.
    ///
    /// # Errors
    /// When the name is unfit or taken, or there are too many.
    pub fn add_file(&mut self, name: &str, data: impl Into<Vec<u8>>) -> Result<(), FileError> {
        self.insert(name, Item::fixed(data.into()))
    }

    /// Adds a file that the guest may write by DMA; `hook` hears of each write.
    ///
    /// # Errors
    /// When the name is unfit or taken, or there are too many.
    pub fn add_writable(
        &mut self,
        name: &str,
        data: impl Into<Vec<u8>>,
        hook: WriteHook,
    ) -> Result<(), FileError> {
        let data = data.into();
        self.insert(name, Item { initial: Some(data.clone()), data, hook: Some(hook) })
    }

    fn insert(&mut self, name: &str, item: Item) -> Result<(), FileError> {
        if name.len() >= NAME_LEN || name.is_empty() || name.contains('\0') {
            return Err(FileError::Name { name: name.into() });
        }
        if self.files.len() >= MAX_FILES {
            return Err(FileError::TooMany);
        }
        match self.files.binary_search_by(|(other, _)| other.as_str().cmp(name)) {
            Ok(_) => return Err(FileError::Exists { name: name.into() }),
            Err(at) => self.files.insert(at, (name.into(), item)),
        }
        self.write_directory();
        Ok(())
    }

    /// The names and keys of the files.
    pub fn files(&self) -> impl Iterator<Item = (&str, u16)> {
        self.files.iter().map(|(name, _)| name.as_str()).zip(key::FILE_FIRST..)
    }

    /// Count, then for each file length, key, two spare bytes, name: all big-endian.
    fn write_directory(&mut self) {
        let mut bytes = (self.files.len() as u32).to_be_bytes().to_vec();
        for ((name, item), key) in self.files.iter().zip(key::FILE_FIRST..) {
            bytes.extend((item.data.len() as u32).to_be_bytes());
            bytes.extend(key.to_be_bytes());
            bytes.extend([0; 2]);
            let mut field = [0; NAME_LEN];
            field.iter_mut().zip(name.bytes()).for_each(|(to, from)| *to = from);
            bytes.extend(field);
        }
        self.add(key::FILE_DIR, bytes);
    }

    fn item(&self, key: u16) -> Option<&Item> {
        match key.checked_sub(key::FILE_FIRST).and_then(|n| self.files.get(usize::from(n))) {
            Some((_, item)) => Some(item),
            None => self.items.get(&key),
        }
    }

    fn item_mut(&mut self, key: u16) -> Option<&mut Item> {
        match key.checked_sub(key::FILE_FIRST).and_then(|n| self.files.get_mut(usize::from(n))) {
            Some((_, item)) => Some(item),
            None => self.items.get_mut(&key),
        }
    }

    fn select(&mut self, key: u16) {
        self.state.key = key & !key::WRITE_CHANNEL;
        self.state.offset = 0;
    }

    fn read_data(&mut self, size: Size) -> u64 {
        let mut bytes = [0; 8];
        let count = size.bytes() as usize;
        if let Some(item) = self.item(self.state.key) {
            bytes.iter_mut().zip(item.slice(self.state.offset, count)).for_each(|(to, from)| *to = *from);
        }
        self.state.offset = self.state.offset.saturating_add(count as u32);
        u64::from_le_bytes(bytes)
    }

    /// Carries out the descriptor at `at`: control, length and address, all big-endian. Its control word is zero
    /// afterwards, or has the error bit alone.
    fn run_dma(&mut self, at: u64) {
        let status = match self.descriptor(at) {
            Ok(true) => 0,
            Ok(false) | Err(NoMemory { .. }) => ERROR,
        };
        if self.dma.write_bytes(at, &status.to_be_bytes()).is_err() {
            log::warn!(target: crate::bus::report::GUEST_ERRORS, "fw_cfg: no DMA descriptor at {at:#x}");
        }
    }

    fn descriptor(&mut self, at: u64) -> Result<bool, NoMemory> {
        let control = u32::from_be(self.dma.read(at)?);
        let length = u32::from_be(self.dma.read(at.wrapping_add(4))?);
        let address = u64::from_be(self.dma.read(at.wrapping_add(8))?);
        if control & SELECT != 0 {
            self.select((control >> 16) as u16);
        }
        if control & READ != 0 {
            self.dma_read(address, length)?;
        } else if control & WRITE != 0 {
            return self.dma_write(address, length);
        } else if control & SKIP != 0 {
            self.state.offset = self.state.offset.saturating_add(length);
        }
        Ok(true)
    }

    /// Copies from the item; what lies behind its end is zero.
    fn dma_read(&mut self, address: u64, length: u32) -> Result<(), NoMemory> {
        let mut buffer = vec![0; CHUNK.min(length as usize)];
        let (mut address, mut left) = (address, length as usize);
        while left != 0 {
            let count = left.min(CHUNK);
            buffer.fill(0);
            if let Some(item) = self.item(self.state.key) {
                let from = item.slice(self.state.offset, count);
                buffer.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
            }
            self.dma.write_bytes(address, buffer.get(..count).unwrap_or(&buffer))?;
            self.state.offset = self.state.offset.saturating_add(count as u32);
            address = address.wrapping_add(count as u64);
            left -= count;
        }
        Ok(())
    }

    /// Writes part of an item that allows it; false if it does not, or has fewer bytes.
    fn dma_write(&mut self, address: u64, length: u32) -> Result<bool, NoMemory> {
        let (key, start) = (self.state.key, self.state.offset as usize);
        let dma = self.dma.clone();
        let Some(item) = self.item_mut(key).filter(|i| i.initial.is_some()) else { return Ok(false) };
        let Some(end) = start.checked_add(length as usize) else { return Ok(false) };
        let Some(into) = item.data.get_mut(start..end) else { return Ok(false) };
        dma.read_bytes(address, into)?;
        if let Some(hook) = &item.hook {
            hook(&item.data);
        }
        self.state.offset = end as u32;
        Ok(true)
    }

    /// The items that the guest may write, with their keys.
    fn writable(&mut self) -> impl Iterator<Item = (u16, &mut Item)> {
        let files = self.files.iter_mut().map(|(_, item)| item).zip(key::FILE_FIRST..).map(|(i, k)| (k, i));
        files.filter(|(_, item)| item.initial.is_some())
    }
}

impl Io for FwCfg {
    fn read(&mut self, reg: u64, size: Size, _: Initiator) -> BusResult<u64> {
        match reg {
            0..DATA_END => Ok(self.read_data(size)),
            PORT_DATA if size == Size::B1 => Ok(self.read_data(size)),
            PORT_SELECTOR | PORT_DATA => Err(BusError::BadSize),
            DMA..END => {
                let mut bytes = [0; 8];
                let from = DMA_SIGNATURE.get((reg - DMA) as usize..).unwrap_or_default();
                bytes.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
                Ok(u64::from_le_bytes(bytes) & size.mask())
            }
            _ => Err(BusError::NoRegister),
        }
    }

    fn write(&mut self, reg: u64, size: Size, value: u64, _: Initiator) -> BusResult<()> {
        match (reg, size) {
            (0..DATA_END, _) => {}
            (PORT_SELECTOR, Size::B2) => self.select(value as u16),
            // Data cannot be written; a byte of the selector has no meaning.
            (PORT_SELECTOR | PORT_DATA, Size::B1) => {}
            (PORT_SELECTOR | PORT_DATA, _) => return Err(BusError::BadSize),
            (SELECTOR, Size::B2) => self.select((value as u16).swap_bytes()),
            (DMA, Size::B4) => self.state.dma_high = (value as u32).swap_bytes(),
            (DMA_LOW, Size::B4) => {
                let high = std::mem::take(&mut self.state.dma_high);
                self.run_dma(u64::from(high) << 32 | u64::from((value as u32).swap_bytes()));
            }
            (DMA, Size::B8) => {
                self.state.dma_high = 0;
                self.run_dma(value.swap_bytes());
            }
            (SELECTOR.., _) if reg < END => return Err(BusError::BadSize),
            _ => return Err(BusError::NoRegister),
        }
        Ok(())
    }
}

impl Device for FwCfg {
    fn name(&self) -> &'static str {
        "fw_cfg"
    }

    fn reset(&mut self) {
        self.state = State::default();
        for (_, item) in self.writable() {
            item.data.clone_from(item.initial.as_ref().unwrap_or(&Vec::new()));
        }
    }

    fn save(&self) -> Result<Vec<u8>, StateError> {
        let mut state = self.state.clone();
        for ((_, item), key) in self.files.iter().zip(key::FILE_FIRST..) {
            if item.initial.is_some() {
                state.written.push((key, item.data.clone()));
            }
        }
        snapshot::save(&state)
    }

    fn load(&mut self, saved: &[u8]) -> Result<(), StateError> {
        let mut state: State = snapshot::load(saved)?;
        let written = std::mem::take(&mut state.written);
        let fits = self
            .writable()
            .map(|(key, item)| (key, item.data.len()))
            .eq(written.iter().map(|(key, data)| (*key, data.len())));
        require(fits, "it has other files")?;
        for ((_, item), (_, data)) in self.writable().zip(written) {
            item.data = data;
        }
        self.state = state;
        Ok(())
    }

    fn io(&mut self) -> Option<&mut dyn Io> {
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::conformance;
    use lyrebird_ram::GuestRam;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    const CPU: Initiator = Initiator::Cpu(0);
    const BASE: u64 = 0x4000_0000;

    fn device() -> (FwCfg, Dma, Arc<AtomicU32>) {
        let dma = Dma::to_ram(GuestRam::new(0x4_0000).unwrap(), BASE).unwrap();
        let mut cfg = FwCfg::new(dma.clone());
        let writes = Arc::new(AtomicU32::new(0));
        let counter = writes.clone();
        cfg.add(key::NB_CPUS, 4u16.to_le_bytes());
        cfg.add_file("opt/hello", *b"hello, guest").unwrap();
        cfg.add_file("etc/big", vec![0xaa; 0x1_2345]).unwrap();
        let hook = Box::new(move |data: &[u8]| counter.store(data.len() as u32, Ordering::Relaxed));
        cfg.add_writable("etc/ramfb", [0; 28], hook).unwrap();
        (cfg, dma, writes)
    }

    fn select(cfg: &mut FwCfg, key: u16) {
        cfg.write(SELECTOR, Size::B2, key.swap_bytes().into(), CPU).unwrap();
    }

    fn run(cfg: &mut FwCfg, dma: &Dma, control: u32, length: u32, address: u64) -> u32 {
        dma.write(BASE, control.to_be()).unwrap();
        dma.write(BASE + 4, length.to_be()).unwrap();
        dma.write(BASE + 8, address.to_be()).unwrap();
        cfg.write(DMA, Size::B4, 0, CPU).unwrap();
        cfg.write(DMA_LOW, Size::B4, (BASE as u32).swap_bytes().into(), CPU).unwrap();
        u32::from_be(dma.read(BASE).unwrap())
    }

    #[test]
    fn conforms() {
        conformance::check(|| device().0, FwCfg::LEN);
    }

    #[test]
    fn items_through_the_registers() {
        let (mut cfg, _, _) = device();
        assert_eq!(cfg.read(0, Size::B4, CPU), Ok(u32::from_le_bytes(*b"QEMU").into()));
        assert_eq!(cfg.read(0, Size::B8, CPU), Ok(0), "past the end is zero");
        select(&mut cfg, key::ID);
        assert_eq!(cfg.read(0, Size::B1, CPU), Ok(3));
        select(&mut cfg, key::NB_CPUS | key::WRITE_CHANNEL);
        assert_eq!(cfg.read(0, Size::B2, CPU), Ok(4));
        assert_eq!(cfg.read(DMA, Size::B8, CPU), Ok(u64::from_le_bytes(*b"QEMU CFG")));
        assert_eq!(cfg.read(DMA_LOW, Size::B4, CPU), Ok(u32::from_le_bytes(*b" CFG").into()));
        assert_eq!(cfg.write(SELECTOR, Size::B4, 0, CPU), Err(BusError::BadSize));
    }

    #[test]
    fn directory_lists_files_by_name() {
        let (mut cfg, _, _) = device();
        select(&mut cfg, key::FILE_DIR);
        let bytes: Vec<u8> = (0..4 + 3 * 64).map(|_| cfg.read(0, Size::B1, CPU).unwrap() as u8).collect();
        assert_eq!(bytes[..4], [0, 0, 0, 3]);
        assert_eq!(bytes[4..12], [0, 1, 0x23, 0x45, 0, 0x20, 0, 0]);
        assert_eq!(&bytes[12..20], b"etc/big\0");
        assert_eq!(&bytes[12 + 128..12 + 138], b"opt/hello\0");
        let files: Vec<_> = cfg.files().collect();
        assert_eq!(files, [("etc/big", 0x20), ("etc/ramfb", 0x21), ("opt/hello", 0x22)]);
        assert!(matches!(cfg.add_file("opt/hello", []), Err(FileError::Exists { .. })));
        assert!(matches!(cfg.add_file(&"x".repeat(56), []), Err(FileError::Name { .. })));
    }

    #[test]
    fn dma_reads_and_skips() {
        let (mut cfg, dma, _) = device();
        assert_eq!(run(&mut cfg, &dma, 0x22 << 16 | SELECT | SKIP, 7, 0), 0);
        assert_eq!(run(&mut cfg, &dma, READ, 8, BASE + 0x100), 0);
        let mut text = [1; 8];
        dma.read_bytes(BASE + 0x100, &mut text).unwrap();
        assert_eq!(&text, b"guest\0\0\0");
        assert_eq!(run(&mut cfg, &dma, 0x20 << 16 | SELECT | READ, 0x1_2346, BASE + 0x1000), 0);
        assert_eq!(dma.read::<u16>(BASE + 0x1000 + 0x1_2344), Ok(0x00aa));
        assert_eq!(run(&mut cfg, &dma, READ, 16, 0x1000), ERROR, "no memory there");
        assert_eq!(run(&mut cfg, &dma, READ, u32::MAX, BASE), ERROR, "RAM ends before that");
    }

    #[test]
    fn dma_writes_where_allowed() {
        let (mut cfg, dma, writes) = device();
        dma.write_bytes(BASE + 0x100, &[7; 28]).unwrap();
        assert_eq!(run(&mut cfg, &dma, 0x22 << 16 | SELECT | WRITE, 4, BASE + 0x100), ERROR);
        assert_eq!(run(&mut cfg, &dma, 0x21 << 16 | SELECT | WRITE, 29, BASE + 0x100), ERROR);
        assert_eq!(writes.load(Ordering::Relaxed), 0);
        assert_eq!(run(&mut cfg, &dma, 0x21 << 16 | SELECT | WRITE, 28, BASE + 0x100), 0);
        assert_eq!(writes.load(Ordering::Relaxed), 28);
        let saved = cfg.save().unwrap();
        cfg.reset();
        select(&mut cfg, 0x21);
        assert_eq!(cfg.read(0, Size::B1, CPU), Ok(0));
        cfg.load(&saved).unwrap();
        select(&mut cfg, 0x21);
        assert_eq!(cfg.read(0, Size::B1, CPU), Ok(7));
    }
}
