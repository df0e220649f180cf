//! The virtio devices of a configuration, before they have a transport.

use super::parts::{find_drive, open_drive, option};
use crate::chardev::Chardevs;
use crate::config::{BuildError, CacheMode, Config, DeviceConfig, PciPlace};
use lyrebird_devices::block::BlockBackend;
use lyrebird_devices::bus::clock::Clock;
use lyrebird_devices::char::Chardev;
use lyrebird_devices::virtio::blk::{Blk, BlkOptions};
use lyrebird_devices::virtio::console::{Console, Port};
use lyrebird_devices::virtio::device::VirtioDevice;
use lyrebird_devices::virtio::rng::{Rng, RngLimit, RngOptions};
use std::sync::Arc;

/// A device that waits for its transport.
pub(super) struct Planned<'a> {
    /// The device.
    pub(super) device: Box<dyn VirtioDevice>,
    /// Where it goes on a PCI bus, and how.
    pub(super) place: &'a PciPlace,
}

/// Devices in command-line order, and the disks among them by drive id.
pub(super) struct Plan<'a> {
    pub(super) devices: Vec<Planned<'a>>,
    pub(super) disks: Vec<(String, Arc<dyn BlockBackend>)>,
}

/// Whether a device is one of them, or a part of one.
pub(super) fn is(device: &DeviceConfig) -> bool {
    use DeviceConfig::{VirtPort, VirtioBlk, VirtioRng, VirtioSerial};
    matches!(device, VirtioBlk { .. } | VirtioSerial { .. } | VirtPort { .. } | VirtioRng { .. })
}

/// Either a device, or a console that may get more ports: its number.
enum Slot {
    Device(Box<dyn VirtioDevice>),
    Console(usize),
}

/// Makes the devices.
///
/// # Errors
/// When one cannot be made.
pub(super) fn plan<'a>(
    config: &'a Config,
    chardevs: &dyn Chardevs,
    clock: &Clock,
) -> Result<Plan<'a>, BuildError> {
    let mut disks = Vec::new();
    let mut consoles: Vec<(Option<&String>, Option<Console>)> = Vec::new();
    let mut connect: Vec<(usize, u32, Arc<dyn crate::chardev::Backend>)> = Vec::new();
    let mut slots: Vec<(Slot, &PciPlace)> = Vec::new();
    for device in &config.devices {
        match device {
            DeviceConfig::VirtioBlk { drive, serial, place, .. } => {
                let found = find_drive(config, drive)?;
                let disk = open_drive(found, config.snapshot)?;
                disks.push((drive.clone(), Arc::clone(&disk)));
                let options = BlkOptions {
                    serial: serial.clone().unwrap_or_default(),
                    writeback: found.cache != CacheMode::Writethrough,
                    ..BlkOptions::default()
                };
                slots.push((Slot::Device(Box::new(Blk::new(disk, options))), place));
            }
            DeviceConfig::VirtioSerial { id, max_ports, place } => {
                slots.push((Slot::Console(consoles.len()), place));
                consoles.push((id.as_ref(), Some(Console::new(*max_ports))));
            }
            DeviceConfig::VirtPort { console, chardev, name, nr, bus, .. } => {
                let wanted = bus.as_ref().map(|b| b.strip_suffix(".0").unwrap_or(b));
                let found =
                    consoles.iter().position(|(id, _)| wanted.is_none() || id.map(String::as_str) == wanted);
                let at = found.ok_or_else(|| {
                    option("device", "a virtio port needs a -device virtio-serial before it")
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
                let added = consoles.get_mut(at).and_then(|(_, c)| c.as_mut()).map(|c| c.add_port(*nr, port));
                let number = added.transpose().map_err(|e| option("device", e.to_string()))?;
                if let (Some(line), Some(number)) = (line, number) {
                    connect.push((at, number, line));
                }
            }
            DeviceConfig::VirtioRng { limit, place, .. } => {
                let limit = limit.map(|(bytes, ms)| RngLimit {
                    bytes,
                    period: u64::from(ms) * 1_000_000,
                    timer: clock.timer("virtio-rng limit"),
                });
                let rng = Rng::new(RngOptions { seed: None, limit });
                slots.push((Slot::Device(Box::new(rng)), place));
            }
            // Not virtio.
            _ => {}
        }
    }
    for (at, number, line) in connect {
        if let Some((_, Some(console))) = consoles.get(at) {
            line.connect(console.port(number));
        }
    }
    let devices = slots.into_iter().filter_map(|(slot, place)| {
        let device = match slot {
            Slot::Device(device) => device,
            Slot::Console(n) => Box::new(consoles.get_mut(n)?.1.take()?),
        };
        Some(Planned { device, place })
    });
    Ok(Plan { devices: devices.collect(), disks })
}
