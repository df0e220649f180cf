//! Off and reset.

use crate::{acpi, port, vectors};

/// The keyboard controller's command port; 0xfe pulses the reset line.
const KEYBOARD: u16 = 0x64;
/// PM1a_CNT where i440FX and Q35 firmware puts it.
const PM1_CONTROL: u16 = 0x604;
/// Where a test device ends the emulator.
const DEBUG_EXIT: [u16; 2] = [0xf4, 0x501];

/// Powers off, by whatever the board has.
pub fn off() -> ! {
    acpi::off();
    port::write16(PM1_CONTROL, 1 << 13);
    for exit in DEBUG_EXIT {
        port::write(exit, 0);
    }
    rest()
}

/// Starts the machine again.
pub fn reset() -> ! {
    port::write(KEYBOARD, 0xfe);
    // PCI boards have a reset register beside the configuration ports.
    port::write(0xcf9, 6);
    // Others have neither; a fault that no table can take shuts the processor down, and that resets every PC.
    vectors::shut_down()
}

fn rest() -> ! {
    loop {
        vectors::mask();
        // SAFETY: nothing is left to do.
        unsafe { core::arch::asm!("hlt", options(nostack)) };
    }
}
