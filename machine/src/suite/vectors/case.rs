//! What an instruction did, as differences between two states.

use super::{CODE, State};
use serde::{Deserialize, Serialize};

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// A general register; 31 is the stack pointer.
    X(u8, u64),
    /// A vector register.
    V(u8, u128),
    /// The low half of a vector register, whose high half became zero.
    D(u8, u64),
    /// The program counter, where it is not the next instruction.
    Pc(u64),
    /// NZCV in bits 3 to 0.
    Nzcv(u8),
    /// FPSR.
    Fpsr(u32),
    /// FPCR.
    Fpcr(u32),
    /// Bytes of memory from an offset in the window on.
    Memory(u16, Vec<u8>),
}

/// What became of an instruction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It is undefined.
    Undefined,
    /// It was executed, with these changes.
    Done(Vec<Change>),
}

impl Change {
    /// The field, and its value.
    pub fn shown(&self) -> (String, String) {
        match self {
            Change::X(31, x) => ("SP".into(), format!("{x:x}")),
            Change::X(i, x) => (format!("X{i}"), format!("{x:x}")),
            Change::V(i, x) => (format!("V{i}"), format!("{x:032x}")),
            Change::D(i, x) => (format!("V{i}"), format!("{x:x}")),
            Change::Pc(x) => ("PC".into(), format!("{x:x}")),
            Change::Nzcv(x) => ("NZCV".into(), format!("{x:04b}")),
            Change::Fpsr(x) => ("FPSR".into(), format!("{x:x}")),
            Change::Fpcr(x) => ("FPCR".into(), format!("{x:x}")),
            Change::Memory(at, bytes) => (format!("[{at:x}]"), format!("{bytes:02x?}")),
        }
    }
}

impl Outcome {
    /// The changes as fields and values.
    pub fn changes(&self) -> Vec<(String, String)> {
        match self {
            Outcome::Undefined => Vec::new(),
            Outcome::Done(changes) => changes.iter().map(Change::shown).collect(),
        }
    }

    /// What was done between two states.
    pub fn between(before: &State, after: &State) -> Self {
        let mut changes = Vec::new();
        for (i, (a, b)) in before.x.iter().zip(&after.x).enumerate() {
            if a != b {
                changes.push(Change::X(i as u8, *b));
            }
        }
        if before.sp != after.sp {
            changes.push(Change::X(31, after.sp));
        }
        for (i, (a, b)) in before.v.iter().zip(&after.v).enumerate() {
            if a != b {
                let low = *b as u64;
                changes.push(if *b >> 64 == 0 { Change::D(i as u8, low) } else { Change::V(i as u8, *b) });
            }
        }
        if after.pc != CODE + 4 {
            changes.push(Change::Pc(after.pc));
        }
        if before.nzcv != after.nzcv {
            changes.push(Change::Nzcv((after.nzcv >> 28) as u8));
        }
        if before.fpsr != after.fpsr {
            changes.push(Change::Fpsr(after.fpsr));
        }
        if before.fpcr != after.fpcr {
            changes.push(Change::Fpcr(after.fpcr));
        }
        let differs = |i: &usize| before.memory[*i] != after.memory[*i];
        let all = 0..before.memory.len();
        if let (Some(first), Some(last)) = (all.clone().find(differs), all.rev().find(differs)) {
            changes.push(Change::Memory(first as u16, after.memory[first..=last].to_vec()));
        }
        Outcome::Done(changes)
    }
}
