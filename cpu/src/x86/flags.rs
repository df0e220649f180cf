//! The arithmetic flags in the form that LAHF and SETO leave on the host: SF bit 15, ZF 14, AF 12, PF 10, CF 8, OF 0,
//! all else zero. It is Arm's [`crate::op::nzcv`] form with two more flags, so that back ends treat both alike.

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
