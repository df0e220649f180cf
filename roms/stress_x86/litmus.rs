//! Litmus tests of the memory model (SDM volume 3, 9.2.3): message passing, store buffering with and without what orders
//! it, and independent reads of independent writes.

use crate::shared::{Cpu, until, word};
use crate::{Test, fail, nothing};
use core::arch::asm;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// How often plain store buffering was seen.
pub static WEAK: AtomicU64 = AtomicU64::new(0);

/// Stores are seen in their order, and loads look in theirs.
pub const PASSING: Test = Test { least: 2, prepare: nothing, work: passing, check: nothing };

fn passing(cpu: &Cpu) {
    let base = 64 * (cpu.number / 2) as usize;
    if cpu.number | 1 >= cpu.all {
        return;
    }
    let [data, flag, back] = [0, 8, 16].map(|n| word(base + n));
    if cpu.number & 1 == 0 {
        for i in 1..=cpu.times {
            data.store(i, Relaxed);
            flag.store(i, Relaxed);
            // The reader has to run now and then.
            if i % 64 == 0 {
                until(|| back.load(Relaxed) >= i);
            }
        }
        return;
    }
    let mut last = 0;
    while last < cpu.times {
        let (f, d);
        // SAFETY: loads of the shared data, in this order.
        unsafe {
            asm!("mov {f}, [{a}]", "mov {d}, [{b}]",
                f = out(reg) f, d = out(reg) d, a = in(reg) flag.as_ptr(), b = in(reg) data.as_ptr(),
                options(nostack, preserves_flags));
        }
        if d < f {
            fail(cpu, 1, d, f);
        }
        if f < last {
            fail(cpu, 2, f, last);
        }
        last = f;
        back.store(last, Relaxed);
    }
}

/// Places that one batch plays on, and where each side's are; what it saw; where it meets the others.
const PLACES: usize = 256;
const SIDE: usize = 512;
const SEEN: usize = 2048;
const MEETING: usize = 4096;
/// Words of one pair.
const PAIR: usize = 4224;

/// Waits until `all` sides, whose words are a line apart from `at` on, have come to `step`.
fn meet(at: usize, side: usize, all: usize, step: u64) {
    word(at + 8 * side).store(step, Relaxed);
    until(|| (0..all).all(|n| word(at + 8 * n).load(Relaxed) >= step));
}

/// Of two processors that store and then look at the other's place, one sees the other's store.
pub const BUFFERING: Test = Test { least: 2, prepare: nothing, work: buffering, check: nothing };

fn buffering(cpu: &Cpu) {
    if cpu.number | 1 >= cpu.all || cpu.number >= 6 {
        return;
    }
    let (base, side) = (PAIR * (cpu.number / 2) as usize, (cpu.number & 1) as usize);
    for batch in 1..=cpu.times / 64 + 4 {
        meet(base + MEETING, side, 2, 3 * batch);
        for place in 0..PLACES {
            let own = word(base + SIDE * side + place).as_ptr();
            let other = word(base + SIDE * (1 - side) + place).as_ptr();
            let seen: u64;
            // SAFETY: accesses to the shared data; where the places are nobody has references.
            unsafe {
                match batch % 4 {
                    0 => asm!("mov [{o}], {v}", "mov {s}, [{p}]",
                        o = in(reg) own, p = in(reg) other, v = in(reg) batch, s = out(reg) seen),
                    1 => asm!("mov [{o}], {v}", "mfence", "mov {s}, [{p}]",
                        o = in(reg) own, p = in(reg) other, v = in(reg) batch, s = out(reg) seen),
                    2 => asm!("mov [{o}], {v}", "lock or dword ptr [rsp - 64], 0", "mov {s}, [{p}]",
                        o = in(reg) own, p = in(reg) other, v = in(reg) batch, s = out(reg) seen),
                    _ => asm!("mov {s}, {v}", "xchg [{o}], {s}", "mov {s}, [{p}]",
                        o = in(reg) own, p = in(reg) other, v = in(reg) batch, s = out(reg) seen),
                }
            }
            word(base + SEEN + SIDE * side + place).store(u64::from(seen >= batch), Relaxed);
        }
        meet(base + MEETING, side, 2, 3 * batch + 1);
        if side == 0 {
            for place in 0..PLACES {
                let saw = |side: usize| word(base + SEEN + SIDE * side + place).load(Relaxed);
                if saw(0) | saw(1) != 0 {
                    continue;
                }
                if batch % 4 != 0 {
                    fail(cpu, 11, batch, batch % 4);
                }
                WEAK.fetch_add(1, Relaxed);
            }
        }
        meet(base + MEETING, side, 2, 3 * batch + 2);
    }
}

/// Two readers never disagree on the order of two stores by two writers.
pub const INDEPENDENT: Test = Test { least: 4, prepare: nothing, work: independent, check: nothing };

fn independent(cpu: &Cpu) {
    let role = cpu.number as usize;
    if role >= 4 {
        return;
    }
    for batch in 1..=cpu.times / 64 + 4 {
        meet(MEETING, role, 4, 3 * batch);
        for place in 0..PLACES {
            let [x, y] = [0, SIDE].map(|side| word(side + place));
            match role {
                0 => x.store(batch, Relaxed),
                1 => y.store(batch, Relaxed),
                _ => {
                    let (first, second) = if role == 2 { (x, y) } else { (y, x) };
                    let (a, b): (u64, u64);
                    // SAFETY: loads of the shared data, in this order.
                    unsafe {
                        asm!("mov {a}, [{x}]", "mov {b}, [{y}]",
                            a = out(reg) a, b = out(reg) b, x = in(reg) first.as_ptr(), y = in(reg) second.as_ptr(),
                            options(nostack, preserves_flags));
                    }
                    // Bit 0: the first was seen; bit 1: the second.
                    let saw = u64::from(a >= batch) | u64::from(b >= batch) << 1;
                    word(SEEN + SIDE * (role - 2) + place).store(saw, Relaxed);
                }
            }
        }
        meet(MEETING, role, 4, 3 * batch + 1);
        if role == 0 {
            for place in 0..PLACES {
                let saw = |side: usize| word(SEEN + SIDE * side + place).load(Relaxed);
                if saw(0) == 1 && saw(1) == 1 {
                    fail(cpu, 21, batch, place as u64);
                }
            }
        }
        meet(MEETING, role, 4, 3 * batch + 2);
    }
}
