//! Scalar floating point: moves, arithmetic, rounding, selection (DDI 0487 C4.1.96: one, two and three sources,
//! immediate, conditional select; meanings in C7.2).

use super::fp_ops::*;
use crate::arm::emit::Arm;
use crate::arm::features::FRINTTS;
use crate::emit::{Exec, Flow};
use crate::vec::VecOp;
use crate::vec::fp::rounding::{AWAY, CURRENT, MINUS, NEAREST, PLUS, ZERO};
use crate::width::W128;

crate::rows! { Arm;
    "FMOV (register)" "0 0 0 11110 pp 1 000000 10000 nnnnn ddddd" (p, n, d) => fp1::<_, Fmov>;
    "FABS (scalar)"   "0 0 0 11110 pp 1 000001 10000 nnnnn ddddd" (p, n, d) => fp1::<_, Fabs>;
    "FNEG (scalar)"   "0 0 0 11110 pp 1 000010 10000 nnnnn ddddd" (p, n, d) => fp1::<_, Fneg>;
    "FSQRT (scalar)"  "0 0 0 11110 pp 1 000011 10000 nnnnn ddddd" (p, n, d) => fp1::<_, Fsqrt>;
    "FRINTN (scalar)" "0 0 0 11110 pp 1 001000 10000 nnnnn ddddd" (p, n, d) => fp1::<_, Frint<NEAREST>>;
    "FRINTP (scalar)" "0 0 0 11110 pp 1 001001 10000 nnnnn ddddd" (p, n, d) => fp1::<_, Frint<PLUS>>;
    "FRINTM (scalar)" "0 0 0 11110 pp 1 001010 10000 nnnnn ddddd" (p, n, d) => fp1::<_, Frint<MINUS>>;
    "FRINTZ (scalar)" "0 0 0 11110 pp 1 001011 10000 nnnnn ddddd" (p, n, d) => fp1::<_, Frint<ZERO>>;
    "FRINTA (scalar)" "0 0 0 11110 pp 1 001100 10000 nnnnn ddddd" (p, n, d) => fp1::<_, Frint<AWAY>>;
    "FRINTX (scalar)" "0 0 0 11110 pp 1 001110 10000 nnnnn ddddd" (p, n, d) => fp1::<_, Frintx>;
    "FRINTI (scalar)" "0 0 0 11110 pp 1 001111 10000 nnnnn ddddd" (p, n, d) => fp1::<_, Frint<CURRENT>>;
    "FRINT32Z (scalar)" "0 0 0 11110 0s 1 010000 10000 nnnnn ddddd" (s, n, d) if FRINTTS => scalar1::<_, Frint32z>;
    "FRINT32X (scalar)" "0 0 0 11110 0s 1 010001 10000 nnnnn ddddd" (s, n, d) if FRINTTS => scalar1::<_, Frint32x>;
    "FRINT64Z (scalar)" "0 0 0 11110 0s 1 010010 10000 nnnnn ddddd" (s, n, d) if FRINTTS => scalar1::<_, Frint64z>;
    "FRINT64X (scalar)" "0 0 0 11110 0s 1 010011 10000 nnnnn ddddd" (s, n, d) if FRINTTS => scalar1::<_, Frint64x>;
    "FMUL (scalar)"   "0 0 0 11110 pp 1 mmmmm 0000 10 nnnnn ddddd" (p, m, n, d) => fp2::<_, Fmul>;
    "FDIV (scalar)"   "0 0 0 11110 pp 1 mmmmm 0001 10 nnnnn ddddd" (p, m, n, d) => fp2::<_, Fdiv>;
    "FADD (scalar)"   "0 0 0 11110 pp 1 mmmmm 0010 10 nnnnn ddddd" (p, m, n, d) => fp2::<_, Fadd>;
    "FSUB (scalar)"   "0 0 0 11110 pp 1 mmmmm 0011 10 nnnnn ddddd" (p, m, n, d) => fp2::<_, Fsub>;
    "FMAX (scalar)"   "0 0 0 11110 pp 1 mmmmm 0100 10 nnnnn ddddd" (p, m, n, d) => fp2::<_, Fmax>;
    "FMIN (scalar)"   "0 0 0 11110 pp 1 mmmmm 0101 10 nnnnn ddddd" (p, m, n, d) => fp2::<_, Fmin>;
    "FMAXNM (scalar)" "0 0 0 11110 pp 1 mmmmm 0110 10 nnnnn ddddd" (p, m, n, d) => fp2::<_, Fmaxnm>;
    "FMINNM (scalar)" "0 0 0 11110 pp 1 mmmmm 0111 10 nnnnn ddddd" (p, m, n, d) => fp2::<_, Fminnm>;
    "FNMUL (scalar)"  "0 0 0 11110 pp 1 mmmmm 1000 10 nnnnn ddddd" (p, m, n, d) => fp2::<_, Fnmul>;
    "FMADD"  "0 0 0 11111 pp 0 mmmmm 0 aaaaa nnnnn ddddd" (p, m, a, n, d) => fused::<_, false, false>;
    "FMSUB"  "0 0 0 11111 pp 0 mmmmm 1 aaaaa nnnnn ddddd" (p, m, a, n, d) => fused::<_, true, false>;
    "FNMADD" "0 0 0 11111 pp 1 mmmmm 0 aaaaa nnnnn ddddd" (p, m, a, n, d) => fused::<_, true, true>;
    "FNMSUB" "0 0 0 11111 pp 1 mmmmm 1 aaaaa nnnnn ddddd" (p, m, a, n, d) => fused::<_, false, true>;
    "FCSEL"  "0 0 0 11110 pp 1 mmmmm cccc 11 nnnnn ddddd" (p, m, c, n, d) => fcsel;
    "FMOV (scalar, immediate)" "0 0 0 11110 pp 1 iiiiiiii 100 00000 ddddd" (p, i, d) => fmov_imm;
}

/// FMADD, FMSUB, FNMADD, FNMSUB: `±Va ± Vn * Vm`, with the signs of Vn and Va flipped as told.
fn fused<E: Arm, const NEG_N: bool, const NEG_A: bool>(
    e: &mut E,
    p: u32,
    m: u32,
    a: u32,
    n: u32,
    d: u32,
) -> Exec<E> {
    let Some(l) = scalar(e, p) else { return e.undefined() };
    e.check_fp()?;
    let (mut x, y, mut addend) = (e.v(n), e.v(m), e.v(a));
    if NEG_N {
        x = e.v1(VecOp::FNeg, l, x);
    }
    if NEG_A {
        addend = e.v1(VecOp::FNeg, l, addend);
    }
    let r = e.vec(VecOp::FMulAdd, l, 0, x, y, addend);
    e.set_v(d, r);
    Ok(Flow::Next)
}

/// FCSEL: `Vd = cond ? Vn : Vm`.
fn fcsel<E: Arm>(e: &mut E, p: u32, m: u32, c: u32, n: u32, d: u32) -> Exec<E> {
    let Some(l) = scalar(e, p) else { return e.undefined() };
    e.check_fp()?;
    let (a, b, holds) = (e.v(n), e.v(m), e.cond(c));
    let r = e.select::<W128>(holds, a, b);
    let r = e.v1(VecOp::FMov, l, r);
    e.set_v(d, r);
    Ok(Flow::Next)
}

/// `VFPExpandImm`: the number that eight bits stand for, with elements of `1 << log2` bytes.
pub(super) const fn expand_imm(imm: u32, log2: u32) -> u64 {
    let (exp, frac) = match log2 {
        1 => (5, 10),
        2 => (8, 23),
        _ => (11, 52),
    };
    let sign = (imm >> 7 & 1) as u64;
    let b = (imm >> 6 & 1) as u64;
    // NOT(b) : Replicate(b, exp - 3) : imm8<5:4>
    let exponent = (1 - b) << (exp - 1) | (b * ((1 << (exp - 3)) - 1)) << 2 | (imm >> 4 & 3) as u64;
    sign << (exp + frac) | exponent << frac | ((imm & 15) as u64) << (frac - 4)
}

/// FMOV (scalar, immediate).
fn fmov_imm<E: Arm>(e: &mut E, p: u32, i: u32, d: u32) -> Exec<E> {
    let Some(l) = scalar(e, p) else { return e.undefined() };
    e.check_fp()?;
    let v = e.lit::<W128>(expand_imm(i, l.log2.into()).into());
    e.set_v(d, v);
    Ok(Flow::Next)
}
