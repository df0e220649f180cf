//! Small files of the kinds that the program reads, right and wrong.

use std::io::Write;
use std::path::Path;

/// Writes a file of a case.
pub fn write(directory: &Path, name: &str, bytes: &[u8]) {
    std::fs::File::create(directory.join(name))
        .and_then(|mut f| f.write_all(bytes))
        .expect("a file to write");
}

pub fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    bytes[at..at + value.len()].copy_from_slice(value);
}

/// An arm64 `Image` of a program (Linux Documentation/arch/arm64/booting.rst): it starts at 0x4020_0000 with the MMU
/// off.
pub fn image(words: &[u32]) -> Vec<u8> {
    let mut bytes = vec![0; 64];
    // b #64
    put(&mut bytes, 0, &0x1400_0010u32.to_le_bytes());
    put(&mut bytes, 16, &0x1_0000u64.to_le_bytes());
    put(&mut bytes, 24, &0xAu64.to_le_bytes());
    put(&mut bytes, 56, b"ARM\x64");
    bytes.extend(words.iter().flat_map(|w| w.to_le_bytes()));
    bytes
}

/// A 64-bit ELF file for a machine, with one segment.
pub fn elf(machine: u16, at: u64, file_bytes: u64, memory_bytes: u64) -> Vec<u8> {
    let mut bytes = vec![0; 0x80];
    put(&mut bytes, 0, b"\x7fELF\x02\x01\x01");
    put(&mut bytes, 16, &2u16.to_le_bytes());
    put(&mut bytes, 18, &machine.to_le_bytes());
    put(&mut bytes, 20, &1u32.to_le_bytes());
    put(&mut bytes, 24, &at.to_le_bytes());
    put(&mut bytes, 32, &64u64.to_le_bytes());
    put(&mut bytes, 52, &64u16.to_le_bytes());
    put(&mut bytes, 54, &56u16.to_le_bytes());
    put(&mut bytes, 56, &1u16.to_le_bytes());
    put(&mut bytes, 64, &1u32.to_le_bytes());
    put(&mut bytes, 68, &7u32.to_le_bytes());
    put(&mut bytes, 72, &0x78u64.to_le_bytes());
    put(&mut bytes, 80, &at.to_le_bytes());
    put(&mut bytes, 88, &at.to_le_bytes());
    put(&mut bytes, 96, &file_bytes.to_le_bytes());
    put(&mut bytes, 104, &memory_bytes.to_le_bytes());
    bytes
}

/// An EFI zboot image whose payload is said to be at `start` with `len` bytes, packed with `kind`.
pub fn zboot(start: u32, len: u32, kind: &str) -> Vec<u8> {
    let mut bytes = vec![0; 0x100];
    put(&mut bytes, 0, b"MZ");
    put(&mut bytes, 4, b"zimg");
    put(&mut bytes, 8, &start.to_le_bytes());
    put(&mut bytes, 12, &len.to_le_bytes());
    put(&mut bytes, 24, kind.as_bytes());
    bytes
}

/// A gzip member with a stored block that says it has 100 bytes and has ten.
pub fn truncated_gzip() -> Vec<u8> {
    let mut bytes = vec![0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3, 1, 100, 0, 155, 255];
    bytes.extend([7; 10]);
    bytes
}

/// Fields of a qcow2 header (version 3) that a case changes.
pub struct Qcow2 {
    bytes: Vec<u8>,
}

/// The size of the clusters of [`Qcow2`].
pub const CLUSTER: usize = 1 << 16;

impl Qcow2 {
    /// An empty image of 1 MiB: header, refcount table, refcount block, L1 table.
    pub fn new() -> Self {
        let mut q = Self { bytes: vec![0; 4 * CLUSTER] };
        put(&mut q.bytes, 0, b"QFI\xfb");
        q = q.word(4, 3).word(20, 16).long(24, 1 << 20).word(36, 1).long(40, 3 * CLUSTER as u64);
        q = q.long(48, CLUSTER as u64).word(56, 1).word(96, 4).word(100, 104);
        q = q.long(CLUSTER, 2 * CLUSTER as u64);
        for cluster in 0..4 {
            put(&mut q.bytes, 2 * CLUSTER + 2 * cluster, &1u16.to_be_bytes());
        }
        q
    }

    /// 32 bits at an offset.
    pub fn word(mut self, at: usize, value: u32) -> Self {
        put(&mut self.bytes, at, &value.to_be_bytes());
        self
    }

    /// 64 bits at an offset.
    pub fn long(mut self, at: usize, value: u64) -> Self {
        put(&mut self.bytes, at, &value.to_be_bytes());
        self
    }

    /// The backing file's name.
    pub fn backing(mut self, name: &str) -> Self {
        put(&mut self.bytes, 0x200, name.as_bytes());
        self.long(8, 0x200).word(16, name.len() as u32)
    }

    /// An L2 table in a further cluster, with one entry.
    pub fn l2(mut self, entry: u64) -> Self {
        self.bytes.resize(5 * CLUSTER, 0);
        put(&mut self.bytes, 2 * CLUSTER + 8, &1u16.to_be_bytes());
        self.long(3 * CLUSTER, (1 << 63) | (4 * CLUSTER as u64)).long(4 * CLUSTER, entry)
    }

    /// The file.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// An `Image` of a program whose exceptions skip the instruction that raised them.
pub fn program(words: &[u32]) -> Vec<u8> {
    let mut bytes = image(&[]);
    bytes.resize(0x1000, 0);
    // mrs x30, elr_el1; add x30, x30, #4; msr elr_el1, x30; eret
    for vector in 0..16 {
        for (i, word) in [0xD538_403Eu32, 0x9100_13DE, 0xD518_403E, 0xD69F_03E0].into_iter().enumerate() {
            put(&mut bytes, 0x800 + vector * 0x80 + i * 4, &word.to_le_bytes());
        }
    }
    // b #0x1000
    put(&mut bytes, 0, &0x1400_0400u32.to_le_bytes());
    // mov x0, #0x40200800; msr vbar_el1, x0
    let start = [0xD2A8_0400u32, 0xF281_0000, 0xD518_C000];
    bytes.extend(start.iter().chain(words).flat_map(|w| w.to_le_bytes()));
    bytes
}
