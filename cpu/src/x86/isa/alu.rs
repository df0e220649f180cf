//! Binary arithmetic and logic: ADD, OR, ADC, SBB, AND, SUB, XOR, CMP, TEST, INC, DEC, NEG, NOT.

use crate::emit::{Exec, Flow};
use crate::op::{Bin, FlagOp};
use crate::width::{Int, W1};
use crate::x86::emit::{Place, Want, X86};
use crate::x86::insn::Insn;

crate::x86_rows! {
    "ADD" "00" "Eb,Gb" "lock" => [b rm e_g<Add>];
    "ADD" "01" "Ev,Gv" "lock" => [v rm e_g<Add>];
    "ADD" "02" "Gb,Eb" "" => [b rm g_e<Add>];
    "ADD" "03" "Gv,Ev" "" => [v rm g_e<Add>];
    "ADD" "04" "AL,Ib" "" => [b a_i<Add>];
    "ADD" "05" "rAX,Iz" "" => [v a_i<Add>];
    "CMP" "38" "Eb,Gb" "" => [b rm e_g<Cmp>];
    "CMP" "39" "Ev,Gv" "" => [v rm e_g<Cmp>];
    "ADD" "80 /0" "Eb,Ib" "lock" => [b rm e_i<Add>];
    "ADD" "81 /0" "Ev,Iz" "lock" => [v rm e_i<Add>];
    "ADD" "83 /0" "Ev,Ib" "lock" => [v rm e_i<Add>];
}

/// An operation with two operands and all flags.
pub trait Alu {
    /// The result is written.
    const WRITES: bool = true;
    /// The result.
    fn result<E: X86, W: Int>(e: &mut E, a: E::Val<W>, b: E::Val<W>) -> E::Val<W>;
    /// Sets the flags.
    fn flags<E: X86, W: Int>(e: &mut E, a: E::Val<W>, b: E::Val<W>);
}

macro_rules! alu { ($($(#[$doc:meta])* $name:ident $writes:literal $bin:ident $flags:ident;)*) => { $(
    $(#[$doc])*
    pub struct $name;
    impl Alu for $name {
        const WRITES: bool = $writes;
        #[inline(always)]
        fn result<E: X86, W: Int>(e: &mut E, a: E::Val<W>, b: E::Val<W>) -> E::Val<W> {
            e.bin(Bin::$bin, a, b)
        }
        #[inline(always)]
        fn flags<E: X86, W: Int>(e: &mut E, a: E::Val<W>, b: E::Val<W>) {
            let none = e.lit::<W1>(false);
            e.set_flags::<W>(FlagOp::$flags, a, b, none);
        }
    }
)* } }
alu! {
    /// a + b
    Add true Add AddX;
    /// a - b, for its flags
    Cmp false Sub SubX;
}

/// `op E, b`: the flags are set when nothing can fault any more.
#[inline(always)]
fn on_e<E: X86, W: Int, P: Place, O: Alu>(e: &mut E, i: Insn, b: E::Val<W>) -> Exec<E> {
    let at = P::at::<E, W>(e, i, if O::WRITES { Want::Write } else { Want::Read })?;
    let a = P::read::<E, W>(e, i, at)?;
    if O::WRITES {
        let r = O::result::<E, W>(e, a, b);
        P::write::<E, W>(e, i, at, r)?;
    }
    O::flags::<E, W>(e, a, b);
    Ok(Flow::Next)
}

/// `op E, G`
fn e_g<E: X86, W: Int, P: Place, O: Alu>(e: &mut E, i: Insn) -> Exec<E> {
    let b = e.r::<W>(i.reg);
    on_e::<E, W, P, O>(e, i, b)
}

/// `op E, imm`
fn e_i<E: X86, W: Int, P: Place, O: Alu>(e: &mut E, i: Insn) -> Exec<E> {
    let b = e.lit::<W>(W::dec(i.simm()));
    on_e::<E, W, P, O>(e, i, b)
}

/// `op G, E`
fn g_e<E: X86, W: Int, P: Place, O: Alu>(e: &mut E, i: Insn) -> Exec<E> {
    let b = P::get::<E, W>(e, i)?;
    let a = e.r::<W>(i.reg);
    if O::WRITES {
        let r = O::result::<E, W>(e, a, b);
        e.set_r::<W>(i.reg, r);
    }
    O::flags::<E, W>(e, a, b);
    Ok(Flow::Next)
}

/// `op rAX, imm`
fn a_i<E: X86, W: Int, O: Alu>(e: &mut E, i: Insn) -> Exec<E> {
    let a = e.r::<W>(0);
    let b = e.lit::<W>(W::dec(i.simm()));
    if O::WRITES {
        let r = O::result::<E, W>(e, a, b);
        e.set_r::<W>(0, r);
    }
    O::flags::<E, W>(e, a, b);
    Ok(Flow::Next)
}
