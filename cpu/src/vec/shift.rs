//! Shifts by a constant and by per-element counts.
//!
//! Per-element counts are the signed low byte of the second operand's element: positive shifts left, negative right
//! (the shared pseudocode of SSHL and USHL).

/// The signed shift count that an element holds.
#[inline(always)]
pub(super) fn count(y: u64) -> i32 {
    y as u8 as i8 as i32
}

/// `x` shifted right by `n` (1 or more), rounded to nearest with ties up.
#[inline(always)]
pub(super) fn round_u(x: u64, n: u32) -> u64 {
    if n > 64 {
        return 0;
    }
    let x = x >> (n - 1);
    (x >> 1) + (x & 1)
}

/// `x` shifted right by `n` (1 or more), signs coming in, rounded to nearest with ties up.
#[inline(always)]
pub(super) fn round_s(x: i64, n: u32) -> i64 {
    // From 64 on, half of the divisor outweighs every element.
    let x = x >> (n - 1).min(63);
    if n > 64 { 0 } else { (x >> 1) + (x & 1) }
}

/// `x` shifted left by `n`; zero from 64 on.
#[inline(always)]
fn left(x: u64, n: u32) -> u64 {
    x.checked_shl(n).unwrap_or(0)
}

super::functions! {
    #[inline(always)]
    shl = |l, n, a, _, _, _| l.shifted_left(a, n) & l.used();
    #[inline(always)]
    shr_u = |l, n, a, _, _, _| l.shifted_right(a, n) & l.used();
    shr_s = |l, n, a, _, _, _| l.smap(a, |x| x >> n.min(63));
    round_shr_u = |l, n, a, _, _, _| l.map(a, |x| round_u(x, n.max(1)));
    round_shr_s = |l, n, a, _, _, _| l.smap(a, |x| round_s(x, n.max(1)));
    by_u = |l, _, a, b, _, _| l.map2(a, b, |x, y| match count(y) {
        n @ 0.. => left(x, n as u32),
        n => x.checked_shr(n.unsigned_abs()).unwrap_or(0),
    });
    by_s = |l, _, a, b, _, _| l.map2(a, b, |x, y| match count(y) {
        n @ 0.. => left(x, n as u32),
        n => (l.signed(x) >> n.unsigned_abs().min(63)) as u64,
    });
    round_by_u = |l, _, a, b, _, _| l.map2(a, b, |x, y| match count(y) {
        n @ 0.. => left(x, n as u32),
        n => round_u(x, n.unsigned_abs()),
    });
    round_by_s = |l, _, a, b, _, _| l.map2(a, b, |x, y| match count(y) {
        n @ 0.. => left(x, n as u32),
        n => round_s(l.signed(x), n.unsigned_abs()) as u64,
    });
}
