//! Near transfers: Jcc, JMP, CALL, RET, LOOP, LOOPE, LOOPNE, JCXZ.

use crate::emit::{Exec, Transfer};
use crate::op::Cmp;
use crate::width::{Int, W1, W16, W32, W64};
use crate::x86::emit::{Place, X86, cond};
use crate::x86::features as f;
use crate::x86::flags;
use crate::x86::insn::Insn;
use crate::x86::state;

crate::x86_rows! {
    "Jcc" "70+cc" "Jb" "f64" => [cc jcc];
    "Jcc" "0F 80+cc" "Jz" "f64" if f::I386 => [cc jcc];
    "JMP" "E9" "Jz" "f64" => [plain jmp];
    "JMP" "EB" "Jb" "f64" => [plain jmp];
    "JMP" "FF /4" "Ev" "f64" => [v rm jmp_e];
    "CALL" "E8" "Jz" "f64" => [v call];
    "CALL" "FF /2" "Ev" "f64" => [v rm call_e];
    "RET" "C3" "" "f64" => [v ret];
    "RET" "C2" "Iw" "f64" => [v ret];
    "LOOPNE" "E0" "Jb" "f64" => [plain loopne];
    "LOOPE" "E1" "Jb" "f64" => [plain loope];
    "LOOP" "E2" "Jb" "f64" => [plain r#loop];
    "JCXZ" "E3" "Jb" "f64" => [plain jcxz];
}

#[inline(always)]
fn jcc<E: X86, const CC: u8>(e: &mut E, i: &Insn) -> Exec<E> {
    let c = e.flags_hold(state::FLAGS, cond(CC));
    e.jump_near(i, Some(c), Transfer::Jump, |_| Ok(()))
}

#[inline(always)]
fn jmp<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
    e.jump_near(i, None, Transfer::Jump, |_| Ok(()))
}

#[inline(always)]
fn jmp_e<E: X86, W: Int, P: Place>(e: &mut E, i: &Insn) -> Exec<E> {
    let ip = P::get::<E, W>(e, i)?;
    e.jump_ip::<W>(ip, Transfer::Jump)
}

#[inline(always)]
fn call<E: X86, W: Int>(e: &mut E, i: &Insn) -> Exec<E> {
    let next = e.next_ip(i);
    let next = e.zext::<W64, W>(next);
    e.jump_near(i, None, Transfer::Call, |e| e.push::<W>(next))
}

#[inline(always)]
fn call_e<E: X86, W: Int, P: Place>(e: &mut E, i: &Insn) -> Exec<E> {
    let ip = P::get::<E, W>(e, i)?;
    let to = e.target::<W>(ip)?;
    let next = e.next_ip(i);
    let next = e.zext::<W64, W>(next);
    e.push::<W>(next)?;
    e.jump_to(to, Transfer::Call)
}

/// RET: what the immediate says is dropped besides the address.
#[inline(always)]
fn ret<E: X86, W: Int>(e: &mut E, i: &Insn) -> Exec<E> {
    let ip = e.top::<W>()?;
    let to = e.target::<W>(ip)?;
    e.drop_top::<W>(W::TY.bytes() + (i.imm() as u64 & 0xFFFF));
    e.jump_to(to, Transfer::Return)
}

/// The count register, of the address size.
#[inline(always)]
fn count<E: X86>(e: &mut E, i: &Insn) -> E::Val<W64> {
    let cx = e.r::<W64>(1);
    e.trunc(cx, i.asize())
}

/// Counts down and jumps if there is something left and `more` holds.
#[inline(always)]
fn count_down<E: X86>(e: &mut E, i: &Insn, more: Option<E::Val<W1>>) -> Exec<E> {
    let left = count(e, i);
    let left = e.add_lit(left, u64::MAX);
    let left = e.trunc(left, i.asize());
    let zero = e.lit::<W64>(0);
    let mut c = e.cmp::<W64>(Cmp::Ne, left, zero);
    if let Some(more) = more {
        c = e.and::<W1>(c, more);
    }
    e.jump_near(i, Some(c), Transfer::Jump, |e| {
        match i.asize() {
            1 => {
                let left = e.zext::<W64, W16>(left);
                e.set_r::<W16>(1, left);
            }
            2 => {
                let left = e.zext::<W64, W32>(left);
                e.set_r::<W32>(1, left);
            }
            _ => e.set_r::<W64>(1, left),
        }
        Ok(())
    })
}

fn r#loop<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
    count_down(e, i, None)
}

#[inline(always)]
fn loope<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
    let z = e.flag(flags::ZF);
    count_down(e, i, Some(z))
}

#[inline(always)]
fn loopne<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
    let z = e.flag(flags::ZF);
    let nz = e.not1(z);
    count_down(e, i, Some(nz))
}

/// JCXZ, JECXZ, JRCXZ
#[inline(always)]
fn jcxz<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
    let cx = count(e, i);
    let zero = e.lit::<W64>(0);
    let c = e.cmp::<W64>(Cmp::Eq, cx, zero);
    e.jump_near(i, Some(c), Transfer::Jump, |_| Ok(()))
}
