//! Decimal arithmetic: DAA, DAS, AAA, AAS, AAM, AAD.
//!
//! Flags that the manual leaves undefined are what the adding or logic that they are made of sets.

use crate::emit::{Exec, Flow};
use crate::op::{Bin, Cmp, FlagOp};
use crate::width::{W1, W8, W16, W32};
use crate::x86::emit::{X86, fault};
use crate::x86::flags;
use crate::x86::insn::{HIGH_BYTE, Insn};
use crate::x86::state;

crate::x86_rows! {
    "DAA" "27" "" "i64" => [plain da<Plus>];
    "DAS" "2F" "" "i64" => [plain da<Minus>];
    "AAA" "37" "" "i64" => [plain aa<Plus>];
    "AAS" "3F" "" "i64" => [plain aa<Minus>];
    "AAM" "D4" "Ib" "i64" => [plain aam];
    "AAD" "D5" "Ib" "i64" => [plain aad];
}

const AL: u8 = 0;
const AH: u8 = HIGH_BYTE;

/// After addition or after subtraction, as a type.
pub trait Side {
    /// The operation that adjusts.
    const BIN: Bin;
    /// Its flags.
    const FLAGS: FlagOp;
}
/// DAA, AAA
pub struct Plus;
impl Side for Plus {
    const BIN: Bin = Bin::Add;
    const FLAGS: FlagOp = FlagOp::AddX;
}
/// DAS, AAS
pub struct Minus;
impl Side for Minus {
    const BIN: Bin = Bin::Sub;
    const FLAGS: FlagOp = FlagOp::SubX;
}

/// Whether the low digit is above 9 or AF is set.
#[inline(always)]
fn low_digit<E: X86>(e: &mut E, al: E::Val<W8>) -> E::Val<W1> {
    let (mask, nine) = (e.lit::<W8>(15), e.lit::<W8>(9));
    let digit = e.and(al, mask);
    let above = e.cmp::<W8>(Cmp::Ltu, nine, digit);
    let af = e.flag(flags::AF);
    e.or::<W1>(above, af)
}

/// DAA and DAS
#[inline(always)]
fn da<E: X86, S: Side>(e: &mut E, _: &Insn) -> Exec<E> {
    let al = e.r::<W8>(AL);
    let low = low_digit(e, al);
    let most = e.lit::<W8>(0x99);
    let above = e.cmp::<W8>(Cmp::Ltu, most, al);
    let cf = e.flag(flags::CF);
    let high = e.or::<W1>(above, cf);
    let (zero, six, sixty) = (e.lit::<W8>(0), e.lit::<W8>(6), e.lit::<W8>(0x60));
    let a = e.select::<W8>(low, six, zero);
    let b = e.select::<W8>(high, sixty, zero);
    let by = e.or(a, b);
    let r = e.bin(S::BIN, al, by);
    e.set_r::<W8>(AL, r);
    let mut carry = high;
    if S::BIN == Bin::Sub {
        // The borrow of the low digit stays.
        let borrow = e.cmp::<W8>(Cmp::Ltu, al, six);
        let borrow = e.and::<W1>(borrow, low);
        carry = e.or::<W1>(carry, borrow);
    }
    let none = e.lit::<W1>(false);
    let f = e.flags::<W8>(S::FLAGS, al, by, none);
    let keep = e.lit::<W32>(flags::ALL & !(flags::CF | flags::AF));
    let f = e.and(f, keep);
    let (cf, af) = (e.as_flag(carry, flags::CF), e.as_flag(low, flags::AF));
    let f = e.or(f, cf);
    let f = e.or(f, af);
    e.write_flags(state::FLAGS, f);
    Ok(Flow::Next)
}

/// AAA and AAS: since the 80286 AL carries into AH, together with the 1.
#[inline(always)]
fn aa<E: X86, S: Side>(e: &mut E, _: &Insn) -> Exec<E> {
    let al = e.r::<W8>(AL);
    let adjust = low_digit(e, al);
    let ax = e.r::<W16>(AL);
    let (zero, by) = (e.lit::<W16>(0), e.lit::<W16>(0x106));
    let by = e.select::<W16>(adjust, by, zero);
    let r = e.bin(S::BIN, ax, by);
    let mask = e.lit::<W16>(0xFF0F);
    let ax = e.and(r, mask);
    e.set_r::<W16>(AL, ax);
    let low = e.zext::<W16, W8>(by);
    let none = e.lit::<W1>(false);
    let f = e.flags::<W8>(S::FLAGS, al, low, none);
    let keep = e.lit::<W32>(flags::ALL & !(flags::CF | flags::AF));
    let f = e.and(f, keep);
    let (cf, af) = (e.as_flag(adjust, flags::CF), e.as_flag(adjust, flags::AF));
    let f = e.or(f, cf);
    let f = e.or(f, af);
    e.write_flags(state::FLAGS, f);
    Ok(Flow::Next)
}

/// AAM: divides AL by the immediate.
#[inline(always)]
fn aam<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
    if i.imm8() == 0 {
        return e.raise(fault::DE);
    }
    let (al, base) = (e.r::<W8>(AL), e.lit::<W8>(i.imm8()));
    let q = e.bin(Bin::UDiv, al, base);
    let whole = e.bin(Bin::Mul, q, base);
    let r = e.sub(al, whole);
    e.set_r::<W8>(AH, q);
    e.set_r::<W8>(AL, r);
    let none = e.lit::<W1>(false);
    e.set_flags::<W8>(FlagOp::LogicX, r, r, none);
    Ok(Flow::Next)
}

/// AAD: AL plus AH times the immediate.
#[inline(always)]
fn aad<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
    let (al, ah, base) = (e.r::<W8>(AL), e.r::<W8>(AH), e.lit::<W8>(i.imm8()));
    let by = e.bin(Bin::Mul, ah, base);
    let r = e.add(al, by);
    let r = e.zext::<W8, W16>(r);
    e.set_r::<W16>(AL, r);
    let none = e.lit::<W1>(false);
    e.set_flags::<W8>(FlagOp::AddX, al, by, none);
    Ok(Flow::Next)
}
