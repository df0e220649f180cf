//! Helpers of system instructions that reach the board: waiting, firmware calls, semihosting, interrupt masks.

use super::emit::UNDEFINED;
use super::exception::{class, esr};
use super::{Arm64, context, state, sysreg as sr};
use crate::core::{Attention, Core, Raised};
use crate::emit::{Effects, Helper};

/// WFI: halts unless an interrupt is pending, masked or not.
pub static WAIT: Helper<Arm64> = Helper { name: "wait_for_interrupt", effects: Effects::ENDS, run: wait };
/// WFE, YIELD: lets other processors run.
pub static YIELD: Helper<Arm64> = Helper { name: "yield", effects: Effects::NONE, run: give_way };
/// HVC (0) and SMC (1).
pub static FIRMWARE: Helper<Arm64> = Helper { name: "firmware_call", effects: Effects::ENDS, run: firmware };
/// HLT with its immediate.
pub static HALT: Helper<Arm64> = Helper { name: "halt", effects: Effects::ENDS, run: halt };

fn wait(core: &mut Core<Arm64>, _: u64, _: u64, _: u64) -> Result<u64, Raised> {
    let pending = core.attention.bits() & (Attention::IRQ | Attention::FIQ) != 0;
    // SCTLR_EL1.nTWI keeps EL0 from waiting: EC 0x01, CV, COND 0b1110, TI 0 (DDI 0487 D17.2.37). WFE never waits.
    let user = core.reg(state::MODE) >> 2 & 3 == 0;
    if user && !pending && core.reg(sr::SCTLR_EL1) & context::sctlr::NTWI == 0 {
        return Err(core.raise_now(esr(class::WFX, 1 << 24 | 0xE << 20), 0));
    }
    core.halted = !pending;
    Ok(0)
}

fn give_way(core: &mut Core<Arm64>, _: u64, _: u64, _: u64) -> Result<u64, Raised> {
    if core.arch.smp {
        core.arch.platform.give_way(core.index);
    }
    Ok(0)
}

fn firmware(core: &mut Core<Arm64>, conduit: u64, _: u64, _: u64) -> Result<u64, Raised> {
    core.reach_out()?;
    let args = [0, 1, 2, 3].map(|n| core.reg(state::x(n)));
    let platform = std::sync::Arc::clone(&core.arch.platform);
    match platform.firmware(core.index, conduit == 1, args) {
        Some(result) => {
            core.set(state::x(0), result);
            Ok(0)
        }
        None => Err(core.raise_now(UNDEFINED, 0)),
    }
}

fn halt(core: &mut Core<Arm64>, imm: u64, _: u64, _: u64) -> Result<u64, Raised> {
    let platform = std::sync::Arc::clone(&core.arch.platform);
    if imm == 0xF000 && platform.semihosting() {
        core.reach_out()?;
        let (op, arg) = (core.reg(state::x(0)), core.reg(state::x(1)));
        if let Some(result) = super::semihosting::call(core, &*platform, op, arg) {
            core.set(state::x(0), result);
            return Ok(0);
        }
    }
    Err(core.raise_now(UNDEFINED, 0))
}
