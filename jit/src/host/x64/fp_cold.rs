//! The out-of-line paths of floating-point operations.
//!
//! Zeros that zeros explain come first. Operations that can be repeated are, with the host's status cleared before,
//! unless it is clear after they were done in place: that tells whether the result is exact, or inexact and no more. Two
//! things it does not tell: the host finds a result tiny after rounding, the guest before, so those next to the smallest
//! normal number are not believed; and NaNs differ. What remains goes to the operation's evaluator. The host's status is
//! read nowhere else, so helpers may use the host's arithmetic freely.

use super::Lower;
use super::asm::{Alu, Cc, Label, Shift, file, reg};
use super::fp::{INEXACT, every};
use super::vex::*;
use crate::ir::VecForm;
use crate::words;
use lyrebird_cpu::vec::{Lanes, Part, VecOp};

/// MXCSR with all exceptions masked and none seen.
const CLEAN: u128 = 0x1F80;
/// MXCSR: invalid operation, denormal operand, division by zero, overflow, underflow.
const SERIOUS: i32 = 0x1F;
/// MXCSR: denormal operand.
const DENORMAL: i32 = 2;
/// MXCSR: inexact.
const PRECISION: i32 = 0x20;

/// What the out-of-line path needs: operands, where the result goes, and the operation.
pub(super) struct Slow {
    pub operands: [u8; 3],
    pub result: u8,
    /// The result is wanted in this general register instead.
    pub general: Option<u8>,
    pub form: VecForm,
    pub packed: u64,
    /// [`Lower::fp_compute`] repeats it.
    pub again: bool,
}

impl Lower {
    /// The operation itself, without checks, into the result's register; RAX, XMM0 and XMM1 are clobbered.
    pub(super) fn fp_compute(&mut self, slow: &Slow) {
        match slow.form.op {
            VecOp::IntToF => self.fp_compute_from_int(slow),
            VecOp::FToInt => self.fp_compute_to_int(slow),
            VecOp::FCvt => self.fp_compute_convert(slow),
            _ => self.fp_compute_arithmetic(slow),
        }
    }

    /// The out-of-line path of [`super::Cold::Fp`].
    pub(super) fn cold_fp(&mut self, slow: &Slow, back: Label) {
        if slow.again && self.config.fma {
            self.fp_zeros(slow, back);
            let no = self.asm.label();
            self.fp_again(slow, no);
            self.asm.jmp(back);
            self.asm.bind(no);
        }
        self.fp_evaluate(slow);
        self.asm.jmp(back);
    }

    /// Goes to `back` if zeros of operands explain all zeros of the result, and nothing else is special: what is
    /// frequent and would take longer below.
    fn fp_zeros(&mut self, slow: &Slow, back: Label) {
        let form = slow.form;
        let ([a, b, c], result, no) = (slow.operands, slow.result, self.asm.label());
        if !matches!(
            form.op,
            VecOp::FAdd
                | VecOp::FSub
                | VecOp::FMul
                | VecOp::FMulX
                | VecOp::FMulAdd
                | VecOp::FDiv
                | VecOp::FSqrt
        ) {
            return;
        }
        self.fp_status(no);
        self.fp_denormal(slow, no);
        self.zero(0);
        // XMM1 = where a zero is the exact result.
        match form.op {
            VecOp::FAdd | VecOp::FSub => self.fp_equal(form, 1, result),
            VecOp::FDiv | VecOp::FSqrt => self.fp_equal(form, 1, a),
            op => {
                self.fp_equal(form, 1, a);
                self.fp_equal(form, 0, b);
                self.asm.vex(POR, 1, 1, 0);
                self.zero(0);
                if op == VecOp::FMulAdd {
                    self.fp_equal(form, 0, c);
                    self.asm.vex(PAND, 1, 1, 0);
                    self.zero(0);
                }
            }
        }
        self.fp_equal(form, 0, result);
        self.asm.vex(PAND, 1, 1, 0);
        // Put ones there, and look again.
        let double = form.lanes.log2 == 3;
        let one = self.pooled(every(double, 1.0));
        self.asm.movups_label(0, one);
        self.asm.vex_imm(if double { BLENDVPD } else { BLENDVPS }, 0, result, 0, 1 << 4);
        self.fp_range(form, 0, no);
        self.asm.jmp(back);
        self.asm.bind(no);
    }

    /// `d` = where elements of `x` equal those of XMM0.
    fn fp_equal(&mut self, form: VecForm, d: u8, x: u8) {
        self.asm.vex_fp(Self::packed(form), 0xC2, d, x, 0);
        self.asm.byte(0);
    }

    /// Repeats the operation, and goes to `no` if that does not say what the guest's result and status are.
    fn fp_again(&mut self, slow: &Slow, no: Label) {
        let seen = file(words::vector(3).offset());
        let (clean, exact) = (self.pooled(CLEAN), self.asm.label());
        // It was done once, and if nothing has been seen since whenever, it was exact.
        self.asm.store_mxcsr(seen);
        self.asm.test_mem_imm(seen, (SERIOUS | PRECISION) as u8);
        self.asm.jcc(Cc::E, exact);
        self.asm.load_mxcsr(clean);
        self.fp_compute(slow);
        self.asm.store_mxcsr(seen);
        let mut serious = if self.config.fp_flush { SERIOUS } else { SERIOUS & !DENORMAL };
        if slow.form.lanes.part == Part::Half {
            // What is inexact may be above the elements that count.
            serious |= PRECISION;
        }
        self.asm.test_mem_imm(seen, serious as u8);
        self.asm.jcc(Cc::NE, no);
        self.asm.bind(exact);
        self.fp_move_general(slow);
        if slow.form.op != VecOp::FToInt {
            self.fp_believable(slow, no);
        }
        // IXC is the precision flag, one bit lower.
        self.asm.load(4, reg::RAX, seen);
        self.asm.alu_imm(Alu::And, false, reg::RAX, PRECISION);
        self.asm.shift_imm(
            Shift::Shr,
            false,
            reg::RAX,
            PRECISION.trailing_zeros() as u8 - INEXACT.trailing_zeros() as u8,
        );
        self.asm.alu_store(Alu::Or, file(self.config.status), reg::RAX);
    }

    /// Goes to `no` unless each element of the result is a zero or at least twice the smallest normal number.
    fn fp_believable(&mut self, slow: &Slow, no: Label) {
        let double = match slow.form.op {
            VecOp::FCvt => slow.form.lanes.log2 == 2,
            _ => slow.form.lanes.log2 == 3,
        };
        let (log2, magnitude, limit) =
            if double { (3, i64::MAX as u128, 2 << 52) } else { (2, i32::MAX as u128, 2 << 23) };
        let [magnitude, limit] = [magnitude, limit].map(|x| self.pooled(Lanes::full(log2).splat(x)));
        self.asm.vex_label(PAND, 1, slow.result, magnitude);
        self.asm.movups_label(0, limit);
        // CMPNLEPS, CMPNLEPD
        self.asm.vex_fp(if double { 0x66 } else { 0 }, 0xC2, 0, 0, 1);
        self.asm.byte(6);
        self.asm.vex(PAND, 0, 0, 1);
        self.asm.vex1(PTEST, 0, 0);
        self.asm.jcc(Cc::NE, no);
    }

    /// Has the evaluator do it.
    fn fp_evaluate(&mut self, slow: &Slow) {
        for (n, &x) in slow.operands.iter().enumerate() {
            self.asm.movups_store(file(words::vector(n as u16).offset()), x);
        }
        self.asm.mov_imm(reg::RAX, slow.packed);
        self.asm.call_to(self.config.stubs.vec_kept);
        match slow.general {
            Some(d) => self.asm.load(8, d, file(words::vector(3).offset())),
            None => self.asm.movups_load(slow.result, file(words::vector(3).offset())),
        }
    }
}
