//! Trying the guests out on an emulator that takes QEMU's options.

use super::kernel::KERNELS;
use super::step;
use crate::console::{Console, Machine};
use crate::paths;
use anyhow::Result;
use std::time::Duration;

/// Longest that a boot may take, for the slowest engine on a busy host.
const PATIENCE: Duration = Duration::from_secs(300);

/// Boots every kernel from its initrd and from the root disk, runs a command in each and sees it power off.
pub fn verify(emulator: &str) -> Result<()> {
    for kernel in &KERNELS {
        let version = std::fs::read_to_string(kernel.folder().join("version"))?;
        let release = version.split(' ').next().unwrap_or_default().to_owned();
        for (medium, root) in [("initrd", ""), ("disk", " root=/dev/vda")] {
            step(&format!("{} {medium}", kernel.name), || {
                let command = "grep -c ^processor /proc/cpuinfo; cat /proc/mounts";
                let mut machine = Machine::virt(emulator)
                    .kernel(&kernel.folder().join("Image"))
                    .initrd(&kernel.folder().join("initrd.gz"))
                    .append(&format!("console=ttyAMA0 quiet lyre.off{root} lyre.run=\"{command}\""));
                if !root.is_empty() {
                    let image = paths::arm64().join("root.img");
                    let drive = format!("file={},format=raw,if=none,id=root", image.display());
                    machine = machine.args(["-snapshot", "-drive", &drive]);
                    machine = machine.args(["-device", "virtio-blk-device,drive=root"]);
                }
                let mut console = Console::start(machine, PATIENCE)?;
                let booted = console.wait_for(&format!("LYREBIRD-BOOTED {release}"))?;
                console.wait_for("1")?;
                if !root.is_empty() {
                    console.wait_for("/dev/vda / ext4")?;
                }
                console.wait_for("LYREBIRD-EXIT 0")?;
                let off = console.wait_for_end()?;
                Ok(format!(
                    "booted after {:.2} s, off after {:.2} s",
                    booted.as_secs_f64(),
                    off.as_secs_f64()
                ))
            })?;
        }
    }
    Ok(())
}
