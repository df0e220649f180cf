//! Software floating point in integer arithmetic: the bit-exact reference of every engine.
//!
//! Sources: IEEE 754-2019; Arm ARM DDI 0487, the shared pseudocode functions `FP*` (FPCR.AH zero); Intel SDM volume 1,
//! chapters 4.8, 8, 11.5 and 14.5. No host floating point takes part in a result.
//!
//! The manuals' rules were checked by behaviour: Arm's against qemu-aarch64 10.0.2, SSE's, FMA3's and x87's against an AMD
//! EPYC; where an Intel processor differs from that one (the step of an incomplete FPREM may) nobody has looked.
//!
//! # Use
//! Values travel as raw bits in the low [`Format::WIDTH`] bits of a `u64`: bits above are ignored in operands and zero in
//! results. The format is a type parameter: [`F16`], [`F16Alt`] (Arm's alternative half precision, conversions only),
//! [`BF16`] (conversions only), [`F32`], [`F64`]. An [`Env`] holds what a control register selects and collects flags:
//!
//! ```
//! use lyrebird_cpu::softfloat::{Env, F64, add};
//! let mut env = Env::arm();
//! let sum = add::<F64>(1.5f64.to_bits(), 2.25f64.to_bits(), &mut env);
//! assert_eq!(sum, 3.75f64.to_bits());
//! assert!(env.flags.is_empty());
//! ```
//!
//! | function | Arm pseudocode | x86 |
//! |---|---|---|
//! | [`add()`], [`sub`], [`mul()`], [`div()`], [`sqrt()`] | `FPAdd`, `FPSub`, `FPMul`, `FPDiv`, `FPSqrt` | ADDSD .. SQRTSD |
//! | [`fma()`] (`a * b + c`) | `FPMulAdd(c, a, b)` | VFMADD (SUB, N: flip signs of operands first) |
//! | [`fma_widen`] (f16 * f16 + f32) | `FPMulAddH` | |
//! | [`mulx`], [`recip_step`], [`rsqrt_step`] | `FPMulX`, `FPRecipStepFused`, `FPRSqrtStepFused` | |
//! | [`recip_estimate`], [`rsqrt_estimate`], [`recip_exponent`] | `FPRecipEstimate`, `FPRSqrtEstimate`, `FPRecpX` | |
//! | [`recip_estimate_u32`], [`rsqrt_estimate_u32`] | `UnsignedRecipEstimate`, `UnsignedRSqrtEstimate` | |
//! | [`max`], [`min`], [`max_num`], [`min_num`] | `FPMax`, `FPMin`, `FPMaxNum`, `FPMinNum` | MAXSD, MINSD (`max`, `min`) |
//! | [`compare()`], [`eq`], [`ge`], [`gt`] | `FPCompare`, `FPCompareEQ/GE/GT` | COMISD, UCOMISD, CMPSD |
//! | [`convert()`] | `FPConvert`, `FPConvertBF` | CVTSD2SS, CVTSS2SD, VCVTPH2PS |
//! | [`to_int`], [`from_int`], [`to_int_js`] | `FPToFixed`, `FixedToFP`, `FPToFixedJS` | CVTSD2SI, CVTSI2SD |
//! | [`round_int()`], [`round_int_n`] | `FPRoundInt`, `FPRoundIntN` | ROUNDSD (`round_int`) |
//!
//! FNEG, FABS and the sign changes of FMSUB and its kin are bit operations that the caller does.
//!
//! x87's 80-bit format has a module of its own, [`x80`], with its own environment.
//!
//! # Arm and x86
//! [`Env::rules`] selects whose NaN propagation, denormal flag, integer indefinite and minimum/maximum hold;
//! [`Env::tininess`] whose underflow. Under [`NanRules::Arm`] [`Flags::INPUT_DENORMAL`] is FPSR.IDC: set when an
//! operand is flushed to zero. Under [`NanRules::X86`] it is MXCSR.DE: set when an operand is denormal and not flushed.
//!
//! Left out on purpose: FEAT_AFP (FPCR.AH, FIZ, NEP), FEAT_RPRES, SVE and BFloat16 arithmetic; results delivered to
//! unmasked exception handlers (a trapping guest takes the exception from the flags and has no use for the result).

mod add;
mod compare;
mod convert;
mod div;
mod estimate;
mod fma;
mod format;
mod integer;
mod minmax;
mod mul;
mod nan;
mod round;
mod round_int;
mod sqrt;
mod unpack;
pub mod x80;

#[cfg(test)]
mod tests;

pub use add::{add, sub};
pub use compare::{Relation, compare, compare_normal, eq, ge, gt};
pub use convert::convert;
pub use div::div;
pub use estimate::{recip_estimate, recip_estimate_u32, recip_exponent, rsqrt_estimate, rsqrt_estimate_u32};
pub use fma::{fma, fma_widen, recip_step, rsqrt_step};
pub use format::{BF16, F16, F16Alt, F32, F64, Format};
pub use integer::{Int, from_int, to_int, to_int_js};
pub use minmax::{max, max_num, min, min_num};
pub use mul::{mul, mulx};
pub use round_int::{round_int, round_int_n};
pub use sqrt::sqrt;

/// How a result that the format cannot hold is rounded.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Rounding {
    /// To the nearest, a tie to the even significand.
    #[default]
    NearestEven,
    /// Towards plus infinity.
    TowardPlus,
    /// Towards minus infinity.
    TowardMinus,
    /// Towards zero.
    TowardZero,
    /// To the nearest, a tie away from zero (FCVTA*, FRINTA).
    NearestAway,
    /// Truncated, the lowest bit set when inexact (FCVTXN).
    Odd,
}

impl Rounding {
    /// FPCR.RMode, bits 23:22 of FPCR in `rmode`'s low two bits.
    #[inline]
    pub fn from_fpcr(rmode: u32) -> Self {
        match rmode & 3 {
            0 => Rounding::NearestEven,
            1 => Rounding::TowardPlus,
            2 => Rounding::TowardMinus,
            _ => Rounding::TowardZero,
        }
    }

    /// MXCSR.RC or the x87 control word's RC in `rc`'s low two bits.
    #[inline]
    pub fn from_x86(rc: u32) -> Self {
        match rc & 3 {
            0 => Rounding::NearestEven,
            1 => Rounding::TowardMinus,
            2 => Rounding::TowardPlus,
            _ => Rounding::TowardZero,
        }
    }
}

/// Whose rules hold where IEEE 754 leaves a choice.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum NanRules {
    /// A signalling NaN first, then the first operand; the default NaN is positive.
    #[default]
    Arm,
    /// SSE: the first NaN operand; the default NaN is negative.
    X86,
}

/// Whether a result is tiny by its exact value or by its rounded one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Tininess {
    /// Arm.
    #[default]
    BeforeRounding,
    /// x86.
    AfterRounding,
}

/// A set of cumulative exception flags. The layout is FPSR's.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Flags(u8);

impl Flags {
    /// No flag.
    pub const NONE: Flags = Flags(0);
    /// Invalid operation: FPSR.IOC, MXCSR.IE.
    pub const INVALID: Flags = Flags(1);
    /// Division of a finite number by zero: FPSR.DZC, MXCSR.ZE.
    pub const DIVZERO: Flags = Flags(2);
    /// Overflow: FPSR.OFC, MXCSR.OE.
    pub const OVERFLOW: Flags = Flags(4);
    /// Underflow: FPSR.UFC, MXCSR.UE.
    pub const UNDERFLOW: Flags = Flags(8);
    /// Inexact: FPSR.IXC, MXCSR.PE.
    pub const INEXACT: Flags = Flags(16);
    /// Input denormal: FPSR.IDC, MXCSR.DE.
    pub const INPUT_DENORMAL: Flags = Flags(128);

    /// True when no flag is set.
    #[inline]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// True when every flag of `other` is set.
    #[inline]
    pub fn contains(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }

    /// Sets the flags of `other`.
    #[inline]
    pub fn raise(&mut self, other: Flags) {
        self.0 |= other.0;
    }

    /// The flags as they stand in FPSR (bits 0 to 4 and 7).
    #[inline]
    pub const fn to_fpsr(self) -> u32 {
        self.0 as u32
    }

    /// The flags as they stand in MXCSR and the x87 status word (bits 0 to 5: IE DE ZE OE UE PE).
    #[inline]
    pub fn to_x86(self) -> u32 {
        let f = u32::from(self.0);
        (f & 1) | (f >> 7) << 1 | (f & 0x1e) << 1
    }
}

impl core::ops::BitOr for Flags {
    type Output = Flags;
    #[inline]
    fn bitor(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }
}

impl core::ops::BitOrAssign for Flags {
    #[inline]
    fn bitor_assign(&mut self, other: Flags) {
        self.0 |= other.0;
    }
}

impl core::fmt::Debug for Flags {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let names = [(1, 'I'), (2, 'Z'), (4, 'O'), (8, 'U'), (16, 'X'), (128, 'D')];
        let set: String = names.iter().filter(|(bit, _)| self.0 & bit != 0).map(|&(_, c)| c).collect();
        write!(f, "Flags({set})")
    }
}

/// What a control register selects, and the flags that operations accumulate.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Env {
    /// Rounding of results. Functions that take a [`Rounding`] of their own ignore it.
    pub rounding: Rounding,
    /// Denormal operands count as zero: FPCR.FZ, MXCSR.DAZ. Not for the half formats.
    pub flush_in: bool,
    /// Tiny results become zero: FPCR.FZ, MXCSR.FTZ. Not for the half formats.
    pub flush_out: bool,
    /// Both of the above for half-precision arithmetic, which [`convert()`] is not: FPCR.FZ16.
    pub flush16: bool,
    /// Every NaN result is the default NaN: FPCR.DN.
    pub default_nan: bool,
    /// Underflow is raised for exact tiny results as well, because its exception is not masked.
    pub underflow_unmasked: bool,
    /// Whose NaNs.
    pub rules: NanRules,
    /// Whose underflow.
    pub tininess: Tininess,
    /// Accumulated flags. Operations only add to them.
    pub flags: Flags,
}

impl Env {
    /// Arm's rules with FPCR zero.
    #[inline]
    pub fn arm() -> Self {
        Env::default()
    }

    /// x86's SSE rules with MXCSR at its reset value 0x1f80.
    #[inline]
    pub fn x86() -> Self {
        Env { rules: NanRules::X86, tininess: Tininess::AfterRounding, ..Env::default() }
    }

    /// Arm's rules as `fpcr` selects: RMode, FZ, FZ16, DN and UFE.
    #[inline]
    pub fn from_fpcr(fpcr: u32) -> Self {
        let bit = |n: u32| fpcr >> n & 1 != 0;
        Env {
            rounding: Rounding::from_fpcr(fpcr >> 22),
            flush_in: bit(24),
            flush_out: bit(24),
            flush16: bit(19),
            default_nan: bit(25),
            underflow_unmasked: bit(11),
            ..Env::arm()
        }
    }

    /// SSE's rules as `mxcsr` selects: RC, FTZ, DAZ and UM. FTZ acts only while underflow is masked.
    #[inline]
    pub fn from_mxcsr(mxcsr: u32) -> Self {
        let bit = |n: u32| mxcsr >> n & 1 != 0;
        Env {
            rounding: Rounding::from_x86(mxcsr >> 13),
            flush_in: bit(6),
            flush_out: bit(15) && bit(11),
            underflow_unmasked: !bit(11),
            ..Env::x86()
        }
    }

    #[inline]
    pub(crate) fn raise(&mut self, flags: Flags) {
        self.flags.raise(flags);
    }
}
