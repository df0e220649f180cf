//! Rounding to the extended format and, for memory operands, to narrower ones.

use super::super::round::{increment, overflows_to_infinity, shr_jam128};
use super::{BIAS, EMIN, EXP_MAX, INTEGER, Precision, X80, X87};
use crate::softfloat::unpack::Num;
use crate::softfloat::{Flags, Format, Rounding};

/// What an unmasked overflow or underflow adds to or takes from the exponent.
const WRAP: i32 = 24576;

/// The kept top `64 - cut` bits of a 128-bit significand, rounded; what was added; whether anything was lost.
fn keep(sig: u128, cut: u32, sign: bool, mode: Rounding) -> (u128, u64, bool) {
    let kept = sig >> (64 + cut);
    let rest = sig << (64 - cut);
    // In units of which `1 << 62` are a half, jammed.
    let rest = (rest >> 65) as u64 | u64::from(rest << 63 != 0);
    let up = increment(mode, sign, kept as u64, rest, 1 << 62);
    (kept + u128::from(up), up, rest != 0)
}

/// Rounds `(-1)^sign * sig * 2^(exp - 127)`, bit 127 of `sig` set, to a register.
pub(super) fn round(sign: bool, exp: i32, sig: u128, precision: Precision, env: &mut X87) -> X80 {
    let cut = precision.cut();
    let top = 1u128 << (64 - cut);
    let (mut kept, up, inexact) = keep(sig, cut, sign, env.rounding);
    let carry = kept == top;
    let mut rounded = exp + i32::from(carry);
    if carry {
        kept = top >> 1;
    }
    if rounded < EMIN {
        if !env.underflow_unmasked {
            return denormal(sign, exp, sig, cut, env);
        }
        env.raise(Flags::UNDERFLOW);
        rounded += WRAP;
        if rounded < EMIN {
            // Only FSCALE gets here.
            env.raise(Flags::INEXACT);
            return X80::zero(sign);
        }
    } else if exp < EMIN {
        // Rounded to a normal number with an unlimited exponent: not tiny, but its place in the format is coarser.
        return denormal(sign, exp, sig, cut, env);
    } else if rounded > BIAS {
        env.raise(Flags::OVERFLOW);
        if !env.overflow_unmasked {
            env.raise(Flags::INEXACT);
            let infinite = overflows_to_infinity(env.rounding, sign);
            env.rounded_up = infinite;
            let largest = X80::new(sign, EXP_MAX - 1, u64::MAX << cut);
            return if infinite { X80::infinity(sign) } else { largest };
        }
        rounded -= WRAP;
        if rounded > BIAS {
            env.raise(Flags::INEXACT);
            env.rounded_up = true;
            return X80::infinity(sign);
        }
    }
    if inexact {
        env.raise(Flags::INEXACT);
    }
    env.rounded_up = up != 0;
    X80::new(sign, (rounded + BIAS) as u16, (kept as u64) << cut)
}

/// [`round`] below the smallest normal number.
fn denormal(sign: bool, exp: i32, sig: u128, cut: u32, env: &mut X87) -> X80 {
    let (unlimited, ..) = keep(sig, cut, sign, env.rounding);
    let tiny = exp < EMIN - 1 || unlimited >> (64 - cut) == 0;
    let (kept, up, inexact) = keep(shr_jam128(sig, (EMIN - exp) as u32), cut, sign, env.rounding);
    if inexact {
        env.raise(if tiny { Flags::INEXACT | Flags::UNDERFLOW } else { Flags::INEXACT });
    }
    env.rounded_up = up != 0;
    let sig = (kept as u64) << cut;
    X80::new(sign, u16::from(sig & INTEGER != 0), sig)
}

/// Rounds a number to a format of memory operands.
pub(super) fn round_to<F: Format>(x: Num, env: &mut X87) -> u64 {
    let cut = F::SHIFT;
    let sig = u128::from(x.sig) << 64;
    let (unlimited, up, inexact) = keep(sig, cut, x.sign, env.rounding);
    let tiny = x.exp < F::EMIN - 1 || (x.exp < F::EMIN && unlimited >> (64 - cut) == 0);
    let (kept, up, inexact) = if x.exp < F::EMIN {
        keep(shr_jam128(sig, (F::EMIN - x.exp) as u32), cut, x.sign, env.rounding)
    } else {
        (unlimited, up, inexact)
    };
    let below = (x.exp.max(F::EMIN) - F::EMIN) as u64;
    let magnitude = if below < F::EXP_MAX { (below << F::FRAC) + kept as u64 } else { F::INFINITY };
    if magnitude >= F::INFINITY {
        env.raise(Flags::OVERFLOW | Flags::INEXACT);
        let infinite = overflows_to_infinity(env.rounding, x.sign);
        env.rounded_up = infinite;
        return F::signed(x.sign, if infinite { F::INFINITY } else { F::MAX_FINITE });
    }
    if inexact {
        env.raise(Flags::INEXACT);
    }
    if tiny && (inexact || env.underflow_unmasked) {
        env.raise(Flags::UNDERFLOW);
    }
    env.rounded_up = up != 0;
    F::signed(x.sign, magnitude)
}
