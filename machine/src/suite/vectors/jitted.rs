//! Compiled code as the subject of vectors: the interpreter's processor, run by the JIT, each instruction a block.

use super::interp::BASE;
use super::{CODE, Interp, State, Subject};
use crate::config::EngineKind;
use crate::suite::Engine;
use anyhow::{Result, bail};
use lyrebird_cpu::arm::emit::UNDEFINED;
use lyrebird_cpu::arm::{Arm64, state as slot, sysreg};

/// Where exceptions go: a loop at EL1, in RAM that a second mapping shows at 0.
const VECTORS: u64 = 0x4000;

/// A processor like [`Interp`]'s whose instructions are compiled.
pub struct Jitted {
    inner: Interp,
    engine: Engine<Arm64>,
}

impl Jitted {
    /// The processor.
    ///
    /// # Errors
    /// When the host has no memory for it.
    pub fn new() -> Result<Self> {
        let mut inner = Interp::new()?;
        let core = &mut inner.core;
        core.ram.write(super::interp::TABLE - BASE, BASE | 1 << 10 | 1)?;
        core.set(sysreg::VBAR_EL1, VECTORS);
        // B . where exceptions from EL0 arrive.
        core.ram.write(VECTORS + 0x400, 0x1400_0000u32)?;
        let engine = Engine::new(EngineKind::Jit, core.features)?;
        Ok(Self { inner, engine })
    }

    /// How many regions were compiled.
    pub fn compiled(&self) -> u64 {
        self.engine.compiled()
    }
}

impl Subject for Jitted {
    fn run(&mut self, word: u32, state: &mut State) -> Result<bool> {
        let core = &mut self.inner.core;
        core.set(slot::MODE, 0);
        core.set(slot::PSTATE, 0);
        core.ram.write(CODE - BASE, word)?;
        core.code.stored(CODE - BASE, 4);
        self.inner.set(state)?;
        let core = &mut self.inner.core;
        self.engine.step(core);
        if core.reg(slot::MODE) != 0 {
            if core.raised == UNDEFINED {
                return Ok(false);
            }
            bail!("{word:08x} raised {:#x} at {:#x}", core.raised.0, core.raised_va);
        }
        self.inner.get(state)?;
        Ok(true)
    }
}
