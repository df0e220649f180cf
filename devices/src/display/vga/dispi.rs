//! The Bochs display interface: sixteen-bit registers behind an index, which set modes of any size.

use serde::{Deserialize, Serialize};

pub(super) const ID: u16 = 0;
pub(super) const XRES: u16 = 1;
pub(super) const YRES: u16 = 2;
pub(super) const BPP: u16 = 3;
pub(super) const ENABLE: u16 = 4;
pub(super) const BANK: u16 = 5;
pub(super) const VIRT_WIDTH: u16 = 6;
pub(super) const VIRT_HEIGHT: u16 = 7;
pub(super) const X_OFFSET: u16 = 8;
pub(super) const Y_OFFSET: u16 = 9;
pub(super) const MEMORY_64K: u16 = 10;

const ID_FIRST: u16 = 0xb0c0;
const ID_LAST: u16 = 0xb0c5;
const ENABLED: u16 = 1 << 0;
const GET_CAPS: u16 = 1 << 1;
const DAC_8BIT: u16 = 1 << 5;
const LFB: u16 = 1 << 6;
const NO_CLEAR: u16 = 1 << 7;
/// Largest mode there could be, memory permitting.
const MAX_X: u16 = 16_000;
const MAX_Y: u16 = 12_000;
const MAX_BPP: u16 = 32;
/// Bytes of a bank.
const BANK_LEN: u64 = 0x1_0000;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Dispi {
    index: u16,
    id: u16,
    xres: u16,
    yres: u16,
    bpp: u16,
    enable: u16,
    bank: u16,
    virt_width: u16,
    x_offset: u16,
    y_offset: u16,
}

impl Dispi {
    pub(super) fn power_on() -> Dispi {
        Dispi {
            index: 0,
            id: ID_LAST,
            xres: 0,
            yres: 0,
            bpp: 0,
            enable: 0,
            bank: 0,
            virt_width: 0,
            x_offset: 0,
            y_offset: 0,
        }
    }

    /// Whether what is shown fits into `memory` bytes.
    pub(super) fn is_valid(&self, memory: u64) -> bool {
        !self.enabled() || self.xres != 0 && self.virt_width >= self.xres && self.shown_bytes() <= memory
    }

    pub(super) fn index(&self) -> u16 {
        self.index
    }

    pub(super) fn select(&mut self, index: u16) {
        self.index = index;
    }

    pub(super) fn enabled(&self) -> bool {
        self.enable & ENABLED != 0
    }

    pub(super) fn dac_8bit(&self) -> bool {
        self.enable & DAC_8BIT != 0
    }

    /// Whether enabling the mode clears the memory.
    pub(super) fn clears(&self) -> bool {
        self.enable & NO_CLEAR == 0
    }

    pub(super) fn width(&self) -> u32 {
        self.xres.into()
    }

    pub(super) fn height(&self) -> u32 {
        self.yres.into()
    }

    /// Bits of a pixel: 4, 8, 15, 16, 24 or 32.
    pub(super) fn bits(&self) -> u16 {
        self.bpp
    }

    /// Bytes from one line to the next. The four planes of a 16-colour mode lie beside each other.
    pub(super) fn line(&self) -> u64 {
        let width = u64::from(self.virt_width);
        match self.bpp {
            4 => width.div_ceil(8) * 4,
            bpp => width * u64::from(bpp.div_ceil(8)),
        }
    }

    pub(super) fn shown_bytes(&self) -> u64 {
        self.line() * u64::from(self.yres)
    }

    /// Offset of the first byte that is shown.
    pub(super) fn start(&self) -> u64 {
        let x = u64::from(self.x_offset);
        let within = match self.bpp {
            4 => x / 8 * 4,
            bpp => x * u64::from(bpp.div_ceil(8)),
        };
        u64::from(self.y_offset) * self.line() + within
    }

    /// Offset of the window's first byte.
    pub(super) fn bank_offset(&self) -> u64 {
        u64::from(self.bank) * BANK_LEN
    }

    pub(super) fn read(&self, index: u16, memory: u64) -> u16 {
        let caps = self.enable & GET_CAPS != 0;
        match index {
            ID => self.id,
            XRES if caps => MAX_X,
            YRES if caps => MAX_Y,
            BPP if caps => MAX_BPP,
            XRES => self.xres,
            YRES => self.yres,
            BPP => self.bpp,
            ENABLE => self.enable,
            BANK => self.bank,
            VIRT_WIDTH => self.virt_width,
            VIRT_HEIGHT => match self.line() {
                0 => 0,
                line => (memory / line).min(0xffff) as u16,
            },
            X_OFFSET => self.x_offset,
            Y_OFFSET => self.y_offset,
            MEMORY_64K => (memory / BANK_LEN).min(0xffff) as u16,
            _ => 0,
        }
    }

    /// Writes a register; whether that sets a mode.
    pub(super) fn write(&mut self, index: u16, value: u16, memory: u64) -> bool {
        match index {
            ID if (ID_FIRST..=ID_LAST).contains(&value) => self.id = value,
            // A mode that is shown keeps its size until it is left.
            XRES if !self.enabled() => self.xres = value.min(MAX_X) & !7,
            YRES if !self.enabled() => self.yres = value.min(MAX_Y),
            BPP if !self.enabled() => self.bpp = if value == 0 { 8 } else { value },
            BANK => self.bank = if u64::from(value) < memory / BANK_LEN { value } else { 0 },
            VIRT_WIDTH if self.enabled() => {
                let old = std::mem::replace(&mut self.virt_width, value.max(self.xres) & !7);
                if self.shown_bytes() > memory {
                    self.virt_width = old;
                }
            }
            X_OFFSET => self.x_offset = value,
            Y_OFFSET => self.y_offset = value,
            ENABLE => return self.set_enable(value, memory),
            _ => {}
        }
        false
    }

    fn set_enable(&mut self, value: u16, memory: u64) -> bool {
        let was = self.enabled();
        self.enable = value & (ENABLED | GET_CAPS | DAC_8BIT | LFB | NO_CLEAR);
        if !self.enabled() {
            self.bank = 0;
            self.enable &= !DAC_8BIT;
            return false;
        }
        if was {
            return false;
        }
        if !matches!(self.bpp, 4 | 8 | 15 | 16 | 24 | 32) {
            self.bpp = 8;
        }
        self.xres = self.xres.max(8);
        self.yres = self.yres.max(1);
        (self.virt_width, self.x_offset, self.y_offset, self.bank) = (self.xres, 0, 0, 0);
        let lines = memory / self.line().max(1);
        self.yres = self.yres.min(lines.clamp(1, MAX_Y.into()) as u16);
        true
    }
}
