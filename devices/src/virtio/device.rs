//! What a virtio device is to its transport.

use super::link::Link;
use crate::bus::clock::{Timer, VTime};
use crate::bus::snapshot::StateError;

/// Feature bits common to all devices (6).
pub mod features {
    /// Legacy only: any layout of buffers is understood.
    pub const ANY_LAYOUT: u64 = 1 << 27;
    /// Indirect descriptors.
    pub const INDIRECT_DESC: u64 = 1 << 28;
    /// used_event and avail_event.
    pub const EVENT_IDX: u64 = 1 << 29;
    /// Not a legacy device.
    pub const VERSION_1: u64 = 1 << 32;
}

/// A device behind a transport. The transport negotiates features, owns the queues' registers, and calls in here with
/// the device's lock held.
pub trait VirtioDevice: Send {
    /// Name, as in QEMU's `-device` without the bus: `virtio-blk`.
    fn name(&self) -> &'static str;
    /// Device type (5).
    fn device_id(&self) -> u32;
    /// Device features (the low 24 bits, and those from 50 on) that are offered.
    fn features(&self) -> u64;
    /// The most descriptors of each queue.
    fn queue_sizes(&self) -> Vec<u16>;
    /// Takes its way to the driver; called once.
    fn attach(&mut self, link: Link);
    /// Reads configuration space at `offset`; bytes beyond its end stay as they are, zero.
    fn read_config(&self, offset: u64, into: &mut [u8]);
    /// Writes configuration space; what cannot be written is ignored.
    fn write_config(&mut self, _offset: u64, _from: &[u8]) {}
    /// The driver is there (DRIVER_OK); the negotiated features are known from now on.
    fn activate(&mut self) {}
    /// The driver says that there are buffers in `queue`.
    fn notify(&mut self, queue: usize);
    /// Its timers, in the order that [`VirtioDevice::expired`] numbers them.
    fn timers(&self) -> Vec<Timer> {
        Vec::new()
    }
    /// A timer reached its deadline.
    fn expired(&mut self, _timer: usize, _now: VTime) {}
    /// Power-on state; the link is already dead. On return no buffer taken before is touched any more.
    fn reset(&mut self);
    /// The device's own state, at rest: no request is under way when this returns.
    fn save(&self) -> Result<Vec<u8>, StateError>;
    /// Replaces the device's own state; on an error it is unchanged.
    fn load(&mut self, saved: &[u8]) -> Result<(), StateError>;
}
