//! Registers as text, for the monitor and the debug log.

use super::control::efer;
use super::insn::seg;
use super::segment::{self, LDTR, TR};
use super::{X64, context, gate, mode, state};
use crate::core::Core;
use std::fmt::Write;

/// The registers as QEMU's `info registers` shows them, without the FPU's.
pub fn registers(core: &Core<X64>) -> String {
    let wide = core.reg(state::EFER) & efer::LMA != 0;
    let mut text = String::new();
    let (names, count): (&[&str], u8) = (&["AX", "BX", "CX", "DX", "SI", "DI", "BP", "SP"], 16);
    let numbers = [0, 3, 1, 2, 6, 7, 5, 4];
    let put = |text: &mut String, name: &str, value: u64, end: &str| {
        let _ = match wide {
            true => write!(text, "R{name:<2}={value:016x}{end}"),
            false => write!(text, "E{name}={:08x}{end}", value as u32),
        };
    };
    for (i, (name, n)) in names.iter().zip(numbers).enumerate() {
        put(&mut text, name, core.reg(state::gpr(n)), if i % 4 == 3 { "\n" } else { " " });
    }
    if wide {
        for n in 8..count {
            put(&mut text, &n.to_string(), core.reg(state::gpr(n)), if n % 4 == 3 { "\n" } else { " " });
        }
    }
    let flags = context::eflags(core);
    let flag = |bit: u32, c: char| if flags >> bit & 1 != 0 { c } else { '-' };
    put(&mut text, "IP", gate::ip(core), " ");
    put(&mut text, "FL", flags as u64, " ");
    let _ = writeln!(
        text,
        "[{}{}{}{}{}{}{}] CPL={} PC={:x} HLT={}",
        flag(10, 'D'),
        flag(11, 'O'),
        flag(7, 'S'),
        flag(6, 'Z'),
        flag(4, 'A'),
        flag(2, 'P'),
        flag(0, 'C'),
        mode::cpl(core.mode),
        core.pc(),
        core.halted as u32,
    );
    let all = [
        ("ES", seg::ES),
        ("CS", seg::CS),
        ("SS", seg::SS),
        ("DS", seg::DS),
        ("FS", seg::FS),
        ("GS", seg::GS),
        ("LDT", LDTR),
        ("TR", TR),
    ];
    for (name, s) in all {
        let x = segment::get(core, s);
        let _ = writeln!(
            text,
            "{name:<3}={:04x} {:016x} {:08x} {:05x} DPL={} {}{}",
            x.selector,
            x.base,
            x.limit,
            x.attributes,
            x.dpl(),
            if x.is_unusable() { "unusable" } else { kind(x) },
            if x.is_long() && x.is_code() {
                "64"
            } else if x.is_big() {
                "32"
            } else {
                "16"
            },
        );
    }
    let table = |base, limit| (core.reg(base), core.reg(limit));
    for (name, (base, limit)) in
        [("GDT", table(state::GDT_BASE, state::GDT_LIMIT)), ("IDT", table(state::IDT_BASE, state::IDT_LIMIT))]
    {
        let _ = writeln!(text, "{name}=     {base:016x} {limit:08x}");
    }
    let _ = writeln!(
        text,
        "CR0={:08x} CR2={:016x} CR3={:016x} CR4={:08x}",
        core.reg(state::CR0),
        core.reg(state::CR2),
        core.reg(state::CR3),
        core.reg(state::CR4)
    );
    for n in 0..4 {
        let _ = write!(text, "DR{n}={:016x} ", core.reg(state::dr(n)));
    }
    let _ = write!(
        text,
        "\nDR6={:016x} DR7={:016x}\nEFER={:016x}",
        core.reg(state::DR6),
        core.reg(state::DR7),
        core.reg(state::EFER)
    );
    text
}

fn kind(x: segment::Segment) -> &'static str {
    match (x.is_code(), x.is_data(), x.kind()) {
        (true, ..) => "CS",
        (_, true, _) => "DS",
        (.., 2) => "LDT",
        _ => "TSS",
    }
}
