//! Atomic read-modify-write on guest RAM, sequentially consistent, for naturally aligned values.

use crate::{GuestRam, OutOfRam};
use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering::SeqCst};

/// The read-modify-write operations of Arm's LSE and x86's LOCK prefix, on unsigned storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AtomicOp {
    /// old + v
    Add,
    /// old & v
    And,
    /// old | v
    Or,
    /// old ^ v
    Xor,
    /// signed maximum
    Smax,
    /// signed minimum
    Smin,
    /// unsigned maximum
    Umax,
    /// unsigned minimum
    Umin,
    /// v
    Swap,
}

impl AtomicOp {
    /// The new value, for operands of `n` bits zero extended to 64.
    pub fn apply(self, old: u64, v: u64, n: u32) -> u64 {
        let signed = |x: u64| ((x << (64 - n)) as i64) >> (64 - n);
        match self {
            AtomicOp::Add => old.wrapping_add(v),
            AtomicOp::And => old & v,
            AtomicOp::Or => old | v,
            AtomicOp::Xor => old ^ v,
            AtomicOp::Smax => {
                if signed(old) >= signed(v) {
                    old
                } else {
                    v
                }
            }
            AtomicOp::Smin => {
                if signed(old) <= signed(v) {
                    old
                } else {
                    v
                }
            }
            AtomicOp::Umax => old.max(v),
            AtomicOp::Umin => old.min(v),
            AtomicOp::Swap => v,
        }
    }
}

/// Values that the host can update atomically.
pub trait AtomicPod: crate::Pod {
    /// Applies `op` at `at` and returns the old value.
    ///
    /// # Safety
    /// `at` is valid for the life of the call and naturally aligned.
    unsafe fn rmw(at: *mut Self, op: AtomicOp, v: Self) -> Self;
    /// Compares and exchanges, returning the old value.
    ///
    /// # Safety
    /// `at` is valid for the life of the call and naturally aligned.
    unsafe fn cas(at: *mut Self, expected: Self, new: Self) -> Self;
}

macro_rules! atomic_pods { ($($t:ty, $s:ty, $a:ty);*) => { $(
    impl AtomicPod for $t {
        #[inline(always)]
        unsafe fn rmw(at: *mut Self, op: AtomicOp, v: Self) -> Self {
            // SAFETY: valid and aligned by the caller's contract.
            let cell = unsafe { <$a>::from_ptr(at) };
            match op {
                AtomicOp::Add => cell.fetch_add(v, SeqCst),
                AtomicOp::And => cell.fetch_and(v, SeqCst),
                AtomicOp::Or => cell.fetch_or(v, SeqCst),
                AtomicOp::Xor => cell.fetch_xor(v, SeqCst),
                AtomicOp::Swap => cell.swap(v, SeqCst),
                AtomicOp::Umax => cell.fetch_max(v, SeqCst),
                AtomicOp::Umin => cell.fetch_min(v, SeqCst),
                AtomicOp::Smax | AtomicOp::Smin => {
                    let mut old = cell.load(SeqCst);
                    loop {
                        let keep = if op == AtomicOp::Smax { (old as $s) >= (v as $s) } else { (old as $s) <= (v as $s) };
                        match cell.compare_exchange(old, if keep { old } else { v }, SeqCst, SeqCst) {
                            Ok(_) => return old,
                            Err(now) => old = now,
                        }
                    }
                }
            }
        }
        #[inline(always)]
        unsafe fn cas(at: *mut Self, expected: Self, new: Self) -> Self {
            // SAFETY: valid and aligned by the caller's contract.
            let cell = unsafe { <$a>::from_ptr(at) };
            cell.compare_exchange(expected, new, SeqCst, SeqCst).unwrap_or_else(|old| old)
        }
    }
)* } }
atomic_pods!(u8, i8, AtomicU8; u16, i16, AtomicU16; u32, i32, AtomicU32; u64, i64, AtomicU64);

impl AtomicPod for u128 {
    #[inline(always)]
    unsafe fn rmw(at: *mut Self, op: AtomicOp, v: Self) -> Self {
        // SAFETY: valid and aligned by the caller's contract.
        unsafe {
            let mut old = at.read_volatile();
            loop {
                let new = match op {
                    AtomicOp::Swap => v,
                    AtomicOp::Add => old.wrapping_add(v),
                    AtomicOp::And => old & v,
                    AtomicOp::Or => old | v,
                    AtomicOp::Xor => old ^ v,
                    AtomicOp::Umax => old.max(v),
                    AtomicOp::Umin => old.min(v),
                    AtomicOp::Smax => (old as i128).max(v as i128) as u128,
                    AtomicOp::Smin => (old as i128).min(v as i128) as u128,
                };
                let now = Self::cas(at, old, new);
                if now == old {
                    return old;
                }
                old = now;
            }
        }
    }
    #[inline(always)]
    unsafe fn cas(at: *mut Self, expected: Self, new: Self) -> Self {
        let (mut lo, mut hi) = (expected as u64, (expected >> 64) as u64);
        // SAFETY: `at` is valid and 16-byte aligned by the caller's contract; every x86-64 host since 2006 has
        // CMPXCHG16B. RBX belongs to the compiler, so it is swapped in and out.
        unsafe {
            std::arch::asm!(
                "xchg rsi, rbx",
                "lock cmpxchg16b [rdi]",
                "mov rbx, rsi",
                in("rdi") at,
                inout("rsi") new as u64 => _,
                in("rcx") (new >> 64) as u64,
                inout("rax") lo,
                inout("rdx") hi,
                options(nostack)
            );
        }
        (hi as u128) << 64 | lo as u128
    }
}

impl GuestRam {
    /// Applies `op` atomically at `offset` and returns the old value. An unaligned `offset` is served without
    /// atomicity, as hardware without LSE2 would fault before.
    ///
    /// # Errors
    /// When any byte lies outside of RAM.
    #[inline]
    pub fn rmw<T: AtomicPod + Default>(&self, offset: u64, op: AtomicOp, v: T) -> Result<T, OutOfRam> {
        let at = self.check(offset, T::SIZE)?;
        let mut aside: Aligned<T> = Aligned(T::default());
        if offset & (T::SIZE - 1) != 0 {
            aside.0 = self.read(offset)?;
            // SAFETY: `aside` is a live, aligned local.
            let old = unsafe { T::rmw(&raw mut aside.0, op, v) };
            self.write(offset, aside.0)?;
            return Ok(old);
        }
        // SAFETY: in bounds by `check`; the mapping is page aligned, so `at` is as aligned as `offset`.
        Ok(unsafe { T::rmw(at.cast(), op, v) })
    }

    /// Compares and exchanges atomically at `offset`, returning the old value; unaligned as for [`GuestRam::rmw`].
    ///
    /// # Errors
    /// When any byte lies outside of RAM.
    #[inline]
    pub fn cas<T: AtomicPod + PartialEq>(&self, offset: u64, expected: T, new: T) -> Result<T, OutOfRam> {
        let at = self.check(offset, T::SIZE)?;
        if offset & (T::SIZE - 1) != 0 {
            let old: T = self.read(offset)?;
            if old == expected {
                self.write(offset, new)?;
            }
            return Ok(old);
        }
        // SAFETY: as in `rmw`.
        Ok(unsafe { T::cas(at.cast(), expected, new) })
    }
}

#[repr(align(16))]
struct Aligned<T>(T);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_compare_and_exchange() {
        let ram = GuestRam::new(4096).unwrap();
        let (a, b) = (0x1111_2222_3333_4444_5555_6666_7777_8888u128, u128::MAX - 5);
        assert_eq!(ram.cas(16, 0u128, a), Ok(0));
        assert_eq!(ram.cas(16, 1u128, b), Ok(a));
        assert_eq!(ram.rmw(16, AtomicOp::Swap, b), Ok(a));
        assert_eq!(ram.read::<u128>(16), Ok(b));
    }

    #[test]
    fn signed_extremes() {
        let ram = GuestRam::new(4096).unwrap();
        ram.write(0, -5i8 as u8).unwrap();
        assert_eq!(ram.rmw(0, AtomicOp::Smax, 3u8), Ok(0xFB));
        assert_eq!(ram.rmw(0, AtomicOp::Umin, 200u8), Ok(3));
        assert_eq!(ram.rmw(1, AtomicOp::Add, 0x1234_5678u32), Ok(0));
        assert_eq!(ram.read::<u32>(1), Ok(0x1234_5678));
    }
}
