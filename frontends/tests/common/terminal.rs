//! Programs under test, and the pseudo terminals that they run on.
#![allow(dead_code, reason = "shared by several test programs")]

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

/// A running program under test, which does not outlive its test.
pub struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl std::ops::Deref for Running {
    type Target = Child;
    fn deref(&self) -> &Child {
        &self.0
    }
}

impl std::ops::DerefMut for Running {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.0
    }
}

/// Starts a command.
pub fn start(command: &mut Command) -> Running {
    Running(command.spawn().expect("starts"))
}

pub fn exit_code(child: &mut Child) -> Option<i32> {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(status) = child.try_wait().expect("a child") {
            return status.code();
        }
        if Instant::now() > deadline {
            let _ = child.kill();
            let _ = child.wait();
            panic!("the program hangs");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A program on a pseudo terminal.
pub struct Terminal {
    /// The program.
    pub child: Running,
    master: File,
    slave: OwnedFd,
    /// What came and was not expected yet.
    pub seen: String,
}

impl Terminal {
    /// Starts `command` on a terminal of 80 columns and 25 rows.
    pub fn start(command: &mut Command) -> Self {
        use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&master).expect("granted");
        unlockpt(&master).expect("unlocked");
        let name = ptsname(&master, Vec::new()).expect("a name");
        let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY;
        let slave =
            rustix::fs::open(name.as_c_str(), flags, rustix::fs::Mode::empty()).expect("the other side");
        let side = || Stdio::from(slave.try_clone().expect("a copy"));
        let size = Winsize { ws_col: 80, ws_row: 25, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&slave, size).expect("a size");
        let child = start(command.stdin(side()).stdout(side()).stderr(side()));
        Self { child, master: File::from(master), slave, seen: String::new() }
    }

    pub fn is_raw(&self) -> bool {
        let modes = tcgetattr(self.slave.as_fd()).expect("modes").local_modes;
        !modes.intersects(LocalModes::ICANON | LocalModes::ECHO)
    }

    pub fn send(&mut self, keys: &[u8]) {
        self.master.write_all(keys).expect("typed");
    }

    /// Reads until `text` has come.
    pub fn expect(&mut self, text: &str) {
        let mut buffer = [0; 4096];
        while !self.seen.contains(text) {
            let mut fds = [rustix::event::PollFd::new(&self.master, rustix::event::PollFlags::IN)];
            let patience = rustix::event::Timespec { tv_sec: 30, tv_nsec: 0 };
            let ready = rustix::event::poll(&mut fds, Some(&patience)).expect("polls");
            assert!(ready > 0, "'{text}' does not come; seen:\n{}", self.seen);
            let count = self.master.read(&mut buffer).expect("output");
            self.seen.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
        let at = self.seen.find(text).expect("just found") + text.len();
        self.seen.drain(..at);
    }

    pub fn end(mut self) -> i32 {
        let code = exit_code(&mut self.child).expect("an exit code");
        assert!(!self.is_raw(), "the terminal is restored");
        code
    }
}
