//! Numbers with 128 significant bits, in which the transcendental functions are computed: twice what a result keeps.

use super::round::round;
use super::{Precision, X80, X87};
use crate::softfloat::unpack::Num;
use std::ops::{Add, Mul, Neg, Sub};

/// `(-1)^neg * sig * 2^(exp - 127)`, bit 127 of `sig` set; or zero, if `sig` is. Operations truncate.
#[derive(Clone, Copy, Debug)]
pub(super) struct Big {
    neg: bool,
    exp: i32,
    sig: u128,
}

/// π.
pub(super) const PI: Big = Big { neg: false, exp: 1, sig: 0xC90F_DAA2_2168_C234_C4C6_628B_80DC_1CD1 };
/// The natural logarithm of 2.
pub(super) const LN2: Big = Big { neg: false, exp: -1, sig: 0xB172_17F7_D1CF_79AB_C9E3_B398_03F2_F6AF };
/// The binary logarithm of 10.
pub(super) const L2T: Big = Big { neg: false, exp: 1, sig: 0xD49A_784B_CD1B_8AFE_492B_F6FF_4DAF_DB4D };
/// The binary logarithm of e.
pub(super) const L2E: Big = Big { neg: false, exp: 0, sig: 0xB8AA_3B29_5C17_F0BB_BE87_FED0_691D_3E89 };
/// The decimal logarithm of 2.
pub(super) const LG2: Big = Big { neg: false, exp: -2, sig: 0x9A20_9A84_FBCF_F798_8F89_59AC_0B7C_9178 };

impl Big {
    pub const ZERO: Big = Big { neg: false, exp: 0, sig: 0 };

    pub fn from_num(x: Num) -> Self {
        Big { neg: x.sign, exp: x.exp, sig: u128::from(x.sig) << 64 }
    }

    /// `n * 2^scale`.
    pub fn new(n: i128, scale: i32) -> Self {
        if n == 0 {
            return Big::ZERO;
        }
        let up = n.unsigned_abs().leading_zeros();
        Big { neg: n < 0, exp: 127 - up as i32 + scale, sig: n.unsigned_abs() << up }
    }

    pub fn is_zero(self) -> bool {
        self.sig == 0
    }

    pub fn is_negative(self) -> bool {
        self.neg
    }

    pub fn abs(self) -> Self {
        Big { neg: false, ..self }
    }

    /// `self * 2^n`.
    pub fn scaled(self, n: i32) -> Self {
        Big { exp: self.exp + n, ..self }
    }

    /// Compares magnitudes.
    pub fn less_than(self, other: Self) -> bool {
        let key = |x: Self| if x.sig == 0 { (i32::MIN, 0) } else { (x.exp, x.sig) };
        key(self) < key(other)
    }

    /// Whether it no longer counts beside `other`.
    pub fn vanishes_beside(self, other: Self) -> bool {
        self.sig == 0 || self.exp < other.exp - 130
    }

    /// `self / n`.
    pub fn over(self, n: u32) -> Self {
        if self.sig == 0 {
            return self;
        }
        let n = u128::from(n.max(1));
        let (high, rest) = (self.sig / n, self.sig % n);
        // Bits that come up from below: the remainder has at most 32.
        let up = high.leading_zeros();
        let low = if up == 0 { 0 } else { (rest << up) / n };
        let sig = high << up | low;
        let more = sig.leading_zeros();
        Big { neg: self.neg, exp: self.exp - (up + more) as i32, sig: sig << more }
    }

    /// `self / other`; zero if `other` is.
    pub fn divided_by(self, other: Self) -> Self {
        if self.sig == 0 || other.sig == 0 {
            return Big::ZERO;
        }
        let (mut rest, mut quotient, divisor) = (self.sig >> 1, 0u128, other.sig >> 1);
        let mut exp = self.exp - other.exp;
        if rest < divisor {
            rest <<= 1;
            exp -= 1;
        }
        for _ in 0..128 {
            quotient <<= 1;
            if rest >= divisor {
                rest -= divisor;
                quotient |= 1;
            }
            rest <<= 1;
        }
        Big { neg: self.neg ^ other.neg, exp, sig: quotient }
    }

    /// A sum to which a term too small to count is added: just below itself if the term takes away.
    fn nudged(self, term: Self) -> Self {
        if term.sig == 0 || term.neg == self.neg {
            return self;
        }
        if self.sig == 1 << 127 {
            return Big { exp: self.exp - 1, sig: u128::MAX, ..self };
        }
        Big { sig: self.sig - 1, ..self }
    }

    /// As a register's value, rounded; inexact always.
    pub fn rounded(self, env: &mut X87) -> X80 {
        if self.sig == 0 {
            return X80::zero(self.neg);
        }
        round(self.neg, self.exp, self.sig | 1, Precision::Extended, env)
    }
}

impl Neg for Big {
    type Output = Big;
    fn neg(self) -> Big {
        Big { neg: !self.neg, ..self }
    }
}

impl Mul for Big {
    type Output = Big;
    fn mul(self, other: Big) -> Big {
        if self.sig == 0 || other.sig == 0 {
            return Big::ZERO;
        }
        let split = |x: u128| (x >> 64, x & u128::from(u64::MAX));
        let ((a, b), (c, d)) = (split(self.sig), split(other.sig));
        let ((ad_high, ad_low), (bc_high, bc_low), (bd_high, _)) = (split(a * d), split(b * c), split(b * d));
        let middle = bd_high + ad_low + bc_low;
        let high = a * c + ad_high + bc_high + (middle >> 64);
        let up = high.leading_zeros();
        let low = if up == 0 { 0 } else { middle >> 63 & 1 };
        let sig = if up == 0 { high } else { high << 1 | low };
        Big { neg: self.neg ^ other.neg, exp: self.exp + other.exp + 1 - up as i32, sig }
    }
}

impl Add for Big {
    type Output = Big;
    fn add(self, other: Big) -> Big {
        if self.sig == 0 {
            return other;
        }
        if other.sig == 0 {
            return self;
        }
        let (hi, lo) = if self.less_than(other) { (other, self) } else { (self, other) };
        let by = (hi.exp - lo.exp) as u32;
        if hi.neg == lo.neg {
            let low = lo.sig.checked_shr(by).unwrap_or(0);
            let (sum, carry) = hi.sig.overflowing_add(low);
            return if carry {
                Big { exp: hi.exp + 1, sig: sum >> 1 | 1 << 127, ..hi }
            } else {
                Big { sig: sum, ..hi }
            };
        }
        // One more bit below, so that a difference of neighbours loses nothing.
        let (difference, lost) = match by {
            0 => (hi.sig - lo.sig, 0),
            _ => {
                let low = lo.sig.checked_shr(by).unwrap_or(0);
                let half = lo.sig.checked_shr(by - 1).unwrap_or(0) & 1;
                let d = hi.sig - low;
                (d - half, half)
            }
        };
        if difference == 0 && lost == 0 {
            return Big::ZERO;
        }
        let up = difference.leading_zeros();
        if up == 0 {
            return Big { sig: difference, ..hi };
        }
        if up == 128 {
            return Big { exp: hi.exp - 128, sig: lost << 127, ..hi };
        }
        Big { exp: hi.exp - up as i32, sig: difference << up | lost << (up - 1), ..hi }
    }
}

impl Sub for Big {
    type Output = Big;
    fn sub(self, other: Big) -> Big {
        self + -other
    }
}

/// `first` times the sum of `ratio^k / d(k)`, with `d(0)` 1, where `next` gives the factor `d(k) / d(k + 1)` upside down
/// as a number of two factors: the term is divided by both.
pub(super) fn series(first: Big, ratio: Big, divisors: impl Fn(u32) -> (u32, u32)) -> Big {
    let (mut term, mut sum) = (first, first);
    for k in 1..200 {
        let (a, b) = divisors(k);
        term = (term * ratio).over(a).over(b);
        if term.vanishes_beside(sum) {
            return sum.nudged(term);
        }
        sum = sum + term;
    }
    sum
}

/// The sum of `x^(2k + 1) / (2k + 1)`, with alternating signs if `square` is negative; `square` is `x` squared.
pub(super) fn odd_series(x: Big, square: Big) -> Big {
    let (mut power, mut sum) = (x, x);
    for k in 1..200 {
        power = power * square;
        let term = power.over(2 * k + 1);
        if term.vanishes_beside(sum) {
            return sum.nudged(term);
        }
        sum = sum + term;
    }
    sum
}
