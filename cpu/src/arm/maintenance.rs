//! TLB and cache maintenance and address translation instructions, and their broadcast to other processors
//! (DDI 0487 D8.13, C5.3 to C5.5).

use super::{Arm64, context, state, sysreg as sr, walk};
use crate::core::{Attention, Core, Raised, Want};
use crate::emit::{Effects, Helper};
use crate::tlb::PAGE_MASK;

/// What to forget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forget {
    /// Everything.
    All,
    /// One address space.
    Space(u32),
    /// Pages from an address, in one address space and global ones.
    Pages(u64, u64),
}

/// Forgets translations on this processor.
pub fn forget(core: &mut Core<Arm64>, what: Forget) {
    log::debug!(target: "mmu", "cpu {} forgets {what:x?}", core.index);
    match what {
        Forget::All => {
            core.tlb.flush(|_| true);
            context::new_spaces(core);
        }
        Forget::Space(asid) => {
            core.tlb.flush(|k| context::user_asid(k) == Some(asid));
            core.tlb.flush_nonglobal(context::is_kernel);
            context::renew_lower(core, Some(asid));
        }
        Forget::Pages(va, count) if count > 64 => {
            // A long range costs more page by page than by half.
            let _ = va;
            forget(core, Forget::All);
        }
        Forget::Pages(va, count) => {
            for i in 0..count {
                let at = va.wrapping_add(i << 12);
                core.tlb.flush_page(at, |_| true);
                context::renew_page(core, at);
            }
        }
    }
}

/// Handles what other processors sent.
pub fn receive(core: &mut Core<Arm64>) {
    core.attention.clear(Attention::MAIL);
    let platform = std::sync::Arc::clone(&core.arch.platform);
    for what in platform.mail(core.index) {
        forget(core, what);
    }
}

/// TLBI: arguments are the packed encoding and the register's value.
pub static TLBI: Helper<Arm64> = Helper { name: "tlbi", effects: Effects::ENDS, run: tlbi };

fn tlbi(core: &mut Core<Arm64>, code: u64, v: u64, _: u64) -> Result<u64, Raised> {
    let (crm, op2) = (code as u32 >> 3 & 15, code as u32 & 7);
    // CRm 7 is this processor's alone; 1 (outer) and 3 (inner shareable) reach all; ranges are 2, 5 and 6.
    let shared = matches!(crm, 1 | 2 | 3 | 5);
    let range = matches!(crm, 2 | 5 | 6);
    let asid = (v >> 48) as u32;
    let page = (((v << 20) as i64) >> 8) as u64 & PAGE_MASK;
    let what = if range {
        let tg = v >> 46 & 3;
        let granule = [12, 12, 14, 16][tg as usize];
        let (scale, num) = (v >> 44 & 3, v >> 39 & 31);
        let base = (((v << 27) as i64) >> 27 << granule) as u64;
        let count = ((num + 1) << (5 * scale + 1)) << (granule - 12);
        Forget::Pages(base, count)
    } else {
        match op2 {
            0 => Forget::All,
            2 => Forget::Space(asid),
            // With 16K and 64K granules an address names a larger page.
            _ => {
                let tcr = core.reg(sr::TCR_EL1);
                let big = tcr >> 30 & 3 != 2 || tcr >> 14 & 3 != 0;
                if big { Forget::Pages(page & !0xFFFF, 16) } else { Forget::Pages(page, 1) }
            }
        }
    };
    forget(core, what);
    if shared && core.arch.smp {
        let platform = std::sync::Arc::clone(&core.arch.platform);
        platform.broadcast(core.index, what, &mut || receive(core));
    }
    Ok(0)
}

/// Bytes that one IC IVAU is about: CTR_EL0.IminLine.
const LINE: u64 = 64;

/// IC IVAU, DC CVAU and the others by address: the address must translate; arguments are the address, whether it
/// is a store for permissions, and whether it is IC IVAU.
pub static CACHE_BY_VA: Helper<Arm64> =
    Helper { name: "cache_by_va", effects: Effects::FAULTS, run: cache_by_va };

fn cache_by_va(core: &mut Core<Arm64>, va: u64, store: u64, instructions: u64) -> Result<u64, Raised> {
    let want = if store != 0 { Want::Write } else { Want::Read };
    match walk::translate(core, va, want, false) {
        // What one processor stores to code is noticed when it does; with several see `code`.
        Ok(m) if instructions != 0 && core.arch.smp => {
            if let Some((ram, _)) = core.bus.ram(m.pa)
                && core.code.stored(ram | va & !PAGE_MASK & !(LINE - 1), LINE)
            {
                core.stop.set_code_hit(true);
            }
            Ok(0)
        }
        Ok(_) => Ok(0),
        Err(Raised) => {
            // CM and WnR are set for cache maintenance.
            core.raised.0 |= 1 << 8 | 1 << 6;
            Err(Raised)
        }
    }
}

/// IC IALLU, IC IALLUIS: all code may have changed.
pub static ALL_CODE: Helper<Arm64> = Helper { name: "all_code", effects: Effects::NONE, run: all_code };

fn all_code(core: &mut Core<Arm64>, _: u64, _: u64, _: u64) -> Result<u64, Raised> {
    if core.arch.smp && core.code.stored_anywhere() {
        core.stop.set_code_hit(true);
    }
    Ok(0)
}

/// AT S1E1R, S1E1W, S1E0R, S1E0W and the PAN forms: arguments are address, and bits write, user, PAN.
pub static ADDRESS_TRANSLATE: Helper<Arm64> =
    Helper { name: "address_translate", effects: Effects::STATE, run: address_translate };

fn address_translate(core: &mut Core<Arm64>, va: u64, how: u64, _: u64) -> Result<u64, Raised> {
    let want = if how & 1 != 0 { Want::Write } else { Want::Read };
    let pan = how & 4 != 0 && core.reg(state::PSTATE) >> super::regs::pstate::PAN & 1 != 0;
    let par = match walk::lookup(core, va, want, how & 2 != 0, pan) {
        Ok(m) => {
            let attribute: u64 = if m.device { 0x00 } else { 0xFF };
            m.pa & 0x0000_FFFF_FFFF_F000 | attribute << 56 | if m.device { 2 << 7 } else { 3 << 7 } | 1 << 11
        }
        Err(status) => status << 1 | 1 | 1 << 11,
    };
    core.set(sr::PAR_EL1, par);
    Ok(0)
}
