//! Lowering of floating-point operations to the host's, where the result and the cumulative status are known to agree.
//!
//! Host arithmetic is used when the guest rounds to nearest, does not flush, and has FPSR.IXC set already: then an
//! inexact result changes no status, and every other status shows in the result, which must have an exponent field of
//! at least 2 and be finite. All else (zeros and tiny results, overflow, NaNs, the first inexact result) goes out of line
//! to the operation's evaluator. So host status is never read, and helpers may use the host's arithmetic freely.
//!
//! Left to the evaluator always: half precision, other roundings, flushing, minima and maxima, estimates, comparisons
//! that make masks, fixed point.

use super::asm::{Alu, Cc, Label, Mem, Shift, file, reg};
use super::{Cold, FRAME, Lower};
use crate::ir::{Inst, Val, VecForm};
use crate::words;
use lyrebird_cpu::slot::Slot;
use lyrebird_cpu::vec::fp::{Fixed, TO, TO_BF16, TO_ODD, rounding};
use lyrebird_cpu::vec::{Part, VecOp};
use lyrebird_cpu::width::W128;

/// FPSR.IXC.
const INEXACT: i32 = 1 << 4;

/// What the out-of-line path needs: operands, the registers to keep, and the operation.
pub(super) struct Slow {
    operands: [u8; 3],
    live: u16,
    packed: u64,
    /// A zero result is exact: addition and subtraction.
    exact_zero: bool,
    double: bool,
}

/// The constants that lowerings read from the register file, by [`words::CONSTANTS`]: for elements of 32 bits, then of
/// 64, what to subtract from the result without its sign, the highest difference that is fine, and the sign bits.
pub const CONSTANTS: [u128; 6] = [
    0x0200_0000_0200_0000_0200_0000_0200_0000,
    0xFCFF_FFFF_FCFF_FFFF_FCFF_FFFF_FCFF_FFFF,
    0x8000_0000_8000_0000_8000_0000_8000_0000,
    0x0040_0000_0000_0000_0040_0000_0000_0000,
    0xFF9F_FFFF_0000_0000_FF9F_FFFF_0000_0000,
    0x8000_0000_0000_0000_8000_0000_0000_0000,
];

fn constant(double: bool, n: u16) -> Mem {
    file(Slot::<W128>::word(words::CONSTANTS.offset() / 8 + 2 * (n + 3 * double as u16)).offset())
}

impl Lower {
    /// Lowers a floating-point operation, if it has a native form here.
    pub(super) fn fp(&mut self, i: Val, inst: &Inst, form: VecForm) -> bool {
        if !self.config.fp_plain || !matches!(form.lanes.log2, 2 | 3) {
            return false;
        }
        let scalar = form.lanes.part == Part::Scalar;
        match form.op {
            VecOp::FAdd => self.fp_binary(i, inst, form, 0x58, true),
            VecOp::FSub => self.fp_binary(i, inst, form, 0x5C, true),
            VecOp::FMul => self.fp_binary(i, inst, form, 0x59, false),
            VecOp::FDiv => self.fp_binary(i, inst, form, 0x5E, false),
            VecOp::FSqrt => self.fp_binary(i, inst, form, 0x51, false),
            VecOp::FMulAdd if self.config.fma => self.fp_fused(i, inst, form),
            VecOp::FMov | VecOp::FNeg | VecOp::FAbs => self.fp_bits(i, inst, form),
            VecOp::FCmp if scalar => self.fp_compare(i, inst, form),
            VecOp::IntToF if scalar => return self.fp_from_int(i, inst, form),
            VecOp::FToInt if scalar => return self.fp_to_int(i, inst, form),
            VecOp::FCvt if scalar => return self.fp_convert(i, inst, form),
            _ => return false,
        }
        true
    }

    /// SSE prefix of an operation on elements.
    fn prefix(form: VecForm) -> u8 {
        match (form.lanes.part, form.lanes.log2) {
            (Part::Scalar, 2) => 0xF3,
            (Part::Scalar, _) => 0xF2,
            (_, 2) => 0,
            _ => 0x66,
        }
    }

    /// The operands in registers, and the out-of-line path.
    fn fp_operands(&mut self, inst: &Inst, exact_zero: bool, double: bool) -> (Slow, Label) {
        self.clobber();
        self.evacuate_home(self.config.status, 4, crate::ir::NONE);
        let operands = [inst.a, inst.b, inst.c].map(|v| self.xmm(v));
        let live =
            (2..16u16).filter(|&x| self.xowner[x as usize] != crate::ir::NONE).fold(0, |m, x| m | 1 << x);
        let from = self.asm.label();
        (Slow { operands, live, packed: inst.imm, exact_zero, double }, from)
    }

    /// Ends an operation whose result is in XMM0, with zeros above what the arrangement has.
    fn fp_end(&mut self, i: Val, inst: &Inst, form: VecForm, from: Label, slow: Slow) {
        let back = self.asm.label();
        match (form.lanes.part, form.lanes.log2) {
            // INSERTPS of element 0 that zeroes the others.
            (Part::Scalar, 2) => self.asm.sse_imm(0x66, &[0x3A, 0x21], 0, 0, 0x0E),
            (Part::Scalar | Part::Half, _) => self.asm.movq_low(0, 0),
            (Part::Full, _) => {}
        }
        self.asm.bind(back);
        for a in inst.args() {
            self.release(a);
        }
        let d = self.xdef(i, None);
        self.asm.movaps(d, 0);
        self.colds.push(Cold::Fp { from, back, slow });
    }

    /// Goes to `from` unless an inexact result changes no status.
    fn fp_status(&mut self, from: Label) {
        self.asm.load(4, reg::RAX, file(self.config.status));
        self.asm.test_imm(false, reg::RAX, INEXACT);
        self.asm.jcc(Cc::E, from);
    }

    /// Goes to `from` unless XMM0 holds ordinary numbers; uses XMM1.
    fn fp_range(&mut self, form: VecForm, from: Label) {
        let double = form.lanes.log2 == 3;
        if form.lanes.part == Part::Scalar {
            self.asm.movq_from_xmm(double, reg::RAX, 0);
            self.asm.shift_imm(Shift::Shr, double, reg::RAX, if double { 52 } else { 23 });
            self.asm.alu_imm(Alu::And, false, reg::RAX, if double { 0x7FF } else { 0xFF });
            self.asm.alu_imm(Alu::Sub, false, reg::RAX, 2);
            self.asm.alu_imm(Alu::Cmp, false, reg::RAX, if double { 0x7FC } else { 0xFC });
            self.asm.jcc(Cc::A, from);
            return;
        }
        self.asm.movaps(1, 0);
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

    fn fp_binary(&mut self, i: Val, inst: &Inst, form: VecForm, opcode: u8, exact_zero: bool) {
        let scalar = form.lanes.part == Part::Scalar;
        let (slow, from) = self.fp_operands(inst, exact_zero && scalar, form.lanes.log2 == 3);
        self.fp_status(from);
        self.asm.movaps(0, slow.operands[0]);
        let second = slow.operands[(form.op != VecOp::FSqrt) as usize];
        self.asm.sse(Self::prefix(form), &[opcode], 0, second);
        self.fp_range(form, from);
        self.fp_end(i, inst, form, from, slow);
    }

    fn fp_fused(&mut self, i: Val, inst: &Inst, form: VecForm) {
        let double = form.lanes.log2 == 3;
        let (slow, from) = self.fp_operands(inst, false, double);
        self.fp_status(from);
        self.asm.movaps(0, slow.operands[2]);
        self.asm.fmadd231(double, form.lanes.part == Part::Scalar, 0, slow.operands[0], slow.operands[1]);
        self.fp_range(form, from);
        self.fp_end(i, inst, form, from, slow);
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
        match (form.lanes.part, form.lanes.log2) {
            (Part::Scalar, 2) => self.asm.sse_imm(0x66, &[0x3A, 0x21], 0, 0, 0x0E),
            (Part::Scalar | Part::Half, _) => self.asm.movq_low(0, 0),
            (Part::Full, _) => {}
        }
        for v in inst.args() {
            self.release(v);
        }
        let d = self.xdef(i, None);
        self.asm.movaps(d, 0);
    }

    /// FCMP, FCMPE: ordered operands set no status, whatever the kind.
    fn fp_compare(&mut self, i: Val, inst: &Inst, form: VecForm) {
        let double = form.lanes.log2 == 3;
        let (slow, from) = self.fp_operands(inst, false, double);
        let t = self.temp();
        // UCOMISS, UCOMISD
        self.asm.sse(if double { 0x66 } else { 0 }, &[0x2E], slow.operands[0], slow.operands[1]);
        self.asm.jcc(Cc::P, from);
        self.asm.mov_imm(reg::RAX, 0x0100);
        self.asm.mov_imm(t, 0x8000);
        self.asm.cmov(Cc::B, false, reg::RAX, t);
        self.asm.mov_imm(t, 0x4100);
        self.asm.cmov(Cc::E, false, reg::RAX, t);
        self.asm.movq_to_xmm(false, 0, reg::RAX);
        self.fp_end(i, inst, form, from, slow);
    }

    fn fp_from_int(&mut self, i: Val, inst: &Inst, form: VecForm) -> bool {
        let f = Fixed::unpack(form.imm);
        if f.fbits != 0 || !f.signed || !matches!(f.log2, 2 | 3) {
            return false;
        }
        let (double, wide) = (form.lanes.log2 == 3, f.log2 == 3);
        let (slow, from) = self.fp_operands(inst, false, double);
        if wide || !double {
            self.fp_status(from);
        }
        self.asm.movq_from_xmm(wide, reg::RAX, slow.operands[0]);
        self.asm.sse(0x66, &[0xEF], 0, 0);
        self.asm.convert(if double { 0xF2 } else { 0xF3 }, wide, 0x2A, 0, reg::RAX);
        self.fp_end(i, inst, form, from, slow);
        true
    }

    fn fp_to_int(&mut self, i: Val, inst: &Inst, form: VecForm) -> bool {
        let f = Fixed::unpack(form.imm);
        if f.fbits != 0 || f.rounding != rounding::ZERO || !matches!(f.log2, 2 | 3) {
            return false;
        }
        let (double, wide) = (form.lanes.log2 == 3, f.log2 == 3);
        let (slow, from) = self.fp_operands(inst, false, double);
        self.fp_status(from);
        // Unsigned 32-bit results are found with 64 bits; unsigned 64-bit ones below 2^63 only.
        let host_wide = wide || !f.signed;
        self.asm.convert(if double { 0xF2 } else { 0xF3 }, host_wide, 0x2C, reg::RAX, slow.operands[0]);
        // Negative unsigned results and the indefinite integer go out of line; so does the minimum itself.
        if f.signed {
            self.asm.alu_imm(Alu::Cmp, wide, reg::RAX, 1);
            self.asm.jcc(Cc::O, from);
        } else if wide {
            self.asm.test(true, reg::RAX, reg::RAX);
            self.asm.jcc(Cc::S, from);
        } else {
            let t = self.temp();
            self.asm.mov(true, t, reg::RAX);
            self.asm.shift_imm(Shift::Shr, true, t, 32);
            self.asm.jcc(Cc::NE, from);
        }
        self.asm.movq_to_xmm(wide, 0, reg::RAX);
        // The result is an integer of its own width: only what MOVD or MOVQ left.
        let back = self.asm.label();
        self.asm.bind(back);
        for a in inst.args() {
            self.release(a);
        }
        let d = self.xdef(i, None);
        self.asm.movaps(d, 0);
        self.colds.push(Cold::Fp { from, back, slow });
        true
    }

    fn fp_convert(&mut self, i: Val, inst: &Inst, form: VecForm) -> bool {
        let to = form.imm & TO;
        if form.imm & (TO_ODD | TO_BF16) != 0 || !matches!((form.lanes.log2, to), (2, 3) | (3, 2)) {
            return false;
        }
        let widens = to == 3;
        let (slow, from) = self.fp_operands(inst, false, widens);
        if !widens {
            self.fp_status(from);
        }
        self.asm.sse(0x66, &[0xEF], 0, 0);
        self.asm.sse(if widens { 0xF3 } else { 0xF2 }, &[0x5A], 0, slow.operands[0]);
        let result = VecForm { lanes: lyrebird_cpu::vec::Lanes::new(to, Part::Scalar), ..form };
        self.fp_range(result, from);
        self.fp_end(i, inst, result, from, slow);
        true
    }

    /// The out-of-line path of [`Cold::Fp`]: the evaluator's result in XMM0.
    pub(super) fn cold_fp(&mut self, slow: &Slow, back: Label) {
        if slow.exact_zero {
            self.asm.movq_from_xmm(slow.double, reg::RAX, 0);
            self.asm.shift_imm(Shift::Shl, slow.double, reg::RAX, 1);
            // Only where the operation was carried out: XMM0 is stale when the status sent it here.
            let no = self.asm.label();
            self.asm.jcc(Cc::NE, no);
            self.asm.load(4, reg::RAX, file(self.config.status));
            self.asm.test_imm(false, reg::RAX, INEXACT);
            self.asm.jcc(Cc::E, no);
            if slow.double {
                self.asm.movq_low(0, 0);
            } else {
                self.asm.sse_imm(0x66, &[0x3A, 0x21], 0, 0, 0x0E);
            }
            self.asm.jmp(back);
            self.asm.bind(no);
        }
        for (n, &x) in slow.operands.iter().enumerate() {
            self.asm.movups_store(file(words::vector(n as u16).offset()), x);
        }
        let save = |x: u16| Mem { base: reg::RSP, index: None, disp: FRAME + x as i32 * 16 };
        for x in (2..16).filter(|x| slow.live >> x & 1 != 0) {
            self.asm.movups_store(save(x), x as u8);
        }
        self.asm.mov_imm(reg::RAX, slow.packed);
        self.asm.call_to(self.config.stubs.vec);
        for x in (2..16).filter(|x| slow.live >> x & 1 != 0) {
            self.asm.movups_load(x as u8, save(x));
        }
        self.asm.movups_load(0, file(words::vector(3).offset()));
        self.asm.jmp(back);
    }
}
