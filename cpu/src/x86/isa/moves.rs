//! Data transfer without arithmetic: MOV, MOVZX, MOVSX, MOVSXD, MOVBE, LEA, XLAT, BSWAP, CMOVcc, SETcc, CBW and CWD
//! and their wider forms.

use crate::emit::{Exec, Flow};
use crate::op::{Bin, Un};
use crate::width::{Int, W8, W16, W32, W64};
use crate::x86::emit::{Place, Want, X86, cond};
use crate::x86::features as f;
use crate::x86::insn::Insn;
use crate::x86::state;

crate::x86_rows! {
    "MOV" "88" "Eb,Gb" "" => [b rm mov_e_g];
    "MOV" "89" "Ev,Gv" "" => [v rm mov_e_g];
    "MOV" "8A" "Gb,Eb" "" => [b rm mov_g_e];
    "MOV" "8B" "Gv,Ev" "" => [v rm mov_g_e];
    "MOV" "A0" "AL,Ob" "" => [b mov_a_o];
    "MOV" "A1" "rAX,Ov" "" => [v mov_a_o];
    "MOV" "A2" "Ob,AL" "" => [b mov_o_a];
    "MOV" "A3" "Ov,rAX" "" => [v mov_o_a];
    "MOV" "B0+r" "Zb,Ib" "" => [b mov_z_i];
    "MOV" "B8+r" "Zv,Iv" "" => [v mov_z_i];
    "MOV" "C6 /0" "Eb,Ib" "" => [b rm mov_e_i];
    "MOV" "C7 /0" "Ev,Iz" "" => [v rm mov_e_i];
    "MOVZX" "0F B6" "Gv,Eb" "" if f::I386 => [v rm movzx<W8>];
    "MOVZX" "0F B7" "Gv,Ew" "" if f::I386 => [v rm movzx<W16>];
    "MOVSX" "0F BE" "Gv,Eb" "" if f::I386 => [v rm movsx<W8>];
    "MOVSX" "0F BF" "Gv,Ew" "" if f::I386 => [v rm movsx<W16>];
    "MOVSXD" "63" "Gv,Ed" "o64" => [v rm movsxd];
    "MOVBE" "NR 0F 38 F0" "Gv,Mv" "" if f::MOVBE => [v rm movbe_load];
    "MOVBE" "NR 0F 38 F1" "Mv,Gv" "" if f::MOVBE => [v rm movbe_store];
    "LEA" "8D" "Gv,Mv" "" => [v lea];
    "XLAT" "D7" "" "" => [plain xlat];
    "BSWAP" "0F C8+r" "Zv" "" if f::I486 => [v bswap];
    "CMOVcc" "0F 40+cc" "Gv,Ev" "" if f::CMOV => [v rm cmov];
    "SETcc" "0F 90+cc" "Eb" "modrm" if f::I386 => [rm cc setcc];
    "CBW/CWDE/CDQE" "98" "" "" => [plain cbw];
    "CWD/CDQ/CQO" "99" "" "" => [v cwd];
}

#[inline(always)]
fn mov_e_g<E: X86, W: Int, P: Place>(e: &mut E, i: &Insn) -> Exec<E> {
    let v = e.r::<W>(i.reg());
    P::put::<E, W>(e, i, v)?;
    Ok(Flow::Next)
}

#[inline(always)]
fn mov_g_e<E: X86, W: Int, P: Place>(e: &mut E, i: &Insn) -> Exec<E> {
    let v = P::get::<E, W>(e, i)?;
    e.set_r::<W>(i.reg(), v);
    Ok(Flow::Next)
}

#[inline(always)]
fn mov_e_i<E: X86, W: Int, P: Place>(e: &mut E, i: &Insn) -> Exec<E> {
    let v = e.lit::<W>(W::dec(i.simm()));
    P::put::<E, W>(e, i, v)?;
    Ok(Flow::Next)
}

/// `MOV r, imm`: the only one with an immediate of 64 bits.
#[inline(always)]
fn mov_z_i<E: X86, W: Int>(e: &mut E, i: &Insn) -> Exec<E> {
    let v = e.lit::<W>(W::dec(i.imm64()));
    e.set_r::<W>(i.reg(), v);
    Ok(Flow::Next)
}

/// The offset that is part of the instruction, of the address size.
#[inline(always)]
fn moffs<E: X86>(e: &mut E, i: &Insn) -> E::Val<W64> {
    let offset = i.imm64();
    e.lit::<W64>(match i.asize() {
        1 => offset & 0xFFFF,
        2 => offset & 0xFFFF_FFFF,
        _ => offset,
    })
}

#[inline(always)]
fn mov_a_o<E: X86, W: Int>(e: &mut E, i: &Insn) -> Exec<E> {
    let at = moffs(e, i);
    let v = e.load_at::<W>(i.seg(), at)?;
    e.set_r::<W>(0, v);
    Ok(Flow::Next)
}

#[inline(always)]
fn mov_o_a<E: X86, W: Int>(e: &mut E, i: &Insn) -> Exec<E> {
    let at = moffs(e, i);
    let v = e.r::<W>(0);
    e.store_at::<W>(i.seg(), at, v)?;
    Ok(Flow::Next)
}

#[inline(always)]
fn movzx<E: X86, W: Int, P: Place, From: Int>(e: &mut E, i: &Insn) -> Exec<E> {
    let v = P::get::<E, From>(e, i)?;
    let v = e.zext::<From, W>(v);
    e.set_r::<W>(i.reg(), v);
    Ok(Flow::Next)
}

#[inline(always)]
fn movsx<E: X86, W: Int, P: Place, From: Int>(e: &mut E, i: &Insn) -> Exec<E> {
    let v = P::get::<E, From>(e, i)?;
    let v = e.sext::<From, W>(v);
    e.set_r::<W>(i.reg(), v);
    Ok(Flow::Next)
}

/// MOVSXD: with 16 or 32 bits it is MOV.
#[inline(always)]
fn movsxd<E: X86, W: Int, P: Place>(e: &mut E, i: &Insn) -> Exec<E> {
    if i.osize() < 3 {
        return mov_g_e::<E, W, P>(e, i);
    }
    movsx::<E, W, P, W32>(e, i)
}

#[inline(always)]
fn movbe_load<E: X86, W: Int, P: Place>(e: &mut E, i: &Insn) -> Exec<E> {
    let v = P::get::<E, W>(e, i)?;
    let v = e.un(Un::Bswap, v);
    e.set_r::<W>(i.reg(), v);
    Ok(Flow::Next)
}

#[inline(always)]
fn movbe_store<E: X86, W: Int, P: Place>(e: &mut E, i: &Insn) -> Exec<E> {
    let v = e.r::<W>(i.reg());
    let v = e.un(Un::Bswap, v);
    P::put::<E, W>(e, i, v)?;
    Ok(Flow::Next)
}

#[inline(always)]
fn lea<E: X86, W: Int>(e: &mut E, i: &Insn) -> Exec<E> {
    let at = e.ea(i);
    let v = e.zext::<W64, W>(at);
    e.set_r::<W>(i.reg(), v);
    Ok(Flow::Next)
}

#[inline(always)]
fn xlat<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
    let (al, bx) = (e.r::<W8>(0), e.r::<W64>(3));
    let al = e.zext::<W8, W64>(al);
    let at = e.add(al, bx);
    let at = e.trunc(at, i.asize());
    let v = e.load_at::<W8>(i.seg(), at)?;
    e.set_r::<W8>(0, v);
    Ok(Flow::Next)
}

/// BSWAP: 16-bit registers become zero.
#[inline(always)]
fn bswap<E: X86, W: Int>(e: &mut E, i: &Insn) -> Exec<E> {
    let v = if i.osize() == 1 {
        e.lit::<W>(W::dec(0))
    } else {
        let v = e.r::<W>(i.reg());
        e.un(Un::Bswap, v)
    };
    e.set_r::<W>(i.reg(), v);
    Ok(Flow::Next)
}

/// CMOVcc: memory is read in any case, and 32 bits clear the upper half in any case.
#[inline(always)]
fn cmov<E: X86, W: Int, P: Place>(e: &mut E, i: &Insn) -> Exec<E> {
    let new = P::get::<E, W>(e, i)?;
    let old = e.r::<W>(i.reg());
    let c = e.cc(i.cc());
    let v = e.select::<W>(c, new, old);
    e.set_r::<W>(i.reg(), v);
    Ok(Flow::Next)
}

#[inline(always)]
fn setcc<E: X86, P: Place, const CC: u8>(e: &mut E, i: &Insn) -> Exec<E> {
    let at = P::at::<E, W8>(e, i, Want::Write)?;
    let c = e.flags_hold(state::FLAGS, cond(CC));
    let v = e.zext::<_, W8>(c);
    P::write::<E, W8>(e, i, at, v)?;
    Ok(Flow::Next)
}

/// CBW, CWDE, CDQE
#[inline(always)]
fn cbw<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
    fn widen<E: X86, W: Int, To: Int>(e: &mut E) {
        let v = e.r::<W>(0);
        let v = e.sext::<W, To>(v);
        e.set_r::<To>(0, v);
    }
    match i.osize() {
        1 => widen::<E, W8, W16>(e),
        2 => widen::<E, W16, W32>(e),
        _ => widen::<E, W32, W64>(e),
    }
    Ok(Flow::Next)
}

/// CWD, CDQ, CQO
#[inline(always)]
fn cwd<E: X86, W: Int>(e: &mut E, _: &Insn) -> Exec<E> {
    let v = e.r::<W>(0);
    let v = e.shift::<W>(Bin::Sar, v, W::TY.bits() - 1);
    e.set_r::<W>(2, v);
    Ok(Flow::Next)
}
