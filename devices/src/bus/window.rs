//! Spans that move: what a guest places, as it does with PCI's base address registers.
//!
//! Everything that a board places by hand (memory and fixed registers) hides a window that a guest puts over it; of
//! two windows in one place the one that came there last answers. A window of memory that overlaps anything is not
//! visible at all until the overlap is gone. So no value that a guest writes does harm.

use super::device::Socket;
use super::memory::Block;
use super::report::Limiter;
use super::space::AddressSpace;
use super::span::Span;
use lyrebird_ram::GuestRam;
use std::sync::{Arc, Weak};

/// What answers in a window.
#[derive(Clone)]
pub enum Backing {
    /// Registers of a device; the first address of the window stands for register offset `reg`.
    Registers {
        /// The device, which in turn owns the window.
        socket: Weak<dyn Socket>,
        /// Register offset of the first address.
        reg: u64,
    },
    /// Memory, from byte `offset` of `ram` on.
    Memory {
        /// The bytes.
        ram: GuestRam,
        /// Offset of the first one.
        offset: u64,
        /// Whether the guest cannot write it.
        rom: bool,
    },
}

/// A window that is in its place now.
#[derive(Clone)]
pub(super) struct Placed {
    pub(super) id: u64,
    pub(super) span: Span,
    pub(super) name: Arc<str>,
    pub(super) backing: Backing,
    pub(super) limiter: Arc<Limiter>,
    /// Whether a window of memory is visible.
    pub(super) visible: bool,
}

impl Placed {
    pub(super) fn block(&self) -> Option<Block> {
        match &self.backing {
            Backing::Registers { .. } => None,
            Backing::Memory { ram, offset, rom } => Some(Block {
                name: self.name.to_string(),
                span: self.span,
                ram: ram.clone(),
                offset: *offset,
                rom: *rom,
            }),
        }
    }
}

/// A handle to a window; it disappears with the handle.
pub struct Window {
    space: Arc<AddressSpace>,
    id: u64,
    name: Arc<str>,
    backing: Backing,
    limiter: Arc<Limiter>,
}

impl Window {
    /// A window of `space`, not placed yet. `name` is for listings.
    pub fn new(space: Arc<AddressSpace>, name: &str, backing: Backing) -> Window {
        let id = space.next_window();
        Window { space, id, name: name.into(), backing, limiter: Arc::default() }
    }

    /// Puts the window to `span`, or takes it away. Cheap when nothing changes.
    pub fn place(&self, span: Option<Span>) {
        let placed = span.map(|span| Placed {
            id: self.id,
            span,
            name: self.name.clone(),
            backing: self.backing.clone(),
            limiter: self.limiter.clone(),
            visible: false,
        });
        self.space.place_window(self.id, placed);
    }

    /// Where it is.
    pub fn span(&self) -> Option<Span> {
        self.space.window_span(self.id)
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        self.place(None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::device::{BusError, BusResult, Initiator, Size};
    use crate::bus::snapshot::StateError;
    use parking_lot::Mutex;

    /// Answers every read with its number and the offset.
    struct Chip(u64);

    impl Socket for Chip {
        fn name(&self) -> &'static str {
            "chip"
        }
        fn reset(&self) {}
        fn save(&self) -> Result<Vec<u8>, StateError> {
            Ok(Vec::new())
        }
        fn load(&self, _: &[u8]) -> Result<(), StateError> {
            Ok(())
        }
        fn read(&self, reg: u64, _: Size, _: Initiator) -> BusResult<u64> {
            Ok(self.0 << 16 | reg)
        }
        fn write(&self, _: u64, _: Size, _: u64, _: Initiator) -> BusResult<()> {
            Ok(())
        }
    }

    const CPU: Initiator = Initiator::Cpu(0);

    fn span(base: u64, len: u64) -> Option<Span> {
        Span::new(base, len).ok()
    }

    fn registers(space: &Arc<AddressSpace>, chip: &Arc<Chip>, reg: u64) -> Window {
        let weak = Arc::downgrade(chip);
        Window::new(space.clone(), "chip", Backing::Registers { socket: weak, reg })
    }

    #[test]
    fn registers_move_and_yield_to_what_is_fixed() {
        let space = Arc::new(AddressSpace::new());
        space.add_ram("ram", 0, GuestRam::new(0x1000).unwrap()).unwrap();
        space.add_device(0x8000, 0x100, Arc::new(Chip(9))).unwrap();
        let (one, two) = (Arc::new(Chip(1)), Arc::new(Chip(2)));
        let (a, b) = (registers(&space, &one, 0), registers(&space, &two, 0x40));
        let read = |at| space.read(at, Size::B4, CPU);
        assert_eq!(read(0x4000), Err(BusError::Unassigned));
        a.place(span(0x4000, 0x1000));
        assert_eq!(read(0x4010), Ok(0x1_0010));
        b.place(span(0x4800, 0x1000));
        assert_eq!((read(0x47FC), read(0x4800), read(0x57FC)), (Ok(0x1_07FC), Ok(0x2_0040), Ok(0x2_103C)));
        a.place(span(0x0, 0x9000));
        assert_eq!(read(0x10), Ok(0), "RAM hides it");
        assert_eq!(read(0x8010), Ok(0x9_0010), "and so do fixed registers");
        assert_eq!(read(0x4800), Ok(0x1_4800), "the last one to move answers");
        drop(a);
        assert_eq!(read(0x4800), Ok(0x2_0040));
        b.place(None);
        assert_eq!(read(0x4800), Err(BusError::Unassigned));
        b.place(span(0x4800, 0x1000));
        drop(two);
        assert_eq!(read(0x4800), Err(BusError::Unassigned), "its device is gone");
    }

    #[test]
    fn memory_moves_and_waits_until_there_is_room() {
        let space = Arc::new(AddressSpace::new());
        space.add_ram("ram", 0, GuestRam::new(0x2000).unwrap()).unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let seen = log.clone();
        space.memory().on_layout(move |span| seen.lock().push(span.first()));
        let ram = GuestRam::new(0x2000).unwrap();
        ram.write(0x1000, 7u32).unwrap();
        let window = |offset| {
            let backing = Backing::Memory { ram: ram.clone(), offset, rom: false };
            Window::new(space.clone(), "vram", backing)
        };
        let (a, b) = (window(0x1000), window(0));
        a.place(span(0x1_0000, 0x1000));
        assert_eq!(space.dma().read::<u32>(0x1_0000), Ok(7));
        b.place(span(0x1_0800, 0x1000));
        assert!(space.dma().read::<u32>(0x1_1000).is_err());
        a.place(span(0x1000, 0x1000));
        assert_eq!(space.dma().read::<u32>(0x1000), Ok(0), "RAM stays");
        assert_eq!(space.dma().read::<u32>(0x1_1000), Ok(0), "there is room now");
        a.place(None);
        a.place(span(0x3000, 0x2000));
        assert!(space.dma().read::<u32>(0x3000).is_err(), "longer than the memory behind it");
        assert_eq!(*log.lock(), [0x1_0000, 0x1_0000, 0x1_0800]);
    }
}
