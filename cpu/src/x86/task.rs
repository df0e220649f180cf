//! Hardware task switches (SDM vol. 3, chapter 9): JMP, CALL, interrupts and IRET through task state segments of 16
//! and 32 bits and through task gates.

use super::control::cr0;
use super::emit::fault;
use super::flags::eflags;
use super::gate::Event;
use super::insn::seg;
use super::segment::{self, GP, NP, Segment, TR, TS, fail};
use super::system::{self, Stack};
use super::{X64, context, debug, gate, state};
use crate::core::{Core, Raised};
use crate::width::{W8, W16, W32, W64};

/// What switches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// JMP
    Jump,
    /// CALL
    Call,
    /// An interrupt or exception
    Interrupt,
    /// IRET with NT
    Return,
}

/// Through a task gate of the IDT to the task that it names.
///
/// # Errors
/// With the exceptions of a task switch.
pub fn through_gate(core: &mut Core<X64>, tss: u16, event: Event) -> Result<(), Raised> {
    switch(core, tss, Why::Interrupt, event.return_to, Some(event))
}

/// IRET with NT: back to the task that the back link names.
///
/// # Errors
/// With the exceptions of a task switch.
pub fn back(core: &mut Core<X64>) -> Result<(), Raised> {
    let tr = segment::get(core, TR);
    let link = system::read::<W16>(core, tr.base)?;
    let next = gate::ip(core).wrapping_add(1);
    switch(core, link, Why::Return, next, None)
}

/// What a task state segment holds.
#[derive(Clone, Copy, Default)]
struct Image {
    cr3: u32,
    ip: u32,
    flags: u32,
    /// EAX, ECX, EDX, EBX, ESP, EBP, ESI, EDI.
    general: [u32; 8],
    /// ES, CS, SS, DS, FS, GS.
    segments: [u16; 6],
    ldt: u16,
    /// T: a debug trap follows the switch.
    trap: bool,
}

fn read_image(core: &mut Core<X64>, base: u64, wide: bool) -> Result<Image, Raised> {
    let at = |n: u64| base.wrapping_add(n);
    let mut x = Image::default();
    if wide {
        x.cr3 = system::read::<W32>(core, at(28))?;
        x.ip = system::read::<W32>(core, at(32))?;
        x.flags = system::read::<W32>(core, at(36))?;
        for n in 0..8 {
            x.general[n] = system::read::<W32>(core, at(40 + 4 * n as u64))?;
        }
        for n in 0..6 {
            x.segments[n] = system::read::<W16>(core, at(72 + 4 * n as u64))?;
        }
        x.ldt = system::read::<W16>(core, at(96))?;
        x.trap = system::read::<W16>(core, at(100))? & 1 != 0;
    } else {
        x.ip = system::read::<W16>(core, at(14))? as u32;
        x.flags = system::read::<W16>(core, at(16))? as u32;
        for n in 0..8 {
            x.general[n] = system::read::<W16>(core, at(18 + 2 * n as u64))? as u32;
        }
        for n in 0..4 {
            x.segments[n] = system::read::<W16>(core, at(34 + 2 * n as u64))?;
        }
        x.ldt = system::read::<W16>(core, at(42))?;
    }
    Ok(x)
}

fn save(core: &mut Core<X64>, old: Segment, next: u64, flags: u32) -> Result<(), Raised> {
    let wide = old.kind() & 8 != 0;
    let at = |n: u64| old.base.wrapping_add(n);
    if wide {
        system::write::<W32>(core, at(32), next as u32)?;
        system::write::<W32>(core, at(36), flags)?;
        for n in 0..8 {
            let x = core.reg(state::gpr(n)) as u32;
            system::write::<W32>(core, at(40 + 4 * n as u64), x)?;
        }
        for n in 0..6 {
            let x = core.reg(state::selector(n));
            system::write::<W16>(core, at(72 + 4 * n as u64), x)?;
        }
    } else {
        system::write::<W16>(core, at(14), next as u16)?;
        system::write::<W16>(core, at(16), flags as u16)?;
        for n in 0..8 {
            let x = core.reg(state::gpr(n)) as u16;
            system::write::<W16>(core, at(18 + 2 * n as u64), x)?;
        }
        for n in 0..4 {
            let x = core.reg(state::selector(n));
            system::write::<W16>(core, at(34 + 2 * n as u64), x)?;
        }
    }
    Ok(())
}

/// Sets or clears the busy bit of a TSS descriptor.
fn mark_busy(core: &mut Core<X64>, selector: u16, busy: bool) -> Result<(), Raised> {
    let Some(at) = segment::place(core, selector & !4) else { return Err(fail(core, TS, selector)) };
    let at = at.wrapping_add(5);
    let old = system::read::<W8>(core, at)?;
    system::write::<W8>(core, at, if busy { old | 2 } else { old & !2 })
}

/// Switches to the task of a TSS. `next`: the instruction pointer that the old task goes on at.
///
/// # Errors
/// Before the new task is there, with its selector's exceptions and nothing changed; after that the exceptions are the
/// new task's.
pub fn switch(
    core: &mut Core<X64>,
    selector: u16,
    why: Why,
    next: u64,
    event: Option<Event>,
) -> Result<(), Raised> {
    let outer = if why == Why::Return || why == Why::Interrupt { TS } else { GP };
    let bad = if why == Why::Interrupt { GP } else { outer };
    if selector & 4 != 0 || selector & !3 == 0 {
        return Err(fail(core, bad, selector));
    }
    let d = segment::read(core, selector, bad)?;
    let new = d.segment;
    let busy = new.kind() & 2 != 0;
    if !matches!(new.kind(), 1 | 3 | 9 | 11) || busy != (why == Why::Return) {
        return Err(fail(core, bad, selector));
    }
    if !new.is_present() {
        return Err(fail(core, NP, selector));
    }
    let wide = new.kind() & 8 != 0;
    if new.limit < if wide { 0x67 } else { 0x2B } {
        return Err(fail(core, TS, selector));
    }
    let old = segment::get(core, TR);
    let image = read_image(core, new.base, wide)?;
    let mut flags = context::eflags(core);
    if why == Why::Return {
        flags &= !eflags::NT;
    }
    if event.is_some_and(|e| e.resume) {
        flags |= eflags::RF;
    }
    save(core, old, next, flags)?;
    let linked = matches!(why, Why::Call | Why::Interrupt);
    if linked {
        system::write::<W16>(core, new.base, old.selector)?;
    } else {
        mark_busy(core, old.selector, false)?;
    }
    if why != Why::Return {
        mark_busy(core, selector, true)?;
    }
    // The switch is made: what faults from here on is the new task's.
    core.set(state::CR0, core.reg(state::CR0) | cr0::TS);
    segment::put(core, TR, Segment { attributes: new.attributes | 2, ..new });
    let levels = core.reg(state::DR7) & !0x155;
    core.set(state::DR7, levels);
    load(core, &image, wide, linked)?;
    if let Some(Event { code: Some(code), .. }) = event {
        let mut stack = Stack::current(core);
        stack.push(core, if wide { 2 } else { 1 }, code as u64)?;
        stack.commit(core);
    }
    let limit = core.reg(state::limit(seg::CS));
    if image.ip > limit {
        return Err(core.raise_now(fault::GP0, 0));
    }
    if image.trap {
        core.set(state::DEBUG_PENDING, debug::BT);
        debug::trap(core, debug::BT);
    }
    Ok(())
}

/// Loads the registers of a task.
fn load(core: &mut Core<X64>, x: &Image, wide: bool, linked: bool) -> Result<(), Raised> {
    if wide && core.reg(state::CR0) & cr0::PG != 0 && x.cr3 as u64 != core.reg(state::CR3) {
        super::control::set_cr3(core, x.cr3 as u64)?;
    }
    let mut flags = x.flags;
    if linked {
        flags |= eflags::NT;
    }
    if !wide {
        flags &= 0xFFFF;
    }
    context::set_eflags(core, flags);
    for n in 0..8 {
        let slot = state::gpr(n);
        let old = core.reg(slot);
        let value = x.general[n as usize];
        core.set(slot, if wide { value as u64 } else { old & 0xFFFF_0000 | value as u64 });
    }
    let vm = flags & eflags::VM != 0;
    // Selectors first, so that an exception finds them; the descriptors follow.
    for s in 0..6u8 {
        let selector = x.segments[s as usize];
        let segment = if vm { Segment::real(selector, 3) } else { Segment::null(selector) };
        segment::put(core, s, segment);
    }
    segment::put(core, segment::LDTR, Segment::null(x.ldt));
    let cpl = if vm { 3 } else { x.segments[seg::CS as usize] as u32 & 3 };
    core.set(state::CPL, cpl);
    context::refresh(core);
    core.set_pc(x.ip as u64);
    if x.ldt & !3 != 0 {
        let ldt = if x.ldt & 4 == 0 { segment::place(core, x.ldt) } else { None };
        let Some(at) = ldt else { return Err(fail(core, TS, x.ldt)) };
        let raw = system::read::<W64>(core, at)?;
        let s = Segment::of(x.ldt, raw);
        if s.kind() != 2 || !s.is_present() {
            return Err(fail(core, TS, x.ldt));
        }
        segment::put(core, segment::LDTR, s);
    }
    if !vm {
        load_segments(core, x, cpl)?;
    }
    context::refresh(core);
    gate::go(core, x.ip as u64);
    Ok(())
}

fn load_segments(core: &mut Core<X64>, x: &Image, cpl: u32) -> Result<(), Raised> {
    let selector = x.segments[seg::CS as usize];
    if selector & !3 == 0 {
        return Err(fail(core, TS, selector));
    }
    let mut d = segment::read(core, selector, TS)?;
    let s = d.segment;
    let fits = if s.is_conforming() { s.dpl() <= cpl } else { s.dpl() == cpl };
    if !s.is_code() || !fits {
        return Err(fail(core, TS, selector));
    }
    if !s.is_present() {
        return Err(fail(core, NP, selector));
    }
    segment::touch(core, &mut d)?;
    segment::put(core, seg::CS, d.segment);
    context::refresh(core);
    gate::go(core, x.ip as u64);
    let ss = segment::read_stack(core, x.segments[seg::SS as usize], cpl, TS)?;
    segment::put(core, seg::SS, ss);
    for s in [seg::ES, seg::DS, seg::FS, seg::GS] {
        let data = segment::read_data(core, x.segments[s as usize], cpl, TS)?;
        segment::put(core, s, data);
    }
    Ok(())
}
