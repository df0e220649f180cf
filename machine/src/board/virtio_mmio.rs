//! virtio-mmio transports and what is in them.

use super::parts::{open_drive, option, span};
use crate::chardev::Chardevs;
use crate::config::{BuildError, CacheMode, Config, DeviceConfig};
use lyrebird_devices::block::BlockBackend;
use lyrebird_devices::bus::clock::Clock;
use lyrebird_devices::bus::device::share;
use lyrebird_devices::bus::irq::Wire;
use lyrebird_devices::bus::space::AddressSpace;
use lyrebird_devices::char::Chardev;
use lyrebird_devices::virtio::blk::{Blk, BlkOptions};
use lyrebird_devices::virtio::console::{Console, Port};
use lyrebird_devices::virtio::device::VirtioDevice as Virtio;
use lyrebird_devices::virtio::mmio::VirtioMmio;
use lyrebird_devices::virtio::rng::{Rng, RngLimit, RngOptions};
use std::collections::HashMap;
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
    let mut disks = Vec::new();
    let mut consoles: Vec<(Option<&String>, Console)> = Vec::new();
    let mut connect: Vec<(usize, u32, Arc<dyn crate::chardev::Backend>)> = Vec::new();
    let mut built: Vec<Planned> = Vec::new();
    for device in &config.devices {
        match device {
            DeviceConfig::VirtioBlk { drive, serial, .. } => {
                let found = config.drives.iter().find(|d| &d.id == drive);
                let found = found.ok_or_else(|| {
                    option(
                        "device",
                        format!(
                            "there is no drive with id '{drive}'; add -drive id={drive},file=...,if=none"
                        ),
                    )
                })?;
                let disk = open_drive(found, config.snapshot)?;
                disks.push((drive.clone(), Arc::clone(&disk)));
                let options = BlkOptions {
                    serial: serial.clone().unwrap_or_default(),
                    writeback: found.cache != CacheMode::Writethrough,
                    ..BlkOptions::default()
                };
                built.push(Planned::Device(Box::new(Blk::new(disk, options))));
            }
            DeviceConfig::VirtioSerial { id, max_ports } => {
                built.push(Planned::Console(consoles.len()));
                consoles.push((id.as_ref(), Console::new(*max_ports)));
            }
            DeviceConfig::VirtPort { console, chardev, name, nr, bus, .. } => {
                let wanted = bus.as_ref().map(|b| b.strip_suffix(".0").unwrap_or(b));
                let place =
                    consoles.iter().position(|(id, _)| wanted.is_none() || id.map(String::as_str) == wanted);
                let place = place.ok_or_else(|| {
                    option("device", "a virtio port needs a -device virtio-serial-device before it")
                })?;
                let line = match chardev {
                    Some(id) => Some(
                        chardevs
                            .plug(id, name.as_deref().unwrap_or("virtport"))
                            .ok_or_else(|| option("device", format!("there is no chardev with id '{id}'")))?,
                    ),
                    None => None,
                };
                let port = Port {
                    console: *console,
                    name: name.clone().unwrap_or_default(),
                    chardev: line.clone().map(|l| l as Arc<dyn Chardev>),
                };
                let number =
                    consoles[place].1.add_port(*nr, port).map_err(|e| option("device", e.to_string()))?;
                if let Some(line) = line {
                    connect.push((place, number, line));
                }
            }
            DeviceConfig::VirtioRng { limit, .. } => {
                let limit = limit.map(|(bytes, ms)| RngLimit {
                    bytes,
                    period: u64::from(ms) * 1_000_000,
                    timer: clock.timer("virtio-rng limit"),
                });
                built.push(Planned::Device(Box::new(Rng::new(RngOptions { seed: None, limit }))));
            }
        }
    }
    if built.len() > place.count as usize {
        let problem = format!("{} has {} virtio-mmio transports", place.board, place.count);
        return Err(option("device", problem));
    }
    for (place, number, line) in connect {
        line.connect(consoles[place].1.port(number));
    }
    let mut consoles: HashMap<usize, Console> = consoles.into_iter().map(|(_, c)| c).enumerate().collect();
    let mut built = built.into_iter();
    for i in (0..place.count).rev() {
        let irq = (place.wire)(i);
        let device = match built.next() {
            Some(Planned::Device(d)) => Some(d),
            Some(Planned::Console(n)) => consoles.remove(&n).map(|c| Box::new(c) as Box<dyn Virtio>),
            None => None,
        };
        let transport = match device {
            Some(device) => VirtioMmio::new(device, space.dma(), irq, config.virtio_legacy),
            None => VirtioMmio::empty(config.virtio_legacy),
        };
        let base = place.base + u64::from(i) * STRIDE;
        space.add_device(base, STRIDE, share(transport)).map_err(span)?;
    }
    Ok(disks)
}

/// A device before it has its transport.
enum Planned {
    Device(Box<dyn Virtio>),
    Console(usize),
}
