//! Chips of other buses as PCI functions: their registers in regions, and nothing else.
//!
//! QEMU's standard VGA (1234:1111, docs/specs/standard-vga.rst) and pvpanic-pci (1b36:0011, docs/specs/pvpanic.rst).

use super::bar::{self, Bar};
use super::config::Identity;
use super::function::{Function, Header, PciDevice};
use crate::bus::device::{BusError, BusResult, Initiator, Size, Socket};
use crate::bus::snapshot::StateError;
use crate::display::vga::Vga;
use crate::misc::pvpanic::Pvpanic;
use lyrebird_ram::GuestRam;
use parking_lot::Mutex;
use std::sync::Arc;

/// A chip behind a region of a function.
pub struct Adapter {
    name: &'static str,
    chip: Arc<dyn Socket>,
    /// The region, the register that its first byte is, and how many bytes there are.
    region: usize,
    reg: u64,
    len: u64,
    /// Whether the chip is nowhere else, so that its state is this function's.
    owns: bool,
}

impl Adapter {
    /// QEMU's standard VGA: video memory in region 0, registers in region 2, and `rom` (a power of two long), if there
    /// is one, as the expansion ROM. The board maps the legacy ports and the window at 0xA0000, and resets and saves
    /// the chip itself.
    pub fn vga(vga: Arc<Mutex<Vga>>, rom: Option<GuestRam>) -> Function<Adapter> {
        let mut header = Header::new(Identity::new(0x1234, 0x1111, 2, 0x03_0000));
        let vram = vga.lock().vram().clone();
        header.memory_bar(0, Bar::prefetchable(vram.len()), vram, 0);
        header.bar(2, Bar::memory(Vga::MMIO_LEN));
        if let Some(rom) = rom {
            header.memory_bar(bar::ROM, Bar::rom(rom.len()), rom, 0);
        }
        let (reg, len) = (Vga::MMIO, Vga::MMIO_LEN);
        Function::new(header, Adapter { name: "VGA", chip: vga, region: 2, reg, len, owns: false })
    }

    /// pvpanic in region 0.
    pub fn pvpanic(chip: Pvpanic) -> Function<Adapter> {
        let mut header = Header::new(Identity::new(0x1B36, 0x0011, 1, 0x08_8000));
        header.bar(0, Bar::memory(2));
        let chip = Arc::new(Mutex::new(chip));
        let len = Pvpanic::LEN;
        Function::new(header, Adapter { name: "pvpanic-pci", chip, region: 0, reg: 0, len, owns: true })
    }

    /// The chip's register that an access reaches.
    fn register(&self, region: usize, at: u64) -> BusResult<u64> {
        if region == self.region && at < self.len { Ok(self.reg + at) } else { Err(BusError::NoRegister) }
    }
}

impl PciDevice for Adapter {
    fn name(&self) -> &'static str {
        self.name
    }

    fn read(&mut self, region: usize, at: u64, size: Size, by: Initiator) -> BusResult<u64> {
        self.chip.read(self.register(region, at)?, size, by)
    }

    fn write(&mut self, region: usize, at: u64, size: Size, value: u64, by: Initiator) -> BusResult<()> {
        self.chip.write(self.register(region, at)?, size, value, by)
    }

    fn reset(&mut self) {
        if self.owns {
            self.chip.reset();
        }
    }

    fn save(&self) -> Result<Vec<u8>, StateError> {
        if self.owns { self.chip.save() } else { Ok(Vec::new()) }
    }

    fn load(&mut self, saved: &[u8]) -> Result<(), StateError> {
        if self.owns { self.chip.load(saved) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::clock::Clock;
    use crate::pci::testing::{Board, SLOT, check};

    fn vga() -> Arc<Mutex<Vga>> {
        Arc::new(Mutex::new(Vga::new(GuestRam::new(Vga::VRAM).unwrap(), Clock::stepped())))
    }

    #[test]
    fn conform() {
        let chip = vga();
        check(|| Adapter::vga(chip.clone(), None), &[(2, 0x100)]);
        check(|| Adapter::pvpanic(Pvpanic::new(Box::new(|_| {}))), &[(0, 2)]);
    }

    #[test]
    fn video_memory_and_registers_are_where_the_guest_puts_them() {
        let rom = GuestRam::new(0x1_0000).unwrap();
        rom.write(0, 0xAA55u16).unwrap();
        let chip = vga();
        let (board, _) = Board::with(Adapter::vga(chip.clone(), Some(rom)));
        assert_eq!(board.config(SLOT, 8, Size::B4), 0x0300_0002);
        assert_eq!(board.config(SLOT, 0x10, Size::B4) & 0xF, 8);
        board.set_config(SLOT, 0x10, Size::B4, 0xFD00_0000);
        board.put(0xFD00_1234, Size::B4, 0x5566);
        assert_eq!(chip.lock().vram().read::<u32>(0x1234), Ok(0x5566));
        assert_eq!(board.dma().read::<u32>(0xFD00_1234), Ok(0x5566));
        assert_eq!(board.get(board.base(2) + 0x500, Size::B2) & 0xFFF0, 0xB0C0);
        board.set_config(SLOT, 0x30, Size::B4, 0xFEA0_0001);
        assert_eq!(board.get(0xFEA0_0000, Size::B2), 0xAA55);
        board.put(0xFEA0_0000, Size::B2, 0);
        assert_eq!(board.get(0xFEA0_0000, Size::B2), 0xAA55);
        board.set_config(SLOT, 4, Size::B2, 0);
        assert!(!board.memory.is_assigned(0xFD00_0000));
    }

    #[test]
    fn a_guest_panics() {
        let seen = Arc::new(Mutex::new(0));
        let log = seen.clone();
        let (board, _) = Board::with(Adapter::pvpanic(Pvpanic::new(Box::new(move |_| *log.lock() += 1))));
        assert_eq!(board.get(board.base(0), Size::B1), 7);
        board.put(board.base(0), Size::B1, 1);
        assert_eq!(*seen.lock(), 1);
    }
}
