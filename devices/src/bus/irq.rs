//! Interrupt wires: what connects a device's output to an input of something else.

use parking_lot::Mutex;
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

/// Several drivers on one wire: it is high while any of them is. Inputs are numbered from 0 to 31.
pub struct OrGate {
    inputs: Mutex<u32>,
    out: Wire,
}

impl OrGate {
    /// A gate with all inputs low that drives `out`.
    pub fn new(out: Wire) -> Arc<OrGate> {
        Arc::new(OrGate { inputs: Mutex::new(0), out })
    }
}

impl LineSink for OrGate {
    fn set_line(&self, line: u32, level: bool) {
        let Some(bit) = 1u32.checked_shl(line) else { return };
        let mut inputs = self.inputs.lock();
        *inputs = if level { *inputs | bit } else { *inputs & !bit };
        self.out.set(*inputs != 0);
    }
}

/// One driver of several wires: ISA interrupts reach the 8259 and the I/O APIC. Inputs are numbered from 0.
pub struct FanOut(Vec<Vec<Wire>>);

impl FanOut {
    /// Input `n` drives all of `wires[n]`.
    pub fn new(wires: Vec<Vec<Wire>>) -> Arc<FanOut> {
        Arc::new(FanOut(wires))
    }
}

impl LineSink for FanOut {
    fn set_line(&self, line: u32, level: bool) {
        self.0.get(line as usize).into_iter().flatten().for_each(|w| w.set(level));
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

    #[test]
    fn gates() {
        let (a, b) = (Wire::open(), Wire::open());
        let fan = FanOut::new(vec![vec![], vec![a.clone(), b.clone()]]);
        let or = OrGate::new(Wire::new("both", fan, 1));
        let (x, y) = (Wire::new("x", or.clone(), 0), Wire::new("y", or, 31));
        x.assert();
        y.assert();
        x.clear();
        assert!(a.level() && b.level());
        y.clear();
        assert!(!a.level() && !b.level());
    }
}
