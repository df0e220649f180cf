//! Raw images, locks, overlays, and opening.

use super::*;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A directory that goes away with the test.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("lyrebird-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }

    pub(crate) fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn options(path: &Path) -> ImageOptions {
    ImageOptions { unmap: true, ..ImageOptions::new(path) }
}

pub(crate) fn read(disk: &Arc<dyn BlockBackend>, offset: u64, len: usize) -> Vec<u8> {
    let mut buf = vec![0xEE; len];
    disk.read_at(&mut buf, offset).unwrap();
    buf
}

/// The next number of a fixed sequence (xorshift64*).
pub(crate) fn random(state: &mut u64) -> u64 {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    state.wrapping_mul(0x2545_F491_4F6C_DD1D)
}

/// Drives `disk` with writes, zeroes and discards at random and compares it with a plain copy.
pub(crate) fn exercise(disk: &Arc<dyn BlockBackend>, model: &mut [u8], rounds: usize, mut seed: u64) {
    for round in 0..rounds {
        let at = random(&mut seed) % model.len() as u64;
        let len = (random(&mut seed) % 70_000).min(model.len() as u64 - at) as usize;
        let range = at as usize..at as usize + len;
        match random(&mut seed) % 8 {
            0 => {
                disk.write_zeroes(at, len as u64, round % 2 == 0).unwrap();
                model[range].fill(0);
            }
            1 => {
                disk.discard(at, len as u64).unwrap();
                model[range.clone()].copy_from_slice(&read(disk, at, len));
            }
            2 => disk.flush().unwrap(),
            3 | 4 => assert_eq!(read(disk, at, len), model[range], "round {round}"),
            _ => {
                let data: Vec<u8> = (0..len).map(|i| (i as u64 ^ seed) as u8).collect();
                disk.write_at(&data, at).unwrap();
                model[range].copy_from_slice(&data);
            }
        }
    }
    assert!(read(disk, 0, model.len()) == model);
}

#[test]
fn raw_image_behaves_like_bytes() {
    let dir = Scratch::new("raw");
    let path = dir.file("d", &[0x5A; 300_000]);
    let disk = open(&options(&path)).unwrap();
    let mut model = vec![0x5A; 300_000];
    model.resize(300_032, 0); // whole sectors
    assert_eq!(disk.size(), 300_032);
    exercise(&disk, &mut model, 200, 1);
    disk.flush().unwrap();
    drop(disk);
    let stored = std::fs::read(&path).unwrap();
    assert!(stored[..] == model[..stored.len()]);
}

#[test]
fn requests_outside_of_the_disk_fail() {
    let dir = Scratch::new("outside");
    let disk = open(&options(&dir.file("d", &[0; 4096]))).unwrap();
    let mut buf = [0; 1024];
    for at in [3584, 4096, u64::MAX, u64::MAX - 1023] {
        assert!(disk.read_at(&mut buf, at).is_err());
        assert!(disk.write_at(&buf, at).is_err());
        assert!(disk.discard(at, 1024).is_err());
        assert!(disk.write_zeroes(at, 1024, true).is_err());
    }
    assert!(disk.write_zeroes(0, u64::MAX, false).is_err());
}

#[test]
fn read_only_refuses_every_change() {
    let dir = Scratch::new("ro");
    let path = dir.file("d", &[7; 4096]);
    let disk = open(&ImageOptions { read_only: true, ..options(&path) }).unwrap();
    assert!(disk.read_only() && disk.info().read_only);
    assert!(disk.write_at(&[0; 512], 0).is_err());
    assert!(disk.write_zeroes(0, 512, true).is_err());
    assert!(disk.discard(0, 512).is_err());
    disk.flush().unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), [7; 4096]);
}

#[test]
fn snapshot_leaves_the_file_alone() {
    let dir = Scratch::new("snap");
    let original: Vec<u8> = (0..300_000u32).map(|i| (i / 7) as u8).collect();
    let path = dir.file("d", &original);
    let disk = open(&ImageOptions { snapshot: true, ..options(&path) }).unwrap();
    let mut model = original.clone();
    model.resize(300_032, 0);
    exercise(&disk, &mut model, 300, 2);
    assert!(disk.info().temporary && !disk.read_only());
    // A snapshot only reads the file, so two of them agree.
    let second = open(&ImageOptions { snapshot: true, ..options(&path) }).unwrap();
    assert_eq!(read(&second, 0, 300_000), original);
    assert_eq!(std::fs::read(&path).unwrap(), original);
}

#[test]
fn two_writers_are_refused() {
    let dir = Scratch::new("lock");
    let path = dir.file("d", &[0; 4096]);
    let writer = open(&options(&path)).unwrap();
    let reader = ImageOptions { read_only: true, ..options(&path) };
    for how in [&options(&path), &reader] {
        let error = open(how).err().unwrap();
        assert!(matches!(error, BlockError::Locked { .. }), "{error}");
    }
    open(&ImageOptions { locking: false, ..options(&path) }).unwrap();
    drop(writer);
    let first = open(&reader).unwrap();
    open(&reader).unwrap();
    assert!(matches!(open(&options(&path)), Err(BlockError::Locked { .. })));
    drop(first);
    open(&options(&path)).unwrap();
}

#[test]
fn locks_are_those_of_qemu() {
    let dir = Scratch::new("qemu-lock");
    let path = dir.file("d", &[0; 4096]);
    let disk = open(&options(&path)).unwrap();
    let Some(out) = qemu_io(&["-f", "raw", "-c", "write 0 512"], &path) else { return };
    assert!(String::from_utf8_lossy(&out.stderr).contains("lock"), "{out:?}");
    drop(disk);
    let out = qemu_io(&["-f", "raw", "-c", "write 0 512"], &path).unwrap();
    assert!(out.status.success(), "{out:?}");
}

/// Runs qemu-io on an image; `None`, saying so, when it is not installed.
fn qemu_io(args: &[&str], path: &Path) -> Option<std::process::Output> {
    let out = std::process::Command::new("qemu-io").args(args).arg(path).output();
    if out.is_err() {
        eprintln!("qemu-io is not installed: not compared with QEMU");
    }
    out.ok()
}

#[test]
fn what_is_not_an_image_is_refused() {
    let dir = Scratch::new("refuse");
    let fail = |path: &Path| open(&options(path)).err().unwrap();
    assert!(matches!(fail(&dir.path("none")), BlockError::Missing { .. }));
    assert!(matches!(fail(&dir.path("")), BlockError::NotAnImage { what: "a directory", .. }));
    assert!(matches!(
        fail(Path::new("/dev/null")),
        BlockError::NotAnImage { what: "a character device", .. }
    ));
    let vmdk = dir.file("v", b"KDMV and more");
    assert!(matches!(fail(&vmdk), BlockError::UnsupportedFormat { format: "VMDK", .. }));
    let qcow2 = ImageOptions { format: Some(Format::Qcow2), ..options(&vmdk) };
    assert!(matches!(open(&qcow2), Err(BlockError::NotQcow2 { .. })));
    assert!(matches!(Format::from_name("vdi"), Err(BlockError::UnknownFormat { .. })));
    let raw = ImageOptions { format: Some(Format::Raw), data_file: Some(vmdk.clone()), ..options(&vmdk) };
    assert!(matches!(open(&raw), Err(BlockError::DataFile { .. })));
    assert!(fail(&dir.path("none")).to_string().contains("does not exist; check the path"));
}

#[test]
fn an_empty_raw_file_is_an_empty_disk() {
    let dir = Scratch::new("empty");
    let disk = open(&options(&dir.file("d", b""))).unwrap();
    assert_eq!(disk.size(), 0);
    assert!(disk.read_at(&mut [0; 1], 0).is_err());
}

#[test]
fn a_guessed_raw_disk_cannot_become_qcow2() {
    let dir = Scratch::new("guess");
    let path = dir.file("d", &[0; 4096]);
    let disk = open(&options(&path)).unwrap();
    assert!(disk.write_at(b"QFI\xfb", 0).is_err());
    disk.write_at(b"QFI", 0).unwrap();
    assert!(disk.write_at(b"\xfb and more", 3).is_err(), "in two steps");
    disk.write_at(b"QFI\xfb", 512).unwrap();
    drop(disk);
    let said = ImageOptions { format: Some(Format::Raw), ..options(&path) };
    open(&said).unwrap().write_at(b"QFI\xfb", 0).unwrap();
}

#[test]
fn cache_modes() {
    let dir = Scratch::new("cache");
    let path = dir.file("d", &[0; 4096]);
    for cache in [Cache::Writeback, Cache::Writethrough, Cache::Unsafe] {
        assert_eq!(Cache::from_name(cache.name()), Some(cache));
        let disk = open(&ImageOptions { cache, ..options(&path) }).unwrap();
        disk.write_at(&[cache as u8; 512], 512).unwrap();
        disk.flush().unwrap();
        assert_eq!(read(&disk, 512, 1), [cache as u8]);
        assert!(disk.info().to_string().contains(cache.name()));
    }
}
