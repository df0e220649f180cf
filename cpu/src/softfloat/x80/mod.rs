//! x87's 80-bit extended format: values, the environment of an operation, and what operands are.
//!
//! Source: Intel SDM volume 1, chapters 4.8 and 8, and the FPU instructions' pages in volume 2.
//!
//! A function here does the arithmetic of one instruction: stack, tags, the status word's condition codes other than C1
//! and the delivery of unmasked exceptions are the caller's. When an unmasked invalid operation, denormal operand or
//! division by zero was raised, the caller discards the result; an unmasked overflow or underflow gives the result with
//! its exponent wrapped, as the SDM has it for register destinations.
//!
//! | function | instruction |
//! |---|---|
//! | [`add`], [`sub`], [`mul`], [`div`], [`sqrt`] | FADD, FSUB, FMUL, FDIV (and the R forms with operands swapped), FSQRT |
//! | [`rem()`] | FPREM, FPREM1 |
//! | [`round_int`] | FRNDINT |
//! | [`compare()`] | FCOM, FUCOM, FTST, FCOMI |
//! | [`from_format`], [`to_format`] | FLD and FST of 32 and 64 bits |
//! | [`from_int`], [`to_int`] | FILD; FIST, FISTP, FISTTP |
//! | [`from_bcd`], [`to_bcd`] | FBLD, FBSTP |
//! | [`scale()`], [`extract`] | FSCALE, FXTRACT |
//! | [`exp2_minus_1`], [`y_log2_x`], [`y_log2_x_plus_1`] | F2XM1, FYL2X, FYL2XP1 |
//! | [`angle`], [`trigonometric`] | FPATAN; FSIN, FCOS, FSINCOS, FPTAN |
//! | [`constant`] | FLD1, FLDL2T, FLDL2E, FLDPI, FLDLG2, FLDLN2, FLDZ |

mod arith;
mod bcd;
mod big;
mod compare;
mod convert;
mod rem;
mod round;
mod scale;
mod transcendental;

pub use arith::{add, div, mul, sqrt, sub};
pub use bcd::{from_bcd, to_bcd};
pub use compare::compare;
pub use convert::{from_format, from_int, round_int, to_format, to_int};
pub use rem::{Quotient, Remainder, rem};
pub use scale::{extract, scale};
pub use transcendental::{
    Angle, ONE, Trigonometric, angle, constant, exp2_minus_1, trigonometric, y_log2_x, y_log2_x_plus_1,
};

use super::unpack::{Kind, Num, Unpacked};
use super::{Flags, Rounding};

/// The exponent field of 1.0.
const BIAS: i32 = 0x3fff;
/// The exponent of the smallest normal number.
const EMIN: i32 = 1 - BIAS;
/// The largest exponent field.
const EXP_MAX: u16 = 0x7fff;
/// The explicit leading bit of the significand.
const INTEGER: u64 = 1 << 63;
/// The significand bit that tells a quiet NaN from a signalling one.
const QUIET: u64 = 1 << 62;

/// A value of the extended format.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct X80 {
    /// The sign in bit 15, the exponent field below.
    pub head: u16,
    /// The significand with its explicit integer bit.
    pub sig: u64,
}

impl X80 {
    /// The real indefinite: the NaN that invalid operations give.
    pub const INDEFINITE: X80 = X80 { head: 0xffff, sig: INTEGER | QUIET };

    /// The value in memory order.
    pub fn from_bytes(b: [u8; 10]) -> Self {
        let [a0, a1, a2, a3, a4, a5, a6, a7, h0, h1] = b;
        let sig = u64::from_le_bytes([a0, a1, a2, a3, a4, a5, a6, a7]);
        X80 { head: u16::from_le_bytes([h0, h1]), sig }
    }

    /// The value in memory order.
    pub fn to_bytes(self) -> [u8; 10] {
        let [a0, a1, a2, a3, a4, a5, a6, a7] = self.sig.to_le_bytes();
        let [h0, h1] = self.head.to_le_bytes();
        [a0, a1, a2, a3, a4, a5, a6, a7, h0, h1]
    }

    /// The sign bit.
    #[inline]
    pub fn sign(self) -> bool {
        self.head >> 15 != 0
    }

    fn new(sign: bool, field: u16, sig: u64) -> Self {
        X80 { head: u16::from(sign) << 15 | field, sig }
    }

    fn zero(sign: bool) -> Self {
        X80::new(sign, 0, 0)
    }

    fn infinity(sign: bool) -> Self {
        X80::new(sign, EXP_MAX, INTEGER)
    }

    fn quieted(self) -> Self {
        X80 { sig: self.sig | QUIET, ..self }
    }
}

/// Significand bits of results: the control word's PC. FADD, FSUB, FMUL, FDIV and FSQRT heed it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Precision {
    /// 24 bits.
    Single,
    /// 53 bits.
    Double,
    /// 64 bits.
    #[default]
    Extended,
}

impl Precision {
    /// Bits of a significand that are not kept.
    fn cut(self) -> u32 {
        match self {
            Precision::Single => 40,
            Precision::Double => 11,
            Precision::Extended => 0,
        }
    }
}

/// What the control word selects, and what operations report.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct X87 {
    /// RC.
    pub rounding: Rounding,
    /// PC.
    pub precision: Precision,
    /// The overflow exception is not masked.
    pub overflow_unmasked: bool,
    /// The underflow exception is not masked.
    pub underflow_unmasked: bool,
    /// Accumulated flags. Operations only add to them.
    pub flags: Flags,
    /// C1 of the last operation: its result was rounded away from zero.
    pub rounded_up: bool,
}

impl X87 {
    /// The environment that a control word selects. The reserved precision counts as extended.
    pub fn from_control(cw: u16) -> Self {
        X87 {
            rounding: Rounding::from_x86(u32::from(cw) >> 10),
            precision: match cw >> 8 & 3 {
                0 => Precision::Single,
                2 => Precision::Double,
                _ => Precision::Extended,
            },
            overflow_unmasked: cw & 8 == 0,
            underflow_unmasked: cw & 16 == 0,
            ..X87::default()
        }
    }

    fn raise(&mut self, flags: Flags) {
        self.flags.raise(flags);
    }

    fn invalid(&mut self) -> X80 {
        self.raise(Flags::INVALID);
        X80::INDEFINITE
    }
}

/// Takes a value apart. Nothing for an encoding that the 80387 and later do not support: pseudo-infinities, pseudo-NaNs
/// and unnormals, all of them invalid operands. A pseudo-denormal is a denormal of its value.
fn unpack(x: X80) -> Option<Unpacked> {
    let field = x.head & EXP_MAX;
    let sign = x.sign();
    let special = |kind| Some(Unpacked { kind, denormal: false, num: Num { sign, exp: 0, sig: 0 } });
    if field == 0 {
        if x.sig == 0 {
            return special(Kind::Zero);
        }
        let up = x.sig.leading_zeros();
        let num = Num { sign, exp: EMIN - up as i32, sig: x.sig << up };
        return Some(Unpacked { kind: Kind::Finite, denormal: true, num });
    }
    if x.sig & INTEGER == 0 {
        return None;
    }
    if field == EXP_MAX {
        return special(match x.sig {
            INTEGER => Kind::Infinity,
            sig if sig & QUIET != 0 => Kind::Quiet,
            _ => Kind::Signalling,
        });
    }
    let num = Num { sign, exp: i32::from(field) - BIAS, sig: x.sig };
    Some(Unpacked { kind: Kind::Finite, denormal: false, num })
}

/// Takes two operands apart, or gives the result of an operation on a NaN or an unsupported encoding.
fn unpack2(a: X80, b: X80, env: &mut X87) -> Result<(Unpacked, Unpacked), X80> {
    env.rounded_up = false;
    match (unpack(a), unpack(b)) {
        (Some(x), Some(y)) if !x.is_nan() && !y.is_nan() => Ok((x, y)),
        (Some(x), Some(y)) => Err(nan2(a, &x, b, &y, env)),
        _ => Err(env.invalid()),
    }
}

/// [`unpack2`] for one operand.
fn unpack1(a: X80, env: &mut X87) -> Result<Unpacked, X80> {
    env.rounded_up = false;
    match unpack(a) {
        Some(x) if x.is_nan() => {
            if x.kind == Kind::Signalling {
                env.raise(Flags::INVALID);
            }
            Err(a.quieted())
        }
        Some(x) => Ok(x),
        None => Err(env.invalid()),
    }
}

/// The NaN that two operands give (SDM volume 1, table 4-7): of two NaNs of a kind the one with the larger significand,
/// of a quiet and a signalling one the quiet one.
fn nan2(a: X80, x: &Unpacked, b: X80, y: &Unpacked, env: &mut X87) -> X80 {
    if x.kind == Kind::Signalling || y.kind == Kind::Signalling {
        env.raise(Flags::INVALID);
    }
    let first = match (x.kind, y.kind) {
        _ if !y.is_nan() => true,
        _ if !x.is_nan() => false,
        (Kind::Quiet, Kind::Signalling) => true,
        (Kind::Signalling, Kind::Quiet) => false,
        // Of equal significands the positive one.
        _ => a.sig > b.sig || (a.sig == b.sig && a.head < b.head),
    };
    if first { a.quieted() } else { b.quieted() }
}

/// Raises the denormal flag if an operand is denormal; called when nothing of higher precedence was found.
fn note_denormals(operands: &[&Unpacked], env: &mut X87) {
    if operands.iter().any(|u| u.denormal) {
        env.raise(Flags::INPUT_DENORMAL);
    }
}
