//! Virtio over PCI (4.1): modern, and transitional with the legacy interface (4.1.4.10) beside it.
//!
//! Identifiers, regions and capabilities are where QEMU has them: region 0 the legacy registers, 1 the MSI-X table,
//! 4 common configuration, ISR status, device configuration and notifications, 4 KiB each.

mod common;
mod legacy;
#[cfg(test)]
mod tests;

use super::device::VirtioDevice;
use super::link::{Cause, Interrupt};
use super::transport::{Interface, Saved, Transport};
use crate::bus::clock::{Timer, VTime};
use crate::bus::device::{BusError, BusResult, Initiator, Size};
use crate::bus::dma::Dma;
use crate::bus::snapshot::{self, StateError, require};
use crate::pci::bar::Bar;
use crate::pci::config::{ConfigSpace, Identity, capability};
use crate::pci::function::{Function, Header, PciDevice};
use crate::pci::intx::Intx;
use crate::pci::msix::Msix;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Regions.
const LEGACY: usize = 0;
const TABLE: usize = 1;
const MODERN: usize = 4;
/// Parts of the modern region, each of this length.
const PART: u64 = 0x1000;
const COMMON: u64 = 0;
const ISR: u64 = 1;
const DEVICE: u64 = 2;
const NOTIFY: u64 = 3;
/// Bytes between the bells of two queues.
const NOTIFY_MULTIPLIER: u32 = 4;
/// Offset of the capability that reaches the modern region through configuration space (4.1.4.9), and the fields in it.
const WINDOW: usize = 0x84;
const WINDOW_BAR: usize = WINDOW + 4;
const WINDOW_OFFSET: usize = WINDOW + 8;
const WINDOW_LEN: usize = WINDOW + 12;
const WINDOW_DATA: usize = WINDOW + 16;
/// No MSI-X vector (4.1.5.1.2).
const NO_VECTOR: u16 = 0xFFFF;

/// Which vectors the driver chose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Vectors {
    config: u16,
    queues: Vec<u16>,
}

impl Vectors {
    fn fresh(queues: usize) -> Vectors {
        Vectors { config: NO_VECTOR, queues: vec![NO_VECTOR; queues] }
    }
}

/// Interrupts by messages, or by the pin.
struct Messages {
    intx: Intx,
    msix: Msix,
    vectors: Mutex<Vectors>,
}

impl Interrupt for Messages {
    fn raise(&self, cause: Cause) {
        if !self.msix.enabled() {
            return self.intx.set(true);
        }
        let vectors = self.vectors.lock();
        let vector = match cause {
            Cause::Queue(queue) => vectors.queues.get(queue).copied(),
            Cause::Config => Some(vectors.config),
        };
        drop(vectors);
        if let Some(vector) = vector.filter(|&v| v != NO_VECTOR) {
            self.msix.notify(vector);
        }
    }

    fn settle(&self, pending: bool) {
        self.intx.set(pending && !self.msix.enabled());
    }
}

/// Registers that only this transport needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Registers {
    device_features_sel: u32,
    driver_features_sel: u32,
    queue_sel: u16,
    /// For each queue: the legacy page number.
    pages: Vec<u32>,
}

impl Registers {
    fn fresh(queues: usize) -> Registers {
        Registers { device_features_sel: 0, driver_features_sel: 0, queue_sel: 0, pages: vec![0; queues] }
    }
}

#[derive(Serialize, Deserialize)]
struct State {
    registers: Registers,
    vectors: Vectors,
    transport: Saved,
}

/// How a function is set up.
#[derive(Debug, Clone, Copy, Default)]
pub struct PciOptions {
    /// Whether the legacy interface is left out (`disable-legacy=on`).
    pub modern_only: bool,
    /// Number of MSI-X vectors (`vectors=`); one for each queue and one for the configuration if not given.
    pub vectors: Option<u16>,
}

/// A virtio device as a PCI function.
pub struct VirtioPci {
    transport: Transport,
    messages: Arc<Messages>,
    registers: Registers,
    name: &'static str,
}

/// Identifier, class and name of a function for device type `kind` (4.1.2.1).
fn identity(kind: u32, modern_only: bool) -> (Identity, &'static str) {
    let (transitional, class, name) = match kind {
        1 => (0x1000, 0x02_0000, "virtio-net-pci"),
        2 => (0x1001, 0x01_0000, "virtio-blk-pci"),
        3 => (0x1003, 0x07_8000, "virtio-serial-pci"),
        4 => (0x1005, 0x00_FF00, "virtio-rng-pci"),
        5 => (0x1002, 0x00_FF00, "virtio-balloon-pci"),
        8 => (0x1004, 0x01_0000, "virtio-scsi-pci"),
        9 => (0x1009, 0x00_0200, "virtio-9p-pci"),
        16 => (0, 0x03_8000, "virtio-gpu-pci"),
        18 => (0, 0x09_0000, "virtio-input-pci"),
        _ => (0, 0x00_FF00, "virtio-pci"),
    };
    let own = 0x1040 + kind as u16;
    // Types that never had a legacy interface show the modern identifier.
    let modern = modern_only || transitional == 0;
    let (device, revision, subsystem) =
        if modern { (own, 1, 0x1100) } else { (transitional, 0, kind as u16) };
    (Identity { subsystem, ..Identity::new(0x1AF4, device, revision, class) }, name)
}

impl VirtioPci {
    /// A function in front of `device`, which reaches memory by `dma`.
    pub fn function(device: Box<dyn VirtioDevice>, dma: Dma, options: PciOptions) -> Function<VirtioPci> {
        let kind = device.device_id();
        let (id, name) = identity(kind, options.modern_only);
        let mut header = Header::new(id);
        if id.revision == 0 {
            header.bar(LEGACY, Bar::io(legacy::len(kind)));
        }
        header.bar(MODERN, Bar::memory64(4 * PART));
        for (part, kind) in [(COMMON, 1), (ISR, 3), (DEVICE, 4), (NOTIFY, 2)] {
            vendor(&mut header.config, kind, part * PART);
        }
        let mut window = vec![20, 5];
        window.resize(18, 0);
        let mut writable = [0xFF; 18];
        writable[..2].fill(0);
        writable[3..6].fill(0);
        header.config.add_capability(capability::VENDOR, WINDOW, &window, &writable);

        let queues = device.queue_sizes().len();
        let vectors = options.vectors.unwrap_or(queues.min(0x400) as u16 + 1);
        let msix = header.msix(0x98, vectors, TABLE);
        let messages =
            Arc::new(Messages { intx: header.pin(1), msix, vectors: Mutex::new(Vectors::fresh(queues)) });
        let transport = Transport::new(device, dma, messages.clone());
        let registers = Registers::fresh(queues);
        Function::new(header, VirtioPci { transport, messages, registers, name })
    }

    /// The device behind it.
    pub fn virtio(&self) -> &dyn VirtioDevice {
        self.transport.device()
    }

    /// Reset by the driver: device and transport start over.
    fn restart(&mut self) {
        self.registers = Registers::fresh(self.transport.queues());
        *self.messages.vectors.lock() = Vectors::fresh(self.transport.queues());
        self.transport.restart();
    }

    fn set_status(&mut self, value: u8, interface: Interface) {
        match value {
            0 => self.restart(),
            _ => self.transport.set_status(value.into(), interface),
        }
    }

    /// The interrupt status, which reading clears.
    fn take_isr(&self) -> u8 {
        self.transport.link.with(|core| std::mem::take(&mut core.interrupt) as u8)
    }

    fn vector(&self, queue: Option<usize>) -> u16 {
        let vectors = self.messages.vectors.lock();
        match queue {
            None => vectors.config,
            Some(queue) => vectors.queues.get(queue).copied().unwrap_or(NO_VECTOR),
        }
    }

    /// Chooses a vector; one that does not exist reads back as none (4.1.5.1.2.1).
    fn set_vector(&self, queue: Option<usize>, vector: u16) {
        let vector = if vector < self.messages.msix.vectors() { vector } else { NO_VECTOR };
        let mut vectors = self.messages.vectors.lock();
        match queue {
            None => vectors.config = vector,
            Some(queue) => {
                if let Some(slot) = vectors.queues.get_mut(queue) {
                    *slot = vector;
                }
            }
        }
    }

    /// Offset, and width, of an access that goes through the window in configuration space.
    fn window(config: &ConfigSpace) -> Option<(u64, Size)> {
        let size = Size::from_bytes(config.dword(WINDOW_LEN).into()).filter(|&s| s <= Size::B4)?;
        let offset = u64::from(config.dword(WINDOW_OFFSET));
        (usize::from(config.byte(WINDOW_BAR)) == MODERN && offset < 4 * PART).then_some((offset, size))
    }
}

/// A capability that says where a part of the modern region is (4.1.4).
fn vendor(config: &mut ConfigSpace, kind: u8, offset: u64) {
    let mut body = vec![16, kind, MODERN as u8, 0, 0, 0];
    body.extend((offset as u32).to_le_bytes());
    body.extend((PART as u32).to_le_bytes());
    if offset == NOTIFY * PART {
        body.extend(NOTIFY_MULTIPLIER.to_le_bytes());
        body[0] += 4;
    }
    config.add_capability(capability::VENDOR, 0, &body, &[]);
}

impl PciDevice for VirtioPci {
    fn name(&self) -> &'static str {
        self.name
    }

    fn read(&mut self, region: usize, at: u64, size: Size, _: Initiator) -> BusResult<u64> {
        let offset = at % PART;
        match (region, at / PART) {
            (LEGACY, 0) => self.read_legacy(at, size),
            (MODERN, COMMON) => self.read_common(offset, size),
            (MODERN, ISR) => Ok(if offset == 0 { self.take_isr().into() } else { 0 }),
            (MODERN, DEVICE) => Ok(self.transport.read_config(offset, size.bytes() as usize)),
            (MODERN, NOTIFY) => Ok(0),
            _ => Err(BusError::NoRegister),
        }
    }

    fn write(&mut self, region: usize, at: u64, size: Size, value: u64, _: Initiator) -> BusResult<()> {
        let offset = at % PART;
        match (region, at / PART) {
            (LEGACY, 0) => self.write_legacy(at, size, value),
            (MODERN, COMMON) => self.write_common(offset, size, value),
            (MODERN, ISR) => Ok(()),
            (MODERN, DEVICE) => {
                self.transport.write_config(offset, size.bytes() as usize, value);
                Ok(())
            }
            (MODERN, NOTIFY) => {
                self.transport.notify((offset / u64::from(NOTIFY_MULTIPLIER)) as usize);
                Ok(())
            }
            _ => Err(BusError::NoRegister),
        }
    }

    fn config_read(&mut self, config: &mut ConfigSpace, at: usize, len: usize) {
        if at < WINDOW_DATA + 4
            && at.saturating_add(len) > WINDOW_DATA
            && let Some((offset, size)) = VirtioPci::window(config)
        {
            let value = self.read(MODERN, offset, size, Initiator::Debugger).unwrap_or(0);
            for (i, &byte) in value.to_le_bytes().iter().take(size.bytes() as usize).enumerate() {
                config.put(WINDOW_DATA + i, byte);
            }
        }
    }

    fn config_written(&mut self, config: &mut ConfigSpace, at: usize, len: usize) {
        // All of it is written at reset and load only, which are not accesses.
        if at != 0
            && at < WINDOW_DATA + 4
            && at.saturating_add(len) > WINDOW_DATA
            && let Some((offset, size)) = VirtioPci::window(config)
        {
            let value = u64::from(config.dword(WINDOW_DATA)) & size.mask();
            // What the region refuses, it refuses here as well.
            let _ = self.write(MODERN, offset, size, value, Initiator::Debugger);
        }
        // MSI-X may have been switched on or off.
        self.transport.link.with(|_| ());
    }

    fn timers(&self) -> Vec<Timer> {
        self.transport.device().timers()
    }

    fn expired(&mut self, timer: usize, now: VTime) {
        self.transport.device_mut().expired(timer, now);
    }

    fn reset(&mut self) {
        self.restart();
    }

    fn save(&self) -> Result<Vec<u8>, StateError> {
        let transport = self.transport.save()?;
        let vectors = self.messages.vectors.lock().clone();
        snapshot::save(&State { registers: self.registers.clone(), vectors, transport })
    }

    fn load(&mut self, saved: &[u8]) -> Result<(), StateError> {
        let state: State = snapshot::load(saved)?;
        let queues = self.transport.queues();
        let counts = state.registers.pages.len() == queues && state.vectors.queues.len() == queues;
        require(counts, "it has another number of queues")?;
        let most = self.messages.msix.vectors();
        let known = |v: &u16| *v < most || *v == NO_VECTOR;
        let chosen = known(&state.vectors.config) && state.vectors.queues.iter().all(known);
        require(chosen, "a vector does not exist")?;
        self.transport.check(&state.transport)?;
        self.transport.load(state.transport)?;
        *self.messages.vectors.lock() = state.vectors;
        self.registers = state.registers;
        Ok(())
    }
}
