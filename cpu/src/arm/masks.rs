//! Changing PSTATE.{D,A,I,F}, which guests do at every exception and lock: compiled in place, except where masking
//! debug exceptions changes more than which interrupts get through (DDI 0487 C5.2.3, C6.2.252).

use super::emit::Arm;
use super::regs::{self, pstate};
use super::{mode, state};
use crate::core::Attention;
use crate::emit::{Exec, Flow, Transfer};
use crate::op::Bin;
use crate::width::{W32, W64};

/// MSR DAIFSet with its immediate: masks. What was admitted before may still be: nothing has to look.
pub fn set<E: Arm>(e: &mut E, imm: u32) -> Exec<E> {
    let p = e.get(state::PSTATE);
    let bits = e.lit::<W32>(imm << 6 & pstate::DAIF);
    let p = e.or(p, bits);
    if needs_more(e) {
        return with_debug(e, p);
    }
    put(e, p);
    Ok(Flow::Next)
}

/// MSR DAIFClr with its immediate: admits.
pub fn clear<E: Arm>(e: &mut E, imm: u32) -> Exec<E> {
    let p = e.get(state::PSTATE);
    let bits = e.lit::<W32>(!(imm << 6 & pstate::DAIF));
    let p = e.and(p, bits);
    admit(e, p)
}

/// MSR DAIF: `v` has the masks in SPSR positions.
pub fn write<E: Arm>(e: &mut E, v: E::Val<W64>) -> Exec<E> {
    let old = e.get(state::PSTATE);
    let kept = e.lit::<W32>(!pstate::DAIF);
    let kept = e.and(old, kept);
    let v = e.zext::<W64, W32>(v);
    let taken = e.lit::<W32>(pstate::DAIF);
    let v = e.and(v, taken);
    let p = e.or(kept, v);
    admit(e, p)
}

fn needs_more<E: Arm>(e: &E) -> bool {
    e.cx().mode & mode::KDE != 0
}

fn with_debug<E: Arm>(e: &mut E, p: E::Val<W32>) -> Exec<E> {
    let (p, zero) = (e.zext::<W32, W64>(p), e.lit::<W64>(0));
    e.call(&regs::WRITE_DAIF, [p, zero, zero])?;
    Ok(Flow::Sync)
}

fn admit<E: Arm>(e: &mut E, p: E::Val<W32>) -> Exec<E> {
    if needs_more(e) {
        return with_debug(e, p);
    }
    put(e, p);
    e.jump(4, Transfer::Poll)
}

/// PSTATE and the requests that it admits: bit 7 (I) masks IRQ, bit 6 (F) masks FIQ.
fn put<E: Arm>(e: &mut E, p: E::Val<W32>) {
    e.put(state::PSTATE, p);
    let mut masked = e.lit::<W32>(0);
    for (bit, request) in [(7, Attention::IRQ), (6, Attention::FIQ)] {
        let x = e.shift::<W32>(Bin::Shr, p, bit - request.trailing_zeros());
        let only = e.lit::<W32>(request);
        let x = e.and(x, only);
        masked = e.or(masked, x);
    }
    let all = e.lit::<W32>(u32::MAX);
    let admitted = e.xor(masked, all);
    e.put(state::POLL_MASK, admitted);
}
