//! Advanced SIMD three registers of the same type, and scalar forms (DDI 0487 C4.1.96): integer arithmetic, logic,
//! comparison, shifts by registers; rounding doubling multiply accumulate, dot and matrix products.

use super::simd::{Sizes, pairwise};
use crate::arm::emit::Arm;
use crate::arm::features;
use crate::emit::{Exec, Flow};
use crate::vec::{Lanes, VecOp};

crate::rows! { Arm;
    "SHADD"  "0 Q 0 01110 zz 1 mmmmm 00000 1 nnnnn ddddd" (Q, z, m, n, d) => shadd;
    "UHADD"  "0 Q 1 01110 zz 1 mmmmm 00000 1 nnnnn ddddd" (Q, z, m, n, d) => uhadd;
    "SQADD"  "0 Q 0 01110 zz 1 mmmmm 00001 1 nnnnn ddddd" (Q, z, m, n, d) => sqadd;
    "UQADD"  "0 Q 1 01110 zz 1 mmmmm 00001 1 nnnnn ddddd" (Q, z, m, n, d) => uqadd;
    "SRHADD" "0 Q 0 01110 zz 1 mmmmm 00010 1 nnnnn ddddd" (Q, z, m, n, d) => srhadd;
    "URHADD" "0 Q 1 01110 zz 1 mmmmm 00010 1 nnnnn ddddd" (Q, z, m, n, d) => urhadd;
    "AND (vector)"           "0 Q 0 01110 00 1 mmmmm 00011 1 nnnnn ddddd" (Q, m, n, d) => and_v {Q=1} {Q=0};
    "BIC (vector, register)" "0 Q 0 01110 01 1 mmmmm 00011 1 nnnnn ddddd" (Q, m, n, d) => bic_v {Q=1} {Q=0};
    "ORR (vector, register)" "0 Q 0 01110 10 1 mmmmm 00011 1 nnnnn ddddd" (Q, m, n, d) => orr_v {Q=1} {Q=0};
    "ORN (vector)"           "0 Q 0 01110 11 1 mmmmm 00011 1 nnnnn ddddd" (Q, m, n, d) => orn_v;
    "EOR (vector)"           "0 Q 1 01110 00 1 mmmmm 00011 1 nnnnn ddddd" (Q, m, n, d) => eor_v {Q=1} {Q=0};
    "BSL"    "0 Q 1 01110 01 1 mmmmm 00011 1 nnnnn ddddd" (Q, m, n, d) => bsl {Q=1} {Q=0};
    "BIT"    "0 Q 1 01110 10 1 mmmmm 00011 1 nnnnn ddddd" (Q, m, n, d) => bit {Q=1} {Q=0};
    "BIF"    "0 Q 1 01110 11 1 mmmmm 00011 1 nnnnn ddddd" (Q, m, n, d) => bif {Q=1} {Q=0};
    "SHSUB"  "0 Q 0 01110 zz 1 mmmmm 00100 1 nnnnn ddddd" (Q, z, m, n, d) => shsub;
    "UHSUB"  "0 Q 1 01110 zz 1 mmmmm 00100 1 nnnnn ddddd" (Q, z, m, n, d) => uhsub;
    "SQSUB"  "0 Q 0 01110 zz 1 mmmmm 00101 1 nnnnn ddddd" (Q, z, m, n, d) => sqsub;
    "UQSUB"  "0 Q 1 01110 zz 1 mmmmm 00101 1 nnnnn ddddd" (Q, z, m, n, d) => uqsub;
    "CMGT (register)" "0 Q 0 01110 zz 1 mmmmm 00110 1 nnnnn ddddd" (Q, z, m, n, d) => cmgt {Q=1 z=0} {Q=1 z=1} {Q=1 z=2} {Q=1 z=3} {Q=0 z=2};
    "CMHI (register)" "0 Q 1 01110 zz 1 mmmmm 00110 1 nnnnn ddddd" (Q, z, m, n, d) => cmhi {Q=1 z=0} {Q=1 z=1} {Q=1 z=2} {Q=1 z=3} {Q=0 z=2};
    "CMGE (register)" "0 Q 0 01110 zz 1 mmmmm 00111 1 nnnnn ddddd" (Q, z, m, n, d) => cmge {Q=1 z=0} {Q=1 z=1} {Q=1 z=2} {Q=1 z=3} {Q=0 z=2};
    "CMHS (register)" "0 Q 1 01110 zz 1 mmmmm 00111 1 nnnnn ddddd" (Q, z, m, n, d) => cmhs {Q=1 z=0} {Q=1 z=1} {Q=1 z=2} {Q=1 z=3} {Q=0 z=2};
    "SSHL"   "0 Q 0 01110 zz 1 mmmmm 01000 1 nnnnn ddddd" (Q, z, m, n, d) => sshl;
    "USHL"   "0 Q 1 01110 zz 1 mmmmm 01000 1 nnnnn ddddd" (Q, z, m, n, d) => ushl;
    "SQSHL (register)" "0 Q 0 01110 zz 1 mmmmm 01001 1 nnnnn ddddd" (Q, z, m, n, d) => sqshl;
    "UQSHL (register)" "0 Q 1 01110 zz 1 mmmmm 01001 1 nnnnn ddddd" (Q, z, m, n, d) => uqshl;
    "SRSHL"  "0 Q 0 01110 zz 1 mmmmm 01010 1 nnnnn ddddd" (Q, z, m, n, d) => srshl;
    "URSHL"  "0 Q 1 01110 zz 1 mmmmm 01010 1 nnnnn ddddd" (Q, z, m, n, d) => urshl;
    "SQRSHL" "0 Q 0 01110 zz 1 mmmmm 01011 1 nnnnn ddddd" (Q, z, m, n, d) => sqrshl;
    "UQRSHL" "0 Q 1 01110 zz 1 mmmmm 01011 1 nnnnn ddddd" (Q, z, m, n, d) => uqrshl;
    "SMAX"   "0 Q 0 01110 zz 1 mmmmm 01100 1 nnnnn ddddd" (Q, z, m, n, d) => smax {Q=1 z=0} {Q=1 z=1} {Q=1 z=2} {Q=1 z=3} {Q=0 z=2};
    "UMAX"   "0 Q 1 01110 zz 1 mmmmm 01100 1 nnnnn ddddd" (Q, z, m, n, d) => umax {Q=1 z=0} {Q=1 z=1} {Q=1 z=2} {Q=1 z=3} {Q=0 z=2};
    "SMIN"   "0 Q 0 01110 zz 1 mmmmm 01101 1 nnnnn ddddd" (Q, z, m, n, d) => smin {Q=1 z=0} {Q=1 z=1} {Q=1 z=2} {Q=1 z=3} {Q=0 z=2};
    "UMIN"   "0 Q 1 01110 zz 1 mmmmm 01101 1 nnnnn ddddd" (Q, z, m, n, d) => umin {Q=1 z=0} {Q=1 z=1} {Q=1 z=2} {Q=1 z=3} {Q=0 z=2};
    "SABD"   "0 Q 0 01110 zz 1 mmmmm 01110 1 nnnnn ddddd" (Q, z, m, n, d) => sabd;
    "UABD"   "0 Q 1 01110 zz 1 mmmmm 01110 1 nnnnn ddddd" (Q, z, m, n, d) => uabd;
    "SABA"   "0 Q 0 01110 zz 1 mmmmm 01111 1 nnnnn ddddd" (Q, z, m, n, d) => saba;
    "UABA"   "0 Q 1 01110 zz 1 mmmmm 01111 1 nnnnn ddddd" (Q, z, m, n, d) => uaba;
    "ADD (vector)" "0 Q 0 01110 zz 1 mmmmm 10000 1 nnnnn ddddd" (Q, z, m, n, d) => add {Q=1 z=0} {Q=1 z=1} {Q=1 z=2} {Q=1 z=3} {Q=0 z=2};
    "SUB (vector)" "0 Q 1 01110 zz 1 mmmmm 10000 1 nnnnn ddddd" (Q, z, m, n, d) => sub {Q=1 z=0} {Q=1 z=1} {Q=1 z=2} {Q=1 z=3} {Q=0 z=2};
    "CMTST"  "0 Q 0 01110 zz 1 mmmmm 10001 1 nnnnn ddddd" (Q, z, m, n, d) => cmtst;
    "CMEQ (register)" "0 Q 1 01110 zz 1 mmmmm 10001 1 nnnnn ddddd" (Q, z, m, n, d) => cmeq {Q=1 z=0} {Q=1 z=1} {Q=1 z=2} {Q=1 z=3} {Q=0 z=2};
    "MLA (vector)" "0 Q 0 01110 zz 1 mmmmm 10010 1 nnnnn ddddd" (Q, z, m, n, d) => mla {Q=1 z=0} {Q=1 z=1} {Q=1 z=2} {Q=1 z=3} {Q=0 z=2};
    "MLS (vector)" "0 Q 1 01110 zz 1 mmmmm 10010 1 nnnnn ddddd" (Q, z, m, n, d) => mls;
    "MUL (vector)" "0 Q 0 01110 zz 1 mmmmm 10011 1 nnnnn ddddd" (Q, z, m, n, d) => mul {Q=1 z=0} {Q=1 z=1} {Q=1 z=2} {Q=1 z=3} {Q=0 z=2};
    "PMUL"   "0 Q 1 01110 zz 1 mmmmm 10011 1 nnnnn ddddd" (Q, z, m, n, d) => pmul;
    "SMAXP"  "0 Q 0 01110 zz 1 mmmmm 10100 1 nnnnn ddddd" (Q, z, m, n, d) => smaxp;
    "UMAXP"  "0 Q 1 01110 zz 1 mmmmm 10100 1 nnnnn ddddd" (Q, z, m, n, d) => umaxp {Q=1 z=0} {Q=1 z=1} {Q=1 z=2} {Q=1 z=3} {Q=0 z=2};
    "SMINP"  "0 Q 0 01110 zz 1 mmmmm 10101 1 nnnnn ddddd" (Q, z, m, n, d) => sminp;
    "UMINP"  "0 Q 1 01110 zz 1 mmmmm 10101 1 nnnnn ddddd" (Q, z, m, n, d) => uminp;
    "SQDMULH (vector)"  "0 Q 0 01110 zz 1 mmmmm 10110 1 nnnnn ddddd" (Q, z, m, n, d) => sqdmulh;
    "SQRDMULH (vector)" "0 Q 1 01110 zz 1 mmmmm 10110 1 nnnnn ddddd" (Q, z, m, n, d) => sqrdmulh;
    "ADDP (vector)" "0 Q 0 01110 zz 1 mmmmm 10111 1 nnnnn ddddd" (Q, z, m, n, d) => addp {Q=1 z=0} {Q=1 z=1} {Q=1 z=2} {Q=1 z=3} {Q=0 z=2};
    "SQRDMLAH (vector)" "0 Q 1 01110 zz 0 mmmmm 10000 1 nnnnn ddddd" (Q, z, m, n, d) if features::RDM => sqrdmlah;
    "SQRDMLSH (vector)" "0 Q 1 01110 zz 0 mmmmm 10001 1 nnnnn ddddd" (Q, z, m, n, d) if features::RDM => sqrdmlsh;
    "SDOT (vector)"  "0 Q 0 01110 10 0 mmmmm 10010 1 nnnnn ddddd" (Q, m, n, d) if features::DOTPROD => sdot;
    "UDOT (vector)"  "0 Q 1 01110 10 0 mmmmm 10010 1 nnnnn ddddd" (Q, m, n, d) if features::DOTPROD => udot;
    "USDOT (vector)" "0 Q 0 01110 10 0 mmmmm 10011 1 nnnnn ddddd" (Q, m, n, d) if features::I8MM => usdot;
    "SMMLA (vector)"  "0 1 0 01110 10 0 mmmmm 10100 1 nnnnn ddddd" (m, n, d) if features::I8MM => smmla;
    "UMMLA (vector)"  "0 1 1 01110 10 0 mmmmm 10100 1 nnnnn ddddd" (m, n, d) if features::I8MM => ummla;
    "USMMLA (vector)" "0 1 0 01110 10 0 mmmmm 10101 1 nnnnn ddddd" (m, n, d) if features::I8MM => usmmla;

    "SQADD (scalar)" "01 0 11110 zz 1 mmmmm 00001 1 nnnnn ddddd" (z, m, n, d) => sqadd_s;
    "UQADD (scalar)" "01 1 11110 zz 1 mmmmm 00001 1 nnnnn ddddd" (z, m, n, d) => uqadd_s;
    "SQSUB (scalar)" "01 0 11110 zz 1 mmmmm 00101 1 nnnnn ddddd" (z, m, n, d) => sqsub_s;
    "UQSUB (scalar)" "01 1 11110 zz 1 mmmmm 00101 1 nnnnn ddddd" (z, m, n, d) => uqsub_s;
    "CMGT (register, scalar)" "01 0 11110 zz 1 mmmmm 00110 1 nnnnn ddddd" (z, m, n, d) => cmgt_s;
    "CMHI (register, scalar)" "01 1 11110 zz 1 mmmmm 00110 1 nnnnn ddddd" (z, m, n, d) => cmhi_s;
    "CMGE (register, scalar)" "01 0 11110 zz 1 mmmmm 00111 1 nnnnn ddddd" (z, m, n, d) => cmge_s;
    "CMHS (register, scalar)" "01 1 11110 zz 1 mmmmm 00111 1 nnnnn ddddd" (z, m, n, d) => cmhs_s;
    "SSHL (scalar)" "01 0 11110 zz 1 mmmmm 01000 1 nnnnn ddddd" (z, m, n, d) => sshl_s;
    "USHL (scalar)" "01 1 11110 zz 1 mmmmm 01000 1 nnnnn ddddd" (z, m, n, d) => ushl_s;
    "SQSHL (register, scalar)" "01 0 11110 zz 1 mmmmm 01001 1 nnnnn ddddd" (z, m, n, d) => sqshl_s;
    "UQSHL (register, scalar)" "01 1 11110 zz 1 mmmmm 01001 1 nnnnn ddddd" (z, m, n, d) => uqshl_s;
    "SRSHL (scalar)"  "01 0 11110 zz 1 mmmmm 01010 1 nnnnn ddddd" (z, m, n, d) => srshl_s;
    "URSHL (scalar)"  "01 1 11110 zz 1 mmmmm 01010 1 nnnnn ddddd" (z, m, n, d) => urshl_s;
    "SQRSHL (scalar)" "01 0 11110 zz 1 mmmmm 01011 1 nnnnn ddddd" (z, m, n, d) => sqrshl_s;
    "UQRSHL (scalar)" "01 1 11110 zz 1 mmmmm 01011 1 nnnnn ddddd" (z, m, n, d) => uqrshl_s;
    "ADD (scalar)"   "01 0 11110 zz 1 mmmmm 10000 1 nnnnn ddddd" (z, m, n, d) => add_s;
    "SUB (scalar)"   "01 1 11110 zz 1 mmmmm 10000 1 nnnnn ddddd" (z, m, n, d) => sub_s;
    "CMTST (scalar)" "01 0 11110 zz 1 mmmmm 10001 1 nnnnn ddddd" (z, m, n, d) => cmtst_s;
    "CMEQ (register, scalar)" "01 1 11110 zz 1 mmmmm 10001 1 nnnnn ddddd" (z, m, n, d) => cmeq_s;
    "SQDMULH (scalar)"  "01 0 11110 zz 1 mmmmm 10110 1 nnnnn ddddd" (z, m, n, d) => sqdmulh_s;
    "SQRDMULH (scalar)" "01 1 11110 zz 1 mmmmm 10110 1 nnnnn ddddd" (z, m, n, d) => sqrdmulh_s;
    "SQRDMLAH (scalar)" "01 1 11110 zz 0 mmmmm 10000 1 nnnnn ddddd" (z, m, n, d) if features::RDM => sqrdmlah_s;
    "SQRDMLSH (scalar)" "01 1 11110 zz 0 mmmmm 10001 1 nnnnn ddddd" (z, m, n, d) if features::RDM => sqrdmlsh_s;
}

/// `V[d] = op(V[n], V[m])` with a constant, and `V[d]` as the third operand.
#[inline(always)]
fn three<E: Arm>(e: &mut E, op: VecOp, imm: u32, l: Lanes, m: u32, n: u32, d: u32) -> Exec<E> {
    e.check_fp()?;
    let (a, b, c) = (e.v(n), e.v(m), e.v(d));
    let r = e.vec(op, l, imm, a, b, c);
    e.set_v(d, r);
    Ok(Flow::Next)
}

macro_rules! plain { ($($(#[$doc:meta])* $name:ident $sizes:ident $op:ident $imm:literal $(, $scalar:ident $only:ident)?;)*) => { $(
    $(#[$doc])*
    #[inline(always)]
    fn $name<E: Arm>(e: &mut E, q: u32, size: u32, m: u32, n: u32, d: u32) -> Exec<E> {
        if !Sizes::$sizes.allow(q, size) {
            return e.undefined();
        }
        three(e, VecOp::$op, $imm, Lanes::q(size, q), m, n, d)
    }
    $(
        /// The scalar form.
        fn $scalar<E: Arm>(e: &mut E, size: u32, m: u32, n: u32, d: u32) -> Exec<E> {
            if !Sizes::$only.allow(0, size) {
                return e.undefined();
            }
            three(e, VecOp::$op, $imm, Lanes::scalar(size), m, n, d)
        }
    )?
)* } }
plain! {
    /// SHADD: halved sum, signed. [C7.2.284]
    shadd UpTo32 AvgS 0;
    /// UHADD: halved sum, unsigned. [C7.2.400]
    uhadd UpTo32 AvgU 0;
    /// SQADD: saturating sum, signed. [C7.2.296]
    sqadd Any SatAddS 0, sqadd_s All;
    /// UQADD: saturating sum, unsigned. [C7.2.417]
    uqadd Any SatAddU 0, uqadd_s All;
    /// SRHADD: halved sum rounded up, signed. [C7.2.341]
    srhadd UpTo32 AvgUpS 0;
    /// URHADD: halved sum rounded up, unsigned. [C7.2.425]
    urhadd UpTo32 AvgUpU 0;
    /// SHSUB: halved difference, signed. [C7.2.288]
    shsub UpTo32 HalfSubS 0;
    /// UHSUB: halved difference, unsigned. [C7.2.401]
    uhsub UpTo32 HalfSubU 0;
    /// SQSUB: saturating difference, signed. [C7.2.336]
    sqsub Any SatSubS 0, sqsub_s All;
    /// UQSUB: saturating difference, unsigned. [C7.2.423]
    uqsub Any SatSubU 0, uqsub_s All;
    /// CMGT (register): signed greater than. [C7.2.34]
    cmgt Any GtS 0, cmgt_s Double;
    /// CMHI (register): unsigned higher. [C7.2.36]
    cmhi Any GtU 0, cmhi_s Double;
    /// CMGE (register): signed greater than or equal. [C7.2.32]
    cmge Any GeS 0, cmge_s Double;
    /// CMHS (register): unsigned higher or same. [C7.2.37]
    cmhs Any GeU 0, cmhs_s Double;
    /// SSHL: shift by register, signed. [C7.2.346]
    sshl Any ShiftS 0, sshl_s Double;
    /// USHL: shift by register, unsigned. [C7.2.431]
    ushl Any ShiftU 0, ushl_s Double;
    /// SQSHL (register): saturating shift by register, signed. [C7.2.330]
    sqshl Any SatShiftS 0, sqshl_s All;
    /// UQSHL (register): saturating shift by register, unsigned. [C7.2.421]
    uqshl Any SatShiftU 0, uqshl_s All;
    /// SRSHL: rounding shift by register, signed. [C7.2.343]
    srshl Any RoundShiftS 0, srshl_s Double;
    /// URSHL: rounding shift by register, unsigned. [C7.2.426]
    urshl Any RoundShiftU 0, urshl_s Double;
    /// SQRSHL: saturating rounding shift by register, signed. [C7.2.324]
    sqrshl Any SatRoundShiftS 0, sqrshl_s All;
    /// UQRSHL: saturating rounding shift by register, unsigned. [C7.2.418]
    uqrshl Any SatRoundShiftU 0, uqrshl_s All;
    /// SMAX: signed maximum. [C7.2.290]
    smax UpTo32 MaxS 0;
    /// UMAX: unsigned maximum. [C7.2.402]
    umax UpTo32 MaxU 0;
    /// SMIN: signed minimum. [C7.2.293]
    smin UpTo32 MinS 0;
    /// UMIN: unsigned minimum. [C7.2.405]
    umin UpTo32 MinU 0;
    /// SABD: absolute difference, signed. [C7.2.262]
    sabd UpTo32 DiffS 0;
    /// UABD: absolute difference, unsigned. [C7.2.387]
    uabd UpTo32 DiffU 0;
    /// ADD (vector). [C7.2.2]
    add Any Add 0, add_s Double;
    /// SUB (vector). [C7.2.374]
    sub Any Sub 0, sub_s Double;
    /// CMTST: bits in common. [C7.2.41]
    cmtst Any Any 0, cmtst_s Double;
    /// CMEQ (register): equal. [C7.2.30]
    cmeq Any Eq 0, cmeq_s Double;
    /// MUL (vector). [C7.2.239]
    mul UpTo32 Mul 0;
    /// PMUL: carry-less product of bytes, low half. [C7.2.246]
    pmul Byte MulPoly 0;
    /// SQDMULH (vector): saturating doubled product, high half. [C7.2.305]
    sqdmulh Mid SatMulHigh 0, sqdmulh_s Mid;
    /// SQRDMULH (vector): saturating rounded doubled product, high half. [C7.2.322]
    sqrdmulh Mid SatMulHigh 1, sqrdmulh_s Mid;
    /// SQRDMLAH (vector): the same, accumulated before rounding. [C7.2.318]
    sqrdmlah Mid SatMulAddHigh 0, sqrdmlah_s Mid;
    /// SQRDMLSH (vector): the same, subtracted. [C7.2.320]
    sqrdmlsh Mid SatMulSubHigh 0, sqrdmlsh_s Mid;
}

macro_rules! composed { ($($(#[$doc:meta])* $name:ident |$e:ident, $l:ident, $a:ident, $b:ident, $d:ident| $r:expr;)*) => { $(
    $(#[$doc])*
    #[inline(always)]
    fn $name<E: Arm>($e: &mut E, q: u32, size: u32, m: u32, n: u32, d: u32) -> Exec<E> {
        if !Sizes::UpTo32.allow(q, size) {
            return $e.undefined();
        }
        $e.check_fp()?;
        let ($l, $a, $b, $d) = (Lanes::q(size, q), $e.v(n), $e.v(m), $e.v(d));
        let r = $r;
        $e.set_v(d, r);
        Ok(Flow::Next)
    }
)* } }
composed! {
    /// SABA: accumulates absolute differences, signed. [C7.2.260]
    saba |e, l, a, b, d| { let x = e.v2(VecOp::DiffS, l, a, b); e.v2(VecOp::Add, l, d, x) };
    /// UABA: accumulates absolute differences, unsigned. [C7.2.385]
    uaba |e, l, a, b, d| { let x = e.v2(VecOp::DiffU, l, a, b); e.v2(VecOp::Add, l, d, x) };
    /// MLA (vector): `d + n * m`. [C7.2.229]
    mla |e, l, a, b, d| { let x = e.v2(VecOp::Mul, l, a, b); e.v2(VecOp::Add, l, d, x) };
    /// MLS (vector): `d - n * m`. [C7.2.231]
    mls |e, l, a, b, d| { let x = e.v2(VecOp::Mul, l, a, b); e.v2(VecOp::Sub, l, d, x) };
    /// SMAXP: signed maximum of pairs. [C7.2.291]
    smaxp |e, l, a, b, _d| pairwise(e, VecOp::MaxS, l, a, b);
    /// UMAXP: unsigned maximum of pairs. [C7.2.403]
    umaxp |e, l, a, b, _d| pairwise(e, VecOp::MaxU, l, a, b);
    /// SMINP: signed minimum of pairs. [C7.2.294]
    sminp |e, l, a, b, _d| pairwise(e, VecOp::MinS, l, a, b);
    /// UMINP: unsigned minimum of pairs. [C7.2.406]
    uminp |e, l, a, b, _d| pairwise(e, VecOp::MinU, l, a, b);
}

/// ADDP (vector): sums of pairs. [C7.2.5]
#[inline(always)]
fn addp<E: Arm>(e: &mut E, q: u32, size: u32, m: u32, n: u32, d: u32) -> Exec<E> {
    if !Sizes::Any.allow(q, size) {
        return e.undefined();
    }
    e.check_fp()?;
    let (a, b) = (e.v(n), e.v(m));
    let r = pairwise(e, VecOp::Add, Lanes::q(size, q), a, b);
    e.set_v(d, r);
    Ok(Flow::Next)
}

macro_rules! logic { ($($(#[$doc:meta])* $name:ident $log2:literal |$a:ident, $b:ident, $d:ident| $op:ident $x:ident $y:ident $z:ident;)*) => { $(
    $(#[$doc])*
    #[inline(always)]
    fn $name<E: Arm>(e: &mut E, q: u32, m: u32, n: u32, d: u32) -> Exec<E> {
        e.check_fp()?;
        let ($a, $b, $d) = (e.v(n), e.v(m), e.v(d));
        let r = e.vec(VecOp::$op, Lanes::q($log2, q), 0, $x, $y, $z);
        e.set_v(d, r);
        Ok(Flow::Next)
    }
)* } }
logic! {
    /// AND (vector). [C7.2.11]
    and_v 0 |a, b, _d| And a b b;
    /// BIC (vector, register): `n AND NOT m`. [C7.2.21]
    bic_v 0 |a, b, _d| AndNot a b b;
    /// ORR (vector, register). [C7.2.245]
    orr_v 0 |a, b, _d| Or a b b;
    /// ORN (vector): `n OR NOT m`. [C7.2.243]
    orn_v 0 |a, b, _d| OrNot a b b;
    /// EOR (vector). [C7.2.44]
    eor_v 0 |a, b, _d| Xor a b b;
    /// BSL: bits of n where d is set, of m elsewhere. [C7.2.24]
    bsl 0 |a, b, d| Select a b d;
    /// BIT: bits of n where m is set, of d elsewhere. [C7.2.23]
    bit 0 |a, b, d| Select a d b;
    /// BIF: bits of d where m is set, of n elsewhere. [C7.2.22]
    bif 0 |a, b, d| Select d a b;
    /// SDOT (vector). [C7.2.282]
    sdot 2 |a, b, d| DotS a b d;
    /// UDOT (vector). [C7.2.398]
    udot 2 |a, b, d| DotU a b d;
    /// USDOT (vector). [C7.2.429]
    usdot 2 |a, b, d| DotUS a b d;
}

macro_rules! matrices { ($($(#[$doc:meta])* $name:ident $op:ident;)*) => { $(
    $(#[$doc])*
    fn $name<E: Arm>(e: &mut E, m: u32, n: u32, d: u32) -> Exec<E> {
        three(e, VecOp::$op, 0, Lanes::full(2), m, n, d)
    }
)* } }
matrices! {
    /// SMMLA (vector). [C7.2.300]
    smmla MatrixS;
    /// UMMLA (vector). [C7.2.411]
    ummla MatrixU;
    /// USMMLA (vector). [C7.2.433]
    usmmla MatrixUS;
}
