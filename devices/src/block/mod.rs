//! Disk images: what a block device reads and writes.
//!
//! [`open()`] turns a file into a [`BlockBackend`]: raw files and block devices ([`raw`]), qcow2 with backing files
//! ([`qcow2`]: the `imago` library behind checks of our own), and a temporary overlay for `-snapshot` ([`overlay`]).
//! [`image::Image`] wraps every one of them and holds the rules common to all: bounds, read-only, cache mode.
//!
//! Left out on purpose: other formats, network protocols, internal snapshots, O_DIRECT.

mod error;
mod image;
mod lock;
mod open;
mod overlay;
mod probe;
pub mod qcow2;
mod raw;
#[cfg(test)]
pub(crate) mod tests;

pub use error::BlockError;
pub use image::{Cache, Image};
pub use open::{ImageOptions, open};
pub use overlay::Overlay;
pub use probe::Format;
pub use raw::Raw;

use std::io;

/// The unit of virtual disks: every backend's size is a multiple of it. Bytes.
pub const SECTOR: u64 = 512;

/// A virtual disk of fixed size. Offsets and lengths are in bytes and need no alignment.
///
/// Calls may come from several threads at once. A request outside of the disk is an error, never a panic.
pub trait BlockBackend: Send + Sync {
    /// Size in bytes, a multiple of [`SECTOR`].
    fn size(&self) -> u64;

    /// Whether writes are refused.
    fn read_only(&self) -> bool;

    /// Fills `buf` from `offset`.
    ///
    /// # Errors
    /// When the host fails to read, or the range is not inside of the disk.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()>;

    /// Writes `buf` at `offset`; it may stay in a cache until [`BlockBackend::flush`].
    ///
    /// # Errors
    /// When the host fails to write, the disk is read-only, or the range is not inside of it.
    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<()>;

    /// Makes everything written before it durable.
    ///
    /// # Errors
    /// When the host fails to write; what is then on the disk is unknown.
    fn flush(&self) -> io::Result<()>;

    /// Says that the content of a range no longer matters; a hint that may be ignored in whole or in part.
    ///
    /// # Errors
    /// When the host fails, the disk is read-only, or the range is not inside of it.
    fn discard(&self, offset: u64, len: u64) -> io::Result<()>;

    /// Makes a range read as zeroes; `unmap` allows its storage to be given back.
    ///
    /// # Errors
    /// When the host fails, the disk is read-only, or the range is not inside of it.
    fn write_zeroes(&self, offset: u64, len: u64, unmap: bool) -> io::Result<()>;

    /// What `info block` shows.
    fn info(&self) -> BlockInfo;
}

/// A description of a backend for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockInfo {
    /// The file, as the user named it.
    pub file: String,
    /// Its format, as `format=` would say it.
    pub format: &'static str,
    /// The backing files below it, nearest first.
    pub backing: Vec<String>,
    /// Whether it is read-only.
    pub read_only: bool,
    /// Size of the virtual disk, bytes.
    pub size: u64,
    /// Whether writes go to a temporary overlay (`-snapshot`).
    pub temporary: bool,
    /// How it is cached, as `cache=` would say it.
    pub cache: &'static str,
}

impl std::fmt::Display for BlockInfo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({}, {} bytes", self.file, self.format, self.size)?;
        write!(f, "{}", if self.read_only { ", read-only" } else { "" })?;
        write!(f, "{}", if self.temporary { ", snapshot" } else { "" })?;
        write!(f, ", cache={})", self.cache)?;
        self.backing.iter().try_for_each(|b| write!(f, "\n    Backing file: {b}"))
    }
}
