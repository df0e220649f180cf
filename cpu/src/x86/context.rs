//! What follows from control registers, segments and EFLAGS: the mode word, the TLB banks, the fetch spaces, the
//! interrupt mask.

use super::control::{cr0, cr4, efer};
use super::flags::{self, eflags};
use super::insn::seg;
use super::isa::sse_control;
use super::{X64, debug, mode, segment, state};
use crate::core::{Attention, Core};
use crate::tlb::{BankKey, PAGE_MASK};
use std::collections::{HashMap, HashSet};

/// Names of fetch translations, see [`Core::fetch_space`]. The lower half has one for each PCID.
#[derive(Debug)]
pub struct Spaces {
    next: u64,
    lower: HashMap<u32, u64>,
    /// Pages that code was fetched from.
    fetched: HashSet<u64>,
    /// Regions of 2 MiB that code was fetched from through large pages.
    fetched_large: HashSet<u64>,
    /// Code in the upper half was fetched through translations that are not global.
    upper_varies: bool,
    /// How many translations for fetching were made. While it stays, so does all that the names stand for.
    pub walks: u64,
}

impl Default for Spaces {
    fn default() -> Self {
        Self {
            next: 3,
            lower: HashMap::new(),
            fetched: HashSet::new(),
            fetched_large: HashSet::new(),
            upper_varies: false,
            walks: 0,
        }
    }
}

impl Spaces {
    fn name(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }
}

/// Upper bound of remembered pages; beyond it everything is renamed, which is always right.
const FETCHED: usize = 65536;

/// Notes that code was fetched from a page, through a large page and a global one?
pub fn fetched(core: &mut Core<X64>, va: u64, large: bool, global: bool) {
    if core.arch.spaces.fetched.len() >= FETCHED {
        new_spaces(core);
    }
    let s = &mut core.arch.spaces;
    s.walks += 1;
    s.upper_varies |= va >> 63 != 0 && !global;
    if large {
        s.fetched_large.insert(va >> 21);
    } else {
        s.fetched.insert(va & PAGE_MASK);
    }
}

/// Renames all fetch translations.
pub fn new_spaces(core: &mut Core<X64>) {
    let pcid = pcid(core);
    let s = &mut core.arch.spaces;
    s.lower.clear();
    s.fetched.clear();
    s.fetched_large.clear();
    s.upper_varies = false;
    core.fetch_space = [s.name(), s.name()];
    s.lower.insert(pcid, core.fetch_space[0]);
}

/// Renames what the 4 KiB page of `va`, or the 2 MiB around it, belongs to, if code was ever fetched from there.
pub fn renew_page(core: &mut Core<X64>, va: u64) {
    let s = &mut core.arch.spaces;
    if s.fetched.contains(&(va & PAGE_MASK)) || s.fetched_large.contains(&(va >> 21)) {
        renew_half(core, va >> 63 != 0);
    }
}

/// Renames a half of the address space in all its forms.
fn renew_half(core: &mut Core<X64>, upper: bool) {
    let s = &mut core.arch.spaces;
    s.fetched.retain(|p| (p >> 63 != 0) != upper);
    s.fetched_large.retain(|p| (p >> 42 != 0) != upper);
    if upper {
        s.upper_varies = false;
        core.fetch_space[1] = s.name();
    } else {
        s.lower.clear();
        select_lower(core);
    }
}

/// Renames one address space, without its global translations in the upper half.
pub fn renew_space(core: &mut Core<X64>, pcid: u32) {
    core.arch.spaces.lower.remove(&pcid);
    if core.arch.spaces.upper_varies {
        renew_half(core, true);
    }
    select_lower(core);
}

fn select_lower(core: &mut Core<X64>) {
    let pcid = pcid(core);
    let s = &mut core.arch.spaces;
    let next = &mut s.next;
    core.fetch_space[0] = *s.lower.entry(pcid).or_insert_with(|| {
        *next += 1;
        *next - 1
    });
}

/// The current process-context identifier; 0 without CR4.PCIDE.
pub fn pcid(core: &Core<X64>) -> u32 {
    if core.reg(state::CR4) & cr4::PCIDE != 0 { core.reg(state::CR3) as u32 & 0xFFF } else { 0 }
}

const KEY_FLAT: BankKey = 1;
const KEY_USER: BankKey = 2;
const KEY_SYSTEM: BankKey = 3;
const KEY_SYSTEM_SMAP: BankKey = 4;
/// Watched modes, and plain accesses of those that check alignment: nothing is ever entered.
const KEY_WATCHED: BankKey = 5;

/// Whether a bank belongs to the supervisor.
pub fn is_system(key: BankKey) -> bool {
    matches!(key & 0xFF, KEY_SYSTEM | KEY_SYSTEM_SMAP)
}

/// The address space that a bank belongs to, for the user's.
pub fn user_pcid(key: BankKey) -> Option<u32> {
    (key & 0xFF == KEY_USER).then_some((key >> 8) as u32)
}

/// A bank's name for `info tlb`.
pub fn bank_name(key: BankKey) -> String {
    match key & 0xFF {
        KEY_FLAT => "paging off".into(),
        KEY_USER => format!("user pcid {:#x}", key >> 8),
        KEY_SYSTEM => "supervisor".into(),
        KEY_SYSTEM_SMAP => "supervisor SMAP".into(),
        KEY_WATCHED => "watched".into(),
        _ => "unused".into(),
    }
}

/// After CR3 was written: forgets what may have changed. `keep`: bit 63 of the value, with PCIDs, keeps the new
/// space's translations.
pub fn new_root(core: &mut Core<X64>, keep: bool) {
    let pcid = pcid(core);
    if core.reg(state::CR0) & cr0::PG == 0 {
        return;
    }
    if core.reg(state::CR4) & cr4::PCIDE == 0 {
        core.tlb.flush_nonglobal(|_| true);
        renew_space(core, 0);
        return;
    }
    if !keep {
        core.tlb.flush_nonglobal(|k| user_pcid(k) == Some(pcid));
        core.arch.spaces.lower.remove(&pcid);
    }
    if pcid != core.arch.pcid || !keep {
        // The supervisor's banks hold one space.
        core.arch.pcid = pcid;
        core.tlb.flush_nonglobal(is_system);
        if core.arch.spaces.upper_varies {
            renew_half(core, true);
        }
    }
    select_lower(core);
}

pub use super::eflags::get as eflags;

/// Sets EFLAGS; bits that the model does not have stay clear. [`refresh`] follows.
pub fn set_eflags(core: &mut Core<X64>, x: u32) {
    let bits = super::eflags::implemented(core.features);
    core.set(state::FLAGS, flags::from_eflags(x));
    core.set(state::EFLAGS, x & bits & !eflags::ARITHMETIC);
}

/// Recomputes everything after one of them changed.
pub fn refresh(core: &mut Core<X64>) {
    core.mode = mode_word(core);
    refresh_banks(core);
    refresh_masks(core);
}

/// Selects the TLB's banks for the mode.
fn refresh_banks(core: &mut Core<X64>) {
    let system = core.reg(state::CR4) & cr4::SMAP != 0;
    let m = core.mode;
    let keys = if m & mode::WATCH != 0 {
        (KEY_WATCHED, KEY_WATCHED)
    } else if core.reg(state::CR0) & cr0::PG == 0 {
        (KEY_FLAT, KEY_FLAT)
    } else {
        let implicit = if system { KEY_SYSTEM_SMAP } else { KEY_SYSTEM };
        let plain = if mode::cpl(m) == 3 {
            KEY_USER | (pcid(core) as u64) << 8
        } else if system && core.reg(state::EFLAGS) & eflags::AC == 0 {
            KEY_SYSTEM_SMAP
        } else {
            KEY_SYSTEM
        };
        (plain, implicit)
    };
    // See `Arch::STRICT_MISSES`.
    let plain = if m & mode::ALIGN != 0 { KEY_WATCHED } else { keys.0 };
    core.tlb.select(plain, keys.1);
}

/// The same in long mode after a fast system call: privilege level, EFLAGS, CS and SS have changed, which are flat.
pub fn refresh_level(core: &mut Core<X64>) {
    const FOLLOWS: u32 =
        mode::CPL | 3 << mode::CODE_LOW | 3 << mode::STACK_LOW | mode::CS_FLAT | mode::ALIGN | mode::DF;
    let (ef, cpl) = (core.reg(state::EFLAGS), core.reg(state::CPL));
    let is_64 = core.reg(state::attributes(seg::CS)) & segment::L != 0;
    if !is_64 || core.mode & mode::STEP != 0 || ef & (eflags::TF | eflags::VM) != 0 {
        return refresh(core);
    }
    let mut m = core.mode & !FOLLOWS | cpl | 3 << mode::CODE_LOW | 3 << mode::STACK_LOW | mode::FLAT;
    if cpl == 3 && core.reg(state::CR0) & cr0::AM != 0 && ef & eflags::AC != 0 {
        m |= mode::ALIGN;
    }
    if ef & eflags::DF != 0 {
        m |= mode::DF;
    }
    core.mode = m;
    debug_assert_eq!(m, mode_word(core), "the mode is what everything says");
    refresh_banks(core);
    refresh_masks(core);
}

/// Recomputes everything after the register file was replaced by one of another time.
pub fn replaced(core: &mut Core<X64>) {
    refresh(core);
    (core.arch.trap, core.arch.resumed) = (false, false);
    let pcid = pcid(core);
    if core.arch.pcid != pcid {
        core.arch.pcid = pcid;
        if core.arch.spaces.upper_varies {
            renew_half(core, true);
        }
    }
    select_lower(core);
}

fn mode_word(core: &Core<X64>) -> u32 {
    let (cr0, cr4) = (core.reg(state::CR0), core.reg(state::CR4));
    let ef = core.reg(state::EFLAGS);
    let lma = core.reg(state::EFER) & efer::LMA != 0;
    let cpl = core.reg(state::CPL);
    let cs = core.reg(state::attributes(seg::CS));
    let ss = core.reg(state::attributes(seg::SS));
    let is_64 = lma && cs & segment::L != 0;
    let big = |a: u32| if a & segment::DB != 0 { 2 } else { 1 };
    let code = if is_64 { 3 } else { big(cs) };
    let stack = if is_64 { 3 } else { big(ss) };
    let mut m = cpl | code << mode::CODE_LOW | stack << mode::STACK_LOW;
    let mut flag = |on: bool, bit: u32| m |= if on { bit } else { 0 };
    flag(cr0 & cr0::PE != 0, mode::PE);
    flag(ef & eflags::VM != 0, mode::VM);
    flag(lma, mode::LMA);
    let cs_zero = core.reg(state::base(seg::CS)) == 0;
    let flat = is_64 || cs_zero && segment::all_flat(core);
    flag(flat, mode::FLAT);
    flag(!flat && cs_zero, mode::CS_FLAT);
    flag(cpl == 3 && cr0 & cr0::AM != 0 && ef & eflags::AC != 0, mode::ALIGN);
    let alone = core.reg(state::BLOCKED) & state::blocked::SHADOW != 0;
    flag(alone || ef & eflags::TF != 0 || debug::breaks_armed(core), mode::STEP);
    flag(debug::watches_armed(core), mode::WATCH);
    flag(cr0 & (cr0::EM | cr0::TS) != 0, mode::X87_TRAP);
    flag(cr0 & cr0::MP != 0 && cr0 & cr0::TS != 0, mode::WAIT_TRAP);
    flag(cr0 & cr0::EM != 0 || cr4 & cr4::OSFXSR == 0, mode::SSE_UD);
    flag(cr0 & cr0::TS != 0, mode::SSE_NM);
    flag(cr0 & cr0::EM != 0, mode::MMX_UD);
    flag(cr4 & cr4::OSXSAVE == 0 || core.reg(state::XCR0) & 6 != 6, mode::AVX_UD);
    flag(core.arch.smp, mode::SMP);
    flag(ef & eflags::DF != 0, mode::DF);
    m | sse_control::mode_bits(core.reg(state::MXCSR))
}

/// Recomputes which requests get through.
pub fn refresh_masks(core: &mut Core<X64>) {
    use state::blocked;
    let b = core.reg(state::BLOCKED);
    let mut mask = u32::MAX;
    if core.reg(state::EFLAGS) & eflags::IF == 0 || b & blocked::SHADOW != 0 {
        mask &= !Attention::IRQ;
    }
    // An NMI waits for the shadow of STI, too, as the manual allows: its handler would end the shadow before a HLT there.
    if b & (blocked::NMI | blocked::STACK | blocked::SHADOW) != 0 {
        mask &= !Attention::NMI;
    }
    if b & (blocked::SMM | blocked::STACK | blocked::SHADOW) != 0 {
        mask &= !Attention::SMI;
    }
    if b & blocked::SHUTDOWN != 0 {
        mask &= !(Attention::IRQ | Attention::NMI | Attention::SMI);
    }
    core.set(state::POLL_MASK, mask);
}
