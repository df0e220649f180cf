//! The local APIC of the processor that asks, by its registers in memory (SDM volume 3, chapter 11).

use crate::memory::{peek, poke};
use crate::vectors::{SPURIOUS_VECTOR, TICK_VECTOR};

const BASE: u64 = 0xFEE0_0000;
const EOI: u64 = BASE + 0xB0;
const SPURIOUS: u64 = BASE + 0xF0;
const COMMAND: u64 = BASE + 0x300;
const DESTINATION: u64 = BASE + 0x310;
const TIMER: u64 = BASE + 0x320;
const INITIAL_COUNT: u64 = BASE + 0x380;

const ENABLED: u32 = 1 << 8;
const PENDING: u32 = 1 << 12;
const ASSERT: u32 = 1 << 14;
const OTHERS: u32 = 3 << 18;

/// Kinds of messages.
pub const FIXED: u32 = 0;
pub const NMI: u32 = 4 << 8;
pub const INIT: u32 = 5 << 8;
pub const STARTUP: u32 = 6 << 8;

/// Switches it on.
pub fn start() {
    poke(SPURIOUS, ENABLED | u32::from(SPURIOUS_VECTOR));
}

/// Ends an interrupt.
pub fn end() {
    poke(EOI, 0);
}

/// Interrupts once, in a while.
pub fn tick() {
    poke(TIMER, u32::from(TICK_VECTOR));
    poke(INITIAL_COUNT, 50_000);
}

fn command(what: u32) {
    poke(COMMAND, what | ASSERT);
    while peek(COMMAND) & PENDING != 0 {
        core::hint::spin_loop();
    }
}

/// Sends a message to a processor. Interrupts are masked, or nobody else sends.
pub fn send(to: u64, what: u32) {
    poke(DESTINATION, (to as u32) << 24);
    command(what);
}

/// Sends a message to all others.
pub fn send_others(what: u32) {
    command(what | OTHERS);
}
