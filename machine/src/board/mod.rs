//! Boards: ordinary functions that wire a machine.

mod given_dtb;
pub mod virt;
mod virt_dtb;
mod virt_flash;

pub use virt_dtb::check as check_dtb;
