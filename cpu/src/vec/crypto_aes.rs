//! The steps of AES (FIPS 197) and SM4 (GB/T 32907-2016) as the Arm instructions divide them.

/// Product of two elements of GF(2^8) modulo x^8 + x^4 + x^3 + x + 1.
const fn times(mut a: u8, mut b: u8) -> u8 {
    let mut r = 0;
    while b != 0 {
        if b & 1 != 0 {
            r ^= a;
        }
        a = a << 1 ^ if a & 0x80 != 0 { 0x1B } else { 0 };
        b >>= 1;
    }
    r
}

/// The S-box: the inverse in GF(2^8), then an affine map (FIPS 197 5.1.1).
pub(super) const SBOX: [u8; 256] = {
    let mut table = [0; 256];
    let mut x = 0;
    while x < 256 {
        // The inverse is the 254th power.
        let (mut inverse, mut i) = (1, 0);
        while i < 254 {
            inverse = times(inverse, x as u8);
            i += 1;
        }
        table[x] = inverse
            ^ inverse.rotate_left(1)
            ^ inverse.rotate_left(2)
            ^ inverse.rotate_left(3)
            ^ inverse.rotate_left(4)
            ^ 0x63;
        x += 1;
    }
    table
};

/// The inverse S-box.
pub(super) const INVERSE: [u8; 256] = {
    let mut table = [0; 256];
    let mut x = 0;
    while x < 256 {
        table[SBOX[x] as usize] = x as u8;
        x += 1;
    }
    table
};

/// Row `r` of the state moves left by `r * step` columns (1 for ShiftRows, 3 for its inverse), then each byte is looked
/// up.
pub(super) fn shift_and_substitute(v: u128, step: usize, table: &[u8; 256]) -> u128 {
    let v = v.to_le_bytes();
    u128::from_le_bytes(std::array::from_fn(|i| {
        let (row, column) = (i % 4, i / 4);
        table[v[(column + step * row) % 4 * 4 + row] as usize]
    }))
}

/// Doubles every byte as an element of GF(2^8).
fn double(v: u128) -> u128 {
    const LOW7: u128 = u128::MAX / 0xFF * 0x7F;
    const ONES: u128 = u128::MAX / 0xFF;
    ((v & LOW7) << 1) ^ ((v >> 7 & ONES) * 0x1B)
}

/// Rotates every column of four bytes by `n` rows: row `r` becomes what row `r + n` was.
fn rotate(v: u128, n: u32) -> u128 {
    let mask = u128::MAX / u32::MAX as u128 * (u32::MAX >> (8 * n)) as u128;
    v >> (8 * n) & mask | v << (32 - 8 * n) & !mask
}

/// MixColumns (FIPS 197 5.1.3): `2a + 3b + c + d` for every byte `a` and those below it.
pub(super) fn mix(v: u128) -> u128 {
    let next = rotate(v, 1);
    double(v ^ next) ^ next ^ rotate(v, 2) ^ rotate(v, 3)
}

/// InvMixColumns (FIPS 197 5.3.3): its matrix is that of MixColumns times the one that adds `4 (a + c)`.
pub(super) fn unmix(v: u128) -> u128 {
    mix(v ^ double(double(v ^ rotate(v, 2))))
}

/// The SM4 S-box (GB/T 32907-2016 6.2.1).
#[rustfmt::skip]
const SM4: [u8; 256] = [
    0xD6, 0x90, 0xE9, 0xFE, 0xCC, 0xE1, 0x3D, 0xB7, 0x16, 0xB6, 0x14, 0xC2, 0x28, 0xFB, 0x2C, 0x05,
    0x2B, 0x67, 0x9A, 0x76, 0x2A, 0xBE, 0x04, 0xC3, 0xAA, 0x44, 0x13, 0x26, 0x49, 0x86, 0x06, 0x99,
    0x9C, 0x42, 0x50, 0xF4, 0x91, 0xEF, 0x98, 0x7A, 0x33, 0x54, 0x0B, 0x43, 0xED, 0xCF, 0xAC, 0x62,
    0xE4, 0xB3, 0x1C, 0xA9, 0xC9, 0x08, 0xE8, 0x95, 0x80, 0xDF, 0x94, 0xFA, 0x75, 0x8F, 0x3F, 0xA6,
    0x47, 0x07, 0xA7, 0xFC, 0xF3, 0x73, 0x17, 0xBA, 0x83, 0x59, 0x3C, 0x19, 0xE6, 0x85, 0x4F, 0xA8,
    0x68, 0x6B, 0x81, 0xB2, 0x71, 0x64, 0xDA, 0x8B, 0xF8, 0xEB, 0x0F, 0x4B, 0x70, 0x56, 0x9D, 0x35,
    0x1E, 0x24, 0x0E, 0x5E, 0x63, 0x58, 0xD1, 0xA2, 0x25, 0x22, 0x7C, 0x3B, 0x01, 0x21, 0x78, 0x87,
    0xD4, 0x00, 0x46, 0x57, 0x9F, 0xD3, 0x27, 0x52, 0x4C, 0x36, 0x02, 0xE7, 0xA0, 0xC4, 0xC8, 0x9E,
    0xEA, 0xBF, 0x8A, 0xD2, 0x40, 0xC7, 0x38, 0xB5, 0xA3, 0xF7, 0xF2, 0xCE, 0xF9, 0x61, 0x15, 0xA1,
    0xE0, 0xAE, 0x5D, 0xA4, 0x9B, 0x34, 0x1A, 0x55, 0xAD, 0x93, 0x32, 0x30, 0xF5, 0x8C, 0xB1, 0xE3,
    0x1D, 0xF6, 0xE2, 0x2E, 0x82, 0x66, 0xCA, 0x60, 0xC0, 0x29, 0x23, 0xAB, 0x0D, 0x53, 0x4E, 0x6F,
    0xD5, 0xDB, 0x37, 0x45, 0xDE, 0xFD, 0x8E, 0x2F, 0x03, 0xFF, 0x6A, 0x72, 0x6D, 0x6C, 0x5B, 0x51,
    0x8D, 0x1B, 0xAF, 0x92, 0xBB, 0xDD, 0xBC, 0x7F, 0x11, 0xD9, 0x5C, 0x41, 0x1F, 0x10, 0x5A, 0xD8,
    0x0A, 0xC1, 0x31, 0x88, 0xA5, 0xCD, 0x7B, 0xBD, 0x2D, 0x74, 0xD0, 0x12, 0xB8, 0xE5, 0xB4, 0xB0,
    0x89, 0x69, 0x97, 0x4A, 0x0C, 0x96, 0x77, 0x7E, 0x65, 0xB9, 0xF1, 0x09, 0xC5, 0x6E, 0xC6, 0x84,
    0x18, 0xF0, 0x7D, 0xEC, 0x3A, 0xDC, 0x4D, 0x20, 0x79, 0xEE, 0x5F, 0x3E, 0xD7, 0xCB, 0x39, 0x48,
];

/// Four rounds over the state `v`; `linear` mixes what the S-boxes give.
fn sm4_rounds(v: u128, keys: u128, linear: fn(u32) -> u32) -> u128 {
    (0..4).fold(v, |v, i| {
        let word = |k: u32| (v >> (32 * k)) as u32;
        let x = word(1) ^ word(2) ^ word(3) ^ (keys >> (32 * i)) as u32;
        let substituted = u32::from_le_bytes(x.to_le_bytes().map(|b| SM4[b as usize]));
        v >> 32 | ((linear(substituted) ^ word(0)) as u128) << 96
    })
}

super::functions! {
    encrypt = |_, _, a, b, _, _| shift_and_substitute(a ^ b, 1, &SBOX);
    decrypt = |_, _, a, b, _, _| shift_and_substitute(a ^ b, 3, &INVERSE);
    mix_columns = |_, _, a, _, _, _| mix(a);
    unmix_columns = |_, _, a, _, _, _| unmix(a);
    sm4_encrypt = |_, _, a, b, _, _| sm4_rounds(a, b, |x| {
        x ^ x.rotate_left(2) ^ x.rotate_left(10) ^ x.rotate_left(18) ^ x.rotate_left(24)
    });
    sm4_key = |_, _, a, b, _, _| sm4_rounds(a, b, |x| x ^ x.rotate_left(13) ^ x.rotate_left(23));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_s_boxes_are_those_of_the_standard() {
        assert_eq!((SBOX[0], SBOX[1], SBOX[0x53], SBOX[0xFF]), (0x63, 0x7C, 0xED, 0x16));
        assert_eq!(INVERSE[0x63], 0);
        let mut seen = SM4;
        seen.sort_unstable();
        assert!(seen.iter().enumerate().all(|(i, &x)| i == x as usize), "the SM4 box is a permutation");
    }

    #[test]
    fn mixing_is_undone() {
        let v = 0x0011_2233_4455_6677_8899_AABB_CCDD_EEFF;
        assert_eq!(unmix(mix(v)), v);
        // FIPS 197 appendix B, round 1: d4 bf 5d 30 becomes 04 66 81 e5.
        assert_eq!(mix(0x305D_BFD4) as u32, 0xE581_6604);
    }
}
