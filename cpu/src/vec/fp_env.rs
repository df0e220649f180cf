//! From [`FpEnv`] to software floating point and back, once per operation; and loops over elements inside it.
//!
//! The layout is Arm's: FPCR and FPSR (DDI 0487 C5.2.8, C5.2.10); or x86's MXCSR (SDM vol. 1, 10.2.3). Trapped
//! exceptions are not this module's: Arm's trap enables read as zero, and x86's semantics look at the status.

use super::{FpEnv, Lanes};
use crate::softfloat::{Env, Rounding};

/// FPCR.AHP: half precision is Arm's alternative one in conversions.
pub(super) const AHP: u32 = 1 << 26;

/// Roundings of [`super::VecOp::FRound`] and its kin, in bits 2 to 0 of their constant.
pub mod rounding {
    /// To the nearest, a tie to the even one.
    pub const NEAREST: u32 = 0;
    /// Towards plus infinity.
    pub const PLUS: u32 = 1;
    /// Towards minus infinity.
    pub const MINUS: u32 = 2;
    /// Towards zero.
    pub const ZERO: u32 = 3;
    /// To the nearest, a tie away from zero.
    pub const AWAY: u32 = 4;
    /// As FPCR.RMode or MXCSR.RC says.
    pub const CURRENT: u32 = 7;
    /// Where the constant holds a rounding.
    pub const MASK: u32 = 7;
}

/// The rounding that an operation's constant names.
#[inline(always)]
pub(super) fn rounding_of(imm: u32, env: &Env) -> Rounding {
    match imm & rounding::MASK {
        rounding::NEAREST => Rounding::NearestEven,
        rounding::PLUS => Rounding::TowardPlus,
        rounding::MINUS => Rounding::TowardMinus,
        rounding::ZERO => Rounding::TowardZero,
        rounding::AWAY => Rounding::NearestAway,
        _ => env.rounding,
    }
}

/// Runs `f` in the environment that `env` describes and accumulates the flags it raises.
#[inline(always)]
pub(super) fn within<R>(env: &mut FpEnv, f: impl FnOnce(&mut Env) -> R) -> R {
    if env.control & FpEnv::X86 != 0 {
        let mut soft = Env::from_mxcsr(env.control);
        let r = f(&mut soft);
        env.status |= soft.flags.to_x86();
        return r;
    }
    let mut soft = Env::from_fpcr(env.control);
    let r = f(&mut soft);
    env.status |= soft.flags.to_fpsr();
    r
}

/// `f` of `count` elements, `from` bits apart in `a`, put `to` bits apart; `f` sees bits above its element, and
/// returns none.
#[inline(always)]
pub(super) fn resize(
    (count, from, to): (u32, u32, u32),
    a: u128,
    env: &mut FpEnv,
    f: impl Fn(u64, &mut Env) -> u64,
) -> u128 {
    within(env, |soft| {
        let mut r = 0;
        for i in 0..count {
            r |= u128::from(f((a >> (i * from)) as u64, soft)) << (i * to);
        }
        r
    })
}

/// `f` of every element.
#[inline(always)]
pub(super) fn map1(l: Lanes, a: u128, env: &mut FpEnv, f: impl Fn(u64, &mut Env) -> u64) -> u128 {
    resize((l.count(), l.bits(), l.bits()), a, env, f)
}

/// `f` of every pair of elements.
#[inline(always)]
pub(super) fn map2(
    l: Lanes,
    a: u128,
    b: u128,
    env: &mut FpEnv,
    f: impl Fn(u64, u64, &mut Env) -> u64,
) -> u128 {
    map3(l, (a, b, b), env, |x, y, _, soft| f(x, y, soft))
}

/// `f` of every three elements.
#[inline(always)]
pub(super) fn map3(
    l: Lanes,
    (a, b, c): (u128, u128, u128),
    env: &mut FpEnv,
    f: impl Fn(u64, u64, u64, &mut Env) -> u64,
) -> u128 {
    within(env, |soft| {
        let mut r = 0;
        for i in 0..l.count() {
            let at = i * l.bits();
            r |= u128::from(f((a >> at) as u64, (b >> at) as u64, (c >> at) as u64, soft)) << at;
        }
        r
    })
}

/// `$body` with `$F` as the format of elements of the arrangement.
macro_rules! by_format {
    ($l:expr, $F:ident => $body:expr) => {
        match $l.log2 {
            1 => {
                type $F = $crate::softfloat::F16;
                $body
            }
            2 => {
                type $F = $crate::softfloat::F32;
                $body
            }
            _ => {
                type $F = $crate::softfloat::F64;
                $body
            }
        }
    };
}
pub(super) use by_format;
