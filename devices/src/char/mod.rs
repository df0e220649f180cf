//! Character devices, and what stands behind them: a terminal, a socket, a test.
//!
//! Output goes from the device to its [`Chardev`], under the device's lock. Input comes from the front end through a
//! [`CharPort`], which takes the lock. A chardev must therefore never call its port from within [`Chardev::write`].

pub mod pl011;
pub mod uart16550;

use crate::bus::device::Device;
use parking_lot::Mutex;
use std::sync::Arc;

/// The host's end of a serial line. Nothing here may block or call back into the device.
pub trait Chardev: Send + Sync {
    /// Takes bytes from the guest; returns how many it took. After taking fewer than all it calls
    /// [`CharPort::drain`] once there is room again.
    fn write(&self, bytes: &[u8]) -> usize;
    /// The device has room for input again after it had none.
    fn input_wanted(&self) {}
}

/// A device that takes input and keeps output that its chardev had no room for.
pub trait Serial: Device {
    /// Bytes of input there is room for.
    fn can_receive(&self) -> usize;
    /// Takes input; returns how many bytes there was room for.
    fn receive(&mut self, bytes: &[u8]) -> usize;
    /// A break condition on the line, for devices that tell.
    fn receive_break(&mut self) {}
    /// The chardev has room again.
    fn drain(&mut self);
}

/// The front end's handle to a [`Serial`] device, whatever its type.
pub trait CharPort: Send + Sync {
    /// See [`Serial::can_receive`].
    fn can_receive(&self) -> usize;
    /// See [`Serial::receive`].
    fn receive(&self, bytes: &[u8]) -> usize;
    /// See [`Serial::receive_break`].
    fn receive_break(&self);
    /// See [`Serial::drain`].
    fn drain(&self);
}

impl<D: Serial> CharPort for Mutex<D> {
    fn can_receive(&self) -> usize {
        self.lock().can_receive()
    }
    fn receive(&self, bytes: &[u8]) -> usize {
        self.lock().receive(bytes)
    }
    fn receive_break(&self) {
        self.lock().receive_break();
    }
    fn drain(&self) {
        self.lock().drain();
    }
}

/// A line that goes nowhere: takes all output.
pub struct Null;

impl Chardev for Null {
    fn write(&self, bytes: &[u8]) -> usize {
        bytes.len()
    }
}

/// A line that keeps all output, and can be told to take only so much: for tests.
#[derive(Default)]
pub struct Capture {
    taken: Mutex<Vec<u8>>,
    room: Mutex<Option<usize>>,
}

impl Capture {
    /// A line with room for everything.
    pub fn new() -> Arc<Capture> {
        Arc::default()
    }

    /// What was written since the last call.
    pub fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.taken.lock())
    }

    /// Leaves room for `bytes` more bytes, or for everything.
    pub fn set_room(&self, bytes: Option<usize>) {
        *self.room.lock() = bytes;
    }
}

impl Chardev for Capture {
    fn write(&self, bytes: &[u8]) -> usize {
        let mut room = self.room.lock();
        let count = room.map_or(bytes.len(), |room| room.min(bytes.len()));
        if let Some(room) = room.as_mut() {
            *room -= count;
        }
        self.taken.lock().extend(bytes.iter().take(count));
        count
    }
}
