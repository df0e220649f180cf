//! Exceptions: their syndromes, taking them, and returning from them (DDI 0487 D1.3).
//!
//! Syndromes are raised with the exception class of the same level; taking one from level 0 turns it into the class
//! of the lower level where the two differ.
//!
//! Left out: the type of the branch that leads to a processor's first guarded page; branches are checked from then on.

use super::context::{self, sctlr};
use super::regs::pstate;
use super::{Arm64, debug, features as feat, state, sysreg as sr};
use crate::core::{Attention, Core, Raised, Want};
use crate::emit::{Effects, Exception, Helper};
use crate::op::nzcv;
use crate::tlb::PAGE_MASK;
use crate::trace::DebugItems;

/// Exception classes (DDI 0487 D17.2.37).
pub mod class {
    #![expect(missing_docs, reason = "named as in the manual's table")]
    pub const UNKNOWN: u64 = 0x00;
    pub const WFX: u64 = 0x01;
    pub const BTI: u64 = 0x0D;
    pub const ILLEGAL_STATE: u64 = 0x0E;
    pub const SVC: u64 = 0x15;
    pub const PAC_FAIL: u64 = 0x1C;
    pub const INSTRUCTION_ABORT: u64 = 0x21;
    pub const PC_ALIGNMENT: u64 = 0x22;
    pub const DATA_ABORT: u64 = 0x25;
    pub const BREAKPOINT: u64 = 0x31;
    pub const STEP: u64 = 0x33;
    pub const WATCHPOINT: u64 = 0x35;
    pub const BRK: u64 = 0x3C;
}

/// An ESR value: class, IL set, syndrome.
pub const fn esr(class: u64, iss: u64) -> Exception {
    Exception(class << 26 | 1 << 25 | iss)
}

/// The abort of an access, with a fault status code.
pub fn abort(core: &mut Core<Arm64>, va: u64, want: Want, status: u64) -> Raised {
    let x = match want {
        Want::Exec => esr(class::INSTRUCTION_ABORT, status),
        Want::Read => esr(class::DATA_ABORT, status),
        Want::Write => esr(class::DATA_ABORT, status | 1 << 6),
    };
    core.raise_now(x, va)
}

/// Leaves an alignment fault.
pub fn misaligned(core: &mut Core<Arm64>, va: u64, want: Want) -> Raised {
    match want {
        Want::Exec => core.raise_now(esr(class::PC_ALIGNMENT, 0), va),
        _ => abort(core, va, want, 0x21),
    }
}

/// Leaves a synchronous external abort.
pub fn unanswered(core: &mut Core<Arm64>, va: u64, want: Want) -> Raised {
    abort(core, va, want, 0x10)
}

/// Where in the vector table an exception goes: offset of its group plus of its kind.
fn vector(core: &Core<Arm64>, kind: u64) -> u64 {
    let m = core.reg(state::MODE);
    let group = match (m >> 2 & 3, m & 1) {
        (0, _) => 0x400,
        (_, 0) => 0x000,
        _ => 0x200,
    };
    core.reg(sr::VBAR_EL1).wrapping_add(group + kind)
}

/// PSTATE as SPSR holds it.
pub fn spsr(core: &Core<Arm64>) -> u32 {
    nzcv::to_psr(core.reg(state::NZCV)) | core.reg(state::PSTATE) | core.reg(state::MODE)
}

/// Enters EL1 at a vector.
fn enter(core: &mut Core<Arm64>, kind: u64, return_to: u64) {
    let to = vector(core, kind);
    debug::enter(core);
    let saved = spsr(core);
    core.set(sr::SPSR_EL1, saved as u64);
    core.set(sr::ELR_EL1, return_to);
    let mut p = core.reg(state::PSTATE) | pstate::DAIF;
    p &= !(pstate::BTYPE | 1 << pstate::SS | 1 << pstate::IL | 1 << pstate::UAO);
    let s = core.reg(sr::SCTLR_EL1);
    if core.features & feat::PAN != 0 && s & sctlr::SPAN == 0 {
        p |= 1 << pstate::PAN;
    }
    if core.features & feat::SSBS != 0 {
        p = p & !(1 << pstate::SSBS) | if s & sctlr::DSSBS != 0 { 1 << pstate::SSBS } else { 0 };
    }
    core.set(state::PSTATE, p);
    context::set_mode(core, 0b0101);
    core.set_pc(to);
}

/// So many exceptions of a vector's own first instruction, taken to that vector with no instruction between them, are
/// a loop that the processor cannot leave by itself: interrupts have been masked since the first one.
pub const FOR_EVER: u32 = 1 << 20;

/// Counts exceptions that lead to themselves; at [`FOR_EVER`] the engine is asked to return.
fn count_stuck(core: &mut Core<Arm64>, to: u64) {
    if core.pc() != to || core.reg(state::MODE) & 0xD != 5 {
        core.arch.stuck = 0;
        return;
    }
    core.arch.stuck = core.arch.stuck.saturating_add(1);
    if core.arch.stuck == FOR_EVER {
        core.attention.set(Attention::STOP);
    }
}

/// Takes the raised exception to EL1.
pub fn deliver(core: &mut Core<Arm64>) {
    let Exception(mut x) = core.raised;
    let class = x >> 26;
    let from_user = core.reg(state::MODE) >> 2 & 3 == 0;
    let both = matches!(
        class,
        class::INSTRUCTION_ABORT | class::DATA_ABORT | class::BREAKPOINT | class::STEP | class::WATCHPOINT
    );
    if both && from_user {
        x -= 1 << 26;
    }
    if matches!(class, class::INSTRUCTION_ABORT | class::DATA_ABORT | class::PC_ALIGNMENT | class::WATCHPOINT)
    {
        core.set(sr::FAR_EL1, core.raised_va);
    }
    log::debug!(
        target: "int",
        "cpu {} exception class {class:#x} esr {x:#x} pc {:#x} far {:#x}",
        core.index, core.pc(), core.raised_va
    );
    if class == class::UNKNOWN && core.trace.shows(DebugItems::UNIMP) {
        show_undefined(core);
    }
    core.set(sr::ESR_EL1, x);
    if class == class::SVC {
        // The instruction is done: it counts as stepped.
        debug::advance(core);
    }
    let pc = core.pc();
    count_stuck(core, vector(core, 0));
    enter(core, 0x000, if class == class::SVC { pc.wrapping_add(4) } else { pc });
}

/// Shows the instruction at the PC, which does not exist here.
#[cold]
fn show_undefined(core: &mut Core<Arm64>) {
    let (pc, user) = (core.pc(), core.reg(state::MODE) >> 2 & 3 == 0);
    let page = super::walk::peek(core, pc, user).and_then(|pa| core.bus.ram(pa));
    let word = page.and_then(|(ram, _)| core.ram.read::<u32>(ram | pc & !PAGE_MASK).ok());
    let text = word.map_or_else(
        || "unreadable".into(),
        |word| core.trace.instruction(&word.to_le_bytes(), pc, core.mode),
    );
    log::debug!(target: "unimp", "cpu {} undefined instruction {text}", core.index);
}

/// Takes a pending interrupt that PSTATE admits.
pub fn interrupt(core: &mut Core<Arm64>) -> bool {
    let ready = core.requests();
    if ready & Attention::MAIL != 0 {
        super::maintenance::receive(core);
    }
    let kind = if ready & Attention::FIQ != 0 {
        0x100
    } else if ready & Attention::IRQ != 0 {
        0x080
    } else {
        return false;
    };
    log::debug!(target: "int", "cpu {} interrupt {kind:#x} pc {:#x}", core.index, core.pc());
    let pc = core.pc();
    enter(core, kind, pc);
    true
}

/// ERET: restores PSTATE from SPSR_EL1 and goes to the first argument. An illegal return keeps the level and sets IL.
pub static RETURN: Helper<Arm64> = Helper { name: "exception_return", effects: Effects::ENDS, run: leave };

fn leave(core: &mut Core<Arm64>, to: u64, _: u64, _: u64) -> Result<u64, Raised> {
    let saved = core.reg(sr::SPSR_EL1) as u32;
    let m = saved & 0x1F;
    // AArch32 states, EL2 and EL3 do not exist here; EL0 has only its own stack pointer.
    let legal = matches!(m, 0b0000 | 0b0100 | 0b0101);
    let ss = debug::step_on_return(core, saved);
    let mut p = saved & pstate::KEPT & !(1 << pstate::SS) | ss;
    for (bit, needs) in [
        (pstate::PAN, feat::PAN),
        (pstate::UAO, feat::UAO),
        (pstate::SSBS, feat::SSBS),
        (pstate::DIT, feat::DIT),
    ] {
        if core.features & needs == 0 {
            p &= !(1 << bit);
        }
    }
    // The first instruction clears BTYPE, so it is looked at here.
    let btype = if core.features & feat::BTI != 0 { u64::from((p & pstate::BTYPE) >> 10) } else { 0 };
    p &= !pstate::BTYPE;
    if !legal {
        p |= 1 << pstate::IL;
    }
    core.set(state::NZCV, nzcv::from_psr(saved));
    core.set(state::PSTATE, p);
    core.set(state::EXCL_ADDR, state::NO_MONITOR);
    debug::leave(core);
    let m = if legal { m } else { core.reg(state::MODE) };
    log::debug!(target: "int", "cpu {} returns to {to:#x} with pstate {saved:#x}", core.index);
    context::set_mode(core, m);
    core.set_pc(to);
    if btype != 0 { landed(core, to, btype) } else { Ok(0) }
}

/// A branch by register where guarded pages are in use: arguments are the target and the BTYPE it leaves. If the
/// target's page is guarded and its instruction is no landing pad for the type, the Branch Target exception is taken
/// from the target.
pub static GUARDED_BRANCH: Helper<Arm64> =
    Helper { name: "guarded_branch", effects: Effects::ENDS, run: guarded_branch };

fn guarded_branch(core: &mut Core<Arm64>, to: u64, btype: u64, _: u64) -> Result<u64, Raised> {
    core.set_pc(to);
    landed(core, to, btype)
}

/// Looks at where a branch of a type, or an exception return with one in SPSR.BTYPE, has led.
fn landed(core: &mut Core<Arm64>, to: u64, btype: u64) -> Result<u64, Raised> {
    if to & 3 != 0 {
        return Ok(0);
    }
    // A target that cannot be fetched faults when it is fetched.
    let Ok(ram) = core.fetch(to) else { return Ok(0) };
    let Ok(word) = core.ram.read::<u32>(ram) else { return Ok(0) };
    // BT0 and BT1: PACIASP and PACIBSP are no landing for jumps.
    let strict = if core.reg(state::MODE) >> 2 & 3 == 0 { sctlr::BT0 } else { sctlr::BT1 };
    if core.arch.guarded_page && !is_landing(word, btype, core.reg(sr::SCTLR_EL1) & strict != 0) {
        let p = core.reg(state::PSTATE) & !pstate::BTYPE;
        core.set(state::PSTATE, p | (btype as u32) << 10);
        return Err(core.raise_now(esr(class::BTI, btype), 0));
    }
    Ok(0)
}

/// Whether an instruction accepts a branch of a type (DDI 0487 D8.4.6): BTI with a matching target, PACIASP and
/// PACIBSP for calls and jumps through X16 and X17, and for others unless `strict`, BRK and HLT always.
fn is_landing(word: u32, btype: u64, strict: bool) -> bool {
    match word {
        0xD503_233F | 0xD503_237F => btype != 3 || !strict,
        0xD503_245F => btype != 3,
        0xD503_249F => btype != 2,
        0xD503_24DF => true,
        _ => word & 0xFFE0_001F == 0xD420_0000 || word & 0xFFE0_001F == 0xD440_0000,
    }
}
