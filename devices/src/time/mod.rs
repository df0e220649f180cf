//! Clocks and timers that guests see.

pub mod pl031;
