//! Native forms of saturating operations: the cumulative saturation bit is set if the result is not the exact one.

use super::Lower;
use super::asm::{Alu, Cc, file};
use super::simd::Simd;
use super::vex::*;
use crate::ir::NONE;
use lyrebird_cpu::vec::{FpEnv, Lanes, Part, VecOp};

impl Lower {
    /// Sets the saturation bit if any bit of `x` is set.
    fn saturated(&mut self, x: u8) {
        if self.config.mxcsr.is_some() {
            // MXCSR has no such bit.
            return;
        }
        let over = self.asm.label();
        self.asm.vex1(PTEST, x, x);
        self.asm.jcc(Cc::E, over);
        self.asm.alu_mem_imm(Alu::Or, false, file(self.config.status), FpEnv::QC as i32);
        self.asm.bind(over);
    }

    /// Before an operation that may set the saturation bit.
    pub(super) fn before_status(&mut self) {
        self.clobber();
        self.evacuate_home(self.config.status, 4, NONE);
        self.unlock();
    }

    pub(super) fn simd_saturate(&mut self, s: Simd) -> bool {
        let n = s.log2();
        match s.op {
            VecOp::SatAddS if n < 2 => self.both(s, PADDS[n], PADD[n]),
            VecOp::SatAddU if n < 2 => self.both(s, PADDUS[n], PADD[n]),
            VecOp::SatSubS if n < 2 => self.both(s, PSUBS[n], PSUB[n]),
            VecOp::SatSubU if n < 2 => self.both(s, PSUBUS[n], PSUB[n]),
            VecOp::SatAddU if n == 2 => {
                // What can be added without wrapping is at most the complement.
                self.before_status();
                let (d, a, b) = self.two(s);
                self.invert(0, a);
                self.asm.vex(PMINU[2], d, 0, b);
                self.asm.vex(PXOR, 0, d, b);
                self.asm.vex(PADD[2], d, d, a);
                self.settle_status(s, d);
            }
            VecOp::SatSubU if n == 2 => {
                self.before_status();
                let (d, a, b) = self.two(s);
                self.asm.vex(PMAXU[2], d, a, b);
                self.asm.vex(PXOR, 0, d, a);
                self.asm.vex(PSUB[2], d, d, b);
                self.settle_status(s, d);
            }
            VecOp::SatAddS | VecOp::SatSubS if n == 2 => {
                self.before_status();
                let (d, a, b) = self.two(s);
                let t = self.xtemp();
                let add = s.op == VecOp::SatAddS;
                self.asm.vex(if add { PADD[2] } else { PSUB[2] }, d, a, b);
                // A sum overflows if its sign is neither operand's; a difference, if the operands' signs differ and
                // the result has not the first one's.
                self.asm.vex(PXOR, 0, a, d);
                self.asm.vex(PXOR, 1, b, if add { d } else { a });
                self.asm.vex(PAND, 0, 0, 1);
                self.asm.vshift(VShift::Sra, 2, 0, 0, 31);
                // The limit on the side of the first operand.
                self.asm.vshift(VShift::Sra, 2, t, a, 31);
                self.splat(2, 1, 0x7FFF_FFFF);
                self.asm.vex(PXOR, t, t, 1);
                self.asm.vex_imm(BLENDVPS, d, d, t, 0);
                self.settle_status(s, d);
            }
            VecOp::SatNarrowS | VecOp::SatNarrowU | VecOp::SatNarrowSU
                if n < 2 && s.l.part != Part::Scalar =>
            {
                self.before_status();
                let (d, a) = self.one(s);
                if s.op == VecOp::SatNarrowU {
                    self.splat(n + 1, 1, s.l.mask() as u64);
                    self.asm.vex(PMINU[n + 1], 1, a, 1);
                    self.asm.vex(PXOR, 0, a, 1);
                    self.asm.vex(if n == 0 { PACKUSWB } else { PACKUSDW }, d, 1, 1);
                } else {
                    let signed = s.op == VecOp::SatNarrowS;
                    let pack = match (signed, n) {
                        (true, 0) => PACKSSWB,
                        (true, _) => PACKSSDW,
                        (false, 0) => PACKUSWB,
                        (false, _) => PACKUSDW,
                    };
                    self.asm.vex(pack, d, a, a);
                    self.asm.vex1(if signed { PMOVSX[n] } else { PMOVZX[n] }, 0, d);
                    self.asm.vex(PXOR, 0, 0, a);
                }
                self.asm.movq_low(d, d);
                self.saturated(0);
            }
            VecOp::SatMulHigh if n == 1 => {
                self.before_status();
                let (d, a, b) = self.two(s);
                if s.imm & 1 != 0 {
                    self.asm.vex(PMULHRSW, d, a, b);
                } else {
                    self.asm.vex(PMULHW, d, a, b);
                    self.asm.vex(PADD[1], d, d, d);
                    self.asm.vex(PMULLW, 0, a, b);
                    self.asm.vshift(VShift::Srl, 1, 0, 0, 15);
                    self.asm.vex(POR, d, d, 0);
                }
                // Only the square of the minimum gives the minimum.
                self.splat(1, 0, 0x8000);
                self.asm.vex(PCMPEQ[1], 0, 0, d);
                self.asm.vex(PXOR, d, d, 0);
                self.settle_status(s, d);
            }
            VecOp::SatMulHigh if n == 2 => {
                self.before_status();
                let (d, a, b) = self.two(s);
                let t = self.xtemp();
                // The even elements, and the odd ones.
                self.asm.vex(PMULDQ, d, a, b);
                self.asm.vex1_imm(PSHUFD, 0, a, 0xF5);
                self.asm.vex1_imm(PSHUFD, t, b, 0xF5);
                self.asm.vex(PMULDQ, t, 0, t);
                if s.imm & 1 != 0 {
                    self.splat(3, 1, 1 << 30);
                    self.asm.vex(PADD[3], d, d, 1);
                    self.asm.vex(PADD[3], t, t, 1);
                }
                self.asm.vshift(VShift::Srl, 3, d, d, 31);
                self.asm.vshift(VShift::Sll, 3, t, t, 1);
                self.asm.vex_imm(PBLENDD, d, d, t, 0b1010);
                self.squared_minimum(s, d);
            }
            VecOp::SatMulWide if matches!(n, 1 | 2) && s.l.part != Part::Scalar => {
                self.before_status();
                let (d, a, b) = self.two(s);
                self.product(s, true, s.imm & 1 != 0, d, a, b);
                self.asm.vex(PADD[n + 1], d, d, d);
                self.squared_minimum(Simd { l: Lanes::full(n as u32 + 1), ..s }, d);
            }
            VecOp::SatNeg | VecOp::SatAbs if n < 3 || s.op == VecOp::SatNeg => {
                self.before_status();
                let (d, a) = self.one(s);
                if s.op == VecOp::SatNeg {
                    self.zero(0);
                    self.asm.vex(PSUB[n], d, 0, a);
                } else {
                    self.asm.vex1(PABS[n], d, a);
                }
                // Only the minimum stays what it is.
                self.squared_minimum(s, d);
            }
            VecOp::SatAddSU | VecOp::SatAddUS if n < 2 => {
                // Flipped sign bits make the sum one of the host's.
                self.before_status();
                let (d, a, b) = self.two(s);
                let add = if s.op == VecOp::SatAddSU { PADDUS[n] } else { PADDS[n] };
                self.splat(n, 1, 0x80 << (8 * n));
                self.asm.vex(PXOR, 0, a, 1);
                self.asm.vex(add, d, 0, b);
                self.asm.vex(PADD[n], 0, 0, b);
                self.asm.vex(PXOR, 0, 0, d);
                self.asm.vex(PXOR, d, d, 1);
                self.settle_status(s, d);
            }
            VecOp::SatAddS | VecOp::SatSubS if n == 3 => {
                // As for 32 bits.
                self.before_status();
                let (d, a, b) = self.two(s);
                let t = self.xtemp();
                let add = s.op == VecOp::SatAddS;
                self.asm.vex(if add { PADD[3] } else { PSUB[3] }, d, a, b);
                self.asm.vex(PXOR, 0, a, d);
                self.asm.vex(PXOR, 1, b, if add { d } else { a });
                self.asm.vex(PAND, 1, 0, 1);
                self.zero(0);
                self.asm.vex(PCMPGT[3], 0, 0, 1);
                self.zero(t);
                self.asm.vex(PCMPGT[3], t, t, a);
                self.splat(3, 1, i64::MAX as u64);
                self.asm.vex(PXOR, t, t, 1);
                self.asm.vex_imm(BLENDVPD, d, d, t, 0);
                self.settle_status(s, d);
            }
            VecOp::SatAddU | VecOp::SatSubU if n == 3 => {
                // With flipped sign bits: the sum is below an operand, or the first operand below the second.
                self.before_status();
                let (d, a, b) = self.two(s);
                let t = self.xtemp();
                let add = s.op == VecOp::SatAddU;
                self.asm.vex(if add { PADD[3] } else { PSUB[3] }, d, a, b);
                self.splat(3, 1, 1 << 63);
                self.asm.vex(PXOR, t, if add { d } else { a }, 1);
                self.asm.vex(PXOR, 0, if add { a } else { b }, 1);
                self.asm.vex(PCMPGT[3], 0, 0, t);
                if add {
                    self.asm.vex(POR, d, d, 0);
                } else {
                    self.asm.vex(PANDN, d, 0, d);
                }
                self.settle_status(s, d);
            }
            VecOp::SatNarrowS | VecOp::SatNarrowU
                if n == 2 && s.l.part != Part::Scalar && self.config.avx512 =>
            {
                self.before_status();
                let (d, a) = self.one(s);
                let signed = s.op == VecOp::SatNarrowS;
                // VPMOVSQD, VPMOVUSQD
                self.asm.evex((2, 0xF3, false), if signed { 0x25 } else { 0x15 }, a, 0, d);
                self.asm.vex1(if signed { PMOVSX[2] } else { PMOVZX[2] }, 0, d);
                self.asm.vex(PXOR, 0, 0, a);
                self.saturated(0);
            }
            _ => return false,
        }
        true
    }

    /// Where the result is the minimum, which only saturation makes it, it becomes the maximum.
    fn squared_minimum(&mut self, s: Simd, d: u8) {
        self.splat(s.log2(), 1, 0x80 << (8 * ((1 << s.l.log2) - 1)));
        self.asm.vex(PCMPEQ[s.log2()], 0, d, 1);
        self.asm.vex(PXOR, d, d, 0);
        self.settle_status(s, d);
    }

    /// Takes the arrangement's part of the result `d` and of what says that elements saturated, XMM0.
    pub(super) fn settle_status(&mut self, s: Simd, d: u8) {
        self.trim(s.l, d);
        self.trim(s.l, 0);
        self.saturated(0);
    }

    /// A saturating instruction and the wrapping one.
    fn both(&mut self, s: Simd, saturating: Vex, wrapping: Vex) {
        if self.config.mxcsr.is_some() {
            self.plain(s, saturating);
            return;
        }
        self.before_status();
        let (d, a, b) = self.two(s);
        self.asm.vex(saturating, d, a, b);
        self.asm.vex(wrapping, 0, a, b);
        self.asm.vex(PXOR, 0, 0, d);
        self.settle_status(s, d);
    }
}
