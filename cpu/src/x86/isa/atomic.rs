//! Exchanges: XCHG, XADD, CMPXCHG, CMPXCHG8B, CMPXCHG16B.
//!
//! Locked accesses are atomic where there are other processors. One that is not a multiple of its size in address is
//! atomic only in parts.

use crate::core::{Core, Raised};
use crate::emit::{Access, Effects, Emitter, Exec, Flow, Helper};
use crate::op::{Bin, Cmp, FlagOp};
use crate::width::{Int, W1, W8, W16, W32, W64, W128};
use crate::x86::X64;
use crate::x86::emit::{Place, Want, X86, fault, locked};
use crate::x86::features as f;
use crate::x86::flags;
use crate::x86::insn::{Insn, seg};
use crate::x86::mode;
use crate::x86::state;
use lyrebird_ram::AtomicOp;

crate::x86_rows! {
    "XCHG" "86" "Eb,Gb" "lock" => [b rm xchg];
    "XCHG" "87" "Ev,Gv" "lock" => [v rm xchg];
    "XCHG" "90+r" "Zv,rAX" "" => [v xchg_a];
    "XADD" "0F C0" "Eb,Gb" "lock" if f::I486 => [b rm xadd];
    "XADD" "0F C1" "Ev,Gv" "lock" if f::I486 => [v rm xadd];
    "CMPXCHG" "0F B0" "Eb,Gb" "lock" if f::I486 => [b rm cmpxchg];
    "CMPXCHG" "0F B1" "Ev,Gv" "lock" if f::I486 => [v rm cmpxchg];
    "CMPXCHG8B" "0F C7 /1" "Mq" "lock" if f::CX8 => [plain cmpxchg8b];
    "CMPXCHG16B" "W1 0F C7 /1" "Mdq" "lock o64" if f::CX16 => [plain cmpxchg16b];
}

/// XCHG: with memory it is atomic without a LOCK prefix.
#[inline(always)]
fn xchg<E: X86, W: Int, P: Place>(e: &mut E, i: &Insn) -> Exec<E> {
    let at = P::at::<E, W>(e, i, Want::Write)?;
    let b = e.r::<W>(i.reg());
    let a = if P::MEM && e.mode() & mode::SMP != 0 {
        P::rmw::<E, W>(e, i, at, AtomicOp::Swap, b)?
    } else {
        let a = P::read::<E, W>(e, i, at)?;
        P::write::<E, W>(e, i, at, b)?;
        a
    };
    e.set_r::<W>(i.reg(), a);
    Ok(Flow::Next)
}

/// XCHG with rAX; with itself it is NOP, which leaves the upper half of RAX.
#[inline(always)]
fn xchg_a<E: X86, W: Int>(e: &mut E, i: &Insn) -> Exec<E> {
    if i.reg() != 0 {
        let (a, b) = (e.r::<W>(0), e.r::<W>(i.reg()));
        e.set_r::<W>(0, b);
        e.set_r::<W>(i.reg(), a);
    }
    Ok(Flow::Next)
}

/// XADD: where both operands are one register, the sum stays.
#[inline(always)]
fn xadd<E: X86, W: Int, P: Place>(e: &mut E, i: &Insn) -> Exec<E> {
    let b = e.r::<W>(i.reg());
    let at = P::at::<E, W>(e, i, Want::Write)?;
    let none = e.lit::<W1>(false);
    let a = if P::MEM && i.has_lock() && e.mode() & mode::SMP != 0 {
        let a = P::rmw::<E, W>(e, i, at, AtomicOp::Add, b)?;
        e.set_r::<W>(i.reg(), a);
        a
    } else {
        let a = P::read::<E, W>(e, i, at)?;
        let sum = e.add(a, b);
        if P::MEM {
            P::write::<E, W>(e, i, at, sum)?;
            e.set_r::<W>(i.reg(), a);
        } else {
            e.set_r::<W>(i.reg(), a);
            P::write::<E, W>(e, i, at, sum)?;
        }
        a
    };
    e.set_flags::<W>(FlagOp::AddX, a, b, none);
    Ok(Flow::Next)
}

/// CMPXCHG: memory is written in any case; of the registers only the one that changes.
#[inline(always)]
fn cmpxchg<E: X86, W: Int, P: Place>(e: &mut E, i: &Insn) -> Exec<E> {
    let (acc, new) = (e.r::<W>(0), e.r::<W>(i.reg()));
    let at = P::at::<E, W>(e, i, Want::Write)?;
    let old = if let Some(at) = P::address::<E>(at)
        && i.has_lock()
        && e.mode() & mode::SMP != 0
    {
        e.cas::<W>(locked(i.seg()), at, acc, new)?
    } else {
        let old = P::read::<E, W>(e, i, at)?;
        let equal = e.cmp::<W>(Cmp::Eq, old, acc);
        let v = e.select::<W>(equal, new, old);
        P::write::<E, W>(e, i, at, v)?;
        old
    };
    let equal = e.cmp::<W>(Cmp::Eq, old, acc);
    // The accumulator's upper half stays if the accumulator does.
    let rax = e.r::<W64>(0);
    e.set_r::<W>(0, old);
    let loaded = e.r::<W64>(0);
    // A register operand that is the accumulator was equal and holds `new` already.
    let rax = e.select::<W64>(equal, rax, loaded);
    e.set_r::<W64>(0, rax);
    let none = e.lit::<W1>(false);
    e.set_flags::<W>(FlagOp::SubX, acc, old, none);
    Ok(Flow::Next)
}

/// Sets ZF and leaves the others.
#[inline(always)]
fn set_zf<E: X86>(e: &mut E, equal: E::Val<W1>) {
    let zf = e.as_flag(equal, flags::ZF);
    e.merge_flags(zf, flags::ZF);
}

/// `high:low`
#[inline(always)]
fn pair<E: X86>(e: &mut E, high: u8, low: u8) -> E::Val<W64> {
    let (high, low) = (e.r::<W32>(high), e.r::<W32>(low));
    let (high, low) = (e.zext::<W32, W64>(high), e.zext::<W32, W64>(low));
    let high = e.shift::<W64>(Bin::Shl, high, 32);
    e.or(high, low)
}

const RAX: u8 = 0;
const RCX: u8 = 1;
const RDX: u8 = 2;
const RBX: u8 = 3;

/// CMPXCHG8B
#[inline(always)]
fn cmpxchg8b<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
    let ea = e.ea(i);
    let at = e.linear(i.seg(), ea, 8, Want::Write)?;
    let expected = pair(e, RDX, RAX);
    let new = pair(e, RCX, RBX);
    let old = e.cas::<W64>(locked(i.seg()), at, expected, new)?;
    let equal = e.cmp::<W64>(Cmp::Eq, old, expected);
    for (n, shift) in [(RAX, 0), (RDX, 32)] {
        let was = e.r::<W64>(n);
        let half = e.shift::<W64>(Bin::Shr, old, shift);
        let half = e.trunc(half, 2);
        let v = e.select::<W64>(equal, was, half);
        e.set_r::<W64>(n, v);
    }
    set_zf(e, equal);
    Ok(Flow::Next)
}

/// CMPXCHG16B
#[inline(always)]
fn cmpxchg16b<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
    let ea = e.ea(i);
    let at = e.linear(i.seg(), ea, 16, Want::Write)?;
    let low = e.lit::<W64>(15);
    let low = e.and(at, low);
    let zero = e.lit::<W64>(0);
    let misaligned = e.cmp::<W64>(Cmp::Ne, low, zero);
    e.raise_if(misaligned, fault::GP0)?;
    let pair = |e: &mut E, low: u8, high: u8| {
        let (low, high) = (e.r::<W64>(low), e.r::<W64>(high));
        let v = e.to_vec::<W64>(low);
        e.set_lane::<W64>(v, 1, high)
    };
    let expected = pair(e, RAX, RDX);
    let new = pair(e, RBX, RCX);
    let old = e.cas::<W128>(locked(i.seg()), at, expected, new)?;
    let (low, high) = (e.lane::<W64>(old, 0), e.lane::<W64>(old, 1));
    let (was_low, was_high) = (e.r::<W64>(RAX), e.r::<W64>(RDX));
    let equal = e.cmp::<W64>(Cmp::Eq, low, was_low);
    let high_equal = e.cmp::<W64>(Cmp::Eq, high, was_high);
    let equal = e.and::<W1>(equal, high_equal);
    e.put(state::gpr(RAX), low);
    e.put(state::gpr(RDX), high);
    set_zf(e, equal);
    Ok(Flow::Next)
}

/// What [`NEGATE`] takes as its second argument.
#[inline(always)]
pub const fn how<W: Int>(s: u8) -> u64 {
    W::TY.bytes() | (s as u64) << 8
}

/// NEG of memory with LOCK: the address, and [`how`]; gives the old value.
pub static NEGATE: Helper<X64> = Helper { name: "neg", effects: Effects::FAULTS, run: negate };

fn negate(core: &mut Core<X64>, at: u64, how: u64, _: u64) -> Result<u64, Raised> {
    fn run<W: Int>(core: &mut Core<X64>, at: u64, k: Access) -> Result<u64, Raised> {
        loop {
            let old = core.load::<W>(k, at)?;
            let new = W::dec(W::enc(old).wrapping_neg());
            if core.cas::<W>(k, at, old, new)? == old {
                return Ok(W::enc(old));
            }
        }
    }
    let k = locked((how >> 8) as u8 & seg::GS);
    match how & 0xFF {
        1 => run::<W8>(core, at, k),
        2 => run::<W16>(core, at, k),
        4 => run::<W32>(core, at, k),
        _ => run::<W64>(core, at, k),
    }
}
