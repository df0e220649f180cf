//! The log: `-d` items, `-D FILE` and `RUST_LOG` on one `log::Log`.
//!
//! A line whose target is a debug item ([`DebugItems::TABLE`]) is written if the item is on (or `RUST_LOG` names the
//! target), bare, as tools that read such logs expect. All other lines follow `RUST_LOG`, which stands at `warn`.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use env_logger::Logger;
use log::{LevelFilter, Log, Metadata, Record};
use lyrebird_machine::config::DebugItems;
use parking_lot::Mutex;

use crate::exit::{ExitClass, Failure};

static LOG: OnceLock<DebugLog> = OnceLock::new();

struct DebugLog {
    items: AtomicU32,
    /// `RUST_LOG` was given: item targets that it names count too.
    asked: bool,
    filter: Logger,
    file: Option<Mutex<BufWriter<File>>>,
}

/// Installs the log for the rest of the run. A second call changes the items only.
pub fn start(items: DebugItems, file: Option<&Path>) -> Result<(), Failure> {
    let file = file.map(File::create).transpose().map_err(|e| {
        let shown = file.map(|f| f.display().to_string()).unwrap_or_default();
        Failure::new(ExitClass::Runtime, format!("-D {shown}: cannot write the log: {e}"))
    })?;
    let asked = std::env::var_os("RUST_LOG").is_some_and(|v| !v.is_empty());
    let env = env_logger::Env::default().default_filter_or("warn");
    let log = LOG.get_or_init(|| DebugLog {
        items: AtomicU32::new(0),
        asked,
        filter: env_logger::Builder::from_env(env).format_timestamp(None).build(),
        file: file.map(|f| Mutex::new(BufWriter::new(f))),
    });
    // Refused if a test harness has a log of its own.
    let _ = log::set_logger(log);
    set_items(items);
    Ok(())
}

/// Changes which items are written.
pub fn set_items(items: DebugItems) {
    if let Some(log) = LOG.get() {
        log.items.store(items.bits(), Ordering::Relaxed);
        log.flush();
        let level = if items.is_empty() { log.filter.filter() } else { LevelFilter::Trace };
        log::set_max_level(level);
    }
}

/// Writes out what the file's buffer holds.
pub fn flush() {
    log::logger().flush();
}

/// The item that a target is.
fn item(target: &str) -> Option<DebugItems> {
    DebugItems::TABLE.iter().find(|i| i.0 == target).map(|i| i.1)
}

impl Log for DebugLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        match item(metadata.target()) {
            Some(item) => {
                DebugItems::from_bits_truncate(self.items.load(Ordering::Relaxed)).contains(item)
                    || (self.asked && self.filter.enabled(metadata))
            }
            None => self.filter.enabled(metadata),
        }
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let bare = item(record.target()).is_some();
        // A log that cannot be written must not stop the machine.
        let _ = match (&self.file, bare) {
            (Some(file), true) => writeln!(file.lock(), "{}", record.args()),
            (Some(file), false) => {
                writeln!(file.lock(), "[{} {}] {}", record.level(), record.target(), record.args())
            }
            (None, true) => writeln!(io::stderr().lock(), "{}", record.args()),
            (None, false) => {
                self.filter.log(record);
                Ok(())
            }
        };
    }

    fn flush(&self) {
        if let Some(file) = &self.file {
            let _ = file.lock().flush();
        }
    }
}
