//! Advanced SIMD permute, extract and table lookup (DDI 0487 C4.1.96).

use super::simd::{Sizes, splat};
use crate::arm::emit::Arm;
use crate::emit::{Exec, Flow};
use crate::vec::{Lanes, VecOp};
use crate::width::W128;

crate::rows! { Arm;
    "UZP1" "0 Q 001110 zz 0 mmmmm 0 001 10 nnnnn ddddd" (Q, z, m, n, d) => uzp1;
    "TRN1" "0 Q 001110 zz 0 mmmmm 0 010 10 nnnnn ddddd" (Q, z, m, n, d) => trn1;
    "ZIP1" "0 Q 001110 zz 0 mmmmm 0 011 10 nnnnn ddddd" (Q, z, m, n, d) => zip1;
    "UZP2" "0 Q 001110 zz 0 mmmmm 0 101 10 nnnnn ddddd" (Q, z, m, n, d) => uzp2;
    "TRN2" "0 Q 001110 zz 0 mmmmm 0 110 10 nnnnn ddddd" (Q, z, m, n, d) => trn2;
    "ZIP2" "0 Q 001110 zz 0 mmmmm 0 111 10 nnnnn ddddd" (Q, z, m, n, d) => zip2;
    "EXT"  "0 Q 101110 00 0 mmmmm 0 iiii 0 nnnnn ddddd" (Q, m, i, n, d) => ext;
    "TBL"  "0 Q 001110 00 0 mmmmm 0 ll 0 00 nnnnn ddddd" (Q, m, l, n, d) => tbl;
    "TBX"  "0 Q 001110 00 0 mmmmm 0 ll 1 00 nnnnn ddddd" (Q, m, l, n, d) => tbx;
}

macro_rules! permutes { ($($(#[$doc:meta])* $name:ident $op:ident;)*) => { $(
    $(#[$doc])*
    fn $name<E: Arm>(e: &mut E, q: u32, size: u32, m: u32, n: u32, d: u32) -> Exec<E> {
        if !Sizes::Any.allow(q, size) {
            return e.undefined();
        }
        e.check_fp()?;
        let (a, b) = (e.v(n), e.v(m));
        let r = e.v2(VecOp::$op, Lanes::q(size, q), a, b);
        e.set_v(d, r);
        Ok(Flow::Next)
    }
)* } }
permutes! {
    /// UZP1: even elements. [C7.2.440]
    uzp1 Unzip1;
    /// UZP2: odd elements. [C7.2.441]
    uzp2 Unzip2;
    /// TRN1: even elements, alternately. [C7.2.383]
    trn1 Transpose1;
    /// TRN2: odd elements, alternately. [C7.2.384]
    trn2 Transpose2;
    /// ZIP1: elements of the low halves, alternately. [C7.2.444]
    zip1 Zip1;
    /// ZIP2: elements of the high halves, alternately. [C7.2.445]
    zip2 Zip2;
}

/// EXT: bytes from within two concatenated vectors. [C7.2.45]
fn ext<E: Arm>(e: &mut E, q: u32, m: u32, i: u32, n: u32, d: u32) -> Exec<E> {
    if q == 0 && i >= 8 {
        return e.undefined();
    }
    e.check_fp()?;
    let (a, b) = (e.v(n), e.v(m));
    let r = e.vec(VecOp::Extract, Lanes::q(0, q), i, a, b, b);
    e.set_v(d, r);
    Ok(Flow::Next)
}

/// Looks bytes up in `len + 1` registers from `n` on; `r` has what indices beyond them give.
fn look_up<E: Arm>(e: &mut E, q: u32, m: u32, len: u32, n: u32, mut r: E::Val<W128>) -> E::Val<W128> {
    let l = Lanes::q(0, q);
    let mut index = e.v(m);
    let sixteen = splat(e, 0, 16);
    for k in 0..=len {
        let table = e.v((n + k) % 32);
        // Indices below a table wrap to 240 and above, which are beyond it.
        r = e.vec(VecOp::TableOr, l, 0, table, index, r);
        index = e.v2(VecOp::Sub, l, index, sixteen);
    }
    r
}

/// TBL: bytes from a table of 1 to 4 registers, zero beyond it. [C7.2.380]
fn tbl<E: Arm>(e: &mut E, q: u32, m: u32, len: u32, n: u32, d: u32) -> Exec<E> {
    e.check_fp()?;
    let r = if len == 0 {
        let (table, index) = (e.v(n), e.v(m));
        e.v2(VecOp::Table, Lanes::q(0, q), table, index)
    } else {
        let zero = e.lit::<W128>(0);
        look_up(e, q, m, len, n, zero)
    };
    e.set_v(d, r);
    Ok(Flow::Next)
}

/// TBX: bytes from a table of 1 to 4 registers, unchanged beyond it. [C7.2.381]
fn tbx<E: Arm>(e: &mut E, q: u32, m: u32, len: u32, n: u32, d: u32) -> Exec<E> {
    e.check_fp()?;
    let old = e.v(d);
    let r = look_up(e, q, m, len, n, old);
    e.set_v(d, r);
    Ok(Flow::Next)
}
