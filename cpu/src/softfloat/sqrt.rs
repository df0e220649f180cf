//! Square root (`FPSqrt`).

use super::round::round;
use super::unpack::{Kind, Num, is_normal, normal, note_denormals, sign, unpack};
use super::{Env, Format, nan};

/// The square root of `a`.
#[inline]
pub fn sqrt<F: Format>(a: u64, env: &mut Env) -> u64 {
    if is_normal::<F>(a) && !sign::<F>(a) {
        sqrt_finite::<F>(normal::<F>(a), env)
    } else {
        sqrt_any::<F>(a, env)
    }
}

#[inline(always)]
fn sqrt_finite<F: Format>(a: Num, env: &mut Env) -> u64 {
    // With an even exponent the radicand is `radicand * 2^-62`, in [1, 4): its root has 32 bits.
    let radicand = a.sig >> (!a.exp & 1);
    let high = radicand.isqrt();
    let remainder = radicand - high * high;
    let sig = if F::FRAC <= 28 {
        (high << 32) | u64::from(remainder != 0)
    } else {
        // One step of a schoolbook root (Zimmermann's recursion): the low bits of the radicand are zero, so 24
        // further bits of the root come from dividing the remainder.
        const MORE: u32 = 24;
        let dividend = remainder << MORE;
        let low = dividend / (2 * high);
        let rest = dividend - low * (2 * high);
        // The exact remainder is `rest * 2^24 - low^2`.
        let (rest, square) = (rest << MORE, low * low);
        let root = ((high << MORE) + low) - u64::from(rest < square);
        (root << (32 - MORE)) | u64::from(rest != square)
    };
    round::<F>(Num { sign: false, exp: a.exp >> 1, sig }, env)
}

#[cold]
#[inline(never)]
fn sqrt_any<F: Format>(a: u64, env: &mut Env) -> u64 {
    let x = unpack::<F>(a, env);
    if let Some(nan) = nan::select::<F, 1>([(&x, a)], env) {
        return nan;
    }
    match x.kind {
        Kind::Zero => F::signed(x.num.sign, 0),
        _ if x.num.sign => nan::invalid::<F>(env),
        Kind::Finite => {
            note_denormals(&[&x], env);
            sqrt_finite::<F>(x.num, env)
        }
        _ => F::INFINITY,
    }
}
