//! The common configuration structure (4.1.4.3).

use super::{NO_VECTOR, VirtioPci};
use crate::bus::device::{BusError, BusResult, Size};
use crate::virtio::ring::Queue;
use crate::virtio::transport::Interface;

/// Fields: offset and, where it matters, the width.
mod field {
    pub(super) const DEVICE_FEATURE_SELECT: u64 = 0x00;
    pub(super) const DEVICE_FEATURE: u64 = 0x04;
    pub(super) const DRIVER_FEATURE_SELECT: u64 = 0x08;
    pub(super) const DRIVER_FEATURE: u64 = 0x0C;
    pub(super) const MSIX_CONFIG: u64 = 0x10;
    pub(super) const NUM_QUEUES: u64 = 0x12;
    pub(super) const STATUS: u64 = 0x14;
    pub(super) const GENERATION: u64 = 0x15;
    pub(super) const QUEUE_SELECT: u64 = 0x16;
    pub(super) const QUEUE_SIZE: u64 = 0x18;
    pub(super) const QUEUE_MSIX_VECTOR: u64 = 0x1A;
    pub(super) const QUEUE_ENABLE: u64 = 0x1C;
    pub(super) const QUEUE_NOTIFY_OFF: u64 = 0x1E;
    pub(super) const QUEUE_DESC: u64 = 0x20;
    pub(super) const QUEUE_DEVICE_LAST: u64 = 0x37;
}
use field::*;

impl VirtioPci {
    fn selected(&self) -> usize {
        self.registers.queue_sel.into()
    }

    pub(super) fn read_common(&self, at: u64, size: Size) -> BusResult<u64> {
        let queue = self.selected();
        let exists = queue < self.transport.queues();
        let offered = self.transport.offered(Interface::Modern);
        Ok(match at {
            DEVICE_FEATURE_SELECT => self.registers.device_features_sel.into(),
            DEVICE_FEATURE => half(offered, self.registers.device_features_sel).into(),
            DRIVER_FEATURE_SELECT => self.registers.driver_features_sel.into(),
            DRIVER_FEATURE => half(self.transport.link.features(), self.registers.driver_features_sel).into(),
            MSIX_CONFIG => self.vector(None).into(),
            NUM_QUEUES => self.transport.queues() as u64,
            STATUS => self.transport.link.with(|core| core.status).into(),
            GENERATION => self.transport.link.with(|core| core.generation & 0xFF).into(),
            QUEUE_SELECT => self.registers.queue_sel.into(),
            QUEUE_SIZE => self.transport.queue(queue, |q| q.size).unwrap_or(0).into(),
            QUEUE_MSIX_VECTOR if !exists => NO_VECTOR.into(),
            QUEUE_MSIX_VECTOR => self.vector(Some(queue)).into(),
            QUEUE_ENABLE => self.transport.queue(queue, |q| q.ready).unwrap_or(false).into(),
            QUEUE_NOTIFY_OFF if exists => queue as u64,
            QUEUE_DESC..=QUEUE_DEVICE_LAST => {
                let shift = shift(at, size)?;
                self.transport.queue(queue, |q| address(q, at)).unwrap_or(0) >> shift
            }
            QUEUE_NOTIFY_OFF.. => 0,
            _ => return Err(BusError::NoRegister),
        })
    }

    pub(super) fn write_common(&mut self, at: u64, size: Size, value: u64) -> BusResult<()> {
        let queue = self.selected();
        match at {
            DEVICE_FEATURE_SELECT => self.registers.device_features_sel = value as u32,
            DRIVER_FEATURE_SELECT => self.registers.driver_features_sel = value as u32,
            DRIVER_FEATURE => {
                let half = self.registers.driver_features_sel;
                self.transport.accept(half, value as u32, Interface::Modern);
            }
            MSIX_CONFIG => self.set_vector(None, value as u16),
            STATUS => self.set_status(value as u8, Interface::Modern),
            QUEUE_SELECT => self.registers.queue_sel = value as u16,
            QUEUE_SIZE => self.transport.set_size(queue, value as u32)?,
            QUEUE_MSIX_VECTOR => self.set_vector(Some(queue), value as u16),
            // 4.1.4.3.2: a driver never writes 0 here.
            QUEUE_ENABLE if value & 1 != 0 => self.transport.set_ready(queue, true)?,
            QUEUE_DESC..=QUEUE_DEVICE_LAST => {
                let shift = shift(at, size)?;
                self.transport.set_up(queue, |q| {
                    let whole = match (at - QUEUE_DESC) / 8 {
                        0 => &mut q.desc,
                        1 => &mut q.avail,
                        _ => &mut q.used,
                    };
                    *whole = *whole & !(size.mask() << shift) | value << shift;
                })?;
            }
            _ => {}
        }
        Ok(())
    }
}

/// 32 of 64 feature bits.
fn half(features: u64, select: u32) -> u32 {
    match select {
        0 => features as u32,
        1 => (features >> 32) as u32,
        _ => 0,
    }
}

fn address(queue: &Queue, at: u64) -> u64 {
    match (at - QUEUE_DESC) / 8 {
        0 => queue.desc,
        1 => queue.avail,
        _ => queue.used,
    }
}

/// How far an access to half of an address, or all of it, is from bit 0 (4.1.3.1).
fn shift(at: u64, size: Size) -> BusResult<u64> {
    match size {
        Size::B4 if at & 3 == 0 => Ok((at & 4) * 8),
        Size::B8 if at & 7 == 0 => Ok(0),
        Size::B4 | Size::B8 => Err(BusError::Unaligned),
        _ => Err(BusError::BadSize),
    }
}
