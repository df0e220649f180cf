//! The tables of Intel's MultiProcessor Specification, version 1.4, chapter 4: they tell a kernel that no firmware starts of
//! processors, I/O APIC and ISA interrupts, where there are no ACPI tables.

use crate::loader::{Content, Piece};
use lyrebird_devices::intc::ioapic::IoApic;
use lyrebird_devices::intc::lapic::Lapics;

/// Where it lies: in the area of firmware, where kernels look for it.
const AT: u64 = 0xF_0000;

/// Kinds of entries.
mod entry {
    pub const PROCESSOR: u8 = 0;
    pub const BUS: u8 = 1;
    pub const IO_APIC: u8 = 2;
    pub const IO_INTERRUPT: u8 = 3;
    pub const LOCAL_INTERRUPT: u8 = 4;
}

/// Kinds of interrupts.
mod kind {
    pub const INT: u8 = 0;
    pub const NMI: u8 = 1;
    pub const EXT_INT: u8 = 3;
}

const LAPIC_VERSION: u8 = 0x14;
const IO_APIC_VERSION: u8 = 0x20;
const ENABLED: u8 = 1;
const BOOT_PROCESSOR: u8 = 2;
/// FPU and on-chip APIC.
const FEATURES: u32 = 1 | 1 << 9;

/// Makes all bytes sum up to zero.
fn check(table: &mut [u8], at: usize) {
    let sum = table.iter().fold(0u8, |sum, b| sum.wrapping_add(*b));
    if let Some(byte) = table.get_mut(at) {
        *byte = byte.wrapping_sub(sum);
    }
}

/// The tables of `cpus` processors with this signature, whose ISA interrupts come in as on any PC.
pub(super) fn table(cpus: u32, signature: u32) -> Piece {
    let io_apic_id = cpus as u8;
    let mut entries: Vec<Vec<u8>> = Vec::new();
    for cpu in 0..cpus {
        let flags = ENABLED | if cpu == 0 { BOOT_PROCESSOR } else { 0 };
        let mut e = vec![entry::PROCESSOR, cpu as u8, LAPIC_VERSION, flags];
        e.extend(signature.to_le_bytes());
        e.extend(FEATURES.to_le_bytes());
        e.extend([0; 8]);
        entries.push(e);
    }
    entries.push([&[entry::BUS, 0], b"ISA   ".as_slice()].concat());
    let mut e = vec![entry::IO_APIC, io_apic_id, IO_APIC_VERSION, ENABLED];
    e.extend((IoApic::ADDRESS as u32).to_le_bytes());
    entries.push(e);
    for irq in (0..16).filter(|irq| *irq != 2) {
        let pin = if irq == 0 { 2 } else { irq };
        entries.push(vec![entry::IO_INTERRUPT, kind::INT, 0, 0, 0, irq, io_apic_id, pin]);
    }
    entries.push(vec![entry::LOCAL_INTERRUPT, kind::EXT_INT, 0, 0, 0, 0, 0xFF, 0]);
    entries.push(vec![entry::LOCAL_INTERRUPT, kind::NMI, 0, 0, 0, 0, 0xFF, 1]);

    let mut config = b"PCMP\0\0\x04\0LYREBIRDMICROVM     ".to_vec();
    config.extend([0; 6]);
    config.extend((entries.len() as u16).to_le_bytes());
    config.extend((Lapics::ADDRESS as u32).to_le_bytes());
    config.extend([0; 4]);
    config.extend(entries.concat());
    let len = (config.len() as u16).to_le_bytes();
    config.splice(4..6, len);
    check(&mut config, 7);

    let mut bytes = b"_MP_".to_vec();
    bytes.extend((AT as u32 + 16).to_le_bytes());
    bytes.extend([1, 4, 0, 0, 0, 0, 0, 0]);
    check(&mut bytes, 10);
    bytes.extend(config);
    Piece { at: AT, content: Content::Bytes(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_and_lengths() {
        let Piece { content: Content::Bytes(bytes), .. } = table(4, 0x663) else { panic!("it is no file") };
        let sum = |b: &[u8]| b.iter().fold(0u8, |sum, b| sum.wrapping_add(*b));
        let (pointer, config) = bytes.split_at(16);
        assert_eq!((sum(pointer), sum(config)), (0, 0));
        assert_eq!(usize::from(u16::from_le_bytes([config[4], config[5]])), config.len());
        let count = u16::from_le_bytes([config[34], config[35]]);
        // Four processors, a bus, an I/O APIC, 15 interrupts, two local ones.
        assert_eq!((count, config.len()), (23, 44 + 4 * 20 + 19 * 8));
    }
}
