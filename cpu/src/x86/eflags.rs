//! EFLAGS as PUSHF and POPF see it (SDM vol. 1, 3.4.3; vol. 2, POPF; vol. 3, 22.3).
//!
//! Protected-mode virtual interrupts (CR4.PVI) touch neither instruction.

use super::X64;
use super::context;
use super::emit::{X86, fault};
use super::features as f;
use super::flags::{self, eflags};
use super::mode;
use super::state;
use crate::core::{Core, Raised};
use crate::emit::{Effects, Helper};
use crate::width::{W16, W32, W64};

/// Bit 1, which is always set.
const FIXED: u32 = 1 << 1;
/// What CR4.VME stands for.
const CR4_VME: u64 = 1;
/// The flags of the low 16 bits that POPF may change at the highest privilege.
const LOW: u32 = eflags::ARITHMETIC | eflags::TF | eflags::IF | eflags::DF | eflags::IOPL | eflags::NT;
const IOPL_SHIFT: u32 = eflags::IOPL.trailing_zeros();

/// EFLAGS as the processor has it.
pub fn get(core: &Core<X64>) -> u32 {
    flags::to_eflags(core.reg(state::FLAGS)) | core.reg(state::EFLAGS) & !eflags::ARITHMETIC | FIXED
}

/// The bits that the processor model implements.
pub fn implemented(features: u64) -> u32 {
    let has = |feature: u64| features & feature != 0;
    let mut bits = eflags::ARITHMETIC | eflags::TF | eflags::IF | eflags::DF;
    if has(f::I286) {
        bits |= eflags::IOPL | eflags::NT;
    }
    if has(f::I386) {
        bits |= eflags::RF | eflags::VM;
    }
    if has(f::I486) {
        bits |= eflags::AC;
    }
    if has(f::VME) {
        bits |= eflags::VIF | eflags::VIP;
    }
    if has(f::I586) {
        bits |= eflags::ID;
    }
    bits
}

/// Sets the bits of EFLAGS in `mask` that the model implements, and whatever depends on them.
pub fn set(core: &mut Core<X64>, value: u32, mask: u32) {
    let mask = mask & implemented(core.features);
    let new = get(core) & !mask | value & mask;
    core.set(state::FLAGS, flags::from_eflags(new));
    core.set(state::EFLAGS, new & !eflags::ARITHMETIC);
    context::refresh(core);
}

/// The I/O privilege level.
pub fn iopl(core: &Core<X64>) -> u32 {
    core.reg(state::EFLAGS) >> IOPL_SHIFT & 3
}

/// Virtual-8086 mode with an IOPL below 3 and 16-bit operands: VIF stands for IF if the extensions are on.
///
/// # Errors
/// With #GP(0) in virtual-8086 mode with an IOPL below 3 otherwise.
fn virtual_if(core: &mut Core<X64>, log2: u64) -> Result<bool, Raised> {
    if core.mode & mode::VM == 0 || iopl(core) == 3 {
        return Ok(false);
    }
    if log2 == 1 && core.reg(state::CR4) & CR4_VME != 0 {
        return Ok(true);
    }
    Err(core.raise_now(fault::GP0, 0))
}

/// PUSHF with operands of log2 size: gives what is pushed.
pub static PUSH: Helper<X64> =
    Helper { name: "pushf", effects: Effects { reads: true, raises: true, ..Effects::NONE }, run: push };

fn push(core: &mut Core<X64>, log2: u64, _: u64, _: u64) -> Result<u64, Raised> {
    let mut image = get(core) & !(eflags::RF | eflags::VM);
    if virtual_if(core, log2)? {
        let vif = image & eflags::VIF != 0;
        image = image & !eflags::IF | if vif { eflags::IF } else { 0 } | eflags::IOPL;
    }
    if core.features & f::I286 == 0 {
        image |= 0xF000;
    }
    Ok(image as u64)
}

/// POPF with operands of log2 size: takes them from the stack.
pub static POP: Helper<X64> = Helper { name: "popf", effects: Effects::ENDS, run: pop };

fn pop(core: &mut Core<X64>, log2: u64, _: u64, _: u64) -> Result<u64, Raised> {
    let is_virtual = virtual_if(core, log2)?;
    let value = match log2 {
        1 => core.top::<W16>()? as u32,
        2 => core.top::<W32>()?,
        _ => core.top::<W64>()? as u32,
    };
    let m = core.mode;
    let mut mask = LOW;
    if log2 > 1 {
        mask |= eflags::AC | eflags::ID | eflags::RF;
    }
    if m & mode::VM != 0 {
        mask &= !eflags::IOPL;
    } else if m & mode::PE != 0 {
        if mode::cpl(m) > 0 {
            mask &= !eflags::IOPL;
        }
        if mode::cpl(m) > iopl(core) {
            mask &= !eflags::IF;
        }
    } else if core.features & f::I386 == 0 {
        // The 80286 keeps these clear in real mode.
        mask &= !(eflags::IOPL | eflags::NT);
    }
    let mut value = value & !eflags::RF;
    if is_virtual {
        let pending = core.reg(state::EFLAGS) & eflags::VIP != 0 && value & eflags::IF != 0;
        if pending || value & eflags::TF != 0 {
            return Err(core.raise_now(fault::GP0, 0));
        }
        let vif = value & eflags::IF != 0;
        value = value & !eflags::VIF | if vif { eflags::VIF } else { 0 };
        mask = mask & !eflags::IF | eflags::VIF;
    }
    core.drop_top::<W16>(1 << log2);
    set(core, value, mask);
    Ok(0)
}

/// CLD and STD: sets DF to the argument.
pub static DIRECTION: Helper<X64> = Helper { name: "direction", effects: Effects::ENDS, run: direction };

fn direction(core: &mut Core<X64>, down: u64, _: u64, _: u64) -> Result<u64, Raised> {
    let old = core.reg(state::EFLAGS);
    if down != 0 {
        core.set(state::EFLAGS, old | eflags::DF);
        core.mode |= mode::DF;
    } else {
        core.set(state::EFLAGS, old & !eflags::DF);
        core.mode &= !mode::DF;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_implement_more_and_more() {
        assert_eq!(implemented(f::I186) & eflags::NT, 0);
        let f286 = implemented(f::I186 | f::I286);
        assert_eq!(f286 & (eflags::NT | eflags::AC), eflags::NT);
        let f486 = implemented(f::I186 | f::I286 | f::I386 | f::I486);
        assert_eq!(f486 & (eflags::AC | eflags::ID), eflags::AC);
    }
}
