//! Loads, stores and FRNDINT: between the extended format, narrower ones and integers.

use super::super::integer::split;
use super::super::round::increment;
use super::super::unpack::{Kind, Num, Unpacked, unpack as unpack_format};
use super::round::round_to;
use super::{EXP_MAX, INTEGER, Precision, QUIET, X80, X87, note_denormals, round, unpack, unpack1};
use crate::softfloat::{Env, Flags, Format, Int, Rounding};

/// A value of a narrower format (FLD m32fp, m64fp).
pub fn from_format<F: Format>(bits: u64, env: &mut X87) -> X80 {
    env.rounded_up = false;
    let x = unpack_format::<F>(bits, &mut Env::x86());
    let sign = x.num.sign;
    match x.kind {
        Kind::Zero => X80::zero(sign),
        Kind::Infinity => X80::infinity(sign),
        Kind::Quiet | Kind::Signalling => {
            if x.kind == Kind::Signalling {
                env.raise(Flags::INVALID);
            }
            X80::new(sign, EXP_MAX, INTEGER | QUIET | (bits & F::FRAC_MASK) << F::SHIFT)
        }
        Kind::Finite => {
            note_denormals(&[&x], env);
            from_num(x.num, env)
        }
    }
}

/// A number that the extended format holds exactly. A pseudo-denormal comes out as the normal number that it equals.
pub(super) fn from_num(x: Num, env: &mut X87) -> X80 {
    round::round(x.sign, x.exp, u128::from(x.sig) << 64, Precision::Extended, env)
}

/// `a` as a value of a narrower format (FST m32fp, m64fp).
pub fn to_format<F: Format>(a: X80, env: &mut X87) -> u64 {
    let x = match unpack1(a, env) {
        Ok(x) => x,
        Err(nan) => return F::signed(nan.sign(), F::INFINITY | (nan.sig >> F::SHIFT) & F::FRAC_MASK),
    };
    match x.kind {
        Kind::Zero => F::signed(x.num.sign, 0),
        Kind::Finite => round_to::<F>(x.num, env),
        _ => F::signed(x.num.sign, F::INFINITY),
    }
}

/// An integer (FILD).
pub fn from_int(x: i64, env: &mut X87) -> X80 {
    env.rounded_up = false;
    if x == 0 {
        return X80::zero(false);
    }
    let up = x.unsigned_abs().leading_zeros();
    from_num(Num { sign: x < 0, exp: 63 - up as i32, sig: x.unsigned_abs() << up }, env)
}

/// A number rounded to an integer.
pub(super) struct Rounded {
    pub sign: bool,
    pub magnitude: u64,
    up: bool,
    inexact: bool,
}

impl Rounded {
    /// Reports the rounding once the integer is known to be the result.
    pub fn report(&self, env: &mut X87) {
        if self.inexact {
            env.raise(Flags::INEXACT);
        }
        env.rounded_up = self.up;
    }
}

/// `x` rounded to an integer; nothing for an infinity or a magnitude of `2^64` and above.
pub(super) fn rounded(x: &Unpacked, rounding: Rounding) -> Option<Rounded> {
    let sign = x.num.sign;
    match x.kind {
        Kind::Zero => Some(Rounded { sign, magnitude: 0, up: false, inexact: false }),
        Kind::Finite if x.num.exp <= 63 => {
            let (n, rest) = split(x.num.sig, x.num.exp);
            let up = increment(rounding, sign, n, rest, 1 << 62);
            Some(Rounded { sign, magnitude: n + up, up: up != 0, inexact: rest != 0 })
        }
        _ => None,
    }
}

/// `a` rounded to a signed integer (FIST; FISTTP towards zero). What does not fit is invalid and gives the integer
/// indefinite.
pub fn to_int<I: Int>(a: X80, rounding: Rounding, env: &mut X87) -> I {
    env.rounded_up = false;
    let limit = 1u64 << (I::BITS - 1);
    match unpack(a).and_then(|x| rounded(&x, rounding)) {
        Some(r) if r.magnitude < limit + u64::from(r.sign) => {
            r.report(env);
            I::from_raw(if r.sign { r.magnitude.wrapping_neg() } else { r.magnitude })
        }
        _ => {
            env.raise(Flags::INVALID);
            I::from_raw(limit)
        }
    }
}

/// `a` rounded to an integer of the same format (FRNDINT).
pub fn round_int(a: X80, env: &mut X87) -> X80 {
    let x = match unpack1(a, env) {
        Ok(x) => x,
        Err(special) => return special,
    };
    if x.kind != Kind::Finite || x.num.exp >= 63 {
        return a;
    }
    note_denormals(&[&x], env);
    let Some(r) = rounded(&x, env.rounding) else { return a };
    let sign = r.sign;
    let result = if r.magnitude == 0 {
        X80::zero(sign)
    } else {
        let up = r.magnitude.leading_zeros();
        from_num(Num { sign, exp: 63 - up as i32, sig: r.magnitude << up }, env)
    };
    r.report(env);
    result
}
