//! The `lyrebird` program: command line, terminal, monitor and debugger.
//!
//! It knows no processors and no devices: it fills in a [`lyrebird_machine::config::Config`] and then speaks
//! [`lyrebird_machine::control::Control`].

pub mod chardev;
pub mod cli;
pub mod detect;
pub mod doctor;
pub mod exit;
pub mod gdb;
pub mod logging;
pub mod monitor;
pub mod options;
pub mod picture;
pub mod program;
pub mod run;
pub mod suggest;
pub mod suite;
pub mod term;
pub mod view;

#[cfg(test)]
#[path = "../tests/common/mock.rs"]
mod mock;
