//! Which clusters of a qcow2 image have a reference count.
//!
//! A cluster that is in use and counts as free is handed out again by the next allocation: it ends up holding two
//! things. Blocks of zeroes are not kept, so the memory used follows what the file holds, one bit for each count.

use std::collections::HashMap;

/// The clusters whose reference count is not zero.
pub(super) struct Refcounts {
    /// By refcount block: a bit for each of its counts.
    blocks: HashMap<u64, Vec<u64>>,
    /// Counts in a block.
    per_block: u64,
    cluster_bits: u32,
    /// log2 of the bits of a count.
    order: u32,
}

impl Refcounts {
    /// No counts yet, of 2^`order` bits each.
    pub(super) fn new(cluster_bits: u32, order: u32) -> Refcounts {
        Refcounts { blocks: HashMap::new(), per_block: (8 << cluster_bits) >> order, cluster_bits, order }
    }

    /// Takes the bytes of refcount block `index` from its offset `at` on.
    pub(super) fn add(&mut self, index: u64, at: u64, bytes: &[u8]) {
        if bytes.iter().all(|b| *b == 0) {
            return;
        }
        let words = self.per_block.div_ceil(64) as usize;
        let block = self.blocks.entry(index).or_insert_with(|| vec![0; words]);
        let mut mark = |count: u64| {
            if let Some(word) = block.get_mut((count / 64) as usize) {
                *word |= 1 << (count % 64);
            }
        };
        let first = (at * 8) >> self.order;
        if self.order >= 3 {
            let counts = bytes.chunks(1 << (self.order - 3));
            (first..).zip(counts).filter(|(_, c)| c.iter().any(|b| *b != 0)).for_each(|(n, _)| mark(n));
        } else {
            // Counts narrower than a byte start at its low end.
            let width = 1 << self.order;
            let mask = (1u8 << width) - 1;
            let counts = bytes.iter().flat_map(|b| (0..8).step_by(width).map(move |shift| b >> shift & mask));
            (first..).zip(counts).filter(|(_, c)| *c != 0).for_each(|(n, _)| mark(n));
        }
    }

    /// Whether the cluster that holds byte `offset` of the file has a count.
    pub(super) fn has(&self, offset: u64) -> bool {
        let cluster = offset >> self.cluster_bits;
        let (index, count) = (cluster / self.per_block, cluster % self.per_block);
        let word = self.blocks.get(&index).and_then(|b| b.get((count / 64) as usize));
        word.is_some_and(|word| word >> (count % 64) & 1 != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_every_width() {
        for order in 0..=6 {
            let mut counts = Refcounts::new(9, order);
            let mut block = vec![0u8; 512];
            let bit = 5usize << order; // the lowest bit of count 5, if narrower than a byte
            let at = if order < 3 { bit / 8 } else { bit / 8 + (1 << (order - 3)) - 1 };
            block[at] = if order < 3 { 1 << (bit % 8) } else { 1 };
            counts.add(2, 0, &block[..256]);
            counts.add(2, 256, &block[256..]);
            let first = 2 * (4096 >> order);
            let found: Vec<u64> = (0..3 * (4096 >> order)).filter(|n| counts.has(n << 9)).collect();
            assert_eq!(found, [first + 5], "order {order}");
        }
    }
}
