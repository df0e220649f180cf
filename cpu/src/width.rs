//! Widths of guest values, as types: mixing widths does not compile.

use crate::slot::RegFile;

/// The run-time name of a width, for IR and printing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Ty {
    /// one bit: a condition
    I1,
    /// 8 bits
    I8,
    /// 16 bits
    I16,
    /// 32 bits
    I32,
    /// 64 bits
    I64,
    /// 128 bits: a vector register
    V128,
}

impl Ty {
    /// Width in bits.
    pub const fn bits(self) -> u32 {
        match self {
            Ty::I1 => 1,
            Ty::I8 => 8,
            Ty::I16 => 16,
            Ty::I32 => 32,
            Ty::I64 => 64,
            Ty::V128 => 128,
        }
    }

    /// Size in memory, in bytes; a condition takes one.
    pub const fn bytes(self) -> u64 {
        (self.bits() as u64).div_ceil(8)
    }

    /// All value bits set, for widths up to 64.
    pub const fn mask(self) -> u64 {
        if self.bits() >= 64 { u64::MAX } else { (1 << self.bits()) - 1 }
    }
}

/// A width, as a type parameter.
pub trait Width: Copy + Send + 'static {
    /// The host type that holds a value of this width.
    type Prim: Copy + PartialEq + std::fmt::Debug + Default;
    /// The run-time name.
    const TY: Ty;
    /// Reads a value of this width at byte `at` of the register file.
    fn read(file: &RegFile, at: u16) -> Self::Prim;
    /// Writes a value of this width at byte `at` of the register file, leaving its neighbours alone.
    fn write(file: &mut RegFile, at: u16, x: Self::Prim);
    /// The value, zero extended.
    fn wide(x: Self::Prim) -> u128;
    /// The low bits of `x`.
    fn narrow(x: u128) -> Self::Prim;
}

/// A width of up to 64 bits, on which arithmetic is defined.
pub trait Int: Width {
    /// The value, zero extended.
    fn enc(x: Self::Prim) -> u64;
    /// The low bits of `x`.
    fn dec(x: u64) -> Self::Prim;
    /// The value, sign extended.
    fn signed(x: Self::Prim) -> i64;
}

macro_rules! widths { ($($(#[$doc:meta])* $w:ident $p:ty, $s:ty, $ty:ident;)*) => { $(
    $(#[$doc])*
    #[derive(Clone, Copy, Debug)]
    pub struct $w;
    impl Width for $w {
        type Prim = $p;
        const TY: Ty = Ty::$ty;
        #[inline(always)]
        fn read(file: &RegFile, at: u16) -> $p {
            (file.word(at >> 3) >> ((at & 7) * 8)) as $p
        }
        #[inline(always)]
        fn write(file: &mut RegFile, at: u16, x: $p) {
            if Ty::$ty.bits() == 64 {
                file.set_word(at >> 3, x as u64);
            } else {
                let shift = (at & 7) * 8;
                let keep = file.word(at >> 3) & !((<$p>::MAX as u64) << shift);
                file.set_word(at >> 3, keep | (x as u64) << shift);
            }
        }
        #[inline(always)]
        fn wide(x: $p) -> u128 { x as u128 }
        #[inline(always)]
        fn narrow(x: u128) -> $p { x as $p }
    }
    impl Int for $w {
        #[inline(always)]
        fn enc(x: $p) -> u64 { x as u64 }
        #[inline(always)]
        fn dec(x: u64) -> $p { x as $p }
        #[inline(always)]
        fn signed(x: $p) -> i64 { x as $s as i64 }
    }
)* } }
widths! {
    /// 8 bits.
    W8 u8, i8, I8;
    /// 16 bits.
    W16 u16, i16, I16;
    /// 32 bits.
    W32 u32, i32, I32;
    /// 64 bits.
    W64 u64, i64, I64;
}

/// One bit: a condition. It lives in registers only as a byte of 0 or 1.
#[derive(Clone, Copy, Debug)]
pub struct W1;

impl Width for W1 {
    type Prim = bool;
    const TY: Ty = Ty::I1;
    #[inline(always)]
    fn read(file: &RegFile, at: u16) -> bool {
        W8::read(file, at) & 1 != 0
    }
    #[inline(always)]
    fn write(file: &mut RegFile, at: u16, x: bool) {
        W8::write(file, at, x as u8);
    }
    #[inline(always)]
    fn wide(x: bool) -> u128 {
        x as u128
    }
    #[inline(always)]
    fn narrow(x: u128) -> bool {
        x & 1 != 0
    }
}

impl Int for W1 {
    #[inline(always)]
    fn enc(x: bool) -> u64 {
        x as u64
    }
    #[inline(always)]
    fn dec(x: u64) -> bool {
        x & 1 != 0
    }
    #[inline(always)]
    fn signed(x: bool) -> i64 {
        -(x as i64)
    }
}

/// 128 bits: a vector register, lane 0 in the low bits.
#[derive(Clone, Copy, Debug)]
pub struct W128;

impl Width for W128 {
    type Prim = u128;
    const TY: Ty = Ty::V128;
    #[inline(always)]
    fn read(file: &RegFile, at: u16) -> u128 {
        file.word(at >> 3) as u128 | (file.word((at >> 3) + 1) as u128) << 64
    }
    #[inline(always)]
    fn write(file: &mut RegFile, at: u16, x: u128) {
        file.set_word(at >> 3, x as u64);
        file.set_word((at >> 3) + 1, (x >> 64) as u64);
    }
    #[inline(always)]
    fn wide(x: u128) -> u128 {
        x
    }
    #[inline(always)]
    fn narrow(x: u128) -> u128 {
        x
    }
}

/// Calls `$body` with `$t` as the unsigned type of width `$W`.
macro_rules! by_size {
    ($W:ty, $t:ident => $body:expr) => {
        match <$W as $crate::width::Width>::TY.bytes() {
            1 => {
                type $t = u8;
                $body
            }
            2 => {
                type $t = u16;
                $body
            }
            4 => {
                type $t = u32;
                $body
            }
            8 => {
                type $t = u64;
                $body
            }
            _ => {
                type $t = u128;
                $body
            }
        }
    };
}
pub(crate) use by_size;
