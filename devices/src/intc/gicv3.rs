//! GICv3, Arm's Generic Interrupt Controller with affinity routing.
//!
//! After IHI 0069H, with a single security state (GICD_CTLR.DS reads as one), affinity routing and system registers
//! always on, five bits of priority, as on QEMU's `virt` board without EL3: group 0 is signalled as FIQ, group 1 as
//! IRQ. The distributor is in `dist`, the redistributors in `redist`, the CPU interface, which is a set of system
//! registers rather than a device on the bus, in `cpu`, and its register names in `icc`.
//!
//! Left out on purpose, and reported absent: LPIs and the ITS, the Security Extensions, message-signalled SPIs,
//! routing of an SPI to any one of several processors, the extended INTID ranges, the virtual CPU interface.

mod cpu;
mod dist;
pub mod icc;
mod redist;

use super::bank::{ActivePriorities, Bank, Pending, Routes};
use super::{CpuLine, CpuLines, FIRST_PPI, FIRST_SPI, Intc, input, split_input};
use crate::bus::device::{BusError, BusResult, Initiator, Size, Socket};
use crate::bus::irq::{LineSink, Wire};
use crate::bus::snapshot::{self, StateError, require};
use icc::Icc;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::fmt::Write;
use std::sync::Arc;

/// Processors that one controller serves.
const MAX_CPUS: usize = 512;
/// SGIs are always edge triggered.
const SGIS: u32 = 0xffff;
/// Priority bits that exist.
const PRIORITY_MASK: u8 = 0xf8;
/// Bits of an affinity as MPIDR_EL1, GICD_IROUTER and [`GicV3::new`] have it: Aff3 in 39:32, Aff2 to Aff0 in 23:0.
const AFFINITY: u64 = 0xff_00ff_ffff;

/// What belongs to one processor: its redistributor and its CPU interface.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Cpu {
    /// SGIs and PPIs.
    private: Bank,
    /// GICR_WAKER.ProcessorSleep.
    sleeps: bool,
    /// ICC_IGRPEN0_EL1 and ICC_IGRPEN1_EL1, as bits 0 and 1.
    groups: u32,
    /// ICC_CTLR_EL1: CBPR and EOImode.
    ctlr: u64,
    pmr: u8,
    /// ICC_BPR0_EL1 and ICC_BPR1_EL1.
    bpr: [u8; 2],
    /// Active priorities of group 0 and of group 1.
    apr: [ActivePriorities<3>; 2],
}

impl Cpu {
    fn power_on() -> Cpu {
        Cpu {
            private: Bank { edge: SGIS, ..Bank::power_on() },
            sleeps: true,
            groups: 0,
            ctlr: 0,
            pmr: 0,
            bpr: cpu::MIN_BPR,
            apr: Default::default(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct State {
    /// GICD_CTLR: EnableGrp0 and EnableGrp1.
    ctlr: u32,
    /// SPIs, 32 a bank.
    shared: Vec<Bank>,
    /// GICD_IROUTER of the SPIs.
    routers: Vec<[u64; 32]>,
    cpus: Vec<Cpu>,
}

impl State {
    fn power_on(cpus: usize, banks: usize) -> State {
        State {
            ctlr: 0,
            shared: vec![Bank::power_on(); banks],
            routers: vec![[0; 32]; banks],
            cpus: vec![Cpu::power_on(); cpus],
        }
    }
}

/// State and what follows from it.
struct Core {
    state: State,
    /// Affinity of each processor.
    affinities: Vec<u64>,
    routes: Routes,
    /// The interrupt that each processor is to take first.
    best: Vec<Option<Pending>>,
    /// Levels of each processor's IRQ and FIQ.
    out: Vec<[bool; 2]>,
    lines: Arc<dyn CpuLines>,
}

/// The controller. Its registers are numbered with the distributor's at 0 and the redistributors' from
/// [`GicV3::REDISTRIBUTORS`] on, one after the other.
pub struct GicV3 {
    core: Mutex<Core>,
    cpus: usize,
    spis: u32,
}

impl GicV3 {
    /// Bytes of the distributor's register file.
    pub const DISTRIBUTOR_LEN: u64 = 0x1_0000;
    /// Register offset of processor 0's redistributor.
    pub const REDISTRIBUTORS: u64 = 0x1_0000;
    /// Bytes of one redistributor's register file: two frames of 64 KiB.
    pub const REDISTRIBUTOR_LEN: u64 = 0x2_0000;

    /// A controller of one processor for each of `affinities` (as MPIDR_EL1 has them, at most 512), and of `spis`
    /// shared interrupts (rounded up to a multiple of 32, at most 960), that drives `lines`.
    pub fn new(affinities: &[u64], spis: u32, lines: Arc<dyn CpuLines>) -> Arc<GicV3> {
        let affinities: Vec<u64> = affinities.iter().take(MAX_CPUS).map(|a| a & AFFINITY).collect();
        let cpus = affinities.len();
        let banks = spis.clamp(1, 960).div_ceil(32) as usize;
        let mut core = Core {
            state: State::power_on(cpus, banks),
            affinities,
            routes: Routes::default(),
            best: vec![None; cpus],
            out: vec![[false; 2]; cpus],
            lines,
        };
        core.route_all();
        Arc::new(GicV3 { core: Mutex::new(core), cpus, spis: banks as u32 * 32 })
    }

    /// Reads a register of processor `cpu`'s interface; `None` if it does not exist or is write-only, which is an
    /// undefined instruction. Reading ICC_IAR acknowledges.
    #[inline]
    pub fn icc_read(&self, cpu: usize, reg: Icc) -> Option<u64> {
        self.core.lock().icc_read(cpu, reg)
    }

    /// Writes a register of processor `cpu`'s interface; `None` if it does not exist or is read-only.
    #[inline]
    pub fn icc_write(&self, cpu: usize, reg: Icc, value: u64) -> Option<()> {
        self.core.lock().icc_write(cpu, reg, value)
    }
}

impl Core {
    /// The bank of interrupt `intid` as `cpu` sees it.
    fn bank_mut(&mut self, cpu: usize, intid: u32) -> Option<&mut Bank> {
        match intid / 32 {
            0 => self.state.cpus.get_mut(cpu).map(|c| &mut c.private),
            n => self.state.shared.get_mut(n as usize - 1),
        }
    }

    fn route_all(&mut self) {
        self.routes = Routes::new(self.state.shared.len(), self.affinities.len());
        for bank in 0..self.state.shared.len() {
            (0..32).for_each(|bit| self.route(bank, bit));
        }
    }

    /// Follows GICD_IROUTER of one SPI.
    fn route(&mut self, bank: usize, bit: u32) {
        let router = self.state.routers.get(bank).and_then(|r| r.get(bit as usize)).copied();
        for (cpu, &affinity) in self.affinities.iter().enumerate() {
            self.routes.set(bank, bit, cpu, router == Some(affinity));
        }
    }

    /// Finds what `cpu` is to take first, and drives its lines.
    fn update(&mut self, cpu: usize) {
        let s = &self.state;
        let Some(c) = s.cpus.get(cpu) else { return };
        let on = s.ctlr & c.groups;
        let (group0, group1) = (on & 1 != 0, on & 2 != 0);
        let mut best = None;
        if group0 || group1 {
            best = c.private.best(c.private.in_groups(group0, group1), 0, None);
            for (i, bank) in s.shared.iter().enumerate() {
                let mask = self.routes.mask(i, cpu) & bank.in_groups(group0, group1);
                best = bank.best(mask, FIRST_SPI + 32 * i as u32, best);
            }
        }
        let out = best.filter(|p| c.takes(p)).map_or([false; 2], |p| [p.group1, !p.group1]);
        if let Some(slot) = self.best.get_mut(cpu) {
            *slot = best;
        }
        if let Some(old) = self.out.get_mut(cpu) {
            for ((line, old), new) in [CpuLine::Irq, CpuLine::Fiq].into_iter().zip(old).zip(out) {
                if *old != new {
                    *old = new;
                    self.lines.set(cpu, line, new);
                }
            }
        }
    }

    fn update_all(&mut self) {
        (0..self.affinities.len()).for_each(|cpu| self.update(cpu));
    }

    /// Updates the processors that take `intid`.
    fn update_for(&mut self, cpu: usize, intid: u32) {
        if intid < FIRST_SPI {
            return self.update(cpu);
        }
        let (bank, bit) = (intid as usize / 32 - 1, intid % 32);
        for cpu in 0..self.affinities.len() {
            if self.routes.mask(bank, cpu) >> bit & 1 != 0 {
                self.update(cpu);
            }
        }
    }
}

impl LineSink for GicV3 {
    fn set_line(&self, line: u32, level: bool) {
        let (cpu, intid) = split_input(line);
        let mut core = self.core.lock();
        if core.bank_mut(cpu, intid).is_some_and(|bank| bank.set_level(intid % 32, level)) {
            core.update_for(cpu, intid);
        }
    }
}

impl Socket for GicV3 {
    fn name(&self) -> &'static str {
        "gicv3"
    }

    fn reset(&self) {
        let mut core = self.core.lock();
        let mut state = State::power_on(self.cpus, core.state.shared.len());
        for (new, old) in state.shared.iter_mut().zip(&core.state.shared) {
            new.level = old.level;
        }
        for (new, old) in state.cpus.iter_mut().zip(&core.state.cpus) {
            new.private.level = old.private.level;
        }
        core.state = state;
        core.route_all();
        core.update_all();
    }

    fn save(&self) -> Result<Vec<u8>, StateError> {
        snapshot::save(&self.core.lock().state)
    }

    fn load(&self, saved: &[u8]) -> Result<(), StateError> {
        let state: State = snapshot::load(saved)?;
        let mut core = self.core.lock();
        require(state.cpus.len() == self.cpus, "it is of another number of processors")?;
        require(state.shared.len() == core.state.shared.len(), "it is of another number of interrupts")?;
        require(state.routers.len() == state.shared.len(), "it is of another number of interrupts")?;
        require(state.cpus.iter().all(cpu::valid), "a binary point is out of range")?;
        core.state = state;
        core.route_all();
        core.update_all();
        Ok(())
    }

    fn read(&self, reg: u64, size: Size, _: Initiator) -> BusResult<u64> {
        aligned(reg, size)?;
        let core = self.core.lock();
        match reg.checked_sub(GicV3::REDISTRIBUTORS) {
            Some(reg) => core.redist_read(reg, size),
            None => core.dist_read(reg, size),
        }
    }

    fn write(&self, reg: u64, size: Size, value: u64, _: Initiator) -> BusResult<()> {
        aligned(reg, size)?;
        let mut core = self.core.lock();
        match reg.checked_sub(GicV3::REDISTRIBUTORS) {
            Some(reg) => core.redist_write(reg, size, value),
            None => core.dist_write(reg, size, value),
        }
    }
}

fn aligned(reg: u64, size: Size) -> BusResult<()> {
    if reg & (size.bytes() - 1) == 0 { Ok(()) } else { Err(BusError::Unaligned) }
}

/// Identification registers from 0xffd0 of each frame: peripheral ID 4 to 7, 0 to 3 (architecture version 3 in bits
/// 7:4 of the third), component ID.
fn id(reg: u64, part: u8) -> u64 {
    let ids = [0x44, 0, 0, 0, part, 0xb4, 0x3b, 0, 0x0d, 0xf0, 0x05, 0xb1];
    ids.get((reg.wrapping_sub(0xffd0) / 4) as usize).copied().unwrap_or(0).into()
}

/// GICD_IIDR and GICR_IIDR: implementer Arm.
const IIDR_VALUE: u64 = 0x43b;

impl Intc for GicV3 {
    fn spi(self: Arc<Self>, n: u32, label: &str) -> Option<Wire> {
        (n < self.spis).then(|| Wire::new(label, self, input(0, FIRST_SPI + n)))
    }

    fn ppi(self: Arc<Self>, cpu: usize, n: u32, label: &str) -> Option<Wire> {
        (n < 16 && cpu < self.cpus).then(|| Wire::new(label, self, input(cpu, FIRST_PPI + n)))
    }

    fn info(&self) -> String {
        let core = self.core.lock();
        let s = &core.state;
        let mut text = format!("gicv3: GICD_CTLR {:#x}\n", s.ctlr);
        for (cpu, c) in s.cpus.iter().enumerate() {
            let _ = writeln!(
                text,
                " cpu {cpu}: groups {:#x} PMR {:#04x} running {:#04x} first {:?}",
                c.groups,
                c.pmr,
                c.running(),
                core.best.get(cpu).copied().flatten().map(|p| p.intid),
            );
            c.private.describe(0, &mut text);
        }
        text.push_str(" shared:\n");
        for (i, bank) in s.shared.iter().enumerate() {
            bank.describe(FIRST_SPI + 32 * i as u32, &mut text);
        }
        text
    }
}

#[cfg(test)]
mod tests;
