//! The thread of a virtual processor.

use crate::breakpoints;
use crate::control::{CpuId, Shutdown, StopReason};
use crate::engine::Engine;
use crate::shared::{Power, Request, Shared};
use lyrebird_cpu::arm::exception::FOR_EVER;
use lyrebird_cpu::arm::model::{self, Model};
use lyrebird_cpu::arm::{Arm64, maintenance, state, sysreg};
use lyrebird_cpu::core::{Arch, Core};
use lyrebird_cpu::run::Exit;
use lyrebird_cpu::trace::DebugItems;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// A processor and its engine; locked by its thread while it runs, by others while the machine is held.
pub struct Vcpu {
    /// Architectural state.
    pub core: Core<Arm64>,
    /// What executes it.
    pub engine: Box<dyn Engine>,
    /// What it is.
    pub model: Model,
    /// It has a system-register interface to the interrupt controller.
    pub gicv3: bool,
    /// A breakpoint or watchpoint of the instruction here has stopped it: it runs without stopping again.
    pub past: Option<u64>,
}

impl Vcpu {
    /// Power-on state; `entry` and `argument` become PC and X0.
    pub fn reset(&mut self, entry: u64, argument: u64) {
        model::reset(&mut self.core, &self.model, self.gicv3);
        self.core.set_pc(entry);
        self.core.set(state::x(0), argument);
        if self.core.trace.shows(DebugItems::CPU_RESET) {
            let registers = Arm64::describe(&self.core);
            log::debug!(target: "cpu_reset", "cpu {} reset\n{registers}", self.core.index);
        }
    }
}

/// Instructions between looks at the outside when nothing asks for attention.
const SLICE: u64 = 10_000_000;

/// Runs processor `index` until the machine is over.
pub fn run(index: usize, vcpu: &Arc<Mutex<Vcpu>>, shared: &Arc<Shared>) {
    let mut begun = false;
    while shared.admit(index) {
        let mut v = vcpu.lock();
        // It was admitted before, and comes from waiting for the lock.
        if shared.is_held() {
            shared.leave(index, false);
            continue;
        }
        {
            let mut power = shared.gates[index].power.lock();
            if let Power::Starting(entry, argument) = *power {
                *power = Power::On;
                drop(power);
                v.reset(entry, argument);
            }
        }
        let v = &mut *v;
        maintenance::receive(&mut v.core);
        v.core.halted = false;
        if !std::mem::replace(&mut begun, true) {
            log::debug!("Processor {index} begins at {:#x}", v.core.pc());
        }
        let stepping = shared.stepping.lock().is_some_and(|(c, _)| c.0 as usize == index);
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
        shared.leave(index, exit == Exit::Halted);
        if v.core.arch.stuck >= FOR_EVER {
            v.core.arch.stuck = 0;
            // Another processor could repair what faults.
            if shared.others_off(index) {
                shared.request(Request::Shutdown(Shutdown::GuestPanic(fault_loop(index, &v.core))));
            }
        }
        if let Some(reason) = stop {
            shared.request(Request::Stop(CpuId(index as u32), reason));
        }
    }
}

/// What is known of a loop of exceptions.
fn fault_loop(index: usize, core: &Core<Arm64>) -> String {
    let (pc, esr) = (core.pc(), core.reg(sysreg::ESR_EL1));
    format!(
        "processor {index} faults for ever: the first instruction of its exception vector at {pc:#x} faults itself (ESR \
         {esr:#x}, FAR {:#x}); -d int shows how it came there",
        core.reg(sysreg::FAR_EL1)
    )
}
