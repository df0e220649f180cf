//! The thread that a block device's requests run on.
//!
//! It shares nothing with the device but the link and this gate, so that the device can wait for it under its lock.

use super::request::{CacheMode, Engine};
use crate::virtio::link::Link;
use parking_lot::{Condvar, Mutex};
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

#[derive(Default)]
struct Gate {
    state: Mutex<GateState>,
    /// Wakes the thread.
    work: Condvar,
    /// Wakes who waits for the thread to have nothing to do.
    rest: Condvar,
}

#[derive(Default)]
struct GateState {
    kicked: bool,
    busy: bool,
    stop: bool,
}

/// A handle to the thread; it ends with the handle.
pub(super) struct Worker {
    gate: Arc<Gate>,
    link: Link,
    pub(super) cache: CacheMode,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the host has no thread to give; the engine is lost then.
    pub(super) fn start(mut engine: Engine) -> io::Result<Worker> {
        let gate = Arc::new(Gate::default());
        let (link, cache) = (engine.link().clone(), engine.cache.clone());
        let inside = gate.clone();
        let thread =
            std::thread::Builder::new().name("virtio-blk".into()).spawn(move || inside.run(&mut engine))?;
        Ok(Worker { gate, link, cache, thread: Some(thread) })
    }

    pub(super) fn link(&self) -> &Link {
        &self.link
    }

    /// There may be requests.
    pub(super) fn kick(&self) {
        let mut state = self.gate.state.lock();
        if !state.kicked {
            state.kicked = true;
            self.gate.work.notify_one();
        }
    }

    /// Waits until all requests seen are carried out.
    pub(super) fn settle(&self) {
        let mut state = self.gate.state.lock();
        while state.kicked || state.busy {
            self.gate.rest.wait(&mut state);
        }
    }
}

impl Gate {
    fn run(&self, engine: &mut Engine) {
        let mut state = self.state.lock();
        loop {
            while !state.kicked && !state.stop {
                self.work.wait(&mut state);
            }
            if state.stop {
                return;
            }
            (state.kicked, state.busy) = (false, true);
            drop(state);
            engine.serve();
            state = self.state.lock();
            state.busy = false;
            if !state.kicked {
                self.rest.notify_all();
            }
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.gate.state.lock().stop = true;
        self.gate.work.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // it cannot have panicked: the engine catches what it calls
        }
    }
}
