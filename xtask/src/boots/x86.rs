//! The amd64 and i386 kernels on the PC boards: loaded by the emulator, and by firmware and GRUB from disk and CD.

use super::{Args, Boot};
use crate::console::Machine;
use crate::guests::boot::{boot, watch};
use crate::guests::{grub, kernel};
use std::path::Path;

/// SeaBIOS as Debian packages it.
const SEABIOS: &str = "/usr/share/seabios/bios-256k.bin";

/// All boots that the options leave.
pub fn boots<'a>(args: &'a Args, emulator: &'a str) -> Vec<Boot<'a>> {
    let mut boots = Vec::new();
    for arch in ["amd64", "i386"] {
        for kernel in kernel::of(arch).filter(|k| args.wants(k)) {
            for board in args.boards.iter().filter(|board| arch == "amd64" || *board != "microvm") {
                for way in args.ways.iter().filter(|way| *board != "microvm" || *way == "direct") {
                    for engine in &args.engines {
                        for &cpus in &args.smp {
                            let name = format!("{arch} {} {board} {way} {engine} -smp {cpus}", kernel.name);
                            let run = move || {
                                let machine =
                                    Machine::x86(emulator, board, "max", cpus).args(["-accel", engine]);
                                let folder = kernel.folder();
                                if way == "direct" {
                                    return boot(machine, cpus, &folder, kernel.file(), false);
                                }
                                watch(through_firmware(machine, way, &folder), cpus, &folder, false)
                            };
                            boots.push(Boot { name, run: Box::new(run) });
                        }
                    }
                }
            }
        }
    }
    boots
}

/// `FIRMWARE-MEDIUM`: our BIOS (the default) or SeaBIOS, and GRUB's disk or CD.
fn through_firmware(machine: Machine, way: &str, folder: &Path) -> Machine {
    let machine = if way.starts_with("seabios") { machine.args(["-bios", SEABIOS]) } else { machine };
    let file = |name: &str| folder.join(name).display().to_string();
    if way.ends_with("cd") {
        machine.args(["-cdrom", &file(grub::CD)])
    } else {
        let drive = format!("file={},format=raw,snapshot=on", file(grub::DISK));
        machine.args(["-drive", &drive])
    }
}
