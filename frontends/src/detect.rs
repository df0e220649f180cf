//! What a file is, told from its first bytes: for `lyrebird run FILE`.
//!
//! Sources: Linux `Documentation/arch/arm64/booting.rst` (Image header) and `Documentation/arch/x86/boot.rst` (HdrS), the ELF and PE specifications, RFC 1952
//! (gzip), the qcow2 specification, the UEFI platform initialization specification (firmware volumes).

use std::fs::File;
use std::io::Read;
use std::path::Path;

use lyrebird_machine::config::ImageFormat;

use crate::exit::{ExitClass, Failure};
use crate::options::Personality;

/// What to do with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Something `-kernel` loads, for this guest.
    Kernel(Personality),
    /// Flat firmware.
    Firmware,
    /// A disk image, with boot code for this guest as far as that can be told.
    Disk(ImageFormat, Personality),
}

/// Enough for every signature: the ISO 9660 one is the farthest.
const HEAD: u64 = 0x9000;

/// Looks into a file.
pub fn detect(path: &Path) -> Result<Kind, Failure> {
    let shown = path.display();
    let unreadable =
        |e: std::io::Error| Failure::new(ExitClass::GuestFile, format!("cannot read '{shown}': {e}"));
    let file = File::open(path).map_err(unreadable)?;
    if file.metadata().map_err(unreadable)?.is_dir() {
        return Err(Failure::new(
            ExitClass::GuestFile,
            format!("'{shown}' is a directory; give a file to run"),
        ));
    }
    let mut head = Vec::new();
    file.take(HEAD).read_to_end(&mut head).map_err(unreadable)?;
    classify(&head).map_err(|why| Failure::new(ExitClass::GuestFile, format!("'{shown}' {why}")))
}

/// What the first bytes say, or why it cannot be run (the rest of a sentence that begins with the file's name).
fn classify(head: &[u8]) -> Result<Kind, String> {
    let at = |offset: usize, magic: &[u8]| head.get(offset..).is_some_and(|h| h.starts_with(magic));
    let half = |offset: usize| head.get(offset..offset + 2).map(|b| u16::from_le_bytes([b[0], b[1]]));
    if head.is_empty() {
        return Err("is empty".into());
    }
    if at(0, b"\x7fELF") {
        let machine = if at(5, b"\x02") { half(18).map(u16::swap_bytes) } else { half(18) };
        return match machine {
            Some(183) if at(4, b"\x02") => Ok(Kind::Kernel(Personality::Aarch64)),
            Some(3 | 62) => Ok(Kind::Kernel(Personality::X86_64)),
            Some(n) => {
                Err(format!("is an ELF file for {}; AArch64 and x86 are what can be run", elf_machine(n)))
            }
            None => Err("is a truncated ELF file".into()),
        };
    }
    if at(0x38, b"ARM\x64") || (at(0, b"MZ") && at(4, b"zimg")) {
        return Ok(Kind::Kernel(Personality::Aarch64));
    }
    if at(0x202, b"HdrS") {
        return Ok(Kind::Kernel(Personality::X86_64));
    }
    if at(0x24, &[0x18, 0x28, 0x6f, 0x01]) {
        return Err("is a 32-bit Arm kernel (zImage); only AArch64 can be run yet".into());
    }
    if at(0, b"MZ") {
        return Err("is an EFI or Windows program; it needs firmware: put it on a disk and add -bios".into());
    }
    if at(0, b"\x1f\x8b") {
        // What is packed shows when it is loaded; packed kernels are Arm's.
        return Ok(Kind::Kernel(Personality::Aarch64));
    }
    if at(0, b"QFI\xfb") {
        return Ok(Kind::Disk(ImageFormat::Qcow2, Personality::default()));
    }
    let others: &[(usize, &[u8], &str)] = &[
        (0, b"KDMV", "is a VMDK disk image; convert it: qemu-img convert -O qcow2 IN OUT"),
        (0, b"vhdxfile", "is a VHDX disk image; convert it: qemu-img convert -O qcow2 IN OUT"),
        (0, b"conectix", "is a VHD disk image; convert it: qemu-img convert -O qcow2 IN OUT"),
        (
            0x40,
            &[0x7f, 0x10, 0xda, 0xbe],
            "is a VDI disk image; convert it: qemu-img convert -O qcow2 IN OUT",
        ),
        (0, b"070701", "is a cpio archive, an initial RAM disk: give it with -initrd and run a kernel"),
        (0, &[0xd0, 0x0d, 0xfe, 0xed], "is a device tree: give it with -dtb and run a kernel"),
        (0, b"\xfd7zXZ\0", "is compressed with xz; decompress it first: xz -d"),
        (0, &[0x28, 0xb5, 0x2f, 0xfd], "is compressed with zstd; decompress it first: zstd -d"),
        (0, b"BZh", "is compressed with bzip2; decompress it first: bzip2 -d"),
        (0, &[0x02, 0x21, 0x4c, 0x18], "is compressed with lz4; decompress it first: lz4 -d"),
        (0, &[0x27, 0x05, 0x19, 0x56], "is a U-Boot image; extract the kernel in it first"),
    ];
    if let Some((_, _, why)) = others.iter().find(|(offset, magic, _)| at(*offset, magic)) {
        return Err((*why).into());
    }
    if at(0x28, b"_FVH") || at(0x1028, b"_FVH") {
        return Ok(Kind::Firmware);
    }
    let disk = at(510, &[0x55, 0xaa])        // master boot record, also in front of a GUID partition table
        || at(512, b"EFI PART")
        || at(0x8001, b"CD001")
        || at(0x438, &[0x53, 0xef])          // ext2, 3, 4
        || at(0, b"hsqs")
        || at(0, b"XFSB");
    if disk {
        // A PC runs the first sector; other machines leave it empty.
        let pc = at(510, &[0x55, 0xaa]) && head.first().is_some_and(|&b| b != 0);
        let guest = if pc { Personality::X86_64 } else { Personality::default() };
        return Ok(Kind::Disk(ImageFormat::Raw, guest));
    }
    Err("is nothing that is known: no kernel, ELF, qcow2 or partitioned disk; \
         say what it is with -kernel, -bios or -drive file=...,format=raw"
        .into())
}

fn elf_machine(number: u16) -> String {
    match number {
        3 => "32-bit x86".into(),
        8 => "MIPS".into(),
        20 | 21 => "PowerPC".into(),
        22 => "s390".into(),
        40 => "32-bit Arm".into(),
        62 => "x86-64".into(),
        183 => "AArch64 with 32-bit pointers".into(),
        243 => "RISC-V".into(),
        258 => "LoongArch".into(),
        n => format!("machine {n}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Zeroes with `magic` at `offset`.
    fn with(offset: usize, magic: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; 0x9000];
        bytes[offset..offset + magic.len()].copy_from_slice(magic);
        bytes
    }

    #[test]
    fn signatures() {
        let raw = Kind::Disk(ImageFormat::Raw, Personality::Aarch64);
        let (arm, x86) = (Kind::Kernel(Personality::Aarch64), Kind::Kernel(Personality::X86_64));
        let cases: &[(usize, &[u8], Kind)] = &[
            (0x38, b"ARM\x64", arm),
            (0, b"MZ\0\0zimg", arm),
            (0, b"\x1f\x8b\x08", arm),
            (0, b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\xb7\0", arm),
            (0, b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3e\0", x86),
            (0x202, b"HdrS", x86),
            (0, b"QFI\xfb", Kind::Disk(ImageFormat::Qcow2, Personality::Aarch64)),
            (510, &[0x55, 0xaa], raw),
            (0x438, &[0x53, 0xef], raw),
            (0x8001, b"CD001", raw),
            (0x28, b"_FVH", Kind::Firmware),
        ];
        for (offset, magic, kind) in cases {
            assert_eq!(classify(&with(*offset, magic)), Ok(*kind), "{magic:?} at {offset:#x}");
        }
        let mut pc = with(510, &[0x55, 0xaa]);
        pc[0] = 0xeb;
        assert_eq!(classify(&pc), Ok(Kind::Disk(ImageFormat::Raw, Personality::X86_64)), "boot code");
    }

    #[test]
    fn strangers_are_named() {
        let cases: &[(usize, &[u8], &str)] = &[
            (0, b"\x7fELF\x01\x02\x01\0\0\0\0\0\0\0\0\0\0\x02\0\x08", "MIPS"),
            (0, b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\xf3\0", "RISC-V"),
            (0, b"KDMV", "VMDK"),
            (0, b"070701", "-initrd"),
            (0x100, b"?", "nothing that is known"),
        ];
        for (offset, magic, word) in cases {
            let error = classify(&with(*offset, magic)).expect_err("cannot be run");
            assert!(error.contains(word), "{error}");
        }
        assert!(classify(b"").is_err());
        assert!(classify(b"\x7fELF").is_err());
    }
}
