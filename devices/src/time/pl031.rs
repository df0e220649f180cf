//! PL031, Arm's PrimeCell real-time clock: seconds, and one alarm.
//!
//! After DDI 0224C. The counter runs from power on: RTCCR reads as one and cannot be cleared, as on the hardware once
//! it was set. A reset brings back the time of day that the board gave.
//!
//! Left out on purpose: the test registers.

use crate::bus::clock::{Clock, Timer, VTime};
use crate::bus::device::{
    BusError, BusResult, Device, Initiator, Io, Size, Timed, primecell_id, word_access,
};
use crate::bus::irq::Wire;
use crate::bus::snapshot::{self, StateError};
use serde::{Deserialize, Serialize};

/// Registers, from the data sheet's chapter 3.
mod spec {
    pub const DR: u64 = 0x000;
    pub const MR: u64 = 0x004;
    pub const LR: u64 = 0x008;
    pub const CR: u64 = 0x00c;
    pub const IMSC: u64 = 0x010;
    pub const RIS: u64 = 0x014;
    pub const MIS: u64 = 0x018;
    pub const ICR: u64 = 0x01c;

    pub const PERIPHERAL_ID: [u8; 4] = [0x31, 0x10, 0x14, 0x00];
}
use spec::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct State {
    /// What the counter showed at virtual time 0.
    offset: u32,
    /// Counter value of the alarm.
    mr: u32,
    /// What was last loaded.
    lr: u32,
    /// When the alarm comes: set by writing the match register or the counter, gone once it came.
    alarm: Option<VTime>,
    imsc: bool,
    ris: bool,
}

/// The chip.
pub struct Pl031 {
    irq: Wire,
    clock: Clock,
    alarm: Timer,
    epoch: u32,
    state: State,
}

impl Pl031 {
    /// Bytes of its register file.
    pub const LEN: u64 = 0x1000;

    /// A clock that drives `irq` and showed `epoch`, in seconds since 1970, at virtual time 0.
    pub fn new(irq: Wire, clock: Clock, epoch: u32) -> Pl031 {
        let alarm = clock.timer("pl031 alarm");
        Pl031 { irq, alarm, clock, epoch, state: State::power_on(epoch) }
    }

    fn count(&self) -> u32 {
        self.state.offset.wrapping_add(self.clock.now().seconds() as u32)
    }

    /// Works out when the counter next reaches the match register.
    fn set_alarm(&mut self) {
        let now = self.clock.now();
        let ticks = self.state.mr.wrapping_sub(self.count());
        if ticks == 0 {
            self.state.alarm = None;
            self.state.ris = true;
        } else {
            let second = (now.seconds() + u64::from(ticks)).saturating_mul(VTime::SECOND);
            self.state.alarm = Some(VTime(second));
        }
    }

    fn update(&mut self) {
        match self.state.alarm {
            Some(at) => self.alarm.set(at),
            None => self.alarm.cancel(),
        }
        self.irq.set(self.state.ris && self.state.imsc);
    }
}

impl State {
    fn power_on(epoch: u32) -> State {
        State { offset: epoch, mr: 0, lr: 0, alarm: None, imsc: false, ris: false }
    }
}

impl Io for Pl031 {
    fn read(&mut self, reg: u64, size: Size, _: Initiator) -> BusResult<u64> {
        word_access(reg, size)?;
        let s = &self.state;
        Ok(match reg {
            DR => self.count().into(),
            MR => s.mr.into(),
            LR => s.lr.into(),
            CR => 1,
            IMSC => s.imsc.into(),
            RIS => s.ris.into(),
            MIS => (s.ris && s.imsc).into(),
            _ => return primecell_id(reg, PERIPHERAL_ID).ok_or(BusError::NoRegister),
        })
    }

    fn write(&mut self, reg: u64, size: Size, value: u64, _: Initiator) -> BusResult<()> {
        word_access(reg, size)?;
        let word = value as u32;
        match reg {
            MR => {
                self.state.mr = word;
                self.set_alarm();
            }
            LR => {
                self.state.lr = word;
                self.state.offset = self.state.offset.wrapping_add(word.wrapping_sub(self.count()));
                self.set_alarm();
            }
            CR => {}
            IMSC => self.state.imsc = word & 1 != 0,
            ICR => self.state.ris &= word & 1 == 0,
            _ => return Err(BusError::NoRegister),
        }
        self.update();
        Ok(())
    }
}

impl Timed for Pl031 {
    fn timers(&self) -> Vec<Timer> {
        vec![self.alarm.clone()]
    }

    fn expired(&mut self, _: usize, now: VTime) {
        if self.state.alarm.is_some_and(|at| at <= now) {
            self.state.alarm = None;
            self.state.ris = true;
            self.update();
        }
    }
}

impl Device for Pl031 {
    fn name(&self) -> &'static str {
        "pl031"
    }

    fn reset(&mut self) {
        self.state = State::power_on(self.epoch);
        self.update();
    }

    fn save(&self) -> Result<Vec<u8>, StateError> {
        snapshot::save(&self.state)
    }

    fn load(&mut self, saved: &[u8]) -> Result<(), StateError> {
        self.state = snapshot::load(saved)?;
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
mod tests {
    use super::*;
    use crate::bus::conformance;
    use crate::bus::device::{Socket, share};

    const CPU: Initiator = Initiator::Cpu(0);

    #[test]
    fn conforms() {
        conformance::check(|| Pl031::new(Wire::open(), Clock::stepped(), 1_700_000_000), Pl031::LEN);
    }

    #[test]
    fn counts_and_can_be_set() {
        let clock = Clock::stepped();
        let mut rtc = Pl031::new(Wire::open(), clock.clone(), 1_700_000_000);
        let dr = |rtc: &mut Pl031| rtc.read(DR, Size::B4, CPU).unwrap();
        clock.advance_to(VTime(2_900_000_000));
        assert_eq!(dr(&mut rtc), 1_700_000_002);
        rtc.write(LR, Size::B4, 100, CPU).unwrap();
        assert_eq!(dr(&mut rtc), 100);
        clock.advance_to(VTime(3_000_000_000));
        assert_eq!(dr(&mut rtc), 101);
        rtc.reset();
        assert_eq!(dr(&mut rtc), 1_700_000_003);
    }

    #[test]
    fn alarm_comes_at_its_second() {
        let (clock, irq) = (Clock::stepped(), Wire::open());
        let rtc = share(Pl031::new(irq.clone(), clock.clone(), 1000));
        clock.advance_to(VTime(500_000_000));
        rtc.write(IMSC, Size::B4, 1, CPU).unwrap();
        rtc.write(MR, Size::B4, 1003, CPU).unwrap();
        let saved = rtc.save().unwrap();
        assert_eq!(clock.next_deadline(), Some(VTime(3 * VTime::SECOND)));
        clock.advance_to(VTime(2_999_999_999));
        clock.run_expired(clock.now());
        assert!(!irq.level());
        clock.advance_to(VTime(3_000_000_000));
        clock.run_expired(clock.now());
        assert!(irq.level());
        assert_eq!(rtc.read(MIS, Size::B4, CPU), Ok(1));
        rtc.write(ICR, Size::B4, 1, CPU).unwrap();
        assert!(!irq.level());
        assert_eq!(clock.next_deadline(), None);
        rtc.load(&saved).unwrap();
        assert_eq!(clock.next_deadline(), Some(VTime(3 * VTime::SECOND)), "a loaded alarm is armed");
        rtc.write(MR, Size::B4, 1003, CPU).unwrap();
        assert!(irq.level(), "a match with the present second comes at once");
    }
}
