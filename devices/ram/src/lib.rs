//! Guest RAM: anonymous memory of the host, and the only module that touches it through pointers.
//!
//! It is a crate of its own so that processors and devices can both use it without knowing each other. All accesses
//! are bounds checked against the mapping and tolerate concurrent access from other vCPU threads: naturally aligned
//! accesses of up to 8 bytes are single host accesses (relaxed), wider or unaligned ones may tear, as on hardware.
//!
//! It is anonymous since hosts give huge pages to that only, unless told otherwise (`shmem_enabled`): guests whose data
//! is larger than the host's TLB reaches run up to 1.5 times as fast with them.
//!
//! Left out on purpose: NUMA placement, ballooning, a file behind it that could be mapped a second time.
#![allow(unsafe_code, reason = "the RAM module: guest memory is shared with compiled code and other vCPUs")]

mod atomic;

pub use atomic::AtomicOp;

use memmap2::{Advice, MmapOptions, MmapRaw};
use std::arch::x86_64::__m128i;
use std::fs::File;
use std::mem::transmute_copy;
use std::os::fd::AsRawFd;
use std::sync::Arc;

/// A failure to create guest RAM.
#[derive(Debug, thiserror::Error)]
pub enum RamError {
    /// The host refused the mapping.
    #[error("The host cannot provide {bytes} bytes of guest RAM; use a smaller -m")]
    Host {
        /// Bytes asked for.
        bytes: u64,
        /// What the host said.
        source: std::io::Error,
    },
}

/// An access outside of guest RAM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Access outside of guest RAM at offset {offset:#x}")]
pub struct OutOfRam {
    /// First offset of the access.
    pub offset: u64,
}

/// Address space behind the last byte that [`GuestRam::read_within`] and [`GuestRam::write_within`] may begin at.
const BEYOND: usize = 4096;

/// A handle to guest RAM; clones share the same bytes. Offsets count from the start of RAM, in bytes.
#[derive(Clone)]
pub struct GuestRam {
    base: *mut u8,
    len: u64,
    /// One less than the power of two that `len` does not exceed; this much and [`BEYOND`] are mapped.
    mask: u64,
    #[expect(dead_code, reason = "held, so that the memory stays where `base` says")]
    map: Arc<MmapRaw>,
}

// SAFETY: the mapping lives as long as `map`, and every access goes through raw pointers or atomics, never through
// references to the mapped bytes, so sharing the handle between threads creates no aliasing.
unsafe impl Send for GuestRam {}
// SAFETY: as above.
unsafe impl Sync for GuestRam {}

/// Plain little-endian data of 1, 2, 4, 8 or 16 bytes that guest RAM can hold.
pub trait Pod: Copy + sealed::Sealed + 'static {
    /// Its size in bytes.
    const SIZE: u64;
}

/// A value at any address: the host moves it in one access of its size, aligned or not.
#[derive(Clone, Copy)]
#[repr(C, packed)]
struct Anywhere<T>(T);

mod sealed {
    pub trait Sealed {}
}

macro_rules! pods { ($($t:ty),*) => { $(
    impl sealed::Sealed for $t {}
    impl Pod for $t { const SIZE: u64 = size_of::<$t>() as u64; }
)* } }
pods!(u8, u16, u32, u64, u128);

impl GuestRam {
    /// Allocates `bytes` of zeroed guest RAM (rounded up to whole 4 KiB pages), committed lazily by the host, in huge
    /// pages if it has some.
    ///
    /// # Errors
    /// When the host refuses the memory or its mapping.
    pub fn new(bytes: u64) -> Result<Self, RamError> {
        let bytes = bytes.max(1).next_multiple_of(4096);
        let host = |source: std::io::Error| RamError::Host { bytes, source };
        let len = usize::try_from(bytes).map_err(|e| host(std::io::Error::other(e)))?;
        // The host counts what a mapping may come to. It is asked for RAM by itself, and for no more than room for the
        // rest.
        drop(MmapOptions::new().len(len).map_anon().map_err(host)?);
        let whole = len.checked_next_power_of_two().unwrap_or(len);
        let room = whole.saturating_add(BEYOND);
        let map = MmapRaw::from(MmapOptions::new().len(room).no_reserve_swap().map_anon().map_err(host)?);
        // A host without huge pages is slower and nothing else.
        let _ = map.advise_range(Advice::HugePage, 0, len);
        let base = map.as_mut_ptr();
        Ok(Self { base, len: bytes, mask: whole as u64 - 1, map: Arc::new(map) })
    }

    /// Size in bytes.
    #[inline(always)]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there is no RAM at all; never true.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Host address of offset 0, for compiled code and the TLB; constant for the life of the handle.
    #[inline(always)]
    pub fn host_base(&self) -> u64 {
        self.base as u64
    }

    #[inline(always)]
    fn check(&self, offset: u64, size: u64) -> Result<*mut u8, OutOfRam> {
        if offset <= self.len.wrapping_sub(size) && size <= self.len {
            // SAFETY: offset + size <= len, and the mapping spans len bytes from base.
            Ok(unsafe { self.base.add(offset as usize) })
        } else {
            Err(OutOfRam { offset })
        }
    }

    /// Where a value at `offset` is. There are at least 4096 bytes, more than a value has.
    #[inline(always)]
    fn place<T: Pod>(&self, offset: u64) -> Result<*mut u8, OutOfRam> {
        if offset <= self.len.wrapping_sub(T::SIZE) {
            // SAFETY: offset + SIZE <= len, since SIZE <= 4096 <= len, and the mapping spans len bytes from base.
            Ok(unsafe { self.base.add(offset as usize) })
        } else {
            Err(OutOfRam { offset })
        }
    }

    /// Reads one little-endian value at `offset`.
    ///
    /// # Errors
    /// When any byte lies outside of RAM.
    #[inline(always)]
    pub fn read<T: Pod>(&self, offset: u64) -> Result<T, OutOfRam> {
        let at = self.place::<T>(offset)?;
        // SAFETY: in bounds by `place`; T is plain data. Volatile, so that racing guest threads are not folded away.
        Ok(unsafe { at.cast::<Anywhere<T>>().read_volatile() }.0)
    }

    /// Writes one little-endian value at `offset`.
    ///
    /// # Errors
    /// When any byte lies outside of RAM.
    #[inline(always)]
    pub fn write<T: Pod>(&self, offset: u64, value: T) -> Result<(), OutOfRam> {
        let at = self.place::<T>(offset)?;
        // SAFETY: in bounds by `place`; T is plain data.
        unsafe { at.cast::<Anywhere<T>>().write_volatile(Anywhere(value)) };
        Ok(())
    }

    /// Reads one little-endian value at `offset`, of which the caller knows that it lies in RAM. Where it does not, some
    /// other value is read, or the host ends the process.
    #[inline(always)]
    pub fn read_within<T: Pod>(&self, offset: u64) -> T {
        // SAFETY: whatever `offset` is, `mask` and BEYOND lead into the mapping; what lies behind RAM is not readable.
        unsafe { self.base.add((offset & self.mask) as usize).cast::<Anywhere<T>>().read_volatile() }.0
    }

    /// Writes one little-endian value at `offset`, with the same proviso.
    #[inline(always)]
    pub fn write_within<T: Pod>(&self, offset: u64, value: T) {
        let offset = offset & self.mask;
        // A volatile write of a packed value would go over the host's stack.
        macro_rules! mov {
            ($U:ty, $class:ident, $instruction:literal) => {
                // SAFETY: as in `read_within`; T has the size of U, and both are plain data.
                unsafe {
                    std::arch::asm!($instruction, base = in(reg) self.base, offset = in(reg) offset,
                        value = in($class) transmute_copy::<T, $U>(&value), options(nostack, preserves_flags))
                }
            };
        }
        match T::SIZE {
            1 => mov!(u8, reg_byte, "mov [{base} + {offset}], {value}"),
            2 => mov!(u16, reg, "mov [{base} + {offset}], {value:x}"),
            4 => mov!(u32, reg, "mov [{base} + {offset}], {value:e}"),
            8 => mov!(u64, reg, "mov [{base} + {offset}], {value}"),
            _ => mov!(__m128i, xmm_reg, "movups [{base} + {offset}], {value}"),
        }
    }

    /// Copies bytes out of RAM.
    ///
    /// # Errors
    /// When any byte lies outside of RAM; nothing is copied then.
    pub fn read_bytes(&self, offset: u64, into: &mut [u8]) -> Result<(), OutOfRam> {
        let at = self.check(offset, into.len() as u64)?;
        // SAFETY: in bounds by `check`; `into` is host memory and cannot overlap the private mapping.
        unsafe { std::ptr::copy_nonoverlapping(at, into.as_mut_ptr(), into.len()) };
        Ok(())
    }

    /// Copies bytes into RAM.
    ///
    /// # Errors
    /// When any byte lies outside of RAM; nothing is copied then.
    pub fn write_bytes(&self, offset: u64, from: &[u8]) -> Result<(), OutOfRam> {
        let at = self.check(offset, from.len() as u64)?;
        // SAFETY: as in `read_bytes`.
        unsafe { std::ptr::copy_nonoverlapping(from.as_ptr(), at, from.len()) };
        Ok(())
    }

    /// Copies `len` bytes of a file, from `at` on, into RAM without a stop in between.
    ///
    /// # Errors
    /// When any byte lies outside of RAM; nothing is copied then. When the file cannot be read, or is shorter; what comes
    /// before is copied then.
    pub fn read_file(&self, offset: u64, len: u64, file: &File, at: u64) -> std::io::Result<()> {
        let to = self.check(offset, len).map_err(std::io::Error::other)?;
        let mut done = 0;
        while done < len {
            let from = i64::try_from(at + done).map_err(std::io::Error::other)?;
            // SAFETY: offset + len <= RAM's length by `check`; the host tolerates concurrent access as RAM's users do.
            let got = unsafe {
                libc::pread(file.as_raw_fd(), to.add(done as usize).cast(), (len - done) as usize, from)
            };
            match u64::try_from(got) {
                Ok(0) => return Err(std::io::ErrorKind::UnexpectedEof.into()),
                Ok(got) => done += got,
                Err(_) => match std::io::Error::last_os_error() {
                    e if e.kind() == std::io::ErrorKind::Interrupted => {}
                    e => return Err(e),
                },
            }
        }
        Ok(())
    }

    /// Sets `len` bytes to `byte`.
    ///
    /// # Errors
    /// When any byte lies outside of RAM; nothing is written then.
    pub fn fill(&self, offset: u64, len: u64, byte: u8) -> Result<(), OutOfRam> {
        let at = self.check(offset, len)?;
        // SAFETY: in bounds by `check`.
        unsafe { std::ptr::write_bytes(at, byte, len as usize) };
        Ok(())
    }

    /// Copies `len` bytes inside of RAM, as if through a buffer.
    ///
    /// # Errors
    /// When any byte lies outside of RAM; nothing is copied then.
    pub fn copy(&self, from: u64, to: u64, len: u64) -> Result<(), OutOfRam> {
        let (from, to) = (self.check(from, len)?, self.check(to, len)?);
        // SAFETY: both in bounds by `check`; they may overlap.
        unsafe { std::ptr::copy(from, to, len as usize) };
        Ok(())
    }

    /// Fills `len` bytes with copies of `pattern`, the last of which may be cut off.
    ///
    /// # Errors
    /// When any byte lies outside of RAM; nothing is written then.
    pub fn fill_words(&self, offset: u64, len: u64, pattern: u64) -> Result<(), OutOfRam> {
        let at = self.check(offset, len)?.cast::<Anywhere<u64>>();
        let (words, rest) = (len as usize / 8, len as usize % 8);
        for i in 0..words {
            // SAFETY: in bounds by `check`; any address will do.
            unsafe { at.add(i).write(Anywhere(pattern)) };
        }
        let bytes = pattern.to_le_bytes();
        // SAFETY: the last bytes of what `check` has seen.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), at.add(words).cast(), rest) };
        Ok(())
    }
}

impl std::fmt::Debug for GuestRam {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "GuestRam({} bytes)", self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_little_endian_and_bounded() {
        let ram = GuestRam::new(4096).unwrap();
        ram.write(4088, 0x1122_3344_5566_7788u64).unwrap();
        assert_eq!(ram.read::<u8>(4088), Ok(0x88));
        assert_eq!(ram.read::<u16>(4089), Ok(0x6677));
        assert_eq!(ram.read::<u64>(4089), Err(OutOfRam { offset: 4089 }));
        assert_eq!(ram.read::<u32>(u64::MAX), Err(OutOfRam { offset: u64::MAX }));
        assert!(ram.write(u64::MAX - 2, 0u128).is_err());
        assert!(ram.read_bytes(0, &mut [0; 4097]).is_err());
    }

    #[test]
    fn copies_overlap_and_patterns_are_cut_off() {
        let ram = GuestRam::new(4096).unwrap();
        ram.write(0, 0x8877_6655_4433_2211u64).unwrap();
        ram.copy(0, 3, 8).unwrap();
        assert_eq!(ram.read::<u64>(3), Ok(0x8877_6655_4433_2211));
        assert!(ram.copy(0, 4090, 8).is_err());
        ram.fill_words(100, 19, 0x0807_0605_0403_0201).unwrap();
        assert_eq!(ram.read::<u64>(108), Ok(0x0807_0605_0403_0201));
        assert_eq!(ram.read::<u32>(116), Ok(0x0003_0201));
        assert!(ram.fill_words(4090, 7, 1).is_err());
    }

    #[test]
    fn files_are_read_where_they_go() {
        let path = std::env::temp_dir().join(format!("lyrebird-ram-{}", std::process::id()));
        std::fs::write(&path, [1, 2, 3, 4, 5, 6, 7, 8]).unwrap();
        let file = File::open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let ram = GuestRam::new(8192).unwrap();
        ram.read_file(4090, 6, &file, 2).unwrap();
        assert_eq!(ram.read::<u64>(4090), Ok(0x0000_0807_0605_0403));
        // What lies outside of RAM is not begun; what is missing is told.
        assert!(ram.read_file(8190, 3, &file, 0).is_err());
        assert_eq!(ram.read::<u16>(8190), Ok(0));
        let short = ram.read_file(0, 9, &file, 0).unwrap_err();
        assert_eq!(short.kind(), std::io::ErrorKind::UnexpectedEof);
    }
}
