//! One counter of the timer.
//!
//! A new count for a counter that is counting in modes 2 and 3 comes into effect at the end of its cycle, in mode 3 too,
//! where the chip takes it at the end of half a cycle.

use serde::{Deserialize, Serialize};

/// Bytes of a count that are read and written: the RW field.
const LOW: u8 = 1;
const HIGH: u8 = 2;
const BOTH: u8 = 3;

/// A counter. Moments are numbers of its input clock's ticks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Channel {
    mode: u8,
    rw: u8,
    bcd: bool,
    gate: bool,
    /// Whether there is a count since the control word.
    loaded: bool,
    /// The initial count, 1 to 65536.
    count: u32,
    /// The tick at which the counter held it.
    start: u64,
    /// Ticks since then, while the gate keeps the counter from counting.
    held: Option<u64>,
    /// The initial count to come, and when; never without a trigger if that is the end of time.
    next: Option<(u32, u64)>,
    /// The gate has started the counter, in modes 1 and 5.
    triggered: bool,
    /// The first of two bytes of a count that is being written.
    low_byte: Option<u8>,
    /// The second of two bytes is the next to be read.
    high_next: bool,
    latched: Option<u16>,
    status: Option<u8>,
}

impl Channel {
    pub(super) fn power_on(gate: bool) -> Channel {
        Channel {
            mode: 3,
            rw: BOTH,
            bcd: false,
            gate,
            loaded: false,
            count: 0x1_0000,
            start: 0,
            held: None,
            next: None,
            triggered: false,
            low_byte: None,
            high_next: false,
            latched: None,
            status: None,
        }
    }

    pub(super) fn is_valid(&self) -> bool {
        let count = |n: u32| (1..=0x1_0000).contains(&n);
        self.mode < 6
            && (LOW..=BOTH).contains(&self.rw)
            && count(self.count)
            && self.next.is_none_or(|(n, _)| count(n))
    }

    fn periodic(&self) -> bool {
        matches!(self.mode, 2 | 3)
    }

    /// Initial count and start of the cycle that `now` is in.
    fn effective(&self, now: u64) -> (u64, u64) {
        match self.next {
            Some((count, at)) if at <= now => (count.into(), at),
            _ => (self.count.into(), self.start),
        }
    }

    /// Whether the counter counts.
    fn counts(&self) -> bool {
        self.loaded && self.held.is_none() && (self.triggered || !matches!(self.mode, 1 | 5))
    }

    fn elapsed(&self, start: u64, now: u64) -> u64 {
        self.held.unwrap_or(now.saturating_sub(start))
    }

    /// Level of the output.
    pub(super) fn out(&self, now: u64) -> bool {
        if !self.loaded {
            return self.mode != 0;
        }
        let (count, start) = self.effective(now);
        let elapsed = self.elapsed(start, now);
        match self.mode {
            0 => elapsed >= count,
            1 => !self.triggered || elapsed >= count,
            2 => self.held.is_some() || elapsed % count != count - 1,
            3 => self.held.is_some() || elapsed % count < count.div_ceil(2),
            4 => elapsed != count,
            _ => !self.triggered || elapsed != count,
        }
    }

    /// Ticks from a rising edge of the output to the next; 0 if there is none.
    pub(super) fn period(&self) -> u64 {
        if self.periodic() && self.loaded { self.count.into() } else { 0 }
    }

    /// Frequency of the output, Hz, of a square wave.
    pub(super) fn frequency(&self) -> Option<u64> {
        (self.mode == 3 && self.counts()).then(|| super::FREQUENCY / u64::from(self.count))
    }

    /// The single rising edge of the modes that have one.
    fn edge(&self, count: u64, start: u64) -> u64 {
        let strobe = matches!(self.mode, 4 | 5);
        start.saturating_add(count).saturating_add(strobe.into())
    }

    /// The first rising edge after tick `after`.
    pub(super) fn next_edge(&self, after: u64) -> Option<u64> {
        if !self.counts() {
            return None;
        }
        let (count, start) = self.effective(after);
        if self.periodic() {
            let cycles = after.saturating_sub(start) / count + 1;
            return Some(start.saturating_add(cycles.saturating_mul(count)));
        }
        Some(self.edge(count, start)).filter(|&e| e > after)
    }

    /// Rising edges after tick `from`, up to and with tick `to`.
    pub(super) fn rising_edges(&self, from: u64, to: u64) -> u64 {
        if !self.counts() || to <= from {
            return 0;
        }
        let between = |count: u64, start: u64, from: u64, to: u64| {
            if self.periodic() {
                to.saturating_sub(start) / count - from.saturating_sub(start) / count
            } else {
                let edge = self.edge(count, start);
                u64::from(from < edge && edge <= to)
            }
        };
        match self.next {
            Some((count, at)) if at <= to => {
                let old = if from < at { between(self.count.into(), self.start, from, at) } else { 0 };
                old + between(count.into(), at, from.max(at), to)
            }
            _ => between(self.count.into(), self.start, from, to),
        }
    }

    /// What the counter holds, as it is read.
    fn value(&self, now: u64) -> u16 {
        let modulus: u64 = if self.bcd { 10_000 } else { 0x1_0000 };
        let (count, start) = self.effective(now);
        let elapsed = if self.counts() || self.held.is_some() { self.elapsed(start, now) } else { 0 };
        let value = match self.mode {
            2 => count - elapsed % count,
            3 => {
                let (at, even, high) = (elapsed % count, count & !1, count.div_ceil(2));
                let half = if at < high { at } else { at - high };
                even.saturating_sub(2 * half)
            }
            _ => (count % modulus + modulus - elapsed % modulus) % modulus,
        } % modulus;
        if !self.bcd {
            return value as u16;
        }
        [1000, 100, 10, 1].iter().fold(0, |bcd, weight| bcd << 4 | (value / weight % 10) as u16)
    }

    /// A control word's low six bits. RW 0 is the counter latch command.
    pub(super) fn control(&mut self, word: u8, now: u64) {
        let rw = word >> 4;
        if rw == 0 {
            self.latch_count(now);
            return;
        }
        let mode = word >> 1 & 7;
        *self = Channel {
            rw,
            mode: if mode > 5 { mode - 4 } else { mode },
            bcd: word & 1 != 0,
            count: self.count,
            start: now,
            ..Channel::power_on(self.gate)
        };
    }

    pub(super) fn latch_count(&mut self, now: u64) {
        if self.latched.is_none() {
            self.latched = Some(self.value(now));
        }
    }

    pub(super) fn latch_status(&mut self, now: u64) {
        let waits = self.next.is_some_and(|(_, at)| at > now);
        let null = !self.loaded || waits || self.held.is_none() && now < self.start;
        let status = u8::from(self.out(now)) << 7
            | u8::from(null) << 6
            | self.rw << 4
            | self.mode << 1
            | u8::from(self.bcd);
        self.status.get_or_insert(status);
    }

    pub(super) fn read(&mut self, now: u64) -> u8 {
        if let Some(status) = self.status.take() {
            return status;
        }
        let [low, high] = self.latched.unwrap_or_else(|| self.value(now)).to_le_bytes();
        let (byte, last) = match (self.rw, self.high_next) {
            (LOW, _) => (low, true),
            (HIGH, _) => (high, true),
            (_, false) => (low, false),
            (_, true) => (high, true),
        };
        self.high_next = !last;
        if last {
            self.latched = None;
        }
        byte
    }

    pub(super) fn write(&mut self, byte: u8, now: u64) {
        match (self.rw, self.low_byte.take()) {
            (LOW, _) => self.load(byte.into(), now),
            (HIGH, _) => self.load(u16::from(byte) << 8, now),
            (_, Some(low)) => self.load(u16::from_le_bytes([low, byte]), now),
            (_, None) => {
                self.low_byte = Some(byte);
                // The first byte stops a counter in mode 0, and its output goes low.
                self.loaded &= self.mode != 0;
            }
        }
    }

    fn load(&mut self, written: u16, now: u64) {
        let binary = if self.bcd {
            (0..4).rev().fold(0, |n, digit| n * 10 + u32::from(written >> (4 * digit) & 0xf))
        } else {
            written.into()
        };
        let count = match (binary, self.bcd) {
            (0, true) => 10_000,
            (0, false) => 0x1_0000,
            (n, _) => n,
        };
        self.settle(now);
        match self.mode {
            1 | 5 if self.loaded => self.next = Some((count, u64::MAX)),
            2 | 3 if self.loaded => {
                let end = self.next_edge(now).unwrap_or(u64::MAX);
                self.next = Some((count, end));
            }
            _ => {
                // The count goes into the counter with the next tick.
                self.count = count;
                self.start = now.saturating_add(1);
                self.loaded = true;
                self.next = None;
                self.held = (!self.gate && !matches!(self.mode, 1 | 5)).then_some(0);
            }
        }
    }

    /// Makes the count that has come into effect the present one.
    fn settle(&mut self, now: u64) {
        if let Some((count, at)) = self.next.filter(|&(_, at)| at <= now) {
            (self.count, self.start, self.next) = (count, at, None);
        }
    }

    /// The gate's level.
    pub(super) fn set_gate(&mut self, level: bool, now: u64) {
        if std::mem::replace(&mut self.gate, level) == level || !self.loaded {
            return;
        }
        self.settle(now);
        match (self.mode, level) {
            (0 | 4, true) => {
                let held = self.held.take().unwrap_or(0);
                self.start = now.saturating_sub(held);
            }
            (1 | 5, false) => {}
            (_, false) => self.held = Some(now.saturating_sub(self.start)),
            (_, true) => {
                if let Some((count, _)) = self.next.take() {
                    self.count = count;
                }
                self.held = None;
                self.triggered = true;
                self.start = now.saturating_add(1);
            }
        }
    }
}
