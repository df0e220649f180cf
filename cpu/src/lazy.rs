//! Condition flags while the interpreter owes them: most are overwritten before anybody asks.
//!
//! An operation leaves its result, CF and OF. All conditions but those on PF take one or two steps from there, whatever
//! the operation and its width were.

use crate::core::{Arch, Core};
use crate::op::{Cond, FlagOp, parity, sext};
use crate::x86::flags::{self, Update};

/// What flags follow from.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lazy {
    /// The result, sign extended: SF, ZF and PF follow from it.
    result: i64,
    cf: bool,
    of: bool,
    /// Bit 4 is the carry into bit 4, AF.
    half: u8,
    /// These are the flags, and not what the register file holds.
    pub(crate) pending: bool,
}

/// CF and OF of a sum or a difference of `n` bits with a carry.
macro_rules! overflows {
    ($n:ident, $a:ident, $b:ident, $carry:ident, $op:ident) => {
        match $n {
            8 => overflows!(u8, i8, $a, $b, $carry, $op),
            16 => overflows!(u16, i16, $a, $b, $carry, $op),
            32 => overflows!(u32, i32, $a, $b, $carry, $op),
            _ => overflows!(u64, i64, $a, $b, $carry, $op),
        }
    };
    ($u:ident, $i:ident, $a:ident, $b:ident, $carry:ident, $op:ident) => {{
        let (r, c) = ($a as $u).$op($b as $u);
        let (s, o) = ($a as $i).$op($b as $i);
        (c | r.$op($carry as $u).1, o ^ s.$op($carry as $i).1)
    }};
}

impl Lazy {
    /// The flags are those of one of x86's operations on zero-extended operands of `n` bits, see [`FlagOp`].
    #[inline(always)]
    pub(crate) fn set(&mut self, op: FlagOp, a: u64, b: u64, carry: bool, n: u32) {
        let r = match op {
            FlagOp::Add | FlagOp::AddX => {
                (self.cf, self.of) = overflows!(n, a, b, carry, overflowing_add);
                a.wrapping_add(b).wrapping_add(carry as u64)
            }
            // Arm's carry is that there was no borrow, in and out.
            FlagOp::Sub => {
                let borrow = !carry;
                let (b_out, of) = overflows!(n, a, b, borrow, overflowing_sub);
                (self.cf, self.of) = (!b_out, of);
                a.wrapping_sub(b).wrapping_sub(borrow as u64)
            }
            FlagOp::SubX => {
                (self.cf, self.of) = overflows!(n, a, b, carry, overflowing_sub);
                a.wrapping_sub(b).wrapping_sub(carry as u64)
            }
            FlagOp::Logic | FlagOp::LogicX => {
                (self.cf, self.of) = (false, false);
                a
            }
            FlagOp::MulX => {
                let whole = sext(a, n) as i128 * sext(b, n) as i128;
                let over = sext(whole as u64, n) as i128 != whole;
                (self.cf, self.of) = (over, over);
                whole as u64
            }
        };
        match op {
            FlagOp::AddX | FlagOp::SubX => self.half = (a ^ b ^ r) as u8,
            FlagOp::LogicX | FlagOp::MulX => self.half = 0,
            // Arm has none.
            FlagOp::Add | FlagOp::Sub | FlagOp::Logic => {}
        }
        (self.result, self.pending) = (sext(r, n), true);
    }

    /// The flags change as [`Update`] says; for INC and DEC CF is `cf`. Rotates must find them pending.
    #[inline(always)]
    pub(crate) fn update(&mut self, op: Update, a: u64, b: u64, cf: bool, n: u32) {
        let min = 1 << (n - 1);
        if matches!(op, Update::Inc | Update::Dec) {
            let r = if op == Update::Inc { a.wrapping_add(1) } else { a.wrapping_sub(1) };
            (self.cf, self.of) = (cf, if op == Update::Inc { a == min - 1 } else { a == min });
            (self.result, self.half, self.pending) = (sext(r, n), (a ^ 1 ^ r) as u8, true);
            return;
        }
        let k = b as u32 & 63;
        if k == 0 {
            return;
        }
        let (r, cf, of) = op.shifted(a, k, n);
        (self.cf, self.of) = (cf & 1 != 0, of & 1 != 0);
        if !op.rotates() {
            (self.result, self.half, self.pending) = (sext(r, n), 0, true);
        }
    }

    /// Whether a condition holds.
    #[inline(always)]
    pub(crate) fn holds(&self, c: Cond) -> bool {
        let (r, cf, of) = (self.result, self.cf, self.of);
        match c {
            Cond::VS => of,
            Cond::VC => !of,
            Cond::CS => cf,
            Cond::CC => !cf,
            Cond::EQ => r == 0,
            Cond::NE => r != 0,
            Cond::BE => cf || r == 0,
            Cond::A => !cf && r != 0,
            Cond::LS => !cf || r == 0,
            Cond::HI => cf && r != 0,
            Cond::MI => r < 0,
            Cond::PL => r >= 0,
            Cond::PE => parity(r as u64) != 0,
            Cond::PO => parity(r as u64) == 0,
            Cond::LT => (r < 0) != of,
            Cond::GE => (r < 0) == of,
            Cond::LE => (r < 0) != of || r == 0,
            Cond::GT => (r < 0) == of && r != 0,
            Cond::AL | Cond::NV => true,
        }
    }

    /// The flags in the stored form.
    #[inline(always)]
    pub(crate) fn stored(&self) -> u32 {
        let r = self.result as u64;
        let flag = |set: bool, bit: u32| set as u32 * bit;
        let signs = flag(r >> 63 != 0, flags::SF) | flag(r == 0, flags::ZF) | parity(r);
        let half = (self.half as u32 & 1 << 4) << 8;
        signs | half | flag(self.cf, flags::CF) | flag(self.of, flags::OF)
    }
}

impl<A: Arch> Core<A> {
    /// Computes the condition flags that the interpreter owes: [`Arch::FLAGS`] holds them afterwards. Everything
    /// outside of the interpreter's loop, and every helper, finds them there.
    #[inline(always)]
    pub fn settle_flags(&mut self) {
        if self.lazy.pending {
            self.settle();
        }
    }

    #[inline(never)]
    fn settle(&mut self) {
        self.lazy.pending = false;
        self.set(A::FLAGS, self.lazy.stored() & A::FLAG_BITS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::op::nzcv;

    /// Every pair of these is an operation's operands.
    const VALUES: [u64; 12] =
        [0, 1, 2, 0xF, 0x10, 0x7F, 0x80, 0xFF, 0x7FFF_FFFF, 1 << 31, i64::MAX as u64, u64::MAX];
    const CONDITIONS: [Cond; 19] = {
        use Cond::*;
        [VS, VC, CS, CC, EQ, NE, BE, A, HI, LS, MI, PL, PE, PO, LT, GE, LE, GT, AL]
    };

    fn check(lazy: &Lazy, expected: u32, bits: u32, what: &str) {
        assert_eq!(lazy.stored() & bits, expected, "{what}");
        for c in CONDITIONS {
            if matches!(c, Cond::PE | Cond::PO) && bits & flags::PF == 0 {
                continue;
            }
            assert_eq!(lazy.holds(c), c.holds(expected), "{what} {c:?}");
        }
    }

    #[test]
    fn late_flags_are_those_of_the_operation() {
        for n in [8, 16, 32, 64] {
            let mask = u64::MAX >> (64 - n);
            for (a, b) in VALUES.iter().flat_map(|a| VALUES.map(|b| (a & mask, b & mask))) {
                let arm = [FlagOp::Add, FlagOp::Sub, FlagOp::Logic].map(|op| (op, nzcv::ALL));
                let x86 = [FlagOp::AddX, FlagOp::SubX, FlagOp::LogicX, FlagOp::MulX];
                for (op, bits) in arm.into_iter().chain(x86.map(|op| (op, flags::ALL))) {
                    for carry in [false, true] {
                        let mut lazy = Lazy::default();
                        lazy.set(op, a, b, carry, n);
                        check(
                            &lazy,
                            op.apply(a, b, carry, n),
                            bits,
                            &format!("{op:?} {a:x} {b:x} {carry} {n}"),
                        );
                    }
                }
                for op in Update::ALL {
                    let mut lazy = Lazy::default();
                    lazy.set(FlagOp::SubX, b, a, false, n);
                    let old = lazy.stored();
                    let b = if matches!(op, Update::Inc | Update::Dec) {
                        1
                    } else {
                        b & if n == 64 { 63 } else { 31 }
                    };
                    lazy.update(op, a, b, old & flags::CF != 0, n);
                    check(&lazy, op.apply(a, b, old, n), flags::ALL, &format!("{op:?} {a:x} {b:x} {n}"));
                }
            }
        }
    }
}
