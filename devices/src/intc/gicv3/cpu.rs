//! The CPU interface of a GICv3: IHI 0069H chapters 4 and 12.2.

use super::icc::Icc;
use super::{Core, Cpu, PRIORITY_MASK, SGIS};
use crate::intc::bank::{IDLE, Pending};

/// ICC_CTLR_EL1.
const CTLR_CBPR: u64 = 1 << 0;
const CTLR_EOI_MODE: u64 = 1 << 1;
/// Five bits of priority, INTIDs of 24 bits, Aff3 supported in SGIs.
const CTLR_FIXED: u64 = 4 << 8 | 1 << 11 | 1 << 15;
/// ICC_SRE_EL1: system registers only, no bypass of FIQ and IRQ.
const SRE_VALUE: u64 = 7;

/// Least binary points with five bits of priority. That of group 1 counts from one bit further up (4.8.6).
pub(super) const MIN_BPR: [u8; 2] = [2, 3];

/// Nothing to acknowledge.
const SPURIOUS: u64 = 1023;
/// INTIDs in the registers.
const INTID: u64 = 0xff_ffff;

/// Whether a loaded state is one the interface can be in.
pub(super) fn valid(c: &Cpu) -> bool {
    c.bpr.iter().zip(MIN_BPR).all(|(&bpr, min)| (min..=7).contains(&bpr))
}

impl Cpu {
    /// The part of a priority that decides on preemption, 4.8.5.
    fn group_priority(&self, p: &Pending) -> u8 {
        let [bpr0, bpr1] = self.bpr;
        let bpr = if p.group1 && self.ctlr & CTLR_CBPR == 0 { bpr1.saturating_sub(1) } else { bpr0 };
        p.priority & (!0u32 << ((bpr & 7) + 1)) as u8
    }

    pub(super) fn running(&self) -> u8 {
        let [group0, group1] = &self.apr;
        group0.running().min(group1.running())
    }

    /// Whether `p` interrupts the processor now.
    pub(super) fn takes(&self, p: &Pending) -> bool {
        let running = self.running();
        p.priority < self.pmr && (running == IDLE || self.group_priority(p) < running)
    }
}

impl Core {
    fn best(&self, cpu: usize, group1: bool) -> Option<Pending> {
        self.best.get(cpu).copied().flatten().filter(|p| p.group1 == group1)
    }

    pub(super) fn icc_read(&mut self, cpu: usize, reg: Icc) -> Option<u64> {
        let c = self.state.cpus.get(cpu)?;
        Some(match reg {
            Icc::Iar1 => self.acknowledge(cpu, true),
            Icc::Iar0 => self.acknowledge(cpu, false),
            Icc::Hppir0 => self.best(cpu, false).map_or(SPURIOUS, |p| p.intid.into()),
            Icc::Hppir1 => self.best(cpu, true).map_or(SPURIOUS, |p| p.intid.into()),
            Icc::Pmr => c.pmr.into(),
            Icc::Bpr0 => c.bpr[0].into(),
            Icc::Bpr1 if c.ctlr & CTLR_CBPR != 0 => (c.bpr[0] + 1).min(7).into(),
            Icc::Bpr1 => c.bpr[1].into(),
            Icc::Ap0r(0) => c.apr[0].words[0].into(),
            Icc::Ap1r(0) => c.apr[1].words[0].into(),
            Icc::Rpr => c.running().into(),
            Icc::Ctlr => c.ctlr | CTLR_FIXED,
            Icc::Sre => SRE_VALUE,
            Icc::Igrpen0 => (c.groups & 1).into(),
            Icc::Igrpen1 => (c.groups >> 1 & 1).into(),
            Icc::Ap0r(_) | Icc::Ap1r(_) => return None,
            Icc::Eoir0 | Icc::Eoir1 | Icc::Dir | Icc::Sgi0r | Icc::Sgi1r | Icc::Asgi1r => return None,
        })
    }

    pub(super) fn icc_write(&mut self, cpu: usize, reg: Icc, value: u64) -> Option<()> {
        let c = self.state.cpus.get_mut(cpu)?;
        let bpr = (value & 7) as u8;
        match reg {
            Icc::Eoir1 => self.end(cpu, value & INTID, true),
            Icc::Eoir0 => self.end(cpu, value & INTID, false),
            Icc::Sgi1r => self.send_sgi(cpu, value, true),
            Icc::Sgi0r => self.send_sgi(cpu, value, false),
            // There is one security state, so there is no other one to send to.
            Icc::Asgi1r => return Some(()),
            Icc::Dir => {
                if c.ctlr & CTLR_EOI_MODE != 0 {
                    self.deactivate(cpu, value & INTID);
                }
            }
            Icc::Pmr => c.pmr = value as u8 & PRIORITY_MASK,
            Icc::Bpr0 => c.bpr[0] = bpr.max(MIN_BPR[0]),
            Icc::Bpr1 if c.ctlr & CTLR_CBPR != 0 => {}
            Icc::Bpr1 => c.bpr[1] = bpr.max(MIN_BPR[1]),
            Icc::Ap0r(0) => c.apr[0].words[0] = value as u32,
            Icc::Ap1r(0) => c.apr[1].words[0] = value as u32,
            Icc::Ctlr => c.ctlr = value & (CTLR_CBPR | CTLR_EOI_MODE),
            Icc::Sre => {}
            Icc::Igrpen0 => c.groups = c.groups & !1 | value as u32 & 1,
            Icc::Igrpen1 => c.groups = c.groups & !2 | (value as u32 & 1) << 1,
            Icc::Ap0r(_) | Icc::Ap1r(_) => return None,
            Icc::Iar0 | Icc::Iar1 | Icc::Hppir0 | Icc::Hppir1 | Icc::Rpr => return None,
        }
        self.update(cpu);
        Some(())
    }

    fn acknowledge(&mut self, cpu: usize, group1: bool) -> u64 {
        let best = self.best(cpu, group1);
        let Some(c) = self.state.cpus.get_mut(cpu) else { return SPURIOUS };
        let Some(p) = best.filter(|p| c.takes(p)) else { return SPURIOUS };
        let priority = c.group_priority(&p);
        c.apr[usize::from(group1)].push(priority);
        if let Some(bank) = self.bank_mut(cpu, p.intid) {
            bank.activate(p.intid % 32);
        }
        self.update_for(cpu, p.intid);
        p.intid.into()
    }

    /// Drops the running priority if it is of that group, and deactivates the interrupt unless that is separate.
    fn end(&mut self, cpu: usize, intid: u64, group1: bool) {
        if intid >= 32 * (self.state.shared.len() as u64 + 1) {
            return;
        }
        let Some(c) = self.state.cpus.get_mut(cpu) else { return };
        let [running0, running1] = c.apr.map(|a| a.running());
        let highest_is_group1 = running1 < running0;
        if highest_is_group1 != group1 || running0.min(running1) == IDLE {
            return;
        }
        c.apr[usize::from(group1)].drop_highest();
        if c.ctlr & CTLR_EOI_MODE == 0 {
            self.deactivate(cpu, intid);
        }
    }

    fn deactivate(&mut self, cpu: usize, intid: u64) {
        let intid = intid as u32;
        if let Some(bank) = self.bank_mut(cpu, intid) {
            bank.deactivate(intid % 32);
            self.update_for(cpu, intid);
        }
    }

    /// ICC_SGI0R_EL1 and ICC_SGI1R_EL1: an SGI becomes pending on the processors addressed on which it is in the
    /// group of the register.
    fn send_sgi(&mut self, from: usize, value: u64, group1: bool) {
        let all_others = value >> 40 & 1 != 0;
        let sgi = (value >> 24 & 0xf) as u32;
        let cluster = (value >> 48 & 0xff) << 32 | (value >> 32 & 0xff) << 16 | (value >> 16 & 0xff) << 8;
        let first = (value >> 44 & 0xf) * 16;
        for to in 0..self.affinities.len() {
            let affinity = self.affinities.get(to).copied().unwrap_or(0);
            let low = (affinity & 0xff).wrapping_sub(first);
            let named = affinity & !0xff == cluster && low < 16 && value >> low & 1 != 0;
            if !(if all_others { to != from } else { named }) {
                continue;
            }
            let Some(c) = self.state.cpus.get_mut(to) else { continue };
            if (c.private.group >> sgi & 1 != 0) == group1 {
                c.private.latch |= 1 << sgi & SGIS;
                self.update(to);
            }
        }
    }
}
