//! Decode rows in the notation of the SDM: opcode column (vol. 2, 3.1.1.1) and operand letters (vol. 2, appendix A).
//!
//! A row is a mnemonic, an opcode, operands, attributes, features, and how its semantics are chosen for an instruction.
//! The opcode is written as in the manual: `0F BA /4`, `66 0F 38 F6`, `D8 C0+i`, `50+r`, `0F 01 D0` (a ModRM byte that
//! is part of the opcode), `70+cc` (16 opcodes, one for each condition, which [`Insn::cc`] gives), `VEX.128.66.0F38.W0 F7 /1`. Before it may stand a prefix that the row insists on: `66`, `F2`,
//! `F3`, `NP` (none of them) or `NR` (neither F2 nor F3; 66 sizes operands), and `W0` or `W1`.
//!
//! Attributes: `lock` (LOCK is allowed on a memory operand), `m` and `r` (memory or register operand only), `i64`
//! (invalid in 64-bit mode), `o64` (only there), `f64` and `d64` (operands have 64 bits there, always or by default),
//! `prot` (invalid in real and virtual-8086 mode), `anymod` (ModRM.mod is ignored: a register), `modrm` (has one although
//! no operand letter says so).

use super::insn::Insn;
use crate::emit::{Emitter, Step};

/// One row.
pub struct Row<E: Emitter> {
    /// The manual's mnemonic.
    pub name: &'static str,
    /// The opcode column.
    pub opcode: &'static str,
    /// The operands, by the letters of appendix A.
    pub operands: &'static str,
    /// Attributes, see the module's head.
    pub attributes: &'static str,
    /// Feature bits of which all must be present.
    pub features: u64,
    /// The semantics for an instruction of the row.
    pub choose: fn(Insn) -> Step<E>,
    /// What the columns say.
    pub pattern: Pattern,
}

/// Which of the prefixes 66, F2 and F3 a row insists on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prefix {
    /// any, with their usual meanings
    Any,
    /// none of them
    None,
    /// neither F2 nor F3
    NoRep,
    /// 66, and neither F2 nor F3
    P66,
    /// F2
    F2,
    /// F3
    F3,
}

/// An immediate operand in the encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Imm {
    /// one byte, sign extended
    Byte,
    /// two bytes
    Word,
    /// two or four bytes by the operand size, sign extended
    Z,
    /// two, four or eight bytes by the operand size
    V,
    /// an offset of the operand size (two or four bytes) and a selector
    Far,
    /// an address of the address size
    Moffs,
    /// a branch displacement of two or four bytes; four in 64-bit mode
    Jz,
}

/// What the columns of a row say, for the decoder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// 0 one-byte opcodes, 1 to 3 the escapes 0F, 0F 38, 0F 3A; VEX has its own 1 to 3.
    pub map: u8,
    /// VEX encoded.
    pub vex: bool,
    /// The opcode.
    pub opcode: u8,
    /// The low three bits of the opcode are a register.
    pub plus_r: bool,
    /// The low four bits of the opcode are a condition.
    pub plus_cc: bool,
    /// Prefixes.
    pub prefix: Prefix,
    /// ModRM.reg.
    pub digit: Option<u8>,
    /// ModRM bytes that are part of the opcode: value and mask.
    pub exact: Option<(u8, u8)>,
    /// REX.W or VEX.W.
    pub w: Option<bool>,
    /// VEX.L.
    pub l: Option<bool>,
    /// Memory operands only.
    pub mem: bool,
    /// Register operands only.
    pub reg: bool,
    /// There is a ModRM byte.
    pub modrm: bool,
    /// Invalid in 64-bit mode.
    pub i64: bool,
    /// Only in 64-bit mode.
    pub o64: bool,
    /// Operands have 64 bits in 64-bit mode, always.
    pub f64: bool,
    /// Likewise by default.
    pub d64: bool,
    /// LOCK is allowed.
    pub lock: bool,
    /// Protected mode only.
    pub prot: bool,
    /// ModRM.mod is ignored.
    pub anymod: bool,
    /// ModRM.reg (or the opcode's register) is a byte register.
    pub byte_reg: bool,
    /// ModRM.rm is a byte register if it is a register.
    pub byte_rm: bool,
    /// VEX.vvvv is an operand; it must be all ones otherwise.
    pub vvvv: bool,
    /// Immediates in order.
    pub imms: [Option<Imm>; 2],
}

impl Pattern {
    /// Reads the columns of a row.
    ///
    /// # Panics
    /// If they are not in the notation: rows are part of the program, and a test reads all.
    pub fn parse(opcode: &str, operands: &str, attributes: &str) -> Self {
        let mut p = Pattern {
            map: 0,
            vex: false,
            opcode: 0,
            plus_r: false,
            plus_cc: false,
            prefix: Prefix::Any,
            digit: None,
            exact: None,
            w: None,
            l: None,
            mem: false,
            reg: false,
            modrm: false,
            i64: false,
            o64: false,
            f64: false,
            d64: false,
            lock: false,
            prot: false,
            anymod: false,
            byte_reg: false,
            byte_rm: false,
            vvvv: false,
            imms: [None; 2],
        };
        p.opcode_column(opcode);
        let mut imms = 0;
        for operand in operands.split(',').map(str::trim).filter(|o| !o.is_empty()) {
            p.operand(operand, &mut imms);
        }
        for attribute in attributes.split_whitespace() {
            match attribute {
                "lock" => p.lock = true,
                "m" => p.mem = true,
                "r" => p.reg = true,
                "i64" => p.i64 = true,
                "o64" => p.o64 = true,
                "f64" => p.f64 = true,
                "d64" => p.d64 = true,
                "prot" => p.prot = true,
                "anymod" => p.anymod = true,
                "modrm" => p.modrm = true,
                other => panic!("{opcode}: no such attribute: {other}"),
            }
        }
        p.modrm |= p.digit.is_some() || p.exact.is_some();
        p
    }

    /// How many opcodes the row has.
    pub fn opcodes(&self) -> u8 {
        match (self.plus_r, self.plus_cc) {
            (true, _) => 8,
            (_, true) => 16,
            _ => 1,
        }
    }

    fn opcode_column(&mut self, opcode: &str) {
        let mut bytes = 0;
        for token in opcode.split_whitespace() {
            match token {
                "NP" => self.prefix = Prefix::None,
                "NR" => self.prefix = Prefix::NoRep,
                // Behind an escape or VEX these are opcodes.
                "66" if self.map == 0 && bytes == 0 => self.prefix = Prefix::P66,
                "F2" if self.map == 0 && bytes == 0 => self.prefix = Prefix::F2,
                "F3" if self.map == 0 && bytes == 0 => self.prefix = Prefix::F3,
                "W0" => self.w = Some(false),
                "W1" => self.w = Some(true),
                "/r" => self.modrm = true,
                "0F" if bytes == 0 && self.map == 0 => self.map = 1,
                "38" if bytes == 0 && self.map == 1 && !self.vex => self.map = 2,
                "3A" if bytes == 0 && self.map == 1 && !self.vex => self.map = 3,
                _ if token.starts_with('/') => self.digit = token[1..].parse().ok().filter(|&d: &u8| d < 8),
                _ if token.starts_with("VEX.") => self.vex_column(token),
                _ => {
                    let (hex, plus) = token.split_once('+').unwrap_or((token, ""));
                    let byte =
                        u8::from_str_radix(hex, 16).unwrap_or_else(|_| panic!("{opcode}: no byte: {token}"));
                    match bytes {
                        0 => (self.opcode, self.plus_r, self.plus_cc) = (byte, plus == "r", plus == "cc"),
                        1 => self.exact = Some((byte, if plus == "i" { 0xF8 } else { 0xFF })),
                        _ => panic!("{opcode}: too many bytes"),
                    }
                    bytes += 1;
                }
            }
        }
        assert!(bytes > 0, "{opcode}: no opcode byte");
    }

    fn vex_column(&mut self, token: &str) {
        (self.vex, self.prefix) = (true, Prefix::None);
        for part in token.split('.').skip(1) {
            match part {
                "128" | "L0" | "LZ" => self.l = Some(false),
                "256" | "L1" => self.l = Some(true),
                "LIG" | "WIG" | "NP" => {}
                "66" => self.prefix = Prefix::P66,
                "F2" => self.prefix = Prefix::F2,
                "F3" => self.prefix = Prefix::F3,
                "0F" => self.map = 1,
                "0F38" => self.map = 2,
                "0F3A" => self.map = 3,
                "W0" => self.w = Some(false),
                "W1" => self.w = Some(true),
                other => panic!("{token}: no such field: {other}"),
            }
        }
    }

    fn operand(&mut self, operand: &str, imms: &mut usize) {
        let imm = match operand {
            "Ib" | "Jb" | "Lx" => Some(Imm::Byte),
            "Iw" => Some(Imm::Word),
            "Iz" => Some(Imm::Z),
            "Iv" => Some(Imm::V),
            "Jz" => Some(Imm::Jz),
            "Ap" => Some(Imm::Far),
            "Ob" | "Ov" => Some(Imm::Moffs),
            _ => None,
        };
        if imm.is_some() {
            self.imms[*imms] = imm;
            *imms += 1;
            return;
        }
        let mut letters = operand.chars();
        let (kind, size) = (letters.next(), letters.next());
        // Named registers (AL, eAX, CL, DX) have an upper case second letter or none, and nothing in the encoding.
        if size.is_none_or(|c| !c.is_ascii_lowercase()) {
            return;
        }
        match kind {
            Some('E' | 'M' | 'R' | 'W' | 'Q' | 'U' | 'N') => {
                self.modrm = true;
                self.byte_rm |= kind == Some('E') && operand == "Eb";
                self.mem |= kind == Some('M');
                self.reg |= matches!(kind, Some('U' | 'N'));
            }
            Some('G' | 'V' | 'P' | 'S' | 'C' | 'D') => {
                self.modrm = true;
                self.byte_reg |= operand == "Gb";
            }
            // A register in the opcode.
            Some('Z') => self.byte_reg |= operand == "Zb",
            Some('H' | 'B') => self.vvvv = true,
            // Operands that nothing encodes.
            Some('X' | 'Y' | 'F' | 'e' | 'r') => {}
            _ => panic!("no such operand: {operand}"),
        }
    }
}

/// How semantics are chosen for an instruction, as a function from the instruction to the semantics compiled for it.
/// `plain f`: one for all. `v f`: by operand size. `y f`: likewise, but 32 bits instead of 16; `z f`: 32
/// instead of 64. `rm f`: by memory or register operand. `v rm f`, `b rm f`: both. `cc f`, `rm cc f`: also by the condition
/// in the opcode. What
/// stands in angle brackets follows the width and the place among the type arguments.
#[macro_export]
macro_rules! choose {
    ($E:ident, plain $f:ident $(<$($t:ty),*>)?) => { |_| $crate::step!($E, $f::<$E $(, $($t),*)?>) };
    ($E:ident, b $f:ident $(<$($t:ty),*>)?) => { |_| $crate::step!($E, $f::<$E, $crate::width::W8 $(, $($t),*)?>) };
    ($E:ident, cc $f:ident) => { |i| $crate::choose!(@cc $E, i, $f, $E) };
    ($E:ident, rm cc $f:ident) => {
        |i| if i.is_mem() {
            $crate::choose!(@cc $E, i, $f, $E, $crate::x86::emit::Mem)
        } else {
            $crate::choose!(@cc $E, i, $f, $E, $crate::x86::emit::Reg)
        }
    };
    (@cc $E:ident, $i:ident, $f:ident, $($t:ty),*) => {
        match $i.cc() {
            0 => $crate::step!($E, $f::<$($t),*, 0>),
            1 => $crate::step!($E, $f::<$($t),*, 1>),
            2 => $crate::step!($E, $f::<$($t),*, 2>),
            3 => $crate::step!($E, $f::<$($t),*, 3>),
            4 => $crate::step!($E, $f::<$($t),*, 4>),
            5 => $crate::step!($E, $f::<$($t),*, 5>),
            6 => $crate::step!($E, $f::<$($t),*, 6>),
            7 => $crate::step!($E, $f::<$($t),*, 7>),
            8 => $crate::step!($E, $f::<$($t),*, 8>),
            9 => $crate::step!($E, $f::<$($t),*, 9>),
            10 => $crate::step!($E, $f::<$($t),*, 10>),
            11 => $crate::step!($E, $f::<$($t),*, 11>),
            12 => $crate::step!($E, $f::<$($t),*, 12>),
            13 => $crate::step!($E, $f::<$($t),*, 13>),
            14 => $crate::step!($E, $f::<$($t),*, 14>),
            _ => $crate::step!($E, $f::<$($t),*, 15>),
        }
    };
    ($E:ident, v $f:ident $(<$($t:ty),*>)?) => {
        |i| match i.osize() {
            1 => $crate::step!($E, $f::<$E, $crate::width::W16 $(, $($t),*)?>),
            2 => $crate::step!($E, $f::<$E, $crate::width::W32 $(, $($t),*)?>),
            _ => $crate::step!($E, $f::<$E, $crate::width::W64 $(, $($t),*)?>),
        }
    };
    // Division: the width, twice the width, and 64 bits on their own.
    ($E:ident, div_v div<$S:ty>) => {
        |i| match (i.osize(), i.is_mem()) {
            (1, false) => $crate::step!($E, div::<$E, $crate::width::W16, $crate::width::W32, $crate::x86::emit::Reg, $S>),
            (1, true) => $crate::step!($E, div::<$E, $crate::width::W16, $crate::width::W32, $crate::x86::emit::Mem, $S>),
            (2, false) => $crate::step!($E, div::<$E, $crate::width::W32, $crate::width::W64, $crate::x86::emit::Reg, $S>),
            (2, true) => $crate::step!($E, div::<$E, $crate::width::W32, $crate::width::W64, $crate::x86::emit::Mem, $S>),
            (_, false) => $crate::step!($E, div_64::<$E, $crate::x86::emit::Reg, $S>),
            (_, true) => $crate::step!($E, div_64::<$E, $crate::x86::emit::Mem, $S>),
        }
    };
    ($E:ident, y $f:ident $(<$($t:ty),*>)?) => {
        |i| match i.osize() {
            3 => $crate::step!($E, $f::<$E, $crate::width::W64 $(, $($t),*)?>),
            _ => $crate::step!($E, $f::<$E, $crate::width::W32 $(, $($t),*)?>),
        }
    };
    ($E:ident, z $f:ident $(<$($t:ty),*>)?) => {
        |i| match i.osize() {
            1 => $crate::step!($E, $f::<$E, $crate::width::W16 $(, $($t),*)?>),
            _ => $crate::step!($E, $f::<$E, $crate::width::W32 $(, $($t),*)?>),
        }
    };
    ($E:ident, y rm $f:ident $(<$($t:ty),*>)?) => {
        |i| match (i.osize(), i.is_mem()) {
            (3, false) => $crate::step!($E, $f::<$E, $crate::width::W64, $crate::x86::emit::Reg $(, $($t),*)?>),
            (3, true) => $crate::step!($E, $f::<$E, $crate::width::W64, $crate::x86::emit::Mem $(, $($t),*)?>),
            (_, false) => $crate::step!($E, $f::<$E, $crate::width::W32, $crate::x86::emit::Reg $(, $($t),*)?>),
            (_, true) => $crate::step!($E, $f::<$E, $crate::width::W32, $crate::x86::emit::Mem $(, $($t),*)?>),
        }
    };
    ($E:ident, rm $f:ident $(<$($t:ty),*>)?) => {
        |i| if i.is_mem() { $crate::step!($E, $f::<$E, $crate::x86::emit::Mem $(, $($t),*)?>) } else { $crate::step!($E, $f::<$E, $crate::x86::emit::Reg $(, $($t),*)?>) }
    };
    ($E:ident, b rm $f:ident $(<$($t:ty),*>)?) => {
        |i| if i.is_mem() {
            $crate::step!($E, $f::<$E, $crate::width::W8, $crate::x86::emit::Mem $(, $($t),*)?>)
        } else {
            $crate::step!($E, $f::<$E, $crate::width::W8, $crate::x86::emit::Reg $(, $($t),*)?>)
        }
    };
    ($E:ident, v rm $f:ident $(<$($t:ty),*>)?) => {
        |i| match (i.osize(), i.is_mem()) {
            (1, false) => $crate::step!($E, $f::<$E, $crate::width::W16, $crate::x86::emit::Reg $(, $($t),*)?>),
            (1, true) => $crate::step!($E, $f::<$E, $crate::width::W16, $crate::x86::emit::Mem $(, $($t),*)?>),
            (2, false) => $crate::step!($E, $f::<$E, $crate::width::W32, $crate::x86::emit::Reg $(, $($t),*)?>),
            (2, true) => $crate::step!($E, $f::<$E, $crate::width::W32, $crate::x86::emit::Mem $(, $($t),*)?>),
            (_, false) => $crate::step!($E, $f::<$E, $crate::width::W64, $crate::x86::emit::Reg $(, $($t),*)?>),
            (_, true) => $crate::step!($E, $f::<$E, $crate::width::W64, $crate::x86::emit::Mem $(, $($t),*)?>),
        }
    };
}

/// Makes `fn rows<E>() -> Vec<Row<E>>` from rows of the form
/// `"MNEMONIC" "opcode" "operands" "attributes" [if FEATURES] => [how semantics <types>];`, see [`crate::choose`].
#[macro_export]
macro_rules! x86_rows {
    ($( $name:literal $opcode:literal $operands:literal $attributes:literal $(if $feature:expr)? => [$($how:tt)*]; )*) => {
        /// The rows of this chapter.
        pub fn rows<E: $crate::x86::emit::X86>() -> Vec<$crate::x86::table::Row<E>> {
            vec![$( $crate::x86::table::Row {
                name: $name,
                opcode: $opcode,
                operands: $operands,
                attributes: $attributes,
                features: 0 $(| $feature)?,
                choose: $crate::choose!(E, $($how)*),
                pattern: $crate::x86::table::Pattern::parse($opcode, $operands, $attributes),
            } ),*]
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_prefix_elsewhere_is_an_opcode_behind_an_escape() {
        let p = Pattern::parse("0F 66", "Pq,Qq", "");
        assert_eq!((p.map, p.opcode, p.prefix), (1, 0x66, Prefix::Any));
        let p = Pattern::parse("VEX.LZ.F3.0F38 F2", "Gy,By,Ey", "");
        assert_eq!((p.map, p.opcode, p.prefix, p.vex), (2, 0xF2, Prefix::F3, true));
        let p = Pattern::parse("D8 F2", "", "");
        assert_eq!((p.map, p.opcode, p.exact), (0, 0xD8, Some((0xF2, 0xFF))));
        let p = Pattern::parse("F3 0F 38 F6", "Gy,Ey", "");
        assert_eq!((p.map, p.opcode, p.prefix), (2, 0xF6, Prefix::F3));
    }
}
