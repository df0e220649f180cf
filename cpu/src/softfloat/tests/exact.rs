//! Exact numbers, done the slow and obvious way, and their rounding as IEEE 754 words it.

use core::cmp::Ordering;

use crate::softfloat::{Env, Flags, Format, NanRules, Rounding, Tininess};

/// A natural number, least significant limb first, without zero limbs at the top.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Natural(Vec<u32>);

impl Natural {
    pub(super) fn new(x: u128) -> Self {
        Natural((0..4).map(|i| (x >> (32 * i)) as u32).collect()).trimmed()
    }

    fn trimmed(mut self) -> Self {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
        self
    }

    pub(super) fn is_zero(&self) -> bool {
        self.0.is_empty()
    }

    fn limb(&self, i: usize) -> u64 {
        u64::from(self.0.get(i).copied().unwrap_or(0))
    }

    /// Bits up to the leading one.
    pub(super) fn bits(&self) -> i64 {
        self.0.last().map_or(0, |top| 32 * self.0.len() as i64 - i64::from(top.leading_zeros()))
    }

    pub(super) fn bit(&self, i: i64) -> bool {
        i >= 0 && self.limb((i / 32) as usize) >> (i % 32) & 1 != 0
    }

    fn any_below(&self, i: i64) -> bool {
        (0..i.min(self.bits())).any(|j| self.bit(j))
    }

    pub(super) fn shl(&self, by: u64) -> Self {
        let mut limbs = vec![0; (by / 32) as usize];
        let mut carry = 0;
        for &limb in &self.0 {
            let wide = u64::from(limb) << (by % 32) | carry;
            limbs.push(wide as u32);
            carry = wide >> 32;
        }
        limbs.push(carry as u32);
        Natural(limbs).trimmed()
    }

    pub(super) fn add(&self, other: &Self) -> Self {
        let mut carry = 0;
        let limbs = (0..=self.0.len().max(other.0.len())).map(|i| {
            let sum = self.limb(i) + other.limb(i) + carry;
            carry = sum >> 32;
            sum as u32
        });
        Natural(limbs.collect()).trimmed()
    }

    /// `self - other`, which is not greater.
    pub(super) fn sub(&self, other: &Self) -> Self {
        let mut borrow = 0;
        let limbs = (0..self.0.len()).map(|i| {
            let difference = self.limb(i) as i64 - other.limb(i) as i64 + borrow;
            borrow = difference >> 32;
            difference as u32
        });
        Natural(limbs.collect()).trimmed()
    }

    pub(super) fn mul(&self, other: &Self) -> Self {
        let mut product = Natural(Vec::new());
        for (i, &limb) in self.0.iter().enumerate() {
            for (j, &by) in other.0.iter().enumerate() {
                let part = Natural::new(u128::from(limb) * u128::from(by));
                product = product.add(&part.shl(32 * (i + j) as u64));
            }
        }
        product
    }

    pub(super) fn cmp(&self, other: &Self) -> Ordering {
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.iter().rev().cmp(other.0.iter().rev()))
    }
}

/// `(-1)^negative * (mantissa + r) * 2^exp`, where `r` is zero, or, if `more`, somewhere between 0 and 1.
#[derive(Clone, Debug)]
pub(super) struct Real {
    pub negative: bool,
    pub mantissa: Natural,
    pub exp: i64,
    pub more: bool,
}

/// What is lost by cutting a number off, in units of the last place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Error {
    Zero,
    LessThanHalf,
    Half,
    MoreThanHalf,
}

impl Real {
    pub(super) fn new(negative: bool, mantissa: u128, exp: i64) -> Self {
        Real { negative, mantissa: Natural::new(mantissa), exp, more: false }
    }

    pub(super) fn is_zero(&self) -> bool {
        self.mantissa.is_zero() && !self.more
    }

    /// The sum of two numbers without `more`. The sign of a zero sum means nothing.
    pub(super) fn add(&self, other: &Self) -> Self {
        let exp = self.exp.min(other.exp);
        let a = self.mantissa.shl((self.exp - exp) as u64);
        let b = other.mantissa.shl((other.exp - exp) as u64);
        let (negative, mantissa) = if self.negative == other.negative {
            (self.negative, a.add(&b))
        } else if a.cmp(&b) == Ordering::Less {
            (other.negative, b.sub(&a))
        } else {
            (self.negative, a.sub(&b))
        };
        Real { negative, mantissa, exp, more: false }
    }

    /// The number of quanta `2^quantum` in the magnitude, and what is left.
    fn cut(&self, quantum: i64) -> (u128, Error) {
        let drop = quantum - self.exp;
        if drop <= 0 {
            assert!(!self.more, "not enough bits to cut at {quantum}");
            return (self.mantissa.shl(-drop as u64).to_u128(), Error::Zero);
        }
        let top = (0..128).filter(|&i| self.mantissa.bit(i + drop)).fold(0, |n, i| n | 1u128 << i);
        let half = self.mantissa.bit(drop - 1);
        let below = self.mantissa.any_below(drop - 1) || self.more;
        let error = match (half, below) {
            (false, false) => Error::Zero,
            (false, true) => Error::LessThanHalf,
            (true, false) => Error::Half,
            (true, true) => Error::MoreThanHalf,
        };
        (top, error)
    }

    /// The magnitude in quanta, rounded; and whether that is inexact.
    pub(super) fn quantise(&self, quantum: i64, mode: Rounding) -> (u128, bool) {
        let (n, error) = self.cut(quantum);
        let up = match mode {
            Rounding::NearestEven => error == Error::MoreThanHalf || (error == Error::Half && n & 1 == 1),
            Rounding::NearestAway => matches!(error, Error::MoreThanHalf | Error::Half),
            Rounding::TowardPlus => error != Error::Zero && !self.negative,
            Rounding::TowardMinus => error != Error::Zero && self.negative,
            Rounding::TowardZero => false,
            Rounding::Odd => error != Error::Zero && n & 1 == 0,
        };
        (n + u128::from(up), error != Error::Zero)
    }

    /// The nearest integer by `mode`, and whether it is not the number itself.
    pub(super) fn to_integer(&self, mode: Rounding) -> (i128, bool) {
        if self.exp + self.mantissa.bits() > 100 {
            return (if self.negative { i128::MIN } else { i128::MAX }, false);
        }
        let (n, inexact) = self.quantise(0, mode);
        (if self.negative { -(n as i128) } else { n as i128 }, inexact)
    }

    /// Rounds a number other than zero to a format.
    pub(super) fn round<F: Format>(&self, mode: Rounding, env: &Env) -> (u64, Flags) {
        let frac = i64::from(F::FRAC);
        let emin = i64::from(F::EMIN);
        let exponent = self.exp + self.mantissa.bits() - 1;
        let tiny = match env.tininess {
            Tininess::BeforeRounding => exponent < emin,
            Tininess::AfterRounding => {
                let (n, _) = self.quantise(exponent - frac, mode);
                exponent < emin && !(exponent == emin - 1 && n == 2 << frac)
            }
        };
        if tiny && F::flush_out(env) {
            let inexact = if env.rules == NanRules::X86 { Flags::INEXACT } else { Flags::NONE };
            return (F::signed(self.negative, 0), Flags::UNDERFLOW | inexact);
        }
        let mut quantum = exponent.max(emin) - frac;
        let (mut n, inexact) = self.quantise(quantum, mode);
        if n == 2 << frac {
            n = 1 << frac;
            quantum += 1;
        }
        let mut flags = Flags::NONE;
        let field = quantum + frac + i64::from(F::BIAS);
        let highest = F::EXP_MAX as i64 - i64::from(!F::ALTERNATIVE);
        if field > highest {
            if F::ALTERNATIVE {
                return (F::signed(self.negative, F::MAGNITUDE), Flags::INVALID);
            }
            let to_infinity = match mode {
                Rounding::NearestEven | Rounding::NearestAway => true,
                Rounding::TowardPlus => !self.negative,
                Rounding::TowardMinus => self.negative,
                Rounding::TowardZero | Rounding::Odd => false,
            };
            let magnitude = if to_infinity { F::INFINITY } else { F::INFINITY - 1 };
            return (F::signed(self.negative, magnitude), Flags::OVERFLOW | Flags::INEXACT);
        }
        if inexact {
            flags |= Flags::INEXACT;
        }
        if tiny && (inexact || env.underflow_unmasked) {
            flags |= Flags::UNDERFLOW;
        }
        let n = n as u64;
        let magnitude = if n < 1 << frac { n } else { (field as u64) << frac | (n - (1 << frac)) };
        (F::signed(self.negative, magnitude), flags)
    }
}

impl Natural {
    fn to_u128(&self) -> u128 {
        assert!(self.bits() <= 128);
        (0..4).fold(0, |n, i| n | u128::from(self.limb(i)) << (32 * i))
    }
}
