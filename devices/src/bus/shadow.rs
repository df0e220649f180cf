//! Shadow memory: ranges where the chipset decides whether ROM or RAM is read, and whether writes reach RAM.

use super::memory::{Block, Memory};
use super::span::{Span, SpanError};
use lyrebird_ram::GuestRam;
use std::sync::Arc;

/// What a host bridge tells the machine about the legacy range below 1 MiB.
///
/// Called with the host bridge's lock held, so an implementation must not call into devices.
pub trait ShadowControl: Send + Sync {
    /// Reads of `span` come from RAM (`read`) or from what is on the bus; writes go to RAM (`write`) or nowhere.
    fn set(&self, span: Span, read: bool, write: bool);

    /// System management RAM at 0xA0000 is `there` for processors in system management mode, and `open` to all others.
    fn smram(&self, _there: bool, _open: bool) {}
}

/// A shadow that is not there, for tests.
pub struct NoShadow;

impl ShadowControl for NoShadow {
    fn set(&self, _: Span, _: bool, _: bool) {}
}

/// Shadow RAM in a machine's memory. Only ranges given to [`Shadow::new`] change.
pub struct Shadow {
    memory: Arc<Memory>,
    span: Span,
    /// RAM, and the offset that stands for the first address of the span.
    ram: (GuestRam, u64),
    /// ROM likewise; it may be the same mapping.
    rom: (GuestRam, u64),
}

impl Shadow {
    /// The shadow of `span`, which shows its ROM until it is told otherwise. Nothing else may be there.
    ///
    /// # Errors
    /// When the span is not free, or longer than the memory behind it.
    pub fn new(
        memory: Arc<Memory>,
        span: Span,
        ram: (GuestRam, u64),
        rom: (GuestRam, u64),
    ) -> Result<Shadow, SpanError> {
        let shadow = Shadow { memory, span, ram, rom };
        shadow.memory.place(shadow.block(span, false, true))?;
        let short = shadow.ram.0.len().checked_sub(shadow.ram.1).is_none_or(|rest| rest < span.len());
        if short {
            shadow.memory.remove(span);
            return Err(SpanError::Short { name: "shadow".into(), span });
        }
        Ok(shadow)
    }

    fn block(&self, span: Span, from_ram: bool, rom: bool) -> Block {
        let (ram, base) = if from_ram { &self.ram } else { &self.rom };
        let name = if from_ram { "shadow-ram" } else { "shadow-rom" };
        let offset = base + (span.first() - self.span.first());
        Block { name: name.into(), span, ram: ram.clone(), offset, rom }
    }
}

impl ShadowControl for Shadow {
    fn set(&self, span: Span, read: bool, write: bool) {
        if !self.span.contains_all(span.first(), span.len()) {
            return;
        }
        // What is read decides the block; writes that go elsewhere need a sink.
        let block = self.block(span, read, !(read && write));
        let sink = (write && !read).then(|| self.block(span, true, false));
        self.memory.replace(block, sink);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::device::{Initiator, Size};
    use crate::bus::space::AddressSpace;

    #[test]
    fn reads_and_writes_are_switched_apart() {
        let space = AddressSpace::new();
        let all = GuestRam::new(0x20_0000).unwrap();
        space.add_ram_part("low", 0, &all, 0, 0xA_0000, false).unwrap();
        all.write(0x10_0000 + 0x1_0000, 0x5Au8).unwrap();
        let span = Span::new(0xC_0000, 0x4_0000).unwrap();
        let shadow =
            Shadow::new(space.memory().clone(), span, (all.clone(), 0xC_0000), (all.clone(), 0x10_0000))
                .unwrap();
        let byte = |at| space.read(at, Size::B1, Initiator::Cpu(0)).unwrap();
        let put = |at, v| space.write(at, Size::B1, v, Initiator::Cpu(0)).unwrap();
        let part = Span::new(0xD_0000, 0x4000).unwrap();
        assert_eq!(byte(0xD_0000), 0x5A);
        put(0xD_0000, 1);
        assert_eq!((byte(0xD_0000), all.read::<u8>(0xD_0000)), (0x5A, Ok(0)), "ROM");
        shadow.set(part, false, true);
        put(0xD_0000, 2);
        assert_eq!((byte(0xD_0000), all.read::<u8>(0xD_0000)), (0x5A, Ok(2)), "copying");
        shadow.set(part, true, false);
        put(0xD_0000, 3);
        assert_eq!(byte(0xD_0000), 2, "write-protected");
        shadow.set(part, true, true);
        put(0xD_0000, 4);
        assert_eq!(byte(0xD_0000), 4);
        assert_eq!(byte(0xD_4000), 0, "the rest is ROM still");
        put(0xD_4000, 9);
        assert_eq!(byte(0xD_4000), 0);
        shadow.set(Span::new(0, 0x1000).unwrap(), false, false);
        put(0, 7);
        assert_eq!(byte(0), 7, "other memory is not its business");
        assert!(Shadow::new(space.memory().clone(), span, (all.clone(), 0), (all, 0)).is_err());
    }
}
