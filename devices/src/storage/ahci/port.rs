//! One port: its registers (3.3), the command list (4.2), and how a command runs (5.3, 5.6).

use super::fis;
use crate::bus::dma::Dma;
use crate::bus::snapshot::{StateError, require};
use crate::storage::ata::command::{PACKET, READ_FPDMA, WRITE_FPDMA};
use crate::storage::drive::Drive;
use crate::storage::scatter::{self, End, Segment};
use crate::storage::taskfile::{Data, Step, TaskFile, error, status};
use serde::{Deserialize, Serialize};

/// Registers and bits.
mod spec {
    pub const CLB: u64 = 0x00;
    pub const CLBU: u64 = 0x04;
    pub const FB: u64 = 0x08;
    pub const FBU: u64 = 0x0C;
    pub const IS: u64 = 0x10;
    pub const IE: u64 = 0x14;
    pub const CMD: u64 = 0x18;
    pub const TFD: u64 = 0x20;
    pub const SIG: u64 = 0x24;
    pub const SSTS: u64 = 0x28;
    pub const SCTL: u64 = 0x2C;
    pub const SERR: u64 = 0x30;
    pub const SACT: u64 = 0x34;
    pub const CI: u64 = 0x38;
    /// PxIS and PxIE.
    pub const DHR: u32 = 1;
    pub const PS: u32 = 2;
    pub const SDB: u32 = 8;
    pub const PC: u32 = 1 << 6;
    pub const HBF: u32 = 1 << 29;
    pub const TFE: u32 = 1 << 30;
    pub const IE_MASK: u32 = 0x7DC0_007F;
    /// PxCMD: start, spin up, power on, override, receive, running bits.
    pub const ST: u32 = 1;
    pub const SUD: u32 = 2;
    pub const POD: u32 = 4;
    pub const CLO: u32 = 8;
    pub const FRE: u32 = 0x10;
    pub const FR: u32 = 1 << 14;
    pub const CR: u32 = 1 << 15;
    pub const CMD_MASK: u32 = ST | SUD | POD | FRE | 0x0300_0000;
    /// PxSERR: the device is another one.
    pub const EXCHANGED: u32 = 1 << 26;
    /// PxSCTL.DET: COMRESET.
    pub const DET: u32 = 0xF;
    pub const COMRESET: u32 = 1;
    /// PxSSTS: device present and active, generation 1.
    pub const PRESENT: u32 = 0x113;
}
use spec::*;

/// Command header: bytes of the FIS in words, write, clear busy at once; and how many table entries there are.
const HEADER_WRITE: u32 = 1 << 6;
/// Offsets in a command table.
const TABLE_PACKET: u64 = 0x40;
const TABLE_REGIONS: u64 = 0x80;
/// Offsets in the area of received FISes.
const RECEIVED_PIO: u64 = 0x20;
const RECEIVED_REGISTERS: u64 = 0x40;
const RECEIVED_BITS: u64 = 0x58;
/// Device control: software reset.
const SRST: u8 = 4;

/// What the guest can change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Registers {
    list: u64,
    received: u64,
    is: u32,
    ie: u32,
    cmd: u32,
    sctl: u32,
    serr: u32,
    sact: u32,
    ci: u32,
    /// A command failed: no other runs before the list is started again.
    stopped: bool,
    /// The signature was not sent to memory yet.
    unsigned: bool,
    regs: TaskFile,
}

#[derive(Serialize, Deserialize)]
pub(super) struct State {
    registers: Registers,
    drive: Option<Vec<u8>>,
}

/// A port.
pub(super) struct Port {
    drive: Option<Drive>,
    r: Registers,
}

/// How a command ended.
enum Outcome {
    /// With a register FIS.
    Registers,
    /// With the PIO set-up FIS that announced this many bytes.
    Pio(u16),
    /// A queued command, with a set-device-bits FIS for this tag.
    Queued(u32),
    /// Without any: device control, or a FIS of no use.
    Silent,
}

impl Registers {
    fn new(drive: Option<&Drive>) -> Registers {
        Registers {
            list: 0,
            received: 0,
            is: 0,
            ie: 0,
            cmd: SUD | POD,
            sctl: 0,
            serr: 0,
            sact: 0,
            ci: 0,
            stopped: false,
            unsigned: drive.is_some(),
            regs: TaskFile::new(drive.is_some_and(Drive::is_packet)),
        }
    }
}

impl Port {
    pub(super) fn new(drive: Option<Drive>) -> Port {
        let r = Registers::new(drive.as_ref());
        Port { drive, r }
    }

    pub(super) fn drive(&mut self) -> Option<&mut Drive> {
        self.drive.as_mut()
    }

    /// Whether it interrupts.
    pub(super) fn interrupts(&self) -> bool {
        self.r.is & self.r.ie != 0
    }

    /// Power-on state.
    pub(super) fn reset(&mut self) {
        self.r = Registers::new(self.drive.as_ref());
    }

    /// Reset of the controller (10.4.3), which leaves the addresses alone.
    pub(super) fn restart(&mut self) {
        let (list, received) = (self.r.list, self.r.received);
        self.r = Registers { list, received, ..Registers::new(self.drive.as_ref()) };
    }

    pub(super) fn read(&self, reg: u64) -> u32 {
        let r = &self.r;
        match reg {
            CLB => r.list as u32,
            CLBU => (r.list >> 32) as u32,
            FB => r.received as u32,
            FBU => (r.received >> 32) as u32,
            IS => r.is,
            IE => r.ie,
            CMD => {
                let running = if r.cmd & ST != 0 { CR } else { 0 } | if r.cmd & FRE != 0 { FR } else { 0 };
                r.cmd | running
            }
            TFD if self.drive.is_none() => 0x7F,
            TFD => u32::from(r.regs.error) << 8 | u32::from(r.regs.status),
            SIG => match &self.drive {
                None => u32::MAX,
                Some(drive) if drive.is_packet() => 0xEB14_0101,
                Some(_) => 0x0000_0101,
            },
            SSTS if self.drive.is_some() && r.sctl & DET != COMRESET => PRESENT,
            SCTL => r.sctl,
            SERR => r.serr,
            SACT => r.sact,
            CI => r.ci,
            _ => 0,
        }
    }

    /// Writes a register; true if the port has something new to interrupt for.
    pub(super) fn write(&mut self, reg: u64, value: u32, dma: &Dma) -> bool {
        let before = self.r.is & self.r.ie;
        let low = |whole: u64, mask: u32| whole & !0xFFFF_FFFF | u64::from(value & mask);
        let high = |whole: u64| whole & 0xFFFF_FFFF | u64::from(value) << 32;
        match reg {
            CLB => self.r.list = low(self.r.list, 0xFFFF_FC00),
            CLBU => self.r.list = high(self.r.list),
            FB => self.r.received = low(self.r.received, 0xFFFF_FF00),
            FBU => self.r.received = high(self.r.received),
            IS => {
                self.r.is &= !value;
                // Something that is still there counts as new, for messages are sent once.
                return self.interrupts();
            }
            IE => self.r.ie = value & IE_MASK,
            CMD => self.command(value, dma),
            SCTL => self.control(value, dma),
            SERR => {
                self.r.serr &= !value;
                if self.r.serr & EXCHANGED == 0 {
                    self.r.is &= !PC;
                }
            }
            SACT if self.r.cmd & ST != 0 => self.r.sact |= value,
            CI if self.r.cmd & ST != 0 => {
                self.r.ci |= value;
                self.run(dma);
                // Each completion is told, even if the one before was not heard yet.
                return self.interrupts();
            }
            _ => {}
        }
        self.r.is & self.r.ie & !before != 0
    }

    /// PxCMD.
    fn command(&mut self, value: u32, dma: &Dma) {
        let old = self.r.cmd;
        self.r.cmd = value & CMD_MASK | SUD | POD;
        if value & CLO != 0 {
            self.r.regs.status &= !(status::BSY | status::DRQ);
        }
        if self.r.cmd & ST == 0 {
            (self.r.ci, self.r.sact, self.r.stopped) = (0, 0, false);
        }
        if self.r.cmd & !old & FRE != 0 && self.r.unsigned {
            self.sign(dma);
        }
    }

    /// PxSCTL: COMRESET while DET is 1.
    fn control(&mut self, value: u32, dma: &Dma) {
        let before = self.r.sctl & DET;
        self.r.sctl = value & 0xFFF;
        if before == COMRESET && value & DET == 0 && self.drive.is_some() {
            self.r.regs.sign(self.drive.as_ref().is_some_and(Drive::is_packet));
            (self.r.ci, self.r.sact) = (0, 0);
            self.r.serr |= EXCHANGED;
            self.r.is |= PC;
            self.r.unsigned = true;
            if self.r.cmd & FRE != 0 {
                self.sign(dma);
            }
        }
    }

    /// Sends the signature to memory.
    fn sign(&mut self, dma: &Dma) {
        self.r.unsigned = false;
        let fis = fis::device_to_host(&self.r.regs);
        self.receive(dma, RECEIVED_REGISTERS, &fis);
        self.r.is |= DHR;
    }

    fn receive(&mut self, dma: &Dma, at: u64, fis: &[u8]) {
        if self.r.cmd & FRE != 0 && dma.write_bytes(self.r.received.wrapping_add(at), fis).is_err() {
            self.r.is |= HBF;
        }
    }

    /// Runs the commands that are issued, each once.
    fn run(&mut self, dma: &Dma) {
        for slot in 0..32 {
            let bit = 1u32 << slot;
            if self.r.ci & bit == 0 || self.r.stopped || self.drive.is_none() {
                continue;
            }
            match self.execute(slot, dma) {
                None => {
                    // The list or the table is not in memory.
                    self.r.is |= HBF;
                    self.r.stopped = true;
                }
                Some(outcome) => self.finish(bit, &outcome, dma),
            }
        }
    }

    fn finish(&mut self, bit: u32, outcome: &Outcome, dma: &Dma) {
        let failed = self.r.regs.status & status::ERR != 0;
        match *outcome {
            Outcome::Silent => {}
            Outcome::Queued(tag) => {
                let finished = if failed { 0 } else { tag };
                let fis = fis::set_device_bits(&self.r.regs, finished);
                self.receive(dma, RECEIVED_BITS, &fis);
                self.r.sact &= !finished;
                self.r.is |= SDB;
            }
            Outcome::Pio(len) if !failed => {
                let fis = fis::pio_setup(&self.r.regs, true, len);
                self.receive(dma, RECEIVED_PIO, &fis);
                self.r.is |= PS;
            }
            Outcome::Pio(_) | Outcome::Registers => {
                let fis = fis::device_to_host(&self.r.regs);
                self.receive(dma, RECEIVED_REGISTERS, &fis);
                self.r.is |= DHR;
            }
        }
        if failed && !matches!(outcome, Outcome::Silent) {
            self.r.is |= TFE;
            self.r.stopped = true;
        } else {
            self.r.ci &= !bit;
        }
    }

    /// Runs the command in `slot`; `None` if it cannot be read.
    fn execute(&mut self, slot: u64, dma: &Dma) -> Option<Outcome> {
        let header = self.r.list.wrapping_add(32 * slot);
        let flags: u32 = dma.read(header).ok()?;
        let table: u64 = dma.read::<u64>(header.wrapping_add(8)).ok()? & !0x7F;
        let mut bytes = [0; fis::COMMAND_LEN];
        dma.read_bytes(table, &mut bytes).ok()?;
        let regs = &mut self.r.regs;
        let drive = self.drive.as_mut()?;
        let Some(command) = fis::take(&bytes, regs) else { return Some(Outcome::Silent) };
        if !command.is_command {
            return Some(if command.control & SRST != 0 {
                regs.sign(drive.is_packet());
                Outcome::Silent
            } else {
                regs.sign(drive.is_packet());
                Outcome::Registers
            });
        }
        let mut regions = Regions { dma, at: table.wrapping_add(TABLE_REGIONS), left: flags >> 16 };
        let count = |moved: u64| dma.write(header.wrapping_add(4), moved as u32).is_ok();
        if matches!(command.command, READ_FPDMA | WRITE_FPDMA) {
            let write = command.command == WRITE_FPDMA;
            return Some(queued(drive, regs, write, dma, &mut regions));
        }
        let (mut data, pio) = match drive.command(regs, command.command) {
            Step::Done => return Some(Outcome::Registers),
            Step::Pio { data, .. } => {
                let len = data.left().min(0xFFFE) as u16;
                let pio = (!data.is_write()).then_some(len);
                (data, pio)
            }
            Step::Dma(data) => (data, None),
            Step::Packet { .. } => {
                let mut packet = [0; 12];
                dma.read_bytes(table.wrapping_add(TABLE_PACKET), &mut packet).ok()?;
                debug_assert_eq!(command.command, PACKET);
                match drive.packet(&packet) {
                    Ok(Some(data)) => (data, None),
                    Ok(None) => {
                        regs.done();
                        regs.count[0] = 3;
                        return Some(Outcome::Registers);
                    }
                    Err(code) => {
                        regs.fail(code);
                        return Some(Outcome::Registers);
                    }
                }
            }
        };
        if data.is_write() != (flags & HEADER_WRITE != 0) && data.left() != 0 {
            regs.fail(error::ABRT);
            return Some(Outcome::Registers);
        }
        let (moved, end) = scatter::transfer(drive, &mut data, dma, || regions.next());
        let _ = count(moved); // the header was just read from there
        settle(drive, regs, end);
        if command.command == PACKET && end == End::Complete {
            regs.count[0] = 3;
        }
        Some(pio.map_or(Outcome::Registers, Outcome::Pio))
    }

    pub(super) fn save(&self) -> Result<State, StateError> {
        let drive = self.drive.as_ref().map(Drive::save).transpose()?;
        Ok(State { registers: self.r.clone(), drive })
    }

    pub(super) fn check(&self, state: &State) -> Result<(), StateError> {
        match (&self.drive, &state.drive) {
            (Some(drive), Some(saved)) => drive.check(saved),
            (None, None) => Ok(()),
            _ => require(false, "it has other drives"),
        }
    }

    pub(super) fn load(&mut self, state: State) -> Result<(), StateError> {
        if let (Some(drive), Some(saved)) = (&mut self.drive, &state.drive) {
            drive.load(saved)?;
        }
        self.r = state.registers;
        Ok(())
    }
}

/// The task file after a transfer.
fn settle(drive: &mut Drive, regs: &mut TaskFile, end: End) {
    match end {
        // Packets tell less than the guest has room for, and the guest may want less than there is.
        End::Complete => regs.done(),
        End::Short if drive.is_packet() => regs.done(),
        End::Drive => regs.fail(drive.io_error()),
        End::Short | End::Memory => regs.fail(error::ABRT),
    }
}

/// READ or WRITE FPDMA QUEUED (ACS 7.61): the count is in the features, the tag in the count.
fn queued(
    drive: &mut Drive,
    regs: &mut TaskFile,
    write: bool,
    dma: &Dma,
    regions: &mut Regions<'_>,
) -> Outcome {
    let tag = 1u32 << (regs.count[0] >> 3);
    let count = match u16::from_le_bytes(regs.features) {
        0 => 1 << 16,
        count => u64::from(count),
    };
    let range = match drive {
        Drive::Disk(disk) if !write || disk.writable() => disk.span(regs.lba48(), count),
        _ => Err(error::ABRT),
    };
    match range {
        Ok((at, left)) => {
            let mut data = if write { Data::Write { at, left } } else { Data::Read { at, left } };
            let (_, end) = scatter::transfer(drive, &mut data, dma, || regions.next());
            settle(drive, regs, end);
        }
        Err(code) => regs.fail(code),
    }
    Outcome::Queued(tag)
}

/// The regions of a command table.
struct Regions<'a> {
    dma: &'a Dma,
    at: u64,
    left: u32,
}

impl Regions<'_> {
    fn next(&mut self) -> Option<Segment> {
        self.left = self.left.checked_sub(1)?;
        let base: u64 = self.dma.read(self.at).ok()?;
        let count: u32 = self.dma.read(self.at.wrapping_add(12)).ok()?;
        self.at = self.at.wrapping_add(16);
        Some((base & !1, u64::from(count & 0x3F_FFFF | 1) + 1))
    }
}
