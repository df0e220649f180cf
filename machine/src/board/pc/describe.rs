//! What a PC says of itself: ACPI and SMBIOS tables, CMOS memory, fw_cfg.

use super::super::parts;
use super::actions;
use super::chipset::Chipset;
use super::direct;
use super::drives;
use super::fabric::Fabric;
use super::isa::Isa;
use crate::acpi::linker::Blob;
use crate::acpi::{self, Platform};
use crate::config::{BuildError, Config, FileRole, PcBoard};
use crate::firmware::{self, Facts};
use crate::loader::x86::{MemoryMap, bzimage};
use crate::loader::{Files, file_error};
use crate::smbios::{self, Smbios};
use crate::x86::Model;
use lyrebird_devices::bus::device::share;
use lyrebird_devices::bus::space::AddressSpace;
use lyrebird_devices::fw_cfg::FwCfg;
use lyrebird_devices::time::mc146818::pc::PcCmos;

/// Ports of fw_cfg.
const FW_CFG: u64 = 0x510;
const FW_CFG_DMA: u64 = 0x514;
/// How long a boot menu waits: milliseconds.
const MENU_WAIT_FILE: &str = "etc/boot-menu-wait";
/// Last address below 4 GiB for PCI devices.
const HOLE_END: u32 = 0xFEBF_FFFF;
const GIB: u64 = 1 << 30;

/// The machine, as far as tables speak of it.
pub(super) struct Description<'a> {
    pub(super) config: &'a Config,
    pub(super) name: &'static str,
    /// What SMBIOS calls it.
    pub(super) product: &'static str,
    pub(super) model: &'a Model,
    /// Bytes of RAM below 4 GiB, and above.
    pub(super) ram: (u64, u64),
    pub(super) isa: &'a Isa,
    pub(super) hpet: bool,
}

impl Description<'_> {
    /// ACPI tables.
    pub(super) fn acpi(&self, chipset: &Chipset, board: &PcBoard) -> Blob {
        let (low, high) = self.ram;
        let above = (4 * GIB + high).next_multiple_of(GIB);
        acpi::build(&Platform {
            chipset: chipset.acpi,
            apic_ids: (0..self.config.smp.cpus).map(|n| n as u8).collect(),
            pci_hole: (chipset.hole.max(low) as u32, HOLE_END),
            pci_hole_64: Some((above, above + chipset.hole_64 - 1)),
            hpet: self.hpet,
            serials: self.isa.serials,
            floppy: true,
            i8042: board.i8042,
            virtio_mmio: Vec::new(),
        })
    }

    /// SMBIOS tables.
    pub(super) fn smbios(&self) -> Smbios {
        Smbios::new(&smbios::Machine {
            product: self.product.into(),
            version: format!("pc-{}-10.0", self.name),
            uuid: [0; 16],
            cpus: self.config.smp.cpus as u16,
            cpu: self.model.name.into(),
            cpuid: self.model.identity(),
            ram: self.ram,
        })
    }

    /// Writes CMOS memory.
    pub(super) fn fill_cmos(&self) {
        let cmos = PcCmos {
            ram_below_4g: self.ram.0,
            ram_above_4g: self.ram.1,
            cpus: self.config.smp.cpus as u8,
            floppies: self.isa.floppy.lock().kinds(),
            boot: drives::order(self.config),
            check_floppy_signature: true,
        };
        let mut rtc = self.isa.rtc.lock();
        cmos.bytes().into_iter().for_each(|(at, value)| rtc.set_cmos(at, value));
    }

    /// Puts fw_cfg in place, which tells firmware of all this and of what to boot.
    ///
    /// # Errors
    /// When a file of the command line cannot be read.
    pub(super) fn fw_cfg(
        &self,
        fabric: &Fabric,
        space: &AddressSpace,
        files: &mut Files,
        (map, acpi, smbios): (&MemoryMap, Option<&Blob>, &Smbios),
        boot_order: &[String],
    ) -> Result<(), BuildError> {
        let config = self.config;
        let mut fw_cfg = FwCfg::new(space.dma());
        let facts = Facts {
            cpus: config.smp.cpus as u16,
            ram: config.ram,
            map,
            uuid: [0; 16],
            nographic: config.nographic,
            boot_menu: config.boot.menu,
            hpet: self.hpet,
            boot_order,
            acpi,
            smbios: Some(smbios),
        };
        let twice = |e| BuildError::Host(format!("fw_cfg: {e}"));
        firmware::offer(&mut fw_cfg, &facts).map_err(twice)?;
        if let Some(wait) = config.boot.menu_wait {
            let wait = wait.min(0xFFFF) as u16;
            fw_cfg.add_file(MENU_WAIT_FILE, wait.to_le_bytes()).map_err(twice)?;
        }
        if !direct::is(config) {
            self.kernel(&mut fw_cfg, files, map)?;
        }
        parts::offer_files(config, files, &mut fw_cfg)?;
        let fw_cfg = share(fw_cfg);
        fabric.at("fw_cfg", FW_CFG, FwCfg::PORTS_LEN, FwCfg::PORTS, fw_cfg.clone())?;
        fabric.at("fw_cfg.dma", FW_CFG_DMA, 8, FwCfg::DMA, fw_cfg)
    }

    /// Offers the kernel of the command line to the firmware, if there is one.
    fn kernel(&self, fw_cfg: &mut FwCfg, files: &mut Files, map: &MemoryMap) -> Result<(), BuildError> {
        let Some(request) = actions::request(self.config, None, map, self.model.is_64(), None) else {
            return Ok(());
        };
        let fail = |problem: String| file_error(FileRole::Kernel, request.kernel, problem);
        let kernel = files.read(FileRole::Kernel, request.kernel)?;
        if !bzimage::is(&kernel) {
            return Err(fail("it is no Linux kernel, which is what firmware starts; leave out -bios".into()));
        }
        let initrd = self.config.boot.initrd.as_deref();
        let initrd = initrd.map(|path| files.open(FileRole::Initrd, path)).transpose()?;
        let kernel = bzimage::for_firmware(&kernel, initrd.as_ref(), &request).map_err(fail)?;
        firmware::offer_kernel(fw_cfg, kernel).map_err(|e| fail(format!("its RAM disk cannot be read: {e}")))
    }
}
