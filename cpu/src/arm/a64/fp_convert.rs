//! Scalar floating-point conversion, and moves to and from general registers (DDI 0487 C4.1.96: one source,
//! conversions with integers and with fixed-point numbers).

use super::fp_ops::scalar;
use crate::arm::emit::Arm;
use crate::arm::features::{BF16, FP16, JSCVT};
use crate::arm::state;
use crate::by_sf;
use crate::emit::{Exec, Flow};
use crate::vec::fp::rounding::{AWAY, CURRENT, MINUS, NEAREST, PLUS, ZERO};
use crate::vec::fp::{Fixed, TO_BF16};
use crate::vec::{Lanes, Part, VecOp};
use crate::width::{W16, W32, W64};

crate::rows! { Arm;
    "FCVT"  "0 0 0 11110 pp 1 0001 oo 10000 nnnnn ddddd" (p, o, n, d) => fcvt;
    "BFCVT" "0 0 0 11110 01 1 0001 10 10000 nnnnn ddddd" (n, d) if BF16 => bfcvt;
    "SCVTF (scalar, fixed-point)"  "z 0 0 11110 pp 0 00 010 ssssss nnnnn ddddd" (z, p, s, n, d) => fixed_to_f::<_, true>;
    "UCVTF (scalar, fixed-point)"  "z 0 0 11110 pp 0 00 011 ssssss nnnnn ddddd" (z, p, s, n, d) => fixed_to_f::<_, false>;
    "FCVTZS (scalar, fixed-point)" "z 0 0 11110 pp 0 11 000 ssssss nnnnn ddddd" (z, p, s, n, d) => f_to_fixed::<_, true>;
    "FCVTZU (scalar, fixed-point)" "z 0 0 11110 pp 0 11 001 ssssss nnnnn ddddd" (z, p, s, n, d) => f_to_fixed::<_, false>;
    "FCVTNS (scalar)" "z 0 0 11110 pp 1 00 000 000000 nnnnn ddddd" (z, p, n, d) => f_to_int::<_, NEAREST, true>;
    "FCVTNU (scalar)" "z 0 0 11110 pp 1 00 001 000000 nnnnn ddddd" (z, p, n, d) => f_to_int::<_, NEAREST, false>;
    "FCVTPS (scalar)" "z 0 0 11110 pp 1 01 000 000000 nnnnn ddddd" (z, p, n, d) => f_to_int::<_, PLUS, true>;
    "FCVTPU (scalar)" "z 0 0 11110 pp 1 01 001 000000 nnnnn ddddd" (z, p, n, d) => f_to_int::<_, PLUS, false>;
    "FCVTMS (scalar)" "z 0 0 11110 pp 1 10 000 000000 nnnnn ddddd" (z, p, n, d) => f_to_int::<_, MINUS, true>;
    "FCVTMU (scalar)" "z 0 0 11110 pp 1 10 001 000000 nnnnn ddddd" (z, p, n, d) => f_to_int::<_, MINUS, false>;
    "FCVTZS (scalar, integer)" "z 0 0 11110 pp 1 11 000 000000 nnnnn ddddd" (z, p, n, d) => f_to_int::<_, ZERO, true>;
    "FCVTZU (scalar, integer)" "z 0 0 11110 pp 1 11 001 000000 nnnnn ddddd" (z, p, n, d) => f_to_int::<_, ZERO, false>;
    "FCVTAS (scalar)" "z 0 0 11110 pp 1 00 100 000000 nnnnn ddddd" (z, p, n, d) => f_to_int::<_, AWAY, true>;
    "FCVTAU (scalar)" "z 0 0 11110 pp 1 00 101 000000 nnnnn ddddd" (z, p, n, d) => f_to_int::<_, AWAY, false>;
    "SCVTF (scalar, integer)" "z 0 0 11110 pp 1 00 010 000000 nnnnn ddddd" (z, p, n, d) => int_to_f::<_, true>;
    "UCVTF (scalar, integer)" "z 0 0 11110 pp 1 00 011 000000 nnnnn ddddd" (z, p, n, d) => int_to_f::<_, false>;
    "FMOV (W, S)" "0 0 0 11110 00 1 00 110 000000 nnnnn ddddd" (n, d) => fmov_ws;
    "FMOV (S, W)" "0 0 0 11110 00 1 00 111 000000 nnnnn ddddd" (n, d) => fmov_sw;
    "FMOV (X, D)" "1 0 0 11110 01 1 00 110 000000 nnnnn ddddd" (n, d) => fmov_xd::<_, 0>;
    "FMOV (D, X)" "1 0 0 11110 01 1 00 111 000000 nnnnn ddddd" (n, d) => fmov_dx;
    "FMOV (X, V.D[1])" "1 0 0 11110 10 1 01 110 000000 nnnnn ddddd" (n, d) => fmov_xd::<_, 1>;
    "FMOV (V.D[1], X)" "1 0 0 11110 10 1 01 111 000000 nnnnn ddddd" (n, d) => fmov_vx;
    "FMOV (W|X, H)" "z 0 0 11110 11 1 00 110 000000 nnnnn ddddd" (n, d) if FP16 => fmov_wh;
    "FMOV (H, W|X)" "z 0 0 11110 11 1 00 111 000000 nnnnn ddddd" (n, d) if FP16 => fmov_hw;
    "FJCVTZS" "0 0 0 11110 01 1 11 110 000000 nnnnn ddddd" (n, d) if JSCVT => fjcvtzs;
}

/// log2 of the size that `ptype` selects where half precision is always there.
fn size(p: u32) -> Option<u32> {
    match p {
        0 => Some(2),
        1 => Some(3),
        3 => Some(1),
        _ => None,
    }
}

/// FCVT: between precisions; half precision needs no FEAT_FP16.
fn fcvt<E: Arm>(e: &mut E, p: u32, o: u32, n: u32, d: u32) -> Exec<E> {
    let (Some(from), Some(to)) = (size(p), size(o)) else { return e.undefined() };
    if from == to {
        return e.undefined();
    }
    e.check_fp()?;
    let a = e.v(n);
    let r = e.vi(VecOp::FCvt, Lanes::new(from, Part::Scalar), to, a);
    e.set_v(d, r);
    Ok(Flow::Next)
}

/// BFCVT: single precision to bfloat16.
fn bfcvt<E: Arm>(e: &mut E, n: u32, d: u32) -> Exec<E> {
    e.check_fp()?;
    let a = e.v(n);
    let r = e.vi(VecOp::FCvt, Lanes::new(2, Part::Scalar), 1 | TO_BF16, a);
    e.set_v(d, r);
    Ok(Flow::Next)
}

/// The fraction bits that `scale` stands for; `None` where it is reserved.
fn fraction(z: u32, scale: u32) -> Option<u32> {
    if z == 0 && scale < 32 { None } else { Some(64 - scale) }
}

/// `Xd|Wd` from `Vn`.
fn to_general<E: Arm>(e: &mut E, l: Lanes, z: u32, to: Fixed, n: u32, d: u32) -> Exec<E> {
    e.check_fp()?;
    let a = e.v(n);
    let r = e.vi(VecOp::FToInt, l, to.pack(), a);
    by_sf!(z, W => {
        let x = e.lane::<W>(r, 0);
        e.set_x::<W>(d, x);
    });
    Ok(Flow::Next)
}

/// `Vd` from `Xn|Wn`.
fn from_general<E: Arm>(e: &mut E, l: Lanes, z: u32, from: Fixed, n: u32, d: u32) -> Exec<E> {
    e.check_fp()?;
    let a = by_sf!(z, W => {
        let x = e.x::<W>(n);
        e.to_vec::<W>(x)
    });
    let r = e.vi(VecOp::IntToF, l, from.pack(), a);
    e.set_v(d, r);
    Ok(Flow::Next)
}

/// FCVTxS, FCVTxU to general registers: rounding `R`.
fn f_to_int<E: Arm, const R: u32, const SIGNED: bool>(e: &mut E, z: u32, p: u32, n: u32, d: u32) -> Exec<E> {
    let Some(l) = scalar(e, p) else { return e.undefined() };
    to_general(e, l, z, Fixed { rounding: R, signed: SIGNED, log2: 2 + z, fbits: 0 }, n, d)
}

/// FCVTZS, FCVTZU (scalar, fixed-point).
fn f_to_fixed<E: Arm, const SIGNED: bool>(e: &mut E, z: u32, p: u32, s: u32, n: u32, d: u32) -> Exec<E> {
    let (Some(l), Some(fbits)) = (scalar(e, p), fraction(z, s)) else { return e.undefined() };
    to_general(e, l, z, Fixed { rounding: ZERO, signed: SIGNED, log2: 2 + z, fbits }, n, d)
}

/// SCVTF, UCVTF from general registers.
fn int_to_f<E: Arm, const SIGNED: bool>(e: &mut E, z: u32, p: u32, n: u32, d: u32) -> Exec<E> {
    let Some(l) = scalar(e, p) else { return e.undefined() };
    from_general(e, l, z, Fixed { rounding: CURRENT, signed: SIGNED, log2: 2 + z, fbits: 0 }, n, d)
}

/// SCVTF, UCVTF (scalar, fixed-point).
fn fixed_to_f<E: Arm, const SIGNED: bool>(e: &mut E, z: u32, p: u32, s: u32, n: u32, d: u32) -> Exec<E> {
    let (Some(l), Some(fbits)) = (scalar(e, p), fraction(z, s)) else { return e.undefined() };
    from_general(e, l, z, Fixed { rounding: CURRENT, signed: SIGNED, log2: 2 + z, fbits }, n, d)
}

/// FMOV (general): Wd from Sn.
fn fmov_ws<E: Arm>(e: &mut E, n: u32, d: u32) -> Exec<E> {
    e.check_fp()?;
    let v = e.v(n);
    let x = e.lane::<W32>(v, 0);
    e.set_x::<W32>(d, x);
    Ok(Flow::Next)
}

/// FMOV (general): Sd from Wn.
fn fmov_sw<E: Arm>(e: &mut E, n: u32, d: u32) -> Exec<E> {
    e.check_fp()?;
    let x = e.x::<W32>(n);
    let v = e.to_vec(x);
    e.set_v(d, v);
    Ok(Flow::Next)
}

/// FMOV (general): Xd from element `I` of Vn.
fn fmov_xd<E: Arm, const I: u32>(e: &mut E, n: u32, d: u32) -> Exec<E> {
    e.check_fp()?;
    let v = e.v(n);
    let x = e.lane::<W64>(v, I);
    e.set_x::<W64>(d, x);
    Ok(Flow::Next)
}

/// FMOV (general): Dd from Xn.
fn fmov_dx<E: Arm>(e: &mut E, n: u32, d: u32) -> Exec<E> {
    e.check_fp()?;
    let x = e.x::<W64>(n);
    let v = e.to_vec(x);
    e.set_v(d, v);
    Ok(Flow::Next)
}

/// FMOV (general): the upper half of Vd from Xn.
fn fmov_vx<E: Arm>(e: &mut E, n: u32, d: u32) -> Exec<E> {
    e.check_fp()?;
    let (old, x) = (e.v(d), e.x::<W64>(n));
    let v = e.set_lane(old, 1, x);
    e.set_v(d, v);
    Ok(Flow::Next)
}

/// FMOV (general): Wd or Xd from Hn, zero extended.
fn fmov_wh<E: Arm>(e: &mut E, n: u32, d: u32) -> Exec<E> {
    e.check_fp()?;
    let v = e.v(n);
    let x = e.lane::<W16>(v, 0);
    e.set_x::<W16>(d, x);
    Ok(Flow::Next)
}

/// FMOV (general): Hd from Wn or Xn.
fn fmov_hw<E: Arm>(e: &mut E, n: u32, d: u32) -> Exec<E> {
    e.check_fp()?;
    let x = e.x::<W16>(n);
    let v = e.to_vec(x);
    e.set_v(d, v);
    Ok(Flow::Next)
}

/// FJCVTZS: JavaScript's conversion; Z says whether it was exact.
fn fjcvtzs<E: Arm>(e: &mut E, n: u32, d: u32) -> Exec<E> {
    e.check_fp()?;
    let a = e.v(n);
    let r = e.v1(VecOp::FToIntJs, Lanes::new(3, Part::Scalar), a);
    let (x, flags) = (e.lane::<W32>(r, 0), e.lane::<W32>(r, 1));
    e.set_x::<W32>(d, x);
    e.write_flags(state::NZCV, flags);
    Ok(Flow::Next)
}
