//! Which guest RAM holds code that an engine has decoded or translated, by physical page and 64-byte granule.
//!
//! All vCPUs share one map. A store to a page with marked granules takes the TLB's slow path (its write tag is
//! withheld) and, if it hits a marked granule, raises the page's version; engines compare versions when they enter a
//! page, so stale code is found without walking anybody's cache.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// What is known of one page.
#[derive(Default)]
struct Page {
    marks: AtomicU64,
    version: AtomicU32,
}

/// Pages that are allocated together, when the first of them gets code: 2 MiB of RAM.
const TOGETHER: usize = 512;

/// Code marks for all of guest RAM.
pub struct CodeMap {
    pages: Box<[OnceLock<Box<[Page]>>]>,
    /// Raised with every version, so that "nothing changed at all" is one comparison.
    epoch: AtomicU64,
    /// For each translator: the pages whose version was raised since it last asked.
    hits: Mutex<Vec<HashSet<u64>>>,
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
            epoch: AtomicU64::new(0),
            hits: Mutex::default(),
        }
    }

    /// The page at RAM offset `ram`, if one near it ever had code.
    #[inline]
    fn page(&self, ram: u64) -> Option<&Page> {
        let n = (ram >> 12) as usize;
        self.pages.get(n / TOGETHER)?.get()?.get(n % TOGETHER)
    }

    /// Whether any granule of the page at RAM offset `ram` is marked.
    #[inline]
    pub fn any(&self, ram: u64) -> bool {
        self.page(ram).is_some_and(|p| p.marks.load(Relaxed) != 0)
    }

    /// Marks granules as code. True if the page had none before: write tags of it must then be withheld.
    pub fn mark(&self, ram: u64, granules: u64) -> bool {
        let n = (ram >> 12) as usize;
        let Some(group) = self.pages.get(n / TOGETHER) else { return false };
        let pages = group.get_or_init(|| (0..TOGETHER).map(|_| Page::default()).collect());
        pages[n % TOGETHER].marks.fetch_or(granules, Relaxed) == 0
    }

    /// Whether `len` bytes at RAM offset `ram`, all in one page, hold code.
    #[inline]
    pub fn hits_code(&self, ram: u64, len: u64) -> bool {
        self.page(ram).is_some_and(|p| p.marks.load(Relaxed) & granules(ram, len) != 0)
    }

    /// The page's version: code decoded under another one is stale.
    #[inline]
    pub fn version(&self, ram: u64) -> u32 {
        self.page(ram).map_or(0, |p| p.version.load(Relaxed))
    }

    /// A number that changes whenever any page's version does.
    #[inline]
    pub fn epoch(&self) -> u64 {
        self.epoch.load(Relaxed)
    }

    fn hits(&self) -> MutexGuard<'_, Vec<HashSet<u64>>> {
        self.hits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new translator that is told of pages whose version is raised: its number.
    pub fn subscribe(&self) -> usize {
        let mut hits = self.hits();
        hits.push(HashSet::new());
        hits.len() - 1
    }

    /// RAM offsets of the pages whose version was raised since the translator's last call.
    pub fn take_hits(&self, translator: usize) -> HashSet<u64> {
        self.hits().get_mut(translator).map(std::mem::take).unwrap_or_default()
    }

    /// Says that `len` bytes at RAM offset `ram`, all in one page, were stored to. True if code was hit: the page is
    /// then unmarked and its version raised.
    pub fn stored(&self, ram: u64, len: u64) -> bool {
        let Some(known) = self.page(ram) else { return false };
        if known.marks.load(Relaxed) & granules(ram, len) == 0 {
            return false;
        }
        known.marks.store(0, Relaxed);
        known.version.fetch_add(1, Relaxed);
        let page = ram & !0xFFF;
        for hits in self.hits().iter_mut() {
            hits.insert(page);
        }
        self.epoch.fetch_add(1, Relaxed);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_stores_to_code_raise_the_version() {
        let map = CodeMap::new(0x4000);
        let (one, other) = (map.subscribe(), map.subscribe());
        assert!(map.mark(0x1000, granules(0x1040, 4)));
        assert!(!map.mark(0x1000, granules(0x1080, 4)));
        assert!(!map.stored(0x1000, 0x40));
        assert!(!map.stored(0x2040, 4));
        assert_eq!(map.version(0x1000), 0);
        assert!(map.stored(0x107F, 1));
        assert_eq!(map.version(0x1ABC), 1);
        assert!(!map.any(0x1000));
        assert_eq!(map.take_hits(one), HashSet::from([0x1000]));
        assert_eq!(map.take_hits(one), HashSet::new());
        assert_eq!(map.take_hits(other), HashSet::from([0x1000]));
        assert!(!map.stored(0x9999_9999, 8));
    }

    #[test]
    fn granules_cover_the_bytes() {
        assert_eq!(granules(0x3F, 2), 0b11);
        assert_eq!(granules(0xFC0, 64), 1 << 63);
        assert_eq!(granules(0, 4096), u64::MAX);
    }
}
