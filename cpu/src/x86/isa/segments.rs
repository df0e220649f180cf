//! Moves to and from segment registers: MOV, PUSH, POP, LDS, LES, LSS, LFS, LGS.

use crate::emit::{Exec, Flow};
use crate::width::{Int, W16, W32, W64};
use crate::x86::emit::{Place, Want, X86, plain};
use crate::x86::insn::{Insn, seg};
use crate::x86::{features as f, mode, segment, state};

crate::x86_rows! {
    "MOV" "8C" "Ev,Sw" "" => [rm from_segment];
    "MOV" "8E" "Sw,Ew" "" => [rm to_segment];
    "PUSH" "06" "" "i64" => [plain push_segment<Es>];
    "PUSH" "0E" "" "i64" => [plain push_segment<Cs>];
    "PUSH" "16" "" "i64" => [plain push_segment<Ss>];
    "PUSH" "1E" "" "i64" => [plain push_segment<Ds>];
    "PUSH" "0F A0" "" "d64" if f::I386 => [plain push_segment<Fs>];
    "PUSH" "0F A8" "" "d64" if f::I386 => [plain push_segment<Gs>];
    "POP" "07" "" "i64" => [plain pop_segment<Es>];
    "POP" "17" "" "i64" => [plain pop_segment<Ss>];
    "POP" "1F" "" "i64" => [plain pop_segment<Ds>];
    "POP" "0F A1" "" "d64" if f::I386 => [plain pop_segment<Fs>];
    "POP" "0F A9" "" "d64" if f::I386 => [plain pop_segment<Gs>];
    "LES" "C4" "Gv,Mp" "i64" => [plain load_far<Es>];
    "LDS" "C5" "Gv,Mp" "i64" => [plain load_far<Ds>];
    "LSS" "0F B2" "Gv,Mp" "" if f::I386 => [plain load_far<Ss>];
    "LFS" "0F B4" "Gv,Mp" "" if f::I386 => [plain load_far<Fs>];
    "LGS" "0F B5" "Gv,Mp" "" if f::I386 => [plain load_far<Gs>];
}

/// A segment register that the opcode names.
trait Register {
    const N: u8;
}

macro_rules! registers { ($($name:ident $n:ident;)*) => { $(
    struct $name;
    impl Register for $name {
        const N: u8 = seg::$n;
    }
)* } }
registers! {
    Es ES; Cs CS; Ss SS; Ds DS; Fs FS; Gs GS;
}

/// Whether ModRM.reg names a segment register: the 8086 looks at two bits only.
fn number<E: X86>(e: &E, i: &Insn) -> Option<u8> {
    let n = i.reg() & 7;
    if e.cx().features & f::I186 == 0 {
        return Some(n & 3);
    }
    let last = if e.cx().features & f::I386 == 0 { seg::DS } else { seg::GS };
    (n <= last).then_some(n)
}

#[inline(always)]
fn from_segment<E: X86, P: Place>(e: &mut E, i: &Insn) -> Exec<E> {
    let Some(s) = number(e, i) else { return e.undefined() };
    let x = e.get(state::selector(s));
    if P::MEM || i.osize() == 1 {
        P::put::<E, W16>(e, i, x)?;
    } else {
        let x = e.zext::<W16, W64>(x);
        e.put(state::gpr(i.rm()), x);
    }
    Ok(Flow::Next)
}

/// Loads a segment register. The instruction is the last that may fault before it.
fn load<E: X86>(e: &mut E, i: &Insn, s: u8, selector: E::Val<W16>, shadow: bool) -> Exec<E> {
    let selector = e.zext::<W16, W64>(selector);
    let shadow = e.lit::<W64>(if shadow && s == seg::SS { i.len() as u64 } else { 0 });
    let s = e.lit::<W64>(s as u64);
    e.call(&segment::LOAD, [s, selector, shadow])?;
    Ok(Flow::Sync)
}

#[inline(always)]
fn to_segment<E: X86, P: Place>(e: &mut E, i: &Insn) -> Exec<E> {
    let Some(s) = number(e, i) else { return e.undefined() };
    if s == seg::CS && e.cx().features & f::I186 != 0 {
        return e.undefined();
    }
    let x = P::get::<E, W16>(e, i)?;
    load(e, i, s, x, true)
}

/// 16-bit pushes move the stack pointer by the operand size; 32-bit ones store only the selector.
#[inline(always)]
fn push_segment<E: X86, R: Register>(e: &mut E, i: &Insn) -> Exec<E> {
    let x = e.get(state::selector(R::N));
    match i.osize() {
        1 => e.push::<W16>(x)?,
        2 => {
            let sp = e.sp();
            let sp = e.add_lit(sp, 4u64.wrapping_neg());
            let sp = e.trunc(sp, mode::stack(e.mode()));
            e.store_at::<W16>(seg::SS, sp, x)?;
            e.set_sp(sp);
        }
        _ => {
            let x = e.zext::<W16, W64>(x);
            e.push::<W64>(x)?;
        }
    }
    Ok(Flow::Next)
}

#[inline(always)]
fn pop_segment<E: X86, R: Register>(e: &mut E, i: &Insn) -> Exec<E> {
    let x = e.top::<W16>()?;
    // The segment may fault, and loading SS changes what the stack pointer is: first the one, then the other.
    let sp = e.sp();
    let size = mode::stack(e.mode());
    let next = e.add_lit(sp, 1 << i.osize());
    let next = e.trunc(next, size);
    let flow = load(e, i, R::N, x, true)?;
    match size {
        1 => {
            let next = e.zext::<W64, W16>(next);
            e.set_r::<W16>(4, next);
        }
        2 => {
            let next = e.zext::<W64, W32>(next);
            e.set_r::<W32>(4, next);
        }
        _ => e.put(state::RSP, next),
    }
    Ok(flow)
}

#[inline(always)]
fn load_far<E: X86, R: Register>(e: &mut E, i: &Insn) -> Exec<E> {
    let ea = e.ea(i);
    match i.osize() {
        1 => far_pointer::<E, W16, R>(e, i, ea),
        2 => far_pointer::<E, W32, R>(e, i, ea),
        _ => far_pointer::<E, W64, R>(e, i, ea),
    }
}

fn far_pointer<E: X86, W: Int, R: Register>(e: &mut E, i: &Insn, ea: E::Val<W64>) -> Exec<E> {
    let bytes = W::TY.bytes();
    let at = e.linear(i.seg(), ea, bytes + 2, Want::Read)?;
    let offset = e.load::<W>(plain(i.seg()), at)?;
    let at = e.add_lit(at, bytes);
    let selector = e.load::<W16>(plain(i.seg()), at)?;
    let flow = load(e, i, R::N, selector, false)?;
    e.set_r::<W>(i.reg(), offset);
    Ok(flow)
}
