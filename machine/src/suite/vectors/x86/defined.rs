//! What a recording says that every processor must do, and what is each processor's own.
//!
//! Flags that the SDM leaves undefined (vol. 1, appendix A, EFLAGS cross-reference; vol. 2, Flags Affected) are masked.
//! So are the digits of transcendental functions beyond the accuracy that vol. 1, 8.3.10 promises, and C1 after
//! comparisons that set EFLAGS, which vol. 2 has cleared and AMD's manual unaffected.

use super::record::{State, XSAVE};
use lyrebird_cpu::emit::Emitter;
use lyrebird_cpu::x86::table::Row;

/// Carry, parity, adjust, zero, sign, overflow.
const ALL: u32 = CF | PF | AF | ZF | SF | OF;
/// Direction.
const DF: u32 = 1 << 10;
const CF: u32 = 1;
const PF: u32 = 1 << 2;
const AF: u32 = 1 << 4;
const ZF: u32 = 1 << 6;
const SF: u32 = 1 << 7;
const OF: u32 = 1 << 11;

/// Mnemonics, and the flags that are undefined after them.
const UNDEFINED: &[(&[&str], u32)] = &[
    (&["AND", "OR", "XOR", "TEST"], AF),
    (&["ANDN", "BLSI", "BLSR", "BLSMSK", "BZHI"], AF | PF),
    (&["BEXTR"], AF | PF | SF),
    (&["MUL", "IMUL"], PF | AF | ZF | SF),
    (&["DIV", "IDIV"], ALL),
    (&["BSF", "BSR"], ALL & !ZF),
    // ZF is unaffected.
    (&["BT", "BTS", "BTR", "BTC"], ALL & !(CF | ZF)),
    // OF is defined after shifts by one only, which the count decides.
    (&["SHL", "SAL", "SHR", "SAR", "SHLD", "SHRD"], AF | OF),
    (&["ROL", "ROR", "RCL", "RCR"], OF),
    (&["LZCNT", "TZCNT"], PF | AF | SF | OF),
];

/// What of EFLAGS is defined after an instruction.
pub fn flags(name: &str) -> u32 {
    let undefined = UNDEFINED.iter().find(|(names, _)| names.contains(&name)).map_or(0, |(_, mask)| *mask);
    (ALL | DF) & !undefined
}

/// Instructions whose last digits are each processor's own.
const TRANSCENDENTAL: &[&str] = &["F2XM1", "FYL2X", "FYL2XP1", "FPTAN", "FPATAN", "FSIN", "FCOS", "FSINCOS"];

/// Takes bits of the recorded status word.
fn same_status(recorded: &State, ours: &mut State, mask: u16) {
    let status = ours.fsw() & !mask | recorded.fsw() & mask;
    ours.set_u16(XSAVE + 2, status);
}

/// Makes alike what may differ in two states: a result's last digits, and what is reported of its rounding.
pub fn excuse(name: &str, before: &State, recorded: &State, ours: &mut State) {
    if name.starts_with("FCOMI") || name.starts_with("FUCOMI") {
        same_status(recorded, ours, 0x200);
    }
    if !TRANSCENDENTAL.contains(&name) {
        return;
    }
    same_status(recorded, ours, 0x82B0);
    let field = before.u16_at(XSAVE + 40) & 0x7FFF;
    // Beyond these the manual leaves the result undefined, or it depends on how π is rounded.
    let outside = match name {
        "F2XM1" => field >= 0x3FFF,
        "FYL2XP1" => field >= 0x3FFD,
        "FPATAN" | "FYL2X" => false,
        _ => field >= 0x4000,
    };
    for at in (0..8).map(|n| XSAVE + 32 + 16 * n) {
        let far = recorded.u64_at(at).abs_diff(ours.u64_at(at));
        let heads = recorded.u16_at(at + 8).abs_diff(ours.u16_at(at + 8));
        if outside || heads == 0 && far <= 2 || heads == 1 && far.wrapping_add(u64::MAX / 2) <= 2 {
            ours.set_u64(at, recorded.u64_at(at));
            ours.set_u16(at + 8, recorded.u16_at(at + 8));
        }
    }
    if outside {
        same_status(recorded, ours, 0x3F);
    }
}

/// Why a row is not recorded; `None` if it is.
pub fn skipped<E: Emitter>(chapter: &str, row: &Row<E>) -> Option<&'static str> {
    const PRIVILEGED: &str = "it needs privilege, leaves the program, or says what differs between machines";
    const POINTERS: &str = "it stores where the last x87 instruction was, which processors keep differently";
    const DIGITS: &str = "the manual bounds the error, and each processor has its own digits";
    if row.pattern.i64 {
        return Some("it does not exist in 64-bit mode");
    }
    Some(match (chapter, row.name) {
        ("system" | "descriptor_tables" | "segments" | "transfer_far" | "port_io", _) => PRIVILEGED,
        ("string", "INS" | "OUTS") => PRIVILEGED,
        ("xsave", _) => "its layout and size are the processor's; cpu/tests/x86_state.rs looks at it",
        (_, "RDRAND" | "RDSEED") => "its result is random",
        (_, "UD0" | "UD1" | "UD2") => "it raises an exception, always",
        (_, "ESC") => "it is for processors without x87",
        (_, "FNSTENV" | "FNSAVE" | "FSTENV" | "FSAVE") => POINTERS,
        (_, name) if name.contains("RCP") || name.contains("RSQRT") => DIGITS,
        _ => return None,
    })
}

/// Whether an encoding of a row is left out although the row is recorded: its result is undefined, or what it touches is
/// outside of the state.
pub fn left_out<E: Emitter>(row: &Row<E>, insn: &[u8]) -> bool {
    match row.name {
        // Counts above 16 of 16 bits (vol. 2, SHLD).
        "SHLD" | "SHRD" => insn.first() == Some(&0x66),
        // A 32-bit register that CMPXCHG leaves alone keeps its upper half on AMD's processors.
        "CMPXCHG" => insn == [0x0F, 0xB1, 0xCA],
        // Bits far away from the operand.
        "BT" | "BTS" | "BTR" | "BTC" => row.operands.contains('G') && !insn.ends_with(&[0xCA]),
        _ => false,
    }
}
