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

#[test]
fn gdb_steps_and_interrupts_the_guest() {
    let socket = std::env::temp_dir().join(format!("lyrebird-gdb-{}", std::process::id()));
    let listen = format!("unix:{}", socket.display());
    let demo = Demo::start(&["-accel", "interp", "-smp", "2", "-S", "-gdb", &listen]);
    let deadline = Instant::now() + Duration::from_secs(30);
    while !socket.exists() {
        assert!(Instant::now() < deadline, "the server listens");
        std::thread::sleep(Duration::from_millis(10));
    }
    let target = format!("target remote {}", socket.display());
    let interrupt = "python import os, signal, threading; \
                     threading.Timer(1, lambda: os.kill(os.getpid(), signal.SIGINT)).start()";
    let script = [
        target.as_str(),
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
    let mut gdb = Command::new("timeout");
    gdb.args(["60", "gdb-multiarch", "-nx", "-batch"]);
    for line in script {
        gdb.args(["-ex", line]);
    }
    let out = match gdb.stdin(Stdio::null()).output() {
        Ok(out) if out.status.code() != Some(127) => out,
        other => {
            eprintln!("skipped: gdb-multiarch cannot be started: {other:?}");
            return;
        }
    };
    let text = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    let mut rest = text.as_str();
    for part in [
        "CPU#0 max [running]",
        "CPU#1 max [off]",
        "$1 = 0x40080000",
        "$2 = 1",
        "$3 = 0x0",
        "SIGINT",
        "$4 = 1",
        "=> 0x",
        "VM status: paused",
    ] {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => panic!("'{part}' is not in, or not in this order:\n{text}"),
        }
    }
    assert_eq!(demo.end(), Some(0));
    let _ = std::fs::remove_file(&socket);
}
