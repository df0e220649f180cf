//! A push button on a GPIO pin: what a `gpio-keys` node of a device tree describes.

use crate::bus::clock::{Clock, Timer, VTime};
use crate::bus::device::{Device, Timed};
use crate::bus::irq::Wire;
use crate::bus::snapshot::{self, StateError};
use serde::{Deserialize, Serialize};

/// How long a press lasts, in nanoseconds.
const PRESS: u64 = 100_000_000;

#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
struct State {
    /// When the button is let go.
    until: Option<VTime>,
}

/// The button: its wire is high while it is down.
pub struct Button {
    pin: Wire,
    clock: Clock,
    release: Timer,
    state: State,
}

impl Button {
    /// A button that drives `pin`.
    pub fn new(pin: Wire, clock: Clock) -> Button {
        let release = clock.timer("button release");
        Button { pin, clock, release, state: State::default() }
    }

    /// Presses the button for 100 ms of virtual time.
    pub fn press(&mut self) {
        self.state.until = Some(self.clock.now() + PRESS);
        self.update();
    }

    fn update(&mut self) {
        self.pin.set(self.state.until.is_some());
        match self.state.until {
            Some(at) => self.release.set(at),
            None => self.release.cancel(),
        }
    }
}

impl Timed for Button {
    fn timers(&self) -> Vec<Timer> {
        vec![self.release.clone()]
    }

    fn expired(&mut self, _: usize, now: VTime) {
        if self.state.until.is_some_and(|at| at <= now) {
            self.reset();
        }
    }
}

impl Device for Button {
    fn name(&self) -> &'static str {
        "gpio-button"
    }

    fn reset(&mut self) {
        self.state = State::default();
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

    fn timed(&mut self) -> Option<&mut dyn Timed> {
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::conformance;
    use crate::bus::device::{Initiator, Size, Socket, share};
    use crate::gpio::pl061::Pl061;

    #[test]
    fn conforms() {
        conformance::check(|| Button::new(Wire::open(), Clock::stepped()), 0);
    }

    #[test]
    fn a_press_reaches_the_interrupt_and_ends() {
        let (clock, irq) = (Clock::stepped(), Wire::open());
        let gpio = share(Pl061::new(irq.clone()));
        let button = share(Button::new(Wire::new("power button", gpio.clone(), 3), clock.clone()));
        let w = |reg, value| gpio.write(reg, Size::B4, value, Initiator::Cpu(0)).unwrap();
        w(0x408, 1 << 3);
        w(0x410, 1 << 3);
        button.lock().press();
        assert!(irq.level());
        assert_eq!(gpio.read(0x3fc, Size::B4, Initiator::Cpu(0)), Ok(8));
        w(0x41c, 1 << 3);
        clock.advance_to(VTime(PRESS));
        clock.run_expired(clock.now());
        assert!(irq.level(), "letting go is an edge too");
        assert_eq!(gpio.read(0x3fc, Size::B4, Initiator::Cpu(0)), Ok(0));
    }
}
