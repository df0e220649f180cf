//! IN and OUT; the string forms are with the other strings.

use crate::emit::{Exec, Flow};
use crate::width::{Int, W16, W32, W64};
use crate::x86::emit::X86;
use crate::x86::insn::Insn;
use crate::x86::port;

crate::x86_rows! {
    "IN" "E4" "AL,Ib" "" => [b input<Immediate>];
    "IN" "E5" "eAX,Ib" "" => [plain input_v<Immediate>];
    "IN" "EC" "AL,DX" "" => [b input<Register>];
    "IN" "ED" "eAX,DX" "" => [plain input_v<Register>];
    "OUT" "E6" "Ib,AL" "" => [b output<Immediate>];
    "OUT" "E7" "Ib,eAX" "" => [plain output_v<Immediate>];
    "OUT" "EE" "DX,AL" "" => [b output<Register>];
    "OUT" "EF" "DX,eAX" "" => [plain output_v<Register>];
}

/// Where the port's number is.
trait Number {
    fn get<E: X86>(e: &mut E, i: &Insn) -> E::Val<W64>;
}
struct Immediate;
struct Register;
impl Number for Immediate {
    fn get<E: X86>(e: &mut E, i: &Insn) -> E::Val<W64> {
        e.lit::<W64>(i.imm8() as u64)
    }
}
impl Number for Register {
    fn get<E: X86>(e: &mut E, _: &Insn) -> E::Val<W64> {
        let port = e.r::<W16>(2);
        e.zext::<W16, W64>(port)
    }
}

#[inline(always)]
fn input<E: X86, W: Int, N: Number>(e: &mut E, i: &Insn) -> Exec<E> {
    let (port, size, none) = (N::get(e, i), e.lit::<W64>(W::TY.bytes()), e.lit::<W64>(0));
    let x = e.call(&port::IN, [port, size, none])?;
    let x = e.zext::<W64, W>(x);
    e.set_r::<W>(0, x);
    Ok(Flow::Next)
}

#[inline(always)]
fn output<E: X86, W: Int, N: Number>(e: &mut E, i: &Insn) -> Exec<E> {
    let (port, size, x) = (N::get(e, i), e.lit::<W64>(W::TY.bytes()), e.r::<W>(0));
    let x = e.zext::<W, W64>(x);
    e.call(&port::OUT, [port, size, x])?;
    Ok(Flow::Sync)
}

/// There is no form of 64 bits.
#[inline(always)]
fn input_v<E: X86, N: Number>(e: &mut E, i: &Insn) -> Exec<E> {
    if i.osize() == 1 { input::<E, W16, N>(e, i) } else { input::<E, W32, N>(e, i) }
}

#[inline(always)]
fn output_v<E: X86, N: Number>(e: &mut E, i: &Insn) -> Exec<E> {
    if i.osize() == 1 { output::<E, W16, N>(e, i) } else { output::<E, W32, N>(e, i) }
}
