//! An ATAPI CD-ROM: packets of MMC-5 (T10/1675) and SFF-8020i, over a block backend that holds a disc image.
//!
//! The disc is one data track of 2048-byte blocks. Left out on purpose: audio, raw sectors, writing, changers.

use super::ata::command::*;
use super::identify::{self, CDROM_MODEL, REVISION};
use super::taskfile::{Data, Step, TaskFile, error};
use crate::block::BlockBackend;
use crate::bus::snapshot::{self, StateError};
use serde::{Deserialize, Serialize};
use std::io;
use std::sync::Arc;

/// Bytes of a block.
pub const BLOCK: u64 = 2048;

/// Packets (MMC-5, table 233).
mod packet {
    pub const TEST_UNIT_READY: u8 = 0x00;
    pub const REQUEST_SENSE: u8 = 0x03;
    pub const INQUIRY: u8 = 0x12;
    pub const MODE_SENSE_6: u8 = 0x1A;
    pub const START_STOP_UNIT: u8 = 0x1B;
    pub const PREVENT_REMOVAL: u8 = 0x1E;
    pub const READ_CAPACITY: u8 = 0x25;
    pub const READ_10: u8 = 0x28;
    pub const SEEK_10: u8 = 0x2B;
    pub const READ_TOC: u8 = 0x43;
    pub const GET_CONFIGURATION: u8 = 0x46;
    pub const GET_EVENT_STATUS: u8 = 0x4A;
    pub const READ_DISC_INFORMATION: u8 = 0x51;
    pub const MODE_SENSE_10: u8 = 0x5A;
    pub const READ_12: u8 = 0xA8;
    pub const SET_CD_SPEED: u8 = 0xBB;
    pub const MECHANISM_STATUS: u8 = 0xBD;
    pub const READ_CD: u8 = 0xBE;
}
use packet::*;

/// Sense: key, additional sense code (the qualifier is 0).
type Sense = (u8, u8);
const NO_SENSE: Sense = (0, 0);
const NOT_PRESENT: Sense = (2, 0x3A);
const READ_ERROR: Sense = (3, 0x11);
const BAD_COMMAND: Sense = (5, 0x20);
const BAD_ADDRESS: Sense = (5, 0x21);
const BAD_FIELD: Sense = (5, 0x24);
const LOCKED: Sense = (5, 0x53);
const CHANGED: Sense = (6, 0x28);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    sense: Sense,
    /// The guest has not heard of a new disc yet.
    changed: bool,
    /// The next event to be told (MMC-5 6.7.1.4): 1 the button asks for ejection, 2 a new disc, 3 the disc is gone.
    event: u8,
    locked: bool,
    open: bool,
    mode: u8,
}

impl State {
    fn power_on() -> State {
        State { sense: NO_SENSE, changed: false, event: 0, locked: false, open: false, mode: 0x45 }
    }
}

/// A CD-ROM.
pub struct Cdrom {
    disc: Option<Arc<dyn BlockBackend>>,
    serial: String,
    state: State,
}

impl Cdrom {
    /// A CD-ROM with `disc` in it, or none.
    pub fn new(disc: Option<Arc<dyn BlockBackend>>, serial: &str) -> Cdrom {
        Cdrom { disc, serial: serial.into(), state: State::power_on() }
    }

    /// Puts another disc in, or takes it out, as a person does.
    pub fn change(&mut self, disc: Option<Arc<dyn BlockBackend>>) {
        self.state.event = if disc.is_some() { 2 } else { 3 };
        self.state.changed = disc.is_some();
        self.state.open = false;
        self.disc = disc;
    }

    /// Whether the guest keeps the disc from being taken out.
    pub fn locked(&self) -> bool {
        self.state.locked
    }

    fn blocks(&self) -> u64 {
        self.disc.as_ref().map_or(0, |d| d.size() / BLOCK)
    }

    /// Bytes.
    pub(super) fn size(&self) -> u64 {
        self.blocks() * BLOCK
    }

    pub(super) fn read(&self, at: u64, into: &mut [u8]) -> io::Result<()> {
        let Some(disc) = &self.disc else { return Err(io::Error::other("the disc is gone")) };
        let result = disc.read_at(into, at);
        if let Err(e) = &result {
            log::warn!(target: "block", "{}: read failed: {e}", disc.info().file);
        }
        result
    }

    pub(super) fn medium_error(&mut self) -> u8 {
        self.refuse(READ_ERROR)
    }

    /// Remembers why, and gives the error register.
    fn refuse(&mut self, sense: Sense) -> u8 {
        self.state.sense = sense;
        sense.0 << 4
    }

    /// Carries out a command.
    pub(super) fn command(&mut self, regs: &mut TaskFile, command: u8) -> Step {
        match command {
            PACKET => {
                regs.error = 0;
                return Step::Packet { dma: regs.features[0] & 1 != 0 };
            }
            IDENTIFY_PACKET => {
                let bytes = identify::cdrom(&self.serial, self.state.mode).to_vec();
                return Step::Pio { data: Data::Bytes { bytes, done: 0 }, block: 512 };
            }
            DEVICE_RESET => regs.sign(true),
            SET_FEATURES => match (regs.features[0], regs.count[0]) {
                (0x03, mode @ (0x00 | 0x01 | 0x08..=0x0C | 0x20..=0x22 | 0x40..=0x45)) => {
                    self.state.mode = mode;
                    regs.done();
                }
                (0x03, _) => regs.fail(error::ABRT),
                _ => regs.done(),
            },
            CHECK_POWER => {
                regs.count[0] = 0xFF;
                regs.done();
            }
            STANDBY_IMMEDIATE | IDLE_IMMEDIATE | STANDBY | IDLE | SLEEP | FLUSH | FLUSH_EXT => regs.done(),
            // Commands for disks show that this is none.
            IDENTIFY | READ => {
                regs.sign(true);
                regs.fail(error::ABRT);
            }
            _ => regs.fail(error::ABRT),
        }
        Step::Done
    }

    /// Carries out a packet of at least 12 bytes.
    pub(super) fn packet(&mut self, packet: &[u8]) -> Result<Option<Data>, u8> {
        let mut p = [0; 12];
        p.iter_mut().zip(packet).for_each(|(to, from)| *to = *from);
        let immune = matches!(p[0], INQUIRY | REQUEST_SENSE | GET_EVENT_STATUS | GET_CONFIGURATION);
        if self.state.changed && !immune {
            self.state.changed = false;
            return Err(self.refuse(CHANGED));
        }
        match self.execute(&p) {
            Ok(data) => {
                if p[0] != REQUEST_SENSE {
                    self.state.sense = NO_SENSE;
                }
                Ok(data.filter(|d| d.left() != 0))
            }
            Err(sense) => Err(self.refuse(sense)),
        }
    }

    fn execute(&mut self, p: &[u8; 12]) -> Result<Option<Data>, Sense> {
        let word = |at: usize| u16::from_be_bytes([p[at], p[at + 1]]);
        let long = |at: usize| u32::from_be_bytes([p[at], p[at + 1], p[at + 2], p[at + 3]]);
        let needs_disc = matches!(
            p[0],
            TEST_UNIT_READY
                | READ_CAPACITY
                | READ_10
                | READ_12
                | READ_CD
                | SEEK_10
                | READ_TOC
                | READ_DISC_INFORMATION
        );
        if needs_disc && self.disc.is_none() {
            return Err(NOT_PRESENT);
        }
        let (bytes, room) = match p[0] {
            TEST_UNIT_READY | SEEK_10 | SET_CD_SPEED => return Ok(None),
            REQUEST_SENSE => {
                let (key, code) = std::mem::replace(&mut self.state.sense, NO_SENSE);
                let mut sense = vec![0; 18];
                (sense[0], sense[2], sense[7], sense[12]) = (0xF0, key, 10, code);
                (sense, u16::from(p[4]))
            }
            INQUIRY => (inquiry(), word(3)),
            START_STOP_UNIT => return self.start_stop(p[4]).map(|()| None),
            PREVENT_REMOVAL => {
                self.state.locked = p[4] & 1 != 0;
                return Ok(None);
            }
            READ_CAPACITY => {
                let last = self.blocks().saturating_sub(1).min(u32::MAX.into()) as u32;
                let bytes = [last.to_be_bytes(), (BLOCK as u32).to_be_bytes()].concat();
                (bytes, u16::MAX)
            }
            READ_10 => return self.blocks_at(long(2), word(7).into()).map(Some),
            READ_12 => return self.blocks_at(long(2), long(6)).map(Some),
            READ_CD => {
                let count = u32::from_be_bytes([0, p[6], p[7], p[8]]);
                return match p[9] & 0xF8 {
                    0 => Ok(None),
                    0x10 => self.blocks_at(long(2), count).map(Some), // user data only
                    _ => Err(BAD_FIELD),
                };
            }
            READ_TOC => (self.toc(p)?, word(7)),
            GET_CONFIGURATION => (self.configuration(word(2), p[1] & 3), word(7)),
            GET_EVENT_STATUS => (self.events(p)?, word(7)),
            READ_DISC_INFORMATION => {
                let mut info = vec![0; 34];
                // A finalised disc: one session, track 1 first and last.
                (info[1], info[2], info[3], info[4], info[5], info[6], info[7]) =
                    (32, 0x0E, 1, 1, 1, 1, 0x20);
                (info, word(7))
            }
            MODE_SENSE_10 => (self.mode_sense(p[2], 8)?, word(7)),
            MODE_SENSE_6 => (self.mode_sense(p[2], 4)?, u16::from(p[4])),
            MECHANISM_STATUS => (vec![0, 0, 0, 0, 0, 1, 0, 0], word(8)),
            _ => return Err(BAD_COMMAND),
        };
        let mut bytes = bytes;
        bytes.truncate(room.into());
        Ok(Some(Data::Bytes { bytes, done: 0 }))
    }

    fn blocks_at(&self, first: u32, count: u32) -> Result<Data, Sense> {
        let (first, count) = (u64::from(first), u64::from(count));
        if first + count > self.blocks() {
            return Err(BAD_ADDRESS);
        }
        Ok(Data::Read { at: first * BLOCK, left: count * BLOCK })
    }

    fn start_stop(&mut self, what: u8) -> Result<(), Sense> {
        if what & 2 != 0 {
            let eject = what & 1 == 0;
            if eject && self.state.locked {
                return Err(LOCKED);
            }
            self.state.open = eject;
        }
        Ok(())
    }

    /// READ TOC/PMA/ATIP (6.26): formats 0 and 1; 2 says the same in raw form.
    fn toc(&self, p: &[u8; 12]) -> Result<Vec<u8>, Sense> {
        let msf = p[1] & 2 != 0;
        let format = if p[2] & 0xF != 0 { p[2] & 0xF } else { p[9] >> 6 };
        let place = |block: u64| -> [u8; 4] {
            if msf {
                let frames = block + 150;
                [0, (frames / 75 / 60) as u8, (frames / 75 % 60) as u8, (frames % 75) as u8]
            } else {
                (block as u32).to_be_bytes()
            }
        };
        let mut bytes = vec![0, 0, 1, 1];
        let mut track = |number: u8, block: u64| {
            let control = if number == 0xAA { 0x16 } else { 0x14 };
            bytes.extend([0, control, number, 0]);
            bytes.extend(place(block));
        };
        match format {
            0 => {
                if p[6] > 1 && p[6] != 0xAA {
                    return Err(BAD_FIELD);
                }
                if p[6] <= 1 {
                    track(1, 0);
                }
                track(0xAA, self.blocks());
            }
            1 => track(1, 0),
            2 => {
                let end = place(self.blocks());
                for (point, pmsf) in
                    [(0xA0, [1, 0, 0]), (0xA1, [1, 0, 0]), (0xA2, [end[1], end[2], end[3]]), (1, [0, 2, 0])]
                {
                    bytes.extend([1, 0x14, 0, point, 0, 0, 0, 0]);
                    bytes.extend(pmsf);
                }
            }
            _ => return Err(BAD_FIELD),
        }
        let len = (bytes.len() as u16).wrapping_sub(2).to_be_bytes();
        bytes.splice(0..2, len);
        Ok(bytes)
    }

    /// GET CONFIGURATION (6.6): the profiles, and the features that every drive has.
    fn configuration(&self, first: u16, kind: u8) -> Vec<u8> {
        const DVD_ROM: u16 = 0x10;
        const CD_ROM: u16 = 0x08;
        // Longer than any CD: a DVD.
        let dvd = self.blocks() > 80 * 60 * 75;
        let current = match (&self.disc, dvd) {
            (None, _) => 0,
            (Some(_), true) => DVD_ROM,
            (Some(_), false) => CD_ROM,
        };
        let mut bytes = vec![0; 6];
        bytes.extend(current.to_be_bytes());
        let mut feature = |number: u16, flags: u8, data: &[u8]| {
            let wanted = match kind {
                0 => number >= first,
                1 => number >= first && flags & 1 != 0,
                _ => number == first,
            };
            if wanted {
                bytes.extend(number.to_be_bytes());
                bytes.extend([flags, data.len() as u8]);
                bytes.extend(data);
            }
        };
        let profile = |number: u16| [0, number as u8, u8::from(current == number), 0];
        feature(0x0000, 3, &[profile(DVD_ROM), profile(CD_ROM)].concat());
        feature(0x0001, 0x0B, &[0, 0, 0, 2, 1, 0, 0, 0]); // core: ATAPI
        feature(0x0003, 0x03, &[0x29, 0, 0, 0]); // removable, tray, locks, ejects
        feature(0x0010, u8::from(current != 0), &[0, 0, 8, 0, 0, 1, 1, 0]); // random readable
        let len = (bytes.len() as u32).wrapping_sub(4).to_be_bytes();
        bytes.splice(0..4, len);
        bytes
    }

    /// GET EVENT STATUS NOTIFICATION (6.7): the media class, when polled.
    fn events(&mut self, p: &[u8; 12]) -> Result<Vec<u8>, Sense> {
        const MEDIA: u8 = 1 << 4;
        if p[1] & 1 == 0 {
            return Err(BAD_FIELD); // asynchronous operation
        }
        if p[4] & MEDIA == 0 {
            return Ok(vec![0, 2, 0x80, MEDIA]);
        }
        let event = std::mem::take(&mut self.state.event);
        let status = u8::from(self.disc.is_some() && !self.state.open) << 1 | u8::from(self.state.open);
        Ok(vec![0, 6, 4, MEDIA, event, status, 0, 0])
    }

    /// MODE SENSE (6.11): error recovery, and capabilities.
    fn mode_sense(&self, what: u8, header: usize) -> Result<Vec<u8>, Sense> {
        if what >> 6 == 3 {
            return Err((5, 0x39)); // saved values are not there
        }
        let mut bytes = vec![0; header];
        let page = what & 0x3F;
        if page == 0x01 || page == 0x3F {
            bytes.extend([0x01, 6, 0, 5, 0, 0, 0, 0]);
        }
        if page == 0x2A || page == 0x3F {
            let mut page = [0u8; 20];
            // Reads CD-R, CD-RW, DVD-ROM; multisession; tray, locks, ejects; speeds in kB/s.
            (page[0], page[1], page[2], page[4], page[6]) =
                (0x2A, 18, 0x3B, 0x70, 0x29 | u8::from(self.state.locked) << 1);
            page[8..10].copy_from_slice(&706u16.to_be_bytes());
            page[11] = 2;
            page[12..14].copy_from_slice(&512u16.to_be_bytes());
            page[14..16].copy_from_slice(&706u16.to_be_bytes());
            bytes.extend(page);
        }
        if bytes.len() == header {
            return Err(BAD_FIELD);
        }
        let medium = if self.disc.is_some() { 1 } else { 0x70 };
        if header == 8 {
            let len = (bytes.len() as u16 - 2).to_be_bytes();
            bytes.splice(0..3, [len[0], len[1], medium]);
        } else {
            let len = bytes.len() as u8 - 1;
            bytes.splice(0..2, [len, medium]);
        }
        Ok(bytes)
    }

    pub(super) fn reset(&mut self) {
        let (changed, event) = (self.state.changed, self.state.event);
        self.state = State { changed, event, ..State::power_on() };
    }

    pub(super) fn save(&self) -> Result<Vec<u8>, StateError> {
        snapshot::save(&self.state)
    }

    pub(super) fn check(saved: &[u8]) -> Result<(), StateError> {
        snapshot::load::<State>(saved).map(|_| ())
    }

    pub(super) fn load(&mut self, saved: &[u8]) -> Result<(), StateError> {
        self.state = snapshot::load(saved)?;
        Ok(())
    }
}

/// INQUIRY (6.8).
fn inquiry() -> Vec<u8> {
    let mut bytes = vec![0x05, 0x80, 0x00, 0x21, 31, 0, 0, 0];
    let (vendor, product) = CDROM_MODEL.split_once(' ').unwrap_or((CDROM_MODEL, ""));
    for (text, len) in [(vendor, 8), (product, 16), (REVISION, 4)] {
        bytes.extend(text.bytes().chain(std::iter::repeat(b' ')).take(len));
    }
    bytes
}
