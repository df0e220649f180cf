//! `-snapshot`: writes go to a temporary file without a name, which the host removes when the program ends, however
//! it ends.
//!
//! The temporary file is sparse and holds each byte at the disk's own offset; a map in memory says which 4 KiB
//! granules it holds. The map grows only with what the guest writes: 16 bytes for each 256 KiB touched.

use super::raw::{read_full, zero};
use super::{BlockBackend, BlockError, BlockInfo};
use parking_lot::RwLock;
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

const GRANULE: u64 = 4096;

/// A writable view of a read-only disk.
pub struct Overlay {
    lower: Box<dyn BlockBackend>,
    file: File,
    held: RwLock<Held>,
}

/// Which granules the temporary file holds: 64 of them to a word.
#[derive(Default)]
struct Held(HashMap<u64, u64>);

impl Held {
    fn has(&self, granule: u64) -> bool {
        self.0.get(&(granule / 64)).is_some_and(|word| word >> (granule % 64) & 1 != 0)
    }

    fn has_all(&self, offset: u64, len: u64) -> bool {
        (offset / GRANULE..=(offset + len - 1) / GRANULE).all(|g| self.has(g))
    }

    fn add(&mut self, granule: u64) {
        *self.0.entry(granule / 64).or_default() |= 1 << (granule % 64);
    }
}

impl Overlay {
    /// Lays an empty overlay, kept in `TMPDIR` or `/var/tmp`, over `lower`.
    ///
    /// # Errors
    /// When no temporary file can be made.
    pub fn new(lower: Box<dyn BlockBackend>) -> Result<Self, BlockError> {
        let dir = std::env::var_os("TMPDIR").map_or_else(|| PathBuf::from("/var/tmp"), PathBuf::from);
        let file = unnamed(&dir).map_err(|source| BlockError::Overlay { dir, source })?;
        Ok(Self { lower, file, held: RwLock::default() })
    }

    /// Copies the granules that a write of `len` bytes at `offset` covers only in part.
    fn fill_edges(&self, held: &Held, offset: u64, len: u64) -> io::Result<()> {
        let end = offset + len;
        let (first, last) = (offset / GRANULE, (end - 1) / GRANULE);
        let mut edges = vec![];
        if !offset.is_multiple_of(GRANULE) || (first == last && !end.is_multiple_of(GRANULE)) {
            edges.push(first);
        }
        if last != first && !end.is_multiple_of(GRANULE) {
            edges.push(last);
        }
        for granule in edges.into_iter().filter(|g| !held.has(*g)) {
            let at = granule * GRANULE;
            let mut buf = [0u8; GRANULE as usize];
            let n = (self.lower.size() - at).min(GRANULE) as usize;
            self.lower.read_at(&mut buf[..n], at)?;
            self.file.write_all_at(&buf[..n], at)?;
        }
        Ok(())
    }

    /// Runs `put`, which changes `len` bytes at `offset` of the temporary file, and records that it holds them.
    fn change(&self, offset: u64, len: u64, put: impl FnOnce(&File) -> io::Result<()>) -> io::Result<()> {
        if len == 0 {
            return Ok(());
        }
        {
            let held = self.held.read();
            if held.has_all(offset, len) {
                return put(&self.file);
            }
        }
        let mut held = self.held.write();
        self.fill_edges(&held, offset, len)?;
        put(&self.file)?;
        (offset / GRANULE..=(offset + len - 1) / GRANULE).for_each(|g| held.add(g));
        Ok(())
    }
}

fn unnamed(dir: &Path) -> io::Result<File> {
    let mut how = OpenOptions::new();
    how.read(true).write(true).mode(0o600);
    how.clone().custom_flags(libc::O_TMPFILE).open(dir).or_else(|_| {
        // A file system without unnamed files: make one and take its name away.
        let path = dir.join(format!("lyrebird-snapshot-{}-{:p}", std::process::id(), &how));
        let file = how.create_new(true).open(&path)?;
        std::fs::remove_file(&path)?;
        Ok(file)
    })
}

impl BlockBackend for Overlay {
    fn size(&self) -> u64 {
        self.lower.size()
    }

    fn read_only(&self) -> bool {
        false
    }

    fn read_at(&self, mut buf: &mut [u8], mut offset: u64) -> io::Result<()> {
        let held = self.held.read();
        while !buf.is_empty() {
            let end = offset + buf.len() as u64;
            let ours = held.has(offset / GRANULE);
            let mut until = (offset / GRANULE + 1) * GRANULE;
            while until < end && held.has(until / GRANULE) == ours {
                until += GRANULE;
            }
            let (run, rest) = buf.split_at_mut((until.min(end) - offset) as usize);
            if ours {
                read_full(&self.file, run, offset)?;
            } else {
                self.lower.read_at(run, offset)?;
            }
            offset += run.len() as u64;
            buf = rest;
        }
        Ok(())
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        self.change(offset, buf.len() as u64, |file| file.write_all_at(buf, offset))
    }

    fn flush(&self) -> io::Result<()> {
        Ok(()) // nothing here outlives the program
    }

    fn discard(&self, offset: u64, len: u64) -> io::Result<()> {
        self.write_zeroes(offset, len, true)
    }

    fn write_zeroes(&self, offset: u64, len: u64, _unmap: bool) -> io::Result<()> {
        // In steps, so that the lock is not held for long and the map grows by steps too.
        let (mut at, end) = (offset, offset + len);
        while at < end {
            let n = (end - at).min(64 << 20);
            self.change(at, n, |file| zero(file, at, n, true))?;
            at += n;
        }
        Ok(())
    }

    fn info(&self) -> BlockInfo {
        BlockInfo { temporary: true, read_only: false, ..self.lower.info() }
    }
}
