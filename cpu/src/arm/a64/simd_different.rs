//! Advanced SIMD three registers of different types, and scalar forms (DDI 0487 C4.1.96): long, wide and narrow
//! arithmetic.

use super::simd::{Sizes, set_part};
use crate::arm::emit::Arm;
use crate::arm::features;
use crate::emit::{Exec, Flow};
use crate::vec::{Lanes, Part, VecOp};
use crate::width::W128;

crate::rows! { Arm;
    "SADDL"  "0 Q 0 01110 zz 1 mmmmm 0000 00 nnnnn ddddd" (Q, z, m, n, d) => saddl;
    "UADDL"  "0 Q 1 01110 zz 1 mmmmm 0000 00 nnnnn ddddd" (Q, z, m, n, d) => uaddl;
    "SADDW"  "0 Q 0 01110 zz 1 mmmmm 0001 00 nnnnn ddddd" (Q, z, m, n, d) => saddw;
    "UADDW"  "0 Q 1 01110 zz 1 mmmmm 0001 00 nnnnn ddddd" (Q, z, m, n, d) => uaddw;
    "SSUBL"  "0 Q 0 01110 zz 1 mmmmm 0010 00 nnnnn ddddd" (Q, z, m, n, d) => ssubl;
    "USUBL"  "0 Q 1 01110 zz 1 mmmmm 0010 00 nnnnn ddddd" (Q, z, m, n, d) => usubl;
    "SSUBW"  "0 Q 0 01110 zz 1 mmmmm 0011 00 nnnnn ddddd" (Q, z, m, n, d) => ssubw;
    "USUBW"  "0 Q 1 01110 zz 1 mmmmm 0011 00 nnnnn ddddd" (Q, z, m, n, d) => usubw;
    "ADDHN"  "0 Q 0 01110 zz 1 mmmmm 0100 00 nnnnn ddddd" (Q, z, m, n, d) => addhn;
    "RADDHN" "0 Q 1 01110 zz 1 mmmmm 0100 00 nnnnn ddddd" (Q, z, m, n, d) => raddhn;
    "SABAL"  "0 Q 0 01110 zz 1 mmmmm 0101 00 nnnnn ddddd" (Q, z, m, n, d) => sabal;
    "UABAL"  "0 Q 1 01110 zz 1 mmmmm 0101 00 nnnnn ddddd" (Q, z, m, n, d) => uabal;
    "SUBHN"  "0 Q 0 01110 zz 1 mmmmm 0110 00 nnnnn ddddd" (Q, z, m, n, d) => subhn;
    "RSUBHN" "0 Q 1 01110 zz 1 mmmmm 0110 00 nnnnn ddddd" (Q, z, m, n, d) => rsubhn;
    "SABDL"  "0 Q 0 01110 zz 1 mmmmm 0111 00 nnnnn ddddd" (Q, z, m, n, d) => sabdl;
    "UABDL"  "0 Q 1 01110 zz 1 mmmmm 0111 00 nnnnn ddddd" (Q, z, m, n, d) => uabdl;
    "SMLAL (vector)" "0 Q 0 01110 zz 1 mmmmm 1000 00 nnnnn ddddd" (Q, z, m, n, d) => smlal;
    "UMLAL (vector)" "0 Q 1 01110 zz 1 mmmmm 1000 00 nnnnn ddddd" (Q, z, m, n, d) => umlal;
    "SQDMLAL (vector)" "0 Q 0 01110 zz 1 mmmmm 1001 00 nnnnn ddddd" (Q, z, m, n, d) => sqdmlal;
    "SMLSL (vector)" "0 Q 0 01110 zz 1 mmmmm 1010 00 nnnnn ddddd" (Q, z, m, n, d) => smlsl;
    "UMLSL (vector)" "0 Q 1 01110 zz 1 mmmmm 1010 00 nnnnn ddddd" (Q, z, m, n, d) => umlsl;
    "SQDMLSL (vector)" "0 Q 0 01110 zz 1 mmmmm 1011 00 nnnnn ddddd" (Q, z, m, n, d) => sqdmlsl;
    "SMULL (vector)" "0 Q 0 01110 zz 1 mmmmm 1100 00 nnnnn ddddd" (Q, z, m, n, d) => smull;
    "UMULL (vector)" "0 Q 1 01110 zz 1 mmmmm 1100 00 nnnnn ddddd" (Q, z, m, n, d) => umull;
    "SQDMULL (vector)" "0 Q 0 01110 zz 1 mmmmm 1101 00 nnnnn ddddd" (Q, z, m, n, d) => sqdmull;
    "PMULL (8-bit)"  "0 Q 0 01110 00 1 mmmmm 1110 00 nnnnn ddddd" (Q, m, n, d) => pmull_8;
    "PMULL (64-bit)" "0 Q 0 01110 11 1 mmmmm 1110 00 nnnnn ddddd" (Q, m, n, d) if features::PMULL => pmull_64;
    "SQDMLAL (scalar)" "01 0 11110 zz 1 mmmmm 1001 00 nnnnn ddddd" (z, m, n, d) => sqdmlal_s;
    "SQDMLSL (scalar)" "01 0 11110 zz 1 mmmmm 1011 00 nnnnn ddddd" (z, m, n, d) => sqdmlsl_s;
    "SQDMULL (scalar)" "01 0 11110 zz 1 mmmmm 1101 00 nnnnn ddddd" (z, m, n, d) => sqdmull_s;
}

/// What a long or wide form computes from its operands.
#[derive(Clone, Copy)]
pub(super) enum Source {
    /// Both operands extended, then combined in the wide size.
    Long(VecOp, VecOp),
    /// The second operand extended, then combined with the first in the wide size.
    Wide(VecOp, VecOp),
    /// A widening product.
    Product(VecOp),
}

/// `V[d] = source(V[n], b)`, or accumulated into `V[d]` by an operation of the wide size. `l` names the narrow elements,
/// `half` where they are.
pub(super) fn long<E: Arm>(
    e: &mut E,
    source: Source,
    accumulate: Option<VecOp>,
    (l, half): (Lanes, u32),
    b: E::Val<W128>,
    n: u32,
    d: u32,
) -> Exec<E> {
    let (w, a) = (if l.part == Part::Scalar { l.wider() } else { Lanes::full(l.log2 as u32 + 1) }, e.v(n));
    let r = match source {
        Source::Long(extend, op) => {
            let (a, b) = (e.vi(extend, l, half, a), e.vi(extend, l, half, b));
            e.v2(op, w, a, b)
        }
        Source::Wide(extend, op) => {
            let b = e.vi(extend, l, half, b);
            e.v2(op, w, a, b)
        }
        Source::Product(op) => e.vec(op, l, half, a, b, b),
    };
    let r = match accumulate {
        Some(op) => {
            let old = e.v(d);
            e.v2(op, w, old, r)
        }
        None => r,
    };
    e.set_v(d, r);
    Ok(Flow::Next)
}

macro_rules! longs { ($($(#[$doc:meta])* $name:ident $sizes:ident $source:expr, $acc:expr $(, $scalar:ident)?;)*) => { $(
    $(#[$doc])*
    fn $name<E: Arm>(e: &mut E, q: u32, size: u32, m: u32, n: u32, d: u32) -> Exec<E> {
        if !Sizes::$sizes.allow(q, size) {
            return e.undefined();
        }
        e.check_fp()?;
        let b = e.v(m);
        long(e, $source, $acc, (Lanes::full(size), q), b, n, d)
    }
    $(
        /// The scalar form.
        fn $scalar<E: Arm>(e: &mut E, size: u32, m: u32, n: u32, d: u32) -> Exec<E> {
            if !Sizes::$sizes.allow(0, size) {
                return e.undefined();
            }
            e.check_fp()?;
            let b = e.v(m);
            long(e, $source, $acc, (Lanes::scalar(size), 0), b, n, d)
        }
    )?
)* } }
use Source::{Long, Product, Wide};
use VecOp::{Add, DiffS, DiffU, ExtendS, ExtendU, MulWideS, MulWideU, SatAddS, SatMulWide, SatSubS, Sub};
longs! {
    /// SADDL: long sum, signed. [C7.2.265]
    saddl UpTo32 Long(ExtendS, Add), None;
    /// UADDL: long sum, unsigned. [C7.2.390]
    uaddl UpTo32 Long(ExtendU, Add), None;
    /// SADDW: wide sum, signed. [C7.2.268]
    saddw UpTo32 Wide(ExtendS, Add), None;
    /// UADDW: wide sum, unsigned. [C7.2.393]
    uaddw UpTo32 Wide(ExtendU, Add), None;
    /// SSUBL: long difference, signed. [C7.2.350]
    ssubl UpTo32 Long(ExtendS, Sub), None;
    /// USUBL: long difference, unsigned. [C7.2.436]
    usubl UpTo32 Long(ExtendU, Sub), None;
    /// SSUBW: wide difference, signed. [C7.2.351]
    ssubw UpTo32 Wide(ExtendS, Sub), None;
    /// USUBW: wide difference, unsigned. [C7.2.437]
    usubw UpTo32 Wide(ExtendU, Sub), None;
    /// SABAL: accumulates long absolute differences, signed. [C7.2.261]
    sabal UpTo32 Long(ExtendS, DiffS), Some(Add);
    /// UABAL: accumulates long absolute differences, unsigned. [C7.2.386]
    uabal UpTo32 Long(ExtendU, DiffU), Some(Add);
    /// SABDL: long absolute difference, signed. [C7.2.263]
    sabdl UpTo32 Long(ExtendS, DiffS), None;
    /// UABDL: long absolute difference, unsigned. [C7.2.388]
    uabdl UpTo32 Long(ExtendU, DiffU), None;
    /// SMLAL (vector): accumulates long products, signed. [C7.2.297]
    smlal UpTo32 Product(MulWideS), Some(Add);
    /// UMLAL (vector): accumulates long products, unsigned. [C7.2.408]
    umlal UpTo32 Product(MulWideU), Some(Add);
    /// SMLSL (vector): subtracts long products, signed. [C7.2.299]
    smlsl UpTo32 Product(MulWideS), Some(Sub);
    /// UMLSL (vector): subtracts long products, unsigned. [C7.2.410]
    umlsl UpTo32 Product(MulWideU), Some(Sub);
    /// SMULL (vector): long product, signed. [C7.2.302]
    smull UpTo32 Product(MulWideS), None;
    /// UMULL (vector): long product, unsigned. [C7.2.414]
    umull UpTo32 Product(MulWideU), None;
    /// SQDMLAL (vector): accumulates saturated doubled products. [C7.2.299]
    sqdmlal Mid Product(SatMulWide), Some(SatAddS), sqdmlal_s;
    /// SQDMLSL (vector): subtracts saturated doubled products. [C7.2.302]
    sqdmlsl Mid Product(SatMulWide), Some(SatSubS), sqdmlsl_s;
    /// SQDMULL (vector): saturated doubled product. [C7.2.308]
    sqdmull Mid Product(SatMulWide), None, sqdmull_s;
}

macro_rules! high_narrow { ($($(#[$doc:meta])* $name:ident $op:ident $shift:ident;)*) => { $(
    $(#[$doc])*
    fn $name<E: Arm>(e: &mut E, q: u32, size: u32, m: u32, n: u32, d: u32) -> Exec<E> {
        if !Sizes::UpTo32.allow(q, size) {
            return e.undefined();
        }
        e.check_fp()?;
        let (l, w) = (Lanes::full(size), Lanes::full(size + 1));
        let (a, b) = (e.v(n), e.v(m));
        let r = e.v2(VecOp::$op, w, a, b);
        let r = e.vi(VecOp::$shift, w, l.bits(), r);
        let r = e.v1(VecOp::Narrow, l, r);
        set_part(e, d, q, r);
        Ok(Flow::Next)
    }
)* } }
high_narrow! {
    /// ADDHN: high halves of sums. [C7.2.3]
    addhn Add ShrU;
    /// RADDHN: high halves of rounded sums. [C7.2.250]
    raddhn Add RoundShrU;
    /// SUBHN: high halves of differences. [C7.2.375]
    subhn Sub ShrU;
    /// RSUBHN: high halves of rounded differences. [C7.2.259]
    rsubhn Sub RoundShrU;
}

/// PMULL: carry-less product of bytes. [C7.2.247]
fn pmull_8<E: Arm>(e: &mut E, q: u32, m: u32, n: u32, d: u32) -> Exec<E> {
    e.check_fp()?;
    let b = e.v(m);
    long(e, Product(VecOp::MulWidePoly), None, (Lanes::full(0), q), b, n, d)
}

/// PMULL: carry-less product of doublewords. [C7.2.247]
fn pmull_64<E: Arm>(e: &mut E, q: u32, m: u32, n: u32, d: u32) -> Exec<E> {
    e.check_fp()?;
    let b = e.v(m);
    long(e, Product(VecOp::MulWidePoly), None, (Lanes::full(3), q), b, n, d)
}
