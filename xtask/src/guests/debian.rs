//! A whole Debian for arm64, unpacked by debootstrap into a qcow2 disk whose first boot installs it.
//!
//! `debian-unpacked.qcow2` holds the packages of the first stage and never changes; `debian.qcow2` is an overlay on it.
//! The first boot has `init=/lyrebird/setup` on the kernel's command line, runs the second stage and powers off; later
//! boots start systemd, and root logs in on ttyAMA0 without a password.

use super::apt::Apt;
use super::kernel::{KERNELS, Kernel};
use super::{disk, step};
use crate::console::{Console, Machine};
use crate::{paths, shell, shell::Tool};
use anyhow::{Context, Result, bail};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What is installed beside Debian's required packages: enough to reach a login and to run a compiler.
const INCLUDE: &str = "systemd-sysv,udev,dbus,procps,python3,perl,gcc,libc6-dev";

/// Size of the disk, bytes.
const SIZE: u64 = 3 << 30;

fn pristine() -> PathBuf {
    paths::arm64().join("debian-unpacked.qcow2")
}

fn overlay() -> PathBuf {
    paths::arm64().join("debian.qcow2")
}

fn kernel() -> &'static Kernel {
    &KERNELS[0]
}

/// Makes both disks, what is there already excepted.
pub fn prepare(apt: &Apt, refresh: bool) -> Result<String> {
    if refresh || !pristine().exists() {
        let tree = paths::guests().join("unpacked/debian");
        bootstrap(apt, &tree)?;
        let raw = paths::guests().join("unpacked/debian.img");
        disk::format(&tree, &raw, SIZE, "lyrebird-debian")?;
        let image = Tool::new("qemu-img", "qemu-utils").args(["convert", "-O", "qcow2"]);
        image.arg(&raw).arg(pristine()).run()?;
        fs::remove_dir_all(&tree)?;
        fs::remove_file(raw)?;
        fresh_overlay()?;
    } else if !overlay().exists() {
        fresh_overlay()?;
    }
    Ok("debian.qcow2; root=/dev/vda, the first time with init=/lyrebird/setup".to_owned())
}

/// debootstrap's first stage below `tree`, and our script.
fn bootstrap(apt: &Apt, tree: &Path) -> Result<()> {
    if !shell::is_root() {
        bail!("debootstrap makes files that belong to others: run `cargo xtask guests --debian` as root");
    }
    let (uri, release) = apt.archive()?;
    if tree.exists() {
        fs::remove_dir_all(tree)?;
    }
    fs::create_dir_all(tree)?;
    let include = format!("--include={INCLUDE}");
    Tool::new("debootstrap", "debootstrap")
        .args(["--foreign", "--arch=arm64", "--variant=minbase", &include, &release])
        .arg(tree)
        .arg(uri)
        .run()?;
    let ours = tree.join("lyrebird");
    fs::create_dir(&ours)?;
    fs::copy(paths::arm64().join("busybox"), ours.join("busybox"))?;
    fs::write(ours.join("setup"), include_str!("files/debian-setup"))?;
    for file in ["busybox", "setup"] {
        fs::set_permissions(ours.join(file), PermissionsExt::from_mode(0o755))?;
    }
    Ok(())
}

fn fresh_overlay() -> Result<()> {
    let stamp = paths::arm64().join("debian.installed");
    if stamp.exists() {
        fs::remove_file(stamp)?;
    }
    // The name of the backing file counts from the overlay's folder.
    let name = pristine().file_name().context("The disk has no name")?.to_os_string();
    let image =
        Tool::new("qemu-img", "qemu-utils").args(["create", "-q", "-f", "qcow2", "-F", "qcow2", "-b"]);
    image.arg(name).arg(overlay()).run()
}

/// What is typed at the prompt of the installed system, and what must come back.
const SESSION: [(&str, &str); 4] = [
    ("python3 -c 'import hashlib; print(hashlib.sha256(b\"lyrebird\").hexdigest()[:8], 6*7)'", " 42"),
    ("perl -e 'print join(\"-\", map { $_ * $_ } 1..5), \"\\n\"'", "1-4-9-16-25"),
    (
        "printf '#include <stdio.h>\\nint main(void){printf(\"%%d\\\\n\",6*7*10);}' > /tmp/a.c && gcc -O2 -o /tmp/a /tmp/a.c && /tmp/a",
        "420\r\n",
    ),
    ("systemctl is-system-running --wait", "running"),
];

/// Installs Debian on a fresh overlay with `emulator`, unless it was the one that did it last; boots the disk, works in it, and checks the disk afterwards.
pub fn verify(emulator: &str) -> Result<()> {
    let stamp = paths::arm64().join("debian.installed");
    if fs::read_to_string(&stamp).is_ok_and(|by| by == emulator) {
        println!(
            "The disk was installed by this emulator before; remove {} to do it again.",
            stamp.display()
        );
    } else {
        step("debian setup", || {
            fresh_overlay()?;
            let mut console = start(emulator, " init=/lyrebird/setup", 4 * 3600)?;
            console.wait_for("LYREBIRD-SETUP-")?;
            console.wait_for("DONE")?;
            Ok(format!("second stage done after {:.0} s", console.wait_for_end()?.as_secs_f64()))
        })?;
        fs::write(stamp, emulator)?;
    }
    step("debian session", || {
        let mut console = start(emulator, "", 3600)?;
        let login = console.wait_for("login: ")?;
        console.type_line("root")?;
        console.wait_for(":~# ")?;
        for (command, answer) in SESSION {
            console.type_line(command)?;
            console.wait_for(answer)?;
            console.wait_for(":~# ")?;
        }
        console.type_line("poweroff")?;
        let off = console.wait_for_end()?;
        Ok(format!("login after {:.1} s, off after {:.1} s", login.as_secs_f64(), off.as_secs_f64()))
    })?;
    step("debian disk", || {
        Tool::new("qemu-img", "qemu-utils").args(["check", "-q"]).arg(overlay()).run()?;
        let raw = paths::guests().join("unpacked/debian-after.img");
        let image = Tool::new("qemu-img", "qemu-utils").args(["convert", "-O", "raw"]);
        image.arg(overlay()).arg(&raw).run()?;
        Tool::new("e2fsck", "e2fsprogs").args(["-f", "-n"]).arg(&raw).run()?;
        fs::remove_file(raw)?;
        Ok("clean by qemu-img check and e2fsck")
    })?;
    Ok(())
}

fn start(emulator: &str, more: &str, seconds: u64) -> Result<Console> {
    let machine = Machine::virt(emulator)
        .kernel(&kernel().folder().join("Image"))
        .initrd(&kernel().folder().join("initrd.gz"))
        .append(&format!("root=/dev/vda{more}"))
        .disk(&overlay(), "qcow2");
    Console::start(machine, Duration::from_secs(seconds))
}
