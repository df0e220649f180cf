//! FPREM and FPREM1.

use super::convert::from_num;
use super::round::round;
use super::{Precision, X80, X87, note_denormals, unpack2};
use crate::softfloat::unpack::Kind;

/// Which integer the quotient is taken to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Quotient {
    /// Towards zero (FPREM).
    Truncated,
    /// To the nearest, ties to even (FPREM1).
    Nearest,
}

/// What a step of a remainder gives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Remainder {
    /// The remainder, or what is left to reduce.
    pub value: X80,
    /// The low three bits of the quotient's magnitude; zero while the reduction is incomplete.
    pub quotient: u8,
    /// The reduction is incomplete (C2): the operands' exponents were 64 or more apart.
    pub partial: bool,
}

/// One FPREM or FPREM1 of `a` by `b`.
pub fn rem(a: X80, b: X80, kind: Quotient, env: &mut X87) -> Remainder {
    let whole = |value| Remainder { value, quotient: 0, partial: false };
    let (x, y) = match unpack2(a, b, env) {
        Ok(operands) => operands,
        Err(special) => return whole(special),
    };
    if x.is_infinite() || y.is_zero() {
        return whole(env.invalid());
    }
    note_denormals(&[&x, &y], env);
    if x.is_zero() {
        return whole(a);
    }
    let distance = x.num.exp - y.num.exp;
    if y.kind == Kind::Infinity || distance < -1 {
        return whole(from_num(x.num, env));
    }
    // Incomplete reductions take 32 to 63 bits off the distance, such that it becomes a multiple of 32.
    let partial = distance >= 64;
    let step = if partial { (distance & 31) | 32 } else { distance };
    // Dividend and divisor in units of `2^(exp - 63)`.
    let (dividend, divisor, exp) = if step < 0 {
        (u128::from(x.num.sig), u128::from(y.num.sig) << 1, x.num.exp)
    } else {
        (u128::from(x.num.sig) << step, u128::from(y.num.sig), x.num.exp - step)
    };
    let (mut quotient, mut rest) = (dividend / divisor, dividend % divisor);
    let mut sign = x.num.sign;
    let half = (2 * rest).cmp(&divisor);
    if kind == Quotient::Nearest && !partial && (half.is_gt() || (half.is_eq() && quotient & 1 != 0)) {
        quotient += 1;
        rest = divisor - rest;
        sign = !sign;
    }
    let value = if rest == 0 {
        X80::zero(x.num.sign)
    } else {
        let up = rest.leading_zeros();
        round(sign, exp + 64 - up as i32, rest << up, Precision::Extended, env)
    };
    Remainder { value, quotient: if partial { 0 } else { quotient as u8 & 7 }, partial }
}
