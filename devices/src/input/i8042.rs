//! 8042 keyboard controller with a PS/2 keyboard and mouse, at ports 60h and 64h.
//!
//! After the IBM PS/2 hardware interface technical reference (1988) and the AT's (1986). The output port's A20 and reset
//! are wires. Bytes follow each other as fast as the guest reads them, each with an edge of its interrupt; an answer of
//! the controller comes before bytes of the devices that wait.
//!
//! Left out on purpose: keylock, password, parity and timeout errors, reads of the test inputs.

use super::keys::Key;
use super::ps2::{Keyboard, Mouse};
use crate::bus::device::{BusError, BusResult, Device, Initiator, Io, Size};
use crate::bus::irq::Wire;
use crate::bus::snapshot::{self, StateError, require};
use serde::{Deserialize, Serialize};

/// Registers and bits.
mod spec {
    pub const DATA: u64 = 0;
    pub const STATUS_COMMAND: u64 = 1;

    pub const STATUS_OBF: u8 = 1 << 0;
    pub const STATUS_SYS: u8 = 1 << 2;
    pub const STATUS_COMMAND_LAST: u8 = 1 << 3;
    pub const STATUS_UNLOCKED: u8 = 1 << 4;
    pub const STATUS_AUX: u8 = 1 << 5;

    pub const MODE_KBD_INT: u8 = 1 << 0;
    pub const MODE_AUX_INT: u8 = 1 << 1;
    pub const MODE_SYS: u8 = 1 << 2;
    pub const MODE_NO_KBD: u8 = 1 << 4;
    pub const MODE_NO_AUX: u8 = 1 << 5;
    pub const MODE_TRANSLATE: u8 = 1 << 6;

    pub const OUT_RESET: u8 = 1 << 0;
    pub const OUT_A20: u8 = 1 << 1;
    /// Pins with nothing behind them.
    pub const OUT_UNUSED: u8 = 0xcc;
    pub const OUT_KBD_FULL: u8 = 1 << 4;
    pub const OUT_AUX_FULL: u8 = 1 << 5;

    pub const WRITE_OUTPUT: u8 = 0xd1;
    pub const WRITE_KBD_BUFFER: u8 = 0xd2;
    pub const WRITE_AUX_BUFFER: u8 = 0xd3;
    pub const WRITE_AUX: u8 = 0xd4;

    /// What the controller makes of the codes of scan code set 2: those of set 1.
    #[rustfmt::skip]
    pub const TRANSLATION: [u8; 128] = [
        0xff, 0x43, 0x41, 0x3f, 0x3d, 0x3b, 0x3c, 0x58, 0x64, 0x44, 0x42, 0x40, 0x3e, 0x0f, 0x29, 0x59,
        0x65, 0x38, 0x2a, 0x70, 0x1d, 0x10, 0x02, 0x5a, 0x66, 0x71, 0x2c, 0x1f, 0x1e, 0x11, 0x03, 0x5b,
        0x67, 0x2e, 0x2d, 0x20, 0x12, 0x05, 0x04, 0x5c, 0x68, 0x39, 0x2f, 0x21, 0x14, 0x13, 0x06, 0x5d,
        0x69, 0x31, 0x30, 0x23, 0x22, 0x15, 0x07, 0x5e, 0x6a, 0x72, 0x32, 0x24, 0x16, 0x08, 0x09, 0x5f,
        0x6b, 0x33, 0x25, 0x17, 0x18, 0x0b, 0x0a, 0x60, 0x6c, 0x34, 0x35, 0x26, 0x27, 0x19, 0x0c, 0x61,
        0x6d, 0x73, 0x28, 0x74, 0x1a, 0x0d, 0x62, 0x6e, 0x3a, 0x36, 0x1c, 0x1b, 0x75, 0x2b, 0x63, 0x76,
        0x55, 0x56, 0x77, 0x78, 0x79, 0x7a, 0x0e, 0x7b, 0x7c, 0x4f, 0x7d, 0x4b, 0x47, 0x7e, 0x7f, 0x6f,
        0x52, 0x53, 0x50, 0x4c, 0x4d, 0x48, 0x01, 0x45, 0x57, 0x4e, 0x51, 0x4a, 0x37, 0x49, 0x46, 0x54,
    ];
    /// Precedes the code of a key that goes up, in set 2.
    pub const BREAK: u8 = 0xf0;
}
use spec::*;

/// A byte in the output buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Output {
    byte: u8,
    /// It came from the mouse.
    aux: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct State {
    keyboard: Keyboard,
    mouse: Mouse,
    output: Option<Output>,
    /// A device's byte that an answer of the controller pushed aside.
    parked: Option<Output>,
    /// What a read of an empty output buffer gives.
    last: u8,
    /// The controller's memory; byte 0 is the mode, or command byte.
    ram: [u8; 32],
    /// Bits of the status register that do not follow from the rest.
    status: u8,
    out: u8,
    /// The command whose argument comes next.
    command: Option<u8>,
    /// The next code is that of a key that went up.
    breaks: bool,
}

impl State {
    fn power_on() -> State {
        let mut ram = [0; 32];
        ram[0] = MODE_KBD_INT | MODE_AUX_INT;
        State {
            keyboard: Keyboard::power_on(),
            mouse: Mouse::power_on(),
            output: None,
            parked: None,
            last: 0,
            ram,
            status: STATUS_COMMAND_LAST | STATUS_UNLOCKED,
            out: OUT_UNUSED | OUT_RESET | OUT_A20,
            command: None,
            breaks: false,
        }
    }

    fn mode(&self) -> u8 {
        self.ram[0]
    }

    fn set_mode(&mut self, mode: u8) {
        self.ram[0] = mode;
        let sys = if mode & MODE_SYS != 0 { STATUS_SYS } else { 0 };
        self.status = self.status & !STATUS_SYS | sys;
    }

    fn status(&self) -> u8 {
        let output = match self.output {
            None => 0,
            Some(o) => STATUS_OBF | if o.aux { STATUS_AUX } else { 0 },
        };
        self.status | output
    }

    /// The next byte of the keyboard, as the mode wants it.
    fn keyboard_byte(&mut self) -> Option<u8> {
        loop {
            let byte = self.keyboard.take()?;
            if self.mode() & MODE_TRANSLATE == 0 {
                return Some(byte);
            }
            if byte == BREAK {
                self.breaks = true;
                continue;
            }
            let up = if std::mem::take(&mut self.breaks) { 0x80 } else { 0 };
            return Some(match byte {
                0x83 => 0x41 | up,
                0x84 => 0x54 | up,
                _ => TRANSLATION.get(usize::from(byte)).map_or(byte, |code| code | up),
            });
        }
    }

    /// Fills the output buffer if it is empty and there is anything for it.
    fn pump(&mut self) {
        if self.output.is_some() {
            return;
        }
        self.output = self.parked.take();
        if self.output.is_none() && self.mode() & MODE_NO_KBD == 0 {
            self.output = self.keyboard_byte().map(|byte| Output { byte, aux: false });
        }
        if self.output.is_none() && self.mode() & MODE_NO_AUX == 0 {
            self.output = self.mouse.take().map(|byte| Output { byte, aux: true });
        }
    }

    /// An answer of the controller itself.
    fn answer(&mut self, byte: u8, aux: bool) {
        if let Some(waits) = self.output.replace(Output { byte, aux }) {
            self.parked.get_or_insert(waits);
        }
    }
}

/// The controller with its devices. Register 0 is port 60h, register 1 port 64h.
pub struct I8042 {
    keyboard_irq: Wire,
    mouse_irq: Wire,
    a20: Wire,
    reset: Wire,
    state: State,
}

impl I8042 {
    /// Bytes of its register file.
    pub const LEN: u64 = 2;

    /// A controller that drives interrupts 1 and 12, the A20 gate, and pulses `reset`. The board ORs A20 with port 92h's.
    pub fn new(keyboard_irq: Wire, mouse_irq: Wire, a20: Wire, reset: Wire) -> I8042 {
        let mut chip = I8042 { keyboard_irq, mouse_irq, a20, reset, state: State::power_on() };
        chip.update();
        chip
    }

    /// A key of the keyboard goes down or up.
    pub fn key(&mut self, key: Key, down: bool) {
        self.state.keyboard.key(key, down);
        self.update();
    }

    /// The mouse and its wheel move; see [`super::PointerSink::motion`].
    pub fn motion(&mut self, dx: i32, dy: i32, dz: i32) {
        self.state.mouse.motion([dx, dy, dz]);
        self.update();
    }

    /// The mouse's buttons; see [`super::PointerSink::buttons`].
    pub fn buttons(&mut self, down: u8) {
        self.state.mouse.buttons(down);
        self.update();
    }

    /// The keyboard's lights: bit 0 scroll lock, 1 num lock, 2 caps lock.
    pub fn leds(&self) -> u8 {
        self.state.keyboard.leds()
    }

    fn drive(&self) {
        let (output, mode) = (self.state.output, self.state.mode());
        self.keyboard_irq.set(output.is_some_and(|o| !o.aux) && mode & MODE_KBD_INT != 0);
        self.mouse_irq.set(output.is_some_and(|o| o.aux) && mode & MODE_AUX_INT != 0);
        self.a20.set(self.state.out & OUT_A20 != 0);
    }

    fn update(&mut self) {
        self.state.pump();
        self.drive();
    }

    fn write_output_port(&mut self, value: u8) {
        self.state.out = value;
        if value & OUT_RESET == 0 {
            // The line is released again, or nobody could ever start.
            self.state.out |= OUT_RESET;
            self.reset.pulse();
        }
    }

    fn command(&mut self, command: u8) {
        let s = &mut self.state;
        s.status |= STATUS_COMMAND_LAST;
        s.command = None;
        match command {
            0x20..=0x3f => s.answer(s.ram[usize::from(command & 0x1f)], false),
            0x60..=0x7f | WRITE_OUTPUT..=WRITE_AUX => s.command = Some(command),
            0xa7 => s.ram[0] |= MODE_NO_AUX,
            0xa8 => s.ram[0] &= !MODE_NO_AUX,
            0xa9 | 0xab => s.answer(0, false),
            0xaa => {
                s.status |= STATUS_SYS;
                s.answer(0x55, false);
            }
            0xad => s.ram[0] |= MODE_NO_KBD,
            0xae => s.ram[0] &= !MODE_NO_KBD,
            0xc0 => s.answer(0x80, false),
            0xd0 => {
                let full = match s.output {
                    None => 0,
                    Some(o) if o.aux => OUT_AUX_FULL,
                    Some(_) => OUT_KBD_FULL,
                };
                s.answer(s.out | full, false);
            }
            0xdd => s.out &= !OUT_A20,
            0xdf => s.out |= OUT_A20,
            0xf0..=0xff if command & OUT_RESET == 0 => self.reset.pulse(),
            _ => {}
        }
    }

    fn data(&mut self, byte: u8) {
        let s = &mut self.state;
        s.status &= !STATUS_COMMAND_LAST;
        match s.command.take() {
            // A byte to a device turns its interface on.
            None => {
                s.ram[0] &= !MODE_NO_KBD;
                s.keyboard.write(byte);
            }
            Some(0x60) => s.set_mode(byte),
            Some(command @ 0x61..=0x7f) => s.ram[usize::from(command & 0x1f)] = byte,
            Some(WRITE_OUTPUT) => self.write_output_port(byte),
            Some(WRITE_KBD_BUFFER) => s.answer(byte, false),
            Some(WRITE_AUX_BUFFER) => s.answer(byte, true),
            Some(_) => {
                s.ram[0] &= !MODE_NO_AUX;
                s.mouse.write(byte);
            }
        }
    }
}

impl Io for I8042 {
    fn read(&mut self, reg: u64, size: Size, _: Initiator) -> BusResult<u64> {
        match (reg, size) {
            (DATA, Size::B1) => {
                if let Some(output) = self.state.output.take() {
                    self.state.last = output.byte;
                    // The interrupt falls with the byte, and rises with the next.
                    self.drive();
                }
                self.update();
                Ok(self.state.last.into())
            }
            (STATUS_COMMAND, Size::B1) => Ok(self.state.status().into()),
            (DATA | STATUS_COMMAND, _) => Err(BusError::BadSize),
            _ => Err(BusError::NoRegister),
        }
    }

    fn write(&mut self, reg: u64, size: Size, value: u64, _: Initiator) -> BusResult<()> {
        match (reg, size) {
            (DATA, Size::B1) => self.data(value as u8),
            (STATUS_COMMAND, Size::B1) => self.command(value as u8),
            (DATA | STATUS_COMMAND, _) => return Err(BusError::BadSize),
            _ => return Err(BusError::NoRegister),
        }
        self.update();
        Ok(())
    }
}

impl Device for I8042 {
    fn name(&self) -> &'static str {
        "i8042"
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
        require(state.keyboard.is_valid() && state.mouse.is_valid(), "a queue or a mode")?;
        self.state = state;
        self.drive();
        Ok(())
    }

    fn io(&mut self) -> Option<&mut dyn Io> {
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::conformance;
    use crate::input::keys::chord;

    struct Bench {
        chip: I8042,
        irq: [Wire; 2],
        a20: Wire,
    }

    impl Bench {
        fn new() -> Bench {
            let (irq, a20) = ([Wire::open(), Wire::open()], Wire::open());
            let chip = I8042::new(irq[0].clone(), irq[1].clone(), a20.clone(), Wire::open());
            Bench { chip, irq, a20 }
        }
        fn r(&mut self, reg: u64) -> u8 {
            self.chip.read(reg, Size::B1, Initiator::Cpu(0)).unwrap() as u8
        }
        fn command(&mut self, value: u8) {
            self.chip.write(STATUS_COMMAND, Size::B1, value.into(), Initiator::Cpu(0)).unwrap();
        }
        fn data(&mut self, value: u8) {
            self.chip.write(DATA, Size::B1, value.into(), Initiator::Cpu(0)).unwrap();
        }
        /// Reads until the buffer is empty.
        fn drain(&mut self) -> Vec<u8> {
            let mut bytes = Vec::new();
            while self.r(STATUS_COMMAND) & STATUS_OBF != 0 {
                bytes.push(self.r(DATA));
            }
            bytes
        }
    }

    #[test]
    fn conforms() {
        let make = || I8042::new(Wire::open(), Wire::open(), Wire::open(), Wire::open());
        conformance::check(make, I8042::LEN);
    }

    #[test]
    fn as_a_driver_starts_it() {
        let mut b = Bench::new();
        assert_eq!(b.r(STATUS_COMMAND), 0x18);
        b.command(0xaa);
        assert_eq!(b.r(STATUS_COMMAND) & STATUS_SYS, STATUS_SYS);
        assert_eq!(b.drain(), [0x55]);
        b.command(0xab);
        assert_eq!(b.drain(), [0]);
        b.command(0x60);
        b.data(0x61);
        b.command(0x20);
        assert_eq!(b.drain(), [0x61]);
        b.data(0xff);
        assert_eq!(b.drain(), [0xfa, 0xaa]);
        b.data(0xf2);
        assert_eq!(b.drain(), [0xfa, 0xab, 0x41], "the identity is translated, too");
        b.command(0xd4);
        b.data(0xff);
        assert_eq!(b.r(STATUS_COMMAND) & STATUS_AUX, STATUS_AUX);
        assert_eq!(b.drain(), [0xfa, 0xaa, 0]);
        b.command(0xd3);
        b.data(0xa5);
        assert_eq!((b.r(STATUS_COMMAND) & 0x21, b.r(DATA)), (0x21, 0xa5));
    }

    #[test]
    fn every_key_is_translated_to_set_1() {
        let mut b = Bench::new();
        b.command(0x60);
        b.data(MODE_TRANSLATE);
        for key in Key::all() {
            for down in [true, false] {
                b.chip.key(key, down);
                assert_eq!(b.drain(), key.codes(1, down), "{} {down}", key.name());
            }
        }
        b.command(0x60);
        b.data(0);
        b.chip.key(Key::from_name("a").unwrap(), false);
        assert_eq!(b.drain(), [0xf0, 0x1c]);
    }

    #[test]
    fn each_byte_has_its_edge() {
        let mut b = Bench::new();
        for key in chord("ctrl-c").unwrap() {
            b.chip.key(key, true);
        }
        assert!(b.irq[0].level() && !b.irq[1].level());
        assert_eq!(b.r(DATA), 0x14);
        assert!(b.irq[0].level(), "high again with the next byte");
        assert_eq!(b.r(DATA), 0x21);
        assert!(!b.irq[0].level());
        assert_eq!(b.r(DATA), 0x21, "an empty buffer holds the last byte");
        b.command(0xd4);
        b.data(0xf4);
        assert!(b.irq[1].level());
        b.drain();
        b.chip.motion(3, 0, 0);
        b.chip.buttons(1);
        assert_eq!(b.drain(), [8, 3, 0, 9, 0, 0]);
    }

    #[test]
    fn disabled_interfaces_wait() {
        let mut b = Bench::new();
        b.command(0xad);
        b.chip.key(Key::from_name("z").unwrap(), true);
        assert_eq!(b.drain(), []);
        b.command(0xae);
        assert_eq!(b.r(STATUS_COMMAND) & STATUS_OBF, STATUS_OBF);
        b.command(0x20);
        assert_eq!(b.drain(), [0x03, 0x1a], "the controller's answer comes first");
    }

    #[test]
    fn a20_and_reset() {
        use crate::bus::irq::LineSink;
        use std::sync::Arc;
        use std::sync::atomic::{AtomicU32, Ordering};
        struct Edges(AtomicU32);
        impl LineSink for Edges {
            fn set_line(&self, _: u32, level: bool) {
                self.0.fetch_add(level.into(), Ordering::Relaxed);
            }
        }
        let edges = Arc::new(Edges(AtomicU32::new(0)));
        let mut b = Bench::new();
        b.chip.reset = Wire::new("reset", edges.clone(), 0);
        assert!(b.a20.level());
        b.command(0xdd);
        assert!(!b.a20.level());
        b.command(0xd0);
        assert_eq!(b.drain(), [0xcd]);
        b.command(0xd1);
        b.data(0x03);
        assert!(b.a20.level());
        for (command, resets) in [(0xfe, 1), (0xff, 1), (0xf0, 2)] {
            b.command(command);
            assert_eq!(edges.0.load(Ordering::Relaxed), resets, "{command:#x}");
        }
        b.command(0xd1);
        b.data(0x02);
        assert_eq!(edges.0.load(Ordering::Relaxed), 3);
    }
}
