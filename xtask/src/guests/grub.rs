//! A kernel that firmware starts: on a disk with GRUB in its master boot record, and on a CD made by grub-mkrescue.
//!
//! The disk has one partition, ext2, with the kernel, the initrd and GRUB's menu; GRUB itself lies in the sectors before
//! it, as grub-install puts it there.

use super::boot::COMMAND;
use super::disk;
use crate::{paths, shell::Tool};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::Path;

/// The disk's file in a kernel's folder.
pub const DISK: &str = "grub.img";
/// The CD's.
pub const CD: &str = "grub.iso";

/// Debian's package with GRUB for a PC's BIOS, and where it puts it.
const PACKAGE: &str = "grub-pc-bin grub-common xorriso mtools";
const GRUB: &str = "/usr/lib/grub/i386-pc";

const SECTOR: usize = 512;
/// Where the partition begins: one MiB into the disk, as tools for partitions do it.
const PARTITION: usize = 1 << 20;
/// Room for the biggest kernel and initrd, bytes.
const SIZE: usize = 48 << 20;

/// What GRUB needs before it can read the partition.
const MODULES: [&str; 8] =
    ["biosdisk", "part_msdos", "ext2", "normal", "linux", "serial", "terminal", "echo"];

/// Makes both in a kernel's `folder` unless they are there; returns a line about them.
pub fn prepare(folder: &Path, refresh: bool) -> Result<String> {
    if refresh || !folder.join(DISK).exists() || !folder.join(CD).exists() {
        ensure!(Path::new(GRUB).is_dir(), "GRUB is not installed: run `apt-get install {PACKAGE}` as root");
        let tree = paths::guests().join("unpacked/grub");
        if tree.exists() {
            fs::remove_dir_all(&tree)?;
        }
        fs::create_dir_all(tree.join("boot/grub"))?;
        for file in ["bzImage", "initrd.gz"] {
            fs::copy(folder.join(file), tree.join("boot").join(file))?;
        }
        fs::write(tree.join("boot/grub/grub.cfg"), menu())?;
        cd(&tree, &folder.join(CD))?;
        hard_disk(&tree, &folder.join(DISK))?;
        fs::remove_dir_all(&tree)?;
    }
    Ok(format!("{DISK}, {CD}"))
}

/// GRUB's menu: it starts the kernel at once.
fn menu() -> String {
    let line = format!("console=ttyS0 quiet panic=-1 lyre.off lyre.run={COMMAND}");
    format!(
        "serial --unit=0 --speed=115200\nterminal_input console serial\nterminal_output console serial\nset timeout=0\n\
         menuentry Linux {{\n    echo GRUB loads Linux\n    linux /boot/bzImage {line}\n    initrd /boot/initrd.gz\n}}\n"
    )
}

/// Makes a CD of a folder with `boot/grub/grub.cfg` in it.
pub fn cd(tree: &Path, image: &Path) -> Result<()> {
    Tool::new("grub-mkrescue", PACKAGE)
        .args(["-d", GRUB, "--locales=", "--fonts=", "--themes=", "-o"])
        .args([image, tree])
        .run()
}

fn hard_disk(tree: &Path, image: &Path) -> Result<()> {
    let (core, partition) = (image.with_extension("core"), image.with_extension("part"));
    Tool::new("grub-mkimage", PACKAGE)
        .args(["-d", GRUB, "-O", "i386-pc", "-p", "(hd0,msdos1)/boot/grub", "-o"])
        .arg(&core)
        .args(MODULES)
        .run()?;
    disk::format(tree, &partition, SIZE as u64, "lyrebird-grub")?;
    let boot = fs::read(Path::new(GRUB).join("boot.img")).context("GRUB's boot.img")?;
    let bytes = partitioned(&boot, &fs::read(&core)?, &fs::read(&partition)?)?;
    fs::write(image, bytes)?;
    fs::remove_file(core)?;
    Ok(fs::remove_file(partition)?)
}

/// A disk with the boot code in its first sector, GRUB's core behind it, and one partition. The boot code loads the core
/// from sector 1 and the core the rest of itself from sector 2 unless they are told otherwise.
fn partitioned(boot: &[u8], core: &[u8], partition: &[u8]) -> Result<Vec<u8>> {
    const TABLE: usize = 446;
    const LINUX: u8 = 0x83;
    let code = boot.get(..TABLE).context("GRUB's boot.img is cut short")?;
    ensure!(core.len() <= PARTITION - SECTOR, "GRUB's core is {} bytes, too many", core.len());
    let mut disk = vec![0; PARTITION];
    disk[..TABLE].copy_from_slice(code);
    disk[SECTOR..SECTOR + core.len()].copy_from_slice(core);
    let entry = &mut disk[TABLE..TABLE + 16];
    // Active, cylinders out of reach on both ends, then the sectors that count.
    entry[..8].copy_from_slice(&[0x80, 0xFE, 0xFF, 0xFF, LINUX, 0xFE, 0xFF, 0xFF]);
    entry[8..12].copy_from_slice(&((PARTITION / SECTOR) as u32).to_le_bytes());
    entry[12..].copy_from_slice(&((partition.len() / SECTOR) as u32).to_le_bytes());
    disk[510..512].copy_from_slice(&[0x55, 0xAA]);
    disk.extend_from_slice(partition);
    Ok(disk)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_partition_table_finds_the_partition() {
        let disk = partitioned(&[7; 512], &[8; 700], &[9; 2048]).unwrap();
        assert_eq!((disk[0], disk[445], disk[512], disk[1211], disk[1212]), (7, 7, 8, 8, 0));
        let word = |at: usize| u32::from_le_bytes(disk[at..at + 4].try_into().unwrap()) as usize;
        assert_eq!((word(454), word(458)), (2048, 4));
        assert_eq!(disk[word(454) * SECTOR..], [9; 2048]);
        assert!(partitioned(&[7; 512], &vec![8; PARTITION], &[]).is_err());
    }
}
