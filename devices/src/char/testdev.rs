//! The `testdev` chardev: a guest test suite ends the machine with an exit code.
//!
//! The protocol of kvm-unit-tests' chr-testdev: commands of one letter, each behind an optional decimal number, with
//! white space allowed between; `<code>q` exits with `code * 2 + 1`. Other letters are ignored.

use super::Chardev;
use parking_lot::Mutex;

/// Hears of the exit code.
type Exit = Box<dyn Fn(u32) + Send + Sync>;

/// A line that takes test commands.
pub struct Testdev {
    exit: Exit,
    number: Mutex<u32>,
}

impl Testdev {
    /// Calls `exit` with the code when the guest asks for the end; it must not block.
    pub fn new(exit: impl Fn(u32) + Send + Sync + 'static) -> Testdev {
        Testdev { exit: Box::new(exit), number: Mutex::new(0) }
    }
}

impl Chardev for Testdev {
    fn write(&self, bytes: &[u8]) -> usize {
        let mut number = self.number.lock();
        for byte in bytes {
            match byte {
                b'0'..=b'9' => *number = number.wrapping_mul(10).wrapping_add(u32::from(byte - b'0')),
                b' ' | b'\t'..=b'\r' => {}
                b'q' => (self.exit)(std::mem::take(&mut *number) << 1 | 1),
                _ => *number = 0,
            }
        }
        bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn commands() {
        let codes = Arc::new(Mutex::new(Vec::new()));
        let log = codes.clone();
        let line = Testdev::new(move |code| log.lock().push(code));
        assert_eq!(line.write(b"0q1q"), 4);
        line.write(b"12");
        line.write(b"7 \n q7x2q");
        assert_eq!(*codes.lock(), [1, 3, 255, 5]);
    }
}
