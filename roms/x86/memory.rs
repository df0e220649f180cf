//! Reading physical memory, and what compiled code expects of a C library.
//!
//! The first 4 GiB are mapped as they are.

use core::arch::asm;

/// The bytes at an address, copied into a `T` that any bytes are valid for; `None` outside of what is mapped.
pub fn read<T: Plain>(address: u64) -> Option<T> {
    let end = address.checked_add(size_of::<T>() as u64)?;
    if address == 0 || end > 1 << 32 {
        return None;
    }
    // SAFETY: the range is mapped and is not written at the same time; `T` is valid for any bytes.
    Some(unsafe { (address as *const T).read_unaligned() })
}

/// Types that are valid whatever their bytes are.
///
/// # Safety
/// Only integers, arrays of such types, and `repr(C)` structs of them.
pub unsafe trait Plain: Copy {}
// SAFETY: integers.
unsafe impl Plain for u8 {}
// SAFETY: integers.
unsafe impl Plain for u16 {}
// SAFETY: integers.
unsafe impl Plain for u32 {}
// SAFETY: integers.
unsafe impl Plain for u64 {}
// SAFETY: an array of such a type.
unsafe impl<T: Plain, const N: usize> Plain for [T; N] {}

/// Writes a register of a device.
pub fn poke(address: u64, value: u32) {
    // SAFETY: addresses of device registers below 4 GiB, which are mapped.
    unsafe { (address as *mut u32).write_volatile(value) }
}

/// Reads a register of a device.
pub fn peek(address: u64) -> u32 {
    // SAFETY: as in `poke`.
    unsafe { (address as *const u32).read_volatile() }
}

/// Writes a byte-wide register of a device.
pub fn poke8(address: u64, value: u8) {
    // SAFETY: as in `poke`.
    unsafe { (address as *mut u8).write_volatile(value) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
    // SAFETY: the caller's promise.
    unsafe {
        asm!("rep movsb", inout("rdi") to => _, inout("rsi") from => _, inout("rcx") count => _, options(nostack))
    };
    to
}

#[unsafe(no_mangle)]
unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
    if to.addr().wrapping_sub(from.addr()) >= count {
        // SAFETY: the caller's promise; ascending order reads each byte before it is written.
        unsafe { memcpy(to, from, count) };
    } else {
        // SAFETY: the caller's promise; descending order likewise.
        unsafe {
            asm!(
                "std", "rep movsb", "cld",
                inout("rdi") to.wrapping_add(count).wrapping_sub(1) => _,
                inout("rsi") from.wrapping_add(count).wrapping_sub(1) => _,
                inout("rcx") count => _, options(nostack)
            );
        }
    }
    to
}

#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut u8, value: i32, count: usize) -> *mut u8 {
    // SAFETY: the caller's promise.
    unsafe {
        asm!("rep stosb", inout("rdi") to => _, in("al") value as u8, inout("rcx") count => _, options(nostack))
    };
    to
}

#[unsafe(no_mangle)]
unsafe extern "C" fn bcmp(left: *const u8, right: *const u8, count: usize) -> i32 {
    // SAFETY: the caller's promise.
    unsafe { memcmp(left, right, count) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn memcmp(left: *const u8, right: *const u8, count: usize) -> i32 {
    for index in 0..count {
        // SAFETY: the caller's promise. Volatile, so that the loop does not become a call of this function.
        let (a, b) = unsafe { (left.add(index).read_volatile(), right.add(index).read_volatile()) };
        if a != b {
            return i32::from(a) - i32::from(b);
        }
    }
    0
}
