use super::super::entry::{EntryMode, reg};
use super::super::testing::{Image, damage, request};
use super::super::{Kind, MemoryMap, detect};
use super::*;
use std::path::Path;

/// A kernel of protocol 2.15 with 4 sectors of setup code, 10,000 bytes long, that needs `init_size`.
fn kernel(xloadflags: u16, init_size: u32) -> Vec<u8> {
    let mut file = vec![0x90; 5 * SECTOR + 10_000];
    let set: [(usize, &[u8]); 15] = [
        (SETUP_SECTS, &[4]),
        (SYSSIZE, &625u32.to_le_bytes()),
        (BOOT_FLAG, &[0x55, 0xaa]),
        (JUMP_LENGTH, &[0x6a]),
        (MAGIC, b"HdrS"),
        (VERSION, &0x020fu16.to_le_bytes()),
        (LOADFLAGS, &[LOADED_HIGH]),
        (INITRD_ADDR_MAX, &0x7fff_ffffu32.to_le_bytes()),
        (KERNEL_ALIGNMENT, &0x20_0000u32.to_le_bytes()),
        (RELOCATABLE, &[1]),
        (XLOADFLAGS, &xloadflags.to_le_bytes()),
        (CMDLINE_SIZE, &2047u32.to_le_bytes()),
        (PREF_ADDRESS, &0x100_0000u64.to_le_bytes()),
        (INIT_SIZE, &init_size.to_le_bytes()),
        (0x268, b"end!"),
    ];
    set.iter().for_each(|(at, bytes)| poke(&mut file, *at, bytes));
    file
}

#[test]
fn long_mode_entry() {
    let file = kernel(KERNEL_64, 0x100_0000);
    assert_eq!(detect(&file), Some(Kind::Linux));
    let map = MemoryMap::pc(128 << 20);
    let mut r = request(Path::new("bzImage"), &map);
    r.append = "quiet vga=0x317 console=ttyS0";
    let initrd = Content::Bytes(vec![7; 5000]);
    let (pieces, entry) = direct(&file, Some(&initrd), &r).unwrap();
    assert_eq!((entry.mode, entry.ip), (EntryMode::Long64, 0x100_0200));
    let (image, page) = (Image(&pieces), entry.regs[reg::SI]);
    let word = |at: usize| image.u32(page + at as u64);
    assert_eq!(image.string(word(CMD_LINE_PTR).into()), r.append);
    assert_eq!((word(RAMDISK_IMAGE), word(RAMDISK_SIZE)), (0x7ff_e000, 5000));
    assert_eq!(image.bytes(0x7ff_e000), [7; 4]);
    assert_eq!(image.u64(page + ACPI_RSDP_ADDR as u64), 0xe_0000);
    assert_eq!(image.bytes(page + E820_ENTRIES as u64), [4]);
    assert_eq!(image.u64(page + E820_TABLE as u64 + 8), 0x9_fc00);
    assert_eq!(image.bytes(page + MAGIC as u64), *b"HdrS");
    assert_eq!(image.bytes(page + 0x268), *b"end!");
    assert_eq!(image.bytes(page + 0x26c), [0; 4], "the header ends where its jump says");
    assert_eq!(image.bytes(page + TYPE_OF_LOADER as u64), [0xff]);
    assert_eq!(image.bytes(page + VID_MODE as u64), [0x17, 3]);
    assert_eq!(image.bytes(page + 6), [3, 80]);
}

#[test]
fn protected_entry() {
    let map = MemoryMap::pc(128 << 20);
    for (flags, long_mode, linux) in [
        (0, true, LinuxEntry::Best),
        (KERNEL_64, false, LinuxEntry::Best),
        (KERNEL_64, true, LinuxEntry::Protected),
    ] {
        let r = Request { long_mode, linux, ..request(Path::new("bzImage"), &map) };
        let (_, entry) = direct(&kernel(flags, 0), None, &r).unwrap();
        assert_eq!((entry.mode, entry.ip), (EntryMode::Protected32, 0x100_0000));
    }
}

#[test]
fn little_ram() {
    let map = MemoryMap::pc(16 << 20);
    let r = request(Path::new("bzImage"), &map);
    let (_, entry) = direct(&kernel(0, 0x80_0000), None, &r).unwrap();
    assert_eq!(entry.ip, 0x20_0000, "not where it wants to be, but aligned");
    let e = direct(&kernel(0, 0x200_0000), None, &r).unwrap_err();
    assert_eq!(e, "it needs 34 MiB of RAM; use -m 128");
    let initrd = Content::Bytes(vec![0; 14 << 20]);
    let e = direct(&kernel(0, 0x80_0000), Some(&initrd), &r).unwrap_err();
    assert!(e.contains("no room for 14 MiB"), "{e}");
}

#[test]
fn real_mode_entry_and_firmware() {
    let map = MemoryMap::pc(128 << 20);
    let mut r = request(Path::new("bzImage"), &map);
    r.linux = LinuxEntry::Real;
    let initrd = Content::Bytes(vec![7; 5000]);
    let (pieces, entry) = direct(&kernel(KERNEL_64, 0x100_0000), Some(&initrd), &r).unwrap();
    assert_eq!((entry.mode, entry.ip), (EntryMode::Real16, 0));
    assert_eq!((entry.segments[1].selector, entry.segments[2].selector), (0x1020, 0x1000));
    let image = Image(&pieces);
    assert_eq!(image.string(image.u32(SETUP + CMD_LINE_PTR as u64).into()), r.append);
    assert_eq!(image.bytes(SETUP + LOADFLAGS as u64), [LOADED_HIGH | CAN_USE_HEAP]);
    assert!(u64::from(image.u32(SETUP + HEAP_END_PTR as u64) & 0xffff) < entry.regs[reg::SP]);
    let initrd_at = image.u32(SETUP + RAMDISK_IMAGE as u64);
    assert!(initrd_at < (128 << 20) - 0x2_8000 - 5000 && initrd_at % 4096 == 0);
    assert_eq!(image.bytes(HIGH), [0x90; 4]);
}

#[test]
fn zimage() {
    let mut file = kernel(0, 0);
    poke(&mut file, LOADFLAGS, &[0]);
    let map = MemoryMap::pc(16 << 20);
    let mut r = request(Path::new("zImage"), &map);
    assert!(direct(&file, None, &r).unwrap_err().contains("zImage"));
    r.linux = LinuxEntry::Real;
    let (_, entry) = direct(&file, None, &r).unwrap();
    assert_eq!(entry.segments[1].selector, 0x9020);
}

#[test]
fn bad_kernels() {
    let map = MemoryMap::pc(32 << 20);
    let file = kernel(KERNEL_64, 0x10_0000);
    for linux in [LinuxEntry::Best, LinuxEntry::Protected, LinuxEntry::Real] {
        let r = Request { linux, ..request(Path::new("bzImage"), &map) };
        let initrd = Content::Bytes(vec![1; 100]);
        damage(&file, |bytes| direct(bytes, Some(&initrd), &r));
    }
    let r = request(Path::new("bzImage"), &map);
    assert!(direct(&file[..0x240], None, &r).unwrap_err().contains("truncated"));
    assert!(direct(&file[..5 * SECTOR], None, &r).unwrap_err().contains("no kernel behind"));
    assert!(direct(&file[..file.len() - 16], None, &r).unwrap_err().contains("truncated"));
    assert!(direct(&kernel(0, u32::MAX), None, &r).unwrap_err().contains("corrupt"));
    assert!(Header::parse(b"x").is_err());
    let long = "x".repeat(3000);
    let r = Request { append: &long, ..r };
    assert!(direct(&file, None, &r).unwrap_err().contains("shorten -append"));
}

#[test]
fn video_modes() {
    for (line, mode) in [("", 0xffff), ("vga=ask", 0xfffd), ("a vga=791 b", 791), ("vga=x", 0xffff)] {
        assert_eq!(video_mode(line), mode);
    }
}
