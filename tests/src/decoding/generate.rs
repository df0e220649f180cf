//! Byte strings that look like instructions.

use crate::vectors::Rng;

/// The prefixes that strings are made with.
const PREFIXES: [u8; 12] = [0x66, 0x67, 0xF0, 0xF2, 0xF3, 0x2E, 0x36, 0x3E, 0x26, 0x64, 0x65, 0x48];

/// Every one- and two-byte opcode with every ModRM byte, and random bytes behind.
pub fn opcodes(rng: &mut Rng) -> impl Iterator<Item = [u8; 15]> {
    (0..2 << 16).map(move |n: u32| {
        let mut bytes = tail(rng);
        let (opcode, modrm) = ((n >> 8) as u8, n as u8);
        if n >> 16 == 0 {
            (bytes[0], bytes[1]) = (opcode, modrm);
        } else {
            (bytes[0], bytes[1], bytes[2]) = (0x0F, opcode, modrm);
        }
        bytes
    })
}

/// Random bytes.
fn tail(rng: &mut Rng) -> [u8; 15] {
    let (a, b) = (rng.next_u64().to_le_bytes(), rng.next_u64().to_le_bytes());
    std::array::from_fn(|i| if i < 8 { a[i] } else { b[i - 8] })
}

/// Up to three prefixes, an opcode map, and random bytes.
pub fn random(rng: &mut Rng) -> [u8; 15] {
    let mut bytes = tail(rng);
    let choice = rng.next_u64();
    let mut at = 0;
    let mut put = |byte: u8| {
        bytes[at] = byte;
        at += 1;
    };
    let prefixes = match choice & 7 {
        0..4 => 0,
        4 | 5 => 1,
        6 => 2,
        _ => 3,
    };
    for n in 0..prefixes {
        put(PREFIXES[(choice >> (8 + 8 * n) & 0xFF) as usize % PREFIXES.len()]);
    }
    if choice >> 32 & 3 == 0 {
        put(0x40 | (choice >> 40 & 15) as u8);
    }
    match choice >> 44 & 15 {
        0..5 => {}
        5..10 => put(0x0F),
        10 => [0x0F, 0x38].into_iter().for_each(&mut put),
        11 => [0x0F, 0x3A].into_iter().for_each(&mut put),
        12 => put(0xC5),
        13 | 14 => {
            [0xC4, 0xE0 & (choice >> 48) as u8 | (choice >> 56 & 3) as u8].into_iter().for_each(&mut put)
        }
        _ => [0x90, 0xF3, 0x0F].into_iter().skip(1).for_each(&mut put),
    }
    bytes
}
