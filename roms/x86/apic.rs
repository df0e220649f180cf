//! The local APIC: virtual wire for the 8259's interrupts, and its timer.
//!
//! Source: SDM volume 3, chapter 11. The x2APIC is not used.

use crate::{cpuid, memory, pit, timer};
use core::arch::asm;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The vector of the timer, and of spurious interrupts.
pub const TIMER_VECTOR: u8 = 0x40;
/// See [`TIMER_VECTOR`].
pub const SPURIOUS_VECTOR: u8 = 0xff;

const EOI: u64 = 0xb0;
const SPURIOUS: u64 = 0xf0;
const LVT_TIMER: u64 = 0x320;
const LVT_LINT0: u64 = 0x350;
const INITIAL_COUNT: u64 = 0x380;
const CURRENT_COUNT: u64 = 0x390;
const DIVIDE: u64 = 0x3e0;

const MASKED: u32 = 1 << 16;
const PERIODIC: u32 = 1 << 17;
const EXTINT: u32 = 7 << 8;

/// Where its registers are; 0 if there is none.
static BASE: AtomicU64 = AtomicU64::new(0);
/// Counts of its timer in a second, divided by 16.
static RATE: AtomicU64 = AtomicU64::new(0);

/// Finds it, enables it, and measures its timer.
pub fn start() {
    if !cpuid::has_apic() {
        return;
    }
    let (low, high): (u32, u32);
    // SAFETY: IA32_APIC_BASE exists when CPUID says that there is an APIC.
    unsafe { asm!("rdmsr", in("ecx") 0x1b, out("eax") low, out("edx") high, options(nomem, nostack)) };
    let base = u64::from(high) << 32 | u64::from(low & 0xffff_f000);
    if low & 0x800 == 0 || low & 0x400 != 0 || base == 0 || base >= 1 << 32 {
        return;
    }
    BASE.store(base, Relaxed);
    write(LVT_LINT0, EXTINT);
    write(SPURIOUS, 0x100 | u32::from(SPURIOUS_VECTOR));
    write(LVT_TIMER, MASKED | u32::from(TIMER_VECTOR));
    write(DIVIDE, 3);
    write(INITIAL_COUNT, u32::MAX);
    let counts = pit::measure(timer::INTERVAL, || u64::from(u32::MAX - read(CURRENT_COUNT)));
    RATE.store(counts.map_or(62_500_000, |counts| counts * 50), Relaxed);
    write(INITIAL_COUNT, 0);
}

/// Whether there is one.
pub fn present() -> bool {
    BASE.load(Relaxed) != 0
}

/// Where its registers are.
pub fn base() -> u64 {
    BASE.load(Relaxed)
}

/// Interrupts `rate` times a second.
pub fn periodic(rate: u64) {
    write(LVT_TIMER, PERIODIC | u32::from(TIMER_VECTOR));
    write(INITIAL_COUNT, u32::try_from(RATE.load(Relaxed) / rate).unwrap_or(u32::MAX));
}

/// Interrupts no more.
pub fn silence() {
    write(LVT_TIMER, MASKED | u32::from(TIMER_VECTOR));
    write(INITIAL_COUNT, 0);
}

/// Ends an interrupt.
pub fn end() {
    write(EOI, 0);
}

fn write(register: u64, value: u32) {
    memory::poke(base() + register, value);
}

fn read(register: u64) -> u32 {
    memory::peek(base() + register)
}
