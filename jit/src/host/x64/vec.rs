//! Lowering of vector operations. Those without a native form call their evaluator, with operands and result in the
//! register file.

use super::Lower;
use super::alloc::Loc;
use super::asm::{file, reg};
use crate::ir::{Inst, Ty, Val, VecForm};
use crate::words;

impl Lower {
    pub(super) fn vec(&mut self, i: Val, inst: &Inst) {
        if let Some(form) = VecForm::unpack(inst.imm)
            && (self.x86(i, inst, form) || self.simd(i, inst, form) || self.fp(i, inst, form))
        {
            return;
        }
        self.clobber();
        self.evacuate_home(self.config.status, 4, crate::ir::NONE);
        for (n, a) in inst.args().enumerate() {
            // Unused operands repeat the first.
            if n == 0 || a != inst.a || n == 1 && inst.b != inst.a {
                let x = self.xmm(a);
                self.asm.movups_store(file(words::vector(n as u16).offset()), x);
            } else {
                let x = self.xmm(inst.a);
                self.asm.movups_store(file(words::vector(n as u16).offset()), x);
            }
            self.unlock();
        }
        self.release_operands(inst);
        self.xflush();
        self.save_xpins();
        self.asm.mov_imm(reg::RAX, inst.imm);
        self.asm.call_to(self.config.stubs.vec);
        self.load_xpins();
        let x = self.xdef(i, None);
        self.asm.movups_load(x, file(words::vector(3).offset()));
    }

    pub(super) fn select_wide(&mut self, i: Val, inst: &Inst) {
        let t = self.xmm(inst.b);
        let f = self.xmm(inst.c);
        let cc = self.consume(inst.a);
        self.release(inst.b);
        self.release(inst.c);
        let d = self.xdef(i, None);
        let over = self.asm.label();
        self.asm.movaps(0, t);
        self.asm.jcc(cc, over);
        self.asm.movaps(0, f);
        self.asm.bind(over);
        self.asm.movaps(d, 0);
        self.host_flags = None;
    }

    pub(super) fn lane(&mut self, i: Val, inst: &Inst) {
        if let Loc::Reg(h) = self.loc[self.root(inst.a) as usize] {
            // A scalar result that was made in a general register.
            self.release(inst.a);
            let d = self.def(i, Some(h));
            if d != h || inst.ty == Ty::I32 {
                self.asm.mov(inst.ty == Ty::I64, d, h);
            }
            return;
        }
        if self.x86_flags(i, inst) || self.defer_lane(i, inst) {
            return;
        }
        let x = self.xmm(inst.a);
        self.release(inst.a);
        let d = self.def(i, None);
        let n = inst.sub as u8;
        match inst.ty {
            Ty::I8 => self.asm.sse_imm_gpr(&[0x3A, 0x14], false, x, d, n),
            Ty::I16 => self.asm.sse_imm_gpr(&[0x3A, 0x15], false, x, d, n),
            Ty::I32 if n == 0 => self.asm.movq_from_xmm(false, d, x),
            Ty::I32 => self.asm.sse_imm_gpr(&[0x3A, 0x16], false, x, d, n),
            Ty::I64 if n == 0 => self.asm.movq_from_xmm(true, d, x),
            Ty::I64 => self.asm.sse_imm_gpr(&[0x3A, 0x16], true, x, d, n),
            Ty::I1 | Ty::V128 => self.fail(),
        }
    }

    pub(super) fn set_lane(&mut self, i: Val, inst: &Inst) {
        let ty = self.code[inst.b as usize].ty;
        let s = self.reg(inst.b);
        let x = self.xmm(inst.a);
        self.release(inst.a);
        self.release(inst.b);
        let d = self.xdef(i, Some(x));
        if d != x {
            self.asm.movaps(d, x);
        }
        let n = inst.sub as u8;
        match ty {
            Ty::I8 => self.asm.sse_imm_gpr(&[0x3A, 0x20], false, d, s, n),
            Ty::I16 => self.asm.sse_imm_gpr(&[0xC4], false, d, s, n),
            Ty::I32 => self.asm.sse_imm_gpr(&[0x3A, 0x22], false, d, s, n),
            Ty::I64 => self.asm.sse_imm_gpr(&[0x3A, 0x22], true, d, s, n),
            Ty::I1 | Ty::V128 => self.fail(),
        }
    }

    /// A general register with zeros above the low 32 bits, or all 64, for moving to an xmm register.
    fn zeroed(&mut self, v: Val) -> (u8, bool) {
        let s = self.reg(v);
        let bits = self.view_bits(v);
        if bits < 32 && self.clean[self.root(v) as usize] as u32 > bits {
            self.asm.zext(bits, reg::RAX, s);
            return (reg::RAX, false);
        }
        (s, bits == 64)
    }

    pub(super) fn vec_of(&mut self, i: Val, inst: &Inst) {
        if self.x86_defer_integer(i, inst) {
            return;
        }
        if let Loc::Xmm(x) | Loc::XPin(x) = self.loc[self.root(inst.a) as usize] {
            // What was loaded for this alone.
            self.release(inst.a);
            let d = self.xdef(i, Some(x));
            if d != x {
                self.asm.movaps(d, x);
            }
            return;
        }
        let (s, wide) = self.zeroed(inst.a);
        self.release(inst.a);
        let d = self.xdef(i, None);
        self.asm.movq_to_xmm(wide, d, s);
    }

    pub(super) fn dup(&mut self, i: Val, inst: &Inst) {
        let (s, wide) = self.zeroed(inst.a);
        let ty = self.code[inst.a as usize].ty;
        self.release(inst.a);
        let d = self.xdef(i, None);
        self.asm.movq_to_xmm(wide, d, s);
        match ty {
            Ty::I8 => {
                self.asm.sse(0x66, &[0xEF], 0, 0);
                self.asm.sse(0x66, &[0x38, 0x00], d, 0);
            }
            Ty::I16 => {
                self.asm.sse_imm(0xF2, &[0x70], d, d, 0);
                self.asm.sse(0x66, &[0x6C], d, d);
            }
            Ty::I32 => self.asm.sse_imm(0x66, &[0x70], d, d, 0),
            Ty::I64 => self.asm.sse(0x66, &[0x6C], d, d),
            Ty::I1 | Ty::V128 => self.fail(),
        }
        if inst.sub == 0 {
            self.asm.movq_low(d, d);
        }
    }
}
