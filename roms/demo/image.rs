//! The file around the code: the header of a Linux `Image`, and an ELF file with the same contents.
//!
//! Sources: Linux `Documentation/arch/arm64/booting.rst`; System V ABI, chapters 4 and 5.

use super::asm::{Ops, a64};
use super::vars;
use dynasmrt::{DynasmApi, DynasmLabelApi};

/// Bytes between the base of RAM and the image.
const TEXT_OFFSET: u64 = 0x8_0000;

/// Where the ELF file loads: 2 MiB above the RAM of `virt`. QEMU puts the device tree of a program that is no Linux
/// kernel at the base of RAM, and leaves it out if there is not 1 MiB of room.
const ADDRESS: u64 = 0x4020_0000;

/// The image takes this much together with its memory, bytes; [`end`] keeps the code below it.
const SIZE: u64 = 0x4_0000;

/// The 64 bytes that a boot loader looks at.
pub fn header(ops: &mut Ops) {
    a64!(ops
        ; ->image:
        ; b ->start
        ; .bytes [0u8; 4]
        ; .bytes TEXT_OFFSET.to_le_bytes()
        ; .bytes SIZE.to_le_bytes()
        // Little-endian, pages of 4 KiB, as near to the base of RAM as may be.
        ; .bytes 0b0010u64.to_le_bytes()
        ; .bytes [0u8; 24]
        ; .bytes *b"ARM\x64"
        ; .bytes [0u8; 4]
    );
}

/// Ends the code at a page boundary: memory begins there.
pub fn end(ops: &mut Ops) {
    a64!(ops ; .align 4096 ; ->memory:);
    let used = ops.offset().0 as u64 + u64::from(vars::STACK_TOP);
    assert!(used <= SIZE, "the image and its memory take {used:#x} bytes, the header says {SIZE:#x}");
}

/// `image` as an ELF executable with one segment.
pub fn elf(image: &[u8]) -> Vec<u8> {
    const HEADERS: u64 = 64 + 56;
    let mut file = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let half = |file: &mut Vec<u8>, value: u16| file.extend(value.to_le_bytes());
    let word = |file: &mut Vec<u8>, value: u32| file.extend(value.to_le_bytes());
    let long = |file: &mut Vec<u8>, value: u64| file.extend(value.to_le_bytes());
    // File header: executable, AArch64, version 1, entry, program headers after this header, no sections, no flags.
    half(&mut file, 2);
    half(&mut file, 183);
    word(&mut file, 1);
    long(&mut file, ADDRESS);
    long(&mut file, 64);
    long(&mut file, 0);
    word(&mut file, 0);
    for value in [64, 56, 1, 64, 0, 0] {
        half(&mut file, value);
    }
    // Program header: loadable, readable, writable and executable, at the end of the headers.
    word(&mut file, 1);
    word(&mut file, 7);
    for value in [HEADERS, ADDRESS, ADDRESS, image.len() as u64, SIZE, 8] {
        long(&mut file, value);
    }
    file.extend(image);
    file
}
