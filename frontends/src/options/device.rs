//! `-device`, `-global` and `-object`.

use lyrebird_machine::config::DeviceConfig;

use super::offers::OFFERS;
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

/// Reads all `-device` in order.
pub fn devices(args: &MachineArgs, out: &mut Invocation) -> Result<(), Stop> {
    let here = || OFFERS.iter().filter(|o| o.bus.is_on(&out.config.board));
    let mut devices = Vec::new();
    for text in &args.device {
        if text == "help" || text == "?" {
            return Err(Stop::Help(name_list("Devices (-device)", here().map(|o| (o.name, o.about)))));
        }
        let mut kv = KeyVals::parse("device", text, Some("driver"))?;
        let typed = kv.take("driver").ok_or_else(|| kv.missing("driver"))?;
        let Some(offer) = here().find(|o| o.is(&typed)) else {
            return Err(unknown(&typed, here().map(|o| o.name).collect()).into());
        };
        if text.split(',').skip(1).any(|item| item == "help") {
            let title = format!("Properties of {}", offer.name);
            let rows = offer.properties.iter().chain(offer.bus.properties());
            return Err(Stop::Help(name_list(&title, rows.copied())));
        }
        let place = offer.bus.place(&typed, &mut kv)?;
        let device = (offer.read)(&mut kv, place)?;
        kv.finish()?;
        devices.push(device);
    }
    out.config.devices = devices;
    Ok(())
}

fn unknown(typed: &str, here: Vec<&str>) -> Failure {
    let other = OFFERS.iter().any(|o| o.is(typed));
    let stem = typed.trim_end_matches("-device").trim_end_matches("-pci");
    let advice = match here
        .iter()
        .find(|n| n.strip_prefix(stem).is_some_and(|end| ["-device", "-pci"].contains(&end)))
    {
        Some(name) => format!("; on this board it is '{name}'"),
        None if other => "; not on this board".into(),
        None => hint(typed, here.iter().copied()),
    };
    Failure::usage(format!("-device {typed}: no such device{advice}\nvalid here: {}", here.join(", ")))
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
        if let Some(id) = device.id() {
            if ids.contains(&id) {
                return Err(Failure::usage(format!("-device id={id}: this id is taken by another device")));
            }
            ids.push(id);
        }
    }
    let mut used: Vec<&str> = Vec::new();
    for device in devices {
        match device {
            DeviceConfig::VirtioBlk { drive, .. }
            | DeviceConfig::Disk { drive: Some(drive), .. }
            | DeviceConfig::Floppy { drive, .. } => {
                let drives = out.config.drives.iter();
                if !drives.clone().any(|d| d.id == *drive && d.pflash.is_none()) {
                    return Err(absent("drive", drive, drives.map(|d| d.id.as_str())));
                }
                if used.contains(&drive.as_str()) {
                    return Err(Failure::new(
                        ExitClass::Impossible,
                        format!(
                            "-device drive={drive}: another device has this drive; \
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
            DeviceConfig::Debugcon { chardev, .. } if !out.chardevs.iter().any(|c| c.id == *chardev) => {
                return Err(absent("chardev", chardev, out.chardevs.iter().map(|c| c.id.as_str())));
            }
            _ => {}
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
                "-device {name}: there is no virtio-serial device to attach to; put -device virtio-serial before it"
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
