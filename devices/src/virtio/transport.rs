//! What the transports share: feature negotiation, status, the set-up of queues, and state.
//!
//! A transport keeps its own selectors and layout of registers; everything that they stand for is here.

use super::device::{VirtioDevice, features};
use super::link::{Core, Interrupt, Link, status};
use super::ring::Queue;
use crate::bus::device::{BusError, BusResult};
use crate::bus::dma::Dma;
use crate::bus::snapshot::{StateError, require};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Which interface the driver uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Interface {
    /// Before VIRTIO 1.0: 32 feature bits, no FEATURES_OK, queues in pages.
    Legacy,
    /// VIRTIO 1.x.
    Modern,
}

/// The state of a transport's lower half.
#[derive(Serialize, Deserialize)]
pub(super) struct Saved {
    core: Core,
    device: Vec<u8>,
}

/// A device and its link, as a driver sets them up.
pub(super) struct Transport {
    device: Box<dyn VirtioDevice>,
    pub(super) link: Link,
    sizes: Vec<u16>,
}

impl Transport {
    /// A transport in front of `device`.
    pub(super) fn new(
        mut device: Box<dyn VirtioDevice>,
        dma: Dma,
        interrupt: Arc<dyn Interrupt>,
    ) -> Transport {
        let sizes = device.queue_sizes();
        let link = Link::new(device.name(), Core::new(&sizes), dma, interrupt);
        device.attach(link.clone());
        Transport { device, link, sizes }
    }

    pub(super) fn device(&self) -> &dyn VirtioDevice {
        self.device.as_ref()
    }

    pub(super) fn device_mut(&mut self) -> &mut dyn VirtioDevice {
        self.device.as_mut()
    }

    /// How many queues there are.
    pub(super) fn queues(&self) -> usize {
        self.sizes.len()
    }

    /// The most descriptors of queue `index`; 0 if there is none.
    pub(super) fn most(&self, index: usize) -> u16 {
        self.sizes.get(index).copied().unwrap_or(0)
    }

    /// The features that a driver of `interface` is offered.
    pub(super) fn offered(&self, interface: Interface) -> u64 {
        let common = features::INDIRECT_DESC | features::EVENT_IDX;
        let version = match interface {
            Interface::Legacy => features::ANY_LAYOUT,
            Interface::Modern => features::VERSION_1,
        };
        self.device.features() | common | version
    }

    /// Reset by the driver: the device starts over.
    pub(super) fn restart(&mut self) {
        self.link.replace(Core::new(&self.sizes));
        self.device.reset();
    }

    /// Looks at queue `index`.
    pub(super) fn queue<T>(&self, index: usize, read: impl FnOnce(&Queue) -> T) -> Option<T> {
        self.link.with(|core| core.queues.get(index).map(read))
    }

    /// Changes queue `index`, which must not be ready: a driver must not touch one that is (4.2.3.2).
    pub(super) fn set_up(&self, index: usize, change: impl FnOnce(&mut Queue)) -> BusResult<()> {
        self.link.with(|core| match core.queues.get_mut(index) {
            Some(queue) if !queue.ready => {
                change(queue);
                Ok(())
            }
            _ => Err(BusError::NoRegister),
        })
    }

    /// The driver's size for queue `index`.
    pub(super) fn set_size(&self, index: usize, size: u32) -> BusResult<()> {
        if !Queue::size_ok(size.into()) || size > self.most(index).into() {
            return Err(BusError::Unimplemented);
        }
        self.set_up(index, |q| q.size = size as u16)
    }

    /// The legacy layout (2.7.2): descriptors, available ring, and the used ring at the next multiple of `align`, a
    /// power of two. A queue that is ready stays where it is.
    pub(super) fn place_legacy(&self, index: usize, base: u64, align: u64) {
        let _ = self.set_up(index, |q| {
            q.desc = base;
            q.avail = base + 16 * u64::from(q.size);
            q.used = (q.avail + 6 + 2 * u64::from(q.size)).next_multiple_of(align);
        });
    }

    /// Starts or ends the use of queue `index`.
    pub(super) fn set_ready(&self, index: usize, ready: bool) -> BusResult<()> {
        self.link.with(|core| {
            let queue = core.queues.get_mut(index).ok_or(BusError::NoRegister)?;
            if ready {
                queue.ready = true;
            } else if queue.ready {
                queue.stop();
            }
            Ok(())
        })
    }

    /// The driver accepts features: 32 bits, `half` 0 or 1. They are fixed once FEATURES_OK is set (3.1.1).
    pub(super) fn accept(&self, half: u32, value: u32, interface: Interface) {
        let shift = match half {
            0 => 0,
            1 if interface == Interface::Modern => 32,
            _ => return,
        };
        let offered = self.offered(interface);
        self.link.with(|core| {
            if core.status & status::FEATURES_OK == 0 {
                core.features = core.features & !(0xFFFF_FFFF << shift) | u64::from(value) << shift;
                if interface == Interface::Legacy {
                    core.features &= offered; // a legacy driver has no way to be refused
                }
            }
        });
    }

    /// The driver writes another status than 0, which is [`Transport::restart`].
    pub(super) fn set_status(&mut self, value: u32, interface: Interface) {
        let modern = interface == Interface::Modern;
        let offered = self.offered(interface);
        let started = self.link.with(|core| {
            let mut new = value & status::ALL | core.status & status::NEEDS_RESET;
            let needed = core.features & features::VERSION_1 != 0 && core.features & !offered == 0;
            if modern && !needed {
                new &= !status::FEATURES_OK; // 3.1.1: this is how a driver learns that it was refused
            }
            if modern && new & status::FEATURES_OK == 0 {
                new &= !status::DRIVER_OK;
            }
            let started = new & !core.status & status::DRIVER_OK != 0;
            core.status = new;
            started
        });
        if started {
            self.device.activate();
            // Buffers that were announced before the driver was ready.
            (0..self.queues()).for_each(|queue| self.notify(queue));
        }
    }

    /// The driver rings the bell of `queue`.
    pub(super) fn notify(&mut self, queue: usize) {
        if queue < self.queues() {
            self.device.notify(queue);
        }
    }

    /// The state. The device comes first: it finishes what it has begun, which changes the queues.
    pub(super) fn save(&self) -> Result<Saved, StateError> {
        let device = self.device.save()?;
        Ok(Saved { core: self.link.with(|core| core.clone()), device })
    }

    /// Whether a state fits.
    pub(super) fn check(&self, saved: &Saved) -> Result<(), StateError> {
        let core = &saved.core;
        require(core.queues.len() == self.queues(), "it has another number of queues")?;
        let fits = core
            .queues
            .iter()
            .zip(&self.sizes)
            .all(|(q, &most)| Queue::size_ok(q.size.into()) && q.size <= most);
        require(fits, "a queue size is impossible")?;
        require(core.status & !status::ALL == 0, "the status is impossible")?;
        require(core.interrupt & !3 == 0, "the interrupt status is impossible")
    }

    /// Replaces the state by one that was checked.
    pub(super) fn load(&mut self, saved: Saved) -> Result<(), StateError> {
        self.device.load(&saved.device)?;
        self.link.replace(saved.core);
        Ok(())
    }

    /// Reads the device's configuration space.
    pub(super) fn read_config(&self, offset: u64, len: usize) -> u64 {
        let mut bytes = [0; 8];
        if let Some(into) = bytes.get_mut(..len) {
            self.device.read_config(offset, into);
        }
        u64::from_le_bytes(bytes)
    }

    /// Writes the device's configuration space.
    pub(super) fn write_config(&mut self, offset: u64, len: usize, value: u64) {
        if let Some(from) = value.to_le_bytes().get(..len) {
            self.device.write_config(offset, from);
        }
    }
}
