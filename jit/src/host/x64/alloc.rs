//! Register allocation: guest registers are pinned for the whole region, everything else lives inside its block.
//!
//! Values are placed in one forward walk with use counts. A value may be an alias of a pin (it was read from the
//! pinned slot, which still holds it), a temporary, a home in the register file, a spill slot, a constant, or deferred:
//! not computed until its only user asks. RAX and XMM0, XMM1 are never allocated: every lowering may use them.

use super::asm::{Label, Mem, file, reg};
use super::condition::Again;
use super::late::want;
use super::{Lower, SPILLS};
use crate::ir::flags::sets_all;
use crate::ir::{Inst, NONE, Op, Ty, Val};

/// Where a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loc {
    /// not made yet, or gone
    Nowhere,
    /// in a temporary general register
    Reg(u8),
    /// in the host register of a pinned slot
    Pin(u8),
    /// in an xmm register
    Xmm(u8),
    /// in the xmm register of a pinned slot
    XPin(u8),
    /// in a spill slot
    Spill(u8),
    /// in the register file, at this byte
    Home(u16),
    /// a constant
    Lit,
    /// to be computed by its only user
    Deferred,
    /// in the host's flags
    Flags,
}

/// Host registers that may hold pinned slots, best first.
pub const PINS: [u8; 9] =
    [reg::RBX, reg::R12, reg::R13, reg::R14, reg::R8, reg::R9, reg::R10, reg::R11, reg::RDI];

/// The second operand of host arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operand {
    /// a register
    Reg(u8),
    /// memory that holds the value, with zeros above it up to the width of use
    Mem(Mem),
    /// a sign-extended constant
    Imm(i32),
}

impl Lower {
    /// The value that `v` is a view of.
    #[inline(always)]
    pub fn root(&self, v: Val) -> Val {
        self.root[v as usize]
    }

    /// Memory of spill slot `s`.
    pub fn spill_slot(s: u8) -> Mem {
        Mem { base: reg::RSP, index: None, disp: s as i32 * 16 }
    }

    /// Notes one use of `v`; its place is free after the last.
    pub fn release(&mut self, v: Val) {
        let r = self.root(v);
        let left = &mut self.uses[r as usize];
        *left = left.saturating_sub(1);
        if *left == 0 {
            self.drop_value(r);
        }
    }

    /// Says that the operands of `inst` have been used.
    pub fn release_operands(&mut self, inst: &Inst) {
        for a in inst.args() {
            self.release(a);
        }
    }

    fn drop_value(&mut self, r: Val) {
        let loc = std::mem::replace(&mut self.loc[r as usize], Loc::Nowhere);
        match loc {
            Loc::Reg(h) => self.owner[h as usize] = NONE,
            Loc::Xmm(x) => self.xowner[x as usize] = NONE,
            Loc::Pin(h) => self.aliases[h as usize].retain(|&v| v != r),
            Loc::XPin(x) => self.aliases[16 + x as usize].retain(|&v| v != r),
            Loc::Home(_) => self.homes.retain(|&v| v != r),
            Loc::Spill(s) => {
                if !self.kept.iter().any(|&(_, k)| k == s) {
                    self.spilled &= !(1 << s);
                }
            }
            Loc::Flags => self.host_flags = None,
            Loc::Deferred => self.release_args(r),
            Loc::Lit | Loc::Nowhere => {}
        }
    }

    /// Notes one use of each operand of `i`.
    pub fn release_args(&mut self, i: Val) {
        for a in self.operands(i).into_iter().flatten() {
            self.release(a);
        }
    }

    /// The values that `i` is made from.
    pub fn operands(&self, i: Val) -> [Option<Val>; 3] {
        match self.again[i as usize] {
            Again::No => {
                let inst = &self.code[i as usize];
                if matches!(inst.op, Op::Flags | Op::Update) {
                    return match self.late[i as usize] {
                        want::NOTHING => [None; 3],
                        // What is left as it was is not asked for.
                        want::CONDITIONS if inst.op == Op::Update => [Some(inst.a), Some(inst.b), None],
                        want::VALUE if self.needs_steps(inst) => {
                            let [a, b, _] = self.late_operands(i);
                            let partly = inst.op == Op::Update && !sets_all(&self.code, inst);
                            [a, b, partly.then_some(inst.c)]
                        }
                        _ => [Some(inst.a), Some(inst.b), Some(inst.c)],
                    };
                }
                let mut args = inst.args();
                [args.next(), args.next(), args.next()]
            }
            Again::Compare(v) | Again::And(v) => {
                let inst = &self.code[v as usize];
                [Some(inst.a), Some(inst.b), None]
            }
            Again::Test(v) => [Some(v), None, None],
        }
    }

    /// Gives up on the region: it is left to the interpreter.
    #[track_caller]
    #[cold]
    pub fn fail(&mut self) {
        if !self.failed {
            log::debug!(target: "jit", "Giving up at {}", std::panic::Location::caller());
        }
        self.failed = true;
    }

    fn new_spill(&mut self) -> u8 {
        let s = (!self.spilled).trailing_zeros();
        if s as usize >= SPILLS {
            self.fail();
            return 0;
        }
        self.spilled |= 1 << s;
        s as u8
    }

    /// A free general register, evicting a value if need be; locked until the end of the operation.
    pub fn temp(&mut self) -> u8 {
        let free = (0..16u8).find(|&h| {
            self.temps >> h & 1 != 0 && self.locked >> h & 1 == 0 && self.owner[h as usize] == NONE
        });
        let h = free.unwrap_or_else(|| {
            // The value made first is likely to be needed last.
            let victim = (0..16u8)
                .filter(|&h| self.temps >> h & 1 != 0 && self.locked >> h & 1 == 0)
                .min_by_key(|&h| self.owner[h as usize]);
            match victim {
                Some(h) => {
                    self.evict(h);
                    h
                }
                None => {
                    self.fail();
                    reg::RCX
                }
            }
        });
        self.locked |= 1 << h;
        h
    }

    /// Empties general register `h` into a spill slot.
    fn evict(&mut self, h: u8) {
        let v = self.owner[h as usize];
        if v == NONE {
            return;
        }
        let s = self.new_spill();
        self.asm.store(8, Self::spill_slot(s), h);
        self.owner[h as usize] = NONE;
        self.loc[v as usize] = Loc::Spill(s);
    }

    /// Makes general register `h`, not a pin, free and locked, moving its value elsewhere.
    pub fn take(&mut self, h: u8) {
        let v = self.owner[h as usize];
        if v != NONE {
            self.locked |= 1 << h;
            let to = self.temp();
            self.asm.mov(true, to, h);
            self.owner[h as usize] = NONE;
            self.owner[to as usize] = v;
            self.loc[v as usize] = Loc::Reg(to);
            // The moved value stays usable by this operation's operands, which ask again after a take.
        }
        self.locked |= 1 << h;
    }

    /// A free xmm register, evicting a value if need be; locked until the end of the operation.
    pub fn xtemp(&mut self) -> u8 {
        let taken = self.xlocked | self.xpinned;
        let free = (2..16u8).find(|&x| taken >> x & 1 == 0 && self.xowner[x as usize] == NONE);
        let x = free.unwrap_or_else(|| {
            let victim = (2..16u8).filter(|&x| taken >> x & 1 == 0).min_by_key(|&x| self.xowner[x as usize]);
            match victim {
                Some(x) => {
                    self.xevict(x);
                    x
                }
                None => {
                    self.fail();
                    2
                }
            }
        });
        self.xlocked |= 1 << x;
        x
    }

    fn xevict(&mut self, x: u8) {
        let v = self.xowner[x as usize];
        if v != NONE {
            let s = self.new_spill();
            self.asm.movups_store(Self::spill_slot(s), x);
            self.xowner[x as usize] = NONE;
            self.loc[v as usize] = Loc::Spill(s);
        }
    }

    /// Empties all xmm registers, before a call.
    pub fn xflush(&mut self) {
        for x in 2..16 {
            self.xevict(x);
        }
    }

    /// The value in a general register, for reading, locked. Bits above its type are as its root left them.
    pub fn reg(&mut self, v: Val) -> u8 {
        let r = self.root(v);
        let h = match self.loc[r as usize] {
            Loc::Reg(h) | Loc::Pin(h) => h,
            loc => {
                let h = match loc {
                    Loc::Deferred | Loc::Flags | Loc::Nowhere => {
                        self.materialise(r);
                        match self.loc[r as usize] {
                            Loc::Reg(h) => h,
                            _ => {
                                self.fail();
                                reg::RCX
                            }
                        }
                    }
                    Loc::Lit => {
                        let h = self.temp();
                        self.asm.mov_imm(h, self.code[r as usize].imm);
                        h
                    }
                    Loc::Spill(s) => {
                        let h = self.temp();
                        self.asm.load(8, h, Self::spill_slot(s));
                        if !self.kept.iter().any(|&(_, k)| k == s) {
                            self.spilled &= !(1 << s);
                        }
                        h
                    }
                    Loc::Home(offset) => {
                        let h = self.temp();
                        self.asm.load(self.code[r as usize].ty.bytes(), h, file(offset));
                        self.homes.retain(|&v| v != r);
                        h
                    }
                    Loc::Xmm(_) | Loc::XPin(_) | Loc::Reg(_) | Loc::Pin(_) => {
                        self.fail();
                        reg::RCX
                    }
                };
                self.owner[h as usize] = r;
                self.loc[r as usize] = Loc::Reg(h);
                h
            }
        };
        self.locked |= 1 << h;
        h
    }

    /// The value as a second operand of arithmetic that is `wide` (64 bits) or not.
    pub fn operand(&mut self, v: Val, wide: bool) -> Operand {
        let r = self.root(v);
        match self.loc[r as usize] {
            Loc::Lit => {
                let ty = self.code[v as usize].ty;
                let x = self.code[r as usize].imm & ty.mask();
                let signed = if wide { x as i64 } else { x as u32 as i32 as i64 };
                if signed == signed as i32 as i64 {
                    return Operand::Imm(signed as i32);
                }
                Operand::Reg(self.reg(v))
            }
            Loc::Home(offset) if self.uses[r as usize] == 1 && self.home_fits(r, wide) => {
                Operand::Mem(file(offset))
            }
            _ => Operand::Reg(self.reg(v)),
        }
    }

    /// Whether memory at the home of `r` can be read at the width of use.
    fn home_fits(&self, r: Val, wide: bool) -> bool {
        match self.code[r as usize].ty {
            Ty::I64 => true,
            Ty::I32 => !wide,
            _ => false,
        }
    }

    /// The value in an xmm register, for reading, locked.
    pub fn xmm(&mut self, v: Val) -> u8 {
        let r = self.root(v);
        let x = match self.loc[r as usize] {
            Loc::Xmm(x) | Loc::XPin(x) => x,
            loc => {
                let x = self.xtemp();
                match loc {
                    Loc::Spill(s) => {
                        self.asm.movups_load(x, Self::spill_slot(s));
                        if !self.kept.iter().any(|&(_, k)| k == s) {
                            self.spilled &= !(1 << s);
                        }
                    }
                    Loc::Home(offset) => {
                        self.asm.movups_load(x, file(offset));
                        self.homes.retain(|&v| v != r);
                    }
                    Loc::Lit => self.wide_literal(x, self.code[r as usize].wide()),
                    _ => self.fail(),
                }
                self.xowner[x as usize] = r;
                self.loc[r as usize] = Loc::Xmm(x);
                x
            }
        };
        self.xlocked |= 1 << x;
        x
    }

    /// A 128-bit constant in an xmm register; leaves flags alone.
    pub fn wide_literal(&mut self, x: u8, value: u128) {
        if value == 0 {
            self.asm.sse(0x66, &[0xEF], x, x);
            return;
        }
        if value == u128::MAX {
            self.asm.sse(0x66, &[0x76], x, x);
            return;
        }
        let l = self.pooled(value);
        self.asm.movups_label(x, l);
    }

    /// Where the region's code holds `value`.
    pub fn pooled(&mut self, value: u128) -> Label {
        if let Some(&(_, l)) = self.pool.iter().find(|&&(v, _)| v == value) {
            return l;
        }
        let l = self.asm.label();
        self.pool.push((value, l));
        l
    }

    /// Where the result of `v` goes: the pin it is about to be put to if nobody needs what is there, else `prefer` if
    /// that is free now, else a new temporary. Operands must have been released.
    pub fn def(&mut self, v: Val, prefer: Option<u8>) -> u8 {
        let hint = self.hint[v as usize];
        if hint != 0xFF && self.aliases[hint as usize].is_empty() {
            self.loc[v as usize] = Loc::Pin(hint);
            self.aliases[hint as usize].push(v);
            self.locked |= 1 << hint;
            return hint;
        }
        let reusable = prefer.filter(|&h| self.temps >> h & 1 != 0 && self.owner[h as usize] == NONE);
        let h = reusable.unwrap_or_else(|| self.temp());
        self.set_reg(v, h);
        h
    }

    /// Says that `v` is in temporary `h`.
    pub fn set_reg(&mut self, v: Val, h: u8) {
        self.owner[h as usize] = v;
        self.loc[v as usize] = Loc::Reg(h);
        self.locked |= 1 << h;
        if self.uses[v as usize] == 0 {
            self.owner[h as usize] = NONE;
            self.loc[v as usize] = Loc::Nowhere;
        }
    }

    /// The pin that `v` is about to be put to, if nobody needs what is there but `operands`, for the last time.
    fn take_pin(&mut self, v: Val, operands: &[Val]) -> Option<u8> {
        let hint = self.hint[v as usize];
        let pin = hint.checked_sub(16).filter(|&x| x < 16)?;
        let here = |v: Val| operands.iter().filter(|&&o| self.root(o) == v).count();
        if !self.aliases[hint as usize].iter().all(|&v| self.uses[v as usize] as usize <= here(v)) {
            return None;
        }
        self.loc[v as usize] = Loc::XPin(pin);
        self.aliases[hint as usize].push(v);
        Some(pin)
    }

    /// A register for `v`, which may take the place of one of `operands`: it is written only when all of them are read.
    pub fn xdef_over(&mut self, v: Val, operands: &[Val]) -> u8 {
        self.take_pin(v, operands).unwrap_or_else(|| self.xdef(v, None))
    }

    /// A new xmm register for `v`, or `prefer` if that is free now.
    pub fn xdef(&mut self, v: Val, prefer: Option<u8>) -> u8 {
        if let Some(pin) = self.take_pin(v, &[]) {
            return pin;
        }
        let free = |x: u8| x >= 2 && self.xpinned >> x & 1 == 0 && self.xowner[x as usize] == NONE;
        let reusable = prefer.filter(|&x| free(x));
        let x = reusable.unwrap_or_else(|| self.xtemp());
        self.xlocked |= 1 << x;
        if self.uses[v as usize] > 0 {
            self.xowner[x as usize] = v;
            self.loc[v as usize] = Loc::Xmm(x);
        }
        x
    }

    /// Ends an operation: its registers may be evicted again.
    pub fn unlock(&mut self) {
        (self.locked, self.xlocked) = (0, 0);
    }

    /// Moves values that still alias pin `h`, except `but`, to temporaries: the pin is about to change.
    pub fn evacuate(&mut self, h: u8, but: Val) {
        let mut i = 0;
        while i < self.aliases[h as usize].len() {
            let v = self.aliases[h as usize][i];
            if v == but {
                i += 1;
                continue;
            }
            self.aliases[h as usize].swap_remove(i);
            if self.uses[v as usize] > 0 {
                let to = self.temp();
                self.asm.mov(true, to, h);
                self.set_reg(v, to);
            } else {
                self.loc[v as usize] = Loc::Nowhere;
            }
        }
    }

    /// Moves values that still alias pinned vector `x` to temporaries: the pin is about to change.
    pub fn evacuate_vector(&mut self, x: u8) {
        while let Some(v) = self.aliases[16 + x as usize].pop() {
            if self.uses[v as usize] > 0 {
                let to = self.xtemp();
                self.asm.movaps(to, x);
                self.xowner[to as usize] = v;
                self.loc[v as usize] = Loc::Xmm(to);
            } else {
                self.loc[v as usize] = Loc::Nowhere;
            }
        }
    }

    /// Loads values whose home overlaps `len` bytes at `offset` of the register file: they are about to change.
    pub fn evacuate_home(&mut self, offset: u16, len: u16, but: Val) {
        let mut i = 0;
        while i < self.homes.len() {
            let v = self.homes[i];
            let Loc::Home(at) = self.loc[v as usize] else {
                self.homes.swap_remove(i);
                continue;
            };
            let size = self.code[v as usize].ty.bytes() as u16;
            if v == but || at >= offset + len || offset >= at + size {
                i += 1;
                continue;
            }
            if self.code[v as usize].ty == Ty::V128 {
                self.xmm(v);
            } else {
                self.reg(v);
            }
        }
    }

    /// Before control flow inside the block, or a call that writes state: moves every live value to where it stays,
    /// spill slots. `keep` says that the slots hold their values until [`Lower::restore_kept`].
    pub fn settle(&mut self, keep: bool) {
        self.clobber();
        for h in 0..16u8 {
            self.evict(h);
        }
        self.xflush();
        for h in PINS {
            while let Some(v) = self.aliases[h as usize].pop() {
                if self.uses[v as usize] > 0 {
                    let s = self.new_spill();
                    self.asm.store(8, Self::spill_slot(s), h);
                    self.loc[v as usize] = Loc::Spill(s);
                } else {
                    self.loc[v as usize] = Loc::Nowhere;
                }
            }
        }
        for x in 2..16 {
            while let Some(v) = self.aliases[16 + x as usize].pop() {
                if self.uses[v as usize] > 0 {
                    let s = self.new_spill();
                    self.asm.movups_store(Self::spill_slot(s), x);
                    self.loc[v as usize] = Loc::Spill(s);
                } else {
                    self.loc[v as usize] = Loc::Nowhere;
                }
            }
        }
        while let Some(v) = self.homes.pop() {
            let Loc::Home(offset) = self.loc[v as usize] else { continue };
            let s = self.new_spill();
            let ty = self.code[v as usize].ty;
            if ty == Ty::V128 {
                self.asm.movups_load(0, file(offset));
                self.asm.movups_store(Self::spill_slot(s), 0);
            } else {
                self.asm.load(ty.bytes(), reg::RAX, file(offset));
                self.asm.store(8, Self::spill_slot(s), reg::RAX);
            }
            self.loc[v as usize] = Loc::Spill(s);
        }
        self.unlock();
        if keep {
            self.kept.clear();
            for v in self.block_first..self.now {
                if let Loc::Spill(s) = self.loc[v as usize] {
                    self.kept.push((v, s));
                }
            }
        }
    }

    /// At the end of an `If` body: every value that outlives it is in its spill slot again.
    pub fn restore_kept(&mut self) {
        self.host_flags = None;
        for v in self.block_first..self.now {
            match self.loc[v as usize] {
                Loc::Lit | Loc::Deferred => {}
                _ => self.loc[v as usize] = Loc::Nowhere,
            }
        }
        self.owner = [NONE; 16];
        self.xowner = [NONE; 16];
        self.homes.clear();
        for a in &mut self.aliases {
            a.clear();
        }
        self.spilled = 0;
        for (v, s) in std::mem::take(&mut self.kept) {
            if self.uses[v as usize] > 0 {
                self.loc[v as usize] = Loc::Spill(s);
                self.spilled |= 1 << s;
            }
        }
    }
}
