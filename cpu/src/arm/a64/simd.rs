//! What the Advanced SIMD chapters share: which element sizes an instruction has, and common shapes.

use crate::arm::emit::Arm;
use crate::vec::{Lanes, VecOp};
use crate::width::W128;

/// The combinations of `size` and `Q` that an encoding has; others are reserved.
#[derive(Clone, Copy)]
pub(super) enum Sizes {
    /// all, but 64-bit elements need `Q`
    Any,
    /// 8, 16 and 32 bits
    UpTo32,
    /// 16 and 32 bits
    Mid,
    /// 8 and 16 bits
    UpTo16,
    /// 8 bits
    Byte,
    /// 64 bits, which scalar forms have
    Double,
    /// all: scalar forms
    All,
}

impl Sizes {
    /// Whether the combination exists.
    pub(super) fn allow(self, q: u32, size: u32) -> bool {
        match self {
            Sizes::Any => size < 3 || q != 0,
            Sizes::UpTo32 => size < 3,
            Sizes::Mid => size == 1 || size == 2,
            Sizes::UpTo16 => size < 2,
            Sizes::Byte => size == 0,
            Sizes::Double => size == 3,
            Sizes::All => true,
        }
    }
}

/// Where all 128 bits take part and the element size does not matter.
pub(super) const BITS: Lanes = Lanes::full(0);

/// Writes a narrowed result, which is in the low half of `v`: `Vpart[d, q] = v`.
pub(super) fn set_part<E: Arm>(e: &mut E, d: u32, q: u32, v: E::Val<W128>) {
    let v = if q == 0 {
        v
    } else {
        let low = e.v(d);
        e.v2(VecOp::Zip1, Lanes::full(3), low, v)
    };
    e.set_v(d, v);
}

/// The elements of `a`, then those of `b`, combined in pairs by `op`.
pub(super) fn pairwise<E: Arm>(
    e: &mut E,
    op: VecOp,
    l: Lanes,
    a: E::Val<W128>,
    b: E::Val<W128>,
) -> E::Val<W128> {
    let even = e.v2(VecOp::Unzip1, l, a, b);
    let odd = e.v2(VecOp::Unzip2, l, a, b);
    e.v2(op, l, even, odd)
}

/// A constant with `x` in every element of `1 << log2` bytes (0 to 3), over all 128 bits.
pub(super) fn splat<E: Arm>(e: &mut E, log2: u32, x: u64) -> E::Val<W128> {
    e.lit::<W128>(Lanes::full(log2).splat(x as u128))
}
