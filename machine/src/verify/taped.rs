//! The board behind a tape: what a processor asks of it is recorded, and answered from the tape when it asks again.

use lyrebird_cpu::arm::{Platform, Timer};
use lyrebird_cpu::core::{NoAnswer, Physical};
use lyrebird_cpu::journal::{self, SharedTape};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The board behind a tape.
pub(super) struct Taped {
    pub(super) tape: SharedTape,
    pub(super) board: Arc<dyn Platform>,
}

impl Taped {
    fn ask(&self, question: [u64; 4], ask: impl FnOnce() -> Option<u64>) -> Option<u64> {
        journal::lock(&self.tape).ask(question, ask)
    }
}

impl Platform for Taped {
    fn counter(&self) -> u64 {
        self.ask([2, 0, 0, 0], || Some(self.board.counter())).unwrap_or(0)
    }
    fn nanoseconds(&self) -> u64 {
        self.ask([10, 0, 0, 0], || Some(self.board.nanoseconds())).unwrap_or(0)
    }
    fn timer(&self, cpu: usize, which: Timer, control: u32, compare: u64) {
        self.ask([3, which as u64, control as u64, compare], || {
            self.board.timer(cpu, which, control, compare);
            None
        });
    }
    fn read_register(&self, cpu: usize, code: u32) -> Option<u64> {
        self.ask([4, code as u64, 0, 0], || self.board.read_register(cpu, code))
    }
    fn write_register(&self, cpu: usize, code: u32, value: u64) -> Option<()> {
        self.ask([5, code as u64, value, 0], || self.board.write_register(cpu, code, value).map(|()| 0))
            .map(|_| ())
    }
    fn firmware(&self, cpu: usize, smc: bool, args: [u64; 4]) -> Option<u64> {
        self.ask([6, args[0], args[1], args[2]], || self.board.firmware(cpu, smc, args))
    }
    fn random(&self) -> u64 {
        self.ask([7, 0, 0, 0], || Some(self.board.random())).unwrap_or(0)
    }
    fn time(&self) -> u64 {
        self.ask([11, 0, 0, 0], || Some(self.board.time())).unwrap_or(0)
    }
    fn semihosting(&self) -> bool {
        self.board.semihosting()
    }
    fn console(&self, text: &[u8]) {
        self.ask([8, text.len() as u64, 0, 0], || {
            self.board.console(text);
            None
        });
    }
    fn exit(&self, code: i32) {
        self.ask([9, code as u64, 0, 0], || {
            self.board.exit(code);
            None
        });
    }
}

/// A bus that notes the pages of RAM that are asked for.
pub(super) struct Witness {
    bus: Arc<dyn Physical>,
    /// By physical address: RAM offset, and whether it is writable.
    pages: Mutex<BTreeMap<u64, (u64, bool)>>,
}

impl Witness {
    pub(super) fn new(bus: Arc<dyn Physical>) -> Self {
        Self { bus, pages: Mutex::default() }
    }

    /// The pages.
    pub(super) fn pages(&self) -> BTreeMap<u64, (u64, bool)> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Physical for Witness {
    fn ram(&self, pa: u64) -> Option<(u64, bool)> {
        let found = self.bus.ram(pa)?;
        self.pages.lock().unwrap_or_else(PoisonError::into_inner).insert(pa, found);
        Some(found)
    }
    fn read(&self, cpu: usize, pa: u64, size: u32) -> Result<u64, NoAnswer> {
        self.bus.read(cpu, pa, size)
    }
    fn write(&self, cpu: usize, pa: u64, size: u32, value: u64) -> Result<(), NoAnswer> {
        self.bus.write(cpu, pa, size, value)
    }
}
