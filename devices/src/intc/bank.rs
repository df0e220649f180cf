//! What GICv2 and GICv3 distributors have in common: the state of 32 interrupts, the bitmap registers that show it,
//! and the priorities that are active on a processor.

use serde::{Deserialize, Serialize};
use std::fmt::Write;

/// 32 interrupts, one bit each in words as the registers have them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bank {
    /// Group 1 rather than 0.
    pub group: u32,
    /// Forwarded to processors.
    pub enabled: u32,
    /// Pending by an edge or by software.
    pub latch: u32,
    /// Level of the input.
    pub level: u32,
    /// Acknowledged and not yet deactivated.
    pub active: u32,
    /// Edge triggered rather than level sensitive.
    pub edge: u32,
    /// Priorities, 0 the highest.
    pub priority: [u8; 32],
}

/// A bitmap register of a distributor or redistributor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bits {
    /// IGROUPR.
    Group,
    /// ISENABLER.
    SetEnable,
    /// ICENABLER.
    ClearEnable,
    /// ISPENDR.
    SetPending,
    /// ICPENDR.
    ClearPending,
    /// ISACTIVER.
    SetActive,
    /// ICACTIVER.
    ClearActive,
}

impl Bits {
    /// The register at byte offset `reg` of a distributor, and the bank it is about. The map is the same in both
    /// versions: one kind every 0x80 bytes from 0x080 on.
    pub fn at(reg: u64) -> Option<(Bits, usize)> {
        let kind = match reg >> 7 {
            1 => Bits::Group,
            2 => Bits::SetEnable,
            3 => Bits::ClearEnable,
            4 => Bits::SetPending,
            5 => Bits::ClearPending,
            6 => Bits::SetActive,
            7 => Bits::ClearActive,
            _ => return None,
        };
        Some((kind, (reg as usize & 0x7f) / 4))
    }
}

/// An interrupt that waits, and what the CPU interface needs to know of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pending {
    /// Its number.
    pub intid: u32,
    /// Its priority.
    pub priority: u8,
    /// Whether it is in group 1.
    pub group1: bool,
}

impl Bank {
    /// All disabled, inactive, level sensitive, group 0, highest priority.
    pub const fn power_on() -> Bank {
        Bank { group: 0, enabled: 0, latch: 0, level: 0, active: 0, edge: 0, priority: [0; 32] }
    }

    /// This bank after a reset, which does not change the level of inputs.
    pub fn after_reset(&self) -> Bank {
        Bank { level: self.level, ..Bank::power_on() }
    }

    /// Interrupts that are pending. A level-sensitive one is so while its input is high, or once software says so.
    pub fn pending(&self) -> u32 {
        self.latch | self.level & !self.edge
    }

    /// The input of interrupt `bit` changes to `level`; whether anything else changes by that.
    pub fn set_level(&mut self, bit: u32, level: bool) -> bool {
        let mask = 1 << (bit & 31);
        let rises = level && self.level & mask == 0;
        self.level = if level { self.level | mask } else { self.level & !mask };
        if self.edge & mask == 0 {
            return true;
        }
        self.latch |= if rises { mask } else { 0 };
        rises
    }

    /// Makes interrupt `bit` active: what acknowledging does.
    pub fn activate(&mut self, bit: u32) {
        let mask = 1 << (bit & 31);
        self.latch &= !mask;
        self.active |= mask;
    }

    /// Makes interrupt `bit` inactive.
    pub fn deactivate(&mut self, bit: u32) {
        self.active &= !(1 << (bit & 31));
    }

    /// Those of an interrupt per bit that belong to a group that is on.
    pub fn in_groups(&self, group0: bool, group1: bool) -> u32 {
        (if group0 { !self.group } else { 0 }) | (if group1 { self.group } else { 0 })
    }

    /// The interrupt of `mask` to be taken first, unless `best`, which has a lower number, goes before it. `first` is
    /// the number of the bank's first interrupt.
    #[inline]
    pub fn best(&self, mask: u32, first: u32, best: Option<Pending>) -> Option<Pending> {
        let mut left = self.pending() & self.enabled & !self.active & mask;
        let mut best = best;
        while left != 0 {
            let bit = left.trailing_zeros();
            left &= left - 1;
            let priority = self.priority[bit as usize & 31];
            if best.is_none_or(|b| priority < b.priority) {
                best = Some(Pending { intid: first + bit, priority, group1: self.group >> bit & 1 != 0 });
            }
        }
        best
    }

    /// Reads a bitmap register.
    pub fn read_bits(&self, bits: Bits) -> u32 {
        match bits {
            Bits::Group => self.group,
            Bits::SetEnable | Bits::ClearEnable => self.enabled,
            Bits::SetPending | Bits::ClearPending => self.pending(),
            Bits::SetActive | Bits::ClearActive => self.active,
        }
    }

    /// Writes the bits `lanes` of a bitmap register.
    pub fn write_bits(&mut self, bits: Bits, value: u32, lanes: u32) {
        let value = value & lanes;
        match bits {
            Bits::Group => self.group = self.group & !lanes | value,
            Bits::SetEnable => self.enabled |= value,
            Bits::ClearEnable => self.enabled &= !value,
            Bits::SetPending => self.latch |= value,
            Bits::ClearPending => self.latch &= !value,
            Bits::SetActive => self.active |= value,
            Bits::ClearActive => self.active &= !value,
        }
    }

    /// Reads ICFGR for interrupts 0 to 15 (`half` 0) or 16 to 31 (`half` 1): bit 1 of each pair means edge.
    pub fn read_config(&self, half: usize) -> u32 {
        let bits = self.edge >> (16 * (half & 1));
        (0..16).fold(0, |word, i| word | (bits >> i & 1) << (2 * i + 1))
    }

    /// Writes ICFGR, of which only interrupts in `writable` (bits as in the bank) change.
    pub fn write_config(&mut self, half: usize, value: u32, writable: u32) {
        let bits = (0..16).fold(0, |bits, i| bits | (value >> (2 * i + 1) & 1) << i);
        let shift = 16 * (half & 1);
        let mask = 0xffff << shift & writable;
        self.edge = self.edge & !mask | bits << shift & mask;
    }

    /// Reads IPRIORITYR, `bytes` of it from interrupt `bit` on.
    pub fn read_priority(&self, bit: usize, bytes: usize) -> u32 {
        let of = self.priority.iter().skip(bit & 31).take(bytes);
        of.rev().fold(0, |word, &p| word << 8 | u32::from(p))
    }

    /// Writes IPRIORITYR; bits of a priority that are not in `implemented` read as zero.
    pub fn write_priority(&mut self, bit: usize, bytes: usize, value: u32, implemented: u8) {
        let of = self.priority.iter_mut().skip(bit & 31).take(bytes);
        for (p, byte) in of.zip(value.to_le_bytes()) {
            *p = byte & implemented;
        }
    }

    /// One line for each interrupt that is enabled, pending or active.
    pub fn describe(&self, first: u32, text: &mut String) {
        for bit in 0..32 {
            let on = |word: u32, yes: char| if word >> bit & 1 != 0 { yes } else { '-' };
            if (self.enabled | self.pending() | self.active) >> bit & 1 != 0 {
                let _ = writeln!(
                    text,
                    "  {:4}: {}{}{}{} group {} {} priority {:#04x}",
                    first + bit,
                    on(self.enabled, 'E'),
                    on(self.pending(), 'P'),
                    on(self.active, 'A'),
                    on(self.level, 'H'),
                    self.group >> bit & 1,
                    if self.edge >> bit & 1 != 0 { "edge " } else { "level" },
                    self.priority[bit as usize],
                );
            }
        }
    }
}

/// Which processor takes which interrupt: one word per bank and processor. Derived from the routing registers.
#[derive(Debug, Clone, Default)]
pub struct Routes {
    cpus: usize,
    words: Vec<u32>,
}

impl Routes {
    /// No interrupt goes anywhere.
    pub fn new(banks: usize, cpus: usize) -> Routes {
        Routes { cpus, words: vec![0; banks * cpus] }
    }

    /// The interrupts of `bank` that `cpu` takes.
    #[inline]
    pub fn mask(&self, bank: usize, cpu: usize) -> u32 {
        self.words.get(bank * self.cpus + cpu).copied().unwrap_or(0)
    }

    /// Says whether `cpu` takes interrupt `bit` of `bank`.
    pub fn set(&mut self, bank: usize, bit: u32, cpu: usize, takes: bool) {
        if cpu < self.cpus
            && let Some(word) = self.words.get_mut(bank * self.cpus + cpu)
        {
            let mask = 1 << (bit & 31);
            *word = if takes { *word | mask } else { *word & !mask };
        }
    }
}

/// Running priority of a processor on which nothing is active.
pub const IDLE: u8 = 0xff;

/// Active priorities: one bit for each group priority, the lowest set bit is the running one. `SHIFT` is the number of
/// priority bits that cannot be part of a group priority.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActivePriorities<const SHIFT: u32> {
    /// The APR registers.
    pub words: [u32; 4],
}

impl<const SHIFT: u32> ActivePriorities<SHIFT> {
    /// The highest priority that is active, [`IDLE`] if none.
    #[inline]
    pub fn running(&self) -> u8 {
        for (i, &word) in (0u32..).zip(&self.words) {
            if word != 0 {
                return ((32 * i + word.trailing_zeros()) << SHIFT).min(0xff) as u8;
            }
        }
        IDLE
    }

    /// Makes a group priority active.
    #[inline]
    pub fn push(&mut self, priority: u8) {
        let level = u32::from(priority) >> SHIFT;
        self.words[(level / 32) as usize & 3] |= 1 << (level % 32);
    }

    /// Drops the highest priority that is active.
    #[inline]
    pub fn drop_highest(&mut self) {
        if let Some(word) = self.words.iter_mut().find(|w| **w != 0) {
            *word &= *word - 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn level_and_edge() {
        let mut b = Bank { edge: 0b10, ..Bank::power_on() };
        assert!(b.set_level(0, true));
        assert!(b.set_level(1, true));
        assert!(!b.set_level(1, false));
        assert_eq!(b.pending(), 0b11);
        b.activate(1);
        b.activate(0);
        assert_eq!(b.pending(), 0b01, "a level stays pending while the input is high");
        b.set_level(0, false);
        assert_eq!((b.pending(), b.active), (0, 0b11));
    }

    #[test]
    fn best_is_by_priority_then_number() {
        let mut b = Bank { enabled: u32::MAX, latch: 0b1111, ..Bank::power_on() };
        b.write_priority(0, 4, 0x1020_1020, 0xff);
        assert_eq!(b.read_priority(1, 2), 0x2010);
        let best = |b: &Bank, before| b.best(u32::MAX, 32, before);
        assert_eq!(best(&b, None).unwrap().intid, 33);
        b.active = 0b10;
        assert_eq!(best(&b, None).unwrap().intid, 35);
        let before = Pending { intid: 3, priority: 0x10, group1: false };
        assert_eq!(best(&b, Some(before)), Some(before), "at equal priority the lower number goes first");
    }

    #[test]
    fn configuration_words() {
        let mut b = Bank::power_on();
        b.write_config(1, 0xaaaa_aaaa, 0x00ff_0000);
        assert_eq!(b.edge, 0x00ff_0000);
        assert_eq!(b.read_config(1), 0x0000_aaaa);
        assert_eq!(b.read_config(0), 0);
    }

    #[test]
    fn active_priorities_nest() {
        let mut a = ActivePriorities::<3>::default();
        assert_eq!(a.running(), IDLE);
        a.push(0xa0);
        a.push(0x80);
        assert_eq!(a.running(), 0x80);
        a.drop_highest();
        assert_eq!(a.running(), 0xa0);
        a.drop_highest();
        a.drop_highest();
        assert_eq!(a.running(), IDLE);
    }
}
