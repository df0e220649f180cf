//! Sets of vectors: IRR, ISR and TMR (SDM volume 3, 12.8.4).

use serde::{Deserialize, Serialize};

/// 256 bits, as the eight registers of a set have them.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Vectors([u32; 8]);

impl Vectors {
    /// Register `n` of the eight; zero beyond.
    pub(super) fn word(&self, n: usize) -> u32 {
        self.0.get(n).copied().unwrap_or(0)
    }

    pub(super) fn has(&self, vector: u8) -> bool {
        self.word(usize::from(vector / 32)) >> (vector % 32) & 1 != 0
    }

    /// Puts the vector in, or takes it out.
    pub(super) fn set(&mut self, vector: u8, present: bool) {
        if let Some(word) = self.0.get_mut(usize::from(vector / 32)) {
            let bit = 1 << (vector % 32);
            *word = *word & !bit | if present { bit } else { 0 };
        }
    }

    /// The vector of highest priority, which is the highest number.
    pub(super) fn highest(&self) -> Option<u8> {
        let (n, word) = self.0.iter().enumerate().rev().find(|(_, word)| **word != 0)?;
        Some(n as u8 * 32 + word.ilog2() as u8)
    }

    /// All of them, lowest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = u8> {
        (0..=u8::MAX).filter(|&v| self.has(v))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn highest_is_found() {
        let mut set = Vectors::default();
        assert_eq!(set.highest(), None);
        for v in [0, 31, 32, 200, 255] {
            set.set(v, true);
            assert_eq!(set.highest(), Some(v));
        }
        set.set(255, false);
        assert_eq!((set.highest(), set.has(255), set.word(6)), (Some(200), false, 1 << 8));
        assert_eq!(set.iter().collect::<Vec<_>>(), [0, 31, 32, 200]);
    }
}
