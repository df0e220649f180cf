//! How processors reach configuration space: mechanism #1's two ports (PCI 3.0, 3.2.2.3.2), with the chipset's reset
//! control register between them, and PCI Express's memory-mapped window (ECAM, PCIe 7.2.2).

use super::bus::{Devfn, PciBus, REACH};
use crate::bus::device::{BusResult, Initiator, Size, Socket};
use crate::bus::irq::Wire;
use crate::bus::snapshot::{self, StateError};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The first port, and how many there are.
pub const PORT: u64 = 0xCF8;
/// Ports 0xCF8 to 0xCFF.
pub const PORTS: u64 = 8;

/// CONFIG_ADDRESS: configuration cycles are enabled.
const ENABLE: u32 = 1 << 31;
/// Offset of the reset control register, and its bits.
const RESET: u64 = 1;
const RESET_KIND: u8 = 2;
const RESET_NOW: u8 = 4;
/// Offset of CONFIG_DATA.
const DATA: u64 = 4;

#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
struct State {
    address: u32,
    reset: u8,
}

/// The ports 0xCF8 to 0xCFF: CONFIG_ADDRESS, CONFIG_DATA, and 0xCF9 (RC of the PIIX3, RST_CNT of the ICH9).
///
/// No lock is held while a function is called.
pub struct ConfigPorts {
    bus: Arc<PciBus>,
    reset: Wire,
    state: Mutex<State>,
}

impl ConfigPorts {
    /// The ports of `bus`; `reset` is pulsed when the guest resets the machine through 0xCF9.
    pub fn new(bus: Arc<PciBus>, reset: Wire) -> ConfigPorts {
        ConfigPorts { bus, reset, state: Mutex::default() }
    }

    /// The function and offset that CONFIG_DATA stands for.
    fn target(&self, reg: u64) -> Option<(u8, Devfn, usize)> {
        let address = self.state.lock().address;
        let offset = (address & 0xFC) as usize | (reg & 3) as usize;
        (address & ENABLE != 0 && offset < REACH).then_some((
            (address >> 16) as u8,
            Devfn((address >> 8) as u8),
            offset,
        ))
    }
}

impl Socket for ConfigPorts {
    fn name(&self) -> &'static str {
        "pci-config"
    }

    fn reset(&self) {
        *self.state.lock() = State::default();
    }

    fn save(&self) -> Result<Vec<u8>, StateError> {
        snapshot::save(&*self.state.lock())
    }

    fn load(&self, saved: &[u8]) -> Result<(), StateError> {
        *self.state.lock() = snapshot::load(saved)?;
        Ok(())
    }

    fn read(&self, reg: u64, size: Size, _: Initiator) -> BusResult<u64> {
        Ok(match (reg, size) {
            (0, Size::B4) => self.state.lock().address.into(),
            (RESET, Size::B1) => self.state.lock().reset.into(),
            (DATA.., _) if reg < PORTS => match self.target(reg) {
                Some((bus, at, offset)) => self.bus.config_read(bus, at, offset, size),
                None => size.mask(),
            },
            _ => size.mask(),
        })
    }

    fn write(&self, reg: u64, size: Size, value: u64, _: Initiator) -> BusResult<()> {
        match (reg, size) {
            (0, Size::B4) => self.state.lock().address = value as u32,
            (RESET, Size::B1) => {
                self.state.lock().reset = value as u8 & RESET_KIND;
                if value as u8 & RESET_NOW != 0 {
                    self.reset.pulse();
                }
            }
            (DATA.., _) if reg < PORTS => {
                if let Some((bus, at, offset)) = self.target(reg) {
                    self.bus.config_write(bus, at, offset, size, value);
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// PCI Express's window onto configuration space: 4 KiB per function, 1 MiB per bus.
pub struct Ecam(Arc<PciBus>);

impl Ecam {
    /// The window of `bus`; a board or a host bridge maps it.
    pub fn new(bus: Arc<PciBus>) -> Ecam {
        Ecam(bus)
    }

    fn target(at: u64) -> (u8, Devfn, usize) {
        ((at >> 20) as u8, Devfn((at >> 12) as u8), (at & 0xFFF) as usize)
    }
}

impl Socket for Ecam {
    fn name(&self) -> &'static str {
        "pcie-mmcfg"
    }
    fn reset(&self) {}
    fn save(&self) -> Result<Vec<u8>, StateError> {
        Ok(Vec::new())
    }
    fn load(&self, _: &[u8]) -> Result<(), StateError> {
        Ok(())
    }

    fn read(&self, at: u64, size: Size, _: Initiator) -> BusResult<u64> {
        let (bus, function, offset) = Ecam::target(at);
        Ok(self.0.config_read(bus, function, offset, size))
    }

    fn write(&self, at: u64, size: Size, value: u64, _: Initiator) -> BusResult<()> {
        let (bus, function, offset) = Ecam::target(at);
        self.0.config_write(bus, function, offset, size, value);
        Ok(())
    }
}
