//! Removes values nobody uses and slot writes that are overwritten before anybody can see them.
//!
//! A write is seen by a later read, by everything that may leave for an exception, by helpers that read state, and by
//! the exits. The condition flags are followed across blocks: a block that always sets them before anything can see
//! them does not want them, and a forward jump to it is not an exit. Writes of flags that only ways out of the block
//! see are marked [`LAZY`], if the guest's flags can be computed there.

use crate::guest::Guest;
use crate::ir::{Inst, Ir, LAZY, NONE, Op, Ty, Val, VecForm, flags};
use lyrebird_cpu::slot::WORDS;

/// Who may see the flags that a place leaves.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Seen {
    /// nobody
    Nowhere,
    /// whoever comes out of the compiled code here
    Outside,
    /// code that reads the slot
    Wherever,
}

/// The pass and its memory.
pub struct Dead {
    counting: bool,
    uses: Vec<u32>,
    /// For each word: bits that are overwritten later, stamped.
    covered: Vec<(u32, u32)>,
    stamp: u32,
    wants: Vec<bool>,
    order: Vec<usize>,
    gone: Vec<bool>,
    renumbered: Vec<Val>,
}

impl Default for Dead {
    fn default() -> Self {
        Self {
            counting: false,
            uses: Vec::new(),
            covered: vec![(0, 0); WORDS],
            stamp: 0,
            wants: Vec::new(),
            order: Vec::new(),
            gone: Vec::new(),
            renumbered: Vec::new(),
        }
    }
}

impl Dead {
    /// Runs over all blocks. Where instructions are counted, every block may be the last of a run.
    pub fn run<A: Guest>(&mut self, ir: &mut Ir<A>, counting: bool) {
        self.counting = counting;
        self.uses.clear();
        self.uses.resize(ir.code.len(), 0);
        self.gone.clear();
        self.gone.resize(ir.code.len(), false);
        self.plan_wants(ir);
        for b in 0..ir.blocks.len() {
            self.block(ir, b);
        }
        self.compact(ir);
    }

    /// Which blocks may let somebody see the flags they are entered with.
    fn plan_wants<A: Guest>(&mut self, ir: &Ir<A>) {
        self.wants.clear();
        self.wants.resize(ir.blocks.len(), true);
        self.order.clear();
        self.order.extend(0..ir.blocks.len());
        self.order.sort_unstable_by_key(|&b| std::cmp::Reverse(ir.blocks[b].at));
        for &b in &self.order {
            let block = &ir.blocks[b];
            self.wants[b] = match wants_flags(ir, &ir.code[block.first as usize..block.end as usize]) {
                Some(wants) => wants,
                // Who only jumps forward, and not out, leaves them to others, which come earlier in this order.
                None => {
                    let last = &ir.code[block.end as usize - 1];
                    let expected = if last.op == Op::Branch { 2 } else { 1 };
                    let targets = ir.successors(block).into_iter().flatten();
                    let forward = targets.filter(|&at| at > block.at as i64).filter_map(|at| ir.block_at(at));
                    forward.filter(|&t| !self.wants[t]).count() < expected
                }
            };
        }
    }

    /// Who may see the flags after block `b`.
    fn flags_seen_after<A: Guest>(&self, ir: &Ir<A>, b: usize) -> Seen {
        if self.counting {
            return Seen::Wherever;
        }
        let block = &ir.blocks[b];
        let last = &ir.code[block.end as usize - 1];
        let out = if A::LATE_FLAGS { Seen::Outside } else { Seen::Wherever };
        if matches!(last.op, Op::Sync | Op::Leave) {
            return Seen::Wherever;
        }
        let targets = ir.successors(block);
        let expected = if last.op == Op::Branch { 2 } else { 1 };
        let mut seen = if targets.iter().flatten().count() == expected { Seen::Nowhere } else { out };
        for &at in targets.iter().flatten() {
            seen = seen.max(match ir.block_at(at) {
                Some(t) if self.wants[t] => Seen::Wherever,
                // Backward jumps poll for interrupts, which see everything.
                Some(_) if at > block.at as i64 => Seen::Nowhere,
                _ => out,
            });
        }
        seen
    }

    fn block<A: Guest>(&mut self, ir: &mut Ir<A>, b: usize) {
        self.stamp += 1;
        let slot = A::FLAGS.offset() as u64;
        let (mut seen, mut inside) = (self.flags_seen_after(ir, b), false);
        let (first, end) = (ir.blocks[b].first as usize, ir.blocks[b].end as usize);
        for i in (first..end).rev() {
            let inst = ir.code[i];
            let flags_put = inst.op == Op::Put && inst.imm == slot;
            let keep = match inst.op {
                Op::Put if flags_put => inside || seen != Seen::Nowhere,
                Op::Put => self.put(&inst),
                op if op.effect() => true,
                // Cumulative status outlives an unused result.
                Op::Vec if touches_env(&inst) => true,
                _ => self.uses[i] > 0,
            };
            if flags_put && !inside {
                if seen == Seen::Outside && A::LATE_FLAGS && flags::chain(&ir.code, inst.a, slot).is_some() {
                    ir.code[i].sub = LAZY;
                }
                seen = Seen::Nowhere;
            }
            if !keep {
                self.gone[i] = true;
                continue;
            }
            for a in inst.args() {
                self.uses[a as usize] += 1;
            }
            match inst.op {
                Op::Get if inst.imm & !7 == slot & !7 => seen = Seen::Wherever,
                Op::Get => self.see(inst.imm, inst.ty),
                Op::Call => {
                    let e = ir.helpers[inst.imm as usize].effects;
                    if e.reads || e.raises || e.writes {
                        self.stamp += 1;
                        let spares = A::LATE_FLAGS
                            && flags::known(&ir.code, inst.a)
                                .is_some_and(|what| A::spares_flags(ir.helpers[inst.imm as usize], what));
                        seen = seen.max(if spares { Seen::Outside } else { Seen::Wherever });
                    }
                }
                Op::Vec if touches_env(&inst) => {
                    self.see(A::FP_STATUS.offset() as u64, Ty::I64);
                    self.see(A::FP_CONTROL.offset() as u64, Ty::I64);
                }
                Op::If | Op::EndIf => {
                    self.stamp += 1;
                    inside = inst.op == Op::EndIf;
                    seen = Seen::Wherever;
                }
                op if op.may_fault() => {
                    self.stamp += 1;
                    seen = seen.max(Seen::Outside);
                }
                _ => {}
            }
        }
    }

    /// Notes a write, walking backwards. Whether somebody sees it.
    fn put(&mut self, inst: &Inst) -> bool {
        let word = (inst.imm >> 3) as usize % WORDS;
        if inst.imm & 7 != 0 {
            return true;
        }
        let bits = inst.ty.bits().min(64);
        let mut seen = false;
        for w in word..(word + 1 + (inst.ty == Ty::V128) as usize).min(WORDS) {
            let (stamp, covered) = self.covered[w];
            if stamp != self.stamp || covered < bits {
                seen = true;
            }
        }
        if seen {
            for w in word..(word + 1 + (inst.ty == Ty::V128) as usize).min(WORDS) {
                let (stamp, covered) = self.covered[w];
                let before = if stamp == self.stamp { covered } else { 0 };
                self.covered[w] = (self.stamp, before.max(bits));
            }
        }
        seen
    }

    fn see(&mut self, offset: u64, ty: Ty) {
        let word = (offset >> 3) as usize % WORDS;
        for w in word..(word + 1 + (ty == Ty::V128) as usize).min(WORDS) {
            self.covered[w].0 = 0;
        }
    }

    fn compact<A: Guest>(&mut self, ir: &mut Ir<A>) {
        self.renumbered.clear();
        self.renumbered.resize(ir.code.len(), NONE);
        let mut to = 0;
        for b in 0..ir.blocks.len() {
            let (first, end) = (ir.blocks[b].first as usize, ir.blocks[b].end as usize);
            ir.blocks[b].first = to as u32;
            for i in first..end {
                if self.gone[i] {
                    continue;
                }
                let mut inst = ir.code[i];
                for v in [&mut inst.a, &mut inst.b, &mut inst.c].into_iter().take(inst.op.args()) {
                    *v = self.renumbered[*v as usize];
                }
                self.renumbered[i] = to as Val;
                ir.code[to] = inst;
                to += 1;
            }
            ir.blocks[b].end = to as u32;
        }
        ir.code.truncate(to);
    }
}

/// Whether a vector operation reads or accumulates floating-point status.
fn touches_env(inst: &Inst) -> bool {
    VecForm::unpack(inst.imm).is_some_and(|v| v.op.touches_env())
}

/// Whether a block may let somebody see the flags it was entered with; nothing if that is up to where it goes.
fn wants_flags<A: Guest>(ir: &Ir<A>, code: &[Inst]) -> Option<bool> {
    let flags = A::FLAGS.offset() as u64;
    for inst in code {
        match inst.op {
            Op::Put if inst.imm == flags => return Some(false),
            Op::Get if inst.imm & !7 == flags => return Some(true),
            Op::Call if ir.helpers[inst.imm as usize].effects != lyrebird_cpu::emit::Effects::NONE => {
                return Some(true);
            }
            Op::If => return Some(true),
            Op::Jump | Op::Branch => return None,
            op if op.may_fault() || op.terminal() => return Some(true),
            _ => {}
        }
    }
    Some(true)
}
