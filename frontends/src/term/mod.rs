//! The terminal: raw mode while the guest has it, and the way back in every case: return, error, panic, signal, stop.

pub mod signals;

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use rustix::termios::{
    LocalModes, OptionalActions, OutputModes, Termios, isatty, tcgetattr, tcgetpgrp, tcgetwinsize, tcsetattr,
};

/// The mode that was found, and the raw one. There is one terminal for the whole program.
static MODES: Mutex<Option<Modes>> = Mutex::new(None);
/// Whether the terminal is in raw mode now.
static RAW: AtomicBool = AtomicBool::new(false);
/// The program ends: nobody enters raw mode any more, such as the thread that reads the terminal.
static ENDING: AtomicBool = AtomicBool::new(false);
/// The program is about to stop, or stopped: the shell gets the terminal as it was found, whoever reads it meanwhile.
static STOPPING: AtomicBool = AtomicBool::new(false);

/// The terminal shows a picture in its alternate buffer.
static FULL_SCREEN: AtomicBool = AtomicBool::new(false);

struct Modes {
    found: Termios,
    raw: Termios,
}

/// Restores the terminal when dropped.
pub struct Guard(());

impl Guard {
    /// Begins: from now on a panic restores the terminal too, before it prints, and a panic of any thread ends the
    /// program, since a machine that lost a thread would hang.
    pub fn new() -> Self {
        let print = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            restore();
            print(info);
            signals::end_by_defect();
        }));
        Self(())
    }
}

impl Default for Guard {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        ENDING.store(true, Ordering::SeqCst);
        restore();
    }
}

/// Puts the terminal on standard input into raw mode. With `signal`, Ctrl-C and its like still make signals.
pub fn make_raw(signal: bool) -> io::Result<()> {
    let stdin = rustix::stdio::stdin();
    let found = tcgetattr(stdin)?;
    let mut raw = found.clone();
    raw.make_raw();
    // Output of our own, such as log lines, still begins at the left margin.
    raw.output_modes.insert(OutputModes::OPOST | OutputModes::ONLCR);
    if signal {
        raw.local_modes.insert(LocalModes::ISIG);
    }
    *MODES.lock() = Some(Modes { found, raw });
    enter();
    Ok(())
}

/// Raw mode again, after a stop or in the foreground for the first time. Does nothing in the background, where it
/// would stop the program.
pub fn enter() {
    if !in_foreground_now() {
        return;
    }
    // Looked at under the lock, which restoring takes after saying that the program ends or stops.
    if let Some(modes) = &*MODES.lock()
        && !ENDING.load(Ordering::SeqCst)
        && !STOPPING.load(Ordering::SeqCst)
        && tcsetattr(rustix::stdio::stdin(), OptionalActions::Drain, &modes.raw).is_ok()
    {
        RAW.store(true, Ordering::Relaxed);
    }
}

/// The mode that was found. Safe to call at any time and more than once.
pub fn restore() {
    // A panic while the lock is held must not wait for it.
    let Some(modes) = MODES.try_lock_for(std::time::Duration::from_millis(100)) else { return };
    end_full_screen();
    if let Some(modes) = &*modes
        && RAW.swap(false, Ordering::Relaxed)
        && in_foreground_now()
    {
        let _ = tcsetattr(rustix::stdio::stdin(), OptionalActions::Now, &modes.found);
    }
}

/// Whether standard input and output are one.
pub fn is_terminal() -> bool {
    isatty(rustix::stdio::stdin()) && isatty(rustix::stdio::stdout())
}

/// Columns and rows of the terminal on standard output; a PC's if it has none.
pub fn size() -> (u32, u32) {
    match tcgetwinsize(rustix::stdio::stdout()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col.into(), size.ws_row.into()),
        _ => (80, 25),
    }
}

/// Switches the terminal to its alternate buffer, for a picture. Whether it was not there before.
pub fn begin_full_screen() -> bool {
    let _modes = MODES.lock();
    let wanted = !ENDING.load(Ordering::SeqCst) && !STOPPING.load(Ordering::SeqCst);
    if !wanted || FULL_SCREEN.swap(true, Ordering::SeqCst) {
        return false;
    }
    let _ = rustix::io::write(rustix::stdio::stdout(), b"\x1b[?1049h");
    true
}

/// And back, with a cursor and colours as everybody expects them. Safe to call at any time and more than once.
pub fn end_full_screen() {
    if FULL_SCREEN.swap(false, Ordering::SeqCst) {
        let _ = rustix::io::write(rustix::stdio::stdout(), b"\x1b[0m\x1b[?25h\x1b[?1049l");
    }
}

/// Restores the terminal, calls `stop`, which returns when the program is continued, and takes the terminal again.
pub fn while_restored(stop: impl FnOnce()) {
    STOPPING.store(true, Ordering::SeqCst);
    restore();
    stop();
    STOPPING.store(false, Ordering::SeqCst);
    enter();
}

/// Restores the terminal and ends the program.
pub fn exit_now(code: u8) -> ! {
    ENDING.store(true, Ordering::SeqCst);
    restore();
    std::process::exit(i32::from(code))
}

/// Whether the program may read the terminal; enters raw mode on the way from background to foreground.
pub fn in_foreground() -> bool {
    let foreground = in_foreground_now();
    if foreground && !RAW.load(Ordering::Relaxed) {
        enter();
    }
    foreground
}

fn in_foreground_now() -> bool {
    // A terminal that is not the session's own has no background.
    tcgetpgrp(rustix::stdio::stdin()).map_or(true, |group| group == rustix::process::getpgrp())
}
