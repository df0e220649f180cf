//! Shifts and rotates: SHL, SHR, SAR, ROL, ROR, RCL, RCR, SHLD, SHRD, RORX, SARX, SHLX, SHRX.
//!
//! Counts are taken modulo 32 (64 for 64-bit operands) since the 80286; the 8086 takes them as they are. A count of
//! zero leaves the flags. OF, which is defined for a count of 1, follows the same rule for all; AF is clear.

use crate::emit::{Exec, Flow};
use crate::op::{Bin, Cmp, FlagOp};
use crate::width::{Int, Ty, W1, W8, W32, W64};
use crate::x86::emit::{Place, Want, X86};
use crate::x86::features as f;
use crate::x86::flags::{self, Update};
use crate::x86::insn::Insn;
use crate::x86::state;

crate::x86_rows! {
    "ROL" "C0 /0" "Eb,Ib" "" if f::I186 => [b rm shift<Rol, ByImm>];
    "ROL" "C1 /0" "Ev,Ib" "" if f::I186 => [v rm shift<Rol, ByImm>];
    "ROL" "D0 /0" "Eb,1" "" => [b rm shift<Rol, ByOne>];
    "ROL" "D1 /0" "Ev,1" "" => [v rm shift<Rol, ByOne>];
    "ROL" "D2 /0" "Eb,CL" "" => [b rm shift<Rol, ByCl>];
    "ROL" "D3 /0" "Ev,CL" "" => [v rm shift<Rol, ByCl>];
    "ROR" "C0 /1" "Eb,Ib" "" if f::I186 => [b rm shift<Ror, ByImm>];
    "ROR" "C1 /1" "Ev,Ib" "" if f::I186 => [v rm shift<Ror, ByImm>];
    "ROR" "D0 /1" "Eb,1" "" => [b rm shift<Ror, ByOne>];
    "ROR" "D1 /1" "Ev,1" "" => [v rm shift<Ror, ByOne>];
    "ROR" "D2 /1" "Eb,CL" "" => [b rm shift<Ror, ByCl>];
    "ROR" "D3 /1" "Ev,CL" "" => [v rm shift<Ror, ByCl>];
    "RCL" "C0 /2" "Eb,Ib" "" if f::I186 => [b rm through<Rcl, ByImm>];
    "RCL" "C1 /2" "Ev,Ib" "" if f::I186 => [v rm through<Rcl, ByImm>];
    "RCL" "D0 /2" "Eb,1" "" => [b rm through<Rcl, ByOne>];
    "RCL" "D1 /2" "Ev,1" "" => [v rm through<Rcl, ByOne>];
    "RCL" "D2 /2" "Eb,CL" "" => [b rm through<Rcl, ByCl>];
    "RCL" "D3 /2" "Ev,CL" "" => [v rm through<Rcl, ByCl>];
    "RCR" "C0 /3" "Eb,Ib" "" if f::I186 => [b rm through<Rcr, ByImm>];
    "RCR" "C1 /3" "Ev,Ib" "" if f::I186 => [v rm through<Rcr, ByImm>];
    "RCR" "D0 /3" "Eb,1" "" => [b rm through<Rcr, ByOne>];
    "RCR" "D1 /3" "Ev,1" "" => [v rm through<Rcr, ByOne>];
    "RCR" "D2 /3" "Eb,CL" "" => [b rm through<Rcr, ByCl>];
    "RCR" "D3 /3" "Ev,CL" "" => [v rm through<Rcr, ByCl>];
    "SHL" "C0 /4" "Eb,Ib" "" if f::I186 => [b rm shift<Shl, ByImm>];
    "SHL" "C1 /4" "Ev,Ib" "" if f::I186 => [v rm shift<Shl, ByImm>];
    "SHL" "D0 /4" "Eb,1" "" => [b rm shift<Shl, ByOne>];
    "SHL" "D1 /4" "Ev,1" "" => [v rm shift<Shl, ByOne>];
    "SHL" "D2 /4" "Eb,CL" "" => [b rm shift<Shl, ByCl>];
    "SHL" "D3 /4" "Ev,CL" "" => [v rm shift<Shl, ByCl>];
    "SHR" "C0 /5" "Eb,Ib" "" if f::I186 => [b rm shift<Shr, ByImm>];
    "SHR" "C1 /5" "Ev,Ib" "" if f::I186 => [v rm shift<Shr, ByImm>];
    "SHR" "D0 /5" "Eb,1" "" => [b rm shift<Shr, ByOne>];
    "SHR" "D1 /5" "Ev,1" "" => [v rm shift<Shr, ByOne>];
    "SHR" "D2 /5" "Eb,CL" "" => [b rm shift<Shr, ByCl>];
    "SHR" "D3 /5" "Ev,CL" "" => [v rm shift<Shr, ByCl>];
    "SHL" "C0 /6" "Eb,Ib" "" if f::I186 => [b rm shift<Shl, ByImm>];
    "SHL" "C1 /6" "Ev,Ib" "" if f::I186 => [v rm shift<Shl, ByImm>];
    "SHL" "D0 /6" "Eb,1" "" => [b rm shift<Shl, ByOne>];
    "SHL" "D1 /6" "Ev,1" "" => [v rm shift<Shl, ByOne>];
    "SHL" "D2 /6" "Eb,CL" "" => [b rm shift<Shl, ByCl>];
    "SHL" "D3 /6" "Ev,CL" "" => [v rm shift<Shl, ByCl>];
    "SAR" "C0 /7" "Eb,Ib" "" if f::I186 => [b rm shift<Sar, ByImm>];
    "SAR" "C1 /7" "Ev,Ib" "" if f::I186 => [v rm shift<Sar, ByImm>];
    "SAR" "D0 /7" "Eb,1" "" => [b rm shift<Sar, ByOne>];
    "SAR" "D1 /7" "Ev,1" "" => [v rm shift<Sar, ByOne>];
    "SAR" "D2 /7" "Eb,CL" "" => [b rm shift<Sar, ByCl>];
    "SAR" "D3 /7" "Ev,CL" "" => [v rm shift<Sar, ByCl>];
    "SHLD" "0F A4" "Ev,Gv,Ib" "" if f::I386 => [v rm double<Left, ByImm>];
    "SHLD" "0F A5" "Ev,Gv,CL" "" if f::I386 => [v rm double<Left, ByCl>];
    "SHRD" "0F AC" "Ev,Gv,Ib" "" if f::I386 => [v rm double<Right, ByImm>];
    "SHRD" "0F AD" "Ev,Gv,CL" "" if f::I386 => [v rm double<Right, ByCl>];
    "RORX" "VEX.LZ.F2.0F3A F0" "Gy,Ey,Ib" "" if f::BMI2 => [y rm rorx];
    "SHLX" "VEX.LZ.66.0F38 F7" "Gy,Ey,By" "" if f::BMI2 => [y rm by_register<Shl>];
    "SARX" "VEX.LZ.F3.0F38 F7" "Gy,Ey,By" "" if f::BMI2 => [y rm by_register<Sar>];
    "SHRX" "VEX.LZ.F2.0F38 F7" "Gy,Ey,By" "" if f::BMI2 => [y rm by_register<Shr>];
}

/// Where a count comes from, as a type.
pub trait Count {
    /// The count as it stands.
    fn get<E: X86>(e: &mut E, i: &Insn) -> E::Val<W8>;
    /// The count, if the encoding says it.
    fn known(i: &Insn) -> Option<u8>;
}
/// 1
pub struct ByOne;
impl Count for ByOne {
    #[inline(always)]
    fn get<E: X86>(e: &mut E, _: &Insn) -> E::Val<W8> {
        e.lit::<W8>(1)
    }
    #[inline(always)]
    fn known(_: &Insn) -> Option<u8> {
        Some(1)
    }
}
/// imm8
pub struct ByImm;
impl Count for ByImm {
    #[inline(always)]
    fn get<E: X86>(e: &mut E, i: &Insn) -> E::Val<W8> {
        e.lit::<W8>(i.imm8())
    }
    #[inline(always)]
    fn known(i: &Insn) -> Option<u8> {
        Some(i.imm8())
    }
}
/// CL
pub struct ByCl;
impl Count for ByCl {
    #[inline(always)]
    fn get<E: X86>(e: &mut E, _: &Insn) -> E::Val<W8> {
        e.r::<W8>(1)
    }
    #[inline(always)]
    fn known(_: &Insn) -> Option<u8> {
        None
    }
}

/// A shift, or a rotate that does not go through CF.
pub trait Shift {
    /// What it does to the flags.
    const UPDATE: Update;
    /// The result for a count that is masked.
    fn result<E: X86, W: Int>(e: &mut E, a: E::Val<W>, count: E::Val<W64>) -> E::Val<W>;
}

/// Result, CF and OF of a rotate through CF, where the count is not zero.
type Rotated<E, W> = (<E as crate::emit::Emitter>::Val<W>, <E as crate::emit::Emitter>::Val<W32>);

/// A rotate through CF.
pub trait Through {
    /// The result for a count that is masked and not zero.
    fn run<E: X86, W: Int>(e: &mut E, a: E::Val<W>, count: E::Val<W64>) -> Rotated<E, W>;
}

/// Bit `n` of a value.
#[inline(always)]
fn bit<E: X86, W: Int>(e: &mut E, v: E::Val<W>, n: u32) -> E::Val<W1> {
    let v = e.shift::<W>(Bin::Shr, v, n);
    e.zext::<W, W1>(v)
}

/// CF and OF in stored form.
#[inline(always)]
fn cf_of<E: X86>(e: &mut E, cf: E::Val<W1>, of: E::Val<W1>) -> E::Val<W32> {
    let cf = e.as_flag(cf, flags::CF);
    let of = e.as_flag(of, flags::OF);
    e.or(cf, of)
}

/// All flags of a shift: those of the result, CF, OF.
#[inline(always)]
fn all<E: X86, W: Int>(e: &mut E, r: E::Val<W>, cf: E::Val<W1>, of: E::Val<W1>) -> E::Val<W32> {
    let none = e.lit::<W1>(false);
    let logic = e.flags::<W>(FlagOp::LogicX, r, r, none);
    let f = cf_of(e, cf, of);
    e.or(logic, f)
}

/// A value of 64 bits minus a constant.
#[inline(always)]
fn minus<E: X86>(e: &mut E, v: E::Val<W64>, k: u64) -> E::Val<W64> {
    e.add_lit(v, k.wrapping_neg())
}

/// A constant minus a value.
#[inline(always)]
fn from<E: X86>(e: &mut E, k: u64, v: E::Val<W64>) -> E::Val<W64> {
    let k = e.lit::<W64>(k);
    e.sub(k, v)
}

/// A shift of an operand that may be narrower than what is shifted.
#[inline(always)]
fn plain<E: X86, W: Int>(e: &mut E, bin: Bin, a: E::Val<W>, count: E::Val<W64>) -> E::Val<W> {
    if W::TY.bits() >= 32 {
        let count = e.zext::<W64, W>(count);
        return e.bin::<W>(bin, a, count);
    }
    let a = if bin == Bin::Sar { e.sext::<W, W32>(a) } else { e.zext::<W, W32>(a) };
    let count = e.zext::<W64, W32>(count);
    let r = e.bin::<W32>(bin, a, count);
    e.zext::<W32, W>(r)
}

macro_rules! shifts { ($($(#[$doc:meta])* $name:ident;)*) => { $(
    $(#[$doc])*
    pub struct $name;
    impl Shift for $name {
        const UPDATE: Update = Update::$name;
        #[inline(always)]
        fn result<E: X86, W: Int>(e: &mut E, a: E::Val<W>, count: E::Val<W64>) -> E::Val<W> {
            plain::<E, W>(e, Bin::$name, a, count)
        }
    }
)* } }
shifts! {
    /// SHL
    Shl;
    /// SHR
    Shr;
    /// SAR
    Sar;
}

/// ROL
pub struct Rol;
impl Shift for Rol {
    const UPDATE: Update = Update::Rol;
    #[inline(always)]
    fn result<E: X86, W: Int>(e: &mut E, a: E::Val<W>, count: E::Val<W64>) -> E::Val<W> {
        let back = from(e, 0, count);
        let back = e.zext::<W64, W>(back);
        e.bin::<W>(Bin::Ror, a, back)
    }
}

/// ROR
pub struct Ror;
impl Shift for Ror {
    const UPDATE: Update = Update::Ror;
    #[inline(always)]
    fn result<E: X86, W: Int>(e: &mut E, a: E::Val<W>, count: E::Val<W64>) -> E::Val<W> {
        let count = e.zext::<W64, W>(count);
        e.bin::<W>(Bin::Ror, a, count)
    }
}

/// The count of a rotate through CF: modulo one more than the width.
#[inline(always)]
fn turns<E: X86, W: Int>(e: &mut E, count: E::Val<W64>) -> E::Val<W64> {
    if W::TY.bits() > 16 {
        return count;
    }
    let period = e.lit::<W64>(W::TY.bits() as u64 + 1);
    let q = e.bin::<W64>(Bin::UDiv, count, period);
    let whole = e.bin::<W64>(Bin::Mul, q, period);
    e.sub(count, whole)
}

/// Rotates CF and a value of up to 32 bits left by less than the width and one.
#[inline(always)]
fn rotate_left<E: X86, W: Int>(e: &mut E, a: E::Val<W>, k: E::Val<W64>) -> (E::Val<W>, E::Val<W1>) {
    let n = W::TY.bits();
    let cf = e.flag(flags::CF);
    let cf = e.zext::<W1, W64>(cf);
    let cf = e.shift::<W64>(Bin::Shl, cf, n);
    let a = e.zext::<W, W64>(a);
    let x = e.or(a, cf);
    let left = e.bin::<W64>(Bin::Shl, x, k);
    let back = from(e, n as u64 + 1, k);
    let right = e.bin::<W64>(Bin::Shr, x, back);
    let x = e.or(left, right);
    (e.zext::<W64, W>(x), bit::<E, W64>(e, x, n))
}

/// RCL
pub struct Rcl;
impl Through for Rcl {
    #[inline(always)]
    fn run<E: X86, W: Int>(e: &mut E, a: E::Val<W>, count: E::Val<W64>) -> Rotated<E, W> {
        let n = W::TY.bits();
        let (r, cf) = if n == 64 {
            let a = e.zext::<W, W64>(a);
            let cf = e.flag(flags::CF);
            let cf = e.zext::<W1, W64>(cf);
            let less = minus(e, count, 1);
            let back = from(e, 64, count);
            let left = e.bin::<W64>(Bin::Shl, a, count);
            let cf = e.bin::<W64>(Bin::Shl, cf, less);
            let half = e.shift::<W64>(Bin::Shr, a, 1);
            let right = e.bin::<W64>(Bin::Shr, half, back);
            let r = e.or(left, cf);
            let r = e.or(r, right);
            let out = e.bin::<W64>(Bin::Shr, a, back);
            (e.zext::<W64, W>(r), e.zext::<W64, W1>(out))
        } else {
            let k = turns::<E, W>(e, count);
            rotate_left::<E, W>(e, a, k)
        };
        let top = bit::<E, W>(e, r, n - 1);
        let of = e.xor::<W1>(top, cf);
        (r, cf_of(e, cf, of))
    }
}

/// RCR
pub struct Rcr;
impl Through for Rcr {
    #[inline(always)]
    fn run<E: X86, W: Int>(e: &mut E, a: E::Val<W>, count: E::Val<W64>) -> Rotated<E, W> {
        let n = W::TY.bits();
        let (r, cf) = if n == 64 {
            let a = e.zext::<W, W64>(a);
            let cf = e.flag(flags::CF);
            let cf = e.zext::<W1, W64>(cf);
            let less = minus(e, count, 1);
            let back = from(e, 64, count);
            let right = e.bin::<W64>(Bin::Shr, a, count);
            let cf = e.bin::<W64>(Bin::Shl, cf, back);
            let twice = e.shift::<W64>(Bin::Shl, a, 1);
            let left = e.bin::<W64>(Bin::Shl, twice, back);
            let r = e.or(right, cf);
            let r = e.or(r, left);
            let out = e.bin::<W64>(Bin::Shr, a, less);
            (e.zext::<W64, W>(r), e.zext::<W64, W1>(out))
        } else {
            // Right by k is left by the rest of a full turn, which 64 bits hold for 32-bit operands, too.
            let k = turns::<E, W>(e, count);
            let x = from(e, n as u64 + 1, k);
            let zero = e.lit::<W64>(0);
            let none = e.cmp::<W64>(Cmp::Eq, k, zero);
            let x = e.select::<W64>(none, zero, x);
            rotate_left::<E, W>(e, a, x)
        };
        let (top, next) = (bit::<E, W>(e, r, n - 1), bit::<E, W>(e, r, n - 2));
        let of = e.xor::<W1>(top, next);
        (r, cf_of(e, cf, of))
    }
}

/// The count as far as it counts, with 64 bits: masked, or on the 8086 limited where more makes no difference to a
/// shift. Rotates of the 8086 see all of it modulo a full turn.
#[inline(always)]
fn masked<E: X86, W: Int>(e: &mut E, count: E::Val<W8>, rotates: bool) -> E::Val<W64> {
    let count = e.zext::<W8, W64>(count);
    if e.cx().features & f::I186 == 0 {
        if rotates {
            return count;
        }
        let most = e.lit::<W64>(31);
        let over = e.cmp::<W64>(Cmp::Ltu, most, count);
        return e.select::<W64>(over, most, count);
    }
    let mask = e.lit::<W64>(if W::TY == Ty::I64 { 63 } else { 31 });
    e.and(count, mask)
}

/// A count of the 8086 as rotates by less than two turns have it, zero only if it was.
#[inline(always)]
fn turned<E: X86>(e: &mut E, count: E::Val<W64>) -> E::Val<W64> {
    let (low, turn, none) = (e.lit::<W64>(15), e.lit::<W64>(16), e.lit::<W64>(0));
    let more = e.cmp::<W64>(Cmp::Ltu, low, count);
    let more = e.select::<W64>(more, turn, none);
    let count = e.and(count, low);
    e.or(count, more)
}

#[inline(always)]
fn shift<E: X86, W: Int, P: Place, S: Shift, C: Count>(e: &mut E, i: &Insn) -> Exec<E> {
    let at = P::at::<E, W>(e, i, Want::Write)?;
    let a = P::read::<E, W>(e, i, at)?;
    let count = C::get(e, i);
    let rotates = matches!(S::UPDATE, Update::Rol | Update::Ror);
    let mut count = masked::<E, W>(e, count, rotates);
    if rotates && e.cx().features & f::I186 == 0 {
        count = turned(e, count);
    }
    let r = S::result::<E, W>(e, a, count);
    P::write::<E, W>(e, i, at, r)?;
    let mask = if W::TY == Ty::I64 { 63 } else { 31 };
    if e.cx().features & f::I186 != 0 && C::known(i).is_some_and(|k| k & mask == 0) {
        return Ok(Flow::Next);
    }
    let count = e.zext::<W64, W>(count);
    e.change_flags::<W>(S::UPDATE, a, count);
    Ok(Flow::Next)
}

#[inline(always)]
fn through<E: X86, W: Int, P: Place, S: Through, C: Count>(e: &mut E, i: &Insn) -> Exec<E> {
    const SETS: u32 = flags::CF | flags::OF;
    let at = P::at::<E, W>(e, i, Want::Write)?;
    let a = P::read::<E, W>(e, i, at)?;
    let count = C::get(e, i);
    let count = masked::<E, W>(e, count, true);
    let mask = if W::TY == Ty::I64 { 63 } else { 31 };
    match C::known(i).map(|k| if e.cx().features & f::I186 == 0 { k } else { k & mask }) {
        Some(0) => P::write::<E, W>(e, i, at, a)?,
        Some(_) => {
            let (r, f) = S::run::<E, W>(e, a, count);
            P::write::<E, W>(e, i, at, r)?;
            e.merge_flags(f, SETS);
        }
        None => {
            let (r, f) = S::run::<E, W>(e, a, count);
            let zero = e.lit::<W64>(0);
            let none = e.cmp::<W64>(Cmp::Eq, count, zero);
            let r = e.select::<W>(none, a, r);
            P::write::<E, W>(e, i, at, r)?;
            let old = e.read_flags(state::FLAGS);
            e.merge_flags(f, SETS);
            let new = e.read_flags(state::FLAGS);
            let f = e.select::<W32>(none, old, new);
            e.write_flags(state::FLAGS, f);
        }
    }
    Ok(Flow::Next)
}

/// SHLD or SHRD.
pub trait Double {
    /// The result, and CF, for a count that is masked and not zero.
    fn run<E: X86, W: Int>(
        e: &mut E,
        a: E::Val<W>,
        b: E::Val<W>,
        count: E::Val<W64>,
    ) -> (E::Val<W>, E::Val<W1>);
}

/// `high:low` with `low` of `n` bits.
#[inline(always)]
fn join<E: X86>(e: &mut E, high: E::Val<W64>, low: E::Val<W64>, n: u32) -> E::Val<W64> {
    let high = e.shift::<W64>(Bin::Shl, high, n);
    e.or(high, low)
}

/// SHLD: 16-bit operands with counts above 16 shift in the destination again, as processors since the P6 do.
pub struct Left;
impl Double for Left {
    #[inline(always)]
    fn run<E: X86, W: Int>(
        e: &mut E,
        a: E::Val<W>,
        b: E::Val<W>,
        count: E::Val<W64>,
    ) -> (E::Val<W>, E::Val<W1>) {
        let n = W::TY.bits();
        let (a, b) = (e.zext::<W, W64>(a), e.zext::<W, W64>(b));
        let less = minus(e, count, 1);
        if n == 64 {
            let back = from(e, 64, count);
            let left = e.bin::<W64>(Bin::Shl, a, count);
            let right = e.bin::<W64>(Bin::Shr, b, back);
            let r = e.or(left, right);
            let out = e.bin::<W64>(Bin::Shr, a, back);
            return (e.zext::<W64, W>(r), e.zext::<W64, W1>(out));
        }
        let (x, top) = if n == 16 {
            let low = join(e, b, a, 16);
            (join(e, a, low, 32), 48)
        } else {
            (join(e, a, b, 32), 64)
        };
        let before = e.bin::<W64>(Bin::Shl, x, less);
        let cf = bit::<E, W64>(e, before, top - 1);
        let r = e.shift::<W64>(Bin::Shl, before, 1);
        let r = e.shift::<W64>(Bin::Shr, r, top - n);
        (e.zext::<W64, W>(r), cf)
    }
}

/// SHRD, likewise.
pub struct Right;
impl Double for Right {
    #[inline(always)]
    fn run<E: X86, W: Int>(
        e: &mut E,
        a: E::Val<W>,
        b: E::Val<W>,
        count: E::Val<W64>,
    ) -> (E::Val<W>, E::Val<W1>) {
        let n = W::TY.bits();
        let (a, b) = (e.zext::<W, W64>(a), e.zext::<W, W64>(b));
        let less = minus(e, count, 1);
        if n == 64 {
            let back = from(e, 64, count);
            let right = e.bin::<W64>(Bin::Shr, a, count);
            let left = e.bin::<W64>(Bin::Shl, b, back);
            let r = e.or(left, right);
            let out = e.bin::<W64>(Bin::Shr, a, less);
            return (e.zext::<W64, W>(r), e.zext::<W64, W1>(out));
        }
        let mut x = join(e, b, a, n);
        if n == 16 {
            x = join(e, a, x, 32);
        }
        let before = e.bin::<W64>(Bin::Shr, x, less);
        let cf = e.zext::<W64, W1>(before);
        let r = e.shift::<W64>(Bin::Shr, before, 1);
        (e.zext::<W64, W>(r), cf)
    }
}

#[inline(always)]
fn double<E: X86, W: Int, P: Place, D: Double, C: Count>(e: &mut E, i: &Insn) -> Exec<E> {
    let at = P::at::<E, W>(e, i, Want::Write)?;
    let a = P::read::<E, W>(e, i, at)?;
    let b = e.r::<W>(i.reg());
    let count = C::get(e, i);
    let count = masked::<E, W>(e, count, false);
    let (r, cf) = D::run::<E, W>(e, a, b, count);
    let top = W::TY.bits() - 1;
    let changed = e.xor(a, r);
    let of = bit::<E, W>(e, changed, top);
    let f = all::<E, W>(e, r, cf, of);
    let zero = e.lit::<W64>(0);
    let none = e.cmp::<W64>(Cmp::Eq, count, zero);
    let r = e.select::<W>(none, a, r);
    P::write::<E, W>(e, i, at, r)?;
    let old = e.read_flags(state::FLAGS);
    let f = e.select::<W32>(none, old, f);
    e.write_flags(state::FLAGS, f);
    Ok(Flow::Next)
}

/// RORX
#[inline(always)]
fn rorx<E: X86, W: Int, P: Place>(e: &mut E, i: &Insn) -> Exec<E> {
    let a = P::get::<E, W>(e, i)?;
    let r = e.shift::<W>(Bin::Ror, a, i.imm8() as u32 & (W::TY.bits() - 1));
    e.set_r::<W>(i.reg(), r);
    Ok(Flow::Next)
}

/// A shift without flags.
pub trait Plain {
    /// The operation.
    const BIN: Bin;
}
impl Plain for Shl {
    const BIN: Bin = Bin::Shl;
}
impl Plain for Shr {
    const BIN: Bin = Bin::Shr;
}
impl Plain for Sar {
    const BIN: Bin = Bin::Sar;
}

/// SHLX, SHRX, SARX: the count is in vvvv.
#[inline(always)]
fn by_register<E: X86, W: Int, P: Place, S: Plain>(e: &mut E, i: &Insn) -> Exec<E> {
    let a = P::get::<E, W>(e, i)?;
    let count = e.r::<W>(i.vvvv());
    let r = e.bin(S::BIN, a, count);
    e.set_r::<W>(i.reg(), r);
    Ok(Flow::Next)
}
