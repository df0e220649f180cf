//! x87 instructions with an operand in memory: loads, stores, arithmetic with a converted source.

use super::x87_exec::{Source, push, with_memory};
use super::x87_state::{Fpu, Response};
use crate::core::{Core, Raised};
use crate::emit::{Access, Emitter};
use crate::softfloat::x80::{self, X80, X87};
use crate::softfloat::{F32, F64, Flags, Format, Int, Rounding};
use crate::width::{W16, W32, W64};
use crate::x86::X64;

type Fp = Core<X64>;

/// Bytes of the memory operand of a group (D8 to DF: 0 to 7) and ModRM.reg, and whether it is written.
pub const fn operand(group: u8, reg: u8) -> (u64, bool) {
    match (group, reg) {
        (0 | 2, _) => (4, false),
        (1, 0) => (4, false),
        (1, 2 | 3) => (4, true),
        (1, 5) => (2, false),
        (1, _) => (2, true),
        (3, 5) => (10, false),
        (3, 7) => (10, true),
        (3, 0) => (4, false),
        (3, _) => (4, true),
        (4, _) | (5, 0) => (8, false),
        (5, 7) => (2, true),
        (5, _) => (8, true),
        (6, _) | (7, 0) => (2, false),
        (7, 4) => (10, false),
        (7, 5) => (8, false),
        (7, 6) => (10, true),
        (7, 7) => (8, true),
        _ => (2, true),
    }
}

/// A number in a narrower format as an operand: a signalling NaN stays one.
fn widen<F: Format>(bits: u64) -> Source {
    let mut env = X87::default();
    let mut x = x80::from_format::<F>(bits, &mut env);
    if env.flags.contains(Flags::INVALID) {
        x.sig &= !(1 << 62);
    }
    Source::new(x, &env)
}

fn integer(x: i64) -> X80 {
    x80::from_int(x, &mut X87::default())
}

fn load_80(core: &mut Fp, at: u64) -> Result<X80, Raised> {
    let sig = core.load::<W64>(Access::PLAIN, at)?;
    let head = core.load::<W16>(Access::PLAIN, at.wrapping_add(8))?;
    Ok(X80 { head, sig })
}

/// Stores ten bytes, or nothing.
fn store_80(core: &mut Fp, at: u64, x: X80) -> Result<(), Raised> {
    if at & 0xFFF > 0x1000 - 10 {
        core.store_hits_code(at, 1, 10, Access::PLAIN)?;
    }
    core.store::<W64>(Access::PLAIN, at, x.sig)?;
    core.store::<W16>(Access::PLAIN, at.wrapping_add(8), x.head)
}

/// Stores a value that `f` converts ST(0) to, or `indefinite` if there is none; then pops if `pop`.
fn store<T: Copy>(
    core: &mut Fp,
    indefinite: T,
    pop: bool,
    f: impl FnOnce(X80, &mut X87) -> T,
    put: impl FnOnce(&mut Fp, T) -> Result<(), Raised>,
) -> Result<(), Raised> {
    use crate::x86::state::FSW;
    // A store that faults has not happened: the status is that of before.
    let before = core.reg(FSW);
    let (response, value) = if core.is_empty(0) {
        (core.stack_fault(false), indefinite)
    } else {
        let mut env = core.environment();
        let value = f(core.st(0), &mut env);
        (core.report_store(&env), value)
    };
    if response == Response::Withhold {
        return Ok(());
    }
    if let Err(fault) = put(core, value) {
        core.set(FSW, before);
        return Err(fault);
    }
    if pop {
        core.pop();
    }
    Ok(())
}

fn store_format<F: Format>(core: &mut Fp, at: u64, pop: bool) -> Result<(), Raised> {
    let indefinite = F::signed(true, F::INFINITY | F::QUIET);
    store(core, indefinite, pop, x80::to_format::<F>, |core, v| match F::WIDTH {
        32 => core.store::<W32>(Access::PLAIN, at, v as u32),
        _ => core.store::<W64>(Access::PLAIN, at, v),
    })
}

/// FIST, FISTP, FISTTP.
fn store_int<I: Int + Into<i64>>(core: &mut Fp, at: u64, pop: bool, truncate: bool) -> Result<(), Raised> {
    let indefinite = I::from_raw(1 << (I::BITS - 1));
    let convert = |x: X80, env: &mut X87| {
        let rounding = if truncate { Rounding::TowardZero } else { env.rounding };
        x80::to_int::<I>(x, rounding, env)
    };
    store(core, indefinite, pop, convert, |core, v| {
        let v: i64 = v.into();
        match I::BITS {
            16 => core.store::<W16>(Access::PLAIN, at, v as u16),
            32 => core.store::<W32>(Access::PLAIN, at, v as u32),
            _ => core.store::<W64>(Access::PLAIN, at, v as u64),
        }
    })
}

/// An instruction with a memory operand at a linear address.
///
/// # Errors
/// With the access's faults.
pub fn memory(core: &mut Fp, group: u8, reg: u8, at: u64) -> Result<(), Raised> {
    let k = Access::PLAIN;
    match (group, reg) {
        (0, _) => {
            let x = core.load::<W32>(k, at)?;
            with_memory(core, reg, widen::<F32>(x.into()));
        }
        (4, _) => {
            let x = core.load::<W64>(k, at)?;
            with_memory(core, reg, widen::<F64>(x));
        }
        (2, _) => {
            let x = core.load::<W32>(k, at)? as i32;
            with_memory(core, reg, Source::new(integer(x.into()), &X87::default()));
        }
        (6, _) => {
            let x = core.load::<W16>(k, at)? as i16;
            with_memory(core, reg, Source::new(integer(x.into()), &X87::default()));
        }
        (1, 0) => {
            let x = core.load::<W32>(k, at)?;
            push(core, |env| x80::from_format::<F32>(x.into(), env));
        }
        (1, _) => return store_format::<F32>(core, at, reg == 3),
        (5, 0) => {
            let x = core.load::<W64>(k, at)?;
            push(core, |env| x80::from_format::<F64>(x, env));
        }
        (5, 1) => return store_int::<i64>(core, at, true, true),
        (5, _) => return store_format::<F64>(core, at, reg == 3),
        (3, 0) => {
            let x = core.load::<W32>(k, at)? as i32;
            push(core, |_| integer(x.into()));
        }
        (3, 5) => {
            let x = load_80(core, at)?;
            push(core, |_| x);
        }
        (3, 7) => {
            return store(
                core,
                X80::INDEFINITE,
                true,
                |x, env| {
                    env.rounded_up = false;
                    x
                },
                |core, x| store_80(core, at, x),
            );
        }
        (3, _) => return store_int::<i32>(core, at, reg != 2, reg == 1),
        (7, 0) => {
            let x = core.load::<W16>(k, at)? as i16;
            push(core, |_| integer(x.into()));
        }
        (7, 4) => {
            let bytes = load_80(core, at)?.to_bytes();
            push(core, |env| x80::from_bcd(bytes, env));
        }
        (7, 5) => {
            let x = core.load::<W64>(k, at)? as i64;
            push(core, |_| integer(x));
        }
        (7, 6) => {
            let indefinite = [0, 0, 0, 0, 0, 0, 0, 0xC0, 0xFF, 0xFF];
            return store(core, indefinite, true, x80::to_bcd, |core, b| {
                store_80(core, at, X80::from_bytes(b))
            });
        }
        (7, 7) => return store_int::<i64>(core, at, true, false),
        _ => return store_int::<i16>(core, at, reg != 2, reg == 1),
    }
    Ok(())
}
