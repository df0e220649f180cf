//! Encodings of integer instructions by the number of bits, of bit tests, and of the x87's memory operands.

use super::asm::{Alu, Asm, Mem};
use dynasmrt::DynasmApi;

impl Asm {
    /// Arithmetic of any width with a memory operand.
    pub fn alu_mem_sized(&mut self, op: Alu, bits: u32, d: u8, m: Mem) {
        let prefix = (bits == 16).then_some(0x66);
        let opcode = (op as u8) << 3 | if bits == 8 { 2 } else { 3 };
        self.op_mem(prefix, bits == 64, &[opcode], d, m, bits == 8);
    }
    /// Arithmetic of any width with a constant, sign extended.
    pub fn alu_imm_sized(&mut self, op: Alu, bits: u32, d: u8, x: i32) {
        match bits {
            8 => {
                self.op_reg(None, false, &[0x80], op as u8, d, d >= 4);
                self.push(x as u8);
            }
            16 => {
                self.op_reg(Some(0x66), false, &[0x81], op as u8, d, false);
                self.extend((x as u16).to_le_bytes());
            }
            _ => self.alu_imm(op, bits == 64, d, x),
        }
    }
    /// A shift or rotate of any width, by its number in ModRM.reg, by a constant or by CL.
    pub fn shift_sized(&mut self, op: u8, bits: u32, d: u8, k: Option<u8>) {
        let prefix = (bits == 16).then_some(0x66);
        let opcode = if k.is_some() { 0xC0 } else { 0xD2 } | (bits != 8) as u8;
        self.op_reg(prefix, bits == 64, &[opcode], op, d, bits == 8 && d >= 4);
        if let Some(k) = k {
            self.push(k);
        }
    }
    /// An x87 instruction with memory, by opcode and the number in ModRM.reg.
    pub fn x87_mem(&mut self, opcode: u8, digit: u8, m: Mem) {
        self.op_mem(None, false, &[opcode], digit, m, false);
    }
    /// BT, BTS or BTR, by opcode A3, AB or B3, of 32 bits with the bit number in `n`.
    pub fn bit_test(&mut self, opcode: u8, a: u8, n: u8) {
        self.op_reg(None, false, &[0x0F, opcode], n, a, false);
    }
    /// BT of 32 bits of memory with a constant bit number.
    pub fn bt_mem(&mut self, m: Mem, bit: u8) {
        self.op_mem(None, false, &[0x0F, 0xBA], 4, m, false);
        self.push(bit);
    }
}
