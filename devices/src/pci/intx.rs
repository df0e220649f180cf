//! INTx pins: level-triggered, shared, and gated by the function's command register.

use crate::bus::irq::{LineSink, Wire};
use parking_lot::Mutex;
use std::sync::Arc;

struct Inner {
    wire: Wire,
    level: bool,
    masked: bool,
}

/// A function's interrupt pin. Clones are the same pin; they may be driven from any thread.
#[derive(Clone)]
pub struct Intx(Arc<Mutex<Inner>>);

impl Default for Intx {
    fn default() -> Self {
        Intx(Arc::new(Mutex::new(Inner { wire: Wire::open(), level: false, masked: false })))
    }
}

impl Intx {
    /// Drives the pin: true asserts it.
    pub fn set(&self, level: bool) {
        let mut pin = self.0.lock();
        pin.level = level;
        pin.drive();
    }

    /// What the function asks for, whether or not the pin shows it.
    pub fn level(&self) -> bool {
        self.0.lock().level
    }

    /// Keeps the pin low, as the command register's bit 10 and MSI do.
    pub fn mask(&self, masked: bool) {
        let mut pin = self.0.lock();
        pin.masked = masked;
        pin.drive();
    }

    /// Connects the pin to the board's wire.
    pub(super) fn connect(&self, wire: Wire) {
        let mut pin = self.0.lock();
        pin.wire = wire;
        pin.drive();
    }
}

impl Inner {
    fn drive(&self) {
        self.wire.set(self.level && !self.masked);
    }
}

/// The lines that pins share: one is high while any pin drives it.
pub(super) struct Shared {
    /// How many pins drive each line.
    drivers: Mutex<Vec<u16>>,
    sink: Arc<dyn LineSink>,
}

impl Shared {
    pub(super) fn new(lines: usize, sink: Arc<dyn LineSink>) -> Shared {
        Shared { drivers: Mutex::new(vec![0; lines]), sink }
    }
}

impl LineSink for Shared {
    fn set_line(&self, line: u32, level: bool) {
        let mut drivers = self.drivers.lock();
        let Some(count) = drivers.get_mut(line as usize) else { return };
        let before = *count != 0;
        *count = if level { count.saturating_add(1) } else { count.saturating_sub(1) };
        let after = *count != 0;
        if before != after {
            self.sink.set_line(line, after); // with the lock held, so that changes arrive in order
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Log(Mutex<Vec<(u32, bool)>>);
    impl LineSink for Log {
        fn set_line(&self, line: u32, level: bool) {
            self.0.lock().push((line, level));
        }
    }

    #[test]
    fn lines_are_shared_and_pins_masked() {
        let log = Arc::new(Log(Mutex::default()));
        let shared = Arc::new(Shared::new(4, log.clone()));
        let (a, b) = (Intx::default(), Intx::default());
        a.set(true);
        a.connect(Wire::new("a", shared.clone(), 2));
        b.connect(Wire::new("b", shared.clone(), 2));
        b.set(true);
        a.set(false);
        assert_eq!(*log.0.lock(), [(2, true)]);
        b.mask(true);
        assert!(b.level());
        b.mask(false);
        b.set(false);
        assert_eq!(*log.0.lock(), [(2, true), (2, false), (2, true), (2, false)]);
        shared.set_line(9, true);
    }
}
