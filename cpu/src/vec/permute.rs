//! Operations that move elements.

use super::{Lanes, Part};

/// Elements alternately from `a` and `b`, starting in the given half of both.
fn zip(l: Lanes, a: u128, b: u128, high: u32) -> u128 {
    let at = high * l.count() / 2;
    l.build(|i| l.get(if i & 1 == 0 { a } else { b }, at + i / 2))
}

/// The even (or odd) elements of `a`, then those of `b`.
fn unzip(l: Lanes, a: u128, b: u128, odd: u32) -> u128 {
    let half = l.count() / 2;
    l.build(|i| if i < half { l.get(a, 2 * i + odd) } else { l.get(b, 2 * (i - half) + odd) })
}

/// The even (or odd) elements of `a`, each followed by its neighbour's place in `b`.
fn transpose(l: Lanes, a: u128, b: u128, odd: u32) -> u128 {
    l.build(|i| l.get(if i & 1 == 0 { a } else { b }, (i & !1) + odd))
}

/// Bytes of `table` by the indices in `index`, or of `other` where an index is 16 or more.
fn look_up(l: Lanes, table: u128, index: u128, other: u128) -> u128 {
    let (table, index, mut r) = (table.to_le_bytes(), index.to_le_bytes(), other.to_le_bytes());
    for (r, &i) in r.iter_mut().zip(&index) {
        if let Some(&byte) = table.get(i as usize) {
            *r = byte;
        }
    }
    u128::from_le_bytes(r) & l.used()
}

super::functions! {
    zip1 = |l, _, a, b, _, _| zip(l, a, b, 0);
    zip2 = |l, _, a, b, _, _| zip(l, a, b, 1);
    unzip1 = |l, _, a, b, _, _| unzip(l, a, b, 0);
    unzip2 = |l, _, a, b, _, _| unzip(l, a, b, 1);
    transpose1 = |l, _, a, b, _, _| transpose(l, a, b, 0);
    transpose2 = |l, _, a, b, _, _| transpose(l, a, b, 1);
    extract = |l, n, a, b, _, _| match (l.part, 8 * n) {
        (_, 0) => a & l.used(),
        (Part::Full, n) => a >> n.min(127) | b << (128 - n.min(127)),
        (_, n) => (a as u64 >> n.min(63) | (b as u64) << (64 - n.min(63))) as u128,
    };
    table = |l, _, a, b, _, _| look_up(l, a, b, 0);
    table_or = |l, _, a, b, c, _| look_up(l, a, b, c);
    dup_lane = |l, i, a, _, _, _| { let x = l.get(a, i & (15 >> l.log2)); l.build(|_| x) };
    reverse = |l, log2, a, _, _, _| { let last = (1 << (log2 - l.log2 as u32)) - 1; l.build(|i| l.get(a, i ^ last)) };
}
