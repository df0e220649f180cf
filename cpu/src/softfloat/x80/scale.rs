//! FSCALE and FXTRACT.

use super::round::round;
use super::{BIAS, INTEGER, Precision, X80, X87, convert, note_denormals, unpack1, unpack2};
use crate::softfloat::Flags;
use crate::softfloat::unpack::Kind;

/// `a * 2^trunc(b)` (FSCALE).
pub fn scale(a: X80, b: X80, env: &mut X87) -> X80 {
    let (x, y) = match unpack2(a, b, env) {
        Ok(operands) => operands,
        Err(special) => return special,
    };
    let sign = x.num.sign;
    match (x.kind, y.kind) {
        (Kind::Zero, Kind::Infinity) if !y.num.sign => env.invalid(),
        (Kind::Infinity, Kind::Infinity) if y.num.sign => env.invalid(),
        (_, Kind::Infinity) => {
            note_denormals(&[&x], env);
            if y.num.sign { X80::zero(sign) } else { X80::infinity(sign) }
        }
        (Kind::Zero | Kind::Infinity, _) => {
            note_denormals(&[&y], env);
            a
        }
        _ => {
            note_denormals(&[&x, &y], env);
            // Beyond 2^17 every number overflows or underflows.
            let by = match y.num.exp {
                _ if y.kind == Kind::Zero => 0,
                ..0 => 0,
                e @ 0..17 => (y.num.sig >> (63 - e)) as i32,
                _ => 1 << 17,
            };
            let by = if y.num.sign { -by } else { by };
            round(sign, x.num.exp + by, u128::from(x.num.sig) << 64, Precision::Extended, env)
        }
    }
}

/// The exponent of `a` as a number, and its significand as one in [1, 2) with `a`'s sign (FXTRACT).
pub fn extract(a: X80, env: &mut X87) -> (X80, X80) {
    let x = match unpack1(a, env) {
        Ok(x) => x,
        Err(special) => return (special, special),
    };
    match x.kind {
        Kind::Zero => {
            env.raise(Flags::DIVZERO);
            (X80::infinity(true), a)
        }
        Kind::Finite => {
            note_denormals(&[&x], env);
            debug_assert!(x.num.sig & INTEGER != 0);
            let exponent = convert::from_int(i64::from(x.num.exp), env);
            (exponent, X80::new(x.num.sign, BIAS as u16, x.num.sig))
        }
        _ => (X80::infinity(false), a),
    }
}
