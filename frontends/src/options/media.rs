//! `-drive`, `-hda` to `-hdd`, `-cdrom`, `-fda`, `-fdb`.

use std::path::PathBuf;

use lyrebird_machine::config::{
    Board, CacheMode, DeviceConfig, Drive, ImageFormat, PcBoard, PcChipset, PciPlace,
};

use super::{Invocation, Stop};
use crate::cli::args::MachineArgs;
use crate::cli::keyval::KeyVals;
use crate::exit::{ExitClass, Failure};

#[derive(Clone, Copy, PartialEq)]
enum Interface {
    Virtio,
    Ide,
    Floppy,
    None,
    Pflash,
}

/// What a board does with a medium of which nothing else is said.
fn usual(board: &Board) -> Interface {
    match board {
        Board::Pc(_) => Interface::Ide,
        _ => Interface::Virtio,
    }
}

/// Reads all drives; one whose interface has devices of its own (`if=virtio`, `if=ide`, `if=floppy`) gets its device behind
/// those of `-device`.
pub fn read(args: &MachineArgs, out: &mut Invocation) -> Result<(), Stop> {
    let disks = [("hda", &args.hda), ("hdb", &args.hdb), ("hdc", &args.hdc), ("hdd", &args.hdd)];
    for (index, (name, file)) in (0..).zip(disks) {
        if let Some(file) = file {
            plug(name, plain(name, file.clone()), Some(index), false, out)?;
        }
    }
    if let Some(file) = &args.cdrom {
        let drive = Drive { read_only: true, ..plain("cdrom", file.clone()) };
        plug("cdrom", drive, Some(2), true, out)?;
    }
    for (unit, (name, file)) in (0..).zip([("fda", &args.fda), ("fdb", &args.fdb)]) {
        if let Some(file) = file {
            floppy(name, plain(name, file.clone()), Some(unit), out)?;
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

/// Adds a drive and the device that holds it, as the board has disks: at place `index` of its controller, if it is given.
pub fn plug(
    option: &str,
    drive: Drive,
    index: Option<u32>,
    cdrom: bool,
    out: &mut Invocation,
) -> Result<(), Stop> {
    let device = match usual(&out.config.board) {
        Interface::Ide => ide(&drive, index, cdrom, None, out),
        _ => virtio(&drive, None),
    };
    out.config.devices.push(device);
    add(option, drive, out)
}

fn virtio(drive: &Drive, serial: Option<String>) -> DeviceConfig {
    DeviceConfig::VirtioBlk { id: None, drive: drive.id.clone(), serial, place: PciPlace::default() }
}

fn ide(
    drive: &Drive,
    index: Option<u32>,
    cdrom: bool,
    serial: Option<String>,
    out: &Invocation,
) -> DeviceConfig {
    // Channels of the IDE controller have two drives, AHCI's ports one.
    let units = match out.config.board {
        Board::Pc(PcBoard { chipset: PcChipset::Q35, .. }) => 1,
        _ => 2,
    };
    DeviceConfig::Disk {
        id: None,
        drive: Some(drive.id.clone()),
        cdrom,
        bus: index.map(|n| n / units),
        unit: index.map(|n| n % units),
        serial,
        boot: None,
    }
}

fn floppy(option: &str, drive: Drive, unit: Option<u32>, out: &mut Invocation) -> Result<(), Stop> {
    let is = |d: &DeviceConfig, n| matches!(d, DeviceConfig::Floppy { unit, .. } if *unit == n);
    let taken = |n| out.config.devices.iter().any(|d| is(d, n));
    let unit = unit.unwrap_or_else(|| u32::from(taken(0)));
    if !matches!(out.config.board, Board::Pc(_)) || unit > 1 || taken(unit) {
        let why = "the board has no such diskette drive, or it is taken; PCs have drives 0 and 1";
        return Err(Failure::new(ExitClass::Impossible, format!("-{option}: {why}")).into());
    }
    out.config.devices.push(DeviceConfig::Floppy { drive: drive.id.clone(), unit });
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
    let interfaces = [
        ("virtio", Interface::Virtio),
        ("ide", Interface::Ide),
        ("floppy", Interface::Floppy),
        ("none", Interface::None),
        ("pflash", Interface::Pflash),
    ];
    let interface = kv.take_enum("if", &interfaces)?.unwrap_or(usual(&out.config.board));
    let pc = matches!(out.config.board, Board::Pc(_));
    let pci = matches!(&out.config.board, Board::Pc(pc) if pc.chipset != PcChipset::Isa);
    if pc && !pci && interface == Interface::Virtio {
        let why = "isapc has no bus for virtio disks; use if=ide";
        return Err(Failure::new(ExitClass::Impossible, format!("-drive {text}: {why}")).into());
    }
    if !pc && matches!(interface, Interface::Ide | Interface::Floppy) {
        let why = "the board has no IDE and no diskette controller; use if=virtio";
        return Err(Failure::new(ExitClass::Impossible, format!("-drive {text}: {why}")).into());
    }
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
        (None, Interface::Ide) => format!("ide{index}"),
        (None, Interface::Floppy) => format!("floppy{index}"),
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
        Interface::Virtio => out.config.devices.push(virtio(&drive, serial)),
        Interface::Ide => {
            let device = ide(&drive, unit, media, serial, out);
            out.config.devices.push(device);
        }
        Interface::Floppy => return floppy("drive", drive, unit, out),
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
