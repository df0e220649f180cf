//! busybox: the static binary, and the names it answers to.

use super::apt::{Apt, Suite};
use crate::paths;
use anyhow::{Context, Result};
use std::fs;

/// The binary and where it came from.
pub struct Busybox {
    /// The executable.
    pub content: Vec<u8>,
    version: String,
}

impl std::fmt::Display for Busybox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.version)
    }
}

/// Fetches busybox unless it is there.
pub fn prepare(apt: &mut Apt, refresh: bool) -> Result<Busybox> {
    let folder = paths::guests_of(apt.arch);
    let (file, stamp) = (folder.join("busybox"), folder.join("busybox.version"));
    if let (false, Ok(content), Ok(version)) = (refresh, fs::read(&file), fs::read_to_string(&stamp)) {
        return Ok(Busybox { content, version });
    }
    fs::create_dir_all(folder)?;
    let package = apt.find("busybox-static", Suite::Stable)?;
    let unpacked = apt.unpack(&package)?;
    fs::copy(unpacked.join("bin/busybox"), &file).context("The busybox package holds no bin/busybox")?;
    fs::remove_dir_all(unpacked)?;
    fs::write(stamp, &package.version)?;
    Ok(Busybox { content: fs::read(file)?, version: package.version })
}

/// The names of the applets in `busybox`. The binary keeps them as one table of NUL-terminated strings in order,
/// of which `[` and `[[` are the first; an empty string ends it. The name of the binary itself is left out.
pub fn applets(busybox: &[u8]) -> Vec<String> {
    let Some(start) = busybox.windows(6).position(|window| window == b"\0[\0[[\0") else { return Vec::new() };
    let names = busybox.get(start + 1..).unwrap_or_default().split(|&byte| byte == 0);
    let names =
        names.take_while(|name| !name.is_empty()).map(|name| String::from_utf8_lossy(name).into_owned());
    names.filter(|name| name != "busybox").collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn applets_end_at_the_empty_string() {
        let table = b"text\0[\0[[\0acpid\0busybox\0zcat\0\0other\0";
        assert_eq!(super::applets(table), ["[", "[[", "acpid", "zcat"]);
        assert!(super::applets(b"nothing").is_empty());
    }
}
