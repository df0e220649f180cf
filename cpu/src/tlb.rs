//! The software TLB that interpreter and compiled code share.
//!
//! It has banks: one direct-mapped array of entries for each recently used translation context (privilege and address
//! space, as the architecture's [`BankKey`] says). A context switch selects another bank, so it keeps other spaces'
//! entries; a hit compares one tag, which already implies the context. A bank remembers which of its entries are in
//! use, so flushing it costs no more than filling it did, and flushing an empty one costs nothing.
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
/// Entries in one bank.
pub const ENTRIES: usize = 1024;
/// Number of banks.
pub const BANKS: usize = 16;
/// A tag that no address matches.
pub const NEVER: u64 = 0xFF0;

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
}

#[derive(Clone, Default)]
struct Bank {
    key: BankKey,
    used: Vec<u16>,
    nonglobal: bool,
    age: u64,
}

/// The banks.
pub struct Tlb {
    entries: Box<[Entry; BANKS * ENTRIES]>,
    banks: Vec<Bank>,
    current: usize,
    unprivileged: usize,
    clock: u64,
    /// How many entries were filled, for `info jit`.
    pub fills: u64,
    /// How many whole-bank flushes happened.
    pub flushes: u64,
}

impl Default for Tlb {
    fn default() -> Self {
        Self {
            entries: blank(),
            banks: vec![Bank::default(); BANKS],
            current: 0,
            unprivileged: 0,
            clock: 0,
            fills: 0,
            flushes: 0,
        }
    }
}

/// Entries that match nothing, made where they stay: too many for a stack.
fn blank() -> Box<[Entry; BANKS * ENTRIES]> {
    let entries = vec![Entry::EMPTY; BANKS * ENTRIES].into_boxed_slice();
    entries.try_into().unwrap_or_else(|_| unreachable!("the slice has just that length"))
}

/// The set that an address falls into.
#[inline(always)]
pub const fn set_of(va: u64) -> usize {
    (va >> PAGE_BITS) as usize & (ENTRIES - 1)
}

impl Tlb {
    /// Selects the banks for plain and for unprivileged accesses; banks are created, and the longest unused recycled.
    pub fn select(&mut self, plain: BankKey, unprivileged: BankKey) {
        self.clock += 1;
        self.current = self.bank(plain, usize::MAX);
        self.unprivileged = self.bank(unprivileged, self.current);
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
        for set in std::mem::take(&mut self.banks[bank].used) {
            self.entries[bank * ENTRIES + set as usize] = Entry::EMPTY;
        }
    }

    /// The entry that `va` would hit, for plain or unprivileged accesses.
    #[inline(always)]
    pub fn entry(&self, va: u64, unprivileged: bool) -> &Entry {
        let bank = if unprivileged { self.unprivileged } else { self.current };
        &self.entries[(bank * ENTRIES + set_of(va)) & (BANKS * ENTRIES - 1)]
    }

    /// Host address of the current bank (or the one for unprivileged accesses), for compiled code.
    pub fn bank_address(&self, unprivileged: bool) -> u64 {
        let bank = if unprivileged { self.unprivileged } else { self.current };
        (&raw const self.entries[bank * ENTRIES]) as u64
    }

    /// Enters a translation for the page of `va`.
    pub fn fill(&mut self, va: u64, unprivileged: bool, entry: Entry) {
        let bank = if unprivileged { self.unprivileged } else { self.current };
        let at = bank * ENTRIES + set_of(va);
        self.fills += 1;
        if self.entries[at].read == NEVER && self.entries[at].write == NEVER {
            self.banks[bank].used.push(set_of(va) as u16);
        }
        self.banks[bank].nonglobal |= entry.ram & NONGLOBAL != 0;
        self.entries[at] = entry;
    }

    /// Forgets everything in the banks whose key matches.
    pub fn flush(&mut self, which: impl Fn(BankKey) -> bool) {
        for i in 0..BANKS {
            if !self.banks[i].used.is_empty() && which(self.banks[i].key) {
                self.clear(i);
            }
        }
    }

    /// Forgets the entries of one address space in the banks whose key matches, keeping global ones.
    pub fn flush_nonglobal(&mut self, which: impl Fn(BankKey) -> bool) {
        for (i, bank) in self.banks.iter_mut().enumerate() {
            if bank.nonglobal && which(bank.key) {
                bank.nonglobal = false;
                let entries = &mut self.entries[i * ENTRIES..][..ENTRIES];
                bank.used.retain(|&set| {
                    let entry = &mut entries[set as usize];
                    let keep = entry.ram & NONGLOBAL == 0;
                    if !keep {
                        *entry = Entry::EMPTY;
                    }
                    keep
                });
            }
        }
    }

    /// Forgets whatever serves the page of `va` in the banks whose key matches.
    pub fn flush_page(&mut self, va: u64, which: impl Fn(BankKey) -> bool) {
        for (i, bank) in self.banks.iter_mut().enumerate() {
            let entry = &mut self.entries[i * ENTRIES + set_of(va)];
            if (entry.read != NEVER || entry.write != NEVER) && which(bank.key) {
                *entry = Entry::EMPTY;
                bank.used.retain(|&s| s as usize != set_of(va));
            }
        }
    }

    /// Withholds the write tags of every entry that maps the RAM page at `ram`, so that stores to it are noticed.
    pub fn watch(&mut self, ram: u64) {
        for (i, bank) in self.banks.iter().enumerate() {
            for &set in &bank.used {
                let entry = &mut self.entries[i * ENTRIES + set as usize];
                if entry.ram & PAGE_MASK == ram & PAGE_MASK {
                    entry.write = NEVER;
                }
            }
        }
    }

    /// The live entries with their bank's key, for `info tlb`.
    pub fn iter(&self) -> impl Iterator<Item = (BankKey, &Entry)> {
        self.banks.iter().enumerate().flat_map(move |(i, b)| {
            b.used.iter().map(move |&s| (b.key, &self.entries[i * ENTRIES + s as usize]))
        })
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
