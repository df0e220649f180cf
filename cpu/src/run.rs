//! The interpreter's loop and its decoded-instruction cache.
//!
//! Decoded code is kept by physical page: 1024 handlers with their words. The loop stays inside a page as long as the
//! guest does; entering a page compares its version, which stores to code raise.

use crate::code::granules;
use crate::core::{Arch, Attention, Core, Raised, Want};
use crate::emit::{Exec, Flow};
use crate::tlb::PAGE_MASK;
use std::collections::HashMap;

type Handler<A> = (fn(&mut Core<A>, u32) -> Exec<Core<A>>, u32);

/// A decoded instruction.
pub(crate) struct Op<A: Arch> {
    /// `None` where nothing is decoded yet.
    run: Option<fn(&mut Core<A>, u32) -> Exec<Core<A>>>,
    word: u32,
}
impl<A: Arch> Clone for Op<A> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<A: Arch> Copy for Op<A> {}

const OPS: usize = 1024;
/// Pages of decoded code that are kept; 16 KiB each.
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

/// Decoded pages and how to find them.
pub(crate) struct DecodeCache<A: Arch> {
    ops: Vec<Op<A>>,
    /// (RAM page, mode) to page number.
    pages: HashMap<(u64, u32), (u32, u32)>,
    owners: Vec<(u64, u32)>,
    next: usize,
    recent: Box<[Recent; RECENT]>,
}

const NOTHING: Recent = Recent { va: 1, space: 0, mode: 0, ram: 0, version: 0, page: 0 };

impl<A: Arch> Default for DecodeCache<A> {
    fn default() -> Self {
        Self {
            ops: Vec::new(),
            pages: HashMap::new(),
            owners: Vec::new(),
            next: 0,
            recent: Box::new([NOTHING; RECENT]),
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

    fn decode_page(&mut self, ram: u64, version: u32) -> usize {
        let key = (ram, self.mode);
        let d = &mut self.decoded;
        let page = match d.pages.get(&key) {
            Some(&(page, v)) if v == version => return page as usize,
            Some(&(page, _)) => page as usize,
            None if d.owners.len() < PAGES => {
                d.owners.push(key);
                d.ops.resize_with(d.owners.len() * OPS, || Op { run: None, word: 0 });
                d.owners.len() - 1
            }
            None => {
                let victim = d.next;
                d.next = (d.next + 1) % PAGES;
                let old = std::mem::replace(&mut d.owners[victim], key);
                d.pages.remove(&old);
                d.recent.fill(NOTHING);
                victim
            }
        };
        d.pages.insert(key, (page as u32, version));
        let blank = Op { run: None, word: 0 };
        d.ops[page * OPS..][..OPS].fill(blank);
        page
    }

    /// Decodes the instruction at entry `i` of a page, marking its granule as code.
    #[cold]
    #[inline(never)]
    fn decode_at(&mut self, page: usize, i: usize) -> Result<Handler<A>, Raised> {
        let (ram, mode) = self.decoded.owners[page];
        let at = ram + i as u64 * 4;
        let Ok(word) = self.ram.read::<u32>(at) else { return Err(A::unanswered(self, at, Want::Exec)) };
        if self.code.mark(at, granules(at, 4)) {
            self.tlb.watch(ram);
        }
        let run = A::decode(word, crate::emit::Cx { mode, features: self.features });
        self.decoded.ops[page * OPS + i] = Op { run: Some(run), word };
        Ok((run, word))
    }

    /// Interprets up to `budget` instructions.
    pub fn run(&mut self, budget: u64) -> Exit {
        let mut left = budget;
        let exit = self.run_inner::<false>(&mut left);
        self.icount += budget - left;
        exit
    }

    /// Interprets up to the next taken branch, exception or change of mode, at most `budget` instructions.
    pub fn run_to_branch(&mut self, budget: u64) -> Exit {
        let mut left = budget;
        let exit = self.run_inner::<true>(&mut left);
        self.icount += budget - left;
        exit
    }

    fn run_inner<const BRANCH: bool>(&mut self, left: &mut u64) -> Exit {
        loop {
            if self.requests() != 0 && !A::interrupt(self) && self.attention.bits() & Attention::STOP != 0 {
                return Exit::Attention;
            }
            if *left == 0 {
                return Exit::Budget;
            }
            let mut pc = self.pc();
            let page = match self.page(pc) {
                Ok(page) => page,
                Err(Raised) => {
                    A::deliver(self);
                    *left -= 1;
                    continue;
                }
            };
            let (va, base) = (pc & PAGE_MASK, page * OPS);
            loop {
                let i = (pc >> 2) as usize & (OPS - 1);
                let op = self.decoded.ops[base + i];
                let (run, word) = match op.run {
                    Some(run) => (run, op.word),
                    None => match self.decode_at(page, i) {
                        Ok(decoded) => decoded,
                        Err(Raised) => {
                            A::deliver(self);
                            break;
                        }
                    },
                };
                *left -= 1;
                match run(self, word) {
                    Ok(Flow::Next) => {
                        pc = pc.wrapping_add(4);
                        self.set_pc(pc);
                    }
                    Ok(Flow::Jump) => {
                        pc = self.pc();
                        if BRANCH || pc & (PAGE_MASK | (A::ALIGN - 1)) != va || self.requests() != 0 {
                            break;
                        }
                    }
                    Ok(Flow::Sync) => {
                        self.set_pc(pc.wrapping_add(4));
                        break;
                    }
                    Ok(Flow::Leave) => break,
                    Err(Raised) => {
                        A::deliver(self);
                        break;
                    }
                }
                if pc & 0xFFF == 0 || *left == 0 || self.code_hit {
                    break;
                }
            }
            self.code_hit = false;
            if self.halted {
                return Exit::Halted;
            }
            if BRANCH {
                return Exit::Budget;
            }
        }
    }
}
