//! Fuzz targets: functions from bytes to nothing that must neither panic nor hang, whatever the bytes are.
//!
//! `tests/fuzz` makes libFuzzer programs of them; `cargo test -p lyrebird-tests --test fuzz` runs each over its seeds, over
//! mutations of those, and over the inputs in `tests/fuzz/regressions`, so that they cannot rot. See `docs/fuzzing.md`.

pub mod decoder;
pub mod devices;
pub mod images;
pub mod loaders;
pub mod pc;
pub mod suites;

use lyrebird_devices::bus::rng::Rng;
use std::path::PathBuf;

/// A fuzz target.
pub struct Target {
    /// Its name, and that of its file in `tests/fuzz/fuzz_targets`.
    pub name: &'static str,
    /// Uses an input.
    pub run: fn(&[u8]),
    /// Inputs to start from.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All of them.
pub const TARGETS: &[Target] = &[
    Target { name: "decoder", run: decoder::run, seeds: decoder::seeds },
    Target { name: "kernel", run: loaders::kernel, seeds: loaders::kernel_seeds },
    Target { name: "dtb", run: loaders::dtb, seeds: loaders::dtb_seeds },
    Target { name: "qcow2", run: images::qcow2, seeds: images::qcow2_seeds },
    Target { name: "gicv2", run: devices::gicv2, seeds: devices::seeds },
    Target { name: "gicv3", run: devices::gicv3, seeds: devices::seeds },
    Target { name: "pl011", run: devices::pl011, seeds: devices::seeds },
    Target { name: "fw_cfg", run: devices::fw_cfg, seeds: devices::seeds },
    Target { name: "virtio", run: devices::virtio, seeds: devices::seeds },
    Target { name: "suite", run: suites::suite, seeds: suites::suite_seeds },
    Target { name: "pc_kernel", run: pc::kernel, seeds: pc::kernel_seeds },
    Target { name: "pc_chips", run: pc::chips, seeds: devices::seeds },
];

/// An input made of another one: bytes replaced, inserted, removed, repeated.
pub fn mutate(bytes: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=rng.below(6) {
        let len = bytes.len() as u64;
        // Headers are where formats are decided.
        let reach = [64, 600, len][rng.below(3) as usize].min(len).max(1);
        let at = (rng.below(reach) as usize).min(bytes.len());
        let fresh = [0, 0xFF, 1, 0x80, rng.draw() as u8][rng.below(5) as usize];
        match rng.below(8) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, fresh),
            2 => {
                let end = (at + 1 + rng.below(16) as usize).min(bytes.len());
                let part = bytes.get(at..end).unwrap_or_default().to_vec();
                bytes.extend(part);
            }
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = fresh;
                }
            }
        }
    }
    bytes
}

/// A file with `bytes` for code that wants a path; removed when this is dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str, bytes: &[u8]) -> std::io::Result<Scratch> {
        let thread = format!("{:?}", std::thread::current().id()).replace(['(', ')'], "-");
        let path = std::env::temp_dir().join(format!("lyrebird-fuzz-{}-{thread}{name}", std::process::id()));
        std::fs::write(&path, bytes)?;
        Ok(Scratch(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
