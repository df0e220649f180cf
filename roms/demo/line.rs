//! Reading a line with echo and backspace, and taking it apart.

use super::asm::{Ops, a64, string};
use super::vars;
use dynasmrt::{DynasmApi, DynasmLabelApi};

/// Emits `->read_line`, `->is_word`, `->skip_word`, `->parse_hex` and `->parse_dec`.
pub fn emit(ops: &mut Ops) {
    read_line(ops);
    words(ops);
    parse(ops);
}

/// Reads a line into the buffer, zero-terminated. x19: start, x20: end of what was typed.
fn read_line(ops: &mut Ops) {
    a64!(ops
        ; ->read_line:
        ; stp x29, x30, [sp, -32]!
        ; stp x19, x20, [sp, 16]
        ; add x19, x28, vars::LINE
        ; mov x20, x19
        ; next:
        ; bl ->getc
        ; cmp w0, b'\r'.into()
        ; b.eq >done
        ; cmp w0, b'\n'.into()
        ; b.eq >done
        ; cmp w0, 8
        ; b.eq >erase
        ; cmp w0, 127
        ; b.eq >erase
        ; cmp w0, b' '.into()
        ; b.lo <next
        ; sub x1, x20, x19
        ; cmp x1, vars::LINE_SIZE - 1
        ; b.hs <next
        ; strb w0, [x20], 1
        ; bl ->putc
        ; b <next
        ; erase:
        ; cmp x20, x19
        ; b.eq <next
        ; sub x20, x20, 1
    );
    string(ops, 0, "\x08 \x08");
    a64!(ops
        ; bl ->print
        ; b <next
        ; done:
        ; strb wzr, [x20]
    );
    string(ops, 0, "\n");
    a64!(ops
        ; bl ->print
        ; ldp x19, x20, [sp, 16]
        ; ldp x29, x30, [sp], 32
        ; ret
    );
}

/// `->is_word`: w0 = 1 if the word at x0 is the string at x1. `->skip_word`: x0 moves to the next word.
fn words(ops: &mut Ops) {
    a64!(ops
        ; ->is_word:
        ; ldrb w2, [x0], 1
        ; ldrb w3, [x1], 1
        ; cbz w3, >end
        ; cmp w2, w3
        ; b.eq ->is_word
        ; mov w0, wzr
        ; ret
        // Zero or a blank.
        ; end:
        ; tst w2, !0x20u32
        ; cset w0, eq
        ; ret
        ; ->skip_word:
        ; ldrb w1, [x0]
        ; cbz w1, >done
        ; add x0, x0, 1
        ; cmp w1, b' '.into()
        ; b.ne ->skip_word
        ; done:
        ; ret
    );
}

/// The number at x0, hexadecimal (with or without 0x) or decimal; it ends at the first character that is no digit.
fn parse(ops: &mut Ops) {
    a64!(ops
        ; ->parse_hex:
        ; mov x1, x0
        ; mov x0, xzr
        ; ldrh w2, [x1]
        ; mov w3, u32::from(u16::from_le_bytes(*b"0x"))
        ; cmp w2, w3
        ; b.ne >digit
        ; add x1, x1, 2
        ; digit:
        ; ldrb w2, [x1], 1
        ; sub w3, w2, b'0'.into()
        ; cmp w3, 10
        ; b.lo >value
        // Letters of either case.
        ; orr w2, w2, 32
        ; sub w3, w2, b'a'.into()
        ; cmp w3, 6
        ; b.hs >done
        ; add w3, w3, 10
        ; value:
        ; orr x0, x3, x0, lsl 4
        ; b <digit
        ; done:
        ; ret
        ; ->parse_dec:
        ; mov x1, x0
        ; mov x0, xzr
        ; mov x4, 10
        ; digit:
        ; ldrb w2, [x1], 1
        ; sub w3, w2, b'0'.into()
        ; cmp w3, 10
        ; b.hs >done
        ; madd x0, x0, x4, x3
        ; b <digit
        ; done:
        ; ret
    );
}
