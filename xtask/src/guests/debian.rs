//! A whole Debian for arm64 or amd64, unpacked by debootstrap into a qcow2 disk whose first boot installs it.
//!
//! `debian-unpacked.qcow2` holds the packages of the first stage and never changes; `debian.qcow2` is an overlay on it.
//! The first boot has `init=/lyrebird/setup` on the kernel's command line, runs the second stage and powers off; later
//! boots start systemd, and root logs in on the serial console without a password.

use super::apt::Apt;
use super::kernel::{self, Kernel};
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

/// Debian for one of its architectures.
pub struct Debian {
    arch: &'static str,
    board: &'static str,
    /// The ways to attach the disk: what people call it, the device that is added, the name of its block device.
    disks: &'static [(&'static str, &'static str, &'static str)],
}

/// The architectures that there is a Debian for.
pub const ALL: [Debian; 2] = [
    Debian { arch: "arm64", board: "virt", disks: &[("virtio", "virtio-blk-device", "vda")] },
    Debian {
        arch: "amd64",
        board: "q35",
        disks: &[("virtio", "virtio-blk-pci", "vda"), ("AHCI", "ide-hd,bus=ide.0", "sda")],
    },
];

/// Debian for `arch`, if there is one.
pub fn of(arch: &str) -> Option<&'static Debian> {
    ALL.iter().find(|debian| debian.arch == arch)
}

impl Debian {
    fn file(&self, name: &str) -> PathBuf {
        paths::guests_of(self.arch).join(name)
    }

    fn pristine(&self) -> PathBuf {
        self.file("debian-unpacked.qcow2")
    }

    fn overlay(&self) -> PathBuf {
        self.file("debian.qcow2")
    }

    fn stamp(&self) -> PathBuf {
        self.file("debian.installed")
    }

    fn kernel(&self) -> Result<&'static Kernel> {
        kernel::of(self.arch).next().context("There is no kernel for it")
    }

    /// Makes both disks, what is there already excepted.
    pub fn prepare(&self, apt: &Apt, refresh: bool) -> Result<String> {
        if refresh || !self.pristine().exists() {
            let tree = paths::guests().join("unpacked/debian");
            self.bootstrap(apt, &tree)?;
            let raw = paths::guests().join("unpacked/debian.img");
            disk::format(&tree, &raw, SIZE, "lyrebird-debian")?;
            let image = Tool::new("qemu-img", "qemu-utils").args(["convert", "-O", "qcow2"]);
            image.arg(&raw).arg(self.pristine()).run()?;
            fs::remove_dir_all(&tree)?;
            fs::remove_file(raw)?;
            self.fresh_overlay()?;
        } else if !self.overlay().exists() {
            self.fresh_overlay()?;
        }
        Ok("debian.qcow2; root=/dev/vda, the first time with init=/lyrebird/setup".to_owned())
    }

    /// debootstrap's first stage below `tree`, and our script.
    fn bootstrap(&self, apt: &Apt, tree: &Path) -> Result<()> {
        if !shell::is_root() {
            bail!("debootstrap makes files that belong to others: run `cargo xtask guests --debian` as root");
        }
        let (uri, release) = apt.archive()?;
        if tree.exists() {
            fs::remove_dir_all(tree)?;
        }
        fs::create_dir_all(tree)?;
        let (arch, include) = (format!("--arch={}", self.arch), format!("--include={INCLUDE}"));
        Tool::new("debootstrap", "debootstrap")
            .args(["--foreign", &arch, "--variant=minbase", &include, &release])
            .arg(tree)
            .arg(uri)
            .run()?;
        let ours = tree.join("lyrebird");
        fs::create_dir(&ours)?;
        fs::copy(self.file("busybox"), ours.join("busybox"))?;
        fs::write(ours.join("setup"), include_str!("files/debian-setup"))?;
        for file in ["busybox", "setup"] {
            fs::set_permissions(ours.join(file), PermissionsExt::from_mode(0o755))?;
        }
        Ok(())
    }

    fn fresh_overlay(&self) -> Result<()> {
        if self.stamp().exists() {
            fs::remove_file(self.stamp())?;
        }
        // The name of the backing file counts from the overlay's folder.
        let name = self.pristine().file_name().context("The disk has no name")?.to_os_string();
        let image =
            Tool::new("qemu-img", "qemu-utils").args(["create", "-q", "-f", "qcow2", "-F", "qcow2", "-b"]);
        image.arg(name).arg(self.overlay()).run()
    }

    /// Installs Debian on a fresh overlay with `emulator`, unless it was the one that did it last; boots the disk in
    /// every way to attach it, works in it, and checks the disk afterwards.
    pub fn verify(&self, emulator: &str) -> Result<()> {
        if fs::read_to_string(self.stamp()).is_ok_and(|by| by == emulator) {
            println!(
                "The disk was installed by this emulator before; remove {} to do it again.",
                self.stamp().display()
            );
        } else {
            step("debian setup", || {
                self.fresh_overlay()?;
                let mut console = self.start(emulator, 0, " init=/lyrebird/setup", 4 * 3600)?;
                console.wait_for("LYREBIRD-SETUP-")?;
                console.wait_for("DONE")?;
                Ok(format!("second stage done after {:.0} s", console.wait_for_end()?.as_secs_f64()))
            })?;
            fs::write(self.stamp(), emulator)?;
        }
        for (number, (name, ..)) in self.disks.iter().enumerate() {
            step(&format!("debian on {name}"), || self.session(emulator, number))?;
        }
        step("debian disk", || {
            Tool::new("qemu-img", "qemu-utils").args(["check", "-q"]).arg(self.overlay()).run()?;
            let raw = paths::guests().join("unpacked/debian-after.img");
            let image = Tool::new("qemu-img", "qemu-utils").args(["convert", "-O", "raw"]);
            image.arg(self.overlay()).arg(&raw).run()?;
            Tool::new("e2fsck", "e2fsprogs").args(["-f", "-n"]).arg(&raw).run()?;
            fs::remove_file(raw)?;
            Ok("clean by qemu-img check and e2fsck")
        })
        .map(drop)
    }

    /// Logs in, does some work, powers off.
    fn session(&self, emulator: &str, disk: usize) -> Result<String> {
        let mut console = self.start(emulator, disk, "", 3600)?;
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
    }

    fn start(&self, emulator: &str, disk: usize, more: &str, seconds: u64) -> Result<Console> {
        let (_, device, name) = self.disks.get(disk).context("There is no such disk")?;
        let machine = match self.board {
            "virt" => Machine::virt(emulator),
            board => Machine::x86(emulator, board, "max", 1),
        };
        let kernel = self.kernel()?;
        let machine = machine
            .kernel(&kernel.folder().join(kernel.file()))
            .initrd(&kernel.folder().join("initrd.gz"))
            .append(&format!("root=/dev/{name}{more}"))
            .disk(&self.overlay(), "qcow2", device);
        Console::start(machine, Duration::from_secs(seconds))
    }
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
