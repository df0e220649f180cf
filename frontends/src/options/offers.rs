//! The devices that `-device` offers: their names, properties, and which boards have a bus for them.

use lyrebird_machine::config::{Board, DeviceConfig, PcChipset, PciPlace};

use crate::cli::keyval::KeyVals;
use crate::exit::Failure;

/// What a device hangs on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Bus {
    /// A virtio-mmio transport.
    Mmio,
    /// PCI.
    Pci,
    /// A PC's IDE or AHCI controller.
    Ide,
    /// A PC's I/O ports.
    Isa,
    /// Another device.
    Any,
}

impl Bus {
    /// Whether a board has it.
    pub fn is_on(self, board: &Board) -> bool {
        let pc = matches!(board, Board::Pc(_));
        match self {
            Bus::Mmio => !pc,
            Bus::Any => true,
            Bus::Pci => matches!(board, Board::Pc(pc) if pc.chipset != PcChipset::Isa),
            _ => pc,
        }
    }

    /// Properties of all devices on it.
    pub fn properties(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Bus::Pci => &[
                ("addr", "slot and function, as in 5 or 5.1 (the lowest free slot)"),
                ("disable-legacy", "leave out the interface of virtio 0.9 (off)"),
                ("vectors", "number of MSI-X vectors"),
                ("bootindex", "place in the boot order; the smallest is first"),
            ],
            _ => &[],
        }
    }

    /// Takes them; `typed` is the device's name.
    pub fn place(self, typed: &str, kv: &mut KeyVals) -> Result<PciPlace, Failure> {
        if self != Bus::Pci {
            return Ok(PciPlace::default());
        }
        let bus = kv.take("bus");
        if let Some(bus) = bus.filter(|bus| !["pci.0", "pcie.0"].contains(&bus.as_str())) {
            return Err(kv.bad("bus", &bus, "there is one PCI bus: pci.0 on pc, pcie.0 on q35"));
        }
        let addr = match kv.take("addr") {
            None => None,
            Some(text) => Some(address(&text).ok_or_else(|| {
                kv.bad("addr", &text, "use a slot from 0 to 1f, or a slot and a function, as in 5.1")
            })?),
        };
        let switch = [("on", true), ("off", false), ("auto", false)];
        let no_legacy = kv.take_enum("disable-legacy", &switch)?.unwrap_or(false);
        let vectors = kv.take_u32("vectors")?.map(|n| n.min(2048) as u16);
        let modern_only = no_legacy || typed.ends_with("-non-transitional");
        Ok(PciPlace { addr, modern_only, vectors, boot: kv.take_u32("bootindex")? })
    }
}

/// `SLOT` or `SLOT.FUNCTION`, hexadecimal.
fn address(text: &str) -> Option<(u8, u8)> {
    let (slot, function) = text.split_once('.').unwrap_or((text, "0"));
    let number = |text: &str, most: u8| {
        let text = text.strip_prefix("0x").unwrap_or(text);
        u8::from_str_radix(text, 16).ok().filter(|&n| n <= most)
    };
    Some((number(slot, 0x1f)?, number(function, 7)?))
}

/// A device that `-device` offers.
pub struct Offer {
    /// Its name.
    pub name: &'static str,
    /// Other names of it.
    aliases: &'static [&'static str],
    /// What it hangs on.
    pub bus: Bus,
    /// A line about it.
    pub about: &'static str,
    /// Its properties besides those of its bus.
    pub properties: &'static [(&'static str, &'static str)],
    /// Reads them.
    pub read: fn(&mut KeyVals, PciPlace) -> Result<DeviceConfig, Failure>,
}

impl Offer {
    /// Whether it is called so.
    pub fn is(&self, name: &str) -> bool {
        self.name == name || self.aliases.contains(&name)
    }
}

/// All of them, for all boards.
pub const OFFERS: &[Offer] = &[
    Offer {
        name: "virtio-blk-device",
        aliases: &["virtio-blk"],
        bus: Bus::Mmio,
        about: "disk on a virtio-mmio transport",
        properties: BLK_PROPERTIES,
        read: virtio_blk,
    },
    Offer {
        name: "virtio-blk-pci",
        aliases: &["virtio-blk", "virtio-blk-pci-transitional", "virtio-blk-pci-non-transitional"],
        bus: Bus::Pci,
        about: "virtio disk",
        properties: BLK_PROPERTIES,
        read: virtio_blk,
    },
    Offer {
        name: "virtio-serial-device",
        aliases: &["virtio-serial"],
        bus: Bus::Mmio,
        about: "multi-port console on a virtio-mmio transport",
        properties: SERIAL_PROPERTIES,
        read: virtio_serial,
    },
    Offer {
        name: "virtio-serial-pci",
        aliases: &["virtio-serial", "virtio-serial-pci-transitional", "virtio-serial-pci-non-transitional"],
        bus: Bus::Pci,
        about: "multi-port console",
        properties: SERIAL_PROPERTIES,
        read: virtio_serial,
    },
    Offer {
        name: "virtconsole",
        aliases: &[],
        bus: Bus::Any,
        about: "console port of a virtio-serial device (hvc0 ...)",
        properties: PORT_PROPERTIES,
        read: |kv, _| virt_port(kv, true),
    },
    Offer {
        name: "virtserialport",
        aliases: &[],
        bus: Bus::Any,
        about: "plain port of a virtio-serial device",
        properties: PORT_PROPERTIES,
        read: |kv, _| virt_port(kv, false),
    },
    Offer {
        name: "virtio-rng-device",
        aliases: &["virtio-rng"],
        bus: Bus::Mmio,
        about: "randomness on a virtio-mmio transport",
        properties: RNG_PROPERTIES,
        read: virtio_rng,
    },
    Offer {
        name: "virtio-rng-pci",
        aliases: &["virtio-rng", "virtio-rng-pci-transitional", "virtio-rng-pci-non-transitional"],
        bus: Bus::Pci,
        about: "randomness",
        properties: RNG_PROPERTIES,
        read: virtio_rng,
    },
    Offer {
        name: "ide-hd",
        aliases: &[],
        bus: Bus::Ide,
        about: "disk at the board's IDE or AHCI controller",
        properties: IDE_PROPERTIES,
        read: |kv, _| ide(kv, false),
    },
    Offer {
        name: "ide-cd",
        aliases: &[],
        bus: Bus::Ide,
        about: "CD-ROM drive at the board's IDE or AHCI controller",
        properties: IDE_PROPERTIES,
        read: |kv, _| ide(kv, true),
    },
    Offer {
        name: "isa-debug-exit",
        aliases: &[],
        bus: Bus::Isa,
        about: "port whose writes end the program",
        properties: &[("iobase", "port (0x501)"), ("iosize", "ports (2)")],
        read: |kv, _| {
            Ok(DeviceConfig::DebugExit {
                port: port(kv, "iobase", 0x501)?,
                len: match port(kv, "iosize", 2)? {
                    n @ 1..=4 => n,
                    n => return Err(kv.bad("iosize", &n.to_string(), "use 1 to 4 ports")),
                },
            })
        },
    },
    Offer {
        name: "isa-debugcon",
        aliases: &[],
        bus: Bus::Isa,
        about: "port whose writes are output",
        properties: &[("iobase", "port (0xe9)"), ("chardev", "id of a -chardev")],
        read: |kv, _| {
            let port = port(kv, "iobase", 0xE9)?;
            Ok(DeviceConfig::Debugcon {
                port,
                chardev: kv.take("chardev").ok_or_else(|| kv.missing("chardev"))?,
            })
        },
    },
    Offer {
        name: "pvpanic",
        aliases: &[],
        bus: Bus::Isa,
        about: "port through which the guest reports a panic",
        properties: &[("ioport", "port (0x505)")],
        read: |kv, _| Ok(DeviceConfig::Pvpanic { port: port(kv, "ioport", 0x505)? }),
    },
    Offer {
        name: "pc-testdev",
        aliases: &[],
        bus: Bus::Isa,
        about: "what kvm-unit-tests ask of a PC",
        properties: &[],
        read: |_, _| Ok(DeviceConfig::PcTestdev),
    },
];

const BLK_PROPERTIES: &[(&str, &str)] = &[
    ("drive", "id of a -drive with if=none"),
    ("serial", "serial number, up to 20 bytes"),
    ("id", "name in reports"),
];

const SERIAL_PROPERTIES: &[(&str, &str)] =
    &[("max_ports", "number of ports, 1 to 511 (31)"), ("id", "name for bus=")];

const RNG_PROPERTIES: &[(&str, &str)] = &[
    ("rng", "id of an -object; the host's generator serves all of them"),
    ("max-bytes", "at most so many bytes"),
    ("period", "in so many milliseconds"),
    ("id", "name in reports"),
];

const IDE_PROPERTIES: &[(&str, &str)] = &[
    ("drive", "id of a -drive with if=none; a CD-ROM drive may be empty"),
    ("bus", "ide.0 and ide.1 on pc, ide.0 to ide.5 on q35 (the first with room)"),
    ("unit", "0 or 1 on pc, 0 on q35 (the first that is free)"),
    ("serial", "serial number, up to 20 bytes"),
    ("bootindex", "place in the boot order; the smallest is first"),
    ("id", "name in reports"),
];

const PORT_PROPERTIES: &[(&str, &str)] = &[
    ("chardev", "id of a -chardev"),
    ("name", "what the guest sees in sysfs"),
    ("nr", "port number (the next free one)"),
    ("bus", "id of the virtio-serial device, with or without .0 (the last one)"),
    ("id", "name in reports"),
];

fn port(kv: &mut KeyVals, key: &'static str, default: u16) -> Result<u16, Failure> {
    match kv.take_u32(key)? {
        None => Ok(default),
        Some(n) => u16::try_from(n).map_err(|_| kv.bad(key, &n.to_string(), "use a port up to 0xffff")),
    }
}

fn serial(kv: &mut KeyVals) -> Result<Option<String>, Failure> {
    let serial = kv.take("serial");
    match &serial {
        Some(text) if text.len() > 20 => Err(kv.bad("serial", text, "use 20 bytes at most")),
        _ => Ok(serial),
    }
}

fn virtio_blk(kv: &mut KeyVals, place: PciPlace) -> Result<DeviceConfig, Failure> {
    let drive = kv.take("drive").ok_or_else(|| kv.missing("drive"))?;
    let serial = serial(kv)?;
    Ok(DeviceConfig::VirtioBlk { id: kv.take("id"), drive, serial, place })
}

fn ide(kv: &mut KeyVals, cdrom: bool) -> Result<DeviceConfig, Failure> {
    let drive = kv.take("drive");
    if drive.is_none() && !cdrom {
        return Err(kv.missing("drive"));
    }
    let bus = match kv.take("bus") {
        None => None,
        Some(text) => match text.strip_prefix("ide.").and_then(|n| n.parse().ok()) {
            Some(n) => Some(n),
            None => return Err(kv.bad("bus", &text, "use ide.0, ide.1 ...")),
        },
    };
    let (unit, boot, serial) = (kv.take_u32("unit")?, kv.take_u32("bootindex")?, serial(kv)?);
    Ok(DeviceConfig::Disk { id: kv.take("id"), drive, cdrom, bus, unit, serial, boot })
}

fn virtio_serial(kv: &mut KeyVals, place: PciPlace) -> Result<DeviceConfig, Failure> {
    let max_ports = kv.take_u32("max_ports")?.unwrap_or(31);
    if !(1..=511).contains(&max_ports) {
        return Err(kv.bad("max_ports", &max_ports.to_string(), "use 1 to 511"));
    }
    Ok(DeviceConfig::VirtioSerial { id: kv.take("id"), max_ports, place })
}

fn virt_port(kv: &mut KeyVals, console: bool) -> Result<DeviceConfig, Failure> {
    Ok(DeviceConfig::VirtPort {
        id: kv.take("id"),
        console,
        chardev: kv.take("chardev"),
        name: kv.take("name"),
        nr: kv.take_u32("nr")?,
        bus: kv.take("bus"),
    })
}

fn virtio_rng(kv: &mut KeyVals, place: PciPlace) -> Result<DeviceConfig, Failure> {
    let _ = kv.take("rng");
    let (bytes, period) = (kv.take_size("max-bytes", 1)?, kv.take_u32("period")?);
    if period == Some(0) {
        return Err(kv.bad("period", "0", "use at least 1"));
    }
    let limit = bytes.map(|b| (b, period.unwrap_or(1 << 16)));
    Ok(DeviceConfig::VirtioRng { id: kv.take("id"), limit, place })
}
