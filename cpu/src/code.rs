//! Which guest RAM holds code that an engine has decoded or translated, by physical page and 64-byte granule.
//!
//! All vCPUs share one map. A store to a page with marked granules takes the TLB's slow path (the write tags of the
//! processor that marked it are withheld) and, if it hits a marked granule, raises the page's version; engines compare
//! versions when they enter a page, so stale code is found without walking anybody's cache.
//!
//! Another processor may still have a write tag for the page, and change its code unnoticed. The architecture makes it
//! say so: code that is changed is executed after DC CVAU, DSB, IC IVAU, DSB here and ISB there (DDI 0487 B2.7.4.2), and
//! IC IVAU counts as a store. That is enough if an engine marks before it reads: then either the maintenance comes
//! after the mark and raises the version, or the code that is read is the new one.
//!
//! x86 asks for nothing of the kind. There a processor that marks code has the write tags of all others withdrawn before
//! it reads, and says that the page is *settled*: as long as its version stays, nobody can store to it unnoticed.

use crate::core::Attention;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// What is known of one page.
#[derive(Default)]
struct Page {
    marks: AtomicU64,
    version: AtomicU32,
    /// One more than the version for which write tags were withdrawn everywhere; 0 for none.
    settled: AtomicU64,
}

/// Pages that are allocated together, when the first of them gets code: 2 MiB of RAM.
const TOGETHER: usize = 512;

/// Hits that are remembered; who has missed more looks at all pages.
const LOG: usize = 4096;

/// Code marks for all of guest RAM.
pub struct CodeMap {
    pages: Box<[OnceLock<Box<[Page]>>]>,
    /// How many stores have taken marks away and not yet told everybody.
    telling: AtomicU32,
    /// How many versions were raised, so that "nothing changed at all" is one comparison.
    epoch: AtomicU64,
    log: Mutex<Log>,
}

#[derive(Default)]
struct Log {
    /// Pages whose version was raised; the last entry belongs to the epoch `end`.
    pages: VecDeque<u64>,
    end: u64,
    /// Who is told when code was hit.
    listeners: Vec<Arc<Attention>>,
}

/// What was hit since an epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hits {
    /// These pages, by RAM offset; one may be there more than once.
    Pages(Vec<u64>),
    /// More than the map remembers.
    Any,
}

/// The granules that `len` bytes at offset `at` of a page touch, as a bit mask.
pub const fn granules(at: u64, len: u64) -> u64 {
    let first = (at & 0xFFF) >> 6;
    let last = ((at & 0xFFF) + if len == 0 { 0 } else { len - 1 }) >> 6;
    let last = if last > 63 { 63 } else { last };
    (u64::MAX >> (63 - last)) & (u64::MAX << first)
}

impl CodeMap {
    /// A map for `bytes` of guest RAM, with no code.
    pub fn new(bytes: u64) -> Self {
        let groups = ((bytes >> 12) as usize).div_ceil(TOGETHER);
        Self {
            pages: (0..groups).map(|_| OnceLock::new()).collect(),
            telling: AtomicU32::new(0),
            epoch: AtomicU64::new(0),
            log: Mutex::default(),
        }
    }

    /// The page at RAM offset `ram`, if one near it ever had code.
    #[inline]
    fn page(&self, ram: u64) -> Option<&Page> {
        let n = (ram >> 12) as usize;
        self.pages.get(n / TOGETHER)?.get()?.get(n % TOGETHER)
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has [`Attention::CODE`] set whenever code is hit, so that a processor in a loop looks at the versions.
    pub fn listen(&self, attention: &Arc<Attention>) {
        self.log().listeners.push(Arc::clone(attention));
    }

    /// Whether any granule of the page at RAM offset `ram` is marked.
    #[inline]
    pub fn any(&self, ram: u64) -> bool {
        self.page(ram).is_some_and(|p| p.marks.load(Ordering::Relaxed) != 0)
    }

    /// Marks granules as code, before they are read. True if the page had none before: write tags of it must then be
    /// withheld.
    pub fn mark(&self, ram: u64, granules: u64) -> bool {
        let n = (ram >> 12) as usize;
        let Some(group) = self.pages.get(n / TOGETHER) else { return false };
        let pages = group.get_or_init(|| (0..TOGETHER).map(|_| Page::default()).collect());
        pages[n % TOGETHER].marks.fetch_or(granules, Ordering::SeqCst) == 0
    }

    /// Whether `len` bytes at RAM offset `ram`, all in one page, hold code, or did until a store that not everybody has
    /// been told of.
    #[inline]
    pub fn hits_code(&self, ram: u64, len: u64) -> bool {
        self.page(ram).is_some_and(|p| p.marks.load(Ordering::SeqCst) & granules(ram, len) != 0)
            || self.telling.load(Ordering::SeqCst) != 0
    }

    /// The page's version: code decoded under another one is stale.
    #[inline]
    pub fn version(&self, ram: u64) -> u32 {
        self.page(ram).map_or(0, |p| p.version.load(Ordering::Acquire))
    }

    /// Whether no processor can store unnoticed to the page at RAM offset `ram`, which is marked.
    #[inline]
    pub fn is_settled(&self, ram: u64) -> bool {
        self.page(ram).is_some_and(|p| {
            p.settled.load(Ordering::SeqCst) == u64::from(p.version.load(Ordering::SeqCst)) + 1
        })
    }

    /// Says that write tags of the page were withdrawn everywhere, after it had been marked under `version`.
    pub fn settle(&self, ram: u64, version: u32) {
        if let Some(p) = self.page(ram) {
            p.settled.store(u64::from(version) + 1, Ordering::SeqCst);
        }
    }

    /// A number that changes whenever any page's version does.
    #[inline]
    pub fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// What was hit since `epoch`, which becomes the current one.
    pub fn hits_since(&self, epoch: &mut u64) -> Hits {
        let log = self.log();
        let new = log.end.wrapping_sub(std::mem::replace(epoch, log.end)) as usize;
        match log.pages.len().checked_sub(new) {
            Some(old) => Hits::Pages(log.pages.range(old..).copied().collect()),
            None => Hits::Any,
        }
    }

    /// Says that `len` bytes at RAM offset `ram`, all in one page, were stored to. True if code was hit: the page is then
    /// unmarked and its version raised. Otherwise everybody knows of what was hit before.
    pub fn stored(&self, ram: u64, len: u64) -> bool {
        // Either who marks code sees what was stored, or the mark is seen here.
        fence(Ordering::SeqCst);
        let Some(known) = self.page(ram) else { return false };
        if known.marks.load(Ordering::SeqCst) & granules(ram, len) == 0 {
            // Another store may just have taken the mark away.
            while self.telling.load(Ordering::SeqCst) != 0 {
                std::thread::yield_now();
            }
            return false;
        }
        self.telling.fetch_add(1, Ordering::SeqCst);
        // A mark that is lost here belongs to code of the version that ends.
        known.marks.swap(0, Ordering::SeqCst);
        known.version.fetch_add(1, Ordering::SeqCst);
        self.tell(ram & !0xFFF);
        self.telling.fetch_sub(1, Ordering::SeqCst);
        true
    }

    /// Lets everybody know that a page's version was raised.
    fn tell(&self, page: u64) {
        let mut log = self.log();
        if log.pages.len() == LOG {
            log.pages.pop_front();
        }
        log.pages.push_back(page);
        log.end += 1;
        self.epoch.store(log.end, Ordering::SeqCst);
        for listener in &log.listeners {
            listener.set(Attention::CODE);
        }
    }

    /// Says that all of RAM may have been stored to. True if there was any code.
    pub fn stored_anywhere(&self) -> bool {
        let mut hit = false;
        for (n, _) in self.pages.iter().enumerate().filter(|(_, group)| group.get().is_some()) {
            for page in 0..TOGETHER {
                hit |= self.stored(((n * TOGETHER + page) as u64) << 12, 4096);
            }
        }
        hit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_stores_to_code_raise_the_version() {
        let map = CodeMap::new(0x4000);
        let (mut one, mut other) = (map.epoch(), map.epoch());
        assert!(map.mark(0x1000, granules(0x1040, 4)));
        assert!(!map.mark(0x1000, granules(0x1080, 4)));
        assert!(!map.stored(0x1000, 0x40));
        assert!(!map.stored(0x2040, 4));
        assert_eq!(map.version(0x1000), 0);
        assert!(map.stored(0x107F, 1));
        assert_eq!(map.version(0x1ABC), 1);
        assert!(!map.any(0x1000));
        assert_eq!(map.hits_since(&mut one), Hits::Pages(vec![0x1000]));
        assert_eq!(map.hits_since(&mut one), Hits::Pages(vec![]));
        assert_eq!(map.hits_since(&mut other), Hits::Pages(vec![0x1000]));
        assert!(!map.stored(0x9999_9999, 8));
    }

    #[test]
    fn a_store_to_code_unsettles_its_page() {
        let map = CodeMap::new(0x4000);
        assert!(!map.is_settled(0x1000));
        map.mark(0x1000, 1);
        assert!(!map.is_settled(0x1000));
        map.settle(0x1000, map.version(0x1000));
        assert!(map.is_settled(0x1000) && !map.is_settled(0x2000));
        map.stored(0x1FFF, 1);
        assert!(map.is_settled(0x1000));
        map.stored(0x1000, 1);
        assert!(!map.is_settled(0x1000));
    }

    #[test]
    fn everybody_hears_of_hits() {
        let map = CodeMap::new(0x4000);
        let (a, mut slow, mut quick) = (Arc::default(), 0, 0);
        map.listen(&a);
        map.mark(0x1000, 1);
        assert!(map.stored_anywhere());
        assert_eq!(a.bits(), Attention::CODE);
        assert_eq!(map.hits_since(&mut quick), Hits::Pages(vec![0x1000]));
        assert_eq!(map.hits_since(&mut quick), Hits::Pages(vec![]));
        for _ in 0..LOG {
            map.mark(0x3000, 1);
            map.stored(0x3000, 1);
        }
        assert_eq!(map.hits_since(&mut slow), Hits::Any);
        assert_eq!(map.hits_since(&mut quick), Hits::Pages(vec![0x3000; LOG]));
        assert_eq!((slow, quick), (map.epoch(), map.epoch()));
    }

    #[test]
    fn granules_cover_the_bytes() {
        assert_eq!(granules(0x3F, 2), 0b11);
        assert_eq!(granules(0xFC0, 64), 1 << 63);
        assert_eq!(granules(0, 4096), u64::MAX);
    }
}
