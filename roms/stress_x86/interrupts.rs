//! Interrupts from processor to processor: in a ring, to all others, to who sleeps, and those that are not maskable.

use crate::shared::{CPUS, Cpu, parameter, until, word};
use crate::vectors::{self, CALL_VECTOR, RING_VECTOR, WAKE_VECTOR};
use crate::{Test, apic, fail, memory, nothing};
use core::sync::atomic::Ordering::SeqCst;

/// A token goes round; each processor hands it on in its handler.
pub const RING: Test = Test { least: 2, prepare: nothing, work: go_round, check: nothing };

/// Words of the data: how often the token was handed on, and how often it is to be.
const HANDED: usize = 0;
const MOST: usize = 8;

fn go_round(cpu: &Cpu) {
    if cpu.number == 0 {
        word(MOST).store(cpu.all * (cpu.times / 8 + 1), SeqCst);
        vectors::mask();
        apic::send(1, apic::FIXED | u32::from(RING_VECTOR));
        vectors::allow();
    }
    until(|| word(MOST).load(SeqCst) != 0 && word(HANDED).load(SeqCst) >= word(MOST).load(SeqCst));
}

/// The interrupt.
pub fn ring() {
    if word(HANDED).fetch_add(1, SeqCst) + 1 < word(MOST).load(SeqCst) {
        // The local APIC's ID is the processor's number.
        let mine = memory::peek(0xFEE0_0020) >> 24;
        apic::send(u64::from((mine + 1) % parameter(CPUS)), apic::FIXED | u32::from(RING_VECTOR));
    }
}

/// Each in turn interrupts all others, now by a maskable interrupt, now by one that is not.
pub const ALL: Test = Test { least: 2, prepare: nothing, work: call_all, check: nothing };

const CALLS: usize = 64;
const NMIS: usize = 72;

fn call_all(cpu: &Cpu) {
    for i in 0..cpu.times / 16 + 1 {
        if i % cpu.all == cpu.number {
            let [calls, nmis] = [CALLS, NMIS].map(|n| word(n).load(SeqCst));
            vectors::mask();
            apic::send_others(apic::FIXED | u32::from(CALL_VECTOR));
            vectors::allow();
            until(|| word(CALLS).load(SeqCst) == calls + cpu.all - 1);
            apic::send_others(apic::NMI);
            until(|| word(NMIS).load(SeqCst) == nmis + cpu.all - 1);
            if word(CALLS).load(SeqCst) != calls + cpu.all - 1 {
                fail(cpu, 1, word(CALLS).load(SeqCst), calls);
            }
            word(80).store(i + 1, SeqCst);
        }
        until(|| word(80).load(SeqCst) > i);
    }
}

/// The maskable interrupt.
pub fn called() {
    word(CALLS).fetch_add(1, SeqCst);
}

/// The other.
pub fn nmi() {
    word(NMIS).fetch_add(1, SeqCst);
}

/// Pairs of processors wake each other from HLT.
pub const SLEEP: Test = Test { least: 2, prepare: nothing, work: sleep, check: nothing };

fn sleep(cpu: &Cpu) {
    if cpu.number | 1 >= cpu.all {
        return;
    }
    let turn = word(64 * (1 + cpu.number as usize / 2));
    for i in 0..cpu.times / 16 + 1 {
        let mine = 2 * i + (cpu.number & 1);
        loop {
            vectors::mask();
            if turn.load(SeqCst) == mine {
                break;
            }
            vectors::sleep();
        }
        turn.store(mine + 1, SeqCst);
        apic::send(cpu.number ^ 1, apic::FIXED | u32::from(WAKE_VECTOR));
        vectors::allow();
    }
}
