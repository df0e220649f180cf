//! Devices at the ISA bridge.

use super::aml::{Term, crs, device, dma, hid, irq, name, ports};
use super::{Chipset, Platform, pci};

/// The bridge with everything behind it.
pub(super) fn bridge(platform: &Platform) -> Term {
    let address: u32 = if platform.chipset == Chipset::Piix { 0x1_0000 } else { 0x1f_0000 };
    let mut terms = vec![name("_ADR", &address)];
    terms.extend(pci::route_registers(platform));
    terms.push(device("RTC_", &[hid("PNP0B00"), crs(&[ports(0x70, 8), irq(8)])]));
    if platform.i8042 {
        let keyboard = [hid("PNP0303"), crs(&[ports(0x60, 1), ports(0x64, 1), irq(1)])];
        terms.push(device("KBD_", &keyboard));
        terms.push(device("MOU_", &[hid("PNP0F13"), crs(&[irq(12)])]));
    }
    if platform.floppy {
        let floppy = [hid("PNP0700"), crs(&[ports(0x3f2, 4), ports(0x3f7, 1), irq(6), dma(2)])];
        terms.push(device("FDC0", &floppy));
    }
    terms.extend(serials(platform, |n| irq(n as u8)));
    device("ISA_", &terms)
}

/// Serial ports; `interrupt` describes one.
pub(super) fn serials(platform: &Platform, interrupt: impl Fn(u32) -> Term) -> Vec<Term> {
    const PLACES: [(u16, u32); 4] = [(0x3f8, 4), (0x2f8, 3), (0x3e8, 4), (0x2e8, 3)];
    let there = (1u32..).zip(PLACES).zip(platform.serials).filter(|(_, there)| *there);
    there
        .map(|((n, (port, irq)), _)| {
            let own = [hid("PNP0501"), name("_UID", &n), crs(&[ports(port, 8), interrupt(irq)])];
            device(&format!("COM{n}"), &own)
        })
        .collect()
}
