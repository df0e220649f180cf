//! Self-hosted debug: software step, breakpoints and watchpoints as operating systems use them (DDI 0487 D2).

use super::regs::pstate;
use super::{Arm64, state, sysreg as sr};
use crate::core::Core;

/// Whether debug exceptions are enabled from an exception level (DDI 0487 D2.3).
pub fn enabled(core: &Core<Arm64>, el: u32) -> bool {
    let mdscr = core.reg(sr::MDSCR_EL1);
    let locked = core.reg(sr::OSLSR_EL1) & 2 != 0;
    !locked && (el == 0 || (mdscr >> 13 & 1 != 0 && core.reg(state::PSTATE) & 1 << 9 == 0))
}

/// Whether software step is active at a level: MDSCR_EL1.SS with debug exceptions enabled.
pub fn step_active(core: &Core<Arm64>, el: u32) -> bool {
    core.reg(sr::MDSCR_EL1) & 1 != 0 && enabled(core, el)
}

/// The value that PSTATE.SS takes on an exception return: SPSR.SS, if step is active at the target but not here.
pub fn step_on_return(core: &Core<Arm64>, spsr: u32) -> u32 {
    let el = spsr >> 2 & 3;
    let here = core.reg(state::MODE) >> 2 & 3;
    let target = core.reg(sr::MDSCR_EL1) & 1 != 0
        && core.reg(sr::OSLSR_EL1) & 2 == 0
        && (el == 0 || (core.reg(sr::MDSCR_EL1) >> 13 & 1 != 0 && spsr & 1 << 9 == 0));
    if target && !step_active(core, here) { spsr & 1 << pstate::SS } else { 0 }
}
