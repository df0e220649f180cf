//! Flags that are computed late: where the code is left, out of line if need be, from the operands of the operations
//! that made them, which are kept until the last such place.
//!
//! A computation changes RAX and the host's flags only. It may be done twice with the same outcome: what a chain does
//! not set comes from the slot, and stays.

use super::Lower;
use super::alloc::Loc;
use super::asm::{Alu, Cc, Mem, Shift, file, reg};
use crate::ir::flags::{LONGEST, chain, flag_of, known, sets_all, update_of};
use crate::ir::{Inst, LAZY, NONE, Op, Val};
use crate::words;
use lyrebird_cpu::op::{Cond, FlagOp};
use lyrebird_cpu::x86::flags::{self, Update};

/// The flags of a result.
const OF_RESULT: i32 = (flags::SF | flags::ZF | flags::PF) as i32;

/// Where an operand is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Src {
    /// a register
    Reg(u8),
    /// memory
    Mem(Mem),
    /// a constant, sign extended
    Imm(i32),
}

/// What makes the flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Add,
    Sub,
    /// An addition, whose result stands for the first operand.
    AddBack,
    /// A subtraction, likewise.
    SubBack,
    Logic,
    Mul,
    Shift(Update),
}

/// One operation, with the places of its operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    kind: Kind,
    bits: u32,
    a: Src,
    b: Src,
    carry: Src,
    sets: u32,
}

/// What the register file does not know yet: steps, as a range of all that the region's cold paths take; byte of the page
/// and opcode of the last x87 instruction.
#[derive(Clone, Copy, Debug, Default)]
pub struct Late {
    from: u32,
    to: u32,
    x87: Option<(u32, u16)>,
}

/// Flags that somebody may want up to instruction `last`.
#[derive(Clone, Copy, Debug)]
pub struct Pending {
    chain: [Val; LONGEST],
    count: usize,
    last: u32,
}

/// What the block wants of an operation on flags, and how long what a `Put` stores is wanted.
pub mod want {
    /// The operation's value is not wanted where it stands.
    pub const NOTHING: u32 = 0;
    /// Conditions that the host's flags tell.
    pub const CONDITIONS: u32 = 1;
    /// The value.
    pub const VALUE: u32 = 2;
}

impl Lower {
    /// Finds what the block wants of each operation on flags.
    pub(super) fn plan_flags(&mut self, first: u32, end: u32) {
        self.late.resize(self.code.len(), want::NOTHING);
        if !self.config.late_flags {
            self.late[first as usize..end as usize].fill(want::VALUE);
            return;
        }
        self.late[first as usize..end as usize].fill(want::NOTHING);
        let slot = self.config.flags as u64;
        let mut site = 0;
        for i in (first..end).rev() {
            let inst = self.code[i as usize];
            let raise = |this: &mut Self, v: Val, to: u32| {
                if matches!(this.code[v as usize].op, Op::Flags | Op::Update) {
                    this.late[v as usize] = this.late[v as usize].max(to);
                }
            };
            match inst.op {
                Op::Put if inst.imm == slot => {
                    if !self.late_put(i) {
                        raise(self, inst.a, want::VALUE);
                    } else if inst.sub == LAZY {
                        self.late[i as usize] = site;
                    }
                    site = 0;
                }
                Op::Holds => {
                    let host = self.host_tells(inst.a, Cond::number(inst.sub as u32));
                    raise(self, inst.a, if host { want::CONDITIONS } else { want::VALUE });
                }
                Op::Update => {
                    if self.late[i as usize] == want::VALUE {
                        raise(self, inst.c, want::VALUE);
                    }
                }
                _ => inst.args().for_each(|v| raise(self, v, want::VALUE)),
            }
            if site == 0 && (inst.op.may_fault() || inst.op.terminal() || self.is_x87(&inst)) {
                site = i;
            }
        }
    }

    /// Whether the host's flags after operation `f` tell a condition.
    fn host_tells(&self, f: Val, cond: Cond) -> bool {
        use Cond::*;
        let i = &self.code[f as usize];
        let carry = matches!(cond, CS | CC | A | BE | HI | LS);
        let overflow = matches!(cond, VS | VC | GE | LT | GT | LE);
        let bits = |v: Val| self.code[v as usize].ty.bits();
        match i.op {
            Op::Flags if flag_of(i.sub) == FlagOp::MulX => {
                matches!(cond, VS | VC | CS | CC) && bits(i.a) >= 32
            }
            Op::Update => match update_of(i.sub) {
                Update::Inc | Update::Dec => !carry,
                Update::Rol | Update::Ror => false,
                _ => {
                    let n = bits(i.a) as u64;
                    known(&self.code, i.b).is_some_and(|k| k == 1 || 1 < k && k < n && !overflow)
                }
            },
            _ => true,
        }
    }

    /// Whether no operation of the host leaves all flags of `i`.
    pub(super) fn needs_steps(&self, i: &Inst) -> bool {
        i.op == Op::Update || i.op == Op::Flags && flag_of(i.sub) == FlagOp::MulX
    }

    /// Whether `Put` number `i` is one of flags that are computed from their operands' places.
    fn late_put(&self, i: Val) -> bool {
        let inst = &self.code[i as usize];
        inst.op == Op::Put
            && inst.imm == self.config.flags as u64
            && self.config.late_flags
            && (inst.sub == LAZY || self.needs_steps(&self.code[inst.a as usize]))
            && chain(&self.code, inst.a, inst.imm).is_some()
    }

    /// The chain whose operands `Put` number `i` uses, if it is one of flags computed late; nothing if nobody wants it.
    pub(super) fn late_chain(&self, i: Val) -> Option<([Val; LONGEST], usize)> {
        if !self.late_put(i) {
            return None;
        }
        let inst = &self.code[i as usize];
        if inst.sub == LAZY && self.late[i as usize] == 0 {
            return Some(([NONE; LONGEST], 0));
        }
        chain(&self.code, inst.a, inst.imm)
    }

    /// Whether the result of the operation that made flags `f` stands for the first operand.
    fn backwards(&self, f: Val) -> bool {
        let i = &self.code[f as usize];
        let made = self.made[f as usize];
        let carry = i.op == Op::Flags && known(&self.code, i.c) != Some(0);
        let sum = match i.op {
            Op::Flags => matches!(flag_of(i.sub), FlagOp::AddX | FlagOp::SubX),
            _ => matches!(update_of(i.sub), Update::Inc | Update::Dec),
        };
        made != NONE && sum && !carry && self.root(i.a) != self.root(i.b)
    }

    /// The values from which operation `f` is computed late.
    pub(super) fn late_operands(&self, f: Val) -> [Option<Val>; 3] {
        let i = &self.code[f as usize];
        let a = if self.backwards(f) { self.made[f as usize] } else { i.a };
        match i.op {
            Op::Flags if flag_of(i.sub) == FlagOp::LogicX => [Some(i.a), None, None],
            Op::Flags if known(&self.code, i.c).is_none() && flag_of(i.sub) != FlagOp::MulX => {
                [Some(a), Some(i.b), Some(i.c)]
            }
            _ => [Some(a), Some(i.b), None],
        }
    }

    /// Brings an operand to a place that [`Src`] can name.
    fn prepare(&mut self, v: Val) {
        let r = self.root(v);
        let fine = match self.loc[r as usize] {
            Loc::Reg(_) | Loc::Pin(_) | Loc::Spill(_) => true,
            Loc::Home(_) => self.code[r as usize].ty.bits() >= self.view_bits(v),
            Loc::Lit => self.constant(v).is_some(),
            _ => false,
        };
        if !fine {
            self.reg(v);
        }
    }

    fn constant(&self, v: Val) -> Option<i32> {
        let x = self.code[self.root(v) as usize].imm & self.code[v as usize].ty.mask();
        if self.view_bits(v) <= 32 { Some(x as i32) } else { i32::try_from(x as i64).ok() }
    }

    fn src(&mut self, v: Val) -> Src {
        match self.loc[self.root(v) as usize] {
            Loc::Reg(h) | Loc::Pin(h) => Src::Reg(h),
            Loc::Spill(s) => Src::Mem(Self::spill_slot(s)),
            Loc::Home(offset) => Src::Mem(file(offset)),
            Loc::Lit => Src::Imm(self.constant(v).unwrap_or(0)),
            _ => {
                self.fail();
                Src::Imm(0)
            }
        }
    }

    fn step_of(&mut self, f: Val) -> Step {
        let i = self.code[f as usize];
        let back = self.backwards(f);
        let [a, b, c] = self.late_operands(f);
        let bits = self.view_bits(i.a);
        let [a, b] = [a, b].map(|v| v.map_or(Src::Imm(0), |v| self.src(v)));
        let carry = match c {
            Some(c) => self.src(c),
            None => Src::Imm((i.op == Op::Flags && known(&self.code, i.c) != Some(0)) as i32),
        };
        let (kind, sets) = match i.op {
            Op::Flags => {
                let kind = match flag_of(i.sub) {
                    FlagOp::AddX if back => Kind::AddBack,
                    FlagOp::SubX if back => Kind::SubBack,
                    FlagOp::AddX => Kind::Add,
                    FlagOp::SubX => Kind::Sub,
                    FlagOp::MulX => Kind::Mul,
                    _ => Kind::Logic,
                };
                (kind, flags::ALL)
            }
            _ => {
                let update = update_of(i.sub);
                let kind = match update {
                    Update::Inc if back => Kind::AddBack,
                    Update::Dec if back => Kind::SubBack,
                    Update::Inc => Kind::Add,
                    Update::Dec => Kind::Sub,
                    other => Kind::Shift(other),
                };
                (kind, update.sets())
            }
        };
        Step { kind, bits, a, b, carry, sets }
    }

    /// Handles a `Put` of flags that are computed late. False if this is none.
    pub(super) fn put_flags(&mut self, inst: &Inst) -> bool {
        let Some((all, count)) = self.late_chain(self.now) else { return false };
        if count == 0 {
            return true;
        }
        for &f in &all[..count] {
            for v in self.late_operands(f).into_iter().flatten() {
                self.prepare(v);
            }
        }
        let last = if inst.sub == LAZY { self.late[self.now as usize] } else { self.now };
        self.pending = Some(Pending { chain: all, count, last });
        if inst.sub != LAZY {
            self.clobber();
            let late = Late { x87: None, ..self.capture() };
            self.compute(late);
        }
        true
    }

    /// Releases the operands of flags that nobody wants any more.
    pub(super) fn end_pending(&mut self) {
        let Some(p) = self.pending.filter(|p| p.last <= self.now) else { return };
        self.pending = None;
        for &f in &p.chain[..p.count] {
            for v in self.late_operands(f).into_iter().flatten() {
                self.release(v);
            }
        }
    }

    /// How the flags are computed from where their operands are now.
    pub(super) fn capture(&mut self) -> Late {
        let x87 = self.x87.last;
        let Some(p) = self.pending else { return Late { x87, ..Late::default() } };
        let from = self.steps.len();
        for &f in p.chain[..p.count].iter().rev() {
            let step = self.step_of(f);
            self.steps.push(step);
        }
        // Often nothing has moved since the last time.
        let (before, new) = self.steps.split_at(from);
        if before.ends_with(new) {
            self.steps.truncate(from);
            return Late { from: (from - p.count) as u32, to: from as u32, x87 };
        }
        Late { from: from as u32, to: self.steps.len() as u32, x87 }
    }

    /// Computes flags into their slot, and stores where the last x87 instruction was.
    pub(super) fn compute(&mut self, late: Late) {
        for n in late.from..late.to {
            let step = self.steps[n as usize];
            self.step(step, file(self.config.flags));
        }
        if let Some(last) = late.x87 {
            self.x87_point_at(last);
        }
    }

    /// The value of an operation that the host's flags alone do not give.
    pub(super) fn flags_value(&mut self, i: Val, inst: &Inst) {
        self.clobber();
        let to = file(words::VECTOR.offset());
        let partly = inst.op == Op::Update && !sets_all(&self.code, inst);
        if partly {
            let old = self.reg(inst.c);
            self.asm.store(4, to, old);
        }
        for v in self.late_operands(i).into_iter().flatten() {
            self.prepare(v);
        }
        let step = self.step_of(i);
        self.step(step, to);
        self.release_args(i);
        let d = self.def(i, None);
        self.asm.load(4, d, to);
    }

    /// The host's flags after an update whose conditions they tell.
    pub(super) fn update(&mut self, i: Val, inst: &Inst) {
        if self.uses[i as usize] == 0 || self.host_flags.is_some_and(|(f, _)| f == i) {
            if self.uses[i as usize] != 0 {
                self.loc[i as usize] = Loc::Flags;
            }
            self.release_args(i);
            return;
        }
        if self.late[i as usize] == want::VALUE {
            self.flags_value(i, inst);
            return;
        }
        self.clobber();
        let bits = self.view_bits(inst.a);
        let a = self.reg(inst.a);
        self.asm.mov(bits == 64, reg::RAX, a);
        let k = known(&self.code, inst.b).unwrap_or(1);
        match update_of(inst.sub) {
            Update::Inc => self.alu_sized(Alu::Add, bits, Src::Imm(1)),
            Update::Dec => self.alu_sized(Alu::Sub, bits, Src::Imm(1)),
            Update::Shl => self.asm.shift_sized(Shift::Shl as u8, bits, reg::RAX, Some(k as u8)),
            Update::Shr => self.asm.shift_sized(Shift::Shr as u8, bits, reg::RAX, Some(k as u8)),
            _ => self.asm.shift_sized(Shift::Sar as u8, bits, reg::RAX, Some(k as u8)),
        }
        self.release_args(i);
        self.host_flags = Some((i, false));
        self.loc[i as usize] = Loc::Flags;
    }

    // ---- steps ----

    fn fetch_src(&mut self, d: u8, s: Src, bits: u32) {
        match s {
            Src::Reg(h) => self.asm.mov(bits == 64, d, h),
            Src::Mem(m) => self.asm.load((bits / 8) as u64, d, m),
            Src::Imm(x) => self.asm.mov_imm(d, if bits == 64 { x as i64 as u64 } else { x as u32 as u64 }),
        }
    }

    /// Arithmetic of RAX with a source, of any width.
    fn alu_sized(&mut self, op: Alu, bits: u32, s: Src) {
        match (s, bits) {
            (Src::Reg(h), 8) => self.asm.alu8(op, reg::RAX, h),
            (Src::Reg(h), 16) => self.asm.alu16(op, reg::RAX, h),
            (Src::Reg(h), _) => self.asm.alu(op, bits == 64, reg::RAX, h),
            (Src::Mem(m), _) => self.asm.alu_mem_sized(op, bits, reg::RAX, m),
            (Src::Imm(x), _) => self.asm.alu_imm_sized(op, bits, reg::RAX, x),
        }
    }

    /// TEST of RAX with itself.
    fn test_sized(&mut self, bits: u32) {
        match bits {
            8 => self.asm.test8(reg::RAX),
            16 => self.asm.alu16(Alu::And, reg::RAX, reg::RAX),
            _ => self.asm.test(bits == 64, reg::RAX, reg::RAX),
        }
    }

    /// Computes one operation's flags into memory; RAX and the host's flags change.
    fn step(&mut self, s: Step, to: Mem) {
        match s.kind {
            Kind::Mul => return self.multiply_step(&s, to),
            Kind::Shift(update) => return self.shift_step(&s, update, to),
            _ => {}
        }
        self.fetch_src(reg::RAX, s.a, s.bits);
        let carry = match s.carry {
            Src::Imm(0) => false,
            Src::Imm(_) => {
                self.asm.byte(0xF9);
                true
            }
            Src::Reg(h) => {
                self.asm.bt(false, h, 0);
                true
            }
            Src::Mem(m) => {
                self.asm.bt_mem(m, 0);
                true
            }
        };
        match s.kind {
            Kind::Add => self.alu_sized(if carry { Alu::Adc } else { Alu::Add }, s.bits, s.b),
            Kind::Sub => self.alu_sized(if carry { Alu::Sbb } else { Alu::Sub }, s.bits, s.b),
            Kind::AddBack => {
                self.alu_sized(Alu::Sub, s.bits, s.b);
                self.alu_sized(Alu::Add, s.bits, s.b);
            }
            Kind::SubBack => {
                self.alu_sized(Alu::Add, s.bits, s.b);
                self.alu_sized(Alu::Sub, s.bits, s.b);
            }
            _ => {
                self.test_sized(s.bits);
                self.asm.byte(0x9F);
                self.asm.alu_imm(Alu::And, false, reg::RAX, OF_RESULT);
                self.asm.store(4, to, reg::RAX);
                return;
            }
        }
        self.asm.byte(0x9F);
        self.asm.setcc(Cc::O, reg::RAX);
        self.asm.alu_imm(Alu::And, false, reg::RAX, s.sets as i32);
        self.merge(s.sets, to);
    }

    /// Puts the flags `sets`, in EAX, into memory.
    fn merge(&mut self, sets: u32, to: Mem) {
        if sets == flags::ALL {
            self.asm.store(4, to, reg::RAX);
        } else {
            self.asm.alu_mem_imm(Alu::And, false, to, (flags::ALL & !sets) as i32);
            self.asm.alu_store(Alu::Or, to, reg::RAX);
        }
    }

    fn multiply_step(&mut self, s: &Step, to: Mem) {
        let scratch = file(words::SCRATCH.offset());
        self.asm.store(8, scratch, reg::RCX);
        self.fetch_src(reg::RAX, s.a, s.bits);
        self.fetch_src(reg::RCX, s.b, s.bits);
        if s.bits < 32 {
            self.asm.sext(s.bits, false, reg::RAX, reg::RAX);
            self.asm.sext(s.bits, false, reg::RCX, reg::RCX);
            self.asm.imul(false, reg::RAX, reg::RCX);
            self.asm.sext(s.bits, false, reg::RCX, reg::RAX);
            self.asm.alu(Alu::Cmp, false, reg::RCX, reg::RAX);
            self.asm.setcc(Cc::NE, reg::RCX);
        } else {
            self.asm.imul(s.bits == 64, reg::RAX, reg::RCX);
            self.asm.setcc(Cc::O, reg::RCX);
        }
        self.test_sized(s.bits);
        self.asm.byte(0x9F);
        self.asm.alu_imm(Alu::And, false, reg::RAX, OF_RESULT);
        let fits = self.asm.label();
        self.asm.test_bit0(reg::RCX);
        self.asm.jcc(Cc::E, fits);
        self.asm.alu_imm(Alu::Or, false, reg::RAX, (flags::CF | flags::OF) as i32);
        self.asm.bind(fits);
        self.asm.load(8, reg::RCX, scratch);
        self.asm.store(4, to, reg::RAX);
    }

    fn shift_step(&mut self, s: &Step, update: Update, to: Mem) {
        let [scratch, result] = [words::SCRATCH, words::SCRATCH2].map(|w| file(w.offset()));
        let (n, done) = (s.bits, self.asm.label());
        self.asm.store(8, scratch, reg::RCX);
        self.fetch_src(reg::RAX, s.a, n);
        let rotates = matches!(update, Update::Rol | Update::Ror);
        let narrow = n < 32 && !rotates;
        // Narrow operands are shifted in a wide register, so that CF is what long counts leave.
        let width = if narrow { 64 } else { n };
        if narrow {
            match update {
                Update::Sar => self.asm.sext(n, true, reg::RAX, reg::RAX),
                _ => self.asm.zext(n, reg::RAX, reg::RAX),
            }
        }
        let count = match s.b {
            Src::Imm(k) => Some(k as u8 & 63),
            b => {
                self.fetch_src(reg::RCX, b, 8);
                self.asm.test8(reg::RCX);
                self.asm.jcc(Cc::E, done);
                None
            }
        };
        if narrow && update == Update::Shl {
            self.asm.shift_imm(Shift::Shl, true, reg::RAX, 64 - n as u8);
        }
        let host = match update {
            Update::Shl => Shift::Shl as u8,
            Update::Shr => Shift::Shr as u8,
            Update::Sar => Shift::Sar as u8,
            Update::Rol => 0,
            _ => 1,
        };
        self.asm.shift_sized(host, width, reg::RAX, count);
        if rotates {
            if n < 32 {
                self.asm.zext(n, reg::RAX, reg::RAX);
            }
            self.asm.mov(true, reg::RCX, reg::RAX);
            if update == Update::Rol {
                self.asm.alu_imm(Alu::And, false, reg::RAX, 1);
                self.asm.shift_imm(Shift::Shr, n == 64, reg::RCX, n as u8 - 1);
            } else {
                self.asm.shift_imm(Shift::Shr, n == 64, reg::RAX, n as u8 - 1);
                self.asm.shift_imm(Shift::Shr, n == 64, reg::RCX, n as u8 - 2);
            }
            self.asm.alu(Alu::Xor, false, reg::RCX, reg::RAX);
            self.asm.alu_imm(Alu::And, false, reg::RCX, 1);
            self.asm.shift_imm(Shift::Shl, false, reg::RAX, 8);
            self.asm.alu(Alu::Or, false, reg::RAX, reg::RCX);
        } else {
            self.asm.setcc(Cc::B, reg::RCX);
            self.asm.zext(8, reg::RCX, reg::RCX);
            if narrow && update == Update::Shl {
                self.asm.shift_imm(Shift::Shr, true, reg::RAX, 64 - n as u8);
            } else if narrow {
                self.asm.zext(n, reg::RAX, reg::RAX);
            }
            self.asm.store(8, result, reg::RAX);
            self.test_sized(n);
            self.asm.byte(0x9F);
            self.asm.alu_imm(Alu::And, false, reg::RAX, OF_RESULT);
            self.asm.shift_imm(Shift::Shl, false, reg::RCX, 8);
            self.asm.alu(Alu::Or, false, reg::RAX, reg::RCX);
            if update == Update::Shl {
                // SF and CF differ.
                self.asm.mov(false, reg::RCX, reg::RAX);
                self.asm.shift_imm(Shift::Shr, false, reg::RCX, 7);
                self.asm.alu(Alu::Xor, false, reg::RCX, reg::RAX);
                self.asm.shift_imm(Shift::Shr, false, reg::RCX, 8);
                self.asm.alu_imm(Alu::And, false, reg::RCX, 1);
                self.asm.alu(Alu::Or, false, reg::RAX, reg::RCX);
            } else if update == Update::Shr && count.is_none_or(|k| k == 1) {
                self.asm.load(8, reg::RCX, result);
                self.asm.shift_imm(Shift::Shr, true, reg::RCX, n as u8 - 2);
                self.asm.alu_imm(Alu::And, false, reg::RCX, 1);
                self.asm.alu(Alu::Or, false, reg::RAX, reg::RCX);
            }
        }
        self.merge(update.sets(), to);
        self.asm.bind(done);
        self.asm.load(8, reg::RCX, scratch);
    }
}
