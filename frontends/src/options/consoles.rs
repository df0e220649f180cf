//! `-chardev -serial -monitor -mon -nographic -display -nodefaults`: who speaks to whom.
//!
//! Without any of them, the first serial port and the monitor share the terminal, as with `-nographic`.

use std::path::PathBuf;

use lyrebird_machine::config::SerialPort;

use super::{Invocation, Stop, name_list};
use crate::cli::args::MachineArgs;
use crate::cli::keyval::KeyVals;
use crate::exit::{ExitClass, Failure};
use crate::suggest::hint;

/// A back end to open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChardevSpec {
    /// Unique.
    pub id: String,
    /// What it is.
    pub kind: ChardevKind,
    /// Whether several ports and a monitor may share it; Ctrl-A is then its escape key.
    pub mux: bool,
}

/// The kinds of back ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChardevKind {
    /// The program's standard input and output.
    Stdio {
        /// Whether Ctrl-C and its like end the program rather than reach the guest.
        signal: bool,
    },
    /// Output to a file.
    File {
        /// The file.
        path: PathBuf,
        /// Keep what is in it.
        append: bool,
    },
    /// Nothing.
    Null,
    /// A stream socket.
    Socket {
        /// Where.
        address: Address,
        /// Listen rather than connect.
        server: bool,
        /// Do not start the guest before somebody connected.
        wait: bool,
        /// Speak the telnet protocol.
        telnet: bool,
    },
    /// A new pseudo terminal, whose name is printed.
    Pty,
    /// Exit codes from the guest: `<code>q` ends the program.
    Testdev,
}

/// The address of a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// Host and port.
    Tcp(String, u16),
    /// A path.
    Unix(PathBuf),
}

/// Reads them all.
pub fn read(args: &MachineArgs, out: &mut Invocation) -> Result<(), Stop> {
    for text in &args.chardev {
        if text == "help" || text == "?" {
            return Err(Stop::Help(name_list("Back ends (-chardev)", KINDS.iter().copied())));
        }
        let spec = chardev(text)?;
        add(out, spec)?;
    }
    display(args, out)?;
    let mut shared_monitor = false;
    for (index, text) in args.serial.iter().enumerate() {
        let port = match text.as_str() {
            "none" => SerialPort::None,
            "null" => SerialPort::Null,
            peer => {
                let (peer, monitor) = match peer.strip_prefix("mon:") {
                    Some(peer) => (peer, true),
                    None => (peer, false),
                };
                let id = open("serial", peer, &format!("serial{index}"), monitor, out)?;
                if monitor {
                    shared_monitor = true;
                    monitor_on("serial", id.clone(), out)?;
                }
                SerialPort::Chardev(id)
            }
        };
        out.config.serials.push(port);
    }
    let mut named_monitor = false;
    for (index, text) in args.monitor.iter().enumerate() {
        named_monitor = true;
        if text != "none" && text != "null" {
            let id = open("monitor", text, &format!("monitor{index}"), false, out)?;
            monitor_on("monitor", id, out)?;
        }
    }
    for text in &args.mon {
        named_monitor = true;
        let mut kv = KeyVals::parse("mon", text, Some("chardev"))?;
        let id = kv.take("chardev").ok_or_else(|| kv.missing("chardev"))?;
        kv.take_enum("mode", &[("readline", ())])?;
        kv.finish()?;
        let id = existing("mon", &id, out)?;
        monitor_on("mon", id, out)?;
    }
    defaults(args, shared_monitor || named_monitor, out)?;
    one_owner(out)
}

const KINDS: &[(&str, &str)] = &[
    ("stdio", "this terminal: mux=on|off, signal=on|off"),
    ("file", "output to a file: path=FILE, append=on|off"),
    ("null", "nothing"),
    ("socket", "host=,port= or path=; server=on|off, wait=on|off, telnet=on|off"),
    ("pty", "a new pseudo terminal, whose name is printed"),
    ("testdev", "exit codes from the guest, for test suites: '<code>q'"),
];

const DISPLAYS: &[(&str, &str)] = &[
    ("none", "no display"),
    ("curses", "a PC's text screen on this terminal; Ctrl-A c switches to the monitor, Ctrl-A x quits"),
];

/// `-display`: the view of the screen takes the terminal, and a monitor may share it.
fn display(args: &MachineArgs, out: &mut Invocation) -> Result<(), Stop> {
    match args.display.as_deref() {
        None | Some("none") => Ok(()),
        Some("help" | "?") => Err(Stop::Help(name_list("Displays (-display)", DISPLAYS.iter().copied()))),
        Some("curses") if args.nographic => Err(Failure::new(
            ExitClass::Impossible,
            "-nographic -display curses: each takes the terminal; leave one of them out",
        )
        .into()),
        Some("curses") => {
            let id = "display".to_owned();
            add(out, ChardevSpec { id: id.clone(), kind: ChardevKind::Stdio { signal: false }, mux: true })?;
            out.view = Some(id);
            Ok(())
        }
        Some(other) => {
            let names: Vec<&str> = DISPLAYS.iter().map(|d| d.0).collect();
            let message = format!(
                "-display {other}: not available{}; use one of {}",
                hint(other, names.clone()),
                names.join(", ")
            );
            Err(Failure::usage(message).into())
        }
    }
}

/// One `-chardev`.
fn chardev(text: &str) -> Result<ChardevSpec, Failure> {
    let mut kv = KeyVals::parse("chardev", text, Some("backend"))?;
    let name = kv.take("backend").ok_or_else(|| kv.missing("backend"))?;
    let id = kv.take("id").ok_or_else(|| kv.missing("id"))?;
    let mux = kv.take_bool("mux")?.unwrap_or(false);
    let kind = match name.as_str() {
        "stdio" => ChardevKind::Stdio { signal: kv.take_bool("signal")?.unwrap_or(!mux) },
        "file" => {
            let path = kv.take("path").ok_or_else(|| kv.missing("path"))?;
            ChardevKind::File { path: path.into(), append: kv.take_bool("append")?.unwrap_or(false) }
        }
        "null" => ChardevKind::Null,
        "pty" => ChardevKind::Pty,
        "testdev" => ChardevKind::Testdev,
        "socket" => {
            let address = match (kv.take("path"), kv.take("host"), kv.take("port")) {
                (Some(path), None, None) => Address::Unix(path.into()),
                (None, host, Some(port)) => {
                    let number = port.parse().map_err(|_| kv.bad("port", &port, "use 0 to 65535"))?;
                    Address::Tcp(host.unwrap_or_default(), number)
                }
                _ => {
                    return Err(Failure::usage(format!(
                        "-chardev {text}: give either path= or host= and port="
                    )));
                }
            };
            socket(&mut kv, address)?
        }
        _ => {
            let names: Vec<&str> = KINDS.iter().map(|k| k.0).collect();
            return Err(Failure::usage(format!(
                "-chardev {name}: no such back end{}\nvalid here: {}",
                hint(&name, names.iter().copied()),
                names.join(", ")
            )));
        }
    };
    kv.finish()?;
    Ok(ChardevSpec { id, kind, mux })
}

fn socket(kv: &mut KeyVals, address: Address) -> Result<ChardevKind, Failure> {
    let server = kv.take_bool("server")?.unwrap_or(false);
    let wait = kv.take_bool("wait")?.unwrap_or(server);
    let telnet = kv.take_bool("telnet")?.unwrap_or(false);
    for harmless in ["delay", "nodelay", "ipv4", "ipv6"] {
        kv.take_bool(harmless)?;
    }
    Ok(ChardevKind::Socket { address, server, wait, telnet })
}

/// The chardev that a peer like `stdio` or `tcp:host:port,server` names: an old one, or a new one called `id`.
fn open(
    option: &'static str,
    peer: &str,
    id: &str,
    mux: bool,
    out: &mut Invocation,
) -> Result<String, Failure> {
    if let Some(id) = peer.strip_prefix("chardev:") {
        return existing(option, id, out);
    }
    let (word, rest) = peer.split_once(':').unwrap_or((peer, ""));
    let kind = match word {
        "stdio" => ChardevKind::Stdio { signal: !mux },
        "null" => ChardevKind::Null,
        "pty" => ChardevKind::Pty,
        "file" if !rest.is_empty() => ChardevKind::File { path: rest.into(), append: false },
        "unix" | "tcp" | "telnet" if !rest.is_empty() => {
            let mut kv = KeyVals::parse(option, rest, Some("address"))?;
            let text = kv.take("address").unwrap_or_default();
            let address = match word {
                "unix" => Address::Unix(text.into()),
                _ => {
                    let split =
                        text.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
                    let (host, port) = split.ok_or_else(|| {
                        Failure::usage(format!("-{option} {peer}: bad address; use {word}:HOST:PORT"))
                    })?;
                    Address::Tcp(host.trim_matches(['[', ']']).to_owned(), port)
                }
            };
            let mut kind = socket(&mut kv, address)?;
            kv.finish()?;
            if let ChardevKind::Socket { telnet, .. } = &mut kind {
                *telnet |= word == "telnet";
            }
            kind
        }
        "vc" => {
            out.warnings.push(format!("-{option} {peer}: there is no display; nothing is shown"));
            ChardevKind::Null
        }
        _ => {
            let words = ["stdio", "mon:stdio", "null", "none", "pty"];
            return Err(Failure::usage(format!(
                "-{option} {peer}: unknown peer{}\nvalid here: stdio, mon:PEER, null, none, pty, file:PATH, \
                 unix:PATH[,server=on], tcp:HOST:PORT[,server=on], telnet:HOST:PORT,server=on, chardev:ID",
                hint(peer, words)
            )));
        }
    };
    add(out, ChardevSpec { id: id.to_owned(), kind, mux })?;
    Ok(id.to_owned())
}

fn existing(option: &str, id: &str, out: &Invocation) -> Result<String, Failure> {
    if out.chardevs.iter().any(|c| c.id == id) {
        return Ok(id.to_owned());
    }
    let ids: Vec<&str> = out.chardevs.iter().map(|c| c.id.as_str()).collect();
    let list =
        if ids.is_empty() { "none is defined".to_owned() } else { format!("there are: {}", ids.join(", ")) };
    Err(Failure::usage(format!(
        "-{option} chardev:{id}: no -chardev of this id{}; {list}",
        hint(id, ids.iter().copied())
    )))
}

fn add(out: &mut Invocation, spec: ChardevSpec) -> Result<(), Failure> {
    if out.chardevs.iter().any(|c| c.id == spec.id) {
        return Err(Failure::usage(format!("-chardev id={}: this id is taken by another chardev", spec.id)));
    }
    let is_stdio = |s: &ChardevSpec| matches!(s.kind, ChardevKind::Stdio { .. });
    if is_stdio(&spec) && out.chardevs.iter().any(is_stdio) {
        return Err(Failure::new(
            ExitClass::Impossible,
            "the terminal can have one owner only: let serial port and monitor share it with -serial mon:stdio, \
             or with -chardev stdio,id=t,mux=on -serial chardev:t -mon t",
        ));
    }
    out.chardevs.push(spec);
    Ok(())
}

fn monitor_on(option: &str, id: String, out: &mut Invocation) -> Result<(), Failure> {
    if out.monitors.contains(&id) {
        return Err(Failure::usage(format!("-{option}: chardev '{id}' has a monitor already")));
    }
    out.monitors.push(id);
    Ok(())
}

/// What is there if nothing else was said.
fn defaults(args: &MachineArgs, has_monitor: bool, out: &mut Invocation) -> Result<(), Failure> {
    if args.nodefaults {
        return Ok(());
    }
    if let Some(id) = out.view.clone()
        && !has_monitor
    {
        monitor_on("display", id, out)?;
    }
    let on_terminal = args.nographic || args.display.is_none();
    let stdio = out.chardevs.iter().position(|c| matches!(c.kind, ChardevKind::Stdio { .. }));
    match (stdio, args.serial.is_empty(), has_monitor) {
        _ if !on_terminal => {}
        (None, true, _) => {
            let id = open("serial", "stdio", "serial0", !has_monitor, out)?;
            out.config.serials.push(SerialPort::Chardev(id.clone()));
            if !has_monitor {
                monitor_on("serial", id, out)?;
            }
        }
        (None, false, false) if args.nographic => {
            let id = open("monitor", "stdio", "monitor0", false, out)?;
            monitor_on("monitor", id, out)?;
        }
        (Some(index), _, false) if args.nographic => {
            // With -nographic, Ctrl-A reaches the monitor even if `-serial stdio` took the terminal.
            if let Some(spec) = out.chardevs.get_mut(index) {
                spec.mux = true;
                spec.kind = ChardevKind::Stdio { signal: false };
                let id = spec.id.clone();
                monitor_on("serial", id, out)?;
            }
        }
        _ => {}
    }
    if out.config.serials.is_empty() {
        out.config.serials.push(SerialPort::Null);
    }
    Ok(())
}

/// A chardev without mux has one user.
fn one_owner(out: &Invocation) -> Result<(), Stop> {
    for spec in out.chardevs.iter().filter(|c| !c.mux) {
        let serials = out
            .config
            .serials
            .iter()
            .filter(|s| matches!(s, SerialPort::Chardev(id) if *id == spec.id))
            .count();
        let ports = out
            .config
            .devices
            .iter()
            .filter(|d| {
                matches!(d, lyrebird_machine::config::DeviceConfig::VirtPort { chardev: Some(id), .. } if *id == spec.id)
            })
            .count();
        let monitors = out.monitors.iter().filter(|id| **id == spec.id).count();
        if serials + ports + monitors > 1 {
            return Err(Failure::new(
                ExitClass::Impossible,
                format!(
                    "chardev '{}' has {} users; add mux=on to share it",
                    spec.id,
                    serials + ports + monitors
                ),
            )
            .into());
        }
    }
    Ok(())
}
