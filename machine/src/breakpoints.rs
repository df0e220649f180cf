//! Breakpoints and watchpoints that front ends set.

use crate::control::{Breakpoint, BreakpointId};

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
