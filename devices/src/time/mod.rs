//! Clocks and timers that guests see.

pub mod hpet;
pub mod i8254;
pub mod mc146818;
pub mod pl031;
