//! A boot sector that tries the BIOS's services as a DOS program would, says on COM1 which work, and ends the emulator
//! through its debug-exit port with 10h if all do.
//!
//! It is an image for a diskette or a disk without partitions: the first sector loads the others.

#![no_std]
#![no_main]

core::arch::global_asm!(
    include_str!("../bios/macros.s"),
    include_str!("boot.s"),
    include_str!("checks.s"),
    include_str!("screen.s"),
    options(raw)
);

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {}
}
