//! Signals: the ones that end the program let the machine close its images first; stop and continue take the terminal
//! along.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use lyrebird_machine::control::Control;
use parking_lot::Mutex;
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use crate::exit::ExitClass;

/// The signal that ended the program; 0 for none.
static ENDED_BY: AtomicI32 = AtomicI32::new(0);
/// Whom to ask.
static CONTROL: Mutex<Option<Arc<dyn Control>>> = Mutex::new(None);

/// How long a machine that lost a thread may take to end.
const LAST_CHANCE: Duration = Duration::from_secs(3);

/// Starts the thread that waits for signals.
pub fn start() -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT])?;
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        for signal in signals.forever() {
            take(signal);
        }
    })?;
    Ok(())
}

/// Says which machine to end.
pub fn set_control(control: Arc<dyn Control>) {
    *CONTROL.lock() = Some(control);
}

/// The exit code of the signal that ended the program, if one did: 128 and its number.
pub fn exit_code() -> Option<u8> {
    match ENDED_BY.load(Ordering::Relaxed) {
        0 => None,
        signal => Some(code_of(signal)),
    }
}

/// After a panic: asks the machine to close its images, and ends the program if it cannot.
pub fn end_by_defect() {
    // Not on the thread that panics, which may hold locks that the request needs.
    let end = || {
        let code = ExitClass::Internal.code();
        let control = CONTROL.lock().clone();
        if let Some(control) = control {
            control.quit(i32::from(code));
        }
        std::thread::sleep(LAST_CHANCE);
        super::exit_now(code);
    };
    if std::thread::Builder::new().name("defect".into()).spawn(end).is_err() {
        super::exit_now(ExitClass::Internal.code());
    }
}

fn code_of(signal: i32) -> u8 {
    128u8.wrapping_add(signal as u8)
}

fn take(signal: i32) {
    match signal {
        SIGTSTP => super::while_restored(|| {
            let _ = emulate_default_handler(SIGTSTP);
        }),
        SIGCONT => super::enter(),
        _ => {
            let before = ENDED_BY.swap(signal, Ordering::Relaxed);
            let control = CONTROL.lock().clone();
            match control {
                Some(control) if before == 0 => control.quit(i32::from(code_of(signal))),
                // Nothing runs yet, or somebody insists.
                _ => super::exit_now(code_of(signal)),
            }
        }
    }
}
