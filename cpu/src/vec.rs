//! The table of vector operations. Scalar floating point lives here too: it works on lane 0 of a vector register.
//!
//! An operation takes up to three 128-bit values and a constant. [`VecOp::eval`] is its meaning; engines without a
//! native form call it. Results of 64-bit and scalar arrangements have zeros above.

/// Which part of a vector register an operation works on, and with which elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lanes {
    /// log2 of the element size in bytes: 0 to 4
    pub log2: u8,
    /// how many elements: lane 0, the low 64 bits, or all 128
    pub part: Part,
}

/// How much of a vector register takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Part {
    /// lane 0 only
    Scalar,
    /// the low 64 bits
    Half,
    /// all 128 bits
    Full,
}

impl Lanes {
    /// Elements of `1 << log2` bytes over the given part.
    pub const fn new(log2: u32, part: Part) -> Self {
        Lanes { log2: log2 as u8, part }
    }

    /// The arrangement that Arm's `Q` bit selects.
    pub const fn q(log2: u32, q: u32) -> Self {
        Lanes { log2: log2 as u8, part: if q & 1 == 0 { Part::Half } else { Part::Full } }
    }

    /// Element size in bits.
    #[inline(always)]
    pub const fn bits(self) -> u32 {
        8 << self.log2
    }

    /// Number of elements.
    #[inline(always)]
    pub const fn count(self) -> u32 {
        match self.part {
            Part::Scalar => 1,
            Part::Half => 8 >> self.log2,
            Part::Full => 16 >> self.log2,
        }
    }

    /// All bits of one element.
    #[inline(always)]
    pub const fn mask(self) -> u128 {
        if self.log2 >= 4 { u128::MAX } else { (1 << self.bits()) - 1 }
    }

    /// Element `i` of `v`.
    #[inline(always)]
    pub const fn get(self, v: u128, i: u32) -> u128 {
        (v >> (i * self.bits())) & self.mask()
    }

    /// Builds a vector from a function of the element number.
    #[inline(always)]
    pub fn build(self, mut f: impl FnMut(u32) -> u128) -> u128 {
        let mut r = 0;
        let mut i = 0;
        while i < self.count() {
            r |= (f(i) & self.mask()) << (i * self.bits());
            i += 1;
        }
        r
    }
}

/// The floating-point control and status that vector operations read and accumulate into, in the guest's own layout
/// (Arm: FPCR and FPSR).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FpEnv {
    /// control: rounding, flushing, default NaN
    pub control: u32,
    /// cumulative status bits, only ever set by operations
    pub status: u32,
}

macro_rules! vec_ops { ($($(#[$doc:meta])* $op:ident = |$l:ident, $imm:ident, $a:ident, $b:ident, $c:ident, $env:ident| $e:expr;)*) => {
    /// A vector operation.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    #[repr(u16)]
    pub enum VecOp { $($(#[$doc])* $op),* }

    impl VecOp {
        /// Every operation of the table.
        pub const ALL: &[Self] = &[$(Self::$op),*];

        /// The meaning. `imm` is the operation's constant; unused operands are ignored. It is a call on purpose:
        /// inlining the whole table at every use would cost more than the call.
        #[inline(never)]
        #[allow(unused_variables, reason = "each operation names all operands, and uses the ones it has")]
        pub fn eval(self, l: Lanes, imm: u32, a: u128, b: u128, c: u128, env: &mut FpEnv) -> u128 {
            match self { $(Self::$op => { let ($l, $imm, $a, $b, $c, $env) = (l, imm, a, b, c, env); $e }),* }
        }
    }
} }

vec_ops! {
    /// a and b
    And = |l, imm, a, b, c, env| a & b;
    /// a and not b
    AndNot = |l, imm, a, b, c, env| a & !b;
    /// a or b
    Or = |l, imm, a, b, c, env| a | b;
    /// a or not b
    OrNot = |l, imm, a, b, c, env| a | !b;
    /// a exclusive-or b
    Xor = |l, imm, a, b, c, env| a ^ b;
    /// bits of a where c is set, of b where it is clear
    Select = |l, imm, a, b, c, env| a & c | b & !c;
    /// the low 64 bits, zeros above
    Low = |l, imm, a, b, c, env| a as u64 as u128;
    /// per element a + b
    Add = |l, imm, a, b, c, env| l.build(|i| l.get(a, i).wrapping_add(l.get(b, i)));
    /// per element a - b
    Sub = |l, imm, a, b, c, env| l.build(|i| l.get(a, i).wrapping_sub(l.get(b, i)));
}
