//! To and from integers and fixed-point numbers (`FPToFixed`, `FixedToFP`, `FPToFixedJS`).

use super::round::{increment, round, shr_jam};
use super::unpack::{Kind, Num, unpack};
use super::{Env, Flags, Format, NanRules, Rounding};

/// An integer type of a conversion.
pub trait Int: Copy + 'static {
    /// Bits.
    const BITS: u32;
    /// Two's complement, not unsigned.
    const SIGNED: bool;
    /// The lowest [`Int::BITS`] bits of `raw`.
    fn from_raw(raw: u64) -> Self;
    /// Sign, and magnitude.
    fn split(self) -> (bool, u64);
}

macro_rules! int {
    ($($t:ty, $signed:literal, |$x:ident| $split:expr;)*) => { $(
        impl Int for $t {
            const BITS: u32 = <$t>::BITS;
            const SIGNED: bool = $signed;
            #[inline(always)]
            fn from_raw(raw: u64) -> Self {
                raw as $t
            }
            #[inline(always)]
            fn split(self) -> (bool, u64) {
                let $x = self;
                $split
            }
        }
    )* };
}

int! {
    i16, true, |x| (x < 0, u64::from(x.unsigned_abs()));
    i32, true, |x| (x < 0, u64::from(x.unsigned_abs()));
    i64, true, |x| (x < 0, x.unsigned_abs());
    u16, false, |x| (false, u64::from(x));
    u32, false, |x| (false, u64::from(x));
    u64, false, |x| (false, x);
}

/// `a * 2^fbits` rounded to an integer; `fbits` is at most 64.
///
/// What does not fit raises invalid operation and gives, by Arm's rules, the nearest limit (a NaN gives zero), by x86's
/// the integer indefinite: the highest bit alone, or all ones for an unsigned type.
#[inline]
pub fn to_int<F: Format, I: Int>(a: u64, fbits: u32, rounding: Rounding, env: &mut Env) -> I {
    let x = unpack::<F>(a, env);
    let sign = x.num.sign;
    let exp = x.num.exp + fbits as i32;
    if x.kind == Kind::Zero {
        return I::from_raw(0);
    }
    if x.kind != Kind::Finite || exp > 63 {
        return out_of_range::<I>(x.is_nan(), sign, env);
    }
    let (mut magnitude, rest) = split(x.num.sig, exp);
    let up = increment(rounding, sign, magnitude, rest, 1 << 62);
    // The significand has at most 53 bits: where there is something to round, the magnitude is far from the top.
    magnitude += up;
    let limit = match (I::SIGNED, sign) {
        (false, false) => u64::MAX >> (64 - I::BITS),
        (false, true) => 0,
        (true, negative) => (1 << (I::BITS - 1)) - u64::from(!negative),
    };
    if magnitude > limit {
        return out_of_range::<I>(false, sign, env);
    }
    if rest != 0 {
        env.raise(Flags::INEXACT);
    }
    I::from_raw(if sign { magnitude.wrapping_neg() } else { magnitude })
}

/// The integer part of `sig * 2^(exp - 63)`, and the fraction in units of `2^-63`, jammed. `exp` is at most 63.
#[inline(always)]
pub(super) fn split(sig: u64, exp: i32) -> (u64, u64) {
    if exp < 0 {
        (0, shr_jam(sig, exp.unsigned_abs()))
    } else {
        (sig >> (63 - exp), (sig << exp) & (u64::MAX >> 1))
    }
}

#[cold]
fn out_of_range<I: Int>(nan: bool, sign: bool, env: &mut Env) -> I {
    env.raise(Flags::INVALID);
    let top = 1u64 << (I::BITS - 1);
    I::from_raw(match (env.rules, I::SIGNED) {
        (NanRules::X86, true) => top,
        (NanRules::X86, false) => u64::MAX,
        (NanRules::Arm, _) if nan => 0,
        (NanRules::Arm, true) if sign => top,
        (NanRules::Arm, true) => top - 1,
        (NanRules::Arm, false) if sign => 0,
        (NanRules::Arm, false) => u64::MAX,
    })
}

/// `x * 2^-fbits`, rounded as `env` says; `fbits` is at most 64.
#[inline]
pub fn from_int<F: Format, I: Int>(x: I, fbits: u32, env: &mut Env) -> u64 {
    let (sign, magnitude) = x.split();
    if magnitude == 0 {
        return 0;
    }
    let up = magnitude.leading_zeros();
    round::<F>(Num { sign, exp: 63 - up as i32 - fbits as i32, sig: magnitude << up }, env)
}

/// JavaScript's ToInt32 of `a` (FJCVTZS): rounded towards zero and reduced modulo 2^32; and whether that was exact.
#[inline]
pub fn to_int_js<F: Format>(a: u64, env: &mut Env) -> (i32, bool) {
    let x = unpack::<F>(a, env);
    match x.kind {
        // A flushed denormal is a zero that is not exact, and so is minus zero.
        Kind::Zero => (0, a & F::MASK == 0),
        Kind::Finite => {
            let Num { sign, exp, sig } = x.num;
            let (magnitude, rest) = match exp {
                ..=63 => split(sig, exp),
                64..=94 => (sig << (exp - 63), 0),
                _ => (0, 0),
            };
            let fits = exp < 31 || (sign && exp == 31 && magnitude == 1 << 31);
            let exact = fits && rest == 0;
            if !fits {
                env.raise(Flags::INVALID);
            } else if rest != 0 {
                env.raise(Flags::INEXACT);
            }
            let low = magnitude as u32 as i32;
            (if sign { low.wrapping_neg() } else { low }, exact)
        }
        _ => {
            env.raise(Flags::INVALID);
            (0, false)
        }
    }
}
