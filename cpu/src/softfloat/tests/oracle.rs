//! What each operation must give, from its definition: exact arithmetic between special cases spelled out.

use super::exact::Real;
use crate::softfloat::{Env, Flags, Format, NanRules, Rounding};

/// A value as a definition sees it.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Nan { signalling: bool },
    Infinity(bool),
    Number { x: Real, denormal: bool },
}

use Value::{Infinity, Nan, Number};

/// The expected result and flags of an operation.
pub(super) type Expected = (u64, Flags);

/// Takes `bits` apart; the flags are those of a flushed denormal operand.
pub(super) fn value<F: Format>(bits: u64, env: &Env) -> (Value, Flags) {
    let negative = bits & F::SIGN != 0;
    let field = bits >> F::FRAC & F::EXP_MAX;
    let frac = bits & F::FRAC_MASK;
    let lowest = i64::from(F::EMIN) - i64::from(F::FRAC);
    let number = |mantissa, exp, denormal| Number { x: Real::new(negative, mantissa, exp), denormal };
    let none = Flags::NONE;
    match (field, frac) {
        (0, 0) => (number(0, 0, false), none),
        (0, _) if F::flush_in(env) => {
            let raised = env.rules == NanRules::Arm && !F::HALF;
            (number(0, 0, false), if raised { Flags::INPUT_DENORMAL } else { none })
        }
        (0, _) => (number(u128::from(frac), lowest, true), none),
        (f, 0) if f == F::EXP_MAX && !F::ALTERNATIVE => (Infinity(negative), none),
        (f, _) if f == F::EXP_MAX && !F::ALTERNATIVE => (Nan { signalling: frac & F::QUIET == 0 }, none),
        _ => (number(u128::from(frac | 1 << F::FRAC), lowest + field as i64 - 1, false), none),
    }
}

pub(super) fn default_nan<F: Format>(env: &Env) -> u64 {
    F::signed(env.rules == NanRules::X86, F::INFINITY | F::QUIET)
}

fn invalid<F: Format>(env: &Env) -> Expected {
    (default_nan::<F>(env), Flags::INVALID)
}

/// The NaN that operands in order of precedence give.
fn nan<F: Format>(operands: &[(&Value, u64)], env: &Env) -> Option<Expected> {
    let signalling = |v: &Value| matches!(v, Nan { signalling: true });
    let nans: Vec<_> = operands.iter().filter(|(v, _)| matches!(v, Nan { .. })).collect();
    let first = nans.first()?;
    let chosen = match env.rules {
        NanRules::Arm => nans.iter().find(|(v, _)| signalling(v)).unwrap_or(first),
        NanRules::X86 => first,
    };
    let flags = if nans.iter().any(|(v, _)| signalling(v)) { Flags::INVALID } else { Flags::NONE };
    Some((if env.default_nan { default_nan::<F>(env) } else { chosen.1 | F::QUIET }, flags))
}

fn denormals(operands: &[&Value], env: &Env) -> Flags {
    let any = operands.iter().any(|v| matches!(v, Number { denormal: true, .. }));
    if any && env.rules == NanRules::X86 { Flags::INPUT_DENORMAL } else { Flags::NONE }
}

fn zero_sum(env: &Env) -> bool {
    env.rounding == Rounding::TowardMinus
}

/// Rounds a sum whose terms have the given signs.
fn round_sum<F: Format>(sum: &Real, signs: (bool, bool), terms_zero: bool, env: &Env) -> Expected {
    if sum.is_zero() {
        let negative = if terms_zero && signs.0 == signs.1 { signs.0 } else { zero_sum(env) };
        (F::signed(negative, 0), Flags::NONE)
    } else {
        sum.round::<F>(env.rounding, env)
    }
}

pub(super) fn add<F: Format>(a: u64, b: u64, negate: bool, env: &Env) -> Expected {
    let ((x, fx), (mut y, fy)) = (value::<F>(a, env), value::<F>(b, env));
    let (r, f) = nan::<F>(&[(&x, a), (&y, b)], env).unwrap_or_else(|| {
        match &mut y {
            Infinity(s) => *s ^= negate,
            Number { x, .. } => x.negative ^= negate,
            Nan { .. } => {}
        }
        let d = denormals(&[&x, &y], env);
        let (r, f) = match (&x, &y) {
            (Infinity(s), Infinity(t)) if s != t => return invalid::<F>(env),
            (&Infinity(s), _) | (_, &Infinity(s)) => (F::signed(s, F::INFINITY), Flags::NONE),
            (Number { x, .. }, Number { x: y, .. }) => {
                round_sum::<F>(&x.add(y), (x.negative, y.negative), x.is_zero() && y.is_zero(), env)
            }
            _ => unreachable!(),
        };
        (r, f | d)
    });
    (r, f | fx | fy)
}

fn product(x: &Real, y: &Real, mantissas: (u64, u64)) -> Real {
    let mantissa = u128::from(mantissas.0) * u128::from(mantissas.1);
    Real::new(x.negative ^ y.negative, mantissa, x.exp + y.exp)
}

/// The integer significand of a value that [`value`] calls a number.
fn mantissa<F: Format>(bits: u64, x: &Real) -> u64 {
    let implied = u64::from(bits >> F::FRAC & F::EXP_MAX != 0) << F::FRAC;
    if x.is_zero() { 0 } else { bits & F::FRAC_MASK | implied }
}

fn negative(v: &Value) -> bool {
    match v {
        Infinity(s) => *s,
        Number { x, .. } => x.negative,
        Nan { .. } => false,
    }
}

pub(super) fn mul<F: Format>(a: u64, b: u64, extended: bool, env: &Env) -> Expected {
    let ((x, fx), (y, fy)) = (value::<F>(a, env), value::<F>(b, env));
    let (r, f) = nan::<F>(&[(&x, a), (&y, b)], env).unwrap_or_else(|| {
        let sign = negative(&x) ^ negative(&y);
        let d = denormals(&[&x, &y], env);
        match (&x, &y) {
            (Infinity(_), Number { x, .. }) | (Number { x, .. }, Infinity(_)) if x.is_zero() => {
                if extended {
                    Real::new(sign, 2, 0).round::<F>(env.rounding, env)
                } else {
                    invalid::<F>(env)
                }
            }
            (Number { x, .. }, Number { x: y, .. }) => {
                let p = product(x, y, (mantissa::<F>(a, x), mantissa::<F>(b, y)));
                let (r, f) = round_sum::<F>(&p, (sign, sign), true, env);
                (r, f | d)
            }
            _ => (F::signed(sign, F::INFINITY), d),
        }
    });
    (r, f | fx | fy)
}

pub(super) fn div<F: Format>(a: u64, b: u64, env: &Env) -> Expected {
    let ((x, fx), (y, fy)) = (value::<F>(a, env), value::<F>(b, env));
    let (r, f) = nan::<F>(&[(&x, a), (&y, b)], env).unwrap_or_else(|| {
        let sign = negative(&x) ^ negative(&y);
        let d = denormals(&[&x, &y], env);
        match (&x, &y) {
            (Infinity(_), Infinity(_)) => invalid::<F>(env),
            (Infinity(_), _) => (F::signed(sign, F::INFINITY), d),
            (_, Infinity(_)) => (F::signed(sign, 0), d),
            (Number { x, .. }, Number { x: y, .. }) => match (x.is_zero(), y.is_zero()) {
                (true, true) => invalid::<F>(env),
                (false, true) => (F::signed(sign, F::INFINITY), Flags::DIVZERO),
                (true, false) => (F::signed(sign, 0), d),
                (false, false) => {
                    // Both significands are below 2^53: the quotient has at least 58 bits.
                    let (n, m) = (u128::from(mantissa::<F>(a, x)), u128::from(mantissa::<F>(b, y)));
                    let up = n.leading_zeros() - 1;
                    let quotient = (n << up) / m;
                    let mut q = Real::new(sign, quotient, x.exp - y.exp - i64::from(up));
                    q.more = quotient * m != n << up;
                    let (r, f) = q.round::<F>(env.rounding, env);
                    (r, f | d)
                }
            },
            _ => unreachable!(),
        }
    });
    (r, f | fx | fy)
}

pub(super) fn sqrt<F: Format>(a: u64, env: &Env) -> Expected {
    let (x, fx) = value::<F>(a, env);
    let (r, f) = nan::<F>(&[(&x, a)], env).unwrap_or_else(|| match &x {
        Infinity(false) => (F::INFINITY, Flags::NONE),
        Number { x, .. } if x.is_zero() => (F::signed(x.negative, 0), Flags::NONE),
        Number { x: n, .. } if !n.negative => {
            let m = u128::from(mantissa::<F>(a, n));
            // An even exponent, and a radicand of at least 120 bits.
            let up = (m.leading_zeros() - 2) & !1 | (n.exp & 1) as u32;
            let radicand = m << up;
            let mut root = 0u128;
            for bit in (0..64).rev() {
                let more = root | 1 << bit;
                if more * more <= radicand {
                    root = more;
                }
            }
            let mut q = Real::new(false, root, (n.exp - i64::from(up)) / 2);
            q.more = root * root != radicand;
            let (r, f) = q.round::<F>(env.rounding, env);
            (r, f | denormals(&[&x], env))
        }
        _ => invalid::<F>(env),
    });
    (r, f | fx)
}

/// `a * b + c`.
pub(super) fn fma<F: Format>(a: u64, b: u64, c: u64, env: &Env) -> Expected {
    let ((x, fx), (y, fy), (z, fz)) = (value::<F>(a, env), value::<F>(b, env), value::<F>(c, env));
    let sign = negative(&x) ^ negative(&y);
    let zero = |v: &Value| matches!(v, Number { x, .. } if x.is_zero());
    let infinite = |v: &Value| matches!(v, Infinity(_));
    let undefined = (zero(&x) && infinite(&y)) || (infinite(&x) && zero(&y));
    let order = match env.rules {
        NanRules::Arm => [(&z, c), (&x, a), (&y, b)],
        NanRules::X86 => [(&x, a), (&y, b), (&z, c)],
    };
    let (r, f) = match nan::<F>(&order, env) {
        Some(_) if undefined && env.rules == NanRules::Arm => {
            if matches!(z, Nan { signalling: true }) {
                nan::<F>(&order, env).unwrap_or_default()
            } else {
                invalid::<F>(env)
            }
        }
        Some(nan) => nan,
        None => {
            let d = denormals(&[&x, &y, &z], env);
            match (&x, &y, &z) {
                _ if undefined => invalid::<F>(env),
                (Infinity(_), _, &Infinity(t)) | (_, Infinity(_), &Infinity(t)) if t != sign => {
                    invalid::<F>(env)
                }
                (Infinity(_), ..) | (_, Infinity(_), _) => (F::signed(sign, F::INFINITY), d),
                (.., &Infinity(t)) => (F::signed(t, F::INFINITY), d),
                (Number { x, .. }, Number { x: y, .. }, Number { x: z, .. }) => {
                    let p = product(x, y, (mantissa::<F>(a, x), mantissa::<F>(b, y)));
                    let zeros = p.is_zero() && z.is_zero();
                    let (r, f) = round_sum::<F>(&p.add(z), (sign, z.negative), zeros, env);
                    (r, f | d)
                }
                _ => unreachable!(),
            }
        }
    };
    (r, f | fx | fy | fz)
}

/// `(k - a * b) / divisor` with `k` over `divisor` being 2/1 or 3/2.
pub(super) fn step<F: Format>(a: u64, b: u64, k: u128, divisor: i64, env: &Env) -> Expected {
    let a = a ^ F::SIGN;
    let ((x, fx), (y, fy)) = (value::<F>(a, env), value::<F>(b, env));
    let (r, f) = nan::<F>(&[(&x, a), (&y, b)], env).unwrap_or_else(|| {
        let sign = negative(&x) ^ negative(&y);
        let sum = match (&x, &y) {
            (Infinity(_), Number { x, .. }) | (Number { x, .. }, Infinity(_)) if x.is_zero() => {
                Real::new(false, k, 0)
            }
            (Number { x, .. }, Number { x: y, .. }) => {
                product(x, y, (mantissa::<F>(a, x), mantissa::<F>(b, y))).add(&Real::new(false, k, 0))
            }
            _ => return (F::signed(sign, F::INFINITY), Flags::NONE),
        };
        let sum = Real { exp: sum.exp - (divisor - 1), ..sum };
        round_sum::<F>(&sum, (false, true), false, env)
    });
    (r, f | fx | fy)
}

pub(super) fn convert<A: Format, B: Format>(a: u64, env: &Env) -> Expected {
    let env = &Env { flush16: false, ..*env };
    let (x, fx) = value::<A>(a, env);
    let (r, f) = match &x {
        Nan { signalling } => {
            let raised = if *signalling || B::ALTERNATIVE { Flags::INVALID } else { Flags::NONE };
            let top = (a & A::FRAC_MASK) as u128;
            let payload =
                if A::FRAC > B::FRAC { top >> (A::FRAC - B::FRAC) } else { top << (B::FRAC - A::FRAC) }
                    as u64;
            let sign = a & A::SIGN != 0;
            let r = match () {
                () if B::ALTERNATIVE => B::signed(sign, 0),
                () if env.default_nan => default_nan::<B>(env),
                () => B::signed(sign, B::INFINITY | B::QUIET | payload),
            };
            (r, raised)
        }
        &Infinity(s) if B::ALTERNATIVE => (B::signed(s, B::MAGNITUDE), Flags::INVALID),
        &Infinity(s) => (B::signed(s, B::INFINITY), Flags::NONE),
        Number { x, .. } if x.is_zero() => (B::signed(x.negative, 0), Flags::NONE),
        Number { x: n, .. } => {
            let (r, f) = n.round::<B>(env.rounding, env);
            (r, f | if A::HALF { Flags::NONE } else { denormals(&[&x], env) })
        }
    };
    (r, f | fx)
}

/// To an integer between the limits; x86's rules give `indefinite` for what is not.
pub(super) fn to_int<F: Format>(
    a: u64,
    fbits: u32,
    mode: Rounding,
    limits: (i128, i128),
    indefinite: i128,
    env: &Env,
) -> (i128, Flags) {
    let (x, fx) = value::<F>(a, env);
    let (lowest, highest) = limits;
    let bad = |saturated| (if env.rules == NanRules::X86 { indefinite } else { saturated }, Flags::INVALID);
    let (r, f) = match x {
        Nan { .. } => bad(0),
        Infinity(s) => bad(if s { lowest } else { highest }),
        Number { x, .. } => {
            let (n, inexact) = Real { exp: x.exp + i64::from(fbits), ..x }.to_integer(mode);
            if n < lowest || n > highest {
                bad(n.clamp(lowest, highest))
            } else {
                (n, if inexact { Flags::INEXACT } else { Flags::NONE })
            }
        }
    };
    (r, f | fx)
}
