//! One open back end and its users: whose input it is, and the escape key of a shared terminal.
//!
//! A hub with `mux` watches for Ctrl-A, which begins a command of the terminal's own; the others pass every byte.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Instant;

use lyrebird_devices::char::{CharPort, Chardev};
use lyrebird_machine::chardev::Backend;
use lyrebird_machine::control::Control;
use parking_lot::Mutex;
use rustix::event::{EventfdFlags, eventfd};

use super::output::Output;

/// Ctrl-A: the escape key.
pub const ESCAPE: u8 = 1;
/// Input that waits for one user at most; beyond it the source is not read.
const QUEUE: usize = 16 << 10;

const HELP: &[u8] = b"\r\n\
    C-a h    this list\r\n\
    C-a x    quit\r\n\
    C-a c    switch between console and monitor\r\n\
    C-a b    send a break\r\n\
    C-a t    timestamps on and off\r\n\
    C-a s    (nothing to save: images are written as the guest writes them)\r\n\
    C-a C-a  send C-a\r\n";

/// An open back end.
pub struct Hub {
    mux: bool,
    output: Arc<Output>,
    state: Mutex<State>,
    waker: OwnedFd,
    control: OnceLock<Arc<dyn Control>>,
    started: Instant,
    this: Weak<Hub>,
}

#[derive(Default)]
struct State {
    users: Vec<Arc<User>>,
    focus: usize,
    /// Ctrl-A was the last byte.
    escape: bool,
    timestamps: bool,
    /// The machine was asked to end.
    quitting: bool,
    /// Somebody looked before the user who has the focus could be told.
    unseen: bool,
    /// The cursor is at the start of a line: the next byte is preceded by a timestamp.
    line_start: bool,
}

/// One user of a hub: a serial port or a monitor.
pub struct User {
    name: String,
    hub: Weak<Hub>,
    queue: Mutex<VecDeque<u8>>,
    port: Mutex<Option<Arc<dyn CharPort>>>,
    opened: OnceLock<Box<dyn Fn() + Send + Sync>>,
    left: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

impl Hub {
    /// A hub that writes to `sink`.
    pub fn new(name: &str, mux: bool, sink: Option<Arc<std::fs::File>>) -> io::Result<Arc<Self>> {
        let waker = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        // The writer's thread outlives this function and must reach a hub that does not exist yet.
        let place: Arc<OnceLock<Weak<Hub>>> = Arc::default();
        let late = place.clone();
        let output = Output::start(name, sink, move || {
            if let Some(hub) = late.get().and_then(Weak::upgrade) {
                hub.drain();
            }
        })?;
        let hub = Arc::new_cyclic(|this| Self {
            mux,
            output,
            state: Mutex::new(State { line_start: true, ..State::default() }),
            waker,
            control: OnceLock::new(),
            started: Instant::now(),
            this: this.clone(),
        });
        let _ = place.set(Arc::downgrade(&hub));
        Ok(hub)
    }

    /// The queue to the outside.
    pub fn output(&self) -> &Arc<Output> {
        &self.output
    }

    /// Says which machine the escape commands act on. All users are there now: from here on the source is read, so that
    /// what was typed ahead reaches whom it was switched to.
    pub fn set_control(&self, control: Arc<dyn Control>) {
        let _ = self.control.set(control);
        self.wake();
    }

    /// A new user. The first one has the focus.
    pub fn plug(&self, name: &str) -> Arc<User> {
        let user = Arc::new(User {
            name: name.to_owned(),
            hub: self.this.clone(),
            queue: Mutex::default(),
            port: Mutex::default(),
            opened: OnceLock::new(),
            left: OnceLock::new(),
        });
        self.state.lock().users.push(user.clone());
        self.wake();
        user
    }

    /// Readable when there is something to do for whoever polls the source: a user wants input.
    pub fn waker(&self) -> BorrowedFd<'_> {
        self.waker.as_fd()
    }

    /// Makes [`Self::waker`] readable.
    pub fn wake(&self) {
        // The counter cannot overflow in any run, and a full one is readable as well.
        let _ = rustix::io::write(&self.waker, &1u64.to_ne_bytes());
    }

    /// Takes notice of [`Self::waker`].
    pub fn woken(&self) {
        let _ = rustix::io::read(&self.waker, &mut [0u8; 8]);
    }

    /// Whether the source should be read: not before there are all whom the bytes may be for.
    pub fn wants_input(&self) -> bool {
        let state = self.state.lock();
        self.control.get().is_some()
            && state.users.get(state.focus).is_some_and(|user| user.queue.lock().len() < QUEUE)
    }

    /// Takes bytes from the source; called by its thread only, followed by [`Self::feed`].
    pub fn input(&self, bytes: &[u8]) {
        for &byte in bytes {
            let escaped = {
                let mut state = self.state.lock();
                if self.mux && !state.escape && byte == ESCAPE {
                    state.escape = true;
                    continue;
                }
                std::mem::take(&mut state.escape)
            };
            if escaped && byte != ESCAPE {
                // What was typed before the command comes before it.
                self.feed();
                self.command(byte);
            } else if let Some(user) = self.focus() {
                let mut queue = user.queue.lock();
                if queue.len() < QUEUE + 4096 {
                    queue.push_back(byte);
                }
            }
        }
    }

    /// Passes waiting input on as far as users have room.
    pub fn feed(&self) {
        let users = self.state.lock().users.clone();
        for user in users {
            user.feed();
        }
    }

    /// A break condition from the source, for whoever has the focus.
    pub fn send_break(&self) {
        let port = self.focus().and_then(|user| user.port.lock().clone());
        if let Some(port) = port {
            port.receive_break();
        }
    }

    /// Somebody new looks at the back end: tells the user who has the focus.
    pub fn opened(&self) {
        let mut state = self.state.lock();
        let user = state.users.get(state.focus).cloned();
        let tell = user.as_ref().and_then(|user| user.opened.get());
        state.unseen = tell.is_none();
        drop(state);
        if let Some(tell) = tell {
            tell();
        }
    }

    fn focus(&self) -> Option<Arc<User>> {
        let state = self.state.lock();
        state.users.get(state.focus).cloned()
    }

    fn drain(&self) {
        let users = self.state.lock().users.clone();
        for user in users {
            let port = user.port.lock().clone();
            if let Some(port) = port {
                port.drain();
            }
        }
    }

    /// A message of the terminal's own.
    fn say(&self, user: Option<Arc<User>>, text: &[u8]) {
        if let Some(leave) = user.as_ref().and_then(|user| user.left.get()) {
            leave();
        }
        self.output.push(text);
    }

    /// A command of the escape key.
    fn command(&self, byte: u8) {
        let user = self.focus();
        match byte {
            b'h' | b'?' => self.say(user, HELP),
            b'x' => {
                self.say(user, b"\r\nlyrebird: quit by C-a x\r\n");
                let asked = std::mem::replace(&mut self.state.lock().quitting, true);
                match self.control.get() {
                    Some(control) if !asked => control.quit(0),
                    // Somebody insists.
                    _ => crate::term::exit_now(0),
                }
            }
            b'c' => {
                let name = {
                    let mut state = self.state.lock();
                    state.focus = (state.focus + 1) % state.users.len().max(1);
                    state.users.get(state.focus).map(|user| (user.name.clone(), state.users.len()))
                };
                match name {
                    Some((_, 1)) | None => self.say(user, b"\r\n[there is nothing to switch to]\r\n"),
                    Some((name, _)) => {
                        self.say(user, format!("\r\n[{name}]\r\n").as_bytes());
                        self.opened();
                    }
                }
            }
            b'b' => self.send_break(),
            b't' => {
                let mut state = self.state.lock();
                state.timestamps = !state.timestamps;
                state.line_start = true;
            }
            b's' => self.say(user, b"\r\n[images are written as the guest writes them]\r\n"),
            _ => self.say(user, b"\r\n[unknown key; C-a h lists them]\r\n"),
        }
    }

    /// Sends a user's output, with timestamps if they are on.
    fn write(&self, bytes: &[u8]) -> usize {
        if !self.mux {
            return self.output.push(bytes);
        }
        let mut state = self.state.lock();
        if !state.timestamps {
            let count = self.output.push(bytes);
            if let Some(last) = bytes.get(..count).and_then(|sent| sent.last()) {
                state.line_start = *last == b'\n';
            }
            return count;
        }
        let mut text = Vec::with_capacity(bytes.len() + 16);
        let mut line_start = state.line_start;
        for &byte in bytes {
            if line_start {
                let t = self.started.elapsed();
                let s = t.as_secs();
                let stamp =
                    format!("[{:02}:{:02}:{:02}.{:03}] ", s / 3600, s / 60 % 60, s % 60, t.subsec_millis());
                text.extend_from_slice(stamp.as_bytes());
            }
            text.push(byte);
            line_start = byte == b'\n';
        }
        if self.output.push_whole(&text) {
            state.line_start = line_start;
            return bytes.len();
        }
        0
    }
}

impl User {
    fn feed(&self) {
        let Some(port) = self.port.lock().clone() else { return };
        loop {
            let room = port.can_receive();
            // The queue's lock is not held while the port takes the device's.
            let chunk: Vec<u8> = self.queue.lock().iter().take(room).copied().collect();
            if chunk.is_empty() {
                return;
            }
            let taken = port.receive(&chunk);
            self.queue.lock().drain(..taken.min(chunk.len()));
            if taken == 0 {
                return;
            }
        }
    }

    /// Says whom to tell when somebody new looks: a connection, or the terminal switched to this user. Who looks
    /// already counts.
    pub fn on_open(&self, tell: impl Fn() + Send + Sync + 'static) {
        let _ = self.opened.set(Box::new(tell));
        let Some(hub) = self.hub.upgrade() else { return };
        let mut state = hub.state.lock();
        let mine = state.users.get(state.focus).is_some_and(|user| std::ptr::eq(&raw const **user, self));
        let looks = mine && std::mem::take(&mut state.unseen);
        drop(state);
        if looks && let Some(tell) = self.opened.get() {
            tell();
        }
    }

    /// Says what is to be done before the terminal shows anything but this user's output: a message, or another user's.
    pub fn on_leave(&self, leave: impl Fn() + Send + Sync + 'static) {
        let _ = self.left.set(Box::new(leave));
    }

    /// Whether input is for this user.
    pub fn has_focus(&self) -> bool {
        let focus = self.hub.upgrade().and_then(|hub| hub.focus());
        focus.is_some_and(|user| std::ptr::eq(&raw const *user, self))
    }

    /// The hub's output, for a user that may wait.
    pub fn output(&self) -> Option<Arc<Output>> {
        self.hub.upgrade().map(|hub| hub.output.clone())
    }
}

impl Chardev for User {
    fn write(&self, bytes: &[u8]) -> usize {
        self.hub.upgrade().map_or(bytes.len(), |hub| hub.write(bytes))
    }

    fn input_wanted(&self) {
        if let Some(hub) = self.hub.upgrade() {
            hub.wake();
        }
    }
}

impl Backend for User {
    fn connect(&self, port: Arc<dyn CharPort>) {
        *self.port.lock() = Some(port);
        self.input_wanted();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::time::Duration;

    /// A port that keeps what it gets, with room for so much.
    #[derive(Default)]
    struct Port {
        got: Mutex<Vec<u8>>,
        room: usize,
        breaks: Mutex<usize>,
    }

    impl CharPort for Port {
        fn can_receive(&self) -> usize {
            self.room.saturating_sub(self.got.lock().len())
        }
        fn receive(&self, bytes: &[u8]) -> usize {
            let count = bytes.len().min(self.can_receive());
            self.got.lock().extend(&bytes[..count]);
            count
        }
        fn receive_break(&self) {
            *self.breaks.lock() += 1;
        }
        fn drain(&self) {}
    }

    fn port(room: usize) -> Arc<Port> {
        Arc::new(Port { room, ..Port::default() })
    }

    fn hub(mux: bool) -> (Arc<Hub>, std::fs::File) {
        let (reader, writer) = rustix::pipe::pipe().expect("a pipe");
        let hub = Hub::new("t", mux, Some(Arc::new(std::fs::File::from(writer)))).expect("starts");
        (hub, std::fs::File::from(reader))
    }

    fn type_in(hub: &Hub, bytes: &[u8]) {
        hub.input(bytes);
        hub.feed();
    }

    #[test]
    fn the_escape_key_switches_and_doubles() {
        let (hub, _out) = hub(true);
        let (serial, monitor) = (port(100), port(100));
        hub.plug("serial0").connect(serial.clone());
        hub.plug("monitor").connect(monitor.clone());
        type_in(&hub, b"ab\x01\x01c\x01cinfo\x01cd\x01b");
        assert_eq!(*serial.got.lock(), b"ab\x01cd");
        assert_eq!(*monitor.got.lock(), b"info");
        assert_eq!(*serial.breaks.lock(), 1);
    }

    #[test]
    fn without_mux_every_byte_passes() {
        let (hub, _out) = hub(false);
        let serial = port(100);
        hub.plug("serial0").connect(serial.clone());
        type_in(&hub, b"\x01x\x03");
        assert_eq!(*serial.got.lock(), b"\x01x\x03");
    }

    #[test]
    fn input_waits_for_room_and_is_bounded() {
        let (hub, _out) = hub(false);
        let small = port(3);
        let user = hub.plug("serial0");
        assert!(!hub.wants_input(), "others may come");
        hub.set_control(crate::mock::Mock::new());
        assert!(hub.wants_input());
        type_in(&hub, b"early");
        user.connect(small.clone());
        hub.feed();
        assert_eq!(*small.got.lock(), b"ear");
        small.got.lock().clear();
        hub.feed();
        assert_eq!(*small.got.lock(), b"ly");
        while hub.wants_input() {
            hub.input(&[b'x'; 1000]);
        }
        assert!(user.queue.lock().len() <= QUEUE + 4096);
    }

    #[test]
    fn timestamps_precede_lines() {
        let (hub, mut out) = hub(true);
        let user = hub.plug("serial0");
        type_in(&hub, b"\x01t");
        assert_eq!(user.write(b"a\nb\n"), 4);
        hub.output().flush(Duration::from_secs(5));
        let mut text = vec![0; 2 * 15 + 4];
        out.read_exact(&mut text).expect("the lines");
        let text = String::from_utf8(text).expect("text");
        assert!(text.starts_with("[00:00:") && text.contains("] a\n[") && text.ends_with("] b\n"), "{text}");
    }

    #[test]
    fn who_looks_before_the_user_is_there_is_seen() {
        let (hub, _reader) = hub(false);
        hub.opened();
        let user = hub.plug("monitor");
        let told = Arc::new(Mutex::new(0));
        let count = Arc::clone(&told);
        user.on_open(move || *count.lock() += 1);
        assert_eq!(*told.lock(), 1);
        hub.opened();
        assert_eq!(*told.lock(), 2);
    }
}
