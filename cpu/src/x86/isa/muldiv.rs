//! MUL, IMUL, DIV, IDIV, MULX.
//!
//! Multiplication sets CF and OF; SF, ZF and PF follow the low half of the product and AF is clear. Division leaves the
//! flags.

use crate::core::{Core, Raised};
use crate::emit::{Effects, Exec, Flow, Helper};
use crate::op::{Bin, Cmp, FlagOp};
use crate::width::{Int, W1, W8, W16, W64};
use crate::x86::X64;
use crate::x86::emit::{Place, X86, fault};
use crate::x86::features as f;
use crate::x86::flags;
use crate::x86::insn::Insn;
use crate::x86::state;

crate::x86_rows! {
    "MUL" "F6 /4" "Eb" "" => [rm mul_8<Unsigned>];
    "MUL" "F7 /4" "Ev" "" => [v rm mul<Unsigned>];
    "IMUL" "F6 /5" "Eb" "" => [rm mul_8<Signed>];
    "IMUL" "F7 /5" "Ev" "" => [v rm mul<Signed>];
    "IMUL" "0F AF" "Gv,Ev" "" if f::I386 => [v rm imul_g_e];
    "IMUL" "69" "Gv,Ev,Iz" "" if f::I186 => [v rm imul_g_e_i];
    "IMUL" "6B" "Gv,Ev,Ib" "" if f::I186 => [v rm imul_g_e_i];
    "DIV" "F6 /6" "Eb" "" => [rm div_8<Unsigned>];
    "DIV" "F7 /6" "Ev" "" => [div_v div<Unsigned>];
    "IDIV" "F6 /7" "Eb" "" => [rm div_8<Signed>];
    "IDIV" "F7 /7" "Ev" "" => [div_v div<Signed>];
    "MULX" "VEX.LZ.F2.0F38 F6" "Gy,By,Ey" "" if f::BMI2 => [y rm mulx];
}

const RAX: u8 = 0;
const RDX: u8 = 2;
const AH: u8 = crate::x86::insn::HIGH_BYTE;

/// Signed or unsigned, as a type.
pub trait Sign {
    /// Signed.
    const SIGNED: bool;
    /// The high half of a product.
    const MUL_HIGH: Bin;
    /// Widens.
    fn extend<E: X86, W: Int, To: Int>(e: &mut E, v: E::Val<W>) -> E::Val<To>;
}
/// MUL, DIV
pub struct Unsigned;
impl Sign for Unsigned {
    const SIGNED: bool = false;
    const MUL_HIGH: Bin = Bin::MulHiU;
    #[inline(always)]
    fn extend<E: X86, W: Int, To: Int>(e: &mut E, v: E::Val<W>) -> E::Val<To> {
        e.zext::<W, To>(v)
    }
}
/// IMUL, IDIV
pub struct Signed;
impl Sign for Signed {
    const SIGNED: bool = true;
    const MUL_HIGH: Bin = Bin::MulHiS;
    #[inline(always)]
    fn extend<E: X86, W: Int, To: Int>(e: &mut E, v: E::Val<W>) -> E::Val<To> {
        e.sext::<W, To>(v)
    }
}

/// Multiplies, sets the flags, and gives the product's halves, low first.
#[inline(always)]
fn product<E: X86, W: Int, S: Sign>(e: &mut E, a: E::Val<W>, b: E::Val<W>) -> (E::Val<W>, E::Val<W>) {
    let low = e.bin(Bin::Mul, a, b);
    let high = e.bin(S::MUL_HIGH, a, b);
    let none = e.lit::<W1>(false);
    if S::SIGNED {
        e.set_flags::<W>(FlagOp::MulX, a, b, none);
        return (low, high);
    }
    let zero = e.lit::<W>(W::dec(0));
    let over = e.cmp::<W>(Cmp::Ne, high, zero);
    let f = e.flags::<W>(FlagOp::LogicX, low, low, none);
    let cf = e.as_flag(over, flags::CF);
    let of = e.as_flag(over, flags::OF);
    let f = e.or(f, cf);
    let f = e.or(f, of);
    e.write_flags(state::FLAGS, f);
    (low, high)
}

#[inline(always)]
fn mul_8<E: X86, P: Place, S: Sign>(e: &mut E, i: &Insn) -> Exec<E> {
    let b = P::get::<E, W8>(e, i)?;
    let a = e.r::<W8>(RAX);
    let (low, high) = product::<E, W8, S>(e, a, b);
    e.set_r::<W8>(RAX, low);
    e.set_r::<W8>(AH, high);
    Ok(Flow::Next)
}

#[inline(always)]
fn mul<E: X86, W: Int, P: Place, S: Sign>(e: &mut E, i: &Insn) -> Exec<E> {
    let b = P::get::<E, W>(e, i)?;
    let a = e.r::<W>(RAX);
    let (low, high) = product::<E, W, S>(e, a, b);
    e.set_r::<W>(RAX, low);
    e.set_r::<W>(RDX, high);
    Ok(Flow::Next)
}

#[inline(always)]
fn imul_g_e<E: X86, W: Int, P: Place>(e: &mut E, i: &Insn) -> Exec<E> {
    let b = P::get::<E, W>(e, i)?;
    let a = e.r::<W>(i.reg());
    let (low, _) = product::<E, W, Signed>(e, a, b);
    e.set_r::<W>(i.reg(), low);
    Ok(Flow::Next)
}

#[inline(always)]
fn imul_g_e_i<E: X86, W: Int, P: Place>(e: &mut E, i: &Insn) -> Exec<E> {
    let a = P::get::<E, W>(e, i)?;
    let b = e.lit::<W>(W::dec(i.simm()));
    let (low, _) = product::<E, W, Signed>(e, a, b);
    e.set_r::<W>(i.reg(), low);
    Ok(Flow::Next)
}

/// MULX: no flags; the low half goes to vvvv first, so that the high half wins where both are one register.
#[inline(always)]
fn mulx<E: X86, W: Int, P: Place>(e: &mut E, i: &Insn) -> Exec<E> {
    let b = P::get::<E, W>(e, i)?;
    let a = e.r::<W>(RDX);
    let low = e.bin(Bin::Mul, a, b);
    let high = e.bin(Bin::MulHiU, a, b);
    e.set_r::<W>(i.vvvv(), low);
    e.set_r::<W>(i.reg(), high);
    Ok(Flow::Next)
}

/// Divides a dividend of twice the width: quotient and remainder.
///
/// # Errors
/// With #DE if the divisor is zero or the quotient does not fit.
#[inline(always)]
fn quotient<E: X86, W: Int, Wide: Int, S: Sign>(
    e: &mut E,
    a: E::Val<Wide>,
    b: E::Val<W>,
) -> Result<(E::Val<W>, E::Val<W>), E::Abort> {
    let b = S::extend::<E, W, Wide>(e, b);
    let zero = e.lit::<Wide>(Wide::dec(0));
    let by_zero = e.cmp::<Wide>(Cmp::Eq, b, zero);
    let q = e.bin(if S::SIGNED { Bin::SDiv } else { Bin::UDiv }, a, b);
    let low = e.zext::<Wide, W>(q);
    let fits = S::extend::<E, W, Wide>(e, low);
    let over = e.cmp::<Wide>(Cmp::Ne, fits, q);
    let bad = e.or::<W1>(by_zero, over);
    e.raise_if(bad, fault::DE)?;
    let back = e.bin(Bin::Mul, q, b);
    let r = e.sub(a, back);
    Ok((low, e.zext::<Wide, W>(r)))
}

#[inline(always)]
fn div_8<E: X86, P: Place, S: Sign>(e: &mut E, i: &Insn) -> Exec<E> {
    let b = P::get::<E, W8>(e, i)?;
    let a = e.r::<W16>(RAX);
    let (q, r) = quotient::<E, W8, W16, S>(e, a, b)?;
    e.set_r::<W8>(RAX, q);
    e.set_r::<W8>(AH, r);
    Ok(Flow::Next)
}

#[inline(always)]
fn div<E: X86, W: Int, Wide: Int, P: Place, S: Sign>(e: &mut E, i: &Insn) -> Exec<E> {
    let b = P::get::<E, W>(e, i)?;
    let (low, high) = (e.r::<W>(RAX), e.r::<W>(RDX));
    let (low, high) = (e.zext::<W, Wide>(low), e.zext::<W, Wide>(high));
    let high = e.shift::<Wide>(Bin::Shl, high, W::TY.bits());
    let a = e.or(high, low);
    let (q, r) = quotient::<E, W, Wide, S>(e, a, b)?;
    e.set_r::<W>(RAX, q);
    e.set_r::<W>(RDX, r);
    Ok(Flow::Next)
}

#[inline(always)]
fn div_64<E: X86, P: Place, S: Sign>(e: &mut E, i: &Insn) -> Exec<E> {
    let b = P::get::<E, W64>(e, i)?;
    let (low, high) = (e.r::<W64>(RAX), e.r::<W64>(RDX));
    // Nearly always the dividend has 64 bits.
    let zero = e.lit::<W64>(0);
    let plain = if S::SIGNED { e.shift::<W64>(Bin::Sar, low, 63) } else { zero };
    let wide = e.cmp::<W64>(Cmp::Ne, high, plain);
    let by_zero = e.cmp::<W64>(Cmp::Eq, b, zero);
    let mut odd = e.or::<W1>(wide, by_zero);
    if S::SIGNED {
        let ones = e.lit::<W64>(u64::MAX);
        let negates = e.cmp::<W64>(Cmp::Eq, b, ones);
        odd = e.or::<W1>(odd, negates);
    }
    e.when(odd, |e| {
        let q = e.call(if S::SIGNED { &IDIV128 } else { &DIV128 }, [high, low, b])?;
        e.put(state::QUOTIENT, q);
        Ok(())
    })?;
    let q = e.bin(if S::SIGNED { Bin::SDiv } else { Bin::UDiv }, low, b);
    let other = e.get(state::QUOTIENT);
    let q = e.select::<W64>(odd, other, q);
    let back = e.bin(Bin::Mul, q, b);
    let r = e.sub(low, back);
    e.set_r::<W64>(RAX, q);
    e.set_r::<W64>(RDX, r);
    Ok(Flow::Next)
}

/// A helper that raises and touches nothing else.
const RAISES: Effects = Effects { raises: true, ..Effects::NONE };
/// DIV of 128 bits: high and low half of the dividend, divisor; gives the quotient.
pub static DIV128: Helper<X64> = Helper { name: "div128", effects: RAISES, run: div128 };
/// IDIV, likewise.
pub static IDIV128: Helper<X64> = Helper { name: "idiv128", effects: RAISES, run: idiv128 };

fn div128(core: &mut Core<X64>, high: u64, low: u64, b: u64) -> Result<u64, Raised> {
    let a = (high as u128) << 64 | low as u128;
    let q = a.checked_div(b as u128).and_then(|q| u64::try_from(q).ok());
    q.ok_or_else(|| core.raise_now(fault::DE, 0))
}

fn idiv128(core: &mut Core<X64>, high: u64, low: u64, b: u64) -> Result<u64, Raised> {
    let a = ((high as u128) << 64 | low as u128) as i128;
    let q = a.checked_div(b as i64 as i128).and_then(|q| i64::try_from(q).ok());
    q.map(|q| q as u64).ok_or_else(|| core.raise_now(fault::DE, 0))
}
