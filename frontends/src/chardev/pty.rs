//! Pseudo terminals. While nobody has the other side open, output is discarded.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags, open as open_file};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

use super::hub::Hub;
use super::source::{Plain, pump};

/// Opens a pseudo terminal, prints its name, and starts its thread.
pub fn open(id: &str, hub: &Arc<Hub>) -> io::Result<()> {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    grantpt(&master)?;
    unlockpt(&master)?;
    let name = ptsname(&master, Vec::new())?;
    {
        // The line discipline belongs to the guest.
        let slave =
            open_file(name.as_c_str(), OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())?;
        let mut mode = tcgetattr(&slave)?;
        mode.make_raw();
        tcsetattr(&slave, OptionalActions::Now, &mode)?;
    }
    // The form of this line is what scripts for QEMU look for.
    eprintln!("char device redirected to {} (label {id})", name.to_string_lossy());
    let (master, hub) = (Arc::new(File::from(master)), hub.clone());
    std::thread::Builder::new().name(format!("in-{id}")).spawn(move || serve(&master, &hub))?;
    Ok(())
}

fn serve(master: &Arc<File>, hub: &Hub) {
    loop {
        if connected(master) {
            hub.output().set_sink(Some(master.clone()));
            // The other side's last close reads as an error.
            let _ = pump(master, hub, &mut Plain, &|| true);
            hub.output().set_sink(None);
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Whether somebody has the other side open: a master without slave is hung up.
fn connected(master: &File) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(master.as_fd(), PollFlags::OUT)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut fds, Some(&now)).is_ok() && !fds[0].revents().contains(PollFlags::HUP)
}
