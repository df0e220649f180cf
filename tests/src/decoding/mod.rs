//! The x86 decoder compared with iced-x86: length, validity, registers, memory operands, immediates.
//!
//! What iced decides otherwise on purpose, or what is no instruction of ours, stands in [`policy`] with its reason.

mod compare;
mod generate;
pub mod policy;

pub use compare::{Difference, compare};
pub use generate::{opcodes, random};

use lyrebird_cpu::x86::mode;

/// The three sizes of code, as bits and as mode words.
pub const SIZES: [(u32, u32); 3] = [
    (16, mode::PE | 1 << mode::CODE_LOW | 1 << mode::STACK_LOW),
    (32, mode::PE | mode::FLAT | 2 << mode::CODE_LOW | 2 << mode::STACK_LOW),
    (64, mode::PE | mode::LMA | mode::FLAT | 3 << mode::CODE_LOW | 3 << mode::STACK_LOW),
];

/// Differences by kind, with how often and an example each.
#[derive(Default)]
pub struct Tally {
    /// Byte strings that were compared, in each of the three sizes.
    pub strings: u64,
    /// Kind, number, example.
    pub kinds: std::collections::BTreeMap<String, (u64, String)>,
}

impl Tally {
    /// Compares a byte string in all sizes.
    pub fn add(&mut self, bytes: &[u8; 15]) {
        self.strings += 1;
        for (bits, mode) in SIZES {
            let Some(d) = compare(bytes, bits, mode) else { continue };
            let entry = self.kinds.entry(d.kind).or_default();
            entry.0 += 1;
            if entry.0 == 1 {
                entry.1 = format!("{bits} bits, {bytes:02x?}: {}", d.text);
            }
        }
    }

    /// The differences as lines of text.
    pub fn report(&self) -> String {
        self.kinds.iter().map(|(kind, (n, example))| format!("{kind}: {n} times; {example}\n")).collect()
    }
}
