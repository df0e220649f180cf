//! Integer arithmetic and shifts as SSE and AVX instructions divide them (SDM vol. 2).

use super::Lanes;

/// An element of `bits` as a signed number.
#[inline(always)]
fn s(l: Lanes, x: u64) -> i128 {
    l.signed(x) as i128
}

/// Products of the even elements in twice the size.
#[inline(always)]
fn even(l: Lanes, a: u128, b: u128, f: impl Fn(u64, u64) -> u64) -> u128 {
    let mask = l.mask() as u64;
    l.wider().map2(a, b, |x, y| f(x & mask, y & mask))
}

/// `f` of the neighbours in each element of twice the size: low and high of `a`, low and high of `b`.
#[inline(always)]
fn pairs(l: Lanes, a: u128, b: u128, f: impl Fn([u64; 2], [u64; 2]) -> u64) -> u128 {
    let mask = l.mask() as u64;
    let split = |x: u64| [x & mask, x.checked_shr(l.bits()).unwrap_or(0) & mask];
    l.wider().map2(a, b, |x, y| f(split(x), split(y)))
}

/// Elements of up to 32 bits with one twice as large; others stay as they are, no instruction has them.
#[inline(always)]
fn doubled(l: Lanes, f: impl Fn(Lanes) -> u128) -> u128 {
    if l.log2 < 3 { f(l) } else { 0 }
}

fn byte(v: u128, i: u32) -> u8 {
    (v >> (8 * (i & 15))) as u8
}

fn shl(l: Lanes, x: u64, n: u64) -> u64 {
    if n < l.bits() as u64 { x << n } else { 0 }
}

fn shr(l: Lanes, x: u64, n: u64) -> u64 {
    if n < l.bits() as u64 { x >> n } else { 0 }
}

fn sar(l: Lanes, x: u64, n: u64) -> u64 {
    (l.signed(x) >> n.min(l.bits() as u64 - 1)) as u64
}

super::functions! {
    mul_high_s = |l, _, a, b, _, _| l.map2(a, b, |x, y| ((s(l, x) * s(l, y)) >> l.bits()) as u64);
    mul_high_u = |l, _, a, b, _, _| l.map2(a, b, |x, y| ((x as u128 * y as u128) >> l.bits()) as u64);
    mul_high_round = |l, _, a, b, _, _| l.map2(a, b, |x, y| {
        ((((s(l, x) * s(l, y)) >> (l.bits() - 2)) + 1) >> 1) as u64
    });
    mul_even_s = |l, _, a, b, _, _| doubled(l, |l| even(l, a, b, |x, y| l.signed(x).wrapping_mul(l.signed(y)) as u64));
    mul_even_u = |l, _, a, b, _, _| doubled(l, |l| even(l, a, b, u64::wrapping_mul));
    mul_add_pairs = |l, _, a, b, _, _| doubled(l, |l| pairs(l, a, b, |x, y| {
        (s(l, x[0]) * s(l, y[0]) + s(l, x[1]) * s(l, y[1])) as u64
    }));
    mul_add_pairs_us = |l, _, a, b, _, _| doubled(l, |l| pairs(l, a, b, |x, y| {
        let sum = x[0] as i128 * s(l, y[0]) + x[1] as i128 * s(l, y[1]);
        let max = (l.wider().mask() >> 1) as i128;
        sum.clamp(-max - 1, max) as u64
    }));
    sum_diff_u = |l, _, a, b, _, _| {
        let l = Lanes { log2: 3, ..l };
        l.map2(a, b, |x, y| {
            let sum = |i: u32| (x >> (8 * i) & 0xFF).abs_diff(y >> (8 * i) & 0xFF);
            (0..8).map(sum).sum()
        })
    };
    sum_diff_blocks = |_, imm, a, b, _, _| {
        let (a, b) = (a >> (32 * (imm >> 2 & 1)), b >> (32 * (imm & 3)));
        Lanes::full(1).build(|i| (0..4).map(|k| byte(a, i + k).abs_diff(byte(b, k)) as u128).sum())
    };
    min_position = |_, _, a, _, _, _| {
        let l = Lanes::full(1);
        let least = (0..8).min_by_key(|&i| l.get(a, i)).unwrap_or(0);
        l.get(a, least) | (least as u128) << 16
    };
    sign = |l, _, a, b, _, _| l.smap2(a, b, |x, y| match y.signum() {
        1 => x,
        0 => 0,
        _ => x.wrapping_neg(),
    });
    shl_all = |l, _, a, b, _, _| l.map(a, |x| shl(l, x, b as u64));
    shr_all_u = |l, _, a, b, _, _| l.map(a, |x| shr(l, x, b as u64));
    shr_all_s = |l, _, a, b, _, _| l.map(a, |x| sar(l, x, b as u64));
    shl_by = |l, _, a, b, _, _| l.map2(a, b, |x, n| shl(l, x, n));
    shr_by_u = |l, _, a, b, _, _| l.map2(a, b, |x, n| shr(l, x, n));
    shr_by_s = |l, _, a, b, _, _| l.map2(a, b, |x, n| sar(l, x, n));
}
