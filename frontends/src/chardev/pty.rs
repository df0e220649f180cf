//! Pseudo terminals. While nobody has the other side open, output is discarded.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{Mode, OFlags, fcntl_setfl, open as open_file};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

use super::hub::Hub;
use super::output::is_left;
use super::source::{Plain, pump};

/// How often one looks whether somebody opened the other side.
const LOOK: Duration = Duration::from_millis(200);

/// Opens a pseudo terminal, prints its name, and starts its thread.
pub fn open(id: &str, hub: &Arc<Hub>) -> io::Result<()> {
    let (master, name) = pair()?;
    // The form of this line is what scripts for QEMU look for.
    eprintln!("char device redirected to {} (label {id})", name.to_string_lossy());
    let (master, hub) = (Arc::new(master), hub.clone());
    hub.output().set_terminal(master.clone());
    std::thread::Builder::new().name(format!("in-{id}")).spawn(move || serve(&master, &hub))?;
    Ok(())
}

/// A master, which does not block, and the name of its other side, which is raw: the guest has its own line discipline.
pub fn pair() -> io::Result<(File, CString)> {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    grantpt(&master)?;
    unlockpt(&master)?;
    fcntl_setfl(&master, OFlags::RDWR | OFlags::NONBLOCK)?;
    let name = ptsname(&master, Vec::new())?;
    let side = open_file(name.as_c_str(), OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())?;
    let mut mode = tcgetattr(&side)?;
    mode.make_raw();
    tcsetattr(&side, OptionalActions::Now, &mode)?;
    Ok((File::from(master), name))
}

fn serve(master: &File, hub: &Hub) {
    loop {
        if !is_left(master) {
            // The other side's last close reads as an error.
            let _ = pump(master, hub, &mut Plain, &|| true);
        }
        std::thread::sleep(LOOK);
    }
}
