//! Native forms of integer vector operations: entry, shared steps, bitwise operations, arithmetic and comparison.
//!
//! All of them use VEX encodings and are there if the host has AVX2. An operation reads its operands, which stay as
//! they are, and writes a register of its own; XMM0 and XMM1 are scratch. Host flags survive, except where saturation
//! is looked for.

use super::Lower;
use super::vex::*;
use crate::ir::{Inst, Val, VecForm};
use lyrebird_cpu::vec::{Lanes, Part, VecOp};

/// An operation to lower: its value, operands, arrangement and constant.
#[derive(Clone, Copy)]
pub(super) struct Simd {
    /// Its value.
    pub i: Val,
    /// First operand.
    pub a: Val,
    /// Second operand.
    pub b: Val,
    /// Third operand.
    pub c: Val,
    /// What it does.
    pub op: VecOp,
    /// Arrangement.
    pub l: Lanes,
    /// Constant.
    pub imm: u32,
}

impl Simd {
    /// log2 of the element size, as an index of the lists of instructions.
    pub(super) fn log2(&self) -> usize {
        self.l.log2 as usize
    }
}

impl Lower {
    /// Lowers a vector operation if there is a native form; else does nothing and says so.
    pub(super) fn simd(&mut self, i: Val, inst: &Inst, form: VecForm) -> bool {
        if !self.config.avx2 || form.lanes.log2 > 3 {
            return false;
        }
        let s = Simd { i, a: inst.a, b: inst.b, c: inst.c, op: form.op, l: form.lanes, imm: form.imm };
        let done = self.simd_bits(s)
            || self.simd_arith(s)
            || self.simd_compare(s)
            || self.simd_shift(s)
            || self.simd_shift_by(s)
            || self.simd_permute(s)
            || self.simd_widen(s)
            || self.simd_reduce(s)
            || self.simd_saturate(s)
            || self.simd_crypto(s);
        if done {
            self.release_operands(inst);
        }
        done
    }

    /// The register of the first operand, and one for the result.
    pub(super) fn one(&mut self, s: Simd) -> (u8, u8) {
        let a = self.xmm(s.a);
        (self.xdef(s.i, None), a)
    }

    /// A register for the result, and those of two operands.
    pub(super) fn two(&mut self, s: Simd) -> (u8, u8, u8) {
        let (a, b) = (self.xmm(s.a), self.xmm(s.b));
        (self.xdef(s.i, None), a, b)
    }

    /// A register for the result, and those of three operands.
    pub(super) fn three(&mut self, s: Simd) -> (u8, u8, u8, u8) {
        let (a, b, c) = (self.xmm(s.a), self.xmm(s.b), self.xmm(s.c));
        (self.xdef(s.i, None), a, b, c)
    }

    /// Clears what the arrangement leaves out.
    pub(super) fn trim(&mut self, l: Lanes, x: u8) {
        match l.part {
            Part::Full => {}
            Part::Half => self.asm.movq_low(x, x),
            Part::Scalar if l.log2 == 3 => self.asm.movq_low(x, x),
            Part::Scalar => {
                let out = 16 - (1 << l.log2);
                self.asm.vbytes_left(x, x, out);
                self.asm.vbytes_right(x, x, out);
            }
        }
    }

    /// `x` in every element of the register; leaves flags alone.
    pub(super) fn splat(&mut self, log2: usize, to: u8, x: u64) {
        self.wide_literal(to, Lanes::full(log2 as u32).splat(x as u128));
    }

    /// Clears a register.
    pub(super) fn zero(&mut self, x: u8) {
        self.asm.vex(PXOR, x, x, x);
    }

    /// `d` = the complement of `x`.
    pub(super) fn invert(&mut self, d: u8, x: u8) {
        let ones = self.pooled(u128::MAX);
        self.asm.vex_label(PXOR, d, x, ones);
    }

    /// The register of the first operand, and one for the result, which may be the same.
    pub(super) fn one_over(&mut self, s: Simd) -> (u8, u8) {
        let a = self.xmm(s.a);
        (self.xdef_over(s.i, &[s.a]), a)
    }

    /// An instruction on two operands.
    pub(super) fn plain(&mut self, s: Simd, v: Vex) {
        let (a, b) = (self.xmm(s.a), self.xmm(s.b));
        let d = self.xdef_over(s.i, &[s.a, s.b]);
        self.asm.vex(v, d, a, b);
        self.trim(s.l, d);
    }

    fn simd_bits(&mut self, s: Simd) -> bool {
        match s.op {
            VecOp::And => self.plain(s, PAND),
            VecOp::Or if s.a == s.b => {
                let (d, a) = self.one(s);
                match s.l.part {
                    Part::Half => self.asm.movq_low(d, a),
                    _ => {
                        self.asm.movaps(d, a);
                        self.trim(s.l, d);
                    }
                }
            }
            VecOp::Or => self.plain(s, POR),
            VecOp::Xor => self.plain(s, PXOR),
            VecOp::AndNot => {
                let (d, a, b) = self.two(s);
                self.asm.vex(PANDN, d, b, a);
                self.trim(s.l, d);
            }
            VecOp::OrNot => {
                let (d, a, b) = self.two(s);
                self.invert(d, b);
                self.asm.vex(POR, d, d, a);
                self.trim(s.l, d);
            }
            VecOp::Select => {
                let [a, b, c] = [s.a, s.b, s.c].map(|v| self.xmm(v));
                let d = self.xdef_over(s.i, &[s.a, s.b, s.c]);
                self.asm.vex(PXOR, 0, a, b);
                self.asm.vex(PAND, 0, 0, c);
                self.asm.vex(PXOR, d, 0, b);
                self.trim(s.l, d);
            }
            VecOp::Low => {
                let (d, a) = self.one(s);
                self.asm.movq_low(d, a);
            }
            _ => return false,
        }
        true
    }

    fn simd_arith(&mut self, s: Simd) -> bool {
        let n = s.log2();
        match s.op {
            VecOp::Add => self.plain(s, PADD[n]),
            VecOp::Sub => self.plain(s, PSUB[n]),
            VecOp::Mul if n == 1 => self.plain(s, PMULLW),
            VecOp::Mul if n == 2 => self.plain(s, PMULLD),
            VecOp::Mul if n == 0 => {
                let (d, a, b) = self.two(s);
                self.asm.vshift(VShift::Srl, 1, 0, a, 8);
                self.asm.vshift(VShift::Srl, 1, 1, b, 8);
                self.asm.vex(PMULLW, 0, 0, 1);
                self.asm.vshift(VShift::Sll, 1, 0, 0, 8);
                self.asm.vex(PMULLW, d, a, b);
                self.asm.vshift(VShift::Sll, 1, d, d, 8);
                self.asm.vshift(VShift::Srl, 1, d, d, 8);
                self.asm.vex(POR, d, d, 0);
                self.trim(s.l, d);
            }
            VecOp::Neg => {
                let (d, a) = self.one(s);
                self.zero(0);
                self.asm.vex(PSUB[n], d, 0, a);
                self.trim(s.l, d);
            }
            VecOp::Abs => {
                let (d, a) = self.one(s);
                if n < 3 {
                    self.asm.vex1(PABS[n], d, a);
                } else {
                    self.zero(0);
                    self.asm.vex(PCMPGT[3], 0, 0, a);
                    self.asm.vex(PXOR, d, a, 0);
                    self.asm.vex(PSUB[3], d, d, 0);
                }
                self.trim(s.l, d);
            }
            VecOp::MinS if n < 3 => self.plain(s, PMINS[n]),
            VecOp::MaxS if n < 3 => self.plain(s, PMAXS[n]),
            VecOp::MinU if n < 3 => self.plain(s, PMINU[n]),
            VecOp::MaxU if n < 3 => self.plain(s, PMAXU[n]),
            VecOp::DiffU if n < 3 => self.difference(s, PMAXU[n], PMINU[n]),
            VecOp::DiffS if n < 3 => self.difference(s, PMAXS[n], PMINS[n]),
            VecOp::AvgUpU if n < 2 => self.plain(s, PAVG[n]),
            VecOp::AvgU | VecOp::AvgS | VecOp::AvgUpS if n < 2 => self.average(s, false),
            VecOp::HalfSubU | VecOp::HalfSubS if n < 2 => self.average(s, true),
            VecOp::HalfSubU | VecOp::HalfSubS if n == 2 => {
                // Half of the bits that differ, less those that only the second operand has.
                let (d, a, b) = self.two(s);
                let right = if s.op == VecOp::HalfSubS { VShift::Sra } else { VShift::Srl };
                self.asm.vex(PXOR, 0, a, b);
                self.asm.vshift(right, 2, 0, 0, 1);
                self.asm.vex(PANDN, d, a, b);
                self.asm.vex(PSUB[2], d, 0, d);
                self.trim(s.l, d);
            }
            VecOp::Rbit if n == 0 => {
                let (d, a) = self.one(s);
                let t = self.xtemp();
                self.splat(0, 1, 0x0F);
                self.asm.vshift(VShift::Srl, 1, 0, a, 4);
                self.asm.vex(PAND, 0, 0, 1);
                self.asm.vex(PAND, d, a, 1);
                self.wide_literal(1, 0xF070_B030_D050_9010_E060_A020_C040_8000);
                self.asm.vex(PSHUFB, d, 1, d);
                self.wide_literal(t, 0x0F07_0B03_0D05_0901_0E06_0A02_0C04_0800);
                self.asm.vex(PSHUFB, 0, t, 0);
                self.asm.vex(POR, d, d, 0);
                self.trim(s.l, d);
            }
            VecOp::MulPoly if n == 0 => {
                // From the multiplier's highest bit on: double, and add where it is set.
                let (d, a, b) = self.two(s);
                let t = self.xtemp();
                self.asm.movaps(t, b);
                self.zero(d);
                for _ in 0..8 {
                    self.asm.vex(PADD[0], d, d, d);
                    self.zero(0);
                    self.asm.vex(PCMPGT[0], 0, 0, t);
                    self.asm.vex(PAND, 0, 0, a);
                    self.asm.vex(PXOR, d, d, 0);
                    self.asm.vex(PADD[0], t, t, t);
                }
                self.trim(s.l, d);
            }
            VecOp::AvgU | VecOp::AvgS | VecOp::AvgUpU | VecOp::AvgUpS if n == 2 => {
                // The common bits and half of those that differ, or what either has less that half.
                let (d, a, b) = self.two(s);
                let up = matches!(s.op, VecOp::AvgUpU | VecOp::AvgUpS);
                let signed = matches!(s.op, VecOp::AvgS | VecOp::AvgUpS);
                self.asm.vex(PXOR, 0, a, b);
                self.asm.vshift(if signed { VShift::Sra } else { VShift::Srl }, 2, 0, 0, 1);
                self.asm.vex(if up { POR } else { PAND }, d, a, b);
                self.asm.vex(if up { PSUB[2] } else { PADD[2] }, d, d, 0);
                self.trim(s.l, d);
            }
            VecOp::Popcnt if n == 0 => {
                let (d, a) = self.one(s);
                let t = self.xtemp();
                self.wide_literal(t, 0x0403_0302_0302_0201_0302_0201_0201_0100);
                self.splat(0, 1, 0x0F);
                self.asm.vshift(VShift::Srl, 1, 0, a, 4);
                self.asm.vex(PAND, 0, 0, 1);
                self.asm.vex(PAND, 1, a, 1);
                self.asm.vex(PSHUFB, 0, t, 0);
                self.asm.vex(PSHUFB, d, t, 1);
                self.asm.vex(PADD[0], d, d, 0);
                self.trim(s.l, d);
            }
            _ => return false,
        }
        true
    }

    fn difference(&mut self, s: Simd, max: Vex, min: Vex) {
        let (d, a, b) = self.two(s);
        self.asm.vex(max, 0, a, b);
        self.asm.vex(min, d, a, b);
        self.asm.vex(PSUB[s.log2()], d, 0, d);
        self.trim(s.l, d);
    }

    /// Averages in 8 or 16 bits by the host's, which is unsigned and rounds up: complementing everything rounds down,
    /// complementing the second operand subtracts, and flipping sign bits makes it signed.
    fn average(&mut self, s: Simd, subtract: bool) {
        let (d, a, b) = self.two(s);
        let n = s.log2();
        let sign = 0x80u64 << (8 * n);
        let all = s.l.mask() as u64;
        let (first, second, last) = match s.op {
            VecOp::AvgU => (all, all, all),
            VecOp::AvgUpS => (sign, sign, sign),
            VecOp::AvgS => (all ^ sign, all ^ sign, all ^ sign),
            VecOp::HalfSubU => (0, all, sign),
            _ => (sign, all ^ sign, sign),
        };
        self.splat(n, 1, second);
        self.asm.vex(PXOR, d, b, 1);
        if first != second {
            self.splat(n, 1, first);
        }
        self.asm.vex(PXOR, 0, a, 1);
        self.asm.vex(PAVG[n], d, d, 0);
        if subtract {
            self.splat(n, 1, last);
        }
        self.asm.vex(PXOR, d, d, 1);
        self.trim(s.l, d);
    }

    fn simd_compare(&mut self, s: Simd) -> bool {
        let n = s.log2();
        match s.op {
            VecOp::Eq => self.plain(s, PCMPEQ[n]),
            VecOp::GtS => self.plain(s, PCMPGT[n]),
            // a ≥ b if the greater of both is a.
            VecOp::GeS if n < 3 => self.extreme(s, PMAXS[n]),
            VecOp::GeU if n < 3 => self.extreme(s, PMAXU[n]),
            // a > b unless the lesser of both is a.
            VecOp::GtU if n < 3 => {
                let (d, a, b) = self.two(s);
                self.asm.vex(PMINU[n], d, a, b);
                self.asm.vex(PCMPEQ[n], d, d, a);
                self.invert(d, d);
                self.trim(s.l, d);
            }
            VecOp::GeS => {
                let (d, a, b) = self.two(s);
                self.asm.vex(PCMPGT[3], d, b, a);
                self.invert(d, d);
                self.trim(s.l, d);
            }
            VecOp::GtU | VecOp::GeU => {
                // Flipped sign bits compare as unsigned.
                let (d, a, b) = self.two(s);
                self.splat(3, 1, 1 << 63);
                self.asm.vex(PXOR, 0, a, 1);
                self.asm.vex(PXOR, 1, b, 1);
                if s.op == VecOp::GtU {
                    self.asm.vex(PCMPGT[3], d, 0, 1);
                } else {
                    self.asm.vex(PCMPGT[3], d, 1, 0);
                    self.invert(d, d);
                }
                self.trim(s.l, d);
            }
            VecOp::Any => {
                let (d, a, b) = self.two(s);
                self.asm.vex(PAND, d, a, b);
                self.zero(0);
                self.asm.vex(PCMPEQ[n], d, d, 0);
                self.invert(d, d);
                self.trim(s.l, d);
            }
            _ => return false,
        }
        true
    }

    /// All ones where `pick` of both operands is the first.
    fn extreme(&mut self, s: Simd, pick: Vex) {
        let (d, a, b) = self.two(s);
        self.asm.vex(pick, d, a, b);
        self.asm.vex(PCMPEQ[s.log2()], d, d, a);
        self.trim(s.l, d);
    }
}
