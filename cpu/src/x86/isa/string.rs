//! String instructions: MOVS, STOS, LODS, CMPS, SCAS, INS, OUTS, and their repeated forms.

use crate::emit::{Exec, Flow};
use crate::op::FlagOp;
use crate::width::{Int, W1, W16, W32, W64};
use crate::x86::emit::{Want, X86, keeps_moves, plain};
use crate::x86::features as f;
use crate::x86::insn::{Insn, Rep, seg};
use crate::x86::mode;
use crate::x86::state;
use crate::x86::string::{Op, PORTS, REPEAT, What};

crate::x86_rows! {
    "INS" "6C" "Yb,DX" "" if f::I186 => [b input];
    "INS" "6D" "Yz,DX" "" if f::I186 => [z input];
    "OUTS" "6E" "DX,Xb" "" if f::I186 => [b output];
    "OUTS" "6F" "DX,Xz" "" if f::I186 => [z output];
    "MOVS" "A4" "Yb,Xb" "" => [b movs];
    "MOVS" "A5" "Yv,Xv" "" => [v movs];
    "CMPS" "A6" "Xb,Yb" "" => [b cmps];
    "CMPS" "A7" "Xv,Yv" "" => [v cmps];
    "STOS" "AA" "Yb,AL" "" => [b stos];
    "STOS" "AB" "Yv,rAX" "" => [v stos];
    "LODS" "AC" "AL,Xb" "" => [b lods];
    "LODS" "AD" "rAX,Xv" "" => [v lods];
    "SCAS" "AE" "AL,Yb" "" => [b scas];
    "SCAS" "AF" "rAX,Yv" "" => [v scas];
}

const RAX: u8 = 0;
const RSI: u8 = 6;
const RDI: u8 = 7;

/// Whether [`REPEAT`] does the instruction: it is repeated, or keeps what it did when it faults.
#[inline(always)]
fn by_helper<E: X86>(e: &E, i: &Insn) -> bool {
    i.rep() != Rep::None || keeps_moves(e.cx().features)
}

/// The repeated form, which comes back to itself until it is done.
#[inline(always)]
fn repeat<E: X86, W: Int>(e: &mut E, i: &Insn, op: Op) -> Exec<E> {
    let size = W::TY.bytes().trailing_zeros();
    let (repeated, differ) = (i.rep() != Rep::None, i.rep() == Rep::Repne);
    let what = What { op, size, asize: i.asize(), seg: i.seg(), differ, repeated };
    let what = e.lit::<W64>(what.pack());
    let again = e.call(&REPEAT, [what, what, what])?;
    let again = e.zext::<W64, W1>(again);
    e.branch(again, 0)
}

#[inline(always)]
fn index<E: X86>(e: &mut E, i: &Insn, n: u8) -> E::Val<W64> {
    let v = e.get(state::gpr(n));
    e.trunc(v, i.asize())
}

/// Moves an index register by one element.
#[inline(always)]
fn advance<E: X86, W: Int>(e: &mut E, i: &Insn, n: u8) {
    let v = e.get(state::gpr(n));
    let bytes = W::TY.bytes();
    let v = e.add_lit(v, if e.mode() & mode::DF != 0 { bytes.wrapping_neg() } else { bytes });
    match i.asize() {
        1 => {
            let v = e.zext::<W64, W16>(v);
            e.set_r::<W16>(n, v);
        }
        2 => {
            let v = e.zext::<W64, W32>(v);
            e.set_r::<W32>(n, v);
        }
        _ => e.set_r::<W64>(n, v),
    }
}

#[inline(always)]
fn movs<E: X86, W: Int>(e: &mut E, i: &Insn) -> Exec<E> {
    if by_helper(e, i) {
        return repeat::<E, W>(e, i, Op::Movs);
    }
    let (si, di) = (index(e, i, RSI), index(e, i, RDI));
    let v = e.load_at::<W>(i.seg(), si)?;
    let at = e.linear(seg::ES, di, W::TY.bytes(), Want::Write)?;
    e.store::<W>(plain(seg::ES), at, v)?;
    advance::<E, W>(e, i, RSI);
    advance::<E, W>(e, i, RDI);
    Ok(Flow::Next)
}

#[inline(always)]
fn stos<E: X86, W: Int>(e: &mut E, i: &Insn) -> Exec<E> {
    if by_helper(e, i) {
        return repeat::<E, W>(e, i, Op::Stos);
    }
    let di = index(e, i, RDI);
    let v = e.r::<W>(RAX);
    e.store_at::<W>(seg::ES, di, v)?;
    advance::<E, W>(e, i, RDI);
    Ok(Flow::Next)
}

#[inline(always)]
fn lods<E: X86, W: Int>(e: &mut E, i: &Insn) -> Exec<E> {
    if by_helper(e, i) {
        return repeat::<E, W>(e, i, Op::Lods);
    }
    let si = index(e, i, RSI);
    let v = e.load_at::<W>(i.seg(), si)?;
    e.set_r::<W>(RAX, v);
    advance::<E, W>(e, i, RSI);
    Ok(Flow::Next)
}

#[inline(always)]
fn cmps<E: X86, W: Int>(e: &mut E, i: &Insn) -> Exec<E> {
    if by_helper(e, i) {
        return repeat::<E, W>(e, i, Op::Cmps);
    }
    let (si, di) = (index(e, i, RSI), index(e, i, RDI));
    let a = e.load_at::<W>(i.seg(), si)?;
    let b = e.load_at::<W>(seg::ES, di)?;
    advance::<E, W>(e, i, RSI);
    advance::<E, W>(e, i, RDI);
    let none = e.lit::<W1>(false);
    e.set_flags::<W>(FlagOp::SubX, a, b, none);
    Ok(Flow::Next)
}

#[inline(always)]
fn scas<E: X86, W: Int>(e: &mut E, i: &Insn) -> Exec<E> {
    if by_helper(e, i) {
        return repeat::<E, W>(e, i, Op::Scas);
    }
    let di = index(e, i, RDI);
    let b = e.load_at::<W>(seg::ES, di)?;
    let a = e.r::<W>(RAX);
    advance::<E, W>(e, i, RDI);
    let none = e.lit::<W1>(false);
    e.set_flags::<W>(FlagOp::SubX, a, b, none);
    Ok(Flow::Next)
}

/// INS and OUTS: a helper does them, repeated or not, and says where to go on.
#[inline(always)]
fn ports<E: X86, W: Int>(e: &mut E, i: &Insn, op: Op) -> Exec<E> {
    let size = W::TY.bytes().trailing_zeros();
    let repeated = i.rep() != Rep::None;
    let what = What { op, size, asize: i.asize(), seg: i.seg(), differ: false, repeated };
    let what = e.lit::<W64>(what.pack());
    let next = e.next_pc(i);
    e.call(&PORTS, [what, next, next])?;
    Ok(Flow::Leave)
}

#[inline(always)]
fn input<E: X86, W: Int>(e: &mut E, i: &Insn) -> Exec<E> {
    ports::<E, W>(e, i, Op::Ins)
}

#[inline(always)]
fn output<E: X86, W: Int>(e: &mut E, i: &Insn) -> Exec<E> {
    ports::<E, W>(e, i, Op::Outs)
}
