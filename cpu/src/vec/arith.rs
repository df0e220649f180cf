//! Element-wise integer arithmetic that wraps, and bit counting.

use super::Lanes;

/// The carry-less product of the low `n` bits of `y` with `x`.
pub(super) fn polynomial(x: u128, y: u64, n: u32) -> u128 {
    (0..n).fold(0, |r, i| if y >> i & 1 != 0 { r ^ x << i } else { r })
}

/// Leading zeros of an element that is zero extended.
fn leading_zeros(l: Lanes, x: u64) -> u64 {
    (x.leading_zeros() + l.bits() - 64) as u64
}

super::functions! {
    #[inline(always)]
    add = |l, _, a, b, _, _| l.sums(a, b) & l.used();
    #[inline(always)]
    sub = |l, _, a, b, _, _| l.differences(a, b) & l.used();
    #[inline(always)]
    mul = |l, _, a, b, _, _| l.map2(a, b, u64::wrapping_mul);
    neg = |l, _, a, _, _, _| l.map(a, u64::wrapping_neg);
    abs = |l, _, a, _, _, _| l.smap(a, i64::wrapping_abs);
    min_s = |l, _, a, b, _, _| l.smap2(a, b, i64::min);
    max_s = |l, _, a, b, _, _| l.smap2(a, b, i64::max);
    min_u = |l, _, a, b, _, _| l.map2(a, b, u64::min);
    max_u = |l, _, a, b, _, _| l.map2(a, b, u64::max);
    // Halving without a wider type: the common bits, and half of those that differ.
    avg_s = |l, _, a, b, _, _| l.smap2(a, b, |x, y| (x & y) + ((x ^ y) >> 1));
    avg_u = |l, _, a, b, _, _| l.map2(a, b, |x, y| (x & y) + ((x ^ y) >> 1));
    avg_up_s = |l, _, a, b, _, _| l.smap2(a, b, |x, y| (x | y) - ((x ^ y) >> 1));
    avg_up_u = |l, _, a, b, _, _| l.map2(a, b, |x, y| (x | y) - ((x ^ y) >> 1));
    half_sub_s = |l, _, a, b, _, _| l.smap2(a, b, |x, y| ((x as i128 - y as i128) >> 1) as i64);
    half_sub_u = |l, _, a, b, _, _| l.map2(a, b, |x, y| ((x as i128 - y as i128) >> 1) as u64);
    diff_s = |l, _, a, b, _, _| l.smap2(a, b, |x, y| x.abs_diff(y) as i64);
    diff_u = |l, _, a, b, _, _| l.map2(a, b, u64::abs_diff);
    mul_poly = |l, _, a, b, _, _| l.map2(a, b, |x, y| polynomial(x as u128, y, l.bits()) as u64);
    popcnt = |l, _, a, _, _, _| l.map(a, |x| x.count_ones() as u64);
    clz = |l, _, a, _, _, _| l.map(a, |x| leading_zeros(l, x));
    cls = |l, _, a, _, _, _| l.smap(a, |x| leading_zeros(l, (x ^ x >> 1) as u64 & l.mask() as u64 >> 1) as i64 - 1);
    rbit = |l, _, a, _, _, _| l.map(a, |x| x.reverse_bits() >> (64 - l.bits()));
    recip_estimate = |l, _, a, _, _, _| l.map(a, |x| crate::softfloat::recip_estimate_u32(x as u32) as u64);
    rsqrt_estimate = |l, _, a, _, _, _| l.map(a, |x| crate::softfloat::rsqrt_estimate_u32(x as u32) as u64);
}
