//! The CPU interface of a GICv2: IHI 0048B chapter 4.4.

use super::{Core, Interface};
use crate::bus::device::{BusError, BusResult, Size};
use crate::intc::bank::{IDLE, Pending};

const CTLR: u64 = 0x0000;
const PMR: u64 = 0x0004;
const BPR: u64 = 0x0008;
const IAR: u64 = 0x000c;
const EOIR: u64 = 0x0010;
const RPR: u64 = 0x0014;
const HPPIR: u64 = 0x0018;
const ABPR: u64 = 0x001c;
const AIAR: u64 = 0x0020;
const AEOIR: u64 = 0x0024;
const AHPPIR: u64 = 0x0028;
const APR: u64 = 0x00d0;
const NSAPR: u64 = 0x00e0;
const IIDR: u64 = 0x00fc;
const DIR: u64 = 0x1000;

const CTLR_ACK_CTL: u32 = 1 << 2;
pub(super) const CTLR_FIQ_EN: u32 = 1 << 3;
const CTLR_CBPR: u32 = 1 << 4;
/// EOImode; the bit for Non-secure accesses is not there without the Security Extensions.
const CTLR_EOI_MODE: u32 = 1 << 9;
const CTLR_MASK: u32 = 0x21f;

/// Architecture version 2, implementer Arm.
const IIDR_VALUE: u32 = 0x0002_043b;

/// Group 1 is pending where only group 0 may be acknowledged.
const OTHER_GROUP: u32 = 1022;
/// Nothing to acknowledge.
const SPURIOUS: u32 = 1023;

impl Interface {
    /// The part of a priority that decides on preemption, 3.3.3.
    fn group_priority(&self, p: &Pending) -> u8 {
        let bpr = if p.group1 && self.ctlr & CTLR_CBPR == 0 { self.abpr.saturating_sub(1) } else { self.bpr };
        p.priority & (!0u32 << ((bpr & 7) + 1)) as u8
    }

    pub(super) fn running(&self) -> u8 {
        let [group0, group1] = &self.apr;
        group0.running().min(group1.running())
    }

    /// Whether `p` interrupts the processor now.
    pub(super) fn takes(&self, p: &Pending) -> bool {
        p.priority < self.pmr && self.preempts(p)
    }

    fn preempts(&self, p: &Pending) -> bool {
        let running = self.running();
        running == IDLE || self.group_priority(p) < running
    }

    /// What IAR and HPPIR (`group1` false) or their aliases (`group1` true) may show of `p`: the interrupt, or the
    /// special number to show in its place.
    fn visible(&self, p: Option<Pending>, group1: bool) -> Result<Pending, u32> {
        match p.filter(|p| p.priority < self.pmr) {
            None => Err(SPURIOUS),
            Some(p) if p.group1 == group1 || !group1 && self.ctlr & CTLR_ACK_CTL != 0 => Ok(p),
            Some(_) if group1 => Err(SPURIOUS),
            Some(_) => Err(OTHER_GROUP),
        }
    }
}

impl Core {
    pub(super) fn cpu_read(&mut self, cpu: usize, reg: u64, size: Size) -> BusResult<u32> {
        check(reg, size)?;
        let best = self.best.get(cpu).copied().flatten();
        let Some(i) = self.state.interfaces.get(cpu) else { return Err(BusError::NoRegister) };
        Ok(match reg {
            CTLR => i.ctlr,
            PMR => i.pmr.into(),
            BPR => i.bpr.into(),
            IAR => return Ok(self.acknowledge(cpu, false)),
            AIAR => return Ok(self.acknowledge(cpu, true)),
            RPR => i.running().into(),
            HPPIR | AHPPIR => match i.visible(best, reg == AHPPIR) {
                Ok(p) => p.intid | self.source(cpu, p.intid) << 10,
                Err(special) => special,
            },
            ABPR => i.abpr.into(),
            APR..NSAPR => i.apr[0].words[((reg - APR) / 4) as usize & 3],
            NSAPR..0x00f0 => i.apr[1].words[((reg - NSAPR) / 4) as usize & 3],
            IIDR => IIDR_VALUE,
            _ => return Err(BusError::NoRegister),
        })
    }

    pub(super) fn cpu_write(&mut self, cpu: usize, reg: u64, size: Size, value: u32) -> BusResult<()> {
        check(reg, size)?;
        let Some(i) = self.state.interfaces.get_mut(cpu) else { return Err(BusError::NoRegister) };
        match reg {
            CTLR => i.ctlr = value & CTLR_MASK,
            PMR => i.pmr = value as u8,
            BPR => i.bpr = value as u8 & 7,
            ABPR => i.abpr = (value as u8 & 7).max(1),
            EOIR | AEOIR => return self.end(cpu, value & 0x3ff, reg == AEOIR),
            APR..NSAPR => i.apr[0].words[((reg - APR) / 4) as usize & 3] = value,
            NSAPR..0x00f0 => i.apr[1].words[((reg - NSAPR) / 4) as usize & 3] = value,
            DIR => {
                if i.ctlr & CTLR_EOI_MODE != 0 {
                    self.deactivate(cpu, value & 0x3ff);
                }
            }
            _ => return Err(BusError::NoRegister),
        }
        self.update(cpu);
        Ok(())
    }

    /// The lowest processor that sent SGI `intid` and still waits; 0 for other interrupts.
    fn source(&self, cpu: usize, intid: u32) -> u32 {
        let sources = self.state.interfaces.get(cpu).and_then(|i| i.sgi_sources.get(intid as usize));
        sources.filter(|&&s| s != 0).map_or(0, |s| s.trailing_zeros())
    }

    fn acknowledge(&mut self, cpu: usize, group1: bool) -> u32 {
        let best = self.best.get(cpu).copied().flatten();
        let Some(i) = self.state.interfaces.get_mut(cpu) else { return SPURIOUS };
        let p = match i.visible(best, group1) {
            Ok(p) => p,
            Err(special) => return special,
        };
        if !i.preempts(&p) {
            return SPURIOUS;
        }
        let priority = i.group_priority(&p);
        i.apr[usize::from(p.group1)].push(priority);
        let source = self.source(cpu, p.intid);
        if let Some(bank) = self.bank_mut(cpu, p.intid) {
            bank.activate(p.intid % 32);
        }
        // An SGI of several senders is acknowledged once for each of them.
        let left = self.state.interfaces.get_mut(cpu).and_then(|i| i.sgi_sources.get_mut(p.intid as usize));
        if let (Some(left), Some(bank)) = (left, self.state.private.get_mut(cpu)) {
            *left &= !(1 << source);
            bank.latch |= u32::from(*left != 0) << p.intid;
        }
        self.update_for(cpu, p.intid);
        p.intid | source << 10
    }

    fn end(&mut self, cpu: usize, intid: u32, alias: bool) -> BusResult<()> {
        let Some(bank) = self.bank(cpu, intid) else { return Ok(()) };
        let group1 = bank.group >> (intid % 32) & 1 != 0;
        let Some(i) = self.state.interfaces.get_mut(cpu) else { return Ok(()) };
        // The end of what was never acknowledged is unpredictable; like QEMU, it does nothing.
        if alias && !group1 || i.running() == IDLE {
            return Ok(());
        }
        i.apr[usize::from(group1)].drop_highest();
        if i.ctlr & CTLR_EOI_MODE == 0 {
            self.deactivate(cpu, intid);
        }
        self.update(cpu);
        Ok(())
    }

    fn deactivate(&mut self, cpu: usize, intid: u32) {
        if let Some(bank) = self.bank_mut(cpu, intid) {
            bank.deactivate(intid % 32);
            self.update_for(cpu, intid);
        }
    }
}

fn check(reg: u64, size: Size) -> BusResult<()> {
    if size != Size::B4 {
        Err(BusError::BadSize)
    } else if reg & 3 != 0 {
        Err(BusError::Unaligned)
    } else {
        Ok(())
    }
}
