//! Rounding to an integer in the same format (`FPRoundInt`, `FPRoundIntN`).

use super::integer::split;
use super::round::{increment, round};
use super::unpack::{Kind, Num, unpack};
use super::{Env, Flags, Format, Rounding, nan};

/// `a` rounded to an integer. Raises inexact only if `exact` (FRINTX; ROUNDSD with bit 3 of its immediate clear).
#[inline]
pub fn round_int<F: Format>(a: u64, rounding: Rounding, exact: bool, env: &mut Env) -> u64 {
    let x = unpack::<F>(a, env);
    match x.kind {
        Kind::Finite if x.num.exp >= F::FRAC as i32 => a & F::MASK,
        Kind::Finite => {
            let (magnitude, rest) = integral(x.num, rounding);
            if rest && exact {
                env.raise(Flags::INEXACT);
            }
            from_magnitude::<F>(x.num.sign, magnitude, env)
        }
        Kind::Quiet | Kind::Signalling => nan::propagate::<F>(x.kind, a, env),
        Kind::Zero => F::signed(x.num.sign, 0),
        Kind::Infinity => a & F::MASK,
    }
}

/// `a` rounded to an integer of `bits` bits, 32 or 64 (FRINT32X and its kin).
///
/// What does not fit, and NaNs, raise invalid operation and give the most negative such integer.
#[inline]
pub fn round_int_n<F: Format>(a: u64, bits: u32, rounding: Rounding, env: &mut Env) -> u64 {
    let x = unpack::<F>(a, env);
    let sign = x.num.sign;
    let (magnitude, rest) = match x.kind {
        Kind::Zero => return F::signed(sign, 0),
        Kind::Finite if x.num.exp <= 63 => integral(x.num, rounding),
        _ => (u64::MAX, false),
    };
    if magnitude > (1 << (bits - 1)) - u64::from(!sign) {
        env.raise(Flags::INVALID);
        return F::signed(true, ((F::BIAS + bits as i32 - 1) as u64) << F::FRAC);
    }
    if rest {
        env.raise(Flags::INEXACT);
    }
    from_magnitude::<F>(sign, magnitude, env)
}

/// The magnitude of `x`, whose exponent is at most 63, rounded to an integer; and whether that was inexact.
#[inline]
fn integral(x: Num, rounding: Rounding) -> (u64, bool) {
    let (magnitude, rest) = split(x.sig, x.exp);
    (magnitude + increment(rounding, x.sign, magnitude, rest, 1 << 62), rest != 0)
}

/// An integer that the format holds exactly.
#[inline]
fn from_magnitude<F: Format>(sign: bool, magnitude: u64, env: &mut Env) -> u64 {
    if magnitude == 0 {
        return F::signed(sign, 0);
    }
    let up = magnitude.leading_zeros();
    round::<F>(Num { sign, exp: 63 - up as i32, sig: magnitude << up }, env)
}
