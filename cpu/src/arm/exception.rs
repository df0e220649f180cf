//! Exceptions: their syndromes, taking them, and returning from them (DDI 0487 D1.3).

use super::Arm64;
use crate::core::{Core, Raised, Want};
use crate::emit::Exception;

/// Leaves an alignment fault.
pub fn misaligned(core: &mut Core<Arm64>, va: u64, _: Want) -> Raised {
    core.raise_now(Exception(0x25 << 26 | 1 << 25 | 0x21), va)
}
/// Leaves a synchronous external abort.
pub fn unanswered(core: &mut Core<Arm64>, va: u64, _: Want) -> Raised {
    core.raise_now(Exception(0x25 << 26 | 1 << 25 | 0x10), va)
}
/// Takes the raised exception to EL1.
pub fn deliver(core: &mut Core<Arm64>) {
    core.set_pc(0);
}
/// Takes a pending interrupt.
pub fn interrupt(_: &mut Core<Arm64>) -> bool {
    false
}
