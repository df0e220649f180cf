//! Interrupt wires: what connects a device's output to an input of something else.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The receiving end of wires: an interrupt controller, a gate, a test.
///
/// Called with the driving device's lock held, so an implementation must not call into devices.
pub trait LineSink: Send + Sync {
    /// Input `line` is now at `level`.
    fn set_line(&self, line: u32, level: bool);
}

struct Inner {
    label: String,
    line: u32,
    level: AtomicBool,
    sink: Option<Arc<dyn LineSink>>,
}

/// One end of an interrupt line, held by the device that drives it. Clones are the same wire and share its level.
///
/// A wire has one driver: it is set under its device's lock, so that the sink sees changes in order. The sink hears of
/// changes only.
#[derive(Clone)]
pub struct Wire(Arc<Inner>);

impl Wire {
    /// A wire to input `line` of `sink`, low. `label` names it in listings, as in `"pl011 irq"`.
    pub fn new(label: impl Into<String>, sink: Arc<dyn LineSink>, line: u32) -> Wire {
        Wire(Arc::new(Inner { label: label.into(), line, level: AtomicBool::new(false), sink: Some(sink) }))
    }

    /// A wire that ends nowhere and remembers its level.
    pub fn open() -> Wire {
        Wire(Arc::new(Inner { label: "open".into(), line: 0, level: AtomicBool::new(false), sink: None }))
    }

    /// Raises the line.
    pub fn assert(&self) {
        self.set(true);
    }

    /// Lowers the line.
    pub fn clear(&self) {
        self.set(false);
    }

    /// Drives the line to `level`.
    #[inline]
    pub fn set(&self, level: bool) {
        if self.0.level.load(Ordering::Relaxed) != level {
            self.0.level.store(level, Ordering::Relaxed);
            if let Some(sink) = &self.0.sink {
                sink.set_line(self.0.line, level);
            }
        }
    }

    /// Raises and lowers the line: one edge for inputs that are edge triggered.
    pub fn pulse(&self) {
        self.set(true);
        self.set(false);
    }

    /// The level it is driven to.
    pub fn level(&self) -> bool {
        self.0.level.load(Ordering::Relaxed)
    }

    /// Its name.
    pub fn label(&self) -> &str {
        &self.0.label
    }

    /// Number of the input at the receiving end, for listings only.
    pub fn line(&self) -> u32 {
        self.0.line
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Wire({} -> {}: {})", self.0.label, self.0.line, u8::from(self.level()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parking_lot::Mutex;

    struct Log(Mutex<Vec<(u32, bool)>>);
    impl LineSink for Log {
        fn set_line(&self, line: u32, level: bool) {
            self.0.lock().push((line, level));
        }
    }

    #[test]
    fn sink_hears_changes_only() {
        let log = Arc::new(Log(Mutex::new(Vec::new())));
        let wire = Wire::new("test", log.clone(), 7);
        wire.clear();
        wire.assert();
        wire.clone().assert();
        wire.set(false);
        wire.pulse();
        assert_eq!(*log.0.lock(), [(7, true), (7, false), (7, true), (7, false)]);
        let open = Wire::open();
        open.assert();
        assert!(open.level());
    }
}
