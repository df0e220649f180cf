//! A bank of parallel NOR flash: two chips of 16 bits side by side, which together answer 32-bit accesses and which
//! guests may use with narrower ones, too.
//!
//! After JESD68.01 (Common Flash Interface) and Intel's basic command set 0001h (AP-646), with the identification of
//! Intel's 28F128 family. Both chips get the same command; each answers in its half of the word. The content lies in
//! a [`Medium`], which is no part of the state, as that of a disk is not: a reset leaves it alone.
//!
//! Left out on purpose: delays (every operation is done at once), suspending, protection (lock commands are accepted
//! and lock nothing), commands to one of the chips alone.

use crate::block::BlockBackend;
use crate::bus::device::{BusError, BusResult, Device, Initiator, Io, Size};
use crate::bus::snapshot::{self, StateError};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::io;
use std::sync::Arc;

/// Commands and status bits, from the command set's tables.
mod spec {
    pub const READ_ARRAY: u8 = 0xFF;
    pub const PROGRAM: u8 = 0x10;
    pub const BLOCK_ERASE: u8 = 0x20;
    pub const PROGRAM_WORD: u8 = 0x40;
    pub const CLEAR_STATUS: u8 = 0x50;
    pub const LOCK: u8 = 0x60;
    pub const READ_STATUS: u8 = 0x70;
    pub const READ_ID: u8 = 0x90;
    pub const CFI_QUERY: u8 = 0x98;
    pub const CONFIRM: u8 = 0xD0;
    pub const WRITE_BUFFER: u8 = 0xE8;

    /// The chip is ready.
    pub const READY: u8 = 0x80;
    /// Erasing failed.
    pub const ERASE_ERROR: u8 = 0x20;
    /// Programming failed.
    pub const PROGRAM_ERROR: u8 = 0x10;

    pub const MANUFACTURER: u16 = 0x0089;
    pub const DEVICE: u16 = 0x0018;
}
use spec::*;

/// Bytes that are erased at once, in both chips together.
pub const SECTOR: u64 = 0x4_0000;
/// Bytes that one buffered write takes, in both chips together; a power of two.
const BUFFER: u64 = 4096;

/// Where a bank keeps its content. Cells that were never written hold ones.
pub enum Medium {
    /// An image, which must have the bank's size.
    Image(Arc<dyn BlockBackend>),
    /// Memory, gone with the machine: sectors by number.
    Memory(HashMap<u64, Vec<u8>>),
}

impl Medium {
    /// Erased memory.
    pub fn blank() -> Medium {
        Medium::Memory(HashMap::new())
    }

    /// Reads from one sector.
    fn read(&self, at: u64, bytes: &mut [u8]) -> io::Result<()> {
        match self {
            Medium::Image(image) => image.read_at(bytes, at),
            Medium::Memory(sectors) => {
                let (from, len) = ((at % SECTOR) as usize, bytes.len());
                match sectors.get(&(at / SECTOR)).and_then(|cells| cells.get(from..from + len)) {
                    Some(cells) => bytes.copy_from_slice(cells),
                    None => bytes.fill(0xFF),
                }
                Ok(())
            }
        }
    }

    fn write(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        match self {
            Medium::Image(image) => image.write_at(bytes, at),
            Medium::Memory(sectors) => {
                let cells = sectors.entry(at / SECTOR).or_insert_with(|| vec![0xFF; SECTOR as usize]);
                let (from, len) = ((at % SECTOR) as usize, bytes.len());
                if let Some(cells) = cells.get_mut(from..from + len) {
                    cells.copy_from_slice(bytes);
                }
                Ok(())
            }
        }
    }
}

/// What reads answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Answer {
    Array,
    Status,
    Id,
    Query,
}

/// What the next write is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Expect {
    Command,
    /// The word to program.
    Word,
    /// The confirmation of erasing a sector.
    Erase,
    /// What to do with a lock.
    Lock,
    /// Number of words of a buffered write, less one.
    Count,
    /// So many words of it.
    Words(u16),
    /// Its confirmation.
    Confirm,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct State {
    answer: Answer,
    expect: Expect,
    status: u8,
    /// Words of a buffered write: where they go, their bytes, their values. At most [`BUFFER`] bytes.
    buffer: Vec<(u64, u8, u32)>,
}

impl State {
    fn power_on() -> State {
        State { answer: Answer::Array, expect: Expect::Command, status: READY, buffer: Vec::new() }
    }
}

/// The bank.
pub struct CfiFlash {
    medium: Medium,
    len: u64,
    query: [u8; 0x40],
    state: State,
}

impl CfiFlash {
    /// A bank of `len` bytes, a power of two of whole sectors.
    pub fn new(len: u64, medium: Medium) -> CfiFlash {
        CfiFlash { medium, len, query: query_table(len), state: State::power_on() }
    }

    fn done(&mut self, result: io::Result<()>, error: u8, doing: &str) {
        if let Err(e) = result {
            log::error!(target: "block", "The flash's image cannot be {doing}: {e}");
            self.state.status |= error;
        }
        self.state.answer = Answer::Status;
    }

    /// Programming clears bits; only erasing sets them.
    fn program(&mut self, at: u64, size: usize, word: u32) -> io::Result<()> {
        let mut old = [0; 4];
        self.medium.read(at, &mut old[..size])?;
        let new = (u32::from_le_bytes(old) & word).to_le_bytes();
        if new == old { Ok(()) } else { self.medium.write(at, &new[..size]) }
    }

    fn erase(&mut self, at: u64) -> io::Result<()> {
        let start = at & !(SECTOR - 1);
        let erased = vec![0xFF; SECTOR as usize];
        let mut old = vec![0; SECTOR as usize];
        self.medium.read(start, &mut old)?;
        if old == erased { Ok(()) } else { self.medium.write(start, &erased) }
    }

    fn program_buffer(&mut self) -> io::Result<()> {
        let words = std::mem::take(&mut self.state.buffer);
        words.into_iter().try_for_each(|(at, size, word)| self.program(at, size.into(), word))
    }

    fn command(&mut self, command: u8) {
        let s = &mut self.state;
        let next = match command {
            PROGRAM | PROGRAM_WORD => Expect::Word,
            BLOCK_ERASE => Expect::Erase,
            LOCK => Expect::Lock,
            WRITE_BUFFER => Expect::Count,
            _ => Expect::Command,
        };
        s.answer = match command {
            READ_ID => Answer::Id,
            CFI_QUERY => Answer::Query,
            READ_STATUS => Answer::Status,
            CLEAR_STATUS => {
                s.status = READY;
                s.answer
            }
            READ_ARRAY => Answer::Array,
            _ if next != Expect::Command => Answer::Status,
            // What the chip does not know, probes for other command sets among it, brings the array back.
            _ => Answer::Array,
        };
        s.expect = next;
    }
}

/// Both chips answer the same.
fn both(x: u16) -> u32 {
    u32::from(x) << 16 | u32::from(x)
}

/// The query table of one of two chips of a bank (JESD68.01, section 4), by word.
fn query_table(len: u64) -> [u8; 0x40] {
    let mut t = [0; 0x40];
    let chip = len / 2;
    let (blocks, block) = ((len / SECTOR) as u16, (SECTOR / 2 / 256) as u16);
    t[0x10..0x17].copy_from_slice(&[b'Q', b'R', b'Y', 0x01, 0, 0x31, 0]);
    // 4.5 V to 5.5 V, no programming voltage.
    t[0x1B..0x1D].copy_from_slice(&[0x45, 0x55]);
    // Typical times, powers of two: 128 us a word and a buffer, 1024 ms a block; at most 16 times that.
    t[0x1F..0x27].copy_from_slice(&[7, 7, 10, 0, 4, 4, 4, 0]);
    t[0x27] = chip.ilog2() as u8;
    // x8 and x16; the buffer; one region of equal blocks.
    t[0x28..0x2D].copy_from_slice(&[2, 0, (BUFFER / 2).ilog2() as u8, 0, 1]);
    t[0x2D..0x2F].copy_from_slice(&(blocks - 1).to_le_bytes());
    t[0x2F..0x31].copy_from_slice(&block.to_le_bytes());
    // The command set's own table: version 1.0, no optional features.
    t[0x31..0x36].copy_from_slice(b"PRI10");
    t
}

impl Io for CfiFlash {
    fn read(&mut self, reg: u64, size: Size, _: Initiator) -> BusResult<u64> {
        if !reg.is_multiple_of(size.bytes()) {
            return Err(BusError::Unaligned);
        }
        if reg >= self.len {
            return Err(BusError::NoRegister);
        }
        let word = match self.state.answer {
            Answer::Array => {
                let mut bytes = [0; 8];
                let bytes_of = &mut bytes[..size.bytes() as usize];
                if let Err(e) = self.medium.read(reg, bytes_of) {
                    log::error!(target: "block", "The flash's image cannot be read: {e}");
                    bytes_of.fill(0xFF);
                }
                return Ok(u64::from_le_bytes(bytes));
            }
            Answer::Status => both(self.state.status.into()),
            Answer::Id => both(match reg >> 2 & 0xFF {
                0 => MANUFACTURER,
                1 => DEVICE,
                // Lock status and everything else: not locked.
                _ => 0,
            }),
            Answer::Query => both(self.query.get((reg >> 2 & 0xFF) as usize).copied().unwrap_or(0).into()),
        };
        Ok((u64::from(word) << 32 | u64::from(word) >> (8 * (reg & 3))) & size.mask())
    }

    fn write(&mut self, reg: u64, size: Size, value: u64, _: Initiator) -> BusResult<()> {
        if size > Size::B4 {
            return Err(BusError::BadSize);
        }
        if !reg.is_multiple_of(size.bytes()) {
            return Err(BusError::Unaligned);
        }
        if reg >= self.len {
            return Err(BusError::NoRegister);
        }
        // The half of the word that is named decides; the other chip gets the same.
        let command = value as u8;
        match std::mem::replace(&mut self.state.expect, Expect::Command) {
            Expect::Command => self.command(command),
            Expect::Word => {
                let done = self.program(reg, size.bytes() as usize, value as u32);
                self.done(done, PROGRAM_ERROR, "programmed");
            }
            Expect::Erase if command == CONFIRM => {
                let done = self.erase(reg);
                self.done(done, ERASE_ERROR, "erased");
            }
            // A wrong second command is a wrong sequence: both error bits.
            Expect::Erase => self.state.status |= ERASE_ERROR | PROGRAM_ERROR,
            Expect::Lock => {}
            Expect::Count => {
                let words = (value as u16).saturating_add(1);
                if u64::from(words) * size.bytes() > BUFFER {
                    self.state.status |= PROGRAM_ERROR;
                } else {
                    self.state.buffer.clear();
                    self.state.expect = Expect::Words(words);
                }
            }
            Expect::Words(left) => {
                self.state.buffer.push((reg, size.bytes() as u8, value as u32));
                self.state.expect = if left > 1 { Expect::Words(left - 1) } else { Expect::Confirm };
            }
            Expect::Confirm if command == CONFIRM => {
                let done = self.program_buffer();
                self.done(done, PROGRAM_ERROR, "programmed");
            }
            Expect::Confirm => {
                self.state.buffer.clear();
                self.state.status |= PROGRAM_ERROR;
            }
        }
        Ok(())
    }
}

impl Device for CfiFlash {
    fn name(&self) -> &'static str {
        "cfi-flash"
    }

    fn reset(&mut self) {
        self.state = State::power_on();
    }

    fn save(&self) -> Result<Vec<u8>, StateError> {
        snapshot::save(&self.state)
    }

    fn load(&mut self, saved: &[u8]) -> Result<(), StateError> {
        let state: State = snapshot::load(saved)?;
        let fits = |&(at, size, _): &(u64, u8, u32)| {
            matches!(size, 1 | 2 | 4) && at % u64::from(size) == 0 && at < self.len
        };
        snapshot::require(state.buffer.iter().all(fits), "the flash's buffer is inside of the bank")?;
        let left = if let Expect::Words(left) = state.expect { left.into() } else { 0 };
        let words = state.buffer.len() as u64 + left;
        snapshot::require(words <= BUFFER, "the flash's buffer has its size")?;
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

    const CPU: Initiator = Initiator::Cpu(0);
    const LEN: u64 = 0x400_0000;

    fn command(f: &mut CfiFlash, at: u64, x: u8) {
        f.write(at, Size::B4, both(x.into()).into(), CPU).unwrap();
    }

    fn word(f: &mut CfiFlash, at: u64) -> u64 {
        f.read(at, Size::B4, CPU).unwrap()
    }

    #[test]
    fn conforms() {
        conformance::check(|| CfiFlash::new(LEN, Medium::blank()), LEN);
    }

    #[test]
    fn says_what_it_is() {
        let mut f = CfiFlash::new(LEN, Medium::blank());
        command(&mut f, 0x55 << 2, CFI_QUERY);
        let table: Vec<u64> = (0x10..0x31).map(|i| word(&mut f, i << 2) & 0xFFFF).collect();
        assert_eq!(table[..3], [b'Q', b'R', b'Y'].map(u64::from));
        let size = 1 << table[0x27 - 0x10];
        let blocks = table[0x2D - 0x10] + 1;
        assert_eq!(size, LEN / 2);
        assert_eq!(blocks * (table[0x2F - 0x10] | table[0x30 - 0x10] << 8) * 256, size);
        assert_eq!(f.read(0x12 << 2, Size::B2, CPU), Ok(b'Y'.into()));
        command(&mut f, 0, READ_ID);
        assert_eq!([word(&mut f, 0), word(&mut f, 4)], [0x0089_0089, 0x0018_0018]);
        command(&mut f, 0, READ_ARRAY);
        assert_eq!(word(&mut f, 0), 0xFFFF_FFFF);
    }

    #[test]
    fn programming_clears_bits_and_erasing_sets_them() {
        let mut f = CfiFlash::new(LEN, Medium::blank());
        for (x, cell) in [(0xF0F0_1234, 0xF0F0_1234), (0x0FF0_FFFF, 0x00F0_1234)] {
            command(&mut f, 0x8_0010, PROGRAM_WORD);
            f.write(0x8_0010, Size::B4, x, CPU).unwrap();
            assert_eq!(word(&mut f, 0), 0x0080_0080, "ready, without an error");
            command(&mut f, 0, READ_ARRAY);
            assert_eq!(word(&mut f, 0x8_0010), cell);
        }
        f.reset();
        assert_eq!(word(&mut f, 0x8_0010), 0x00F0_1234, "the content outlives a reset");
        command(&mut f, 0xB_FFFC, BLOCK_ERASE);
        command(&mut f, 0xB_FFFC, CONFIRM);
        command(&mut f, 0, READ_ARRAY);
        assert_eq!(word(&mut f, 0x8_0010), 0xFFFF_FFFF);
    }

    #[test]
    fn buffers_are_programmed_once_they_are_confirmed() {
        let mut f = CfiFlash::new(LEN, Medium::blank());
        for confirm in [READ_ARRAY, CONFIRM] {
            command(&mut f, 0x1000, WRITE_BUFFER);
            assert_eq!(word(&mut f, 0x1000), 0x0080_0080);
            command(&mut f, 0x1000, 2);
            for i in 0..3 {
                f.write(0x1000 + 4 * i, Size::B4, i, CPU).unwrap();
            }
            command(&mut f, 0x1000, confirm);
            let failed = confirm != CONFIRM;
            assert_eq!(word(&mut f, 0) & u64::from(PROGRAM_ERROR) != 0, failed);
            command(&mut f, 0, CLEAR_STATUS);
            command(&mut f, 0, READ_ARRAY);
            let cells: Vec<u64> = (0..4).map(|i| word(&mut f, 0x1000 + 4 * i)).collect();
            let ones = 0xFFFF_FFFF;
            assert_eq!(cells, if failed { [ones; 4] } else { [0, 1, 2, ones] });
        }
    }

    #[test]
    fn wrong_sequences_are_reported() {
        let mut f = CfiFlash::new(LEN, Medium::blank());
        command(&mut f, 0, BLOCK_ERASE);
        command(&mut f, 0, READ_ARRAY);
        assert_eq!(word(&mut f, 0), 0x00B0_00B0);
        command(&mut f, 0, CLEAR_STATUS);
        command(&mut f, 0, WRITE_BUFFER);
        f.write(0, Size::B4, 0xFFFF_FFFF, CPU).unwrap();
        assert_eq!(word(&mut f, 0), 0x0090_0090, "more words than the buffer has");
    }
}
