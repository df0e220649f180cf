//! Native forms of widening and narrowing, reductions, and sums of products.

use super::Lower;
use super::simd::Simd;
use super::vex::*;
use lyrebird_cpu::vec::{Lanes, Part, VecOp};

impl Lower {
    pub(super) fn simd_widen(&mut self, s: Simd) -> bool {
        let (n, high) = (s.log2(), s.imm & 1 != 0);
        let scalar = s.l.part == Part::Scalar;
        match s.op {
            VecOp::MulWidePoly if n == 3 && self.config.pclmul => {
                let (d, a, b) = self.two(s);
                self.asm.vex_imm(PCLMULQDQ, d, a, b, if high { 0x11 } else { 0 });
            }
            VecOp::ExtendU | VecOp::ExtendS if n < 3 && !scalar => {
                let (d, mut a) = self.one(s);
                if high {
                    self.asm.vex1_imm(PSHUFD, d, a, 0xEE);
                    a = d;
                }
                let list = if s.op == VecOp::ExtendU { PMOVZX } else { PMOVSX };
                self.asm.vex1(list[n], d, a);
            }
            VecOp::MulWidePoly if n == 0 && !scalar => {
                let (d, a, b) = self.two(s);
                let (t, u) = (self.xtemp(), self.xtemp());
                let list = if high { PUNPCKH } else { PUNPCKL };
                self.zero(0);
                self.asm.vex(list[0], t, a, 0);
                self.asm.vex(list[0], u, 0, b);
                self.zero(d);
                for _ in 0..8 {
                    self.asm.vex(PADD[1], d, d, d);
                    self.asm.vshift(VShift::Sra, 1, 0, u, 15);
                    self.asm.vex(PAND, 0, 0, t);
                    self.asm.vex(PXOR, d, d, 0);
                    self.asm.vex(PADD[1], u, u, u);
                }
            }
            VecOp::MulWideU | VecOp::MulWideS if n < 3 && !scalar => self.mul_wide(s, high),
            VecOp::Narrow if n < 3 && !scalar => {
                let (d, a) = self.one(s);
                match s.l.log2 {
                    2 => {
                        self.asm.vex1_imm(PSHUFD, d, a, 0x08);
                        self.asm.movq_low(d, d);
                    }
                    log2 => {
                        // Elements that are sign extended pack without saturating.
                        let (wide, bits) = (log2 + 1, 8 << log2);
                        self.asm.vshift(VShift::Sll, wide, d, a, bits);
                        self.asm.vshift(VShift::Sra, wide, d, d, bits);
                        self.zero(0);
                        self.asm.vex(if log2 == 0 { PACKSSWB } else { PACKSSDW }, d, d, 0);
                    }
                }
            }
            _ => return false,
        }
        true
    }

    fn mul_wide(&mut self, s: Simd, high: bool) {
        let (d, a, b) = self.two(s);
        self.product(s, s.op != VecOp::MulWideU, high, d, a, b);
    }

    /// `d` = the products of the elements in the low or high halves of `a` and `b`, with twice their size.
    pub(super) fn product(&mut self, s: Simd, signed: bool, high: bool, d: u8, a: u8, b: u8) {
        match s.l.log2 {
            0 => {
                let extend = if signed { PMOVSX[0] } else { PMOVZX[0] };
                for (to, from) in [(0, a), (1, b)] {
                    if high {
                        self.asm.vex1_imm(PSHUFD, to, from, 0xEE);
                        self.asm.vex1(extend, to, to);
                    } else {
                        self.asm.vex1(extend, to, from);
                    }
                }
                self.asm.vex(PMULLW, d, 0, 1);
            }
            1 => {
                self.asm.vex(if signed { PMULHW } else { PMULHUW }, 0, a, b);
                self.asm.vex(PMULLW, 1, a, b);
                self.asm.vex(if high { PUNPCKH[1] } else { PUNPCKL[1] }, d, 1, 0);
            }
            _ => {
                let order = if high { 0x32 } else { 0x10 };
                self.asm.vex1_imm(PSHUFD, 0, a, order);
                self.asm.vex1_imm(PSHUFD, 1, b, order);
                self.asm.vex(if signed { PMULDQ } else { PMULUDQ }, d, 0, 1);
            }
        }
    }

    pub(super) fn simd_reduce(&mut self, s: Simd) -> bool {
        let n = s.log2();
        if s.l.part == Part::Scalar {
            return false;
        }
        match s.op {
            VecOp::SumV if n == 0 => {
                let (d, a) = self.one(s);
                self.zero(0);
                self.asm.vex(PSADBW, d, a, 0);
                if s.l.part == Part::Full {
                    self.asm.vex1_imm(PSHUFD, 0, d, 0xEE);
                    self.asm.vex(PADD[2], d, d, 0);
                }
                self.trim(Lanes::scalar(0), d);
            }
            VecOp::SumV => self.fold(s, PADD[n]),
            VecOp::MinSV if n < 3 => self.fold(s, PMINS[n]),
            VecOp::MaxSV if n < 3 => self.fold(s, PMAXS[n]),
            VecOp::MinUV if n < 3 => self.fold(s, PMINU[n]),
            VecOp::MaxUV if n < 3 => self.fold(s, PMAXU[n]),
            VecOp::DotS | VecOp::DotU | VecOp::DotUS if n == 2 => self.dot(s),
            VecOp::MatrixS | VecOp::MatrixU | VecOp::MatrixUS if n == 2 && s.l.part == Part::Full => {
                self.matrix(s);
            }
            _ => return false,
        }
        true
    }

    /// Halves the number of elements until one is left.
    fn fold(&mut self, s: Simd, v: Vex) {
        let (d, mut a) = self.one(s);
        let mut bytes = if s.l.part == Part::Full { 8 } else { 4 };
        while bytes >> s.l.log2 != 0 {
            self.asm.vbytes_right(0, a, bytes);
            self.asm.vex(v, d, a, 0);
            a = d;
            bytes /= 2;
        }
        if a != d {
            self.asm.movaps(d, a);
        }
        self.trim(Lanes::scalar(s.l.log2 as u32), d);
    }

    /// Products of bytes as 16-bit elements, the even and the odd ones, which the host adds in pairs exactly.
    fn dot(&mut self, s: Simd) {
        let (d, a, b, c) = self.three(s);
        let t = self.xtemp();
        let right = |signed| if signed { VShift::Sra } else { VShift::Srl };
        let (ra, rb) = (right(s.op == VecOp::DotS), right(s.op != VecOp::DotU));
        self.asm.vshift(ra, 1, 0, a, 8);
        self.asm.vshift(rb, 1, 1, b, 8);
        self.asm.vex(PMADDWD, d, 0, 1);
        self.asm.vshift(VShift::Sll, 1, 0, a, 8);
        self.asm.vshift(ra, 1, 0, 0, 8);
        self.asm.vshift(VShift::Sll, 1, t, b, 8);
        self.asm.vshift(rb, 1, t, t, 8);
        self.asm.vex(PMADDWD, 0, 0, t);
        self.asm.vex(PADD[2], d, d, 0);
        self.asm.vex(PADD[2], d, d, c);
        self.trim(s.l, d);
    }

    /// The four products of rows with columns, of 16-bit elements, whose pairs the host adds exactly.
    fn matrix(&mut self, s: Simd) {
        let (d, a, b, c) = self.three(s);
        let (t, u, v) = (self.xtemp(), self.xtemp(), self.xtemp());
        let rows = if s.op == VecOp::MatrixS { PMOVSX[0] } else { PMOVZX[0] };
        let columns = if s.op == VecOp::MatrixU { PMOVZX[0] } else { PMOVSX[0] };
        self.asm.vex1(columns, t, b);
        self.asm.vex1_imm(PSHUFD, u, b, 0xEE);
        self.asm.vex1(columns, u, u);
        for (row, to) in [(0, d), (1, v)] {
            if row == 0 {
                self.asm.vex1(rows, to, a);
            } else {
                self.asm.vex1_imm(PSHUFD, to, a, 0xEE);
                self.asm.vex1(rows, to, to);
            }
            self.asm.vex(PMADDWD, 0, to, t);
            self.asm.vex(PMADDWD, 1, to, u);
            self.asm.vex(PHADDD, to, 0, 1);
        }
        self.asm.vex(PHADDD, d, d, v);
        self.asm.vex(PADD[2], d, d, c);
    }
}
