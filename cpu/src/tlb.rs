//! The software TLB that interpreter and compiled code share.
//!
//! It has banks: one array of entries for each recently used translation context (privilege and address
//! space, as the architecture's [`BankKey`] says). A context switch selects another bank, so it keeps other spaces'
//! entries; a hit compares one tag, which already implies the context. A bank remembers which of its entries are in
//! use, so flushing it costs no more than filling it did, and flushing an empty one costs nothing.
//!
//! A set has two ways: what is filled goes to the first, and what was there moves to the second. A hit looks at the
//! first only; the second keeps pages that collide, such as a stack and a heap that are 4 MiB apart, from evicting each
//! other at every access. No page is in both ways of its set.
//!
//! An entry serves one 4 KiB page. A tag is the page's virtual address, so an access hits when
//! `(address & (PAGE_MASK | size - 1)) == tag`, or, where unaligned accesses are allowed,
//! `((address + size - 1) & PAGE_MASK) == tag`: a page-crossing access then misses by itself.
//! Top-byte-ignored addresses are entered with their tag byte: aliases compete for one set, which per-address
//! invalidation clears whatever the tag byte is.

/// Size of a page in bits.
pub const PAGE_BITS: u32 = 12;
/// Address bits of the page.
pub const PAGE_MASK: u64 = !0xFFF;
/// Sets of one bank.
pub const SETS: usize = 1024;
/// Entries of one bank: the first ways of all sets, then the second ways.
const ENTRIES: usize = 2 * SETS;
/// Bytes from the first way of a set to its second.
pub const SECOND_WAY: usize = SETS * size_of::<Entry>();
/// Number of banks.
pub const BANKS: usize = 16;
/// A tag that no address matches.
pub const NEVER: u64 = 0xFF0;
/// An access that hits no tag.
pub const MISS: u64 = 1;

/// Which translation context a bank serves: an architecture-defined number; 0 is no context.
pub type BankKey = u64;

/// One translation. Compiled code relies on this layout.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(32))]
pub struct Entry {
    /// Page whose loads may take the fast path, or [`NEVER`].
    pub read: u64,
    /// Page whose stores may take the fast path, or [`NEVER`].
    pub write: u64,
    /// Host address of the page minus its virtual address.
    pub addend: u64,
    /// Offset of the page in guest RAM, with [`NONGLOBAL`] and [`WRITABLE`] in the low bits.
    pub ram: u64,
}

/// In [`Entry::ram`]: the translation belongs to one address space.
pub const NONGLOBAL: u64 = 1;
/// In [`Entry::ram`]: stores are permitted, even if the write tag is withheld to notice them.
pub const WRITABLE: u64 = 2;

impl Entry {
    /// The entry that matches nothing.
    pub const EMPTY: Entry = Entry { read: NEVER, write: NEVER, addend: 0, ram: 0 };

    fn is_empty(&self) -> bool {
        self.read == NEVER && self.write == NEVER
    }

    fn serves(&self, page: u64) -> bool {
        self.read == page || self.write == page
    }
}

/// Which entries of a bank are not empty: a bit for each.
#[derive(Clone)]
struct Used([u64; ENTRIES / 64]);

impl Used {
    fn put(&mut self, place: usize, used: bool) {
        let word = &mut self.0[place / 64 % (ENTRIES / 64)];
        *word = *word & !(1 << (place % 64)) | (used as u64) << (place % 64);
    }

    fn any(&self) -> bool {
        self.0.iter().any(|&word| word != 0)
    }

    fn iter(&self) -> impl Iterator<Item = usize> {
        self.0.iter().enumerate().flat_map(|(i, &word)| {
            let rest = |&word: &u64| Some(word & (word - 1)).filter(|&w| w != 0);
            std::iter::successors(Some(word).filter(|&w| w != 0), rest)
                .map(move |word| i * 64 + word.trailing_zeros() as usize)
        })
    }
}

impl Default for Used {
    fn default() -> Self {
        Self([0; ENTRIES / 64])
    }
}

#[derive(Clone, Default)]
struct Bank {
    key: BankKey,
    used: Used,
    nonglobal: bool,
    age: u64,
}

type Entries = Box<[Entry; ENTRIES]>;

/// The banks.
pub struct Tlb {
    /// Those of the current bank, one step away.
    now: Entries,
    /// Those of the others, by bank; the current bank's place holds nothing of use.
    entries: [Entries; BANKS],
    banks: Vec<Bank>,
    current: usize,
    unprivileged: usize,
    /// The two banks that were selected before.
    before: (usize, usize),
    clock: u64,
    /// How many entries were filled, for `info jit`.
    pub fills: u64,
    /// How many whole-bank flushes happened.
    pub flushes: u64,
}

impl Default for Tlb {
    fn default() -> Self {
        Self {
            now: blank(),
            entries: std::array::from_fn(|_| blank()),
            banks: vec![Bank::default(); BANKS],
            current: 0,
            unprivileged: 0,
            before: (0, 0),
            clock: 0,
            fills: 0,
            flushes: 0,
        }
    }
}

/// Entries that match nothing, made where they stay: too many for a stack.
fn blank() -> Entries {
    let entries = vec![Entry::EMPTY; ENTRIES].into_boxed_slice();
    entries.try_into().unwrap_or_else(|_| unreachable!("the slice has just that length"))
}

/// The set that an address falls into.
#[inline(always)]
pub const fn set_of(va: u64) -> usize {
    (va >> PAGE_BITS) as usize & (SETS - 1)
}

impl Tlb {
    /// Selects the banks for plain and for unprivileged accesses; banks are created, and the longest unused recycled.
    pub fn select(&mut self, plain: BankKey, unprivileged: BankKey) {
        let is = |bank: usize, key| self.banks[bank].key == key;
        if is(self.current, plain) && is(self.unprivileged, unprivileged) {
            return;
        }
        self.clock += 1;
        let before = (self.current, self.unprivileged);
        // System calls go forth and back between two pairs.
        if is(self.before.0, plain) && is(self.before.1, unprivileged) {
            self.change(self.before.0);
            self.unprivileged = self.before.1;
            for bank in [self.current, self.unprivileged] {
                self.banks[bank].age = self.clock;
            }
            self.before = before;
            return;
        }
        self.before = before;
        let bank = self.bank(plain, usize::MAX);
        self.change(bank);
        self.unprivileged = self.bank(unprivileged, self.current);
    }

    /// Makes a bank the current one.
    fn change(&mut self, bank: usize) {
        std::mem::swap(&mut self.now, &mut self.entries[self.current]);
        self.current = bank;
        std::mem::swap(&mut self.now, &mut self.entries[bank]);
    }

    #[inline(always)]
    fn of(&self, bank: usize) -> &Entries {
        if bank == self.current { &self.now } else { &self.entries[bank % BANKS] }
    }

    fn of_mut(&mut self, bank: usize) -> &mut Entries {
        if bank == self.current { &mut self.now } else { &mut self.entries[bank % BANKS] }
    }

    fn bank(&mut self, key: BankKey, keep: usize) -> usize {
        let clock = self.clock;
        let found = self.banks.iter().position(|b| b.key == key);
        let i = found.unwrap_or_else(|| {
            let ages = self.banks.iter().enumerate().filter(|(i, _)| *i != keep);
            let oldest = ages.min_by_key(|(_, b)| b.age).map_or(0, |(i, _)| i);
            self.clear(oldest);
            self.banks[oldest].key = key;
            oldest
        });
        self.banks[i].age = clock;
        i
    }

    fn clear(&mut self, bank: usize) {
        self.flushes += 1;
        let used = std::mem::take(&mut self.banks[bank].used);
        let entries = self.of_mut(bank);
        for place in used.iter() {
            entries[place] = Entry::EMPTY;
        }
    }

    #[inline(always)]
    fn selected(&self, unprivileged: bool) -> usize {
        if unprivileged { self.unprivileged } else { self.current }
    }

    /// The first way of the set of `va`, for plain or unprivileged accesses.
    #[inline(always)]
    pub fn entry(&self, va: u64, unprivileged: bool) -> &Entry {
        if unprivileged { &self.of(self.unprivileged)[set_of(va)] } else { &self.now[set_of(va)] }
    }

    /// After a miss: the entry for the page of `va` if the second way has it, which becomes the first.
    pub fn promote(&mut self, va: u64, unprivileged: bool) -> Option<&Entry> {
        let entries = self.of_mut(self.selected(unprivileged));
        let (first, second) = (set_of(va), set_of(va) + SETS);
        if !entries[second].serves(va & PAGE_MASK) || entries[first].is_empty() {
            return None;
        }
        entries.swap(first, second);
        entries.get(first)
    }

    /// Host address of the current bank (or the one for unprivileged accesses), for compiled code.
    pub fn bank_address(&self, unprivileged: bool) -> u64 {
        (&raw const self.of(self.selected(unprivileged))[0]) as u64
    }

    /// Enters a translation for the page of `va`.
    pub fn fill(&mut self, va: u64, unprivileged: bool, entry: Entry) {
        let bank = self.selected(unprivileged);
        let (first, second) = (set_of(va), set_of(va) + SETS);
        let page = va & PAGE_MASK;
        self.fills += 1;
        let b = &mut self.banks[bank];
        let entries = if bank == self.current { &mut self.now } else { &mut self.entries[bank] };
        if entries[first].is_empty() {
            b.used.put(first, true);
            if entries[second].serves(page) {
                entries[second] = Entry::EMPTY;
                b.used.put(second, false);
            }
        } else if !entries[first].serves(page) {
            b.used.put(second, true);
            entries[second] = entries[first];
        }
        b.nonglobal |= entry.ram & NONGLOBAL != 0;
        entries[first] = entry;
    }

    /// Forgets everything in the banks whose key matches.
    pub fn flush(&mut self, which: impl Fn(BankKey) -> bool) {
        for i in 0..BANKS {
            if self.banks[i].used.any() && which(self.banks[i].key) {
                self.clear(i);
            }
        }
    }

    /// Forgets the entries of one address space in the banks whose key matches, keeping global ones.
    pub fn flush_nonglobal(&mut self, which: impl Fn(BankKey) -> bool) {
        for (i, bank) in self.banks.iter_mut().enumerate() {
            if bank.nonglobal && which(bank.key) {
                bank.nonglobal = false;
                let entries = if i == self.current { &mut self.now } else { &mut self.entries[i] };
                for place in bank.used.clone().iter() {
                    if entries[place].ram & NONGLOBAL != 0 {
                        entries[place] = Entry::EMPTY;
                        bank.used.put(place, false);
                    }
                }
            }
        }
    }

    /// Forgets whatever serves the page of `va` in the banks whose key matches.
    pub fn flush_page(&mut self, va: u64, which: impl Fn(BankKey) -> bool) {
        for (i, bank) in self.banks.iter_mut().enumerate() {
            let entries = if i == self.current { &mut self.now } else { &mut self.entries[i] };
            let places = [set_of(va), set_of(va) + SETS];
            if places.iter().any(|&place| !entries[place].is_empty()) && which(bank.key) {
                for place in places {
                    entries[place] = Entry::EMPTY;
                    bank.used.put(place, false);
                }
            }
        }
    }

    /// Forgets whatever serves the `1 << size` bytes around `va`, in all banks.
    pub fn flush_region(&mut self, va: u64, size: u32) {
        for (i, bank) in self.banks.iter_mut().enumerate() {
            let entries = if i == self.current { &mut self.now } else { &mut self.entries[i] };
            for place in bank.used.clone().iter() {
                let Entry { read, write, .. } = entries[place];
                let page = if read == NEVER { write } else { read };
                if page >> size == va >> size {
                    entries[place] = Entry::EMPTY;
                    bank.used.put(place, false);
                }
            }
        }
    }

    /// Withholds the write tags of every entry that maps the RAM page at `ram`, so that stores to it are noticed.
    pub fn watch(&mut self, ram: u64) {
        for (i, bank) in self.banks.iter().enumerate() {
            let entries = if i == self.current { &mut self.now } else { &mut self.entries[i] };
            for place in bank.used.iter() {
                let entry = &mut entries[place];
                if entry.ram & PAGE_MASK == ram & PAGE_MASK {
                    entry.write = NEVER;
                }
            }
        }
    }

    /// The live entries with their bank's key, for `info tlb`.
    pub fn iter(&self) -> impl Iterator<Item = (BankKey, &Entry)> {
        self.banks
            .iter()
            .enumerate()
            .flat_map(move |(i, b)| b.used.iter().map(move |place| (b.key, &self.of(i)[place])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(va: u64, ram: u64) -> Entry {
        Entry { read: va, write: va, addend: 0, ram }
    }

    #[test]
    fn contexts_keep_their_entries() {
        let mut t = Tlb::default();
        t.select(1, 2);
        t.fill(0x5000, false, page(0x5000, 0));
        t.select(3, 2);
        assert_eq!(t.entry(0x5000, false).read, NEVER);
        t.select(1, 2);
        assert_eq!(t.entry(0x5000, false).read, 0x5000);
        t.flush(|k| k == 1);
        assert_eq!(t.entry(0x5000, false).read, NEVER);
    }

    #[test]
    fn recycling_leaves_nothing_behind() {
        let mut t = Tlb::default();
        for key in 1..100 {
            t.select(key, 1000);
            assert_eq!(t.entry(0x7000, false).read, NEVER);
            t.fill(0x7000, false, page(0x7000, key << 12));
        }
        t.select(1, 1000);
        assert_eq!(t.entry(0x7000, false).read, NEVER);
    }

    #[test]
    fn colliding_pages_live_side_by_side() {
        let mut t = Tlb::default();
        t.select(1, 1);
        let (a, b, c) = (0x1000, 0x1000 + (SETS << 12) as u64, 0x1000 + (SETS << 13) as u64);
        t.fill(a, false, page(a, 0));
        t.fill(b, false, page(b, NONGLOBAL));
        assert_eq!(t.entry(a, false).read, b);
        assert_eq!(t.promote(a, false).map(|e| e.read), Some(a));
        assert_eq!(t.entry(a, false).read, a);
        assert!(t.promote(c, false).is_none());
        // A page that is entered again leaves no second entry behind.
        t.fill(b, false, page(b, 0x7000));
        assert_eq!(t.iter().count(), 2);
        t.flush_page(a, |_| true);
        assert_eq!(t.iter().count(), 0);
        // The first way goes, the second stays and is found again.
        t.fill(a, false, page(a, 0));
        t.fill(b, false, page(b, NONGLOBAL));
        t.flush_nonglobal(|_| true);
        assert_eq!(t.iter().count(), 1);
        t.fill(a, false, page(a, 0x3000));
        assert_eq!(t.iter().map(|(_, e)| e.ram).collect::<Vec<_>>(), [0x3000]);
        t.watch(0x3000);
        assert_eq!(t.entry(a, false).write, NEVER);
    }

    #[test]
    fn pages_and_spaces_are_forgotten_alone() {
        let mut t = Tlb::default();
        t.select(1, 1);
        t.fill(0x1000, false, page(0x1000, NONGLOBAL));
        t.fill(0x2000, false, page(0x2000, 0x9000));
        t.flush_nonglobal(|_| true);
        assert_eq!(t.entry(0x1000, false).read, NEVER);
        assert_eq!(t.entry(0x2000, false).read, 0x2000);
        t.watch(0x9000);
        assert_eq!(t.entry(0x2000, false).write, NEVER);
        t.flush_page(0x2123, |_| true);
        assert_eq!(t.entry(0x2000, false).read, NEVER);
        assert_eq!(t.iter().count(), 0);
    }
}
