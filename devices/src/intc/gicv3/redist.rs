//! The redistributors of a GICv3, one for each processor: IHI 0069H chapters 12.10 and 12.11. Each is two frames,
//! control and the processor's own interrupts.

use super::dist::priority_bytes;
use super::{Core, GicV3, IIDR_VALUE, PRIORITY_MASK, SGIS, id};
use crate::bus::device::{BusError, BusResult, Size};
use crate::intc::bank::Bits;

const CTLR: u64 = 0x0000;
const IIDR: u64 = 0x0004;
const TYPER: u64 = 0x0008;
const TYPER_HIGH: u64 = 0x000c;
const STATUSR: u64 = 0x0010;
const WAKER: u64 = 0x0014;
const PROPBASER: u64 = 0x0070;
const PENDBASER_END: u64 = 0x0080;
const ID: u64 = 0xffd0;

/// Offset of the frame of SGIs and PPIs; its registers are those of the distributor, for 32 interrupts.
const SGI_BASE: u64 = 0x1_0000;
const IGROUPR0: u64 = SGI_BASE + 0x080;
const IPRIORITYR: u64 = SGI_BASE + 0x400;
const IPRIORITYR_END: u64 = SGI_BASE + 0x420;
const ICFGR0: u64 = SGI_BASE + 0xc00;
const ICFGR1: u64 = SGI_BASE + 0xc04;
const IGRPMODR0: u64 = SGI_BASE + 0xd00;
const NSACR: u64 = SGI_BASE + 0xe00;

/// Part number in the identification registers.
const PART: u8 = 0x93;

/// GICR_WAKER: ProcessorSleep, and ChildrenAsleep, which follows it at once.
const PROCESSOR_SLEEP: u64 = 1 << 1;
const CHILDREN_ASLEEP: u64 = 1 << 2;

impl Core {
    /// GICR_TYPER: affinity, processor number, whether it is the last; no LPIs.
    fn redist_typer(&self, cpu: usize) -> u64 {
        let affinity = self.affinities.get(cpu).copied().unwrap_or(0);
        let affinity = affinity >> 32 << 24 | affinity & 0xff_ffff;
        affinity << 32 | (cpu as u64) << 8 | u64::from(cpu + 1 == self.affinities.len()) << 4
    }

    pub(super) fn redist_read(&self, reg: u64, size: Size) -> BusResult<u64> {
        let (cpu, reg) = split(reg);
        let c = self.state.cpus.get(cpu).ok_or(BusError::NoRegister)?;
        if let IPRIORITYR..IPRIORITYR_END = reg {
            return Ok(c.private.read_priority((reg - IPRIORITYR) as usize, priority_bytes(size)?).into());
        }
        if size == Size::B8 && reg == TYPER {
            return Ok(self.redist_typer(cpu));
        }
        if size == Size::B8 && (PROPBASER..PENDBASER_END).contains(&reg) {
            return Ok(0);
        }
        if size != Size::B4 {
            return Err(BusError::BadSize);
        }
        Ok(match reg {
            CTLR | STATUSR | PROPBASER..PENDBASER_END | IGRPMODR0 | NSACR => 0,
            IIDR => IIDR_VALUE,
            TYPER => self.redist_typer(cpu) & 0xffff_ffff,
            TYPER_HIGH => self.redist_typer(cpu) >> 32,
            WAKER if c.sleeps => PROCESSOR_SLEEP | CHILDREN_ASLEEP,
            WAKER => 0,
            ID..SGI_BASE => id(reg, PART),
            IGROUPR0..IPRIORITYR => c.private.read_bits(private_bits(reg)?).into(),
            ICFGR0 | ICFGR1 => c.private.read_config((reg & 4) as usize / 4).into(),
            _ => return Err(BusError::NoRegister),
        })
    }

    pub(super) fn redist_write(&mut self, reg: u64, size: Size, value: u64) -> BusResult<()> {
        let (cpu, reg) = split(reg);
        let c = self.state.cpus.get_mut(cpu).ok_or(BusError::NoRegister)?;
        let word = value as u32;
        match reg {
            IPRIORITYR..IPRIORITYR_END => {
                let bytes = priority_bytes(size)?;
                c.private.write_priority((reg - IPRIORITYR) as usize, bytes, word, PRIORITY_MASK);
            }
            PROPBASER..PENDBASER_END if size >= Size::B4 => return Ok(()),
            _ if size != Size::B4 => return Err(BusError::BadSize),
            CTLR | STATUSR | IGRPMODR0 | NSACR => return Ok(()),
            WAKER => c.sleeps = value & PROCESSOR_SLEEP != 0,
            IGROUPR0..IPRIORITYR => c.private.write_bits(private_bits(reg)?, word, !0),
            ICFGR0 => return Ok(()),
            ICFGR1 => c.private.write_config(1, word, !SGIS),
            _ => return Err(BusError::NoRegister),
        }
        self.update(cpu);
        Ok(())
    }
}

/// The processor whose redistributor `reg` is in, and the offset there.
fn split(reg: u64) -> (usize, u64) {
    ((reg / GicV3::REDISTRIBUTOR_LEN) as usize, reg % GicV3::REDISTRIBUTOR_LEN)
}

/// The bitmap register at an offset of the second frame: only those of the first 32 interrupts exist.
fn private_bits(reg: u64) -> BusResult<Bits> {
    match Bits::at(reg - SGI_BASE) {
        Some((bits, 0)) => Ok(bits),
        _ => Err(BusError::NoRegister),
    }
}
