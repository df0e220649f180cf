//! Breakpoints and watchpoints that front ends set.
//!
//! While there are any, the interpreter runs the guest, whatever the engine: up to the next branch or breakpoint in one
//! go, or instruction by instruction if there are watchpoints. Compiled code knows nothing of them.

use crate::control::{Breakpoint, BreakpointId, BreakpointKind, StopReason};
use crate::target::{Access, Target};
use crate::vcpu::Vcpu;
use lyrebird_cpu::core::Core;
use lyrebird_cpu::run::Exit;
use lyrebird_cpu::trace::BLOCKS;

/// All that are set.
#[derive(Default)]
pub struct Breakpoints {
    next: u32,
    set: Vec<(BreakpointId, Breakpoint)>,
}

impl Breakpoints {
    /// Adds one.
    pub fn add(&mut self, b: Breakpoint) -> BreakpointId {
        self.next += 1;
        let id = BreakpointId(self.next);
        self.set.push((id, b));
        id
    }

    /// Removes one; false if there is none of that id.
    pub fn remove(&mut self, id: BreakpointId) -> bool {
        let before = self.set.len();
        self.set.retain(|(i, _)| *i != id);
        self.set.len() != before
    }

    /// All of them.
    pub fn all(&self) -> &[(BreakpointId, Breakpoint)] {
        &self.set
    }
}

/// Instructions between looks at the list.
const SLICE: u64 = 1_000_000;

/// Runs a processor until one of `points` or until something else asks for attention.
pub fn run<T: Target>(v: &mut Vcpu<T>, points: &[(BreakpointId, Breakpoint)]) -> (Exit, Option<StopReason>) {
    let watching = points.iter().any(|(_, b)| b.kind != BreakpointKind::Execute);
    let mut past = v.past.take() == Some(v.core.pc());
    let mut left = SLICE;
    while left > 0 {
        let pc = v.core.pc();
        if !past && let Some((id, _)) = executes(points).find(|(_, b)| b.address == pc) {
            return (Exit::Budget, Some(StopReason::Breakpoint { id: *id, address: pc }));
        }
        let touched = if watching && !past { watched(&mut v.core, points) } else { None };
        if !T::STOPS_BEHIND && touched.is_some() {
            return (Exit::Budget, touched);
        }
        let ahead = executes(points).filter_map(|(_, b)| b.address.checked_sub(pc)).filter(|d| *d > 0).min();
        // Instructions that cannot lead past the next breakpoint.
        let most = ahead.map_or(left, |bytes| (bytes / T::LONGEST as u64).clamp(1, left));
        if v.core.trace.shows(BLOCKS) {
            v.core.show_block("interpreted");
        }
        // The instruction that has stopped the processor runs before an interrupt can come back to it.
        let alone = past || touched.is_some();
        let exit = if alone { v.core.step() } else { v.core.run_to_branch(if watching { 1 } else { most }) };
        past = false;
        if exit != Exit::Budget || touched.is_some() {
            return (exit, touched);
        }
        left = left.saturating_sub(if watching { 1 } else { 16 });
    }
    (Exit::Budget, None)
}

fn executes(points: &[(BreakpointId, Breakpoint)]) -> impl Iterator<Item = &(BreakpointId, Breakpoint)> {
    points.iter().filter(|(_, b)| b.kind == BreakpointKind::Execute)
}

/// The watchpoint that the next instruction would touch.
fn watched<T: Target>(core: &mut Core<T>, points: &[(BreakpointId, Breakpoint)]) -> Option<StopReason> {
    T::accesses(core).iter().flatten().find_map(|access| touches::<T>(access, points))
}

/// The watchpoint that an access touches.
fn touches<T: Target>(a: &Access, points: &[(BreakpointId, Breakpoint)]) -> Option<StopReason> {
    let (first, last) = (T::plain(a.address), T::plain(a.address).saturating_add(a.len as i64 - 1));
    let (id, b) = points.iter().find(|(_, b)| {
        let kind = match b.kind {
            BreakpointKind::Execute => false,
            BreakpointKind::Read => a.read,
            BreakpointKind::Write => a.write,
            BreakpointKind::Access => true,
        };
        let start = T::plain(b.address);
        kind && start <= last && first <= start.saturating_add(b.len.clamp(1, 1 << 32) as i64 - 1)
    })?;
    let write = a.write && b.kind != BreakpointKind::Read;
    Some(StopReason::Watchpoint { id: *id, address: a.address, write })
}
