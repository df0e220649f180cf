//! Boards, loaders and engines: everything between guest processors and devices on one side and front ends on the
//! other. [`machine::Machine::build`] makes a machine of a [`config::Config`]; front ends speak [`control::Control`].

pub mod acpi;
pub mod arm;
pub mod board;
pub mod breakpoints;
pub mod bus;
pub mod chardev;
pub mod config;
pub mod control;
mod control_impl;
pub mod engine;
pub mod firmware;
pub mod loader;
pub mod machine;
pub mod shared;
pub mod smbios;
pub mod suite;
pub mod target;
pub mod vcpu;
pub mod verify;
pub mod x86;

pub use machine::Machine;
