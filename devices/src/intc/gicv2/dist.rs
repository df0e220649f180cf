//! The distributor of a GICv2: IHI 0048B chapter 4.3.

use super::{Core, SGIS};
use crate::bus::device::{BusError, BusResult, Size};
use crate::intc::bank::Bits;

const CTLR: u64 = 0x000;
const TYPER: u64 = 0x004;
const IIDR: u64 = 0x008;
const IPRIORITYR: u64 = 0x400;
const ITARGETSR: u64 = 0x800;
const ICFGR: u64 = 0xc00;
const NSACR: u64 = 0xe00;
const SGIR: u64 = 0xf00;
const CPENDSGIR: u64 = 0xf10;
const SPENDSGIR: u64 = 0xf20;
const ID: u64 = 0xfd0;
const END: u64 = 0x1000;

/// GICD_CTLR: EnableGrp0 and EnableGrp1.
const CTLR_MASK: u32 = 3;
/// An Arm implementation, variant and revision of the GIC-400.
const IIDR_VALUE: u32 = 0x0200_143b;
/// Identification registers from 0xfd0: peripheral ID 4 to 7, 0 to 3 (architecture version 2), component ID.
const IDS: [u8; 12] = [0x04, 0, 0, 0, 0x90, 0xb4, 0x2b, 0, 0x0d, 0xf0, 0x05, 0xb1];

/// Bits of a 32-bit register that an access of `size` at `reg` covers, and how far up they are.
fn lanes(reg: u64, size: Size) -> (u32, u32) {
    let shift = (reg as u32 & 3) * 8;
    ((size.mask() as u32) << shift, shift)
}

impl Core {
    pub(super) fn dist_read(&mut self, cpu: usize, reg: u64, size: Size) -> BusResult<u32> {
        check(reg, size)?;
        let (lanes, shift) = lanes(reg, size);
        let word = |value: u32| Ok((value & lanes) >> shift);
        let bytes = size.bytes() as usize;
        match reg & !3 {
            CTLR => word(self.state.ctlr),
            TYPER => word(self.state.shared.len() as u32 | (self.cpus() as u32 - 1) << 5),
            IIDR => word(IIDR_VALUE),
            0x080..IPRIORITYR => {
                let (bits, bank) = Bits::at(reg).ok_or(BusError::NoRegister)?;
                word(self.bank(cpu, 32 * bank as u32).map_or(0, |b| b.read_bits(bits)))
            }
            IPRIORITYR..ITARGETSR => {
                let intid = (reg - IPRIORITYR) as u32;
                Ok(self.bank(cpu, intid).map_or(0, |b| b.read_priority(intid as usize % 32, bytes)))
            }
            ITARGETSR..ICFGR => {
                let intid = (reg - ITARGETSR) as usize;
                if self.cpus() == 1 {
                    return Ok(0);
                }
                let own = [1 << cpu; 32];
                let targets = match intid / 32 {
                    0 => Some(&own),
                    n => self.state.targets.get(n - 1),
                };
                let of = targets.into_iter().flatten().skip(intid % 32).take(bytes);
                Ok(of.zip(0..).fold(0, |word, (&t, i): (&u8, u32)| word | u32::from(t) << (8 * i)))
            }
            ICFGR..NSACR => {
                let index = (reg - ICFGR) as usize / 4;
                word(self.bank(cpu, 16 * index as u32).map_or(0, |b| b.read_config(index & 1)))
            }
            NSACR..SGIR => Ok(0),
            CPENDSGIR..ID if reg < SPENDSGIR + 0x10 => {
                let first = (reg & 0xf) as usize;
                let sources = self.state.interfaces.get(cpu).map(|i| i.sgi_sources).unwrap_or_default();
                let of = sources.iter().skip(first).take(bytes);
                Ok(of.zip(0..).fold(0, |word, (&s, i): (&u8, u32)| word | u32::from(s) << (8 * i)))
            }
            ID..END => word(IDS.get((reg - ID) as usize / 4).copied().unwrap_or(0).into()),
            _ => Err(BusError::NoRegister),
        }
    }

    pub(super) fn dist_write(&mut self, cpu: usize, reg: u64, size: Size, value: u32) -> BusResult<()> {
        check(reg, size)?;
        let (lanes, shift) = lanes(reg, size);
        let word = value << shift;
        let bytes = size.bytes() as usize;
        match reg & !3 {
            CTLR => self.state.ctlr = (self.state.ctlr & !lanes | word) & CTLR_MASK,
            0x080..IPRIORITYR => {
                let (bits, bank) = Bits::at(reg).ok_or(BusError::NoRegister)?;
                let private = bank == 0;
                let lanes = match bits {
                    // SGIs are pending by GICD_SPENDSGIR only, and cannot be disabled.
                    Bits::SetPending | Bits::ClearPending | Bits::ClearEnable if private => lanes & !SGIS,
                    _ => lanes,
                };
                if let Some(b) = self.bank_mut(cpu, 32 * bank as u32) {
                    b.write_bits(bits, word, lanes);
                }
                if private {
                    self.update(cpu);
                    return Ok(());
                }
            }
            IPRIORITYR..ITARGETSR => {
                let intid = (reg - IPRIORITYR) as u32;
                if let Some(b) = self.bank_mut(cpu, intid) {
                    b.write_priority(intid as usize % 32, bytes, value, 0xff);
                }
            }
            ITARGETSR..ICFGR => self.write_targets((reg - ITARGETSR) as usize, bytes, value),
            ICFGR..NSACR => {
                let index = (reg - ICFGR) as usize / 4;
                if let Some(b) = self.bank_mut(cpu, 16 * index as u32) {
                    let whole = b.read_config(index & 1) & !lanes | word & lanes;
                    let fixed = if index < 2 { SGIS } else { 0 };
                    b.write_config(index & 1, whole, !fixed);
                }
            }
            NSACR..SGIR => {}
            SGIR if size == Size::B4 => self.send_sgi(cpu, value),
            CPENDSGIR..ID if reg < SPENDSGIR + 0x10 => {
                let first = (reg & 0xf) as u32;
                for (sgi, sources) in (first..16).zip(value.to_le_bytes().into_iter().take(bytes)) {
                    self.set_sgi(cpu, sgi, sources, reg >= SPENDSGIR);
                }
                self.update(cpu);
                return Ok(());
            }
            _ => return Err(BusError::NoRegister),
        }
        self.update_all();
        Ok(())
    }

    fn write_targets(&mut self, intid: usize, bytes: usize, value: u32) {
        let cpus = self.cpus();
        let (Some(bank), true) = ((intid / 32).checked_sub(1), cpus > 1) else { return };
        let Some(targets) = self.state.targets.get_mut(bank) else { return };
        let of = (0u32..).zip(targets.iter_mut()).skip(intid % 32).take(bytes);
        for ((bit, target), byte) in of.zip(value.to_le_bytes()) {
            *target = byte & ((1u16 << cpus) - 1) as u8;
            (0..cpus).for_each(|cpu| self.routes.set(bank, bit, cpu, *target >> cpu & 1 != 0));
        }
    }

    /// GICD_SGIR: sends SGI `value[3:0]` to the processors that the filter names.
    fn send_sgi(&mut self, cpu: usize, value: u32) {
        let own = 1 << cpu;
        let targets = match value >> 24 & 3 {
            0 => value >> 16 & 0xff,
            1 => 0xff & !own,
            2 => own,
            _ => 0,
        };
        for target in (0..self.cpus()).filter(|t| targets >> t & 1 != 0) {
            self.set_sgi(target, value & 0xf, own as u8, true);
        }
    }

    /// Makes an SGI from `sources` pending on `cpu`, or no longer so.
    fn set_sgi(&mut self, cpu: usize, sgi: u32, sources: u8, pending: bool) {
        let sources = sources & ((1u16 << self.cpus()) - 1) as u8;
        let (Some(interface), Some(bank)) =
            (self.state.interfaces.get_mut(cpu), self.state.private.get_mut(cpu))
        else {
            return;
        };
        if let Some(slot) = interface.sgi_sources.get_mut(sgi as usize) {
            *slot = if pending { *slot | sources } else { *slot & !sources };
            let mask = 1 << sgi;
            bank.latch = if *slot != 0 { bank.latch | mask } else { bank.latch & !mask };
        }
    }
}

fn check(reg: u64, size: Size) -> BusResult<()> {
    if size > Size::B4 {
        Err(BusError::BadSize)
    } else if reg & (size.bytes() - 1) != 0 {
        Err(BusError::Unaligned)
    } else {
        Ok(())
    }
}
