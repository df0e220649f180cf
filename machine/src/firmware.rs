//! What the firmware of a PC finds in fw_cfg: what SeaBIOS, EDK II and our own BIOS ask for, under QEMU's keys and names.

use crate::acpi::linker::Blob;
use crate::loader::Content;
use crate::loader::x86::MemoryMap;
use crate::loader::x86::bzimage::FirmwareKernel;
use crate::smbios::Smbios;
use lyrebird_devices::fw_cfg::{FileError, FwCfg, key};
use lyrebird_devices::time::hpet::{BLOCK_ID, Hpet};

/// Name of the memory map's file.
pub const E820_FILE: &str = "etc/e820";
/// Name of the boot order's file.
pub const BOOT_ORDER_FILE: &str = "bootorder";

/// What a machine has to say.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Processors.
    pub cpus: u16,
    /// Bytes of RAM.
    pub ram: u64,
    /// Memory as the guest is to be told of it. Firmware adds what it takes for itself.
    pub map: &'a MemoryMap,
    /// The machine's UUID, in the order in which it is written.
    pub uuid: [u8; 16],
    /// Whether there is no screen.
    pub nographic: bool,
    /// Whether to show a boot menu.
    pub boot_menu: bool,
    /// Whether there is an HPET.
    pub hpet: bool,
    /// Open Firmware paths of boot devices, best first, as in `/pci@i0cf8/ide@1,1/drive@0/disk@0`.
    pub boot_order: &'a [String],
    /// ACPI tables.
    pub acpi: Option<&'a Blob>,
    /// SMBIOS tables.
    pub smbios: Option<&'a Smbios>,
}

/// Offers the facts.
///
/// # Errors
/// When a file of the same name was added before.
pub fn offer(fw_cfg: &mut FwCfg, facts: &Facts) -> Result<(), FileError> {
    fw_cfg.add(key::UUID, facts.uuid);
    fw_cfg.add(key::RAM_SIZE, facts.ram.to_le_bytes());
    fw_cfg.add(key::NOGRAPHIC, u16::from(facts.nographic).to_le_bytes());
    fw_cfg.add(key::NB_CPUS, facts.cpus.to_le_bytes());
    fw_cfg.add(key::BOOT_MENU, u16::from(facts.boot_menu).to_le_bytes());
    fw_cfg.add(key::MAX_CPUS, facts.cpus.to_le_bytes());
    fw_cfg.add(key::IRQ0_OVERRIDE, 1u32.to_le_bytes());
    fw_cfg.add(key::HPET, hpets(facts.hpet));
    fw_cfg.add_file(E820_FILE, facts.map.ram_ranges())?;
    if !facts.boot_order.is_empty() {
        let lines = facts.boot_order.join("\n");
        fw_cfg.add_file(BOOT_ORDER_FILE, lines.into_bytes().into_iter().chain([0]).collect::<Vec<u8>>())?;
    }
    if let Some(acpi) = facts.acpi {
        acpi.files().into_iter().try_for_each(|(name, bytes)| fw_cfg.add_file(name, bytes))?;
    }
    if let Some(smbios) = facts.smbios {
        smbios.files().into_iter().try_for_each(|(name, bytes)| fw_cfg.add_file(name, bytes))?;
    }
    Ok(())
}

/// Offers a kernel that the firmware loads and starts at its real-mode entry.
///
/// # Errors
/// When the RAM disk's file cannot be read.
pub fn offer_kernel(fw_cfg: &mut FwCfg, kernel: FirmwareKernel) -> std::io::Result<()> {
    let mut part = |address: (u16, u64), size: u16, data: (u16, Vec<u8>)| {
        fw_cfg.add(address.0, (address.1 as u32).to_le_bytes());
        fw_cfg.add(size, (data.1.len() as u32).to_le_bytes());
        fw_cfg.add(data.0, data.1);
    };
    part((key::SETUP_ADDR, kernel.setup_addr), key::SETUP_SIZE, (key::SETUP_DATA, kernel.setup));
    part((key::KERNEL_ADDR, kernel.kernel_addr), key::KERNEL_SIZE, (key::KERNEL_DATA, kernel.kernel));
    part((key::CMDLINE_ADDR, kernel.cmdline_addr), key::CMDLINE_SIZE, (key::CMDLINE_DATA, kernel.cmdline));
    let initrd = kernel.initrd.as_ref().map(bytes).transpose()?.unwrap_or_default();
    part((key::INITRD_ADDR, kernel.initrd_addr), key::INITRD_SIZE, (key::INITRD_DATA, initrd));
    Ok(())
}

fn bytes(content: &Content) -> std::io::Result<Vec<u8>> {
    let mut all = Vec::new();
    content.each(|_, part| {
        all.extend_from_slice(part);
        Ok(())
    })?;
    Ok(all)
}

/// A table of eight HPETs, of which one is there.
fn hpets(there: bool) -> Vec<u8> {
    const LEN: usize = 1 + 8 * 15;
    let mut table = vec![u8::from(there)];
    if there {
        table.extend(BLOCK_ID.to_le_bytes());
        table.extend(Hpet::ADDRESS.to_le_bytes());
    }
    table.resize(LEN, 0);
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acpi::{self, Chipset, Platform};
    use crate::smbios;
    use lyrebird_devices::bus::device::{Initiator, Io, Size};
    use lyrebird_devices::bus::dma::Dma;

    /// Reads an item through the registers.
    fn item(fw_cfg: &mut FwCfg, key: u16, len: usize) -> Vec<u8> {
        let by = Initiator::Cpu(0);
        fw_cfg.write(8, Size::B2, key.swap_bytes().into(), by).unwrap();
        (0..len).map(|_| fw_cfg.read(0, Size::B1, by).unwrap() as u8).collect()
    }

    #[test]
    fn everything_is_there() {
        let platform = Platform {
            chipset: Chipset::Piix,
            apic_ids: vec![0, 1],
            pci_hole: (0xc000_0000, 0xfebf_ffff),
            pci_hole_64: None,
            hpet: true,
            serials: [true; 4],
            floppy: true,
            i8042: true,
            virtio_mmio: vec![],
        };
        let tables = Smbios::new(&smbios::Machine {
            product: "PC".into(),
            version: "1".into(),
            uuid: [7; 16],
            cpus: 2,
            cpu: "max".into(),
            cpuid: (0, 0),
            ram: (5 << 30, 0),
        });
        let (map, acpi) = (MemoryMap::pc(5 << 30), acpi::build(&platform));
        let facts = Facts {
            cpus: 2,
            ram: 5 << 30,
            map: &map,
            uuid: [7; 16],
            nographic: true,
            boot_menu: false,
            hpet: true,
            boot_order: &["/a".into(), "/b".into()],
            acpi: Some(&acpi),
            smbios: Some(&tables),
        };
        let mut fw_cfg = FwCfg::new(Dma::open());
        offer(&mut fw_cfg, &facts).unwrap();
        assert!(offer(&mut fw_cfg, &facts).is_err(), "files are offered once");
        let names: Vec<(String, u16)> = fw_cfg.files().map(|(name, key)| (name.to_owned(), key)).collect();
        let expected = [
            "bootorder",
            "etc/acpi/rsdp",
            "etc/acpi/tables",
            "etc/e820",
            "etc/smbios/smbios-anchor",
            "etc/smbios/smbios-tables",
            "etc/table-loader",
        ];
        assert_eq!(names.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), expected);
        assert_eq!(item(&mut fw_cfg, names[0].1, 6), *b"/a\n/b\0");
        let e820 = item(&mut fw_cfg, names[3].1, 40);
        assert_eq!(
            (e820[..8].to_vec(), e820[8..16].to_vec()),
            (vec![0; 8], 0xc000_0000u64.to_le_bytes().to_vec())
        );
        assert_eq!(e820[20..28], (1u64 << 32).to_le_bytes());
        assert_eq!(item(&mut fw_cfg, key::NB_CPUS, 2), [2, 0]);
        assert_eq!(item(&mut fw_cfg, key::HPET, 13)[..5], [1, 0x01, 0xa2, 0x86, 0x80]);
    }

    #[test]
    fn a_kernel() {
        let kernel = FirmwareKernel {
            setup: vec![1; 5],
            setup_addr: 0x1_0000,
            kernel: vec![2; 6],
            kernel_addr: 0x10_0000,
            cmdline: b"quiet\0".to_vec(),
            cmdline_addr: 0x1_dff0,
            initrd: Some(Content::Bytes(vec![3; 7])),
            initrd_addr: 0x700_0000,
        };
        let mut fw_cfg = FwCfg::new(Dma::open());
        offer_kernel(&mut fw_cfg, kernel).unwrap();
        assert_eq!(item(&mut fw_cfg, key::SETUP_SIZE, 4), [5, 0, 0, 0]);
        assert_eq!(item(&mut fw_cfg, key::KERNEL_ADDR, 4), [0, 0, 0x10, 0]);
        assert_eq!(item(&mut fw_cfg, key::CMDLINE_DATA, 6), *b"quiet\0");
        assert_eq!(item(&mut fw_cfg, key::INITRD_DATA, 8), [3, 3, 3, 3, 3, 3, 3, 0]);
        assert_eq!(item(&mut fw_cfg, key::INITRD_ADDR, 4), [0, 0, 0, 7]);
    }
}
