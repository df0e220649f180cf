//! `-drive`, `-hda`, `-hdb`.

use std::path::PathBuf;

use lyrebird_machine::config::{CacheMode, DeviceConfig, Drive, ImageFormat};

use super::{Invocation, Stop};
use crate::cli::args::MachineArgs;
use crate::cli::keyval::KeyVals;
use crate::exit::{ExitClass, Failure};

#[derive(Clone, Copy, PartialEq)]
enum Interface {
    Virtio,
    None,
    Pflash,
}

/// Reads all drives; a drive with `if=virtio` (the default) gets its device behind those of `-device`.
pub fn read(args: &MachineArgs, out: &mut Invocation) -> Result<(), Stop> {
    for (name, file) in [("hda", &args.hda), ("hdb", &args.hdb)] {
        if let Some(file) = file {
            plug(name, plain(name, file.clone()), out)?;
        }
    }
    for (index, text) in args.drive.iter().enumerate() {
        drive(index, text, out)?;
    }
    Ok(())
}

/// A drive of `file` with everything else by default.
pub fn plain(id: &str, file: PathBuf) -> Drive {
    Drive {
        id: id.to_owned(),
        file,
        format: None,
        pflash: None,
        read_only: false,
        snapshot: false,
        cache: CacheMode::default(),
        discard: false,
        locking: true,
        data_file: None,
    }
}

/// Adds a drive and a virtio disk that holds it.
pub fn plug(option: &str, drive: Drive, out: &mut Invocation) -> Result<(), Stop> {
    out.config.devices.push(DeviceConfig::VirtioBlk { id: None, drive: drive.id.clone(), serial: None });
    add(option, drive, out)
}

fn add(option: &str, drive: Drive, out: &mut Invocation) -> Result<(), Stop> {
    if out.config.drives.iter().any(|d| d.id == drive.id) {
        return Err(
            Failure::usage(format!("-{option} id={}: this id is taken by another drive", drive.id)).into()
        );
    }
    out.config.drives.push(drive);
    Ok(())
}

fn drive(index: usize, text: &str, out: &mut Invocation) -> Result<(), Stop> {
    let mut kv = KeyVals::parse("drive", text, None)?;
    let file = kv.take("file").filter(|f| f != "on").ok_or_else(|| kv.missing("file"))?;
    let interfaces =
        [("virtio", Interface::Virtio), ("none", Interface::None), ("pflash", Interface::Pflash)];
    let interface = kv.take_enum("if", &interfaces)?.unwrap_or(Interface::Virtio);
    let format = kv.take_enum("format", &[("raw", ImageFormat::Raw), ("qcow2", ImageFormat::Qcow2)])?;
    let id = kv.take("id");
    let (one_word, two_words) = (kv.take_bool("readonly")?, kv.take_bool("read-only")?);
    let read_only = one_word.or(two_words).unwrap_or(false);
    let snapshot = kv.take_bool("snapshot")?.unwrap_or(false);
    let caches = [
        ("writeback", CacheMode::Writeback),
        ("writethrough", CacheMode::Writethrough),
        ("unsafe", CacheMode::Unsafe),
        // O_DIRECT is a matter of the host's cache only: what the guest can rely on is that of writeback and
        // writethrough.
        ("none", CacheMode::Writeback),
        ("directsync", CacheMode::Writethrough),
    ];
    let cache = kv.take_enum("cache", &caches)?.unwrap_or_default();
    let discards = [("unmap", true), ("on", true), ("ignore", false), ("off", false)];
    let discard = kv.take_enum("discard", &discards)?.unwrap_or(false);
    let lockings = [("auto", true), ("on", true), ("off", false)];
    let locking = kv.take_enum("file.locking", &lockings)?.unwrap_or(true);
    let data_file = kv.take("data-file.filename").map(PathBuf::from);
    let unit = kv.take_u32("unit")?.or(kv.take_u32("index")?);
    let _ = kv.take("aio");
    let media = kv.take_enum("media", &[("disk", false), ("cdrom", true)])?.unwrap_or(false);
    let serial = kv.take("serial");
    kv.finish()?;

    let id = match (id, interface) {
        (Some(id), _) => id,
        (None, Interface::None) => format!("none{index}"),
        (None, Interface::Virtio) => format!("virtio{index}"),
        (None, Interface::Pflash) => format!("pflash{index}"),
    };
    let mut drive = plain(&id, PathBuf::from(file));
    drive.format = format;
    drive.read_only = read_only || media;
    drive.snapshot = snapshot;
    drive.cache = cache;
    drive.discard = discard;
    drive.locking = locking;
    drive.data_file = data_file;
    match interface {
        Interface::Virtio => {
            out.config.devices.push(DeviceConfig::VirtioBlk { id: None, drive: id, serial });
        }
        Interface::None => {}
        Interface::Pflash => {
            let taken = |n: u32| out.config.drives.iter().any(|d| d.pflash == Some(n));
            let bank = unit.unwrap_or_else(|| u32::from(taken(0)));
            if bank > 1 || taken(bank) {
                return Err(Failure::new(
                    ExitClass::Impossible,
                    format!("-drive {text}: flash bank {bank} does not exist or is taken; the board has banks 0 and 1"),
                )
                .into());
            }
            drive.pflash = Some(bank);
        }
    }
    add("drive", drive, out)
}
