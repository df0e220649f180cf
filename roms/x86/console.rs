//! COM1, an NS16550A at 0x3f8 with interrupt 4: output is polled, input waits for the interrupt.
//!
//! Source: National Semiconductor PC16550D data sheet, table II.

use crate::{pic, port, vectors};
use core::fmt::{self, Write};

const DATA: u16 = 0x3f8;
const INTERRUPT_ENABLE: u16 = 0x3f9;
const FIFO_CONTROL: u16 = 0x3fa;
const LINE_CONTROL: u16 = 0x3fb;
const MODEM_CONTROL: u16 = 0x3fc;
const LINE_STATUS: u16 = 0x3fd;

/// The interrupt's line at the 8259.
const IRQ: u8 = 4;

/// 115200 baud, 8 data bits, FIFOs on.
pub fn start() {
    port::write(INTERRUPT_ENABLE, 0);
    port::write(LINE_CONTROL, 0x83);
    port::write(DATA, 1);
    port::write(INTERRUPT_ENABLE, 0);
    port::write(LINE_CONTROL, 3);
    port::write(FIFO_CONTROL, 7);
    port::write(MODEM_CONTROL, 0xb);
}

/// Lets received characters interrupt.
pub fn listen() {
    port::write(INTERRUPT_ENABLE, 1);
    pic::unmask(IRQ);
}

/// The next character; sleeps until there is one.
pub fn get() -> u8 {
    loop {
        vectors::mask();
        if port::read(LINE_STATUS) & 1 != 0 {
            let character = port::read(DATA);
            vectors::allow();
            return character;
        }
        vectors::sleep();
    }
}

/// Sends a character; a line end becomes return and line feed.
pub fn put(character: u8) {
    if character == b'\n' {
        put(b'\r');
    }
    let mut patience = 1_000_000;
    while port::read(LINE_STATUS) & 0x20 == 0 && patience != 0 {
        patience -= 1;
    }
    port::write(DATA, character);
}

/// What [`say!`] writes to.
pub struct Console;

impl Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.bytes().for_each(put);
        Ok(())
    }
}

/// Prints on the console like `print!`.
macro_rules! say {
    ($($arguments:tt)*) => {{
        use core::fmt::Write;
        let _ = write!(crate::console::Console, $($arguments)*);
    }};
}
pub(crate) use say;
