//! The distributor of a GICv3: IHI 0069H chapter 12.9.

use super::{AFFINITY, Core, IIDR_VALUE, PRIORITY_MASK, id};
use crate::bus::device::{BusError, BusResult, Size};
use crate::intc::bank::Bits;

const CTLR: u64 = 0x0000;
const TYPER: u64 = 0x0004;
const IIDR: u64 = 0x0008;
const TYPER2: u64 = 0x000c;
const STATUSR: u64 = 0x0010;
const SETSPI_NSR: u64 = 0x0040;
const CLRSPI_SR: u64 = 0x0058;
const IGROUPR: u64 = 0x0080;
const IPRIORITYR: u64 = 0x0400;
const ITARGETSR: u64 = 0x0800;
const ICFGR: u64 = 0x0c00;
const IGRPMODR: u64 = 0x0d00;
const SPENDSGIR_END: u64 = 0x0f30;
const IROUTER: u64 = 0x6000;
const IROUTER_END: u64 = 0x8000;
const ID: u64 = 0xffd0;
const END: u64 = 0x1_0000;

/// Part number in the identification registers.
const PART: u8 = 0x92;

/// GICD_CTLR: EnableGrp0 and EnableGrp1 can be written; ARE and DS read as one.
const CTLR_MASK: u32 = 3;
const CTLR_FIXED: u32 = 1 << 4 | 1 << 6;
/// No1N, A3V, 16 bits of INTID; no LPIs, no message-based SPIs, one security state.
const TYPER_FIXED: u64 = 1 << 25 | 1 << 24 | 0xf << 19;

impl Core {
    pub(super) fn dist_read(&self, reg: u64, size: Size) -> BusResult<u64> {
        let shared = |bank: usize| bank.checked_sub(1).and_then(|i| self.state.shared.get(i));
        if let IPRIORITYR..ITARGETSR = reg {
            let (intid, bytes) = ((reg - IPRIORITYR) as usize, priority_bytes(size)?);
            return Ok(shared(intid / 32).map_or(0, |b| b.read_priority(intid % 32, bytes).into()));
        }
        if let IROUTER..IROUTER_END = reg {
            let (index, shift) = router(reg, size)?;
            let routers = (index / 32).checked_sub(1).and_then(|i| self.state.routers.get(i));
            return Ok(routers.and_then(|r| r.get(index % 32)).map_or(0, |r| r >> shift));
        }
        if size != Size::B4 {
            return Err(BusError::BadSize);
        }
        Ok(match reg {
            CTLR => (self.state.ctlr | CTLR_FIXED).into(),
            TYPER => TYPER_FIXED | self.state.shared.len() as u64,
            IIDR => IIDR_VALUE,
            TYPER2 | STATUSR => 0,
            IGROUPR..IPRIORITYR => {
                let (bits, bank) = Bits::at(reg).ok_or(BusError::NoRegister)?;
                shared(bank).map_or(0, |b| b.read_bits(bits).into())
            }
            ICFGR..IGRPMODR => {
                let index = (reg - ICFGR) as usize / 4;
                shared(index / 2).map_or(0, |b| b.read_config(index & 1).into())
            }
            // With affinity routing these read as zero.
            ITARGETSR..ICFGR | IGRPMODR..SPENDSGIR_END => 0,
            ID..END => id(reg, PART),
            _ => return Err(BusError::NoRegister),
        })
    }

    pub(super) fn dist_write(&mut self, reg: u64, size: Size, value: u64) -> BusResult<()> {
        let shared = &mut self.state.shared;
        if let IPRIORITYR..ITARGETSR = reg {
            let (intid, bytes) = ((reg - IPRIORITYR) as usize, priority_bytes(size)?);
            if let Some(b) = (intid / 32).checked_sub(1).and_then(|i| shared.get_mut(i)) {
                b.write_priority(intid % 32, bytes, value as u32, PRIORITY_MASK);
                self.update_all();
            }
            return Ok(());
        }
        if let IROUTER..IROUTER_END = reg {
            return self.write_router(reg, size, value);
        }
        if size != Size::B4 {
            return Err(BusError::BadSize);
        }
        match reg {
            CTLR => self.state.ctlr = value as u32 & CTLR_MASK,
            IGROUPR..IPRIORITYR => {
                let (bits, bank) = Bits::at(reg).ok_or(BusError::NoRegister)?;
                if let Some(b) = bank.checked_sub(1).and_then(|i| shared.get_mut(i)) {
                    b.write_bits(bits, value as u32, !0);
                }
            }
            ICFGR..IGRPMODR => {
                let index = (reg - ICFGR) as usize / 4;
                if let Some(b) = (index / 2).checked_sub(1).and_then(|i| shared.get_mut(i)) {
                    b.write_config(index & 1, value as u32, !0);
                }
            }
            STATUSR | SETSPI_NSR..=CLRSPI_SR | ITARGETSR..ICFGR | IGRPMODR..SPENDSGIR_END => return Ok(()),
            _ => return Err(BusError::NoRegister),
        }
        self.update_all();
        Ok(())
    }

    /// Changes GICD_IROUTER. The bit that routes to any processor stays zero, as GICD_TYPER.No1N says.
    fn write_router(&mut self, reg: u64, size: Size, value: u64) -> BusResult<()> {
        let (index, shift) = router(reg, size)?;
        let Some(bank) = (index / 32).checked_sub(1) else { return Ok(()) };
        let slot = self.state.routers.get_mut(bank).and_then(|r| r.get_mut(index % 32));
        if let Some(slot) = slot {
            *slot = (*slot & !(size.mask() << shift) | value << shift) & AFFINITY;
            self.route(bank, index as u32 % 32);
            self.update_all();
        }
        Ok(())
    }
}

/// Bytes of a priority access: these registers take bytes and words.
pub(super) fn priority_bytes(size: Size) -> BusResult<usize> {
    match size {
        Size::B1 => Ok(1),
        Size::B4 => Ok(4),
        _ => Err(BusError::BadSize),
    }
}

/// The INTID that an access to GICD_IROUTER is about, and how far up in it the accessed bits are.
fn router(reg: u64, size: Size) -> BusResult<(usize, u32)> {
    let index = (reg - IROUTER) as usize / 8;
    match size {
        Size::B4 => Ok((index, (reg as u32 & 4) * 8)),
        Size::B8 => Ok((index, 0)),
        _ => Err(BusError::BadSize),
    }
}
