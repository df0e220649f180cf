//! The two 8259A interrupt controllers, at vectors 0x20 to 0x2f.
//!
//! Source: Intel 8259A data sheet, initialization command words.

use crate::port;

const COMMAND: [u16; 2] = [0x20, 0xa0];
const DATA: [u16; 2] = [0x21, 0xa1];

/// The vector of line 0.
pub const BASE: u8 = 0x20;

/// Moves the lines away from the processor's exceptions and masks them all but the cascade.
pub fn start() {
    for (index, cascade) in [(0, 4), (1, 2)] {
        port::write(COMMAND[index], 0x11);
        port::write(DATA[index], BASE + 8 * index as u8);
        port::write(DATA[index], cascade);
        port::write(DATA[index], 1);
        port::write(DATA[index], 0xff);
    }
    unmask(2);
}

/// Lets `line` interrupt.
pub fn unmask(line: u8) {
    let data = DATA[usize::from(line / 8) & 1];
    port::write(data, port::read(data) & !(1 << (line % 8)));
}

/// Keeps `line` from interrupting.
pub fn mask(line: u8) {
    let data = DATA[usize::from(line / 8) & 1];
    port::write(data, port::read(data) | 1 << (line % 8));
}

/// Ends the interrupt of `line`.
pub fn end(line: u8) {
    if line >= 8 {
        port::write(COMMAND[1], 0x20);
    }
    port::write(COMMAND[0], 0x20);
}
