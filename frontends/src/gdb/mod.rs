//! The GDB server: remote serial protocol through the gdbstub crate, on TCP or a Unix socket.
//!
//! One debugger at a time. Connecting stops the guest; detaching lets it run; a connection that is lost leaves it as
//! it is, so that one can connect again. Left out: non-stop mode, reverse execution, physical memory mode.

pub mod arch;
pub mod target;
pub mod xml;

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::time::Duration;

use crossbeam::channel::{Receiver, bounded, select};
use gdbstub::conn::Connection;
use gdbstub::stub::state_machine::GdbStubStateMachine;
use gdbstub::stub::{DisconnectReason, GdbStub, MultiThreadStopReason};
use lyrebird_machine::config::GdbListen;
use lyrebird_machine::control::{Control, Event, wait_for_stop};
use parking_lot::{Condvar, Mutex};

use crate::chardev::socket::remove_stale;
use target::Debuggee;

/// Bytes of a packet at most: decides how much memory a debugger reads at once.
const PACKET: usize = 16 << 10;
/// How long the guest may take to stop when a debugger connects.
const STOP_TIME: Duration = Duration::from_secs(10);

/// An address for people.
pub fn describe(listen: &GdbListen) -> String {
    match listen {
        GdbListen::Tcp(address) => format!("tcp:{address}"),
        GdbListen::Unix(path) => format!("unix:{}", path.display()),
    }
}

/// A listening server.
pub struct Server {
    /// The TCP port, if there is one.
    pub port: Option<u16>,
    busy: Arc<Busy>,
}

/// Whether a debugger is connected.
#[derive(Default)]
struct Busy {
    connected: Mutex<bool>,
    changed: Condvar,
}

impl Busy {
    fn set(&self, connected: bool) {
        *self.connected.lock() = connected;
        self.changed.notify_all();
    }
}

impl Server {
    /// After the machine's end: gives a connected debugger the time to hear of it.
    pub fn finish(&self, patience: Duration) {
        let mut connected = self.busy.connected.lock();
        if *connected {
            self.busy.changed.wait_for(&mut connected, patience);
        }
    }
}

/// Listens and starts the thread that serves debuggers one after another.
pub fn start(listen: &GdbListen, control: Arc<dyn Control>) -> io::Result<Server> {
    let thread = std::thread::Builder::new().name("gdb".into());
    let busy: Arc<Busy> = Arc::default();
    let told = busy.clone();
    let port = match listen {
        GdbListen::Tcp(address) => {
            let listener = TcpListener::bind(address)?;
            let port = listener.local_addr()?.port();
            thread.spawn(move || {
                for stream in listener.incoming().flatten() {
                    let _ = stream.set_nodelay(true);
                    told.set(true);
                    if let Ok(reader) = stream.try_clone() {
                        serve(reader, stream, &control);
                    }
                    told.set(false);
                }
            })?;
            Some(port)
        }
        GdbListen::Unix(path) => {
            remove_stale(path);
            let listener = UnixListener::bind(path)?;
            thread.spawn(move || {
                for stream in listener.incoming().flatten() {
                    told.set(true);
                    if let Ok(reader) = stream.try_clone() {
                        serve(reader, stream, &control);
                    }
                    told.set(false);
                }
            })?;
            None
        }
    };
    Ok(Server { port, busy })
}

/// A connection that sends whole packets.
struct Wire<W> {
    stream: W,
    pending: Vec<u8>,
}

impl<W: Write> Connection for Wire<W> {
    type Error = io::Error;

    fn write(&mut self, byte: u8) -> io::Result<()> {
        self.pending.push(byte);
        Ok(())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.pending.extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.write_all(&self.pending)?;
        self.pending.clear();
        self.stream.flush()
    }
}

/// Why a session ended.
enum End {
    /// Detached: the guest goes on.
    Detached,
    /// The debugger killed the machine.
    Killed,
    /// The connection or the machine is gone.
    Lost,
}

fn serve(mut reader: impl Read + Send + 'static, stream: impl Write, control: &Arc<dyn Control>) {
    let (tx, bytes) = bounded::<Vec<u8>>(16);
    let spawned = std::thread::Builder::new().name("gdb-in".into()).spawn(move || {
        let mut buffer = [0; 4096];
        loop {
            match reader.read(&mut buffer) {
                Ok(count) if count > 0 => {
                    if tx.send(buffer[..count].to_vec()).is_err() {
                        return;
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                _ => return,
            }
        }
    });
    if let Err(e) = spawned {
        log::warn!("gdb: no thread for the connection: {e}");
        return;
    }
    let mut debuggee = Debuggee::new(control.clone());
    if control.status().is_running() {
        control.pause();
        // A guest that is at its end instead is reported by the first resume.
        let _ = wait_for_stop(&debuggee.events, STOP_TIME);
    }
    let end = session(Wire { stream, pending: Vec::new() }, &bytes, &mut debuggee, control.as_ref());
    debuggee.clear();
    match end {
        Ok(End::Detached) => {
            // At its end there is nothing to resume.
            let _ = control.resume();
        }
        Ok(End::Killed) => control.quit(0),
        Ok(End::Lost) => {}
        Err(why) => log::warn!("gdb: {why}"),
    }
}

/// Bytes from the debugger, in pieces as they come.
struct Incoming<'a> {
    chunks: &'a Receiver<Vec<u8>>,
    pending: VecDeque<u8>,
}

/// What a running guest's session hears next.
enum Heard {
    Byte(u8),
    Event(Event),
    Nothing,
}

impl Incoming<'_> {
    /// The next byte; `None` when the connection is gone.
    fn byte(&mut self) -> Option<u8> {
        if self.pending.is_empty() {
            self.pending.extend(self.chunks.recv().ok()?);
        }
        self.pending.pop_front()
    }

    /// The next byte or event.
    fn byte_or_event(&mut self, events: &Receiver<Event>) -> Heard {
        if let Some(byte) = self.pending.pop_front() {
            return Heard::Byte(byte);
        }
        select! {
            recv(self.chunks) -> chunk => {
                self.pending.extend(chunk.unwrap_or_default());
                self.pending.pop_front().map_or(Heard::Nothing, Heard::Byte)
            }
            recv(events) -> event => event.map_or(Heard::Nothing, Heard::Event),
        }
    }
}

fn session<W: Write>(
    wire: Wire<W>,
    chunks: &Receiver<Vec<u8>>,
    debuggee: &mut Debuggee,
    control: &dyn Control,
) -> Result<End, String> {
    let mut incoming = Incoming { chunks, pending: VecDeque::new() };
    let stub = GdbStub::builder(wire).packet_buffer_size(PACKET).build().map_err(|e| e.to_string())?;
    let mut gdb = stub.run_state_machine(debuggee).map_err(|e| e.to_string())?;
    loop {
        let next = match gdb {
            GdbStubStateMachine::Idle(inner) => match incoming.byte() {
                Some(byte) => inner.incoming_data(debuggee, byte),
                None => return Ok(End::Lost),
            },
            GdbStubStateMachine::Running(inner) => {
                let heard = match debuggee.refused.take() {
                    Some(event) => Heard::Event(event),
                    None => incoming.byte_or_event(&debuggee.events),
                };
                match heard {
                    Heard::Byte(byte) => inner.incoming_data(debuggee, byte),
                    Heard::Event(event) => match debuggee.stop_reason(&event) {
                        Some(reason) => inner.report_stop(debuggee, reason),
                        None => Ok(inner.into()),
                    },
                    Heard::Nothing => return Ok(End::Lost),
                }
            }
            GdbStubStateMachine::CtrlCInterrupt(inner) => {
                // The stop itself is reported when the machine tells of it.
                control.pause();
                inner.interrupt_handled(debuggee, None::<MultiThreadStopReason<u64>>)
            }
            GdbStubStateMachine::Disconnected(inner) => {
                return Ok(match inner.get_reason() {
                    DisconnectReason::Disconnect => End::Detached,
                    DisconnectReason::Kill => End::Killed,
                    DisconnectReason::TargetExited(_) | DisconnectReason::TargetTerminated(_) => End::Lost,
                });
            }
        };
        gdb = next.map_err(|e| e.to_string())?;
    }
}
