//! The stack: PUSH, POP, PUSHA, POPA, PUSHF, POPF, ENTER, LEAVE; BOUND, which belongs to the same generation.

use crate::core::{Core, Raised};
use crate::emit::{Effects, Exec, Flow, Helper};
use crate::op::Cmp;
use crate::width::{Int, W1, W16, W32, W64};
use crate::x86::X64;
use crate::x86::eflags;
use crate::x86::emit::{Place, Want, X86, fault, keeps_moves, plain};
use crate::x86::features as f;
use crate::x86::insn::{Insn, seg};
use crate::x86::mode;
use crate::x86::state;

crate::x86_rows! {
    "PUSH" "50+r" "Zv" "d64" => [v push_r];
    "PUSH" "FF /6" "Ev" "d64" => [v rm push_e];
    "PUSH" "68" "Iz" "d64" if f::I186 => [v push_i];
    "PUSH" "6A" "Ib" "d64" if f::I186 => [v push_i];
    "POP" "58+r" "Zv" "d64" => [v pop_r];
    "POP" "8F /0" "Ev" "d64" => [v rm pop_e];
    "PUSHA" "60" "" "i64" if f::I186 => [v pusha];
    "POPA" "61" "" "i64" if f::I186 => [v popa];
    "PUSHF" "9C" "" "d64" => [v pushf];
    "POPF" "9D" "" "d64" => [plain popf];
    "ENTER" "C8" "Iw,Ib" "d64" if f::I186 => [v enter];
    "LEAVE" "C9" "" "d64" if f::I186 => [v leave];
    "BOUND" "62" "Gv,Ma" "i64" if f::I186 => [v bound];
}

const RSP: u8 = 4;
const RBP: u8 = 5;

#[inline(always)]
fn push_r<E: X86, W: Int>(e: &mut E, i: &Insn) -> Exec<E> {
    let mut v = e.r::<W>(i.reg());
    if i.reg() == RSP && e.cx().features & f::I286 == 0 {
        // The 8086 and 80186 push what the register is afterwards.
        let two = e.lit::<W>(W::dec(2));
        v = e.sub(v, two);
    }
    e.push::<W>(v)?;
    Ok(Flow::Next)
}

#[inline(always)]
fn push_e<E: X86, W: Int, P: Place>(e: &mut E, i: &Insn) -> Exec<E> {
    let v = P::get::<E, W>(e, i)?;
    e.push::<W>(v)?;
    Ok(Flow::Next)
}

#[inline(always)]
fn push_i<E: X86, W: Int>(e: &mut E, i: &Insn) -> Exec<E> {
    let v = e.lit::<W>(W::dec(i.simm()));
    e.push::<W>(v)?;
    Ok(Flow::Next)
}

#[inline(always)]
fn pop_r<E: X86, W: Int>(e: &mut E, i: &Insn) -> Exec<E> {
    let v = e.top::<W>()?;
    e.drop_top::<W>(W::TY.bytes());
    e.set_r::<W>(i.reg(), v);
    Ok(Flow::Next)
}

/// POP: an address that is based on the stack pointer is computed after it moved.
#[inline(always)]
fn pop_e<E: X86, W: Int, P: Place>(e: &mut E, i: &Insn) -> Exec<E> {
    if P::MEM && keeps_moves(e.cx().features) {
        let ea = e.ea(i);
        let what = e.lit::<W64>(i.seg() as u64);
        e.call(&POP_OLD, [ea, what, what])?;
        return Ok(Flow::Next);
    }
    let v = e.top::<W>()?;
    if P::MEM {
        let mut ea = e.ea(i);
        if i.rm() == RSP {
            ea = e.add_lit(ea, W::TY.bytes());
            ea = e.trunc(ea, i.asize());
        }
        let at = e.linear(i.seg(), ea, W::TY.bytes(), Want::Write)?;
        e.store::<W>(plain(i.seg()), at, v)?;
        e.drop_top::<W>(W::TY.bytes());
    } else {
        e.drop_top::<W>(W::TY.bytes());
        e.set_r::<W>(i.rm(), v);
    }
    Ok(Flow::Next)
}

/// POP to memory, on processors whose stack pointer has moved when the access faults: the offset, the segment.
static POP_OLD: Helper<X64> = Helper { name: "pop_old", effects: Effects::FAULTS, run: pop_old };

fn pop_old(core: &mut Core<X64>, offset: u64, segment: u64, _: u64) -> Result<u64, Raised> {
    let v = core.top::<W16>()?;
    core.drop_top::<W16>(2);
    core.store_at::<W16>(segment as u8, offset, v)?;
    Ok(0)
}

/// PUSHA: SP is stored as it was.
#[inline(always)]
fn pusha<E: X86, W: Int>(e: &mut E, _: &Insn) -> Exec<E> {
    let size = W::TY.bytes();
    let mut sp = e.sp();
    for n in 0..8 {
        sp = e.add_lit(sp, size.wrapping_neg());
        sp = e.trunc(sp, mode::stack(e.mode()));
        let v = e.r::<W>(n);
        e.store_at::<W>(seg::SS, sp, v)?;
    }
    e.set_sp(sp);
    Ok(Flow::Next)
}

/// POPA: the stored SP is skipped.
#[inline(always)]
fn popa<E: X86, W: Int>(e: &mut E, _: &Insn) -> Exec<E> {
    let size = W::TY.bytes();
    let mut sp = e.sp();
    let mut values = [None; 8];
    for n in (0..8).rev() {
        values[n] = Some(e.load_at::<W>(seg::SS, sp)?);
        sp = e.add_lit(sp, size);
        sp = e.trunc(sp, mode::stack(e.mode()));
    }
    for (n, v) in values.into_iter().enumerate() {
        if let Some(v) = v
            && n as u8 != RSP
        {
            e.set_r::<W>(n as u8, v);
        }
    }
    e.set_sp(sp);
    Ok(Flow::Next)
}

#[inline(always)]
fn pushf<E: X86, W: Int>(e: &mut E, i: &Insn) -> Exec<E> {
    let log2 = e.lit::<W64>(i.osize() as u64);
    let v = e.call(&eflags::PUSH, [log2, log2, log2])?;
    let v = e.zext::<W64, W>(v);
    e.push::<W>(v)?;
    Ok(Flow::Next)
}

#[inline(always)]
fn popf<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
    let log2 = e.lit::<W64>(i.osize() as u64);
    e.call(&eflags::POP, [log2, log2, log2])?;
    Ok(Flow::Sync)
}

/// ENTER: the common case without display here, the other in [`ENTER`].
#[inline(always)]
fn enter<E: X86, W: Int>(e: &mut E, i: &Insn) -> Exec<E> {
    let (size, level) = (i.imm() as u64 & 0xFFFF, i.disp() as u64 & 31);
    if level != 0 {
        let what = e.lit::<W64>(size | level << 16 | (W::TY.bytes()) << 24);
        e.call(&ENTER, [what, what, what])?;
        // What was stored may be code, the code that follows even.
        return Ok(Flow::Sync);
    }
    let bp = e.r::<W>(RBP);
    e.push::<W>(bp)?;
    let frame = e.sp();
    set_frame::<E, W>(e, frame);
    let sp = e.add_lit(frame, size.wrapping_neg());
    e.set_sp(sp);
    Ok(Flow::Next)
}

/// The frame pointer, of operand size.
#[inline(always)]
fn set_frame<E: X86, W: Int>(e: &mut E, frame: E::Val<W64>) {
    let v = e.zext::<W64, W>(frame);
    e.set_r::<W>(RBP, v);
}

/// ENTER with a nesting level: size in bits 15:0, level in bits 23:16, operand size in bytes from bit 24.
static ENTER: Helper<X64> = Helper { name: "enter", effects: Effects::FAULTS, run: enter_nested };

fn enter_nested(core: &mut Core<X64>, what: u64, _: u64, _: u64) -> Result<u64, Raised> {
    fn run<W: Int>(core: &mut Core<X64>, size: u64, level: u64) -> Result<(), Raised> {
        let log2 = mode::stack(core.mode);
        let bytes = W::TY.bytes();
        let old_sp = core.sp();
        let mut sp = core.trunc(old_sp.wrapping_sub(bytes), log2);
        let bp = core.r::<W>(RBP);
        core.store_at::<W>(seg::SS, sp, bp)?;
        let frame = sp;
        let mut from = core.r::<W64>(RBP);
        for _ in 1..level {
            from = core.trunc(from.wrapping_sub(bytes), log2);
            let v = core.load_at::<W>(seg::SS, from)?;
            sp = core.trunc(sp.wrapping_sub(bytes), log2);
            core.store_at::<W>(seg::SS, sp, v)?;
        }
        sp = core.trunc(sp.wrapping_sub(bytes), log2);
        core.store_at::<W>(seg::SS, sp, W::dec(frame))?;
        set_frame::<Core<X64>, W>(core, frame);
        core.set_sp(sp.wrapping_sub(size));
        Ok(())
    }
    let (size, level) = (what & 0xFFFF, what >> 16 & 31);
    match what >> 24 {
        2 => run::<W16>(core, size, level)?,
        4 => run::<W32>(core, size, level)?,
        _ => run::<W64>(core, size, level)?,
    }
    Ok(0)
}

#[inline(always)]
fn leave<E: X86, W: Int>(e: &mut E, _: &Insn) -> Exec<E> {
    let bp = e.get(state::gpr(RBP));
    let sp = e.trunc(bp, mode::stack(e.mode()));
    let v = e.load_at::<W>(seg::SS, sp)?;
    let sp = e.add_lit(sp, W::TY.bytes());
    e.set_sp(sp);
    e.set_r::<W>(RBP, v);
    Ok(Flow::Next)
}

/// BOUND: both bounds are signed.
#[inline(always)]
fn bound<E: X86, W: Int>(e: &mut E, i: &Insn) -> Exec<E> {
    let size = W::TY.bytes();
    let ea = e.ea(i);
    let low = e.load_at::<W>(i.seg(), ea)?;
    let second = e.add_lit(ea, size);
    let second = e.trunc(second, i.asize());
    let high = e.load_at::<W>(i.seg(), second)?;
    let v = e.r::<W>(i.reg());
    let below = e.cmp::<W>(Cmp::Lts, v, low);
    let above = e.cmp::<W>(Cmp::Lts, high, v);
    let out = e.or::<W1>(below, above);
    e.raise_if(out, fault::BR)?;
    Ok(Flow::Next)
}
