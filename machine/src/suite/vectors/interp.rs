//! The interpreter as the subject of vectors: one processor at EL0 whose flat memory holds code and window.

use super::{CODE, State, Subject, WINDOW};
use anyhow::{Context, Result, bail};
use lyrebird_cpu::arm::emit::UNDEFINED;
use lyrebird_cpu::arm::{Arm64, Platform, context, exclusive, model, state as slot, sysreg};
use lyrebird_cpu::code::CodeMap;
use lyrebird_cpu::core::{Arch, Core, Physical};
use lyrebird_cpu::emit::Cx;
use lyrebird_cpu::op::nzcv;
use lyrebird_ram::GuestRam;
use std::sync::Arc;

/// Physical and virtual address of RAM.
pub(super) const BASE: u64 = CODE;
const BYTES: u64 = 0x1_0000;
/// Where the translation table is: one block maps the gigabyte of `CODE` to itself.
pub(super) const TABLE: u64 = BASE + 0x8000;

/// RAM and nothing else.
struct Bus;

impl Physical for Bus {
    fn ram(&self, pa: u64) -> Option<(u64, bool)> {
        (BASE..BASE + BYTES).contains(&pa).then(|| (pa - BASE, true))
    }
}

/// A board without anything.
struct Board;

impl Platform for Board {
    fn random(&self) -> u64 {
        4
    }
}

/// A processor with every feature at EL0, MMU on, floating point enabled.
pub struct Interp {
    pub(super) core: Core<Arm64>,
    mode: u32,
}

impl Interp {
    /// The processor.
    ///
    /// # Errors
    /// When the host has no memory for it.
    pub fn new() -> Result<Self> {
        let arch = Arm64::new(Arc::new(Board), Arc::new(exclusive::Versions::default()), false);
        let ram = GuestRam::new(BYTES)?;
        let max = model::find("max").context("There is no model max")?;
        let mut core = Core::new(arch, max.features, 0, ram, Arc::new(Bus), Arc::new(CodeMap::new(BYTES)));
        model::reset(&mut core, max, true);
        // Every row exists, whichever features the model has.
        core.features = u64::MAX;
        // A block at level 1: normal memory, accessed, read and write at EL0.
        core.ram.write(TABLE - BASE + 8, BASE | 1 << 10 | 3 << 8 | 1 << 6 | 1)?;
        core.set(sysreg::MAIR_EL1, 0xFF);
        core.set(sysreg::TTBR0_EL1, TABLE);
        // 39-bit addresses.
        core.set(sysreg::TCR_EL1, 25 << 16 | 25);
        core.set(sysreg::CPACR_EL1, 3 << 20);
        // MMU on, and for EL0 what Linux gives it: UCI, UCT, DZE.
        let control = core.reg(sysreg::SCTLR_EL1);
        core.set(sysreg::SCTLR_EL1, control | 1 | 1 << 26 | 1 << 15 | 1 << 14);
        core.set(slot::MODE, 0);
        core.set(slot::PSTATE, 0);
        context::refresh(&mut core);
        Ok(Self { core, mode: 0 })
    }

    /// The processor with further mode bits set: strict alignment, big-endian data.
    ///
    /// # Errors
    /// When the host has no memory for it.
    pub fn with_mode(bits: u32) -> Result<Self> {
        Ok(Self { mode: bits, ..Self::new()? })
    }

    pub(super) fn set(&mut self, s: &State) -> Result<()> {
        let core = &mut self.core;
        for (i, x) in s.x.iter().enumerate() {
            core.set(slot::x(i as u32), *x);
        }
        for (i, v) in s.v.iter().enumerate() {
            core.set(slot::v(i as u32), *v);
        }
        core.set(slot::SP, s.sp);
        core.set_pc(s.pc);
        core.set(slot::NZCV, nzcv::from_psr(s.nzcv));
        core.set(slot::FPCR, s.fpcr);
        core.set(slot::FPSR, s.fpsr);
        core.set(slot::EXCL_ADDR, slot::NO_MONITOR);
        core.ram.write_bytes(WINDOW - BASE, &s.memory)?;
        context::refresh(core);
        core.mode |= self.mode;
        Ok(())
    }

    pub(super) fn get(&self, s: &mut State) -> Result<()> {
        let core = &self.core;
        for (i, x) in s.x.iter_mut().enumerate() {
            *x = core.reg(slot::x(i as u32));
        }
        for (i, v) in s.v.iter_mut().enumerate() {
            *v = core.reg(slot::v(i as u32));
        }
        s.sp = core.reg(slot::SP);
        s.pc = core.pc();
        s.nzcv = nzcv::to_psr(core.reg(slot::NZCV));
        s.fpcr = core.reg(slot::FPCR);
        s.fpsr = core.reg(slot::FPSR);
        core.ram.read_bytes(WINDOW - BASE, &mut s.memory)?;
        Ok(())
    }
}

impl Subject for Interp {
    fn run(&mut self, word: u32, state: &mut State) -> Result<bool> {
        self.set(state)?;
        let cx = Cx { mode: self.core.mode, features: self.core.features };
        let Some((run, insn)) = Arm64::decode(&word.to_le_bytes(), cx) else {
            bail!("{word:08x} is no whole word")
        };
        match self.core.execute(run, insn) {
            Ok(_) => {}
            Err(_) if self.core.raised == UNDEFINED => return Ok(false),
            Err(_) => bail!("{word:08x} raised {:#x} at {:#x}", self.core.raised.0, self.core.raised_va),
        }
        self.get(state)?;
        Ok(true)
    }
}
