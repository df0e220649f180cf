//! Bits: BT, BTS, BTR, BTC, BSF, BSR, TZCNT, LZCNT, POPCNT, CRC32, and BMI's ANDN, BEXTR, BLSI, BLSMSK, BLSR, BZHI, PDEP,
//! PEXT.
//!
//! BT and its kin change CF only; BSF and BSR leave the destination where the source is zero.

use crate::core::{Core, Raised};
use crate::emit::{Effects, Exec, Flow, Helper};
use crate::op::{Bin, Cmp, FlagOp, Un};
use crate::width::{Int, W1, W32, W64};
use crate::x86::X64;
use crate::x86::emit::{Place, Want, X86};
use crate::x86::features as f;
use crate::x86::flags;
use crate::x86::insn::Insn;
use crate::x86::mode;
use crate::x86::state;
use lyrebird_ram::AtomicOp;

crate::x86_rows! {
    "BT" "0F A3" "Ev,Gv" "" if f::I386 => [v rm bt_r<Bt>];
    "BTS" "0F AB" "Ev,Gv" "lock" if f::I386 => [v rm bt_r<Bts>];
    "BTR" "0F B3" "Ev,Gv" "lock" if f::I386 => [v rm bt_r<Btr>];
    "BTC" "0F BB" "Ev,Gv" "lock" if f::I386 => [v rm bt_r<Btc>];
    "BT" "0F BA /4" "Ev,Ib" "" if f::I386 => [v rm bt_i<Bt>];
    "BTS" "0F BA /5" "Ev,Ib" "lock" if f::I386 => [v rm bt_i<Bts>];
    "BTR" "0F BA /6" "Ev,Ib" "lock" if f::I386 => [v rm bt_i<Btr>];
    "BTC" "0F BA /7" "Ev,Ib" "lock" if f::I386 => [v rm bt_i<Btc>];
    "BSF" "0F BC" "Gv,Ev" "" if f::I386 => [v rm bsf];
    "BSR" "0F BD" "Gv,Ev" "" if f::I386 => [v rm bsr];
    "TZCNT" "F3 0F BC" "Gv,Ev" "" if f::BMI1 => [v rm tzcnt];
    "LZCNT" "F3 0F BD" "Gv,Ev" "" if f::LZCNT => [v rm lzcnt];
    "POPCNT" "F3 0F B8" "Gv,Ev" "" if f::POPCNT => [v rm popcnt];
    "CRC32" "F2 0F 38 F0" "Gd,Eb" "" if f::SSE42 => [b rm crc32];
    "CRC32" "F2 0F 38 F1" "Gd,Ev" "" if f::SSE42 => [v rm crc32];
    "ANDN" "VEX.LZ.NP.0F38 F2" "Gy,By,Ey" "" if f::BMI1 => [y rm andn];
    "BLSR" "VEX.LZ.NP.0F38 F3 /1" "By,Ey" "" if f::BMI1 => [y rm bls<Blsr>];
    "BLSMSK" "VEX.LZ.NP.0F38 F3 /2" "By,Ey" "" if f::BMI1 => [y rm bls<Blsmsk>];
    "BLSI" "VEX.LZ.NP.0F38 F3 /3" "By,Ey" "" if f::BMI1 => [y rm bls<Blsi>];
    "BEXTR" "VEX.LZ.NP.0F38 F7" "Gy,Ey,By" "" if f::BMI1 => [y rm bextr];
    "BZHI" "VEX.LZ.NP.0F38 F5" "Gy,Ey,By" "" if f::BMI2 => [y rm bzhi];
    "PEXT" "VEX.LZ.F3.0F38 F5" "Gy,By,Ey" "" if f::BMI2 => [y rm pext];
    "PDEP" "VEX.LZ.F2.0F38 F5" "Gy,By,Ey" "" if f::BMI2 => [y rm pdep];
}

/// What happens to the bit that CF gets.
pub trait Change {
    /// The operation on memory, and whether it takes the bit's complement; `None` if nothing happens.
    const OP: Option<(AtomicOp, Bin, bool)>;
}
macro_rules! change { ($($(#[$doc:meta])* $name:ident $op:expr;)*) => { $(
    $(#[$doc])*
    pub struct $name;
    impl Change for $name {
        const OP: Option<(AtomicOp, Bin, bool)> = $op;
    }
)* } }
change! {
    /// nothing
    Bt None;
    /// set
    Bts Some((AtomicOp::Or, Bin::Or, false));
    /// reset
    Btr Some((AtomicOp::And, Bin::And, true));
    /// complement
    Btc Some((AtomicOp::Xor, Bin::Xor, false));
}

#[inline(always)]
fn bt_i<E: X86, W: Int, P: Place, C: Change>(e: &mut E, i: &Insn) -> Exec<E> {
    let n = e.lit::<W>(W::dec(i.imm8() as u64 & (W::TY.bits() as u64 - 1)));
    let at = P::at::<E, W>(e, i, if C::OP.is_some() { Want::Write } else { Want::Read })?;
    bt::<E, W, P, C>(e, i, at, n)
}

/// The bit offset in a register reaches beyond the operand if that is in memory.
#[inline(always)]
fn bt_r<E: X86, W: Int, P: Place, C: Change>(e: &mut E, i: &Insn) -> Exec<E> {
    let n = e.r::<W>(i.reg());
    let want = if C::OP.is_some() { Want::Write } else { Want::Read };
    let at = if P::MEM {
        let far = e.sext::<W, W64>(n);
        let units = e.shift::<W64>(Bin::Sar, far, W::TY.bits().trailing_zeros());
        let bytes = e.shift::<W64>(Bin::Shl, units, W::TY.bytes().trailing_zeros());
        let ea = e.ea(i);
        let ea = e.add(ea, bytes);
        let ea = e.trunc(ea, i.asize());
        let at = e.linear(i.seg(), ea, W::TY.bytes(), want)?;
        P::from_address::<E>(at)
    } else {
        P::at::<E, W>(e, i, want)?
    };
    bt::<E, W, P, C>(e, i, at, n)
}

#[inline(always)]
fn bt<E: X86, W: Int, P: Place, C: Change>(e: &mut E, i: &Insn, at: P::At<E>, n: E::Val<W>) -> Exec<E> {
    let one = e.lit::<W>(W::dec(1));
    let old = match C::OP {
        None => P::read::<E, W>(e, i, at)?,
        Some((atomic, bin, complement)) => {
            let bit = e.bin(Bin::Shl, one, n);
            let bit = if complement { e.un(Un::Not, bit) } else { bit };
            if P::MEM && i.has_lock() && e.mode() & mode::SMP != 0 {
                P::rmw::<E, W>(e, i, at, atomic, bit)?
            } else {
                let old = P::read::<E, W>(e, i, at)?;
                let new = e.bin(bin, old, bit);
                P::write::<E, W>(e, i, at, new)?;
                old
            }
        }
    };
    let bit = e.bin(Bin::Shr, old, n);
    let c = e.zext::<W, W1>(bit);
    let cf = e.as_flag(c, flags::CF);
    e.merge_flags(cf, flags::CF);
    Ok(Flow::Next)
}

/// The result, or what the destination was if the source is zero.
#[inline(always)]
fn scan<E: X86, W: Int>(e: &mut E, i: &Insn, v: E::Val<W>, found: E::Val<W>) -> Exec<E> {
    let zero = e.lit::<W>(W::dec(0));
    let none = e.cmp::<W>(Cmp::Eq, v, zero);
    let old = e.r::<W64>(i.reg());
    e.set_r::<W>(i.reg(), found);
    let new = e.r::<W64>(i.reg());
    let r = e.select::<W64>(none, old, new);
    e.set_r::<W64>(i.reg(), r);
    let no = e.lit::<W1>(false);
    e.set_flags::<W>(FlagOp::LogicX, v, v, no);
    Ok(Flow::Next)
}

#[inline(always)]
fn bsf<E: X86, W: Int, P: Place>(e: &mut E, i: &Insn) -> Exec<E> {
    let v = P::get::<E, W>(e, i)?;
    let found = e.un(Un::Ctz, v);
    scan::<E, W>(e, i, v, found)
}

#[inline(always)]
fn bsr<E: X86, W: Int, P: Place>(e: &mut E, i: &Insn) -> Exec<E> {
    let v = P::get::<E, W>(e, i)?;
    let zeros = e.un(Un::Clz, v);
    let top = e.lit::<W>(W::dec(W::TY.bits() as u64 - 1));
    let found = e.sub(top, zeros);
    scan::<E, W>(e, i, v, found)
}

/// TZCNT and LZCNT: CF says that the source is zero, ZF that the result is.
#[inline(always)]
fn counted<E: X86, W: Int>(e: &mut E, i: &Insn, v: E::Val<W>, r: E::Val<W>) -> Exec<E> {
    e.set_r::<W>(i.reg(), r);
    let zero = e.lit::<W>(W::dec(0));
    let (c, z) = (e.cmp::<W>(Cmp::Eq, v, zero), e.cmp::<W>(Cmp::Eq, r, zero));
    let (cf, zf) = (e.as_flag(c, flags::CF), e.as_flag(z, flags::ZF));
    let f = e.or(cf, zf);
    e.write_flags(state::FLAGS, f);
    Ok(Flow::Next)
}

#[inline(always)]
fn tzcnt<E: X86, W: Int, P: Place>(e: &mut E, i: &Insn) -> Exec<E> {
    let v = P::get::<E, W>(e, i)?;
    let r = e.un(Un::Ctz, v);
    counted::<E, W>(e, i, v, r)
}

#[inline(always)]
fn lzcnt<E: X86, W: Int, P: Place>(e: &mut E, i: &Insn) -> Exec<E> {
    let v = P::get::<E, W>(e, i)?;
    let r = e.un(Un::Clz, v);
    counted::<E, W>(e, i, v, r)
}

#[inline(always)]
fn popcnt<E: X86, W: Int, P: Place>(e: &mut E, i: &Insn) -> Exec<E> {
    let v = P::get::<E, W>(e, i)?;
    let r = e.un(Un::Popcnt, v);
    e.set_r::<W>(i.reg(), r);
    let zero = e.lit::<W>(W::dec(0));
    let z = e.cmp::<W>(Cmp::Eq, v, zero);
    let f = e.as_flag(z, flags::ZF);
    e.write_flags(state::FLAGS, f);
    Ok(Flow::Next)
}

/// CRC32: the destination has 32 bits, or 64 of which the upper half is cleared.
#[inline(always)]
fn crc32<E: X86, W: Int, P: Place>(e: &mut E, i: &Insn) -> Exec<E> {
    let v = P::get::<E, W>(e, i)?;
    let v = e.zext::<W, W64>(v);
    let crc = e.r::<W32>(i.reg());
    let crc = e.zext::<W32, W64>(crc);
    let bytes = e.lit::<W64>(W::TY.bytes());
    let r = e.call(&CRC32C, [crc, v, bytes])?;
    e.set_r::<W64>(i.reg(), r);
    Ok(Flow::Next)
}

/// CRC-32C, bit reflected: the checksum so far, data, number of bytes.
static CRC32C: Helper<X64> = Helper { name: "crc32", effects: Effects::NONE, run: crc32c };

fn crc32c(_: &mut Core<X64>, crc: u64, data: u64, bytes: u64) -> Result<u64, Raised> {
    /// 11EDC6F41h, reflected.
    const POLYNOMIAL: u32 = 0x82F6_3B78;
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut i = 0;
        while i < 256 {
            let (mut x, mut bit) = (i as u32, 0);
            while bit < 8 {
                x = (x >> 1) ^ ((x & 1) * POLYNOMIAL);
                bit += 1;
            }
            table[i] = x;
            i += 1;
        }
        table
    };
    let mut crc = crc as u32;
    for byte in &data.to_le_bytes()[..bytes.min(8) as usize] {
        crc = crc >> 8 ^ TABLE[(crc as u8 ^ byte) as usize];
    }
    Ok(crc as u64)
}

/// SF and ZF of a result, and CF.
#[inline(always)]
fn sf_zf_cf<E: X86, W: Int>(e: &mut E, r: E::Val<W>, c: E::Val<W1>) {
    let no = e.lit::<W1>(false);
    let f = e.flags::<W>(FlagOp::LogicX, r, r, no);
    let mask = e.lit::<W32>(flags::SF | flags::ZF);
    let f = e.and(f, mask);
    let cf = e.as_flag(c, flags::CF);
    let f = e.or(f, cf);
    e.write_flags(state::FLAGS, f);
}

#[inline(always)]
fn andn<E: X86, W: Int, P: Place>(e: &mut E, i: &Insn) -> Exec<E> {
    let b = P::get::<E, W>(e, i)?;
    let a = e.r::<W>(i.vvvv());
    let r = e.bin(Bin::AndNot, b, a);
    e.set_r::<W>(i.reg(), r);
    let no = e.lit::<W1>(false);
    sf_zf_cf::<E, W>(e, r, no);
    Ok(Flow::Next)
}

/// BLSR, BLSMSK, BLSI: an operation of the source and the source less 1 (BLSI: its negative).
pub trait LowestBit {
    /// The operation.
    const BIN: Bin;
    /// The other operand is the negative.
    const NEGATIVE: bool;
}
macro_rules! lowest_bit { ($($(#[$doc:meta])* $name:ident $bin:ident $negative:literal;)*) => { $(
    $(#[$doc])*
    pub struct $name;
    impl LowestBit for $name {
        const BIN: Bin = Bin::$bin;
        const NEGATIVE: bool = $negative;
    }
)* } }
lowest_bit! {
    /// resets the lowest set bit
    Blsr And false;
    /// a mask up to the lowest set bit
    Blsmsk Xor false;
    /// the lowest set bit alone
    Blsi And true;
}

/// CF says that the source is zero; for BLSI, that it is not.
#[inline(always)]
fn bls<E: X86, W: Int, P: Place, B: LowestBit>(e: &mut E, i: &Insn) -> Exec<E> {
    let v = P::get::<E, W>(e, i)?;
    let (zero, one) = (e.lit::<W>(W::dec(0)), e.lit::<W>(W::dec(1)));
    let other = if B::NEGATIVE { e.un(Un::Neg, v) } else { e.sub(v, one) };
    let r = e.bin(B::BIN, v, other);
    e.set_r::<W>(i.vvvv(), r);
    let c = e.cmp::<W>(if B::NEGATIVE { Cmp::Ne } else { Cmp::Eq }, v, zero);
    sf_zf_cf::<E, W>(e, r, c);
    Ok(Flow::Next)
}

/// `v` without the bits from `n` on; all of it if `n` is the width or more. `n` is below 256.
#[inline(always)]
fn low_bits<E: X86, W: Int>(e: &mut E, v: E::Val<W>, n: E::Val<W>) -> (E::Val<W>, E::Val<W1>) {
    let one = e.lit::<W>(W::dec(1));
    let bit = e.bin(Bin::Shl, one, n);
    let mask = e.sub(bit, one);
    let cut = e.and(v, mask);
    let most = e.lit::<W>(W::dec(W::TY.bits() as u64 - 1));
    let over = e.cmp::<W>(Cmp::Ltu, most, n);
    (e.select::<W>(over, v, cut), over)
}

#[inline(always)]
fn bextr<E: X86, W: Int, P: Place>(e: &mut E, i: &Insn) -> Exec<E> {
    let v = P::get::<E, W>(e, i)?;
    let control = e.r::<W>(i.vvvv());
    let byte = e.lit::<W>(W::dec(0xFF));
    let start = e.and(control, byte);
    let length = e.shift::<W>(Bin::Shr, control, 8);
    let length = e.and(length, byte);
    let moved = e.bin(Bin::Shr, v, start);
    let most = e.lit::<W>(W::dec(W::TY.bits() as u64 - 1));
    let over = e.cmp::<W>(Cmp::Ltu, most, start);
    let zero = e.lit::<W>(W::dec(0));
    let moved = e.select::<W>(over, zero, moved);
    let (r, _) = low_bits::<E, W>(e, moved, length);
    e.set_r::<W>(i.reg(), r);
    let z = e.cmp::<W>(Cmp::Eq, r, zero);
    let f = e.as_flag(z, flags::ZF);
    e.write_flags(state::FLAGS, f);
    Ok(Flow::Next)
}

#[inline(always)]
fn bzhi<E: X86, W: Int, P: Place>(e: &mut E, i: &Insn) -> Exec<E> {
    let v = P::get::<E, W>(e, i)?;
    let n = e.r::<W>(i.vvvv());
    let byte = e.lit::<W>(W::dec(0xFF));
    let n = e.and(n, byte);
    let (r, over) = low_bits::<E, W>(e, v, n);
    e.set_r::<W>(i.reg(), r);
    sf_zf_cf::<E, W>(e, r, over);
    Ok(Flow::Next)
}

#[inline(always)]
fn by_mask<E: X86, W: Int, P: Place>(e: &mut E, i: &Insn, h: &'static Helper<X64>) -> Exec<E> {
    let mask = P::get::<E, W>(e, i)?;
    let v = e.r::<W>(i.vvvv());
    let (v, mask) = (e.zext::<W, W64>(v), e.zext::<W, W64>(mask));
    let r = e.call(h, [v, mask, mask])?;
    let r = e.zext::<W64, W>(r);
    e.set_r::<W>(i.reg(), r);
    Ok(Flow::Next)
}

#[inline(always)]
fn pext<E: X86, W: Int, P: Place>(e: &mut E, i: &Insn) -> Exec<E> {
    by_mask::<E, W, P>(e, i, &PEXT)
}

#[inline(always)]
fn pdep<E: X86, W: Int, P: Place>(e: &mut E, i: &Insn) -> Exec<E> {
    by_mask::<E, W, P>(e, i, &PDEP)
}

/// PEXT: the bits of the first operand that the second selects, at the low end.
static PEXT: Helper<X64> = Helper { name: "pext", effects: Effects::NONE, run: extract };
/// PDEP: the low bits of the first operand, where the second has ones.
static PDEP: Helper<X64> = Helper { name: "pdep", effects: Effects::NONE, run: deposit };

fn extract(_: &mut Core<X64>, v: u64, mut mask: u64, _: u64) -> Result<u64, Raised> {
    let (mut r, mut n) = (0, 0);
    while mask != 0 {
        r |= (v >> mask.trailing_zeros() & 1) << n;
        (mask, n) = (mask & (mask - 1), n + 1);
    }
    Ok(r)
}

fn deposit(_: &mut Core<X64>, mut v: u64, mut mask: u64, _: u64) -> Result<u64, Raised> {
    let mut r = 0;
    while mask != 0 {
        r |= (v & 1) << mask.trailing_zeros();
        (mask, v) = (mask & (mask - 1), v >> 1);
    }
    Ok(r)
}
