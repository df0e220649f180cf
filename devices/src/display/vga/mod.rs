//! VGA with linear frame buffer and the Bochs display interface, as QEMU's standard VGA has it.
//!
//! Registers after the IBM PS/2 hardware interface technical reference's video subsystem (1992 edition), the display
//! interface after the Bochs VBE description (version B0C5), the MMIO block after QEMU's docs/specs/standard-vga.rst.
//! The core knows no bus: ports, the window at A0000h and the MMIO block are pieces of one register file, and the frame
//! buffer is a [`GuestRam`] that a board or a PCI BAR maps as memory. Video memory holds four bytes, one of each plane,
//! for each address; bytes follow each other in chain 4, and characters and attributes in the odd/even modes, so that
//! linear and banked views show the same. Its content is no part of the state, as RAM's is not.
//!
//! Left out on purpose: interrupts, light pen, timing beyond what the retrace bits tell, smooth scrolling by preset row
//! scan, blinking (what blinks is shown), EDID.

mod dispi;
mod memory;
mod render;
#[cfg(test)]
mod tests;

use super::{Frame, TextScreen};
use crate::bus::clock::{Clock, VTime};
use crate::bus::device::{BusError, BusResult, Device, Initiator, Io, Size};
use crate::bus::snapshot::{self, StateError, require};
use crate::bus::space::Piece;
use dispi::Dispi;
use lyrebird_ram::GuestRam;
use serde::{Deserialize, Serialize};

/// Registers and bits.
mod spec {
    /// Pieces of the register file: ports from 3B0h on, the display interface, the window at A0000h, the MMIO block.
    pub const PORTS: u64 = 0;
    pub const PORTS_END: u64 = 0x30;
    pub const DISPI: u64 = 0x40;
    pub const DISPI_END: u64 = 0x44;
    pub const WINDOW: u64 = 0x2_0000;
    pub const WINDOW_END: u64 = 0x4_0000;
    pub const MMIO: u64 = 0x4_0000;
    pub const MMIO_END: u64 = 0x4_1000;
    /// Within the MMIO block: ports from 3C0h on, the display interface's registers, QEMU's extension.
    pub const MMIO_PORTS: u64 = MMIO + 0x400;
    pub const MMIO_PORTS_END: u64 = MMIO + 0x420;
    pub const MMIO_DISPI: u64 = MMIO + 0x500;
    pub const MMIO_DISPI_END: u64 = MMIO + 0x516;
    pub const MMIO_EXT: u64 = MMIO + 0x600;
    pub const MMIO_EXT_END: u64 = MMIO + 0x608;
    /// Bytes of QEMU's extension, and its word that says little-endian.
    pub const EXT_SIZE: u32 = 8;
    pub const EXT_LITTLE: u32 = 0x1e1e_1e1e;

    /// Registers of the sequencer, the CRT, graphics and attribute controllers.
    pub const SEQ_CLOCKING: usize = 1;
    pub const SEQ_MAP_MASK: usize = 2;
    pub const SEQ_FONTS: usize = 3;
    pub const SEQ_MEMORY: usize = 4;
    pub const SEQ_MEMORY_PLANAR: u8 = 1 << 2;
    pub const SEQ_MEMORY_CHAIN4: u8 = 1 << 3;
    pub const CRTC_H_END: usize = 0x01;
    pub const CRTC_OVERFLOW: usize = 0x07;
    pub const CRTC_MAX_SCAN: usize = 0x09;
    pub const CRTC_CURSOR_START: usize = 0x0a;
    pub const CRTC_CURSOR_END: usize = 0x0b;
    pub const CRTC_START_HIGH: usize = 0x0c;
    pub const CRTC_START_LOW: usize = 0x0d;
    pub const CRTC_CURSOR_HIGH: usize = 0x0e;
    pub const CRTC_CURSOR_LOW: usize = 0x0f;
    pub const CRTC_V_RETRACE_END: usize = 0x11;
    pub const CRTC_V_END: usize = 0x12;
    pub const CRTC_OFFSET: usize = 0x13;
    pub const CRTC_UNDERLINE: usize = 0x14;
    pub const CRTC_MODE: usize = 0x17;
    pub const CRTC_LINE_COMPARE: usize = 0x18;
    pub const GFX_SET_RESET: usize = 0;
    pub const GFX_ENABLE_SET: usize = 1;
    pub const GFX_COMPARE: usize = 2;
    pub const GFX_ROTATE: usize = 3;
    pub const GFX_READ_MAP: usize = 4;
    pub const GFX_MODE: usize = 5;
    pub const GFX_MISC: usize = 6;
    pub const GFX_CARE: usize = 7;
    pub const GFX_BIT_MASK: usize = 8;
    pub const ATTR_MODE: usize = 0x10;
    pub const ATTR_PLANES: usize = 0x12;
    pub const ATTR_PANNING: usize = 0x13;
    pub const ATTR_SELECT: usize = 0x14;
    /// Bit of the attribute index: the palette belongs to the display.
    pub const ATTR_ON: u8 = 1 << 5;

    pub const MISC_COLOUR: u8 = 1 << 0;
    pub const STATUS_BLANK: u8 = 1 << 0;
    pub const STATUS_RETRACE: u8 = 1 << 3;

    /// Timing of 400 lines of 449 at 70 Hz, nanoseconds.
    pub const LINE_NS: u64 = 31_778;
    pub const LINE_SHOWN_NS: u64 = 25_422;
    pub const LINES: u64 = 449;
    pub const LINES_SHOWN: u64 = 400;
}
use spec::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct State {
    misc: u8,
    feature: u8,
    enable: u8,
    seq_index: u8,
    seq: [u8; 8],
    crtc_index: u8,
    crtc: [u8; 32],
    gfx_index: u8,
    gfx: [u8; 16],
    attr_index: u8,
    /// The next write to 3C0h is data.
    attr_data: bool,
    attr: [u8; 32],
    /// Colours as the guest wrote them; 256 of them.
    dac: Vec<[u8; 3]>,
    /// Colours that are read and written next.
    dac_read: u8,
    dac_write: u8,
    /// Component of the colour that is next.
    dac_component: u8,
    dac_reading: bool,
    dac_colour: [u8; 3],
    pel_mask: u8,
    /// One byte of each plane, as the last read left them.
    latch: u32,
    dispi: Dispi,
}

impl State {
    fn power_on() -> State {
        State {
            misc: 0,
            feature: 0,
            enable: 0,
            seq_index: 0,
            seq: [0; 8],
            crtc_index: 0,
            crtc: [0; 32],
            gfx_index: 0,
            gfx: [0; 16],
            attr_index: 0,
            attr_data: false,
            attr: [0; 32],
            dac: vec![[0; 3]; 256],
            dac_read: 0,
            dac_write: 0,
            dac_component: 0,
            dac_reading: false,
            dac_colour: [0; 3],
            pel_mask: 0xff,
            latch: 0,
            dispi: Dispi::power_on(),
        }
    }

    /// The register that an index selects, if the controller has it.
    fn at(registers: &mut [u8], index: u8, count: u8) -> Option<&mut u8> {
        registers.get_mut(usize::from(index)).filter(|_| index < count)
    }

    fn write_crtc(&mut self, value: u8) {
        let index = self.crtc_index;
        let protected = self.crtc[CRTC_V_RETRACE_END] & 0x80 != 0 && index < 8;
        let Some(register) = Self::at(&mut self.crtc, index, 0x19) else { return };
        if !protected {
            *register = value;
        } else if usize::from(index) == CRTC_OVERFLOW {
            // The line compare's bit alone stays writable.
            *register = *register & !0x10 | value & 0x10;
        }
    }

    fn write_attribute(&mut self, value: u8) {
        self.attr_data = !self.attr_data;
        if self.attr_data {
            self.attr_index = value & 0x3f;
        } else if let Some(register) = Self::at(&mut self.attr, self.attr_index & 0x1f, 0x15) {
            let bits = match self.attr_index & 0x1f {
                0..=0xf | 0x12 => 0x3f,
                0x13 | 0x14 => 0xf,
                0x10 => 0xef,
                _ => 0xff,
            };
            *register = value & bits;
        }
    }

    /// Bits of a colour's component that are kept.
    fn dac_mask(&self) -> u8 {
        if self.dispi.dac_8bit() { 0xff } else { 0x3f }
    }

    fn read_dac(&mut self) -> u8 {
        let colour = self.dac.get(usize::from(self.dac_read)).copied().unwrap_or_default();
        let value = colour.get(usize::from(self.dac_component)).copied().unwrap_or(0);
        let next = self.next_component();
        self.dac_read = self.dac_read.wrapping_add(next);
        value
    }

    fn write_dac(&mut self, value: u8) {
        let value = value & self.dac_mask();
        if let Some(component) = self.dac_colour.get_mut(usize::from(self.dac_component)) {
            *component = value;
        }
        if self.dac_component == 2
            && let Some(colour) = self.dac.get_mut(usize::from(self.dac_write))
        {
            *colour = self.dac_colour;
        }
        let next = self.next_component();
        self.dac_write = self.dac_write.wrapping_add(next);
    }

    /// Goes to the next component; 1 if that is of the next colour.
    fn next_component(&mut self) -> u8 {
        self.dac_component = if self.dac_component < 2 { self.dac_component + 1 } else { 0 };
        u8::from(self.dac_component == 0)
    }

    /// Whether the port belongs to the emulation, colour or monochrome, that is selected.
    fn answers(&self, port: u64) -> bool {
        match port {
            0x3b0..0x3c0 => self.misc & MISC_COLOUR == 0,
            0x3d0..0x3e0 => self.misc & MISC_COLOUR != 0,
            _ => true,
        }
    }

    fn write_port(&mut self, port: u64, value: u8) {
        if !self.answers(port) {
            return;
        }
        match port {
            0x3b4 | 0x3d4 => self.crtc_index = value,
            0x3b5 | 0x3d5 => self.write_crtc(value),
            0x3ba | 0x3da => self.feature = value & 0x10,
            0x3c0 => self.write_attribute(value),
            0x3c2 => self.misc = value & !0x10,
            0x3c3 => self.enable = value,
            0x3c4 => self.seq_index = value & 7,
            0x3c5 => {
                const BITS: [u8; 8] = [3, 0x3d, 0x0f, 0x3f, 0x0e, 0, 0, 0xff];
                let index = usize::from(self.seq_index & 7);
                self.seq[index] = value & BITS[index];
            }
            0x3c6 => self.pel_mask = value,
            0x3c7 | 0x3c8 => {
                self.dac_reading = port == 0x3c7;
                let index = if self.dac_reading { &mut self.dac_read } else { &mut self.dac_write };
                (*index, self.dac_component) = (value, 0);
            }
            0x3c9 => self.write_dac(value),
            0x3ce => self.gfx_index = value & 0xf,
            0x3cf => {
                const BITS: [u8; 9] = [0x0f, 0x0f, 0x0f, 0x1f, 0x03, 0x7b, 0x0f, 0x0f, 0xff];
                let index = usize::from(self.gfx_index & 0xf);
                self.gfx[index] = value & BITS.get(index).unwrap_or(&0);
            }
            _ => {}
        }
    }

    fn read_port(&mut self, port: u64, now: VTime) -> u8 {
        if !self.answers(port) {
            return 0xff;
        }
        match port {
            0x3b4 | 0x3d4 => self.crtc_index,
            0x3b5 | 0x3d5 => self.crtc.get(usize::from(self.crtc_index)).copied().unwrap_or(0),
            0x3ba | 0x3da => {
                self.attr_data = false;
                status(now)
            }
            0x3c0 if self.attr_data => 0,
            0x3c0 => self.attr_index,
            0x3c1 => self.attr[usize::from(self.attr_index & 0x1f)],
            // A monitor is there.
            0x3c2 => 0x10,
            0x3c3 => self.enable,
            0x3c4 => self.seq_index,
            0x3c5 => self.seq[usize::from(self.seq_index & 7)],
            0x3c6 => self.pel_mask,
            0x3c7 => {
                if self.dac_reading {
                    3
                } else {
                    0
                }
            }
            0x3c8 => self.dac_write,
            0x3c9 => self.read_dac(),
            0x3ca => self.feature,
            0x3cc => self.misc,
            0x3ce => self.gfx_index,
            0x3cf => self.gfx[usize::from(self.gfx_index & 0xf)],
            _ => 0xff,
        }
    }
}

/// Input status register 1 at `now`.
fn status(now: VTime) -> u8 {
    let line = now.0 / LINE_NS % LINES;
    if line >= LINES_SHOWN {
        STATUS_BLANK | STATUS_RETRACE
    } else if now.0 % LINE_NS >= LINE_SHOWN_NS {
        STATUS_BLANK
    } else {
        0
    }
}

/// The adapter.
pub struct Vga {
    vram: GuestRam,
    clock: Clock,
    state: State,
}

impl Vga {
    /// Bytes of its register file.
    pub const LEN: u64 = MMIO_END;
    /// Bytes of video memory that QEMU's standard VGA has.
    pub const VRAM: u64 = 16 << 20;
    /// The pieces among the ports of a PC.
    pub const PORTS: [Piece; 6] = [
        Piece { reg: DISPI, at: 0x1ce, len: 4 },
        Piece { reg: PORTS + 4, at: 0x3b4, len: 2 },
        Piece { reg: PORTS + 0xa, at: 0x3ba, len: 1 },
        Piece { reg: PORTS + 0x10, at: 0x3c0, len: 0x10 },
        Piece { reg: PORTS + 0x24, at: 0x3d4, len: 2 },
        Piece { reg: PORTS + 0x2a, at: 0x3da, len: 1 },
    ];
    /// The window among the memory of a PC.
    pub const WINDOW: Piece = Piece { reg: WINDOW, at: 0xa_0000, len: 0x2_0000 };
    /// Register offset of the MMIO block, BAR 2 of the PCI device.
    pub const MMIO: u64 = MMIO;
    /// Bytes of the MMIO block.
    pub const MMIO_LEN: u64 = MMIO_END - MMIO;

    /// An adapter whose video memory is `vram`, a multiple of 64 KiB and at least 256 KiB.
    pub fn new(vram: GuestRam, clock: Clock) -> Vga {
        Vga { vram, clock, state: State::power_on() }
    }

    /// The video memory, BAR 0 of the PCI device.
    pub fn vram(&self) -> &GuestRam {
        &self.vram
    }

    /// The picture that is shown now.
    pub fn frame(&self) -> Frame {
        render::frame(&self.state, &self.vram)
    }

    /// The text that is shown now; none in graphics modes.
    pub fn text(&self) -> Option<TextScreen> {
        render::text(&self.state, &self.vram)
    }

    fn write_dispi(&mut self, index: u16, value: u16) {
        if self.state.dispi.write(index, value, self.vram.len()) {
            let s = &mut self.state;
            // The window is 64 KiB of memory as it is, or of planes.
            s.gfx[GFX_MISC] = 5;
            s.gfx[GFX_MODE] &= !0x13;
            s.seq[SEQ_MAP_MASK] = 0xf;
            let chain = if s.dispi.bits() == 4 { 0 } else { SEQ_MEMORY_CHAIN4 };
            s.seq[SEQ_MEMORY] = SEQ_MEMORY_PLANAR | 2 | chain;
            s.gfx[GFX_BIT_MASK] = 0xff;
            (s.gfx[GFX_ROTATE], s.gfx[GFX_ENABLE_SET]) = (0, 0);
            s.attr_index |= ATTR_ON;
            if s.dispi.clears() {
                let len = s.dispi.shown_bytes().min(self.vram.len());
                let _ = self.vram.fill(0, len, 0);
            }
        }
    }
}

impl Io for Vga {
    fn read(&mut self, reg: u64, size: Size, _: Initiator) -> BusResult<u64> {
        let byte = size == Size::B1;
        match reg {
            PORTS..PORTS_END if byte => Ok(self.state.read_port(0x3b0 + reg, self.clock.now()).into()),
            MMIO_PORTS..MMIO_PORTS_END if byte => {
                Ok(self.state.read_port(0x3c0 + (reg - MMIO_PORTS), self.clock.now()).into())
            }
            DISPI if size == Size::B2 => Ok(self.state.dispi.index().into()),
            DISPI..DISPI_END if size == Size::B2 => {
                let dispi = &self.state.dispi;
                Ok(dispi.read(dispi.index(), self.vram.len()).into())
            }
            WINDOW..WINDOW_END => {
                let mut value = 0;
                for n in 0..size.bytes() {
                    value |= u64::from(self.state.read_window(&self.vram, reg - WINDOW + n)) << (8 * n);
                }
                Ok(value)
            }
            MMIO_DISPI..MMIO_DISPI_END if size == Size::B2 && reg & 1 == 0 => {
                let index = ((reg - MMIO_DISPI) / 2) as u16;
                Ok(self.state.dispi.read(index, self.vram.len()).into())
            }
            MMIO_EXT..MMIO_EXT_END if size == Size::B4 && reg & 3 == 0 => {
                Ok(if reg == MMIO_EXT { EXT_SIZE } else { EXT_LITTLE }.into())
            }
            PORTS..PORTS_END | MMIO_PORTS..MMIO_PORTS_END => Err(BusError::BadSize),
            // No EDID, and what else is not there.
            MMIO..MMIO_END => Ok(0),
            _ => Err(BusError::NoRegister),
        }
    }

    fn write(&mut self, reg: u64, size: Size, value: u64, _: Initiator) -> BusResult<()> {
        match reg {
            PORTS..PORTS_END | MMIO_PORTS..MMIO_PORTS_END => {
                // Index and data are written together by word, which the bus makes two bytes of; MMIO has no such bus.
                if reg < PORTS_END && size != Size::B1 || size > Size::B2 {
                    return Err(BusError::BadSize);
                }
                let port = if reg < PORTS_END { 0x3b0 + reg } else { 0x3c0 + (reg - MMIO_PORTS) };
                self.state.write_port(port, value as u8);
                if size == Size::B2 {
                    self.state.write_port(port + 1, (value >> 8) as u8);
                }
            }
            DISPI if size == Size::B2 => self.state.dispi.select(value as u16),
            DISPI..DISPI_END if size == Size::B2 => {
                self.write_dispi(self.state.dispi.index(), value as u16);
            }
            WINDOW..WINDOW_END => {
                for n in 0..size.bytes() {
                    self.state.write_window(&self.vram, reg - WINDOW + n, (value >> (8 * n)) as u8);
                }
            }
            MMIO_DISPI..MMIO_DISPI_END if size == Size::B2 && reg & 1 == 0 => {
                self.write_dispi(((reg - MMIO_DISPI) / 2) as u16, value as u16);
            }
            MMIO..MMIO_END => {}
            _ => return Err(BusError::NoRegister),
        }
        Ok(())
    }
}

impl Device for Vga {
    fn name(&self) -> &'static str {
        "VGA"
    }

    fn reset(&mut self) {
        self.state = State::power_on();
    }

    fn save(&self) -> Result<Vec<u8>, StateError> {
        snapshot::save(&self.state)
    }

    fn load(&mut self, saved: &[u8]) -> Result<(), StateError> {
        let state: State = snapshot::load(saved)?;
        require(state.dac.len() == 256 && state.dac_component < 3, "its colours")?;
        require(state.dispi.is_valid(self.vram.len()), "a mode")?;
        self.state = state;
        Ok(())
    }

    fn io(&mut self) -> Option<&mut dyn Io> {
        Some(self)
    }
}
