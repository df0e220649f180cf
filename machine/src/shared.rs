//! What the threads of a machine share: the run state, each processor's gate, the events.

use crate::breakpoints::Breakpoints;
use crate::control::{CpuId, Event, Others, Shutdown, Status, StopReason};
use crossbeam::channel::{Receiver, Sender, unbounded};
use lyrebird_cpu::arm::maintenance::Forget;
use lyrebird_cpu::core::Attention;
use lyrebird_devices::intc::{CpuLine, CpuLines};
use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Whether a processor is on (PSCI).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Power {
    /// It waits for CPU_ON.
    Off,
    /// It will start at this address with this value in X0.
    Starting(u64, u64),
    /// It runs.
    On,
}

/// One processor as other threads see it.
pub struct Gate {
    /// Requests that its engine polls.
    pub attention: Arc<Attention>,
    /// Maintenance from other processors.
    pub mail: Mutex<VecDeque<Forget>>,
    /// It may be using translations: between taking its mail and leaving its engine.
    pub inside: AtomicBool,
    /// Whether it is on.
    pub power: Mutex<Power>,
    /// It sits in WFI.
    pub halted: AtomicBool,
}

/// Requests to the thread that supervises the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Reset everything and go on.
    Reset,
    /// End.
    Shutdown(Shutdown),
    /// Stop because of this.
    Stop(CpuId, StopReason),
}

struct State {
    status: Status,
    requests: VecDeque<Request>,
    subscribers: Vec<Sender<Event>>,
}

/// The shared part.
pub struct Shared {
    /// One a processor.
    pub gates: Vec<Gate>,
    state: Mutex<State>,
    /// Signalled on every change that a waiting vCPU or the supervisor may be waiting for.
    changed: Condvar,
    /// Threads that hold the machine at an instruction boundary, see [`Shared::hold`].
    holders: AtomicUsize,
    /// vCPU threads end.
    over: AtomicBool,
    /// The processor that executes one instruction, and what the others do meanwhile.
    pub stepping: Mutex<Option<(CpuId, Others)>>,
    /// Breakpoints and watchpoints of front ends.
    pub breakpoints: Mutex<Breakpoints>,
    /// There are any.
    pub armed: AtomicBool,
}

impl Shared {
    /// For `cpus` processors, of which the first is on.
    pub fn new(cpus: usize) -> Self {
        let gate = |i| Gate {
            attention: Arc::default(),
            mail: Mutex::default(),
            inside: AtomicBool::new(false),
            power: Mutex::new(if i == 0 { Power::On } else { Power::Off }),
            halted: AtomicBool::new(false),
        };
        Self {
            gates: (0..cpus).map(gate).collect(),
            state: Mutex::new(State {
                status: Status::Prelaunch,
                requests: VecDeque::new(),
                subscribers: Vec::new(),
            }),
            changed: Condvar::new(),
            holders: AtomicUsize::new(0),
            over: AtomicBool::new(false),
            stepping: Mutex::new(None),
            breakpoints: Mutex::default(),
            armed: AtomicBool::new(false),
        }
    }

    /// What the machine does now.
    pub fn status(&self) -> Status {
        self.state.lock().status.clone()
    }

    /// Changes the status, and wakes everybody.
    pub fn set_status(&self, status: Status) {
        self.state.lock().status = status;
        self.kick();
    }

    /// Changes the status if it is as expected.
    pub fn change_status(&self, f: impl FnOnce(&Status) -> Option<Status>) -> bool {
        let mut state = self.state.lock();
        match f(&state.status) {
            Some(new) => {
                state.status = new;
                drop(state);
                self.kick();
                true
            }
            None => false,
        }
    }

    /// Makes every engine return and every sleeper look again.
    pub fn kick(&self) {
        for gate in &self.gates {
            gate.attention.set(Attention::STOP);
        }
        // Taking the lock orders this after a sleeper's last look.
        drop(self.state.lock());
        self.changed.notify_all();
    }

    /// Leaves a request for the supervisor.
    pub fn request(&self, request: Request) {
        self.state.lock().requests.push_back(request);
        self.kick();
    }

    /// Waits for the next request. A stop has changed the status already.
    pub fn next_request(&self) -> Request {
        let mut state = self.state.lock();
        loop {
            match state.requests.pop_front() {
                // The status changes with the request's removal: between the two a processor would be admitted.
                Some(Request::Stop(cpu, reason)) if state.status.is_running() => {
                    state.status = Status::Paused(reason.clone());
                    *self.stepping.lock() = None;
                    return Request::Stop(cpu, reason);
                }
                // A guest that stands still already is not stopped again.
                Some(Request::Stop(..)) => continue,
                Some(request) => return request,
                None => {}
            }
            self.changed.wait(&mut state);
        }
    }

    /// Tells all subscribers.
    pub fn tell(&self, event: &Event) {
        self.state.lock().subscribers.retain(|s| s.send(event.clone()).is_ok());
    }

    /// A new subscription.
    pub fn subscribe(&self) -> Receiver<Event> {
        let (tx, rx) = unbounded();
        self.state.lock().subscribers.push(tx);
        rx
    }

    /// Ends the vCPU threads.
    pub fn finish(&self) {
        self.over.store(true, Ordering::SeqCst);
        self.kick();
    }

    /// Keeps vCPUs out of their engines until the guard is dropped; those inside leave soon.
    pub fn hold(&self) -> Hold<'_> {
        self.holders.fetch_add(1, Ordering::SeqCst);
        self.kick();
        Hold(self)
    }

    /// Blocks the vCPU `cpu` until it may run: powered, running, not held, not halted. False when the machine is over.
    pub fn admit(&self, cpu: usize) -> bool {
        let gate = &self.gates[cpu];
        let mut state = self.state.lock();
        loop {
            if self.over.load(Ordering::SeqCst) {
                return false;
            }
            // Cleared before looking, so that a request that comes later is seen by the engine.
            gate.attention.clear(Attention::STOP);
            let held = self.holders.load(Ordering::SeqCst) != 0;
            let stepping = *self.stepping.lock();
            let stepped = stepping.is_some_and(|(c, _)| c.0 as usize == cpu);
            let mine = stepped || stepping.is_none_or(|(_, others)| others == Others::Run);
            let on = *gate.power.lock() != Power::Off;
            // WFI may end at any time: it does when it is stepped over.
            let awake = !gate.halted.load(Ordering::SeqCst)
                || stepped
                || gate.attention.bits() & (Attention::IRQ | Attention::FIQ | Attention::MAIL) != 0;
            if state.status.is_running() && !held && on && mine && awake && state.requests.is_empty() {
                gate.halted.store(false, Ordering::SeqCst);
                gate.inside.store(true, Ordering::SeqCst);
                return true;
            }
            self.changed.wait(&mut state);
        }
    }

    /// Whether all processors but `cpu` are off.
    pub fn others_off(&self, cpu: usize) -> bool {
        self.gates.iter().enumerate().all(|(i, gate)| i == cpu || *gate.power.lock() == Power::Off)
    }

    /// The vCPU left its engine.
    pub fn leave(&self, cpu: usize, halted: bool) {
        self.gates[cpu].halted.store(halted, Ordering::SeqCst);
        self.gates[cpu].inside.store(false, Ordering::SeqCst);
    }
}

impl CpuLines for Shared {
    fn set(&self, cpu: usize, line: CpuLine, level: bool) {
        let Some(gate) = self.gates.get(cpu) else { return };
        let bit = match line {
            CpuLine::Irq => Attention::IRQ,
            CpuLine::Fiq => Attention::FIQ,
        };
        if !level {
            gate.attention.clear(bit);
            return;
        }
        gate.attention.set(bit);
        if gate.halted.load(Ordering::SeqCst) {
            drop(self.state.lock());
            self.changed.notify_all();
        }
    }
}

/// The machine is held at an instruction boundary.
pub struct Hold<'a>(&'a Shared);

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        self.0.holders.fetch_sub(1, Ordering::SeqCst);
        self.0.kick();
    }
}
