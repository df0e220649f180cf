//! Output that never blocks the machine: a bounded queue and a thread that empties it.
//!
//! When the queue is full the device keeps its bytes and is told once there is room again, so that nothing is lost to
//! a slow reader; without a reader at all (no connection, closed pipe) output is discarded. The kernel would keep what
//! is written to a pseudo terminal that nobody has open, and block once that is much: a terminal is asked first.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Bytes that wait at most.
const CAPACITY: usize = 64 << 10;
/// Bytes that are written at once.
const CHUNK: usize = 16 << 10;

/// Where a back end's output goes.
pub struct Output {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    bytes: VecDeque<u8>,
    sink: Option<Arc<File>>,
    /// The sink is a pseudo terminal, which may be left and opened again.
    terminal: bool,
    /// Bytes were refused and whoever sent them waits for room.
    refused: bool,
    /// The writer has taken bytes that are not out yet.
    writing: bool,
    closed: bool,
}

impl Output {
    /// A queue that is emptied into `sink`. `on_room` is called, without locks held, after a refusal.
    pub fn start(
        name: &str,
        sink: Option<Arc<File>>,
        on_room: impl Fn() + Send + 'static,
    ) -> io::Result<Arc<Self>> {
        let output = Arc::new(Self { state: Mutex::default(), changed: Condvar::new() });
        output.state.lock().sink = sink;
        let writer = output.clone();
        std::thread::Builder::new().name(format!("out-{name}")).spawn(move || writer.run(&on_room))?;
        Ok(output)
    }

    /// Replaces the sink; `None` discards from now on.
    pub fn set_sink(&self, sink: Option<Arc<File>>) {
        self.state.lock().sink = sink;
    }

    /// Makes the master of a pseudo terminal, which must not block, the sink for good.
    pub fn set_terminal(&self, master: Arc<File>) {
        let mut state = self.state.lock();
        (state.sink, state.terminal) = (Some(master), true);
    }

    /// Queues what there is room for and says how much that was. Never blocks.
    pub fn push(&self, bytes: &[u8]) -> usize {
        let mut state = self.state.lock();
        let count = bytes.len().min(CAPACITY - state.bytes.len().min(CAPACITY));
        state.refused |= count < bytes.len();
        self.put(&mut state, &bytes[..count]);
        count
    }

    /// Queues all or nothing.
    pub fn push_whole(&self, bytes: &[u8]) -> bool {
        let mut state = self.state.lock();
        if state.bytes.len() + bytes.len() > CAPACITY {
            state.refused = true;
            return false;
        }
        self.put(&mut state, bytes);
        true
    }

    fn put(&self, state: &mut State, bytes: &[u8]) {
        let was_empty = state.bytes.is_empty();
        state.bytes.extend(bytes);
        if was_empty && !bytes.is_empty() {
            self.changed.notify_all();
        }
    }

    /// Queues everything, waiting for room; gives up when nothing moves for `patience`. For threads of the front end.
    pub fn push_waiting(&self, mut bytes: &[u8], patience: Duration) {
        let mut deadline = Instant::now() + patience;
        let mut state = self.state.lock();
        while !bytes.is_empty() && !state.closed {
            let count = bytes.len().min(CAPACITY - state.bytes.len().min(CAPACITY));
            self.put(&mut state, &bytes[..count]);
            bytes = &bytes[count..];
            if count > 0 {
                deadline = Instant::now() + patience;
            } else if self.changed.wait_until(&mut state, deadline).timed_out() {
                return;
            }
        }
    }

    /// Waits until everything is out, for `patience` at most.
    pub fn flush(&self, patience: Duration) {
        let deadline = Instant::now() + patience;
        let mut state = self.state.lock();
        while (!state.bytes.is_empty() || state.writing) && !state.closed {
            if self.changed.wait_until(&mut state, deadline).timed_out() {
                return;
            }
        }
    }

    /// Ends the writer.
    pub fn close(&self) {
        self.state.lock().closed = true;
        self.changed.notify_all();
    }

    fn run(&self, on_room: &dyn Fn()) {
        let mut chunk = Vec::with_capacity(CHUNK);
        loop {
            let (sink, terminal) = {
                let mut state = self.state.lock();
                while state.bytes.is_empty() && !state.closed {
                    self.changed.wait(&mut state);
                }
                if state.closed {
                    return;
                }
                let count = state.bytes.len().min(CHUNK);
                chunk.clear();
                chunk.extend(state.bytes.drain(..count));
                state.writing = true;
                (state.sink.clone(), state.terminal)
            };
            let lost = sink.filter(|sink| write_all(sink, &chunk, terminal).is_err());
            let told = {
                let mut state = self.state.lock();
                state.writing = false;
                // The sink may have been replaced by a new connection meanwhile.
                if let (Some(lost), Some(now)) = (&lost, &state.sink)
                    && Arc::ptr_eq(lost, now)
                {
                    state.sink = None;
                }
                std::mem::take(&mut state.refused)
            };
            self.changed.notify_all();
            if told {
                on_room();
            }
        }
    }
}

/// Whether nobody has the other side of the pseudo terminal with this `master` open: it is hung up then.
pub fn is_left(master: &File) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(master.as_fd(), PollFlags::OUT)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut fds, Some(&now)).is_err() || fds[0].revents().contains(PollFlags::HUP)
}

/// Writes all of `bytes`, also when somebody made the descriptor non-blocking. A `terminal` loses what it is not
/// there for.
fn write_all(mut sink: &File, mut bytes: &[u8], terminal: bool) -> io::Result<()> {
    while !(bytes.is_empty() || terminal && is_left(sink)) {
        match sink.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => bytes = &bytes[count..],
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                let mut fds = [PollFd::from_borrowed_fd(sink.as_fd(), PollFlags::OUT)];
                match poll(&mut fds, None) {
                    Ok(_) | Err(rustix::io::Errno::INTR) => {}
                    Err(e) => return Err(e.into()),
                }
            }
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn pipe() -> (File, Arc<File>) {
        let (reader, writer) = rustix::pipe::pipe().expect("a pipe");
        (File::from(reader), Arc::new(File::from(writer)))
    }

    #[test]
    fn a_slow_reader_refuses_and_then_makes_room() {
        let (mut reader, writer) = pipe();
        let told = Arc::new(AtomicUsize::new(0));
        let counter = told.clone();
        let output = Output::start("t", Some(writer), move || {
            counter.fetch_add(1, Ordering::Relaxed);
        })
        .expect("starts");
        let data: Vec<u8> = (0..400_000u32).map(|n| n as u8).collect();
        let mut sent = 0;
        // Nobody reads: queue and pipe fill up, and push never blocks.
        for _ in 0..1000 {
            sent += output.push(&data[sent..(sent + 4096).min(data.len())]);
        }
        assert!(sent < data.len(), "the queue is bounded");
        let mut got = vec![0; data.len()];
        let taker = std::thread::spawn(move || reader.read_exact(&mut got).map(|()| got));
        while sent < data.len() {
            sent += output.push(&data[sent..(sent + 4096).min(data.len())]);
            std::thread::yield_now();
        }
        output.flush(Duration::from_secs(10));
        assert_eq!(taker.join().expect("no panic").expect("read"), data);
        assert!(told.load(Ordering::Relaxed) > 0, "the sender was told that there is room");
        output.close();
    }

    #[test]
    fn without_reader_output_vanishes() {
        let (reader, writer) = pipe();
        drop(reader);
        let output = Output::start("t", Some(writer), || {}).expect("starts");
        for _ in 0..100 {
            output.push_waiting(&[b'x'; 4096], Duration::from_secs(10));
        }
        output.flush(Duration::from_secs(10));
        assert_eq!(output.push(b"more"), 4);
        output.close();
    }

    #[test]
    fn a_pseudo_terminal_may_be_left_and_opened_again() {
        use rustix::fs::{Mode, OFlags};
        let patience = Duration::from_secs(10);
        let (master, name) = crate::chardev::pty::pair().expect("a terminal");
        let output = Output::start("t", None, || {}).expect("starts");
        output.set_terminal(Arc::new(master));
        for word in *b"12" {
            // More than the kernel keeps.
            for _ in 0..16 {
                output.push_waiting(&[b'x'; 4096], patience);
            }
            output.flush(patience);
            let side = rustix::fs::open(name.as_c_str(), OFlags::RDWR | OFlags::NOCTTY, Mode::empty());
            let mut side = File::from(side.expect("opens"));
            output.push_waiting(&[word], patience);
            let mut bytes = [0];
            side.read_exact(&mut bytes).expect("read");
            assert_eq!(bytes, [word]);
            // Nor does one who leaves without reading stop anybody.
            for _ in 0..16 {
                output.push(&[word; 4096]);
            }
            drop(side);
            output.flush(patience);
            let side = rustix::fs::open(name.as_c_str(), OFlags::RDWR | OFlags::NOCTTY, Mode::empty());
            rustix::termios::tcflush(side.expect("opens"), rustix::termios::QueueSelector::IFlush)
                .expect("flushes");
        }
        output.close();
    }
}
