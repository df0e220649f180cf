//! How x86 processors start: Intel SDM, volume 3, 10.1.1 "Processor State After Reset" (edition of 2024), and how loaders
//! leave them.
//!
//! Left out: what INIT keeps that reset does not (caches, the x87 and vector registers): both clear all.

use super::Model;
use crate::loader::x86::{Segment, X86Entry};
use lyrebird_cpu::core::Core;
use lyrebird_cpu::x86::insn::seg;
use lyrebird_cpu::x86::{X64, context, state};

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

/// Attributes of segments: present, accessed, with the type of the manual's table 3-1.
mod attributes {
    /// Read and write, 16 bits.
    pub const REAL: u16 = 0x93;
    /// A local descriptor table.
    pub const LDT: u16 = 0x82;
    /// A busy task-state segment.
    pub const TSS: u16 = 0x8B;
    /// Type and S of what is executed.
    pub const CODE: u16 = 0x18;
}

/// LDTR and TR in the lists of segment registers.
const LDTR: u8 = 6;
const TR: u8 = 7;

/// CR0 after reset: CD, NW, ET.
const CR0: u64 = 0x6000_0010;
const PE: u64 = 1;

/// Fills a segment register and what is derived of it.
fn segment(core: &mut Core<X64>, s: u8, x: Segment) {
    let last = u64::from(x.limit);
    core.set(state::selector(s), x.selector);
    core.set(state::base(s), x.base);
    core.set(state::limit(s), x.limit);
    core.set(state::attributes(s), x.attributes.into());
    core.set(state::low(s), 0);
    core.set(state::high(s), last);
    // Code of protected mode cannot be written.
    let read_only = x.attributes & attributes::CODE == attributes::CODE && core.reg(state::CR0) & PE != 0;
    core.set(state::write_high(s), if read_only { 0 } else { last });
}

fn real(selector: u16, base: u64, attributes: u16) -> Segment {
    Segment { selector, base, limit: 0xFFFF, attributes }
}

/// Puts a processor into its first state.
pub(super) fn reset(core: &mut Core<X64>, model: &Model, entry: &Entry) {
    *core.file.words_mut() = [0; lyrebird_cpu::slot::WORDS];
    core.features = model.features;
    core.halted = false;
    core.set(state::CR0, CR0);
    core.set(state::XCR0, 1);
    core.set(state::EFLAGS, 2);
    core.set(state::gpr(2), u64::from(model.signature));
    core.set(state::FCW, 0x40);
    core.set(state::FTW, 0xFF);
    core.set(state::MXCSR, 0x1F80);
    for s in [seg::ES, seg::SS, seg::DS, seg::FS, seg::GS] {
        segment(core, s, real(0, 0, attributes::REAL));
    }
    segment(core, LDTR, real(0, 0, attributes::LDT));
    segment(core, TR, real(0, 0, attributes::TSS));
    match entry {
        Entry::Reset => {
            segment(core, seg::CS, real(0xF000, 0xFFFF_0000, attributes::REAL));
            core.set_pc(0xFFFF_FFF0);
        }
        Entry::Startup(vector) => {
            let page = u16::from(*vector) << 8;
            segment(core, seg::CS, real(page, u64::from(page) << 4, attributes::REAL));
            core.set_pc(u64::from(page) << 4);
        }
        Entry::Program(entry) => program(core, entry),
    }
    core.tlb.flush(|_| true);
    context::refresh(core);
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
    core.set_pc(core.reg(state::base(seg::CS)).wrapping_add(entry.ip));
}
