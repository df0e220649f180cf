//! MC146818 real-time clock with 128 bytes of CMOS memory, as a PC has it at ports 70h and 71h.
//!
//! After Motorola's MC146818A data sheet (1984); the century at 32h is a PC's. The time of day is worked out from
//! virtual time when somebody looks. Memory and time survive a reset, as a battery keeps them; the registers that the
//! chip's RESET pin clears are cleared. Periodic interrupts that the guest was late for come after, each once the one
//! before it has been acknowledged.
//!
//! Left out on purpose: daylight saving, the square-wave pin, dividers for other crystals than 32768 Hz.

use crate::bus::clock::{Clock, Timer, VTime};
use crate::bus::device::{BusError, BusResult, Device, Initiator, Io, Size, Timed};
use crate::bus::irq::Wire;
use crate::bus::snapshot::{self, StateError, require};
use serde::{Deserialize, Serialize};

mod calendar;
pub mod pc;
#[cfg(test)]
mod tests;

/// Registers and bits, from the data sheet's figures 10 and 14 to 17.
mod spec {
    pub const SECONDS: u8 = 0;
    pub const SECONDS_ALARM: u8 = 1;
    pub const MINUTES: u8 = 2;
    pub const MINUTES_ALARM: u8 = 3;
    pub const HOURS: u8 = 4;
    pub const HOURS_ALARM: u8 = 5;
    pub const DAY_OF_WEEK: u8 = 6;
    pub const DAY: u8 = 7;
    pub const MONTH: u8 = 8;
    pub const YEAR: u8 = 9;
    pub const A: u8 = 0xa;
    pub const B: u8 = 0xb;
    pub const C: u8 = 0xc;
    pub const D: u8 = 0xd;
    pub const CENTURY: u8 = 0x32;
    /// Where a PS/2 has it.
    pub const CENTURY_PS2: u8 = 0x37;

    pub const A_UIP: u8 = 1 << 7;
    /// Divider chain that runs, from 32768 Hz.
    pub const A_DV_RUN: u8 = 2;
    pub const B_DM: u8 = 1 << 2;
    pub const B_24: u8 = 1 << 1;
    pub const B_SQWE: u8 = 1 << 3;
    pub const B_UIE: u8 = 1 << 4;
    pub const B_AIE: u8 = 1 << 5;
    pub const B_PIE: u8 = 1 << 6;
    pub const B_SET: u8 = 1 << 7;
    pub const C_UF: u8 = 1 << 4;
    pub const C_AF: u8 = 1 << 5;
    pub const C_PF: u8 = 1 << 6;
    pub const C_IRQF: u8 = 1 << 7;
    pub const D_VRT: u8 = 1 << 7;

    /// How long before an update ends UIP is set: 244 us to it and 1984 us of it.
    pub const UPDATE_NS: u64 = 2_228_000;
    pub const CRYSTAL: u64 = 32_768;
}
use spec::*;

/// Bytes of memory, with the registers.
const BYTES: usize = 128;
/// Most periodic interrupts that wait to be made up for.
const MAX_OWED: u64 = 2048;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct State {
    index: u8,
    /// Registers and memory. The time is here only while it does not run.
    #[serde(with = "bytes")]
    cmos: [u8; BYTES],
    /// Time of day at `since`, in seconds since 1970.
    time: i64,
    since: VTime,
    /// Flags of register C, without IRQF.
    flags: u8,
    /// Moment up to which flags were worked out.
    seen: VTime,
    /// Start of the periodic interrupt's first period.
    periodic: VTime,
    owed: u64,
    /// When the next periodic interrupt that is owed comes.
    catch_up: Option<VTime>,
}

/// 128 bytes, which serde's arrays do not reach.
mod bytes {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    pub fn serialize<S: Serializer>(bytes: &[u8; super::BYTES], to: S) -> Result<S::Ok, S::Error> {
        bytes.as_slice().serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<[u8; super::BYTES], D::Error> {
        let bytes = Vec::<u8>::deserialize(from)?;
        <[u8; super::BYTES]>::try_from(bytes).map_err(|_| D::Error::custom("not 128 bytes"))
    }
}

/// The clock. Register 0 is port 70h, register 1 port 71h.
pub struct Mc146818 {
    irq: Wire,
    clock: Clock,
    timer: Timer,
    state: State,
}

impl Mc146818 {
    /// Bytes of its register file.
    pub const LEN: u64 = 2;

    /// A clock that drives `irq` and showed `epoch`, in seconds since 1970, at virtual time 0.
    pub fn new(irq: Wire, clock: Clock, epoch: i64) -> Mc146818 {
        let timer = clock.timer("mc146818");
        let mut cmos = [0; BYTES];
        cmos[usize::from(A)] = A_DV_RUN << 4 | 6;
        cmos[usize::from(B)] = B_24;
        let start = VTime(0);
        let state = State {
            index: 0,
            cmos,
            time: epoch,
            since: start,
            flags: 0,
            seen: start,
            periodic: start,
            owed: 0,
            catch_up: None,
        };
        Mc146818 { irq, clock, timer, state }
    }

    /// Sets a byte of memory, as a board does before the machine runs. Registers are left alone.
    pub fn set_cmos(&mut self, at: u8, value: u8) {
        if let Some(byte) = self.state.cmos.get_mut(usize::from(at)).filter(|_| at > D && at != CENTURY) {
            *byte = value;
        }
    }

    /// A byte of memory or a register, without side effects.
    pub fn cmos(&self, at: u8) -> u8 {
        self.state.cmos.get(usize::from(at)).copied().unwrap_or(0xff)
    }

    /// The time of day that it shows, in seconds since 1970.
    pub fn time(&self) -> i64 {
        self.state.time_at(self.clock.now())
    }

    fn update(&mut self) {
        self.irq.set(self.state.flags & self.state.reg(B) != 0);
        match self.state.next_event(self.clock.now()) {
            Some(at) => self.timer.set(at),
            None => self.timer.cancel(),
        }
    }

    fn read_data(&mut self) -> u8 {
        let now = self.clock.now();
        let s = &mut self.state;
        s.sync(now);
        match s.index {
            SECONDS | MINUTES | HOURS | DAY_OF_WEEK..=YEAR | CENTURY if s.runs() => {
                s.fields(now).get(s.index)
            }
            A => s.reg(A) | if s.updating(now) { A_UIP } else { 0 },
            C => {
                let flags = std::mem::take(&mut s.flags);
                let pending = flags & s.reg(B) != 0;
                if s.owed != 0 {
                    s.catch_up = Some(now + s.period().unwrap_or(0) / 4);
                }
                self.update();
                flags | if pending { C_IRQF } else { 0 }
            }
            D => D_VRT,
            index => s.reg(index),
        }
    }

    fn write_data(&mut self, value: u8) {
        let now = self.clock.now();
        let s = &mut self.state;
        s.sync(now);
        match s.index {
            SECONDS | MINUTES | HOURS | DAY_OF_WEEK..=YEAR | CENTURY => {
                let running = s.runs();
                if running {
                    s.stop(now);
                }
                s.set_reg(s.index, value);
                if running {
                    s.go(now);
                }
            }
            A => {
                let (old, runs) = (s.reg(A), s.divider());
                if runs {
                    s.freeze(now);
                }
                s.set_reg(A, value & !A_UIP);
                match (runs, s.divider()) {
                    // The first update comes half a second after the divider starts.
                    (false, true) => s.since = VTime(now.0.saturating_sub(VTime::SECOND / 2)),
                    (true, false) => s.time = s.time_at(now),
                    _ => {}
                }
                if (old ^ value) & 0x7f != 0 {
                    s.restart_periodic(now);
                }
            }
            B => {
                let runs = s.runs();
                let was = s.reg(B);
                if runs && value & B_SET != 0 {
                    s.stop(now);
                }
                // A set time is in the mode that is set with it.
                s.set_reg(B, if value & B_SET != 0 { value & !B_UIE } else { value });
                if was & B_SET != 0 && value & B_SET == 0 {
                    s.go(now);
                }
                if value & !was & B_PIE != 0 {
                    s.restart_periodic(now);
                }
            }
            C | D => {}
            index => s.set_reg(index, value),
        }
        self.update();
    }
}

impl State {
    fn reg(&self, index: u8) -> u8 {
        self.cmos.get(usize::from(index)).copied().unwrap_or(0xff)
    }

    fn set_reg(&mut self, index: u8, value: u8) {
        if let Some(byte) = self.cmos.get_mut(usize::from(index)) {
            *byte = value;
        }
    }

    /// Whether the divider chain runs.
    fn divider(&self) -> bool {
        self.reg(A) >> 4 & 7 <= A_DV_RUN
    }

    /// Whether the time registers are updated.
    fn runs(&self) -> bool {
        self.reg(B) & B_SET == 0
    }

    /// Seconds whose update has ended by `now`.
    fn seconds(&self, now: VTime) -> u64 {
        if self.divider() { (now - self.since) / VTime::SECOND } else { 0 }
    }

    fn time_at(&self, now: VTime) -> i64 {
        if self.runs() { self.time.saturating_add_unsigned(self.seconds(now)) } else { self.calendar_time() }
    }

    fn format(&self) -> calendar::Format {
        calendar::Format { binary: self.reg(B) & B_DM != 0, hours24: self.reg(B) & B_24 != 0 }
    }

    fn fields(&self, now: VTime) -> calendar::Fields {
        calendar::Fields::of(self.time_at(now), self.format())
    }

    /// The time that the registers hold.
    fn calendar_time(&self) -> i64 {
        calendar::Fields::from_registers(|index| self.reg(index)).time(self.format())
    }

    /// Writes the running time into the registers.
    fn stop(&mut self, now: VTime) {
        let fields = self.fields(now);
        for index in [SECONDS, MINUTES, HOURS, DAY_OF_WEEK, DAY, MONTH, YEAR, CENTURY] {
            self.set_reg(index, fields.get(index));
        }
    }

    /// Lets the time run on from the registers; seconds end when they did.
    fn go(&mut self, now: VTime) {
        self.time = self.calendar_time().saturating_sub_unsigned(self.seconds(now));
    }

    /// Makes the present second the first, before the divider changes.
    fn freeze(&mut self, now: VTime) {
        let whole = self.seconds(now);
        self.time = self.time.saturating_add_unsigned(whole);
        self.since = VTime(self.since.0.saturating_add(whole.saturating_mul(VTime::SECOND)));
    }

    fn updating(&self, now: VTime) -> bool {
        let into = (now - self.since) % VTime::SECOND;
        self.runs() && self.divider() && into >= VTime::SECOND - UPDATE_NS
    }

    /// Nanoseconds of the periodic interrupt's period, table 5.
    fn period(&self) -> Option<u64> {
        let shift = match self.reg(A) & 0xf {
            0 => return None,
            rate @ (1 | 2) => rate + 6,
            rate => rate - 1,
        };
        self.divider().then(|| (VTime::SECOND << shift) / CRYSTAL)
    }

    fn restart_periodic(&mut self, now: VTime) {
        (self.periodic, self.owed, self.catch_up) = (now, 0, None);
    }

    /// Seconds from the update that shows `time` to the next one that matches the alarm, at least 1.
    fn alarm_in(&self, time: i64) -> Option<u64> {
        let alarm = [HOURS_ALARM, MINUTES_ALARM, SECONDS_ALARM].map(|index| self.reg(index));
        calendar::alarm_in(time, alarm, self.format())
    }

    /// Works out what happened up to `now`.
    fn sync(&mut self, now: VTime) {
        let seen = std::mem::replace(&mut self.seen, now);
        if now <= seen {
            self.seen = seen;
            return;
        }
        let (before, after) = (self.seconds(seen), self.seconds(now));
        if self.runs() && after > before {
            self.flags |= C_UF;
            let shown = self.time.saturating_add_unsigned(before);
            if self.alarm_in(shown).is_some_and(|n| n <= after - before) {
                self.flags |= C_AF;
            }
        }
        let Some(period) = self.period() else { return };
        let periods = (now - self.periodic) / period - (seen.max(self.periodic) - self.periodic) / period;
        if periods == 0 {
            return;
        }
        if self.reg(B) & B_PIE != 0 {
            // One is shown at once unless there are others before it.
            let shown = u64::from(self.flags & C_PF == 0 && self.catch_up.is_none());
            self.owed = self.owed.saturating_add(periods - shown).min(MAX_OWED);
            if shown == 0 {
                return;
            }
        }
        self.flags |= C_PF;
    }

    /// When an interrupt is due that is enabled and not yet there.
    fn next_event(&self, now: VTime) -> Option<VTime> {
        let wants = self.reg(B) & !self.flags;
        let second = |n: u64| {
            let from = self.seconds(now).saturating_add(n);
            VTime(self.since.0.saturating_add(from.saturating_mul(VTime::SECOND)))
        };
        let ticks = self.runs() && self.divider();
        let update = (ticks && wants & B_UIE != 0).then(|| second(1));
        let alarm =
            (ticks && wants & B_AIE != 0).then(|| self.alarm_in(self.time_at(now)).map(second)).flatten();
        let periodic = if wants & B_PIE == 0 {
            None
        } else if self.catch_up.is_some() {
            self.catch_up
        } else {
            self.period().map(|p| self.periodic + ((now - self.periodic) / p + 1).saturating_mul(p))
        };
        [update, alarm, periodic].into_iter().flatten().min()
    }
}

impl Io for Mc146818 {
    fn read(&mut self, reg: u64, size: Size, _: Initiator) -> BusResult<u64> {
        match (reg, size) {
            (0, Size::B1) => Ok(0xff),
            (1, Size::B1) => Ok(self.read_data().into()),
            (0 | 1, _) => Err(BusError::BadSize),
            _ => Err(BusError::NoRegister),
        }
    }

    fn write(&mut self, reg: u64, size: Size, value: u64, _: Initiator) -> BusResult<()> {
        match (reg, size) {
            // Bit 7 masks the NMI.
            (0, Size::B1) => {
                let index = value as u8 & 0x7f;
                self.state.index = if index == CENTURY_PS2 { CENTURY } else { index };
            }
            (1, Size::B1) => self.write_data(value as u8),
            (0 | 1, _) => return Err(BusError::BadSize),
            _ => return Err(BusError::NoRegister),
        }
        Ok(())
    }
}

impl Timed for Mc146818 {
    fn timers(&self) -> Vec<Timer> {
        vec![self.timer.clone()]
    }

    fn expired(&mut self, _: usize, now: VTime) {
        let s = &mut self.state;
        s.sync(now);
        if s.catch_up.is_some_and(|at| at <= now) {
            s.catch_up = None;
            if s.owed != 0 {
                s.owed -= 1;
                s.flags |= C_PF;
            }
        }
        self.update();
    }
}

impl Device for Mc146818 {
    fn name(&self) -> &'static str {
        "mc146818rtc"
    }

    fn reset(&mut self) {
        let now = self.clock.now();
        let s = &mut self.state;
        s.sync(now);
        s.index = 0;
        s.flags = 0;
        s.set_reg(B, s.reg(B) & !(B_PIE | B_AIE | B_UIE | B_SQWE));
        s.restart_periodic(now);
        self.update();
    }

    fn save(&self) -> Result<Vec<u8>, StateError> {
        snapshot::save(&self.state)
    }

    fn load(&mut self, saved: &[u8]) -> Result<(), StateError> {
        let state: State = snapshot::load(saved)?;
        require(state.index < 128 && state.owed <= MAX_OWED, "an index or interrupts owed")?;
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
