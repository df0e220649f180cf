//! Code that changes: each processor's own, and code that one processor changes and all others run (SDM volume 3, 9.1.3).

use crate::shared::{Cpu, address, serialize, until, word};
use crate::{Test, fail, nothing};
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};

/// Words of a page.
const PAGE: usize = 512;

/// Puts bytes into the data, from byte `at` on.
fn put(at: u64, bytes: &[u8]) {
    for (n, byte) in bytes.iter().enumerate() {
        // SAFETY: places in the shared data, to which nobody has references but atomics.
        unsafe {
            core::ptr::with_exposed_provenance_mut::<u8>(at as usize + n).write_volatile(*byte);
        }
    }
}

/// A function in the data: MOV EAX, n; RET. The number is at `at` + 4, aligned.
fn returns(at: u64, n: u32) {
    put(at + 3, &[0xB8]);
    set(at, n);
    put(at + 8, &[0xC3]);
}

/// Changes what such a function returns.
fn set(at: u64, n: u32) {
    // SAFETY: as in `put`.
    unsafe { core::ptr::with_exposed_provenance_mut::<u32>(at as usize + 4).write_volatile(n) };
}

/// Calls code in the data.
fn call(at: u64) -> u32 {
    // SAFETY: a test has put a function there that changes RAX at most.
    unsafe {
        let function: extern "C" fn() -> u32 =
            core::mem::transmute(core::ptr::with_exposed_provenance::<u8>(at as usize));
        function()
    }
}

/// Each processor changes a function of its own and calls it at once.
pub const OWN: Test = Test { least: 1, prepare: nothing, work: own, check: nothing };

fn own(cpu: &Cpu) {
    // Two functions on a page of its own, and one on a page that all share.
    let page = address(PAGE * (1 + cpu.number as usize));
    let places = [page, page + 0x800, address(0) + 64 * cpu.number];
    places.iter().for_each(|at| returns(*at, 0));
    for i in 1..=cpu.times as u32 {
        let at = places[i as usize % 3];
        set(at, i);
        let seen = call(at + 3);
        if seen != i {
            fail(cpu, 1, seen.into(), i.into());
        }
    }
}

/// The first processor changes functions that the others call.
pub const CALLED: Test = Test { least: 2, prepare: called_prepare, work: called, check: nothing };

const FUNCTIONS: usize = 4;

fn function(n: u64) -> u64 {
    address(PAGE) + [0, 0x40, 0x800, 0x1000][n as usize % FUNCTIONS]
}

fn called_prepare(_: &Cpu) {
    (0..FUNCTIONS as u64).for_each(|n| returns(function(n), 0));
}

fn called(cpu: &Cpu) {
    // Each function's version, and how far each processor is.
    let version = |n: u64| word(8 * (n as usize % FUNCTIONS));
    let mine = |n: u64| word(64 + 8 * n as usize);
    let times = cpu.times / 4 + 1;
    if cpu.number == 0 {
        for i in 1..=times {
            set(function(i), i as u32);
            version(i).store(i, Release);
            if i % 16 == 0 {
                until(|| (1..cpu.all).all(|n| mine(n).load(Acquire) >= i));
            }
        }
        mine(0).store(1, Release);
        return;
    }
    let mut n = cpu.number;
    while mine(0).load(Acquire) == 0 {
        let least = version(n).load(Acquire);
        serialize();
        let seen = u64::from(call(function(n) + 3));
        if seen < least || seen > times {
            fail(cpu, 11, seen, least);
        }
        if least > mine(cpu.number).load(Relaxed) {
            mine(cpu.number).store(least, Release);
        }
        n += 1;
    }
}

/// The first processor ends loops that the others are in.
pub const ENDLESS: Test = Test { least: 2, prepare: nothing, work: endless, check: nothing };

/// PAUSE; JMP back to it; RET. And what the jump becomes.
const LOOP: [u8; 5] = [0xF3, 0x90, 0xEB, 0xFC, 0xC3];
const NOPS: u16 = 0x9090;

fn endless(cpu: &Cpu) {
    let at = address(PAGE) + 0x104;
    let [begun, inside, back] = [0, 8, 16].map(word);
    for i in 1..=cpu.times / 64 + 4 {
        let others = (cpu.all - 1) * i;
        if cpu.number == 0 {
            put(at, &LOOP);
            begun.store(i, Release);
            until(|| inside.load(Acquire) == others);
            (0..(i * 37) % 512).for_each(|_| core::hint::spin_loop());
            // SAFETY: as in `put`; aligned.
            unsafe { core::ptr::with_exposed_provenance_mut::<u16>(at as usize + 2).write_volatile(NOPS) };
            until(|| back.load(Acquire) == others);
        } else {
            until(|| begun.load(Acquire) >= i);
            serialize();
            inside.fetch_add(1, SeqCst);
            call(at);
            back.fetch_add(1, SeqCst);
        }
    }
}

/// Counters on a page of code that all run.
pub const MIXED: Test = Test { least: 1, prepare: mixed_prepare, work: mixed, check: mixed_check };

/// LOCK INC QWORD PTR of the word 256 bytes on; RET.
fn mixed_prepare(_: &Cpu) {
    put(address(PAGE), &[0xF0, 0x48, 0xFF, 0x05, 0xF8, 0, 0, 0, 0xC3]);
}

fn mixed(cpu: &Cpu) {
    let mine = word(PAGE + 64 + 8 * cpu.number as usize);
    for i in 0..cpu.times {
        call(address(PAGE));
        mine.store(i + 1, Relaxed);
    }
}

fn mixed_check(cpu: &Cpu) {
    let seen = word(PAGE + 32).load(Relaxed);
    if seen != cpu.all * cpu.times {
        fail(cpu, 21, seen, cpu.all * cpu.times);
    }
    for n in 0..cpu.all as usize {
        let seen = word(PAGE + 64 + 8 * n).load(Relaxed);
        if seen != cpu.times {
            fail(cpu, 22, seen, n as u64);
        }
    }
}
