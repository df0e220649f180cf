//! The state that an instruction sees, and how it is made from a seed.

use super::Rng;
use std::fmt;

/// Where the instruction is.
pub const CODE: u64 = 0x4000_0000;
/// Where the memory that it may use begins: `CODE` and this are the only mapped pages near it.
pub const WINDOW: u64 = 0x4000_1000;
/// How many bytes of it are compared.
pub const WINDOW_BYTES: usize = 512;

/// The state of a processor, as far as unprivileged instructions see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// X0 to X30.
    pub x: [u64; 31],
    /// The stack pointer.
    pub sp: u64,
    /// The program counter.
    pub pc: u64,
    /// N, Z, C, V in bits 31 to 28.
    pub nzcv: u32,
    /// FPCR.
    pub fpcr: u32,
    /// FPSR.
    pub fpsr: u32,
    /// V0 to V31.
    pub v: [u128; 32],
    /// Memory from [`WINDOW`] on.
    pub memory: [u8; WINDOW_BYTES],
}

/// A general register's value, corner cases often.
fn integer(rng: &mut Rng) -> u64 {
    let r = rng.next_u64();
    match rng.below(12) {
        0 => rng.pick(&[0, 1, 2, u64::MAX, u64::MAX - 1, 1 << 63, u64::MAX >> 1]),
        1 => rng.pick(&[0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 0x1_0000_0000, !0x7FFF_FFFF]),
        2 => r & 0xFF,
        3 => (r as i8) as u64,
        4 => r as u32 as u64,
        5 => (1 << (r & 63)) - (r >> 63),
        6 => u64::MAX << (r & 63),
        7 => (r & 0x0101_0101_0101_0101) * 0xFF,
        _ => r,
    }
}

/// What the elements of vector registers look like, so that operands of one instruction match in kind.
#[derive(Clone, Copy)]
enum Kind {
    Random,
    Corners(u32),
    Special(u32),
    Near(u32),
    Small(u32),
}

const KINDS: [Kind; 18] = [
    Kind::Random,
    Kind::Random,
    Kind::Corners(8),
    Kind::Corners(16),
    Kind::Corners(32),
    Kind::Corners(64),
    Kind::Special(16),
    Kind::Special(16),
    Kind::Special(32),
    Kind::Special(32),
    Kind::Special(64),
    Kind::Special(64),
    Kind::Near(16),
    Kind::Near(32),
    Kind::Near(64),
    Kind::Near(64),
    Kind::Small(32),
    Kind::Small(64),
];

/// Exponent and fraction bits of a floating-point format.
fn format(bits: u32) -> (u32, u32) {
    match bits {
        16 => (5, 10),
        32 => (8, 23),
        _ => (11, 52),
    }
}

/// An element of `bits` bits.
fn element(kind: Kind, bits: u32, rng: &mut Rng) -> u64 {
    let (r, sign) = (rng.next_u64(), 1u64 << (bits - 1));
    let (exponent_bits, fraction_bits) = format(bits);
    let infinity = ((1u64 << exponent_bits) - 1) << fraction_bits;
    let fraction = (1u64 << fraction_bits) - 1;
    match kind {
        Kind::Random => r,
        Kind::Corners(_) => match r >> 60 {
            0..3 => 0,
            3..6 => u64::MAX,
            6..8 => sign,
            8..10 => sign - 1,
            10 => 1,
            11 => sign + 1,
            12 => r & 0x7F,
            _ => r,
        },
        Kind::Special(_) => {
            let magnitude = match r >> 59 & 15 {
                0 | 1 => 0,
                2 => infinity,
                3 => infinity | (fraction + 1) >> 1 | r & 0xF,
                4 => infinity | r & fraction >> 1 | 1,
                5 => r & fraction,
                6 => 1,
                7 => fraction,
                8 => fraction + 1,
                9 => infinity - 1,
                10 => infinity >> 1 & !fraction,
                11 => (infinity >> 1 & !fraction) - 1,
                12 => fraction + 1 + (r & (3 * (fraction + 1))) + (r & 3),
                _ => r & (sign - 1),
            };
            r & sign | magnitude
        }
        // Magnitudes within a few powers of two around 1, with short fractions in half of the cases: sums cancel and
        // round.
        Kind::Near(_) => {
            let one = infinity >> 1 & !fraction;
            let short = if r >> 62 & 1 == 0 { fraction } else { fraction ^ fraction >> 3 };
            let scaled = (one >> fraction_bits).wrapping_add((r >> 56 & 7).wrapping_sub(4)) << fraction_bits;
            r & sign | scaled | r & short
        }
        // Whole and half numbers of any size up to the format's integers.
        Kind::Small(_) => {
            let magnitude = (r >> 1) >> (r & 63).max(1);
            let half = if r >> 6 & 1 == 0 { 0.0 } else { 0.5 };
            let value = magnitude as f64 + half;
            let value = if r >> 7 & 1 == 0 { value } else { -value };
            if bits == 32 { (value as f32).to_bits() as u64 } else { value.to_bits() }
        }
    }
}

/// A vector register's value.
fn vector(kind: Kind, rng: &mut Rng) -> u128 {
    if rng.one_in(24) {
        return if rng.one_in(2) { 0 } else { u128::MAX };
    }
    let bits = match kind {
        Kind::Random => 64,
        Kind::Corners(bits) | Kind::Special(bits) | Kind::Near(bits) | Kind::Small(bits) => bits,
    };
    let mask = u128::MAX >> (128 - bits);
    (0..128 / bits).fold(0, |v, i| v | (element(kind, bits, rng) as u128 & mask) << (i * bits))
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, x) in self.x.iter().enumerate() {
            write!(f, "X{i}={x:x} ")?;
        }
        write!(f, "SP={:x} PC={:x} NZCV={:04b}", self.sp, self.pc, self.nzcv >> 28)?;
        write!(f, " FPCR={:x} FPSR={:x}", self.fpcr, self.fpsr)?;
        for (i, v) in self.v.iter().enumerate() {
            write!(f, " V{i}={v:032x}")?;
        }
        Ok(())
    }
}

impl State {
    /// The state of a random sequence.
    pub fn new(rng: &mut Rng) -> Self {
        let kind = rng.pick(&KINDS);
        let control = rng.next_u64() as u32;
        // Rounding mode, FZ, DN, AHP, FZ16; half of all states have none of the last four.
        let control = control & if rng.one_in(2) { 0b11 << 22 } else { 0b1_1111 << 22 | 1 << 19 };
        let mut state = State {
            x: std::array::from_fn(|_| integer(rng)),
            sp: integer(rng) & !15,
            pc: CODE,
            nzcv: (rng.next_u64() as u32) << 28,
            fpcr: if rng.one_in(3) { 0 } else { control },
            fpsr: if rng.one_in(4) { rng.next_u64() as u32 & 0x0800_009F } else { 0 },
            v: std::array::from_fn(|_| vector(kind, rng)),
            memory: [0; WINDOW_BYTES],
        };
        for chunk in state.memory.chunks_mut(16) {
            chunk.copy_from_slice(&vector(kind, rng).to_le_bytes());
        }
        state
    }

    /// Size in bytes of [`State::to_bytes`].
    pub const BYTES: usize = 33 * 8 + 16 + 512 + WINDOW_BYTES;

    /// The state as the recorder's runner has it: little-endian, in the order of the fields, with one word of its own
    /// between FPSR and the vectors.
    pub fn to_bytes(&self, word: u32) -> Vec<u8> {
        let mut b = Vec::with_capacity(Self::BYTES);
        for x in self.x.iter().chain([&self.sp, &self.pc]) {
            b.extend(x.to_le_bytes());
        }
        for x in [self.nzcv, self.fpcr, self.fpsr, word] {
            b.extend(x.to_le_bytes());
        }
        for v in self.v {
            b.extend(v.to_le_bytes());
        }
        b.extend(self.memory);
        b
    }

    /// The inverse: the state and the word. `None` if the size is wrong.
    pub fn from_bytes(b: &[u8]) -> Option<(Self, u32)> {
        if b.len() != Self::BYTES {
            return None;
        }
        let long = |i: usize| b[8 * i..].first_chunk().map_or(0, |c| u64::from_le_bytes(*c));
        let short = |i: usize| b[33 * 8 + 4 * i..].first_chunk().map_or(0, |c| u32::from_le_bytes(*c));
        let wide = |i: usize| b[33 * 8 + 16 + 16 * i..].first_chunk().map_or(0, |c| u128::from_le_bytes(*c));
        let mut memory = [0; WINDOW_BYTES];
        memory.copy_from_slice(&b[Self::BYTES - WINDOW_BYTES..]);
        let state = State {
            x: std::array::from_fn(long),
            sp: long(31),
            pc: long(32),
            nzcv: short(0),
            fpcr: short(1),
            fpsr: short(2),
            v: std::array::from_fn(wide),
            memory,
        };
        Some((state, short(3)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_round_trip() {
        let state = State::new(&mut Rng::new(7));
        assert_eq!(State::from_bytes(&state.to_bytes(0x1234)), Some((state, 0x1234)));
    }
}
