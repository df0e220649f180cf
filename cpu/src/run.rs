//! The interpreter's loop and its decoded-instruction cache.
//!
//! Decoded code is kept by physical page: a handler with its operands for every place where an instruction may start.
//! The loop stays inside a page as long as the guest does; entering a page compares its version, which stores to code
//! raise. An instruction that goes on in the next page, which is found by its virtual address, is kept apart with the
//! versions of both. Within a page it runs straight on as far as instructions follow each other, or until a store hits code.
//! Requests are looked at where branches are taken.

use crate::code::granules;
use crate::core::{Arch, Attention, Core, Handler, Insn, Op, Places, Raised, Want};
use crate::emit::{Access, Cx, Exec, Flow};
use crate::handler::MOST;
use crate::tlb::PAGE_MASK;
use crate::trace::DebugItems;
use lyrebird_chain::{At, Only, SECTION};
use std::collections::HashMap;

impl<A: Arch> Op<A> {
    /// Stands where nothing is decoded yet.
    fn undecoded() -> Self {
        Op { run: undecoded, insn: A::Insn::default() }
    }
}

/// The handler of what is not decoded yet, or not here: it goes where it was found the last time, or notes that it is
/// missing and stays where it is.
fn undecoded<A: Arch>(core: &mut Core<A>, at: At<'_, Op<A>>) -> Exec<Core<A>> {
    if let Some(to) = core.follow(at, 0) {
        return (to.value().run)(core, to);
    }
    core.decoded.missed = true;
    core.last = at.mark();
    Ok(Flow::Leave)
}

type Ops<A> = Box<<A as Arch>::Places<Op<A>>>;

/// The longest instruction, in bytes.
pub const LONGEST: usize = 15;

/// The last byte of a page where no instruction goes on in the next, however long it is.
pub const fn last_whole<A: Arch>() -> u64 {
    if A::ALIGN == 1 { 0x1000 - LONGEST as u64 } else { 0xFFF }
}

/// Pages of decoded code that are kept unless [`Core::keep_decoded`] says otherwise; about 16 KiB each.
const PAGES: usize = 512;
/// Entries of the direct-mapped map from virtual to decoded pages.
const RECENT: usize = 256;

#[derive(Clone, Copy)]
struct Recent {
    va: u64,
    space: u64,
    mode: u32,
    ram: u64,
    version: u32,
    page: u32,
    /// The code map's epoch in which the page had that version.
    epoch: u64,
}

struct Page<A: Arch> {
    ram: u64,
    mode: u32,
    /// The loop borrows them while it is in the page.
    ops: Option<Ops<A>>,
}

/// Decoded pages and how to find them.
pub(crate) struct DecodeCache<A: Arch> {
    pages: Vec<Page<A>>,
    /// (RAM page, mode) to page number and version.
    map: HashMap<(u64, u32), (u32, u32)>,
    limit: usize,
    next: usize,
    recent: Box<[Recent; RECENT]>,
    crossing: [Option<Box<Crossing<A>>>; CROSSING],
    /// The instruction that should have run is not decoded.
    missed: bool,
    /// An engine only interprets what is cold, and shows code when it translates it.
    cold: bool,
}

/// Entries of the direct-mapped cache of instructions that go on in the next page.
const CROSSING: usize = 64;

/// An instruction that goes on in the next page.
struct Crossing<A: Arch> {
    pc: u64,
    space: u64,
    mode: u32,
    /// Both pages and their versions.
    pages: [(u64, u32); 2],
    op: Op<A>,
}

const NOTHING: Recent = Recent { va: u64::MAX, space: 0, mode: 0, ram: 0, version: 0, page: 0, epoch: 0 };

impl<A: Arch> Default for DecodeCache<A> {
    fn default() -> Self {
        Self {
            pages: Vec::new(),
            map: HashMap::new(),
            limit: PAGES,
            next: 0,
            recent: Box::new([NOTHING; RECENT]),
            crossing: [const { None }; CROSSING],
            missed: false,
            cold: false,
        }
    }
}

/// Why the interpreter returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The budget is used up.
    Budget,
    /// Somebody asked for attention that the guest's state did not consume.
    Attention,
    /// The processor waits for an interrupt.
    Halted,
}

impl<A: Arch> Core<A> {
    /// Translates `pc` for execution: its RAM offset.
    ///
    /// # Errors
    /// When fetching faults or the code is not in RAM.
    pub fn fetch(&mut self, pc: u64) -> Result<u64, Raised> {
        if pc & (A::ALIGN - 1) != 0 {
            return Err(A::misaligned(self, pc, Want::Exec));
        }
        let m = A::translate(self, pc, Want::Exec, Access::PLAIN)?;
        match self.bus.ram(m.pa) {
            Some((ram, _)) => Ok(ram | pc & !PAGE_MASK),
            None => Err(A::unanswered(self, pc, Want::Exec)),
        }
    }

    /// The decoded page that holds `pc`.
    #[inline(always)]
    fn page(&mut self, pc: u64) -> Result<usize, Raised> {
        let r = &self.decoded.recent[(pc >> 12) as usize % RECENT];
        if r.va == pc & (PAGE_MASK | (A::ALIGN - 1))
            && r.space == self.space(pc)
            && r.mode == self.mode
            && r.epoch == self.code.epoch()
        {
            return Ok(r.page as usize);
        }
        self.find_page(pc)
    }

    /// The same if it is not among the recent ones, or if code was hit since.
    #[inline(never)]
    fn find_page(&mut self, pc: u64) -> Result<usize, Raised> {
        let va = pc & PAGE_MASK;
        let slot = (pc >> 12) as usize % RECENT;
        // The epoch comes before the version, so that it is not newer.
        let epoch = self.code.epoch();
        let r = self.decoded.recent[slot];
        if r.va == pc & (PAGE_MASK | (A::ALIGN - 1))
            && r.space == self.space(pc)
            && r.mode == self.mode
            && r.version == self.code.version(r.ram)
        {
            self.decoded.recent[slot].epoch = epoch;
            return Ok(r.page as usize);
        }
        let ram = self.fetch(pc)? & PAGE_MASK;
        let version = self.code.version(ram);
        let page = self.decode_page(ram, version);
        self.decoded.recent[slot] =
            Recent { va, space: self.space(va), mode: self.mode, ram, version, page: page as u32, epoch };
        Ok(page)
    }

    /// The same in a watched mode, unless something is to be done before the instruction.
    #[cold]
    #[inline(never)]
    fn watched_page(&mut self, pc: u64) -> Result<usize, Raised> {
        A::before_fetch(self)?;
        let page = self.page(pc)?;
        A::before(self)?;
        Ok(page)
    }

    fn decode_page(&mut self, ram: u64, version: u32) -> usize {
        let key = (ram, self.mode);
        let d = &mut self.decoded;
        let page = match d.map.get(&key) {
            Some(&(page, v)) if v == version => return page as usize,
            Some(&(page, _)) => page as usize,
            None if d.pages.len() < d.limit => {
                d.pages.push(Page { ram, mode: self.mode, ops: None });
                d.pages.len() - 1
            }
            None => {
                let victim = d.next;
                d.next = (d.next + 1) % d.limit;
                let page = &mut d.pages[victim];
                d.map.remove(&(page.ram, page.mode));
                (page.ram, page.mode) = key;
                d.recent.fill(NOTHING);
                victim
            }
        };
        d.map.insert(key, (page as u32, version));
        if let Some(ops) = &mut d.pages[page].ops {
            *ops = Places::filled(Op::undecoded());
        }
        page
    }

    /// Takes the instructions of a page for as long as it runs.
    #[inline]
    fn take_ops(&mut self, page: usize) -> Ops<A> {
        let ops = self.decoded.pages[page].ops.take();
        ops.unwrap_or_else(|| Places::filled(Op::undecoded()))
    }

    /// Keeps at most `pages` pages of decoded code, for engines that only interpret what is cold.
    pub fn keep_decoded(&mut self, pages: usize) {
        self.decoded = DecodeCache { limit: pages.max(1), cold: true, ..DecodeCache::default() };
    }

    /// Decodes the instruction at byte `at` of a page, marking its granules as code. `None` if it goes on in the next page.
    #[cold]
    #[inline(never)]
    fn decode_at(&mut self, page: usize, at: u64) -> Result<Option<Op<A>>, Raised> {
        let Page { ram, mode, .. } = self.decoded.pages[page];
        let (at, most) = (ram + at, (LONGEST as u64).min(0x1000 - at));
        // The mark comes before the look, see `code`.
        self.mark_code(at, granules(at, if A::ALIGN > 1 { A::ALIGN } else { most }));
        let mut bytes = [0; LONGEST];
        let bytes = &mut bytes[..most as usize];
        if self.ram.read_bytes(at, bytes).is_err() {
            return Err(A::unanswered(self, at, Want::Exec));
        }
        let Some((run, insn)) = A::decode(bytes, Cx { mode, features: self.features }) else {
            return Ok(None);
        };
        if self.trace.shows(DebugItems::IN_ASM) && !self.decoded.cold {
            self.show_decoded(&bytes[..insn.len() as usize]);
        }
        Ok(Some(Op { run, insn }))
    }

    /// The instruction at `pc` if it goes on in the next page and that is known.
    #[inline(always)]
    fn known_crossing(&self, pc: u64) -> Option<Op<A>> {
        if pc & 0xFFF <= last_whole::<A>() {
            return None;
        }
        let c = self.decoded.crossing[(pc >> 12) as usize % CROSSING].as_ref()?;
        let is = (c.pc, c.mode, c.space) == (pc, self.mode, self.space(pc))
            && c.pages.iter().all(|&(ram, version)| self.code.version(ram) == version);
        is.then_some(c.op)
    }

    /// Decodes the instruction at `pc`, which goes on in the next page.
    #[cold]
    #[inline(never)]
    fn decode_crossing(&mut self, pc: u64) -> Result<Op<A>, Raised> {
        let (space, mode) = (self.space(pc), self.mode);
        let mut bytes = [0; LONGEST];
        let here = (0x1000 - (pc & 0xFFF)) as usize;
        let parts = [(pc, 0..here), (pc.wrapping_add(here as u64), here..bytes.len())];
        let mut pages = [(0, 0); 2];
        for ((at, part), page) in parts.into_iter().zip(&mut pages) {
            let ram = self.fetch(at)?;
            // The mark comes before the look, see `code`.
            *page = (ram & PAGE_MASK, self.mark_code(ram & PAGE_MASK, granules(ram, part.len() as u64)));
            if self.ram.read_bytes(ram, &mut bytes[part]).is_err() {
                return Err(A::unanswered(self, at, Want::Exec));
            }
        }
        let Some((run, insn)) = A::decode(&bytes, Cx { mode, features: self.features }) else {
            return Err(A::unanswered(self, pc, Want::Exec));
        };
        let op = Op { run, insn };
        // Both pages are found under one name, which stands for their translations.
        if (mode, space, space) == (self.mode, self.space(pc), self.space(pc.wrapping_add(LONGEST as u64))) {
            let c = Crossing { pc, space, mode, pages, op };
            self.decoded.crossing[(pc >> 12) as usize % CROSSING] = Some(Box::new(c));
        }
        Ok(op)
    }

    /// Runs a decoded instruction at the PC by itself. Unless it jumps or fails the PC is behind it then.
    ///
    /// # Errors
    /// When it raises an exception, which waits to be delivered.
    pub fn execute(&mut self, run: Handler<A>, insn: A::Insn) -> Exec<Self> {
        let pc = self.pc();
        self.page = pc & PAGE_MASK;
        let end = byte_of(pc) + insn.len();
        let only = Only::new(Op { run, insn }, end as u16);
        let done = run(self, only.at());
        self.settle_flags();
        if done == Ok(Flow::Sync) {
            self.set_pc(self.page.wrapping_add(end as u64));
        }
        done
    }

    /// Whether an instruction did not happen because a recorded run must not reach devices.
    fn refused(&self) -> bool {
        self.journal.as_ref().is_some_and(|j| j.refused)
    }

    /// Interprets up to `budget` instructions.
    pub fn run(&mut self, budget: u64) -> Exit {
        let mut left = budget;
        let exit = self.run_inner::<false>(&mut left);
        self.settle_flags();
        self.icount += budget - left;
        exit
    }

    /// Interprets up to the next taken branch, exception, interrupt or change of mode, at most `budget` instructions.
    pub fn run_to_branch(&mut self, budget: u64) -> Exit {
        let mut left = budget;
        let exit = self.run_inner::<true>(&mut left);
        self.settle_flags();
        self.icount += budget - left;
        exit
    }

    /// Interprets one instruction, with its exception if it has one; interrupts wait until it is done, so that a
    /// debugger's user sees the program and not the handlers.
    pub fn step(&mut self) -> Exit {
        let mask = self.reg(A::POLL_MASK);
        self.set(A::POLL_MASK, 0);
        let exit = self.run_to_branch(1);
        // The instruction may have changed what the state admits; the architecture then has set the mask anew.
        if self.reg(A::POLL_MASK) == 0 {
            self.set(A::POLL_MASK, mask);
        }
        exit
    }

    fn run_inner<const BRANCH: bool>(&mut self, left: &mut u64) -> Exit {
        loop {
            if self.requests() != 0 {
                // The page's version is looked at below.
                self.attention.clear(Attention::CODE);
                self.settle_flags();
                let waited = self.halted;
                let taken = A::interrupt(self);
                if !taken && self.attention.bits() & Attention::STOP != 0 {
                    return Exit::Attention;
                }
                if self.halted && !waited {
                    return Exit::Halted;
                }
                if BRANCH && taken {
                    return Exit::Budget;
                }
            }
            if *left == 0 {
                return Exit::Budget;
            }
            let pc = self.pc();
            // In watched modes one instruction at a time.
            let watched = A::watched(self.mode);
            match if watched { self.watched_page(pc) } else { self.page(pc) } {
                Ok(page) => {
                    let mut ops = self.take_ops(page);
                    let most = if watched { 1 } else { *left };
                    *left -= most - self.run_page::<BRANCH>(page, &mut ops, pc, most);
                    self.decoded.pages[page].ops = Some(ops);
                }
                Err(Raised) => {
                    self.deliver();
                    *left -= 1;
                    if BRANCH {
                        return Exit::Budget;
                    }
                    continue;
                }
            }
            if watched && !self.refused() {
                self.settle_flags();
                A::after(self);
            }
            self.stop.set_code_hit(false);
            if self.refused() {
                return Exit::Attention;
            }
            if self.halted {
                return Exit::Halted;
            }
            if BRANCH {
                return Exit::Budget;
            }
        }
    }

    /// Runs from `pc` until the guest leaves the page, something happened that the page's owner must look at, or
    /// `left` instructions are done; gives what is left of them.
    fn run_page<const BRANCH: bool>(&mut self, page: usize, ops: &mut Ops<A>, pc: u64, mut left: u64) -> u64 {
        let base = pc & PAGE_MASK;
        let outside = |pc: u64| (pc ^ base) & (PAGE_MASK | (A::ALIGN - 1)) != 0;
        self.page = base;
        let mut pc = pc;
        self.stop.set_stepping(false);
        loop {
            // Handlers do not count.
            if left < SECTION as u64 {
                if left == 0 {
                    return 0;
                }
                self.stop.set_stepping(true);
            }
            let first = ops.from(byte_of(pc));
            let most = if BRANCH { 0 } else { left.saturating_sub(SECTION as u64).min(MOST) as i32 };
            self.jumps = most + first.mark().index as i32;
            let mut done = (first.value().run)(self, first);
            left -= (most + self.last.index as i32 - self.jumps) as u64;
            let mut end = self.last.note as u32;
            pc = self.pc();
            if done == Ok(Flow::Jump) {
                left -= 1;
                // Code that was hit is a request, too.
                if BRANCH || outside(pc) || self.requests() != 0 {
                    return left;
                }
                ops.connect(self.last.index, byte_of(pc));
                continue;
            }
            if done == Ok(Flow::Next) {
                left -= 1;
                if self.stop.code_hit() || outside(pc) {
                    return left;
                }
                continue;
            }
            if done == Ok(Flow::Leave) && self.decoded.missed {
                self.decoded.missed = false;
                if outside(pc) {
                    return left;
                }
                if ops.has(byte_of(pc)) {
                    ops.connect(self.last.index, byte_of(pc));
                    continue;
                }
                let op = match self.known_crossing(pc) {
                    Some(op) => Ok(op),
                    None => match self.decode_at(page, byte_of(pc) as u64) {
                        Ok(Some(op)) => {
                            ops.put(byte_of(pc), op.insn.len(), op);
                            continue;
                        }
                        Ok(None) => self.decode_crossing(pc),
                        Err(Raised) => Err(Raised),
                    },
                };
                done = op.and_then(|op| {
                    end = byte_of(pc) + op.insn.len();
                    self.execute(op.run, op.insn)
                });
            }
            if done == Ok(Flow::Sync) {
                self.set_pc(base.wrapping_add(end as u64));
            } else if done == Err(Raised) {
                if self.refused() {
                    return left;
                }
                self.deliver();
            }
            return left - 1;
        }
    }

    /// Takes the exception in `raised`.
    fn deliver(&mut self) {
        self.settle_flags();
        A::deliver(self);
    }
}

/// The byte of `pc` in its page.
#[inline(always)]
fn byte_of(pc: u64) -> u32 {
    pc as u32 & 0xFFF
}
