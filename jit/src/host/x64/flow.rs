//! Lowering of control flow: exceptions, helper calls, exits from the region, and the slow paths at its end.

use super::alloc::Loc;
use super::asm::{Alu, Cc, Mem, Shift, file, reg};
use super::late::Late;
use super::{Cold, Lower, XPIN};
use crate::host::{Exit, Site};
use crate::ir::{Inst, Op, Val, transfer};
use crate::words;
use lyrebird_cpu::emit::{Effects, Transfer};

/// Bits of a hashed address, times 16, that select a set of the indirect-branch table.
const TABLE_MASK: i32 = (crate::table::SETS as i32 - 1) << 4;

impl Lower {
    pub(super) fn store_dirty(&mut self, dirty: u32) {
        for p in 0..self.pins.count as usize {
            if dirty >> p & 1 != 0 {
                self.asm.store(8, file(self.pins.word[p] * 8), self.pins.host[p]);
            }
        }
        self.store_dirty_vectors(dirty);
    }

    /// Stores the pinned vectors of `dirty`.
    pub(super) fn store_dirty_vectors(&mut self, dirty: u32) {
        for p in 0..self.xpins.len() {
            if dirty >> (XPIN + p as u32) & 1 != 0 {
                self.asm.movups_store(file(self.xpins[p].word * 8), self.xpins[p].host);
            }
        }
    }

    /// Before a call in the middle of a block, which keeps no xmm register: brings the register file up to date.
    pub(super) fn save_xpins(&mut self) {
        self.store_dirty_vectors(self.dirty);
        if self.inside.is_none() {
            self.dirty &= (1 << XPIN) - 1;
        }
    }

    /// After such a call.
    pub(super) fn load_xpins(&mut self) {
        for p in 0..self.xpins.len() {
            self.asm.movups_load(self.xpins[p].host, file(self.xpins[p].word * 8));
        }
    }

    /// RAX = virtual address of byte `target` of the page.
    fn place_of(&mut self, target: i64) {
        self.asm.load(8, reg::RAX, file(words::PAGE.offset()));
        if target != 0 {
            self.asm.alu_imm(Alu::Add, true, reg::RAX, target as i32);
        }
    }

    pub(super) fn set_pc(&mut self, target: i64) {
        self.place_of(target);
        self.asm.store(8, file(self.config.pc), reg::RAX);
    }

    // ---- exceptions ----

    pub(super) fn site(&self, log2: u32, pair: bool, access: u16) -> Site {
        Site { at: self.at, dirty: self.dirty, log2, pair, access }
    }

    pub(super) fn raise_if(&mut self, inst: &Inst) {
        let from = self.asm.label();
        let cc = self.consume(inst.a);
        self.asm.jcc(cc, from);
        let site = self.site(0, false, 0);
        let late = self.capture();
        self.colds.push(Cold::Raise { from, site, exception: inst.imm, late });
    }

    pub(super) fn raise(&mut self, inst: &Inst) {
        let from = self.asm.label();
        self.asm.jmp(from);
        let site = self.site(0, false, 0);
        let late = self.capture();
        self.colds.push(Cold::Raise { from, site, exception: inst.imm, late });
    }

    // ---- conditional bodies ----

    pub(super) fn begin_if(&mut self, inst: &Inst) {
        self.x87_point();
        self.settle(true);
        let over = self.asm.label();
        let cc = self.consume(inst.a);
        self.asm.jcc(cc.invert(), over);
        self.host_flags = None;
        self.inside = Some(over);
    }

    pub(super) fn end_if(&mut self) {
        self.restore_kept();
        if let Some(over) = self.inside.take() {
            self.asm.bind(over);
        }
    }

    // ---- calls ----

    fn argument(&mut self, v: Val, to: u16) {
        let r = self.root(v);
        if self.loc[r as usize] == Loc::Lit {
            let x = self.code[r as usize].imm;
            if x as i64 == x as i32 as i64 {
                self.asm.mov_mem_imm(true, file(to), x as i32);
            } else {
                self.asm.mov_imm(reg::RAX, x);
                self.asm.store(8, file(to), reg::RAX);
            }
        } else {
            let s = self.reg(v);
            self.asm.store(8, file(to), s);
        }
        self.release(v);
        self.unlock();
    }

    pub(super) fn call(&mut self, i: Val, inst: &Inst) {
        let Some(helped) = self.helpers.get(inst.imm as usize).copied() else { return self.fail() };
        if self.x87(inst, helped) {
            return;
        }
        let effects = helped.effects;
        self.clobber();
        if helped.x87.is_some() {
            // What could leave flags alone finds them as it may leave them.
            let late = self.capture();
            self.compute(late);
        }
        self.x87_point();
        self.x87 = Default::default();
        self.argument(inst.a, words::ADDRESS.offset());
        self.argument(inst.b, words::ARG1.offset());
        self.argument(inst.c, words::ARG2.offset());
        if effects.writes {
            self.settle(false);
        } else {
            self.xflush();
        }
        self.save_xpins();
        if effects != Effects::NONE {
            let dirty = self.dirty;
            self.store_dirty(dirty);
            if self.inside.is_none() {
                self.dirty = 0;
            }
            self.set_pc(self.at as i64);
        }
        self.asm.mov_imm(reg::RAX, helped.address);
        let stubs = &self.config.stubs;
        self.asm.call_to(if helped.spares_x87 { stubs.helper_live } else { stubs.helper });
        if effects.writes && (!effects.ends || self.inside.is_some() || self.reads_follow(i)) {
            for p in 0..self.pins.count as usize {
                self.asm.load(8, self.pins.host[p], file(self.pins.word[p] * 8));
            }
        }
        if !effects.ends || self.inside.is_some() || self.reads_follow(i) {
            self.load_xpins();
        }
        if self.uses[i as usize] > 0 {
            let d = self.def(i, None);
            self.asm.load(8, d, file(words::VALUE.offset()));
        }
    }

    /// Whether the rest of the block reads a slot.
    fn reads_follow(&self, i: Val) -> bool {
        self.code[i as usize..].iter().take_while(|x| !x.op.terminal()).any(|x| x.op == Op::Get)
    }

    pub(super) fn clock(&mut self, i: Val) {
        self.clobber();
        self.xflush();
        self.save_xpins();
        self.asm.call_to(self.config.stubs.clock);
        self.load_xpins();
        let d = self.def(i, None);
        self.asm.load(8, d, file(words::VALUE.offset()));
    }

    // ---- exits ----

    pub(super) fn jump(&mut self, inst: &Inst, b: usize) {
        let target = inst.imm as i64;
        let inside = (transfer(inst.sub) == Transfer::Jump).then(|| self.block_at(target)).flatten();
        match inside {
            Some(t) => {
                if target <= self.blocks[b].at as i64 {
                    self.poll(target);
                }
                if t != b + 1 {
                    self.asm.jmp(self.labels[t]);
                }
            }
            None => {
                let poll = transfer(inst.sub) == Transfer::Poll || target <= self.blocks[b].at as i64;
                let late = self.capture();
                self.compute(late);
                self.leave_to(target, self.dirty, poll);
            }
        }
    }

    pub(super) fn branch(&mut self, inst: &Inst, b: usize) {
        let (taken, next) = inst.targets();
        let cc = self.consume(inst.a);
        self.host_flags = None;
        let at = self.blocks[b].at as i64;
        // What comes back to itself is repeated, and may have stored to the code that follows.
        let polls = next <= at || taken == self.at as i64;
        let (inside, falls) = (self.block_at(taken), self.block_at(next));
        match inside {
            Some(t) if taken <= at => {
                // Backward: the poll is on the way back.
                let over = self.asm.label();
                self.asm.jcc(cc.invert(), over);
                self.requests(reg::RAX);
                self.asm.jcc(Cc::E, self.labels[t]);
                let from = self.asm.label();
                self.asm.jmp(from);
                let late = self.capture();
                self.colds.push(Cold::Poll { from, dirty: self.dirty, target: taken, late });
                self.asm.bind(over);
            }
            Some(t) => self.asm.jcc(cc, self.labels[t]),
            None => {
                let from = self.asm.label();
                self.asm.jcc(cc, from);
                let (poll, late) = (taken <= at, self.capture());
                self.colds.push(Cold::Leave { from, dirty: self.dirty, target: taken, poll, late });
            }
        }
        match falls {
            Some(t) => {
                if polls {
                    self.poll(next);
                }
                if t != b + 1 {
                    self.asm.jmp(self.labels[t]);
                }
            }
            None => {
                let late = self.capture();
                self.compute(late);
                self.leave_to(next, self.dirty, polls);
            }
        }
    }

    /// Sets the host's flags to "not equal" if the engine has requests to look at; `t` is clobbered.
    fn requests(&mut self, t: u8) {
        let here = |base| Mem { base, index: None, disp: 0 };
        self.asm.load(8, t, file(words::ATTENTION.offset()));
        self.asm.load(4, t, here(t));
        self.asm.test_mem(file(self.config.poll_mask), t);
    }

    /// Leaves for byte `target` if somebody asks for attention.
    fn poll(&mut self, target: i64) {
        let from = self.asm.label();
        self.requests(reg::RAX);
        self.asm.jcc(Cc::NE, from);
        let late = self.capture();
        self.colds.push(Cold::Poll { from, dirty: self.dirty, target, late });
    }

    /// Leaves the region for byte `target` of the page, which may be on another page.
    fn leave_to(&mut self, target: i64, dirty: u32, poll: bool) {
        self.store_dirty(dirty);
        if (0..=self.config.last_linked as i64).contains(&target) {
            if poll {
                // The state is in the register file: nothing is dirty on this way.
                let from = self.asm.label();
                self.requests(reg::RAX);
                self.asm.jcc(Cc::NE, from);
                self.colds.push(Cold::Poll { from, dirty: 0, target, late: Late::default() });
            }
            let number = self.exits.len() as u32;
            let from = self.asm.label();
            let patch = self.asm.jmp_aligned(from);
            self.exits.push(Exit { patch, target: target as u32 });
            self.colds.push(Cold::Link { from, number });
        } else {
            self.place_of(target);
            self.indirect();
        }
    }

    /// Goes to the address in RAX through the table; the state is in the register file.
    fn indirect(&mut self) {
        let stubs = self.config.stubs;
        self.requests(reg::RCX);
        self.asm.jcc_to(Cc::NE, stubs.poll);
        // See `Table::set_of`.
        self.asm.mov(false, reg::RDX, reg::RAX);
        self.asm.mov(false, reg::RCX, reg::RAX);
        self.asm.shift_imm(Shift::Shl, false, reg::RDX, 2);
        self.asm.shift_imm(Shift::Shr, false, reg::RCX, 9);
        self.asm.alu(Alu::Xor, false, reg::RDX, reg::RCX);
        self.asm.alu_imm(Alu::And, false, reg::RDX, TABLE_MASK);
        self.asm.alu_mem(Alu::Add, true, reg::RDX, file(words::TABLE.offset()));
        self.asm.alu_mem(Alu::Cmp, true, reg::RAX, Mem { base: reg::RDX, index: None, disp: 0 });
        self.asm.jcc_to(Cc::NE, stubs.miss);
        self.asm.alu_imm(Alu::And, true, reg::RAX, -0x1000);
        self.asm.store(8, file(words::PAGE.offset()), reg::RAX);
        // JMP [RDX + 8]
        self.asm.extend([0xFF, 0x62, 0x08]);
    }

    pub(super) fn jump_to(&mut self, inst: &Inst) {
        let s = self.reg(inst.a);
        let late = self.capture();
        self.compute(late);
        self.asm.mov(true, reg::RAX, s);
        self.release(inst.a);
        self.store_dirty(self.dirty);
        self.indirect();
    }

    pub(super) fn sync(&mut self, inst: &Inst) {
        self.store_dirty(self.dirty);
        self.set_pc(inst.imm as i64);
        self.asm.jmp_to(self.config.stubs.resume);
    }

    pub(super) fn leave(&mut self) {
        self.store_dirty(self.dirty);
        self.asm.jmp_to(self.config.stubs.resume);
    }

    // ---- out of line ----

    pub(super) fn name_site(&mut self, site: u32) {
        self.asm.mov_mem_imm(false, file(words::SITE.offset()), site as i32);
    }

    pub(super) fn cold_paths(&mut self) {
        let stubs = self.config.stubs;
        // Exits may add paths of their own.
        let mut n = 0;
        while n < self.colds.len() {
            let colds = std::mem::take(&mut self.colds);
            for cold in &colds[n..] {
                match cold {
                    Cold::Access { probe, back, site, access, late } => {
                        self.asm.bind(probe.from);
                        self.second_way(probe);
                        self.compute(*late);
                        self.store_dirty_vectors(site.dirty);
                        self.name_site(site.pack());
                        self.cold_access(access);
                        self.asm.jmp(*back);
                    }
                    Cold::Raise { from, site, exception, late } => {
                        self.asm.bind(*from);
                        self.compute(*late);
                        self.store_dirty(site.dirty);
                        self.set_pc(site.at as i64);
                        self.asm.mov_imm(reg::RAX, *exception);
                        self.asm.call_to(stubs.raise);
                    }
                    Cold::Atomic { site, probe, address, live, late } => {
                        self.asm.bind(probe.from);
                        self.second_way(probe);
                        self.compute(*late);
                        self.store_dirty_vectors(site.dirty);
                        self.name_site(site.pack());
                        self.cold_atomic(*address, *live);
                        self.asm.jmp(probe.hit);
                    }
                    Cold::Interpret { from, site, late } => {
                        self.asm.bind(*from);
                        self.compute(*late);
                        self.store_dirty_vectors(site.dirty);
                        self.name_site(site.pack());
                        self.asm.call_to(stubs.interpret);
                    }
                    Cold::Leave { from, dirty, target, poll, late } => {
                        self.asm.bind(*from);
                        self.compute(*late);
                        self.leave_to(*target, *dirty, *poll);
                    }
                    Cold::Poll { from, dirty, target, late } => {
                        self.asm.bind(*from);
                        self.compute(*late);
                        self.store_dirty(*dirty);
                        self.place_of(*target);
                        self.asm.jmp_to(stubs.poll);
                    }
                    Cold::Budget { from, dirty, target, count } => {
                        self.asm.bind(*from);
                        let left = file(words::BUDGET.offset());
                        self.asm.alu_mem_imm(Alu::Add, true, left, *count as i32);
                        self.store_dirty(*dirty);
                        self.place_of(*target);
                        self.asm.jmp_to(stubs.budget);
                    }
                    Cold::Fp { from, back, slow } => {
                        self.asm.bind(*from);
                        self.cold_fp(slow, *back);
                    }
                    Cold::Mxcsr { from, back } => {
                        self.asm.bind(*from);
                        self.mxcsr_take(*back);
                    }
                    Cold::X87(slow) => self.cold_x87(slow),
                    Cold::Link { from, number } => {
                        self.asm.bind(*from);
                        self.name_site(*number);
                        self.asm.call_to(stubs.link);
                    }
                }
            }
            n = colds.len();
            let mut all = colds;
            all.append(&mut self.colds);
            self.colds = all;
        }
    }
}
