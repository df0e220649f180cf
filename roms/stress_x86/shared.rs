//! What all processors share: the parameters, the data that tests work on, the barrier, the end.

use crate::{memory, vectors};
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::*};

/// What a test knows of the processor that runs it.
pub struct Cpu {
    /// Its number from 0.
    pub number: u64,
    /// How many there are.
    pub all: u64,
    /// How often to do the work.
    pub times: u64,
}

/// Most processors.
pub const MOST: usize = 8;

/// The parameters, behind 16 bytes by which they are found in the program's file.
#[repr(C, align(16))]
struct Parameters([u8; 16], [AtomicU32; 6]);

#[used]
#[unsafe(link_section = ".data.parameters")]
static PARAMETERS: Parameters = Parameters(
    *b"STRESSPARAMETERS",
    [
        AtomicU32::new(1),
        AtomicU32::new(1),
        AtomicU32::new(100),
        AtomicU32::new(0),
        AtomicU32::new(60),
        AtomicU32::new(0),
    ],
);

/// Their places: processors, rounds, times that each test does its work, tests that are left out, seconds after which no
/// round begins.
pub const CPUS: usize = 0;
pub const ROUNDS: usize = 1;
pub const TIMES: usize = 2;
pub const SKIP: usize = 3;
pub const SECONDS: usize = 4;

/// A parameter.
pub fn parameter(n: usize) -> u32 {
    PARAMETERS.1[n].load(Relaxed)
}

/// Words of the shared data.
pub const WORDS: usize = 16384;

#[repr(C, align(4096))]
struct Data([AtomicU64; WORDS]);
static DATA: Data = Data([const { AtomicU64::new(0) }; WORDS]);

/// Word `n` of the data; each of 64 bytes' worth is a line of its own if `n` is a multiple of 8.
pub fn word(n: usize) -> &'static AtomicU64 {
    &DATA.0[n % WORDS]
}

/// The address of word `n`, for accesses of another kind.
pub fn address(n: usize) -> u64 {
    word(n).as_ptr().addr() as u64
}

/// Clears the data.
pub fn clear() {
    DATA.0.iter().for_each(|word| word.store(0, Relaxed));
}

/// Waits until `done` says that it is time.
pub fn until(mut done: impl FnMut() -> bool) {
    let mut patience = 0;
    while !done() {
        patience += 1;
        // Who is waited for may need the host's processor: sleeping gives it, and a tick ends the sleep.
        if patience % 4096 == 0 {
            vectors::doze();
        }
        core::hint::spin_loop();
    }
}

/// Waits for all processors.
pub fn barrier(cpu: &Cpu) {
    static ARRIVED: AtomicU64 = AtomicU64::new(0);
    static PASSED: AtomicU64 = AtomicU64::new(0);
    let passed = PASSED.load(SeqCst);
    if ARRIVED.fetch_add(1, SeqCst) + 1 == cpu.all {
        ARRIVED.store(0, SeqCst);
        PASSED.store(passed + 1, SeqCst);
    } else {
        until(|| PASSED.load(SeqCst) != passed);
    }
}

/// The time stamp counter, which counts nanoseconds here.
pub fn now() -> u64 {
    // SAFETY: every x86-64 has it.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// Serializes the processor.
pub fn serialize() {
    core::arch::x86_64::__cpuid(0);
}

/// SLEEP_CONTROL_REG and RESET_REG of microvm's generic event device.
const SLEEP_CONTROL: u64 = 0xFEA0_0200;
const RESET: u64 = 0xFEA0_0202;

/// Powers off.
pub fn off() -> ! {
    memory::poke8(SLEEP_CONTROL, 5 << 2 | 1 << 5);
    rest()
}

/// Resets the machine.
pub fn reset() -> ! {
    memory::poke8(RESET, 0x42);
    rest()
}

fn rest() -> ! {
    loop {
        core::hint::spin_loop();
    }
}
