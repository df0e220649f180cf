//! The rules every virtual disk obeys, whatever is below it: bounds, read-only, cache mode, what a discard does.

use super::{BlockBackend, BlockInfo};
use std::io;

/// When written data becomes durable (`cache=`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cache {
    /// On flush: the guest decides.
    #[default]
    Writeback,
    /// On every write.
    Writethrough,
    /// Never on purpose: flushes are ignored, fast and unsafe when the host crashes.
    Unsafe,
}

impl Cache {
    /// Its spelling in `cache=`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Writeback => "writeback",
            Self::Writethrough => "writethrough",
            Self::Unsafe => "unsafe",
        }
    }

    /// From its spelling; `none` and `directsync`, which also bypass the host's page cache, are taken as their
    /// nearest cached kin.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "writeback" | "none" => Some(Self::Writeback),
            "writethrough" | "directsync" => Some(Self::Writethrough),
            "unsafe" => Some(Self::Unsafe),
            _ => None,
        }
    }
}

/// A backend with the common rules applied.
pub struct Image {
    inner: Box<dyn BlockBackend>,
    cache: Cache,
    unmap: bool,
    read_only: bool,
}

impl Image {
    /// Wraps `inner`; `unmap` lets discards through (`discard=unmap`).
    pub fn new(inner: Box<dyn BlockBackend>, cache: Cache, unmap: bool, read_only: bool) -> Self {
        let read_only = read_only || inner.read_only();
        Self { inner, cache, unmap, read_only }
    }

    fn inside(&self, offset: u64, len: u64) -> io::Result<()> {
        if offset.checked_add(len).is_some_and(|end| end <= self.inner.size()) {
            return Ok(());
        }
        let what =
            format!("{len} bytes at {offset:#x} are not inside of the {} byte disk", self.inner.size());
        Err(io::Error::new(io::ErrorKind::InvalidInput, what))
    }

    fn writable(&self, offset: u64, len: u64) -> io::Result<()> {
        if self.read_only {
            return Err(io::Error::new(io::ErrorKind::ReadOnlyFilesystem, "The disk is read-only"));
        }
        self.inside(offset, len)
    }

    fn written(&self) -> io::Result<()> {
        if self.cache == Cache::Writethrough { self.inner.flush() } else { Ok(()) }
    }
}

impl BlockBackend for Image {
    fn size(&self) -> u64 {
        self.inner.size()
    }

    fn read_only(&self) -> bool {
        self.read_only
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.inside(offset, buf.len() as u64)?;
        self.inner.read_at(buf, offset)
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        self.writable(offset, buf.len() as u64)?;
        self.inner.write_at(buf, offset)?;
        self.written()
    }

    fn flush(&self) -> io::Result<()> {
        if self.read_only || self.cache == Cache::Unsafe { Ok(()) } else { self.inner.flush() }
    }

    fn discard(&self, offset: u64, len: u64) -> io::Result<()> {
        self.writable(offset, len)?;
        if !self.unmap || len == 0 {
            return Ok(());
        }
        self.inner.discard(offset, len)?;
        self.written()
    }

    fn write_zeroes(&self, offset: u64, len: u64, unmap: bool) -> io::Result<()> {
        self.writable(offset, len)?;
        if len == 0 {
            return Ok(());
        }
        self.inner.write_zeroes(offset, len, unmap && self.unmap)?;
        self.written()
    }

    fn info(&self) -> BlockInfo {
        BlockInfo { read_only: self.read_only, cache: self.cache.name(), ..self.inner.info() }
    }
}
