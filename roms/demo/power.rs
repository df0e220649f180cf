//! Off and again, through PSCI.
//!
//! Source: PSCI 1.1 (DEN 0022), 5.1.9 SYSTEM_OFF and 5.1.11 SYSTEM_RESET.

use super::asm::{Ops, a64, load, say};
use super::vars;
use dynasmrt::{DynasmApi, DynasmLabelApi};

const SYSTEM_OFF: u64 = 0x8400_0008;
const SYSTEM_RESET: u64 = 0x8400_0009;

/// Emits `->off` and `->reset`, which do not return.
pub fn emit(ops: &mut Ops) {
    a64!(ops ; ->reset:);
    load(ops, 0, SYSTEM_RESET);
    a64!(ops ; b >call ; ->off:);
    load(ops, 0, SYSTEM_OFF);
    a64!(ops
        ; call:
        ; ldr x4, [x28, vars::CONDUIT]
        ; cmp x4, b's'.into()
        ; b.eq >smc
        ; hvc 0
        ; b >refused
        ; smc:
        ; smc 0
        ; refused:
    );
    say(ops, "The firmware refused.\n");
    a64!(ops ; halt: ; wfi ; b <halt);
}
