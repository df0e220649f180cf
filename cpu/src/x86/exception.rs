//! Exceptions and interrupts: which are taken when, and what becomes of those that cannot be taken (SDM vol. 3,
//! chapter 7). How they reach their handler is in [`super::gate`].

use super::flags::eflags;
use super::gate::{self, Event, Kind};
use super::{X64, context, debug, maintenance, mode, smm, state};
use crate::core::{Attention, Core, Raised};
use crate::emit::Exception;
use crate::trace::DebugItems;
use state::blocked;

/// No exception: the PC was put right, and the instruction is fetched again.
pub const FETCH_AGAIN: Exception = Exception(0xFF);

/// Vector of #DB.
pub const DB: u8 = 1;
/// Vector of the NMI.
pub const NMI: u8 = 2;
const UD: u8 = 6;
const DOUBLE_FAULT: u8 = 8;
const PAGE_FAULT: u8 = 14;

/// The vector and error code of a raised exception.
fn parts(x: Exception) -> (u8, Option<u32>) {
    let code = (x.0 & 1 << 8 != 0).then_some((x.0 >> 16) as u32 & 0xFFFF);
    (x.0 as u8, code)
}

/// How exceptions during the delivery of others combine (SDM vol. 3, table 7-4).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Benign,
    Contributory,
    PageFault,
    DoubleFault,
}

fn class(vector: u8) -> Class {
    match vector {
        0 | 10..=13 => Class::Contributory,
        PAGE_FAULT => Class::PageFault,
        DOUBLE_FAULT => Class::DoubleFault,
        _ => Class::Benign,
    }
}

/// Takes the raised exception.
pub fn deliver(core: &mut Core<X64>) {
    if core.raised == FETCH_AGAIN {
        return;
    }
    let (vector, code) = parts(core.raised);
    if vector == UD && core.trace.shows(DebugItems::UNIMP) {
        show_undefined(core);
    }
    // What was stepped did not happen.
    core.arch.trap = false;
    core.set(state::DEBUG_PENDING, 0);
    let resume = vector != DB;
    let event = Event { vector, code, kind: Kind::Exception, return_to: gate::ip(core), resume };
    deliver_event(core, event);
}

/// Delivers an event, and whatever exceptions that leads to.
pub fn deliver_event(core: &mut Core<X64>, mut event: Event) {
    let mut first = if event.kind == Kind::Exception { class(event.vector) } else { Class::Benign };
    loop {
        if event.vector == PAGE_FAULT && event.kind == Kind::Exception {
            core.set(state::CR2, core.raised_va);
        }
        if core.trace.shows(DebugItems::INT) || log::log_enabled!(target: "int", log::Level::Debug) {
            log::debug!(
                target: "int",
                "cpu {} {:?} vector {:#04x} code {:x?} at {:#x} cs {:#06x} cpl {} va {:#x}",
                core.index, event.kind, event.vector, event.code, core.pc(),
                core.reg(state::selector(super::insn::seg::CS)), mode::cpl(core.mode), core.raised_va
            );
        }
        if gate::enter(core, event).is_ok() {
            return;
        }
        let (vector, code) = parts(core.raised);
        // EXT: it is not the program's doing.
        let external = event.kind != Kind::Software && (10..=13).contains(&vector);
        let code = code.map(|c| c | u32::from(external));
        let second = class(vector);
        let double = match first {
            Class::Benign => false,
            Class::Contributory => second == Class::Contributory,
            Class::PageFault => second == Class::Contributory || second == Class::PageFault,
            Class::DoubleFault => return shut_down(core),
        };
        let return_to = gate::ip(core);
        event = if double {
            Event { vector: DOUBLE_FAULT, code: Some(0), kind: Kind::Exception, return_to, resume: false }
        } else {
            Event { vector, code, kind: Kind::Exception, return_to, resume: true }
        };
        first = class(event.vector);
    }
}

/// A triple fault, or a state that is none: the processor stops and the board resets it.
pub(super) fn shut_down(core: &mut Core<X64>) {
    log::debug!(target: "cpu_reset", "Triple fault\n{}", super::describe::registers(core));
    core.set(state::BLOCKED, core.reg(state::BLOCKED) | blocked::SHUTDOWN);
    core.halted = true;
    core.attention.set(Attention::STOP);
    context::refresh_masks(core);
    let platform = std::sync::Arc::clone(&core.arch.platform);
    platform.triple_fault(core.index);
}

/// Requests that end a wait of this processor.
pub fn wakes(core: &Core<X64>) -> u32 {
    core.reg(state::POLL_MASK) & (Attention::IRQ | Attention::NMI | Attention::SMI)
}

/// Interrupts wait until the instruction behind this one, of `len` bytes, is done. `stack`: debug traps do, too.
pub fn shadow(core: &mut Core<X64>, len: u64, stack: bool) {
    core.set(state::SHADOW, core.pc().wrapping_add(len));
    if stack && core.mode & (mode::STEP | mode::WATCH) != 0 {
        core.set(state::BLOCKED, core.reg(state::BLOCKED) | blocked::STACK);
    }
}

/// Takes a pending interrupt that the state admits.
pub fn interrupt(core: &mut Core<X64>) -> bool {
    let ready = core.requests();
    if ready & Attention::MAIL != 0 {
        maintenance::receive(core);
    }
    if core.reg(state::BLOCKED) & blocked::SHUTDOWN != 0 {
        core.halted = true;
        return false;
    }
    let ready = core.requests() & (Attention::IRQ | Attention::NMI | Attention::SMI);
    if ready == 0 {
        return false;
    }
    if ready & Attention::SMI != 0 {
        core.attention.clear(Attention::SMI);
        core.halted = false;
        smm::enter(core);
        return true;
    }
    if core.pc() == core.reg(state::SHADOW) {
        // The next instruction runs alone.
        core.set(state::SHADOW, state::NO_SHADOW);
        core.set(state::BLOCKED, core.reg(state::BLOCKED) | blocked::SHADOW);
        context::refresh(core);
        return false;
    }
    core.set(state::BLOCKED, core.reg(state::BLOCKED) & !blocked::WAITING);
    let vector = if ready & Attention::NMI != 0 {
        core.attention.clear(Attention::NMI);
        core.set(state::BLOCKED, core.reg(state::BLOCKED) | blocked::NMI);
        NMI
    } else {
        let platform = std::sync::Arc::clone(&core.arch.platform);
        match platform.acknowledge(core.index) {
            Some(vector) => vector,
            None => return false,
        }
    };
    core.halted = false;
    let return_to = gate::ip(core);
    deliver_event(core, Event { vector, code: None, kind: Kind::External, return_to, resume: false });
    true
}

/// After an instruction in a watched mode, or its exception: shadows end, debug traps are taken.
pub fn after(core: &mut Core<X64>) {
    let mut b = core.reg(state::BLOCKED);
    let stack = b & blocked::STACK != 0;
    if b & (blocked::SHADOW | blocked::STACK) != 0 {
        b &= !(blocked::SHADOW | blocked::STACK);
        core.set(state::BLOCKED, b);
    }
    if core.arch.resumed {
        core.arch.resumed = false;
        core.set(state::EFLAGS, core.reg(state::EFLAGS) & !eflags::RF);
    }
    context::refresh(core);
    let mut met = core.reg(state::DEBUG_PENDING);
    if core.arch.trap {
        met |= debug::BS;
    }
    if met != 0 && !stack {
        core.arch.trap = false;
        core.set(state::DEBUG_PENDING, 0);
        debug::trap(core, met);
    }
}

/// Shows the instruction at the PC, which does not exist here.
#[cold]
fn show_undefined(core: &Core<X64>) {
    let pc = core.pc();
    let mut bytes = [0u8; 15];
    let room = (0x1000 - (pc as usize & 0xFFF)).min(15);
    let page = super::walk::peek(core, pc).and_then(|pa| core.bus.ram(pa));
    if let Some((ram, _)) = page
        && core.ram.read_bytes(ram | pc & 0xFFF, &mut bytes[..room]).is_ok()
    {
        log::debug!(target: "unimp", "cpu {} undefined instruction at {pc:#x}: {:02x?}", core.index, &bytes[..room]);
    }
}

/// Leaves an exception for later and says so.
pub fn raise(core: &mut Core<X64>, x: Exception) -> Raised {
    core.raise_now(x, 0)
}
