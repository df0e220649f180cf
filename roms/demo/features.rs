//! Which extensions the processor says it has.
//!
//! Source: Arm ARM D24.2, the ID_AA64* registers. A field that is zero means that the extension is missing.

use super::asm::{Ops, a64, enter, leave, reg};
use super::vars;
use dynasmrt::{DynasmApi, DynasmLabelApi};

const REGISTERS: [u32; 3] = [reg::ID_AA64ISAR0_EL1, reg::ID_AA64ISAR1_EL1, reg::ID_AA64PFR1_EL1];

/// Register (an index into the above), lowest bit of the field, least value, name.
const FEATURES: [(u8, u8, u8, &str); 24] = [
    (0, 4, 1, "AES"),
    (0, 4, 2, "PMULL"),
    (0, 8, 1, "SHA1"),
    (0, 12, 1, "SHA256"),
    (0, 12, 2, "SHA512"),
    (0, 16, 1, "CRC32"),
    (0, 20, 2, "LSE"),
    (0, 28, 1, "RDM"),
    (0, 32, 1, "SHA3"),
    (0, 36, 1, "SM3"),
    (0, 40, 1, "SM4"),
    (0, 44, 1, "DotProd"),
    (0, 48, 1, "FHM"),
    (0, 52, 1, "FlagM"),
    (0, 60, 1, "RNG"),
    (1, 0, 1, "DPB"),
    (1, 4, 1, "PAuth"),
    (1, 8, 1, "PAuth-impdef"),
    (1, 12, 1, "JSCVT"),
    (1, 16, 1, "FCMA"),
    (1, 20, 1, "LRCPC"),
    (1, 32, 1, "FRINTTS"),
    (2, 0, 1, "BTI"),
    (2, 4, 1, "SSBS"),
];

/// Bytes of a table entry: three numbers, then the name, zero-terminated.
const ENTRY: usize = 20;

/// Emits `->print_features`: the names, each after a blank. x19: entry, x20: end of the table.
pub fn emit(ops: &mut Ops) {
    a64!(ops ; ->print_features:);
    enter(ops);
    for (index, register) in REGISTERS.into_iter().enumerate() {
        a64!(ops ; mrs x0, register ; str x0, [x28, vars::ID + 8 * index as u32]);
    }
    a64!(ops
        ; adr x19, >table
        ; adr x20, >end
        ; next:
        ; ldrb w0, [x19]
        ; add x1, x28, vars::ID
        ; ldr x0, [x1, x0, lsl 3]
        ; ldrb w1, [x19, 1]
        ; lsr x0, x0, x1
        ; and w0, w0, 15
        ; ldrb w1, [x19, 2]
        ; cmp w0, w1
        ; b.lo >missing
        ; mov w0, b' '.into()
        ; bl ->putc
        ; add x0, x19, 3
        ; bl ->print
        ; missing:
        ; add x19, x19, ENTRY as u32
        ; cmp x19, x20
        ; b.lo <next
    );
    leave(ops);
    a64!(ops ; table:);
    for (index, shift, least, name) in FEATURES {
        let mut entry = [0; ENTRY];
        entry[..3].copy_from_slice(&[index, shift, least]);
        entry[3..3 + name.len()].copy_from_slice(name.as_bytes());
        a64!(ops ; .bytes entry);
    }
    a64!(ops ; end: ; .align 4);
}
