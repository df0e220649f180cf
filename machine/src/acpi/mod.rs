//! ACPI tables of the PC boards, made with `acpi_tables`.
//!
//! After ACPI 6.5, and for what the boards are after QEMU's: the same devices at the same addresses with the same
//! interrupts. [`build`] makes them as one block with the list of what points where ([`linker`]): firmware gets both
//! by fw_cfg and places them itself, a kernel that starts without firmware finds them at [`DIRECT`].
//!
//! Left out on purpose: sleep states other than S5, hotplug, thermal zones, `_OSC` (there is no PCI Express feature to
//! hand over).

mod aml;
mod dsdt;
mod fixed;
pub mod ged;
mod isa;
pub mod linker;
mod pci;
#[cfg(test)]
mod tests;

use linker::Blob;

/// Where a kernel that starts without firmware finds the root pointer; tables follow.
pub const DIRECT: u64 = 0xe_0000;

/// What the tables tell the guest of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Platform {
    /// The chips that everything else follows from.
    pub chipset: Chipset,
    /// Local APIC IDs of the processors.
    pub apic_ids: Vec<u8>,
    /// Addresses below 4 GiB for PCI devices: first and last.
    pub pci_hole: (u32, u32),
    /// Addresses above RAM for PCI devices: first and last.
    pub pci_hole_64: Option<(u64, u64)>,
    /// Whether there is an HPET.
    pub hpet: bool,
    /// Serial ports at the usual four places.
    pub serials: [bool; 4],
    /// Whether there is a floppy controller.
    pub floppy: bool,
    /// Whether there is a keyboard controller, with a mouse.
    pub i8042: bool,
    /// virtio-mmio transports: address and interrupt of each.
    pub virtio_mmio: Vec<(u32, u32)>,
}

/// Chips of the boards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chipset {
    /// i440FX and PIIX3 with PIIX4's power management: `pc`.
    Piix,
    /// Q35 and ICH9 with memory-mapped configuration space at this address: `q35`.
    Ich9 {
        /// Base of 256 MiB.
        ecam: u32,
    },
    /// No chipset: hardware-reduced ACPI with QEMU's generic event device, as `microvm` has it.
    Reduced,
}

/// Makes all tables.
pub fn build(platform: &Platform) -> Blob {
    let mut blob = Blob::default();
    // The FACS comes first: the block is aligned as it asks for.
    let facs = (platform.chipset != Chipset::Reduced).then(|| blob.add(fixed::facs()));
    let dsdt = blob.add(dsdt::build(platform));
    let mut listed = vec![fixed::fadt(&mut blob, platform, facs, dsdt), blob.add(fixed::madt(platform))];
    if platform.hpet {
        listed.push(blob.add(fixed::hpet()));
    }
    if let Chipset::Ich9 { ecam } = platform.chipset {
        listed.push(blob.add(fixed::mcfg(ecam)));
    }
    fixed::roots(&mut blob, &listed);
    blob
}
