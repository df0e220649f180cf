//! A processor that runs a user program of one instruction: 64-bit mode at level 3, two pages of memory.

use super::record::{FLAGS, GENERAL, INSN, MEMORY, MEMORY_SIZE, PAD, PATH, State, WINDOW, WORK, XSAVE};
use crate::config::EngineKind;
use crate::suite::Engine;
use crate::suite::bare::{NoBoard, Ram};
use anyhow::Result;
use lyrebird_cpu::code::CodeMap;
use lyrebird_cpu::core::Core;
use lyrebird_cpu::x86::insn::seg;
use lyrebird_cpu::x86::isa::sse_control;
use lyrebird_cpu::x86::segment::{self, Segment};
use lyrebird_cpu::x86::{X64, context, eflags, flags, model, state};
use lyrebird_ram::GuestRam;
use std::sync::Arc;

const BYTES: u64 = 0x1_0000;
/// Page tables: a PML4, a PDPT, a page directory, and page tables for the instruction and for the record.
const TABLES: u64 = 0x1000;
/// Physical pages of the instruction and of the record.
const CODE: u64 = 0x8000;
const DATA: u64 = 0x9000;
/// Present, writable, for users, accessed, dirty.
const ENTRY: u64 = 0x67;

/// The processor.
pub struct User {
    core: Core<X64>,
    engine: Engine<X64>,
    insn: Vec<u8>,
}

/// A flat descriptor.
fn descriptor(attributes: u64) -> u64 {
    0x000F_0000_0000_FFFF | (attributes & 0xFF) << 40 | (attributes >> 12 & 0xF) << 52
}

impl User {
    /// The processor.
    ///
    /// # Errors
    /// When the host has no memory for it.
    pub fn new(engine: EngineKind) -> Result<Self> {
        let what = model::configure("max").map_err(anyhow::Error::msg)?;
        let ram = GuestRam::new(BYTES)?;
        let arch = X64::new(Arc::new(NoBoard), 1);
        let code = Arc::new(CodeMap::new(BYTES));
        let mut core = Core::new(arch, what.features, 0, ram, Arc::new(Ram(BYTES)), code);
        model::reset(&mut core, &what);
        let table = |n: u64| TABLES + 0x1000 * n;
        let index = |va: u64, level: u32| (va >> (12 + 9 * level) & 511) * 8;
        for (va, last, page) in [(INSN, 3, CODE), (WORK, 4, DATA)] {
            for (level, from, to) in [
                (3, table(0), table(1)),
                (2, table(1), table(2)),
                (1, table(2), table(last)),
                (0, table(last), page),
            ] {
                core.ram.write(from + index(va, level), to | ENTRY)?;
            }
        }
        let engine = Engine::new(engine, core.features)?;
        let mut user = Self { core, engine, insn: Vec::new() };
        user.enter();
        Ok(user)
    }

    /// Makes it a processor at level 3. There are no gates: an exception shuts it down.
    fn enter(&mut self) {
        let core = &mut self.core;
        core.halted = false;
        core.set(state::BLOCKED, 0);
        for s in 0..6 {
            let (selector, attributes) = if s == seg::CS { (0x33, 0xA0FB) } else { (0x2B, 0xC0F3) };
            segment::put(core, s, Segment::of(selector, descriptor(attributes)));
        }
        core.set(state::IDT_LIMIT, 0);
        core.set(state::CR3, TABLES);
        // PAE, OSFXSR, OSXMMEXCPT, OSXSAVE.
        core.set(state::CR4, 0x4_0620);
        core.set(state::XCR0, 7);
        core.set(state::EFER, 0x500);
        // PG, WP, NE, ET, MP, PE.
        core.set(state::CR0, 0x8001_0033);
        core.set(state::CPL, 3);
        core.set_pc(INSN);
        context::new_spaces(core);
        context::refresh(core);
    }

    fn load(&mut self, s: &State) -> Result<()> {
        let core = &mut self.core;
        for n in GENERAL {
            core.set(state::gpr(n), s.gpr(n));
        }
        core.set(state::gpr(13), WINDOW);
        eflags::set(core, s.flags(), u32::MAX);
        let at = DATA + MEMORY as u64;
        core.storing(at, MEMORY_SIZE as u64, |ram| ram.write_bytes(at, s.memory()))?;
        core.set(state::FCW, s.fcw());
        core.set(state::FSW, s.fsw());
        core.set(state::FTW, s.ftw() as u16);
        for n in 0..8 {
            core.set(state::fpr(n), s.fpr(n));
        }
        for n in 0..16 {
            core.set(state::xmm(n), s.u128_at(State::xmm(n)));
            core.set(state::ymm_high(n), s.u128_at(State::ymm(n)));
        }
        sse_control::set_mxcsr(core, s.mxcsr());
        core.set_pc(INSN);
        context::refresh(core);
        Ok(())
    }

    fn unload(&self, s: &mut State) -> Result<()> {
        let core = &self.core;
        for n in GENERAL {
            s.set_u64(8 * n as usize, core.reg(state::gpr(n)));
        }
        let f = flags::to_eflags(core.reg(state::FLAGS)) | core.reg(state::EFLAGS);
        s.set_u64(FLAGS, f as u64 | 2);
        let mut memory = [0; MEMORY_SIZE];
        core.ram.read_bytes(DATA + MEMORY as u64, &mut memory)?;
        s.bytes(MEMORY, &memory);
        s.set_u16(XSAVE, core.reg(state::FCW));
        s.set_u16(XSAVE + 2, core.reg(state::FSW));
        s.set_u8(XSAVE + 4, core.reg(state::FTW) as u8);
        for n in 0..8 {
            s.set_fpr(n, core.reg(state::fpr(n)));
        }
        for n in 0..16 {
            s.set_u128(State::xmm(n), core.reg(state::xmm(n)));
            s.set_u128(State::ymm(n), core.reg(state::ymm_high(n)));
        }
        s.set_u32(XSAVE + 24, sse_control::mxcsr(core));
        Ok(())
    }

    /// Runs the instruction on a state, which becomes the state after it.
    ///
    /// # Errors
    /// With the exception that it raised, or where it went instead of on.
    pub fn run(&mut self, insn: &[u8], s: &mut State) -> Result<(), String> {
        let failed = |e: anyhow::Error| e.to_string();
        if self.insn != insn {
            self.insn = insn.to_vec();
            let at = CODE + (INSN & 0xFFF);
            // What follows are NOPs, so that the last bytes of one instruction are not the first ones of another.
            let bytes: Vec<u8> = insn.iter().copied().chain([0x90; 32]).take(32).collect();
            self.core.storing(at, 32, |ram| ram.write_bytes(at, &bytes)).map_err(|e| e.to_string())?;
        }
        self.load(s).map_err(failed)?;
        let next = INSN + insn.len() as u64;
        // A repeated instruction may come back to itself.
        for _ in 0..64 {
            self.engine.step(&mut self.core);
            if self.core.halted || self.core.pc() != INSN {
                break;
            }
        }
        if self.core.halted {
            let raised = self.core.raised.0;
            self.enter();
            return Err(format!("exception {:#x}", raised & 0xFF));
        }
        self.unload(s).map_err(failed)?;
        let path = match self.core.pc() {
            pc if pc == next => 1,
            pc if pc == next + PAD => 0,
            pc => {
                // Perhaps to another level.
                self.enter();
                return Err(format!("it goes to {pc:#x}"));
            }
        };
        s.set_u8(PATH, path);
        Ok(())
    }

    /// How many pieces of code were compiled.
    pub fn compiled(&self) -> u64 {
        self.engine.compiled()
    }
}
