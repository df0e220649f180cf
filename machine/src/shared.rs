//! What the threads of a machine share: the run state, each processor's gate, the events.

use crate::breakpoints::Breakpoints;
use crate::control::{CpuId, Event, Others, Shutdown, Status, StopReason};
use crate::target::Target;
use crossbeam::channel::{Receiver, Sender, unbounded};
use lyrebird_cpu::core::Attention;
use lyrebird_devices::intc::{CpuLine, CpuLines};
use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

/// Whether a processor is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Power<E> {
    /// It waits until another one starts it: for PSCI's CPU_ON, or a start-up IPI.
    Off,
    /// It will be reset and start so.
    Starting(E),
    /// It runs.
    On,
}

/// One processor as other threads see it.
pub struct Gate<T: Target> {
    /// Requests that its engine polls.
    pub attention: Arc<Attention>,
    /// What other processors ask of it.
    pub mail: Mutex<VecDeque<T::Mail>>,
    /// It may be using translations: between taking its mail and leaving its engine.
    pub inside: AtomicBool,
    /// Whether it is on.
    pub power: Mutex<Power<T::Entry>>,
    /// It waits for an interrupt.
    pub halted: AtomicBool,
    /// The requests that end its wait.
    wakes: AtomicU32,
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
    /// Where processors take turns: whose turn it is, and from whom on the next one is looked for.
    turn: Option<usize>,
    next: usize,
    subscribers: Vec<Sender<Event>>,
}

/// The shared part.
pub struct Shared<T: Target> {
    /// One a processor.
    pub gates: Vec<Gate<T>>,
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
    /// Processors take turns: one at a time is inside of its engine.
    pub turns: bool,
}

/// How long a turn lasts if another processor waits for it.
const TURN: Duration = Duration::from_millis(1);
/// Mail that waits for one processor; where there is more, it does everything that mail can ask for.
const MAIL: usize = 64;

impl<T: Target> Gate<T> {
    /// Leaves a request of another processor for this one.
    pub fn send(&self, what: T::Mail) {
        let mut mail = self.mail.lock();
        // A processor that is off or asleep reads it late.
        if mail.len() == MAIL {
            mail.clear();
            mail.push_back(T::everything());
        } else {
            mail.push_back(what);
        }
        self.attention.set(Attention::MAIL);
    }

    /// Whether it is on and has something to do.
    fn is_ready(&self) -> bool {
        let wakes = self.wakes.load(Ordering::SeqCst) | Attention::MAIL;
        match *self.power.lock() {
            Power::Off => false,
            // It waits no longer for what it waited for before.
            Power::Starting(_) => true,
            Power::On => !self.halted.load(Ordering::SeqCst) || self.attention.bits() & wakes != 0,
        }
    }
}

impl<T: Target> Shared<T> {
    /// For `cpus` processors, of which the first is on. Do they take `turns`?
    pub fn new(cpus: usize, turns: bool) -> Self {
        let gate = |i| Gate {
            attention: Arc::default(),
            mail: Mutex::default(),
            inside: AtomicBool::new(false),
            power: Mutex::new(if i == 0 { Power::On } else { Power::Off }),
            halted: AtomicBool::new(false),
            wakes: AtomicU32::new(0),
        };
        Self {
            gates: (0..cpus).map(gate).collect(),
            state: Mutex::new(State {
                status: Status::Prelaunch,
                requests: VecDeque::new(),
                turn: None,
                next: 0,
                subscribers: Vec::new(),
            }),
            changed: Condvar::new(),
            holders: AtomicUsize::new(0),
            over: AtomicBool::new(false),
            stepping: Mutex::new(None),
            breakpoints: Mutex::default(),
            armed: AtomicBool::new(false),
            turns,
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

    /// Leaves a request for the supervisor. A guest that stands still is not stopped again: the request would wait
    /// for its going on.
    pub fn request(&self, request: Request) {
        let mut state = self.state.lock();
        if matches!(request, Request::Stop(..)) && !state.status.is_running() {
            return;
        }
        state.requests.push_back(request);
        drop(state);
        self.kick();
    }

    /// Waits for the next request. A stop has changed the status already. No processor executes anything between the
    /// request and the guard's end.
    pub fn next_request(&self) -> (Request, Hold<'_, T>) {
        let mut state = self.state.lock();
        loop {
            match state.requests.pop_front() {
                // The status changes with the request's removal: between the two a processor would be admitted.
                Some(Request::Stop(cpu, reason)) if state.status.is_running() => {
                    state.status = Status::Paused(reason.clone());
                    // One stop is all that was asked for, for however many reasons.
                    state.requests.retain(|r| !matches!(r, Request::Stop(..)));
                    *self.stepping.lock() = None;
                    return (Request::Stop(cpu, reason), self.held());
                }
                // Its end has come first.
                Some(Request::Stop(..)) => continue,
                Some(request) => return (request, self.held()),
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
    pub fn hold(&self) -> Hold<'_, T> {
        let held = self.held();
        self.kick();
        held
    }

    /// Whether somebody holds the machine.
    pub fn is_held(&self) -> bool {
        self.holders.load(Ordering::SeqCst) != 0
    }

    fn held(&self) -> Hold<'_, T> {
        self.holders.fetch_add(1, Ordering::SeqCst);
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
            let held = self.is_held();
            let stepping = *self.stepping.lock();
            let mine = match stepping {
                None => gate.is_ready() && self.has_turn(cpu, &state),
                // WFI may end at any time: it does when it is stepped over.
                Some((c, others)) if c.0 as usize == cpu => {
                    *gate.power.lock() != Power::Off && (others == Others::Hold || state.turn.is_none())
                }
                Some((_, others)) => others == Others::Run && gate.is_ready() && self.has_turn(cpu, &state),
            };
            if state.status.is_running() && !held && mine && state.requests.is_empty() {
                if self.turns {
                    state.turn = Some(cpu);
                }
                gate.halted.store(false, Ordering::SeqCst);
                gate.inside.store(true, Ordering::SeqCst);
                return true;
            }
            let waits_for_turn = self.turns && gate.is_ready() && state.status.is_running() && !held;
            if !waits_for_turn {
                self.changed.wait(&mut state);
            } else if self.changed.wait_for(&mut state, TURN).timed_out()
                && let Some(other) = state.turn
            {
                self.gates[other].attention.set(Attention::STOP);
            }
        }
    }

    /// Whether a processor that is ready may run beside the one that does.
    fn has_turn(&self, cpu: usize, state: &State) -> bool {
        let all = self.gates.len();
        let first = || (0..all).map(|i| (state.next + i) % all).find(|&i| self.gates[i].is_ready());
        !self.turns || state.turn.is_none() && first() == Some(cpu)
    }

    /// Whether all processors but `cpu` are off.
    pub fn others_off(&self, cpu: usize) -> bool {
        self.gates.iter().enumerate().all(|(i, gate)| i == cpu || *gate.power.lock() == Power::Off)
    }

    /// The vCPU left its engine. If it waits for an interrupt, `halted` has the requests that end that.
    pub fn leave(&self, cpu: usize, halted: Option<u32>) {
        self.gates[cpu].wakes.store(halted.unwrap_or(0), Ordering::SeqCst);
        self.gates[cpu].halted.store(halted.is_some(), Ordering::SeqCst);
        self.gates[cpu].inside.store(false, Ordering::SeqCst);
        if self.turns {
            let mut state = self.state.lock();
            (state.turn, state.next) = (None, (cpu + 1) % self.gates.len());
            drop(state);
            self.changed.notify_all();
        }
    }
}

impl<T: Target> Shared<T> {
    /// Sets or clears requests to a processor, and wakes it if it sleeps. May be called with a device's lock held.
    pub fn signal(&self, cpu: usize, bits: u32, level: bool) {
        let Some(gate) = self.gates.get(cpu) else { return };
        if !level {
            gate.attention.clear(bits);
            return;
        }
        gate.attention.set(bits);
        if gate.halted.load(Ordering::SeqCst) {
            drop(self.state.lock());
            self.changed.notify_all();
        }
    }
}

impl<T: Target> Shared<T> {
    /// Sends mail to all processors but `from`, and waits until those that were inside of their engines have read it. While
    /// waiting it calls `meanwhile`, which handles the sender's own mail.
    pub fn broadcast(&self, from: usize, what: &T::Mail, meanwhile: &mut dyn FnMut()) {
        for (i, gate) in self.gates.iter().enumerate() {
            if i != from {
                gate.send(what.clone());
            }
        }
        for (i, gate) in self.gates.iter().enumerate() {
            // A processor outside of its engine reads its mail before it goes in again.
            while i != from && gate.inside.load(Ordering::SeqCst) && !gate.mail.lock().is_empty() {
                meanwhile();
                std::thread::yield_now();
            }
        }
    }

    /// What was sent to a processor since it last looked.
    pub fn take_mail(&self, cpu: usize) -> Vec<T::Mail> {
        self.gates.get(cpu).map(|g| g.mail.lock().drain(..).collect()).unwrap_or_default()
    }
}

impl<T: Target> CpuLines for Shared<T> {
    fn set(&self, cpu: usize, line: CpuLine, level: bool) {
        let bit = match line {
            CpuLine::Irq => Attention::IRQ,
            CpuLine::Fiq => Attention::FIQ,
        };
        self.signal(cpu, bit, level);
    }
}

/// The machine is held at an instruction boundary.
pub struct Hold<'a, T: Target>(&'a Shared<T>);

impl<T: Target> Drop for Hold<'_, T> {
    fn drop(&mut self) {
        self.0.holders.fetch_sub(1, Ordering::SeqCst);
        self.0.kick();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lyrebird_cpu::arm::Arm64;
    use lyrebird_cpu::arm::maintenance::Forget;

    #[test]
    fn mail_for_who_is_off_is_bounded() {
        let shared = Shared::<Arm64>::new(2, false);
        let gate = &shared.gates[1];
        for page in 0..1000 {
            gate.send(Forget::Pages(page << 12, 1));
        }
        let mail: Vec<_> = gate.mail.lock().drain(..).collect();
        assert!(mail.len() <= MAIL);
        assert!(matches!(mail[0], Forget::All), "what did not fit is forgotten with everything else");
        assert!(gate.attention.bits() & Attention::MAIL != 0);
    }

    #[test]
    fn a_guest_stops_once_for_all_reasons() {
        let shared = Shared::<Arm64>::new(1, false);
        let stop = |reason| Request::Stop(CpuId(0), reason);
        shared.set_status(Status::Running);
        shared.request(stop(StopReason::StepDone));
        shared.request(stop(StopReason::Requested));
        assert_eq!(shared.next_request().0, stop(StopReason::StepDone));
        // It stands still.
        shared.request(stop(StopReason::Requested));
        shared.set_status(Status::Running);
        shared.request(Request::Reset);
        assert_eq!(shared.next_request().0, Request::Reset);
        shared.request(stop(StopReason::Requested));
        assert_eq!(shared.next_request().0, stop(StopReason::Requested));
        assert_eq!(shared.status(), Status::Paused(StopReason::Requested));
    }

    #[test]
    fn turns_go_round_among_those_who_are_ready() {
        let shared = Shared::<Arm64>::new(3, true);
        shared.set_status(Status::Running);
        for cpu in [0, 2] {
            *shared.gates[cpu].power.lock() = Power::On;
        }
        let state = || shared.state.lock();
        assert!(shared.admit(0));
        assert!(!shared.has_turn(2, &state()), "processor 0 is inside");
        shared.leave(0, None);
        assert!(shared.has_turn(2, &state()) && !shared.has_turn(0, &state()), "processor 1 is off");
        assert!(shared.admit(2));
        shared.leave(2, Some(Attention::IRQ));
        assert!(shared.has_turn(0, &state()) && !shared.has_turn(2, &state()));
    }
}
