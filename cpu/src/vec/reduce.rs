//! Operations across the elements of one vector, with the result in lane 0, and sums of products.

use super::Lanes;

/// Bytes of a vector as numbers.
#[derive(Clone, Copy)]
enum Bytes {
    Signed,
    Unsigned,
}

fn byte(v: u128, i: u32, k: Bytes) -> i32 {
    let x = (v >> (8 * i)) as u8;
    match k {
        Bytes::Signed => x as i8 as i32,
        Bytes::Unsigned => x as i32,
    }
}

/// Each 32-bit element of `c` plus the sum of four products of bytes.
fn dot(l: Lanes, a: u128, b: u128, c: u128, ka: Bytes, kb: Bytes) -> u128 {
    l.build(|i| {
        let sum: i32 = (0..4).map(|k| byte(a, 4 * i + k, ka) * byte(b, 4 * i + k, kb)).sum();
        (l.get(c, i) as u32).wrapping_add(sum as u32) as u128
    })
}

/// The 2 by 2 matrix `c` of 32-bit elements plus the product of the 2 by 8 matrix `a` and the 8 by 2 matrix whose
/// columns are the halves of `b`.
fn matrix(l: Lanes, a: u128, b: u128, c: u128, ka: Bytes, kb: Bytes) -> u128 {
    l.build(|i| {
        let (row, column) = (8 * (i / 2), 8 * (i % 2));
        let sum: i32 = (0..8).map(|k| byte(a, row + k, ka) * byte(b, column + k, kb)).sum();
        (l.get(c, i) as u32).wrapping_add(sum as u32) as u128
    })
}

/// Folds with signed comparison.
fn fold_s(l: Lanes, a: u128, f: impl Fn(i64, i64) -> i64) -> u128 {
    l.fold(a, |x, y| f(l.signed(x), l.signed(y)) as u64) as u128 & l.mask()
}

super::functions! {
    add = |l, _, a, _, _, _| l.fold(a, u64::wrapping_add) as u128 & l.mask();
    min_s = |l, _, a, _, _, _| fold_s(l, a, i64::min);
    max_s = |l, _, a, _, _, _| fold_s(l, a, i64::max);
    min_u = |l, _, a, _, _, _| l.fold(a, u64::min) as u128;
    max_u = |l, _, a, _, _, _| l.fold(a, u64::max) as u128;
    dot_s = |l, _, a, b, c, _| dot(l, a, b, c, Bytes::Signed, Bytes::Signed);
    dot_u = |l, _, a, b, c, _| dot(l, a, b, c, Bytes::Unsigned, Bytes::Unsigned);
    dot_us = |l, _, a, b, c, _| dot(l, a, b, c, Bytes::Unsigned, Bytes::Signed);
    matrix_s = |l, _, a, b, c, _| matrix(l, a, b, c, Bytes::Signed, Bytes::Signed);
    matrix_u = |l, _, a, b, c, _| matrix(l, a, b, c, Bytes::Unsigned, Bytes::Unsigned);
    matrix_us = |l, _, a, b, c, _| matrix(l, a, b, c, Bytes::Unsigned, Bytes::Signed);
}
