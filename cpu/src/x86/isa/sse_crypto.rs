//! AES, PCLMULQDQ, GFNI, SHA, string comparison and PTEST (SSE4.1, SSE4.2, AVX, VAES, VPCLMULQDQ).

use super::sse_forms::{Enc, Op, binary, each, halves, load, read, ready, source, unary};
use crate::emit::{Exec, Flow};
use crate::op::Cmp;
use crate::vec::{Lanes, VecOp};
use crate::vop;
use crate::width::{W32, W64};
use crate::x86::emit::X86;
use crate::x86::insn::Insn;
use crate::x86::state;

crate::simd_rows! {
    l01 "AESIMC" "66" "0F38" "DB" "Vdq" "Wdq" "" AES => unary<vop!(AesUnmix 0)>;
    vaes "AESENC" "66" "0F38" "DC" "Vdq" "Wdq" "" AES => binary<vop!(AesRound 0 0)>;
    vaes "AESENCLAST" "66" "0F38" "DD" "Vdq" "Wdq" "" AES => binary<vop!(AesRound 0 1)>;
    vaes "AESDEC" "66" "0F38" "DE" "Vdq" "Wdq" "" AES => binary<vop!(AesUnround 0 0)>;
    vaes "AESDECLAST" "66" "0F38" "DF" "Vdq" "Wdq" "" AES => binary<vop!(AesUnround 0 1)>;
    l01 "AESKEYGENASSIST" "66" "0F3A" "DF" "Vdq" "Wdq,Ib" "" AES => unary<vop!(WithImm AesKeyAssist 0)>;
    vpclmul "PCLMULQDQ" "66" "0F3A" "44" "Vdq" "Wdq,Ib" "" PCLMUL => binary<vop!(WithImm MulPolyHalves 3)>;
    gf0 "GF2P8MULB" "66" "0F38" "CF" "Vx" "Wx" "" GFNI => binary<vop!(GfMul 0)>;
    gf1 "GF2P8AFFINEQB" "66" "0F3A" "CE" "Vx" "Wx,Ib" "" GFNI => binary<vop!(WithImm GfAffine 0)>;
    gf1 "GF2P8AFFINEINVQB" "66" "0F3A" "CF" "Vx" "Wx,Ib" "" GFNI => binary<vop!(WithImm GfAffineInverse 0)>;
    sse "SHA1NEXTE" "NP" "0F38" "C8" "Vdq" "Wdq" "" SHA => binary<vop!(Sha1Next 2)>;
    sse "SHA1MSG1" "NP" "0F38" "C9" "Vdq" "Wdq" "" SHA => binary<vop!(Sha1Message1 2)>;
    sse "SHA1MSG2" "NP" "0F38" "CA" "Vdq" "Wdq" "" SHA => binary<vop!(Sha1Message2 2)>;
    sse "SHA256RNDS2" "NP" "0F38" "CB" "Vdq" "Wdq" "" SHA => sha256rnds2;
    sse "SHA256MSG1" "NP" "0F38" "CC" "Vdq" "Wdq" "" SHA => binary<vop!(Sha256Message1 2)>;
    sse "SHA256MSG2" "NP" "0F38" "CD" "Vdq" "Wdq" "" SHA => binary<vop!(Sha256Message2 2)>;
    sse "SHA1RNDS4" "NP" "0F3A" "CC" "Vdq" "Wdq,Ib" "" SHA => binary<vop!(WithImm Sha1Rounds 2)>;
    l01 "PCMPESTRM" "66" "0F3A" "60" "Vdq" "Wdq,Ib" "" SSE42 => string_mask<vop!(Low 0 256)>;
    l01 "PCMPESTRI" "66" "0F3A" "61" "Vdq" "Wdq,Ib" "" SSE42 => string_index<vop!(Low 0 256)>;
    l01 "PCMPISTRM" "66" "0F3A" "62" "Vdq" "Wdq,Ib" "" SSE42 => string_mask<vop!(Low 0 0)>;
    l01 "PCMPISTRI" "66" "0F3A" "63" "Vdq" "Wdq,Ib" "" SSE42 => string_index<vop!(Low 0 0)>;
    fp1 "PTEST" "66" "0F38" "17" "Vx" "Wx" "" SSE41 => ptest<vop!(Test 0)>;
}

/// SHA256RNDS2, whose words are in XMM0.
#[inline(always)]
fn sha256rnds2<E: X86, X: Enc>(e: &mut E, i: &Insn) -> Exec<E> {
    ready::<E, X>(e, i, false)?;
    let b = source::<E, X>(e, i)?[0];
    let (a, words) = (e.get(state::xmm(i.reg())), e.get(state::xmm(0)));
    let r = e.vec(VecOp::Sha256Rounds, Lanes::full(2), 0, a, b, words);
    e.put(state::xmm(i.reg()), r);
    Ok(Flow::Next)
}

/// The operands of a string comparison, its lengths, and its constant; memory need not be aligned.
fn string<E: X86, X: Enc, O: Op>(
    e: &mut E,
    i: &Insn,
) -> Result<([super::sse_forms::V<E>; 3], u32), E::Abort> {
    ready::<E, X>(e, i, true)?;
    const AX: u8 = 0;
    const DX: u8 = 2;
    let b = if i.is_mem() { load(e, i, 1, false)?[0] } else { e.get(state::xmm(i.rm())) };
    let a = e.get(state::xmm(i.reg()));
    let explicit = O::IMM != 0;
    let lengths = if explicit {
        let wide = i.w();
        let [la, lb] = [AX, DX].map(|n| length(e, n, wide));
        let lengths = e.to_vec::<W32>(la);
        e.set_lane::<W32>(lengths, 1, lb)
    } else {
        a
    };
    Ok(([a, b, lengths], i.imm8() as u32 | O::IMM))
}

/// A length from a general register: 32 bits, or 64 with REX.W, where anything large is as good as 32.
fn length<E: X86>(e: &mut E, n: u8, wide: bool) -> E::Val<W32> {
    let x = e.get(state::gpr(n));
    let low = e.zext::<W64, W32>(x);
    if !wide {
        return low;
    }
    let back = e.sext::<W32, W64>(low);
    let fits = e.cmp::<W64>(Cmp::Eq, back, x);
    let many = e.lit::<W32>(32);
    e.select::<W32>(fits, low, many)
}

/// PCMPESTRI, PCMPISTRI.
#[inline(always)]
fn string_index<E: X86, X: Enc, O: Op>(e: &mut E, i: &Insn) -> Exec<E> {
    const CX: u8 = 1;
    let ([a, b, c], imm) = string::<E, X, O>(e, i)?;
    let r = e.vec(VecOp::StringCompare, Lanes::full(0), imm, a, b, c);
    let index = e.lane::<W32>(r, 0);
    let index = e.zext::<W32, W64>(index);
    let flags = e.lane::<W32>(r, 1);
    e.put(state::gpr(CX), index);
    e.write_flags(state::FLAGS, flags);
    Ok(Flow::Next)
}

/// PCMPESTRM, PCMPISTRM.
#[inline(always)]
fn string_mask<E: X86, X: Enc, O: Op>(e: &mut E, i: &Insn) -> Exec<E> {
    let ([a, b, c], imm) = string::<E, X, O>(e, i)?;
    let r = e.vec(VecOp::StringCompare, Lanes::full(0), imm, a, b, c);
    let mask = e.vec(VecOp::StringCompare, Lanes::full(0), imm | 1 << 9, a, b, c);
    let flags = e.lane::<W32>(r, 1);
    super::sse_forms::write_low::<E, X>(e, 0, mask);
    e.write_flags(state::FLAGS, flags);
    Ok(Flow::Next)
}

/// PTEST: ZF if a and b have no bit in common, CF if b has none that a lacks. VTESTPS and VTESTPD look at signs only.
#[inline(always)]
pub(super) fn ptest<E: X86, X: Enc, O: Op>(e: &mut E, i: &Insn) -> Exec<E> {
    ready::<E, X>(e, i, true)?;
    let b = source::<E, X>(e, i)?;
    let a = read::<E, X>(e, i, i.reg());
    let halves = halves::<X>(i);
    let [low, high] = each::<E, O>(e, i, halves, a, b)?;
    let mut f = e.lane::<W32>(low, 0);
    if halves == 2 {
        // Both flags say that there is nothing.
        let high = e.lane::<W32>(high, 0);
        f = e.and(f, high);
    }
    e.write_flags(state::FLAGS, f);
    Ok(Flow::Next)
}
