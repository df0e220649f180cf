//! Moving a command's data between a drive and the guest's scattered memory.

use super::drive::Drive;
use super::taskfile::Data;
use crate::bus::dma::Dma;

/// Bytes that go through the buffer at once.
const STEP: u64 = 128 << 10;

/// How a transfer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// All data was moved.
    Complete,
    /// The guest's memory was too small.
    Short,
    /// The drive failed.
    Drive,
    /// The guest's addresses are not memory.
    Memory,
}

/// A piece of guest memory: address and length.
pub(super) type Segment = (u64, u64);

/// Moves all of `data` between `drive` and the segments that `next` gives; returns how many bytes the guest's memory
/// gave or got.
pub(super) fn transfer(
    drive: &mut Drive,
    data: &mut Data,
    dma: &Dma,
    mut next: impl FnMut() -> Option<Segment>,
) -> (u64, End) {
    let write = data.is_write();
    let mut buffer = vec![0; data.left().min(STEP) as usize];
    let mut segment = (0, 0);
    let mut moved = 0;
    while data.left() != 0 {
        let len = data.left().min(STEP) as usize;
        let piece = buffer.get_mut(..len).unwrap_or_default();
        if !write && drive.pull(data, piece).is_err() {
            return (moved, End::Drive);
        }
        let mut done = 0;
        while done < len {
            if segment.1 == 0 {
                match next() {
                    Some(other) => segment = other,
                    None => return (moved, End::Short),
                }
            }
            let n = segment.1.min((len - done) as u64) as usize;
            let part = piece.get_mut(done..done + n).unwrap_or_default();
            let result =
                if write { dma.read_bytes(segment.0, part) } else { dma.write_bytes(segment.0, part) };
            if result.is_err() {
                return (moved, End::Memory);
            }
            segment = (segment.0.wrapping_add(n as u64), segment.1 - n as u64);
            (done, moved) = (done + n, moved + n as u64);
        }
        if write && drive.push(data, piece).is_err() {
            return (moved, End::Drive);
        }
    }
    if write && drive.settle().is_err() { (moved, End::Drive) } else { (moved, End::Complete) }
}
