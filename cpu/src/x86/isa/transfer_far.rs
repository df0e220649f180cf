//! Far calls, jumps and returns; what they do is in [`crate::x86::far`].

use crate::emit::{Exec, Flow};
use crate::width::{Int, W16, W32, W64};
use crate::x86::emit::{Want, X86, plain};
use crate::x86::far;
use crate::x86::insn::Insn;

crate::x86_rows! {
    "CALL" "9A" "Ap" "i64" => [plain immediate<Call>];
    "JMP" "EA" "Ap" "i64" => [plain immediate<Jump>];
    "CALL" "FF /3" "Mp" "" => [plain indirect<Call>];
    "JMP" "FF /5" "Mp" "" => [plain indirect<Jump>];
    "RET" "CA" "Iw" "" => [plain ret];
    "RET" "CB" "" "" => [plain ret];
}

trait Kind {
    const CALL: bool;
}
struct Call;
struct Jump;
impl Kind for Call {
    const CALL: bool = true;
}
impl Kind for Jump {
    const CALL: bool = false;
}

fn transfer<E: X86, K: Kind>(e: &mut E, i: &Insn, selector: E::Val<W64>, offset: E::Val<W64>) -> Exec<E> {
    let how = e.lit::<W64>(far::how(i.len(), i.osize(), K::CALL));
    e.call(&far::TRANSFER, [selector, offset, how])?;
    Ok(Flow::Leave)
}

#[inline(always)]
fn immediate<E: X86, K: Kind>(e: &mut E, i: &Insn) -> Exec<E> {
    let selector = e.lit::<W64>(i.disp() as u64 & 0xFFFF);
    let offset = e.lit::<W64>(i.imm() as u32 as u64);
    transfer::<E, K>(e, i, selector, offset)
}

#[inline(always)]
fn indirect<E: X86, K: Kind>(e: &mut E, i: &Insn) -> Exec<E> {
    match i.osize() {
        1 => pointer::<E, W16, K>(e, i),
        2 => pointer::<E, W32, K>(e, i),
        _ => pointer::<E, W64, K>(e, i),
    }
}

#[inline(always)]
fn pointer<E: X86, W: Int, K: Kind>(e: &mut E, i: &Insn) -> Exec<E> {
    let (ea, bytes) = (e.ea(i), W::TY.bytes());
    let at = e.linear(i.seg(), ea, bytes + 2, Want::Read)?;
    let offset = e.load::<W>(plain(i.seg()), at)?;
    let at = e.add_lit(at, bytes);
    let selector = e.load::<W16>(plain(i.seg()), at)?;
    let (selector, offset) = (e.zext::<W16, W64>(selector), e.zext::<W, W64>(offset));
    transfer::<E, K>(e, i, selector, offset)
}

#[inline(always)]
fn ret<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
    let log2 = e.lit::<W64>(i.osize() as u64);
    let extra = e.lit::<W64>(i.imm() as u64 & 0xFFFF);
    let none = e.lit::<W64>(0);
    e.call(&far::RETURN, [log2, extra, none])?;
    Ok(Flow::Leave)
}
