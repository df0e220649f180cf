//! Debian's Bochs beside the interpreter: the same kernel, initrd and programs, started by GRUB from a CD.
//!
//! Its clock runs with its instructions, not with time.

use super::interp::Emulator;
use super::run::{Job, kernel};
use crate::console::{Console, Machine};
use crate::guests::grub;
use anyhow::Result;
use std::fs;
use std::path::Path;

const PACKAGES: &str = "bochs bochs-term bochsbios vgabios";
const BIOS: &str = "/usr/share/bochs/BIOS-bochs-latest";
const VGA_BIOS: &str = "/usr/share/bochs/VGABIOS-lgpl-latest";

/// Starts Bochs in `folder`; `None`, with a message, if it is not installed.
///
/// # Errors
/// When it does not boot.
pub fn start(folder: &Path, job: &Job<'_>) -> Result<Option<Emulator>> {
    let found = std::process::Command::new("bochs").arg("--help").output().is_ok();
    if !found || !Path::new(BIOS).exists() || !Path::new(VGA_BIOS).exists() {
        println!("Bochs is not installed, so nothing is compared: `apt-get install {PACKAGES}` as root");
        return Ok(None);
    }
    let folder = folder.join("bochs");
    let boot = folder.join("tree/boot");
    fs::create_dir_all(boot.join("grub"))?;
    fs::copy(kernel(job.architecture).join("bzImage"), boot.join("bzImage"))?;
    fs::copy(job.initrd, boot.join("initrd.gz"))?;
    fs::write(boot.join("grub/grub.cfg"), menu(job))?;
    grub::cd(&folder.join("tree"), &folder.join("cd.iso"))?;
    fs::write(folder.join("bochsrc"), configuration())?;
    // Debian's has its debugger built in, which waits for a command.
    fs::write(folder.join("go"), "c\n")?;
    // The screen, which nobody looks at, goes to a file.
    let command = format!("cd '{}' && exec bochs -q -f bochsrc -rc go > screen", folder.display());
    let machine = Machine::program(["sh", "-c", &command]).env("TERM", "vt100");
    Emulator::booted(Console::start(machine, job.patience)?, "bochs-bin").map(Some)
}

/// GRUB's menu. GRUB quotes arguments with blanks in a way of its own, so the guest's shell puts them in.
fn menu(job: &Job<'_>) -> String {
    let (scale, runs) = (job.scale.to_string(), job.runs.to_string());
    let words = [&["bench", "-s", &scale, "-r", &runs], &job.names[..]].concat();
    let line = format!("console=ttyS0 quiet panic=-1 lyre.off 'lyre.run={}'", words.join("${IFS}"));
    format!("set timeout=0\nmenuentry Linux {{\n  linux /boot/bzImage {line}\n  initrd /boot/initrd.gz\n}}\n")
}

/// A processor with what the programs are compiled for, and no pause for anything.
fn configuration() -> String {
    format!(
        "\
plugin_ctrl: unmapped=true, biosdev=true, speaker=false, extfpuirq=true, parallel=false, serial=true
config_interface: textconfig
display_library: term
memory: guest=512, host=512
romimage: file={BIOS}
vgaromimage: file={VGA_BIOS}
boot: cdrom
ata0: enabled=true
ata0-master: type=cdrom, path=cd.iso, status=inserted
com1: enabled=true, mode=file, dev=/dev/stderr
cpu: model=corei7_haswell_4770, count=1, ips=100000000, reset_on_triple_fault=0
clock: sync=none, time0=utc
log: log
panic: action=fatal
error: action=ignore
info: action=ignore
debug: action=ignore
"
    )
}
