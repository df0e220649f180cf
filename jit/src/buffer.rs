//! The code buffer: one memfd mapped twice, writable and executable, so that no page is ever both and nothing moves.
//!
//! Where the host denies the executable mapping of a memfd, one anonymous mapping that is both takes its place, and
//! the log says so. Profiling asks for that one too: perf looks up only code in anonymous memory in a perf map.
#![allow(
    unsafe_code,
    reason = "the code buffer: bytes that other threads may be executing are patched in place"
)]

use memmap2::{Mmap, MmapMut, MmapOptions, MmapRaw};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Memory for code.
pub struct Buffer {
    write: *mut u8,
    exec: u64,
    len: usize,
    used: usize,
    _maps: Maps,
}

#[expect(dead_code, reason = "mappings live as long as the buffer")]
enum Maps {
    Dual(MmapRaw, Mmap),
    Both(MmapMut),
}

// SAFETY: the mappings are owned by the buffer, and all writes go through `&mut self` or atomics.
unsafe impl Send for Buffer {}

impl Buffer {
    /// A buffer of `len` bytes, which the host commits lazily; `anonymous` asks for memory that perf can name.
    ///
    /// # Errors
    /// When the host refuses the mappings.
    pub fn new(len: usize, anonymous: bool) -> std::io::Result<Self> {
        if anonymous {
            return Self::both(len);
        }
        match Self::dual(len) {
            Ok(buffer) => Ok(buffer),
            Err(e) => {
                log::warn!("The host denies a second mapping for code ({e}); code pages are writable");
                Self::both(len)
            }
        }
    }

    fn dual(len: usize) -> std::io::Result<Self> {
        let fd = rustix::fs::memfd_create("lyrebird-code", rustix::fs::MemfdFlags::CLOEXEC)?;
        rustix::fs::ftruncate(&fd, len as u64)?;
        let write = MmapOptions::new().len(len).map_raw(&fd)?;
        // SAFETY: the memfd is private to this buffer and never truncated; bytes change only as `write` says, which
        // the processor's self-modifying code rules cover.
        let exec = unsafe { MmapOptions::new().len(len).map_exec(&fd)? };
        let (w, x) = (write.as_mut_ptr(), exec.as_ptr() as u64);
        Ok(Self { write: w, exec: x, len, used: 0, _maps: Maps::Dual(write, exec) })
    }

    fn both(len: usize) -> std::io::Result<Self> {
        use rustix::mm::MprotectFlags;
        let mut map = MmapOptions::new().len(len).map_anon()?;
        let at = map.as_mut_ptr();
        // SAFETY: the range is the mapping just made.
        unsafe {
            rustix::mm::mprotect(
                at.cast(),
                len,
                MprotectFlags::READ | MprotectFlags::WRITE | MprotectFlags::EXEC,
            )?;
        }
        Ok(Self { write: at, exec: at as u64, len, used: 0, _maps: Maps::Both(map) })
    }

    /// Where the next code will run.
    pub fn next(&self) -> u64 {
        self.exec + self.used as u64
    }

    /// Bytes left.
    pub fn room(&self) -> usize {
        self.len - self.used
    }

    /// Bytes in use.
    pub fn used(&self) -> usize {
        self.used
    }

    /// Appends code; `false` if there is no room. The next code starts 16-byte aligned.
    pub fn append(&mut self, code: &[u8]) -> bool {
        if code.len() > self.room() {
            return false;
        }
        // SAFETY: in bounds by the check; nothing executes these bytes yet.
        unsafe { std::ptr::copy_nonoverlapping(code.as_ptr(), self.write.add(self.used), code.len()) };
        self.used = (self.used + code.len()).next_multiple_of(16).min(self.len);
        true
    }

    /// Forgets all code from byte `keep` on. Nobody may be executing it.
    pub fn reset(&mut self, keep: usize) {
        self.used = keep.min(self.len);
    }

    fn writable(&self, at: u64, size: usize) -> Option<*mut u8> {
        let offset = at.wrapping_sub(self.exec) as usize;
        let fits = offset.is_multiple_of(size) && offset < self.len && self.len - offset >= size;
        // SAFETY: in bounds by the check.
        fits.then(|| unsafe { self.write.add(offset) })
    }

    /// Replaces the aligned 32-bit word at executable address `at`, in one store.
    pub fn patch32(&mut self, at: u64, x: u32) -> bool {
        let Some(p) = self.writable(at, 4) else { return false };
        // SAFETY: valid and aligned by `writable`; other threads only fetch it.
        unsafe { AtomicU32::from_ptr(p.cast()) }.store(x, Ordering::Release);
        true
    }

    /// Replaces the aligned 64-bit word at executable address `at`, in one store.
    pub fn patch64(&mut self, at: u64, x: u64) -> bool {
        let Some(p) = self.writable(at, 8) else { return false };
        // SAFETY: valid and aligned by `writable`; other threads only fetch it.
        unsafe { AtomicU64::from_ptr(p.cast()) }.store(x, Ordering::Release);
        true
    }

    /// A copy of `len` bytes of code at executable address `at`, for dumps.
    pub fn bytes(&self, at: u64, len: usize) -> Vec<u8> {
        let offset = at.wrapping_sub(self.exec) as usize;
        if offset > self.len || self.len - offset < len {
            return Vec::new();
        }
        // SAFETY: in bounds by the check.
        unsafe { std::slice::from_raw_parts(self.write.add(offset), len) }.to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_patched_where_they_run() {
        let mut b = Buffer::new(1 << 16, false).unwrap();
        let at = b.next();
        assert!(b.append(&[0x90; 20]));
        assert_eq!(b.next(), at + 32);
        assert!(b.patch64(at + 8, 0x1122_3344_5566_7788));
        assert!(!b.patch32(at + 2, 1));
        assert!(!b.patch64(at + (1 << 16), 1));
        assert_eq!(b.bytes(at + 8, 3), [0x88, 0x77, 0x66]);
        assert!(!b.append(&[0; 1 << 16]));
    }
}
