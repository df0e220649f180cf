//! Far CALL, JMP and RET (SDM vol. 2 at those instructions; vol. 3, 6.8): in the real and virtual-8086 modes, to
//! code segments, through call gates of 16, 32 and 64 bits, and to tasks.

use super::emit::fault;
use super::insn::seg;
use super::segment::{self, Descriptor, GP, NP, Segment, fail};
use super::system::{self, Stack};
use super::{X64, context, gate, mode, state, task};
use crate::core::{Core, Raised};
use crate::emit::{Effects, Helper};
use crate::width::W64;

/// Operand of [`TRANSFER`]: the instruction's length in bits 7:0, log2 of the operand size in 11:8, bit 12 a call.
pub const fn how(len: u8, osize: u32, call: bool) -> u64 {
    len as u64 | (osize as u64) << 8 | (call as u64) << 12
}

/// Far CALL and JMP: the selector, the offset, [`how`].
pub static TRANSFER: Helper<X64> = Helper { name: "far_transfer", effects: Effects::ENDS, run: transfer };

/// The part of an instruction pointer that an operand size has.
fn cut(x: u64, log2: u32) -> u64 {
    match log2 {
        1 => x & 0xFFFF,
        2 => x & 0xFFFF_FFFF,
        _ => x,
    }
}

fn transfer(core: &mut Core<X64>, selector: u64, offset: u64, how: u64) -> Result<u64, Raised> {
    let (selector, log2, call) = (selector as u16, (how >> 8 & 15) as u32, how >> 12 & 1 != 0);
    let (ip, next) = (cut(offset, log2), gate::ip(core).wrapping_add(how & 0xFF));
    if !mode::is_protected(core.mode) {
        let cs = segment::real(core, seg::CS, selector);
        if ip > cs.limit as u64 {
            return Err(core.raise_now(fault::GP0, 0));
        }
        if call {
            push_return(core, log2, next)?;
        }
        segment::put(core, seg::CS, cs);
        context::refresh(core);
        gate::go(core, ip);
        return Ok(0);
    }
    if selector & !3 == 0 {
        return Err(core.raise_now(fault::GP0, 0));
    }
    let d = segment::read(core, selector, GP)?;
    let cpl = mode::cpl(core.mode);
    if d.segment.is_code() {
        let s = d.segment;
        let fits = if s.is_conforming() { s.dpl() <= cpl } else { s.rpl() <= cpl && s.dpl() == cpl };
        if !fits {
            return Err(fail(core, GP, selector));
        }
        return to_code(core, d, ip, call.then_some((log2, next)));
    }
    let long = core.mode & mode::LMA != 0;
    let s = d.segment;
    let gate_or_tss = match s.kind() {
        12 => true,
        1 | 4 | 5 | 9 => !long,
        _ => false,
    };
    if !gate_or_tss || s.dpl() < cpl || s.dpl() < s.rpl() {
        return Err(fail(core, GP, selector));
    }
    if !s.is_present() {
        return Err(fail(core, NP, selector));
    }
    let why = if call { task::Why::Call } else { task::Why::Jump };
    match s.kind() {
        1 | 9 => task::switch(core, selector, why, next, None)?,
        5 => {
            let tss = (d.raw >> 16) as u16;
            task::switch(core, tss, why, next, None)?;
        }
        _ => through_gate(core, d, next, call)?,
    }
    Ok(0)
}

fn push_return(core: &mut Core<X64>, log2: u32, next: u64) -> Result<(), Raised> {
    let mut stack = Stack::current(core);
    stack.push(core, log2, core.reg(state::selector(seg::CS)) as u64)?;
    stack.push(core, log2, next)?;
    stack.commit(core);
    Ok(())
}

/// Checks an instruction pointer against its code segment.
fn check_ip(core: &mut Core<X64>, cs: Segment, ip: u64) -> Result<(), Raised> {
    let long = core.mode & mode::LMA != 0 && cs.is_long();
    let bad = if long { !system::is_canonical(core, ip) } else { ip > cs.limit as u64 };
    if bad { Err(core.raise_now(fault::GP0, 0)) } else { Ok(()) }
}

/// Goes to a code segment at the same level; with what a call pushes.
fn to_code(
    core: &mut Core<X64>,
    mut d: Descriptor,
    ip: u64,
    call: Option<(u32, u64)>,
) -> Result<u64, Raised> {
    let s = d.segment;
    if !s.is_present() {
        return Err(fail(core, NP, s.selector));
    }
    if core.mode & mode::LMA != 0 && s.is_long() && s.is_big() {
        return Err(fail(core, GP, s.selector));
    }
    check_ip(core, s, ip)?;
    segment::touch(core, &mut d)?;
    if let Some((log2, next)) = call {
        push_return(core, log2, next)?;
    }
    let cpl = mode::cpl(core.mode);
    let selector = s.selector & !3 | cpl as u16;
    segment::put(core, seg::CS, Segment { selector, ..d.segment });
    context::refresh(core);
    gate::go(core, ip);
    Ok(0)
}

/// Through a call gate.
fn through_gate(core: &mut Core<X64>, g: Descriptor, next: u64, call: bool) -> Result<(), Raised> {
    let long = core.mode & mode::LMA != 0;
    let wide = g.segment.kind() & 8 != 0;
    let log2 = if long {
        3
    } else if wide {
        2
    } else {
        1
    };
    let mut ip = g.raw & 0xFFFF | if wide { g.raw >> 32 & 0xFFFF_0000 } else { 0 };
    if long {
        let high = system::read::<W64>(core, g.at.wrapping_add(8))?;
        if high >> 40 & 0x1F != 0 {
            return Err(fail(core, GP, g.segment.selector));
        }
        ip |= high << 32;
    }
    let (selector, cpl) = ((g.raw >> 16) as u16, mode::cpl(core.mode));
    if selector & !3 == 0 {
        return Err(core.raise_now(fault::GP0, 0));
    }
    let mut d = segment::read(core, selector, GP)?;
    let s = d.segment;
    if !s.is_code() || s.dpl() > cpl || long && (!s.is_long() || s.is_big()) {
        return Err(fail(core, GP, selector));
    }
    if !s.is_present() {
        return Err(fail(core, NP, selector));
    }
    let inner = call && !s.is_conforming() && s.dpl() < cpl;
    if !inner {
        if !call && !s.is_conforming() && s.dpl() != cpl {
            return Err(fail(core, GP, selector));
        }
        return to_code(core, d, ip, call.then_some((log2, next))).map(|_| ());
    }
    check_ip(core, s, ip)?;
    let level = s.dpl();
    let old = Stack::current(core);
    let mut stack = if long {
        Stack::long(gate::long_stack(core, 4 + 8 * level)?, true)
    } else {
        gate::inner_stack(core, level)?
    };
    stack.push(core, log2, core.reg(state::selector(seg::SS)) as u64)?;
    stack.push(core, log2, core.reg(state::RSP))?;
    if !long {
        // Parameters, the one pushed first first.
        let count = g.raw >> 32 & 31;
        for n in (0..count).rev() {
            let mut from = old;
            from.skip(n << log2);
            let x = from.pop(core, log2)?;
            stack.push(core, log2, x)?;
        }
    }
    stack.push(core, log2, core.reg(state::selector(seg::CS)) as u64)?;
    stack.push(core, log2, next)?;
    segment::touch(core, &mut d)?;
    core.set(state::CPL, level);
    let ss = if long {
        Segment { attributes: segment::UNUSABLE | level << 5, ..Segment::null(level as u16) }
    } else {
        stack.segment
    };
    segment::put(core, seg::SS, ss);
    segment::put(core, seg::CS, Segment { selector: selector & !3 | level as u16, ..d.segment });
    stack.commit(core);
    context::refresh(core);
    gate::go(core, ip);
    Ok(())
}

/// What a return to protected mode goes back to.
pub struct Return {
    /// The stack behind what was popped.
    pub stack: Stack,
    /// Instruction pointer.
    pub ip: u64,
    /// CS.
    pub selector: u16,
    /// SS and stack pointer are popped even if the level stays.
    pub always_stack: bool,
    /// Bytes that are dropped from both stacks.
    pub extra: u64,
    /// Log2 of the operand size.
    pub log2: u32,
}

/// Returns to a code segment of the same or an outer level; `commit` runs when nothing faults any more, before the
/// level changes.
///
/// # Errors
/// With the exceptions of CS and SS, and nothing changed.
pub fn go_back(
    core: &mut Core<X64>,
    mut r: Return,
    commit: impl FnOnce(&mut Core<X64>),
) -> Result<(), Raised> {
    let cpl = mode::cpl(core.mode);
    if r.selector & !3 == 0 {
        return Err(core.raise_now(fault::GP0, 0));
    }
    let mut d = segment::read(core, r.selector, GP)?;
    let s = d.segment;
    let level = s.rpl();
    let fits = if s.is_conforming() { s.dpl() <= level } else { s.dpl() == level };
    let long = core.mode & mode::LMA != 0;
    if !s.is_code() || level < cpl || !fits || long && s.is_long() && s.is_big() {
        return Err(fail(core, GP, r.selector));
    }
    if !s.is_present() {
        return Err(fail(core, NP, r.selector));
    }
    r.stack.skip(r.extra);
    let mut outer = None;
    if level != cpl || r.always_stack {
        let sp = r.stack.pop(core, r.log2)?;
        let selector = r.stack.pop(core, r.log2)? as u16;
        let null = selector & !3 == 0 && long && s.is_long() && level != 3 && (selector & 3) as u32 == level;
        let ss = if null {
            Segment { attributes: segment::UNUSABLE | level << 5, ..Segment::null(selector) }
        } else {
            segment::read_stack(core, selector, level, GP)?
        };
        outer = Some((ss, sp));
    }
    check_ip(core, s, r.ip)?;
    segment::touch(core, &mut d)?;
    commit(core);
    core.set(state::CPL, level);
    segment::put(core, seg::CS, d.segment);
    match outer {
        Some((ss, sp)) => {
            segment::put(core, seg::SS, ss);
            let target_64 = long && s.is_long();
            let sp = sp.wrapping_add(r.extra);
            let old = core.reg(state::RSP);
            let sp = if target_64 {
                sp
            } else if ss.is_big() {
                sp & 0xFFFF_FFFF
            } else {
                old & !0xFFFF | sp & 0xFFFF
            };
            core.set(state::RSP, sp);
            if level != cpl {
                segment::drop_privileged(core, level);
            }
        }
        None => r.stack.commit(core),
    }
    context::refresh(core);
    gate::go(core, r.ip);
    Ok(())
}

/// Far RET: log2 of the operand size, the bytes to drop.
pub static RETURN: Helper<X64> = Helper { name: "far_return", effects: Effects::ENDS, run: far_return };

fn far_return(core: &mut Core<X64>, log2: u64, extra: u64, _: u64) -> Result<u64, Raised> {
    let log2 = log2 as u32;
    let mut stack = Stack::current(core);
    let ip = stack.pop(core, log2)?;
    let selector = stack.pop(core, log2)? as u16;
    if mode::is_protected(core.mode) {
        let r = Return { stack, ip, selector, always_stack: false, extra, log2 };
        go_back(core, r, |_| {})?;
        return Ok(0);
    }
    let cs = segment::real(core, seg::CS, selector);
    if ip > cs.limit as u64 {
        return Err(core.raise_now(fault::GP0, 0));
    }
    stack.skip(extra);
    stack.commit(core);
    segment::put(core, seg::CS, cs);
    context::refresh(core);
    gate::go(core, ip);
    Ok(0)
}
