//! Memory: what the guest is told of it, and where there is room in it.

use super::super::Piece;

/// Page size, the alignment of most things.
pub(super) const PAGE: u64 = 0x1000;
/// First address behind 4 GiB.
pub const FOUR_GIB: u64 = 1 << 32;
/// Where the area of option ROMs and firmware begins, and ends.
const LEGACY: std::ops::Range<u64> = 0xa_0000..0x10_0000;
/// Nothing is put below: interrupt vectors, the BIOS's data, and what boot sectors use.
const FIRST_FREE: u64 = 0x1000;

/// Kinds of memory, as INT 15h, E820h numbers them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum RangeKind {
    /// Ordinary RAM.
    Usable = 1,
    /// Neither RAM for the guest nor space for devices.
    Reserved = 2,
    /// ACPI tables, which the guest may reuse.
    Acpi = 3,
    /// Memory that must survive sleep.
    Nvs = 4,
}

/// A range of the memory map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// First address.
    pub base: u64,
    /// Bytes.
    pub len: u64,
    /// What is there.
    pub kind: RangeKind,
}

impl Range {
    /// First address behind it.
    fn end(&self) -> u64 {
        self.base.saturating_add(self.len)
    }
}

/// The memory map that a kernel gets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemoryMap(pub Vec<Range>);

impl MemoryMap {
    /// A PC with `ram` bytes, of which what is beyond 3 GiB lies above 4 GiB, as on QEMU's `pc`.
    pub fn pc(ram: u64) -> MemoryMap {
        MemoryMap::with_split(ram, 0xc000_0000)
    }

    /// A PC with `ram` bytes of which what is beyond `split` lies above 4 GiB. The area of firmware below 1 MiB and
    /// the extended BIOS data area are reserved.
    pub fn with_split(ram: u64, split: u64) -> MemoryMap {
        let low = ram.min(split);
        let mut map = MemoryMap::default();
        map.add(0, low.min(0x9_fc00), RangeKind::Usable);
        map.add(0x9_fc00, 0x400, RangeKind::Reserved);
        map.add(0xe_0000, 0x2_0000, RangeKind::Reserved);
        map.add(LEGACY.end, low.saturating_sub(LEGACY.end), RangeKind::Usable);
        map.add(FOUR_GIB, ram - low, RangeKind::Usable);
        map
    }

    /// Adds a range, unless it is empty.
    pub fn add(&mut self, base: u64, len: u64, kind: RangeKind) {
        if len != 0 {
            self.0.push(Range { base, len, kind });
            self.0.sort_by_key(|r| r.base);
        }
    }

    /// The usable ranges.
    fn usable(&self) -> impl DoubleEndedIterator<Item = &Range> {
        self.0.iter().filter(|r| r.kind == RangeKind::Usable)
    }

    /// Whether all of `start..end` is RAM or the area of firmware below 1 MiB.
    pub fn holds(&self, start: u64, end: u64) -> bool {
        let mut at = start;
        while at < end {
            let memory = |r: &&Range| r.kind != RangeKind::Reserved || r.base < LEGACY.start;
            let range = self.0.iter().filter(memory).find(|r| r.base <= at && at < r.end());
            match range.map(Range::end).or(LEGACY.contains(&at).then_some(LEGACY.end)) {
                Some(next) => at = next,
                None => return false,
            }
        }
        true
    }

    /// First address behind the usable memory at 1 MiB, or 1 MiB if there is none.
    pub fn top_below_4g(&self) -> u64 {
        self.usable().filter(|r| r.base < FOUR_GIB).map(|r| r.end().min(FOUR_GIB)).max().unwrap_or(0)
    }

    /// RAM as QEMU tells firmware of it in `etc/e820`: whole, without the holes and reservations below 1 MiB, which are
    /// the firmware's to know; then what is reserved above.
    pub fn ram_ranges(&self) -> Vec<u8> {
        let mut map = MemoryMap::default();
        let low = self.usable().filter(|r| r.base < FOUR_GIB).map(Range::end).max().unwrap_or(0);
        map.add(0, low, RangeKind::Usable);
        for r in self.0.iter().filter(|r| r.base >= low.max(LEGACY.end)) {
            map.add(r.base, r.len, r.kind);
        }
        map.e820()
    }

    /// The E820 table: base, length and kind of each range, 20 bytes.
    pub(super) fn e820(&self) -> Vec<u8> {
        self.0
            .iter()
            .flat_map(|r| {
                let words = r.base.to_le_bytes().into_iter().chain(r.len.to_le_bytes());
                words.chain((r.kind as u32).to_le_bytes())
            })
            .collect()
    }
}

/// Finds room for what goes with a program.
pub(super) struct Placer<'a> {
    map: &'a MemoryMap,
    /// Start and end of what is taken, in order.
    taken: Vec<(u64, u64)>,
}

impl<'a> Placer<'a> {
    pub(super) fn new(map: &'a MemoryMap) -> Placer<'a> {
        Placer { map, taken: Vec::new() }
    }

    /// Takes the places of `pieces`.
    ///
    /// # Errors
    /// When one is not in memory, or two overlap.
    pub(super) fn take_pieces(&mut self, pieces: &[Piece]) -> Result<(), String> {
        pieces.iter().try_for_each(|p| self.take(p.at, p.content.size()))
    }

    /// Takes `len` bytes at `at`.
    ///
    /// # Errors
    /// When they are not in memory, or taken.
    pub(super) fn take(&mut self, at: u64, len: u64) -> Result<(), String> {
        let end = at.checked_add(len).ok_or("a part of it wraps around")?;
        if !self.map.holds(at, end) {
            let top = self.map.top_below_4g() >> 20;
            return Err(format!(
                "a part of it at {at:#x} to {end:#x} lies outside of RAM (up to {top} MiB); use a larger -m"
            ));
        }
        if let Some((start, stop)) = self.taken.iter().find(|(start, stop)| at < *stop && *start < end) {
            return Err(format!("its parts at {at:#x} to {end:#x} and {start:#x} to {stop:#x} overlap"));
        }
        self.taken.push((at, end));
        self.taken.sort_unstable();
        Ok(())
    }

    /// The lowest free place from `from` on, below 4 GiB.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn low(&mut self, len: u64, align: u64, from: u64) -> Result<u64, String> {
        for range in self.map.usable() {
            let mut at = range.base.max(from).max(FIRST_FREE).next_multiple_of(align);
            while at.saturating_add(len) <= range.end().min(FOUR_GIB) {
                match self.taken.iter().find(|(start, end)| at < *end && *start < at + len.max(1)) {
                    Some((_, end)) => at = end.next_multiple_of(align),
                    None => {
                        self.take(at, len)?;
                        return Ok(at);
                    }
                }
            }
        }
        Err(format!("there is no room for {len} bytes that go with it; use a larger -m"))
    }

    /// The highest free place that ends at or below `last`.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn high(&mut self, len: u64, last: u64) -> Result<u64, String> {
        for range in self.map.usable().rev() {
            let mut end = range.end().min(last.saturating_add(1));
            while let Some(at) =
                end.checked_sub(len).map(|at| at & !(PAGE - 1)).filter(|at| *at >= range.base.max(FIRST_FREE))
            {
                match self.taken.iter().rev().find(|(start, stop)| at < *stop && *start < at + len.max(1)) {
                    Some((start, _)) => end = *start,
                    None => {
                        self.take(at, len)?;
                        return Ok(at);
                    }
                }
            }
        }
        let mib = len.div_ceil(1 << 20);
        if last.saturating_add(1) < self.map.top_below_4g() {
            return Err(format!(
                "there is no room for an initrd of {mib} MiB below {last:#x}, where it wants it"
            ));
        }
        Err(format!("there is no room for {mib} MiB that go with it; use a larger -m"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn map_of_a_pc() {
        let map = MemoryMap::pc(4 << 30);
        assert!(map.holds(0, 0xc000_0000) && map.holds(FOUR_GIB, FOUR_GIB + (1 << 30)));
        assert!(!map.holds(0xbfff_ffff, 0xc000_0001) && !map.holds(FOUR_GIB, FOUR_GIB + (1 << 30) + 1));
        assert_eq!(map.top_below_4g(), 0xc000_0000);
        assert_eq!(map.e820().len(), 5 * 20);
        assert_eq!(
            map.e820()[..20],
            [[0; 8], [0, 0xfc, 9, 0, 0, 0, 0, 0]].concat()[..]
                .iter()
                .copied()
                .chain([1, 0, 0, 0])
                .collect::<Vec<u8>>()[..]
        );
        assert_eq!(MemoryMap::pc(1 << 20).0.len(), 3);
    }

    #[test]
    fn room_is_found() {
        let map = MemoryMap::pc(16 << 20);
        let mut placer = Placer::new(&map);
        placer.take(0x10_0000, 0x20_0000).unwrap();
        assert!(placer.take(0x2f_ffff, 2).unwrap_err().contains("overlap"));
        assert!(placer.take(0xff_ffff, 2).unwrap_err().contains("outside of RAM"));
        assert!(placer.take(u64::MAX, 2).is_err());
        assert_eq!(placer.low(0x1000, PAGE, 0), Ok(0x1000));
        assert_eq!(placer.low(0x1000, PAGE, 0), Ok(0x2000));
        assert_eq!(placer.low(0x10_0000, PAGE, 0), Ok(0x30_0000));
        assert_eq!(placer.high(0x1001, u64::MAX), Ok(0xff_e000));
        assert_eq!(placer.high(0x1000, u64::MAX), Ok(0xff_d000));
        assert_eq!(placer.high(0x1000, 0x3f_ffff), Ok(0x9_e000));
        assert!(placer.high(0x100_0000, u64::MAX).is_err());
        assert!(placer.low(0x100_0000, PAGE, 0).is_err());
    }
}
