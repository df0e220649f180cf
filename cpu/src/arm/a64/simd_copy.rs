//! Advanced SIMD copy and modified immediate (DDI 0487 C4.1.96).

use super::simd_structure::{element_of, set_element};
use crate::arm::emit::Arm;
use crate::arm::features;
use crate::emit::{Exec, Flow};
use crate::vec::{Lanes, VecOp};
use crate::width::{Int, W8, W16, W32, W64, W128};

crate::rows! { Arm;
    "DUP (element)"  "0 Q 0 01110000 iiiii 0 0000 1 nnnnn ddddd" (Q, i, n, d) => dup_element;
    "DUP (general)"  "0 Q 0 01110000 iiiii 0 0001 1 nnnnn ddddd" (Q, i, n, d) => dup_general;
    "SMOV"           "0 Q 0 01110000 iiiii 0 0101 1 nnnnn ddddd" (Q, i, n, d) => smov;
    "UMOV"           "0 Q 0 01110000 iiiii 0 0111 1 nnnnn ddddd" (Q, i, n, d) => umov;
    "INS (general)"  "0 1 0 01110000 iiiii 0 0011 1 nnnnn ddddd" (i, n, d) => ins_general;
    "INS (element)"  "0 1 1 01110000 iiiii 0 jjjj 1 nnnnn ddddd" (i, j, n, d) => ins_element;
    "DUP (element, scalar)" "01 0 11110000 iiiii 0 0000 1 nnnnn ddddd" (i, n, d) => dup_scalar;
    "MOVI, MVNI, ORR, BIC (vector, immediate), FMOV (vector, immediate)"
        "0 Q o 0111100000 aaa cccc 0 1 bbbbb ddddd" (Q, o, a, c, b, d) => modified_immediate;
    "FMOV (vector, immediate, half-precision)"
        "0 Q 0 0111100000 aaa 1111 1 1 bbbbb ddddd" (Q, a, b, d) if features::FP16 => fmov_half;
}

/// Element size (log2 of bytes) and number that `imm5` names; `None` if reserved.
fn element(imm5: u32) -> Option<(u32, u32)> {
    let log2 = imm5.trailing_zeros();
    (log2 < 4).then(|| (log2, imm5 >> (log2 + 1)))
}

/// DUP (element). [C7.2.42]
fn dup_element<E: Arm>(e: &mut E, q: u32, i: u32, n: u32, d: u32) -> Exec<E> {
    match element(i) {
        Some((log2, lane)) if log2 < 3 || q != 0 => {
            e.check_fp()?;
            let a = e.v(n);
            let r = e.vi(VecOp::DupLane, Lanes::q(log2, q), lane, a);
            e.set_v(d, r);
            Ok(Flow::Next)
        }
        _ => e.undefined(),
    }
}

/// DUP (element), scalar. [C7.2.42]
fn dup_scalar<E: Arm>(e: &mut E, i: u32, n: u32, d: u32) -> Exec<E> {
    let Some((log2, lane)) = element(i) else { return e.undefined() };
    e.check_fp()?;
    let a = e.v(n);
    let r = element_of(e, log2, a, lane);
    e.set_v(d, r);
    Ok(Flow::Next)
}

/// DUP (general): a general register in every element. [C7.2.43]
fn dup_general<E: Arm>(e: &mut E, q: u32, i: u32, n: u32, d: u32) -> Exec<E> {
    fn dup<E: Arm, W: Int>(e: &mut E, q: u32, n: u32, d: u32) -> Exec<E> {
        e.check_fp()?;
        let x = e.x::<W>(n);
        let r = e.dup::<W>(x, q != 0);
        e.set_v(d, r);
        Ok(Flow::Next)
    }
    match element(i) {
        Some((0, _)) => dup::<E, W8>(e, q, n, d),
        Some((1, _)) => dup::<E, W16>(e, q, n, d),
        Some((2, _)) => dup::<E, W32>(e, q, n, d),
        Some((3, _)) if q != 0 => dup::<E, W64>(e, q, n, d),
        _ => e.undefined(),
    }
}

/// SMOV: an element sign extended to a general register. [C7.2.279]
fn smov<E: Arm>(e: &mut E, q: u32, i: u32, n: u32, d: u32) -> Exec<E> {
    fn mov<E: Arm, W: Int>(e: &mut E, q: u32, lane: u32, n: u32, d: u32) -> Exec<E> {
        e.check_fp()?;
        let v = e.v(n);
        let x = e.lane::<W>(v, lane);
        crate::by_sf!(q, X => {
            let x = e.sext::<W, X>(x);
            e.set_x::<X>(d, x);
        });
        Ok(Flow::Next)
    }
    match element(i) {
        Some((0, lane)) => mov::<E, W8>(e, q, lane, n, d),
        Some((1, lane)) => mov::<E, W16>(e, q, lane, n, d),
        Some((2, lane)) if q != 0 => mov::<E, W32>(e, q, lane, n, d),
        _ => e.undefined(),
    }
}

/// UMOV: an element zero extended to a general register. [C7.2.416]
fn umov<E: Arm>(e: &mut E, q: u32, i: u32, n: u32, d: u32) -> Exec<E> {
    fn mov<E: Arm, W: Int>(e: &mut E, lane: u32, n: u32, d: u32) -> Exec<E> {
        e.check_fp()?;
        let v = e.v(n);
        let x = e.lane::<W>(v, lane);
        e.set_x::<W>(d, x);
        Ok(Flow::Next)
    }
    match element(i) {
        Some((0, lane)) if q == 0 => mov::<E, W8>(e, lane, n, d),
        Some((1, lane)) if q == 0 => mov::<E, W16>(e, lane, n, d),
        Some((2, lane)) if q == 0 => mov::<E, W32>(e, lane, n, d),
        Some((3, lane)) if q != 0 => mov::<E, W64>(e, lane, n, d),
        _ => e.undefined(),
    }
}

/// INS (general): replaces an element by a general register. [C7.2.197]
fn ins_general<E: Arm>(e: &mut E, i: u32, n: u32, d: u32) -> Exec<E> {
    fn ins<E: Arm, W: Int>(e: &mut E, lane: u32, n: u32, d: u32) -> Exec<E> {
        e.check_fp()?;
        let (v, x) = (e.v(d), e.x::<W>(n));
        let r = e.set_lane::<W>(v, lane, x);
        e.set_v(d, r);
        Ok(Flow::Next)
    }
    match element(i) {
        Some((0, lane)) => ins::<E, W8>(e, lane, n, d),
        Some((1, lane)) => ins::<E, W16>(e, lane, n, d),
        Some((2, lane)) => ins::<E, W32>(e, lane, n, d),
        Some((_, lane)) => ins::<E, W64>(e, lane, n, d),
        None => e.undefined(),
    }
}

/// INS (element): replaces an element by another vector's. [C7.2.196]
fn ins_element<E: Arm>(e: &mut E, i: u32, j: u32, n: u32, d: u32) -> Exec<E> {
    let Some((log2, lane)) = element(i) else { return e.undefined() };
    e.check_fp()?;
    let (from, to) = (e.v(n), e.v(d));
    let x = element_of(e, log2, from, j >> log2);
    let r = set_element(e, log2, to, lane, x);
    e.set_v(d, r);
    Ok(Flow::Next)
}

/// `VFPExpandImm(imm8)` for a format with `exponent` and `fraction` bits.
pub(super) fn expand_imm(imm8: u64, exponent: u32, fraction: u32) -> u64 {
    let (sign, b, rest) = (imm8 >> 7, imm8 >> 6 & 1, imm8 & 0x3F);
    let repeated = if b == 1 { (1 << (exponent - 3)) - 1 } else { 0 };
    let exp = (b ^ 1) << (exponent - 1) | repeated << 2 | rest >> 4;
    (sign << exponent | exp) << fraction | (rest & 15) << (fraction - 4)
}

/// `AdvSIMDExpandImm(op, cmode, imm8)`: 64 bits.
fn advsimd_expand(op: u32, cmode: u32, imm8: u64) -> u64 {
    const WORDS: u64 = 0x0000_0001_0000_0001;
    const HALVES: u64 = 0x0001_0001_0001_0001;
    match (cmode, op) {
        (0..=7, _) => (imm8 << (8 * (cmode >> 1))) * WORDS,
        (8..=11, _) => (imm8 << (8 * (cmode >> 1 & 1))) * HALVES,
        (12, _) => (imm8 << 8 | 0xFF) * WORDS,
        (13, _) => (imm8 << 16 | 0xFFFF) * WORDS,
        (14, 0) => imm8 * 0x0101_0101_0101_0101,
        (14, _) => (0..8).filter(|i| imm8 >> i & 1 != 0).fold(0, |r, i| r | 0xFF << (8 * i)),
        (_, 0) => expand_imm(imm8, 8, 23) * WORDS,
        _ => expand_imm(imm8, 11, 52),
    }
}

/// MOVI, MVNI, ORR and BIC (vector, immediate), FMOV (vector, immediate). [C7.2.20, C7.2.127, C7.2.234, C7.2.240,
/// C7.2.244]
fn modified_immediate<E: Arm>(e: &mut E, q: u32, op: u32, a: u32, cmode: u32, b: u32, d: u32) -> Exec<E> {
    if cmode == 15 && op == 1 && q == 0 {
        return e.undefined();
    }
    e.check_fp()?;
    let imm = advsimd_expand(op, cmode, (a << 5 | b) as u64) as u128;
    let l = Lanes::q(3, q);
    let imm = (imm | imm << 64) & l.used();
    // Odd modes up to 11 combine with the register.
    let r = if cmode < 12 && cmode & 1 == 1 {
        let (old, imm) = (e.v(d), e.lit::<W128>(imm));
        e.v2(if op == 0 { VecOp::Or } else { VecOp::AndNot }, l, old, imm)
    } else if op == 1 && cmode < 14 {
        e.lit::<W128>(!imm & l.used())
    } else {
        e.lit::<W128>(imm)
    };
    e.set_v(d, r);
    Ok(Flow::Next)
}

/// FMOV (vector, immediate), half-precision. [C7.2.127]
fn fmov_half<E: Arm>(e: &mut E, q: u32, a: u32, b: u32, d: u32) -> Exec<E> {
    e.check_fp()?;
    let x = expand_imm((a << 5 | b) as u64, 5, 10);
    let v = Lanes::q(1, q).build(|_| x as u128);
    let v = e.lit::<W128>(v);
    e.set_v(d, v);
    Ok(Flow::Next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floating_immediates_expand() {
        for imm8 in 0..=255u64 {
            let (single, double) = (expand_imm(imm8, 8, 23), expand_imm(imm8, 11, 52));
            assert_eq!(f32::from_bits(single as u32) as f64, f64::from_bits(double));
        }
        assert_eq!(f64::from_bits(expand_imm(0x70, 11, 52)), 1.0);
        assert_eq!(expand_imm(0x70, 5, 10), 0x3C00);
        assert_eq!(advsimd_expand(1, 14, 0x81), 0xFF00_0000_0000_00FF);
    }
}
