//! The flat register file and its typed cells.
//!
//! Every engine sees the same bytes: the interpreter through [`RegFile`], compiled code through its address. A slot is
//! a byte offset, so that sub-registers (AL, the low half of X0) are slots too.

use crate::width::Width;
use std::marker::PhantomData;

/// Number of 64-bit words in a register file; a power of two, so that a slot needs no bounds check.
pub const WORDS: usize = 512;

/// The architectural state that guest code can name, as 64-bit little-endian words.
#[derive(Clone, Debug, PartialEq, Eq)]
#[repr(C, align(64))]
pub struct RegFile {
    words: [u64; WORDS],
}

impl Default for RegFile {
    fn default() -> Self {
        Self { words: [0; WORDS] }
    }
}

impl RegFile {
    /// Word `i`; indices wrap at the size of the file.
    #[inline(always)]
    pub fn word(&self, i: u16) -> u64 {
        self.words[i as usize & (WORDS - 1)]
    }

    /// Sets word `i`; indices wrap at the size of the file.
    #[inline(always)]
    pub fn set_word(&mut self, i: u16, x: u64) {
        self.words[i as usize & (WORDS - 1)] = x;
    }

    /// All words, for comparison and snapshots.
    pub fn words(&self) -> &[u64; WORDS] {
        &self.words
    }

    /// All words, writable.
    pub fn words_mut(&mut self) -> &mut [u64; WORDS] {
        &mut self.words
    }
}

/// A typed cell of the register file: a byte offset, aligned to the width it holds.
#[derive(Debug)]
pub struct Slot<W>(u16, PhantomData<W>);

impl<W> Clone for Slot<W> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<W> Copy for Slot<W> {}

impl<W: Width> Slot<W> {
    /// The slot at 64-bit word `i` (its low bytes for narrow widths).
    #[inline(always)]
    pub const fn word(i: u16) -> Self {
        Slot(i * 8, PhantomData)
    }

    /// The slot at byte `b`.
    #[inline(always)]
    pub const fn byte(b: u16) -> Self {
        Slot(b, PhantomData)
    }

    /// Its byte offset in the register file.
    #[inline(always)]
    pub const fn offset(self) -> u16 {
        self.0
    }

    /// The same place seen with another width.
    #[inline(always)]
    pub const fn cast<V: Width>(self) -> Slot<V> {
        Slot(self.0, PhantomData)
    }
}
