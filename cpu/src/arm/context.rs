//! What follows from system registers and PSTATE: the mode word, the TLB banks, the fetch spaces, the interrupt mask.

use super::debug::mdscr;
use super::regs::pstate;
use super::{Arm64, features as feat, mode, state, sysreg as sr};
use crate::core::{Attention, Core};
use crate::softfloat::Flags;
use crate::tlb::{BankKey, PAGE_MASK};
use std::collections::{HashMap, HashSet};

/// SCTLR_EL1 bits (DDI 0487 D19.2.122).
pub mod sctlr {
    #![expect(missing_docs, reason = "the manual's names")]
    pub const M: u64 = 1;
    pub const A: u64 = 1 << 1;
    pub const SA: u64 = 1 << 3;
    pub const SA0: u64 = 1 << 4;
    pub const UMA: u64 = 1 << 9;
    pub const ENDB: u64 = 1 << 13;
    pub const DZE: u64 = 1 << 14;
    pub const UCT: u64 = 1 << 15;
    pub const NTWI: u64 = 1 << 16;
    pub const NTWE: u64 = 1 << 18;
    pub const WXN: u64 = 1 << 19;
    pub const SPAN: u64 = 1 << 23;
    pub const E0E: u64 = 1 << 24;
    pub const EE: u64 = 1 << 25;
    pub const UCI: u64 = 1 << 26;
    pub const ENDA: u64 = 1 << 27;
    pub const ENIB: u64 = 1 << 30;
    pub const ENIA: u64 = 1 << 31;
    pub const BT0: u64 = 1 << 35;
    pub const BT1: u64 = 1 << 36;
    pub const DSSBS: u64 = 1 << 44;
}

/// Names of fetch translations, see [`Core::fetch_space`].
#[derive(Debug)]
pub struct Spaces {
    next: u64,
    /// Name of the lower half by address-space identifier.
    lower: HashMap<u32, u64>,
    /// Pages that code was fetched from, in either half.
    fetched: HashSet<u64>,
    /// How many translations for fetching were made. While it stays, so does all that the names stand for.
    pub walks: u64,
}

impl Default for Spaces {
    fn default() -> Self {
        Self { next: 3, lower: HashMap::new(), fetched: HashSet::new(), walks: 0 }
    }
}

/// Upper bound of remembered pages; beyond it everything is renamed, which is always right.
const FETCHED: usize = 65536;

/// Notes that code was fetched from a page.
pub fn fetched(core: &mut Core<Arm64>, va: u64) {
    if core.arch.spaces.fetched.len() >= FETCHED {
        new_spaces(core);
    }
    core.arch.spaces.walks += 1;
    core.arch.spaces.fetched.insert(va & PAGE_MASK);
}

/// Renames all fetch translations.
pub fn new_spaces(core: &mut Core<Arm64>) {
    let s = &mut core.arch.spaces;
    s.lower.clear();
    s.fetched.clear();
    core.fetch_space = [s.next, s.next + 1];
    s.next += 2;
    let asid = asid(core);
    core.arch.spaces.lower.insert(asid, core.fetch_space[0]);
}

/// Renames the fetch translations that the page of `va` belongs to, if code was ever fetched from it.
pub fn renew_page(core: &mut Core<Arm64>, va: u64) {
    if core.arch.spaces.fetched.contains(&(va & PAGE_MASK)) {
        if va >> 63 != 0 {
            core.fetch_space[1] = core.arch.spaces.next;
            core.arch.spaces.next += 1;
            core.arch.spaces.fetched.retain(|p| p >> 63 == 0);
        } else {
            renew_lower(core, None);
        }
    }
}

/// Renames the lower half of one address space, or of all.
pub fn renew_lower(core: &mut Core<Arm64>, which: Option<u32>) {
    match which {
        Some(asid) => {
            core.arch.spaces.lower.remove(&asid);
        }
        None => {
            core.arch.spaces.lower.clear();
            core.arch.spaces.fetched.retain(|p| p >> 63 != 0);
        }
    }
    select_lower(core);
}

fn select_lower(core: &mut Core<Arm64>) {
    let asid = asid(core);
    let s = &mut core.arch.spaces;
    let next = &mut s.next;
    core.fetch_space[0] = *s.lower.entry(asid).or_insert_with(|| {
        *next += 1;
        *next - 1
    });
}

/// The current address-space identifier: from the TTBR that TCR_EL1.A1 selects, 8 or 16 bits.
pub fn asid(core: &Core<Arm64>) -> u32 {
    let tcr = core.reg(sr::TCR_EL1);
    let ttbr = core.reg(if tcr >> 22 & 1 != 0 { sr::TTBR1_EL1 } else { sr::TTBR0_EL1 });
    let wide = tcr >> 36 & 1 != 0 && core.features & feat::ASID16 != 0;
    (ttbr >> 48) as u32 & if wide { 0xFFFF } else { 0xFF }
}

const KEY_USER: BankKey = 1;
const KEY_KERNEL: BankKey = 2;
const KEY_KERNEL_PAN: BankKey = 3;
const KEY_FLAT: BankKey = 4;
/// Watched modes: nothing is ever entered.
const KEY_WATCHED: BankKey = 5;

/// Whether a bank belongs to the privileged level.
pub fn is_kernel(key: BankKey) -> bool {
    matches!(key & 0xFF, KEY_KERNEL | KEY_KERNEL_PAN)
}

/// The address space that a bank belongs to, for banks of level 0.
pub fn user_asid(key: BankKey) -> Option<u32> {
    (key & 0xFF == KEY_USER).then_some((key >> 8) as u32)
}

/// A bank's name for `info tlb`.
pub fn bank_name(key: BankKey) -> String {
    match key & 0xFF {
        KEY_USER => format!("EL0 asid {}", key >> 8),
        KEY_KERNEL => "EL1".into(),
        KEY_KERNEL_PAN => "EL1 PAN".into(),
        KEY_FLAT => "MMU off".into(),
        KEY_WATCHED => "watched".into(),
        _ => "unused".into(),
    }
}

/// Recomputes everything after a system register or PSTATE changed.
pub fn refresh(core: &mut Core<Arm64>) {
    let asid = asid(core);
    if asid != core.arch.asid {
        core.arch.asid = asid;
        core.tlb.flush_nonglobal(is_kernel);
        select_lower(core);
    }
    let p = core.reg(state::PSTATE);
    let el = core.reg(state::MODE) >> 2 & 3;
    let s = core.reg(sr::SCTLR_EL1);
    let user = KEY_USER | (asid as u64) << 8;
    let kernel = if p >> pstate::PAN & 1 != 0 { KEY_KERNEL_PAN } else { KEY_KERNEL };
    core.mode = mode_word(core, el, s);
    let (plain, unprivileged) = match (s & sctlr::M != 0, el) {
        _ if core.mode & mode::WATCH != 0 => (KEY_WATCHED, KEY_WATCHED),
        (false, _) => (KEY_FLAT, KEY_FLAT),
        (true, 0) => (user, user),
        (true, _) if p >> pstate::UAO & 1 != 0 => (kernel, kernel),
        (true, _) => (kernel, user),
    };
    core.tlb.select(plain, unprivileged);
    refresh_masks(core);
}

fn mode_word(core: &Core<Arm64>, el: u32, s: u64) -> u32 {
    let mut m = el;
    let mut flag = |on: bool, bit: u32| m |= if on { bit } else { 0 };
    let fpen = core.reg(sr::CPACR_EL1) >> 20 & 3;
    flag(fpen & 1 == 0 || (fpen == 1 && el == 0), mode::FP_TRAP);
    flag(s & sctlr::A != 0, mode::STRICT);
    flag(s & if el == 0 { sctlr::E0E } else { sctlr::EE } != 0, mode::BIG_ENDIAN);
    flag(core.arch.smp, mode::SMP);
    flag(s & if el == 0 { sctlr::SA0 } else { sctlr::SA } != 0, mode::SP_CHECK);
    flag(core.arch.guarded, mode::BTI);
    let tcr = core.reg(sr::TCR_EL1);
    // TBID keeps the tags of branch targets.
    flag(tcr >> 37 & 1 > tcr >> 51 & 1, mode::TBI0);
    flag(tcr >> 38 & 1 > tcr >> 52 & 1, mode::TBI1);
    let fpcr = core.reg(state::FPCR);
    flag(fpcr & (1 << 26 | 1 << 24 | 1 << 19) != 0, mode::FP_ODD);
    flag(fpcr & 1 << 25 != 0, mode::FP_DN);
    // The kernel's code is not to be compiled twice, and it computes little.
    flag(el == 0 && core.reg(state::FPSR) & Flags::INEXACT.to_fpsr() != 0, mode::FP_INEXACT);
    flag(core.reg(sr::MDSCR_EL1) & mdscr::KDE != 0, mode::KDE);
    flag(super::debug::step_active(core, el), mode::STEP);
    flag(super::debug::watch_active(core, el), mode::WATCH);
    for (i, key) in [sctlr::ENIA, sctlr::ENIB, sctlr::ENDA, sctlr::ENDB].into_iter().enumerate() {
        flag(s & key != 0, 1 << (mode::PAUTH_LOW + i as u32));
    }
    for (i, open) in [sctlr::UCI, sctlr::UCT, sctlr::DZE, sctlr::UMA].into_iter().enumerate() {
        flag(s & open != 0, 1 << (mode::EL0_OPEN_LOW + i as u32));
    }
    m | (fpcr >> 22 & 3) << mode::FP_RMODE_LOW
}

/// Recomputes which interrupt lines get through.
pub fn refresh_masks(core: &mut Core<Arm64>) {
    let p = core.reg(state::PSTATE);
    let mut mask = u32::MAX;
    if p & 1 << 7 != 0 {
        mask &= !Attention::IRQ;
    }
    if p & 1 << 6 != 0 {
        mask &= !Attention::FIQ;
    }
    core.set(state::POLL_MASK, mask);
}

/// Changes PSTATE.M: swaps the stack pointers and recomputes.
pub fn set_mode(core: &mut Core<Arm64>, m: u32) {
    let levels =
        core.reg(state::PMU_WANTS) & super::pmu::BY_LEVEL != 0 && core.reg(state::MODE) >> 2 != m >> 2;
    if levels {
        super::pmu::count(core);
    }
    let bank = |m: u32| if m & 1 != 0 { sr::SP_EL1 } else { sr::SP_EL0 };
    let old = core.reg(state::MODE);
    if bank(old).offset() != bank(m).offset() {
        let sp = core.reg(state::SP);
        core.set(bank(old), sp);
        let sp = core.reg(bank(m));
        core.set(state::SP, sp);
    }
    core.set(state::MODE, m);
    refresh(core);
    if levels {
        super::pmu::plan(core);
    }
}

/// Recomputes the masks of pointer-authentication codes after TCR_EL1 changed: bits between the address and bit 63,
/// without bit 55, and without an ignored top byte (DDI 0487 D8.8.1).
pub fn refresh_pac(core: &mut Core<Arm64>) {
    let tcr = core.reg(sr::TCR_EL1);
    let bit = |n: u32| tcr >> n & 1;
    // With TBID, tags of code are part of the address.
    let [data, code] = [[bit(37), bit(38)], [bit(37) & !bit(51), bit(38) & !bit(52)]];
    for (slot, size, tbi) in [
        (state::PAC_MASK0, tcr & 63, data[0]),
        (state::PAC_MASK1, tcr >> 16 & 63, data[1]),
        (state::PAC_MASK0_I, tcr & 63, code[0]),
        (state::PAC_MASK1_I, tcr >> 16 & 63, code[1]),
    ] {
        let bottom = 64 - size.clamp(16, 48);
        let top = if tbi != 0 { 55 } else { 64 };
        let field = if top == 64 { u64::MAX << bottom } else { (1 << top) - (1u64 << bottom) };
        core.set(slot, field & !(1 << 55));
    }
    for (slot, tbi) in [(state::PAC_SELECT, data), (state::PAC_SELECT_I, code)] {
        core.set(slot, 1 << if tbi == [0, 0] { 63 } else { 55 });
    }
}
