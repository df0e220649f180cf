//! Makes words and states fit each other: accesses go to the window, jumps to addresses that exist, and what the
//! manual calls constrained unpredictable is left out, because implementations rightly differ there.

use super::{CODE, Rng, State, WINDOW};

/// Bits `high` to `low` of a word.
fn bits(word: u32, high: u32, low: u32) -> u32 {
    word >> low & (u32::MAX >> (31 - (high - low)))
}

/// The same, as a signed number.
fn signed(word: u32, high: u32, low: u32) -> i64 {
    ((bits(word, high, low) as i64) << (63 - (high - low))) >> (63 - (high - low))
}

/// How a load or store finds its address.
enum Address {
    /// Base register plus this; `true` if the result must be aligned.
    Base(i64, bool),
    /// Base register plus register, shifted left.
    Register(u32),
    /// The address of the instruction plus this.
    Literal,
}

/// log2 of the size of a single-register load or store.
fn scale(word: u32) -> u32 {
    if bits(word, 26, 26) == 1 && bits(word, 23, 23) == 1 { 4 } else { word >> 30 }
}

/// How the load or store `word` finds its address; `None` for other instructions (DDI 0487 C4.1.94).
fn address(word: u32) -> Option<Address> {
    if word >> 25 & 0b0101 != 0b0100 {
        return None;
    }
    let vector = bits(word, 26, 26) == 1;
    Some(match bits(word, 29, 27) {
        0b001 => Address::Base(0, !vector),
        0b011 if bits(word, 24, 24) == 1 => Address::Base(signed(word, 20, 12), true),
        0b011 => Address::Literal,
        0b101 => {
            let opc = word >> 30;
            let log2 = if vector { opc + 2 } else { 2 + (opc >> 1) };
            let post = bits(word, 24, 23) == 0b01;
            Address::Base(if post { 0 } else { signed(word, 21, 15) << log2 }, false)
        }
        0b111 if bits(word, 24, 24) == 1 => Address::Base((bits(word, 21, 10) as i64) << scale(word), false),
        0b111 if bits(word, 21, 21) == 0 => {
            let post = bits(word, 11, 10) == 0b01;
            Address::Base(if post { 0 } else { signed(word, 20, 12) }, false)
        }
        0b111 if bits(word, 11, 10) == 0b10 => {
            Address::Register(if bits(word, 12, 12) == 1 { scale(word) } else { 0 })
        }
        0b111 => Address::Base(0, true),
        _ => return None,
    })
}

/// Whether a word transfers control, and where to if that is known from the word.
fn jump(word: u32) -> Option<i64> {
    if bits(word, 30, 26) == 0b00101 {
        Some(signed(word, 25, 0) << 2)
    } else if bits(word, 31, 24) == 0x54 || bits(word, 30, 25) == 0b011010 {
        Some(signed(word, 23, 5) << 2)
    } else if bits(word, 30, 25) == 0b011011 {
        Some(signed(word, 18, 5) << 2)
    } else {
        None
    }
}

/// The random word made fit to be run, or `None` if another must be tried.
pub fn fitting(word: u32, rng: &mut Rng) -> Option<u32> {
    // SMULH, UMULH: Ra is no operand, and should be ones.
    if word & 0xFF60_8000 == 0x9B40_0000 {
        return Some(word | 31 << 10);
    }
    if let Some(offset) = jump(word) {
        // Not into the two pages where something is.
        return (!(-0x1000..0x3000).contains(&offset)).then_some(word);
    }
    let (n, t, s, t2) = (bits(word, 9, 5), bits(word, 4, 0), bits(word, 20, 16), bits(word, 14, 10));
    let Some(address) = address(word) else { return Some(word) };
    match address {
        Address::Literal => {
            let offset = (WINDOW + 64 - CODE) / 4 + rng.below(64);
            Some(word & !(0x7_FFFF << 5) | (offset as u32) << 5)
        }
        Address::Register(_) => (s != n).then_some(word),
        Address::Base(..) if bits(word, 26, 26) == 1 => {
            let pair = bits(word, 29, 27) == 0b101 && bits(word, 22, 22) == 1;
            (!pair || t != t2).then_some(word)
        }
        Address::Base(..) => {
            let load = bits(word, 22, 22) == 1;
            let fits = match bits(word, 29, 27) {
                // Exclusives: the status register differs from all; pairs differ.
                0b001 if bits(word, 23, 23) == 0 => {
                    let pair = bits(word, 21, 21) == 1;
                    let status = load || (s != t && (s != n || n == 31) && (!pair || s != t2));
                    status && !(load && pair && t == t2)
                }
                0b101 => {
                    let writes_back = bits(word, 23, 23) == 1;
                    !(load && t == t2) && (!writes_back || n == 31 || (t != n && t2 != n))
                }
                0b111 if bits(word, 24, 24) == 0 && bits(word, 21, 21) == 0 && bits(word, 10, 10) == 1 => {
                    t != n || n == 31
                }
                _ => true,
            };
            fits.then_some(word)
        }
    }
}

/// Makes the registers that `word` takes as addresses point to the window, or for jumps to where nothing is.
pub fn place(word: u32, state: &mut State, rng: &mut Rng) {
    let n = bits(word, 9, 5) as usize;
    // BR, BLR, RET.
    if word & 0xFF9F_FC1F == 0xD61F_0000 && n != 31 {
        state.x[n] &= 0x0000_7FFF_FFFF_FFFC;
        if state.x[n] >> 16 == CODE >> 16 {
            state.x[n] ^= 1 << 30;
        }
        return;
    }
    // MSR of FPCR and FPSR: the bits that every model has.
    let kept = match word & 0xFFFF_FFE0 {
        0xD51B_4400 => 0x07C8_0000,
        0xD51B_4420 => 0x0800_009F,
        _ => u64::MAX,
    };
    if let Some(x) = state.x.get_mut(word as usize & 31) {
        *x &= kept;
    }
    let Some(address) = address(word) else { return };
    let mut target = WINDOW + 64 + rng.below(256);
    if matches!(address, Address::Base(_, true)) || rng.one_in(2) {
        target &= !15;
    }
    let offset = match address {
        Address::Literal => return,
        Address::Base(offset, _) => offset,
        Address::Register(shift) => {
            let m = bits(word, 20, 16) as usize;
            // Zero-extended words cannot be negative.
            let k = rng.below(32) as i64 - if bits(word, 15, 13) == 0b010 { 0 } else { 16 };
            if m == 31 {
                0
            } else {
                let junk = if bits(word, 13, 13) == 0 { rng.next_u64() << 32 } else { k as u64 >> 32 << 32 };
                state.x[m] = junk | k as u32 as u64;
                k << shift
            }
        }
    };
    let base = target.wrapping_sub(offset as u64);
    match state.x.get_mut(n) {
        Some(x) => *x = base,
        None => state.sp = base,
    }
}
