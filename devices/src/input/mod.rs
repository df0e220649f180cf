//! Keyboards and mice, and how a front end uses them.

pub mod i8042;
pub mod keys;
pub mod ps2;

use i8042::I8042;
use keys::Key;
use parking_lot::Mutex;

/// Takes keys from `sendkey`, a terminal or a window. Callable from any thread; takes the device's lock.
pub trait KeySink: Send + Sync {
    /// `key` goes down or up. Keys that the device has no room for are lost, as on a keyboard whose buffer is full.
    fn key(&self, key: Key, down: bool);
}

/// Takes what a pointing device does. Callable from any thread; takes the device's lock.
pub trait PointerSink: Send + Sync {
    /// A relative movement, right and down being positive, and of the wheel, towards the user being positive.
    fn motion(&self, dx: i32, dy: i32, dz: i32);
    /// The buttons that are down: bit 0 left, 1 right, 2 middle.
    fn buttons(&self, down: u8);
}

impl KeySink for Mutex<I8042> {
    fn key(&self, key: Key, down: bool) {
        self.lock().key(key, down);
    }
}

impl PointerSink for Mutex<I8042> {
    fn motion(&self, dx: i32, dy: i32, dz: i32) {
        self.lock().motion(dx, dy, dz);
    }
    fn buttons(&self, down: u8) {
        self.lock().buttons(down);
    }
}
