//! A disk in host memory, for tests.

use super::ata::Disk;
use super::atapi::Cdrom;
use super::drive::Drive;
use crate::block::{BlockBackend, BlockInfo};
use parking_lot::Mutex;
use std::io;
use std::sync::Arc;

pub(crate) struct RamDisk {
    pub(crate) bytes: Mutex<Vec<u8>>,
    pub(crate) read_only: bool,
    pub(crate) flushes: Mutex<u32>,
}

impl RamDisk {
    /// Sector `n` (512 bytes) is full of `n`'s low byte.
    pub(crate) fn new(sectors: usize) -> Arc<RamDisk> {
        let bytes = (0..sectors * 512).map(|i| (i / 512) as u8).collect();
        Arc::new(RamDisk { bytes: Mutex::new(bytes), read_only: false, flushes: Mutex::new(0) })
    }
}

fn range(len: usize, at: u64, n: usize) -> io::Result<std::ops::Range<usize>> {
    let at = at as usize;
    if at.checked_add(n).is_some_and(|end| end <= len) {
        Ok(at..at + n)
    } else {
        Err(io::ErrorKind::InvalidInput.into())
    }
}

impl BlockBackend for RamDisk {
    fn size(&self) -> u64 {
        self.bytes.lock().len() as u64
    }
    fn read_only(&self) -> bool {
        self.read_only
    }
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let bytes = self.bytes.lock();
        buf.copy_from_slice(&bytes[range(bytes.len(), offset, buf.len())?]);
        Ok(())
    }
    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        let mut bytes = self.bytes.lock();
        let range = range(bytes.len(), offset, buf.len())?;
        bytes[range].copy_from_slice(buf);
        Ok(())
    }
    fn flush(&self) -> io::Result<()> {
        *self.flushes.lock() += 1;
        Ok(())
    }
    fn discard(&self, _: u64, _: u64) -> io::Result<()> {
        Ok(())
    }
    fn write_zeroes(&self, _: u64, _: u64, _: bool) -> io::Result<()> {
        Ok(())
    }
    fn info(&self) -> BlockInfo {
        BlockInfo {
            file: "ram".into(),
            format: "raw",
            backing: Vec::new(),
            read_only: self.read_only,
            size: self.size(),
            temporary: false,
            cache: "writeback",
        }
    }
}

pub(crate) fn disk(backend: &Arc<RamDisk>) -> Option<Drive> {
    Some(Drive::Disk(Disk::new(backend.clone(), "QM00001")))
}

pub(crate) fn cdrom(backend: &Arc<RamDisk>) -> Option<Drive> {
    Some(Drive::Cdrom(Cdrom::new(Some(backend.clone()), "QM00003")))
}
