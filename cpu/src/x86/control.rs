//! Control registers: their bits, and what writing them does (SDM vol. 3, 2.5).

use super::cpuid::Leaf;
use super::{X64, context, exception, features as f, mode, state, walk};
use crate::core::{Core, Raised};
use crate::emit::{Effects, Helper};
use crate::x86::emit::fault;

/// CR0 bits.
pub mod cr0 {
    #![expect(missing_docs, reason = "the manual's names")]
    pub const PE: u64 = 1;
    pub const MP: u64 = 1 << 1;
    pub const EM: u64 = 1 << 2;
    pub const TS: u64 = 1 << 3;
    pub const ET: u64 = 1 << 4;
    pub const NE: u64 = 1 << 5;
    pub const WP: u64 = 1 << 16;
    pub const AM: u64 = 1 << 18;
    pub const NW: u64 = 1 << 29;
    pub const CD: u64 = 1 << 30;
    pub const PG: u64 = 1 << 31;
}

/// CR4 bits.
pub mod cr4 {
    #![expect(missing_docs, reason = "the manual's names")]
    pub const VME: u64 = 1;
    pub const PVI: u64 = 1 << 1;
    pub const TSD: u64 = 1 << 2;
    pub const DE: u64 = 1 << 3;
    pub const PSE: u64 = 1 << 4;
    pub const PAE: u64 = 1 << 5;
    pub const MCE: u64 = 1 << 6;
    pub const PGE: u64 = 1 << 7;
    pub const PCE: u64 = 1 << 8;
    pub const OSFXSR: u64 = 1 << 9;
    pub const OSXMMEXCPT: u64 = 1 << 10;
    pub const UMIP: u64 = 1 << 11;
    pub const LA57: u64 = 1 << 12;
    pub const FSGSBASE: u64 = 1 << 16;
    pub const PCIDE: u64 = 1 << 17;
    pub const OSXSAVE: u64 = 1 << 18;
    pub const SMEP: u64 = 1 << 20;
    pub const SMAP: u64 = 1 << 21;
    pub const PKE: u64 = 1 << 22;
}

/// EFER bits.
pub mod efer {
    #![expect(missing_docs, reason = "the manual's names")]
    pub const SCE: u64 = 1;
    pub const LME: u64 = 1 << 8;
    pub const LMA: u64 = 1 << 10;
    pub const NXE: u64 = 1 << 11;
}

/// The bits of CR4 that a model has.
pub(super) fn cr4_bits(core: &Core<X64>) -> u64 {
    use cr4::*;
    let has = |bit: (Leaf, u32), bits: u64| if core.arch.cpuid.has(bit) { bits } else { 0 };
    let feature = |feature: u64, bits: u64| if core.features & feature != 0 { bits } else { 0 };
    use super::cpuid::bit;
    feature(f::VME, VME | PVI)
        | feature(f::TSC, TSD)
        | has(bit::DE, DE)
        | has(bit::PSE, PSE)
        | has(bit::PAE, PAE)
        | has(bit::MCE, MCE)
        | has(bit::PGE, PGE)
        | feature(f::I686 | f::MMX, PCE)
        | feature(f::FXSR, OSFXSR)
        | feature(f::SSE, OSXMMEXCPT)
        | feature(f::UMIP, UMIP)
        | has(bit::LA57, LA57)
        | feature(f::FSGSBASE, FSGSBASE)
        | has(bit::PCID, PCIDE)
        | feature(f::XSAVE, OSXSAVE)
        | has(bit::SMEP, SMEP)
        | feature(f::SMAP, SMAP)
        | feature(f::PKU, PKE)
}

fn gp(core: &mut Core<X64>) -> Raised {
    core.raise_now(fault::GP0, 0)
}

/// Forgets all translations.
fn forget_all(core: &mut Core<X64>) {
    core.tlb.flush(|_| true);
    context::new_spaces(core);
}

/// Writes CR0.
///
/// # Errors
/// #GP for combinations that do not exist.
pub fn set_cr0(core: &mut Core<X64>, value: u64) -> Result<(), Raised> {
    use cr0::*;
    if core.features & f::I386 == 0 {
        // The machine status word of the 80286; its other bits read as ones.
        let value = core.reg(state::CR0) & PE | value & 0xF | 0xFFF0;
        core.set(state::CR0, value);
        context::refresh(core);
        return Ok(());
    }
    let old = core.reg(state::CR0);
    let writable =
        PE | MP | EM | TS | PG | if core.features & f::I486 != 0 { NE | WP | AM | NW | CD } else { 0 };
    let invalid = value & PG != 0 && value & PE == 0
        || core.features & f::I486 != 0 && value & NW != 0 && value & CD == 0
        || value >> 32 != 0;
    if invalid {
        return Err(gp(core));
    }
    // ET is fixed.
    let new = value & writable | ET;
    let mut efer = core.reg(state::EFER);
    let paging = (old ^ new) & PG != 0;
    if paging {
        let cr4 = core.reg(state::CR4);
        if new & PG != 0 {
            if efer & efer::LME != 0 {
                let long_cs = super::segment::get(core, super::insn::seg::CS).is_long();
                if cr4 & cr4::PAE == 0 || long_cs {
                    return Err(gp(core));
                }
                efer |= efer::LMA;
            }
        } else {
            if cr4 & cr4::PCIDE != 0 || mode::is_64(core.mode) {
                return Err(gp(core));
            }
            efer &= !efer::LMA;
        }
    }
    let pae = new & PG != 0 && core.reg(state::CR4) & cr4::PAE != 0 && efer & efer::LMA == 0;
    if pae && (old ^ new) & (PG | CD | NW) != 0 {
        walk::load_pdptes(core, core.reg(state::CR3))?;
    }
    core.set(state::CR0, new);
    core.set(state::EFER, efer);
    if (old ^ new) & (PG | PE | WP) != 0 {
        forget_all(core);
    }
    context::refresh(core);
    Ok(())
}

/// Writes CR3.
///
/// # Errors
/// #GP for reserved bits.
pub fn set_cr3(core: &mut Core<X64>, value: u64) -> Result<(), Raised> {
    let cr4 = core.reg(state::CR4);
    let long = core.reg(state::EFER) & efer::LMA != 0;
    let paging = core.reg(state::CR0) & cr0::PG != 0;
    let keep = cr4 & cr4::PCIDE != 0 && value >> 63 != 0;
    let value = if cr4 & cr4::PCIDE != 0 { value & !(1 << 63) } else { value };
    if long && value >> core.arch.cpuid.physical_bits() != 0 {
        return Err(gp(core));
    }
    if paging && cr4 & cr4::PAE != 0 && !long {
        walk::load_pdptes(core, value)?;
    }
    core.set(state::CR3, value);
    context::new_root(core, keep);
    context::refresh(core);
    Ok(())
}

/// Writes CR4.
///
/// # Errors
/// #GP for bits that the model does not have.
pub fn set_cr4(core: &mut Core<X64>, value: u64) -> Result<(), Raised> {
    use cr4::*;
    let (old, long) = (core.reg(state::CR4), core.reg(state::EFER) & efer::LMA != 0);
    let changed = old ^ value;
    let pcid = changed & value & PCIDE != 0 && (!long || core.reg(state::CR3) & 0xFFF != 0);
    if value & !cr4_bits(core) != 0 || long && (value & PAE == 0 || changed & LA57 != 0) || pcid {
        return Err(gp(core));
    }
    let paging = core.reg(state::CR0) & cr0::PG != 0;
    if paging && !long && value & PAE != 0 && changed & (PAE | PGE | PSE | SMEP) != 0 {
        walk::load_pdptes(core, core.reg(state::CR3))?;
    }
    core.set(state::CR4, value);
    if changed & (PSE | PAE | PGE | LA57 | PCIDE | SMEP | SMAP | PKE) != 0 {
        forget_all(core);
    }
    context::refresh(core);
    Ok(())
}

/// Writes EFER.
///
/// # Errors
/// #GP for bits that the model does not have, and for LME while paging.
pub fn set_efer(core: &mut Core<X64>, value: u64) -> Result<(), Raised> {
    use super::cpuid::bit;
    let old = core.reg(state::EFER);
    let mut known = efer::LMA;
    for (has, bits) in [
        (core.features & f::SYSCALL != 0, efer::SCE),
        (core.features & f::LM != 0, efer::LME),
        (core.arch.cpuid.has(bit::NX), efer::NXE),
    ] {
        known |= if has { bits } else { 0 };
    }
    let paging = core.reg(state::CR0) & cr0::PG != 0;
    if value & !known != 0 || paging && (old ^ value) & efer::LME != 0 {
        return Err(gp(core));
    }
    let new = value & !efer::LMA | old & efer::LMA;
    core.set(state::EFER, new);
    if (old ^ new) & efer::NXE != 0 {
        forget_all(core);
    }
    context::refresh(core);
    Ok(())
}

/// MOV from a control register: its number.
pub static READ: Helper<X64> = Helper { name: "read_cr", effects: Effects::FAULTS, run: read };

fn read(core: &mut Core<X64>, n: u64, _: u64, _: u64) -> Result<u64, Raised> {
    Ok(match n {
        0 => core.reg(state::CR0),
        2 => core.reg(state::CR2),
        3 => core.reg(state::CR3),
        4 if core.features & f::I586 != 0 || cr4_bits(core) != 0 => core.reg(state::CR4),
        8 if mode::is_64(core.mode) => core.arch.platform.task_priority(core.index) as u64,
        _ => return Err(core.raise_now(fault::UD, 0)),
    })
}

/// MOV to a control register: its number, the value.
pub static WRITE: Helper<X64> = Helper { name: "write_cr", effects: Effects::ENDS, run: write };

fn write(core: &mut Core<X64>, n: u64, value: u64, _: u64) -> Result<u64, Raised> {
    match n {
        0 => set_cr0(core, value)?,
        2 => core.set(state::CR2, value),
        3 => set_cr3(core, value)?,
        4 if core.features & f::I586 != 0 || cr4_bits(core) != 0 => set_cr4(core, value)?,
        8 if mode::is_64(core.mode) && value > 15 => return Err(gp(core)),
        8 if mode::is_64(core.mode) => {
            let platform = std::sync::Arc::clone(&core.arch.platform);
            platform.set_task_priority(core.index, value as u8);
        }
        _ => return Err(core.raise_now(fault::UD, 0)),
    }
    Ok(0)
}

/// LMSW: the operand. It sets PE but does not clear it.
pub static LMSW: Helper<X64> = Helper { name: "lmsw", effects: Effects::ENDS, run: lmsw };

fn lmsw(core: &mut Core<X64>, value: u64, _: u64, _: u64) -> Result<u64, Raised> {
    let old = core.reg(state::CR0);
    set_cr0(core, old & !0xE | value & 0xF)?;
    Ok(0)
}

/// CLTS.
pub static CLTS: Helper<X64> = Helper { name: "clts", effects: Effects::ENDS, run: clts };

fn clts(core: &mut Core<X64>, _: u64, _: u64, _: u64) -> Result<u64, Raised> {
    core.set(state::CR0, core.reg(state::CR0) & !cr0::TS);
    context::refresh(core);
    Ok(0)
}

/// XGETBV: the register's number.
pub static XGETBV: Helper<X64> = Helper { name: "xgetbv", effects: Effects::FAULTS, run: xgetbv };

fn xgetbv(core: &mut Core<X64>, n: u64, _: u64, _: u64) -> Result<u64, Raised> {
    match n as u32 {
        0 => Ok(core.reg(state::XCR0)),
        // XINUSE: no state is ever known to be in its initial configuration.
        1 if core.features & f::XSAVEC != 0 => Ok(core.reg(state::XCR0)),
        _ => Err(gp(core)),
    }
}

/// XSETBV: the register's number, the value.
pub static XSETBV: Helper<X64> = Helper { name: "xsetbv", effects: Effects::ENDS, run: xsetbv };

fn xsetbv(core: &mut Core<X64>, n: u64, value: u64, _: u64) -> Result<u64, Raised> {
    let known = core.arch.cpuid.xcr0(core.features);
    // x87 is always on; AVX needs SSE.
    if n as u32 != 0 || value & 1 == 0 || value & !known != 0 || value & 6 == 4 {
        return Err(gp(core));
    }
    core.set(state::XCR0, value);
    context::refresh(core);
    Ok(0)
}

/// CLI: interrupts wait.
pub static CLI: Helper<X64> = Helper { name: "cli", effects: Effects::FAULTS, run: cli };

fn cli(core: &mut Core<X64>, _: u64, _: u64, _: u64) -> Result<u64, Raised> {
    use super::flags::eflags;
    let flags = core.reg(state::EFLAGS);
    match virtual_interrupts(core, flags) {
        Rule::Plain => core.set(state::EFLAGS, flags & !eflags::IF),
        Rule::Virtual => core.set(state::EFLAGS, flags & !eflags::VIF),
        Rule::Fault => return Err(gp(core)),
    }
    context::refresh_masks(core);
    Ok(0)
}

/// STI: interrupts are let through after the next instruction. The argument is this one's length.
pub static STI: Helper<X64> = Helper { name: "sti", effects: Effects::FAULTS, run: sti };

fn sti(core: &mut Core<X64>, len: u64, _: u64, _: u64) -> Result<u64, Raised> {
    use super::flags::eflags;
    let flags = core.reg(state::EFLAGS);
    match virtual_interrupts(core, flags) {
        Rule::Plain => {
            if flags & eflags::IF == 0 {
                core.set(state::EFLAGS, flags | eflags::IF);
                exception::shadow(core, len, false);
            }
        }
        Rule::Virtual if flags & eflags::VIP != 0 => return Err(gp(core)),
        Rule::Virtual => core.set(state::EFLAGS, flags | eflags::VIF),
        Rule::Fault => return Err(gp(core)),
    }
    context::refresh_masks(core);
    Ok(0)
}

/// What CLI and STI do.
enum Rule {
    Plain,
    /// They change VIF.
    Virtual,
    Fault,
}

fn virtual_interrupts(core: &Core<X64>, flags: u32) -> Rule {
    use super::flags::eflags;
    let (m, cr4) = (core.mode, core.reg(state::CR4));
    let iopl = flags >> 12 & 3;
    if m & mode::PE == 0 || iopl >= mode::cpl(m) {
        return Rule::Plain;
    }
    let virtual_8086 = flags & eflags::VM != 0 && cr4 & cr4::VME != 0;
    let protected = flags & eflags::VM == 0 && mode::cpl(m) == 3 && cr4 & cr4::PVI != 0;
    if virtual_8086 || protected { Rule::Virtual } else { Rule::Fault }
}

/// The flags as older models push them: the 8086 reads bits 15:12 as ones, the 80286 in real mode as zeros.
pub fn old_flags(core: &Core<X64>, flags: u32) -> u32 {
    if core.features & f::I286 == 0 {
        flags | 0xF000
    } else if core.features & f::I386 == 0 && core.mode & mode::PE == 0 {
        flags & 0x0FFF
    } else {
        flags
    }
}
