//! Requests (5.2.6): 16 bytes of header, data, one byte of status.

use super::config::{MAX_SECTORS, MAX_SEGMENTS};
use crate::block::{BlockBackend, SECTOR};
use crate::virtio::chain::{Chain, Cursor};
use crate::virtio::link::Link;
use crate::virtio::ring::Fault;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Request types.
mod kind {
    pub(super) const IN: u32 = 0;
    pub(super) const OUT: u32 = 1;
    pub(super) const FLUSH: u32 = 4;
    pub(super) const GET_ID: u32 = 8;
    pub(super) const DISCARD: u32 = 11;
    pub(super) const WRITE_ZEROES: u32 = 13;
}

/// The answer to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Status {
    Ok = 0,
    IoErr = 1,
    Unsupp = 2,
}

/// The most bytes that go through the buffer at once: most requests are one host call.
const STEP: u64 = 1 << 20;
/// The longest request: firmware reads up to 1 GiB at once, and nobody more.
const LONGEST: u64 = 1 << 31;
const ID_LEN: usize = 20;

/// Whether writes may wait for a flush. Shared by the device, which sets it, and the engine.
#[derive(Clone, Default)]
pub(super) struct CacheMode(Arc<AtomicBool>);

impl CacheMode {
    pub(super) fn set_writeback(&self, writeback: bool) {
        self.0.store(writeback, Ordering::Release);
    }

    fn writeback(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// Carries out requests, wherever it runs.
pub(super) struct Engine {
    link: Link,
    disk: Arc<dyn BlockBackend>,
    id: [u8; ID_LEN],
    pub(super) cache: CacheMode,
    /// Data on its way between guest and host; kept because most requests need one.
    buffer: Vec<u8>,
}

impl Engine {
    pub(super) fn new(link: Link, disk: Arc<dyn BlockBackend>, serial: &str) -> Engine {
        let mut id = [0; ID_LEN];
        id.iter_mut().zip(serial.bytes()).for_each(|(to, from)| *to = from);
        Engine { link, disk, id, cache: CacheMode::default(), buffer: Vec::new() }
    }

    pub(super) fn link(&self) -> &Link {
        &self.link
    }

    /// Carries out everything in the queue.
    pub(super) fn serve(&mut self) {
        while let Some(chain) = self.link.pop(0) {
            match self.execute(&chain) {
                Ok(written) => {
                    self.link.push(&chain, written);
                    self.link.signal(0);
                }
                Err(fault) => self.link.fail(fault),
            }
        }
    }

    /// Carries out one request; returns the bytes written to the guest.
    fn execute(&mut self, chain: &Chain) -> Result<u32, Fault> {
        let dma = self.link.dma().clone();
        let mut from = chain.reader();
        let mut to = chain.writer();
        let written = u32::try_from(to.left()).unwrap_or(u32::MAX);
        let mut answer = to.split_tail(1);
        let header: [u8; 16] = from.read_array(&dma)?.ok_or(Fault::Request("A request without a header"))?;
        if answer.left() != 1 {
            return Err(Fault::Request("A request without room for its status"));
        }
        let whole = u128::from_le_bytes(header);
        let (kind, sector) = (whole as u32, (whole >> 64) as u64);
        // A panic in an image library must not take the machine with it: it becomes an I/O error.
        let status = catch_unwind(AssertUnwindSafe(|| match kind {
            kind::IN => self.read(chain, sector, &mut to),
            kind::OUT => self.write(chain, sector, &mut from),
            kind::FLUSH => Ok(self.host("flush", |disk| disk.flush())),
            kind::GET_ID => to.write(&dma, &self.id).map(|_| Status::Ok),
            kind::DISCARD | kind::WRITE_ZEROES => self.ranges(kind, &mut from),
            _ => Ok(Status::Unsupp),
        }))
        .unwrap_or(Ok(Status::IoErr))?;
        answer.write(&dma, &[status as u8])?;
        Ok(written)
    }

    /// Runs one host operation; its failure is the guest's I/O error and one line for the user.
    fn host(&self, what: &str, act: impl FnOnce(&dyn BlockBackend) -> std::io::Result<()>) -> Status {
        match act(self.disk.as_ref()) {
            Ok(()) => Status::Ok,
            Err(e) => {
                log::warn!(target: "block", "{}: {what} failed: {e}", self.disk.info().file);
                Status::IoErr
            }
        }
    }

    /// The byte offset of `len` bytes at `sector`, if they are whole sectors inside of the disk and not
    /// beyond all reason.
    fn place(&self, sector: u64, len: u64) -> Option<u64> {
        let at = sector.checked_mul(SECTOR)?;
        let inside = at.checked_add(len)? <= self.disk.size();
        (inside && len.is_multiple_of(SECTOR) && len <= LONGEST).then_some(at)
    }

    /// Moves `len` bytes in steps of the buffer; stops early when the driver resets the device.
    fn in_steps(
        &mut self,
        chain: &Chain,
        len: u64,
        mut step: impl FnMut(&Engine, u64, &mut [u8]) -> Result<Status, Fault>,
    ) -> Result<Status, Fault> {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.resize(buffer.len().max(len.min(STEP) as usize), 0);
        let mut done = 0;
        let mut result = Ok(Status::Ok);
        while done < len && result == Ok(Status::Ok) {
            if done != 0 && !self.link.is_current(chain) {
                result = Ok(Status::IoErr);
                break;
            }
            let n = (len - done).min(STEP) as usize;
            result = step(self, done, buffer.get_mut(..n).unwrap_or_default());
            done += n as u64;
        }
        self.buffer = buffer;
        result
    }

    fn read(&mut self, chain: &Chain, sector: u64, to: &mut Cursor<'_>) -> Result<Status, Fault> {
        let Some(at) = self.place(sector, to.left()) else { return Ok(Status::IoErr) };
        self.in_steps(chain, to.left(), |engine, done, buffer| {
            let status = engine.host("read", |disk| disk.read_at(buffer, at + done));
            if status == Status::Ok {
                to.write(engine.link.dma(), buffer)?;
            }
            Ok(status)
        })
    }

    fn write(&mut self, chain: &Chain, sector: u64, from: &mut Cursor<'_>) -> Result<Status, Fault> {
        let Some(at) = self.place(sector, from.left()).filter(|_| !self.disk.read_only()) else {
            return Ok(Status::IoErr);
        };
        let status = self.in_steps(chain, from.left(), |engine, done, buffer| {
            from.read(engine.link.dma(), buffer)?;
            Ok(engine.host("write", |disk| disk.write_at(buffer, at + done)))
        })?;
        Ok(self.settled(status))
    }

    /// What a change answers once the cache mode is honoured.
    fn settled(&self, status: Status) -> Status {
        if status == Status::Ok && !self.cache.writeback() {
            self.host("flush", |disk| disk.flush())
        } else {
            status
        }
    }

    /// Discard and write zeroes: segments of sector, number of sectors, flags (5.2.6).
    fn ranges(&self, kind: u32, from: &mut Cursor<'_>) -> Result<Status, Fault> {
        const SEGMENT: u64 = 16;
        const UNMAP: u32 = 1;
        if self.disk.read_only() || from.left() == 0 || !from.left().is_multiple_of(SEGMENT) {
            return Ok(Status::IoErr);
        }
        if from.left() / SEGMENT > MAX_SEGMENTS {
            return Ok(Status::IoErr);
        }
        while let Some(bytes) = from.read_array::<{ SEGMENT as usize }>(self.link.dma())? {
            let whole = u128::from_le_bytes(bytes);
            let (sector, sectors, flags) = (whole as u64, (whole >> 64) as u32, (whole >> 96) as u32);
            let allowed = if kind == kind::WRITE_ZEROES { UNMAP } else { 0 };
            if flags & !allowed != 0 {
                return Ok(Status::Unsupp); // 5.2.6.2
            }
            let len = u64::from(sectors) * SECTOR;
            let Some(at) = self.place(sector, len).filter(|_| sectors <= MAX_SECTORS) else {
                return Ok(Status::IoErr);
            };
            let status = self.host("discard", |disk| match kind {
                kind::DISCARD => disk.discard(at, len),
                _ => disk.write_zeroes(at, len, flags & UNMAP != 0),
            });
            if status != Status::Ok {
                return Ok(status);
            }
        }
        Ok(self.settled(Status::Ok))
    }
}
