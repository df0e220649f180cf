//! Advanced SIMD floating-point conversion: fixed-point numbers, widening and narrowing (DDI 0487 C4.1.96: shift by
//! immediate, two-register miscellaneous, and their scalar forms; meanings in C7.2).

use super::fp_ops::*;
use crate::arm::emit::Arm;
use crate::arm::features::{BF16, FP16};
use crate::emit::{Exec, Flow};
use crate::vec::fp::rounding::ZERO;
use crate::vec::fp::{Fixed, TO_BF16, TO_ODD};
use crate::vec::{Lanes, Part, VecOp};
use crate::width::W64;

crate::rows! { Arm;
    "SCVTF (vector, fixed-point, double)" "0 q 0 011110 1 ffffff 11100 1 nnnnn ddddd" (q, f, n, d) => vector_int_to_f::<_, 3, true>;
    "SCVTF (vector, fixed-point, single)" "0 q 0 011110 01 fffff 11100 1 nnnnn ddddd" (q, f, n, d) => vector_int_to_f::<_, 2, true>;
    "SCVTF (vector, fixed-point, half)"   "0 q 0 011110 001 ffff 11100 1 nnnnn ddddd" (q, f, n, d) if FP16 => vector_int_to_f::<_, 1, true>;
    "UCVTF (vector, fixed-point, double)" "0 q 1 011110 1 ffffff 11100 1 nnnnn ddddd" (q, f, n, d) => vector_int_to_f::<_, 3, false>;
    "UCVTF (vector, fixed-point, single)" "0 q 1 011110 01 fffff 11100 1 nnnnn ddddd" (q, f, n, d) => vector_int_to_f::<_, 2, false>;
    "UCVTF (vector, fixed-point, half)"   "0 q 1 011110 001 ffff 11100 1 nnnnn ddddd" (q, f, n, d) if FP16 => vector_int_to_f::<_, 1, false>;
    "FCVTZS (vector, fixed-point, double)" "0 q 0 011110 1 ffffff 11111 1 nnnnn ddddd" (q, f, n, d) => vector_f_to_int::<_, 3, true>;
    "FCVTZS (vector, fixed-point, single)" "0 q 0 011110 01 fffff 11111 1 nnnnn ddddd" (q, f, n, d) => vector_f_to_int::<_, 2, true>;
    "FCVTZS (vector, fixed-point, half)"   "0 q 0 011110 001 ffff 11111 1 nnnnn ddddd" (q, f, n, d) if FP16 => vector_f_to_int::<_, 1, true>;
    "FCVTZU (vector, fixed-point, double)" "0 q 1 011110 1 ffffff 11111 1 nnnnn ddddd" (q, f, n, d) => vector_f_to_int::<_, 3, false>;
    "FCVTZU (vector, fixed-point, single)" "0 q 1 011110 01 fffff 11111 1 nnnnn ddddd" (q, f, n, d) => vector_f_to_int::<_, 2, false>;
    "FCVTZU (vector, fixed-point, half)"   "0 q 1 011110 001 ffff 11111 1 nnnnn ddddd" (q, f, n, d) if FP16 => vector_f_to_int::<_, 1, false>;
    "SCVTF (scalar, fixed-point, double)" "01 0 111110 1 ffffff 11100 1 nnnnn ddddd" (f, n, d) => scalar_int_to_f::<_, 3, true>;
    "SCVTF (scalar, fixed-point, single)" "01 0 111110 01 fffff 11100 1 nnnnn ddddd" (f, n, d) => scalar_int_to_f::<_, 2, true>;
    "SCVTF (scalar, fixed-point, half)"   "01 0 111110 001 ffff 11100 1 nnnnn ddddd" (f, n, d) if FP16 => scalar_int_to_f::<_, 1, true>;
    "UCVTF (scalar, fixed-point, double)" "01 1 111110 1 ffffff 11100 1 nnnnn ddddd" (f, n, d) => scalar_int_to_f::<_, 3, false>;
    "UCVTF (scalar, fixed-point, single)" "01 1 111110 01 fffff 11100 1 nnnnn ddddd" (f, n, d) => scalar_int_to_f::<_, 2, false>;
    "UCVTF (scalar, fixed-point, half)"   "01 1 111110 001 ffff 11100 1 nnnnn ddddd" (f, n, d) if FP16 => scalar_int_to_f::<_, 1, false>;
    "FCVTZS (scalar, fixed-point, double)" "01 0 111110 1 ffffff 11111 1 nnnnn ddddd" (f, n, d) => scalar_f_to_int::<_, 3, true>;
    "FCVTZS (scalar, fixed-point, single)" "01 0 111110 01 fffff 11111 1 nnnnn ddddd" (f, n, d) => scalar_f_to_int::<_, 2, true>;
    "FCVTZS (scalar, fixed-point, half)"   "01 0 111110 001 ffff 11111 1 nnnnn ddddd" (f, n, d) if FP16 => scalar_f_to_int::<_, 1, true>;
    "FCVTZU (scalar, fixed-point, double)" "01 1 111110 1 ffffff 11111 1 nnnnn ddddd" (f, n, d) => scalar_f_to_int::<_, 3, false>;
    "FCVTZU (scalar, fixed-point, single)" "01 1 111110 01 fffff 11111 1 nnnnn ddddd" (f, n, d) => scalar_f_to_int::<_, 2, false>;
    "FCVTZU (scalar, fixed-point, half)"   "01 1 111110 001 ffff 11111 1 nnnnn ddddd" (f, n, d) if FP16 => scalar_f_to_int::<_, 1, false>;
    "FCVTL, FCVTL2"   "0 q 0 01110 0 s 10000 10111 10 nnnnn ddddd" (q, s, n, d) => fcvtl;
    "FCVTN, FCVTN2"   "0 q 0 01110 0 s 10000 10110 10 nnnnn ddddd" (q, s, n, d) => fcvtn;
    "BFCVTN, BFCVTN2" "0 q 0 01110 1 0 10000 10110 10 nnnnn ddddd" (q, n, d) if BF16 => bfcvtn;
    "FCVTXN, FCVTXN2" "0 q 1 01110 0 1 10000 10110 10 nnnnn ddddd" (q, n, d) => fcvtxn;
    "FCVTXN (scalar)" "01 1 11110 0 1 10000 10110 10 nnnnn ddddd" (n, d) => fcvtxn_scalar;
}

/// Fixed-point numbers to floating point; `fraction` is how far immh:immb is above the element size.
fn fixed_to_f<E: Arm>(e: &mut E, l: Lanes, signed: bool, fraction: u32, n: u32, d: u32) -> Exec<E> {
    e.check_fp()?;
    let a = e.v(n);
    let r = int_to_float(e, l, signed, l.bits() - fraction, a);
    e.set_v(d, r);
    Ok(Flow::Next)
}

/// Floating point to fixed-point numbers, towards zero.
fn f_to_fixed<E: Arm>(e: &mut E, l: Lanes, signed: bool, fraction: u32, n: u32, d: u32) -> Exec<E> {
    e.check_fp()?;
    let a = e.v(n);
    let to = Fixed { rounding: ZERO, signed, log2: l.log2.into(), fbits: l.bits() - fraction };
    let r = e.vi(VecOp::FToInt, l, to.pack(), a);
    e.set_v(d, r);
    Ok(Flow::Next)
}

/// SCVTF, UCVTF (vector, fixed-point).
fn vector_int_to_f<E: Arm, const LOG2: u32, const SIGNED: bool>(
    e: &mut E,
    q: u32,
    f: u32,
    n: u32,
    d: u32,
) -> Exec<E> {
    if LOG2 == 3 && q == 0 {
        return e.undefined();
    }
    fixed_to_f(e, Lanes::q(LOG2, q), SIGNED, f, n, d)
}

/// FCVTZS, FCVTZU (vector, fixed-point).
fn vector_f_to_int<E: Arm, const LOG2: u32, const SIGNED: bool>(
    e: &mut E,
    q: u32,
    f: u32,
    n: u32,
    d: u32,
) -> Exec<E> {
    if LOG2 == 3 && q == 0 {
        return e.undefined();
    }
    f_to_fixed(e, Lanes::q(LOG2, q), SIGNED, f, n, d)
}

/// SCVTF, UCVTF (scalar SIMD, fixed-point).
fn scalar_int_to_f<E: Arm, const LOG2: u32, const SIGNED: bool>(
    e: &mut E,
    f: u32,
    n: u32,
    d: u32,
) -> Exec<E> {
    fixed_to_f(e, Lanes::new(LOG2, Part::Scalar), SIGNED, f, n, d)
}

/// FCVTZS, FCVTZU (scalar SIMD, fixed-point).
fn scalar_f_to_int<E: Arm, const LOG2: u32, const SIGNED: bool>(
    e: &mut E,
    f: u32,
    n: u32,
    d: u32,
) -> Exec<E> {
    f_to_fixed(e, Lanes::new(LOG2, Part::Scalar), SIGNED, f, n, d)
}

/// FCVTL, FCVTL2: the lower or upper half of Vn to elements of twice the size.
fn fcvtl<E: Arm>(e: &mut E, q: u32, s: u32, n: u32, d: u32) -> Exec<E> {
    e.check_fp()?;
    let v = e.v(n);
    let half = element(e, Lanes::new(3, Part::Scalar), v, q);
    let r = e.vi(VecOp::FCvt, Lanes::new(1 + s, Part::Half), 2 + s, half);
    e.set_v(d, r);
    Ok(Flow::Next)
}

/// Elements of twice the size to the lower half of Vd, zeroing the upper one, or to the upper half.
fn narrow<E: Arm>(e: &mut E, q: u32, log2: u32, imm: u32, n: u32, d: u32) -> Exec<E> {
    e.check_fp()?;
    let a = e.v(n);
    let mut r = e.vi(VecOp::FCvt, Lanes::new(log2, Part::Full), imm, a);
    if q == 1 {
        let (old, upper) = (e.v(d), e.lane::<W64>(r, 0));
        r = e.set_lane(old, 1, upper);
    }
    e.set_v(d, r);
    Ok(Flow::Next)
}

/// FCVTN, FCVTN2.
fn fcvtn<E: Arm>(e: &mut E, q: u32, s: u32, n: u32, d: u32) -> Exec<E> {
    narrow(e, q, 2 + s, 1 + s, n, d)
}

/// FCVTXN, FCVTXN2: rounding to odd.
fn fcvtxn<E: Arm>(e: &mut E, q: u32, n: u32, d: u32) -> Exec<E> {
    narrow(e, q, 3, 2 | TO_ODD, n, d)
}

/// BFCVTN, BFCVTN2.
fn bfcvtn<E: Arm>(e: &mut E, q: u32, n: u32, d: u32) -> Exec<E> {
    narrow(e, q, 2, 1 | TO_BF16, n, d)
}

/// FCVTXN (scalar).
fn fcvtxn_scalar<E: Arm>(e: &mut E, n: u32, d: u32) -> Exec<E> {
    e.check_fp()?;
    let a = e.v(n);
    let r = e.vi(VecOp::FCvt, Lanes::new(3, Part::Scalar), 2 | TO_ODD, a);
    e.set_v(d, r);
    Ok(Flow::Next)
}
