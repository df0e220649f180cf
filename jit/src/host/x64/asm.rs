//! The assembler sink, and an emitter for each host instruction form that lowering uses, choosing the short encoding.
//!
//! Registers are numbers: 0 to 7 are RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI; 8 to 15 are R8 to R15. RBP points
//! [`BIAS`] bytes into the register file, so that the general registers are within reach of an 8-bit displacement.
#![allow(clippy::useless_conversion, reason = "dynasm converts register numbers of any type")]

use dynasmrt::{AssemblyOffset, DynasmApi, dynasm};

/// How far RBP points into the register file.
pub const BIAS: i32 = 128;

/// Host register numbers.
#[expect(missing_docs, reason = "the manual's names")]
pub mod reg {
    pub const RAX: u8 = 0;
    pub const RCX: u8 = 1;
    pub const RDX: u8 = 2;
    pub const RBX: u8 = 3;
    pub const RSP: u8 = 4;
    pub const RBP: u8 = 5;
    pub const RSI: u8 = 6;
    pub const RDI: u8 = 7;
    pub const R8: u8 = 8;
    pub const R9: u8 = 9;
    pub const R10: u8 = 10;
    pub const R11: u8 = 11;
    pub const R12: u8 = 12;
    pub const R13: u8 = 13;
    pub const R14: u8 = 14;
    pub const R15: u8 = 15;
}

/// Host condition codes, with the manual's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[expect(missing_docs, reason = "the manual's names")]
pub enum Cc {
    O,
    NO,
    B,
    AE,
    E,
    NE,
    BE,
    A,
    S,
    NS,
    P,
    NP,
    L,
    GE,
    LE,
    G,
}

impl Cc {
    /// The opposite condition.
    pub const fn invert(self) -> Cc {
        use Cc::*;
        [NO, O, AE, B, NE, E, A, BE, NS, S, NP, P, GE, L, G, LE][self as usize]
    }
}

/// Two-operand arithmetic, with the numbers that opcodes use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[expect(missing_docs, reason = "the manual's names")]
pub enum Alu {
    Add,
    Or,
    Adc,
    Sbb,
    And,
    Sub,
    Xor,
    Cmp,
}

/// Shifts, with the numbers that opcodes use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[expect(missing_docs, reason = "the manual's names")]
pub enum Shift {
    Ror = 1,
    Shl = 4,
    Shr = 5,
    Sar = 7,
}

/// A memory operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mem {
    /// Base register.
    pub base: u8,
    /// Index register, unscaled.
    pub index: Option<u8>,
    /// Displacement.
    pub disp: i32,
}

/// The word of the register file at byte `offset`.
pub const fn file(offset: u16) -> Mem {
    Mem { base: reg::RBP, index: None, disp: offset as i32 - BIAS }
}

/// A place in code that is not known yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label(u32);

/// Bytes of code, labels, and references to both labels and fixed addresses.
#[derive(Default)]
pub struct Asm {
    bytes: Vec<u8>,
    labels: Vec<u32>,
    fixups: Vec<(u32, u32)>,
    outside: Vec<(u32, u64)>,
}

impl Extend<u8> for Asm {
    fn extend<T: IntoIterator<Item = u8>>(&mut self, iter: T) {
        self.bytes.extend(iter);
    }
}
impl<'a> Extend<&'a u8> for Asm {
    fn extend<T: IntoIterator<Item = &'a u8>>(&mut self, iter: T) {
        self.bytes.extend(iter);
    }
}
impl DynasmApi for Asm {
    #[inline(always)]
    fn offset(&self) -> AssemblyOffset {
        AssemblyOffset(self.bytes.len())
    }
    #[inline(always)]
    fn push(&mut self, byte: u8) {
        self.bytes.push(byte);
    }
    fn align(&mut self, alignment: usize, with: u8) {
        while !self.bytes.len().is_multiple_of(alignment) {
            self.bytes.push(with);
        }
    }
}

impl Asm {
    /// Forgets everything, keeping memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.labels.clear();
        self.fixups.clear();
        self.outside.clear();
    }

    /// Bytes so far.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing was emitted.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// A new label, not bound yet.
    pub fn label(&mut self) -> Label {
        self.labels.push(u32::MAX);
        Label(self.labels.len() as u32 - 1)
    }

    /// Binds a label here.
    pub fn bind(&mut self, l: Label) {
        self.labels[l.0 as usize] = self.bytes.len() as u32;
    }

    /// Resolves all references for code that will run at `base`.
    pub fn finish(&mut self, base: u64) -> &[u8] {
        for &(at, label) in &self.fixups {
            let to = self.labels[label as usize];
            debug_assert!(to != u32::MAX, "a label is not bound");
            let rel = to.wrapping_sub(at + 4);
            self.bytes[at as usize..][..4].copy_from_slice(&rel.to_le_bytes());
        }
        for &(at, to) in &self.outside {
            let rel = to.wrapping_sub(base + at as u64 + 4) as u32;
            self.bytes[at as usize..][..4].copy_from_slice(&rel.to_le_bytes());
        }
        &self.bytes
    }

    pub(super) fn reference(&mut self, l: Label) {
        self.fixups.push((self.bytes.len() as u32, l.0));
        self.push_i32(0);
    }

    /// JMP to a label.
    pub fn jmp(&mut self, l: Label) {
        self.push(0xE9);
        self.reference(l);
    }
    /// Jcc to a label.
    pub fn jcc(&mut self, cc: Cc, l: Label) {
        self.push(0x0F);
        self.push(0x80 | cc as u8);
        self.reference(l);
    }
    /// CALL of a fixed address.
    pub fn call_to(&mut self, to: u64) {
        self.push(0xE8);
        self.outside.push((self.bytes.len() as u32, to));
        self.push_i32(0);
    }
    /// JMP to a fixed address.
    pub fn jmp_to(&mut self, to: u64) {
        self.push(0xE9);
        self.outside.push((self.bytes.len() as u32, to));
        self.push_i32(0);
    }
    /// Jcc to a fixed address.
    pub fn jcc_to(&mut self, cc: Cc, to: u64) {
        self.push(0x0F);
        self.push(0x80 | cc as u8);
        self.outside.push((self.bytes.len() as u32, to));
        self.push_i32(0);
    }
    /// JMP to a label whose displacement is 4-byte aligned in code that starts aligned; gives its offset.
    pub fn jmp_aligned(&mut self, l: Label) -> u32 {
        while !(self.bytes.len() + 1).is_multiple_of(4) {
            dynasm!(self; .arch x64; nop);
        }
        let at = self.bytes.len() as u32 + 1;
        self.jmp(l);
        at
    }

    fn rex(&mut self, wide: bool, r: u8, x: u8, b: u8, force: bool) {
        let byte = 0x40 | (wide as u8) << 3 | (r >> 3) << 2 | (x >> 3) << 1 | b >> 3;
        if byte != 0x40 || force {
            self.push(byte);
        }
    }

    pub(super) fn modrm_mem(&mut self, r: u8, m: Mem) {
        let (r, b) = ((r & 7) << 3, m.base & 7);
        let small = m.disp >= -128 && m.disp <= 127;
        let mode: u8 = if m.disp == 0 && b != 5 {
            0
        } else if small {
            0x40
        } else {
            0x80
        };
        match m.index {
            Some(x) => {
                self.push(mode | r | 4);
                self.push((x & 7) << 3 | b);
            }
            None if b == 4 => {
                self.push(mode | r | 4);
                self.push(0x24);
            }
            None => self.push(mode | r | b),
        }
        match mode {
            0 => {}
            0x40 => self.push_i8(m.disp as i8),
            _ => self.push_i32(m.disp),
        }
    }

    pub(super) fn op_mem(
        &mut self,
        prefix: Option<u8>,
        wide: bool,
        opcode: &[u8],
        r: u8,
        m: Mem,
        byte: bool,
    ) {
        if let Some(p) = prefix {
            self.push(p);
        }
        self.rex(wide, r, m.index.unwrap_or(0), m.base, byte && r >= 4);
        self.extend(opcode);
        self.modrm_mem(r, m);
    }

    pub(super) fn op_reg(&mut self, prefix: Option<u8>, wide: bool, opcode: &[u8], r: u8, b: u8, byte: bool) {
        if let Some(p) = prefix {
            self.push(p);
        }
        self.rex(wide, r, 0, b, byte);
        self.extend(opcode);
        self.push(0xC0 | (r & 7) << 3 | b & 7);
    }

    /// MOV between registers.
    pub fn mov(&mut self, wide: bool, d: u8, s: u8) {
        self.op_reg(None, wide, &[0x8B], d, s, false);
    }
    /// MOV of a constant; leaves flags alone.
    pub fn mov_imm(&mut self, d: u8, x: u64) {
        if x <= u32::MAX as u64 {
            self.rex(false, 0, 0, d, false);
            self.push(0xB8 | d & 7);
            self.push_u32(x as u32);
        } else if x as i64 == x as i32 as i64 {
            dynasm!(self; .arch x64; mov Rq(d), x as i32);
        } else {
            dynasm!(self; .arch x64; mov Rq(d), QWORD x as i64);
        }
    }
    /// MOV of a constant to memory: 64 bits, sign extended from 32, or 32 bits.
    pub fn mov_mem_imm(&mut self, wide: bool, m: Mem, x: i32) {
        self.op_mem(None, wide, &[0xC7], 0, m, false);
        self.push_i32(x);
    }
    /// Loads `bytes` (1, 2, 4, 8) zero extended.
    pub fn load(&mut self, bytes: u64, d: u8, m: Mem) {
        match bytes {
            1 => self.op_mem(None, false, &[0x0F, 0xB6], d, m, false),
            2 => self.op_mem(None, false, &[0x0F, 0xB7], d, m, false),
            4 => self.op_mem(None, false, &[0x8B], d, m, false),
            _ => self.op_mem(None, true, &[0x8B], d, m, false),
        }
    }
    /// Stores the low `bytes` (1, 2, 4, 8).
    pub fn store(&mut self, bytes: u64, m: Mem, s: u8) {
        match bytes {
            1 => self.op_mem(None, false, &[0x88], s, m, true),
            2 => self.op_mem(Some(0x66), false, &[0x89], s, m, false),
            4 => self.op_mem(None, false, &[0x89], s, m, false),
            _ => self.op_mem(None, true, &[0x89], s, m, false),
        }
    }
    /// LEA.
    pub fn lea(&mut self, wide: bool, d: u8, m: Mem) {
        self.op_mem(None, wide, &[0x8D], d, m, false);
    }
    /// Zero extends the low `bits` (8, 16, 32) of `s`.
    pub fn zext(&mut self, bits: u32, d: u8, s: u8) {
        match bits {
            8 => self.op_reg(None, false, &[0x0F, 0xB6], d, s, s >= 4),
            16 => self.op_reg(None, false, &[0x0F, 0xB7], d, s, false),
            _ => self.mov(false, d, s),
        }
    }
    /// Sign extends the low `bits` (8, 16, 32) of `s` to 64 bits, or to 32 with zeros above.
    pub fn sext(&mut self, bits: u32, wide: bool, d: u8, s: u8) {
        match bits {
            8 => self.op_reg(None, wide, &[0x0F, 0xBE], d, s, s >= 4),
            16 => self.op_reg(None, wide, &[0x0F, 0xBF], d, s, false),
            _ => self.op_reg(None, true, &[0x63], d, s, false),
        }
    }
    /// Arithmetic on registers.
    pub fn alu(&mut self, op: Alu, wide: bool, d: u8, s: u8) {
        self.op_reg(None, wide, &[(op as u8) << 3 | 3], d, s, false);
    }
    /// Arithmetic on 8-bit registers.
    pub fn alu8(&mut self, op: Alu, d: u8, s: u8) {
        self.op_reg(None, false, &[(op as u8) << 3 | 2], d, s, true);
    }
    /// Arithmetic on 16-bit registers.
    pub fn alu16(&mut self, op: Alu, d: u8, s: u8) {
        self.op_reg(Some(0x66), false, &[(op as u8) << 3 | 3], d, s, false);
    }
    /// Arithmetic with a memory operand.
    pub fn alu_mem(&mut self, op: Alu, wide: bool, d: u8, m: Mem) {
        self.op_mem(None, wide, &[(op as u8) << 3 | 3], d, m, false);
    }
    /// Arithmetic on 32 bits of memory.
    pub fn alu_store(&mut self, op: Alu, m: Mem, s: u8) {
        self.op_mem(None, false, &[(op as u8) << 3 | 1], s, m, false);
    }
    /// Arithmetic with a constant, sign extended.
    pub fn alu_imm(&mut self, op: Alu, wide: bool, d: u8, x: i32) {
        if (-128..=127).contains(&x) {
            self.op_reg(None, wide, &[0x83], op as u8, d, false);
            self.push_i8(x as i8);
        } else {
            self.op_reg(None, wide, &[0x81], op as u8, d, false);
            self.push_i32(x);
        }
    }
    /// Arithmetic on memory with a constant.
    pub fn alu_mem_imm(&mut self, op: Alu, wide: bool, m: Mem, x: i32) {
        if (-128..=127).contains(&x) {
            self.op_mem(None, wide, &[0x83], op as u8, m, false);
            self.push_i8(x as i8);
        } else {
            self.op_mem(None, wide, &[0x81], op as u8, m, false);
            self.push_i32(x);
        }
    }
    /// ADD AL, x.
    pub fn alu8_imm_rax(&mut self, x: u8) {
        self.push(0x04);
        self.push(x);
    }
    /// TEST of two registers.
    pub fn test(&mut self, wide: bool, a: u8, b: u8) {
        self.op_reg(None, wide, &[0x85], b, a, false);
    }
    /// TEST of 32 bits of memory with a register.
    pub fn test_mem(&mut self, m: Mem, r: u8) {
        self.op_mem(None, false, &[0x85], r, m, false);
    }
    /// TEST of a byte of memory with a constant.
    pub fn test_mem_imm(&mut self, m: Mem, x: u8) {
        self.op_mem(None, false, &[0xF6], 0, m, false);
        self.push(x);
    }
    /// TEST of the low byte.
    pub fn test8(&mut self, a: u8) {
        self.op_reg(None, false, &[0x84], a, a, a >= 4);
    }
    /// TEST of the low byte with 1.
    pub fn test_bit0(&mut self, a: u8) {
        self.op_reg(None, false, &[0xF6], 0, a, a >= 4);
        self.push(1);
    }
    /// TEST with a constant, sign extended.
    pub fn test_imm(&mut self, wide: bool, a: u8, x: i32) {
        if !wide && (0..0x80).contains(&x) {
            self.op_reg(None, false, &[0xF6], 0, a, a >= 4);
            self.push(x as u8);
        } else {
            self.op_reg(None, wide, &[0xF7], 0, a, false);
            self.push_i32(x);
        }
    }
    /// BT with a constant bit number.
    pub fn bt(&mut self, wide: bool, a: u8, bit: u8) {
        self.op_reg(None, wide, &[0x0F, 0xBA], 4, a, false);
        self.push(bit);
    }
    /// Shift by a constant.
    pub fn shift_imm(&mut self, op: Shift, wide: bool, d: u8, k: u8) {
        self.op_reg(None, wide, &[0xC1], op as u8, d, false);
        self.push(k);
    }
    /// Shift by CL.
    pub fn shift_cl(&mut self, op: Shift, wide: bool, d: u8) {
        self.op_reg(None, wide, &[0xD3], op as u8, d, false);
    }
    /// SHLX, SHRX, SARX (BMI2).
    pub fn shift_x(&mut self, op: Shift, wide: bool, d: u8, s: u8, k: u8) {
        match (op, wide) {
            (Shift::Shl, true) => dynasm!(self; .arch x64; shlx Rq(d), Rq(s), Rq(k)),
            (Shift::Shl, false) => dynasm!(self; .arch x64; shlx Rd(d), Rd(s), Rd(k)),
            (Shift::Shr, true) => dynasm!(self; .arch x64; shrx Rq(d), Rq(s), Rq(k)),
            (Shift::Shr, false) => dynasm!(self; .arch x64; shrx Rd(d), Rd(s), Rd(k)),
            (Shift::Sar, true) => dynasm!(self; .arch x64; sarx Rq(d), Rq(s), Rq(k)),
            (Shift::Sar, false) => dynasm!(self; .arch x64; sarx Rd(d), Rd(s), Rd(k)),
            (Shift::Ror, _) => debug_assert!(false, "there is no RORX by register"),
        }
    }
    /// NOT.
    pub fn not(&mut self, wide: bool, d: u8) {
        self.op_reg(None, wide, &[0xF7], 2, d, false);
    }
    /// NEG.
    pub fn neg(&mut self, wide: bool, d: u8) {
        self.op_reg(None, wide, &[0xF7], 3, d, false);
    }
    /// IMUL of two registers.
    pub fn imul(&mut self, wide: bool, d: u8, s: u8) {
        self.op_reg(None, wide, &[0x0F, 0xAF], d, s, false);
    }
    /// RDX:RAX = RAX × s: MUL, or IMUL if signed.
    pub fn mul_wide(&mut self, signed: bool, s: u8) {
        self.op_reg(None, true, &[0xF7], if signed { 5 } else { 4 }, s, false);
    }
    /// RAX, RDX = RDX:RAX / s: DIV, or IDIV if signed.
    pub fn div(&mut self, signed: bool, wide: bool, s: u8) {
        self.op_reg(None, wide, &[0xF7], if signed { 7 } else { 6 }, s, false);
    }
    /// BSWAP.
    pub fn bswap(&mut self, wide: bool, d: u8) {
        self.rex(wide, 0, 0, d, false);
        self.push(0x0F);
        self.push(0xC8 | d & 7);
    }
    /// CMOVcc.
    pub fn cmov(&mut self, cc: Cc, wide: bool, d: u8, s: u8) {
        self.op_reg(None, wide, &[0x0F, 0x40 | cc as u8], d, s, false);
    }
    /// SETcc of the low byte.
    pub fn setcc(&mut self, cc: Cc, d: u8) {
        self.op_reg(None, false, &[0x0F, 0x90 | cc as u8], 0, d, d >= 4);
    }
    /// An operation of the 0F map with an F3 prefix: POPCNT B8, TZCNT BC, LZCNT BD.
    pub fn count(&mut self, opcode: u8, wide: bool, d: u8, s: u8) {
        self.op_reg(Some(0xF3), wide, &[0x0F, opcode], d, s, false);
    }
    /// LOCK XADD, CMPXCHG or XCHG with memory, by opcode of the 32-bit form; the byte form is one less.
    pub fn atomic(&mut self, lock: bool, bytes: u64, opcode: &[u8], m: Mem, s: u8) {
        if lock {
            self.push(0xF0);
        }
        let mut code = [0u8; 2];
        code[..opcode.len()].copy_from_slice(opcode);
        if bytes == 1 {
            code[opcode.len() - 1] -= 1;
        }
        let prefix = (bytes == 2).then_some(0x66);
        self.op_mem(prefix, bytes == 8, &code[..opcode.len()], s, m, bytes == 1);
    }

    /// MOVUPS load.
    pub fn movups_load(&mut self, d: u8, m: Mem) {
        self.op_mem(None, false, &[0x0F, 0x10], d, m, false);
    }
    /// MOVUPS load of the 16 bytes at a label.
    pub fn movups_label(&mut self, d: u8, l: Label) {
        self.rex(false, d, 0, 0, false);
        self.extend([0x0F, 0x10, (d & 7) << 3 | 5]);
        self.reference(l);
    }
    /// LDMXCSR from a label.
    pub fn load_mxcsr(&mut self, l: Label) {
        self.extend([0x0F, 0xAE, 2 << 3 | 5]);
        self.reference(l);
    }
    /// LDMXCSR.
    pub fn load_mxcsr_mem(&mut self, m: Mem) {
        self.op_mem(None, false, &[0x0F, 0xAE], 2, m, false);
    }
    /// STMXCSR.
    pub fn store_mxcsr(&mut self, m: Mem) {
        self.op_mem(None, false, &[0x0F, 0xAE], 3, m, false);
    }
    /// 16 bytes of data.
    pub fn data(&mut self, x: u128) {
        self.extend(x.to_le_bytes());
    }
    /// MOVUPS store.
    pub fn movups_store(&mut self, m: Mem, s: u8) {
        self.op_mem(None, false, &[0x0F, 0x11], s, m, false);
    }
    /// MOVAPS between registers.
    pub fn movaps(&mut self, d: u8, s: u8) {
        self.op_reg(None, false, &[0x0F, 0x28], d, s, false);
    }
    /// MOVD or MOVQ from a general register, zeros above.
    pub fn movq_to_xmm(&mut self, wide: bool, d: u8, s: u8) {
        self.op_reg(Some(0x66), wide, &[0x0F, 0x6E], d, s, false);
    }
    /// MOVD or MOVQ to a general register.
    pub fn movq_from_xmm(&mut self, wide: bool, d: u8, s: u8) {
        self.op_reg(Some(0x66), wide, &[0x0F, 0x7E], s, d, false);
    }
    /// MOVQ between xmm registers: the low half, zeros above.
    pub fn movq_low(&mut self, d: u8, s: u8) {
        self.op_reg(Some(0xF3), false, &[0x0F, 0x7E], d, s, false);
    }
    /// MOVD or MOVQ from memory, zeros above.
    pub fn movq_load(&mut self, wide: bool, d: u8, m: Mem) {
        let (prefix, opcode) = if wide { (0xF3, 0x7E) } else { (0x66, 0x6E) };
        self.op_mem(Some(prefix), false, &[0x0F, opcode], d, m, false);
    }
    /// MOVD or MOVQ to memory.
    pub fn movq_store(&mut self, wide: bool, m: Mem, s: u8) {
        self.op_mem(Some(0x66), false, &[0x0F, if wide { 0xD6 } else { 0x7E }], s, m, false);
    }
    /// A two-operand SSE instruction `d = d op s`, by mandatory prefix (0 for none) and opcode after 0F.
    pub fn sse(&mut self, prefix: u8, opcode: &[u8], d: u8, s: u8) {
        let mut code = [0x0F; 4];
        code[1..=opcode.len()].copy_from_slice(opcode);
        self.op_reg((prefix != 0).then_some(prefix), false, &code[..=opcode.len()], d, s, false);
    }
    /// The same with an immediate byte.
    pub fn sse_imm(&mut self, prefix: u8, opcode: &[u8], d: u8, s: u8, imm: u8) {
        self.sse(prefix, opcode, d, s);
        self.push(imm);
    }
    /// A 66-prefixed SSE instruction between an xmm register and a general one, with an immediate byte.
    pub fn sse_imm_gpr(&mut self, opcode: &[u8], wide: bool, x: u8, g: u8, imm: u8) {
        let mut code = [0x0F; 4];
        code[1..=opcode.len()].copy_from_slice(opcode);
        self.op_reg(Some(0x66), wide, &code[..=opcode.len()], x, g, false);
        self.push(imm);
    }

    /// A two-operand SSE instruction with a memory operand, which has to be aligned to 16 bytes.
    pub fn sse_mem(&mut self, prefix: u8, opcode: &[u8], d: u8, m: Mem) {
        let mut code = [0x0F; 4];
        code[1..=opcode.len()].copy_from_slice(opcode);
        self.op_mem((prefix != 0).then_some(prefix), false, &code[..=opcode.len()], d, m, false);
    }
    /// A conversion between a general and an xmm register.
    pub fn convert(&mut self, prefix: u8, wide: bool, opcode: u8, d: u8, s: u8) {
        self.op_reg(Some(prefix), wide, &[0x0F, opcode], d, s, false);
    }
    /// A raw byte.
    pub fn byte(&mut self, x: u8) {
        self.push(x);
    }
}
