//! Raw images: a regular file or a host block device whose bytes are the disk's.

use super::{BlockBackend, BlockError, BlockInfo, SECTOR, probe::QCOW2_MAGIC};
use rustix::fs::{FallocateFlags, fallocate};
use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// A raw image. A file that ends inside of a sector reads as zero up to the sector's end.
pub struct Raw {
    file: File,
    name: String,
    size: u64,
    read_only: bool,
    probed: bool,
}

impl Raw {
    /// Takes an open file. `probed` says that the format was guessed: then the guest may not turn the disk into a
    /// qcow2 image, whose header could name any file of the host as its backing file at the next start.
    ///
    /// # Errors
    /// When the host cannot tell the file's size.
    pub fn new(file: File, path: &Path, read_only: bool, probed: bool) -> Result<Self, BlockError> {
        let size = Self::length(&file).map_err(|source| BlockError::Host {
            file: path.to_owned(),
            doing: "measured",
            source,
        })?;
        let size = size.next_multiple_of(SECTOR);
        Ok(Self { file, name: path.display().to_string(), size, read_only, probed })
    }

    /// Length of a regular file or block device, bytes.
    pub(super) fn length(mut file: &File) -> io::Result<u64> {
        file.seek(SeekFrom::End(0))
    }

    fn guards_header(&self, buf: &[u8], offset: u64) -> bool {
        let at = offset as usize;
        if !self.probed || offset >= QCOW2_MAGIC.len() as u64 || buf.is_empty() {
            return false;
        }
        let mut head = [0u8; QCOW2_MAGIC.len()];
        // A short disk leaves zeroes, which are no magic.
        let _ = read_full(&self.file, &mut head, 0);
        let n = buf.len().min(head.len() - at);
        head[at..at + n].copy_from_slice(&buf[..n]);
        head == QCOW2_MAGIC
    }
}

/// Fills `buf` from `offset`; what lies after the end of the file reads as zero.
pub(super) fn read_full(file: &File, mut buf: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !buf.is_empty() {
        match file.read_at(buf, offset) {
            Ok(0) => {
                buf.fill(0);
                return Ok(());
            }
            Ok(n) => {
                buf = &mut buf[n..];
                offset += n as u64;
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// What is written where the host has no better way to zero.
pub(super) static ZEROES: [u8; 64 << 10] = [0; 64 << 10];

/// Zeroes a range of `file`, by a hole if `unmap` and the host can, else in whatever way works.
pub(super) fn zero(file: &File, offset: u64, len: u64, unmap: bool) -> io::Result<()> {
    let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    let ways = if unmap { [hole, FallocateFlags::ZERO_RANGE] } else { [FallocateFlags::ZERO_RANGE, hole] };
    if ways.into_iter().any(|way| fallocate(file, way, offset, len).is_ok()) {
        return Ok(());
    }
    let (mut at, end) = (offset, offset + len);
    while at < end {
        let n = (end - at).min(ZEROES.len() as u64);
        file.write_all_at(&ZEROES[..n as usize], at)?;
        at += n;
    }
    Ok(())
}

impl BlockBackend for Raw {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_only(&self) -> bool {
        self.read_only
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        read_full(&self.file, buf, offset)
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        if self.guards_header(buf, offset) {
            let why = "A qcow2 header in sector 0 is refused because the format was guessed; add format=raw";
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
        }
        self.file.write_all_at(buf, offset)
    }

    fn flush(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn discard(&self, offset: u64, len: u64) -> io::Result<()> {
        // A host that cannot punch holes keeps the data, which is a discard too.
        let _ = fallocate(&self.file, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, offset, len);
        Ok(())
    }

    fn write_zeroes(&self, offset: u64, len: u64, unmap: bool) -> io::Result<()> {
        zero(&self.file, offset, len, unmap)
    }

    fn info(&self) -> BlockInfo {
        BlockInfo {
            file: self.name.clone(),
            format: "raw",
            backing: Vec::new(),
            read_only: self.read_only,
            size: self.size,
            temporary: false,
            cache: "writeback",
        }
    }
}
