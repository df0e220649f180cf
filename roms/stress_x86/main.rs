//! The stress guest for x86-64: several processors, which work on the same memory at once and check that nothing is lost,
//! torn, seen too early or too late, or never heard of.
//!
//! Tests run one after another, on all processors at once, between barriers: the first processor prepares, all work, the
//! first one checks. It runs on `microvm`, whose sleep and reset registers say how it ended: it powers off when all rounds
//! are done, and resets after a test has seen what must not be.
//!
//! Entry, vectors and serial line are the demo's (`../x86`). Sources: SDM volume 3, chapters 9 (multiple-processor
//! management) and 11 (APIC); volume 3, 9.2 (memory ordering).

#![no_std]
#![no_main]

mod apic;
mod code;
mod counters;
mod interrupts;
mod litmus;
mod locks;
mod processors;
mod shared;
mod translation;
mod vectors;

#[path = "../x86/console.rs"]
#[allow(dead_code, reason = "nothing is read here")]
mod console;
#[path = "../x86/memory.rs"]
#[allow(dead_code, reason = "little of it is used here")]
mod memory;
#[path = "../x86/port.rs"]
#[allow(dead_code, reason = "little of it is used here")]
mod port;
/// What the demo's console asks of an interrupt controller: there is none here.
mod pic {
    pub fn unmask(_: u8) {}
}

use console::say;
use core::arch::global_asm;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use shared::{Cpu, parameter};

global_asm!(include_str!("../x86/entry.s"), options(raw));
global_asm!(include_str!("../x86/vectors.s"), options(raw));
global_asm!(include_str!("start.s"), options(raw));

/// One test.
pub struct Test {
    /// How many processors it takes at least.
    least: u64,
    /// Puts the shared data into its first state; all of it is zero before.
    prepare: fn(&Cpu),
    /// The work, on every processor.
    work: fn(&Cpu),
    /// Looks at what is left of the data.
    check: fn(&Cpu),
}

/// Nothing to prepare or to check.
fn nothing(_: &Cpu) {}

include!("names.rs");

/// Their parts, in the order of their names.
static TESTS: [Test; STRESS_X86_TESTS.len()] = [
    counters::AND_ADD,
    counters::COMPARED,
    counters::BITS,
    counters::SPLIT,
    locks::TICKET,
    locks::EXCHANGE,
    locks::SEQUENCE,
    litmus::PASSING,
    litmus::BUFFERING,
    litmus::INDEPENDENT,
    code::OWN,
    code::CALLED,
    code::ENDLESS,
    code::MIXED,
    translation::TEST,
    interrupts::RING,
    interrupts::ALL,
    interrupts::SLEEP,
    processors::TEST,
];

/// The number of the test that is run.
static RUNNING: AtomicU64 = AtomicU64::new(0);
static FAILED: AtomicBool = AtomicBool::new(false);

/// Says what went wrong, and ends the machine.
pub fn fail(cpu: &Cpu, what: u32, seen: u64, expected: u64) -> ! {
    if !FAILED.swap(true, SeqCst) {
        let test = STRESS_X86_TESTS.get(RUNNING.load(SeqCst) as usize).unwrap_or(&"");
        say!(
            "stress: FAILED {test}: check {what} on processor {}: {seen:#x} against {expected:#x}\n",
            cpu.number
        );
        shared::reset();
    }
    loop {
        core::hint::spin_loop();
    }
}

/// Where `entry.s` calls on the first processor.
#[unsafe(no_mangle)]
extern "C" fn main(_: u32, _: u32) -> ! {
    console::start();
    // The 8259s of boards that have them.
    [0x21, 0xA1].into_iter().for_each(|port| port::write(port, 0xFF));
    vectors::start();
    let cpus = u64::from(parameter(shared::CPUS)).clamp(1, shared::MOST as u64);
    processors::start(cpus);
    say!("stress: {cpus} processors\n");
    rounds(0, false)
}

/// All rounds, on every processor. One that was started again `within` the last test goes on where its work ends.
fn rounds(number: u64, within: bool) -> ! {
    static OVER: AtomicBool = AtomicBool::new(false);
    let cpu =
        Cpu { number, all: u64::from(parameter(shared::CPUS)), times: u64::from(parameter(shared::TIMES)) };
    apic::start();
    vectors::load();
    vectors::allow();
    let mut round = 0;
    let mut done = if within { TESTS.len() } else { 0 };
    if within {
        shared::barrier(&cpu);
    }
    loop {
        for (n, test) in TESTS.iter().enumerate().skip(core::mem::take(&mut done)) {
            if parameter(shared::SKIP) >> n & 1 == 0 && cpu.all >= test.least {
                one(&cpu, n, test);
            }
        }
        round += 1;
        if number == 0 {
            let weak = litmus::WEAK.load(SeqCst);
            say!("round {round} done; stores seen late without a fence {weak}\n");
            let late = shared::now() / 1_000_000_000 >= u64::from(parameter(shared::SECONDS));
            OVER.store(late || round >= parameter(shared::ROUNDS), SeqCst);
        }
        shared::barrier(&cpu);
        if OVER.load(SeqCst) {
            break;
        }
    }
    if number == 0 {
        say!("stress: all rounds passed\n");
        shared::off();
    }
    loop {
        core::hint::spin_loop();
    }
}

fn one(cpu: &Cpu, n: usize, test: &Test) {
    shared::barrier(cpu);
    if cpu.number == 0 {
        RUNNING.store(n as u64, SeqCst);
        shared::clear();
        (test.prepare)(cpu);
    }
    shared::barrier(cpu);
    (test.work)(cpu);
    shared::barrier(cpu);
    if cpu.number == 0 {
        (test.check)(cpu);
        say!("{} ok\n", STRESS_X86_TESTS[n]);
    }
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo) -> ! {
    say!("stress: FAILED {info}\n");
    shared::reset()
}

/// The compiled library's unwind tables name it; nothing unwinds here.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}
