//! MXCSR and fences (SDM vol. 1, 10.2.3; vol. 2).

use super::sse_forms::{Enc, address, ready};
use crate::core::Core;
use crate::emit::{Effects, Exec, Fence, Flow, Helper};
use crate::op::Cmp;
use crate::vec::FpEnv;
use crate::width::{W32, W64};
use crate::x86::emit::{Want, X86, fault, plain};
use crate::x86::insn::Insn;
use crate::x86::{X64, context, mode, state};

crate::simd_rows! {
    l01 "LDMXCSR" "NP" "0F" "AE /2" "" "Md" "" SSE => ldmxcsr;
    l01 "STMXCSR" "NP" "0F" "AE /3" "" "Md" "" SSE => stmxcsr;
    sse "LFENCE" "NP" "0F" "AE E8+i" "" "" "" SSE2 => lfence;
    sse "MFENCE" "NP" "0F" "AE F0+i" "" "" "" SSE2 => mfence;
    sse "SFENCE" "NP" "0F" "AE F8+i" "" "" "" SSE => sfence;
}

/// The bits of MXCSR that exist.
pub const MXCSR_MASK: u32 = 0xFFFF;
/// Exception flags.
const FLAGS: u32 = 0x3F;
/// MXCSR after reset.
pub const MXCSR_RESET: u32 = 0x1F80;

/// MXCSR: what controls and what is cumulative are kept apart.
pub fn mxcsr(core: &Core<X64>) -> u32 {
    core.reg(state::MXCSR) & !FLAGS | core.reg(state::FP_STATUS) & FLAGS
}

/// Sets MXCSR and all that follows from it. Reserved bits are the caller's to check.
pub fn set_mxcsr(core: &mut Core<X64>, x: u32) {
    let control = x & MXCSR_MASK & !FLAGS;
    core.set(state::MXCSR, control);
    core.set(state::FP_CONTROL, control | FpEnv::X86);
    core.set(state::FP_STATUS, x & FLAGS);
    context::refresh(core);
}

/// The mode bits that follow from MXCSR.
pub const fn mode_bits(mxcsr: u32) -> u32 {
    const FTZ_OR_DAZ: u32 = 1 << 15 | 1 << 6;
    const MASKS: u32 = 0x1F80;
    (mxcsr >> 13 & 3) << mode::RC_LOW
        | if mxcsr & FTZ_OR_DAZ != 0 { mode::FLUSH } else { 0 }
        | if mxcsr & MASKS != MASKS { mode::SSE_UNMASKED } else { 0 }
}

/// Sets MXCSR.
static SET_MXCSR: Helper<X64> = Helper {
    name: "set_mxcsr",
    effects: Effects { raises: false, ..Effects::ENDS },
    run: |core: &mut Core<X64>, x, _, _| {
        set_mxcsr(core, x as u32);
        Ok(0)
    },
};

#[inline(always)]
fn ldmxcsr<E: X86, X: Enc>(e: &mut E, i: &Insn) -> Exec<E> {
    ready::<E, X>(e, i, true)?;
    let at = address(e, i, 4, Want::Read)?;
    let x = e.load::<W32>(plain(i.seg()), at)?;
    let max = e.lit::<W32>(MXCSR_MASK);
    let reserved = e.cmp::<W32>(Cmp::Ltu, max, x);
    e.raise_if(reserved, fault::GP0)?;
    let x = e.zext::<W32, W64>(x);
    e.call(&SET_MXCSR, [x, x, x])?;
    Ok(Flow::Sync)
}

#[inline(always)]
fn stmxcsr<E: X86, X: Enc>(e: &mut E, i: &Insn) -> Exec<E> {
    ready::<E, X>(e, i, true)?;
    let at = address(e, i, 4, Want::Write)?;
    let (control, status) = (e.get(state::MXCSR), e.get(state::FP_STATUS));
    let flags = e.lit::<W32>(FLAGS);
    let status = e.and(status, flags);
    let x = e.or(control, status);
    e.store::<W32>(plain(i.seg()), at, x)?;
    Ok(Flow::Next)
}

#[inline(always)]
fn lfence<E: X86, X: Enc>(e: &mut E, _: &Insn) -> Exec<E> {
    debug_assert!(!X::VEX);
    e.fence(Fence::Load);
    Ok(Flow::Next)
}

#[inline(always)]
fn mfence<E: X86, X: Enc>(e: &mut E, _: &Insn) -> Exec<E> {
    debug_assert!(!X::VEX);
    e.fence(Fence::Full);
    Ok(Flow::Next)
}

#[inline(always)]
fn sfence<E: X86, X: Enc>(e: &mut E, _: &Insn) -> Exec<E> {
    debug_assert!(!X::VEX);
    e.fence(Fence::Store);
    Ok(Flow::Next)
}
