//! Loads and stores of general registers (DDI 0487 C4.1.94), without exclusives and atomics.

use crate::arm::emit::{Arm, SP_ALIGNMENT};
use crate::arm::features as feat;
use crate::arm::{mode, pauth};
use crate::emit::{Access, Exec, Fence, Flow};
use crate::op::{Bin, Cmp, Un};
use crate::width::{W8, W16, W32, W64};

crate::rows! { Arm;
    "STR (unsigned offset)"  "ss 111 0 01 00 iiiiiiiiiiii nnnnn ttttt" (s, i, n, t) => str_uimm {s=3} {s=2} {s=0} {s=1};
    "LDR (unsigned offset)"  "ss 111 0 01 01 iiiiiiiiiiii nnnnn ttttt" (s, i, n, t) => ldr_uimm {s=3} {s=2} {s=0} {s=1};
    "LDRS (unsigned offset)" "ss 111 0 01 1w iiiiiiiiiiii nnnnn ttttt" (s, w, i, n, t) => ldrs_uimm {s=2 w=0} {s=0 w=1} {s=1 w=1};
    "STUR"  "ss 111 0 00 00 0 iiiiiiiii 00 nnnnn ttttt" (s, i, n, t) => stur {s=3} {s=2} {s=0} {s=1};
    "LDUR"  "ss 111 0 00 01 0 iiiiiiiii 00 nnnnn ttttt" (s, i, n, t) => ldur {s=3} {s=2} {s=0} {s=1};
    "LDURS" "ss 111 0 00 1w 0 iiiiiiiii 00 nnnnn ttttt" (s, w, i, n, t) => ldurs {s=2 w=0} {s=0 w=1} {s=1 w=1};
    "STR (post-index)"  "ss 111 0 00 00 0 iiiiiiiii 01 nnnnn ttttt" (s, i, n, t) => str_post {s=3} {s=2} {s=0} {s=1};
    "LDR (post-index)"  "ss 111 0 00 01 0 iiiiiiiii 01 nnnnn ttttt" (s, i, n, t) => ldr_post {s=3} {s=2} {s=0} {s=1};
    "LDRS (post-index)" "ss 111 0 00 1w 0 iiiiiiiii 01 nnnnn ttttt" (s, w, i, n, t) => ldrs_post {s=2 w=0} {s=0 w=1} {s=1 w=1};
    "STTR"  "ss 111 0 00 00 0 iiiiiiiii 10 nnnnn ttttt" (s, i, n, t) => sttr;
    "LDTR"  "ss 111 0 00 01 0 iiiiiiiii 10 nnnnn ttttt" (s, i, n, t) => ldtr;
    "LDTRS" "ss 111 0 00 1w 0 iiiiiiiii 10 nnnnn ttttt" (s, w, i, n, t) => ldtrs;
    "STR (pre-index)"  "ss 111 0 00 00 0 iiiiiiiii 11 nnnnn ttttt" (s, i, n, t) => str_pre {s=3} {s=2} {s=0} {s=1};
    "LDR (pre-index)"  "ss 111 0 00 01 0 iiiiiiiii 11 nnnnn ttttt" (s, i, n, t) => ldr_pre {s=3} {s=2} {s=0} {s=1};
    "LDRS (pre-index)" "ss 111 0 00 1w 0 iiiiiiiii 11 nnnnn ttttt" (s, w, i, n, t) => ldrs_pre;
    "STR (register)"  "ss 111 0 00 00 1 mmmmm ooo h 10 nnnnn ttttt" (s, m, o, h, n, t) => str_reg
        {s=3 o=3} {s=2 o=3} {s=0 o=3} {s=1 o=3} {s=3 o=2} {s=2 o=2} {s=0 o=2} {s=1 o=2} {s=3} {s=2} {s=0} {s=1};
    "LDR (register)"  "ss 111 0 00 01 1 mmmmm ooo h 10 nnnnn ttttt" (s, m, o, h, n, t) => ldr_reg
        {s=3 o=3} {s=2 o=3} {s=0 o=3} {s=1 o=3} {s=3 o=2} {s=2 o=2} {s=0 o=2} {s=1 o=2} {s=3} {s=2} {s=0} {s=1};
    "LDRS (register)" "ss 111 0 00 1w 1 mmmmm ooo h 10 nnnnn ttttt" (s, w, m, o, h, n, t) => ldrs_reg {s=2 w=0 o=3} {s=2 w=0 o=2} {s=2 w=0} {s=0 w=1} {s=1 w=1};
    "LDR (literal, W)" "00 011 0 00 iiiiiiiiiiiiiiiiiii ttttt" (i, t) => ldr_lit_w;
    "LDR (literal, X)" "01 011 0 00 iiiiiiiiiiiiiiiiiii ttttt" (i, t) => ldr_lit_x;
    "LDRSW (literal)"  "10 011 0 00 iiiiiiiiiiiiiiiiiii ttttt" (i, t) => ldrsw_lit;
    "PRFM (literal)"   "11 011 0 00 iiiiiiiiiiiiiiiiiii ttttt" () => prefetch;
    "STP"   "z0 101 0 0mm 0 iiiiiii uuuuu nnnnn ttttt" (z, m, i, u, n, t) => stp {z=1 m=2} {z=1 m=1} {z=1 m=3} {z=0 m=2};
    "LDP"   "z0 101 0 0mm 1 iiiiiii uuuuu nnnnn ttttt" (z, m, i, u, n, t) => ldp {z=1 m=2} {z=1 m=1} {z=1 m=3} {z=0 m=2};
    "LDPSW" "01 101 0 0mm 1 iiiiiii uuuuu nnnnn ttttt" (m, i, u, n, t) => ldpsw;
    "LDRAA/LDRAB" "11 111 0 00 k s 1 iiiiiiiii w 1 nnnnn ttttt" (k, s, i, w, n, t) if feat::PAUTH => ldra;
    "STLUR"  "ss 011001 00 0 iiiiiiiii 00 nnnnn ttttt" (s, i, n, t) if feat::LRCPC2 => stlur;
    "LDAPUR" "ss 011001 01 0 iiiiiiiii 00 nnnnn ttttt" (s, i, n, t) if feat::LRCPC2 => ldapur;
    "LDAPURS" "ss 011001 1w 0 iiiiiiiii 00 nnnnn ttttt" (s, w, i, n, t) if feat::LRCPC2 => ldapurs;
}

/// A base address: `CheckSPAlignment` applies where it is the stack pointer.
#[inline(always)]
pub(crate) fn base<E: Arm>(e: &mut E, n: u32) -> Result<E::Val<W64>, E::Abort> {
    let at = e.x_or_sp::<W64>(n);
    if n == 31 && e.cx().mode & mode::SP_CHECK != 0 {
        let (low, zero) = (e.lit::<W64>(15), e.lit::<W64>(0));
        let low = e.and(at, low);
        let bad = e.cmp(Cmp::Ne, low, zero);
        e.raise_if(bad, SP_ALIGNMENT)?;
    }
    Ok(at)
}

/// Loads `1 << log2` bytes in the data endianness, zero extended.
#[inline(always)]
pub(crate) fn read<E: Arm>(
    e: &mut E,
    k: Access,
    log2: u32,
    at: E::Val<W64>,
) -> Result<E::Val<W64>, E::Abort> {
    let v = e.load_zext(k, log2, at)?;
    Ok(if e.big_endian() { swap(e, log2, v) } else { v })
}

/// Stores the low `1 << log2` bytes in the data endianness.
#[inline(always)]
pub(crate) fn write<E: Arm>(
    e: &mut E,
    k: Access,
    log2: u32,
    at: E::Val<W64>,
    v: E::Val<W64>,
) -> Result<(), E::Abort> {
    let v = if e.big_endian() { swap(e, log2, v) } else { v };
    e.store_low(k, log2, at, v)
}

/// Reverses the low `1 << log2` bytes, zero extended.
#[inline(always)]
pub(crate) fn swap<E: Arm>(e: &mut E, log2: u32, v: E::Val<W64>) -> E::Val<W64> {
    let v = e.un(Un::Bswap, v);
    e.shift(Bin::Shr, v, 64 - (8 << log2))
}

/// Sign extends the low `1 << log2` bytes into a W (`w` = 1) or X register and writes it.
#[inline(always)]
fn set_signed<E: Arm>(e: &mut E, log2: u32, w: u32, t: u32, v: E::Val<W64>) {
    macro_rules! put {
        ($From:ty) => {{
            let v = e.zext::<W64, $From>(v);
            if w == 1 {
                let v = e.sext::<$From, W32>(v);
                e.set_x::<W32>(t, v);
            } else {
                let v = e.sext::<$From, W64>(v);
                e.set_x::<W64>(t, v);
            }
        }};
    }
    match log2 {
        0 => put!(W8),
        1 => put!(W16),
        _ => put!(W32),
    }
}

/// A signed 9-bit offset.
pub(crate) const fn imm9(i: u32) -> u64 {
    ((((i << 23) as i32) >> 23) as i64) as u64
}

/// How the address follows from base and offset, and what becomes of the base.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Index {
    Offset,
    Pre,
    Post,
}

impl Index {
    /// The address of the access, and the new base.
    #[inline(always)]
    pub(crate) fn address<E: Arm>(
        self,
        e: &mut E,
        n: u32,
        offset: u64,
    ) -> Result<(E::Val<W64>, E::Val<W64>), E::Abort> {
        let old = base(e, n)?;
        let new = e.add_lit(old, offset);
        Ok((if self == Index::Post { old } else { new }, new))
    }

    /// Writes the new base back where the form asks for it.
    #[inline(always)]
    pub(crate) fn write_back<E: Arm>(self, e: &mut E, n: u32, new: E::Val<W64>) {
        if self != Index::Offset {
            e.set_x_or_sp::<W64>(n, new);
        }
    }
}

#[inline(always)]
fn load_index<E: Arm>(e: &mut E, k: Access, log2: u32, ix: Index, offset: u64, n: u32, t: u32) -> Exec<E> {
    let (at, new) = ix.address(e, n, offset)?;
    let v = read(e, k, log2, at)?;
    ix.write_back(e, n, new);
    e.set_x::<W64>(t, v);
    Ok(Flow::Next)
}

#[inline(always)]
fn store_index<E: Arm>(e: &mut E, k: Access, log2: u32, ix: Index, offset: u64, n: u32, t: u32) -> Exec<E> {
    let (at, new) = ix.address(e, n, offset)?;
    let v = e.x::<W64>(t);
    write(e, k, log2, at, v)?;
    ix.write_back(e, n, new);
    Ok(Flow::Next)
}

#[inline(always)]
fn load_signed<E: Arm>(
    e: &mut E,
    k: Access,
    log2: u32,
    w: u32,
    ix: Index,
    offset: u64,
    n: u32,
    t: u32,
) -> Exec<E> {
    if log2 == 3 && w == 0 && ix == Index::Offset && !k.unprivileged && !k.acquire {
        // PRFM and PRFUM live in this hole of the encoding.
        return Ok(Flow::Next);
    }
    if log2 >= 2 + (1 - w) {
        return e.undefined();
    }
    let (at, new) = ix.address(e, n, offset)?;
    let v = read(e, k, log2, at)?;
    ix.write_back(e, n, new);
    set_signed(e, log2, w, t, v);
    Ok(Flow::Next)
}

macro_rules! indexed { ($($(#[$doc:meta])* $st:ident $ld:ident $lds:ident |$i:ident, $s:ident| $off:expr, $ix:ident, $k:expr;)*) => { $(
    $(#[$doc])*
    #[inline(always)]
    fn $st<E: Arm>(e: &mut E, $s: u32, $i: u32, n: u32, t: u32) -> Exec<E> {
        store_index(e, $k, $s, Index::$ix, $off, n, t)
    }
    $(#[$doc])*
    #[inline(always)]
    fn $ld<E: Arm>(e: &mut E, $s: u32, $i: u32, n: u32, t: u32) -> Exec<E> {
        load_index(e, $k, $s, Index::$ix, $off, n, t)
    }
    $(#[$doc])*
    #[inline(always)]
    fn $lds<E: Arm>(e: &mut E, $s: u32, w: u32, $i: u32, n: u32, t: u32) -> Exec<E> {
        load_signed(e, $k, $s, w, Index::$ix, $off, n, t)
    }
)* } }
indexed! {
    /// Unsigned scaled offset. [C6.2.225]
    str_uimm ldr_uimm ldrs_uimm |i, s| (i as u64) << s, Offset, Access::PLAIN;
    /// Unscaled offset. [C6.2.238]
    stur ldur ldurs |i, s| { let _ = s; imm9(i) }, Offset, Access::PLAIN;
    /// Post-index. [C6.2.225]
    str_post ldr_post ldrs_post |i, s| { let _ = s; imm9(i) }, Post, Access::PLAIN;
    /// Pre-index. [C6.2.225]
    str_pre ldr_pre ldrs_pre |i, s| { let _ = s; imm9(i) }, Pre, Access::PLAIN;
    /// Unprivileged. [C6.2.236]
    sttr ldtr ldtrs |i, s| { let _ = s; imm9(i) }, Offset, Access::USER;
}

/// The address of a register-offset access; options without bit 1 are reserved and give `None`.
#[inline(always)]
pub(crate) fn register_address<E: Arm>(
    e: &mut E,
    m: u32,
    option: u32,
    shift: u32,
    n: u32,
) -> Result<E::Val<W64>, E::Abort> {
    let at = base(e, n)?;
    let offset = super::alu::extended::<E, W64>(e, m, option, shift);
    Ok(e.add(at, offset))
}

/// STR (register). [C6.2.389]
#[inline(always)]
fn str_reg<E: Arm>(e: &mut E, s: u32, m: u32, o: u32, h: u32, n: u32, t: u32) -> Exec<E> {
    if o & 2 == 0 {
        return e.undefined();
    }
    let at = register_address(e, m, o, h * s, n)?;
    let v = e.x::<W64>(t);
    write(e, Access::PLAIN, s, at, v)?;
    Ok(Flow::Next)
}

/// LDR (register). [C6.2.227]
#[inline(always)]
fn ldr_reg<E: Arm>(e: &mut E, s: u32, m: u32, o: u32, h: u32, n: u32, t: u32) -> Exec<E> {
    if o & 2 == 0 {
        return e.undefined();
    }
    let at = register_address(e, m, o, h * s, n)?;
    let v = read(e, Access::PLAIN, s, at)?;
    e.set_x::<W64>(t, v);
    Ok(Flow::Next)
}

/// LDRSB, LDRSH, LDRSW, PRFM (register). [C6.2.231]
#[inline(always)]
fn ldrs_reg<E: Arm>(e: &mut E, s: u32, w: u32, m: u32, o: u32, h: u32, n: u32, t: u32) -> Exec<E> {
    if s == 3 && w == 0 && o & 2 != 0 {
        return Ok(Flow::Next);
    }
    if o & 2 == 0 || s >= 2 + (1 - w) {
        return e.undefined();
    }
    let at = register_address(e, m, o, h * s, n)?;
    let v = read(e, Access::PLAIN, s, at)?;
    set_signed(e, s, w, t, v);
    Ok(Flow::Next)
}

fn literal<E: Arm>(e: &mut E, log2: u32, i: u32) -> Result<E::Val<W64>, E::Abort> {
    let at = e.pc_plus(super::branch::offset(i, 19));
    read(e, Access::PLAIN, log2, at)
}

/// LDR (literal), 32 bits. [C6.2.226]
fn ldr_lit_w<E: Arm>(e: &mut E, i: u32, t: u32) -> Exec<E> {
    let v = literal(e, 2, i)?;
    e.set_x::<W64>(t, v);
    Ok(Flow::Next)
}

/// LDR (literal), 64 bits. [C6.2.226]
fn ldr_lit_x<E: Arm>(e: &mut E, i: u32, t: u32) -> Exec<E> {
    let v = literal(e, 3, i)?;
    e.set_x::<W64>(t, v);
    Ok(Flow::Next)
}

/// LDRSW (literal). [C6.2.234]
fn ldrsw_lit<E: Arm>(e: &mut E, i: u32, t: u32) -> Exec<E> {
    let v = literal(e, 2, i)?;
    set_signed(e, 2, 0, t, v);
    Ok(Flow::Next)
}

/// PRFM: a hint that is not taken. [C6.2.274]
fn prefetch<E: Arm>(_: &mut E) -> Exec<E> {
    Ok(Flow::Next)
}

/// The addressing form of a pair: 0 no-allocate, 1 post, 2 offset, 3 pre.
pub(crate) const fn pair_index(m: u32) -> Index {
    match m {
        1 => Index::Post,
        3 => Index::Pre,
        _ => Index::Offset,
    }
}

/// A signed 7-bit offset, scaled.
pub(crate) const fn imm7(i: u32, log2: u32) -> u64 {
    (((((i << 25) as i32) >> 25) as i64) << log2) as u64
}

/// STP, STNP. [C6.2.386]
#[inline(always)]
fn stp<E: Arm>(e: &mut E, sf: u32, m: u32, i: u32, t2: u32, n: u32, t: u32) -> Exec<E> {
    let log2 = 2 + sf;
    let ix = pair_index(m);
    let (at, new) = ix.address(e, n, imm7(i, log2))?;
    if e.big_endian() {
        let (a, b) = (e.x::<W64>(t), e.x::<W64>(t2));
        write(e, Access::PLAIN, log2, at, a)?;
        let next = e.add_lit(at, 1 << log2);
        write(e, Access::PLAIN, log2, next, b)?;
    } else if sf == 0 {
        let pair = (e.x::<W32>(t), e.x::<W32>(t2));
        e.store_pair::<W32>(Access::PLAIN, at, pair)?;
    } else {
        let pair = (e.x::<W64>(t), e.x::<W64>(t2));
        e.store_pair::<W64>(Access::PLAIN, at, pair)?;
    }
    ix.write_back(e, n, new);
    Ok(Flow::Next)
}

/// Loads the two values of a pair, zero extended.
#[inline(always)]
fn load_two<E: Arm>(e: &mut E, log2: u32, at: E::Val<W64>) -> Result<(E::Val<W64>, E::Val<W64>), E::Abort> {
    if e.big_endian() {
        let a = read(e, Access::PLAIN, log2, at)?;
        let next = e.add_lit(at, 1 << log2);
        Ok((a, read(e, Access::PLAIN, log2, next)?))
    } else if log2 == 2 {
        let (a, b) = e.load_pair::<W32>(Access::PLAIN, at)?;
        Ok((e.zext::<W32, W64>(a), e.zext::<W32, W64>(b)))
    } else {
        e.load_pair::<W64>(Access::PLAIN, at)
    }
}

/// LDP, LDNP. [C6.2.222]
#[inline(always)]
fn ldp<E: Arm>(e: &mut E, sf: u32, m: u32, i: u32, t2: u32, n: u32, t: u32) -> Exec<E> {
    let log2 = 2 + sf;
    let ix = pair_index(m);
    let (at, new) = ix.address(e, n, imm7(i, log2))?;
    let (a, b) = load_two(e, log2, at)?;
    ix.write_back(e, n, new);
    e.set_x::<W64>(t, a);
    e.set_x::<W64>(t2, b);
    Ok(Flow::Next)
}

/// LDPSW. [C6.2.223]
fn ldpsw<E: Arm>(e: &mut E, m: u32, i: u32, t2: u32, n: u32, t: u32) -> Exec<E> {
    if m == 0 {
        return e.undefined();
    }
    let ix = pair_index(m);
    let (at, new) = ix.address(e, n, imm7(i, 2))?;
    let (a, b) = load_two(e, 2, at)?;
    ix.write_back(e, n, new);
    set_signed(e, 2, 0, t, a);
    set_signed(e, 2, 0, t2, b);
    Ok(Flow::Next)
}

/// LDRAA, LDRAB: the base is authenticated with a data key and modifier 0. [C6.2.228]
fn ldra<E: Arm>(e: &mut E, k: u32, s: u32, i: u32, w: u32, n: u32, t: u32) -> Exec<E> {
    let at = base(e, n)?;
    let zero = e.lit::<W64>(0);
    let at = pauth::auth(e, if k == 0 { pauth::Key::DA } else { pauth::Key::DB }, at, zero)?;
    let offset = (((((s << 9 | i) << 22) as i32) >> 22) as i64 * 8) as u64;
    let at = e.add_lit(at, offset);
    let v = read(e, Access::PLAIN, 3, at)?;
    if w == 1 {
        e.set_x_or_sp::<W64>(n, at);
    }
    e.set_x::<W64>(t, v);
    Ok(Flow::Next)
}

/// Orders a store-release before what follows, where other processors look on.
pub(crate) fn released<E: Arm>(e: &mut E) {
    if e.cx().mode & mode::SMP != 0 {
        e.fence(Fence::Full);
    }
}

/// STLUR. [C6.2.379]
fn stlur<E: Arm>(e: &mut E, s: u32, i: u32, n: u32, t: u32) -> Exec<E> {
    store_index(e, Access::RELEASE, s, Index::Offset, imm9(i), n, t)?;
    released(e);
    Ok(Flow::Next)
}

/// LDAPUR. [C6.2.207]
fn ldapur<E: Arm>(e: &mut E, s: u32, i: u32, n: u32, t: u32) -> Exec<E> {
    load_index(e, Access::ACQUIRE, s, Index::Offset, imm9(i), n, t)
}

/// LDAPURSB, LDAPURSH, LDAPURSW. [C6.2.210]
fn ldapurs<E: Arm>(e: &mut E, s: u32, w: u32, i: u32, n: u32, t: u32) -> Exec<E> {
    load_signed(e, Access::ACQUIRE, s, w, Index::Offset, imm9(i), n, t)
}
