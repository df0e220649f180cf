//! A PC's pair of 8237A DMA controllers with their page registers.
//!
//! After Intel's 8237A data sheet (231466-005) and the IBM AT technical reference (1986) for the second controller's
//! words and the pages. A device asks for a transfer of as many bytes as it has, and gets those that the channel's count
//! allows, at once: there is no bus to share.
//!
//! Left out on purpose: memory-to-memory transfers, cascade beyond the one that is soldered, compressed timing, software
//! requests (they are kept, and move nothing).

use crate::bus::device::{BusError, BusResult, Device, Initiator, Io, Size};
use crate::bus::dma::Dma;
use crate::bus::snapshot::{self, StateError};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

/// Registers: the first controller is at 0, the second at 10h with each register twice, pages from 30h on.
mod spec {
    pub const FIRST: u64 = 0;
    pub const SECOND: u64 = 0x10;
    pub const PAGES: u64 = 0x30;
    pub const END: u64 = 0x40;

    pub const STATUS_COMMAND: u8 = 8;
    pub const REQUEST: u8 = 9;
    pub const SINGLE_MASK: u8 = 0xa;
    pub const MODE: u8 = 0xb;
    pub const CLEAR_FLIP_FLOP: u8 = 0xc;
    pub const MASTER_CLEAR: u8 = 0xd;
    pub const CLEAR_MASK: u8 = 0xe;
    pub const ALL_MASK: u8 = 0xf;

    pub const COMMAND_DISABLE: u8 = 1 << 2;
    pub const MODE_AUTO: u8 = 1 << 4;
    pub const MODE_DOWN: u8 = 1 << 5;
    pub const MODE_TYPE: u8 = 3 << 2;
    /// Types of a transfer: from the device to memory, and back.
    pub const TYPE_VERIFY: u8 = 0;
    pub const TYPE_WRITE: u8 = 1 << 2;
    pub const TYPE_READ: u8 = 2 << 2;

    /// Page register of each channel, by its offset from port 80h.
    pub const PAGE_OF: [usize; 8] = [7, 3, 1, 2, 0xf, 0xb, 9, 0xa];
}
use spec::*;

#[derive(Debug, Default, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Channel {
    base_address: u16,
    base_count: u16,
    address: u16,
    count: u16,
    mode: u8,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Chip {
    channels: [Channel; 4],
    command: u8,
    mask: u8,
    request: u8,
    /// Channels that reached their terminal count.
    done: u8,
    /// The next byte of an address or count is the high one.
    high: bool,
}

impl Chip {
    fn power_on() -> Chip {
        Chip { channels: Default::default(), command: 0, mask: 0xf, request: 0, done: 0, high: false }
    }

    fn clear(&mut self) {
        (self.command, self.request, self.done, self.high, self.mask) = (0, 0, 0, false, 0xf);
    }

    fn read(&mut self, reg: u8) -> u8 {
        match reg {
            0..8 => {
                let channel = &self.channels[usize::from(reg >> 1)];
                let word = if reg & 1 == 0 { channel.address } else { channel.count };
                self.high = !self.high;
                word.to_le_bytes()[usize::from(!self.high)]
            }
            STATUS_COMMAND => std::mem::take(&mut self.done) | self.request << 4,
            ALL_MASK => self.mask | 0xf0,
            _ => 0,
        }
    }

    fn write(&mut self, reg: u8, value: u8) {
        let bit = 1 << (value & 3);
        match reg {
            0..8 => {
                let channel = &mut self.channels[usize::from(reg >> 1)];
                let base = if reg & 1 == 0 { &mut channel.base_address } else { &mut channel.base_count };
                let mut bytes = base.to_le_bytes();
                bytes[usize::from(self.high)] = value;
                *base = u16::from_le_bytes(bytes);
                self.high = !self.high;
                (channel.address, channel.count) = if reg & 1 == 0 {
                    (channel.base_address, channel.count)
                } else {
                    (channel.address, channel.base_count)
                };
            }
            STATUS_COMMAND => self.command = value,
            REQUEST => self.request = self.request & !bit | if value & 4 != 0 { bit } else { 0 },
            SINGLE_MASK => self.mask = self.mask & !bit | if value & 4 != 0 { bit } else { 0 },
            MODE => self.channels[usize::from(value & 3)].mode = value & !3,
            CLEAR_FLIP_FLOP => self.high = false,
            MASTER_CLEAR => self.clear(),
            CLEAR_MASK => self.mask = 0,
            ALL_MASK => self.mask = value & 0xf,
            _ => {}
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct State {
    chips: [Chip; 2],
    pages: [u8; 16],
}

impl State {
    fn power_on() -> State {
        State { chips: [Chip::power_on(), Chip::power_on()], pages: [0; 16] }
    }
}

/// What a device's part of a transfer did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved {
    /// Bytes that were moved, of those that the device offered.
    pub bytes: usize,
    /// The channel reached its terminal count with the last of them.
    pub terminal_count: bool,
}

/// The pair. Ports 0 to Fh are registers 0 on, C0h to DFh registers 10h on, 80h to 8Fh registers 30h on.
pub struct I8237 {
    dma: Dma,
    state: State,
}

impl I8237 {
    /// Register offset of the second controller.
    pub const SECOND: u64 = spec::SECOND;
    /// Register offset of the page registers.
    pub const PAGES: u64 = spec::PAGES;
    /// Bytes of its register file.
    pub const LEN: u64 = END;

    /// Controllers that reach memory through `dma`.
    pub fn new(dma: Dma) -> I8237 {
        I8237 { dma, state: State::power_on() }
    }

    /// Whether channel `channel` would move anything now.
    pub fn is_ready(&self, channel: usize) -> bool {
        let Some(chip) = self.state.chips.get(channel / 4) else { return false };
        chip.mask >> (channel % 4) & 1 == 0 && chip.command & COMMAND_DISABLE == 0
    }

    /// A device hands `bytes` to memory; the channel must be set up for that, or to verify, which moves nothing.
    pub fn put(&mut self, channel: usize, bytes: &[u8]) -> Moved {
        self.run(channel, bytes.len(), TYPE_WRITE, |dma, address, at, len| {
            let piece = bytes.get(at..at + len).unwrap_or_default();
            let _ = dma.write_bytes(address, piece);
        })
    }

    /// A device asks for `bytes` from memory; those that are not moved, or where no memory is, are left as they are.
    pub fn fetch(&mut self, channel: usize, bytes: &mut [u8]) -> Moved {
        self.run(channel, bytes.len(), TYPE_READ, |dma, address, at, len| {
            if let Some(piece) = bytes.get_mut(at..at + len) {
                let _ = dma.read_bytes(address, piece);
            }
        })
    }

    /// Moves pieces: `each` gets the memory address, the offset in the device's bytes and the length.
    fn run(
        &mut self,
        channel: usize,
        offered: usize,
        kind: u8,
        mut each: impl FnMut(&Dma, u64, usize, usize),
    ) -> Moved {
        let none = Moved { bytes: 0, terminal_count: false };
        if !self.is_ready(channel) {
            return none;
        }
        let Some(&page) = PAGE_OF.get(channel).and_then(|&n| self.state.pages.get(n)) else { return none };
        let Some(chip) = self.state.chips.get_mut(channel / 4) else { return none };
        let Some(c) = chip.channels.get_mut(channel % 4) else { return none };
        let set_up = c.mode & MODE_TYPE;
        if set_up != kind && set_up != TYPE_VERIFY {
            return none;
        }
        // The second controller moves words, whose addresses lack their lowest bit.
        let unit: usize = if channel >= 4 { 2 } else { 1 };
        let location = |address: u16| match unit {
            1 => u64::from(page) << 16 | u64::from(address),
            _ => u64::from(page & !1) << 16 | u64::from(address) << 1,
        };
        let mut units = (offered / unit).min(usize::from(c.count) + 1);
        let bytes = units * unit;
        let terminal_count = units == usize::from(c.count) + 1;
        let mut at = 0;
        while units != 0 {
            let down = c.mode & MODE_DOWN != 0;
            // Addresses wrap within their page.
            let run = if down { 1 } else { units.min(0x1_0000 - usize::from(c.address)) };
            if set_up != TYPE_VERIFY {
                each(&self.dma, location(c.address), at, run * unit);
            }
            c.address = if down { c.address.wrapping_sub(1) } else { c.address.wrapping_add(run as u16) };
            at += run * unit;
            units -= run;
        }
        c.count = c.count.wrapping_sub((bytes / unit) as u16);
        if terminal_count {
            chip.done |= 1 << (channel % 4);
            if c.mode & MODE_AUTO != 0 {
                (c.address, c.count) = (c.base_address, c.base_count);
            } else {
                chip.mask |= 1 << (channel % 4);
            }
        }
        Moved { bytes, terminal_count }
    }
}

/// A channel of a shared controller, as a device holds it.
pub trait DmaChannel: Send + Sync {
    /// See [`I8237::is_ready`].
    fn is_ready(&self) -> bool;
    /// See [`I8237::put`].
    fn put(&self, bytes: &[u8]) -> Moved;
    /// See [`I8237::fetch`].
    fn fetch(&self, bytes: &mut [u8]) -> Moved;
}

/// Channel `.1` of the controllers `.0`.
pub struct Line(pub std::sync::Arc<Mutex<I8237>>, pub usize);

impl DmaChannel for Line {
    fn is_ready(&self) -> bool {
        self.0.lock().is_ready(self.1)
    }
    fn put(&self, bytes: &[u8]) -> Moved {
        self.0.lock().put(self.1, bytes)
    }
    fn fetch(&self, bytes: &mut [u8]) -> Moved {
        self.0.lock().fetch(self.1, bytes)
    }
}

impl Io for I8237 {
    fn read(&mut self, reg: u64, size: Size, _: Initiator) -> BusResult<u64> {
        if size != Size::B1 {
            return Err(BusError::BadSize);
        }
        let value = match reg {
            FIRST..SECOND => self.state.chips[0].read(reg as u8),
            SECOND..PAGES => self.state.chips[1].read(((reg - SECOND) >> 1) as u8),
            PAGES..END => self.state.pages[(reg - PAGES) as usize],
            _ => return Err(BusError::NoRegister),
        };
        Ok(value.into())
    }

    fn write(&mut self, reg: u64, size: Size, value: u64, _: Initiator) -> BusResult<()> {
        if size != Size::B1 {
            return Err(BusError::BadSize);
        }
        match reg {
            FIRST..SECOND => self.state.chips[0].write(reg as u8, value as u8),
            SECOND..PAGES => self.state.chips[1].write(((reg - SECOND) >> 1) as u8, value as u8),
            PAGES..END => self.state.pages[(reg - PAGES) as usize] = value as u8,
            _ => return Err(BusError::NoRegister),
        }
        Ok(())
    }
}

impl Device for I8237 {
    fn name(&self) -> &'static str {
        "i8257"
    }

    fn reset(&mut self) {
        self.state = State::power_on();
    }

    fn save(&self) -> Result<Vec<u8>, StateError> {
        snapshot::save(&self.state)
    }

    fn load(&mut self, saved: &[u8]) -> Result<(), StateError> {
        self.state = snapshot::load(saved)?;
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

    struct Bench {
        chip: I8237,
        dma: Dma,
    }

    impl Bench {
        fn new() -> Bench {
            let dma = Dma::to_ram(GuestRam::new(0x4_0000).unwrap(), 0).unwrap();
            Bench { chip: I8237::new(dma.clone()), dma }
        }
        fn w(&mut self, reg: u64, value: u8) {
            self.chip.write(reg, Size::B1, value.into(), Initiator::Cpu(0)).unwrap();
        }
        fn r(&mut self, reg: u64) -> u8 {
            self.chip.read(reg, Size::B1, Initiator::Cpu(0)).unwrap() as u8
        }
        /// Channel 2 as a floppy driver sets it up.
        fn set_up(&mut self, mode: u8, address: u32, count: u16) {
            let [a0, a1, a2, _] = address.to_le_bytes();
            let [c0, c1] = count.to_le_bytes();
            let writes =
                [(0xa, 6), (0xc, 0), (0xb, mode), (4, a0), (4, a1), (0x31, a2), (5, c0), (5, c1), (0xa, 2)];
            writes.iter().for_each(|&(reg, value)| self.w(reg, value));
        }
    }

    #[test]
    fn conforms() {
        conformance::check(|| I8237::new(Dma::open()), I8237::LEN);
    }

    #[test]
    fn a_floppy_sector() {
        let mut b = Bench::new();
        b.set_up(0x46, 0x1_2340, 511);
        assert_eq!(b.chip.put(2, &[7; 256]), Moved { bytes: 256, terminal_count: false });
        assert_eq!((b.r(4), b.r(4), b.r(5), b.r(5)), (0x40, 0x24, 0xff, 0x00));
        assert_eq!(b.chip.put(2, &[8; 512]), Moved { bytes: 256, terminal_count: true });
        assert_eq!((b.dma.read::<u8>(0x1_243f), b.dma.read::<u8>(0x1_2440)), (Ok(7), Ok(8)));
        assert_eq!((b.dma.read::<u8>(0x1_253f), b.dma.read::<u8>(0x1_2540)), (Ok(8), Ok(0)));
        assert_eq!((b.r(8), b.r(8)), (4, 0), "terminal count, until it is read");
        assert_eq!(b.chip.put(2, &[9]).bytes, 0, "masked at the end");
        assert_eq!(b.r(0xf), 0xff);
    }

    #[test]
    fn fetch_downwards_and_again() {
        let mut b = Bench::new();
        b.dma.write_bytes(0x100, b"abcd").unwrap();
        b.set_up(0x7a, 0x103, 3);
        let mut bytes = [0; 4];
        assert!(b.chip.fetch(2, &mut bytes).terminal_count);
        assert_eq!(&bytes, b"dcba");
        assert_eq!(b.chip.fetch(2, &mut bytes).bytes, 4, "auto-initialised");
        assert_eq!(b.chip.put(2, &bytes).bytes, 0, "the wrong way");
    }

    #[test]
    fn verifying_moves_nothing_and_addresses_wrap_in_their_page() {
        let mut b = Bench::new();
        b.set_up(0x42, 0x1_0000, 9);
        assert_eq!(b.chip.put(2, &[1; 10]), Moved { bytes: 10, terminal_count: true });
        assert_eq!(b.dma.read::<u8>(0x1_0000), Ok(0));
        b.set_up(0x46, 0x1_fffe, 3);
        b.chip.put(2, &[1, 2, 3, 4]);
        assert_eq!((b.dma.read::<u16>(0x1_fffe), b.dma.read::<u16>(0x1_0000)), (Ok(0x201), Ok(0x403)));
    }

    #[test]
    fn words_of_the_second_controller() {
        let mut b = Bench::new();
        // Channel 5: address and count registers are C4h and C6h.
        for (port, value) in
            [(0xd8, 0), (0xc4, 0x00), (0xc4, 0x80), (0xc6, 1), (0xc6, 0), (0xd6, 0x45), (0xd4, 1)]
        {
            b.w(SECOND + port - 0xc0, value);
        }
        b.w(PAGES + 0xb, 0x02);
        assert_eq!(b.chip.put(5, &[1, 2, 3, 4, 5]), Moved { bytes: 4, terminal_count: true });
        assert_eq!(b.dma.read::<u32>(0x3_0000), Ok(0x0403_0201));
    }
}
