//! A decoded instruction: the fields of its encoding.

use crate::core;

/// Segment registers by their encoding in Sreg fields (SDM vol. 2, 3.1.1.3).
pub mod seg {
    #![expect(missing_docs, reason = "the manual's names")]
    pub const ES: u8 = 0;
    pub const CS: u8 = 1;
    pub const SS: u8 = 2;
    pub const DS: u8 = 3;
    pub const FS: u8 = 4;
    pub const GS: u8 = 5;
}

/// A base or index register that is not there: its slot always reads zero.
pub const NO_REG: u8 = 16;
/// Byte registers AH, CH, DH, BH are numbered from here.
pub const HIGH_BYTE: u8 = 0x20;

/// In [`Insn::bits`]: see [`Insn::is_plain`].
pub const PLAIN: u8 = 1 << 6;
/// In [`Insn::bits`]: see [`Insn::is_near`].
pub const NEAR: u8 = 1 << 7;
/// In [`Fields::seg`]: see [`Insn::is_plain_32`].
pub const PLAIN_32: u8 = 1 << 7;

/// Which repeat prefix an instruction has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rep {
    /// none
    None,
    /// F2
    Repne,
    /// F3
    Rep,
}

/// The fields of an instruction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Fields {
    /// The immediate, sign extended to 32 bits from what its operand letter says; the low half of a 64-bit one, the
    /// offset of a far pointer.
    pub imm: i32,
    /// The displacement; the high half of a 64-bit immediate or of a moffs address; the selector of a far pointer; the
    /// second immediate of ENTER and EXTRQ.
    pub disp: i32,
    /// ModRM.reg with REX.R, or the register in the opcode with REX.B; numbered by [`HIGH_BYTE`] for AH to BH.
    pub reg: u8,
    /// ModRM.rm of a register operand with REX.B, or the base register of memory, or [`NO_REG`].
    pub rm: u8,
    /// The index register of memory, or [`NO_REG`].
    pub index: u8,
    /// Bits 1:0 the scale, bit 2 relative to the next instruction, bit 3 LOCK, bit 4 VEX.L, bit 5 REX.W or VEX.W,
    /// bits 7:6 see [`Insn::is_plain`] and
    /// [`Insn::is_near`].
    pub bits: u8,
    /// Bits 2:0 the segment of the memory operand, override or default; bit 7 see [`Insn::is_plain_32`].
    pub seg: u8,
    /// VEX.vvvv, or the condition in the opcode of Jcc, SETcc and CMOVcc.
    pub vvvv: u8,
    /// Length in bytes.
    pub len: u8,
    /// Bits 1:0 operand size (log2 of bytes: 1, 2, 3), 3:2 address size (likewise), bit 4 memory operand, bit 5 REX,
    /// bits 7:6 the repeat prefix.
    pub form: u8,
}

/// The operands and prefixes of an instruction, as [`Fields`] describes them. What it is, its handler says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Insn(Fields);

impl From<Fields> for Insn {
    fn from(f: Fields) -> Self {
        Insn(f)
    }
}

impl core::Insn for Insn {
    #[inline(always)]
    fn len(self) -> u32 {
        self.0.len as u32
    }
}

#[allow(clippy::len_without_is_empty, reason = "no instruction is empty")]
impl Insn {
    /// See [`Fields::imm`].
    #[inline(always)]
    pub const fn imm(self) -> i32 {
        self.0.imm
    }
    /// See [`Fields::disp`].
    #[inline(always)]
    pub const fn disp(self) -> i32 {
        self.0.disp
    }
    /// See [`Fields::reg`].
    #[inline(always)]
    pub const fn reg(self) -> u8 {
        self.0.reg
    }
    /// See [`Fields::rm`].
    #[inline(always)]
    pub const fn rm(self) -> u8 {
        self.0.rm
    }
    /// See [`Fields::index`].
    #[inline(always)]
    pub const fn index(self) -> u8 {
        self.0.index
    }
    /// See [`Fields::bits`].
    #[inline(always)]
    pub const fn bits(self) -> u8 {
        self.0.bits
    }
    /// See [`Fields::len`].
    #[inline(always)]
    pub const fn len(self) -> u8 {
        self.0.len
    }
    /// See [`Fields::form`].
    #[inline(always)]
    pub const fn form(self) -> u8 {
        self.0.form
    }
    /// The segment of the memory operand.
    #[inline(always)]
    pub const fn seg(self) -> u8 {
        self.0.seg & 7
    }
    /// See [`Fields::vvvv`].
    #[inline(always)]
    pub const fn vvvv(self) -> u8 {
        self.0.vvvv
    }
    /// The same without REX.W or VEX.W.
    #[inline(always)]
    pub const fn without_w(self) -> Self {
        Insn(Fields { bits: self.0.bits & !(1 << 5), ..self.0 })
    }
    /// Log2 of the operand size in bytes: 1, 2 or 3.
    #[inline(always)]
    pub const fn osize(self) -> u32 {
        self.form() as u32 & 3
    }
    /// Log2 of the address size in bytes: 1, 2 or 3.
    #[inline(always)]
    pub const fn asize(self) -> u32 {
        self.form() as u32 >> 2 & 3
    }
    /// Whether ModRM names memory.
    #[inline(always)]
    pub const fn is_mem(self) -> bool {
        self.form() & 1 << 4 != 0
    }
    /// Whether it has a REX prefix.
    #[inline(always)]
    pub const fn has_rex(self) -> bool {
        self.form() & 1 << 5 != 0
    }
    /// The repeat prefix; where both stand the last one counts.
    #[inline(always)]
    pub const fn rep(self) -> Rep {
        match self.form() >> 6 {
            0 => Rep::None,
            1 => Rep::Repne,
            _ => Rep::Rep,
        }
    }
    /// The scale of the index, as a shift count.
    #[inline(always)]
    pub const fn scale(self) -> u32 {
        self.bits() as u32 & 3
    }
    /// Whether the displacement counts from the next instruction.
    #[inline(always)]
    pub const fn is_relative(self) -> bool {
        self.bits() & 1 << 2 != 0
    }
    /// Whether it has a LOCK prefix.
    #[inline(always)]
    pub const fn has_lock(self) -> bool {
        self.bits() & 1 << 3 != 0
    }
    /// Whether the memory operand's address is base plus index plus displacement, of 64 bits, and no segment's base or
    /// limit counts.
    #[inline(always)]
    pub const fn is_plain(self) -> bool {
        self.bits() & PLAIN != 0
    }
    /// The same of 32 bits.
    #[inline(always)]
    pub const fn is_plain_32(self) -> bool {
        self.0.seg & PLAIN_32 != 0
    }
    /// Whether the memory operand's address is the next instruction's plus the displacement, of 64 bits, and no segment's
    /// base or limit counts; without such an operand, whether the same is so for the target of a near jump.
    #[inline(always)]
    pub const fn is_near(self) -> bool {
        self.bits() & NEAR != 0
    }
    /// VEX.L: 256 bits.
    #[inline(always)]
    pub const fn l(self) -> bool {
        self.bits() & 1 << 4 != 0
    }
    /// REX.W or VEX.W.
    #[inline(always)]
    pub const fn w(self) -> bool {
        self.bits() & 1 << 5 != 0
    }
    /// A 64-bit immediate or a moffs address.
    #[inline(always)]
    pub const fn imm64(self) -> u64 {
        self.imm() as u32 as u64 | (self.disp() as u32 as u64) << 32
    }
    /// The immediate, sign extended.
    #[inline(always)]
    pub const fn simm(self) -> u64 {
        self.imm() as i64 as u64
    }
    /// The condition in the opcode.
    #[inline(always)]
    pub const fn cc(self) -> u8 {
        self.vvvv()
    }
    /// The low byte of the immediate.
    #[inline(always)]
    pub const fn imm8(self) -> u8 {
        self.imm() as u8
    }
}
