//! ACPI's fixed hardware: power management timer, power button, sleep states, general purpose events.
//!
//! [`pm::Pm`] is the core; the PIIX4's function ([`piix4`]) and the ICH9 ([`crate::pci::ich9`]) put it behind registers
//! of their own. Machines without fixed hardware have a generic event device ([`ged`]).

pub mod ged;
pub mod piix4;
pub mod pm;
