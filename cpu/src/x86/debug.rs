//! Debug registers, single-stepping and their exceptions (SDM vol. 3, 19.2 and 19.3).
//!
//! Nothing here runs unless something is armed: the mode word then has STEP or WATCH set, and code in such modes is
//! interpreted, with a look before and after each instruction and at each access.
//!
//! Left out: DEBUGCTL.BTF and the last-branch records.

use super::control::cr4;
use super::emit::fault;
use super::flags::eflags;
use super::gate::{self, Event, Kind};
use super::{X64, context, exception, mode, state};
use crate::core::{Core, Raised};
use crate::emit::{Effects, Helper};

/// DR6.BD: a debug register is accessed although DR7.GD is set.
const BD: u64 = 1 << 13;
/// DR6.BS: single step.
pub const BS: u32 = 1 << 14;
/// DR6.BT: task switch.
pub const BT: u32 = 1 << 15;
/// DR7.GD.
const GD: u64 = 1 << 13;
/// Bits of DR6 that read as ones.
pub const DR6_FIXED: u64 = 0xFFFF_0FF0;
/// Likewise of DR7.
pub const DR7_FIXED: u64 = 0x400;

/// What a breakpoint waits for: the R/W fields of DR7.
const EXECUTE: u64 = 0;
const STORE: u64 = 1;
const PORT: u64 = 2;
const ANY: u64 = 3;

/// The enabled breakpoints: number and R/W field.
fn enabled(dr7: u64) -> impl Iterator<Item = (u8, u64)> {
    (0..4u8).filter(move |n| dr7 >> (2 * n) & 3 != 0).map(move |n| (n, dr7 >> (16 + 4 * n) & 3))
}

/// Whether instructions have to be looked at: one has a breakpoint, or a port.
pub fn breaks_armed(core: &Core<X64>) -> bool {
    let dr7 = core.reg(state::DR7);
    dr7 & 0xFF != 0 && enabled(dr7).any(|(_, kind)| kind == EXECUTE || kind == PORT)
}

/// Whether accesses have to be looked at.
pub fn watches_armed(core: &Core<X64>) -> bool {
    let dr7 = core.reg(state::DR7);
    dr7 & 0xFF != 0 && enabled(dr7).any(|(_, kind)| kind == STORE || kind == ANY)
}

/// Bytes that a breakpoint's LEN field covers.
fn length(dr7: u64, n: u8) -> u64 {
    [1, 2, 8, 4][(dr7 >> (18 + 4 * n) & 3) as usize]
}

/// Notes the breakpoints that an access of bytes or ports meets.
fn note(core: &mut Core<X64>, at: u64, size: u64, kinds: [bool; 4]) {
    let dr7 = core.reg(state::DR7);
    let mut met = 0;
    for (n, kind) in enabled(dr7) {
        let length = length(dr7, n);
        let from = core.reg(state::dr(n)) & !(length - 1);
        let overlaps = at.wrapping_sub(from) < length || from.wrapping_sub(at) < size;
        if kinds[kind as usize] && overlaps {
            met |= 1 << n;
        }
    }
    core.set(state::DEBUG_PENDING, core.reg(state::DEBUG_PENDING) | met);
}

/// An access in a watched mode that translation has admitted: does it read, does it write?
pub fn access(core: &mut Core<X64>, at: u64, size: u64, how: [bool; 2]) {
    note(core, at, size, [false, how[1], false, how[0] || how[1]]);
}

/// An access to I/O ports.
pub fn port(core: &mut Core<X64>, port: u16, size: u64) {
    if core.reg(state::CR4) & cr4::DE != 0 {
        note(core, port as u64, size, [false, false, true, false]);
    }
}

/// Before an instruction runs in a watched mode: breakpoints on it.
///
/// # Errors
/// With #DB.
pub fn before(core: &mut Core<X64>) -> Result<(), Raised> {
    let flags = core.reg(state::EFLAGS);
    core.arch.trap = flags & eflags::TF != 0;
    core.arch.resumed = flags & eflags::RF != 0;
    let (dr7, pc) = (core.reg(state::DR7), core.pc());
    if dr7 & 0xFF == 0 || core.arch.resumed {
        return Ok(());
    }
    let met: u64 = enabled(dr7)
        .filter(|&(n, kind)| kind == EXECUTE && core.reg(state::dr(n)) == pc)
        .map(|(n, _)| 1 << n)
        .sum();
    if met == 0 {
        return Ok(());
    }
    show(core, met);
    Err(core.raise_now(fault::DB, 0))
}

/// Enters conditions into DR6.
fn show(core: &mut Core<X64>, met: u64) {
    core.set(state::DR6, core.reg(state::DR6) & !0xF | DR6_FIXED | met);
    core.set(state::DR7, core.reg(state::DR7) & !GD);
}

/// Takes the debug trap for conditions that an instruction met.
pub fn trap(core: &mut Core<X64>, met: u32) {
    show(core, met as u64);
    let return_to = gate::ip(core);
    let event = Event { vector: exception::DB, code: None, kind: Kind::Exception, return_to, resume: false };
    exception::deliver_event(core, event);
}

/// Which register a number means: 4 and 5 are 6 and 7 without CR4.DE.
fn number(core: &mut Core<X64>, n: u64) -> Result<u8, Raised> {
    if core.reg(state::DR7) & GD != 0 {
        show(core, BD);
        return Err(core.raise_now(fault::DB, 0));
    }
    if n > 7 || (n == 4 || n == 5) && core.reg(state::CR4) & cr4::DE != 0 {
        return Err(core.raise_now(fault::UD, 0));
    }
    Ok(if n == 4 || n == 5 { n as u8 + 2 } else { n as u8 })
}

/// MOV from a debug register: its number.
pub static READ: Helper<X64> = Helper { name: "read_dr", effects: Effects::FAULTS, run: read };

fn read(core: &mut Core<X64>, n: u64, _: u64, _: u64) -> Result<u64, Raised> {
    Ok(match number(core, n)? {
        6 => core.reg(state::DR6) | DR6_FIXED,
        7 => core.reg(state::DR7) | DR7_FIXED,
        n => core.reg(state::dr(n)),
    })
}

/// MOV to a debug register: its number, the value.
pub static WRITE: Helper<X64> = Helper { name: "write_dr", effects: Effects::ENDS, run: write };

fn write(core: &mut Core<X64>, n: u64, value: u64, _: u64) -> Result<u64, Raised> {
    let n = number(core, n)?;
    if n >= 6 && value >> 32 != 0 && mode::is_64(core.mode) {
        return Err(core.raise_now(fault::GP0, 0));
    }
    match n {
        6 => core.set(state::DR6, value & 0xE00F | DR6_FIXED),
        7 => core.set(state::DR7, value & 0xFFFF_2BFF | DR7_FIXED),
        n => core.set(state::dr(n), value),
    }
    context::refresh(core);
    Ok(0)
}
