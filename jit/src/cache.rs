//! The code cache: compiled regions by guest physical address and mode, their links, and their invalidation.
//!
//! All processors share it. Regions are never moved; when the buffer is full everything is forgotten at once. An
//! invalidated region gets a call to the stale routine for its first instruction, so that whoever still knows its
//! address (another processor's table) comes back; direct jumps to it are unlinked.

use crate::buffer::Buffer;
use crate::disasm;
use crate::dump::Dump;
use crate::guest::Guest;
use crate::host::x64::{Compiled, Config, Lower, asm::Asm, stubs};
use crate::host::{Pins, x64::stubs::Stubs};
use crate::ir::lift::Lift;
use crate::opt::Passes;
use crate::opt::seeded::Fault;
use crate::region::{self, Limits, Pages};
use lyrebird_cpu::code::{CodeMap, Hits};
use lyrebird_cpu::core::Core;
use lyrebird_cpu::run::LONGEST;
use lyrebird_cpu::trace::DebugItems;
use lyrebird_ram::GuestRam;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A multiplicative hash for keys that are numbers.
#[derive(Default)]
pub struct Mix(u64);

impl Hasher for Mix {
    fn finish(&self) -> u64 {
        self.0 ^ self.0 >> 29
    }
    fn write(&mut self, bytes: &[u8]) {
        for &b in bytes {
            self.write_u64(b as u64);
        }
    }
    fn write_u32(&mut self, x: u32) {
        self.write_u64(x as u64);
    }
    fn write_u64(&mut self, x: u64) {
        self.0 = (self.0 ^ x).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(26);
    }
}

type Map<K, V> = HashMap<K, V, BuildHasherDefault<Mix>>;

/// What a region is compiled for: RAM offset of its first instruction, and mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// RAM offset of the first instruction.
    pub ram: u64,
    /// Mode.
    pub mode: u32,
    /// One more than the RAM offset of the page that the instruction goes on in; 0 if it does not.
    next: u64,
}

impl Key {
    /// For what lies in one page.
    pub fn new(ram: u64, mode: u32) -> Self {
        Key { ram, mode, next: 0 }
    }

    /// For the instruction at `ram` that goes on in the page at RAM offset `next`.
    pub fn crossing(ram: u64, mode: u32, next: u64) -> Self {
        Key { ram, mode, next: (next & !0xFFF) + 1 }
    }

    /// The pages that it is in.
    pub fn pages(self) -> Pages {
        Pages { first: self.ram & !0xFFF, next: self.next.checked_sub(1) }
    }
}

/// The versions of the pages that a region is in; 0 where there is no second.
type Versions = [u32; 2];

fn versions_of(code: &CodeMap, pages: Pages) -> Versions {
    [Some(pages.first), pages.next].map(|page| page.map_or(0, |page| code.version(page)))
}

/// Where a region is.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    /// Its number.
    pub region: u32,
    /// Executable address of its code; known here so that finding it touches no second place in memory.
    pub start: u64,
}

/// A direct jump out of a region.
#[derive(Clone, Copy, Debug)]
struct Link {
    /// Executable address of the displacement.
    patch: u64,
    /// What it holds while unlinked.
    unlinked: u32,
    /// Byte of the page it goes to.
    target: u32,
}

/// A compiled region.
pub struct Region {
    /// What it is compiled for.
    pub key: Key,
    /// Executable address of its code.
    pub start: u64,
    /// Its size in bytes.
    pub len: u32,
    /// Where it keeps guest registers.
    pub pins: Pins,
    links: Vec<Link>,
    incoming: Vec<Link>,
    stale: bool,
    /// Where instructions are counted: the bytes of the page where they start, and how many from there on belong to the
    /// block.
    counts: Vec<(u16, u16)>,
}

impl Region {
    /// Instructions from byte `at` of the page to the end of its block: counted when the block was entered.
    pub fn counted_from(&self, at: u32) -> u64 {
        self.counts.iter().find(|&&(start, _)| start as u32 == at).map_or(0, |&(_, left)| left as u64)
    }
}

#[derive(Default)]
struct Page {
    version: u32,
    regions: Vec<u32>,
    invalidations: u32,
}

/// Counters, for `info jit`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counters {
    /// Regions compiled.
    pub regions: u64,
    /// Guest instructions in them.
    pub instructions: u64,
    /// Regions that were too complex.
    pub refused: u64,
    /// Direct jumps linked.
    pub links: u64,
    /// Regions invalidated by stores to code.
    pub invalidated: u64,
    /// Times that everything was forgotten.
    pub flushes: u64,
    /// Nanoseconds spent compiling.
    pub nanoseconds: u64,
}

/// What compiling gave.
pub enum Outcome {
    /// A region, by number.
    Region(Found),
    /// The code cannot be compiled; interpret it.
    Refused,
    /// The buffer is full: it must be flushed first.
    Full,
}

/// Options of the translator.
#[derive(Clone, Debug)]
pub struct Options {
    /// Size of the code buffer in bytes.
    pub size: usize,
    /// Count instructions against the budget.
    pub counting: bool,
    /// Return when the budget does not cover a block, rather than interpret what is left.
    pub whole: bool,
    /// How often a place is interpreted before it is compiled.
    pub threshold: u32,
    /// How large regions grow.
    pub limits: Limits,
    /// Write `/tmp/perf-PID.map`.
    pub perf: bool,
    /// A mistake to make, for testing that verification finds it.
    pub fault: Option<&'static Fault>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            size: 64 << 20,
            counting: false,
            whole: false,
            threshold: 20,
            limits: Limits::default(),
            perf: false,
            fault: None,
        }
    }
}

/// The cache.
pub struct Cache<A: Guest> {
    buffer: Buffer,
    /// Where the fixed routines are.
    pub stubs: Stubs,
    keep: usize,
    map: Map<Key, Found>,
    refused: Map<Key, Versions>,
    regions: Vec<Region>,
    pages: Map<u64, Page>,
    lift: Lift<A>,
    passes: Passes,
    lower: Lower,
    options: Options,
    dump: Dump,
    /// Up to which epoch of the code map pages were invalidated.
    epoch: u64,
    /// Raised when everything was forgotten.
    pub generation: u64,
    /// Counters.
    pub counters: Counters,
}

impl<A: Guest> Cache<A> {
    /// An empty cache.
    ///
    /// # Errors
    /// When the host refuses the memory for code.
    pub fn new(mut options: Options, features: u64) -> std::io::Result<Self> {
        // What is left of a block must follow from the place.
        options.limits.overlap &= !options.counting;
        let mut buffer = Buffer::new(options.size, options.perf)?;
        let mut asm = Asm::default();
        let base = buffer.next();
        let stubs = stubs::emit::<A>(&mut asm, base);
        buffer.append(asm.finish(base));
        let keep = buffer.used();
        let mut lift = Lift::default();
        lift.features = features;
        Ok(Self {
            buffer,
            stubs,
            keep,
            map: Map::default(),
            refused: Map::default(),
            regions: Vec::new(),
            pages: Map::default(),
            lift,
            passes: Passes::with(options.fault),
            lower: Lower::default(),
            dump: Dump::new(options.perf),
            options,
            epoch: 0,
            generation: 0,
            counters: Counters::default(),
        })
    }

    /// Bytes of code, and the number of regions.
    pub fn usage(&self) -> (usize, usize) {
        (self.buffer.used(), self.regions.len())
    }

    /// The region compiled for `key`.
    #[inline]
    pub fn find(&self, key: Key) -> Option<Found> {
        self.map.get(&key).copied()
    }

    /// A region by number.
    pub fn region(&self, n: u32) -> &Region {
        &self.regions[n as usize]
    }

    /// The region whose code holds address `at`.
    pub fn region_of(&self, at: u64) -> Option<u32> {
        // A return address lies behind its call, which may be the last of the region.
        let after = self.regions.partition_point(|r| r.start < at);
        let n = after.checked_sub(1)?;
        let r = &self.regions[n];
        (at <= r.start + r.len as u64).then_some(n as u32)
    }

    /// Compiles the region at `key`, whose first instruction is marked as code. What is not settled by then is refused:
    /// waiting for other processors is for those who do not hold the cache.
    pub fn compile(&mut self, key: Key, core: &mut Core<A>) -> Outcome {
        let (pages, entry) = (key.pages(), key.ram & 0xFFF);
        let page = pages.first;
        let versions = versions_of(&core.code, pages);
        if self.refused.get(&key) == Some(&versions) {
            return Outcome::Refused;
        }
        let started = std::time::Instant::now();
        let mut limits = self.options.limits;
        let alone = core.trace.shows(DebugItems::NOCHAIN);
        if alone {
            limits.blocks = 1;
        }
        // Regions of an older version must not be taken for ones of this.
        for (page, version) in pages.each().zip(versions) {
            self.invalidate_page(page, version);
        }
        let (compiled, count) = loop {
            let (map, known) = (&self.map, &self.pages);
            let fresh = known.get(&page).is_some_and(|p| p.version == versions[0]);
            let elsewhere = |at: u64| fresh && map.contains_key(&Key::new(page + at, key.mode));
            let mut built =
                region::build(&mut self.lift, &core.ram, (pages, entry), key.mode, limits, elsewhere);
            if let Some(marks) = built {
                for (page, marks) in pages.each().zip(marks) {
                    if core.code.mark(page, marks) {
                        core.tlb.watch(page);
                    }
                }
                // What the code is made of is only known now, and marks come before the look: so it is looked at again.
                // A store from another processor that comes later is noticed.
                if versions_of(&core.code, pages) != versions
                    || !pages.each().all(|page| A::settled(core, page))
                    || !self.unchanged(&core.ram, pages)
                {
                    built = None;
                }
            }
            if built.is_none() {
                return Outcome::Refused;
            }
            let count: u32 = self.lift.ir.blocks.iter().map(|b| b.count).sum();
            self.dump.before(&self.lift, core, page, core.pc() & !0xFFF);
            if let Some(compiled) = self.lowered(key.mode, alone) {
                break (compiled, count);
            }
            // Less of it may do.
            if let Some(less) = limits.less() {
                limits = less;
                continue;
            }
            self.counters.refused += 1;
            self.refused.insert(key, versions);
            log::debug!(target: "jit", "Too complex to compile at RAM offset {:#x}\n{}", key.ram, self.lift.ir);
            return Outcome::Refused;
        };
        let at = core.pc() & !0xFFF;
        let base = self.buffer.next();
        let code = self.lower.asm.finish(base);
        let len = code.len();
        if !self.buffer.append(code) {
            return Outcome::Full;
        }
        self.dump.after(&self.lift.ir, &core.trace, code, base, (page, at));
        let found = self.install(key, base, len, versions, &compiled);
        self.counters.regions += 1;
        self.counters.instructions += count as u64;
        self.counters.nanoseconds += started.elapsed().as_nanos() as u64;
        Outcome::Region(found)
    }

    /// What the region at `key` would be compiled to, if it were now: its IR and its host code, as text.
    pub fn explain(&mut self, key: Key, core: &Core<A>) -> (String, String) {
        let limits = self.options.limits;
        let place = (key.pages(), key.ram & 0xFFF);
        if region::build(&mut self.lift, &core.ram, place, key.mode, limits, |_| false).is_none() {
            return Default::default();
        }
        let compiled = self.lowered(key.mode, false);
        let ir = self.lift.ir.to_string();
        if compiled.is_none() {
            return (ir, "too complex: interpreted\n".into());
        }
        let base = self.buffer.next();
        (ir, disasm::host(self.lower.asm.finish(base), base))
    }

    /// Whether the pages still hold the instructions that were recorded.
    fn unchanged(&self, ram: &GuestRam, pages: Pages) -> bool {
        self.lift.instructions().all(|(at, then)| {
            let mut now = [0; LONGEST];
            let now = &mut now[..then.len().min(LONGEST)];
            pages.read(ram, at as i64, now) && now == then
        })
    }

    /// Optimises and lowers what is lifted; every block leaves the region if they are to be `alone`. `None` if it is
    /// too complex.
    fn lowered(&mut self, mode: u32, alone: bool) -> Option<Compiled> {
        self.passes.run(&mut self.lift.ir, self.options.counting);
        let config = Config {
            stubs: self.stubs,
            counting: self.options.counting,
            alone,
            ..Config::of::<A>(mode).for_host()
        };
        self.lower.region(&mut self.lift.ir, config)
    }

    /// Enters new code; `versions` are those of the pages.
    fn install(
        &mut self,
        key: Key,
        start: u64,
        len: usize,
        versions: Versions,
        compiled: &Compiled,
    ) -> Found {
        let n = self.regions.len() as u32;
        let links = compiled
            .exits
            .iter()
            .map(|e| {
                let patch = start + e.patch as u64;
                let bytes = self.buffer.bytes(patch, 4);
                let unlinked = bytes.try_into().map_or(0, u32::from_le_bytes);
                Link { patch, unlinked, target: e.target }
            })
            .collect();
        self.regions.push(Region {
            key,
            start,
            len: len as u32,
            pins: compiled.pins,
            links,
            incoming: Vec::new(),
            stale: false,
            counts: if self.options.counting { self.counts() } else { Vec::new() },
        });
        for (page, version) in key.pages().each().zip(versions) {
            // What is left of an older version of the page must not pass for this one's.
            self.invalidate_page(page, version);
            let page = self.pages.entry(page).or_default();
            page.version = version;
            page.regions.push(n);
        }
        let found = Found { region: n, start };
        self.map.insert(key, found);
        found
    }

    /// Where the lifted instructions start, and how many from there on belong to their block. Blocks are disjoint.
    fn counts(&self) -> Vec<(u16, u16)> {
        let mut counts = Vec::with_capacity(self.lift.places.len());
        let mut places = self.lift.places.iter();
        for b in &self.lift.ir.blocks {
            let left = (1..=b.count as u16).rev();
            counts.extend(left.zip(&mut places).map(|(left, &(at, _))| (at as u16, left)));
        }
        counts
    }

    /// The byte of the page that exit `number` of the region at `from` goes to.
    pub fn target(&self, from: u32, number: u32) -> u64 {
        self.regions[from as usize].links.get(number as usize).map_or(0, |l| l.target as u64)
    }

    /// Makes exit `number` of region `from` jump to region `to` of the same page.
    pub fn link(&mut self, from: u32, number: u32, to: u32) {
        let Some(&link) = self.regions[from as usize].links.get(number as usize) else { return };
        if self.regions[from as usize].stale || self.regions[to as usize].stale {
            return;
        }
        let rel = self.regions[to as usize].start.wrapping_sub(link.patch + 4) as u32;
        if self.buffer.patch32(link.patch, rel) {
            self.regions[to as usize].incoming.push(link);
            self.counters.links += 1;
        }
    }

    /// Forgets the regions of pages that were stored to.
    pub fn invalidate(&mut self, code: &CodeMap) {
        let pages = match code.hits_since(&mut self.epoch) {
            Hits::Pages(pages) => pages,
            Hits::Any => self.pages.keys().copied().collect(),
        };
        for page in pages {
            self.invalidate_page(page, code.version(page));
        }
    }

    fn invalidate_page(&mut self, at: u64, version: u32) {
        let Some(page) = self.pages.get_mut(&at) else { return };
        if page.version == version {
            return;
        }
        page.invalidations += 1;
        page.version = version;
        for n in std::mem::take(&mut page.regions) {
            let region = &mut self.regions[n as usize];
            // One in two pages may have gone with the other.
            if std::mem::replace(&mut region.stale, true) {
                continue;
            }
            self.map.remove(&region.key);
            self.counters.invalidated += 1;
            // CALL rel32 and three bytes of NOP.
            let rel = self.stubs.stale.wrapping_sub(region.start + 5) as u32;
            self.buffer.patch64(region.start, 0xE8 | (rel as u64) << 8 | 0x00_1F0F << 40);
            for link in std::mem::take(&mut region.incoming) {
                self.buffer.patch32(link.patch, link.unlinked);
            }
        }
    }

    /// How often code on the page of `ram` was stored to.
    pub fn restlessness(&self, ram: u64) -> u32 {
        self.pages.get(&(ram & !0xFFF)).map_or(0, |p| p.invalidations)
    }

    /// Forgets everything. No processor may be in compiled code.
    pub fn flush(&mut self) {
        self.buffer.reset(self.keep);
        self.map.clear();
        self.refused.clear();
        self.regions.clear();
        for page in self.pages.values_mut() {
            page.regions.clear();
        }
        self.generation += 1;
        self.counters.flushes += 1;
    }
}
