//! The memory of an address space: RAM and ROM by guest-physical address, and nothing that could call back.
//!
//! DMA and loaders work on this half of the address space alone, which is why a device may use it under its own lock.

use super::span::{Span, SpanError};
use lyrebird_ram::{GuestRam, Pod};
use parking_lot::{RwLock, RwLockWriteGuard};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::Arc;

/// An access that is not to memory, at least not with all of its bytes, or a write to ROM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("No memory at {gpa:#x}")]
pub struct NoMemory {
    /// First address that no memory answers.
    pub gpa: u64,
}

impl From<NoMemory> for io::Error {
    fn from(e: NoMemory) -> Self {
        io::Error::other(e)
    }
}

/// Told of writes that do not come from a processor, so that it can drop translations of what was there.
pub type WriteHook = Arc<dyn Fn(u64, u64) + Send + Sync>;

/// A piece of RAM or ROM in the address space.
#[derive(Clone)]
pub struct Block {
    /// Name for listings, as in `"ram"`.
    pub name: String,
    /// Where it is.
    pub span: Span,
    /// The bytes; the span starts at `offset` of them.
    pub ram: GuestRam,
    /// Offset of the first byte.
    pub offset: u64,
    /// Whether the guest cannot write it.
    pub rom: bool,
}

/// Told of the spans whose memory changed: appeared, disappeared, or is other memory now.
pub type LayoutHook = Arc<dyn Fn(Span) + Send + Sync>;

impl Block {
    /// What is left of it below and above `span`.
    fn without(self, span: Span) -> [Option<Block>; 2] {
        if !self.span.overlaps(span) {
            return [Some(self), None];
        }
        let part = |first: u64, last: u64| {
            let offset = self.offset + (first - self.span.first());
            let span = Span::new(first, last - first + 1).ok()?;
            Some(Block { span, offset, ..self.clone() })
        };
        let below = span.first().checked_sub(1).filter(|&last| last >= self.span.first());
        let above = span.last().checked_add(1).filter(|&first| first <= self.span.last());
        let below = below.and_then(|last| part(self.span.first(), last));
        let above = above.and_then(|first| part(first, self.span.last()));
        [below, above]
    }
}

#[derive(Default)]
struct Inner {
    blocks: Vec<Block>,
    /// RAM that takes the writes to a block that cannot be written itself.
    sinks: Vec<Block>,
    hook: Option<WriteHook>,
    layout: Option<LayoutHook>,
}

/// RAM and ROM by guest-physical address.
#[derive(Default)]
pub struct Memory(RwLock<Inner>);

/// Memory that devices wait for.
pub struct Frozen<'a>(#[expect(dead_code, reason = "held, not used")] RwLockWriteGuard<'a, Inner>);

impl Memory {
    /// No memory at all.
    pub fn new() -> Memory {
        Memory::default()
    }

    /// Places a block. The address space checks it against devices.
    pub(super) fn place(&self, block: Block) -> Result<(), SpanError> {
        let mut inner = self.0.write();
        if let Some(other) = inner.blocks.iter().find(|b| b.span.overlaps(block.span)) {
            return Err(SpanError::Overlap {
                name: block.name,
                span: block.span,
                other_name: other.name.clone(),
                other: other.span,
            });
        }
        let backed = block.ram.len().checked_sub(block.offset).is_some_and(|rest| rest >= block.span.len());
        if !backed {
            return Err(SpanError::Short { name: block.name, span: block.span });
        }
        let span = block.span;
        inner.insert(block);
        finish(inner, span);
        Ok(())
    }

    /// Takes away whatever lies in `span`; blocks that reach beyond it are cut.
    pub(super) fn remove(&self, span: Span) {
        let mut inner = self.0.write();
        inner.cut(span);
        finish(inner, span);
    }

    /// Puts `block` in the place of what is there, and lets `sink` take the writes to it.
    pub(super) fn replace(&self, block: Block, sink: Option<Block>) {
        let mut inner = self.0.write();
        let span = block.span;
        inner.cut(span);
        inner.insert(block);
        inner.sinks.extend(sink);
        finish(inner, span);
    }

    /// Calls `hook(span)` after the memory of a span changed, for processors that keep a map of their own. It is called
    /// under a device's lock, and must not call into devices.
    pub fn on_layout(&self, hook: impl Fn(Span) + Send + Sync + 'static) {
        self.0.write().layout = Some(Arc::new(hook));
    }

    /// Keeps devices from reading and writing memory until the guard is dropped. Processors do not come this way.
    pub fn freeze(&self) -> Frozen<'_> {
        Frozen(self.0.write())
    }

    /// Calls `hook(gpa, len)` after each write through [`Memory::write`] and its kin.
    pub fn on_dma_write(&self, hook: impl Fn(u64, u64) + Send + Sync + 'static) {
        self.0.write().hook = Some(Arc::new(hook));
    }

    /// All blocks by address.
    pub fn blocks(&self) -> Vec<Block> {
        self.0.read().blocks.clone()
    }

    /// The block at `gpa`.
    pub fn block_at(&self, gpa: u64) -> Option<Block> {
        self.0.read().at(gpa).cloned()
    }

    /// Whether memory of any kind answers at `gpa`.
    pub fn contains(&self, gpa: u64) -> bool {
        self.0.read().at(gpa).is_some()
    }

    /// Reads bytes from RAM and ROM, across adjacent blocks.
    ///
    /// # Errors
    /// When any byte is not memory; `into` is then filled up to there.
    pub fn read(&self, gpa: u64, into: &mut [u8]) -> Result<(), NoMemory> {
        let inner = self.0.read();
        let mut done = 0;
        while done < into.len() {
            let (block, at, len) = inner.run(gpa, done, into.len())?;
            let piece = into.get_mut(done..done + len).ok_or(NoMemory { gpa })?;
            block.ram.read_bytes(at, piece).map_err(|_| NoMemory { gpa })?;
            done += len;
        }
        Ok(())
    }

    /// Writes bytes to RAM, across adjacent blocks.
    ///
    /// # Errors
    /// When any byte is not RAM; what comes before is then written.
    pub fn write(&self, gpa: u64, from: &[u8]) -> Result<(), NoMemory> {
        let inner = self.0.read();
        let mut done = 0;
        let mut result = Ok(());
        while done < from.len() {
            let step = inner.run(gpa, done, from.len()).and_then(|(block, at, len)| {
                let gpa = gpa.wrapping_add(done as u64);
                let piece = from.get(done..done + len).ok_or(NoMemory { gpa })?;
                let (ram, at) = inner.writable(block, at).ok_or(NoMemory { gpa })?;
                ram.write_bytes(at, piece).map_err(|_| NoMemory { gpa })?;
                Ok(len)
            });
            match step {
                Ok(len) => done += len,
                Err(e) => {
                    result = Err(e);
                    break;
                }
            }
        }
        let hook = inner.hook.clone();
        drop(inner);
        if let Some(hook) = hook.filter(|_| done != 0) {
            hook(gpa, done as u64);
        }
        result
    }

    /// Reads one little-endian value; a naturally aligned one of up to 8 bytes is read in one piece.
    pub fn read_value<T: Pod>(&self, gpa: u64) -> Result<T, NoMemory> {
        let inner = self.0.read();
        let none = NoMemory { gpa };
        let block = inner.at(gpa).filter(|b| b.span.contains_all(gpa, size_of::<T>() as u64)).ok_or(none)?;
        block.ram.read(block.offset + (gpa - block.span.first())).map_err(|_| none)
    }

    /// Writes one little-endian value; a naturally aligned one of up to 8 bytes is written in one piece.
    pub fn write_value<T: Pod>(&self, gpa: u64, value: T) -> Result<(), NoMemory> {
        let inner = self.0.read();
        let none = NoMemory { gpa };
        let len = size_of::<T>() as u64;
        let block = inner.at(gpa).filter(|b| b.span.contains_all(gpa, len)).ok_or(none)?;
        let (ram, at) = inner.writable(block, block.offset + (gpa - block.span.first())).ok_or(none)?;
        ram.write(at, value).map_err(|_| none)?;
        let hook = inner.hook.clone();
        drop(inner);
        if let Some(hook) = hook {
            hook(gpa, len);
        }
        Ok(())
    }

    /// Writes bytes to RAM and ROM alike, as a loader does before the machine starts.
    pub fn load(&self, gpa: u64, from: &[u8]) -> Result<(), NoMemory> {
        self.load_parts(gpa, from.len(), |block, at, part| {
            let piece = from.get(part).ok_or(NoMemory { gpa })?;
            block.ram.write_bytes(at, piece).map_err(|_| NoMemory { gpa })
        })
    }

    /// Writes the first `len` bytes of a file to RAM and ROM alike.
    ///
    /// # Errors
    /// When there is no memory, or the file cannot be read or is shorter.
    pub fn load_file(&self, gpa: u64, file: &File, len: u64) -> io::Result<()> {
        let len = usize::try_from(len).map_err(io::Error::other)?;
        self.load_parts(gpa, len, |block, at, part| {
            block.ram.read_file(at, part.len() as u64, file, part.start as u64)
        })
    }

    /// Has `put` write to each block that `len` bytes at `gpa` are in: the block, the offset in its RAM, and which of the
    /// bytes they are.
    fn load_parts<E: From<NoMemory>>(
        &self,
        gpa: u64,
        len: usize,
        put: impl Fn(&Block, u64, Range<usize>) -> Result<(), E>,
    ) -> Result<(), E> {
        let inner = self.0.read();
        let mut done = 0;
        while done < len {
            let (block, at, here) = inner.run(gpa, done, len)?;
            put(block, at, done..done + here)?;
            done += here;
        }
        let hook = inner.hook.clone();
        drop(inner);
        if let Some(hook) = hook {
            hook(gpa, done as u64);
        }
        Ok(())
    }
}

/// Tells of a change, once the lock is free.
fn finish(inner: RwLockWriteGuard<'_, Inner>, span: Span) {
    let hook = inner.layout.clone();
    drop(inner);
    if let Some(hook) = hook {
        hook(span);
    }
}

impl Inner {
    fn insert(&mut self, block: Block) {
        self.blocks.push(block);
        self.blocks.sort_by_key(|b| b.span.first());
    }

    fn cut(&mut self, span: Span) {
        self.blocks = self.blocks.drain(..).flat_map(|b| b.without(span)).flatten().collect();
        self.sinks = self.sinks.drain(..).flat_map(|b| b.without(span)).flatten().collect();
    }

    /// The RAM that takes a write to offset `at` of what `block` shows.
    fn writable<'a>(&'a self, block: &'a Block, at: u64) -> Option<(&'a GuestRam, u64)> {
        if !block.rom {
            return Some((&block.ram, at));
        }
        let gpa = block.span.first() + (at - block.offset);
        let sink = self.sinks.iter().find(|s| s.span.contains(gpa))?;
        Some((&sink.ram, sink.offset + (gpa - sink.span.first())))
    }

    fn at(&self, gpa: u64) -> Option<&Block> {
        let after = self.blocks.partition_point(|b| b.span.first() <= gpa);
        self.blocks.get(after.checked_sub(1)?).filter(|b| b.span.contains(gpa))
    }

    /// The block that holds byte `done` of an access of `len` bytes at `gpa`, the offset in its RAM, and how many
    /// bytes of the access are in it.
    fn run(&self, gpa: u64, done: usize, len: usize) -> Result<(&Block, u64, usize), NoMemory> {
        let none = NoMemory { gpa: gpa.wrapping_add(done as u64) };
        let at = gpa.checked_add(done as u64).ok_or(none)?;
        let block = self.at(at).ok_or(none)?;
        let here = (block.span.last() - at).saturating_add(1).min((len - done) as u64);
        Ok((block, block.offset + (at - block.span.first()), here as usize))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parking_lot::Mutex;

    fn block(name: &str, base: u64, len: u64, rom: bool) -> Block {
        let ram = GuestRam::new(len.next_multiple_of(4096)).unwrap();
        Block { name: name.into(), span: Span::new(base, len).unwrap(), ram, offset: 0, rom }
    }

    #[test]
    fn accesses_cross_blocks_and_stop_at_holes() {
        let memory = Memory::new();
        memory.place(block("a", 0x1000, 0x1000, false)).unwrap();
        memory.place(block("b", 0x2000, 0x1000, false)).unwrap();
        memory.place(block("rom", 0x3000, 0x1000, true)).unwrap();
        assert!(memory.place(block("c", 0x2fff, 1, false)).is_err());
        let writes = Arc::new(Mutex::new(Vec::new()));
        let log = writes.clone();
        memory.on_dma_write(move |gpa, len| log.lock().push((gpa, len)));
        memory.write(0x1ffe, &[1, 2, 3, 4]).unwrap();
        let mut back = [0; 4];
        memory.read(0x1ffe, &mut back).unwrap();
        assert_eq!(back, [1, 2, 3, 4]);
        assert_eq!(memory.read_value::<u16>(0x2000).unwrap(), 0x0403);
        assert_eq!(memory.write(0x2ffe, &[9; 4]), Err(NoMemory { gpa: 0x3000 }));
        assert_eq!(*writes.lock(), [(0x1ffe, 4), (0x2ffe, 2)]);
        memory.load(0x3000, &[7]).unwrap();
        assert_eq!(memory.read_value::<u8>(0x3000), Ok(7));
        assert_eq!(memory.write_value(0x3000, 1u8), Err(NoMemory { gpa: 0x3000 }));
        assert_eq!(memory.read(0x3fff, &mut back), Err(NoMemory { gpa: 0x4000 }));
        assert_eq!(memory.read(u64::MAX, &mut back), Err(NoMemory { gpa: u64::MAX }));
        assert!(memory.read(0x5000, &mut []).is_ok());
    }

    #[test]
    fn a_block_needs_bytes_behind_it() {
        let memory = Memory::new();
        let mut short = block("short", 0, 0x1000, false);
        short.offset = 1;
        assert!(matches!(memory.place(short), Err(SpanError::Short { .. })));
    }
}
