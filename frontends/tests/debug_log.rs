//! `-d`, `-D`, `-dfilter` and the monitor's `log`: each item with each engine, on a guest that gives each something to
//! say.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Where an Image is loaded.
const AT: u64 = 0x4020_0000;
/// The loop's first instruction.
const LOOP: u64 = 0x4C;

/// The guest: a loop, TLB maintenance, an undefined instruction, an access to nothing, an unknown firmware call, and
/// the end. By place in the Image.
const PROGRAM: &[(u64, &[u32])] = &[
    (0x00, &[0x1400_0010]), // b 0x40
    (0x38, &[u32::from_le_bytes(*b"ARM\x64")]),
    (
        0x40,
        &[
            0x1000_3E00, // adr x0, 0x800
            0xD518_C000, // msr vbar_el1, x0
            0xD280_7D02, // mov x2, #1000
            0x8B02_0021, // add x1, x1, x2
            0xCA02_0023, // eor x3, x1, x2
            0xF100_0442, // subs x2, x2, #1
            0x54FF_FFA1, // b.ne LOOP
            0xD508_871F, // tlbi vmalle1
            0xD503_3F9F, // dsb sy
            0xD503_3FDF, // isb
            0x0000_0000, // udf #0
            0xD2C0_2004, // mov x4, #0x10000000000
            0xB940_0085, // ldr w5, [x4]
            0x5800_00A0, // ldr x0, 0x88
            0xD400_0002, // hvc #0
            0x5800_00A0, // ldr x0, 0x90
            0xD400_0002, // hvc #0
            0x1400_0000, // b .
            0x8400_1234,
            0, // no function of PSCI
            0x8400_0008,
            0, // SYSTEM_OFF
        ],
    ),
    // The vector for exceptions of this level: goes on behind the instruction.
    (0xA00, &[0xD538_4021, 0x9100_1021, 0xD518_4021, 0xD69F_03E0]),
];

fn scratch(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("lyrebird-debug-{}-{name}", std::process::id()))
}

/// The guest as a file.
fn image(name: &str) -> PathBuf {
    let mut bytes = vec![0u8; 0x1000];
    for (at, words) in PROGRAM {
        for (i, word) in words.iter().enumerate() {
            let at = *at as usize + 4 * i;
            bytes[at..at + 4].copy_from_slice(&word.to_le_bytes());
        }
    }
    // The Image header's size.
    bytes[16..24].copy_from_slice(&0x1000u64.to_le_bytes());
    let path = scratch(name).with_extension("image");
    std::fs::write(&path, bytes).expect("the image");
    path
}

fn program(image: &PathBuf, engine: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lyrebird"));
    command.args(["qemu-system-aarch64", "-M", "virt", "-m", "64M", "-display", "none", "-accel", engine]);
    command.arg("-kernel").arg(image).env_remove("RUST_LOG").stdin(Stdio::null());
    command
}

/// What `options` log.
fn logged(name: &str, engine: &str, options: &[&str]) -> String {
    let (image, log) = (image(&format!("{name}-{engine}")), scratch(&format!("{name}-{engine}.log")));
    let mut child = program(&image, engine).args(options).arg("-D").arg(&log).spawn().expect("starts");
    let deadline = Instant::now() + Duration::from_secs(60);
    let status = loop {
        if let Some(status) = child.try_wait().expect("a child") {
            break status;
        }
        if Instant::now() > deadline {
            let _ = child.kill();
            panic!("{engine} {options:?}: the program hangs");
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    assert_eq!(status.code(), Some(0), "{engine} {options:?}");
    let text = std::fs::read_to_string(&log).expect("a log");
    let _ = (std::fs::remove_file(&image), std::fs::remove_file(&log));
    text
}

/// Runs both engines with an item: what each logs.
fn both(item: &str) -> [String; 2] {
    ["interp", "jit"].map(|engine| logged(item, engine, &["-d", item]))
}

fn has(text: &str, part: &str) {
    assert!(text.contains(part), "'{part}' is missing:\n{text}");
}

fn count(text: &str, part: &str) -> usize {
    text.lines().filter(|line| line.contains(part)).count()
}

#[test]
fn in_asm_shows_instructions_once() {
    let [interp, jit] = both("in_asm");
    for text in [&interp, &jit] {
        has(text, &format!("{:#018x}: 8b020021  add x1, x1, x2", AT + LOOP));
    }
    assert_eq!(count(&interp, "add x1, x1, x2"), 1);
    has(&interp, "msr vbar_el1, x0");
    has(&jit, &format!("IN at {AT:#018x}"));
}

#[test]
fn ir_and_out_asm_show_the_translators_work() {
    let [interp, jit] = both("ir");
    assert_eq!(interp, "");
    has(&jit, &format!("IR at {AT:#018x}"));
    let [interp, jit] = both("out_asm");
    assert_eq!(interp, "");
    has(&jit, &format!("OUT at {AT:#018x}"));
    has(&jit, "jmp");
}

#[test]
fn int_shows_exceptions_and_returns() {
    for text in both("int") {
        has(&text, &format!("cpu 0 exception class 0x0 esr 0x2000000 pc {:#x}", AT + 0x68));
        has(&text, &format!("cpu 0 returns to {:#x}", AT + 0x6C));
        has(
            &text,
            &format!("cpu 0 exception class 0x25 esr 0x96000010 pc {:#x} far 0x10000000000", AT + 0x70),
        );
    }
}

#[test]
fn exec_and_cpu_show_blocks_before_they_run() {
    let [interp, jit] = both("exec");
    let line = format!("cpu 0 exec {:#018x}", AT + LOOP);
    // The first pass through the loop belongs to the block before it.
    assert_eq!(count(&interp, &line), 999);
    has(&jit, &format!("{line} mode 0x5 compiled"));
    assert!(count(&jit, &line) < 100, "regions are linked:\n{jit}");
    let whole = logged("nochain", "jit", &["-d", "exec,nochain"]);
    assert_eq!(count(&whole, &line), 999, "every block is dispatched");
    for text in both("cpu") {
        has(&text, &format!("PC={:016x} PSTATE=", AT + LOOP));
        has(&text, "EL1h SP=");
        has(&text, "X02=00000000000003e7");
    }
}

#[test]
fn mmu_shows_walks_and_maintenance() {
    for text in both("mmu") {
        has(&text, &format!("cpu 0 walk {AT:#018x} Exec kernel -> {AT:#x}"));
        has(&text, "cpu 0 walk 0x0000010000000000 Read kernel");
        has(&text, "cpu 0 forgets All");
    }
}

#[test]
fn unimp_and_guest_errors_show_what_the_guest_does() {
    for text in both("unimp") {
        has(&text, &format!("undefined instruction {:#018x}: 00000000  udf #0", AT + 0x68));
        has(&text, "cpu 0 firmware function 0x84001234");
    }
    for text in both("guest_errors") {
        has(&text, "read 32 bits at 0x10000000000");
    }
    for text in both("none") {
        assert_eq!(text, "");
    }
}

#[test]
fn cpu_reset_shows_the_state_at_power_on() {
    for text in both("cpu_reset") {
        has(&text, &format!("cpu 0 reset\n  PC={AT:016x} PSTATE=000003c5 ---- EL1h"));
    }
}

#[test]
fn dfilter_limits_to_addresses() {
    let (first, last) = (AT + LOOP, AT + LOOP + 7);
    for engine in ["interp", "jit"] {
        for range in
            [format!("{first:#x}..{last:#x}"), format!("{first:#x}+0x8"), format!("{last:#x}-0x8,0x0+0x4")]
        {
            let text = logged("dfilter", engine, &["-d", "in_asm,exec", "-dfilter", &range]);
            has(&text, &format!("{first:#018x}: 8b020021"));
            has(&text, &format!("exec {first:#018x}"));
            assert_eq!(count(&text, "exec"), count(&text, &format!("exec {first:#018x}")), "{range}");
            assert_eq!(count(&text, "mrs x1, elr_el1"), 0, "{range}");
            if engine == "interp" {
                assert_eq!(count(&text, "0x"), count(&text, "exec") + 2, "two instructions:\n{text}");
            }
        }
    }
}

#[test]
fn the_monitor_changes_items_of_a_running_machine() {
    for engine in ["interp", "jit"] {
        let name = format!("live-{engine}");
        let (image, log) = (image(&name), scratch(&format!("{name}.log")));
        let mut command = program(&image, engine);
        command.args(["-S", "-monitor", "stdio", "-D"]).arg(&log);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("starts");
        let mut input = child.stdin.take().expect("a pipe");
        let mut output = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let mut ask = |what: &str, answer: &str| {
            writeln!(input, "{what}").expect("typed");
            if !answer.is_empty() {
                let line = output.by_ref().map_while(Result::ok).find(|line| line.contains(answer));
                assert!(line.is_some(), "'{what}' is not answered by '{answer}'");
            }
        };
        // As far as the loop's first pass nothing is on, then `exec` is, and from there on only `int`.
        ask("step 6", "");
        ask("log exec", "");
        ask("log", "on now: exec");
        ask(&format!("break {:#x}", AT + 0x5C), "");
        ask("cont", "stopped: breakpoint");
        ask("info status", "VM status: paused");
        ask("log int", "");
        ask("log", "on now: int");
        ask("delete all", "");
        ask("cont", "");
        let _ = child.wait().expect("ends");
        let text = std::fs::read_to_string(&log).expect("a log");
        assert!(count(&text, "exec") > 900, "{engine}: {text}");
        assert_eq!(count(&text, &format!("exec {AT:#018x}")), 0, "{engine}");
        assert_eq!(count(&text, &format!("exec {:#018x}", AT + 0xA00)), 0, "{engine}");
        has(&text, "cpu 0 exception class 0x0");
        let _ = (std::fs::remove_file(&image), std::fs::remove_file(&log));
    }
}
