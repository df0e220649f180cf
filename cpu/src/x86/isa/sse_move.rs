//! Moves between vector registers, memory and general registers (SSE to SSE4.1, AVX, AVX2).

use super::sse_forms::{
    Enc, address, first, halves, load, read, ready, small, source, store, wide, write, write_low,
};
use crate::core::Core;
use crate::emit::{Access, Effects, Exec, Flow, Helper};
use crate::vec::{Lanes, VecOp};
use crate::width::{W8, W32, W64};
use crate::x86::X64;
use crate::x86::emit::{Want, X86, plain};
use crate::x86::insn::Insn;
use crate::x86::state;

crate::simd_rows! {
    fp1 "MOVUPS" "NP" "0F" "10" "Vx" "Wx" "" SSE => mov<Unaligned>;
    fp1 "MOVUPD" "66" "0F" "10" "Vx" "Wx" "" SSE2 => mov<Unaligned>;
    fp1 "MOVUPS" "NP" "0F" "11" "Wx" "Vx" "" SSE => mov_to<Unaligned>;
    fp1 "MOVUPD" "66" "0F" "11" "Wx" "Vx" "" SSE2 => mov_to<Unaligned>;
    fp1 "MOVAPS" "NP" "0F" "28" "Vx" "Wx" "" SSE => mov<Aligned>;
    fp1 "MOVAPD" "66" "0F" "28" "Vx" "Wx" "" SSE2 => mov<Aligned>;
    fp1 "MOVAPS" "NP" "0F" "29" "Wx" "Vx" "" SSE => mov_to<Aligned>;
    fp1 "MOVAPD" "66" "0F" "29" "Wx" "Vx" "" SSE2 => mov_to<Aligned>;
    fp1 "MOVDQA" "66" "0F" "6F" "Vx" "Wx" "" SSE2 => mov<Aligned>;
    fp1 "MOVDQU" "F3" "0F" "6F" "Vx" "Wx" "" SSE2 => mov<Unaligned>;
    fp1 "MOVDQA" "66" "0F" "7F" "Wx" "Vx" "" SSE2 => mov_to<Aligned>;
    fp1 "MOVDQU" "F3" "0F" "7F" "Wx" "Vx" "" SSE2 => mov_to<Unaligned>;
    fp1 "LDDQU" "F2" "0F" "F0" "Vx" "Mx" "" SSE3 => mov<Unaligned>;
    fp1 "MOVNTPS" "NP" "0F" "2B" "Mx" "Vx" "" SSE => mov_to<Aligned>;
    fp1 "MOVNTPD" "66" "0F" "2B" "Mx" "Vx" "" SSE2 => mov_to<Aligned>;
    fp1 "MOVNTDQ" "66" "0F" "E7" "Mx" "Vx" "" SSE2 => mov_to<Aligned>;
    int1 "MOVNTDQA" "66" "0F38" "2A" "Vx" "Mx" "" SSE41 => mov<Aligned>;
    lig "MOVSS" "F3" "0F" "10" "Vss" "Wss" "" SSE => mov_scalar<W32>;
    lig "MOVSD" "F2" "0F" "10" "Vsd" "Wsd" "" SSE2 => mov_scalar<W64>;
    lig "MOVSS" "F3" "0F" "11" "Wss" "Vss" "" SSE => mov_scalar_to<W32>;
    lig "MOVSD" "F2" "0F" "11" "Wsd" "Vsd" "" SSE2 => mov_scalar_to<W64>;
    l0 "MOVLPS" "NP" "0F" "12" "Vq" "Wq" "" SSE => movlps;
    l0 "MOVLPD" "66" "0F" "12" "Vq" "Mq" "" SSE2 => movlps;
    l01 "MOVLPS" "NP" "0F" "13" "Mq" "Vq" "" SSE => mov_half_to<Low>;
    l01 "MOVLPD" "66" "0F" "13" "Mq" "Vq" "" SSE2 => mov_half_to<Low>;
    l0 "MOVHPS" "NP" "0F" "16" "Vq" "Wq" "" SSE => movhps;
    l0 "MOVHPD" "66" "0F" "16" "Vq" "Mq" "" SSE2 => movhps;
    l01 "MOVHPS" "NP" "0F" "17" "Mq" "Vq" "" SSE => mov_half_to<High>;
    l01 "MOVHPD" "66" "0F" "17" "Mq" "Vq" "" SSE2 => mov_half_to<High>;
    l01 "MOVD" "66" "0F" "6E" "Vy" "Ey" "" SSE2 => movd;
    l01 "MOVD" "66" "0F" "7E" "Ey" "Vy" "" SSE2 => movd_to;
    l01 "MOVQ" "F3" "0F" "7E" "Vq" "Wq" "" SSE2 => movq;
    l01 "MOVQ" "66" "0F" "D6" "Wq" "Vq" "" SSE2 => movq_to;
    sse "MOVNTI" "NP" "0F" "C3" "My" "Gy" "" SSE2 => movnti;
    l01 "MASKMOVDQU" "66" "0F" "F7" "Vdq" "Udq" "" SSE2 => maskmovdqu;
}

/// Whether a memory operand must be aligned, as a type.
trait Alignment {
    const ALIGNED: bool;
}
/// It must.
struct Aligned;
/// It need not.
struct Unaligned;
impl Alignment for Aligned {
    const ALIGNED: bool = true;
}
impl Alignment for Unaligned {
    const ALIGNED: bool = false;
}

/// All of V from W.
#[inline(always)]
fn mov<E: X86, X: Enc, A: Alignment>(e: &mut E, i: &Insn) -> Exec<E> {
    ready::<E, X>(e, i, true)?;
    let v = if i.is_mem() { load(e, i, halves::<X>(i), A::ALIGNED)? } else { source::<E, X>(e, i)? };
    write::<E, X>(e, i, i.reg(), v);
    Ok(Flow::Next)
}

/// All of W from V.
#[inline(always)]
fn mov_to<E: X86, X: Enc, A: Alignment>(e: &mut E, i: &Insn) -> Exec<E> {
    ready::<E, X>(e, i, true)?;
    let v = read::<E, X>(e, i, i.reg());
    if i.is_mem() {
        store(e, i, halves::<X>(i), A::ALIGNED, v)?;
    } else {
        write::<E, X>(e, i, i.rm(), v);
    }
    Ok(Flow::Next)
}

/// MOVSS and MOVSD: from memory with zeros above, from a register into the lowest element.
#[inline(always)]
fn mov_scalar<E: X86, X: Enc, W: crate::width::Int>(e: &mut E, i: &Insn) -> Exec<E> {
    ready::<E, X>(e, i, i.is_mem())?;
    let log2 = W::TY.bytes().trailing_zeros();
    let b = small(e, i, log2)?;
    let r = if i.is_mem() {
        b
    } else {
        let a = e.get(state::xmm(first::<X>(i)));
        e.v2(VecOp::Merge, Lanes::scalar(log2), a, b)
    };
    write_low::<E, X>(e, i.reg(), r);
    Ok(Flow::Next)
}

/// MOVSS and MOVSD to W.
#[inline(always)]
fn mov_scalar_to<E: X86, X: Enc, W: crate::width::Int>(e: &mut E, i: &Insn) -> Exec<E> {
    ready::<E, X>(e, i, i.is_mem())?;
    let b = e.get(state::xmm(i.reg()));
    if i.is_mem() {
        let at = address(e, i, W::TY.bytes(), Want::Write)?;
        let x = e.lane::<W>(b, 0);
        e.store::<W>(plain(i.seg()), at, x)?;
    } else {
        let a = e.get(state::xmm(if X::VEX { i.vvvv() } else { i.rm() }));
        let r = e.v2(VecOp::Merge, Lanes::scalar(W::TY.bytes().trailing_zeros()), a, b);
        write_low::<E, X>(e, i.rm(), r);
    }
    Ok(Flow::Next)
}

/// MOVLPS, MOVLPD; MOVHLPS is the register form.
#[inline(always)]
fn movlps<E: X86, X: Enc>(e: &mut E, i: &Insn) -> Exec<E> {
    ready::<E, X>(e, i, false)?;
    let b = small(e, i, 3)?;
    let a = e.get(state::xmm(first::<X>(i)));
    let r = if i.is_mem() {
        e.v2(VecOp::Merge, Lanes::scalar(3), a, b)
    } else {
        e.v2(VecOp::Zip2, Lanes::full(3), b, a)
    };
    write_low::<E, X>(e, i.reg(), r);
    Ok(Flow::Next)
}

/// MOVHPS, MOVHPD; MOVLHPS is the register form.
#[inline(always)]
fn movhps<E: X86, X: Enc>(e: &mut E, i: &Insn) -> Exec<E> {
    ready::<E, X>(e, i, false)?;
    let b = small(e, i, 3)?;
    let a = e.get(state::xmm(first::<X>(i)));
    let r = e.v2(VecOp::Zip1, Lanes::full(3), a, b);
    write_low::<E, X>(e, i.reg(), r);
    Ok(Flow::Next)
}

/// A half of a register, as a type.
trait Half {
    const LANE: u32;
}
/// Bits 63:0.
struct Low;
/// Bits 127:64.
struct High;
impl Half for Low {
    const LANE: u32 = 0;
}
impl Half for High {
    const LANE: u32 = 1;
}

/// MOVLPS, MOVHPS and their kin to memory.
#[inline(always)]
fn mov_half_to<E: X86, X: Enc, H: Half>(e: &mut E, i: &Insn) -> Exec<E> {
    ready::<E, X>(e, i, true)?;
    let v = e.get(state::xmm(i.reg()));
    let x = e.lane::<W64>(v, H::LANE);
    let at = address(e, i, 8, Want::Write)?;
    e.store::<W64>(plain(i.seg()), at, x)?;
    Ok(Flow::Next)
}

/// MOVD and MOVQ from a general register or memory.
#[inline(always)]
fn movd<E: X86, X: Enc>(e: &mut E, i: &Insn) -> Exec<E> {
    ready::<E, X>(e, i, true)?;
    let log2 = if wide(e, i) { 3 } else { 2 };
    let x = if i.is_mem() {
        let at = address(e, i, 1 << log2, Want::Read)?;
        e.load_zext(plain(i.seg()), log2, at)?
    } else {
        let x = e.get(state::gpr(i.rm()));
        e.trunc(x, log2)
    };
    let v = e.to_vec::<W64>(x);
    write_low::<E, X>(e, i.reg(), v);
    Ok(Flow::Next)
}

/// MOVD and MOVQ to a general register or memory.
#[inline(always)]
fn movd_to<E: X86, X: Enc>(e: &mut E, i: &Insn) -> Exec<E> {
    ready::<E, X>(e, i, true)?;
    let log2 = if wide(e, i) { 3 } else { 2 };
    let v = e.get(state::xmm(i.reg()));
    let x = e.lane::<W64>(v, 0);
    if i.is_mem() {
        let at = address(e, i, 1 << log2, Want::Write)?;
        e.store_low(plain(i.seg()), log2, at, x)?;
    } else {
        let x = e.trunc(x, log2);
        e.put(state::gpr(i.rm()), x);
    }
    Ok(Flow::Next)
}

/// MOVQ V, W.
#[inline(always)]
fn movq<E: X86, X: Enc>(e: &mut E, i: &Insn) -> Exec<E> {
    ready::<E, X>(e, i, true)?;
    let v = small(e, i, 3)?;
    let v = e.v1(VecOp::Low, Lanes::full(3), v);
    write_low::<E, X>(e, i.reg(), v);
    Ok(Flow::Next)
}

/// MOVQ W, V.
#[inline(always)]
fn movq_to<E: X86, X: Enc>(e: &mut E, i: &Insn) -> Exec<E> {
    ready::<E, X>(e, i, true)?;
    let v = e.get(state::xmm(i.reg()));
    if i.is_mem() {
        let at = address(e, i, 8, Want::Write)?;
        let x = e.lane::<W64>(v, 0);
        e.store::<W64>(plain(i.seg()), at, x)?;
    } else {
        let v = e.v1(VecOp::Low, Lanes::full(3), v);
        write_low::<E, X>(e, i.rm(), v);
    }
    Ok(Flow::Next)
}

/// MOVNTI: a store from a general register, which needs no vector unit.
#[inline(always)]
fn movnti<E: X86, X: Enc>(e: &mut E, i: &Insn) -> Exec<E> {
    debug_assert!(!X::VEX);
    let log2 = if wide(e, i) { 3 } else { 2 };
    let at = address(e, i, 1 << log2, Want::Write)?;
    let x = e.get(state::gpr(i.reg()));
    e.store_low(plain(i.seg()), log2, at, x)?;
    Ok(Flow::Next)
}

/// Stores bytes of a vector register at a linear address where the highest bits of another's say so.
static MASKED_BYTES: Helper<X64> = Helper {
    name: "masked_bytes",
    effects: Effects { writes: false, ..Effects::FAULTS },
    run: |core: &mut Core<X64>, at, value, mask| {
        let (value, mask) = (core.reg(state::xmm(value as u8)), core.reg(state::xmm(mask as u8)));
        store_masked(core, at, value, mask, 16)?;
        Ok(0)
    },
};

/// Stores those of `count` bytes whose mask's highest bit is set.
///
/// # Errors
/// With the access's faults.
pub fn store_masked(
    core: &mut Core<X64>,
    at: u64,
    value: u128,
    mask: u128,
    count: u32,
) -> Result<(), crate::core::Raised> {
    use crate::emit::Emitter;
    for k in (0..count).filter(|k| mask >> (8 * k + 7) & 1 != 0) {
        core.store::<W8>(Access::PLAIN, at.wrapping_add(k as u64), (value >> (8 * k)) as u8)?;
    }
    Ok(())
}

/// MASKMOVDQU: to the segment's rDI.
#[inline(always)]
fn maskmovdqu<E: X86, X: Enc>(e: &mut E, i: &Insn) -> Exec<E> {
    ready::<E, X>(e, i, true)?;
    const DI: u8 = 7;
    let offset = e.get(state::gpr(DI));
    let offset = e.trunc(offset, i.asize());
    let at = e.linear(i.seg(), offset, 16, Want::Write)?;
    let (value, mask) = (e.lit::<W64>(i.reg() as u64), e.lit::<W64>(i.rm() as u64));
    e.call(&MASKED_BYTES, [at, value, mask])?;
    // What was stored may be code, the code that follows even.
    Ok(Flow::Sync)
}
