//! Which NaN comes out (`FPProcessNaN`, `FPProcessNaNs`, `FPProcessNaNs3`; SDM volume 1, table 4-7).

use super::unpack::{Kind, Unpacked};
use super::{Env, Flags, Format, NanRules};

/// The default NaN.
#[inline]
pub(super) fn default<F: Format>(env: &Env) -> u64 {
    F::signed(env.rules == NanRules::X86, F::INFINITY | F::QUIET)
}

/// Raises invalid operation and gives the default NaN.
#[cold]
pub(super) fn invalid<F: Format>(env: &mut Env) -> u64 {
    env.raise(Flags::INVALID);
    default::<F>(env)
}

/// The result for the NaN operand `bits`.
pub(super) fn propagate<F: Format>(kind: Kind, bits: u64, env: &mut Env) -> u64 {
    if kind == Kind::Signalling {
        env.raise(Flags::INVALID);
    }
    if env.default_nan { default::<F>(env) } else { (bits & F::MASK) | F::QUIET }
}

/// The result if an operand is a NaN. Operands come in order of precedence.
#[inline]
pub(super) fn select<F: Format, const N: usize>(
    operands: [(&Unpacked, u64); N],
    env: &mut Env,
) -> Option<u64> {
    if operands.iter().any(|(u, _)| u.is_nan()) { Some(chosen::<F>(&operands, env)) } else { None }
}

#[cold]
fn chosen<F: Format>(operands: &[(&Unpacked, u64)], env: &mut Env) -> u64 {
    let signalling = operands.iter().find(|(u, _)| u.kind == Kind::Signalling);
    if signalling.is_some() {
        env.raise(Flags::INVALID);
    }
    let first = operands.iter().find(|(u, _)| u.is_nan());
    let choice = if env.rules == NanRules::Arm { signalling.or(first) } else { first };
    choice.map_or(0, |(u, bits)| propagate::<F>(u.kind, *bits, env))
}
