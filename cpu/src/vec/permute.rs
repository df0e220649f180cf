//! Operations that move elements.

use super::{Lanes, Part};

/// Result element `i` is element `from(i)` of `a` and `b` side by side, as 128-bit vectors.
#[inline(always)]
fn arrange(l: Lanes, a: u128, b: u128, from: impl Fn(usize) -> usize) -> u128 {
    let mut both = [0; 32];
    both[..16].copy_from_slice(&a.to_le_bytes());
    both[16..].copy_from_slice(&b.to_le_bytes());
    let r = std::array::from_fn(|i| {
        let low = i & ((1 << l.log2) - 1);
        both[(from(i >> l.log2) << l.log2 | low) & 31]
    });
    u128::from_le_bytes(r) & l.used()
}

/// Where the elements of the second of two vectors begin.
#[inline(always)]
fn second(l: Lanes) -> usize {
    16 >> l.log2
}

/// Elements alternately from `a` and `b`, starting in the given half of both.
#[inline(always)]
fn zip(l: Lanes, a: u128, b: u128, high: usize) -> u128 {
    // The half that counts, then its elements with a gap behind each.
    let half = (4 * l.count()) << l.log2;
    let half = |x: u128| spread((x >> (high as u32 * half)) as u64, l.log2 as u32);
    let (a, b) = (half(a), half(b));
    (a | b << (8 << l.log2)) & l.used()
}

/// The elements of a half vector, each in twice its room.
#[inline(always)]
fn spread(x: u64, log2: u32) -> u128 {
    let wide = |x: u32| {
        let x = x as u64;
        let words = (x | x << 16) & 0x0000_FFFF_0000_FFFF;
        match log2 {
            0 => (words | words << 8) & 0x00FF_00FF_00FF_00FF,
            1 => words,
            _ => x,
        }
    };
    if log2 == 3 { x as u128 } else { wide(x as u32) as u128 | (wide((x >> 32) as u32) as u128) << 64 }
}

/// The even (or odd) elements of `a`, then those of `b`.
fn unzip(l: Lanes, a: u128, b: u128, odd: usize) -> u128 {
    let half = l.count() as usize / 2;
    arrange(l, a, b, |i| if i < half { 2 * i + odd } else { second(l) + 2 * (i - half) + odd })
}

/// The even (or odd) elements of `a`, each followed by its neighbour's place in `b`.
fn transpose(l: Lanes, a: u128, b: u128, odd: usize) -> u128 {
    arrange(l, a, b, |i| (i & !1) + odd + (i & 1) * second(l))
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
    dup_lane = |l, n, a, _, _, _| l.splat(l.get(a, n & (15 >> l.log2))) & l.used();
    reverse = |l, log2, a, _, _, _| {
        // Neighbours change places, then pairs of them, and so on.
        let swapped = (l.log2 as u32..log2).fold(a, |x, log2| {
            let (n, low) = (8 << log2, Lanes::full(log2 + 1).splat((1 << (8 << log2)) - 1));
            (x & low) << n | x >> n & low
        });
        swapped & l.used()
    };
}
