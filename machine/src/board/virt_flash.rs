//! The flash of the `virt` board: two banks of 64 MiB.
//!
//! Firmware lies in the first, which guests then see as read-only memory, so that it runs at the speed of RAM. The
//! second, and the first if there is no firmware, is CFI flash, where firmware keeps its variables.
//!
//! Left out on purpose: writing to a bank that holds firmware.

use super::parts::{open_drive, option, span};
use super::virt::map;
use crate::bus::PhysicalBus;
use crate::config::{BuildError, Config, Drive, FileRole};
use crate::loader::{self, Files};
use lyrebird_devices::block::BlockBackend;
use lyrebird_devices::bus::device::share;
use lyrebird_devices::bus::space::AddressSpace;
use lyrebird_devices::cfi_flash::{CfiFlash, Medium};
use lyrebird_devices::fw_cfg::{FwCfg, key};
use lyrebird_ram::GuestRam;
use std::io;
use std::sync::Arc;

const SECOND: u64 = map::FLASH + map::FLASH_LEN;

/// Drives in flash, with their ids.
pub(super) type Disks = Vec<(String, Arc<dyn BlockBackend>)>;

fn bank(config: &Config, number: u32) -> Option<&Drive> {
    config.drives.iter().find(|d| d.pflash == Some(number))
}

/// Whether the first bank holds firmware.
pub(super) fn has_firmware(config: &Config) -> bool {
    config.boot.bios.is_some() || bank(config, 0).is_some()
}

/// Bytes of guest RAM that stand for flash.
pub(super) fn ram_len(config: &Config) -> u64 {
    if has_firmware(config) { map::FLASH_LEN } else { 0 }
}

/// Puts both banks in place; the firmware's bytes are those of guest RAM from `offset`.
///
/// # Errors
/// When a file cannot be used or does not fit.
pub(super) fn build(
    config: &Config,
    files: &mut Files,
    space: &AddressSpace,
    bus: &mut PhysicalBus,
    ram: &GuestRam,
    offset: u64,
) -> Result<Disks, BuildError> {
    let mut disks = Disks::new();
    if has_firmware(config) {
        space.add_ram_part("virt.flash0", map::FLASH, ram, offset, map::FLASH_LEN, true).map_err(span)?;
        bus.window(map::FLASH, map::FLASH_LEN, offset, false);
        load(config, files, ram, offset, &mut disks)?;
    } else {
        let blank = CfiFlash::new(map::FLASH_LEN, Medium::blank());
        space.add_device(map::FLASH, map::FLASH_LEN, share(blank)).map_err(span)?;
    }
    let medium = match bank(config, 1) {
        Some(drive) => {
            let image = open_drive(drive, config.snapshot)?;
            let size = image.size();
            if size != map::FLASH_LEN {
                let problem = format!(
                    "'{}' has {size} bytes, and the flash bank {}; make it that long with 'truncate -s 64M'",
                    drive.file.display(),
                    map::FLASH_LEN
                );
                return Err(option("drive", problem));
            }
            disks.push((drive.id.clone(), Arc::clone(&image)));
            Medium::Image(image)
        }
        None => Medium::blank(),
    };
    let second = CfiFlash::new(map::FLASH_LEN, medium);
    space.add_device(SECOND, map::FLASH_LEN, share(second)).map_err(span)?;
    Ok(disks)
}

fn load(
    config: &Config,
    files: &mut Files,
    ram: &GuestRam,
    offset: u64,
    disks: &mut Disks,
) -> Result<(), BuildError> {
    let put = |at: u64, bytes: &[u8]| {
        // What is zero stays untouched, so that padding takes no memory.
        if bytes.iter().all(|&b| b == 0) {
            return Ok(());
        }
        ram.write_bytes(offset + at, bytes).map_err(io::Error::other)
    };
    let (path, size, done) = if let Some(path) = &config.boot.bios {
        let content = files.open(FileRole::Firmware, path)?;
        let size = content.size();
        (path, size, if size <= map::FLASH_LEN { content.each(put) } else { Ok(()) })
    } else if let Some(drive) = bank(config, 0) {
        let image = open_drive(&Drive { read_only: true, ..drive.clone() }, false)?;
        let size = image.size();
        let mut chunk = vec![0; 64 << 10];
        let mut done = Ok(());
        for at in (0..size.min(map::FLASH_LEN)).step_by(chunk.len()) {
            let part = &mut chunk[..(size - at).min(64 << 10) as usize];
            done = done.and_then(|()| image.read_at(part, at)).and_then(|()| put(at, part));
        }
        disks.push((drive.id.clone(), image));
        (&drive.file, size, done)
    } else {
        return Ok(());
    };
    let problem = match done {
        Err(e) => format!("it cannot be read: {e}"),
        Ok(()) if size == 0 => "it is empty".into(),
        Ok(()) if size > map::FLASH_LEN => "it is larger than the board's 64 MiB flash".into(),
        Ok(()) => return Ok(()),
    };
    Err(loader::file_error(FileRole::Firmware, path, problem))
}

/// Hands a kernel, its RAM disk and its command line to firmware, which starts it.
///
/// # Errors
/// When a file cannot be read.
pub(super) fn offer_kernel(config: &Config, files: &mut Files, fw_cfg: &mut FwCfg) -> Result<(), BuildError> {
    let boot = &config.boot;
    let Some(kernel) = boot.kernel.as_ref().filter(|_| has_firmware(config)) else { return Ok(()) };
    let mut offer = |size: u16, data: u16, bytes: Vec<u8>| {
        fw_cfg.add(size, (bytes.len() as u32).to_le_bytes());
        fw_cfg.add(data, bytes);
    };
    offer(key::KERNEL_SIZE, key::KERNEL_DATA, files.read(FileRole::Kernel, kernel)?);
    if let Some(initrd) = &boot.initrd {
        offer(key::INITRD_SIZE, key::INITRD_DATA, files.read(FileRole::Initrd, initrd)?);
    }
    if let Some(append) = &boot.append {
        let mut text = append.clone().into_bytes();
        text.push(0);
        offer(key::CMDLINE_SIZE, key::CMDLINE_DATA, text);
    }
    Ok(())
}
