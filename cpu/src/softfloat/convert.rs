//! Between formats (`FPConvert`, `FPConvertNaN`, `FPConvertBF`).
//!
//! Arm's conversions disregard FPCR.FZ16 (`FPUnpackCV`, `FPRoundCV`): half-precision denormals are kept on both sides.

use super::round::round;
use super::unpack::{Kind, is_normal, normal, note_denormals, unpack};
use super::{Env, Flags, Format, nan};

/// `a`, a value of format `A`, as one of format `B`.
#[inline]
pub fn convert<A: Format, B: Format>(a: u64, env: &mut Env) -> u64 {
    if is_normal::<A>(a) && !B::HALF { round::<B>(normal::<A>(a), env) } else { convert_any::<A, B>(a, env) }
}

/// A NaN of format `A` as a quiet one of format `B`: the top of the payload is kept.
pub(super) fn convert_nan<A: Format, B: Format>(a: u64) -> u64 {
    let payload = (a & A::FRAC_MASK) << A::SHIFT >> B::SHIFT & B::FRAC_MASK;
    B::signed(a & A::SIGN != 0, B::INFINITY | B::QUIET | payload)
}

#[cold]
#[inline(never)]
fn convert_any<A: Format, B: Format>(a: u64, env: &mut Env) -> u64 {
    let flush16 = core::mem::replace(&mut env.flush16, false);
    let x = unpack::<A>(a, env);
    let result = match x.kind {
        Kind::Quiet | Kind::Signalling => {
            if x.kind == Kind::Signalling || B::ALTERNATIVE {
                env.raise(Flags::INVALID);
            }
            if B::ALTERNATIVE {
                B::signed(x.num.sign, 0)
            } else if env.default_nan {
                nan::default::<B>(env)
            } else {
                convert_nan::<A, B>(a)
            }
        }
        Kind::Infinity if B::ALTERNATIVE => {
            env.raise(Flags::INVALID);
            B::signed(x.num.sign, B::MAX_FINITE)
        }
        Kind::Infinity => B::signed(x.num.sign, B::INFINITY),
        Kind::Zero => B::signed(x.num.sign, 0),
        Kind::Finite => {
            // VCVTPH2PS has no denormal exception.
            if !A::HALF {
                note_denormals(&[&x], env);
            }
            round::<B>(x.num, env)
        }
    };
    env.flush16 = flush16;
    result
}
