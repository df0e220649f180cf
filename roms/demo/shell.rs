//! The prompt and its commands.

use super::asm::{Ops, a64, enter, leave, say, string};
use super::vars;
use crate::text::{HELP, PROMPT, UNKNOWN};
use dynasmrt::{DynasmApi, DynasmLabelApi};

/// An address beyond all that is mapped, within the 39 bits that are translated.
const NOWHERE: u64 = 0x7f_dead_beef;

/// Emits `->shell`, which never returns.
pub fn emit(ops: &mut Ops) {
    a64!(ops ; ->shell:);
    say(ops, PROMPT);
    a64!(ops
        ; bl ->read_line
        ; add x19, x28, vars::LINE
        ; ldrb w0, [x19]
        ; cbz w0, ->shell
    );
    command(ops, "help", |ops| say(ops, HELP));
    command(ops, "info", |ops| a64!(ops ; bl ->info));
    command(ops, "bench", |ops| {
        argument(ops);
        a64!(ops ; bl ->parse_dec ; bl ->bench);
    });
    command(ops, "tick", |ops| a64!(ops ; bl ->tick));
    command(ops, "irq", |ops| a64!(ops ; bl ->tick));
    command(ops, "mem", |ops| {
        argument(ops);
        a64!(ops ; bl ->parse_hex ; bl ->dump);
    });
    command(ops, "fault", |ops| a64!(ops ; bl ->fault));
    command(ops, "reset", |ops| a64!(ops ; b ->reset));
    command(ops, "off", |ops| a64!(ops ; b ->off));
    say(ops, UNKNOWN);
    a64!(ops ; b ->shell);
    dump(ops);
    fault(ops);
}

/// Emits `then` so that it runs if the line's first word is `name`, and the prompt comes back afterwards.
fn command(ops: &mut Ops, name: &str, then: impl FnOnce(&mut Ops)) {
    let after = ops.new_dynamic_label();
    string(ops, 1, name);
    a64!(ops ; mov x0, x19 ; bl ->is_word ; cbz w0, =>after);
    then(ops);
    a64!(ops ; b ->shell ; =>after);
}

/// x0 = the line's second word.
fn argument(ops: &mut Ops) {
    a64!(ops ; mov x0, x19 ; bl ->skip_word);
}

/// Prints 64 bytes from x0, rounded down to words. x19: address, x20: words left.
fn dump(ops: &mut Ops) {
    a64!(ops ; ->dump:);
    enter(ops);
    a64!(ops
        ; and x19, x0, 0xffff_ffff_ffff_fffc
        ; mov x20, 16
        ; next:
        ; mov x0, 1
        ; str xzr, [x28, vars::CAUGHT]
        ; str x0, [x28, vars::EXPECTED]
        ; ldr w21, [x19]
        ; str xzr, [x28, vars::EXPECTED]
        ; ldr x0, [x28, vars::CAUGHT]
        ; cbnz x0, >caught
        ; tst x20, 3
        ; b.ne >word
        ; mov x0, x19
        ; bl ->print_hex
        ; mov w0, b':'.into()
        ; bl ->putc
        ; word:
        ; mov w0, b' '.into()
        ; bl ->putc
        ; mov x0, x21
        ; mov x4, 8
        ; bl ->print_digits
        ; add x19, x19, 4
        ; sub x20, x20, 1
        ; tst x20, 3
        ; b.ne <next
    );
    say(ops, "\n");
    a64!(ops ; cbnz x20, <next);
    leave(ops);
    a64!(ops ; caught: ; bl ->print_fault);
    leave(ops);
}

/// Loads from nowhere and prints what the exception said.
fn fault(ops: &mut Ops) {
    a64!(ops ; ->fault:);
    enter(ops);
    super::asm::load(ops, 1, NOWHERE);
    a64!(ops
        ; mov x0, 1
        ; str x0, [x28, vars::EXPECTED]
        ; ldr x1, [x1]
        ; bl ->print_fault
    );
    leave(ops);
    a64!(ops ; ->print_fault:);
    enter(ops);
    for (name, variable) in [("ESR ", vars::ESR), (", FAR ", vars::FAR), (", ELR ", vars::ELR)] {
        say(ops, name);
        a64!(ops ; ldr x0, [x28, variable] ; bl ->print_hex);
    }
    say(ops, "\n");
    leave(ops);
}
