//! The exit-code protocol of test suites: the guest writes a number and `q`, and the program ends with
//! `(number << 1) | 1`.

use std::sync::{Arc, OnceLock};

use lyrebird_devices::char::{CharPort, Chardev};
use lyrebird_machine::chardev::Backend;
use lyrebird_machine::control::Control;
use parking_lot::Mutex;

/// The back end.
#[derive(Default)]
pub struct Testdev {
    number: Mutex<Option<u32>>,
    control: OnceLock<Arc<dyn Control>>,
}

impl Testdev {
    /// Says which machine to end.
    pub fn set_control(&self, control: Arc<dyn Control>) {
        let _ = self.control.set(control);
    }

    fn take(&self, byte: u8) -> Option<i32> {
        let mut number = self.number.lock();
        match byte {
            b'0'..=b'9' => {
                let n = number.unwrap_or(0).wrapping_mul(10).wrapping_add(u32::from(byte - b'0'));
                *number = Some(n);
                None
            }
            b'q' => number.take().map(|n| (n << 1 | 1) as i32),
            _ => {
                *number = None;
                None
            }
        }
    }
}

impl Chardev for Testdev {
    fn write(&self, bytes: &[u8]) -> usize {
        for &byte in bytes {
            if let (Some(code), Some(control)) = (self.take(byte), self.control.get()) {
                control.quit(code);
            }
        }
        bytes.len()
    }
}

impl Backend for Testdev {
    fn connect(&self, _port: Arc<dyn CharPort>) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes() {
        let dev = Testdev::default();
        let run = |text: &str| text.bytes().filter_map(|b| dev.take(b)).collect::<Vec<_>>();
        assert_eq!(run("0q"), [1]);
        assert_eq!(run("3q"), [7]);
        assert_eq!(run("127q"), [255]);
        assert!(run("q").is_empty());
        assert_eq!(run("1x2q"), [5]);
    }
}
