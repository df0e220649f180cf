//! Arm's registers as front ends see them: groups `core`, `fpu` and `system`.

use crate::control::{RegisterGroup, RegisterInfo, RegisterKind, RegisterType, Shape};
use lyrebird_cpu::arm::sysreg::{Action, ROWS};
use lyrebird_cpu::arm::{Arm64, context, exception, regs::pstate, state};
use lyrebird_cpu::core::Core;
use lyrebird_cpu::op::nzcv;
use std::sync::Arc;

/// Types of gdb's standard `fpu` feature: the ways to see a 128-bit vector, by element width.
const VECTORS: &[(&str, &[(&str, &str, &str, usize)])] = &[
    ("vnd", &[("f", "v2d", "ieee_double", 2), ("u", "v2u", "uint64", 2), ("s", "v2i", "int64", 2)]),
    ("vns", &[("f", "v4f", "ieee_single", 4), ("u", "v4u", "uint32", 4), ("s", "v4i", "int32", 4)]),
    ("vnh", &[("f", "v8f", "ieee_half", 8), ("u", "v8u", "uint16", 8), ("s", "v8i", "int16", 8)]),
    ("vnb", &[("u", "v16u", "uint8", 16), ("s", "v16i", "int8", 16)]),
    ("vnq", &[("u", "v1u", "uint128", 1), ("s", "v1i", "int128", 1)]),
];

fn vector_types() -> Vec<RegisterType> {
    let mut types = Vec::new();
    for (_, views) in VECTORS {
        types.extend(views.iter().map(|v| RegisterType { id: v.1, shape: Shape::Vector(v.2, v.3) }));
    }
    for (id, views) in VECTORS {
        let shape = Shape::Union(views.iter().map(|v| (v.0, v.1)).collect());
        types.push(RegisterType { id, shape });
    }
    let widths = ["d", "s", "h", "b", "q"].into_iter().zip(VECTORS.iter().map(|v| v.0));
    types.push(RegisterType { id: "aarch64v", shape: Shape::Union(widths.collect()) });
    types
}

/// The groups.
pub fn groups() -> Arc<[RegisterGroup]> {
    use RegisterKind::{Fields, Int, Pc, Sp, Vector};
    let mut core: Vec<_> = (0..31).map(|i| RegisterInfo::new(format!("x{i}"), 64, Int)).collect();
    core.push(RegisterInfo::new("sp", 64, Sp));
    core.push(RegisterInfo::new("pc", 64, Pc));
    core.push(RegisterInfo::new("cpsr", 32, Fields));
    let v = |i| RegisterInfo::new(format!("v{i}"), 128, Vector).with("aarch64v");
    let mut fpu: Vec<_> = (0..32).map(v).collect();
    fpu.push(RegisterInfo::new("fpsr", 32, Fields));
    fpu.push(RegisterInfo::new("fpcr", 32, Fields));
    Arc::new([
        RegisterGroup {
            name: "core",
            registers: core,
            feature: "org.gnu.gdb.aarch64.core",
            whole: true,
            ..RegisterGroup::default()
        },
        RegisterGroup {
            name: "fpu",
            registers: fpu,
            feature: "org.gnu.gdb.aarch64.fpu",
            list: Some("float"),
            whole: true,
            types: vector_types(),
        },
        RegisterGroup {
            name: "system",
            registers: readable().map(|r| RegisterInfo::new(r.name, 64, Int)).collect(),
            feature: "org.lyrebird.aarch64.system",
            list: Some("system"),
            ..RegisterGroup::default()
        },
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
        (1, 32 | 33) => {
            core.set(if index == 32 { state::FPSR } else { state::FPCR }, value as u32);
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
