//! The program's own standard input and output.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use super::hub::Hub;
use super::source::{Plain, pump, rest};
use crate::term;

/// Standard output, as a file of its own.
pub fn output() -> io::Result<File> {
    Ok(File::from(io::stdout().as_fd().try_clone_to_owned()?))
}

/// Puts the terminal into raw mode, if there is one, and starts the reading thread.
pub fn open(signal: bool, hub: &Arc<Hub>) -> io::Result<()> {
    let input: OwnedFd = io::stdin().as_fd().try_clone_to_owned()?;
    let is_terminal = rustix::termios::isatty(&input);
    if is_terminal {
        term::make_raw(signal)?;
    }
    let (input, hub) = (File::from(input), hub.clone());
    std::thread::Builder::new().name("in-stdio".into()).spawn(move || {
        // A job in the background would be stopped by its read.
        let may_read = || !is_terminal || term::in_foreground();
        // The end of a pipe ends the input, not the machine.
        if let Err(e) = pump(&input, &hub, &mut Plain, &may_read) {
            log::debug!("standard input: {e}");
        }
        rest(&hub);
    })?;
    Ok(())
}
