//! Comparison (`FPCompare`, `FPCompareEQ`, `FPCompareGE`, `FPCompareGT`).

use super::unpack::{Kind, is_normal, note_denormals, unpack};
use super::{Env, Flags, Format};

/// How two values stand to each other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Relation {
    /// The first is less.
    Less,
    /// They are equal; zeros are, whatever their signs.
    Equal,
    /// The first is greater.
    Greater,
    /// At least one is a NaN.
    Unordered,
}

impl Relation {
    /// Arm's N, Z, C, V in bits 3 to 0.
    #[inline]
    pub fn nzcv(self) -> u32 {
        match self {
            Relation::Less => 0b1000,
            Relation::Equal => 0b0110,
            Relation::Greater => 0b0010,
            Relation::Unordered => 0b0011,
        }
    }
}

/// Compares. A signalling NaN is invalid; with `signal` a quiet NaN is too (FCMPE, COMISD).
#[inline]
pub fn compare<F: Format>(a: u64, b: u64, signal: bool, env: &mut Env) -> Relation {
    compare_normal::<F>(a, b).unwrap_or_else(|| compare_any::<F>(a, b, signal, env))
}

/// Compares normal numbers, for which the environment does not matter.
#[inline]
pub fn compare_normal<F: Format>(a: u64, b: u64) -> Option<Relation> {
    (is_normal::<F>(a) && is_normal::<F>(b)).then(|| order(key::<F>(a), key::<F>(b)))
}

/// `a == b`. Only a signalling NaN is invalid.
#[inline]
pub fn eq<F: Format>(a: u64, b: u64, env: &mut Env) -> bool {
    compare::<F>(a, b, false, env) == Relation::Equal
}

/// `a >= b`. Any NaN is invalid.
#[inline]
pub fn ge<F: Format>(a: u64, b: u64, env: &mut Env) -> bool {
    matches!(compare::<F>(a, b, true, env), Relation::Greater | Relation::Equal)
}

/// `a > b`. Any NaN is invalid.
#[inline]
pub fn gt<F: Format>(a: u64, b: u64, env: &mut Env) -> bool {
    compare::<F>(a, b, true, env) == Relation::Greater
}

/// A number that orders as the value does, NaNs aside; both zeros give zero.
#[inline(always)]
pub(super) fn key<F: Format>(bits: u64) -> i64 {
    let magnitude = (bits & F::MAGNITUDE) as i64;
    if bits & F::SIGN != 0 { -magnitude } else { magnitude }
}

#[inline(always)]
fn order(a: i64, b: i64) -> Relation {
    match a.cmp(&b) {
        core::cmp::Ordering::Less => Relation::Less,
        core::cmp::Ordering::Equal => Relation::Equal,
        core::cmp::Ordering::Greater => Relation::Greater,
    }
}

#[cold]
#[inline(never)]
fn compare_any<F: Format>(a: u64, b: u64, signal: bool, env: &mut Env) -> Relation {
    let x = unpack::<F>(a, env);
    let y = unpack::<F>(b, env);
    if x.is_nan() || y.is_nan() {
        if signal || x.kind == Kind::Signalling || y.kind == Kind::Signalling {
            env.raise(Flags::INVALID);
        }
        return Relation::Unordered;
    }
    note_denormals(&[&x, &y], env);
    order(if x.is_zero() { 0 } else { key::<F>(a) }, if y.is_zero() { 0 } else { key::<F>(b) })
}
