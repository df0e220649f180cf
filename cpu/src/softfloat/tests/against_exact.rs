//! Every operation in every mode, results and flags, against [`oracle`].

use super::exact::Real;
use super::operands::Random;
use super::oracle::{self, Expected};
use crate::softfloat::{
    BF16, Env, F16, F16Alt, F32, F64, Flags, Format, Int, NanRules, Rounding, Tininess, add, convert, div,
    fma, fma_widen, from_int, mul, mulx, recip_step, round_int, round_int_n, rsqrt_step, sqrt, sub, to_int,
};

const CASES: usize = 60_000;

const MODES: [Rounding; 6] = [
    Rounding::NearestEven,
    Rounding::TowardPlus,
    Rounding::TowardMinus,
    Rounding::TowardZero,
    Rounding::NearestAway,
    Rounding::Odd,
];

fn any_env(random: &mut Random) -> Env {
    let bits = random.next();
    let bit = |n: u32| bits >> n & 1 != 0;
    let base = if bit(0) { Env::arm() } else { Env::x86() };
    Env {
        rounding: MODES[random.below(6) as usize],
        flush_in: bit(1) && bit(2),
        flush_out: bit(1) && bit(3),
        flush16: base.rules == NanRules::Arm && bit(4) && bit(5),
        default_nan: base.rules == NanRules::Arm && bit(6) && bit(7),
        underflow_unmasked: bit(8) && bit(9),
        ..base
    }
}

/// Runs `ours` and compares.
#[track_caller]
fn check(what: &str, operands: &[u64], env: &Env, ours: impl FnOnce(&mut Env) -> u64, want: Expected) {
    let mut after = *env;
    let got = ours(&mut after);
    assert!(
        (got, after.flags) == want,
        "{what} {operands:x?}: {got:#x} {:?}, expected {:#x} {:?}; {env:?}",
        after.flags,
        want.0,
        want.1,
    );
}

fn binary<F: Format>(a: u64, b: u64, env: &Env) {
    let x = [a, b];
    check("add", &x, env, |e| add::<F>(a, b, e), oracle::add::<F>(a, b, false, env));
    check("sub", &x, env, |e| sub::<F>(a, b, e), oracle::add::<F>(a, b, true, env));
    check("mul", &x, env, |e| mul::<F>(a, b, e), oracle::mul::<F>(a, b, false, env));
    check("mulx", &x, env, |e| mulx::<F>(a, b, e), oracle::mul::<F>(a, b, true, env));
    check("div", &x, env, |e| div::<F>(a, b, e), oracle::div::<F>(a, b, env));
    if env.rules == NanRules::Arm {
        check("recip_step", &x, env, |e| recip_step::<F>(a, b, e), oracle::step::<F>(a, b, 2, 1, env));
        check("rsqrt_step", &x, env, |e| rsqrt_step::<F>(a, b, e), oracle::step::<F>(a, b, 3, 2, env));
    }
}

fn random_binary<F: Format>(cases: usize) {
    let mut random = Random(u64::from(F::WIDTH));
    for _ in 0..cases {
        let a = random.value::<F>();
        let b = random.partner::<F>(a);
        binary::<F>(a, b, &any_env(&mut random));
    }
}

#[test]
fn binary_f16() {
    random_binary::<F16>(2 * CASES);
}

#[test]
fn binary_f32() {
    random_binary::<F32>(CASES);
}

#[test]
fn binary_f64() {
    random_binary::<F64>(CASES);
}

/// Every pair of values at a border of something.
#[test]
fn corner_pairs_f16() {
    let magnitudes = [
        0, 1, 2, 0x1ff, 0x200, 0x3fe, 0x3ff, 0x400, 0x401, 0x7ff, 0x800, 0x801, 0x13ff, 0x1400, 0x1401,
        0x2bff, 0x2c00, 0x37ff, 0x3800, 0x3801, 0x3bff, 0x3c00, 0x3c01, 0x3fff, 0x4000, 0x4001, 0x43ff,
        0x4400, 0x77ff, 0x7800, 0x7801, 0x7bfe, 0x7bff, 0x7c00, 0x7c01, 0x7dff, 0x7e00, 0x7e01, 0x7fff,
    ];
    let values = magnitudes.iter().flat_map(|&m| [m, m | 0x8000]);
    for a in values.clone() {
        for b in values.clone() {
            for rounding in MODES {
                binary::<F16>(a, b, &Env { rounding, ..Env::arm() });
            }
            binary::<F16>(a, b, &Env { flush16: true, default_nan: true, ..Env::arm() });
            binary::<F16>(a, b, &Env::x86());
        }
    }
}

fn random_fma<F: Format>(cases: usize) {
    let mut random = Random(100 + u64::from(F::WIDTH));
    for _ in 0..cases {
        let env = any_env(&mut random);
        let a = random.value::<F>();
        let b = random.partner::<F>(a);
        let near = mul::<F>(a, b, &mut Env::arm());
        let c = match random.below(3) {
            0 => near ^ F::SIGN ^ random.below(3),
            1 => random.partner::<F>(near),
            _ => random.value::<F>(),
        };
        check("fma", &[a, b, c], &env, |e| fma::<F>(a, b, c, e), oracle::fma::<F>(a, b, c, &env));
    }
}

#[test]
fn fused() {
    random_fma::<F16>(3 * CASES);
    random_fma::<F32>(CASES);
    random_fma::<F64>(CASES);
}

/// Half-precision factors widen exactly. NaNs among them are [`super::rules`]'s business.
#[test]
fn fused_widening() {
    let mut random = Random(9);
    for _ in 0..2 * CASES {
        let env = Env { rules: NanRules::Arm, tininess: Tininess::BeforeRounding, ..any_env(&mut random) };
        let a = random.value::<F16>();
        let b = random.partner::<F16>(a);
        if [a, b].iter().any(|x| x & F16::MAGNITUDE > F16::INFINITY) {
            continue;
        }
        let wide = |x: u64| match oracle::value::<F16>(x, &env).0 {
            oracle::Value::Number { x, .. } if x.is_zero() => F32::signed(x.negative, 0),
            _ => convert::<F16, F32>(x, &mut Env::arm()),
        };
        let (wa, wb) = (wide(a), wide(b));
        let near = mul::<F32>(wa, wb, &mut Env::arm());
        let c = match random.below(2) {
            0 => near ^ F32::SIGN ^ random.below(3),
            _ => random.partner::<F32>(near),
        };
        let want = oracle::fma::<F32>(wa, wb, c, &env);
        check("fma_widen", &[a, b, c], &env, |e| fma_widen(a, b, c, e), want);
    }
}

/// All half-precision values through everything that takes one operand.
#[test]
fn unary_f16_exhaustive() {
    let variants =
        [Env::arm(), Env::x86(), Env { flush16: true, flush_in: true, default_nan: true, ..Env::arm() }];
    for a in 0..=0xffff {
        for base in variants {
            for rounding in MODES {
                let env = Env { rounding, ..base };
                check("sqrt", &[a], &env, |e| sqrt::<F16>(a, e), oracle::sqrt::<F16>(a, &env));
                integral::<F16>(a, &env);
            }
            let env = &base;
            check("to f32", &[a], env, |e| convert::<F16, F32>(a, e), oracle::convert::<F16, F32>(a, env));
            check("to f64", &[a], env, |e| convert::<F16, F64>(a, e), oracle::convert::<F16, F64>(a, env));
            check(
                "alt to f32",
                &[a],
                env,
                |e| convert::<F16Alt, F32>(a, e),
                oracle::convert::<F16Alt, F32>(a, env),
            );
            integers::<F16>(a, 0, env);
            integers::<F16>(a, a as u32 % 65, env);
        }
    }
}

fn one_operand<F: Format>() {
    let mut random = Random(200 + u64::from(F::WIDTH));
    for _ in 0..CASES {
        let env = any_env(&mut random);
        let a = random.value::<F>();
        check("sqrt", &[a], &env, |e| sqrt::<F>(a, e), oracle::sqrt::<F>(a, &env));
        integral::<F>(a, &env);
        integers::<F>(a, 0, &env);
        integers::<F>(a, random.below(65) as u32, &env);
    }
}

#[test]
fn unary_f32() {
    one_operand::<F32>();
}

#[test]
fn unary_f64() {
    one_operand::<F64>();
}

/// Rounding to an integer value, by way of the exact integer.
fn integral<F: Format>(a: u64, env: &Env) {
    let mode = env.rounding;
    let (value, raised) = oracle::value::<F>(a, env);
    // The integer (out of every range for what is none), the unlimited result, and what it raises beside inexact.
    let (n, result, other, inexact) = match value {
        oracle::Value::Nan { signalling } => {
            let nan = if env.default_nan { oracle::default_nan::<F>(env) } else { a | F::QUIET };
            (i128::MAX, nan, if signalling { Flags::INVALID } else { Flags::NONE }, Flags::NONE)
        }
        oracle::Value::Infinity(_) => (i128::MAX, a, Flags::NONE, Flags::NONE),
        oracle::Value::Number { x, .. } => {
            let (n, inexact) = x.to_integer(mode);
            let exact = Real::new(x.negative, n.unsigned_abs(), 0);
            let result = match n {
                0 => F::signed(x.negative, 0),
                i128::MIN | i128::MAX => a,
                _ => exact.round::<F>(mode, env).0,
            };
            (n, result, Flags::NONE, if inexact { Flags::INEXACT } else { Flags::NONE })
        }
    };
    let (loud, quiet) = ((result, raised | other | inexact), (result, raised | other));
    check("round_int", &[a], env, |e| round_int::<F>(a, mode, true, e), loud);
    check("round_int", &[a], env, |e| round_int::<F>(a, mode, false, e), quiet);
    if F::HALF {
        return;
    }
    for bits in [32, 64] {
        let limit = 1i128 << (bits - 1);
        let want = if (-limit..limit).contains(&n) {
            loud
        } else {
            (Real::new(true, limit as u128, 0).round::<F>(mode, env).0, raised | Flags::INVALID)
        };
        check("round_int_n", &[a, bits], env, |e| round_int_n::<F>(a, bits as u32, mode, e), want);
    }
}

fn integers<F: Format>(a: u64, fbits: u32, env: &Env) {
    fn check_to<F: Format, I: Int + Into<i128>>(a: u64, fbits: u32, env: &Env) {
        let limits = match (I::SIGNED, I::BITS) {
            (true, bits) => (-1i128 << (bits - 1), (1i128 << (bits - 1)) - 1),
            (false, bits) => (0, (1i128 << bits) - 1),
        };
        let indefinite = if I::SIGNED { limits.0 } else { limits.1 };
        let (want, flags) = oracle::to_int::<F>(a, fbits, env.rounding, limits, indefinite, env);
        let ours = |e: &mut Env| to_int::<F, I>(a, fbits, env.rounding, e).into() as u64;
        check("to_int", &[a, u64::from(fbits)], env, ours, (want as u64, flags));
    }
    check_to::<F, i16>(a, fbits, env);
    check_to::<F, u16>(a, fbits, env);
    check_to::<F, i32>(a, fbits, env);
    check_to::<F, u32>(a, fbits, env);
    check_to::<F, i64>(a, fbits, env);
    check_to::<F, u64>(a, fbits, env);
}

#[test]
fn from_integers() {
    fn check_from<F: Format>(x: u64, fbits: u32, env: &Env) {
        let want = |negative, magnitude: u64| match magnitude {
            0 => (0, Flags::NONE),
            _ => Real::new(negative, u128::from(magnitude), -i64::from(fbits)).round::<F>(env.rounding, env),
        };
        let (s, w) = (x as i64, x as i32);
        let of = [x, u64::from(fbits)];
        check("from u64", &of, env, |e| from_int::<F, u64>(x, fbits, e), want(false, x));
        check("from i64", &of, env, |e| from_int::<F, i64>(s, fbits, e), want(s < 0, s.unsigned_abs()));
        check(
            "from i32",
            &of,
            env,
            |e| from_int::<F, i32>(w, fbits, e),
            want(w < 0, w.unsigned_abs().into()),
        );
        check("from u16", &of, env, |e| from_int::<F, u16>(x as u16, fbits, e), want(false, x & 0xffff));
    }
    let mut random = Random(6);
    for _ in 0..CASES {
        let env = any_env(&mut random);
        let (x, fbits) = (random.integer(), if random.below(2) == 0 { 0 } else { random.below(65) as u32 });
        check_from::<F16>(x, fbits, &env);
        check_from::<F32>(x, fbits, &env);
        check_from::<F64>(x, fbits, &env);
    }
}

#[test]
fn between_formats() {
    fn check_both<A: Format, B: Format>(random: &mut Random) {
        let env = any_env(random);
        // Half of the wide operands lie where the narrow format ends.
        let a = if random.below(2) == 0 {
            random.value::<A>()
        } else {
            let narrow = random.value::<B>();
            let near = convert::<B, A>(narrow, &mut Env::arm());
            near ^ (random.next() & 7) << random.below(u64::from(A::FRAC.abs_diff(B::FRAC)))
        };
        check("convert", &[a], &env, |e| convert::<A, B>(a, e), oracle::convert::<A, B>(a, &env));
    }
    let mut random = Random(7);
    for _ in 0..CASES {
        check_both::<F64, F32>(&mut random);
        check_both::<F64, F16>(&mut random);
        check_both::<F32, F16>(&mut random);
        check_both::<F64, F16Alt>(&mut random);
        check_both::<F32, F16Alt>(&mut random);
        check_both::<F32, BF16>(&mut random);
        check_both::<F32, F64>(&mut random);
    }
}
