//! Lowering of memory accesses: the TLB hit inline, everything else in a slow path out of line.
//!
//! Between the jump to the slow path and the place it comes back to, nothing is emitted but the access itself:
//! registers are the same on both ways.

use super::alloc::Loc;
use super::asm::{Alu, Cc, Label, Mem, file, reg};
use super::{Cold, Lower};
use crate::ir::eval::atomic_of;
use crate::ir::{Inst, Op, Ty, Val, access};
use crate::words;
use lyrebird_cpu::emit::Fence;
use lyrebird_cpu::op::Bin;
use lyrebird_cpu::tlb::SECOND_WAY;
use lyrebird_ram::AtomicOp;

/// A register of either kind.
#[derive(Clone, Copy, Debug)]
pub enum Place {
    /// general
    Int(u8),
    /// vector
    Xmm(u8),
    /// the lowest element of a vector, zeros above if it is loaded
    Low(u8),
}

/// What a slow path does besides the call.
#[derive(Clone, Copy, Debug)]
pub struct Slow {
    /// Address of the access.
    pub address: Mem,
    /// Registers that are loaded, or stored.
    pub values: [Option<Place>; 2],
    /// Whether it is a store.
    pub store: bool,
    /// Whether xmm registers must survive.
    pub live: bool,
}

/// A lookup in the TLB.
pub struct Probe {
    /// Where misses of the first way go.
    pub from: Label,
    /// Where a hit goes on, RAX being what to add to the address.
    pub hit: Label,
    /// The register that holds what the tag must be.
    pub key: u8,
    /// The first way.
    entry: Mem,
    tag: i32,
}

pub(super) const READ: i32 = 0;
pub(super) const WRITE: i32 = 8;
pub(super) const ADDEND: i32 = 16;

impl Lower {
    /// Leaves an addition of a small constant to the access that uses it as its address.
    pub(super) fn defer_address(&mut self, i: Val, inst: &Inst, op: Bin) -> bool {
        let user = self.user[i as usize];
        let b = self.root(inst.b);
        let yes = op == Bin::Add
            && inst.ty == Ty::I64
            && self.uses[i as usize] == 1
            && self.fuse[i as usize] == u32::MAX
            && user != u32::MAX
            && matches!(self.code[user as usize].op, Op::Load | Op::Store | Op::LoadPair | Op::StorePair)
            && self.root(self.code[user as usize].a) == i
            && self.code[b as usize].op == Op::Lit
            && (-(1 << 30)..1 << 30).contains(&(self.code[b as usize].imm as i64));
        if yes {
            self.loc[i as usize] = Loc::Deferred;
        }
        yes
    }

    /// The address of an access, its base locked.
    fn address(&mut self, v: Val) -> Mem {
        let r = self.root(v);
        if self.loc[r as usize] == Loc::Deferred && self.code[r as usize].op == Op::Bin {
            let inst = self.code[r as usize];
            let base = self.reg(inst.a);
            let disp = self.code[self.root(inst.b) as usize].imm as i64 as i32;
            return Mem { base, index: None, disp };
        }
        Mem { base: self.reg(v), index: None, disp: 0 }
    }

    /// Looks the page of `m` up: afterwards RAX is what to add to the address.
    pub(super) fn probe(&mut self, m: Mem, size: u64, pair: bool, sub: u16, tag: i32) -> Probe {
        let k = access(sub);
        let (from, hit) = (self.asm.label(), self.asm.label());
        let t = self.temp();
        if m.disp == 0 && m.index.is_none() && self.config.bmi2 {
            self.asm.rorx(reg::RAX, m.base, 7);
        } else {
            if m.disp == 0 && m.index.is_none() {
                self.asm.mov(false, reg::RAX, m.base);
            } else {
                self.asm.lea(false, reg::RAX, m);
            }
            self.asm.shift_imm(super::asm::Shift::Shr, false, reg::RAX, 7);
        }
        self.asm.alu_imm(Alu::And, false, reg::RAX, 0x7FE0);
        // Where alignment is checked, the low bits of the key must be zero like the tag's; else the last byte must be
        // on the page.
        let strict = k.aligned || self.config.strict;
        let last = if pair { 2 * size } else { size };
        let (reach, mask) =
            if strict { (last - size, -0x1000 | (size as i32 - 1)) } else { (last - 1, -0x1000) };
        let key = Mem { disp: m.disp + reach as i32, ..m };
        if key.disp == 0 {
            self.asm.mov(true, t, m.base);
        } else {
            self.asm.lea(true, t, key);
        }
        self.asm.alu_imm(Alu::And, true, t, mask);
        let entry = if k.unprivileged {
            self.asm.alu_mem(Alu::Add, true, reg::RAX, file(words::USER_BANK.offset()));
            Mem { base: reg::RAX, index: None, disp: 0 }
        } else {
            Mem { base: reg::R15, index: Some(reg::RAX), disp: 0 }
        };
        self.asm.alu_mem(Alu::Cmp, true, t, Mem { disp: tag, ..entry });
        self.asm.jcc(Cc::NE, from);
        self.asm.load(8, reg::RAX, Mem { disp: ADDEND, ..entry });
        self.asm.bind(hit);
        Probe { from, hit, key: t, entry, tag }
    }

    /// After a miss of the first way, out of line: looks at the second, and goes on here only if that misses too.
    pub(super) fn second_way(&mut self, p: &Probe) {
        let way = |disp| Mem { disp: SECOND_WAY as i32 + disp, ..p.entry };
        let miss = self.asm.label();
        self.asm.alu_mem(Alu::Cmp, true, p.key, way(p.tag));
        self.asm.jcc(Cc::NE, miss);
        self.asm.load(8, reg::RAX, way(ADDEND));
        self.asm.jmp(p.hit);
        self.asm.bind(miss);
    }

    /// Whether xmm registers hold something.
    fn live_xmm(&self) -> bool {
        self.xpinned != 0 || self.xowner.iter().any(|&v| v != u32::MAX)
    }

    fn slow(&mut self, inst: &Inst, probe: Probe, slow: Slow) {
        let pair = matches!(inst.op, Op::LoadPair | Op::StorePair);
        let log2 = inst.ty.bytes().trailing_zeros();
        let site = self.site(log2, pair, inst.sub);
        let late = self.capture();
        let back = self.asm.label();
        self.asm.bind(back);
        self.colds.push(Cold::Access { probe, back, site, access: slow, late });
    }

    fn place(&mut self, v: Val, ty: Ty) -> Place {
        if ty == Ty::V128 {
            return Place::Xmm(self.xdef(v, None));
        }
        let user = self.user[v as usize];
        let scalar = matches!(ty, Ty::I32 | Ty::I64)
            && self.uses[v as usize] == 1
            && self.code[user as usize].op == Op::ToVec
            && self.code[user as usize].a == v;
        if !scalar {
            return Place::Int(self.def(v, None));
        }
        if user == v + 1 {
            // It may be made where the vector goes: nothing is between.
            self.hint[v as usize] = self.hint[user as usize];
        }
        Place::Low(self.xdef(v, None))
    }

    fn fetch(&mut self, ty: Ty, to: Place, m: Mem) {
        match to {
            Place::Int(d) => self.asm.load(ty.bytes(), d, m),
            Place::Xmm(x) => self.asm.movups_load(x, m),
            Place::Low(x) => self.asm.movq_load(ty == Ty::I64, x, m),
        }
    }

    /// Leaves taking the lowest element to the store that is all that happens to it.
    pub(super) fn defer_lane(&mut self, i: Val, inst: &Inst) -> bool {
        let store = match self.user[i as usize] {
            crate::ir::NONE => return false,
            user => self.code[user as usize],
        };
        let yes = self.uses[i as usize] == 1
            && inst.sub == 0
            && matches!(inst.ty, Ty::I32 | Ty::I64)
            && matches!(store.op, Op::Store | Op::StorePair)
            && store.ty == inst.ty
            && self.root(store.a) != i;
        if yes {
            self.loc[i as usize] = Loc::Deferred;
        }
        yes
    }

    fn value(&mut self, v: Val, ty: Ty) -> Place {
        let r = self.root(v);
        let made = self.code[r as usize];
        match self.loc[r as usize] {
            _ if ty == Ty::V128 => Place::Xmm(self.xmm(v)),
            Loc::Deferred if made.op == Op::Lane => Place::Low(self.xmm(made.a)),
            _ => Place::Int(self.reg(v)),
        }
    }

    fn deposit(&mut self, ty: Ty, from: Place, m: Mem) {
        match from {
            Place::Int(s) => self.asm.store(ty.bytes(), m, s),
            Place::Xmm(x) => self.asm.movups_store(m, x),
            Place::Low(x) => self.asm.movq_store(ty == Ty::I64, m, x),
        }
    }

    pub(super) fn load(&mut self, i: Val, inst: &Inst) {
        self.clobber();
        let live = self.live_xmm();
        let m = self.address(inst.a);
        self.release(inst.a);
        let d = self.place(i, inst.ty);
        let probe = self.probe(m, inst.ty.bytes(), false, inst.sub, READ);
        self.fetch(inst.ty, d, Mem { index: Some(reg::RAX), ..m });
        self.slow(inst, probe, Slow { address: m, values: [Some(d), None], store: false, live });
    }

    pub(super) fn load_pair(&mut self, i: Val, inst: &Inst) {
        self.clobber();
        let live = self.live_xmm();
        let size = inst.ty.bytes();
        let m = self.address(inst.a);
        self.release(inst.a);
        let first = self.place(i, inst.ty);
        // A second value that nobody wants may be gone.
        let wanted = self.code.get(i as usize + 1).is_some_and(|s| s.op == Op::Second && s.a == i);
        let second = wanted.then(|| self.place(i + 1, inst.ty));
        let probe = self.probe(m, size, true, inst.sub, READ);
        let high = Mem { index: Some(reg::RAX), disp: m.disp + size as i32, ..m };
        let low = Mem { index: Some(reg::RAX), ..m };
        let clash = |p: Place| matches!(p, Place::Int(d) if d == m.base);
        match second {
            Some(s) if clash(first) => {
                self.fetch(inst.ty, s, high);
                self.fetch(inst.ty, first, low);
            }
            _ => {
                self.fetch(inst.ty, first, low);
                if let Some(s) = second {
                    self.fetch(inst.ty, s, high);
                }
            }
        }
        self.slow(inst, probe, Slow { address: m, values: [Some(first), second], store: false, live });
    }

    pub(super) fn store(&mut self, inst: &Inst) {
        self.clobber();
        let m = self.address(inst.a);
        let v = self.value(inst.b, inst.ty);
        let live = self.live_xmm();
        let probe = self.probe(m, inst.ty.bytes(), false, inst.sub, WRITE);
        self.deposit(inst.ty, v, Mem { index: Some(reg::RAX), ..m });
        self.slow(inst, probe, Slow { address: m, values: [Some(v), None], store: true, live });
        self.release(inst.a);
        self.release(inst.b);
        if access(inst.sub).release && self.config.locked {
            self.barrier();
        }
    }

    pub(super) fn store_pair(&mut self, inst: &Inst) {
        self.clobber();
        let size = inst.ty.bytes();
        let m = self.address(inst.a);
        let lo = self.value(inst.b, inst.ty);
        let hi = self.value(inst.c, inst.ty);
        let live = self.live_xmm();
        let probe = self.probe(m, size, true, inst.sub, WRITE);
        self.deposit(inst.ty, lo, Mem { index: Some(reg::RAX), ..m });
        self.deposit(inst.ty, hi, Mem { index: Some(reg::RAX), disp: m.disp + size as i32, ..m });
        self.slow(inst, probe, Slow { address: m, values: [Some(lo), Some(hi)], store: true, live });
        self.release_operands(inst);
    }

    /// The slow path of an access, out of line.
    pub(super) fn cold_access(&mut self, slow: &Slow) {
        if slow.address.disp == 0 {
            self.asm.store(8, file(words::ADDRESS.offset()), slow.address.base);
        } else {
            self.asm.lea(true, reg::RAX, slow.address);
            self.asm.store(8, file(words::ADDRESS.offset()), reg::RAX);
        }
        let words = [words::VALUE.offset(), words::VALUE2.offset()];
        if slow.store {
            for (v, at) in slow.values.iter().zip(words) {
                match v {
                    Some(Place::Int(s)) => self.asm.store(8, file(at), *s),
                    Some(Place::Xmm(x) | Place::Low(x)) => self.asm.movups_store(file(at), *x),
                    None => {}
                }
            }
        }
        let stubs = &self.config.stubs;
        let stub = match (slow.store, slow.live) {
            (true, false) => stubs.store,
            (true, true) => stubs.store_kept,
            (false, false) => stubs.load,
            (false, true) => stubs.load_kept,
        };
        self.asm.call_to(stub);
        if !slow.store {
            for (v, at) in slow.values.iter().zip(words) {
                match v {
                    Some(Place::Int(d)) => self.asm.load(8, *d, file(at)),
                    Some(Place::Xmm(x) | Place::Low(x)) => self.asm.movups_load(*x, file(at)),
                    None => {}
                }
            }
        }
    }

    // ---- atomics ----

    /// Looks the page of an atomic access up: afterwards RAX is what to add to the address.
    fn atomic_probe(&mut self, inst: &Inst, address: Mem) {
        let (bytes, sub) = (inst.ty.bytes(), inst.sub | 1);
        let live = self.live_xmm();
        let probe = self.probe(address, bytes, false, sub, WRITE);
        let site = self.site(bytes.trailing_zeros(), false, inst.sub);
        let late = self.capture();
        self.colds.push(Cold::Atomic { site, probe, address, live, late });
    }

    /// The slow path of an atomic access.
    pub(super) fn cold_atomic(&mut self, address: Mem, live: bool) {
        self.asm.lea(true, reg::RAX, address);
        self.asm.store(8, file(words::ADDRESS.offset()), reg::RAX);
        let stubs = &self.config.stubs;
        self.asm.call_to(if live { stubs.atomic_kept } else { stubs.atomic });
        self.asm.load(8, reg::RAX, file(words::VALUE.offset()));
    }

    /// Leaves the instruction to the interpreter: for forms without a lowering.
    pub(super) fn give_up(&mut self, i: Val, inst: &Inst) {
        let from = self.asm.label();
        self.asm.jmp(from);
        let site = self.site(0, false, 0);
        let late = self.capture();
        self.colds.push(Cold::Interpret { from, site, late });
        self.release_operands(inst);
        if inst.ty == Ty::V128 {
            self.xdef(i, None);
        } else {
            self.def(i, None);
        }
    }

    pub(super) fn rmw(&mut self, i: Val, inst: &Inst) {
        self.clobber();
        let op = atomic_of(inst.imm);
        let bytes = inst.ty.bytes();
        let extreme = matches!(op, AtomicOp::Smax | AtomicOp::Smin | AtomicOp::Umax | AtomicOp::Umin);
        if extreme && bytes < 4 {
            return self.give_up(i, inst);
        }
        let wide = bytes == 8;
        let lock = self.config.locked;
        let m = self.address(inst.a);
        let v = self.reg(inst.b);
        self.atomic_probe(inst, m);
        let at = self.temp();
        self.asm.lea(true, at, Mem { base: m.base, index: Some(reg::RAX), disp: m.disp });
        let cell = Mem { base: at, index: None, disp: 0 };
        match op {
            AtomicOp::Add => {
                self.asm.mov(true, reg::RAX, v);
                self.asm.atomic(lock, bytes, &[0x0F, 0xC1], cell, reg::RAX);
            }
            AtomicOp::Swap => {
                self.asm.mov(true, reg::RAX, v);
                self.asm.atomic(false, bytes, &[0x87], cell, reg::RAX);
            }
            _ => {
                let t = self.temp();
                self.asm.load(bytes, reg::RAX, cell);
                let again = self.asm.label();
                self.asm.bind(again);
                self.asm.mov(wide, t, reg::RAX);
                match op {
                    AtomicOp::And => self.asm.alu(Alu::And, wide, t, v),
                    AtomicOp::Or => self.asm.alu(Alu::Or, wide, t, v),
                    AtomicOp::Xor => self.asm.alu(Alu::Xor, wide, t, v),
                    _ => {
                        self.asm.alu(Alu::Cmp, wide, t, v);
                        let cc = match op {
                            AtomicOp::Smax => Cc::L,
                            AtomicOp::Smin => Cc::G,
                            AtomicOp::Umax => Cc::B,
                            _ => Cc::A,
                        };
                        self.asm.cmov(cc, wide, t, v);
                    }
                }
                self.asm.atomic(lock, bytes, &[0x0F, 0xB1], cell, t);
                self.asm.jcc(Cc::NE, again);
            }
        }
        self.release(inst.a);
        self.release(inst.b);
        let d = self.def(i, None);
        if bytes < 4 {
            self.asm.zext(inst.ty.bits(), d, reg::RAX);
        } else {
            self.asm.mov(wide, d, reg::RAX);
        }
    }

    pub(super) fn cas(&mut self, i: Val, inst: &Inst) {
        if inst.ty == Ty::V128 {
            self.clobber();
            return self.give_up(i, inst);
        }
        self.clobber();
        let bytes = inst.ty.bytes();
        let m = self.address(inst.a);
        let expected = self.reg(inst.b);
        let new = self.reg(inst.c);
        self.atomic_probe(inst, m);
        let at = self.temp();
        self.asm.lea(true, at, Mem { base: m.base, index: Some(reg::RAX), disp: m.disp });
        self.asm.mov(true, reg::RAX, expected);
        let cell = Mem { base: at, index: None, disp: 0 };
        self.asm.atomic(self.config.locked, bytes, &[0x0F, 0xB1], cell, new);
        self.release_operands(inst);
        let d = self.def(i, None);
        // A failed exchange leaves the old value, zero or not above; a successful one leaves what was expected.
        if bytes < 4 {
            self.asm.zext(inst.ty.bits(), d, reg::RAX);
        } else {
            self.asm.mov(bytes == 8, d, reg::RAX);
        }
    }

    /// A full barrier; flags are clobbered.
    fn barrier(&mut self) {
        // LOCK OR DWORD [RSP], 0
        self.asm.extend([0xF0, 0x83, 0x0C, 0x24, 0x00]);
    }

    pub(super) fn fence(&mut self, inst: &Inst) {
        if inst.sub == Fence::Full as u16 && self.config.locked {
            self.clobber();
            self.barrier();
        }
    }
}
