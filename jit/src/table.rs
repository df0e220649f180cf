//! The table of indirect-branch targets that compiled code looks up inline.
//!
//! A set has two ways of 16 bytes, address and code; the second ways of all sets follow the first. Compiled code looks
//! at the first way, its `miss` routine at the second, and the engine enters what both did not know.

/// Sets of a table.
pub const SETS: usize = 1024;
/// Bytes from the first way of a set to its second.
pub const SECOND_WAY: usize = SETS * 16;

/// Which code is at a virtual address, for the addresses of one context that indirect branches went to lately.
pub struct Table(Vec<[u64; 2]>);

/// What a free way of a set holds. A guest can branch to any number, so its address is one that is looked for in
/// another set.
const fn nobody(set: usize) -> [u64; 2] {
    [if set == 0 { 4 } else { 0 }, 0]
}

impl Table {
    /// A table that knows nothing.
    pub fn new() -> Self {
        Self((0..2 * SETS).map(|way| nobody(way % SETS)).collect())
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        for (way, entry) in self.0.iter_mut().enumerate() {
            *entry = nobody(way % SETS);
        }
    }

    /// The set of `pc`. Functions are aligned and pages repeat each other's offsets, so higher bits are mixed in.
    fn set_of(pc: u64) -> usize {
        (pc >> 2 ^ pc >> 13) as usize % SETS
    }

    /// The code at `pc`, if it is known.
    pub fn get(&self, pc: u64) -> Option<u64> {
        let set = Self::set_of(pc);
        [self.0[set], self.0[set + SETS]].into_iter().find(|way| way[0] == pc).map(|way| way[1])
    }

    /// Enters the code at `pc`; what the first way of its set knew moves to the second.
    pub fn put(&mut self, pc: u64, code: u64) {
        let set = Self::set_of(pc);
        if self.0[set][0] != pc {
            self.0[set + SETS] = self.0[set];
        }
        self.0[set] = [pc, code];
    }

    /// Forgets the code at `pc`.
    pub fn remove(&mut self, pc: u64) {
        let set = Self::set_of(pc);
        for way in [set, set + SETS] {
            if self.0[way][0] == pc {
                self.0[way] = nobody(set);
            }
        }
    }

    /// Host address of the first way of set 0.
    pub fn address(&self) -> u64 {
        self.0.as_ptr() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colliding_targets_are_both_known() {
        let mut t = Table::new();
        let [a, b, c] = [0x40_E058, 0x42_2000, 0x40_E058 + ((SETS as u64) << 24)];
        assert_eq!([a, b, c].map(Table::set_of), [Table::set_of(a); 3]);
        t.put(a, 1);
        t.put(b, 2);
        assert_eq!([a, b, c].map(|pc| t.get(pc)), [Some(1), Some(2), None]);
        t.put(c, 3);
        assert_eq!([a, b, c].map(|pc| t.get(pc)), [None, Some(2), Some(3)]);
        t.put(c, 4);
        t.remove(b);
        assert_eq!([b, c].map(|pc| t.get(pc)), [None, Some(4)]);
        t.clear();
        assert_eq!(t.get(c), None);
    }

    #[test]
    fn free_ways_match_no_address() {
        let t = Table::new();
        for pc in [0, 1, 4, u64::MAX, 0x1000] {
            assert_eq!(t.get(pc), None);
        }
    }
}
