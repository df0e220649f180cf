//! A machine in this process with a scripted person at its serial line.

use anyhow::{Result, bail};
use lyrebird_devices::char::{CharPort, Chardev};
use lyrebird_machine::Machine;
use lyrebird_machine::chardev::{Backend, Chardevs};
use lyrebird_machine::config::{Config, SerialPort};
use lyrebird_machine::control::{Control, Shutdown};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The name of the serial line's back end.
pub const LINE: &str = "script";

#[derive(Default)]
struct Text {
    bytes: Vec<u8>,
    seen: usize,
}

/// The person's end of the line.
#[derive(Default)]
struct Line {
    text: Mutex<Text>,
    grown: Condvar,
    port: Mutex<Option<Arc<dyn CharPort>>>,
}

impl Chardev for Line {
    fn write(&self, bytes: &[u8]) -> usize {
        self.text.lock().unwrap_or_else(PoisonError::into_inner).bytes.extend(bytes);
        self.grown.notify_all();
        bytes.len()
    }
}

impl Backend for Line {
    fn connect(&self, port: Arc<dyn CharPort>) {
        *self.port.lock().unwrap_or_else(PoisonError::into_inner) = Some(port);
    }
}

struct Plug(Arc<Line>);

impl Chardevs for Plug {
    fn plug(&self, id: &str, _: &str) -> Option<Arc<dyn Backend>> {
        (id == LINE).then(|| Arc::clone(&self.0) as Arc<dyn Backend>)
    }
}

/// A running guest. Dropping it ends it.
pub struct Guest {
    line: Arc<Line>,
    control: Arc<dyn Control>,
    runs: Option<JoinHandle<Shutdown>>,
}

impl Guest {
    /// Builds and starts a machine with the script on its first serial port.
    ///
    /// # Errors
    /// When the machine cannot be built.
    pub fn start(mut config: Config) -> Result<Self> {
        config.serials = vec![SerialPort::Chardev(LINE.into())];
        let line = Arc::new(Line::default());
        let machine = Machine::build(config, &Plug(Arc::clone(&line)))?;
        let control = machine.control();
        Ok(Self { line, control, runs: Some(std::thread::spawn(move || machine.run())) })
    }

    /// The machine.
    pub fn control(&self) -> &dyn Control {
        &*self.control
    }

    /// Waits for a text behind what was seen before and gives everything up to its end.
    ///
    /// # Errors
    /// When it does not come in time; the error has what came instead.
    pub fn wait_for(&self, wanted: &str, limit: Duration) -> Result<String> {
        let end = Instant::now() + limit;
        let mut text = self.line.text.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let new = String::from_utf8_lossy(&text.bytes[text.seen..]).into_owned();
            if let Some(at) = new.find(wanted) {
                text.seen += at + wanted.len();
                return Ok(new[..at + wanted.len()].to_owned());
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                bail!("the guest did not say {wanted:?} within {limit:?}, but {new:?}");
            }
            if self.runs.as_ref().is_some_and(JoinHandle::is_finished) {
                bail!("the machine ended; the guest did not say {wanted:?}, but {new:?}");
            }
            let short = left.min(Duration::from_millis(100));
            text = self.line.grown.wait_timeout(text, short).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Types a text, as fast as the guest takes it.
    ///
    /// # Errors
    /// When the guest does not take it within ten seconds.
    pub fn type_text(&self, text: &str) -> Result<()> {
        let port = self.line.port.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(port) = port else { bail!("the line has no port") };
        let (mut rest, end) = (text.as_bytes(), Instant::now() + Duration::from_secs(10));
        while !rest.is_empty() {
            let room = port.can_receive().min(rest.len());
            let taken = port.receive(&rest[..room]);
            rest = &rest[taken..];
            if taken == 0 {
                if Instant::now() > end {
                    bail!("the guest does not take {:?}", String::from_utf8_lossy(rest));
                }
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        Ok(())
    }

    /// Waits for the machine's end.
    ///
    /// # Errors
    /// When it does not come in time.
    pub fn end(mut self, limit: Duration) -> Result<Shutdown> {
        let Some(runs) = self.runs.take() else { bail!("the machine has ended before") };
        let end = Instant::now() + limit;
        while !runs.is_finished() {
            if Instant::now() > end {
                self.runs = Some(runs);
                bail!("the machine runs on after {limit:?}");
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        runs.join().map_err(|_| anyhow::anyhow!("the machine's thread panicked"))
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        if let Some(runs) = self.runs.take() {
            self.control.quit(1);
            // Its panic, if any, has been printed.
            let _ = runs.join();
        }
    }
}
