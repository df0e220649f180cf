//! Requests to a running processor.

use std::sync::atomic::{AtomicU32, Ordering};

/// Requests to a running processor from other threads, polled at branches.
#[derive(Debug, Default)]
pub struct Attention(AtomicU32);

impl Attention {
    /// An interrupt line is up.
    pub const IRQ: u32 = 1;
    /// A fast interrupt line is up.
    pub const FIQ: u32 = 2;
    /// The engine should return.
    pub const STOP: u32 = 4;
    /// The mailbox holds work from other processors.
    pub const MAIL: u32 = 8;
    /// The translator wants every processor out of compiled code.
    pub const FLUSH: u32 = 16;
    /// Code that was decoded or translated has changed, see [`crate::code::CodeMap::listen`].
    pub const CODE: u32 = 32;
    /// A non-maskable interrupt.
    pub const NMI: u32 = 64;
    /// A system management interrupt.
    pub const SMI: u32 = 128;

    /// Sets bits.
    pub fn set(&self, bits: u32) {
        self.0.fetch_or(bits, Ordering::SeqCst);
    }
    /// Clears bits.
    pub fn clear(&self, bits: u32) {
        self.0.fetch_and(!bits, Ordering::SeqCst);
    }
    /// All bits.
    #[inline(always)]
    pub fn bits(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
    /// Host address of the word, for compiled code that polls it; valid as long as the `Attention`.
    pub fn address(&self) -> u64 {
        self.0.as_ptr() as u64
    }
}
