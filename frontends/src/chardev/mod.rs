//! The far ends of serial lines: terminal, files, sockets, pseudo terminals, test exits.
//!
//! A back end is a [`hub::Hub`]: an [`output::Output`] with its own writer thread, and users among whom the input is
//! divided. A second thread ([`source`]) reads the descriptor. Devices never wait for either.

pub mod hub;
pub mod output;
pub mod pty;
pub mod socket;
pub mod source;
pub mod stdio;
pub mod telnet;
pub mod testdev;

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use lyrebird_machine::chardev::{Backend, Chardevs};
use lyrebird_machine::control::Control;

use crate::exit::{ExitClass, Failure};
use crate::options::{ChardevKind, ChardevSpec};
use hub::{Hub, User};
use testdev::Testdev;

/// All open back ends.
#[derive(Default)]
pub struct Table {
    hubs: BTreeMap<String, Arc<Hub>>,
    testdevs: BTreeMap<String, Arc<Testdev>>,
}

impl Table {
    /// Opens them. Waiting servers wait here.
    pub fn open(specs: &[ChardevSpec]) -> Result<Self, Failure> {
        let mut table = Self::default();
        for spec in specs {
            table.open_one(spec).map_err(|e| {
                let what = match &spec.kind {
                    ChardevKind::File { path, .. } => format!(" '{}'", path.display()),
                    ChardevKind::Socket { address, .. } => format!(" {}", socket::describe(address)),
                    _ => String::new(),
                };
                Failure::new(ExitClass::Runtime, format!("chardev {}: cannot open{what}: {e}", spec.id))
            })?;
        }
        Ok(table)
    }

    fn open_one(&mut self, spec: &ChardevSpec) -> io::Result<()> {
        let id = spec.id.as_str();
        if spec.kind == ChardevKind::Testdev {
            self.testdevs.insert(id.to_owned(), Arc::default());
            return Ok(());
        }
        let sink = match &spec.kind {
            ChardevKind::File { path, append } => {
                Some(File::options().create(true).write(true).append(*append).truncate(!append).open(path)?)
            }
            ChardevKind::Stdio { .. } => Some(stdio::output()?),
            _ => None,
        };
        let hub = Hub::new(id, spec.mux, sink.map(Arc::new))?;
        match &spec.kind {
            ChardevKind::Stdio { signal } => stdio::open(*signal, &hub)?,
            ChardevKind::Socket { address, server, wait, telnet } => {
                socket::open(id, address, *server, *wait, *telnet, &hub)?;
            }
            ChardevKind::Pty => pty::open(id, &hub)?,
            ChardevKind::File { .. } | ChardevKind::Null | ChardevKind::Testdev => {}
        }
        self.hubs.insert(id.to_owned(), hub);
        Ok(())
    }

    /// A line for a monitor.
    pub fn monitor(&self, id: &str) -> Option<Arc<User>> {
        self.hubs.get(id).map(|hub| hub.plug("monitor"))
    }

    /// A line for the view of the screen, which has the focus if nobody came before.
    pub fn view(&self, id: &str) -> Option<Arc<User>> {
        self.hubs.get(id).map(|hub| hub.plug("screen"))
    }

    /// Says which machine escape keys and test exits act on, once everybody has his line: input is read from now on.
    pub fn set_control(&self, control: &Arc<dyn Control>) {
        for hub in self.hubs.values() {
            hub.set_control(control.clone());
        }
        for testdev in self.testdevs.values() {
            testdev.set_control(control.clone());
        }
    }

    /// Waits until the output is out, but not for readers that have stopped reading.
    pub fn flush(&self, patience: Duration) {
        for hub in self.hubs.values() {
            hub.output().flush(patience);
        }
    }
}

impl Chardevs for Table {
    fn plug(&self, id: &str, user: &str) -> Option<Arc<dyn Backend>> {
        if let Some(testdev) = self.testdevs.get(id) {
            return Some(testdev.clone());
        }
        self.hubs.get(id).map(|hub| hub.plug(user) as Arc<dyn Backend>)
    }
}
