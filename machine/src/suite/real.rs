//! A processor in real mode with 16 MiB of RAM and nothing else, on which tests run.

use super::bare::{NoBoard, Ram};
use super::engine::Engine;
use super::test::{Registers, State, Test, reg};
use super::tester::Difference;
use crate::config::EngineKind;
use anyhow::{Context, Result};
use lyrebird_cpu::code::CodeMap;
use lyrebird_cpu::core::Core;
use lyrebird_cpu::x86::insn::seg;
use lyrebird_cpu::x86::{X64, eflags, features, model, segment, state};
use lyrebird_ram::GuestRam;
use std::fmt;
use std::sync::Arc;

const BYTES: u64 = 16 << 20;
/// The HLT that follows each instruction.
const HLT: u8 = 0xF4;
/// A test that does not halt after so many instructions never will.
const MOST: u32 = 100_000;
/// Bits 15:12 of FLAGS mean nothing in real mode.
const REAL_FLAGS: u32 = 0x0FFF;

/// The general registers in the order of their numbers.
const GENERAL: [usize; 8] = [reg::AX, reg::CX, reg::DX, reg::BX, reg::SP, reg::BP, reg::SI, reg::DI];
/// The segment registers.
const SEGMENTS: [(usize, u8); 6] = [
    (reg::ES, seg::ES),
    (reg::CS, seg::CS),
    (reg::SS, seg::SS),
    (reg::DS, seg::DS),
    (reg::FS, seg::FS),
    (reg::GS, seg::GS),
];

/// The processor.
pub struct Real {
    core: Core<X64>,
    what: model::Configured,
    engine: Engine<X64>,
    /// An instruction is followed by HLT, which ends the test.
    halts: bool,
}

/// A test that went wrong.
#[derive(Clone, Debug)]
pub struct Wrong {
    /// What differs.
    pub differs: Vec<Mismatch>,
    /// Registers and the memory that the test names, afterwards.
    pub after: State,
}

/// How a test went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// A register: its name, what it should hold, what it holds.
    Register(&'static str, u32, u32),
    /// A byte of memory: likewise.
    Memory(u32, u8, u8),
    /// It did not end.
    Endless,
}

impl Mismatch {
    /// The field, what it should hold, and what it holds.
    pub fn fields(&self) -> Difference {
        let (field, want, got) = match *self {
            Mismatch::Register(name, want, got) => {
                (name.to_owned(), format!("{want:04x}"), format!("{got:04x}"))
            }
            Mismatch::Memory(at, want, got) => {
                (format!("byte {at:06x}"), format!("{want:02x}"), format!("{got:02x}"))
            }
            Mismatch::Endless => ("end".into(), "behind the instruction".into(), "none".into()),
        };
        Difference { field, want, got }
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Mismatch::Register(name, want, got) => write!(f, "{name} is {got:04x}, not {want:04x}"),
            Mismatch::Memory(at, want, got) => write!(f, "byte {at:06x} is {got:02x}, not {want:02x}"),
            Mismatch::Endless => write!(f, "it does not end"),
        }
    }
}

impl Real {
    /// A processor of a model. The tests of the 8086 end behind the instruction, those of later ones at a HLT.
    ///
    /// # Errors
    /// When there is no such model, or the host has no memory.
    pub fn new(name: &str, engine: EngineKind) -> Result<Self> {
        let what = model::configure(name).map_err(anyhow::Error::msg)?;
        let arch = X64::new(Arc::new(NoBoard), 1);
        let ram = GuestRam::new(BYTES)?;
        let core =
            Core::new(arch, what.features, 0, ram, Arc::new(Ram(BYTES)), Arc::new(CodeMap::new(BYTES)));
        let engine = Engine::new(engine, core.features)?;
        let halts = what.features & features::I286 != 0;
        Ok(Self { core, what, engine, halts })
    }

    /// How many pieces of code were compiled.
    pub fn compiled(&self) -> u64 {
        self.engine.compiled()
    }

    /// Runs a test; `flags` are those that are compared.
    ///
    /// # Errors
    /// When the test is not one for this processor: it names memory that is not there.
    pub fn run(&mut self, test: &Test, flags: u32) -> Result<Option<Wrong>> {
        self.set(&test.before)?;
        let ended = if self.halts { self.run_to_halt() } else { self.run_one(test) };
        let mut wrong = Vec::new();
        if ended {
            self.compare(test, flags & REAL_FLAGS, &mut wrong)?;
        } else {
            wrong.push(Mismatch::Endless);
        }
        let failed =
            if wrong.is_empty() { None } else { Some(Wrong { differs: wrong, after: self.state(test)? }) };
        for &(at, _) in test.before.ram.iter().chain(&test.after.ram) {
            self.write(at, 0)?;
        }
        Ok(failed)
    }

    /// Registers, and the memory that a test names.
    fn state(&self, test: &Test) -> Result<State> {
        let mut registers = Registers::default();
        for (r, value) in registers.0.iter_mut().enumerate() {
            *value = test.before.registers.0[r].map(|_| self.register(r));
        }
        let mut places: Vec<u32> = test.before.ram.iter().chain(&test.after.ram).map(|&(at, _)| at).collect();
        places.sort_unstable();
        places.dedup();
        let ram = places.into_iter().map(|at| Ok((at, self.core.ram.read::<u8>(at as u64)?)));
        Ok(State { registers, ram: ram.collect::<Result<_>>()? })
    }

    fn write(&mut self, at: u32, byte: u8) -> Result<()> {
        let done = self.core.storing(at as u64, 1, |ram| ram.write(at as u64, byte));
        done.context("a test names memory above 16 MiB")
    }

    fn set(&mut self, s: &State) -> Result<()> {
        for &(at, byte) in &s.ram {
            self.write(at, byte)?;
        }
        let core = &mut self.core;
        model::reset(core, &self.what);
        let value = |r: usize| s.registers.0[r].unwrap_or_default();
        for (n, r) in GENERAL.into_iter().enumerate() {
            core.set(state::gpr(n as u8), value(r) as u64);
        }
        for (r, n) in SEGMENTS {
            let loaded = segment::real(core, n, value(r) as u16);
            segment::put(core, n, loaded);
        }
        eflags::set(core, value(reg::FLAGS) & REAL_FLAGS, u32::MAX);
        core.set_pc(((value(reg::CS) as u64) << 4) + value(reg::IP) as u64);
        Ok(())
    }

    /// Runs to a HLT, which is passed; whether it came to one.
    fn run_to_halt(&mut self) -> bool {
        for _ in 0..MOST {
            let pc = self.core.pc();
            if self.core.ram.read::<u8>(pc).is_ok_and(|byte| byte == HLT) {
                self.core.set_pc(pc + 1);
                return true;
            }
            self.engine.step(&mut self.core);
            if self.core.halted {
                return true;
            }
        }
        false
    }

    /// Runs one instruction, a repeated one to its end.
    fn run_one(&mut self, test: &Test) -> bool {
        let prefix = |b: &&u8| matches!(b, 0x26 | 0x2E | 0x36 | 0x3E | 0xF0 | 0xF2 | 0xF3);
        let repeated = test.bytes.iter().take_while(prefix).any(|b| matches!(b, 0xF2 | 0xF3));
        let pc = self.core.pc();
        for _ in 0..MOST {
            self.engine.step(&mut self.core);
            if !repeated || self.core.pc() != pc {
                return true;
            }
        }
        false
    }

    fn register(&self, r: usize) -> u32 {
        let core = &self.core;
        if let Some(n) = GENERAL.iter().position(|&g| g == r) {
            return core.reg(state::gpr(n as u8)) as u32;
        }
        if let Some((_, n)) = SEGMENTS.iter().find(|(g, _)| *g == r) {
            return core.reg(state::selector(*n)) as u32;
        }
        match r {
            reg::IP => core.pc().wrapping_sub(core.reg(state::base(seg::CS))) as u32 & 0xFFFF,
            reg::FLAGS => eflags::get(core),
            _ => 0,
        }
    }

    fn compare(&self, test: &Test, flags: u32, wrong: &mut Vec<Mismatch>) -> Result<()> {
        for (r, name) in reg::NAMES.into_iter().enumerate() {
            let before = test.before.registers.0[r];
            let Some(want) = test.after.registers.0[r].or(before) else { continue };
            let mask = if r == reg::FLAGS { flags } else { u32::MAX };
            let got = self.register(r);
            if (want ^ got) & mask != 0 {
                wrong.push(Mismatch::Register(name, want & mask, got & mask));
            }
        }
        let after: std::collections::HashMap<_, _> = test.after.ram.iter().copied().collect();
        let places = test.before.ram.iter().map(|&(at, byte)| (at, *after.get(&at).unwrap_or(&byte)));
        for (at, want) in places.chain(test.after.ram.iter().copied()) {
            let got = self.core.ram.read::<u8>(at as u64)?;
            let mask = match test.exception {
                // The bus address is even; the flags are at the next byte if the stack pointer is odd.
                Some((_, pushed)) if at.wrapping_sub(pushed + (self.register(reg::SP) & 1)) < 2 => {
                    (flags >> (8 * (at - pushed - (self.register(reg::SP) & 1)))) as u8
                }
                _ => 0xFF,
            };
            if (want ^ got) & mask != 0
                && !wrong.iter().any(|m| matches!(m, Mismatch::Memory(a, ..) if *a == at))
            {
                wrong.push(Mismatch::Memory(at, want, got));
            }
        }
        Ok(())
    }
}
