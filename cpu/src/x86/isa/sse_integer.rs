//! Packed integers of SSE2, SSSE3, SSE4.1, AVX and AVX2: arithmetic, logic, comparisons, shifts.

use super::sse_forms::{Enc, Op, V, each, halves, load, read, ready, write};
use crate::emit::{Emit, Exec, Flow};
use crate::vec::{Lanes, VecOp};
use crate::vop;
use crate::width::W128;
use crate::x86::emit::X86;
use crate::x86::insn::Insn;
use crate::x86::state;

use super::sse_forms::{binary, unary};

crate::simd_rows! {
    int "PADDB" "66" "0F" "FC" "Vx" "Wx" "" SSE2 => binary<vop!(Add 0)>;
    int "PADDW" "66" "0F" "FD" "Vx" "Wx" "" SSE2 => binary<vop!(Add 1)>;
    int "PADDD" "66" "0F" "FE" "Vx" "Wx" "" SSE2 => binary<vop!(Add 2)>;
    int "PADDQ" "66" "0F" "D4" "Vx" "Wx" "" SSE2 => binary<vop!(Add 3)>;
    int "PADDSB" "66" "0F" "EC" "Vx" "Wx" "" SSE2 => binary<vop!(SatAddS 0)>;
    int "PADDSW" "66" "0F" "ED" "Vx" "Wx" "" SSE2 => binary<vop!(SatAddS 1)>;
    int "PADDUSB" "66" "0F" "DC" "Vx" "Wx" "" SSE2 => binary<vop!(SatAddU 0)>;
    int "PADDUSW" "66" "0F" "DD" "Vx" "Wx" "" SSE2 => binary<vop!(SatAddU 1)>;
    int "PSUBB" "66" "0F" "F8" "Vx" "Wx" "" SSE2 => binary<vop!(Sub 0)>;
    int "PSUBW" "66" "0F" "F9" "Vx" "Wx" "" SSE2 => binary<vop!(Sub 1)>;
    int "PSUBD" "66" "0F" "FA" "Vx" "Wx" "" SSE2 => binary<vop!(Sub 2)>;
    int "PSUBQ" "66" "0F" "FB" "Vx" "Wx" "" SSE2 => binary<vop!(Sub 3)>;
    int "PSUBSB" "66" "0F" "E8" "Vx" "Wx" "" SSE2 => binary<vop!(SatSubS 0)>;
    int "PSUBSW" "66" "0F" "E9" "Vx" "Wx" "" SSE2 => binary<vop!(SatSubS 1)>;
    int "PSUBUSB" "66" "0F" "D8" "Vx" "Wx" "" SSE2 => binary<vop!(SatSubU 0)>;
    int "PSUBUSW" "66" "0F" "D9" "Vx" "Wx" "" SSE2 => binary<vop!(SatSubU 1)>;
    int "PMULLW" "66" "0F" "D5" "Vx" "Wx" "" SSE2 => binary<vop!(Mul 1)>;
    int "PMULHW" "66" "0F" "E5" "Vx" "Wx" "" SSE2 => binary<vop!(MulHighS 1)>;
    int "PMULHUW" "66" "0F" "E4" "Vx" "Wx" "" SSE2 => binary<vop!(MulHighU 1)>;
    int "PMULUDQ" "66" "0F" "F4" "Vx" "Wx" "" SSE2 => binary<vop!(MulEvenU 2)>;
    int "PMADDWD" "66" "0F" "F5" "Vx" "Wx" "" SSE2 => binary<vop!(MulAddPairs 1)>;
    int "PSADBW" "66" "0F" "F6" "Vx" "Wx" "" SSE2 => binary<vop!(SumDiffU 0)>;
    int "PAVGB" "66" "0F" "E0" "Vx" "Wx" "" SSE2 => binary<vop!(AvgUpU 0)>;
    int "PAVGW" "66" "0F" "E3" "Vx" "Wx" "" SSE2 => binary<vop!(AvgUpU 1)>;
    int "PMINUB" "66" "0F" "DA" "Vx" "Wx" "" SSE2 => binary<vop!(MinU 0)>;
    int "PMAXUB" "66" "0F" "DE" "Vx" "Wx" "" SSE2 => binary<vop!(MaxU 0)>;
    int "PMINSW" "66" "0F" "EA" "Vx" "Wx" "" SSE2 => binary<vop!(MinS 1)>;
    int "PMAXSW" "66" "0F" "EE" "Vx" "Wx" "" SSE2 => binary<vop!(MaxS 1)>;
    int "PAND" "66" "0F" "DB" "Vx" "Wx" "" SSE2 => binary<vop!(And 3)>;
    int "PANDN" "66" "0F" "DF" "Vx" "Wx" "" SSE2 => binary<vop!(Swapped AndNot 3)>;
    int "POR" "66" "0F" "EB" "Vx" "Wx" "" SSE2 => binary<vop!(Or 3)>;
    int "PXOR" "66" "0F" "EF" "Vx" "Wx" "" SSE2 => binary<vop!(Xor 3)>;
    int "PCMPEQB" "66" "0F" "74" "Vx" "Wx" "" SSE2 => binary<vop!(Eq 0)>;
    int "PCMPEQW" "66" "0F" "75" "Vx" "Wx" "" SSE2 => binary<vop!(Eq 1)>;
    int "PCMPEQD" "66" "0F" "76" "Vx" "Wx" "" SSE2 => binary<vop!(Eq 2)>;
    int "PCMPGTB" "66" "0F" "64" "Vx" "Wx" "" SSE2 => binary<vop!(GtS 0)>;
    int "PCMPGTW" "66" "0F" "65" "Vx" "Wx" "" SSE2 => binary<vop!(GtS 1)>;
    int "PCMPGTD" "66" "0F" "66" "Vx" "Wx" "" SSE2 => binary<vop!(GtS 2)>;
    int "PSLLW" "66" "0F" "F1" "Vx" "Wx" "" SSE2 => shift<vop!(ShlAll 1)>;
    int "PSLLD" "66" "0F" "F2" "Vx" "Wx" "" SSE2 => shift<vop!(ShlAll 2)>;
    int "PSLLQ" "66" "0F" "F3" "Vx" "Wx" "" SSE2 => shift<vop!(ShlAll 3)>;
    int "PSRLW" "66" "0F" "D1" "Vx" "Wx" "" SSE2 => shift<vop!(ShrAllU 1)>;
    int "PSRLD" "66" "0F" "D2" "Vx" "Wx" "" SSE2 => shift<vop!(ShrAllU 2)>;
    int "PSRLQ" "66" "0F" "D3" "Vx" "Wx" "" SSE2 => shift<vop!(ShrAllU 3)>;
    int "PSRAW" "66" "0F" "E1" "Vx" "Wx" "" SSE2 => shift<vop!(ShrAllS 1)>;
    int "PSRAD" "66" "0F" "E2" "Vx" "Wx" "" SSE2 => shift<vop!(ShrAllS 2)>;
    int "PSRLW" "66" "0F" "71 /2" "Ux" "Ib" "" SSE2 => shift_imm<By<{ VecOp::ShrU as u16 }, 1>>;
    int "PSRAW" "66" "0F" "71 /4" "Ux" "Ib" "" SSE2 => shift_imm<By<{ VecOp::ShrS as u16 }, 1>>;
    int "PSLLW" "66" "0F" "71 /6" "Ux" "Ib" "" SSE2 => shift_imm<By<{ VecOp::Shl as u16 }, 1>>;
    int "PSRLD" "66" "0F" "72 /2" "Ux" "Ib" "" SSE2 => shift_imm<By<{ VecOp::ShrU as u16 }, 2>>;
    int "PSRAD" "66" "0F" "72 /4" "Ux" "Ib" "" SSE2 => shift_imm<By<{ VecOp::ShrS as u16 }, 2>>;
    int "PSLLD" "66" "0F" "72 /6" "Ux" "Ib" "" SSE2 => shift_imm<By<{ VecOp::Shl as u16 }, 2>>;
    int "PSRLQ" "66" "0F" "73 /2" "Ux" "Ib" "" SSE2 => shift_imm<By<{ VecOp::ShrU as u16 }, 3>>;
    int "PSRLDQ" "66" "0F" "73 /3" "Ux" "Ib" "" SSE2 => shift_imm<Bytes<false>>;
    int "PSLLQ" "66" "0F" "73 /6" "Ux" "Ib" "" SSE2 => shift_imm<By<{ VecOp::Shl as u16 }, 3>>;
    int "PSLLDQ" "66" "0F" "73 /7" "Ux" "Ib" "" SSE2 => shift_imm<Bytes<true>>;

    int1 "PABSB" "66" "0F38" "1C" "Vx" "Wx" "" SSSE3 => unary<vop!(Abs 0)>;
    int1 "PABSW" "66" "0F38" "1D" "Vx" "Wx" "" SSSE3 => unary<vop!(Abs 1)>;
    int1 "PABSD" "66" "0F38" "1E" "Vx" "Wx" "" SSSE3 => unary<vop!(Abs 2)>;
    int "PHADDW" "66" "0F38" "01" "Vx" "Wx" "" SSSE3 => binary<vop!(Neighbours Add 1)>;
    int "PHADDD" "66" "0F38" "02" "Vx" "Wx" "" SSSE3 => binary<vop!(Neighbours Add 2)>;
    int "PHADDSW" "66" "0F38" "03" "Vx" "Wx" "" SSSE3 => binary<vop!(Neighbours SatAddS 1)>;
    int "PMADDUBSW" "66" "0F38" "04" "Vx" "Wx" "" SSSE3 => binary<vop!(MulAddPairsUS 0)>;
    int "PHSUBW" "66" "0F38" "05" "Vx" "Wx" "" SSSE3 => binary<vop!(Neighbours Sub 1)>;
    int "PHSUBD" "66" "0F38" "06" "Vx" "Wx" "" SSSE3 => binary<vop!(Neighbours Sub 2)>;
    int "PHSUBSW" "66" "0F38" "07" "Vx" "Wx" "" SSSE3 => binary<vop!(Neighbours SatSubS 1)>;
    int "PSIGNB" "66" "0F38" "08" "Vx" "Wx" "" SSSE3 => binary<vop!(Sign 0)>;
    int "PSIGNW" "66" "0F38" "09" "Vx" "Wx" "" SSSE3 => binary<vop!(Sign 1)>;
    int "PSIGND" "66" "0F38" "0A" "Vx" "Wx" "" SSSE3 => binary<vop!(Sign 2)>;
    int "PMULHRSW" "66" "0F38" "0B" "Vx" "Wx" "" SSSE3 => binary<vop!(MulHighRound 1)>;

    int "PMULDQ" "66" "0F38" "28" "Vx" "Wx" "" SSE41 => binary<vop!(MulEvenS 2)>;
    int "PCMPEQQ" "66" "0F38" "29" "Vx" "Wx" "" SSE41 => binary<vop!(Eq 3)>;
    int "PMINSB" "66" "0F38" "38" "Vx" "Wx" "" SSE41 => binary<vop!(MinS 0)>;
    int "PMINSD" "66" "0F38" "39" "Vx" "Wx" "" SSE41 => binary<vop!(MinS 2)>;
    int "PMINUW" "66" "0F38" "3A" "Vx" "Wx" "" SSE41 => binary<vop!(MinU 1)>;
    int "PMINUD" "66" "0F38" "3B" "Vx" "Wx" "" SSE41 => binary<vop!(MinU 2)>;
    int "PMAXSB" "66" "0F38" "3C" "Vx" "Wx" "" SSE41 => binary<vop!(MaxS 0)>;
    int "PMAXSD" "66" "0F38" "3D" "Vx" "Wx" "" SSE41 => binary<vop!(MaxS 2)>;
    int "PMAXUW" "66" "0F38" "3E" "Vx" "Wx" "" SSE41 => binary<vop!(MaxU 1)>;
    int "PMAXUD" "66" "0F38" "3F" "Vx" "Wx" "" SSE41 => binary<vop!(MaxU 2)>;
    int "PMULLD" "66" "0F38" "40" "Vx" "Wx" "" SSE41 => binary<vop!(Mul 2)>;
    l01 "PHMINPOSUW" "66" "0F38" "41" "Vdq" "Wdq" "" SSE41 => unary<vop!(MinPosition 1)>;
    int "MPSADBW" "66" "0F3A" "42" "Vx" "Wx,Ib" "" SSE41 => mpsadbw;
    int "PCMPGTQ" "66" "0F38" "37" "Vx" "Wx" "" SSE42 => binary<vop!(GtS 3)>;
}

/// A shift of elements by the immediate: what is as wide as they are, or wider, leaves zeros or signs.
struct By<const OP: u16, const LOG2: u32>;
impl<const OP: u16, const LOG2: u32> Op for By<OP, LOG2> {
    #[inline(always)]
    fn run<E: X86>(e: &mut E, i: &Insn, a: V<E>, _: V<E>) -> Emit<E, W128> {
        let (op, l, n) = (const { VecOp::ALL[OP as usize] }, Lanes::full(LOG2), i.imm8() as u32);
        if n < l.bits() {
            return Ok(e.vi(op, l, n, a));
        }
        Ok(if op as u16 == VecOp::ShrS as u16 { e.vi(op, l, l.bits() - 1, a) } else { e.lit::<W128>(0) })
    }
}

/// A shift of 16 bytes by the immediate.
struct Bytes<const LEFT: bool>;
impl<const LEFT: bool> Op for Bytes<LEFT> {
    #[inline(always)]
    fn run<E: X86>(e: &mut E, i: &Insn, a: V<E>, _: V<E>) -> Emit<E, W128> {
        let (n, l) = (i.imm8() as u32, Lanes::full(0));
        let zero = e.lit::<W128>(0);
        Ok(match (n, LEFT) {
            (0, _) => a,
            (16.., _) => zero,
            (n, true) => e.vec(VecOp::Extract, l, 16 - n, zero, a, a),
            (n, false) => e.vec(VecOp::Extract, l, n, a, zero, zero),
        })
    }
}

/// `op V, W` whose count is 16 bytes of W for both halves.
#[inline(always)]
fn shift<E: X86, X: Enc, O: Op>(e: &mut E, i: &Insn) -> Exec<E> {
    ready::<E, X>(e, i, false)?;
    let n = if i.is_mem() { load(e, i, 1, !X::VEX)?[0] } else { e.get(state::xmm(i.rm())) };
    let a = read::<E, X>(e, i, super::sse_forms::first::<X>(i));
    let r = each::<E, O>(e, i, halves::<X>(i), a, [n, n])?;
    write::<E, X>(e, i, i.reg(), r);
    Ok(Flow::Next)
}

/// `op U, Ib`; `vop H, U, Ib`.
#[inline(always)]
fn shift_imm<E: X86, X: Enc, O: Op>(e: &mut E, i: &Insn) -> Exec<E> {
    ready::<E, X>(e, i, false)?;
    let a = read::<E, X>(e, i, i.rm());
    let r = each::<E, O>(e, i, halves::<X>(i), a, a)?;
    write::<E, X>(e, i, if X::VEX { i.vvvv() } else { i.rm() }, r);
    Ok(Flow::Next)
}

/// MPSADBW: each half has its own three bits of the immediate.
#[inline(always)]
fn mpsadbw<E: X86, X: Enc>(e: &mut E, i: &Insn) -> Exec<E> {
    ready::<E, X>(e, i, false)?;
    let b = super::sse_forms::source::<E, X>(e, i)?;
    let a = read::<E, X>(e, i, super::sse_forms::first::<X>(i));
    let imm = i.imm8() as u32;
    let l = Lanes::full(0);
    let r = [0, 1].map(|h| e.vec(VecOp::SumDiffBlocks, l, imm >> (3 * h) & 7, a[h], b[h], b[h]));
    write::<E, X>(e, i, i.reg(), r);
    Ok(Flow::Next)
}
