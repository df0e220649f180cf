//! Interrupt routing of the south bridges: PIRQ lines to ISA interrupts, and on the ICH9 to I/O APIC inputs as well.
//!
//! Left out on purpose: serial interrupts, and routing to the SMI.

use crate::bus::irq::{LineSink, Wire};
use parking_lot::Mutex;

/// Lines that can be routed: PIRQA to PIRQH; a PIIX3 uses the first four.
const LINES: usize = 8;
/// ISA interrupts.
const IRQS: usize = 16;
/// Route register: not routed.
const DISABLED: u8 = 0x80;

struct State {
    levels: [bool; LINES],
    routes: [u8; LINES],
}

/// The router. Lines 0 to 7 of it are PIRQA to PIRQH. Its wires have no other driver: boards give it
/// those of [`crate::intc::gsi::Gsi`], which share lines with the rest of the chipset.
pub struct PirqRouter {
    state: Mutex<State>,
    irqs: [Wire; IRQS],
    apic: Vec<Wire>,
}

impl PirqRouter {
    /// A router that drives `irqs` (a wire for each ISA interrupt) and, unrouted, `apic` (one for each line; none on
    /// machines without).
    pub fn new(irqs: [Wire; IRQS], apic: Vec<Wire>) -> PirqRouter {
        let state = State { levels: [false; LINES], routes: [DISABLED; LINES] };
        PirqRouter { state: Mutex::new(state), irqs, apic }
    }

    /// The guest wrote PIRQ route register `line` (bit 7: off, bits 3:0: ISA interrupt).
    pub fn route(&self, line: usize, value: u8) {
        let mut state = self.state.lock();
        if let Some(route) = state.routes.get_mut(line) {
            *route = value;
        }
        self.drive(&state);
    }

    fn drive(&self, state: &State) {
        let routed = state
            .levels
            .iter()
            .zip(&state.routes)
            .filter(|(level, route)| **level && **route & DISABLED == 0);
        let levels = routed.fold(0u16, |levels, (_, route)| levels | 1 << (route & 0xF));
        for (irq, wire) in self.irqs.iter().enumerate() {
            wire.set(levels >> irq & 1 != 0);
        }
        for (wire, &level) in self.apic.iter().zip(&state.levels) {
            wire.set(level);
        }
    }
}

impl LineSink for PirqRouter {
    fn set_line(&self, line: u32, level: bool) {
        let mut state = self.state.lock();
        if let Some(pirq) = state.levels.get_mut(line as usize) {
            *pirq = level;
        }
        self.drive(&state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_share_interrupts() {
        let irqs: [Wire; IRQS] = std::array::from_fn(|_| Wire::open());
        let apic: Vec<Wire> = (0..8).map(|_| Wire::open()).collect();
        let router = PirqRouter::new(irqs.clone(), apic.clone());
        let high = || (0..16).filter(|&i| irqs[i].level()).collect::<Vec<_>>();
        router.set_line(0, true);
        assert_eq!(high(), [0; 0]);
        assert!(apic[0].level() && !apic[1].level());
        router.route(0, 11);
        router.route(3, 11);
        assert_eq!(high(), [11]);
        router.set_line(3, true);
        router.set_line(0, false);
        assert_eq!(high(), [11]);
        router.route(3, 9);
        assert_eq!(high(), [9]);
        router.route(3, 0x89);
        assert_eq!(high(), [0; 0]);
        router.route(99, 1);
        router.set_line(99, true);
    }
}
