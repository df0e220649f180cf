//! Fused operations: one rounding of a product and a sum (`FPMulAdd`, `FPMulAddH`, `FPRecipStepFused`,
//! `FPRSqrtStepFused`).

use super::convert::convert_nan;
use super::round::{exact_zero, jam_high, round, shr_jam128};
use super::unpack::{Kind, Num, Unpacked, is_normal, normal, note_denormals, unpack};
use super::{Env, F16, F32, Format, NanRules, nan};

/// `a * b + c`, rounded once. Among NaNs Arm prefers `c`, then `a`, `b`; x86 prefers `a`, then `b`, `c`
/// (operands in the order of the digits of VFMADD132, 213 or 231).
#[inline]
pub fn fma<F: Format>(a: u64, b: u64, c: u64, env: &mut Env) -> u64 {
    if is_normal::<F>(a) && is_normal::<F>(b) && is_normal::<F>(c) {
        fma_finite::<F>(normal::<F>(a), normal::<F>(b), normal::<F>(c), 0, env)
    } else {
        fma_any::<F>(a, b, c, env)
    }
}

/// `a * b + c` of half-precision factors and a single-precision addend (FMLAL, FMLSL).
#[inline]
pub fn fma_widen(a: u64, b: u64, c: u64, env: &mut Env) -> u64 {
    if is_normal::<F16>(a) && is_normal::<F16>(b) && is_normal::<F32>(c) {
        fma_finite::<F32>(normal::<F16>(a), normal::<F16>(b), normal::<F32>(c), 0, env)
    } else {
        fma_widen_any(a, b, c, env)
    }
}

/// `2 - a * b`, rounded once (FRECPS). Infinity times zero counts as zero.
#[inline]
pub fn recip_step<F: Format>(a: u64, b: u64, env: &mut Env) -> u64 {
    step::<F>(a, b, 1 << 63, 0, env)
}

/// `(3 - a * b) / 2`, rounded once (FRSQRTS). Infinity times zero counts as zero.
#[inline]
pub fn rsqrt_step<F: Format>(a: u64, b: u64, env: &mut Env) -> u64 {
    step::<F>(a, b, 3 << 62, -1, env)
}

/// `(a * b + c) * 2^scale` in one rounding.
#[inline(always)]
fn fma_finite<F: Format>(a: Num, b: Num, c: Num, scale: i32, env: &mut Env) -> u64 {
    let sign = a.sign ^ b.sign;
    let full = u128::from(a.sig) * u128::from(b.sig);
    // Leading bit at 126 in both, one free bit above for the carry. The product's exact bits end above bit 20.
    let down = (full >> 127) as u32;
    let product = full >> down;
    let exp = a.exp + b.exp + down as i32;
    let addend = u128::from(c.sig) << 63;
    let swap = (exp, product) < (c.exp, addend);
    let (hi, lo, sign_hi, exp_hi, exp_lo) =
        if swap { (addend, product, c.sign, c.exp, exp) } else { (product, addend, sign, exp, c.exp) };
    let low = shr_jam128(lo, (exp_hi - exp_lo) as u32);
    let sum = if sign == c.sign { hi + low } else { hi - low };
    if sum == 0 {
        return exact_zero::<F>(env);
    }
    let up = sum.leading_zeros();
    let x = Num { sign: sign_hi, exp: exp_hi + 1 - up as i32 + scale, sig: jam_high(sum << up) };
    round::<F>(x, env)
}

/// [`fma_finite`] without an addend.
fn product<F: Format>(a: Num, b: Num, scale: i32, env: &mut Env) -> u64 {
    let full = u128::from(a.sig) * u128::from(b.sig);
    let up = full.leading_zeros();
    let exp = a.exp + b.exp + 1 - up as i32 + scale;
    round::<F>(Num { sign: a.sign ^ b.sign, exp, sig: jam_high(full << up) }, env)
}

fn infinity_times_zero(x: &Unpacked, y: &Unpacked) -> bool {
    (x.is_infinite() && y.is_zero()) || (x.is_zero() && y.is_infinite())
}

#[cold]
#[inline(never)]
fn fma_any<F: Format>(a: u64, b: u64, c: u64, env: &mut Env) -> u64 {
    let (x, y, z) = (unpack::<F>(a, env), unpack::<F>(b, env), unpack::<F>(c, env));
    let nan = match env.rules {
        NanRules::Arm => nan::select::<F, 3>([(&z, c), (&x, a), (&y, b)], env),
        NanRules::X86 => nan::select::<F, 3>([(&x, a), (&y, b), (&z, c)], env),
    };
    fma_special::<F>(&x, &y, &z, nan, env)
}

#[cold]
#[inline(never)]
fn fma_widen_any(a: u64, b: u64, c: u64, env: &mut Env) -> u64 {
    let z = unpack::<F32>(c, env);
    let x = unpack::<F16>(a, env);
    let y = unpack::<F16>(b, env);
    // The choice looks at kinds only, so the half operands can take part widened.
    let wide = |u: &Unpacked, bits| if u.is_nan() { convert_nan::<F16, F32>(bits) } else { 0 };
    let nan = nan::select::<F32, 3>([(&z, c), (&x, wide(&x, a)), (&y, wide(&y, b))], env);
    fma_special::<F32>(&x, &y, &z, nan, env)
}

fn fma_special<F: Format>(x: &Unpacked, y: &Unpacked, z: &Unpacked, nan: Option<u64>, env: &mut Env) -> u64 {
    if let Some(nan) = nan {
        if env.rules == NanRules::Arm && z.kind == Kind::Quiet && infinity_times_zero(x, y) {
            return nan::invalid::<F>(env);
        }
        return nan;
    }
    let sign = x.num.sign ^ y.num.sign;
    let infinite = x.is_infinite() || y.is_infinite();
    if infinity_times_zero(x, y) || (infinite && z.is_infinite() && sign != z.num.sign) {
        return nan::invalid::<F>(env);
    }
    note_denormals(&[x, y, z], env);
    if infinite {
        F::signed(sign, F::INFINITY)
    } else if z.is_infinite() {
        F::signed(z.num.sign, F::INFINITY)
    } else if x.is_zero() || y.is_zero() {
        match z.kind {
            Kind::Zero if sign == z.num.sign => F::signed(sign, 0),
            Kind::Zero => exact_zero::<F>(env),
            _ => round::<F>(z.num, env),
        }
    } else if z.is_zero() {
        product::<F>(x.num, y.num, 0, env)
    } else {
        fma_finite::<F>(x.num, y.num, z.num, 0, env)
    }
}

/// `(k - a * b) * 2^scale`, where `k` is a number in [2, 4) with significand `sig`.
#[inline(always)]
fn step<F: Format>(a: u64, b: u64, sig: u64, scale: i32, env: &mut Env) -> u64 {
    let k = Num { sign: false, exp: 1, sig };
    let a = a ^ F::SIGN;
    if is_normal::<F>(a) && is_normal::<F>(b) {
        fma_finite::<F>(normal::<F>(a), normal::<F>(b), k, scale, env)
    } else {
        step_any::<F>(a, b, k, scale, env)
    }
}

#[cold]
#[inline(never)]
fn step_any<F: Format>(a: u64, b: u64, k: Num, scale: i32, env: &mut Env) -> u64 {
    let x = unpack::<F>(a, env);
    let y = unpack::<F>(b, env);
    if let Some(nan) = nan::select::<F, 2>([(&x, a), (&y, b)], env) {
        return nan;
    }
    if infinity_times_zero(&x, &y) {
        round::<F>(Num { exp: k.exp + scale, ..k }, env)
    } else if x.is_infinite() || y.is_infinite() {
        F::signed(x.num.sign ^ y.num.sign, F::INFINITY)
    } else if x.is_zero() || y.is_zero() {
        round::<F>(Num { exp: k.exp + scale, ..k }, env)
    } else {
        fma_finite::<F>(x.num, y.num, k, scale, env)
    }
}
