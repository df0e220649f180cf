//! Disks, diskettes and CDs that PCs boot from, right and wrong. Our BIOS says on the serial line what it makes of them.

use super::inputs::{Qcow2, put, write};
use super::pc_inputs::{BLOCK, CD, Cd, LEAVE_16, REST, mbr};
use super::{Case, LIMIT, PC, case, command, place, run_all_on_pcs};
use rustix::process::{Pid, Signal, kill_process};
use std::io::Read;
use std::path::Path;
use std::process::Child;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

/// Words of what the BIOS says.
const NOTHING: &str = "No bootable device";
const DISK: &str = "Booting from the disk";
const DISC: &str = "Booting from the disc";

/// What is not opened.
const REFUSED: &[Case] = &[
    case("-hda missing", 4, &["'missing'", "does not exist"]),
    case("-drive file=.,format=raw", 4, &["'.'", "directory"]),
    case("-cdrom missing", 4, &["'missing'", "does not exist"]),
    case("-fda missing", 4, &["'missing'", "does not exist"]),
    case("-M q35 -cdrom missing", 4, &["'missing'", "does not exist"]),
    case("-drive file=no-mark,format=qcow2", 4, &["'no-mark'", "qcow2"]),
    case("-drive file=q-version,format=qcow2", 4, &["'q-version'", "version"]),
    case("-M q35 -drive file=q-table,format=qcow2", 4, &["'q-table'"]),
    case("-drive file=q-backing,format=qcow2,if=virtio", 4, &["nowhere"]),
    case("-drive file=q-head,format=qcow2,if=floppy", 4, &["'q-head'"]),
    case("-drive file=no-mark,format=raw,if=scsi", 2, &["if=scsi", "ide"]),
    case("-drive file=no-mark,format=raw,index=9", 5, &["ide.1"]),
    case("-drive file=no-mark,format=raw,if=floppy,index=2", 5, &["diskette"]),
];

/// Reads what a child prints until it says `text`.
fn says(child: &mut Child, text: &str) -> Result<(), String> {
    let mut out = child.stdout.take().ok_or("it has no output")?;
    let (tell, told) = channel();
    // Ends with the child, which goes on talking to nobody.
    std::thread::spawn(move || {
        let mut chunk = [0; 4096];
        while let Ok(len @ 1..) = out.read(&mut chunk) {
            let _ = tell.send(chunk[..len].to_vec());
        }
    });
    let (mut said, end) = (Vec::new(), Instant::now() + LIMIT);
    while let Ok(part) = told.recv_timeout(end.saturating_duration_since(Instant::now())) {
        said.extend(part);
        if String::from_utf8_lossy(&said).contains(text) {
            return Ok(());
        }
    }
    Err(format!("it does not say {text:?} but: {}", String::from_utf8_lossy(&said)))
}

/// Starts a PC with these options; when its BIOS has said `text`, it may do something for a moment, and must end when it is
/// told to.
fn boots(at: &Path, options: &str, text: &str) -> Option<String> {
    let arguments = format!("{PC} -nographic -no-reboot -m 32 {options}");
    let mut child = command(at, &arguments).spawn().expect("the program starts");
    if let Err(wrong) = says(&mut child, text) {
        let _ = child.kill();
        return Some(format!("{options}: {wrong}"));
    }
    std::thread::sleep(Duration::from_millis(100));
    let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a process");
    kill_process(id, Signal::TERM).expect("a signal to the child");
    let (in_time, output) = super::finish(child, LIMIT);
    let said = String::from_utf8_lossy(&output.stderr);
    let well = in_time && matches!(output.status.code(), Some(0 | 143)) && !said.contains("panicked");
    (!well).then(|| format!("{options}: {}, {said}", output.status))
}

fn all(at: &Path, cases: &[(&str, &str)]) {
    let failed: Vec<String> = cases.iter().filter_map(|(options, text)| boots(at, options, text)).collect();
    assert!(failed.is_empty(), "{} of {}:\n{}", failed.len(), cases.len(), failed.join("\n"));
}

#[test]
fn disks_and_diskettes_of_pcs() {
    let at = place("pc-disks");
    const MIB: usize = 1 << 20;
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    let mut garbage: Vec<u8> = (0..MIB)
        .map(|_| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 56) as u8
        })
        .collect();
    put(&mut garbage, 510, &[0x55, 0xAA]);
    let mut no_mark = mbr(&LEAVE_16, &[], MIB);
    put(&mut no_mark, 510, &[0, 0]);
    // Reads 127 sectors from the end of the world by INT 13h, AH=42h, and rests: the packet is behind the code.
    let mut beyond =
        vec![0x31, 0xC0, 0x8E, 0xD8, 0xBE, 0x10, 0x7C, 0xB4, 0x42, 0xCD, 0x13, 0xFA, 0xF4, 0xEB, 0xFC, 0];
    beyond.extend([0x10, 0, 0x7F, 0, 0, 0, 0, 0x90, 0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F]);
    let q = Qcow2::new;
    let files: &[(&str, Vec<u8>)] = &[
        ("good", mbr(&LEAVE_16, &[(1, 100)], MIB)),
        ("no-mark", no_mark),
        ("garbage", garbage),
        ("beyond", mbr(&beyond, &[(0x7FFF_FFFF, u32::MAX), (1, 0), (u32::MAX, u32::MAX)], MIB)),
        ("empty", Vec::new()),
        ("byte", vec![0x55]),
        ("s511", mbr(&REST, &[], 511)),
        ("s513", mbr(&REST, &[], 513)),
        ("f1000", mbr(&REST, &[], 1000)),
        ("f1474561", mbr(&REST, &[], 1_474_561)),
        ("f4m", mbr(&REST, &[], 4 << 20)),
        ("q-version", q().word(4, 9).bytes().to_vec()),
        ("q-table", q().long(40, 1 << 40).bytes().to_vec()),
        ("q-backing", q().backing("nowhere").bytes().to_vec()),
        ("q-head", q().bytes()[..40].to_vec()),
    ];
    for (name, bytes) in files {
        write(&at, name, bytes);
    }
    run_all_on_pcs(&at, REFUSED);
    let good = "-device isa-debug-exit -display none -drive file=good,format=raw";
    let child = command(&at, &format!("{PC} {good}")).spawn().expect("it starts");
    let (in_time, output) = super::finish(child, LIMIT);
    assert!(in_time && output.status.code() == Some(0x10 << 1 | 1), "{}", output.status);
    let disk = |name: &str| format!("-drive file={name},format=raw");
    let ahci = |name: &str| format!("-M q35 -drive file={name},format=raw");
    let virtio = |name: &str| format!("-drive file={name},format=raw,if=virtio");
    let floppy = |name: &str| format!("-drive file={name},format=raw,if=floppy");
    let cases = [
        (disk("no-mark"), NOTHING),
        (disk("garbage"), DISK),
        (disk("beyond"), DISK),
        (ahci("beyond"), DISK),
        (virtio("garbage"), DISK),
        (disk("empty"), NOTHING),
        (ahci("empty"), NOTHING),
        (virtio("empty"), NOTHING),
        (disk("byte"), NOTHING),
        (disk("s511"), NOTHING),
        (virtio("s513"), DISK),
        (ahci("s513"), DISK),
        (floppy("empty"), NOTHING),
        (floppy("f1000"), DISK),
        (floppy("f1474561"), DISK),
        (floppy("f4m"), DISK),
    ];
    all(&at, &cases.iter().map(|(options, text)| (options.as_str(), *text)).collect::<Vec<_>>());
}

#[test]
fn discs_of_pcs() {
    let at = place("pc-discs");
    let entry = |f: fn(&mut (u8, u8, u16, u16, u32))| {
        let mut cd = CD;
        f(&mut cd.entry);
        cd.bytes()
    };
    let mut erased = CD.bytes();
    erased[16 * BLOCK..].fill(0xFF);
    let mut odd = CD.bytes();
    odd.push(1);
    let files: &[(&str, Vec<u8>)] = &[
        ("good", CD.bytes()),
        ("catalogue-outside", Cd { catalogue: 1 << 30, ..CD }.bytes()),
        ("catalogue-last", Cd { catalogue: u32::MAX, ..CD }.bytes()),
        ("catalogue-empty", Cd { valid: false, ..CD }.bytes()),
        ("not-bootable", entry(|e| e.0 = 0)),
        ("image-outside", entry(|e| e.4 = 1 << 30)),
        ("image-beyond", entry(|e| e.3 = 0xFFFF)),
        ("image-empty", entry(|e| e.3 = 0)),
        ("segment", entry(|e| e.2 = 0xFFFF)),
        ("media", entry(|e| e.1 = 15)),
        ("floppy", entry(|e| e.1 = 2)),
        ("disk", entry(|e| e.1 = 4)),
        ("truncated", CD.bytes()[..17 * BLOCK + 100].to_vec()),
        ("block", CD.bytes()[..BLOCK - 1].to_vec()),
        ("erased", erased),
        ("odd", odd),
        ("empty", Vec::new()),
    ];
    for (name, bytes) in files {
        write(&at, name, bytes);
    }
    for board in ["pc", "q35"] {
        let arguments = format!("{PC} -M {board} -device isa-debug-exit -display none -cdrom good");
        let (in_time, output) = super::finish(command(&at, &arguments).spawn().expect("it starts"), LIMIT);
        assert!(in_time && output.status.code() == Some(0x10 << 1 | 1), "{board}: {}", output.status);
    }
    all(
        &at,
        &[
            ("-cdrom catalogue-outside", NOTHING),
            ("-M q35 -cdrom catalogue-last", NOTHING),
            ("-cdrom catalogue-empty", NOTHING),
            ("-cdrom not-bootable", NOTHING),
            ("-cdrom image-outside", NOTHING),
            ("-M q35 -cdrom image-beyond", DISC),
            ("-cdrom image-empty", DISC),
            ("-cdrom segment", DISC),
            ("-cdrom media", DISC),
            ("-cdrom floppy", DISC),
            ("-cdrom disk", DISC),
            ("-cdrom truncated", NOTHING),
            ("-M q35 -cdrom block", NOTHING),
            ("-cdrom erased", NOTHING),
            ("-cdrom odd", DISC),
            ("-cdrom empty", NOTHING),
        ],
    );
}
