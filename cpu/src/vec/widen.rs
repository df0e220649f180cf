//! Operations between elements of one size and of twice that size. The arrangement always names the narrow elements;
//! for widening, the constant says from which half of the operands they come (0 low, 1 high).

use super::arith::polynomial;
use super::{Lanes, Part};

/// How many elements a widening or narrowing operation handles.
fn count(l: Lanes) -> u32 {
    if l.part == Part::Scalar { 1 } else { 8 >> l.log2 }
}

/// Builds wide elements from pairs of narrow ones, zero extended.
#[inline(always)]
pub(super) fn widen(l: Lanes, half: u32, a: u128, b: u128, f: impl FnMut(u64, u64) -> u64) -> u128 {
    // With each size by itself the loops come out straight.
    match l.log2 {
        0 => widen_of(Lanes { log2: 0, ..l }, half, a, b, f),
        1 => widen_of(Lanes { log2: 1, ..l }, half, a, b, f),
        _ => widen_of(Lanes { log2: 2, ..l }, half, a, b, f),
    }
}

#[inline(always)]
fn widen_of(l: Lanes, half: u32, a: u128, b: u128, mut f: impl FnMut(u64, u64) -> u64) -> u128 {
    let (a, b) = (a >> (64 * (half & 1)), b >> (64 * (half & 1)));
    let (wide, mut r) = (l.wider(), 0);
    for i in 0..count(l) {
        let x = f(l.get(a, i) as u64, l.get(b, i) as u64);
        r |= (x as u128 & wide.mask()) << (i * wide.bits());
    }
    r
}

/// Builds narrow elements, in the low 64 bits, from wide ones, zero extended.
#[inline(always)]
pub(super) fn narrow(l: Lanes, a: u128, mut f: impl FnMut(u64) -> u64) -> u128 {
    let (wide, mut r) = (l.wider(), 0);
    for i in 0..count(l) {
        r |= (f(wide.get(a, i) as u64) as u128 & l.mask()) << (i * l.bits());
    }
    r
}

super::functions! {
    #[inline(always)]
    extend_u = |l, half, a, _, _, _| widen(l, half, a, a, |x, _| x);
    #[inline(always)]
    extend_s = |l, half, a, _, _, _| widen(l, half, a, a, |x, _| l.signed(x) as u64);
    mul_wide_u = |l, half, a, b, _, _| widen(l, half, a, b, u64::wrapping_mul);
    mul_wide_s = |l, half, a, b, _, _| widen(l, half, a, b, |x, y| l.signed(x).wrapping_mul(l.signed(y)) as u64);
    mul_wide_poly = |l, half, a, b, _, _| if l.log2 == 3 {
        let at = 64 * (half & 1);
        polynomial((a >> at) as u64 as u128, (b >> at) as u64, 64)
    } else {
        widen(l, half, a, b, |x, y| polynomial(x as u128, y, l.bits()) as u64)
    };
    narrow_low = |l, _, a, _, _, _| narrow(l, a, |x| x);
}
