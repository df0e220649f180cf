//! Lowering of slots and integer operations.
//!
//! Values narrower than 64 bits are zero extended in their registers, except views of wider values and reads of pinned
//! slots, whose upper bits operations must not see.

use super::Lower;
use super::alloc::{Loc, Operand};
use super::asm::{Alu, Cc, Shift, file, reg};
use crate::ir::flags::flag_of;
use crate::ir::{Inst, Op, Ty, Val};
use crate::words;
use lyrebird_cpu::op::{Bin, FlagOp, Un};

impl Lower {
    /// Arithmetic with whatever the second operand is.
    pub(super) fn alu(&mut self, op: Alu, wide: bool, d: u8, b: Operand) {
        match b {
            Operand::Reg(s) => self.asm.alu(op, wide, d, s),
            Operand::Mem(m) => self.asm.alu_mem(op, wide, d, m),
            Operand::Imm(x) => self.asm.alu_imm(op, wide, d, x),
        }
    }

    pub(super) fn get(&mut self, i: Val, inst: &Inst) {
        if self.x87_slot(Some(i), inst.imm) {
            return;
        }
        if inst.imm == self.config.status as u64 && self.x86_floats() {
            self.mxcsr_flags();
            self.loc[i as usize] = Loc::Home(inst.imm as u16);
            self.homes.push(i);
            self.reg(i);
            return;
        }
        match self.pin_of(inst.imm) {
            Some(h) => {
                self.loc[i as usize] = Loc::Pin(h);
                self.aliases[h as usize].push(i);
                // A byte above the lowest is shifted down.
                if inst.imm & 7 != 0 {
                    self.fail();
                }
            }
            None if let Some(x) = self.xpin_of(inst.imm) => {
                self.loc[i as usize] = Loc::XPin(x);
                self.aliases[16 + x as usize].push(i);
            }
            None => {
                self.loc[i as usize] = Loc::Home(inst.imm as u16);
                self.homes.push(i);
            }
        }
    }

    pub(super) fn put(&mut self, inst: &Inst) {
        self.x87_slot(None, inst.imm);
        if self.put_flags(inst) {
            return;
        }
        let offset = inst.imm as u16;
        if let Some(h) = self.pin_of(inst.imm) {
            self.put_pin(h, inst);
            return;
        }
        if let Some(x) = self.xpin_of(inst.imm) {
            self.put_xpin(x, inst);
            return;
        }
        if inst.ty == Ty::V128 {
            let x = self.xmm(inst.a);
            self.evacuate_home(offset, 16, self.root(inst.a));
            self.asm.movups_store(file(offset), x);
            self.release(inst.a);
            return;
        }
        let bytes = inst.ty.bytes();
        self.evacuate_home(offset, bytes as u16, u32::MAX);
        let r = self.root(inst.a);
        if self.loc[r as usize] == Loc::Lit && bytes >= 4 {
            let x = self.code[r as usize].imm;
            let fits = bytes == 4 || x as i64 == x as i32 as i64;
            if fits {
                self.asm.mov_mem_imm(bytes == 8, file(offset), x as i32);
                self.release(inst.a);
                return;
            }
        }
        let mut s = self.reg(inst.a);
        if bytes == 8 && self.clean[r as usize] as u32 > self.view_bits(inst.a) {
            self.asm.zext(self.view_bits(inst.a), reg::RAX, s);
            s = reg::RAX;
        }
        self.asm.store(bytes, file(offset), s);
        self.release(inst.a);
    }

    fn put_pin(&mut self, h: u8, inst: &Inst) {
        if inst.ty != Ty::I64 {
            // Guests write pinned slots whole.
            self.fail();
            return;
        }
        let r = self.root(inst.a);
        self.dirty |= 1 << self.pin_number(h);
        if self.loc[r as usize] == Loc::Pin(h) {
            self.release(inst.a);
            return;
        }
        self.evacuate(h, u32::MAX);
        if self.loc[r as usize] == Loc::Lit {
            self.asm.mov_imm(h, self.code[r as usize].imm);
            self.release(inst.a);
            return;
        }
        if let Loc::Home(offset) = self.loc[r as usize] {
            self.asm.load(self.code[r as usize].ty.bytes(), h, file(offset));
        } else {
            let s = self.reg(inst.a);
            self.asm.mov(true, h, s);
        }
        self.release(inst.a);
        // From now on the pin serves the value's other users.
        if let Loc::Reg(s) = self.loc[r as usize] {
            self.owner[s as usize] = u32::MAX;
            self.loc[r as usize] = Loc::Pin(h);
            self.aliases[h as usize].push(r);
        }
    }

    fn put_xpin(&mut self, x: u8, inst: &Inst) {
        let r = self.root(inst.a);
        self.dirty |= self.pin_bit(inst.imm);
        if self.loc[r as usize] == Loc::XPin(x) {
            self.release(inst.a);
            return;
        }
        self.evacuate_vector(x);
        match self.loc[r as usize] {
            Loc::Home(offset) => self.asm.movups_load(x, file(offset)),
            Loc::Lit => self.wide_literal(x, self.code[r as usize].wide()),
            _ => {
                let s = self.xmm(inst.a);
                self.asm.movaps(x, s);
            }
        }
        self.release(inst.a);
        // From now on the pin serves the value's other users.
        if let Loc::Xmm(s) = self.loc[r as usize] {
            self.xowner[s as usize] = u32::MAX;
            self.loc[r as usize] = Loc::XPin(x);
            self.aliases[16 + x as usize].push(r);
        }
    }

    pub(super) fn page(&mut self, i: Val, inst: &Inst) {
        self.clobber();
        let d = self.def(i, None);
        self.asm.load(8, d, file(words::PAGE.offset()));
        self.add_constant(d, inst.imm);
    }

    /// d += x; flags are clobbered.
    pub(super) fn add_constant(&mut self, d: u8, x: u64) {
        if x == 0 {
        } else if x as i64 == x as i32 as i64 {
            self.asm.alu_imm(Alu::Add, true, d, x as i32);
        } else {
            let t = self.temp();
            self.asm.mov_imm(t, x);
            self.asm.alu(Alu::Add, true, d, t);
        }
    }

    /// A register with the value zero extended, which may be `v`'s own or RAX.
    pub(super) fn cleaned(&mut self, v: Val) -> u8 {
        let s = self.reg(v);
        let bits = self.view_bits(v);
        if self.clean[self.root(v) as usize] as u32 > bits {
            self.asm.zext(bits, reg::RAX, s);
            return reg::RAX;
        }
        s
    }

    pub(super) fn zext(&mut self, i: Val, inst: &Inst) {
        let s = self.reg(inst.a);
        self.release(inst.a);
        let d = self.def(i, Some(s));
        self.asm.zext(self.view_bits(inst.a), d, s);
    }

    pub(super) fn sext(&mut self, i: Val, inst: &Inst) {
        let bits = self.view_bits(inst.a);
        if bits == 1 {
            self.clobber();
        }
        let s = self.reg(inst.a);
        self.release(inst.a);
        let d = self.def(i, Some(s));
        if bits == 1 {
            self.asm.zext(8, d, s);
            self.asm.neg(true, d);
        } else {
            self.asm.sext(bits, inst.ty == Ty::I64, d, s);
        }
        if inst.ty.bits() < 64 {
            self.asm.zext(inst.ty.bits().max(8), d, d);
        }
    }

    pub(super) fn un(&mut self, i: Val, inst: &Inst) {
        self.clobber();
        let n = inst.ty.bits();
        let wide = n == 64;
        let op = Un::ALL[inst.sub as usize % Un::ALL.len()];
        let s = if n < 32 { self.cleaned(inst.a) } else { self.reg(inst.a) };
        self.release(inst.a);
        let d = self.def(i, Some(s));
        match op {
            Un::Not | Un::Neg => {
                if d != s {
                    self.asm.mov(wide, d, s);
                }
                if op == Un::Not {
                    self.asm.not(wide, d)
                } else {
                    self.asm.neg(wide, d)
                }
                if n < 32 {
                    self.asm.alu_imm(Alu::And, false, d, inst.ty.mask() as i32);
                }
            }
            Un::Clz if n >= 32 => self.asm.count(0xBD, wide, d, s),
            Un::Ctz if n >= 32 => self.asm.count(0xBC, wide, d, s),
            Un::Popcnt => self.asm.count(0xB8, wide, d, s),
            Un::Bswap if n >= 32 => {
                if d != s {
                    self.asm.mov(wide, d, s);
                }
                self.asm.bswap(wide, d);
            }
            Un::Rev32 if wide => {
                if d != s {
                    self.asm.mov(true, d, s);
                }
                self.asm.bswap(true, d);
                self.asm.shift_imm(Shift::Ror, true, d, 32);
            }
            Un::Rev16 => {
                let t = self.temp();
                self.asm.mov(true, t, s);
                self.asm.shift_imm(Shift::Shr, true, t, 8);
                self.asm.mov_imm(reg::RAX, 0x00FF_00FF_00FF_00FF);
                self.asm.alu(Alu::And, true, t, reg::RAX);
                self.asm.alu(Alu::And, true, reg::RAX, s);
                self.asm.shift_imm(Shift::Shl, true, reg::RAX, 8);
                self.asm.alu(Alu::Or, true, reg::RAX, t);
                self.asm.mov(wide, d, reg::RAX);
            }
            Un::Cls if n >= 32 => {
                // The sign bit is made to differ from nothing: leading zeros of x ^ (x >> 1), less the sign bit.
                self.asm.mov(wide, reg::RAX, s);
                self.asm.shift_imm(Shift::Sar, wide, reg::RAX, 1);
                self.asm.alu(Alu::Xor, wide, reg::RAX, s);
                self.asm.count(0xBD, wide, d, reg::RAX);
                self.asm.alu_imm(Alu::Sub, false, d, 1);
            }
            Un::Rbit if n >= 32 => {
                self.asm.mov(wide, reg::RAX, s);
                let t = self.temp();
                let masks: [(u64, u8); 3] =
                    [(0x5555_5555_5555_5555, 1), (0x3333_3333_3333_3333, 2), (0x0F0F_0F0F_0F0F_0F0F, 4)];
                let m = self.temp();
                for (mask, k) in masks {
                    self.asm.mov_imm(m, if wide { mask } else { mask & 0xFFFF_FFFF });
                    self.asm.mov(wide, t, reg::RAX);
                    self.asm.shift_imm(Shift::Shr, wide, t, k);
                    self.asm.alu(Alu::And, wide, t, m);
                    self.asm.alu(Alu::And, wide, reg::RAX, m);
                    self.asm.shift_imm(Shift::Shl, wide, reg::RAX, k);
                    self.asm.alu(Alu::Or, wide, reg::RAX, t);
                }
                self.asm.bswap(wide, reg::RAX);
                self.asm.mov(wide, d, reg::RAX);
            }
            _ => self.fail(),
        }
    }

    pub(super) fn bin(&mut self, i: Val, inst: &Inst) {
        let n = inst.ty.bits();
        let wide = n == 64;
        let op = Bin::ALL[inst.sub as usize % Bin::ALL.len()];
        if self.defer_address(i, inst, op) || self.defer_mask(i, inst, op) {
            return;
        }
        self.clobber();
        match op {
            Bin::Add | Bin::Sub | Bin::And | Bin::Or | Bin::Xor => self.arithmetic(i, inst, op),
            Bin::AndNot => {
                let a = self.reg(inst.a);
                let b = self.reg(inst.b);
                self.release(inst.a);
                self.release(inst.b);
                let d = self.def(i, Some(a));
                self.asm.mov(wide, reg::RAX, b);
                self.asm.not(wide, reg::RAX);
                if d != a {
                    self.asm.mov(wide, d, a);
                }
                self.asm.alu(Alu::And, wide, d, reg::RAX);
                self.narrow(d, inst.ty);
            }
            Bin::Mul => {
                let a = self.reg(inst.a);
                let b = self.reg(inst.b);
                self.release(inst.a);
                self.release(inst.b);
                let d = self.def(i, Some(a));
                let (a, b) = if d == b { (b, a) } else { (a, b) };
                if d != a {
                    self.asm.mov(wide, d, a);
                }
                self.asm.imul(wide, d, b);
                self.narrow(d, inst.ty);
            }
            Bin::MulHiU | Bin::MulHiS if wide => {
                self.take(reg::RDX);
                let a = self.reg(inst.a);
                let b = self.reg(inst.b);
                self.asm.mov(true, reg::RAX, a);
                self.asm.mul_wide(op == Bin::MulHiS, b);
                self.release(inst.a);
                self.release(inst.b);
                let d = self.def(i, Some(reg::RDX));
                if d != reg::RDX {
                    self.asm.mov(true, d, reg::RDX);
                }
            }
            Bin::MulHiU | Bin::MulHiS => {
                let a = self.reg(inst.a);
                let b = self.reg(inst.b);
                let t = self.temp();
                if op == Bin::MulHiS {
                    self.asm.sext(n, true, reg::RAX, a);
                    self.asm.sext(n, true, t, b);
                } else {
                    self.asm.zext(n, reg::RAX, a);
                    self.asm.zext(n, t, b);
                }
                self.asm.imul(true, reg::RAX, t);
                self.asm.shift_imm(Shift::Shr, true, reg::RAX, n as u8);
                self.release(inst.a);
                self.release(inst.b);
                let d = self.def(i, None);
                self.asm.zext(n, d, reg::RAX);
            }
            Bin::UDiv | Bin::SDiv if n >= 32 => self.divide(i, inst, op == Bin::SDiv, wide),
            Bin::Shl | Bin::Shr | Bin::Sar | Bin::Ror => self.shift(i, inst, op),
            _ => self.fail(),
        }
    }

    /// Zeros above a narrow result.
    fn narrow(&mut self, d: u8, ty: Ty) {
        if matches!(ty, Ty::I8 | Ty::I16) {
            self.asm.zext(ty.bits(), d, d);
        }
    }

    pub(super) fn arithmetic(&mut self, i: Val, inst: &Inst, op: Bin) {
        let wide = inst.ty.bits() == 64;
        let fuse = self.fuse[i as usize];
        let a = self.reg(inst.a);
        let b = self.operand(inst.b, wide);
        let alu = match op {
            Bin::Add => Alu::Add,
            Bin::Sub => Alu::Sub,
            Bin::And => Alu::And,
            Bin::Or => Alu::Or,
            _ => Alu::Xor,
        };
        if fuse != u32::MAX && self.is_logic(fuse) && self.only_flags(i) {
            self.test_operand(wide, a, b);
            self.release(inst.a);
            self.release(inst.b);
            self.host_flags = Some((fuse, false));
            return;
        }
        self.release(inst.a);
        self.release(inst.b);
        let d = self.def(i, Some(a));
        let lea = op == Bin::Add && fuse == u32::MAX && d != a;
        match b {
            Operand::Imm(x) if lea => {
                self.asm.lea(wide, d, super::asm::Mem { base: a, index: None, disp: x });
            }
            Operand::Imm(x) if op == Bin::Sub && fuse == u32::MAX && d != a && x != i32::MIN => {
                self.asm.lea(wide, d, super::asm::Mem { base: a, index: None, disp: -x });
            }
            Operand::Reg(s) if lea && d != s => {
                self.asm.lea(wide, d, super::asm::Mem { base: a, index: Some(s), disp: 0 });
            }
            Operand::Reg(s) if d == s && d != a => {
                if op == Bin::Sub {
                    self.asm.mov(wide, reg::RAX, a);
                    self.asm.alu(alu, wide, reg::RAX, s);
                    self.asm.mov(wide, d, reg::RAX);
                } else {
                    self.asm.alu(alu, wide, d, a);
                }
            }
            b => {
                if d != a {
                    self.asm.mov(wide, d, a);
                }
                self.alu(alu, wide, d, b);
                if !wide && d == a && matches!(b, Operand::Imm(0)) {
                    self.asm.mov(false, d, d);
                }
            }
        }
        if fuse != u32::MAX {
            let flags = &self.code[fuse as usize];
            let inverted = flags.op == Op::Flags && flag_of(flags.sub) == FlagOp::Sub;
            self.host_flags = Some((fuse, inverted));
        }
        if matches!(inst.ty, Ty::I8 | Ty::I16) && matches!(op, Bin::Add | Bin::Sub) || self.unclean(inst) {
            self.narrow(d, inst.ty);
        }
        if inst.ty == Ty::I1 {
            self.asm.alu_imm(Alu::And, false, d, 1);
        }
    }

    /// Whether bits above a narrow type may have come in with the operands.
    fn unclean(&self, inst: &Inst) -> bool {
        inst.ty.bits() < 32
            && [inst.a, inst.b].iter().any(|&v| self.clean[self.root(v) as usize] as u32 > inst.ty.bits())
    }

    fn divide(&mut self, i: Val, inst: &Inst, signed: bool, wide: bool) {
        self.take(reg::RDX);
        let a = self.reg(inst.a);
        let b = self.reg(inst.b);
        let divisor = self.temp();
        self.asm.mov(wide, divisor, b);
        self.asm.mov(wide, reg::RAX, a);
        self.release(inst.a);
        self.release(inst.b);
        let (zero, done) = (self.asm.label(), self.asm.label());
        self.asm.test(wide, divisor, divisor);
        self.asm.jcc(Cc::E, zero);
        if signed {
            // The minimum by -1 would trap on the host; by -1 the quotient is the negation.
            let plain = self.asm.label();
            self.asm.alu_imm(Alu::Cmp, wide, divisor, -1);
            self.asm.jcc(Cc::NE, plain);
            self.asm.neg(wide, reg::RAX);
            self.asm.jmp(done);
            self.asm.bind(plain);
            if wide {
                self.asm.byte(0x48);
            }
            self.asm.byte(0x99);
        } else {
            self.asm.mov_imm(reg::RDX, 0);
        }
        self.asm.div(signed, wide, divisor);
        self.asm.jmp(done);
        self.asm.bind(zero);
        self.asm.mov_imm(reg::RAX, 0);
        self.asm.bind(done);
        let d = self.def(i, None);
        self.asm.mov(wide, d, reg::RAX);
    }

    /// Shifts and rotates of 8 or 16 bits by less than that.
    fn narrow_shift(&mut self, i: Val, inst: &Inst, op: Shift) {
        let n = inst.ty.bits();
        if n < 8 {
            self.fail();
            return;
        }
        let count = self.code[self.root(inst.b) as usize];
        let k = (count.op == Op::Lit).then_some((count.imm & (n as u64 - 1)) as u8);
        if k.is_none() {
            self.take(reg::RCX);
        }
        let a = self.reg(inst.a);
        if k.is_none() {
            let b = self.reg(inst.b);
            self.asm.mov(false, reg::RAX, a);
            self.asm.mov(false, reg::RCX, b);
            self.asm.alu_imm(Alu::And, false, reg::RCX, n as i32 - 1);
        } else {
            self.asm.mov(false, reg::RAX, a);
        }
        let number = match op {
            Shift::Shl => 4,
            Shift::Shr => 5,
            Shift::Sar => 7,
            Shift::Ror => 1,
        };
        self.asm.shift_sized(number, n, reg::RAX, k);
        self.release(inst.a);
        self.release(inst.b);
        let d = self.def(i, None);
        self.asm.zext(n, d, reg::RAX);
    }

    fn shift(&mut self, i: Val, inst: &Inst, op: Bin) {
        let n = inst.ty.bits();
        let wide = n == 64;
        let host = match op {
            Bin::Shl => Shift::Shl,
            Bin::Shr => Shift::Shr,
            Bin::Sar => Shift::Sar,
            _ => Shift::Ror,
        };
        if n < 32 {
            self.narrow_shift(i, inst, host);
            return;
        }
        let rb = self.root(inst.b);
        if self.loc[rb as usize] == Loc::Lit {
            let k = (self.code[rb as usize].imm & (n as u64 - 1)) as u8;
            let a = self.reg(inst.a);
            self.release(inst.a);
            self.release(inst.b);
            let d = self.def(i, Some(a));
            if d != a {
                self.asm.mov(wide, d, a);
            }
            self.asm.shift_imm(host, wide, d, k);
            return;
        }
        if host == Shift::Ror {
            self.take(reg::RCX);
            let b = self.reg(inst.b);
            let a = self.reg(inst.a);
            self.asm.mov(false, reg::RCX, b);
            self.asm.mov(wide, reg::RAX, a);
            self.asm.shift_cl(host, wide, reg::RAX);
            self.release(inst.a);
            self.release(inst.b);
            let d = self.def(i, None);
            self.asm.mov(wide, d, reg::RAX);
            return;
        }
        let a = self.reg(inst.a);
        let b = self.reg(inst.b);
        self.release(inst.a);
        self.release(inst.b);
        let d = self.def(i, Some(a));
        self.asm.shift_x(host, wide, d, a, b);
    }
}
