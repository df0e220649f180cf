//! FADD, FSUB, FMUL, FDIV, FSQRT.

use super::super::round::shr_jam128;
use super::round::round;
use super::{X80, X87, note_denormals, unpack1, unpack2};
use crate::softfloat::unpack::{Kind, Num};
use crate::softfloat::{Flags, Rounding};

/// `a + b`.
pub fn add(a: X80, b: X80, env: &mut X87) -> X80 {
    sum(a, b, false, env).unwrap_or_else(|special| special)
}

/// `a - b`. A NaN operand keeps its sign.
pub fn sub(a: X80, b: X80, env: &mut X87) -> X80 {
    sum(a, b, true, env).unwrap_or_else(|special| special)
}

fn sum(a: X80, b: X80, negate: bool, env: &mut X87) -> Result<X80, X80> {
    let (x, mut y) = unpack2(a, b, env)?;
    y.num.sign ^= negate;
    if x.is_infinite() && y.is_infinite() && x.num.sign != y.num.sign {
        return Err(env.invalid());
    }
    note_denormals(&[&x, &y], env);
    let cancelled = X80::zero(env.rounding == Rounding::TowardMinus);
    Ok(match (x.kind, y.kind) {
        (Kind::Infinity, _) => X80::infinity(x.num.sign),
        (_, Kind::Infinity) => X80::infinity(y.num.sign),
        (Kind::Zero, Kind::Zero) if x.num.sign == y.num.sign => X80::zero(x.num.sign),
        (Kind::Zero, Kind::Zero) => cancelled,
        (Kind::Zero, _) => exact(y.num, env),
        (_, Kind::Zero) => exact(x.num, env),
        _ => {
            let swap = (x.num.exp, x.num.sig) < (y.num.exp, y.num.sig);
            let (hi, lo) = if swap { (y.num, x.num) } else { (x.num, y.num) };
            // Leading bit at 126: room for the carry, and 63 bits below for what alignment shifts out.
            let high = u128::from(hi.sig) << 63;
            let low = shr_jam128(u128::from(lo.sig) << 63, (hi.exp - lo.exp) as u32);
            let total = if hi.sign == lo.sign { high + low } else { high - low };
            if total == 0 {
                return Ok(cancelled);
            }
            let up = total.leading_zeros();
            round(hi.sign, hi.exp + 1 - up as i32, total << up, env.precision, env)
        }
    })
}

/// A single number rounded to the precision.
fn exact(x: Num, env: &mut X87) -> X80 {
    round(x.sign, x.exp, u128::from(x.sig) << 64, env.precision, env)
}

/// `a * b`.
pub fn mul(a: X80, b: X80, env: &mut X87) -> X80 {
    let (x, y) = match unpack2(a, b, env) {
        Ok(operands) => operands,
        Err(special) => return special,
    };
    let sign = x.num.sign ^ y.num.sign;
    match (x.kind, y.kind) {
        (Kind::Infinity, Kind::Zero) | (Kind::Zero, Kind::Infinity) => env.invalid(),
        (Kind::Finite, Kind::Finite) => {
            note_denormals(&[&x, &y], env);
            let product = u128::from(x.num.sig) * u128::from(y.num.sig);
            let up = product.leading_zeros();
            round(sign, x.num.exp + y.num.exp + 1 - up as i32, product << up, env.precision, env)
        }
        (Kind::Zero, _) | (_, Kind::Zero) => {
            note_denormals(&[&x, &y], env);
            X80::zero(sign)
        }
        _ => {
            note_denormals(&[&x, &y], env);
            X80::infinity(sign)
        }
    }
}

/// `a / b`.
pub fn div(a: X80, b: X80, env: &mut X87) -> X80 {
    let (x, y) = match unpack2(a, b, env) {
        Ok(operands) => operands,
        Err(special) => return special,
    };
    let sign = x.num.sign ^ y.num.sign;
    match (x.kind, y.kind) {
        (Kind::Infinity, Kind::Infinity) | (Kind::Zero, Kind::Zero) => env.invalid(),
        (Kind::Finite, Kind::Zero) => {
            env.raise(Flags::DIVZERO);
            X80::infinity(sign)
        }
        (Kind::Infinity, _) => {
            note_denormals(&[&y], env);
            X80::infinity(sign)
        }
        (Kind::Zero, _) | (_, Kind::Infinity) => {
            note_denormals(&[&x, &y], env);
            X80::zero(sign)
        }
        _ => {
            note_denormals(&[&x, &y], env);
            let down = u32::from(x.num.sig >= y.num.sig);
            let divisor = u128::from(y.num.sig);
            let dividend = u128::from(x.num.sig) << (64 - down);
            let (high, rest) = (dividend / divisor, dividend % divisor);
            let (low, rest) = ((rest << 64) / divisor, (rest << 64) % divisor);
            let quotient = high << 64 | low | u128::from(rest != 0);
            round(sign, x.num.exp - y.num.exp - 1 + down as i32, quotient, env.precision, env)
        }
    }
}

/// The square root of `a`.
pub fn sqrt(a: X80, env: &mut X87) -> X80 {
    let x = match unpack1(a, env) {
        Ok(x) => x,
        Err(special) => return special,
    };
    match x.kind {
        Kind::Zero => X80::zero(x.num.sign),
        _ if x.num.sign => env.invalid(),
        Kind::Finite => {
            note_denormals(&[&x], env);
            let radicand = u128::from(x.num.sig) << (63 + (x.num.exp & 1));
            let root = radicand.isqrt();
            let remainder = radicand - root * root;
            // The root lies above the middle between two integers exactly if the remainder exceeds the integer root.
            let low = u128::from(remainder > root) << 63 | u128::from(remainder != 0);
            round(false, x.num.exp >> 1, root << 64 | low, env.precision, env)
        }
        _ => X80::infinity(false),
    }
}
