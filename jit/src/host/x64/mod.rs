//! The x86-64 back end: one forward walk over a region's IR emits its code.
//!
//! Registers: RBP points into the register file (see [`asm::BIAS`]), R15 holds the TLB bank, RSP a frame of spill
//! slots. RAX, XMM0 and XMM1 are scratch of every lowering. Pins come from [`alloc::PINS`], temporaries are what is
//! left. Slow paths are out of line at the region's end and keep all registers but RAX.

pub mod alloc;
pub mod asm;
pub mod stubs;

mod asm_sized;
mod condition;
mod config;
mod flow;
pub mod fp;
mod fp_cold;
mod fp_convert;
mod int;
mod late;
mod mem;
mod scan;
mod simd;
mod simd_crypto;
mod simd_permute;
mod simd_saturate;
mod simd_shift;
mod simd_shift_by;
mod simd_widen;
mod vec;
mod vex;
mod x86_mxcsr;
mod x86_single;
mod x86_vec;
mod x87;
mod x87_live;

#[cfg(test)]
mod simd_tests;

use super::{Exit, Pins, Site};
use crate::guest::{Guest, X87};
use crate::ir::{Block, Inst, Ir, NONE, Op, Ty, Val, transfer};
use alloc::{Loc, PINS};
use asm::{Asm, Cc, Label, file, reg};
pub use config::Config;
use dynasmrt::DynasmApi;
use late::Late;
use lyrebird_cpu::emit::{Effects, Helper, Transfer};

/// Spill slots of 16 bytes in the frame.
pub const SPILLS: usize = 64;

/// Bytes below the spill slots' end that compiled code owns of the stack.
pub const FRAME: i32 = SPILLS as i32 * 16;

/// What compiling a region gives.
#[derive(Clone, Debug, Default)]
pub struct Compiled {
    /// Where guest registers are kept.
    pub pins: Pins,
    /// Direct jumps to link.
    pub exits: Vec<Exit>,
}

/// Pins that leave temporaries enough for every operation.
const FEW: usize = 6;

/// Vectors that are pinned at most: what is left of XMM2 to XMM15 is for temporaries.
const VECTORS: usize = 8;

/// Vectors that are pinned at most when temporaries are short.
const FEW_VECTORS: usize = 2;

/// The bit of sets of pins that stands for the first pinned vector.
const XPIN: u32 = 16;

/// A vector that is kept in an xmm register.
#[derive(Clone, Copy, Debug)]
struct VectorPin {
    host: u8,
    word: u16,
}

/// A helper.
#[derive(Clone, Copy, Debug)]
struct Helped {
    address: u64,
    effects: Effects,
    /// What it does of the x87's instructions.
    x87: Option<X87>,
    /// It never looks at the x87.
    spares_x87: bool,
}

enum Cold {
    /// A memory access that missed the TLB.
    Access { probe: mem::Probe, back: Label, site: Site, access: mem::Slow, late: Late },
    /// An exception.
    Raise { from: Label, site: Site, exception: u64, late: Late },
    /// An atomic access that missed the TLB.
    Atomic { site: Site, probe: mem::Probe, address: asm::Mem, live: bool, late: Late },
    /// The instruction has to be interpreted.
    Interpret { from: Label, site: Site, late: Late },
    /// An exit of the region, to byte `target` of the page.
    Leave { from: Label, dirty: u32, target: i64, poll: bool, late: Late },
    /// Attention was asked for on the way to byte `target`.
    Poll { from: Label, dirty: u32, target: i64, late: Late },
    /// The budget does not cover the block at `target`.
    Budget { from: Label, dirty: u32, target: i64, count: u32 },
    /// A floating-point operation that the host does not answer for.
    Fp { from: Label, back: Label, slow: fp_cold::Slow },
    /// The guest's MXCSR is not in the host's yet.
    Mxcsr { from: Label, back: Label },
    /// An x87 instruction that is not done inline.
    X87(x87::Slow),
    /// An unlinked direct jump.
    Link { from: Label, number: u32 },
}

/// The back end and the memory it reuses.
pub struct Lower {
    /// The code.
    pub asm: Asm,
    config: Config,
    code: Vec<Inst>,
    blocks: Vec<Block>,
    helpers: Vec<Helped>,
    labels: Vec<Label>,
    pins: Pins,
    xpins: Vec<VectorPin>,
    xpinned: u16,
    /// Constants that follow the code.
    pool: Vec<(u128, Label)>,
    temps: u16,
    dirty_in: Vec<u32>,
    /// By word of the register file: how often the vector there is used.
    vectors: Vec<i32>,
    // Per value.
    loc: Vec<Loc>,
    uses: Vec<u32>,
    root: Vec<Val>,
    clean: Vec<u8>,
    hint: Vec<u8>,
    fuse: Vec<Val>,
    again: Vec<condition::Again>,
    user: Vec<Val>,
    /// Of operations on flags: what is wanted of them; of puts of flags: the last place that may want them.
    late: Vec<u32>,
    /// The operation on registers whose result flags are of.
    made: Vec<Val>,
    pending: Option<late::Pending>,
    /// What the register file knows of the last x87 instruction.
    x87: x87_live::Pointers,
    /// The region keeps the x87 in the register file.
    x87_parked: bool,
    steps: Vec<late::Step>,
    // Allocation state.
    owner: [Val; 16],
    xowner: [Val; 16],
    /// By general register, then by xmm register.
    aliases: [Vec<Val>; 32],
    homes: Vec<Val>,
    spilled: u64,
    kept: Vec<(Val, u8)>,
    locked: u16,
    xlocked: u16,
    /// The flags value that the host's flags hold, and whether the host's carry is its opposite.
    host_flags: Option<(Val, bool)>,
    // Where the walk is.
    block_first: u32,
    now: u32,
    at: u32,
    dirty: u32,
    inside: Option<Label>,
    failed: bool,
    colds: Vec<Cold>,
    exits: Vec<Exit>,
}

impl Default for Lower {
    fn default() -> Self {
        Self {
            asm: Asm::default(),
            config: Config::default(),
            code: Vec::new(),
            blocks: Vec::new(),
            helpers: Vec::new(),
            labels: Vec::new(),
            pins: Pins::default(),
            xpins: Vec::new(),
            xpinned: 0,
            pool: Vec::new(),
            temps: 0,
            dirty_in: Vec::new(),
            vectors: Vec::new(),
            loc: Vec::new(),
            uses: Vec::new(),
            root: Vec::new(),
            clean: Vec::new(),
            hint: Vec::new(),
            fuse: Vec::new(),
            again: Vec::new(),
            user: Vec::new(),
            late: Vec::new(),
            made: Vec::new(),
            pending: None,
            x87: x87_live::Pointers::default(),
            x87_parked: false,
            steps: Vec::new(),
            owner: [NONE; 16],
            xowner: [NONE; 16],
            aliases: Default::default(),
            homes: Vec::new(),
            spilled: 0,
            kept: Vec::new(),
            locked: 0,
            xlocked: 0,
            host_flags: None,
            block_first: 0,
            now: 0,
            at: 0,
            dirty: 0,
            inside: None,
            failed: false,
            colds: Vec::new(),
            exits: Vec::new(),
        }
    }
}

impl Lower {
    /// Compiles a region; the code is in `asm`, to be finished at its address. `None` if it is too complex.
    pub fn region<A: Guest>(&mut self, ir: &mut Ir<A>, config: Config) -> Option<Compiled> {
        self.config = config;
        std::mem::swap(&mut self.code, &mut ir.code);
        std::mem::swap(&mut self.blocks, &mut ir.blocks);
        self.helpers.clear();
        let entry = |h: &&'static Helper<A>| Helped {
            address: std::ptr::from_ref(*h) as u64,
            effects: h.effects,
            x87: A::x87(h),
            spares_x87: A::spares_x87(h),
        };
        self.helpers.extend(ir.helpers.iter().map(entry));
        // A region whose operations need more temporaries than all pins leave gets fewer pins.
        let done = [PINS.len(), FEW].into_iter().any(|most| self.whole(most));
        std::mem::swap(&mut self.code, &mut ir.code);
        std::mem::swap(&mut self.blocks, &mut ir.blocks);
        done.then(|| Compiled { pins: self.pins, exits: std::mem::take(&mut self.exits) })
    }

    fn whole(&mut self, most: usize) -> bool {
        let n = self.code.len();
        self.asm.clear();
        self.colds.clear();
        self.exits.clear();
        self.pool.clear();
        self.steps.clear();
        self.failed = false;
        self.loc.resize(n, Loc::Nowhere);
        self.uses.resize(n, 0);
        self.root.resize(n, NONE);
        self.clean.resize(n, 0);
        self.hint.resize(n, 0xFF);
        self.fuse.resize(n, NONE);
        self.again.resize(n, condition::Again::No);
        self.user.resize(n, NONE);
        self.made.resize(n, NONE);
        self.choose_pins(most);
        let entry = self.dataflow();
        self.labels.clear();
        for _ in 0..self.blocks.len() {
            let l = self.asm.label();
            self.labels.push(l);
        }
        // Invalidation overwrites these eight bytes with a call, in one store.
        self.asm.extend([0x0F, 0x1F, 0x84, 0, 0, 0, 0, 0]);
        self.mxcsr_entry();
        self.x87_entry();
        for p in 0..self.pins.count as usize {
            if entry >> p & 1 != 0 {
                self.asm.load(8, self.pins.host[p], file(self.pins.word[p] * 8));
            }
        }
        for p in 0..self.xpins.len() {
            if entry >> (XPIN + p as u32) & 1 != 0 {
                self.asm.movups_load(self.xpins[p].host, file(self.xpins[p].word * 8));
            }
        }
        for b in 0..self.blocks.len() {
            self.block(b);
        }
        self.cold_paths();
        self.asm.align(16, 0x90);
        for (value, l) in std::mem::take(&mut self.pool) {
            self.asm.bind(l);
            self.asm.data(value);
        }
        !self.failed
    }

    /// The host register that the slot at byte `offset` is pinned to.
    #[inline(always)]
    fn pin_of(&self, offset: u64) -> Option<u8> {
        let word = (offset >> 3) as u16;
        let pins = &self.pins;
        (0..pins.count as usize).find(|&p| pins.word[p] == word).map(|p| pins.host[p])
    }

    /// The xmm register that the vector at byte `offset` is pinned to.
    #[inline(always)]
    fn xpin_of(&self, offset: u64) -> Option<u8> {
        let word = (offset >> 3) as u16;
        self.xpins.iter().find(|p| p.word == word).map(|p| p.host)
    }

    fn pin_number(&self, host: u8) -> u32 {
        (0..self.pins.count as usize).find(|&p| self.pins.host[p] == host).unwrap_or(0) as u32
    }

    /// Pins the most used slots, uses in loops counting more.
    fn choose_pins(&mut self, most: usize) {
        let mut weight = [0u32; 64];
        self.vectors.clear();
        self.vectors.resize(lyrebird_cpu::slot::WORDS, 0);
        for (n, b) in self.blocks.iter().enumerate() {
            let looped = self.blocks.iter().enumerate().any(|(m, from)| {
                m >= n && {
                    let t = &self.code[from.end as usize - 1];
                    let goes =
                        |at: i64| at >= 0 && at as u32 <= b.at && at as u32 <= from.at && b.at <= from.at;
                    match t.op {
                        Op::Jump => goes(t.imm as i64) && self.blocks.iter().any(|x| x.at as u64 == t.imm),
                        Op::Branch => goes(t.targets().0) || goes(t.targets().1),
                        _ => false,
                    }
                }
            });
            let each = if looped { 8 } else { 1 };
            for i in &self.code[b.first as usize..b.end as usize] {
                if matches!(i.op, Op::Get | Op::Put) && (i.imm >> 3) < self.config.pinnable as u64 {
                    weight[(i.imm >> 3) as usize & 63] += each;
                } else if matches!(i.op, Op::Get | Op::Put) {
                    // Vectors are pinned for loops only, and only if nobody looks at parts of them. Constants, like
                    // the zeros above what AVX writes, need no register.
                    let word = (i.imm >> 3) as usize;
                    let constant = i.op == Op::Put && self.code[i.a as usize].op == Op::Lit;
                    let more = if constant && i.ty == Ty::V128 {
                        0
                    } else if i.ty == Ty::V128 && i.imm & 7 == 0 {
                        looped as i32
                    } else {
                        i32::MIN / 2
                    };
                    if let Some(w) = self.vectors.get_mut(word) {
                        *w = w.saturating_add(more);
                    }
                }
            }
        }
        self.pins = Pins::default();
        let mut chosen = 0u64;
        for host in PINS.into_iter().take(most) {
            let best = (0..self.config.pinnable.min(64) as usize)
                .filter(|&w| chosen >> w & 1 == 0 && weight[w] > 0)
                .max_by_key(|&w| (weight[w], std::cmp::Reverse(w)));
            let Some(w) = best else { break };
            chosen |= 1 << w;
            let p = self.pins.count as usize;
            (self.pins.host[p], self.pins.word[p]) = (host, w as u16);
            self.pins.count += 1;
        }
        self.xpins.clear();
        self.xpinned = 0;
        let most = if most > FEW { VECTORS } else { FEW_VECTORS };
        for host in (16 - most as u8..16).rev() {
            let vectors = &self.vectors;
            // The second word of a vector must not be looked at either.
            let whole = |&w: &usize| vectors[w] > 0 && vectors.get(w + 1).is_none_or(|&high| high >= 0);
            let best = (0..vectors.len()).filter(whole).max_by_key(|&w| (vectors[w], std::cmp::Reverse(w)));
            let Some(word) = best else { break };
            self.xpins.push(VectorPin { host, word: word as u16 });
            self.xpinned |= 1 << host;
            self.vectors[word] = 0;
        }
        self.temps = !(1 << reg::RAX | 1 << reg::RSP | 1 << reg::RBP | 1 << reg::R15);
        for p in 0..self.pins.count as usize {
            self.temps &= !(1 << self.pins.host[p]);
        }
    }

    fn pin_bit(&self, offset: u64) -> u32 {
        let word = (offset >> 3) as u16;
        let general = (0..self.pins.count as usize).find(|&p| self.pins.word[p] == word);
        let vector = || self.xpins.iter().position(|p| p.word == word).map(|p| p + XPIN as usize);
        general.or_else(vector).map_or(0, |p| 1 << p)
    }

    /// Which pins may be dirty at each block's start, and which must be loaded at the region's entry.
    fn dataflow(&mut self) -> u32 {
        let n = self.blocks.len();
        let puts = |b: &Block| {
            let code = &self.code[b.first as usize..b.end as usize];
            code.iter().filter(|i| i.op == Op::Put).fold(0, |m, i| m | self.pin_bit(i.imm))
        };
        let written: Vec<u32> = self.blocks.iter().map(puts).collect();
        let successors: Vec<[Option<usize>; 2]> =
            (0..n).map(|b| self.inside_targets(b).map(|t| t.and_then(|at| self.block_at(at)))).collect();
        self.dirty_in.clear();
        self.dirty_in.resize(n, 0);
        let mut changed = true;
        while changed {
            changed = false;
            for b in 0..n {
                let out = self.dirty_in[b] | written[b];
                for s in successors[b].into_iter().flatten() {
                    changed |= self.dirty_in[s] | out != self.dirty_in[s];
                    self.dirty_in[s] |= out;
                }
            }
        }
        // A pin is needed at a block's start if it is read, or stored by an exit, before it is written.
        let (mut needs, mut sets) = (vec![0u32; n], vec![0u32; n]);
        for b in 0..n {
            let block = self.blocks[b];
            let (mut dirty, mut set, mut need, mut inside) = (self.dirty_in[b], 0u32, 0u32, false);
            for i in block.first..block.end {
                let inst = &self.code[i as usize];
                match inst.op {
                    Op::Get => need |= self.pin_bit(inst.imm) & !set,
                    Op::Put => {
                        let bit = self.pin_bit(inst.imm);
                        dirty |= bit;
                        if !inside {
                            set |= bit;
                        } else {
                            need |= bit & !set;
                        }
                    }
                    Op::If => inside = true,
                    Op::EndIf => inside = false,
                    Op::Call => need |= dirty & !set,
                    // Calls keep no vector.
                    Op::Vec | Op::Clock if self.may_call(inst) => need |= dirty & !set & !0 << XPIN,
                    op if op.may_fault() || op.terminal() => need |= dirty & !set,
                    _ => {}
                }
            }
            if self.config.counting {
                need |= self.dirty_in[b];
            }
            (needs[b], sets[b]) = (need, set);
        }
        let mut changed = true;
        while changed {
            changed = false;
            for b in (0..n).rev() {
                let out = successors[b].into_iter().flatten().fold(0, |m, s| m | needs[s]);
                let need = needs[b] | out & !sets[b];
                changed |= need != needs[b];
                needs[b] = need;
            }
        }
        needs.first().copied().unwrap_or(0)
    }

    fn block_at(&self, at: i64) -> Option<usize> {
        let block = self.blocks.iter().position(|b| b.at as i64 == at);
        block.filter(|_| !self.config.alone)
    }

    fn inside_targets(&self, b: usize) -> [Option<i64>; 2] {
        let t = &self.code[self.blocks[b].end as usize - 1];
        match t.op {
            Op::Jump if transfer(t.sub) == Transfer::Jump => [Some(t.imm as i64), None],
            Op::Branch => [Some(t.targets().0), Some(t.targets().1)],
            _ => [None, None],
        }
    }

    fn block(&mut self, b: usize) {
        let Block { at, first, end, count, .. } = self.blocks[b];
        self.block_first = first;
        self.asm.bind(self.labels[b]);
        self.dirty = self.dirty_in[b];
        self.at = at;
        self.host_flags = None;
        self.owner = [NONE; 16];
        self.xowner = [NONE; 16];
        for a in &mut self.aliases {
            a.clear();
        }
        self.homes.clear();
        self.kept.clear();
        self.spilled = 0;
        self.inside = None;
        self.pending = None;
        self.x87 = x87_live::Pointers::default();
        self.scan(first, end);
        if self.config.counting {
            let from = self.asm.label();
            self.asm.alu_mem_imm(asm::Alu::Sub, true, file(crate::words::BUDGET.offset()), count as i32);
            self.asm.jcc(Cc::S, from);
            self.colds.push(Cold::Budget { from, dirty: self.dirty, target: at as i64, count });
        }
        for i in first..end {
            self.now = i;
            self.lower(i, b);
            self.end_pending();
            self.unlock();
            if self.failed {
                return;
            }
        }
    }

    fn lower(&mut self, i: Val, b: usize) {
        let inst = self.code[i as usize];
        if self.root[i as usize] != i {
            return;
        }
        if inst.op.terminal() {
            self.x87_point();
        }
        match inst.op {
            Op::At => self.at = inst.imm as u32,
            Op::Lit => self.loc[i as usize] = Loc::Lit,
            Op::Get => self.get(i, &inst),
            Op::Put => self.put(&inst),
            Op::Page => self.page(i, &inst),
            Op::Un => self.un(i, &inst),
            Op::Bin => self.bin(i, &inst),
            Op::Cmp | Op::Holds => self.condition(i, &inst),
            Op::Zext => self.zext(i, &inst),
            Op::Sext => self.sext(i, &inst),
            Op::Select => self.select(i, &inst),
            Op::Flags => self.flags(i, &inst),
            Op::Update => self.update(i, &inst),
            Op::Load => self.load(i, &inst),
            Op::Store => self.store(&inst),
            Op::LoadPair => self.load_pair(i, &inst),
            Op::Second => self.release(inst.a),
            Op::StorePair => self.store_pair(&inst),
            Op::Rmw => self.rmw(i, &inst),
            Op::Cas => self.cas(i, &inst),
            Op::Fence => self.fence(&inst),
            Op::RaiseIf => self.raise_if(&inst),
            Op::If => self.begin_if(&inst),
            Op::EndIf => self.end_if(),
            Op::Call => self.call(i, &inst),
            Op::Clock => self.clock(i),
            Op::Vec => self.vec(i, &inst),
            Op::Lane => self.lane(i, &inst),
            Op::SetLane => self.set_lane(i, &inst),
            Op::ToVec => self.vec_of(i, &inst),
            Op::Dup => self.dup(i, &inst),
            Op::Jump => self.jump(&inst, b),
            Op::Branch => self.branch(&inst, b),
            Op::JumpTo => self.jump_to(&inst),
            Op::Raise => self.raise(&inst),
            Op::Sync => self.sync(&inst),
            Op::Leave => self.leave(),
        }
    }
}
