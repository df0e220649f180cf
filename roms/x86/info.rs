//! What machine this is.

use crate::console::say;
use crate::{acpi, apic, console, cpuid, loader, memory, timer};

/// Prints it.
pub fn show() {
    say!("\nLyrebird demo guest for x86-64\n  processor  ");
    cpuid::print_name();
    say!(
        ", 1 of {}\n  mode       64 bit, entered by {}; paging and caches on",
        acpi::processors(),
        loader::name()
    );
    say!("\n  features  ");
    cpuid::print_features();
    let ram = loader::ranges().filter(|range| range.kind == 1);
    say!("\n  memory     {} MiB of RAM", ram.map(|range| range.size).sum::<u64>() >> 20);
    for range in loader::ranges() {
        let last = range.base.wrapping_add(range.size).wrapping_sub(1);
        say!("\n             {:#014x} to {last:#014x} {}", range.base, kind(range.kind));
    }
    say!("\n  interrupts 8259");
    if apic::present() {
        say!(", local APIC at {:#x}", apic::base());
    }
    say!("\n  timer      TSC at {} kHz\n  ACPI       ", timer::rate() / 1000);
    match acpi::rsdp() {
        Some((address, revision)) => {
            say!("RSDP at {address:#x}, revision {revision}:");
            for table in acpi::tables() {
                say!(" ");
                acpi::signature(table).iter().flatten().for_each(|&byte| console::put(byte));
            }
        }
        None => say!("none"),
    }
    command_line();
    say!("\nType help.\n");
}

fn kind(kind: u32) -> &'static str {
    match kind {
        1 => "RAM",
        2 => "reserved",
        3 => "ACPI tables",
        4 => "ACPI NVS",
        5 => "bad",
        _ => "other",
    }
}

fn command_line() {
    let line = loader::command_line();
    let characters =
        || (0..128).map_while(|at| memory::read::<u8>(line + at).filter(|&byte| byte != 0 && line != 0));
    if characters().next().is_some() {
        say!("\n  line       ");
        characters().for_each(console::put);
    }
}
