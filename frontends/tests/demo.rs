//! The program with its own demo guest: console, monitor, gdb, power off.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// A demo guest on pipes, which does not outlive its test.
struct Demo {
    child: Child,
    input: ChildStdin,
    output: ChildStdout,
    seen: String,
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Demo {
    fn start(options: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lyrebird"));
        command.arg("demo").args(options).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("starts");
        let input = child.stdin.take().expect("a pipe");
        let output = child.stdout.take().expect("a pipe");
        Self { child, input, output, seen: String::new() }
    }

    fn send(&mut self, keys: &[u8]) {
        self.input.write_all(keys).expect("typed");
    }

    /// Reads until `text` has come.
    fn expect(&mut self, text: &str) {
        let mut buffer = [0; 4096];
        while !self.seen.contains(text) {
            let mut fds = [rustix::event::PollFd::new(&self.output, rustix::event::PollFlags::IN)];
            let patience = rustix::event::Timespec { tv_sec: 60, tv_nsec: 0 };
            let ready = rustix::event::poll(&mut fds, Some(&patience)).expect("polls");
            assert!(ready > 0, "'{text}' does not come; seen:\n{}", self.seen);
            let count = self.output.read(&mut buffer).expect("output");
            assert!(count > 0, "the end comes before '{text}'; seen:\n{}", self.seen);
            self.seen.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
        let at = self.seen.find(text).expect("just found") + text.len();
        self.seen.drain(..at);
    }

    fn end(mut self) -> Option<i32> {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status.code();
            }
            assert!(Instant::now() < deadline, "the program hangs");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

#[test]
fn the_guest_answers_and_powers_off() {
    for options in [&["-accel", "interp"][..], &["-accel", "jit", "-M", "virt,gic-version=3"]] {
        let mut demo = Demo::start(options);
        demo.expect("Lyrebird demo guest for arm64");
        demo.expect("lyrebird> ");
        demo.send(b"info\r");
        demo.expect("processor");
        demo.expect("lyrebird> ");
        demo.send(b"off\r");
        assert_eq!(demo.end(), Some(0), "{options:?}");
    }
}

#[test]
fn the_monitor_looks_into_a_running_machine() {
    let mut demo = Demo::start(&["-accel", "interp", "-smp", "2"]);
    demo.expect("lyrebird> ");
    demo.send(b"\x01cinfo cpus\r");
    demo.expect("* CPU #0: max pc=0x");
    demo.expect("(lyrebird) ");
    demo.send(b"info mtree\r");
    demo.expect("0000000009000000-0000000009000fff");
    demo.send(b"stop\rinfo status\r");
    demo.expect("VM status: paused");
    demo.send(b"step 3\rdisas /2 $pc\r");
    demo.expect("(lyrebird) disas /2 $pc\r\n0x");
    demo.send(b"info registers system\r");
    demo.expect("SCTLR_EL1=");
    demo.send(b"gva2gpa 0x40080000\r");
    demo.expect("gpa: 0x40080000");
    demo.send(b"system_reset\rcont\r\x01c");
    demo.expect("Lyrebird demo guest");
    demo.expect("lyrebird> ");
    demo.send(b"\x01x");
    assert_eq!(demo.end(), Some(0));
}

/// Debugs a paused demo guest; what gdb printed in the end. `None` without gdb.
fn debug(name: &str, options: &[&str], script: &[&str]) -> Option<String> {
    let socket = std::env::temp_dir().join(format!("lyrebird-{name}-{}", std::process::id()));
    let listen = format!("unix:{}", socket.display());
    let demo = Demo::start(&[&["-S", "-gdb", &listen], options].concat());
    let deadline = Instant::now() + Duration::from_secs(30);
    while !socket.exists() {
        assert!(Instant::now() < deadline, "the server listens");
        std::thread::sleep(Duration::from_millis(10));
    }
    let file = socket.with_extension("gdb");
    let lines = format!("target remote {}\n{}\n", socket.display(), script.join("\n"));
    std::fs::write(&file, lines).expect("the script");
    let mut gdb = Command::new("timeout");
    gdb.args(["60", "gdb-multiarch", "-nx", "-batch", "-x"]).arg(&file);
    let out = match gdb.stdin(Stdio::null()).output() {
        Ok(out) if out.status.code() != Some(127) => out,
        other => {
            eprintln!("skipped: gdb-multiarch cannot be started: {other:?}");
            return None;
        }
    };
    let text = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    println!("{text}");
    assert_eq!(demo.end(), Some(0));
    let _ = std::fs::remove_file(&file);
    let _ = std::fs::remove_file(&socket);
    Some(text)
}

/// Checks that the parts occur in this order.
fn has(text: &str, parts: &[&str]) {
    let mut rest = text;
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => panic!("'{part}' is not in, or not in this order:\n{text}"),
        }
    }
}

#[test]
fn gdb_steps_and_interrupts_the_guest() {
    let interrupt = "python import os, signal, threading; \
                     threading.Timer(1, lambda: os.kill(os.getpid(), signal.SIGINT)).start()";
    let script = [
        "info threads",
        "p/x $pc",
        "stepi",
        "stepi",
        "p $pc > 0x40080000",
        "p/x $VBAR_EL1",
        interrupt,
        "continue",
        "p $VBAR_EL1 != 0",
        "x/i $pc",
        "monitor info status",
        "kill",
    ];
    let Some(text) = debug("step", &["-accel", "interp", "-smp", "2"], &script) else { return };
    has(
        &text,
        &[
            "CPU#0 max [running]",
            "CPU#1 max [off]",
            "$1 = 0x40080000",
            "$2 = 1",
            "$3 = 0x0",
            "SIGINT",
            "$4 = 1",
            "=> 0x",
            "VM status: paused",
        ],
    );
}

#[test]
fn gdb_breaks_and_watches_the_guest() {
    let script = [
        // The first instruction of an Image branches over the header; this is where to.
        "break *0x40080040",
        "continue",
        "p/x $pc",
        "delete",
        // The device tree: its magic number and a field behind it are read.
        "set $tree = $x0",
        "rwatch *(int *)$tree",
        "continue",
        "delete",
        "awatch *(int *)($tree + 8)",
        "continue",
        "delete",
        "set $slot = $sp - 8",
        "watch *(long *)$slot",
        "delete",
        "kill",
    ];
    for engine in ["interp", "jit"] {
        let Some(text) = debug(engine, &["-accel", engine], &script) else { return };
        has(
            &text,
            &[
                "Breakpoint 1 at 0x40080040",
                "Breakpoint 1, 0x0000000040080040",
                "$1 = 0x40080040",
                "Hardware read watchpoint 2",
                "Hardware read watchpoint 2",
                "Value = -302117424",
                "Hardware access (read/write) watchpoint 3",
                "Hardware access (read/write) watchpoint 3",
                "Value = ",
                "Hardware watchpoint 4",
            ],
        );
    }
}

/// The demo under verification with a seeded fault: exit code 8, a report, and `replay` agrees with it.
#[test]
fn reports_of_verification_run_again() {
    let path = std::env::temp_dir().join(format!("lyrebird-report-{}.txt", std::process::id()));
    let accel = format!("verify,fault=link-target,report={}", path.display());
    let (code, _, errors) = said(&["demo", "-nographic", "-accel", &accel]);
    assert!(code == 8 && errors.contains(" bl #"), "{code}: {errors}");
    let file = path.to_str().expect("a plain name");
    let (code, out, _) = said(&["replay", file]);
    assert!(code == 8 && out.contains("the engines disagree"), "{code}: {out}");
    let healed = std::fs::read_to_string(&path).expect("the report").replace("\nfault link-target\n", "\n");
    std::fs::write(&path, healed).expect("the report again");
    let (code, out, _) = said(&["replay", file]);
    assert!(code == 0 && out.contains("the engines agree"), "{code}: {out}");
    std::fs::write(&path, "nothing").expect("another file");
    let (code, _, errors) = said(&["replay", file]);
    assert!(code == 1 && errors.contains("no report of -accel verify"), "{code}: {errors}");
    let _ = std::fs::remove_file(&path);
    let (code, _, errors) = said(&["demo", "-accel", "verify,fault=none-such"]);
    assert!(code != 0 && errors.contains("udiv-by-zero"), "{code}: {errors}");
}

/// What the program does with these words and no input: exit code, output, errors.
fn said(words: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lyrebird"));
    let done = command.args(words).stdin(Stdio::null()).output().expect("starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (done.status.code().unwrap_or(-1), text(&done.stdout), text(&done.stderr))
}
