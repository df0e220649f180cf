//! The human monitor: commands on a terminal, a socket, or through a debugger.
//!
//! A monitor has its own thread, so that a slow reader of its output or a long report holds nobody up. [`commands`]
//! and [`info`] are its vocabulary, [`session`] is its memory, [`editor`] its line.

pub mod commands;
pub mod editor;
pub mod expr;
pub mod format;
pub mod info;
pub mod seat;
pub mod session;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crossbeam::channel::{Receiver, Sender, bounded, select};
use lyrebird_devices::char::{CharPort, Chardev};
use lyrebird_machine::chardev::Backend;
use lyrebird_machine::control::{Control, Event, StopReason};

use crate::chardev::hub::User;
use crate::chardev::output::Output;
use editor::{Editor, Step};
use session::Session;

const PROMPT: &str = "(lyrebird) ";
/// How long output may wait for a reader who has stopped reading.
const PATIENCE: Duration = Duration::from_secs(5);
/// Pieces of input that wait at most.
const QUEUE: usize = 64;

/// What a monitor's thread hears from its line.
enum Input {
    Bytes(Vec<u8>),
    /// Somebody looks at the monitor now: a new connection, or the terminal was switched to it.
    Opened,
}

/// The line's end on the monitor's side.
struct Port(Sender<Input>);

impl CharPort for Port {
    fn can_receive(&self) -> usize {
        if self.0.is_full() { 0 } else { 4096 }
    }
    fn receive(&self, bytes: &[u8]) -> usize {
        match self.0.try_send(Input::Bytes(bytes.to_vec())) {
            Ok(()) => bytes.len(),
            Err(_) => 0,
        }
    }
    fn receive_break(&self) {}
    fn drain(&self) {}
}

/// Starts a monitor of `control` on `line`. With `greet` it shows its prompt at once, else when somebody looks.
pub fn start(line: Arc<User>, control: Arc<dyn Control>, greet: bool) -> io::Result<()> {
    let (tx, rx) = bounded(QUEUE);
    if greet {
        let _ = tx.try_send(Input::Opened);
    }
    let opened = tx.clone();
    line.on_open(move || {
        // A monitor that is this busy will print a prompt anyway.
        let _ = opened.try_send(Input::Opened);
    });
    line.connect(Arc::new(Port(tx)));
    let Some(output) = line.output() else { return Ok(()) };
    let events = control.subscribe();
    let mut monitor =
        Monitor { session: Session::new(control), editor: Editor::default(), output, greeted: false };
    std::thread::Builder::new().name("monitor".into()).spawn(move || monitor.run(&line, &rx, &events))?;
    Ok(())
}

struct Monitor {
    session: Session,
    editor: Editor,
    output: Arc<Output>,
    greeted: bool,
}

impl Monitor {
    fn run(&mut self, line: &User, input: &Receiver<Input>, events: &Receiver<Event>) {
        loop {
            select! {
                recv(input) -> message => match message {
                    Ok(Input::Bytes(bytes)) => {
                        self.greet();
                        for byte in bytes {
                            self.take(byte);
                        }
                        line.input_wanted();
                    }
                    Ok(Input::Opened) => {
                        self.greeted = false;
                        self.greet();
                    }
                    Err(_) => return,
                },
                recv(events) -> event => match event {
                    Ok(event) => self.tell(&event),
                    Err(_) => return,
                },
            }
        }
    }

    fn greet(&mut self) {
        if !std::mem::replace(&mut self.greeted, true) {
            let version = env!("CARGO_PKG_VERSION");
            self.print(&format!("Lyrebird {version} monitor: 'help' lists the commands\n"));
            self.print(&self.editor.redraw(PROMPT));
        }
    }

    fn take(&mut self, byte: u8) {
        match self.editor.take(byte) {
            Step::Echo(echo) => self.print(&echo),
            Step::Complete(line) => {
                let echo = self.editor.complete(&commands::candidates(&line), PROMPT);
                self.print(&echo);
            }
            Step::Line(line, echo) => {
                self.print(&echo);
                let answer = commands::execute(&mut self.session, &line);
                self.print(&answer);
                self.print(PROMPT);
                if let Some(refusal) = commands::resume(&mut self.session) {
                    self.remark(&refusal);
                }
            }
        }
    }

    /// Tells of stops that concern this monitor: its own breakpoints, and engines that gave up.
    fn tell(&self, event: &Event) {
        let Event::Stopped { cpu, reason } = event else { return };
        let own = match reason {
            StopReason::Breakpoint { id, .. } | StopReason::Watchpoint { id, .. } => {
                self.session.own.contains(id)
            }
            StopReason::Panic(_) => true,
            StopReason::Requested | StopReason::StepDone => false,
        };
        if own {
            self.remark(&format!("CPU {} stopped: {reason}\n", cpu.0));
        }
    }

    /// Says something in place of the line that is being edited, and shows that again below.
    fn remark(&self, text: &str) {
        self.print(&format!("\r\x1b[K{text}{}", self.editor.redraw(PROMPT)));
    }

    fn print(&self, text: &str) {
        if !text.is_empty() {
            self.output.push_waiting(text.replace('\n', "\r\n").as_bytes(), PATIENCE);
        }
    }
}

#[cfg(test)]
mod tests;
