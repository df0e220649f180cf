//! What device and transport share: the queues, and the way to interrupt the driver.
//!
//! It has a lock of its own, taken inside of the device's, so that a thread of the device can take and give back
//! chains without the device's lock.

use super::chain::Chain;
use super::device::features;
use super::ring::{Fault, Queue, RingFeatures};
use crate::bus::dma::Dma;
use crate::bus::irq::Wire;
use crate::bus::report::{GUEST_ERRORS, Limiter};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Device status bits (2.1).
pub mod status {
    /// The driver is set up and drives the device.
    pub const DRIVER_OK: u32 = 4;
    /// Feature negotiation is complete.
    pub const FEATURES_OK: u32 = 8;
    /// The device has met an error that it does not recover from by itself.
    pub const NEEDS_RESET: u32 = 0x40;
    /// The bits that exist.
    pub const ALL: u32 = 0xCF;
}

/// Interrupt status bits (4.2.2).
pub mod interrupt {
    /// A used ring has new entries.
    pub const USED: u32 = 1;
    /// The configuration has changed.
    pub const CONFIG: u32 = 2;
}

/// What an interrupt is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The used ring of this queue.
    Queue(usize),
    /// The configuration, or the device's status.
    Config,
}

/// A transport's way to interrupt the driver. Called with the link's lock held, from any thread.
pub trait Interrupt: Send + Sync {
    /// Something happened; the interrupt status has a bit for it.
    fn raise(&self, cause: Cause);
    /// Whether the interrupt status has any bit, after the driver may have cleared some.
    fn settle(&self, pending: bool);
}

/// A level-triggered wire that shows the interrupt status.
impl Interrupt for Wire {
    fn raise(&self, _: Cause) {
        self.assert();
    }
    fn settle(&self, pending: bool) {
        self.set(pending);
    }
}

/// The shared part of the guest-visible state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Core {
    /// Device status.
    pub status: u32,
    /// Interrupt status.
    pub interrupt: u32,
    /// Features that the driver accepted.
    pub features: u64,
    /// Configuration generation.
    pub generation: u32,
    /// The queues.
    pub queues: Vec<Queue>,
    /// Resets so far: what was taken before the last is void.
    #[serde(skip)]
    epoch: u64,
}

impl Core {
    /// A core at power-on with queues of these sizes.
    pub fn new(sizes: &[u16]) -> Core {
        let queues = sizes.iter().map(|&n| Queue::new(n)).collect();
        Core { status: 0, interrupt: 0, features: 0, generation: 0, queues, epoch: 0 }
    }

    fn ring_features(&self) -> RingFeatures {
        RingFeatures {
            indirect: self.features & features::INDIRECT_DESC != 0,
            event_idx: self.features & features::EVENT_IDX != 0,
        }
    }

    fn running(&self) -> bool {
        self.status & (status::DRIVER_OK | status::NEEDS_RESET) == status::DRIVER_OK
    }
}

struct Inner {
    name: &'static str,
    core: Mutex<Core>,
    dma: Dma,
    interrupt: Arc<dyn Interrupt>,
    limiter: Limiter,
}

/// A device's way to its driver; clones are the same.
#[derive(Clone)]
pub struct Link(Arc<Inner>);

impl Link {
    /// A link for the device `name`.
    pub fn new(name: &'static str, core: Core, dma: Dma, interrupt: Arc<dyn Interrupt>) -> Link {
        Link(Arc::new(Inner { name, core: Mutex::new(core), dma, interrupt, limiter: Limiter::new() }))
    }

    /// Guest memory.
    pub fn dma(&self) -> &Dma {
        &self.0.dma
    }

    /// Features that the driver accepted.
    pub fn features(&self) -> u64 {
        self.0.core.lock().features
    }

    /// Takes the next chain of `queue`. `None` when there is none, the driver is not there, or it broke the queue.
    pub fn pop(&self, queue: usize) -> Option<Chain> {
        self.next(queue, true)
    }

    /// Shows the next chain of `queue` and leaves it there: a later [`Link::pop`] takes it.
    pub fn peek(&self, queue: usize) -> Option<Chain> {
        self.next(queue, false)
    }

    fn next(&self, queue: usize, take: bool) -> Option<Chain> {
        let mut core = self.0.core.lock();
        if !core.running() {
            return None;
        }
        let (features, epoch) = (core.ring_features(), core.epoch);
        let ring = core.queues.get_mut(queue).filter(|q| q.ready)?;
        match ring.peek(&self.0.dma, features) {
            Ok(chain) => {
                if take && chain.is_some() {
                    ring.take();
                }
                chain.map(|chain| Chain { queue, epoch, ..chain })
            }
            Err(fault) => {
                self.broken(&mut core, fault);
                None
            }
        }
    }

    /// Gives a chain back, `written` bytes of it written. Void after a reset. [`Link::signal`] tells the driver.
    pub fn push(&self, chain: &Chain, written: u32) {
        let mut core = self.0.core.lock();
        if chain.epoch != core.epoch || !core.running() {
            return;
        }
        let Some(queue) = core.queues.get_mut(chain.queue).filter(|q| q.ready) else { return };
        if let Err(fault) = queue.push(&self.0.dma, chain.head, written) {
            self.broken(&mut core, fault);
        }
    }

    /// Interrupts the driver if it wants to know of what was pushed to `queue`.
    pub fn signal(&self, queue: usize) {
        let mut core = self.0.core.lock();
        if !core.running() {
            return;
        }
        let features = core.ring_features();
        let Some(ring) = core.queues.get_mut(queue).filter(|q| q.ready) else { return };
        match ring.wants_interrupt(&self.0.dma, features) {
            Ok(false) => {}
            Ok(true) => self.interrupt(&mut core, Cause::Queue(queue)),
            Err(fault) => self.broken(&mut core, fault),
        }
    }

    /// Whether a chain is still the device's: false after a reset.
    pub fn is_current(&self, chain: &Chain) -> bool {
        let core = self.0.core.lock();
        chain.epoch == core.epoch && core.running()
    }

    /// Tells the driver that the configuration space changed.
    pub fn config_changed(&self) {
        let mut core = self.0.core.lock();
        core.generation = core.generation.wrapping_add(1);
        if core.running() {
            self.interrupt(&mut core, Cause::Config);
        }
    }

    /// The driver broke the rules: the device rests until it is reset (2.1.1).
    pub fn fail(&self, fault: Fault) {
        self.broken(&mut self.0.core.lock(), fault);
    }

    fn broken(&self, core: &mut Core, fault: Fault) {
        if let Some(n) = self.0.limiter.pass() {
            log::warn!(target: GUEST_ERRORS, "{}: {fault}: the device needs a reset (no. {n})", self.0.name);
        }
        let was_running = core.running();
        core.status |= status::NEEDS_RESET;
        if was_running {
            self.interrupt(core, Cause::Config);
        }
    }

    fn interrupt(&self, core: &mut Core, cause: Cause) {
        core.interrupt |= match cause {
            Cause::Queue(_) => interrupt::USED,
            Cause::Config => interrupt::CONFIG,
        };
        self.0.interrupt.raise(cause);
    }

    /// The transport's access to the shared state; the interrupt follows its status afterwards.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut Core) -> T) -> T {
        let mut core = self.0.core.lock();
        let result = act(&mut core);
        self.0.interrupt.settle(core.interrupt != 0);
        result
    }

    /// Replaces the shared state; chains taken before become void.
    pub(super) fn replace(&self, new: Core) {
        self.with(|core| *core = Core { epoch: core.epoch.wrapping_add(1), ..new });
    }
}
