//! Advanced SIMD vector by indexed element, and scalar forms (DDI 0487 C4.1.96), without floating point.

use super::simd_different::{Source, long};
use crate::arm::emit::Arm;
use crate::arm::features;
use crate::emit::{Exec, Flow};
use crate::vec::{Lanes, VecOp};
use crate::width::W128;

crate::rows! { Arm;
    "MLA (by element)"   "0 Q 1 01111 zz L M mmmm 0000 H 0 nnnnn ddddd" (Q, z, L, M, m, H, n, d) => mla {Q=1 z=2} {Q=1 z=1} {Q=0 z=2};
    "MLS (by element)"   "0 Q 1 01111 zz L M mmmm 0100 H 0 nnnnn ddddd" (Q, z, L, M, m, H, n, d) => mls {Q=1 z=2} {Q=1 z=1} {Q=0 z=2};
    "MUL (by element)"   "0 Q 0 01111 zz L M mmmm 1000 H 0 nnnnn ddddd" (Q, z, L, M, m, H, n, d) => mul {Q=1 z=2} {Q=1 z=1} {Q=0 z=2};
    "SMLAL (by element)" "0 Q 0 01111 zz L M mmmm 0010 H 0 nnnnn ddddd" (Q, z, L, M, m, H, n, d) => smlal;
    "UMLAL (by element)" "0 Q 1 01111 zz L M mmmm 0010 H 0 nnnnn ddddd" (Q, z, L, M, m, H, n, d) => umlal;
    "SMLSL (by element)" "0 Q 0 01111 zz L M mmmm 0110 H 0 nnnnn ddddd" (Q, z, L, M, m, H, n, d) => smlsl;
    "UMLSL (by element)" "0 Q 1 01111 zz L M mmmm 0110 H 0 nnnnn ddddd" (Q, z, L, M, m, H, n, d) => umlsl;
    "SMULL (by element)" "0 Q 0 01111 zz L M mmmm 1010 H 0 nnnnn ddddd" (Q, z, L, M, m, H, n, d) => smull;
    "UMULL (by element)" "0 Q 1 01111 zz L M mmmm 1010 H 0 nnnnn ddddd" (Q, z, L, M, m, H, n, d) => umull;
    "SQDMLAL (by element)"  "0 Q 0 01111 zz L M mmmm 0011 H 0 nnnnn ddddd" (Q, z, L, M, m, H, n, d) => sqdmlal;
    "SQDMLSL (by element)"  "0 Q 0 01111 zz L M mmmm 0111 H 0 nnnnn ddddd" (Q, z, L, M, m, H, n, d) => sqdmlsl;
    "SQDMULL (by element)"  "0 Q 0 01111 zz L M mmmm 1011 H 0 nnnnn ddddd" (Q, z, L, M, m, H, n, d) => sqdmull;
    "SQDMULH (by element)"  "0 Q 0 01111 zz L M mmmm 1100 H 0 nnnnn ddddd" (Q, z, L, M, m, H, n, d) => sqdmulh;
    "SQRDMULH (by element)" "0 Q 0 01111 zz L M mmmm 1101 H 0 nnnnn ddddd" (Q, z, L, M, m, H, n, d) => sqrdmulh;
    "SQRDMLAH (by element)" "0 Q 1 01111 zz L M mmmm 1101 H 0 nnnnn ddddd" (Q, z, L, M, m, H, n, d) if features::RDM => sqrdmlah;
    "SQRDMLSH (by element)" "0 Q 1 01111 zz L M mmmm 1111 H 0 nnnnn ddddd" (Q, z, L, M, m, H, n, d) if features::RDM => sqrdmlsh;
    "SDOT (by element)"  "0 Q 0 01111 10 L mmmmm 1110 H 0 nnnnn ddddd" (Q, L, m, H, n, d) if features::DOTPROD => sdot;
    "UDOT (by element)"  "0 Q 1 01111 10 L mmmmm 1110 H 0 nnnnn ddddd" (Q, L, m, H, n, d) if features::DOTPROD => udot;
    "SUDOT (by element)" "0 Q 0 01111 00 L mmmmm 1111 H 0 nnnnn ddddd" (Q, L, m, H, n, d) if features::I8MM => sudot;
    "USDOT (by element)" "0 Q 0 01111 10 L mmmmm 1111 H 0 nnnnn ddddd" (Q, L, m, H, n, d) if features::I8MM => usdot;
    "SQDMLAL (by element, scalar)"  "01 0 11111 zz L M mmmm 0011 H 0 nnnnn ddddd" (z, L, M, m, H, n, d) => sqdmlal_s;
    "SQDMLSL (by element, scalar)"  "01 0 11111 zz L M mmmm 0111 H 0 nnnnn ddddd" (z, L, M, m, H, n, d) => sqdmlsl_s;
    "SQDMULL (by element, scalar)"  "01 0 11111 zz L M mmmm 1011 H 0 nnnnn ddddd" (z, L, M, m, H, n, d) => sqdmull_s;
    "SQDMULH (by element, scalar)"  "01 0 11111 zz L M mmmm 1100 H 0 nnnnn ddddd" (z, L, M, m, H, n, d) => sqdmulh_s;
    "SQRDMULH (by element, scalar)" "01 0 11111 zz L M mmmm 1101 H 0 nnnnn ddddd" (z, L, M, m, H, n, d) => sqrdmulh_s;
    "SQRDMLAH (by element, scalar)" "01 1 11111 zz L M mmmm 1101 H 0 nnnnn ddddd" (z, L, M, m, H, n, d) if features::RDM => sqrdmlah_s;
    "SQRDMLSH (by element, scalar)" "01 1 11111 zz L M mmmm 1111 H 0 nnnnn ddddd" (z, L, M, m, H, n, d) if features::RDM => sqrdmlsh_s;
}

/// Register and index of the element that 16- and 32-bit forms name; `None` for other sizes, which are reserved.
#[inline(always)]
fn indexed(size: u32, l: u32, m: u32, rm: u32, h: u32) -> Option<(u32, u32)> {
    match size {
        1 => Some((rm, h << 2 | l << 1 | m)),
        2 => Some((m << 4 | rm, h << 1 | l)),
        _ => None,
    }
}

/// The named element of `1 << log2` bytes in every element of a register.
#[inline(always)]
fn spread<E: Arm>(e: &mut E, log2: u32, (register, index): (u32, u32)) -> E::Val<W128> {
    let v = e.v(register);
    e.vi(VecOp::DupLane, Lanes::full(log2), index, v)
}

/// What a form of one element size computes.
#[derive(Clone, Copy)]
enum Plain {
    /// the product, or one accumulated by an operation
    Mul(Option<VecOp>),
    /// an operation on the operands and the destination, with its constant
    Op(VecOp, u32),
}

#[inline(always)]
fn plain<E: Arm>(
    e: &mut E,
    k: Plain,
    l: Lanes,
    size: u32,
    at: Option<(u32, u32)>,
    n: u32,
    d: u32,
) -> Exec<E> {
    let Some(at) = at else { return e.undefined() };
    e.check_fp()?;
    let b = spread(e, size, at);
    let (a, old) = (e.v(n), e.v(d));
    let r = match k {
        Plain::Mul(accumulate) => {
            let product = e.v2(VecOp::Mul, l, a, b);
            accumulate.map_or(product, |op| e.v2(op, l, old, product))
        }
        Plain::Op(op, imm) => e.vec(op, l, imm, a, b, old),
    };
    e.set_v(d, r);
    Ok(Flow::Next)
}

macro_rules! plains { ($($(#[$doc:meta])* $name:ident $k:expr $(, $scalar:ident)?;)*) => { $(
    $(#[$doc])*
    #[inline(always)]
    fn $name<E: Arm>(e: &mut E, q: u32, z: u32, l: u32, mm: u32, m: u32, h: u32, n: u32, d: u32) -> Exec<E> {
        plain(e, $k, Lanes::q(z, q), z, indexed(z, l, mm, m, h), n, d)
    }
    $(
        /// The scalar form.
        fn $scalar<E: Arm>(e: &mut E, z: u32, l: u32, mm: u32, m: u32, h: u32, n: u32, d: u32) -> Exec<E> {
            plain(e, $k, Lanes::scalar(z), z, indexed(z, l, mm, m, h), n, d)
        }
    )?
)* } }
plains! {
    /// MLA (by element). [C7.2.228]
    mla Plain::Mul(Some(VecOp::Add));
    /// MLS (by element). [C7.2.230]
    mls Plain::Mul(Some(VecOp::Sub));
    /// MUL (by element). [C7.2.238]
    mul Plain::Mul(None);
    /// SQDMULH (by element). [C7.2.304]
    sqdmulh Plain::Op(VecOp::SatMulHigh, 0), sqdmulh_s;
    /// SQRDMULH (by element). [C7.2.321]
    sqrdmulh Plain::Op(VecOp::SatMulHigh, 1), sqrdmulh_s;
    /// SQRDMLAH (by element). [C7.2.317]
    sqrdmlah Plain::Op(VecOp::SatMulAddHigh, 0), sqrdmlah_s;
    /// SQRDMLSH (by element). [C7.2.319]
    sqrdmlsh Plain::Op(VecOp::SatMulSubHigh, 0), sqrdmlsh_s;
}

macro_rules! longs { ($($(#[$doc:meta])* $name:ident $op:ident $acc:expr $(, $scalar:ident)?;)*) => { $(
    $(#[$doc])*
    fn $name<E: Arm>(e: &mut E, q: u32, z: u32, l: u32, mm: u32, m: u32, h: u32, n: u32, d: u32) -> Exec<E> {
        let Some(at) = indexed(z, l, mm, m, h) else { return e.undefined() };
        e.check_fp()?;
        let b = spread(e, z, at);
        long(e, Source::Product(VecOp::$op), $acc, (Lanes::full(z), q), b, n, d)
    }
    $(
        /// The scalar form.
        fn $scalar<E: Arm>(e: &mut E, z: u32, l: u32, mm: u32, m: u32, h: u32, n: u32, d: u32) -> Exec<E> {
            let Some(at) = indexed(z, l, mm, m, h) else { return e.undefined() };
            e.check_fp()?;
            let b = spread(e, z, at);
            long(e, Source::Product(VecOp::$op), $acc, (Lanes::scalar(z), 0), b, n, d)
        }
    )?
)* } }
longs! {
    /// SMLAL (by element). [C7.2.296]
    smlal MulWideS Some(VecOp::Add);
    /// UMLAL (by element). [C7.2.407]
    umlal MulWideU Some(VecOp::Add);
    /// SMLSL (by element). [C7.2.298]
    smlsl MulWideS Some(VecOp::Sub);
    /// UMLSL (by element). [C7.2.409]
    umlsl MulWideU Some(VecOp::Sub);
    /// SMULL (by element). [C7.2.301]
    smull MulWideS None;
    /// UMULL (by element). [C7.2.413]
    umull MulWideU None;
    /// SQDMLAL (by element). [C7.2.298]
    sqdmlal SatMulWide Some(VecOp::SatAddS), sqdmlal_s;
    /// SQDMLSL (by element). [C7.2.301]
    sqdmlsl SatMulWide Some(VecOp::SatSubS), sqdmlsl_s;
    /// SQDMULL (by element). [C7.2.307]
    sqdmull SatMulWide None, sqdmull_s;
}

macro_rules! dots { ($($(#[$doc:meta])* $name:ident $op:ident |$a:ident, $b:ident| $x:ident $y:ident;)*) => { $(
    $(#[$doc])*
    fn $name<E: Arm>(e: &mut E, q: u32, l: u32, m: u32, h: u32, n: u32, d: u32) -> Exec<E> {
        e.check_fp()?;
        let $b = spread(e, 2, (m, h << 1 | l));
        let ($a, old) = (e.v(n), e.v(d));
        let r = e.vec(VecOp::$op, Lanes::q(2, q), 0, $x, $y, old);
        e.set_v(d, r);
        Ok(Flow::Next)
    }
)* } }
dots! {
    /// SDOT (by element). [C7.2.281]
    sdot DotS |a, b| a b;
    /// UDOT (by element). [C7.2.397]
    udot DotU |a, b| a b;
    /// SUDOT (by element): signed n, unsigned element. [C7.2.377]
    sudot DotUS |a, b| b a;
    /// USDOT (by element): unsigned n, signed element. [C7.2.430]
    usdot DotUS |a, b| a b;
}
