//! Control messages of a multiport console (5.3.6.2).

use serde::{Deserialize, Serialize};

/// Events; the comment says who sends them.
pub(super) mod event {
    /// Driver: whether it is ready.
    pub(in super::super) const DEVICE_READY: u16 = 0;
    /// Device: there is a port.
    pub(in super::super) const DEVICE_ADD: u16 = 1;
    /// Driver: whether it can use the port.
    pub(in super::super) const PORT_READY: u16 = 3;
    /// Device: the port is a console.
    pub(in super::super) const CONSOLE_PORT: u16 = 4;
    /// Both: whether their end of the port is open.
    pub(in super::super) const PORT_OPEN: u16 = 6;
    /// Device: the port's name follows.
    pub(in super::super) const PORT_NAME: u16 = 7;
}

/// One message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Message {
    pub(super) port: u32,
    pub(super) event: u16,
    pub(super) value: u16,
}

impl Message {
    /// Bytes of a message, without what follows.
    pub(super) const LEN: usize = 8;

    pub(super) fn bytes(self) -> [u8; Self::LEN] {
        let raw = u64::from(self.port) | u64::from(self.event) << 32 | u64::from(self.value) << 48;
        raw.to_le_bytes()
    }

    pub(super) fn from_bytes(bytes: [u8; Self::LEN]) -> Message {
        let raw = u64::from_le_bytes(bytes);
        Message { port: raw as u32, event: (raw >> 32) as u16, value: (raw >> 48) as u16 }
    }
}
