//! How exceptions, interrupts and INT reach their handlers (SDM vol. 3, 7.10 to 7.14 and 22.1.4; virtual-8086 mode:
//! 22.2 and 22.3): the real-mode vector table, gates of 16 and 32 bits, task gates, the IDT of long mode with its
//! interrupt stack table.
//!
//! An event that cannot be delivered raises its exception with nothing changed but memory below the stack pointer.

use super::control::cr4;
use super::flags::eflags;
use super::insn::seg;
use super::segment::{self, GP, NP, Segment, TR, TS, fail};
use super::system::{self, Stack};
use super::{X64, context, features as f, mode, state, task};
use crate::core::{Core, Raised};
use crate::emit::{Effects, Helper};
use crate::width::{W8, W16, W32, W64};
use crate::x86::emit::fault;

/// Where an event comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An interrupt from outside.
    External,
    /// An exception, or ICEBP: gates are not protected from it.
    Exception,
    /// INT n, INT3 or INTO.
    Software,
}

/// Something that a gate is for.
#[derive(Clone, Copy, Debug)]
pub struct Event {
    /// Vector.
    pub vector: u8,
    /// Error code that is pushed.
    pub code: Option<u32>,
    /// Source.
    pub kind: Kind,
    /// The instruction pointer that is saved.
    pub return_to: u64,
    /// RF is saved as set: the instruction is to be restarted.
    pub resume: bool,
}

/// The instruction pointer: offset in CS.
pub fn ip(core: &Core<X64>) -> u64 {
    if mode::is_64(core.mode) {
        return core.pc();
    }
    core.pc().wrapping_sub(core.reg(state::base(seg::CS))) & 0xFFFF_FFFF
}

/// Goes to an offset in CS, which is already set.
pub fn go(core: &mut Core<X64>, ip: u64) {
    let base = core.reg(state::base(seg::CS));
    let pc = if mode::is_64(core.mode) { ip } else { base.wrapping_add(ip) & 0xFFFF_FFFF };
    core.set_pc(pc);
}

/// Delivers an event.
///
/// # Errors
/// With the exception that delivering it causes.
pub fn enter(core: &mut Core<X64>, event: Event) -> Result<(), Raised> {
    let m = core.mode;
    if m & mode::PE == 0 {
        real(core, event)
    } else if m & mode::LMA != 0 {
        long(core, event)
    } else {
        protected(core, event)
    }
}

/// The image of EFLAGS that is saved.
fn image(core: &Core<X64>, event: &Event) -> u32 {
    let flags = context::eflags(core);
    if event.resume && core.features & f::I386 != 0 { flags | eflags::RF } else { flags }
}

/// Clears flags in handlers.
fn clear_flags(core: &mut Core<X64>, bits: u32) {
    core.set(state::EFLAGS, core.reg(state::EFLAGS) & !bits);
}

fn real(core: &mut Core<X64>, event: Event) -> Result<(), Raised> {
    let offset = event.vector as u32 * 4;
    if offset + 3 > core.reg(state::IDT_LIMIT) {
        return Err(core.raise_now(fault::with_code(GP, event.vector as u64 * 8 + 2), 0));
    }
    let at = core.reg(state::IDT_BASE).wrapping_add(offset as u64);
    let pointer = system::read::<W32>(core, at)?;
    let mut stack = Stack::current(core);
    let flags = image(core, &event);
    stack.push(core, 1, super::control::old_flags(core, flags) as u64)?;
    stack.push(core, 1, core.reg(state::selector(seg::CS)) as u64)?;
    stack.push(core, 1, event.return_to)?;
    stack.commit(core);
    clear_flags(core, eflags::IF | eflags::TF | eflags::AC | eflags::RF);
    let cs = segment::real(core, seg::CS, (pointer >> 16) as u16);
    segment::put(core, seg::CS, cs);
    context::refresh(core);
    go(core, pointer as u64 & 0xFFFF);
    Ok(())
}

/// The stack that a TSS has for a level, as selector and stack pointer.
fn tss_stack(core: &mut Core<X64>, dpl: u32) -> Result<(u16, u64), Raised> {
    let tr = segment::get(core, TR);
    let wide = tr.kind() & 8 != 0;
    let offset = if wide { 4 + 8 * dpl } else { 2 + 4 * dpl };
    let last = offset + if wide { 5 } else { 3 };
    if tr.is_unusable() || last > tr.limit {
        return Err(fail(core, TS, tr.selector));
    }
    let at = tr.base.wrapping_add(offset as u64);
    if wide {
        Ok((system::read::<W16>(core, at.wrapping_add(4))?, system::read::<W32>(core, at)? as u64))
    } else {
        Ok((system::read::<W16>(core, at.wrapping_add(2))?, system::read::<W16>(core, at)? as u64))
    }
}

/// The stack of an inner level, checked, and what SS then holds.
///
/// # Errors
/// With #TS or #SS for a TSS or stack that does not serve.
pub fn inner_stack(core: &mut Core<X64>, dpl: u32) -> Result<Stack, Raised> {
    let (selector, sp) = tss_stack(core, dpl)?;
    let ss = segment::read_stack(core, selector, dpl, TS)?;
    Ok(Stack::new(core, ss, sp, true))
}

/// The stack pointer of an inner level in long mode, from the 64-bit TSS at an offset.
///
/// # Errors
/// With #TS if the TSS is too short, #SS if it is not canonical.
pub fn long_stack(core: &mut Core<X64>, offset: u32) -> Result<u64, Raised> {
    let tr = segment::get(core, TR);
    if tr.is_unusable() || offset + 7 > tr.limit {
        return Err(fail(core, TS, tr.selector));
    }
    let sp = system::read::<W64>(core, tr.base.wrapping_add(offset as u64))?;
    if !system::is_canonical(core, sp) {
        return Err(core.raise_now(fault::SS0, 0));
    }
    Ok(sp)
}

/// Whether V86 mode's INT n goes to the 8086 program's own handler: the bit of the redirection map below the I/O map.
fn redirected(core: &mut Core<X64>, vector: u8) -> Result<bool, Raised> {
    let tr = segment::get(core, TR);
    if tr.is_unusable() || tr.limit < 0x67 {
        return Err(core.raise_now(fault::GP0, 0));
    }
    let map = system::read::<W16>(core, tr.base.wrapping_add(0x66))? as u64;
    if map < 32 || map + 31 > tr.limit as u64 {
        return Err(core.raise_now(fault::GP0, 0));
    }
    let byte = system::read::<W8>(core, tr.base.wrapping_add(map - 32 + vector as u64 / 8))?;
    Ok(byte >> (vector % 8) & 1 == 0)
}

/// INT n of an 8086 program with VME, to its own vector table at linear address 0.
fn virtual_8086(core: &mut Core<X64>, event: Event) -> Result<(), Raised> {
    let pointer = {
        // The table is read with the program's rights.
        use crate::emit::{Access, Emitter};
        core.load::<W32>(Access::PLAIN, event.vector as u64 * 4)?
    };
    let iopl3 = core.reg(state::EFLAGS) & eflags::IOPL == eflags::IOPL;
    let mut flags = context::eflags(core);
    if !iopl3 {
        // The image has VIF in the place of IF and an IOPL of 3.
        let vif = flags & eflags::VIF != 0;
        flags = flags & !eflags::IF | eflags::IOPL | if vif { eflags::IF } else { 0 };
    }
    let mut stack = Stack::current(core);
    stack.push(core, 1, flags as u64)?;
    stack.push(core, 1, core.reg(state::selector(seg::CS)) as u64)?;
    stack.push(core, 1, event.return_to)?;
    stack.commit(core);
    clear_flags(core, eflags::TF | eflags::RF | if iopl3 { eflags::IF } else { eflags::VIF });
    segment::put(core, seg::CS, Segment::real((pointer >> 16) as u16, 3));
    context::refresh(core);
    go(core, pointer as u64 & 0xFFFF);
    Ok(())
}

fn protected(core: &mut Core<X64>, event: Event) -> Result<(), Raised> {
    let vector = event.vector as u32;
    let (index, cpl) = (fault::with_code(GP, vector as u64 * 8 + 2), mode::cpl(core.mode));
    if vector * 8 + 7 > core.reg(state::IDT_LIMIT) {
        return Err(core.raise_now(index, 0));
    }
    let raw = system::read::<W64>(core, core.reg(state::IDT_BASE).wrapping_add(vector as u64 * 8))?;
    let gate = Segment::of((raw >> 16) as u16, raw);
    let known = matches!(gate.kind(), 5 | 6 | 7 | 14 | 15);
    if !known || event.kind == Kind::Software && gate.dpl() < cpl {
        return Err(core.raise_now(index, 0));
    }
    if !gate.is_present() {
        return Err(core.raise_now(fault::with_code(NP, vector as u64 * 8 + 2), 0));
    }
    if gate.kind() == 5 {
        return task::through_gate(core, gate.selector, event);
    }
    let wide = gate.kind() & 8 != 0;
    let log2 = if wide { 2 } else { 1 };
    let target = raw & 0xFFFF | if wide { raw >> 32 & 0xFFFF_0000 } else { 0 };
    if gate.selector & !3 == 0 {
        return Err(core.raise_now(fault::GP0, 0));
    }
    let mut d = segment::read(core, gate.selector, GP)?;
    let cs = d.segment;
    if !cs.is_code() || cs.dpl() > cpl {
        return Err(fail(core, GP, gate.selector));
    }
    if !cs.is_present() {
        return Err(fail(core, NP, gate.selector));
    }
    let vm = core.mode & mode::VM != 0;
    let inner = !cs.is_conforming() && cs.dpl() < cpl;
    let level = if inner { cs.dpl() } else { cpl };
    if vm && level != 0 {
        return Err(fail(core, GP, gate.selector));
    }
    if target > cs.limit as u64 {
        return Err(core.raise_now(fault::GP0, 0));
    }
    let flags = image(core, &event);
    let mut stack = if inner { inner_stack(core, level)? } else { Stack::current(core) };
    if inner {
        if vm {
            for s in [seg::GS, seg::FS, seg::DS, seg::ES] {
                stack.push(core, log2, core.reg(state::selector(s)) as u64)?;
            }
        }
        stack.push(core, log2, core.reg(state::selector(seg::SS)) as u64)?;
        stack.push(core, log2, core.reg(state::RSP))?;
    }
    stack.push(core, log2, flags as u64)?;
    stack.push(core, log2, core.reg(state::selector(seg::CS)) as u64)?;
    stack.push(core, log2, event.return_to)?;
    if let Some(code) = event.code {
        stack.push(core, log2, code as u64)?;
    }
    segment::touch(core, &mut d)?;
    // Nothing faults from here on.
    clear_flags(
        core,
        eflags::TF | eflags::VM | eflags::RF | eflags::NT | if gate.kind() & 1 == 0 { eflags::IF } else { 0 },
    );
    core.set(state::CPL, level);
    if inner {
        if vm {
            for s in [seg::GS, seg::FS, seg::DS, seg::ES] {
                segment::put(core, s, Segment::null(0));
            }
        }
        segment::put(core, seg::SS, stack.segment);
    }
    let selector = gate.selector & !3 | level as u16;
    segment::put(core, seg::CS, Segment { selector, ..d.segment });
    stack.commit(core);
    context::refresh(core);
    go(core, target);
    Ok(())
}

fn long(core: &mut Core<X64>, event: Event) -> Result<(), Raised> {
    let vector = event.vector as u32;
    let (index, cpl) = (fault::with_code(GP, vector as u64 * 8 + 2), mode::cpl(core.mode));
    if vector * 16 + 15 > core.reg(state::IDT_LIMIT) {
        return Err(core.raise_now(index, 0));
    }
    let at = core.reg(state::IDT_BASE).wrapping_add(vector as u64 * 16);
    let raw = system::read::<W64>(core, at)?;
    let high = system::read::<W64>(core, at.wrapping_add(8))?;
    let gate = Segment::of((raw >> 16) as u16, raw);
    if !matches!(gate.kind(), 14 | 15) || event.kind == Kind::Software && gate.dpl() < cpl {
        return Err(core.raise_now(index, 0));
    }
    if !gate.is_present() {
        return Err(core.raise_now(fault::with_code(NP, vector as u64 * 8 + 2), 0));
    }
    let target = raw & 0xFFFF | raw >> 32 & 0xFFFF_0000 | high << 32;
    if gate.selector & !3 == 0 {
        return Err(core.raise_now(fault::GP0, 0));
    }
    let mut d = segment::read(core, gate.selector, GP)?;
    let cs = d.segment;
    if !cs.is_code() || cs.dpl() > cpl || !cs.is_long() || cs.is_big() {
        return Err(fail(core, GP, gate.selector));
    }
    if !cs.is_present() {
        return Err(fail(core, NP, gate.selector));
    }
    let inner = !cs.is_conforming() && cs.dpl() < cpl;
    let level = if inner { cs.dpl() } else { cpl };
    let ist = (raw >> 32 & 7) as u32;
    let sp = if ist != 0 {
        long_stack(core, 0x1C + 8 * ist)?
    } else if inner {
        long_stack(core, 4 + 8 * level)?
    } else {
        core.reg(state::RSP)
    };
    if !system::is_canonical(core, target) {
        return Err(core.raise_now(fault::GP0, 0));
    }
    let mut stack = Stack::long(sp & !0xF, inner || !mode::is_64(core.mode));
    let flags = image(core, &event);
    stack.push(core, 3, core.reg(state::selector(seg::SS)) as u64)?;
    stack.push(core, 3, core.reg(state::RSP))?;
    stack.push(core, 3, flags as u64)?;
    stack.push(core, 3, core.reg(state::selector(seg::CS)) as u64)?;
    stack.push(core, 3, event.return_to)?;
    if let Some(code) = event.code {
        stack.push(core, 3, code as u64)?;
    }
    segment::touch(core, &mut d)?;
    clear_flags(
        core,
        eflags::TF | eflags::VM | eflags::RF | eflags::NT | if gate.kind() & 1 == 0 { eflags::IF } else { 0 },
    );
    core.set(state::CPL, level);
    if inner {
        segment::put(
            core,
            seg::SS,
            Segment { attributes: segment::UNUSABLE | level << 5, ..Segment::null(level as u16) },
        );
    }
    let selector = gate.selector & !3 | level as u16;
    segment::put(core, seg::CS, Segment { selector, ..d.segment });
    core.set(state::RSP, stack.sp);
    context::refresh(core);
    core.set_pc(target);
    Ok(())
}

/// INT n, INT3, INTO and ICEBP: the vector, the address of the next instruction as an offset in CS, and which of them.
pub static SOFTWARE: Helper<X64> = Helper { name: "interrupt", effects: Effects::ENDS, run: software };

/// Which instruction [`SOFTWARE`] is.
pub mod software {
    #![expect(missing_docs, reason = "the manual's mnemonics")]
    pub const INT_N: u64 = 0;
    pub const INT3_INTO: u64 = 1;
    pub const ICEBP: u64 = 2;
}

fn software(core: &mut Core<X64>, vector: u64, next_ip: u64, which: u64) -> Result<u64, Raised> {
    let kind = if which == software::ICEBP { Kind::Exception } else { Kind::Software };
    let event = Event { vector: vector as u8, code: None, kind, return_to: next_ip, resume: false };
    if core.mode & mode::VM != 0 && which == software::INT_N {
        let iopl = core.reg(state::EFLAGS) >> 12 & 3;
        if core.reg(state::CR4) & cr4::VME != 0 && redirected(core, event.vector)? {
            core.arch.trap = false;
            virtual_8086(core, event)?;
            return Ok(0);
        }
        if iopl < 3 {
            return Err(core.raise_now(fault::GP0, 0));
        }
    }
    log::debug!(target: "int", "cpu {} INT {vector:#04x} at {:#x}", core.index, core.pc());
    enter(core, event)?;
    // The handler's first instruction is not stepped.
    core.arch.trap = false;
    Ok(0)
}
