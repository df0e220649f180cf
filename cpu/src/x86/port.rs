//! I/O ports: who may reach them (SDM vol. 1, chapter 19), and reaching them.

use super::emit::fault;
use super::flags::eflags;
use super::maintenance::{self, Forget};
use super::segment::{self, TR};
use super::{X64, debug, mode, state, system};
use crate::core::{Core, Raised};
use crate::emit::{Effects, Helper};
use crate::width::W16;
use std::sync::Arc;

/// Whether a program may reach `size` ports: by IOPL, or by the I/O permission map of its task.
///
/// # Errors
/// With #GP if not.
pub fn check(core: &mut Core<X64>, port: u16, size: u64) -> Result<(), Raised> {
    let m = core.mode;
    let iopl = core.reg(state::EFLAGS) >> 12 & 3;
    let virtual_8086 = core.reg(state::EFLAGS) & eflags::VM != 0;
    if m & mode::PE == 0 || mode::cpl(m) <= iopl && !virtual_8086 {
        return Ok(());
    }
    let tr = segment::get(core, TR);
    let gp = fault::GP0;
    if tr.is_unusable() || tr.kind() & 8 == 0 || tr.limit < 0x67 {
        return Err(core.raise_now(gp, 0));
    }
    let map = system::read::<W16>(core, tr.base.wrapping_add(0x66))? as u64;
    let at = map + port as u64 / 8;
    if at + 1 > tr.limit as u64 {
        return Err(core.raise_now(gp, 0));
    }
    let bits = system::read::<W16>(core, tr.base.wrapping_add(at))? >> (port % 8);
    if bits & ((1 << size) - 1) != 0 {
        return Err(core.raise_now(gp, 0));
    }
    Ok(())
}

/// One access.
fn ask(core: &mut Core<X64>, port: u16, size: u32, write: Option<u32>) -> Result<u32, Raised> {
    core.reach_out()?;
    if core.mode & mode::STEP != 0 {
        debug::port(core, port, size as u64);
    }
    let (platform, index) = (Arc::clone(&core.arch.platform), core.index);
    let reach = || match write {
        Some(value) => {
            platform.port_write(index, port, size, value);
            0
        }
        None => platform.port_read(index, port, size),
    };
    // What it starts may change RAM: a recorded run ends with it, as with an access to a device.
    core.end_recorded_run();
    let value = reach();
    if write.is_some() && platform.a20() != core.arch.a20 {
        maintenance::forget(core, Forget::All);
    }
    Ok(value)
}

/// IN: the port, its size in bytes.
pub static IN: Helper<X64> = Helper { name: "in", effects: Effects::FAULTS, run: input };

/// Reads `size` (1, 2, 4) bytes from a port that the program may reach.
///
/// # Errors
/// With #GP if it may not.
pub fn input(core: &mut Core<X64>, port: u64, size: u64, _: u64) -> Result<u64, Raised> {
    check(core, port as u16, size)?;
    Ok(ask(core, port as u16, size as u32, None)? as u64)
}

/// OUT: the port, its size in bytes, the value.
pub static OUT: Helper<X64> = Helper { name: "out", effects: Effects::ENDS, run: output };

/// Writes `size` (1, 2, 4) bytes to a port that the program may reach.
///
/// # Errors
/// With #GP if it may not.
pub fn output(core: &mut Core<X64>, port: u64, size: u64, value: u64) -> Result<u64, Raised> {
    check(core, port as u16, size)?;
    let value = value as u32 & (u32::MAX >> (32 - 8 * size.clamp(1, 4)));
    ask(core, port as u16, size as u32, Some(value))?;
    Ok(0)
}
