//! What the loader knows: its name, the memory map, the command line.
//!
//! Sources: Multiboot 0.6.96, 3.3 (boot information); Xen public headers, `hvm_start_info`.

use crate::memory::read;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

static PROTOCOL: AtomicU32 = AtomicU32::new(0);
static INFORMATION: AtomicU32 = AtomicU32::new(0);

/// Of PVH's start information.
const START_MAGIC: u32 = 0x336e_c578;

/// One range of the memory map.
pub struct Range {
    /// First address.
    pub base: u64,
    /// Bytes.
    pub size: u64,
    /// As in INT 15h, AX=E820h: 1 is RAM.
    pub kind: u32,
}

/// Keeps what the entry was given.
pub fn start(protocol: u32, information: u32) {
    PROTOCOL.store(protocol, Relaxed);
    INFORMATION.store(information, Relaxed);
}

/// How we were loaded.
pub fn name() -> &'static str {
    if pvh() { "PVH" } else { "multiboot" }
}

fn pvh() -> bool {
    PROTOCOL.load(Relaxed) == 2
}

fn word(at: u64) -> u64 {
    u64::from(read::<u32>(u64::from(INFORMATION.load(Relaxed)) + at).unwrap_or(0))
}

fn pvh_version() -> u64 {
    if word(0) as u32 == START_MAGIC { word(4) } else { 0 }
}

/// Address of the RSDP, if the loader says where it is.
pub fn rsdp() -> Option<u64> {
    (pvh() && word(0) as u32 == START_MAGIC)
        .then(|| word(32) | word(36) << 32)
        .filter(|&address| address != 0)
}

/// The command line's address, which is 0 if there is none.
pub fn command_line() -> u64 {
    if pvh() {
        word(24) | word(28) << 32
    } else if word(0) & 4 != 0 {
        word(16)
    } else {
        0
    }
}

/// The memory map, in the loader's order.
pub fn ranges() -> impl Iterator<Item = Range> {
    let (mut at, end) = if pvh() {
        let table = if pvh_version() >= 1 { word(40) | word(44) << 32 } else { 0 };
        (table, table + 24 * word(48).min(256))
    } else if word(0) & 1 << 6 != 0 {
        (word(48), word(48) + word(44))
    } else {
        (0, 0)
    };
    core::iter::from_fn(move || {
        if at >= end {
            return None;
        }
        let entry = if pvh() { at } else { at + 4 };
        let size = if pvh() { 24 } else { u64::from(read::<u32>(at)?) + 4 };
        at += size.max(8);
        Some(Range { base: read(entry)?, size: read(entry + 8)?, kind: read(entry + 16)? })
    })
}
