//! An ATA disk: commands of ATA8-ACS (T13/1699), over a block backend.
//!
//! Left out on purpose: SMART, security, host protected area (its size is that of the disk), trim, streaming.

use super::identify;
use super::taskfile::{Data, LBA, Step, TaskFile, error};
use crate::block::{BlockBackend, SECTOR};
use crate::bus::snapshot::{self, StateError, require};
use serde::{Deserialize, Serialize};
use std::io;
use std::sync::Arc;

/// The most sectors of a READ or WRITE MULTIPLE block.
pub(super) const MAX_MULTIPLE: u8 = 16;

/// Commands (ACS, table 26).
pub(super) mod command {
    pub const DEVICE_RESET: u8 = 0x08;
    pub const RECALIBRATE_FIRST: u8 = 0x10;
    pub const RECALIBRATE_LAST: u8 = 0x1F;
    pub const READ: u8 = 0x20;
    pub const READ_ONCE: u8 = 0x21;
    pub const READ_EXT: u8 = 0x24;
    pub const READ_DMA_EXT: u8 = 0x25;
    pub const READ_NATIVE_MAX_EXT: u8 = 0x27;
    pub const READ_MULTIPLE_EXT: u8 = 0x29;
    pub const WRITE: u8 = 0x30;
    pub const WRITE_ONCE: u8 = 0x31;
    pub const WRITE_EXT: u8 = 0x34;
    pub const WRITE_DMA_EXT: u8 = 0x35;
    pub const WRITE_MULTIPLE_EXT: u8 = 0x39;
    pub const WRITE_DMA_FUA_EXT: u8 = 0x3D;
    pub const VERIFY: u8 = 0x40;
    pub const VERIFY_ONCE: u8 = 0x41;
    pub const VERIFY_EXT: u8 = 0x42;
    pub const READ_FPDMA: u8 = 0x60;
    pub const WRITE_FPDMA: u8 = 0x61;
    pub const SEEK: u8 = 0x70;
    pub const DIAGNOSTIC: u8 = 0x90;
    pub const SET_GEOMETRY: u8 = 0x91;
    pub const PACKET: u8 = 0xA0;
    pub const IDENTIFY_PACKET: u8 = 0xA1;
    pub const READ_MULTIPLE: u8 = 0xC4;
    pub const WRITE_MULTIPLE: u8 = 0xC5;
    pub const SET_MULTIPLE: u8 = 0xC6;
    pub const READ_DMA: u8 = 0xC8;
    pub const READ_DMA_ONCE: u8 = 0xC9;
    pub const WRITE_DMA: u8 = 0xCA;
    pub const WRITE_DMA_ONCE: u8 = 0xCB;
    pub const WRITE_MULTIPLE_FUA_EXT: u8 = 0xCE;
    pub const STANDBY_IMMEDIATE: u8 = 0xE0;
    pub const IDLE_IMMEDIATE: u8 = 0xE1;
    pub const STANDBY: u8 = 0xE2;
    pub const IDLE: u8 = 0xE3;
    pub const CHECK_POWER: u8 = 0xE5;
    pub const SLEEP: u8 = 0xE6;
    pub const FLUSH: u8 = 0xE7;
    pub const FLUSH_EXT: u8 = 0xEA;
    pub const IDENTIFY: u8 = 0xEC;
    pub const SET_FEATURES: u8 = 0xEF;
    pub const READ_NATIVE_MAX: u8 = 0xF8;
}
use command::*;

/// What the guest can change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    /// Sectors of a READ MULTIPLE block; 0: not set.
    pub(super) multiple: u8,
    /// Transfer mode as SET FEATURES has it.
    pub(super) mode: u8,
    /// Whether writes may wait for a flush.
    pub(super) write_cache: bool,
    /// Heads and sectors per track that CHS addresses count in.
    pub(super) heads: u8,
    pub(super) sectors: u8,
}

impl State {
    fn power_on() -> State {
        // Ultra DMA 5 and a write-back cache.
        State { multiple: MAX_MULTIPLE, mode: 0x45, write_cache: true, heads: 16, sectors: 63 }
    }
}

/// A disk.
pub struct Disk {
    backend: Arc<dyn BlockBackend>,
    pub(super) serial: String,
    pub(super) state: State,
}

impl Disk {
    /// A disk that shows `backend`; `serial` is the first 20 characters of what IDENTIFY says.
    pub fn new(backend: Arc<dyn BlockBackend>, serial: &str) -> Disk {
        Disk { backend, serial: serial.into(), state: State::power_on() }
    }

    /// Sectors.
    pub fn sectors(&self) -> u64 {
        self.backend.size() / SECTOR
    }

    /// Bytes.
    pub(super) fn size(&self) -> u64 {
        self.sectors() * SECTOR
    }

    /// Cylinders of the geometry that the guest chose, or of the disk's own.
    pub(super) fn cylinders(&self) -> u16 {
        let track = u64::from(self.state.heads.max(1)) * u64::from(self.state.sectors.max(1));
        (self.sectors() / track).clamp(2, 16383) as u16
    }

    pub(super) fn read(&self, at: u64, into: &mut [u8]) -> io::Result<()> {
        self.warn("read", self.backend.read_at(into, at))
    }

    pub(super) fn write(&self, at: u64, from: &[u8]) -> io::Result<()> {
        self.warn("write", self.backend.write_at(from, at))
    }

    /// A write is complete: without a cache it must be durable.
    pub(super) fn settle(&self) -> io::Result<()> {
        if self.state.write_cache { Ok(()) } else { self.flush() }
    }

    fn flush(&self) -> io::Result<()> {
        self.warn("flush", self.backend.flush())
    }

    fn warn(&self, what: &str, result: io::Result<()>) -> io::Result<()> {
        if let Err(e) = &result {
            log::warn!(target: "block", "{}: {what} failed: {e}", self.backend.info().file);
        }
        result
    }

    /// First sector and number of sectors that the registers name; an error if they are not on the disk.
    fn range(&self, regs: &TaskFile, ext: bool) -> Result<(u64, u64), u8> {
        let (lba, count) = if ext {
            let count = u64::from(u16::from_le_bytes(regs.count));
            (regs.lba48(), if count == 0 { 1 << 16 } else { count })
        } else {
            let count = u64::from(regs.count[0]);
            let lba =
                if regs.device & LBA != 0 { regs.lba28() } else { self.chs(regs).ok_or(error::IDNF)? };
            (lba, if count == 0 { 1 << 8 } else { count })
        };
        self.span(lba, count)?;
        Ok((lba, count))
    }

    /// Byte range of `count` sectors from `lba`.
    ///
    /// # Errors
    /// IDNF if it is not on the disk.
    pub(super) fn span(&self, lba: u64, count: u64) -> Result<(u64, u64), u8> {
        let inside = lba.checked_add(count).is_some_and(|end| end <= self.sectors());
        if inside { Ok((lba * SECTOR, count * SECTOR)) } else { Err(error::IDNF) }
    }

    fn chs(&self, regs: &TaskFile) -> Option<u64> {
        let [sector, low, high] = regs.lba.map(|r| u64::from(r[0]));
        let (cylinder, head) = (high << 8 | low, u64::from(regs.device & 0xF));
        let track = cylinder * u64::from(self.state.heads) + head;
        Some(track * u64::from(self.state.sectors) + sector.checked_sub(1)?)
    }

    /// Carries out a command.
    pub(super) fn command(&mut self, regs: &mut TaskFile, command: u8) -> Step {
        if command == DIAGNOSTIC {
            regs.sign(false);
            return Step::Done;
        }
        match self.start(regs, command) {
            Ok(Step::Done) => {
                regs.done();
                Step::Done
            }
            Ok(step) => {
                regs.error = 0;
                step
            }
            Err(error) => {
                regs.fail(error);
                Step::Done
            }
        }
    }

    fn start(&mut self, regs: &mut TaskFile, command: u8) -> Result<Step, u8> {
        let sector = SECTOR as u32;
        let multiple = sector * u32::from(self.state.multiple);
        match command {
            READ | READ_ONCE => self.pio(regs, false, false, sector),
            READ_EXT => self.pio(regs, false, true, sector),
            WRITE | WRITE_ONCE => self.pio(regs, true, false, sector),
            WRITE_EXT => self.pio(regs, true, true, sector),
            READ_MULTIPLE => self.pio(regs, false, false, multiple),
            READ_MULTIPLE_EXT => self.pio(regs, false, true, multiple),
            WRITE_MULTIPLE => self.pio(regs, true, false, multiple),
            WRITE_MULTIPLE_EXT | WRITE_MULTIPLE_FUA_EXT => self.pio(regs, true, true, multiple),
            READ_DMA | READ_DMA_ONCE => Ok(Step::Dma(self.data(regs, false, false)?)),
            READ_DMA_EXT => Ok(Step::Dma(self.data(regs, false, true)?)),
            WRITE_DMA | WRITE_DMA_ONCE => Ok(Step::Dma(self.data(regs, true, false)?)),
            WRITE_DMA_EXT | WRITE_DMA_FUA_EXT => Ok(Step::Dma(self.data(regs, true, true)?)),
            VERIFY | VERIFY_ONCE => self.range(regs, false).map(|_| Step::Done),
            VERIFY_EXT => self.range(regs, true).map(|_| Step::Done),
            IDENTIFY => {
                let data = Data::Bytes { bytes: identify::disk(self).to_vec(), done: 0 };
                Ok(Step::Pio { data, block: sector })
            }
            FLUSH | FLUSH_EXT => self.flush().map(|()| Step::Done).map_err(|_| error::ABRT),
            SET_FEATURES => self.set_features(regs),
            SET_MULTIPLE => {
                let count = regs.count[0];
                if count > MAX_MULTIPLE || count != 0 && !count.is_power_of_two() {
                    return Err(error::ABRT);
                }
                self.state.multiple = count;
                Ok(Step::Done)
            }
            SET_GEOMETRY => {
                self.state.heads = (regs.device & 0xF) + 1;
                self.state.sectors = regs.count[0].max(1);
                Ok(Step::Done)
            }
            READ_NATIVE_MAX => {
                regs.set_lba28(self.sectors().saturating_sub(1).min(0xFFF_FFFF));
                Ok(Step::Done)
            }
            READ_NATIVE_MAX_EXT => {
                regs.set_lba48(self.sectors().saturating_sub(1));
                Ok(Step::Done)
            }
            CHECK_POWER => {
                regs.count[0] = 0xFF; // active or idle
                Ok(Step::Done)
            }
            RECALIBRATE_FIRST..=RECALIBRATE_LAST | SEEK => Ok(Step::Done),
            STANDBY_IMMEDIATE | IDLE_IMMEDIATE | STANDBY | IDLE | SLEEP => Ok(Step::Done),
            // Packet commands to a disk are how a driver finds out what it talks to.
            IDENTIFY_PACKET | PACKET | DEVICE_RESET => {
                regs.sign(false);
                Err(error::ABRT)
            }
            _ => Err(error::ABRT),
        }
    }

    fn data(&self, regs: &TaskFile, write: bool, ext: bool) -> Result<Data, u8> {
        if write && self.backend.read_only() {
            return Err(error::ABRT);
        }
        let (lba, count) = self.range(regs, ext)?;
        let (at, left) = self.span(lba, count)?;
        Ok(if write { Data::Write { at, left } } else { Data::Read { at, left } })
    }

    fn pio(&self, regs: &TaskFile, write: bool, ext: bool, block: u32) -> Result<Step, u8> {
        if block == 0 {
            return Err(error::ABRT); // multiple mode is off
        }
        Ok(Step::Pio { data: self.data(regs, write, ext)?, block })
    }

    /// Whether the disk can be written.
    pub(super) fn writable(&self) -> bool {
        !self.backend.read_only()
    }

    /// SET FEATURES (ACS 7.47).
    fn set_features(&mut self, regs: &TaskFile) -> Result<Step, u8> {
        match regs.features[0] {
            0x02 => self.state.write_cache = true,
            0x82 => {
                self.flush().map_err(|_| error::ABRT)?;
                self.state.write_cache = false;
            }
            // Transfer modes: default PIO, PIO with flow control, multiword DMA, Ultra DMA.
            0x03 => match regs.count[0] {
                mode @ (0x00 | 0x01 | 0x08..=0x0C | 0x20..=0x22 | 0x40..=0x45) => self.state.mode = mode,
                _ => return Err(error::ABRT),
            },
            // Advanced power management, acoustic management, read look-ahead, reverting to defaults: no effect.
            0x05 | 0x85 | 0x42 | 0xC2 | 0x55 | 0xAA | 0x66 | 0xCC => {}
            _ => return Err(error::ABRT),
        }
        Ok(Step::Done)
    }

    pub(super) fn reset(&mut self) {
        self.state = State::power_on();
    }

    pub(super) fn save(&self) -> Result<Vec<u8>, StateError> {
        snapshot::save(&self.state)
    }

    fn decoded(saved: &[u8]) -> Result<State, StateError> {
        let state: State = snapshot::load(saved)?;
        let multiple =
            state.multiple == 0 || state.multiple.is_power_of_two() && state.multiple <= MAX_MULTIPLE;
        require(multiple, "the multiple count is impossible")?;
        require((1..=16).contains(&state.heads) && state.sectors != 0, "the geometry is impossible")?;
        Ok(state)
    }

    pub(super) fn check(saved: &[u8]) -> Result<(), StateError> {
        Disk::decoded(saved).map(|_| ())
    }

    pub(super) fn load(&mut self, saved: &[u8]) -> Result<(), StateError> {
        self.state = Disk::decoded(saved)?;
        Ok(())
    }
}
