//! PIIX3's IDE function, 8086:7010: two channels with two drives each, and a bus master.
//!
//! After the 82371SB data sheet (290550), 2.3, and "Programming Interface for Bus Master IDE Controller" 1.0. The
//! legacy ports are decoded whatever the timing registers say, as in QEMU; timing has no effect.

mod channel;
#[cfg(test)]
mod tests;

use super::drive::Drive;
use super::scatter::{self, End, Segment};
use crate::bus::device::{BusError, BusResult, Initiator, Size};
use crate::bus::dma::Dma;
use crate::bus::irq::Wire;
use crate::bus::snapshot::{self, StateError, require};
use crate::pci::bar::Bar;
use crate::pci::config::Identity;
use crate::pci::function::{Function, Header, OWN, PciDevice, region};
use channel::Channel;
use serde::{Deserialize, Serialize};

/// Region of the bus master registers: 8 bytes for each channel.
const BUS_MASTER: usize = 4;
/// Regions: command and control registers of the channels.
const COMMAND: [usize; 2] = [OWN, OWN + 2];
const CONTROL: [usize; 2] = [OWN + 1, OWN + 3];

/// Legacy ports: first port, how many, and the register offset in the function's socket to map there.
pub const PORTS: [(u64, u64, u64); 4] = [
    (0x1F0, 8, region(COMMAND[0])),
    (0x3F6, 1, region(CONTROL[0])),
    (0x170, 8, region(COMMAND[1])),
    (0x376, 1, region(CONTROL[1])),
];

/// Bus master command: go; direction (1: to memory).
const START: u8 = 1;
const TO_MEMORY: u8 = 8;
/// Bus master status: running, failed, the drive interrupted; what firmware notes about the drives and DMA.
const ACTIVE: u8 = 1;
const FAILED: u8 = 2;
const INTERRUPT: u8 = 4;
const CAPABLE: u8 = 0x60;
/// The most descriptors of a table: one that is 64 KiB long.
const DESCRIPTORS: u32 = 8192;

/// One channel's bus master.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct BusMaster {
    command: u8,
    status: u8,
    table: u32,
}

#[derive(Serialize, Deserialize)]
struct State {
    channels: Vec<channel::State>,
    masters: [BusMaster; 2],
}

/// The function.
pub struct Ide {
    channels: [Channel; 2],
    masters: [BusMaster; 2],
    dma: Dma,
}

impl Ide {
    /// The function with its drives (first channel's device 0 and 1, then the second's), its memory, and the wires of
    /// ISA interrupts 14 and 15.
    pub fn function(drives: [Option<Drive>; 4], dma: Dma, irqs: [Wire; 2]) -> Function<Ide> {
        let mut header = Header::new(Identity::new(0x8086, 0x7010, 0, 0x01_0180));
        header.config.define(0x06, &[0x80, 0x02], &[]);
        header.bar(BUS_MASTER, Bar::io(16));
        let [a, b, c, d] = drives;
        let [first, second] = irqs;
        let channels = [Channel::new([a, b], first), Channel::new([c, d], second)];
        Function::new(header, Ide { channels, masters: Default::default(), dma })
    }

    /// Drive `index`, counted as for [`Ide::function`], for changing discs.
    pub fn drive(&mut self, index: usize) -> Option<&mut Drive> {
        self.channels.get_mut(index / 2)?.drive(index % 2)
    }

    /// Moves what is to be moved, and notes the interrupt.
    fn follow(&mut self, index: usize) {
        let (Some(channel), Some(master)) = (self.channels.get_mut(index), self.masters.get_mut(index))
        else {
            return;
        };
        if master.status & ACTIVE != 0
            && let Some((drive, data)) = channel.dma()
        {
            let dma = &self.dma;
            let mut table = Table { dma, at: master.table, left: DESCRIPTORS };
            // A direction that is not the command's moves nothing.
            let agrees = data.is_write() == (master.command & TO_MEMORY == 0);
            let end =
                if agrees { scatter::transfer(drive, data, dma, || table.next()).1 } else { End::Memory };
            master.status &= !ACTIVE;
            if end != End::Complete {
                master.status |= FAILED;
            }
            channel.dma_done(end == End::Complete);
        }
        if channel.take_interrupt() {
            master.status |= INTERRUPT;
        }
    }

    fn read_master(&self, at: u64) -> u8 {
        let Some(master) = self.masters.get((at >> 3) as usize) else { return 0xFF };
        match at & 7 {
            0 => master.command,
            2 => master.status,
            n @ 4.. => (master.table >> (8 * (n - 4))) as u8,
            _ => 0xFF,
        }
    }

    fn write_master(&mut self, at: u64, value: u8) {
        let index = (at >> 3) as usize;
        let Some(master) = self.masters.get_mut(index) else { return };
        match at & 7 {
            0 => {
                let started = value & !master.command & START != 0;
                master.command = value & (START | TO_MEMORY);
                if started {
                    master.status |= ACTIVE;
                } else if value & START == 0 {
                    master.status &= !ACTIVE;
                }
                self.follow(index);
            }
            2 => {
                let kept = master.status & !(value & (FAILED | INTERRUPT)) & !CAPABLE;
                master.status = kept | value & CAPABLE;
            }
            n @ 4.. => {
                let shift = 8 * (n - 4);
                master.table = (master.table & !(0xFF << shift) | u32::from(value) << shift) & !3;
            }
            _ => {}
        }
    }
}

/// A table of physical region descriptors.
struct Table<'a> {
    dma: &'a Dma,
    at: u32,
    left: u32,
}

impl Table<'_> {
    fn next(&mut self) -> Option<Segment> {
        const LAST: u64 = 1 << 63;
        self.left = self.left.checked_sub(1)?;
        let entry: u64 = self.dma.read(self.at.into()).ok()?;
        self.at = self.at.wrapping_add(8);
        if entry & LAST != 0 {
            self.left = 0;
        }
        let count = entry >> 32 & 0xFFFE;
        Some((entry & 0xFFFF_FFFE, if count == 0 { 0x1_0000 } else { count }))
    }
}

impl PciDevice for Ide {
    fn name(&self) -> &'static str {
        "piix3-ide"
    }

    fn read(&mut self, region: usize, at: u64, size: Size, _: Initiator) -> BusResult<u64> {
        if region == BUS_MASTER {
            return Ok(
                (0..size.bytes()).fold(0, |value, i| value | u64::from(self.read_master(at + i)) << (8 * i))
            );
        }
        for (index, channel) in self.channels.iter_mut().enumerate() {
            if COMMAND.get(index) == Some(&region) {
                let value = match (at, size) {
                    (0, _) => channel.read_data(size),
                    (_, Size::B1) => channel.read(at).into(),
                    _ => return Err(BusError::BadSize),
                };
                self.follow(index);
                return Ok(value);
            }
            if CONTROL.get(index) == Some(&region) {
                return Ok(channel.alternate_status().into());
            }
        }
        Err(BusError::NoRegister)
    }

    fn write(&mut self, region: usize, at: u64, size: Size, value: u64, _: Initiator) -> BusResult<()> {
        if region == BUS_MASTER {
            for (i, &byte) in value.to_le_bytes().iter().take(size.bytes() as usize).enumerate() {
                self.write_master(at + i as u64, byte);
            }
            return Ok(());
        }
        for (index, channel) in self.channels.iter_mut().enumerate() {
            if COMMAND.get(index) == Some(&region) {
                match (at, size) {
                    (0, _) => channel.write_data(size, value),
                    (_, Size::B1) => channel.write(at, value as u8),
                    _ => return Err(BusError::BadSize),
                }
                self.follow(index);
                return Ok(());
            }
            if CONTROL.get(index) == Some(&region) {
                channel.control(value as u8);
                self.follow(index);
                return Ok(());
            }
        }
        Err(BusError::NoRegister)
    }

    fn reset(&mut self) {
        self.channels.iter_mut().for_each(Channel::reset);
        self.masters = Default::default();
    }

    fn save(&self) -> Result<Vec<u8>, StateError> {
        let channels = self.channels.iter().map(Channel::save).collect::<Result<_, _>>()?;
        snapshot::save(&State { channels, masters: self.masters.clone() })
    }

    fn load(&mut self, saved: &[u8]) -> Result<(), StateError> {
        let state: State = snapshot::load(saved)?;
        require(state.channels.len() == self.channels.len(), "it has another number of channels")?;
        for (channel, state) in self.channels.iter().zip(&state.channels) {
            channel.check(state)?;
        }
        for (channel, state) in self.channels.iter_mut().zip(state.channels) {
            channel.load(state)?;
        }
        self.masters = state.masters;
        Ok(())
    }
}
