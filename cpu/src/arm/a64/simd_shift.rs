//! Advanced SIMD shift by immediate, and scalar forms (DDI 0487 C4.1.96). The position of the leading one of `immh` is
//! the element size; conversions between fixed and floating point are with floating point.

use super::simd::{set_part, splat};
use crate::arm::emit::Arm;
use crate::emit::{Exec, Flow};
use crate::vec::{Lanes, VecOp};
use crate::width::W128;

crate::rows! { Arm;
    "SSHR"   "0 Q 0 011110 !hhhh bbb 00000 1 nnnnn ddddd" (Q, h, b, n, d) => sshr
        {Q=1 h=4} {Q=1 h=5} {Q=1 h=6} {Q=1 h=7} {Q=0 h=4} {Q=0 h=5} {Q=0 h=6} {Q=0 h=7};
    "USHR"   "0 Q 1 011110 !hhhh bbb 00000 1 nnnnn ddddd" (Q, h, b, n, d) => ushr
        {Q=1 h=4} {Q=1 h=5} {Q=1 h=6} {Q=1 h=7} {Q=0 h=4} {Q=0 h=5} {Q=0 h=6} {Q=0 h=7};
    "SSRA"   "0 Q 0 011110 !hhhh bbb 00010 1 nnnnn ddddd" (Q, h, b, n, d) => ssra;
    "USRA"   "0 Q 1 011110 !hhhh bbb 00010 1 nnnnn ddddd" (Q, h, b, n, d) => usra
        {Q=1 h=4} {Q=1 h=5} {Q=1 h=6} {Q=1 h=7} {Q=0 h=4} {Q=0 h=5} {Q=0 h=6} {Q=0 h=7};
    "SRSHR"  "0 Q 0 011110 !hhhh bbb 00100 1 nnnnn ddddd" (Q, h, b, n, d) => srshr;
    "URSHR"  "0 Q 1 011110 !hhhh bbb 00100 1 nnnnn ddddd" (Q, h, b, n, d) => urshr;
    "SRSRA"  "0 Q 0 011110 !hhhh bbb 00110 1 nnnnn ddddd" (Q, h, b, n, d) => srsra;
    "URSRA"  "0 Q 1 011110 !hhhh bbb 00110 1 nnnnn ddddd" (Q, h, b, n, d) => ursra;
    "SRI"    "0 Q 1 011110 !hhhh bbb 01000 1 nnnnn ddddd" (Q, h, b, n, d) => sri
        {Q=1 h=4} {Q=1 h=5} {Q=1 h=6} {Q=1 h=7} {Q=0 h=4} {Q=0 h=5} {Q=0 h=6} {Q=0 h=7};
    "SHL"    "0 Q 0 011110 !hhhh bbb 01010 1 nnnnn ddddd" (Q, h, b, n, d) => shl
        {Q=1 h=4} {Q=1 h=5} {Q=1 h=6} {Q=1 h=7} {Q=0 h=4} {Q=0 h=5} {Q=0 h=6} {Q=0 h=7};
    "SLI"    "0 Q 1 011110 !hhhh bbb 01010 1 nnnnn ddddd" (Q, h, b, n, d) => sli
        {Q=1 h=4} {Q=1 h=5} {Q=1 h=6} {Q=1 h=7} {Q=0 h=4} {Q=0 h=5} {Q=0 h=6} {Q=0 h=7};
    "SQSHLU" "0 Q 1 011110 !hhhh bbb 01100 1 nnnnn ddddd" (Q, h, b, n, d) => sqshlu;
    "SQSHL (immediate)" "0 Q 0 011110 !hhhh bbb 01110 1 nnnnn ddddd" (Q, h, b, n, d) => sqshl;
    "UQSHL (immediate)" "0 Q 1 011110 !hhhh bbb 01110 1 nnnnn ddddd" (Q, h, b, n, d) => uqshl;
    "SHRN"     "0 Q 0 011110 !hhhh bbb 10000 1 nnnnn ddddd" (Q, h, b, n, d) => shrn;
    "SQSHRUN"  "0 Q 1 011110 !hhhh bbb 10000 1 nnnnn ddddd" (Q, h, b, n, d) => sqshrun;
    "RSHRN"    "0 Q 0 011110 !hhhh bbb 10001 1 nnnnn ddddd" (Q, h, b, n, d) => rshrn;
    "SQRSHRUN" "0 Q 1 011110 !hhhh bbb 10001 1 nnnnn ddddd" (Q, h, b, n, d) => sqrshrun;
    "SQSHRN"   "0 Q 0 011110 !hhhh bbb 10010 1 nnnnn ddddd" (Q, h, b, n, d) => sqshrn;
    "UQSHRN"   "0 Q 1 011110 !hhhh bbb 10010 1 nnnnn ddddd" (Q, h, b, n, d) => uqshrn;
    "SQRSHRN"  "0 Q 0 011110 !hhhh bbb 10011 1 nnnnn ddddd" (Q, h, b, n, d) => sqrshrn;
    "UQRSHRN"  "0 Q 1 011110 !hhhh bbb 10011 1 nnnnn ddddd" (Q, h, b, n, d) => uqrshrn;
    "SSHLL"    "0 Q 0 011110 !hhhh bbb 10100 1 nnnnn ddddd" (Q, h, b, n, d) => sshll {Q=0 h=1} {Q=1 h=1} {Q=0 h=2} {Q=1 h=2} {Q=0 h=4} {Q=1 h=4};
    "USHLL"    "0 Q 1 011110 !hhhh bbb 10100 1 nnnnn ddddd" (Q, h, b, n, d) => ushll {Q=0 h=1} {Q=1 h=1} {Q=0 h=2} {Q=1 h=2} {Q=0 h=4} {Q=1 h=4};
    "SSHR (scalar)"   "01 0 111110 !hhhh bbb 00000 1 nnnnn ddddd" (h, b, n, d) => sshr_s;
    "USHR (scalar)"   "01 1 111110 !hhhh bbb 00000 1 nnnnn ddddd" (h, b, n, d) => ushr_s;
    "SSRA (scalar)"   "01 0 111110 !hhhh bbb 00010 1 nnnnn ddddd" (h, b, n, d) => ssra_s;
    "USRA (scalar)"   "01 1 111110 !hhhh bbb 00010 1 nnnnn ddddd" (h, b, n, d) => usra_s;
    "SRSHR (scalar)"  "01 0 111110 !hhhh bbb 00100 1 nnnnn ddddd" (h, b, n, d) => srshr_s;
    "URSHR (scalar)"  "01 1 111110 !hhhh bbb 00100 1 nnnnn ddddd" (h, b, n, d) => urshr_s;
    "SRSRA (scalar)"  "01 0 111110 !hhhh bbb 00110 1 nnnnn ddddd" (h, b, n, d) => srsra_s;
    "URSRA (scalar)"  "01 1 111110 !hhhh bbb 00110 1 nnnnn ddddd" (h, b, n, d) => ursra_s;
    "SRI (scalar)"    "01 1 111110 !hhhh bbb 01000 1 nnnnn ddddd" (h, b, n, d) => sri_s;
    "SHL (scalar)"    "01 0 111110 !hhhh bbb 01010 1 nnnnn ddddd" (h, b, n, d) => shl_s;
    "SLI (scalar)"    "01 1 111110 !hhhh bbb 01010 1 nnnnn ddddd" (h, b, n, d) => sli_s;
    "SQSHLU (scalar)" "01 1 111110 !hhhh bbb 01100 1 nnnnn ddddd" (h, b, n, d) => sqshlu_s;
    "SQSHL (immediate, scalar)" "01 0 111110 !hhhh bbb 01110 1 nnnnn ddddd" (h, b, n, d) => sqshl_s;
    "UQSHL (immediate, scalar)" "01 1 111110 !hhhh bbb 01110 1 nnnnn ddddd" (h, b, n, d) => uqshl_s;
    "SQSHRUN (scalar)"  "01 1 111110 !hhhh bbb 10000 1 nnnnn ddddd" (h, b, n, d) => sqshrun_s;
    "SQRSHRUN (scalar)" "01 1 111110 !hhhh bbb 10001 1 nnnnn ddddd" (h, b, n, d) => sqrshrun_s;
    "SQSHRN (scalar)"   "01 0 111110 !hhhh bbb 10010 1 nnnnn ddddd" (h, b, n, d) => sqshrn_s;
    "UQSHRN (scalar)"   "01 1 111110 !hhhh bbb 10010 1 nnnnn ddddd" (h, b, n, d) => uqshrn_s;
    "SQRSHRN (scalar)"  "01 0 111110 !hhhh bbb 10011 1 nnnnn ddddd" (h, b, n, d) => sqrshrn_s;
    "UQRSHRN (scalar)"  "01 1 111110 !hhhh bbb 10011 1 nnnnn ddddd" (h, b, n, d) => uqrshrn_s;
}

/// log2 of the element size in bytes that `immh`, which is not zero, selects.
#[inline(always)]
fn log2(immh: u32) -> u32 {
    31 - (immh & 15 | 1).leading_zeros()
}

/// The count of a right shift.
#[inline(always)]
fn right(immh: u32, immb: u32) -> u32 {
    (16 << log2(immh)) - (immh << 3 | immb)
}

/// The count of a left shift.
#[inline(always)]
fn left(immh: u32, immb: u32) -> u32 {
    (immh << 3 | immb) - (8 << log2(immh))
}

macro_rules! shifts { ($($(#[$doc:meta])* $name:ident $scalar:ident $count:ident $only:literal:
        |$e:ident, $l:ident, $k:ident, $a:ident, $d:ident| $r:expr;)*) => { $(
    $(#[$doc])*
    #[inline(always)]
    fn $name<E: Arm>($e: &mut E, q: u32, h: u32, b: u32, n: u32, d: u32) -> Exec<E> {
        if h & 8 != 0 && q == 0 {
            return $e.undefined();
        }
        $e.check_fp()?;
        let ($l, $k, $a, $d) = (Lanes::q(log2(h), q), $count(h, b), $e.v(n), $e.v(d));
        let r = $r;
        $e.set_v(d, r);
        Ok(Flow::Next)
    }
    $(#[$doc])*
    fn $scalar<E: Arm>($e: &mut E, h: u32, b: u32, n: u32, d: u32) -> Exec<E> {
        if $only && h & 8 == 0 {
            return $e.undefined();
        }
        $e.check_fp()?;
        let ($l, $k, $a, $d) = (Lanes::scalar(log2(h)), $count(h, b), $e.v(n), $e.v(d));
        let r = $r;
        $e.set_v(d, r);
        Ok(Flow::Next)
    }
)* } }

/// Shifts by `op` and adds to the destination.
#[inline(always)]
fn accumulate<E: Arm>(
    e: &mut E,
    op: VecOp,
    l: Lanes,
    k: u32,
    a: E::Val<W128>,
    d: E::Val<W128>,
) -> E::Val<W128> {
    let x = e.vi(op, l, k, a);
    e.v2(VecOp::Add, l, d, x)
}

/// Shifts by `op` and inserts the bits that the shift of all ones keeps.
fn insert<E: Arm>(e: &mut E, op: VecOp, l: Lanes, k: u32, a: E::Val<W128>, d: E::Val<W128>) -> E::Val<W128> {
    let x = e.vi(op, l, k, a);
    let ones = l.mask() as u64;
    let kept = if op == VecOp::Shl { ones << k } else { ones.checked_shr(k).unwrap_or(0) };
    let mask = splat(e, l.log2 as u32, kept);
    e.vec(VecOp::Select, l, 0, x, d, mask)
}

/// A saturating shift by a constant, in terms of the shift by registers.
fn saturate<E: Arm>(e: &mut E, op: VecOp, l: Lanes, k: u32, a: E::Val<W128>) -> E::Val<W128> {
    let count = splat(e, l.log2 as u32, k as u64);
    e.v2(op, l, a, count)
}

shifts! {
    /// SSHR. [C7.2.348]
    sshr sshr_s right true: |e, l, k, a, _d| e.vi(VecOp::ShrS, l, k, a);
    /// USHR. [C7.2.433]
    ushr ushr_s right true: |e, l, k, a, _d| e.vi(VecOp::ShrU, l, k, a);
    /// SSRA: accumulates. [C7.2.349]
    ssra ssra_s right true: |e, l, k, a, d| accumulate(e, VecOp::ShrS, l, k, a, d);
    /// USRA: accumulates. [C7.2.435]
    usra usra_s right true: |e, l, k, a, d| accumulate(e, VecOp::ShrU, l, k, a, d);
    /// SRSHR: rounds. [C7.2.344]
    srshr srshr_s right true: |e, l, k, a, _d| e.vi(VecOp::RoundShrS, l, k, a);
    /// URSHR: rounds. [C7.2.427]
    urshr urshr_s right true: |e, l, k, a, _d| e.vi(VecOp::RoundShrU, l, k, a);
    /// SRSRA: rounds and accumulates. [C7.2.345]
    srsra srsra_s right true: |e, l, k, a, d| accumulate(e, VecOp::RoundShrS, l, k, a, d);
    /// URSRA: rounds and accumulates. [C7.2.429]
    ursra ursra_s right true: |e, l, k, a, d| accumulate(e, VecOp::RoundShrU, l, k, a, d);
    /// SRI: inserts. [C7.2.342]
    sri sri_s right true: |e, l, k, a, d| insert(e, VecOp::ShrU, l, k, a, d);
    /// SHL. [C7.2.285]
    shl shl_s left true: |e, l, k, a, _d| e.vi(VecOp::Shl, l, k, a);
    /// SLI: inserts. [C7.2.289]
    sli sli_s left true: |e, l, k, a, d| insert(e, VecOp::Shl, l, k, a, d);
    /// SQSHLU: signed to unsigned. [C7.2.331]
    sqshlu sqshlu_s left false: |e, l, k, a, _d| e.vi(VecOp::SatShlSU, l, k, a);
    /// SQSHL (immediate). [C7.2.329]
    sqshl sqshl_s left false: |e, l, k, a, _d| saturate(e, VecOp::SatShiftS, l, k, a);
    /// UQSHL (immediate). [C7.2.420]
    uqshl uqshl_s left false: |e, l, k, a, _d| saturate(e, VecOp::SatShiftU, l, k, a);
}

macro_rules! narrows { ($($(#[$doc:meta])* $name:ident $shift:ident $narrow:ident $(, $scalar:ident)?;)*) => { $(
    $(#[$doc])*
    #[inline(always)]
    fn $name<E: Arm>(e: &mut E, q: u32, h: u32, b: u32, n: u32, d: u32) -> Exec<E> {
        if h & 8 != 0 {
            return e.undefined();
        }
        e.check_fp()?;
        let (l, a) = (Lanes::full(log2(h)), e.v(n));
        let x = e.vi(VecOp::$shift, l.wider(), right(h, b), a);
        let r = e.v1(VecOp::$narrow, l, x);
        set_part(e, d, q, r);
        Ok(Flow::Next)
    }
    $(
        /// The scalar form.
        fn $scalar<E: Arm>(e: &mut E, h: u32, b: u32, n: u32, d: u32) -> Exec<E> {
            if h & 8 != 0 {
                return e.undefined();
            }
            e.check_fp()?;
            let (l, a) = (Lanes::scalar(log2(h)), e.v(n));
            let x = e.vi(VecOp::$shift, l.wider(), right(h, b), a);
            let r = e.v1(VecOp::$narrow, l, x);
            e.set_v(d, r);
            Ok(Flow::Next)
        }
    )?
)* } }
narrows! {
    /// SHRN. [C7.2.287]
    shrn ShrU Narrow;
    /// RSHRN: rounds. [C7.2.258]
    rshrn RoundShrU Narrow;
    /// SQSHRN. [C7.2.334]
    sqshrn ShrS SatNarrowS, sqshrn_s;
    /// UQSHRN. [C7.2.422]
    uqshrn ShrU SatNarrowU, uqshrn_s;
    /// SQRSHRN: rounds. [C7.2.325]
    sqrshrn RoundShrS SatNarrowS, sqrshrn_s;
    /// UQRSHRN: rounds. [C7.2.419]
    uqrshrn RoundShrU SatNarrowU, uqrshrn_s;
    /// SQSHRUN: signed to unsigned. [C7.2.335]
    sqshrun ShrS SatNarrowSU, sqshrun_s;
    /// SQRSHRUN: rounds, signed to unsigned. [C7.2.326]
    sqrshrun RoundShrS SatNarrowSU, sqrshrun_s;
}

macro_rules! longs { ($($(#[$doc:meta])* $name:ident $extend:ident;)*) => { $(
    $(#[$doc])*
    #[inline(always)]
    fn $name<E: Arm>(e: &mut E, q: u32, h: u32, b: u32, n: u32, d: u32) -> Exec<E> {
        if h & 8 != 0 {
            return e.undefined();
        }
        e.check_fp()?;
        let (l, a) = (Lanes::full(log2(h)), e.v(n));
        let x = e.vi(VecOp::$extend, l, q, a);
        let r = if left(h, b) == 0 { x } else { e.vi(VecOp::Shl, l.wider(), left(h, b), x) };
        e.set_v(d, r);
        Ok(Flow::Next)
    }
)* } }
longs! {
    /// SSHLL: extends, signed, and shifts. [C7.2.347]
    sshll ExtendS;
    /// USHLL: extends, unsigned, and shifts. [C7.2.432]
    ushll ExtendU;
}
