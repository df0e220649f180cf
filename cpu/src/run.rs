//! The interpreter's loop and its decoded-instruction cache.
//!
//! Decoded code is kept by physical page: 1024 handlers with their words. The loop stays inside a page as long as the
//! guest does; entering a page compares its version, which stores to code raise. Within a page it runs straight on to
//! [`Core::run_end`] with one comparison for each instruction: the end of the page or of the budget, or zero as soon
//! as a store hits code. Requests are looked at where branches are taken.

use crate::code::granules;
use crate::core::{Arch, Attention, Core, Raised, Want};
use crate::emit::{Exec, Flow};
use crate::tlb::PAGE_MASK;
use crate::trace::DebugItems;
use std::collections::HashMap;

type Handler<A> = fn(&mut Core<A>, u32) -> Exec<Core<A>>;

/// A decoded instruction.
struct Op<A: Arch> {
    run: Handler<A>,
    word: u32,
}
impl<A: Arch> Clone for Op<A> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<A: Arch> Copy for Op<A> {}

/// The handler of what is not decoded yet: it notes that and stays where it is.
fn undecoded<A: Arch>(core: &mut Core<A>, _: u32) -> Exec<Core<A>> {
    core.decoded.missed = true;
    Ok(Flow::Leave)
}

const OPS: usize = 1024;
type Ops<A> = Box<[Op<A>; OPS]>;

/// Pages of decoded code that are kept unless [`Core::keep_decoded`] says otherwise; 16 KiB each.
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
    /// The instruction that should have run is not decoded.
    missed: bool,
    /// An engine only interprets what is cold, and shows code when it translates it.
    cold: bool,
}

const NOTHING: Recent = Recent { va: 1, space: 0, mode: 0, ram: 0, version: 0, page: 0 };

impl<A: Arch> Default for DecodeCache<A> {
    fn default() -> Self {
        Self {
            pages: Vec::new(),
            map: HashMap::new(),
            limit: PAGES,
            next: 0,
            recent: Box::new([NOTHING; RECENT]),
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
        let m = A::translate(self, pc, Want::Exec, false)?;
        match self.bus.ram(m.pa) {
            Some((ram, _)) => Ok(ram | pc & !PAGE_MASK),
            None => Err(A::unanswered(self, pc, Want::Exec)),
        }
    }

    /// The decoded page that holds `pc`.
    fn page(&mut self, pc: u64) -> Result<usize, Raised> {
        if pc & (A::ALIGN - 1) != 0 {
            return Err(A::misaligned(self, pc, Want::Exec));
        }
        let va = pc & PAGE_MASK;
        let slot = (pc >> 12) as usize % RECENT;
        let r = self.decoded.recent[slot];
        if r.va == va
            && r.space == self.space(va)
            && r.mode == self.mode
            && r.version == self.code.version(r.ram)
        {
            return Ok(r.page as usize);
        }
        let ram = self.fetch(pc)? & PAGE_MASK;
        let version = self.code.version(ram);
        let page = self.decode_page(ram, version);
        self.decoded.recent[slot] =
            Recent { va, space: self.space(va), mode: self.mode, ram, version, page: page as u32 };
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
            ops.fill(Op { run: undecoded, word: 0 });
        }
        page
    }

    /// Takes the instructions of a page for as long as it runs.
    #[inline]
    fn take_ops(&mut self, page: usize) -> Ops<A> {
        let ops = self.decoded.pages[page].ops.take();
        ops.unwrap_or_else(|| Box::new([Op { run: undecoded, word: 0 }; OPS]))
    }

    /// Keeps at most `pages` pages of decoded code, for engines that only interpret what is cold.
    pub fn keep_decoded(&mut self, pages: usize) {
        self.decoded = DecodeCache { limit: pages.max(1), cold: true, ..DecodeCache::default() };
    }

    /// Decodes the instruction at entry `i` of a page, marking its granule as code.
    #[cold]
    #[inline(never)]
    fn decode_at(&mut self, page: usize, i: usize) -> Result<Op<A>, Raised> {
        let Page { ram, mode, .. } = self.decoded.pages[page];
        let at = ram + i as u64 * 4;
        // The mark comes before the look, see `code`.
        if self.code.mark(at, granules(at, 4)) {
            self.tlb.watch(ram);
        }
        let Ok(word) = self.ram.read::<u32>(at) else { return Err(A::unanswered(self, at, Want::Exec)) };
        if self.trace.shows(DebugItems::IN_ASM) && !self.decoded.cold {
            self.show_decoded(word);
        }
        let run = A::decode(word, crate::emit::Cx { mode, features: self.features });
        Ok(Op { run, word })
    }

    /// Whether an instruction did not happen because a recorded run must not reach devices.
    fn refused(&self) -> bool {
        self.journal.as_ref().is_some_and(|j| j.refused)
    }

    /// Interprets up to `budget` instructions.
    pub fn run(&mut self, budget: u64) -> Exit {
        let mut left = budget;
        let exit = self.run_inner::<false>(&mut left);
        self.icount += budget - left;
        exit
    }

    /// Interprets up to the next taken branch, exception, interrupt or change of mode, at most `budget` instructions.
    pub fn run_to_branch(&mut self, budget: u64) -> Exit {
        let mut left = budget;
        let exit = self.run_inner::<true>(&mut left);
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
                let taken = A::interrupt(self);
                if !taken && self.attention.bits() & Attention::STOP != 0 {
                    return Exit::Attention;
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
                    A::deliver(self);
                    *left -= 1;
                    if BRANCH {
                        return Exit::Budget;
                    }
                    continue;
                }
            }
            if watched && !self.refused() {
                A::after(self);
            }
            self.code_hit = false;
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
        let mut i = entry_of(pc);
        let mut from = i;
        self.run_end = end_of(from, left);
        loop {
            let op = &ops[i as usize % OPS];
            let done = (op.run)(self, op.word);
            if done == Ok(Flow::Next) {
                i += 1;
                self.set_pc(base.wrapping_add(4 * i as u64));
                if i < self.run_end {
                    continue;
                }
                return left - (i - from) as u64;
            }
            if done == Ok(Flow::Jump) {
                left -= (i - from) as u64 + 1;
                let pc = self.pc();
                let outside = (pc ^ base) & (PAGE_MASK | (A::ALIGN - 1)) != 0;
                if BRANCH || outside || self.requests() != 0 || left == 0 {
                    return left;
                }
                i = entry_of(pc);
                from = i;
                self.run_end = end_of(from, left);
                continue;
            }
            if self.decoded.missed {
                self.decoded.missed = false;
                if let Ok(op) = self.decode_at(page, i as usize) {
                    ops[i as usize % OPS] = op;
                    continue;
                }
                A::deliver(self);
                return left - (i - from) as u64;
            }
            if done == Ok(Flow::Sync) {
                self.set_pc(base.wrapping_add(4 * i as u64 + 4));
            } else if done == Err(Raised) {
                if self.refused() {
                    return left - (i - from) as u64;
                }
                A::deliver(self);
            }
            return left - (i - from) as u64 - 1;
        }
    }
}

/// The entry of `pc` in its page.
#[inline(always)]
fn entry_of(pc: u64) -> u32 {
    (pc >> 2) as u32 % OPS as u32
}

/// Where a straight run from entry `from` ends: behind the page's last entry, or when `left` instructions are done.
#[inline(always)]
fn end_of(from: u32, left: u64) -> u32 {
    left.saturating_add(from as u64).min(OPS as u64) as u32
}
