//! Multiplication (`FPMul`, `FPMulX`).

use super::round::{jam_high, round};
use super::unpack::{Kind, Num, is_normal, normal, note_denormals, unpack};
use super::{Env, Format, nan};

/// `a * b`.
#[inline]
pub fn mul<F: Format>(a: u64, b: u64, env: &mut Env) -> u64 {
    if is_normal::<F>(a) && is_normal::<F>(b) {
        mul_finite::<F>(normal::<F>(a), normal::<F>(b), env)
    } else {
        mul_any::<F>(a, b, false, env)
    }
}

/// `a * b`, where infinity times zero is 2 with the sign of the product (FMULX).
#[inline]
pub fn mulx<F: Format>(a: u64, b: u64, env: &mut Env) -> u64 {
    if is_normal::<F>(a) && is_normal::<F>(b) {
        mul_finite::<F>(normal::<F>(a), normal::<F>(b), env)
    } else {
        mul_any::<F>(a, b, true, env)
    }
}

#[inline(always)]
fn mul_finite<F: Format>(a: Num, b: Num, env: &mut Env) -> u64 {
    let sig = jam_high(u128::from(a.sig) * u128::from(b.sig));
    // The free low bits of the significands leave the jammed bit below the rounding point.
    let up = u32::from(sig >> 63 == 0);
    let exp = a.exp + b.exp + 1 - up as i32;
    round::<F>(Num { sign: a.sign ^ b.sign, exp, sig: sig << up }, env)
}

#[cold]
#[inline(never)]
fn mul_any<F: Format>(a: u64, b: u64, extended: bool, env: &mut Env) -> u64 {
    let x = unpack::<F>(a, env);
    let y = unpack::<F>(b, env);
    if let Some(nan) = nan::select::<F, 2>([(&x, a), (&y, b)], env) {
        return nan;
    }
    let sign = x.num.sign ^ y.num.sign;
    match (x.kind, y.kind) {
        (Kind::Infinity, Kind::Zero) | (Kind::Zero, Kind::Infinity) => {
            if extended {
                F::signed(sign, (F::BIAS as u64 + 1) << F::FRAC)
            } else {
                nan::invalid::<F>(env)
            }
        }
        (Kind::Finite, Kind::Finite) => {
            note_denormals(&[&x, &y], env);
            mul_finite::<F>(x.num, y.num, env)
        }
        (Kind::Zero, _) | (_, Kind::Zero) => {
            note_denormals(&[&x, &y], env);
            F::signed(sign, 0)
        }
        _ => {
            note_denormals(&[&x, &y], env);
            F::signed(sign, F::INFINITY)
        }
    }
}
