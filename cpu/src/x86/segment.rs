//! Segments: descriptors, the hidden parts of segment registers, loading them (SDM vol. 3, chapter 3 and 6.6 to 6.8).
//!
//! Left out: a limit of CS that ends inside of a page is checked where code jumps and where it enters a page, not at
//! every byte.

use super::control::{cr0, efer};
use super::emit::fault;
use super::flags::eflags;
use super::insn::seg;
use super::{X64, context, exception, mode, state, system};
use crate::core::{Core, Raised};
use crate::emit::{Effects, Exception, Helper};

/// Number of LDTR among the segment registers.
pub const LDTR: u8 = 6;
/// Number of TR among the segment registers.
pub const TR: u8 = 7;

/// In attributes: 64-bit code.
pub const L: u32 = 1 << 13;
/// In attributes: 32-bit segment.
pub const DB: u32 = 1 << 14;
/// In attributes: the limit counts pages.
pub const G: u32 = 1 << 15;
/// In attributes: the register holds a null selector.
pub const UNUSABLE: u32 = 1 << 16;
const PRESENT: u32 = 1 << 7;
const NOT_SYSTEM: u32 = 1 << 4;
const CODE: u32 = 1 << 3;
const CONFORMING_OR_DOWN: u32 = 1 << 2;
const READABLE_OR_WRITABLE: u32 = 1 << 1;
const ACCESSED: u32 = 1;

/// A segment register with its hidden part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Selector.
    pub selector: u16,
    /// Base.
    pub base: u64,
    /// Limit in bytes.
    pub limit: u32,
    /// As [`state::attributes`].
    pub attributes: u32,
}

impl Segment {
    /// What a null selector loads.
    pub const fn null(selector: u16) -> Self {
        Self { selector, base: 0, limit: 0, attributes: UNUSABLE }
    }
    /// A segment of real or virtual-8086 mode.
    pub const fn real(selector: u16, dpl: u32) -> Self {
        let attributes = PRESENT | NOT_SYSTEM | READABLE_OR_WRITABLE | ACCESSED | dpl << 5;
        Self { selector, base: (selector as u64) << 4, limit: 0xFFFF, attributes }
    }
    /// From the eight bytes of a descriptor.
    pub const fn of(selector: u16, raw: u64) -> Self {
        let (low, high) = (raw as u32, (raw >> 32) as u32);
        let base = low >> 16 | (high & 0xFF) << 16 | high & 0xFF00_0000;
        let limit = low & 0xFFFF | high & 0xF_0000;
        let limit = if high & 1 << 23 != 0 { limit << 12 | 0xFFF } else { limit };
        Self { selector, base: base as u64, limit, attributes: high >> 8 & 0xF0FF }
    }
    /// Type, with the S bit: 0 to 15 are system descriptors.
    pub const fn kind(self) -> u32 {
        self.attributes & 0x1F
    }
    /// Descriptor privilege level.
    pub const fn dpl(self) -> u32 {
        self.attributes >> 5 & 3
    }
    /// Requested privilege level of the selector.
    pub const fn rpl(self) -> u32 {
        self.selector as u32 & 3
    }
    /// P.
    pub const fn is_present(self) -> bool {
        self.attributes & PRESENT != 0
    }
    /// A code segment.
    pub const fn is_code(self) -> bool {
        self.attributes & (NOT_SYSTEM | CODE) == NOT_SYSTEM | CODE
    }
    /// A data segment.
    pub const fn is_data(self) -> bool {
        self.attributes & (NOT_SYSTEM | CODE) == NOT_SYSTEM
    }
    /// A conforming code segment.
    pub const fn is_conforming(self) -> bool {
        self.is_code() && self.attributes & CONFORMING_OR_DOWN != 0
    }
    /// Data, or code that may be read.
    pub const fn is_readable(self) -> bool {
        self.is_data() || self.is_code() && self.attributes & READABLE_OR_WRITABLE != 0
    }
    /// Data that may be written.
    pub const fn is_writable(self) -> bool {
        self.is_data() && self.attributes & READABLE_OR_WRITABLE != 0
    }
    /// 64-bit code.
    pub const fn is_long(self) -> bool {
        self.attributes & L != 0
    }
    /// D or B.
    pub const fn is_big(self) -> bool {
        self.attributes & DB != 0
    }
    /// Whether the register holds no segment.
    pub const fn is_unusable(self) -> bool {
        self.attributes & UNUSABLE != 0
    }
    /// First offset, and first behind those that may be read and written, as [`state::low`], [`state::high`] and
    /// [`state::write_high`].
    pub const fn bounds(self, real: bool) -> (u64, u64, u64) {
        if self.is_unusable() || !self.is_present() || self.attributes & NOT_SYSTEM == 0 {
            return (0, 0, 0);
        }
        let down = self.is_data() && self.attributes & CONFORMING_OR_DOWN != 0;
        let (low, high) = if down {
            (self.limit as u64 + 1, if self.is_big() { 1 << 32 } else { 1 << 16 })
        } else {
            (0, self.limit as u64 + 1)
        };
        let read = if self.is_readable() || real { high } else { 0 };
        (low, read, if self.is_writable() || real { high } else { 0 })
    }
}

/// A segment register.
pub fn get(core: &Core<X64>, s: u8) -> Segment {
    Segment {
        selector: core.reg(state::selector(s)),
        base: core.reg(state::base(s)),
        limit: core.reg(state::limit(s)),
        attributes: core.reg(state::attributes(s)),
    }
}

/// Sets a segment register. [`context::refresh`] follows.
pub fn put(core: &mut Core<X64>, s: u8, x: Segment) {
    core.set(state::selector(s), x.selector);
    core.set(state::base(s), x.base);
    core.set(state::limit(s), x.limit);
    core.set(state::attributes(s), x.attributes);
    let real = core.reg(state::CR0) & cr0::PE == 0 || core.reg(state::EFLAGS) & eflags::VM != 0;
    let (low, high, write_high) = x.bounds(real);
    core.set(state::low(s), low);
    core.set(state::high(s), high);
    core.set(state::write_high(s), write_high);
}

/// Whether CS, DS, ES and SS have no base, no limit, and the rights that code expects; CS is known to have no base.
pub fn all_flat(core: &Core<X64>) -> bool {
    const ALL: u64 = 1 << 32;
    core.reg(state::high(seg::CS)) == ALL
        && [seg::DS, seg::ES, seg::SS].into_iter().all(|s| {
            core.reg(state::base(s)) == 0
                && core.reg(state::low(s)) == 0
                && core.reg(state::high(s)) == ALL
                && core.reg(state::write_high(s)) == ALL
        })
}

/// An exception with a selector as its error code.
pub const fn selector_fault(vector: u64, selector: u16) -> Exception {
    fault::with_code(vector, (selector & !3) as u64)
}
/// Vector of #TS.
pub const TS: u64 = 10;
/// Vector of #NP.
pub const NP: u64 = 11;
/// Vector of #SS.
pub const SS: u64 = 12;
/// Vector of #GP.
pub const GP: u64 = 13;

/// Leaves a fault with a selector as its error code.
pub fn fail(core: &mut Core<X64>, vector: u64, selector: u16) -> Raised {
    core.raise_now(selector_fault(vector, selector), 0)
}

/// A descriptor and where it stands.
#[derive(Clone, Copy, Debug)]
pub struct Descriptor {
    /// Linear address.
    pub at: u64,
    /// Its eight bytes; of a 16-byte descriptor the first.
    pub raw: u64,
    /// What they say.
    pub segment: Segment,
}

/// Where a selector's descriptor stands, if its table reaches that far.
pub fn place(core: &Core<X64>, selector: u16) -> Option<u64> {
    let (base, limit) = if selector & 4 != 0 {
        let ldt = get(core, LDTR);
        if ldt.is_unusable() {
            return None;
        }
        (ldt.base, ldt.limit)
    } else {
        (core.reg(state::GDT_BASE), core.reg(state::GDT_LIMIT))
    };
    let offset = (selector & !7) as u32;
    (offset + 7 <= limit).then(|| base.wrapping_add(offset as u64))
}

/// Reads the descriptor that a selector names.
///
/// # Errors
/// With `vector` and the selector if there is none.
pub fn read(core: &mut Core<X64>, selector: u16, vector: u64) -> Result<Descriptor, Raised> {
    let Some(at) = place(core, selector) else { return Err(fail(core, vector, selector)) };
    let raw = system::read::<crate::width::W64>(core, at)?;
    // The 80286 has no base above 16 MiB and no granularity.
    let raw = if core.features & super::features::I386 == 0 { raw & 0x0000_FFFF_FFFF_FFFF } else { raw };
    Ok(Descriptor { at, raw, segment: Segment::of(selector, raw) })
}

/// The base of a 16-byte system descriptor in long mode.
///
/// # Errors
/// When reading faults, or the base is not canonical.
pub fn long_base(core: &mut Core<X64>, d: &Descriptor) -> Result<u64, Raised> {
    let high = system::read::<crate::width::W64>(core, d.at.wrapping_add(8))?;
    let base = d.segment.base | high << 32;
    // The upper half has its type bits clear.
    if high >> 40 & 0x1F != 0 || !system::is_canonical(core, base) {
        return Err(fail(core, GP, d.segment.selector));
    }
    Ok(base)
}

/// Sets the accessed bit of a code or data descriptor.
///
/// # Errors
/// When writing faults.
pub fn touch(core: &mut Core<X64>, d: &mut Descriptor) -> Result<(), Raised> {
    if d.raw & 1 << 40 == 0 {
        let byte = (d.raw >> 40) as u8 | 1;
        system::write::<crate::width::W8>(core, d.at.wrapping_add(5), byte)?;
        d.raw |= 1 << 40;
    }
    d.segment.attributes |= ACCESSED;
    Ok(())
}

/// Checks and reads what a selector would load into SS at a privilege level. `vector` is that of selectors that name
/// nothing fit: #GP for instructions, #TS for stacks of inner levels and task switches.
///
/// # Errors
/// With that exception, or #SS for a segment that is not present.
pub fn read_stack(core: &mut Core<X64>, selector: u16, cpl: u32, vector: u64) -> Result<Segment, Raised> {
    if selector & !3 == 0 {
        return Err(fail(core, vector, 0));
    }
    let mut d = read(core, selector, vector)?;
    let s = d.segment;
    if s.rpl() != cpl || !s.is_writable() || s.dpl() != cpl {
        return Err(fail(core, vector, selector));
    }
    if !s.is_present() {
        return Err(fail(core, SS, selector));
    }
    touch(core, &mut d)?;
    Ok(d.segment)
}

/// Checks and reads what a selector would load into DS, ES, FS or GS at a privilege level.
///
/// # Errors
/// With `vector` (#GP, or #TS in task switches) or #NP.
pub fn read_data(core: &mut Core<X64>, selector: u16, cpl: u32, vector: u64) -> Result<Segment, Raised> {
    if selector & !3 == 0 {
        return Ok(Segment::null(selector));
    }
    let mut d = read(core, selector, vector)?;
    let s = d.segment;
    if !s.is_readable() || !s.is_conforming() && (s.rpl() > s.dpl() || cpl > s.dpl()) {
        return Err(fail(core, vector, selector));
    }
    if !s.is_present() {
        return Err(fail(core, NP, selector));
    }
    touch(core, &mut d)?;
    Ok(d.segment)
}

/// The segment that real and virtual-8086 mode load: limit and attributes stay in real mode.
pub fn real(core: &Core<X64>, s: u8, selector: u16) -> Segment {
    let plain = Segment::real(selector, if core.mode & mode::VM != 0 { 3 } else { 0 });
    if core.mode & mode::VM != 0 {
        return plain;
    }
    let old = get(core, s);
    let old = if old.is_unusable() { plain } else { old };
    Segment { limit: old.limit, attributes: plain.attributes | old.attributes & (DB | G), ..plain }
}

/// Loads a segment register other than CS.
///
/// # Errors
/// With the exceptions of the selector.
pub fn load(core: &mut Core<X64>, s: u8, selector: u16) -> Result<(), Raised> {
    let x = if !mode::is_protected(core.mode) {
        real(core, s, selector)
    } else if s == seg::SS {
        let cpl = mode::cpl(core.mode);
        let null = mode::is_64(core.mode) && cpl < 3 && selector & !3 == 0 && selector as u32 & 3 == cpl;
        if null {
            // 64-bit mode runs without a stack segment below level 3.
            Segment { attributes: UNUSABLE | cpl << 5, ..Segment::null(selector) }
        } else {
            read_stack(core, selector, cpl, GP)?
        }
    } else {
        read_data(core, selector, mode::cpl(core.mode), GP)?
    };
    put(core, s, x);
    Ok(())
}

/// Empties the data segment registers that a less privileged level must not use.
pub fn drop_privileged(core: &mut Core<X64>, cpl: u32) {
    for s in [seg::ES, seg::DS, seg::FS, seg::GS] {
        let x = get(core, s);
        if !x.is_unusable() && !x.is_conforming() && x.dpl() < cpl {
            // The base stays in 64-bit mode, where it would count.
            let base = if core.reg(state::EFER) & efer::LMA != 0 { x.base } else { 0 };
            put(core, s, Segment { base, ..Segment::null(0) });
        }
    }
}

/// MOV, POP and LDS and its kin to a segment register: which one, the selector, the length of an instruction that
/// leaves a shadow.
pub static LOAD: Helper<X64> = Helper { name: "load_segment", effects: Effects::ENDS, run: load_helper };

fn load_helper(core: &mut Core<X64>, s: u64, selector: u64, shadow: u64) -> Result<u64, Raised> {
    if s == seg::CS as u64 && core.features & super::features::I186 == 0 {
        // The 8086 does load CS.
        put(core, seg::CS, Segment::real(selector as u16, 0));
    } else {
        load(core, s as u8, selector as u16)?;
    }
    if s == seg::SS as u64 && shadow != 0 {
        exception::shadow(core, shadow, true);
    }
    context::refresh(core);
    Ok(0)
}

/// LLDT: the selector.
pub static LLDT: Helper<X64> = Helper { name: "lldt", effects: Effects::FAULTS, run: lldt };

fn lldt(core: &mut Core<X64>, selector: u64, _: u64, _: u64) -> Result<u64, Raised> {
    let selector = selector as u16;
    if selector & !3 == 0 {
        put(core, LDTR, Segment::null(selector));
        return Ok(0);
    }
    if selector & 4 != 0 {
        return Err(fail(core, GP, selector));
    }
    let mut d = read(core, selector, GP)?;
    if d.segment.kind() != 2 {
        return Err(fail(core, GP, selector));
    }
    if !d.segment.is_present() {
        return Err(fail(core, NP, selector));
    }
    if core.mode & mode::LMA != 0 {
        d.segment.base = long_base(core, &d)?;
    }
    put(core, LDTR, d.segment);
    Ok(0)
}

/// LTR: the selector.
pub static LTR: Helper<X64> = Helper { name: "ltr", effects: Effects::FAULTS, run: ltr };

fn ltr(core: &mut Core<X64>, selector: u64, _: u64, _: u64) -> Result<u64, Raised> {
    let selector = selector as u16;
    if selector & !3 == 0 || selector & 4 != 0 {
        return Err(fail(core, GP, selector));
    }
    let mut d = read(core, selector, GP)?;
    let long = core.mode & mode::LMA != 0;
    if !(d.segment.kind() == 9 || d.segment.kind() == 1 && !long) {
        return Err(fail(core, GP, selector));
    }
    if !d.segment.is_present() {
        return Err(fail(core, NP, selector));
    }
    if long {
        d.segment.base = long_base(core, &d)?;
    }
    system::write::<crate::width::W8>(core, d.at.wrapping_add(5), (d.raw >> 40) as u8 | 2)?;
    d.segment.attributes |= 2;
    put(core, TR, d.segment);
    Ok(0)
}

/// Which instruction [`ACCESS`] is.
pub mod access {
    #![expect(missing_docs, reason = "the manual's mnemonics")]
    pub const LAR: u64 = 0;
    pub const LSL: u64 = 1;
    pub const VERR: u64 = 2;
    pub const VERW: u64 = 3;
}

/// LAR, LSL, VERR, VERW: which, the selector. Bit 32 of the result says that ZF is set; the value is below.
pub static ACCESS: Helper<X64> =
    Helper { name: "access_rights", effects: Effects::FAULTS, run: access_rights };

fn access_rights(core: &mut Core<X64>, which: u64, selector: u64, _: u64) -> Result<u64, Raised> {
    let selector = selector as u16;
    if selector & !3 == 0 {
        return Ok(0);
    }
    let Some(at) = place(core, selector) else { return Ok(0) };
    let raw = system::read::<crate::width::W64>(core, at)?;
    let s = Segment::of(selector, raw);
    let long = core.mode & mode::LMA != 0;
    let reachable = s.is_conforming() || (s.rpl() <= s.dpl() && mode::cpl(core.mode) <= s.dpl());
    let known = s.attributes & NOT_SYSTEM != 0
        || match (which, long) {
            (access::LAR, true) => matches!(s.kind(), 2 | 9 | 11 | 12),
            (access::LAR, false) => matches!(s.kind(), 1..=5 | 9 | 11 | 12),
            (_, true) => matches!(s.kind(), 2 | 9 | 11),
            (_, false) => matches!(s.kind(), 1..=3 | 9 | 11),
        };
    const ZF: u64 = 1 << 32;
    Ok(match which {
        access::LAR if known && reachable => ZF | raw >> 32 & 0x00FF_FF00,
        access::LSL if known && reachable => ZF | s.limit as u64,
        access::VERR if s.is_readable() && reachable => ZF,
        access::VERW if s.is_writable() && reachable => ZF,
        _ => 0,
    })
}
