//! Media of a PC: drives at the IDE or AHCI controller, diskettes, and what firmware is told to boot from.

use super::super::parts::{find_drive, open_drive, option};
use crate::config::{BootDevice, BuildError, Config, DeviceConfig, Drive as Medium, PciPlace};
use lyrebird_devices::block::BlockBackend;
use lyrebird_devices::pci::bus::Devfn;
use lyrebird_devices::storage::ata::Disk;
use lyrebird_devices::storage::atapi::Cdrom;
use lyrebird_devices::storage::drive::Drive;
use lyrebird_devices::storage::fdc::Fdc;
use std::sync::Arc;

/// Disks by drive id.
pub(super) type Disks = Vec<(String, Arc<dyn BlockBackend>)>;

/// A controller: how many channels or ports it has, and how many drives each has room for.
#[derive(Clone, Copy)]
pub(super) struct Controller {
    pub(super) name: &'static str,
    pub(super) buses: u32,
    pub(super) units: u32,
    /// Its Open Firmware path below the PCI root.
    pub(super) path: &'static str,
}

/// The drives at a controller.
pub(super) struct Drives {
    /// One for each place, bus by bus.
    pub(super) slots: Vec<Option<Drive>>,
    pub(super) disks: Disks,
    /// What is to be booted: `bootindex` and path.
    pub(super) boot: Vec<(u32, String)>,
}

fn open(config: &Config, id: &str, disks: &mut Disks) -> Result<Arc<dyn BlockBackend>, BuildError> {
    let found: &Medium = find_drive(config, id)?;
    let disk = open_drive(found, config.snapshot)?;
    disks.push((id.to_owned(), Arc::clone(&disk)));
    Ok(disk)
}

impl Controller {
    /// The place of a drive.
    fn place(&self, slots: &[Option<Drive>], bus: Option<u32>, unit: Option<u32>) -> Option<usize> {
        let fits = |n: &u32| {
            let (b, u) = (n / self.units, n % self.units);
            bus.is_none_or(|bus| bus == b) && unit.is_none_or(|unit| unit == u)
        };
        let mut fitting = (0..self.buses * self.units).filter(fits).map(|n| n as usize);
        fitting.find(|&n| slots.get(n).is_some_and(Option::is_none))
    }

    /// Opens the media of its drives.
    ///
    /// # Errors
    /// When one cannot be opened, or there is no room.
    pub(super) fn drives(&self, config: &Config) -> Result<Drives, BuildError> {
        let count = (self.buses * self.units) as usize;
        let slots = std::iter::repeat_with(|| None).take(count).collect();
        let mut all = Drives { slots, disks: Vec::new(), boot: Vec::new() };
        // Those that say where they go are first.
        let given = |d: &&DeviceConfig| matches!(d, DeviceConfig::Disk { bus: Some(_), .. });
        let (first, later): (Vec<_>, Vec<_>) = config.devices.iter().partition(given);
        for device in first.into_iter().chain(later) {
            let DeviceConfig::Disk { drive, cdrom, bus, unit, serial, boot, .. } = device else { continue };
            let at = self.place(&all.slots, *bus, *unit).ok_or_else(|| {
                let (name, buses, units) = (self.name, self.buses, self.units);
                let problem = format!(
                    "no room for drive {}: {name} has bus ide.0 to ide.{}, units 0 to {}, and each holds one drive",
                    drive.as_deref().unwrap_or("-"), buses - 1, units - 1
                );
                option("device", problem)
            })?;
            let image = drive.as_deref().map(|id| open(config, id, &mut all.disks)).transpose()?;
            // QEMU counts two places at each port of an AHCI controller.
            let number = at as u32 / self.units * 2 + at as u32 % self.units + 1;
            let serial = serial.clone().unwrap_or_else(|| format!("QM{number:05}"));
            let built = match (image, cdrom) {
                (image, true) => Drive::Cdrom(Cdrom::new(image, &serial)),
                (Some(image), false) => Drive::Disk(Disk::new(image, &serial)),
                (None, false) => return Err(option("device", "ide-hd needs a drive=")),
            };
            if let Some(index) = boot {
                let (bus, unit) = (at as u32 / self.units, at as u32 % self.units);
                let path = if self.units == 1 {
                    format!("/pci@i0cf8/{}/drive@{bus}/disk@0", self.path)
                } else {
                    format!("/pci@i0cf8/{}/drive@{bus}/disk@{unit}", self.path)
                };
                all.boot.push((*index, path));
            }
            if let Some(slot) = all.slots.get_mut(at) {
                *slot = Some(built);
            }
        }
        Ok(all)
    }
}

/// Puts the diskettes into their drives.
///
/// # Errors
/// When an image cannot be opened.
pub(super) fn diskettes(config: &Config, floppy: &mut Fdc) -> Result<Disks, BuildError> {
    let mut disks = Disks::new();
    for device in &config.devices {
        if let DeviceConfig::Floppy { drive, unit } = device {
            let image = open(config, drive, &mut disks)?;
            floppy.set_disk(*unit as usize, Some(image));
        }
    }
    Ok(disks)
}

/// The path of a virtio disk for `bootindex`.
pub(super) fn virtio_path(at: Devfn, place: &PciPlace) -> Option<(u32, String)> {
    let function = if at.function() == 0 { String::new() } else { format!(",{}", at.function()) };
    place.boot.map(|index| (index, format!("/pci@i0cf8/scsi@{:x}{function}/disk@0,0", at.slot())))
}

/// The boot order of CMOS memory: QEMU's if none is given.
pub(super) fn order(config: &Config) -> Vec<BootDevice> {
    match config.boot.order.as_slice() {
        [] => vec![BootDevice::Disk, BootDevice::Cd, BootDevice::Floppy],
        order => order.to_vec(),
    }
}
