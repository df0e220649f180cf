//! The demo guest for x86-64: a bare-metal program for PC boards, one file for each part of the machine it drives.
//!
//! The build script compiles it for the host's target without the standard library, so building it needs nothing beyond
//! Rust. A loader enters it by multiboot or PVH in 32-bit mode; `entry.s` goes to long mode. There is one processor and
//! interrupt handlers touch nothing but atomics, so all state is in atomics and on the stack.

#![no_std]
#![no_main]

mod acpi;
mod apic;
mod bench;
mod console;
mod cpuid;
mod info;
mod line;
mod loader;
mod memory;
mod pic;
mod pit;
mod port;
mod power;
mod probe;
mod shell;
#[path = "../text.rs"]
#[allow(dead_code, reason = "some of it is for the arm64 demo")]
mod text;
mod timer;
mod vectors;

use console::say;
use core::arch::global_asm;

global_asm!(include_str!("entry.s"), options(raw));
global_asm!(include_str!("vectors.s"), options(raw));

/// Where `entry.s` calls, in long mode with a stack. `protocol`: 1 for multiboot, 2 for PVH; `information`: the
/// address that the loader left in EBX.
#[unsafe(no_mangle)]
extern "C" fn main(protocol: u32, information: u32) -> ! {
    console::start();
    vectors::start();
    pic::start();
    loader::start(protocol, information);
    acpi::start();
    timer::start();
    apic::start();
    console::listen();
    vectors::allow();
    info::show();
    shell::run()
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo) -> ! {
    say!("\n{info}. Powering off.\n");
    power::off()
}

/// The compiled library's unwind tables name it; nothing unwinds here.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}
