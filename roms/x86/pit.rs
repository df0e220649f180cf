//! The 8254 timer: its channel 0 ticks, and is the stop watch that other clocks are measured with.
//!
//! Source: Intel 8254 data sheet, control word format.

use crate::port;

/// Counts a second.
pub const FREQUENCY: u64 = 1_193_182;

const CHANNEL0: u16 = 0x40;
const CONTROL: u16 = 0x43;

/// Channel 0 interrupts after each `counts` (mode 2).
pub fn periodic(counts: u16) {
    port::write(CONTROL, 0x34);
    for byte in counts.to_le_bytes() {
        port::write(CHANNEL0, byte);
    }
}

/// Waits for `counts` of channel 0, and calls `sample` before and after; the difference of the two, or nothing if the
/// timer does not move. Channel 0 because not every board has the gate of channel 2.
pub fn measure(counts: u16, sample: impl Fn() -> u64) -> Option<u64> {
    // Mode 0: the channel counts down from 0xffff.
    port::write(CONTROL, 0x30);
    port::write(CHANNEL0, 0xff);
    port::write(CHANNEL0, 0xff);
    let begin = count()?;
    let start = sample();
    for _ in 0..10_000_000 {
        if begin.wrapping_sub(count()?) >= counts {
            return Some(sample().wrapping_sub(start));
        }
    }
    None
}

/// Channel 0's count; nothing if it cannot be.
fn count() -> Option<u16> {
    port::write(CONTROL, 0);
    let low = port::read(CHANNEL0);
    let count = u16::from_le_bytes([low, port::read(CHANNEL0)]);
    (count != 0).then_some(count)
}
