//! What stays of a PC besides its devices: what it boots, and firmware's part when there is none.

use super::super::parts::option;
use super::super::{Actions, BootPlan};
use super::direct::{self, Write};
use super::fabric::Fabric;
use super::text_mode;
use crate::acpi;
use crate::acpi::linker::Blob;
use crate::config::{BuildError, Config};
use crate::loader::Files;
use crate::loader::x86::{self as programs, EntryMode, LinuxEntry, MemoryMap, Request, X86Entry};
use crate::smbios::{self, Smbios};
use crate::x86::{Entry, Model, processor};
use lyrebird_cpu::x86::X64;
use lyrebird_devices::bus::space::AddressSpace;
use lyrebird_devices::pci::bus::PciBus;
use parking_lot::Mutex;
use std::sync::Arc;

/// Presses the power button.
pub(super) type Button = Box<dyn Fn() + Send + Sync>;

/// The rest of the board.
pub(super) struct Pc {
    pub(super) fabric: Fabric,
    pub(super) space: Arc<AddressSpace>,
    /// PCI, and what firmware writes to configuration space before a kernel starts.
    pub(super) bus: Option<(Arc<PciBus>, &'static [Write])>,
    pub(super) model: Model,
    pub(super) map: MemoryMap,
    pub(super) cpus: u32,
    pub(super) acpi: Option<Blob>,
    pub(super) smbios: Smbios,
    pub(super) button: Option<Button>,
    /// What it boots from.
    pub(super) files: Mutex<Files>,
}

/// A kernel that the command line names, for a PC.
pub(super) fn request<'a>(
    config: &'a Config,
    initrd: Option<&'a str>,
    map: &'a MemoryMap,
    long_mode: bool,
    rsdp: Option<u64>,
) -> Option<Request<'a>> {
    let boot = &config.boot;
    Some(Request {
        kernel: boot.kernel.as_deref()?,
        initrd,
        append: boot.append.as_deref().unwrap_or_default(),
        map,
        long_mode,
        rsdp,
        vga_text: true,
        linux: LinuxEntry::default(),
    })
}

/// Refuses a program that begins in a mode which the processors do not have.
///
/// # Errors
/// When it does.
pub(super) fn check_mode(model: &Model, entry: &X86Entry) -> Result<(), BuildError> {
    if entry.mode == EntryMode::Real16 || model.is_32() {
        return Ok(());
    }
    let name = model.name;
    let problem = format!("{name} has 16 bits, and the -kernel starts in 32-bit mode; use a later model");
    Err(option("cpu", problem))
}

impl Actions<X64> for Pc {
    fn processor(&self, _: usize) -> X64 {
        processor(self.fabric.platform.clone(), self.cpus)
    }

    fn boot(&self, config: &Config) -> Result<BootPlan<X64>, BuildError> {
        let initrd = config.boot.initrd.as_deref().map(|path| path.to_string_lossy());
        let rsdp = self.acpi.as_ref().map(|_| acpi::DIRECT);
        let request = request(config, initrd.as_deref(), &self.map, self.model.is_64(), rsdp);
        let Some(request) = request.filter(|_| direct::is(config)) else {
            return Ok(BootPlan { pieces: Vec::new(), first: Entry::Reset, others: Entry::Reset });
        };
        let program = programs::load(&mut self.files.lock(), &request)?;
        check_mode(&self.model, &program.entry)?;
        let mut pieces = program.pieces;
        if self.bus.is_some() {
            // Where the tables go is RAM: the host bridge is told so.
            pieces.extend(self.acpi.iter().flat_map(|tables| tables.place(acpi::DIRECT)));
            pieces.extend(self.smbios.place(smbios::DIRECT));
        }
        Ok(BootPlan { pieces, first: Entry::Program(Box::new(program.entry)), others: Entry::Reset })
    }

    fn reset(&self, config: &Config) {
        if !self.model.has_apic() {
            self.fabric.without_apics();
        }
        if direct::is(config) {
            self.fabric.lapics.virtual_wire();
            text_mode::set(&self.fabric, &self.space);
            if let Some((bus, writes)) = &self.bus {
                direct::setup(bus, &self.fabric, writes);
            }
        }
    }

    fn press_power_button(&self) {
        match &self.button {
            Some(press) => press(),
            None => {
                log::warn!("the board has no power button; switch the guest off from inside, or use quit")
            }
        }
    }

    fn interrupts(&self) -> String {
        self.fabric.info()
    }

    fn pci(&self) -> Option<String> {
        self.bus.as_ref().map(|(bus, _)| bus.info())
    }
}
