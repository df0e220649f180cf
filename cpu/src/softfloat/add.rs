//! Addition and subtraction (`FPAdd`, `FPSub`).

use super::round::{exact_zero, round, shr_jam};
use super::unpack::{Kind, Num, is_normal, normal, note_denormals, unpack};
use super::{Env, Format, nan};

/// `a + b`.
#[inline]
pub fn add<F: Format>(a: u64, b: u64, env: &mut Env) -> u64 {
    if is_normal::<F>(a) && is_normal::<F>(b) {
        add_finite::<F>(normal::<F>(a), normal::<F>(b), env)
    } else {
        add_any::<F>(a, b, false, env)
    }
}

/// `a - b`. A NaN operand keeps its sign.
#[inline]
pub fn sub<F: Format>(a: u64, b: u64, env: &mut Env) -> u64 {
    if is_normal::<F>(a) && is_normal::<F>(b) {
        add_finite::<F>(normal::<F>(a), normal::<F>(b ^ F::SIGN), env)
    } else {
        add_any::<F>(a, b, true, env)
    }
}

#[inline(always)]
fn add_finite<F: Format>(a: Num, b: Num, env: &mut Env) -> u64 {
    let swap = (a.exp, a.sig) < (b.exp, b.sig);
    let (hi, lo) = if swap { (b, a) } else { (a, b) };
    // Both significands have free low bits: a jammed bit stays below the rounding point even after
    // the shift by one that a subtraction of unequal exponents can need.
    let low = shr_jam(lo.sig, (hi.exp - lo.exp) as u32);
    if hi.sign == lo.sign {
        let (sum, carry) = hi.sig.overflowing_add(low);
        let c = u32::from(carry);
        let sig = (sum >> c) | (sum & u64::from(carry)) | u64::from(carry) << 63;
        round::<F>(Num { sign: hi.sign, exp: hi.exp + c as i32, sig }, env)
    } else {
        let sig = hi.sig - low;
        if sig == 0 {
            return exact_zero::<F>(env);
        }
        let up = sig.leading_zeros();
        round::<F>(Num { sign: hi.sign, exp: hi.exp - up as i32, sig: sig << up }, env)
    }
}

#[cold]
#[inline(never)]
fn add_any<F: Format>(a: u64, b: u64, negate: bool, env: &mut Env) -> u64 {
    let x = unpack::<F>(a, env);
    let mut y = unpack::<F>(b, env);
    if let Some(nan) = nan::select::<F, 2>([(&x, a), (&y, b)], env) {
        return nan;
    }
    y.num.sign ^= negate;
    if x.is_infinite() && y.is_infinite() && x.num.sign != y.num.sign {
        return nan::invalid::<F>(env);
    }
    note_denormals(&[&x, &y], env);
    match (x.kind, y.kind) {
        (Kind::Infinity, _) => F::signed(x.num.sign, F::INFINITY),
        (_, Kind::Infinity) => F::signed(y.num.sign, F::INFINITY),
        (Kind::Zero, Kind::Zero) if x.num.sign == y.num.sign => F::signed(x.num.sign, 0),
        (Kind::Zero, Kind::Zero) => exact_zero::<F>(env),
        (Kind::Zero, _) => round::<F>(y.num, env),
        (_, Kind::Zero) => round::<F>(x.num, env),
        _ => add_finite::<F>(x.num, y.num, env),
    }
}
