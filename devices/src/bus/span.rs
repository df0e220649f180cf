//! Inclusive ranges of addresses.

use std::fmt;

/// Addresses `first..=last`. Inclusive, so that a span can end at the very top of the address space.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    first: u64,
    last: u64,
}

/// A span that cannot exist or cannot be placed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpanError {
    /// Length zero.
    #[error("An empty span at {base:#x}")]
    Empty {
        /// First address asked for.
        base: u64,
    },
    /// The end lies above the last 64-bit address.
    #[error("A span of {len:#x} bytes at {base:#x} wraps around")]
    Wraps {
        /// First address asked for.
        base: u64,
        /// Bytes asked for.
        len: u64,
    },
    /// Another span is already there.
    #[error("{name} at {span} overlaps {other_name} at {other}")]
    Overlap {
        /// What was to be placed.
        name: String,
        /// Where.
        span: Span,
        /// What is there.
        other_name: String,
        /// Where that is.
        other: Span,
    },
    /// The memory behind the span is smaller than the span.
    #[error("{name} at {span} is longer than the memory behind it")]
    Short {
        /// What was to be placed.
        name: String,
        /// Where.
        span: Span,
    },
}

impl Span {
    /// `len` bytes from `base` on.
    pub fn new(base: u64, len: u64) -> Result<Span, SpanError> {
        if len == 0 {
            return Err(SpanError::Empty { base });
        }
        let last = base.checked_add(len - 1).ok_or(SpanError::Wraps { base, len })?;
        Ok(Span { first: base, last })
    }

    /// First address.
    pub const fn first(self) -> u64 {
        self.first
    }

    /// Last address, which belongs to the span.
    pub const fn last(self) -> u64 {
        self.last
    }

    /// Bytes; the whole 64-bit space reports `u64::MAX`.
    pub const fn len(self) -> u64 {
        (self.last - self.first).saturating_add(1)
    }

    /// Never true: spans hold at least one byte.
    pub const fn is_empty(self) -> bool {
        false
    }

    /// Whether `at` lies inside.
    pub const fn contains(self, at: u64) -> bool {
        self.first <= at && at <= self.last
    }

    /// Whether all of `len` bytes from `at` lie inside.
    pub const fn contains_all(self, at: u64, len: u64) -> bool {
        self.contains(at) && (len == 0 || self.last - at >= len - 1)
    }

    /// Whether the two have an address in common.
    pub const fn overlaps(self, other: Span) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{:016x}", self.first, self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_inclusive() {
        let top = Span::new(u64::MAX - 3, 4).unwrap();
        assert!(top.contains(u64::MAX));
        assert!(top.contains_all(u64::MAX, 1));
        assert!(!top.contains_all(u64::MAX, 2));
        assert_eq!(top.len(), 4);
        assert!(Span::new(u64::MAX, 2).is_err());
        assert!(Span::new(5, 0).is_err());
    }

    #[test]
    fn overlap() {
        let a = Span::new(0x1000, 0x1000).unwrap();
        assert!(a.overlaps(Span::new(0x1fff, 1).unwrap()));
        assert!(!a.overlaps(Span::new(0x2000, 1).unwrap()));
    }
}
