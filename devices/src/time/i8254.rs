//! 8254 programmable interval timer, and port 61h, which gates its channel 2 and shows what it does.
//!
//! After Intel's 8254 data sheet (231164-005); port 61h after the PIIX3 data sheet (290550-002). Channels follow
//! virtual time and are worked out when somebody looks; a deadline is set for channel 0 alone, whose output is the
//! interrupt. Ticks that the host was late for are not lost: the interrupt's edges come after, faster than the period,
//! so that a guest that counts them keeps its time.
//!
//! Left out on purpose: NMI sources of port 61h, the sound itself ([`I8254::tone`] says what would be heard).

use crate::bus::clock::{Clock, Timer, VTime};
use crate::bus::device::{BusError, BusResult, Device, Initiator, Io, Size, Timed};
use crate::bus::irq::Wire;
use crate::bus::snapshot::{self, StateError, require};
use serde::{Deserialize, Serialize};

mod channel;
#[cfg(test)]
mod tests;

use channel::Channel;

/// Input clock of a PC's timer, Hz.
pub const FREQUENCY: u64 = 1_193_182;

/// Port 61h.
mod spec {
    pub const PORT_B: u64 = 4;
    pub const GATE2: u8 = 1 << 0;
    pub const SPEAKER: u8 = 1 << 1;
    pub const REFRESH: u8 = 1 << 4;
    pub const OUT2: u8 = 1 << 5;
    /// Channel of a control word that is a read-back command.
    pub const READ_BACK: u8 = 3;
    /// Ticks between refresh cycles of memory: 15 microseconds.
    pub const REFRESH_TICKS: u64 = 18;
}
use spec::*;

/// Most edges that wait to be made up for: what a guest misses beyond is lost.
const MAX_OWED: u64 = 1000;

/// Least nanoseconds between two edges of a periodic interrupt, whatever count the guest writes.
const MIN_GAP: u64 = 20_000;

/// Number of the input clock's tick that `now` is in.
fn tick(now: VTime) -> u64 {
    (u128::from(now.0) * u128::from(FREQUENCY) / u128::from(VTime::SECOND)) as u64
}

/// When tick `n` begins.
fn moment(n: u64) -> VTime {
    let ns = (u128::from(n) * u128::from(VTime::SECOND)).div_ceil(FREQUENCY.into());
    VTime(u64::try_from(ns).unwrap_or(u64::MAX))
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct State {
    channels: [Channel; 3],
    /// Bits 0 to 3 of port 61h, as written.
    port_b: u8,
    /// Tick up to which channel 0's edges were seen.
    seen: u64,
    /// Rising edges of channel 0 that are still to be shown.
    owed: u64,
    /// When the next of them is shown.
    catch_up: Option<VTime>,
    /// Somebody else makes the timer interrupt.
    replaced: bool,
}

/// The timer, with one interrupt output. Registers 0 to 3 are ports 40h to 43h, register 4 is port 61h.
pub struct I8254 {
    irq: Wire,
    clock: Clock,
    timer: Timer,
    state: State,
}

impl I8254 {
    /// Register offset of port 61h.
    pub const PORT_B: u64 = spec::PORT_B;
    /// Bytes of its register file.
    pub const LEN: u64 = 5;

    /// A timer that drives `irq` from channel 0.
    pub fn new(irq: Wire, clock: Clock) -> I8254 {
        let timer = clock.timer("i8254 channel 0");
        let mut chip = I8254 { irq, clock, timer, state: State::power_on() };
        chip.update();
        chip
    }

    /// Takes the interrupt away from channel 0, or gives it back: an HPET in legacy mode makes it instead.
    pub fn set_replaced(&mut self, replaced: bool) {
        self.state.replaced = replaced;
        self.state.owed = 0;
        self.state.catch_up = None;
        self.state.seen = tick(self.clock.now());
        self.update();
    }

    /// Frequency of the tone that the speaker makes, Hz, if it makes one.
    pub fn tone(&self) -> Option<u64> {
        let on = self.state.port_b & (GATE2 | SPEAKER) == GATE2 | SPEAKER;
        on.then(|| self.state.channels[2].frequency())?
    }

    fn update(&mut self) {
        let State { channels: [zero, ..], seen, replaced, .. } = &self.state;
        let now = tick(self.clock.now());
        let level = zero.out(now) && !replaced;
        // While edges are owed the line follows them, not the channel.
        let deadline = match self.state.catch_up {
            Some(at) => Some(at),
            None => {
                self.irq.set(level);
                // Edges closer together than this are made up for.
                let soonest = self.clock.now() + if zero.period() != 0 { MIN_GAP } else { 0 };
                zero.next_edge((*seen).max(now)).filter(|_| !replaced).map(|n| moment(n).max(soonest))
            }
        };
        match deadline {
            Some(at) => self.timer.set(at),
            None => self.timer.cancel(),
        }
    }

    /// Forgets what channel 0 did so far, before the guest changes it.
    fn sync(&mut self) {
        let now = tick(self.clock.now());
        self.state.seen = now;
        self.state.owed = 0;
        self.state.catch_up = None;
    }

    fn write_control(&mut self, value: u8, now: u64) {
        let select = value >> 6;
        if select != READ_BACK {
            if let Some(channel) = self.state.channels.get_mut(usize::from(select)) {
                channel.control(value & 0x3f, now);
            }
            return;
        }
        // The read-back command: both latches are active low.
        for (n, channel) in (0u8..).zip(&mut self.state.channels) {
            if value & 2 << n != 0 {
                if value & 1 << 5 == 0 {
                    channel.latch_count(now);
                }
                if value & 1 << 4 == 0 {
                    channel.latch_status(now);
                }
            }
        }
    }

    fn port_b(&self, now: u64) -> u8 {
        let refresh = if (now / REFRESH_TICKS) & 1 != 0 { REFRESH } else { 0 };
        let out = if self.state.channels[2].out(now) { OUT2 } else { 0 };
        self.state.port_b | refresh | out
    }
}

impl State {
    fn power_on() -> State {
        State {
            channels: [Channel::power_on(true), Channel::power_on(true), Channel::power_on(false)],
            port_b: 0,
            seen: 0,
            owed: 0,
            catch_up: None,
            replaced: false,
        }
    }
}

impl Io for I8254 {
    fn read(&mut self, reg: u64, size: Size, _: Initiator) -> BusResult<u64> {
        if size != Size::B1 {
            return Err(BusError::BadSize);
        }
        let now = tick(self.clock.now());
        match reg {
            0..=2 => Ok(self.state.channels[reg as usize].read(now).into()),
            PORT_B => Ok(self.port_b(now).into()),
            _ => Err(BusError::NoRegister),
        }
    }

    fn write(&mut self, reg: u64, size: Size, value: u64, _: Initiator) -> BusResult<()> {
        if size != Size::B1 {
            return Err(BusError::BadSize);
        }
        let now = tick(self.clock.now());
        let byte = value as u8;
        match reg {
            0..=2 => self.state.channels[reg as usize].write(byte, now),
            3 => self.write_control(byte, now),
            PORT_B => {
                self.state.port_b = byte & 0xf;
                self.state.channels[2].set_gate(byte & GATE2 != 0, now);
            }
            _ => return Err(BusError::NoRegister),
        }
        // Looking at a channel, or using another one, leaves the edges of channel 0 alone.
        if reg == 0 || reg == 3 && byte >> 6 == 0 && byte & 0x30 != 0 {
            self.sync();
            self.update();
        }
        Ok(())
    }
}

impl Timed for I8254 {
    fn timers(&self) -> Vec<Timer> {
        vec![self.timer.clone()]
    }

    fn expired(&mut self, _: usize, now: VTime) {
        let at = tick(now);
        let zero = &self.state.channels[0];
        let edges = if self.state.replaced { 0 } else { zero.rising_edges(self.state.seen, at) };
        self.state.seen = self.state.seen.max(at);
        self.state.owed = self.state.owed.saturating_add(edges).min(MAX_OWED);
        let due = self.state.catch_up.is_none_or(|t| t <= now);
        if self.state.owed != 0 && due {
            self.irq.clear();
            self.irq.assert();
            self.state.owed -= 1;
        }
        if due {
            // A quarter of the period between edges lets the guest take each, and soon be where it should.
            let gap = moment(self.state.channels[0].period()).0 / 4;
            self.state.catch_up = (self.state.owed != 0).then(|| now + gap.max(MIN_GAP));
        }
        self.update();
    }
}

impl Device for I8254 {
    fn name(&self) -> &'static str {
        "isa-pit"
    }

    fn reset(&mut self) {
        self.state = State::power_on();
        self.update();
    }

    fn save(&self) -> Result<Vec<u8>, StateError> {
        snapshot::save(&self.state)
    }

    fn load(&mut self, saved: &[u8]) -> Result<(), StateError> {
        let state: State = snapshot::load(saved)?;
        require(state.channels.iter().all(Channel::is_valid), "a count or a mode")?;
        require(state.owed <= MAX_OWED && state.port_b < 16, "edges or bits")?;
        self.state = state;
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
