//! The local APIC's timer: one-shot, periodic, TSC deadline (SDM volume 3, 12.5.4), at 1 GHz before the divider.

use crate::bus::clock::VTime;
use serde::{Deserialize, Serialize};

/// Shortest time between two interrupts of a periodic timer, in nanoseconds: the guest's shorter periods must not
/// keep the host busy.
const SHORTEST: u64 = 20_000;

/// What bits 18:17 of the timer's LVT entry select.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    OneShot,
    Periodic,
    Deadline,
}

impl Mode {
    /// From an LVT entry; the reserved value counts as one-shot.
    pub(super) fn of(lvt: u32) -> Mode {
        match lvt >> 17 & 3 {
            1 => Mode::Periodic,
            2 => Mode::Deadline,
            _ => Mode::OneShot,
        }
    }
}

/// Counter and deadline. The counter stood at `count` at the time `at`, and counts down from there.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Counter {
    pub(super) initial: u32,
    count: u32,
    at: VTime,
    /// The divide configuration register.
    pub(super) divide: u32,
    /// IA32_TSC_DEADLINE and when it comes.
    tsc: u64,
    deadline: Option<VTime>,
}

impl Counter {
    /// Binary logarithm of the divisor, which is that of the nanoseconds of a tick.
    fn shift(&self) -> u32 {
        ((self.divide & 3 | self.divide >> 1 & 4) + 1) & 7
    }

    /// Value of the counter.
    pub(super) fn current(&self, mode: Mode, now: VTime) -> u32 {
        let ticks = (now - self.at) >> self.shift();
        match ticks.checked_sub(self.count.into()) {
            None => self.count - ticks as u32,
            Some(past) if mode == Mode::Periodic && self.count != 0 && self.initial != 0 => {
                self.initial - (past % u64::from(self.initial)) as u32
            }
            Some(_) => 0,
        }
    }

    /// Writes the initial count, which starts or stops the counter.
    pub(super) fn start(&mut self, initial: u32, now: VTime) {
        (self.initial, self.count, self.at) = (initial, initial, now);
    }

    /// Counts on from the present value, as before a change of mode or divisor.
    pub(super) fn rebase(&mut self, mode: Mode, now: VTime) {
        let part = (now - self.at) & ((1 << self.shift()) - 1);
        self.count = self.current(mode, now);
        self.at = VTime(now - VTime(part));
    }

    /// Stops the counter, or drops the deadline, that the new mode has no use for.
    pub(super) fn change(&mut self, from: Mode, to: Mode) {
        if to == Mode::Deadline && from != to {
            self.count = 0;
        }
        if from == Mode::Deadline && from != to {
            (self.tsc, self.deadline) = (0, None);
        }
    }

    /// IA32_TSC_DEADLINE: zero once it passed.
    pub(super) fn tsc(&self, now: VTime) -> u64 {
        if self.deadline.is_some_and(|at| at > now) { self.tsc } else { 0 }
    }

    /// Sets the deadline: `value` for reading, `at` in virtual time; zero drops it.
    pub(super) fn set_tsc(&mut self, value: u64, at: VTime) {
        (self.tsc, self.deadline) = (value, (value != 0).then_some(at));
    }

    /// When the next interrupt comes.
    pub(super) fn due(&self, mode: Mode) -> Option<VTime> {
        match mode {
            Mode::Deadline => self.deadline,
            _ if self.count == 0 => None,
            _ => Some(self.at + (u64::from(self.count) << self.shift())),
        }
    }

    /// Goes past what is due at `now`; whether anything was. What a periodic timer missed counts as one interrupt.
    pub(super) fn settle(&mut self, mode: Mode, now: VTime) -> bool {
        let Some(due) = self.due(mode).filter(|due| *due <= now) else { return false };
        match mode {
            Mode::Deadline => (self.tsc, self.deadline) = (0, None),
            Mode::OneShot => self.count = 0,
            Mode::Periodic => {
                let period = u64::from(self.initial) << self.shift();
                let behind = (now - due) % period.max(1);
                (self.count, self.at) = (self.initial, VTime(now - VTime(behind)));
            }
        }
        true
    }

    /// When to look again after an interrupt.
    pub(super) fn next(&self, mode: Mode, now: VTime) -> Option<VTime> {
        self.due(mode).map(|due| if mode == Mode::Periodic { due.max(now + SHORTEST) } else { due })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_down_and_reloads() {
        let mut c = Counter { divide: 0xb, ..Counter::default() };
        assert_eq!(c.shift(), 0, "0b1011 divides by 1");
        c.start(100, VTime(1000));
        assert_eq!(c.current(Mode::OneShot, VTime(1030)), 70);
        assert_eq!(c.current(Mode::OneShot, VTime(1100)), 0);
        assert_eq!(c.current(Mode::Periodic, VTime(1100)), 100);
        assert_eq!(c.current(Mode::Periodic, VTime(1130)), 70);
        assert_eq!(c.due(Mode::Periodic), Some(VTime(1100)));
        assert!(c.settle(Mode::Periodic, VTime(1350)));
        assert_eq!(c.due(Mode::Periodic), Some(VTime(1400)));
        assert_eq!(c.next(Mode::Periodic, VTime(1350)), Some(VTime(1350 + SHORTEST)));
        assert!(!c.settle(Mode::Periodic, VTime(1399)));
        c.rebase(Mode::Periodic, VTime(1350));
        assert_eq!((c.count, c.current(Mode::OneShot, VTime(1350))), (50, 50));
        assert!(c.settle(Mode::OneShot, VTime(1400)));
        assert_eq!(c.current(Mode::Periodic, VTime(5000)), 0, "stays at zero until it is written");
    }

    #[test]
    fn divisors() {
        for (value, divisor) in [(0, 2), (1, 4), (2, 8), (3, 16), (8, 32), (9, 64), (10, 128), (11, 1)] {
            let mut c = Counter { divide: value, ..Counter::default() };
            c.start(10, VTime(0));
            assert_eq!(c.due(Mode::OneShot), Some(VTime(10 * divisor)));
            c.rebase(Mode::OneShot, VTime(3 * divisor + divisor / 2));
            assert_eq!(c.due(Mode::OneShot), Some(VTime(10 * divisor)), "parts of a tick are kept");
        }
    }

    #[test]
    fn largest_values_do_not_overflow() {
        let mut c = Counter { divide: 10, ..Counter::default() };
        c.start(u32::MAX, VTime(u64::MAX - 5));
        assert_eq!(c.due(Mode::Periodic), Some(VTime(u64::MAX)));
        assert!(c.settle(Mode::Periodic, VTime(u64::MAX)));
        c.rebase(Mode::Periodic, VTime(0));
    }
}
