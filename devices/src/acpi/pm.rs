//! ACPI's PM1 and GPE0 blocks, and the PM timer.
//!
//! After the ACPI specification 6.5, 4.8.3 and 4.8.4. Left out on purpose: the sleep button and the global lock, which
//! hold what is written; waking from S1 to S4.

use crate::bus::clock::{Clock, Timer, VTime};
use crate::bus::irq::Wire;
use crate::bus::snapshot::{StateError, require};
use serde::{Deserialize, Serialize};

/// PM1_STS and PM1_EN (4.8.3.1).
pub mod pm1 {
    /// The timer's most significant bit changed.
    pub const TMR: u16 = 1;
    /// The BIOS released the global lock.
    pub const GBL: u16 = 1 << 5;
    /// The power button was pressed.
    pub const PWRBTN: u16 = 1 << 8;
    /// The sleep button was pressed.
    pub const SLPBTN: u16 = 1 << 9;
    /// The real-time clock's alarm.
    pub const RTC: u16 = 1 << 10;
    /// The machine woke.
    pub const WAK: u16 = 1 << 15;
}

/// PM1_CNT: ACPI events raise the SCI.
const SCI_EN: u16 = 1;
/// PM1_CNT: sleep type and go.
const SLP_TYP_SHIFT: u32 = 10;
const SLP_EN: u16 = 1 << 13;
/// Sleep types, as QEMU's \_S5, \_S3 and \_S4 name them.
const S5: u16 = 0;
const S3: u16 = 1;
const S4: u16 = 2;

/// Frequency of the PM timer, Hz (4.8.3.3).
pub const TIMER_HZ: u64 = 3_579_545;
/// Bits of the timer.
const TIMER_MASK: u64 = 0xFF_FFFF;
/// Ticks after which its most significant bit changes.
const HALF: u64 = 0x80_0000;
/// Bytes of status, and of enable, bits of GPE0.
const GPE_BYTES: usize = 8;

/// What the board does when the guest asks for it; each is pulsed.
#[derive(Clone)]
pub struct PowerWires {
    /// Switches the machine off (S5, S4).
    pub off: Wire,
    /// Suspends it to RAM (S3).
    pub suspend: Wire,
}

impl PowerWires {
    /// Wires that end nowhere.
    pub fn open() -> PowerWires {
        PowerWires { off: Wire::open(), suspend: Wire::open() }
    }
}

#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    status: u16,
    enable: u16,
    control: u16,
    gpe_status: [u8; GPE_BYTES],
    gpe_enable: [u8; GPE_BYTES],
    /// Tick at which TMR is set next.
    overflow: u64,
}

impl State {
    fn power_on() -> State {
        State { overflow: HALF, ..State::default() }
    }
}

/// The fixed hardware.
pub struct Pm {
    clock: Clock,
    timer: Timer,
    sci: Wire,
    power: PowerWires,
    gpe_bytes: usize,
    state: State,
}

impl Pm {
    /// A block with `gpe_bytes` bytes (at most 8) of GPE0 status, and as many of enable bits.
    pub fn new(clock: Clock, sci: Wire, power: PowerWires, gpe_bytes: usize) -> Pm {
        let timer = clock.timer("acpi pm");
        Pm { clock, timer, sci, power, gpe_bytes: gpe_bytes.min(GPE_BYTES), state: State::power_on() }
    }

    /// Ticks since power-on.
    fn ticks(&self) -> u64 {
        (u128::from(self.clock.now().0) * u128::from(TIMER_HZ) / u128::from(VTime::SECOND)) as u64
    }

    /// PM_TMR.
    pub fn timer(&self) -> u32 {
        (self.ticks() & TIMER_MASK) as u32
    }

    /// PM1_STS.
    pub fn status(&mut self) -> u16 {
        self.look();
        self.state.status
    }

    /// PM1_EN.
    pub fn enable(&self) -> u16 {
        self.state.enable
    }

    /// PM1_CNT.
    pub fn control(&self) -> u16 {
        self.state.control
    }

    /// Writes PM1_STS: ones clear.
    pub fn clear_status(&mut self, bits: u16) {
        self.look();
        if bits & self.state.status & pm1::TMR != 0 {
            self.state.overflow = (self.ticks() / HALF).saturating_add(1) * HALF;
        }
        self.state.status &= !bits;
        self.update();
    }

    /// Writes PM1_EN.
    pub fn set_enable(&mut self, bits: u16) {
        self.state.enable = bits;
        self.update();
    }

    /// Writes PM1_CNT; SLP_EN puts the machine to sleep and reads as zero.
    pub fn set_control(&mut self, value: u16) {
        self.state.control = value & !SLP_EN;
        if value & SLP_EN != 0 {
            match value >> SLP_TYP_SHIFT & 7 {
                S5 | S4 => self.power.off.pulse(),
                S3 => self.power.suspend.pulse(),
                _ => {}
            }
        }
        self.update();
    }

    /// Whether ACPI or the BIOS has the hardware (4.8.2.5).
    pub fn set_acpi(&mut self, on: bool) {
        self.state.control = self.state.control & !SCI_EN | u16::from(on);
        self.update();
    }

    /// Byte `at` of the GPE0 block: status bytes, then enable bytes.
    pub fn gpe(&self, at: usize) -> u8 {
        let (bytes, at) = match at.checked_sub(self.gpe_bytes) {
            None => (&self.state.gpe_status, at),
            Some(at) => (&self.state.gpe_enable, at),
        };
        bytes.get(..self.gpe_bytes).and_then(|b| b.get(at)).copied().unwrap_or(0)
    }

    /// Writes byte `at` of the GPE0 block.
    pub fn set_gpe(&mut self, at: usize, value: u8) {
        let own = self.gpe_bytes;
        let (status, enable) = (&mut self.state.gpe_status, &mut self.state.gpe_enable);
        match at.checked_sub(own) {
            None => status.get_mut(at).into_iter().for_each(|bits| *bits &= !value),
            Some(at) => {
                enable.get_mut(..own).and_then(|b| b.get_mut(at)).into_iter().for_each(|b| *b = value)
            }
        }
        self.update();
    }

    /// General purpose event `event` happened.
    pub fn raise_gpe(&mut self, event: usize) {
        if event / 8 < self.gpe_bytes
            && let Some(byte) = self.state.gpe_status.get_mut(event / 8)
        {
            *byte |= 1 << (event % 8);
        }
        self.update();
    }

    /// Somebody pressed the power button.
    pub fn press_power_button(&mut self) {
        self.state.status |= pm1::PWRBTN;
        self.update();
    }

    /// The timer of the block, for its owner's list.
    pub fn deadline(&self) -> Timer {
        self.timer.clone()
    }

    /// The PM timer may have overflowed.
    pub fn expired(&mut self) {
        self.update();
    }

    /// Power-on state.
    pub fn reset(&mut self) {
        // The timer counts on; its next overflow is not in the state of a machine that was just switched on.
        self.state = State::power_on();
        self.update();
    }

    pub(crate) fn saved(&self) -> State {
        self.state.clone()
    }

    pub(crate) fn check(&self, state: &State) -> Result<(), StateError> {
        let unused = |bytes: &[u8; GPE_BYTES]| bytes.iter().skip(self.gpe_bytes).any(|&b| b != 0);
        require(!unused(&state.gpe_status) && !unused(&state.gpe_enable), "it has more events")
    }

    pub(crate) fn load(&mut self, state: State) {
        self.state = state;
        self.update();
    }

    /// Sets TMR if the timer passed its half or its end.
    fn look(&mut self) {
        if self.ticks() >= self.state.overflow {
            self.state.status |= pm1::TMR;
        }
    }

    /// Drives the SCI and arms the timer.
    fn update(&mut self) {
        self.look();
        let s = &self.state;
        const SOURCES: u16 = pm1::TMR | pm1::GBL | pm1::PWRBTN | pm1::SLPBTN | pm1::RTC;
        let events = s.gpe_status.iter().zip(&s.gpe_enable).any(|(status, enable)| status & enable != 0);
        let fixed = s.status & s.enable & SOURCES != 0;
        self.sci.set(s.control & SCI_EN != 0 && (fixed || events));
        if s.enable & pm1::TMR != 0 && s.status & pm1::TMR == 0 {
            // Rounded up, so that the tick has come when the timer fires.
            let ns = u128::from(s.overflow) * u128::from(VTime::SECOND);
            self.timer.set(VTime(ns.div_ceil(u128::from(TIMER_HZ)) as u64));
        } else {
            self.timer.cancel();
        }
    }
}

/// Power management registers are little-endian bytes, whatever the width of the access: reads `len` bytes from `at`
/// with `byte`.
pub(crate) fn bytes(at: u64, len: u64, mut byte: impl FnMut(u64) -> u8) -> u64 {
    (0..len).fold(0, |value, i| value | u64::from(byte(at.wrapping_add(i))) << (8 * i))
}
