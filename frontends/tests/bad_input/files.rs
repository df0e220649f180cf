//! Kernels, programs, initrds, device trees and firmware.

use super::inputs::{elf, image, truncated_gzip, write, zboot};
use super::{Case, case, place, run_all};

const AARCH64: u16 = 183;

const CASES: &[Case] = &[
    case("-kernel missing", 3, &["kernel 'missing'", "No such file"]),
    case("-kernel .", 3, &["kernel '.'", "directory"]),
    case("-kernel empty", 3, &["kernel 'empty'", "empty"]),
    case("-kernel zeros", 3, &["kernel 'zeros'", "no arm64 Image"]),
    case("-kernel short", 3, &["kernel 'short'"]),
    case("-kernel bzimage", 3, &["x86 kernel"]),
    case("-kernel zimage", 3, &["32-bit Arm"]),
    case("-kernel elf-x86", 3, &["'elf-x86'", "X86_64", "AArch64"]),
    case("-kernel elf-outside", 3, &["'elf-outside'", "outside of RAM"]),
    case("-kernel elf-huge", 3, &["'elf-huge'"]),
    case("-kernel elf-wraps", 3, &["'elf-wraps'", "wraps around"]),
    case("-kernel elf-truncated", 3, &["'elf-truncated'", "truncated"]),
    case("-kernel elf-head", 3, &["'elf-head'", "corrupt"]),
    case("-kernel elf-nothing", 3, &["'elf-nothing'", "no loadable segment"]),
    case("-kernel gzip-truncated", 3, &["'gzip-truncated'", "gzip"]),
    case("-kernel gzip-zeros", 3, &["'gzip-zeros'", "gzip"]),
    case("-kernel zboot-outside", 3, &["'zboot-outside'", "truncated"]),
    case("-kernel zboot-wraps", 3, &["'zboot-wraps'", "truncated"]),
    case("-kernel zboot-zstd", 3, &["'zboot-zstd'", "zstd"]),
    case("-kernel zboot-corrupt", 3, &["'zboot-corrupt'", "gzip"]),
    case("-kernel big-endian", 3, &["'big-endian'", "big-endian"]),
    case("-kernel needs-more", 3, &["'needs-more'", "use -m"]),
    case("-kernel bad-size", 3, &["'bad-size'", "corrupt"]),
    case("-kernel good -initrd missing", 3, &["initrd 'missing'"]),
    case("-kernel good -initrd large -m 16", 3, &["initrd 'large'", "use at least -m"]),
    case("-kernel good -dtb missing", 3, &["device tree 'missing'"]),
    case("-kernel good -dtb zeros", 3, &["device tree 'zeros'"]),
    case("-kernel good -dtb dtb-truncated", 3, &["device tree 'dtb-truncated'"]),
    case("-kernel good -dtb dtb-offsets", 3, &["device tree 'dtb-offsets'"]),
    case("-kernel good -dtb empty", 3, &["device tree 'empty'"]),
    case("-bios missing", 3, &["firmware 'missing'"]),
    case("-bios empty", 3, &["firmware 'empty'", "empty"]),
    case("-bios large", 3, &["firmware 'large'", "64 MiB"]),
    case("-drive if=pflash,format=raw,file=large", 3, &["firmware 'large'", "64 MiB"]),
    case(
        "-bios good -drive if=pflash,unit=1,format=raw,file=good",
        5,
        &["-drive", "'good'", "truncate -s 64M"],
    ),
];

/// A device tree header: magic, total size, offsets of structures and strings, version.
fn dtb(total: u32, structure: u32) -> Vec<u8> {
    let words = [0xD00D_FEED, total, structure, 0x50, 0x28, 17, 16, 0, 8, 16u32];
    let mut bytes: Vec<u8> = words.iter().flat_map(|w| w.to_be_bytes()).collect();
    bytes.resize(0x60, 0);
    bytes
}

#[test]
fn what_boots() {
    let at = place("files");
    let changed = |offset: usize, with: &[u8]| {
        let mut bytes = image(&[0]);
        bytes[offset..offset + with.len()].copy_from_slice(with);
        bytes
    };
    let mut bzimage = vec![0; 0x400];
    bzimage[0x1FE..0x206].copy_from_slice(b"\x55\xaa\xeb\x66HdrS");
    let mut zimage = vec![0; 0x40];
    zimage[0x24..0x28].copy_from_slice(&0x016F_2818u32.to_le_bytes());
    let mut nothing = elf(AARCH64, 0x4000_0000, 8, 8);
    nothing[64..68].copy_from_slice(&4u32.to_le_bytes());
    let files: &[(&str, Vec<u8>)] = &[
        ("good", image(&[0x1400_0000])),
        ("empty", Vec::new()),
        ("zeros", vec![0; 4096]),
        ("short", image(&[])[..40].to_vec()),
        ("bzimage", bzimage),
        ("zimage", zimage),
        ("elf-x86", elf(62, 0x4000_0000, 8, 8)),
        ("elf-outside", elf(AARCH64, 0x1000, 8, 8)),
        ("elf-huge", elf(AARCH64, 0x4000_0000, 8, 1 << 62)),
        ("elf-wraps", elf(AARCH64, u64::MAX - 4, 8, 8)),
        ("elf-truncated", elf(AARCH64, 0x4000_0000, 0x1_0000, 0x1_0000)),
        ("elf-head", elf(AARCH64, 0x4000_0000, 8, 8)[..40].to_vec()),
        ("elf-nothing", nothing),
        ("gzip-truncated", truncated_gzip()),
        ("gzip-zeros", [&[0x1F, 0x8B], &[0; 100][..]].concat()),
        ("zboot-outside", zboot(0x40, 0x1000, "gzip")),
        ("zboot-wraps", zboot(u32::MAX, u32::MAX, "gzip")),
        ("zboot-zstd", zboot(0x40, 0x40, "zstd")),
        ("zboot-corrupt", zboot(0x40, 0x40, "gzip")),
        ("big-endian", changed(24, &[0xB])),
        ("needs-more", changed(16, &(512u64 << 20).to_le_bytes())),
        ("bad-size", changed(16, &u64::MAX.to_le_bytes())),
        ("large", vec![1; 65 << 20]),
        ("dtb-truncated", dtb(0x10000, 0x38)),
        ("dtb-offsets", dtb(0x60, 0xFFFF_0000)),
    ];
    for (name, bytes) in files {
        write(&at, name, bytes);
    }
    run_all(&at, CASES);
}
