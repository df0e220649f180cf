//! The DSDT: processors, the PCI root or what stands for it, the power-off state.

use super::aml::{
    Term, crs, device, edge_interrupt, hid, level_interrupt, method, name, package, path, ports, scope,
};
use super::{Chipset, Platform, fixed, ged, isa, pci};
use acpi_tables::aml::{Arg, Memory32Fixed, Store};
use lyrebird_devices::time::hpet::Hpet;

/// The whole table.
pub(super) fn build(platform: &Platform) -> Vec<u8> {
    let mut system: Vec<Term> = processors(platform);
    if platform.hpet {
        let registers = Memory32Fixed::new(false, Hpet::ADDRESS as u32, Hpet::LEN as u32);
        let own = [hid("PNP0103"), name("_UID", &0u8), crs(&[Term::of(&registers)])];
        system.push(device("HPET", &own));
    }
    match platform.chipset {
        Chipset::Reduced => {
            system.extend(isa::serials(platform, edge_interrupt));
            system.extend(virtio_mmio(platform));
            system.extend(ged::devices());
        }
        _ => {
            let mut root = pci::root(platform);
            root.push(isa::bridge(platform));
            system.push(device("PCI0", &root));
            system.extend(pci::links(platform));
        }
    }
    system.push(fw_cfg());
    let mut terms = Vec::new();
    if matches!(platform.chipset, Chipset::Ich9 { .. }) {
        // The guest says here whether it uses the I/O APIC.
        terms.push(name("PICF", &0u8));
        let keep = Term::of(&Store::new(&path("PICF"), &Arg(0)));
        terms.push(method("_PIC", 1, false, &[keep]));
    }
    terms.push(scope("\\_SB_", &system));
    // Type 0 is power off on both chips; the event device has 5.
    let off = if platform.chipset == Chipset::Reduced { lyrebird_devices::acpi::ged::S5 } else { 0 };
    let zero = || Term::of(&0u8);
    terms.push(name("\\_S5_", &package(&[Term::of(&off), zero(), zero(), zero()])));

    let mut dsdt = fixed::table(b"DSDT", 2);
    terms.into_iter().for_each(|term| dsdt.append_slice(&term.into_bytes()));
    dsdt.as_slice().to_vec()
}

fn processors(platform: &Platform) -> Vec<Term> {
    let one =
        |n: usize| device(&format!("C{n:03X}"), &[name("_HID", &"ACPI0007"), name("_UID", &(n as u32))]);
    (0..platform.apic_ids.len()).map(one).collect()
}

fn fw_cfg() -> Term {
    let own = [name("_HID", &"QEMU0002"), name("_STA", &0x0bu8), crs(&[ports(0x510, 12)])];
    device("FWCF", &own)
}

fn virtio_mmio(platform: &Platform) -> impl Iterator<Item = Term> {
    platform.virtio_mmio.iter().enumerate().map(|(n, &(base, gsi))| {
        let registers = Term::of(&Memory32Fixed::new(true, base, 0x200));
        let own = [
            name("_HID", &"LNRO0005"),
            name("_UID", &(n as u32)),
            name("_CCA", &1u8),
            crs(&[registers, level_interrupt(gsi)]),
        ];
        device(&format!("VR{n:02}"), &own)
    })
}
