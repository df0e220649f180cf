//! The table of integer operations: each is one name and one closed meaning, which serves the interpreter, the
//! constant folder, the IR evaluator and the documentation.
//!
//! Operands are zero extended to 64 bits, `n` is the width in bits; results are truncated to the width.

use crate::width::Int;

/// Sign extends the low `n` bits of `x`.
#[inline(always)]
pub const fn sext(x: u64, n: u32) -> i64 {
    ((x << (64 - n)) as i64) >> (64 - n)
}

macro_rules! ops {
    ($(#[$meta:meta])* $name:ident($n:ident: $($p:ident),*) { $($(#[$doc:meta])* $op:ident = $e:expr;)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum $name { $($(#[$doc])* $op),* }

        impl $name {
            /// Every operation of the table.
            pub const ALL: &[Self] = &[$(Self::$op),*];

            /// The meaning, on zero-extended operands of `n` bits; the caller truncates the result.
            #[inline(always)]
            pub fn apply(self, $($p: u64,)* $n: u32) -> u64 {
                match self { $(Self::$op => $e),* }
            }

            /// The meaning, on values of width `W`.
            #[inline(always)]
            pub fn eval<W: Int>(self, $($p: W::Prim),*) -> W::Prim {
                W::dec(self.apply($(W::enc($p),)* W::TY.bits()))
            }
        }
    };
}

ops! {
    /// Operations on one value.
    Un(n: a) {
        /// ones' complement
        Not = !a;
        /// two's complement
        Neg = a.wrapping_neg();
        /// leading zero bits; `n` for zero
        Clz = (a.leading_zeros() + n - 64) as u64;
        /// trailing zero bits; `n` for zero
        Ctz = a.trailing_zeros().min(n) as u64;
        /// leading bits equal to the sign bit, not counting it
        Cls = { let s = sext(a, n); ((s ^ (s >> 63)).leading_zeros() + n - 65) as u64 };
        /// bits in reverse order
        Rbit = a.reverse_bits() >> (64 - n);
        /// bytes in reverse order
        Bswap = a.swap_bytes() >> (64 - n);
        /// bytes in reverse order within each 16-bit half-word
        Rev16 = (a >> 8) & 0x00FF_00FF_00FF_00FF | (a & 0x00FF_00FF_00FF_00FF) << 8;
        /// bytes in reverse order within each 32-bit word
        Rev32 = a.swap_bytes().rotate_left(32);
        /// one bits
        Popcnt = a.count_ones() as u64;
    }
}

ops! {
    /// Operations on two values of the same width.
    Bin(n: a, b) {
        /// a + b
        Add = a.wrapping_add(b);
        /// a - b
        Sub = a.wrapping_sub(b);
        /// low half of a × b
        Mul = a.wrapping_mul(b);
        /// high half of the unsigned product
        MulHiU = ((a as u128 * b as u128) >> n) as u64;
        /// high half of the signed product
        MulHiS = ((sext(a, n) as i128 * sext(b, n) as i128) >> n) as u64;
        /// unsigned quotient; 0 when b is 0
        UDiv = a.checked_div(b).unwrap_or(0);
        /// signed quotient, truncated; 0 when b is 0, wrapping at the minimum by -1
        SDiv = if b == 0 { 0 } else { sext(a, n).wrapping_div(sext(b, n)) as u64 };
        /// a and b
        And = a & b;
        /// a or b
        Or = a | b;
        /// a exclusive-or b
        Xor = a ^ b;
        /// a and not b
        AndNot = a & !b;
        /// a shifted left by b modulo the width
        Shl = a << (b & (n as u64 - 1));
        /// a shifted right by b modulo the width, zeros coming in
        Shr = a >> (b & (n as u64 - 1));
        /// a shifted right by b modulo the width, signs coming in
        Sar = (sext(a, n) >> (b & (n as u64 - 1))) as u64;
        /// a rotated right by b modulo the width
        Ror = { let k = b & (n as u64 - 1); if k == 0 { a } else { a >> k | a << (n as u64 - k) } };
    }
}

/// Comparisons of two values of the same width.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Cmp {
    /// a = b
    Eq,
    /// a ≠ b
    Ne,
    /// a < b, unsigned
    Ltu,
    /// a ≤ b, unsigned
    Leu,
    /// a < b, signed
    Lts,
    /// a ≤ b, signed
    Les,
}

impl Cmp {
    /// The meaning, on zero-extended operands of `n` bits.
    #[inline(always)]
    pub fn apply(self, a: u64, b: u64, n: u32) -> bool {
        match self {
            Cmp::Eq => a == b,
            Cmp::Ne => a != b,
            Cmp::Ltu => a < b,
            Cmp::Leu => a <= b,
            Cmp::Lts => sext(a, n) < sext(b, n),
            Cmp::Les => sext(a, n) <= sext(b, n),
        }
    }
}

/// How condition flags follow from an operation. The result is in [`nzcv`] form for Arm's and in
/// [`crate::x86::flags`] form for x86's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum FlagOp {
    /// a + b + carry (ADDS has carry 0)
    Add,
    /// a - b - 1 + carry (SUBS has carry 1); C is "no borrow"
    Sub,
    /// N and Z of a; C and V clear (ANDS)
    Logic,
    /// x86: a + b + carry
    AddX,
    /// x86: a - b - carry; CF is the borrow
    SubX,
    /// x86: SF, ZF and PF of a; the others clear
    LogicX,
    /// x86: SF, ZF and PF of the low half of the signed product a × b; CF and OF say that it does not hold the product
    MulX,
}

/// Arm's flags in the form that LAHF and SETO leave on the host: N bit 15, Z bit 14, C bit 8, V bit 0, all else zero.
pub mod nzcv {
    /// N in the stored form.
    pub const N: u32 = 1 << 15;
    /// Z in the stored form.
    pub const Z: u32 = 1 << 14;
    /// C in the stored form.
    pub const C: u32 = 1 << 8;
    /// V in the stored form.
    pub const V: u32 = 1 << 0;
    /// All of them.
    pub const ALL: u32 = N | Z | C | V;

    /// From PSTATE's bits 31 to 28 to the stored form.
    #[inline(always)]
    pub const fn from_psr(psr: u32) -> u32 {
        (psr >> 30 & 3) << 14 | (psr >> 29 & 1) << 8 | psr >> 28 & 1
    }

    /// From the stored form to PSTATE's bits 31 to 28.
    #[inline(always)]
    pub const fn to_psr(f: u32) -> u32 {
        (f >> 14 & 3) << 30 | (f >> 8 & 1) << 29 | (f & 1) << 28
    }
}

impl FlagOp {
    /// The flags of the operation on zero-extended operands of `n` bits.
    #[inline(always)]
    pub fn apply(self, a: u64, b: u64, carry: bool, n: u32) -> u32 {
        let mask = u64::MAX >> (64 - n);
        let (r, c, v) = match self {
            FlagOp::Logic | FlagOp::LogicX => (a & mask, false, false),
            FlagOp::Add | FlagOp::Sub => {
                let b = if self == FlagOp::Sub { !b & mask } else { b };
                let wide = a as u128 + b as u128 + carry as u128;
                let r = wide as u64 & mask;
                (r, wide >> n != 0, (!(a ^ b) & (a ^ r)) >> (n - 1) & 1 != 0)
            }
            FlagOp::AddX => {
                let r = a.wrapping_add(b).wrapping_add(carry as u64) & mask;
                let out = (a & b) | ((a | b) & !r);
                (r, out >> (n - 1) & 1 != 0, (!(a ^ b) & (a ^ r)) >> (n - 1) & 1 != 0)
            }
            FlagOp::SubX => {
                let r = a.wrapping_sub(b).wrapping_sub(carry as u64) & mask;
                let out = (!a & b) | ((!a | b) & r);
                (r, out >> (n - 1) & 1 != 0, ((a ^ b) & (a ^ r)) >> (n - 1) & 1 != 0)
            }
            FlagOp::MulX => {
                let whole = sext(a, n) as i128 * sext(b, n) as i128;
                let r = whole as u64 & mask;
                let over = sext(r, n) as i128 != whole;
                (r, over, over)
            }
        };
        let f = ((r >> (n - 1)) as u32 & 1) << 15 | ((r == 0) as u32) << 14 | (c as u32) << 8 | v as u32;
        match self {
            FlagOp::Add | FlagOp::Sub | FlagOp::Logic => f,
            FlagOp::LogicX | FlagOp::MulX => f | parity(r),
            FlagOp::AddX | FlagOp::SubX => f | parity(r) | ((a ^ b ^ r) as u32 & 1 << 4) << 8,
        }
    }
}

/// PF of a result, in its place: set if the low byte has an even number of ones.
#[inline(always)]
pub(crate) const fn parity(r: u64) -> u32 {
    let nibble = (r ^ r >> 4) as u32 & 15;
    // Bit n: n has an even number of ones.
    (0x9669_u32 >> nibble & 1) << 10
}

/// Arm's condition codes, with the manual's encoding, and those of x86 that it lacks: x86 looks at C as it is, Arm's HI
/// and LS at its opposite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[expect(missing_docs, reason = "the manuals' names say it: DDI 0487 C1.2.4, SDM vol. 1 appendix B")]
pub enum Cond {
    EQ,
    NE,
    CS,
    CC,
    MI,
    PL,
    VS,
    VC,
    HI,
    LS,
    GE,
    LT,
    GT,
    LE,
    AL,
    NV,
    A,
    BE,
    PE,
    PO,
}

impl Cond {
    /// Arm's condition that the low four bits of `x` encode.
    pub const fn of(x: u32) -> Self {
        use Cond::*;
        [EQ, NE, CS, CC, MI, PL, VS, VC, HI, LS, GE, LT, GT, LE, AL, NV][x as usize & 15]
    }

    /// Condition number `x`.
    pub const fn number(x: u32) -> Self {
        match x {
            16 => Cond::A,
            17 => Cond::BE,
            18 => Cond::PE,
            19 => Cond::PO,
            _ => Self::of(x),
        }
    }

    /// The opposite condition; AL and NV both mean always and are their own.
    pub const fn invert(self) -> Self {
        match self {
            Cond::AL | Cond::NV => self,
            _ => Self::number(self as u32 ^ 1),
        }
    }

    /// Whether the condition holds for stored flags. From a table: code that runs all conditions through one
    /// place would mispredict a branch on the condition.
    #[inline(always)]
    pub fn holds(self, f: u32) -> bool {
        const HOLDS: [u32; 32] = {
            let mut table = [0; 32];
            let mut i = 0;
            while i < 32 * 20 {
                let flags = nzcv::from_psr((i as u32 & 15) << 28) | (i as u32 >> 4 & 1) << 10;
                table[i >> 5] |= (Cond::number(i as u32 >> 5).means(flags) as u32) << (i & 31);
                i += 1;
            }
            table
        };
        let index = f >> 12 & 0xC | f >> 7 & 2 | f & 1 | f >> 6 & 0x10;
        HOLDS[self as usize & 31] >> index & 1 != 0
    }

    /// What the condition says of stored flags (DDI 0487 C1.2.4, SDM vol. 1 appendix B).
    pub(crate) const fn means(self, f: u32) -> bool {
        let (n, z, c, v) = (f & nzcv::N != 0, f & nzcv::Z != 0, f & nzcv::C != 0, f & nzcv::V != 0);
        match self {
            Cond::EQ => z,
            Cond::NE => !z,
            Cond::CS => c,
            Cond::CC => !c,
            Cond::MI => n,
            Cond::PL => !n,
            Cond::VS => v,
            Cond::VC => !v,
            Cond::HI => c && !z,
            Cond::LS => !c || z,
            Cond::GE => n == v,
            Cond::LT => n != v,
            Cond::GT => !z && n == v,
            Cond::LE => z || n != v,
            Cond::AL | Cond::NV => true,
            Cond::A => !c && !z,
            Cond::BE => c || z,
            Cond::PE => f & 1 << 10 != 0,
            Cond::PO => f & 1 << 10 == 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::width::{W8, W32, W64};

    #[test]
    fn widths_are_respected() {
        assert_eq!(Un::Clz.eval::<W8>(1), 7);
        assert_eq!(Un::Clz.eval::<W32>(0), 32);
        assert_eq!(Un::Cls.eval::<W32>(0xFFFF_FFFF), 31);
        assert_eq!(Un::Cls.eval::<W64>(1), 62);
        assert_eq!(Un::Rbit.eval::<W8>(1), 0x80);
        assert_eq!(Bin::MulHiS.eval::<W64>(u64::MAX, 2), u64::MAX);
        assert_eq!(Bin::SDiv.eval::<W32>(0x8000_0000, u32::MAX), 0x8000_0000);
        assert_eq!(Bin::Sar.eval::<W8>(0x80, 7), 0xFF);
        assert_eq!(Bin::Ror.eval::<W32>(1, 33), 0x8000_0000);
    }

    #[test]
    fn flags_follow_the_manual() {
        let all = |f: u32| nzcv::to_psr(f) >> 28;
        assert_eq!(all(FlagOp::Sub.apply(5, 5, true, 64)), 0b0110);
        assert_eq!(all(FlagOp::Sub.apply(0, 1, true, 32)), 0b1000);
        assert_eq!(all(FlagOp::Add.apply(0x7FFF_FFFF, 1, false, 32)), 0b1001);
        assert_eq!(all(FlagOp::Add.apply(u64::MAX, 0, true, 64)), 0b0110);
        for psr in 0..16u32 {
            let flags = nzcv::from_psr(psr << 28);
            assert_eq!(all(flags), psr);
            for c in 0..16 {
                assert_eq!(Cond::of(c).holds(flags), Cond::of(c).means(flags));
            }
        }
    }
}
