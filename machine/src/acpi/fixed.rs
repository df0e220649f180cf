//! Tables without AML: root pointer, RSDT, XSDT, FADT, FACS, MADT, HPET, MCFG (ACPI 6.5, chapter 5).

use super::linker::{Blob, File};
use super::{Chipset, Platform};
use acpi_tables::Aml;
use acpi_tables::facs::FACS;
use acpi_tables::fadt::{FADTBuilder, Flags, PmProfile};
use acpi_tables::gas::{AccessSize, AddressSpace, GAS};
use acpi_tables::madt::{EnabledStatus, IoApic, ProcessorLocalApic};
use acpi_tables::mcfg::MCFG;
use acpi_tables::sdt::Sdt;
use lyrebird_devices::acpi::ged::{Ged, RESET_VALUE};

/// Who made the tables, and what they are called.
pub(super) const OEM_ID: [u8; 6] = *b"LYREBD";
pub(super) const OEM_TABLE: [u8; 8] = *b"LYREBIRD";
pub(super) const OEM_REVISION: u32 = 1;

/// Bytes of the header that every table has, and the offset of the checksum in it.
const HEADER: u32 = 36;
const CHECKSUM: usize = 9;

/// Fields of the FADT by offset.
const FADT_FACS: usize = 36;
const FADT_DSDT: usize = 40;
const FADT_X_DSDT: usize = 140;

/// The interrupt of ACPI events, and the ISA interrupts that PCI uses, level triggered and active high.
const SCI: u8 = 9;
const PCI_IRQS: [u8; 4] = [5, 9, 10, 11];

/// ACPI power management block of PIIX4 and ICH9: both boards have it at port 600h.
const PM_BASE: u32 = 0x600;

pub(super) fn table(signature: &[u8; 4], revision: u8) -> Sdt {
    Sdt::new(*signature, HEADER, revision, OEM_ID, OEM_TABLE, OEM_REVISION)
}

fn bytes(aml: &dyn Aml) -> Vec<u8> {
    let mut bytes = Vec::new();
    aml.to_aml_bytes(&mut bytes);
    bytes
}

pub(super) fn facs() -> Vec<u8> {
    bytes(&FACS::new())
}

/// Adds the FADT; its offset.
pub(super) fn fadt(blob: &mut Blob, platform: &Platform, facs: Option<usize>, dsdt: usize) -> usize {
    let mut fadt = FADTBuilder::new(OEM_ID, OEM_TABLE, OEM_REVISION);
    match platform.chipset {
        Chipset::Reduced => {
            fadt = fadt.flag(Flags::HwReducedAcpi).flag(Flags::ResetRegSup);
            let register =
                |n| GAS::new(AddressSpace::SystemMemory, 8, 0, AccessSize::ByteAccess, Ged::REGISTERS + n);
            fadt.sleep_control_reg = register(Ged::SLEEP_CONTROL);
            fadt.sleep_status_reg = register(Ged::SLEEP_STATUS);
            fadt.reset_reg = register(Ged::RESET);
            fadt.reset_value = RESET_VALUE;
        }
        chipset => {
            let piix = chipset == Chipset::Piix;
            fadt = fadt
                .flag(Flags::Wbinvd)
                .flag(Flags::ProcC1)
                .flag(Flags::SlpButton)
                .flag(Flags::RtcS4)
                .flag(Flags::UsePlatformClock);
            fadt = if piix { fadt.gpe_info(0xafe0, 0, 4, 0, 0) } else { fadt.gpe_info(0x620, 0, 16, 0, 0) };
            fadt = fadt.preferred_pm_profile(PmProfile::Desktop);
            fadt.sci_int = u16::from(SCI).into();
            fadt.smi_cmd = 0xb2.into();
            (fadt.acpi_enable, fadt.acpi_disable) = if piix { (0xf1, 0xf0) } else { (0x02, 0x03) };
            fadt.pm1a_evt_blk = PM_BASE.into();
            fadt.pm1_evt_len = 4;
            fadt.pm1a_cnt_blk = (PM_BASE + 4).into();
            fadt.pm1_cnt_len = 2;
            fadt.pm_tmr_blk = (PM_BASE + 8).into();
            fadt.pm_tmr_len = 4;
            // C2 and C3 are not there.
            fadt.p_lvl2_lat = 0xfff.into();
            fadt.p_lvl3_lat = 0xfff.into();
            fadt.century = 0x32;
            // Legacy devices, and an 8042.
            fadt.iapc_boot_arch = (1 | u16::from(platform.i8042) << 1).into();
            // The reset control register of both chips at port CF9h.
            fadt = fadt.flag(Flags::ResetRegSup);
            fadt.reset_reg = GAS::new(AddressSpace::SystemIo, 8, 0, AccessSize::ByteAccess, 0xcf9);
            fadt.reset_value = 0x0f;
        }
    }
    let fadt = bytes(&fadt.finalize());
    let len = fadt.len();
    let at = blob.add(fadt);
    if let Some(facs) = facs {
        blob.point(File::Tables, at + FADT_FACS, 4, facs);
    }
    blob.point(File::Tables, at + FADT_DSDT, 4, dsdt);
    blob.point(File::Tables, at + FADT_X_DSDT, 8, dsdt);
    blob.checksum(File::Tables, at + CHECKSUM, at, len);
    at
}

/// Local APICs, the I/O APIC, what differs from ISA's numbering, NMI at LINT1.
pub(super) fn madt(platform: &Platform) -> Vec<u8> {
    const LOCAL_APIC: u32 = 0xfee0_0000;
    const IO_APIC: u32 = 0xfec0_0000;
    /// There are 8259s as well.
    const PCAT_COMPAT: u32 = 1;
    /// Active high, level triggered.
    const LEVEL: u8 = 0x0d;
    let mut madt = table(b"APIC", 5);
    let reduced = platform.chipset == Chipset::Reduced;
    madt.append_slice(&LOCAL_APIC.to_le_bytes());
    madt.append_slice(&(if reduced { 0 } else { PCAT_COMPAT }).to_le_bytes());
    for (uid, &id) in platform.apic_ids.iter().enumerate() {
        madt.append_slice(&bytes(&ProcessorLocalApic::new(uid as u8, id, EnabledStatus::Enabled)));
    }
    madt.append_slice(&bytes(&IoApic::new(0, IO_APIC, 0)));
    if !reduced {
        // The 8254 is at input 2.
        let overrides = PCI_IRQS.map(|irq| (irq, irq, LEVEL));
        for (irq, gsi, flags) in [(0, 2, 0)].into_iter().chain(overrides) {
            madt.append_slice(&[2, 10, 0, irq, gsi, 0, 0, 0, flags, 0]);
        }
    }
    madt.append_slice(&[4, 6, 0xff, 0, 0, 1]);
    madt.update_checksum();
    madt.as_slice().to_vec()
}

pub(super) fn hpet() -> Vec<u8> {
    use lyrebird_devices::time::hpet::{BLOCK_ID, Hpet};
    let mut hpet = table(b"HPET", 1);
    hpet.append_slice(&BLOCK_ID.to_le_bytes());
    let address = GAS::new(AddressSpace::SystemMemory, 0, 0, AccessSize::Undefined, Hpet::ADDRESS);
    hpet.append_slice(&bytes(&address));
    // Its number, the shortest period, page protection.
    hpet.append_slice(&[0; 4]);
    hpet.as_slice().to_vec()
}

pub(super) fn mcfg(ecam: u32) -> Vec<u8> {
    let mut mcfg = MCFG::new(OEM_ID, OEM_TABLE, OEM_REVISION);
    mcfg.add_ecam(ecam.into(), 0, 0, 255);
    bytes(&mcfg)
}

/// RSDT, XSDT and the root pointer to both.
pub(super) fn roots(blob: &mut Blob, listed: &[usize]) {
    const RSDP_LEN: usize = 36;
    let mut add = |signature, size: u8| {
        let mut root = table(signature, 1);
        root.append_slice(&vec![0; listed.len() * usize::from(size)]);
        let len = root.as_slice().len();
        let at = blob.add(root.as_slice().to_vec());
        for (n, target) in listed.iter().enumerate() {
            let field = at + HEADER as usize + n * usize::from(size);
            blob.point(File::Tables, field, size, *target);
        }
        blob.checksum(File::Tables, at + CHECKSUM, at, len);
        at
    };
    let (rsdt, xsdt) = (add(b"RSDT", 4), add(b"XSDT", 8));
    let mut rsdp = b"RSD PTR \0".to_vec();
    rsdp.extend(OEM_ID);
    // Revision 2, and the length behind RSDT's address.
    rsdp.extend([2, 0, 0, 0, 0]);
    rsdp.extend((RSDP_LEN as u32).to_le_bytes());
    rsdp.resize(RSDP_LEN, 0);
    blob.set_rsdp(rsdp);
    blob.point(File::Rsdp, 16, 4, rsdt);
    blob.point(File::Rsdp, 24, 8, xsdt);
    // The checksum of the first 20 bytes, then that of all.
    blob.checksum(File::Rsdp, 8, 0, 20);
    blob.checksum(File::Rsdp, 32, 0, RSDP_LEN);
}
