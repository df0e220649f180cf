//! What a machine boots from: Image, gzip, zboot and ELF files, and device trees.

use super::Scratch;
use flate2::Compression;
use flate2::write::GzEncoder;
use lyrebird_machine::board::check_dtb;
use lyrebird_machine::loader::{self, Files};
use std::io::Write;

const BASE: u64 = 0x4000_0000;
const RAM: u64 = 128 << 20;

/// A kernel file: loaded, and all its pieces read; they lie in RAM.
pub fn kernel(bytes: &[u8]) {
    let Ok(file) = Scratch::new("kernel", bytes) else { return };
    let Ok(program) = loader::arm64(&mut Files::default(), &file.0, BASE, RAM) else { return };
    assert!(program.end <= BASE + RAM, "it ends behind RAM");
    for piece in &program.pieces {
        let mut size = 0;
        let read = piece.content.each(|_, part| {
            size += part.len() as u64;
            Ok(())
        });
        assert!(read.is_err() || size == piece.content.size(), "a piece has not its size");
        let end = piece.at.checked_add(size);
        assert!(piece.at >= BASE && end.is_some_and(|end| end <= program.end), "a piece lies outside");
    }
}

/// A device tree.
pub fn dtb(bytes: &[u8]) {
    let _ = check_dtb(bytes);
}

pub(super) fn put<const N: usize>(bytes: &mut [u8], at: usize, value: [u8; N]) {
    bytes[at..at + N].copy_from_slice(&value);
}

fn image() -> Vec<u8> {
    let mut bytes = vec![0; 0x200];
    put(&mut bytes, 0, 0x1400_0010u32.to_le_bytes());
    put(&mut bytes, 16, 0x1000u64.to_le_bytes());
    put(&mut bytes, 24, 0xAu64.to_le_bytes());
    put(&mut bytes, 56, *b"ARM\x64");
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}

fn zboot(payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 64];
    put(&mut bytes, 0, *b"MZ");
    put(&mut bytes, 4, *b"zimg");
    put(&mut bytes, 8, 64u32.to_le_bytes());
    put(&mut bytes, 12, (payload.len() as u32).to_le_bytes());
    put(&mut bytes, 24, *b"gzip");
    bytes.extend(payload);
    bytes
}

/// An AArch64 ELF file with one segment.
fn elf() -> Vec<u8> {
    let mut bytes = vec![0; 0x100];
    put(&mut bytes, 0, *b"\x7fELF\x02\x01\x01");
    put(&mut bytes, 16, 2u16.to_le_bytes());
    put(&mut bytes, 18, 183u16.to_le_bytes());
    put(&mut bytes, 20, 1u32.to_le_bytes());
    put(&mut bytes, 24, (BASE + 0x1000).to_le_bytes());
    put(&mut bytes, 32, 64u64.to_le_bytes());
    put(&mut bytes, 52, 64u16.to_le_bytes());
    put(&mut bytes, 54, 56u16.to_le_bytes());
    put(&mut bytes, 56, 1u16.to_le_bytes());
    put(&mut bytes, 58, 64u16.to_le_bytes());
    put(&mut bytes, 64, 1u32.to_le_bytes());
    put(&mut bytes, 68, 5u32.to_le_bytes());
    put(&mut bytes, 72, 0x80u64.to_le_bytes());
    for at in [80, 88] {
        put(&mut bytes, at, (BASE + 0x1000).to_le_bytes());
    }
    put(&mut bytes, 96, 0x80u64.to_le_bytes());
    put(&mut bytes, 104, 0x200u64.to_le_bytes());
    put(&mut bytes, 112, 0x1000u64.to_le_bytes());
    bytes
}

/// One of each kind.
pub fn kernel_seeds() -> Vec<Vec<u8>> {
    vec![image(), gzip(&image()), zboot(&gzip(&image())), elf(), gzip(&elf())]
}

/// The smallest tree.
pub fn dtb_seeds() -> Vec<Vec<u8>> {
    let mut bytes = vec![0; 72];
    let header = [0xd00d_feed, 72, 56, 72, 40, 17, 16, 0, 0, 16u32];
    for (i, word) in header.iter().enumerate() {
        put(&mut bytes, 4 * i, word.to_be_bytes());
    }
    for (i, word) in [1u32, 0, 2, 9].iter().enumerate() {
        put(&mut bytes, 56 + 4 * i, word.to_be_bytes());
    }
    vec![bytes]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_good() {
        for seed in kernel_seeds() {
            let file = Scratch::new("seed", &seed).unwrap();
            loader::arm64(&mut Files::default(), &file.0, BASE, RAM).unwrap();
        }
        dtb_seeds().iter().for_each(|seed| check_dtb(seed).unwrap());
    }
}
