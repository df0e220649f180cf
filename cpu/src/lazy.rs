//! x86's condition flags while the interpreter owes them: most are overwritten before anybody asks.
//!
//! An operation leaves its result and the two topmost carries. CF, OF, SF and ZF, and with them all conditions but those
//! on PF, take one or two steps from there, whatever the operation and its width were.

use crate::core::{Arch, Core};
use crate::op::{Cond, FlagOp, parity, sext};
use crate::slot::Slot;
use crate::width::W32;
use crate::x86::flags::{self, Update};

/// What flags follow from.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lazy {
    /// The result, sign extended: SF, ZF and PF follow from it.
    result: i64,
    /// Bit 63 is the carry out of the top bit, CF; bit 62 the one into it. They differ if there is overflow.
    carry: u64,
    /// Bit 4 is the carry into bit 4, AF.
    half: u8,
    /// These are the flags, and not what the register file holds.
    pub(crate) pending: bool,
}

/// CF and OF as the two topmost carries.
#[inline(always)]
fn carries(cf: u64, of: u64) -> u64 {
    (cf & 1) << 63 | ((cf ^ of) & 1) << 62
}

impl Lazy {
    /// The flags are those of one of x86's operations on zero-extended operands of `n` bits, see [`FlagOp`].
    #[inline(always)]
    pub(crate) fn set(&mut self, op: FlagOp, a: u64, b: u64, carry: bool, n: u32) {
        let r = match op {
            FlagOp::AddX | FlagOp::Add => a.wrapping_add(b).wrapping_add(carry as u64),
            FlagOp::SubX | FlagOp::Sub => a.wrapping_sub(b).wrapping_sub(carry as u64),
            FlagOp::LogicX | FlagOp::Logic => a,
            FlagOp::MulX => {
                let whole = sext(a, n) as i128 * sext(b, n) as i128;
                let over = sext(whole as u64, n) as i128 != whole;
                (self.carry, self.half) = (carries(over as u64, over as u64), 0);
                (self.result, self.pending) = (sext(whole as u64, n), true);
                return;
            }
        };
        // Bit i is the carry into bit i.
        let into = a ^ b ^ r;
        (self.carry, self.half) = match op {
            FlagOp::LogicX | FlagOp::Logic => (0, 0),
            _ if n < 64 => (into << (63 - n), into as u8),
            FlagOp::AddX | FlagOp::Add => ((a & b) | ((a | b) & !r), into as u8),
            _ => ((!a & b) | ((!a | b) & r), into as u8),
        };
        (self.result, self.pending) = (sext(r, n), true);
    }

    /// The flags change as [`Update`] says; for INC and DEC CF is `cf`. Rotates must find them pending.
    #[inline(always)]
    pub(crate) fn update(&mut self, op: Update, a: u64, b: u64, cf: bool, n: u32) {
        let min = 1 << (n - 1);
        if matches!(op, Update::Inc | Update::Dec) {
            let r = if op == Update::Inc { a.wrapping_add(1) } else { a.wrapping_sub(1) };
            let over = if op == Update::Inc { a == min - 1 } else { a == min };
            self.carry = carries(cf as u64, over as u64);
            (self.result, self.half, self.pending) = (sext(r, n), (a ^ 1 ^ r) as u8, true);
            return;
        }
        let k = b as u32 & 63;
        if k == 0 {
            return;
        }
        let (r, cf, of) = op.shifted(a, k, n);
        self.carry = carries(cf, of);
        if !op.rotates() {
            (self.result, self.half, self.pending) = (sext(r, n), 0, true);
        }
    }

    /// Whether a condition holds.
    #[inline(always)]
    pub(crate) fn holds(&self, c: Cond) -> bool {
        let r = self.result;
        let (cf, over) = (self.carry as i64, (self.carry ^ self.carry << 1) as i64);
        match c {
            Cond::VS => over < 0,
            Cond::VC => over >= 0,
            Cond::CS => cf < 0,
            Cond::CC => cf >= 0,
            Cond::EQ => r == 0,
            Cond::NE => r != 0,
            Cond::BE | Cond::LS => cf < 0 || r == 0,
            Cond::A | Cond::HI => cf >= 0 && r != 0,
            Cond::MI => r < 0,
            Cond::PL => r >= 0,
            Cond::PE => parity(r as u64) != 0,
            Cond::PO => parity(r as u64) == 0,
            Cond::LT => (r ^ over) < 0,
            Cond::GE => (r ^ over) >= 0,
            Cond::LE => (r ^ over) < 0 || r == 0,
            Cond::GT => (r ^ over) >= 0 && r != 0,
            Cond::AL | Cond::NV => true,
        }
    }

    /// The flags in the stored form.
    #[inline(always)]
    pub(crate) fn stored(&self) -> u32 {
        let (r, over) = (self.result as u64, self.carry ^ self.carry << 1);
        let signs = (r >> 63) as u32 * flags::SF + (r == 0) as u32 * flags::ZF + parity(r);
        let half = (self.half as u32 & 1 << 4) << 8;
        signs + half + (self.carry >> 63) as u32 * flags::CF + (over >> 63) as u32 * flags::OF
    }
}

impl<A: Arch> Core<A> {
    /// Computes the condition flags that the interpreter owes: [`Arch::LAZY_FLAGS`] holds them afterwards. Everything
    /// outside of the interpreter's loop, and every helper, finds them there.
    #[inline(always)]
    pub fn settle_flags(&mut self) {
        if let Some(s) = A::LAZY_FLAGS
            && self.lazy.pending
        {
            self.settle(s);
        }
    }

    #[inline(never)]
    fn settle(&mut self, s: Slot<W32>) {
        self.lazy.pending = false;
        self.set(s, self.lazy.stored());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every pair of these is an operation's operands.
    const VALUES: [u64; 12] =
        [0, 1, 2, 0xF, 0x10, 0x7F, 0x80, 0xFF, 0x7FFF_FFFF, 1 << 31, i64::MAX as u64, u64::MAX];
    const CONDITIONS: [Cond; 16] = {
        use Cond::*;
        [VS, VC, CS, CC, EQ, NE, BE, A, MI, PL, PE, PO, LT, GE, LE, GT]
    };

    fn check(lazy: &Lazy, expected: u32, what: &str) {
        assert_eq!(lazy.stored(), expected, "{what}");
        for c in CONDITIONS {
            assert_eq!(lazy.holds(c), c.holds(expected), "{what} {c:?}");
        }
    }

    #[test]
    fn late_flags_are_those_of_the_operation() {
        for n in [8, 16, 32, 64] {
            let mask = u64::MAX >> (64 - n);
            for (a, b) in VALUES.iter().flat_map(|a| VALUES.map(|b| (a & mask, b & mask))) {
                for op in [FlagOp::AddX, FlagOp::SubX, FlagOp::LogicX, FlagOp::MulX] {
                    for carry in [false, true] {
                        let mut lazy = Lazy::default();
                        lazy.set(op, a, b, carry, n);
                        check(&lazy, op.apply(a, b, carry, n), &format!("{op:?} {a:x} {b:x} {carry} {n}"));
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
                    check(&lazy, op.apply(a, b, old, n), &format!("{op:?} {a:x} {b:x} {n}"));
                }
            }
        }
    }
}
