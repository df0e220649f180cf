//! Arm's registers as front ends see them: groups `core`, `fpu` and `system`.

use crate::control::{RegisterGroup, RegisterInfo, RegisterKind};
use lyrebird_cpu::arm::sysreg::{Action, ROWS};
use lyrebird_cpu::arm::{Arm64, context, exception, regs::pstate, state};
use lyrebird_cpu::core::Core;
use lyrebird_cpu::op::nzcv;
use std::sync::Arc;

fn info(name: impl Into<String>, bits: u16, kind: RegisterKind, writable: bool) -> RegisterInfo {
    RegisterInfo { name: name.into(), bits, kind, writable }
}

/// The groups.
pub fn groups() -> Arc<[RegisterGroup]> {
    let mut core: Vec<RegisterInfo> =
        (0..31).map(|i| info(format!("x{i}"), 64, RegisterKind::Int, true)).collect();
    core.push(info("sp", 64, RegisterKind::Data, true));
    core.push(info("pc", 64, RegisterKind::Code, true));
    core.push(info("cpsr", 32, RegisterKind::Fields, true));
    let mut fpu: Vec<RegisterInfo> =
        (0..32).map(|i| info(format!("v{i}"), 128, RegisterKind::Vector, true)).collect();
    fpu.push(info("fpsr", 32, RegisterKind::Fields, true));
    fpu.push(info("fpcr", 32, RegisterKind::Fields, true));
    let system = readable().map(|r| info(r.name, 64, RegisterKind::Int, true)).collect();
    Arc::new([
        RegisterGroup { name: "core", registers: core },
        RegisterGroup { name: "fpu", registers: fpu },
        RegisterGroup { name: "system", registers: system },
    ])
}

fn readable() -> impl Iterator<Item = &'static lyrebird_cpu::arm::sysreg::SysReg> {
    ROWS.iter().filter(|r| !matches!(r.read, Action::None))
}

/// The values of a group.
pub fn read(core: &mut Core<Arm64>, group: usize) -> Option<Vec<u128>> {
    Some(match group {
        0 => {
            let mut v: Vec<u128> = (0..31).map(|i| core.reg(state::x(i)).into()).collect();
            v.push(core.reg(state::SP).into());
            v.push(core.pc().into());
            v.push(exception::spsr(core).into());
            v
        }
        1 => {
            let mut v: Vec<u128> = (0..32).map(|i| core.reg(state::v(i))).collect();
            v.push(core.reg(state::FPSR).into());
            v.push(core.reg(state::FPCR).into());
            v
        }
        2 => readable()
            .map(|r| match r.read {
                Action::Call(h) | Action::Sync(h) => (h.run)(core, 0, r.code.into(), 0).unwrap_or(0).into(),
                Action::Counter => core.arch.platform.counter().into(),
                Action::Zero | Action::None => 0,
                Action::Word | Action::Then(_) | Action::Masked(_) => core.reg(r.slot).into(),
            })
            .collect(),
        _ => return None,
    })
}

/// Sets a register. False if there is none of that place.
pub fn write(core: &mut Core<Arm64>, group: usize, index: usize, value: u128) -> bool {
    match (group, index) {
        (0, 0..=30) => core.set(state::x(index as u32), value as u64),
        (0, 31) => core.set(state::SP, value as u64),
        (0, 32) => core.set_pc(value as u64),
        (0, 33) => {
            let v = value as u32;
            core.set(state::NZCV, nzcv::from_psr(v));
            core.set(state::PSTATE, v & pstate::KEPT);
            // Only states that exist: EL0 and EL1.
            let m = v & 0xF;
            if matches!(m, 0b0000 | 0b0100 | 0b0101) {
                context::set_mode(core, m);
            }
            context::refresh(core);
        }
        (1, 0..=31) => core.set(state::v(index as u32), value),
        (1, 32) => core.set(state::FPSR, value as u32),
        (1, 33) => {
            core.set(state::FPCR, value as u32);
            context::refresh(core);
        }
        (2, _) => {
            let Some(r) = readable().nth(index) else { return false };
            match r.write {
                Action::Call(h) | Action::Sync(h) => {
                    // A debugger's write that the register refuses changes nothing.
                    let _ = (h.run)(core, value as u64, r.code.into(), 0);
                }
                Action::Then(h) => {
                    core.set(r.slot, value as u64);
                    let _ = (h.run)(core, value as u64, 0, 0);
                }
                Action::Masked(mask) => core.set(r.slot, value as u64 & mask),
                Action::Word => core.set(r.slot, value as u64),
                Action::Zero | Action::None | Action::Counter => return false,
            }
        }
        _ => return false,
    }
    true
}
