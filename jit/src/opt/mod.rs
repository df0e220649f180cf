//! Passes over a region's IR, each in a file named after what it removes.

pub mod dead;
pub mod seeded;
pub mod state;

use crate::guest::Guest;
use crate::ir::{Ir, verify};

/// The passes and the memory they reuse.
#[derive(Default)]
pub struct Passes {
    state: state::State,
    dead: dead::Dead,
    fault: Option<&'static seeded::Fault>,
}

impl Passes {
    /// Passes that make a mistake, for testing.
    pub fn with(fault: Option<&'static seeded::Fault>) -> Self {
        Self { fault, ..Self::default() }
    }

    /// Runs every pass; `counting`: runs may end between any two blocks.
    pub fn run<A: Guest>(&mut self, ir: &mut Ir<A>, counting: bool) {
        checked(ir, "lift");
        self.state.run(ir);
        checked(ir, "state");
        if let Some(fault) = self.fault {
            seeded::apply(fault, ir);
            checked(ir, fault.name);
        }
        self.dead.run(ir, counting);
        checked(ir, "dead");
    }
}

/// Stops debug builds at the pass that broke the IR.
fn checked<A: Guest>(ir: &Ir<A>, after: &str) {
    if cfg!(debug_assertions)
        && let Err(what) = verify::check(ir)
    {
        panic!("after {after}: {what}\n{ir}");
    }
}
