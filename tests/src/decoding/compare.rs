//! One byte string in both decoders.

use super::policy;
use iced_x86::{Code, CodeSize, Decoder, DecoderOptions, Instruction, OpKind, Register};
use lyrebird_cpu::emit::Cx;
use lyrebird_cpu::x86::decode::Decoded;
use lyrebird_cpu::x86::insn::{HIGH_BYTE, Insn, NO_REG, seg};
use lyrebird_cpu::x86::isa;
use lyrebird_cpu::x86::table::Pattern;

/// Where the instruction is: branches are relative.
const IP: u64 = 0x1000;

/// How they differ.
#[derive(Debug)]
pub struct Difference {
    /// What it is about, the same for all of a kind.
    pub kind: String,
    /// What both say.
    pub text: String,
}

/// Compares; `None` if they agree, or differ as policy says.
pub fn compare(bytes: &[u8; 15], bits: u32, mode: u32) -> Option<Difference> {
    let mut theirs = Instruction::default();
    let mut decoder = Decoder::with_ip(bits, bytes, IP, DecoderOptions::NONE);
    decoder.decode_out(&mut theirs);
    let table = isa::interp_table();
    let ours = table.decode(bytes, Cx { mode, features: u64::MAX });
    let valid = theirs.code() != Code::INVALID;
    let row = |n: usize| &table.rows()[n];
    let differ = |kind: String, text: String| Some(Difference { kind, text });
    match ours {
        // Too few bytes are too many for one instruction, or iced knows none.
        None | Some(Decoded::TooLong(_)) if !valid => None,
        None | Some(Decoded::TooLong(_)) => {
            if policy::missing(&theirs).is_some() {
                return None;
            }
            differ(format!("only iced has {:?}", theirs.code()), format!("{ours:?}"))
        }
        Some(Decoded::Undefined(_)) if !valid => None,
        Some(Decoded::Undefined(_)) => {
            if policy::missing(&theirs).is_some() {
                return None;
            }
            differ(format!("only iced has {:?}", theirs.code()), theirs.to_string())
        }
        Some(Decoded::Row(n, i)) => {
            let row = row(n);
            let name = format!("{} {}", row.name, row.opcode);
            if !valid {
                return policy::ours(row.name, row.opcode, &i)
                    .is_none()
                    .then(|| Difference { kind: format!("only we have {name}"), text: format!("{i:x?}") });
            }
            if policy::missing(&theirs).is_some() || policy::reordered(row.name, &row.pattern) {
                return None;
            }
            if i.len() as usize != theirs.len() {
                return differ(
                    format!("length of {name}"),
                    format!("{theirs}: {} not {}", i.len(), theirs.len()),
                );
            }
            let what = operands(&row.pattern, row.operands, &i, &theirs)?;
            differ(format!("{name}: {what}"), format!("{theirs}; {i:x?}"))
        }
    }
}

/// Our number of a register.
fn number(r: Register) -> u8 {
    match r {
        Register::AH => HIGH_BYTE,
        Register::CH => HIGH_BYTE + 1,
        Register::DH => HIGH_BYTE + 2,
        Register::BH => HIGH_BYTE + 3,
        Register::None | Register::RIP | Register::EIP => NO_REG,
        // SPL follows BH there.
        _ if r.is_gpr8() && r.number() >= 8 => r.number() as u8 - 4,
        _ => r.number() as u8,
    }
}

/// What of the operands differs.
fn operands(p: &Pattern, letters: &str, i: &Insn, theirs: &Instruction) -> Option<&'static str> {
    let letters: Vec<_> = letters.split(',').map(str::trim).filter(|l| !l.is_empty()).collect();
    let count = theirs.op_count() as usize;
    for op in 0..count {
        let letter = if letters.len() == count { letters[op] } else { "" };
        let wrong = match theirs.op_kind(op as u32) {
            OpKind::Register => register(p, letter, i, theirs.op_register(op as u32)),
            OpKind::Memory if letter.starts_with('O') => offset(i, theirs),
            OpKind::Memory if p.modrm => memory(i, theirs),
            OpKind::MemorySegSI | OpKind::MemorySegESI | OpKind::MemorySegRSI => {
                segment(i, theirs).then_some("segment")
            }
            OpKind::NearBranch16 => (branch(i) & 0xFFFF != theirs.near_branch16() as u64).then_some("target"),
            OpKind::NearBranch32 => {
                (branch(i) & 0xFFFF_FFFF != theirs.near_branch32() as u64).then_some("target")
            }
            OpKind::NearBranch64 => (branch(i) != theirs.near_branch64()).then_some("target"),
            OpKind::FarBranch16 => (i.imm() as u16 != theirs.far_branch16()
                || i.disp() as u16 != theirs.far_branch_selector())
            .then_some("far pointer"),
            OpKind::FarBranch32 => (i.imm() as u32 != theirs.far_branch32()
                || i.disp() as u16 != theirs.far_branch_selector())
            .then_some("far pointer"),
            kind => immediate(p, i, theirs, op as u32, kind),
        };
        if wrong.is_some() {
            return wrong;
        }
    }
    None
}

fn branch(i: &Insn) -> u64 {
    IP.wrapping_add(i.len() as u64).wrapping_add(i.simm())
}

fn register(p: &Pattern, letter: &str, i: &Insn, theirs: Register) -> Option<&'static str> {
    let mut letters = letter.chars();
    let (kind, lower) = (letters.next(), letters.next().is_some_and(|c| c.is_ascii_lowercase()));
    let ours = match kind {
        Some('G' | 'V' | 'P' | 'S' | 'C' | 'D' | 'Z') if lower => i.reg(),
        Some('E' | 'W' | 'Q' | 'R' | 'U' | 'N' | 'M') if lower => i.rm(),
        Some('H' | 'B') if lower && p.vex => i.vvvv(),
        _ => return None,
    };
    // Some registers have eight numbers only, whatever REX says.
    let eight = theirs.is_mm() || theirs.is_segment_register();
    (number(theirs) != if eight { ours & 7 } else { ours }).then_some("register")
}

/// Segments differ. In 64-bit mode all but FS and GS are one.
fn segment(i: &Insn, theirs: &Instruction) -> bool {
    let theirs_segment = theirs.memory_segment().number() as u8;
    let plain = theirs.code_size() == CodeSize::Code64 && theirs_segment < seg::FS && i.seg() < seg::FS;
    theirs_segment != i.seg() && !plain
}

fn offset(i: &Insn, theirs: &Instruction) -> Option<&'static str> {
    let mask = u64::MAX >> (64 - (8 << i.asize()));
    if segment(i, theirs) {
        return Some("segment");
    }
    (i.imm64() & mask != theirs.memory_displacement64() & mask).then_some("offset")
}

fn memory(i: &Insn, theirs: &Instruction) -> Option<&'static str> {
    if !i.is_mem() {
        return Some("memory operand");
    }
    let (base, index) = (theirs.memory_base(), theirs.memory_index());
    let mask = u64::MAX >> (64 - (8 << i.asize()));
    if i.is_relative() != theirs.is_ip_rel_memory_operand() {
        return Some("relative address");
    }
    if i.is_relative() {
        let to = IP.wrapping_add(i.len() as u64).wrapping_add_signed(i.disp() as i64) & mask;
        return (to != theirs.ip_rel_memory_address()).then_some("relative address");
    }
    if number(base) != i.rm() {
        return Some("base");
    }
    // In a vector SIB the encoding that means "no index" elsewhere is register 4.
    let vector = index.is_xmm() || index.is_ymm();
    let ours = if vector && i.index() == NO_REG { 4 } else { i.index() };
    if number(index) != ours {
        return Some("index");
    }
    if index != Register::None && theirs.memory_index_scale() != 1 << i.scale() {
        return Some("scale");
    }
    if i.disp() as i64 as u64 & mask != theirs.memory_displacement64() & mask {
        return Some("displacement");
    }
    segment(i, theirs).then_some("segment")
}

fn immediate(p: &Pattern, i: &Insn, theirs: &Instruction, op: u32, kind: OpKind) -> Option<&'static str> {
    let (bits, second) = match kind {
        OpKind::Immediate8 => (8, false),
        OpKind::Immediate8_2nd => (8, true),
        OpKind::Immediate16 | OpKind::Immediate8to16 => (16, false),
        OpKind::Immediate32 | OpKind::Immediate8to32 => (32, false),
        OpKind::Immediate64 | OpKind::Immediate8to64 | OpKind::Immediate32to64 => (64, false),
        _ => return None,
    };
    // An operand that nothing encodes: the 1 of shifts, the 3 of INT3.
    p.imms[0]?;
    let ours = match kind {
        _ if second => i.disp() as u64,
        OpKind::Immediate64 => i.imm64(),
        _ => i.simm(),
    };
    let mask = u64::MAX >> (64 - bits);
    (ours & mask != theirs.immediate(op) & mask).then_some("immediate")
}
