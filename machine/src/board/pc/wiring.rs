//! Where a PC's lines end that are no interrupts: the A20 gate, SMI, resets, power; and what a host bridge decides on memory.

use crate::bus::ManagementRam;
use crate::control::Shutdown;
use crate::shared::{Request, Shared};
use lyrebird_cpu::core::Attention;
use lyrebird_cpu::x86::X64;
use lyrebird_cpu::x86::maintenance::Forget;
use lyrebird_devices::bus::irq::{LineSink, Wire};
use lyrebird_devices::bus::shadow::ShadowControl;
use lyrebird_devices::bus::span::Span;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Tells all processors to forget what they know of the address map; it may be called under a device's lock.
pub(super) fn forget_all(shared: &Shared<X64>) {
    shared.gates.iter().for_each(|gate| gate.send(Forget::All));
}

/// Address line 20: it reaches the bus while any of its drivers lets it, and where it has none.
pub struct A20 {
    shared: Arc<Shared<X64>>,
    drivers: Mutex<u32>,
    on: AtomicBool,
}

impl A20 {
    /// A line without drivers.
    pub(super) fn new(shared: &Arc<Shared<X64>>) -> Arc<A20> {
        Arc::new(A20 { shared: Arc::clone(shared), drivers: Mutex::new(0), on: AtomicBool::new(true) })
    }

    /// The wire of driver `n`, 0 to 31.
    pub(super) fn wire(self: &Arc<Self>, label: &str, n: u32) -> Wire {
        Wire::new(label, self.clone(), n)
    }

    /// Whether the line reaches the bus.
    pub fn is_on(&self) -> bool {
        self.on.load(Ordering::SeqCst)
    }
}

impl LineSink for A20 {
    fn set_line(&self, line: u32, level: bool) {
        let Some(bit) = 1u32.checked_shl(line) else { return };
        let mut drivers = self.drivers.lock();
        *drivers = if level { *drivers | bit } else { *drivers & !bit };
        let on = *drivers != 0;
        if self.on.swap(on, Ordering::SeqCst) != on {
            forget_all(&self.shared);
        }
    }
}

/// What chips ask of the machine.
#[derive(Clone, Copy)]
pub(super) enum Ask {
    /// A reset.
    Reset,
    /// The end.
    PowerOff,
    /// Suspend to RAM.
    Suspend,
}

struct Requests(Arc<Shared<X64>>);

impl LineSink for Requests {
    fn set_line(&self, line: u32, level: bool) {
        match line {
            _ if !level => {}
            line if line == Ask::Reset as u32 => self.0.request(Request::Reset),
            line if line == Ask::PowerOff as u32 => self.0.request(Request::Shutdown(Shutdown::PowerOff)),
            _ => log::warn!("the guest asks to be suspended to RAM, which is not offered: it goes on"),
        }
    }
}

/// A wire that asks so when it goes up.
pub(super) fn ask(shared: &Arc<Shared<X64>>, what: Ask) -> Wire {
    let label = match what {
        Ask::Reset => "reset",
        Ask::PowerOff => "power off",
        Ask::Suspend => "suspend",
    };
    Wire::new(label, Arc::new(Requests(Arc::clone(shared))), what as u32)
}

/// SMI# of the boot processor.
struct Management(Arc<Shared<X64>>);

impl LineSink for Management {
    fn set_line(&self, _: u32, level: bool) {
        if level {
            // The processor lowers it when it takes it.
            self.0.signal(0, Attention::SMI, true);
        }
    }
}

/// A wire that interrupts the boot processor for system management when it goes up.
pub(super) fn smi(shared: &Arc<Shared<X64>>) -> Wire {
    Wire::new("smi", Arc::new(Management(Arc::clone(shared))), 0)
}

/// What a host bridge decides: memory between 768 KiB and 1 MiB, and system management RAM.
pub(super) struct Bridge {
    pub(super) shadow: Arc<dyn ShadowControl>,
    pub(super) management: Arc<ManagementRam>,
    pub(super) shared: Arc<Shared<X64>>,
}

impl ShadowControl for Bridge {
    fn set(&self, span: Span, read: bool, write: bool) {
        self.shadow.set(span, read, write);
    }

    fn smram(&self, there: bool, open: bool) {
        self.management.there.store(there, Ordering::SeqCst);
        self.management.open.store(open, Ordering::SeqCst);
        forget_all(&self.shared);
    }
}
