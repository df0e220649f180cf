//! Lowering of floating-point comparison to flags, and of conversions and rounding to integers.

use super::Lower;
use super::alloc::Loc;
use super::asm::{Alu, Cc, Shift, reg};
use super::fp::{Zero, constant};
use super::vex::*;
use crate::ir::{Inst, NONE, Op, Ty, Val, VecForm};
use lyrebird_cpu::vec::fp::{EXACT, Fixed, TO, TO_BF16, TO_ODD, rounding};
use lyrebird_cpu::vec::{Lanes, Part, VecOp};

impl Lower {
    /// If all that is done with the scalar result `i` is taking it to general registers, the one it may be made in.
    fn fp_general(&mut self, i: Val) -> Option<u8> {
        let user = self.user[i as usize];
        let taken = user != NONE && self.uses[i as usize] == 1 && {
            let inst = &self.code[user as usize];
            inst.op == Op::Lane && inst.sub == 0 && matches!(inst.ty, Ty::I32 | Ty::I64)
        };
        taken.then(|| self.temp())
    }

    /// Says where the result that [`Lower::fp_general`] placed is: what was kept for it as a vector is free again.
    fn fp_in_general(&mut self, i: Val, x: u8, general: u8) {
        if self.loc[i as usize] == Loc::Xmm(x) {
            self.xowner[x as usize] = NONE;
        }
        self.set_reg(i, general);
    }

    /// FCMP, FCMPE: ordered operands set no status, whatever the kind.
    pub(super) fn fp_compare(&mut self, i: Val, inst: &Inst, form: VecForm) {
        let double = form.lanes.log2 == 3;
        let (mut slow, from) = self.fp_open(i, inst, Zero::Never, double);
        let t = self.temp();
        let general = self.fp_general(i);
        let d = general.unwrap_or(reg::RAX);
        // UCOMISS, UCOMISD
        self.asm.sse(if double { 0x66 } else { 0 }, &[0x2E], slow.operands[0], slow.operands[1]);
        self.asm.jcc(Cc::P, from);
        self.asm.mov_imm(d, 0x0100);
        self.asm.mov_imm(t, 0x8000);
        self.asm.cmov(Cc::B, false, d, t);
        self.asm.mov_imm(t, 0x4100);
        self.asm.cmov(Cc::E, false, d, t);
        match general {
            Some(d) => {
                slow.general = Some(d);
                self.fp_in_general(i, slow.result, d);
            }
            None => self.asm.movq_to_xmm(false, slow.result, d),
        }
        self.fp_close(inst, from, slow);
    }

    pub(super) fn fp_from_int(&mut self, i: Val, inst: &Inst, form: VecForm) -> bool {
        let f = Fixed::unpack(form.imm);
        if f.fbits != 0 || !f.signed || !matches!(f.log2, 2 | 3) {
            return false;
        }
        let (double, wide) = (form.lanes.log2 == 3, f.log2 == 3);
        let (slow, from) = self.fp_open(i, inst, Zero::Never, double);
        if wide || !double {
            self.fp_status(from);
        }
        self.asm.movq_from_xmm(wide, reg::RAX, slow.operands[0]);
        self.asm.sse(0x66, &[0xEF], slow.result, slow.result);
        self.asm.convert(if double { 0xF2 } else { 0xF3 }, wide, 0x2A, slow.result, reg::RAX);
        self.fp_close(inst, from, slow);
        true
    }

    /// Elements of 32 bits, signed.
    pub(super) fn fp_from_ints(&mut self, i: Val, inst: &Inst, form: VecForm) -> bool {
        let f = Fixed::unpack(form.imm);
        if f.fbits != 0 || !f.signed || f.log2 != 2 || form.lanes.log2 != 2 {
            return false;
        }
        let (slow, from) = self.fp_open(i, inst, Zero::Never, false);
        self.fp_status(from);
        // CVTDQ2PS
        self.asm.sse(0, &[0x5B], slow.result, slow.operands[0]);
        self.fp_trim(form, slow.result, slow.result);
        self.fp_close(inst, from, slow);
        true
    }

    pub(super) fn fp_to_int(&mut self, i: Val, inst: &Inst, form: VecForm) -> bool {
        let f = Fixed::unpack(form.imm);
        if f.fbits != 0 || f.rounding != rounding::ZERO || !matches!(f.log2, 2 | 3) {
            return false;
        }
        let (double, wide) = (form.lanes.log2 == 3, f.log2 == 3);
        let (mut slow, from) = self.fp_open(i, inst, Zero::Never, double);
        let general = self.fp_general(i);
        let d = general.unwrap_or(reg::RAX);
        // Whatever has to be spilled for it is spilled before the ways part.
        let t = self.temp();
        self.fp_status(from);
        // Unsigned 32-bit results are found with 64 bits; unsigned 64-bit ones below 2^63 only.
        let host_wide = wide || !f.signed;
        self.asm.convert(if double { 0xF2 } else { 0xF3 }, host_wide, 0x2C, d, slow.operands[0]);
        // Negative unsigned results and the indefinite integer go out of line; so does the minimum itself.
        if f.signed {
            self.asm.alu_imm(Alu::Cmp, wide, d, 1);
            self.asm.jcc(Cc::O, from);
        } else if wide {
            self.asm.test(true, d, d);
            self.asm.jcc(Cc::S, from);
        } else {
            self.asm.mov(true, t, d);
            self.asm.shift_imm(Shift::Shr, true, t, 32);
            self.asm.jcc(Cc::NE, from);
        }
        match general {
            Some(d) => {
                slow.general = Some(d);
                self.fp_in_general(i, slow.result, d);
            }
            // The result is an integer of its own width: only what MOVD or MOVQ leaves.
            None => self.asm.movq_to_xmm(wide, slow.result, d),
        }
        self.fp_close(inst, from, slow);
        true
    }

    /// Single precision to elements of 32 bits, signed, towards zero.
    pub(super) fn fp_to_ints(&mut self, i: Val, inst: &Inst, form: VecForm) -> bool {
        let f = Fixed::unpack(form.imm);
        let towards_zero = f.fbits == 0 && f.rounding == rounding::ZERO;
        if !towards_zero || !f.signed || f.log2 != 2 || form.lanes.log2 != 2 || !self.config.fma {
            return false;
        }
        let (slow, from) = self.fp_open(i, inst, Zero::Never, false);
        self.fp_status(from);
        // CVTTPS2DQ
        self.asm.sse(0xF3, &[0x5B], slow.result, slow.operands[0]);
        self.fp_trim(form, slow.result, slow.result);
        // The indefinite integer goes out of line, and with it the minimum itself.
        self.asm.vex_mem(PCMPEQ[2], 1, slow.result, constant(false, 2));
        self.asm.sse(0, &[0x50], reg::RAX, 1);
        self.asm.test(false, reg::RAX, reg::RAX);
        self.asm.jcc(Cc::NE, from);
        self.fp_close(inst, from, slow);
        true
    }

    /// FRINT: only NaNs, and inexact results if they are signalled, set status.
    pub(super) fn fp_round(&mut self, i: Val, inst: &Inst, form: VecForm) -> bool {
        let mode = match form.imm & rounding::MASK {
            rounding::NEAREST | rounding::CURRENT => 0,
            rounding::MINUS => 1,
            rounding::PLUS => 2,
            rounding::ZERO => 3,
            _ => return false,
        };
        let (slow, from) = self.fp_open(i, inst, Zero::Never, form.lanes.log2 == 3);
        let a = slow.operands[0];
        if form.imm & EXACT != 0 {
            self.fp_status(from);
        }
        self.fp_ordered(form, a, a, from);
        match (form.lanes.part, form.lanes.log2) {
            (Part::Scalar, 2) => self.asm.vex_imm(ROUNDSS, slow.result, a, a, mode | 8),
            (Part::Scalar, _) => self.asm.vex_imm(ROUNDSD, slow.result, a, a, mode | 8),
            (_, 2) => self.asm.vex1_imm(ROUNDPS, slow.result, a, mode | 8),
            _ => self.asm.vex1_imm(ROUNDPD, slow.result, a, mode | 8),
        }
        self.fp_trim(form, slow.result, slow.result);
        self.fp_close(inst, from, slow);
        true
    }

    pub(super) fn fp_convert(&mut self, i: Val, inst: &Inst, form: VecForm) -> bool {
        let to = form.imm & TO;
        if form.imm & (TO_ODD | TO_BF16) != 0 || !matches!((form.lanes.log2, to), (2, 3) | (3, 2)) {
            return false;
        }
        let widens = to == 3;
        let (slow, from) = self.fp_open(i, inst, if widens { Zero::Always } else { Zero::Never }, widens);
        if !widens {
            self.fp_status(from);
        }
        self.asm.sse(0x66, &[0xEF], slow.result, slow.result);
        self.asm.sse(if widens { 0xF3 } else { 0xF2 }, &[0x5A], slow.result, slow.operands[0]);
        let result = VecForm { lanes: Lanes::new(to, Part::Scalar), op: VecOp::FCvt, ..form };
        self.fp_range(result, slow.result, from);
        self.fp_close(inst, from, slow);
        true
    }
}
