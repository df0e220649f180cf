//! PAM and SMRAM: the registers of Intel's north bridges that decide about the range from 0xA0000 to 0xFFFFF.
//!
//! After the 82441FX data sheet (290549), 3.2.14 and 3.2.18; the MCH of Q35 has the same at other offsets.

use super::config::ConfigSpace;
use crate::bus::shadow::ShadowControl;
use crate::bus::span::Span;
use std::sync::Arc;

/// PAM registers.
const REGISTERS: usize = 7;
/// SMRAM: open to all, locked until reset, there at all.
const OPEN: u8 = 0x40;
const LOCK: u8 = 0x10;
const ENABLE: u8 = 8;
/// SMRAM: where the compatible range is; only 0xA0000 exists.
const BASE_SEGMENT: u8 = 2;

/// The register side of shadow memory.
pub(super) struct Pam {
    /// Offset of PAM0 and of SMRAM in configuration space.
    first: usize,
    smram_at: usize,
    control: Arc<dyn ShadowControl>,
    /// What the machine was told last: attributes of the 13 ranges, and whether SMRAM is there and open.
    told: Option<([u8; 2 * REGISTERS], [bool; 2])>,
    /// SMRAM as it was last; its lock holds it.
    smram: u8,
}

impl Pam {
    pub(super) fn new(first: usize, smram_at: usize, control: Arc<dyn ShadowControl>) -> Pam {
        Pam { first, smram_at, control, told: None, smram: BASE_SEGMENT }
    }

    /// Power-on: the lock is open again.
    pub(super) fn reset(&mut self) {
        self.smram = BASE_SEGMENT;
    }

    /// A loaded state's lock is that state's.
    pub(super) fn unlock(&mut self) {
        self.smram = 0;
    }

    /// Follows the registers.
    pub(super) fn update(&mut self, config: &mut ConfigSpace) {
        let mut smram = config.byte(self.smram_at) & !7 | BASE_SEGMENT;
        if self.smram & LOCK != 0 {
            smram = self.smram;
        }
        if smram & LOCK != 0 {
            smram &= !OPEN;
        }
        self.smram = smram;
        config.put(self.smram_at, smram);

        let mut now = [0; 2 * REGISTERS];
        for (i, attributes) in now.iter_mut().enumerate() {
            *attributes = config.byte(self.first + i / 2) >> (i % 2 * 4) & 3;
        }
        let there = smram & ENABLE != 0;
        let open = [there, there && smram & OPEN != 0];
        let before = self.told.replace((now, open));
        for (i, &attributes) in now.iter().enumerate().skip(1) {
            if before.is_none_or(|(old, _)| old.get(i) != Some(&attributes))
                && let Ok(span) = range(i)
            {
                self.control.set(span, attributes & 1 != 0, attributes & 2 != 0);
            }
        }
        if before.is_none_or(|(_, old)| old != open) {
            self.control.smram(open[0], open[1]);
        }
    }
}

/// The range of half register `i`: PAM0's upper half is the BIOS, the others are 16 KiB each from 0xC0000 on.
fn range(i: usize) -> Result<Span, crate::bus::span::SpanError> {
    match i.checked_sub(2) {
        None => Span::new(0xF_0000, 0x1_0000),
        Some(n) => Span::new(0xC_0000 + 0x4000 * n as u64, 0x4000),
    }
}
