//! Our BIOS: 64 KiB at the top of 4 GiB and of the first MiB.
//!
//! It is 16- and 32-bit assembly for a 386 and everything after it, assembled by the Rust compiler. Compiled Rust would
//! have to be 64-bit code, which a 386 cannot run, and services would have to leave real mode for it, which programs in
//! virtual-8086 mode cannot let them; so the services are real-mode code, and only what must reach beyond 1 MiB (POST,
//! the tables, AHCI, virtio) runs in flat 32-bit mode.
//!
//! Conventions. A service begins with `ENTER`, which saves all registers in a frame at BP; routines read what the
//! caller passed from the frame and write results to it, and may change everything but BP, SP and DS, unless they say
//! what they keep. Local labels are digits. 16-bit addresses count from segment F000h, where the linker script begins
//! at 0; 32-bit code has a code segment with that base and flat data segments, so it adds `ROM` to labels of data.

#![no_std]
#![no_main]

use core::arch::global_asm;

/// Assembles source files, in their order, as one text.
macro_rules! assemble {
    ($($file:literal)*) => {
        global_asm!($(include_str!($file),)* include_str!(concat!(env!("OUT_DIR"), "/font.s")), options(raw));
    };
}

assemble! {
    "macros.s" "layout.s" "flat.s" "post.s" "chips.s" "memory.s" "fwcfg.s" "print.s"
    "vga_modes.s" "video.s" "vga_set.s" "vga_text.s" "vga_graphics.s" "vbe.s"
    "keyboard.s" "serial.s" "time.s" "system.s"
    "pci.s" "pcibios.s" "tables.s" "disk.s" "ata.s" "ahci.s" "virtio.s" "cdrom.s" "floppy.s"
    "boot.s" "kernel.s"
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {}
}
