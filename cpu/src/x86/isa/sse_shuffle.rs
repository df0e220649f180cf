//! Moving elements about: shuffles, packing, unpacking, blending, extension, insertion and extraction (SSE2 to SSE4.1,
//! AVX, AVX2).

use super::sse_forms::{
    Enc, Op, V, address, binary, each, first, halves, read, ready, scalar_ss, small, source, unary, wide,
    write, write_low,
};
use crate::emit::{Emit, Exec, Flow};
use crate::vec::{Lanes, VecOp};
use crate::vop;
use crate::width::{Int, W8, W16, W32, W64, W128};
use crate::x86::emit::{Want, X86, plain};
use crate::x86::insn::Insn;
use crate::x86::state;

crate::simd_rows! {
    int "PUNPCKLBW" "66" "0F" "60" "Vx" "Wx" "" SSE2 => binary<vop!(Zip1 0)>;
    int "PUNPCKLWD" "66" "0F" "61" "Vx" "Wx" "" SSE2 => binary<vop!(Zip1 1)>;
    int "PUNPCKLDQ" "66" "0F" "62" "Vx" "Wx" "" SSE2 => binary<vop!(Zip1 2)>;
    int "PUNPCKLQDQ" "66" "0F" "6C" "Vx" "Wx" "" SSE2 => binary<vop!(Zip1 3)>;
    int "PUNPCKHBW" "66" "0F" "68" "Vx" "Wx" "" SSE2 => binary<vop!(Zip2 0)>;
    int "PUNPCKHWD" "66" "0F" "69" "Vx" "Wx" "" SSE2 => binary<vop!(Zip2 1)>;
    int "PUNPCKHDQ" "66" "0F" "6A" "Vx" "Wx" "" SSE2 => binary<vop!(Zip2 2)>;
    int "PUNPCKHQDQ" "66" "0F" "6D" "Vx" "Wx" "" SSE2 => binary<vop!(Zip2 3)>;
    fp "UNPCKLPS" "NP" "0F" "14" "Vx" "Wx" "" SSE => binary<vop!(Zip1 2)>;
    fp "UNPCKLPD" "66" "0F" "14" "Vx" "Wx" "" SSE2 => binary<vop!(Zip1 3)>;
    fp "UNPCKHPS" "NP" "0F" "15" "Vx" "Wx" "" SSE => binary<vop!(Zip2 2)>;
    fp "UNPCKHPD" "66" "0F" "15" "Vx" "Wx" "" SSE2 => binary<vop!(Zip2 3)>;
    int "PACKSSWB" "66" "0F" "63" "Vx" "Wx" "" SSE2 => binary<vop!(PackS 0)>;
    int "PACKSSDW" "66" "0F" "6B" "Vx" "Wx" "" SSE2 => binary<vop!(PackS 1)>;
    int "PACKUSWB" "66" "0F" "67" "Vx" "Wx" "" SSE2 => binary<vop!(PackU 0)>;
    int "PACKUSDW" "66" "0F38" "2B" "Vx" "Wx" "" SSE41 => binary<vop!(PackU 1)>;
    int1 "PSHUFD" "66" "0F" "70" "Vx" "Wx,Ib" "" SSE2 => unary<vop!(WithImm Shuffle 2)>;
    int1 "PSHUFLW" "F2" "0F" "70" "Vx" "Wx,Ib" "" SSE2 => unary<vop!(WithImm ShuffleLow 1)>;
    int1 "PSHUFHW" "F3" "0F" "70" "Vx" "Wx,Ib" "" SSE2 => unary<vop!(WithImm ShuffleHigh 1)>;
    fp "SHUFPS" "NP" "0F" "C6" "Vx" "Wx,Ib" "" SSE => binary<vop!(WithImm Shuffle 2)>;
    fp "SHUFPD" "66" "0F" "C6" "Vx" "Wx,Ib" "" SSE2 => shuffle_pd;
    int "PSHUFB" "66" "0F38" "00" "Vx" "Wx" "" SSSE3 => binary<vop!(ShuffleBytes 0)>;
    int "PALIGNR" "66" "0F3A" "0F" "Vx" "Wx,Ib" "" SSSE3 => binary<AlignRight>;
    fp1 "MOVSLDUP" "F3" "0F" "12" "Vx" "Wx" "" SSE3 => unary<vop!(Transpose1 2)>;
    fp1 "MOVSHDUP" "F3" "0F" "16" "Vx" "Wx" "" SSE3 => unary<vop!(Transpose2 2)>;
    fp1 "MOVDDUP" "F2" "0F" "12" "Vx" "Wx" "" SSE3 => movddup;
    int "PBLENDW" "66" "0F3A" "0E" "Vx" "Wx,Ib" "" SSE41 => blend<BlendBy<1>>;
    fp "BLENDPS" "66" "0F3A" "0C" "Vx" "Wx,Ib" "" SSE41 => blend<BlendBy<2>>;
    fp "BLENDPD" "66" "0F3A" "0D" "Vx" "Wx,Ib" "" SSE41 => blend<BlendBy<3>>;
    sse "PBLENDVB" "66" "0F38" "10" "Vx" "Wx" "" SSE41 => blend_xmm0<vop!(Blend 0)>;
    sse "BLENDVPS" "66" "0F38" "14" "Vx" "Wx" "" SSE41 => blend_xmm0<vop!(Blend 2)>;
    sse "BLENDVPD" "66" "0F38" "15" "Vx" "Wx" "" SSE41 => blend_xmm0<vop!(Blend 3)>;
    int1 "PMOVSXBW" "66" "0F38" "20" "Vx" "Wx" "" SSE41 => extend<vop!(WidenS 0 1)>;
    int1 "PMOVSXBD" "66" "0F38" "21" "Vx" "Wx" "" SSE41 => extend<vop!(WidenS 0 2)>;
    int1 "PMOVSXBQ" "66" "0F38" "22" "Vx" "Wx" "" SSE41 => extend<vop!(WidenS 0 3)>;
    int1 "PMOVSXWD" "66" "0F38" "23" "Vx" "Wx" "" SSE41 => extend<vop!(WidenS 1 2)>;
    int1 "PMOVSXWQ" "66" "0F38" "24" "Vx" "Wx" "" SSE41 => extend<vop!(WidenS 1 3)>;
    int1 "PMOVSXDQ" "66" "0F38" "25" "Vx" "Wx" "" SSE41 => extend<vop!(WidenS 2 3)>;
    int1 "PMOVZXBW" "66" "0F38" "30" "Vx" "Wx" "" SSE41 => extend<vop!(WidenU 0 1)>;
    int1 "PMOVZXBD" "66" "0F38" "31" "Vx" "Wx" "" SSE41 => extend<vop!(WidenU 0 2)>;
    int1 "PMOVZXBQ" "66" "0F38" "32" "Vx" "Wx" "" SSE41 => extend<vop!(WidenU 0 3)>;
    int1 "PMOVZXWD" "66" "0F38" "33" "Vx" "Wx" "" SSE41 => extend<vop!(WidenU 1 2)>;
    int1 "PMOVZXWQ" "66" "0F38" "34" "Vx" "Wx" "" SSE41 => extend<vop!(WidenU 1 3)>;
    int1 "PMOVZXDQ" "66" "0F38" "35" "Vx" "Wx" "" SSE41 => extend<vop!(WidenU 2 3)>;
    l0 "PINSRW" "66" "0F" "C4" "Vdq" "Ew,Ib" "" SSE2 => pinsr<W16>;
    l0 "PINSRB" "66" "0F3A" "20" "Vdq" "Ed,Ib" "" SSE41 => pinsr<W8>;
    l0 "PINSRD" "66" "0F3A" "22" "Vdq" "Ey,Ib" "" SSE41 => pinsr<W32>;
    l01 "PEXTRW" "66" "0F" "C5" "Gd" "Udq,Ib" "" SSE2 => pextrw;
    l01 "PEXTRB" "66" "0F3A" "14" "Ed" "Vdq,Ib" "" SSE41 => pextr<W8>;
    l01 "PEXTRW" "66" "0F3A" "15" "Ed" "Vdq,Ib" "" SSE41 => pextr<W16>;
    l01 "PEXTRD" "66" "0F3A" "16" "Ey" "Vdq,Ib" "" SSE41 => pextr<W32>;
    l01 "EXTRACTPS" "66" "0F3A" "17" "Ed" "Vdq,Ib" "" SSE41 => extractps;
    l0 "INSERTPS" "66" "0F3A" "21" "Vdq" "Wss,Ib" "" SSE41 => scalar_ss<InsertPs>;
    int1 "PMOVMSKB" "66" "0F" "D7" "Gd" "Ux" "" SSE2 => movmsk<vop!(MoveMask 0)>;
    fp1 "MOVMSKPS" "NP" "0F" "50" "Gd" "Ux" "" SSE => movmsk<vop!(MoveMask 2)>;
    fp1 "MOVMSKPD" "66" "0F" "50" "Gd" "Ux" "" SSE2 => movmsk<vop!(MoveMask 3)>;
}

/// PALIGNR: bytes of b and then a, from the immediate on.
struct AlignRight;
impl Op for AlignRight {
    #[inline(always)]
    fn run<E: X86>(e: &mut E, i: &Insn, a: V<E>, b: V<E>) -> Emit<E, W128> {
        let (n, l) = (i.imm8() as u32, Lanes::full(0));
        let zero = e.lit::<W128>(0);
        Ok(match n {
            0..16 => e.vec(VecOp::Extract, l, n, b, a, a),
            16..32 => e.vec(VecOp::Extract, l, n - 16, a, zero, zero),
            _ => zero,
        })
    }
}

/// INSERTPS: an element of b into one of a, then zeros by the immediate. From memory there is only element 0.
struct InsertPs;
impl Op for InsertPs {
    #[inline(always)]
    fn run<E: X86>(e: &mut E, i: &Insn, a: V<E>, b: V<E>) -> Emit<E, W128> {
        let imm = i.imm8() as u32;
        let from = if i.is_mem() { 0 } else { imm >> 6 };
        let x = e.lane::<W32>(b, from);
        let r = e.set_lane::<W32>(a, imm >> 4 & 3, x);
        let keep = e.lit::<W128>(Lanes::full(2).build(|k| if imm >> k & 1 == 0 { u128::MAX } else { 0 }));
        Ok(e.v2(VecOp::And, Lanes::full(2), r, keep))
    }
}

/// A blend by bits of a constant.
#[inline(always)]
pub(super) fn blend_const<E: X86>(e: &mut E, l: Lanes, bits: u32, a: V<E>, b: V<E>) -> V<E> {
    let mask = e.lit::<W128>(l.build(|k| if bits >> k & 1 != 0 { u128::MAX } else { 0 }));
    e.vec(VecOp::Select, l, 0, b, a, mask)
}

/// A size of elements, as a type.
pub(super) trait Elements {
    const LANES: Lanes;
    /// Each half has bits of its own in the immediate.
    const OWN_BITS: bool;
}
/// Elements of `1 << LOG2` bytes; bits of the immediate are shared by both halves for 16-bit ones only.
pub(super) struct BlendBy<const LOG2: u32>;
impl<const LOG2: u32> Elements for BlendBy<LOG2> {
    const LANES: Lanes = Lanes::full(LOG2);
    const OWN_BITS: bool = LOG2 != 1;
}

/// PBLENDW, BLENDPS, BLENDPD, VPBLENDD.
#[inline(always)]
pub(super) fn blend<E: X86, X: Enc, T: Elements>(e: &mut E, i: &Insn) -> Exec<E> {
    ready::<E, X>(e, i, false)?;
    let b = source::<E, X>(e, i)?;
    let a = read::<E, X>(e, i, first::<X>(i));
    let (l, imm) = (T::LANES, i.imm8() as u32);
    let high = if T::OWN_BITS { imm >> l.count() } else { imm };
    let r = [blend_const(e, l, imm, a[0], b[0]), blend_const(e, l, high, a[1], b[1])];
    write::<E, X>(e, i, i.reg(), r);
    Ok(Flow::Next)
}

/// The legacy variable blends, whose mask is in XMM0.
#[inline(always)]
fn blend_xmm0<E: X86, X: Enc, O: Op>(e: &mut E, i: &Insn) -> Exec<E> {
    ready::<E, X>(e, i, false)?;
    let b = source::<E, X>(e, i)?[0];
    let (a, mask) = (e.get(state::xmm(i.reg())), e.get(state::xmm(0)));
    let r = mask_op::<E, O>(e, a, b, mask);
    e.put(state::xmm(i.reg()), r);
    Ok(Flow::Next)
}

/// A blend by signs, of the element size of a table operation.
#[inline(always)]
pub(super) fn mask_op<E: X86, O: Op>(e: &mut E, a: V<E>, b: V<E>, mask: V<E>) -> V<E> {
    e.vec(VecOp::Blend, O::LANES, 0, a, b, mask)
}

/// SHUFPD: two bits of the immediate for each half.
#[inline(always)]
fn shuffle_pd<E: X86, X: Enc>(e: &mut E, i: &Insn) -> Exec<E> {
    ready::<E, X>(e, i, false)?;
    let b = source::<E, X>(e, i)?;
    let a = read::<E, X>(e, i, first::<X>(i));
    let imm = i.imm8() as u32;
    let r = [0, 1].map(|h| e.vec(VecOp::Shuffle, Lanes::full(3), imm >> (2 * h) & 3, a[h], b[h], b[h]));
    write::<E, X>(e, i, i.reg(), r);
    Ok(Flow::Next)
}

/// MOVDDUP: the even 64-bit elements twice; a memory operand of 128-bit length has only one.
#[inline(always)]
fn movddup<E: X86, X: Enc>(e: &mut E, i: &Insn) -> Exec<E> {
    ready::<E, X>(e, i, true)?;
    let b = if halves::<X>(i) == 1 {
        let low = small(e, i, 3)?;
        [low, low]
    } else {
        source::<E, X>(e, i)?
    };
    let r = each::<E, vop!(DupLane 3)>(e, i, halves::<X>(i), b, b)?;
    write::<E, X>(e, i, i.reg(), r);
    Ok(Flow::Next)
}

/// PMOVSX and PMOVZX: memory operands have as many bytes as are extended.
#[inline(always)]
fn extend<E: X86, X: Enc, O: Op>(e: &mut E, i: &Insn) -> Exec<E> {
    ready::<E, X>(e, i, true)?;
    // Of each 128-bit result, this many bytes are read.
    let (from, to) = (O::LANES.log2 as u32, O::IMM);
    let log2 = 4 - (to - from);
    let two = halves::<X>(i) == 2;
    let b = small(e, i, log2 + two as u32)?;
    let low = O::run(e, i, b, b)?;
    let high = if two {
        let rest = e.vec(VecOp::Extract, Lanes::full(0), 1 << log2, b, b, b);
        O::run(e, i, rest, rest)?
    } else {
        low
    };
    write::<E, X>(e, i, i.reg(), [low, high]);
    Ok(Flow::Next)
}

/// PINSRB, PINSRW, PINSRD, PINSRQ.
#[inline(always)]
fn pinsr<E: X86, X: Enc, W: Int>(e: &mut E, i: &Insn) -> Exec<E> {
    ready::<E, X>(e, i, false)?;
    let quad = W::TY.bytes() == 4 && wide(e, i);
    let log2 = if quad { 3 } else { W::TY.bytes().trailing_zeros() };
    let x = if i.is_mem() {
        let at = address(e, i, 1 << log2, Want::Read)?;
        e.load_zext(plain(i.seg()), log2, at)?
    } else {
        e.get(state::gpr(i.rm()))
    };
    let a = e.get(state::xmm(first::<X>(i)));
    let at = i.imm8() as u32 & (15 >> log2);
    let r = if quad {
        e.set_lane::<W64>(a, at, x)
    } else {
        let x = e.zext::<W64, W>(x);
        e.set_lane::<W>(a, at, x)
    };
    write_low::<E, X>(e, i.reg(), r);
    Ok(Flow::Next)
}

/// PEXTRW G, U.
#[inline(always)]
fn pextrw<E: X86, X: Enc>(e: &mut E, i: &Insn) -> Exec<E> {
    ready::<E, X>(e, i, true)?;
    let v = e.get(state::xmm(i.rm()));
    let x = e.lane::<W16>(v, i.imm8() as u32 & 7);
    let x = e.zext::<W16, W64>(x);
    e.put(state::gpr(i.reg()), x);
    Ok(Flow::Next)
}

/// PEXTRB, PEXTRW, PEXTRD, PEXTRQ.
#[inline(always)]
fn pextr<E: X86, X: Enc, W: Int>(e: &mut E, i: &Insn) -> Exec<E> {
    ready::<E, X>(e, i, true)?;
    let v = e.get(state::xmm(i.reg()));
    let quad = W::TY.bytes() == 4 && wide(e, i);
    let log2 = if quad { 3 } else { W::TY.bytes().trailing_zeros() };
    let at = i.imm8() as u32 & (15 >> log2);
    let x = if quad {
        e.lane::<W64>(v, at)
    } else {
        let x = e.lane::<W>(v, at);
        e.zext::<W, W64>(x)
    };
    if i.is_mem() {
        let to = address(e, i, 1 << log2, Want::Write)?;
        e.store_low(plain(i.seg()), log2, to, x)?;
    } else {
        e.put(state::gpr(i.rm()), x);
    }
    Ok(Flow::Next)
}

/// EXTRACTPS: 32 bits whatever W says.
#[inline(always)]
fn extractps<E: X86, X: Enc>(e: &mut E, i: &Insn) -> Exec<E> {
    pextr::<E, X, W32>(e, &i.without_w())
}

/// PMOVMSKB, MOVMSKPS, MOVMSKPD.
#[inline(always)]
fn movmsk<E: X86, X: Enc, O: Op>(e: &mut E, i: &Insn) -> Exec<E> {
    ready::<E, X>(e, i, true)?;
    let v = read::<E, X>(e, i, i.rm());
    let two = halves::<X>(i) == 2;
    let low = O::run(e, i, v[0], v[0])?;
    let mut r = e.lane::<W64>(low, 0);
    if two {
        let high = O::run(e, i, v[1], v[1])?;
        let high = e.lane::<W64>(high, 0);
        let high = e.shift(crate::op::Bin::Shl, high, O::LANES.count());
        r = e.or(r, high);
    }
    e.put(state::gpr(i.reg()), r);
    Ok(Flow::Next)
}
