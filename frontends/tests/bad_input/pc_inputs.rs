//! Small files that PCs start from, right and wrong.

use super::inputs::put;

const SECTOR: usize = 512;
/// Size of a CD's block.
pub const BLOCK: usize = 2048;

/// `cli; hlt; jmp` back.
pub const REST: [u8; 4] = [0xFA, 0xF4, 0xEB, 0xFC];
/// `mov dx, 501h; mov al, 10h; out dx, al`, which ends the program through isa-debug-exit, then [`REST`]: first as 64-bit
/// code, then as 16-bit code.
pub const LEAVE: [u8; 11] = [0x66, 0xBA, 0x01, 0x05, 0xB0, 0x10, 0xEE, 0xFA, 0xF4, 0xEB, 0xFC];
pub const LEAVE_16: [u8; 10] = [0xBA, 0x01, 0x05, 0xB0, 0x10, 0xEE, 0xFA, 0xF4, 0xEB, 0xFC];
/// Sectors of the setup code of [`bzimage`].
pub const SETUP: usize = 4;
/// Offset of what [`bzimage`] runs.
pub const CODE: usize = (SETUP + 1) * SECTOR + 0x200;

/// A Linux kernel by its boot protocol 2.15 that runs `code` at its 64-bit entry, and also at the 32-bit one.
pub fn bzimage(code: &[u8]) -> Vec<u8> {
    const SIZE: usize = 4096;
    let setup = (SETUP + 1) * SECTOR;
    let mut bytes = vec![0; setup + SIZE];
    bytes[0x1F1] = SETUP as u8;
    put(&mut bytes, 0x1F4, &(SIZE as u32 / 16).to_le_bytes());
    put(&mut bytes, 0x1FE, &[0x55, 0xAA, 0xEB, 0x6A]);
    put(&mut bytes, 0x202, b"HdrS\x0F\x02");
    // Loaded high.
    bytes[0x211] = 1;
    put(&mut bytes, 0x22C, &0x7FFF_FFFFu32.to_le_bytes());
    put(&mut bytes, 0x230, &0x20_0000u32.to_le_bytes());
    // Relocatable, with a 64-bit entry.
    bytes[0x234] = 1;
    put(&mut bytes, 0x236, &3u16.to_le_bytes());
    put(&mut bytes, 0x238, &2047u32.to_le_bytes());
    put(&mut bytes, 0x258, &0x100_0000u64.to_le_bytes());
    put(&mut bytes, 0x260, &0x10_0000u32.to_le_bytes());
    put(&mut bytes, setup, code.get(..0x200).unwrap_or(code));
    put(&mut bytes, CODE, code);
    bytes
}

/// A Multiboot kernel (version 1) whose header has these flags and addresses.
pub fn multiboot(flags: u32, addresses: [u32; 5]) -> Vec<u8> {
    let magic = 0x1BAD_B002u32;
    let checksum = 0u32.wrapping_sub(magic).wrapping_sub(flags);
    let words = [magic, flags, checksum].into_iter().chain(addresses);
    let mut bytes: Vec<u8> = words.flat_map(u32::to_le_bytes).collect();
    bytes.resize(4096, 0xF4);
    bytes
}

/// A Multiboot 2 kernel whose header says that it has so many bytes, with one tag of a type, flags and a size.
pub fn multiboot2(len: u32, tag: (u16, u16, u32)) -> Vec<u8> {
    let magic = 0xE852_50D6u32;
    let checksum = 0u32.wrapping_sub(magic).wrapping_sub(len);
    let mut bytes: Vec<u8> = [magic, 0, len, checksum].into_iter().flat_map(u32::to_le_bytes).collect();
    bytes.extend(tag.0.to_le_bytes());
    bytes.extend(tag.1.to_le_bytes());
    bytes.extend(tag.2.to_le_bytes());
    bytes.extend([0, 0, 0, 0, 8, 0, 0, 0]);
    bytes.resize(4096, 0xF4);
    bytes
}

/// A master boot record with `code` and the partitions given by first sector and sectors, the first being active; `len`
/// bytes of disk.
pub fn mbr(code: &[u8], partitions: &[(u32, u32)], len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len.max(SECTOR)];
    put(&mut bytes, 0, code);
    for (n, (first, count)) in partitions.iter().enumerate() {
        let at = 446 + 16 * n;
        bytes[at] = if n == 0 { 0x80 } else { 0 };
        put(&mut bytes, at + 1, &[0xFE, 0xFF, 0xFF, 0x83, 0xFE, 0xFF, 0xFF]);
        put(&mut bytes, at + 8, &first.to_le_bytes());
        put(&mut bytes, at + 12, &count.to_le_bytes());
    }
    put(&mut bytes, 510, &[0x55, 0xAA]);
    bytes.truncate(len);
    bytes
}

/// Fields of a CD with an El Torito catalogue ("El Torito" Bootable CD-ROM Format Specification 1.0).
#[derive(Clone, Copy)]
pub struct Cd {
    /// Block of the catalogue.
    pub catalogue: u32,
    /// Whether the first entry is a validation entry.
    pub valid: bool,
    /// Boot indicator, media type, load segment, sectors to load, block to load from.
    pub entry: (u8, u8, u16, u16, u32),
}

/// A CD that boots [`LEAVE_16`].
pub const CD: Cd = Cd { catalogue: 19, valid: true, entry: (0x88, 0, 0, 4, 20) };

impl Cd {
    /// The image.
    pub fn bytes(self) -> Vec<u8> {
        let mut bytes = vec![0; 24 * BLOCK];
        put(&mut bytes, 16 * BLOCK, b"\x01CD001\x01");
        put(&mut bytes, 17 * BLOCK, b"\x00CD001\x01EL TORITO SPECIFICATION");
        put(&mut bytes, 17 * BLOCK + 0x47, &self.catalogue.to_le_bytes());
        put(&mut bytes, 18 * BLOCK, b"\xFFCD001\x01");
        let at = 19 * BLOCK;
        if self.valid {
            // Checksum: all words add up to zero.
            put(&mut bytes, at, &[1, 0]);
            put(&mut bytes, at + 28, &[0xAA, 0x55, 0x55, 0xAA]);
        }
        let (indicator, media, segment, sectors, block) = self.entry;
        put(&mut bytes, at + 32, &[indicator, media]);
        put(&mut bytes, at + 34, &segment.to_le_bytes());
        put(&mut bytes, at + 38, &sectors.to_le_bytes());
        put(&mut bytes, at + 40, &block.to_le_bytes());
        put(&mut bytes, 20 * BLOCK, &LEAVE_16);
        bytes
    }
}
