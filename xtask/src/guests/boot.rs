//! Trying the guests out on an emulator that takes QEMU's options.

use super::kernel;
use super::{packed, step};
use crate::console::{Console, Machine};
use crate::paths;
use anyhow::Result;
use std::path::Path;
use std::time::Duration;

/// Longest that a boot may take, for the slowest engine on a busy host.
const PATIENCE: Duration = Duration::from_secs(300);

/// Boots every kernel from its initrd and from the root disk, runs a command in each and sees it power off.
pub fn verify(emulator: &str) -> Result<()> {
    for kernel in kernel::of("arm64") {
        for root in [false, true] {
            let medium = if root { "disk" } else { "initrd" };
            step(&format!("{} {medium}", kernel.name), || {
                boot(Machine::virt(emulator), 1, &kernel.folder(), "Image", root)
            })?;
        }
    }
    for (form, file) in packed::FORMS {
        step(form, || boot(Machine::virt(emulator), 1, &packed::folder()?, file, false))?;
    }
    Ok(())
}

/// What a boot runs: a script that tells how many processors there are and what is mounted.
pub const COMMAND: &str = "report";

/// Boots one kernel on a machine with `cpus` processors, from its initrd or with `root` from the root disk, runs a
/// command and sees it power off. What it took, for people.
pub fn boot(machine: Machine, cpus: u32, folder: &Path, file: &str, root: bool) -> Result<String> {
    let from = if root { " root=/dev/vda" } else { "" };
    let mut machine = machine
        .kernel(&folder.join(file))
        .initrd(&folder.join("initrd.gz"))
        .append(&format!("lyre.off{from} lyre.run={COMMAND}"));
    if root {
        machine =
            machine.disk(&paths::arm64().join("root.img"), "raw", "virtio-blk-device").args(["-snapshot"]);
    }
    watch(machine, cpus, folder, root)
}

/// Sees a machine that boots the kernel of `folder` run [`COMMAND`] and power off. What it took, for people.
pub fn watch(machine: Machine, cpus: u32, folder: &Path, root: bool) -> Result<String> {
    let version = std::fs::read_to_string(folder.join("version"))?;
    let release = version.split(' ').next().unwrap_or_default();
    let mut console = Console::start(machine, PATIENCE)?;
    let booted = console.wait_for(&format!("LYREBIRD-BOOTED {release}"))?;
    console.wait_for(&format!("\n{cpus}"))?;
    if root {
        console.wait_for("/dev/vda / ext4")?;
    }
    console.wait_for("LYREBIRD-EXIT 0")?;
    let off = console.wait_for_end()?;
    Ok(format!("booted after {:.2} s, off after {:.2} s", booted.as_secs_f64(), off.as_secs_f64()))
}
