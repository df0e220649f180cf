//! The boards that `-machine` offers, with their properties.

use std::path::PathBuf;

use lyrebird_machine::config::{Board, GicVersion, MicrovmBoard, PcBoard, PcChipset};

use crate::cli::keyval::KeyVals;
use crate::exit::{ExitClass, Failure};

/// A board.
pub struct Offer {
    /// Its name.
    pub name: &'static str,
    /// A line about it.
    pub about: &'static str,
    /// Its own properties.
    pub properties: &'static [(&'static str, &'static str)],
    /// What QEMU's versioned names of it begin with: `virt` as in `virt-10.0`.
    versions: Option<&'static str>,
    /// Reads its properties into the board.
    pub read: fn(&mut KeyVals, &mut Board) -> Result<(), Failure>,
}

impl Offer {
    /// Whether it is called so.
    pub fn is(&self, name: &str) -> bool {
        let version = || name.strip_prefix(self.versions?)?.strip_prefix('-')?.split_once('.');
        let digits = |n: &str| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit());
        name == self.name || version().is_some_and(|(a, b)| digits(a) && digits(b))
    }
}

/// Properties that every board has.
pub const COMMON: &[(&str, &str)] = &[
    ("accel", "the engine, as -accel"),
    ("graphics", "accepted: there is no display"),
    ("usb", "accepted with the value off: there is no USB"),
];

/// The boards of AArch64 guests, the default first.
pub const ARM: &[Offer] = &[Offer {
    name: "virt",
    about: "the Arm virt board, compatible with QEMU's (default)",
    properties: &[
        ("gic-version", "interrupt controller: 2 (default), 3 or max"),
        ("dumpdtb", "write the device tree to this file and end"),
        ("virtualization", "EL2: off is the only value"),
        ("secure", "EL3: off is the only value"),
        ("mte", "memory tagging: off is the only value"),
        ("highmem", "accepted: there are no devices above 4 GiB"),
        ("its", "accepted: there is no interrupt translation service"),
        ("acpi", "accepted: tables are a device tree"),
    ],
    versions: Some("virt"),
    read: virt,
}];

fn virt(kv: &mut KeyVals, board: &mut Board) -> Result<(), Failure> {
    let Board::Virt(virt) = board else { return Ok(()) };
    let versions = [("2", GicVersion::V2), ("3", GicVersion::V3), ("max", GicVersion::Max)];
    virt.gic = kv.take_enum("gic-version", &versions)?.unwrap_or(virt.gic);
    virt.dump_dtb = kv.take("dumpdtb").map(PathBuf::from).or(virt.dump_dtb.take());
    for key in ["virtualization", "secure", "mte"] {
        off_only(kv, key)?;
    }
    for key in ["highmem", "its", "acpi"] {
        kv.take_or_auto(key)?;
    }
    Ok(())
}

/// The boards of x86 guests, the default first.
pub const X86: &[Offer] = &[
    Offer {
        name: "pc",
        about: "PC with i440FX and PIIX3, compatible with QEMU's (default)",
        properties: PC_PROPERTIES,
        versions: Some("pc-i440fx"),
        read: |kv, board| pc(PcChipset::I440fx, kv, board),
    },
    Offer {
        name: "q35",
        about: "PC with Q35 and ICH9, compatible with QEMU's",
        properties: PC_PROPERTIES,
        versions: Some("pc-q35"),
        read: |kv, board| pc(PcChipset::Q35, kv, board),
    },
    Offer {
        name: "isapc",
        about: "PC without PCI",
        properties: PC_PROPERTIES,
        versions: None,
        read: |kv, board| pc(PcChipset::Isa, kv, board),
    },
    Offer {
        name: "microvm",
        about: "x86 without PCI: virtio-mmio, a serial port, the chips of a PC",
        properties: &[
            ("pic", "8259 interrupt controllers (on)"),
            ("pit", "8254 timer (on)"),
            ("rtc", "clock with CMOS memory (on)"),
            ("isa-serial", "serial port (on)"),
            ("auto-kernel-cmdline", "tell the kernel of virtio devices on its command line (on)"),
            ("acpi", "ACPI tables and a power button, else MP tables (on)"),
            ("ioapic2", "off is the only value"),
            ("x-option-roms", "accepted: there are none"),
        ],
        versions: None,
        read: microvm,
    },
];

const PC_PROPERTIES: &[(&str, &str)] = &[
    ("acpi", "ACPI tables (on; off on isapc)"),
    ("hpet", "high precision event timer (on; off on isapc)"),
    ("direct", "start a -kernel without firmware, unless there is a -bios (on)"),
    ("pit", "8254 timer (on)"),
    ("i8042", "keyboard controller (on)"),
    ("smm", "system management mode, on processors from the Pentium on (on; off on isapc)"),
    ("vmport", "accepted: there is no VMware port"),
    ("smbus", "accepted: there is no SMBus"),
    ("sata", "accepted: the AHCI controller is always there"),
    ("kernel-irqchip", "accepted: interrupt controllers are emulated"),
];

fn pc(chipset: PcChipset, kv: &mut KeyVals, board: &mut Board) -> Result<(), Failure> {
    let mut pc = match board {
        Board::Pc(pc) if pc.chipset == chipset => pc.clone(),
        _ => PcBoard::new(chipset),
    };
    for (key, place) in [
        ("acpi", &mut pc.acpi),
        ("hpet", &mut pc.hpet),
        ("pit", &mut pc.pit),
        ("i8042", &mut pc.i8042),
        ("direct", &mut pc.direct),
    ] {
        *place = kv.take_bool(key)?.unwrap_or(*place);
    }
    pc.smm = kv
        .take_enum("smm", &[("on", true), ("auto", chipset != PcChipset::Isa), ("off", false)])?
        .unwrap_or(pc.smm);
    if chipset == PcChipset::Isa && (pc.acpi || pc.hpet || pc.smm) {
        let why = "-machine isapc: it has no ACPI, no HPET and no SMM; leave them out";
        return Err(Failure::new(ExitClass::Impossible, why));
    }
    *board = Board::Pc(pc);
    for key in ["vmport", "smbus", "sata", "kernel-irqchip"] {
        kv.take(key);
    }
    Ok(())
}

fn microvm(kv: &mut KeyVals, board: &mut Board) -> Result<(), Failure> {
    if !matches!(board, Board::Microvm(_)) {
        *board = Board::Microvm(MicrovmBoard::default());
    }
    let Board::Microvm(microvm) = board else { return Ok(()) };
    for (key, place) in [
        ("pic", &mut microvm.pic),
        ("pit", &mut microvm.pit),
        ("rtc", &mut microvm.rtc),
        ("isa-serial", &mut microvm.isa_serial),
        ("auto-kernel-cmdline", &mut microvm.auto_kernel_cmdline),
    ] {
        *place = kv.take_bool(key)?.unwrap_or(*place);
    }
    microvm.acpi =
        kv.take_enum("acpi", &[("on", true), ("auto", true), ("off", false)])?.unwrap_or(microvm.acpi);
    for key in ["ioapic2", "pcie"] {
        off_only(kv, key)?;
    }
    kv.take_or_auto("x-option-roms")?;
    Ok(())
}

/// Takes a property whose only value is `off`.
pub fn off_only(kv: &mut KeyVals, key: &'static str) -> Result<(), Failure> {
    if kv.take_bool(key)? == Some(true) {
        return Err(Failure::new(
            ExitClass::Impossible,
            format!("-machine {key}=on: not available; leave it out or say {key}=off"),
        ));
    }
    Ok(())
}
