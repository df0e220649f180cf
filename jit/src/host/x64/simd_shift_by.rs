//! Native forms of shifts by counts in elements, which are the signed low byte of each: positive ones shift left,
//! negative ones right, some rounding, some saturating on the left.
//!
//! The host's counts are unsigned, and what they shift by at least the width is zeros, or signs. So both shifts are
//! done, each giving what does not matter where the count is for the other. Elements of 16 bits, and bytes as halves of
//! those, need AVX-512BW.

use super::Lower;
use super::simd::Simd;
use super::vex::*;
use lyrebird_cpu::vec::VecOp;

/// How to shift elements of one size.
#[derive(Clone, Copy)]
struct By {
    log2: u8,
    signed: bool,
    round: bool,
    saturate: bool,
}

impl Lower {
    pub(super) fn simd_shift_by(&mut self, s: Simd) -> bool {
        let (signed, round, saturate) = match s.op {
            VecOp::ShiftU => (false, false, false),
            VecOp::ShiftS => (true, false, false),
            VecOp::RoundShiftU => (false, true, false),
            VecOp::RoundShiftS => (true, true, false),
            VecOp::SatShiftU => (false, false, true),
            VecOp::SatShiftS => (true, false, true),
            VecOp::SatRoundShiftU => (false, true, true),
            VecOp::SatRoundShiftS => (true, true, true),
            _ => return false,
        };
        let log2 = s.l.log2;
        if log2 < 2 && !self.config.avx512 || log2 == 0 && saturate {
            return false;
        }
        if saturate {
            self.before_status();
        }
        let (d, a, b) = self.two(s);
        let by = By { log2, signed, round, saturate };
        if log2 > 0 {
            let (t, u) = (self.xtemp(), self.xtemp());
            self.shift_lanes(by, [d, t, u], a, b);
            if saturate {
                self.asm.movaps(0, t);
                self.settle_status(s, d);
            } else {
                self.trim(s.l, d);
            }
            return true;
        }
        // Even bytes, extended, and odd ones.
        let (t, u, v, w) = (self.xtemp(), self.xtemp(), self.xtemp(), self.xtemp());
        let by = By { log2: 1, ..by };
        let right = if signed { VShift::Sra } else { VShift::Srl };
        self.asm.vshift(VShift::Sll, 1, v, a, 8);
        self.asm.vshift(right, 1, v, v, 8);
        self.shift_lanes(by, [w, t, u], v, b);
        self.asm.vshift(VShift::Sll, 1, w, w, 8);
        self.asm.vshift(VShift::Srl, 1, w, w, 8);
        self.asm.vshift(right, 1, v, a, 8);
        let counts = self.xtemp();
        self.asm.vshift(VShift::Srl, 1, counts, b, 8);
        self.shift_lanes(by, [d, t, u], v, counts);
        self.asm.vshift(VShift::Sll, 1, d, d, 8);
        self.asm.vex(POR, d, d, w);
        self.trim(s.l, d);
        true
    }

    /// `d` = `a` shifted by the counts in `b`, which are other registers. With saturation, `t` says afterwards where it
    /// happened. XMM0, XMM1, `t` and `u` are clobbered.
    fn shift_lanes(&mut self, by: By, [d, t, u]: [u8; 3], a: u8, b: u8) {
        let n = by.log2 as usize;
        self.splat(n, 1, 0xFF);
        // To the left, by the count.
        self.asm.vex(PAND, t, b, 1);
        self.variable(by.log2, Direction::Left, d, a, t);
        if by.saturate {
            let back = if by.signed { Direction::Signed } else { Direction::Right };
            self.variable(by.log2, back, u, d, t);
            self.asm.vex(PCMPEQ[n], t, u, a);
            self.invert(t, t);
            if by.signed {
                // The limit on the side of the element: its sign, but for the highest bit, flipped.
                self.sign(by.log2, u, a);
                self.splat(n, 0, s_max(by.log2));
                self.asm.vex(PXOR, u, u, 0);
                self.asm.vex_imm(PBLENDVB, d, d, u, t << 4);
            } else {
                self.asm.vex(POR, d, d, t);
            }
        }
        // To the right, by the opposite, less one if the last step rounds.
        if by.round {
            self.invert(0, b);
        } else {
            self.zero(0);
            self.asm.vex(PSUB[n], 0, 0, b);
        }
        self.splat(n, 1, 0xFF);
        self.asm.vex(PAND, 0, 0, 1);
        self.variable(by.log2, if by.signed { Direction::Signed } else { Direction::Right }, u, a, 0);
        if by.round {
            // Half of it, rounded down, taken away is half of it rounded up.
            match (by.signed, by.log2) {
                (false, log2) => self.asm.vshift(VShift::Srl, log2, 0, u, 1),
                (true, 3) => {
                    self.sign(3, 1, u);
                    self.asm.vshift(VShift::Srl, 3, 0, u, 1);
                    self.asm.vshift(VShift::Sll, 3, 1, 1, 63);
                    self.asm.vex(POR, 0, 0, 1);
                }
                (true, log2) => self.asm.vshift(VShift::Sra, log2, 0, u, 1),
            }
            self.asm.vex(PSUB[n], u, u, 0);
        }
        // The sign of the count's byte, in all bits.
        self.asm.vshift(VShift::Sll, by.log2, 0, b, (8 << by.log2) - 8);
        self.sign(by.log2, 1, 0);
        self.asm.vex_imm(PBLENDVB, d, d, u, 1 << 4);
        if by.saturate {
            self.asm.vex(PANDN, t, 1, t);
        }
    }

    /// `d` = the sign of each element of `a` in all its bits; other registers, and XMM0 may be `a`.
    fn sign(&mut self, log2: u8, d: u8, a: u8) {
        if log2 < 3 {
            self.asm.vshift(VShift::Sra, log2, d, a, (8 << log2) - 1);
        } else {
            self.zero(d);
            self.asm.vex(PCMPGT[3], d, d, a);
        }
    }

    /// `d` = `a` shifted by the unsigned counts in `k`; for signed shifts of 64 bits, XMM1 is clobbered.
    fn variable(&mut self, log2: u8, direction: Direction, d: u8, a: u8, k: u8) {
        let n = log2 as usize;
        match direction {
            Direction::Left if n == 1 => self.asm.evex((2, 0x66, true), 0x12, d, a, k),
            Direction::Left => self.asm.vex(PSLLV[n - 2], d, a, k),
            Direction::Right if n == 1 => self.asm.evex((2, 0x66, true), 0x10, d, a, k),
            Direction::Right => self.asm.vex(PSRLV[n - 2], d, a, k),
            Direction::Signed if n == 1 => self.asm.evex((2, 0x66, true), 0x11, d, a, k),
            Direction::Signed if n == 2 => self.asm.vex(PSRAVD, d, a, k),
            Direction::Signed if self.config.avx512 => self.asm.evex((2, 0x66, true), 0x46, d, a, k),
            Direction::Signed => {
                // Without the sign, and the sign put back.
                self.sign(3, 1, a);
                self.asm.vex(PXOR, d, a, 1);
                self.asm.vex(PSRLV[1], d, d, k);
                self.asm.vex(PXOR, d, d, 1);
            }
        }
    }
}

/// Where to.
#[derive(Clone, Copy)]
enum Direction {
    Left,
    Right,
    Signed,
}

/// The greatest signed element.
fn s_max(log2: u8) -> u64 {
    u64::MAX >> (64 - (8 << log2)) >> 1
}
