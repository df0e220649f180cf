//! Locks that are released by plain stores, and what they protect, by plain loads and stores; the time stamp counters of
//! all processors under one.

use crate::shared::{Cpu, now, until, word};
use crate::{Test, fail, nothing};
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};

/// Words under a lock, a line apart.
const PROTECTED: usize = 64;
const COUNT: usize = 8;
/// The last time.
const TIME: usize = 256;

/// Adds to everything that a lock protects.
fn work_under_lock(cpu: &Cpu) {
    let first = word(PROTECTED).load(Relaxed);
    for n in 0..COUNT {
        let w = word(PROTECTED + 8 * n);
        let seen = w.load(Relaxed);
        if seen != first {
            fail(cpu, 1, seen, first);
        }
        w.store(seen + 1, Relaxed);
    }
    let (last, time) = (word(TIME).load(Relaxed), now());
    if time < last {
        fail(cpu, 2, time, last);
    }
    word(TIME).store(time, Relaxed);
}

fn protected(cpu: &Cpu) {
    let seen = word(PROTECTED).load(Relaxed);
    if seen != cpu.all * cpu.times {
        fail(cpu, 3, seen, cpu.all * cpu.times);
    }
}

/// A ticket lock.
pub const TICKET: Test = Test { least: 1, prepare: nothing, work: ticket, check: protected };

fn ticket(cpu: &Cpu) {
    for _ in 0..cpu.times {
        let mine = word(0).fetch_add(1, SeqCst);
        until(|| word(8).load(Acquire) == mine);
        work_under_lock(cpu);
        word(8).store(mine + 1, Release);
    }
}

/// A lock that is taken by XCHG.
pub const EXCHANGE: Test = Test { least: 1, prepare: nothing, work: exchange, check: protected };

fn exchange(cpu: &Cpu) {
    for _ in 0..cpu.times {
        until(|| word(0).load(Relaxed) == 0 && word(0).swap(1, Acquire) == 0);
        work_under_lock(cpu);
        word(0).store(0, Release);
    }
}

/// A sequence lock: the first processor writes, the others read what belongs together.
pub const SEQUENCE: Test = Test { least: 2, prepare: nothing, work: sequence, check: nothing };

fn sequence(cpu: &Cpu) {
    if cpu.number == 0 {
        for i in 1..=cpu.times {
            word(0).store(2 * i - 1, Relaxed);
            core::sync::atomic::compiler_fence(SeqCst);
            for n in 0..COUNT {
                word(PROTECTED + 8 * n).store(i, Relaxed);
            }
            word(0).store(2 * i, Release);
        }
        return;
    }
    let mut last = 0;
    while last < 2 * cpu.times {
        let mut before = 0;
        until(|| {
            before = word(0).load(Acquire);
            before & 1 == 0
        });
        let seen: [u64; COUNT] = core::array::from_fn(|n| word(PROTECTED + 8 * n).load(Acquire));
        if word(0).load(Acquire) == before && seen.iter().any(|x| 2 * x != before) {
            fail(cpu, 11, seen[COUNT - 1], before / 2);
        }
        if before < last {
            fail(cpu, 12, before, last);
        }
        last = before;
    }
}
