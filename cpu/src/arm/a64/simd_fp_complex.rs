//! Advanced SIMD floating point beyond one element: complex numbers (FCADD, FCMLA) and half precision accumulated in
//! single (FMLAL, FMLSL) (DDI 0487 C4.1.96: three same extra, three same, by element; meanings in C7.2).

use super::fp_ops::*;
use crate::arm::emit::Arm;
use crate::arm::features::{FCMA, FHM, FP16};
use crate::emit::{Exec, Flow};
use crate::vec::{Lanes, Part, VecOp};
use crate::width::{W32, W64, W128};

crate::rows! { Arm;
    "FCADD" "0 q 1 01110 ss 0 mmmmm 111 r 01 nnnnn ddddd" (q, s, m, r, n, d) if FCMA => fcadd;
    "FCMLA" "0 q 1 01110 ss 0 mmmmm 110 rr 1 nnnnn ddddd" (q, s, m, r, n, d) if FCMA => fcmla;
    "FCMLA (by element)" "0 q 1 01111 10 l mmmmm 0 rr 1 h 0 nnnnn ddddd" (q, l, m, r, h, n, d) if FCMA => fcmla_by;
    "FCMLA (by element, half)" "0 q 1 01111 01 l mmmmm 0 rr 1 h 0 nnnnn ddddd" (q, l, m, r, h, n, d) if FCMA | FP16 => fcmla_by_half;
    "FMLAL"  "0 q 0 01110 0 0 1 mmmmm 11101 1 nnnnn ddddd" (q, m, n, d) if FHM => fmlal::<_, 0, false>;
    "FMLSL"  "0 q 0 01110 1 0 1 mmmmm 11101 1 nnnnn ddddd" (q, m, n, d) if FHM => fmlal::<_, 0, true>;
    "FMLAL2" "0 q 1 01110 0 0 1 mmmmm 11001 1 nnnnn ddddd" (q, m, n, d) if FHM => fmlal::<_, 1, false>;
    "FMLSL2" "0 q 1 01110 1 0 1 mmmmm 11001 1 nnnnn ddddd" (q, m, n, d) if FHM => fmlal::<_, 1, true>;
    "FMLAL (by element)"  "0 q 0 01111 10 l mmmmm 0000 h 0 nnnnn ddddd" (q, l, m, h, n, d) if FHM => fmlal_by::<_, 0, false>;
    "FMLSL (by element)"  "0 q 0 01111 10 l mmmmm 0100 h 0 nnnnn ddddd" (q, l, m, h, n, d) if FHM => fmlal_by::<_, 0, true>;
    "FMLAL2 (by element)" "0 q 1 01111 10 l mmmmm 1000 h 0 nnnnn ddddd" (q, l, m, h, n, d) if FHM => fmlal_by::<_, 1, false>;
    "FMLSL2 (by element)" "0 q 1 01111 10 l mmmmm 1100 h 0 nnnnn ddddd" (q, l, m, h, n, d) if FHM => fmlal_by::<_, 1, true>;
}

/// The arrangement of complex numbers whose parts have the size that `size` selects; `None` where it is reserved.
fn complex<E: Arm>(e: &E, size: u32, q: u32) -> Option<Lanes> {
    match size {
        0 => None,
        1 if e.cx().features & FP16 == 0 => None,
        3 if q == 0 => None,
        _ => Some(Lanes::q(size, q)),
    }
}

/// The sign bits of the even (real) or odd (imaginary) elements.
const fn signs(log2: u8, real: bool, imaginary: bool) -> u128 {
    let bits = 8u32 << log2;
    let (mut r, mut at) = (0, 0);
    while at < 128 {
        if real {
            r |= 1 << (at + bits - 1);
        }
        if imaginary {
            r |= 1 << (at + 2 * bits - 1);
        }
        at += 2 * bits;
    }
    r
}

/// Real and imaginary parts exchanged.
fn exchanged<E: Arm>(e: &mut E, l: Lanes, v: V<E>) -> V<E> {
    let imaginary = e.v2(VecOp::Transpose2, l, v, v);
    e.v2(VecOp::Transpose1, l, imaginary, v)
}

/// The signs of real or imaginary parts changed.
fn negated<E: Arm>(e: &mut E, l: Lanes, v: V<E>, real: bool, imaginary: bool) -> V<E> {
    let mask = e.lit::<W128>(signs(l.log2, real, imaginary));
    e.v2(VecOp::Xor, l, v, mask)
}

/// FCADD: `Vd = Vn + i * Vm`, or `- i * Vm`.
fn fcadd<E: Arm>(e: &mut E, q: u32, s: u32, m: u32, r: u32, n: u32, d: u32) -> Exec<E> {
    let Some(l) = complex(e, s, q) else { return e.undefined() };
    e.check_fp()?;
    let (a, b) = (e.v(n), e.v(m));
    let b = exchanged(e, l, b);
    let b = negated(e, l, b, r == 0, r == 1);
    let sum = e.v2(VecOp::FAdd, l, a, b);
    e.set_v(d, sum);
    Ok(Flow::Next)
}

/// `Vd += the real or imaginary part of a, times b turned by r quarters`.
fn rotate<E: Arm>(e: &mut E, l: Lanes, (a, b): (V<E>, V<E>), r: u32, d: u32) {
    let odd = r & 1 == 1;
    let part = e.v2(if odd { VecOp::Transpose2 } else { VecOp::Transpose1 }, l, a, a);
    let turned = if odd { exchanged(e, l, b) } else { b };
    let turned = if r == 0 { turned } else { negated(e, l, turned, r != 3, r != 1) };
    let old = e.v(d);
    let sum = e.vec(VecOp::FMulAdd, l, 0, part, turned, old);
    e.set_v(d, sum);
}

/// FCMLA.
fn fcmla<E: Arm>(e: &mut E, q: u32, s: u32, m: u32, r: u32, n: u32, d: u32) -> Exec<E> {
    let Some(l) = complex(e, s, q) else { return e.undefined() };
    e.check_fp()?;
    let (a, b) = (e.v(n), e.v(m));
    rotate(e, l, (a, b), r, d);
    Ok(Flow::Next)
}

/// FCMLA (by element), single precision: one of two complex numbers.
fn fcmla_by<E: Arm>(e: &mut E, q: u32, l: u32, m: u32, r: u32, h: u32, n: u32, d: u32) -> Exec<E> {
    if l == 1 || q == 0 {
        return e.undefined();
    }
    e.check_fp()?;
    let (a, b) = (e.v(n), e.v(m));
    let b = e.lane::<W64>(b, h);
    let b = e.dup(b, true);
    rotate(e, Lanes::q(2, q), (a, b), r, d);
    Ok(Flow::Next)
}

/// FCMLA (by element), half precision: one of four complex numbers.
fn fcmla_by_half<E: Arm>(e: &mut E, q: u32, l: u32, m: u32, r: u32, h: u32, n: u32, d: u32) -> Exec<E> {
    if h == 1 && q == 0 {
        return e.undefined();
    }
    e.check_fp()?;
    let (a, b) = (e.v(n), e.v(m));
    let b = e.lane::<W32>(b, h << 1 | l);
    let b = e.dup(b, q == 1);
    rotate(e, Lanes::q(1, q), (a, b), r, d);
    Ok(Flow::Next)
}

/// The lower or upper half of the part of Vn that Q selects.
fn part_of<E: Arm>(e: &mut E, q: u32, upper: u32, v: V<E>) -> V<E> {
    element(e, Lanes::new(2 + q, Part::Scalar), v, upper)
}

/// `Vd += ±a * b`, from half precision in the low bits.
fn widening<E: Arm>(e: &mut E, q: u32, (mut a, b): (V<E>, V<E>), negative: bool, d: u32) {
    if negative {
        a = e.v1(VecOp::FNeg, Lanes::new(1, Part::Half), a);
    }
    let old = e.v(d);
    let r = e.vec(VecOp::FMulAddWide, Lanes::q(2, q), 0, a, b, old);
    e.set_v(d, r);
}

/// FMLAL, FMLSL, FMLAL2, FMLSL2 (vector).
fn fmlal<E: Arm, const UPPER: u32, const NEGATIVE: bool>(
    e: &mut E,
    q: u32,
    m: u32,
    n: u32,
    d: u32,
) -> Exec<E> {
    e.check_fp()?;
    let (a, b) = (e.v(n), e.v(m));
    let (a, b) = (part_of(e, q, UPPER, a), part_of(e, q, UPPER, b));
    widening(e, q, (a, b), NEGATIVE, d);
    Ok(Flow::Next)
}

/// FMLAL, FMLSL, FMLAL2, FMLSL2 (by element).
fn fmlal_by<E: Arm, const UPPER: u32, const NEGATIVE: bool>(
    e: &mut E,
    q: u32,
    l: u32,
    m: u32,
    h: u32,
    n: u32,
    d: u32,
) -> Exec<E> {
    e.check_fp()?;
    let (a, b) = (e.v(n), e.v(m & 15));
    let a = part_of(e, q, UPPER, a);
    let b = spread(e, Lanes::new(1, Part::Half), b, h << 2 | l << 1 | m >> 4);
    widening(e, q, (a, b), NEGATIVE, d);
    Ok(Flow::Next)
}
