//! Where code is: the RAM behind the pages that a processor fetches from.

use crate::cache::Key;
use crate::guest::Guest;
use crate::region;
use lyrebird_cpu::core::Core;
use lyrebird_cpu::emit::Cx;

/// Entries of the map from virtual pages to RAM.
const ENTRIES: usize = 256;
/// Stands where no page is known.
const NOWHERE: u64 = 1;

#[derive(Clone, Copy)]
struct Fetch {
    page: u64,
    space: u64,
    mode: u32,
    ram: u64,
}

/// A direct-mapped map from virtual pages to RAM, right as long as the name of their space stays.
pub struct Fetches([Fetch; ENTRIES]);

impl Default for Fetches {
    fn default() -> Self {
        Self([Fetch { page: NOWHERE, space: 0, mode: 0, ram: 0 }; ENTRIES])
    }
}

impl Fetches {
    /// What is to be compiled for `pc`. `None` if it cannot be fetched, or the fetch of its second page ended the name
    /// by which the first was known.
    pub fn key<A: Guest>(&mut self, core: &mut Core<A>, pc: u64) -> Option<Key> {
        if pc & (A::ALIGN - 1) != 0 {
            return None;
        }
        let ram = self.find(core, pc)?;
        let (mode, space) = (core.mode, core.space(pc));
        if !region::crosses::<A>(&core.ram, ram, Cx { mode, features: core.features }) {
            return Some(Key::new(ram, mode));
        }
        let next = (pc | 0xFFF).wrapping_add(1);
        let next_ram = self.find(core, next)?;
        let same = core.mode == mode && core.space(pc) == space && core.space(next) == space;
        same.then(|| Key::crossing(ram, mode, next_ram))
    }

    /// Where `pc` is in RAM, if it can be fetched.
    fn find<A: Guest>(&mut self, core: &mut Core<A>, pc: u64) -> Option<u64> {
        let (page, space, mode) = (pc & !0xFFF, core.space(pc), core.mode);
        let slot = (pc >> 12) as usize % ENTRIES;
        let f = self.0[slot];
        let ram = if f.page == page && f.space == space && f.mode == mode {
            f.ram
        } else {
            let ram = core.fetch(pc).ok()? & !0xFFF;
            self.0[slot] = Fetch { page, space: core.space(pc), mode: core.mode, ram };
            ram
        };
        Some(ram | pc & 0xFFF)
    }
}
