//! Virtio devices: the split virtqueue, the MMIO transport, and the devices behind it.
//!
//! Source: "Virtual I/O Device (VIRTIO) Version 1.2", OASIS, cited by section. A [`device::VirtioDevice`] sees its
//! driver through a [`link::Link`] only: it takes [`chain::Chain`]s of buffers from a queue and gives them back. The
//! transports ([`mmio`], [`pci`]) own the registers; what they have in common is in `transport`. What a driver does
//! wrong sets DEVICE_NEEDS_RESET (2.1.1), and the device rests until it is reset.
//!
//! Left out on purpose: packed virtqueues, queue reset, in-order use, shared memory regions.

pub mod blk;
pub mod chain;
pub mod console;
pub mod device;
pub mod link;
pub mod mmio;
pub mod pci;
pub mod ring;
pub mod rng;
#[cfg(test)]
pub(crate) mod testing;
mod transport;
