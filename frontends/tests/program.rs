//! The whole program with a toy guest behind it: terminal, pipes, signals, monitor, exit codes.
//!
//! The program under test is this file again: [`child`] runs it when the environment says so.

#[path = "common/mock.rs"]
mod mock;
#[path = "common/terminal.rs"]
mod terminal;

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, Sender, select, unbounded};
use lyrebird_devices::char::CharPort;
use lyrebird_frontends::program;
use lyrebird_frontends::run::Runnable;
use lyrebird_machine::chardev::{Backend, Chardevs};
use lyrebird_machine::config::{BuildError, Config, DeviceConfig, SerialPort};
use lyrebird_machine::control::{Control, Event, Shutdown};
use mock::Mock;
use terminal::{Terminal, exit_code, start};

/// The arguments of the program under test, one a line.
const ARGUMENTS: &str = "LYREBIRD_TEST_ARGUMENTS";

/// A guest that answers each key with its capital. Some keys end it.
struct Toy {
    control: Arc<Mock>,
    keys: Receiver<u8>,
    line: Option<Arc<dyn Backend>>,
    port: Option<Arc<dyn Backend>>,
}

struct Keys(Sender<u8>);

impl CharPort for Keys {
    fn can_receive(&self) -> usize {
        16
    }
    fn receive(&self, bytes: &[u8]) -> usize {
        bytes.iter().take(16).filter(|b| self.0.send(**b).is_ok()).count()
    }
    fn receive_break(&self) {
        let _ = self.0.send(b'~');
    }
    fn drain(&self) {}
}

impl Toy {
    fn build(config: &Config, chardevs: &dyn Chardevs) -> Result<Box<dyn Runnable>, BuildError> {
        if config.ram > 1 << 40 {
            return Err(BuildError::Host("find so much memory".into()));
        }
        if config.name.as_deref() == Some("panic") {
            panic!("a defect of the toy");
        }
        let (tx, keys) = unbounded();
        let line = match config.serials.first() {
            Some(SerialPort::Chardev(id)) => chardevs.plug(id, "serial0"),
            _ => None,
        };
        if let Some(line) = &line {
            line.connect(Arc::new(Keys(tx)));
            // What there is to load takes its time, in which keys are typed.
            std::thread::sleep(Duration::from_millis(50));
        }
        let port = config.devices.iter().find_map(|device| match device {
            DeviceConfig::VirtPort { chardev: Some(id), .. } => chardevs.plug(id, "hvc0"),
            _ => None,
        });
        Ok(Box::new(Toy { control: Mock::new(), keys, line, port }))
    }

    fn say(&self, text: &[u8]) {
        let Some(line) = &self.line else { return };
        let mut sent = 0;
        while sent < text.len() {
            sent += line.write(&text[sent..]);
            std::thread::yield_now();
        }
    }
}

impl Runnable for Toy {
    fn control(&self) -> Arc<dyn Control> {
        self.control.clone()
    }

    fn run(self: Box<Self>) -> Shutdown {
        let events = self.control.subscribe();
        self.say(b"guest up\n");
        if let Some(port) = &self.port {
            port.write(b"3q");
        }
        loop {
            select! {
                recv(self.keys) -> key => match key {
                    Ok(b'q') => return Shutdown::PowerOff,
                    Ok(b'x') => return Shutdown::Exit(42),
                    Ok(b'p') => panic!("a defect of the toy"),
                    Ok(b't') => {
                        let _ = std::thread::spawn(|| panic!("a defect of another thread")).join();
                    }
                    Ok(b'v') => return Shutdown::GuestPanic("vectors fault at 0x200".into()),
                    Ok(b'l') => self.say(&b"0123456789abcdef".repeat(64 << 10)),
                    Ok(key) => self.say(&[key.to_ascii_uppercase()]),
                    Err(_) => std::thread::sleep(Duration::from_millis(1)),
                },
                recv(events) -> event => if let Ok(Event::Shutdown(end)) = event {
                    return end;
                }
            }
        }
    }
}

/// Not a test: the program under test.
#[test]
fn child() {
    let Ok(arguments) = std::env::var(ARGUMENTS) else { return };
    let words = ["lyrebird"].into_iter().chain(arguments.lines()).map(Into::into);
    let code = program::main(words, &Toy::build);
    std::process::exit(i32::from(code));
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", "child", "--nocapture", "-q"]).env(ARGUMENTS, arguments.join("\n"));
    command.env_remove("RUST_LOG").env("RUST_BACKTRACE", "0");
    command
}

/// A kernel to name: any file of the right kind does, the toy does not look.
const RUN: [&str; 3] = ["qemu-system-aarch64", "-kernel", "/dev/null"];

fn with(more: &[&'static str]) -> Vec<&'static str> {
    RUN.into_iter().chain(more.iter().copied()).collect()
}

#[test]
fn ctrl_a_x_quits_and_the_terminal_is_restored() {
    let mut t = Terminal::start(&mut command(&with(&["-nographic"])));
    t.expect("guest up");
    assert!(t.is_raw());
    t.send(b"ab");
    t.expect("AB");
    t.send(b"\x01h");
    t.expect("C-a x    quit");
    t.send(b"\x01x");
    assert_eq!(t.end(), 0);
}

#[test]
fn ctrl_a_c_switches_to_the_monitor_and_back() {
    let mut t = Terminal::start(&mut command(&with(&["-nographic"])));
    t.expect("guest up");
    t.send(b"\x01c");
    t.expect("(lyrebird) ");
    t.send(b"info status\r");
    t.expect("VM status: paused (prelaunch)");
    t.expect("(lyrebird) ");
    t.send(b"\x01cz\x01b");
    t.expect("Z~");
    t.send(b"\x01c\x15quit\r");
    assert_eq!(t.end(), 0);
}

/// Keys that are there before the machine reach whom they are for.
#[test]
fn what_is_typed_ahead_is_for_the_monitor_too() {
    let mut child = start(
        command(&with(&["-nographic"])).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()),
    );
    child.stdin.take().expect("a pipe").write_all(b"\x01cinfo status\r\x01cz\x01cquit\r").expect("typed");
    let mut said = String::new();
    child.stdout.take().expect("a pipe").read_to_string(&mut said).expect("text");
    assert_eq!(exit_code(&mut child), Some(0));
    assert!(said.contains("VM status: paused (prelaunch)"), "{said}");
}

#[test]
fn signals_restore_the_terminal_and_have_their_codes() {
    use rustix::process::{Pid, Signal, kill_process};
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130), (Signal::HUP, 129), (Signal::QUIT, 131)] {
        let mut t = Terminal::start(&mut command(&with(&["-nographic"])));
        t.expect("guest up");
        assert!(t.is_raw());
        kill_process(Pid::from_child(&t.child), signal).expect("signalled");
        assert_eq!(t.end(), code);
    }
}

#[test]
fn stopping_and_continuing_takes_the_terminal_along() {
    use rustix::process::{Pid, Signal, kill_process};
    let mut t = Terminal::start(&mut command(&with(&["-nographic"])));
    t.expect("guest up");
    let pid = Pid::from_child(&t.child);
    let until = |t: &Terminal, raw: bool| {
        let deadline = Instant::now() + Duration::from_secs(30);
        while t.is_raw() != raw {
            assert!(Instant::now() < deadline, "raw mode is not {raw}");
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    // More than once: the thread that reads the terminal takes it at any moment.
    for _ in 0..10 {
        kill_process(pid, Signal::TSTP).expect("signalled");
        until(&t, false);
        // The state of the process: T once it is stopped.
        let stat = format!("/proc/{}/stat", t.child.id());
        let deadline = Instant::now() + Duration::from_secs(30);
        while !std::fs::read_to_string(&stat).expect("a process").contains(") T ") {
            assert!(Instant::now() < deadline, "the program stops");
            std::thread::sleep(Duration::from_millis(5));
        }
        kill_process(pid, Signal::CONT).expect("signalled");
        until(&t, true);
    }
    t.send(b"k");
    t.expect("K");
    t.send(b"\x01x");
    assert_eq!(t.end(), 0);
}

#[test]
fn a_serial_port_on_a_pseudo_terminal() {
    use std::io::{BufRead, BufReader};
    let arguments = with(&["-serial", "pty", "-display", "none"]);
    let mut child =
        start(command(&arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()));
    let mut line = String::new();
    BufReader::new(child.stderr.take().expect("a pipe")).read_line(&mut line).expect("the name");
    let path = line.split_whitespace().find(|w| w.starts_with("/dev/pts/")).expect("a name");
    let mut side = File::options().read(true).write(true).open(path).expect("opens");
    side.write_all(b"w").expect("typed");
    // Who is there before the guest is also gets the guest's first words, or their end.
    let (mut seen, mut byte) = (Vec::new(), [0]);
    while byte != *b"W" {
        side.read_exact(&mut byte).expect("an answer");
        seen.push(byte[0]);
    }
    assert!(b"guest up\nW".ends_with(&seen), "{}", String::from_utf8_lossy(&seen));
    side.write_all(b"x").expect("typed");
    assert_eq!(exit_code(&mut child), Some(42));
}

#[test]
fn a_serial_port_on_telnet_waits_for_its_peer() {
    use std::net::{TcpListener, TcpStream};
    // A port that was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    let peer: &'static str = Box::leak(format!("telnet:127.0.0.1:{port},server=on").into_boxed_str());
    let arguments = with(&["-serial", peer, "-display", "none"]);
    let mut child = start(command(&arguments).stdin(Stdio::null()).stdout(Stdio::null()));
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut stream = loop {
        match TcpStream::connect(("127.0.0.1", port)) {
            Ok(stream) => break stream,
            Err(e) => assert!(Instant::now() < deadline, "{e}"),
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
    // Negotiation, then the guest's first words: it did not start before.
    let mut bytes = [0; 6 + 9];
    stream.read_exact(&mut bytes).expect("a greeting");
    assert_eq!(bytes[..6], [255, 251, 1, 255, 251, 3]);
    assert_eq!(bytes[6..], *b"guest up\n");
    stream.write_all(&[255, 253, 1, b'm', 255, 243]).expect("typed");
    let mut answer = [0; 2];
    stream.read_exact(&mut answer).expect("an answer");
    answer.sort_unstable();
    assert_eq!(answer, *b"M~");
    stream.write_all(b"x").expect("typed");
    assert_eq!(exit_code(&mut child), Some(42));
}

#[test]
fn a_panic_restores_the_terminal() {
    let mut t = Terminal::start(&mut command(&with(&["-nographic"])));
    t.expect("guest up");
    t.send(b"p");
    t.expect("a defect of the toy");
    t.expect("internal error");
    assert_eq!(t.end(), 70);
    let mut t = Terminal::start(&mut command(&with(&["-nographic"])));
    t.expect("guest up");
    t.send(b"t");
    t.expect("a defect of another thread");
    assert_eq!(t.end(), 70);
    let mut t = Terminal::start(&mut command(&with(&["-nographic", "-name", "panic"])));
    t.expect("internal error");
    assert_eq!(t.end(), 70);
}

/// Feeds `input`, returns exit code, output and errors.
fn pipe(arguments: &[&str], input: &[u8]) -> (i32, String, String) {
    let mut child =
        start(command(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()));
    let mut stdin = child.stdin.take().expect("a pipe");
    let input = input.to_vec();
    let writer = std::thread::spawn(move || {
        let _ = stdin.write_all(&input);
        // The end of input must not end the run: closing happens while the guest goes on.
    });
    let mut stdout = child.stdout.take().expect("a pipe");
    let mut stderr = child.stderr.take().expect("a pipe");
    let errors = std::thread::spawn(move || {
        let mut text = String::new();
        let _ = stderr.read_to_string(&mut text);
        text
    });
    let reader = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = stdout.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    });
    let code = exit_code(&mut child).expect("an exit code");
    writer.join().expect("no panic");
    (code, reader.join().expect("no panic"), errors.join().expect("no panic"))
}

#[test]
fn guests_ends_have_their_codes() {
    assert_eq!(pipe(&with(&["-nographic"]), b"q").0, 0);
    assert_eq!(pipe(&with(&["-nographic"]), b"x").0, 42);
    let (code, _, errors) = pipe(&with(&["-nographic"]), b"v");
    assert_eq!(code, 7);
    assert!(errors.contains("lyrebird: guest cannot go on: vectors fault at 0x200"), "{errors}");
    let testdev =
        ["-device", "virtio-serial-device", "-chardev", "testdev,id=t", "-device", "virtconsole,chardev=t"];
    assert_eq!(pipe(&with(&[&testdev[..], &["-display", "none"]].concat()), b"").0, 7);
}

#[test]
fn bad_command_lines_have_their_codes() {
    for (arguments, code, word) in [
        (vec!["run", "-nosuch"], 2, "unknown option '-nosuch'"),
        (vec!["run"], 2, "nothing to run"),
        (vec!["run", "/nonexistent"], 3, "/nonexistent"),
        (vec!["run", "/"], 3, "directory"),
        (with(&["-M", "help"]), 0, ""),
        (with(&["-cpu", "host"]), 5, "-cpu host"),
        (with(&["-m", "2000T"]), 6, "the host cannot"),
        (with(&["-D", "/nonexistent/log", "-d", "int"]), 1, "/nonexistent/log"),
        (with(&["-serial", "file:/nonexistent/x"]), 1, "/nonexistent/x"),
        (with(&["-gdb", "tcp:192.0.2.1:1"]), 1, "-gdb tcp:192.0.2.1:1"),
    ] {
        let (got, _, errors) = pipe(&arguments, b"");
        assert_eq!(got, code, "{arguments:?}: {errors}");
        assert!(errors.contains(word), "{arguments:?}: {errors}");
        assert!(code == 0 || errors.starts_with("lyrebird: "), "{errors}");
        assert!(!errors.contains("panicked"), "{errors}");
    }
}

#[test]
fn much_output_arrives_whole_and_a_closed_pipe_stops_nobody() {
    let (code, out, _) = pipe(&with(&["-nographic"]), b"lq");
    assert_eq!(code, 0);
    assert!(out.contains(&"0123456789abcdef".repeat(64 << 10)), "{} bytes came", out.len());
    let mut child = start(command(&with(&["-nographic"])).stdin(Stdio::piped()).stdout(Stdio::piped()));
    // The harness prints first, and it minds.
    let mut stdout = child.stdout.take().expect("a pipe");
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).contains("guest up") {
        let mut byte = [0];
        stdout.read_exact(&mut byte).expect("output");
        seen.push(byte[0]);
    }
    drop(stdout);
    child.stdin.take().expect("a pipe").write_all(b"llllx").expect("typed");
    assert_eq!(exit_code(&mut child), Some(42));
}

#[test]
fn a_monitor_on_a_socket_serves_one_peer_after_another() {
    use std::os::unix::net::UnixStream;
    let path = std::env::temp_dir().join(format!("lyrebird-monitor-{}", std::process::id()));
    let monitor: &'static str =
        Box::leak(format!("unix:{},server=on,wait=off", path.display()).into_boxed_str());
    let arguments = with(&["-display", "none", "-monitor", monitor]);
    let mut child = start(command(&arguments).stdin(Stdio::null()).stdout(Stdio::null()));
    let connect = || {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            match UnixStream::connect(&path) {
                Ok(stream) => return stream,
                Err(e) => assert!(Instant::now() < deadline, "{e}"),
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    for round in 0..2 {
        let mut stream = connect();
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
        stream.write_all(b"info cpus\n").expect("typed");
        let mut text = String::new();
        let mut buffer = [0; 512];
        while !text.contains("* CPU #0: toy") {
            let count = stream.read(&mut buffer).expect("an answer");
            assert!(count > 0, "round {round}: closed after {text}");
            text.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
        assert!(text.contains("Lyrebird"), "round {round} is greeted: {text}");
    }
    connect().write_all(b"quit\n").expect("typed");
    assert_eq!(exit_code(&mut child), Some(0));
    let _ = std::fs::remove_file(&path);
}

#[test]
fn completions_and_pages_are_made() {
    let (code, out, _) = pipe(&["completions", "bash"], b"");
    assert!(code == 0 && out.contains("--nographic"));
    let (code, out, _) = pipe(&["man"], b"");
    assert!(code == 0 && out.contains(".TH lyrebird") && out.contains("kernel"));
    let (code, out, _) = pipe(&["doctor"], b"");
    assert!((code == 0 || code == 6) && out.contains("/dev/kvm"));
}
