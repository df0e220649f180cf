//! pc-testdev: what kvm-unit-tests' x86 half asks of its machine besides a PC.
//!
//! After QEMU's device of this name, as kvm-unit-tests uses it: a latch at ports E0h to E3h that takes every width; the
//! same latch at E8h to EBh, byte by byte; a port at E4h that has the host forget a page, which is nothing to do here;
//! ports 2000h to 2017h, which set the interrupt line of their number; and 64 KiB of memory behind device accesses at
//! FF000000h, for instructions that are emulated.

use crate::bus::device::{BusError, BusResult, Device, Initiator, Io, Size};
use crate::bus::irq::Wire;
use crate::bus::snapshot::{self, StateError, require};
use crate::bus::space::Piece;
use serde::{Deserialize, Serialize};

/// Register offsets of the pieces, with the ports or the address that they are mapped at.
mod spec {
    pub const LATCH: u64 = 0;
    pub const FLUSH: u64 = 4;
    pub const FLUSH_END: u64 = 8;
    pub const BYTES: u64 = 8;
    pub const BYTES_END: u64 = 12;
    pub const IRQ: u64 = 0x20;
    pub const MEMORY: u64 = 0x1_0000;
    pub const MEMORY_LEN: u64 = 0x1_0000;
}
use spec::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct State {
    latch: u32,
    /// Levels of the interrupt lines, one bit each.
    irq: u32,
    memory: Vec<u8>,
}

impl State {
    fn power_on() -> State {
        State { latch: 0, irq: 0, memory: vec![0; MEMORY_LEN as usize] }
    }
}

/// The device.
pub struct PcTestdev {
    irq: Vec<Wire>,
    state: State,
}

impl PcTestdev {
    /// Bytes of its register file.
    pub const LEN: u64 = MEMORY + MEMORY_LEN;
    /// Interrupt lines.
    pub const IRQS: usize = 24;
    /// Pieces among the ports.
    pub const PORTS: [Piece; 2] =
        [Piece { reg: LATCH, at: 0xe0, len: 12 }, Piece { reg: IRQ, at: 0x2000, len: Self::IRQS as u64 }];
    /// The piece among the memory.
    pub const MMIO: Piece = Piece { reg: MEMORY, at: 0xff00_0000, len: MEMORY_LEN };

    /// A device that drives these interrupt lines; those beyond the 24th are not used.
    pub fn new(irq: Vec<Wire>) -> PcTestdev {
        PcTestdev { irq, state: State::power_on() }
    }

    fn update(&self) {
        for (n, wire) in self.irq.iter().take(Self::IRQS).enumerate() {
            wire.set(self.state.irq >> n & 1 != 0);
        }
    }

    /// The bytes of memory that an access reaches.
    fn memory(&mut self, reg: u64, size: Size) -> BusResult<&mut [u8]> {
        let at = reg.checked_sub(MEMORY).ok_or(BusError::NoRegister)? as usize;
        self.state.memory.get_mut(at..at.saturating_add(size.bytes() as usize)).ok_or(BusError::NoRegister)
    }
}

/// Bits of the latch that an access reaches, and how far up they are.
fn latch_bits(reg: u64, size: Size) -> (u32, u64) {
    let shift = 8 * (reg & 3);
    ((size.mask() << shift) as u32, shift)
}

impl Io for PcTestdev {
    fn read(&mut self, reg: u64, size: Size, _: Initiator) -> BusResult<u64> {
        match reg {
            0..MEMORY if size == Size::B8 => Err(BusError::BadSize),
            BYTES..BYTES_END if size != Size::B1 => Err(BusError::BadSize),
            LATCH..FLUSH | BYTES..BYTES_END => {
                let (bits, shift) = latch_bits(reg, size);
                Ok(u64::from(self.state.latch & bits) >> shift)
            }
            FLUSH..FLUSH_END => Ok(0),
            MEMORY.. => {
                let mut bytes = [0; 8];
                bytes.iter_mut().zip(self.memory(reg, size)?).for_each(|(to, from)| *to = *from);
                Ok(u64::from_le_bytes(bytes))
            }
            _ => Err(BusError::NoRegister),
        }
    }

    fn write(&mut self, reg: u64, size: Size, value: u64, _: Initiator) -> BusResult<()> {
        match reg {
            0..MEMORY if size == Size::B8 => return Err(BusError::BadSize),
            BYTES..BYTES_END if size != Size::B1 => return Err(BusError::BadSize),
            LATCH..FLUSH | BYTES..BYTES_END => {
                let (bits, shift) = latch_bits(reg, size);
                self.state.latch = self.state.latch & !bits | (value << shift) as u32 & bits;
            }
            FLUSH..FLUSH_END => {}
            MEMORY.. => {
                let bytes = value.to_le_bytes();
                self.memory(reg, size)?.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
            }
            _ => {
                let n =
                    reg.checked_sub(IRQ).filter(|&n| n < Self::IRQS as u64).ok_or(BusError::NoRegister)?;
                let level = u32::from(value != 0);
                self.state.irq = self.state.irq & !(1 << n) | level << n;
                self.update();
            }
        }
        Ok(())
    }
}

impl Device for PcTestdev {
    fn name(&self) -> &'static str {
        "pc-testdev"
    }
    fn reset(&mut self) {
        self.state = State::power_on();
        self.update();
    }
    fn save(&self) -> Result<Vec<u8>, StateError> {
        snapshot::save(&self.state)
    }
    fn load(&mut self, saved: &[u8]) -> Result<(), StateError> {
        let state: State = snapshot::load(saved)?;
        require(state.memory.len() as u64 == MEMORY_LEN, "its memory")?;
        self.state = state;
        self.update();
        Ok(())
    }
    fn io(&mut self) -> Option<&mut dyn Io> {
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::conformance;
    use crate::bus::device::share;
    use crate::bus::space::AddressSpace;

    const CPU: Initiator = Initiator::Cpu(0);

    #[test]
    fn conforms() {
        conformance::check(|| PcTestdev::new(Vec::new()), PcTestdev::LEN);
    }

    #[test]
    fn latches_lines_and_memory() {
        let irq: Vec<Wire> = (0..24).map(|_| Wire::open()).collect();
        let device = share(PcTestdev::new(irq.clone()));
        let (ports, space) = (AddressSpace::ports(), AddressSpace::new());
        for piece in PcTestdev::PORTS {
            ports.add_registers("testdev", piece.at, piece.len, piece.reg, device.clone()).unwrap();
        }
        let mmio = PcTestdev::MMIO;
        space.add_registers("testdev", mmio.at, mmio.len, mmio.reg, device).unwrap();
        ports.write(0xe0, Size::B4, 0x1234_5678, CPU).unwrap();
        ports.write(0xe1, Size::B2, 0xabcd, CPU).unwrap();
        assert_eq!(ports.read(0xe0, Size::B4, CPU), Ok(0x12ab_cd78));
        assert_eq!(ports.read(0xe8, Size::B4, CPU), Ok(0x12ab_cd78));
        ports.write(0x2005, Size::B1, 1, CPU).unwrap();
        assert!(irq[5].level());
        ports.write(0x2005, Size::B1, 0, CPU).unwrap();
        assert!(!irq[5].level());
        space.write(0xff00_0ffd, Size::B8, 0x1122_3344_5566_7788, CPU).unwrap();
        assert_eq!(space.read(0xff00_1000, Size::B2, CPU), Ok(0x4455));
    }
}
