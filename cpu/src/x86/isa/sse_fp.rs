//! Floating-point arithmetic, logic and comparison of SSE to SSE4.1 and AVX.

use super::sse_forms::{
    Enc, Op, V, binary, each, first, fp, halves, read, ready, scalar_sd, scalar_ss, small, source, unary,
    write, write_low,
};
use crate::emit::{Emit, Exec, Flow};
use crate::vec::fp::{EXACT, rounding};
use crate::vec::{Lanes, VecOp};
use crate::vop;
use crate::width::{W32, W128};
use crate::x86::emit::X86;
use crate::x86::insn::Insn;
use crate::x86::state;

crate::simd_rows! {
    fp "ADDPS" "NP" "0F" "58" "Vx" "Wx" "" SSE => binary<vop!(FAdd 2)>;
    fp "ADDPD" "66" "0F" "58" "Vx" "Wx" "" SSE2 => binary<vop!(FAdd 3)>;
    lig "ADDSS" "F3" "0F" "58" "Vss" "Wss" "" SSE => scalar_ss<vop!(Low FAdd 2)>;
    lig "ADDSD" "F2" "0F" "58" "Vsd" "Wsd" "" SSE2 => scalar_sd<vop!(Low FAdd 3)>;
    fp "MULPS" "NP" "0F" "59" "Vx" "Wx" "" SSE => binary<vop!(FMul 2)>;
    fp "MULPD" "66" "0F" "59" "Vx" "Wx" "" SSE2 => binary<vop!(FMul 3)>;
    lig "MULSS" "F3" "0F" "59" "Vss" "Wss" "" SSE => scalar_ss<vop!(Low FMul 2)>;
    lig "MULSD" "F2" "0F" "59" "Vsd" "Wsd" "" SSE2 => scalar_sd<vop!(Low FMul 3)>;
    fp "SUBPS" "NP" "0F" "5C" "Vx" "Wx" "" SSE => binary<vop!(FSub 2)>;
    fp "SUBPD" "66" "0F" "5C" "Vx" "Wx" "" SSE2 => binary<vop!(FSub 3)>;
    lig "SUBSS" "F3" "0F" "5C" "Vss" "Wss" "" SSE => scalar_ss<vop!(Low FSub 2)>;
    lig "SUBSD" "F2" "0F" "5C" "Vsd" "Wsd" "" SSE2 => scalar_sd<vop!(Low FSub 3)>;
    fp "MINPS" "NP" "0F" "5D" "Vx" "Wx" "" SSE => binary<vop!(FMin 2)>;
    fp "MINPD" "66" "0F" "5D" "Vx" "Wx" "" SSE2 => binary<vop!(FMin 3)>;
    lig "MINSS" "F3" "0F" "5D" "Vss" "Wss" "" SSE => scalar_ss<vop!(Low FMin 2)>;
    lig "MINSD" "F2" "0F" "5D" "Vsd" "Wsd" "" SSE2 => scalar_sd<vop!(Low FMin 3)>;
    fp "DIVPS" "NP" "0F" "5E" "Vx" "Wx" "" SSE => binary<vop!(FDiv 2)>;
    fp "DIVPD" "66" "0F" "5E" "Vx" "Wx" "" SSE2 => binary<vop!(FDiv 3)>;
    lig "DIVSS" "F3" "0F" "5E" "Vss" "Wss" "" SSE => scalar_ss<vop!(Low FDiv 2)>;
    lig "DIVSD" "F2" "0F" "5E" "Vsd" "Wsd" "" SSE2 => scalar_sd<vop!(Low FDiv 3)>;
    fp "MAXPS" "NP" "0F" "5F" "Vx" "Wx" "" SSE => binary<vop!(FMax 2)>;
    fp "MAXPD" "66" "0F" "5F" "Vx" "Wx" "" SSE2 => binary<vop!(FMax 3)>;
    lig "MAXSS" "F3" "0F" "5F" "Vss" "Wss" "" SSE => scalar_ss<vop!(Low FMax 2)>;
    lig "MAXSD" "F2" "0F" "5F" "Vsd" "Wsd" "" SSE2 => scalar_sd<vop!(Low FMax 3)>;
    fp1 "SQRTPS" "NP" "0F" "51" "Vx" "Wx" "" SSE => unary<vop!(FSqrt 2)>;
    fp1 "SQRTPD" "66" "0F" "51" "Vx" "Wx" "" SSE2 => unary<vop!(FSqrt 3)>;
    lig "SQRTSS" "F3" "0F" "51" "Vss" "Wss" "" SSE => scalar_ss<vop!(Low FSqrt 2)>;
    lig "SQRTSD" "F2" "0F" "51" "Vsd" "Wsd" "" SSE2 => scalar_sd<vop!(Low FSqrt 3)>;
    fp1 "RSQRTPS" "NP" "0F" "52" "Vx" "Wx" "" SSE => unary<vop!(FRsqrtX 2)>;
    lig "RSQRTSS" "F3" "0F" "52" "Vss" "Wss" "" SSE => scalar_ss<vop!(Low FRsqrtX 2)>;
    fp1 "RCPPS" "NP" "0F" "53" "Vx" "Wx" "" SSE => unary<vop!(FRecipX 2)>;
    lig "RCPSS" "F3" "0F" "53" "Vss" "Wss" "" SSE => scalar_ss<vop!(Low FRecipX 2)>;
    fp "ANDPS" "NP" "0F" "54" "Vx" "Wx" "" SSE => binary<vop!(And 3)>;
    fp "ANDPD" "66" "0F" "54" "Vx" "Wx" "" SSE2 => binary<vop!(And 3)>;
    fp "ANDNPS" "NP" "0F" "55" "Vx" "Wx" "" SSE => binary<vop!(Swapped AndNot 3)>;
    fp "ANDNPD" "66" "0F" "55" "Vx" "Wx" "" SSE2 => binary<vop!(Swapped AndNot 3)>;
    fp "ORPS" "NP" "0F" "56" "Vx" "Wx" "" SSE => binary<vop!(Or 3)>;
    fp "ORPD" "66" "0F" "56" "Vx" "Wx" "" SSE2 => binary<vop!(Or 3)>;
    fp "XORPS" "NP" "0F" "57" "Vx" "Wx" "" SSE => binary<vop!(Xor 3)>;
    fp "XORPD" "66" "0F" "57" "Vx" "Wx" "" SSE2 => binary<vop!(Xor 3)>;
    fp "ADDSUBPD" "66" "0F" "D0" "Vx" "Wx" "" SSE3 => binary<vop!(FAddSub 3)>;
    fp "ADDSUBPS" "F2" "0F" "D0" "Vx" "Wx" "" SSE3 => binary<vop!(FAddSub 2)>;
    fp "HADDPD" "66" "0F" "7C" "Vx" "Wx" "" SSE3 => binary<vop!(Neighbours FAdd 3)>;
    fp "HADDPS" "F2" "0F" "7C" "Vx" "Wx" "" SSE3 => binary<vop!(Neighbours FAdd 2)>;
    fp "HSUBPD" "66" "0F" "7D" "Vx" "Wx" "" SSE3 => binary<vop!(Neighbours FSub 3)>;
    fp "HSUBPS" "F2" "0F" "7D" "Vx" "Wx" "" SSE3 => binary<vop!(Neighbours FSub 2)>;
    fp "DPPS" "66" "0F3A" "40" "Vx" "Wx,Ib" "" SSE41 => binary<vop!(WithImm FDot 2)>;
    l0 "DPPD" "66" "0F3A" "41" "Vx" "Wx,Ib" "" SSE41 => binary<vop!(WithImm FDot 3)>;
    fp1 "ROUNDPS" "66" "0F3A" "08" "Vx" "Wx,Ib" "" SSE41 => unary<Round<2, false>>;
    fp1 "ROUNDPD" "66" "0F3A" "09" "Vx" "Wx,Ib" "" SSE41 => unary<Round<3, false>>;
    lig "ROUNDSS" "66" "0F3A" "0A" "Vss" "Wss,Ib" "" SSE41 => scalar_ss<Round<2, true>>;
    lig "ROUNDSD" "66" "0F3A" "0B" "Vsd" "Wsd,Ib" "" SSE41 => scalar_sd<Round<3, true>>;
    fp "CMPPS" "NP" "0F" "C2" "Vx" "Wx,Ib" "" SSE => cmp_packed<vop!(FCmpX 2)>;
    fp "CMPPD" "66" "0F" "C2" "Vx" "Wx,Ib" "" SSE2 => cmp_packed<vop!(FCmpX 3)>;
    lig "CMPSS" "F3" "0F" "C2" "Vss" "Wss,Ib" "" SSE => cmp_scalar<vop!(FCmpX 2)>;
    lig "CMPSD" "F2" "0F" "C2" "Vsd" "Wsd,Ib" "" SSE2 => cmp_scalar<vop!(FCmpX 3)>;
    lig1 "UCOMISS" "NP" "0F" "2E" "Vss" "Wss" "" SSE => comis<vop!(FComi 2 0)>;
    lig1 "UCOMISD" "66" "0F" "2E" "Vsd" "Wsd" "" SSE2 => comis<vop!(FComi 3 0)>;
    lig1 "COMISS" "NP" "0F" "2F" "Vss" "Wss" "" SSE => comis<vop!(FComi 2 1)>;
    lig1 "COMISD" "66" "0F" "2F" "Vsd" "Wsd" "" SSE2 => comis<vop!(FComi 3 1)>;
}

/// The constant of [`VecOp::FRound`] for an immediate of ROUNDPS (SDM vol. 2, table 4-22).
fn round_constant(imm: u8) -> u32 {
    let r = match imm & 7 {
        0 => rounding::NEAREST,
        1 => rounding::MINUS,
        2 => rounding::PLUS,
        3 => rounding::ZERO,
        _ => rounding::CURRENT,
    };
    r | if imm & 8 == 0 { EXACT } else { 0 }
}

/// ROUNDPS and its kin.
struct Round<const LOG2: u32, const SCALAR: bool>;
impl<const LOG2: u32, const SCALAR: bool> Op for Round<LOG2, SCALAR> {
    #[inline(always)]
    fn run<E: X86>(e: &mut E, i: &Insn, a: V<E>, b: V<E>) -> Emit<E, W128> {
        let l = if SCALAR { Lanes::scalar(LOG2) } else { Lanes::full(LOG2) };
        let r = fp(e, VecOp::FRound, l, round_constant(i.imm8()), [b, b, b])?;
        Ok(if SCALAR { e.v2(VecOp::Merge, l, a, r) } else { r })
    }
}

/// The predicate: three bits of the legacy immediate, five with VEX.
const fn predicate<X: Enc>(i: &Insn) -> u32 {
    i.imm8() as u32 & if X::VEX { 31 } else { 7 }
}

/// CMPPS and CMPPD.
#[inline(always)]
fn cmp_packed<E: X86, X: Enc, O: Op>(e: &mut E, i: &Insn) -> Exec<E> {
    ready::<E, X>(e, i, false)?;
    let b = source::<E, X>(e, i)?;
    let a = read::<E, X>(e, i, first::<X>(i));
    let imm = predicate::<X>(i);
    let low = fp(e, VecOp::FCmpX, O::LANES, imm, [a[0], b[0], b[0]])?;
    let high =
        if halves::<X>(i) == 2 { fp(e, VecOp::FCmpX, O::LANES, imm, [a[1], b[1], b[1]])? } else { low };
    write::<E, X>(e, i, i.reg(), [low, high]);
    Ok(Flow::Next)
}

/// CMPSS and CMPSD.
#[inline(always)]
fn cmp_scalar<E: X86, X: Enc, O: Op>(e: &mut E, i: &Insn) -> Exec<E> {
    ready::<E, X>(e, i, false)?;
    let log2 = O::LANES.log2 as u32;
    let b = small(e, i, log2)?;
    let a = e.get(state::xmm(first::<X>(i)));
    let l = Lanes::scalar(log2);
    let r = fp(e, VecOp::FCmpX, l, predicate::<X>(i), [a, b, b])?;
    let r = e.v2(VecOp::Merge, l, a, r);
    write_low::<E, X>(e, i.reg(), r);
    Ok(Flow::Next)
}

/// COMISS, COMISD, UCOMISS, UCOMISD.
#[inline(always)]
fn comis<E: X86, X: Enc, O: Op>(e: &mut E, i: &Insn) -> Exec<E> {
    ready::<E, X>(e, i, true)?;
    let b = small(e, i, O::LANES.log2 as u32)?;
    let a = e.get(state::xmm(i.reg()));
    let [r, _] = each::<E, O>(e, i, 1, [a, a], [b, b])?;
    let flags = e.lane::<W32>(r, 0);
    e.write_flags(state::FLAGS, flags);
    Ok(Flow::Next)
}
