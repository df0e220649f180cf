//! Virtio over MMIO (4.2): one transport, with a device behind it or empty.
//!
//! Version 2 is the interface of VIRTIO 1.x; version 1 is the legacy one (4.2.4), which QEMU's boards show unless told
//! otherwise and which Linux drives as well.

use super::device::VirtioDevice;
use super::transport::{Interface, Saved, Transport};
use crate::bus::clock::{Timer, VTime};
use crate::bus::device::{BusError, BusResult, Device, Initiator, Io, Size, Timed};
use crate::bus::dma::Dma;
use crate::bus::irq::Wire;
use crate::bus::snapshot::{self, StateError, require};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Bytes of the register file, configuration space included.
pub const LEN: u64 = 0x200;

/// Register offsets (4.2.2, 4.2.4).
mod reg {
    pub(super) const MAGIC: u64 = 0x000;
    pub(super) const VERSION: u64 = 0x004;
    pub(super) const DEVICE_ID: u64 = 0x008;
    pub(super) const VENDOR_ID: u64 = 0x00C;
    pub(super) const DEVICE_FEATURES: u64 = 0x010;
    pub(super) const DEVICE_FEATURES_SEL: u64 = 0x014;
    pub(super) const DRIVER_FEATURES: u64 = 0x020;
    pub(super) const DRIVER_FEATURES_SEL: u64 = 0x024;
    pub(super) const GUEST_PAGE_SIZE: u64 = 0x028;
    pub(super) const QUEUE_SEL: u64 = 0x030;
    pub(super) const QUEUE_NUM_MAX: u64 = 0x034;
    pub(super) const QUEUE_NUM: u64 = 0x038;
    pub(super) const QUEUE_ALIGN: u64 = 0x03C;
    pub(super) const QUEUE_PFN: u64 = 0x040;
    pub(super) const QUEUE_READY: u64 = 0x044;
    pub(super) const QUEUE_NOTIFY: u64 = 0x050;
    pub(super) const INTERRUPT_STATUS: u64 = 0x060;
    pub(super) const INTERRUPT_ACK: u64 = 0x064;
    pub(super) const STATUS: u64 = 0x070;
    pub(super) const QUEUE_DESC_LOW: u64 = 0x080;
    pub(super) const QUEUE_DESC_HIGH: u64 = 0x084;
    pub(super) const QUEUE_DRIVER_LOW: u64 = 0x090;
    pub(super) const QUEUE_DRIVER_HIGH: u64 = 0x094;
    pub(super) const QUEUE_DEVICE_LOW: u64 = 0x0A0;
    pub(super) const QUEUE_DEVICE_HIGH: u64 = 0x0A4;
    pub(super) const SHM_SEL: u64 = 0x0AC;
    pub(super) const SHM_LEN_LOW: u64 = 0x0B0;
    pub(super) const SHM_BASE_HIGH: u64 = 0x0BC;
    pub(super) const CONFIG_GENERATION: u64 = 0x0FC;
    pub(super) const CONFIG: u64 = 0x100;
}

/// "virt", little-endian.
const MAGIC: u32 = 0x7472_6976;
/// QEMU's vendor identifier.
const VENDOR: u32 = 0x554D_4551;
/// The largest page and alignment that a legacy driver may name.
const LEGACY_UNIT: u32 = 1 << 20;

/// Registers that only the transport needs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Registers {
    device_features_sel: u32,
    driver_features_sel: u32,
    queue_sel: u32,
    guest_page_size: u32,
    /// For each queue: legacy QueueAlign and QueuePFN.
    legacy: Vec<(u32, u32)>,
}

#[derive(Serialize, Deserialize)]
struct State {
    registers: Registers,
    transport: Option<Saved>,
}

/// A transport and the device behind it.
pub struct VirtioMmio {
    transport: Option<Transport>,
    registers: Registers,
    interface: Interface,
}

impl VirtioMmio {
    /// A transport without a device: drivers read device type 0 and go away.
    pub fn empty(legacy: bool) -> VirtioMmio {
        VirtioMmio { transport: None, registers: Registers::default(), interface: interface(legacy) }
    }

    /// A transport in front of `device`, which reaches memory by `dma` and interrupts by `wire`. `legacy` shows
    /// version 1 of the interface.
    pub fn new(device: Box<dyn VirtioDevice>, dma: Dma, wire: Wire, legacy: bool) -> VirtioMmio {
        let transport = Transport::new(device, dma, Arc::new(wire));
        let registers = fresh(transport.queues());
        VirtioMmio { transport: Some(transport), registers, interface: interface(legacy) }
    }

    /// The device behind it.
    pub fn device(&self) -> Option<&dyn VirtioDevice> {
        self.transport.as_ref().map(Transport::device)
    }

    fn legacy(&self) -> bool {
        self.interface == Interface::Legacy
    }

    /// Reset by the driver: device and transport start over.
    fn restart(&mut self) {
        if let Some(transport) = &mut self.transport {
            self.registers = fresh(transport.queues());
            transport.restart();
        }
    }

    fn read_word(&self, at: u64) -> BusResult<u32> {
        let selected = self.registers.queue_sel as usize;
        let legacy = self.legacy();
        match at {
            reg::MAGIC => return Ok(MAGIC),
            reg::VERSION => return Ok(2 - u32::from(legacy)),
            reg::VENDOR_ID => return Ok(VENDOR),
            _ => {}
        }
        let Some(transport) = &self.transport else { return Ok(0) };
        Ok(match at {
            reg::DEVICE_ID => transport.device().device_id(),
            reg::DEVICE_FEATURES => match self.registers.device_features_sel {
                0 => transport.offered(self.interface) as u32,
                1 if !legacy => (transport.offered(self.interface) >> 32) as u32,
                _ => 0,
            },
            reg::QUEUE_NUM_MAX => transport.most(selected).into(),
            reg::QUEUE_PFN if legacy => self.registers.legacy.get(selected).map_or(0, |q| q.1),
            reg::QUEUE_READY if !legacy => transport.queue(selected, |q| q.ready).unwrap_or(false).into(),
            reg::INTERRUPT_STATUS => transport.link.with(|core| core.interrupt),
            reg::STATUS => transport.link.with(|core| core.status),
            // 4.2.2: no shared memory region has a length of all ones.
            reg::SHM_LEN_LOW..=reg::SHM_BASE_HIGH if !legacy && at & 3 == 0 => u32::MAX,
            reg::CONFIG_GENERATION if !legacy => transport.link.with(|core| core.generation),
            _ => return Err(BusError::NoRegister),
        })
    }

    fn write_word(&mut self, at: u64, value: u32) -> BusResult<()> {
        let low = |whole: &mut u64| *whole = *whole & !0xFFFF_FFFF | u64::from(value);
        let high = |whole: &mut u64| *whole = *whole & 0xFFFF_FFFF | u64::from(value) << 32;
        let selected = self.registers.queue_sel as usize;
        let Some(transport) = &mut self.transport else { return Ok(()) };
        match at {
            reg::DEVICE_FEATURES_SEL => self.registers.device_features_sel = value,
            reg::DRIVER_FEATURES_SEL => self.registers.driver_features_sel = value,
            reg::DRIVER_FEATURES => {
                transport.accept(self.registers.driver_features_sel, value, self.interface);
            }
            reg::QUEUE_SEL => self.registers.queue_sel = value,
            reg::QUEUE_NUM => {
                transport.set_size(selected, value)?;
                self.place_legacy();
            }
            reg::QUEUE_NOTIFY => transport.notify(value as usize),
            reg::INTERRUPT_ACK => transport.link.with(|core| core.interrupt &= !value),
            reg::STATUS if value == 0 => self.restart(),
            reg::STATUS => transport.set_status(value, self.interface),
            _ if self.interface == Interface::Legacy => return self.write_legacy(at, value),
            reg::QUEUE_READY => return transport.set_ready(selected, value & 1 != 0),
            reg::QUEUE_DESC_LOW => transport.set_up(selected, |q| low(&mut q.desc))?,
            reg::QUEUE_DESC_HIGH => transport.set_up(selected, |q| high(&mut q.desc))?,
            reg::QUEUE_DRIVER_LOW => transport.set_up(selected, |q| low(&mut q.avail))?,
            reg::QUEUE_DRIVER_HIGH => transport.set_up(selected, |q| high(&mut q.avail))?,
            reg::QUEUE_DEVICE_LOW => transport.set_up(selected, |q| low(&mut q.used))?,
            reg::QUEUE_DEVICE_HIGH => transport.set_up(selected, |q| high(&mut q.used))?,
            reg::SHM_SEL => {}
            _ => return Err(BusError::NoRegister),
        }
        Ok(())
    }

    fn write_legacy(&mut self, at: u64, value: u32) -> BusResult<()> {
        let selected = self.registers.queue_sel as usize;
        let unit_ok = value.is_power_of_two() && value <= LEGACY_UNIT;
        match at {
            reg::GUEST_PAGE_SIZE | reg::QUEUE_ALIGN if !unit_ok => return Err(BusError::Unimplemented),
            reg::GUEST_PAGE_SIZE => self.registers.guest_page_size = value,
            reg::QUEUE_ALIGN => {
                self.registers.legacy.get_mut(selected).ok_or(BusError::NoRegister)?.0 = value;
            }
            // 4.2.4: page 0 ends the use of the queue; the whole device starts over, as with QEMU.
            reg::QUEUE_PFN if value == 0 => self.restart(),
            reg::QUEUE_PFN => {
                self.registers.legacy.get_mut(selected).ok_or(BusError::NoRegister)?.1 = value;
                self.place_legacy();
                if let Some(transport) = &self.transport {
                    transport.set_ready(selected, true)?;
                }
            }
            _ => return Err(BusError::NoRegister),
        }
        Ok(())
    }

    /// Puts the selected queue where a legacy driver wants it.
    fn place_legacy(&self) {
        let selected = self.registers.queue_sel as usize;
        let Some(&(align, page)) = self.registers.legacy.get(selected).filter(|q| self.legacy() && q.1 != 0)
        else {
            return;
        };
        if let Some(transport) = &self.transport {
            let base = u64::from(page) * u64::from(self.registers.guest_page_size);
            transport.place_legacy(selected, base, align.into());
        }
    }

    fn check(&self, state: &State) -> Result<(), StateError> {
        let registers = &state.registers;
        let queues = self.transport.as_ref().map_or(0, Transport::queues);
        require(registers.legacy.len() == queues, "it has another number of queues")?;
        let unit_ok = |unit: u32| unit.is_power_of_two() && unit <= LEGACY_UNIT;
        let units = registers.legacy.iter().all(|q| unit_ok(q.0));
        let page_ok = self.transport.is_none() || unit_ok(registers.guest_page_size);
        require(units && page_ok, "a page size is impossible")
    }
}

fn interface(legacy: bool) -> Interface {
    if legacy { Interface::Legacy } else { Interface::Modern }
}

fn fresh(queues: usize) -> Registers {
    Registers { legacy: vec![(4096, 0); queues], guest_page_size: 4096, ..Registers::default() }
}

impl Device for VirtioMmio {
    fn name(&self) -> &'static str {
        "virtio-mmio"
    }

    fn reset(&mut self) {
        self.restart();
    }

    fn save(&self) -> Result<Vec<u8>, StateError> {
        let transport = self.transport.as_ref().map(Transport::save).transpose()?;
        snapshot::save(&State { registers: self.registers.clone(), transport })
    }

    fn load(&mut self, saved: &[u8]) -> Result<(), StateError> {
        let state: State = snapshot::load(saved)?;
        self.check(&state)?;
        match (&mut self.transport, state.transport) {
            (Some(transport), Some(saved)) => {
                transport.check(&saved)?;
                transport.load(saved)?;
            }
            (None, None) => {}
            _ => require(false, "a device is there in one and not in the other")?,
        }
        self.registers = state.registers;
        Ok(())
    }

    fn io(&mut self) -> Option<&mut dyn Io> {
        Some(self)
    }

    fn timed(&mut self) -> Option<&mut dyn Timed> {
        Some(self)
    }
}

impl Timed for VirtioMmio {
    fn timers(&self) -> Vec<Timer> {
        self.transport.as_ref().map_or(Vec::new(), |t| t.device().timers())
    }

    fn expired(&mut self, timer: usize, now: VTime) {
        if let Some(transport) = &mut self.transport {
            transport.device_mut().expired(timer, now);
        }
    }
}

impl Io for VirtioMmio {
    fn read(&mut self, at: u64, size: Size, _: Initiator) -> BusResult<u64> {
        if let Some(offset) = at.checked_sub(reg::CONFIG) {
            let transport = self.transport.as_ref();
            return Ok(transport.map_or(0, |t| t.read_config(offset, size.bytes() as usize)));
        }
        word(at, size)?;
        self.read_word(at).map(u64::from)
    }

    fn write(&mut self, at: u64, size: Size, value: u64, _: Initiator) -> BusResult<()> {
        if let Some(offset) = at.checked_sub(reg::CONFIG) {
            if let Some(transport) = &mut self.transport {
                transport.write_config(offset, size.bytes() as usize, value);
            }
            return Ok(());
        }
        word(at, size)?;
        self.write_word(at, value as u32)
    }
}

/// Registers below the configuration space take aligned 32-bit accesses only (4.2.2.2).
fn word(at: u64, size: Size) -> BusResult<()> {
    match size {
        Size::B4 if at & 3 == 0 => Ok(()),
        Size::B4 => Err(BusError::Unaligned),
        _ => Err(BusError::BadSize),
    }
}

#[cfg(test)]
mod tests;
