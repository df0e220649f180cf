//! Exceptions and interrupts (SDM vol. 3, chapter 7).

use super::X64;
use crate::core::Core;

/// Takes the raised exception.
pub fn deliver(core: &mut Core<X64>) {
    let _ = core;
}

/// Takes a pending interrupt that the state admits.
pub fn interrupt(core: &mut Core<X64>) -> bool {
    let _ = core;
    false
}
