//! Kinds of disks, by their size.

use crate::time::mc146818::pc::FloppyKind;

/// How a disk is laid out, and how fast it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geometry {
    /// Kind of drive that takes it.
    pub kind: FloppyKind,
    /// Cylinders.
    pub cylinders: u8,
    /// Sides.
    pub heads: u8,
    /// Sectors of 512 bytes in a track.
    pub sectors: u8,
    /// Data rate code: 0 is 500 kb/s, 1 is 300, 2 is 250, 3 is 1000.
    pub rate: u8,
}

const KINDS: [Geometry; 5] = [
    Geometry { kind: FloppyKind::M1_44, cylinders: 80, heads: 2, sectors: 18, rate: 0 },
    Geometry { kind: FloppyKind::K360, cylinders: 40, heads: 2, sectors: 9, rate: 2 },
    Geometry { kind: FloppyKind::K720, cylinders: 80, heads: 2, sectors: 9, rate: 2 },
    Geometry { kind: FloppyKind::M1_2, cylinders: 80, heads: 2, sectors: 15, rate: 0 },
    Geometry { kind: FloppyKind::M2_88, cylinders: 80, heads: 2, sectors: 36, rate: 3 },
];

impl Geometry {
    /// That of an image of `size` bytes; sizes that no disk has are 1.44 MB disks of which a part is there.
    pub fn of(size: u64) -> Geometry {
        KINDS.into_iter().find(|g| g.size() == size).unwrap_or(KINDS[0])
    }

    /// Bytes of the disk.
    pub fn size(&self) -> u64 {
        u64::from(self.cylinders) * u64::from(self.heads) * u64::from(self.sectors) * 512
    }

    /// Offset of a sector, counted from 1; none if the disk has no such sector.
    pub fn offset(&self, cylinder: u8, head: u8, sector: u8) -> Option<u64> {
        if cylinder >= self.cylinders || head >= self.heads || sector == 0 || sector > self.sectors {
            return None;
        }
        let track = u64::from(cylinder) * u64::from(self.heads) + u64::from(head);
        Some((track * u64::from(self.sectors) + u64::from(sector) - 1) * 512)
    }
}
