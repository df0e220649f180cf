//! The physical address space as processors want it: RAM pages without a lock, everything else through the bus.

use lyrebird_cpu::core::{MANAGEMENT, NoAnswer, Physical};
use lyrebird_devices::bus::device::{Initiator, Size};
use lyrebird_devices::bus::space::AddressSpace;
use lyrebird_devices::bus::span::Span;
use lyrebird_ram::GuestRam;
use parking_lot::RwLock;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A piece of the guest's one RAM mapping.
#[derive(Clone, Copy, Debug)]
struct Window {
    base: u64,
    len: u64,
    /// Offset in [`lyrebird_ram::GuestRam`].
    offset: u64,
    writable: bool,
}

/// Addresses where memory comes and goes while the machine runs, and what is there now.
struct Moving {
    span: Span,
    ram: GuestRam,
    windows: RwLock<Vec<Window>>,
}

/// System management RAM: RAM that is seen in the place of other things, in system management mode or by all.
pub struct ManagementRam {
    /// Processors in system management mode see it.
    pub there: AtomicBool,
    /// So do all others.
    pub open: AtomicBool,
    window: Window,
}

impl ManagementRam {
    /// Nobody sees it yet: `len` bytes of guest RAM from `offset`, at `base`.
    pub fn new(base: u64, len: u64, offset: u64) -> Self {
        let window = Window { base, len, offset, writable: true };
        Self { there: AtomicBool::new(false), open: AtomicBool::new(false), window }
    }

    fn shows(&self, managing: bool) -> bool {
        let flag = if managing { &self.there } else { &self.open };
        flag.load(Ordering::SeqCst)
    }
}

/// RAM windows and the bus behind them. Most windows stay as they are when the board is built.
pub struct PhysicalBus {
    windows: Vec<Window>,
    moving: Option<Moving>,
    management: Option<Arc<ManagementRam>>,
    space: Arc<AddressSpace>,
}

fn find(windows: &[Window], pa: u64) -> Option<(u64, bool)> {
    let w = windows.iter().find(|w| pa.wrapping_sub(w.base) < w.len)?;
    Some((pa - w.base + w.offset, w.writable))
}

impl PhysicalBus {
    /// A bus with no RAM windows yet.
    pub fn new(space: Arc<AddressSpace>) -> Self {
        Self { windows: Vec::new(), moving: None, management: None, space }
    }

    /// Makes `len` bytes of guest RAM from `offset` visible at `base`.
    pub fn window(&mut self, base: u64, len: u64, offset: u64, writable: bool) {
        self.windows.push(Window { base, len, offset, writable });
    }

    /// Adds system management RAM. The board mails to the processors when it comes or goes.
    pub fn manage(&mut self, ram: Arc<ManagementRam>) {
        self.management = Some(ram);
    }

    /// RAM that is no window of everybody's.
    fn elsewhere(&self, pa: u64) -> Option<(u64, bool)> {
        let managing = pa & MANAGEMENT != 0;
        let pa = pa & !MANAGEMENT;
        if let Some(ram) = self.management.as_ref().filter(|ram| ram.shows(managing))
            && let Some(found) = find(std::slice::from_ref(&ram.window), pa)
        {
            return Some(found);
        }
        if managing && let Some(found) = find(&self.windows, pa) {
            return Some(found);
        }
        let moving = self.moving.as_ref().filter(|m| m.span.contains(pa))?;
        find(&moving.windows.read(), pa)
    }

    /// Takes what is in `span` from the address space: as far as it is a part of `ram`, the guest's RAM. The board calls
    /// [`PhysicalBus::look`] when it has changed, and mails to the processors.
    pub fn follow(&mut self, span: Span, ram: &GuestRam) {
        self.moving = Some(Moving { span, ram: ram.clone(), windows: RwLock::default() });
        self.look(span);
    }

    /// Looks again at what it follows, if that is where `changed` is.
    pub fn look(&self, changed: Span) {
        let Some(moving) = self.moving.as_ref().filter(|m| m.span.overlaps(changed)) else { return };
        // The lock is held from the look on, so that the last look is the one that stays.
        let mut windows = moving.windows.write();
        let blocks = self.space.memory().blocks().into_iter();
        let ours = blocks
            .filter(|b| b.span.overlaps(moving.span) && b.ram.host_base() == moving.ram.host_base())
            .map(|b| Window { base: b.span.first(), len: b.span.len(), offset: b.offset, writable: !b.rom });
        *windows = ours.collect();
    }
}

impl Physical for PhysicalBus {
    #[inline]
    fn ram(&self, pa: u64) -> Option<(u64, bool)> {
        find(&self.windows, pa).or_else(|| self.elsewhere(pa))
    }

    fn read(&self, cpu: usize, pa: u64, size: u32) -> Result<u64, NoAnswer> {
        let size = Size::from_bytes(size as u64).ok_or(NoAnswer)?;
        self.space.read(pa & !MANAGEMENT, size, Initiator::Cpu(cpu as u16)).map_err(|_| NoAnswer)
    }

    fn write(&self, cpu: usize, pa: u64, size: u32, value: u64) -> Result<(), NoAnswer> {
        let size = Size::from_bytes(size as u64).ok_or(NoAnswer)?;
        self.space.write(pa & !MANAGEMENT, size, value, Initiator::Cpu(cpu as u16)).map_err(|_| NoAnswer)
    }
}

/// 64 random bits of the host.
pub(crate) fn random() -> u64 {
    let mut bytes = [0; 8];
    // The host's generator gives up to 256 bytes without fail once it is seeded, which precedes any user program.
    let _ = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    u64::from_le_bytes(bytes)
}
