//! Guests that go wrong: the program says so where it is certain, and can always be ended.

use super::inputs::{image, program, write};
use super::programs::HAMMER;
use super::{Case, case, command, finish, place, run_all};
use rustix::process::{Pid, Signal, kill_process};
use std::io::Write;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

const CASES: &[Case] = &[
    case("-accel interp -kernel nothing", 7, &["faults for ever", "0x200"]),
    case("-accel jit -kernel nothing", 7, &["faults for ever", "0x200"]),
    case("-accel interp -kernel zeros", 7, &["faults for ever", "0x41000200"]),
    case("-accel jit -kernel zeros", 7, &["faults for ever", "0x41000200"]),
    case("-accel jit -smp 2 -kernel zeros", 7, &["faults for ever"]),
    case("-accel interp -kernel all-off", 7, &["all its processors are off"]),
    case("-accel jit -smp 4 -kernel all-off", 7, &["all its processors are off"]),
];

#[test]
fn guests_that_cannot_go_on() {
    let at = place("guests");
    // mov x0, #0; br x0
    write(&at, "nothing", &image(&[0xD280_0000, 0xD61F_0000]));
    // mov x0, #0x41000000; msr vbar_el1, x0; svc #0: the vectors are zeros, which are undefined.
    write(&at, "zeros", &image(&[0xD2A8_2000, 0xD518_C000, 0xD400_0001]));
    // mov x0, #0x84000000; movk x0, #2; hvc #0 (PSCI CPU_OFF); b .
    write(&at, "all-off", &image(&[0xD2B0_8000, 0xF280_0040, 0xD400_0002, 0x1400_0000]));
    run_all(&at, CASES);
}

/// Whether a process has a handler for a signal, which a new one does not have yet, or has ended.
fn catches(id: u32, signal: Signal) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    mask.is_none_or(|mask| {
        u64::from_str_radix(mask.trim(), 16).is_ok_and(|mask| mask >> (signal.as_raw() - 1) & 1 != 0)
    }) || status.contains("\nState:\tZ")
}

/// Runs a guest that does not end and ends it with SIGTERM.
pub fn terminated(at: &Path, arguments: &str, after: Duration) -> Output {
    let child = command(at, arguments).spawn().expect("the program starts");
    let end = Instant::now() + Duration::from_secs(10);
    while !catches(child.id(), Signal::TERM) && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(2));
    }
    std::thread::sleep(after);
    if let Some(id) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // One that has ended by itself is not waited for yet, so the number is still its own.
        kill_process(id, Signal::TERM).expect("a signal to the child");
    }
    let (in_time, output) = finish(child, Duration::from_secs(10));
    assert!(in_time, "{arguments}: SIGTERM does not end it");
    output
}

#[test]
fn guests_that_never_end_can_be_ended() {
    let at = place("endless");
    write(&at, "spin", &image(&[0x1400_0000]));
    // wfi; b .-4
    write(&at, "sleep", &image(&[0xD503_207F, 0x17FF_FFFF]));
    // The vectors are `nop` and then what is undefined, again and again: no single instruction that faults for ever.
    let mut loops = program(&[0]);
    for vector in 0..16usize {
        loops[0x800 + vector * 0x80..][..8].copy_from_slice(&[0x1F, 0x20, 0x03, 0xD5, 0, 0, 0, 0]);
    }
    write(&at, "loops", &loops);
    for kernel in ["spin", "sleep", "loops"] {
        for engine in ["interp", "jit"] {
            let arguments = format!("-display none -accel {engine} -kernel {kernel}");
            let output = terminated(&at, &arguments, Duration::from_millis(300));
            assert_eq!(output.status.code(), Some(143), "{arguments}");
        }
    }
    // The keys of the terminal work as well: C-a x.
    for engine in ["interp", "jit"] {
        let mut quit = command(&at, &format!("-nographic -accel {engine} -kernel loops"));
        let mut child = quit.stdin(Stdio::piped()).spawn().expect("the program starts");
        child.stdin.take().and_then(|mut keys| keys.write_all(b"\x01x").ok()).expect("keys can be typed");
        let (in_time, output) = finish(child, Duration::from_secs(10));
        assert!(in_time && output.status.code() == Some(0), "{engine}: {}", output.status);
    }
}

/// A guest that does anything: it may end as guests do, and is ended otherwise.
fn survives(at: &Path, arguments: &str) {
    let output = terminated(at, arguments, Duration::from_millis(700));
    let said = String::from_utf8_lossy(&output.stderr);
    let code = output.status.code();
    assert!(matches!(code, Some(0 | 7 | 143)), "{arguments}: {} and {said}", output.status);
    assert!(!said.contains("panicked"), "{arguments}: {said}");
}

#[test]
fn guests_that_hammer_every_device() {
    let at = place("hammer");
    let mut words = HAMMER.to_vec();
    for (seed, engine) in [(0x7C15u32, "interp"), (1, "jit"), (2, "interp"), (3, "jit")] {
        // The first instruction has the seed's low half.
        words[0] = 0xD280_0014 | seed << 5;
        write(&at, "hammer", &program(&words));
        write(&at, "disk", &[0; 1 << 16]);
        for board in ["virt", "virt,gic-version=3"] {
            let devices = "-drive file=disk,format=raw,if=virtio -device virtio-rng-device \
                           -device virtio-serial-device -device virtconsole";
            survives(&at, &format!("-display none -M {board} -accel {engine} -kernel hammer {devices}"));
        }
    }
}

#[test]
fn guests_of_random_words() {
    let at = place("random");
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    for round in 0..4 {
        let mut words = Vec::new();
        for _ in 0..0x1_0000 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            // Half of them are data processing, or hardly any would go far.
            let word = (state >> 20) as u32;
            words.push(if state & 1 == 0 { word } else { word & !(0xF << 25) | 0b0101 << 25 });
        }
        write(&at, "words", &program(&words));
        let engine = if round & 1 == 0 { "interp" } else { "jit" };
        survives(&at, &format!("-display none -accel {engine} -kernel words"));
    }
}
