//! Lowering of conditions, selection and flags.
//!
//! A comparison or condition whose only user is the next branch or select becomes host flags; arithmetic that just made
//! the same flags is not repeated; flags that somebody may see are stored in the form of LAHF and SETO. A condition on
//! flags that were stored repeats the comparison where it can, which costs less than getting them back.

use super::Lower;
use super::alloc::{Loc, Operand};
use super::asm::{Alu, Cc, Mem, reg};
use super::late::want;
use crate::ir::flags::{flag_of, known};
use crate::ir::lift::cmp_of;
use crate::ir::{Inst, NONE, Op, Ty, Val};
use lyrebird_cpu::op::{Bin, Cmp, Cond, FlagOp, nzcv};
use lyrebird_cpu::x86::flags;

/// How the host's flags are made a second time for a condition on flags that are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// not: they come from the condition's operand
    No,
    /// by comparing the operands of this subtraction's `Flags`
    Compare(Val),
    /// by testing the operands of this conjunction, which nobody needs
    And(Val),
    /// by testing this value, their result
    Test(Val),
}

impl Lower {
    /// How to make the flags of condition `inst` again, once uses up to it are known.
    pub(super) fn how_again(&self, i: Val, inst: &Inst) -> Again {
        let f = self.root(inst.a);
        let flags = &self.code[f as usize];
        if !matches!(flags.op, Op::Flags | Op::Update) || f < self.block_first {
            return Again::No;
        }
        // Host flags that are used at once need not be made again.
        let stays = |x: &Inst| matches!(x.op, Op::Put | Op::Get | Op::At | Op::Lit | Op::Holds);
        if self.uses[f as usize] == 0 && self.code[f as usize + 1..i as usize].iter().all(stays) {
            return Again::No;
        }
        let by = self.fuse[f as usize];
        let of_result = matches!(Cond::number(inst.sub as u32), Cond::EQ | Cond::NE | Cond::MI | Cond::PL);
        if flags.op == Op::Update {
            let made = self.made[f as usize];
            return if of_result && made != NONE { Again::Test(made) } else { Again::No };
        }
        let carry = &self.code[self.root(flags.c) as usize];
        match flag_of(flags.sub) {
            _ if self.view_bits(flags.a) < 32 => Again::No,
            FlagOp::Logic | FlagOp::LogicX if by != NONE && self.only_flags(by) => Again::And(by),
            FlagOp::Logic | FlagOp::LogicX => Again::Test(flags.a),
            _ if by != NONE && of_result => Again::Test(by),
            FlagOp::Sub if by == NONE && carry.op == Op::Lit && carry.imm != 0 => Again::Compare(f),
            FlagOp::SubX if by == NONE && carry.op == Op::Lit && carry.imm == 0 => Again::Compare(f),
            _ => Again::No,
        }
    }

    /// Whether nobody needs the result of conjunction `i`, whose flags are wanted.
    pub(super) fn only_flags(&self, i: Val) -> bool {
        let (inst, f) = (&self.code[i as usize], self.fuse[i as usize]);
        let both = [self.code[f as usize].a, self.code[f as usize].b].map(|v| self.root(v) == i);
        inst.op == Op::Bin
            && inst.sub == Bin::And as u16
            && self.uses[i as usize] == both.into_iter().filter(|b| *b).count() as u32
    }

    /// Whether the only user of `i` takes conditions straight from the host's flags.
    fn wanted_as_flags(&self, i: Val) -> bool {
        let user = self.user[i as usize];
        self.uses[i as usize] == 1
            && user != u32::MAX
            && match self.code[user as usize].op {
                Op::Branch | Op::RaiseIf | Op::If => true,
                Op::Select => self.root(self.code[user as usize].a) == i,
                _ => false,
            }
    }

    /// Leaves a conjunction with a constant to the comparison with zero that is its only user.
    pub(super) fn defer_mask(&mut self, i: Val, inst: &Inst, op: Bin) -> bool {
        let user = self.user[i as usize];
        let lit = |v: Val| {
            let l = &self.code[self.root(v) as usize];
            (l.op == Op::Lit).then_some(l.imm)
        };
        let yes = op == Bin::And
            && matches!(inst.ty, Ty::I32 | Ty::I64)
            && self.uses[i as usize] == 1
            && self.fuse[i as usize] == NONE
            && user != NONE
            && {
                let u = &self.code[user as usize];
                u.op == Op::Cmp
                    && matches!(cmp_of(u.sub), Cmp::Eq | Cmp::Ne)
                    && u.a == i
                    && lit(u.b) == Some(0)
                    && lit(inst.b).is_some_and(|x| x <= i32::MAX as u64)
            };
        if yes {
            self.loc[i as usize] = Loc::Deferred;
        }
        yes
    }

    pub(super) fn condition(&mut self, i: Val, inst: &Inst) {
        if self.wanted_as_flags(i) {
            self.loc[i as usize] = Loc::Deferred;
            return;
        }
        self.materialise_condition(i, inst);
    }

    fn materialise_condition(&mut self, i: Val, inst: &Inst) {
        let cc = self.condition_flags(i, inst);
        self.release_args(i);
        let d = self.def(i, None);
        self.asm.setcc(cc, d);
        self.asm.zext(8, d, d);
    }

    /// Computes a deferred value, or saves host flags, so that `r` is in a register.
    pub(super) fn materialise(&mut self, r: Val) {
        let inst = self.code[r as usize];
        match inst.op {
            // Of a vector there are those that its comparison left.
            Op::Flags | Op::Update | Op::Lane => self.save_flags(r),
            Op::Cmp | Op::Holds => self.materialise_condition(r, &inst),
            Op::Bin => {
                // A deferred address whose user wants it whole after all.
                self.clobber();
                self.loc[r as usize] = Loc::Nowhere;
                self.arithmetic(r, &inst, Bin::ALL[inst.sub as usize % Bin::ALL.len()]);
            }
            _ => self.fail(),
        }
    }

    /// Sets the host's flags for a comparison or a condition: the host condition that says it holds.
    fn condition_flags(&mut self, i: Val, inst: &Inst) -> Cc {
        if inst.op == Op::Holds {
            return self.holds_flags(i, inst);
        }
        self.clobber();
        let n = self.view_bits(inst.a);
        let cmp = cmp_of(inst.sub);
        let wide = n == 64;
        let masked = self.root(inst.a) as usize;
        if self.loc[masked] == Loc::Deferred && self.code[masked].op == Op::Bin {
            let mask = self.code[masked];
            let a = self.reg(mask.a);
            // The constant has no bits above 30, so that the low half tells.
            let b = self.operand(mask.b, false);
            self.test_operand(false, a, b);
        } else if n >= 32 {
            let a = self.reg(inst.a);
            match self.operand(inst.b, wide) {
                Operand::Imm(0) if matches!(cmp, Cmp::Eq | Cmp::Ne) => {
                    self.asm.test(wide, a, a);
                }
                b => self.alu(Alu::Cmp, wide, a, b),
            }
        } else {
            let a = self.cleaned(inst.a);
            let t = self.temp();
            self.asm.mov(false, t, a);
            let b = self.cleaned(inst.b);
            if n == 8 {
                self.asm.alu8(Alu::Cmp, t, b);
            } else {
                self.asm.alu16(Alu::Cmp, t, b);
            }
        }
        match cmp {
            Cmp::Eq => Cc::E,
            Cmp::Ne => Cc::NE,
            Cmp::Ltu => Cc::B,
            Cmp::Leu => Cc::BE,
            Cmp::Lts => Cc::L,
            Cmp::Les => Cc::LE,
        }
    }

    fn holds_flags(&mut self, i: Val, inst: &Inst) -> Cc {
        let cond = Cond::number(inst.sub as u32);
        let f = self.root(inst.a);
        let again = self.again[i as usize];
        if again != Again::No && self.host_flags.is_none_or(|(g, _)| g != f) {
            self.clobber();
            let inverted = self.flags_again(again);
            self.host_flags = Some((f, inverted));
        }
        if self.host_flags.is_none_or(|(g, _)| g != f) {
            self.clobber();
            let s = self.reg(f);
            let bit = match cond {
                Cond::EQ | Cond::NE => nzcv::Z,
                Cond::CS | Cond::CC => nzcv::C,
                Cond::MI | Cond::PL => nzcv::N,
                Cond::VS | Cond::VC => nzcv::V,
                Cond::PE | Cond::PO => flags::PF,
                _ => 0,
            };
            if bit != 0 {
                self.asm.test_imm(false, s, bit as i32);
                return if inst.sub & 1 == 0 { Cc::NE } else { Cc::E };
            }
            // V into the host's overflow, then N, Z and C.
            self.asm.mov(false, reg::RAX, s);
            self.asm.alu8_imm_rax(0x7F);
            self.asm.byte(0x9E);
            return self.host_condition(cond, false);
        }
        let inverted = self.host_flags.is_some_and(|(_, inverted)| inverted);
        self.host_condition(cond, inverted)
    }

    /// Makes flags again; whether the host's carry is a borrow.
    fn flags_again(&mut self, again: Again) -> bool {
        let (Again::Compare(v) | Again::And(v) | Again::Test(v)) = again else {
            self.fail();
            return false;
        };
        let inst = self.code[v as usize];
        if let Again::Test(v) = again {
            let wide = self.view_bits(v) == 64;
            let a = self.reg(v);
            self.asm.test(wide, a, a);
            return false;
        }
        let wide = self.view_bits(inst.a) == 64;
        let a = self.reg(inst.a);
        let b = self.operand(inst.b, wide);
        if again == Again::Compare(v) {
            self.alu(Alu::Cmp, wide, a, b);
            return flag_of(inst.sub) == FlagOp::Sub;
        }
        self.test_operand(wide, a, b);
        false
    }

    /// TEST with a second operand of any kind.
    pub(super) fn test_operand(&mut self, wide: bool, a: u8, b: Operand) {
        match b {
            Operand::Reg(s) => self.asm.test(wide, a, s),
            Operand::Imm(x) => self.asm.test_imm(wide, a, x),
            Operand::Mem(m) => {
                self.asm.mov(wide, reg::RAX, a);
                self.asm.alu_mem(Alu::And, wide, reg::RAX, m);
            }
        }
    }

    /// The host condition for a guest condition on the host's flags. `inverted` says that the host's carry is a borrow.
    fn host_condition(&mut self, cond: Cond, inverted: bool) -> Cc {
        let unsigned = |this: &mut Self, cc: Cc| {
            if !inverted {
                this.asm.byte(0xF5);
                if let Some((_, inv)) = &mut this.host_flags {
                    *inv = true;
                }
            }
            cc
        };
        let as_it_is = |this: &mut Self, cc: Cc| {
            if inverted {
                this.asm.byte(0xF5);
                if let Some((_, inv)) = &mut this.host_flags {
                    *inv = false;
                }
            }
            cc
        };
        match cond {
            Cond::EQ => Cc::E,
            Cond::NE => Cc::NE,
            Cond::CS => {
                if inverted {
                    Cc::AE
                } else {
                    Cc::B
                }
            }
            Cond::CC => {
                if inverted {
                    Cc::B
                } else {
                    Cc::AE
                }
            }
            Cond::MI => Cc::S,
            Cond::PL => Cc::NS,
            Cond::VS => Cc::O,
            Cond::VC => Cc::NO,
            Cond::HI => unsigned(self, Cc::A),
            Cond::LS => unsigned(self, Cc::BE),
            Cond::A => as_it_is(self, Cc::A),
            Cond::BE => as_it_is(self, Cc::BE),
            Cond::PE => Cc::P,
            Cond::PO => Cc::NP,
            Cond::GE => Cc::GE,
            Cond::LT => Cc::L,
            Cond::GT => Cc::G,
            Cond::LE => Cc::LE,
            Cond::AL | Cond::NV => {
                self.fail();
                Cc::E
            }
        }
    }

    /// Consumes a condition: the host condition that says it holds, valid until flags change. Callers must bring their
    /// other operands into registers before.
    pub(super) fn consume(&mut self, v: Val) -> Cc {
        let r = self.root(v);
        let inst = self.code[r as usize];
        if self.loc[r as usize] == Loc::Deferred && matches!(inst.op, Op::Cmp | Op::Holds) {
            let cc = self.condition_flags(r, &inst);
            self.release(v);
            return cc;
        }
        self.clobber();
        let s = self.reg(v);
        self.asm.test_bit0(s);
        self.release(v);
        Cc::NE
    }

    pub(super) fn select(&mut self, i: Val, inst: &Inst) {
        if inst.ty == Ty::V128 {
            self.select_wide(i, inst);
            return;
        }
        let wide = inst.ty == Ty::I64;
        // Values that live in flags leave them first, then the condition is made, then only moves follow.
        let t = self.reg(inst.b);
        let f = self.reg(inst.c);
        let cc = self.consume(inst.a);
        self.release(inst.b);
        self.release(inst.c);
        let d = self.def(i, Some(f));
        if d == t && d != f {
            self.asm.cmov(cc.invert(), wide, d, f);
        } else {
            if d != f {
                self.asm.mov(wide, d, f);
            }
            self.asm.cmov(cc, wide, d, t);
        }
    }

    // ---- flags ----

    pub(super) fn flags(&mut self, i: Val, inst: &Inst) {
        let n = i as usize;
        let made = self.host_flags.is_some_and(|(f, _)| f == i);
        if made || self.uses[n] == 0 || matches!(self.loc[n], Loc::Reg(_) | Loc::Spill(_)) {
            if made && self.uses[n] != 0 {
                self.loc[n] = Loc::Flags;
            }
            self.release_args(i);
            return;
        }
        if self.needs_steps(inst) && self.late[n] == want::VALUE {
            self.flags_value(i, inst);
            return;
        }
        self.clobber();
        let bits = self.view_bits(inst.a);
        let wide = bits == 64;
        let op = flag_of(inst.sub);
        let carry = self.root(inst.c);
        let known = (self.code[carry as usize].op == Op::Lit).then(|| self.code[carry as usize].imm != 0);
        let inverted = match (op, known) {
            _ if bits < 32 => {
                self.narrow_flags(inst, op, known);
                false
            }
            (FlagOp::Logic | FlagOp::LogicX, _) => {
                let a = self.reg(inst.a);
                self.asm.test(wide, a, a);
                false
            }
            (FlagOp::Sub, Some(true)) | (FlagOp::SubX, Some(false)) => {
                let a = self.reg(inst.a);
                let b = self.operand(inst.b, wide);
                self.alu(Alu::Cmp, wide, a, b);
                op == FlagOp::Sub
            }
            (FlagOp::MulX, _) => {
                let a = self.reg(inst.a);
                let b = self.reg(inst.b);
                self.asm.mov(wide, reg::RAX, a);
                self.asm.imul(wide, reg::RAX, b);
                false
            }
            (FlagOp::Add | FlagOp::AddX, Some(false)) => {
                let a = self.reg(inst.a);
                let b = self.operand(inst.b, wide);
                self.asm.mov(wide, reg::RAX, a);
                self.alu(Alu::Add, wide, reg::RAX, b);
                false
            }
            (op, _) => {
                let a = self.reg(inst.a);
                let b = self.reg(inst.b);
                let c = self.reg(inst.c);
                let t = self.temp();
                self.asm.mov(wide, reg::RAX, a);
                if op == FlagOp::Sub {
                    // The host borrows where Arm's carry is clear.
                    self.asm.alu_imm(Alu::Cmp, false, c, 1);
                    self.asm.alu(Alu::Sbb, wide, reg::RAX, b);
                } else {
                    self.asm.mov_imm(t, 0);
                    self.asm.alu(Alu::Cmp, false, t, c);
                    let with_carry = if op == FlagOp::SubX { Alu::Sbb } else { Alu::Adc };
                    self.asm.alu(with_carry, wide, reg::RAX, b);
                }
                op == FlagOp::Sub
            }
        };
        self.release_args(i);
        self.host_flags = Some((i, inverted));
        self.loc[n] = Loc::Flags;
    }

    /// Flags of an operation on 8 or 16 bits, by the host's operation of that width.
    fn narrow_flags(&mut self, inst: &Inst, op: FlagOp, carry: Option<bool>) {
        let alu8 = self.view_bits(inst.a) == 8;
        if let Some(x) = known(&self.code, self.root(inst.b))
            && carry == Some(false)
            && matches!(op, FlagOp::AddX | FlagOp::SubX)
        {
            let a = self.reg(inst.a);
            let bits = self.view_bits(inst.a);
            if op == FlagOp::SubX {
                self.asm.alu_imm_sized(Alu::Cmp, bits, a, x as i32);
            } else {
                self.asm.mov(false, reg::RAX, a);
                self.asm.alu_imm_sized(Alu::Add, bits, reg::RAX, x as i32);
            }
            return;
        }
        let a = self.reg(inst.a);
        if op == FlagOp::LogicX {
            if alu8 {
                self.asm.test8(a);
            } else {
                self.asm.mov(false, reg::RAX, a);
                self.asm.alu16(Alu::And, reg::RAX, reg::RAX);
            }
            return;
        }
        let b = self.reg(inst.b);
        let with_carry = carry != Some(matches!(op, FlagOp::Sub));
        let plain = match op {
            FlagOp::AddX => Alu::Add,
            FlagOp::SubX => Alu::Cmp,
            FlagOp::LogicX => Alu::And,
            // Arm has no flags of narrow operations.
            FlagOp::Add | FlagOp::Sub | FlagOp::Logic | FlagOp::MulX => {
                self.fail();
                return;
            }
        };
        let alu = match op {
            FlagOp::AddX if with_carry => Alu::Adc,
            FlagOp::SubX if with_carry => Alu::Sbb,
            _ => plain,
        };
        if with_carry {
            let c = self.reg(inst.c);
            let t = self.temp();
            self.asm.mov_imm(t, 0);
            self.asm.alu(Alu::Cmp, false, t, c);
        }
        self.asm.mov(false, reg::RAX, a);
        if alu8 {
            self.asm.alu8(alu, reg::RAX, b);
        } else {
            self.asm.alu16(alu, reg::RAX, b);
        }
    }

    /// Whether flags `f` are those of a logical operation.
    pub(super) fn is_logic(&self, f: Val) -> bool {
        let flags = &self.code[f as usize];
        flags.op == Op::Flags && matches!(flag_of(flags.sub), FlagOp::Logic | FlagOp::LogicX)
    }

    /// Before host flags change: saves those that somebody still wants.
    #[inline(always)]
    pub(super) fn clobber(&mut self) {
        if let Some((f, _)) = self.host_flags {
            if self.uses[f as usize] > 0 && !matches!(self.loc[f as usize], Loc::Reg(_) | Loc::Spill(_)) {
                self.save_flags(f);
            }
            self.host_flags = None;
        }
    }

    /// Moves flags from the host's to a register, in stored form.
    fn save_flags(&mut self, f: Val) {
        let Some((g, inverted)) = self.host_flags else {
            self.fail();
            return;
        };
        if g != f {
            self.fail();
            return;
        }
        // A temporary may need a spill, which leaves flags alone.
        let t = self.temp();
        if inverted {
            self.asm.byte(0xF5);
        }
        self.asm.byte(0x9F);
        self.asm.setcc(Cc::O, reg::RAX);
        // Of a logical operation the host leaves AF undefined, and the guest clears it.
        let made = &self.code[f as usize];
        let logic = made.op == Op::Flags && flag_of(made.sub) == FlagOp::LogicX;
        if self.config.flag_bits == flags::ALL && !logic {
            // All of AH is wanted but its bit 1, which is set: the host's flags stay for who branches on them.
            self.asm.zext(16, reg::RAX, reg::RAX);
            self.asm.lea(false, t, Mem { base: reg::RAX, index: None, disp: -0x200 });
            self.host_flags = Some((f, false));
        } else {
            let bits = self.config.flag_bits & if logic { !flags::AF } else { !0 };
            self.asm.alu_imm(Alu::And, false, reg::RAX, bits as i32);
            self.asm.mov(false, t, reg::RAX);
            self.host_flags = None;
        }
        self.owner[t as usize] = f;
        self.loc[f as usize] = Loc::Reg(t);
    }
}
