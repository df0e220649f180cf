//! Kernels, initrds and firmware of PCs, and options that no PC can have.

use super::guests::terminated;
use super::inputs::{elf, put, truncated_gzip, write};
use super::pc_inputs::{CODE, LEAVE, REST, SETUP, bzimage, multiboot, multiboot2};
use super::{Case, PC, case, command, finish, place, run_all_on_pcs};
use lyrebird_devices::bus::rng::Rng;
use rustix::process::Signal;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

const X86_64: u16 = 62;

const KERNELS: &[Case] = &[
    case("-kernel missing", 3, &["kernel 'missing'", "No such file"]),
    case("-kernel .", 3, &["kernel '.'", "directory"]),
    case("-kernel empty", 3, &["kernel 'empty'", "empty"]),
    case("-kernel zeros", 3, &["kernel 'zeros'", "no Linux kernel"]),
    case("-kernel byte", 3, &["kernel 'byte'", "no Linux kernel"]),
    case("-kernel arm64", 3, &["kernel 'arm64'", "arm64"]),
    case("-kernel sector", 3, &["kernel 'sector'", "boot sector", "-drive"]),
    case("-kernel iso", 3, &["kernel 'iso'", "-cdrom"]),
    case("-kernel qcow2", 3, &["kernel 'qcow2'", "-drive"]),
    case("-kernel no-flag", 3, &["kernel 'no-flag'", "AA55h"]),
    case("-kernel no-magic", 3, &["kernel 'no-magic'"]),
    case("-kernel old", 3, &["kernel 'old'", "protocol 1.15"]),
    case("-kernel setup-beyond", 3, &["kernel 'setup-beyond'", "truncated"]),
    case("-kernel size-beyond", 3, &["kernel 'size-beyond'", "truncated", "says"]),
    case("-kernel zimage", 3, &["kernel 'zimage'", "real-mode"]),
    case("-kernel bad-alignment", 3, &["kernel 'bad-alignment'", "alignment"]),
    case("-kernel needs-more", 3, &["kernel 'needs-more'", "use -m"]),
    case("-kernel needs-all", 3, &["kernel 'needs-all'", "corrupt"]),
    case("-kernel far", 3, &["kernel 'far'", "corrupt"]),
    case("-kernel short-line -append longer", 3, &["kernel 'short-line'", "-append"]),
    case("-kernel low-initrd -initrd zeros", 3, &["kernel 'low-initrd'", "initrd"]),
    case("-kernel gzip-truncated", 3, &["kernel 'gzip-truncated'", "gzip"]),
    case("-kernel good -initrd missing", 3, &["initrd 'missing'", "No such file"]),
    case("-kernel good -initrd .", 3, &["initrd '.'", "directory"]),
    case("-kernel good -initrd large -m 16", 3, &["no room for 17 MiB", "-m"]),
    case("-kernel elf-arm", 3, &["'elf-arm'", "AARCH64"]),
    case("-kernel elf-outside", 3, &["'elf-outside'", "-m"]),
    case("-kernel elf-huge", 3, &["'elf-huge'"]),
    case("-kernel elf-wraps", 3, &["'elf-wraps'"]),
    case("-kernel elf-truncated", 3, &["'elf-truncated'"]),
    case("-kernel elf-head", 3, &["'elf-head'"]),
    case("-kernel elf-nothing", 3, &["'elf-nothing'"]),
    case("-kernel multiboot-features", 3, &["'multiboot-features'", "features"]),
    case("-kernel multiboot-outside", 3, &["'multiboot-outside'"]),
    case("-kernel multiboot-backwards", 3, &["'multiboot-backwards'"]),
    case("-kernel multiboot-module -initrd missing", 3, &["initrd 'missing'"]),
    case("-kernel multiboot2-length", 3, &["'multiboot2-length'"]),
    case("-kernel multiboot2-tag", 3, &["'multiboot2-tag'"]),
    case("-M microvm -kernel needs-all", 3, &["kernel 'needs-all'", "corrupt"]),
    case("-M isapc -kernel no-flag", 3, &["kernel 'no-flag'", "AA55h"]),
    case("-bios missing", 3, &["firmware 'missing'", "No such file"]),
    case("-bios .", 3, &["firmware '.'", "directory"]),
    case("-bios empty", 3, &["firmware 'empty'", "0 bytes", "64 KiB"]),
    case("-bios byte", 3, &["firmware 'byte'", "64 KiB"]),
    case("-bios good", 3, &["firmware 'good'", "64 KiB"]),
    case("-bios large", 3, &["firmware 'large'", "16 MiB"]),
    case("-M microvm -bios byte", 3, &["firmware 'byte'", "64 KiB"]),
    case("-M q35 -bios large", 3, &["firmware 'large'", "16 MiB"]),
];

const OPTIONS: &[Case] = &[
    case("", 2, &["nothing to run"]),
    case("-M virt -kernel good", 2, &["virt", "q35"]),
    case("-M pc,colour=red -kernel good", 2, &["colour", "hpet"]),
    case("-M pc,hpet=maybe -kernel good", 2, &["maybe", "on or off"]),
    case("-cpu cortex-a53 -kernel good", 2, &["cortex-a53", "qemu64"]),
    case("-cpu max,+nonsense -kernel good", 2, &["nonsense"]),
    case("-cpu 8086 -kernel good", 5, &["-cpu", "8086", "16 bits"]),
    case("-cpu 80286 -M microvm -kernel good", 5, &["-cpu", "80286", "16 bits"]),
    case("-smp 0 -kernel good", 2, &["-smp 0"]),
    case("-smp 256 -kernel good", 5, &["-smp", "255"]),
    case("-smp 300 -M q35 -kernel good", 5, &["-smp", "255"]),
    case("-smp 300 -M microvm -kernel good", 5, &["-smp", "255"]),
    case("-smp 2 -M isapc -kernel good", 5, &["-smp", "isapc"]),
    case("-smp 8,cores=3 -kernel good", 5, &["-smp"]),
    case("-m 1 -kernel good", 5, &["-m", "2 MiB"]),
    case("-m 200G -kernel good", 5, &["-m", "host"]),
    case("-m 1000000T -kernel good", 5, &["-m", "host"]),
    case("-dtb zeros -kernel good", 5, &["-dtb", "device tree"]),
    case("-append x -hda good", 5, &["-append", "-kernel"]),
    case("-initrd zeros -hda good", 5, &["-initrd", "-kernel"]),
    case("-boot order=z -kernel good", 2, &["-boot", "diskette"]),
    case("-accel verify -smp 2 -kernel good", 5, &["verify", "-smp 1"]),
    case("-accel kvm -kernel good", 5, &["kvm", "jit"]),
    case("-device isa-debug-exit,iosize=0 -kernel good", 2, &["iosize", "1 to 4"]),
    case("-device isa-debug-exit,iosize=9 -kernel good", 2, &["iosize", "1 to 4"]),
    case("-device isa-debug-exit,iobase=0x10000 -kernel good", 2, &["iobase", "0xffff"]),
    case("-device isa-debug-exit,iobase=0x60 -kernel good", 5, &["-device", "i8042", "another port"]),
    case("-device pvpanic,ioport=0x70 -kernel good", 5, &["-device", "mc146818", "another port"]),
    case("-device isa-debugcon,chardev=none -kernel good", 2, &["chardev"]),
    case("-device virtio-rng-device -kernel good", 2, &["virtio-rng-pci"]),
    case("-device virtio-rng-pci,addr=1 -kernel good", 5, &["PIIX3", "addr="]),
    case("-device virtio-rng-pci,addr=40 -kernel good", 2, &["addr", "1f"]),
    case("-M isapc -device virtio-rng-pci -kernel good", 2, &["virtio-rng-pci"]),
    case("-device ide-hd -kernel good", 2, &["drive"]),
    case("-device ide-hd,drive=none -kernel good", 2, &["none"]),
    case("-device ide-cd,bus=ide.9 -kernel good", 5, &["ide.1"]),
    case("-M q35 -device ide-cd,bus=ide.9 -kernel good", 5, &["ide.5"]),
    case("-M microvm -drive file=good,format=raw,if=ide -kernel good", 5, &["no IDE", "if=virtio"]),
    case("-M microvm -device ide-cd -kernel good", 2, &["ide-cd", "virtio-blk-device"]),
    case("-M microvm -fda good -kernel good", 5, &["-fda", "drive"]),
    case("-M microvm -hda good", 2, &["nothing to run"]),
];

#[test]
fn what_pcs_start() {
    let at = place("pc-files");
    let changed = |offset: usize, with: &[u8]| {
        let mut bytes = bzimage(&REST);
        put(&mut bytes, offset, with);
        bytes
    };
    let elf_at = |address: u64, file: u64, memory: u64| elf(X86_64, address, file, memory);
    let mut nothing = elf_at(0x20_0000, 8, 8);
    put(&mut nothing, 64, &4u32.to_le_bytes());
    let mut iso = vec![0; 0x9000];
    put(&mut iso, 0x8001, b"CD001");
    let mut sector = vec![0; 512];
    put(&mut sector, 510, &[0x55, 0xAA]);
    let mut arm64 = vec![0; 4096];
    put(&mut arm64, 0, b"MZ");
    put(&mut arm64, 56, b"ARM\x64");
    let addresses = |header, load, load_end, bss_end, entry| [header, load, load_end, bss_end, entry];
    let mut far = changed(0x258, &u64::MAX.to_le_bytes());
    far[0x234] = 0;
    let files: &[(&str, Vec<u8>)] = &[
        ("good", bzimage(&REST)),
        ("empty", Vec::new()),
        ("byte", vec![0xF4]),
        ("zeros", vec![0; 4096]),
        ("large", vec![1; 17 << 20]),
        ("arm64", arm64),
        ("sector", sector),
        ("iso", iso),
        ("qcow2", b"QFI\xfb\0\0\0\x03".repeat(100)),
        ("no-flag", changed(0x1FE, &[0, 0])),
        ("no-magic", changed(0x202, b"HdrX")),
        ("old", changed(0x206, &[0x0F, 0x01])),
        ("setup-beyond", changed(0x1F1, &[255])),
        ("size-beyond", changed(0x1F4, &0x1_0000u32.to_le_bytes())),
        ("zimage", changed(0x211, &[0])),
        ("bad-alignment", changed(0x230, &0x30_0000u32.to_le_bytes())),
        ("needs-more", changed(0x260, &0x1000_0000u32.to_le_bytes())),
        ("needs-all", changed(0x260, &u32::MAX.to_le_bytes())),
        ("far", far),
        ("short-line", changed(0x238, &3u32.to_le_bytes())),
        ("low-initrd", changed(0x22C, &0u32.to_le_bytes())),
        ("gzip-truncated", truncated_gzip()),
        ("elf-arm", elf(183, 0x20_0000, 8, 8)),
        ("elf-outside", elf_at(0x8000_0000, 8, 8)),
        ("elf-huge", elf_at(0x20_0000, 8, 1 << 62)),
        ("elf-wraps", elf_at(u64::MAX - 4, 8, 8)),
        ("elf-truncated", elf_at(0x20_0000, 0x1_0000, 0x1_0000)),
        ("elf-head", elf_at(0x20_0000, 8, 8)[..40].to_vec()),
        ("elf-nothing", nothing),
        ("multiboot-features", multiboot(1 << 5, [0; 5])),
        ("multiboot-outside", multiboot(1 << 16, addresses(0x8000_0000, 0x8000_0000, 0, 0, 0x8000_0000))),
        ("multiboot-backwards", multiboot(1 << 16, addresses(0x10_0000, 0x20_0000, 0x18_0000, 0, 0x20_0000))),
        ("multiboot-module", multiboot(1 << 16, addresses(0x10_0000, 0x10_0000, 0, 0, 0x10_0020))),
        ("multiboot2-length", multiboot2(u32::MAX, (0, 0, 8))),
        ("multiboot2-tag", multiboot2(40, (2, 0, u32::MAX))),
    ];
    for (name, bytes) in files {
        write(&at, name, bytes);
    }
    run_all_on_pcs(&at, KERNELS);
    run_all_on_pcs(&at, OPTIONS);
}

/// Runs a damaged kernel for a moment: it may be refused, or end, or go on until it is told to end; nothing else.
fn tries(at: &Path, name: &str, bytes: &[u8]) {
    write(at, name, bytes);
    let arguments = format!("{PC} -M microvm -m 64 -display none -no-reboot -accel interp -kernel {name}");
    // A program that is told to end before it listens for that is ended by the host: on one with much else to do it
    // gets longer.
    let heard = |ms: u64| {
        let output = terminated(at, &arguments, Duration::from_millis(ms));
        (output.status.signal() != Some(Signal::TERM.as_raw())).then_some(output)
    };
    let output = [40, 400, 4000].into_iter().find_map(heard).expect("it listens within seconds");
    let said = String::from_utf8_lossy(&output.stderr);
    let code = output.status.code();
    assert!(matches!(code, Some(0 | 3 | 5 | 143)), "{name}: {} and {said}", output.status);
    assert!(!said.contains("panicked"), "{name}: {said}");
    assert!(code != Some(3) || said.contains(name), "{name}: {said}");
}

/// A kernel is refused with words that say why; the case's texts live as long as the test program.
fn refused(at: &Path, name: &'static str, says: Vec<&'static str>) {
    run_all_on_pcs(at, &[case(format!("-kernel {name}").leak(), 3, says.leak())]);
}

#[test]
fn kernels_cut_short() {
    let at = place("pc-cut");
    let whole = bzimage(&LEAVE);
    for len in
        [1, 2, 0x1F0, 0x1F2, 0x1FF, 0x201, 0x203, 0x207, 0x212, 0x235, 0x240, 0x25F, 0x263, 0x264, 0x270]
    {
        let name: &'static str = format!("cut-{len:x}").leak();
        write(&at, name, &whole[..len]);
        refused(&at, name, vec![name]);
    }
    // Behind the setup code: the header says how much there is.
    let first = (SETUP + 1) * 512;
    for len in [0x400, first - 1, first, first + 1, first + 16, CODE, whole.len() - 512] {
        let name: &'static str = format!("cut-{len:x}").leak();
        write(&at, name, &whole[..len]);
        refused(&at, name, vec![name, "truncated"]);
    }
    // The whole one runs.
    write(&at, "whole", &whole);
    let arguments = format!("{PC} -display none -device isa-debug-exit -kernel whole");
    let (in_time, output) = finish(command(&at, &arguments).spawn().expect("it starts"), super::LIMIT);
    assert!(in_time && output.status.code() == Some(0x10 << 1 | 1), "{}", output.status);
}

#[test]
fn kernels_with_wrong_bytes() {
    let at = place("pc-wrong");
    let mut rng = Rng::new(7);
    for n in 0..24 {
        let mut bytes = bzimage(&LEAVE);
        for _ in 0..4 {
            let offset = 0x1F1 + rng.below(0x80) as usize;
            bytes[offset] = [0, 0xFF, 0x7F, rng.draw() as u8][rng.below(4) as usize];
        }
        tries(&at, &format!("wrong-{n}"), &bytes);
    }
}

/// Debian's kernel, if `cargo xtask guests` has been here.
#[test]
fn a_real_kernel_damaged() {
    let guests = std::env::var_os("LYREBIRD_GUESTS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/guests"), PathBuf::from);
    let Ok(whole) = std::fs::read(guests.join("amd64/cloud/bzImage")) else {
        eprintln!("skipped: there is no amd64 kernel in {}", guests.display());
        return;
    };
    let at = place("pc-real");
    for len in [0x300, 0x4000, 0x10_0000, whole.len() / 2, whole.len() - 4096] {
        let name: &'static str = format!("real-{len:x}").leak();
        write(&at, name, &whole[..len]);
        refused(&at, name, vec![name, "truncated"]);
    }
    let mut rng = Rng::new(3);
    for n in 0..3 {
        let mut bytes = whole.clone();
        for _ in 0..64 {
            let at = 0x4000 + rng.below(0x4000) as usize;
            bytes[at] = rng.draw() as u8;
        }
        tries(&at, &format!("real-wrong-{n}"), &bytes);
    }
}
