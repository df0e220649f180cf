//! Division (`FPDiv`).

use super::round::round;
use super::unpack::{Kind, Num, is_normal, normal, note_denormals, unpack};
use super::{Env, Flags, Format, nan};

/// `a / b`.
#[inline]
pub fn div<F: Format>(a: u64, b: u64, env: &mut Env) -> u64 {
    if is_normal::<F>(a) && is_normal::<F>(b) {
        div_finite::<F>(normal::<F>(a), normal::<F>(b), env)
    } else {
        div_any::<F>(a, b, env)
    }
}

#[inline(always)]
fn div_finite<F: Format>(a: Num, b: Num, env: &mut Env) -> u64 {
    // The dividend is made to lie in [divisor, 2 * divisor), so that the quotient's leading bit is known.
    let down = u32::from(a.sig >= b.sig);
    let sig = if F::FRAC <= 24 {
        let dividend = a.sig >> down;
        let divisor = b.sig >> 32;
        let quotient = dividend / divisor;
        (quotient << 32) | u64::from(quotient * divisor != dividend)
    } else {
        let dividend = u128::from(a.sig) << (64 - down);
        let divisor = u128::from(b.sig);
        let quotient = dividend / divisor;
        quotient as u64 | u64::from(quotient * divisor != dividend)
    };
    round::<F>(Num { sign: a.sign ^ b.sign, exp: a.exp - b.exp - 1 + down as i32, sig }, env)
}

#[cold]
#[inline(never)]
fn div_any<F: Format>(a: u64, b: u64, env: &mut Env) -> u64 {
    let x = unpack::<F>(a, env);
    let y = unpack::<F>(b, env);
    if let Some(nan) = nan::select::<F, 2>([(&x, a), (&y, b)], env) {
        return nan;
    }
    let sign = x.num.sign ^ y.num.sign;
    match (x.kind, y.kind) {
        (Kind::Infinity, Kind::Infinity) | (Kind::Zero, Kind::Zero) => nan::invalid::<F>(env),
        (Kind::Finite, Kind::Zero) => {
            env.raise(Flags::DIVZERO);
            F::signed(sign, F::INFINITY)
        }
        (Kind::Infinity, _) => {
            note_denormals(&[&y], env);
            F::signed(sign, F::INFINITY)
        }
        (Kind::Zero, _) | (_, Kind::Infinity) => {
            note_denormals(&[&x, &y], env);
            F::signed(sign, 0)
        }
        _ => {
            note_denormals(&[&x, &y], env);
            div_finite::<F>(x.num, y.num, env)
        }
    }
}
