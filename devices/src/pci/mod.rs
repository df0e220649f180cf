//! PCI: configuration space, buses, host bridges, and the ways to interrupt.
//!
//! Sources: PCI Local Bus Specification 3.0, cited by section; PCI Express Base Specification for ECAM; the data sheets
//! that the bridges' files name. A [`function::PciDevice`] is what a device is here; a [`function::Function`] puts a
//! header in front of it, and [`bus::PciBus::plug`] a slot under it. What the guest maps follows command and base
//! address registers ([`bar`]) as windows of the machine's address spaces.
//!
//! Lock order: function, then interrupt pin or message table, then interrupt controller. The configuration ports hold no
//! lock while they call a function, and a function never calls the bus.
//!
//! Left out on purpose: bridges and buses behind them, expansion ROM code of our own, power states other than D0,
//! hot plug, error reporting.

pub mod adapter;
pub mod bar;
pub mod bus;
pub mod config;
pub mod function;
pub mod host;
pub mod i440fx;
pub mod ich9;
pub mod intx;
pub mod msi;
pub mod msix;
mod pam;
pub mod piix3;
pub mod pirq;
pub mod q35;
pub mod testdev;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
