//! Forgetting translations, here and by mail from others, and code that other processors have changed (SDM vol. 3,
//! 5.10 and 9.1.3).

use super::control::cr4;
use super::emit::fault;
use super::{X64, context, state, system};
use crate::core::{Attention, Core, Raised};
use crate::emit::{Effects, Helper};
use crate::tlb::PAGE_MASK;
use std::sync::Arc;

/// What others ask a processor to forget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forget {
    /// All translations: the board changed its address map, or the A20 gate.
    All,
    /// Permission to store to a page of RAM, by offset, without being noticed: it has become code.
    Stores(u64),
    /// Nothing: they stand still if another processor is [`alone`].
    Nothing,
}

/// Forgets on this processor.
pub fn forget(core: &mut Core<X64>, what: Forget) {
    log::debug!(target: "mmu", "cpu {} forgets {what:x?}", core.index);
    match what {
        Forget::All => {
            core.arch.a20 = core.arch.platform.a20();
            core.tlb.flush(|_| true);
            context::new_spaces(core);
        }
        Forget::Stores(ram) => core.tlb.watch(ram),
        Forget::Nothing => {}
    }
}

/// Handles what other processors sent.
pub fn receive(core: &mut Core<X64>) {
    core.attention.clear(Attention::MAIL);
    let platform = Arc::clone(&core.arch.platform);
    for what in platform.mail(core.index) {
        forget(core, what);
    }
}

/// A page of RAM that had `version` has become code: no other processor may store to it unnoticed from here on.
pub fn marked(core: &mut Core<X64>, ram: u64, version: u32) {
    if settled(core, ram) {
        return;
    }
    let platform = Arc::clone(&core.arch.platform);
    core.tlb.watch(ram);
    platform.broadcast(core.index, Forget::Stores(ram & PAGE_MASK), &mut || receive(core));
    core.code.settle(ram, version);
}

/// Whether that was done already.
pub fn settled(core: &Core<X64>, ram: u64) -> bool {
    !core.arch.smp || core.code.is_settled(ram)
}

/// A locked access begins that the host cannot make atomic: one to a device or across two pages, or unaligned. All other
/// processors stand still until [`together`], as a locked bus would make them (SDM vol. 3, 9.1.2).
pub fn alone(core: &mut Core<X64>) {
    if core.arch.smp {
        let platform = Arc::clone(&core.arch.platform);
        platform.alone(core.index, &mut || receive(core));
    }
}

/// It ends.
pub fn together(core: &mut Core<X64>) {
    if core.arch.smp {
        core.arch.platform.together(core.index);
    }
}

/// INVLPG: the linear address.
pub static INVLPG: Helper<X64> = Helper { name: "invlpg", effects: Effects::ENDS, run: invlpg };

fn invlpg(core: &mut Core<X64>, va: u64, _: u64, _: u64) -> Result<u64, Raised> {
    log::debug!(target: "mmu", "cpu {} INVLPG {va:#x}", core.index);
    let size = core.arch.large.around(va);
    if size > 12 {
        core.tlb.flush_region(va, size);
    } else {
        core.tlb.flush_page(va, |_| true);
    }
    context::renew_page(core, va);
    Ok(0)
}

/// INVPCID: the type, the descriptor's first and second half.
pub static INVPCID: Helper<X64> = Helper { name: "invpcid", effects: Effects::ENDS, run: invpcid };

fn invpcid(core: &mut Core<X64>, kind: u64, first: u64, va: u64) -> Result<u64, Raised> {
    let pcid = first as u32 & 0xFFF;
    let has_pcids = core.reg(state::CR4) & cr4::PCIDE != 0;
    let bad = kind < 2 && (first >> 12 != 0 || !has_pcids && pcid != 0);
    if kind > 3 || bad || kind == 0 && !system::is_canonical(core, va) {
        return Err(core.raise_now(fault::GP0, 0));
    }
    match kind {
        0 => {
            invlpg(core, va, 0, 0)?;
        }
        1 => {
            core.tlb.flush(|k| context::user_pcid(k) == Some(pcid));
            core.tlb.flush_nonglobal(context::is_system);
            context::renew_space(core, pcid);
        }
        // Type 3 may keep global translations; there is no need to.
        _ => forget(core, Forget::All),
    }
    Ok(0)
}

/// Sets PKRU. The TLB does not know it: entries of pages whose keys' rights change are forgotten, with all others.
pub fn set_pkru(core: &mut Core<X64>, new: u32) {
    let changed = core.reg(state::PKRU) ^ new;
    core.set(state::PKRU, new);
    if (0..16).any(|key| core.arch.keys >> key & 1 != 0 && changed >> (2 * key) & 3 != 0) {
        core.tlb.flush(|_| true);
        core.arch.keys = 0;
    }
}

/// INVD, WBINVD: caches are coherent.
pub static NOTHING: Helper<X64> = Helper { name: "nothing", effects: Effects::NONE, run: |_, _, _, _| Ok(0) };
