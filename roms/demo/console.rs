//! The PL011: printing by polling, reading by interrupt into a ring.
//!
//! Source: PL011 Technical Reference Manual (DDI 0183G), chapter 3.

use super::asm::{Ops, a64, enter, leave};
use super::vars;
use dynasmrt::{DynasmApi, DynasmLabelApi};

const DR: u32 = 0;
const FR: u32 = 0x18;
const IBRD: u32 = 0x24;
const FBRD: u32 = 0x28;
const LCRH: u32 = 0x2c;
const CR: u32 = 0x30;
const IMSC: u32 = 0x38;
const ICR: u32 = 0x44;

/// FR: the receive FIFO is empty, the transmit FIFO is full.
const RXFE_BIT: u32 = 4;
const TXFF_BIT: u32 = 5;

/// IMSC: received data, and received data that waited.
const RX_INTERRUPTS: u32 = 1 << 4 | 1 << 6;

/// Emits `->console_init`, `->console_interrupt`, `->getc`, `->putc`, `->print`, `->print_dec`, `->print_hex`.
pub fn emit(ops: &mut Ops) {
    init(ops);
    interrupt(ops);
    getc(ops);
    putc(ops);
    print(ops);
    print_dec(ops);
    print_hex(ops);
}

/// 115200 baud from a clock of 24 MHz, eight bits, FIFOs on.
fn init(ops: &mut Ops) {
    a64!(ops
        ; ->console_init:
        ; ldr x1, [x28, vars::UART]
        ; str wzr, [x1, CR]
        ; mov w0, 13
        ; str w0, [x1, IBRD]
        ; mov w0, 1
        ; str w0, [x1, FBRD]
        ; mov w0, 0x70
        ; str w0, [x1, LCRH]
        ; mov w0, RX_INTERRUPTS
        ; str w0, [x1, IMSC]
        ; mov w0, 0x301
        ; str w0, [x1, CR]
        ; ret
    );
}

/// Moves what was received to the ring; what does not fit is lost.
fn interrupt(ops: &mut Ops) {
    a64!(ops
        ; ->console_interrupt:
        ; ldr x1, [x28, vars::UART]
        ; ldr x2, [x28, vars::HEAD]
        ; ldr x3, [x28, vars::TAIL]
        ; add x4, x28, vars::RING
        ; next:
        ; ldr w0, [x1, FR]
        ; tbnz w0, RXFE_BIT, >done
        ; ldr w0, [x1, DR]
        ; sub x5, x2, x3
        ; cmp x5, vars::RING_SIZE
        ; b.hs <next
        ; and x5, x2, u64::from(vars::RING_SIZE - 1)
        ; strb w0, [x4, x5]
        ; add x2, x2, 1
        ; b <next
        ; done:
        ; str x2, [x28, vars::HEAD]
        ; mov w0, RX_INTERRUPTS
        ; str w0, [x1, ICR]
        ; ret
    );
}

/// w0 = the next character typed; sleeps until there is one.
fn getc(ops: &mut Ops) {
    a64!(ops
        ; ->getc:
        ; msr daifset, 2
        ; ldr x1, [x28, vars::HEAD]
        ; ldr x2, [x28, vars::TAIL]
        ; cmp x1, x2
        ; b.ne >there
        ; wfi
        ; msr daifclr, 2
        ; isb
        ; b ->getc
        ; there:
        ; and x1, x2, u64::from(vars::RING_SIZE - 1)
        ; add x0, x28, vars::RING
        ; ldrb w0, [x0, x1]
        ; add x2, x2, 1
        ; str x2, [x28, vars::TAIL]
        ; msr daifclr, 2
        ; ret
    );
}

/// Sends the character w0. Changes x1 and x2 only.
fn putc(ops: &mut Ops) {
    a64!(ops
        ; ->putc:
        ; ldr x1, [x28, vars::UART]
        ; full:
        ; ldr w2, [x1, FR]
        ; tbnz w2, TXFF_BIT, <full
        ; str w0, [x1, DR]
        ; ret
    );
}

/// Prints the string at x0; a line end becomes return and line feed.
fn print(ops: &mut Ops) {
    a64!(ops ; ->print:);
    enter(ops);
    a64!(ops
        ; mov x3, x0
        ; next:
        ; ldrb w0, [x3], 1
        ; cbz w0, >done
        ; cmp w0, b'\n'.into()
        ; b.ne >plain
        ; mov w0, b'\r'.into()
        ; bl ->putc
        ; mov w0, b'\n'.into()
        ; plain:
        ; bl ->putc
        ; b <next
        ; done:
    );
    leave(ops);
}

/// Prints x0 as a decimal number.
fn print_dec(ops: &mut Ops) {
    a64!(ops
        ; ->print_dec:
        ; stp x29, x30, [sp, -48]!
        ; add x3, sp, 47
        ; strb wzr, [x3]
        ; mov x4, 10
        ; digit:
        ; udiv x5, x0, x4
        ; msub x6, x5, x4, x0
        ; add w6, w6, b'0'.into()
        ; strb w6, [x3, -1]!
        ; mov x0, x5
        ; cbnz x0, <digit
        ; mov x0, x3
        ; bl ->print
        ; ldp x29, x30, [sp], 48
        ; ret
    );
}

/// Prints x0 in hexadecimal, without leading zeros. `->print_digits` prints the lowest x4 digits.
fn print_hex(ops: &mut Ops) {
    a64!(ops
        ; ->print_hex:
        // Significant digits: 16 less a quarter of the leading zeros, and one at least.
        ; orr x4, x0, 1
        ; clz x4, x4
        ; lsr x4, x4, 2
        ; mov x3, 16
        ; sub x4, x3, x4
        ; ->print_digits:
        ; stp x29, x30, [sp, -16]!
        ; mov x3, x0
        ; digit:
        ; sub x4, x4, 1
        ; lsl x5, x4, 2
        ; lsr x0, x3, x5
        ; and w0, w0, 15
        ; add w5, w0, b'0'.into()
        ; add w6, w0, (b'a' - 10).into()
        ; cmp w0, 10
        ; csel w0, w5, w6, lo
        ; bl ->putc
        ; cbnz x4, <digit
        ; ldp x29, x30, [sp], 16
        ; ret
    );
}
