//! What an instruction did, as differences between two states.

use super::record::{FLAGS, GENERAL, MEMORY, PATH, State, XSAVE};
use serde::{Deserialize, Serialize};

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// A general register.
    Gpr(u8, u64),
    /// RFLAGS.
    Flags(u32),
    /// It branched.
    Jump,
    /// Bytes of the memory window from an offset on.
    Memory(u8, Vec<u8>),
    /// x87's control word.
    Fcw(u16),
    /// x87's status word.
    Fsw(u16),
    /// x87's tags.
    Ftw(u8),
    /// MXCSR.
    Mxcsr(u32),
    /// An x87 register: significand, sign and exponent.
    Fpr(u8, u64, u16),
    /// The low half of a vector register.
    Xmm(u8, [u8; 16]),
    /// Its high half.
    Ymm(u8, [u8; 16]),
    /// The high half became zero.
    YmmZero(u8),
}

/// The changes between two states. Flags that are not in `defined` are as before.
pub fn between(before: &State, after: &State, defined: u32) -> Vec<Change> {
    let mut all = Vec::new();
    for n in GENERAL {
        if before.gpr(n) != after.gpr(n) {
            all.push(Change::Gpr(n, after.gpr(n)));
        }
    }
    let flags = before.flags() & !defined | after.flags() & defined;
    if before.flags() != flags {
        all.push(Change::Flags(flags));
    }
    if after.u8_at(PATH) == 0 {
        all.push(Change::Jump);
    }
    let (a, b) = (before.memory(), after.memory());
    let differs = |n: &usize| a[*n] != b[*n];
    if let (Some(first), Some(last)) = ((0..a.len()).find(differs), (0..a.len()).rev().find(differs)) {
        all.push(Change::Memory(first as u8, b[first..=last].to_vec()));
    }
    if before.fcw() != after.fcw() {
        all.push(Change::Fcw(after.fcw()));
    }
    if before.fsw() != after.fsw() {
        all.push(Change::Fsw(after.fsw()));
    }
    if before.ftw() != after.ftw() {
        all.push(Change::Ftw(after.ftw()));
    }
    if before.mxcsr() != after.mxcsr() {
        all.push(Change::Mxcsr(after.mxcsr()));
    }
    for n in 0..8 {
        let v = after.fpr(n);
        if before.fpr(n) != v {
            all.push(Change::Fpr(n, v as u64, (v >> 64) as u16));
        }
    }
    for n in 0..16 {
        if before.u128_at(State::xmm(n)) != after.u128_at(State::xmm(n)) {
            all.push(Change::Xmm(n, after.u128_at(State::xmm(n)).to_le_bytes()));
        }
        let high = after.u128_at(State::ymm(n));
        if before.u128_at(State::ymm(n)) != high {
            all.push(if high == 0 { Change::YmmZero(n) } else { Change::Ymm(n, high.to_le_bytes()) });
        }
    }
    all
}

/// The state after some changes.
pub fn apply(before: &State, changes: &[Change]) -> State {
    let mut s = before.clone();
    s.set_u8(PATH, 1);
    // Registers of x87 are numbered from the top of the stack in a record, so the status word goes first.
    let fprs: Vec<u128> = (0..8).map(|n| before.fpr(n)).collect();
    for change in changes {
        if let Change::Fsw(v) = change {
            s.set_u16(XSAVE + 2, *v);
            fprs.iter().enumerate().for_each(|(n, v)| s.set_fpr(n as u8, *v));
        }
    }
    for change in changes {
        match change {
            Change::Gpr(n, v) => s.set_u64(8 * *n as usize, *v),
            Change::Flags(v) => s.set_u32(FLAGS, *v),
            Change::Jump => s.set_u8(PATH, 0),
            Change::Memory(at, bytes) => s.bytes(MEMORY + *at as usize, bytes),
            Change::Fcw(v) => s.set_u16(XSAVE, *v),
            Change::Fsw(_) => {}
            Change::Ftw(v) => s.set_u8(XSAVE + 4, *v),
            Change::Mxcsr(v) => s.set_u32(XSAVE + 24, *v),
            Change::Fpr(n, low, high) => s.set_fpr(*n, (*high as u128) << 64 | *low as u128),
            Change::Xmm(n, v) => s.bytes(State::xmm(*n & 15), v),
            Change::Ymm(n, v) => s.bytes(State::ymm(*n & 15), v),
            Change::YmmZero(n) => s.set_u128(State::ymm(*n & 15), 0),
        }
    }
    s
}

/// The names of general registers.
const NAMES: [&str; 16] = [
    "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
    "r15",
];

/// All fields of a state and their values, for people and for comparisons.
pub fn fields(s: &State, defined: u32) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> =
        GENERAL.iter().map(|&n| (NAMES[n as usize].to_owned(), format!("{:x}", s.gpr(n)))).collect();
    let mut put = |name: &str, value: String| all.push((name.to_owned(), value));
    put("flags", format!("{:x}", s.flags() & defined));
    put("path", if s.u8_at(PATH) == 0 { "jump".into() } else { "next".into() });
    put("fcw", format!("{:x}", s.fcw()));
    put("fsw", format!("{:x}", s.fsw()));
    put("ftw", format!("{:x}", s.ftw()));
    put("mxcsr", format!("{:x}", s.mxcsr()));
    for n in 0..8 {
        put(&format!("fpr{n}"), format!("{:020x}", s.fpr(n)));
    }
    for n in 0..16 {
        let (high, low) = (s.u128_at(State::ymm(n)), s.u128_at(State::xmm(n)));
        put(&format!("ymm{n}"), format!("{high:032x}_{low:032x}"));
    }
    for (n, chunk) in s.memory().chunks(16).enumerate() {
        let hex: String = chunk.iter().map(|b| format!("{b:02x}")).collect();
        put(&format!("[{:02x}]", 16 * n), hex);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_lead_from_one_state_to_the_other() {
        let mut before = State::zero();
        before.set_u16(XSAVE + 2, 3 << 11);
        before.set_fpr(2, 77);
        let mut after = before.clone();
        after.set_u64(8 * 5, 9);
        after.set_u32(FLAGS, 0x8D5);
        after.bytes(MEMORY + 7, &[1, 0, 2]);
        // A push: register 2 is the new top.
        after.set_u16(XSAVE + 2, 2 << 11);
        (0..8).for_each(|n| after.set_fpr(n, before.fpr(n)));
        after.set_fpr(2, 0x3FFF_8000_0000_0000_0000);
        after.set_u128(State::xmm(3), 5);
        after.set_u128(State::ymm(3), 6);
        let changes = between(&before, &after, 0x8D5);
        // PATH is zero in both: a jump.
        assert_eq!(changes.len(), 8, "{changes:?}");
        assert_eq!(apply(&before, &changes), after);
        assert_eq!(between(&before, &after, 1)[1], Change::Flags(1));
    }
}
