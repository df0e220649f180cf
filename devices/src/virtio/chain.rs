//! Descriptor chains: the buffers of one request, and copying to and from them.

use super::ring::Fault;
use crate::bus::dma::Dma;

/// A guest buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// Guest-physical address.
    pub gpa: u64,
    /// Bytes.
    pub len: u32,
}

/// The buffers of one request, in the driver's order (2.6.4.2: the readable ones come first).
#[derive(Debug, Clone)]
pub struct Chain {
    /// Queue it came from.
    pub(super) queue: usize,
    /// Its first descriptor, which names it in the used ring.
    pub(super) head: u16,
    /// Number of the device reset before which it was taken; later ones make it void.
    pub(super) epoch: u64,
    /// Buffers that the device reads.
    pub(super) readable: Vec<Segment>,
    /// Buffers that the device writes.
    pub(super) writable: Vec<Segment>,
}

impl Chain {
    /// What the driver sends.
    pub fn reader(&self) -> Cursor<'_> {
        Cursor::new(&self.readable)
    }

    /// Where the driver wants an answer.
    pub fn writer(&self) -> Cursor<'_> {
        Cursor::new(&self.writable)
    }
}

/// A position in a list of buffers.
#[derive(Debug, Clone)]
pub struct Cursor<'a> {
    rest: &'a [Segment],
    /// Bytes of `rest[0]` that are behind.
    behind: u32,
    left: u64,
}

impl<'a> Cursor<'a> {
    fn new(segments: &'a [Segment]) -> Cursor<'a> {
        Cursor { rest: segments, behind: 0, left: segments.iter().map(|s| u64::from(s.len)).sum() }
    }

    /// Bytes ahead.
    pub fn left(&self) -> u64 {
        self.left
    }

    /// Cuts off the last `len` bytes, or all there are, and returns them.
    pub fn split_tail(&mut self, len: u64) -> Cursor<'a> {
        let mut tail = self.clone();
        tail.skip(self.left.saturating_sub(len));
        self.left -= tail.left;
        tail
    }

    fn skip(&mut self, mut len: u64) {
        while len != 0 {
            let Some((_, n)) = self.step(len) else { return };
            len -= n;
        }
    }

    /// The next piece of one buffer: its address and its length, at most `most`. `None` at the end.
    fn step(&mut self, most: u64) -> Option<(u64, u64)> {
        let most = most.min(self.left);
        if most == 0 {
            return None;
        }
        loop {
            let (first, others) = self.rest.split_first()?;
            let here = u64::from(first.len - self.behind).min(most);
            if here == 0 {
                (self.rest, self.behind) = (others, 0);
                continue;
            }
            let gpa = first.gpa.wrapping_add(self.behind.into());
            self.behind += here as u32;
            self.left -= here;
            return Some((gpa, here));
        }
    }

    /// Copies as many bytes as there are, at most `into.len()`, from guest memory; returns their number.
    ///
    /// # Errors
    /// When a buffer is not in memory.
    pub fn read(&mut self, dma: &Dma, into: &mut [u8]) -> Result<usize, Fault> {
        let mut done = 0;
        while let Some((gpa, n)) = self.step((into.len() - done) as u64) {
            let piece = into.get_mut(done..done + n as usize).unwrap_or_default();
            dma.read_bytes(gpa, piece).map_err(|e| Fault::NoMemory(e.gpa))?;
            done += n as usize;
        }
        Ok(done)
    }

    /// Copies as many bytes as there is room for to guest memory; returns their number.
    ///
    /// # Errors
    /// When a buffer is not in RAM.
    pub fn write(&mut self, dma: &Dma, from: &[u8]) -> Result<usize, Fault> {
        let mut done = 0;
        while let Some((gpa, n)) = self.step((from.len() - done) as u64) {
            let piece = from.get(done..done + n as usize).unwrap_or_default();
            dma.write_bytes(gpa, piece).map_err(|e| Fault::NoMemory(e.gpa))?;
            done += n as usize;
        }
        Ok(done)
    }

    /// Reads a structure of `N` bytes; `None` if fewer are left.
    ///
    /// # Errors
    /// When a buffer is not in memory.
    pub fn read_array<const N: usize>(&mut self, dma: &Dma) -> Result<Option<[u8; N]>, Fault> {
        let mut bytes = [0; N];
        if self.left < N as u64 {
            return Ok(None);
        }
        self.read(dma, &mut bytes)?;
        Ok(Some(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lyrebird_ram::GuestRam;

    #[test]
    fn pieces_and_tails() {
        let dma = Dma::to_ram(GuestRam::new(0x1000).unwrap(), 0).unwrap();
        let bytes: Vec<u8> = (0..64).collect();
        dma.write_bytes(0, &bytes).unwrap();
        let segments = [
            Segment { gpa: 0, len: 3 },
            Segment { gpa: 9, len: 0 },
            Segment { gpa: 32, len: 4 },
            Segment { gpa: 10, len: 2 },
        ];
        let mut cursor = Cursor::new(&segments);
        assert_eq!(cursor.left(), 9);
        let mut tail = cursor.split_tail(3);
        let mut all = [0xFF; 16];
        assert_eq!(cursor.read(&dma, &mut all[..4]), Ok(4));
        assert_eq!(cursor.read(&dma, &mut all[4..]), Ok(2));
        assert_eq!(all[..7], [0, 1, 2, 32, 33, 34, 0xFF]);
        assert_eq!(tail.read_array::<4>(&dma), Ok(None));
        assert_eq!(tail.read_array::<3>(&dma), Ok(Some([35, 10, 11])));
        assert_eq!(Cursor::new(&segments).split_tail(100).left(), 9);
        let bad = [Segment { gpa: u64::MAX - 1, len: 8 }];
        assert!(matches!(Cursor::new(&bad).read(&dma, &mut all), Err(Fault::NoMemory(_))));
    }
}
