//! Memory as a device sees it.

use super::memory::{Memory, NoMemory};
use lyrebird_ram::{GuestRam, Pod};
use std::sync::Arc;

/// A device's access to guest memory by guest-physical address. It reaches RAM and ROM only: a device whose DMA is
/// aimed at a device gets an error. Processors hear of its writes, so that they drop what they translated.
#[derive(Clone)]
pub struct Dma(Arc<Memory>);

impl Dma {
    /// DMA to `memory`.
    pub fn new(memory: Arc<Memory>) -> Dma {
        Dma(memory)
    }

    /// DMA to nothing: every access fails.
    pub fn open() -> Dma {
        Dma(Arc::new(Memory::new()))
    }

    /// DMA to `ram` at guest-physical address `base`, for tests.
    pub fn to_ram(ram: GuestRam, base: u64) -> Result<Dma, super::span::SpanError> {
        let memory = Memory::new();
        let span = super::span::Span::new(base, ram.len())?;
        memory.place(super::memory::Block { name: "ram".into(), span, ram, offset: 0, rom: false })?;
        Ok(Dma(Arc::new(memory)))
    }

    /// Reads bytes.
    ///
    /// # Errors
    /// When any byte is not memory; `into` is then filled up to there.
    pub fn read_bytes(&self, gpa: u64, into: &mut [u8]) -> Result<(), NoMemory> {
        self.0.read(gpa, into)
    }

    /// Writes bytes.
    ///
    /// # Errors
    /// When any byte is not RAM; what comes before is then written.
    pub fn write_bytes(&self, gpa: u64, from: &[u8]) -> Result<(), NoMemory> {
        self.0.write(gpa, from)
    }

    /// Reads a little-endian value, in one piece if naturally aligned. The host's ordering of plain accesses applies:
    /// put a [`std::sync::atomic::fence`] where a protocol asks for a barrier.
    ///
    /// # Errors
    /// When any byte is not memory.
    pub fn read<T: Pod>(&self, gpa: u64) -> Result<T, NoMemory> {
        self.0.read_value(gpa)
    }

    /// Writes a little-endian value, in one piece if naturally aligned. For ordering see [`Dma::read`].
    ///
    /// # Errors
    /// When any byte is not RAM.
    pub fn write<T: Pod>(&self, gpa: u64, value: T) -> Result<(), NoMemory> {
        self.0.write_value(gpa, value)
    }

    /// Whether all of `len` bytes from `gpa` are RAM (`writable`) or RAM and ROM.
    pub fn reaches(&self, gpa: u64, len: u64, writable: bool) -> bool {
        let mut at = gpa;
        let mut left = len;
        while left != 0 {
            let Some(block) = self.0.block_at(at).filter(|b| !(writable && b.rom)) else { return false };
            let here = (block.span.last() - at).saturating_add(1).min(left);
            left -= here;
            match at.checked_add(here) {
                Some(next) => at = next,
                None => return left == 0,
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reaches_ram_only() {
        let dma = Dma::to_ram(GuestRam::new(0x2000).unwrap(), 0x4000_0000).unwrap();
        dma.write(0x4000_0010, 0x1122_3344u32).unwrap();
        assert_eq!(dma.read::<u16>(0x4000_0012), Ok(0x1122));
        assert!(dma.reaches(0x4000_0000, 0x2000, true));
        assert!(!dma.reaches(0x4000_0000, 0x2001, false));
        assert!(!dma.reaches(u64::MAX, 2, false));
        assert!(dma.read::<u32>(0x3fff_fffe).is_err());
        assert!(dma.write_bytes(0x4000_1fff, &[1, 2]).is_err());
        assert!(Dma::open().read::<u8>(0).is_err());
    }
}
