//! The initrd of a kernel: busybox, our scripts and the modules, as a gzip-compressed archive.

use super::busybox;
use crate::cpio::Archive;
use anyhow::{Context, Result};
use flate2::{Compression, write::GzEncoder};
use std::fs;
use std::io::Write;
use std::path::Path;

/// The scripts of a guest: path, text.
pub const SCRIPTS: [(&str, &str); 5] = [
    ("bin/parameters", include_str!("files/parameters")),
    ("bin/session", include_str!("files/session")),
    ("bin/off", include_str!("files/off")),
    ("bin/load-drivers", include_str!("files/load-drivers")),
    ("bin/report", include_str!("files/report")),
];

/// Names that lead to our `off` and not to busybox, whose own only signal its own init.
pub const OFF: [&str; 3] = ["poweroff", "halt", "reboot"];

/// What acpid runs when the power button is pressed: file, text.
pub const BUTTON: (&str, &str) = ("etc/acpi/PWRF/00000080", "#!/bin/sh\nexec /bin/off\n");

/// Writes `initrd.gz` into a kernel's `folder` from busybox and the modules in that folder.
pub fn write(folder: &Path, busybox: &[u8]) -> Result<()> {
    let archive = archive(folder, busybox)?.finish();
    fs::write(folder.join("initrd.gz"), compress(&archive)?).context("Cannot write the initrd")
}

/// The uncompressed initrd, to which more can be added.
pub fn archive(folder: &Path, busybox: &[u8]) -> Result<Archive> {
    let mut archive = Archive::default();
    let folders = "bin dev etc etc/acpi etc/acpi/PWRF lib lib/drivers mnt proc run sys tmp";
    folders.split(' ').for_each(|folder| archive.directory(folder));
    archive.symlink("sbin", "bin");
    // The kernel opens it for the first program before that has mounted anything.
    archive.character("dev/console", 5, 1);
    archive.file("bin/busybox", 0o755, busybox);
    for applet in busybox::applets(busybox).iter().filter(|name| !OFF.contains(&name.as_str())) {
        archive.symlink(&format!("bin/{applet}"), "busybox");
    }
    for (path, text) in SCRIPTS.into_iter().chain([("init", include_str!("files/init")), BUTTON]) {
        archive.file(path, 0o755, text.as_bytes());
    }
    for name in OFF {
        archive.symlink(&format!("bin/{name}"), "off");
    }
    let mut modules: Vec<_> = fs::read_dir(folder.join("modules"))?.collect::<Result<_, _>>()?;
    modules.sort_by_key(|module| module.file_name());
    for module in modules {
        let name = module.file_name().to_string_lossy().into_owned();
        archive.file(&format!("lib/drivers/{name}"), 0o644, &fs::read(module.path())?);
    }
    Ok(archive)
}

/// gzip at a level that is quick to write; kernels unpack all levels equally fast.
pub fn compress(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(5));
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}
