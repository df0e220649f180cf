//! How x86 processors start, and how loaders leave them.
//!
//! Left out: what INIT keeps that reset does not (caches, the x87 and vector registers): both clear all.

use super::Model;
use crate::loader::x86::{Segment, X86Entry};
use lyrebird_cpu::core::Core;
use lyrebird_cpu::x86::insn::seg;
use lyrebird_cpu::x86::segment::TR;
use lyrebird_cpu::x86::{X64, context, model, state};

/// How a processor starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// In real mode, 16 bytes below 4 GiB.
    Reset,
    /// After a start-up interrupt with this vector: in real mode at that page of the first mebibyte.
    Startup(u8),
    /// As a program wants it that no firmware starts.
    Program(Box<X86Entry>),
}

/// Fills a segment register and what is derived of it.
fn segment(core: &mut Core<X64>, s: u8, x: Segment) {
    let Segment { selector, base, limit, attributes } = x;
    let x = lyrebird_cpu::x86::segment::Segment { selector, base, limit, attributes: attributes.into() };
    lyrebird_cpu::x86::segment::put(core, s, x);
}

/// Puts a processor into its first state.
pub(super) fn reset(core: &mut Core<X64>, model: &Model, entry: &Entry) {
    model::reset(core, &model.what);
    match entry {
        Entry::Reset => {}
        Entry::Startup(vector) => model::start_up(core, *vector),
        Entry::Program(entry) => {
            program(core, entry);
            context::refresh(core);
        }
    }
}

fn program(core: &mut Core<X64>, entry: &X86Entry) {
    core.set(state::CR0, entry.cr0);
    core.set(state::CR3, entry.cr3);
    core.set(state::CR4, entry.cr4);
    core.set(state::EFER, entry.efer);
    core.set(state::FCW, 0x37F);
    for (n, value) in entry.regs.iter().enumerate() {
        core.set(state::gpr(n as u8), *value);
    }
    for (s, x) in entry.segments.iter().enumerate() {
        segment(core, s as u8, *x);
    }
    segment(core, TR, entry.tr);
    core.set(state::GDT_BASE, entry.gdtr.base);
    core.set(state::GDT_LIMIT, entry.gdtr.limit.into());
    core.set(state::IDT_BASE, entry.idtr.base);
    core.set(state::IDT_LIMIT, entry.idtr.limit.into());
    core.set_pc(core.reg(state::base(seg::CS)).wrapping_add(entry.ip));
}
