//! The small root disk: an ext4 image with busybox and our scripts, for `root=/dev/vda`.

use super::{busybox, initrd};
use crate::{paths, shell::Tool};
use anyhow::Result;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

/// Size of the image, bytes. Most of it is free, for guests to write in.
const SIZE: u64 = 64 << 20;

/// Makes `root.img` unless it is there; returns a line about it.
pub fn prepare(arch: &str, busybox: &[u8], refresh: bool) -> Result<String> {
    let image = paths::guests_of(arch).join("root.img");
    if refresh || !image.exists() {
        let tree = paths::guests().join("unpacked/root");
        if tree.exists() {
            fs::remove_dir_all(&tree)?;
        }
        plant(&tree, busybox)?;
        format(&tree, &image, SIZE, "lyrebird-root")?;
        fs::remove_dir_all(&tree)?;
    }
    Ok(format!("ext4, {} MiB, busybox; starts with root=/dev/vda", SIZE >> 20))
}

/// Writes the files of the disk below `tree`.
fn plant(tree: &Path, busybox: &[u8]) -> Result<()> {
    for folder in ["bin", "dev", "etc/acpi/PWRF", "lib", "mnt", "proc", "root", "run", "sys", "tmp"] {
        fs::create_dir_all(tree.join(folder))?;
    }
    symlink("bin", tree.join("sbin"))?;
    let executable = |path: &str, content: &[u8]| -> Result<()> {
        fs::write(tree.join(path), content)?;
        Ok(fs::set_permissions(tree.join(path), PermissionsExt::from_mode(0o755))?)
    };
    executable("bin/busybox", busybox)?;
    for applet in busybox::applets(busybox).iter().filter(|name| !initrd::OFF.contains(&name.as_str())) {
        symlink("busybox", tree.join("bin").join(applet))?;
    }
    for (path, text) in initrd::SCRIPTS.into_iter().chain([initrd::BUTTON]) {
        executable(path, text.as_bytes())?;
    }
    for name in initrd::OFF {
        symlink("off", tree.join("bin").join(name))?;
    }
    symlink("bin/session", tree.join("init"))?;
    Ok(())
}

/// Makes an ext4 `image` of `size` bytes that holds what is below `tree`, owned by root.
pub fn format(tree: &Path, image: &Path, size: u64, label: &str) -> Result<()> {
    if image.exists() {
        fs::remove_file(image)?;
    }
    let size = format!("{}k", size >> 10);
    Tool::new("mke2fs", "e2fsprogs")
        .args(["-q", "-F", "-t", "ext4", "-E", "root_owner=0:0", "-L", label, "-d"])
        .args([tree.as_os_str(), image.as_os_str(), size.as_ref()])
        .run()
}
