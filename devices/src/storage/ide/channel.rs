//! One channel: the task file registers that two drives share, and PIO through the data register.
//!
//! After ATA/ATAPI-7 volume 2 (T13/1532): registers (5), protocols (9).

use crate::bus::device::Size;
use crate::bus::irq::Wire;
use crate::bus::snapshot::{StateError, require};
use crate::storage::ata::command::DIAGNOSTIC;
use crate::storage::drive::Drive;
use crate::storage::taskfile::{DEVICE_1, Data, Step, TaskFile, error, status};
use serde::{Deserialize, Serialize};

/// Device control: no interrupts, software reset, show the older half of the registers.
const NIEN: u8 = 2;
const SRST: u8 = 4;
const HOB: u8 = 0x80;
/// Bytes of a packet.
const PACKET: usize = 12;
/// Interrupt reason of packet devices: the packet, data to the host, the end.
const REASON_PACKET: u8 = 1;
const REASON_DATA: u8 = 2;
const REASON_END: u8 = 3;

/// What a drive waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Phase {
    /// A command.
    Idle,
    /// The rest of a packet.
    Packet { dma: bool, bytes: Vec<u8> },
    /// The host, to read or write the rest of `piece`.
    Pio { data: Data, block: u32, packet: bool, piece: Vec<u8>, done: usize },
    /// The bus master.
    Dma { data: Data, packet: bool },
}

struct Unit {
    drive: Option<Drive>,
    regs: TaskFile,
    phase: Phase,
}

#[derive(Serialize, Deserialize)]
struct UnitState {
    regs: TaskFile,
    phase: Phase,
    drive: Option<Vec<u8>>,
}

/// A channel's state.
#[derive(Serialize, Deserialize)]
pub(super) struct State {
    units: Vec<UnitState>,
    control: u8,
    selected: bool,
    pending: bool,
}

/// A channel.
pub(super) struct Channel {
    units: [Unit; 2],
    irq: Wire,
    control: u8,
    selected: bool,
    /// The selected drive asks for an interrupt.
    pending: bool,
    /// It asked since the bus master last looked.
    asked: bool,
}

impl Unit {
    fn new(drive: Option<Drive>) -> Unit {
        let regs = TaskFile::new(drive.as_ref().is_some_and(Drive::is_packet));
        Unit { drive, regs, phase: Phase::Idle }
    }

    /// Software reset and power-on: the signature.
    fn sign(&mut self) {
        self.regs.sign(self.drive.as_ref().is_some_and(Drive::is_packet));
        self.phase = Phase::Idle;
    }

    /// Offers the next piece of PIO data, or ends the command; true if that interrupts.
    fn offer(&mut self) -> bool {
        let Phase::Pio { data, block, packet, piece, done } = &mut self.phase else { return false };
        let len = data.left().min((*block).into()) as usize;
        let packet = *packet;
        piece.clear();
        *done = 0;
        if len == 0 {
            self.phase = Phase::Idle;
            self.regs.done();
            self.regs.count[0] = if packet { REASON_END } else { self.regs.count[0] };
            return packet;
        }
        piece.resize(len, 0);
        let write = data.is_write();
        if !write && self.drive.as_mut().is_none_or(|d| d.pull(data, piece).is_err()) {
            return self.fail_io();
        }
        self.regs.status = status::DRDY | status::DSC | status::DRQ;
        if packet {
            self.regs.count[0] = REASON_DATA;
            self.regs.set_byte_count(len as u16);
        }
        true
    }

    /// A piece of a write is complete; true if that interrupts.
    fn accept(&mut self) -> bool {
        let Phase::Pio { data, piece, .. } = &mut self.phase else { return false };
        let Some(drive) = &mut self.drive else { return false };
        if drive.push(data, piece).is_err() || data.left() == 0 && drive.settle().is_err() {
            return self.fail_io();
        }
        if data.left() != 0 {
            return self.offer();
        }
        self.phase = Phase::Idle;
        self.regs.done();
        true
    }

    fn fail_io(&mut self) -> bool {
        let code = self.drive.as_mut().map_or(error::ABRT, Drive::io_error);
        self.phase = Phase::Idle;
        self.regs.fail(code);
        self.regs.count[0] = REASON_END;
        true
    }

    /// Takes a command; true if it interrupts.
    fn command(&mut self, command: u8) -> bool {
        let Some(drive) = &mut self.drive else { return false };
        self.phase = Phase::Idle;
        match drive.command(&mut self.regs, command) {
            Step::Done => true,
            Step::Pio { data, block } => {
                let write = data.is_write();
                self.phase = Phase::Pio { data, block, packet: false, piece: Vec::new(), done: 0 };
                self.offer() && !write // the first piece of a write is taken without an interrupt
            }
            Step::Dma(data) => {
                self.regs.status = status::DRDY | status::DSC | status::DRQ;
                self.phase = Phase::Dma { data, packet: false };
                false
            }
            Step::Packet { dma } => {
                self.regs.status = status::DRDY | status::DSC | status::DRQ;
                self.regs.count[0] = REASON_PACKET;
                self.phase = Phase::Packet { dma, bytes: Vec::new() };
                false
            }
        }
    }

    /// A whole packet was written; true if it interrupts.
    fn packet(&mut self, dma: bool, bytes: &[u8]) -> bool {
        let Some(drive) = &mut self.drive else { return false };
        match drive.packet(bytes) {
            Err(code) => {
                self.phase = Phase::Idle;
                self.regs.fail(code);
                self.regs.count[0] = REASON_END;
                true
            }
            Ok(None) => {
                self.phase = Phase::Idle;
                self.regs.done();
                self.regs.count[0] = REASON_END;
                true
            }
            Ok(Some(data)) if dma => {
                self.phase = Phase::Dma { data, packet: true };
                false
            }
            Ok(Some(data)) => {
                // An odd limit holds for the last piece only, and 0 is none at all.
                let limit = match self.regs.byte_count() & !1 {
                    0 => 0xFFFE,
                    limit => limit,
                };
                let block = limit.into();
                self.phase = Phase::Pio { data, block, packet: true, piece: Vec::new(), done: 0 };
                self.offer()
            }
        }
    }
}

impl Channel {
    pub(super) fn new(drives: [Option<Drive>; 2], irq: Wire) -> Channel {
        let units = drives.map(Unit::new);
        Channel { units, irq, control: 0, selected: false, pending: false, asked: false }
    }

    pub(super) fn drive(&mut self, index: usize) -> Option<&mut Drive> {
        self.units.get_mut(index)?.drive.as_mut()
    }

    fn unit(&mut self) -> &mut Unit {
        let [first, second] = &mut self.units;
        if self.selected { second } else { first }
    }

    fn raise(&mut self, interrupts: bool) {
        if interrupts {
            (self.pending, self.asked) = (true, true);
        }
        self.drive_irq();
    }

    fn drive_irq(&self) {
        self.irq.set(self.pending && self.control & NIEN == 0);
    }

    /// Whether a drive interrupted since the last call.
    pub(super) fn take_interrupt(&mut self) -> bool {
        std::mem::take(&mut self.asked)
    }

    /// Whether registers of the selected device answer: device 0 does for an absent device 1, but not its status.
    fn status(&mut self) -> u8 {
        if self.control & SRST != 0 {
            return status::BSY;
        }
        let unit = self.unit();
        if unit.drive.is_some() { unit.regs.status } else { 0 }
    }

    pub(super) fn alternate_status(&mut self) -> u8 {
        self.status()
    }

    /// Reads register 1 to 7.
    pub(super) fn read(&mut self, reg: u64) -> u8 {
        if reg == 7 {
            let status = self.status();
            self.pending = false;
            self.drive_irq();
            return status;
        }
        let older = usize::from(self.control & HOB != 0);
        let unit = self.unit();
        if unit.drive.is_none() {
            return 0;
        }
        let regs = &unit.regs;
        let [low, mid, high] = &regs.lba;
        match reg {
            1 => regs.error,
            2 => regs.count[older],
            3 => low[older],
            4 => mid[older],
            5 => high[older],
            6 => regs.device | 0xA0,
            _ => 0xFF,
        }
    }

    /// Writes register 1 to 7.
    pub(super) fn write(&mut self, reg: u64, value: u8) {
        self.control &= !HOB;
        if reg == 7 {
            return self.command(value);
        }
        if reg == 6 {
            self.selected = value & DEVICE_1 != 0;
        }
        // Both drives hear of what is written.
        for unit in &mut self.units {
            let regs = &mut unit.regs;
            let [low, mid, high] = &mut regs.lba;
            let register = match reg {
                1 => &mut regs.features,
                2 => &mut regs.count,
                3 => low,
                4 => mid,
                5 => high,
                6 => {
                    regs.device = value;
                    continue;
                }
                _ => continue,
            };
            *register = [value, register[0]];
        }
    }

    fn command(&mut self, value: u8) {
        if self.control & SRST != 0 {
            return;
        }
        self.pending = false;
        let interrupts = if value == DIAGNOSTIC {
            self.units.iter_mut().for_each(Unit::sign);
            self.selected = false;
            self.units.iter().any(|u| u.drive.is_some())
        } else {
            self.unit().command(value)
        };
        self.raise(interrupts);
    }

    /// Writes device control.
    pub(super) fn control(&mut self, value: u8) {
        if value & !self.control & SRST != 0 {
            self.units.iter_mut().for_each(Unit::sign);
            (self.selected, self.pending) = (false, false);
        }
        self.control = value & (NIEN | SRST | HOB);
        self.drive_irq();
    }

    /// Reads the data register.
    pub(super) fn read_data(&mut self, size: Size) -> u64 {
        let unit = self.unit();
        let Phase::Pio { data, piece, done, .. } = &mut unit.phase else { return 0 };
        if data.is_write() {
            return 0;
        }
        let rest = piece.get(*done..).unwrap_or_default();
        let value = rest.iter().take(size.bytes() as usize).rev().fold(0, |v, &b| v << 8 | u64::from(b));
        *done += size.bytes() as usize;
        if *done >= piece.len() {
            let interrupts = unit.offer();
            self.raise(interrupts);
        }
        value
    }

    /// Writes the data register.
    pub(super) fn write_data(&mut self, size: Size, value: u64) {
        let bytes = value.to_le_bytes();
        let from = bytes.iter().take(size.bytes() as usize);
        let unit = self.unit();
        let interrupts = match &mut unit.phase {
            Phase::Packet { dma, bytes } => {
                bytes.extend(from.take(PACKET - bytes.len().min(PACKET)));
                if bytes.len() < PACKET {
                    return;
                }
                let (dma, bytes) = (*dma, std::mem::take(bytes));
                unit.packet(dma, &bytes)
            }
            Phase::Pio { data, piece, done, .. } if data.is_write() => {
                let to = piece.get_mut(*done..).unwrap_or_default();
                to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
                *done += size.bytes() as usize;
                if *done < piece.len() {
                    return;
                }
                unit.accept()
            }
            _ => return,
        };
        self.raise(interrupts);
    }

    /// The drive that waits for the bus master, and its data.
    pub(super) fn dma(&mut self) -> Option<(&mut Drive, &mut Data)> {
        let unit = self.unit();
        match (&mut unit.drive, &mut unit.phase) {
            (Some(drive), Phase::Dma { data, .. }) => Some((drive, data)),
            _ => None,
        }
    }

    /// The bus master is through.
    pub(super) fn dma_done(&mut self, complete: bool) {
        let unit = self.unit();
        let packet = matches!(unit.phase, Phase::Dma { packet: true, .. });
        if complete {
            unit.phase = Phase::Idle;
            unit.regs.done();
            if packet {
                unit.regs.count[0] = REASON_END;
            }
        } else {
            unit.fail_io();
        }
        self.raise(true);
    }

    pub(super) fn reset(&mut self) {
        for unit in &mut self.units {
            if let Some(drive) = &mut unit.drive {
                drive.reset();
            }
            unit.regs = TaskFile::new(unit.drive.as_ref().is_some_and(Drive::is_packet));
            unit.phase = Phase::Idle;
        }
        (self.control, self.selected, self.pending, self.asked) = (0, false, false, false);
        self.drive_irq();
    }

    pub(super) fn save(&self) -> Result<State, StateError> {
        let unit = |u: &Unit| {
            let drive = u.drive.as_ref().map(Drive::save).transpose()?;
            Ok(UnitState { regs: u.regs.clone(), phase: u.phase.clone(), drive })
        };
        let units = self.units.iter().map(unit).collect::<Result<_, StateError>>()?;
        Ok(State { units, control: self.control, selected: self.selected, pending: self.pending })
    }

    pub(super) fn check(&self, state: &State) -> Result<(), StateError> {
        require(state.units.len() == self.units.len(), "it has another number of drives")?;
        require(state.control & !(NIEN | SRST | HOB) == 0, "the control register is impossible")?;
        for (unit, state) in self.units.iter().zip(&state.units) {
            match (&unit.drive, &state.drive) {
                (Some(drive), Some(saved)) => drive.check(saved)?,
                (None, None) => {}
                _ => require(false, "it has other drives")?,
            }
            let fits = |data: &Data| unit.drive.as_ref().is_some_and(|d| d.holds(data));
            let ok = match &state.phase {
                Phase::Idle => true,
                Phase::Packet { bytes, .. } => unit.drive.is_some() && bytes.len() < PACKET,
                Phase::Pio { data, block, piece, done, .. } => {
                    fits(data)
                        && *block != 0
                        && *block <= 1 << 16
                        && piece.len() <= 1 << 16
                        && *done <= piece.len()
                        && !(data.is_write() && piece.len() as u64 > data.left())
                }
                Phase::Dma { data, .. } => fits(data),
            };
            require(ok, "a transfer does not fit the drive")?;
        }
        Ok(())
    }

    pub(super) fn load(&mut self, state: State) -> Result<(), StateError> {
        for (unit, state) in self.units.iter_mut().zip(state.units) {
            if let (Some(drive), Some(saved)) = (&mut unit.drive, &state.drive) {
                drive.load(saved)?;
            }
            (unit.regs, unit.phase) = (state.regs, state.phase);
        }
        (self.control, self.selected, self.pending) = (state.control, state.selected, state.pending);
        self.asked = false;
        self.drive_irq();
        Ok(())
    }
}
