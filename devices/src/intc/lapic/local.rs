//! One local APIC: what it accepts, holds, and tells its processor.

use super::message::Delivery;
use super::spec::*;
use super::timer::{Counter, Mode};
use super::vectors::Vectors;
use crate::bus::clock::{Timer, VTime};
use crate::intc::{X86Lines, X86Signal};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What the guest can change, and the levels of the inputs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    /// IA32_APIC_BASE.
    pub(super) base: u64,
    pub(super) id: u32,
    pub(super) ldr: u32,
    pub(super) dfr: u32,
    pub(super) tpr: u8,
    pub(super) svr: u32,
    /// What ESR shows, and what it will show after the next write.
    pub(super) esr: u32,
    pub(super) errors: u32,
    pub(super) icr: u64,
    pub(super) lvt: [u32; LVTS],
    pub(super) irr: Vectors,
    pub(super) isr: Vectors,
    pub(super) tmr: Vectors,
    /// A message of delivery mode ExtINT arrived.
    pub(super) extint: bool,
    /// Levels of LINT0 and LINT1.
    pub(super) lint: [bool; 2],
    pub(super) counter: Counter,
}

impl State {
    /// After power on (SDM volume 3, 12.4.7.1).
    pub(super) fn power_on(index: usize, id: u32, lint: [bool; 2]) -> State {
        let bsp = if index == 0 { BASE_BSP } else { 0 };
        State {
            base: BASE_DEFAULT | BASE_ENABLE | bsp,
            id,
            ldr: 0,
            dfr: u32::MAX,
            tpr: 0,
            svr: 0xff,
            esr: 0,
            errors: 0,
            icr: 0,
            lvt: [MASKED; LVTS],
            irr: Vectors::default(),
            isr: Vectors::default(),
            tmr: Vectors::default(),
            extint: false,
            lint,
            counter: Counter::default(),
        }
    }

    pub(super) fn enabled(&self) -> bool {
        self.base & BASE_ENABLE != 0
    }

    pub(super) fn x2apic(&self) -> bool {
        self.base & (BASE_ENABLE | BASE_X2APIC) == BASE_ENABLE | BASE_X2APIC
    }

    /// Enabled in both ways: by IA32_APIC_BASE and SVR.
    pub(super) fn takes_interrupts(&self) -> bool {
        self.enabled() && self.svr & SVR_ENABLE != 0
    }

    pub(super) fn ppr(&self) -> u8 {
        let serviced = self.isr.highest().unwrap_or(0) & 0xf0;
        if self.tpr & 0xf0 >= serviced { self.tpr } else { serviced }
    }

    /// What the processor is to take from here: the highest request of a class above the processor's priority.
    pub(super) fn deliverable(&self) -> Option<u8> {
        if !self.takes_interrupts() {
            return None;
        }
        self.irr.highest().filter(|v| v & 0xf0 > self.ppr() & 0xf0)
    }

    /// Whether the 8259's interrupt is asked for: through LINT0, by a message, or by the pin that LINT0 is without a
    /// local APIC.
    pub(super) fn external(&self) -> bool {
        if !self.enabled() {
            return self.lint[0];
        }
        let lint0 = self.lvt[LINT0];
        self.extint || self.lint[0] && lint0 & MASKED == 0 && Delivery::of(lint0) == Some(Delivery::ExtInt)
    }

    /// Logical ID: of x2APICs it follows from the ID.
    pub(super) fn logical_id(&self) -> u32 {
        if self.x2apic() { self.id >> 4 << 16 | 1 << (self.id & 15) } else { self.ldr }
    }

    pub(super) fn timer_mode(&self) -> Mode {
        Mode::of(self.lvt[TIMER])
    }
}

/// A local APIC and what it drives.
pub(super) struct Local {
    pub(super) index: usize,
    /// APIC ID after a reset.
    id: u32,
    pub(super) state: State,
    pub(super) timer: Timer,
    /// The level of INTR that the processor knows.
    intr: bool,
    lines: Arc<dyn X86Lines>,
}

impl Local {
    pub(super) fn new(index: usize, id: u32, timer: Timer, lines: Arc<dyn X86Lines>) -> Local {
        Local { index, id, state: State::power_on(index, id, [false; 2]), timer, intr: false, lines }
    }

    /// Tells the processor if INTR changed. To be called after every change of state.
    #[inline]
    pub(super) fn update(&mut self) {
        let intr = self.state.deliverable().is_some() || self.state.external();
        if self.intr != intr {
            self.intr = intr;
            self.lines.signal(self.index, X86Signal::Intr(intr));
        }
    }

    /// Everything that follows from a state that was replaced.
    pub(super) fn refresh(&mut self) {
        self.arm();
        self.update();
    }

    pub(super) fn intr(&self) -> bool {
        self.intr
    }

    /// State after power on.
    pub(super) fn reset(&mut self) {
        self.state = State::power_on(self.index, self.id, self.state.lint);
        self.refresh();
    }

    /// State after INIT (SDM volume 3, 12.4.7.3): as after power on, but for the ID and IA32_APIC_BASE.
    pub(super) fn init(&mut self) {
        let s = &self.state;
        self.state = State { base: s.base, id: s.id, ..State::power_on(self.index, s.id, s.lint) };
        self.refresh();
    }

    /// A message arrived.
    pub(super) fn receive(&mut self, delivery: Delivery, vector: u8, level: bool) {
        match delivery {
            Delivery::Fixed | Delivery::Lowest => self.accept(vector, level),
            Delivery::Smi => self.lines.signal(self.index, X86Signal::Smi),
            Delivery::Nmi => self.lines.signal(self.index, X86Signal::Nmi),
            Delivery::Init => self.lines.signal(self.index, X86Signal::Init),
            Delivery::Startup => self.lines.signal(self.index, X86Signal::Sipi(vector)),
            Delivery::ExtInt => {
                self.state.extint = true;
                self.update();
            }
        }
    }

    fn accept(&mut self, vector: u8, level: bool) {
        if !self.state.takes_interrupts() {
            return;
        }
        if vector < 16 {
            return self.error(RECEIVE_ILLEGAL_VECTOR);
        }
        self.state.irr.set(vector, true);
        self.state.tmr.set(vector, level);
        self.update();
    }

    /// Notes errors, and interrupts for them if the guest wants that.
    pub(super) fn error(&mut self, bits: u32) {
        let known = self.state.errors;
        self.state.errors |= bits;
        // An illegal vector of the error interrupt is an error itself, which need not interrupt again.
        if known & bits != bits && self.state.lvt[ERROR] as u8 >= 16 {
            self.local(ERROR);
        }
    }

    /// The source of an LVT entry asks for its interrupt.
    fn local(&mut self, entry: usize) {
        let Some(&lvt) = self.state.lvt.get(entry).filter(|lvt| **lvt & MASKED == 0) else { return };
        match Delivery::of(lvt) {
            _ if entry == TIMER || entry == ERROR => self.accept(lvt as u8, false),
            Some(Delivery::Fixed) => {
                let level = entry == LINT0 && lvt & LEVEL_TRIGGERED != 0;
                if level && lvt & REMOTE_IRR != 0 {
                    return;
                }
                if level && self.state.takes_interrupts() && lvt as u8 >= 16 {
                    self.state.lvt[LINT0] |= REMOTE_IRR;
                }
                self.accept(lvt as u8, level);
            }
            Some(delivery @ (Delivery::Smi | Delivery::Nmi | Delivery::Init)) => {
                self.receive(delivery, 0, false);
            }
            _ => self.update(),
        }
    }

    /// Input LINT0 or LINT1 is now at `level`.
    pub(super) fn lint(&mut self, pin: usize, level: bool) {
        let Some(old) = self.state.lint.get_mut(pin) else { return };
        let rises = !std::mem::replace(old, level) && level;
        if !self.state.enabled() {
            // Without a local APIC the pins are INTR and NMI.
            if pin == 1 && rises {
                self.lines.signal(self.index, X86Signal::Nmi);
            }
        } else if rises {
            self.local(LINT0 + pin);
        }
        self.update();
    }

    /// Ends the interrupt in service; its vector if I/O APICs are to hear of it.
    pub(super) fn eoi(&mut self) -> Option<u8> {
        let vector = self.state.isr.highest()?;
        self.state.isr.set(vector, false);
        let level = self.state.tmr.has(vector);
        let lint0 = self.state.lvt[LINT0];
        if level && lint0 & REMOTE_IRR != 0 && lint0 as u8 == vector {
            self.state.lvt[LINT0] &= !REMOTE_IRR;
            if self.state.lint[0] {
                self.local(LINT0);
            }
        }
        self.update();
        level.then_some(vector)
    }

    /// Moves the highest request into service.
    pub(super) fn take(&mut self) -> Option<u8> {
        let vector = self.state.deliverable()?;
        self.state.irr.set(vector, false);
        self.state.isr.set(vector, true);
        self.update();
        Some(vector)
    }

    /// Does what the timer is due for.
    pub(super) fn settle(&mut self, now: VTime) {
        let mode = self.state.timer_mode();
        if self.state.counter.settle(mode, now) {
            self.local(TIMER);
        }
    }

    /// Sets the host's side of the timer. A masked timer counts without anybody's help.
    pub(super) fn arm(&self) {
        let masked = self.state.lvt[TIMER] & MASKED != 0;
        match self.state.counter.due(self.state.timer_mode()) {
            Some(due) if !masked => self.timer.set(due),
            _ => self.timer.cancel(),
        }
    }

    /// The timer's deadline passed, or an earlier one did.
    pub(super) fn expired(&mut self, now: VTime) {
        self.settle(now);
        let masked = self.state.lvt[TIMER] & MASKED != 0;
        if let Some(next) = self.state.counter.next(self.state.timer_mode(), now).filter(|_| !masked) {
            self.timer.set(next);
        }
    }

    /// Writes IA32_APIC_BASE; none if the value is reserved or the transition illegal (SDM volume 3, figure 12-27).
    pub(super) fn set_base(&mut self, value: u64, x2apic_exists: bool) -> Option<()> {
        const MODE: u64 = BASE_ENABLE | BASE_X2APIC;
        let reserved = if x2apic_exists { BASE_RESERVED } else { BASE_RESERVED | BASE_X2APIC };
        if value & reserved != 0 {
            return None;
        }
        let (from, to) = (self.state.base & MODE, value & MODE);
        match (from, to) {
            _ if to == BASE_X2APIC => return None,
            (0, MODE) | (MODE, BASE_ENABLE) => return None,
            _ => {}
        }
        self.state.base = value;
        if to == 0 && from != 0 {
            self.state = State { base: value, ..State::power_on(self.index, self.id, self.state.lint) };
        } else if to == MODE {
            // What the guest wrote to the xAPIC's ID does not matter any more.
            self.state.id = self.id;
        }
        self.refresh();
        Some(())
    }
}
