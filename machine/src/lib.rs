//! Boards, loaders and engines: everything between guest processors and devices on one side and front ends on the
//! other. [`machine::Machine::build`] makes a machine of a [`config::Config`]; front ends speak [`control::Control`].

mod access;
pub mod arm_registers;
pub mod board;
pub mod breakpoints;
pub mod bus;
pub mod chardev;
pub mod config;
pub mod control;
mod control_impl;
pub mod cpu_model;
pub mod engine;
pub mod loader;
pub mod machine;
pub mod platform;
pub mod shared;
pub mod vcpu;
pub mod verify;

pub use machine::Machine;
