//! HPET: a main counter at 100 MHz and three comparators.
//!
//! After Intel's IA-PC HPET specification 1.0a. 64 bits wide, all comparators periodic, legacy replacement routing, as
//! QEMU has it: vendor 8086h, a period of 10 ns. With legacy replacement on, comparators 0 and 1 take the places of the
//! 8254 and of the real-time clock on ISA interrupts 0 and 8; [`LegacyGate`] is that switch. A comparator matches when
//! the counter reaches it, so one that is set behind the counter waits until the counter wraps.
//!
//! Left out on purpose, and reported absent: FSB (MSI) delivery.

use crate::bus::clock::{Clock, Timer, VTime};
use crate::bus::device::{BusError, BusResult, Device, Initiator, Io, Size, Timed};
use crate::bus::irq::{LineSink, Wire};
use crate::bus::snapshot::{self, StateError};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Registers and fields, from the specification's chapter 2.
mod spec {
    pub const CAPABILITIES: u64 = 0x000;
    pub const CONFIG: u64 = 0x010;
    pub const STATUS: u64 = 0x020;
    pub const COUNTER: u64 = 0x0f0;
    pub const TIMERS: u64 = 0x100;
    pub const TIMER_LEN: u64 = 0x20;
    pub const TN_CONFIG: u64 = 0x00;
    pub const TN_COMPARATOR: u64 = 0x08;
    pub const TN_FSB: u64 = 0x10;

    /// Legacy replacement, 64 bits, three timers, revision 1, vendor 8086h; the period in femtoseconds above.
    pub const ID: u32 = 0x8086_a201;
    pub const PERIOD_FS: u64 = 10_000_000;

    pub const ENABLE: u64 = 1 << 0;
    pub const LEGACY: u64 = 1 << 1;

    pub const LEVEL: u64 = 1 << 1;
    pub const INTERRUPT: u64 = 1 << 2;
    pub const PERIODIC: u64 = 1 << 3;
    pub const VALUE_SET: u64 = 1 << 6;
    pub const NARROW: u64 = 1 << 8;
    pub const ROUTE_SHIFT: u32 = 9;
    pub const ROUTE: u64 = 0x1f << ROUTE_SHIFT;
    pub const WRITABLE: u64 = LEVEL | INTERRUPT | PERIODIC | VALUE_SET | NARROW | ROUTE;
    /// Every comparator can be periodic and has 64 bits.
    pub const TN_CAPABILITIES: u64 = 1 << 4 | 1 << 5;
}
use spec::*;

/// Comparators.
const TIMERS_COUNT: usize = 3;
/// Nanoseconds of a tick.
const TICK: u64 = PERIOD_FS / 1_000_000;
/// Shortest time between two interrupts of a periodic comparator, in nanoseconds: the guest's shorter periods must not
/// keep the host busy.
const SHORTEST: u64 = 20_000;

/// The value of the capabilities register's low half, which the ACPI table repeats.
pub const BLOCK_ID: u32 = ID;

/// Who drives ISA interrupts 0 and 8: the 8254 and the real-time clock, or comparators 0 and 1.
pub struct LegacyGate {
    inputs: Mutex<Inputs>,
    outputs: [Wire; 2],
}

#[derive(Default)]
struct Inputs {
    /// Levels of the 8254 and the clock, then of the comparators.
    levels: [[bool; 2]; 2],
    replaced: bool,
}

impl LegacyGate {
    /// A gate that drives interrupts 0 and 8.
    pub fn new(irq0: Wire, irq8: Wire) -> Arc<LegacyGate> {
        Arc::new(LegacyGate { inputs: Mutex::default(), outputs: [irq0, irq8] })
    }

    /// The wire for the 8254's channel 0.
    pub fn pit(self: &Arc<Self>) -> Wire {
        Wire::new("pit irq", self.clone(), 0)
    }

    /// The wire for the real-time clock.
    pub fn rtc(self: &Arc<Self>) -> Wire {
        Wire::new("rtc irq", self.clone(), 1)
    }

    fn change(&self, change: impl FnOnce(&mut Inputs)) {
        let mut inputs = self.inputs.lock();
        change(&mut inputs);
        let levels = inputs.levels[usize::from(inputs.replaced)];
        // The lock is held so that outputs change in order.
        self.outputs.iter().zip(levels).for_each(|(wire, level)| wire.set(level));
    }
}

impl LineSink for LegacyGate {
    fn set_line(&self, line: u32, level: bool) {
        self.change(|inputs| {
            let slot = inputs.levels.get_mut(line as usize / 2).and_then(|s| s.get_mut(line as usize % 2));
            slot.into_iter().for_each(|slot| *slot = level);
        });
    }
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Comparator {
    /// The bits that can be written.
    config: u64,
    value: u64,
    period: u64,
    /// When the counter reaches the value.
    due: Option<VTime>,
}

impl Comparator {
    fn mask(&self) -> u64 {
        if self.config & NARROW != 0 { u32::MAX.into() } else { u64::MAX }
    }

    fn periodic(&self) -> bool {
        self.config & PERIODIC != 0
    }

    fn route(&self) -> u32 {
        ((self.config & ROUTE) >> ROUTE_SHIFT) as u32
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct State {
    config: u64,
    status: u64,
    /// What the counter showed at `at`; it moves while enabled.
    count: u64,
    at: VTime,
    timers: [Comparator; TIMERS_COUNT],
}

impl State {
    fn power_on() -> State {
        let timer = Comparator { value: u64::MAX, ..Comparator::default() };
        State { config: 0, status: 0, count: 0, at: VTime(0), timers: [timer.clone(), timer.clone(), timer] }
    }

    fn enabled(&self) -> bool {
        self.config & ENABLE != 0
    }

    /// Ticks since `at`.
    fn ticks(&self, now: VTime) -> u64 {
        if self.enabled() { (now - self.at) / TICK } else { 0 }
    }

    fn counter(&self, now: VTime) -> u64 {
        self.count.wrapping_add(self.ticks(now))
    }

    /// Makes the counter show `count` now.
    fn set_counter(&mut self, count: u64, now: VTime) {
        (self.count, self.at) = (count, now);
    }
}

/// The chip.
pub struct Hpet {
    clock: Clock,
    gate: Arc<LegacyGate>,
    /// Comparators 0 and 1 at the gate.
    legacy: [Wire; 2],
    /// For each comparator the inputs of the I/O APIC that it can drive.
    routes: Vec<Vec<(u32, Wire)>>,
    capable: u32,
    timers: Vec<Timer>,
    state: State,
}

impl Hpet {
    /// Bytes of its register file.
    pub const LEN: u64 = 0x400;
    /// Where PCs have it.
    pub const ADDRESS: u64 = 0xfed0_0000;

    /// An HPET whose comparators can drive the I/O APIC's inputs in `capable` (bit n: input n): `route` makes a wire
    /// to one. QEMU's boards have inputs 2 on `pc`, and 2, 8 and 16 to 23 on `q35`.
    pub fn new(clock: Clock, gate: Arc<LegacyGate>, capable: u32, route: impl Fn(u32) -> Wire) -> Hpet {
        let wires = || (0..32).filter(|pin| capable >> pin & 1 != 0).map(|pin| (pin, route(pin))).collect();
        let legacy = [2, 3].map(|line| Wire::new("hpet legacy", gate.clone(), line));
        Hpet {
            timers: (0..TIMERS_COUNT).map(|n| clock.timer(format!("hpet {n}"))).collect(),
            routes: (0..TIMERS_COUNT).map(|_| wires()).collect(),
            clock,
            gate,
            legacy,
            capable,
            state: State::power_on(),
        }
    }

    /// Works out when comparator `n` matches next, and sets the host's timer.
    fn schedule(&mut self, n: usize, now: VTime) {
        let (ticks, counter) = (self.state.ticks(now), self.state.counter(now));
        let (enabled, at) = (self.state.enabled(), self.state.at);
        let Some(timer) = self.state.timers.get_mut(n) else { return };
        let left = timer.value.wrapping_sub(counter) & timer.mask();
        let due =
            ticks.checked_add(left).and_then(|t| t.checked_mul(TICK)).and_then(|ns| at.0.checked_add(ns));
        timer.due = due.map(VTime).filter(|_| enabled);
        self.arm(n, VTime(0));
    }

    fn arm(&self, n: usize, earliest: VTime) {
        if let (Some(timer), Some(host)) = (self.state.timers.get(n), self.timers.get(n)) {
            match timer.due {
                Some(due) => host.set(due.max(earliest)),
                None => host.cancel(),
            }
        }
    }

    /// Does what comparator `n` is due for.
    fn settle(&mut self, n: usize, now: VTime) {
        let counter = self.state.counter(now);
        let Some(timer) = self.state.timers.get_mut(n) else { return };
        let Some(due) = timer.due.filter(|due| *due <= now) else { return };
        if timer.periodic() && timer.period & timer.mask() != 0 {
            // What was missed counts as one interrupt.
            let behind = counter.wrapping_sub(timer.value) & timer.mask();
            let periods = behind / timer.period + 1;
            timer.value = timer.value.wrapping_add(periods.wrapping_mul(timer.period)) & timer.mask();
            timer.due = Some(due + periods.saturating_mul(timer.period).saturating_mul(TICK));
        } else {
            // The next match is a whole turn of the counter away: 43 s, or never.
            let turn = timer.mask().checked_add(1).map(|ticks| ticks * TICK);
            timer.due = turn.map(|turn| due + ((now - due) / turn * turn).saturating_add(turn));
        }
        if timer.config & LEVEL != 0 {
            self.state.status |= 1 << n;
            self.update();
        } else if let Some(wire) = self.output(n) {
            wire.pulse();
        }
    }

    fn settle_all(&mut self, now: VTime) {
        (0..TIMERS_COUNT).for_each(|n| self.settle(n, now));
    }

    fn schedule_all(&mut self, now: VTime) {
        (0..TIMERS_COUNT).for_each(|n| self.schedule(n, now));
    }

    /// The wire that comparator `n` drives; none while it may not interrupt, or is routed nowhere.
    fn output(&self, n: usize) -> Option<&Wire> {
        let timer = self.state.timers.get(n)?;
        if !self.state.enabled() || timer.config & INTERRUPT == 0 {
            return None;
        }
        match self.legacy.get(n) {
            Some(legacy) if self.state.config & LEGACY != 0 => Some(legacy),
            _ => self.routes.get(n)?.iter().find(|(pin, _)| *pin == timer.route()).map(|(_, wire)| wire),
        }
    }

    /// Drives the lines of level-triggered comparators, and the gate.
    fn update(&mut self) {
        let replaced = self.state.config & LEGACY != 0;
        self.gate.change(|inputs| inputs.replaced = replaced);
        for n in 0..TIMERS_COUNT {
            let up = self.state.status >> n & 1 != 0;
            let chosen = self.output(n).filter(|_| up).cloned();
            let wires = self.legacy.get(n).into_iter();
            let wires = wires.chain(self.routes.get(n).into_iter().flatten().map(|(_, wire)| wire));
            wires.filter(|_| chosen.is_none()).for_each(Wire::clear);
            if let Some(wire) = chosen {
                wire.assert();
            }
        }
    }

    fn read64(&self, reg: u64) -> BusResult<u64> {
        let s = &self.state;
        Ok(match reg {
            CAPABILITIES => PERIOD_FS << 32 | u64::from(ID),
            CONFIG => s.config,
            STATUS => s.status,
            COUNTER => s.counter(self.clock.now()),
            _ => {
                let (n, field) = timer_register(reg).ok_or(BusError::NoRegister)?;
                let timer = s.timers.get(n).ok_or(BusError::NoRegister)?;
                match field {
                    TN_CONFIG => u64::from(self.capable) << 32 | TN_CAPABILITIES | timer.config,
                    TN_COMPARATOR => timer.value,
                    TN_FSB => 0,
                    _ => return Err(BusError::NoRegister),
                }
            }
        })
    }

    /// Writes the bits in `mask` of a register.
    fn write64(&mut self, reg: u64, value: u64, mask: u64) -> BusResult<()> {
        let now = self.clock.now();
        self.settle_all(now);
        match reg {
            CAPABILITIES => {}
            CONFIG => {
                let counter = self.state.counter(now);
                self.state.config = (self.state.config & !mask | value) & (ENABLE | LEGACY);
                self.state.set_counter(counter, now);
                self.schedule_all(now);
            }
            STATUS => self.state.status &= !value,
            COUNTER => {
                let counter = self.state.counter(now) & !mask | value;
                self.state.set_counter(counter, now);
                self.schedule_all(now);
            }
            _ => {
                let (n, field) = timer_register(reg).ok_or(BusError::NoRegister)?;
                let timer = self.state.timers.get_mut(n).ok_or(BusError::NoRegister)?;
                match field {
                    TN_CONFIG => {
                        let mut config = (timer.config & !mask | value) & WRITABLE;
                        let route = (config & ROUTE) >> ROUTE_SHIFT;
                        // Zero is what it was before anybody chose.
                        if route != 0 && self.capable >> route & 1 == 0 {
                            config = config & !ROUTE | timer.config & ROUTE;
                        }
                        timer.config = config;
                        timer.value &= timer.mask();
                        // A line that is not level triggered has no status.
                        if config & LEVEL == 0 {
                            self.state.status &= !(1 << n);
                        }
                    }
                    TN_COMPARATOR => timer.write_value(value, mask),
                    TN_FSB => return Err(BusError::Unimplemented),
                    _ => return Err(BusError::NoRegister),
                }
                self.schedule(n, now);
            }
        }
        self.update();
        Ok(())
    }
}

impl Comparator {
    /// A periodic comparator takes its period, and with the value-set bit its value as well.
    fn write_value(&mut self, value: u64, mask: u64) {
        let merge = |old: u64, keep: u64| (old & !mask | value) & keep;
        let width = self.mask();
        if !self.periodic() || self.config & VALUE_SET != 0 {
            self.value = merge(self.value, width);
        }
        if self.periodic() {
            self.period = merge(self.period, width);
        }
        // The low half of 64 bits leaves the bit for the high half.
        if mask >> 63 != 0 || self.config & NARROW != 0 {
            self.config &= !VALUE_SET;
        }
    }
}

/// The comparator and the offset in its registers.
fn timer_register(reg: u64) -> Option<(usize, u64)> {
    let offset = reg.checked_sub(TIMERS)?;
    Some(((offset / TIMER_LEN) as usize, offset % TIMER_LEN))
}

/// Shift and mask of an access inside its 64-bit register.
fn part(reg: u64, size: Size) -> BusResult<(u32, u64)> {
    match (size, reg & 7) {
        (Size::B8, 0) => Ok((0, u64::MAX)),
        (Size::B4, 0) => Ok((0, 0xffff_ffff)),
        (Size::B4, 4) => Ok((32, 0xffff_ffff << 32)),
        (Size::B4 | Size::B8, _) => Err(BusError::Unaligned),
        _ => Err(BusError::BadSize),
    }
}

impl Io for Hpet {
    fn read(&mut self, reg: u64, size: Size, _: Initiator) -> BusResult<u64> {
        let (shift, _) = part(reg, size)?;
        Ok(self.read64(reg & !7)? >> shift & size.mask())
    }

    fn write(&mut self, reg: u64, size: Size, value: u64, _: Initiator) -> BusResult<()> {
        let (shift, mask) = part(reg, size)?;
        self.write64(reg & !7, value << shift & mask, mask)
    }
}

impl Timed for Hpet {
    fn timers(&self) -> Vec<Timer> {
        self.timers.clone()
    }

    fn expired(&mut self, timer: usize, now: VTime) {
        self.settle(timer, now);
        self.arm(timer, now + SHORTEST);
    }
}

impl Device for Hpet {
    fn name(&self) -> &'static str {
        "hpet"
    }

    fn reset(&mut self) {
        self.state = State::power_on();
        self.timers.iter().for_each(Timer::cancel);
        self.update();
    }

    fn save(&self) -> Result<Vec<u8>, StateError> {
        snapshot::save(&self.state)
    }

    fn load(&mut self, saved: &[u8]) -> Result<(), StateError> {
        self.state = snapshot::load(saved)?;
        (0..TIMERS_COUNT).for_each(|n| self.arm(n, VTime(0)));
        self.update();
        Ok(())
    }

    fn io(&mut self) -> Option<&mut dyn Io> {
        Some(self)
    }

    fn timed(&mut self) -> Option<&mut dyn Timed> {
        Some(self)
    }
}

#[cfg(test)]
mod tests;
