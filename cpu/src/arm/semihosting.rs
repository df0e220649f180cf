//! Semihosting (Arm IHI "Semihosting for AArch32 and AArch64", release 2.0): console output, time, and exit. File
//! operations are left out and return -1.

use super::{Arm64, Platform};
use crate::core::Core;
use crate::emit::{Access, Emitter};
use crate::width::{W8, W64};

/// Bytes that one SYS_WRITE0 may print.
const LONGEST: u64 = 65536;

fn byte(core: &mut Core<Arm64>, at: u64) -> Option<u8> {
    core.load::<W8>(Access::PLAIN, at).ok()
}

fn word(core: &mut Core<Arm64>, at: u64) -> Option<u64> {
    core.load::<W64>(Access::PLAIN, at).ok()
}

/// Carries out a call; `None` when the operation does not exist.
pub fn call(core: &mut Core<Arm64>, platform: &dyn Platform, op: u64, arg: u64) -> Option<u64> {
    match op & 0xFFFF_FFFF {
        // SYS_WRITEC
        0x03 => {
            let c = byte(core, arg)?;
            platform.console(&[c]);
            Some(0)
        }
        // SYS_WRITE0
        0x04 => {
            let mut text = Vec::new();
            for i in 0..LONGEST {
                match byte(core, arg.wrapping_add(i))? {
                    0 => break,
                    c => text.push(c),
                }
            }
            platform.console(&text);
            Some(0)
        }
        // SYS_WRITE to the console handles 1 and 2; the result is the number of bytes not written.
        0x05 => {
            let (handle, at, len) = (word(core, arg)?, word(core, arg + 8)?, word(core, arg + 16)?);
            if handle > 2 {
                return Some(len);
            }
            let mut text = Vec::new();
            for i in 0..len.min(LONGEST) {
                text.push(byte(core, at.wrapping_add(i))?);
            }
            platform.console(&text);
            Some(len - len.min(LONGEST))
        }
        // SYS_CLOCK in centiseconds
        0x10 => Some(platform.counter() / (super::FREQUENCY / 100)),
        // SYS_TIME
        0x11 => Some(platform.time()),
        // SYS_ERRNO
        0x13 => Some(0),
        // SYS_EXIT with a block of reason and code, and SYS_EXIT_EXTENDED
        0x18 | 0x20 => {
            let (reason, code) = (word(core, arg)?, word(core, arg + 8)?);
            platform.exit(if reason == 0x20026 { code as i32 } else { 1 });
            Some(0)
        }
        // SYS_ISTTY, SYS_OPEN, SYS_CLOSE, SYS_READ, SYS_SEEK, SYS_FLEN and other files: refused.
        0x01 | 0x02 | 0x06 | 0x09 | 0x0A | 0x0C | 0x0D | 0x0E | 0x0F | 0x12 | 0x15 => {
            log::debug!(target: "unimp", "semihosting file operation {op:#x}");
            Some(u64::MAX)
        }
        _ => {
            log::debug!(target: "unimp", "semihosting operation {op:#x}");
            None
        }
    }
}
