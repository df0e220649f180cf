//! System management mode (SDM vol. 3, chapter 32; AMD's APM vol. 2, chapter 10): SMI, the state save map, RSM.
//!
//! Processors without long mode have the 32-bit map of the SDM, the others AMD's of 64 bits, whatever their vendor: it is
//! the one that firmware for virtual machines knows. Left out: restarting I/O instructions, MSR_SMI_COUNT; an SMBASE
//! that older processors refuse, since it is not aligned; INIT does not wait for RSM.

use super::control::{self, cr0, cr4, efer};
use super::emit::fault;
use super::flags::eflags;
use super::insn::seg;
use super::segment::{self, LDTR, Segment, TR};
use super::state::{self, blocked};
use super::{X64, context, debug, exception, features as f, gate, mode, walk};
use crate::core::{Core, Raised};
use crate::emit::{Effects, Helper};
use crate::tlb::PAGE_MASK;

/// SMBASE after reset.
pub const SMBASE: u64 = 0x3_0000;
/// Where the handler begins, as an offset from SMBASE.
const ENTRY: u64 = 0x8000;
/// Where the state save map is, as an offset from SMBASE, and its length.
const MAP: u64 = 0xFE00;
const LEN: usize = 0x200;
/// Revision identifiers: SMBASE can be moved; bits of the map.
const REVISION_32: u64 = 0x2_0000;
const REVISION_64: u64 = 0x2_0064;

/// What the map has a place for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Item {
    Gpr(u8),
    Ip,
    Flags,
    Cr0,
    Cr3,
    Cr4,
    Efer,
    Dr6,
    Dr7,
    Selector(u8),
    Attributes(u8),
    Limit(u8),
    Base(u8),
    GdtBase,
    GdtLimit,
    IdtBase,
    IdtLimit,
    SmBase,
    Revision,
    /// Not 0: the processor waited in HLT, and does so again after RSM.
    Halted,
}
use Item::*;

/// A place: offset from SMBASE, bytes.
type Place = (u64, usize, Item);

/// The map of processors without long mode, without segments.
const FIXED_32: &[Place] = &[
    (0xFFFC, 4, Cr0),
    (0xFFF8, 4, Cr3),
    (0xFFF4, 4, Flags),
    (0xFFF0, 4, Ip),
    (0xFFCC, 4, Dr6),
    (0xFFC8, 4, Dr7),
    (0xFF74, 4, GdtBase),
    (0xFF70, 4, GdtLimit),
    (0xFF58, 4, IdtBase),
    (0xFF54, 4, IdtLimit),
    (0xFF14, 4, Cr4),
    (0xFF02, 2, Halted),
    (0xFEFC, 4, Revision),
    (0xFEF8, 4, SmBase),
];

/// The map of processors with long mode, without segments.
const FIXED_64: &[Place] = &[
    (0xFF78, 8, Ip),
    (0xFF70, 8, Flags),
    (0xFF68, 8, Dr6),
    (0xFF60, 8, Dr7),
    (0xFF58, 8, Cr0),
    (0xFF50, 8, Cr3),
    (0xFF48, 8, Cr4),
    (0xFF00, 4, SmBase),
    (0xFEFC, 4, Revision),
    (0xFED0, 8, Efer),
    (0xFEC9, 1, Halted),
    (0xFE88, 8, IdtBase),
    (0xFE84, 4, IdtLimit),
    (0xFE68, 8, GdtBase),
    (0xFE64, 4, GdtLimit),
];

fn is_long(core: &Core<X64>) -> bool {
    core.features & f::LM != 0
}

/// All places of the processor's map.
fn places(long: bool) -> impl Iterator<Item = Place> {
    let fixed = if long { FIXED_64 } else { FIXED_32 };
    let registers = (0..if long { 16u8 } else { 8 }).map(move |n| {
        let at = u64::from(n);
        if long { (0xFFF8 - 8 * at, 8, Gpr(n)) } else { (0xFFD0 + 4 * at, 4, Gpr(n)) }
    });
    let segments = (0..8u8).flat_map(move |s| if long { segment_64(s) } else { segment_32(s) });
    fixed.iter().copied().chain(registers).chain(segments)
}

fn segment_32(s: u8) -> [Place; 4] {
    let n = u64::from(s);
    // Attributes, limit and base follow each other, but for TR.
    let at = match s {
        seg::ES | seg::CS | seg::SS => 0xFF84 + 12 * n,
        LDTR => 0xFF78,
        TR => 0xFF5C,
        _ => 0xFF2C + 12 * (n - 3),
    };
    let selector = 0xFFA8 + 4 * n;
    [(selector, 4, Selector(s)), (at, 4, Attributes(s)), (at + 4, 4, Limit(s)), (at + 8, 4, Base(s))]
}

fn segment_64(s: u8) -> [Place; 4] {
    let at = match s {
        LDTR => 0xFE70,
        TR => 0xFE90,
        _ => 0xFE00 + 16 * u64::from(s),
    };
    [(at, 2, Selector(s)), (at + 2, 2, Attributes(s)), (at + 4, 4, Limit(s)), (at + 8, 8, Base(s))]
}

/// The map's bytes, in the processor's view of memory.
fn read(core: &Core<X64>) -> [u8; LEN] {
    let mut map = [0xFF; LEN];
    pieces(core, |ram, range, _| {
        if let Some(bytes) = map.get_mut(range) {
            // What is not there stays ones.
            let _ = core.ram.read_bytes(ram, bytes);
        }
    });
    map
}

fn write(core: &mut Core<X64>, map: &[u8; LEN]) {
    let mut there = Vec::new();
    pieces(core, |ram, range, writable| {
        if writable {
            there.push((ram, range));
        }
    });
    for (ram, range) in there {
        let bytes = map.get(range).unwrap_or_default();
        // What a report does not hold is lost.
        let _ = core.storing(ram, bytes.len() as u64, |to| to.write_bytes(ram, bytes));
    }
}

/// Calls `body` with the RAM offset of each piece of the map that lies in one page, the part of the map, and whether it
/// is writable.
fn pieces(core: &Core<X64>, mut body: impl FnMut(u64, std::ops::Range<usize>, bool)) {
    let first = core.reg(state::SMBASE).wrapping_add(MAP);
    let mut done = 0;
    while done < LEN {
        let at = walk::on_bus(core, first.wrapping_add(done as u64) & 0xFFFF_FFFF);
        let room = (!PAGE_MASK - (at & !PAGE_MASK) + 1) as usize;
        let end = LEN.min(done + room);
        if let Some((ram, writable)) = core.bus.ram(at & PAGE_MASK) {
            body(ram | at & !PAGE_MASK, done..end, writable);
        }
        done = end;
    }
}

fn range((at, len, _): Place) -> std::ops::Range<usize> {
    let from = (at - MAP) as usize;
    from..from + len
}

fn get(core: &Core<X64>, item: Item) -> u64 {
    match item {
        Gpr(n) => core.reg(state::gpr(n)),
        Ip => gate::ip(core),
        Flags => context::eflags(core).into(),
        Cr0 => core.reg(state::CR0),
        Cr3 => core.reg(state::CR3),
        Cr4 => core.reg(state::CR4),
        Efer => core.reg(state::EFER),
        Dr6 => core.reg(state::DR6),
        Dr7 => core.reg(state::DR7) | debug::DR7_FIXED,
        Selector(s) => core.reg(state::selector(s)).into(),
        Attributes(s) => (core.reg(state::attributes(s)) & 0xF0FF).into(),
        Limit(s) => core.reg(state::limit(s)).into(),
        Base(s) => core.reg(state::base(s)),
        GdtBase => core.reg(state::GDT_BASE),
        GdtLimit => core.reg(state::GDT_LIMIT).into(),
        IdtBase => core.reg(state::IDT_BASE),
        IdtLimit => core.reg(state::IDT_LIMIT).into(),
        SmBase => core.reg(state::SMBASE),
        Revision => {
            if is_long(core) {
                REVISION_64
            } else {
                REVISION_32
            }
        }
        Halted => u64::from(core.reg(state::BLOCKED) & blocked::WAITING != 0),
    }
}

/// Sets what depends on nothing else; the rest follows in [`resume`].
fn set(core: &mut Core<X64>, item: Item, x: u64) {
    match item {
        Gpr(n) => core.set(state::gpr(n), x),
        Flags => context::set_eflags(core, x as u32),
        Cr0 => core.set(state::CR0, x | cr0::ET),
        Cr3 => core.set(state::CR3, x),
        Cr4 => core.set(state::CR4, x),
        Efer => core.set(state::EFER, x),
        Dr6 => core.set(state::DR6, x & 0xFFFF_FFFF),
        Dr7 => core.set(state::DR7, x & 0xFFFF_2BFF | debug::DR7_FIXED),
        Selector(s) => core.set(state::selector(s), x as u16),
        Attributes(s) => {
            // P is clear in what holds no segment.
            let unusable = if x & 1 << 7 == 0 { segment::UNUSABLE } else { 0 };
            core.set(state::attributes(s), x as u32 & 0xF0FF | unusable);
        }
        Limit(s) => core.set(state::limit(s), x as u32),
        Base(s) => core.set(state::base(s), x),
        GdtBase => core.set(state::GDT_BASE, x),
        GdtLimit => core.set(state::GDT_LIMIT, x as u32 & 0xFFFF),
        IdtBase => core.set(state::IDT_BASE, x),
        IdtLimit => core.set(state::IDT_LIMIT, x as u32 & 0xFFFF),
        SmBase => core.set(state::SMBASE, x),
        Ip | Revision | Halted => {}
    }
}

/// Forgets what the other mode's memory and tables were.
fn forget(core: &mut Core<X64>) {
    core.arch.pcid = context::pcid(core);
    core.tlb.flush(|_| true);
    context::new_spaces(core);
    context::refresh(core);
}

/// Takes an SMI: the processor saves its state and goes to the handler (32.3 to 32.5).
pub fn enter(core: &mut Core<X64>) {
    let long = is_long(core);
    let values: Vec<(Place, u64)> = places(long).map(|p| (p, get(core, p.2))).collect();
    let mut b = core.reg(state::BLOCKED) & !blocked::WAITING;
    if b & blocked::NMI != 0 {
        b |= blocked::NMI_BEFORE;
    }
    core.set(state::BLOCKED, b | blocked::SMM | blocked::NMI);
    let mut map = read(core);
    for (place, value) in values {
        if let Some(into) = map.get_mut(range(place)) {
            into.copy_from_slice(value.to_le_bytes().get(..place.1).unwrap_or_default());
        }
    }
    write(core, &map);

    context::set_eflags(core, 0);
    core.set(state::CPL, 0);
    core.set(state::CR0, core.reg(state::CR0) & !(cr0::PE | cr0::EM | cr0::TS | cr0::PG));
    core.set(state::CR4, 0);
    if long {
        core.set(state::EFER, 0);
    }
    core.set(state::DR7, debug::DR7_FIXED);
    let base = core.reg(state::SMBASE);
    for s in [seg::ES, seg::SS, seg::DS, seg::FS, seg::GS, seg::CS] {
        let real = Segment::real(if s == seg::CS { (base >> 4) as u16 } else { 0 }, 0);
        let base = if s == seg::CS { base } else { 0 };
        let attributes = real.attributes | segment::G;
        segment::put(core, s, Segment { base, limit: u32::MAX, attributes, ..real });
    }
    core.set_pc(base.wrapping_add(ENTRY) & 0xFFFF_FFFF);
    forget(core);
    log::debug!(target: "int", "cpu {} enters system management mode at {:#x}", core.index, core.pc());
}

/// RSM.
pub static RSM: Helper<X64> = Helper { name: "rsm", effects: Effects::ENDS, run: resume };

fn resume(core: &mut Core<X64>, _: u64, _: u64, _: u64) -> Result<u64, Raised> {
    if core.reg(state::BLOCKED) & blocked::SMM == 0 {
        return Err(core.raise_now(fault::UD, 0));
    }
    let map = read(core);
    let value = |place: Place| {
        let mut bytes = [0; 8];
        for (to, from) in bytes.iter_mut().zip(map.get(range(place)).unwrap_or_default()) {
            *to = *from;
        }
        u64::from_le_bytes(bytes)
    };
    let long = is_long(core);
    let find = |item: Item| places(long).find(|p| p.2 == item).map_or(0, value);
    if !is_state(core, find(Cr0), find(Cr4), find(Efer)) {
        log::debug!(target: "int", "cpu {} cannot resume: the state save map is none", core.index);
        exception::shut_down(core);
        return Ok(0);
    }
    let mut b = core.reg(state::BLOCKED);
    b &= !(blocked::SMM | if b & blocked::NMI_BEFORE != 0 { 0 } else { blocked::NMI });
    let halted = find(Halted) & 1 != 0;
    b = b & !blocked::NMI_BEFORE | if halted { blocked::WAITING } else { 0 };
    core.set(state::BLOCKED, b);
    core.arch.resumed = false;
    places(long).for_each(|p| set(core, p.2, value(p)));
    for s in 0..8 {
        // What follows from a segment depends on the mode.
        let segment = segment::get(core, s);
        segment::put(core, s, segment);
    }
    let (protected, flags) = (core.reg(state::CR0) & cr0::PE != 0, core.reg(state::EFLAGS));
    let cpl = match segment::get(core, seg::SS).dpl() {
        _ if !protected => 0,
        _ if flags & eflags::VM != 0 => 3,
        dpl => dpl,
    };
    core.set(state::CPL, cpl);
    forget(core);
    let pae = core.reg(state::CR0) & cr0::PG != 0
        && core.reg(state::CR4) & cr4::PAE != 0
        && core.mode & mode::LMA == 0;
    if pae && walk::load_pdptes(core, core.reg(state::CR3)).is_err() {
        exception::shut_down(core);
        return Ok(0);
    }
    gate::go(core, find(Ip));
    core.halted = halted && core.requests() & exception::wakes(core) == 0;
    log::debug!(target: "int", "cpu {} resumes at {:#x}", core.index, core.pc());
    Ok(0)
}

/// Whether a processor can be in the state that a map describes (32.4.1.2): it shuts down otherwise.
fn is_state(core: &Core<X64>, cr0: u64, cr4: u64, efer: u64) -> bool {
    let paging = cr0 & cr0::PG != 0;
    let known = efer::SCE | efer::LME | efer::LMA | efer::NXE;
    let active = paging && efer & efer::LME != 0;
    !(paging && cr0 & cr0::PE == 0
        || cr0 & cr0::NW != 0 && cr0 & cr0::CD == 0
        || cr0 >> 32 != 0
        || cr4 & !control::cr4_bits(core) != 0
        || efer & !known != 0
        || (efer & efer::LMA != 0) != active
        || active && cr4 & cr4::PAE == 0)
}
