//! PCs with PCI, the boards `pc` and `q35`: a host bridge with PCI, a south bridge with ACPI power management, and a PC's old chips.
//!
//! Guests see QEMU's machines of these names: the same functions in the same slots, addresses and interrupt numbers.
//! Left out on purpose: SMBus, USB, sound, the parallel port; SMIs reach the boot processor only.

use super::super::parts::option;
use super::super::virtio::{self, Plan, Planned};
use super::super::{Built, Site};
use super::actions::{Button, Pc};
use super::describe::Description;
use super::direct::Write;
use super::drives::{self, Controller, Drives};
use super::extras;
use super::fabric::Fabric;
use super::isa::{self, Wanted};
use super::memory::{self, Upper};
use super::wiring::{Ask, Bridge, ask, forget_all, smi};
use super::{i440fx, isapc, q35};
use crate::acpi;
use crate::config::{BuildError, PcBoard, PcChipset};
use crate::loader::Files;
use crate::x86::model;
use lyrebird_cpu::x86::{X64, features as f};
use lyrebird_devices::acpi::pm::PowerWires;
use lyrebird_devices::bus::device::Socket;
use lyrebird_devices::bus::irq::Wire;
use lyrebird_devices::bus::shadow::{NoShadow, ShadowControl};
use lyrebird_devices::pci::adapter::Adapter;
use lyrebird_devices::pci::bus::{Devfn, PciBus, SlotTaken};
use lyrebird_devices::pci::host::{self, ConfigPorts};
use lyrebird_devices::pci::pirq::PirqRouter;
use lyrebird_devices::storage::drive::Drive;
use lyrebird_devices::virtio::pci::{PciOptions, VirtioPci};
use parking_lot::Mutex;
use std::sync::Arc;

/// Processors that the tables have room for.
const CPUS: u32 = 255;

/// What a chipset is like.
pub(super) struct Chipset {
    /// The board's name.
    pub(super) name: &'static str,
    /// What SMBIOS says that it is.
    pub(super) product: &'static str,
    /// Where RAM ends below 4 GiB, at most, when all of it fits, and when it does not.
    pub(super) splits: [u64; 2],
    /// First address below 4 GiB for PCI devices, if it is not the end of RAM.
    pub(super) hole: u64,
    /// Bytes above RAM for PCI devices.
    pub(super) hole_64: u64,
    /// Inputs of the I/O APIC that the HPET can drive.
    pub(super) hpet: u32,
    /// How interrupt pins become lines.
    pub(super) swizzle: fn(u8, u8) -> u32,
    /// PCI lines end at the I/O APIC's inputs from 16 on as well.
    pub(super) apic_lines: bool,
    /// The slot of the VGA.
    pub(super) vga: Devfn,
    /// Its controller of disks.
    pub(super) controller: Controller,
    /// What the tables call it.
    pub(super) acpi: acpi::Chipset,
    /// Plugs the bridges and what belongs to them.
    pub(super) plug: fn(Parts<'_>) -> Result<Button, BuildError>,
    /// What firmware writes to configuration space before a kernel starts.
    pub(super) setup: &'static [Write],
}

/// What a chipset's functions are made of.
pub(super) struct Parts<'a> {
    pub(super) site: &'a Site<'a, X64>,
    pub(super) fabric: &'a Fabric,
    pub(super) bus: &'a Arc<PciBus>,
    pub(super) router: &'a Arc<PirqRouter>,
    pub(super) shadow: Arc<dyn ShadowControl>,
    /// SMI#, if processors have system management mode.
    pub(super) smi: Option<Wire>,
    /// The controller's drives, bus by bus.
    pub(super) drives: Vec<Option<Drive>>,
}

impl Parts<'_> {
    /// Takes the drives.
    pub(super) fn drives<const N: usize>(&mut self) -> [Option<Drive>; N] {
        let mut drives = std::mem::take(&mut self.drives).into_iter();
        std::array::from_fn(|_| drives.next().flatten())
    }

    /// Interrupt 9, of power management.
    pub(super) fn sci(&self) -> Wire {
        self.fabric.gsi.wire(9, "sci")
    }

    /// What sleep states do.
    pub(super) fn power(&self) -> PowerWires {
        PowerWires { off: ask(self.site.shared, Ask::PowerOff), suspend: ask(self.site.shared, Ask::Suspend) }
    }
}

/// What a slot that is taken is to the user.
pub(super) fn taken(e: SlotTaken) -> BuildError {
    option("device", e.to_string())
}

/// Builds the board, or the one without PCI.
///
/// # Errors
/// When an option cannot be satisfied or a file cannot be used.
pub fn build(site: &Site<'_, X64>, board: &PcBoard) -> Result<Built<X64>, BuildError> {
    let chipset: &'static Chipset = match board.chipset {
        PcChipset::I440fx => &i440fx::CHIPSET,
        PcChipset::Q35 => &q35::CHIPSET,
        PcChipset::Isa => return isapc::build(site, board),
    };
    let Site { config, shared, clock, .. } = *site;
    let cpus = config.smp.cpus;
    if cpus > CPUS {
        let problem = format!("{cpus} CPUs are too many for {}, which has room for {CPUS}", chipset.name);
        return Err(option("smp", problem));
    }
    memory::check(config, chipset.name)?;
    let model = model::of(&config.cpu)?;
    let mut files = Files::default();
    let [most, split] = chipset.splits;
    let split = if config.ram >= most { split } else { most };
    let (memory, shadow) = memory::with_firmware(config, &mut files, split, Upper::Shadow)?;
    let memory::Memory { space, bus: mut physical, ram, map } = memory;
    let management = Arc::new(memory::management());
    physical.manage(Arc::clone(&management));
    let physical = Arc::new(physical);
    let (follower, mailed) = (Arc::downgrade(&physical), Arc::clone(shared));
    space.memory().on_layout(move |changed| {
        if let Some(physical) = follower.upgrade() {
            physical.look(changed);
            forget_all(&mailed);
        }
    });
    let fabric = Fabric::new(shared, clock, &space, true)?;
    let wanted = Wanted { hpet: board.hpet.then_some(chipset.hpet), pit: board.pit, i8042: board.i8042 };
    let isa = isa::build(site, &fabric, &space, &wanted)?;
    extras::build(site, &fabric, &space)?;

    let irqs = std::array::from_fn(|n| fabric.gsi.wire(n as u32, "pirq"));
    let lines = if chipset.apic_lines { 16..24 } else { 0..0 };
    let router = Arc::new(PirqRouter::new(irqs, lines.map(|n| fabric.gsi.wire(n, "pirq")).collect()));
    let ports = Arc::clone(&fabric.ports);
    let lapics = Arc::clone(&fabric.lapics);
    let bus = PciBus::new(Arc::clone(&space), ports, lapics, chipset.swizzle, Arc::clone(&router) as _);
    let bus = Arc::new(bus);
    let config_ports = Arc::new(ConfigPorts::new(Arc::clone(&bus), ask(shared, Ask::Reset)));
    fabric.at("pci-config", host::PORT, host::PORTS, 0, config_ports)?;
    let shadow: Arc<dyn ShadowControl> = match shadow {
        Some(shadow) => shadow,
        None => Arc::new(NoShadow),
    };
    let shadow = Arc::new(Bridge { shadow, management, shared: Arc::clone(shared) });
    let smi = (board.smm && model.what.features & f::I586 != 0).then(|| smi(shared));
    let Drives { slots, mut disks, mut boot } = chipset.controller.drives(config)?;
    disks.extend(drives::diskettes(config, &mut isa.floppy.lock())?);
    let parts = Parts { site, fabric: &fabric, bus: &bus, router: &router, shadow, smi, drives: slots };
    let button = (chipset.plug)(parts)?;
    let rom = memory::vga_rom(config, &mut files)?;
    bus.plug(chipset.vga, Adapter::vga(Arc::clone(&isa.vga), rom)).map_err(taken)?;

    let Plan { devices, disks: virtio_disks } = virtio::plan(config, site.chardevs, clock)?;
    disks.extend(virtio_disks);
    for Planned { device, place } in devices {
        let at = match place.addr {
            Some((slot, function)) => Devfn::new(slot, function),
            None => {
                let slot = bus.free_slot().ok_or_else(|| option("device", "all 32 PCI slots are taken"))?;
                Devfn::new(slot, 0)
            }
        };
        let options = PciOptions { modern_only: place.modern_only, vectors: place.vectors };
        bus.plug(at, VirtioPci::function(device, space.dma(), options)).map_err(taken)?;
        boot.extend(drives::virtio_path(at, place));
    }
    boot.sort();
    let boot: Vec<String> = boot.into_iter().map(|(_, path)| path).collect();

    let ram_below_4g = config.ram.min(split);
    let about = Description {
        config,
        name: chipset.name,
        product: chipset.product,
        model: &model,
        ram: (ram_below_4g, config.ram - ram_below_4g),
        isa: &isa,
        hpet: board.hpet,
    };
    let acpi = board.acpi.then(|| about.acpi(chipset, board));
    let smbios = about.smbios();
    about.fill_cmos();
    about.fw_cfg(&fabric, &space, &mut files, (&map, acpi.as_ref(), &smbios), &boot)?;
    let loose = bus.functions().into_iter().map(|(_, slot)| slot as Arc<dyn Socket>).collect();
    Ok(Built {
        ports: Some(Arc::clone(&fabric.ports)),
        bus: physical,
        model: model.clone(),
        disks,
        loose,
        ram,
        seat: isa.seat(),
        actions: Box::new(Pc {
            space: Arc::clone(&space),
            fabric,
            bus: Some((bus, chipset.setup)),
            model,
            map,
            cpus,
            acpi,
            smbios,
            button: Some(button),
            files: Mutex::new(files),
        }),
        space,
    })
}
