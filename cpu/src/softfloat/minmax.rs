//! Minimum and maximum (`FPMax`, `FPMin`, `FPMaxNum`, `FPMinNum`; MAXSD, MINSD).

use super::compare::key;
use super::unpack::{Kind, Unpacked, note_denormals, unpack};
use super::{Env, Flags, Format, NanRules, nan};

/// The greater operand. Arm: NaNs propagate, and plus zero is greater than minus zero. x86: `b` if either is a NaN
/// (which is invalid) or both are zero.
#[inline]
pub fn max<F: Format>(a: u64, b: u64, env: &mut Env) -> u64 {
    select::<F>(a, b, true, env)
}

/// The lesser operand, by rules like [`max`]'s.
#[inline]
pub fn min<F: Format>(a: u64, b: u64, env: &mut Env) -> u64 {
    select::<F>(a, b, false, env)
}

/// The greater operand, where a number beats a single quiet NaN (FMAXNM).
#[inline]
pub fn max_num<F: Format>(a: u64, b: u64, env: &mut Env) -> u64 {
    select_num::<F>(a, b, true, env)
}

/// The lesser operand, where a number beats a single quiet NaN (FMINNM).
#[inline]
pub fn min_num<F: Format>(a: u64, b: u64, env: &mut Env) -> u64 {
    select_num::<F>(a, b, false, env)
}

fn select_num<F: Format>(a: u64, b: u64, greater: bool, env: &mut Env) -> u64 {
    let x = unpack::<F>(a, env).kind;
    let y = unpack::<F>(b, env).kind;
    let loser = F::signed(greater, F::INFINITY);
    match (x == Kind::Quiet, y == Kind::Quiet) {
        (true, false) => select::<F>(loser, b, greater, env),
        (false, true) => select::<F>(a, loser, greater, env),
        _ => select::<F>(a, b, greater, env),
    }
}

fn select<F: Format>(a: u64, b: u64, greater: bool, env: &mut Env) -> u64 {
    let x = unpack::<F>(a, env);
    let y = unpack::<F>(b, env);
    let value = |u: &Unpacked, bits| if u.is_zero() { F::signed(u.num.sign, 0) } else { bits & F::MASK };
    let (va, vb) = (value(&x, a), value(&y, b));
    if x.is_nan() || y.is_nan() {
        if env.rules == NanRules::X86 {
            env.raise(Flags::INVALID);
            return vb;
        }
        return nan::select::<F, 2>([(&x, a), (&y, b)], env).unwrap_or(vb);
    }
    note_denormals(&[&x, &y], env);
    if x.is_zero() && y.is_zero() && env.rules == NanRules::Arm {
        return if greater { va & vb } else { va | vb };
    }
    let first = if greater { key::<F>(va) > key::<F>(vb) } else { key::<F>(va) < key::<F>(vb) };
    if first { va } else { vb }
}
