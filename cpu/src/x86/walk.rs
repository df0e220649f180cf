//! Paging (SDM vol. 3, chapter 5): 32-bit with 4 MiB pages and PSE-36, PAE, 4- and 5-level, with 2 MiB and 1 GiB pages,
//! execute-disable, supervisor write protection, SMEP, SMAP, protection keys, accessed and dirty flags, error codes.
//!
//! Accessed flags are set when a translation succeeds. Left out: memory types, which change nothing here; supervisor
//! protection keys.

use super::control::{cr0, cr4, efer};
use super::emit::fault;
use super::flags::eflags;
use super::insn::seg;
use super::{X64, context, cpuid, exception, mode, state};
use crate::core::{Core, MANAGEMENT, Mapping, Raised, Want};
use crate::emit::Access;
use crate::tlb::PAGE_MASK;
use crate::trace::DebugItems;
use crate::x86::emit::fault::with_code;

/// Bits of a paging-structure entry.
mod entry {
    pub(super) const P: u64 = 1;
    pub(super) const W: u64 = 1 << 1;
    pub(super) const U: u64 = 1 << 2;
    pub(super) const A: u64 = 1 << 5;
    pub(super) const D: u64 = 1 << 6;
    pub(super) const PS: u64 = 1 << 7;
    pub(super) const G: u64 = 1 << 8;
    pub(super) const NX: u64 = 1 << 63;
    /// Address bits of 64-bit entries.
    pub(super) const ADDRESS: u64 = 0x000F_FFFF_FFFF_F000;
}

/// Bits of a page fault's error code.
mod code {
    pub(super) const P: u64 = 1;
    pub(super) const W: u64 = 1 << 1;
    pub(super) const U: u64 = 1 << 2;
    pub(super) const RSVD: u64 = 1 << 3;
    pub(super) const I: u64 = 1 << 4;
    pub(super) const PK: u64 = 1 << 5;
}

/// An entry that a walk used.
#[derive(Clone, Copy, Default)]
struct Used {
    at: u64,
    value: u64,
}

/// What a walk found.
struct Leaf {
    /// Entries from the root on; the last one maps the page.
    used: [Used; 5],
    count: usize,
    /// Physical address of the 4 KiB page.
    pa: u64,
    /// Log2 of the page's size.
    size: u32,
    /// W and U as all levels permit them, NX as any level forbids.
    rights: u64,
}

impl Leaf {
    fn last(&self) -> u64 {
        self.used[self.count.clamp(1, 5) - 1].value
    }
}

/// Why a walk ended: error code bits P and RSVD.
struct Broken(u64);

/// Which form of paging is on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Narrow,
    Pae,
    Long(u32),
}

fn form(core: &Core<X64>) -> Form {
    let cr4 = core.reg(state::CR4);
    if cr4 & cr4::PAE == 0 {
        Form::Narrow
    } else if core.reg(state::EFER) & efer::LMA == 0 {
        Form::Pae
    } else {
        Form::Long(if cr4 & cr4::LA57 != 0 { 5 } else { 4 })
    }
}

/// The address that reaches the bus: without bit 20 if the board masks it, and marked in system management mode.
pub(super) fn on_bus(core: &Core<X64>, pa: u64) -> u64 {
    let pa = if core.arch.a20 { pa } else { pa & !(1 << 20) };
    if core.reg(state::BLOCKED) & state::blocked::SMM != 0 { pa | MANAGEMENT } else { pa }
}

/// Reads an entry of 4 or 8 bytes; all ones where there is no RAM.
fn read(core: &Core<X64>, at: u64, wide: bool) -> u64 {
    let at = on_bus(core, at);
    let Some((ram, _)) = core.bus.ram(at & PAGE_MASK) else { return u64::MAX };
    let ram = ram | at & !PAGE_MASK;
    if wide {
        core.ram.read::<u64>(ram).unwrap_or(u64::MAX)
    } else {
        core.ram.read::<u32>(ram).map_or(u64::MAX, u64::from)
    }
}

/// Sets bits of an entry. False if somebody changed it since it was read.
fn update(core: &mut Core<X64>, used: Used, bits: u64, wide: bool) -> bool {
    let at = on_bus(core, used.at);
    // Flags in ROM stay as they are.
    let Some((ram, true)) = core.bus.ram(at & PAGE_MASK) else { return true };
    let ram = ram | at & !PAGE_MASK;
    if let Some(j) = &mut core.journal {
        j.changing(&core.ram, ram, 8);
    }
    if wide {
        core.ram.cas::<u64>(ram, used.value, used.value | bits) == Ok(used.value)
    } else {
        let (old, new) = (used.value as u32, (used.value | bits) as u32);
        core.ram.cas::<u32>(ram, old, new) == Ok(old)
    }
}

/// Reserved bits of a 64-bit entry besides those of large pages.
fn reserved(core: &Core<X64>, pae: bool) -> u64 {
    let physical = entry::ADDRESS & !((1 << core.arch.cpuid.physical_bits()) - 1);
    let nx = if core.reg(state::EFER) & efer::NXE == 0 { entry::NX } else { 0 };
    physical | nx | if pae { 0x7FF << 52 } else { 0 }
}

fn walk(core: &Core<X64>, va: u64) -> Result<Leaf, Broken> {
    let root = core.reg(state::CR3);
    match form(core) {
        Form::Narrow => walk_narrow(core, va, root),
        Form::Pae => {
            let entry = core.reg(state::pdpte((va >> 30) as u8 & 3));
            if entry & entry::P == 0 {
                return Err(Broken(0));
            }
            walk_wide(core, va, entry & entry::ADDRESS, 2, true)
        }
        Form::Long(levels) => walk_wide(core, va, root & entry::ADDRESS, levels, false),
    }
}

fn walk_narrow(core: &Core<X64>, va: u64, root: u64) -> Result<Leaf, Broken> {
    let mut leaf = Leaf { used: Default::default(), count: 0, pa: 0, size: 0, rights: entry::W | entry::U };
    let at = (root & 0xFFFF_F000) + (va >> 22 << 2);
    let directory = read(core, at, false);
    leaf.used[0] = Used { at, value: directory };
    leaf.count = 1;
    leaf.rights &= directory;
    if directory & entry::P == 0 {
        return Err(Broken(0));
    }
    if directory & entry::PS != 0 && core.reg(state::CR4) & cr4::PSE != 0 {
        // Bits 20:13 are address bits 39:32 with PSE-36.
        let wide = core.arch.cpuid.has(cpuid::bit::PSE36);
        if directory & 1 << 21 != 0 || !wide && directory & 0x1F_E000 != 0 {
            return Err(Broken(code::P | code::RSVD));
        }
        leaf.pa = directory & 0xFFC0_0000 | (directory >> 13 & 0xFF) << 32 | va & 0x3F_F000;
        leaf.size = 22;
        return Ok(leaf);
    }
    let at = (directory & 0xFFFF_F000) + (va >> 12 & 0x3FF) * 4;
    let table = read(core, at, false);
    leaf.used[1] = Used { at, value: table };
    leaf.count = 2;
    leaf.rights &= table;
    if table & entry::P == 0 {
        return Err(Broken(0));
    }
    (leaf.pa, leaf.size) = (table & 0xFFFF_F000, 12);
    Ok(leaf)
}

fn walk_wide(core: &Core<X64>, va: u64, root: u64, levels: u32, pae: bool) -> Result<Leaf, Broken> {
    let mut leaf = Leaf { used: Default::default(), count: 0, pa: 0, size: 0, rights: entry::W | entry::U };
    let reserved = reserved(core, pae);
    let mut table = root;
    for level in (1..=levels).rev() {
        let shift = 12 + 9 * (level - 1);
        let at = table + (va >> shift & 0x1FF) * 8;
        let value = read(core, at, true);
        leaf.used[leaf.count.min(4)] = Used { at, value };
        leaf.count += 1;
        if value & entry::P == 0 {
            return Err(Broken(0));
        }
        let large = value & entry::PS != 0 && level > 1;
        let large_exists = level == 2 || level == 3 && core.arch.cpuid.has(cpuid::bit::GIB_PAGES);
        // Between the PAT bit and the address.
        let gap = if large { (1u64 << shift) - (1 << 13) } else { 0 };
        if value & (reserved | gap) != 0 || large && !large_exists {
            return Err(Broken(code::P | code::RSVD));
        }
        leaf.rights = leaf.rights & value & (entry::W | entry::U) | (leaf.rights | value) & entry::NX;
        if large || level == 1 {
            let offset = (1u64 << shift) - 1;
            leaf.pa = value & entry::ADDRESS & !offset | va & offset & PAGE_MASK;
            leaf.size = shift;
            return Ok(leaf);
        }
        table = value & entry::ADDRESS;
    }
    Err(Broken(0))
}

/// Whose rights an access has.
#[derive(Clone, Copy)]
struct Who {
    user: bool,
    /// SMAP applies.
    smap: bool,
}

/// What a leaf permits besides fetching: loads, stores, and whether protection keys forbid either.
fn rights(core: &mut Core<X64>, leaf: &Leaf, who: Who) -> (bool, bool, [bool; 2]) {
    let user_page = leaf.rights & entry::U != 0;
    let reach = if who.user { user_page } else { !(who.smap && user_page) };
    let protects = who.user || core.reg(state::CR0) & cr0::WP != 0;
    let write = reach && (leaf.rights & entry::W != 0 || !protects);
    let mut keys = [false; 2];
    if core.reg(state::CR4) & cr4::PKE != 0 && user_page && matches!(form(core), Form::Long(_)) {
        let key = leaf.last() >> 59 & 15;
        core.arch.keys |= 1 << key;
        let pkru = core.reg(state::PKRU) >> (2 * key);
        keys = [pkru & 1 != 0, pkru & 1 != 0 || pkru & 2 != 0 && protects];
    }
    (reach && !keys[0], write && !keys[1], keys)
}

/// The supervisor must not fetch from user pages, nobody from pages that NX forbids.
fn may_fetch(core: &Core<X64>, leaf: &Leaf, user: bool) -> bool {
    let user_page = leaf.rights & entry::U != 0;
    let smep = core.reg(state::CR4) & cr4::SMEP != 0;
    leaf.rights & entry::NX == 0 && if user { user_page } else { !(smep && user_page) }
}

/// Looks an address up, sets its accessed and dirty flags, and gives the translation and the page's size, or the
/// error code of the page fault.
fn lookup(core: &mut Core<X64>, va: u64, want: Want, who: Who) -> Result<(Mapping, u32), u64> {
    let wide = core.reg(state::CR4) & cr4::PAE != 0;
    let fetch_shows = core.reg(state::CR4) & cr4::SMEP != 0 || wide && core.reg(state::EFER) & efer::NXE != 0;
    let how = if who.user { code::U } else { 0 }
        | match want {
            Want::Read => 0,
            Want::Write => code::W,
            Want::Exec if fetch_shows => code::I,
            Want::Exec => 0,
        };
    loop {
        let leaf = walk(core, va).map_err(|Broken(why)| how | why)?;
        let (read, write, keys) = rights(core, &leaf, who);
        let (permitted, key) = match want {
            Want::Read => (read, keys[0]),
            Want::Write => (write, keys[1]),
            Want::Exec => (may_fetch(core, &leaf, who.user), false),
        };
        if !permitted {
            return Err(how | code::P | if key { code::PK } else { 0 });
        }
        let mut stable = true;
        for (n, used) in leaf.used.into_iter().take(leaf.count).enumerate() {
            let dirty = n + 1 == leaf.count && want == Want::Write;
            let bits = entry::A | if dirty { entry::D } else { 0 };
            if used.value & bits != bits {
                stable &= update(core, used, bits, wide);
            }
        }
        if !stable {
            continue;
        }
        let dirty = want == Want::Write || leaf.last() & entry::D != 0;
        let global = leaf.last() & entry::G != 0 && core.reg(state::CR4) & cr4::PGE != 0;
        let pa = on_bus(core, leaf.pa);
        return Ok((Mapping { pa, read, write: write && dirty, global, device: false }, leaf.size));
    }
}

/// Without paging.
fn flat(core: &Core<X64>, va: u64) -> Mapping {
    let pa = va & ((1 << core.arch.cpuid.physical_bits().min(32)) - 1) & PAGE_MASK;
    Mapping { pa: on_bus(core, pa), read: true, write: true, global: true, device: false }
}

/// The address to look up, or an exception where it cannot be one.
fn address(core: &mut Core<X64>, va: u64, want: Want, k: Access) -> Result<u64, Raised> {
    if core.reg(state::EFER) & efer::LMA != 0 && (mode::is_64(core.mode) || k.unprivileged) {
        if super::system::is_canonical(core, va) {
            return Ok(va);
        }
        return Err(core.raise_now(if k.stack { fault::SS0 } else { fault::GP0 }, 0));
    }
    if want != Want::Exec {
        return Ok(va & 0xFFFF_FFFF);
    }
    if va >> 32 != 0 {
        if va == core.pc() {
            // The instruction pointer wraps: the PC is put right, and fetched again.
            core.set_pc(va & 0xFFFF_FFFF);
            return Err(core.raise_now(exception::FETCH_AGAIN, 0));
        }
        return Ok(va & 0xFFFF_FFFF);
    }
    if core.mode & mode::FLAT == 0 {
        let offset = va.wrapping_sub(core.reg(state::base(seg::CS))) & 0xFFFF_FFFF;
        let wraps = core.features & super::features::I286 == 0;
        if offset > core.reg(state::limit(seg::CS)) as u64 && !wraps {
            return Err(core.raise_now(fault::GP0, 0));
        }
    }
    Ok(va)
}

/// Translates the page of a linear address.
///
/// # Errors
/// With a page fault, or #GP or #SS for an address that is not canonical.
pub fn translate(core: &mut Core<X64>, va: u64, want: Want, k: Access) -> Result<Mapping, Raised> {
    let va = address(core, va, want, k)?;
    if core.reg(state::CR0) & cr0::PG == 0 {
        return Ok(flat(core, va));
    }
    let user = mode::cpl(core.mode) == 3 && !k.unprivileged;
    let smap = !user
        && want != Want::Exec
        && core.reg(state::CR4) & cr4::SMAP != 0
        && (k.unprivileged || core.reg(state::EFLAGS) & eflags::AC == 0);
    let found = lookup(core, va, want, Who { user, smap });
    if core.trace.shows(DebugItems::MMU) {
        show(core, va, want, user, &found);
    }
    match found {
        Ok((m, size)) => {
            if want == Want::Exec {
                context::fetched(core, va, size > 12, m.global);
            } else if size > 12 {
                core.arch.large.note(va, size);
            }
            Ok(m)
        }
        Err(error) => Err(core.raise_now(with_code(14, error), va)),
    }
}

#[cold]
fn show(core: &Core<X64>, va: u64, want: Want, user: bool, found: &Result<(Mapping, u32), u64>) {
    let who = if user { "user" } else { "supervisor" };
    let result = match found {
        Ok((m, size)) => format!("{:#x} write {} global {} size {size}", m.pa, m.write, m.global),
        Err(code) => format!("page fault {code:#x}"),
    };
    log::debug!(target: "mmu", "cpu {} walk {va:#018x} {want:?} {who} -> {result}", core.index);
}

/// The physical page behind a linear address, without regard to permissions and without touching flags.
pub fn peek(core: &Core<X64>, va: u64) -> Option<u64> {
    if core.reg(state::CR0) & cr0::PG == 0 {
        return Some(flat(core, va).pa);
    }
    let va = if core.reg(state::EFER) & efer::LMA != 0 { va } else { va & 0xFFFF_FFFF };
    walk(core, va).ok().map(|leaf| on_bus(core, leaf.pa))
}

/// The lines of a walk, for `info mem` of one address.
pub fn explain(core: &Core<X64>, va: u64) -> Vec<String> {
    match walk(core, va) {
        Ok(leaf) => leaf
            .used
            .iter()
            .take(leaf.count)
            .map(|u| format!("entry at {:#x}: {:#018x}", u.at, u.value))
            .chain([format!("page {:#x} of {} KiB", leaf.pa, (1u64 << leaf.size) >> 10)])
            .collect(),
        Err(Broken(why)) if why & code::RSVD != 0 => vec!["reserved bits are set".into()],
        Err(Broken(_)) => vec!["not present".into()],
    }
}

/// Loads the page-directory-pointer entries of PAE paging.
///
/// # Errors
/// #GP if one has reserved bits set.
pub fn load_pdptes(core: &mut Core<X64>, cr3: u64) -> Result<(), Raised> {
    let table = cr3 & 0xFFFF_FFE0;
    let physical = !((1 << core.arch.cpuid.physical_bits()) - 1);
    let entries: [u64; 4] = std::array::from_fn(|n| read(core, table + 8 * n as u64, true));
    if entries.iter().any(|e| e & entry::P != 0 && e & (0x1E6 | physical) != 0) {
        return Err(core.raise_now(fault::GP0, 0));
    }
    for (n, entry) in entries.into_iter().enumerate() {
        core.set(state::pdpte(n as u8), entry);
    }
    Ok(())
}

/// Where translations of large pages were entered into the TLB, so that forgetting one page of them forgets all.
#[derive(Clone, Copy, Debug)]
pub struct Large {
    /// First and last address, in the lower and the upper half.
    halves: [(u64, u64); 2],
    /// Log2 of the largest.
    size: u32,
}

impl Default for Large {
    fn default() -> Self {
        Self { halves: [(u64::MAX, 0); 2], size: 0 }
    }
}

impl Large {
    fn note(&mut self, va: u64, size: u32) {
        let (first, last) = &mut self.halves[(va >> 63) as usize];
        *first = (*first).min(va >> size << size);
        *last = (*last).max(va | ((1 << size) - 1));
        self.size = self.size.max(size);
    }

    /// What forgetting the page of `va` has to forget: log2 of the size of the region around it.
    pub fn around(&self, va: u64) -> u32 {
        let (first, last) = self.halves[(va >> 63) as usize];
        if va >= first && va <= last { self.size } else { 12 }
    }
}
