//! IRET in all modes (SDM vol. 2, IRET; vol. 3, 7.13.4 and 22.2.2).

use super::control::cr4;
use super::emit::fault;
use super::far::{Return, go_back};
use super::flags::eflags;
use super::insn::seg;
use super::segment::{self, Segment};
use super::system::Stack;
use super::{X64, context, debug, features as f, gate, mode, state, task};
use crate::core::{Core, Raised};
use crate::emit::{Effects, Helper};

/// IRET: log2 of the operand size.
pub static IRET: Helper<X64> = Helper { name: "iret", effects: Effects::ENDS, run: iret };

/// The bits of EFLAGS that a level may load with an operand size.
fn loadable(core: &Core<X64>, log2: u32) -> u32 {
    let cpl = mode::cpl(core.mode);
    let iopl = core.reg(state::EFLAGS) >> 12 & 3;
    let mut mask = eflags::ARITHMETIC | eflags::TF | eflags::DF | eflags::NT;
    if log2 > 1 {
        mask |= eflags::RF | eflags::AC | eflags::ID;
    }
    if cpl == 0 {
        mask |= eflags::IOPL;
        if log2 > 1 {
            mask |= eflags::VIF | eflags::VIP;
        }
    }
    if cpl <= iopl {
        mask |= eflags::IF;
    }
    // The 80286 has no IOPL and NT in real mode.
    if core.features & f::I386 == 0 && core.mode & mode::PE == 0 {
        mask &= !(eflags::IOPL | eflags::NT);
    }
    // Nothing looks at RF without breakpoints.
    if !debug::breaks_armed(core) {
        mask &= !eflags::RF;
    }
    mask
}

fn load_flags(core: &mut Core<X64>, new: u64, mask: u32) {
    let old = context::eflags(core);
    context::set_eflags(core, old & !mask & !eflags::RF | new as u32 & mask);
    core.arch.resumed = false;
}

fn iret(core: &mut Core<X64>, log2: u64, _: u64, _: u64) -> Result<u64, Raised> {
    let log2 = log2 as u32;
    if mode::is_protected(core.mode) {
        protected(core, log2)?;
    } else {
        real(core, log2)?;
    }
    core.set(state::BLOCKED, core.reg(state::BLOCKED) & !state::blocked::NMI);
    context::refresh_masks(core);
    Ok(0)
}

/// Real and virtual-8086 mode.
fn real(core: &mut Core<X64>, log2: u32) -> Result<(), Raised> {
    let iopl = core.reg(state::EFLAGS) >> 12 & 3;
    let extended = core.mode & mode::VM != 0 && iopl < 3;
    if extended && (core.reg(state::CR4) & cr4::VME == 0 || log2 != 1) {
        return Err(core.raise_now(fault::GP0, 0));
    }
    let mut stack = Stack::current(core);
    let ip = stack.pop(core, log2)?;
    let selector = stack.pop(core, log2)? as u16;
    let flags = stack.pop(core, log2)?;
    let cs = segment::real(core, seg::CS, selector);
    if ip > cs.limit as u64 {
        return Err(core.raise_now(fault::GP0, 0));
    }
    if extended {
        let interrupts = flags as u32 & eflags::IF != 0;
        let pending = core.reg(state::EFLAGS) & eflags::VIP != 0;
        if flags as u32 & eflags::TF != 0 || interrupts && pending {
            return Err(core.raise_now(fault::GP0, 0));
        }
        let vif = if interrupts { eflags::VIF } else { 0 };
        let mask = loadable(core, 1) & !(eflags::IF | eflags::IOPL) | eflags::VIF;
        load_flags(core, flags & 0xFFFF & !(eflags::VIF as u64) | vif as u64, mask);
    } else {
        let mut mask = loadable(core, log2);
        if core.mode & mode::VM != 0 {
            mask &= !(eflags::IOPL | eflags::VIF | eflags::VIP);
        }
        load_flags(core, flags, mask);
    }
    stack.commit(core);
    segment::put(core, seg::CS, cs);
    context::refresh(core);
    gate::go(core, ip);
    Ok(())
}

fn protected(core: &mut Core<X64>, log2: u32) -> Result<(), Raised> {
    let long = core.mode & mode::LMA != 0;
    if core.reg(state::EFLAGS) & eflags::NT != 0 {
        if long {
            return Err(core.raise_now(fault::GP0, 0));
        }
        return task::back(core);
    }
    let mut stack = Stack::current(core);
    let ip = stack.pop(core, log2)?;
    let selector = stack.pop(core, log2)? as u16;
    let flags = stack.pop(core, log2)?;
    if !long && log2 == 2 && flags as u32 & eflags::VM != 0 && mode::cpl(core.mode) == 0 {
        return to_virtual_8086(core, stack, ip, selector, flags as u32);
    }
    let mask = loadable(core, log2);
    let always_stack = mode::is_64(core.mode);
    let r = Return { stack, ip, selector, always_stack, extra: 0, log2 };
    go_back(core, r, |core| load_flags(core, flags, mask))
}

fn to_virtual_8086(
    core: &mut Core<X64>,
    mut stack: Stack,
    ip: u64,
    cs: u16,
    flags: u32,
) -> Result<(), Raised> {
    let sp = stack.pop(core, 2)?;
    let ss = stack.pop(core, 2)? as u16;
    let mut data = [0u16; 4];
    for selector in &mut data {
        *selector = stack.pop(core, 2)? as u16;
    }
    if ip > 0xFFFF {
        return Err(core.raise_now(fault::GP0, 0));
    }
    core.arch.resumed = false;
    context::set_eflags(core, flags | eflags::VM);
    core.set(state::CPL, 3);
    let all = [seg::ES, seg::DS, seg::FS, seg::GS].into_iter().zip(data);
    for (s, selector) in all.chain([(seg::CS, cs), (seg::SS, ss)]) {
        segment::put(core, s, Segment::real(selector, 3));
    }
    core.set(state::RSP, sp & 0xFFFF_FFFF);
    context::refresh(core);
    gate::go(core, ip);
    Ok(())
}
