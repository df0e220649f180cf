//! Operands worth trying.

use crate::softfloat::Format;

/// A small generator of 64-bit numbers (SplitMix64), so that failures repeat.
pub(super) struct Random(pub u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = self.0;
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    fn fraction<F: Format>(&mut self) -> u64 {
        let random = self.next() & F::FRAC_MASK;
        let shift = self.below(u64::from(F::FRAC));
        match self.below(8) {
            0 => 0,
            1 => 1,
            2 => F::FRAC_MASK,
            3 => F::QUIET,
            4 => F::QUIET - 1,
            5 => F::FRAC_MASK << shift & F::FRAC_MASK,
            6 => 1 << shift,
            _ => random,
        }
    }

    /// A value of any kind: corners, denormals, infinities and NaNs are common, and exponents near one.
    pub(super) fn value<F: Format>(&mut self) -> u64 {
        let bias = F::BIAS as u64;
        let exp = match self.below(14) {
            0 => 0,
            1 => F::EXP_MAX,
            2 => F::EXP_MAX - 1 - self.below(4),
            3 => 1 + self.below(4),
            4 => self.below(u64::from(F::FRAC) + 4),
            5 | 6 => bias + self.below(66.min(bias)),
            7 => bias - self.below(66.min(bias)),
            8..=10 => bias - 8 + self.below(16),
            _ => self.next(),
        };
        F::signed(self.next() & 1 != 0, (exp & F::EXP_MAX) << F::FRAC | self.fraction::<F>())
    }

    /// A value that meets `other` in an interesting way: close in exponent, equal, or off by one.
    pub(super) fn partner<F: Format>(&mut self, other: u64) -> u64 {
        let sign = if self.next() & 1 != 0 { F::SIGN } else { 0 };
        match self.below(8) {
            0 => (other ^ sign).wrapping_add(self.below(3)).wrapping_sub(1) & F::MASK,
            1..=3 => {
                let exp = ((other >> F::FRAC) + self.below(8)).wrapping_sub(4) & F::EXP_MAX;
                sign | exp << F::FRAC | self.fraction::<F>()
            }
            _ => self.value::<F>(),
        }
    }

    /// An integer of any magnitude, often near a power of two.
    pub(super) fn integer(&mut self) -> u64 {
        let shift = self.below(64);
        match self.below(4) {
            0 => self.next(),
            1 => self.next() >> shift,
            2 => (self.next() >> shift).wrapping_neg(),
            _ => (1u64 << shift).wrapping_add(self.below(5)).wrapping_sub(2),
        }
    }
}
