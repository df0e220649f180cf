//! Native forms of operations that move elements.

use super::Lower;
use super::simd::Simd;
use super::vex::*;
use lyrebird_cpu::vec::{FpEnv, Lanes, Part, VecOp};

impl Lower {
    pub(super) fn simd_permute(&mut self, s: Simd) -> bool {
        let n = s.log2();
        let full = s.l.part == Part::Full;
        if s.l.part == Part::Scalar && s.op != VecOp::DupLane {
            return false;
        }
        if !full && n == 3 && !matches!(s.op, VecOp::DupLane | VecOp::Extract) {
            return false;
        }
        match s.op {
            VecOp::Zip1 => self.plain(s, PUNPCKL[n]),
            VecOp::Zip2 if full => self.plain(s, PUNPCKH[n]),
            VecOp::Zip2 => {
                let (d, a, b) = self.two(s);
                self.asm.vex(PUNPCKL[n], d, a, b);
                self.asm.vbytes_right(d, d, 8);
            }
            VecOp::Unzip1 | VecOp::Unzip2 => self.unzip(s),
            VecOp::Transpose1 | VecOp::Transpose2 => self.transpose(s),
            VecOp::Extract if full && s.imm < 16 => {
                let (d, a, b) = self.two(s);
                self.asm.vex_imm(PALIGNR, d, b, a, s.imm as u8);
            }
            VecOp::Extract if !full && s.imm < 8 => {
                let (d, a, b) = self.two(s);
                self.asm.vex(PUNPCKL[3], d, a, b);
                self.asm.vbytes_right(d, d, s.imm as u8);
                self.asm.movq_low(d, d);
            }
            VecOp::Table => {
                let (d, a, b) = self.two(s);
                // Indices from 16 on get the top bit, which selects nothing.
                self.splat(0, 0, 0x70);
                self.asm.vex(PADDUS[0], 0, 0, b);
                self.asm.vex(PSHUFB, d, a, 0);
                self.trim(s.l, d);
            }
            VecOp::TableOr => {
                let (d, a, b, c) = self.three(s);
                self.splat(0, 0, 0x70);
                self.asm.vex(PADDUS[0], 0, 0, b);
                self.asm.vex(PSHUFB, d, a, 0);
                self.asm.vex_imm(PBLENDVB, d, d, c, 0);
                self.trim(s.l, d);
            }
            VecOp::DupLane if s.imm < 16 >> n => self.dup_lane(s),
            VecOp::Reverse if s.imm <= 4 => self.reverse(s),
            _ => return false,
        }
        true
    }

    fn unzip(&mut self, s: Simd) {
        let (d, mut a, mut b) = self.two(s);
        let odd = s.op == VecOp::Unzip2;
        if s.l.part != Part::Full {
            // Both low halves side by side, whose even or odd elements are in the result twice.
            self.asm.vex(PUNPCKL[3], d, a, b);
            (a, b) = (d, d);
        }
        match s.l.log2 {
            3 => self.asm.vex(if odd { PUNPCKH[3] } else { PUNPCKL[3] }, d, a, b),
            2 => self.asm.vex_imm(SHUFPS, d, a, b, if odd { 0xDD } else { 0x88 }),
            log2 => {
                // Elements of twice the size that pack without saturating.
                let (wide, bits) = (log2 + 1, 8 << log2);
                let pack = if log2 == 0 { PACKUSWB } else { PACKUSDW };
                for (to, from) in [(0, a), (1, b)] {
                    if to == 1 && a == b {
                        continue;
                    }
                    if odd {
                        self.asm.vshift(VShift::Srl, wide, to, from, bits);
                    } else {
                        self.asm.vshift(VShift::Sll, wide, to, from, bits);
                        self.asm.vshift(VShift::Srl, wide, to, to, bits);
                    }
                }
                self.asm.vex(pack, d, 0, if a == b { 0 } else { 1 });
            }
        }
        self.trim(s.l, d);
    }

    fn transpose(&mut self, s: Simd) {
        let (d, a, b) = self.two(s);
        let odd = s.op == VecOp::Transpose2;
        let (wide, bits) = (s.l.log2 + 1, 8 << s.l.log2);
        match s.l.log2 {
            3 => self.asm.vex(if odd { PUNPCKH[3] } else { PUNPCKL[3] }, d, a, b),
            0 => {
                let (low, high) = if odd { (a, b) } else { (b, a) };
                // Odd: a comes down, b keeps its high byte; even: b goes up, a keeps its low byte.
                let (there, back) = if odd { (VShift::Srl, VShift::Sll) } else { (VShift::Sll, VShift::Srl) };
                self.asm.vshift(there, wide, 0, low, bits);
                self.asm.vshift(there, wide, d, high, bits);
                self.asm.vshift(back, wide, d, d, bits);
                self.asm.vex(POR, d, d, 0);
            }
            log2 => {
                let (blend, mask) = if log2 == 2 { (PBLENDD, 0b1010) } else { (PBLENDW, 0b1010_1010) };
                if odd {
                    self.asm.vshift(VShift::Srl, wide, 0, a, bits);
                    self.asm.vex_imm(blend, d, 0, b, mask);
                } else {
                    self.asm.vshift(VShift::Sll, wide, 0, b, bits);
                    self.asm.vex_imm(blend, d, a, 0, mask);
                }
            }
        }
        self.trim(s.l, d);
    }

    fn dup_lane(&mut self, s: Simd) {
        let (d, mut a) = self.one(s);
        let size = 1u8 << s.l.log2;
        let at = s.imm as u8 * size;
        if s.l.part == Part::Scalar {
            self.asm.vbytes_left(d, a, 16 - size - at);
            self.asm.vbytes_right(d, d, 16 - size);
            return;
        }
        if s.l.log2 == 2 {
            self.asm.vex1_imm(PSHUFD, d, a, s.imm as u8 * 0x55);
        } else {
            if at != 0 {
                self.asm.vbytes_right(d, a, at);
                a = d;
            }
            self.asm.vex1(PBROADCAST[s.log2()], d, a);
        }
        self.trim(s.l, d);
    }

    fn reverse(&mut self, s: Simd) {
        let (d, a) = self.one_over(s);
        match (s.l.log2, s.imm) {
            (0, 1) => {
                self.asm.vshift(VShift::Srl, 1, 0, a, 8);
                self.asm.vshift(VShift::Sll, 1, d, a, 8);
                self.asm.vex(POR, d, d, 0);
            }
            (1, 2) => {
                self.asm.vshift(VShift::Srl, 2, 0, a, 16);
                self.asm.vshift(VShift::Sll, 2, d, a, 16);
                self.asm.vex(POR, d, d, 0);
            }
            (2, 3) => self.asm.vex1_imm(PSHUFD, d, a, 0xB1),
            _ => {
                // What becomes of the bytes' numbers is the control of the shuffle.
                let numbers = u128::from_le_bytes(std::array::from_fn(|i| i as u8));
                let l = Lanes::full(s.l.log2 as u32);
                let control = VecOp::Reverse.eval(l, s.imm, numbers, 0, 0, &mut FpEnv::default());
                let control = self.pooled(control);
                self.asm.vex_label(PSHUFB, d, a, control);
            }
        }
        self.trim(s.l, d);
    }
}
