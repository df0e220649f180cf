//! What machine this is.

use super::asm::{Ops, a64, enter, leave, load, reg, say, string};
use super::vars;
use dynasmrt::{DynasmApi, DynasmLabelApi};

/// Implementer and part number as in MIDR_EL1, and the processor's name (Arm ARM D24.2.124, and Arm's core manuals).
const PARTS: [(u64, &str); 6] = [
    (0x41_d03, "Cortex-A53"),
    (0x41_d07, "Cortex-A57"),
    (0x41_d08, "Cortex-A72"),
    (0x41_d0b, "Cortex-A76"),
    (0x41_d0c, "Neoverse-N1"),
    (0x00_051, "an emulator's \"max\""),
];

/// Emits `->info`.
pub fn emit(ops: &mut Ops) {
    a64!(ops ; ->info:);
    enter(ops);
    say(ops, "\nLyrebird demo guest for arm64\n  processor  ");
    part(ops);
    say(ops, ", MIDR ");
    a64!(ops ; mrs x0, reg::MIDR_EL1 ; bl ->print_hex);
    say(ops, ", 1 of ");
    a64!(ops ; ldr x0, [x28, vars::CPUS] ; bl ->print_dec);
    say(ops, "\n  level      EL");
    a64!(ops ; mrs x0, reg::CURRENT_EL ; lsr x0, x0, 2 ; bl ->print_dec);
    say(ops, ", entered at EL");
    a64!(ops ; ldr x0, [x28, vars::FIRST_EL] ; bl ->print_dec);
    say(ops, "; MMU and caches on\n  features  ");
    a64!(ops ; bl ->print_features);
    say(ops, "\n  memory     ");
    a64!(ops ; ldr x0, [x28, vars::RAM_SIZE] ; lsr x0, x0, 20 ; bl ->print_dec);
    say(ops, " MiB at 0x");
    a64!(ops ; ldr x0, [x28, vars::RAM_BASE] ; bl ->print_hex);
    say(ops, "\n  interrupts GICv");
    a64!(ops ; ldr x0, [x28, vars::GIC_VERSION] ; bl ->print_dec);
    say(ops, "\n  timer      ");
    load(ops, 1, 1000);
    a64!(ops ; mrs x0, reg::CNTFRQ_EL0 ; udiv x0, x0, x1 ; bl ->print_dec);
    say(ops, " kHz\n  tree       0x");
    a64!(ops ; ldr x0, [x28, vars::DTB] ; bl ->print_hex);
    say(ops, "\nType help.\n");
    leave(ops);
}

/// Prints the name of the processor.
fn part(ops: &mut Ops) {
    // x3: implementer and part; the name is found by its first match.
    a64!(ops
        ; mrs x0, reg::MIDR_EL1
        ; ubfx x3, x0, 4, 12
        ; ubfx x0, x0, 24, 8
        ; orr x3, x3, x0, lsl 12
    );
    for (number, name) in PARTS {
        string(ops, 0, name);
        load(ops, 1, number);
        a64!(ops ; cmp x3, x1 ; b.eq >known);
    }
    string(ops, 0, "unknown");
    a64!(ops ; known: ; bl ->print);
}
