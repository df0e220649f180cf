//! Descriptor tables and what selectors name: SGDT to LTR, SMSW and LMSW, LAR, LSL, VERR, VERW, ARPL (SDM vol. 3, 2.8.1).

use super::system::{level_0, umip, zero};
use crate::emit::{Emit, Exec, Flow};
use crate::op::{Bin, Cmp};
use crate::slot::Slot;
use crate::width::{W16, W32, W64};
use crate::x86::control;
use crate::x86::emit::{Place, Want, X86, plain};
use crate::x86::insn::Insn;
use crate::x86::segment::{LDTR, TR};
use crate::x86::{features as f, mode, segment, state};

crate::x86_rows! {
    "SGDT" "0F 01 /0" "Ms" "" if f::I286 => [plain sgdt];
    "SIDT" "0F 01 /1" "Ms" "" if f::I286 => [plain sidt];
    "LGDT" "0F 01 /2" "Ms" "" if f::I286 => [plain lgdt];
    "LIDT" "0F 01 /3" "Ms" "" if f::I286 => [plain lidt];
    "SMSW" "0F 01 /4" "Ew" "" if f::I286 => [rm smsw];
    "LMSW" "0F 01 /6" "Ew" "" if f::I286 => [rm lmsw];
    "SLDT" "0F 00 /0" "Ew" "prot" if f::I286 => [rm sldt];
    "STR" "0F 00 /1" "Ew" "prot" if f::I286 => [rm str];
    "LLDT" "0F 00 /2" "Ew" "prot" if f::I286 => [rm lldt];
    "LTR" "0F 00 /3" "Ew" "prot" if f::I286 => [rm ltr];
    "VERR" "0F 00 /4" "Ew" "prot" if f::I286 => [rm verr];
    "VERW" "0F 00 /5" "Ew" "prot" if f::I286 => [rm verw];
    "LAR" "0F 02" "Gv,Ew" "prot" if f::I286 => [rm lar];
    "LSL" "0F 03" "Gv,Ew" "prot" if f::I286 => [rm lsl];
    "ARPL" "63" "Ew,Gw" "i64 prot" if f::I286 => [rm arpl];
}

/// The operand of 16-bit selectors and words.
fn word<E: X86, P: Place>(e: &mut E, i: &Insn) -> Emit<E, W64> {
    let x = P::get::<E, W16>(e, i)?;
    Ok(e.zext(x))
}

#[inline(always)]
fn sgdt<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
    store_table(e, i, state::GDT_BASE, state::GDT_LIMIT)
}
#[inline(always)]
fn sidt<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
    store_table(e, i, state::IDT_BASE, state::IDT_LIMIT)
}

fn store_table<E: X86>(e: &mut E, i: &Insn, base: Slot<W64>, limit: Slot<W32>) -> Exec<E> {
    umip(e)?;
    let is_64 = mode::is_64(e.mode());
    let ea = e.ea(i);
    let at = e.linear(i.seg(), ea, if is_64 { 10 } else { 6 }, Want::Write)?;
    let (limit, mut value) = (e.get(limit), e.get(base));
    let limit = e.zext::<W32, W16>(limit);
    // Both stores may fault; the second is tried first so that memory stays as it was in most cases.
    let second = e.add_lit(at, 2);
    if is_64 {
        e.store::<W64>(plain(i.seg()), second, value)?;
    } else {
        if e.cx().features & f::I386 == 0 {
            // The 80286 stores ones in the last byte.
            let ones = e.lit::<W64>(0xFF00_0000);
            value = e.or(value, ones);
        }
        let value = e.zext::<W64, W32>(value);
        e.store::<W32>(plain(i.seg()), second, value)?;
    }
    e.store::<W16>(plain(i.seg()), at, limit)?;
    Ok(Flow::Next)
}

#[inline(always)]
fn lgdt<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
    load_table(e, i, state::GDT_BASE, state::GDT_LIMIT)
}
#[inline(always)]
fn lidt<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
    load_table(e, i, state::IDT_BASE, state::IDT_LIMIT)
}

fn load_table<E: X86>(e: &mut E, i: &Insn, base: Slot<W64>, limit: Slot<W32>) -> Exec<E> {
    level_0(e)?;
    let is_64 = mode::is_64(e.mode());
    let ea = e.ea(i);
    let at = e.linear(i.seg(), ea, if is_64 { 10 } else { 6 }, Want::Read)?;
    let size = e.load::<W16>(plain(i.seg()), at)?;
    let second = e.add_lit(at, 2);
    let value = if is_64 {
        e.load::<W64>(plain(i.seg()), second)?
    } else {
        let x = e.load::<W32>(plain(i.seg()), second)?;
        let x = e.zext::<W32, W64>(x);
        let mask = e.lit::<W64>(if i.osize() == 1 { 0x00FF_FFFF } else { 0xFFFF_FFFF });
        e.and(x, mask)
    };
    let size = e.zext::<W16, W32>(size);
    e.put(base, value);
    e.put(limit, size);
    Ok(Flow::Next)
}

/// Stores 16 bits to memory, or the operand size to a register.
fn store_word<E: X86, P: Place>(e: &mut E, i: &Insn, x: E::Val<W64>) -> Exec<E> {
    if P::MEM || i.osize() == 1 {
        let x = e.zext::<W64, W16>(x);
        P::put::<E, W16>(e, i, x)?;
    } else {
        // 32 bits clear the upper half, too.
        e.put(state::gpr(i.rm()), x);
    }
    Ok(Flow::Next)
}

#[inline(always)]
fn smsw<E: X86, P: Place>(e: &mut E, i: &Insn) -> Exec<E> {
    umip(e)?;
    let cr0 = e.get(state::CR0);
    let cr0 = e.trunc(cr0, 2);
    store_word::<E, P>(e, i, cr0)
}

#[inline(always)]
fn lmsw<E: X86, P: Place>(e: &mut E, i: &Insn) -> Exec<E> {
    level_0(e)?;
    let (x, none) = (word::<E, P>(e, i)?, zero(e));
    e.call(&control::LMSW, [x, none, none])?;
    Ok(Flow::Sync)
}

#[inline(always)]
fn sldt<E: X86, P: Place>(e: &mut E, i: &Insn) -> Exec<E> {
    umip(e)?;
    let x = e.get(state::selector(LDTR));
    let x = e.zext::<W16, W64>(x);
    store_word::<E, P>(e, i, x)
}

#[inline(always)]
fn str<E: X86, P: Place>(e: &mut E, i: &Insn) -> Exec<E> {
    umip(e)?;
    let x = e.get(state::selector(TR));
    let x = e.zext::<W16, W64>(x);
    store_word::<E, P>(e, i, x)
}

#[inline(always)]
fn lldt<E: X86, P: Place>(e: &mut E, i: &Insn) -> Exec<E> {
    level_0(e)?;
    let (x, none) = (word::<E, P>(e, i)?, zero(e));
    e.call(&segment::LLDT, [x, none, none])?;
    Ok(Flow::Next)
}

#[inline(always)]
fn ltr<E: X86, P: Place>(e: &mut E, i: &Insn) -> Exec<E> {
    level_0(e)?;
    let (x, none) = (word::<E, P>(e, i)?, zero(e));
    e.call(&segment::LTR, [x, none, none])?;
    Ok(Flow::Next)
}

/// LAR, LSL, VERR, VERW: ZF says whether the selector may be used; the value is what they load.
fn access<E: X86, P: Place>(e: &mut E, i: &Insn, which: u64) -> Emit<E, W64> {
    let (x, which, none) = (word::<E, P>(e, i)?, e.lit::<W64>(which), zero(e));
    let x = e.call(&segment::ACCESS, [which, x, none])?;
    let zf = e.shift(Bin::Shr, x, 32);
    let zf = e.zext::<W64, W32>(zf);
    let zf = e.shift(Bin::Shl, zf, crate::x86::flags::ZF.trailing_zeros());
    e.merge_flags(zf, crate::x86::flags::ZF);
    Ok(x)
}

#[inline(always)]
fn verr<E: X86, P: Place>(e: &mut E, i: &Insn) -> Exec<E> {
    access::<E, P>(e, i, segment::access::VERR)?;
    Ok(Flow::Next)
}

#[inline(always)]
fn verw<E: X86, P: Place>(e: &mut E, i: &Insn) -> Exec<E> {
    access::<E, P>(e, i, segment::access::VERW)?;
    Ok(Flow::Next)
}

#[inline(always)]
fn lar<E: X86, P: Place>(e: &mut E, i: &Insn) -> Exec<E> {
    load_access::<E, P>(e, i, segment::access::LAR)
}

#[inline(always)]
fn lsl<E: X86, P: Place>(e: &mut E, i: &Insn) -> Exec<E> {
    load_access::<E, P>(e, i, segment::access::LSL)
}

/// The register is written only if ZF is set.
fn load_access<E: X86, P: Place>(e: &mut E, i: &Insn, which: u64) -> Exec<E> {
    let x = access::<E, P>(e, i, which)?;
    let ok = e.shift(Bin::Shr, x, 32);
    let none = zero(e);
    let ok = e.cmp::<W64>(Cmp::Ne, ok, none);
    if i.osize() == 1 {
        let old = e.r::<W16>(i.reg());
        let new = e.zext::<W64, W16>(x);
        let new = e.select::<W16>(ok, new, old);
        e.set_r::<W16>(i.reg(), new);
    } else {
        let old = e.get(state::gpr(i.reg()));
        let new = e.trunc(x, 2);
        let new = e.select::<W64>(ok, new, old);
        e.put(state::gpr(i.reg()), new);
    }
    Ok(Flow::Next)
}

/// The RPL of the first operand is raised to that of the second.
#[inline(always)]
fn arpl<E: X86, P: Place>(e: &mut E, i: &Insn) -> Exec<E> {
    let at = P::at::<E, W16>(e, i, Want::Write)?;
    let a = P::read::<E, W16>(e, i, at)?;
    let b = e.r::<W16>(i.reg());
    let three = e.lit::<W16>(3);
    let (low, high) = (e.and(a, three), e.and(b, three));
    let adjust = e.cmp::<W16>(Cmp::Ltu, low, high);
    let clear = e.lit::<W16>(0xFFFC);
    let raised = e.and(a, clear);
    let raised = e.or(raised, high);
    let r = e.select::<W16>(adjust, raised, a);
    P::write::<E, W16>(e, i, at, r)?;
    let zf = e.as_flag(adjust, crate::x86::flags::ZF);
    e.merge_flags(zf, crate::x86::flags::ZF);
    Ok(Flow::Next)
}
