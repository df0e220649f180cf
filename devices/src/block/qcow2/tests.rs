//! The guard, case by case; the library through the guard; and images after a kill.

use crate::block::tests::{Scratch, exercise, options, random, read};
use crate::block::{BlockError, ImageOptions, open};
use imago::file::File as ImageFile;
use imago::qcow2::Qcow2;
use imago::{FormatCreateBuilder, Storage, StorageCreateOptions};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

const MIB: u64 = 1 << 20;

/// A new image of `size` bytes with 4 KiB clusters.
fn create(path: &Path, size: u64, backing: Option<(&str, &str)>) {
    let storage = ImageFile::create_open(StorageCreateOptions::new().filename(path).overwrite(true)).unwrap();
    let mut builder = Qcow2::<ImageFile>::create_builder(storage).size(size).cluster_size(4096);
    if let Some((name, format)) = backing {
        builder = builder.backing(name.into(), format.into());
    }
    builder.create().unwrap();
}

/// Overwrites bytes of an image.
fn patch(path: &Path, at: u64, bytes: &[u8]) {
    File::options().write(true).open(path).unwrap().write_all_at(bytes, at).unwrap();
}

fn field(path: &Path, at: usize) -> u64 {
    u64::from_be_bytes(std::fs::read(path).unwrap()[at..at + 8].try_into().unwrap())
}

/// An image with one MiB written.
fn written(dir: &Scratch, name: &str) -> std::path::PathBuf {
    let path = dir.path(name);
    create(&path, 8 * MIB, None);
    open(&options(&path)).unwrap().write_at(&vec![0xAB; MIB as usize], 0).unwrap();
    path
}

/// Runs `qemu-img check`; says so when it is not installed. Leaked clusters are allowed when `leaks`.
fn check(path: &Path, leaks: bool) {
    match Command::new("qemu-img").arg("check").arg(path).output() {
        Ok(out) => {
            let ok = out.status.success() || (leaks && out.status.code() == Some(3));
            assert!(ok, "{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
        }
        Err(_) => eprintln!("qemu-img is not installed: image not checked"),
    }
}

#[test]
fn behaves_like_bytes_and_stays_clean() {
    let dir = Scratch::new("q-bytes");
    let path = dir.path("d");
    create(&path, 3 * MIB, None);
    let disk = open(&options(&path)).unwrap();
    assert_eq!((disk.size(), disk.info().format), (3 * MIB, "qcow2"));
    let mut model = vec![0; 3 << 20];
    exercise(&disk, &mut model, 400, 3);
    drop(disk);
    check(&path, false);
    let again = open(&ImageOptions { read_only: true, ..options(&path) }).unwrap();
    assert!(read(&again, 0, 3 << 20) == model);
}

#[test]
fn backing_files_show_through_and_are_not_changed() {
    let dir = Scratch::new("q-back");
    let base: Vec<u8> = (0..2 * MIB).map(|i| (i >> 9) as u8).collect();
    dir.file("base.raw", &base);
    create(&dir.path("mid"), 2 * MIB, Some(("base.raw", "raw")));
    create(&dir.path("top"), 3 * MIB, Some(("mid", "qcow2")));
    let disk = open(&options(&dir.path("top"))).unwrap();
    let mut model = base.clone();
    model.resize(3 << 20, 0);
    exercise(&disk, &mut model, 200, 4);
    assert_eq!(disk.info().backing.len(), 2);
    drop(disk);
    check(&dir.path("top"), false);
    assert!(std::fs::read(dir.path("base.raw")).unwrap() == base);
    // -snapshot on top of a chain.
    let snapshot = ImageOptions { snapshot: true, ..options(&dir.path("top")) };
    exercise(&open(&snapshot).unwrap(), &mut model, 100, 5);
}

#[test]
fn bad_headers_are_refused_by_name() {
    let dir = Scratch::new("q-head");
    let refused = |name: &str, at: u64, bytes: &[u8]| {
        let path = written(&dir, name);
        patch(&path, at, bytes);
        let error = open(&options(&path)).err().unwrap_or_else(|| panic!("{name} was opened"));
        assert!(error.to_string().contains(name), "{error}");
        error
    };
    macro_rules! refuses {
        ($name:literal, $at:expr, $bytes:expr, $variant:ident) => {
            let error = refused($name, $at, &$bytes);
            assert!(matches!(error, BlockError::$variant { .. }), "{}: {error:?}", $name);
        };
    }
    refuses!("version", 4, 4u32.to_be_bytes(), Version);
    refuses!("aes", 32, 1u32.to_be_bytes(), Encrypted);
    refuses!("luks", 32, 2u32.to_be_bytes(), Encrypted);
    refuses!("crypt", 32, 99u32.to_be_bytes(), Encrypted);
    refuses!("small cluster", 20, 8u32.to_be_bytes(), BadHeader);
    refuses!("big cluster", 20, 22u32.to_be_bytes(), BadHeader);
    refuses!("absurd cluster", 20, u32::MAX.to_be_bytes(), BadHeader);
    refuses!("dirty", 72, 1u64.to_be_bytes(), Dirty);
    refuses!("corrupt", 72, 2u64.to_be_bytes(), MarkedCorrupt);
    refuses!("data file", 72, 4u64.to_be_bytes(), DataFile);
    refuses!("compression", 72, 8u64.to_be_bytes(), Features);
    refuses!("extended l2", 72, 16u64.to_be_bytes(), Features);
    refuses!("bit 63", 72, (1u64 << 63).to_be_bytes(), Features);
    refuses!("size", 24, u64::MAX.to_be_bytes(), TooBig);
    refuses!("size grown", 24, (1u64 << 40).to_be_bytes(), BadHeader);
    refuses!("l1 size", 36, u32::MAX.to_be_bytes(), BadHeader);
    refuses!("l1 short", 36, 0u32.to_be_bytes(), BadHeader);
    refuses!("l1 unaligned", 40, 0x1001u64.to_be_bytes(), BadHeader);
    refuses!("l1 in header", 40, 0u64.to_be_bytes(), BadHeader);
    refuses!("l1 outside", 40, (1u64 << 40).to_be_bytes(), BadHeader);
    refuses!("l1 wraps", 40, (!4095u64).to_be_bytes(), BadHeader);
    refuses!("l1 on reftable", 40, 0x1000u64.to_be_bytes(), BadTable);
    refuses!("reftable unaligned", 48, 0x1004u64.to_be_bytes(), BadHeader);
    refuses!("reftable outside", 48, (1u64 << 50).to_be_bytes(), BadHeader);
    refuses!("reftable empty", 56, 0u32.to_be_bytes(), BadHeader);
    refuses!("reftable huge", 56, u32::MAX.to_be_bytes(), BadHeader);
    refuses!("snapshots", 60, u32::MAX.to_be_bytes(), BadHeader);
    refuses!("snapshots outside", 60, 5u32.to_be_bytes(), BadHeader);
    refuses!("refcount order", 96, 7u32.to_be_bytes(), BadHeader);
    refuses!("header length", 100, 100u32.to_be_bytes(), BadHeader);
    refuses!("header huge", 100, u32::MAX.to_be_bytes(), BadHeader);
    refuses!("extension", 108, u32::MAX.to_be_bytes(), BadHeader);
    refuses!("feature names", 108, 49u32.to_be_bytes(), BadHeader);
    // The name's length lies behind its offset and the cluster bits follow.
    let name = [&u64::MAX.to_be_bytes()[..], &9u32.to_be_bytes()].concat();
    refuses!("name outside", 8, name, BadHeader);
    let name = [&0x200u64.to_be_bytes()[..], &2000u32.to_be_bytes()].concat();
    refuses!("name long", 8, name, BadHeader);
    let name = [&8u64.to_be_bytes()[..], &20u32.to_be_bytes()].concat();
    refuses!("name in header", 8, name, BadHeader);
}

#[test]
fn cut_files_are_refused_or_harmless() {
    let dir = Scratch::new("q-cut");
    let whole = std::fs::read(written(&dir, "whole")).unwrap();
    for len in [4, 8, 71, 72, 103, 104, 500, 4096, 8192, 12288, 16384, whole.len() - 4096] {
        let path = dir.file("cut", &whole[..len]);
        let error = open(&options(&path)).err().unwrap_or_else(|| panic!("opened with {len} bytes"));
        assert!(!error.to_string().is_empty());
    }
}

#[test]
fn bad_tables_are_refused() {
    let dir = Scratch::new("q-tables");
    let (l1, l2) = {
        let path = written(&dir, "look");
        let l1 = field(&path, 40);
        (l1, field(&path, l1 as usize) & 0xFF_FFFF_FFFF_FE00)
    };
    let reftable = 0x1000;
    for (name, at, value) in [
        ("l1 unaligned", l1, 1 << 63 | 0x1200u64),
        ("l1 outside", l1, 1 << 63 | 1 << 50),
        ("l1 reserved", l1, 1 << 63 | 1 << 60 | l2),
        ("l1 to itself", l1, 1 << 63 | l1),
        ("l1 twice", l1 + 8, 1 << 63 | l2),
        ("l2 unaligned", l2, 1 << 63 | 0x1200),
        ("l2 outside", l2, 1 << 63 | 1 << 50),
        ("l2 reserved", l2, 1 << 63 | 1 << 58),
        ("l2 to the l1", l2, 1 << 63 | l1),
        ("l2 to the reftable", l2, 1 << 63 | reftable),
        ("l2 to itself", l2, 1 << 63 | l2),
        ("l2 compressed outside", l2, 1 << 62 | 1 << 50),
        ("reftable outside", reftable, 1 << 50),
        ("reftable reserved", reftable, 0x2001),
        ("reftable to itself", reftable, reftable),
        ("reftable empty", reftable, 0),
        ("header counted as free", 0x2000, 0x0000_0001_0001_0001),
        ("data counted as free", 0x2000 + 0x40, 0x0001_0001_0001_0000),
    ] {
        let path = written(&dir, name);
        patch(&path, at, &value.to_be_bytes());
        let error = open(&options(&path)).err().unwrap_or_else(|| panic!("{name} was opened"));
        assert!(matches!(error, BlockError::BadTable { .. }), "{name}: {error:?}");
    }
}

#[test]
fn bad_backing_chains_are_refused() {
    let dir = Scratch::new("q-chain");
    let fail = |name: &str| open(&options(&dir.path(name))).err().unwrap();
    create(&dir.path("self"), MIB, Some(("self", "qcow2")));
    assert!(matches!(fail("self"), BlockError::BackingLoop { .. }));
    create(&dir.path("a"), MIB, Some(("b", "qcow2")));
    create(&dir.path("b"), MIB, Some(("c", "qcow2")));
    create(&dir.path("c"), MIB, Some(("b", "qcow2")));
    assert!(matches!(fail("a"), BlockError::BackingLoop { .. }), "{}", fail("a"));
    create(&dir.path("lost"), MIB, Some(("nowhere", "qcow2")));
    assert!(matches!(fail("lost"), BlockError::BackingMissing { .. }));
    create(&dir.path("net"), MIB, Some(("nbd://host/x", "raw")));
    assert!(matches!(fail("net"), BlockError::BackingUnsupported { .. }));
    create(&dir.path("fmt"), MIB, Some(("a", "vmdk")));
    assert!(matches!(fail("fmt"), BlockError::BackingUnsupported { .. }));
    create(&dir.path("notq"), MIB, Some(("zero", "qcow2")));
    dir.file("zero", &[0; 512]);
    assert!(matches!(fail("notq"), BlockError::NotQcow2 { .. }));
    create(&dir.path("0"), MIB, None);
    for n in 1..=64u32 {
        create(&dir.path(&n.to_string()), MIB, Some((&(n - 1).to_string(), "qcow2")));
    }
    open(&options(&dir.path("63"))).unwrap();
    assert!(matches!(fail("64"), BlockError::BackingTooDeep { .. }));
}

#[test]
fn an_encrypted_image_of_qemu_is_refused() {
    let dir = Scratch::new("q-luks");
    let path = dir.path("e");
    let made = Command::new("qemu-img")
        .args(["create", "-q", "--object", "secret,id=s,data=x", "-f", "qcow2"])
        .args(["-o", "encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10"])
        .arg(&path)
        .arg("1M")
        .status();
    match made {
        Ok(status) if status.success() => {
            assert!(matches!(open(&options(&path)), Err(BlockError::Encrypted { .. })));
        }
        _ => eprintln!("qemu-img cannot make an encrypted image here: not tested"),
    }
}

#[test]
fn images_of_qemu_open() {
    let dir = Scratch::new("q-qemu");
    let data: Vec<u8> = (0..3 * MIB).map(|i| (i / 511) as u8).collect();
    let source = dir.file("source", &data);
    for (n, how) in [
        "compat=0.10",
        "compat=1.1",
        "cluster_size=512",
        "cluster_size=2M",
        "lazy_refcounts=on",
        "refcount_bits=1",
        "preallocation=metadata",
        "-c",
    ]
    .into_iter()
    .enumerate()
    {
        let path = dir.path(&format!("q{n}"));
        let mut convert = Command::new("qemu-img");
        convert.args(["convert", "-q", "-O", "qcow2"]);
        if how == "-c" {
            convert.arg(how)
        } else {
            convert.args(["-o", how])
        };
        match convert.arg(&source).arg(&path).status() {
            Ok(status) => assert!(status.success()),
            Err(_) => return eprintln!("qemu-img is not installed: its images are not tried"),
        }
        let disk = open(&options(&path)).unwrap_or_else(|e| panic!("{how}: {e}"));
        let mut model = data.clone();
        assert!(read(&disk, 0, model.len()) == model, "{how}");
        exercise(&disk, &mut model, 60, 6 + n as u64);
        drop(disk);
        check(&path, false);
    }
    let zstd = dir.path("zstd");
    let made = Command::new("qemu-img")
        .args(["create", "-q", "-f", "qcow2", "-o", "compression_type=zstd"])
        .arg(&zstd)
        .arg("1M")
        .status();
    if made.is_ok_and(|s| s.success()) {
        let error = open(&options(&zstd)).err().unwrap();
        assert!(error.to_string().contains("zstd"), "{error}");
    }
}

/// Images to damage: plain, version 2, over a backing file, and, where qemu-img is there, compressed and with an
/// internal snapshot.
fn victims(dir: &Scratch) -> Vec<Vec<u8>> {
    let plain = std::fs::read(written(dir, "plain")).unwrap();
    let mut second = plain.clone();
    second[4..8].copy_from_slice(&2u32.to_be_bytes());
    dir.file("base", &[0x33; 70_000]);
    let over = dir.path("over");
    create(&over, 8 * MIB, Some(("base", "raw")));
    open(&options(&over)).unwrap().write_at(&[1; 9000], 5000).unwrap();
    let mut found = vec![plain, second, std::fs::read(&over).unwrap()];
    let (packed, snapped) = (dir.path("packed"), written(dir, "snapped"));
    let convert = ["convert", "-c", "-O", "qcow2", "-o", "cluster_size=4k"];
    let made = Command::new("qemu-img").args(convert).arg(&snapped).arg(&packed).status();
    let taken = Command::new("qemu-img").args(["snapshot", "-c", "s"]).arg(&snapped).status();
    if made.is_ok_and(|s| s.success()) && taken.is_ok_and(|s| s.success()) {
        found.extend([std::fs::read(&packed).unwrap(), std::fs::read(&snapped).unwrap()]);
    }
    found
}

/// Damage anywhere in the metadata: opening and using such an image may fail, and must not panic or hang.
/// `LYREBIRD_FUZZ_ROUNDS` asks for more rounds.
#[test]
fn damaged_images_never_panic() {
    let dir = Scratch::new("q-fuzz");
    let victims = victims(&dir);
    let rounds = std::env::var("LYREBIRD_FUZZ_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(600);
    let mut seed = 0xD15C;
    let mut opened = 0;
    for round in 0..rounds {
        let mut bytes = victims[round % victims.len()].clone();
        for _ in 0..=random(&mut seed) % 4 {
            let reach = [128, 600, 0x6000, bytes.len() as u64][random(&mut seed) as usize % 4];
            let at = (random(&mut seed) % reach) as usize;
            bytes[at] = match random(&mut seed) % 3 {
                0 => 0,
                1 => 0xFF,
                _ => random(&mut seed) as u8,
            };
        }
        let path = dir.file("fuzz", &bytes);
        if let Ok(disk) = open(&options(&path)) {
            opened += 1;
            let mut buf = vec![0; 100_000.min(disk.size() as usize)];
            let _ = disk.read_at(&mut buf, 0);
            let at = random(&mut seed) % (8 * MIB);
            let _ = disk.write_at(&buf[..5000.min(buf.len())], at);
            let _ = disk.write_zeroes(at & !4095, 8192, true);
            let _ = disk.discard(random(&mut seed) % MIB, 0x4_0000);
            let _ = disk.flush();
            let _ = disk.read_at(&mut buf, at);
        }
    }
    assert!(
        opened > rounds / 15,
        "only {opened} damaged images opened: the damage is too coarse to test use"
    );
}

/// Not a test of its own: the process that `a_killed_writer_leaves_a_consistent_image` kills.
#[test]
fn killed_writer() {
    let Some(path) = std::env::var_os("LYREBIRD_TEST_KILLED_WRITER") else { return };
    let disk = open(&options(Path::new(&path))).unwrap();
    let mut seed = u64::from(std::process::id());
    loop {
        let at = random(&mut seed) % (60 * MIB);
        disk.write_at(&vec![seed as u8; (random(&mut seed) % 50_000) as usize], at).unwrap();
        match random(&mut seed) % 50 {
            0 => disk.flush().unwrap(),
            1 => disk.discard(at & !0xFFFF, 0x10_0000).unwrap(),
            _ => {}
        }
    }
}

#[test]
fn a_killed_writer_leaves_a_consistent_image() {
    let dir = Scratch::new("q-kill");
    let path = dir.path("d");
    create(&path, 64 * MIB, None);
    for round in 0..6u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "block::qcow2::tests::killed_writer", "--nocapture"])
            .env("LYREBIRD_TEST_KILLED_WRITER", &path)
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_millis(60 + 37 * round));
        child.kill().unwrap();
        child.wait().unwrap();
        check(&path, true);
        // The lock died with the process, and the guard agrees that the image is sound.
        open(&options(&path)).unwrap();
    }
}
