//! Message signalled interrupts (PCI 3.0, 6.8.1): an interrupt is a write of the guest's choosing.

use super::config::{ConfigSpace, capability};
use crate::intc::MsiSink;
use parking_lot::Mutex;
use std::sync::Arc;

/// A sink that swallows messages.
pub struct NoMsi;

impl MsiSink for NoMsi {
    fn send(&self, _: u64, _: u32) {}
}

/// Bytes of the capability with a 64-bit address.
const BODY: usize = 12;
/// Offset of the control register in the capability, and its bits.
const CONTROL: usize = 2;
const ENABLE: u16 = 1;
const ADDRESS_64: u16 = 0x80;

struct Inner {
    sink: Arc<dyn MsiSink>,
    enabled: bool,
    /// Whether the function may master the bus.
    master: bool,
    address: u64,
    data: u16,
}

/// The MSI capability of a function: one vector, 64-bit address. Clones are the same; any thread may use them.
#[derive(Clone)]
pub struct Msi(Arc<Mutex<Inner>>);

impl Msi {
    /// Adds the capability to `config` at `offset`, or at the next free place if that is 0.
    pub fn define(config: &mut ConfigSpace, offset: usize) -> Msi {
        let mut body = [0; BODY];
        let mut writable = [0; BODY];
        body[..2].copy_from_slice(&ADDRESS_64.to_le_bytes());
        writable[0] = ENABLE as u8;
        writable[2..].fill(0xFF);
        writable[2] = 0xFC;
        config.add_capability(capability::MSI, offset, &body, &writable);
        let inner = Inner { sink: Arc::new(NoMsi), enabled: false, master: false, address: 0, data: 0 };
        Msi(Arc::new(Mutex::new(inner)))
    }

    /// Whether the guest uses it instead of the INTx pin.
    pub fn enabled(&self) -> bool {
        self.0.lock().enabled
    }

    /// Sends the message if the guest enabled it; false if not.
    pub fn notify(&self) -> bool {
        let msi = self.0.lock();
        if msi.enabled && msi.master {
            msi.sink.send(msi.address, msi.data.into());
        }
        msi.enabled
    }

    pub(super) fn connect(&self, sink: Arc<dyn MsiSink>) {
        self.0.lock().sink = sink;
    }

    /// Follows the configuration space.
    pub(super) fn update(&self, config: &ConfigSpace) {
        let Some(at) = config.find_capability(capability::MSI) else { return };
        let mut msi = self.0.lock();
        msi.enabled = config.word(at + CONTROL) & ENABLE != 0;
        msi.master = config.command() & super::config::command::MASTER != 0;
        msi.address = u64::from(config.dword(at + 4)) | u64::from(config.dword(at + 8)) << 32;
        msi.data = config.word(at + 12);
    }
}
