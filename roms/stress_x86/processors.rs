//! Starting processors by INIT and start-up interrupts, once for all, and again and again as a test.

use crate::shared::{self, Cpu, MOST, word};
use crate::{Test, apic, nothing, rounds, vectors};
use core::arch::asm;
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// Where the start-up code goes.
const START: usize = 0x8000;
const VECTOR: u32 = (START >> 12) as u32;
const STACK: usize = 32768;
/// Where in it the facts are.
const FACTS: usize = 8;

#[repr(C, align(4096))]
struct Stacks(UnsafeCell<[[u8; STACK]; MOST]>);
// SAFETY: each processor uses its own.
unsafe impl Sync for Stacks {}
static STACKS: Stacks = Stacks(UnsafeCell::new([[0; STACK]; MOST]));

/// Processors that are there.
static THERE: AtomicU64 = AtomicU64::new(1);
/// What becomes of a processor that starts.
static PHASE: AtomicU64 = AtomicU64::new(FIRST);
/// It takes part from the first test on.
const FIRST: u64 = 0;
/// The test is on: it says so and waits for the next start.
const AGAIN: u64 = 1;
/// It takes part again.
const WITHIN: u64 = 2;

unsafe extern "C" {
    static other_start: u8;
    static other_end: u8;
}

/// Starts all others.
pub fn start(cpus: u64) {
    let root: u64;
    // SAFETY: reads a register.
    unsafe { asm!("mov {}, cr3", out(reg) root, options(nomem, nostack)) };
    let (from, end) = (&raw const other_start, &raw const other_end);
    let len = end.addr() - from.addr();
    let facts = [root, STACKS.0.get().addr() as u64, other as *const () as u64];
    // SAFETY: the code is position independent as far as it says, and nothing else is at its place.
    unsafe {
        let to = core::ptr::with_exposed_provenance_mut::<u8>(START);
        core::ptr::copy_nonoverlapping(from, to, len);
        core::ptr::copy_nonoverlapping(facts.as_ptr(), to.add(FACTS).cast(), 3);
    }
    apic::start();
    for n in 1..cpus {
        wake(n);
        while THERE.load(SeqCst) <= n {
            core::hint::spin_loop();
        }
    }
}

/// INIT, then two start-up interrupts, of which the second finds a processor that runs.
fn wake(n: u64) {
    apic::send(n, apic::INIT);
    apic::send(n, apic::STARTUP | VECTOR);
    apic::send(n, apic::STARTUP | VECTOR);
}

/// Where the start-up code calls on every other processor.
extern "C" fn other(number: u64) -> ! {
    let phase = PHASE.load(SeqCst);
    if phase != AGAIN {
        THERE.fetch_add(1, SeqCst);
        rounds(number, phase == WITHIN);
    }
    word(0).fetch_add(1, SeqCst);
    halt(number)
}

/// Waits for the next start, awake or asleep; interrupts are masked.
fn halt(number: u64) -> ! {
    loop {
        if (word(0).load(SeqCst) + number) % 2 == 0 {
            // SAFETY: nothing wakes it but INIT.
            unsafe { asm!("cli", "hlt", options(nomem, nostack)) };
        }
        core::hint::spin_loop();
    }
}

/// All others are stopped and started again. It is the last test: who was started again goes on behind it.
pub const TEST: Test = Test { least: 2, prepare, work, check: nothing };

fn prepare(_: &Cpu) {
    PHASE.store(AGAIN, SeqCst);
}

fn work(cpu: &Cpu) {
    let times = cpu.times / 256 + 2;
    if cpu.number != 0 {
        word(8).fetch_add(1, SeqCst);
        // The stack's contents do not matter any more.
        vectors::mask();
        halt(cpu.number);
    }
    shared::until(|| word(8).load(SeqCst) == cpu.all - 1);
    for i in 0..times {
        for n in 1..cpu.all {
            vectors::mask();
            wake(n);
            vectors::allow();
            shared::until(|| word(0).load(SeqCst) == i * (cpu.all - 1) + n);
        }
    }
    // Once more, to go on where the test would have ended: behind its barrier.
    PHASE.store(WITHIN, SeqCst);
    for n in 1..cpu.all {
        let there = THERE.load(SeqCst);
        vectors::mask();
        wake(n);
        vectors::allow();
        shared::until(|| THERE.load(SeqCst) != there);
    }
}
