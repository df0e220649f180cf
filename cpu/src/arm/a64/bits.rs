//! Data processing: bit fields, extraction, shifts, multiplication, division, bit counting, CRC32, and the flag
//! manipulation instructions (DDI 0487 C4.1.92, C4.1.95).

use crate::arm::emit::Arm;
use crate::arm::features as feat;
use crate::arm::state;
use crate::by_sf;
use crate::emit::{Effects, Exec, Flow, Helper};
use crate::op::{Bin, Un, nzcv};
use crate::width::{Int, W32, W64};
use crate::{arm::Arm64, core::Core};

crate::rows! { Arm;
    "SBFM" "z 00 100110 N rrrrrr ssssss nnnnn ddddd" (z, N, r, s, n, d) => sbfm {z=1 N=1} {z=0 N=0} {z=1} {z=0};
    "BFM"  "z 01 100110 N rrrrrr ssssss nnnnn ddddd" (z, N, r, s, n, d) => bfm {z=1 N=1} {z=0 N=0} {z=1} {z=0};
    "UBFM" "z 10 100110 N rrrrrr ssssss nnnnn ddddd" (z, N, r, s, n, d) => ubfm {z=1 N=1} {z=0 N=0} {z=1} {z=0};
    "EXTR" "z 00 100111 N 0 mmmmm ssssss nnnnn ddddd" (z, N, m, s, n, d) => extr {z=1 N=1} {z=0 N=0} {z=1} {z=0};
    "RBIT"  "z 1 0 11010110 00000 000000 nnnnn ddddd" (z, n, d) => rbit;
    "REV16" "z 1 0 11010110 00000 000001 nnnnn ddddd" (z, n, d) => rev16;
    "REV (32-bit)" "0 1 0 11010110 00000 000010 nnnnn ddddd" (n, d) => rev_w;
    "REV32" "1 1 0 11010110 00000 000010 nnnnn ddddd" (n, d) => rev32;
    "REV (64-bit)" "1 1 0 11010110 00000 000011 nnnnn ddddd" (n, d) => rev_x;
    "CLZ"   "z 1 0 11010110 00000 000100 nnnnn ddddd" (z, n, d) => clz {z=1} {z=0};
    "CLS"   "z 1 0 11010110 00000 000101 nnnnn ddddd" (z, n, d) => cls;
    "UDIV" "z 0 0 11010110 mmmmm 000010 nnnnn ddddd" (z, m, n, d) => udiv {z=1} {z=0};
    "SDIV" "z 0 0 11010110 mmmmm 000011 nnnnn ddddd" (z, m, n, d) => sdiv {z=1} {z=0};
    "LSLV" "z 0 0 11010110 mmmmm 001000 nnnnn ddddd" (z, m, n, d) => lslv {z=1} {z=0};
    "LSRV" "z 0 0 11010110 mmmmm 001001 nnnnn ddddd" (z, m, n, d) => lsrv {z=1} {z=0};
    "ASRV" "z 0 0 11010110 mmmmm 001010 nnnnn ddddd" (z, m, n, d) => asrv {z=1} {z=0};
    "RORV" "z 0 0 11010110 mmmmm 001011 nnnnn ddddd" (z, m, n, d) => rorv {z=1} {z=0};
    "CRC32"  "z 0 0 11010110 mmmmm 010 0 ss nnnnn ddddd" (z, m, s, n, d) if feat::CRC32 => crc32;
    "CRC32C" "z 0 0 11010110 mmmmm 010 1 ss nnnnn ddddd" (z, m, s, n, d) if feat::CRC32 => crc32c;
    "MADD"   "z 00 11011 000 mmmmm 0 aaaaa nnnnn ddddd" (z, m, a, n, d) => madd {z=1} {z=0};
    "MSUB"   "z 00 11011 000 mmmmm 1 aaaaa nnnnn ddddd" (z, m, a, n, d) => msub {z=1} {z=0};
    "SMADDL" "1 00 11011 001 mmmmm 0 aaaaa nnnnn ddddd" (m, a, n, d) => smaddl;
    "SMSUBL" "1 00 11011 001 mmmmm 1 aaaaa nnnnn ddddd" (m, a, n, d) => smsubl;
    "UMADDL" "1 00 11011 101 mmmmm 0 aaaaa nnnnn ddddd" (m, a, n, d) => umaddl;
    "UMSUBL" "1 00 11011 101 mmmmm 1 aaaaa nnnnn ddddd" (m, a, n, d) => umsubl;
    "SMULH"  "1 00 11011 010 mmmmm 0 aaaaa nnnnn ddddd" (m, n, d) => smulh;
    "UMULH"  "1 00 11011 110 mmmmm 0 aaaaa nnnnn ddddd" (m, n, d) => umulh;
    "CFINV"  "1101010100 0 00 000 0100 0000 000 11111" () if feat::FLAGM => cfinv;
    "XAFLAG" "1101010100 0 00 000 0100 0000 001 11111" () if feat::FLAGM2 => xaflag;
    "AXFLAG" "1101010100 0 00 000 0100 0000 010 11111" () if feat::FLAGM2 => axflag;
    "RMIF"   "1 0 1 11010000 iiiiii 00001 nnnnn 0 ffff" (i, n, f) if feat::FLAGM => rmif;
    "SETF8"  "0 0 1 11010000 000000 0 0010 nnnnn 0 1101" (n) if feat::FLAGM => setf8;
    "SETF16" "0 0 1 11010000 000000 1 0010 nnnnn 0 1101" (n) if feat::FLAGM => setf16;
}

/// Whether the fields of a bit-field instruction are reserved.
#[inline(always)]
fn reserved(sf: u32, n: u32, r: u32, s: u32) -> bool {
    n != sf || (sf == 0 && (r >= 32 || s >= 32))
}

/// SBFM: a signed bit field, moved. [C6.2.303]
#[expect(non_snake_case, reason = "N is the manual's name for the field")]
#[inline(always)]
fn sbfm<E: Arm>(e: &mut E, sf: u32, N: u32, r: u32, s: u32, n: u32, d: u32) -> Exec<E> {
    if reserved(sf, N, r, s) {
        return e.undefined();
    }
    by_sf!(sf, W => {
        let bits = 32 << sf;
        let v = e.x::<W>(n);
        let up = e.shift(Bin::Shl, v, bits - 1 - s);
        let r = if s >= r {
            e.shift(Bin::Sar, up, bits - 1 - s + r)
        } else {
            e.shift(Bin::Sar, up, r - s - 1)
        };
        e.set_x::<W>(d, r);
    });
    Ok(Flow::Next)
}

/// UBFM: an unsigned bit field, moved. [C6.2.426]
#[expect(non_snake_case, reason = "N is the manual's name for the field")]
#[inline(always)]
fn ubfm<E: Arm>(e: &mut E, sf: u32, N: u32, r: u32, s: u32, n: u32, d: u32) -> Exec<E> {
    if reserved(sf, N, r, s) {
        return e.undefined();
    }
    by_sf!(sf, W => {
        let bits = 32 << sf;
        let v = e.x::<W>(n);
        let r = if s == bits - 1 {
            e.shift(Bin::Shr, v, r)
        } else if s >= r {
            let down = e.shift(Bin::Shr, v, r);
            let mask = e.lit::<W>(W::dec((1u64 << (s - r + 1)) - 1));
            e.and(down, mask)
        } else if s + 1 == r {
            // LSL: nothing is left to clear above.
            e.shift(Bin::Shl, v, bits - r)
        } else {
            let mask = e.lit::<W>(W::dec((1u64 << (s + 1)) - 1));
            let low = e.and(v, mask);
            e.shift(Bin::Shl, low, bits - r)
        };
        e.set_x::<W>(d, r);
    });
    Ok(Flow::Next)
}

/// BFM: a bit field, inserted into Rd. [C6.2.36]
#[expect(non_snake_case, reason = "N is the manual's name for the field")]
#[inline(always)]
fn bfm<E: Arm>(e: &mut E, sf: u32, N: u32, r: u32, s: u32, n: u32, d: u32) -> Exec<E> {
    if reserved(sf, N, r, s) {
        return e.undefined();
    }
    by_sf!(sf, W => {
        let bits = 32 << sf;
        let all = u64::MAX >> (64 - bits);
        let (old, v) = (e.x::<W>(d), e.x::<W>(n));
        let (field, mask) = if s >= r {
            let ones = all >> (bits - 1 - (s - r));
            (e.shift(Bin::Shr, v, r), ones)
        } else {
            let ones = (1u64 << (s + 1)) - 1;
            (e.shift(Bin::Shl, v, bits - r), ones << (bits - r))
        };
        let (take, keep) = (e.lit::<W>(W::dec(mask)), e.lit::<W>(W::dec(!mask)));
        let (new, kept) = (e.and(field, take), e.and(old, keep));
        let r = e.or(new, kept);
        e.set_x::<W>(d, r);
    });
    Ok(Flow::Next)
}

/// EXTR: bits `s` and up of the pair Rn:Rm. [C6.2.123]
#[expect(non_snake_case, reason = "N is the manual's name for the field")]
#[inline(always)]
fn extr<E: Arm>(e: &mut E, sf: u32, N: u32, m: u32, s: u32, n: u32, d: u32) -> Exec<E> {
    if N != sf || (sf == 0 && s >= 32) {
        return e.undefined();
    }
    by_sf!(sf, W => {
        let bits = 32 << sf;
        let (hi, lo) = (e.x::<W>(n), e.x::<W>(m));
        let r = if s == 0 {
            lo
        } else if n == m {
            e.shift(Bin::Ror, lo, s)
        } else {
            let (a, b) = (e.shift(Bin::Shr, lo, s), e.shift(Bin::Shl, hi, bits - s));
            e.or(a, b)
        };
        e.set_x::<W>(d, r);
    });
    Ok(Flow::Next)
}

macro_rules! one_source { ($($(#[$doc:meta])* $name:ident $op:ident;)*) => { $(
    $(#[$doc])*
    fn $name<E: Arm>(e: &mut E, sf: u32, n: u32, d: u32) -> Exec<E> {
        by_sf!(sf, W => {
            let v = e.x::<W>(n);
            let r = e.un(Un::$op, v);
            e.set_x::<W>(d, r);
        });
        Ok(Flow::Next)
    }
)* } }
one_source! {
    /// RBIT: bits reversed. [C6.2.277]
    rbit Rbit;
    /// REV16: bytes reversed in half-words. [C6.2.281]
    rev16 Rev16;
    /// CLZ: leading zeros. [C6.2.72]
    clz Clz;
    /// CLS: leading sign bits. [C6.2.71]
    cls Cls;
    /// REV: bytes reversed. [C6.2.280]
    rev Bswap;
}

/// REV (32-bit). [C6.2.280]
fn rev_w<E: Arm>(e: &mut E, n: u32, d: u32) -> Exec<E> {
    rev(e, 0, n, d)
}

/// REV (64-bit). [C6.2.280]
fn rev_x<E: Arm>(e: &mut E, n: u32, d: u32) -> Exec<E> {
    rev(e, 1, n, d)
}

/// REV32: bytes reversed in words. [C6.2.282]
fn rev32<E: Arm>(e: &mut E, n: u32, d: u32) -> Exec<E> {
    let v = e.x::<W64>(n);
    let r = e.un(Un::Rev32, v);
    e.set_x::<W64>(d, r);
    Ok(Flow::Next)
}

macro_rules! two_source { ($($(#[$doc:meta])* $name:ident $op:ident;)*) => { $(
    $(#[$doc])*
    fn $name<E: Arm>(e: &mut E, sf: u32, m: u32, n: u32, d: u32) -> Exec<E> {
        by_sf!(sf, W => {
            let (a, b) = (e.x::<W>(n), e.x::<W>(m));
            let r = e.bin(Bin::$op, a, b);
            e.set_x::<W>(d, r);
        });
        Ok(Flow::Next)
    }
)* } }
two_source! {
    /// UDIV: 0 when dividing by 0. [C6.2.428]
    udiv UDiv;
    /// SDIV: 0 when dividing by 0. [C6.2.304]
    sdiv SDiv;
    /// LSLV: shift modulo the width. [C6.2.241]
    lslv Shl;
    /// LSRV. [C6.2.244]
    lsrv Shr;
    /// ASRV. [C6.2.19]
    asrv Sar;
    /// RORV. [C6.2.287]
    rorv Ror;
}

/// A reflected CRC of each byte, followed by as many bytes of zeros as the first index says.
type CrcTables = [[u32; 256]; 8];

const fn crc_tables(polynomial: u32) -> CrcTables {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = crc >> 1 ^ (if crc & 1 != 0 { polynomial } else { 0 });
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut zeros = 1;
    while zeros < 8 {
        let mut byte = 0;
        while byte < 256 {
            let crc = tables[zeros - 1][byte];
            tables[zeros][byte] = crc >> 8 ^ tables[0][crc as usize & 0xFF];
            byte += 1;
        }
        zeros += 1;
    }
    tables
}

/// One step of a reflected CRC over the low bytes of `data`, their number's log2 being the low bits of `log2`.
fn crc(tables: &CrcTables, acc: u64, data: u64, log2: u64) -> u64 {
    let count = 1 << (log2 & 3);
    let acc = acc as u32 as u64;
    let data = acc ^ if count == 8 { data } else { data & ((1 << (8 * count)) - 1) };
    let bytes = data.to_le_bytes();
    let crc = (0..count).fold(0, |crc, i| crc ^ tables[count - 1 - i][bytes[i] as usize]);
    // What is above the data stays, in its new place.
    let rest = if count < 4 { (acc >> (8 * count)) as u32 } else { 0 };
    (crc ^ rest) as u64
}

/// CRC-32 (polynomial 0x04C11DB7) of arguments accumulator, data, log2 of the size in bytes.
static CRC32: Helper<Arm64> = Helper {
    name: "crc32",
    effects: Effects::NONE,
    run: |_: &mut Core<Arm64>, acc, data, log2| {
        static TABLES: CrcTables = crc_tables(0xEDB8_8320);
        Ok(crc(&TABLES, acc, data, log2))
    },
};
/// CRC-32C (polynomial 0x1EDC6F41).
static CRC32C: Helper<Arm64> = Helper {
    name: "crc32c",
    effects: Effects::NONE,
    run: |_: &mut Core<Arm64>, acc, data, log2| {
        static TABLES: CrcTables = crc_tables(0x82F6_3B78);
        Ok(crc(&TABLES, acc, data, log2))
    },
};

fn crc_step<E: Arm>(
    e: &mut E,
    h: &'static Helper<Arm64>,
    sf: u32,
    m: u32,
    s: u32,
    n: u32,
    d: u32,
) -> Exec<E> {
    if (s == 3) != (sf == 1) {
        return e.undefined();
    }
    let (acc, data) = (e.x::<W32>(n), e.x::<W64>(m));
    let acc = e.zext::<W32, W64>(acc);
    let size = e.lit::<W64>(s as u64);
    let r = e.call(h, [acc, data, size])?;
    e.set_x::<W64>(d, r);
    Ok(Flow::Next)
}

/// CRC32B/H/W/X. [C6.2.102]
fn crc32<E: Arm>(e: &mut E, sf: u32, m: u32, s: u32, n: u32, d: u32) -> Exec<E> {
    crc_step(e, &CRC32, sf, m, s, n, d)
}

/// CRC32CB/H/W/X. [C6.2.103]
fn crc32c<E: Arm>(e: &mut E, sf: u32, m: u32, s: u32, n: u32, d: u32) -> Exec<E> {
    crc_step(e, &CRC32C, sf, m, s, n, d)
}

macro_rules! multiply_add { ($($(#[$doc:meta])* $name:ident $op:ident;)*) => { $(
    $(#[$doc])*
    fn $name<E: Arm>(e: &mut E, sf: u32, m: u32, a: u32, n: u32, d: u32) -> Exec<E> {
        by_sf!(sf, W => {
            let (x, y, acc) = (e.x::<W>(n), e.x::<W>(m), e.x::<W>(a));
            let p = e.bin(Bin::Mul, x, y);
            let r = e.bin(Bin::$op, acc, p);
            e.set_x::<W>(d, r);
        });
        Ok(Flow::Next)
    }
)* } }
multiply_add! {
    /// MADD: `Rd = Ra + Rn*Rm`. [C6.2.246]
    madd Add;
    /// MSUB: `Rd = Ra - Rn*Rm`. [C6.2.253]
    msub Sub;
}

macro_rules! multiply_long { ($($(#[$doc:meta])* $name:ident $ext:ident $op:ident;)*) => { $(
    $(#[$doc])*
    fn $name<E: Arm>(e: &mut E, m: u32, a: u32, n: u32, d: u32) -> Exec<E> {
        let (x, y, acc) = (e.x::<W32>(n), e.x::<W32>(m), e.x::<W64>(a));
        let (x, y) = (e.$ext::<W32, W64>(x), e.$ext::<W32, W64>(y));
        let p = e.bin(Bin::Mul, x, y);
        let r = e.bin(Bin::$op, acc, p);
        e.set_x::<W64>(d, r);
        Ok(Flow::Next)
    }
)* } }
multiply_long! {
    /// SMADDL: `Xd = Xa + Wn*Wm`, signed. [C6.2.310]
    smaddl sext Add;
    /// SMSUBL. [C6.2.313]
    smsubl sext Sub;
    /// UMADDL. [C6.2.432]
    umaddl zext Add;
    /// UMSUBL. [C6.2.434]
    umsubl zext Sub;
}

/// SMULH: high half of the signed product. [C6.2.314]
fn smulh<E: Arm>(e: &mut E, m: u32, n: u32, d: u32) -> Exec<E> {
    two_high(e, Bin::MulHiS, m, n, d)
}

/// UMULH: high half of the unsigned product. [C6.2.435]
fn umulh<E: Arm>(e: &mut E, m: u32, n: u32, d: u32) -> Exec<E> {
    two_high(e, Bin::MulHiU, m, n, d)
}

fn two_high<E: Arm>(e: &mut E, op: Bin, m: u32, n: u32, d: u32) -> Exec<E> {
    let (a, b) = (e.x::<W64>(n), e.x::<W64>(m));
    let r = e.bin(op, a, b);
    e.set_x::<W64>(d, r);
    Ok(Flow::Next)
}

/// CFINV: inverts C. [C6.2.66]
fn cfinv<E: Arm>(e: &mut E) -> Exec<E> {
    let (f, c) = (e.read_flags(state::NZCV), e.lit::<W32>(nzcv::C));
    let r = e.xor(f, c);
    e.write_flags(state::NZCV, r);
    Ok(Flow::Next)
}

/// One flag as 0 or 1.
fn flag<E: Arm>(e: &mut E, f: E::Val<W32>, bit: u32) -> E::Val<W32> {
    let down = e.shift(Bin::Shr, f, bit.trailing_zeros());
    let one = e.lit::<W32>(1);
    e.and(down, one)
}

/// Puts four flags given as 0 or 1.
fn put_flags<E: Arm>(e: &mut E, n: E::Val<W32>, z: E::Val<W32>, c: E::Val<W32>, v: E::Val<W32>) {
    let n = e.shift(Bin::Shl, n, nzcv::N.trailing_zeros());
    let z = e.shift(Bin::Shl, z, nzcv::Z.trailing_zeros());
    let c = e.shift(Bin::Shl, c, nzcv::C.trailing_zeros());
    let (nz, cv) = (e.or(n, z), e.or(c, v));
    let r = e.or(nz, cv);
    e.write_flags(state::NZCV, r);
}

/// AXFLAG: from Arm's to the external format of a comparison. [C6.2.23]
fn axflag<E: Arm>(e: &mut E) -> Exec<E> {
    let f = e.read_flags(state::NZCV);
    let (z, c, v) = (flag(e, f, nzcv::Z), flag(e, f, nzcv::C), flag(e, f, nzcv::V));
    let zero = e.lit::<W32>(0);
    let new_z = e.or(z, v);
    let new_c = e.bin(Bin::AndNot, c, v);
    put_flags(e, zero, new_z, new_c, zero);
    Ok(Flow::Next)
}

/// XAFLAG: from the external to Arm's format of a comparison. [C6.2.453]
fn xaflag<E: Arm>(e: &mut E) -> Exec<E> {
    let f = e.read_flags(state::NZCV);
    let (z, c) = (flag(e, f, nzcv::Z), flag(e, f, nzcv::C));
    let one = e.lit::<W32>(1);
    let (nc, nz) = (e.xor(c, one), e.xor(z, one));
    let n = e.and(nc, nz);
    let new_z = e.and(z, c);
    let new_c = e.or(c, z);
    let v = e.and(nc, z);
    put_flags(e, n, new_z, new_c, v);
    Ok(Flow::Next)
}

/// RMIF: inserts rotated bits of Xn into the flags that the mask selects. [C6.2.283]
fn rmif<E: Arm>(e: &mut E, i: u32, n: u32, mask: u32) -> Exec<E> {
    let v = e.x::<W64>(n);
    let v = e.shift(Bin::Ror, v, i);
    let v = e.zext::<W64, W32>(v);
    let f = e.read_flags(state::NZCV);
    let mut bits = [f; 4];
    for (k, (from, to)) in [(8, nzcv::N), (4, nzcv::Z), (2, nzcv::C), (1, nzcv::V)].into_iter().enumerate() {
        bits[k] = if mask & from != 0 { flag(e, v, from) } else { flag(e, f, to) };
    }
    put_flags(e, bits[0], bits[1], bits[2], bits[3]);
    Ok(Flow::Next)
}

/// SETF8 and SETF16: N, Z and V of a narrow result; C stays.
fn setf<E: Arm>(e: &mut E, n: u32, bits: u32) -> Exec<E> {
    let v = e.x::<W32>(n);
    let f = e.read_flags(state::NZCV);
    let c = flag(e, f, nzcv::C);
    let sign = flag(e, v, 1 << (bits - 1));
    let above = flag(e, v, 1 << bits);
    let overflow = e.xor(sign, above);
    let up = e.shift(Bin::Shl, v, 32 - bits);
    let zero = e.lit::<W32>(0);
    let z = e.cmp(crate::op::Cmp::Eq, up, zero);
    let z = e.zext::<crate::width::W1, W32>(z);
    put_flags(e, sign, z, c, overflow);
    Ok(Flow::Next)
}

/// SETF8. [C6.2.305]
fn setf8<E: Arm>(e: &mut E, n: u32) -> Exec<E> {
    setf(e, n, 8)
}

/// SETF16. [C6.2.305]
fn setf16<E: Arm>(e: &mut E, n: u32) -> Exec<E> {
    setf(e, n, 16)
}
