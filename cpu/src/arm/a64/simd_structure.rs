//! Loads and stores of Advanced SIMD structures: LD1 to LD4, ST1 to ST4, LD1R to LD4R (DDI 0487 C4.1.94, C7.2).
//!
//! Memory is moved in whole vectors, which the permute operations then take apart, except where every element has its
//! own alignment check.

use super::load_store::base;
use super::simd_memory::{load, store, swap};
use crate::arm::emit::Arm;
use crate::arm::mode;
use crate::emit::{Access, Exec, Flow};
use crate::vec::{Lanes, VecOp};
use crate::width::{W8, W16, W32, W64, W128};

crate::rows! { Arm;
    "ST4 (multiple structures)" "0 Q 0011000 0 000000 0000 zz nnnnn ttttt" (Q, z, n, t) => st4;
    "LD4 (multiple structures)" "0 Q 0011000 1 000000 0000 zz nnnnn ttttt" (Q, z, n, t) => ld4;
    "ST1 (multiple structures, 4 registers)" "0 Q 0011000 0 000000 0010 zz nnnnn ttttt" (Q, z, n, t) => st1x4;
    "LD1 (multiple structures, 4 registers)" "0 Q 0011000 1 000000 0010 zz nnnnn ttttt" (Q, z, n, t) => ld1x4;
    "ST3 (multiple structures)" "0 Q 0011000 0 000000 0100 zz nnnnn ttttt" (Q, z, n, t) => st3;
    "LD3 (multiple structures)" "0 Q 0011000 1 000000 0100 zz nnnnn ttttt" (Q, z, n, t) => ld3;
    "ST1 (multiple structures, 3 registers)" "0 Q 0011000 0 000000 0110 zz nnnnn ttttt" (Q, z, n, t) => st1x3;
    "LD1 (multiple structures, 3 registers)" "0 Q 0011000 1 000000 0110 zz nnnnn ttttt" (Q, z, n, t) => ld1x3;
    "ST1 (multiple structures, 1 register)" "0 Q 0011000 0 000000 0111 zz nnnnn ttttt" (Q, z, n, t) => st1x1;
    "LD1 (multiple structures, 1 register)" "0 Q 0011000 1 000000 0111 zz nnnnn ttttt" (Q, z, n, t) => ld1x1;
    "ST2 (multiple structures)" "0 Q 0011000 0 000000 1000 zz nnnnn ttttt" (Q, z, n, t) => st2;
    "LD2 (multiple structures)" "0 Q 0011000 1 000000 1000 zz nnnnn ttttt" (Q, z, n, t) => ld2;
    "ST1 (multiple structures, 2 registers)" "0 Q 0011000 0 000000 1010 zz nnnnn ttttt" (Q, z, n, t) => st1x2;
    "LD1 (multiple structures, 2 registers)" "0 Q 0011000 1 000000 1010 zz nnnnn ttttt" (Q, z, n, t) => ld1x2;
    "ST4 (multiple structures, post-index)" "0 Q 0011001 0 0 mmmmm 0000 zz nnnnn ttttt" (Q, m, z, n, t) => st4_post;
    "LD4 (multiple structures, post-index)" "0 Q 0011001 1 0 mmmmm 0000 zz nnnnn ttttt" (Q, m, z, n, t) => ld4_post;
    "ST1 (multiple structures, 4 registers, post-index)" "0 Q 0011001 0 0 mmmmm 0010 zz nnnnn ttttt" (Q, m, z, n, t) => st1x4_post;
    "LD1 (multiple structures, 4 registers, post-index)" "0 Q 0011001 1 0 mmmmm 0010 zz nnnnn ttttt" (Q, m, z, n, t) => ld1x4_post;
    "ST3 (multiple structures, post-index)" "0 Q 0011001 0 0 mmmmm 0100 zz nnnnn ttttt" (Q, m, z, n, t) => st3_post;
    "LD3 (multiple structures, post-index)" "0 Q 0011001 1 0 mmmmm 0100 zz nnnnn ttttt" (Q, m, z, n, t) => ld3_post;
    "ST1 (multiple structures, 3 registers, post-index)" "0 Q 0011001 0 0 mmmmm 0110 zz nnnnn ttttt" (Q, m, z, n, t) => st1x3_post;
    "LD1 (multiple structures, 3 registers, post-index)" "0 Q 0011001 1 0 mmmmm 0110 zz nnnnn ttttt" (Q, m, z, n, t) => ld1x3_post;
    "ST1 (multiple structures, 1 register, post-index)" "0 Q 0011001 0 0 mmmmm 0111 zz nnnnn ttttt" (Q, m, z, n, t) => st1x1_post;
    "LD1 (multiple structures, 1 register, post-index)" "0 Q 0011001 1 0 mmmmm 0111 zz nnnnn ttttt" (Q, m, z, n, t) => ld1x1_post;
    "ST2 (multiple structures, post-index)" "0 Q 0011001 0 0 mmmmm 1000 zz nnnnn ttttt" (Q, m, z, n, t) => st2_post;
    "LD2 (multiple structures, post-index)" "0 Q 0011001 1 0 mmmmm 1000 zz nnnnn ttttt" (Q, m, z, n, t) => ld2_post;
    "ST1 (multiple structures, 2 registers, post-index)" "0 Q 0011001 0 0 mmmmm 1010 zz nnnnn ttttt" (Q, m, z, n, t) => st1x2_post;
    "LD1 (multiple structures, 2 registers, post-index)" "0 Q 0011001 1 0 mmmmm 1010 zz nnnnn ttttt" (Q, m, z, n, t) => ld1x2_post;
    "ST1-ST4 (single structure, 8-bit)"  "0 Q 0011010 0 R 00000 00 o S zz nnnnn ttttt" (Q, R, o, S, z, n, t) => st_8;
    "LD1-LD4 (single structure, 8-bit)"  "0 Q 0011010 1 R 00000 00 o S zz nnnnn ttttt" (Q, R, o, S, z, n, t) => ld_8;
    "ST1-ST4 (single structure, 16-bit)" "0 Q 0011010 0 R 00000 01 o S z0 nnnnn ttttt" (Q, R, o, S, z, n, t) => st_16;
    "LD1-LD4 (single structure, 16-bit)" "0 Q 0011010 1 R 00000 01 o S z0 nnnnn ttttt" (Q, R, o, S, z, n, t) => ld_16;
    "ST1-ST4 (single structure, 32-bit)" "0 Q 0011010 0 R 00000 10 o S 00 nnnnn ttttt" (Q, R, o, S, n, t) => st_32;
    "LD1-LD4 (single structure, 32-bit)" "0 Q 0011010 1 R 00000 10 o S 00 nnnnn ttttt" (Q, R, o, S, n, t) => ld_32;
    "ST1-ST4 (single structure, 64-bit)" "0 Q 0011010 0 R 00000 10 o 0 01 nnnnn ttttt" (Q, R, o, n, t) => st_64;
    "LD1-LD4 (single structure, 64-bit)" "0 Q 0011010 1 R 00000 10 o 0 01 nnnnn ttttt" (Q, R, o, n, t) => ld_64;
    "LD1R-LD4R" "0 Q 0011010 1 R 00000 11 o 0 zz nnnnn ttttt" (Q, R, o, z, n, t) => ld_r;
    "ST1-ST4 (single structure, 8-bit, post-index)"  "0 Q 0011011 0 R mmmmm 00 o S zz nnnnn ttttt" (Q, R, m, o, S, z, n, t) => st_8_post;
    "LD1-LD4 (single structure, 8-bit, post-index)"  "0 Q 0011011 1 R mmmmm 00 o S zz nnnnn ttttt" (Q, R, m, o, S, z, n, t) => ld_8_post;
    "ST1-ST4 (single structure, 16-bit, post-index)" "0 Q 0011011 0 R mmmmm 01 o S z0 nnnnn ttttt" (Q, R, m, o, S, z, n, t) => st_16_post;
    "LD1-LD4 (single structure, 16-bit, post-index)" "0 Q 0011011 1 R mmmmm 01 o S z0 nnnnn ttttt" (Q, R, m, o, S, z, n, t) => ld_16_post;
    "ST1-ST4 (single structure, 32-bit, post-index)" "0 Q 0011011 0 R mmmmm 10 o S 00 nnnnn ttttt" (Q, R, m, o, S, n, t) => st_32_post;
    "LD1-LD4 (single structure, 32-bit, post-index)" "0 Q 0011011 1 R mmmmm 10 o S 00 nnnnn ttttt" (Q, R, m, o, S, n, t) => ld_32_post;
    "ST1-ST4 (single structure, 64-bit, post-index)" "0 Q 0011011 0 R mmmmm 10 o 0 01 nnnnn ttttt" (Q, R, m, o, n, t) => st_64_post;
    "LD1-LD4 (single structure, 64-bit, post-index)" "0 Q 0011011 1 R mmmmm 10 o 0 01 nnnnn ttttt" (Q, R, m, o, n, t) => ld_64_post;
    "LD1R-LD4R (post-index)" "0 Q 0011011 1 R mmmmm 11 o 0 zz nnnnn ttttt" (Q, R, m, o, z, n, t) => ld_r_post;
}

/// Adds register `m`, or for 31 the number of bytes transferred, to the base.
fn write_back<E: Arm>(e: &mut E, post: Option<u32>, n: u32, base: E::Val<W64>, bytes: u64) {
    if let Some(m) = post {
        let step = if m == 31 { e.lit::<W64>(bytes) } else { e.x::<W64>(m) };
        let moved = e.add(base, step);
        e.set_x_or_sp::<W64>(n, moved);
    }
}

/// Register `i` of a list that starts at `t`.
fn nth(t: u32, i: usize) -> u32 {
    (t + i as u32) % 32
}

/// Byte indices that gather elements of `1 << log2` bytes: result element `j` is element `from(j)` of a table whose
/// first element is `first`; elements outside of 16 bytes get an index that the lookup answers with zero.
fn indices(log2: u32, first: usize, from: impl Fn(usize) -> usize) -> u128 {
    u128::from_le_bytes(std::array::from_fn(|i| {
        let at = ((from(i >> log2).wrapping_sub(first)) << log2).wrapping_add(i & ((1 << log2) - 1));
        if at < 16 { at as u8 } else { 0xFF }
    }))
}

/// Looks up in three tables, each byte in the one that has it.
fn gather<E: Arm>(e: &mut E, v: [E::Val<W128>; 3], index: impl Fn(usize) -> u128) -> E::Val<W128> {
    let mut r = e.lit::<W128>(0);
    for (k, v) in v.into_iter().enumerate() {
        let index = e.lit::<W128>(index(k));
        let part = e.v2(VecOp::Table, Lanes::full(0), v, index);
        r = e.v2(VecOp::Or, Lanes::full(0), r, part);
    }
    r
}

/// Takes `N` vectors of interleaved elements, packed without gaps, apart into one register an element of the structure.
fn deinterleave<E: Arm, const N: usize>(
    e: &mut E,
    log2: u32,
    q: u32,
    v: [E::Val<W128>; N],
) -> [E::Val<W128>; N] {
    let l = Lanes::full(log2);
    // The four vectors that unzipping needs; for 64-bit registers the upper two repeat what is cut off again.
    let mut r = v;
    match N {
        2 => {
            let (a, b) = if q == 0 { (v[0], v[0]) } else { (v[0], v[1]) };
            r[0] = e.v2(VecOp::Unzip1, l, a, b);
            r[1] = e.v2(VecOp::Unzip2, l, a, b);
        }
        3 => {
            for (i, r) in r.iter_mut().enumerate() {
                let per = 16 >> log2;
                *r = gather(e, [v[0], v[1], v[2]], |k| indices(log2, k * per, |j| 3 * j + i));
            }
        }
        4 => {
            let (c, d) = if q == 0 { (v[0], v[1]) } else { (v[2], v[3]) };
            let (even, odd) = (e.v2(VecOp::Unzip1, l, v[0], v[1]), e.v2(VecOp::Unzip2, l, v[0], v[1]));
            let (even2, odd2) = (e.v2(VecOp::Unzip1, l, c, d), e.v2(VecOp::Unzip2, l, c, d));
            r[0] = e.v2(VecOp::Unzip1, l, even, even2);
            r[1] = e.v2(VecOp::Unzip1, l, odd, odd2);
            r[2] = e.v2(VecOp::Unzip2, l, even, even2);
            r[3] = e.v2(VecOp::Unzip2, l, odd, odd2);
        }
        _ => {}
    }
    if q == 0 && N > 1 {
        r = r.map(|v| e.v1(VecOp::Low, l, v));
    }
    r
}

/// The inverse of [`deinterleave`].
fn interleave<E: Arm, const N: usize>(
    e: &mut E,
    log2: u32,
    q: u32,
    v: [E::Val<W128>; N],
) -> [E::Val<W128>; N] {
    let l = Lanes::full(log2);
    let mut r = v;
    match N {
        2 => {
            r[0] = e.v2(VecOp::Zip1, l, v[0], v[1]);
            r[1] = e.v2(VecOp::Zip2, l, v[0], v[1]);
        }
        3 => {
            for (k, r) in r.iter_mut().enumerate() {
                let per = 16 >> log2;
                *r = gather(e, [v[0], v[1], v[2]], |i| {
                    indices(log2, 0, |j| if (k * per + j) % 3 == i { (k * per + j) / 3 } else { 16 })
                });
            }
        }
        4 => {
            let (a, b) = (e.v2(VecOp::Zip1, l, v[0], v[2]), e.v2(VecOp::Zip1, l, v[1], v[3]));
            r[0] = e.v2(VecOp::Zip1, l, a, b);
            r[1] = e.v2(VecOp::Zip2, l, a, b);
            if q != 0 {
                let (c, d) = (e.v2(VecOp::Zip2, l, v[0], v[2]), e.v2(VecOp::Zip2, l, v[1], v[3]));
                r[2] = e.v2(VecOp::Zip1, l, c, d);
                r[3] = e.v2(VecOp::Zip2, l, c, d);
            }
        }
        _ => {}
    }
    r
}

/// Bytes of vector `i` where `total` bytes are moved in vectors of 16: their log2, or `None` past the end.
fn piece(total: u64, i: usize) -> Option<u32> {
    match total.saturating_sub(16 * i as u64) {
        0 => None,
        8 => Some(3),
        _ => Some(4),
    }
}

/// Loads `N` registers; `structures` says that their elements are interleaved in memory.
fn load_multiple<E: Arm, const N: usize>(
    e: &mut E,
    structures: bool,
    (q, log2): (u32, u32),
    post: Option<u32>,
    n: u32,
    t: u32,
) -> Exec<E> {
    if structures && log2 == 3 && q == 0 {
        return e.undefined();
    }
    e.check_fp()?;
    let base = base(e, n)?;
    let (size, total) = (8 << q, (N as u64) << (3 + q));
    let zero = e.lit::<W128>(0);
    let mut v = [zero; N];
    if e.cx().mode & mode::STRICT != 0 {
        for element in 0..(total >> log2) {
            let at = e.add_lit(base, element << log2);
            let x = load(e, log2, at)?;
            let (register, lane) = place::<N>(structures, element, size >> log2);
            v[register] = set_element(e, log2, v[register], lane, x);
        }
    } else {
        if structures || q != 0 {
            for (i, v) in v.iter_mut().enumerate() {
                if let Some(bytes) = piece(total, i) {
                    let at = e.add_lit(base, 16 * i as u64);
                    *v = load_whole(e, bytes, at)?;
                }
            }
        } else {
            for (i, v) in v.iter_mut().enumerate() {
                let at = e.add_lit(base, 8 * i as u64);
                *v = load_whole(e, 3, at)?;
            }
        }
        v = v.map(|v| swap(e, log2, v));
        if structures {
            v = deinterleave(e, log2, q, v);
        }
    }
    for (i, v) in v.into_iter().enumerate() {
        e.set_v(nth(t, i), v);
    }
    write_back(e, post, n, base, total);
    Ok(Flow::Next)
}

/// Loads 8 or 16 bytes as memory has them.
fn load_whole<E: Arm>(e: &mut E, log2: u32, at: E::Val<W64>) -> crate::emit::Emit<E, W128> {
    if log2 == 3 {
        let x = e.load::<W64>(Access::PLAIN, at)?;
        Ok(e.to_vec(x))
    } else {
        e.load::<W128>(Access::PLAIN, at)
    }
}

/// Stores the low 8 or all 16 bytes as they are.
fn store_whole<E: Arm>(e: &mut E, log2: u32, at: E::Val<W64>, v: E::Val<W128>) -> Result<(), E::Abort> {
    if log2 == 3 {
        let x = e.lane::<W64>(v, 0);
        e.store::<W64>(Access::PLAIN, at, x)
    } else {
        e.store::<W128>(Access::PLAIN, at, v)
    }
}

/// Register and lane of an element by its number in memory; `per` is the number of elements in a register.
fn place<const N: usize>(structures: bool, element: u64, per: u64) -> (usize, u32) {
    if structures {
        ((element % N as u64) as usize, (element / N as u64) as u32)
    } else {
        ((element / per) as usize, (element % per) as u32)
    }
}

/// Stores `N` registers; `structures` says that their elements are interleaved in memory.
fn store_multiple<E: Arm, const N: usize>(
    e: &mut E,
    structures: bool,
    (q, log2): (u32, u32),
    post: Option<u32>,
    n: u32,
    t: u32,
) -> Exec<E> {
    if structures && log2 == 3 && q == 0 {
        return e.undefined();
    }
    e.check_fp()?;
    let base = base(e, n)?;
    let (size, total) = (8 << q, (N as u64) << (3 + q));
    let zero = e.lit::<W128>(0);
    let mut v = [zero; N];
    for (i, v) in v.iter_mut().enumerate() {
        *v = e.v(nth(t, i));
    }
    if e.cx().mode & mode::STRICT != 0 {
        for element in 0..(total >> log2) {
            let at = e.add_lit(base, element << log2);
            let (register, lane) = place::<N>(structures, element, size >> log2);
            let x = element_of(e, log2, v[register], lane);
            store(e, log2, at, x)?;
        }
    } else {
        if structures {
            v = interleave(e, log2, q, v);
        }
        v = v.map(|v| swap(e, log2, v));
        for (i, v) in v.into_iter().enumerate() {
            if q == 0 && !structures {
                let at = e.add_lit(base, 8 * i as u64);
                store_whole(e, 3, at, v)?;
            } else if let Some(bytes) = piece(total, i) {
                let at = e.add_lit(base, 16 * i as u64);
                store_whole(e, bytes, at, v)?;
            }
        }
    }
    write_back(e, post, n, base, total);
    Ok(Flow::Next)
}

macro_rules! multiple { ($($(#[$doc:meta])* $name:ident $post:ident $f:ident $count:literal $structures:literal;)*) => { $(
    $(#[$doc])*
    fn $name<E: Arm>(e: &mut E, q: u32, size: u32, n: u32, t: u32) -> Exec<E> {
        $f::<E, $count>(e, $structures, (q, size), None, n, t)
    }
    $(#[$doc])*
    fn $post<E: Arm>(e: &mut E, q: u32, m: u32, size: u32, n: u32, t: u32) -> Exec<E> {
        $f::<E, $count>(e, $structures, (q, size), Some(m), n, t)
    }
)* } }
multiple! {
    /// LD1, one register. [C7.2.198]
    ld1x1 ld1x1_post load_multiple 1 false;
    /// LD1, two registers. [C7.2.198]
    ld1x2 ld1x2_post load_multiple 2 false;
    /// LD1, three registers. [C7.2.198]
    ld1x3 ld1x3_post load_multiple 3 false;
    /// LD1, four registers. [C7.2.198]
    ld1x4 ld1x4_post load_multiple 4 false;
    /// LD2: de-interleaves pairs. [C7.2.201]
    ld2 ld2_post load_multiple 2 true;
    /// LD3: de-interleaves triples. [C7.2.204]
    ld3 ld3_post load_multiple 3 true;
    /// LD4: de-interleaves quadruples. [C7.2.207]
    ld4 ld4_post load_multiple 4 true;
    /// ST1, one register. [C7.2.360]
    st1x1 st1x1_post store_multiple 1 false;
    /// ST1, two registers. [C7.2.360]
    st1x2 st1x2_post store_multiple 2 false;
    /// ST1, three registers. [C7.2.360]
    st1x3 st1x3_post store_multiple 3 false;
    /// ST1, four registers. [C7.2.360]
    st1x4 st1x4_post store_multiple 4 false;
    /// ST2: interleaves pairs. [C7.2.362]
    st2 st2_post store_multiple 2 true;
    /// ST3: interleaves triples. [C7.2.364]
    st3 st3_post store_multiple 3 true;
    /// ST4: interleaves quadruples. [C7.2.366]
    st4 st4_post store_multiple 4 true;
}

/// Element `i` of `1 << log2` bytes, in lane 0 with zeros above.
pub(super) fn element_of<E: Arm>(e: &mut E, log2: u32, v: E::Val<W128>, i: u32) -> E::Val<W128> {
    macro_rules! lane {
        ($W:ty) => {{
            let x = e.lane::<$W>(v, i);
            e.to_vec(x)
        }};
    }
    match log2 {
        0 => lane!(W8),
        1 => lane!(W16),
        2 => lane!(W32),
        _ => lane!(W64),
    }
}

/// `v` with element `i` of `1 << log2` bytes replaced by lane 0 of `x`.
pub(super) fn set_element<E: Arm>(
    e: &mut E,
    log2: u32,
    v: E::Val<W128>,
    i: u32,
    x: E::Val<W128>,
) -> E::Val<W128> {
    macro_rules! lane {
        ($W:ty) => {{
            let x = e.lane::<$W>(x, 0);
            e.set_lane::<$W>(v, i, x)
        }};
    }
    match log2 {
        0 => lane!(W8),
        1 => lane!(W16),
        2 => lane!(W32),
        _ => lane!(W64),
    }
}

/// Loads one structure of `count` elements into lane `i` of as many registers, or stores it from there.
fn single<E: Arm>(
    e: &mut E,
    is_load: bool,
    (log2, i): (u32, u32),
    count: usize,
    post: Option<u32>,
    n: u32,
    t: u32,
) -> Exec<E> {
    e.check_fp()?;
    let base = base(e, n)?;
    let zero = e.lit::<W128>(0);
    let mut loaded = [zero; 4];
    for (k, x) in loaded.iter_mut().enumerate().take(count) {
        let at = e.add_lit(base, (k as u64) << log2);
        if is_load {
            *x = load(e, log2, at)?;
        } else {
            let v = e.v(nth(t, k));
            let x = element_of(e, log2, v, i);
            store(e, log2, at, x)?;
        }
    }
    if is_load {
        for (k, x) in loaded.into_iter().enumerate().take(count) {
            let v = e.v(nth(t, k));
            let v = set_element(e, log2, v, i, x);
            e.set_v(nth(t, k), v);
        }
    }
    write_back(e, post, n, base, (count as u64) << log2);
    Ok(Flow::Next)
}

/// Number of elements of a single structure: 1 to 4.
fn elements(r: u32, o: u32) -> usize {
    (o << 1 | r) as usize + 1
}

macro_rules! singles { ($($(#[$doc:meta])* $name:ident $post:ident $load:literal ($($field:ident),*) $lane:expr;)*) => { $(
    $(#[$doc])*
    fn $name<E: Arm>(e: &mut E, q: u32, r: u32, o: u32, $($field: u32,)* n: u32, t: u32) -> Exec<E> {
        let lane: fn(u32, $($field: u32),*) -> (u32, u32) = $lane;
        single(e, $load, lane(q, $($field),*), elements(r, o), None, n, t)
    }
    $(#[$doc])*
    fn $post<E: Arm>(e: &mut E, q: u32, r: u32, m: u32, o: u32, $($field: u32,)* n: u32, t: u32) -> Exec<E> {
        let lane: fn(u32, $($field: u32),*) -> (u32, u32) = $lane;
        single(e, $load, lane(q, $($field),*), elements(r, o), Some(m), n, t)
    }
)* } }
singles! {
    /// LD1 to LD4 (single structure) of bytes. [C7.2.199]
    ld_8 ld_8_post true (s, z) |q, s, z| (0, q << 3 | s << 2 | z);
    /// ST1 to ST4 (single structure) of bytes. [C7.2.361]
    st_8 st_8_post false (s, z) |q, s, z| (0, q << 3 | s << 2 | z);
    /// LD1 to LD4 (single structure) of halfwords. [C7.2.199]
    ld_16 ld_16_post true (s, z) |q, s, z| (1, q << 2 | s << 1 | z);
    /// ST1 to ST4 (single structure) of halfwords. [C7.2.361]
    st_16 st_16_post false (s, z) |q, s, z| (1, q << 2 | s << 1 | z);
    /// LD1 to LD4 (single structure) of words. [C7.2.199]
    ld_32 ld_32_post true (s) |q, s| (2, q << 1 | s);
    /// ST1 to ST4 (single structure) of words. [C7.2.361]
    st_32 st_32_post false (s) |q, s| (2, q << 1 | s);
    /// LD1 to LD4 (single structure) of doublewords. [C7.2.199]
    ld_64 ld_64_post true () |q| (3, q);
    /// ST1 to ST4 (single structure) of doublewords. [C7.2.361]
    st_64 st_64_post false () |q| (3, q);
}

/// Loads one structure and replicates each element through its register.
fn replicate<E: Arm>(
    e: &mut E,
    (q, log2): (u32, u32),
    count: usize,
    post: Option<u32>,
    n: u32,
    t: u32,
) -> Exec<E> {
    e.check_fp()?;
    let base = base(e, n)?;
    let zero = e.lit::<W128>(0);
    let mut loaded = [zero; 4];
    for (k, x) in loaded.iter_mut().enumerate().take(count) {
        let at = e.add_lit(base, (k as u64) << log2);
        *x = load(e, log2, at)?;
    }
    for (k, x) in loaded.into_iter().enumerate().take(count) {
        let v = e.vi(VecOp::DupLane, Lanes::q(log2, q), 0, x);
        e.set_v(nth(t, k), v);
    }
    write_back(e, post, n, base, (count as u64) << log2);
    Ok(Flow::Next)
}

/// LD1R to LD4R. [C7.2.200, C7.2.203, C7.2.206, C7.2.209]
fn ld_r<E: Arm>(e: &mut E, q: u32, r: u32, o: u32, size: u32, n: u32, t: u32) -> Exec<E> {
    replicate(e, (q, size), elements(r, o), None, n, t)
}

/// LD1R to LD4R, post-indexed. [C7.2.200, C7.2.203, C7.2.206, C7.2.209]
fn ld_r_post<E: Arm>(e: &mut E, q: u32, r: u32, m: u32, o: u32, size: u32, n: u32, t: u32) -> Exec<E> {
    replicate(e, (q, size), elements(r, o), Some(m), n, t)
}
