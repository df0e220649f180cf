//! virtio-mmio transports and what is in them.

use super::parts::{option, span};
use super::virtio::{self, Plan};
use crate::chardev::Chardevs;
use crate::config::{BuildError, Config, DeviceConfig};
use lyrebird_devices::block::BlockBackend;
use lyrebird_devices::bus::clock::Clock;
use lyrebird_devices::bus::device::share;
use lyrebird_devices::bus::irq::Wire;
use lyrebird_devices::bus::space::AddressSpace;
use lyrebird_devices::virtio::mmio::VirtioMmio;
use std::sync::Arc;

/// Bytes from one transport to the next.
pub(super) const STRIDE: u64 = 0x200;

/// Where a board has its transports.
pub(super) struct Transports<'a> {
    /// Address of the first.
    pub(super) base: u64,
    /// How many.
    pub(super) count: u32,
    /// The interrupt of each.
    pub(super) wire: &'a dyn Fn(u32) -> Wire,
    /// The board in messages.
    pub(super) board: &'a str,
}

/// How many transports the devices of a configuration take.
pub(super) fn count(config: &Config) -> u32 {
    config.devices.iter().filter(|d| !matches!(d, DeviceConfig::VirtPort { .. })).count() as u32
}

/// Fills the virtio-mmio transports: the first device gets the last one, as with QEMU.
///
/// # Errors
/// When a device cannot be made, or there are too many.
pub(super) fn transports(
    config: &Config,
    chardevs: &dyn Chardevs,
    space: &Arc<AddressSpace>,
    clock: &Clock,
    place: &Transports<'_>,
) -> Result<Vec<(String, Arc<dyn BlockBackend>)>, BuildError> {
    if let Some(stranger) = config.devices.iter().find(|d| !virtio::is(d)) {
        return Err(option("device", format!("{} has no bus for {stranger:?}", place.board)));
    }
    let Plan { devices, disks } = virtio::plan(config, chardevs, clock)?;
    if devices.len() > place.count as usize {
        let problem = format!("{} has {} virtio-mmio transports", place.board, place.count);
        return Err(option("device", problem));
    }
    let mut devices = devices.into_iter();
    for i in (0..place.count).rev() {
        let irq = (place.wire)(i);
        let transport = match devices.next() {
            Some(planned) => VirtioMmio::new(planned.device, space.dma(), irq, config.virtio_legacy),
            None => VirtioMmio::empty(config.virtio_legacy),
        };
        let base = place.base + u64::from(i) * STRIDE;
        space.add_device(base, STRIDE, share(transport)).map_err(span)?;
    }
    Ok(disks)
}
