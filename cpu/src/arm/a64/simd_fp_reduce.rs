//! Advanced SIMD floating point between elements of one register: pairwise, scalar pairwise, across lanes (DDI 0487
//! C4.1.96; meanings in C7.2).

use super::fp_ops::*;
use crate::arm::emit::Arm;
use crate::arm::features::FP16;
use crate::emit::{Exec, Flow};
use crate::vec::{Lanes, Part, VecOp};

crate::rows! { Arm;
    "FMAXNMP (vector)" "0 q 1 01110 0 s 1 mmmmm 11000 1 nnnnn ddddd" (q, s, m, n, d) => pairs::<_, Fmaxnm>;
    "FMINNMP (vector)" "0 q 1 01110 1 s 1 mmmmm 11000 1 nnnnn ddddd" (q, s, m, n, d) => pairs::<_, Fminnm>;
    "FADDP (vector)" "0 q 1 01110 0 s 1 mmmmm 11010 1 nnnnn ddddd" (q, s, m, n, d) => pairs::<_, Fadd>;
    "FMAXP (vector)" "0 q 1 01110 0 s 1 mmmmm 11110 1 nnnnn ddddd" (q, s, m, n, d) => pairs::<_, Fmax>;
    "FMINP (vector)" "0 q 1 01110 1 s 1 mmmmm 11110 1 nnnnn ddddd" (q, s, m, n, d) => pairs::<_, Fmin>;
    "FMAXNMP (vector, half)" "0 q 1 01110 0 10 mmmmm 00 000 1 nnnnn ddddd" (q, m, n, d) if FP16 => pairs_half::<_, Fmaxnm>;
    "FMINNMP (vector, half)" "0 q 1 01110 1 10 mmmmm 00 000 1 nnnnn ddddd" (q, m, n, d) if FP16 => pairs_half::<_, Fminnm>;
    "FADDP (vector, half)" "0 q 1 01110 0 10 mmmmm 00 010 1 nnnnn ddddd" (q, m, n, d) if FP16 => pairs_half::<_, Fadd>;
    "FMAXP (vector, half)" "0 q 1 01110 0 10 mmmmm 00 110 1 nnnnn ddddd" (q, m, n, d) if FP16 => pairs_half::<_, Fmax>;
    "FMINP (vector, half)" "0 q 1 01110 1 10 mmmmm 00 110 1 nnnnn ddddd" (q, m, n, d) if FP16 => pairs_half::<_, Fmin>;
    "FMAXNMP (scalar)" "01 1 11110 0 s 11000 01100 10 nnnnn ddddd" (s, n, d) => pair::<_, Fmaxnm>;
    "FADDP (scalar)" "01 1 11110 0 s 11000 01101 10 nnnnn ddddd" (s, n, d) => pair::<_, Fadd>;
    "FMAXP (scalar)" "01 1 11110 0 s 11000 01111 10 nnnnn ddddd" (s, n, d) => pair::<_, Fmax>;
    "FMINNMP (scalar)" "01 1 11110 1 s 11000 01100 10 nnnnn ddddd" (s, n, d) => pair::<_, Fminnm>;
    "FMINP (scalar)" "01 1 11110 1 s 11000 01111 10 nnnnn ddddd" (s, n, d) => pair::<_, Fmin>;
    "FMAXNMP (scalar, half)" "01 0 11110 0 0 11000 01100 10 nnnnn ddddd" (n, d) if FP16 => pair_half::<_, Fmaxnm>;
    "FADDP (scalar, half)" "01 0 11110 0 0 11000 01101 10 nnnnn ddddd" (n, d) if FP16 => pair_half::<_, Fadd>;
    "FMAXP (scalar, half)" "01 0 11110 0 0 11000 01111 10 nnnnn ddddd" (n, d) if FP16 => pair_half::<_, Fmax>;
    "FMINNMP (scalar, half)" "01 0 11110 1 0 11000 01100 10 nnnnn ddddd" (n, d) if FP16 => pair_half::<_, Fminnm>;
    "FMINP (scalar, half)" "01 0 11110 1 0 11000 01111 10 nnnnn ddddd" (n, d) if FP16 => pair_half::<_, Fmin>;
    "FMAXNMV" "0 1 1 01110 0 0 11000 01100 10 nnnnn ddddd" (n, d) => across::<_, Fmaxnm>;
    "FMINNMV" "0 1 1 01110 1 0 11000 01100 10 nnnnn ddddd" (n, d) => across::<_, Fminnm>;
    "FMAXV" "0 1 1 01110 0 0 11000 01111 10 nnnnn ddddd" (n, d) => across::<_, Fmax>;
    "FMINV" "0 1 1 01110 1 0 11000 01111 10 nnnnn ddddd" (n, d) => across::<_, Fmin>;
    "FMAXNMV (half)" "0 q 0 01110 0 0 11000 01100 10 nnnnn ddddd" (q, n, d) if FP16 => across_half::<_, Fmaxnm>;
    "FMINNMV (half)" "0 q 0 01110 1 0 11000 01100 10 nnnnn ddddd" (q, n, d) if FP16 => across_half::<_, Fminnm>;
    "FMAXV (half)" "0 q 0 01110 0 0 11000 01111 10 nnnnn ddddd" (q, n, d) if FP16 => across_half::<_, Fmax>;
    "FMINV (half)" "0 q 0 01110 1 0 11000 01111 10 nnnnn ddddd" (q, n, d) if FP16 => across_half::<_, Fmin>;
}

/// Each pair of neighbours in Vm:Vn becomes an element.
fn pairwise<E: Arm, O: Meaning>(e: &mut E, l: Lanes, m: u32, n: u32, d: u32) -> Exec<E> {
    e.check_fp()?;
    let (x, y) = (e.v(n), e.v(m));
    let (a, b) = (e.v2(VecOp::Unzip1, l, x, y), e.v2(VecOp::Unzip2, l, x, y));
    let r = O::of(e, l, a, b, a);
    e.set_v(d, r);
    Ok(Flow::Next)
}

fn pairs<E: Arm, O: Meaning>(e: &mut E, q: u32, s: u32, m: u32, n: u32, d: u32) -> Exec<E> {
    let Some(l) = vector(s, q) else { return e.undefined() };
    pairwise::<E, O>(e, l, m, n, d)
}

fn pairs_half<E: Arm, O: Meaning>(e: &mut E, q: u32, m: u32, n: u32, d: u32) -> Exec<E> {
    pairwise::<E, O>(e, Lanes::q(1, q), m, n, d)
}

/// `Reduce`: halves are reduced first, so that NaNs meet in the manual's order.
fn reduce<E: Arm, O: Meaning>(e: &mut E, l: Lanes, v: V<E>, first: u32, count: u32) -> V<E> {
    if count == 1 {
        return element(e, l, v, first);
    }
    let a = reduce::<E, O>(e, l, v, first, count / 2);
    let b = reduce::<E, O>(e, l, v, first + count / 2, count / 2);
    O::of(e, l, a, b, a)
}

/// `Vd = Reduce(Vn)` over `count` elements of `1 << log2` bytes.
fn reduction<E: Arm, O: Meaning>(e: &mut E, log2: u32, count: u32, n: u32, d: u32) -> Exec<E> {
    e.check_fp()?;
    let v = e.v(n);
    let r = reduce::<E, O>(e, Lanes::new(log2, Part::Scalar), v, 0, count);
    e.set_v(d, r);
    Ok(Flow::Next)
}

fn pair<E: Arm, O: Meaning>(e: &mut E, s: u32, n: u32, d: u32) -> Exec<E> {
    reduction::<E, O>(e, 2 + s, 2, n, d)
}

fn pair_half<E: Arm, O: Meaning>(e: &mut E, n: u32, d: u32) -> Exec<E> {
    reduction::<E, O>(e, 1, 2, n, d)
}

fn across<E: Arm, O: Meaning>(e: &mut E, n: u32, d: u32) -> Exec<E> {
    reduction::<E, O>(e, 2, 4, n, d)
}

fn across_half<E: Arm, O: Meaning>(e: &mut E, q: u32, n: u32, d: u32) -> Exec<E> {
    reduction::<E, O>(e, 1, 4 << q, n, d)
}
