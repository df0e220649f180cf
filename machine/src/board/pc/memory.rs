//! RAM and firmware of PCs: RAM from address zero up to a split, the rest above 4 GiB; firmware below 4 GiB, its last part
//! also below 1 MiB. All of it is one mapping on the host, the firmware behind the RAM.

use super::super::parts::{option, span};
use crate::bus::PhysicalBus;
use crate::config::{BuildError, Config, FileRole};
use crate::loader::x86::MemoryMap;
use crate::loader::{self, Content, Files};
use lyrebird_devices::bus::space::AddressSpace;
use lyrebird_ram::GuestRam;
use std::path::Path;
use std::sync::Arc;

const FOUR_GIB: u64 = 1 << 32;
/// Where the firmware's last part is seen again, up to 1 MiB.
const LEGACY: u64 = 0xE_0000;
const MIB: u64 = 1 << 20;
/// Firmware comes in pieces of this, up to the most.
const ROM_UNIT: u64 = 64 << 10;
const ROM_MOST: u64 = 16 << 20;

/// The memory of a PC.
pub(super) struct Memory {
    pub(super) space: Arc<AddressSpace>,
    pub(super) bus: PhysicalBus,
    pub(super) ram: GuestRam,
    /// What the guest is told.
    pub(super) map: MemoryMap,
}

/// Builds it: RAM beyond `split` lies above 4 GiB.
///
/// # Errors
/// When the firmware cannot be used, or the host has no room.
pub(super) fn build(config: &Config, files: &mut Files, split: u64) -> Result<Memory, BuildError> {
    let rom = config.boot.bios.as_deref().map(|path| firmware(files, path)).transpose()?;
    let rom_len = rom.as_ref().map_or(0, |(_, content)| content.size());
    let ram = GuestRam::new(config.ram + rom_len).map_err(|e| BuildError::Host(e.to_string()))?;
    let space = Arc::new(AddressSpace::new());
    let mut bus = PhysicalBus::new(Arc::clone(&space));
    let mut add = |name: &str, base: u64, len: u64, offset: u64, rom: bool| {
        if len == 0 {
            return Ok(());
        }
        bus.window(base, len, offset, !rom);
        space.add_ram_part(name, base, &ram, offset, len, rom).map_err(span)
    };
    let low = config.ram.min(split);
    if let Some((path, content)) = rom {
        let put =
            |at: u64, bytes: &[u8]| ram.write_bytes(config.ram + at, bytes).map_err(std::io::Error::other);
        content
            .each(put)
            .map_err(|e| loader::file_error(FileRole::Firmware, path, format!("it cannot be read: {e}")))?;
        let seen = rom_len.min(MIB - LEGACY);
        add("pc.bios", FOUR_GIB - rom_len, rom_len, config.ram, true)?;
        add("isa-bios", MIB - seen, seen, config.ram + rom_len - seen, true)?;
        add("pc.ram", 0, low.min(MIB - seen), 0, false)?;
        add("pc.ram", MIB, low.saturating_sub(MIB), MIB, false)?;
    } else {
        add("pc.ram", 0, low, 0, false)?;
    }
    add("pc.ram", FOUR_GIB, config.ram - low, low, false)?;
    Ok(Memory { space, bus, ram, map: MemoryMap::with_split(config.ram, split) })
}

fn firmware<'a>(files: &mut Files, path: &'a Path) -> Result<(&'a Path, Content), BuildError> {
    let content = files.open(FileRole::Firmware, path)?;
    let size = content.size();
    if size == 0 || size > ROM_MOST || !size.is_multiple_of(ROM_UNIT) {
        let problem = format!("it has {size} bytes; firmware of a PC is a multiple of 64 KiB, up to 16 MiB");
        return Err(loader::file_error(FileRole::Firmware, path, problem));
    }
    Ok((path, content))
}

/// Refuses amounts of RAM that no PC has.
pub(super) fn check(config: &Config, board: &str) -> Result<(), BuildError> {
    super::super::parts::check_ram(config, 255 << 30, board)?;
    if config.ram < 2 * MIB {
        return Err(option("m", format!("{board} takes at least 2 MiB of RAM")));
    }
    Ok(())
}
