//! The L1, L2 and refcount tables of a qcow2 image: does every entry point to where it may?
//!
//! An entry that points into other metadata would let the guest rewrite that metadata through its own disk. Memory
//! use is bounded by the sizes that the header check allows: at most 5 million offsets.

use super::header::Header;
use super::refcounts::Refcounts;
use crate::block::{BlockError, raw::read_full};
use std::fs::File;
use std::path::Path;

/// Bits 9 to 55: the offset in an L1 entry or a standard L2 entry.
const OFFSET: u64 = 0x00FF_FFFF_FFFF_FE00;
/// Bits of an L1 entry that must be zero.
const L1_RESERVED: u64 = 0x7F00_0000_0000_01FF;
/// Bits of a standard L2 entry that must be zero.
const L2_RESERVED: u64 = 0x3F00_0000_0000_01FE;
/// Bits of a refcount table entry that must be zero.
const REF_RESERVED: u64 = 0x1FF;
const COMPRESSED: u64 = 1 << 62;

/// The most bytes of tables that are read: those of 8 TiB in clusters of 64 KiB. A file full of holes can claim more
/// than anybody would wait for.
const SCAN: u64 = 1 << 30;

struct Check<'a> {
    file: &'a File,
    path: &'a Path,
    header: &'a Header,
    /// First offsets of all metadata clusters, sorted after `settle`.
    metadata: Vec<u64>,
    /// What is counted as in use; not looked at when the image will not be written.
    counts: Option<Refcounts>,
}

/// Checks every entry that an image opened for reading, or for writing too, can follow.
///
/// # Errors
/// On the first entry that points where it may not, and when the host cannot read.
pub(super) fn check(file: &File, path: &Path, header: &Header, write: bool) -> Result<(), BlockError> {
    let counts = write.then(|| Refcounts::new(header.cluster_bits, header.refcount_order));
    let mut c = Check { file, path, header, metadata: vec![0], counts };
    c.own(header.l1_offset, header.l1_size * 8);
    c.own(header.reftable_offset, header.reftable_bytes);
    let l2s = c.entries(header.l1_offset, header.l1_size, "L1 table", L1_RESERVED)?;
    let refblocks =
        c.entries(header.reftable_offset, header.reftable_bytes / 8, "refcount table", REF_RESERVED)?;
    c.metadata.extend(l2s.iter().chain(&refblocks).map(|(_, at)| at));
    c.settle()?;
    if (l2s.len() + refblocks.len()) as u64 > SCAN >> header.cluster_bits {
        log::warn!(target: "block", "qcow2 image '{}' is too large to check all of its tables", path.display());
        return Ok(());
    }
    c.count(&refblocks)?;
    c.metadata.iter().try_for_each(|at| c.in_use(*at, 1))?;
    l2s.into_iter().try_for_each(|(_, at)| c.l2(at))
}

impl Check<'_> {
    fn bad<T>(&self, what: String) -> Result<T, BlockError> {
        Err(BlockError::BadTable { file: self.path.to_owned(), what })
    }

    /// Records the clusters of a table.
    fn own(&mut self, at: u64, len: u64) {
        self.metadata.extend((at..at + len).step_by(self.header.cluster() as usize));
    }

    /// Sorts the metadata clusters; two tables in the same place are an error.
    fn settle(&mut self) -> Result<(), BlockError> {
        self.metadata.sort_unstable();
        match self.metadata.windows(2).find(|w| w[0] == w[1]) {
            Some(w) => self.bad(format!("table: two of its metadata tables are at {:#x}", w[0])),
            None => Ok(()),
        }
    }

    /// Reads the reference counts.
    fn count(&mut self, refblocks: &[(u64, u64)]) -> Result<(), BlockError> {
        let Some(mut counts) = self.counts.take() else { return Ok(()) };
        let mut buf = vec![0; self.header.cluster().min(64 << 10) as usize];
        for (index, at) in refblocks {
            for part in (0..self.header.cluster()).step_by(buf.len()) {
                self.read(&mut buf, at + part)?;
                counts.add(*index, part, &buf);
            }
        }
        self.counts = Some(counts);
        Ok(())
    }

    /// Whether the clusters of `len` bytes at `at` are counted as in use.
    fn in_use(&self, at: u64, len: u64) -> Result<(), BlockError> {
        let Some(counts) = &self.counts else { return Ok(()) };
        match [at, at + len - 1].into_iter().find(|at| !counts.has(*at)) {
            Some(at) => {
                self.bad(format!("refcount table: the cluster at {at:#x} is in use and counted as free"))
            }
            None => Ok(()),
        }
    }

    fn read(&self, buf: &mut [u8], at: u64) -> Result<(), BlockError> {
        let host = |source| BlockError::Host { file: self.path.to_owned(), doing: "read", source };
        read_full(self.file, buf, at).map_err(host)
    }

    /// Calls `each` with the index and value of `count` big-endian entries at `at`, 64 KiB at a time.
    fn walk(
        &self,
        at: u64,
        count: u64,
        mut each: impl FnMut(u64, u64) -> Result<(), BlockError>,
    ) -> Result<(), BlockError> {
        const STEP: u64 = 8192;
        let mut buf = vec![0u8; (count.min(STEP) * 8) as usize];
        for first in (0..count).step_by(STEP as usize) {
            let part = &mut buf[..((count - first).min(STEP) * 8) as usize];
            self.read(part, at + first * 8)?;
            for (index, bytes) in (first..).zip(part.as_chunks::<8>().0) {
                let entry = u64::from_be_bytes(*bytes);
                if entry != 0 {
                    each(index, entry)?;
                }
            }
        }
        Ok(())
    }

    /// Index and offset of what a table of tables points to.
    fn entries(
        &self,
        at: u64,
        count: u64,
        table: &str,
        reserved: u64,
    ) -> Result<Vec<(u64, u64)>, BlockError> {
        let mut found = Vec::new();
        self.walk(at, count, |index, entry| {
            if entry & reserved != 0 {
                return self.bad(format!("{table}: entry {index} is {entry:#x}, with reserved bits set"));
            }
            let target = entry & if reserved == REF_RESERVED { !0 } else { OFFSET };
            if target != 0 {
                self.target(target, table, index)?;
                found.push((index, target));
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// Whether a table entry may point to `target`.
    fn target(&self, target: u64, table: &str, index: u64) -> Result<(), BlockError> {
        if !target.is_multiple_of(self.header.cluster()) {
            return self.bad(format!(
                "{table}: entry {index} points to {target:#x}, which is not the start of a cluster"
            ));
        }
        if target >= self.header.file_len {
            return self
                .bad(format!("{table}: entry {index} points to {target:#x}, beyond the end of the file"));
        }
        Ok(())
    }

    fn l2(&self, at: u64) -> Result<(), BlockError> {
        let table = "L2 table";
        // A compressed entry holds the offset in its low bits and a count of sectors above it.
        let sectors_at = 62 - (self.header.cluster_bits - 8);
        self.walk(at, self.header.cluster() / 8, |index, entry| {
            if entry & COMPRESSED != 0 {
                let target = entry & ((1 << sectors_at) - 1);
                return if self.header.data_file.is_some() {
                    self.bad(format!("{table}: entry {index} is compressed, and the data is in another file"))
                } else if target >= self.header.file_len {
                    self.bad(format!(
                        "{table}: entry {index} points to {target:#x}, beyond the end of the file"
                    ))
                } else {
                    let sectors = ((entry & (COMPRESSED - 1)) >> sectors_at) + 1;
                    self.in_use(target & !511, sectors * 512)
                };
            }
            let target = entry & OFFSET;
            if entry & L2_RESERVED != 0 || (entry & 1 != 0 && self.header.version == 2) {
                return self.bad(format!("{table}: entry {index} is {entry:#x}, with reserved bits set"));
            }
            if self.header.data_file.is_some() {
                return if target.is_multiple_of(self.header.cluster()) {
                    Ok(())
                } else {
                    self.bad(format!(
                        "{table}: entry {index} points to {target:#x}, which is not the start of a cluster"
                    ))
                };
            }
            if target == 0 {
                return Ok(());
            }
            self.target(target, table, index)?;
            if self.metadata.binary_search(&target).is_ok() {
                return self
                    .bad(format!("{table}: entry {index} points to {target:#x}, into the image's metadata"));
            }
            self.in_use(target, 1)
        })
    }
}
