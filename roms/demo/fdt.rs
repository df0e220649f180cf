//! What the device tree says: RAM, processors, UART, interrupt controller, and how to reach the firmware.
//!
//! Source: Devicetree Specification 0.4, chapter 5. Nodes are told apart by the start of their names; addresses and
//! sizes take two cells, as `virt` has it.

use super::asm::{Ops, a64, load, string};
use super::vars;
use dynasmrt::{DynasmApi, DynasmLabelApi};

const MAGIC: u64 = 0xd00d_feed;

/// Where to look if x0 holds no tree, and what to believe if there is none: the `virt` board.
const RAM: u64 = 0x4000_0000;
const DEFAULTS: [(u32, u64); 8] = [
    (vars::RAM_BASE, RAM),
    (vars::RAM_SIZE, 0x800_0000),
    (vars::UART, 0x900_0000),
    (vars::GICD, 0x800_0000),
    (vars::GICC, 0x801_0000),
    (vars::GIC_VERSION, 2),
    (vars::CONDUIT, b'h' as u64),
    (vars::CPUS, 1),
];

/// Emits `->fdt_read` (x0: where the tree may be) and its helpers.
pub fn emit(ops: &mut Ops) {
    read(ops);
    node(ops);
    property(ops);
    starts_with(ops);
    be64(ops);
}

/// Walks the tokens. x20: next token, x21: strings, x22: name of the node, x23: length, x24: name, x25: value.
fn read(ops: &mut Ops) {
    a64!(ops ; ->fdt_read: ; stp x29, x30, [sp, -16]! ; mov x20, x0);
    for (variable, value) in DEFAULTS {
        load(ops, 1, value);
        a64!(ops ; str x1, [x28, variable]);
    }
    load(ops, 2, MAGIC);
    a64!(ops
        ; cbz x20, >elsewhere
        ; tst x20, 7
        ; b.ne >elsewhere
        ; ldr w1, [x20]
        ; rev w1, w1
        ; cmp w1, w2
        ; b.eq >found
        ; elsewhere:
    );
    load(ops, 20, RAM);
    a64!(ops
        ; ldr w1, [x20]
        ; rev w1, w1
        ; cmp w1, w2
        ; b.ne >none
        ; found:
        ; str x20, [x28, vars::DTB]
        ; str xzr, [x28, vars::CPUS]
        ; ldp w0, w1, [x20, 8]
        ; rev w0, w0
        ; rev w1, w1
        ; add x21, x20, x1
        ; add x20, x20, x0
        ; ->fdt_token:
        ; ldr w0, [x20], 4
        ; rev w0, w0
        ; cmp w0, 1
        ; b.eq ->fdt_node
        ; cmp w0, 3
        ; b.eq ->fdt_property
        // The end of a node, and padding.
        ; cmp w0, 2
        ; b.eq ->fdt_token
        ; cmp w0, 4
        ; b.eq ->fdt_token
        ; none:
        ; ldp x29, x30, [sp], 16
        ; ret
    );
}

/// A node begins: its name follows, then padding to a word.
fn node(ops: &mut Ops) {
    a64!(ops
        ; ->fdt_node:
        ; mov x22, x20
        ; name:
        ; ldrb w0, [x20], 1
        ; cbnz w0, <name
        ; add x20, x20, 3
        ; and x20, x20, 0xffff_ffff_ffff_fffc
    );
    when(ops, 22, "cpu@", |ops| {
        a64!(ops
        ; ldr x0, [x28, vars::CPUS]
            ; add x0, x0, 1
            ; str x0, [x28, vars::CPUS]
        );
    });
    a64!(ops ; b ->fdt_token);
}

/// A property: length, offset of its name, value, padding to a word.
fn property(ops: &mut Ops) {
    a64!(ops
        ; ->fdt_property:
        ; ldp w23, w24, [x20], 8
        ; rev w23, w23
        ; rev w24, w24
        ; add x24, x21, x24
        ; mov x25, x20
        ; add x20, x20, x23
        ; add x20, x20, 3
        ; and x20, x20, 0xffff_ffff_ffff_fffc
    );
    when(ops, 24, "reg", |ops| {
        for (node, variables) in [
            ("memory@", [(0, vars::RAM_BASE), (8, vars::RAM_SIZE)].as_slice()),
            ("pl011@", &[(0, vars::UART)]),
            ("intc@", &[(0, vars::GICD), (16, vars::GICC)]),
        ] {
            when(ops, 22, node, |ops| {
                for &(offset, variable) in variables {
                    a64!(ops ; add x0, x25, offset ; bl ->be64 ; str x0, [x28, variable]);
                }
            });
        }
    });
    when(ops, 24, "compatible", |ops| {
        when(ops, 25, "arm,gic-v3", |ops| {
            a64!(ops ; mov x0, 3 ; str x0, [x28, vars::GIC_VERSION]);
        });
    });
    when(ops, 24, "method", |ops| {
        a64!(ops ; ldrb w0, [x25] ; str x0, [x28, vars::CONDUIT]);
    });
    a64!(ops ; b ->fdt_token);
}

/// Emits `then` so that it runs if the string at x`register` starts with `prefix`.
fn when(ops: &mut Ops, register: u8, prefix: &str, then: impl FnOnce(&mut Ops)) {
    let after = ops.new_dynamic_label();
    string(ops, 1, prefix);
    a64!(ops ; mov x0, X(register) ; bl ->starts_with ; cbz w0, =>after);
    then(ops);
    a64!(ops ; =>after);
}

/// w0 = 1 if the string at x0 starts with the string at x1, else 0.
fn starts_with(ops: &mut Ops) {
    a64!(ops
        ; ->starts_with:
        ; ldrb w3, [x1], 1
        ; cbz w3, >yes
        ; ldrb w2, [x0], 1
        ; cmp w2, w3
        ; b.eq ->starts_with
        ; mov w0, wzr
        ; ret
        ; yes:
        ; mov w0, 1
        ; ret
    );
}

/// x0 = the big-endian doubleword at x0, which is aligned to a word only.
fn be64(ops: &mut Ops) {
    a64!(ops
        ; ->be64:
        ; ldp w1, w2, [x0]
        ; rev w1, w1
        ; rev w2, w2
        ; orr x0, x2, x1, lsl 32
        ; ret
    );
}
