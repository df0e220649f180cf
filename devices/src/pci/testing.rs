//! A board with one PCI bus, for tests of functions.

use super::bus::{Devfn, PciBus, i440fx_swizzle};
use super::function::{Function, PciDevice, region};
use crate::bus::conformance;
use crate::bus::device::{BusError, BusResult, Device, Initiator, Io, Size, Timed};
use crate::bus::dma::Dma;
use crate::bus::irq::LineSink;
use crate::bus::snapshot::StateError;
use crate::bus::space::AddressSpace;
use crate::intc::MsiSink;
use lyrebird_ram::GuestRam;
use parking_lot::Mutex;
use std::sync::Arc;

pub(crate) const CPU: Initiator = Initiator::Cpu(0);

/// What arrived at the board.
#[derive(Default)]
pub(crate) struct Log {
    pub(crate) messages: Mutex<Vec<(u64, u32)>>,
    pub(crate) lines: Mutex<[bool; 8]>,
}

impl MsiSink for Log {
    fn send(&self, address: u64, data: u32) {
        self.messages.lock().push((address, data));
    }
}

impl LineSink for Log {
    fn set_line(&self, line: u32, level: bool) {
        self.lines.lock()[line as usize] = level;
    }
}

/// RAM at 0, and a bus.
pub(crate) struct Board {
    pub(crate) memory: Arc<AddressSpace>,
    pub(crate) io: Arc<AddressSpace>,
    pub(crate) bus: Arc<PciBus>,
    pub(crate) log: Arc<Log>,
}

pub(crate) const RAM: u64 = 16 << 20;

impl Board {
    pub(crate) fn new() -> Board {
        let (memory, io) = (Arc::new(AddressSpace::new()), Arc::new(AddressSpace::ports()));
        memory.add_ram("ram", 0, GuestRam::new(RAM).unwrap()).unwrap();
        let log = Arc::new(Log::default());
        let bus = PciBus::new(memory.clone(), io.clone(), log.clone(), i440fx_swizzle, log.clone());
        Board { memory, io, bus: Arc::new(bus), log }
    }

    /// A board with `function` in slot 3; its memory regions are placed from 0xE000_0000 on, its ports from 0xC000 on.
    pub(crate) fn with<D: PciDevice + 'static>(function: Function<D>) -> (Board, Arc<Mutex<Function<D>>>) {
        Board::new().place(function)
    }

    /// The same on a board that is there already.
    pub(crate) fn place<D: PciDevice + 'static>(
        self,
        function: Function<D>,
    ) -> (Board, Arc<Mutex<Function<D>>>) {
        let board = self;
        let function = board.bus.plug(SLOT, function).unwrap();
        for bar in 0..6 {
            let at = 0x10 + 4 * bar;
            let before = board.config(SLOT, at, Size::B4);
            board.set_config(SLOT, at, Size::B4, 0xFFFF_FFFF);
            let mask = board.config(SLOT, at, Size::B4);
            let base = match mask {
                0 | 0xFFFF_FFFF => before, // not there, or the upper half of a 64-bit one
                _ if mask & 1 != 0 => 0xC000 + 0x400 * bar as u64,
                _ => 0xE000_0000 + 0x10_0000 * bar as u64,
            };
            board.set_config(SLOT, at, Size::B4, base);
        }
        board.set_config(SLOT, 4, Size::B2, 7);
        (board, function)
    }

    pub(crate) fn dma(&self) -> Dma {
        self.memory.dma()
    }

    pub(crate) fn config(&self, at: Devfn, offset: usize, size: Size) -> u64 {
        self.bus.config_read(0, at, offset, size)
    }

    pub(crate) fn set_config(&self, at: Devfn, offset: usize, size: Size, value: u64) {
        self.bus.config_write(0, at, offset, size, value);
    }

    /// First address of base address register `bar`.
    pub(crate) fn base(&self, bar: usize) -> u64 {
        let raw = self.config(SLOT, 0x10 + 4 * bar, Size::B4);
        if raw & 1 != 0 { raw & !3 } else { raw & !0xF }
    }

    pub(crate) fn get(&self, at: u64, size: Size) -> u64 {
        self.memory.read(at, size, CPU).unwrap()
    }

    pub(crate) fn put(&self, at: u64, size: Size, value: u64) {
        self.memory.write(at, size, value, CPU).unwrap();
    }

    pub(crate) fn inp(&self, port: u64, size: Size) -> u64 {
        self.io.read(port, size, CPU).unwrap()
    }

    pub(crate) fn outp(&self, port: u64, size: Size, value: u64) {
        self.io.write(port, size, value, CPU).unwrap();
    }

    /// Whether the line that slot 3's INTA is wired to is high.
    pub(crate) fn intx(&self) -> bool {
        self.log.lines.lock()[i440fx_swizzle(SLOT.slot(), 0) as usize]
    }
}

pub(crate) const SLOT: Devfn = Devfn::new(3, 0);

/// A function's regions one after the other, for the conformance test.
struct Flat<D> {
    function: Function<D>,
    regions: Vec<(usize, u64)>,
}

impl<D: PciDevice> Flat<D> {
    fn place(&self, mut reg: u64) -> BusResult<u64> {
        let config = self.function.config().len() as u64;
        if reg < config {
            return Ok(reg);
        }
        reg -= config;
        for &(index, len) in &self.regions {
            if reg < len {
                return Ok(region(index) + reg);
            }
            reg -= len;
        }
        Err(BusError::NoRegister)
    }
}

impl<D: PciDevice> Io for Flat<D> {
    fn read(&mut self, reg: u64, size: Size, by: Initiator) -> BusResult<u64> {
        let reg = self.place(reg)?;
        self.function.read(reg, size, by)
    }
    fn write(&mut self, reg: u64, size: Size, value: u64, by: Initiator) -> BusResult<()> {
        let reg = self.place(reg)?;
        self.function.write(reg, size, value, by)
    }
}

impl<D: PciDevice> Device for Flat<D> {
    fn name(&self) -> &'static str {
        self.function.name()
    }
    fn reset(&mut self) {
        self.function.reset();
    }
    fn save(&self) -> Result<Vec<u8>, StateError> {
        self.function.save()
    }
    fn load(&mut self, saved: &[u8]) -> Result<(), StateError> {
        self.function.load(saved)
    }
    fn io(&mut self) -> Option<&mut dyn Io> {
        Some(self)
    }
    fn timed(&mut self) -> Option<&mut dyn Timed> {
        self.function.timed()
    }
}

/// The conformance test of a function: configuration space and the regions (number, length).
pub(crate) fn check<D: PciDevice>(make: impl Fn() -> Function<D>, regions: &[(usize, u64)]) {
    let len = make().config().len() as u64 + regions.iter().map(|r| r.1).sum::<u64>();
    conformance::check(|| Flat { function: make(), regions: regions.to_vec() }, len);
}
