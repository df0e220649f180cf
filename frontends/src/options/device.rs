//! `-device`, `-global` and `-object`.

use lyrebird_machine::config::DeviceConfig;

use super::{Invocation, Stop, name_list};
use crate::cli::args::MachineArgs;
use crate::cli::keyval::KeyVals;
use crate::exit::{ExitClass, Failure};
use crate::suggest::hint;

/// Reads `-global`, in the form `DRIVER.PROPERTY=VALUE` or with the parts by name.
pub fn globals(args: &MachineArgs, out: &mut Invocation) -> Result<(), Stop> {
    for text in &args.global {
        let mut kv = KeyVals::parse("global", text, None)?;
        let whole = match (kv.take("driver"), kv.take("property"), kv.take("value")) {
            (Some(driver), Some(property), Some(value)) => format!("{driver}.{property}={value}"),
            _ => text.clone(),
        };
        let mut kv = KeyVals::parse("global", &whole, None)?;
        let Some(legacy) = kv.take_bool("virtio-mmio.force-legacy")? else {
            let problem = "no such property here; virtio-mmio.force-legacy=on|off is the only one";
            return Err(Failure::usage(format!("-global {text}: {problem}")).into());
        };
        kv.finish()?;
        out.config.virtio_legacy = legacy;
    }
    Ok(())
}

/// A device that `-device` offers.
struct Offer {
    name: &'static str,
    about: &'static str,
    properties: &'static [(&'static str, &'static str)],
    read: fn(&mut KeyVals) -> Result<DeviceConfig, Failure>,
}

const OFFERS: &[Offer] = &[
    Offer {
        name: "virtio-blk-device",
        about: "disk on a virtio-mmio transport",
        properties: &[
            ("drive", "id of a -drive with if=none"),
            ("serial", "serial number, up to 20 bytes"),
            ("id", "name in reports"),
        ],
        read: virtio_blk,
    },
    Offer {
        name: "virtio-serial-device",
        about: "multi-port console on a virtio-mmio transport",
        properties: &[("max_ports", "number of ports, 1 to 511 (31)"), ("id", "name for bus=")],
        read: virtio_serial,
    },
    Offer {
        name: "virtconsole",
        about: "console port of a virtio-serial-device (hvc0 ...)",
        properties: PORT_PROPERTIES,
        read: |kv| virt_port(kv, true),
    },
    Offer {
        name: "virtserialport",
        about: "plain port of a virtio-serial-device",
        properties: PORT_PROPERTIES,
        read: |kv| virt_port(kv, false),
    },
    Offer {
        name: "virtio-rng-device",
        about: "randomness on a virtio-mmio transport",
        properties: &[
            ("rng", "id of an -object; the host's generator serves all of them"),
            ("max-bytes", "at most so many bytes"),
            ("period", "in so many milliseconds"),
            ("id", "name in reports"),
        ],
        read: virtio_rng,
    },
];

const PORT_PROPERTIES: &[(&str, &str)] = &[
    ("chardev", "id of a -chardev"),
    ("name", "what the guest sees in sysfs"),
    ("nr", "port number (the next free one)"),
    ("bus", "id of the virtio-serial-device, with or without .0 (the last one)"),
    ("id", "name in reports"),
];

/// Names that people know from other boards and versions, and what is meant here.
const ALIASES: &[(&str, &str)] = &[
    ("virtio-blk", "virtio-blk-device"),
    ("virtio-serial", "virtio-serial-device"),
    ("virtio-rng", "virtio-rng-device"),
];

/// Reads all `-device` in order.
pub fn devices(args: &MachineArgs, out: &mut Invocation) -> Result<(), Stop> {
    for text in &args.device {
        if text == "help" || text == "?" {
            return Err(Stop::Help(name_list("Devices (-device)", OFFERS.iter().map(|o| (o.name, o.about)))));
        }
        let mut kv = KeyVals::parse("device", text, Some("driver"))?;
        let typed = kv.take("driver").ok_or_else(|| kv.missing("driver"))?;
        let name = ALIASES.iter().find(|a| a.0 == typed).map_or(typed.as_str(), |a| a.1);
        let Some(offer) = OFFERS.iter().find(|o| o.name == name) else { return Err(unknown(&typed).into()) };
        if text.split(',').skip(1).any(|item| item == "help") {
            let title = format!("Properties of {}", offer.name);
            return Err(Stop::Help(name_list(&title, offer.properties.iter().copied())));
        }
        let device = (offer.read)(&mut kv)?;
        kv.finish()?;
        out.config.devices.push(device);
    }
    Ok(())
}

fn unknown(typed: &str) -> Failure {
    let names = || OFFERS.iter().map(|o| o.name);
    let mmio = typed.strip_suffix("-pci").map(|stem| format!("{stem}-device"));
    let advice = match mmio.filter(|m| names().any(|n| n == m)) {
        Some(mmio) => format!("; the board has no PCI bus yet, use '{mmio}'"),
        None => hint(typed, names()),
    };
    Failure::usage(format!(
        "-device {typed}: no such device{advice}\nvalid here: {}",
        names().collect::<Vec<_>>().join(", ")
    ))
}

fn virtio_blk(kv: &mut KeyVals) -> Result<DeviceConfig, Failure> {
    let drive = kv.take("drive").ok_or_else(|| kv.missing("drive"))?;
    let serial = kv.take("serial");
    if serial.as_ref().is_some_and(|s| s.len() > 20) {
        return Err(kv.bad("serial", serial.as_deref().unwrap_or_default(), "use 20 bytes at most"));
    }
    Ok(DeviceConfig::VirtioBlk { id: kv.take("id"), drive, serial })
}

fn virtio_serial(kv: &mut KeyVals) -> Result<DeviceConfig, Failure> {
    let max_ports = kv.take_u32("max_ports")?.unwrap_or(31);
    if !(1..=511).contains(&max_ports) {
        return Err(kv.bad("max_ports", &max_ports.to_string(), "use 1 to 511"));
    }
    Ok(DeviceConfig::VirtioSerial { id: kv.take("id"), max_ports })
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

fn virtio_rng(kv: &mut KeyVals) -> Result<DeviceConfig, Failure> {
    let _ = kv.take("rng");
    let (bytes, period) = (kv.take_size("max-bytes", 1)?, kv.take_u32("period")?);
    if period == Some(0) {
        return Err(kv.bad("period", "0", "use at least 1"));
    }
    let limit = bytes.map(|b| (b, period.unwrap_or(1 << 16)));
    Ok(DeviceConfig::VirtioRng { id: kv.take("id"), limit })
}

/// `-object`: only sources of randomness, all of which are the host's generator.
pub fn objects(args: &MachineArgs, out: &mut Invocation) -> Result<(), Stop> {
    for text in &args.object {
        let mut kv = KeyVals::parse("object", text, Some("qom-type"))?;
        let name = kv.take("qom-type").ok_or_else(|| kv.missing("qom-type"))?;
        if !["rng-random", "rng-builtin"].contains(&name.as_str()) {
            return Err(Failure::usage(format!(
                "-object {name}: no such object\nvalid here: rng-random, rng-builtin"
            ))
            .into());
        }
        kv.take("id").ok_or_else(|| kv.missing("id"))?;
        if let Some(file) = kv.take("filename")
            && !["/dev/urandom", "/dev/random", "/dev/hwrng"].contains(&file.as_str())
        {
            out.warnings.push(format!("-object {name}: the host's generator is used in place of '{file}'"));
        }
        kv.finish()?;
    }
    Ok(())
}

/// Whether what devices name exists: drives, chardevs, buses, and that ids are unique.
pub fn check(args: &MachineArgs, out: &Invocation) -> Result<(), Failure> {
    let devices = &out.config.devices;
    let mut ids: Vec<&str> = Vec::new();
    for device in devices {
        let id = match device {
            DeviceConfig::VirtioBlk { id, .. }
            | DeviceConfig::VirtioSerial { id, .. }
            | DeviceConfig::VirtPort { id, .. }
            | DeviceConfig::VirtioRng { id, .. } => id,
        };
        if let Some(id) = id {
            if ids.contains(&id.as_str()) {
                return Err(Failure::usage(format!("-device id={id}: this id is taken by another device")));
            }
            ids.push(id);
        }
    }
    let mut used: Vec<&str> = Vec::new();
    for device in devices {
        match device {
            DeviceConfig::VirtioBlk { drive, .. } => {
                let drives = out.config.drives.iter();
                if !drives.clone().any(|d| d.id == *drive && d.pflash.is_none()) {
                    return Err(absent("drive", drive, drives.map(|d| d.id.as_str())));
                }
                if used.contains(&drive.as_str()) {
                    return Err(Failure::new(
                        ExitClass::Impossible,
                        format!(
                            "-device virtio-blk-device,drive={drive}: another device has this drive; \
                             give the -drive if=none, or leave out the -device"
                        ),
                    ));
                }
                used.push(drive);
            }
            DeviceConfig::VirtPort { chardev, bus, console, .. } => {
                if let Some(id) = chardev
                    && !out.chardevs.iter().any(|c| c.id == *id)
                {
                    return Err(absent("chardev", id, out.chardevs.iter().map(|c| c.id.as_str())));
                }
                check_bus(devices, bus.as_deref(), *console)?;
            }
            DeviceConfig::VirtioSerial { .. } | DeviceConfig::VirtioRng { .. } => {}
        }
    }
    let rng_ids: Vec<String> = args.object.iter().filter_map(|o| property(o, "id")).collect();
    for id in args.device.iter().filter_map(|d| property(d, "rng")) {
        if !rng_ids.contains(&id) {
            return Err(absent("rng", &id, rng_ids.iter().map(String::as_str)));
        }
    }
    Ok(())
}

/// The value of `key` in the text of an option that was parsed before.
fn property(text: &str, key: &'static str) -> Option<String> {
    KeyVals::parse("device", text, Some("driver")).ok()?.take(key)
}

fn check_bus(devices: &[DeviceConfig], bus: Option<&str>, console: bool) -> Result<(), Failure> {
    let name = if console { "virtconsole" } else { "virtserialport" };
    let mut buses = devices
        .iter()
        .filter_map(|d| if let DeviceConfig::VirtioSerial { id, .. } = d { Some(id) } else { None });
    let Some(bus) = bus else {
        return match buses.next() {
            Some(_) => Ok(()),
            None => Err(Failure::usage(format!(
                "-device {name}: there is no virtio-serial-device to attach to; put -device virtio-serial-device before it"
            ))),
        };
    };
    let stem = bus.strip_suffix(".0").unwrap_or(bus);
    let names: Vec<&str> = buses.flatten().map(String::as_str).collect();
    if names.contains(&stem) { Ok(()) } else { Err(absent("bus", bus, names.iter().copied())) }
}

fn absent<'a>(key: &str, value: &str, there: impl Iterator<Item = &'a str>) -> Failure {
    let there: Vec<&str> = there.collect();
    let list = if there.is_empty() {
        "none is defined".to_owned()
    } else {
        format!("there are: {}", there.join(", "))
    };
    Failure::usage(format!("-device {key}={value}: not found{}; {list}", hint(value, there.iter().copied())))
}
