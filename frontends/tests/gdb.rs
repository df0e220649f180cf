//! The GDB server against a real gdb-multiarch, on the toy machine. Without gdb-multiarch the tests say so and pass.

#[path = "common/mock.rs"]
mod mock;

use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use lyrebird_frontends::gdb;
use lyrebird_machine::config::GdbListen;
use lyrebird_machine::control::Control;
use mock::Mock;

/// Runs a gdb script against `mock`; what it printed. `None` without gdb.
fn debug(mock: &Arc<Mock>, script: &[&str]) -> Option<String> {
    let listen = GdbListen::Tcp(SocketAddr::from(([127, 0, 0, 1], 0)));
    let server = gdb::start(&listen, mock.clone() as Arc<dyn Control>).expect("listens");
    let port = server.port.expect("a TCP port");
    let mut command = Command::new("gdb-multiarch");
    command.args(["-nx", "-batch", "-ex", "set pagination off", "-ex", "set confirm off"]);
    command.args(["-ex".to_owned(), format!("target remote 127.0.0.1:{port}")]);
    for line in script {
        command.args(["-ex", line]);
    }
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(e) => {
            eprintln!("skipped: gdb-multiarch cannot be started: {e}");
            return None;
        }
    };
    let deadline = Instant::now() + Duration::from_secs(60);
    while child.try_wait().expect("a child").is_none() {
        if Instant::now() > deadline {
            let _ = child.kill();
            let out = child.wait_with_output().expect("output");
            panic!("gdb hangs: {}", String::from_utf8_lossy(&out.stdout));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let out = child.wait_with_output().expect("output");
    let text = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    println!("{text}");
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
fn registers_memory_and_threads() {
    let mock = Mock::new();
    let script = [
        "info threads",
        "p/x $pc",
        "p/x $sp",
        "set $x5 = 0x123456789abcdef0",
        "p/x $x5",
        "set $v3.d.u[1] = 0x1122334455667788",
        "p/x $v3.d.u[1]",
        "p $v3.s.u[3]",
        "p/x $fpcr",
        "info registers VBAR_EL1",
        "set $TTBR0_EL1 = 0x4000",
        "p/x $TTBR0_EL1",
        "x/2i $pc",
        "set {int}0x40002000 = 0x1234",
        "x/wx 0x40002000",
        "x/wx 0",
        "thread 2",
        "p/x $pc",
        "monitor info status",
        "monitor nonsense",
    ];
    let Some(text) = debug(&mock, &script) else { return };
    has(
        &text,
        &[
            "CPU#0 toy [running]",
            "CPU#1 toy [running]",
            "$1 = 0x40000000",
            "$2 = 0x40008000",
            "$3 = 0x123456789abcdef0",
            "$4 = 0x1122334455667788",
            "$5 = 287454020",
            "$6 = 0x0",
            "VBAR_EL1       0x40000800",
            "$7 = 0x4000",
            "add\tx0, x0, #0x1",
            "str\tx0, [x1]",
            "0x40002000:\t0x00001234",
            "Switching to thread 2",
            "$8 = 0x40000100",
            "VM status: paused (prelaunch)",
            "unknown command: 'nonsense'",
        ],
    );
    assert!(text.contains("Cannot access memory at address 0x0"), "{text}");
}

#[test]
fn breakpoints_steps_and_watchpoints() {
    let mock = Mock::new();
    let script = [
        "stepi",
        "p/x $pc",
        "break *0x4000000c",
        "continue",
        "p/x $pc",
        "p $x0",
        "continue",
        "p $x0",
        "delete",
        "hbreak *0x40000000",
        "continue",
        "p/x $pc",
        "delete",
        "watch *(long*)0x40001000",
        "continue",
        "delete",
        "rwatch *(long*)0x40001000",
        "continue",
        "p/x $pc",
        "delete",
        "awatch *(long*)0x40001000",
        "continue",
        "p/x $pc",
    ];
    let Some(text) = debug(&mock, &script) else { return };
    has(
        &text,
        &[
            "$1 = 0x40000004",
            "Breakpoint 1, 0x000000004000000c",
            "$2 = 0x4000000c",
            "$3 = 1",
            "Breakpoint 1, 0x000000004000000c",
            "$4 = 2",
            "$5 = 0x40000000",
            "atchpoint 3: *(long*)0x40001000",
            "Old value = 2",
            "New value = 3",
            "atchpoint 4: *(long*)0x40001000",
            "Value = ",
            "atchpoint 5: *(long*)0x40001000",
            "alue = ",
        ],
    );
    assert!(mock.breakpoints().is_empty(), "the session's breakpoints go with it");
}

#[test]
fn interrupting_detaching_and_coming_back() {
    let mock = Mock::new();
    mock.resume().expect("runs");
    // Connecting stops the guest. A shell beside gdb presses Ctrl-C.
    let script = [
        "p $x0 >= 0",
        "python import threading, os, signal; threading.Timer(1, lambda: os.kill(os.getpid(), signal.SIGINT)).start()",
        "continue",
        "p 40 + 2",
        "detach",
    ];
    let Some(text) = debug(&mock, &script) else { return };
    has(&text, &["$1 = 1", "SIGINT", "$2 = 42"]);
    let deadline = Instant::now() + Duration::from_secs(10);
    while !mock.status().is_running() {
        assert!(Instant::now() < deadline, "detaching lets the guest run");
        std::thread::sleep(Duration::from_millis(10));
    }
    debug(&mock, &["p/x $pc", "kill"]);
    let deadline = Instant::now() + Duration::from_secs(10);
    while mock.asked() != ["quit"] {
        assert!(Instant::now() < deadline, "kill ends the machine");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn the_end_of_the_guest_reaches_the_debugger() {
    let mock = Mock::new();
    let ender = mock.clone();
    let thread = std::thread::spawn(move || {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !ender.status().is_running() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(10));
        }
        ender.quit(7);
    });
    let text = debug(&mock, &["continue"]);
    if let Some(text) = text {
        assert!(text.contains("exited with code 07"), "{text}");
        thread.join().expect("no panic");
    }
}

#[test]
fn nonsense_on_the_wire_is_survived() {
    use std::io::{Read, Write};
    let mock = Mock::new();
    let listen = GdbListen::Tcp(SocketAddr::from(([127, 0, 0, 1], 0)));
    let port = gdb::start(&listen, mock).expect("listens").port.expect("a port");
    let mut x = 7u32;
    for round in 0..20 {
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).expect("connects");
        let mut bytes = vec![b'$'; 600];
        for byte in bytes.iter_mut().skip(1) {
            x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *byte = (x >> 24) as u8;
        }
        if round % 2 == 0 {
            bytes = b"+$mffffffffffffff,ffffffffffffffff#00$p99999999#00$Z9,0,0#00$vCont;s:99#00\x03\x03"
                .to_vec();
        }
        let _ = stream.write_all(&bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
        let _ = stream.read(&mut [0; 4096]);
    }
    // The server is still there.
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).expect("connects");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    stream.write_all(b"$?#3f").expect("writes");
    let mut reply = [0; 1];
    assert_eq!(stream.read(&mut reply).expect("an answer"), 1);
    assert_eq!(reply[0], b'+');
}
