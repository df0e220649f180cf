//! RAM and firmware of PCs: RAM from address zero up to a split, the rest above 4 GiB; firmware below 4 GiB, its last part
//! also below 1 MiB, where a host bridge may put RAM in its place. All of it is one mapping on the host, the firmware behind
//! the RAM.

use super::super::parts::{option, span};
use crate::bus::{ManagementRam, PhysicalBus};
use crate::config::{BuildError, Config, FileRole};
use crate::loader::x86::MemoryMap;
use crate::loader::{self, Content, Files};
use lyrebird_devices::bus::shadow::Shadow;
use lyrebird_devices::bus::space::AddressSpace;
use lyrebird_devices::bus::span::Span;
use lyrebird_ram::GuestRam;
use std::path::Path;
use std::sync::Arc;

const FOUR_GIB: u64 = 1 << 32;
/// Where the firmware's last part is seen again, up to 1 MiB.
const LEGACY: u64 = 0xE_0000;
const MIB: u64 = 1 << 20;
/// Where a VGA's window begins.
const VIDEO: u64 = 0xA_0000;
/// Option ROMs and firmware below 1 MiB.
const UPPER: u64 = 0xC_0000;
const UPPER_LEN: u64 = MIB - UPPER;
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

/// Builds it for a board without a host bridge's shadow memory: RAM beyond `split` lies above 4 GiB.
///
/// # Errors
/// When the firmware cannot be used, or the host has no room.
pub(super) fn build(config: &Config, files: &mut Files, split: u64) -> Result<Memory, BuildError> {
    let rom = config.boot.bios.as_deref().map(|path| firmware(files, path)).transpose()?;
    let rom_len = rom.as_ref().map_or(0, Content::size);
    let mut map = Placing::new(config, rom_len)?;
    let low = config.ram.min(split);
    if let Some(rom) = rom {
        map.load(config, &rom, config.ram)?;
        let seen = rom_len.min(MIB - LEGACY);
        map.add("pc.bios", FOUR_GIB - rom_len, rom_len, config.ram, true)?;
        map.add("isa-bios", MIB - seen, seen, config.ram + rom_len - seen, true)?;
        map.add("pc.ram", 0, low.min(MIB - seen), 0, false)?;
        map.add("pc.ram", MIB, low.saturating_sub(MIB), MIB, false)?;
    } else {
        map.add("pc.ram", 0, low, 0, false)?;
    }
    map.add("pc.ram", FOUR_GIB, config.ram - low, low, false)?;
    Ok(map.finish(config, split))
}

/// What is between 768 KiB and 1 MiB.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Upper {
    /// ROM or RAM, as a host bridge says.
    Shadow,
    /// RAM for option ROMs, and firmware.
    Fixed,
}

/// Builds it for a board with a VGA and firmware: the one that is named, or else our own. With [`Upper::Shadow`] it gives
/// the shadow, for the host bridge.
///
/// # Errors
/// When the firmware cannot be used, or the host has no room.
pub(super) fn with_firmware(
    config: &Config,
    files: &mut Files,
    split: u64,
    upper: Upper,
) -> Result<(Memory, Option<Arc<Shadow>>), BuildError> {
    let rom = match config.boot.bios.as_deref() {
        Some(path) => firmware(files, path)?,
        None => Content::Bytes(lyrebird_roms::BIOS.to_vec()),
    };
    let rom_len = rom.size();
    // Behind the RAM: the firmware, then what is seen of it and of option ROMs below 1 MiB.
    let (at, legacy) = (config.ram, config.ram + rom_len);
    let mut map = Placing::new(config, rom_len + UPPER_LEN)?;
    map.load(config, &rom, at)?;
    let seen = rom_len.min(MIB - LEGACY);
    let mut tail = vec![0; seen as usize];
    let copied = map.ram.read_bytes(at + rom_len - seen, &mut tail);
    copied
        .and_then(|()| map.ram.write_bytes(legacy + UPPER_LEN - seen, &tail))
        .map_err(|e| BuildError::Host(e.to_string()))?;
    let low = config.ram.min(split);
    map.add("pc.bios", FOUR_GIB - rom_len, rom_len, at, true)?;
    map.add("pc.ram", 0, low.min(VIDEO), 0, false)?;
    map.add("pc.ram", MIB, low.saturating_sub(MIB), MIB, false)?;
    map.add("pc.ram", FOUR_GIB, config.ram - low, low, false)?;
    let shadow = match upper {
        Upper::Shadow => {
            let upper = Span::new(UPPER, UPPER_LEN).map_err(span)?;
            let ram = map.ram.clone();
            let memory = Arc::clone(map.space.memory());
            let shadow =
                Shadow::new(memory, upper, (ram.clone(), UPPER), (ram.clone(), legacy)).map_err(span)?;
            map.bus.follow(upper, &ram);
            Some(Arc::new(shadow))
        }
        Upper::Fixed => {
            let free = UPPER_LEN - seen;
            map.add("pc.rom", UPPER, free, UPPER, false)?;
            map.add("isa-bios", MIB - seen, seen, legacy + free, true)?;
            None
        }
    };
    Ok((map.finish(config, split), shadow))
}

/// RAM behind the VGA's window, for system management.
pub(super) fn management() -> ManagementRam {
    ManagementRam::new(VIDEO, UPPER - VIDEO, VIDEO)
}

/// Memory under construction.
struct Placing {
    space: Arc<AddressSpace>,
    bus: PhysicalBus,
    ram: GuestRam,
}

impl Placing {
    /// With room for `more` bytes behind the RAM.
    fn new(config: &Config, more: u64) -> Result<Self, BuildError> {
        let ram = GuestRam::new(config.ram + more).map_err(|e| BuildError::Host(e.to_string()))?;
        let space = Arc::new(AddressSpace::new());
        Ok(Self { bus: PhysicalBus::new(Arc::clone(&space)), space, ram })
    }

    fn add(&mut self, name: &str, base: u64, len: u64, offset: u64, rom: bool) -> Result<(), BuildError> {
        if len == 0 {
            return Ok(());
        }
        self.bus.window(base, len, offset, !rom);
        self.space.add_ram_part(name, base, &self.ram, offset, len, rom).map_err(span)
    }

    fn load(&self, config: &Config, rom: &Content, at: u64) -> Result<(), BuildError> {
        let put = |offset: u64, bytes: &[u8]| {
            self.ram.write_bytes(at + offset, bytes).map_err(std::io::Error::other)
        };
        let path = config.boot.bios.as_deref().unwrap_or(Path::new("built-in"));
        rom.each(put)
            .map_err(|e| loader::file_error(FileRole::Firmware, path, format!("it cannot be read: {e}")))
    }

    fn finish(self, config: &Config, split: u64) -> Memory {
        let map = MemoryMap::with_split(config.ram, split);
        Memory { space: self.space, bus: self.bus, ram: self.ram, map }
    }
}

fn firmware(files: &mut Files, path: &Path) -> Result<Content, BuildError> {
    let content = files.open(FileRole::Firmware, path)?;
    let size = content.size();
    if size == 0 || size > ROM_MOST || !size.is_multiple_of(ROM_UNIT) {
        let problem = format!("it has {size} bytes; firmware of a PC is a multiple of 64 KiB, up to 16 MiB");
        return Err(loader::file_error(FileRole::Firmware, path, problem));
    }
    Ok(content)
}

/// Name of the ROM of QEMU's standard VGA, as SeaBIOS's package has it.
const VGA_ROM: &str = "vgabios-stdvga.bin";

/// The VGA's ROM, which lies beside firmware that wants one. Our own firmware has its services.
///
/// # Errors
/// When it cannot be read.
pub(super) fn vga_rom(config: &Config, files: &mut Files) -> Result<Option<GuestRam>, BuildError> {
    let Some(path) = config.boot.bios.as_deref().map(|bios| bios.with_file_name(VGA_ROM)) else {
        return Ok(None);
    };
    if !path.is_file() {
        return Ok(None);
    }
    let bytes = files.read(FileRole::Firmware, &path)?;
    let host = |e: String| BuildError::Host(e);
    let len = (bytes.len() as u64).max(ROM_UNIT).next_power_of_two().min(ROM_MOST);
    let rom = GuestRam::new(len).map_err(|e| host(e.to_string()))?;
    rom.write_bytes(0, &bytes).map_err(|e| host(format!("{}: {e}", path.display())))?;
    Ok(Some(rom))
}

/// Refuses amounts of RAM that no PC has, and device trees.
pub(super) fn check(config: &Config, board: &str) -> Result<(), BuildError> {
    super::super::parts::check_ram(config, 255 << 30, board)?;
    if config.boot.dtb.is_some() {
        return Err(option("dtb", format!("{board} has no device tree; leave it out")));
    }
    if config.ram < 2 * MIB {
        return Err(option("m", format!("{board} takes at least 2 MiB of RAM")));
    }
    Ok(())
}
