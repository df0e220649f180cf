//! From exact values back to bits (`FPRound`).

use super::unpack::Num;
use super::{Env, Flags, Format, Rounding, Tininess};

/// Shifts right; the lowest bit of the result is also set if a one was shifted out.
#[inline(always)]
pub(super) fn shr_jam(x: u64, by: u32) -> u64 {
    if by < 64 { (x >> by) | u64::from(x & ((1 << by) - 1) != 0) } else { u64::from(x != 0) }
}

/// [`shr_jam`] on 128 bits.
#[inline(always)]
pub(super) fn shr_jam128(x: u128, by: u32) -> u128 {
    if by < 128 { (x >> by) | u128::from(x & ((1 << by) - 1) != 0) } else { u128::from(x != 0) }
}

/// The upper half of `x`, its lowest bit also set if the lower half holds a one.
#[inline(always)]
pub(super) fn jam_high(x: u128) -> u64 {
    (x >> 64) as u64 | u64::from(x as u64 != 0)
}

/// What rounding adds (0 or 1) to the kept part, whose lowest bit is `keep`'s, when `rest` out of `2 * half` is cut off.
#[inline(always)]
pub(super) fn increment(mode: Rounding, sign: bool, keep: u64, rest: u64, half: u64) -> u64 {
    u64::from(match mode {
        Rounding::NearestEven => rest + (keep & 1) > half,
        Rounding::NearestAway => rest >= half,
        Rounding::TowardPlus => rest != 0 && !sign,
        Rounding::TowardMinus => rest != 0 && sign,
        Rounding::TowardZero => false,
        Rounding::Odd => rest != 0 && keep & 1 == 0,
    })
}

/// True if `mode` takes a value that is too large to infinity and not to the largest number.
#[inline]
pub(super) fn overflows_to_infinity(mode: Rounding, sign: bool) -> bool {
    match mode {
        Rounding::NearestEven | Rounding::NearestAway => true,
        Rounding::TowardPlus => !sign,
        Rounding::TowardMinus => sign,
        Rounding::TowardZero | Rounding::Odd => false,
    }
}

/// The zero that an exact cancellation gives.
#[inline]
pub(super) fn exact_zero<F: Format>(env: &Env) -> u64 {
    F::signed(env.rounding == Rounding::TowardMinus, 0)
}

/// Rounds a number to the format and raises overflow, underflow and inexact.
///
/// The lowest bit of the significand may stand for any number of lower ones.
#[inline(always)]
pub(super) fn round<F: Format>(x: Num, env: &mut Env) -> u64 {
    let half = 1u64 << (F::SHIFT - 1);
    // One below the exponent field: the leading bit of the significand adds the one.
    let below = (x.exp + F::BIAS - 1) as u32 as u64;
    if below < F::EXP_MAX - 2 {
        let keep = x.sig >> F::SHIFT;
        let rest = x.sig & (2 * half - 1);
        env.flags.0 |= u8::from(rest != 0) << 4;
        F::signed(x.sign, (below << F::FRAC) + keep + increment(env.rounding, x.sign, keep, rest, half))
    } else {
        round_edge::<F>(x, env)
    }
}

/// [`round`] near and beyond both ends of the exponent range.
#[cold]
#[inline(never)]
fn round_edge<F: Format>(x: Num, env: &mut Env) -> u64 {
    if x.exp < F::EMIN { round_tiny::<F>(x, env) } else { round_large::<F>(x, env) }
}

fn round_large<F: Format>(x: Num, env: &mut Env) -> u64 {
    let half = 1u64 << (F::SHIFT - 1);
    let below = (x.exp + F::BIAS - 1) as u64;
    let keep = x.sig >> F::SHIFT;
    let rest = x.sig & (2 * half - 1);
    if below < F::EXP_MAX {
        let magnitude = (below << F::FRAC) + keep + increment(env.rounding, x.sign, keep, rest, half);
        if magnitude <= F::MAX_FINITE {
            env.flags.0 |= u8::from(rest != 0) << 4;
            return F::signed(x.sign, magnitude);
        }
    }
    if F::ALTERNATIVE {
        env.raise(Flags::INVALID);
        return F::signed(x.sign, F::MAX_FINITE);
    }
    env.raise(Flags::OVERFLOW | Flags::INEXACT);
    overflow::<F>(x.sign, env)
}

/// What a number too large for the format becomes.
pub(super) fn overflow<F: Format>(sign: bool, env: &Env) -> u64 {
    let infinite = overflows_to_infinity(env.rounding, sign);
    F::signed(sign, if infinite { F::INFINITY } else { F::MAX_FINITE })
}

fn round_tiny<F: Format>(x: Num, env: &mut Env) -> u64 {
    let half = 1u64 << (F::SHIFT - 1);
    let part = 2 * half - 1;
    let tiny = env.tininess == Tininess::BeforeRounding || x.exp < F::EMIN - 1 || {
        let keep = x.sig >> F::SHIFT;
        keep + increment(env.rounding, x.sign, keep, x.sig & part, half) < 2 << F::FRAC
    };
    if tiny && F::flush_out(env) {
        env.raise(match env.tininess {
            Tininess::BeforeRounding => Flags::UNDERFLOW,
            Tininess::AfterRounding => Flags::UNDERFLOW | Flags::INEXACT,
        });
        return F::signed(x.sign, 0);
    }
    let sig = shr_jam(x.sig, (F::EMIN - x.exp) as u32);
    let keep = sig >> F::SHIFT;
    let rest = sig & part;
    if rest != 0 {
        env.raise(Flags::INEXACT);
    }
    if tiny && (rest != 0 || env.underflow_unmasked) {
        env.raise(Flags::UNDERFLOW);
    }
    F::signed(x.sign, keep + increment(env.rounding, x.sign, keep, rest, half))
}
