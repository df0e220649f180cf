//! Instructions of a row, as bytes: register and memory forms, lengths, operand sizes, conditions; and what states they
//! need.

use super::record::{PAD, WINDOW};
use lyrebird_cpu::emit::Emitter;
use lyrebird_cpu::x86::table::{Imm, Prefix, Row};

/// What a state must have for an instruction to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Nothing.
    Plain,
    /// Places that a branch may go to.
    Branch,
    /// A frame.
    Stack,
    /// Source, destination, count.
    Text,
    /// A table.
    Translate,
    /// Operands whose quotient fits.
    Divide,
    /// Small indices.
    Gather,
    /// A word that MXCSR can hold.
    Mxcsr,
}

impl Shape {
    /// All of them, by number.
    pub const ALL: [Self; 8] = [
        Self::Plain,
        Self::Branch,
        Self::Stack,
        Self::Text,
        Self::Translate,
        Self::Divide,
        Self::Gather,
        Self::Mxcsr,
    ];
}

/// The shape of a row's states.
pub fn shape<E: Emitter>(chapter: &str, row: &Row<E>) -> Shape {
    match (chapter, row.name) {
        ("branch", _) => Shape::Branch,
        ("stack", _) => Shape::Stack,
        ("string", _) | (_, "MASKMOVQ" | "MASKMOVDQU" | "VMASKMOVDQU") => Shape::Text,
        (_, "XLAT") => Shape::Translate,
        (_, "DIV" | "IDIV") => Shape::Divide,
        (_, "LDMXCSR" | "VLDMXCSR") => Shape::Mxcsr,
        (_, name) if name.contains("GATHER") => Shape::Gather,
        _ => Shape::Plain,
    }
}

/// Register fields: different registers, none of which the recorder uses. MMX and x87 fields take them modulo 8.
const REG: u8 = 1;
const RM: u8 = 2;
const VVVV: u8 = 3;
/// The base of memory operands.
const BASE: u8 = 13;
/// The index of gathers.
const INDEX: u8 = 4;

/// The encodings of a row in 64-bit mode that are worth a look.
pub fn forms<E: Emitter>(chapter: &str, row: &Row<E>) -> Vec<Vec<u8>> {
    let p = &row.pattern;
    let shape = shape(chapter, row);
    let sized = row.operands.contains(['v', 'z', 'y']) && !p.f64;
    let modrm = p.modrm || p.imms.is_empty();
    let mut all = Vec::new();
    let modes: &[bool] = if !modrm || p.exact.is_some() || p.reg {
        &[false]
    } else if p.mem {
        &[true]
    } else {
        &[false, true]
    };
    let ws: Vec<bool> = match p.w {
        Some(w) => vec![w],
        None if sized => vec![false, true],
        None => vec![false],
    };
    let ls: Vec<bool> = match p.l {
        _ if !p.vex => vec![false],
        Some(l) => vec![l],
        None => vec![false, true],
    };
    let words: &[bool] = if sized && !p.vex && matches!(p.prefix, Prefix::Any | Prefix::NoRep) {
        &[false, true]
    } else {
        &[false]
    };
    let imms: &[u64] = if shape == Shape::Branch {
        // Behind the pad; RET's bytes stay in the window.
        if p.imms[0] == Some(Imm::Word) { &[0, 8, 16] } else { &[PAD] }
    } else if row.name == "ENTER" {
        // Further levels read what is below the window.
        &[0, 1]
    } else if p.imms[0].is_some() {
        &[0, 1, 0x1B, 0x4E, 0x93, 0xE4, 0xFF, 0x38, 0x0F, 0x10, 0x72, 0x8000_0080]
    } else {
        &[0]
    };
    let conditions = if p.plus_cc { 0..16 } else { 0..1 };
    let repeats: &[Option<u8>] = if chapter == "string" { &[None, Some(0xF3), Some(0xF2)] } else { &[None] };
    for &mem in modes {
        for &w in &ws {
            for &l in &ls {
                for &word in words {
                    for &imm in imms {
                        for cc in conditions.clone() {
                            for &repeat in repeats {
                                if !(word && w) {
                                    all.push(form(row, Fields { mem, w, l, word, imm, cc, repeat, shape }));
                                }
                            }
                        }
                    }
                }
            }
        }
    }
    all
}

/// What is chosen of an encoding.
#[derive(Clone, Copy)]
struct Fields {
    mem: bool,
    w: bool,
    l: bool,
    word: bool,
    imm: u64,
    cc: u8,
    repeat: Option<u8>,
    shape: Shape,
}

fn form<E: Emitter>(row: &Row<E>, fields: Fields) -> Vec<u8> {
    let Fields { mem, w, l, word, imm, cc, repeat, shape } = fields;
    let p = &row.pattern;
    let mut b = Vec::new();
    let base = (mem && p.modrm) as u8;
    if p.vex {
        let pp = match p.prefix {
            Prefix::P66 => 1,
            Prefix::F3 => 2,
            Prefix::F2 => 3,
            _ => 0,
        };
        let vvvv = if row.operands.contains('H') || row.operands.contains("By") { VVVV } else { 0 };
        b.extend([0xC4, 0xE0 ^ base << 5 | p.map]);
        b.push((w as u8) << 7 | (!vvvv & 15) << 3 | (l as u8) << 2 | pp);
    } else {
        b.extend(repeat);
        if word {
            b.push(0x66);
        }
        match p.prefix {
            Prefix::P66 => b.push(0x66),
            Prefix::F2 => b.push(0xF2),
            Prefix::F3 => b.push(0xF3),
            _ => {}
        }
        let rex = 0x40 | (w as u8) << 3 | base;
        if rex != 0x40 {
            b.push(rex);
        }
        b.extend(match p.map {
            0 => &[][..],
            1 => &[0x0F],
            2 => &[0x0F, 0x38],
            _ => &[0x0F, 0x3A],
        });
    }
    b.push(p.opcode + if p.plus_r { REG } else { cc });
    if p.modrm {
        let reg = p.digit.unwrap_or(REG);
        match p.exact {
            Some((value, 0xFF)) => b.push(value),
            Some((value, _)) => b.push(value | RM),
            // An index register, which is a vector register.
            None if mem && shape == Shape::Gather => b.extend([0x44 | reg << 3, INDEX << 3 | (BASE & 7), 0]),
            None if mem => b.extend([0x40 | reg << 3 | (BASE & 7), 0]),
            None => b.push(0xC0 | reg << 3 | RM),
        }
    }
    for kind in p.imms.iter().flatten() {
        let bytes = match kind {
            Imm::Byte => 1,
            Imm::Word => 2,
            Imm::V if w => 8,
            Imm::Moffs => 8,
            Imm::Z | Imm::V if word => 2,
            _ => 4,
        };
        let jump = matches!(kind, Imm::Jz) || shape == Shape::Branch;
        let spread = if *kind == Imm::Moffs {
            WINDOW + (imm & 63)
        } else if jump || row.name == "ENTER" {
            imm
        } else {
            imm | imm << 8 | imm << 32
        };
        b.extend(&spread.to_le_bytes()[..bytes]);
    }
    b
}
