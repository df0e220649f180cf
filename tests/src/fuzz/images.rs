//! Disk images: opened and used as a guest would. Their metadata is where the bytes go wrong.

use super::Scratch;
use lyrebird_devices::block::{Format, ImageOptions, open};

/// Bytes of a cluster in the seeds.
const CLUSTER: usize = 4096;

/// A qcow2 image: opened, read, written, discarded, flushed.
pub fn qcow2(bytes: &[u8]) {
    let Ok(file) = Scratch::new("qcow2", bytes) else { return };
    let options = ImageOptions { format: Some(Format::Qcow2), unmap: true, ..ImageOptions::new(&file.0) };
    let Ok(disk) = open(&options) else { return };
    let size = disk.size();
    let mut buf = vec![0; size.min(100_000) as usize];
    let _ = disk.read_at(&mut buf, 0);
    let at = size.saturating_sub(buf.len() as u64) / 2;
    let _ = disk.write_at(buf.get(..5000).unwrap_or(&buf), at);
    let _ = disk.write_zeroes(at & !4095, 8192, true);
    let _ = disk.discard(0, 0x4_0000);
    let _ = disk.flush();
    let _ = disk.read_at(&mut buf, at);
    let _ = disk.info().to_string();
}

fn put<const N: usize>(bytes: &mut [u8], at: usize, value: [u8; N]) {
    bytes[at..at + N].copy_from_slice(&value);
}

/// An image of 1 MiB with clusters of 4 KiB: header, refcount table, refcount block, L1, one L2 table, one data cluster.
fn small(version: u32) -> Vec<u8> {
    let mut bytes = vec![0; 6 * CLUSTER];
    put(&mut bytes, 0, *b"QFI\xfb");
    put(&mut bytes, 4, version.to_be_bytes());
    put(&mut bytes, 20, 12u32.to_be_bytes());
    put(&mut bytes, 24, (1u64 << 20).to_be_bytes());
    put(&mut bytes, 36, 1u32.to_be_bytes());
    put(&mut bytes, 40, (3 * CLUSTER as u64).to_be_bytes());
    put(&mut bytes, 48, (CLUSTER as u64).to_be_bytes());
    put(&mut bytes, 56, 1u32.to_be_bytes());
    if version == 3 {
        put(&mut bytes, 96, 4u32.to_be_bytes());
        put(&mut bytes, 100, 104u32.to_be_bytes());
    }
    put(&mut bytes, CLUSTER, (2 * CLUSTER as u64).to_be_bytes());
    for cluster in 0..6 {
        put(&mut bytes, 2 * CLUSTER + 2 * cluster, 1u16.to_be_bytes());
    }
    let copied = 1u64 << 63;
    put(&mut bytes, 3 * CLUSTER, (copied | (4 * CLUSTER as u64)).to_be_bytes());
    put(&mut bytes, 4 * CLUSTER, (copied | (5 * CLUSTER as u64)).to_be_bytes());
    bytes[5 * CLUSTER..].fill(0xAB);
    bytes
}

/// Both versions.
pub fn qcow2_seeds() -> Vec<Vec<u8>> {
    vec![small(2), small(3)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_good() {
        for seed in qcow2_seeds() {
            let file = Scratch::new("seed", &seed).unwrap();
            let options = ImageOptions { format: Some(Format::Qcow2), ..ImageOptions::new(&file.0) };
            let mut buf = [0; 2];
            open(&options).unwrap().read_at(&mut buf, 4095).unwrap();
            assert_eq!(buf, [0xAB, 0]);
        }
    }
}
