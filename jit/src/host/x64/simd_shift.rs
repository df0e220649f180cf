//! Native forms of vector shifts.

use super::Lower;
use super::simd::Simd;
use super::vex::*;
use lyrebird_cpu::vec::{Lanes, VecOp};

impl Lower {
    /// `d = s` shifted by the constant `n` in any element size; clobbers XMM0 and XMM1, which `s` may not be; `d` may
    /// only be them if elements have 16 or 32 bits.
    fn shift_by(&mut self, op: VShift, log2: u8, d: u8, s: u8, n: u32) {
        let bits = 8u32 << log2;
        match (op, log2) {
            (VShift::Sra, 1 | 2) => self.asm.vshift(op, log2, d, s, n.min(bits - 1) as u8),
            (_, 1..) if op != VShift::Sra => self.asm.vshift(op, log2, d, s, n.min(bits) as u8),
            (VShift::Sra, 0) => {
                let n = n.min(7);
                self.shift_by(VShift::Srl, 0, d, s, n);
                self.splat(0, 1, 0x80 >> n);
                self.asm.vex(PXOR, d, d, 1);
                self.asm.vex(PSUB[0], d, d, 1);
            }
            (VShift::Sra, _) => {
                let n = n.min(63);
                self.zero(1);
                self.asm.vex(PCMPGT[3], 0, 1, s);
                self.asm.vshift(VShift::Sll, 3, 0, 0, 64 - n as u8);
                self.asm.vshift(VShift::Srl, 3, d, s, n as u8);
                self.asm.vex(POR, d, d, 0);
            }
            (_, _) if n >= 8 => self.zero(d),
            (_, _) => {
                let mask = if op == VShift::Sll { 0xFF << n & 0xFF } else { 0xFF >> n };
                self.asm.vshift(op, 1, d, s, n as u8);
                let mask = self.pooled(Lanes::full(0).splat(mask as u128));
                self.asm.vex_label(PAND, d, d, mask);
            }
        }
    }

    pub(super) fn simd_shift(&mut self, s: Simd) -> bool {
        let log2 = s.l.log2;
        match s.op {
            VecOp::Shl => self.shift_const(s, VShift::Sll),
            VecOp::ShrU => self.shift_const(s, VShift::Srl),
            VecOp::ShrS => self.shift_const(s, VShift::Sra),
            VecOp::RoundShrU | VecOp::RoundShrS if (1..=s.l.bits()).contains(&s.imm) => {
                // With half of it, rounded down, taken away, twice the result is the result rounded up.
                let op = if s.op == VecOp::RoundShrU { VShift::Srl } else { VShift::Sra };
                let (d, a) = self.one(s);
                let t = self.xtemp();
                self.shift_by(op, log2, d, a, s.imm - 1);
                self.shift_by(op, log2, t, d, 1);
                self.asm.vex(PSUB[s.log2()], d, d, t);
                self.trim(s.l, d);
            }
            _ => return false,
        }
        true
    }

    fn shift_const(&mut self, s: Simd, op: VShift) {
        // No form looks at the operand again once it has written.
        let (d, a) = self.one_over(s);
        self.shift_by(op, s.l.log2, d, a, s.imm);
        self.trim(s.l, d);
    }
}
