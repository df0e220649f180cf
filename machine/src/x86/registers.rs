//! x86's registers as front ends see them, in the order and with the names of gdb's features for i386 and x86-64.

use super::Model;
use crate::control::{RegisterGroup, RegisterInfo, RegisterKind, RegisterType, Shape};
use lyrebird_cpu::core::Core;
use lyrebird_cpu::slot::Slot;
use lyrebird_cpu::width::W64;
use lyrebird_cpu::x86::flags::{eflags, from_eflags, to_eflags};
use lyrebird_cpu::x86::insn::seg;
use lyrebird_cpu::x86::{X64, context, state};
use std::sync::Arc;

/// General registers in gdb's order, by their numbers in encodings.
const ORDER: [u8; 8] = [0, 3, 1, 2, 6, 7, 5, 4];
const NAMES: [&str; 8] = ["ax", "bx", "cx", "dx", "si", "di", "bp", "sp"];
/// Segment registers in gdb's order.
const SEGMENTS: [(&str, u8); 6] =
    [("cs", seg::CS), ("ss", seg::SS), ("ds", seg::DS), ("es", seg::ES), ("fs", seg::FS), ("gs", seg::GS)];
/// Control registers.
const CONTROL: [(&str, Slot<W64>); 6] = [
    ("cr0", state::CR0),
    ("cr2", state::CR2),
    ("cr3", state::CR3),
    ("cr4", state::CR4),
    ("efer", state::EFER),
    ("xcr0", state::XCR0),
];
const FPU: [&str; 8] = ["fctrl", "fstat", "ftag", "fiseg", "fioff", "foseg", "fooff", "fop"];

/// General registers, XMM registers.
fn count(model: &Model) -> u8 {
    if model.is_64() { 16 } else { 8 }
}

/// The number in encodings of the register at a place of gdb's order.
fn general(place: usize) -> u8 {
    ORDER.get(place).copied().unwrap_or(place as u8)
}

fn flags() -> RegisterType {
    let bits =
        [("CF", 0), ("PF", 2), ("AF", 4), ("ZF", 6), ("SF", 7), ("TF", 8), ("IF", 9), ("DF", 10), ("OF", 11)];
    let mut fields: Vec<_> = bits.into_iter().map(|(name, bit)| (name, bit, bit)).collect();
    fields.push(("IOPL", 12, 13));
    let bits = [("NT", 14), ("RF", 16), ("VM", 17), ("AC", 18), ("VIF", 19), ("VIP", 20), ("ID", 21)];
    fields.extend(bits.into_iter().map(|(name, bit)| (name, bit, bit)));
    RegisterType { id: "i386_eflags", shape: Shape::Flags(4, fields) }
}

fn vectors() -> Vec<RegisterType> {
    const VIEWS: &[(&str, &str, &str, usize)] = &[
        ("v4_float", "v4f", "ieee_single", 4),
        ("v2_double", "v2d", "ieee_double", 2),
        ("v16_int8", "v16i8", "int8", 16),
        ("v8_int16", "v8i16", "int16", 8),
        ("v4_int32", "v4i32", "int32", 4),
        ("v2_int64", "v2i64", "int64", 2),
    ];
    let vector =
        |v: &(_, &'static str, &'static str, usize)| RegisterType { id: v.1, shape: Shape::Vector(v.2, v.3) };
    let mut types: Vec<RegisterType> = VIEWS.iter().map(vector).collect();
    let mut views: Vec<_> = VIEWS.iter().map(|v| (v.0, v.1)).collect();
    views.push(("uint128", "uint128"));
    types.push(RegisterType { id: "vec128", shape: Shape::Union(views) });
    types
}

/// The groups of a model.
pub(super) fn groups(model: &Model) -> Arc<[RegisterGroup]> {
    use RegisterKind::{Data, Fields, Float, Int, Pc, Sp, Vector};
    let (letter, bits) = if model.is_64() { ("r", 64) } else { ("e", 32) };
    let kinds = [Int, Int, Int, Int, Int, Int, Data, Sp];
    let named = NAMES.iter().zip(kinds);
    let mut core: Vec<_> =
        named.map(|(name, kind)| RegisterInfo::new(format!("{letter}{name}"), bits, kind)).collect();
    core.extend((8..count(model)).map(|n| RegisterInfo::new(format!("r{n}"), bits, Int)));
    core.push(RegisterInfo::new(format!("{letter}ip"), bits, Pc));
    core.push(RegisterInfo::new("eflags", 32, Fields).with("i386_eflags"));
    // A selector is not loaded by writing to it here: its descriptor would not follow.
    let read_only = |name: &str, bits| RegisterInfo { writable: false, ..RegisterInfo::new(name, bits, Int) };
    core.extend(SEGMENTS.map(|(name, _)| read_only(name, 32)));
    let mut fpu: Vec<_> = (0..8).map(|n| RegisterInfo::new(format!("st{n}"), 80, Float)).collect();
    fpu.extend(FPU.map(|name| RegisterInfo::new(name, 32, Int)));
    let mut sse: Vec<_> =
        (0..count(model)).map(|n| RegisterInfo::new(format!("xmm{n}"), 128, Vector).with("vec128")).collect();
    sse.push(RegisterInfo::new("mxcsr", 32, Fields));
    let group = |name, registers, feature| RegisterGroup {
        name,
        registers,
        feature,
        whole: true,
        ..RegisterGroup::default()
    };
    let core = RegisterGroup { types: vec![flags()], ..group("core", core, "org.gnu.gdb.i386.core") };
    let fpu = RegisterGroup { list: Some("float"), ..group("fpu", fpu, "org.gnu.gdb.i386.core") };
    let sse = group("sse", sse, "org.gnu.gdb.i386.sse");
    let sse = RegisterGroup { list: Some("vector"), types: vectors(), ..sse };
    let mut groups = vec![core, fpu, sse];
    if model.is_64() {
        let bases = ["fs_base", "gs_base"].map(|name| RegisterInfo::new(name, 64, Int));
        groups.push(group("segments", bases.into(), "org.gnu.gdb.i386.segments"));
    }
    let control = CONTROL.map(|(name, _)| read_only(name, 64));
    groups.push(RegisterGroup {
        list: Some("system"),
        whole: false,
        ..group("control", control.into(), "org.lyrebird.x86.control")
    });
    groups.into()
}

/// Which group is at a place.
fn name(model: &Model, group: usize) -> Option<&'static str> {
    let all: &[&str] = if model.is_64() {
        &["core", "fpu", "sse", "segments", "control"]
    } else {
        &["core", "fpu", "sse", "control"]
    };
    all.get(group).copied()
}

/// Place of st(n) among the data registers.
fn physical(core: &Core<X64>, n: usize) -> u8 {
    ((core.reg(state::FSW) >> 11) as u8).wrapping_add(n as u8) & 7
}

fn eflags(core: &Core<X64>) -> u32 {
    core.reg(state::EFLAGS) & !eflags::ARITHMETIC | to_eflags(core.reg(state::FLAGS)) | 2
}

/// The tag word in its full form: two bits for each physical register, of which only empty is told from the rest.
fn full_tags(core: &Core<X64>) -> u16 {
    let full = core.reg(state::FTW);
    (0..8).filter(|n| full >> n & 1 == 0).fold(0, |tags, n| tags | 3 << (2 * n))
}

/// The values of a group.
pub(super) fn read(core: &Core<X64>, model: &Model, group: usize) -> Option<Vec<u128>> {
    let word = |slot: Slot<W64>| u128::from(core.reg(slot));
    let mut v: Vec<u128> = Vec::new();
    match name(model, group)? {
        "core" => {
            let count = usize::from(count(model));
            v.extend((0..count).map(|place| word(state::gpr(general(place)))));
            v.push(core.pc().wrapping_sub(core.reg(state::base(seg::CS))).into());
            v.push(eflags(core).into());
            v.extend(SEGMENTS.map(|(_, s)| u128::from(core.reg(state::selector(s)))));
        }
        "fpu" => {
            v.extend((0..8).map(|n| core.reg(state::fpr(physical(core, n))) & (u128::MAX >> 48)));
            let segments = core.reg(state::FCS_FDS);
            v.extend([
                core.reg(state::FCW).into(),
                core.reg(state::FSW).into(),
                full_tags(core).into(),
                u128::from(segments & 0xFFFF),
                word(state::FIP) & 0xFFFF_FFFF,
                u128::from(segments >> 16),
                word(state::FDP) & 0xFFFF_FFFF,
                core.reg(state::FOP).into(),
            ]);
        }
        "sse" => {
            v.extend((0..count(model)).map(|n| core.reg(state::xmm(n))));
            v.push(u128::from(core.reg(state::MXCSR) | core.reg(state::FP_STATUS) & 0x3F));
        }
        "segments" => v.extend([seg::FS, seg::GS].map(|s| word(state::base(s)))),
        _ => v.extend(CONTROL.map(|(_, slot)| word(slot))),
    }
    Some(v)
}

/// Sets a register; false if it cannot be written.
pub(super) fn write(core: &mut Core<X64>, model: &Model, group: usize, index: usize, value: u128) -> bool {
    let Some(name) = name(model, group) else { return false };
    let general_count = usize::from(count(model));
    let wide = if model.is_64() { value as u64 } else { u64::from(value as u32) };
    match (name, index) {
        ("core", _) if index < general_count => core.set(state::gpr(general(index)), wide),
        ("core", _) if index == general_count => {
            let base = core.reg(state::base(seg::CS));
            core.set_pc(base.wrapping_add(wide));
        }
        ("core", _) if index == general_count + 1 => {
            core.set(state::FLAGS, from_eflags(value as u32));
            core.set(state::EFLAGS, value as u32 & !eflags::ARITHMETIC | 2);
            context::refresh(core);
        }
        ("fpu", 0..8) => {
            let slot = state::fpr(physical(core, index));
            core.set(slot, value & (u128::MAX >> 48));
        }
        ("fpu", 8) => core.set(state::FCW, value as u16),
        ("fpu", 9) => core.set(state::FSW, value as u16),
        ("fpu", 10) => {
            let empty = |n: u32| value >> (2 * n) & 3 == 3;
            core.set(state::FTW, (0..8).filter(|&n| !empty(n)).fold(0, |tags, n| tags | 1 << n));
        }
        ("fpu", 15) => core.set(state::FOP, value as u16 & 0x7FF),
        ("sse", _) if index < general_count => core.set(state::xmm(index as u8), value),
        ("segments", 0) => core.set(state::base(seg::FS), value as u64),
        ("segments", 1) => core.set(state::base(seg::GS), value as u64),
        _ => return false,
    }
    true
}
