//! The table of vector operations. Scalar floating point lives here too: it works on lane 0 of a vector register.
//!
//! An operation takes up to three 128-bit values and a constant. Its function is its meaning; engines without a native
//! form call it. Results of 64-bit and scalar arrangements have zeros above.
//!
//! The vocabulary is small on purpose: an instruction is composed from operations that hosts have (a multiply
//! accumulate is a multiply and an add, an across-lanes long sum is a pairwise widening and a sum).

/// Arrangements and loops over elements.
pub mod lanes;

mod arith;
mod bits;

pub use lanes::{Lanes, Part};

/// The floating-point control and status that vector operations read and accumulate into, in the guest's own layout
/// (Arm: FPCR and FPSR).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FpEnv {
    /// control: rounding, flushing, default NaN
    pub control: u32,
    /// cumulative status bits, only ever set by operations
    pub status: u32,
}

impl FpEnv {
    /// The cumulative saturation bit, FPSR.QC.
    pub const QC: u32 = 1 << 27;

    /// Records that an element saturated.
    #[inline(always)]
    pub fn saturated(&mut self, yes: bool) {
        self.status |= (yes as u32) << 27;
    }
}

/// The function of an operation: arrangement, constant, operands, environment.
pub type VecFn = fn(Lanes, u32, u128, u128, u128, &mut FpEnv) -> u128;

/// Defines functions of [`VecFn`]'s shape: `name = |l, imm, a, b, c, env| meaning;`, with `_` for what is not used.
macro_rules! functions {
    ($($(#[$meta:meta])* $name:ident =
        |$l:pat_param, $i:pat_param, $a:pat_param, $b:pat_param, $c:pat_param, $env:pat_param| $e:expr;)*) => { $(
        $(#[$meta])*
        pub(super) fn $name(
            $l: $crate::vec::Lanes, $i: u32, $a: u128, $b: u128, $c: u128, $env: &mut $crate::vec::FpEnv,
        ) -> u128 {
            $e
        }
    )* };
}
use functions;

/// Defines [`VecOp`]: rows are `Name = path::of::function;`, or `Name = path::of::function, env;` for operations that
/// read or write [`FpEnv`].
macro_rules! vec_ops { (@touches) => { false }; (@touches env) => { true };
($($(#[$doc:meta])* $op:ident = $f:path $(, $env:ident)?;)*) => {
    /// A vector operation.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    #[repr(u16)]
    pub enum VecOp { $($(#[$doc])* $op),* }

    impl VecOp {
        /// Every operation of the table.
        pub const ALL: &[Self] = &[$(Self::$op),*];

        const FUNCTIONS: &[VecFn] = &[$($f),*];
        const TOUCHES: &[bool] = &[$(vec_ops!(@touches $($env)?)),*];
    }
} }

impl VecOp {
    /// The operation's function, as compiled code calls it.
    #[inline(always)]
    pub const fn func(self) -> VecFn {
        Self::FUNCTIONS[self as usize]
    }

    /// Whether the operation reads or writes [`FpEnv`].
    #[inline(always)]
    pub const fn touches_env(self) -> bool {
        Self::TOUCHES[self as usize]
    }

    /// The meaning. `imm` is the operation's constant; unused operands are ignored. With a known operation this is a
    /// direct call, with an unknown one a call through the table.
    #[inline(always)]
    pub fn eval(self, l: Lanes, imm: u32, a: u128, b: u128, c: u128, env: &mut FpEnv) -> u128 {
        self.func()(l, imm, a, b, c, env)
    }
}

vec_ops! {
    // ---- bits.rs ----
    /// a and b
    And = bits::and;
    /// a and not b
    AndNot = bits::and_not;
    /// a or b
    Or = bits::or;
    /// a or not b
    OrNot = bits::or_not;
    /// a exclusive-or b
    Xor = bits::xor;
    /// bits of a where c is set, of b where it is clear
    Select = bits::select;
    /// the low 64 bits, zeros above
    Low = bits::low;

    // ---- arith.rs ----
    /// per element a + b
    Add = arith::add;
    /// per element a - b
    Sub = arith::sub;
}
