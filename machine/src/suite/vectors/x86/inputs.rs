//! Processor states full of corner cases, made from a seed.

use super::super::Rng;
use super::forms::Shape;
use super::record::{FLAGS, INSN, MEMORY, MEMORY_SIZE, PAD, PATH, STACK, State, WINDOW, XSAVE};

/// An integer at a limit, or small, or anything.
fn integer(r: &mut Rng) -> u64 {
    match r.below(8) {
        0 => [
            0,
            1,
            u64::MAX,
            i64::MAX as u64,
            i64::MIN as u64,
            0x8000_0000,
            0x7FFF_FFFF,
            0x8080_8080_8080_8080,
        ][r.below(8) as usize],
        1 => r.below(70),
        2 => r.below(70).wrapping_neg(),
        3 => r.next_u64() & 0x00FF_00FF_00FF_00FF,
        _ => r.next_u64(),
    }
}

/// A floating-point number with `exp` and `frac` bits at an edge, or an ordinary one.
fn float(r: &mut Rng, exp: u32, frac: u32) -> u64 {
    let (all, bias) = ((1u64 << exp) - 1, (1u64 << (exp - 1)) - 1);
    let sign = r.below(2) << (exp + frac);
    let exponent = match r.below(10) {
        0 => 0,
        1 => 1,
        2 => all - 1,
        3 => all,
        4 => r.below(all),
        5 => (bias + 10 + r.below(60)).min(all - 1),
        _ => bias - 2 + r.below(6),
    };
    let ones = (1u64 << frac) - 1;
    let fraction = match r.below(6) {
        0 | 1 => 0,
        2 => ones,
        3 => 1,
        4 => 1 << (frac - 1),
        _ => r.next_u64() & ones,
    };
    sign | exponent << frac | fraction
}

fn vector(r: &mut Rng) -> u128 {
    match r.below(8) {
        0..2 => (0..4).fold(0, |v, _| v << 32 | float(r, 8, 23) as u128),
        2..4 => (0..2).fold(0, |v, _| v << 64 | float(r, 11, 52) as u128),
        4 => (0..8).fold(0, |v, _| v << 16 | float(r, 5, 10) as u128),
        5 => (0..16).fold(0, |v, _| v << 8 | r.below(40) as u128),
        _ => (integer(r) as u128) << 64 | integer(r) as u128,
    }
}

/// An 80-bit number: sign and exponent, significand.
fn extended(r: &mut Rng) -> u128 {
    let sign = (r.below(2) << 15) as u128;
    let exponent = match r.below(12) {
        0 => 0,
        1 => 1,
        2 => 0x7FFE,
        3 => 0x7FFF,
        4 => r.below(0x7FFF),
        5 => 0x3FFF + r.below(80),
        _ => 0x3FFD + r.below(5),
    };
    let mut significand = match r.below(6) {
        0 | 1 => 0,
        2 => u64::MAX >> 1,
        3 => 1,
        4 => 1 << 62,
        _ => r.next_u64() >> 1,
    };
    // Unnormal encodings are rare.
    if r.below(40) == 0 {
        significand |= r.below(2) << 63;
    } else if exponent != 0 {
        significand |= 1 << 63;
    }
    (sign | exponent as u128) << 64 | significand as u128
}

/// The state that a seed stands for, made to fit an instruction of so many bytes.
pub fn input(seed: u64, shape: Shape, len: usize) -> State {
    let r = &mut Rng::new(seed);
    let mut s = State::zero();
    for n in 0..13 {
        s.set_u64(8 * n, integer(r));
    }
    s.set_u64(8 * RSP, WINDOW + STACK);
    s.set_u64(FLAGS, r.next_u64() & 0x8D5 | 0x202);
    s.set_u8(PATH, 1);
    for k in 0..MEMORY_SIZE / 16 {
        let value = if r.below(4) == 0 { extended(r) } else { vector(r) };
        s.set_u128(MEMORY + 16 * k, value);
    }
    let control = 0x37F & !0x300 | r.pick(&[0, 2, 3, 3]) << 8 | r.below(4) << 10;
    // Unmasked x87 exceptions stay pending: nothing that follows in the recorder waits for them.
    let open = if r.one_in(8) { r.next_u64() & 0x3F } else { 0 };
    s.set_u16(XSAVE, (control & !open) as u16);
    let status = r.below(8) << 11 | r.next_u64() & 0x4700;
    s.set_u16(XSAVE + 2, status as u16);
    let tags = if r.one_in(8) { r.next_u64() as u8 } else { 0xFF };
    s.set_u8(XSAVE + 4, tags);
    let round = if r.one_in(4) { r.below(4) << 13 } else { 0 };
    let flush = if r.one_in(8) { r.next_u64() & 0x8040 } else { 0 };
    let seen = if r.one_in(8) { r.next_u64() & 0x3F } else { 0 };
    s.set_u32(XSAVE + 24, (0x1F80 | round | flush | seen) as u32);
    for n in 0..8 {
        s.set_fpr(n, extended(r));
    }
    let mut last = 0;
    for k in 0..32u8 {
        let at = if k < 16 { State::xmm(k) } else { State::ymm(k - 16) };
        // Sometimes an operand equals its neighbour.
        if !r.one_in(8) {
            last = vector(r);
        }
        s.set_u128(at, last);
    }
    s.set_u64(XSAVE + 512, 7);
    fit(&mut s, shape, len, r);
    s
}

const RAX: usize = 0;
const RCX: usize = 1;
const RDX: usize = 2;
const RBX: usize = 3;
const RSP: usize = 4;
const RBP: usize = 5;
const RSI: usize = 6;
const RDI: usize = 7;

/// Makes addresses lead to the window, and operands ones that do not fault.
fn fit(s: &mut State, shape: Shape, len: usize, r: &mut Rng) {
    let target = INSN + len as u64 + PAD;
    match shape {
        Shape::Plain => {}
        Shape::Branch => {
            s.set_u64(8 * RDX, target);
            s.set_u64(MEMORY, target);
            s.set_u64(MEMORY + STACK as usize, target);
            if r.one_in(2) {
                s.set_u64(8 * RCX, r.below(3));
            }
        }
        Shape::Stack => {
            s.set_u64(8 * RBP, WINDOW + 96 + r.below(16));
            // What POPF finds there does no harm.
            let flags = s.u64_at(MEMORY + STACK as usize) & 0xCD5 | 0x202;
            s.set_u64(MEMORY + STACK as usize, flags);
        }
        Shape::Text => {
            let (from, to) = (32 + r.below(16), 64 + r.below(24));
            s.set_u64(8 * RSI, WINDOW + from);
            s.set_u64(8 * RDI, WINDOW + to);
            s.set_u64(8 * RCX, r.below(4));
            s.set_u64(8 * RBX, WINDOW);
            if r.one_in(2) {
                s.set_u64(FLAGS, s.u64_at(FLAGS) | 0x400);
            }
            // Some elements are equal.
            match r.below(4) {
                0 => s.set_u64(8 * RSI, WINDOW + to),
                1 => s.set_u128(MEMORY + to as usize, s.u128_at(MEMORY + from as usize)),
                2 => s.set_u64(8 * RAX, s.u64_at(MEMORY + to as usize)),
                _ => {}
            }
        }
        Shape::Translate => {
            s.set_u64(8 * RBX, WINDOW);
            s.set_u64(8 * RAX, s.gpr(0) & !0xFF | r.below(MEMORY_SIZE as u64));
        }
        Shape::Divide => {
            // The high half is that of a small number of either sign, as often as not.
            if r.one_in(2) {
                let sign = r.below(2).wrapping_neg();
                s.set_u64(8 * RDX, sign);
                s.set_u64(8 * RAX, (s.gpr(0) & 0x7FFF) ^ sign);
            } else {
                s.set_u64(8 * RDX, r.below(9));
            }
            for at in [8 * RCX, 8 * RBX, MEMORY] {
                s.set_u64(at, s.u64_at(at) | 0x0101 << r.below(6));
            }
        }
        Shape::Gather => {
            for at in [State::xmm(4), State::ymm(4)] {
                let wide = r.below(2);
                for k in 0..2 + 2 * wide as usize {
                    let (size, index) = (8 >> wide, r.below(64));
                    if wide == 1 {
                        s.set_u32(at + size * k, index as u32);
                    } else {
                        s.set_u64(at + size * k, index);
                    }
                }
            }
        }
        Shape::Mxcsr => {
            let control = 0x1F80 | r.next_u64() & 0xE07F;
            s.set_u32(MEMORY, control as u32);
        }
    }
}
