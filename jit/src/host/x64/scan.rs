//! What is known of a block's values before its code is emitted: which are views of others, who uses them, and where
//! they are wanted.

use super::Lower;
use super::alloc::Loc;
use super::condition::Again;
use super::late::want;
use crate::ir::flags::{flag_of, known, update_of};
use crate::ir::{Inst, NONE, Op, Ty, Val, VecForm};
use lyrebird_cpu::op::{Bin, FlagOp};
use lyrebird_cpu::x86::flags::Update;

impl Lower {
    /// Finds roots, use counts, hints and what to defer, for the instructions of one block.
    pub fn scan(&mut self, first: u32, end: u32) {
        let mut barrier = [first; 32];
        let mut all = first;
        // The last operation that may call, which keeps nothing in pinned vectors that the register file does not hold.
        let mut call = first;
        let mut last_logic = NONE;
        self.plan_flags(first, end);
        for i in first..end {
            let inst = self.code[i as usize];
            let n = i as usize;
            (self.root[n], self.uses[n], self.hint[n]) = (i, 0, 0xFF);
            (self.loc[n], self.fuse[n], self.user[n]) = (Loc::Nowhere, NONE, NONE);
            self.clean[n] = inst.ty.bits() as u8;
            self.again[n] = Again::No;
            self.made[n] = NONE;
            match inst.op {
                Op::Zext => {
                    let r = self.root(inst.a);
                    let from = self.code[inst.a as usize].ty.bits();
                    if inst.ty.bits() < from || self.clean[r as usize] as u32 <= from {
                        self.root[n] = r;
                        continue;
                    }
                }
                Op::Get if self.pin_of(inst.imm).is_some() => self.clean[n] = 64,
                Op::Select if inst.ty.bits() < 32 => {
                    let clean = |v| self.clean[self.root[v as usize] as usize];
                    self.clean[n] = clean(inst.b).max(clean(inst.c));
                }
                Op::Flags | Op::Update => {
                    if last_logic != NONE && last_logic >= first && self.makes(last_logic, i) {
                        self.made[n] = last_logic;
                    }
                    // Arithmetic that just made the same flags on the host need not be repeated.
                    let logic =
                        inst.op == Op::Flags && matches!(flag_of(inst.sub), FlagOp::Logic | FlagOp::LogicX);
                    let by = if logic { self.root(inst.a) } else { last_logic };
                    let wanted = match self.late[n] {
                        want::NOTHING => false,
                        want::CONDITIONS => true,
                        _ => inst.op == Op::Flags,
                    };
                    if wanted && by != NONE && by >= first && self.same_arithmetic(by, i) {
                        self.fuse[by as usize] = i;
                        self.fuse[n] = by;
                    }
                }
                Op::Holds => self.again[n] = self.how_again(i, &inst),
                _ => {}
            }
            match self.late_chain(i) {
                Some((all, count)) => {
                    for &f in &all[..count] {
                        for a in self.late_operands(f).into_iter().flatten() {
                            self.note_use(a, i);
                        }
                    }
                }
                None => {
                    for a in self.operands(i).into_iter().flatten() {
                        self.note_use(a, i);
                    }
                }
            }
            if inst.op == Op::Bin {
                last_logic = i;
            }
            if inst.op.may_fault() || matches!(inst.op, Op::If | Op::EndIf | Op::Call) {
                all = i;
            }
            if self.may_call(&inst) {
                call = i;
            }
            if !matches!(inst.op, Op::Get | Op::Put) {
                continue;
            }
            if let Some(h) = self.pin_of(inst.imm).or_else(|| Some(16 + self.xpin_of(inst.imm)?)) {
                if inst.op == Op::Put {
                    let v = self.root(inst.a);
                    let made = self.code[v as usize].op;
                    let direct =
                        !matches!(made, Op::Get | Op::Lit | Op::Cmp | Op::Holds | Op::Flags | Op::Update)
                            && (inst.ty == Ty::V128
                                || self.code[inst.a as usize].ty == Ty::I64
                                    && self.clean[v as usize] as u32 <= self.view_bits(inst.a))
                            && self.hint[v as usize] == 0xFF;
                    if direct && barrier[h as usize] <= v && all <= v && (h < 16 || call <= v) {
                        self.hint[v as usize] = h;
                    }
                }
                barrier[h as usize] = i;
            }
        }
    }

    /// Whether a vector operation or a reading of the clock may call.
    pub(super) fn may_call(&self, inst: &Inst) -> bool {
        match inst.op {
            Op::Clock => true,
            Op::Vec => VecForm::unpack(inst.imm).is_none_or(|form| !self.x86_native(form)),
            _ => false,
        }
    }

    fn note_use(&mut self, a: Val, user: Val) {
        let r = self.root(a) as usize;
        self.uses[r] += 1;
        self.user[r] = user;
    }

    /// Bits that a view shows.
    pub fn view_bits(&self, v: Val) -> u32 {
        self.code[v as usize].ty.bits()
    }

    /// Whether `bin` leaves exactly the flags of `flags` on the host.
    fn same_arithmetic(&self, bin: Val, flags: Val) -> bool {
        let (b, f) = (&self.code[bin as usize], &self.code[flags as usize]);
        if b.op != Op::Bin || !matches!(b.ty, Ty::I32 | Ty::I64) || b.ty != self.code[f.a as usize].ty {
            return false;
        }
        if f.op == Op::Update {
            let op = match update_of(f.sub) {
                Update::Inc => Bin::Add,
                Update::Dec => Bin::Sub,
                _ => return false,
            };
            return b.sub == op as u16 && b.a == f.a && b.b == f.b;
        }
        let carry = &self.code[f.c as usize];
        let known = |x| carry.op == Op::Lit && carry.imm == x;
        let same = b.a == f.a && b.b == f.b;
        match flag_of(f.sub) {
            FlagOp::Add | FlagOp::AddX => b.sub == Bin::Add as u16 && same && known(0),
            FlagOp::Sub => b.sub == Bin::Sub as u16 && same && known(1),
            FlagOp::SubX => b.sub == Bin::Sub as u16 && same && known(0),
            FlagOp::Logic | FlagOp::LogicX => {
                f.a == bin && [Bin::And as u16, Bin::Or as u16, Bin::Xor as u16].contains(&b.sub)
            }
            FlagOp::MulX => false,
        }
    }

    /// The operation on general registers that made flags `f` and whose result they are of, if it is `bin`.
    pub(super) fn makes(&self, bin: Val, f: Val) -> bool {
        let (b, i) = (&self.code[bin as usize], &self.code[f as usize]);
        let op = match (i.op, i.sub) {
            (Op::Flags, sub) => match flag_of(sub) {
                FlagOp::AddX => Bin::Add,
                FlagOp::SubX => Bin::Sub,
                _ => return false,
            },
            (_, sub) => match update_of(sub) {
                Update::Inc => Bin::Add,
                Update::Dec => Bin::Sub,
                Update::Shl => Bin::Shl,
                Update::Shr => Bin::Shr,
                Update::Sar => Bin::Sar,
                Update::Rol | Update::Ror => return false,
            },
        };
        let wide = b.op == Op::Bin && b.sub == op as u16 && b.ty.bits() >= 32;
        let count = known(&self.code, i.b);
        wide && b.a == i.a
            && (b.b == i.b || count.is_some() && count == known(&self.code, b.b))
            && (i.op == Op::Update || known(&self.code, i.c) == Some(0))
    }
}
