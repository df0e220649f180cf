//! The `microvm` board with the addresses and interrupt numbers of QEMU's with `ioapic2=off`: virtio-mmio transports, a
//! serial port, the interrupt controllers and timers of a PC, and no PCI.
//!
//! A kernel is started without firmware. Hardware-reduced ACPI tables tell it of processors, transports and the generic
//! event device, through which it powers off and resets. With `acpi=off` there is no such device, MP tables tell of the
//! processors and the command line of the transports, which have ISA interrupts. Left out: the second I/O APIC, option ROMs.

use super::super::parts::{self, option};
use super::super::virtio_mmio::{self, STRIDE, Transports};
use super::super::{Actions, BootPlan, Built, Site};
use super::actions;
use super::fabric::Fabric;
use super::memory::{self, Memory};
use super::mptable;
use crate::acpi;
use crate::acpi::linker::Blob;
use crate::config::{BuildError, Config, MicrovmBoard};
use crate::control::{Seat, Shutdown};
use crate::loader::Files;
use crate::loader::x86::{self as programs, LinuxEntry, MemoryMap};
use crate::shared::{Request, Shared};
use crate::x86::{Entry, Model, model, processor};
use lyrebird_cpu::x86::X64;
use lyrebird_devices::acpi::ged::{Ged, PowerRequest};
use lyrebird_devices::bus::device::share;
use lyrebird_devices::char::uart16550::Uart16550;
use lyrebird_devices::fw_cfg::{FwCfg, key};
use lyrebird_devices::time::i8254::I8254;
use lyrebird_devices::time::mc146818::Mc146818;
use parking_lot::Mutex;
use std::fmt::Write;
use std::sync::Arc;

/// Addresses and ports of the board.
pub mod map {
    #![expect(missing_docs, reason = "named after what is there")]
    pub const SPLIT: u64 = 0xC000_0000;
    pub const VIRTIO: u64 = 0xFEB0_0000;
    pub const PIT: u64 = 0x40;
    pub const PORT_B: u64 = 0x61;
    pub const RTC: u64 = 0x70;
    pub const COM1: u64 = 0x3F8;
    pub const FW_CFG: u64 = 0x510;
    pub const FW_CFG_DMA: u64 = 0x514;
}

/// Interrupt lines.
pub mod irq {
    #![expect(missing_docs, reason = "named after the device")]
    pub const PIT: u32 = 0;
    pub const COM1: u32 = 4;
    pub const VIRTIO_ISA: u32 = 5;
    pub const VIRTIO: u32 = 16;
    pub const RTC: u32 = 8;
}

/// virtio-mmio transports.
pub const TRANSPORTS: u32 = 8;

/// What stays of the board besides its devices.
struct Microvm {
    fabric: Fabric,
    model: Model,
    map: MemoryMap,
    cpus: u32,
    /// What the command line says of transports that hold a device.
    virtio: String,
    /// ACPI tables, and what they describe.
    acpi: Option<Blob>,
    ged: Option<Arc<Mutex<Ged>>>,
    /// What it boots from.
    files: Mutex<Files>,
}

/// Builds the board.
///
/// # Errors
/// When an option cannot be satisfied or a file cannot be used.
pub fn build(site: &Site<'_, X64>, board: &MicrovmBoard) -> Result<Built<X64>, BuildError> {
    let Site { config, chardevs, shared, clock } = *site;
    let cpus = config.smp.cpus;
    if cpus > 255 {
        return Err(option("smp", format!("{cpus} CPUs are too many for microvm, which has room for 255")));
    }
    memory::check(config, "microvm")?;
    let mut files = Files::default();
    let Memory { space, bus, ram, map } = memory::build(config, &mut files, map::SPLIT)?;
    let fabric = Fabric::new(shared, clock, &space, board.pic)?;
    if board.pit {
        let pit = share(I8254::new(fabric.gsi.wire(irq::PIT, "i8254"), clock.clone()));
        fabric.at("i8254", map::PIT, 4, 0, pit.clone())?;
        fabric.at("i8254", map::PORT_B, 1, I8254::PORT_B, pit)?;
    }
    if board.rtc {
        let rtc = Mc146818::new(fabric.gsi.wire(irq::RTC, "rtc"), clock.clone(), parts::epoch(config));
        fabric.at("mc146818", map::RTC, Mc146818::LEN, 0, share(rtc))?;
    }
    if board.isa_serial {
        let line = parts::serial(config, chardevs, 0)?;
        let wire = fabric.gsi.wire(irq::COM1, "com1");
        let uart = share(Uart16550::new(wire, line.chardev(), clock.clone()));
        fabric.at("uart16550", map::COM1, Uart16550::LEN, 0, uart.clone())?;
        line.connect(uart);
    }
    let mut fw_cfg = FwCfg::new(space.dma());
    fw_cfg.add(key::NB_CPUS, (cpus as u16).to_le_bytes());
    fw_cfg.add(key::MAX_CPUS, (cpus as u16).to_le_bytes());
    fw_cfg.add(key::RAM_SIZE, config.ram.to_le_bytes());
    let acpi = board.acpi.then(|| acpi::build(&platform(config, board)));
    for (name, bytes) in acpi.iter().flat_map(Blob::files) {
        fw_cfg.add_file(name, bytes).map_err(|e| option("fw_cfg", e.to_string()))?;
    }
    parts::offer_files(config, &mut files, &mut fw_cfg)?;
    let fw_cfg = share(fw_cfg);
    fabric.at("fw_cfg", map::FW_CFG, FwCfg::PORTS_LEN, FwCfg::PORTS, fw_cfg.clone())?;
    fabric.at("fw_cfg.dma", map::FW_CFG_DMA, 8, FwCfg::DMA, fw_cfg)?;
    let ged = board.acpi.then(|| event_device(&fabric, shared));
    if let Some(ged) = &ged {
        space.add_device(Ged::ADDRESS, Ged::LEN, ged.clone()).map_err(parts::span)?;
        space
            .add_registers("acpi-ged", Ged::REGISTERS, Ged::REGISTERS_LEN, Ged::POWER, ged.clone())
            .map_err(parts::span)?;
    }
    let first = if board.acpi { irq::VIRTIO } else { irq::VIRTIO_ISA };
    let place = Transports {
        base: map::VIRTIO,
        count: TRANSPORTS,
        wire: &|i| fabric.gsi.wire(first + i, "virtio-mmio"),
        board: "microvm",
    };
    let disks = virtio_mmio::transports(config, chardevs, &space, clock, &place)?;
    let model = model::of(&config.cpu)?;
    let virtio =
        if board.auto_kernel_cmdline && !board.acpi { transports_in_use(config) } else { String::new() };
    Ok(Built {
        ports: Some(Arc::clone(&fabric.ports)),
        space,
        bus: Arc::new(bus),
        model: model.clone(),
        disks,
        loose: Vec::new(),
        seat: Seat::default(),
        actions: Box::new(Microvm { fabric, model, map, cpus, virtio, acpi, ged, files: Mutex::new(files) }),
        ram,
    })
}

/// What the ACPI tables tell of.
fn platform(config: &Config, board: &MicrovmBoard) -> acpi::Platform {
    let transport = |i| ((map::VIRTIO + u64::from(i) * STRIDE) as u32, irq::VIRTIO + i);
    acpi::Platform {
        chipset: acpi::Chipset::Reduced,
        apic_ids: (0..config.smp.cpus as u8).collect(),
        pci_hole: (0, 0),
        pci_hole_64: None,
        hpet: false,
        serials: [board.isa_serial, false, false, false],
        floppy: false,
        i8042: false,
        virtio_mmio: (0..TRANSPORTS).map(transport).collect(),
    }
}

/// The generic event device: what a guest asks it for, the machine does.
fn event_device(fabric: &Fabric, shared: &Arc<Shared<X64>>) -> Arc<Mutex<Ged>> {
    let shared = Arc::clone(shared);
    let power = Box::new(move |request| {
        shared.request(match request {
            PowerRequest::Off => Request::Shutdown(Shutdown::PowerOff),
            PowerRequest::Reset => Request::Reset,
        });
    });
    share(Ged::new(fabric.gsi.wire(acpi::ged::GSI, "acpi-ged"), power))
}

/// The transports that hold devices, as Linux wants to hear of them: the first device has the last one.
fn transports_in_use(config: &Config) -> String {
    let used = virtio_mmio::count(config).min(TRANSPORTS);
    (TRANSPORTS - used..TRANSPORTS).fold(String::new(), |mut text, i| {
        let at = map::VIRTIO + u64::from(i) * STRIDE;
        let _ = write!(text, " virtio_mmio.device={STRIDE}@{at:#x}:{}", irq::VIRTIO_ISA + i);
        text
    })
}

impl Actions<X64> for Microvm {
    fn processor(&self, _: usize) -> X64 {
        processor(self.fabric.platform.clone(), self.cpus)
    }

    fn boot(&self, config: &Config) -> Result<BootPlan<X64>, BuildError> {
        let boot = &config.boot;
        let Some(kernel) = boot.kernel.as_deref().filter(|_| boot.bios.is_none()) else {
            return Ok(BootPlan { pieces: Vec::new(), first: Entry::Reset, others: Entry::Reset });
        };
        let initrd = boot.initrd.as_deref().map(|path| path.to_string_lossy());
        let append = boot.append.as_deref().unwrap_or_default().to_owned() + &self.virtio;
        let request = programs::Request {
            kernel,
            initrd: initrd.as_deref(),
            append: append.trim_start(),
            map: &self.map,
            long_mode: self.model.is_64(),
            rsdp: self.acpi.as_ref().map(|_| acpi::DIRECT),
            vga_text: false,
            linux: LinuxEntry::default(),
        };
        let program = programs::load(&mut self.files.lock(), &request)?;
        actions::check_mode(&self.model, &program.entry)?;
        let mut pieces = program.pieces;
        match &self.acpi {
            Some(acpi) => pieces.extend(acpi.place(acpi::DIRECT)),
            None => pieces.push(mptable::table(self.cpus, self.model.signature())),
        }
        Ok(BootPlan { pieces, first: Entry::Program(Box::new(program.entry)), others: Entry::Reset })
    }

    fn reset(&self, config: &Config) {
        if config.boot.bios.is_none() {
            self.fabric.lapics.virtual_wire();
        }
    }

    fn press_power_button(&self) {
        match &self.ged {
            Some(ged) => ged.lock().press_power_button(),
            None => log::warn!("microvm with acpi=off has no power button; switch the guest off from inside"),
        }
    }

    fn interrupts(&self) -> String {
        self.fabric.info()
    }
}
