//! Interchange formats of up to 64 bits (IEEE 754-2019 section 3.6), as types that carry their parameters.

use super::Env;

/// A binary format whose values fit in a `u64`.
pub trait Format: Copy + 'static {
    /// Bits of the exponent field.
    const EXP: u32;
    /// Bits of the fraction field, without the implied bit.
    const FRAC: u32;
    /// A half-precision format: flushed by [`Env::flush16`], and without an input denormal flag.
    const HALF: bool = false;
    /// The highest exponent holds numbers, not infinities and NaNs.
    const ALTERNATIVE: bool = false;

    /// Bits of a value.
    const WIDTH: u32 = 1 + Self::EXP + Self::FRAC;
    /// The exponent field of 1.0.
    const BIAS: i32 = (1 << (Self::EXP - 1)) - 1;
    /// The exponent of the smallest normal number.
    const EMIN: i32 = 1 - Self::BIAS;
    /// The largest exponent field.
    const EXP_MAX: u64 = (1 << Self::EXP) - 1;
    /// The sign bit.
    const SIGN: u64 = 1 << (Self::WIDTH - 1);
    /// All bits below the sign.
    const MAGNITUDE: u64 = Self::SIGN - 1;
    /// All bits of a value.
    const MASK: u64 = Self::SIGN | Self::MAGNITUDE;
    /// All bits of the fraction field.
    const FRAC_MASK: u64 = (1 << Self::FRAC) - 1;
    /// The bit that tells a quiet NaN from a signalling one.
    const QUIET: u64 = 1 << (Self::FRAC - 1);
    /// Plus infinity; in an alternative format no value has this meaning.
    const INFINITY: u64 = Self::EXP_MAX << Self::FRAC;
    /// The largest finite magnitude.
    const MAX_FINITE: u64 = if Self::ALTERNATIVE { Self::MAGNITUDE } else { Self::INFINITY - 1 };
    /// Bits between the fraction's lowest bit and bit 0 when the leading bit of the significand is at bit 63.
    const SHIFT: u32 = 63 - Self::FRAC;

    /// `magnitude` with the sign bit as `negative` says.
    #[inline(always)]
    fn signed(negative: bool, magnitude: u64) -> u64 {
        (u64::from(negative) << (Self::WIDTH - 1)) | magnitude
    }

    /// True when a denormal operand counts as zero.
    #[inline(always)]
    fn flush_in(env: &Env) -> bool {
        if Self::HALF { env.flush16 } else { env.flush_in }
    }

    /// True when a tiny result becomes zero.
    #[inline(always)]
    fn flush_out(env: &Env) -> bool {
        if Self::HALF { env.flush16 } else { env.flush_out }
    }
}

/// binary16.
#[derive(Clone, Copy, Debug)]
pub struct F16;
/// Arm's alternative half precision: no infinities, no NaNs, one binade more (FPCR.AHP).
#[derive(Clone, Copy, Debug)]
pub struct F16Alt;
/// bfloat16.
#[derive(Clone, Copy, Debug)]
pub struct BF16;
/// binary32.
#[derive(Clone, Copy, Debug)]
pub struct F32;
/// binary64.
#[derive(Clone, Copy, Debug)]
pub struct F64;

impl Format for F16 {
    const EXP: u32 = 5;
    const FRAC: u32 = 10;
    const HALF: bool = true;
}
impl Format for F16Alt {
    const EXP: u32 = 5;
    const FRAC: u32 = 10;
    const HALF: bool = true;
    const ALTERNATIVE: bool = true;
}
impl Format for BF16 {
    const EXP: u32 = 8;
    const FRAC: u32 = 7;
}
impl Format for F32 {
    const EXP: u32 = 8;
    const FRAC: u32 = 23;
}
impl Format for F64 {
    const EXP: u32 = 11;
    const FRAC: u32 = 52;
}
