//! The registers between a host adapter and an ATA device, and what a command makes of them.
//!
//! After ATA/ATAPI-8 (ACS, T13/1699) and, for the registers themselves, ATA/ATAPI-7 volume 2.

use serde::{Deserialize, Serialize};

/// Status register.
pub mod status {
    /// The command failed; the error register says why. For packets: check condition.
    pub const ERR: u8 = 0x01;
    /// Data is ready to be moved.
    pub const DRQ: u8 = 0x08;
    /// Seek complete, as drives without seek errors report it.
    pub const DSC: u8 = 0x10;
    /// Ready for commands.
    pub const DRDY: u8 = 0x40;
    /// Busy.
    pub const BSY: u8 = 0x80;
}

/// Error register.
pub mod error {
    /// Command aborted.
    pub const ABRT: u8 = 0x04;
    /// No such sector.
    pub const IDNF: u8 = 0x10;
    /// Data that cannot be read.
    pub const UNC: u8 = 0x40;
}

/// Device register: the address is a block number.
pub const LBA: u8 = 0x40;
/// Device register: device 1.
pub const DEVICE_1: u8 = 0x10;

/// The registers of one device. Those that 48-bit commands need twice hold the last value in byte 0 and the one before
/// in byte 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskFile {
    /// Features.
    pub features: [u8; 2],
    /// Sector count; interrupt reason of packets.
    pub count: [u8; 2],
    /// LBA low, mid, high.
    pub lba: [[u8; 2]; 3],
    /// Device.
    pub device: u8,
    /// Status.
    pub status: u8,
    /// Error.
    pub error: u8,
}

impl TaskFile {
    /// After power-on, with the signature of the device (ACS 6.6).
    pub fn new(packet: bool) -> TaskFile {
        let mut regs =
            TaskFile { features: [0; 2], count: [0; 2], lba: [[0; 2]; 3], device: 0, status: 0, error: 0 };
        regs.sign(packet);
        regs
    }

    /// Shows the signature, and the code of a passed self-test.
    pub fn sign(&mut self, packet: bool) {
        let [mid, high] = if packet { [0x14, 0xEB] } else { [0, 0] };
        self.count = [1, 0];
        self.lba = [[1, 0], [mid, 0], [high, 0]];
        self.device &= DEVICE_1;
        self.error = 1;
        // A packet device is not ready before its first packet.
        self.status = if packet { 0 } else { status::DRDY | status::DSC };
    }

    /// 28-bit block number.
    pub fn lba28(&self) -> u64 {
        let [low, mid, high] = self.lba.map(|r| u64::from(r[0]));
        u64::from(self.device & 0xF) << 24 | high << 16 | mid << 8 | low
    }

    /// 48-bit block number.
    pub fn lba48(&self) -> u64 {
        let [low, mid, high] = self.lba.map(|r| u64::from(r[0]) | u64::from(r[1]) << 24);
        high << 16 | mid << 8 | low
    }

    /// Sets the 28-bit block number.
    pub fn set_lba28(&mut self, lba: u64) {
        for (i, register) in self.lba.iter_mut().enumerate() {
            register[0] = (lba >> (8 * i)) as u8;
        }
        self.device = self.device & 0xF0 | (lba >> 24) as u8 & 0xF;
    }

    /// Sets the 48-bit block number.
    pub fn set_lba48(&mut self, lba: u64) {
        for (i, register) in self.lba.iter_mut().enumerate() {
            *register = [(lba >> (8 * i)) as u8, (lba >> (8 * i + 24)) as u8];
        }
    }

    /// The byte count of a packet command.
    pub fn byte_count(&self) -> u16 {
        u16::from_le_bytes([self.lba[1][0], self.lba[2][0]])
    }

    /// Sets the byte count of a packet command.
    pub fn set_byte_count(&mut self, count: u16) {
        [self.lba[1][0], self.lba[2][0]] = count.to_le_bytes();
    }

    /// The command is complete.
    pub fn done(&mut self) {
        self.status = status::DRDY | status::DSC;
        self.error = 0;
    }

    /// The command failed.
    pub fn fail(&mut self, error: u8) {
        self.status = status::DRDY | status::ERR;
        self.error = error;
    }
}

/// The data of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Data {
    /// To the host, from these bytes on.
    Bytes {
        /// All of them.
        bytes: Vec<u8>,
        /// How many are behind.
        done: usize,
    },
    /// To the host, from the medium.
    Read {
        /// Offset of the next byte.
        at: u64,
        /// Bytes left.
        left: u64,
    },
    /// From the host, to the medium.
    Write {
        /// Offset of the next byte.
        at: u64,
        /// Bytes left.
        left: u64,
    },
}

impl Data {
    /// Bytes left to be moved.
    pub fn left(&self) -> u64 {
        match self {
            Data::Bytes { bytes, done } => bytes.len().saturating_sub(*done) as u64,
            Data::Read { left, .. } | Data::Write { left, .. } => *left,
        }
    }

    /// Whether they come from the host.
    pub fn is_write(&self) -> bool {
        matches!(self, Data::Write { .. })
    }
}

/// What comes after a command was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Nothing: the registers say how it ended.
    Done,
    /// Data through the data register, `block` bytes at a time.
    Pio {
        /// The data.
        data: Data,
        /// Bytes of each piece.
        block: u32,
    },
    /// Data by DMA.
    Dma(Data),
    /// The packet, through the data register.
    Packet {
        /// Whether its data goes by DMA.
        dma: bool,
    },
}
