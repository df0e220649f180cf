//! Direct memory access controllers.

pub mod i8237;
