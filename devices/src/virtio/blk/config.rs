//! Configuration space (5.2.4).

use crate::block::SECTOR;

/// Offset of `writeback`, the only field that a driver writes.
pub(super) const WRITEBACK: u64 = 32;
/// The most data segments of a request: a queue's worth, less header and status.
const SEG_MAX: u32 = super::QUEUE_SIZE as u32 - 2;
/// The most sectors of one discard or write-zeroes segment: just under 2 GiB.
pub(super) const MAX_SECTORS: u32 = (1 << 22) - 1;
/// The most segments of one discard or write-zeroes request.
pub(super) const MAX_SEGMENTS: u64 = 1;

/// All fields up to `write_zeroes_may_unmap`, for a disk of `size` bytes.
pub(super) fn bytes(size: u64, block_size: u32, writeback: bool) -> [u8; 60] {
    let mut bytes = [0; 60];
    let mut put = |at: usize, value: &[u8]| {
        if let Some(field) = bytes.get_mut(at..at + value.len()) {
            field.copy_from_slice(value);
        }
    };
    put(0, &(size / SECTOR).to_le_bytes()); // capacity
    put(12, &SEG_MAX.to_le_bytes()); // seg_max
    put(20, &block_size.to_le_bytes()); // blk_size
    put(26, &1u16.to_le_bytes()); // topology.min_io_size, in blocks
    put(32, &[writeback.into()]); // writeback
    put(34, &1u16.to_le_bytes()); // num_queues
    put(36, &MAX_SECTORS.to_le_bytes()); // max_discard_sectors
    put(40, &(MAX_SEGMENTS as u32).to_le_bytes()); // max_discard_seg
    put(44, &(block_size / SECTOR as u32).to_le_bytes()); // discard_sector_alignment
    put(48, &MAX_SECTORS.to_le_bytes()); // max_write_zeroes_sectors
    put(52, &(MAX_SEGMENTS as u32).to_le_bytes()); // max_write_zeroes_seg
    put(56, &[1]); // write_zeroes_may_unmap
    bytes
}

/// Copies what `bytes` holds at `offset`.
pub(super) fn read(bytes: &[u8], offset: u64, into: &mut [u8]) {
    let from = usize::try_from(offset).ok().and_then(|at| bytes.get(at..)).unwrap_or_default();
    into.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
}
