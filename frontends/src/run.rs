//! From an understood command line to the end of the run: log, terminal, back ends, machine, monitors, debugger.

use std::sync::Arc;
use std::time::Duration;

use lyrebird_machine::Machine;
use lyrebird_machine::chardev::Chardevs;
use lyrebird_machine::config::{BuildError, Config};
use lyrebird_machine::control::{Control, Shutdown};

use crate::chardev::Table;
use crate::exit::{ExitClass, Failure, code_of};
use crate::options::{ChardevKind, Invocation};
use crate::term::{self, signals};
use crate::view::View;
use crate::{gdb, logging, monitor};

/// A machine as this program needs it.
pub trait Runnable {
    /// What the front ends speak to.
    fn control(&self) -> Arc<dyn Control>;
    /// Runs until the end. Vcpu threads have ended and images are closed when it returns.
    fn run(self: Box<Self>) -> Shutdown;
}

/// What builds a machine.
pub type Build<'a> = &'a dyn Fn(&Config, &dyn Chardevs) -> Result<Box<dyn Runnable>, BuildError>;

/// How long the end waits for a slow reader of the guest's output.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Builds and runs; the exit code.
pub fn run(invocation: &Invocation, build: Build<'_>) -> Result<u8, Failure> {
    let config = &invocation.config;
    logging::start(config.debug.items, config.debug.file.as_deref())?;
    for warning in &invocation.warnings {
        eprintln!("lyrebird: warning: {warning}");
    }
    let runtime = |what: &str, e: std::io::Error| Failure::new(ExitClass::Runtime, format!("{what}: {e}"));
    let guard = term::Guard::new();
    signals::start().map_err(|e| runtime("signal handling", e))?;
    let table = Table::open(&invocation.chardevs)?;
    if invocation.view.is_some() && !term::is_terminal() {
        return Err(Failure::new(
            ExitClass::Impossible,
            "-display curses: standard input and output must be a terminal; use -display none",
        ));
    }
    // Who comes first has the focus.
    let view = invocation.view.as_deref().and_then(|id| table.view(id));
    let machine = match build(config, &table) {
        Ok(machine) => machine,
        Err(done @ BuildError::DtbWritten(_)) => {
            drop(guard);
            eprintln!("lyrebird: {done}");
            return Ok(ExitClass::Success.code());
        }
        Err(error) => return Err(error.into()),
    };
    let control = machine.control();
    signals::set_control(control.clone());
    if let Some(line) = view {
        View::start(line, control.seat())
            .map_err(|e| Failure::new(ExitClass::Impossible, format!("-display curses: {e}")))?;
    }
    for id in &invocation.monitors {
        if let Some(line) = table.monitor(id) {
            let greet = invocation.chardevs.iter().any(|c| c.id == *id && !c.mux && looked_at(&c.kind));
            monitor::start(line, control.clone(), greet).map_err(|e| runtime("monitor", e))?;
        }
    }
    table.set_control(&control);
    let debugger = match &invocation.gdb {
        Some(listen) => {
            let server = gdb::start(listen, control);
            Some(server.map_err(|e| runtime(&format!("-gdb {}", gdb::describe(listen)), e))?)
        }
        None => None,
    };
    let end = machine.run();
    if let Some(server) = debugger {
        server.finish(LAST_WORDS);
    }
    table.flush(LAST_WORDS);
    logging::flush();
    drop(guard);
    match &end {
        Shutdown::GuestPanic(_) | Shutdown::Divergence(_) | Shutdown::EngineBug(_) => {
            eprintln!("lyrebird: {end}")
        }
        Shutdown::PowerOff | Shutdown::Reset | Shutdown::Quit(_) | Shutdown::Exit(_) => {}
    }
    Ok(signals::exit_code().unwrap_or_else(|| code_of(&end)))
}

/// Whether somebody is at the other end from the start.
fn looked_at(kind: &ChardevKind) -> bool {
    match kind {
        ChardevKind::Stdio { .. } | ChardevKind::Pty => true,
        ChardevKind::Socket { server, wait, .. } => *wait || !server,
        ChardevKind::File { .. } | ChardevKind::Null | ChardevKind::Testdev => false,
    }
}

impl Runnable for Machine {
    fn control(&self) -> Arc<dyn Control> {
        Machine::control(self)
    }
    fn run(self: Box<Self>) -> Shutdown {
        Machine::run(*self)
    }
}

/// Builds a machine of the machine crate.
pub fn build(config: &Config, chardevs: &dyn Chardevs) -> Result<Box<dyn Runnable>, BuildError> {
    Ok(Box::new(Machine::build(config.clone(), chardevs)?))
}
