//! The L1, L2 and refcount tables of a qcow2 image: does every entry point to where it may?
//!
//! An entry that points into other metadata would let the guest rewrite that metadata through its own disk. Memory
//! use is bounded by the sizes that the header check allows: at most 5 million offsets.

use super::header::Header;
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

struct Check<'a> {
    file: &'a File,
    path: &'a Path,
    header: &'a Header,
    /// First offsets of all metadata clusters, sorted after `settle`.
    metadata: Vec<u64>,
}

/// Checks every entry that an open image can follow.
///
/// # Errors
/// On the first entry that points where it may not, and when the host cannot read.
pub(super) fn check(file: &File, path: &Path, header: &Header) -> Result<(), BlockError> {
    let mut c = Check { file, path, header, metadata: vec![0] };
    c.own(header.l1_offset, header.l1_size * 8);
    c.own(header.reftable_offset, header.reftable_bytes);
    let l2s = c.entries(header.l1_offset, header.l1_size, "L1 table", L1_RESERVED)?;
    let refblocks =
        c.entries(header.reftable_offset, header.reftable_bytes / 8, "refcount table", REF_RESERVED)?;
    c.metadata.extend(l2s.iter().chain(&refblocks));
    c.settle()?;
    l2s.into_iter().try_for_each(|at| c.l2(at))
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
            let host = |source| BlockError::Host { file: self.path.to_owned(), doing: "read", source };
            read_full(self.file, part, at + first * 8).map_err(host)?;
            for (index, bytes) in (first..).zip(part.as_chunks::<8>().0) {
                let entry = u64::from_be_bytes(*bytes);
                if entry != 0 {
                    each(index, entry)?;
                }
            }
        }
        Ok(())
    }

    /// The offsets in a table of tables.
    fn entries(&self, at: u64, count: u64, table: &str, reserved: u64) -> Result<Vec<u64>, BlockError> {
        let mut found = Vec::new();
        self.walk(at, count, |index, entry| {
            if entry & reserved != 0 {
                return self.bad(format!("{table}: entry {index} is {entry:#x}, with reserved bits set"));
            }
            let target = entry & if reserved == REF_RESERVED { !0 } else { OFFSET };
            if target != 0 {
                self.target(target, table, index)?;
                found.push(target);
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
        let compressed_offset = (1u64 << (62 - (self.header.cluster_bits - 8))) - 1;
        self.walk(at, self.header.cluster() / 8, |index, entry| {
            if entry & COMPRESSED != 0 {
                let target = entry & compressed_offset;
                return if self.header.data_file.is_some() {
                    self.bad(format!("{table}: entry {index} is compressed, and the data is in another file"))
                } else if target >= self.header.file_len {
                    self.bad(format!(
                        "{table}: entry {index} points to {target:#x}, beyond the end of the file"
                    ))
                } else {
                    Ok(())
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
            Ok(())
        })
    }
}
