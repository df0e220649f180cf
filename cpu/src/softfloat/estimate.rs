//! Arm's reciprocal estimates (`FPRecipEstimate`, `FPRSqrtEstimate`, `FPRecpX`, `RecipEstimate`, `RecipSqrtEstimate`,
//! `UnsignedRecipEstimate`, `UnsignedRSqrtEstimate`).

use super::round::overflow;
use super::unpack::{Kind, unpack};
use super::{Env, Flags, Format, nan};

/// An estimate of `1 / a` with 8 bits (FRECPE).
pub fn recip_estimate<F: Format>(a: u64, env: &mut Env) -> u64 {
    let x = unpack::<F>(a, env);
    let sign = x.num.sign;
    match x.kind {
        Kind::Quiet | Kind::Signalling => nan::propagate::<F>(x.kind, a, env),
        Kind::Infinity => F::signed(sign, 0),
        Kind::Zero => {
            env.raise(Flags::DIVZERO);
            F::signed(sign, F::INFINITY)
        }
        Kind::Finite if x.num.exp < F::EMIN - 2 => {
            env.raise(Flags::OVERFLOW | Flags::INEXACT);
            overflow::<F>(sign, env)
        }
        Kind::Finite if F::flush_out(env) && x.num.exp >= F::BIAS - 1 => {
            env.raise(Flags::UNDERFLOW);
            F::signed(sign, 0)
        }
        Kind::Finite => {
            let estimate = estimate_recip((x.num.sig >> 55) as u32);
            // The estimate is in [1, 2): eight fraction bits, shifted in below the leading one for a denormal result.
            let exp = -1 - x.num.exp;
            let sig = u64::from(estimate) << 55;
            let field = exp + F::BIAS;
            if field > 0 {
                F::signed(sign, ((field as u64) << F::FRAC) | ((sig >> F::SHIFT) & F::FRAC_MASK))
            } else {
                F::signed(sign, sig >> F::SHIFT >> (1 - field))
            }
        }
    }
}

/// An estimate of `1 / sqrt(a)` with 8 bits (FRSQRTE).
pub fn rsqrt_estimate<F: Format>(a: u64, env: &mut Env) -> u64 {
    let x = unpack::<F>(a, env);
    let sign = x.num.sign;
    match x.kind {
        Kind::Quiet | Kind::Signalling => nan::propagate::<F>(x.kind, a, env),
        Kind::Zero => {
            env.raise(Flags::DIVZERO);
            F::signed(sign, F::INFINITY)
        }
        _ if sign => nan::invalid::<F>(env),
        Kind::Infinity => 0,
        Kind::Finite => {
            // An odd exponent puts the scaled operand in [0.5, 1), an even one in [0.25, 0.5).
            let exp = x.num.exp;
            let scaled = (x.num.sig >> 55 >> (!exp & 1)) as u32;
            let estimate = estimate_rsqrt(scaled);
            let field = (-1 - exp).div_euclid(2) + F::BIAS;
            ((field as u64) << F::FRAC) | ((u64::from(estimate) << 55 >> F::SHIFT) & F::FRAC_MASK)
        }
    }
}

/// The exponent complemented, to scale operands for a division (FRECPX).
pub fn recip_exponent<F: Format>(a: u64, env: &mut Env) -> u64 {
    let x = unpack::<F>(a, env);
    if x.is_nan() {
        return nan::propagate::<F>(x.kind, a, env);
    }
    let field = (a >> F::FRAC) & F::EXP_MAX;
    let field = if field == 0 { F::EXP_MAX - 1 } else { F::EXP_MAX ^ field };
    F::signed(x.num.sign, field << F::FRAC)
}

/// An estimate of `2^63 / a`, saturated (URECPE).
pub fn recip_estimate_u32(a: u32) -> u32 {
    if a >> 31 == 0 { u32::MAX } else { estimate_recip(a >> 23) << 23 }
}

/// An estimate of `2^47 / sqrt(a)`, saturated (URSQRTE).
pub fn rsqrt_estimate_u32(a: u32) -> u32 {
    if a >> 30 == 0 { u32::MAX } else { estimate_rsqrt(a >> 23) << 23 }
}

/// The reciprocal of `a / 512` in [0.5, 1) as `result / 256` in [1, 2).
fn estimate_recip(a: u32) -> u32 {
    let b = (1 << 19) / (2 * a + 1);
    b.div_ceil(2)
}

/// The reciprocal square root of `a / 512` in [0.25, 1) as `result / 256` in [1, 2).
fn estimate_rsqrt(a: u32) -> u32 {
    // Twice the middle of the interval that `a` stands for: halves below 0.5 have one bit less.
    let middle = if a < 256 { 2 * a + 1 } else { (a & !1) * 2 + 2 };
    // The greatest b with middle * b^2 < 2^28.
    let b = (((1u32 << 28) - 1) / middle).isqrt();
    b.div_ceil(2)
}
