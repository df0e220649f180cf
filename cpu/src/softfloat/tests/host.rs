//! Round-to-nearest against the host's FPU.

use super::operands::Random;
use crate::softfloat::{
    Env, F32, F64, Flags, Format, Int, Relation, Rounding, add, compare, convert, div, fma, from_int, mul,
    round_int, sqrt, sub, to_int,
};

const CASES: usize = 1_000_000;

/// A host type beside its format.
trait Host: Format {
    type Float: Copy;
    fn float(bits: u64) -> Self::Float;
    fn is_nan(bits: u64) -> bool {
        bits & Self::MAGNITUDE > Self::INFINITY
    }
    fn apply(op: Op, a: u64, b: u64, c: u64) -> u64;
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Add,
    Sub,
    Mul,
    Div,
    Sqrt,
    Fma,
}

const ALL: [Op; 6] = [Op::Add, Op::Sub, Op::Mul, Op::Div, Op::Sqrt, Op::Fma];

macro_rules! host {
    ($format:ty, $float:ty) => {
        impl Host for $format {
            type Float = $float;
            fn float(bits: u64) -> $float {
                <$float>::from_bits(bits as _)
            }
            fn apply(op: Op, a: u64, b: u64, c: u64) -> u64 {
                let (a, b, c) = (Self::float(a), Self::float(b), Self::float(c));
                let r = match op {
                    Op::Add => a + b,
                    Op::Sub => a - b,
                    Op::Mul => a * b,
                    Op::Div => a / b,
                    Op::Sqrt => a.sqrt(),
                    Op::Fma => a.mul_add(b, c),
                };
                u64::from(r.to_bits())
            }
        }
    };
}
host!(F32, f32);
host!(F64, f64);

fn ours<F: Format>(op: Op, a: u64, b: u64, c: u64, env: &mut Env) -> u64 {
    match op {
        Op::Add => add::<F>(a, b, env),
        Op::Sub => sub::<F>(a, b, env),
        Op::Mul => mul::<F>(a, b, env),
        Op::Div => div::<F>(a, b, env),
        Op::Sqrt => sqrt::<F>(a, env),
        Op::Fma => fma::<F>(a, b, c, env),
    }
}

fn arithmetic<F: Host>(op: Op) {
    let mut random = Random(op as u64 + 1);
    for _ in 0..CASES {
        let a = random.value::<F>();
        let b = random.partner::<F>(a);
        let c = if random.below(3) == 0 {
            // An addend that nearly cancels the product.
            mul::<F>(a, b, &mut Env::arm()) ^ F::SIGN ^ random.below(3)
        } else {
            random.partner::<F>(b)
        };
        let mut env = Env::arm();
        let got = ours::<F>(op, a, b, c, &mut env);
        let want = F::apply(op, a, b, c);
        if F::is_nan(want) {
            assert!(F::is_nan(got) && got & F::QUIET != 0, "{op:?} {a:#x} {b:#x} {c:#x}: {got:#x}");
        } else {
            assert_eq!(got, want, "{op:?} {a:#x} {b:#x} {c:#x}: {got:#x}, host {want:#x}");
        }
    }
}

#[test]
fn arithmetic_f32() {
    ALL.into_iter().for_each(arithmetic::<F32>);
}

#[test]
fn arithmetic_f64() {
    ALL.into_iter().for_each(arithmetic::<F64>);
}

#[test]
fn comparisons() {
    fn check<F: Host>()
    where
        F::Float: PartialOrd,
    {
        let mut random = Random(21);
        for _ in 0..CASES {
            let a = random.value::<F>();
            let b = random.partner::<F>(a);
            let want = match F::float(a).partial_cmp(&F::float(b)) {
                None => Relation::Unordered,
                Some(core::cmp::Ordering::Less) => Relation::Less,
                Some(core::cmp::Ordering::Equal) => Relation::Equal,
                Some(core::cmp::Ordering::Greater) => Relation::Greater,
            };
            assert_eq!(compare::<F>(a, b, false, &mut Env::arm()), want, "{a:#x} {b:#x}");
        }
    }
    check::<F32>();
    check::<F64>();
}

#[test]
fn between_formats() {
    let mut random = Random(22);
    for _ in 0..CASES {
        let mut env = Env::arm();
        let a = random.value::<F32>();
        let wide = convert::<F32, F64>(a, &mut env);
        if F32::is_nan(a) {
            assert!(F64::is_nan(wide));
        } else {
            assert_eq!(wide, f64::from(F32::float(a)).to_bits(), "{a:#x}");
            assert!(env.flags.is_empty());
        }
        let b = random.value::<F64>();
        let narrow = convert::<F64, F32>(b, &mut env);
        if F64::is_nan(b) {
            assert!(F32::is_nan(narrow));
        } else {
            assert_eq!(narrow, u64::from((F64::float(b) as f32).to_bits()), "{b:#x}");
        }
    }
}

#[test]
fn to_integers() {
    // A cast saturates as Arm's conversions do.
    fn check<F: Host, I: Int + PartialEq + core::fmt::Debug>(cast: impl Fn(F::Float) -> I) {
        let mut random = Random(23);
        for _ in 0..CASES {
            let a = random.value::<F>();
            let got = to_int::<F, I>(a, 0, Rounding::TowardZero, &mut Env::arm());
            assert_eq!(got, cast(F::float(a)), "{a:#x}");
        }
    }
    check::<F32, i16>(|x| x as i16);
    check::<F32, u16>(|x| x as u16);
    check::<F32, i32>(|x| x as i32);
    check::<F32, u32>(|x| x as u32);
    check::<F32, i64>(|x| x as i64);
    check::<F32, u64>(|x| x as u64);
    check::<F64, i32>(|x| x as i32);
    check::<F64, u32>(|x| x as u32);
    check::<F64, i64>(|x| x as i64);
    check::<F64, u64>(|x| x as u64);
}

#[test]
fn from_integers() {
    let mut random = Random(24);
    for _ in 0..CASES {
        let x = random.integer();
        let mut env = Env::arm();
        assert_eq!(from_int::<F64, u64>(x, 0, &mut env), (x as f64).to_bits(), "{x:#x}");
        assert_eq!(from_int::<F64, i64>(x as i64, 0, &mut env), (x as i64 as f64).to_bits(), "{x:#x}");
        assert_eq!(from_int::<F32, u64>(x, 0, &mut env), u64::from((x as f32).to_bits()), "{x:#x}");
        assert_eq!(
            from_int::<F32, i64>(x as i64, 0, &mut env),
            u64::from((x as i64 as f32).to_bits()),
            "{x:#x}"
        );
        assert_eq!(
            from_int::<F32, i32>(x as i32, 0, &mut env),
            u64::from((x as i32 as f32).to_bits()),
            "{x:#x}"
        );
        assert_eq!(from_int::<F64, u32>(x as u32, 0, &mut env), f64::from(x as u32).to_bits(), "{x:#x}");
    }
}

#[test]
fn to_integral_values() {
    type Round = (Rounding, fn(f64) -> f64);
    let modes: [Round; 5] = [
        (Rounding::NearestEven, f64::round_ties_even),
        (Rounding::NearestAway, f64::round),
        (Rounding::TowardPlus, f64::ceil),
        (Rounding::TowardMinus, f64::floor),
        (Rounding::TowardZero, f64::trunc),
    ];
    let mut random = Random(25);
    for _ in 0..CASES {
        let a = random.value::<F64>();
        for (mode, host) in modes {
            let mut env = Env::arm();
            let got = round_int::<F64>(a, mode, true, &mut env);
            if F64::is_nan(a) {
                assert!(F64::is_nan(got));
                continue;
            }
            let want = host(F64::float(a)).to_bits();
            assert_eq!(got, want, "{mode:?} {a:#x}");
            assert_eq!(env.flags.contains(Flags::INEXACT), want != a, "{mode:?} {a:#x}");
        }
    }
}
