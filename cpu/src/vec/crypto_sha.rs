//! The steps of SHA-1, SHA-256, SHA-512 (FIPS 180-4) and SM3 (GB/T 32905-2016) as the Arm instructions divide them
//! (DDI 0487 C7, shared pseudocode `SHA*`).

pub(super) fn choose(x: u32, y: u32, z: u32) -> u32 {
    (y ^ z) & x ^ z
}
pub(super) fn majority(x: u32, y: u32, z: u32) -> u32 {
    x & y | (x | y) & z
}
pub(super) fn parity(x: u32, y: u32, z: u32) -> u32 {
    x ^ y ^ z
}

/// Element `i` of 32 bits.
pub(super) fn w(v: u128, i: u32) -> u32 {
    (v >> (32 * i)) as u32
}

/// A vector of 32-bit elements.
pub(super) fn join(words: [u32; 4]) -> u128 {
    words.iter().rev().fold(0, |r, &x| r << 32 | x as u128)
}

/// The high 64 bits.
fn hi(v: u128) -> u64 {
    (v >> 64) as u64
}

/// The low 64 bits.
fn lo(v: u128) -> u64 {
    v as u64
}

/// A vector of two 64-bit elements.
fn pair(high: u64, low: u64) -> u128 {
    (high as u128) << 64 | low as u128
}

/// Four rounds of SHA-1: state `x`, fifth word `y`, scheduled words `words`.
fn sha1_rounds(x: u128, y: u128, words: u128, f: fn(u32, u32, u32) -> u32) -> u128 {
    let (mut x, mut y) = (x, y as u32);
    for i in 0..4 {
        let t = f(w(x, 1), w(x, 2), w(x, 3));
        let new = y.wrapping_add(w(x, 0).rotate_left(5)).wrapping_add(t).wrapping_add(w(words, i));
        y = w(x, 3);
        x = join([new, w(x, 0), w(x, 1).rotate_left(30), w(x, 2)]);
    }
    x
}

/// Four rounds of SHA-256 on the halves `x` and `y` of the state.
fn sha256_rounds(mut x: u128, mut y: u128, words: u128) -> (u128, u128) {
    for i in 0..4 {
        let (e, a) = (w(y, 0), w(x, 0));
        let sigma1 = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
        let sigma0 = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
        let t =
            w(y, 3).wrapping_add(sigma1).wrapping_add(choose(e, w(y, 1), w(y, 2))).wrapping_add(w(words, i));
        let new_e = t.wrapping_add(w(x, 3));
        let new_a = t.wrapping_add(sigma0).wrapping_add(majority(a, w(x, 1), w(x, 2)));
        x = x << 32 | new_a as u128;
        y = y << 32 | new_e as u128;
    }
    (x, y)
}

pub(super) fn sigma256(x: u32, r1: u32, r2: u32, s: u32) -> u32 {
    x.rotate_right(r1) ^ x.rotate_right(r2) ^ x >> s
}

fn sigma512(x: u64, r1: u32, r2: u32, s: u32) -> u64 {
    x.rotate_right(r1) ^ x.rotate_right(r2) ^ x >> s
}

/// The sum of three rotations.
fn rotations(x: u64, r: [u32; 3]) -> u64 {
    x.rotate_right(r[0]) ^ x.rotate_right(r[1]) ^ x.rotate_right(r[2])
}

/// The permutation P0 or P1 of SM3.
fn sm3_p(x: u32, r1: u32, r2: u32) -> u32 {
    x ^ x.rotate_left(r1) ^ x.rotate_left(r2)
}

/// The first half of an SM3 round: state `d`, the sum SS1 in the top of `n`, the word W'.
fn sm3_tt1(d: u128, n: u128, word: u32, f: fn(u32, u32, u32) -> u32) -> u128 {
    let ss2 = w(n, 3) ^ w(d, 3).rotate_left(12);
    let t = f(w(d, 3), w(d, 2), w(d, 1)).wrapping_add(w(d, 0)).wrapping_add(ss2).wrapping_add(word);
    join([w(d, 1), w(d, 2).rotate_left(9), w(d, 3), t])
}

/// The second half of an SM3 round.
fn sm3_tt2(d: u128, n: u128, word: u32, f: fn(u32, u32, u32) -> u32) -> u128 {
    let t = f(w(d, 3), w(d, 2), w(d, 1)).wrapping_add(w(d, 0)).wrapping_add(w(n, 3)).wrapping_add(word);
    join([w(d, 1), w(d, 2).rotate_left(19), w(d, 3), sm3_p(t, 9, 17)])
}

super::functions! {
    sha1_choose = |_, _, a, b, c, _| sha1_rounds(a, b, c, choose);
    sha1_parity = |_, _, a, b, c, _| sha1_rounds(a, b, c, parity);
    sha1_majority = |_, _, a, b, c, _| sha1_rounds(a, b, c, majority);
    sha1_update1 = |_, _, a, b, _, _| {
        let t = a ^ b >> 32;
        let last = w(t, 3).rotate_left(1) ^ w(t, 0).rotate_left(2);
        join([w(t, 0).rotate_left(1), w(t, 1).rotate_left(1), w(t, 2).rotate_left(1), last])
    };
    sha256_hash = |_, _, a, b, c, _| sha256_rounds(a, b, c).0;
    sha256_hash2 = |_, _, a, b, c, _| sha256_rounds(b, a, c).1;
    sha256_update0 = |_, _, a, b, _, _| {
        let next = b << 96 | a >> 32;
        join([0, 1, 2, 3].map(|i| w(a, i).wrapping_add(sigma256(w(next, i), 7, 18, 3))))
    };
    sha256_update1 = |_, _, a, b, c, _| {
        let t0 = c << 96 | b >> 32;
        let sum = |i, x| sigma256(x, 17, 19, 10).wrapping_add(w(a, i)).wrapping_add(w(t0, i));
        let (r0, r1) = (sum(0, w(c, 2)), sum(1, w(c, 3)));
        join([r0, r1, sum(2, r0), sum(3, r1)])
    };
    sha512_hash = |_, _, a, b, c, _| {
        let s1 = |x| rotations(x, [14, 18, 41]);
        let high = (hi(c) & lo(b) ^ !hi(c) & hi(b)).wrapping_add(s1(hi(c))).wrapping_add(hi(a));
        let t = high.wrapping_add(lo(c));
        let low = (t & hi(c) ^ !t & lo(b)).wrapping_add(s1(t)).wrapping_add(lo(a));
        pair(high, low)
    };
    sha512_hash2 = |_, _, a, b, c, _| {
        let s0 = |x| rotations(x, [28, 34, 39]);
        let high = (lo(b) & hi(c) ^ lo(b) & lo(c) ^ hi(c) & lo(c)).wrapping_add(s0(lo(c))).wrapping_add(hi(a));
        let low = (high & lo(c) ^ high & hi(c) ^ hi(c) & lo(c)).wrapping_add(s0(high)).wrapping_add(lo(a));
        pair(high, low)
    };
    sha512_update0 = |_, _, a, b, _, _| {
        let s = |x| sigma512(x, 1, 8, 7);
        pair(hi(a).wrapping_add(s(lo(b))), lo(a).wrapping_add(s(hi(a))))
    };
    sha512_update1 = |_, _, a, b, c, _| {
        let s = |x| sigma512(x, 19, 61, 6);
        pair(hi(a).wrapping_add(s(hi(b))).wrapping_add(hi(c)), lo(a).wrapping_add(s(lo(b))).wrapping_add(lo(c)))
    };
    sm3_part1 = |_, _, a, b, c, _| {
        let x = a ^ b;
        let r = [0, 1, 2].map(|i| sm3_p(w(x, i) ^ w(c, i + 1).rotate_left(15), 15, 23));
        join([r[0], r[1], r[2], sm3_p(w(x, 3) ^ r[0].rotate_left(15), 15, 23)])
    };
    sm3_part2 = |_, _, a, b, c, _| {
        let t = b ^ join([0, 1, 2, 3].map(|i| w(c, i).rotate_left(7)));
        a ^ t ^ (sm3_p(w(t, 0).rotate_left(15), 15, 23) as u128) << 96
    };
    sm3_ss1 = |_, _, a, b, c, _| {
        let sum = w(a, 3).rotate_left(12).wrapping_add(w(b, 3)).wrapping_add(w(c, 3));
        (sum.rotate_left(7) as u128) << 96
    };
    sm3_tt1a = |_, i, a, b, c, _| sm3_tt1(a, b, w(c, i & 3), parity);
    sm3_tt1b = |_, i, a, b, c, _| sm3_tt1(a, b, w(c, i & 3), majority);
    sm3_tt2a = |_, i, a, b, c, _| sm3_tt2(a, b, w(c, i & 3), parity);
    sm3_tt2b = |_, i, a, b, c, _| sm3_tt2(a, b, w(c, i & 3), choose);
}
