//! Registers as text, for the debug log.

use super::{Arm64, exception, state};
use crate::core::Core;
use std::fmt::Write;

/// The PC, PSTATE with its flags and level, SP and the general registers, four to a line.
pub fn registers(core: &Core<Arm64>) -> String {
    let psr = exception::spsr(core);
    let flag = |bit: u32, c: char| if psr >> bit & 1 != 0 { c } else { '-' };
    let mut text = format!(
        "  PC={:016x} PSTATE={psr:08x} {}{}{}{} EL{}{} SP={:016x}",
        core.pc(),
        flag(31, 'N'),
        flag(30, 'Z'),
        flag(29, 'C'),
        flag(28, 'V'),
        psr >> 2 & 3,
        if psr & 1 != 0 { 'h' } else { 't' },
        core.reg(state::SP),
    );
    for i in 0..31 {
        let lead = if i % 4 == 0 { "\n  " } else { " " };
        let _ = write!(text, "{lead}X{i:02}={:016x}", core.reg(state::x(i)));
    }
    text
}
