//! PCMPESTRI, PCMPESTRM, PCMPISTRI, PCMPISTRM (SDM vol. 2, 4.1).

use super::Lanes;
use crate::x86::flags;

/// Bit of the constant: lengths are explicit.
const EXPLICIT: u32 = 1 << 8;
/// Bit of the constant: the mask is wanted.
const MASK: u32 = 1 << 9;

/// How elements are read: bits 1:0 of the constant.
#[derive(Clone, Copy)]
struct Source {
    l: Lanes,
    signed: bool,
}

impl Source {
    fn get(self, v: u128, i: u32) -> i64 {
        let x = self.l.get(v, i) as u64;
        if self.signed { self.l.signed(x) } else { x as i64 }
    }

    /// The length of a string: what a count says, or up to the first zero.
    fn length(self, v: u128, explicit: Option<u32>) -> u32 {
        let n = self.l.count();
        match explicit {
            Some(length) => (length as i32).unsigned_abs().min(n),
            None => (0..n).find(|&i| self.l.get(v, i) == 0).unwrap_or(n),
        }
    }
}

/// The aggregation of comparisons: intermediate result 1. `a` is the first operand, `b` the second.
fn aggregate(s: Source, imm: u32, (a, la): (u128, u32), (b, lb): (u128, u32)) -> u32 {
    let n = s.l.count();
    let bit = |j: u32| -> bool {
        let y = || s.get(b, j);
        match imm >> 2 & 3 {
            // Any of the set a.
            0 => j < lb && (0..la).any(|i| s.get(a, i) == y()),
            // In one of the ranges that pairs of a make.
            1 => j < lb && (0..la / 2).any(|i| s.get(a, 2 * i) <= y() && y() <= s.get(a, 2 * i + 1)),
            // The same at the same place; beyond both ends they are.
            2 => match (j < la, j < lb) {
                (true, true) => s.get(a, j) == y(),
                (false, false) => true,
                _ => false,
            },
            // a stands at this place in b, as far as b goes.
            _ => (0..n - j).all(|i| match (i < la, i + j < lb) {
                (false, _) => true,
                (true, false) => false,
                (true, true) => s.get(a, i) == s.get(b, i + j),
            }),
        }
    };
    (0..n).map(|j| (bit(j) as u32) << j).sum()
}

super::functions! {
    compare = |_, imm, a, b, c, _| {
        let s = Source { l: Lanes::full(imm & 1), signed: imm & 2 != 0 };
        let explicit = |i: u32| (imm & EXPLICIT != 0).then_some((c >> (32 * i)) as u32);
        let (la, lb) = (s.length(a, explicit(0)), s.length(b, explicit(1)));
        let n = s.l.count();
        let all = (1u32 << n) - 1;
        let found = aggregate(s, imm, (a, la), (b, lb));
        let found = match imm >> 4 & 3 {
            1 => !found & all,
            3 => found ^ ((1u32 << lb) - 1),
            _ => found,
        };
        if imm & MASK != 0 {
            return if imm & 0x40 == 0 {
                found.into()
            } else {
                s.l.build(|i| if found >> i & 1 != 0 { u128::MAX } else { 0 })
            };
        }
        let index = match (found, imm & 0x40) {
            (0, _) => n,
            (_, 0) => found.trailing_zeros(),
            _ => 31 - found.leading_zeros(),
        };
        let flag = |yes: bool, bit: u32| if yes { bit } else { 0 };
        let flags = flag(found != 0, flags::CF)
            | flag(lb < n, flags::ZF)
            | flag(la < n, flags::SF)
            | flag(found & 1 != 0, flags::OF);
        u128::from(index) | u128::from(flags) << 32
    };
}
