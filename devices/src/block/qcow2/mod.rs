//! qcow2 images, versions 2 and 3, with backing files: the `imago` library behind a guard.
//!
//! The guard reads the [`header`] and the [`tables`] of every file of the chain first and hands the library open
//! files only, so that it never follows a name itself. Compressed clusters (zlib) can be read. Left out: encryption,
//! zstd, extended L2 entries, internal snapshots (they are kept, not used), creating images.
//!
//! The library keeps L2 tables and refcount blocks in memory and writes them in an order that leaves the file
//! consistent whenever the program is killed: refcounts before the tables that use them, data before both.

mod chain;
mod header;
mod refcounts;
mod tables;
#[cfg(test)]
mod tests;

use super::{BlockBackend, BlockError, BlockInfo, ImageOptions, SECTOR, raw::ZEROES};
use imago::FormatAccess;
use imago::file::File as ImageFile;
use parking_lot::RwLock;
use std::fs::File;
use std::io;

/// A qcow2 image.
pub struct Qcow2 {
    /// Shared for reading and writing, exclusive for discards, which move mappings.
    image: RwLock<FormatAccess<ImageFile>>,
    name: String,
    backing: Vec<String>,
    /// Size as the header says, which need not be whole sectors.
    size: u64,
    read_only: bool,
}

impl Qcow2 {
    /// Opens `file` and everything below it.
    ///
    /// # Errors
    /// When any file of the chain is missing, locked or refused by the guard.
    pub fn open(file: File, options: &ImageOptions, write: bool) -> Result<Self, BlockError> {
        let chain::Opened { image, size, backing } = chain::open(file, options, write)?;
        let name = options.file.display().to_string();
        Ok(Self { image: RwLock::new(image), name, backing, size, read_only: !write })
    }

    /// Clips a range to the size in the header.
    fn clip(&self, offset: u64, len: u64) -> u64 {
        len.min(self.size.saturating_sub(offset))
    }
}

impl BlockBackend for Qcow2 {
    fn size(&self) -> u64 {
        self.size.next_multiple_of(SECTOR)
    }

    fn read_only(&self) -> bool {
        self.read_only
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let (inside, beyond) = buf.split_at_mut(self.clip(offset, buf.len() as u64) as usize);
        beyond.fill(0);
        self.image.read().read(inside, offset)
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        let n = self.clip(offset, buf.len() as u64) as usize;
        self.image.read().write(&buf[..n], offset)
    }

    fn flush(&self) -> io::Result<()> {
        let image = self.image.read();
        image.flush()?;
        image.sync()
    }

    fn discard(&self, offset: u64, len: u64) -> io::Result<()> {
        match self.image.write().discard_to_any(offset, self.clip(offset, len)) {
            Err(e) if e.kind() == io::ErrorKind::Unsupported => Ok(()), // version 2 has no zero clusters
            other => other,
        }
    }

    fn write_zeroes(&self, offset: u64, len: u64, unmap: bool) -> io::Result<()> {
        let len = self.clip(offset, len);
        let done = if unmap {
            self.image.write().discard_to_zero(offset, len)
        } else {
            self.image.read().write_zeroes(offset, len)
        };
        match done {
            Err(e) if e.kind() == io::ErrorKind::Unsupported => {} // version 2 again
            other => return other,
        }
        let (mut at, end) = (offset, offset + len);
        while at < end {
            let n = (end - at).min(ZEROES.len() as u64);
            self.image.read().write(&ZEROES[..n as usize], at)?;
            at += n;
        }
        Ok(())
    }

    fn info(&self) -> BlockInfo {
        BlockInfo {
            file: self.name.clone(),
            format: "qcow2",
            backing: self.backing.clone(),
            read_only: self.read_only,
            size: self.size(),
            temporary: false,
            cache: "writeback",
        }
    }
}
