//! The engine: finds compiled code for where the processor is, runs it, and looks after what it comes back for.
//!
//! Cold code is interpreted up to the next taken branch; a place that was reached often enough is compiled. Each
//! processor has its own tables of indirect-branch targets, one for each context it recently ran in (mode and fetch
//! space), so that an entry is right as long as its table is: a change of mappings renames the space.

use crate::cache::{Cache, Counters, Key, Options, Outcome};
use crate::fetch::Fetches;
use crate::guest::Guest;
use crate::host::{Pins, Site, Why};
use crate::region;
use crate::run;
use crate::table::Table;
use crate::words;
use lyrebird_cpu::core::{Attention, Core, Raised};
use lyrebird_cpu::emit::Exception;
use lyrebird_cpu::run::{Exit, last_whole};
use lyrebird_cpu::slot::Slot;
use lyrebird_cpu::trace::{BLOCKS, DebugItems};
use lyrebird_cpu::width::{W64, W128};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Contexts a processor keeps tables for.
const CONTEXTS: usize = 12;
/// Places whose executions are counted.
const PLACES: usize = 8192;
/// Pages of decoded code that the interpreter keeps: it only runs what is cold.
const DECODED: usize = 96;
/// How long a processor waits for others before it looks for mail.
const LOOK: Duration = Duration::from_micros(100);
/// Budgets below this are interpreted: compiled code does not count.
const EXACT: u64 = 4096;

/// What all processors of a machine share.
pub struct Shared<A: Guest> {
    cache: Mutex<Cache<A>>,
    gate: Mutex<Gate>,
    moved: Condvar,
    /// The cache's generation, changed only while no processor is inside.
    generation: AtomicU64,
    threshold: u32,
    counting: bool,
    whole: bool,
}

#[derive(Default)]
struct Gate {
    /// Processors that may be in compiled code.
    inside: usize,
    /// Somebody wants to flush the cache.
    flushing: bool,
    attentions: Vec<Arc<Attention>>,
}

impl<A: Guest> Shared<A> {
    /// An empty code cache for processors with `features`.
    ///
    /// # Errors
    /// When the host refuses the memory for code.
    pub fn new(options: Options, features: u64) -> std::io::Result<Arc<Self>> {
        let (threshold, counting, whole) = (options.threshold, options.counting, options.whole);
        Ok(Arc::new(Self {
            cache: Mutex::new(Cache::new(options, features)?),
            gate: Mutex::default(),
            moved: Condvar::new(),
            generation: AtomicU64::new(0),
            threshold,
            counting,
            whole,
        }))
    }

    fn cache(&self) -> MutexGuard<'_, Cache<A>> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn gate(&self) -> MutexGuard<'_, Gate> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits while `more` says so. Whom this processor waits for may be waiting for it to read its mail.
    fn wait<'a>(
        &'a self,
        mut gate: MutexGuard<'a, Gate>,
        core: &mut Core<A>,
        more: impl Fn(&Gate) -> bool,
    ) -> MutexGuard<'a, Gate> {
        while more(&gate) {
            if core.attention.bits() & Attention::MAIL != 0 {
                drop(gate);
                A::mail(core);
                gate = self.gate();
            } else {
                let woken = self.moved.wait_timeout(gate, LOOK);
                gate = woken.unwrap_or_else(PoisonError::into_inner).0;
            }
        }
        gate
    }

    fn enter(&self, core: &mut Core<A>) {
        let mut gate = self.wait(self.gate(), core, |gate| gate.flushing);
        gate.inside += 1;
    }

    fn leave(&self) {
        self.gate().inside -= 1;
        self.moved.notify_all();
    }

    /// Steps aside for another processor's flush.
    fn give_way(&self, core: &mut Core<A>) {
        if self.gate().flushing {
            self.leave();
            self.enter(core);
        }
    }

    /// Forgets all code, once every other processor has left it.
    fn flush(&self, core: &mut Core<A>) {
        let mut gate = self.gate();
        if gate.flushing {
            drop(gate);
            self.give_way(core);
            return;
        }
        gate.flushing = true;
        for a in &gate.attentions {
            a.set(Attention::FLUSH);
        }
        gate.inside -= 1;
        gate = self.wait(gate, core, |gate| gate.inside > 0);
        {
            let mut cache = self.cache();
            cache.flush();
            self.generation.store(cache.generation, Ordering::SeqCst);
        }
        gate.flushing = false;
        gate.inside += 1;
        self.moved.notify_all();
    }
}

struct Context {
    mode: u32,
    space: u64,
    used: u64,
    table: Table,
}

/// The translator of one processor.
pub struct Jit<A: Guest> {
    shared: Arc<Shared<A>>,
    contexts: Vec<Context>,
    current: usize,
    /// The context before the current one.
    last: usize,
    clock: u64,
    fetches: Fetches,
    places: Vec<u16>,
    epoch: u64,
    generation: u64,
    registered: bool,
    entry: u64,
    /// Every block is dispatched by itself, so that all are seen.
    alone: bool,
    /// Times that compiled code was entered.
    pub entries: u64,
    /// Times that it went on in another context by itself.
    pub resumed: u64,
    /// Why it came back, by number.
    pub reasons: [u64; 8],
}

impl<A: Guest> Jit<A> {
    /// A translator for one processor.
    pub fn new(shared: &Arc<Shared<A>>) -> Self {
        Self {
            shared: Arc::clone(shared),
            contexts: Vec::new(),
            current: 0,
            last: 0,
            clock: 0,
            fetches: Fetches::default(),
            places: vec![0; PLACES],
            epoch: 0,
            generation: 0,
            registered: false,
            entry: shared.cache().stubs.entry,
            alone: false,
            entries: 0,
            resumed: 0,
            reasons: [0; 8],
        }
    }

    /// The code cache's counters.
    pub fn counters(&self) -> Counters {
        self.shared.cache().counters
    }

    /// What the code at the PC would be compiled to: its IR and its host code, as text.
    pub fn explain(&mut self, core: &mut Core<A>) -> (String, String) {
        let pc = core.pc();
        self.select(core, pc);
        let Some(key) = self.key(core, pc) else { return Default::default() };
        self.shared.cache().explain(key, core)
    }

    /// What `info jit` prints.
    pub fn report(&self) -> String {
        let cache = self.shared.cache();
        let c = cache.counters;
        let (bytes, regions) = cache.usage();
        let per = |x: u64, n: u64| x.checked_div(n).unwrap_or(0);
        format!(
            "Code buffer: {} KiB in {regions} regions\nCompiled: {} regions, {} guest instructions, {} ns each\n\
             Refused: {}; links: {}; invalidated: {}; flushes: {}\nThis processor: entered {} times, resumed {}; left for \
             dispatch {}, link {}, fault {}, poll {}, budget {}, interpretation {}, helper {}, stale {}\n",
            bytes >> 10,
            c.regions,
            c.instructions,
            per(c.nanoseconds, c.instructions),
            c.refused,
            c.links,
            c.invalidated,
            c.flushes,
            self.entries,
            self.resumed,
            self.reasons[0],
            self.reasons[1],
            self.reasons[2],
            self.reasons[3],
            self.reasons[4],
            self.reasons[5],
            self.reasons[6],
            self.reasons[7],
        )
    }

    /// Runs until the budget is used up, somebody asks for attention that the guest does not consume, or the
    /// processor waits. Unless instructions are counted, a large budget is no limit.
    pub fn run(&mut self, core: &mut Core<A>, budget: u64) -> Exit {
        if budget < EXACT && !self.shared.counting {
            return core.run(budget);
        }
        if !self.registered {
            self.registered = true;
            core.keep_decoded(DECODED);
            self.shared.gate().attentions.push(Arc::clone(&core.attention));
        }
        core.set(words::ATTENTION, core.attention.address());
        for (n, x) in (0..).zip(crate::host::x64::fp::CONSTANTS) {
            core.set(Slot::<W128>::word(words::CONSTANTS.offset() / 8 + 2 * n), x);
        }
        core.set(words::BUDGET, budget.min(i64::MAX as u64));
        self.shared.enter(core);
        let exit = self.run_inside(core, budget);
        self.shared.leave();
        if self.shared.counting {
            core.icount += budget - core.reg(words::BUDGET).min(budget);
        }
        exit
    }

    fn run_inside(&mut self, core: &mut Core<A>, budget: u64) -> Exit {
        loop {
            let bits = core.attention.bits();
            if bits != 0 {
                if bits & (Attention::FLUSH | Attention::CODE) != 0 {
                    core.attention.clear(Attention::FLUSH | Attention::CODE);
                    self.shared.give_way(core);
                }
                if !A::interrupt(core) && bits & Attention::STOP != 0 {
                    return Exit::Attention;
                }
            }
            if core.halted {
                return Exit::Halted;
            }
            if self.shared.counting && core.reg(words::BUDGET) as i64 <= 0 {
                return Exit::Budget;
            }
            if core.trace.shows(DebugItems::NOCHAIN) != self.alone {
                self.alone = !self.alone;
                self.shared.flush(core);
            }
            self.catch_up();
            if core.code.epoch() != self.epoch {
                self.epoch = core.code.epoch();
                self.shared.cache().invalidate(&core.code);
            }
            core.stop.set_code_hit(false);
            if A::interpret_only(core.mode) {
                if let Some(exit) = self.interpret(core, 64) {
                    return exit;
                }
                continue;
            }
            let pc = core.pc();
            self.select(core, pc);
            let code = self.contexts[self.current].table.get(pc).unwrap_or_else(|| self.find(core, pc));
            if code == 0 {
                // What goes on in the next page is a region of its own, and so is what follows it.
                let most = if pc & 0xFFF > last_whole::<A>() { 1 } else { 256 };
                if let Some(exit) = self.interpret(core, most) {
                    return exit;
                }
                continue;
            }
            if let Some(exit) = self.execute(core, pc, code, budget) {
                return exit;
            }
        }
    }

    /// Interprets up to a branch. Why to return, if there is a reason.
    fn interpret(&mut self, core: &mut Core<A>, most: u64) -> Option<Exit> {
        let before = core.icount;
        let left = core.reg(words::BUDGET);
        let most = if self.shared.counting { most.min(left) } else { most };
        if core.trace.shows(BLOCKS) {
            core.show_block("interpreted");
        }
        let exit = core.run_to_branch(most);
        if self.shared.counting {
            core.set(words::BUDGET, left - (core.icount - before).min(left));
            core.icount = before;
        }
        (exit != Exit::Budget).then_some(exit)
    }

    /// Selects the table for the processor's context.
    #[inline]
    fn select(&mut self, core: &mut Core<A>, pc: u64) {
        let (mode, space) = (core.mode, core.space(pc));
        let fits = |c: &Context| c.space == space && c.mode == mode;
        if !self.contexts.get(self.current).is_some_and(fits) {
            self.clock += 1;
            // System calls and interrupts go forth and back between two contexts.
            let next = match self.contexts.get(self.last) {
                Some(c) if fits(c) => self.last,
                _ => match self.contexts.iter().position(fits) {
                    Some(i) => i,
                    None => self.new_context(mode, space),
                },
            };
            self.last = std::mem::replace(&mut self.current, next);
            self.contexts[next].used = self.clock;
        }
        core.set(words::TABLE, self.contexts[self.current].table.address());
        core.set(words::BANK, core.tlb.bank_address(false));
        core.set(words::USER_BANK, core.tlb.bank_address(true));
    }

    fn new_context(&mut self, mode: u32, space: u64) -> usize {
        let i = if self.contexts.len() < CONTEXTS {
            self.contexts.push(Context { mode, space, used: 0, table: Table::new() });
            self.contexts.len() - 1
        } else {
            let oldest = self.contexts.iter().enumerate().min_by_key(|(_, c)| c.used);
            let i = oldest.map_or(0, |(i, _)| i);
            self.contexts[i].table.clear();
            i
        };
        (self.contexts[i].mode, self.contexts[i].space) = (mode, space);
        i
    }

    /// Finds or makes code for `pc` and enters it in the table; 0 if the code is to be interpreted.
    #[cold]
    fn find(&mut self, core: &mut Core<A>, pc: u64) -> u64 {
        let Some(key) = self.key(core, pc) else { return 0 };
        let shared = Arc::clone(&self.shared);
        let mut cache = shared.cache();
        let mut found = cache.find(key);
        if found.is_none() && self.warm(key, &cache) {
            // Marking may wait for processors that wait for the cache.
            drop(cache);
            core.mark_code(key.ram, region::first::<A>(key.ram));
            if let Some(next) = key.pages().next {
                core.mark_code(next, region::first::<A>(next));
            }
            cache = shared.cache();
            found = cache.find(key);
            if found.is_none() {
                match cache.compile(key, core) {
                    Outcome::Region(new) => found = Some(new),
                    Outcome::Refused => {}
                    Outcome::Full => {
                        drop(cache);
                        shared.flush(core);
                        return 0;
                    }
                }
            }
        }
        let Some(found) = found else { return 0 };
        if !self.alone {
            self.contexts[self.current].table.put(pc, found.start);
        }
        found.start
    }

    /// After a flush: addresses of code that were kept mean nothing any more. Flushes happen while this processor is
    /// outside or waits for them, so it looks before it enters code.
    fn catch_up(&mut self) {
        let generation = self.shared.generation.load(Ordering::SeqCst);
        if generation != self.generation {
            self.generation = generation;
            for c in &mut self.contexts {
                c.table.clear();
            }
            self.places.fill(0);
        }
    }

    /// What is to be compiled for `pc`. `None` if it cannot be fetched: interpreting it takes the exception.
    fn key(&mut self, core: &mut Core<A>, pc: u64) -> Option<Key> {
        let key = self.fetches.key(core, pc);
        // Fetching may have renamed the space, and a first guarded page changes the mode.
        self.select(core, pc);
        key
    }

    /// Counts an execution at `key`. True if it is time to compile.
    fn warm(&mut self, key: Key, cache: &Cache<A>) -> bool {
        let slot = (key.ram >> 2 ^ key.ram >> 15 ^ (key.mode as u64) << 7) as usize % PLACES;
        let count = &mut self.places[slot];
        *count = count.saturating_add(1);
        // Code that keeps changing has to be ever hotter.
        let patience = cache.restlessness(key.ram).saturating_sub(4).min(9);
        if *count as u32 >= self.shared.threshold << patience || *count == u16::MAX {
            *count = 0;
            return true;
        }
        false
    }

    /// Runs compiled code for `pc`.
    fn execute(&mut self, core: &mut Core<A>, pc: u64, code: u64, budget: u64) -> Option<Exit> {
        core.set(words::PAGE, pc & !0xFFF);
        self.entries += 1;
        if core.trace.shows(BLOCKS) {
            core.show_block("compiled");
        }
        let engine = std::ptr::from_mut(self).expose_provenance();
        core.set(words::ENGINE, engine as u64);
        let why = run::enter(core, self.entry, code);
        self.reasons[why as usize % 8] += 1;
        match why {
            Why::Dispatch | Why::Poll => None,
            Why::Link => {
                self.link(core);
                None
            }
            Why::Fault => {
                self.recover(core, 1);
                A::deliver(core);
                None
            }
            Why::Raised => {
                self.refund(core, 1);
                A::deliver(core);
                None
            }
            Why::Interpret => {
                self.recover(core, 0);
                self.interpret(core, 1)
            }
            Why::Budget if self.shared.whole => Some(Exit::Budget),
            Why::Budget => {
                // What is left does not cover a block.
                let left = core.reg(words::BUDGET).min(budget);
                self.interpret(core, left)
            }
            Why::Stale => {
                let from = core.reg(words::RETURN);
                let at = {
                    let cache = self.shared.cache();
                    cache.region_of(from).map_or(0, |n| cache.region(n).key.ram & 0xFFF)
                };
                let pc = core.reg(words::PAGE) + at;
                core.set_pc(pc);
                self.select(core, pc);
                self.contexts[self.current].table.remove(pc);
                None
            }
        }
    }

    /// Goes on after the mode or the translation may have changed. Gives the code at the PC, or 0 if there is none or
    /// something else is to be looked at.
    pub(crate) fn resume(&mut self, core: &mut Core<A>) -> u64 {
        let ready = core.attention.bits() == 0
            && !(core.halted || self.alone)
            && core.code.epoch() == self.epoch
            && !A::interpret_only(core.mode)
            && !(self.shared.counting && core.reg(words::BUDGET) as i64 <= 0);
        if !ready {
            return 0;
        }
        let pc = core.pc();
        self.select(core, pc);
        core.set(words::PAGE, pc & !0xFFF);
        let code = self.contexts[self.current].table.get(pc).unwrap_or(0);
        self.resumed += (code != 0) as u64;
        code
    }

    /// Takes an exception of the instruction at the PC and goes on as [`Jit::resume`] does.
    pub(crate) fn raise(&mut self, core: &mut Core<A>, x: Exception) -> u64 {
        self.refund(core, 1);
        let Raised = core.raise_now(x, 0);
        A::deliver(core);
        self.resume(core)
    }

    /// A direct jump that is not linked: links it if its target is compiled.
    fn link(&mut self, core: &mut Core<A>) {
        let shared = Arc::clone(&self.shared);
        let (from, number) = (core.reg(words::RETURN), core.reg(words::SITE) as u32);
        let mut cache = shared.cache();
        let Some(n) = cache.region_of(from) else { return };
        let target = cache.target(n, number);
        let pc = core.reg(words::PAGE) + target;
        core.set_pc(pc);
        let key = Key::new(cache.region(n).key.ram & !0xFFF | target, core.mode);
        if !self.alone
            && let Some(to) = cache.find(key)
        {
            cache.link(n, number, to.region);
        }
    }

    /// Gives back the instructions of the block left that were counted and not executed; `done` of those from the PC
    /// on were.
    fn refund(&mut self, core: &mut Core<A>, done: u64) {
        if self.shared.counting {
            let (from, at) = (core.reg(words::RETURN), core.pc() as u32 & 0xFFF);
            let counted = {
                let cache = self.shared.cache();
                cache.region_of(from).map_or(0, |n| cache.region(n).counted_from(at))
            };
            core.set(words::BUDGET, core.reg(words::BUDGET) + counted.saturating_sub(done));
        }
    }

    /// Brings the register file up to date after leaving at a site.
    fn recover(&mut self, core: &mut Core<A>, done: u64) {
        let site = Site::unpack(core.reg(words::SITE) as u32);
        let from = core.reg(words::RETURN);
        let pins = {
            let cache = self.shared.cache();
            cache.region_of(from).map_or(Pins::default(), |n| cache.region(n).pins)
        };
        for p in 0..pins.count as usize {
            if site.dirty >> p & 1 != 0 {
                let x = core.reg(words::saved(pins.host[p] as u16));
                core.set(Slot::<W64>::word(pins.word[p]), x);
            }
        }
        core.set_pc(core.reg(words::PAGE) + site.at as u64);
        self.refund(core, done);
    }
}
