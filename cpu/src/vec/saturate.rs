//! Operations whose elements saturate, which FPSR.QC records.

use super::shift::{count, round_s, round_u};
use super::widen::{narrow, widen};
use super::{FpEnv, Lanes};

/// `v` as a signed element.
#[inline(always)]
fn signed(l: Lanes, v: i128, env: &mut FpEnv) -> u64 {
    let max = (l.mask() >> 1) as i128;
    let r = v.clamp(-max - 1, max);
    env.saturated(r != v);
    r as u64
}

/// `v` as an unsigned element.
#[inline(always)]
fn unsigned(l: Lanes, v: i128, env: &mut FpEnv) -> u64 {
    let r = v.clamp(0, l.mask() as i128);
    env.saturated(r != v);
    r as u64
}

/// The signed value of an element.
#[inline(always)]
fn s(l: Lanes, x: u64) -> i128 {
    l.signed(x) as i128
}

/// A signed element shifted left by `n`, unbounded: 64 places are as good as more.
#[inline(always)]
fn left(x: i128, n: i32) -> i128 {
    x << n.min(64)
}

/// An unsigned element shifted left by `n`.
#[inline(always)]
fn left_u(l: Lanes, x: u64, n: i32, env: &mut FpEnv) -> u64 {
    let v = (x as u128) << n.min(64);
    env.saturated(v > l.mask());
    v.min(l.mask()) as u64
}

/// The doubled product of two elements, its high half, rounded if `round` is 1.
#[inline(always)]
fn high_doubled(l: Lanes, x: u64, y: u64, acc: i128, negate: bool, round: u32) -> i128 {
    let product = 2 * s(l, x) * s(l, y);
    let product = if negate { -product } else { product };
    ((acc << l.bits()) + product + ((round as i128) << (l.bits() - 1))) >> l.bits()
}

/// Three-operand form of the rounding doubling multiply, which accumulates before it rounds.
#[inline(always)]
fn accumulate(l: Lanes, a: u128, b: u128, c: u128, negate: bool, env: &mut FpEnv) -> u128 {
    l.build(|i| {
        let (x, y, acc) = (l.get(a, i) as u64, l.get(b, i) as u64, l.get(c, i) as u64);
        signed(l, high_doubled(l, x, y, s(l, acc), negate, 1), env) as u128
    })
}

super::functions! {
    add_u = |l, _, a, b, _, env| l.map2(a, b, |x, y| unsigned(l, x as i128 + y as i128, env));
    add_s = |l, _, a, b, _, env| l.map2(a, b, |x, y| signed(l, s(l, x) + s(l, y), env));
    sub_u = |l, _, a, b, _, env| l.map2(a, b, |x, y| unsigned(l, x as i128 - y as i128, env));
    sub_s = |l, _, a, b, _, env| l.map2(a, b, |x, y| signed(l, s(l, x) - s(l, y), env));
    add_su = |l, _, a, b, _, env| l.map2(a, b, |x, y| signed(l, s(l, x) + y as i128, env));
    add_us = |l, _, a, b, _, env| l.map2(a, b, |x, y| unsigned(l, x as i128 + s(l, y), env));
    abs = |l, _, a, _, _, env| l.map(a, |x| signed(l, s(l, x).abs(), env));
    neg = |l, _, a, _, _, env| l.map(a, |x| signed(l, -s(l, x), env));
    mul_high = |l, round, a, b, _, env| l.map2(a, b, |x, y| signed(l, high_doubled(l, x, y, 0, false, round & 1), env));
    mul_add_high = |l, _, a, b, c, env| accumulate(l, a, b, c, false, env);
    mul_sub_high = |l, _, a, b, c, env| accumulate(l, a, b, c, true, env);
    mul_double_wide = |l, half, a, b, _, env| {
        widen(l, half, a, b, |x, y| signed(l.wider(), 2 * s(l, x) * s(l, y), env))
    };
    narrow_s = |l, _, a, _, _, env| narrow(l, a, |x| signed(l, s(l.wider(), x), env));
    narrow_u = |l, _, a, _, _, env| narrow(l, a, |x| unsigned(l, x as i128, env));
    narrow_su = |l, _, a, _, _, env| narrow(l, a, |x| unsigned(l, s(l.wider(), x), env));
    shl_by_u = |l, _, a, b, _, env| l.map2(a, b, |x, y| match count(y) {
        n @ 0.. => left_u(l, x, n, env),
        n => x.checked_shr(n.unsigned_abs()).unwrap_or(0),
    });
    shl_by_s = |l, _, a, b, _, env| l.map2(a, b, |x, y| match count(y) {
        n @ 0.. => signed(l, left(s(l, x), n), env),
        n => (l.signed(x) >> n.unsigned_abs().min(63)) as u64,
    });
    round_by_u = |l, _, a, b, _, env| l.map2(a, b, |x, y| match count(y) {
        n @ 0.. => left_u(l, x, n, env),
        n => round_u(x, n.unsigned_abs()),
    });
    round_by_s = |l, _, a, b, _, env| l.map2(a, b, |x, y| match count(y) {
        n @ 0.. => signed(l, left(s(l, x), n), env),
        n => round_s(l.signed(x), n.unsigned_abs()) as u64,
    });
    shl_su = |l, n, a, _, _, env| l.map(a, |x| unsigned(l, left(s(l, x), n as i32 & 0x7F), env));
}
