//! The legacy registers (4.1.4.10), in I/O space.

use super::VirtioPci;
use crate::bus::device::{BusError, BusResult, Size};
use crate::virtio::transport::Interface;

/// Registers; the device's configuration follows, behind the two vectors if MSI-X is enabled.
mod reg {
    pub(super) const DEVICE_FEATURES: u64 = 0x00;
    pub(super) const DRIVER_FEATURES: u64 = 0x04;
    pub(super) const QUEUE_ADDRESS: u64 = 0x08;
    pub(super) const QUEUE_SIZE: u64 = 0x0C;
    pub(super) const QUEUE_SELECT: u64 = 0x0E;
    pub(super) const QUEUE_NOTIFY: u64 = 0x10;
    pub(super) const STATUS: u64 = 0x12;
    pub(super) const ISR: u64 = 0x13;
    pub(super) const CONFIG_VECTOR: u64 = 0x14;
    pub(super) const QUEUE_VECTOR: u64 = 0x16;
}
use reg::*;

/// Unit of queue addresses, and alignment of the used ring.
const PAGE: u64 = 4096;

/// Bytes of the region for device type `kind`: registers, vectors, configuration.
pub(super) fn len(kind: u32) -> u64 {
    match kind {
        4 => 0x20,
        1 | 3 => 0x40,
        _ => 0x80,
    }
}

impl VirtioPci {
    /// Offset in the device's configuration of register `at`.
    fn legacy_config(&self, at: u64) -> Option<u64> {
        at.checked_sub(if self.messages.msix.enabled() { 0x18 } else { CONFIG_VECTOR })
    }

    pub(super) fn read_legacy(&mut self, at: u64, size: Size) -> BusResult<u64> {
        if let Some(offset) = self.legacy_config(at) {
            return Ok(self.transport.read_config(offset, size.bytes() as usize));
        }
        let queue = usize::from(self.registers.queue_sel);
        Ok(match at {
            DEVICE_FEATURES => self.transport.offered(Interface::Legacy) & 0xFFFF_FFFF,
            DRIVER_FEATURES => self.transport.link.features() & 0xFFFF_FFFF,
            QUEUE_ADDRESS => self.registers.pages.get(queue).copied().unwrap_or(0).into(),
            QUEUE_SIZE => self.transport.most(queue).into(),
            QUEUE_SELECT => self.registers.queue_sel.into(),
            QUEUE_NOTIFY => 0,
            STATUS => self.transport.link.with(|core| core.status & 0xFF).into(),
            ISR => self.take_isr().into(),
            CONFIG_VECTOR => self.vector(None).into(),
            QUEUE_VECTOR => self.vector(Some(queue)).into(),
            _ => return Err(BusError::NoRegister),
        })
    }

    pub(super) fn write_legacy(&mut self, at: u64, size: Size, value: u64) -> BusResult<()> {
        if let Some(offset) = self.legacy_config(at) {
            self.transport.write_config(offset, size.bytes() as usize, value);
            return Ok(());
        }
        let queue = usize::from(self.registers.queue_sel);
        match at {
            DRIVER_FEATURES => self.transport.accept(0, value as u32, Interface::Legacy),
            // Page 0 ends the use of the queue; the whole device starts over, as with QEMU.
            QUEUE_ADDRESS if value as u32 == 0 => self.restart(),
            QUEUE_ADDRESS => {
                *self.registers.pages.get_mut(queue).ok_or(BusError::NoRegister)? = value as u32;
                let most = self.transport.most(queue);
                let _ = self.transport.set_up(queue, |q| q.size = most);
                self.transport.place_legacy(queue, (value & 0xFFFF_FFFF) * PAGE, PAGE);
                self.transport.set_ready(queue, true)?;
            }
            QUEUE_SELECT => self.registers.queue_sel = value as u16,
            QUEUE_NOTIFY => self.transport.notify(value as u16 as usize),
            STATUS => self.set_status(value as u8, Interface::Legacy),
            CONFIG_VECTOR => self.set_vector(None, value as u16),
            QUEUE_VECTOR => self.set_vector(Some(queue), value as u16),
            _ => return Err(BusError::NoRegister),
        }
        Ok(())
    }
}
