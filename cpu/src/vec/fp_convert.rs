//! Floating-point conversion: between formats, and to and from integers and fixed-point numbers.

use super::FpEnv;
use super::fp_env::{AHP, by_format, resize, rounding_of, within};
use crate::op::nzcv;
use crate::softfloat::{
    BF16, Env, F16, F16Alt, F32, F64, Format, Rounding, convert, from_int, to_int, to_int_js,
};

/// The constant of [`super::VecOp::FToInt`] and [`super::VecOp::IntToF`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fixed {
    /// One of [`super::fp_env::rounding`]; IntToF always rounds as the environment says.
    pub rounding: u32,
    /// Whether the integer is signed.
    pub signed: bool,
    /// log2 of the integer's size in bytes.
    pub log2: u32,
    /// How many of its bits are fraction: 0 to 64.
    pub fbits: u32,
}

impl Fixed {
    /// As an operation's constant.
    pub const fn pack(self) -> u32 {
        self.rounding | (self.signed as u32) << 3 | self.log2 << 4 | self.fbits << 6
    }

    /// From an operation's constant.
    pub const fn unpack(imm: u32) -> Self {
        Fixed { rounding: imm & 7, signed: imm >> 3 & 1 != 0, log2: imm >> 4 & 3, fbits: imm >> 6 & 0x7F }
    }
}

/// Bits 1 and 0 of [`super::VecOp::FCvt`]'s constant: log2 of the size of the results in bytes.
pub const TO: u32 = 3;
/// Bit of [`super::VecOp::FCvt`]'s constant: the rounding is to odd.
pub const TO_ODD: u32 = 1 << 2;
/// Bit of [`super::VecOp::FCvt`]'s constant: the 16-bit results are bfloat16.
pub const TO_BF16: u32 = 1 << 3;
/// Where [`super::VecOp::FCvt`]'s constant holds one plus one of [`super::fp_env::rounding`], or zero for what the
/// environment says.
pub const ROUNDING: u32 = 4;

/// `$body` with `$I` as the integer type of an element.
macro_rules! by_int {
    ($f:expr, $I:ident => $body:expr) => {
        match ($f.signed, $f.log2) {
            (true, 1) => {
                type $I = i16;
                $body
            }
            (true, 2) => {
                type $I = i32;
                $body
            }
            (true, _) => {
                type $I = i64;
                $body
            }
            (false, 1) => {
                type $I = u16;
                $body
            }
            (false, 2) => {
                type $I = u32;
                $body
            }
            (false, _) => {
                type $I = u64;
                $body
            }
        }
    };
}

/// An integer in the low bits of a word, zeros above.
trait Raw {
    fn raw(self) -> u64;
}
macro_rules! raw { ($($i:ty, $u:ty;)*) => { $(
    impl Raw for $i {
        #[inline(always)]
        fn raw(self) -> u64 {
            self as $u as u64
        }
    }
)* } }
raw! { i16, u16; i32, u32; i64, u64; u16, u16; u32, u32; u64, u64; }

fn integer<F: Format>(a: u64, f: Fixed, e: &mut Env) -> u64 {
    let rounding = rounding_of(f.rounding, e);
    by_int!(f, I => to_int::<F, I>(a, f.fbits, rounding, e).raw())
}

fn float<F: Format>(a: u64, f: Fixed, e: &mut Env) -> u64 {
    by_int!(f, I => from_int::<F, I>(a as I, f.fbits, e))
}

/// The conversion between two formats, given by log2 of their sizes.
fn conversion(from: u8, to: u32, alternative: bool) -> fn(u64, &mut Env) -> u64 {
    match (from, to, alternative) {
        (1, 2, false) => convert::<F16, F32>,
        (1, 3, false) => convert::<F16, F64>,
        (1, 2, true) => convert::<F16Alt, F32>,
        (1, _, _) => convert::<F16Alt, F64>,
        (2, 1, false) => convert::<F32, F16>,
        (2, 1, true) => convert::<F32, F16Alt>,
        (2, _, _) => convert::<F32, F64>,
        (_, 1, false) => convert::<F64, F16>,
        (_, 1, true) => convert::<F64, F16Alt>,
        (_, _, _) => convert::<F64, F32>,
    }
}

super::functions! {
    fto_int = |l, imm, a, _, _, env| {
        let f = Fixed::unpack(imm);
        by_format!(l, F => resize((l.count(), l.bits(), 8 << f.log2), a, env, |x, e| integer::<F>(x, f, e)))
    };
    int_to_f = |l, imm, a, _, _, env| {
        let f = Fixed::unpack(imm);
        by_format!(l, F => resize((l.count(), 8 << f.log2, l.bits()), a, env, |x, e| float::<F>(x, f, e)))
    };
    fto_int_js = |_, _, a, _, _, env| {
        let (r, exact) = within(env, |e| to_int_js::<F64>(a as u64, e));
        let flags = if exact { nzcv::Z } else { 0 };
        u128::from(r as u32) | u128::from(flags) << 32
    };
    fcvt = |l, imm, a, _, _, env| {
        let to = imm & TO;
        let f = if imm & TO_BF16 != 0 {
            convert::<F32, BF16>
        } else {
            conversion(l.log2, to, env.control & (AHP | FpEnv::X86) == AHP)
        };
        resize((l.count(), l.bits(), 8 << to), a, env, |x, e| {
            if imm & TO_ODD != 0 {
                e.rounding = Rounding::Odd;
            } else if imm >> ROUNDING != 0 {
                e.rounding = rounding_of((imm >> ROUNDING) - 1, e);
            }
            f(x, e)
        })
    };
}
