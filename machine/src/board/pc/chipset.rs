//! The boards `pc` and `q35`: a host bridge with PCI, a south bridge with ACPI power management, and a PC's old chips.
//!
//! Guests see QEMU's machines of these names: the same functions in the same slots, addresses and interrupt numbers.
//! Left out on purpose: SMBus, USB, sound, the parallel port, system management mode.

use super::super::parts::{self, option};
use super::super::{Actions, BootPlan, Built, Site};
use super::direct::{self, Write};
use super::fabric::Fabric;
use super::isa::{self, Wanted};
use super::memory::{self, Upper};
use super::wiring::{Ask, ask, forget_all};
use super::{i440fx, q35};
use crate::acpi::linker::Blob;
use crate::acpi::{self, Platform};
use crate::config::{BuildError, Config, PcBoard, PcChipset};
use crate::firmware::{self, Facts};
use crate::loader::Files;
use crate::loader::x86::{self as programs, LinuxEntry, MemoryMap};
use crate::smbios::{self, Smbios};
use crate::x86::{Entry, Model, model, processor};
use lyrebird_cpu::x86::X64;
use lyrebird_devices::acpi::pm::PowerWires;
use lyrebird_devices::bus::device::{Socket, share};
use lyrebird_devices::bus::irq::Wire;
use lyrebird_devices::bus::shadow::{NoShadow, ShadowControl};
use lyrebird_devices::fw_cfg::FwCfg;
use lyrebird_devices::pci::adapter::Adapter;
use lyrebird_devices::pci::bus::{Devfn, PciBus, SlotTaken};
use lyrebird_devices::pci::host::{self, ConfigPorts};
use lyrebird_devices::pci::pirq::PirqRouter;
use lyrebird_devices::time::mc146818::pc::{BootDevice, PcCmos};
use parking_lot::Mutex;
use std::sync::Arc;

/// Ports of fw_cfg.
const FW_CFG: u64 = 0x510;
const FW_CFG_DMA: u64 = 0x514;
const GIB: u64 = 1 << 30;
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
    /// What the tables call it.
    pub(super) acpi: acpi::Chipset,
    /// Plugs the bridges and what belongs to them.
    pub(super) plug: fn(&Parts<'_>) -> Result<Button, BuildError>,
    /// What firmware writes to configuration space before a kernel starts.
    pub(super) setup: &'static [Write],
}

/// Presses the power button.
pub(super) type Button = Box<dyn Fn() + Send + Sync>;

/// What a chipset's functions are made of.
pub(super) struct Parts<'a> {
    pub(super) site: &'a Site<'a, X64>,
    pub(super) fabric: &'a Fabric,
    pub(super) bus: &'a Arc<PciBus>,
    pub(super) router: &'a Arc<PirqRouter>,
    pub(super) shadow: Arc<dyn ShadowControl>,
}

impl Parts<'_> {
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

/// What stays of the board besides its devices.
struct Pc {
    fabric: Fabric,
    bus: Arc<PciBus>,
    chipset: &'static Chipset,
    model: Model,
    map: MemoryMap,
    cpus: u32,
    acpi: Option<Blob>,
    smbios: Smbios,
    button: Button,
    files: Mutex<Files>,
}

/// Builds the board.
///
/// # Errors
/// When an option cannot be satisfied or a file cannot be used.
pub fn build(site: &Site<'_, X64>, board: &PcBoard) -> Result<Built<X64>, BuildError> {
    let chipset: &'static Chipset = match board.chipset {
        PcChipset::I440fx => &i440fx::CHIPSET,
        PcChipset::Q35 => &q35::CHIPSET,
    };
    let Site { config, shared, clock, .. } = *site;
    let cpus = config.smp.cpus;
    if cpus > CPUS {
        let problem = format!("{cpus} CPUs are too many for {}, which has room for {CPUS}", chipset.name);
        return Err(option("smp", problem));
    }
    memory::check(config, chipset.name)?;
    let mut files = Files::default();
    let [most, split] = chipset.splits;
    let split = if config.ram >= most { split } else { most };
    let (memory, shadow) = memory::with_firmware(config, &mut files, split, Upper::Shadow)?;
    let memory::Memory { space, bus: physical, ram, map } = memory;
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
    let parts = Parts { site, fabric: &fabric, bus: &bus, router: &router, shadow };
    let button = (chipset.plug)(&parts)?;
    bus.plug(chipset.vga, Adapter::vga(Arc::clone(&isa.vga), None)).map_err(taken)?;

    let model = model::of(&config.cpu)?;
    let (low, high) = (config.ram.min(split), config.ram - config.ram.min(split));
    let acpi = board.acpi.then(|| {
        let hole = (chipset.hole.max(low) as u32, 0xFEBF_FFFF);
        let above = (4 * GIB + high).next_multiple_of(GIB);
        acpi::build(&Platform {
            chipset: chipset.acpi,
            apic_ids: (0..cpus).map(|n| n as u8).collect(),
            pci_hole: hole,
            pci_hole_64: Some((above, above + chipset.hole_64 - 1)),
            hpet: board.hpet,
            serials: isa.serials,
            floppy: true,
            i8042: board.i8042,
            virtio_mmio: Vec::new(),
        })
    });
    let smbios = Smbios::new(&smbios::Machine {
        product: chipset.product.into(),
        version: format!("pc-{}-10.0", chipset.name),
        uuid: [0; 16],
        cpus: cpus as u16,
        cpu: model.name.into(),
        cpuid: model.identity(),
        ram: (low, high),
    });
    let floppies = isa.floppy.lock().kinds();
    let cmos = PcCmos {
        ram_below_4g: low,
        ram_above_4g: high,
        cpus: cpus as u8,
        floppies,
        boot: vec![BootDevice::Disk, BootDevice::Cd, BootDevice::Floppy],
        check_floppy_signature: true,
    };
    cmos.bytes().into_iter().for_each(|(at, value)| isa.rtc.lock().set_cmos(at, value));

    let mut fw_cfg = FwCfg::new(space.dma());
    let facts = Facts {
        cpus: cpus as u16,
        ram: config.ram,
        map: &map,
        uuid: [0; 16],
        nographic: true,
        boot_menu: false,
        hpet: board.hpet,
        boot_order: &[],
        acpi: acpi.as_ref(),
        smbios: Some(&smbios),
    };
    firmware::offer(&mut fw_cfg, &facts).map_err(|e| BuildError::Host(e.to_string()))?;
    parts::offer_files(config, &mut files, &mut fw_cfg)?;
    let fw_cfg = share(fw_cfg);
    fabric.at("fw_cfg", FW_CFG, FwCfg::PORTS_LEN, FwCfg::PORTS, fw_cfg.clone())?;
    fabric.at("fw_cfg.dma", FW_CFG_DMA, 8, FwCfg::DMA, fw_cfg)?;
    let loose = bus.functions().into_iter().map(|(_, slot)| slot as Arc<dyn Socket>).collect();
    Ok(Built {
        ports: Some(Arc::clone(&fabric.ports)),
        space,
        bus: physical,
        model: model.clone(),
        disks: Vec::new(),
        loose,
        ram,
        actions: Box::new(Pc {
            fabric,
            bus,
            chipset,
            model,
            map,
            cpus,
            acpi,
            smbios,
            button,
            files: Mutex::new(files),
        }),
    })
}

impl Actions<X64> for Pc {
    fn processor(&self, _: usize) -> X64 {
        processor(self.fabric.platform.clone(), self.cpus)
    }

    fn boot(&self, config: &Config) -> Result<BootPlan<X64>, BuildError> {
        let boot = &config.boot;
        let Some(kernel) = boot.kernel.as_deref().filter(|_| direct::is(config)) else {
            return Ok(BootPlan { pieces: Vec::new(), first: Entry::Reset, others: Entry::Reset });
        };
        let initrd = boot.initrd.as_deref().map(|path| path.to_string_lossy());
        let request = programs::Request {
            kernel,
            initrd: initrd.as_deref(),
            append: boot.append.as_deref().unwrap_or_default(),
            map: &self.map,
            long_mode: self.model.is_64(),
            rsdp: self.acpi.as_ref().map(|_| acpi::DIRECT),
            vga_text: false,
            linux: LinuxEntry::default(),
        };
        let program = programs::load(&mut self.files.lock(), &request)?;
        let mut pieces = program.pieces;
        pieces.extend(self.acpi.iter().flat_map(|tables| tables.place(acpi::DIRECT)));
        pieces.extend(self.smbios.place(smbios::DIRECT));
        Ok(BootPlan { pieces, first: Entry::Program(Box::new(program.entry)), others: Entry::Reset })
    }

    fn reset(&self, config: &Config) {
        if direct::is(config) {
            self.fabric.lapics.virtual_wire();
            direct::setup(&self.bus, &self.fabric, self.chipset.setup);
        }
    }

    fn press_power_button(&self) {
        (self.button)();
    }

    fn interrupts(&self) -> String {
        self.fabric.info()
    }
}
