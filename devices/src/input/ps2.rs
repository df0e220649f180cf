//! PS/2 keyboard and mouse: what they answer on their cables. The controller reads and writes bytes.
//!
//! After the IBM PS/2 hardware interface technical reference (1988), keyboard and mouse chapters; the wheel after
//! Microsoft's description of the IntelliMouse. A byte takes no time on the cable.
//!
//! Left out on purpose: typematic repeat (who types repeats), per-key settings of scan code set 3, the lights (which
//! are kept, see [`Keyboard::leds`]).

use super::keys::Key;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Answers and commands that both have.
const ACK: u8 = 0xfa;
const RESEND: u8 = 0xfe;
const RESET: u8 = 0xff;
const TEST_PASSED: u8 = 0xaa;
const SET_DEFAULTS: u8 = 0xf6;
const DISABLE: u8 = 0xf5;
const ENABLE: u8 = 0xf4;
const SET_RATE: u8 = 0xf3;
const IDENTIFY: u8 = 0xf2;

/// Bytes of answers that wait.
const REPLIES: usize = 16;
/// Bytes of keys that wait. The chip has 16; front ends type faster than people.
const KEYS: usize = 256;
/// Bytes of movements that wait.
const MOTION: usize = 16;

/// Bytes on their way to the controller: answers before events.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
struct Queue {
    replies: VecDeque<u8>,
    events: VecDeque<u8>,
    last: u8,
}

impl Queue {
    fn reply(&mut self, bytes: &[u8]) {
        if self.replies.len() + bytes.len() <= REPLIES {
            self.replies.extend(bytes);
        }
    }

    /// Takes an event in whole or not at all.
    fn event(&mut self, bytes: &[u8], capacity: usize) {
        if self.events.len() + bytes.len() <= capacity {
            self.events.extend(bytes);
        }
    }

    fn take(&mut self) -> Option<u8> {
        let byte = self.replies.pop_front().or_else(|| self.events.pop_front())?;
        self.last = byte;
        Some(byte)
    }

    fn is_valid(&self, capacity: usize) -> bool {
        self.replies.len() <= REPLIES && self.events.len() <= capacity
    }
}

/// The keyboard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Keyboard {
    queue: Queue,
    enabled: bool,
    set: u8,
    leds: u8,
    rate: u8,
    /// The command whose argument comes next.
    command: Option<u8>,
}

impl Keyboard {
    pub(super) fn power_on() -> Keyboard {
        Keyboard { queue: Queue::default(), enabled: true, set: 2, leds: 0, rate: 0x2b, command: None }
    }

    pub(super) fn is_valid(&self) -> bool {
        self.queue.is_valid(KEYS) && (1..=3).contains(&self.set)
    }

    /// The lights: bit 0 scroll lock, 1 num lock, 2 caps lock.
    pub(super) fn leds(&self) -> u8 {
        self.leds
    }

    pub(super) fn take(&mut self) -> Option<u8> {
        self.queue.take()
    }

    pub(super) fn key(&mut self, key: Key, down: bool) {
        if self.enabled {
            self.queue.event(&key.codes(self.set, down), KEYS);
        }
    }

    fn defaults(&mut self) {
        self.queue.events.clear();
        self.set = 2;
        self.rate = 0x2b;
    }

    pub(super) fn write(&mut self, byte: u8) {
        const LEDS: u8 = 0xed;
        const ECHO: u8 = 0xee;
        const SCAN_SET: u8 = 0xf0;
        if let Some(command) = self.command.take() {
            match (command, byte) {
                (LEDS, _) if byte < 8 => self.leds = byte,
                (SCAN_SET, 0) => {
                    self.queue.reply(&[ACK, self.set]);
                    return;
                }
                (SCAN_SET, 1..=3) => {
                    self.set = byte;
                    self.queue.events.clear();
                }
                (SCAN_SET, _) => {
                    self.queue.reply(&[RESEND]);
                    return;
                }
                (SET_RATE, _) => self.rate = byte,
                _ => {}
            }
            self.queue.reply(&[ACK]);
            return;
        }
        match byte {
            // 0 is what a probe of the interface sends.
            0 => self.queue.reply(&[ACK]),
            5 => self.queue.reply(&[RESEND]),
            LEDS | SCAN_SET | SET_RATE | 0xfb..=0xfd => {
                self.command = Some(byte);
                self.queue.reply(&[ACK]);
            }
            ECHO => self.queue.reply(&[ECHO]),
            IDENTIFY => self.queue.reply(&[ACK, 0xab, 0x83]),
            ENABLE => {
                self.queue.events.clear();
                self.enabled = true;
                self.queue.reply(&[ACK]);
            }
            DISABLE | SET_DEFAULTS => {
                self.defaults();
                self.enabled = byte == SET_DEFAULTS;
                self.queue.reply(&[ACK]);
            }
            0xf7..=0xfa => self.queue.reply(&[ACK]),
            RESEND => self.queue.reply(&[self.queue.last]),
            RESET => {
                *self = Keyboard::power_on();
                self.queue.reply(&[ACK, TEST_PASSED]);
            }
            _ => self.queue.reply(&[RESEND]),
        }
    }
}

/// The mouse, with a wheel for drivers that ask for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Mouse {
    queue: Queue,
    reporting: bool,
    remote: bool,
    wrap: bool,
    scaling: bool,
    resolution: u8,
    rate: u8,
    /// The last three rates, which knock for the wheel.
    knock: [u8; 3],
    /// 0 without wheel, 3 with, 4 with five buttons.
    id: u8,
    buttons: u8,
    motion: [i32; 3],
    /// Buttons changed, or the mouse moved, since the last report.
    dirty: bool,
    command: Option<u8>,
}

/// Movement that is kept at most, in either direction.
const FAR: i32 = 0x7fff;

impl Mouse {
    pub(super) fn power_on() -> Mouse {
        Mouse {
            queue: Queue::default(),
            reporting: false,
            remote: false,
            wrap: false,
            scaling: false,
            resolution: 2,
            rate: 100,
            knock: [0; 3],
            id: 0,
            buttons: 0,
            motion: [0; 3],
            dirty: false,
            command: None,
        }
    }

    pub(super) fn is_valid(&self) -> bool {
        self.queue.is_valid(MOTION) && self.motion.iter().all(|m| (-FAR..=FAR).contains(m))
    }

    pub(super) fn take(&mut self) -> Option<u8> {
        if self.queue.events.is_empty() && self.dirty && self.reporting && !self.remote {
            let report = self.report(self.scaling);
            self.queue.event(&report, MOTION);
        }
        self.queue.take()
    }

    pub(super) fn motion(&mut self, by: [i32; 3]) {
        for (sum, by) in self.motion.iter_mut().zip(by) {
            *sum = sum.saturating_add(by).clamp(-FAR, FAR);
        }
        self.dirty |= by != [0; 3];
    }

    pub(super) fn buttons(&mut self, down: u8) {
        self.dirty |= self.buttons != down & 7;
        self.buttons = down & 7;
    }

    /// One packet; movement beyond what it holds is left for the next.
    fn report(&mut self, scaled: bool) -> Vec<u8> {
        let [x, y, z] = self.motion;
        let (dx, dy, dz) = (x.clamp(-255, 255), y.clamp(-255, 255), z.clamp(-7, 7));
        let wheel = if self.id == 0 { z } else { dz };
        self.motion = [x - dx, y - dy, z - wheel];
        self.dirty = self.motion != [0; 3];
        // Two-to-one scaling stretches what is reported on its own; upwards is positive on the cable.
        let scale = |n: i32| match (scaled, n.abs()) {
            (false, _) | (true, 0 | 1) => n,
            (true, 2) => n.signum(),
            (true, 3) => 3 * n.signum(),
            (true, 4) => 6 * n.signum(),
            (true, 5) => 9 * n.signum(),
            (true, _) => (2 * n).clamp(-255, 255),
        };
        let (dx, dy) = (scale(dx), scale(-dy));
        let sign = |n: i32, bit: u8| if n < 0 { bit } else { 0 };
        let head = self.buttons | 0x08 | sign(dx, 0x10) | sign(dy, 0x20);
        let mut bytes = vec![head, dx as u8, dy as u8];
        match self.id {
            3 => bytes.push(dz as u8),
            4 => bytes.push(dz as u8 & 0xf),
            _ => {}
        }
        bytes
    }

    fn defaults(&mut self) {
        let old = std::mem::replace(self, Mouse::power_on());
        (self.queue.replies, self.id, self.buttons) = (old.queue.replies, old.id, old.buttons);
    }

    fn argument(&mut self, command: u8, byte: u8) {
        if command == SET_RATE {
            self.rate = byte;
            self.knock = [self.knock[1], self.knock[2], byte];
            match self.knock {
                [200, 100, 80] => self.id = 3,
                [200, 200, 80] => self.id = 4,
                _ => {}
            }
        } else {
            self.resolution = byte & 3;
        }
        self.queue.reply(&[ACK]);
    }

    pub(super) fn write(&mut self, byte: u8) {
        const RESOLUTION: u8 = 0xe8;
        const WRAP_OFF: u8 = 0xec;
        if let Some(command) = self.command.take() {
            self.argument(command, byte);
            return;
        }
        if self.wrap && byte != WRAP_OFF && byte != RESET {
            self.queue.reply(&[byte]);
            return;
        }
        match byte {
            0xe6 | 0xe7 => self.scaling = byte == 0xe7,
            RESOLUTION | SET_RATE => self.command = Some(byte),
            0xe9 => {
                let [left, right, middle] = [0, 1, 2].map(|n| self.buttons >> n & 1);
                let modes = u8::from(self.remote) << 6
                    | u8::from(self.reporting) << 5
                    | u8::from(self.scaling) << 4
                    | left << 2
                    | middle << 1
                    | right;
                self.queue.reply(&[ACK, modes, self.resolution, self.rate]);
                return;
            }
            0xea | 0xf0 => self.remote = byte == 0xf0,
            0xeb => {
                let report = self.report(false);
                self.queue.reply(&[ACK]);
                self.queue.reply(&report);
                return;
            }
            WRAP_OFF | 0xee => self.wrap = byte == 0xee,
            IDENTIFY => {
                self.queue.reply(&[ACK, self.id]);
                return;
            }
            ENABLE | DISABLE => {
                self.reporting = byte == ENABLE;
                self.queue.events.clear();
            }
            SET_DEFAULTS => self.defaults(),
            RESEND => {
                self.queue.reply(&[self.queue.last]);
                return;
            }
            RESET => {
                *self = Mouse::power_on();
                self.queue.reply(&[ACK, TEST_PASSED, 0]);
                return;
            }
            _ => {
                self.queue.reply(&[RESEND]);
                return;
            }
        }
        self.queue.reply(&[ACK]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(take: impl FnMut() -> Option<u8>) -> Vec<u8> {
        std::iter::from_fn(take).collect()
    }

    #[test]
    fn keyboard_commands() {
        let mut k = Keyboard::power_on();
        let mut say = |bytes: &[u8]| {
            bytes.iter().for_each(|&b| k.write(b));
            drain(|| k.take())
        };
        assert_eq!(say(&[0xff]), [0xfa, 0xaa]);
        assert_eq!(say(&[0xf2]), [0xfa, 0xab, 0x83]);
        assert_eq!(say(&[0xee]), [0xee]);
        assert_eq!(say(&[0xfe]), [0xee]);
        assert_eq!(say(&[0xf0, 1]), [0xfa, 0xfa]);
        assert_eq!(say(&[0xf0, 0]), [0xfa, 0xfa, 1]);
        assert_eq!(say(&[0xf0, 9]), [0xfa, 0xfe]);
        assert_eq!(say(&[0xed, 7]), [0xfa, 0xfa]);
        assert_eq!(say(&[0xe0]), [0xfe]);
        assert_eq!(k.leds(), 7);
    }

    #[test]
    fn keys_are_sent_while_scanning_and_fit_whole() {
        let mut k = Keyboard::power_on();
        let up = Key::from_name("up").unwrap();
        k.write(0xf5);
        k.key(up, true);
        assert_eq!(drain(|| k.take()), [0xfa]);
        k.write(0xf4);
        for _ in 0..1000 {
            k.key(up, true);
            k.key(up, false);
        }
        k.write(0xee);
        let bytes = drain(|| k.take());
        assert_eq!(bytes[..4], [0xfa, 0xee, 0xe0, 0x75], "answers come before keys");
        assert!(bytes.len() <= 2 + KEYS);
    }

    #[test]
    fn mouse_reports() {
        let mut m = Mouse::power_on();
        m.write(0xf2);
        assert_eq!(drain(|| m.take()), [0xfa, 0]);
        m.motion([5, 5, 0]);
        assert_eq!(drain(|| m.take()), [], "not yet enabled");
        m.write(0xf4);
        assert_eq!(drain(|| m.take()), [0xfa, 0x28, 5, 0xfb]);
        m.buttons(1);
        m.motion([-300, 0, 0]);
        assert_eq!(drain(|| m.take()), [0x19, 1, 0, 0x19, 0xd3, 0]);
        m.write(0xe9);
        assert_eq!(drain(|| m.take()), [0xfa, 0x24, 2, 100]);
    }

    #[test]
    fn the_knock_for_a_wheel() {
        let mut m = Mouse::power_on();
        for rate in [200, 100, 80] {
            m.write(0xf3);
            m.write(rate);
        }
        m.write(0xf2);
        assert_eq!(drain(|| m.take()), [0xfa, 0xfa, 0xfa, 0xfa, 0xfa, 0xfa, 0xfa, 3]);
        m.write(0xf4);
        m.motion([0, 0, -1]);
        assert_eq!(drain(|| m.take()), [0xfa, 0x08, 0, 0, 0xff]);
        m.write(0xff);
        assert_eq!(drain(|| m.take()), [0xfa, 0xaa, 0]);
        m.write(0xf2);
        assert_eq!(drain(|| m.take()), [0xfa, 0]);
    }

    #[test]
    fn remote_and_wrap_modes() {
        let mut m = Mouse::power_on();
        m.write(0xf0);
        m.write(0xf4);
        m.motion([1, -2, 0]);
        assert_eq!(drain(|| m.take()), [0xfa, 0xfa]);
        m.write(0xeb);
        assert_eq!(drain(|| m.take()), [0xfa, 0x08, 1, 2]);
        m.write(0xee);
        m.write(0x42);
        m.write(0xec);
        assert_eq!(drain(|| m.take()), [0xfa, 0x42, 0xfa]);
    }
}
