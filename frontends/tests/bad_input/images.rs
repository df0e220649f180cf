//! Disk images that cannot be used.

use super::inputs::{CLUSTER, Qcow2, image, write};
use super::{Case, case, place, run_all, wrong};

/// The options that make a disk of a file.
const CASES: &[(&str, &[&str])] = &[
    ("missing", &["'missing'", "does not exist"]),
    (".", &["'.'"]),
    ("v9", &["'v9'", "version"]),
    ("head", &["'head'"]),
    ("tiny-clusters", &["'tiny-clusters'"]),
    ("giant-clusters", &["'giant-clusters'"]),
    ("l1-outside", &["'l1-outside'"]),
    ("l1-unaligned", &["'l1-unaligned'"]),
    ("l1-giant", &["'l1-giant'"]),
    ("l1-short", &["'l1-short'"]),
    ("l1-entry", &["'l1-entry'"]),
    ("l2-entry", &["'l2-entry'"]),
    ("refcounts-outside", &["'refcounts-outside'"]),
    ("refcounts-wide", &["'refcounts-wide'"]),
    ("aes", &["'aes'", "encrypt"]),
    ("luks", &["'luks'", "encrypt"]),
    ("self", &["'self'", "loops"]),
    ("loop-a", &["'loop-a'", "loops"]),
    ("no-backing", &["nowhere"]),
    ("unknown-feature", &["'unknown-feature'"]),
    ("zstd", &["'zstd'", "zstd"]),
    ("data-file", &["'data-file'"]),
    ("corrupt-bit", &["'corrupt-bit'"]),
    ("giant", &["'giant'"]),
    ("header-length", &["'header-length'"]),
];

#[test]
fn disk_images() {
    let at = place("images");
    let q = Qcow2::new;
    let far = 1u64 << 40;
    let files: &[(&str, Qcow2)] = &[
        ("v9", q().word(4, 9)),
        ("tiny-clusters", q().word(20, 3)),
        ("giant-clusters", q().word(20, 63)),
        ("l1-outside", q().long(40, far)),
        ("l1-unaligned", q().long(40, 3 * CLUSTER as u64 + 8)),
        ("l1-giant", q().word(36, u32::MAX)),
        ("l1-short", q().long(24, 1 << 40)),
        ("l1-entry", q().long(3 * CLUSTER, 1 << 63 | far)),
        ("l2-entry", q().l2(1 << 63 | far)),
        ("refcounts-outside", q().long(48, far)),
        ("refcounts-wide", q().word(96, 9)),
        ("aes", q().word(32, 1)),
        ("luks", q().word(32, 2)),
        ("self", q().backing("self")),
        ("loop-a", q().backing("loop-b")),
        ("loop-b", q().backing("loop-a")),
        ("no-backing", q().backing("nowhere")),
        ("unknown-feature", q().long(72, 1 << 10)),
        ("zstd", q().long(72, 1 << 3).word(100, 112).word(104, 1 << 24)),
        ("data-file", q().long(72, 1 << 2)),
        ("corrupt-bit", q().long(72, 1 << 1)),
        ("giant", q().long(24, 1 << 62)),
        ("header-length", q().word(100, 0x4000_0000)),
    ];
    for (name, content) in files {
        write(&at, name, content.bytes());
    }
    write(&at, "head", &q().bytes()[..40]);
    // PSCI SYSTEM_OFF: an image that is taken ends the run at once, with success.
    write(&at, "guest", &image(&[0xD2B0_8000, 0xF280_0100, 0xD400_0002, 0x1400_0000]));
    let mut failed = Vec::new();
    for (name, says) in CASES {
        let drive = format!(
            "-kernel guest -drive file={name},format=qcow2,if=none,id=d -device virtio-blk-device,drive=d"
        );
        // The text lives as long as the test program, as the other tables do.
        let arguments: &'static str = drive.leak();
        failed.extend(wrong(&at, &case(arguments, 4, says)));
    }
    assert!(failed.is_empty(), "{} of {} cases:\n{}", failed.len(), CASES.len(), failed.join("\n"));
    const RAW: &[Case] = &[
        case("-kernel guest -drive file=missing,format=raw,if=virtio", 4, &["'missing'", "does not exist"]),
        case("-kernel guest -drive file=.,format=raw,if=virtio", 4, &["'.'"]),
    ];
    run_all(&at, RAW);
}
