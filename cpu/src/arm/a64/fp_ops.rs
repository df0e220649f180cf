//! What floating-point instructions compute, by mnemonic, and the forms they come in.
//!
//! The same computation stands behind the scalar instructions, the Advanced SIMD scalar ones, vectors and vectors by
//! element, in three precisions: a [`Meaning`] says it once, and the forms below bring the operands. Reserved encodings
//! come before the access trap, as in the manual's order of decode and execute.

use crate::arm::emit::Arm;
use crate::arm::features;
use crate::emit::{Emitter, Exec, Flow};
use crate::vec::fp::{EXACT, Fixed, RANGE64, rounding};
use crate::vec::{Lanes, Part, VecOp};
use crate::width::{W16, W32, W64, W128};

/// A vector register's value.
pub(super) type V<E> = <E as Emitter>::Val<W128>;

/// What an instruction computes from its first and second source and the old destination, whatever the arrangement.
/// Instructions of one source see it twice.
pub(super) trait Meaning {
    /// Whether the old destination takes part.
    const ACCUMULATES: bool = false;
    /// The computation.
    fn of<E: Arm>(e: &mut E, l: Lanes, a: V<E>, b: V<E>, d: V<E>) -> V<E>;
}

macro_rules! meanings {
    ($($(#[$doc:meta])* $name:ident $(accumulates $acc:literal)? =
        |$e:ident, $l:ident, $a:ident, $b:pat_param, $d:pat_param| $r:expr;)*) => { $(
        $(#[$doc])*
        pub(super) struct $name;
        impl Meaning for $name {
            $(const ACCUMULATES: bool = $acc;)?
            #[inline(always)]
            fn of<E: Arm>($e: &mut E, $l: Lanes, $a: V<E>, $b: V<E>, $d: V<E>) -> V<E> {
                $r
            }
        }
    )* };
}

meanings! {
    /// FMOV (register).
    Fmov = |e, l, a, _, _| e.v1(VecOp::FMov, l, a);
    /// FABS.
    Fabs = |e, l, a, _, _| e.v1(VecOp::FAbs, l, a);
    /// FNEG.
    Fneg = |e, l, a, _, _| e.v1(VecOp::FNeg, l, a);
    /// FSQRT.
    Fsqrt = |e, l, a, _, _| e.v1(VecOp::FSqrt, l, a);
    /// FADD.
    Fadd = |e, l, a, b, _| e.v2(VecOp::FAdd, l, a, b);
    /// FSUB.
    Fsub = |e, l, a, b, _| e.v2(VecOp::FSub, l, a, b);
    /// FMUL.
    Fmul = |e, l, a, b, _| e.v2(VecOp::FMul, l, a, b);
    /// FNMUL.
    Fnmul = |e, l, a, b, _| { let r = e.v2(VecOp::FMul, l, a, b); e.v1(VecOp::FNeg, l, r) };
    /// FMULX: infinity times zero is two.
    Fmulx = |e, l, a, b, _| e.v2(VecOp::FMulX, l, a, b);
    /// FDIV.
    Fdiv = |e, l, a, b, _| e.v2(VecOp::FDiv, l, a, b);
    /// FABD: `|a - b|`.
    Fabd = |e, l, a, b, _| { let r = e.v2(VecOp::FSub, l, a, b); e.v1(VecOp::FAbs, l, r) };
    /// FMAX.
    Fmax = |e, l, a, b, _| e.v2(VecOp::FMax, l, a, b);
    /// FMIN.
    Fmin = |e, l, a, b, _| e.v2(VecOp::FMin, l, a, b);
    /// FMAXNM.
    Fmaxnm = |e, l, a, b, _| e.v2(VecOp::FMaxNm, l, a, b);
    /// FMINNM.
    Fminnm = |e, l, a, b, _| e.v2(VecOp::FMinNm, l, a, b);
    /// FMLA: `d + a * b`, fused.
    Fmla accumulates true = |e, l, a, b, d| e.vec(VecOp::FMulAdd, l, 0, a, b, d);
    /// FMLS: `d - a * b`, fused.
    Fmls accumulates true = |e, l, a, b, d| {
        let a = e.v1(VecOp::FNeg, l, a);
        e.vec(VecOp::FMulAdd, l, 0, a, b, d)
    };
    /// FRECPS: `2 - a * b`, fused.
    Frecps = |e, l, a, b, _| e.v2(VecOp::FRecipStep, l, a, b);
    /// FRSQRTS: `(3 - a * b) / 2`, fused.
    Frsqrts = |e, l, a, b, _| e.v2(VecOp::FRsqrtStep, l, a, b);
    /// FRECPE.
    Frecpe = |e, l, a, _, _| e.v1(VecOp::FRecipEstimate, l, a);
    /// FRSQRTE.
    Frsqrte = |e, l, a, _, _| e.v1(VecOp::FRsqrtEstimate, l, a);
    /// FRECPX.
    Frecpx = |e, l, a, _, _| e.v1(VecOp::FRecipExponent, l, a);
    /// FCMEQ (register).
    Fcmeq = |e, l, a, b, _| e.v2(VecOp::FCmpEq, l, a, b);
    /// FCMGE (register).
    Fcmge = |e, l, a, b, _| e.v2(VecOp::FCmpGe, l, a, b);
    /// FCMGT (register).
    Fcmgt = |e, l, a, b, _| e.v2(VecOp::FCmpGt, l, a, b);
    /// FACGE: `|a| >= |b|`.
    Facge = |e, l, a, b, _| {
        let (a, b) = (e.v1(VecOp::FAbs, l, a), e.v1(VecOp::FAbs, l, b));
        e.v2(VecOp::FCmpGe, l, a, b)
    };
    /// FACGT: `|a| > |b|`.
    Facgt = |e, l, a, b, _| {
        let (a, b) = (e.v1(VecOp::FAbs, l, a), e.v1(VecOp::FAbs, l, b));
        e.v2(VecOp::FCmpGt, l, a, b)
    };
    /// FCMEQ (zero).
    Fcmeq0 = |e, l, a, _, _| { let z = e.lit::<W128>(0); e.v2(VecOp::FCmpEq, l, a, z) };
    /// FCMGE (zero).
    Fcmge0 = |e, l, a, _, _| { let z = e.lit::<W128>(0); e.v2(VecOp::FCmpGe, l, a, z) };
    /// FCMGT (zero).
    Fcmgt0 = |e, l, a, _, _| { let z = e.lit::<W128>(0); e.v2(VecOp::FCmpGt, l, a, z) };
    /// FCMLE (zero).
    Fcmle0 = |e, l, a, _, _| { let z = e.lit::<W128>(0); e.v2(VecOp::FCmpGe, l, z, a) };
    /// FCMLT (zero).
    Fcmlt0 = |e, l, a, _, _| { let z = e.lit::<W128>(0); e.v2(VecOp::FCmpGt, l, z, a) };
    /// SCVTF (integer) between elements of one size.
    Scvtf = |e, l, a, _, _| int_to_float(e, l, true, 0, a);
    /// UCVTF (integer) between elements of one size.
    Ucvtf = |e, l, a, _, _| int_to_float(e, l, false, 0, a);
    /// FRINTX: as FPCR says, and inexact is signalled.
    Frintx = |e, l, a, _, _| e.vi(VecOp::FRound, l, rounding::CURRENT | EXACT, a);
    /// FRINT32Z.
    Frint32z = |e, l, a, _, _| e.vi(VecOp::FRoundN, l, rounding::ZERO, a);
    /// FRINT32X.
    Frint32x = |e, l, a, _, _| e.vi(VecOp::FRoundN, l, rounding::CURRENT, a);
    /// FRINT64Z.
    Frint64z = |e, l, a, _, _| e.vi(VecOp::FRoundN, l, rounding::ZERO | RANGE64, a);
    /// FRINT64X.
    Frint64x = |e, l, a, _, _| e.vi(VecOp::FRoundN, l, rounding::CURRENT | RANGE64, a);
}

/// FRINTN, FRINTP, FRINTM, FRINTZ, FRINTA, FRINTI: rounding `R` to an integer, inexact or not.
pub(super) struct Frint<const R: u32>;
impl<const R: u32> Meaning for Frint<R> {
    #[inline(always)]
    fn of<E: Arm>(e: &mut E, l: Lanes, a: V<E>, _: V<E>, _: V<E>) -> V<E> {
        e.vi(VecOp::FRound, l, R, a)
    }
}

/// FCVTxS and FCVTxU (vector): rounding `R` to a signed or unsigned integer of the same size.
pub(super) struct Fcvt<const R: u32, const SIGNED: bool>;
impl<const R: u32, const SIGNED: bool> Meaning for Fcvt<R, SIGNED> {
    #[inline(always)]
    fn of<E: Arm>(e: &mut E, l: Lanes, a: V<E>, _: V<E>, _: V<E>) -> V<E> {
        let to = Fixed { rounding: R, signed: SIGNED, log2: l.log2.into(), fbits: 0 };
        e.vi(VecOp::FToInt, l, to.pack(), a)
    }
}

/// Integers or fixed-point numbers of the elements' size as floating-point numbers.
pub(super) fn int_to_float<E: Arm>(e: &mut E, l: Lanes, signed: bool, fbits: u32, a: V<E>) -> V<E> {
    let from = Fixed { rounding: rounding::CURRENT, signed, log2: l.log2.into(), fbits };
    e.vi(VecOp::IntToF, l, from.pack(), a)
}

/// The scalar arrangement that `ptype` selects; `None` where it is reserved.
#[inline(always)]
pub(super) fn scalar<E: Arm>(e: &E, p: u32) -> Option<Lanes> {
    match p {
        0 => Some(Lanes::new(2, Part::Scalar)),
        1 => Some(Lanes::new(3, Part::Scalar)),
        3 if e.cx().features & features::FP16 != 0 => Some(Lanes::new(1, Part::Scalar)),
        _ => None,
    }
}

/// The vector arrangement that `sz` and `Q` select; `None` where it is reserved.
#[inline(always)]
pub(super) fn vector(s: u32, q: u32) -> Option<Lanes> {
    if s == 1 && q == 0 { None } else { Some(Lanes::q(2 + s, q)) }
}

/// Element `i` of `v` as a scalar.
#[inline(always)]
pub(super) fn element<E: Arm>(e: &mut E, l: Lanes, v: V<E>, i: u32) -> V<E> {
    match l.log2 {
        1 => {
            let x = e.lane::<W16>(v, i);
            e.to_vec(x)
        }
        2 => {
            let x = e.lane::<W32>(v, i);
            e.to_vec(x)
        }
        _ => {
            let x = e.lane::<W64>(v, i);
            e.to_vec(x)
        }
    }
}

/// Element `i` of `v` in every element of an arrangement.
#[inline(always)]
pub(super) fn spread<E: Arm>(e: &mut E, l: Lanes, v: V<E>, i: u32) -> V<E> {
    let full = l.part == Part::Full;
    match l.log2 {
        _ if l.part == Part::Scalar => element(e, l, v, i),
        1 => {
            let x = e.lane::<W16>(v, i);
            e.dup(x, full)
        }
        2 => {
            let x = e.lane::<W32>(v, i);
            e.dup(x, full)
        }
        _ => {
            let x = e.lane::<W64>(v, i);
            e.dup(x, full)
        }
    }
}

/// `Vd = O(Vn, b)`.
#[inline(always)]
fn finish<E: Arm, O: Meaning>(e: &mut E, l: Lanes, a: V<E>, b: V<E>, d: u32) -> Exec<E> {
    let old = if O::ACCUMULATES { e.v(d) } else { a };
    let r = O::of(e, l, a, b, old);
    e.set_v(d, r);
    Ok(Flow::Next)
}

/// One source register.
#[inline(always)]
fn one<E: Arm, O: Meaning>(e: &mut E, l: Option<Lanes>, n: u32, d: u32) -> Exec<E> {
    let Some(l) = l else { return e.undefined() };
    e.check_fp()?;
    let a = e.v(n);
    finish::<E, O>(e, l, a, a, d)
}

/// Two source registers.
#[inline(always)]
fn two<E: Arm, O: Meaning>(e: &mut E, l: Option<Lanes>, m: u32, n: u32, d: u32) -> Exec<E> {
    let Some(l) = l else { return e.undefined() };
    e.check_fp()?;
    let (a, b) = (e.v(n), e.v(m));
    finish::<E, O>(e, l, a, b, d)
}

/// Scalar floating point, one source: the precision is `ptype`.
pub(super) fn fp1<E: Arm, O: Meaning>(e: &mut E, p: u32, n: u32, d: u32) -> Exec<E> {
    let l = scalar(e, p);
    one::<E, O>(e, l, n, d)
}

/// Scalar floating point, two sources.
pub(super) fn fp2<E: Arm, O: Meaning>(e: &mut E, p: u32, m: u32, n: u32, d: u32) -> Exec<E> {
    let l = scalar(e, p);
    two::<E, O>(e, l, m, n, d)
}

/// Advanced SIMD scalar, one source: the precision is `sz`.
pub(super) fn scalar1<E: Arm, O: Meaning>(e: &mut E, s: u32, n: u32, d: u32) -> Exec<E> {
    one::<E, O>(e, Some(Lanes::new(2 + s, Part::Scalar)), n, d)
}

/// Advanced SIMD scalar, one source, half precision.
pub(super) fn scalar1_half<E: Arm, O: Meaning>(e: &mut E, n: u32, d: u32) -> Exec<E> {
    one::<E, O>(e, Some(Lanes::new(1, Part::Scalar)), n, d)
}

/// Advanced SIMD scalar, two sources.
pub(super) fn scalar2<E: Arm, O: Meaning>(e: &mut E, s: u32, m: u32, n: u32, d: u32) -> Exec<E> {
    two::<E, O>(e, Some(Lanes::new(2 + s, Part::Scalar)), m, n, d)
}

/// Advanced SIMD scalar, two sources, half precision.
pub(super) fn scalar2_half<E: Arm, O: Meaning>(e: &mut E, m: u32, n: u32, d: u32) -> Exec<E> {
    two::<E, O>(e, Some(Lanes::new(1, Part::Scalar)), m, n, d)
}

/// Vector, one source.
pub(super) fn vector1<E: Arm, O: Meaning>(e: &mut E, q: u32, s: u32, n: u32, d: u32) -> Exec<E> {
    one::<E, O>(e, vector(s, q), n, d)
}

/// Vector, one source, half precision.
pub(super) fn vector1_half<E: Arm, O: Meaning>(e: &mut E, q: u32, n: u32, d: u32) -> Exec<E> {
    one::<E, O>(e, Some(Lanes::q(1, q)), n, d)
}

/// Vector, two sources.
pub(super) fn vector2<E: Arm, O: Meaning>(e: &mut E, q: u32, s: u32, m: u32, n: u32, d: u32) -> Exec<E> {
    two::<E, O>(e, vector(s, q), m, n, d)
}

/// Vector, two sources, half precision.
pub(super) fn vector2_half<E: Arm, O: Meaning>(e: &mut E, q: u32, m: u32, n: u32, d: u32) -> Exec<E> {
    two::<E, O>(e, Some(Lanes::q(1, q)), m, n, d)
}

/// Element `i` of `Vm` against `Vn`.
fn indexed<E: Arm, O: Meaning>(e: &mut E, l: Lanes, m: u32, i: u32, n: u32, d: u32) -> Exec<E> {
    e.check_fp()?;
    let (a, b) = (e.v(n), e.v(m));
    let b = spread(e, l, b, i);
    finish::<E, O>(e, l, a, b, d)
}

/// The element's number in single or double precision; `None` where the encoding is reserved.
fn index(s: u32, l: u32, h: u32) -> Option<u32> {
    match (s, l) {
        (0, _) => Some(h << 1 | l),
        (_, 0) => Some(h),
        _ => None,
    }
}

/// Vector by element.
pub(super) fn vector_by<E: Arm, O: Meaning>(
    e: &mut E,
    q: u32,
    s: u32,
    l: u32,
    m: u32,
    h: u32,
    n: u32,
    d: u32,
) -> Exec<E> {
    let (Some(lanes), Some(i)) = (vector(s, q), index(s, l, h)) else { return e.undefined() };
    indexed::<E, O>(e, lanes, m, i, n, d)
}

/// Vector by element, half precision: the index takes the top bit of Rm.
pub(super) fn vector_by_half<E: Arm, O: Meaning>(
    e: &mut E,
    q: u32,
    l: u32,
    m: u32,
    h: u32,
    n: u32,
    d: u32,
) -> Exec<E> {
    indexed::<E, O>(e, Lanes::q(1, q), m & 15, h << 2 | l << 1 | m >> 4, n, d)
}

/// Advanced SIMD scalar by element.
pub(super) fn scalar_by<E: Arm, O: Meaning>(
    e: &mut E,
    s: u32,
    l: u32,
    m: u32,
    h: u32,
    n: u32,
    d: u32,
) -> Exec<E> {
    let Some(i) = index(s, l, h) else { return e.undefined() };
    indexed::<E, O>(e, Lanes::new(2 + s, Part::Scalar), m, i, n, d)
}

/// Advanced SIMD scalar by element, half precision.
pub(super) fn scalar_by_half<E: Arm, O: Meaning>(
    e: &mut E,
    l: u32,
    m: u32,
    h: u32,
    n: u32,
    d: u32,
) -> Exec<E> {
    indexed::<E, O>(e, Lanes::new(1, Part::Scalar), m & 15, h << 2 | l << 1 | m >> 4, n, d)
}
