//! AES, its field, carry-less multiplication and SHA as x86 instructions divide them (SDM vol. 2; FIPS 197; FIPS 180-4).

use super::arith::polynomial;
use super::crypto_aes::{INVERSE, SBOX, mix, shift_and_substitute, unmix};
use super::crypto_sha::{choose, join, majority, parity, sigma256, w};

fn substitute(x: u32) -> u32 {
    u32::from_le_bytes(x.to_le_bytes().map(|b| SBOX[b as usize]))
}

/// Four rounds of SHA-1 with a function and a constant; E is already in the first word.
fn sha1(a: u128, words: u128, f: fn(u32, u32, u32) -> u32, k: u32) -> u128 {
    let [mut va, mut vb, mut vc, mut vd] = [w(a, 3), w(a, 2), w(a, 1), w(a, 0)];
    let mut e = 0;
    for i in 0..4 {
        let t = f(vb, vc, vd)
            .wrapping_add(va.rotate_left(5))
            .wrapping_add(w(words, 3 - i))
            .wrapping_add(e)
            .wrapping_add(k);
        (e, vd, vc, vb, va) = (vd, vc, vb.rotate_left(30), va, t);
    }
    join([vd, vc, vb, va])
}

/// Two rounds of SHA-256; `x` holds H, G, D, C and `y` F, E, B, A from the low end.
fn sha256(x: u128, y: u128, words: u128) -> u128 {
    let [mut h, mut g, mut d, mut c] = [w(x, 0), w(x, 1), w(x, 2), w(x, 3)];
    let [mut f, mut e, mut b, mut a] = [w(y, 0), w(y, 1), w(y, 2), w(y, 3)];
    for i in 0..2 {
        let sum1 = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
        let sum0 = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
        let t = h.wrapping_add(sum1).wrapping_add(choose(e, f, g)).wrapping_add(w(words, i));
        let top = t.wrapping_add(sum0).wrapping_add(majority(a, b, c));
        (h, g, f, e, d, c, b, a) = (g, f, e, d.wrapping_add(t), c, b, a, top);
    }
    let _ = (h, g, d, c);
    join([f, e, b, a])
}

/// The product of two bytes modulo x^8 + x^4 + x^3 + x + 1.
fn field_product(a: u8, b: u8) -> u8 {
    let double = |x: u8| x << 1 ^ if x & 0x80 != 0 { 0x1B } else { 0 };
    let (mut sum, mut power) = (0, a);
    for bit in 0..8 {
        if b >> bit & 1 != 0 {
            sum ^= power;
        }
        power = double(power);
    }
    sum
}

/// The inverse of a byte in that field: its power 254. Zero is its own.
fn field_inverse(x: u8) -> u8 {
    let (mut power, mut square) = (1, x);
    for _ in 0..7 {
        square = field_product(square, square);
        power = field_product(power, square);
    }
    power
}

/// Bytes of a, through `f`, times the matrices in b, plus a constant.
fn affine(a: u128, b: u128, constant: u32, f: fn(u8) -> u8) -> u128 {
    let (a, b) = (a.to_le_bytes(), b.to_le_bytes());
    u128::from_le_bytes(std::array::from_fn(|n| {
        let (x, matrix) = (f(a[n]), &b[n & 8..][..8]);
        // The matrix's first row is its highest byte.
        let bit = |i: usize| (((matrix[7 - i] & x).count_ones() & 1) as u8) << i;
        (0..8).fold(constant as u8, |sum, i| sum ^ bit(i))
    }))
}

super::functions! {
    gf_mul = |_, _, a, b, _, _| {
        let (a, b) = (a.to_le_bytes(), b.to_le_bytes());
        u128::from_le_bytes(std::array::from_fn(|n| field_product(a[n], b[n])))
    };
    gf_affine = |_, imm, a, b, _, _| affine(a, b, imm, |x| x);
    gf_affine_inverse = |_, imm, a, b, _, _| affine(a, b, imm, field_inverse);
    aes_round = |_, last, a, b, _, _| {
        let v = shift_and_substitute(a, 1, &SBOX);
        (if last & 1 != 0 { v } else { mix(v) }) ^ b
    };
    aes_unround = |_, last, a, b, _, _| {
        let v = shift_and_substitute(a, 3, &INVERSE);
        (if last & 1 != 0 { v } else { unmix(v) }) ^ b
    };
    aes_key_assist = |_, rcon, a, _, _, _| {
        let (x1, x3) = (substitute(w(a, 1)), substitute(w(a, 3)));
        join([x1, x1.rotate_right(8) ^ (rcon & 0xFF), x3, x3.rotate_right(8) ^ (rcon & 0xFF)])
    };
    mul_poly_halves = |_, imm, a, b, _, _| {
        let half = |v: u128, bit: u32| (v >> (64 * (imm >> bit & 1))) as u64;
        polynomial(half(a, 0) as u128, half(b, 4), 64)
    };
    sha1_rounds = |_, imm, a, b, _, _| match imm & 3 {
        0 => sha1(a, b, choose, 0x5A82_7999),
        1 => sha1(a, b, parity, 0x6ED9_EBA1),
        2 => sha1(a, b, majority, 0x8F1B_BCDC),
        _ => sha1(a, b, parity, 0xCA62_C1D6),
    };
    sha1_next = |_, _, a, b, _, _| {
        let e = w(a, 3).rotate_left(30);
        join([w(b, 0), w(b, 1), w(b, 2), w(b, 3).wrapping_add(e)])
    };
    sha1_message1 = |_, _, a, b, _, _| {
        join([w(a, 0) ^ w(b, 2), w(a, 1) ^ w(b, 3), w(a, 2) ^ w(a, 0), w(a, 3) ^ w(a, 1)])
    };
    sha1_message2 = |_, _, a, b, _, _| {
        let w16 = (w(a, 3) ^ w(b, 2)).rotate_left(1);
        let w17 = (w(a, 2) ^ w(b, 1)).rotate_left(1);
        let w18 = (w(a, 1) ^ w(b, 0)).rotate_left(1);
        join([(w(a, 0) ^ w16).rotate_left(1), w18, w17, w16])
    };
    sha256_rounds = |_, _, a, b, c, _| sha256(a, b, c);
    sha256_message1 = |_, _, a, b, _, _| {
        let next = |i| if i < 3 { w(a, i + 1) } else { w(b, 0) };
        join([0, 1, 2, 3].map(|i| w(a, i).wrapping_add(sigma256(next(i), 7, 18, 3))))
    };
    sha256_message2 = |_, _, a, b, _, _| {
        let sigma1 = |x| sigma256(x, 17, 19, 10);
        let w16 = w(a, 0).wrapping_add(sigma1(w(b, 2)));
        let w17 = w(a, 1).wrapping_add(sigma1(w(b, 3)));
        let w18 = w(a, 2).wrapping_add(sigma1(w16));
        join([w16, w17, w18, w(a, 3).wrapping_add(sigma1(w17))])
    };
}
