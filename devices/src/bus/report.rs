//! Log lines about what the guest does wrong, bounded so that a guest cannot flood the host.

use super::device::{BusError, Initiator, Size};
use std::sync::atomic::{AtomicU64, Ordering};

/// Log target for accesses that no correct guest makes (`-d guest_errors`).
pub const GUEST_ERRORS: &str = "guest_errors";
/// Log target for accesses that hardware would serve and this model does not (`-d unimp`).
pub const UNIMP: &str = "unimp";

/// How many lines one limiter lets through before it shows powers of two only.
const FREE: u64 = 64;

/// Counts occurrences and says which of them to report: the first 64, then every time the count is a power of two.
#[derive(Debug, Default)]
pub struct Limiter(AtomicU64);

impl Limiter {
    /// A limiter that has seen nothing.
    pub const fn new() -> Limiter {
        Limiter(AtomicU64::new(0))
    }

    /// Counts one occurrence; its number if it is to be reported.
    pub fn pass(&self) -> Option<u64> {
        let n = self.0.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        (n <= FREE || n.is_power_of_two()).then_some(n)
    }
}

/// Reports a failed access to `what` at `gpa`.
pub fn failed(
    limiter: &Limiter,
    error: BusError,
    what: &str,
    gpa: u64,
    size: Size,
    write: Option<u64>,
    by: Initiator,
) {
    let target = if error == BusError::Unimplemented { UNIMP } else { GUEST_ERRORS };
    if !log::log_enabled!(target: target, log::Level::Warn) {
        return;
    }
    let Some(n) = limiter.pass() else { return };
    let bits = size.bytes() * 8;
    match write {
        Some(value) => {
            log::warn!(target: target, "{what}: {error}: write {bits} bits {value:#x} at {gpa:#x} by {by:?} (no. {n})");
        }
        None => {
            log::warn!(target: target, "{what}: {error}: read {bits} bits at {gpa:#x} by {by:?} (no. {n})")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_thinned() {
        let limiter = Limiter::new();
        let shown = (0..1_000_000).filter(|_| limiter.pass().is_some()).count();
        assert_eq!(shown, 64 + 13);
    }
}
