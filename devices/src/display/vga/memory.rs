//! The window at A0000h: how an address finds its planes, and what happens to a byte on its way.
//!
//! After the technical reference's graphics controller: set/reset, rotation, logic and bit mask; write modes 0 to 3,
//! read modes 0 and 1.

use super::State;
use super::spec::*;
use lyrebird_ram::GuestRam;

/// Where an access goes: the group of four bytes, and the planes that it reaches.
struct Place {
    group: u64,
    planes: u8,
}

/// The four low bits of `nibble`, each spread over one byte.
fn spread(nibble: u8) -> u32 {
    (0..4).filter(|n| nibble >> n & 1 != 0).fold(0, |mask, n| mask | 0xff << (8 * n))
}

/// A byte for each of the planes.
fn repeat(byte: u8) -> u32 {
    u32::from_le_bytes([byte; 4])
}

impl State {
    /// The offset in memory, before planes, that the byte `at` of the window stands for.
    fn windowed(&self, at: u64) -> Option<u64> {
        let (first, len) = match self.gfx[GFX_MISC] >> 2 & 3 {
            0 => (0, 0x2_0000),
            1 => (0, 0x1_0000),
            2 => (0x1_0000, 0x8000),
            _ => (0x1_8000, 0x8000),
        };
        let offset = at.checked_sub(first).filter(|&offset| offset < len)?;
        let bank = if first == 0 && self.dispi.enabled() { self.dispi.bank_offset() } else { 0 };
        // A bank of planes holds as many groups.
        Some(offset + bank)
    }

    fn place(&self, at: u64, odd_even: bool) -> Option<Place> {
        let offset = self.windowed(at)?;
        Some(if self.seq[SEQ_MEMORY] & SEQ_MEMORY_CHAIN4 != 0 {
            Place { group: offset >> 2, planes: 1 << (offset & 3) }
        } else if odd_even {
            Place { group: offset >> 1, planes: if offset & 1 != 0 { 0b1010 } else { 0b0101 } }
        } else {
            Place { group: offset, planes: 0b1111 }
        })
    }

    /// A byte of the window; it fills the latches.
    pub(super) fn read_window(&mut self, vram: &GuestRam, at: u64) -> u8 {
        let Some(place) = self.place(at, self.gfx[GFX_MODE] & 0x10 != 0) else { return 0xff };
        self.latch = vram.read::<u32>(place.group * 4).unwrap_or(u32::MAX);
        let planes = self.latch.to_le_bytes();
        let plane = place.planes.trailing_zeros() as usize;
        match place.planes.count_ones() {
            1 => return planes[plane & 3],
            // Of a pair the read map's high bit chooses.
            2 => return planes[plane & 1 | usize::from(self.gfx[GFX_READ_MAP] & 2)],
            _ => {}
        }
        if self.gfx[GFX_MODE] & 8 == 0 {
            return planes[usize::from(self.gfx[GFX_READ_MAP] & 3)];
        }
        let differs = (self.latch ^ spread(self.gfx[GFX_COMPARE])) & spread(self.gfx[GFX_CARE]);
        !differs.to_le_bytes().iter().fold(0, |all, plane| all | plane)
    }

    /// Writes a byte of the window.
    pub(super) fn write_window(&mut self, vram: &GuestRam, at: u64, byte: u8) {
        let odd_even = self.seq[SEQ_MEMORY] & SEQ_MEMORY_PLANAR == 0;
        let Some(place) = self.place(at, odd_even) else { return };
        let mask = spread(place.planes & self.seq[SEQ_MAP_MASK]);
        if mask == 0 {
            return;
        }
        let old = match vram.read::<u32>(place.group * 4) {
            Ok(old) => old,
            Err(_) => return,
        };
        let new = self.transform(byte);
        let _ = vram.write(place.group * 4, old & !mask | new & mask);
    }

    /// What the write mode makes of a byte, for all planes.
    fn transform(&self, byte: u8) -> u32 {
        let rotated = byte.rotate_right(u32::from(self.gfx[GFX_ROTATE] & 7));
        let bit_mask = self.gfx[GFX_BIT_MASK];
        let set = spread(self.gfx[GFX_SET_RESET]);
        let (value, bits) = match self.gfx[GFX_MODE] & 3 {
            0 => {
                let enabled = spread(self.gfx[GFX_ENABLE_SET]);
                (repeat(rotated) & !enabled | set & enabled, bit_mask)
            }
            1 => return self.latch,
            2 => (spread(byte & 0xf), bit_mask),
            _ => (set, bit_mask & rotated),
        };
        let value = match self.gfx[GFX_ROTATE] >> 3 & 3 {
            1 => value & self.latch,
            2 => value | self.latch,
            3 => value ^ self.latch,
            _ => value,
        };
        let bits = repeat(bits);
        value & bits | self.latch & !bits
    }
}
