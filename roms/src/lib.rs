//! Firmware and demo guests.
