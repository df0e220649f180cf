//! System calls that need no gate: SYSCALL, SYSRET, SYSENTER, SYSEXIT; SWAPGS (SDM vol. 2; vol. 3, 6.8.7 and 6.8.8).
//!
//! SYSCALL also exists in compatibility and legacy mode, as on AMD's processors.

use super::control::efer;
use super::emit::fault;
use super::flags::eflags;
use super::insn::seg;
use super::segment::{self, Segment};
use super::{X64, context, mode, state, system};
use crate::core::{Core, Raised};
use crate::emit::{Effects, Helper};

/// A flat segment of a level; code of 32 or 64 bits, or data.
fn flat(selector: u16, dpl: u32, kind: u32) -> Segment {
    const PLAIN: u32 = 1 << 4 | 1 << 7 | segment::G | 1;
    Segment { selector, base: 0, limit: u32::MAX, attributes: PLAIN | dpl << 5 | kind }
}
const CODE_64: u32 = 0xA | segment::L;
const CODE_32: u32 = 0xA | segment::DB;
const DATA: u32 = 0x2 | segment::DB;

fn enter(core: &mut Core<X64>, cs: u16, ss: u16, level: u32, code: u32) {
    core.set(state::CPL, level);
    segment::put(core, seg::CS, flat(cs, level, code));
    segment::put(core, seg::SS, flat(ss, level, DATA));
}

const RCX: u8 = 1;
const RDX: u8 = 2;
const R11: u8 = 11;

/// SYSCALL: the address of the next instruction as an offset in CS.
pub static SYSCALL: Helper<X64> = Helper { name: "syscall", effects: Effects::ENDS, run: syscall };

fn syscall(core: &mut Core<X64>, next_ip: u64, _: u64, _: u64) -> Result<u64, Raised> {
    if core.reg(state::EFER) & efer::SCE == 0 || core.mode & mode::PE == 0 {
        return Err(core.raise_now(fault::UD, 0));
    }
    let star = core.reg(state::STAR);
    let cs = (star >> 32) as u16 & !3;
    let flags = context::eflags(core) & !eflags::RF;
    core.set(state::gpr(RCX), next_ip);
    if core.mode & mode::LMA != 0 {
        let target = core.reg(if mode::is_64(core.mode) { state::LSTAR } else { state::CSTAR });
        core.set(state::gpr(R11), flags as u64);
        context::set_eflags(core, flags & !(core.reg(state::FMASK) as u32));
        enter(core, cs, cs.wrapping_add(8), 0, CODE_64);
        context::refresh_level(core);
        core.set_pc(target);
    } else {
        context::set_eflags(core, flags & !(eflags::IF | eflags::VM));
        enter(core, cs, cs.wrapping_add(8), 0, CODE_32);
        context::refresh(core);
        core.set_pc(star & 0xFFFF_FFFF);
    }
    Ok(0)
}

/// SYSRET: log2 of the operand size.
pub static SYSRET: Helper<X64> = Helper { name: "sysret", effects: Effects::ENDS, run: sysret };

fn sysret(core: &mut Core<X64>, log2: u64, _: u64, _: u64) -> Result<u64, Raised> {
    if core.reg(state::EFER) & efer::SCE == 0 || core.mode & mode::PE == 0 {
        return Err(core.raise_now(fault::UD, 0));
    }
    let to = core.reg(state::gpr(RCX));
    if mode::cpl(core.mode) != 0 || log2 == 3 && !system::is_canonical(core, to) {
        return Err(core.raise_now(fault::GP0, 0));
    }
    let base = (core.reg(state::STAR) >> 48) as u16;
    if core.mode & mode::LMA != 0 {
        context::set_eflags(core, core.reg(state::gpr(R11)) as u32 & 0x003C_7FD7);
    } else {
        context::set_eflags(core, context::eflags(core) | eflags::IF);
    }
    if log2 == 3 {
        enter(core, base.wrapping_add(16) | 3, base.wrapping_add(8) | 3, 3, CODE_64);
    } else {
        enter(core, base | 3, base.wrapping_add(8) | 3, 3, CODE_32);
    }
    if core.mode & mode::LMA != 0 {
        context::refresh_level(core)
    } else {
        context::refresh(core)
    }
    core.set_pc(if log2 == 3 { to } else { to & 0xFFFF_FFFF });
    Ok(0)
}

/// SYSENTER.
pub static SYSENTER: Helper<X64> = Helper { name: "sysenter", effects: Effects::ENDS, run: sysenter };

fn sysenter(core: &mut Core<X64>, _: u64, _: u64, _: u64) -> Result<u64, Raised> {
    let cs = core.reg(state::SYSENTER_CS) as u16;
    if core.mode & mode::PE == 0 || cs & !3 == 0 {
        return Err(core.raise_now(fault::GP0, 0));
    }
    let long = core.mode & mode::LMA != 0;
    let flags = context::eflags(core) & !(eflags::VM | eflags::IF | eflags::RF);
    context::set_eflags(core, flags);
    let cs = cs & !3;
    enter(core, cs, cs.wrapping_add(8), 0, if long { CODE_64 } else { CODE_32 });
    let cut = if long { u64::MAX } else { 0xFFFF_FFFF };
    core.set(state::RSP, core.reg(state::SYSENTER_ESP) & cut);
    context::refresh(core);
    core.set_pc(core.reg(state::SYSENTER_EIP) & cut);
    Ok(0)
}

/// SYSEXIT: log2 of the operand size.
pub static SYSEXIT: Helper<X64> = Helper { name: "sysexit", effects: Effects::ENDS, run: sysexit };

fn sysexit(core: &mut Core<X64>, log2: u64, _: u64, _: u64) -> Result<u64, Raised> {
    let cs = core.reg(state::SYSENTER_CS) as u16;
    let (sp, to) = (core.reg(state::gpr(RCX)), core.reg(state::gpr(RDX)));
    let bad = log2 == 3 && !(system::is_canonical(core, sp) && system::is_canonical(core, to));
    if core.mode & mode::PE == 0 || cs & !3 == 0 || mode::cpl(core.mode) != 0 || bad {
        return Err(core.raise_now(fault::GP0, 0));
    }
    let (cs, ss, code, cut) = if log2 == 3 {
        (cs.wrapping_add(32), cs.wrapping_add(40), CODE_64, u64::MAX)
    } else {
        (cs.wrapping_add(16), cs.wrapping_add(24), CODE_32, 0xFFFF_FFFF)
    };
    enter(core, cs | 3, ss | 3, 3, code);
    core.set(state::RSP, sp & cut);
    context::refresh(core);
    core.set_pc(to & cut);
    Ok(0)
}
