//! Small things at fixed ports: system control, and what guests that are tests need.

pub mod debugcon;
pub mod isa_debug_exit;
pub mod numeric_port;
pub mod pc_testdev;
pub mod port92;
pub mod pvpanic;
