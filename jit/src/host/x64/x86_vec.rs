//! Lowering of x86's vector operations: mostly one instruction for each, and an operation on the lowest element together
//! with the merge that follows it.

use super::Lower;
use super::alloc::Loc;
use super::asm::reg;
use super::vex::*;
use super::x86_single::{self, Shape, Single};
use crate::ir::{Inst, Op, Ty, Val, VecForm};
use lyrebird_cpu::vec::fp::{Fixed, TO, rounding};
use lyrebird_cpu::vec::{Lanes, Part, VecOp};

/// An operation with its operands in registers.
struct Loaded {
    a: u8,
    b: u8,
    c: u8,
    /// An integer operand, in a general register.
    general: u8,
}

impl Lower {
    /// Whether floating point of an x86 guest runs on the host's, under the guest's MXCSR.
    pub(super) fn x86_floats(&self) -> bool {
        self.config.mxcsr.is_some() && self.config.fp_plain && self.config.avx2
    }

    /// The one instruction that does an operation.
    fn x86_single(&self, form: VecForm, same: bool) -> Option<Single> {
        let floating = || x86_single::floating(&self.config, form).filter(|_| self.x86_floats());
        floating().or_else(|| x86_single::integer(&self.config, form, same))
    }

    /// A conversion between the lowest element and an integer in a general register.
    fn x86_general(&self, form: VecForm) -> bool {
        let f = Fixed::unpack(form.imm);
        let plain = form.lanes.part == Part::Scalar
            && matches!(form.lanes.log2, 2 | 3)
            && f.signed
            && f.log2 >= 2
            && f.fbits == 0;
        let rounded = matches!(f.rounding, rounding::ZERO | rounding::CURRENT);
        self.x86_floats() && plain && (form.op == VecOp::IntToF || form.op == VecOp::FToInt && rounded)
    }

    fn x86_compares(&self, form: VecForm) -> bool {
        form.op == VecOp::FComi && matches!(form.lanes.log2, 2 | 3) && self.x86_floats()
    }

    /// Whether the result of an operation is the host's flags.
    fn x86_flagged(&self, form: VecForm) -> bool {
        let tests = form.op == VecOp::Test && matches!(form.lanes.log2, 0 | 2 | 3);
        self.x86_compares(form) || tests && form.lanes.part == Part::Full
    }

    /// Whether an operation touches the host's MXCSR here.
    pub(super) fn x86_status(&self, form: VecForm) -> bool {
        self.x86_floats()
            && (x86_single::floating(&self.config, form).is_some()
                || self.x86_general(form)
                || self.x86_compares(form))
    }

    /// Whether [`Lower::x86`] lowers an operation, without a call.
    pub(super) fn x86_native(&self, form: VecForm) -> bool {
        if self.config.mxcsr.is_none() || !self.config.avx2 {
            return false;
        }
        let n = form.lanes.log2;
        self.x86_single(form, false).is_some()
            || self.x86_general(form)
            || self.x86_flagged(form)
            || match form.op {
                VecOp::StringCompare => true,
                VecOp::Merge => form.lanes.part == Part::Scalar && matches!(n, 2 | 3),
                VecOp::MoveMask => form.lanes.part == Part::Full && matches!(n, 0 | 2 | 3),
                VecOp::Permute2 => form.lanes.part == Part::Full && n == 2,
                VecOp::Transpose1 | VecOp::Transpose2 => form.lanes.part == Part::Full && n == 2,
                VecOp::Sha1Rounds
                | VecOp::Sha1Next
                | VecOp::Sha1Message1
                | VecOp::Sha1Message2
                | VecOp::Sha256Rounds
                | VecOp::Sha256Message1
                | VecOp::Sha256Message2 => self.config.sha,
                _ => false,
            }
    }

    /// Lowers an operation of an x86 guest, if there is a form here.
    pub(super) fn x86(&mut self, i: Val, inst: &Inst, form: VecForm) -> bool {
        if form.op == VecOp::Select && self.config.mxcsr.is_some() && self.config.avx2 {
            return self.x86_blend(i, inst);
        }
        if !self.x86_native(form) {
            return false;
        }
        match form.op {
            VecOp::Merge => self.x86_merge(i, inst, form),
            VecOp::MoveMask => self.x86_mask(i, inst, form),
            VecOp::Permute2 => self.x86_permute(i, inst),
            VecOp::FComi | VecOp::Test => self.x86_compare(i, inst, form),
            VecOp::StringCompare => self.x86_string(i, inst, form),
            VecOp::FToInt if form.lanes.part == Part::Scalar => self.x86_to_integer(i, inst, form),
            _ if form.lanes.part == Part::Scalar => self.x86_scalar(i, inst, form),
            _ => match self.x86_single(form, inst.a == inst.b) {
                Some(s) => self.x86_whole(i, inst, s),
                None if matches!(form.op, VecOp::Transpose1 | VecOp::Transpose2) => return false,
                None => self.x86_sha(i, inst, form),
            },
        }
        true
    }

    /// Notes that the operands of an operation are used, all of whose registers are known.
    fn x86_release(&mut self, inst: &Inst) {
        for v in inst.args() {
            self.release(v);
        }
    }

    /// One instruction, whose result may take the place of an operand.
    fn x86_whole(&mut self, i: Val, inst: &Inst, s: Single) {
        let (a, b) = (self.xmm(inst.a), self.xmm(inst.b));
        let c = self.xmm(inst.c);
        self.x86_release(inst);
        match s.shape {
            Shape::Fused(digit) => {
                let d = self.xdef(i, Some(c));
                self.x86_fused(s.vex, digit, d, [a, b, c], c);
            }
            _ => {
                let d = self.xdef(i, Some(a));
                self.x86_emit(s, d, a, b, c);
            }
        }
    }

    fn x86_emit(&mut self, s: Single, d: u8, a: u8, b: u8, c: u8) {
        match s.shape {
            Shape::Binary => self.asm.vex(s.vex, d, a, b),
            Shape::Swapped => self.asm.vex(s.vex, d, b, a),
            Shape::Unary => self.asm.vex1(s.vex, d, a),
            Shape::Reversed => self.asm.vex1(s.vex, a, d),
            Shape::Masked => {
                self.asm.vex(s.vex, d, a, b);
                self.asm.byte(c << 4);
            }
            // The opcode goes on in the reg field.
            Shape::Shift(digit) => self.asm.vex(s.vex, digit, d, a),
            Shape::Fused(_) => self.fail(),
        }
        if let Some(imm) = s.imm {
            self.asm.byte(imm);
        }
    }

    /// `d = a × b + c`, elements above a scalar being those of `m`, which is one of the operands. The order in which NaNs
    /// go first is that of the operands.
    fn x86_fused(&mut self, v: Vex, digit: u8, d: u8, [a, b, c]: [u8; 3], m: u8) {
        let mut to = d;
        if d != m {
            to = if d == a || d == b || d == c { 0 } else { d };
            self.asm.movaps(to, m);
        }
        let (high, x, y) = if m == c {
            (0xB0, a, b)
        } else if m == b {
            (0xA0, a, c)
        } else {
            (0x90, c, b)
        };
        self.asm.vex(v.with_opcode(high | digit), to, x, y);
        if to != d {
            self.asm.movaps(d, to);
        }
    }

    // ---- the lowest element ----

    /// The merge that takes the elements above the scalar result `i`, if nothing else is done with it.
    fn x86_merge_of(&self, i: Val, inst: &Inst, form: VecForm) -> bool {
        let user = self.user[i as usize];
        if user == crate::ir::NONE || user - i > 3 {
            return false;
        }
        let between = &self.code[i as usize + 1..user as usize];
        let merge = &self.code[user as usize];
        let Some(to) = VecForm::unpack(merge.imm).filter(|f| merge.op == Op::Vec && f.op == VecOp::Merge)
        else {
            return false;
        };
        let first = self.root(merge.a);
        let alone = first != i
            && merge.args().filter(|&v| self.root(v) == i).count() == self.uses[i as usize] as usize;
        let result = if form.op == VecOp::FCvt { (form.imm & TO) as u8 } else { form.lanes.log2 };
        let fits = match x86_single::floating(&self.config, form).map(|s| s.shape) {
            Some(Shape::Binary) => self.root(inst.a) == first,
            Some(Shape::Fused(_)) => inst.args().any(|v| self.root(v) == first),
            _ => true,
        };
        alone
            && fits
            && to.lanes == Lanes::scalar(result as u32)
            && between.iter().all(|x| matches!(x.op, Op::Get | Op::Lit))
    }

    /// The operands of a scalar operation in registers.
    fn x86_load(&mut self, inst: &Inst, form: VecForm) -> Loaded {
        if form.op == VecOp::IntToF {
            let r = self.root(inst.a);
            if self.loc[r as usize] == Loc::Deferred {
                let general = self.reg(self.code[r as usize].a);
                return Loaded { a: 0, b: 0, c: 0, general };
            }
            let a = self.xmm(inst.a);
            self.asm.movq_from_xmm(true, reg::RAX, a);
            return Loaded { a: 0, b: 0, c: 0, general: reg::RAX };
        }
        Loaded { a: self.xmm(inst.a), b: self.xmm(inst.b), c: self.xmm(inst.c), general: 0 }
    }

    /// A scalar operation whose elements above the lowest are those of `m`.
    fn x86_low(&mut self, form: VecForm, d: u8, v: &Loaded, m: u8) {
        if form.op == VecOp::IntToF {
            let wide = Fixed::unpack(form.imm).log2 == 3;
            self.asm.vex(coded(1, Self::prefix(form), 0x2A, wide), d, m, v.general);
            return;
        }
        let Some(s) = x86_single::floating(&self.config, form) else {
            self.fail();
            return;
        };
        match s.shape {
            Shape::Unary => {
                self.asm.vex(s.vex, d, m, v.a);
                if let Some(imm) = s.imm {
                    self.asm.byte(imm);
                }
            }
            Shape::Fused(digit) => self.x86_fused(s.vex, digit, d, [v.a, v.b, v.c], m),
            _ => self.x86_emit(s, d, v.a, v.b, v.c),
        }
    }

    fn x86_scalar(&mut self, i: Val, inst: &Inst, form: VecForm) {
        if self.x86_merge_of(i, inst, form) {
            self.loc[i as usize] = Loc::Deferred;
            return;
        }
        let v = self.x86_load(inst, form);
        let result = if form.op == VecOp::FCvt { form.imm & TO } else { form.lanes.log2 as u32 };
        let d = self.xdef(i, None);
        // Into XMM0 with whatever is above, and from there without.
        let m = match x86_single::floating(&self.config, form).map(|s| s.shape) {
            Some(Shape::Binary | Shape::Fused(_)) => v.a,
            _ => 0,
        };
        self.x86_low(form, 0, &v, m);
        self.fp_trim(VecForm { lanes: Lanes::scalar(result), ..form }, d, 0);
        self.x86_release(inst);
    }

    fn x86_merge(&mut self, i: Val, inst: &Inst, form: VecForm) {
        let r = self.root(inst.b);
        let m = self.xmm(inst.a);
        if self.loc[r as usize] == Loc::Deferred {
            let low = self.code[r as usize];
            let Some(form) = VecForm::unpack(low.imm) else {
                self.fail();
                return;
            };
            let v = self.x86_load(&low, form);
            self.x86_release(inst);
            let d = self.xdef(i, Some(m));
            self.x86_low(form, d, &v, m);
            return;
        }
        let b = self.xmm(inst.b);
        self.x86_release(inst);
        let d = self.xdef(i, Some(m));
        self.asm.vex(if form.lanes.log2 == 3 { MOVSD } else { MOVSS }, d, m, b);
    }

    /// Leaves moving a general register to the conversion that is all that happens to the vector `i`.
    pub(super) fn x86_defer_integer(&mut self, i: Val, inst: &Inst) -> bool {
        let user = self.user[i as usize];
        if self.config.mxcsr.is_none() || user == crate::ir::NONE {
            return false;
        }
        let taken = &self.code[user as usize];
        let form = VecForm::unpack(taken.imm).filter(|f| taken.op == Op::Vec && f.op == VecOp::IntToF);
        let alone = taken.args().filter(|&v| self.root(v) == i).count() == self.uses[i as usize] as usize;
        let held = matches!(self.loc[self.root(inst.a) as usize], Loc::Xmm(_) | Loc::XPin(_));
        let yes = alone && !held && form.is_some_and(|f| self.x86_general(f)) && inst.ty == Ty::V128;
        if yes {
            self.loc[i as usize] = Loc::Deferred;
        }
        yes
    }

    /// CVTTSD2SI and its kin: what does not fit gives the host's indefinite integer, which is the guest's.
    fn x86_to_integer(&mut self, i: Val, inst: &Inst, form: VecForm) {
        let f = Fixed::unpack(form.imm);
        let a = self.xmm(inst.a);
        let general = self.fp_general(i);
        let opcode = if f.rounding == rounding::ZERO { 0x2C } else { 0x2D };
        let d = general.unwrap_or(reg::RAX);
        self.asm.vex1(coded(1, Self::prefix(form), opcode, f.log2 == 3), d, a);
        self.x86_release(inst);
        match general {
            Some(d) => self.set_reg(i, d),
            None => {
                let x = self.xdef(i, None);
                self.asm.movq_to_xmm(true, x, d);
            }
        }
    }

    /// COMISS, PTEST and their kin. Their flags are the host's, for whoever takes them next.
    fn x86_compare(&mut self, i: Val, inst: &Inst, form: VecForm) {
        let user = self.user[i as usize];
        let lane = |x: &Inst| x.op == Op::Lane && x.ty == Ty::I32 && x.sub == 0;
        if user == i + 1 && lane(&self.code[user as usize]) {
            self.loc[i as usize] = Loc::Deferred;
            return;
        }
        self.clobber();
        self.x86_comi(inst, form);
        self.x86_release(inst);
        if self.uses[i as usize] > 0 {
            let x = self.xdef(i, None);
            self.x86_stored();
            self.asm.movq_to_xmm(false, x, reg::RAX);
        }
    }

    /// RAX = the host's flags in stored form: LAHF, SETO.
    fn x86_stored(&mut self) {
        self.asm.byte(0x9F);
        self.asm.setcc(super::Cc::O, reg::RAX);
        self.asm.alu_imm(super::asm::Alu::And, false, reg::RAX, self.config.flag_bits as i32);
    }

    fn x86_comi(&mut self, inst: &Inst, form: VecForm) {
        let (a, b) = (self.xmm(inst.a), self.xmm(inst.b));
        let n = form.lanes.log2;
        let vex = match (form.op, n) {
            (VecOp::Test, 0) => PTEST,
            // VTESTPS, VTESTPD
            (VecOp::Test, _) => coded(2, 0x66, 0x0C + n, false),
            _ => coded(1, if n == 3 { 0x66 } else { 0 }, 0x2E | form.imm as u8 & 1, false),
        };
        self.asm.vex1(vex, a, b);
    }

    /// Taking the flags of a comparison that was left for this.
    pub(super) fn x86_flags(&mut self, i: Val, inst: &Inst) -> bool {
        let r = self.root(inst.a);
        let made = self.code[r as usize];
        let form = VecForm::unpack(made.imm).filter(|f| made.op == Op::Vec && self.x86_flagged(*f));
        let Some(form) = form.filter(|_| self.loc[r as usize] == Loc::Deferred) else { return false };
        self.clobber();
        self.x86_comi(&made, form);
        self.release(inst.a);
        self.host_flags = Some((i, false));
        self.loc[i as usize] = Loc::Flags;
        true
    }

    // ---- more than one instruction, or not all in vector registers ----

    fn x86_mask(&mut self, i: Val, inst: &Inst, form: VecForm) {
        let a = self.xmm(inst.a);
        let general = self.fp_general(i);
        let vex = match form.lanes.log2 {
            0 => coded(1, 0x66, 0xD7, false),
            2 => coded(1, 0, 0x50, false),
            _ => coded(1, 0x66, 0x50, false),
        };
        let d = general.unwrap_or(reg::RAX);
        self.asm.vex1(vex, d, a);
        self.x86_release(inst);
        match general {
            Some(d) => self.set_reg(i, d),
            None => {
                let x = self.xdef(i, None);
                self.asm.movq_to_xmm(false, x, d);
            }
        }
    }

    /// PCMPISTRI and its kin.
    fn x86_string(&mut self, i: Val, inst: &Inst, form: VecForm) {
        let (explicit, mask) = (form.imm & 1 << 8 != 0, form.imm & 1 << 9 != 0);
        self.clobber();
        self.take(reg::RCX);
        if explicit {
            self.take(reg::RDX);
        }
        let (a, b, c) = (self.xmm(inst.a), self.xmm(inst.b), self.xmm(inst.c));
        if explicit {
            self.asm.movq_from_xmm(false, reg::RAX, c);
            self.asm.sse_imm_gpr(&[0x3A, 0x16], false, c, reg::RDX, 1);
        }
        let opcode = 0x60 | !mask as u8 | (!explicit as u8) << 1;
        self.asm.vex1_imm(coded(3, 0x66, opcode, false), a, b, form.imm as u8);
        self.x86_release(inst);
        let d = self.xdef(i, None);
        if mask {
            // It is in XMM0.
            self.asm.movaps(d, 0);
        } else {
            self.asm.movq_to_xmm(false, d, reg::RCX);
            self.x86_stored();
            self.asm.sse_imm_gpr(&[0x3A, 0x22], false, d, reg::RAX, 1);
        }
    }

    /// VPERMD's half: each half of the source by two bits of the indices, and the third bit chooses.
    fn x86_permute(&mut self, i: Val, inst: &Inst) {
        let (a, b, c) = (self.xmm(inst.a), self.xmm(inst.b), self.xmm(inst.c));
        let d = self.xdef(i, None);
        self.asm.vex(PERMILPS, 0, a, c);
        self.asm.vex(PERMILPS, 1, b, c);
        self.asm.vshift(VShift::Sll, 2, d, c, 29);
        self.asm.vex_imm(BLENDVPS, d, 0, 1, d << 4);
        self.x86_release(inst);
    }

    /// A selection by a constant of words, or by any mask.
    fn x86_blend(&mut self, i: Val, inst: &Inst) -> bool {
        let mask = self.code[self.root(inst.c) as usize];
        let word = |w: u32| (mask.wide() >> (16 * w)) as u16;
        if mask.op != Op::Lit || (0..8).any(|w| !matches!(word(w), 0 | 0xFFFF)) {
            return false;
        }
        let bits = (0..8).fold(0u8, |m, w| m | (word(w) as u8 & 1) << w);
        let (a, b) = (self.xmm(inst.a), self.xmm(inst.b));
        self.x86_release(inst);
        let d = self.xdef(i, Some(a));
        let double = |k: u8| bits >> (2 * k) & 3;
        if (0..4).all(|k| matches!(double(k), 0 | 3)) {
            let imm = (0..4).fold(0, |m, k| m | (double(k) & 1) << k);
            self.asm.vex_imm(PBLENDD, d, b, a, imm);
        } else {
            self.asm.vex_imm(PBLENDW, d, b, a, bits);
        }
        true
    }

    /// SHA, whose instructions have two operands.
    fn x86_sha(&mut self, i: Val, inst: &Inst, form: VecForm) {
        let (a, b, c) = (self.xmm(inst.a), self.xmm(inst.b), self.xmm(inst.c));
        let d = self.xdef(i, None);
        self.asm.movaps(d, a);
        match form.op {
            VecOp::Sha1Rounds => self.asm.sse_imm(0, &[0x3A, 0xCC], d, b, form.imm as u8 & 3),
            VecOp::Sha1Next => self.asm.sse(0, &[0x38, 0xC8], d, b),
            VecOp::Sha1Message1 => self.asm.sse(0, &[0x38, 0xC9], d, b),
            VecOp::Sha1Message2 => self.asm.sse(0, &[0x38, 0xCA], d, b),
            VecOp::Sha256Rounds => {
                self.asm.movaps(0, c);
                self.asm.sse(0, &[0x38, 0xCB], d, b);
            }
            VecOp::Sha256Message1 => self.asm.sse(0, &[0x38, 0xCC], d, b),
            _ => self.asm.sse(0, &[0x38, 0xCD], d, b),
        }
        self.x86_release(inst);
    }
}
