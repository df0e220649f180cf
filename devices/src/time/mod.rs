//! Clocks and timers that guests see.

pub mod hpet;
pub mod pl031;
