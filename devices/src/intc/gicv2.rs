//! GICv2, Arm's Generic Interrupt Controller of up to eight processors.
//!
//! After IHI 0048B.b, without the Security Extensions and with both interrupt groups, as on QEMU's `virt` board: all
//! accesses are what the manual calls Secure ones, interrupts are in group 0 at reset, and group 0 is signalled as IRQ
//! unless GICC_CTLR.FIQEn. Eight bits of priority. The distributor is in `dist`, the CPU interface
//! in `cpu`.
//!
//! Left out on purpose: the Security and Virtualization Extensions, the bypass of interrupts around a disabled GIC.

mod cpu;
mod dist;

use super::bank::{ActivePriorities, Bank, Pending, Routes};
use super::{CpuLine, CpuLines, FIRST_PPI, FIRST_SPI, Intc, input, split_input};
use crate::bus::device::{BusError, BusResult, Initiator, Size, Socket};
use crate::bus::irq::{LineSink, Wire};
use crate::bus::snapshot::{self, StateError, require};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::fmt::Write;
use std::sync::Arc;

/// Processors that the banked registers and target masks have room for.
const MAX_CPUS: usize = 8;
/// SGIs are always enabled and edge triggered.
const SGIS: u32 = 0xffff;

/// Registers of one CPU interface.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Interface {
    ctlr: u32,
    pmr: u8,
    bpr: u8,
    abpr: u8,
    /// Active priorities of group 0 and of group 1.
    apr: [ActivePriorities<1>; 2],
    /// For each SGI, the processors that sent it and were not yet acknowledged.
    sgi_sources: [u8; 16],
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct State {
    ctlr: u32,
    /// SGIs and PPIs of each processor.
    private: Vec<Bank>,
    /// SPIs, 32 a bank.
    shared: Vec<Bank>,
    /// GICD_ITARGETSR of the SPIs.
    targets: Vec<[u8; 32]>,
    interfaces: Vec<Interface>,
}

impl State {
    fn power_on(cpus: usize, banks: usize) -> State {
        let private = Bank { enabled: SGIS, edge: SGIS, ..Bank::power_on() };
        let interface =
            Interface { ctlr: 0, pmr: 0, bpr: 0, abpr: 1, apr: Default::default(), sgi_sources: [0; 16] };
        State {
            ctlr: 0,
            private: vec![private; cpus],
            shared: vec![Bank::power_on(); banks],
            // With one processor all interrupts go there, and the registers read as zero (4.3.12).
            targets: vec![[u8::from(cpus == 1); 32]; banks],
            interfaces: vec![interface; cpus],
        }
    }
}

/// State and what follows from it.
struct Core {
    state: State,
    routes: Routes,
    /// The interrupt that each processor is to take first.
    best: Vec<Option<Pending>>,
    /// Levels of each processor's IRQ and FIQ.
    out: Vec<[bool; 2]>,
    lines: Arc<dyn CpuLines>,
}

/// The controller. Its registers are numbered with the distributor's at 0 and the CPU interfaces' at
/// [`GicV2::CPU_INTERFACE`].
pub struct GicV2 {
    core: Mutex<Core>,
    cpus: usize,
    spis: u32,
}

impl GicV2 {
    /// Bytes of the distributor's register file.
    pub const DISTRIBUTOR_LEN: u64 = 0x1_0000;
    /// Register offset of the CPU interface; it is banked, so all processors see theirs at the same address.
    pub const CPU_INTERFACE: u64 = 0x1_0000;
    /// Bytes of the CPU interface's register file.
    pub const CPU_INTERFACE_LEN: u64 = 0x1_0000;

    /// A controller of `cpus` processors (1 to 8) and `spis` shared interrupts (rounded up to a multiple of 32, at
    /// most 960), that drives `lines`.
    pub fn new(cpus: usize, spis: u32, lines: Arc<dyn CpuLines>) -> Arc<GicV2> {
        let cpus = cpus.clamp(1, MAX_CPUS);
        let banks = spis.clamp(1, 960).div_ceil(32) as usize;
        let mut core = Core {
            state: State::power_on(cpus, banks),
            routes: Routes::default(),
            best: vec![None; cpus],
            out: vec![[false; 2]; cpus],
            lines,
        };
        core.route_all();
        Arc::new(GicV2 { core: Mutex::new(core), cpus, spis: banks as u32 * 32 })
    }

    fn cpu(&self, by: Initiator) -> BusResult<usize> {
        Some(by.cpu()).filter(|&cpu| cpu < self.cpus).ok_or(BusError::NoRegister)
    }
}

impl Core {
    fn cpus(&self) -> usize {
        self.state.private.len()
    }

    /// The bank of interrupt `intid` as `cpu` sees it.
    fn bank(&self, cpu: usize, intid: u32) -> Option<&Bank> {
        match intid / 32 {
            0 => self.state.private.get(cpu),
            n => self.state.shared.get(n as usize - 1),
        }
    }

    fn bank_mut(&mut self, cpu: usize, intid: u32) -> Option<&mut Bank> {
        match intid / 32 {
            0 => self.state.private.get_mut(cpu),
            n => self.state.shared.get_mut(n as usize - 1),
        }
    }

    fn route_all(&mut self) {
        let cpus = self.cpus();
        self.routes = Routes::new(self.state.shared.len(), cpus);
        for (bank, targets) in self.state.targets.iter().enumerate() {
            for (bit, target) in (0..).zip(targets) {
                (0..cpus).for_each(|cpu| self.routes.set(bank, bit, cpu, target >> cpu & 1 != 0));
            }
        }
    }

    /// Finds what `cpu` is to take first, and drives its lines.
    fn update(&mut self, cpu: usize) {
        let s = &self.state;
        let (Some(interface), Some(private)) = (s.interfaces.get(cpu), s.private.get(cpu)) else { return };
        let on = s.ctlr & interface.ctlr;
        let (group0, group1) = (on & 1 != 0, on & 2 != 0);
        let mut best = None;
        if group0 || group1 {
            best = private.best(private.in_groups(group0, group1), 0, None);
            for (i, bank) in s.shared.iter().enumerate() {
                let mask = self.routes.mask(i, cpu) & bank.in_groups(group0, group1);
                best = bank.best(mask, FIRST_SPI + 32 * i as u32, best);
            }
        }
        let mut out = [false; 2];
        if let Some(p) = best.filter(|p| interface.takes(p)) {
            let fiq = !p.group1 && interface.ctlr & cpu::CTLR_FIQ_EN != 0;
            out = [!fiq, fiq];
        }
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
        (0..self.cpus()).for_each(|cpu| self.update(cpu));
    }

    /// Updates the processors that take `intid`.
    fn update_for(&mut self, cpu: usize, intid: u32) {
        if intid < FIRST_SPI {
            return self.update(cpu);
        }
        let (bank, bit) = (intid as usize / 32 - 1, intid % 32);
        for cpu in 0..self.cpus() {
            if self.routes.mask(bank, cpu) >> bit & 1 != 0 {
                self.update(cpu);
            }
        }
    }
}

impl LineSink for GicV2 {
    fn set_line(&self, line: u32, level: bool) {
        let (cpu, intid) = split_input(line);
        let mut core = self.core.lock();
        if core.bank_mut(cpu, intid).is_some_and(|bank| bank.set_level(intid % 32, level)) {
            core.update_for(cpu, intid);
        }
    }
}

impl Socket for GicV2 {
    fn name(&self) -> &'static str {
        "gicv2"
    }

    fn reset(&self) {
        let mut core = self.core.lock();
        let mut state = State::power_on(self.cpus, core.state.shared.len());
        let old = core.state.private.iter().chain(&core.state.shared);
        for (new, old) in state.private.iter_mut().chain(&mut state.shared).zip(old) {
            new.level = old.level;
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
        require(state.private.len() == self.cpus, "it is of another number of processors")?;
        require(state.interfaces.len() == self.cpus, "it is of another number of processors")?;
        require(state.shared.len() == core.state.shared.len(), "it is of another number of interrupts")?;
        require(state.targets.len() == state.shared.len(), "it is of another number of interrupts")?;
        core.state = state;
        core.route_all();
        core.update_all();
        Ok(())
    }

    fn read(&self, reg: u64, size: Size, by: Initiator) -> BusResult<u64> {
        let cpu = self.cpu(by)?;
        let mut core = self.core.lock();
        match reg.checked_sub(GicV2::CPU_INTERFACE) {
            Some(reg) => core.cpu_read(cpu, reg, size).map(u64::from),
            None => core.dist_read(cpu, reg, size).map(u64::from),
        }
    }

    fn write(&self, reg: u64, size: Size, value: u64, by: Initiator) -> BusResult<()> {
        let cpu = self.cpu(by)?;
        let mut core = self.core.lock();
        match reg.checked_sub(GicV2::CPU_INTERFACE) {
            Some(reg) => core.cpu_write(cpu, reg, size, value as u32),
            None => core.dist_write(cpu, reg, size, value as u32),
        }
    }
}

impl Intc for GicV2 {
    fn spi(self: Arc<Self>, n: u32, label: &str) -> Option<Wire> {
        (n < self.spis).then(|| Wire::new(label, self, input(0, FIRST_SPI + n)))
    }

    fn ppi(self: Arc<Self>, cpu: usize, n: u32, label: &str) -> Option<Wire> {
        (n < 16 && cpu < self.cpus).then(|| Wire::new(label, self, input(cpu, FIRST_PPI + n)))
    }

    fn info(&self) -> String {
        let core = self.core.lock();
        let s = &core.state;
        let mut text = format!("gicv2: GICD_CTLR {:#x}\n", s.ctlr);
        for (cpu, (i, private)) in s.interfaces.iter().zip(&s.private).enumerate() {
            let _ = writeln!(
                text,
                " cpu {cpu}: GICC_CTLR {:#x} PMR {:#04x} running {:#04x} first {:?}",
                i.ctlr,
                i.pmr,
                i.running(),
                core.best.get(cpu).copied().flatten().map(|p| p.intid),
            );
            private.describe(0, &mut text);
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
