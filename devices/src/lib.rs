//! Buses and devices.
