//! QARMA-64 with five rounds, the algorithm of FEAT_PACQARMA5 (DDI 0487 `ComputePACQARMA5`; R. Avanzi, "The QARMA Block
//! Cipher Family", IACR ToSC 2017(1)), with S-box σ2.
//!
//! The state is sixteen cells of four bits in a 4 by 4 square, row by row, the first in the top bits.

/// Forward rounds before the reflector.
const ROUNDS: usize = 5;
/// Round constants: digits of pi.
const CONSTANTS: [u64; ROUNDS] =
    [0, 0x1319_8A2E_0370_7344, 0xA409_3822_299F_31D0, 0x082E_FA98_EC4E_6C89, 0x4528_21E6_38D0_1377];
const ALPHA: u64 = 0xC0AC_29B7_C97C_50DD;
/// The cell shuffle τ: which cell comes to each place.
const SHUFFLE: [usize; 16] = [0, 11, 6, 13, 10, 1, 12, 7, 5, 14, 3, 8, 15, 4, 9, 2];
/// The tweak's permutation h.
const TWEAK: [usize; 16] = [6, 5, 14, 15, 0, 1, 2, 3, 7, 12, 13, 4, 8, 9, 10, 11];
/// The tweak's cells that its shift register ω advances.
const SHIFTED: [usize; 7] = [0, 1, 3, 4, 8, 11, 13];
const SUBSTITUTE: [u8; 16] = [0xB, 6, 8, 0xF, 0xC, 0, 9, 0xE, 3, 7, 4, 5, 0xD, 2, 1, 0xA];

type Cells = [u8; 16];

fn cells(x: u64) -> Cells {
    std::array::from_fn(|i| (x >> (60 - 4 * i)) as u8 & 15)
}

fn word(c: Cells) -> u64 {
    c.into_iter().fold(0, |x, cell| x << 4 | cell as u64)
}

fn permuted(x: u64, from: &[usize; 16]) -> u64 {
    let c = cells(x);
    word(from.map(|i| c[i]))
}

fn unpermuted(x: u64, from: &[usize; 16]) -> u64 {
    let (c, mut out) = (cells(x), [0; 16]);
    for (cell, &to) in c.into_iter().zip(from) {
        out[to] = cell;
    }
    word(out)
}

fn substituted(x: u64) -> u64 {
    word(cells(x).map(|c| SUBSTITUTE[c as usize & 15]))
}

fn unsubstituted(x: u64) -> u64 {
    let inverse = |c| SUBSTITUTE.iter().position(|&s| s == c).unwrap_or(0) as u8;
    word(cells(x).map(inverse))
}

/// Each column times the circulant matrix of rotations (none, 1, 2, 1), which is its own inverse.
fn mixed(x: u64) -> u64 {
    let c = cells(x);
    let turned = |cell: u8, by: u32| (cell << by | cell >> (4 - by)) & 15;
    word(std::array::from_fn(|i| {
        let (row, column) = (i / 4, i % 4);
        let at = |down: usize| c[(row + down) % 4 * 4 + column];
        turned(at(1), 1) ^ turned(at(2), 2) ^ turned(at(3), 1)
    }))
}

fn tweaked(x: u64) -> u64 {
    let mut c = cells(permuted(x, &TWEAK));
    for i in SHIFTED {
        c[i] = (c[i] ^ c[i] >> 1) << 3 & 8 | c[i] >> 1;
    }
    word(c)
}

fn untweaked(x: u64) -> u64 {
    let mut c = cells(x);
    for i in SHIFTED {
        c[i] = c[i] << 1 & 15 | (c[i] >> 3 ^ c[i]) & 1;
    }
    unpermuted(word(c), &TWEAK)
}

/// The code of a value under a modifier and a key of two halves.
pub fn qarma5(value: u64, modifier: u64, key_high: u64, key_low: u64) -> u64 {
    let reflected = key_high.rotate_right(1) ^ key_high >> 63;
    let (mut tweak, mut x) = (modifier, value ^ key_high);
    for (round, constant) in CONSTANTS.into_iter().enumerate() {
        x ^= key_low ^ tweak ^ constant;
        if round > 0 {
            x = mixed(permuted(x, &SHUFFLE));
        }
        x = substituted(x);
        tweak = tweaked(tweak);
    }
    x ^= reflected ^ tweak;
    x = substituted(mixed(permuted(x, &SHUFFLE)));
    x = mixed(permuted(x, &SHUFFLE)) ^ key_low;
    x = unsubstituted(unpermuted(x, &SHUFFLE));
    x = unpermuted(mixed(x), &SHUFFLE) ^ key_high ^ tweak;
    for (round, constant) in CONSTANTS.into_iter().rev().enumerate() {
        x = unsubstituted(x);
        if round < ROUNDS - 1 {
            x = unpermuted(mixed(x), &SHUFFLE);
        }
        tweak = untweaked(tweak);
        x ^= key_low ^ tweak ^ constant ^ ALPHA;
    }
    x ^ reflected
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The paper's vector (appendix, QARMA-64 with σ2 and r = 5).
    #[test]
    fn the_published_vector() {
        let code = qarma5(
            0xFB62_3599_DA6E_8127,
            0x477D_469D_EC0B_8762,
            0x84BE_85CE_9804_E94B,
            0xEC28_02D4_E0A4_88E9,
        );
        assert_eq!(code, 0xC003_B939_99B3_3765);
    }

    #[test]
    fn steps_have_their_inverses() {
        let mut x = 0x0123_4567_89AB_CDEFu64;
        for _ in 0..1000 {
            x = x.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
            assert_eq!(unpermuted(permuted(x, &SHUFFLE), &SHUFFLE), x);
            assert_eq!(unsubstituted(substituted(x)), x);
            assert_eq!(mixed(mixed(x)), x);
            assert_eq!(untweaked(tweaked(x)), x);
        }
    }
}
