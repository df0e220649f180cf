//! The local APICs of all processors of a PC, as one set of devices.
//!
//! After the Intel SDM, volume 3, chapter 12 (edition of 2024; 11 in older ones): version 0x14 with six local vectors,
//! xAPIC page and x2APIC registers, the timer with one-shot, periodic and TSC-deadline modes. Input 0 of the set is
//! LINT0 of every processor, where an 8259's INTR goes; input 1 is LINT1, for NMI. As the interrupt messages of I/O
//! APICs and PCI functions have eight bits of destination, so has [`MsiSink`] here.
//!
//! The processor asks for the interrupt with [`Lapics::acknowledge`], moves CR8 with [`Lapics::tpr`] and
//! [`Lapics::set_tpr`], and calls [`Lapics::init`] when it takes INIT. Each processor's registers have a lock of their
//! own; no two are held at a time, and none while I/O APICs or the 8259 are called.
//!
//! Left out on purpose: moving the page by IA32_APIC_BASE (its address is kept and the page stays where the board put
//! it), arbitration and remote reads, which exist on the APIC bus of the Pentium only, suppression of EOI broadcasts,
//! corrected machine-check interrupts, sources for the thermal and performance counter entries.

mod local;
mod message;
mod regs;
mod spec;
#[cfg(test)]
mod tests;
mod timer;
mod vectors;

use super::{EoiSink, MsiSink, X86Lines};
use crate::bus::clock::{Clock, VTime};
use crate::bus::device::{BusError, BusResult, Initiator, Size, Socket};
use crate::bus::irq::{LineSink, Wire};
use crate::bus::snapshot::{self, StateError, require};
use local::{Local, State};
use message::{Delivery, Message, Target};
use parking_lot::{Mutex, MutexGuard, RwLock};
use regs::After;
use spec::*;
use std::fmt::Write;
use std::sync::{Arc, Weak};

/// The set.
pub struct Lapics {
    cpus: Vec<Mutex<Local>>,
    x2apic: bool,
    clock: Clock,
    io_apics: RwLock<Vec<Weak<dyn EoiSink>>>,
}

impl Lapics {
    /// Bytes of the register page.
    pub const LEN: u64 = 0x1000;
    /// Where PCs have the page.
    pub const ADDRESS: u64 = BASE_DEFAULT;
    /// First MSR of the x2APIC interface; there are 256.
    pub const FIRST_MSR: u32 = 0x800;

    /// Local APICs with these IDs, one for each processor, that drive `lines`. Processor 0 is the boot processor.
    /// `x2apic` says whether the processors have that mode.
    pub fn new(ids: &[u32], x2apic: bool, clock: Clock, lines: Arc<dyn X86Lines>) -> Arc<Lapics> {
        Arc::new_cyclic(|this: &Weak<Lapics>| {
            let local = |(index, &id): (usize, &u32)| {
                let timer = clock.timer(format!("lapic {index}"));
                let this = this.clone();
                timer.on_expiry(move |now| {
                    if let Some(lapics) = this.upgrade() {
                        lapics.expired(index, now);
                    }
                });
                Mutex::new(Local::new(index, id, timer, lines.clone()))
            };
            let cpus = ids.iter().enumerate().map(local).collect();
            Lapics { cpus, x2apic, clock: clock.clone(), io_apics: RwLock::default() }
        })
    }

    /// Lets an I/O APIC hear of finished level-triggered interrupts.
    pub fn broadcast_to(&self, io_apic: Weak<dyn EoiSink>) {
        self.io_apics.write().push(io_apic);
    }

    /// A wire to LINT0 of all processors, for an 8259's INTR.
    pub fn lint0(self: Arc<Self>, label: &str) -> Wire {
        Wire::new(label, self, 0)
    }

    /// A wire to LINT1 of all processors, for NMI.
    pub fn lint1(self: Arc<Self>, label: &str) -> Wire {
        Wire::new(label, self, 1)
    }

    fn local(&self, cpu: usize) -> Option<MutexGuard<'_, Local>> {
        Some(self.cpus.get(cpu)?.lock())
    }

    /// Whether INTR of `cpu` is up.
    pub fn pending(&self, cpu: usize) -> bool {
        self.local(cpu).is_some_and(|local| local.intr())
    }

    /// The processor takes an interrupt: its vector, which is in service from now on. If there is none of the local
    /// APIC's own but one of the 8259's, `inta` is asked, with no lock held. None if INTR went away meanwhile.
    pub fn acknowledge(&self, cpu: usize, inta: impl FnOnce() -> Option<u8>) -> Option<u8> {
        let mut local = self.local(cpu)?;
        if let Some(vector) = local.take() {
            return Some(vector);
        }
        if !local.state.external() {
            return None;
        }
        local.state.extint = false;
        local.update();
        drop(local);
        inta()
    }

    /// Task priority register of `cpu`; CR8 is its upper half.
    #[inline]
    pub fn tpr(&self, cpu: usize) -> u8 {
        self.local(cpu).map_or(0, |local| local.state.tpr)
    }

    /// Writes the task priority register of `cpu`.
    #[inline]
    pub fn set_tpr(&self, cpu: usize, value: u8) {
        if let Some(mut local) = self.local(cpu) {
            local.set_tpr(value);
        }
    }

    /// Power-on state of one.
    pub fn reset_cpu(&self, cpu: usize) {
        if let Some(mut local) = self.local(cpu) {
            local.reset();
        }
    }

    /// State after INIT; the processor calls this when it takes the signal.
    pub fn init(&self, cpu: usize) {
        if let Some(mut local) = self.local(cpu) {
            local.init();
        }
    }

    /// What firmware does before it starts a kernel: the boot processor's LINT0 passes the 8259's interrupts, LINT1 is
    /// NMI. For boards that start a kernel without firmware.
    pub fn virtual_wire(&self) {
        if let Some(mut local) = self.local(0) {
            let now = self.clock.now();
            for (offset, value) in [(SVR, 0x1ff), (LVT + LINT0 as u32, 0x700), (LVT + LINT1 as u32, 0x400)] {
                let _ = local.mmio_write(u64::from(offset) << 4, value, now);
            }
        }
    }

    /// IA32_APIC_BASE of `cpu`.
    pub fn base(&self, cpu: usize) -> u64 {
        self.local(cpu).map_or(0, |local| local.state.base)
    }

    /// Writes IA32_APIC_BASE; none if that is #GP: reserved bits, or a change of mode that there is not.
    pub fn set_base(&self, cpu: usize, value: u64) -> Option<()> {
        self.local(cpu)?.set_base(value, self.x2apic)
    }

    /// Reads MSR `msr` (0x800 to 0x8ff); none if that is #GP, as it is outside of x2APIC mode.
    pub fn read_msr(&self, cpu: usize, msr: u32) -> Option<u64> {
        let local = self.local(cpu)?;
        let reg = msr.checked_sub(Lapics::FIRST_MSR).filter(|_| local.state.x2apic())?;
        local.msr_read(reg, self.clock.now()).ok()
    }

    /// Writes MSR `msr` (0x800 to 0x8ff); none if that is #GP.
    pub fn write_msr(&self, cpu: usize, msr: u32, value: u64) -> Option<()> {
        let mut local = self.local(cpu)?;
        let reg = msr.checked_sub(Lapics::FIRST_MSR).filter(|_| local.state.x2apic())?;
        let after = local.msr_write(reg, value, self.clock.now()).ok()?;
        drop(local);
        self.finish(after);
        Some(())
    }

    /// IA32_TSC_DEADLINE of `cpu`; zero if none is set or it passed.
    pub fn tsc_deadline(&self, cpu: usize) -> u64 {
        self.local(cpu).map_or(0, |local| local.state.counter.tsc(self.clock.now()))
    }

    /// Writes IA32_TSC_DEADLINE: `value` as the guest gave it, and the virtual time when the TSC reaches it. Zero
    /// drops the deadline; outside of TSC-deadline mode nothing happens.
    pub fn set_tsc_deadline(&self, cpu: usize, value: u64, at: VTime) {
        let Some(mut local) = self.local(cpu) else { return };
        if local.state.timer_mode() == timer::Mode::Deadline {
            local.settle(self.clock.now());
            local.state.counter.set_tsc(value, at);
            local.settle(self.clock.now());
            local.arm();
        }
    }

    fn finish(&self, after: After) {
        match after {
            After::Nothing => {}
            After::Send(message) => self.deliver(message),
            After::Eoi(vector) => {
                for io_apic in self.io_apics.read().iter().filter_map(Weak::upgrade) {
                    io_apic.eoi(vector);
                }
            }
        }
    }

    fn deliver(&self, m: Message) {
        if m.delivery == Delivery::Lowest && !matches!(m.target, Target::Only(_)) {
            return self.deliver_lowest(m);
        }
        if let Target::Only(cpu) = m.target {
            if let Some(mut local) = self.local(cpu) {
                local.receive(m.delivery, m.vector, m.level);
            }
            return;
        }
        for cpu in &self.cpus {
            let mut local = cpu.lock();
            if local.state.matches(m.target, local.index) {
                local.receive(m.delivery, m.vector, m.level);
            }
        }
    }

    /// Delivers to the one that is busy with the least important things; the first of those.
    fn deliver_lowest(&self, m: Message) {
        let candidates = self.cpus.iter().filter_map(|cpu| {
            let local = cpu.lock();
            let takes = local.state.matches(m.target, local.index) && local.state.takes_interrupts();
            takes.then(|| (local.state.ppr() >> 4, cpu))
        });
        if let Some((_, cpu)) = candidates.min_by_key(|(priority, _)| *priority) {
            cpu.lock().receive(m.delivery, m.vector, m.level);
        }
    }

    /// State for `info lapic`.
    pub fn info(&self) -> String {
        let (mut text, now) = (String::new(), self.clock.now());
        for cpu in &self.cpus {
            let local = cpu.lock();
            let s = &local.state;
            let _ = writeln!(
                text,
                "lapic {}: base {:#x} id {:#x} ldr {:#x} dfr {:#x} svr {:#x} tpr {:#04x} ppr {:#04x} esr {:#x} icr {:#x}",
                local.index,
                s.base,
                s.id,
                s.logical_id(),
                s.dfr,
                s.svr,
                s.tpr,
                s.ppr(),
                s.esr,
                s.icr
            );
            let [timer, thermal, perf, lint0, lint1, error] = s.lvt;
            let _ = writeln!(
                text,
                " lvt timer {timer:#x} thermal {thermal:#x} perf {perf:#x} lint0 {lint0:#x} lint1 {lint1:#x} error {error:#x}"
            );
            let mode = s.timer_mode();
            let _ = writeln!(
                text,
                " timer {mode:?} initial {} current {} divide {:#x} due {:?}",
                s.counter.initial,
                s.counter.current(mode, now),
                s.counter.divide,
                s.counter.due(mode)
            );
            for (name, set) in [("irr", &s.irr), ("isr", &s.isr)] {
                let _ = writeln!(text, " {name} {:02x?}", set.iter().collect::<Vec<_>>());
            }
        }
        text
    }
}

impl State {
    /// Whether a message for `target` reaches the processor with this index.
    fn matches(&self, target: Target, index: usize) -> bool {
        let wide_match = |id: u32| {
            let own = self.logical_id();
            own >> 16 == id >> 16 && own & id & 0xffff != 0
        };
        self.enabled()
            && match target {
                Target::Only(cpu) => cpu == index,
                Target::All => true,
                Target::AllBut(cpu) => cpu != index,
                Target::Physical(id) => self.id == id,
                Target::WideLogical(id) => self.x2apic() && wide_match(id),
                Target::Logical(id) if self.x2apic() => wide_match(id.into()),
                Target::Logical(0xff) => true,
                Target::Logical(id) => {
                    let own = (self.ldr >> 24) as u8;
                    // Flat: a bit for each processor. Cluster: four of them in each of 15 clusters.
                    if self.dfr >> 28 == 0xf {
                        own & id != 0
                    } else {
                        own >> 4 == id >> 4 && own & id & 0xf != 0
                    }
                }
            }
    }
}

impl MsiSink for Lapics {
    fn send(&self, address: u64, data: u32) {
        if let Some(message) = Message::of_msi(address, data) {
            self.deliver(message);
        }
    }
}

impl LineSink for Lapics {
    fn set_line(&self, line: u32, level: bool) {
        for cpu in &self.cpus {
            cpu.lock().lint(line as usize, level);
        }
    }
}

impl Socket for Lapics {
    fn name(&self) -> &'static str {
        "apic"
    }

    fn reset(&self) {
        (0..self.cpus.len()).for_each(|cpu| self.reset_cpu(cpu));
    }

    fn save(&self) -> Result<Vec<u8>, StateError> {
        let states: Vec<State> = self.cpus.iter().map(|cpu| cpu.lock().state.clone()).collect();
        snapshot::save(&states)
    }

    fn load(&self, saved: &[u8]) -> Result<(), StateError> {
        let states: Vec<State> = snapshot::load(saved)?;
        require(states.len() == self.cpus.len(), "it is of another number of processors")?;
        for (cpu, state) in self.cpus.iter().zip(states) {
            let mut local = cpu.lock();
            local.state = state;
            local.refresh();
        }
        Ok(())
    }

    fn read(&self, reg: u64, size: Size, by: Initiator) -> BusResult<u64> {
        let mut local = self.local(by.cpu()).ok_or(BusError::NoRegister)?;
        if !local.state.enabled() || local.state.x2apic() {
            return Ok(size.mask());
        }
        word(reg, size)?;
        Ok(local.mmio_read(reg, self.clock.now()).into())
    }

    fn write(&self, reg: u64, size: Size, value: u64, by: Initiator) -> BusResult<()> {
        let mut local = self.local(by.cpu()).ok_or(BusError::NoRegister)?;
        if !local.state.enabled() || local.state.x2apic() {
            return Ok(());
        }
        word(reg, size)?;
        let after = local.mmio_write(reg, value as u32, self.clock.now());
        drop(local);
        self.finish(after);
        Ok(())
    }

    fn expired(&self, timer: usize, now: VTime) {
        if let Some(mut local) = self.local(timer) {
            local.expired(now);
        }
    }
}

/// Registers are accessed as aligned words of 32 bits.
fn word(reg: u64, size: Size) -> BusResult<()> {
    match (size, reg & 3) {
        (Size::B4, 0) => Ok(()),
        (Size::B4, _) => Err(BusError::Unaligned),
        _ => Err(BusError::BadSize),
    }
}
