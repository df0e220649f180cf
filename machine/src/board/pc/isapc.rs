//! The board `isapc`: a PC AT without PCI, with two IDE channels and a VGA at their ISA addresses.
//!
//! Left out on purpose: QEMU's NE2000.

use super::super::parts::{option, span};
use super::super::{Built, Site, virtio};
use super::actions::Pc;
use super::describe::Description;
use super::drives::{self, Controller, Drives};
use super::extras;
use super::fabric::Fabric;
use super::isa::{self, Wanted};
use super::memory::{self, Memory, Upper};
use crate::config::{BuildError, PcBoard};
use crate::loader::Files;
use crate::x86::model;
use lyrebird_cpu::x86::X64;
use lyrebird_devices::bus::device::share;
use lyrebird_devices::storage::ide::{self, Ide};
use parking_lot::Mutex;
use std::sync::Arc;

/// Where RAM ends below 4 GiB.
const SPLIT: u64 = 0xE000_0000;
/// Where the VGA's memory is as a whole.
const FRAME_BUFFER: u64 = 0xE000_0000;
const CONTROLLER: Controller = Controller { name: "isapc", buses: 2, units: 2, path: "" };
/// Interrupts of the IDE channels.
const IDE_INTERRUPTS: [u32; 2] = [14, 15];

/// Builds the board.
///
/// # Errors
/// When an option cannot be satisfied or a file cannot be used.
pub fn build(site: &Site<'_, X64>, board: &PcBoard) -> Result<Built<X64>, BuildError> {
    let Site { config, shared, clock, .. } = *site;
    if config.smp.cpus != 1 {
        return Err(option("smp", "isapc has one CPU; use -M pc or -M q35 for more"));
    }
    if config.devices.iter().any(virtio::is) {
        return Err(option("device", "isapc has no bus for virtio devices; use -M pc"));
    }
    memory::check(config, "isapc")?;
    let model = model::of(&config.cpu)?;
    let mut files = Files::default();
    let (memory, _) = memory::with_firmware(config, &mut files, SPLIT, Upper::Fixed)?;
    let Memory { space, bus, ram, map } = memory;
    let fabric = Fabric::new(shared, clock, &space, true)?;
    let wanted = Wanted { hpet: None, pit: board.pit, i8042: board.i8042 };
    let isa = isa::build(site, &fabric, &space, &wanted)?;
    extras::build(site, &fabric, &space)?;
    let vram = isa.vga.lock().vram().clone();
    space.add_ram("vga.vram", FRAME_BUFFER, vram).map_err(span)?;
    let Drives { slots, mut disks, .. } = CONTROLLER.drives(config)?;
    disks.extend(drives::diskettes(config, &mut isa.floppy.lock())?);
    let mut slots = slots.into_iter();
    let slots = std::array::from_fn(|_| slots.next().flatten());
    // The PCI function's registers at its old ports are all that is wired here.
    let wires = IDE_INTERRUPTS.map(|n| fabric.gsi.wire(n, "ide"));
    let ide = share(Ide::function(slots, space.dma(), wires));
    for (port, len, reg) in ide::PORTS {
        fabric.at("ide", port, len, reg, ide.clone())?;
    }
    let about = Description {
        config,
        name: "isapc",
        product: "ISA-only PC",
        model: &model,
        ram: (config.ram.min(SPLIT), config.ram - config.ram.min(SPLIT)),
        isa: &isa,
        hpet: false,
    };
    let smbios = about.smbios();
    about.fill_cmos();
    about.fw_cfg(&fabric, &space, &mut files, (&map, None, &smbios), &[])?;
    Ok(Built {
        ports: Some(Arc::clone(&fabric.ports)),
        bus: Arc::new(bus),
        model: model.clone(),
        disks,
        loose: Vec::new(),
        ram,
        seat: isa.seat(),
        actions: Box::new(Pc {
            space: Arc::clone(&space),
            fabric,
            bus: None,
            model,
            map,
            cpus: 1,
            acpi: None,
            smbios,
            button: None,
            files: Mutex::new(files),
        }),
        space,
    })
}
