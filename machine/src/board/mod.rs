//! Boards: ordinary functions that wire a machine. One takes a [`Site`] and gives a [`Built`] board.

mod given_dtb;
mod parts;
pub mod pc;
pub mod virt;
mod virt_dtb;
mod virt_flash;
mod virtio;
mod virtio_mmio;

pub use virt_dtb::check as check_dtb;

use crate::bus::PhysicalBus;
use crate::chardev::Chardevs;
use crate::config::{BuildError, Config};
use crate::control::Seat;
use crate::loader::Piece;
use crate::shared::Shared;
use crate::target::Target;
use lyrebird_devices::block::BlockBackend;
use lyrebird_devices::bus::clock::Clock;
use lyrebird_devices::bus::device::Socket;
use lyrebird_devices::bus::space::AddressSpace;
use lyrebird_ram::GuestRam;
use std::sync::Arc;

/// What a board is built from and connected to.
pub struct Site<'a, T: Target> {
    /// What is wanted.
    pub config: &'a Config,
    /// The far ends of serial lines.
    pub chardevs: &'a dyn Chardevs,
    /// Run state and gates: where interrupts and power requests go.
    pub shared: &'a Arc<Shared<T>>,
    /// Virtual time.
    pub clock: &'a Clock,
}

/// A built board.
pub struct Built<T: Target> {
    /// Where everything is.
    pub space: Arc<AddressSpace>,
    /// The other address space of processors that have one for devices, of ports.
    pub ports: Option<Arc<AddressSpace>>,
    /// All guest RAM, flash included.
    pub ram: GuestRam,
    /// RAM windows and bus for processors.
    pub bus: Arc<PhysicalBus>,
    /// What model the processors are.
    pub model: T::Model,
    /// Disks by drive id.
    pub disks: Vec<(String, Arc<dyn BlockBackend>)>,
    /// Devices outside of the address spaces that reset with them.
    pub loose: Vec<Arc<dyn Socket>>,
    /// Screen, keyboard and mouse.
    pub seat: Seat,
    /// What it does when it is asked.
    pub actions: Box<dyn Actions<T>>,
}

impl<T: Target> Built<T> {
    /// The address spaces with their names, the one of memory first.
    pub fn spaces(&self) -> impl Iterator<Item = &Arc<AddressSpace>> {
        std::iter::once(&self.space).chain(&self.ports)
    }
}

/// What a board does when it is asked.
pub trait Actions<T: Target>: Send + Sync {
    /// What processor `index` is besides its registers; asked once for each when the machine is built.
    fn processor(&self, index: usize) -> T;
    /// Reads what boots, at power-on and at each reset.
    ///
    /// # Errors
    /// When a file cannot be used or does not fit.
    fn boot(&self, config: &Config) -> Result<BootPlan<T>, BuildError>;
    /// Puts what is no device on the board into the state that guests start in, at power-on and at each reset; devices are
    /// reset before.
    fn reset(&self, _config: &Config) {}
    /// Presses the power button.
    fn press_power_button(&self);
    /// The state of the interrupt controllers, for `info irq`.
    fn interrupts(&self) -> String;
    /// The functions on its PCI bus, for `info pci`; none if it has no such bus.
    fn pci(&self) -> Option<String> {
        None
    }
}

/// What is put in place before the guest starts and at each reset.
pub struct BootPlan<T: Target> {
    /// The bytes.
    pub pieces: Vec<Piece>,
    /// How processor 0 starts.
    pub first: T::Entry,
    /// The state of the others, which are off until one starts them.
    pub others: T::Entry,
}
