//! The split virtqueue (2.7): descriptor table, available ring, used ring.
//!
//! Everything in guest memory is read once, checked, and bounded: a driver that lies gets a [`Fault`].

use super::chain::{Chain, Segment};
use crate::bus::dma::Dma;
use crate::bus::memory::NoMemory;
use serde::{Deserialize, Serialize};
use std::sync::atomic::{Ordering, fence};

/// The largest queue size offered, in descriptors, and the longest chain taken.
pub const MAX_SIZE: u16 = 1024;

/// Descriptor flags (2.7.5).
mod desc {
    pub(super) const NEXT: u16 = 1;
    pub(super) const WRITE: u16 = 2;
    pub(super) const INDIRECT: u16 = 4;
    /// Bytes of a descriptor.
    pub(super) const SIZE: u64 = 16;
}

/// Flag of the available ring (2.7.6): the driver wants no interrupts.
const AVAIL_NO_INTERRUPT: u16 = 1;

/// What a driver did wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A ring, descriptor or buffer is not in memory.
    #[error("No memory at {0:#x}")]
    NoMemory(u64),
    /// More chains are available or in use than the queue has descriptors.
    #[error("The available ring is ahead by more than the queue size")]
    Overrun,
    /// A head or next index is not below the table's size.
    #[error("Descriptor index {0} is not in its table")]
    Index(u16),
    /// A chain is longer than any driver may make it; it may be a loop.
    #[error("The descriptor chain is a loop or too long")]
    Long,
    /// An indirect descriptor where there may be none, or with a table that is no table.
    #[error("Bad indirect descriptor")]
    Indirect,
    /// A device-readable buffer behind a device-writable one.
    #[error("A readable buffer follows a writable one")]
    Order,
    /// The request in the buffers makes no sense to the device.
    #[error("{0}")]
    Request(&'static str),
}

impl From<NoMemory> for Fault {
    fn from(e: NoMemory) -> Fault {
        Fault::NoMemory(e.gpa)
    }
}

/// Which ring features were negotiated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RingFeatures {
    /// VIRTIO_F_INDIRECT_DESC.
    pub indirect: bool,
    /// VIRTIO_F_EVENT_IDX.
    pub event_idx: bool,
}

/// One queue. The addresses are guest-physical.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queue {
    /// Descriptors; a power of two.
    pub size: u16,
    /// Whether the driver has set it up.
    pub ready: bool,
    /// Descriptor table.
    pub desc: u64,
    /// Available ring.
    pub avail: u64,
    /// Used ring.
    pub used: u64,
    /// Chains taken since the start, modulo 2^16.
    next_avail: u16,
    /// Chains given back since the start, modulo 2^16.
    next_used: u16,
    /// `next_used` when an interrupt was last considered.
    signalled: u16,
    /// Chains taken and not given back.
    #[serde(skip)]
    taken: u16,
}

impl Queue {
    /// A queue that is not set up, of `size` descriptors until the driver says otherwise.
    pub fn new(size: u16) -> Queue {
        Queue {
            size,
            ready: false,
            desc: 0,
            avail: 0,
            used: 0,
            next_avail: 0,
            next_used: 0,
            signalled: 0,
            taken: 0,
        }
    }

    /// Ends its use; size and addresses stay.
    pub fn stop(&mut self) {
        *self = Queue { desc: self.desc, avail: self.avail, used: self.used, ..Queue::new(self.size) };
    }

    /// Whether `size` can be a queue's: a power of two up to [`MAX_SIZE`].
    pub fn size_ok(size: u64) -> bool {
        size.is_power_of_two() && size <= u64::from(MAX_SIZE)
    }

    /// The next chain that the driver made available, which stays available until [`Queue::take`]. When there is none,
    /// it asks the driver for a notification about the next one before it says so.
    ///
    /// # Errors
    /// When the rings or the chain are malformed.
    pub fn peek(&mut self, dma: &Dma, features: RingFeatures) -> Result<Option<Chain>, Fault> {
        if self.available(dma)? == 0 {
            if !features.event_idx {
                return Ok(None);
            }
            // 2.7.7.2: publish avail_event, then look again, or a notification may be lost.
            dma.write(self.avail_event_at(), self.next_avail)?;
            fence(Ordering::SeqCst);
            if self.available(dma)? == 0 {
                return Ok(None);
            }
        }
        if self.taken >= self.size {
            return Err(Fault::Overrun);
        }
        fence(Ordering::Acquire); // the entry is read after the index that announces it
        let slot = u64::from(self.next_avail % self.size);
        let head: u16 = dma.read(self.avail.wrapping_add(4 + 2 * slot))?;
        self.walk(dma, features, head).map(Some)
    }

    /// Takes what [`Queue::peek`] showed.
    pub fn take(&mut self) {
        self.next_avail = self.next_avail.wrapping_add(1);
        self.taken += 1;
    }

    /// How many chains are available.
    fn available(&self, dma: &Dma) -> Result<u16, Fault> {
        let index: u16 = dma.read(self.avail.wrapping_add(2))?;
        let ahead = index.wrapping_sub(self.next_avail);
        if ahead > self.size { Err(Fault::Overrun) } else { Ok(ahead) }
    }

    fn walk(&self, dma: &Dma, features: RingFeatures, head: u16) -> Result<Chain, Fault> {
        let mut chain = Chain { queue: 0, head, epoch: 0, readable: Vec::new(), writable: Vec::new() };
        let (mut table, mut entries, mut indirect) = (self.desc, u32::from(self.size), false);
        let mut index = head;
        for _ in 0..=MAX_SIZE {
            if u32::from(index) >= entries {
                return Err(Fault::Index(index));
            }
            let mut bytes = [0u8; desc::SIZE as usize];
            dma.read_bytes(table.wrapping_add(u64::from(index) * desc::SIZE), &mut bytes)?;
            let raw = u128::from_le_bytes(bytes);
            let segment = Segment { gpa: raw as u64, len: (raw >> 64) as u32 };
            let (flags, next) = ((raw >> 96) as u16, (raw >> 112) as u16);
            if flags & desc::INDIRECT != 0 {
                let whole = segment.len != 0 && u64::from(segment.len).is_multiple_of(desc::SIZE);
                // 2.7.5.3: not negotiated, within an indirect table, or continued by a chain.
                if !features.indirect || indirect || !whole || flags & desc::NEXT != 0 {
                    return Err(Fault::Indirect);
                }
                (table, entries, indirect) = (segment.gpa, segment.len / desc::SIZE as u32, true);
                index = 0;
                continue;
            }
            if flags & desc::WRITE != 0 {
                chain.writable.push(segment);
            } else if chain.writable.is_empty() {
                chain.readable.push(segment);
            } else {
                return Err(Fault::Order);
            }
            if flags & desc::NEXT == 0 {
                return Ok(chain);
            }
            index = next;
        }
        Err(Fault::Long)
    }

    /// Gives a chain back, `written` bytes of it written.
    ///
    /// # Errors
    /// When the used ring is not in RAM.
    pub fn push(&mut self, dma: &Dma, head: u16, written: u32) -> Result<(), Fault> {
        let slot = u64::from(self.next_used % self.size);
        let element = u64::from(written) << 32 | u64::from(head);
        dma.write(self.used.wrapping_add(4 + 8 * slot), element)?;
        self.next_used = self.next_used.wrapping_add(1);
        self.taken = self.taken.saturating_sub(1);
        fence(Ordering::Release); // the element is visible before the index that announces it
        dma.write(self.used.wrapping_add(2), self.next_used)?;
        Ok(())
    }

    /// Whether the driver wants an interrupt for what was pushed since the last call.
    ///
    /// # Errors
    /// When the available ring is not in memory.
    pub fn wants_interrupt(&mut self, dma: &Dma, features: RingFeatures) -> Result<bool, Fault> {
        let (old, new) = (std::mem::replace(&mut self.signalled, self.next_used), self.next_used);
        if old == new {
            return Ok(false);
        }
        fence(Ordering::SeqCst); // what the driver wants is read after it can see the used index
        if !features.event_idx {
            let flags: u16 = dma.read(self.avail)?;
            return Ok(flags & AVAIL_NO_INTERRUPT == 0);
        }
        // 2.7.10: whether the index passed used_event on its way from old to new.
        let event: u16 = dma.read(self.avail.wrapping_add(4 + 2 * u64::from(self.size)))?;
        Ok(new.wrapping_sub(event).wrapping_sub(1) < new.wrapping_sub(old))
    }

    /// Address of avail_event, behind the used ring.
    fn avail_event_at(&self) -> u64 {
        self.used.wrapping_add(4 + 8 * u64::from(self.size))
    }
}
