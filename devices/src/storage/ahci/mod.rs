//! ICH9's AHCI controller, 8086:2922: six ports with native command queuing.
//!
//! After the AHCI specification 1.3.1, and the ICH9 data sheet (316972) for the index and data ports. Commands run to
//! their end when they are issued. Left out on purpose: port multipliers, enclosure management, command completion
//! coalescing, link power management, and the legacy IDE interface.

mod fis;
mod port;
#[cfg(test)]
mod tests;

use super::drive::Drive;
use crate::bus::device::{BusError, BusResult, Initiator, Size};
use crate::bus::dma::Dma;
use crate::bus::snapshot::{self, StateError, require};
use crate::pci::bar::Bar;
use crate::pci::config::{Identity, capability};
use crate::pci::function::{Function, Header, PciDevice};
use crate::pci::intx::Intx;
use crate::pci::msi::Msi;
use port::Port;
use serde::{Deserialize, Serialize};

/// Ports.
pub const PORTS: usize = 6;
/// Regions: index and data ports, and ABAR.
const INDEX: usize = 4;
const ABAR: usize = 5;
const ABAR_LEN: u64 = 0x1000;
/// Offsets of index and data.
const AIDX: u64 = 0x10;
const ADATA: u64 = 0x14;

/// Generic host control (3.1).
mod spec {
    pub const CAP: u64 = 0x00;
    pub const GHC: u64 = 0x04;
    pub const IS: u64 = 0x08;
    pub const PI: u64 = 0x0C;
    pub const VS: u64 = 0x10;
    /// The first port's registers, and bytes of each port's.
    pub const PORT: u64 = 0x100;
    pub const PORT_LEN: u64 = 0x80;
    /// CAP: 64-bit addresses, native command queuing, AHCI only, generation 1, 32 command slots.
    pub const CAPABILITIES: u32 = 1 << 31 | 1 << 30 | 1 << 20 | 1 << 18 | 31 << 8;
    /// GHC: AHCI enabled, interrupts enabled, reset.
    pub const AE: u32 = 1 << 31;
    pub const IE: u32 = 2;
    pub const HR: u32 = 1;
    pub const VERSION: u32 = 0x0001_0000;
}
use spec::*;

#[derive(Serialize, Deserialize)]
struct State {
    interrupts: bool,
    index: u32,
    ports: Vec<port::State>,
}

/// The controller.
pub struct Ahci {
    ports: [Port; PORTS],
    dma: Dma,
    intx: Intx,
    msi: Msi,
    /// GHC.IE.
    interrupts: bool,
    /// AIDX.
    index: u32,
}

impl Ahci {
    /// A controller with these drives at its ports.
    pub fn function(drives: [Option<Drive>; PORTS], dma: Dma) -> Function<Ahci> {
        let mut header = Header::new(Identity::new(0x8086, 0x2922, 2, 0x01_0601));
        header.bar(INDEX, Bar::io(0x20));
        header.bar(ABAR, Bar::memory(ABAR_LEN));
        // The map register says that ports are AHCI's.
        header.config.define(0x90, &[0x40], &[0xFF]);
        header.config.add_capability(capability::SATA, 0xA8, &[0x10, 0, 0x48, 0, 0, 0], &[]);
        let msi = header.msi(0x80);
        let intx = header.pin(1);
        let ports = drives.map(Port::new);
        Function::new(header, Ahci { ports, dma, intx, msi, interrupts: false, index: 0 }).multifunction()
    }

    /// The drive at port `index`, for changing discs.
    pub fn drive(&mut self, index: usize) -> Option<&mut Drive> {
        self.ports.get_mut(index)?.drive()
    }

    /// IS: the ports that interrupt.
    fn pending(&self) -> u32 {
        self.ports.iter().enumerate().fold(0, |bits, (i, port)| bits | u32::from(port.interrupts()) << i)
    }

    /// Drives the pin, and sends a message if something is `new`.
    fn update(&mut self, new: bool) {
        let on = self.interrupts && self.pending() != 0;
        self.intx.set(on);
        if on && new {
            self.msi.notify();
        }
    }

    fn read_word(&mut self, at: u64) -> u32 {
        match at {
            CAP => CAPABILITIES | (PORTS as u32 - 1),
            GHC => AE | if self.interrupts { IE } else { 0 },
            IS => self.pending(),
            PI => (1 << PORTS) - 1,
            VS => VERSION,
            PORT.. => {
                let (index, reg) = ((at - PORT) / PORT_LEN, (at - PORT) % PORT_LEN);
                self.ports.get(index as usize).map_or(0, |p| p.read(reg))
            }
            _ => 0,
        }
    }

    fn write_word(&mut self, at: u64, value: u32) {
        match at {
            GHC if value & HR != 0 => self.restart(),
            GHC => {
                self.interrupts = value & IE != 0;
                self.update(true);
            }
            // The bits follow the ports'; one that is still set is told again.
            IS => self.update(true),
            PORT.. => {
                let (index, reg) = ((at - PORT) / PORT_LEN, (at - PORT) % PORT_LEN);
                let dma = &self.dma;
                let new = self.ports.get_mut(index as usize).is_some_and(|p| p.write(reg, value, dma));
                self.update(new);
            }
            _ => {}
        }
    }

    fn restart(&mut self) {
        self.ports.iter_mut().for_each(Port::restart);
        self.interrupts = false;
        self.intx.set(false);
    }

    fn read_bytes(&mut self, at: u64, size: Size) -> u64 {
        let low = u64::from(self.read_word(at & !3));
        match size {
            Size::B8 => low | u64::from(self.read_word((at & !3) + 4)) << 32,
            _ => low >> (8 * (at & 3)) & size.mask(),
        }
    }

    fn write_bytes(&mut self, at: u64, size: Size, value: u64) -> BusResult<()> {
        match size {
            Size::B4 if at & 3 == 0 => self.write_word(at, value as u32),
            Size::B8 if at & 7 == 0 => {
                self.write_word(at, value as u32);
                self.write_word(at + 4, (value >> 32) as u32);
            }
            Size::B4 | Size::B8 => return Err(BusError::Unaligned),
            _ => return Err(BusError::BadSize),
        }
        Ok(())
    }
}

impl PciDevice for Ahci {
    fn name(&self) -> &'static str {
        "ich9-ahci"
    }

    fn read(&mut self, region: usize, at: u64, size: Size, _: Initiator) -> BusResult<u64> {
        match (region, at) {
            (ABAR, 0..ABAR_LEN) => Ok(self.read_bytes(at, size)),
            (INDEX, AIDX) => Ok(self.index.into()),
            (INDEX, ADATA) => Ok(self.read_word(self.index.into()).into()),
            (INDEX, _) => Ok(0),
            _ => Err(BusError::NoRegister),
        }
    }

    fn write(&mut self, region: usize, at: u64, size: Size, value: u64, _: Initiator) -> BusResult<()> {
        match (region, at) {
            (ABAR, 0..ABAR_LEN) => return self.write_bytes(at, size, value),
            (INDEX, AIDX) => self.index = value as u32 & (ABAR_LEN as u32 - 4),
            (INDEX, ADATA) => self.write_word(self.index.into(), value as u32),
            (INDEX, _) => {}
            _ => return Err(BusError::NoRegister),
        }
        Ok(())
    }

    fn reset(&mut self) {
        for port in &mut self.ports {
            if let Some(drive) = port.drive() {
                drive.reset();
            }
            port.reset();
        }
        self.restart();
        self.index = 0;
    }

    fn save(&self) -> Result<Vec<u8>, StateError> {
        let ports = self.ports.iter().map(Port::save).collect::<Result<_, _>>()?;
        snapshot::save(&State { interrupts: self.interrupts, index: self.index, ports })
    }

    fn load(&mut self, saved: &[u8]) -> Result<(), StateError> {
        let state: State = snapshot::load(saved)?;
        require(state.ports.len() == PORTS, "it has another number of ports")?;
        require(state.index & !(ABAR_LEN as u32 - 4) == 0, "the index is impossible")?;
        for (port, state) in self.ports.iter().zip(&state.ports) {
            port.check(state)?;
        }
        for (port, state) in self.ports.iter_mut().zip(state.ports) {
            port.load(state)?;
        }
        (self.interrupts, self.index) = (state.interrupts, state.index);
        self.update(false);
        Ok(())
    }
}
