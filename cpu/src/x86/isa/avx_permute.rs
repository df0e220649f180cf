//! AVX and AVX2 without an SSE form: broadcasts, halves, permutations, blends with four operands, variable shifts, tests.

use super::sse_forms::{Op, Vex, address, binary, load, read, ready, source, store, unary, write, write_low};
use super::sse_shuffle::{BlendBy, blend, mask_op};
use crate::emit::{Exec, Flow};
use crate::vec::{Lanes, VecOp};
use crate::vop;
use crate::width::{Int, W8, W16, W32, W64, W128};
use crate::x86::emit::{Want, X86, plain};
use crate::x86::features as f;
use crate::x86::insn::Insn;
use crate::x86::{mode, state};

crate::x86_rows! {
    "VBROADCASTSS" "VEX.66.0F38.W0 18" "Vx,Md" "m" if f::AVX => [plain broadcast<W32>];
    "VBROADCASTSS" "VEX.66.0F38.W0 18" "Vx,Ux" "r" if f::AVX2 => [plain broadcast<W32>];
    "VBROADCASTSD" "VEX.256.66.0F38.W0 19" "Vx,Mq" "m" if f::AVX => [plain broadcast<W64>];
    "VBROADCASTSD" "VEX.256.66.0F38.W0 19" "Vx,Ux" "r" if f::AVX2 => [plain broadcast<W64>];
    "VBROADCASTF128" "VEX.256.66.0F38.W0 1A" "Vx,Mx" "m" if f::AVX => [plain broadcast_128];
    "VBROADCASTI128" "VEX.256.66.0F38.W0 5A" "Vx,Mx" "m" if f::AVX2 => [plain broadcast_128];
    "VPBROADCASTB" "VEX.66.0F38.W0 78" "Vx,Wb" "" if f::AVX2 => [plain broadcast<W8>];
    "VPBROADCASTW" "VEX.66.0F38.W0 79" "Vx,Ww" "" if f::AVX2 => [plain broadcast<W16>];
    "VPBROADCASTD" "VEX.66.0F38.W0 58" "Vx,Wd" "" if f::AVX2 => [plain broadcast<W32>];
    "VPBROADCASTQ" "VEX.66.0F38.W0 59" "Vx,Wq" "" if f::AVX2 => [plain broadcast<W64>];
    "VINSERTF128" "VEX.256.66.0F3A.W0 18" "Vx,Hx,Wx,Ib" "" if f::AVX => [plain insert_128];
    "VINSERTI128" "VEX.256.66.0F3A.W0 38" "Vx,Hx,Wx,Ib" "" if f::AVX2 => [plain insert_128];
    "VEXTRACTF128" "VEX.256.66.0F3A.W0 19" "Wx,Vx,Ib" "" if f::AVX => [plain extract_128];
    "VEXTRACTI128" "VEX.256.66.0F3A.W0 39" "Wx,Vx,Ib" "" if f::AVX2 => [plain extract_128];
    "VPERM2F128" "VEX.256.66.0F3A.W0 06" "Vx,Hx,Wx,Ib" "" if f::AVX => [plain perm2_128];
    "VPERM2I128" "VEX.256.66.0F3A.W0 46" "Vx,Hx,Wx,Ib" "" if f::AVX2 => [plain perm2_128];
    "VPERMILPS" "VEX.66.0F38.W0 0C" "Vx,Hx,Wx" "" if f::AVX => [plain binary<Vex, vop!(ShuffleBy 2)>];
    "VPERMILPD" "VEX.66.0F38.W0 0D" "Vx,Hx,Wx" "" if f::AVX => [plain binary<Vex, vop!(ShuffleBy 3)>];
    "VPERMILPS" "VEX.66.0F3A.W0 04" "Vx,Wx,Ib" "" if f::AVX => [plain unary<Vex, vop!(WithImm Shuffle 2)>];
    "VPERMILPD" "VEX.66.0F3A.W0 05" "Vx,Wx,Ib" "" if f::AVX => [plain permil_pd];
    "VPERMPS" "VEX.256.66.0F38.W0 16" "Vx,Hx,Wx" "" if f::AVX2 => [plain perm_words];
    "VPERMD" "VEX.256.66.0F38.W0 36" "Vx,Hx,Wx" "" if f::AVX2 => [plain perm_words];
    "VPERMQ" "VEX.256.66.0F3A.W1 00" "Vx,Wx,Ib" "" if f::AVX2 => [plain perm_quads];
    "VPERMPD" "VEX.256.66.0F3A.W1 01" "Vx,Wx,Ib" "" if f::AVX2 => [plain perm_quads];
    "VPBLENDD" "VEX.66.0F3A.W0 02" "Vx,Hx,Wx,Ib" "" if f::AVX2 => [plain blend<Vex, BlendBy<2>>];
    "VBLENDVPS" "VEX.66.0F3A.W0 4A" "Vx,Hx,Wx,Lx" "" if f::AVX => [plain blend_by<vop!(Blend 2)>];
    "VBLENDVPD" "VEX.66.0F3A.W0 4B" "Vx,Hx,Wx,Lx" "" if f::AVX => [plain blend_by<vop!(Blend 3)>];
    "VPBLENDVB" "VEX.128.66.0F3A.W0 4C" "Vx,Hx,Wx,Lx" "" if f::AVX => [plain blend_by<vop!(Blend 0)>];
    "VPBLENDVB" "VEX.256.66.0F3A.W0 4C" "Vx,Hx,Wx,Lx" "" if f::AVX2 => [plain blend_by<vop!(Blend 0)>];
    "VPSRLVD" "VEX.66.0F38.W0 45" "Vx,Hx,Wx" "" if f::AVX2 => [plain binary<Vex, vop!(ShrByU 2)>];
    "VPSRLVQ" "VEX.66.0F38.W1 45" "Vx,Hx,Wx" "" if f::AVX2 => [plain binary<Vex, vop!(ShrByU 3)>];
    "VPSRAVD" "VEX.66.0F38.W0 46" "Vx,Hx,Wx" "" if f::AVX2 => [plain binary<Vex, vop!(ShrByS 2)>];
    "VPSLLVD" "VEX.66.0F38.W0 47" "Vx,Hx,Wx" "" if f::AVX2 => [plain binary<Vex, vop!(ShlBy 2)>];
    "VPSLLVQ" "VEX.66.0F38.W1 47" "Vx,Hx,Wx" "" if f::AVX2 => [plain binary<Vex, vop!(ShlBy 3)>];
    "VTESTPS" "VEX.66.0F38.W0 0E" "Vx,Wx" "" if f::AVX => [plain test<vop!(Test 2)>];
    "VTESTPD" "VEX.66.0F38.W0 0F" "Vx,Wx" "" if f::AVX => [plain test<vop!(Test 3)>];
    "VZEROUPPER" "VEX.128.0F 77" "" "" if f::AVX => [plain zero_upper];
    "VZEROALL" "VEX.256.0F 77" "" "" if f::AVX => [plain zero_all];
}

/// One element everywhere.
#[inline(always)]
fn broadcast<E: X86, W: Int>(e: &mut E, i: &Insn) -> Exec<E> {
    ready::<E, Vex>(e, i, true)?;
    let x = if i.is_mem() {
        let at = address(e, i, W::TY.bytes(), Want::Read)?;
        e.load::<W>(plain(i.seg()), at)?
    } else {
        let v = e.get(state::xmm(i.rm()));
        e.lane::<W>(v, 0)
    };
    let v = e.dup::<W>(x, true);
    write::<E, Vex>(e, i, i.reg(), [v, v]);
    Ok(Flow::Next)
}

#[inline(always)]
fn broadcast_128<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
    ready::<E, Vex>(e, i, true)?;
    let v = load(e, i, 1, false)?;
    write::<E, Vex>(e, i, i.reg(), v);
    Ok(Flow::Next)
}

#[inline(always)]
fn insert_128<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
    ready::<E, Vex>(e, i, false)?;
    let b = if i.is_mem() { load(e, i, 1, false)?[0] } else { e.get(state::xmm(i.rm())) };
    let a = read::<E, Vex>(e, i, i.vvvv());
    write::<E, Vex>(e, i, i.reg(), if i.imm8() & 1 == 0 { [b, a[1]] } else { [a[0], b] });
    Ok(Flow::Next)
}

#[inline(always)]
fn extract_128<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
    ready::<E, Vex>(e, i, true)?;
    let v = read::<E, Vex>(e, i, i.reg())[i.imm8() as usize & 1];
    if i.is_mem() {
        store(e, i, 1, false, [v, v])?;
    } else {
        write_low::<E, Vex>(e, i.rm(), v);
    }
    Ok(Flow::Next)
}

#[inline(always)]
fn perm2_128<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
    ready::<E, Vex>(e, i, false)?;
    let b = source::<E, Vex>(e, i)?;
    let a = read::<E, Vex>(e, i, i.vvvv());
    let zero = e.lit::<W128>(0);
    let pick = |k: u8| if k & 8 != 0 { zero } else { [a[0], a[1], b[0], b[1]][k as usize & 3] };
    write::<E, Vex>(e, i, i.reg(), [pick(i.imm8()), pick(i.imm8() >> 4)]);
    Ok(Flow::Next)
}

/// VPERMILPD by an immediate: two bits for each half.
#[inline(always)]
fn permil_pd<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
    ready::<E, Vex>(e, i, true)?;
    let b = source::<E, Vex>(e, i)?;
    let imm = i.imm8() as u32;
    let r = [0, 1].map(|h| e.vi(VecOp::Shuffle, Lanes::full(3), imm >> (2 * h) & 3, b[h]));
    write::<E, Vex>(e, i, i.reg(), r);
    Ok(Flow::Next)
}

/// VPERMD, VPERMPS: the indices are the first operand.
#[inline(always)]
fn perm_words<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
    ready::<E, Vex>(e, i, false)?;
    let b = source::<E, Vex>(e, i)?;
    let index = read::<E, Vex>(e, i, i.vvvv());
    let r = index.map(|index| e.vec(VecOp::Permute2, Lanes::full(2), 0, b[0], b[1], index));
    write::<E, Vex>(e, i, i.reg(), r);
    Ok(Flow::Next)
}

/// VPERMQ, VPERMPD.
#[inline(always)]
fn perm_quads<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
    ready::<E, Vex>(e, i, true)?;
    let b = source::<E, Vex>(e, i)?;
    let r = [0, 4].map(|at| {
        let k = |n: u32| i.imm8() as u32 >> (at + 2 * n) & 3;
        let (low, high) = (k(0), k(1));
        let fields = low & 1 | (high & 1) << 1;
        let (x, y) = (b[low as usize >> 1], b[high as usize >> 1]);
        e.vec(VecOp::Shuffle, Lanes::full(3), fields, x, y, y)
    });
    write::<E, Vex>(e, i, i.reg(), r);
    Ok(Flow::Next)
}

/// The register that bits 7:4 of the immediate name.
fn fourth<E: X86>(e: &E, i: &Insn) -> u8 {
    i.imm8() >> 4 & if mode::is_64(e.mode()) { 15 } else { 7 }
}

/// VBLENDVPS and its kin.
#[inline(always)]
fn blend_by<E: X86, O: Op>(e: &mut E, i: &Insn) -> Exec<E> {
    ready::<E, Vex>(e, i, false)?;
    let b = source::<E, Vex>(e, i)?;
    let a = read::<E, Vex>(e, i, i.vvvv());
    let n = fourth(e, i);
    let mask = read::<E, Vex>(e, i, n);
    let r = [0, 1].map(|h| mask_op::<E, O>(e, a[h], b[h], mask[h]));
    write::<E, Vex>(e, i, i.reg(), r);
    Ok(Flow::Next)
}

#[inline(always)]
fn test<E: X86, O: Op>(e: &mut E, i: &Insn) -> Exec<E> {
    super::sse_crypto::ptest::<E, Vex, O>(e, i)
}

/// How many vector registers there are.
fn registers<E: X86>(e: &E) -> u8 {
    if mode::is_64(e.mode()) { 16 } else { 8 }
}

#[inline(always)]
fn zero_upper<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
    ready::<E, Vex>(e, i, true)?;
    let zero = e.lit::<W128>(0);
    for n in 0..registers(e) {
        e.put(state::ymm_high(n), zero);
    }
    Ok(Flow::Next)
}

#[inline(always)]
fn zero_all<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
    ready::<E, Vex>(e, i, true)?;
    let zero = e.lit::<W128>(0);
    for n in 0..registers(e) {
        e.put(state::xmm(n), zero);
        e.put(state::ymm_high(n), zero);
    }
    Ok(Flow::Next)
}
