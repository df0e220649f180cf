//! Advanced SIMD two-register miscellaneous and across lanes, and scalar forms (DDI 0487 C4.1.96), without floating
//! point.

use super::simd::{Sizes, set_part, splat};
use crate::arm::emit::Arm;
use crate::emit::{Exec, Flow};
use crate::vec::{Lanes, VecOp};
use crate::width::W128;

crate::rows! { Arm;
    "REV64"  "0 Q 0 01110 zz 10000 00000 10 nnnnn ddddd" (Q, z, n, d) => rev64;
    "REV32 (vector)"  "0 Q 1 01110 zz 10000 00000 10 nnnnn ddddd" (Q, z, n, d) => rev32;
    "REV16 (vector)"  "0 Q 0 01110 zz 10000 00001 10 nnnnn ddddd" (Q, z, n, d) => rev16;
    "SADDLP" "0 Q 0 01110 zz 10000 00010 10 nnnnn ddddd" (Q, z, n, d) => saddlp;
    "UADDLP" "0 Q 1 01110 zz 10000 00010 10 nnnnn ddddd" (Q, z, n, d) => uaddlp;
    "SUQADD" "0 Q 0 01110 zz 10000 00011 10 nnnnn ddddd" (Q, z, n, d) => suqadd;
    "USQADD" "0 Q 1 01110 zz 10000 00011 10 nnnnn ddddd" (Q, z, n, d) => usqadd;
    "CLS (vector)" "0 Q 0 01110 zz 10000 00100 10 nnnnn ddddd" (Q, z, n, d) => cls;
    "CLZ (vector)" "0 Q 1 01110 zz 10000 00100 10 nnnnn ddddd" (Q, z, n, d) => clz;
    "CNT"    "0 Q 0 01110 00 10000 00101 10 nnnnn ddddd" (Q, n, d) => cnt;
    "NOT"    "0 Q 1 01110 00 10000 00101 10 nnnnn ddddd" (Q, n, d) => not;
    "RBIT (vector)" "0 Q 1 01110 01 10000 00101 10 nnnnn ddddd" (Q, n, d) => rbit;
    "SADALP" "0 Q 0 01110 zz 10000 00110 10 nnnnn ddddd" (Q, z, n, d) => sadalp;
    "UADALP" "0 Q 1 01110 zz 10000 00110 10 nnnnn ddddd" (Q, z, n, d) => uadalp;
    "SQABS"  "0 Q 0 01110 zz 10000 00111 10 nnnnn ddddd" (Q, z, n, d) => sqabs;
    "SQNEG"  "0 Q 1 01110 zz 10000 00111 10 nnnnn ddddd" (Q, z, n, d) => sqneg;
    "CMGT (zero)" "0 Q 0 01110 zz 10000 01000 10 nnnnn ddddd" (Q, z, n, d) => cmgt;
    "CMGE (zero)" "0 Q 1 01110 zz 10000 01000 10 nnnnn ddddd" (Q, z, n, d) => cmge;
    "CMEQ (zero)" "0 Q 0 01110 zz 10000 01001 10 nnnnn ddddd" (Q, z, n, d) => cmeq;
    "CMLE (zero)" "0 Q 1 01110 zz 10000 01001 10 nnnnn ddddd" (Q, z, n, d) => cmle;
    "CMLT (zero)" "0 Q 0 01110 zz 10000 01010 10 nnnnn ddddd" (Q, z, n, d) => cmlt;
    "ABS (vector)" "0 Q 0 01110 zz 10000 01011 10 nnnnn ddddd" (Q, z, n, d) => abs;
    "NEG (vector)" "0 Q 1 01110 zz 10000 01011 10 nnnnn ddddd" (Q, z, n, d) => neg;
    "XTN"    "0 Q 0 01110 zz 10000 10010 10 nnnnn ddddd" (Q, z, n, d) => xtn;
    "SQXTUN" "0 Q 1 01110 zz 10000 10010 10 nnnnn ddddd" (Q, z, n, d) => sqxtun;
    "SHLL"   "0 Q 1 01110 zz 10000 10011 10 nnnnn ddddd" (Q, z, n, d) => shll;
    "SQXTN"  "0 Q 0 01110 zz 10000 10100 10 nnnnn ddddd" (Q, z, n, d) => sqxtn;
    "UQXTN"  "0 Q 1 01110 zz 10000 10100 10 nnnnn ddddd" (Q, z, n, d) => uqxtn;
    "URECPE"  "0 Q 0 01110 10 10000 11100 10 nnnnn ddddd" (Q, n, d) => urecpe;
    "URSQRTE" "0 Q 1 01110 10 10000 11100 10 nnnnn ddddd" (Q, n, d) => ursqrte;
    "SUQADD (scalar)" "01 0 11110 zz 10000 00011 10 nnnnn ddddd" (z, n, d) => suqadd_s;
    "USQADD (scalar)" "01 1 11110 zz 10000 00011 10 nnnnn ddddd" (z, n, d) => usqadd_s;
    "SQABS (scalar)" "01 0 11110 zz 10000 00111 10 nnnnn ddddd" (z, n, d) => sqabs_s;
    "SQNEG (scalar)" "01 1 11110 zz 10000 00111 10 nnnnn ddddd" (z, n, d) => sqneg_s;
    "CMGT (zero, scalar)" "01 0 11110 zz 10000 01000 10 nnnnn ddddd" (z, n, d) => cmgt_s;
    "CMGE (zero, scalar)" "01 1 11110 zz 10000 01000 10 nnnnn ddddd" (z, n, d) => cmge_s;
    "CMEQ (zero, scalar)" "01 0 11110 zz 10000 01001 10 nnnnn ddddd" (z, n, d) => cmeq_s;
    "CMLE (zero, scalar)" "01 1 11110 zz 10000 01001 10 nnnnn ddddd" (z, n, d) => cmle_s;
    "CMLT (zero, scalar)" "01 0 11110 zz 10000 01010 10 nnnnn ddddd" (z, n, d) => cmlt_s;
    "ABS (scalar)" "01 0 11110 zz 10000 01011 10 nnnnn ddddd" (z, n, d) => abs_s;
    "NEG (scalar)" "01 1 11110 zz 10000 01011 10 nnnnn ddddd" (z, n, d) => neg_s;
    "SQXTUN (scalar)" "01 1 11110 zz 10000 10010 10 nnnnn ddddd" (z, n, d) => sqxtun_s;
    "SQXTN (scalar)"  "01 0 11110 zz 10000 10100 10 nnnnn ddddd" (z, n, d) => sqxtn_s;
    "UQXTN (scalar)"  "01 1 11110 zz 10000 10100 10 nnnnn ddddd" (z, n, d) => uqxtn_s;
    "SADDLV" "0 Q 0 01110 zz 11000 00011 10 nnnnn ddddd" (Q, z, n, d) => saddlv;
    "UADDLV" "0 Q 1 01110 zz 11000 00011 10 nnnnn ddddd" (Q, z, n, d) => uaddlv;
    "SMAXV"  "0 Q 0 01110 zz 11000 01010 10 nnnnn ddddd" (Q, z, n, d) => smaxv;
    "UMAXV"  "0 Q 1 01110 zz 11000 01010 10 nnnnn ddddd" (Q, z, n, d) => umaxv;
    "SMINV"  "0 Q 0 01110 zz 11000 11010 10 nnnnn ddddd" (Q, z, n, d) => sminv;
    "UMINV"  "0 Q 1 01110 zz 11000 11010 10 nnnnn ddddd" (Q, z, n, d) => uminv;
    "ADDV"   "0 Q 0 01110 zz 11000 11011 10 nnnnn ddddd" (Q, z, n, d) => addv;
    "ADDP (scalar)" "01 0 11110 11 11000 11011 10 nnnnn ddddd" (n, d) => addp_s;
}

macro_rules! two { ($($(#[$doc:meta])* $name:ident $sizes:ident $(, $scalar:ident $only:ident)?:
        |$e:ident, $l:ident, $a:ident, $d:ident| $r:expr;)*) => { $(
    $(#[$doc])*
    fn $name<E: Arm>($e: &mut E, q: u32, size: u32, n: u32, d: u32) -> Exec<E> {
        if !Sizes::$sizes.allow(q, size) {
            return $e.undefined();
        }
        $e.check_fp()?;
        let ($l, $a, $d) = (Lanes::q(size, q), $e.v(n), $e.v(d));
        let r = $r;
        $e.set_v(d, r);
        Ok(Flow::Next)
    }
    $(
        /// The scalar form.
        fn $scalar<E: Arm>($e: &mut E, size: u32, n: u32, d: u32) -> Exec<E> {
            if !Sizes::$only.allow(0, size) {
                return $e.undefined();
            }
            $e.check_fp()?;
            let ($l, $a, $d) = (Lanes::scalar(size), $e.v(n), $e.v(d));
            let r = $r;
            $e.set_v(d, r);
            Ok(Flow::Next)
        }
    )?
)* } }

/// A comparison with zero; `swapped` compares zero with the operand.
fn with_zero<E: Arm>(e: &mut E, op: VecOp, swapped: bool, l: Lanes, a: E::Val<W128>) -> E::Val<W128> {
    let zero = e.lit::<W128>(0);
    if swapped { e.v2(op, l, zero, a) } else { e.v2(op, l, a, zero) }
}

/// Sums of neighbouring elements, in elements of twice the size.
fn pair_sums<E: Arm>(e: &mut E, shr: VecOp, l: Lanes, a: E::Val<W128>) -> E::Val<W128> {
    let w = l.wider();
    let odd = e.vi(shr, w, l.bits(), a);
    let even = e.vi(VecOp::Shl, w, l.bits(), a);
    let even = e.vi(shr, w, l.bits(), even);
    e.v2(VecOp::Add, w, even, odd)
}

two! {
    /// REV64: elements reversed in 64 bits. [C7.2.255]
    rev64 UpTo32: |e, l, a, _d| e.vi(VecOp::Reverse, l, 3, a);
    /// REV32 (vector): elements reversed in 32 bits. [C7.2.254]
    rev32 UpTo16: |e, l, a, _d| e.vi(VecOp::Reverse, l, 2, a);
    /// REV16 (vector): bytes reversed in 16 bits. [C7.2.253]
    rev16 Byte: |e, l, a, _d| e.vi(VecOp::Reverse, l, 1, a);
    /// SADDLP: long sums of pairs, signed. [C7.2.266]
    saddlp UpTo32: |e, l, a, _d| pair_sums(e, VecOp::ShrS, l, a);
    /// UADDLP: long sums of pairs, unsigned. [C7.2.391]
    uaddlp UpTo32: |e, l, a, _d| pair_sums(e, VecOp::ShrU, l, a);
    /// SADALP: accumulates long sums of pairs, signed. [C7.2.264]
    sadalp UpTo32: |e, l, a, d| { let s = pair_sums(e, VecOp::ShrS, l, a); e.v2(VecOp::Add, l.wider(), d, s) };
    /// UADALP: accumulates long sums of pairs, unsigned. [C7.2.389]
    uadalp UpTo32: |e, l, a, d| { let s = pair_sums(e, VecOp::ShrU, l, a); e.v2(VecOp::Add, l.wider(), d, s) };
    /// SUQADD: adds unsigned values to signed ones. [C7.2.376]
    suqadd Any, suqadd_s All: |e, l, a, d| e.v2(VecOp::SatAddSU, l, d, a);
    /// USQADD: adds signed values to unsigned ones. [C7.2.434]
    usqadd Any, usqadd_s All: |e, l, a, d| e.v2(VecOp::SatAddUS, l, d, a);
    /// CLS (vector). [C7.2.27]
    cls UpTo32: |e, l, a, _d| e.v1(VecOp::Cls, l, a);
    /// CLZ (vector). [C7.2.28]
    clz UpTo32: |e, l, a, _d| e.v1(VecOp::Clz, l, a);
    /// SQABS. [C7.2.295]
    sqabs Any, sqabs_s All: |e, l, a, _d| e.v1(VecOp::SatAbs, l, a);
    /// SQNEG. [C7.2.316]
    sqneg Any, sqneg_s All: |e, l, a, _d| e.v1(VecOp::SatNeg, l, a);
    /// CMGT (zero). [C7.2.35]
    cmgt Any, cmgt_s Double: |e, l, a, _d| with_zero(e, VecOp::GtS, false, l, a);
    /// CMGE (zero). [C7.2.33]
    cmge Any, cmge_s Double: |e, l, a, _d| with_zero(e, VecOp::GeS, false, l, a);
    /// CMEQ (zero). [C7.2.31]
    cmeq Any, cmeq_s Double: |e, l, a, _d| with_zero(e, VecOp::Eq, false, l, a);
    /// CMLE (zero). [C7.2.39]
    cmle Any, cmle_s Double: |e, l, a, _d| with_zero(e, VecOp::GeS, true, l, a);
    /// CMLT (zero). [C7.2.40]
    cmlt Any, cmlt_s Double: |e, l, a, _d| with_zero(e, VecOp::GtS, true, l, a);
    /// ABS. [C7.2.1]
    abs Any, abs_s Double: |e, l, a, _d| e.v1(VecOp::Abs, l, a);
    /// NEG (vector). [C7.2.241]
    neg Any, neg_s Double: |e, l, a, _d| e.v1(VecOp::Neg, l, a);
}

macro_rules! fixed { ($($(#[$doc:meta])* $name:ident $log2:literal |$e:ident, $l:ident, $a:ident| $r:expr;)*) => { $(
    $(#[$doc])*
    fn $name<E: Arm>($e: &mut E, q: u32, n: u32, d: u32) -> Exec<E> {
        $e.check_fp()?;
        let ($l, $a) = (Lanes::q($log2, q), $e.v(n));
        let r = $r;
        $e.set_v(d, r);
        Ok(Flow::Next)
    }
)* } }
fixed! {
    /// CNT: one bits of bytes. [C7.2.42]
    cnt 0 |e, l, a| e.v1(VecOp::Popcnt, l, a);
    /// NOT. [C7.2.242]
    not 0 |e, l, a| { let ones = splat(e, 3, u64::MAX); e.v2(VecOp::Xor, l, a, ones) };
    /// RBIT (vector): bits of bytes reversed. [C7.2.252]
    rbit 0 |e, l, a| e.v1(VecOp::Rbit, l, a);
    /// URECPE. [C7.2.424]
    urecpe 2 |e, l, a| e.v1(VecOp::RecipEstimate, l, a);
    /// URSQRTE. [C7.2.428]
    ursqrte 2 |e, l, a| e.v1(VecOp::RsqrtEstimate, l, a);
}

macro_rules! narrows { ($($(#[$doc:meta])* $name:ident $op:ident $(, $scalar:ident)?;)*) => { $(
    $(#[$doc])*
    fn $name<E: Arm>(e: &mut E, q: u32, size: u32, n: u32, d: u32) -> Exec<E> {
        if !Sizes::UpTo32.allow(q, size) {
            return e.undefined();
        }
        e.check_fp()?;
        let a = e.v(n);
        let r = e.v1(VecOp::$op, Lanes::full(size), a);
        set_part(e, d, q, r);
        Ok(Flow::Next)
    }
    $(
        /// The scalar form.
        fn $scalar<E: Arm>(e: &mut E, size: u32, n: u32, d: u32) -> Exec<E> {
            if !Sizes::UpTo32.allow(0, size) {
                return e.undefined();
            }
            e.check_fp()?;
            let a = e.v(n);
            let r = e.v1(VecOp::$op, Lanes::scalar(size), a);
            e.set_v(d, r);
            Ok(Flow::Next)
        }
    )?
)* } }
narrows! {
    /// XTN: low halves. [C7.2.442]
    xtn Narrow;
    /// SQXTN: saturated, signed. [C7.2.338]
    sqxtn SatNarrowS, sqxtn_s;
    /// UQXTN: saturated, unsigned. [C7.2.424]
    uqxtn SatNarrowU, uqxtn_s;
    /// SQXTUN: saturated, signed to unsigned. [C7.2.339]
    sqxtun SatNarrowSU, sqxtun_s;
}

/// SHLL: shifts left by the element size into elements of twice the size. [C7.2.286]
fn shll<E: Arm>(e: &mut E, q: u32, size: u32, n: u32, d: u32) -> Exec<E> {
    if !Sizes::UpTo32.allow(q, size) {
        return e.undefined();
    }
    e.check_fp()?;
    let l = Lanes::full(size);
    let a = e.v(n);
    let r = e.vi(VecOp::ExtendU, l, q, a);
    let r = e.vi(VecOp::Shl, Lanes::full(size + 1), l.bits(), r);
    e.set_v(d, r);
    Ok(Flow::Next)
}

macro_rules! across { ($($(#[$doc:meta])* $name:ident |$e:ident, $l:ident, $a:ident| $r:expr;)*) => { $(
    $(#[$doc])*
    fn $name<E: Arm>($e: &mut E, q: u32, size: u32, n: u32, d: u32) -> Exec<E> {
        if size == 3 || size == 2 && q == 0 {
            return $e.undefined();
        }
        $e.check_fp()?;
        let ($l, $a) = (Lanes::q(size, q), $e.v(n));
        let r = $r;
        $e.set_v(d, r);
        Ok(Flow::Next)
    }
)* } }
across! {
    /// SADDLV: long sum across the vector, signed. [C7.2.267]
    saddlv |e, l, a| { let s = pair_sums(e, VecOp::ShrS, l, a); e.v1(VecOp::SumV, l.wider(), s) };
    /// UADDLV: long sum across the vector, unsigned. [C7.2.392]
    uaddlv |e, l, a| { let s = pair_sums(e, VecOp::ShrU, l, a); e.v1(VecOp::SumV, l.wider(), s) };
    /// SMAXV: signed maximum across the vector. [C7.2.292]
    smaxv |e, l, a| e.v1(VecOp::MaxSV, l, a);
    /// UMAXV: unsigned maximum across the vector. [C7.2.404]
    umaxv |e, l, a| e.v1(VecOp::MaxUV, l, a);
    /// SMINV: signed minimum across the vector. [C7.2.295]
    sminv |e, l, a| e.v1(VecOp::MinSV, l, a);
    /// UMINV: unsigned minimum across the vector. [C7.2.407]
    uminv |e, l, a| e.v1(VecOp::MinUV, l, a);
    /// ADDV: sum across the vector. [C7.2.6]
    addv |e, l, a| e.v1(VecOp::SumV, l, a);
}

/// ADDP (scalar): sum of the two doublewords. [C7.2.4]
fn addp_s<E: Arm>(e: &mut E, n: u32, d: u32) -> Exec<E> {
    e.check_fp()?;
    let a = e.v(n);
    let r = e.v1(VecOp::SumV, Lanes::full(3), a);
    e.set_v(d, r);
    Ok(Flow::Next)
}
