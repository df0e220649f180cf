//! The arithmetic flags in the form that LAHF and SETO leave on the host: SF bit 15, ZF 14, AF 12, PF 10, CF 8, OF 0,
//! all else zero. It is Arm's [`crate::op::nzcv`] form with two more flags, so that back ends treat both alike.

use crate::op::{Bin, FlagOp, sext};

/// CF in the stored form.
pub const CF: u32 = 1 << 8;
/// PF in the stored form.
pub const PF: u32 = 1 << 10;
/// AF in the stored form.
pub const AF: u32 = 1 << 12;
/// ZF in the stored form.
pub const ZF: u32 = 1 << 14;
/// SF in the stored form.
pub const SF: u32 = 1 << 15;
/// OF in the stored form.
pub const OF: u32 = 1 << 0;
/// All of them.
pub const ALL: u32 = CF | PF | AF | ZF | SF | OF;

/// Operations that may leave some of the flags, or all, as they were.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Update {
    /// a + b, but CF stays (INC)
    Inc,
    /// a - b, but CF stays (DEC)
    Dec,
    /// a shifted left by b
    Shl,
    /// a shifted right by b, zeros coming in
    Shr,
    /// a shifted right by b, signs coming in
    Sar,
    /// a rotated left by b: CF and OF
    Rol,
    /// a rotated right by b: CF and OF
    Ror,
}

impl Update {
    /// Every operation.
    pub const ALL: [Update; 7] =
        [Self::Inc, Self::Dec, Self::Shl, Self::Shr, Self::Sar, Self::Rol, Self::Ror];

    /// Whether it sets CF and OF only.
    pub const fn rotates(self) -> bool {
        matches!(self, Self::Rol | Self::Ror)
    }

    /// Which flags it sets. Shifts and rotates by zero set none.
    pub const fn sets(self) -> u32 {
        match self {
            Self::Inc | Self::Dec => ALL & !CF,
            Self::Shl | Self::Shr | Self::Sar => ALL,
            Self::Rol | Self::Ror => CF | OF,
        }
    }

    /// The flags after the operation on zero-extended operands of `n` bits, where they were `old`. Counts are below 32,
    /// for 64 bits below 64. OF, which is defined for a count of 1, follows the same rule for all; AF is clear.
    #[inline(always)]
    pub fn apply(self, a: u64, b: u64, old: u32, n: u32) -> u32 {
        if matches!(self, Self::Inc | Self::Dec) {
            let op = if self == Self::Inc { FlagOp::AddX } else { FlagOp::SubX };
            return op.apply(a, b, false, n) & !CF | old & CF;
        }
        let k = b as u32 & 63;
        if k == 0 {
            return old;
        }
        let (r, cf, of) = self.shifted(a, k, n);
        let flag = |x: u64, bit: u32| if x & 1 != 0 { bit } else { 0 };
        let new = flag(cf, CF) | flag(of, OF);
        if self.rotates() {
            return old & !(CF | OF) | new;
        }
        FlagOp::LogicX.apply(r, r, false, n) | new
    }

    /// Result, CF and OF of a shift or rotate by `k`, which is not zero; the flags are in bit 0.
    #[inline(always)]
    pub fn shifted(self, a: u64, k: u32, n: u32) -> (u64, u64, u64) {
        let (r, cf) = match self {
            Self::Shl => (a << k, a << (k - 1) >> (n - 1)),
            Self::Shr => (a >> k, a >> (k - 1)),
            Self::Sar => ((sext(a, n) >> k) as u64, (sext(a, n) >> (k - 1)) as u64),
            Self::Rol => {
                let r = Bin::Ror.apply(a, (n - k % n) as u64, n);
                (r, r)
            }
            _ => {
                let r = Bin::Ror.apply(a, (k % n) as u64, n);
                (r, r >> (n - 1))
            }
        };
        let r = r & u64::MAX >> (64 - n);
        let (top, next) = (r >> (n - 1), r >> (n - 2));
        let of = if matches!(self, Self::Shl | Self::Rol) { top ^ cf } else { top ^ next };
        (r, cf, of)
    }
}

/// Bits of EFLAGS (SDM vol. 1, 3.4.3).
pub mod eflags {
    #![expect(missing_docs, reason = "the manual's names")]
    pub const CF: u32 = 1 << 0;
    pub const PF: u32 = 1 << 2;
    pub const AF: u32 = 1 << 4;
    pub const ZF: u32 = 1 << 6;
    pub const SF: u32 = 1 << 7;
    pub const TF: u32 = 1 << 8;
    pub const IF: u32 = 1 << 9;
    pub const DF: u32 = 1 << 10;
    pub const OF: u32 = 1 << 11;
    pub const IOPL: u32 = 3 << 12;
    pub const NT: u32 = 1 << 14;
    pub const RF: u32 = 1 << 16;
    pub const VM: u32 = 1 << 17;
    pub const AC: u32 = 1 << 18;
    pub const VIF: u32 = 1 << 19;
    pub const VIP: u32 = 1 << 20;
    pub const ID: u32 = 1 << 21;
    /// The flags that are kept in [`super::super::state::FLAGS`].
    pub const ARITHMETIC: u32 = CF | PF | AF | ZF | SF | OF;
}

/// From EFLAGS to the stored form.
#[inline(always)]
pub const fn from_eflags(x: u32) -> u32 {
    (x << 8) & (CF | PF | AF | ZF | SF) | x >> 11 & OF
}

/// From the stored form to EFLAGS.
#[inline(always)]
pub const fn to_eflags(f: u32) -> u32 {
    f >> 8 & 0xD5 | (f & OF) << 11
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_convert_both_ways() {
        for flags in [0, CF, PF, AF, ZF, SF, OF, ALL] {
            assert_eq!(from_eflags(to_eflags(flags)), flags);
            assert_eq!(to_eflags(flags) & !eflags::ARITHMETIC, 0);
        }
        assert_eq!(to_eflags(ALL), eflags::ARITHMETIC);
    }
}
