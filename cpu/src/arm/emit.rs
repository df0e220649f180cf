//! What Arm semantics say over and over: register accessors by the manual's pseudo-code names.

use super::Arm64;
use super::mode;
use super::state;
use crate::emit::{Emitter, Exception};
use crate::op::Cond;
use crate::width::{Int, W1, W64, W128};
use std::hint::cold_path;
use std::sync::atomic::{Ordering, compiler_fence};

/// Calls `$body` with `$W` as the width that `sf` selects.
#[macro_export]
macro_rules! by_sf {
    ($sf:expr, $W:ident => $body:expr) => {
        if $sf == 0 {
            type $W = $crate::width::W32;
            $body
        } else {
            type $W = $crate::width::W64;
            $body
        }
    };
}

/// Emitters that Arm semantics run against.
pub trait Arm: Emitter<Arch = Arm64> {
    /// `X[n]`: register 31 reads as zero.
    #[inline(always)]
    fn x<W: Int>(&mut self, n: u32) -> Self::Val<W> {
        if n == 31 { self.lit::<W>(W::dec(0)) } else { self.get(state::x(n).cast::<W>()) }
    }

    /// `X[n] = v`, zero extended; register 31 is discarded.
    #[inline(always)]
    fn set_x<W: Int>(&mut self, n: u32, v: Self::Val<W>) {
        if n != 31 {
            let v = self.zext::<W, W64>(v);
            self.put(state::x(n), v);
        }
    }

    /// `X[n]` or, for 31, the stack pointer.
    #[inline(always)]
    fn x_or_sp<W: Int>(&mut self, n: u32) -> Self::Val<W> {
        self.get(state::x(n).cast::<W>())
    }

    /// `X[n] = v` or, for 31, the stack pointer.
    #[inline(always)]
    fn set_x_or_sp<W: Int>(&mut self, n: u32, v: Self::Val<W>) {
        let v = self.zext::<W, W64>(v);
        self.put(state::x(n), v);
    }

    /// `V[n]`, all 128 bits.
    #[inline(always)]
    fn v(&mut self, n: u32) -> Self::Val<W128> {
        self.get(state::v(n))
    }

    /// `V[n] = v`.
    #[inline(always)]
    fn set_v(&mut self, n: u32, v: Self::Val<W128>) {
        self.put(state::v(n), v);
    }

    /// `ConditionHolds(cond)`.
    #[inline(always)]
    fn cond(&mut self, c: u32) -> Self::Val<W1> {
        self.flags_hold(state::NZCV, Cond::of(c))
    }

    /// `CheckFPAdvSIMDEnabled64()`: every instruction that touches V registers starts with it.
    ///
    /// # Errors
    /// Aborts when the access is trapped.
    #[inline(always)]
    fn check_fp(&mut self) -> Result<(), Self::Abort> {
        if self.cx().mode & mode::FP_TRAP != 0 {
            let always = self.lit::<W1>(true);
            self.raise_if(always, FP_ACCESS)?;
        }
        Ok(())
    }

    /// Whether data is big-endian, which is rare.
    #[inline(always)]
    fn big_endian(&self) -> bool {
        let big = self.cx().mode & mode::BIG_ENDIAN != 0;
        if big {
            cold_path();
            // Nothing else keeps the compiler from reversing always and choosing afterwards.
            compiler_fence(Ordering::SeqCst);
        }
        big
    }

    /// The undefined instruction exception.
    ///
    /// # Errors
    /// Aborts always, when interpreting.
    #[inline(always)]
    fn undefined(&mut self) -> crate::emit::Exec<Self> {
        self.raise(UNDEFINED)
    }
}

impl<E: Emitter<Arch = Arm64>> Arm for E {}

/// The exception of an undefined encoding: EC 0x00, IL set (DDI 0487 D17.2.37).
pub const UNDEFINED: Exception = Exception(1 << 25);
/// The trap of a SIMD or floating-point access: EC 0x07, IL, COND 0b1110, CV (DDI 0487 D17.2.37).
pub const FP_ACCESS: Exception = Exception(0x07 << 26 | 1 << 25 | 1 << 24 | 0xE << 20);
/// The SP alignment fault: EC 0x26, IL.
pub const SP_ALIGNMENT: Exception = Exception(0x26 << 26 | 1 << 25);
