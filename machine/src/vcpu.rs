//! The thread of a virtual processor.

use crate::breakpoints;
use crate::control::{CpuId, Shutdown, StopReason};
use crate::engine::Engine;
use crate::shared::{Power, Request, Shared};
use crate::target::Target;
use lyrebird_cpu::core::Core;
use lyrebird_cpu::run::Exit;
use lyrebird_cpu::trace::DebugItems;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// A processor and its engine; locked by its thread while it runs, by others while the machine is held.
pub struct Vcpu<T: Target> {
    /// Architectural state.
    pub core: Core<T>,
    /// What executes it.
    pub engine: Box<dyn Engine<T>>,
    /// What it is.
    pub model: T::Model,
    /// A breakpoint or watchpoint of the instruction here has stopped it: it runs without stopping again.
    pub past: Option<u64>,
}

impl<T: Target> Vcpu<T> {
    /// The state in which it starts.
    pub fn reset(&mut self, entry: &T::Entry) {
        T::reset(&mut self.core, &self.model, entry);
        if self.core.trace.shows(DebugItems::CPU_RESET) {
            let registers = T::describe(&self.core);
            log::debug!(target: "cpu_reset", "cpu {} reset\n{registers}", self.core.index);
        }
    }
}

/// Instructions between looks at the outside when nothing asks for attention.
const SLICE: u64 = 10_000_000;

/// Runs processor `index` until the machine is over.
pub fn run<T: Target>(index: usize, vcpu: &Arc<Mutex<Vcpu<T>>>, shared: &Arc<Shared<T>>) {
    let mut begun = false;
    while shared.admit(index) {
        let mut v = vcpu.lock();
        // It was admitted before, and comes from waiting for the lock.
        if shared.is_held() {
            shared.leave(index, waits(&v.core));
            continue;
        }
        {
            let mut power = shared.gates[index].power.lock();
            if let Power::Starting(entry) = power.clone() {
                *power = Power::On;
                drop(power);
                v.reset(&entry);
            }
        }
        let v = &mut *v;
        let stepping = shared.stepping.lock().is_some_and(|(c, _)| c.0 as usize == index);
        let requests = v.core.attention.bits();
        T::mail(&mut v.core);
        if let Some(wakes) = waits(&v.core).filter(|wakes| requests & wakes == 0) {
            if !stepping {
                // Only its mail was to be read.
                shared.leave(index, Some(wakes));
                continue;
            } else if !T::WAITS_MAY_END {
                shared.leave(index, Some(wakes));
                shared.request(Request::Stop(CpuId(index as u32), StopReason::StepDone));
                continue;
            }
        }
        v.core.halted = false;
        if !std::mem::replace(&mut begun, true) {
            log::debug!("Processor {index} begins at {:#x}", v.core.pc());
        }
        let (exit, stop) = if stepping {
            v.past = None;
            // The supervisor ends the stepping together with the run, so that nobody else is admitted between.
            (v.engine.step(&mut v.core), Some(StopReason::StepDone))
        } else if shared.armed.load(Ordering::SeqCst) {
            let points = shared.breakpoints.lock().all().to_vec();
            breakpoints::run(v, &points)
        } else {
            v.past = None;
            (v.engine.run(&mut v.core, SLICE), None)
        };
        let wakes = T::wakes(&v.core);
        shared.leave(index, (exit == Exit::Halted).then_some(wakes));
        // Another processor could repair what faults.
        if let Some(why) = T::stuck(&mut v.core)
            && shared.others_off(index)
        {
            shared.request(Request::Shutdown(Shutdown::GuestPanic(why)));
        }
        if let Some(reason) = stop {
            shared.request(Request::Stop(CpuId(index as u32), reason));
        }
    }
}

/// The requests that end its wait, if it waits.
fn waits<T: Target>(core: &Core<T>) -> Option<u32> {
    core.halted.then(|| T::wakes(core))
}
