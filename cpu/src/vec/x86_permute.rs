//! Shuffles, packing, blending and tests as SSE and AVX instructions divide them (SDM vol. 2).

use super::Lanes;
use crate::x86::flags;

/// Result element `i` is element `from(i)` of `a` and then `b`.
#[inline(always)]
fn arrange(l: Lanes, a: u128, b: u128, from: impl Fn(u32) -> u32) -> u128 {
    let n = l.count();
    l.build(|i| {
        let k = from(i) % (2 * n);
        if k < n { l.get(a, k) } else { l.get(b, k - n) }
    })
}

/// Four elements of which the constant selects each by two bits; `at` is the first.
fn four(l: Lanes, imm: u32, at: u32, a: u128) -> u128 {
    arrange(l, a, a, |i| match i.wrapping_sub(at) {
        k @ 0..4 => at + (imm >> (2 * k) & 3),
        _ => i,
    })
}

/// Elements of twice the size of `a` and then `b`, made small by `f`.
#[inline(always)]
fn pack(l: Lanes, a: u128, b: u128, f: impl Fn(i64) -> i64) -> u128 {
    if l.log2 >= 3 {
        return 0;
    }
    let (wide, half) = (l.wider(), l.count().div_ceil(2));
    l.build(|i| {
        let x = if i < half { wide.get(a, i) } else { wide.get(b, i - half) };
        f(wide.signed(x as u64)) as u128
    })
}

super::functions! {
    shuffle = |l, imm, a, b, _, _| {
        let n = l.count();
        if (l.log2, n) == (2, 4) {
            // The common case, faster than shifts of 128 bits.
            let words = |x: u128| [0, 32, 64, 96].map(|at| (x >> at) as u32);
            let (a, b) = (words(a), words(b));
            let pick = |from: [u32; 4], i: u32| from[(imm >> (2 * i) & 3) as usize] as u64;
            let (low, high) = (pick(a, 0) | pick(a, 1) << 32, pick(b, 2) | pick(b, 3) << 32);
            return low as u128 | (high as u128) << 64;
        }
        // Two bits select among four elements, one among two.
        let field = if n >= 4 { 2 } else { 1 };
        arrange(l, a, b, |i| {
            let k = imm.checked_shr(i * field).unwrap_or(0) & ((1 << field) - 1);
            if i < n / 2 { k } else { n + k }
        })
    };
    shuffle_low = |l, imm, a, _, _, _| four(l, imm, 0, a);
    shuffle_high = |l, imm, a, _, _, _| four(l, imm, l.count() / 2, a);
    shuffle_bytes = |l, _, a, b, _, _| {
        let l = Lanes { log2: 0, ..l };
        l.build(|i| match l.get(b, i) as u32 {
            0x80.. => 0,
            k => l.get(a, k & (l.count() - 1)),
        })
    };
    shuffle_by = |l, _, a, b, _, _| l.build(|i| {
        let k = l.get(b, i) as u32;
        l.get(a, if l.log2 == 3 { k >> 1 & 1 } else { k & 3 })
    });
    permute2 = |l, _, a, b, c, _| arrange(l, a, b, |i| l.get(c, i) as u32 & (2 * l.count() - 1));
    pack_s = |l, _, a, b, _, _| {
        let max = (l.mask() >> 1) as i64;
        pack(l, a, b, |x| x.clamp(-max - 1, max))
    };
    pack_u = |l, _, a, b, _, _| pack(l, a, b, |x| x.clamp(0, l.mask() as i64));
    widen_s = |l, log2, a, _, _, _| {
        let wide = Lanes { log2: (log2 as u8).min(3), ..l };
        wide.build(|i| l.signed(l.get(a, i) as u64) as u128)
    };
    widen_u = |l, log2, a, _, _, _| {
        let wide = Lanes { log2: (log2 as u8).min(3), ..l };
        wide.build(|i| l.get(a, i))
    };
    move_mask = |l, _, a, _, _, _| (0..l.count()).map(|i| (l.get(a, i) >> (l.bits() - 1)) << i).sum();
    test = |l, _, a, b, _, _| {
        let of = if l.log2 == 0 { u128::MAX } else { l.build(|_| 1 << (l.bits() - 1)) };
        let zero = |x: u128, flag: u32| if x & of == 0 { flag } else { 0 };
        u128::from(zero(a & b, flags::ZF) | zero(!a & b, flags::CF))
    };
    blend = |l, _, a, b, c, _| l.build(|i| l.get(if l.get(c, i) >> (l.bits() - 1) != 0 { b } else { a }, i));
}
