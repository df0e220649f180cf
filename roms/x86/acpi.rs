//! The firmware's ACPI tables: where they are, how many processors they list, and how to power off.
//!
//! Source: ACPI 6.5, chapters 4.8 (fixed hardware), 5.2 (tables). There is no AML interpreter: the value that goes into
//! SLP_TYP is found by the bytes of `\_S5`, as firmware writes them.

use crate::loader;
use crate::memory::{poke8, read};
use crate::port;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

static RSDP: AtomicU64 = AtomicU64::new(0);

/// Finds the RSDP: the loader says where, or it lies in the first KiB of the EBDA or between 0xe0000 and 0xfffff.
pub fn start() {
    let ebda = u64::from(read::<u16>(0x40e).unwrap_or(0)) << 4;
    let here = |address: &u64| read::<[u8; 8]>(*address) == Some(*b"RSD PTR ");
    let found = loader::rsdp()
        .filter(here)
        .or_else(|| (ebda..ebda + 1024).step_by(16).find(here))
        .or_else(|| (0xe_0000..0x10_0000).step_by(16).find(here));
    RSDP.store(found.unwrap_or(0), Relaxed);
}

/// The RSDP's address, and the revision it has.
pub fn rsdp() -> Option<(u64, u8)> {
    let address = RSDP.load(Relaxed);
    Some((address, read::<u8>(address + 15).filter(|_| address != 0)?))
}

/// The addresses of all tables that the XSDT, or else the RSDT, lists.
pub fn tables() -> impl Iterator<Item = u64> {
    let (root, width) = match rsdp() {
        Some((rsdp, 2..)) => (read::<u64>(rsdp + 24).unwrap_or(0), 8),
        Some((rsdp, _)) => (u64::from(read::<u32>(rsdp + 16).unwrap_or(0)), 4),
        None => (0, 4),
    };
    let end = root + u64::from(read::<u32>(root + 4).unwrap_or(0).min(0x1000));
    (root + 36..end)
        .step_by(width)
        .filter_map(move |at| if width == 8 { read(at) } else { read::<u32>(at).map(u64::from) })
}

/// The signature of the table at `address`.
pub fn signature(address: u64) -> Option<[u8; 4]> {
    read(address)
}

fn table(name: [u8; 4]) -> Option<u64> {
    tables().find(|&address| signature(address) == Some(name))
}

/// Enabled processors in the MADT, or 1 if there is none.
pub fn processors() -> u32 {
    let Some(madt) = table(*b"APIC") else { return 1 };
    let end = madt + u64::from(read::<u32>(madt + 4).unwrap_or(0).min(0x1_0000));
    let (mut at, mut count) = (madt + 44, 0);
    while at + 2 <= end {
        let (kind, length) = (read::<u8>(at).unwrap_or(0), read::<u8>(at + 1).unwrap_or(0));
        let flags = match kind {
            0 => read::<u32>(at + 4),
            9 => read::<u32>(at + 8),
            _ => None,
        };
        count += flags.unwrap_or(0) & 1;
        at += u64::from(length.max(2));
    }
    count.max(1)
}

/// Enters S5 by the register that the FADT names; comes back if that did not work.
pub fn off() {
    let Some(fadt) = table(*b"FACP") else { return };
    let byte = |at: u64| read::<u8>(fadt + at).unwrap_or(0);
    let word = |at: u64| read::<u32>(fadt + at).unwrap_or(0);
    if word(112) & 1 << 20 != 0 {
        // Hardware-reduced: the sleep control register is one byte, in memory or in ports.
        let (address, value) = (read::<u64>(fadt + 248).unwrap_or(0), 5 << 2 | 0x20);
        match byte(244) {
            0 if address != 0 && address < 1 << 32 => poke8(address, value),
            1 => port::write(address as u16, value),
            _ => {}
        }
        return;
    }
    let control = word(64) as u16;
    if control != 0 {
        let kept = port::read16(control) & !0x3c00;
        port::write16(control, kept | sleep_type(u64::from(word(40))) << 10 | 1 << 13);
    }
}

/// The first element of the package `\_S5` in the DSDT at `dsdt`.
fn sleep_type(dsdt: u64) -> u16 {
    let end = dsdt + u64::from(read::<u32>(dsdt + 4).unwrap_or(0).min(0x10_0000));
    let Some(name) = (dsdt + 36..end).find(|&at| read::<[u8; 4]>(at) == Some(*b"_S5_")) else { return 0 };
    // PackageOp, PkgLength of one byte, NumElements, and a byte by prefix or one of the constants 0 and 1.
    match read::<[u8; 5]>(name + 4) {
        Some([0x12, _, _, 0x0a, value]) => u16::from(value & 7),
        Some([0x12, _, _, value @ 0..=1, _]) => u16::from(value),
        _ => 0,
    }
}
