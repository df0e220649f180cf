//! Binary arithmetic and logic: ADD, OR, ADC, SBB, AND, SUB, XOR, CMP, TEST, INC, DEC, NEG, NOT, ADCX, ADOX.

use super::atomic::{self, NEGATE};
use crate::emit::{Exec, Flow};
use crate::op::{Bin, FlagOp, Un};
use crate::width::{Int, W1, W32, W64};
use crate::x86::emit::{Place, Want, X86};
use crate::x86::features as f;
use crate::x86::flags::{self, Update};
use crate::x86::insn::Insn;
use crate::x86::mode;
use lyrebird_ram::AtomicOp;

crate::x86_rows! {
    "ADD" "00" "Eb,Gb" "lock" => [b rm e_g<Add>];
    "ADD" "01" "Ev,Gv" "lock" => [v rm e_g<Add>];
    "ADD" "02" "Gb,Eb" "" => [b rm g_e<Add>];
    "ADD" "03" "Gv,Ev" "" => [v rm g_e<Add>];
    "ADD" "04" "AL,Ib" "" => [b a_i<Add>];
    "ADD" "05" "rAX,Iz" "" => [v a_i<Add>];
    "ADD" "80 /0" "Eb,Ib" "lock" => [b rm e_i<Add>];
    "ADD" "81 /0" "Ev,Iz" "lock" => [v rm e_i<Add>];
    "ADD" "82 /0" "Eb,Ib" "lock i64" => [b rm e_i<Add>];
    "ADD" "83 /0" "Ev,Ib" "lock" => [v rm e_i<Add>];
    "OR" "08" "Eb,Gb" "lock" => [b rm e_g<Or>];
    "OR" "09" "Ev,Gv" "lock" => [v rm e_g<Or>];
    "OR" "0A" "Gb,Eb" "" => [b rm g_e<Or>];
    "OR" "0B" "Gv,Ev" "" => [v rm g_e<Or>];
    "OR" "0C" "AL,Ib" "" => [b a_i<Or>];
    "OR" "0D" "rAX,Iz" "" => [v a_i<Or>];
    "OR" "80 /1" "Eb,Ib" "lock" => [b rm e_i<Or>];
    "OR" "81 /1" "Ev,Iz" "lock" => [v rm e_i<Or>];
    "OR" "82 /1" "Eb,Ib" "lock i64" => [b rm e_i<Or>];
    "OR" "83 /1" "Ev,Ib" "lock" => [v rm e_i<Or>];
    "ADC" "10" "Eb,Gb" "lock" => [b rm e_g<Adc>];
    "ADC" "11" "Ev,Gv" "lock" => [v rm e_g<Adc>];
    "ADC" "12" "Gb,Eb" "" => [b rm g_e<Adc>];
    "ADC" "13" "Gv,Ev" "" => [v rm g_e<Adc>];
    "ADC" "14" "AL,Ib" "" => [b a_i<Adc>];
    "ADC" "15" "rAX,Iz" "" => [v a_i<Adc>];
    "ADC" "80 /2" "Eb,Ib" "lock" => [b rm e_i<Adc>];
    "ADC" "81 /2" "Ev,Iz" "lock" => [v rm e_i<Adc>];
    "ADC" "82 /2" "Eb,Ib" "lock i64" => [b rm e_i<Adc>];
    "ADC" "83 /2" "Ev,Ib" "lock" => [v rm e_i<Adc>];
    "SBB" "18" "Eb,Gb" "lock" => [b rm e_g<Sbb>];
    "SBB" "19" "Ev,Gv" "lock" => [v rm e_g<Sbb>];
    "SBB" "1A" "Gb,Eb" "" => [b rm g_e<Sbb>];
    "SBB" "1B" "Gv,Ev" "" => [v rm g_e<Sbb>];
    "SBB" "1C" "AL,Ib" "" => [b a_i<Sbb>];
    "SBB" "1D" "rAX,Iz" "" => [v a_i<Sbb>];
    "SBB" "80 /3" "Eb,Ib" "lock" => [b rm e_i<Sbb>];
    "SBB" "81 /3" "Ev,Iz" "lock" => [v rm e_i<Sbb>];
    "SBB" "82 /3" "Eb,Ib" "lock i64" => [b rm e_i<Sbb>];
    "SBB" "83 /3" "Ev,Ib" "lock" => [v rm e_i<Sbb>];
    "AND" "20" "Eb,Gb" "lock" => [b rm e_g<And>];
    "AND" "21" "Ev,Gv" "lock" => [v rm e_g<And>];
    "AND" "22" "Gb,Eb" "" => [b rm g_e<And>];
    "AND" "23" "Gv,Ev" "" => [v rm g_e<And>];
    "AND" "24" "AL,Ib" "" => [b a_i<And>];
    "AND" "25" "rAX,Iz" "" => [v a_i<And>];
    "AND" "80 /4" "Eb,Ib" "lock" => [b rm e_i<And>];
    "AND" "81 /4" "Ev,Iz" "lock" => [v rm e_i<And>];
    "AND" "82 /4" "Eb,Ib" "lock i64" => [b rm e_i<And>];
    "AND" "83 /4" "Ev,Ib" "lock" => [v rm e_i<And>];
    "SUB" "28" "Eb,Gb" "lock" => [b rm e_g<Sub>];
    "SUB" "29" "Ev,Gv" "lock" => [v rm e_g<Sub>];
    "SUB" "2A" "Gb,Eb" "" => [b rm g_e<Sub>];
    "SUB" "2B" "Gv,Ev" "" => [v rm g_e<Sub>];
    "SUB" "2C" "AL,Ib" "" => [b a_i<Sub>];
    "SUB" "2D" "rAX,Iz" "" => [v a_i<Sub>];
    "SUB" "80 /5" "Eb,Ib" "lock" => [b rm e_i<Sub>];
    "SUB" "81 /5" "Ev,Iz" "lock" => [v rm e_i<Sub>];
    "SUB" "82 /5" "Eb,Ib" "lock i64" => [b rm e_i<Sub>];
    "SUB" "83 /5" "Ev,Ib" "lock" => [v rm e_i<Sub>];
    "XOR" "30" "Eb,Gb" "lock" => [b rm e_g<Xor>];
    "XOR" "31" "Ev,Gv" "lock" => [v rm e_g<Xor>];
    "XOR" "32" "Gb,Eb" "" => [b rm g_e<Xor>];
    "XOR" "33" "Gv,Ev" "" => [v rm g_e<Xor>];
    "XOR" "34" "AL,Ib" "" => [b a_i<Xor>];
    "XOR" "35" "rAX,Iz" "" => [v a_i<Xor>];
    "XOR" "80 /6" "Eb,Ib" "lock" => [b rm e_i<Xor>];
    "XOR" "81 /6" "Ev,Iz" "lock" => [v rm e_i<Xor>];
    "XOR" "82 /6" "Eb,Ib" "lock i64" => [b rm e_i<Xor>];
    "XOR" "83 /6" "Ev,Ib" "lock" => [v rm e_i<Xor>];
    "CMP" "38" "Eb,Gb" "" => [b rm e_g<Cmp>];
    "CMP" "39" "Ev,Gv" "" => [v rm e_g<Cmp>];
    "CMP" "3A" "Gb,Eb" "" => [b rm g_e<Cmp>];
    "CMP" "3B" "Gv,Ev" "" => [v rm g_e<Cmp>];
    "CMP" "3C" "AL,Ib" "" => [b a_i<Cmp>];
    "CMP" "3D" "rAX,Iz" "" => [v a_i<Cmp>];
    "CMP" "80 /7" "Eb,Ib" "" => [b rm e_i<Cmp>];
    "CMP" "81 /7" "Ev,Iz" "" => [v rm e_i<Cmp>];
    "CMP" "82 /7" "Eb,Ib" "i64" => [b rm e_i<Cmp>];
    "CMP" "83 /7" "Ev,Ib" "" => [v rm e_i<Cmp>];
    "TEST" "84" "Eb,Gb" "" => [b rm e_g<Test>];
    "TEST" "85" "Ev,Gv" "" => [v rm e_g<Test>];
    "TEST" "A8" "AL,Ib" "" => [b a_i<Test>];
    "TEST" "A9" "rAX,Iz" "" => [v a_i<Test>];
    "TEST" "F6 /0" "Eb,Ib" "" => [b rm e_i<Test>];
    "TEST" "F6 /1" "Eb,Ib" "" => [b rm e_i<Test>];
    "TEST" "F7 /0" "Ev,Iz" "" => [v rm e_i<Test>];
    "TEST" "F7 /1" "Ev,Iz" "" => [v rm e_i<Test>];
    "NOT" "F6 /2" "Eb" "lock" => [b rm not];
    "NOT" "F7 /2" "Ev" "lock" => [v rm not];
    "NEG" "F6 /3" "Eb" "lock" => [b rm neg];
    "NEG" "F7 /3" "Ev" "lock" => [v rm neg];
    "INC" "FE /0" "Eb" "lock" => [b rm inc];
    "INC" "FF /0" "Ev" "lock" => [v rm inc];
    "DEC" "FE /1" "Eb" "lock" => [b rm dec];
    "DEC" "FF /1" "Ev" "lock" => [v rm dec];
    "INC" "40+r" "Zv" "i64" => [v inc_r];
    "DEC" "48+r" "Zv" "i64" => [v dec_r];
    "ADCX" "66 0F 38 F6" "Gy,Ey" "" if f::ADX => [y rm adx<Carry>];
    "ADOX" "F3 0F 38 F6" "Gy,Ey" "" if f::ADX => [y rm adx<Overflow>];
}

/// An operation with two operands and all flags.
pub trait Alu {
    /// The result is written.
    const WRITES: bool = true;
    /// CF is an operand.
    const CARRY: bool = false;
    /// The result.
    fn result<E: X86, W: Int>(e: &mut E, a: E::Val<W>, b: E::Val<W>, c: E::Val<W1>) -> E::Val<W>;
    /// Sets the flags.
    fn flags<E: X86, W: Int>(e: &mut E, a: E::Val<W>, b: E::Val<W>, c: E::Val<W1>, r: E::Val<W>);
    /// How memory does it.
    fn atomic<E: X86, W: Int>(e: &mut E, b: E::Val<W>, c: E::Val<W1>) -> (AtomicOp, E::Val<W>);
}

macro_rules! alu {
    ($($(#[$doc:meta])* $name:ident $bin:ident $flags:ident $writes:literal $carry:literal $atomic:ident;)*) => { $(
        $(#[$doc])*
        pub struct $name;
        impl Alu for $name {
            const WRITES: bool = $writes;
            const CARRY: bool = $carry;
            #[inline(always)]
            fn result<E: X86, W: Int>(e: &mut E, a: E::Val<W>, b: E::Val<W>, c: E::Val<W1>) -> E::Val<W> {
                let r = e.bin(Bin::$bin, a, b);
                if !$carry {
                    return r;
                }
                let c = e.zext::<W1, W>(c);
                e.bin(Bin::$bin, r, c)
            }
            #[inline(always)]
            fn flags<E: X86, W: Int>(e: &mut E, a: E::Val<W>, b: E::Val<W>, c: E::Val<W1>, r: E::Val<W>) {
                let logic = matches!(FlagOp::$flags, FlagOp::LogicX);
                e.set_flags::<W>(FlagOp::$flags, if logic { r } else { a }, if logic { r } else { b }, c);
            }
            #[inline(always)]
            fn atomic<E: X86, W: Int>(e: &mut E, b: E::Val<W>, c: E::Val<W1>) -> (AtomicOp, E::Val<W>) {
                let mut v = b;
                if $carry {
                    let c = e.zext::<W1, W>(c);
                    v = e.add(v, c);
                }
                if matches!(Bin::$bin, Bin::Sub) {
                    v = e.un(Un::Neg, v);
                }
                (AtomicOp::$atomic, v)
            }
        }
    )* };
}
alu! {
    /// a + b
    Add Add AddX true false Add;
    /// a or b
    Or Or LogicX true false Or;
    /// a + b + CF
    Adc Add AddX true true Add;
    /// a - b - CF
    Sbb Sub SubX true true Add;
    /// a and b
    And And LogicX true false And;
    /// a - b
    Sub Sub SubX true false Add;
    /// a exclusive-or b
    Xor Xor LogicX true false Xor;
    /// a - b, for its flags
    Cmp Sub SubX false false Add;
    /// a and b, for its flags
    Test And LogicX false false And;
}

#[inline(always)]
fn carry<E: X86, O: Alu>(e: &mut E) -> E::Val<W1> {
    if O::CARRY { e.flag(flags::CF) } else { e.lit::<W1>(false) }
}

/// `op E, b`: the flags are set when nothing can fault any more.
#[inline(always)]
fn on_e<E: X86, W: Int, P: Place, O: Alu>(e: &mut E, i: &Insn, b: E::Val<W>) -> Exec<E> {
    let c = carry::<E, O>(e);
    let (a, r) = if O::WRITES {
        P::update::<E, W>(e, i, |e| O::atomic::<E, W>(e, b, c), |e, a| O::result::<E, W>(e, a, b, c))?
    } else {
        let a = P::get::<E, W>(e, i)?;
        (a, O::result::<E, W>(e, a, b, c))
    };
    O::flags::<E, W>(e, a, b, c, r);
    Ok(Flow::Next)
}

/// `op E, G`
#[inline(always)]
fn e_g<E: X86, W: Int, P: Place, O: Alu>(e: &mut E, i: &Insn) -> Exec<E> {
    let b = e.r::<W>(i.reg());
    on_e::<E, W, P, O>(e, i, b)
}

/// `op E, imm`
#[inline(always)]
fn e_i<E: X86, W: Int, P: Place, O: Alu>(e: &mut E, i: &Insn) -> Exec<E> {
    let b = e.lit::<W>(W::dec(i.simm()));
    on_e::<E, W, P, O>(e, i, b)
}

/// `op r, b`
#[inline(always)]
fn on_r<E: X86, W: Int, O: Alu>(e: &mut E, n: u8, b: E::Val<W>) -> Exec<E> {
    let c = carry::<E, O>(e);
    let a = e.r::<W>(n);
    let r = O::result::<E, W>(e, a, b, c);
    if O::WRITES {
        e.set_r::<W>(n, r);
    }
    O::flags::<E, W>(e, a, b, c, r);
    Ok(Flow::Next)
}

/// `op G, E`
#[inline(always)]
fn g_e<E: X86, W: Int, P: Place, O: Alu>(e: &mut E, i: &Insn) -> Exec<E> {
    let b = P::get::<E, W>(e, i)?;
    on_r::<E, W, O>(e, i.reg(), b)
}

/// `op rAX, imm`
#[inline(always)]
fn a_i<E: X86, W: Int, O: Alu>(e: &mut E, i: &Insn) -> Exec<E> {
    let b = e.lit::<W>(W::dec(i.simm()));
    on_r::<E, W, O>(e, 0, b)
}

/// NOT
#[inline(always)]
fn not<E: X86, W: Int, P: Place>(e: &mut E, i: &Insn) -> Exec<E> {
    let ones = e.lit::<W>(W::dec(u64::MAX));
    P::update::<E, W>(e, i, |_| (AtomicOp::Xor, ones), |e, a| e.un(Un::Not, a))?;
    Ok(Flow::Next)
}

/// NEG
#[inline(always)]
fn neg<E: X86, W: Int, P: Place>(e: &mut E, i: &Insn) -> Exec<E> {
    let zero = e.lit::<W>(W::dec(0));
    let none = e.lit::<W1>(false);
    let at = P::at::<E, W>(e, i, Want::Write)?;
    let mut after = Flow::Next;
    let a = if let Some(at) = P::address::<E>(at)
        && i.has_lock()
        && e.mode() & mode::SMP != 0
    {
        // What was stored may be code, the code that follows even.
        after = Flow::Sync;
        let how = e.lit::<W64>(atomic::how::<W>(i.seg()));
        let old = e.call(&NEGATE, [at, how, how])?;
        e.zext::<W64, W>(old)
    } else {
        let a = P::read::<E, W>(e, i, at)?;
        let r = e.un(Un::Neg, a);
        P::write::<E, W>(e, i, at, r)?;
        a
    };
    e.set_flags::<W>(FlagOp::SubX, zero, a, none);
    Ok(after)
}

/// INC
#[inline(always)]
fn inc<E: X86, W: Int, P: Place>(e: &mut E, i: &Insn) -> Exec<E> {
    let one = e.lit::<W>(W::dec(1));
    let (a, _) = P::update::<E, W>(e, i, |_| (AtomicOp::Add, one), |e, a| e.add(a, one))?;
    e.change_flags::<W>(Update::Inc, a, one);
    Ok(Flow::Next)
}

/// DEC
#[inline(always)]
fn dec<E: X86, W: Int, P: Place>(e: &mut E, i: &Insn) -> Exec<E> {
    let one = e.lit::<W>(W::dec(1));
    let atomic = |e: &mut E| (AtomicOp::Add, e.lit::<W>(W::dec(u64::MAX)));
    let (a, _) = P::update::<E, W>(e, i, atomic, |e, a| e.sub(a, one))?;
    e.change_flags::<W>(Update::Dec, a, one);
    Ok(Flow::Next)
}

/// INC with the register in the opcode.
#[inline(always)]
fn inc_r<E: X86, W: Int>(e: &mut E, i: &Insn) -> Exec<E> {
    let (a, one) = (e.r::<W>(i.reg()), e.lit::<W>(W::dec(1)));
    let r = e.add(a, one);
    e.set_r::<W>(i.reg(), r);
    e.change_flags::<W>(Update::Inc, a, one);
    Ok(Flow::Next)
}

/// DEC with the register in the opcode.
#[inline(always)]
fn dec_r<E: X86, W: Int>(e: &mut E, i: &Insn) -> Exec<E> {
    let (a, one) = (e.r::<W>(i.reg()), e.lit::<W>(W::dec(1)));
    let r = e.sub(a, one);
    e.set_r::<W>(i.reg(), r);
    e.change_flags::<W>(Update::Dec, a, one);
    Ok(Flow::Next)
}

/// The flag that ADCX or ADOX adds and sets.
pub trait Chain {
    /// In stored form.
    const FLAG: u32;
}
/// ADCX
pub struct Carry;
impl Chain for Carry {
    const FLAG: u32 = flags::CF;
}
/// ADOX
pub struct Overflow;
impl Chain for Overflow {
    const FLAG: u32 = flags::OF;
}

/// ADCX and ADOX: addition that leaves all flags but one.
#[inline(always)]
fn adx<E: X86, W: Int, P: Place, C: Chain>(e: &mut E, i: &Insn) -> Exec<E> {
    let b = P::get::<E, W>(e, i)?;
    let (a, c) = (e.r::<W>(i.reg()), e.flag(C::FLAG));
    let r = Adc::result::<E, W>(e, a, b, c);
    e.set_r::<W>(i.reg(), r);
    let f = e.flags(FlagOp::AddX, a, b, c);
    let f = if C::FLAG == flags::OF { e.shift::<W32>(Bin::Shr, f, 8) } else { f };
    e.merge_flags(f, C::FLAG);
    Ok(Flow::Next)
}
