//! Commands: their lengths, what they do, and their results.

use super::spec::*;
use super::{Fdc, Media, Place, Transfer};

const READ_TRACK: u8 = 0x02;
const SPECIFY: u8 = 0x03;
const SENSE_DRIVE: u8 = 0x04;
const WRITE: u8 = 0x05;
const READ: u8 = 0x06;
const RECALIBRATE: u8 = 0x07;
const SENSE_INTERRUPT: u8 = 0x08;
const WRITE_DELETED: u8 = 0x09;
const READ_ID: u8 = 0x0a;
const READ_DELETED: u8 = 0x0c;
const FORMAT: u8 = 0x0d;
const DUMPREG: u8 = 0x0e;
const SEEK: u8 = 0x0f;
const VERSION: u8 = 0x10;
const PERPENDICULAR: u8 = 0x12;
const CONFIGURE: u8 = 0x13;
const LOCK: u8 = 0x14;
/// With bit 7, a seek is relative; with bit 6, upwards.
const RELATIVE: u8 = 0x80;
const MULTI_TRACK: u8 = 0x80;
/// This is an enhanced controller.
const ENHANCED: u8 = 0x90;
/// Specify's second byte: no DMA.
const NO_DMA: u8 = 1;

/// Bytes of the command that begins with `first`, with it. What is no command has one.
pub(super) fn length(first: u8) -> usize {
    match first & 0x1f {
        READ_TRACK | WRITE | READ | WRITE_DELETED | READ_DELETED => 9,
        FORMAT => 6,
        CONFIGURE => 4,
        SPECIFY | SEEK => 3,
        SENSE_DRIVE | RECALIBRATE | READ_ID | PERPENDICULAR => 2,
        _ => 1,
    }
}

impl Place {
    /// Goes to the next sector; false behind the last.
    fn advance(&mut self) -> bool {
        if self.sector != self.last {
            self.sector = self.sector.wrapping_add(1);
            return true;
        }
        self.sector = 1;
        if self.multi && self.head & 1 == 0 {
            self.head |= 1;
            return true;
        }
        if self.multi {
            self.head &= !1;
        }
        self.cylinder = self.cylinder.wrapping_add(1);
        false
    }
}

impl Fdc {
    /// Carries out the command that is complete.
    pub(super) fn execute(&mut self) {
        let command = std::mem::take(&mut self.state.command);
        let byte = |n: usize| command.get(n).copied().unwrap_or(0);
        let (first, drive) = (byte(0), byte(1) & 3);
        let s = &mut self.state;
        match first & 0x1f {
            READ | READ_DELETED | READ_TRACK => self.begin(&command, false),
            WRITE | WRITE_DELETED => self.begin(&command, true),
            SPECIFY => s.specify = [byte(1), byte(2)],
            SENSE_DRIVE => {
                let result = self.sense_drive(byte(1));
                self.state.finish(&[result]);
            }
            RECALIBRATE => self.seek(drive, drive, 0),
            SEEK if first & RELATIVE != 0 => {
                let from = s.drives.get(usize::from(drive)).map_or(0, |d| d.cylinder);
                let to = if first & 0x40 != 0 {
                    from.saturating_add(byte(2))
                } else {
                    from.saturating_sub(byte(2))
                };
                self.seek(drive, byte(1) & 7, to);
            }
            SEEK => self.seek(drive, byte(1) & 7, byte(2)),
            SENSE_INTERRUPT => self.sense_interrupt(),
            READ_ID => self.read_id(byte(1)),
            FORMAT => self.format(&command),
            DUMPREG => {
                let [a, b] = s.drives.map(|d| d.cylinder);
                let last = u8::from(s.locked) << 7 | s.perpendicular & 0x7f;
                let (specify, configure) = (s.specify, s.configure);
                s.finish(&[a, b, 0, 0, specify[0], specify[1], 0, last, configure[0], configure[1]]);
            }
            VERSION => s.finish(&[ENHANCED]),
            PERPENDICULAR => s.perpendicular = byte(1),
            CONFIGURE => s.configure = [byte(2), byte(3)],
            LOCK => {
                s.locked = first & 0x80 != 0;
                let locked = u8::from(s.locked) << 4;
                s.finish(&[locked]);
            }
            _ => s.finish(&[ST0_INVALID]),
        }
    }

    /// The disk in a drive, if it can be read at the present data rate.
    fn readable(&self, drive: u8) -> Option<&Media> {
        let media = self.media.get(usize::from(drive))?.as_ref()?;
        (media.geometry.rate == self.state.rate).then_some(media)
    }

    fn sense_drive(&self, select: u8) -> u8 {
        let mut st3 = ST3_ALWAYS | select & 7;
        if let Some(drive) = self.state.drives.get(usize::from(select & 3)) {
            st3 |= if drive.cylinder == 0 { ST3_TRACK_0 } else { 0 };
        }
        if let Some(Some(media)) = self.media.get(usize::from(select & 3)) {
            st3 |= ST3_TWO_SIDED;
            st3 |= if media.image.read_only() { ST3_PROTECTED } else { 0 };
        }
        st3
    }

    fn seek(&mut self, drive: u8, select: u8, cylinder: u8) {
        let there = self.media.get(usize::from(drive)).is_some_and(Option::is_some);
        let s = &mut self.state;
        let mut st0 = ST0_SEEK_END | select;
        match s.drives.get_mut(usize::from(drive)) {
            Some(d) => {
                // The first step with a disk in the drive ends its change line.
                d.changed &= !there;
                d.cylinder = cylinder;
            }
            None => st0 |= ST0_ABNORMAL | ST0_CHECK,
        }
        s.seek = Some(st0);
        s.busy |= 1 << drive;
        s.irq = true;
    }

    fn sense_interrupt(&mut self) {
        let s = &mut self.state;
        let st0 = if s.polled != 0 {
            s.polled -= 1;
            ST0_POLLED | (3 - s.polled)
        } else if let Some(st0) = s.seek.take() {
            s.busy &= !(1 << (st0 & 3));
            st0
        } else {
            s.finish(&[ST0_INVALID]);
            return;
        };
        s.irq = false;
        let cylinder = s.drives.get(usize::from(st0 & 3)).map_or(0, |d| d.cylinder);
        s.finish(&[st0, cylinder]);
    }

    /// The result of a transfer, with its interrupt.
    fn conclude(&mut self, st0: u8, st1: u8, place: Place) {
        let st0 = st0 | (place.head & 1) << 2 | place.drive;
        self.state.finish(&[st0, st1, 0, place.cylinder, place.head, place.sector, SECTOR_CODE]);
        self.state.irq = true;
    }

    fn read_id(&mut self, select: u8) {
        let sectors = self.readable(select & 3).map(|m| m.geometry.sectors);
        let mut place =
            Place { drive: select & 3, cylinder: 0, head: select >> 2 & 1, sector: 0, last: 0, multi: false };
        match (sectors, self.state.drives.get_mut(usize::from(place.drive))) {
            (Some(sectors), Some(drive)) => {
                (place.cylinder, place.sector) = (drive.cylinder, drive.sector.clamp(1, sectors));
                drive.sector = if drive.sector >= sectors { 1 } else { drive.sector + 1 };
                self.conclude(0, 0, place);
            }
            _ => self.conclude(ST0_ABNORMAL, ST1_NO_MARK, place),
        }
    }

    /// Starts a transfer of sectors.
    fn begin(&mut self, command: &[u8], write: bool) {
        let &[first, select, cylinder, head, sector, code, last, ..] = command else { return };
        let multi = first & MULTI_TRACK != 0;
        let place = Place { drive: select & 3, cylinder, head, sector, last, multi };
        if code != SECTOR_CODE {
            return self.conclude(ST0_ABNORMAL, ST1_NO_DATA, place);
        }
        if self.state.specify[1] & NO_DMA == 0 {
            return self.transfer_by_dma(place, write);
        }
        let mut data = vec![0; SECTOR];
        match if write { self.check(place, true).map(|_| ()) } else { self.read_sector(place, &mut data) } {
            Ok(()) => {
                self.state.transfer = Some(Transfer { place, write, data, done: 0 });
                self.state.irq = true;
            }
            Err(st1) => self.conclude(ST0_ABNORMAL, st1, place),
        }
    }

    fn transfer_by_dma(&mut self, mut place: Place, write: bool) {
        let mut data = [0; SECTOR];
        loop {
            let moved = if write {
                if let Err(st1) = self.check(place, true) {
                    return self.conclude(ST0_ABNORMAL, st1, place);
                }
                data.fill(0);
                self.dma.fetch(&mut data)
            } else {
                if let Err(st1) = self.read_sector(place, &mut data) {
                    return self.conclude(ST0_ABNORMAL, st1, place);
                }
                self.dma.put(&data)
            };
            if moved.bytes == 0 || moved.bytes < SECTOR && !moved.terminal_count {
                return self.conclude(ST0_ABNORMAL, ST1_OVERRUN, place);
            }
            if write && let Err(st1) = self.write_sector(place, &data) {
                return self.conclude(ST0_ABNORMAL, st1, place);
            }
            let more = place.advance();
            if moved.terminal_count {
                return self.conclude(0, 0, place);
            }
            if !more {
                return self.conclude(ST0_ABNORMAL, ST1_END, place);
            }
        }
    }

    /// The guest reads a byte of a transfer.
    pub(super) fn transfer_out(&mut self) -> u8 {
        let Some(t) = &mut self.state.transfer else { return 0 };
        let byte = t.data.get(usize::from(t.done)).copied().unwrap_or(0);
        t.done += 1;
        if usize::from(t.done) < SECTOR {
            return byte;
        }
        t.done = 0;
        let more = t.place.advance();
        let place = t.place;
        if !more {
            // Nobody says that the count is reached: the end of the track is the end.
            self.conclude(ST0_ABNORMAL, ST1_END, place);
            return byte;
        }
        let mut data = vec![0; SECTOR];
        match self.read_sector(place, &mut data) {
            Ok(()) => {
                if let Some(t) = &mut self.state.transfer {
                    t.data = data;
                }
            }
            Err(st1) => self.conclude(ST0_ABNORMAL, st1, place),
        }
        byte
    }

    /// The guest writes a byte of a transfer.
    pub(super) fn transfer_in(&mut self, byte: u8) {
        let Some(t) = &mut self.state.transfer else { return };
        if let Some(to) = t.data.get_mut(usize::from(t.done)) {
            *to = byte;
        }
        t.done += 1;
        if usize::from(t.done) < SECTOR {
            return;
        }
        t.done = 0;
        let (place, data) = (t.place, t.data.clone());
        if let Err(st1) = self.write_sector(place, &data) {
            return self.conclude(ST0_ABNORMAL, st1, place);
        }
        let Some(t) = &mut self.state.transfer else { return };
        if !t.place.advance() {
            let place = t.place;
            self.conclude(ST0_ABNORMAL, ST1_END, place);
        }
    }

    /// The disk and the offset of a sector; moves the head there. Errors are bits of ST1.
    fn check(&mut self, place: Place, write: bool) -> Result<u64, u8> {
        let media = self.readable(place.drive).ok_or(ST1_NO_MARK)?;
        let at = media.geometry.offset(place.cylinder, place.head, place.sector).ok_or(ST1_NO_DATA)?;
        if write && media.image.read_only() {
            return Err(ST1_PROTECTED);
        }
        if let Some(drive) = self.state.drives.get_mut(usize::from(place.drive)) {
            drive.cylinder = place.cylinder;
        }
        Ok(at)
    }

    fn read_sector(&mut self, place: Place, data: &mut [u8]) -> Result<(), u8> {
        let at = self.check(place, false)?;
        let media = self.readable(place.drive).ok_or(ST1_NO_MARK)?;
        data.fill(0);
        let there = media.image.size().saturating_sub(at).min(data.len() as u64) as usize;
        match data.get_mut(..there) {
            Some(part) if there != 0 => media.image.read_at(part, at).map_err(|_| ST1_CRC),
            _ => Ok(()),
        }
    }

    fn write_sector(&mut self, place: Place, data: &[u8]) -> Result<(), u8> {
        let at = self.check(place, true)?;
        let media = self.readable(place.drive).ok_or(ST1_NO_MARK)?;
        media.image.write_at(data, at).map_err(|_| ST1_CRC)
    }

    /// Formats a track: the place of each sector comes over DMA, each is filled with one byte.
    fn format(&mut self, command: &[u8]) {
        let &[_, select, code, count, _, fill] = command else { return };
        let drive = select & 3;
        let mut place =
            Place { drive, cylinder: 0, head: select >> 2 & 1, sector: 1, last: count, multi: false };
        if code != SECTOR_CODE {
            return self.conclude(ST0_ABNORMAL, ST1_NO_DATA, place);
        }
        for _ in 0..count {
            let mut id = [0; 4];
            if self.dma.fetch(&mut id).bytes != id.len() {
                return self.conclude(ST0_ABNORMAL, ST1_OVERRUN, place);
            }
            (place.cylinder, place.head, place.sector) = (id[0], id[1], id[2]);
            if let Err(st1) = self.write_sector(place, &[fill; SECTOR]) {
                return self.conclude(ST0_ABNORMAL, st1, place);
            }
        }
        self.conclude(0, 0, place);
    }
}
