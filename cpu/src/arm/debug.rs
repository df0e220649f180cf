//! Self-hosted debug: software step, breakpoints and watchpoints as operating systems use them (DDI 0487 D2).
//!
//! Nothing here runs unless a control asks for it: the mode word then has STEP or WATCH set, and code in such modes is
//! interpreted, with a look before and after each instruction and at each access.
//!
//! Six breakpoints, of which the last two also compare CONTEXTIDR_EL1, and four watchpoints, as the Cortex processors
//! have them. Left out: vector catch and mismatch, which AArch32 alone has; VMID matches, which need EL2; external debug.

use super::exception::{class, esr};
use super::regs::pstate;
use super::{Arm64, mode, state, sysreg as sr};
use crate::core::{Core, Raised};
use crate::slot::Slot;
use crate::width::W64;

/// Breakpoint value and control registers.
pub const BREAKPOINTS: [(Slot<W64>, Slot<W64>); 6] = [
    (sr::DBGBVR0_EL1, sr::DBGBCR0_EL1),
    (sr::DBGBVR1_EL1, sr::DBGBCR1_EL1),
    (sr::DBGBVR2_EL1, sr::DBGBCR2_EL1),
    (sr::DBGBVR3_EL1, sr::DBGBCR3_EL1),
    (sr::DBGBVR4_EL1, sr::DBGBCR4_EL1),
    (sr::DBGBVR5_EL1, sr::DBGBCR5_EL1),
];
/// The first of the breakpoints that can match a context.
pub const FIRST_CONTEXT: usize = 4;
/// Watchpoint value and control registers.
pub const WATCHPOINTS: [(Slot<W64>, Slot<W64>); 4] = [
    (sr::DBGWVR0_EL1, sr::DBGWCR0_EL1),
    (sr::DBGWVR1_EL1, sr::DBGWCR1_EL1),
    (sr::DBGWVR2_EL1, sr::DBGWCR2_EL1),
    (sr::DBGWVR3_EL1, sr::DBGWCR3_EL1),
];

/// MDSCR_EL1 bits (DDI 0487 D19.3.20).
pub(super) mod mdscr {
    pub(in crate::arm) const SS: u64 = 1;
    pub(in crate::arm) const KDE: u64 = 1 << 13;
    pub(in crate::arm) const MDE: u64 = 1 << 15;
}

/// Bits of [`state::STEP_PROGRESS`].
mod progress {
    /// An instruction is being stepped.
    pub(super) const RUNNING: u32 = 1;
    /// It is a load-exclusive.
    pub(super) const RUNNING_EXCLUSIVE: u32 = 2;
    /// An instruction was stepped since the last exception or exception return.
    pub(super) const DONE: u32 = 4;
    /// It was a load-exclusive.
    pub(super) const DONE_EXCLUSIVE: u32 = 8;
}

/// Addresses are compared from here down; above it there are only copies of the sign, or a tag.
const TOP: u64 = (1 << 49) - 1;

/// Whether debug exceptions are enabled from an exception level under a debug mask (DDI 0487 D2.3).
fn enabled_with(core: &Core<Arm64>, el: u32, masked: bool) -> bool {
    let locked = core.reg(sr::OSLSR_EL1) & 2 != 0;
    // DBGPRCR_EL1.CORENPDRQ keeps the double lock from acting.
    let double = core.reg(sr::OSDLR_EL1) & 1 != 0 && core.reg(sr::DBGPRCR_EL1) & 1 == 0;
    !locked && !double && (el == 0 || (core.reg(sr::MDSCR_EL1) & mdscr::KDE != 0 && !masked))
}

/// Whether debug exceptions are enabled from an exception level.
pub fn enabled(core: &Core<Arm64>, el: u32) -> bool {
    enabled_with(core, el, core.reg(state::PSTATE) & 1 << 9 != 0)
}

/// Whether software step is active at a level: MDSCR_EL1.SS with debug exceptions enabled.
pub fn step_active(core: &Core<Arm64>, el: u32) -> bool {
    core.reg(sr::MDSCR_EL1) & mdscr::SS != 0 && enabled(core, el)
}

/// The value that PSTATE.SS takes on an exception return: SPSR.SS, if step is active at the target but not here.
pub fn step_on_return(core: &Core<Arm64>, spsr: u32) -> u32 {
    let el = spsr >> 2 & 3;
    let here = core.reg(state::MODE) >> 2 & 3;
    let target = core.reg(sr::MDSCR_EL1) & mdscr::SS != 0 && enabled_with(core, el, spsr & 1 << 9 != 0);
    if target && !step_active(core, here) { spsr & 1 << pstate::SS } else { 0 }
}

/// Whether a control register selects a level: `StateMatch` with EL0 and EL1 alone, where a higher mode or a security
/// state that does not exist selects none. Bits 2:1 are PMC or PAC.
fn selects(control: u64, el: u32) -> bool {
    const HMC_SSC: u64 = 1 << 13 | 3 << 14;
    control & 1 != 0 && control & HMC_SSC == 0 && control >> (if el == 0 { 2 } else { 1 }) & 1 != 0
}

/// Whether breakpoints or watchpoints may match at a level, or the state is illegal, so that every instruction and
/// access has to be looked at.
pub fn watch_active(core: &Core<Arm64>, el: u32) -> bool {
    if core.reg(state::PSTATE) & 1 << pstate::IL != 0 {
        return true;
    }
    if core.reg(sr::MDSCR_EL1) & mdscr::MDE == 0 || !enabled(core, el) {
        return false;
    }
    let breaks = BREAKPOINTS.iter().any(|&(_, control)| selects(core.reg(control), el));
    // At EL1 there are unprivileged accesses too.
    let watches = |control: u64| selects(control, el) || (el != 0 && selects(control, 0));
    breaks || WATCHPOINTS.iter().any(|&(_, control)| watches(core.reg(control)))
}

/// Whether the breakpoint that a control register links to matches the context.
fn linked(core: &Core<Arm64>, control: u64) -> bool {
    let n = (control >> 16 & 15) as usize;
    let Some(&(value, control)) = BREAKPOINTS.get(n) else { return false };
    let control = core.reg(control);
    n >= FIRST_CONTEXT && control & 1 != 0 && control >> 20 & 15 == 0b0011 && same_context(core, value)
}

fn same_context(core: &Core<Arm64>, value: Slot<W64>) -> bool {
    core.reg(value) as u32 == core.reg(sr::CONTEXTIDR_EL1) as u32
}

/// Whether an armed breakpoint matches an instruction address. All four bytes count: DBGBCR.BAS has no meaning without
/// AArch32.
fn breaks(core: &Core<Arm64>, pc: u64, el: u32) -> bool {
    let mut all = BREAKPOINTS.iter().enumerate();
    all.any(|(n, &(value, control))| {
        let control = core.reg(control);
        let here = || (core.reg(value) ^ pc) & TOP & !3 == 0;
        selects(control, el)
            && match control >> 20 & 15 {
                0b0000 => here(),
                0b0001 => here() && linked(core, control),
                0b0010 => n >= FIRST_CONTEXT && same_context(core, value),
                _ => false,
            }
    })
}

/// `WatchpointByteMatch`: whether a watchpoint's address, byte select and mask cover a byte.
fn covers(value: u64, control: u64, at: u64) -> bool {
    let (bas, mask) = (control >> 5 & 0xFF, (control >> 24 & 31) as u32);
    if mask > 2 {
        return (value ^ at) & TOP & !0 << mask == 0 && bas >> (at & 7) & 1 != 0;
    }
    let bottom = if value & 4 != 0 { 2 } else { 3 };
    (value ^ at) & TOP & !0 << bottom == 0 && bas >> (at & ((1 << bottom) - 1)) & 1 != 0
}

/// Looks at an access that translation has admitted, of at most 64 bytes. An atomic both reads and writes.
///
/// # Errors
/// A watchpoint matches: its exception is left with the address of the first byte that does.
pub fn access(
    core: &mut Core<Arm64>,
    at: u64,
    size: u64,
    how: [bool; 2],
    unprivileged: bool,
) -> Result<(), Raised> {
    if core.reg(sr::MDSCR_EL1) & mdscr::MDE == 0 {
        return Ok(());
    }
    let el = if unprivileged { 0 } else { mode::el(core.mode) };
    for (want, wnr) in how.into_iter().zip([0, 1 << 6]) {
        for (value, control) in WATCHPOINTS.map(|(v, c)| (core.reg(v), core.reg(c))) {
            let wanted = want && control >> (if wnr == 0 { 3 } else { 4 }) & 1 != 0;
            if !wanted || !selects(control, el) || (control >> 20 & 1 != 0 && !linked(core, control)) {
                continue;
            }
            let hit = (0..size).map(|i| at.wrapping_add(i)).find(|&byte| covers(value, control, byte));
            if let Some(byte) = hit {
                return Err(core.raise_now(esr(class::WATCHPOINT, 0x22 | wnr), byte));
            }
        }
    }
    Ok(())
}

/// Before an instruction is fetched in a watched mode: the software step exception, which comes before all others.
///
/// # Errors
/// Step is active and its instruction is done.
pub fn before_fetch(core: &mut Core<Arm64>) -> Result<(), Raised> {
    if core.mode & mode::STEP == 0 || core.reg(state::PSTATE) & 1 << pstate::SS != 0 {
        return Ok(());
    }
    // ISV and EX: whether an instruction was stepped, and whether a load-exclusive.
    let progress = core.reg(state::STEP_PROGRESS);
    let bit = |bit: u32, iss: u64| if progress & bit != 0 { iss } else { 0 };
    let iss = bit(progress::DONE, 1 << 24) | bit(progress::DONE_EXCLUSIVE, 1 << 6);
    Err(core.raise_now(esr(class::STEP, iss | 0x22), 0))
}

/// Before a fetched instruction runs in a watched mode: breakpoints, then the illegal state.
///
/// # Errors
/// With the exception of either.
pub fn before(core: &mut Core<Arm64>) -> Result<(), Raised> {
    let (pc, el) = (core.pc(), mode::el(core.mode));
    if core.reg(sr::MDSCR_EL1) & mdscr::MDE != 0 && enabled(core, el) && breaks(core, pc, el) {
        return Err(core.raise_now(esr(class::BREAKPOINT, 0x22), 0));
    }
    if core.reg(state::PSTATE) & 1 << pstate::IL != 0 {
        return Err(core.raise_now(esr(class::ILLEGAL_STATE, 0), 0));
    }
    if core.mode & mode::STEP != 0 {
        let word = core.fetch(pc).ok().and_then(|ram| core.ram.read::<u32>(ram).ok());
        let exclusive = if word.is_some_and(load_exclusive) { progress::RUNNING_EXCLUSIVE } else { 0 };
        core.set(state::STEP_PROGRESS, progress::RUNNING | exclusive);
    }
    Ok(())
}

/// After an instruction in a watched mode: if it was stepped and took no exception, the step is done.
pub fn after(core: &mut Core<Arm64>) {
    let progress = core.reg(state::STEP_PROGRESS);
    if progress & progress::RUNNING != 0 {
        advance(core);
        core.set(state::STEP_PROGRESS, progress << 2 & (progress::DONE | progress::DONE_EXCLUSIVE));
    }
}

/// `SSAdvance()`.
pub fn advance(core: &mut Core<Arm64>) {
    let p = core.reg(state::PSTATE);
    core.set(state::PSTATE, p & !(1 << pstate::SS));
}

/// An exception is taken: whatever was stepped is behind.
pub fn enter(core: &mut Core<Arm64>) {
    core.set(state::STEP_PROGRESS, 0);
}

/// An exception is returned from.
pub fn leave(core: &mut Core<Arm64>) {
    let running = progress::RUNNING | progress::RUNNING_EXCLUSIVE;
    core.set(state::STEP_PROGRESS, core.reg(state::STEP_PROGRESS) & running);
}

/// LDXR, LDAXR and their kin, without CASP, which shares their group.
fn load_exclusive(word: u32) -> bool {
    word & 0x3FC0_0000 == 0x0840_0000 && (word & 1 << 21 == 0 || word >> 31 != 0)
}

/// Keeps the bits of the debug registers that exist.
pub fn mask(core: &mut Core<Arm64>) {
    for (n, (value, control)) in BREAKPOINTS.into_iter().enumerate() {
        // Those that match contexts use every bit of the value.
        if n < FIRST_CONTEXT {
            core.set(value, core.reg(value) & !3);
        }
        core.set(control, core.reg(control) & 0x00FF_E1E7);
    }
    for (value, control) in WATCHPOINTS {
        core.set(value, core.reg(value) & !3);
        core.set(control, core.reg(control) & 0x1F1F_FFFF);
    }
    core.set(sr::OSDLR_EL1, core.reg(sr::OSDLR_EL1) & 1);
    core.set(sr::DBGPRCR_EL1, core.reg(sr::DBGPRCR_EL1) & 1);
}
