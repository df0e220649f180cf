//! What reads and writes of system registers do beyond their word: helpers named in the rows of [`super::sysreg`].

use super::sysreg as sr;
use super::{Arm64, Timer, context, state};
use crate::core::{Core, Raised};
use crate::emit::{Effects, Helper};
use crate::op::nzcv;
use crate::slot::Slot;
use crate::width::W64;

pub(super) type C = Core<Arm64>;
pub(super) type Done = Result<u64, Raised>;

macro_rules! helpers { ($($name:ident $effects:ident |$core:ident, $v:ident $(, $code:ident)?| $body:expr;)*) => { $(
    #[doc = concat!("See the row of [`super::sysreg`] that names it: ", stringify!($name), ".")]
    pub static $name: Helper<Arm64> = Helper {
        name: stringify!($name),
        effects: Effects::$effects,
        run: |$core: &mut C, $v: u64, code: u64, _| -> Done {
            let _ = (&$core, &$v, code);
            $(let $code = code as u32;)?
            $body
        },
    };
)* } }

pub(super) use helpers;

/// Writes a word and lets the mode follow.
fn control(core: &mut C, slot: Slot<W64>, v: u64) -> Done {
    core.set(slot, v);
    context::refresh(core);
    Ok(0)
}

/// One bit of the PSTATE word.
fn read_bit(core: &mut C, bit: u32) -> Done {
    Ok((core.reg(state::PSTATE) & 1 << bit) as u64)
}

fn write_bit(core: &mut C, bit: u32, v: u64) -> Done {
    let old = core.reg(state::PSTATE) & !(1 << bit);
    core.set(state::PSTATE, old | v as u32 & 1 << bit);
    context::refresh(core);
    Ok(0)
}

/// PSTATE bit numbers, as in SPSR.
pub mod pstate {
    /// SSBS
    pub const SSBS: u32 = 12;
    /// IL
    pub const IL: u32 = 20;
    /// SS
    pub const SS: u32 = 21;
    /// PAN
    pub const PAN: u32 = 22;
    /// UAO
    pub const UAO: u32 = 23;
    /// DIT
    pub const DIT: u32 = 24;
    /// DAIF, bits 9 to 6
    pub const DAIF: u32 = 0xF << 6;
    /// BTYPE, bits 11:10
    pub const BTYPE: u32 = 3 << 10;
    /// Every bit that the PSTATE word keeps.
    pub const KEPT: u32 = DAIF | BTYPE | 1 << SSBS | 1 << IL | 1 << SS | 1 << PAN | 1 << UAO | 1 << DIT;
}

fn write_timer(core: &mut C, which: Timer, ctl: Slot<W64>, cval: Slot<W64>) -> Done {
    let platform = std::sync::Arc::clone(&core.arch.platform);
    platform.timer(core.index, which, core.reg(ctl) as u32 & 3, core.reg(cval));
    Ok(0)
}

fn timer_control(core: &mut C, ctl: Slot<W64>, cval: Slot<W64>) -> Done {
    let ctl = core.reg(ctl) & 3;
    let due = core.arch.platform.counter() >= core.reg(cval);
    Ok(ctl | if ctl & 1 != 0 && due { 4 } else { 0 })
}

fn timer_value(core: &mut C, cval: Slot<W64>) -> Done {
    Ok(core.reg(cval).wrapping_sub(core.arch.platform.counter()) & 0xFFFF_FFFF)
}

fn set_timer_value(core: &mut C, cval: Slot<W64>, v: u64) {
    let cval_new = core.arch.platform.counter().wrapping_add_signed(v as i32 as i64);
    core.set(cval, cval_new);
}

pub(super) fn set_bits(core: &mut C, slot: Slot<W64>, v: u64) -> Done {
    core.set(slot, core.reg(slot) | v);
    Ok(0)
}

pub(super) fn clear_bits(core: &mut C, slot: Slot<W64>, v: u64) -> Done {
    core.set(slot, core.reg(slot) & !v);
    Ok(0)
}

helpers! {
    CACHE_SIZE READ |core, v| {
        // One level of 32 KiB, 64-byte lines, 4 ways; then 1 MiB, 16 ways. Operating systems only report them.
        Ok(match core.reg(sr::CSSELR_EL1) { 0 | 1 => 127 << 13 | 3 << 3 | 2, 2 => 1023 << 13 | 15 << 3 | 2, _ => 0 })
    };
    ZERO_BLOCK READ |core, v| {
        // DZP: DC ZVA is prohibited here.
        let closed = core.reg(state::MODE) >> 2 & 3 == 0 && core.reg(sr::SCTLR_EL1) & context::sctlr::DZE == 0;
        Ok(core.reg(sr::DCZID_EL0) | (closed as u64) << 4)
    };
    SCTLR ENDS |core, v| {
        let changed = core.reg(sr::SCTLR_EL1) ^ v;
        core.set(sr::SCTLR_EL1, v);
        if changed & (1 | 1 << 19) != 0 {
            // M or WXN: every translation may differ.
            core.tlb.flush(|_| true);
            context::new_spaces(core);
        }
        context::refresh(core);
        Ok(0)
    };
    CPACR ENDS |core, v| control(core, sr::CPACR_EL1, v);
    TTBR0 ENDS |core, v| control(core, sr::TTBR0_EL1, v);
    TTBR1 ENDS |core, v| control(core, sr::TTBR1_EL1, v);
    TCR ENDS |core, v| {
        if core.reg(sr::TCR_EL1) != v {
            core.tlb.flush(|_| true);
            context::new_spaces(core);
        }
        core.set(sr::TCR_EL1, v);
        context::refresh_pac(core);
        context::refresh(core);
        Ok(0)
    };
    MAIR ENDS |core, v| {
        if core.reg(sr::MAIR_EL1) != v {
            core.tlb.flush(|_| true);
        }
        control(core, sr::MAIR_EL1, v)
    };
    READ_SP_EL0 READ |core, v| Ok(core.reg(if core.reg(state::MODE) & 1 == 0 { state::SP } else { sr::SP_EL0 }));
    WRITE_SP_EL0 STATE |core, v| {
        let slot = if core.reg(state::MODE) & 1 == 0 { state::SP } else { sr::SP_EL0 };
        core.set(slot, v);
        Ok(0)
    };
    READ_SPSEL READ |core, v| Ok((core.reg(state::MODE) & 1) as u64);
    WRITE_SPSEL ENDS |core, v| {
        let m = core.reg(state::MODE) & !1 | v as u32 & 1;
        context::set_mode(core, m);
        Ok(0)
    };
    CURRENT_EL READ |core, v| Ok((core.reg(state::MODE) & 0xC) as u64);
    READ_PAN READ |core, v| read_bit(core, pstate::PAN);
    WRITE_PAN ENDS |core, v| write_bit(core, pstate::PAN, v);
    READ_UAO READ |core, v| read_bit(core, pstate::UAO);
    WRITE_UAO ENDS |core, v| write_bit(core, pstate::UAO, v);
    READ_DIT READ |core, v| read_bit(core, pstate::DIT);
    WRITE_DIT STATE |core, v| write_bit(core, pstate::DIT, v);
    READ_SSBS READ |core, v| read_bit(core, pstate::SSBS);
    WRITE_SSBS STATE |core, v| write_bit(core, pstate::SSBS, v);
    ISR READ |core, v| {
        let bits = core.attention.bits();
        Ok(((bits & crate::core::Attention::IRQ != 0) as u64) << 7 | ((bits & crate::core::Attention::FIQ != 0) as u64) << 6)
    };
    READ_NZCV READ |core, v| Ok(nzcv::to_psr(core.reg(state::NZCV)) as u64);
    WRITE_NZCV STATE |core, v| {
        core.set(state::NZCV, nzcv::from_psr(v as u32));
        Ok(0)
    };
    READ_DAIF READ |core, v| Ok((core.reg(state::PSTATE) & pstate::DAIF) as u64);
    WRITE_DAIF ENDS |core, v| {
        let old = core.reg(state::PSTATE) & !pstate::DAIF;
        core.set(state::PSTATE, old | v as u32 & pstate::DAIF);
        context::refresh(core);
        Ok(0)
    };
    READ_FPCR READ |core, v| Ok(core.reg(state::FPCR) as u64);
    WRITE_FPCR ENDS |core, v| {
        // AHP, DN, FZ, RMode, and FZ16 with half precision; trap enables are not implemented.
        let fz16 = if core.features & super::features::FP16 != 0 { 1 << 19 } else { 0 };
        core.set(state::FPCR, v as u32 & (0x07C0_0000 | fz16));
        context::refresh(core);
        Ok(0)
    };
    READ_FPSR READ |core, v| Ok(core.reg(state::FPSR) as u64);
    WRITE_FPSR ENDS |core, v| {
        core.set(state::FPSR, v as u32 & 0x0800_009F);
        context::refresh(core);
        Ok(0)
    };
    READ_CNTP_TVAL READ |core, v| timer_value(core, sr::CNTP_CVAL_EL0);
    WRITE_CNTP_TVAL STATE |core, v| {
        set_timer_value(core, sr::CNTP_CVAL_EL0, v);
        write_timer(core, Timer::Physical, sr::CNTP_CTL_EL0, sr::CNTP_CVAL_EL0)
    };
    READ_CNTP_CTL READ |core, v| timer_control(core, sr::CNTP_CTL_EL0, sr::CNTP_CVAL_EL0);
    WRITE_CNTP_CTL STATE |core, v| {
        core.set(sr::CNTP_CTL_EL0, v & 3);
        write_timer(core, Timer::Physical, sr::CNTP_CTL_EL0, sr::CNTP_CVAL_EL0)
    };
    WRITE_CNTP_CVAL STATE |core, v| {
        core.set(sr::CNTP_CVAL_EL0, v);
        write_timer(core, Timer::Physical, sr::CNTP_CTL_EL0, sr::CNTP_CVAL_EL0)
    };
    READ_CNTV_TVAL READ |core, v| timer_value(core, sr::CNTV_CVAL_EL0);
    WRITE_CNTV_TVAL STATE |core, v| {
        set_timer_value(core, sr::CNTV_CVAL_EL0, v);
        write_timer(core, Timer::Virtual, sr::CNTV_CTL_EL0, sr::CNTV_CVAL_EL0)
    };
    READ_CNTV_CTL READ |core, v| timer_control(core, sr::CNTV_CTL_EL0, sr::CNTV_CVAL_EL0);
    WRITE_CNTV_CTL STATE |core, v| {
        core.set(sr::CNTV_CTL_EL0, v & 3);
        write_timer(core, Timer::Virtual, sr::CNTV_CTL_EL0, sr::CNTV_CVAL_EL0)
    };
    WRITE_CNTV_CVAL STATE |core, v| {
        core.set(sr::CNTV_CVAL_EL0, v);
        write_timer(core, Timer::Virtual, sr::CNTV_CTL_EL0, sr::CNTV_CVAL_EL0)
    };
    OSLAR ENDS |core, v| {
        let old = core.reg(sr::OSLSR_EL1) & !2;
        control(core, sr::OSLSR_EL1, old | (v & 1) << 1)
    };
    RNDR READ |core, v| Ok(core.arch.platform.random());
    DEBUG ENDS |core, v| {
        super::debug::mask(core);
        context::refresh(core);
        Ok(0)
    };
    // DBGCLAIMSET reads as the claim tags that exist, DBGCLAIMCLR as those that are set.
    CLAIMABLE READ |core, v| Ok(0xFF);
    CLAIM STATE |core, v| set_bits(core, sr::DBGCLAIMCLR_EL1, v & 0xFF);
    UNCLAIM STATE |core, v| clear_bits(core, sr::DBGCLAIMCLR_EL1, v);
}
