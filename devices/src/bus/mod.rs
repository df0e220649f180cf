//! Buses: what a device is, where it sits, and what connects it to the rest of the machine.
//!
//! A *device* is a chip core: registers and state behind `&mut self`. A *socket* attaches it to a bus and brings the
//! lock. Boards wire sockets to an [`space::AddressSpace`], hand them [`irq::Wire`]s, [`clock::Timer`]s and a
//! [`dma::Dma`] handle, and nothing else: a device knows no interrupt number, no host time and no RAM pointer.
//!
//! Lock order, outermost first: device, then interrupt controller, then the vCPU's kick. A device may drive wires,
//! arm timers and use DMA while its lock is held, because none of these ever calls back into a device on the same
//! thread: DMA reaches memory only, timers fire from the machine's poller with no lock of the queue held.

pub mod clock;
pub mod conformance;
pub mod device;
pub mod dma;
pub mod irq;
pub mod memory;
pub mod report;
pub mod rng;
pub mod shadow;
pub mod snapshot;
pub mod space;
pub mod span;
pub mod window;
