//! Virtio over MMIO (4.2): one transport, with a device behind it or empty.
//!
//! Version 2 is the interface of VIRTIO 1.x; version 1 is the legacy one (4.2.4), which QEMU's boards show unless told
//! otherwise and which Linux drives as well.

use super::device::{VirtioDevice, features};
use super::link::{Core, Link, status};
use super::ring::Queue;
use crate::bus::clock::{Timer, VTime};
use crate::bus::device::{BusError, BusResult, Device, Initiator, Io, Size, Timed};
use crate::bus::dma::Dma;
use crate::bus::irq::Wire;
use crate::bus::snapshot::{self, StateError, require};
use serde::{Deserialize, Serialize};

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
    core: Core,
    device: Vec<u8>,
}

/// A transport and the device behind it.
pub struct VirtioMmio {
    device: Option<Box<dyn VirtioDevice>>,
    link: Link,
    registers: Registers,
    sizes: Vec<u16>,
    legacy: bool,
}

impl VirtioMmio {
    /// A transport without a device: drivers read device type 0 and go away.
    pub fn empty(legacy: bool) -> VirtioMmio {
        VirtioMmio {
            device: None,
            link: Link::new("virtio-mmio", Core::new(&[]), Dma::open(), Wire::open()),
            registers: Registers::default(),
            sizes: Vec::new(),
            legacy,
        }
    }

    /// A transport in front of `device`, which reaches memory by `dma` and interrupts by `wire`. `legacy` shows
    /// version 1 of the interface.
    pub fn new(mut device: Box<dyn VirtioDevice>, dma: Dma, wire: Wire, legacy: bool) -> VirtioMmio {
        let sizes = device.queue_sizes();
        let link = Link::new(device.name(), Core::new(&sizes), dma, wire);
        device.attach(link.clone());
        let mut mmio =
            VirtioMmio { device: Some(device), link, registers: Registers::default(), sizes, legacy };
        mmio.registers = mmio.fresh();
        mmio
    }

    /// The device behind it.
    pub fn device(&self) -> Option<&dyn VirtioDevice> {
        self.device.as_deref()
    }

    fn fresh(&self) -> Registers {
        Registers { legacy: vec![(4096, 0); self.sizes.len()], guest_page_size: 4096, ..Registers::default() }
    }

    fn offered(&self) -> u64 {
        let common = features::INDIRECT_DESC | features::EVENT_IDX;
        let version = if self.legacy { features::ANY_LAYOUT } else { features::VERSION_1 };
        self.device.as_ref().map_or(0, |d| d.features() | common | version)
    }

    /// Reset by the driver: device and transport start over.
    fn restart(&mut self) {
        self.link.replace(Core::new(&self.sizes));
        self.registers = self.fresh();
        if let Some(device) = &mut self.device {
            device.reset();
        }
    }

    fn queue<T>(&self, read: impl FnOnce(&Queue) -> T) -> Option<T> {
        let index = self.registers.queue_sel as usize;
        self.link.with(|core| core.queues.get(index).map(read))
    }

    /// Changes the selected queue, which must not be ready: a driver must not touch one that is (4.2.3.2).
    fn set_up(&self, change: impl FnOnce(&mut Queue)) -> BusResult<()> {
        let index = self.registers.queue_sel as usize;
        self.link.with(|core| match core.queues.get_mut(index) {
            Some(queue) if !queue.ready => {
                change(queue);
                Ok(())
            }
            _ => Err(BusError::NoRegister),
        })
    }

    fn read_word(&self, at: u64) -> BusResult<u32> {
        let selected = self.registers.queue_sel as usize;
        Ok(match at {
            reg::MAGIC => MAGIC,
            reg::VERSION => 2 - u32::from(self.legacy),
            reg::VENDOR_ID => VENDOR,
            _ if self.device.is_none() => 0,
            reg::DEVICE_ID => self.device.as_ref().map_or(0, |d| d.device_id()),
            reg::DEVICE_FEATURES => match self.registers.device_features_sel {
                0 => self.offered() as u32,
                1 if !self.legacy => (self.offered() >> 32) as u32,
                _ => 0,
            },
            reg::QUEUE_NUM_MAX => self.sizes.get(selected).copied().unwrap_or(0).into(),
            reg::QUEUE_PFN if self.legacy => self.registers.legacy.get(selected).map_or(0, |q| q.1),
            reg::QUEUE_READY if !self.legacy => self.queue(|q| q.ready).unwrap_or(false).into(),
            reg::INTERRUPT_STATUS => self.link.with(|core| core.interrupt),
            reg::STATUS => self.link.with(|core| core.status),
            // 4.2.2: no shared memory region has a length of all ones.
            reg::SHM_LEN_LOW..=reg::SHM_BASE_HIGH if !self.legacy && at & 3 == 0 => u32::MAX,
            reg::CONFIG_GENERATION if !self.legacy => self.link.with(|core| core.generation),
            _ => return Err(BusError::NoRegister),
        })
    }

    fn write_word(&mut self, at: u64, value: u32) -> BusResult<()> {
        let low = |whole: &mut u64| *whole = *whole & !0xFFFF_FFFF | u64::from(value);
        let high = |whole: &mut u64| *whole = *whole & 0xFFFF_FFFF | u64::from(value) << 32;
        match at {
            _ if self.device.is_none() => {}
            reg::DEVICE_FEATURES_SEL => self.registers.device_features_sel = value,
            reg::DRIVER_FEATURES_SEL => self.registers.driver_features_sel = value,
            reg::DRIVER_FEATURES => self.accept(value),
            reg::QUEUE_SEL => self.registers.queue_sel = value,
            reg::QUEUE_NUM => {
                let most = self.sizes.get(self.registers.queue_sel as usize).copied().unwrap_or(0);
                if !Queue::size_ok(value.into()) || value > most.into() {
                    return Err(BusError::Unimplemented);
                }
                self.set_up(|q| q.size = value as u16)?;
                self.place_legacy();
            }
            reg::QUEUE_NOTIFY => self.notify(value as usize),
            reg::INTERRUPT_ACK => self.link.with(|core| core.interrupt &= !value),
            reg::STATUS => self.set_status(value),
            _ if self.legacy => return self.write_legacy(at, value),
            reg::QUEUE_READY => return self.set_ready(value & 1 != 0),
            reg::QUEUE_DESC_LOW => self.set_up(|q| low(&mut q.desc))?,
            reg::QUEUE_DESC_HIGH => self.set_up(|q| high(&mut q.desc))?,
            reg::QUEUE_DRIVER_LOW => self.set_up(|q| low(&mut q.avail))?,
            reg::QUEUE_DRIVER_HIGH => self.set_up(|q| high(&mut q.avail))?,
            reg::QUEUE_DEVICE_LOW => self.set_up(|q| low(&mut q.used))?,
            reg::QUEUE_DEVICE_HIGH => self.set_up(|q| high(&mut q.used))?,
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
                return self.set_ready(true);
            }
            _ => return Err(BusError::NoRegister),
        }
        Ok(())
    }

    /// The legacy layout (2.7.2): descriptors, available ring, and the used ring at the next alignment boundary.
    fn place_legacy(&self) {
        let selected = self.registers.queue_sel as usize;
        let Some(&(align, page)) = self.registers.legacy.get(selected).filter(|q| self.legacy && q.1 != 0)
        else {
            return;
        };
        let base = u64::from(page) * u64::from(self.registers.guest_page_size);
        // A queue that is ready stays where it is.
        let _ = self.set_up(|q| {
            q.desc = base;
            q.avail = base + 16 * u64::from(q.size);
            q.used = (q.avail + 6 + 2 * u64::from(q.size)).next_multiple_of(align.into());
        });
    }

    fn set_ready(&self, ready: bool) -> BusResult<()> {
        let index = self.registers.queue_sel as usize;
        self.link.with(|core| {
            let queue = core.queues.get_mut(index).ok_or(BusError::NoRegister)?;
            if ready {
                queue.ready = true;
            } else if queue.ready {
                queue.stop();
            }
            Ok(())
        })
    }

    /// DriverFeatures; fixed once FEATURES_OK is set (3.1.1).
    fn accept(&self, value: u32) {
        let shift = match self.registers.driver_features_sel {
            0 => 0,
            1 if !self.legacy => 32,
            _ => return,
        };
        let offered = self.offered();
        self.link.with(|core| {
            if core.status & status::FEATURES_OK == 0 {
                core.features = core.features & !(0xFFFF_FFFF << shift) | u64::from(value) << shift;
                if self.legacy {
                    core.features &= offered; // a legacy driver has no way to be refused
                }
            }
        });
    }

    fn set_status(&mut self, value: u32) {
        if value == 0 {
            return self.restart();
        }
        let offered = self.offered();
        let legacy = self.legacy;
        let started = self.link.with(|core| {
            let mut new = value & status::ALL | core.status & status::NEEDS_RESET;
            let needed = core.features & features::VERSION_1 != 0 && core.features & !offered == 0;
            if !legacy && !needed {
                new &= !status::FEATURES_OK; // 3.1.1: this is how a driver learns that it was refused
            }
            if !legacy && new & status::FEATURES_OK == 0 {
                new &= !status::DRIVER_OK;
            }
            let started = new & !core.status & status::DRIVER_OK != 0;
            core.status = new;
            started
        });
        if started {
            if let Some(device) = &mut self.device {
                device.activate();
            }
            // Buffers that were announced before the driver was ready.
            (0..self.sizes.len()).for_each(|queue| self.notify(queue));
        }
    }

    fn notify(&mut self, queue: usize) {
        if let Some(device) = self.device.as_mut().filter(|_| queue < self.sizes.len()) {
            device.notify(queue);
        }
    }

    fn check(&self, state: &State) -> Result<(), StateError> {
        let (core, registers) = (&state.core, &state.registers);
        require(core.queues.len() == self.sizes.len(), "it has another number of queues")?;
        let fits = core
            .queues
            .iter()
            .zip(&self.sizes)
            .all(|(q, &most)| Queue::size_ok(q.size.into()) && q.size <= most);
        require(fits, "a queue size is impossible")?;
        require(core.status & !status::ALL == 0, "the status is impossible")?;
        require(core.interrupt & !3 == 0, "the interrupt status is impossible")?;
        require(registers.legacy.len() == self.fresh().legacy.len(), "it has another number of queues")?;
        let unit_ok = |unit: u32| unit.is_power_of_two() && unit <= LEGACY_UNIT;
        let units = registers.legacy.iter().all(|q| unit_ok(q.0));
        require(
            units && (self.device.is_none() || unit_ok(registers.guest_page_size)),
            "a page size is impossible",
        )
    }
}

impl Device for VirtioMmio {
    fn name(&self) -> &'static str {
        "virtio-mmio"
    }

    fn reset(&mut self) {
        if self.device.is_some() {
            self.restart();
        }
    }

    fn save(&self) -> Result<Vec<u8>, StateError> {
        // The device comes first: it finishes what it has begun, which changes the queues.
        let device = self.device.as_ref().map_or(Ok(Vec::new()), |d| d.save())?;
        let core = self.link.with(|core| core.clone());
        snapshot::save(&State { registers: self.registers.clone(), core, device })
    }

    fn load(&mut self, saved: &[u8]) -> Result<(), StateError> {
        let state: State = snapshot::load(saved)?;
        self.check(&state)?;
        if let Some(device) = &mut self.device {
            device.load(&state.device)?;
        }
        self.link.replace(state.core);
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
        self.device.as_ref().map_or(Vec::new(), |d| d.timers())
    }

    fn expired(&mut self, timer: usize, now: VTime) {
        if let Some(device) = &mut self.device {
            device.expired(timer, now);
        }
    }
}

impl Io for VirtioMmio {
    fn read(&mut self, at: u64, size: Size, _: Initiator) -> BusResult<u64> {
        if let Some(offset) = at.checked_sub(reg::CONFIG) {
            let mut bytes = [0; 8];
            let (Some(device), Some(into)) = (&self.device, bytes.get_mut(..size.bytes() as usize)) else {
                return Ok(0);
            };
            device.read_config(offset, into);
            return Ok(u64::from_le_bytes(bytes));
        }
        word(at, size)?;
        self.read_word(at).map(u64::from)
    }

    fn write(&mut self, at: u64, size: Size, value: u64, _: Initiator) -> BusResult<()> {
        if let Some(offset) = at.checked_sub(reg::CONFIG) {
            let bytes = value.to_le_bytes();
            if let (Some(device), Some(from)) = (&mut self.device, bytes.get(..size.bytes() as usize)) {
                device.write_config(offset, from);
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
