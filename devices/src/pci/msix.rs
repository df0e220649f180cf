//! MSI-X (PCI 3.0, 6.8.2): a table of messages in a memory region, each with a mask, and pending bits beside it.

use super::config::{ConfigSpace, capability, command};
use super::msi::NoMsi;
use crate::bus::device::Size;
use crate::bus::snapshot::{StateError, require};
use crate::intc::MsiSink;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Offset of the control register in the capability, and its bits.
const CONTROL: usize = 2;
const ENABLE: u16 = 0x8000;
const MASK_ALL: u16 = 0x4000;
/// Bytes of a table entry: address, data, vector control.
const ENTRY: u64 = 16;
/// Bit of vector control.
const MASKED: u32 = 1;

/// What the guest can change in the memory region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    entries: Vec<[u32; 4]>,
    pending: Vec<bool>,
}

struct Inner {
    sink: Arc<dyn MsiSink>,
    enabled: bool,
    masked: bool,
    master: bool,
    table: Table,
}

/// The MSI-X capability of a function. Clones are the same; any thread may use them.
#[derive(Clone)]
pub struct Msix {
    inner: Arc<Mutex<Inner>>,
    /// Region that table and pending bits are in, and their offsets there.
    bar: usize,
    table_at: u64,
    pending_at: u64,
    vectors: u16,
}

impl Msix {
    /// Adds the capability at `offset` (0: next free place) with `vectors` messages. The table is at the start of
    /// region `bar`, the pending bits at `pending_at`.
    pub fn define(
        config: &mut ConfigSpace,
        offset: usize,
        vectors: u16,
        bar: usize,
        pending_at: u64,
    ) -> Msix {
        let vectors = vectors.clamp(1, 2048);
        let mut body = [0; 10];
        body[..2].copy_from_slice(&(vectors - 1).to_le_bytes());
        body[2..6].copy_from_slice(&(bar as u32).to_le_bytes());
        body[6..].copy_from_slice(&(pending_at as u32 | bar as u32).to_le_bytes());
        config.add_capability(capability::MSIX, offset, &body, &[0, ((ENABLE | MASK_ALL) >> 8) as u8]);
        let table = Msix::fresh(vectors);
        let inner = Inner { sink: Arc::new(NoMsi), enabled: false, masked: false, master: false, table };
        Msix { inner: Arc::new(Mutex::new(inner)), bar, table_at: 0, pending_at, vectors }
    }

    fn fresh(vectors: u16) -> Table {
        let count = usize::from(vectors);
        Table { entries: vec![[0, 0, 0, MASKED]; count], pending: vec![false; count] }
    }

    /// How many messages there are.
    pub fn vectors(&self) -> u16 {
        self.vectors
    }

    /// Whether the guest uses it instead of the INTx pin.
    pub fn enabled(&self) -> bool {
        self.inner.lock().enabled
    }

    /// Sends message `vector`, or remembers it while it is masked. Vectors that do not exist are ignored.
    pub fn notify(&self, vector: u16) {
        let mut msix = self.inner.lock();
        if msix.enabled && vector < self.vectors {
            msix.raise(usize::from(vector));
        }
    }

    pub(super) fn connect(&self, sink: Arc<dyn MsiSink>) {
        self.inner.lock().sink = sink;
    }

    /// Follows the configuration space.
    pub(super) fn update(&self, config: &ConfigSpace) {
        let Some(at) = config.find_capability(capability::MSIX) else { return };
        let control = config.word(at + CONTROL);
        let mut msix = self.inner.lock();
        msix.enabled = control & ENABLE != 0;
        msix.masked = control & MASK_ALL != 0;
        msix.master = config.command() & command::MASTER != 0;
        msix.flush();
    }

    pub(super) fn reset(&self) {
        self.inner.lock().table = Msix::fresh(self.vectors);
    }

    pub(super) fn saved(&self) -> Table {
        self.inner.lock().table.clone()
    }

    pub(super) fn check(&self, table: &Table) -> Result<(), StateError> {
        let count = usize::from(self.vectors);
        let fits = table.entries.len() == count && table.pending.len() == count;
        let clean = table.entries.iter().all(|e| e[3] & !MASKED == 0);
        require(fits && clean, "the MSI-X table is another one")
    }

    pub(super) fn load(&self, table: Table) {
        self.inner.lock().table = table;
    }

    /// Whether an access to offset `at` of region `bar` is one to table or pending bits.
    pub(super) fn claims(&self, bar: usize, at: u64) -> bool {
        let table = self.table_at..self.table_at + ENTRY * u64::from(self.vectors);
        let pending = self.pending_at..self.pending_at + u64::from(self.vectors).div_ceil(64) * 8;
        bar == self.bar && (table.contains(&at) || pending.contains(&at))
    }

    /// Reads 4 or 8 aligned bytes (6.8.2: other accesses are undefined, and read as zero here).
    pub(super) fn read(&self, at: u64, size: Size) -> u64 {
        match size {
            Size::B4 if at & 3 == 0 => u64::from(self.read_word(at)),
            Size::B8 if at & 7 == 0 => {
                u64::from(self.read_word(at)) | u64::from(self.read_word(at + 4)) << 32
            }
            _ => 0,
        }
    }

    fn read_word(&self, at: u64) -> u32 {
        let msix = self.inner.lock();
        if at >= self.pending_at {
            let first = ((at - self.pending_at) * 8) as usize;
            let bits = msix.table.pending.iter().skip(first).take(32).enumerate();
            return bits.fold(0, |word, (i, &on)| word | u32::from(on) << i);
        }
        let entry = msix.table.entries.get((at / ENTRY) as usize);
        entry.and_then(|e| e.get((at % ENTRY / 4) as usize)).copied().unwrap_or(0)
    }

    /// Writes 4 or 8 aligned bytes; pending bits are read-only.
    pub(super) fn write(&self, at: u64, size: Size, value: u64) {
        if at >= self.pending_at || at & (size.bytes() - 1) != 0 || size < Size::B4 {
            return;
        }
        let mut msix = self.inner.lock();
        for (i, word) in [value as u32, (value >> 32) as u32].into_iter().enumerate() {
            let at = at + 4 * i as u64;
            if i as u64 * 4 >= size.bytes() {
                break;
            }
            let field = (at % ENTRY / 4) as usize;
            let entry = msix.table.entries.get_mut((at / ENTRY) as usize).and_then(|e| e.get_mut(field));
            if let Some(entry) = entry {
                *entry = match field {
                    0 => word & !3,
                    3 => word & MASKED,
                    _ => word,
                };
            }
        }
        msix.flush();
    }
}

impl Inner {
    fn raise(&mut self, vector: usize) {
        let Some(&[low, high, data, control]) = self.table.entries.get(vector) else { return };
        let held = self.masked || !self.master || control & MASKED != 0;
        if let Some(pending) = self.table.pending.get_mut(vector) {
            *pending = held;
        }
        if !held {
            self.sink.send(u64::from(high) << 32 | u64::from(low), data);
        }
    }

    /// Sends what was held back and is free to go.
    fn flush(&mut self) {
        if self.enabled && !self.masked {
            let waiting = self.table.pending.iter().enumerate().filter(|p| *p.1).map(|p| p.0);
            waiting.collect::<Vec<_>>().into_iter().for_each(|vector| self.raise(vector));
        }
    }
}
