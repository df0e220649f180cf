//! Registers, as the memory page and the MSRs show them.

use super::local::Local;
use super::message::{Delivery, Message};
use super::spec::*;
use super::timer::Mode;
use crate::bus::clock::VTime;

/// What a register write leaves to be done once the lock is released.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    Nothing,
    /// A message for some processors.
    Send(Message),
    /// A finished level-triggered interrupt.
    Eoi(u8),
}

/// A register that does not exist, or not in this direction: an error bit in memory, #GP in MSRs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoRegister;

impl Local {
    /// Reads a register other than IDs and ICR, which the two interfaces show differently.
    fn read(&self, reg: u32, now: VTime) -> Result<u32, NoRegister> {
        let s = &self.state;
        Ok(match reg {
            VERSION => VERSION_VALUE,
            TPR => s.tpr.into(),
            PPR => s.ppr().into(),
            LDR => s.logical_id(),
            SVR => s.svr,
            ISR..=ISR_LAST => s.isr.word((reg - ISR) as usize),
            TMR..=TMR_LAST => s.tmr.word((reg - TMR) as usize),
            IRR..=IRR_LAST => s.irr.word((reg - IRR) as usize),
            ESR => s.esr,
            LVT..=LVT_LAST => s.lvt.get((reg - LVT) as usize).copied().ok_or(NoRegister)?,
            INITIAL_COUNT if s.timer_mode() == Mode::Deadline => 0,
            INITIAL_COUNT => s.counter.initial,
            CURRENT_COUNT if s.timer_mode() == Mode::Deadline => 0,
            CURRENT_COUNT => s.counter.current(s.timer_mode(), now),
            DIVIDE => s.counter.divide,
            _ => return Err(NoRegister),
        })
    }

    /// Writes a register that both interfaces have.
    fn write(&mut self, reg: u32, value: u32, now: VTime) -> Result<After, NoRegister> {
        match reg {
            TPR => self.set_tpr(value as u8),
            EOI => return Ok(self.eoi().map_or(After::Nothing, After::Eoi)),
            SVR => self.set_svr(value, now),
            ESR => self.state.esr = std::mem::take(&mut self.state.errors),
            LVT..=LVT_LAST => self.set_lvt((reg - LVT) as usize, value, now),
            INITIAL_COUNT => {
                if self.state.timer_mode() != Mode::Deadline {
                    self.settle(now);
                    self.state.counter.start(value, now);
                    self.arm();
                }
            }
            DIVIDE => {
                self.settle(now);
                let mode = self.state.timer_mode();
                self.state.counter.rebase(mode, now);
                self.state.counter.divide = value & 0xb;
                self.arm();
            }
            _ => return Err(NoRegister),
        }
        Ok(After::Nothing)
    }

    /// Reads at `offset` of the page. What there is not reads as zero.
    pub(super) fn mmio_read(&mut self, offset: u64, now: VTime) -> u32 {
        let reg = register(offset);
        let s = &self.state;
        match reg {
            ID => s.id << 24,
            DFR => s.dfr,
            APR | RRD | EOI => 0,
            ICR => s.icr as u32,
            ICR_HIGH => (s.icr >> 32) as u32,
            _ => self.read(reg, now).unwrap_or_else(|NoRegister| {
                self.error(ILLEGAL_REGISTER);
                0
            }),
        }
    }

    /// Writes at `offset` of the page.
    pub(super) fn mmio_write(&mut self, offset: u64, value: u32, now: VTime) -> After {
        let reg = register(offset);
        match reg {
            ID => self.state.id = value >> 24,
            LDR => self.state.ldr = value & 0xff00_0000,
            DFR => self.state.dfr = value | 0x0fff_ffff,
            ICR => {
                let icr = self.state.icr & 0xffff_ffff_0000_0000 | u64::from(value & ICR_BITS);
                return self.command(icr);
            }
            ICR_HIGH => {
                self.state.icr = self.state.icr & 0xffff_ffff | u64::from(value & 0xff00_0000) << 32;
            }
            VERSION | APR | PPR | RRD | CURRENT_COUNT => {}
            ISR..=IRR_LAST => {}
            _ => {
                return self.write(reg, value, now).unwrap_or_else(|NoRegister| {
                    self.error(ILLEGAL_REGISTER);
                    After::Nothing
                });
            }
        }
        After::Nothing
    }

    /// Reads the MSR with the register's number; an error means #GP.
    pub(super) fn msr_read(&self, reg: u32, now: VTime) -> Result<u64, NoRegister> {
        match reg {
            ID => Ok(self.state.id.into()),
            ICR => Ok(self.state.icr),
            _ => self.read(reg, now).map(u64::from),
        }
    }

    /// Writes the MSR with the register's number; an error, as for reserved bits, means #GP.
    pub(super) fn msr_write(&mut self, reg: u32, value: u64, now: VTime) -> Result<After, NoRegister> {
        let writable = match reg {
            TPR | SELF_IPI => 0xff,
            EOI | ESR => 0,
            SVR => SVR_BITS.into(),
            ICR => 0xffff_ffff_0000_0000 | u64::from(ICR_BITS | 1 << 12),
            LVT..=LVT_LAST => {
                let bits = LVT_BITS.get((reg - LVT) as usize).ok_or(NoRegister)?;
                u64::from(bits | LVT_STATUS)
            }
            INITIAL_COUNT => u32::MAX.into(),
            DIVIDE => 0xb,
            _ => return Err(NoRegister),
        };
        if value & !writable != 0 {
            return Err(NoRegister);
        }
        match reg {
            ICR => Ok(self.command(value & !(1 << 12))),
            SELF_IPI => Ok(self.self_ipi(value as u8)),
            _ => self.write(reg, value as u32, now),
        }
    }

    /// The task priority changes, by its register or by CR8.
    #[inline]
    pub(super) fn set_tpr(&mut self, value: u8) {
        self.state.tpr = value;
        self.update();
    }

    fn set_svr(&mut self, value: u32, now: VTime) {
        self.state.svr = value & SVR_BITS;
        if self.state.svr & SVR_ENABLE == 0 {
            self.settle(now);
            self.state.lvt.iter_mut().for_each(|lvt| *lvt |= MASKED);
            self.arm();
        }
        self.update();
    }

    fn set_lvt(&mut self, entry: usize, value: u32, now: VTime) {
        let Some(bits) = LVT_BITS.get(entry) else { return };
        let masked = if self.state.svr & SVR_ENABLE == 0 { MASKED } else { 0 };
        if entry == TIMER {
            self.settle(now);
            let from = self.state.timer_mode();
            self.state.counter.rebase(from, now);
            self.state.counter.change(from, Mode::of(value));
        }
        if let Some(lvt) = self.state.lvt.get_mut(entry) {
            let level = if value & LEVEL_TRIGGERED != 0 { *lvt & REMOTE_IRR } else { 0 };
            *lvt = value & bits | level | masked;
        }
        match entry {
            TIMER => self.arm(),
            LINT0 => self.level_lint0(),
            _ => {}
        }
        self.update();
    }

    /// A level that LINT0 already has counts when its entry becomes level triggered or unmasked.
    fn level_lint0(&mut self) {
        let lvt = self.state.lvt[LINT0];
        let level = lvt & LEVEL_TRIGGERED != 0 && Delivery::of(lvt) == Some(Delivery::Fixed);
        if self.state.lint[0] && level {
            let lint = std::mem::replace(&mut self.state.lint[0], false);
            self.lint(0, lint);
        }
    }

    fn command(&mut self, icr: u64) -> After {
        self.state.icr = icr;
        match Message::of_icr(icr, self.index, self.state.x2apic()) {
            Some(m) if m.delivery.has_vector() && m.vector < 16 => self.error(SEND_ILLEGAL_VECTOR),
            Some(message) => return After::Send(message),
            None => {}
        }
        After::Nothing
    }

    fn self_ipi(&mut self, vector: u8) -> After {
        let message = Message::self_ipi(self.index, vector);
        if vector < 16 {
            self.error(SEND_ILLEGAL_VECTOR);
            return After::Nothing;
        }
        After::Send(message)
    }
}

/// Number of the register at `offset`; one that does not exist for what lies between registers.
fn register(offset: u64) -> u32 {
    if offset & 0xf == 0 { (offset >> 4) as u32 } else { u32::MAX }
}
