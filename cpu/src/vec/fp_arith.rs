//! Floating-point arithmetic, element by element, rounded and flushed as the environment says.

use super::fp_env::{by_format, map1, map2, map3, rounding_of};
use super::{Lanes, fp_env};
use crate::softfloat as soft;

/// The sign bit of every element in use.
#[inline(always)]
fn signs(l: Lanes) -> u128 {
    let all: u128 = match l.log2 {
        1 => 0x8000_8000_8000_8000_8000_8000_8000_8000,
        2 => 0x8000_0000_8000_0000_8000_0000_8000_0000,
        _ => 0x8000_0000_0000_0000_8000_0000_0000_0000,
    };
    all & l.used()
}

/// Bit of the constants of [`super::VecOp::FRound`]: an inexact result raises its flag.
pub const EXACT: u32 = 1 << 3;
/// Bit of the constants of [`super::VecOp::FRoundN`]: the range is that of 64-bit integers, not of 32-bit ones.
pub const RANGE64: u32 = 1 << 3;

super::functions! {
    fmov = |l, _, a, _, _, _| a & l.used();
    fabs = |l, _, a, _, _, _| a & l.used() & !signs(l);
    fneg = |l, _, a, _, _, _| (a & l.used()) ^ signs(l);
    fadd = |l, _, a, b, _, env| by_format!(l, F => map2(l, a, b, env, soft::add::<F>));
    fsub = |l, _, a, b, _, env| by_format!(l, F => map2(l, a, b, env, soft::sub::<F>));
    fmul = |l, _, a, b, _, env| by_format!(l, F => map2(l, a, b, env, soft::mul::<F>));
    fmulx = |l, _, a, b, _, env| by_format!(l, F => map2(l, a, b, env, soft::mulx::<F>));
    fdiv = |l, _, a, b, _, env| by_format!(l, F => map2(l, a, b, env, soft::div::<F>));
    fsqrt = |l, _, a, _, _, env| by_format!(l, F => map1(l, a, env, soft::sqrt::<F>));
    fmul_add = |l, _, a, b, c, env| by_format!(l, F => map3(l, (a, b, c), env, soft::fma::<F>));
    fmul_add_wide = |l, _, a, b, c, env| fp_env::within(env, |e| {
        l.build(|i| {
            let half = |v: u128| (v >> (16 * i)) as u64;
            soft::fma_widen(half(a), half(b), l.get(c, i) as u64, e).into()
        })
    });
    fmax = |l, _, a, b, _, env| by_format!(l, F => map2(l, a, b, env, soft::max::<F>));
    fmin = |l, _, a, b, _, env| by_format!(l, F => map2(l, a, b, env, soft::min::<F>));
    fmax_num = |l, _, a, b, _, env| by_format!(l, F => map2(l, a, b, env, soft::max_num::<F>));
    fmin_num = |l, _, a, b, _, env| by_format!(l, F => map2(l, a, b, env, soft::min_num::<F>));
    fround = |l, imm, a, _, _, env| by_format!(l, F => map1(l, a, env, |x, e| {
        soft::round_int::<F>(x, rounding_of(imm, e), imm & EXACT != 0, e)
    }));
    fround_n = |l, imm, a, _, _, env| by_format!(l, F => map1(l, a, env, |x, e| {
        let bits = if imm & RANGE64 == 0 { 32 } else { 64 };
        soft::round_int_n::<F>(x, bits, rounding_of(imm, e), e)
    }));
}
