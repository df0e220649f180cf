//! Advanced SIMD on bfloat16: dot product, matrix multiplication, multiplication accumulated in single precision (DDI
//! 0487 C4.1.96: three same extra, by element; meanings in C7.2). Conversions are in `fp_convert` and
//! `simd_fp_convert`.

use super::fp_ops::*;
use crate::arm::emit::Arm;
use crate::arm::features::BF16;
use crate::emit::{Exec, Flow};
use crate::vec::{Lanes, Part, VecOp};
use crate::width::W128;

crate::rows! { Arm;
    "BFDOT (vector)"     "0 q 1 01110 01 0 mmmmm 11111 1 nnnnn ddddd" (q, m, n, d) if BF16 => bfdot;
    "BFDOT (by element)" "0 q 0 01111 01 l mmmmm 1111 h 0 nnnnn ddddd" (q, l, m, h, n, d) if BF16 => bfdot_by;
    "BFMMLA"             "0 1 1 01110 01 0 mmmmm 11101 1 nnnnn ddddd" (m, n, d) if BF16 => bfmmla;
    "BFMLALB, BFMLALT (vector)"     "0 t 1 01110 11 0 mmmmm 11111 1 nnnnn ddddd" (t, m, n, d) if BF16 => bfmlal;
    "BFMLALB, BFMLALT (by element)" "0 t 0 01111 11 l mmmmm 1111 h 0 nnnnn ddddd" (t, l, m, h, n, d) if BF16 => bfmlal_by;
}

/// `Vd += a . b` on pairs of elements.
fn dot<E: Arm>(e: &mut E, l: Lanes, (a, b): (V<E>, V<E>), d: u32) -> Exec<E> {
    let old = e.v(d);
    let r = e.vec(VecOp::BfDot, l, 0, a, b, old);
    e.set_v(d, r);
    Ok(Flow::Next)
}

/// BFDOT (vector).
fn bfdot<E: Arm>(e: &mut E, q: u32, m: u32, n: u32, d: u32) -> Exec<E> {
    e.check_fp()?;
    let (a, b) = (e.v(n), e.v(m));
    dot(e, Lanes::q(2, q), (a, b), d)
}

/// BFDOT (by element): one of four pairs.
fn bfdot_by<E: Arm>(e: &mut E, q: u32, l: u32, m: u32, h: u32, n: u32, d: u32) -> Exec<E> {
    e.check_fp()?;
    let lanes = Lanes::q(2, q);
    let (a, b) = (e.v(n), e.v(m));
    let b = spread(e, lanes, b, h << 1 | l);
    dot(e, lanes, (a, b), d)
}

/// BFMMLA: a 2 by 4 matrix times the transpose of another, two columns at a time.
fn bfmmla<E: Arm>(e: &mut E, m: u32, n: u32, d: u32) -> Exec<E> {
    e.check_fp()?;
    let l = Lanes::new(2, Part::Full);
    let (a, b, mut sum) = (e.v(n), e.v(m), e.v(d));
    for (rows, columns) in [(VecOp::Transpose1, VecOp::Unzip1), (VecOp::Transpose2, VecOp::Unzip2)] {
        let (x, y) = (e.v2(rows, l, a, a), e.v2(columns, l, b, b));
        sum = e.vec(VecOp::BfDot, l, 0, x, y, sum);
    }
    e.set_v(d, sum);
    Ok(Flow::Next)
}

/// The even or odd elements in single precision.
fn widened<E: Arm>(e: &mut E, odd: bool, v: V<E>) -> V<E> {
    let l = Lanes::new(2, Part::Full);
    if odd {
        let high = e.lit::<W128>(0xFFFF_0000_FFFF_0000_FFFF_0000_FFFF_0000);
        e.v2(VecOp::And, l, v, high)
    } else {
        e.vi(VecOp::Shl, l, 16, v)
    }
}

/// BFMLALB, BFMLALT (vector).
fn bfmlal<E: Arm>(e: &mut E, t: u32, m: u32, n: u32, d: u32) -> Exec<E> {
    e.check_fp()?;
    let (a, b, old) = (e.v(n), e.v(m), e.v(d));
    let (a, b) = (widened(e, t == 1, a), widened(e, t == 1, b));
    let r = e.vec(VecOp::FMulAdd, Lanes::new(2, Part::Full), 0, a, b, old);
    e.set_v(d, r);
    Ok(Flow::Next)
}

/// BFMLALB, BFMLALT (by element).
fn bfmlal_by<E: Arm>(e: &mut E, t: u32, l: u32, m: u32, h: u32, n: u32, d: u32) -> Exec<E> {
    e.check_fp()?;
    let (a, b, old) = (e.v(n), e.v(m & 15), e.v(d));
    let b = spread(e, Lanes::new(1, Part::Full), b, h << 2 | l << 1 | m >> 4);
    let (a, b) = (widened(e, t == 1, a), widened(e, false, b));
    let r = e.vec(VecOp::FMulAdd, Lanes::new(2, Part::Full), 0, a, b, old);
    e.set_v(d, r);
    Ok(Flow::Next)
}
