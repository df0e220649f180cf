//! Arm's `virt` board with QEMU's addresses and interrupt numbers, so that a guest cannot tell.
//!
//! Left out: PCIe, the second UART, the SMMU, the ITS, memory hotplug.

use super::given_dtb;
use super::parts::{self, option, span};
use super::virt_dtb::{self, Facts};
use super::virt_flash;
use super::virtio_mmio::{self, Transports};
use super::{Actions, BootPlan, Built, Site};
use crate::arm::platform::{Timers, VirtPlatform};
use crate::arm::{self, Entry};
use crate::bus::PhysicalBus;
use crate::config::{BuildError, Config, FileRole, GicVersion, VirtBoard};
use crate::control::Seat;
use crate::loader::{self, Content, Files, Piece};
use lyrebird_cpu::arm::{Arm64, Platform, Timer, exclusive};
use lyrebird_devices::bus::device::share;
use lyrebird_devices::bus::irq::Wire;
use lyrebird_devices::bus::space::AddressSpace;
use lyrebird_devices::char::pl011::Pl011;
use lyrebird_devices::fw_cfg::{FwCfg, key};
use lyrebird_devices::gpio::button::Button;
use lyrebird_devices::gpio::pl061::Pl061;
use lyrebird_devices::intc::Intc;
use lyrebird_devices::intc::gicv2::GicV2;
use lyrebird_devices::intc::gicv3::GicV3;
use lyrebird_devices::time::pl031::Pl031;
use lyrebird_ram::GuestRam;
use parking_lot::Mutex;
use std::sync::Arc;

/// Guest-physical addresses of the board.
pub mod map {
    #![expect(missing_docs, reason = "named after what is there")]
    pub const FLASH: u64 = 0;
    pub const FLASH_LEN: u64 = 0x0400_0000;
    pub const GIC_DIST: u64 = 0x0800_0000;
    pub const GIC_CPU: u64 = 0x0801_0000;
    pub const GIC_REDIST: u64 = 0x080A_0000;
    pub const GICV3_CPUS: usize = ((UART - GIC_REDIST) / 0x2_0000) as usize;
    pub const UART: u64 = 0x0900_0000;
    pub const RTC: u64 = 0x0901_0000;
    pub const FW_CFG: u64 = 0x0902_0000;
    pub const GPIO: u64 = 0x0903_0000;
    pub const VIRTIO: u64 = 0x0A00_0000;
    pub const RAM: u64 = 0x4000_0000;
}

/// Shared peripheral interrupt numbers.
pub mod spi {
    #![expect(missing_docs, reason = "named after the device")]
    pub const UART: u32 = 1;
    pub const RTC: u32 = 2;
    pub const GPIO: u32 = 7;
    pub const VIRTIO: u32 = 16;
    pub const COUNT: u32 = 256;
}

/// Private peripheral interrupt numbers of the timers and the performance monitors.
pub mod ppi {
    #![expect(missing_docs, reason = "named after the timer")]
    pub const HYPERVISOR: u32 = 10;
    pub const VIRTUAL: u32 = 11;
    pub const SECURE: u32 = 13;
    pub const PHYSICAL: u32 = 14;
    pub const PMU: u32 = 7;
}

/// virtio-mmio transports.
pub const TRANSPORTS: u32 = 32;

/// Affinity fields of a processor's MPIDR: clusters of 16 as with QEMU's GICv3, or 8 with GICv2.
pub fn affinity(cpu: usize) -> u64 {
    cpu as u64
}

/// What stays of the board besides its devices.
struct Virt {
    properties: VirtBoard,
    gic: Arc<dyn Intc>,
    platform: Arc<VirtPlatform>,
    versions: Arc<exclusive::Versions>,
    /// What it boots from.
    files: Mutex<Files>,
    button: Arc<Mutex<Button>>,
}

impl Actions<Arm64> for Virt {
    fn processor(&self, _: usize) -> Arm64 {
        let several = self.platform.timers.len() > 1;
        Arm64::new(self.platform.clone(), Arc::clone(&self.versions), several)
    }

    fn boot(&self, config: &Config) -> Result<BootPlan<Arm64>, BuildError> {
        boot(config, &self.properties, &mut self.files.lock())
    }

    fn reset(&self, _: &Config) {
        for cpu in 0..self.platform.timers.len() {
            for which in [Timer::Physical, Timer::Virtual, Timer::Monitors] {
                self.platform.timer(cpu, which, 0, 0);
            }
        }
    }

    fn press_power_button(&self) {
        self.button.lock().press();
    }

    fn interrupts(&self) -> String {
        self.gic.info()
    }
}

/// Builds the board.
///
/// # Errors
/// When an option cannot be satisfied or a file cannot be used.
pub fn build(site: &Site<'_, Arm64>, board: &VirtBoard) -> Result<Built<Arm64>, BuildError> {
    let Site { config, chardevs, shared, clock } = *site;
    let gicv3 = board.gic != GicVersion::V2;
    let cpus = config.smp.cpus as usize;
    if !gicv3 && cpus > 8 {
        return Err(option(
            "smp",
            format!("{cpus} CPUs are too many for GICv2, which has 8; use -M virt,gic-version=3"),
        ));
    }
    if gicv3 && cpus > map::GICV3_CPUS {
        return Err(option(
            "smp",
            format!("{cpus} CPUs are too many for the virt board, which has room for {}", map::GICV3_CPUS),
        ));
    }
    parts::check_ram(config, 255 << 30, "the virt board")?;
    let flash_len = virt_flash::ram_len(config);
    let ram = GuestRam::new(config.ram + flash_len).map_err(|e| BuildError::Host(e.to_string()))?;
    let space = Arc::new(AddressSpace::new());
    space.add_ram_part("virt.ram", map::RAM, &ram, 0, config.ram, false).map_err(span)?;
    let mut bus = PhysicalBus::new(Arc::clone(&space));
    bus.window(map::RAM, config.ram, 0, true);
    let mut files = Files::default();
    let mut disks = virt_flash::build(config, &mut files, &space, &mut bus, &ram, config.ram)?;

    // Interrupt controller and timers.
    let (gic, v3): (Arc<dyn Intc>, Option<Arc<GicV3>>) = if gicv3 {
        let affinities: Vec<u64> = (0..cpus).map(affinity).collect();
        let gic = GicV3::new(&affinities, spi::COUNT, shared.clone());
        space
            .add_registers("gicv3_dist", map::GIC_DIST, GicV3::DISTRIBUTOR_LEN, 0, gic.clone())
            .map_err(span)?;
        let len = GicV3::REDISTRIBUTOR_LEN * cpus as u64;
        space
            .add_registers("gicv3_redist", map::GIC_REDIST, len, GicV3::REDISTRIBUTORS, gic.clone())
            .map_err(span)?;
        (gic.clone(), Some(gic))
    } else {
        let gic = GicV2::new(cpus, spi::COUNT, shared.clone());
        space
            .add_registers("gic_dist", map::GIC_DIST, GicV2::DISTRIBUTOR_LEN, 0, gic.clone())
            .map_err(span)?;
        space
            .add_registers(
                "gic_cpu",
                map::GIC_CPU,
                GicV2::CPU_INTERFACE_LEN,
                GicV2::CPU_INTERFACE,
                gic.clone(),
            )
            .map_err(span)?;
        (gic, None)
    };
    let wire = |n: u32, label: &str| gic.clone().spi(n, label).unwrap_or_else(Wire::open);
    let private = |cpu, n, label: &str| gic.clone().ppi(cpu, n, label).unwrap_or_else(Wire::open);
    let timers = (0..cpus)
        .map(|i| {
            let physical = private(i, ppi::PHYSICAL, "physical timer");
            let virt = private(i, ppi::VIRTUAL, "virtual timer");
            Mutex::new(Timers::new(clock, i, physical, virt, private(i, ppi::PMU, "performance monitors")))
        })
        .collect();
    let platform = Arc::new(VirtPlatform {
        shared: Arc::clone(shared),
        clock: clock.clone(),
        timers,
        gicv3: v3,
        semihosting: config.semihosting.enabled,
    });

    // Serial port.
    let line = parts::serial(config, chardevs, 0)?;
    let uart = share(Pl011::new(wire(spi::UART, "pl011"), line.chardev()));
    space.add_device(map::UART, Pl011::LEN, uart.clone()).map_err(span)?;
    line.connect(uart);

    // Clock, GPIO with the power button, fw_cfg.
    let rtc = share(Pl031::new(wire(spi::RTC, "pl031"), clock.clone(), parts::epoch(config) as u32));
    space.add_device(map::RTC, Pl031::LEN, rtc).map_err(span)?;
    let gpio = share(Pl061::new(wire(spi::GPIO, "pl061")));
    space.add_device(map::GPIO, Pl061::LEN, gpio.clone()).map_err(span)?;
    let button = share(Button::new(Wire::new("power button", gpio, 3), clock.clone()));
    let mut fw_cfg = FwCfg::new(space.dma());
    fw_cfg.add(key::NB_CPUS, (cpus as u16).to_le_bytes());
    fw_cfg.add(key::MAX_CPUS, (cpus as u16).to_le_bytes());
    fw_cfg.add(key::RAM_SIZE, config.ram.to_le_bytes());
    fw_cfg.add(key::NOGRAPHIC, 1u16.to_le_bytes());
    virt_flash::offer_kernel(config, &mut files, &mut fw_cfg)?;
    parts::offer_files(config, &mut files, &mut fw_cfg)?;
    space.add_device(map::FW_CFG, FwCfg::LEN, share(fw_cfg)).map_err(span)?;

    let place = Transports {
        base: map::VIRTIO,
        count: TRANSPORTS,
        wire: &|i| wire(spi::VIRTIO + i, "virtio-mmio"),
        board: "the virt board",
    };
    disks.extend(virtio_mmio::transports(config, chardevs, &space, clock, &place)?);

    Ok(Built {
        space,
        ports: None,
        bus: Arc::new(bus),
        model: arm::Model { cpu: arm::model::of(&config.cpu)?, gicv3 },
        loose: vec![button.clone()],
        seat: Seat::default(),
        actions: Box::new(Virt {
            properties: board.clone(),
            gic,
            platform,
            versions: Arc::default(),
            files: Mutex::new(files),
            button,
        }),
        disks,
        ram,
    })
}

/// Reads what boots.
///
/// # Errors
/// When a file cannot be used or does not fit.
fn boot(config: &Config, virt: &VirtBoard, files: &mut Files) -> Result<BootPlan<Arm64>, BuildError> {
    let mut facts = Facts {
        cpus: config.smp.cpus as usize,
        ram: config.ram,
        gicv3: virt.gic != GicVersion::V2,
        model: &config.cpu.model,
        append: config.boot.append.as_deref().unwrap_or(""),
        initrd: None,
        pmu: arm::model::of(&config.cpu)?.features & lyrebird_cpu::arm::features::PMUV3 != 0,
    };
    let (mut pieces, mut entry, mut argument) = (Vec::new(), map::FLASH, 0);
    // The device tree goes to the bottom of RAM when nothing else says where.
    let mut dtb_at = map::RAM;
    let kernel = config.boot.kernel.as_ref();
    if let Some(path) = kernel.filter(|_| !virt_flash::has_firmware(config)) {
        let program = loader::arm64(files, path, map::RAM, config.ram)?;
        entry = program.entry;
        let mut free = program.end.next_multiple_of(0x20_0000);
        if let Some(initrd) = &config.boot.initrd {
            let content = files.open(FileRole::Initrd, initrd)?;
            let at = (map::RAM + (config.ram / 2).min(128 << 20)).max(free);
            let end = at + content.size();
            if end > map::RAM + config.ram {
                let needed = (end - map::RAM).div_ceil(1 << 20);
                let problem = format!("it does not fit behind the kernel; use at least -m {}", needed + 16);
                return Err(loader::file_error(FileRole::Initrd, initrd, problem));
            }
            facts.initrd = Some((at, end));
            free = end.next_multiple_of(0x20_0000);
            pieces.push(Piece { at, content });
        }
        if program.linux {
            dtb_at = free;
        }
        pieces.extend(program.pieces);
        argument = dtb_at;
    } else if kernel.is_none() && config.boot.initrd.is_some() {
        return Err(option("initrd", "an initrd needs a -kernel"));
    } else if kernel.is_none() && config.boot.append.is_some() {
        return Err(option("append", "a command line needs a -kernel"));
    }
    let dtb = match &config.boot.dtb {
        Some(path) => {
            let bytes = files.read(FileRole::Dtb, path)?;
            given_dtb::patch(&bytes, &facts)
                .map_err(|problem| loader::file_error(FileRole::Dtb, path, problem))?
        }
        None => virt_dtb::build(&facts)
            .map_err(|e| BuildError::Host(format!("cannot write the device tree: {e}")))?,
    };
    if let Some(path) = &virt.dump_dtb {
        std::fs::write(path, &dtb)
            .map_err(|e| option("machine", format!("dumpdtb={}: {e}", path.display())))?;
        return Err(BuildError::DtbWritten(path.clone()));
    }
    if dtb_at + dtb.len() as u64 > map::RAM + config.ram {
        return Err(option("m", "no room for the device tree; use more RAM"));
    }
    pieces.push(Piece { at: dtb_at, content: Content::Bytes(dtb) });
    let entry = Entry { pc: entry, argument };
    Ok(BootPlan { pieces, first: entry, others: entry })
}
