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
    /// Bytes after whose use the writable view is dropped again.
    drop_at: usize,
    maps: Maps,
}

/// How much code is written before the host may forget the writable view of it: the pages of a memfd that are mapped
/// twice count twice in what a process occupies.
const VIEW: usize = 256 << 10;

#[allow(dead_code, reason = "mappings live as long as the buffer")]
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
        Ok(Self { write: w, exec: x, len, used: 0, drop_at: VIEW, maps: Maps::Dual(write, exec) })
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
        Ok(Self { write: at, exec: at as u64, len, used: 0, drop_at: VIEW, maps: Maps::Both(map) })
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
        if self.used >= self.drop_at {
            self.drop_at = self.used + VIEW;
            self.drop_view();
        }
        true
    }

    /// Empties the host's page tables of the writable view. A later patch brings its page back.
    fn drop_view(&self) {
        if let Maps::Dual(..) = self.maps {
            // SAFETY: the range is the writable mapping of a memfd, which keeps the bytes; nothing points into it but
            // `write`. A refusal costs only memory.
            let _ = unsafe {
                rustix::mm::madvise(self.write.cast(), self.len, rustix::mm::Advice::LinuxDontNeed)
            };
        }
    }

    /// Forgets all code from byte `keep` on. Nobody may be executing it.
    pub fn reset(&mut self, keep: usize) {
        self.used = keep.min(self.len);
        self.drop_at = self.used + VIEW;
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

    #[test]
    fn code_outlives_the_writable_view() {
        let mut b = Buffer::new(4 * VIEW, false).unwrap();
        let at = b.next();
        for i in 0..3 * VIEW / 16 {
            assert!(b.append(&[i as u8; 16]));
        }
        assert_eq!(b.bytes(at + 0x5570, 1), [0x57]);
        assert!(b.patch32(at + 0x5570, 7));
        assert_eq!(b.bytes(at + 0x5570, 5), [7, 0, 0, 0, 0x57]);
    }
}
