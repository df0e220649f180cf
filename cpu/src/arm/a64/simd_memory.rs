//! Loads and stores of SIMD and floating-point registers (DDI 0487 C4.1.94, C7.2: LDR, STR, LDUR, STUR, LDP, STP, LDNP,
//! STNP).

use super::alu::extended;
use super::load_store::{Index, base};
use crate::arm::emit::Arm;
use crate::emit::{Access, Emit, Exec, Flow};
use crate::vec::{Lanes, VecOp};
use crate::width::{W8, W16, W32, W64, W128};

crate::rows! { Arm;
    "STUR (SIMD&FP)"   "ss 111 1 00 00 0 iiiiiiiii 00 nnnnn ttttt" (s, i, n, t) => stur {s=3} {s=2} {s=1} {s=0};
    "LDUR (SIMD&FP)"   "ss 111 1 00 01 0 iiiiiiiii 00 nnnnn ttttt" (s, i, n, t) => ldur {s=3} {s=2} {s=1} {s=0};
    "STUR (SIMD&FP, Q)" "00 111 1 00 10 0 iiiiiiiii 00 nnnnn ttttt" (i, n, t) => stur_q;
    "LDUR (SIMD&FP, Q)" "00 111 1 00 11 0 iiiiiiiii 00 nnnnn ttttt" (i, n, t) => ldur_q;
    "STR (immediate, SIMD&FP, post-index)" "ss 111 1 00 00 0 iiiiiiiii 01 nnnnn ttttt" (s, i, n, t) => str_post {s=3} {s=2} {s=1} {s=0};
    "LDR (immediate, SIMD&FP, post-index)" "ss 111 1 00 01 0 iiiiiiiii 01 nnnnn ttttt" (s, i, n, t) => ldr_post {s=3} {s=2} {s=1} {s=0};
    "STR (immediate, SIMD&FP, Q, post-index)" "00 111 1 00 10 0 iiiiiiiii 01 nnnnn ttttt" (i, n, t) => str_post_q;
    "LDR (immediate, SIMD&FP, Q, post-index)" "00 111 1 00 11 0 iiiiiiiii 01 nnnnn ttttt" (i, n, t) => ldr_post_q;
    "STR (immediate, SIMD&FP, pre-index)" "ss 111 1 00 00 0 iiiiiiiii 11 nnnnn ttttt" (s, i, n, t) => str_pre {s=3} {s=2} {s=1} {s=0};
    "LDR (immediate, SIMD&FP, pre-index)" "ss 111 1 00 01 0 iiiiiiiii 11 nnnnn ttttt" (s, i, n, t) => ldr_pre {s=3} {s=2} {s=1} {s=0};
    "STR (immediate, SIMD&FP, Q, pre-index)" "00 111 1 00 10 0 iiiiiiiii 11 nnnnn ttttt" (i, n, t) => str_pre_q;
    "LDR (immediate, SIMD&FP, Q, pre-index)" "00 111 1 00 11 0 iiiiiiiii 11 nnnnn ttttt" (i, n, t) => ldr_pre_q;
    "STR (immediate, SIMD&FP)" "ss 111 1 01 00 iiiiiiiiiiii nnnnn ttttt" (s, i, n, t) => str_imm {s=3} {s=2} {s=1} {s=0};
    "LDR (immediate, SIMD&FP)" "ss 111 1 01 01 iiiiiiiiiiii nnnnn ttttt" (s, i, n, t) => ldr_imm {s=3} {s=2} {s=1} {s=0};
    "STR (immediate, SIMD&FP, Q)" "00 111 1 01 10 iiiiiiiiiiii nnnnn ttttt" (i, n, t) => str_imm_q;
    "LDR (immediate, SIMD&FP, Q)" "00 111 1 01 11 iiiiiiiiiiii nnnnn ttttt" (i, n, t) => ldr_imm_q;
    "STR (register, SIMD&FP)" "ss 111 1 00 00 1 mmmmm ooo S 10 nnnnn ttttt" (s, m, o, S, n, t) => str_reg {s=3 o=3} {s=2 o=3} {s=3 o=2} {s=2 o=2};
    "LDR (register, SIMD&FP)" "ss 111 1 00 01 1 mmmmm ooo S 10 nnnnn ttttt" (s, m, o, S, n, t) => ldr_reg {s=3 o=3} {s=2 o=3} {s=3 o=2} {s=2 o=2};
    "STR (register, SIMD&FP, Q)" "00 111 1 00 10 1 mmmmm ooo S 10 nnnnn ttttt" (m, o, S, n, t) => str_reg_q {o=3};
    "LDR (register, SIMD&FP, Q)" "00 111 1 00 11 1 mmmmm ooo S 10 nnnnn ttttt" (m, o, S, n, t) => ldr_reg_q {o=3};
    "LDR (literal, SIMD&FP)" "oo 011 1 00 iiiiiiiiiiiiiiiiiii ttttt" (o, i, t) => ldr_literal;
    "STNP (SIMD&FP)" "oo 101 1 000 0 iiiiiii uuuuu nnnnn ttttt" (o, i, u, n, t) => stp_offset {o=2} {o=1};
    "LDNP (SIMD&FP)" "oo 101 1 000 1 iiiiiii uuuuu nnnnn ttttt" (o, i, u, n, t) => ldp_offset {o=2} {o=1};
    "STP (SIMD&FP, post-index)" "oo 101 1 001 0 iiiiiii uuuuu nnnnn ttttt" (o, i, u, n, t) => stp_post {o=2} {o=1};
    "LDP (SIMD&FP, post-index)" "oo 101 1 001 1 iiiiiii uuuuu nnnnn ttttt" (o, i, u, n, t) => ldp_post {o=2} {o=1};
    "STP (SIMD&FP)" "oo 101 1 010 0 iiiiiii uuuuu nnnnn ttttt" (o, i, u, n, t) => stp_offset {o=2} {o=1};
    "LDP (SIMD&FP)" "oo 101 1 010 1 iiiiiii uuuuu nnnnn ttttt" (o, i, u, n, t) => ldp_offset {o=2} {o=1};
    "STP (SIMD&FP, pre-index)" "oo 101 1 011 0 iiiiiii uuuuu nnnnn ttttt" (o, i, u, n, t) => stp_pre {o=2} {o=1};
    "LDP (SIMD&FP, pre-index)" "oo 101 1 011 1 iiiiiii uuuuu nnnnn ttttt" (o, i, u, n, t) => ldp_pre {o=2} {o=1};
}

/// Reverses the bytes of every `1 << log2` bytes of `v` where data accesses are big-endian.
#[inline(always)]
pub(super) fn swap<E: Arm>(e: &mut E, log2: u32, v: E::Val<W128>) -> E::Val<W128> {
    if e.big_endian() { e.vi(VecOp::Reverse, Lanes::full(0), log2, v) } else { v }
}

/// Loads `1 << log2` bytes (0 to 4) into lane 0, zeros above.
#[inline(always)]
pub(super) fn load<E: Arm>(e: &mut E, log2: u32, at: E::Val<W64>) -> Emit<E, W128> {
    macro_rules! narrow {
        ($W:ty) => {{
            let x = e.load::<$W>(Access::PLAIN, at)?;
            e.to_vec(x)
        }};
    }
    let v = match log2 {
        0 => narrow!(W8),
        1 => narrow!(W16),
        2 => narrow!(W32),
        3 => narrow!(W64),
        _ => e.load::<W128>(Access::PLAIN, at)?,
    };
    Ok(swap(e, log2, v))
}

/// Stores the low `1 << log2` bytes (0 to 4) of `v`.
#[inline(always)]
pub(super) fn store<E: Arm>(e: &mut E, log2: u32, at: E::Val<W64>, v: E::Val<W128>) -> Result<(), E::Abort> {
    let v = swap(e, log2, v);
    macro_rules! narrow {
        ($W:ty) => {{
            let x = e.lane::<$W>(v, 0);
            e.store::<$W>(Access::PLAIN, at, x)
        }};
    }
    match log2 {
        0 => narrow!(W8),
        1 => narrow!(W16),
        2 => narrow!(W32),
        3 => narrow!(W64),
        _ => e.store::<W128>(Access::PLAIN, at, v),
    }
}

/// Loads or stores register `t` of `1 << log2` bytes at `X[n] + offset`.
#[inline(always)]
fn access<E: Arm>(e: &mut E, is_load: bool, k: Index, log2: u32, offset: u64, n: u32, t: u32) -> Exec<E> {
    e.check_fp()?;
    let (at, moved) = k.address(e, n, offset)?;
    if is_load {
        let v = load(e, log2, at)?;
        e.set_v(t, v);
    } else {
        let v = e.v(t);
        store(e, log2, at, v)?;
    }
    k.write_back(e, n, moved);
    Ok(Flow::Next)
}

/// A field of `bits` bits as a signed number, times `1 << log2`.
fn signed(field: u32, bits: u32, log2: u32) -> u64 {
    (crate::op::sext(field as u64, bits) << log2) as u64
}

macro_rules! unscaled { ($($(#[$doc:meta])* $name:ident $q:ident $load:literal $k:ident;)*) => { $(
    $(#[$doc])*
    #[inline(always)]
    fn $name<E: Arm>(e: &mut E, size: u32, i: u32, n: u32, t: u32) -> Exec<E> {
        access(e, $load, Index::$k, size, signed(i, 9, 0), n, t)
    }
    $(#[$doc])*
    #[inline(always)]
    fn $q<E: Arm>(e: &mut E, i: u32, n: u32, t: u32) -> Exec<E> {
        access(e, $load, Index::$k, 4, signed(i, 9, 0), n, t)
    }
)* } }
unscaled! {
    /// STUR (SIMD&FP): stores B, H, S, D or Q. [C7.2.373]
    stur stur_q false Offset;
    /// LDUR (SIMD&FP): loads B, H, S, D or Q. [C7.2.215]
    ldur ldur_q true Offset;
    /// STR (immediate, SIMD&FP), post-indexed. [C7.2.370]
    str_post str_post_q false Post;
    /// LDR (immediate, SIMD&FP), post-indexed. [C7.2.212]
    ldr_post ldr_post_q true Post;
    /// STR (immediate, SIMD&FP), pre-indexed. [C7.2.370]
    str_pre str_pre_q false Pre;
    /// LDR (immediate, SIMD&FP), pre-indexed. [C7.2.212]
    ldr_pre ldr_pre_q true Pre;
}

macro_rules! scaled { ($($(#[$doc:meta])* $name:ident $q:ident $load:literal;)*) => { $(
    $(#[$doc])*
    #[inline(always)]
    fn $name<E: Arm>(e: &mut E, size: u32, i: u32, n: u32, t: u32) -> Exec<E> {
        access(e, $load, Index::Offset, size, (i as u64) << size, n, t)
    }
    $(#[$doc])*
    #[inline(always)]
    fn $q<E: Arm>(e: &mut E, i: u32, n: u32, t: u32) -> Exec<E> {
        access(e, $load, Index::Offset, 4, (i as u64) << 4, n, t)
    }
)* } }
scaled! {
    /// STR (immediate, SIMD&FP), unsigned offset. [C7.2.370]
    str_imm str_imm_q false;
    /// LDR (immediate, SIMD&FP), unsigned offset. [C7.2.212]
    ldr_imm ldr_imm_q true;
}

/// Loads or stores at `X[n]` plus an extended, possibly scaled, register.
#[inline(always)]
fn by_register<E: Arm>(
    e: &mut E,
    is_load: bool,
    log2: u32,
    (m, o, s): (u32, u32, u32),
    n: u32,
    t: u32,
) -> Exec<E> {
    if o & 2 == 0 {
        return e.undefined();
    }
    e.check_fp()?;
    let base = base(e, n)?;
    let offset = extended::<E, W64>(e, m, o, if s != 0 { log2 } else { 0 });
    let at = e.add(base, offset);
    if is_load {
        let v = load(e, log2, at)?;
        e.set_v(t, v);
    } else {
        let v = e.v(t);
        store(e, log2, at, v)?;
    }
    Ok(Flow::Next)
}

macro_rules! registers { ($($(#[$doc:meta])* $name:ident $q:ident $load:literal;)*) => { $(
    $(#[$doc])*
    #[inline(always)]
    fn $name<E: Arm>(e: &mut E, size: u32, m: u32, o: u32, s: u32, n: u32, t: u32) -> Exec<E> {
        by_register(e, $load, size, (m, o, s), n, t)
    }
    $(#[$doc])*
    #[inline(always)]
    fn $q<E: Arm>(e: &mut E, m: u32, o: u32, s: u32, n: u32, t: u32) -> Exec<E> {
        by_register(e, $load, 4, (m, o, s), n, t)
    }
)* } }
registers! {
    /// STR (register, SIMD&FP). [C7.2.371]
    str_reg str_reg_q false;
    /// LDR (register, SIMD&FP). [C7.2.214]
    ldr_reg ldr_reg_q true;
}

/// LDR (literal, SIMD&FP): loads S, D or Q from a PC-relative address. [C7.2.213]
fn ldr_literal<E: Arm>(e: &mut E, opc: u32, i: u32, t: u32) -> Exec<E> {
    if opc == 3 {
        return e.undefined();
    }
    e.check_fp()?;
    let at = e.pc_plus(signed(i, 19, 2) as i64);
    let v = load(e, opc + 2, at)?;
    e.set_v(t, v);
    Ok(Flow::Next)
}

/// Loads two adjacent values of `1 << log2` bytes (2 to 4).
fn load_two<E: Arm>(e: &mut E, log2: u32, at: E::Val<W64>) -> Result<(E::Val<W128>, E::Val<W128>), E::Abort> {
    let (a, b) = match log2 {
        2 => {
            let (a, b) = e.load_pair::<W32>(Access::PLAIN, at)?;
            (e.to_vec(a), e.to_vec(b))
        }
        3 => {
            let (a, b) = e.load_pair::<W64>(Access::PLAIN, at)?;
            (e.to_vec(a), e.to_vec(b))
        }
        _ => e.load_pair::<W128>(Access::PLAIN, at)?,
    };
    Ok((swap(e, log2, a), swap(e, log2, b)))
}

/// Stores two values of `1 << log2` bytes (2 to 4) side by side.
fn store_two<E: Arm>(
    e: &mut E,
    log2: u32,
    at: E::Val<W64>,
    a: E::Val<W128>,
    b: E::Val<W128>,
) -> Result<(), E::Abort> {
    let (a, b) = (swap(e, log2, a), swap(e, log2, b));
    match log2 {
        2 => {
            let v = (e.lane::<W32>(a, 0), e.lane::<W32>(b, 0));
            e.store_pair::<W32>(Access::PLAIN, at, v)
        }
        3 => {
            let v = (e.lane::<W64>(a, 0), e.lane::<W64>(b, 0));
            e.store_pair::<W64>(Access::PLAIN, at, v)
        }
        _ => e.store_pair::<W128>(Access::PLAIN, at, (a, b)),
    }
}

macro_rules! pairs { ($($(#[$doc:meta])* $name:ident $load:literal $k:ident;)*) => { $(
    $(#[$doc])*
    #[inline(always)]
    fn $name<E: Arm>(e: &mut E, opc: u32, i: u32, u: u32, n: u32, t: u32) -> Exec<E> {
        if opc == 3 {
            return e.undefined();
        }
        e.check_fp()?;
        let log2 = opc + 2;
        let (at, moved) = Index::$k.address(e, n, signed(i, 7, log2))?;
        if $load {
            let (a, b) = load_two(e, log2, at)?;
            e.set_v(t, a);
            e.set_v(u, b);
        } else {
            let (a, b) = (e.v(t), e.v(u));
            store_two(e, log2, at, a, b)?;
        }
        Index::$k.write_back(e, n, moved);
        Ok(Flow::Next)
    }
)* } }
pairs! {
    /// STP and STNP (SIMD&FP): stores two S, D or Q registers. [C7.2.369, C7.2.368]
    stp_offset false Offset;
    /// LDP and LDNP (SIMD&FP): loads two S, D or Q registers. [C7.2.211, C7.2.210]
    ldp_offset true Offset;
    /// STP (SIMD&FP), post-indexed. [C7.2.369]
    stp_post false Post;
    /// LDP (SIMD&FP), post-indexed. [C7.2.211]
    ldp_post true Post;
    /// STP (SIMD&FP), pre-indexed. [C7.2.369]
    stp_pre false Pre;
    /// LDP (SIMD&FP), pre-indexed. [C7.2.211]
    ldp_pre true Pre;
}
