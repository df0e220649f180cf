//! Stage 1 translation of the EL1&0 regime (DDI 0487 D8): 4K, 16K and 64K granules, blocks and pages, the contiguous
//! hint (which changes nothing here), access and dirty flags in hardware, PAN, WXN, E0PD, fault status.
//!
//! Left out: 52-bit addresses, stage 2, hierarchical attributes of FEAT_HPDS being disabled.

use super::exception::abort;
use super::regs::pstate;
use super::{Arm64, context, features as feat, state, sysreg as sr};
use crate::core::{Core, Mapping, Raised, Want};
use crate::tlb::PAGE_MASK;
use crate::trace::DebugItems;
use std::fmt::Write;

/// Fault status codes, to which the level is added (DDI 0487 D17.2.40).
mod status {
    pub(super) const ADDRESS_SIZE: u64 = 0b000000;
    pub(super) const TRANSLATION: u64 = 0b000100;
    pub(super) const ACCESS: u64 = 0b001000;
    pub(super) const PERMISSION: u64 = 0b001100;
    pub(super) const EXTERNAL_ON_WALK: u64 = 0b010100;
}

/// A leaf descriptor with what the tables above it say.
struct Leaf {
    descriptor: u64,
    /// Physical address of the descriptor, for flag updates.
    at: u64,
    pa: u64,
    level: u64,
    /// APTable, PXNTable, UXNTable as found on the way, in descriptor positions 62:61, 59, 60.
    tables: u64,
}

/// How a half of the address space is translated.
struct Regime {
    ttbr: u64,
    size: u64,
    granule: u32,
    /// Bits of physical addresses: what TCR_EL1.IPS admits, at most what the processor has.
    physical: u32,
}

/// Bits of physical addresses by the encoding of TCR_EL1.IPS and ID_AA64MMFR0_EL1.PARange, without 52-bit ones.
fn sizes(encoding: u64) -> u32 {
    [32, 36, 40, 42, 44, 48, 48, 48][encoding as usize & 7]
}

/// Whether `va` carries a tag byte that is ignored: for data always by TBI, for code only if TBID is clear.
fn untag(tcr: u64, va: u64, want: Want) -> u64 {
    let upper = va >> 55 & 1 != 0;
    let (tbi, tbid) = if upper { (tcr >> 38 & 1, tcr >> 52 & 1) } else { (tcr >> 37 & 1, tcr >> 51 & 1) };
    if tbi == 0 || (want == Want::Exec && tbid != 0) {
        va
    } else if upper {
        va | 0xFF << 56
    } else {
        va & !(0xFF << 56)
    }
}

fn regime(core: &Core<Arm64>, va: u64, el: u32) -> Result<Regime, u64> {
    let tcr = core.reg(sr::TCR_EL1);
    let upper = va >> 63 != 0;
    let (size, disabled, ttbr, granule) = if upper {
        let granule = match tcr >> 30 & 3 {
            1 => 14,
            3 => 16,
            _ => 12,
        };
        (tcr >> 16 & 63, tcr >> 23 & 1, sr::TTBR1_EL1, granule)
    } else {
        let granule = match tcr >> 14 & 3 {
            1 => 16,
            2 => 14,
            _ => 12,
        };
        (tcr & 63, tcr >> 7 & 1, sr::TTBR0_EL1, granule)
    };
    let size = size.clamp(16, 39);
    let e0pd = core.features & feat::E0PD != 0 && el == 0 && tcr >> (55 + upper as u64) & 1 != 0;
    let top = if upper { !va } else { va } >> (64 - size);
    if top != 0 || disabled != 0 || e0pd {
        return Err(status::TRANSLATION);
    }
    let physical = sizes(tcr >> 32).min(sizes(core.reg(sr::ID_AA64MMFR0_EL1)));
    let ttbr = core.reg(ttbr);
    if ttbr & 0x0000_FFFF_FFFF_FFFE & !((1 << physical) - 1) != 0 {
        return Err(status::ADDRESS_SIZE);
    }
    Ok(Regime { ttbr, size, granule, physical })
}

/// Walks the tables, telling each descriptor to `told`.
fn walk(core: &Core<Arm64>, va: u64, r: &Regime, told: &mut dyn FnMut(u64, u64, u64)) -> Result<Leaf, u64> {
    let stride = r.granule - 3;
    let bits = 64 - r.size as u32;
    let levels = (bits - r.granule).div_ceil(stride);
    let mut level = 4 - levels as u64;
    let first_bits = bits - r.granule - stride * (levels - 1);
    // The first table may be smaller than a granule and is aligned to its size, at least 64 bytes.
    let align = (8u64 << first_bits).max(64);
    let mut table = r.ttbr & 0x0000_FFFF_FFFF_FFFE & !(align - 1);
    let mut tables = 0;
    loop {
        let shift = r.granule + stride * (3 - level as u32);
        let width = if level == 4 - levels as u64 { first_bits } else { stride };
        let at = table + ((va >> shift & ((1 << width) - 1)) << 3);
        let descriptor = read(core, at).ok_or(status::EXTERNAL_ON_WALK + level)?;
        told(level, at, descriptor);
        let block = descriptor & 3 == 1 && block_allowed(r.granule, level);
        let leads = block || descriptor & 3 == 3;
        if leads && descriptor & 0x0000_FFFF_FFFF_F000 >> r.physical << r.physical != 0 {
            return Err(status::ADDRESS_SIZE + level);
        }
        if block || (level == 3 && descriptor & 3 == 3) {
            let mask = (1u64 << shift) - 1;
            let pa = descriptor & 0x0000_FFFF_FFFF_F000 & !mask | va & mask & PAGE_MASK;
            return Ok(Leaf { descriptor, at, pa, level, tables });
        }
        if descriptor & 3 != 3 {
            return Err(status::TRANSLATION + level);
        }
        tables |= descriptor & 0x7800_0000_0000_0000;
        table = descriptor & 0x0000_FFFF_FFFF_FFFF & !((1 << r.granule) - 1);
        level += 1;
    }
}

/// Levels at which a granule has blocks.
fn block_allowed(granule: u32, level: u64) -> bool {
    match granule {
        12 => level == 1 || level == 2,
        _ => level == 2,
    }
}

fn read(core: &Core<Arm64>, at: u64) -> Option<u64> {
    let (ram, _) = core.bus.ram(at & PAGE_MASK)?;
    let raw = core.ram.read::<u64>(ram | at & !PAGE_MASK).ok()?;
    Some(if core.reg(sr::SCTLR_EL1) & context::sctlr::EE != 0 { raw.swap_bytes() } else { raw })
}

/// Sets bits of a descriptor, if nobody changed it since.
fn update(core: &mut Core<Arm64>, leaf: &Leaf, new: u64) -> bool {
    let swap = core.reg(sr::SCTLR_EL1) & context::sctlr::EE != 0;
    let order = |x: u64| if swap { x.swap_bytes() } else { x };
    let Some((ram, true)) = core.bus.ram(leaf.at & PAGE_MASK) else { return false };
    if let Some(j) = &mut core.journal {
        j.changing(&core.ram, ram | leaf.at & !PAGE_MASK, 8);
    }
    let old = core.ram.cas(ram | leaf.at & !PAGE_MASK, order(leaf.descriptor), order(new));
    old == Ok(order(leaf.descriptor))
}

/// Permissions of a leaf.
struct Rights {
    read: bool,
    write: bool,
    exec: bool,
}

fn rights(core: &Core<Arm64>, leaf: &Leaf, writable: bool, user: bool, pan: bool) -> Rights {
    let d = leaf.descriptor;
    let user_access = d >> 6 & 1 != 0 && leaf.tables >> 61 & 1 == 0;
    let write = writable && leaf.tables >> 62 & 1 == 0;
    let (uxn, pxn) =
        (d >> 54 & 1 != 0 || leaf.tables >> 60 & 1 != 0, d >> 53 & 1 != 0 || leaf.tables >> 59 & 1 != 0);
    let wxn = core.reg(sr::SCTLR_EL1) & context::sctlr::WXN != 0;
    if user {
        let write = write && user_access;
        Rights { read: user_access, write, exec: !(uxn || wxn && write) }
    } else {
        let blocked = pan && user_access;
        // What level 0 can write, level 1 must not execute.
        let exec = !(pxn || write && (wxn || user_access));
        Rights { read: !blocked, write: write && !blocked, exec }
    }
}

/// Translates the page of `va` at the current level.
///
/// # Errors
/// Leaves the fault in `raised`.
pub fn translate(core: &mut Core<Arm64>, va: u64, want: Want, unprivileged: bool) -> Result<Mapping, Raised> {
    let el = core.reg(state::MODE) >> 2 & 3;
    let p = core.reg(state::PSTATE);
    let uao = p >> pstate::UAO & 1 != 0;
    let user = el == 0 || (unprivileged && !uao);
    let pan = !user && p >> pstate::PAN & 1 != 0;
    let found = lookup(core, va, want, user, pan);
    if want == Want::Exec && found.is_ok() {
        context::fetched(core, va);
    }
    found.map_err(|status| abort(core, va, want, status))
}

/// Translates for given rights: the mapping, or a fault status code.
///
/// # Errors
/// The fault status code.
pub fn lookup(core: &mut Core<Arm64>, va: u64, want: Want, user: bool, pan: bool) -> Result<Mapping, u64> {
    if core.trace.shows(DebugItems::MMU) {
        return lookup_shown(core, va, want, user, pan);
    }
    lookup_told(core, va, want, user, pan, &mut |_, _, _| {})
}

/// [`lookup`], told to the debug log.
#[cold]
fn lookup_shown(core: &mut Core<Arm64>, va: u64, want: Want, user: bool, pan: bool) -> Result<Mapping, u64> {
    let mut text = String::new();
    let found = lookup_told(core, va, want, user, pan, &mut |level, at, descriptor| {
        let _ = write!(text, " L{level} [{at:#x}]={descriptor:#018x}");
    });
    let flag = |on: bool, c: char| if on { c } else { '-' };
    let _ = match &found {
        Ok(m) => write!(
            text,
            " -> {:#x} {}{}{}{}",
            m.pa,
            flag(m.read, 'r'),
            flag(m.write, 'w'),
            flag(m.global, 'g'),
            flag(m.device, 'd')
        ),
        Err(status) => write!(text, " -> {}", status_text(*status)),
    };
    let who = if user { "user" } else { "kernel" };
    log::debug!(target: "mmu", "cpu {} walk {va:#018x} {want:?} {who}{text}", core.index);
    found
}

/// As [`lookup`], with a line of text for each step of the walk.
///
/// # Errors
/// The fault status code.
pub fn lookup_with(
    core: &mut Core<Arm64>,
    va: u64,
    want: Want,
    user: bool,
    pan: bool,
    line: &mut dyn FnMut(String),
) -> Result<Mapping, u64> {
    lookup_told(core, va, want, user, pan, &mut |level, at, descriptor| {
        let kind = match (descriptor & 3, level) {
            (3, 3) => "page",
            (3, _) => "table",
            (1, 0..=2) => "block",
            _ => "invalid",
        };
        line(format!("level {level} descriptor at {at:#x}: {descriptor:#018x} {kind}"));
    })
}

/// The physical page behind a virtual address, without regard to permissions and without touching flags.
pub fn peek(core: &mut Core<Arm64>, va: u64, user: bool) -> Option<u64> {
    if core.reg(sr::SCTLR_EL1) & context::sctlr::M == 0 {
        return Some(va & PAGE_MASK);
    }
    let va = untag(core.reg(sr::TCR_EL1), va, Want::Read);
    let r = regime(core, va, if user { 0 } else { 1 }).ok()?;
    walk(core, va, &r, &mut |_, _, _| {}).ok().map(|leaf| leaf.pa)
}

/// A fault status code in words.
pub fn status_text(status: u64) -> String {
    let kind = match status & !3 {
        status::ADDRESS_SIZE => "address size fault",
        status::TRANSLATION => "translation fault",
        status::ACCESS => "access flag fault",
        status::PERMISSION => "permission fault",
        status::EXTERNAL_ON_WALK => "external abort on the walk",
        _ => "fault",
    };
    format!("{kind}, level {}", status & 3)
}

/// Writes the mapped ranges of both halves, joined where they continue each other.
pub fn ranges(core: &mut Core<Arm64>, text: &mut String) {
    if core.reg(sr::SCTLR_EL1) & context::sctlr::M == 0 {
        text.push_str("The MMU is off: virtual addresses are physical.\n");
        return;
    }
    let mut run: Option<(u64, u64, u64)> = None;
    let mut flush = |run: &mut Option<(u64, u64, u64)>| {
        if let Some((va, len, attributes)) = run.take() {
            let flag = |bit: u64, c: char| if attributes >> bit & 1 != 0 { c } else { '-' };
            let write = if attributes >> 7 & 1 == 0 { 'w' } else { '-' };
            let _ = writeln!(
                text,
                "{va:016x}-{:016x} {len:016x} r{write} {}{}{}",
                va.wrapping_add(len - 1),
                flag(6, 'u'),
                if attributes >> 53 & 1 == 0 { 'x' } else { '-' },
                if attributes >> 54 & 1 == 0 { 'X' } else { '-' },
            );
        }
    };
    const ATTRIBUTES: u64 = 3 << 53 | 3 << 6;
    for upper in [false, true] {
        let tcr = core.reg(sr::TCR_EL1);
        let size = if upper { tcr >> 16 & 63 } else { tcr & 63 }.clamp(16, 39);
        let first = if upper { u64::MAX << (64 - size) } else { 0 };
        let mut offset = 0u64;
        while offset < 1 << (64 - size) {
            let va = first.wrapping_add(offset);
            let mut step = 1 << 12;
            let mut seen = 0;
            let found = regime(core, va, 1).and_then(|r| {
                let stride = r.granule - 3;
                walk(core, va, &r, &mut |level, _, d| {
                    step = 1u64 << (r.granule + stride * (3 - level as u32));
                    seen = d;
                })
            });
            if found.is_ok() {
                let attributes = seen & ATTRIBUTES;
                match &mut run {
                    Some((start, len, a)) if *a == attributes && start.wrapping_add(*len) == va => {
                        *len += step
                    }
                    _ => {
                        flush(&mut run);
                        run = Some((va, step, attributes));
                    }
                }
            } else {
                flush(&mut run);
            }
            offset += step - (offset & (step - 1));
        }
        flush(&mut run);
    }
}

fn lookup_told(
    core: &mut Core<Arm64>,
    va: u64,
    want: Want,
    user: bool,
    pan: bool,
    told: &mut dyn FnMut(u64, u64, u64),
) -> Result<Mapping, u64> {
    let tcr = core.reg(sr::TCR_EL1);
    if core.reg(sr::SCTLR_EL1) & context::sctlr::M == 0 {
        let pa = untag(tcr, va, want);
        core.arch.guarded_page &= want != Want::Exec;
        if pa >> sizes(core.reg(sr::ID_AA64MMFR0_EL1)) != 0 {
            return Err(status::ADDRESS_SIZE);
        }
        // With the MMU off data is Device-nGnRnE; unaligned accesses are let through all the same, as most
        // emulators do, because early boot code was written against those.
        return Ok(Mapping { pa: pa & PAGE_MASK, read: true, write: true, global: true, device: false });
    }
    let address = untag(tcr, va, want);
    loop {
        let r = regime(core, address, if user { 0 } else { 1 })?;
        let mut leaf = walk(core, address, &r, told)?;
        let hardware_access = core.features & feat::HAF != 0 && tcr >> 39 & 1 != 0;
        let hardware_dirty = hardware_access && core.features & feat::HDBS != 0 && tcr >> 40 & 1 != 0;
        let mut new = leaf.descriptor;
        if new >> 10 & 1 == 0 {
            if !hardware_access {
                return Err(status::ACCESS + leaf.level);
            }
            new |= 1 << 10;
        }
        // DBM: a clean, writable page has AP[2] set; a store makes it dirty.
        let clean = hardware_dirty && new >> 51 & 1 != 0 && new >> 7 & 1 != 0;
        let writable = new >> 7 & 1 == 0;
        let able = rights(core, &leaf, writable || clean, user, pan);
        let allowed = match want {
            Want::Read => able.read,
            Want::Write => able.write,
            Want::Exec => able.exec,
        };
        if !allowed {
            return Err(status::PERMISSION + leaf.level);
        }
        if want == Want::Write && clean {
            new &= !(1 << 7);
        }
        if new != leaf.descriptor && !update(core, &leaf, new) {
            // Somebody changed the descriptor meanwhile: walk again.
            continue;
        }
        leaf.descriptor = new;
        if want == Want::Exec && core.features & feat::BTI != 0 {
            note_guarded(core, new >> 50 & 1 != 0);
        }
        let attribute = core.reg(sr::MAIR_EL1) >> ((new >> 2 & 7) * 8) & 0xFF;
        return Ok(Mapping {
            pa: leaf.pa,
            read: able.read,
            write: able.write && new >> 7 & 1 == 0,
            global: new >> 11 & 1 == 0,
            device: attribute & 0xF0 == 0,
        });
    }
}

/// Remembers whether the page that was translated last for execution is guarded; the first one that is turns the
/// checks on.
fn note_guarded(core: &mut Core<Arm64>, guarded: bool) {
    core.arch.guarded_page = guarded;
    if guarded && !core.arch.guarded {
        core.arch.guarded = true;
        context::refresh(core);
    }
}
