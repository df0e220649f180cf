//! Boards: ordinary functions that wire a machine.

pub mod virt;
mod virt_dtb;

pub use virt_dtb::check as check_dtb;
