//! IDENTIFY DEVICE and IDENTIFY PACKET DEVICE (ACS 7.16, 7.17): 256 words.

use super::ata::{Disk, MAX_MULTIPLE};

/// What the models call themselves.
const DISK_MODEL: &str = "LYREBIRD HARDDISK";
pub(super) const CDROM_MODEL: &str = "LYREBIRD DVD-ROM";
/// Firmware revision.
pub(super) const REVISION: &str = "1.0";

struct Words([u16; 256]);

impl Words {
    fn new() -> Words {
        Words([0; 256])
    }

    fn put(&mut self, at: usize, value: u16) {
        if let Some(word) = self.0.get_mut(at) {
            *word = value;
        }
    }

    fn put_long(&mut self, at: usize, value: u64, words: usize) {
        (0..words).for_each(|i| self.put(at + i, (value >> (16 * i)) as u16));
    }

    /// Text, two characters to a word, the first one in the upper byte; padded with spaces.
    fn text(&mut self, at: usize, words: usize, text: &str) {
        let printable = text.bytes().map(|b| if b.is_ascii_graphic() { b } else { b' ' });
        let mut bytes = printable.chain(std::iter::repeat(b' '));
        for i in 0..words {
            let pair = [bytes.next().unwrap_or(b' '), bytes.next().unwrap_or(b' ')];
            self.put(at + i, u16::from_be_bytes(pair));
        }
    }

    fn bytes(mut self) -> [u8; 512] {
        // Word 255: signature, and a checksum that makes all bytes add up to zero.
        self.put(255, 0xA5);
        let mut bytes = [0; 512];
        bytes.chunks_exact_mut(2).zip(self.0).for_each(|(to, word)| to.copy_from_slice(&word.to_le_bytes()));
        let sum = bytes.iter().fold(0u8, |sum, &byte| sum.wrapping_add(byte));
        bytes[511] = sum.wrapping_neg();
        bytes
    }
}

/// Bit `mode & 7` in the upper byte, if `mode` is of the kind that `base` begins.
fn selected(mode: u8, base: u8) -> u16 {
    if mode & 0xF8 == base { 0x100 << (mode & 7) } else { 0 }
}

pub(super) fn disk(disk: &Disk) -> [u8; 512] {
    let mut w = Words::new();
    let sectors = disk.sectors();
    let (heads, track, cylinders) = (disk.state.heads, disk.state.sectors, disk.cylinders());
    w.put(0, 0x0040); // a fixed device
    w.put(1, cylinders);
    w.put(3, heads.into());
    w.put(6, track.into());
    w.text(10, 10, &disk.serial);
    w.text(23, 4, REVISION);
    w.text(27, 20, DISK_MODEL);
    w.put(47, 0x8000 | u16::from(MAX_MULTIPLE));
    w.put(48, 1);
    w.put(49, 0x0B00); // IORDY, LBA, DMA
    w.put(50, 0x4000);
    w.put(51, 0x0200);
    w.put(52, 0x0200);
    w.put(53, 7); // words 54 to 58, 64 to 70 and 88 are valid
    w.put(54, cylinders);
    w.put(55, heads.into());
    w.put(56, track.into());
    w.put_long(57, u64::from(cylinders) * u64::from(heads) * u64::from(track), 2);
    w.put(59, if disk.state.multiple == 0 { 0 } else { 0x100 | u16::from(disk.state.multiple) });
    w.put_long(60, sectors.min(0xFFF_FFFF), 2);
    w.put(63, 7 | selected(disk.state.mode, 0x20)); // multiword DMA 0 to 2
    w.put(64, 3); // PIO 3 and 4
    (65..=68).for_each(|at| w.put(at, 120)); // cycle times, ns
    w.put(75, 31); // queue depth less 1
    w.put(76, 0x0102); // Serial ATA generation 1, native command queuing
    w.put(80, 0x00F0); // ATA/ATAPI-4 to 7
    w.put(81, 0x0016);
    w.put(82, 0x4020); // NOP, write cache
    w.put(83, 0x7400); // flush, flush extended, 48-bit addresses
    w.put(84, 0x4000);
    w.put(85, 0x4000 | u16::from(disk.state.write_cache) << 5);
    w.put(86, 0x3400);
    w.put(87, 0x4000);
    w.put(88, 0x3F | selected(disk.state.mode, 0x40)); // Ultra DMA 0 to 5
    w.put(93, 0x6001); // the 80-wire cable was found
    w.put_long(100, sectors, 4);
    w.put(106, 0x4000); // logical sectors are physical ones, of 512 bytes
    w.put(217, 1); // does not turn
    w.bytes()
}

/// A CD-ROM's, with the transfer mode that the guest chose.
pub(super) fn cdrom(serial: &str, mode: u8) -> [u8; 512] {
    let mut w = Words::new();
    w.put(0, 0x85C0); // packets of 12 bytes, CD-ROM, removable, DRQ within 50 us
    w.text(10, 10, serial);
    w.text(23, 4, REVISION);
    w.text(27, 20, CDROM_MODEL);
    w.put(48, 1);
    w.put(49, 0x0B00);
    w.put(53, 7);
    w.put(63, 7 | selected(mode, 0x20));
    w.put(64, 3);
    (65..=68).for_each(|at| w.put(at, 120));
    w.put(71, 30); // PACKET to bus release, us
    w.put(72, 30);
    w.put(76, 0x0002);
    w.put(80, 0x001E);
    w.put(82, 0x4210); // NOP, DEVICE RESET, PACKET
    w.put(83, 0x4000);
    w.put(84, 0x4000);
    w.put(85, 0x4210);
    w.put(87, 0x4000);
    w.put(88, 0x3F | selected(mode, 0x40));
    w.put(93, 0x6001);
    w.bytes()
}
