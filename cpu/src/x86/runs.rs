//! Decoded instructions of one page whose lengths differ: those that follow each other lie next to each other.

use crate::core::Places;
use lyrebird_chain::{At, Chain};

/// Runs of instructions in the order in which they were decoded. Behind each run, and first of all, stands what stands
/// for nothing.
pub struct Runs<T> {
    list: Chain<T>,
    /// Where in the list the instruction at a byte is; 0 if nothing is there.
    index: [u16; 0x1000],
    /// The byte at which the last run goes on.
    next: u32,
}

impl<T: Copy + Send> Places<T> for Runs<T> {
    fn filled(x: T) -> Box<Self> {
        let mut list = Chain::default();
        list.push(x, 0);
        Box::new(Runs { list, index: [0; 0x1000], next: u32::MAX })
    }

    #[inline(always)]
    fn from(&self, at: u32) -> At<'_, T> {
        self.list.at(self.index[at as usize & 0xFFF] as usize)
    }

    #[inline(always)]
    fn has(&self, at: u32) -> bool {
        self.index[at as usize & 0xFFF] != 0
    }

    fn put(&mut self, at: u32, len: u32, x: T) {
        let nothing = *self.list.at(0).value();
        // The last place holds what stands for nothing, and is the run's to go on with.
        if at == self.next {
            self.list.pop();
        }
        // At most two places for each byte: the number fits.
        self.index[at as usize & 0xFFF] = self.list.len() as u16;
        self.list.push(x, (at + len) as u16);
        self.list.push(nothing, 0);
        self.next = at + len;
    }

    fn connect(&mut self, number: u16, at: u32) {
        let to = self.index[at as usize & 0xFFF];
        if to != 0 {
            self.list.connect(number as usize, to as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_without_a_gap_lies_together() {
        let mut runs = Runs::filled(0);
        let from = |runs: &Runs<u32>, at| {
            std::iter::successors(Some(Places::from(runs, at)), |at| at.next_unless(0))
                .map(|at| *at.value())
                .collect::<Vec<_>>()
        };
        assert_eq!((from(&runs, 5), runs.has(5)), (vec![0], false));
        runs.put(5, 2, 'a' as u32);
        runs.put(7, 3, 'b' as u32);
        assert_eq!(from(&runs, 5), [97, 98, 0]);
        // Another run, and what would have gone on with the first one.
        runs.put(0xFFF, 1, 'c' as u32);
        runs.put(10, 1, 'd' as u32);
        assert_eq!(
            (from(&runs, 7), from(&runs, 0xFFF), from(&runs, 10)),
            (vec![98, 0, 99, 0, 100, 0], vec![99, 0, 100, 0], vec![100, 0])
        );
        assert!(runs.has(10) && !runs.has(11));
    }
}
