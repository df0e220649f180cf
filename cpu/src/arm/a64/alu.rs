//! Data processing: add, subtract, logic, moves, compares, selects (DDI 0487 C4.1.92, C4.1.95).

use crate::arm::emit::Arm;
use crate::arm::state;
use crate::by_sf;
use crate::emit::{Exec, Flow};
use crate::op::{Bin, Cond, FlagOp, Un};
use crate::width::{Int, W1, W8, W16, W32, W64};

crate::rows! { Arm;
    "ADD (immediate)"  "z 0 0 100010 h iiiiiiiiiiii nnnnn ddddd" (z, h, i, n, d) => add_imm {z=1 h=0} {z=0 h=0} {z=1} {z=0};
    "SUB (immediate)"  "z 1 0 100010 h iiiiiiiiiiii nnnnn ddddd" (z, h, i, n, d) => sub_imm {z=1 h=0} {z=0 h=0} {z=1} {z=0};
    "ADDS (immediate)" "z 0 1 100010 h iiiiiiiiiiii nnnnn ddddd" (z, h, i, n, d) => adds_imm {z=1 h=0} {z=0 h=0} {z=1} {z=0};
    "SUBS (immediate)" "z 1 1 100010 h iiiiiiiiiiii nnnnn ddddd" (z, h, i, n, d) => subs_imm {z=1 h=0} {z=0 h=0} {z=1} {z=0};
    "ADD (shifted register)"  "z 0 0 01011 tt 0 mmmmm iiiiii nnnnn ddddd" (z, t, m, i, n, d) => add_shifted
        {z=1 t=0 i=0} {z=0 t=0 i=0} {z=1 t=0} {z=1 t=1} {z=1 t=2} {z=0 t=0} {z=0 t=1} {z=0 t=2} {z=1} {z=0};
    "SUB (shifted register)"  "z 1 0 01011 tt 0 mmmmm iiiiii nnnnn ddddd" (z, t, m, i, n, d) => sub_shifted
        {z=1 t=0 i=0} {z=0 t=0 i=0} {z=1 t=0} {z=1 t=1} {z=1 t=2} {z=0 t=0} {z=0 t=1} {z=0 t=2} {z=1} {z=0};
    "ADDS (shifted register)" "z 0 1 01011 tt 0 mmmmm iiiiii nnnnn ddddd" (z, t, m, i, n, d) => adds_shifted
        {z=1 t=0 i=0} {z=0 t=0 i=0} {z=1 t=0} {z=1 t=1} {z=1 t=2} {z=0 t=0} {z=0 t=1} {z=0 t=2} {z=1} {z=0};
    "SUBS (shifted register)" "z 1 1 01011 tt 0 mmmmm iiiiii nnnnn ddddd" (z, t, m, i, n, d) => subs_shifted
        {z=1 t=0 i=0} {z=0 t=0 i=0} {z=1 t=0} {z=1 t=1} {z=1 t=2} {z=0 t=0} {z=0 t=1} {z=0 t=2} {z=1} {z=0};
    "ADD (extended register)"  "z 0 0 01011 00 1 mmmmm ooo iii nnnnn ddddd" (z, m, o, i, n, d) => add_extended {z=1 o=2} {z=1 o=6} {z=0 o=0} {z=0 o=1};
    "SUB (extended register)"  "z 1 0 01011 00 1 mmmmm ooo iii nnnnn ddddd" (z, m, o, i, n, d) => sub_extended {z=1 o=2} {z=1 o=6} {z=0 o=0} {z=0 o=1};
    "ADDS (extended register)" "z 0 1 01011 00 1 mmmmm ooo iii nnnnn ddddd" (z, m, o, i, n, d) => adds_extended {z=1 o=2} {z=1 o=6} {z=0 o=0} {z=0 o=1};
    "SUBS (extended register)" "z 1 1 01011 00 1 mmmmm ooo iii nnnnn ddddd" (z, m, o, i, n, d) => subs_extended {z=1 o=2} {z=1 o=6} {z=0 o=0} {z=0 o=1};
    "ADC"  "z 0 0 11010000 mmmmm 000000 nnnnn ddddd" (z, m, n, d) => adc {z=1} {z=0};
    "ADCS" "z 0 1 11010000 mmmmm 000000 nnnnn ddddd" (z, m, n, d) => adcs {z=1} {z=0};
    "SBC"  "z 1 0 11010000 mmmmm 000000 nnnnn ddddd" (z, m, n, d) => sbc {z=1} {z=0};
    "SBCS" "z 1 1 11010000 mmmmm 000000 nnnnn ddddd" (z, m, n, d) => sbcs {z=1} {z=0};
    "AND (immediate)"  "z 00 100100 N rrrrrr ssssss nnnnn ddddd" (z, N, r, s, n, d) => and_imm {z=1 N=1} {z=0 N=0} {z=1} {z=0};
    "ORR (immediate)"  "z 01 100100 N rrrrrr ssssss nnnnn ddddd" (z, N, r, s, n, d) => orr_imm {z=1 N=1} {z=0 N=0} {z=1} {z=0};
    "EOR (immediate)"  "z 10 100100 N rrrrrr ssssss nnnnn ddddd" (z, N, r, s, n, d) => eor_imm {z=1 N=1} {z=0 N=0} {z=1} {z=0};
    "ANDS (immediate)" "z 11 100100 N rrrrrr ssssss nnnnn ddddd" (z, N, r, s, n, d) => ands_imm {z=1 N=1} {z=0 N=0} {z=1} {z=0};
    "AND (shifted register)"  "z 00 01010 tt 0 mmmmm iiiiii nnnnn ddddd" (z, t, m, i, n, d) => and_shifted
        {z=1 i=0} {z=0 i=0} {z=1 t=0} {z=1 t=1} {z=1 t=2} {z=1 t=3} {z=0 t=0} {z=0 t=1} {z=0 t=2} {z=0 t=3};
    "BIC (shifted register)"  "z 00 01010 tt 1 mmmmm iiiiii nnnnn ddddd" (z, t, m, i, n, d) => bic_shifted
        {z=1 i=0} {z=0 i=0} {z=1 t=0} {z=1 t=1} {z=1 t=2} {z=1 t=3} {z=0 t=0} {z=0 t=1} {z=0 t=2} {z=0 t=3};
    "ORR (shifted register)"  "z 01 01010 tt 0 mmmmm iiiiii nnnnn ddddd" (z, t, m, i, n, d) => orr_shifted
        {z=1 i=0} {z=0 i=0} {z=1 t=0} {z=1 t=1} {z=1 t=2} {z=1 t=3} {z=0 t=0} {z=0 t=1} {z=0 t=2} {z=0 t=3};
    "ORN (shifted register)"  "z 01 01010 tt 1 mmmmm iiiiii nnnnn ddddd" (z, t, m, i, n, d) => orn_shifted
        {z=1 i=0} {z=0 i=0} {z=1 t=0} {z=1 t=1} {z=1 t=2} {z=1 t=3} {z=0 t=0} {z=0 t=1} {z=0 t=2} {z=0 t=3};
    "EOR (shifted register)"  "z 10 01010 tt 0 mmmmm iiiiii nnnnn ddddd" (z, t, m, i, n, d) => eor_shifted
        {z=1 i=0} {z=0 i=0} {z=1 t=0} {z=1 t=1} {z=1 t=2} {z=1 t=3} {z=0 t=0} {z=0 t=1} {z=0 t=2} {z=0 t=3};
    "EON (shifted register)"  "z 10 01010 tt 1 mmmmm iiiiii nnnnn ddddd" (z, t, m, i, n, d) => eon_shifted
        {z=1 i=0} {z=0 i=0} {z=1 t=0} {z=1 t=1} {z=1 t=2} {z=1 t=3} {z=0 t=0} {z=0 t=1} {z=0 t=2} {z=0 t=3};
    "ANDS (shifted register)" "z 11 01010 tt 0 mmmmm iiiiii nnnnn ddddd" (z, t, m, i, n, d) => ands_shifted
        {z=1 i=0} {z=0 i=0} {z=1 t=0} {z=1 t=1} {z=1 t=2} {z=1 t=3} {z=0 t=0} {z=0 t=1} {z=0 t=2} {z=0 t=3};
    "BICS (shifted register)" "z 11 01010 tt 1 mmmmm iiiiii nnnnn ddddd" (z, t, m, i, n, d) => bics_shifted
        {z=1 i=0} {z=0 i=0} {z=1 t=0} {z=1 t=1} {z=1 t=2} {z=1 t=3} {z=0 t=0} {z=0 t=1} {z=0 t=2} {z=0 t=3};
    "MOVN" "z 00 100101 hh iiiiiiiiiiiiiiii ddddd" (z, h, i, d) => movn {z=1 h=0} {z=1 h=1} {z=0 h=0} {z=0 h=1} {z=1} {z=0};
    "MOVZ" "z 10 100101 hh iiiiiiiiiiiiiiii ddddd" (z, h, i, d) => movz {z=1 h=0} {z=1 h=1} {z=0 h=0} {z=0 h=1} {z=1} {z=0};
    "MOVK" "z 11 100101 hh iiiiiiiiiiiiiiii ddddd" (z, h, i, d) => movk {z=1 h=0} {z=1 h=1} {z=0 h=0} {z=0 h=1} {z=1} {z=0};
    "ADR"  "0 ll 10000 iiiiiiiiiiiiiiiiiii ddddd" (l, i, d) => adr;
    "ADRP" "1 ll 10000 iiiiiiiiiiiiiiiiiii ddddd" (l, i, d) => adrp;
    "CCMN (immediate)" "z 0 1 11010010 iiiii cccc 1 0 nnnnn 0 ffff" (z, i, c, n, f) => ccmn_imm {z=1} {z=0};
    "CCMP (immediate)" "z 1 1 11010010 iiiii cccc 1 0 nnnnn 0 ffff" (z, i, c, n, f) => ccmp_imm {z=1 c=0} {z=1 c=1} {z=0 c=0} {z=0 c=1} {z=1} {z=0};
    "CCMN (register)"  "z 0 1 11010010 mmmmm cccc 0 0 nnnnn 0 ffff" (z, m, c, n, f) => ccmn_reg {z=1} {z=0};
    "CCMP (register)"  "z 1 1 11010010 mmmmm cccc 0 0 nnnnn 0 ffff" (z, m, c, n, f) => ccmp_reg {z=1 c=0} {z=1 c=1} {z=0 c=0} {z=0 c=1} {z=1} {z=0};
    "CSEL"  "z 0 0 11010100 mmmmm cccc 00 nnnnn ddddd" (z, m, c, n, d) => csel
        {z=1 c=0} {z=1 c=1} {z=1 c=2} {z=1 c=3} {z=1 c=8} {z=1 c=9} {z=1 c=10} {z=1 c=11} {z=1 c=12} {z=1 c=13}
        {z=0 c=0} {z=0 c=1} {z=0 c=2} {z=0 c=3} {z=0 c=8} {z=0 c=9} {z=0 c=10} {z=0 c=11} {z=0 c=12} {z=0 c=13}
        {z=1} {z=0};
    "CSINC" "z 0 0 11010100 mmmmm cccc 01 nnnnn ddddd" (z, m, c, n, d) => csinc
        {z=1 c=0} {z=1 c=1} {z=1 c=2} {z=1 c=3} {z=1 c=8} {z=1 c=9} {z=1 c=10} {z=1 c=11} {z=1 c=12} {z=1 c=13}
        {z=0 c=0} {z=0 c=1} {z=0 c=2} {z=0 c=3} {z=0 c=8} {z=0 c=9} {z=0 c=10} {z=0 c=11} {z=0 c=12} {z=0 c=13}
        {z=1} {z=0};
    "CSINV" "z 1 0 11010100 mmmmm cccc 00 nnnnn ddddd" (z, m, c, n, d) => csinv {z=1} {z=0};
    "CSNEG" "z 1 0 11010100 mmmmm cccc 01 nnnnn ddddd" (z, m, c, n, d) => csneg {z=1} {z=0};
}

/// `AddWithCarry` with the flags it sets, if wanted: the carry-in of plain addition is 0, of subtraction 1.
#[inline(always)]
fn arith<E: Arm, W: Int>(e: &mut E, op: FlagOp, a: E::Val<W>, b: E::Val<W>, flags: bool) -> E::Val<W> {
    let bin = if op == FlagOp::Sub { Bin::Sub } else { Bin::Add };
    let r = e.bin(bin, a, b);
    if flags {
        let carry = e.lit::<W1>(op == FlagOp::Sub);
        e.set_flags_of::<W>(state::NZCV, op, a, b, carry);
    }
    r
}

macro_rules! arith_imm { ($($(#[$doc:meta])* $name:ident $op:ident $s:literal;)*) => { $(
    $(#[$doc])*
    #[inline(always)]
    fn $name<E: Arm>(e: &mut E, sf: u32, sh: u32, imm: u32, n: u32, d: u32) -> Exec<E> {
        by_sf!(sf, W => {
            let a = e.x_or_sp::<W>(n);
            let b = e.lit::<W>(W::dec((imm as u64) << (12 * sh)));
            let r = arith::<E, W>(e, FlagOp::$op, a, b, $s);
            if $s { e.set_x::<W>(d, r) } else { e.set_x_or_sp::<W>(d, r) }
        });
        Ok(Flow::Next)
    }
)* } }
arith_imm! {
    /// ADD (immediate): `Rd|SP = Rn|SP + imm`. [C6.2.5]
    add_imm Add false;
    /// SUB (immediate): `Rd|SP = Rn|SP - imm`. [C6.2.403]
    sub_imm Sub false;
    /// ADDS (immediate). [C6.2.9]
    adds_imm Add true;
    /// SUBS (immediate). [C6.2.409]
    subs_imm Sub true;
}

/// `ShiftReg(m, type, amount)`.
#[inline(always)]
fn shifted<E: Arm, W: Int>(e: &mut E, m: u32, kind: u32, amount: u32) -> E::Val<W> {
    let v = e.x::<W>(m);
    e.shift([Bin::Shl, Bin::Shr, Bin::Sar, Bin::Ror][kind as usize & 3], v, amount)
}

macro_rules! arith_shifted { ($($(#[$doc:meta])* $name:ident $op:ident $s:literal;)*) => { $(
    $(#[$doc])*
    #[inline(always)]
    fn $name<E: Arm>(e: &mut E, sf: u32, t: u32, m: u32, i: u32, n: u32, d: u32) -> Exec<E> {
        if t == 3 || (sf == 0 && i >= 32) {
            return e.undefined();
        }
        by_sf!(sf, W => {
            let (a, b) = (e.x::<W>(n), shifted::<E, W>(e, m, t, i));
            let r = arith::<E, W>(e, FlagOp::$op, a, b, $s);
            e.set_x::<W>(d, r);
        });
        Ok(Flow::Next)
    }
)* } }
arith_shifted! {
    /// ADD (shifted register). [C6.2.6]
    add_shifted Add false;
    /// SUB (shifted register). [C6.2.404]
    sub_shifted Sub false;
    /// ADDS (shifted register). [C6.2.10]
    adds_shifted Add true;
    /// SUBS (shifted register). [C6.2.410]
    subs_shifted Sub true;
}

/// `ExtendReg(m, option, shift)`.
#[inline(always)]
pub(crate) fn extended<E: Arm, W: Int>(e: &mut E, m: u32, option: u32, shift: u32) -> E::Val<W> {
    macro_rules! extend {
        ($From:ty, $f:ident) => {{
            let v = e.x::<$From>(m);
            e.$f::<$From, W>(v)
        }};
    }
    let v = match option {
        0 => extend!(W8, zext),
        1 => extend!(W16, zext),
        2 => extend!(W32, zext),
        3 => extend!(W64, zext),
        4 => extend!(W8, sext),
        5 => extend!(W16, sext),
        6 => extend!(W32, sext),
        _ => extend!(W64, sext),
    };
    e.shift(Bin::Shl, v, shift)
}

macro_rules! arith_extended { ($($(#[$doc:meta])* $name:ident $op:ident $s:literal;)*) => { $(
    $(#[$doc])*
    #[inline(always)]
    fn $name<E: Arm>(e: &mut E, sf: u32, m: u32, option: u32, i: u32, n: u32, d: u32) -> Exec<E> {
        if i > 4 {
            return e.undefined();
        }
        by_sf!(sf, W => {
            let (a, b) = (e.x_or_sp::<W>(n), extended::<E, W>(e, m, option, i));
            let r = arith::<E, W>(e, FlagOp::$op, a, b, $s);
            if $s { e.set_x::<W>(d, r) } else { e.set_x_or_sp::<W>(d, r) }
        });
        Ok(Flow::Next)
    }
)* } }
arith_extended! {
    /// ADD (extended register). [C6.2.4]
    add_extended Add false;
    /// SUB (extended register). [C6.2.402]
    sub_extended Sub false;
    /// ADDS (extended register). [C6.2.8]
    adds_extended Add true;
    /// SUBS (extended register). [C6.2.408]
    subs_extended Sub true;
}

/// The carry flag as a value of width `W`.
#[inline(always)]
fn carry<E: Arm, W: Int>(e: &mut E) -> (E::Val<W1>, E::Val<W>) {
    let c = e.cond(Cond::CS as u32);
    (c, e.zext::<W1, W>(c))
}

macro_rules! arith_carry { ($($(#[$doc:meta])* $name:ident $op:ident $s:literal;)*) => { $(
    $(#[$doc])*
    #[inline(always)]
    fn $name<E: Arm>(e: &mut E, sf: u32, m: u32, n: u32, d: u32) -> Exec<E> {
        by_sf!(sf, W => {
            let (a, b) = (e.x::<W>(n), e.x::<W>(m));
            let (c, k) = carry::<E, W>(e);
            let r = if FlagOp::$op == FlagOp::Sub {
                let nb = e.un(Un::Not, b);
                let t = e.add(a, nb);
                e.add(t, k)
            } else {
                let t = e.add(a, b);
                e.add(t, k)
            };
            if $s {
                e.set_flags_of::<W>(state::NZCV, FlagOp::$op, a, b, c);
            }
            e.set_x::<W>(d, r);
        });
        Ok(Flow::Next)
    }
)* } }
arith_carry! {
    /// ADC. [C6.2.1]
    adc Add false;
    /// ADCS. [C6.2.2]
    adcs Add true;
    /// SBC. [C6.2.301]
    sbc Sub false;
    /// SBCS. [C6.2.302]
    sbcs Sub true;
}

/// `DecodeBitMasks` for logical immediates: the mask, or `None` for a reserved encoding.
pub(crate) fn bit_mask(sf: u32, n: u32, r: u32, s: u32) -> Option<u64> {
    if sf == 0 && n != 0 {
        return None;
    }
    // Most masks have elements of 64 or 32 bits.
    if n != 0 {
        return (s < 63).then(|| (u64::MAX >> (63 - s)).rotate_right(r));
    }
    if s < 31 {
        let element = (u32::MAX >> (31 - s)).rotate_right(r) as u64;
        return Some(element | element << 32);
    }
    let log2 = 31 - (!s & 0x3F).leading_zeros().min(31);
    if log2 < 1 {
        return None;
    }
    let size = 1u32 << log2;
    let (s, r) = (s & (size - 1), r & (size - 1));
    if s == size - 1 {
        return None;
    }
    let ones = (1u64 << (s + 1)) - 1;
    let element = if r == 0 { ones } else { (ones >> r | ones << (size - r)) & (u64::MAX >> (64 - size)) };
    // All ones divided by one element's ones is a 1 in every element.
    const EVERY: [u64; 8] = {
        let mut every = [1; 8];
        let mut log2 = 1;
        while log2 < 6 {
            every[log2] = u64::MAX / ((1 << (1 << log2)) - 1);
            log2 += 1;
        }
        every
    };
    Some(element * EVERY[log2 as usize & 7])
}

/// Sets N and Z from a result, clears C and V.
#[inline(always)]
fn set_nz<E: Arm, W: Int>(e: &mut E, r: E::Val<W>) {
    let no = e.lit::<W1>(false);
    e.set_flags_of::<W>(state::NZCV, FlagOp::Logic, r, r, no);
}

macro_rules! logic_imm { ($($(#[$doc:meta])* $name:ident $op:ident $s:literal;)*) => { $(
    $(#[$doc])*
    #[inline(always)]
    fn $name<E: Arm>(e: &mut E, sf: u32, N: u32, r: u32, s: u32, n: u32, d: u32) -> Exec<E> {
        let Some(mask) = bit_mask(sf, N, r, s) else { return e.undefined() };
        by_sf!(sf, W => {
            let (a, b) = (e.x::<W>(n), e.lit::<W>(W::dec(mask)));
            let r = e.bin(Bin::$op, a, b);
            if $s {
                set_nz::<E, W>(e, r);
                e.set_x::<W>(d, r);
            } else {
                e.set_x_or_sp::<W>(d, r);
            }
        });
        Ok(Flow::Next)
    }
)* } }
logic_imm! {
    #[expect(non_snake_case, reason = "N is the manual's name for the field")]
    /// AND (immediate). [C6.2.13]
    and_imm And false;
    #[expect(non_snake_case, reason = "N is the manual's name for the field")]
    /// ORR (immediate). [C6.2.260]
    orr_imm Or false;
    #[expect(non_snake_case, reason = "N is the manual's name for the field")]
    /// EOR (immediate). [C6.2.121]
    eor_imm Xor false;
    #[expect(non_snake_case, reason = "N is the manual's name for the field")]
    /// ANDS (immediate). [C6.2.15]
    ands_imm And true;
}

macro_rules! logic_shifted { ($($(#[$doc:meta])* $name:ident $op:ident $invert:literal $s:literal;)*) => { $(
    $(#[$doc])*
    #[inline(always)]
    fn $name<E: Arm>(e: &mut E, sf: u32, t: u32, m: u32, i: u32, n: u32, d: u32) -> Exec<E> {
        if sf == 0 && i >= 32 {
            return e.undefined();
        }
        by_sf!(sf, W => {
            let (a, mut b) = (e.x::<W>(n), shifted::<E, W>(e, m, t, i));
            if $invert {
                b = e.un(Un::Not, b);
            }
            let r = e.bin(Bin::$op, a, b);
            if $s {
                set_nz::<E, W>(e, r);
            }
            e.set_x::<W>(d, r);
        });
        Ok(Flow::Next)
    }
)* } }
logic_shifted! {
    /// AND (shifted register). [C6.2.14]
    and_shifted And false false;
    /// BIC (shifted register). [C6.2.39]
    bic_shifted And true false;
    /// ORR (shifted register). [C6.2.261]
    orr_shifted Or false false;
    /// ORN (shifted register). [C6.2.258]
    orn_shifted Or true false;
    /// EOR (shifted register). [C6.2.122]
    eor_shifted Xor false false;
    /// EON (shifted register). [C6.2.120]
    eon_shifted Xor true false;
    /// ANDS (shifted register). [C6.2.16]
    ands_shifted And false true;
    /// BICS (shifted register). [C6.2.40]
    bics_shifted And true true;
}

/// Writes a wide-move constant.
#[inline(always)]
fn mov_const<E: Arm>(e: &mut E, sf: u32, d: u32, x: u64) -> Exec<E> {
    by_sf!(sf, W => {
        let v = e.lit::<W>(W::dec(x));
        e.set_x::<W>(d, v);
    });
    Ok(Flow::Next)
}

/// MOVN: `Rd = NOT (imm16 << 16*hw)`. [C6.2.249]
#[inline(always)]
fn movn<E: Arm>(e: &mut E, sf: u32, hw: u32, imm: u32, d: u32) -> Exec<E> {
    if sf == 0 && hw > 1 {
        return e.undefined();
    }
    mov_const(e, sf, d, !((imm as u64) << (16 * hw)))
}

/// MOVZ: `Rd = imm16 << 16*hw`. [C6.2.250]
#[inline(always)]
fn movz<E: Arm>(e: &mut E, sf: u32, hw: u32, imm: u32, d: u32) -> Exec<E> {
    if sf == 0 && hw > 1 {
        return e.undefined();
    }
    mov_const(e, sf, d, (imm as u64) << (16 * hw))
}

/// MOVK: replaces 16 bits of Rd. [C6.2.248]
#[inline(always)]
fn movk<E: Arm>(e: &mut E, sf: u32, hw: u32, imm: u32, d: u32) -> Exec<E> {
    if sf == 0 && hw > 1 {
        return e.undefined();
    }
    by_sf!(sf, W => {
        let old = e.x::<W>(d);
        let keep = e.lit::<W>(W::dec(!(0xFFFFu64 << (16 * hw))));
        let kept = e.and(old, keep);
        let new = e.lit::<W>(W::dec((imm as u64) << (16 * hw)));
        let r = e.or(kept, new);
        e.set_x::<W>(d, r);
    });
    Ok(Flow::Next)
}

/// The 21-bit signed immediate of ADR and ADRP.
fn adr_imm(l: u32, i: u32) -> i64 {
    ((((i << 2 | l) << 11) as i32) >> 11) as i64
}

/// ADR: `Xd = PC + imm`. [C6.2.11]
fn adr<E: Arm>(e: &mut E, l: u32, i: u32, d: u32) -> Exec<E> {
    let v = e.pc_plus(adr_imm(l, i));
    e.set_x::<W64>(d, v);
    Ok(Flow::Next)
}

/// ADRP: `Xd = page of PC + imm * 4096`. [C6.2.12]
fn adrp<E: Arm>(e: &mut E, l: u32, i: u32, d: u32) -> Exec<E> {
    let v = e.page_plus(adr_imm(l, i) << 12);
    e.set_x::<W64>(d, v);
    Ok(Flow::Next)
}

/// Flags of a comparison if the condition holds, else the constant `f`.
#[inline(always)]
fn conditional_compare<E: Arm, W: Int>(e: &mut E, op: FlagOp, a: E::Val<W>, b: E::Val<W>, c: u32, f: u32) {
    let carry = e.lit::<W1>(op == FlagOp::Sub);
    let holds = e.cond(c);
    let otherwise = crate::op::nzcv::from_psr(f << 28);
    e.set_flags_of_if::<W>(state::NZCV, holds, (op, a, b, carry), otherwise);
}

macro_rules! conditional { ($($(#[$doc:meta])* $imm:ident $reg:ident $op:ident;)*) => { $(
    $(#[$doc])*
    #[inline(always)]
    fn $imm<E: Arm>(e: &mut E, sf: u32, i: u32, c: u32, n: u32, f: u32) -> Exec<E> {
        by_sf!(sf, W => {
            let (a, b) = (e.x::<W>(n), e.lit::<W>(W::dec(i as u64)));
            conditional_compare::<E, W>(e, FlagOp::$op, a, b, c, f);
        });
        Ok(Flow::Next)
    }
    $(#[$doc])*
    #[inline(always)]
    fn $reg<E: Arm>(e: &mut E, sf: u32, m: u32, c: u32, n: u32, f: u32) -> Exec<E> {
        by_sf!(sf, W => {
            let (a, b) = (e.x::<W>(n), e.x::<W>(m));
            conditional_compare::<E, W>(e, FlagOp::$op, a, b, c, f);
        });
        Ok(Flow::Next)
    }
)* } }
conditional! {
    /// CCMN: flags of `Rn + op2` if the condition holds, else an immediate. [C6.2.61]
    ccmn_imm ccmn_reg Add;
    /// CCMP: flags of `Rn - op2` if the condition holds, else an immediate. [C6.2.63]
    ccmp_imm ccmp_reg Sub;
}

macro_rules! selects { ($($(#[$doc:meta])* $name:ident |$e:ident, $b:ident, $W:ident| $else:expr;)*) => { $(
    $(#[$doc])*
    #[inline(always)]
    fn $name<E: Arm>($e: &mut E, sf: u32, m: u32, c: u32, n: u32, d: u32) -> Exec<E> {
        by_sf!(sf, $W => {
            let (a, $b) = ($e.x::<$W>(n), $e.x::<$W>(m));
            let other = $else;
            let holds = $e.cond(c);
            let r = $e.select::<$W>(holds, a, other);
            $e.set_x::<$W>(d, r);
        });
        Ok(Flow::Next)
    }
)* } }
selects! {
    /// CSEL: `Rd = cond ? Rn : Rm`. [C6.2.104]
    csel |e, b, W| b;
    /// CSINC: `Rd = cond ? Rn : Rm + 1`. [C6.2.107]
    csinc |e, b, W| { let one = e.lit::<W>(1); e.add(b, one) };
    /// CSINV: `Rd = cond ? Rn : NOT Rm`. [C6.2.108]
    csinv |e, b, W| e.un(Un::Not, b);
    /// CSNEG: `Rd = cond ? Rn : -Rm`. [C6.2.109]
    csneg |e, b, W| e.un(Un::Neg, b);
}
