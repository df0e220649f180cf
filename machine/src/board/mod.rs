//! Boards: ordinary functions that wire a machine.

pub mod virt;
mod virt_dtb;
