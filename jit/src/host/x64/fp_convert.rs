//! Lowering of floating-point comparison to flags, and of conversions and rounding to integers.

use super::Lower;
use super::alloc::Loc;
use super::asm::{Alu, Cc, Shift, reg};
use super::fp::{constant, every};
use super::fp_cold::Slow;
use super::vex::*;
use crate::ir::{Inst, NONE, Op, Ty, Val, VecForm};
use lyrebird_cpu::vec::fp::{EXACT, Fixed, TO, TO_BF16, TO_ODD, rounding};
use lyrebird_cpu::vec::{Lanes, Part, VecOp};

/// ROUNDPS and its kin: towards zero.
const TRUNCATE: u8 = 3;
/// ROUNDPS and its kin: inexact results are not noted.
const QUIET: u8 = 8;

/// A rounding as ROUNDPS and its kin have it; there is none for ties away from zero.
fn host_rounding(imm: u32) -> Option<u8> {
    match imm & rounding::MASK {
        rounding::NEAREST | rounding::CURRENT => Some(0),
        rounding::MINUS => Some(1),
        rounding::PLUS => Some(2),
        rounding::ZERO => Some(TRUNCATE),
        _ => None,
    }
}

impl Lower {
    /// If all that is done with the scalar result `i` is taking it to general registers, the one it may be made in.
    pub(super) fn fp_general(&mut self, i: Val) -> Option<u8> {
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
        let (mut slow, from) = self.fp_open(i, inst, form);
        let t = self.temp();
        let general = self.fp_general(i);
        let d = general.unwrap_or(reg::RAX);
        self.fp_denormal(&slow, from);
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

    /// XMM0 or `a` itself: `a` times 2 to the power of `fbits`.
    fn fp_scaled(&mut self, form: VecForm, a: u8, fbits: i32) -> u8 {
        if fbits == 0 {
            return a;
        }
        let scale = self.pooled(every(form.lanes.log2 == 3, 2f64.powi(fbits)));
        self.asm.movups_label(0, scale);
        self.asm.vex_fp(Self::prefix(form), 0x59, 0, a, 0);
        0
    }

    /// `d` = `a` rounded to integers, by a rounding and, if wanted, quietly; XMM0 and XMM1 are clobbered.
    fn fp_rounded(&mut self, form: VecForm, d: u8, a: u8, imm: u32, quiet: u8) {
        let double = form.lanes.log2 == 3;
        let (a, mode) = match host_rounding(imm) {
            Some(mode) => (a, mode),
            None => {
                // Almost a half away from zero, which cannot reach the next integer by rounding, and truncated.
                let (sign, half) =
                    if double { (-0.0, 0.5f64.next_down()) } else { (-0.0, 0.5f32.next_down() as f64) };
                let (sign, half) = (self.pooled(every(double, sign)), self.pooled(every(double, half)));
                self.asm.vex_label(PAND, 1, a, sign);
                self.asm.vex_label(POR, 1, 1, half);
                self.asm.vex_fp(Self::prefix(form), 0x58, 0, a, 1);
                (0, TRUNCATE)
            }
        };
        match (form.lanes.part, double) {
            (Part::Scalar, false) => self.asm.vex_imm(ROUNDSS, d, a, a, mode | quiet),
            (Part::Scalar, true) => self.asm.vex_imm(ROUNDSD, d, a, a, mode | quiet),
            (_, false) => self.asm.vex1_imm(ROUNDPS, d, a, mode | quiet),
            (_, true) => self.asm.vex1_imm(ROUNDPD, d, a, mode | quiet),
        }
    }

    pub(super) fn fp_from_int(&mut self, i: Val, inst: &Inst, form: VecForm) -> bool {
        let f = Fixed::unpack(form.imm);
        let scalar = form.lanes.part == Part::Scalar;
        let (double, wide) = (form.lanes.log2 == 3, f.log2 == 3);
        // Without AVX-512 there are signed conversions only, and none of vectors with elements of 64 bits.
        let plain = if scalar { f.signed || !wide } else { f.signed && !double };
        let sizes = if scalar { matches!(f.log2, 2 | 3) } else { f.log2 == form.lanes.log2 as u32 };
        if !sizes || !plain && !self.config.avx512 || f.fbits != 0 && !self.config.fma {
            return false;
        }
        let (mut slow, from) = self.fp_open(i, inst, form);
        slow.again = true;
        self.fp_compute_from_int(&slow);
        let exact = double && !wide;
        if exact || self.config.fp_inexact {
            self.release_operands(inst);
            return true;
        }
        self.fp_status(from);
        self.fp_close(inst, from, slow);
        true
    }

    pub(super) fn fp_compute_from_int(&mut self, slow: &Slow) {
        let form = slow.form;
        let f = Fixed::unpack(form.imm);
        let (double, wide) = (form.lanes.log2 == 3, f.log2 == 3);
        let (a, d) = (slow.operands[0], slow.result);
        if form.lanes.part == Part::Scalar {
            let prefix = Self::prefix(form);
            self.asm.movq_from_xmm(wide, reg::RAX, a);
            self.asm.sse(0x66, &[0xEF], d, d);
            match f.signed {
                false if wide => self.asm.evex((1, prefix, true), 0x7B, d, d, reg::RAX),
                // An unsigned word is a positive doubleword.
                signed => self.asm.convert(prefix, wide || !signed, 0x2A, d, reg::RAX),
            }
        } else {
            match (double, f.signed) {
                // CVTDQ2PS, VCVTUDQ2PS, VCVTQQ2PD, VCVTUQQ2PD
                (false, true) => self.asm.sse(0, &[0x5B], d, a),
                (false, false) => self.asm.evex((1, 0xF2, false), 0x7A, d, 0, a),
                (true, true) => self.asm.evex((1, 0xF3, true), 0xE6, d, 0, a),
                (true, false) => self.asm.evex((1, 0xF3, true), 0x7A, d, 0, a),
            }
        }
        let scaled = self.fp_scaled(form, d, -(f.fbits as i32));
        if scaled != d || form.lanes.part != Part::Scalar {
            self.fp_trim(form, d, scaled);
        }
    }

    pub(super) fn fp_to_int(&mut self, i: Val, inst: &Inst, form: VecForm) -> bool {
        let f = Fixed::unpack(form.imm);
        let scalar = form.lanes.part == Part::Scalar;
        let (double, wide) = (form.lanes.log2 == 3, f.log2 == 3);
        let sizes = if scalar { matches!(f.log2, 2 | 3) } else { f.log2 == form.lanes.log2 as u32 };
        let plain = scalar || f.signed && !double;
        let simple = f.fbits == 0 && f.rounding == rounding::ZERO;
        if !sizes || !plain && !self.config.avx512 || !(self.config.fma || scalar && simple) {
            return false;
        }
        let (mut slow, from) = self.fp_open(i, inst, form);
        // These conversions do not tell of denormal operands.
        slow.again =
            !self.config.fp_flush && (f.signed || self.config.avx512) && host_rounding(f.rounding).is_some();
        if !scalar {
            self.fp_compute_to_int(&slow);
            self.fp_denormal(&slow, from);
            self.fp_status(from);
            // The indefinite integer goes out of line, and with it the minimum or maximum itself.
            if f.signed {
                self.asm.vex_mem(PCMPEQ[f.log2 as usize], 1, slow.result, constant(double, 2));
            } else {
                self.asm.vex(PCMPEQ[2], 0, 0, 0);
                self.asm.vex(PCMPEQ[f.log2 as usize], 1, slow.result, 0);
            }
            self.asm.vex1(PTEST, 1, 1);
            self.asm.jcc(Cc::NE, from);
            self.fp_close(inst, from, slow);
            return true;
        }
        let general = self.fp_general(i);
        slow.general = general;
        let d = general.unwrap_or(reg::RAX);
        // Whatever has to be spilled for it is spilled before the ways part.
        let t = self.temp();
        self.fp_compute_to_int(&slow);
        self.fp_denormal(&slow, from);
        self.fp_status(from);
        // Negative unsigned results and the indefinite integer go out of line; so does the minimum or maximum itself.
        if f.signed {
            self.asm.alu_imm(Alu::Cmp, wide, d, 1);
            self.asm.jcc(Cc::O, from);
        } else if self.config.avx512 {
            self.asm.alu_imm(Alu::Cmp, wide, d, -1);
            self.asm.jcc(Cc::E, from);
        } else if wide {
            self.asm.test(true, d, d);
            self.asm.jcc(Cc::S, from);
        } else {
            self.asm.mov(true, t, d);
            self.asm.shift_imm(Shift::Shr, true, t, 32);
            self.asm.jcc(Cc::NE, from);
        }
        self.fp_move_general(&slow);
        if let Some(d) = general {
            self.fp_in_general(i, slow.result, d);
        }
        self.fp_close(inst, from, slow);
        true
    }

    pub(super) fn fp_compute_to_int(&mut self, slow: &Slow) {
        let form = slow.form;
        let f = Fixed::unpack(form.imm);
        let (double, wide) = (form.lanes.log2 == 3, f.log2 == 3);
        let mut a = self.fp_scaled(form, slow.operands[0], f.fbits as i32);
        if f.rounding != rounding::ZERO {
            self.fp_rounded(form, 0, a, f.rounding, 0);
            a = 0;
        }
        if form.lanes.part == Part::Scalar {
            let d = slow.general.unwrap_or(reg::RAX);
            let prefix = Self::prefix(form);
            if !f.signed && self.config.avx512 {
                // VCVTTSS2USI, VCVTTSD2USI
                self.asm.evex((1, prefix, wide), 0x78, d, 0, a);
            } else {
                // Unsigned 32-bit results are found with 64 bits; unsigned 64-bit ones below 2^63 only.
                self.asm.convert(prefix, wide || !f.signed, 0x2C, d, a);
            }
            return;
        }
        let d = slow.result;
        match (double, f.signed) {
            // CVTTPS2DQ, VCVTTPS2UDQ, VCVTTPD2QQ, VCVTTPD2UQQ
            (false, true) => self.asm.sse(0xF3, &[0x5B], d, a),
            (false, false) => self.asm.evex((1, 0, false), 0x78, d, 0, a),
            (true, true) => self.asm.evex((1, 0x66, true), 0x7A, d, 0, a),
            (true, false) => self.asm.evex((1, 0x66, true), 0x78, d, 0, a),
        }
        self.fp_trim(form, d, d);
    }

    /// A result of [`Lower::fp_compute_to_int`] that is wanted as a vector: an integer of its own width.
    pub(super) fn fp_move_general(&mut self, slow: &Slow) {
        let form = slow.form;
        if form.op == VecOp::FToInt && form.lanes.part == Part::Scalar && slow.general.is_none() {
            let wide = Fixed::unpack(form.imm).log2 == 3;
            self.asm.movq_to_xmm(wide, slow.result, reg::RAX);
        }
    }

    /// FRINT: only NaNs, and inexact results if they are signalled, set status.
    pub(super) fn fp_round(&mut self, i: Val, inst: &Inst, form: VecForm) -> bool {
        let (slow, from) = self.fp_open(i, inst, form);
        let a = slow.operands[0];
        self.fp_denormal(&slow, from);
        if form.imm & EXACT != 0 {
            self.fp_status(from);
        }
        self.fp_ordered(form, a, a, from);
        self.fp_rounded(form, slow.result, a, form.imm, QUIET);
        self.fp_trim(form, slow.result, slow.result);
        self.fp_close(inst, from, slow);
        true
    }

    /// Between single and double precision.
    pub(super) fn fp_convert(&mut self, i: Val, inst: &Inst, form: VecForm) -> bool {
        let to = form.imm & TO;
        if form.imm & (TO_ODD | TO_BF16) != 0 || !self.config.fma {
            return false;
        }
        let part = form.lanes.part;
        let result = match (part, form.lanes.log2, to) {
            (Part::Scalar, 2, 3) | (Part::Half, 2, 3) => None,
            (Part::Scalar, 3, 2) => Some(Lanes::new(2, Part::Scalar)),
            (Part::Full, 3, 2) => Some(Lanes::new(2, Part::Half)),
            _ => return false,
        };
        let (mut slow, from) = self.fp_open(i, inst, form);
        self.fp_compute_convert(&slow);
        self.fp_denormal(&slow, from);
        match result {
            // All but NaNs widen exactly.
            None => self.fp_ordered(form, slow.operands[0], slow.operands[0], from),
            Some(lanes) => {
                slow.again = true;
                self.fp_status(from);
                self.fp_range(VecForm { lanes, ..form }, slow.result, from);
            }
        }
        self.fp_close(inst, from, slow);
        true
    }

    pub(super) fn fp_compute_convert(&mut self, slow: &Slow) {
        let prefix = Self::prefix(slow.form);
        if slow.form.lanes.part == Part::Scalar {
            self.asm.sse(0x66, &[0xEF], slow.result, slow.result);
            self.asm.sse(prefix, &[0x5A], slow.result, slow.operands[0]);
        } else {
            self.asm.vex_fp(prefix, 0x5A, slow.result, 0, slow.operands[0]);
        }
    }
}
