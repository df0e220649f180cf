//! Lowering of floating-point operations to the host's, where the result and the cumulative status are known to agree.
//!
//! Host arithmetic is used when the guest rounds to nearest and has FPSR.IXC set already, which the mode may know: then an
//! inexact result changes no status, and every other status shows in the result. Sums must be finite; products, quotients
//! and the like must also have an exponent field of at least 2, since what is smaller may have underflowed. Where the
//! guest may flush (FPCR.FZ), so must sums, and operands must not be denormal. All else goes out of line: see
//! [`super::fp_cold`].
//!
//! Left to the evaluator always: half precision, other roundings, estimates.

use super::asm::{Alu, Cc, Label, Mem, file, reg};
use super::fp_cold::Slow;
use super::vex::*;
use super::{Cold, Lower};
use crate::ir::{Inst, NONE, Val, VecForm};
use crate::words;
use lyrebird_cpu::slot::Slot;
use lyrebird_cpu::softfloat::Flags;
use lyrebird_cpu::vec::{Lanes, Part, VecOp};
use lyrebird_cpu::width::W128;

/// FPSR.IXC.
pub(super) const INEXACT: u8 = Flags::INEXACT.to_fpsr() as u8;

/// VFPCLASS: NaNs and infinities.
const NOT_FINITE: u8 = 0x99;
/// VFPCLASS: denormal numbers.
const DENORMAL: u8 = 0x20;

/// The constants that lowerings read from the register file, by [`words::CONSTANTS`]: for elements of 32 bits, then of
/// 64, what to subtract from the result without its sign, the highest difference that is fine, and the sign bits.
pub const CONSTANTS: [u128; 6] = [
    0x0200_0000_0200_0000_0200_0000_0200_0000,
    0xFCFF_FFFF_FCFF_FFFF_FCFF_FFFF_FCFF_FFFF,
    0x8000_0000_8000_0000_8000_0000_8000_0000,
    0x0040_0000_0000_0000_0040_0000_0000_0000,
    0xFF9F_FFFF_FFFF_FFFF_FF9F_FFFF_FFFF_FFFF,
    0x8000_0000_0000_0000_8000_0000_0000_0000,
];

/// The number in every element.
pub(super) fn every(double: bool, x: f64) -> u128 {
    if double {
        Lanes::full(3).splat(x.to_bits().into())
    } else {
        Lanes::full(2).splat((x as f32).to_bits().into())
    }
}

pub(super) fn constant(double: bool, n: u16) -> Mem {
    file(Slot::<W128>::word(words::CONSTANTS.offset() / 8 + 2 * (n + 3 * double as u16)).offset())
}

impl Lower {
    /// Lowers a floating-point operation, if it has a native form here.
    pub(super) fn fp(&mut self, i: Val, inst: &Inst, form: VecForm) -> bool {
        let flushing = self.config.fp_flush && !self.config.avx512;
        if self.config.mxcsr.is_some()
            || !self.config.fp_plain
            || flushing
            || !matches!(form.lanes.log2, 2 | 3)
        {
            return false;
        }
        let scalar = form.lanes.part == Part::Scalar;
        match form.op {
            VecOp::FAdd | VecOp::FSub | VecOp::FMul | VecOp::FMulX | VecOp::FDiv | VecOp::FSqrt => {
                self.fp_arithmetic(i, inst, form);
            }
            VecOp::FMulAdd | VecOp::FRecipStep | VecOp::FRsqrtStep if self.config.fma => {
                self.fp_arithmetic(i, inst, form);
            }
            VecOp::FMov | VecOp::FNeg | VecOp::FAbs => self.fp_bits(i, inst, form),
            VecOp::FCmp if scalar => self.fp_compare(i, inst, form),
            VecOp::FCmpEq if self.config.fma => self.fp_mask(i, inst, form, 0x00),
            VecOp::FCmpGe if self.config.fma => self.fp_mask(i, inst, form, 0x0D),
            VecOp::FCmpGt if self.config.fma => self.fp_mask(i, inst, form, 0x0E),
            VecOp::FMax | VecOp::FMaxNm if self.config.fma => self.fp_extreme(i, inst, form, 0x5F, PAND),
            VecOp::FMin | VecOp::FMinNm if self.config.fma => self.fp_extreme(i, inst, form, 0x5D, POR),
            VecOp::FRound if self.config.fma => return self.fp_round(i, inst, form),
            VecOp::IntToF => return self.fp_from_int(i, inst, form),
            VecOp::FToInt => return self.fp_to_int(i, inst, form),
            VecOp::FCvt => return self.fp_convert(i, inst, form),
            _ => return false,
        }
        true
    }

    /// SSE prefix of an operation on elements.
    pub(super) fn prefix(form: VecForm) -> u8 {
        match (form.lanes.part, form.lanes.log2) {
            (Part::Scalar, 2) => 0xF3,
            (Part::Scalar, _) => 0xF2,
            (_, 2) => 0,
            _ => 0x66,
        }
    }

    /// Bits that MOVMSKPS or MOVMSKPD gives for the elements of the arrangement.
    pub(super) fn elements(form: VecForm) -> u8 {
        match (form.lanes.part, form.lanes.log2) {
            (Part::Scalar, _) => 1,
            (Part::Full, 2) => 15,
            _ => 3,
        }
    }

    /// The operands in registers, a register for the result that is none of theirs, and the out-of-line path. All
    /// registers are to be taken before the first jump there.
    pub(super) fn fp_open(&mut self, i: Val, inst: &Inst, form: VecForm) -> (Slow, Label) {
        self.clobber();
        self.evacuate_home(self.config.status, 4, NONE);
        let operands = [inst.a, inst.b, inst.c].map(|v| self.xmm(v));
        let result = self.xdef(i, None);
        let from = self.asm.label();
        let slow = Slow { operands, result, general: None, form, packed: inst.imm, again: false };
        (slow, from)
    }

    /// Goes to `from` if an operand is denormal and may be flushed.
    pub(super) fn fp_denormal(&mut self, slow: &Slow, from: Label) {
        if !self.config.fp_flush {
            return;
        }
        let (scalar, double) = (slow.form.lanes.part == Part::Scalar, slow.form.lanes.log2 == 3);
        let operands = slow.operands;
        for (_, x) in operands.into_iter().enumerate().filter(|&(n, x)| !operands[..n].contains(&x)) {
            self.asm.vfpclass(double, scalar, x, DENORMAL);
            self.asm.ktest();
            self.asm.jcc(Cc::NE, from);
        }
    }

    /// Ends an operation whose result is where it belongs.
    pub(super) fn fp_close(&mut self, inst: &Inst, from: Label, slow: Slow) {
        let back = self.asm.label();
        self.asm.bind(back);
        self.release_operands(inst);
        self.colds.push(Cold::Fp { from, back, slow });
    }

    /// `d` = `x` with zeros above what the arrangement has.
    pub(super) fn fp_trim(&mut self, form: VecForm, d: u8, x: u8) {
        match (form.lanes.part, form.lanes.log2) {
            // INSERTPS of element 0 that zeroes the others.
            (Part::Scalar, 2) if self.config.fma => self.asm.vex_imm(INSERTPS, d, x, x, 0x0E),
            (Part::Scalar, 2) => {
                self.asm.movaps(d, x);
                self.asm.sse_imm(0x66, &[0x3A, 0x21], d, d, 0x0E);
            }
            (Part::Scalar | Part::Half, _) => self.asm.movq_low(d, x),
            (Part::Full, _) if d != x => self.asm.movaps(d, x),
            (Part::Full, _) => {}
        }
    }

    /// Goes to `from` unless an inexact result changes no status.
    pub(super) fn fp_status(&mut self, from: Label) {
        if self.config.fp_inexact {
            return;
        }
        self.asm.test_mem_imm(file(self.config.status), INEXACT);
        self.asm.jcc(Cc::E, from);
    }

    /// Goes to `from` unless the elements of `x` are finite.
    fn fp_finite(&mut self, form: VecForm, x: u8, from: Label) {
        let scalar = form.lanes.part == Part::Scalar;
        self.asm.vfpclass(form.lanes.log2 == 3, scalar, x, NOT_FINITE);
        self.asm.ktest();
        self.asm.jcc(Cc::NE, from);
    }

    /// Goes to `from` unless the elements of `x` are ordinary numbers; uses XMM1.
    pub(super) fn fp_range(&mut self, form: VecForm, x: u8, from: Label) {
        let double = form.lanes.log2 == 3;
        if form.lanes.part == Part::Scalar {
            self.asm.movq_from_xmm(double, reg::RAX, x);
            self.asm.alu(Alu::Add, double, reg::RAX, reg::RAX);
            self.asm.alu_mem(Alu::Sub, double, reg::RAX, constant(double, 0));
            self.asm.alu_mem(Alu::Cmp, double, reg::RAX, constant(double, 1));
            self.asm.jcc(Cc::A, from);
            return;
        }
        if self.config.avx512 {
            // Two more make exponents of 0, 1, 254 and 255 those from 0 to 3, whose upper bits are clear. What overflows
            // goes to the sign. That 254 would be fine does not matter.
            let (add, mask) = if double { (2 << 52, 0x1FF << 54) } else { (2 << 23, 0x3F << 25) };
            let [add, mask] = [add, mask].map(|x| self.pooled(Lanes::full(form.lanes.log2 as u32).splat(x)));
            self.asm.vex_label(PADD[form.lanes.log2 as usize], 1, x, add);
            self.asm.vnone(double, 1, mask);
            if form.lanes.part == Part::Full {
                self.asm.ktest();
            } else {
                self.asm.kmov_rax();
                self.asm.test_imm(false, reg::RAX, Self::elements(form) as i32);
            }
            self.asm.jcc(Cc::NE, from);
            return;
        }
        self.asm.movaps(1, x);
        // PSLLD by 1: the sign goes. For elements of 64 bits the upper halves decide.
        self.asm.sse_imm(0x66, &[0x72], 6, 1, 1);
        self.asm.sse_mem(0x66, &[0xFA], 1, constant(double, 0));
        // PMAXUD and PCMPEQD: not above the limit.
        self.asm.sse_mem(0x66, &[0x38, 0x3F], 1, constant(double, 1));
        self.asm.sse_mem(0x66, &[0x76], 1, constant(double, 1));
        // MOVMSKPS
        self.asm.sse(0, &[0x50], reg::RAX, 1);
        let mask = match (form.lanes.part, double) {
            (_, true) => 0b1010,
            (Part::Half, _) => 0b0011,
            _ => 0b1111,
        };
        self.asm.alu_imm(Alu::And, false, reg::RAX, mask);
        self.asm.alu_imm(Alu::Cmp, false, reg::RAX, mask);
        self.asm.jcc(Cc::NE, from);
    }

    fn fp_arithmetic(&mut self, i: Val, inst: &Inst, form: VecForm) {
        let (mut slow, from) = self.fp_open(i, inst, form);
        slow.again = true;
        self.fp_compute(&slow);
        self.fp_denormal(&slow, from);
        self.fp_status(from);
        if matches!(form.op, VecOp::FAdd | VecOp::FSub) && self.config.avx512 && !self.config.fp_flush {
            self.fp_finite(form, slow.result, from);
        } else {
            self.fp_range(form, slow.result, from);
        }
        self.fp_close(inst, from, slow);
    }

    /// The operation itself, into the result's register: that of [`Lower::fp_arithmetic`].
    pub(super) fn fp_compute_arithmetic(&mut self, slow: &Slow) {
        let form = slow.form;
        let [a, b, c] = slow.operands;
        let full = form.lanes.part == Part::Full;
        let prefix = Self::prefix(form);
        let opcode = match form.op {
            VecOp::FAdd => 0x58,
            VecOp::FSub => 0x5C,
            // The products that FMULX has rules of its own for are out of range.
            VecOp::FMul | VecOp::FMulX => 0x59,
            VecOp::FDiv => 0x5E,
            VecOp::FSqrt => 0x51,
            op => {
                let (scalar, double) = (form.lanes.part == Part::Scalar, form.lanes.log2 == 3);
                if op == VecOp::FMulAdd {
                    self.asm.movaps(slow.result, c);
                    self.asm.fmadd231(double, scalar, slow.result, a, b);
                } else {
                    // 2 - a * b, or half of 3 - a * b: halving is exact where the result is in range.
                    let (from, half) = if op == VecOp::FRecipStep { (2.0, None) } else { (3.0, Some(0.5)) };
                    let from = self.pooled(every(double, from));
                    self.asm.movups_label(slow.result, from);
                    self.asm.fnmadd231(double, scalar, slow.result, a, b);
                    if let Some(half) = half {
                        let half = self.pooled(every(double, half));
                        self.asm.movups_label(0, half);
                        self.asm.vex_fp(prefix, 0x59, slow.result, slow.result, 0);
                    }
                }
                self.fp_trim(form, slow.result, slow.result);
                return;
            }
        };
        let second = if form.op == VecOp::FSqrt { a } else { b };
        let to = if full { slow.result } else { 0 };
        if self.config.fma {
            // A packed square root has no first operand, which is spelled like XMM0.
            let packed_root = form.op == VecOp::FSqrt && prefix & 0xF0 != 0xF0;
            self.asm.vex_fp(prefix, opcode, to, if packed_root { 0 } else { a }, second);
        } else {
            self.asm.movaps(0, a);
            self.asm.sse(prefix, &[opcode], 0, second);
            if full {
                self.asm.movaps(to, 0);
            }
        }
        if !full {
            self.fp_trim(form, slow.result, 0);
        }
    }

    fn fp_bits(&mut self, i: Val, inst: &Inst, form: VecForm) {
        let double = form.lanes.log2 == 3;
        let a = self.xmm(inst.a);
        match form.op {
            VecOp::FNeg => {
                self.asm.movaps(0, a);
                self.asm.sse_mem(0x66, &[0xEF], 0, constant(double, 2));
            }
            VecOp::FAbs => {
                self.asm.movups_load(0, constant(double, 2));
                // PANDN: not sign, and a.
                self.asm.sse(0x66, &[0xDF], 0, a);
            }
            _ => self.asm.movaps(0, a),
        }
        for v in inst.args() {
            self.release(v);
        }
        let d = self.xdef(i, None);
        self.fp_trim(form, d, 0);
    }

    /// Goes to `from` if a pair of elements of `a` and `b` holds a NaN; uses XMM1 and RAX.
    pub(super) fn fp_ordered(&mut self, form: VecForm, a: u8, b: u8, from: Label) {
        let packed = Self::packed(form);
        // CMPUNORDPS, MOVMSKPS
        self.asm.vex_fp(packed, 0xC2, 1, a, b);
        self.asm.byte(3);
        self.asm.sse(packed, &[0x50], reg::RAX, 1);
        self.asm.test_imm(false, reg::RAX, Self::elements(form) as i32);
        self.asm.jcc(Cc::NE, from);
    }

    pub(super) fn packed(form: VecForm) -> u8 {
        if form.lanes.log2 == 3 { 0x66 } else { 0 }
    }

    /// Comparisons that make masks: ordered operands set no status.
    fn fp_mask(&mut self, i: Val, inst: &Inst, form: VecForm, predicate: u8) {
        let (slow, from) = self.fp_open(i, inst, form);
        let [a, b, _] = slow.operands;
        self.fp_denormal(&slow, from);
        self.fp_ordered(form, a, b, from);
        self.asm.vex_fp(Self::packed(form), 0xC2, slow.result, a, b);
        self.asm.byte(predicate);
        self.fp_trim(form, slow.result, slow.result);
        self.fp_close(inst, from, slow);
    }

    /// Minima and maxima of ordered operands, which the host gets wrong only for zeros of both signs: it gives the
    /// second, so both orders are tried, and `join` takes the right sign.
    fn fp_extreme(&mut self, i: Val, inst: &Inst, form: VecForm, opcode: u8, join: Vex) {
        let (slow, from) = self.fp_open(i, inst, form);
        let [a, b, _] = slow.operands;
        self.fp_denormal(&slow, from);
        self.fp_ordered(form, a, b, from);
        self.asm.vex_fp(Self::packed(form), opcode, 0, a, b);
        self.asm.vex_fp(Self::packed(form), opcode, slow.result, b, a);
        self.asm.vex(join, slow.result, slow.result, 0);
        self.fp_trim(form, slow.result, slow.result);
        self.fp_close(inst, from, slow);
    }
}
