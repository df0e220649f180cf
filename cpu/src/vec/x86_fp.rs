//! Floating-point operations that only SSE, AVX and FMA have (SDM vol. 2).

use super::fp_env::{by_format, map2, within};
use super::{FpEnv, Lanes};
use crate::softfloat::{self as soft, Env, F32, Format, Relation, Rounding};
use crate::x86::flags;

/// Which signs [`super::VecOp::FMulAddX`] changes; a NaN keeps its own.
pub mod sign {
    /// Of the product.
    pub const PRODUCT: u32 = 1;
    /// Of the addend in even elements.
    pub const EVEN: u32 = 2;
    /// Of the addend in odd elements.
    pub const ODD: u32 = 4;
}

/// The predicates of VCMPPS by bits 3:0 (SDM vol. 2, table 3-1): less, equal, greater, unordered.
const HOLDS: [[bool; 4]; 8] = {
    const fn p(lt: u8, eq: u8, gt: u8, un: u8) -> [bool; 4] {
        [lt != 0, eq != 0, gt != 0, un != 0]
    }
    [
        p(0, 1, 0, 0),
        p(1, 0, 0, 0),
        p(1, 1, 0, 0),
        p(0, 0, 0, 1),
        p(1, 0, 1, 1),
        p(0, 1, 1, 1),
        p(0, 0, 1, 1),
        p(1, 1, 1, 0),
    ]
};
/// The same of predicates 8 to 15.
const HOLDS_ALSO: [[bool; 4]; 8] = [
    [false, true, false, true],
    [true, false, false, true],
    [true, true, false, true],
    [false, false, false, false],
    [true, false, true, false],
    [false, true, true, false],
    [false, false, true, false],
    [true, true, true, true],
];

/// Whether a quiet NaN is invalid: the ordering predicates signal, and bit 4 turns it around.
fn signals(imm: u32) -> bool {
    matches!(imm & 7, 1 | 2 | 5 | 6) != (imm & 16 != 0)
}

fn predicate<F: Format>(imm: u32, x: u64, y: u64, e: &mut Env) -> u64 {
    let relation = soft::compare::<F>(x, y, signals(imm), e);
    let holds = if imm & 8 == 0 { HOLDS } else { HOLDS_ALSO }[imm as usize & 7];
    let yes = match relation {
        Relation::Less => holds[0],
        Relation::Equal => holds[1],
        Relation::Greater => holds[2],
        Relation::Unordered => holds[3],
    };
    if yes { F::MASK } else { 0 }
}

/// `f` of every element with its number.
fn numbered<const N: usize>(
    l: Lanes,
    v: [u128; N],
    env: &mut FpEnv,
    f: impl Fn(u32, [u64; N], &mut Env) -> u64,
) -> u128 {
    within(env, |e| l.build(|i| f(i, v.map(|x| l.get(x, i) as u64), e).into()))
}

fn is_nan<F: Format>(x: u64) -> bool {
    x & F::MAGNITUDE > F::INFINITY
}

fn fma<F: Format>(signs: u32, i: u32, [x, y, z]: [u64; 3], e: &mut Env) -> u64 {
    let flip = |v: u64, yes: bool| if yes && !is_nan::<F>(v) { v ^ F::SIGN } else { v };
    let product = signs & sign::PRODUCT != 0;
    let addend = signs & if i & 1 == 0 { sign::EVEN } else { sign::ODD } != 0;
    soft::fma::<F>(flip(x, product), y, flip(z, addend), e)
}

/// `x` rounded to 12 significant bits, to nearest; what is below the normal numbers becomes zero.
fn twelve(x: u64) -> u64 {
    let x = (x + (1 << 11)) & !0xFFF;
    if x & F32::INFINITY == 0 { x & F32::SIGN } else { x }
}

/// RCPPS and RSQRTPS round always to nearest, take denormal operands for zeros, and raise nothing.
fn estimate(l: Lanes, a: u128, f: impl Fn(u64, &mut Env) -> u64) -> u128 {
    l.map(a, |x| {
        let mut e = Env { flush_in: true, flush_out: true, ..Env::x86() };
        let r = f(x, &mut e);
        if r & F32::MAGNITUDE >= F32::INFINITY { r } else { twelve(r) }
    })
}

/// DPPS and DPPD: products where bits 7:4 say, sums of neighbours and then of those, spread as bits 3:0 say.
fn dot<F: Format>(l: Lanes, imm: u32, a: u128, b: u128, e: &mut Env) -> u128 {
    let product = |i: u32, e: &mut Env| {
        let take = imm >> (4 + i) & 1 != 0;
        if take { soft::mul::<F>(l.get(a, i) as u64, l.get(b, i) as u64, e) } else { 0 }
    };
    let mut products = [0; 4];
    for i in 0..l.count().min(4) {
        products[i as usize] = product(i, e);
    }
    let mut sum = soft::add::<F>(products[0], products[1], e);
    if l.count() > 2 {
        let high = soft::add::<F>(products[2], products[3], e);
        sum = soft::add::<F>(sum, high, e);
    }
    l.build(|i| if imm >> i & 1 != 0 { sum.into() } else { 0 })
}

super::functions! {
    fcmp = |l, imm, a, b, _, env| by_format!(l, F => map2(l, a, b, env, |x, y, e| predicate::<F>(imm, x, y, e)));
    fcomi = |l, imm, a, b, _, env| {
        let relation =
            by_format!(l, F => within(env, |e| soft::compare::<F>(a as u64, b as u64, imm & 1 != 0, e)));
        u128::from(match relation {
            Relation::Less => flags::CF,
            Relation::Equal => flags::ZF,
            Relation::Greater => 0,
            Relation::Unordered => flags::ZF | flags::PF | flags::CF,
        })
    };
    fadd_sub = |l, _, a, b, _, env| by_format!(l, F => numbered(l, [a, b], env, |i, [x, y], e| {
        if i & 1 == 0 { soft::sub::<F>(x, y, e) } else { soft::add::<F>(x, y, e) }
    }));
    fmul_add = |l, imm, a, b, c, env| by_format!(l, F => numbered(l, [a, b, c], env, |i, v, e| fma::<F>(imm, i, v, e)));
    fdot = |l, imm, a, b, _, env| by_format!(l, F => within(env, |e| dot::<F>(l, imm, a, b, e)));
    frecip = |l, _, a, _, _, _| estimate(l, a, |x, e| soft::div::<F32>(0x3F80_0000, x, e));
    frsqrt = |l, _, a, _, _, _| estimate(l, a, |x, e| {
        let root = soft::sqrt::<F32>(x, e);
        e.rounding = Rounding::NearestEven;
        soft::div::<F32>(0x3F80_0000, root, e)
    });
}
