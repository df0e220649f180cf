//! Exclusives, ordered accesses, compare-and-swap, and the atomics of FEAT_LSE (DDI 0487 C4.1.94).
//!
//! The exclusive monitor is an address with the value that was loaded from it: a store-exclusive compares and
//! exchanges. With several processors a value can go away and come back in between (ABA): then exclusives and atomics
//! are the helpers of [`exclusive`], which notice each other.

use super::load_store::{base, read, released, write};
use crate::arm::emit::Arm;
use crate::arm::features as feat;
use crate::arm::{exclusive, mode, state};
use crate::emit::{Access, Emit, Exec, Flow};
use crate::op::{Cmp, Un};
use crate::width::{W1, W8, W16, W32, W64, W128};
use lyrebird_ram::AtomicOp;

crate::rows! { Arm;
    "STXR/STLXR" "ss 001000 0 0 0 xxxxx o 11111 nnnnn ttttt" (s, x, o, n, t) => stxr;
    "LDXR/LDAXR" "ss 001000 0 1 0 11111 o 11111 nnnnn ttttt" (s, o, n, t) => ldxr;
    "STXP/STLXP" "1s 001000 0 0 1 xxxxx o uuuuu nnnnn ttttt" (s, x, o, u, n, t) => stxp;
    "LDXP/LDAXP" "1s 001000 0 1 1 11111 o uuuuu nnnnn ttttt" (s, o, u, n, t) => ldxp;
    "STLLR/STLR" "ss 001000 1 0 0 11111 o 11111 nnnnn ttttt" (s, o, n, t) => stlr;
    "LDLAR/LDAR" "ss 001000 1 1 0 11111 o 11111 nnnnn ttttt" (s, o, n, t) => ldar;
    "CAS"  "ss 001000 1 a 1 xxxxx r 11111 nnnnn ttttt" (s, a, x, r, n, t) if feat::LSE => cas;
    "CASP" "0s 001000 0 a 1 xxxxx r 11111 nnnnn ttttt" (s, a, x, r, n, t) if feat::LSE => casp;
    "LDADD"  "ss 111 0 00 a r 1 xxxxx 0 000 00 nnnnn ttttt" (s, a, r, x, n, t) if feat::LSE => ldadd;
    "LDCLR"  "ss 111 0 00 a r 1 xxxxx 0 001 00 nnnnn ttttt" (s, a, r, x, n, t) if feat::LSE => ldclr;
    "LDEOR"  "ss 111 0 00 a r 1 xxxxx 0 010 00 nnnnn ttttt" (s, a, r, x, n, t) if feat::LSE => ldeor;
    "LDSET"  "ss 111 0 00 a r 1 xxxxx 0 011 00 nnnnn ttttt" (s, a, r, x, n, t) if feat::LSE => ldset;
    "LDSMAX" "ss 111 0 00 a r 1 xxxxx 0 100 00 nnnnn ttttt" (s, a, r, x, n, t) if feat::LSE => ldsmax;
    "LDSMIN" "ss 111 0 00 a r 1 xxxxx 0 101 00 nnnnn ttttt" (s, a, r, x, n, t) if feat::LSE => ldsmin;
    "LDUMAX" "ss 111 0 00 a r 1 xxxxx 0 110 00 nnnnn ttttt" (s, a, r, x, n, t) if feat::LSE => ldumax;
    "LDUMIN" "ss 111 0 00 a r 1 xxxxx 0 111 00 nnnnn ttttt" (s, a, r, x, n, t) if feat::LSE => ldumin;
    "SWP"    "ss 111 0 00 a r 1 xxxxx 1 000 00 nnnnn ttttt" (s, a, r, x, n, t) if feat::LSE => swp;
    "LDAPR"  "ss 111 0 00 1 0 1 11111 1 100 00 nnnnn ttttt" (s, n, t) if feat::LRCPC => ldapr;
}

const fn order(acquire: u32, release: u32) -> Access {
    Access { acquire: acquire != 0, release: release != 0, ..Access::ATOMIC }
}

/// LDXR, LDAXR and their byte and half-word forms. [C6.2.239]
fn ldxr<E: Arm>(e: &mut E, s: u32, o: u32, n: u32, t: u32) -> Exec<E> {
    let at = base(e, n)?;
    if e.cx().mode & mode::SMP != 0 {
        let (size, zero) = (e.lit::<W64>(s as u64), e.lit::<W64>(0));
        let v = e.call(&exclusive::LOAD, [at, size, zero])?;
        let v = if e.big_endian() { super::load_store::swap(e, s, v) } else { v };
        e.set_x::<W64>(t, v);
        return Ok(Flow::Next);
    }
    let v = e.load_zext(order(o, 0), s, at)?;
    e.put(state::EXCL_ADDR, at);
    e.put(state::EXCL_LOW, v);
    let v = if e.big_endian() { super::load_store::swap(e, s, v) } else { v };
    e.set_x::<W64>(t, v);
    Ok(Flow::Next)
}

/// Writes a store-exclusive's status and opens the monitor.
fn status<E: Arm>(e: &mut E, x: u32, failed: E::Val<W64>) {
    let open = e.lit::<W64>(state::NO_MONITOR);
    e.put(state::EXCL_ADDR, open);
    e.set_x::<W64>(x, failed);
}

/// STXR, STLXR and their byte and half-word forms. [C6.2.395]
fn stxr<E: Arm>(e: &mut E, s: u32, x: u32, o: u32, n: u32, t: u32) -> Exec<E> {
    let at = base(e, n)?;
    let v = e.x::<W64>(t);
    let v = if e.big_endian() { super::load_store::swap(e, s, v) } else { v };
    if e.cx().mode & mode::SMP != 0 {
        let size = e.lit::<W64>(s as u64);
        let failed = e.call(&exclusive::STORE, [at, size, v])?;
        e.set_x::<W64>(x, failed);
        return Ok(Flow::Next);
    }
    let (watched, seen) = (e.get(state::EXCL_ADDR), e.get(state::EXCL_LOW));
    let held = e.cmp(Cmp::Eq, watched, at);
    macro_rules! exchange {
        ($W:ty) => {{
            let (seen, v) = (e.zext::<W64, $W>(seen), e.zext::<W64, $W>(v));
            e.when(held, |e| {
                let k = Access { exclusive: true, ..order(0, o) };
                let old = e.cas::<$W>(k, at, seen, v)?;
                let differs = e.cmp(Cmp::Ne, old, seen);
                let failed = e.zext::<W1, W64>(differs);
                status(e, x, failed);
                Ok(())
            })?;
        }};
    }
    match s {
        0 => exchange!(W8),
        1 => exchange!(W16),
        2 => exchange!(W32),
        _ => exchange!(W64),
    }
    let lost = e.not1(held);
    e.when(lost, |e| {
        let one = e.lit::<W64>(1);
        status(e, x, one);
        Ok(())
    })?;
    Ok(Flow::Next)
}

/// LDXP, LDAXP. [C6.2.240]
fn ldxp<E: Arm>(e: &mut E, s: u32, _o: u32, u: u32, n: u32, t: u32) -> Exec<E> {
    let at = base(e, n)?;
    let (size, zero) = (e.lit::<W64>(3 + s as u64), e.lit::<W64>(0));
    let low = e.call(&exclusive::LOAD, [at, size, zero])?;
    if s == 0 {
        let (a, b) = (e.zext::<W64, W32>(low), e.shift(crate::op::Bin::Shr, low, 32));
        let b = e.zext::<W64, W32>(b);
        e.set_x::<W32>(t, a);
        e.set_x::<W32>(u, b);
    } else {
        let high = e.get(state::EXCL_HIGH);
        e.set_x::<W64>(t, low);
        e.set_x::<W64>(u, high);
    }
    Ok(Flow::Next)
}

/// STXP, STLXP. [C6.2.394]
fn stxp<E: Arm>(e: &mut E, s: u32, x: u32, _o: u32, u: u32, n: u32, t: u32) -> Exec<E> {
    let at = base(e, n)?;
    let (low, high) = if s == 0 {
        let (a, b) = (e.x::<W32>(t), e.x::<W32>(u));
        let (a, b) = (e.zext::<W32, W64>(a), e.zext::<W32, W64>(b));
        let b = e.shift(crate::op::Bin::Shl, b, 32);
        let zero = e.lit::<W64>(0);
        (e.or(a, b), zero)
    } else {
        (e.x::<W64>(t), e.x::<W64>(u))
    };
    // The high half travels in a slot: a helper takes three arguments.
    e.put(state::EXCL_NEW_HIGH, high);
    let size = e.lit::<W64>(3 + s as u64);
    let failed = e.call(&exclusive::STORE, [at, size, low])?;
    e.set_x::<W64>(x, failed);
    Ok(Flow::Next)
}

/// STLR, STLLR. [C6.2.376]
fn stlr<E: Arm>(e: &mut E, s: u32, _o: u32, n: u32, t: u32) -> Exec<E> {
    let at = base(e, n)?;
    let v = e.x::<W64>(t);
    write(e, Access::RELEASE, s, at, v)?;
    released(e);
    Ok(Flow::Next)
}

/// LDAR, LDLAR. [C6.2.205]
fn ldar<E: Arm>(e: &mut E, s: u32, _o: u32, n: u32, t: u32) -> Exec<E> {
    let at = base(e, n)?;
    let v = read(e, Access::ACQUIRE, s, at)?;
    e.set_x::<W64>(t, v);
    Ok(Flow::Next)
}

/// LDAPR. [C6.2.206]
fn ldapr<E: Arm>(e: &mut E, s: u32, n: u32, t: u32) -> Exec<E> {
    ldar(e, s, 1, n, t)
}

fn several<E: Arm>(e: &E) -> bool {
    e.cx().mode & mode::SMP != 0
}

/// [`exclusive::EXCHANGE`] of `1 << size` bytes without a high half.
fn swap<E: Arm>(
    e: &mut E,
    size: u32,
    at: E::Val<W64>,
    expected: E::Val<W64>,
    new: E::Val<W64>,
) -> Emit<E, W64> {
    let (size, zero) = (e.lit::<W64>(size as u64), e.lit::<W64>(0));
    e.put(state::SWAP_LOW, new);
    e.put(state::SWAP_HIGH, zero);
    e.put(state::EXCL_NEW_HIGH, zero);
    e.call(&exclusive::EXCHANGE, [at, expected, size])
}

/// CAS and its forms. [C6.2.45]
fn cas<E: Arm>(e: &mut E, s: u32, a: u32, x: u32, r: u32, n: u32, t: u32) -> Exec<E> {
    let at = base(e, n)?;
    macro_rules! exchange {
        ($W:ty) => {{
            let (expected, new) = (e.x::<$W>(x), e.x::<$W>(t));
            if several(e) {
                let (expected, new) = (e.zext::<$W, W64>(expected), e.zext::<$W, W64>(new));
                let old = swap(e, s, at, expected, new)?;
                e.set_x::<W64>(x, old);
            } else {
                let old = e.cas::<$W>(order(a, r), at, expected, new)?;
                e.set_x::<$W>(x, old);
            }
        }};
    }
    match s {
        0 => exchange!(W8),
        1 => exchange!(W16),
        2 => exchange!(W32),
        _ => exchange!(W64),
    }
    Ok(Flow::Next)
}

/// CASP and its forms. [C6.2.49]
fn casp<E: Arm>(e: &mut E, s: u32, a: u32, x: u32, r: u32, n: u32, t: u32) -> Exec<E> {
    if (x | t) & 1 != 0 {
        return e.undefined();
    }
    let at = base(e, n)?;
    if s == 0 {
        let join = |e: &mut E, n: u32| {
            let (lo, hi) = (e.x::<W32>(n), e.x::<W32>(n + 1));
            let (lo, hi) = (e.zext::<W32, W64>(lo), e.zext::<W32, W64>(hi));
            let hi = e.shift(crate::op::Bin::Shl, hi, 32);
            e.or(lo, hi)
        };
        let (expected, new) = (join(e, x), join(e, t));
        let old = if several(e) {
            swap(e, 3, at, expected, new)?
        } else {
            e.cas::<W64>(order(a, r), at, expected, new)?
        };
        let high = e.shift(crate::op::Bin::Shr, old, 32);
        let (low, high) = (e.zext::<W64, W32>(old), e.zext::<W64, W32>(high));
        e.set_x::<W32>(x, low);
        e.set_x::<W32>(x + 1, high);
    } else if several(e) {
        let [expected, expected_high, new, new_high] = [x, x + 1, t, t + 1].map(|n| e.x::<W64>(n));
        e.put(state::SWAP_LOW, new);
        e.put(state::SWAP_HIGH, expected_high);
        e.put(state::EXCL_NEW_HIGH, new_high);
        let size = e.lit::<W64>(4);
        let low = e.call(&exclusive::EXCHANGE, [at, expected, size])?;
        let high = e.get(state::SWAP_HIGH);
        e.set_x::<W64>(x, low);
        e.set_x::<W64>(x + 1, high);
    } else {
        let join = |e: &mut E, n: u32| {
            let (lo, hi) = (e.x::<W64>(n), e.x::<W64>(n + 1));
            let v = e.to_vec::<W64>(lo);
            e.set_lane::<W64>(v, 1, hi)
        };
        let (expected, new) = (join(e, x), join(e, t));
        let old = e.cas::<W128>(order(a, r), at, expected, new)?;
        let (low, high) = (e.lane::<W64>(old, 0), e.lane::<W64>(old, 1));
        e.set_x::<W64>(x, low);
        e.set_x::<W64>(x + 1, high);
    }
    Ok(Flow::Next)
}

fn atomic<E: Arm>(
    e: &mut E,
    op: AtomicOp,
    invert: bool,
    s: u32,
    k: Access,
    x: u32,
    n: u32,
    t: u32,
) -> Exec<E> {
    let at = base(e, n)?;
    macro_rules! update {
        ($W:ty) => {{
            let v = e.x::<$W>(x);
            let v = if invert { e.un(Un::Not, v) } else { v };
            if several(e) {
                let (v, code) = (e.zext::<$W, W64>(v), e.lit::<W64>(exclusive::update_code(op, s)));
                let old = e.call(&exclusive::UPDATE, [at, v, code])?;
                e.set_x::<W64>(t, old);
            } else {
                let old = e.rmw::<$W>(k, op, at, v)?;
                e.set_x::<$W>(t, old);
            }
        }};
    }
    match s {
        0 => update!(W8),
        1 => update!(W16),
        2 => update!(W32),
        _ => update!(W64),
    }
    Ok(Flow::Next)
}

macro_rules! atomics { ($($(#[$doc:meta])* $name:ident $op:ident $invert:literal;)*) => { $(
    $(#[$doc])*
    fn $name<E: Arm>(e: &mut E, s: u32, a: u32, r: u32, x: u32, n: u32, t: u32) -> Exec<E> {
        atomic(e, AtomicOp::$op, $invert, s, order(a, r), x, n, t)
    }
)* } }
atomics! {
    /// LDADD. [C6.2.200]
    ldadd Add false;
    /// LDCLR: memory and not Rs. [C6.2.213]
    ldclr And true;
    /// LDEOR. [C6.2.216]
    ldeor Xor false;
    /// LDSET. [C6.2.235]
    ldset Or false;
    /// LDSMAX. [C6.2.236]
    ldsmax Smax false;
    /// LDSMIN. [C6.2.237]
    ldsmin Smin false;
    /// LDUMAX. [C6.2.238]
    ldumax Umax false;
    /// LDUMIN. [C6.2.239]
    ldumin Umin false;
    /// SWP. [C6.2.414]
    swp Swap false;
}
