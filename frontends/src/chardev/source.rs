//! The thread that reads a back end's descriptor and feeds its hub.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::hub::Hub;

/// What becomes of the bytes before the hub sees them.
pub trait Filter: Send {
    /// Takes raw bytes in `bytes` and leaves what is input; may speak to the hub about the rest.
    fn filter(&mut self, bytes: &mut Vec<u8>, hub: &Hub);
}

/// Nothing is filtered.
pub struct Plain;

impl Filter for Plain {
    fn filter(&mut self, _bytes: &mut Vec<u8>, _hub: &Hub) {}
}

/// Reads `source` into `hub` until its end, and keeps feeding users of what waits. `may_read` is asked before each
/// read; while it says no, it is asked again now and then.
pub fn pump(
    mut source: &File,
    hub: &Hub,
    filter: &mut dyn Filter,
    may_read: &dyn Fn() -> bool,
) -> io::Result<()> {
    let mut buffer = vec![0u8; 4096];
    loop {
        let allowed = may_read();
        let wanted = hub.wants_input() && allowed;
        let interest = if wanted { PollFlags::IN } else { PollFlags::empty() };
        let (ready, woken) = {
            let mut fds = [
                PollFd::from_borrowed_fd(hub.waker(), PollFlags::IN),
                PollFd::from_borrowed_fd(source.as_fd(), interest),
            ];
            // A hang-up is reported whether asked for or not: do not look while nothing is wanted.
            let count = if wanted { 2 } else { 1 };
            let nap = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };
            match poll(&mut fds[..count], (!allowed).then_some(&nap)) {
                Ok(_) => {}
                Err(rustix::io::Errno::INTR) => continue,
                Err(e) => return Err(e.into()),
            }
            (wanted && !fds[1].revents().is_empty(), !fds[0].revents().is_empty())
        };
        if woken {
            hub.woken();
        }
        if ready {
            match source.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(count) => {
                    let mut bytes = buffer[..count].to_vec();
                    filter.filter(&mut bytes, hub);
                    hub.input(&bytes);
                }
                Err(e) if matches!(e.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => {}
                Err(e) => return Err(e),
            }
        }
        hub.feed();
    }
}

/// Keeps feeding what waits after the source has ended.
pub fn rest(hub: &Hub) {
    loop {
        let mut fds = [PollFd::from_borrowed_fd(hub.waker(), PollFlags::IN)];
        match poll(&mut fds, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return,
        }
        hub.woken();
        hub.feed();
    }
}
