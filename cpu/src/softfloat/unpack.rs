//! From bits to numbers (`FPUnpack`).

use super::{Env, Flags, Format, NanRules};

/// A finite number other than zero: `(-1)^sign * sig * 2^(exp - 63)`, bit 63 of `sig` set.
///
/// The significand has room for the 64 bits of x87's extended format.
#[derive(Clone, Copy, Debug)]
pub(super) struct Num {
    pub sign: bool,
    pub exp: i32,
    pub sig: u64,
}

/// What a value is, after denormal operands were flushed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Zero,
    Finite,
    Infinity,
    Quiet,
    Signalling,
}

/// A value taken apart. `num`'s exponent and significand mean something for [`Kind::Finite`] only, its sign always.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unpacked {
    pub kind: Kind,
    /// The operand is denormal and was not flushed.
    pub denormal: bool,
    pub num: Num,
}

impl Unpacked {
    pub fn is_nan(&self) -> bool {
        matches!(self.kind, Kind::Quiet | Kind::Signalling)
    }

    pub fn is_zero(&self) -> bool {
        self.kind == Kind::Zero
    }

    pub fn is_infinite(&self) -> bool {
        self.kind == Kind::Infinity
    }
}

/// True for a value with an implied leading one: most of them, and all that the fast paths take.
#[inline(always)]
pub(super) fn is_normal<F: Format>(bits: u64) -> bool {
    let field = (bits >> F::FRAC) & F::EXP_MAX;
    field.wrapping_sub(1) < F::EXP_MAX - 1
}

/// The sign bit.
#[inline(always)]
pub(super) fn sign<F: Format>(bits: u64) -> bool {
    bits & F::SIGN != 0
}

/// A value for which [`is_normal`] holds.
#[inline(always)]
pub(super) fn normal<F: Format>(bits: u64) -> Num {
    let field = (bits >> F::FRAC) & F::EXP_MAX;
    Num { sign: sign::<F>(bits), exp: field as i32 - F::BIAS, sig: (bits << F::SHIFT) | 1 << 63 }
}

/// Any value. Flushes a denormal as `env` says, and then, by Arm's rules, raises input denormal.
#[inline]
pub(super) fn unpack<F: Format>(bits: u64, env: &mut Env) -> Unpacked {
    let field = (bits >> F::FRAC) & F::EXP_MAX;
    let frac = bits & F::FRAC_MASK;
    let num = normal::<F>(bits);
    let plain = |kind| Unpacked { kind, denormal: false, num };
    if field == 0 {
        if frac == 0 {
            plain(Kind::Zero)
        } else if F::flush_in(env) {
            if env.rules == NanRules::Arm && !F::HALF {
                env.raise(Flags::INPUT_DENORMAL);
            }
            plain(Kind::Zero)
        } else {
            let up = frac.leading_zeros();
            let num = Num { sign: num.sign, exp: F::EMIN + F::SHIFT as i32 - up as i32, sig: frac << up };
            Unpacked { kind: Kind::Finite, denormal: true, num }
        }
    } else if field == F::EXP_MAX && !F::ALTERNATIVE {
        plain(match frac {
            0 => Kind::Infinity,
            _ if frac & F::QUIET != 0 => Kind::Quiet,
            _ => Kind::Signalling,
        })
    } else {
        plain(Kind::Finite)
    }
}

/// By x86's rules, raises the denormal flag if an operand is a denormal number.
///
/// Operations call this once they know that no NaN, invalid operation or division by zero takes precedence.
#[inline]
pub(super) fn note_denormals(operands: &[&Unpacked], env: &mut Env) {
    if env.rules == NanRules::X86 && operands.iter().any(|u| u.denormal) {
        env.raise(Flags::INPUT_DENORMAL);
    }
}
