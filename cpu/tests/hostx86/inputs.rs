//! Processor states full of corner cases.

use super::program::{DATA, FLAGS, FREE, MEMORY, MEMORY_SIZE, RECORD, XSAVE};

/// Pseudo-random numbers (xorshift).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }
    fn below(&mut self, n: u64) -> u64 {
        (self.next() >> 33) % n
    }
}

/// An integer at a limit, or small, or anything.
fn integer(r: &mut Random) -> u64 {
    match r.below(8) {
        0 => [
            0,
            1,
            u64::MAX,
            i64::MAX as u64,
            i64::MIN as u64,
            0x8000_0000,
            0x7FFF_FFFF,
            0x8080_8080_8080_8080,
        ][r.below(8) as usize],
        1 => r.below(70),
        2 => r.below(70).wrapping_neg(),
        3 => r.next() & 0x00FF_00FF_00FF_00FF,
        _ => r.next(),
    }
}

/// A floating-point number with `exp` and `frac` bits at an edge, or an ordinary one.
fn float(r: &mut Random, exp: u32, frac: u32) -> u64 {
    let (all, bias) = ((1u64 << exp) - 1, (1u64 << (exp - 1)) - 1);
    let sign = r.below(2) << (exp + frac);
    let exponent = match r.below(10) {
        0 => 0,
        1 => 1,
        2 => all - 1,
        3 => all,
        4 => r.below(all),
        5 => (bias + 10 + r.below(60)).min(all - 1),
        _ => bias - 2 + r.below(6),
    };
    let ones = (1u64 << frac) - 1;
    let fraction = match r.below(6) {
        0 | 1 => 0,
        2 => ones,
        3 => 1,
        4 => 1 << (frac - 1),
        _ => r.next() & ones,
    };
    sign | exponent << frac | fraction
}

fn vector(r: &mut Random) -> u128 {
    match r.below(8) {
        0..2 => (0..4).fold(0, |v, _| v << 32 | float(r, 8, 23) as u128),
        2..4 => (0..2).fold(0, |v, _| v << 64 | float(r, 11, 52) as u128),
        4 => (0..8).fold(0, |v, _| v << 16 | float(r, 5, 10) as u128),
        5 => (0..16).fold(0, |v, _| v << 8 | r.below(40) as u128),
        _ => (integer(r) as u128) << 64 | integer(r) as u128,
    }
}

/// An 80-bit number: sign and exponent, significand.
fn extended(r: &mut Random) -> u128 {
    let sign = (r.below(2) << 15) as u128;
    let exponent = match r.below(12) {
        0 => 0,
        1 => 1,
        2 => 0x7FFE,
        3 => 0x7FFF,
        4 => r.below(0x7FFF),
        5 => 0x3FFF + r.below(80),
        _ => 0x3FFD + r.below(5),
    };
    let mut significand = match r.below(6) {
        0 | 1 => 0,
        2 => u64::MAX >> 1,
        3 => 1,
        4 => 1 << 62,
        _ => r.next() >> 1,
    };
    // Unnormal encodings are rare.
    if r.below(40) == 0 {
        significand |= r.below(2) << 63;
    } else if exponent != 0 {
        significand |= 1 << 63;
    }
    (sign | exponent as u128) << 64 | significand as u128
}

/// `count` records; the exceptions of SSE and x87 are masked.
pub fn records(count: usize, seed: u64) -> Vec<u8> {
    let r = &mut Random(seed);
    let mut all = Vec::with_capacity(count * RECORD);
    for n in 0..count {
        let mut one = vec![0; RECORD];
        let mut put = |at: usize, bytes: &[u8]| one[at..at + bytes.len()].copy_from_slice(bytes);
        for &g in &FREE[..12] {
            put(8 * g as usize, &integer(r).to_le_bytes());
        }
        let _ = DATA;
        let flags = r.next() & 0x8D5 | 0x202;
        put(FLAGS, &flags.to_le_bytes());
        for k in 0..MEMORY_SIZE / 16 {
            let value = if r.below(4) == 0 { extended(r) } else { vector(r) };
            put(MEMORY + 16 * k, &value.to_le_bytes());
        }
        let x = XSAVE;
        let control = 0x37F & !0x300 | [0, 2, 3, 3][r.below(4) as usize] << 8 | r.below(4) << 10;
        // Unmasked x87 exceptions stay pending: nothing that follows in the program waits for them.
        let open = if n % 8 == 5 { r.next() & 0x3F } else { 0 };
        put(x, &((control & !open) as u16).to_le_bytes());
        let top = r.below(8);
        let status = top << 11 | r.next() & 0x4700;
        put(x + 2, &(status as u16).to_le_bytes());
        put(x + 4, &[if n % 8 == 0 { r.next() as u8 } else { 0xFF }]);
        let round = if n % 4 == 0 { r.below(4) << 13 } else { 0 };
        let flush = if n % 8 == 1 { r.next() & 0x8040 } else { 0 };
        put(x + 24, &((0x1F80 | round | flush) as u32).to_le_bytes());
        for k in 0..8 {
            put(x + 32 + 16 * k, &extended(r).to_le_bytes());
        }
        let mut last = 0;
        for k in 0..32 {
            let at = if k < 16 { x + 160 + 16 * k } else { x + 576 + 16 * (k - 16) };
            // Sometimes an operand equals its neighbour.
            if r.below(8) != 0 {
                last = vector(r);
            }
            put(at, &last.to_le_bytes());
        }
        put(x + 512, &7u64.to_le_bytes());
        all.extend(one);
    }
    all
}
