//! Floppy disk controller, an 82077AA in its AT mode, with up to two drives.
//!
//! After Intel's 82077AA data sheet (290166-007). Commands are carried out at once, and the interrupt follows; nothing
//! turns. A transfer seeks by itself if it must, as under QEMU. Images shorter than their disk read as zeroes behind
//! their end.
//!
//! Left out on purpose: scan and verify commands, sectors of other sizes than 512 bytes, deleted data marks (written as
//! plain ones), tape, power down, the PS/2 status registers beyond the interrupt's bit.

use crate::block::BlockBackend;
use crate::bus::device::{BusError, BusResult, Device, Initiator, Io, Size};
use crate::bus::irq::Wire;
use crate::bus::snapshot::{self, StateError, require};
use crate::bus::space::Piece;
use crate::dma::i8237::DmaChannel;
use crate::time::mc146818::pc::FloppyKind;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

mod commands;
mod media;
#[cfg(test)]
mod tests;

pub use media::Geometry;

/// Registers and bits, from the data sheet's sections 2 and 5.
mod spec {
    pub const SRA: u64 = 0;
    pub const SRB: u64 = 1;
    pub const DOR: u64 = 2;
    pub const TDR: u64 = 3;
    pub const MSR_DSR: u64 = 4;
    pub const FIFO: u64 = 5;
    pub const DIR_CCR: u64 = 7;

    pub const SRA_INTPEND: u8 = 1 << 7;
    pub const DOR_RESET: u8 = 1 << 2;
    pub const DOR_DMA_GATE: u8 = 1 << 3;
    pub const DSR_RESET: u8 = 1 << 7;
    pub const MSR_CB: u8 = 1 << 4;
    pub const MSR_NDMA: u8 = 1 << 5;
    pub const MSR_DIO: u8 = 1 << 6;
    pub const MSR_RQM: u8 = 1 << 7;
    pub const DIR_CHANGE: u8 = 1 << 7;

    pub const ST0_SEEK_END: u8 = 1 << 5;
    pub const ST0_CHECK: u8 = 1 << 4;
    pub const ST0_ABNORMAL: u8 = 1 << 6;
    pub const ST0_INVALID: u8 = 2 << 6;
    /// The drive became ready, or not, while it was polled: after a reset.
    pub const ST0_POLLED: u8 = 3 << 6;
    pub const ST1_NO_MARK: u8 = 1 << 0;
    pub const ST1_PROTECTED: u8 = 1 << 1;
    pub const ST1_NO_DATA: u8 = 1 << 2;
    pub const ST1_OVERRUN: u8 = 1 << 4;
    pub const ST1_CRC: u8 = 1 << 5;
    pub const ST1_END: u8 = 1 << 7;
    pub const ST3_TWO_SIDED: u8 = 1 << 3;
    pub const ST3_TRACK_0: u8 = 1 << 4;
    pub const ST3_ALWAYS: u8 = 1 << 5;
    pub const ST3_PROTECTED: u8 = 1 << 6;

    /// Bytes of a sector, and their code in commands.
    pub const SECTOR: usize = 512;
    pub const SECTOR_CODE: u8 = 2;
}
use spec::*;

/// Drives that there can be.
pub const DRIVES: usize = 2;

#[derive(Debug, Default, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Drive {
    cylinder: u8,
    /// Sector that passes the head next, for Read ID.
    sector: u8,
    changed: bool,
}

/// A transfer through the FIFO register, without DMA.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Transfer {
    place: Place,
    write: bool,
    /// At most a sector.
    data: Vec<u8>,
    done: u16,
}

/// Where a transfer is, and where it ends.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Place {
    drive: u8,
    cylinder: u8,
    head: u8,
    sector: u8,
    last: u8,
    multi: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct State {
    dor: u8,
    tdr: u8,
    rate: u8,
    drives: [Drive; DRIVES],
    /// Bytes of the command so far; at most nine.
    command: Vec<u8>,
    /// Bytes of the result that are still to be read, last first; at most ten.
    result: Vec<u8>,
    transfer: Option<Transfer>,
    irq: bool,
    /// Drives that a sense interrupt command has not yet told of, after a reset.
    polled: u8,
    /// What the next sense interrupt command tells after a seek.
    seek: Option<u8>,
    /// Drives that seek, until they are sensed.
    busy: u8,
    specify: [u8; 2],
    configure: [u8; 2],
    perpendicular: u8,
    locked: bool,
}

impl State {
    fn power_on() -> State {
        let drive = Drive { cylinder: 0, sector: 1, changed: true };
        State {
            dor: DOR_RESET | DOR_DMA_GATE,
            tdr: 0,
            rate: 2,
            drives: [drive; DRIVES],
            command: Vec::new(),
            result: Vec::new(),
            transfer: None,
            irq: false,
            polled: 0,
            seek: None,
            busy: 0,
            specify: [0; 2],
            configure: [0; 2],
            perpendicular: 0,
            locked: false,
        }
    }

    fn in_reset(&self) -> bool {
        self.dor & DOR_RESET == 0
    }

    fn msr(&self) -> u8 {
        if self.in_reset() {
            return 0;
        }
        let phase = match &self.transfer {
            Some(t) => MSR_CB | MSR_NDMA | if t.write { 0 } else { MSR_DIO },
            None if !self.result.is_empty() => MSR_CB | MSR_DIO,
            None if !self.command.is_empty() => MSR_CB,
            None => 0,
        };
        MSR_RQM | phase | self.busy
    }

    /// Begins the result phase with these bytes.
    fn finish(&mut self, result: &[u8]) {
        self.command.clear();
        self.transfer = None;
        self.result = result.iter().rev().copied().collect();
    }

    /// What a reset by either register does.
    fn reset(&mut self) {
        self.command.clear();
        self.result.clear();
        self.transfer = None;
        (self.seek, self.busy) = (None, 0);
        if !self.locked {
            self.configure = [0; 2];
        }
        self.irq = true;
        self.polled = 4;
    }

    fn selected(&self) -> usize {
        usize::from(self.dor & 3)
    }
}

/// A drive with its disk.
struct Media {
    image: Arc<dyn BlockBackend>,
    geometry: Geometry,
}

/// The controller.
pub struct Fdc {
    irq: Wire,
    dma: Arc<dyn DmaChannel>,
    media: [Option<Media>; DRIVES],
    state: State,
}

impl Fdc {
    /// Bytes of its register file.
    pub const LEN: u64 = 8;
    /// The pieces among the ports of a PC; the port between them is the disk controller's.
    pub const PORTS: [Piece; 2] = [Piece { reg: 0, at: 0x3f0, len: 6 }, Piece { reg: 7, at: 0x3f7, len: 1 }];

    /// A controller without disks that drives `irq` and moves data over `dma`: interrupt 6 and channel 2 of a PC.
    pub fn new(irq: Wire, dma: Arc<dyn DmaChannel>) -> Fdc {
        Fdc { irq, dma, media: [None, None], state: State::power_on() }
    }

    /// Puts a disk into drive 0 or 1, or takes it out; the kind of disk follows from its size.
    pub fn set_disk(&mut self, drive: usize, image: Option<Arc<dyn BlockBackend>>) {
        if let (Some(media), Some(state)) = (self.media.get_mut(drive), self.state.drives.get_mut(drive)) {
            *media = image.map(|image| Media { geometry: Geometry::of(image.size()), image });
            state.changed = true;
        }
    }

    /// The kind of each drive, for the board's CMOS: that of the disk that is in it.
    pub fn kinds(&self) -> [Option<FloppyKind>; DRIVES] {
        [0, 1].map(|n: usize| self.media.get(n)?.as_ref().map(|m| m.geometry.kind))
    }

    fn update(&self) {
        self.irq.set(self.state.irq && self.state.dor & DOR_DMA_GATE != 0);
    }

    fn write_dor(&mut self, value: u8) {
        let was = self.state.in_reset();
        self.state.dor = value;
        match (was, self.state.in_reset()) {
            (true, false) => self.state.reset(),
            (false, true) => self.state.irq = false,
            _ => {}
        }
    }

    fn read_fifo(&mut self) -> u8 {
        if self.state.transfer.as_ref().is_some_and(|t| !t.write) {
            return self.transfer_out();
        }
        self.state.irq = false;
        self.state.result.pop().unwrap_or(0)
    }

    fn write_fifo(&mut self, value: u8) {
        if self.state.in_reset() || !self.state.result.is_empty() {
            return;
        }
        match &self.state.transfer {
            Some(t) if t.write => self.transfer_in(value),
            Some(_) => {}
            None => {
                self.state.command.push(value);
                let first = self.state.command.first().copied().unwrap_or(0);
                if self.state.command.len() >= commands::length(first) {
                    self.execute();
                }
            }
        }
    }
}

impl Io for Fdc {
    fn read(&mut self, reg: u64, size: Size, _: Initiator) -> BusResult<u64> {
        if size != Size::B1 {
            return Err(BusError::BadSize);
        }
        let s = &self.state;
        let value = match reg {
            SRA => {
                if s.irq {
                    SRA_INTPEND
                } else {
                    0
                }
            }
            SRB => 0xc0 | (s.dor & 1) << 5,
            DOR => s.dor,
            TDR => s.tdr,
            MSR_DSR => s.msr(),
            FIFO => self.read_fifo(),
            DIR_CCR => match s.drives.get(s.selected()) {
                Some(drive) if drive.changed => DIR_CHANGE,
                _ => 0,
            },
            _ => return Err(BusError::NoRegister),
        };
        self.update();
        Ok(value.into())
    }

    fn write(&mut self, reg: u64, size: Size, value: u64, _: Initiator) -> BusResult<()> {
        if size != Size::B1 {
            return Err(BusError::BadSize);
        }
        let byte = value as u8;
        match reg {
            DOR => self.write_dor(byte),
            TDR => self.state.tdr = byte & 3,
            MSR_DSR => {
                self.state.rate = byte & 3;
                if byte & DSR_RESET != 0 && !self.state.in_reset() {
                    self.state.reset();
                }
            }
            FIFO => self.write_fifo(byte),
            DIR_CCR => self.state.rate = byte & 3,
            SRA | SRB => {}
            _ => return Err(BusError::NoRegister),
        }
        self.update();
        Ok(())
    }
}

impl Device for Fdc {
    fn name(&self) -> &'static str {
        "isa-fdc"
    }

    fn reset(&mut self) {
        self.state = State::power_on();
        self.update();
    }

    fn save(&self) -> Result<Vec<u8>, StateError> {
        snapshot::save(&self.state)
    }

    fn load(&mut self, saved: &[u8]) -> Result<(), StateError> {
        let state: State = snapshot::load(saved)?;
        require(state.command.len() < 9 && state.result.len() <= 10, "a command or a result")?;
        let fits = |t: &Transfer| t.data.len() == SECTOR && usize::from(t.done) < SECTOR && t.place.drive < 2;
        require(state.transfer.as_ref().is_none_or(fits), "a transfer")?;
        require(state.polled <= 4 && state.busy < 16, "drives")?;
        self.state = state;
        self.update();
        Ok(())
    }

    fn io(&mut self) -> Option<&mut dyn Io> {
        Some(self)
    }
}
