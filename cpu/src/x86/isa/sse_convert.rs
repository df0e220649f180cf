//! Conversions between floating-point formats and integers (SSE, SSE2, AVX).

use super::sse_forms::{
    Enc, Op, V, address, first, fp, halves, load, read, ready, scalar_sd, scalar_ss, small, unary, wide,
    write, write_low,
};
use crate::emit::{Emit, Exec, Flow};
use crate::vec::fp::{Fixed, rounding};
use crate::vec::{Lanes, Part, VecOp};
use crate::vop;
use crate::width::{W64, W128};
use crate::x86::emit::{Want, X86, plain};
use crate::x86::insn::Insn;
use crate::x86::state;

/// Constants of [`VecOp::FToInt`] to 32-bit integers: rounded as MXCSR says, and truncated.
const ROUNDED: u32 = fixed(rounding::CURRENT, 2);
const TRUNCATED: u32 = fixed(rounding::ZERO, 2);

const fn fixed(rounding: u32, log2: u32) -> u32 {
    Fixed { rounding, signed: true, log2, fbits: 0 }.pack()
}

crate::simd_rows! {
    lig "CVTSI2SS" "F3" "0F" "2A" "Vss" "Ey" "" SSE => from_integer<Single>;
    lig "CVTSI2SD" "F2" "0F" "2A" "Vsd" "Ey" "" SSE2 => from_integer<Double>;
    lig1 "CVTTSS2SI" "F3" "0F" "2C" "Gy" "Wss" "" SSE => to_integer<Single, Truncate>;
    lig1 "CVTTSD2SI" "F2" "0F" "2C" "Gy" "Wsd" "" SSE2 => to_integer<Double, Truncate>;
    lig1 "CVTSS2SI" "F3" "0F" "2D" "Gy" "Wss" "" SSE => to_integer<Single, Round>;
    lig1 "CVTSD2SI" "F2" "0F" "2D" "Gy" "Wsd" "" SSE2 => to_integer<Double, Round>;
    fp1 "CVTPS2PD" "NP" "0F" "5A" "Vx" "Wx" "" SSE2 => widening<ToDouble>;
    fp1 "CVTPD2PS" "66" "0F" "5A" "Vx" "Wx" "" SSE2 => narrowing<vop!(FCvt 3 2)>;
    lig "CVTSS2SD" "F3" "0F" "5A" "Vsd" "Wss" "" SSE2 => scalar_ss<Scalar<2, 3>>;
    lig "CVTSD2SS" "F2" "0F" "5A" "Vss" "Wsd" "" SSE2 => scalar_sd<Scalar<3, 2>>;
    fp1 "CVTDQ2PS" "NP" "0F" "5B" "Vx" "Wx" "" SSE2 => unary<vop!(IntToF 2 ROUNDED)>;
    fp1 "CVTPS2DQ" "66" "0F" "5B" "Vx" "Wx" "" SSE2 => unary<vop!(FToInt 2 ROUNDED)>;
    fp1 "CVTTPS2DQ" "F3" "0F" "5B" "Vx" "Wx" "" SSE2 => unary<vop!(FToInt 2 TRUNCATED)>;
    fp1 "CVTTPD2DQ" "66" "0F" "E6" "Vx" "Wx" "" SSE2 => narrowing<vop!(FToInt 3 TRUNCATED)>;
    fp1 "CVTDQ2PD" "F3" "0F" "E6" "Vx" "Wx" "" SSE2 => widening<vop!(IntToF 3 ROUNDED)>;
    fp1 "CVTPD2DQ" "F2" "0F" "E6" "Vx" "Wx" "" SSE2 => narrowing<vop!(FToInt 3 ROUNDED)>;
}

/// A scalar format, as a type.
trait Format {
    const LOG2: u32;
}
/// 32 bits.
struct Single;
/// 64 bits.
struct Double;
impl Format for Single {
    const LOG2: u32 = 2;
}
impl Format for Double {
    const LOG2: u32 = 3;
}

/// A rounding to integers, as a type.
trait Rounds {
    const ROUNDING: u32;
}
/// As MXCSR says.
struct Round;
/// Towards zero.
struct Truncate;
impl Rounds for Round {
    const ROUNDING: u32 = rounding::CURRENT;
}
impl Rounds for Truncate {
    const ROUNDING: u32 = rounding::ZERO;
}

/// Single to double precision, from the low 64 bits.
pub(super) struct ToDouble;
impl Op for ToDouble {
    #[inline(always)]
    fn run<E: X86>(e: &mut E, _: &Insn, a: V<E>, _: V<E>) -> Emit<E, W128> {
        fp(e, VecOp::FCvt, Lanes::new(2, Part::Half), 3, [a, a, a])
    }
}

/// A conversion of the lowest element; the rest is the first operand's.
struct Scalar<const FROM: u32, const TO: u32>;
impl<const FROM: u32, const TO: u32> Op for Scalar<FROM, TO> {
    #[inline(always)]
    fn run<E: X86>(e: &mut E, _: &Insn, a: V<E>, b: V<E>) -> Emit<E, W128> {
        let r = fp(e, VecOp::FCvt, Lanes::scalar(FROM), TO, [b, b, b])?;
        Ok(e.v2(VecOp::Merge, Lanes::scalar(TO), a, r))
    }
}

/// CVTSI2SS, CVTSI2SD.
#[inline(always)]
fn from_integer<E: X86, X: Enc, F: Format>(e: &mut E, i: &Insn) -> Exec<E> {
    ready::<E, X>(e, i, false)?;
    let log2 = if wide(e, i) { 3 } else { 2 };
    let x = if i.is_mem() {
        let at = address(e, i, 1 << log2, Want::Read)?;
        e.load_zext(plain(i.seg()), log2, at)?
    } else {
        e.get(state::gpr(i.rm()))
    };
    let x = e.to_vec::<W64>(x);
    let l = Lanes::scalar(F::LOG2);
    let r = fp(e, VecOp::IntToF, l, fixed(rounding::CURRENT, log2), [x, x, x])?;
    let a = e.get(state::xmm(first::<X>(i)));
    let r = e.v2(VecOp::Merge, l, a, r);
    write_low::<E, X>(e, i.reg(), r);
    Ok(Flow::Next)
}

/// CVTSS2SI and its kin.
#[inline(always)]
fn to_integer<E: X86, X: Enc, F: Format, R: Rounds>(e: &mut E, i: &Insn) -> Exec<E> {
    ready::<E, X>(e, i, true)?;
    let log2 = if wide(e, i) { 3 } else { 2 };
    let b = small(e, i, F::LOG2)?;
    let r = fp(e, VecOp::FToInt, Lanes::scalar(F::LOG2), fixed(R::ROUNDING, log2), [b, b, b])?;
    let x = e.lane::<W64>(r, 0);
    e.put(state::gpr(i.reg()), x);
    Ok(Flow::Next)
}

/// Conversions to twice the size: each half of the result comes from 64 bits.
#[inline(always)]
pub(super) fn widening<E: X86, X: Enc, O: Op>(e: &mut E, i: &Insn) -> Exec<E> {
    ready::<E, X>(e, i, true)?;
    let two = halves::<X>(i) == 2;
    let b = small(e, i, 3 + two as u32)?;
    let low = O::run(e, i, b, b)?;
    let high = if two {
        let rest = e.vec(VecOp::Extract, Lanes::full(0), 8, b, b, b);
        O::run(e, i, rest, rest)?
    } else {
        low
    };
    write::<E, X>(e, i, i.reg(), [low, high]);
    Ok(Flow::Next)
}

/// Conversions to half the size: the result has 64 or 128 bits.
#[inline(always)]
fn narrowing<E: X86, X: Enc, O: Op>(e: &mut E, i: &Insn) -> Exec<E> {
    ready::<E, X>(e, i, true)?;
    let b = if i.is_mem() { load(e, i, halves::<X>(i), !X::VEX)? } else { read::<E, X>(e, i, i.rm()) };
    let mut r = O::run(e, i, b[0], b[0])?;
    if halves::<X>(i) == 2 {
        let high = O::run(e, i, b[1], b[1])?;
        r = e.v2(VecOp::Zip1, Lanes::full(3), r, high);
    }
    write_low::<E, X>(e, i.reg(), r);
    Ok(Flow::Next)
}
