//! Boards and their properties.

use std::path::PathBuf;

/// The board: one variant per machine type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Board {
    /// The Arm `virt` board.
    Virt(VirtBoard),
    /// The x86 `microvm` board.
    Microvm(MicrovmBoard),
    /// The x86 boards `pc`, `q35` and `isapc`.
    Pc(PcBoard),
}

impl Default for Board {
    fn default() -> Self {
        Board::Virt(VirtBoard::default())
    }
}

/// Properties of the Arm `virt` board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VirtBoard {
    /// `gic-version`.
    pub gic: GicVersion,
    /// `dumpdtb`: write the device tree to this file and end.
    pub dump_dtb: Option<PathBuf>,
}

impl Default for VirtBoard {
    fn default() -> Self {
        Self { gic: GicVersion::V2, dump_dtb: None }
    }
}

/// Properties of the x86 `microvm` board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MicrovmBoard {
    /// `pic`: the 8259s.
    pub pic: bool,
    /// `pit`: the 8254.
    pub pit: bool,
    /// `rtc`: the clock with its CMOS memory.
    pub rtc: bool,
    /// `isa-serial`: the serial port.
    pub isa_serial: bool,
    /// `acpi`: tables and the generic event device.
    pub acpi: bool,
    /// `auto-kernel-cmdline`: a kernel's command line says where devices are.
    pub auto_kernel_cmdline: bool,
}

impl Default for MicrovmBoard {
    fn default() -> Self {
        Self { pic: true, pit: true, rtc: true, isa_serial: true, acpi: true, auto_kernel_cmdline: true }
    }
}

/// The chips that a PC is built around.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PcChipset {
    /// i440FX and PIIX3: `pc`.
    I440fx,
    /// Q35 and ICH9: `q35`.
    Q35,
    /// None, and no PCI: `isapc`.
    Isa,
}

/// Properties of the x86 boards `pc`, `q35` and `isapc`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PcBoard {
    /// Which of them.
    pub chipset: PcChipset,
    /// `acpi`: ACPI tables; not on `isapc`.
    pub acpi: bool,
    /// `hpet`: the high precision event timer; not on `isapc`.
    pub hpet: bool,
    /// `pit`: the 8254.
    pub pit: bool,
    /// `i8042`: the keyboard controller.
    pub i8042: bool,
    /// `smm`: system management mode, on processors that have it; not on `isapc`.
    pub smm: bool,
    /// `direct`: a `-kernel` is started without firmware, unless a `-bios` is given.
    pub direct: bool,
}

impl PcBoard {
    /// The board as it is without properties.
    pub fn new(chipset: PcChipset) -> Self {
        let pci = chipset != PcChipset::Isa;
        Self { chipset, acpi: pci, hpet: pci, pit: true, i8042: true, smm: pci, direct: true }
    }
}

/// The interrupt controller of the `virt` board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GicVersion {
    /// GICv2: eight processors at most.
    V2,
    /// GICv3 with redistributors and system-register interface.
    V3,
    /// The newest that the board offers.
    Max,
}
