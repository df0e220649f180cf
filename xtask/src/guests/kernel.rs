//! The kernels: Debian's, unpacked, with the modules that a boot from disk needs.

use super::apt::{Apt, Package, Suite};
use crate::{paths, shell::Tool};
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// One kernel: our name for it and where it comes from.
pub struct Kernel {
    /// Debian's architecture.
    pub arch: &'static str,
    /// Name of its folder below the architecture's.
    pub name: &'static str,
    meta: &'static str,
    suite: Suite,
}

const fn kernel(arch: &'static str, name: &'static str, meta: &'static str, suite: Suite) -> Kernel {
    Kernel { arch, name, meta, suite }
}

/// The kernels that every part of the emulator is tried on.
pub const KERNELS: [Kernel; 7] = [
    kernel("arm64", "generic", "linux-image-arm64", Suite::Stable),
    kernel("arm64", "cloud", "linux-image-cloud-arm64", Suite::Stable),
    kernel("arm64", "backports", "linux-image-arm64", Suite::Backports),
    kernel("amd64", "generic", "linux-image-amd64", Suite::Stable),
    kernel("amd64", "cloud", "linux-image-cloud-amd64", Suite::Stable),
    kernel("amd64", "backports", "linux-image-amd64", Suite::Backports),
    kernel("i386", "generic", "linux-image-686", Suite::Stable),
];

/// The kernels of one of Debian's architectures.
pub fn of(arch: &str) -> impl Iterator<Item = &'static Kernel> {
    KERNELS.iter().filter(move |kernel| kernel.arch == arch)
}

/// What the scripts of the initrd load, most basic first; what a module depends on comes before it.
/// ext4 wants a CRC32C from the crypto layer without naming it as a dependency.
const DRIVERS: [&str; 14] = [
    "virtio_mmio",
    "virtio_pci",
    "ahci",
    "ata_piix",
    "sd_mod",
    "sr_mod",
    "isofs",
    "virtio_blk",
    "crc32c_generic",
    "ext4",
    "virtio_console",
    "virtio_rng",
    "gpio_keys",
    "evdev",
];

impl Kernel {
    /// The folder that holds the kernel, `initrd.gz`, `version` and `modules/`.
    pub fn folder(&self) -> PathBuf {
        paths::guests_of(self.arch).join(self.name)
    }

    /// Name of the kernel's file.
    pub fn file(&self) -> &'static str {
        if self.arch == "arm64" { "Image" } else { "bzImage" }
    }

    /// Fetches and unpacks the kernel unless it is there; returns its version.
    pub fn prepare(&self, apt: &mut Apt, refresh: bool) -> Result<String> {
        let folder = self.folder();
        let stamp = folder.join("version");
        if let (false, Ok(version)) = (refresh, fs::read_to_string(&stamp)) {
            return Ok(version);
        }
        let meta = apt.find(self.meta, self.suite)?;
        let package = apt.resolve(&meta)?;
        let unpacked = apt.unpack(&package)?;
        let version = self.collect(&unpacked, &package).with_context(|| {
            format!("The package {} {} is not laid out as expected", package.name, package.version)
        })?;
        fs::remove_dir_all(unpacked)?;
        fs::write(stamp, &version)?;
        Ok(version)
    }

    fn collect(&self, unpacked: &Path, package: &Package) -> Result<String> {
        let folder = self.folder();
        fs::create_dir_all(folder.join("modules"))?;
        for old in fs::read_dir(folder.join("modules"))? {
            fs::remove_file(old?.path())?;
        }
        let all = fs::read_dir(unpacked.join("lib/modules"))?.next().context("No lib/modules")??.path();
        let release = all.file_name().context("No release below lib/modules")?.to_string_lossy().into_owned();
        fs::copy(unpacked.join(format!("boot/vmlinuz-{release}")), folder.join(self.file()))?;

        let mut files = BTreeMap::new();
        index(&all, &mut files)?;
        let mut order = Vec::new();
        for driver in DRIVERS {
            load(driver, &files, &mut order)?;
        }
        for (number, (name, content)) in order.iter().enumerate() {
            fs::write(folder.join(format!("modules/{number:02}-{name}.ko")), content)?;
        }
        Ok(format!("{release} ({})", package.version))
    }
}

/// Finds every module file below `folder`, by module name.
fn index(folder: &Path, files: &mut BTreeMap<String, PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            index(&path, files)?;
        } else if let Some((stem, _)) = file_name(&path).split_once(".ko") {
            files.insert(stem.replace('-', "_"), path);
        }
    }
    Ok(())
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Appends module `name` to `order` after what it depends on. A module without a file is built into the kernel.
fn load(name: &str, files: &BTreeMap<String, PathBuf>, order: &mut Vec<(String, Vec<u8>)>) -> Result<()> {
    let Some(path) = files.get(name) else { return Ok(()) };
    if order.iter().any(|(present, _)| present == name) {
        return Ok(());
    }
    let mut content = fs::read(path)?;
    if file_name(path).ends_with(".xz") {
        content = Tool::new("xz", "xz-utils").arg("-dc").filter(&content)?;
    }
    for dependency in dependencies(&content)? {
        load(&dependency, files, order)?;
    }
    order.push((name.to_owned(), content));
    Ok(())
}

/// The modules that `module` names under "depends" in its `.modinfo` section.
fn dependencies(module: &[u8]) -> Result<Vec<String>> {
    let elf = goblin::elf::Elf::parse(module).context("A kernel module is not an ELF file")?;
    let section = elf.section_headers.iter().find(|s| elf.shdr_strtab.get_at(s.sh_name) == Some(".modinfo"));
    let range =
        section.and_then(|section| section.file_range()).context("A kernel module has no .modinfo")?;
    let info = module.get(range).context("A kernel module is cut short")?;
    let depends = info.split(|&byte| byte == 0).find_map(|text| text.strip_prefix(b"depends="));
    let depends = String::from_utf8_lossy(depends.unwrap_or_default()).into_owned();
    Ok(depends.split(',').filter(|name| !name.is_empty()).map(|name| name.replace('-', "_")).collect())
}
