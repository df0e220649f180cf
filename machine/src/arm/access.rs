//! Which memory an A64 instruction touches, told before it runs: for watchpoints of debuggers.
//!
//! Arm DDI 0487, C4.1 "Loads and Stores". Prefetches touch nothing; tag instructions are left out, since there are no
//! tags.

use crate::target::Access;

fn bits(word: u32, high: u32, low: u32) -> u32 {
    word >> low & ((1 << (high - low + 1)) - 1)
}

/// A signed field times `1 << scale`.
fn signed(word: u32, high: u32, low: u32, scale: u32) -> u64 {
    let width = high - low + 1;
    let value = i64::from(bits(word, high, low)) << (64 - width) >> (64 - width);
    (value << scale) as u64
}

/// What the instruction `word` at `pc` would touch; `register` answers for X0 to X30, and for SP as number 31.
pub fn of(word: u32, pc: u64, register: impl Fn(u32) -> u64) -> Option<Access> {
    let x = |n: u32| if n == 31 { 0 } else { register(n) };
    let base = register(bits(word, 9, 5));
    let some = |address, len, read, write| Some(Access { address, len, read, write });
    // DC ZVA: a block of 64 bytes.
    if word & 0xffff_ffe0 == 0xd50b_7420 {
        return some(x(bits(word, 4, 0)) & !63, 64, false, true);
    }
    if word >> 25 & 0b0101 != 0b0100 {
        return None;
    }
    let vector = bits(word, 26, 26) == 1;
    let load = bits(word, 22, 22) == 1;
    let size = bits(word, 31, 30);
    match (bits(word, 29, 27), bits(word, 25, 24)) {
        // Exclusive, ordered, compare and swap.
        (0b001, 0b00) if !vector => match (bits(word, 23, 23), bits(word, 21, 21), bits(word, 31, 31)) {
            (0, 1, 0) => some(base, 8 << bits(word, 30, 30), true, true),
            (0, 1, _) => some(base, 2 << size, load, !load),
            (1, 1, _) => some(base, 1 << size, true, true),
            _ => some(base, 1 << size, load, !load),
        },
        // Structures of vector registers.
        (0b001, single @ 0b00..=0b01) if vector => {
            let len = if single == 0 {
                let registers = match bits(word, 15, 12) {
                    0b0000 | 0b0010 => 4,
                    0b0100 | 0b0110 => 3,
                    0b0111 => 1,
                    0b1000 | 0b1010 => 2,
                    _ => return None,
                };
                registers * (8 << bits(word, 30, 30))
            } else {
                let elements = u64::from(bits(word, 13, 13) << 1 | bits(word, 21, 21)) + 1;
                let scale = match bits(word, 15, 14) {
                    2 if bits(word, 10, 10) == 1 => 3,
                    3 => bits(word, 11, 10),
                    scale => scale,
                };
                elements << scale
            };
            some(base, len, load, !load)
        }
        // Load-acquire RCpc and store-release, unscaled.
        (0b011, 0b01) if !vector => {
            let store = bits(word, 23, 22) == 0;
            some(base.wrapping_add(signed(word, 20, 12, 0)), 1 << size, !store, store)
        }
        // Literal.
        (0b011, 0b00) => {
            let len = match (vector, size) {
                (false, 3) => return None,
                (false, 1) => 8,
                (false, _) => 4,
                (true, _) => 4 << size,
            };
            some(pc.wrapping_add(signed(word, 23, 5, 2)), len, true, false)
        }
        // Pairs: post-indexed ones use the base as it is.
        (0b101, _) => {
            let scale = if vector { 2 + size } else { 2 + bits(word, 31, 31) };
            let offset = if bits(word, 24, 23) == 1 { 0 } else { signed(word, 21, 15, scale) };
            some(base.wrapping_add(offset), 2 << scale, load, !load)
        }
        (0b111, form @ 0b00..=0b01) => {
            let opc = bits(word, 23, 22);
            let (scale, store, touches) = if vector {
                let scale = (opc & 2) << 1 | size;
                (scale, opc & 1 == 0, scale <= 4)
            } else {
                (size, opc == 0, !(size == 3 && opc == 2))
            };
            let (offset, len) = match (form, bits(word, 21, 21), bits(word, 11, 10)) {
                (1, _, _) => (u64::from(bits(word, 21, 10)) << scale, 1 << scale),
                (_, 0, 0b01) => (0, 1 << scale),
                (_, 0, _) => (signed(word, 20, 12, 0), 1 << scale),
                (_, _, 0b10) => {
                    let shift = if bits(word, 12, 12) == 1 { scale } else { 0 };
                    let index = x(bits(word, 20, 16));
                    let index = match bits(word, 15, 13) {
                        0b010 => u64::from(index as u32),
                        0b110 => index as i32 as u64,
                        _ => index,
                    };
                    (index << shift, 1 << scale)
                }
                (_, _, 0b00) if !vector => {
                    // Atomics; LDAPR, which shares their space, reads only.
                    let ldapr = bits(word, 15, 12) == 0b1100;
                    return some(base, 1 << size, true, !ldapr);
                }
                (_, _, _) if !vector => {
                    // LDRAA and LDRAB: the pointer without its authentication code.
                    let pointer = (base << 16) as i64 >> 16;
                    let field = bits(word, 22, 22) << 9 | bits(word, 20, 12);
                    let offset = (i64::from(field) << 54 >> 54 << 3) as u64;
                    return some((pointer as u64).wrapping_add(offset), 8, true, false);
                }
                _ => return None,
            };
            if touches { some(base.wrapping_add(offset), len, !store, store) } else { None }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn register(n: u32) -> u64 {
        match n {
            1 => 0x1000,
            2 => 0xffff_ffff,
            31 => 0x8000,
            _ => 0,
        }
    }

    #[test]
    fn addresses_lengths_and_directions() {
        let read = |address, len| Some(Access { address, len, read: true, write: false });
        let write = |address, len| Some(Access { address, len, read: false, write: true });
        let both = |address, len| Some(Access { address, len, read: true, write: true });
        for (word, text, want) in [
            (0xf900_0020, "str x0, [x1]", write(0x1000, 8)),
            (0xf81f_8c20, "str x0, [x1, #-8]!", write(0xff8, 8)),
            (0xf840_8420, "ldr x0, [x1], #8", read(0x1000, 8)),
            (0xa8c1_7bfd, "ldp x29, x30, [sp], #16", read(0x8000, 16)),
            (0xa9bf_7bfd, "stp x29, x30, [sp, #-16]!", write(0x7ff0, 16)),
            (0x3940_0420, "ldrb w0, [x1, #1]", read(0x1001, 1)),
            (0x3dc0_0420, "ldr q0, [x1, #16]", read(0x1010, 16)),
            (0xf862_d820, "ldr x0, [x1, w2, sxtw #3]", read(0xff8, 8)),
            (0xc8a1_7c20, "cas x1, x0, [x1]", both(0x1000, 8)),
            (0xb820_0021, "ldadd w0, w1, [x1]", both(0x1000, 4)),
            (0x38bf_c020, "ldaprb w0, [x1]", read(0x1000, 1)),
            (0xc85f_7c20, "ldxr x0, [x1]", read(0x1000, 8)),
            (0xc822_0c20, "stxp w2, x0, x3, [x1]", write(0x1000, 16)),
            (0x4c40_a020, "ld1 {v0.16b, v1.16b}, [x1]", read(0x1000, 32)),
            (0x0d00_8420, "st1 {v0.d}[0], [x1]", write(0x1000, 8)),
            (0x5800_0080, "ldr x0, 16 bytes on", read(0x4010, 8)),
            (0xf980_0020, "prfm pldl1keep, [x1]", None),
            (0x9100_0400, "add x0, x0, #1", None),
            (0xd50b_7421, "dc zva, x1", write(0x1000, 64)),
        ] {
            assert_eq!(of(word, 0x4000, register), want, "{text}");
        }
    }

    #[test]
    fn any_word_is_survived() {
        let mut word = 1u32;
        for _ in 0..200_000 {
            word = word.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            if let Some(access) = of(word, 0x4000, register) {
                assert!(access.len <= 64 && access.read | access.write, "{word:08x}");
            }
        }
    }
}
